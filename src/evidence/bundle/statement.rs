//! What is said, and signed, of a bundle: an in-toto Statement v1 over every
//! other file in it, with the test-result predicate v0.1. Members may be added;
//! none is renamed or removed.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::judged::Judged;
use super::{Mark, STORE};
use crate::digest::{Digest, canonical_json};
use crate::evidence::event::RunId;
use crate::evidence::format::STORE_JSON;
use crate::evidence::seal::Subject;
use crate::evidence::seal::statement::{STATEMENT_TYPE, TEST_RESULT};

/// The statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleStatement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// Every other file of the bundle, in the byte order of their names.
    pub subject: Vec<Subject>,
    /// [`TEST_RESULT`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said of them.
    pub predicate: BundlePredicate,
}

/// What is said. `result`, `configuration`, `passedTests` and `failedTests` are
/// the predicate's own; the others are ctc-ready's. All but `mark`, `store` and
/// `tool` repeats what `verdict.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundlePredicate {
    /// `PASSED` when the gate found no error, else `FAILED`.
    pub result: String,
    /// `evidence/store.json`.
    pub configuration: Vec<Subject>,
    /// Requirements that stand.
    pub passed_tests: Vec<String>,
    /// Requirements that apply and do not stand.
    pub failed_tests: Vec<String>,
    /// Runs that stand for a requirement.
    pub counted_runs: Vec<RunId>,
    /// The programme judged.
    pub programme: String,
    /// The instant judged at, as `verdict.json` has it.
    pub as_of: String,
    /// The London day of submission judged for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit_on: Option<String>,
    /// Says that the bundle is no submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// The store's id.
    pub store: Uuid,
    /// `ctc-ready` and its version.
    pub tool: String,
}

/// What a bundle's files cannot say themselves.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Says that the bundle is no submission.
    pub(super) mark: Option<Mark>,
    /// The store's id.
    pub(super) store: Uuid,
    /// `ctc-ready` and its version.
    pub(super) tool: String,
}

impl BundleStatement {
    /// The statement over these files, by name in byte order.
    pub(super) fn new<'a>(
        files: impl IntoIterator<Item = (&'a str, Digest)>,
        judged: &Judged,
        origin: Origin,
    ) -> Self {
        let subject: Vec<Subject> =
            files.into_iter().map(|(name, digest)| file_subject(name, digest)).collect();
        let description = format!("{STORE}/{STORE_JSON}");
        let configuration =
            subject.iter().filter(|subject| subject.name == description).cloned().collect();
        let names = |standing: bool| {
            let applying = judged.requirements.iter().filter(|item| item.applies());
            let of_kind = applying.filter(|item| item.stands() == standing);
            of_kind.map(|item| item.requirement.clone()).collect()
        };
        Self {
            kind: STATEMENT_TYPE.to_owned(),
            predicate_type: TEST_RESULT.to_owned(),
            predicate: BundlePredicate {
                result: if judged.ready { "PASSED" } else { "FAILED" }.to_owned(),
                configuration,
                passed_tests: names(true),
                failed_tests: names(false),
                counted_runs: judged.counted(),
                programme: judged.programme.clone(),
                as_of: judged.as_of.clone(),
                submit_on: judged.submit_on.clone(),
                mark: origin.mark,
                store: origin.store,
                tool: origin.tool,
            },
            subject,
        }
    }

    /// Canonical JSON: what is signed.
    pub(super) fn payload(&self) -> String {
        // Strings and lists of them cannot fail to become JSON.
        canonical_json(&serde_json::to_value(self).unwrap_or_default())
    }
}

/// A file and its digest.
pub(super) fn file_subject(name: &str, digest: Digest) -> Subject {
    Subject { name: name.to_owned(), digest: [("sha256".to_owned(), digest)].into() }
}
