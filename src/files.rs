//! Opening files for writing: the only module that does, so that what a crash
//! can cost is decided in one place. Each function says what can still be lost.
//!
//! "Crash" means both a process that dies (what was written stays) and a
//! machine that loses power (what was not synced may go, or stay in part).
//! Folders are synced on Unix alone; elsewhere the file system is trusted to
//! keep names. Floor 1: any module may call it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} `{}`: {source}", .path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was being done, as in "cannot …".
    pub doing: &'static str,
    /// What the operating system said.
    pub source: io::Error,
}

impl FileError {
    /// Whether there was no room for what was to be written: a full disk, a
    /// quota, a limit on the size of files.
    pub fn is_out_of_room(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        // What is too large to be read is no matter of room.
        self.doing != "read"
            && matches!(self.source.kind(), StorageFull | QuotaExceeded | FileTooLarge)
    }

    /// Whether the file is simply not there.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// Names the path in an I/O error.
trait Named<T> {
    fn named(self, doing: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> Named<T> for io::Result<T> {
    fn named(self, doing: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError { path: path.to_owned(), doing, source })
    }
}

/// Who may read a new file (Unix modes; elsewhere the folder's rules hold).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// As the user's umask says.
    Shared,
    /// The user alone: 0600 for files, 0700 for folders.
    Private,
}

/// Replaces the file at `path`. After a crash the file is the old one or the
/// new one, whole; once this has returned it is the new one. A file whose name
/// starts with `.tmp-` may be left beside it. An existing file keeps its mode.
///
/// # Errors
/// When the folder is missing, full or not writable; the old file then stays.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace_through(parent(path), path, bytes, Access::Shared)
}

/// As [`write_atomic`], for the user's eyes only (mode 0600).
///
/// # Errors
/// As [`write_atomic`].
pub fn write_atomic_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace_through(parent(path), path, bytes, Access::Private)
}

/// As [`write_atomic`], with the temporary file in `folder`, which must be on
/// the same file system: so that leftovers of a crash gather in one place.
///
/// # Errors
/// As [`write_atomic`].
pub fn replace_through(
    folder: &Path,
    path: &Path,
    bytes: &[u8],
    access: Access,
) -> Result<(), FileError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-");
    #[cfg(test)]
    builder.disable_cleanup(fault::armed());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let kept = match access {
            Access::Private => None,
            Access::Shared => fs::metadata(path).ok().map(|data| data.permissions()),
        };
        let mode = if access == Access::Private { 0o600 } else { 0o666 };
        builder.permissions(kept.unwrap_or_else(|| fs::Permissions::from_mode(mode)));
    }
    #[cfg(not(unix))]
    let _ = access;
    step().named("write", path)?;
    let mut temporary =
        builder.tempfile_in(folder).map_err(without_temporary).named("write", path)?;
    write_steps(temporary.as_file_mut(), bytes).named("write", path)?;
    sync_file(temporary.as_file()).named("sync", path)?;
    step().named("replace", path)?;
    temporary.persist(path).map_err(|failed| failed.error).named("replace", path)?;
    sync_folder(parent(path))
}

/// What the system said, without the name of a temporary file, which tells
/// nobody anything.
fn without_temporary(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((cause, _)) => io::Error::new(error.kind(), cause.to_owned()),
        None => error,
    }
}

/// A file that takes the place of another once it is whole. Dropped before
/// that, it is gone; after a crash a file whose name starts with `.tmp-` may be
/// left beside it.
#[derive(Debug)]
pub struct Staged {
    temporary: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Staged {
    /// Begins a file that is to stand at `path`.
    ///
    /// # Errors
    /// When the folder is missing or not writable.
    pub fn new(path: &Path) -> Result<Self, FileError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tmp-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        step().named("write", path)?;
        let temporary =
            builder.tempfile_in(parent(path)).map_err(without_temporary).named("write", path)?;
        Ok(Self { temporary, path: path.to_owned() })
    }

    /// Where to write to.
    pub fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Puts the file in its place, replacing what stands there. Once this has
    /// returned, it survives a crash; before, the old one or the new one
    /// stands there, whole.
    ///
    /// # Errors
    /// When the disk refuses; the old file then stays.
    pub fn put_in_place(self) -> Result<(), FileError> {
        let Self { temporary, path } = self;
        sync_file(temporary.as_file()).named("sync", &path)?;
        step().named("replace", &path)?;
        temporary.persist(&path).map_err(|failed| failed.error).named("replace", &path)?;
        sync_folder(parent(&path))
    }
}

/// Writes a file that must not exist yet. Once this has returned, the file
/// survives a crash; after a crash before, it may be there in part.
///
/// # Errors
/// When it exists, or cannot be written.
pub fn create_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    step().named("create", path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    restrict(&mut options, access);
    let mut file = options.open(path).named("create", path)?;
    write_steps(&mut file, bytes).named("write", path)?;
    sync_file(&file).named("sync", path)?;
    sync_folder(parent(path))
}

/// A file that only grows.
#[derive(Debug)]
pub struct AppendFile {
    file: File,
    path: PathBuf,
    len: u64,
    broken: bool,
}

impl AppendFile {
    /// Opens an existing regular file; symbolic links are not followed.
    ///
    /// # Errors
    /// When it is missing or anything else than a regular file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        require_regular(path, "open")?;
        step().named("open", path)?;
        let file = OpenOptions::new().append(true).open(path).named("open", path)?;
        let len = file.metadata().named("read the size of", path)?.len();
        Ok(Self { file, path: path.to_owned(), len, broken: false })
    }

    /// Hands `bytes` to the operating system. They survive the end of this
    /// process; before [`AppendFile::sync`] a loss of power may take them, or
    /// leave the first part of them. Later bytes never survive without
    /// earlier ones as far as the file system keeps the order of appends.
    ///
    /// # Errors
    /// When the disk is full, say. What was written in part is taken back if
    /// possible, and the handle refuses any further use: only opening the file
    /// again tells what it holds.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.usable("append to")?;
        if let Err(source) = write_steps(&mut self.file, bytes) {
            self.broken = true;
            if step().and_then(|()| self.file.set_len(self.len)).is_err() {
                tracing::warn!(path = %self.path.display(), "a half-written line stays");
            }
            return Err(FileError { path: self.path.clone(), doing: "append to", source });
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Returns once everything appended so far survives a loss of power.
    ///
    /// # Errors
    /// When the disk refuses. The handle then refuses any further use, since
    /// a second sync could succeed without having written anything.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.usable("sync")?;
        sync_file(&self.file).inspect_err(|_| self.broken = true).named("sync", &self.path)
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn usable(&self, doing: &'static str) -> Result<(), FileError> {
        if self.broken {
            let source = io::Error::other("an earlier write failed; open the file again");
            return Err(FileError { path: self.path.clone(), doing, source });
        }
        Ok(())
    }
}

/// Cuts a file to `len` bytes and syncs it. After a crash it has its old or
/// its new length.
///
/// # Errors
/// When it is missing, anything else than a regular file, or not writable.
pub fn truncate(path: &Path, len: u64) -> Result<(), FileError> {
    require_regular(path, "truncate")?;
    step().named("truncate", path)?;
    let file = OpenOptions::new().write(true).open(path).named("truncate", path)?;
    file.set_len(len).named("truncate", path)?;
    sync_file(&file).named("sync", path)
}

/// Creates a folder and those above it that are missing. Once this has
/// returned, they survive a crash; before, any of them may be missing.
///
/// # Errors
/// When something else than a folder stands in the way, or cannot be written.
pub fn create_dir_all_durable(path: &Path, access: Access) -> Result<(), FileError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    create_dir_all_durable(parent(path), access)?;
    step().named("create the folder", path)?;
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    if access == Access::Private {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        created => created.named("create the folder", path)?,
    }
    sync_folder(parent(path))
}

/// Lets the user alone into an existing folder (mode 0700 on Unix; nothing
/// elsewhere).
///
/// # Errors
/// When the folder belongs to someone else.
pub fn make_private(folder: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        step().named("protect", folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).named("protect", folder)?;
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// A file or folder that others than the user could read or replace, though it
/// holds a secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{}` can be {what} by others than you (its mode is {mode:03o})", .path.display())]
pub struct Exposed {
    /// The file or folder.
    pub path: PathBuf,
    /// `read` or `replaced`.
    pub what: &'static str,
    /// Its permission bits.
    pub mode: u32,
    /// The permission bits that are fine.
    pub wanted: u32,
}

/// Whether a file can be read, or (`folder`) what is in a folder be replaced, by
/// others than the user. Only Unix tells.
///
/// # Errors
/// When it is not there.
pub fn exposed(path: &Path, folder: bool) -> Result<Option<Exposed>, FileError> {
    let metadata = fs::metadata(path).named("read the permissions of", path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let (bits, what, wanted) =
            if folder { (0o022, "replaced", 0o700) } else { (0o077, "read", 0o600) };
        let mode = metadata.permissions().mode() & 0o777;
        let path = path.to_owned();
        Ok((mode & bits != 0).then_some(Exposed { path, what, mode, wanted }))
    }
    #[cfg(not(unix))]
    {
        let _ = (metadata, folder);
        Ok(None)
    }
}

/// Renames a file or folder inside a file system. After a crash it has its old
/// or its new name; once this has returned, its new one.
///
/// # Errors
/// When the new name is taken by a folder that is not empty, say.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    step().named("rename", from)?;
    fs::rename(from, to).named("rename", from)?;
    sync_folder(parent(to))?;
    sync_folder(parent(from))
}

/// Removes a file or a symbolic link (not what it points at). After a loss of
/// power it may be back.
///
/// # Errors
/// When it is missing or a folder.
pub fn remove_file(path: &Path) -> Result<(), FileError> {
    step().named("remove", path)?;
    fs::remove_file(path).named("remove", path)
}

/// Removes an empty folder. After a loss of power it may be back.
///
/// # Errors
/// When it is missing or not empty.
pub fn remove_empty_folder(path: &Path) -> Result<(), FileError> {
    step().named("remove", path)?;
    fs::remove_dir(path).named("remove", path)
}

/// Removes everything inside a folder; symbolic links are removed, not
/// followed. After a crash some of it may be left.
///
/// # Errors
/// The first entry that cannot be removed.
pub fn empty_folder(folder: &Path) -> Result<(), FileError> {
    for entry in fs::read_dir(folder).named("list", folder)? {
        let entry = entry.named("list", folder)?;
        let path = entry.path();
        step().named("remove", &path)?;
        if entry.file_type().named("remove", &path)?.is_dir() {
            fs::remove_dir_all(&path).named("remove", &path)?;
        } else {
            fs::remove_file(&path).named("remove", &path)?;
        }
    }
    Ok(())
}

/// Opens a regular file for reading; symbolic links, folders, pipes and
/// devices are refused.
///
/// # Errors
/// When it is missing or not a regular file.
pub fn open_regular(path: &Path) -> Result<File, FileError> {
    require_regular(path, "read")?;
    File::open(path).named("read", path)
}

/// Reads a whole regular file of at most `max` bytes.
///
/// # Errors
/// As [`open_regular`], and when the file is larger.
pub fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    read_at_most(open_regular(path)?, max, path)
}

/// Everything that `reader` yields, if that is at most `max` bytes; `path` is
/// for the error.
///
/// # Errors
/// The reader's, and when there is more.
pub fn read_at_most(reader: impl Read, max: u64, path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let mut reader = reader.take(max.saturating_add(1));
    reader.read_to_end(&mut bytes).named("read", path)?;
    if bytes.len() as u64 > max {
        let source = io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than the {max} bytes allowed"),
        );
        return Err(FileError { path: path.to_owned(), doing: "read", source });
    }
    Ok(bytes)
}

/// A folder's entries, sorted by name. Symbolic links are listed as such.
///
/// # Errors
/// When it is missing or not a folder.
pub fn list(folder: &Path) -> Result<Vec<fs::DirEntry>, FileError> {
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .named("list", folder)?;
    entries.sort_by_cached_key(fs::DirEntry::file_name);
    Ok(entries)
}

/// Bytes free for the user on the file system that holds `path`; none where
/// the system does not tell.
///
/// # Errors
/// When the path is not there.
pub fn free_space(path: &Path) -> Result<Option<u64>, FileError> {
    #[cfg(unix)]
    {
        let told = rustix::fs::statvfs(path).map_err(io::Error::from);
        let told = told.named("ask for the free space at", path)?;
        Ok(Some(told.f_bavail.saturating_mul(told.f_frsize)))
    }
    #[cfg(not(unix))]
    {
        fs::metadata(path).named("ask for the free space at", path)?;
        Ok(None)
    }
}

/// An exclusive lock on a file. It lasts until the value is dropped or the
/// process ends, however it ends; the file stays.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
    before: Vec<u8>,
}

/// What came of trying to take a lock.
#[derive(Debug)]
pub enum Lock {
    /// It is ours.
    Taken(LockFile),
    /// Another process has it; what it wrote into the file, as far as that can
    /// be read.
    Held(Vec<u8>),
}

/// Most bytes read from a lock file.
const LOCK_MAX: u64 = 4096;

impl Drop for LockFile {
    fn drop(&mut self) {
        // Closing would unlock too, but not while a process forked a moment
        // ago still shares the open file. Nothing is lost if it fails.
        let _ = self.file.unlock();
    }
}

impl LockFile {
    /// Tries to take the lock at `path`, creating the file if missing; never
    /// waits.
    ///
    /// # Errors
    /// When the file cannot be opened or the file system knows no locks.
    pub fn try_take(path: &Path) -> Result<Lock, FileError> {
        if fs::symlink_metadata(path).is_ok() {
            require_regular(path, "lock")?;
        }
        step().named("lock", path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        restrict(&mut options, Access::Private);
        let file = options.open(path).named("lock", path)?;
        let held = match file.try_lock() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(source)) => return Err(source).named("lock", path),
        };
        let mut before = Vec::new();
        let read = (&file).take(LOCK_MAX).read_to_end(&mut before);
        if held {
            // Where locks are mandatory the holder's note cannot be read.
            return Ok(Lock::Held(if read.is_ok() { before } else { Vec::new() }));
        }
        read.named("read", path)?;
        Ok(Lock::Taken(Self { file, path: path.to_owned(), before }))
    }

    /// What the file held when the lock was taken.
    pub fn before(&self) -> &[u8] {
        &self.before
    }

    /// Replaces what the file says, and syncs it. After a crash it may hold a
    /// mixture of old and new; it is empty only if `bytes` is, or it was.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        use std::io::Seek;
        step().named("write", &self.path)?;
        self.file.rewind().named("write", &self.path)?;
        if !bytes.is_empty() {
            write_steps(&mut self.file, bytes).named("write", &self.path)?;
        }
        self.file.set_len(bytes.len() as u64).named("write", &self.path)?;
        sync_file(&self.file).named("sync", &self.path)
    }
}

/// Changes what a small file says that several processes share, creating it if
/// missing: `change` is given what it held and returns what it is to hold, or
/// none to leave it. Tells whether it could: not while another process is at it;
/// never waits. Nothing is synced: after a crash the file may hold anything.
///
/// # Errors
/// When it cannot be opened, locked, read or written, or has more than `max`
/// bytes.
pub fn update_shared(
    path: &Path,
    max: u64,
    change: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Result<bool, FileError> {
    use std::io::Seek;
    if fs::symlink_metadata(path).is_ok() {
        require_regular(path, "open")?;
    }
    step().named("open", path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(path).named("open", path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(source)) => return Err(source).named("lock", path),
    }
    let changed = read_at_most(&mut file, max, path).and_then(|before| {
        let Some(bytes) = change(&before) else { return Ok(true) };
        file.rewind().named("write", path)?;
        write_steps(&mut file, &bytes).named("write", path)?;
        file.set_len(bytes.len() as u64).named("write", path)?;
        Ok(true)
    });
    // As in `LockFile`: a process forked meanwhile may share the open file.
    let _ = file.unlock();
    changed
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn require_regular(path: &Path, doing: &'static str) -> Result<(), FileError> {
    let kind = fs::symlink_metadata(path).named(doing, path)?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_symlink() { "a symbolic link" } else { "not a regular file" };
    Err(io::Error::other(format!("it is {what}"))).named(doing, path)
}

fn restrict(options: &mut OpenOptions, access: Access) {
    #[cfg(unix)]
    if access == Access::Private {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = (options, access);
}

fn sync_file(file: &File) -> io::Result<()> {
    step()?;
    #[cfg(test)]
    if fault::armed() {
        return Ok(()); // a simulated crash keeps what was written
    }
    file.sync_all()
}

/// Makes what was created and removed in a folder survive a loss of power.
///
/// # Errors
/// When it cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    step().named("sync", folder)?;
    #[cfg(test)]
    if fault::armed() {
        return Ok(());
    }
    #[cfg(unix)]
    match File::open(folder).and_then(|opened| opened.sync_all()) {
        // Some network file systems cannot sync folders at all.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
        synced => synced.named("sync", folder)?,
    }
    Ok(())
}

/// Passes, except in tests that simulate a crash before the next operation.
fn step() -> io::Result<()> {
    #[cfg(test)]
    fault::step()?;
    Ok(())
}

fn write_steps(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    #[cfg(test)]
    if let Err(error) = fault::step() {
        file.write_all(&bytes[..fault::torn(bytes.len())])?;
        return Err(error);
    }
    file.write_all(bytes)
}

#[cfg(test)]
pub(crate) mod fault;
#[cfg(test)]
mod tests;
mod texts;

pub use texts::{Bounds, read_texts};
