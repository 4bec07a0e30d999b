//! Finding any change in a store, with its place. Needs no settings, no
//! network and no clock; changes nothing; follows no symbolic link; its memory
//! grows with the number of runs and objects, not with their size.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use rayon::prelude::*;

use super::chain::{Head, Line, LineError, Raw, RawLines};
use super::error::EvidenceError;
use super::event::{Event, RunId, RunState, UNASSIGNED};
use super::format::{
    INDEX, IndexEvent, JOURNAL, LOCK, MAX_DESCRIPTION, OBJECTS, RUNS, SALT, SEALS, STORE_JSON, TMP,
    journal_name, run_of_folder,
};
use super::index::{Index, IndexedRun};
use super::record::{Recorded, RunRecord};
use super::store::{Store, parse_description};
use super::tree::{Entry, EntryKind, Folder, Tree};
use crate::digest::{Digest, Hasher};
use crate::files::FileError;

mod report;
mod seals;

pub use report::*;
use seals::{Claims, Seals};

/// Most problems listed.
const MAX_PROBLEMS: usize = 1000;

/// Checks the store in a folder, by nothing but itself.
///
/// # Errors
/// As [`verify_with`].
pub fn verify(dir: &Path) -> Result<VerifyReport, EvidenceError> {
    verify_with(dir, &Trust::default())
}

/// Checks the store in a folder. A process that writes to it meanwhile may
/// cause problems that are none.
///
/// # Errors
/// [`EvidenceError::NoStore`] when there is nothing like a store,
/// [`EvidenceError::NewerFormat`] when a later version wrote it. Whatever else
/// is wrong is in the report.
pub fn verify_with(dir: &Path, trust: &Trust) -> Result<VerifyReport, EvidenceError> {
    examine(&Folder::apart(dir), trust).map(|(report, _)| report).map_err(|error| match error {
        EvidenceError::NoStore(_) => EvidenceError::NoStore(dir.to_owned()),
        EvidenceError::NewerFormat { found, known, .. } => {
            EvidenceError::NewerFormat { dir: dir.to_owned(), found, known }
        }
        error => error,
    })
}

/// How much is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    All,
    /// Everything but the bodies: whether they are there, not what they hold.
    Lines,
}

/// A store that was read and checked in one go.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The store.
    pub store: Store,
    /// The runs that can be read, oldest first.
    pub runs: Vec<RunRecord>,
    /// What checking found.
    pub report: VerifyReport,
}

/// Reads every run and checks the store, each file once.
///
/// # Errors
/// As [`Store::open`].
pub fn survey(dir: &Path, depth: Depth) -> Result<Survey, EvidenceError> {
    let store = Store::open(dir)?;
    let tree = Folder::apart(dir);
    let trust = Trust::default();
    let mut check = Check::new(&tree, &trust, depth, true);
    check.everything()?;
    Ok(Survey { store, runs: check.records, report: check.report })
}

/// Checks a store that lies anywhere; gives its index too, as far as that can be
/// told.
pub(super) fn examine(
    tree: &dyn Tree,
    trust: &Trust,
) -> Result<(VerifyReport, Index), EvidenceError> {
    let mut check = Check::new(tree, trust, Depth::All, false);
    let index = check.everything()?;
    Ok((check.report, index))
}

/// Adds a problem to those found so far, while there is room.
pub(super) fn add_problem(
    problems: &mut Vec<Problem>,
    rule: &'static str,
    place: impl Into<String>,
    message: impl ToString,
) {
    debug_assert!(RULES.iter().any(|(known, _)| *known == rule), "{rule}");
    match problems.len() {
        0..MAX_PROBLEMS => {
            problems.push(Problem { rule, place: place.into(), message: message.to_string() });
        }
        MAX_PROBLEMS => problems.push(Problem {
            rule: "too-many-problems",
            place: ".".into(),
            message: format!("only the first {MAX_PROBLEMS} problems are listed"),
        }),
        _ => {}
    }
}

struct Check<'a> {
    tree: &'a dyn Tree,
    report: VerifyReport,
    /// Objects that lines refer to, with the size they say and the first place
    /// that says so.
    references: BTreeMap<Digest, Reference>,
    /// What the seals say of journals.
    seals: Seals<'a>,
    depth: Depth,
    /// Whether the runs are wanted, and those that can be read.
    reads: bool,
    records: Vec<RunRecord>,
}

/// Problems with which a journal cannot be read as a run.
const UNREADABLE: [&str; 7] = [
    "unreadable-file",
    "missing-journal",
    "broken-line",
    "broken-chain",
    "misplaced-line",
    "unknown-event",
    "index-mismatch",
];

struct Reference {
    bytes: u64,
    place: String,
}

/// A chain, as far as it can be told.
struct Chain {
    head: Head,
    first: Option<Digest>,
    start: Start,
}

/// The lines of a file up to some point.
#[derive(Debug, Default)]
struct Start {
    lines: u64,
    bytes: u64,
    /// Hash of the last of them, where that can be read.
    hash: Option<Digest>,
    /// Over their bytes; where nobody asks, over none.
    hasher: Option<Hasher>,
}

impl<'a> Check<'a> {
    fn new(tree: &'a dyn Tree, trust: &'a Trust, depth: Depth, reads: bool) -> Self {
        Self {
            tree,
            report: VerifyReport::on_nothing(),
            references: BTreeMap::new(),
            seals: Seals::new(trust),
            depth,
            reads,
            records: Vec::new(),
        }
    }

    fn everything(&mut self) -> Result<Index, EvidenceError> {
        if !self.root() {
            return Err(EvidenceError::NoStore(self.tree.path("")));
        }
        let index = self.index();
        self.description(&index)?;
        self.report.runs = index.runs.len() as u64;
        self.seal_files(&index);
        self.runs(&index);
        self.objects();
        self.conclude_seals(&index);
        self.report.intact = self.report.problems.is_empty();
        Ok(index)
    }

    /// Takes in what checking one journal found.
    fn absorb(&mut self, part: Check<'_>) {
        for Problem { rule, place, message } in part.report.problems {
            self.problem(rule, place, message);
        }
        self.report.exchanges += part.report.exchanges;
        self.report.bytes += part.report.bytes;
        for (object, reference) in part.references {
            self.refer(object, reference.bytes, &reference.place);
        }
        self.seals.absorb(part.seals);
        self.records.extend(part.records);
    }
}

impl Check<'_> {
    fn problem(&mut self, rule: &'static str, place: impl Into<String>, message: impl ToString) {
        add_problem(&mut self.report.problems, rule, place, message);
    }

    /// A folder's entries with their names; none when it is missing, as empty
    /// folders are in a copy made by tools that drop them.
    fn entries(&mut self, folder: &str, place: &str) -> Vec<Entry> {
        match self.tree.list(folder) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => {
                self.problem("unreadable-file", place, error);
                Vec::new()
            }
        }
    }

    /// Checks what lies in the folder; tells whether it is anything like a
    /// store.
    fn root(&mut self) -> bool {
        let entries = self.entries("", ".");
        let has = |wanted: &str| entries.iter().any(|entry| entry.name == wanted);
        if !has(STORE_JSON) && !has(INDEX) && !has(RUNS) && !has(OBJECTS) {
            return false;
        }
        for entry in &entries {
            let name = entry.name.as_str();
            match name {
                STORE_JSON | INDEX | LOCK | SALT => {
                    self.expect_file(entry, name);
                }
                RUNS | OBJECTS | SEALS | TMP => {
                    self.expect_folder(entry, name);
                }
                _ => self.unexpected(name),
            }
        }
        true
    }

    fn unexpected(&mut self, place: &str) {
        self.problem("unexpected-file", place, format!("`{place}` does not belong in a store"));
    }

    fn expect_file(&mut self, entry: &Entry, place: &str) -> bool {
        let is = entry.kind == EntryKind::File;
        if !is {
            self.problem("unexpected-file", place, format!("`{place}` is not a regular file"));
        }
        is
    }

    fn expect_folder(&mut self, entry: &Entry, place: &str) -> bool {
        let is = entry.kind == EntryKind::Folder;
        if !is {
            self.problem("unexpected-file", place, format!("`{place}` is not a folder"));
        }
        is
    }

    fn cannot_read(&mut self, missing: &'static str, place: &str, error: &FileError) {
        let rule = if error.is_not_found() { missing } else { "unreadable-file" };
        self.problem(rule, place, error);
    }

    fn description(&mut self, index: &Index) -> Result<(), EvidenceError> {
        let bytes = match self.tree.read(STORE_JSON, MAX_DESCRIPTION) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.cannot_read("missing-file", STORE_JSON, &error);
                return Ok(());
            }
        };
        if index.store_json != Some(Digest::of(&bytes)) {
            let message = "it is not the file that the index's first line names";
            self.problem("store-changed", STORE_JSON, message);
            return Ok(());
        }
        match parse_description(&bytes, &self.tree.path(STORE_JSON)) {
            Err(error @ EvidenceError::NewerFormat { .. }) => return Err(error),
            Err(error) => self.problem("store-changed", STORE_JSON, error),
            Ok(_) => {}
        }
        Ok(())
    }

    /// Reads a chain and hands every line that is whole to `each`. After a
    /// line that is wrong, goes on from what the next one says, so that one
    /// change is one problem. Before every line, whole or not, and at the end
    /// `at` is told how far it got, with a digest if `digests`.
    fn chain(
        &mut self,
        name: &str,
        missing: &'static str,
        digests: bool,
        mut at: impl FnMut(&mut Self, &Start),
        mut each: impl FnMut(&mut Self, &Line<'_>, &str, &Start),
    ) -> Option<Chain> {
        let tree = self.tree;
        let file = match tree.open(name) {
            Ok(file) => file,
            Err(error) => {
                self.cannot_read(missing, name, &error);
                return None;
            }
        };
        let mut lines = RawLines::new(BufReader::new(file));
        let hasher = digests.then(Hasher::default);
        let start = Start { hash: Some(Digest::ZERO), hasher, ..Start::default() };
        let mut chain = Chain { head: Head::START, first: None, start };
        let mut resume = false;
        for number in 1_u64.. {
            let place = format!("{name}:{number}");
            at(self, &chain.start);
            let mut raw: &[u8] = &[];
            let parsed = match lines.next_raw() {
                Ok(None) => break,
                Ok(Some(Raw::Torn(bytes))) => {
                    let message = format!("the file ends after {bytes} bytes of a line");
                    self.problem("torn-line", place, message);
                    break;
                }
                Ok(Some(Raw::TooLong)) => Err(LineError::TooLong),
                Ok(Some(Raw::Line(bytes))) => {
                    raw = bytes;
                    Line::parse(bytes)
                }
                Err(error) => {
                    self.problem("unreadable-file", name, error);
                    break;
                }
            };
            let line = match parsed {
                Ok(line) => line,
                Err(error) => {
                    self.problem("broken-line", place, error);
                    chain.start.take(raw, None);
                    resume = true;
                    continue;
                }
            };
            let followed = if resume { Err(None) } else { chain.head.follow(&line).map_err(Some) };
            if let Err(error) = followed {
                if let Some(error) = error {
                    self.problem("broken-chain", &place, error);
                }
                chain.head = Head { lines: line.seq.saturating_add(1), hash: line.hash };
                resume = false;
            }
            if number == 1 {
                chain.first = Some(line.hash);
            }
            each(self, &line, &place, &chain.start);
            chain.start.take(raw, Some(line.hash));
        }
        self.report.bytes += lines.bytes();
        Some(chain)
    }

    fn index(&mut self) -> Index {
        let mut index = Index::default();
        let at = |_: &mut Self, _: &Start| {};
        let chain = self.chain(INDEX, "missing-file", true, at, |check, line, place, start| {
            let applied = line.event::<IndexEvent>().and_then(|event| {
                index.apply(line.seq, event.clone())?;
                Ok(event)
            });
            match applied {
                Ok(IndexEvent::KeyAdded { key, .. }) => check.key(&index, key, place),
                Ok(IndexEvent::Sealed { seal, .. }) => check.seal(&index, seal, start),
                Ok(IndexEvent::TimeStamped { seal, .. }) => check.time_stamp(&index, seal),
                Ok(_) => {}
                Err(error @ LineError::Misplaced(_)) => {
                    check.problem("misplaced-line", place, error);
                }
                Err(error) => check.problem("unknown-event", place, error),
            }
        });
        if chain.is_some_and(|chain| chain.head.lines == 0) {
            self.problem("broken-chain", INDEX, "it has no line");
        }
        index
    }

    fn runs(&mut self, index: &Index) {
        for entry in self.entries(RUNS, RUNS) {
            let place = format!("{RUNS}/{}", entry.name);
            if !self.expect_folder(&entry, &place) {
                continue;
            }
            if !run_of_folder(&entry.name).is_some_and(|run| index.runs.contains_key(&run)) {
                self.problem("unindexed-run", &place, format!("the index does not name `{place}`"));
                continue;
            }
            let removed =
                |run: RunId| index.runs.get(&run).is_some_and(|run| run.removed.is_some());
            if run_of_folder(&entry.name).is_some_and(removed) {
                let message = format!("the index says that `{place}` was removed");
                self.problem("removed-run-there", &place, message);
                continue;
            }
            for entry in self.entries(&place, &place) {
                let place = format!("{place}/{}", entry.name);
                if entry.name == JOURNAL {
                    self.expect_file(&entry, &place);
                } else {
                    self.unexpected(&place);
                }
            }
        }
        let jobs: Vec<_> =
            index.runs.iter().map(|(run, indexed)| (*run, indexed, self.seals.of(*run))).collect();
        let (tree, trust) = (self.tree, self.seals.trust());
        let (depth, reads) = (self.depth, self.reads);
        let parts: Vec<Check<'_>> = jobs
            .into_par_iter()
            .map(|(run, indexed, claims)| {
                let mut part = Check::new(tree, trust, depth, reads);
                part.journal(run, indexed, claims);
                part
            })
            .collect();
        for part in parts {
            self.absorb(part);
        }
    }

    fn journal(&mut self, run: RunId, indexed: &IndexedRun, mut claims: Claims) {
        let name = journal_name(run);
        let mut closed: Option<(u64, RunState)> = None;
        let mut assigned = false;
        let mut number = 0_u64;
        if indexed.removed.is_some() {
            return self.seals.removed(run, indexed, claims);
        }
        let mut events = Vec::new();
        let digests = !claims.is_empty();
        let at = |check: &mut Self, start: &Start| check.reached(&mut claims, start, &name);
        let chain = self.chain(&name, "missing-journal", digests, at, |check, line, place, _| {
            number = line.seq.saturating_add(1);
            check.collect(line, place);
            if closed.is_some() {
                check.problem("misplaced-line", place, "an event follows `run-closed`");
            }
            let event = line.event::<Event>();
            match &event {
                Ok(Event::RunOpened(opened)) => {
                    // What it was assigned to later, a line of its own says.
                    let says = match indexed.assigned && opened.scenario == UNASSIGNED {
                        true => IndexedRun { environment: opened.environment, ..indexed.clone() },
                        false => IndexedRun {
                            programme: opened.programme.clone(),
                            scenario: opened.scenario.clone(),
                            environment: opened.environment,
                            attempt: opened.attempt,
                            assigned: false,
                            ..indexed.clone()
                        },
                    };
                    if line.seq > 0 {
                        let message = "`run-opened` stands only in the first line";
                        check.problem("misplaced-line", place, message);
                    } else if opened.run != run || says != *indexed {
                        let message = "the run it opens is not the one the index says";
                        check.problem("index-mismatch", place, message);
                    }
                }
                Ok(_) if line.seq == 0 => {
                    check.problem("misplaced-line", place, "the first line must be `run-opened`");
                }
                Ok(Event::Request(_)) => check.report.exchanges += 1,
                Ok(Event::Assigned(to)) => {
                    let says = (&to.programme, &to.scenario, to.attempt);
                    if assigned {
                        let message = "it was given its scenario before";
                        check.problem("misplaced-line", place, message);
                    } else if !indexed.assigned {
                        let message = "it was given a scenario, and the index does not say so";
                        check.problem("index-behind", place, message);
                    } else if says != (&indexed.programme, &indexed.scenario, indexed.attempt) {
                        let message = "the scenario it is given is not the one the index says";
                        check.problem("index-mismatch", place, message);
                    }
                    assigned = true;
                }
                Ok(Event::RunClosed(event)) => closed = Some((line.seq, event.state)),
                Ok(_) => {}
                Err(error) => check.problem("unknown-event", place, error),
            }
            if let (true, Ok(event)) = (check.reads, event) {
                let Line { seq, at, mono_ns, .. } = *line;
                events.push(Recorded { seq, at, mono_ns, event });
            }
        });
        self.journal_ended(run, &name, chain.as_ref().map(|chain| &chain.start), claims);
        if indexed.assigned && !assigned && chain.is_some() {
            let message = "the index says that it was given its scenario later, and no line does";
            self.problem("index-mismatch", &name, message);
        }
        if let Some(chain) = chain {
            self.ends_as_indexed(&name, indexed, &chain, closed);
        }
        let readable =
            !self.report.problems.iter().any(|problem| UNREADABLE.contains(&problem.rule));
        if self.reads && readable {
            match RunRecord::fold(&events) {
                Ok(record) => self.records.push(record),
                Err(error) => self.problem("unreadable-journal", &name, error),
            }
        }
    }

    /// What the lines themselves cannot show: whether lines are missing at
    /// either end.
    fn ends_as_indexed(
        &mut self,
        name: &str,
        indexed: &IndexedRun,
        chain: &Chain,
        closed: Option<(u64, RunState)>,
    ) {
        let Chain { head, first, .. } = *chain;
        let whole_lines = head.lines > 0;
        if first.is_some_and(|first| first != indexed.first) || (first.is_none() && !whole_lines) {
            let message = "its first line is not the one the index names";
            self.problem("index-mismatch", format!("{name}:1"), message);
        }
        match (indexed.closed, closed) {
            (None, None) => {}
            (None, Some(_)) => {
                let message = "the run was closed, and the index does not say so";
                self.problem("index-behind", name, message);
            }
            (Some(says), _) if (says.lines, says.head) != (head.lines, head.hash) => {
                let message = format!(
                    "the index says that the run was closed with line {}, hash `{}`; the journal \
                     ends with line {}, hash `{}`",
                    says.lines, says.head, head.lines, head.hash
                );
                self.problem("index-mismatch", name, message);
            }
            (Some(says), closed) if closed != Some((head.lines - 1, says.state)) => {
                let message = "the index says that the run was closed, and its last line does not";
                self.problem("index-mismatch", name, message);
            }
            (Some(_), _) => {}
        }
    }

    /// Notes the objects that a line refers to.
    fn collect(&mut self, line: &Line<'_>, place: &str) {
        for (object, bytes) in &line.objects {
            self.refer(*object, *bytes, place);
        }
    }

    fn refer(&mut self, object: Digest, bytes: u64, place: &str) {
        let known = self
            .references
            .entry(object)
            .or_insert_with(|| Reference { bytes, place: place.to_owned() });
        if known.bytes != bytes {
            let message = format!("another line gives `{object}` another size");
            self.problem("object-size", place, message);
        }
    }

    fn objects(&mut self) {
        let mut found = Vec::new();
        for entry in self.entries(OBJECTS, OBJECTS) {
            let folder = &entry.name;
            let place = format!("{OBJECTS}/{folder}");
            if !self.expect_folder(&entry, &place) {
                continue;
            }
            for entry in self.entries(&place, &place) {
                let place = format!("{place}/{}", entry.name);
                let named = (folder.len() == 2)
                    .then(|| format!("{folder}{}", entry.name).parse::<Digest>());
                match named {
                    Some(Ok(digest)) => {
                        if self.expect_file(&entry, &place) {
                            found.push((digest, place));
                        }
                    }
                    _ => self.unexpected(&place),
                }
            }
        }
        self.report.objects += found.len() as u64;
        match self.depth {
            Depth::All => {
                let tree = self.tree;
                let read: Vec<_> = found.par_iter().map(|(_, place)| tree.digest(place)).collect();
                for ((digest, place), read) in found.iter().zip(read) {
                    self.object(*digest, place, read);
                }
            }
            Depth::Lines => {
                for (digest, place) in &found {
                    if self.references.remove(digest).is_none() {
                        self.problem("unreferenced-object", place, "no line refers to it");
                    }
                }
            }
        }
        for (object, reference) in std::mem::take(&mut self.references) {
            let message = format!("object `{object}` is not there");
            self.problem("missing-object", reference.place, message);
        }
    }

    /// Checks one object and strikes it off the references.
    fn object(&mut self, digest: Digest, place: &str, read: Result<(Digest, u64), FileError>) {
        let reference = self.references.remove(&digest);
        let (found, bytes) = match read {
            Ok(read) => read,
            Err(error) => return self.problem("unreadable-file", place, error),
        };
        self.report.bytes += bytes;
        if found != digest {
            let message = format!("its contents have the digest `{found}`");
            return self.problem("object-changed", place, message);
        }
        match reference {
            None => self.problem("unreferenced-object", place, "no line refers to it"),
            Some(reference) if reference.bytes != bytes => {
                let message =
                    format!("`{place}` has {bytes} bytes, the line says {}", reference.bytes);
                self.problem("object-size", reference.place, message);
            }
            Some(_) => {}
        }
    }
}

impl Start {
    /// Goes past a line, given without its newline.
    fn take(&mut self, line: &[u8], hash: Option<Digest>) {
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
        self.hash = hash;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(line);
            hasher.update(b"\n");
        }
    }
}
