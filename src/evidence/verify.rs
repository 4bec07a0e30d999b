//! Finding any change in a store, with its place. Needs no settings, no
//! network and no clock.

use schemars::JsonSchema;
use serde::Serialize;

use crate::digest::Digest;

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
