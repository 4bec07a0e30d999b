//! What judging yields: the JSON of `status` and `gate`
//! (`schema_version` 1), and the values that forms are filled from.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::rules::{self, Rule};
use crate::catalogue::RequirementKind;
use crate::evidence::{Actor, Driver, RunId, WaitingFor};

/// Where a requirement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequirementState {
    /// Proven, and good at the instant judged.
    Fresh,
    /// Proven, but lapses soon.
    Expiring,
    /// Proven once, too old by now.
    Stale,
    /// The latest attempt failed.
    Failed,
    /// An attempt is under way and nobody need act.
    Running,
    /// An attempt waits for a person.
    Waiting,
    /// Nothing was tried.
    Missing,
    /// The software does not support the flow or procedure.
    NotApplicable,
}

/// One requirement and the run that stands for it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RequirementStatus {
    /// The requirement's id.
    pub requirement: String,
    /// Mandatory or recommended.
    pub kind: RequirementKind,
    /// Why it applies, or does not.
    pub reason: String,
    /// Scenarios of which one is enough.
    pub any_of: Vec<String>,
    /// Where it stands.
    pub state: RequirementState,
    /// The scenario that stands for it, or should.
    pub scenario: Option<String>,
    /// The run that stands for it.
    pub run: Option<RunId>,
    /// Who acted as the trader's software in that run.
    pub driver: Option<Driver>,
    /// Attempts at any of its scenarios.
    pub attempts: u32,
    /// The instant after which that run may no longer be submitted.
    pub fresh_until: Option<DateTime<Utc>>,
    /// Who must act next.
    pub next_actor: Option<Actor>,
    /// What an attempt under way waits for, and until when.
    pub waiting_for: Option<WaitingFor>,
}

/// `status --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Status {
    /// Always 1.
    pub schema_version: u32,
    /// The programme judged.
    pub programme: String,
    /// The instant judged at.
    pub as_of: DateTime<Utc>,
    /// Every requirement of the programme, mandatory ones first.
    pub requirements: Vec<RequirementStatus>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The release must not go.
    Error,
    /// Look at it.
    Warning,
    /// Good to know.
    Info,
}

/// Something the gate found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Finding {
    /// The rule's stable name.
    pub rule: &'static str,
    /// Its weight here.
    pub severity: Severity,
    /// The requirement concerned.
    pub requirement: Option<String>,
    /// The scenario concerned.
    pub scenario: Option<String>,
    /// The run concerned.
    pub run: Option<RunId>,
    /// What was found and what to do, in a sentence or two.
    pub message: String,
    /// Where HMRC says so.
    pub source: Option<String>,
    /// The reason of the waiver that covers it.
    pub waived: Option<String>,
    /// The last London day on which that waiver holds.
    pub waived_until: Option<NaiveDate>,
    /// Who decided on it.
    pub waived_by: Option<String>,
}

impl Finding {
    /// Whether it keeps the gate shut: an error that no waiver covers.
    pub fn blocks(&self) -> bool {
        self.severity == Severity::Error && self.waived.is_none()
    }

    /// The waiver that covers it, in words: `until 2026-12-31: why (by whom)`.
    pub fn waiver(&self) -> Option<String> {
        let reason = self.waived.as_ref()?;
        let until = self.waived_until.map_or_else(String::new, |day| format!("until {day}: "));
        let by = self.waived_by.as_ref().map_or_else(String::new, |by| format!(" ({by})"));
        Some(format!("{until}{reason}{by}"))
    }
}

/// `gate --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Verdict {
    /// Always 1.
    pub schema_version: u32,
    /// No unwaived error.
    pub ready: bool,
    /// Simulated evidence was let count: never for a submission.
    pub rehearsal: bool,
    /// The programme judged.
    pub programme: String,
    /// The instant judged at.
    pub as_of: DateTime<Utc>,
    /// The London day of submission judged for.
    pub submit_on: Option<NaiveDate>,
    /// What was found, errors first.
    pub findings: Vec<Finding>,
    /// As in [`Status`].
    pub requirements: Vec<RequirementStatus>,
}

impl Verdict {
    /// Why a verdict without errors means that there is no form to send in;
    /// none: there is one.
    pub fn nothing_to_submit(&self) -> Option<&'static str> {
        let found = |rule: &Rule| self.findings.iter().any(|finding| finding.rule == rule.name);
        // Where HMRC has not said what it wants, nobody is ready for it.
        if found(&rules::CHECKLIST_PENDING) {
            return Some("no checklist yet");
        }
        let needed = self.requirements.iter().any(|item| {
            item.kind == RequirementKind::Mandatory && item.state != RequirementState::NotApplicable
        });
        (!needed && found(&rules::FURTHER_APPLICATION))
            .then_some("credentials held cover everything")
    }
}
