//! The checklist as it fills up while the software works.

use chrono::{DateTime, Utc};

use super::context::{Desk, case};
use super::failure::Failure;
use crate::calendar::london;
use crate::catalogue::RequirementKind;
use crate::engine::mail::Mail;
use crate::engine::{RunView, Watcher};
use crate::evidence::{Depth, RunState};
use crate::verdict::{self, RequirementState};

/// A mandatory test.
struct Row {
    programme: String,
    /// Scenarios of which one is enough; the one to run first.
    scenarios: Vec<String>,
    passed: bool,
}

/// The mandatory tests of the project's programmes.
pub(super) struct Checklist {
    rows: Vec<Row>,
}

impl Checklist {
    /// As the evidence has it; simulated evidence is taken for a rehearsal.
    ///
    /// # Errors
    /// When evidence or catalogue cannot be read.
    pub(super) fn open(desk: &Desk, rehearsal: bool, now: DateTime<Utc>) -> Result<Self, Failure> {
        let evidence = desk.evidence_to(Depth::Lines, now)?;
        let mut rows = Vec::new();
        for programme in desk.programmes(None)? {
            let needs = desk.needs(programme, london::day_of(now))?;
            let judged = case(desk, programme, &needs, &evidence, now, rehearsal);
            for status in verdict::status(&judged).requirements {
                let asked = status.kind == RequirementKind::Mandatory
                    && status.state != RequirementState::NotApplicable;
                if asked {
                    let mut scenarios = status.any_of;
                    let first = needs
                        .iter()
                        .find(|need| need.requirement == status.requirement)
                        .and_then(|need| need.chosen.as_ref());
                    scenarios.sort_by_key(|scenario| Some(scenario) != first);
                    rows.push(Row {
                        programme: programme.id.clone(),
                        scenarios,
                        passed: matches!(
                            status.state,
                            RequirementState::Fresh | RequirementState::Expiring
                        ),
                    });
                }
            }
        }
        Ok(Self { rows })
    }

    /// Takes a run that passed into account; tells whether a test has passed
    /// that had not.
    fn passed(&mut self, programme: &str, scenario: &str) -> bool {
        let row = self.rows.iter_mut().find(|row| {
            row.programme == programme && row.scenarios.iter().any(|known| known == scenario)
        });
        row.is_some_and(|row| !std::mem::replace(&mut row.passed, true))
    }

    /// How many have passed, and what is still to do.
    pub(super) fn line(&self) -> String {
        let done = self.rows.iter().filter(|row| row.passed).count();
        let to_do: Vec<&str> = self
            .rows
            .iter()
            .filter(|row| !row.passed)
            .filter_map(|row| row.scenarios.first().map(String::as_str))
            .collect();
        let rest = match to_do.is_empty() {
            true => String::new(),
            false => format!("; to do: {}", to_do.join(", ")),
        };
        format!("checklist: {done} of {} mandatory tests passed{rest}", self.rows.len())
    }
}

/// Whoever watches, told of the checklist too.
pub(super) struct Tally<'a> {
    checklist: Checklist,
    watcher: &'a mut dyn Watcher,
}

impl<'a> Tally<'a> {
    pub(super) fn new(checklist: Checklist, watcher: &'a mut dyn Watcher) -> Self {
        Self { checklist, watcher }
    }
}

impl Watcher for Tally<'_> {
    fn moved(&mut self, view: &RunView) {
        self.watcher.moved(view);
        if view.state == RunState::Passed && self.checklist.passed(&view.programme, &view.scenario)
        {
            self.watcher.note(&self.checklist.line());
        }
    }

    fn requested(&mut self, total: u64) {
        self.watcher.requested(total);
    }

    fn mail_to_send(&mut self, view: &RunView, mail: &Mail) {
        self.watcher.mail_to_send(view, mail);
    }

    fn note(&mut self, text: &str) {
        self.watcher.note(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_up_test_by_test() {
        let row = |programme: &str, scenarios: &[&str], passed| Row {
            programme: programme.to_owned(),
            scenarios: scenarios.iter().map(|id| (*id).to_owned()).collect(),
            passed,
        };
        let mut checklist = Checklist {
            rows: vec![
                row("ncts5-final", &["DNGB1", "DNXI1"], false),
                row("ncts5-final", &["ASGB1", "ASXI1"], true),
                row("ncts6", &["P6-DSGB-01"], false),
            ],
        };
        assert_eq!(
            checklist.line(),
            "checklist: 1 of 3 mandatory tests passed; to do: DNGB1, P6-DSGB-01"
        );
        assert!(!checklist.passed("ncts6", "DNGB1"), "another programme's");
        assert!(!checklist.passed("ncts5-final", "ASXI1"), "it had passed");
        assert!(checklist.passed("ncts5-final", "DNXI1"), "either is enough");
        assert!(checklist.passed("ncts6", "P6-DSGB-01"));
        assert_eq!(checklist.line(), "checklist: 3 of 3 mandatory tests passed");
    }
}
