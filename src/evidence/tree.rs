//! Where the checker reads from: a folder, or what lies in a bundle. Names have
//! `/` between their parts, whatever the system; links are never followed.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::files::{self, FileError};

/// What an entry of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, a pipe, a device.
    Other,
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its own name; what is not UTF-8 in it is replaced.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// Files to be read, and nothing else to be done with them.
pub trait Tree: Sync {
    /// The entries of a folder (`""`: the top one), by name; none when it is
    /// something else than a folder, which shows where it was listed itself.
    ///
    /// # Errors
    /// When it is missing or cannot be read.
    fn list(&self, folder: &str) -> Result<Vec<Entry>, FileError>;

    /// Opens a regular file.
    ///
    /// # Errors
    /// When it is missing, something else, or cannot be read.
    fn open(&self, file: &str) -> Result<Box<dyn Read + '_>, FileError>;

    /// How errors name a file.
    fn path(&self, name: &str) -> PathBuf;

    /// A file's digest and length.
    ///
    /// # Errors
    /// As [`Tree::open`].
    fn digest(&self, file: &str) -> Result<(Digest, u64), FileError> {
        let mut opened = self.open(file)?;
        Digest::of_reader(&mut opened).map_err(|source| FileError {
            path: self.path(file),
            doing: "read",
            source,
        })
    }

    /// A whole file of at most `max` bytes.
    ///
    /// # Errors
    /// As [`Tree::open`], and when it is larger.
    fn read(&self, file: &str, max: u64) -> Result<Vec<u8>, FileError> {
        files::read_at_most(self.open(file)?, max, &self.path(file))
    }
}

/// A folder on disk.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// What errors name files by stands in this.
    shown: PathBuf,
}

impl Folder {
    /// The folder that the user names, which may be a link, say to another
    /// disk. What lies in it may not.
    pub fn new(root: &Path) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        Self { shown: root.clone(), root }
    }

    /// The same, whose errors name files as they lie in it: what is told of it
    /// does not tell where it is.
    pub fn apart(root: &Path) -> Self {
        Self { shown: PathBuf::new(), ..Self::new(root) }
    }

    fn on_disk(&self, name: &str) -> PathBuf {
        match name {
            "" => self.root.clone(),
            name => self.root.join(name),
        }
    }

    fn named(&self, name: &str) -> impl Fn(FileError) -> FileError {
        let path = self.path(name);
        move |error| FileError { path: path.clone(), ..error }
    }
}

impl Tree for Folder {
    fn list(&self, folder: &str) -> Result<Vec<Entry>, FileError> {
        let path = self.on_disk(folder);
        let kind = path.symlink_metadata().map(|data| data.file_type());
        if kind.is_ok_and(|kind| !kind.is_dir()) {
            return Ok(Vec::new());
        }
        let entries = files::list(&path).map_err(self.named(folder))?;
        let entry = |entry: std::fs::DirEntry| {
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_file() => EntryKind::File,
                Ok(kind) if kind.is_dir() => EntryKind::Folder,
                _ => EntryKind::Other,
            };
            Entry { name: entry.file_name().to_string_lossy().into_owned(), kind }
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    fn open(&self, file: &str) -> Result<Box<dyn Read + '_>, FileError> {
        let opened = files::open_regular(&self.on_disk(file));
        Ok(Box::new(opened.map_err(self.named(file))?))
    }

    fn path(&self, name: &str) -> PathBuf {
        match name {
            "" => self.shown.clone(),
            name => self.shown.join(name),
        }
    }
}
