//! What a seal states, as it is stored: an in-toto Statement v1 with the
//! test-result predicate v0.1 (in-toto attestation framework). Members may be
//! added; none is renamed or removed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::merkle;
use crate::digest::{Digest, canonical_json};
use crate::evidence::chain::{self, Head};
use crate::evidence::error::EvidenceError;
use crate::evidence::event::{RunId, RunState};
use crate::evidence::format::{INDEX, STORE_JSON, journal_name};
use crate::evidence::index::Index;
use crate::evidence::store::{Store, check_journal};
use crate::files::{self, FileError};
use crate::project::Environment;

/// `_type` of a statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of a seal.
pub const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// `payloadType` of the envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// `store.json`, `index.jsonl`, then every journal that was there, by run.
    pub subject: Vec<Subject>,
    /// [`TEST_RESULT`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said of them.
    pub predicate: Predicate,
}

/// A file of the store, as far as it went when the seal was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its path in the store, with `/`.
    pub name: String,
    /// `sha256`: of its first so many bytes; how many, the predicate says.
    pub digest: BTreeMap<String, Digest>,
}

/// What is said. `result`, `configuration`, `passedTests` and `failedTests` are
/// the predicate's own; the others are ctc-ready's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// `PASSED` when no run failed, was abandoned or is open, else `FAILED`.
    pub result: String,
    /// `store.json`.
    pub configuration: Vec<Subject>,
    /// `<programme>/<scenario>#<attempt>` of the runs that passed.
    pub passed_tests: Vec<String>,
    /// The same of all others.
    pub failed_tests: Vec<String>,
    /// The store's id.
    pub store: Uuid,
    /// The seal's number, from 1.
    pub seal: u64,
    /// When it was made: UTC with milliseconds.
    pub at: String,
    /// `ctc-ready` and its version.
    pub tool: String,
    /// SHA-256 of the file of the seal before.
    pub previous: Option<Digest>,
    /// Lines of the index covered.
    pub index_lines: u64,
    /// Hash of the last of them.
    pub index_head: Digest,
    /// Bytes of the index covered.
    pub index_bytes: u64,
    /// Every run in the index, by id.
    pub runs: Vec<SealedRun>,
    /// Root of the Merkle tree (RFC 9162, section 2.1) whose leaves are the
    /// canonical JSON of `{"bytes","head","lines","name"}` of the index and of
    /// every journal, in the order of `subject`.
    pub merkle_root: Digest,
}

/// A run covered by a seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedRun {
    /// The run.
    pub run: RunId,
    /// Its programme.
    pub programme: String,
    /// Its scenario.
    pub scenario: String,
    /// Its attempt.
    pub attempt: u32,
    /// Where its messages went.
    pub environment: Environment,
    /// How it stood.
    pub state: RunState,
    /// Lines of its journal covered.
    pub lines: u64,
    /// Hash of the last of them.
    pub head: Digest,
    /// Bytes of its journal covered.
    pub bytes: u64,
    /// It had been removed by then: neither subject nor leaf.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// A file of lines, as far as a seal covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where its chain had got to.
    pub head: Head,
    /// Bytes up to there.
    pub bytes: u64,
    /// SHA-256 of those bytes. None for a journal that was removed by then.
    pub sha256: Option<Digest>,
}

/// What a seal says that the store does not.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The seal's number, from 1.
    pub number: u64,
    /// SHA-256 of the file of the seal before.
    pub previous: Option<Digest>,
    /// When it is made, as lines write it.
    pub at: String,
    /// `ctc-ready` and its version.
    pub tool: String,
}

/// A statement that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Not the JSON of a statement.
    #[error("its payload is not a statement about a store: {0}")]
    NotAStatement(String),
    /// JSON in another form than the canonical one.
    #[error("its payload is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// It says something else than the store.
    #[error("its `{0}` is not what the store says at that point")]
    Differs(&'static str),
}

impl Statement {
    /// The statement about a store as it was when opened. The same store and
    /// occasion give the same statement.
    ///
    /// # Errors
    /// The first journal that cannot be read, or was changed: nothing that is
    /// broken is signed.
    pub fn about(store: &Store, occasion: Occasion) -> Result<Self, EvidenceError> {
        let layout = store.layout();
        let mut journals = BTreeMap::new();
        for (run, indexed) in store.indexed().filter(|(_, run)| run.removed.is_none()) {
            let end = check_journal(layout, run, indexed)?;
            journals.insert(run, extent(&layout.journal(run), &end)?);
        }
        let index = extent(&layout.index(), &store.index_end())?;
        Ok(Self::compose(store.index(), &index, &journals, occasion))
    }

    /// Puts a statement together. Journals that are not given are taken for
    /// removed ones.
    fn compose(
        index: &Index,
        index_extent: &Extent,
        journals: &BTreeMap<RunId, Extent>,
        occasion: Occasion,
    ) -> Self {
        let store_json = subject(STORE_JSON, index.store_json.unwrap_or(Digest::ZERO));
        let index_digest = index_extent.sha256.unwrap_or(Digest::ZERO);
        let mut subjects = vec![store_json.clone(), subject(INDEX, index_digest)];
        let (mut runs, mut passed_tests, mut failed_tests) = (Vec::new(), Vec::new(), Vec::new());
        for (run, indexed) in &index.runs {
            let removed = indexed.removed.is_some();
            let journal = journals.get(run).filter(|_| !removed);
            if let Some(digest) = journal.and_then(|it| it.sha256) {
                subjects.push(subject(&journal_name(*run), digest));
            }
            let state = indexed.closed.map_or(RunState::Waiting, |closed| closed.state);
            let name = format!("{}/{}#{}", indexed.programme, indexed.scenario, indexed.attempt);
            match state {
                RunState::Passed => passed_tests.push(name),
                _ => failed_tests.push(name),
            }
            let closed = indexed.closed.map(|it| Head { lines: it.lines, hash: it.head });
            let head = closed.or(journal.map(|it| it.head)).unwrap_or(Head::START);
            runs.push(SealedRun {
                run: *run,
                programme: indexed.programme.clone(),
                scenario: indexed.scenario.clone(),
                attempt: indexed.attempt,
                environment: indexed.environment,
                state,
                lines: head.lines,
                head: head.hash,
                bytes: journal.map_or(0, |it| it.bytes),
                removed,
            });
        }
        let result = if failed_tests.is_empty() { "PASSED" } else { "FAILED" };
        let Extent { head, bytes, .. } = *index_extent;
        let merkle_root = merkle_root(head, bytes, &runs);
        let predicate = Predicate {
            result: result.into(),
            configuration: vec![store_json],
            passed_tests,
            failed_tests,
            store: index.store.unwrap_or_default(),
            seal: occasion.number,
            at: occasion.at,
            tool: occasion.tool,
            previous: occasion.previous,
            index_lines: head.lines,
            index_head: head.hash,
            index_bytes: bytes,
            runs,
            merkle_root,
        };
        Self {
            kind: STATEMENT_TYPE.into(),
            subject: subjects,
            predicate_type: TEST_RESULT.into(),
            predicate,
        }
    }

    /// The bytes that are signed: canonical JSON.
    pub fn payload(&self) -> String {
        canonical_json(&serde_json::to_value(self).unwrap_or_default())
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        let wrong = |error: serde_json::Error| StatementError::NotAStatement(error.to_string());
        let value: serde_json::Value = serde_json::from_slice(payload).map_err(wrong)?;
        if canonical_json(&value).as_bytes() != payload {
            return Err(StatementError::NotCanonical);
        }
        serde_json::from_value(value).map_err(wrong)
    }

    /// Checks everything it says against an index that ends where it was made,
    /// but for the journals themselves: these are for [`Statement::journals`].
    ///
    /// # Errors
    /// The first member that says something else.
    pub fn check(
        &self,
        index: &Index,
        extent: &Extent,
        number: u64,
        previous: Option<Digest>,
    ) -> Result<(), StatementError> {
        let predicate = &self.predicate;
        let occasion =
            Occasion { number, previous, at: predicate.at.clone(), tool: predicate.tool.clone() };
        let journals = self.journals().collect();
        let expected = Self::compose(index, extent, &journals, occasion);
        let other = &expected.predicate;
        let same = [
            ("_type", self.kind == expected.kind),
            ("predicateType", self.predicate_type == expected.predicate_type),
            ("store", predicate.store == other.store),
            ("seal", predicate.seal == other.seal),
            ("previous", predicate.previous == other.previous),
            ("at", self.made().is_some()),
            ("indexLines", predicate.index_lines == other.index_lines),
            ("indexHead", predicate.index_head == other.index_head),
            ("indexBytes", predicate.index_bytes == other.index_bytes),
            ("runs", predicate.runs == other.runs),
            ("merkleRoot", predicate.merkle_root == other.merkle_root),
            ("subject", self.subject == expected.subject),
            ("configuration", predicate.configuration == other.configuration),
            ("passedTests", predicate.passed_tests == other.passed_tests),
            ("failedTests", predicate.failed_tests == other.failed_tests),
            ("result", predicate.result == other.result),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((name, _)) => Err(StatementError::Differs(name)),
            None => Ok(()),
        }
    }

    /// When it was made.
    pub fn made(&self) -> Option<DateTime<Utc>> {
        chain::parse_at(Some(&self.predicate.at))
    }

    /// The journals it covers, as far as it covers them.
    pub fn journals(&self) -> impl Iterator<Item = (RunId, Extent)> {
        let digests: BTreeMap<&str, Digest> = self
            .subject
            .iter()
            .filter_map(|subject| Some((subject.name.as_str(), *subject.digest.get("sha256")?)))
            .collect();
        self.predicate.runs.iter().map(move |run| {
            let head = Head { lines: run.lines, hash: run.head };
            let sha256 = digests.get(journal_name(run.run).as_str()).copied();
            (run.run, Extent { head, bytes: run.bytes, sha256 })
        })
    }
}

fn subject(name: &str, sha256: Digest) -> Subject {
    Subject { name: name.to_owned(), digest: BTreeMap::from([("sha256".to_owned(), sha256)]) }
}

/// The root over the index and the journals that are there.
fn merkle_root(index: Head, bytes: u64, runs: &[SealedRun]) -> Digest {
    let leaf = |name: &str, head: Head, bytes: u64| {
        let value = serde_json::json!({
            "bytes": bytes, "head": head.hash, "lines": head.lines, "name": name,
        });
        merkle::leaf(canonical_json(&value).as_bytes())
    };
    let journals = runs.iter().filter(|run| !run.removed).map(|run| {
        let head = Head { lines: run.lines, hash: run.head };
        leaf(&journal_name(run.run), head, run.bytes)
    });
    merkle::root(std::iter::once(leaf(INDEX, index, bytes)).chain(journals))
}

/// A file's extent up to the end that reading it found.
fn extent(path: &Path, end: &chain::End) -> Result<Extent, EvidenceError> {
    let sha256 = digest_of_start(path, end.length)?;
    Ok(Extent { head: end.head, bytes: end.length, sha256: Some(sha256) })
}

/// The digest of a file's first `bytes` bytes, or of all of it if it is
/// shorter.
pub(in crate::evidence) fn digest_of_start(
    path: &Path,
    bytes: u64,
) -> Result<Digest, EvidenceError> {
    let mut start = files::open_regular(path)?.take(bytes);
    let (digest, _) = Digest::of_reader(&mut start).map_err(|source| FileError {
        path: path.to_owned(),
        doing: "read",
        source,
    })?;
    Ok(digest)
}
