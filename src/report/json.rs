//! The evidence as JSON: what `evidence list`, `evidence show` and `evidence
//! export --to json` print.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::ReportError;
use super::bodies::{Bodies, LeftOut};
use super::model::{Dossier, OnlyIndexed, RunStory};
use super::view::{OnlyIndexedFacts, RunDetail, RunFacts};
use crate::digest::Digest;
use crate::evidence::{Event, ObjectRef, Recorded, RunRecord, Store, VerifyReport};
use crate::verdict::Verdict;

/// `evidence list --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EvidenceList {
    /// Always 1.
    pub schema_version: u32,
    /// Every attempt whose journal can be read, oldest first.
    pub runs: Vec<RunFacts>,
    /// The attempts of which only the index tells, oldest first: those that
    /// were removed, and those whose journal cannot be read.
    pub only_indexed: Vec<OnlyIndexedFacts>,
}

impl EvidenceList {
    /// The list of these attempts.
    pub fn of<'a>(
        runs: impl IntoIterator<Item = &'a RunRecord>,
        only_indexed: &[OnlyIndexed],
    ) -> Self {
        Self {
            schema_version: 1,
            runs: runs.into_iter().map(RunFacts::of).collect(),
            only_indexed: only_indexed.iter().map(OnlyIndexedFacts::from).collect(),
        }
    }
}

/// `evidence show RUN --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(extend("required" = ["schema_version", "run", "only_indexed", "bodies"]))]
pub struct EvidenceShow {
    /// Always 1.
    pub schema_version: u32,
    /// The attempt; null where only the index tells of it.
    pub run: Option<RunDetail>,
    /// What the index tells of an attempt that was removed; null for others.
    pub only_indexed: Option<OnlyIndexedFacts>,
    /// The bodies by SHA-256; null unless asked for.
    pub bodies: Option<BTreeMap<Digest, BodyText>>,
}

impl EvidenceShow {
    /// All of an attempt; its bodies too, if they are to be read from a store.
    pub fn of(story: &RunStory, bodies: Option<&Store>) -> Self {
        let bodies = bodies.map(|store| texts(store, [story]));
        let run = Some(RunDetail::of(story));
        Self { schema_version: 1, run, only_indexed: None, bodies }
    }

    /// What the index tells of an attempt.
    pub fn of_indexed(run: &OnlyIndexed) -> Self {
        let only_indexed = Some(OnlyIndexedFacts::from(run));
        Self { schema_version: 1, run: None, only_indexed, bodies: None }
    }
}

/// `evidence export --to json`: the verdict and all the evidence in one
/// document. The store remains the evidence: only its chained lines and seals
/// prove that nothing was changed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EvidenceExport {
    /// Always 1.
    pub schema_version: u32,
    /// `ctc-ready` and its version, which wrote this.
    pub tool: String,
    /// Why this is no submission (`DRAFT`, `REHEARSAL…`); null: nothing says
    /// so.
    pub mark: Option<String>,
    /// What the gate says, as `gate --format json`.
    pub verdict: Verdict,
    /// What verifying the store found, as `verify --format json`.
    pub integrity: VerifyReport,
    /// Every attempt whose journal can be read, oldest first.
    pub runs: Vec<ExportedRun>,
    /// The attempts of which only the index tells, oldest first.
    pub only_indexed: Vec<OnlyIndexedFacts>,
    /// Every body that the runs refer to, by its SHA-256.
    pub bodies: BTreeMap<Digest, BodyText>,
}

/// An attempt, and what it stands for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ExportedRun {
    /// Everything of it.
    #[serde(flatten)]
    pub run: RunDetail,
    /// The requirements that it stands for in the verdict.
    pub stands_for: Vec<String>,
}

/// A body. Its text is as stored, so that its digest can be taken again. Text
/// is UTF-8 of at most a mebibyte (2^20 bytes), and 64 mebibytes in the whole
/// document; what is left out is in the store, under its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BodyText {
    /// Stored bytes.
    pub bytes: u64,
    /// `Content-Type` as sent or received.
    pub media_type: Option<String>,
    /// A secret in it was replaced by its salted digest before it was stored.
    pub redacted: bool,
    /// The text.
    pub text: Option<String>,
    /// Why there is no text; null: there is.
    pub left_out: Option<LeftOut>,
}

/// `evidence export --to json`, with a line feed at its end.
///
/// # Errors
/// Never for anything in the evidence.
pub fn export(dossier: &Dossier, store: &Store) -> Result<Vec<u8>, ReportError> {
    let document = EvidenceExport {
        schema_version: 1,
        tool: super::TOOL.to_owned(),
        mark: dossier.mark.map(str::to_owned),
        verdict: dossier.verdict.clone(),
        integrity: dossier.integrity.clone(),
        runs: dossier
            .runs
            .iter()
            .map(|story| ExportedRun {
                run: RunDetail::of(story),
                stands_for: story.stands_for.clone(),
            })
            .collect(),
        only_indexed: dossier.only_indexed.iter().map(OnlyIndexedFacts::from).collect(),
        bodies: texts(store, &dossier.runs),
    };
    super::pretty(&document)
}

/// The bodies that runs refer to, in the order in which they do.
fn texts<'a>(
    store: &Store,
    stories: impl IntoIterator<Item = &'a RunStory>,
) -> BTreeMap<Digest, BodyText> {
    let mut bodies = Bodies::of(store);
    let mut texts = BTreeMap::new();
    for story in stories {
        for Recorded { event, .. } in &story.events {
            for object in objects(event) {
                texts.entry(object.sha256).or_insert_with(|| {
                    let (text, left_out) = match bodies.text(object) {
                        Ok(text) => (Some(text), None),
                        Err(why) => (None, Some(why)),
                    };
                    BodyText {
                        bytes: object.bytes,
                        media_type: object.media_type.clone(),
                        redacted: object.redacted,
                        text,
                        left_out,
                    }
                });
            }
        }
    }
    texts
}

/// The bodies that an event refers to.
fn objects(event: &Event) -> Vec<&ObjectRef> {
    match event {
        Event::Request(request) => request.body.iter().collect(),
        Event::Response(response) => response.body.iter().collect(),
        Event::Submitted(submitted) => vec![&submitted.body],
        Event::Received(received) => vec![&received.body],
        Event::OfficerAsked(mail) | Event::OfficerReminded(mail) => {
            std::iter::once(&mail.body).chain(&mail.eml).collect()
        }
        Event::OfficerAnswered(answered) => {
            answered.attachments.iter().map(|attached| &attached.file).collect()
        }
        Event::CommandEnded(ended) => ended.stdout.iter().chain(&ended.stderr).collect(),
        Event::RunOpened(_)
        | Event::RunResumed(_)
        | Event::RequestFailed(_)
        | Event::LookedUp(_)
        | Event::Announced(_)
        | Event::UploadRefused(_)
        | Event::CommandStarted(_)
        | Event::MovementNamed(_)
        | Event::MessageNoted(_)
        | Event::BalanceAnswered(_)
        | Event::Assigned(_)
        | Event::Imported(_)
        | Event::RunClosed(_) => Vec::new(),
    }
}
