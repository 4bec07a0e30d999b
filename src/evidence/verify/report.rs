//! What verification is told, and what it finds.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::digest::Digest;
use crate::evidence::event::RunId;
use crate::evidence::seal::Authorities;

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
    /// Bytes of journals, index, objects and seals.
    pub bytes: u64,
    /// Seals over the store, oldest first.
    pub seals: Vec<SealReport>,
    /// Runs that no valid seal covers to their end; where a key was named, no
    /// valid seal that goes back to it. No problem in itself.
    pub unsealed_runs: Vec<RunId>,
    /// The keys of the valid seals that cover a run to its end, by run.
    pub sealed_by: BTreeMap<RunId, BTreeSet<Digest>>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl VerifyReport {
    /// On what holds nothing, and has nothing wrong with it.
    pub fn on_nothing() -> Self {
        Self {
            schema_version: 1,
            intact: true,
            runs: 0,
            exchanges: 0,
            objects: 0,
            bytes: 0,
            seals: Vec::new(),
            unsealed_runs: Vec::new(),
            sealed_by: BTreeMap::new(),
            problems: Vec::new(),
        }
    }
}

/// A seal and whether it holds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SealReport {
    /// The seal's file: `seals/1.dsse.json`.
    pub seal: String,
    /// When it says it was made.
    pub at: Option<DateTime<Utc>>,
    /// Fingerprint of its key.
    pub key: Digest,
    /// The key before, where that vouches for this one.
    pub endorsed_by: Option<Digest>,
    /// Runs it covers.
    pub covers_runs: u64,
    /// Hash of the last line of the index that it covers, where it says so.
    pub index_head: Option<Digest>,
    /// Signature and covered heads hold.
    pub valid: bool,
    /// The time stamp over it, where there is one that holds.
    pub time_stamp: Option<TimeStampReport>,
}

/// A time stamp that holds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TimeStampReport {
    /// The authority's time: the seal is no younger.
    pub at: DateTime<Utc>,
    /// Who the certificate says it is from.
    pub authority: Option<String>,
    /// The certificate was checked against authorities that were given. If
    /// not, anybody may have made it.
    pub authority_checked: bool,
}

/// What a checker knows from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Fingerprint of the key that must have signed, or vouched for the key
    /// that did.
    pub key: Option<Digest>,
    /// Whom time stamps must come from.
    pub authorities: Option<Authorities>,
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
    ("missing-seal", "the index names a seal or a time stamp that is not there"),
    ("seal-changed", "a seal or a time stamp is not the file that the index names"),
    ("bad-signature", "a seal is not signed by a key that the index introduces"),
    ("seal-mismatch", "a seal says something else of the store than the store does"),
    (
        "bad-endorsement",
        "a line introduces a key with a wrong fingerprint, or a takeover nobody signed",
    ),
    ("bad-time-stamp", "a time stamp is not over its seal, or not from an accepted authority"),
    (
        "unindexed-seal",
        "a seal or time stamp is there that the index does not name; a crash leaves that, and `run` repairs it",
    ),
    ("untrusted-key", "what is sealed is not sealed by the key that was named"),
    ("bundle-form", "a bundle's zip is not in the one form in which its files are a zip"),
    ("bundle-changed", "a bundle is not what its digest, or its statement, says of it"),
    ("bundle-file-added", "a file, folder or link in a bundle that its statement does not name"),
    ("bundle-file-missing", "a file that a bundle, or its statement, must have is not there"),
    ("bundle-statement", "a bundle's statement cannot be read, or is not about what is beside it"),
    ("bundle-signature", "a bundle's signature is missing, wrong, or by another key"),
    ("bundle-verdict", "a bundle's verdict says otherwise than the evidence beside it"),
    (
        "bundle-mark",
        "a bundle that is no submission is not marked so, or says it in one place only",
    ),
    ("too-many-problems", "there are more problems than are listed"),
];

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
