//! An overlay: a folder laid out like `scenarios/` whose files are added to
//! the built-in ones, or change them (`[catalogue] path` in the settings).

use std::path::{Path, PathBuf};

use super::load::{Catalogue, CatalogueFile, Inspection};
use super::problem::CatalogueError;
use crate::files::{self, FileError};

/// Largest file read, in bytes; the built-in ones have some ten kilobytes.
const MAX_FILE: u64 = 1 << 20;
/// Most files read.
const MAX_FILES: usize = 1_000;
/// Most folders one inside the other; `scenarios/` has three.
const MAX_DEPTH: usize = 4;

/// Why an overlay cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// A file or folder that cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that is no text.
    #[error("`{}` is not UTF-8; save it as UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// Far more files than a catalogue has.
    #[error("`{}` has more than {MAX_FILES} files; is it the right folder?", .0.display())]
    TooMany(PathBuf),
    /// A folder without any catalogue file.
    #[error("`{}` has no `.toml` file; lay it out like `scenarios/`", .0.display())]
    Empty(PathBuf),
    /// The catalogue that results is not sound.
    #[error("the overlay `{}` makes no sound catalogue\n{problems}", folder.display())]
    Unsound {
        /// The overlay's folder.
        folder: PathBuf,
        /// Every problem, with file and place.
        problems: CatalogueError,
    },
}

impl Catalogue {
    /// The built-in catalogue with the files of `folder` laid over it (see
    /// [`Catalogue::inspect`]). Links are not followed.
    ///
    /// # Errors
    /// What cannot be read, and every problem of the catalogue that results.
    pub fn with_overlay(folder: &Path) -> Result<Self, OverlayError> {
        let Inspection { catalogue, problems, .. } = Self::inspect_overlay(folder)?;
        catalogue.ok_or_else(|| OverlayError::Unsound {
            folder: folder.to_owned(),
            problems: CatalogueError { problems },
        })
    }

    /// All there is to say about the built-in catalogue with the files of
    /// `folder` laid over it.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn inspect_overlay(folder: &Path) -> Result<Inspection, OverlayError> {
        let mut own = Vec::new();
        collect(folder, "", 0, &mut own)?;
        if own.is_empty() {
            return Err(OverlayError::Empty(folder.to_owned()));
        }
        Ok(Self::inspect(Self::embedded(), own))
    }
}

fn collect(
    folder: &Path,
    inside: &str,
    depth: usize,
    out: &mut Vec<CatalogueFile>,
) -> Result<(), OverlayError> {
    for entry in files::list(folder)? {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let inside_path = format!("{inside}{name}");
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth + 1 < MAX_DEPTH {
            collect(&path, &format!("{inside_path}/"), depth + 1, out)?;
        } else if kind.is_file() && name.ends_with(".toml") {
            if out.len() >= MAX_FILES {
                return Err(OverlayError::TooMany(folder.to_owned()));
            }
            let bytes = files::read_bounded(&path, MAX_FILE)?;
            let shown = path.display().to_string();
            let text = String::from_utf8(bytes).map_err(|_| OverlayError::NotUtf8(path))?;
            out.push(CatalogueFile { path: inside_path, shown, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_cannot_be_an_overlay_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = |at: &Path| Catalogue::with_overlay(at).unwrap_err().to_string();
        assert!(error(folder.path()).contains("no `.toml` file"));
        assert!(error(&folder.path().join("missing")).contains("missing"));
        fs::write(folder.path().join("a.toml"), b"\xff").unwrap();
        assert!(error(folder.path()).contains("not UTF-8"));
    }
}
