//! What a batch tells whoever watches, and the JSON of `run`.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::catalogue::{Programme, Scenario, Step};
use crate::evidence::{Driver, Failure, RunId, RunRecord, RunState, WaitingFor};
use crate::ncts::MessageType;
use crate::project::Environment;

use super::decide;
use super::mail::Mail;
use super::state::State;

/// `run --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunReport {
    /// Always 1.
    pub schema_version: u32,
    /// The attempt that now stands for each selected scenario.
    pub runs: Vec<RunEntry>,
    /// Scenarios of which nothing was sent, since one of their messages is not
    /// valid against HMRC's schemas, or leads elsewhere than its scenario.
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
    /// Requests in its journal. A poll of all movements stands in each run to
    /// which it brought news, a mail to the simulator's officers as one more.
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
    /// `ncts5-final`.
    pub programme: String,
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
    /// What it is doing, or has just done.
    pub doing: Doing,
    /// Who must act next.
    pub waiting_for: Option<WaitingFor>,
}

impl RunView {
    /// How a run of this scenario looks from outside.
    pub fn of(
        run: RunId,
        attempt: u32,
        (programme, scenario): (&Programme, &Scenario),
        state: &State,
        waiting_for: Option<WaitingFor>,
        doing: Doing,
    ) -> Self {
        let steps = scenario.step.len() as u32;
        let (step, _) = decide::position(scenario, state);
        let expected = |step: &Step| step.expect.len() + usize::from(step.answer.is_some());
        let expected: usize = scenario.step.iter().map(expected).sum();
        let received = state.received.len() + state.balances.len();
        Self {
            run,
            scenario: scenario.id.clone(),
            programme: programme.id.clone(),
            attempt,
            step: step.min(steps),
            steps,
            messages: (received as u32, expected as u32),
            state: state.closed.as_ref().map_or(RunState::Waiting, |(_, closed)| closed.state),
            doing,
            waiting_for,
        }
    }
}

/// What a run is doing, or has just done.
#[derive(Clone, Debug, PartialEq)]
pub enum Doing {
    /// It was opened, or taken up again.
    Opened {
        /// Whether an earlier process opened it.
        resumed: bool,
    },
    /// Something under way, in words.
    Busy(String),
    /// The API took this step's message.
    Sent {
        /// The step, from 1.
        step: u32,
        /// Its message.
        message: MessageType,
    },
    /// A message of NCTS was fetched.
    Received {
        /// The step it was at when the message came.
        step: u32,
        /// The message.
        message: MessageType,
    },
    /// The officers were asked to act, or reminded of it.
    Asked {
        /// The step, from 1.
        step: u32,
        /// Whether it was a reminder.
        follow_up: bool,
    },
    /// The officers replied at this time by the user's word; their messages
    /// have not come.
    Answered {
        /// The step, from 1.
        step: u32,
        /// When the user said so.
        at: DateTime<Utc>,
    },
    /// It waits: see [`RunView::waiting_for`].
    Waiting,
    /// It cannot go on in this batch, for this reason.
    Stopped(String),
    /// It is over: see [`RunView::state`]; why, unless it passed.
    Over(Option<String>),
}

impl From<String> for Doing {
    fn from(text: String) -> Self {
        Self::Busy(text)
    }
}

impl From<&str> for Doing {
    fn from(text: &str) -> Self {
        Self::Busy(text.to_owned())
    }
}

/// Someone who watches a batch.
pub trait Watcher {
    /// A run moved on.
    fn moved(&mut self, view: &RunView);
    /// One more request leaves; how many that makes for the whole batch.
    fn requested(&mut self, total: u64);
    /// The officers must be asked or reminded, and a person must send this
    /// e-mail. It is evidence already.
    fn mail_to_send(&mut self, view: &RunView, mail: &Mail);
    /// Something is worth telling, such as a retry or a note on a payload.
    fn note(&mut self, text: &str);
}
