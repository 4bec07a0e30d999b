//! What there is already: the run that stands for each requirement, and
//! whether it is good on the day of submission.

use chrono::{DateTime, Utc};

use super::model::PlanRequirement;
use crate::evidence::RunId;
use crate::verdict::case::{Case, Need};
use crate::verdict::judge::{judge, status};
use crate::verdict::model::{RequirementState, RequirementStatus};

/// What there is for one requirement.
pub(super) struct Held {
    pub(super) state: RequirementState,
    pub(super) run: Option<RunId>,
    pub(super) fresh_until: Option<DateTime<Utc>>,
    pub(super) good: bool,
    pub(super) findings: Vec<String>,
}

/// What there is for each requirement of the case, in its order. "Good" is what
/// the gate says for the day of submission.
pub(super) fn held(case: &Case<'_>) -> Vec<Held> {
    let now = status(&Case { submit_on: None, ..*case }).requirements;
    let then = judge(case);
    let pairs = now.into_iter().zip(then.requirements);
    pairs
        .map(|(now, then_status)| {
            let mut findings: Vec<String> = then
                .findings
                .iter()
                .filter(|finding| finding.blocks())
                .filter(|finding| finding.requirement.as_ref() == Some(&now.requirement))
                .map(|finding| finding.rule.to_owned())
                .collect();
            findings.dedup();
            let good = is_fresh(&then_status) && findings.is_empty();
            let stands = if is_fresh(&then_status) { &then_status } else { &now };
            Held {
                state: now.state,
                run: stands.run,
                fresh_until: stands.fresh_until,
                good,
                findings,
            }
        })
        .collect()
}

fn is_fresh(status: &RequirementStatus) -> bool {
    matches!(status.state, RequirementState::Fresh | RequirementState::Expiring)
}

impl Held {
    /// The row of the plan.
    pub(super) fn row(self, need: &Need) -> PlanRequirement {
        PlanRequirement {
            requirement: need.requirement.clone(),
            kind: need.kind,
            applies: need.applies,
            reason: need.reason.clone(),
            any_of: need.any_of.clone(),
            chosen: need.chosen.clone(),
            state: self.state,
            run: self.run,
            fresh_until: self.fresh_until,
            good_on_submission: need.applies.then_some(self.good),
            findings: self.findings,
        }
    }
}
