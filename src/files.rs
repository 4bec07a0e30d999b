//! The only place that opens files for writing. What a crash can still lose
//! stands beside each helper.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// An I/O error with the path and what was being done to it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} `{}`: {source}", path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// `read`, `write`, `create`, …
    pub doing: &'static str,
    /// What the operating system said.
    pub source: std::io::Error,
}

/// A result about a file.
pub type Result<T> = std::result::Result<T, FileError>;

/// Adds path and action to an I/O error.
pub fn context(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { path, doing, source }
}

/// Replaces `path` by `bytes` in one step: a reader, and a crash at any
/// instant, sees the old content or the new, whole. After return the new
/// content survives a loss of power.
///
/// # Errors
/// When the folder cannot be written to or the disk is full; the old content
/// stands then.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = parent(path);
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempfile_in(folder)
        .map_err(|error| context(path, "write")(without_temporary(error)))?;
    temporary.write_all(bytes).map_err(context(path, "write"))?;
    temporary.as_file().sync_all().map_err(context(path, "write"))?;
    temporary.persist(path).map_err(|error| context(path, "write")(error.error))?;
    sync_folder(folder)
}

/// What the system said, without the name of a temporary file, which tells
/// nobody anything.
fn without_temporary(error: std::io::Error) -> std::io::Error {
    match error.to_string().split_once(" at path ") {
        Some((cause, _)) => std::io::Error::new(error.kind(), cause.to_owned()),
        None => error,
    }
}

/// How the temporary files of [`write_atomic`] begin; a crash may leave one.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

/// Creates a folder and those above it, so that they survive a loss of power.
///
/// # Errors
/// When a folder cannot be created.
pub fn create_dir_all_durable(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(context(path, "create"))?;
    sync_folder(path)?;
    sync_folder(parent(path))
}

/// Creates a folder that only its owner may enter, where the system knows
/// owners.
///
/// # Errors
/// As [`create_dir_all_durable`].
pub fn create_private_dir(path: &Path) -> Result<()> {
    create_dir_all_durable(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(context(path, "protect"))?;
    }
    Ok(())
}

/// Makes the entries of a folder survive a loss of power.
///
/// # Errors
/// When the folder cannot be opened.
pub fn sync_folder(path: &Path) -> Result<()> {
    // Windows has no such call and orders the metadata itself.
    #[cfg(unix)]
    File::open(path).and_then(|folder| folder.sync_all()).map_err(context(path, "sync"))?;
    let _ = path;
    Ok(())
}

/// The folder a file lies in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// When it cannot be read, or is larger.
pub fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(context(path, "read"))?;
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(context(path, "read"))?;
    if bytes.len() as u64 > max {
        let source = std::io::Error::other(format!("it is larger than {max} bytes"));
        return Err(FileError { path: path.to_owned(), doing: "read", source });
    }
    Ok(bytes)
}

/// Moves a file out of the way, to a name not taken yet.
///
/// # Errors
/// When it cannot be renamed.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(context(from, "rename"))
}

/// A file that only grows.
#[derive(Debug)]
pub struct AppendFile {
    path: PathBuf,
    file: File,
}

impl AppendFile {
    /// Opens a file to append to, creating it when `create` says so.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, create: bool) -> Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(create)
            .open(path)
            .map_err(context(path, "open"))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends. The bytes survive the death of this process, not yet a loss of
    /// power; an error may leave a part of them at the end.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(context(&self.path, "append to"))
    }

    /// Makes everything appended so far survive a loss of power.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(context(&self.path, "sync"))
    }
}

/// Cuts a file to `length` bytes, durably.
///
/// # Errors
/// When it cannot be written to.
pub fn truncate(path: &Path, length: u64) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path).map_err(context(path, "cut"))?;
    file.set_len(length).map_err(context(path, "cut"))?;
    file.sync_all().map_err(context(path, "cut"))
}

/// Removes a file.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(context(path, "remove"))
}

/// Removes an empty folder.
///
/// # Errors
/// When it is not empty or cannot be removed.
pub fn remove_folder(path: &Path) -> Result<()> {
    fs::remove_dir(path).map_err(context(path, "remove"))
}

/// A lock that one process holds, and in which it says who it is.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    file: File,
}

impl LockFile {
    /// Takes the lock; none when another process has it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn try_take(path: &Path) -> Result<Option<Self>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(context(path, "lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { path: path.to_owned(), file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(context(path, "lock")(error)),
        }
    }

    /// What the last holder wrote.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&mut self) -> Result<String> {
        use std::io::{Seek, SeekFrom};
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(0)).map_err(context(&self.path, "read"))?;
        (&self.file).take(4_096).read_to_string(&mut text).map_err(context(&self.path, "read"))?;
        Ok(text)
    }

    /// Says who holds it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, text: &str) -> Result<()> {
        use std::io::{Seek, SeekFrom};
        self.file.set_len(0).map_err(context(&self.path, "write"))?;
        self.file.seek(SeekFrom::Start(0)).map_err(context(&self.path, "write"))?;
        self.file.write_all(text.as_bytes()).map_err(context(&self.path, "write"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/such/file");
        for error in [
            write_atomic(&missing, b"x").unwrap_err(),
            read_bounded(&missing, 10).unwrap_err(),
            AppendFile::open(&missing, true).unwrap_err(),
        ] {
            assert!(error.to_string().contains("no/such/file"), "{error}");
            assert!(!error.to_string().contains(TEMPORARY_PREFIX), "{error}");
        }
        let file = folder.path().join("f");
        write_atomic(&file, b"12345").unwrap();
        assert_eq!(read_bounded(&file, 5).unwrap(), b"12345");
        assert!(read_bounded(&file, 4).unwrap_err().to_string().contains("larger than 4"));
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_content_and_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        fs::create_dir(&target).unwrap();
        assert!(write_atomic(&target, b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_lock_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mut first = LockFile::try_take(&path).unwrap().unwrap();
        first.write("me").unwrap();
        assert!(LockFile::try_take(&path).unwrap().is_none());
        drop(first);
        assert_eq!(LockFile::try_take(&path).unwrap().unwrap().text().unwrap(), "me");
    }
}
