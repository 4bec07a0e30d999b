//! The index: which runs there are and how they ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::chain::{self, ChainWriter, Head, LineError};
use super::error::EvidenceError;
use super::event::{RunId, RunState, UNASSIGNED};
use super::format::{IndexEvent, Layout};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::project::Environment;

/// What the index says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedRun {
    /// `ncts5-final`.
    pub programme: String,
    /// `DSGB1`.
    pub scenario: String,
    /// Where its messages go.
    pub environment: Environment,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Its scenario was said after it had begun.
    pub assigned: bool,
    /// Hash of its journal's first line.
    pub first: Digest,
    /// How it ended.
    pub closed: Option<ClosedRun>,
    /// Why its journal is no longer there, where it was removed.
    pub removed: Option<String>,
}

/// A seal, as the index names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedSeal {
    /// SHA-256 of its file.
    pub sha256: Digest,
    /// The key that signed it.
    pub key: Digest,
    /// SHA-256 of the time stamp over it, where there is one.
    pub time_stamp: Option<Digest>,
    /// Number of the index line that names it.
    pub line: u64,
}

/// A key that signs, as the index introduces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedKey {
    /// The Ed25519 public key, Base64.
    pub public: String,
    /// The key it takes over from.
    pub replaces: Option<Digest>,
    /// That key's signature over the takeover, Base64.
    pub endorsement: Option<String>,
}

/// How the index says a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedRun {
    /// The end state.
    pub state: RunState,
    /// Lines in its journal.
    pub lines: u64,
    /// Hash of its journal's last line.
    pub head: Digest,
}

/// The index, read.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The store's id, from the first line.
    pub store: Option<Uuid>,
    /// SHA-256 of `store.json`, from the first line.
    pub store_json: Option<Digest>,
    /// Runs by id.
    pub runs: BTreeMap<RunId, IndexedRun>,
    /// The last cut of each file: its length after it, and the bytes cut.
    pub cuts: BTreeMap<String, (u64, u64)>,
    /// Seals by number.
    pub seals: BTreeMap<u64, IndexedSeal>,
    /// Keys that sign, by fingerprint.
    pub keys: BTreeMap<Digest, IndexedKey>,
    /// Number of the last line that says more than that a seal or a time stamp
    /// is there.
    pub news: u64,
    /// For each run that was closed: the earliest that our clock said in its
    /// closing line and those after it.
    pub ended_by: BTreeMap<RunId, DateTime<Utc>>,
}

impl Index {
    /// Takes in the event of line `seq`.
    ///
    /// # Errors
    /// When it cannot stand there; nothing is taken in then.
    pub fn apply(&mut self, seq: u64, event: IndexEvent) -> Result<(), LineError> {
        self.check(seq, &event)?;
        if !matches!(event, IndexEvent::Sealed { .. } | IndexEvent::TimeStamped { .. }) {
            self.news = seq;
        }
        match event {
            IndexEvent::StoreCreated { store, store_json } => {
                (self.store, self.store_json) = (Some(store), Some(store_json));
            }
            IndexEvent::RunOpened { run, programme, scenario, environment, attempt, first } => {
                let opened = IndexedRun {
                    programme,
                    scenario,
                    environment,
                    attempt,
                    assigned: false,
                    first,
                    closed: None,
                    removed: None,
                };
                self.runs.insert(run, opened);
            }
            IndexEvent::RunAssigned { run, programme, scenario, attempt } => {
                if let Some(known) = self.runs.get_mut(&run) {
                    (known.programme, known.scenario) = (programme, scenario);
                    (known.attempt, known.assigned) = (attempt, true);
                }
            }
            IndexEvent::RunClosed { run, state, lines, head } => {
                if let Some(opened) = self.runs.get_mut(&run) {
                    opened.closed = Some(ClosedRun { state, lines, head });
                }
            }
            IndexEvent::Repaired { file, length, cut_bytes } => {
                self.cuts.insert(file, (length, cut_bytes));
            }
            IndexEvent::ObjectsRemoved { .. } => {}
            IndexEvent::RunRemoved { run, reason } => {
                if let Some(known) = self.runs.get_mut(&run) {
                    known.removed = Some(reason);
                }
            }
            IndexEvent::KeyAdded { key, public, replaces, endorsement } => {
                self.keys.insert(key, IndexedKey { public, replaces, endorsement });
            }
            IndexEvent::Sealed { seal, sha256, key } => {
                self.seals.insert(seal, IndexedSeal { sha256, key, time_stamp: None, line: seq });
            }
            IndexEvent::TimeStamped { seal, sha256 } => {
                if let Some(known) = self.seals.get_mut(&seal) {
                    known.time_stamp = Some(sha256);
                }
            }
        }
        Ok(())
    }

    /// Whether an event can stand in line `seq`.
    fn check(&self, seq: u64, event: &IndexEvent) -> Result<(), LineError> {
        let known = |run| self.runs.get(run);
        let wrong = match event {
            IndexEvent::StoreCreated { .. } if seq != 0 => "a store is created in the first line",
            IndexEvent::StoreCreated { .. } => return Ok(()),
            _ if seq == 0 => "the first line must be `store-created`",
            IndexEvent::RunOpened { run, .. } if known(run).is_some() => {
                "it opens a run that was opened before"
            }
            IndexEvent::RunAssigned { run, .. }
                if known(run).is_none_or(|it| it.closed.is_some() || it.scenario != UNASSIGNED) =>
            {
                "it gives a scenario to a run that does not wait for one"
            }
            IndexEvent::RunClosed { run, .. } if known(run).is_none() => {
                "it closes a run that was not opened"
            }
            IndexEvent::RunClosed { run, .. } if known(run).is_some_and(|r| r.closed.is_some()) => {
                "it closes a run that was closed before"
            }
            IndexEvent::RunRemoved { run, .. } if known(run).is_none_or(|r| r.closed.is_none()) => {
                "it removes a run that was not closed"
            }
            IndexEvent::RunRemoved { run, .. }
                if known(run).is_some_and(|r| r.removed.is_some()) =>
            {
                "it removes a run that was removed before"
            }
            IndexEvent::KeyAdded { key, .. } if self.keys.contains_key(key) => {
                "it adds a key that was added before"
            }
            IndexEvent::Sealed { seal, .. } if *seal != self.seals.len() as u64 + 1 => {
                "it names a seal out of turn"
            }
            IndexEvent::Sealed { key, .. } if !self.keys.contains_key(key) => {
                "it names a seal by a key that was not added"
            }
            IndexEvent::TimeStamped { seal, .. } => match self.seals.get(seal) {
                None => "it stamps a seal that is not there",
                Some(known) if known.time_stamp.is_some() => "it stamps a seal a second time",
                Some(_) => return Ok(()),
            },
            _ => return Ok(()),
        };
        Err(LineError::Misplaced(wrong))
    }

    /// The newest seal with its number.
    pub fn newest_seal(&self) -> Option<(u64, &IndexedSeal)> {
        self.seals.last_key_value().map(|(number, seal)| (*number, seal))
    }

    /// The seal that a file with this digest is.
    pub fn seal_of(&self, sha256: Digest) -> Option<(u64, &IndexedSeal)> {
        let mut seals = self.seals.iter().map(|(number, seal)| (*number, seal));
        seals.find(|(_, seal)| seal.sha256 == sha256)
    }

    /// Reads the index of a store.
    ///
    /// # Errors
    /// The first line that is wrong; a file that is missing or has no line.
    pub fn read(layout: &Layout) -> Result<(Self, chain::End), EvidenceError> {
        let mut index = Index::default();
        let path = layout.index();
        let mut lines = Vec::new();
        let end = chain::read_chain(&path, |line| {
            let event = line.event::<IndexEvent>()?;
            let closed = match &event {
                IndexEvent::RunClosed { run, .. } => Some(*run),
                _ => None,
            };
            lines.push((line.at, closed));
            index.apply(line.seq, event)
        })?;
        let mut earliest = DateTime::<Utc>::MAX_UTC;
        for (at, closed) in lines.into_iter().rev() {
            earliest = earliest.min(at);
            index.ended_by.extend(closed.map(|run| (run, earliest)));
        }
        if end.head.lines == 0 {
            return Err(EvidenceError::Contents { path, message: "it has no line".into() });
        }
        Ok((index, end))
    }
}

/// The index of a store that is being written.
pub(super) struct IndexWriter {
    /// What it says so far.
    pub(super) index: Index,
    chain: ChainWriter,
    clock: Arc<dyn Clock>,
}

impl IndexWriter {
    pub(super) fn new(index: Index, chain: ChainWriter, clock: Arc<dyn Clock>) -> Self {
        Self { index, chain, clock }
    }

    /// The end of its chain, and the bytes up to there.
    pub(super) fn end(&self) -> (Head, u64) {
        (self.chain.head(), self.chain.bytes())
    }

    /// Appends a line; once this has returned, it survives a crash.
    pub(super) fn record(
        &mut self,
        layout: &Layout,
        event: IndexEvent,
    ) -> Result<(), EvidenceError> {
        let head = self.chain.head();
        let named =
            |source| EvidenceError::Line { path: layout.index(), line: head.lines + 1, source };
        let (text, line) =
            head.compose(self.clock.now(), self.clock.mono_ns(), &event).map_err(named)?;
        self.index.check(line.seq, &event).map_err(named)?;
        self.chain.append(&text, &line)?;
        self.chain.sync()?;
        self.index.apply(line.seq, event).map_err(named)
    }
}
