//! Making a bundle. Every file is read twice, first for its digest, which the
//! statement names, then into the zip; never more than a piece of it is in
//! memory. Nothing but the files decides the bytes: no clock, no order of a
//! folder, no machine.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;

use super::judged::Judged;
use super::names::{MAX_FILES, is_folder, limit_in_store, limit_of};
use super::statement::{BundleStatement, Origin};
use super::zip::{self, Member};
use super::{KEY, Mark, PAGE, README, SIGNED, STORE, UNSIGNED, VERDICT, annex, checklist};
use crate::digest::{Digest, Hasher};
use crate::evidence::error::EvidenceError;
use crate::evidence::format::{MAX_DESCRIPTION, MAX_SEAL, STORE_JSON};
use crate::evidence::seal::dsse;
use crate::evidence::seal::keys::KeyRing;
use crate::evidence::seal::statement::PAYLOAD_TYPE;
use crate::evidence::store::parse_description;
use crate::evidence::tree::{EntryKind, Folder, Tree};
use crate::files::FileError;

/// Bytes read at a time.
const PIECE: usize = 64 << 10;

/// A bundle that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store cannot be read.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The bundle cannot be written: disk full, say.
    #[error("the bundle cannot be written: {0}")]
    Write(io::Error),
    /// Something wrote to the store meanwhile.
    #[error("`{0}` changed while it was being packed")]
    Changed(String),
    /// A file larger than a reader takes.
    #[error("`{name}` has {bytes} bytes, and a bundle takes at most {max}")]
    TooLarge {
        /// The file.
        name: String,
        /// Its size.
        bytes: u64,
        /// The largest.
        max: u64,
    },
    /// More files than a reader takes.
    #[error("the store has {0} files, and a bundle takes at most {MAX_FILES}")]
    TooMany(u64),
    /// Only what is no submission may go without a signature.
    #[error("a bundle without a mark must be signed")]
    Unsigned,
    /// The verdict is not the JSON that `gate` gives.
    #[error("the verdict cannot be read: {0}")]
    Verdict(String),
}

/// The files of a bundle that ctc-ready makes.
#[derive(Clone, Debug)]
pub struct Papers {
    /// What this is, how to look and how to check.
    pub readme: String,
    /// The evidence for people.
    pub page: String,
    /// `gate --format json`.
    pub verdict: String,
    /// The form.
    pub checklist: Vec<u8>,
    /// Its annex, where there is one.
    pub annex: Option<Vec<u8>>,
}

/// What a written bundle came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// SHA-256 of the whole file.
    pub sha256: Digest,
    /// Its size.
    pub bytes: u64,
}

/// A bundle that is ready to be looked through and written.
pub struct Plan {
    store: Folder,
    files: BTreeMap<String, Planned>,
}

struct Planned {
    source: Source,
    digest: Digest,
    size: u32,
    crc: u32,
}

enum Source {
    /// Made by ctc-ready.
    Made(Vec<u8>),
    /// The file of this name in the store.
    Stored(String),
}

impl Plan {
    /// Reads through the store and states what is in the bundle. The caller
    /// holds the store's lock, so that nothing is written meanwhile.
    ///
    /// # Errors
    /// When a file cannot be read or is larger than any reader takes; when
    /// there is neither key nor mark.
    pub fn new(
        store: &Path,
        papers: Papers,
        mark: Option<Mark>,
        keys: Option<&KeyRing>,
        tool: &str,
    ) -> Result<Self, BundleError> {
        if keys.is_none() && mark.is_none() {
            return Err(BundleError::Unsigned);
        }
        let judged = Judged::parse(papers.verdict.as_bytes()).map_err(BundleError::Verdict)?;
        let mut plan = Self { store: Folder::new(store), files: BTreeMap::new() };
        plan.add_stored("", 0)?;
        plan.add_made(README, papers.readme.into())?;
        plan.add_made(PAGE, papers.page.into())?;
        plan.add_made(VERDICT, papers.verdict.into())?;
        plan.add_made(checklist(mark), papers.checklist)?;
        if let Some(bytes) = papers.annex {
            plan.add_made(annex(mark), bytes)?;
        }
        if let Some(mark) = mark {
            plan.add_made(mark.file(), mark.text().into())?;
        }
        if let Some(keys) = keys {
            plan.add_made(KEY, keys.public().to_pem().into())?;
        }
        let description = plan.store.read(STORE_JSON, MAX_DESCRIPTION)?;
        let description = parse_description(&description, &plan.store.path(STORE_JSON))?;
        let origin = Origin { mark, store: description.store, tool: tool.to_owned() };
        let files = plan.files.iter().map(|(name, planned)| (name.as_str(), planned.digest));
        let payload = BundleStatement::new(files, &judged, origin).payload();
        match keys {
            Some(keys) => {
                let envelope = dsse::sign(keys, PAYLOAD_TYPE, payload.as_bytes());
                plan.add_made(SIGNED, envelope.into())?;
            }
            None => plan.add_made(UNSIGNED, (payload + "\n").into())?,
        }
        Ok(plan)
    }

    /// Names and sizes of the files, in the order in which they are written.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.files.iter().map(|(name, planned)| (name.as_str(), u64::from(planned.size)))
    }

    /// Opens one of the files, as it will be in the bundle.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(&self, name: &str) -> Result<Box<dyn Read + '_>, FileError> {
        match self.files.get(name).map(|planned| &planned.source) {
            Some(Source::Made(bytes)) => Ok(Box::new(bytes.as_slice())),
            Some(Source::Stored(file)) => self.store.open(file),
            None => Ok(Box::new(io::empty())),
        }
    }

    /// Writes the bundle.
    ///
    /// # Errors
    /// When a file is another than it was, or `out` takes no more.
    pub fn write(&self, out: &mut dyn Write) -> Result<Written, BundleError> {
        let mut out = Counted { out, hasher: Hasher::default(), bytes: 0 };
        let mut directory = Vec::new();
        for (name, planned) in &self.files {
            let Planned { digest, size, crc, .. } = *planned;
            let member = Member { name: name.clone(), size, crc, offset: out.bytes };
            out.put(&zip::local_header(&member)).map_err(BundleError::Write)?;
            let copied = measure(self.open(name)?, u64::from(size), &self.path(name), |piece| {
                out.put(piece).map_err(BundleError::Write)
            })?;
            if copied != (digest, u64::from(size), crc) {
                return Err(BundleError::Changed(name.clone()));
            }
            directory.extend(zip::record(&member));
        }
        let (offset, size) = (out.bytes, directory.len() as u64);
        out.put(&directory).map_err(BundleError::Write)?;
        let end = zip::end(self.files.len() as u64, offset, size);
        out.put(&end).map_err(BundleError::Write)?;
        let before = out.hasher.so_far();
        out.put(&zip::tail(before)).map_err(BundleError::Write)?;
        out.out.flush().map_err(BundleError::Write)?;
        Ok(Written { sha256: out.hasher.so_far(), bytes: out.bytes })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        match self.files.get(name).map(|planned| &planned.source) {
            Some(Source::Stored(file)) => self.store.path(file),
            _ => name.into(),
        }
    }

    /// Adds what is evidence in a folder of the store; lock, salt, half-made
    /// files, and whatever else lies there, stay where they are.
    fn add_stored(&mut self, folder: &str, depth: u32) -> Result<(), BundleError> {
        let entries = match self.store.list(folder) {
            Err(error) if depth > 0 && error.is_not_found() => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let name = match folder {
                "" => entry.name,
                folder => format!("{folder}/{}", entry.name),
            };
            match entry.kind {
                EntryKind::Folder if is_folder(&format!("{STORE}/{name}")) => {
                    self.add_stored(&name, depth + 1)?;
                }
                EntryKind::File => {
                    if let Some(max) = limit_in_store(&name) {
                        let path = self.store.path(&name);
                        let measured = measure(self.store.open(&name)?, max, &path, |_| Ok(()))?;
                        let inside = format!("{STORE}/{name}");
                        self.add(inside, Source::Stored(name), measured, max)?;
                    }
                }
                EntryKind::Folder | EntryKind::Other => {}
            }
        }
        Ok(())
    }

    fn add_made(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), BundleError> {
        let max = limit_of(name).unwrap_or(0);
        let measured = measure(bytes.as_slice(), max, Path::new(name), |_| Ok(()))?;
        self.add(name.to_owned(), Source::Made(bytes), measured, max)
    }

    fn add(
        &mut self,
        name: String,
        source: Source,
        (digest, bytes, crc): Measured,
        max: u64,
    ) -> Result<(), BundleError> {
        let Some(size) = u32::try_from(bytes).ok().filter(|_| bytes <= max) else {
            return Err(BundleError::TooLarge { name, bytes, max });
        };
        self.files.insert(name, Planned { source, digest, size, crc });
        match self.files.len() as u64 {
            files if files > MAX_FILES => Err(BundleError::TooMany(files)),
            _ => Ok(()),
        }
    }
}

/// Digest, length and CRC-32.
type Measured = (Digest, u64, u32);

/// Reads everything, up to a little more than `max` bytes, and hands each piece
/// on. `path` is for errors.
fn measure(
    mut reader: impl Read,
    max: u64,
    path: &Path,
    mut each: impl FnMut(&[u8]) -> Result<(), BundleError>,
) -> Result<Measured, BundleError> {
    let (mut hasher, mut crc, mut bytes) = (Hasher::default(), crc32fast::Hasher::new(), 0);
    let mut buffer = vec![0; PIECE];
    while bytes <= max {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(FileError { path: path.to_owned(), doing: "read", source }.into());
            }
        };
        let piece = buffer.get(..read).unwrap_or_default();
        hasher.update(piece);
        crc.update(piece);
        bytes += read as u64;
        each(piece)?;
    }
    Ok((hasher.so_far(), bytes, crc.finalize()))
}

/// What was written so far.
struct Counted<'a> {
    out: &'a mut dyn Write,
    hasher: Hasher,
    bytes: u64,
}

impl Counted<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

// A statement that can list every file fits into what a reader takes.
const _: () = assert!(MAX_FILES * 185 * 4 / 3 < MAX_SEAL);

#[cfg(test)]
mod tests {
    use super::super::read::Bundle;
    use super::*;

    #[test]
    fn more_files_than_a_plain_zip_can_count_are_read_back_by_others_too() {
        let mut plan = Plan { store: Folder::new(Path::new("nowhere")), files: BTreeMap::new() };
        for number in 0..66_000_u32 {
            let bytes = number.to_le_bytes().to_vec();
            let name = Digest::of(&bytes).to_string();
            let name = format!("{STORE}/objects/{}/{}", &name[..2], &name[2..]);
            plan.add_made(&name, bytes).unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let written = plan.write(&mut io::BufWriter::new(file.as_file())).unwrap();
        assert_eq!(written.bytes, file.as_file().metadata().unwrap().len());
        let opened = Bundle::open(file.path()).unwrap();
        assert_eq!(opened.problems, []);
        let bundle = opened.bundle.unwrap();
        assert_eq!(bundle.sha256(), written.sha256);
        assert_eq!(bundle.list("").unwrap().len(), 1);
        assert_eq!(bundle.list("evidence/objects").unwrap().len(), 256);
        let last = plan.files().last().unwrap().0;
        assert_eq!(bundle.read(last, 4).unwrap(), plan.files[last].made());
        assert!(bundle.read(last, 3).is_err());

        let mut other = ::zip::ZipArchive::new(file.as_file()).unwrap();
        assert_eq!(other.len(), 66_000);
        let mut bytes = Vec::new();
        other.by_name(last).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, plan.files[last].made());
    }

    impl Planned {
        fn made(&self) -> &[u8] {
            match &self.source {
                Source::Made(bytes) => bytes,
                Source::Stored(_) => panic!("it is stored"),
            }
        }
    }

    #[test]
    fn a_file_larger_than_readers_take_is_refused() {
        let mut plan = Plan { store: Folder::new(Path::new("nowhere")), files: BTreeMap::new() };
        let max = limit_of(README).unwrap();
        plan.add_made(README, vec![b' '; max as usize]).unwrap();
        let error = plan.add_made(README, vec![b' '; max as usize + 1]).unwrap_err();
        assert!(matches!(error, BundleError::TooLarge { .. }), "{error}");
    }
}
