//! Reading a folder of texts that someone else made, within bounds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileError, Named, list, read_bounded};

/// How much of a folder is read at most.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Files and folders looked at, of whatever name.
    pub entries: usize,
    /// Folders inside folders.
    pub depth: usize,
    /// Bytes of all texts together.
    pub bytes: u64,
}

/// Reads the texts (UTF-8) in a folder, and in the folders inside it, whose
/// names end with `.` and `extension` in any case: their paths below the
/// folder, with `/`, and what they say. Sorted by path. The folder itself may
/// be a symbolic link; nothing inside it is followed.
///
/// # Errors
/// When something cannot be read, is a symbolic link named like a text, is no
/// UTF-8, or there is more of it than `bounds` allow.
pub fn read_texts(
    folder: &Path,
    extension: &str,
    bounds: Bounds,
) -> Result<Vec<(String, String)>, FileError> {
    let refused = |path: &Path, why: String| FileError {
        path: path.to_owned(),
        doing: "read",
        source: io::Error::other(why),
    };
    let mut texts = Vec::new();
    let (mut entries, mut bytes) = (0, 0);
    let mut open: Vec<(PathBuf, String, usize)> = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((here, prefix, depth)) = open.pop() {
        // Counted before they are gathered: a folder may be endless.
        entries += fs::read_dir(&here).named("list", &here)?.take(bounds.entries + 1).count();
        if entries > bounds.entries {
            let why = format!("it holds more than {} files and folders", bounds.entries);
            return Err(refused(folder, why));
        }
        for entry in list(&here)? {
            let path = entry.path();
            let kind = entry.file_type().named("read", &path)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                if depth >= bounds.depth {
                    let why = format!("folders lie more than {} deep", bounds.depth);
                    return Err(refused(folder, why));
                }
                open.push((path, format!("{name}/"), depth + 1));
                continue;
            }
            let wanted = Path::new(&name)
                .extension()
                .is_some_and(|found| found.eq_ignore_ascii_case(extension));
            if !wanted {
                continue;
            }
            let read = read_bounded(&path, bounds.bytes)?;
            bytes += read.len() as u64;
            if bytes > bounds.bytes {
                let why = format!("its texts are larger than {} bytes", bounds.bytes);
                return Err(refused(folder, why));
            }
            let text = String::from_utf8(read).map_err(|error| {
                let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
                let line = 1 + good.filter(|byte| **byte == b'\n').count();
                refused(&path, format!("line {line} is not UTF-8"))
            })?;
            texts.push((name, text));
        }
    }
    texts.sort();
    Ok(texts)
}
