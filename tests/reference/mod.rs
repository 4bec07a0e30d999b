//! HMRC's published files, which are not part of this project: tests that
//! compare with them say loudly that they were skipped where they are absent.

use std::path::{Path, PathBuf};

/// The folder of HMRC's files: what `CTC_READY_REFERENCE` names, or
/// `../shared/reference`. None, and said so, when it is not there.
#[allow(clippy::print_stderr)]
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CTC_READY_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no reference folder at {} (CTC_READY_REFERENCE)", folder.display());
    None
}
