//! What a batch tells whoever watches, and the JSON of `run`.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::evidence::{Driver, Failure, RunId, RunRecord, RunState, WaitingFor};
use crate::project::Environment;

use super::mail::Mail;

/// `run --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunReport {
    /// Always 1.
    pub schema_version: u32,
    /// The attempt that now stands for each selected scenario.
    pub runs: Vec<RunEntry>,
    /// Scenarios of which nothing was sent, since one of their messages is not
    /// valid against HMRC's schemas.
    pub held_back: Vec<HeldBack>,
}

/// A scenario that was held back before anything was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HeldBack {
    /// `ncts5-final`.
    pub programme: String,
    /// `DSGB1`.
    pub scenario: String,
    /// The attempt under way, which stays as it is; none: no attempt was made.
    pub run: Option<RunId>,
    /// Which message, and what is wrong with it.
    pub reason: String,
}

/// One run in [`RunReport`].
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunEntry {
    /// The run.
    pub run: RunId,
    /// `DSGB1`.
    pub scenario: String,
    /// `ncts5-final`.
    pub programme: String,
    /// Where messages went.
    pub environment: Environment,
    /// Who acted as the trader's software.
    pub driver: Driver,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Where it stands.
    pub state: RunState,
    /// LRN of its departure.
    pub lrn: Option<String>,
    /// MRN.
    pub mrn: Option<String>,
    /// When it opened.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub finished: Option<DateTime<Utc>>,
    /// Requests that left.
    pub requests: u32,
    /// Who must act next.
    pub waiting_for: Option<WaitingFor>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

impl RunEntry {
    /// The entry of a recorded run.
    pub fn new(record: &RunRecord, waiting_for: Option<WaitingFor>) -> Self {
        Self {
            run: record.run,
            scenario: record.scenario.clone(),
            programme: record.programme.clone(),
            environment: record.environment,
            driver: record.driver,
            attempt: record.attempt,
            state: record.state,
            lrn: record.lrn.clone(),
            mrn: record.mrn.clone(),
            started: record.opened,
            finished: record.closed,
            requests: record.requests,
            waiting_for,
            failure: record.failure.clone(),
        }
    }
}

/// Where one run of a batch stands, for live progress.
#[derive(Clone, Debug)]
pub struct RunView {
    /// The run.
    pub run: RunId,
    /// `DSGB1`.
    pub scenario: String,
    /// Attempt number.
    pub attempt: u32,
    /// The step it is at, from 1.
    pub step: u32,
    /// Steps in all.
    pub steps: u32,
    /// Messages fetched (and balances told) of those expected.
    pub messages: (u32, u32),
    /// Where it stands.
    pub state: RunState,
    /// What it is doing, in a few words.
    pub doing: String,
    /// Who must act next.
    pub waiting_for: Option<WaitingFor>,
}

/// Someone who watches a batch.
pub trait Watcher {
    /// A run moved on.
    fn moved(&mut self, view: &RunView);
    /// The officers must be asked, and a person must send this e-mail.
    fn mail_to_send(&mut self, view: &RunView, mail: &Mail);
    /// Something is worth telling, such as a retry or a note on a payload.
    fn note(&mut self, text: &str);
}
