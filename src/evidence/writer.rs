//! Writing to a store: one process at a time, which holds the lock.
//!
//! Order of writes, so that nothing acknowledged is lost and a crash leaves
//! only what `repair` knows how to mend:
//!
//! - an object: whole in `tmp/`, synced, renamed into place, folder synced;
//!   only then the line that refers to it;
//! - a new run: its folder with the journal's first line in `tmp/`, synced,
//!   renamed into `runs/`; only then the index line `run-opened`;
//! - the end of a run: the journal's last line, synced; only then the index
//!   line `run-closed`;
//! - a seal: everything it covers, synced; the seal whole in `tmp/`, synced,
//!   renamed into `seals/`; only then the index line `sealed`, right after the
//!   lines it covers. Its time stamp likewise.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::{ContextV7, Timestamp, Uuid};

use super::chain::{ChainWriter, End, Head, Line, LineError};
use super::error::EvidenceError;
use super::event::{
    Assigned, Event, ObjectRef, RunClosed, RunId, RunOpened, RunResumed, RunState, UNASSIGNED,
};
use super::format::{Holder, IndexEvent, JOURNAL, Layout, MAX_OBJECT, journal_name, object_ref};
use super::index::IndexWriter;
use super::record::Recorded;
use super::redact::Redactor;
use super::repair;
use super::store::{Store, read_journal};
use crate::clock::Clock;
use crate::digest::{Digest, canonical_json};
use crate::files::{self, Access, Lock, LockFile};
use crate::project::Environment;

mod sealing;

pub use sealing::Sealed;

/// Whether an append waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives a loss of power, as does everything appended before.
    Synced,
    /// Survives the end of the process. A loss of power may take it and
    /// everything after it, never something before it.
    Buffered,
}

/// A store that this process alone may write to. Dropping it, and every
/// [`RunWriter`] it gave out, ends the session cleanly.
pub struct StoreWriter {
    inner: Arc<Inner>,
}

struct Inner {
    layout: Layout,
    clock: Arc<dyn Clock>,
    tool: String,
    session: Uuid,
    /// Knows the salt, and the secrets it was told of: no line has one.
    redactor: Arc<Redactor>,
    salt: Digest,
    index: Mutex<IndexWriter>,
    /// Runs with a [`RunWriter`].
    busy: Mutex<BTreeSet<RunId>>,
    /// Objects written by this session that no line refers to yet.
    pending: Mutex<BTreeSet<Digest>>,
    ids: Mutex<ContextV7>,
    /// A write failed: the next session must look for leftovers.
    failed: AtomicBool,
    lock: Mutex<LockFile>,
}

/// No value behind these locks is left half-changed by a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StoreWriter {
    /// Opens the store in a folder for writing: takes its lock, makes the
    /// store if there is none, and mends what a crash left (see
    /// `docs/evidence-format.md`, "Repair").
    ///
    /// `tool` is the tool's name and version, for the lock and the journals.
    ///
    /// # Errors
    /// [`EvidenceError::InUse`] when another process writes to it;
    /// [`EvidenceError::NotAStore`] when the folder holds something else; what
    /// is wrong with `store.json` or the index.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, tool: &str) -> Result<Self, EvidenceError> {
        let layout = Layout::new(dir);
        repair::refuse_foreign_folder(&layout)?;
        files::create_dir_all_durable(dir, Access::Private)?;
        let had_lock = layout.lock().symlink_metadata().is_ok();
        let mut lock = match LockFile::try_take(&layout.lock())? {
            Lock::Taken(lock) => lock,
            Lock::Held(note) => {
                let holder = describe_holder(&note);
                return Err(EvidenceError::InUse { dir: dir.to_owned(), holder });
            }
        };
        // Only a clean end leaves an empty note. Without a lock file the store
        // is new, or a copy of one in whatever state.
        let unclean = !had_lock || !lock.before().is_empty();
        let holder = Holder {
            pid: std::process::id(),
            started: super::chain::format_at(clock.now()),
            tool: tool.to_owned(),
        };
        let note = serde_json::to_value(holder).unwrap_or_default();
        lock.write((canonical_json(&note) + "\n").as_bytes())?;

        let (salt, index) = repair::prepare(&layout, &clock, tool, unclean)?;
        Ok(Self {
            inner: Arc::new(Inner {
                layout,
                clock,
                tool: tool.to_owned(),
                session: Uuid::new_v4(),
                redactor: Arc::new(Redactor::new(salt.as_bytes(), [])),
                salt,
                index: Mutex::new(index),
                busy: Mutex::default(),
                pending: Mutex::default(),
                ids: Mutex::new(ContextV7::new()),
                failed: AtomicBool::new(false),
                lock: Mutex::new(lock),
            }),
        })
    }

    /// The store's folder.
    pub fn dir(&self) -> &Path {
        self.inner.layout.root()
    }

    /// The secret salt of redaction.
    pub fn salt(&self) -> &[u8] {
        self.inner.salt.as_bytes()
    }

    /// The redactor of this store. What it is told of, or learns from a server,
    /// is in no line of a journal either.
    pub fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.inner.redactor)
    }

    /// The id of this session, for [`RunOpened::session`].
    pub fn session(&self) -> Uuid {
        self.inner.session
    }

    /// A new run id by the writer's clock; ids of one session sort in the
    /// order of these calls.
    pub fn new_run_id(&self) -> RunId {
        let now = self.inner.clock.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        let ids = locked(&self.inner.ids);
        Uuid::new_v7(Timestamp::from_unix(&*ids, seconds, now.timestamp_subsec_nanos()))
    }

    /// The number of the next attempt at a scenario, from 1.
    pub fn next_attempt(&self, programme: &str, scenario: &str) -> u32 {
        locked(&self.inner.index)
            .index
            .runs
            .values()
            .filter(|run| run.programme == programme && run.scenario == scenario)
            .map(|run| run.attempt)
            .max()
            .unwrap_or(0)
            .saturating_add(1)
    }

    /// The store for reading, as it is now.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn read(&self) -> Result<Store, EvidenceError> {
        Store::open(self.dir())
    }

    /// Opens a run. Once this has returned, the run survives a crash.
    ///
    /// # Errors
    /// When there is a run of this id, or the store cannot be written.
    pub fn open_run(&self, opened: RunOpened) -> Result<RunWriter, EvidenceError> {
        let (inner, run) = (&self.inner, opened.run);
        if opened.environment == Environment::Simulator && !opened.simulated {
            let message = "a run on the simulator must be marked as simulated";
            return Err(EvidenceError::Misplaced { run, message });
        }
        let mut index = locked(&inner.index);
        if index.index.runs.contains_key(&run) {
            return Err(EvidenceError::RunExists(run));
        }
        let (_, text, line) = inner.compose(run, Head::START, Event::RunOpened(opened.clone()))?;
        inner.watch((|| {
            let making = inner.layout.tmp().join(run.to_string());
            files::create_dir_all_durable(&making, Access::Private)?;
            files::create_new(&making.join(JOURNAL), text.as_bytes(), Access::Private)?;
            files::rename(&making, &inner.layout.run(run))?;
            let length = text.len() as u64;
            let end = End { head: Head { lines: 1, hash: line.hash }, length, torn: 0 };
            let chain = ChainWriter::open(&inner.layout.journal(run), &end)?;
            let RunOpened { programme, scenario, environment, attempt, .. } = opened;
            let first = line.hash;
            index.record(
                &inner.layout,
                IndexEvent::RunOpened { run, programme, scenario, environment, attempt, first },
            )?;
            locked(&inner.busy).insert(run);
            Ok(RunWriter { inner: Arc::clone(inner), run, chain, unsynced: false })
        })())
    }

    /// Takes an open run up again: appends `run-resumed` and gives back every
    /// event, that one included.
    ///
    /// # Errors
    /// When the run is unknown, closed or busy, or its journal is broken.
    pub fn resume_run(&self, run: RunId) -> Result<(RunWriter, Vec<Recorded>), EvidenceError> {
        let inner = &self.inner;
        let mut index = locked(&inner.index);
        let known = index.index.runs.get(&run).ok_or(EvidenceError::UnknownRun(run))?;
        if known.closed.is_some() {
            return Err(EvidenceError::RunClosed(run));
        }
        let known = known.clone();
        if locked(&inner.busy).contains(&run) {
            return Err(EvidenceError::RunBusy(run));
        }
        // A write that failed in this very session leaves what a crash leaves.
        inner.watch(repair::mend_open_run(&inner.layout, &mut index, run))?;
        let (mut events, end) = read_journal(&inner.layout, run, &known)?;
        if events.iter().any(|recorded| matches!(recorded.event, Event::RunClosed(_))) {
            return Err(EvidenceError::RunClosed(run));
        }
        let cut_bytes = match index.index.cuts.get(&journal_name(run)) {
            Some((length, cut)) if *length == end.length => *cut,
            _ => 0,
        };
        drop(index);
        let chain = ChainWriter::open(&inner.layout.journal(run), &end)?;
        locked(&inner.busy).insert(run);
        let mut writer = RunWriter { inner: Arc::clone(inner), run, chain, unsynced: false };
        let resumed = RunResumed { session: inner.session, tool: inner.tool.clone(), cut_bytes };
        events.push(writer.write(Event::RunResumed(resumed), Durability::Synced)?);
        Ok((writer, events))
    }

    /// Makes an open run that is of no scenario so far an attempt at one. Once
    /// this has returned, that survives a crash.
    ///
    /// # Errors
    /// When the run has a scenario, is of another store, or the store cannot be
    /// written.
    pub fn assign_run(
        &self,
        writer: &mut RunWriter,
        assigned: Assigned,
    ) -> Result<Recorded, EvidenceError> {
        let (inner, run) = (&self.inner, writer.run);
        let mut index = locked(&inner.index);
        let free = index.index.runs.get(&run).is_some_and(|it| it.scenario == UNASSIGNED);
        if !free || !Arc::ptr_eq(inner, &writer.inner) {
            let message = "it is of a scenario already, and stays so";
            return Err(EvidenceError::Misplaced { run, message });
        }
        let Assigned { programme, scenario, attempt, .. } = assigned.clone();
        let recorded = writer.write(Event::Assigned(assigned), Durability::Synced)?;
        let event = IndexEvent::RunAssigned { run, programme, scenario, attempt };
        inner.watch(index.record(&inner.layout, event))?;
        Ok(recorded)
    }

    /// Closes a run. Once this has returned, that survives a crash.
    ///
    /// # Errors
    /// When the state is `waiting`, the run is of another store, or the store
    /// cannot be written.
    pub fn close_run(
        &self,
        mut writer: RunWriter,
        closed: RunClosed,
    ) -> Result<Recorded, EvidenceError> {
        let (run, state) = (writer.run, closed.state);
        let refuse = |message| Err(EvidenceError::Misplaced { run, message });
        if state == RunState::Waiting {
            return refuse("a run that waits is not closed");
        }
        if !Arc::ptr_eq(&self.inner, &writer.inner) {
            return refuse("it belongs to another store");
        }
        let recorded = writer.write(Event::RunClosed(closed), Durability::Synced)?;
        let Head { lines, hash: head } = writer.chain.head();
        let event = IndexEvent::RunClosed { run, state, lines, head };
        self.inner.watch(locked(&self.inner.index).record(&self.inner.layout, event))?;
        Ok(recorded)
    }
}

impl StoreWriter {
    /// Removes closed runs: notes each in the index, then takes its journal
    /// away; then the objects to which no other run refers. The index keeps
    /// what it says of them. A crash in between is mended when the store is
    /// opened next.
    ///
    /// Which runs may go is for [`super::prune`] to say.
    ///
    /// # Errors
    /// When a run is unknown, open, busy or removed already, or the store
    /// cannot be written. Runs before that one are removed.
    pub fn remove_runs(&self, runs: &BTreeSet<RunId>, reason: &str) -> Result<(), EvidenceError> {
        let inner = &self.inner;
        let mut index = locked(&inner.index);
        for run in runs {
            let known = index.index.runs.get(run).ok_or(EvidenceError::UnknownRun(*run))?;
            let refuse = |message| Err(EvidenceError::Misplaced { run: *run, message });
            if known.closed.is_none() || locked(&inner.busy).contains(run) {
                return refuse("an open run is not removed");
            }
            if known.removed.is_some() {
                return refuse("it was removed before");
            }
            let reason = inner.redactor.text(reason);
            inner.watch((|| {
                index.record(&inner.layout, IndexEvent::RunRemoved { run: *run, reason })?;
                repair::remove_journal(&inner.layout, *run)
            })())?;
        }
        // Held throughout: an object that a run is about to refer to stays.
        let pending = locked(&inner.pending);
        if pending.is_empty() {
            inner.watch(repair::remove_orphans(&inner.layout, &mut index))?;
        } else {
            // The next session looks for them.
            inner.failed.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

impl fmt::Debug for StoreWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreWriter").field("dir", &self.dir()).finish_non_exhaustive()
    }
}

impl fmt::Debug for RunWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunWriter").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Inner {
    /// Remembers that something failed, so that the next session looks for
    /// leftovers.
    fn watch<T>(&self, result: Result<T, EvidenceError>) -> Result<T, EvidenceError> {
        if result.is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
        result
    }

    /// Composes a journal's next line: the event without secrets, and makes
    /// sure that it reads back as that very event.
    fn compose(
        &self,
        run: RunId,
        head: Head,
        event: Event,
    ) -> Result<(Event, String, Line<'static>), EvidenceError> {
        let event = self.redactor.event(event).ok_or(LineError::NotFaithful);
        event
            .and_then(|event| {
                let (text, line) = head.compose(self.clock.now(), self.clock.mono_ns(), &event)?;
                let faithful = line.event::<Event>().is_ok_and(|read| read == event);
                if faithful { Ok((event, text, line)) } else { Err(LineError::NotFaithful) }
            })
            .map_err(|source| EvidenceError::Unstorable { run, source })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let clean = !self.failed.load(Ordering::SeqCst)
            && locked(&self.pending)
                .iter()
                .all(|object| files::remove_file(&self.layout.object(*object)).is_ok());
        // Otherwise the note stays, and the next session cleans up.
        if clean && let Err(error) = locked(&self.lock).write(b"") {
            tracing::warn!(%error, "the session's end could not be noted");
        }
    }
}

/// The journal of an open run.
pub struct RunWriter {
    inner: Arc<Inner>,
    run: RunId,
    chain: ChainWriter,
    unsynced: bool,
}

impl RunWriter {
    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Appends an event.
    ///
    /// # Errors
    /// When it opens, resumes or closes the run (the store does that), would
    /// not read back as it is, or cannot be written. After a failed write the
    /// writer refuses any further use; [`StoreWriter::resume_run`] gives a new
    /// one.
    pub fn append(
        &mut self,
        event: Event,
        durability: Durability,
    ) -> Result<Recorded, EvidenceError> {
        if matches!(
            event,
            Event::RunOpened(_) | Event::RunResumed(_) | Event::Assigned(_) | Event::RunClosed(_)
        ) {
            let message = "runs are opened, resumed, assigned and closed by the store";
            return Err(EvidenceError::Misplaced { run: self.run, message });
        }
        self.write(event, durability)
    }

    /// Stores a body, redacted. It survives a crash once a line that refers to
    /// it does; without one it is removed when the session ends.
    ///
    /// # Errors
    /// When it is too large, cannot be written, or is there already with other
    /// bytes.
    pub fn put_object(
        &self,
        bytes: &[u8],
        media_type: Option<&str>,
        redactor: &Redactor,
    ) -> Result<ObjectRef, EvidenceError> {
        let stored = redactor.body(media_type, bytes);
        let object = object_ref(&stored, *stored != *bytes, media_type);
        if object.bytes > MAX_OBJECT {
            return Err(EvidenceError::ObjectTooLarge { bytes: object.bytes, max: MAX_OBJECT });
        }
        let inner = &self.inner;
        // Held throughout: whoever finds the object there may rely on it.
        let mut pending = locked(&inner.pending);
        let path = inner.layout.object(object.sha256);
        inner.watch((|| {
            match files::open_regular(&path) {
                Ok(mut file) => {
                    let (found, length) = Digest::of_reader(&mut file).map_err(|source| {
                        files::FileError { path: path.clone(), doing: "read", source }
                    })?;
                    if found != object.sha256 {
                        let found = format!("{length} bytes of digest `{found}`");
                        return Err(EvidenceError::ObjectChanged { sha256: object.sha256, found });
                    }
                }
                Err(error) if error.is_not_found() => {
                    if let Some(folder) = path.parent() {
                        files::create_dir_all_durable(folder, Access::Private)?;
                    }
                    let tmp = inner.layout.tmp();
                    files::replace_through(&tmp, &path, &stored, Access::Private)?;
                    pending.insert(object.sha256);
                }
                Err(error) => return Err(error.into()),
            }
            Ok(object)
        })())
    }

    fn write(&mut self, event: Event, durability: Durability) -> Result<Recorded, EvidenceError> {
        let (event, text, line) = self.inner.compose(self.run, self.chain.head(), event)?;
        let (chain, inner) = (&mut self.chain, &self.inner);
        inner.watch((|| {
            chain.append(&text, &line)?;
            self.unsynced = true;
            let mut pending = locked(&inner.pending);
            for (object, _) in &line.objects {
                pending.remove(object);
            }
            drop(pending);
            if durability == Durability::Synced {
                chain.sync()?;
                self.unsynced = false;
            }
            Ok(Recorded { seq: line.seq, at: line.at, mono_ns: line.mono_ns, event })
        })())
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        // Best effort: lines that were only buffered need not survive.
        if self.unsynced && self.inner.watch(self.chain.sync()).is_err() {
            tracing::warn!(run = %self.run, "the last lines of the journal were not synced");
        }
        locked(&self.inner.busy).remove(&self.run);
    }
}

fn describe_holder(note: &[u8]) -> String {
    match serde_json::from_slice::<Holder>(note) {
        Ok(Holder { pid, started, tool }) => format!("process {pid} ({tool}), since {started}"),
        Err(_) => "another process".into(),
    }
}
