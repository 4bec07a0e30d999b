//! Finding any change in a store, with its place. Needs no settings, no
//! network and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::chain::{self, Head, Line, LineError, MAX_LINE};
use super::event::{Event, RunId, RunState};
use super::store::{
    self, EvidenceError, INDEX_FILE, IndexEntry, JOURNAL_FILE, LOCK_FILE, OBJECTS, RUNS, STORE_FILE,
};
use crate::digest::Digest;
use crate::files;

/// `verify --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VerifyReport {
    /// Always 1.
    pub schema_version: u32,
    /// No problem was found.
    pub intact: bool,
    /// Runs in the index.
    pub runs: u64,
    /// Exchanges in their journals.
    pub exchanges: u64,
    /// Stored objects.
    pub objects: u64,
    /// Bytes of journals, index and objects.
    pub bytes: u64,
    /// Seals over the store.
    pub seals: Vec<SealReport>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// A seal and whether it holds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SealReport {
    /// The seal's file name.
    pub seal: String,
    /// Fingerprint of its key.
    pub key: Digest,
    /// Runs it covers.
    pub covers_runs: u64,
    /// Signature and covered heads hold.
    pub valid: bool,
}

/// Something wrong in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// Stable kebab-case name.
    pub rule: &'static str,
    /// File, and line where there is one: `runs/<id>/journal.jsonl:12`.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong.
    pub message: String,
}

/// Checks a whole store: every byte of `store.json`, the index, the journals
/// and the objects; nothing missing, nothing added, nothing reordered.
///
/// What cannot be found without a signature: whoever may write to the store
/// can remove the newest lines of index and journals together, or write the
/// whole store anew.
///
/// # Errors
/// When there is no store, or the operating system refuses to read it. What is
/// wrong inside is a problem in the report, not an error.
pub fn verify(dir: &Path) -> Result<VerifyReport, EvidenceError> {
    if !is_plain_dir(dir) || !dir.join(STORE_FILE).exists() && !dir.join(INDEX_FILE).exists() {
        return Err(EvidenceError::NoStore { dir: dir.to_owned() });
    }
    let mut check = Check { dir, problems: Vec::new(), exchanges: 0, bytes: 0 };
    let manifest = check.manifest()?;
    let index = check.index(manifest)?;
    let mut named: BTreeMap<Digest, (u64, String)> = BTreeMap::new();
    for (run, said) in &index {
        check.run(*run, said, &mut named)?;
    }
    check.strangers(&index)?;
    let objects = check.objects(&named)?;
    Ok(VerifyReport {
        schema_version: 1,
        intact: check.problems.is_empty(),
        runs: index.len() as u64,
        exchanges: check.exchanges,
        objects,
        bytes: check.bytes,
        seals: Vec::new(),
        problems: check.problems,
    })
}

/// What the index says of a run.
struct Indexed {
    opened: IndexEntry,
    closed: Option<(RunState, u64, Digest)>,
}

struct Check<'a> {
    dir: &'a Path,
    problems: Vec<Problem>,
    exchanges: u64,
    bytes: u64,
}

impl Check<'_> {
    fn problem(
        &mut self,
        rule: &'static str,
        place: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.problems.push(Problem { rule, place: place.into(), message: message.into() });
    }

    /// The digest of `store.json`, if it is there and readable.
    fn manifest(&mut self) -> Result<Option<Digest>, EvidenceError> {
        let path = self.dir.join(STORE_FILE);
        if !is_plain_file(&path) {
            self.problem("store-missing", STORE_FILE, "the store's description is missing");
            return Ok(None);
        }
        let bytes = files::read_bounded(&path, 64 << 10)?;
        self.bytes += bytes.len() as u64;
        match store::read_manifest(&bytes) {
            Ok(manifest) if manifest.format > store::FORMAT => {
                return Err(EvidenceError::Newer {
                    dir: self.dir.to_owned(),
                    found: manifest.format,
                });
            }
            Ok(_) => {}
            Err(why) => self.problem("store-unreadable", STORE_FILE, why),
        }
        Ok(Some(Digest::of(&bytes)))
    }

    fn index(
        &mut self,
        manifest: Option<Digest>,
    ) -> Result<BTreeMap<RunId, Indexed>, EvidenceError> {
        let mut runs: BTreeMap<RunId, Indexed> = BTreeMap::new();
        let mut problems = Vec::new();
        let mut first = true;
        let count = self.chain::<IndexEntry>(INDEX_FILE, |line| {
            let place = format!("{INDEX_FILE}:{}", line.seq + 1);
            let mut wrong = |rule, message: String| {
                problems.push(Problem { rule, place: place.clone(), message });
            };
            let is_first = std::mem::replace(&mut first, false);
            match &line.content {
                IndexEntry::StoreCreated { manifest: said, .. } => {
                    if !is_first {
                        wrong("index-unreadable", "a store is created once".into());
                    } else if manifest.is_some_and(|found| found != *said) {
                        wrong("store-changed", format!("`{STORE_FILE}` was changed"));
                    }
                }
                _ if is_first => wrong("index-unreadable", "the first line is missing".into()),
                opened @ IndexEntry::RunOpened { run, .. } => {
                    let entry = Indexed { opened: opened.clone(), closed: None };
                    if runs.insert(*run, entry).is_some() {
                        wrong("index-unreadable", format!("run {run} opens twice"));
                    }
                }
                IndexEntry::RunClosed { run, state, lines, head } => match runs.get_mut(run) {
                    Some(entry) if entry.closed.is_none() => {
                        entry.closed = Some((*state, *lines, *head));
                    }
                    _ => wrong("index-unreadable", format!("run {run} closes and is not open")),
                },
                IndexEntry::Repaired { .. } => {}
            }
        })?;
        self.problems.append(&mut problems);
        if count == Some(0) {
            self.problem("index-unreadable", INDEX_FILE, "it is empty");
        }
        Ok(runs)
    }

    fn run(
        &mut self,
        run: RunId,
        said: &Indexed,
        named: &mut BTreeMap<Digest, (u64, String)>,
    ) -> Result<(), EvidenceError> {
        let place = format!("{RUNS}/{run}/{JOURNAL_FILE}");
        let mut problems = Vec::new();
        let (mut exchanges, mut head, mut over, mut lines) = (0, Digest::ZERO, None, 0);
        let count = self.chain::<Event>(&place, |line| {
            let at = format!("{place}:{}", line.seq + 1);
            let mut wrong = |rule, message: &str| {
                problems.push(Problem { rule, place: at.clone(), message: message.to_owned() });
            };
            if over.is_some() {
                wrong("line-after-end", "the run was over before this line");
            }
            match &line.content {
                Event::RunOpened(opened) => {
                    let same = matches!(
                        &said.opened,
                        IndexEntry::RunOpened { run, programme, scenario, environment, attempt }
                            if (run, programme, scenario, environment, attempt)
                                == (
                                    &opened.run,
                                    &opened.programme,
                                    &opened.scenario,
                                    &opened.environment,
                                    &opened.attempt,
                                )
                    );
                    if !same || line.seq != 0 {
                        wrong("run-mixed-up", "the journal and the index tell of different runs");
                    }
                }
                _ if line.seq == 0 => wrong("run-mixed-up", "the journal does not open a run"),
                Event::Request(_) => exchanges += 1,
                Event::RunClosed(closed) => over = Some(closed.state),
                _ => {}
            }
            store::objects_of(&line.json, &mut |object| {
                named.entry(object.sha256).or_insert((object.bytes, at.clone()));
            });
            lines = line.seq + 1;
            if let Some(hash) = line.json.get("hash").and_then(|hash| hash.as_str()) {
                head = hash.parse().unwrap_or(Digest::ZERO);
            }
        })?;
        self.problems.append(&mut problems);
        self.exchanges += exchanges;
        match (&said.closed, over) {
            // A journal that cannot be read was reported already.
            _ if count.is_none() => {}
            (Some((state, said_lines, said_head)), _)
                if over != Some(*state) || lines != *said_lines || head != *said_head =>
            {
                self.problem(
                    "run-changed-after-end",
                    place,
                    "the journal does not end as the index says it ended",
                );
            }
            (None, Some(_)) => self.problem(
                "end-not-indexed",
                place,
                "the run is over, but the index does not say so (`run` mends this after a crash)",
            ),
            _ if lines == 0 => self.problem("run-mixed-up", place, "the journal is empty"),
            _ => {}
        }
        Ok(())
    }

    /// Folders of runs that the index does not know, and files that do not
    /// belong.
    fn strangers(&mut self, index: &BTreeMap<RunId, Indexed>) -> Result<(), EvidenceError> {
        let dir = self.dir;
        let name_of = |path: &Path| {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        for path in store::entries(dir)? {
            let name = name_of(&path);
            let known = match name.as_str() {
                STORE_FILE | INDEX_FILE | LOCK_FILE => is_plain_file(&path),
                RUNS | OBJECTS => is_plain_dir(&path),
                _ => false,
            };
            if !known {
                self.problem("unexpected-file", name, "it does not belong into a store");
            }
        }
        for path in store::entries(&dir.join(RUNS))? {
            let name = name_of(&path);
            let place = format!("{RUNS}/{name}");
            let Some(run) = store::run_of_name(&name).filter(|_| is_plain_dir(&path)) else {
                self.problem("unexpected-file", place, "it does not belong among the runs");
                continue;
            };
            if !index.contains_key(&run) {
                self.problem("run-not-indexed", place, "the index does not know this run");
                continue;
            }
            for inner in store::entries(&path)? {
                let name = name_of(&inner);
                if name != JOURNAL_FILE {
                    self.problem(
                        "unexpected-file",
                        format!("{place}/{name}"),
                        "it does not belong into a run",
                    );
                }
            }
        }
        Ok(())
    }

    /// Checks every stored body and tells how many there are.
    fn objects(&mut self, named: &BTreeMap<Digest, (u64, String)>) -> Result<u64, EvidenceError> {
        let mut seen = BTreeSet::new();
        let dir = self.dir;
        let shown =
            |path: &Path| path.strip_prefix(dir).unwrap_or(path).to_string_lossy().into_owned();
        for folder in store::entries(&self.dir.join(OBJECTS))? {
            if !is_plain_dir(&folder) {
                let place = shown(&folder);
                self.problem("unexpected-file", place, "it does not belong among the bodies");
                continue;
            }
            for path in store::entries(&folder)? {
                let place = shown(&path);
                let Some(name) = store::object_of_path(&path).filter(|_| is_plain_file(&path))
                else {
                    self.problem("unexpected-file", place, "it does not belong among the bodies");
                    continue;
                };
                let (digest, length) = digest_of_file(&path)?;
                self.bytes += length;
                seen.insert(name);
                if digest != name {
                    self.problem("object-changed", place, "its bytes do not have its digest");
                } else {
                    match named.get(&name) {
                        None => {
                            self.problem("object-not-named", place, "no journal names this body");
                        }
                        Some((bytes, at)) if *bytes != length => {
                            let message = format!("{at} gives it another length");
                            self.problem("object-changed", place, message);
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        for (digest, (_, at)) in named {
            if !seen.contains(digest) {
                let message = format!("the body {digest} that this line names is missing");
                self.problem("object-missing", at.clone(), message);
            }
        }
        Ok(seen.len() as u64)
    }

    /// Reads a chain line by line; stops at the first that is no link, for
    /// what follows hangs on it. Tells the number of lines, or none where
    /// the chain is broken or missing.
    fn chain<T: DeserializeOwned>(
        &mut self,
        file: &str,
        mut each: impl FnMut(&Line<T>),
    ) -> Result<Option<u64>, EvidenceError> {
        let path = self.dir.join(file);
        if !is_plain_file(&path) {
            let rule = if file == INDEX_FILE { "index-missing" } else { "run-missing" };
            self.problem(rule, file, "it is missing");
            return Ok(None);
        }
        let opened = std::fs::File::open(&path).map_err(files::context(&path, "read"))?;
        let mut reader = BufReader::new(opened);
        let mut head = Head::EMPTY;
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let length = reader
                .by_ref()
                .take(MAX_LINE as u64 + 2)
                .read_until(b'\n', &mut buffer)
                .map_err(files::context(&path, "read"))?;
            if length == 0 {
                return Ok(Some(head.next));
            }
            self.bytes += length as u64;
            let read = match buffer.strip_suffix(b"\n") {
                Some(line) => chain::read::<T>(line, head),
                None if length > MAX_LINE => Err(LineError::TooLong),
                None => Err(LineError::Torn),
            };
            match read {
                Ok((line, next)) => {
                    head = next;
                    each(&line);
                }
                Err(error) => {
                    let place = format!("{file}:{}", head.next + 1);
                    self.problem(error.rule(), place, error.to_string());
                    return Ok(None);
                }
            }
        }
    }
}

/// Links are never followed: what they point to is not in the store.
fn is_plain_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

fn is_plain_dir(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_dir())
}

fn digest_of_file(path: &Path) -> Result<(Digest, u64), EvidenceError> {
    let mut file = std::fs::File::open(path).map_err(files::context(path, "read"))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let count = file.read(&mut buffer).map_err(files::context(path, "read"))?;
        if count == 0 {
            return Ok((Digest::from_bytes(hasher.finalize().into()), length));
        }
        length += count as u64;
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}
