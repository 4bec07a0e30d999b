//! What a seal states, as it is stored: an in-toto Statement v1 with the
//! test-result predicate v0.1 (in-toto attestation framework). Members may be
//! added; none is renamed or removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::digest::Digest;
use crate::evidence::event::{RunId, RunState};
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
