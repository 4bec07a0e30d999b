//! What the gate finds, by what it is about.
//!
//! - `store`: whether the evidence can be believed.
//! - `evidence`: a requirement and the run that stands for it.
//! - `house`: what the form needs of the house.
//!
//! `judge` may call them.

pub(super) mod evidence;
pub(super) mod house;
pub(super) mod store;

use super::docket::Docket;
use super::model::{Finding, Severity};
use super::rules::Rule;
use super::standing::Standing;
use crate::evidence::RunRecord;

/// A finding about nothing in particular.
pub(super) fn finding(rule: &Rule, message: String) -> Finding {
    Finding {
        rule: rule.name,
        severity: rule.severity,
        requirement: None,
        scenario: None,
        run: None,
        message,
        source: rule.source.map(str::to_owned),
        waived: None,
        waived_until: None,
        waived_by: None,
    }
}

/// A finding about a requirement and perhaps a run.
fn on(
    docket: &Docket<'_>,
    standing: &Standing<'_>,
    run: Option<&RunRecord>,
    rule: &Rule,
    severity: Severity,
    message: String,
) -> Finding {
    let scenario = run.map(|run| run.scenario.clone()).or_else(|| standing.need.chosen.clone());
    Finding {
        severity: docket.weight(standing.need, severity),
        requirement: Some(standing.need.requirement.clone()),
        scenario,
        run: run.map(|run| run.run),
        ..finding(rule, message)
    }
}
