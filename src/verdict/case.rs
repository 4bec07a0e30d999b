//! What is judged.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::calendar::london;
use crate::catalogue::{Flow, Programme, Requirement, RequirementKind};
use crate::evidence::index::IndexedRun;
use crate::evidence::verify::VerifyReport;
use crate::evidence::{RunId, RunRecord, WaitingFor};
use crate::project::Settings;

/// A requirement of the programme and whether it applies to this software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The requirement's id.
    pub requirement: String,
    /// Mandatory or recommended.
    pub kind: RequirementKind,
    /// The flow it is about; none: it always applies.
    pub flow: Option<Flow>,
    /// The flow that its scenarios test, also where it is about none.
    pub tests: Option<Flow>,
    /// Whether it applies.
    pub applies: bool,
    /// Why, or why not.
    pub reason: String,
    /// Scenarios of which one is enough.
    pub any_of: Vec<String>,
    /// The one to run, by the settings' side.
    pub chosen: Option<String>,
    /// Document and section.
    pub source: String,
}

impl Need {
    /// A need from the catalogue's requirement and what the decision matrix
    /// says of it.
    pub fn new(
        requirement: &Requirement,
        applies: bool,
        reason: String,
        any_of: Vec<String>,
        chosen: Option<String>,
    ) -> Self {
        Self {
            requirement: requirement.id.clone(),
            kind: requirement.kind,
            flow: requirement.flow,
            tests: requirement.flow.or(requirement.tests),
            applies,
            reason,
            any_of,
            chosen,
            source: requirement.source.clone(),
        }
    }
}

/// Everything judging looks at.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The programme applied under.
    pub programme: &'a Programme,
    /// The house's settings.
    pub settings: &'a Settings,
    /// The programme's requirements, mandatory ones first, in its order.
    pub needs: &'a [Need],
    /// Every attempt in the store, of any programme.
    pub runs: &'a [RunRecord],
    /// Attempts that were removed from it: they stand for nothing, and count as
    /// attempts all the same.
    pub removed: &'a [IndexedRun],
    /// Whom each open run waits for, where the caller has worked that out.
    pub waiting: &'a BTreeMap<RunId, WaitingFor>,
    /// What verifying the store found; none: there is no store.
    pub integrity: Option<&'a VerifyReport>,
    /// The instant judged at.
    pub as_of: DateTime<Utc>,
    /// The London day of submission; none: at `as_of`.
    pub submit_on: Option<NaiveDate>,
    /// Let simulated evidence count.
    pub rehearsal: bool,
}

impl Case<'_> {
    /// The instant at which evidence must still be fresh: the last one of the
    /// day of submission, since nobody knows when on that day the form goes;
    /// without such a day, the instant judged at. Never before that.
    pub fn submission_instant(&self) -> DateTime<Utc> {
        self.submit_on.map_or(self.as_of, london::judging_instant).max(self.as_of)
    }

    /// The London day of submission.
    pub fn submission_day(&self) -> NaiveDate {
        day_judged(self.submit_on, self.as_of)
    }
}

/// The London day judged for: that of submission, else that of the instant.
pub fn day_judged(submit_on: Option<NaiveDate>, as_of: DateTime<Utc>) -> NaiveDate {
    submit_on.unwrap_or_else(|| london::day_of(as_of))
}
