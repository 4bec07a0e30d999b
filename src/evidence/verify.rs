//! Finding any change in a store, with its place. Needs no settings, no
//! network and no clock; changes nothing; follows no symbolic link; its memory
//! grows with the number of runs and objects, not with their size.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::io::BufReader;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::chain::{Head, Line, LineError, Raw, RawLines};
use super::error::EvidenceError;
use super::event::{Event, RunId, RunState};
use super::format::{
    INDEX, IndexEvent, JOURNAL, LOCK, Layout, OBJECTS, RUNS, SALT, STORE_JSON, TMP, journal_name,
    object_refs, run_of_folder,
};
use super::index::{Index, IndexedRun};
use super::store::read_description;
use crate::digest::Digest;
use crate::files::{self, FileError};

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
    /// Stable kebab-case name: one of [`RULES`].
    pub rule: &'static str,
    /// File, and line where there is one: `runs/<id>/journal.jsonl:12`.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong.
    pub message: String,
}

/// Every rule with what it means.
pub const RULES: &[(&str, &str)] = &[
    ("missing-file", "a file that every store or run has is not there"),
    ("unreadable-file", "a file or folder cannot be read"),
    ("unexpected-file", "a file, folder or link that no store has"),
    ("store-changed", "`store.json` is not the file that the index's first line names"),
    ("broken-line", "a line was changed: its form or its hash is wrong"),
    (
        "broken-chain",
        "a line was removed, added, repeated or moved: it does not follow the one before",
    ),
    ("torn-line", "the last line is half-written, as a crash leaves it; `run` repairs it"),
    ("misplaced-line", "a line stands where it cannot"),
    ("unknown-event", "a line's event is of a kind or shape that this version does not know"),
    ("missing-journal", "the index names a run that is not there"),
    ("unreadable-journal", "a journal cannot be read as a run"),
    ("unindexed-run", "a run is there that the index does not name"),
    (
        "removed-run-there",
        "a run is there that was removed; a crash leaves that, and `run` repairs it",
    ),
    ("index-mismatch", "the index and a journal say different things of a run"),
    (
        "index-behind",
        "a journal was closed, the index does not say so; a crash leaves that, and `run` repairs it",
    ),
    ("missing-object", "a line refers to an object that is not there"),
    ("object-changed", "an object is not what its name says"),
    ("object-size", "an object has another size than a line says"),
    ("unreferenced-object", "an object that no line refers to"),
    ("too-many-problems", "there are more problems than are listed"),
];

/// Most problems listed.
const MAX_PROBLEMS: usize = 1000;

/// Checks the store in a folder. A process that writes to it meanwhile may
/// cause problems that are none.
///
/// # Errors
/// [`EvidenceError::NoStore`] when there is nothing like a store,
/// [`EvidenceError::NewerFormat`] when a later version wrote it. Whatever else
/// is wrong is in the report.
pub fn verify(dir: &Path) -> Result<VerifyReport, EvidenceError> {
    // The folder that the user names may be a link, say to another disk. What
    // lies in it may not.
    let named = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let layout = Layout::new(&named);
    let mut check = Check {
        report: VerifyReport {
            schema_version: 1,
            intact: true,
            runs: 0,
            exchanges: 0,
            objects: 0,
            bytes: 0,
            seals: Vec::new(),
            problems: Vec::new(),
        },
        references: BTreeMap::new(),
        layout,
    };
    if !check.root() {
        return Err(EvidenceError::NoStore(dir.to_owned()));
    }
    let index = check.index();
    check.description(&index)?;
    check.report.runs = index.runs.len() as u64;
    check.runs(&index);
    check.objects();
    check.report.intact = check.report.problems.is_empty();
    Ok(check.report)
}

struct Check {
    layout: Layout,
    report: VerifyReport,
    /// Objects that lines refer to, with the size they say and the first place
    /// that says so.
    references: BTreeMap<Digest, Reference>,
}

struct Reference {
    bytes: u64,
    place: String,
}

/// A chain, as far as it can be told.
struct Chain {
    head: Head,
    first: Option<Digest>,
}

impl Check {
    fn problem(&mut self, rule: &'static str, place: impl Into<String>, message: impl ToString) {
        debug_assert!(RULES.iter().any(|(known, _)| *known == rule), "{rule}");
        let problems = &mut self.report.problems;
        let (place, message) = (place.into(), message.to_string());
        match problems.len() {
            0..MAX_PROBLEMS => problems.push(Problem { rule, place, message }),
            MAX_PROBLEMS => problems.push(Problem {
                rule: "too-many-problems",
                place: ".".into(),
                message: format!("only the first {MAX_PROBLEMS} problems are listed"),
            }),
            _ => {}
        }
    }

    /// A folder's entries with their names; none when it is missing, as empty
    /// folders are in a copy made by tools that drop them.
    fn entries(&mut self, folder: &Path, place: &str) -> Vec<(String, DirEntry)> {
        let kind = folder.symlink_metadata().map(|data| data.file_type());
        if kind.as_ref().is_ok_and(|kind| !kind.is_dir()) {
            return Vec::new(); // reported where it was listed
        }
        match files::list(folder) {
            Ok(entries) => entries
                .into_iter()
                .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry))
                .collect(),
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
        let root = self.layout.root().to_owned();
        let entries = self.entries(&root, ".");
        let has = |wanted: &str| entries.iter().any(|(name, _)| name == wanted);
        if !has(STORE_JSON) && !has(INDEX) && !has(RUNS) && !has(OBJECTS) {
            return false;
        }
        for (name, entry) in &entries {
            match name.as_str() {
                STORE_JSON | INDEX | LOCK | SALT => {
                    self.expect_file(entry, name);
                }
                RUNS | OBJECTS | TMP => {
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

    fn expect_file(&mut self, entry: &DirEntry, place: &str) -> bool {
        let is = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is {
            self.problem("unexpected-file", place, format!("`{place}` is not a regular file"));
        }
        is
    }

    fn expect_folder(&mut self, entry: &DirEntry, place: &str) -> bool {
        let is = entry.file_type().is_ok_and(|kind| kind.is_dir());
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
        let file = files::read_bounded(&self.layout.description(), super::format::MAX_DESCRIPTION);
        let digest = match file {
            Ok(bytes) => Digest::of(&bytes),
            Err(error) => {
                self.cannot_read("missing-file", STORE_JSON, &error);
                return Ok(());
            }
        };
        if index.store_json != Some(digest) {
            let message = "it is not the file that the index's first line names";
            self.problem("store-changed", STORE_JSON, message);
            return Ok(());
        }
        match read_description(&self.layout) {
            Err(error @ EvidenceError::NewerFormat { .. }) => return Err(error),
            Err(error) => self.problem("store-changed", STORE_JSON, error),
            Ok(_) => {}
        }
        Ok(())
    }

    /// Reads a chain and hands every line that is whole to `each`. After a
    /// line that is wrong, goes on from what the next one says, so that one
    /// change is one problem.
    fn chain(
        &mut self,
        path: &Path,
        name: &str,
        missing: &'static str,
        mut each: impl FnMut(&mut Self, &Line, &str),
    ) -> Option<Chain> {
        let file = match files::open_regular(path) {
            Ok(file) => file,
            Err(error) => {
                self.cannot_read(missing, name, &error);
                return None;
            }
        };
        let mut lines = RawLines::new(BufReader::new(file));
        let mut chain = Chain { head: Head::START, first: None };
        let mut resume = false;
        for number in 1_u64.. {
            let place = format!("{name}:{number}");
            let parsed = match lines.next_raw() {
                Ok(None) => break,
                Ok(Some(Raw::Torn(bytes))) => {
                    let message = format!("the file ends after {bytes} bytes of a line");
                    self.problem("torn-line", place, message);
                    break;
                }
                Ok(Some(Raw::TooLong)) => Err(LineError::TooLong),
                Ok(Some(Raw::Line(bytes))) => Line::parse(bytes),
                Err(error) => {
                    self.problem("unreadable-file", name, error);
                    break;
                }
            };
            let line = match parsed {
                Ok(line) => line,
                Err(error) => {
                    self.problem("broken-line", place, error);
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
            each(self, &line, &place);
        }
        self.report.bytes += lines.bytes();
        Some(chain)
    }

    fn index(&mut self) -> Index {
        let mut index = Index::default();
        let path = self.layout.index();
        let chain = self.chain(&path, INDEX, "missing-file", |check, line, place| {
            let applied = line.event::<IndexEvent>().and_then(|event| index.apply(line.seq, event));
            match applied {
                Ok(()) => {}
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
        let runs = self.layout.runs();
        for (name, entry) in self.entries(&runs, RUNS) {
            let place = format!("{RUNS}/{name}");
            if !self.expect_folder(&entry, &place) {
                continue;
            }
            if !run_of_folder(&name).is_some_and(|run| index.runs.contains_key(&run)) {
                self.problem("unindexed-run", &place, format!("the index does not name `{place}`"));
                continue;
            }
            let removed =
                |run: RunId| index.runs.get(&run).is_some_and(|run| run.removed.is_some());
            if run_of_folder(&name).is_some_and(removed) {
                let message = format!("the index says that `{place}` was removed");
                self.problem("removed-run-there", &place, message);
                continue;
            }
            for (file, entry) in self.entries(&entry.path(), &place) {
                let place = format!("{place}/{file}");
                if file == JOURNAL {
                    self.expect_file(&entry, &place);
                } else {
                    self.unexpected(&place);
                }
            }
        }
        for (run, indexed) in index.runs.iter().filter(|(_, indexed)| indexed.removed.is_none()) {
            self.journal(*run, indexed);
        }
    }

    fn journal(&mut self, run: RunId, indexed: &IndexedRun) {
        let name = journal_name(run);
        let mut closed: Option<(u64, RunState)> = None;
        let mut number = 0_u64;
        let path = self.layout.journal(run);
        let chain = self.chain(&path, &name, "missing-journal", |check, line, place| {
            number = line.seq.saturating_add(1);
            check.collect(line, place);
            if closed.is_some() {
                check.problem("misplaced-line", place, "an event follows `run-closed`");
            }
            match line.event::<Event>() {
                Ok(Event::RunOpened(opened)) => {
                    let says = IndexedRun {
                        programme: opened.programme,
                        scenario: opened.scenario,
                        environment: opened.environment,
                        attempt: opened.attempt,
                        ..indexed.clone()
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
                Ok(Event::RunClosed(event)) => closed = Some((line.seq, event.state)),
                Ok(_) => {}
                Err(error) => check.problem("unknown-event", place, error),
            }
        });
        let Some(Chain { head, first }) = chain else { return };
        // What the lines themselves cannot show: whether lines are missing at
        // either end.
        if first.is_some_and(|first| first != indexed.first) || (first.is_none() && number == 0) {
            let message = "its first line is not the one the index names";
            self.problem("index-mismatch", format!("{name}:1"), message);
        }
        match (indexed.closed, closed) {
            (None, None) => {}
            (None, Some(_)) => {
                let message = "the run was closed, and the index does not say so";
                self.problem("index-behind", &name, message);
            }
            (Some(says), _) if (says.lines, says.head) != (head.lines, head.hash) => {
                let message = format!(
                    "the index says that the run was closed with line {}, hash `{}`; the journal \
                     ends with line {}, hash `{}`",
                    says.lines, says.head, head.lines, head.hash
                );
                self.problem("index-mismatch", &name, message);
            }
            (Some(says), closed) if closed != Some((head.lines - 1, says.state)) => {
                let message = "the index says that the run was closed, and its last line does not";
                self.problem("index-mismatch", &name, message);
            }
            (Some(_), _) => {}
        }
    }

    /// Notes the objects that a line refers to.
    fn collect(&mut self, line: &Line, place: &str) {
        let mut differs = Vec::new();
        let references = &mut self.references;
        object_refs(&line.body, &mut |object, bytes| {
            let known = references
                .entry(object)
                .or_insert_with(|| Reference { bytes, place: place.to_owned() });
            if known.bytes != bytes {
                differs.push(object);
            }
        });
        for object in differs {
            let message = format!("another line gives `{object}` another size");
            self.problem("object-size", place, message);
        }
    }

    fn objects(&mut self) {
        let objects = self.layout.objects();
        for (folder, entry) in self.entries(&objects, OBJECTS) {
            let place = format!("{OBJECTS}/{folder}");
            if !self.expect_folder(&entry, &place) {
                continue;
            }
            for (file, entry) in self.entries(&entry.path(), &place) {
                let place = format!("{place}/{file}");
                let named =
                    (folder.len() == 2).then(|| format!("{folder}{file}").parse::<Digest>());
                match named {
                    Some(Ok(digest)) => {
                        if self.expect_file(&entry, &place) {
                            self.object(digest, &entry.path(), &place);
                        }
                    }
                    _ => self.unexpected(&place),
                }
            }
        }
        for (object, reference) in std::mem::take(&mut self.references) {
            let message = format!("object `{object}` is not there");
            self.problem("missing-object", reference.place, message);
        }
    }

    /// Checks one object and strikes it off the references.
    fn object(&mut self, digest: Digest, path: &Path, place: &str) {
        self.report.objects += 1;
        let reference = self.references.remove(&digest);
        let read = files::open_regular(path).and_then(|mut file| {
            Digest::of_reader(&mut file).map_err(|source| FileError {
                path: path.to_owned(),
                doing: "read",
                source,
            })
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_unique_and_kebab_case() {
        for (at, (rule, meaning)) in RULES.iter().enumerate() {
            assert!(rule.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{rule}");
            assert!(!meaning.is_empty());
            assert!(RULES[..at].iter().all(|(other, _)| other != rule), "{rule}");
        }
    }
}
