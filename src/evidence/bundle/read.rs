//! Opening a bundle that anybody may have made. What its directory says is laid
//! out again and compared with what is there, byte for byte: gaps, overlaps,
//! links, folders, second entries, encryption, compression, extra fields, sizes
//! that lie and bytes at either end all show as a difference, and no name or
//! number is used before it passed. Nothing is ever written to disk.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::names::{MAX_FILES, MAX_NAME, limit_of};
use super::zip::{self, Member};
use crate::digest::{Digest, Hasher};
use crate::evidence::tree::{Entry, EntryKind, Tree};
use crate::evidence::verify::{Problem, add_problem};
use crate::files::{self, FileError};

/// Bytes read at a time.
const PIECE: usize = 64 << 10;

/// A zip whose every byte is accounted for.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    file: Mutex<File>,
    /// By name, in byte order.
    files: Vec<Inside>,
    sha256: Digest,
}

/// A file in it.
#[derive(Debug)]
struct Inside {
    name: String,
    start: u64,
    size: u64,
    digest: Digest,
}

/// What came of opening a bundle.
#[derive(Debug)]
pub struct Opened {
    /// What lies in it; none when its form is wrong, so that nothing in it can
    /// be told apart.
    pub bundle: Option<Bundle>,
    /// What is wrong with the zip. Places are names of files in it, or `""`.
    pub problems: Vec<Problem>,
}

/// Whether a file is a bundle, or was one before someone changed it: it begins
/// like one, or ends like one.
///
/// # Errors
/// When it cannot be read.
pub fn is_bundle_file(path: &Path) -> Result<bool, FileError> {
    let file = files::open_regular(path)?;
    let named = |source| FileError { path: path.to_owned(), doing: "read", source };
    let mut head = Vec::new();
    (&file).take((zip::LOCAL + MAX_NAME) as u64).read_to_end(&mut head).map_err(named)?;
    let length = u16::from_le_bytes(
        head.get(26..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default(),
    );
    let name = head.get(zip::LOCAL..zip::LOCAL + usize::from(length));
    let name = name.and_then(|name| std::str::from_utf8(name).ok());
    if head.starts_with(&zip::LOCAL_SIGNATURE)
        && name.is_some_and(|name| limit_of(name).is_some() || name.starts_with("evidence/"))
    {
        return Ok(true);
    }
    let size = file.metadata().map_err(named)?.len();
    let Some(start) = size.checked_sub(zip::TAIL as u64) else { return Ok(false) };
    let mut tail = Vec::new();
    (&file).seek(SeekFrom::Start(start)).map_err(named)?;
    (&file).take(zip::TAIL as u64).read_to_end(&mut tail).map_err(named)?;
    Ok(zip::read_tail(&tail).is_some())
}

impl Bundle {
    /// Opens a bundle and reads all of it once.
    ///
    /// # Errors
    /// When the file cannot be read. Whatever else is wrong is told.
    pub fn open(path: &Path) -> Result<Opened, FileError> {
        let named = |source| FileError { path: path.to_owned(), doing: "read", source };
        let file = files::open_regular(path)?;
        let directory = match Directory::read(&file).map_err(named)? {
            Ok(directory) => directory,
            Err((place, message)) => {
                let mut problems = Vec::new();
                add_problem(&mut problems, "bundle-form", place, message);
                return Ok(Opened { bundle: None, problems });
            }
        };
        let mut problems = Vec::new();
        let (files, sha256) = directory.read_through(&file, &mut problems).map_err(named)?;
        let bundle = Self { path: path.to_owned(), file: Mutex::new(file), files, sha256 };
        Ok(Opened { bundle: Some(bundle), problems })
    }

    /// SHA-256 of the whole file.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }

    fn find(&self, name: &str) -> Result<&Inside, FileError> {
        let found = self.files.binary_search_by(|file| file.name.as_str().cmp(name));
        found.ok().and_then(|at| self.files.get(at)).ok_or_else(|| FileError {
            path: self.path(name),
            doing: "read",
            source: io::Error::new(io::ErrorKind::NotFound, "it is not in the bundle"),
        })
    }
}

impl Tree for Bundle {
    fn list(&self, folder: &str) -> Result<Vec<Entry>, FileError> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let first = self.files.partition_point(|file| file.name.as_str() < prefix.as_str());
        let inside = self.files.get(first..).unwrap_or_default().iter();
        let inside = inside.map_while(|file| file.name.strip_prefix(prefix.as_str()));
        let mut entries: Vec<Entry> = Vec::new();
        for rest in inside {
            let (name, kind) = match rest.split_once('/') {
                Some((name, _)) => (name, EntryKind::Folder),
                None => (rest, EntryKind::File),
            };
            // What lies in one folder stands together.
            if entries.last().is_none_or(|last| last.name != name) {
                entries.push(Entry { name: name.to_owned(), kind });
            }
        }
        if entries.is_empty() && !folder.is_empty() {
            self.find(folder)?;
        }
        Ok(entries)
    }

    fn open(&self, file: &str) -> Result<Box<dyn Read + '_>, FileError> {
        let inside = self.find(file)?;
        let part = Part { file: &self.file, at: inside.start, left: inside.size };
        Ok(Box::new(BufReader::with_capacity(PIECE, part)))
    }

    fn path(&self, name: &str) -> PathBuf {
        format!("{}!{name}", self.path.display()).into()
    }

    fn digest(&self, file: &str) -> Result<(Digest, u64), FileError> {
        self.find(file).map(|inside| (inside.digest, inside.size))
    }
}

/// A stretch of the zip.
struct Part<'a> {
    file: &'a Mutex<File>,
    at: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted).filter(|part| !part.is_empty()) else {
            return Ok(0);
        };
        // A panic elsewhere leaves the file as good as it was.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// What is wrong with the form: the file's name or nothing, and words.
type Wrong = (String, String);

/// A directory that passed.
struct Directory {
    members: Vec<Member>,
    /// Its bytes and those of the end, up to the comment's length.
    bytes: Vec<u8>,
    /// The digest in the comment.
    digest: Digest,
}

impl Directory {
    /// Reads the directory from the file's end, and checks that it is the one
    /// form in which these files are a zip.
    fn read(mut file: &File) -> io::Result<Result<Self, Wrong>> {
        let wrong = |message: &str| Ok(Err((String::new(), message.to_owned())));
        let size = file.metadata()?.len();
        let most = (zip::END64 + zip::END + zip::TAIL) as u64;
        let start = size.saturating_sub(most);
        let mut last = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(most).read_to_end(&mut last)?;
        let split = last.len().checked_sub(zip::TAIL).and_then(|at| last.split_at_checked(at));
        let Some((before, tail)) = split else {
            return wrong("the file is too short for a bundle");
        };
        let Some((digest, end)) = zip::read_tail(tail).zip(zip::read_end(before)) else {
            return wrong(
                "it does not end as a bundle does: it was cut off, added to, or packed anew by \
                 another program (unpack it then, and verify the folder)",
            );
        };
        let place = end.offset.checked_add(end.size).and_then(|at| at.checked_add(end.length));
        if place.and_then(|at| at.checked_add(zip::TAIL as u64)) != Some(size) {
            return wrong("its directory does not lie where its end says, or something follows it");
        }
        let record = (zip::RECORD + MAX_NAME + 12) as u64;
        if end.files > MAX_FILES || end.size > end.files * record {
            return wrong("its directory is larger than that of any bundle");
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(end.offset))?;
        file.take(end.size + end.length).read_to_end(&mut bytes)?;
        let length = usize::try_from(end.size).unwrap_or(usize::MAX);
        let Some((records, after)) = bytes.split_at_checked(length) else {
            return wrong("it changed while it was being read");
        };
        if after != zip::end(end.files, end.offset, end.size) {
            return wrong("its end says something that none of a bundle does");
        }
        let members = match members(records) {
            Ok(members) => members,
            Err(wrong) => return Ok(Err(wrong)),
        };
        if members.len() as u64 != end.files {
            return wrong("its end and its directory name different numbers of files");
        }
        if members.last().map_or(0, Member::end) != end.offset {
            return wrong("its files do not fill the space before the directory");
        }
        Ok(Ok(Self { members, bytes, digest }))
    }

    /// Reads everything from the first byte to the last: the header of each
    /// file against the directory, its CRC, its digest, and the digest in the
    /// comment.
    fn read_through(
        self,
        mut file: &File,
        problems: &mut Vec<Problem>,
    ) -> io::Result<(Vec<Inside>, Digest)> {
        file.rewind()?;
        let mut reader = BufReader::with_capacity(PIECE, file);
        let mut whole = Hasher::default();
        let mut buffer = vec![0; PIECE];
        let mut inside = Vec::with_capacity(self.members.len());
        for member in self.members {
            let expected = zip::local_header(&member);
            let mut found = vec![0; expected.len()];
            reader.read_exact(&mut found)?;
            whole.update(&found);
            if let Some(message) = zip::difference(&found, &expected, zip::LOCAL_FIELDS) {
                let message = format!("before its bytes, {message}");
                add_problem(problems, "bundle-form", &member.name, message);
            }
            let (mut digest, mut crc) = (Hasher::default(), crc32fast::Hasher::new());
            let mut left = member.size as usize;
            while left > 0 {
                let wanted = left.min(buffer.len());
                let piece = buffer.get_mut(..wanted).unwrap_or_default();
                reader.read_exact(piece)?;
                whole.update(piece);
                digest.update(piece);
                crc.update(piece);
                left -= wanted;
            }
            if crc.finalize() != member.crc {
                let message = "its CRC-32 is not that of its bytes";
                add_problem(problems, "bundle-form", &member.name, message);
            }
            inside.push(Inside {
                start: member.end() - u64::from(member.size),
                size: u64::from(member.size),
                name: member.name,
                digest: digest.so_far(),
            });
        }
        whole.update(&self.bytes);
        if whole.so_far() != self.digest {
            let message = format!(
                "it was changed after it was made: what stands before its comment has the digest \
                 `{}`, the comment says `{}`",
                whole.so_far(),
                self.digest
            );
            add_problem(problems, "bundle-changed", "", message);
        }
        whole.update(&zip::tail(self.digest));
        Ok((inside, whole.so_far()))
    }
}

/// The files that a directory names, each of whose records must be the one that
/// is written for it.
fn members(mut records: &[u8]) -> Result<Vec<Member>, Wrong> {
    let mut members: Vec<Member> = Vec::new();
    while !records.is_empty() {
        let number = members.len() + 1;
        let Some((raw, rest)) = zip::read_record(records) else {
            return Err((String::new(), format!("entry {number} of its directory is damaged")));
        };
        let name = std::str::from_utf8(raw.name).unwrap_or_default();
        let Some(limit) = limit_of(name) else {
            let shown: String =
                String::from_utf8_lossy(raw.name).escape_debug().take(MAX_NAME).collect();
            let message = format!("entry {number} has the name `{shown}`, which no bundle has");
            return Err((String::new(), message));
        };
        let wrong = |message: String| Err((name.to_owned(), message));
        if u64::from(raw.size) > limit {
            return wrong(format!("it has {} bytes, and at most {limit} may be", raw.size));
        }
        let before = members.last();
        if before.is_some_and(|before| before.name.as_str() >= name) {
            return wrong("it stands there twice, or not in its place".into());
        }
        let member = Member {
            name: name.to_owned(),
            size: raw.size,
            crc: raw.crc,
            offset: before.map_or(0, Member::end),
        };
        if let Some(message) = zip::difference(raw.bytes, &zip::record(&member), zip::RECORD_FIELDS)
        {
            return wrong(format!("in the directory, {message}"));
        }
        members.push(member);
        records = rest;
    }
    Ok(members)
}
