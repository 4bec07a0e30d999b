//! Opening, locking, appending and reading a store.
//!
//! The order of writes makes a crash harmless: an object is on disk before the
//! line that names it; a journal's first line before the index line that opens
//! the run; its last line before the index line that closes it. Whoever opens
//! the store for writing next adds the index line that is missing, cuts a last
//! line that is not whole, and removes objects that no line names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::chain::{self, Head, Line, LineError};
use super::event::{Event, ObjectRef, RunClosed, RunId, RunOpened, RunResumed, RunState};
use super::record::{FoldError, Recorded, RunRecord};
use super::redact::Redactor;
use super::verify::Problem;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::files::{self, AppendFile, FileError, LockFile};
use crate::project::Environment;

/// The format this version writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// `store.json`.
pub const STORE_FILE: &str = "store.json";
/// The index.
pub const INDEX_FILE: &str = "index.jsonl";
/// A run's journal, in the run's folder.
pub const JOURNAL_FILE: &str = "journal.jsonl";
/// The folder of runs.
pub const RUNS: &str = "runs";
/// The folder of bodies.
pub const OBJECTS: &str = "objects";
/// The lock: no evidence.
pub const LOCK_FILE: &str = "lock";

/// Largest journal or index read, in bytes.
pub(super) const MAX_JOURNAL: u64 = 1 << 30;
/// Largest body stored, in bytes.
const MAX_OBJECT: u64 = 64 << 20;

/// What goes wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// There is none.
    #[error("there is no evidence store in `{}`", dir.display())]
    NoStore {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// A later version of ctc-ready made it.
    #[error(
        "the store `{}` has format {found}, this version knows {FORMAT}: use a newer ctc-ready",
        dir.display()
    )]
    Newer {
        /// The store.
        dir: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Another process writes to it.
    #[error("another ctc-ready is running on `{}`: {holder}", dir.display())]
    Locked {
        /// The store.
        dir: PathBuf,
        /// Who it says it is.
        holder: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// `store.json` is not one.
    #[error("`{}` is damaged: {why}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A line of a journal or of the index is damaged.
    #[error("`{}` line {line} is damaged: {error}; `ctc-ready verify` tells more", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        error: LineError,
    },
    /// A journal's events make no run.
    #[error("`{}` makes no run: {error}", path.display())]
    Fold {
        /// The journal.
        path: PathBuf,
        /// Why.
        error: FoldError,
    },
    /// A body is missing or changed.
    #[error("the stored body {object} is missing or was changed")]
    Object {
        /// Its name.
        object: Digest,
    },
    /// The run is not in the store, or is over.
    #[error("run {run} {why}")]
    Run {
        /// The run.
        run: RunId,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A write failed before; the journal must be opened anew.
    #[error("the journal `{}` could not be written; open the store anew", path.display())]
    Broken {
        /// The journal.
        path: PathBuf,
    },
}

/// `store.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) store: Uuid,
    pub(super) created: String,
    pub(super) salt: Digest,
}

/// What a line of the index says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum IndexEntry {
    /// The first line: the digest of `store.json`, so that a change there
    /// shows.
    StoreCreated { store: Uuid, manifest: Digest },
    /// A run opened.
    RunOpened {
        run: RunId,
        programme: String,
        scenario: String,
        environment: Environment,
        attempt: u32,
    },
    /// A run closed, with its journal's number of lines and last hash.
    RunClosed { run: RunId, state: RunState, lines: u64, head: Digest },
    /// A crash had left something half-written.
    Repaired { cut_bytes: u64, removed_objects: u64, removed_runs: u64 },
}

/// How long a line must last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It and all before it survive a loss of power once the call returns.
    Synced,
    /// It survives the death of the process; a loss of power may take it, but
    /// none before it.
    Buffered,
}

/// Whether a process writes to the store, or died doing so: what a reader
/// sees may be about to change. Takes no lock, so that it disturbs nobody.
pub fn in_use(dir: &Path) -> bool {
    files::read_bounded(&dir.join(LOCK_FILE), 4_096).is_ok_and(|holder| holder != CLEAN.as_bytes())
}

/// A store, for reading.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    manifest: Manifest,
}

impl Store {
    /// Opens a store for reading. Nothing is locked: a reader sees whole lines
    /// while another process appends.
    ///
    /// # Errors
    /// [`EvidenceError::NoStore`], or what is wrong with `store.json`.
    pub fn open(dir: &Path) -> Result<Self, EvidenceError> {
        let path = dir.join(STORE_FILE);
        if !path.is_file() {
            return Err(EvidenceError::NoStore { dir: dir.to_owned() });
        }
        let bytes = files::read_bounded(&path, 64 << 10)?;
        let manifest = read_manifest(&bytes)
            .map_err(|why| EvidenceError::Manifest { path: path.clone(), why })?;
        if manifest.format > FORMAT {
            return Err(EvidenceError::Newer { dir: dir.to_owned(), found: manifest.format });
        }
        Ok(Self { dir: dir.to_owned(), manifest })
    }

    /// The ids of all runs, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn run_ids(&self) -> Result<Vec<RunId>, EvidenceError> {
        run_ids(&self.dir)
    }

    /// A run's events.
    ///
    /// # Errors
    /// When its journal is missing or damaged.
    pub fn events(&self, run: RunId) -> Result<Vec<Recorded>, EvidenceError> {
        Ok(read_journal(&self.dir, run)?.events)
    }

    /// A run.
    ///
    /// # Errors
    /// When its journal is missing, damaged, or makes no run.
    pub fn run(&self, run: RunId) -> Result<RunRecord, EvidenceError> {
        let path = journal_path(&self.dir, run);
        RunRecord::fold(&self.events(run)?).map_err(|error| EvidenceError::Fold { path, error })
    }

    /// Every run, oldest first.
    ///
    /// # Errors
    /// At the first that cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRecord>, EvidenceError> {
        self.run_ids()?.into_iter().map(|run| self.run(run)).collect()
    }

    /// Every run that can be read, oldest first, and what is wrong with the
    /// others.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub fn runs_tolerant(&self) -> Result<(Vec<RunRecord>, Vec<Problem>), EvidenceError> {
        let mut records = Vec::new();
        let mut problems = Vec::new();
        for run in self.run_ids()? {
            match self.run(run) {
                Ok(record) => records.push(record),
                Err(error) => problems.push(Problem {
                    rule: "run-unreadable",
                    place: format!("{RUNS}/{run}/{JOURNAL_FILE}"),
                    message: error.to_string(),
                }),
            }
        }
        Ok((records, problems))
    }

    /// A stored body.
    ///
    /// # Errors
    /// When it is missing or its bytes do not have its digest.
    pub fn object(&self, object: &ObjectRef) -> Result<Vec<u8>, EvidenceError> {
        let bytes = files::read_bounded(&object_path(&self.dir, object.sha256), MAX_OBJECT)?;
        if Digest::of(&bytes) != object.sha256 {
            return Err(EvidenceError::Object { object: object.sha256 });
        }
        Ok(bytes)
    }
}

/// A store that this process alone writes to, until it is dropped.
pub struct StoreWriter {
    dir: PathBuf,
    manifest: Manifest,
    clock: Arc<dyn Clock>,
    tool: String,
    session: Uuid,
    index: AppendFile,
    head: Head,
    /// Bytes cut from a journal whose last line was not whole.
    cut: BTreeMap<RunId, u64>,
    lock: LockFile,
}

impl std::fmt::Debug for StoreWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreWriter").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// What the lock says once its holder ended well.
const CLEAN: &str = "ended well";

impl StoreWriter {
    /// Opens a store for writing, making it where there is none, and mends
    /// what a crash left.
    ///
    /// # Errors
    /// [`EvidenceError::Locked`] when another process writes to it; what is
    /// damaged; what cannot be written.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, tool: &str) -> Result<Self, EvidenceError> {
        files::create_private_dir(dir)?;
        let lock_path = dir.join(LOCK_FILE);
        let Some(mut lock) = LockFile::try_take(&lock_path)? else {
            let holder = files::read_bounded(&lock_path, 4_096)
                .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
                .unwrap_or_default();
            let holder = if holder.is_empty() { "it does not say who".to_owned() } else { holder };
            return Err(EvidenceError::Locked { dir: dir.to_owned(), holder });
        };
        let clean = lock.text()? == CLEAN;
        lock.write(&format!(
            "{tool}, process {}, since {}",
            std::process::id(),
            clock.now().to_rfc3339_opts(SecondsFormat::Secs, true)
        ))?;
        if !dir.join(STORE_FILE).is_file() {
            create(dir, clock.as_ref())?;
        }
        let Store { dir, manifest } = Store::open(dir)?;
        let index_path = dir.join(INDEX_FILE);
        let (entries, head, cut) = read_index(&index_path)?;
        if cut > 0 {
            cut_tail(&index_path, cut)?;
        }
        let mut writer = Self {
            index: AppendFile::open(&index_path, true)?,
            dir,
            manifest,
            clock,
            tool: tool.to_owned(),
            session: Uuid::now_v7(),
            head,
            cut: BTreeMap::new(),
            lock,
        };
        writer.mend(&entries, cut, clean)?;
        Ok(writer)
    }

    /// This process, as evidence names it.
    pub fn session(&self) -> Uuid {
        self.session
    }

    /// The same store for reading.
    pub fn read(&self) -> Store {
        Store { dir: self.dir.clone(), manifest: self.manifest.clone() }
    }

    /// A redactor with this store's salt that also finds `secrets`.
    pub fn redactor(&self, secrets: impl IntoIterator<Item = SecretString>) -> Redactor {
        Redactor::new(self.manifest.salt.as_bytes(), secrets)
    }

    /// The number of the next attempt at a scenario.
    ///
    /// # Errors
    /// When the runs cannot be listed.
    pub fn next_attempt(&self, programme: &str, scenario: &str) -> Result<u32, EvidenceError> {
        let (runs, _) = self.read().runs_tolerant()?;
        let last = runs
            .iter()
            .filter(|run| run.programme == programme && run.scenario == scenario)
            .map(|run| run.attempt)
            .max();
        Ok(last.unwrap_or(0).saturating_add(1))
    }

    /// Opens a new run: its journal's first line, then the index line.
    ///
    /// # Errors
    /// When either cannot be written.
    pub fn open_run(&mut self, opened: RunOpened) -> Result<(RunWriter, Recorded), EvidenceError> {
        let run = opened.run;
        let entry = index_entry(&opened);
        let folder = self.dir.join(RUNS).join(run.to_string());
        files::create_dir_all_durable(&folder)?;
        let path = folder.join(JOURNAL_FILE);
        let mut writer = RunWriter {
            run,
            journal: AppendFile::open(&path, true)?,
            path,
            dir: self.dir.clone(),
            clock: Arc::clone(&self.clock),
            head: Head::EMPTY,
            broken: false,
        };
        files::sync_folder(&folder)?;
        let first = writer.append(Event::RunOpened(opened), Durability::Synced)?;
        self.append_index(&entry)?;
        Ok((writer, first))
    }

    /// Takes up an open run again.
    ///
    /// # Errors
    /// When it is unknown, over, or damaged.
    pub fn resume_run(&mut self, run: RunId) -> Result<(RunWriter, Vec<Recorded>), EvidenceError> {
        let journal = read_journal(&self.dir, run)?;
        let mut events = journal.events;
        if events.iter().any(|line| matches!(line.event, Event::RunClosed(_))) {
            return Err(EvidenceError::Run { run, why: "is over" });
        }
        let path = journal_path(&self.dir, run);
        let mut writer = RunWriter {
            run,
            journal: AppendFile::open(&path, false)?,
            path,
            dir: self.dir.clone(),
            clock: Arc::clone(&self.clock),
            head: journal.head,
            broken: false,
        };
        let resumed = Event::RunResumed(RunResumed {
            session: self.session,
            tool: self.tool.clone(),
            cut_bytes: self.cut.remove(&run).unwrap_or(0),
        });
        events.push(writer.append(resumed, Durability::Synced)?);
        Ok((writer, events))
    }

    /// Ends a run: its journal's last line, then the index line.
    ///
    /// # Errors
    /// When either cannot be written.
    pub fn close_run(
        &mut self,
        mut writer: RunWriter,
        closed: RunClosed,
    ) -> Result<Recorded, EvidenceError> {
        let state = closed.state;
        let last = writer.append(Event::RunClosed(closed), Durability::Synced)?;
        self.append_index(&IndexEntry::RunClosed {
            run: writer.run,
            state,
            lines: writer.head.next,
            head: writer.head.hash,
        })?;
        Ok(last)
    }

    fn append_index(&mut self, entry: &IndexEntry) -> Result<(), EvidenceError> {
        append(
            &mut self.index,
            &self.dir.join(INDEX_FILE),
            &mut self.head,
            self.clock.as_ref(),
            entry,
        )?;
        Ok(self.index.sync()?)
    }

    /// Adds index lines that a crash kept from being written, cuts last lines
    /// of open journals that are not whole, removes what no line names.
    fn mend(
        &mut self,
        entries: &[Line<IndexEntry>],
        index_cut: u64,
        clean: bool,
    ) -> Result<(), EvidenceError> {
        let mut opened = BTreeSet::new();
        let mut closed = BTreeSet::new();
        for line in entries {
            match &line.content {
                IndexEntry::RunOpened { run, .. } => opened.insert(*run),
                IndexEntry::RunClosed { run, .. } => closed.insert(*run),
                _ => false,
            };
        }
        let mut removed_runs = 0;
        for run in run_ids(&self.dir)? {
            if closed.contains(&run) {
                continue;
            }
            let path = journal_path(&self.dir, run);
            let journal = match read_journal(&self.dir, run) {
                Ok(journal) => journal,
                // The process died before the first line.
                Err(EvidenceError::File(error))
                    if error.source.kind() == std::io::ErrorKind::NotFound =>
                {
                    files::remove_folder(&self.dir.join(RUNS).join(run.to_string()))?;
                    removed_runs += 1;
                    continue;
                }
                // Damage is for `verify` to tell; it must not stop other runs.
                Err(error) => {
                    tracing::warn!("{error}");
                    continue;
                }
            };
            if journal.torn > 0 {
                cut_tail(&path, journal.torn)?;
                self.cut.insert(run, journal.torn);
            }
            let Some(Recorded { event: Event::RunOpened(first), .. }) = journal.events.first()
            else {
                if journal.events.is_empty() && !opened.contains(&run) {
                    files::remove(&path)?;
                    files::remove_folder(&self.dir.join(RUNS).join(run.to_string()))?;
                    removed_runs += 1;
                }
                continue;
            };
            if !opened.contains(&run) {
                self.append_index(&index_entry(first))?;
            }
            if let Some(Recorded { event: Event::RunClosed(last), .. }) = journal.events.last() {
                self.append_index(&IndexEntry::RunClosed {
                    run,
                    state: last.state,
                    lines: journal.head.next,
                    head: journal.head.hash,
                })?;
            }
        }
        let removed_objects = if clean { 0 } else { self.sweep()? };
        if index_cut > 0 || removed_objects > 0 || removed_runs > 0 {
            self.append_index(&IndexEntry::Repaired {
                cut_bytes: index_cut,
                removed_objects,
                removed_runs,
            })?;
        }
        Ok(())
    }

    /// Removes temporary files, and objects that no journal names: a crash
    /// came between the object and its line. Where a journal cannot be read,
    /// nothing is removed, for it may name them.
    fn sweep(&self) -> Result<u64, EvidenceError> {
        let mut named = BTreeSet::new();
        let mut all_read = true;
        for run in run_ids(&self.dir)? {
            match read_journal(&self.dir, run) {
                Ok(journal) => named.extend(journal.objects),
                Err(_) => all_read = false,
            }
        }
        let mut removed = 0;
        for folder in [self.dir.clone()].into_iter().chain(entries(&self.dir.join(OBJECTS))?) {
            for path in entries(&folder)? {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let temporary = name.starts_with(files::TEMPORARY_PREFIX);
                let unnamed = all_read
                    && object_of_path(&path).is_some_and(|digest| !named.contains(&digest));
                if (temporary || unnamed) && path.is_file() {
                    files::remove(&path)?;
                    removed += u64::from(unnamed);
                }
            }
        }
        Ok(removed)
    }
}

impl Drop for StoreWriter {
    fn drop(&mut self) {
        // Should this fail, the next to open the store sweeps it: no harm.
        let _ = self.lock.write(CLEAN);
    }
}

/// The journal of one run, for appending.
pub struct RunWriter {
    run: RunId,
    path: PathBuf,
    dir: PathBuf,
    journal: AppendFile,
    clock: Arc<dyn Clock>,
    head: Head,
    broken: bool,
}

impl std::fmt::Debug for RunWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunWriter").field("run", &self.run).finish_non_exhaustive()
    }
}

impl RunWriter {
    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Appends an event and tells it as recorded.
    ///
    /// # Errors
    /// When it cannot be written; from then on every append fails, for the
    /// file may end in half a line.
    pub fn append(
        &mut self,
        event: Event,
        durability: Durability,
    ) -> Result<Recorded, EvidenceError> {
        if self.broken {
            return Err(EvidenceError::Broken { path: self.path.clone() });
        }
        let seq = self.head.next;
        let written =
            append(&mut self.journal, &self.path, &mut self.head, self.clock.as_ref(), &event)
                .and_then(|times| {
                    if durability == Durability::Synced {
                        self.journal.sync()?;
                    }
                    Ok(times)
                });
        self.broken = written.is_err();
        let (at, mono_ns) = written?;
        Ok(Recorded { seq, at, mono_ns, event })
    }

    /// Stores a body, without its secrets, under its digest. It is on disk
    /// before any line can name it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_object(
        &self,
        bytes: &[u8],
        media_type: Option<&str>,
        redactor: &Redactor,
    ) -> Result<ObjectRef, EvidenceError> {
        let stored = redactor.body(media_type, bytes);
        let sha256 = Digest::of(&stored);
        let path = object_path(&self.dir, sha256);
        if !path.is_file() {
            if let Some(folder) = path.parent() {
                files::create_dir_all_durable(folder)?;
            }
            files::write_atomic(&path, &stored)?;
        }
        let original = Digest::of(bytes);
        Ok(ObjectRef {
            sha256,
            bytes: stored.len() as u64,
            media_type: media_type.map(|text| redactor.text(text)),
            original_sha256: (original != sha256).then_some(original),
        })
    }
}

fn append<T: Serialize>(
    file: &mut AppendFile,
    path: &Path,
    head: &mut Head,
    clock: &dyn Clock,
    content: &T,
) -> Result<(DateTime<Utc>, u64), EvidenceError> {
    let (at, mono_ns) = (clock.now().trunc_subsecs(3), clock.mono_ns());
    let line = head.next + 1;
    let (bytes, next) = chain::write(*head, at, mono_ns, content)
        .map_err(|error| EvidenceError::Line { path: path.to_owned(), line, error })?;
    file.append(&bytes)?;
    *head = next;
    Ok((at, mono_ns))
}

fn create(dir: &Path, clock: &dyn Clock) -> Result<(), EvidenceError> {
    // An index without a manifest is a store robbed of it, not a new one.
    let index_path = dir.join(INDEX_FILE);
    if index_path.exists() && !entries(&dir.join(RUNS))?.is_empty() {
        let path = dir.join(STORE_FILE);
        return Err(EvidenceError::Manifest { path, why: "it is missing".into() });
    }
    let salt = Digest::of(&[*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat());
    let manifest = Manifest {
        format: FORMAT,
        store: Uuid::now_v7(),
        created: clock.now().to_rfc3339_opts(SecondsFormat::Millis, true),
        salt,
    };
    let bytes = manifest_bytes(&manifest);
    for folder in [RUNS, OBJECTS] {
        files::create_dir_all_durable(&dir.join(folder))?;
    }
    // The index first: `store.json` makes it a store.
    let entry = IndexEntry::StoreCreated { store: manifest.store, manifest: Digest::of(&bytes) };
    let (line, _) =
        chain::write(Head::EMPTY, clock.now().trunc_subsecs(3), clock.mono_ns(), &entry)
            .map_err(|error| EvidenceError::Line { path: index_path.clone(), line: 1, error })?;
    files::write_atomic(&index_path, &line)?;
    files::write_atomic(&dir.join(STORE_FILE), &bytes)?;
    Ok(())
}

pub(super) fn manifest_bytes(manifest: &Manifest) -> Vec<u8> {
    let mut bytes = serde_json_canonicalizer::to_vec(manifest).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

pub(super) fn read_manifest(bytes: &[u8]) -> Result<Manifest, String> {
    let json: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    // A newer format may have members this version does not know.
    if let Some(format) = json.get("format").and_then(serde_json::Value::as_u64)
        && format > u64::from(FORMAT)
    {
        return Ok(Manifest {
            format: u32::try_from(format).unwrap_or(u32::MAX),
            store: Uuid::nil(),
            created: String::new(),
            salt: Digest::ZERO,
        });
    }
    serde_json::from_value(json).map_err(|error| error.to_string())
}

fn index_entry(opened: &RunOpened) -> IndexEntry {
    IndexEntry::RunOpened {
        run: opened.run,
        programme: opened.programme.clone(),
        scenario: opened.scenario.clone(),
        environment: opened.environment,
        attempt: opened.attempt,
    }
}

/// A journal as read.
struct Journal {
    events: Vec<Recorded>,
    objects: Vec<Digest>,
    head: Head,
    torn: u64,
}

fn read_journal(dir: &Path, run: RunId) -> Result<Journal, EvidenceError> {
    let path = journal_path(dir, run);
    let bytes = files::read_bounded(&path, MAX_JOURNAL)?;
    let (lines, torn) = chain::split(&bytes);
    let mut journal = Journal {
        events: Vec::new(),
        objects: Vec::new(),
        head: Head::EMPTY,
        torn: torn.len() as u64,
    };
    for line in lines {
        let number = journal.head.next + 1;
        let (line, head) = chain::read::<Event>(line, journal.head)
            .map_err(|error| EvidenceError::Line { path: path.clone(), line: number, error })?;
        journal.head = head;
        objects_of(&line.json, &mut |object| journal.objects.push(object.sha256));
        journal.events.push(Recorded {
            seq: line.seq,
            at: line.at,
            mono_ns: line.mono_ns,
            event: line.content,
        });
    }
    Ok(journal)
}

fn read_index(path: &Path) -> Result<(Vec<Line<IndexEntry>>, Head, u64), EvidenceError> {
    let bytes = files::read_bounded(path, MAX_JOURNAL)?;
    let (lines, torn) = chain::split(&bytes);
    let mut head = Head::EMPTY;
    let mut entries = Vec::new();
    for line in lines {
        let number = head.next + 1;
        let (line, next) = chain::read(line, head).map_err(|error| EvidenceError::Line {
            path: path.to_owned(),
            line: number,
            error,
        })?;
        head = next;
        entries.push(line);
    }
    Ok((entries, head, torn.len() as u64))
}

/// Every stored body a line names, wherever in it.
pub(super) fn objects_of(json: &serde_json::Value, found: &mut impl FnMut(ObjectRef)) {
    match json {
        serde_json::Value::Object(map) => {
            if map.contains_key("sha256")
                && let Ok(object) = serde_json::from_value::<ObjectRef>(json.clone())
            {
                found(object);
            }
            map.values().for_each(|value| objects_of(value, found));
        }
        serde_json::Value::Array(items) => {
            items.iter().for_each(|value| objects_of(value, found));
        }
        _ => {}
    }
}

fn cut_tail(path: &Path, torn: u64) -> Result<(), EvidenceError> {
    let length = fs::metadata(path).map_err(files::context(path, "read"))?.len();
    Ok(files::truncate(path, length.saturating_sub(torn))?)
}

/// The paths in a folder, sorted; none when it does not exist.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, EvidenceError> {
    let listed = match fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(files::context(dir, "list")(error).into()),
    };
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(files::context(dir, "list"))?;
    paths.sort();
    Ok(paths)
}

fn run_ids(dir: &Path) -> Result<Vec<RunId>, EvidenceError> {
    Ok(entries(&dir.join(RUNS))?
        .iter()
        .filter_map(|path| run_of_name(path.file_name()?.to_str()?))
        .collect())
}

/// The run whose folder has this name, written exactly as ids are.
pub(super) fn run_of_name(name: &str) -> Option<RunId> {
    let run: RunId = name.parse().ok()?;
    (run.to_string() == name).then_some(run)
}

pub(super) fn journal_path(dir: &Path, run: RunId) -> PathBuf {
    dir.join(RUNS).join(run.to_string()).join(JOURNAL_FILE)
}

pub(super) fn object_path(dir: &Path, digest: Digest) -> PathBuf {
    let name = digest.to_string();
    let (folder, rest) = name.split_at(2);
    dir.join(OBJECTS).join(folder).join(rest)
}

/// The digest an object's path stands for.
pub(super) fn object_of_path(path: &Path) -> Option<Digest> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let name = path.file_name()?.to_str()?;
    (folder.len() == 2).then(|| format!("{folder}{name}").parse().ok()).flatten()
}
