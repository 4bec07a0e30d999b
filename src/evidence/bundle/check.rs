//! Everything that `verify` finds in a bundle: as a zip, or unpacked by whatever
//! program. Needs no settings and no network; unpacks nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::judged::Judged;
use super::names::{MAX_FILES, is_folder, limit_of};
use super::read::{Bundle, is_bundle_file};
use super::statement::{BundleStatement, Origin};
use super::{KEY, MARKS, Mark, PAGE, README, SIGNED, STORE, UNSIGNED, VERDICT, annex, checklist};
use crate::digest::{Digest, canonical_json};
use crate::evidence::error::EvidenceError;
use crate::evidence::event::RunId;
use crate::evidence::format::{MAX_DESCRIPTION, MAX_SEAL, STORE_JSON};
use crate::evidence::index::Index;
use crate::evidence::seal::dsse::Envelope;
use crate::evidence::seal::keys::PublicKey;
use crate::evidence::seal::statement::{PAYLOAD_TYPE, STATEMENT_TYPE, TEST_RESULT};
use crate::evidence::store::parse_description;
use crate::evidence::tree::{Entry, EntryKind, Folder, Tree};
use crate::evidence::verify::{Problem, Trust, VerifyReport, add_problem, examine};
use crate::files::FileError;

/// Largest `verdict.json` read, in bytes.
const MAX_VERDICT: u64 = 64 << 20;
/// Largest key read, in bytes.
const MAX_KEY: u64 = 16 << 10;

/// What a bundle says of itself.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct BundleSummary {
    /// Files in it.
    pub files: u64,
    /// SHA-256 of the zip; none for a bundle that was unpacked.
    pub sha256: Option<Digest>,
    /// `DRAFT` or `REHEARSAL` where it is no submission.
    pub mark: Option<Mark>,
    /// The programme judged.
    pub programme: Option<String>,
    /// The instant judged at.
    pub as_of: Option<String>,
    /// The London day of submission judged for.
    pub submit_on: Option<String>,
    /// The gate found no error.
    pub ready: Option<bool>,
    /// Runs that stand for a requirement.
    pub counted_runs: Vec<RunId>,
    /// Fingerprint of the key that signed it; none: nobody did, or it is not
    /// known who.
    pub key: Option<Digest>,
}

/// What verifying a bundle found.
#[derive(Clone, Debug)]
pub struct VerifiedBundle {
    /// The store in it, and every problem, those of the bundle too.
    pub report: VerifyReport,
    /// The bundle.
    pub summary: BundleSummary,
}

/// Whether `verify` takes this for a bundle: a zip that begins or ends like
/// one, or a folder with what a bundle has and no store has.
pub fn is_bundle(path: &Path) -> bool {
    let path = &followed(path);
    let there = |name: &str| path.join(name).symlink_metadata().is_ok();
    match path.is_dir() {
        true => {
            there(SIGNED) || there(UNSIGNED) || (there(README) && there(VERDICT) && there(STORE))
        }
        false => is_bundle_file(path).unwrap_or(false),
    }
}

/// What the user names may be a link; what lies in it may not.
fn followed(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Checks a bundle. `key`: the fingerprint of the key that must have signed, or
/// vouched for the one that did.
///
/// # Errors
/// When it cannot be read at all, or a later version made the store in it.
/// Whatever else is wrong is in the report.
pub fn verify_bundle(path: &Path, trust: &Trust) -> Result<VerifiedBundle, EvidenceError> {
    if path.is_dir() {
        return Check::new(&Folder::apart(path), Vec::new(), trust).run();
    }
    let opened = Bundle::open(&followed(path))?;
    let mut verified = match &opened.bundle {
        Some(bundle) => {
            let mut verified = Check::new(bundle, opened.problems, trust).run()?;
            verified.summary.sha256 = Some(bundle.sha256());
            verified
        }
        None => {
            VerifiedBundle { report: nothing(opened.problems), summary: BundleSummary::default() }
        }
    };
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    for Problem { place, .. } in &mut verified.report.problems {
        *place = match place.as_str() {
            "" => name.clone().into_owned(),
            inside => format!("{name}!{inside}"),
        };
    }
    Ok(verified)
}

/// A report on a store that cannot be looked at.
fn nothing(problems: Vec<Problem>) -> VerifyReport {
    let intact = problems.is_empty();
    VerifyReport { intact, problems, ..VerifyReport::on_nothing() }
}

struct Check<'a> {
    tree: &'a dyn Tree,
    problems: Vec<Problem>,
    trust: &'a Trust,
    /// What is there, with digest and size.
    files: BTreeMap<String, (Digest, u64)>,
    /// What is not there, and was told.
    missing: BTreeSet<String>,
    summary: BundleSummary,
}

impl<'a> Check<'a> {
    fn new(tree: &'a dyn Tree, problems: Vec<Problem>, trust: &'a Trust) -> Self {
        let (files, missing) = (BTreeMap::new(), BTreeSet::new());
        Self { tree, problems, trust, files, missing, summary: BundleSummary::default() }
    }

    fn problem(&mut self, rule: &'static str, place: &str, message: impl ToString) {
        add_problem(&mut self.problems, rule, place, message);
    }

    fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    fn missing(&mut self, name: &str, message: &str) {
        if self.missing.insert(name.to_owned()) {
            self.problem("bundle-file-missing", name, message);
        }
    }

    fn run(mut self) -> Result<VerifiedBundle, EvidenceError> {
        self.walk("");
        self.summary.files = self.files.len() as u64;
        if self.summary.files > MAX_FILES {
            self.problem("bundle-form", "", format!("it has more than {MAX_FILES} files"));
        }
        for name in [README, PAGE, VERDICT] {
            if !self.has(name) {
                self.missing(name, "every bundle has it, and it is not there");
            }
        }
        let statement = self.statement();
        if let Some(statement) = &statement {
            self.subjects(statement);
            self.marks(statement.predicate.mark);
        }
        let (store, index) = self.store()?;
        self.signer(&index);
        self.verdict(statement.as_ref(), &index);
        let mut problems = std::mem::take(&mut self.problems);
        for Problem { rule, place, message } in store.problems {
            let place = format!("{STORE}/{place}");
            problems.push(Problem { rule, place, message });
        }
        let report = VerifyReport { intact: problems.is_empty(), problems, ..store };
        Ok(VerifiedBundle { report, summary: self.summary })
    }

    /// Finds every file, and takes its digest.
    fn walk(&mut self, folder: &str) {
        let entries = match self.tree.list(folder) {
            Ok(entries) => entries,
            Err(error) => return self.problem("unreadable-file", folder, error),
        };
        for Entry { name, kind } in entries {
            let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            match (kind, limit_of(&name)) {
                (EntryKind::Folder, _) if is_folder(&name) => self.walk(&name),
                (EntryKind::File, Some(limit)) => match self.tree.digest(&name) {
                    Ok((_, bytes)) if bytes > limit => {
                        let message = format!("it has {bytes} bytes, and at most {limit} may be");
                        self.problem("bundle-form", &name, message);
                    }
                    Ok(measured) => drop(self.files.insert(name, measured)),
                    Err(error) => self.problem("unreadable-file", &name, error),
                },
                _ => {
                    let message = format!("`{name}` does not belong in a bundle");
                    self.problem("bundle-file-added", &name, message);
                }
            }
            if self.files.len() as u64 > MAX_FILES {
                return;
            }
        }
    }

    /// Reads the statement, and checks who signed it.
    fn statement(&mut self) -> Option<BundleStatement> {
        let payload = match (self.has(SIGNED), self.has(UNSIGNED)) {
            (true, false) => self.signed()?,
            (false, true) => self.unsigned()?,
            (true, true) => {
                let message = format!("`{SIGNED}` and `{UNSIGNED}` are both there");
                self.problem("bundle-statement", UNSIGNED, message);
                return None;
            }
            (false, false) => {
                self.missing(SIGNED, "there is no statement of what belongs in it");
                return None;
            }
        };
        let place = if self.has(SIGNED) { SIGNED } else { UNSIGNED };
        let statement: BundleStatement = match serde_json::from_slice(&payload) {
            Ok(statement) => statement,
            Err(error) => {
                self.problem("bundle-statement", place, format!("it cannot be read: {error}"));
                return None;
            }
        };
        if statement.kind != STATEMENT_TYPE || statement.predicate_type != TEST_RESULT {
            self.problem("bundle-statement", place, "it is a statement of another type");
        }
        let predicate = &statement.predicate;
        self.summary.mark = predicate.mark;
        self.summary.programme = Some(predicate.programme.clone());
        self.summary.as_of = Some(predicate.as_of.clone());
        self.summary.submit_on = predicate.submit_on.clone();
        self.summary.ready = Some(predicate.result == "PASSED");
        self.summary.counted_runs = predicate.counted_runs.clone();
        Some(statement)
    }

    fn signed(&mut self) -> Option<Vec<u8>> {
        let bytes = self.read(SIGNED, MAX_SEAL)?;
        let envelope = match Envelope::parse(&bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.problem("bundle-statement", SIGNED, error);
                return None;
            }
        };
        if envelope.payload_type != PAYLOAD_TYPE {
            self.problem("bundle-statement", SIGNED, "it holds no in-toto statement");
        }
        if !self.has(KEY) {
            self.missing(KEY, "the key that checks the signature is not there");
            return Some(envelope.payload);
        }
        let text = self.read(KEY, MAX_KEY).map(String::from_utf8);
        let key = match text.map(|text| PublicKey::from_pem(&text.unwrap_or_default())) {
            None => return Some(envelope.payload),
            Some(Ok(key)) => key,
            Some(Err(why)) => {
                self.problem("bundle-signature", KEY, format!("the file {why}"));
                return Some(envelope.payload);
            }
        };
        match envelope.verify(&key) {
            Ok(()) => self.summary.key = Some(key.fingerprint()),
            Err(error) => self.problem("bundle-signature", SIGNED, error),
        }
        Some(envelope.payload)
    }

    fn unsigned(&mut self) -> Option<Vec<u8>> {
        let bytes = self.read(UNSIGNED, MAX_SEAL)?;
        let canonical = serde_json::from_slice::<Value>(&bytes)
            .is_ok_and(|value| (canonical_json(&value) + "\n").as_bytes() == bytes);
        if !canonical {
            self.problem("bundle-statement", UNSIGNED, "it is not in canonical form (RFC 8785)");
        }
        if self.has(KEY) {
            self.problem("bundle-signature", KEY, "there is a key, and nothing signed by it");
        }
        Some(bytes)
    }

    /// Compares what is there with what the statement names.
    fn subjects(&mut self, statement: &BundleStatement) {
        let mut named = BTreeMap::new();
        for subject in &statement.subject {
            let digest = subject.digest.get("sha256").filter(|_| subject.digest.len() == 1);
            let earlier = digest.map(|digest| named.insert(subject.name.as_str(), *digest));
            if earlier != Some(None) {
                let message = format!("it names `{}` twice, or without digest", subject.name);
                add_problem(&mut self.problems, "bundle-statement", SIGNED, message);
            }
        }
        for (name, (digest, _)) in &self.files {
            let (rule, message) = match named.remove(name.as_str()) {
                _ if matches!(name.as_str(), SIGNED | UNSIGNED) => continue,
                Some(said) if said == *digest => continue,
                Some(said) => (
                    "bundle-changed",
                    format!("it has the digest `{digest}`, the statement says `{said}`"),
                ),
                None => ("bundle-file-added", "the statement does not name it".to_owned()),
            };
            add_problem(&mut self.problems, rule, name.as_str(), message);
        }
        let gone: Vec<String> = named.into_keys().map(str::to_owned).collect();
        for name in gone {
            self.missing(&name, "the statement names it, and it is not there");
        }
    }

    /// Compares the mark that the statement says with the names of the files
    /// that say it too.
    fn marks(&mut self, said: Option<Mark>) {
        for mark in MARKS {
            let right = mark == said;
            let form = checklist(mark);
            if right && !self.has(form) {
                self.missing(form, "every bundle has a form, and it is not there");
            } else if !right && self.has(form) {
                let message = format!("the statement and the name `{form}` disagree");
                self.problem("bundle-mark", form, message);
            }
            if !right && self.has(annex(mark)) {
                let message = format!("the statement and the name `{}` disagree", annex(mark));
                self.problem("bundle-mark", annex(mark), message);
            }
            let Some(file) = mark.map(Mark::file) else { continue };
            if self.has(file) != right {
                let message = format!("the statement and the file `{file}` disagree");
                self.problem("bundle-mark", file, message);
            }
        }
    }

    /// Checks the store as `verify` does wherever it lies.
    fn store(&mut self) -> Result<(VerifyReport, Index), EvidenceError> {
        // The bundle's signature covers every file of the store: it, not the
        // seals in there, must be by the key that was named.
        let trust = Trust { key: None, authorities: self.trust.authorities.clone() };
        match examine(&Inside { tree: self.tree, files: &self.files }, &trust) {
            Err(EvidenceError::NoStore(_)) => {
                self.missing(STORE, "there is no evidence in it");
                Ok((nothing(Vec::new()), Index::default()))
            }
            examined => examined,
        }
    }

    /// Whether the store knows the key that signed, and whether it is the one
    /// that was named, or goes back to it. That each key vouches for the next
    /// is looked at with the store.
    fn signer(&mut self, index: &Index) {
        let signer = self.summary.key;
        if let Some(key) = signer.filter(|key| !index.keys.contains_key(key)) {
            let message = format!("the store does not know the key `{key}` that signed it");
            self.problem("bundle-signature", SIGNED, message);
        }
        let Some(named) = self.trust.key else { return };
        let before = |key: &Digest| index.keys.get(key).and_then(|known| known.replaces);
        let mut line = std::iter::successors(signer, before).take(index.keys.len() + 1);
        if !line.any(|key| key == named) {
            let message = format!("neither the key `{named}` signed it, nor one it vouches for");
            self.problem("bundle-signature", SIGNED, message);
        }
    }

    /// Compares the verdict with the evidence, the statement and the marks.
    fn verdict(&mut self, statement: Option<&BundleStatement>, index: &Index) {
        let Some(bytes) = self.has(VERDICT).then(|| self.read(VERDICT, MAX_VERDICT)) else {
            return;
        };
        let judged = match bytes.map(|bytes| Judged::parse(&bytes)) {
            None => return,
            Some(Ok(judged)) => judged,
            Some(Err(why)) => return self.problem("bundle-verdict", VERDICT, why),
        };
        for message in judged.disagreements(index) {
            self.problem("bundle-verdict", VERDICT, message);
        }
        let Some(statement) = statement else { return };
        let said = &statement.predicate;
        let place = if self.has(SIGNED) { SIGNED } else { UNSIGNED };

        let origin = Origin { mark: said.mark, store: said.store, tool: said.tool.clone() };
        let files = self.files.iter().map(|(name, (digest, _))| (name.as_str(), *digest));
        if BundleStatement::new(files, &judged, origin).predicate != *said {
            let message = "it says otherwise than the verdict and the store beside it";
            self.problem("bundle-statement", place, message);
        }
        let description = format!("{STORE}/{STORE_JSON}");
        let store = self.tree.read(&description, MAX_DESCRIPTION).ok().and_then(|bytes| {
            parse_description(&bytes, Path::new(&description)).ok().map(|known| known.store)
        });
        if store.is_some_and(|store| store != said.store) {
            self.problem("bundle-statement", place, "it is about another store");
        }
        if said.mark.is_none() {
            if !judged.ready {
                let message = "the gate found errors, and the bundle is not marked DRAFT";
                self.problem("bundle-mark", VERDICT, message);
            }
            if place == UNSIGNED {
                let message = "a bundle that is marked neither DRAFT nor REHEARSAL is signed";
                self.problem("bundle-signature", place, message);
            }
        }
        if judged.rehearsal && said.mark != Some(Mark::Rehearsal) {
            let message = "simulated evidence counts, and the bundle is not marked REHEARSAL";
            self.problem("bundle-mark", VERDICT, message);
        }
    }

    fn read(&mut self, name: &str, max: u64) -> Option<Vec<u8>> {
        match self.tree.read(name, max) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.problem("unreadable-file", name, error);
                None
            }
        }
    }
}

/// The store inside a bundle, whose digests are known.
struct Inside<'a> {
    tree: &'a dyn Tree,
    files: &'a BTreeMap<String, (Digest, u64)>,
}

fn inside(name: &str) -> String {
    match name {
        "" => STORE.to_owned(),
        name => format!("{STORE}/{name}"),
    }
}

impl Tree for Inside<'_> {
    fn list(&self, folder: &str) -> Result<Vec<Entry>, FileError> {
        self.tree.list(&inside(folder))
    }

    fn open(&self, file: &str) -> Result<Box<dyn Read + '_>, FileError> {
        self.tree.open(&inside(file))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.tree.path(&inside(name))
    }

    fn digest(&self, file: &str) -> Result<(Digest, u64), FileError> {
        let name = inside(file);
        self.files.get(&name).map_or_else(|| self.tree.digest(&name), |known| Ok(*known))
    }
}
