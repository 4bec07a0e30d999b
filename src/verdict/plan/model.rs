//! What planning yields: the JSON of `plan` (`schema_version` 1).

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::catalogue::RequirementKind;
use crate::evidence::{Actor, RunId};
use crate::verdict::model::RequirementState;

/// `plan --format json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Plan {
    /// Always 1.
    pub schema_version: u32,
    /// The programme planned for.
    pub programme: String,
    /// The instant planned at.
    pub as_of: DateTime<Utc>,
    /// The London day of submission.
    pub submit_on: Option<NaiveDate>,
    /// The programme's phase on the day of submission, or the nearest one.
    pub phase: Option<PlanPhase>,
    /// Every requirement and why it applies or not, and what there is for it.
    pub requirements: Vec<PlanRequirement>,
    /// When each scenario must start that is not proven by then, the most
    /// urgent first.
    pub schedule: Vec<Scheduled>,
    /// The first day on which a submission would find everything required
    /// proven and fresh: from `submit_on` on; from today on, where no such day
    /// is given or only an earlier one works.
    pub first_day: FirstDay,
    /// What the dates bring about.
    pub consequences: Vec<Consequence>,
}

/// A phase of the programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanPhase {
    /// Its name.
    pub name: String,
    /// First London day.
    pub opens: Option<NaiveDate>,
    /// Last London day.
    pub closes: Option<NaiveDate>,
    /// Whether it covers the day of submission.
    pub open: bool,
}

/// A requirement in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanRequirement {
    /// Its id.
    pub requirement: String,
    /// Mandatory or recommended.
    pub kind: RequirementKind,
    /// Whether it applies.
    pub applies: bool,
    /// Why, or why not.
    pub reason: String,
    /// Scenarios of which one is enough.
    pub any_of: Vec<String>,
    /// The one to run.
    pub chosen: Option<String>,
    /// Where it stands at the instant planned at.
    pub state: RequirementState,
    /// The run that stands for it: on the day of submission where one is good
    /// then, else now.
    pub run: Option<RunId>,
    /// The last instant at which that run may be submitted, where it passed
    /// and counts.
    pub fresh_until: Option<DateTime<Utc>>,
    /// Whether that run is good on the whole day of submission; without such a
    /// day, at the instant planned at. None: the requirement does not apply.
    pub good_on_submission: Option<bool>,
    /// The gate's rules that find an error here, judged for the day of
    /// submission.
    pub findings: Vec<String>,
}

/// When a scenario must start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Scheduled {
    /// The scenario.
    pub scenario: String,
    /// From 1; the most urgent first.
    pub order: u32,
    /// The first start whose evidence is still fresh on the day of
    /// submission. None: no start is possible.
    pub start_no_earlier: Option<DateTime<Utc>>,
    /// The last start, on a quarter of an hour, that is finished in time.
    /// None: no start is possible, or nothing ends the window.
    pub start_no_later: Option<DateTime<Utc>>,
    /// Whether there is a start, and what it takes.
    pub fit: Fit,
    /// Whether HMRC's officers must act.
    pub needs_officer: bool,
    /// How often officers are asked.
    pub officer_steps: u32,
    /// Minutes that NCTS's timers take; what people take comes on top.
    pub expected_minutes: u32,
    /// When a run is finished that starts at the last start (at the first,
    /// where nothing ends the window), if officers answer at once.
    pub finish_officers_at_once: Option<DateTime<Utc>>,
    /// The same, if officers answer when HMRC wants a follow-up. None: no
    /// start is possible.
    pub finish_officers_late: Option<DateTime<Utc>>,
    /// Who must be there when, for that start: with officers as slow as `fit`
    /// allows.
    pub moments: Vec<Moment>,
}

/// Whether a scenario can be finished in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Also where officers take the working days after which HMRC wants a
    /// follow-up.
    InTime,
    /// Only where officers answer at once.
    IfOfficersAnswerAtOnce,
    /// No start is possible.
    None,
}

/// When someone must act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moment {
    /// The step, from 1.
    pub step: u32,
    /// You, or an officer of HMRC.
    pub actor: Actor,
    /// What is to be done.
    pub what: String,
    /// From then on.
    pub from: DateTime<Utc>,
    /// By then: a deadline of the scenario; for officers without one, when
    /// HMRC wants a follow-up, or at once where there is no time for that.
    pub until: Option<DateTime<Utc>>,
    /// When Trader Test, or for officers their office, opens that day.
    pub opens: Option<DateTime<Utc>>,
    /// The first instant after those hours.
    pub closes: Option<DateTime<Utc>>,
}

/// The first day on which a submission works. None: there is no such day in
/// the programme's window, or none within 90 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FirstDay {
    /// If officers answer at once.
    pub officers_at_once: Option<NaiveDate>,
    /// If officers answer when HMRC wants a follow-up.
    pub officers_late: Option<NaiveDate>,
}

/// What a date brings about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Consequence {
    /// A rule of the gate, or the catalogue's name of the date.
    pub rule: String,
    /// In words.
    pub message: String,
    /// Document and section.
    pub source: Option<String>,
    /// The London day it is about, where it is about one.
    pub on: Option<NaiveDate>,
}
