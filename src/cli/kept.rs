//! Writing a file where one may stand already: nothing is lost.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::files;

/// A kind of file that a command writes.
pub(super) struct Kind {
    /// `Word document`.
    pub(super) what: &'static str,
    /// Ends the name of what is kept.
    pub(super) extension: &'static str,
    /// Largest file looked at, in bytes.
    pub(super) max: u64,
    /// Whether such a file begins like one of its kind.
    pub(super) ours: fn(&[u8]) -> bool,
    /// The flag that names it.
    pub(super) flag: &'static str,
}

/// Makes room for `bytes` at `output`: another file of the kind that stands
/// there is kept beside it, and its new path returned. What is of no such kind
/// stays where it is.
///
/// # Errors
/// When something else stands there, or cannot be moved.
pub(super) fn keep_previous(
    output: &Path,
    bytes: &[u8],
    kind: &Kind,
) -> Result<Option<PathBuf>, Failure> {
    let Some(old) = standing(output, kind)? else { return Ok(None) };
    if old == bytes {
        return Ok(None);
    }
    set_aside(output, &old, kind).map(Some)
}

/// Gives a file that stands at `output`, and begins with `old`, another name
/// beside it, and tells which. What is of no such kind stays where it is.
///
/// # Errors
/// When it is of another kind, or cannot be moved.
pub(super) fn set_aside(output: &Path, old: &[u8], kind: &Kind) -> Result<PathBuf, Failure> {
    if !(kind.ours)(old) {
        return Err(foreign(output, kind));
    }
    for number in 1..1_000 {
        let kept = output.with_extension(format!("previous-{number}.{}", kind.extension));
        if !kept.exists() {
            files::rename(output, &kept)?;
            return Ok(kept);
        }
    }
    Err(Failure::input(format!("too many earlier versions beside `{}`", output.display()))
        .hint(format!("remove some, or name another file with `{}`", kind.flag)))
}

/// What stands at `output`: a file of the kind, or nothing.
///
/// # Errors
/// When something else stands there.
pub(super) fn standing(output: &Path, kind: &Kind) -> Result<Option<Vec<u8>>, Failure> {
    if !output.exists() {
        return Ok(None);
    }
    let old = match output.is_file() {
        true => files::read_bounded(output, kind.max)?,
        false => Vec::new(),
    };
    if (kind.ours)(&old) {
        return Ok(Some(old));
    }
    Err(foreign(output, kind))
}

fn foreign(output: &Path, kind: &Kind) -> Failure {
    Failure::input(format!(
        "`{}` exists and is no {}: it is left as it is",
        output.display(),
        kind.what
    ))
    .hint(format!("name another file with `{} FILE`", kind.flag))
}

/// Refuses a place in the evidence: a file there would be found as none of the
/// store's own.
///
/// # Errors
/// When `output` is inside `store`.
pub(super) fn outside(output: &Path, store: &Path) -> Result<(), Failure> {
    let folder = output.parent().and_then(|folder| folder.canonicalize().ok());
    let store = store.canonicalize().ok();
    match (folder, store) {
        (Some(folder), Some(store)) if folder.starts_with(&store) => {
            Err(Failure::usage(format!("`{}` is inside the evidence", output.display()))
                .hint("the store holds its own files alone; name a file elsewhere"))
        }
        _ => Ok(()),
    }
}
