//! Reading a store. Needs no lock: every file only grows, and a line or an
//! object is whole or not there.

use std::path::Path;

use serde::Deserialize;

use super::chain::{self, Line, LineError};
use super::error::EvidenceError;
use super::event::{Event, ObjectRef, RunId};
use super::format::{Description, FORMAT, Layout, MAX_DESCRIPTION, MAX_OBJECT, journal_name};
use super::index::{Index, IndexedRun};
use super::record::{Recorded, RunRecord};
use super::verify::Problem;
use crate::digest::Digest;
use crate::files;

/// A store as it was when opened for reading.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
    description: Description,
    index: Index,
    end: chain::End,
}

/// Whether a process writes to the store in this folder, or died doing so:
/// what a reader sees may be about to change. Takes no lock, so that it
/// disturbs nobody.
pub fn in_use(dir: &Path) -> bool {
    let lock = Layout::new(dir).lock();
    files::read_bounded(&lock, MAX_NOTE).is_ok_and(|note| !note.is_empty())
}

/// Most bytes of a lock's note, which are a few dozen.
const MAX_NOTE: u64 = 64 << 10;

impl Store {
    /// Opens the store in a folder and reads its index. Changes nothing.
    ///
    /// # Errors
    /// [`EvidenceError::NoStore`] when there is none; [`EvidenceError::NewerFormat`]
    /// when it was written by a later version; else what is wrong with
    /// `store.json` or the index, with the line.
    pub fn open(dir: &Path) -> Result<Self, EvidenceError> {
        let layout = Layout::new(dir);
        let (description, digest) = read_description(&layout)?;
        let (index, end) = Index::read(&layout)?;
        check_description(&layout, digest, &index)?;
        Ok(Self { layout, description, index, end })
    }

    /// The store's folder.
    pub fn dir(&self) -> &Path {
        self.layout.root()
    }

    /// `store.json`.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Its files.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The index, as it was.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Where the index ended.
    pub fn index_end(&self) -> chain::End {
        self.end
    }

    /// The runs in the index, by id, oldest first.
    pub fn indexed(&self) -> impl Iterator<Item = (RunId, &IndexedRun)> {
        self.index.runs.iter().map(|(run, indexed)| (*run, indexed))
    }

    /// The runs that were removed, by id, oldest first: all that is left of
    /// them is what the index says. Whoever reports on the store tells of them.
    pub fn removed(&self) -> impl Iterator<Item = (RunId, &IndexedRun)> {
        self.indexed().filter(|(_, indexed)| indexed.removed.is_some())
    }

    /// The ids of the runs that were not removed, oldest first.
    fn kept(&self) -> impl Iterator<Item = RunId> {
        self.indexed().filter(|(_, indexed)| indexed.removed.is_none()).map(|(run, _)| run)
    }

    /// Every run that was not removed, by id, oldest first.
    ///
    /// # Errors
    /// The first journal that cannot be read or makes no run.
    pub fn runs(&self) -> Result<Vec<RunRecord>, EvidenceError> {
        self.kept().map(|run| self.run(run)).collect()
    }

    /// The runs whose journals can be read, and a problem for each that cannot
    /// and was not removed.
    pub fn readable_runs(&self) -> (Vec<RunRecord>, Vec<Problem>) {
        let (mut records, mut problems) = (Vec::new(), Vec::new());
        for run in self.kept() {
            match self.run(run) {
                Ok(record) => records.push(record),
                Err(error) => problems.push(Problem {
                    rule: "unreadable-journal",
                    place: journal_name(run),
                    message: error.to_string(),
                }),
            }
        }
        (records, problems)
    }

    /// One run.
    ///
    /// # Errors
    /// When it is unknown or was removed, or its journal cannot be read or
    /// makes no run.
    pub fn run(&self, run: RunId) -> Result<RunRecord, EvidenceError> {
        let events = self.events(run)?;
        let mut record =
            RunRecord::fold(&events).map_err(|source| EvidenceError::Fold { run, source })?;
        record.clocks.indexed = self.index.ended_by.get(&run).copied();
        Ok(record)
    }

    /// The events of a run, in order. Checks the chain, and the journal
    /// against the index.
    ///
    /// # Errors
    /// When the run is unknown or was removed, or its journal cannot be read or
    /// was changed.
    pub fn events(&self, run: RunId) -> Result<Vec<Recorded>, EvidenceError> {
        let indexed = self.index.runs.get(&run).ok_or(EvidenceError::UnknownRun(run))?;
        if let Some(reason) = &indexed.removed {
            return Err(EvidenceError::RunRemoved { run, reason: reason.clone() });
        }
        read_journal(&self.layout, run, indexed).map(|(events, _)| events)
    }

    /// The stored bytes of a body, checked against its digest.
    ///
    /// # Errors
    /// When it is missing, cannot be read or was changed.
    pub fn object(&self, object: &ObjectRef) -> Result<Vec<u8>, EvidenceError> {
        let max = object.bytes.min(MAX_OBJECT);
        let bytes = files::read_bounded(&self.layout.object(object.sha256), max)?;
        let found = Digest::of(&bytes);
        if found != object.sha256 {
            return Err(EvidenceError::ObjectChanged {
                sha256: object.sha256,
                found: format!("the digest `{found}`"),
            });
        }
        Ok(bytes)
    }
}

/// Reads `store.json`; its digest too.
pub(super) fn read_description(layout: &Layout) -> Result<(Description, Digest), EvidenceError> {
    let path = layout.description();
    let bytes = match files::read_bounded(&path, MAX_DESCRIPTION) {
        Err(error) if error.is_not_found() => {
            return Err(EvidenceError::NoStore(layout.root().to_owned()));
        }
        read => read?,
    };
    Ok((parse_description(&bytes, &path)?, Digest::of(&bytes)))
}

/// Reads what `store.json` says; `path` is for errors.
pub(super) fn parse_description(bytes: &[u8], path: &Path) -> Result<Description, EvidenceError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let wrong = |error: serde_json::Error| EvidenceError::Description {
        path: path.to_owned(),
        message: error.to_string(),
    };
    // The format first: a later one may have other fields altogether.
    let Format { format } = serde_json::from_slice(bytes).map_err(wrong)?;
    if format > FORMAT {
        let dir = path.parent().unwrap_or(path).to_owned();
        return Err(EvidenceError::NewerFormat { dir, found: format, known: FORMAT });
    }
    serde_json::from_slice(bytes).map_err(wrong)
}

/// Checks `store.json` against the index's first line.
pub(super) fn check_description(
    layout: &Layout,
    found: Digest,
    index: &Index,
) -> Result<(), EvidenceError> {
    if index.store_json == Some(found) {
        return Ok(());
    }
    Err(EvidenceError::Description {
        path: layout.description(),
        message: "it is not the file that the index's first line names".into(),
    })
}

/// Reads a run's journal and checks it against what the index says of it.
pub(super) fn read_journal(
    layout: &Layout,
    run: RunId,
    indexed: &IndexedRun,
) -> Result<(Vec<Recorded>, chain::End), EvidenceError> {
    let mut events = Vec::new();
    let end = walk_journal(layout, run, indexed, |line| {
        let event: Event = line.event()?;
        events.push(Recorded { seq: line.seq, at: line.at, mono_ns: line.mono_ns, event });
        Ok(())
    })?;
    Ok((events, end))
}

/// Checks a run's journal against what the index says of it; tells where it
/// ends.
pub(super) fn check_journal(
    layout: &Layout,
    run: RunId,
    indexed: &IndexedRun,
) -> Result<chain::End, EvidenceError> {
    walk_journal(layout, run, indexed, |_| Ok(()))
}

fn walk_journal(
    layout: &Layout,
    run: RunId,
    indexed: &IndexedRun,
    mut each: impl FnMut(Line<'_>) -> Result<(), LineError>,
) -> Result<chain::End, EvidenceError> {
    let path = layout.journal(run);
    let mut first = None;
    let end = chain::read_chain(&path, |line| {
        first.get_or_insert(line.hash);
        each(line)
    })?;
    let message = if first != Some(indexed.first) {
        "its first line is not the one the index names"
    } else if indexed
        .closed
        .is_some_and(|closed| (closed.lines, closed.head) != (end.head.lines, end.head.hash))
    {
        "it does not end where the index says that the run was closed"
    } else {
        return Ok(end);
    };
    Err(EvidenceError::Contents { path, message: message.into() })
}
