//! What is missing for each scenario that applies: its messages, the
//! environment's hours, whoever must act.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::State;
use super::online::Online;
use crate::calendar::london;
use crate::catalogue::{Programme, RequirementKind, Scenario};
use crate::cli::context::{Context, Desk, sources};
use crate::cli::failure::Failure;
use crate::cli::message_build::MRN as EXAMPLE_MRN;
use crate::engine::hours::Hours;
use crate::ncts::build::Stamp;
use crate::payload::{Payload, PayloadError, Payloads};

/// A scenario that applies, and what keeps it from being run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Missing {
    pub(super) programme: String,
    pub(super) scenario: String,
    /// Whether HMRC requires it.
    pub(super) mandatory: bool,
    pub(super) state: State,
    /// What is missing; nothing: it can be run now.
    pub(super) missing: Vec<String>,
}

/// What came of building and judging every message of the scenarios that
/// apply.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// How many can be sent.
    pub(super) sound: usize,
    /// How many of them were judged against XSDs.
    pub(super) judged: usize,
    /// How many of these are invalid, as their scenario wants.
    pub(super) on_purpose: usize,
    /// Those that cannot be sent, and why.
    pub(super) broken: Vec<String>,
    /// Whether a mandatory scenario has one of them.
    pub(super) mandatory_broken: bool,
    /// Files of the user that were passed over.
    pub(super) passed_over: Vec<String>,
    /// Each scenario, with its messages that cannot be sent.
    scenarios: Vec<(Programme, Scenario, RequirementKind, Vec<String>)>,
}

impl Messages {
    /// Builds and judges every message of the scenarios that apply.
    pub(super) fn of(desk: &Desk, context: &Context) -> Result<Self, Failure> {
        let payloads = Payloads::new(sources(&desk.project), &desk.catalogue)?;
        let now = context.clock.now();
        let mut all = Self::default();
        for programme in desk.programmes(None)? {
            for (kind, scenario) in applying(desk, programme, london::day_of(now))? {
                let mut unsent = Vec::new();
                for (step, number) in scenario.step.iter().zip(1..) {
                    if step.send.is_none() {
                        continue;
                    }
                    match built(desk, &payloads, programme, scenario, number, now) {
                        Ok(payload) => all.take(payload),
                        Err(error) => {
                            all.broken.push(format!("{} step {number}: {error}", scenario.id));
                            all.mandatory_broken |= kind == RequirementKind::Mandatory;
                            unsent.push(format!("the message of step {number}"));
                        }
                    }
                }
                all.scenarios.push((programme.clone(), scenario.clone(), kind, unsent));
            }
        }
        Ok(all)
    }

    fn take(&mut self, payload: Payload) {
        self.sound += 1;
        self.judged += usize::from(payload.check.is_some());
        let invalid = payload.check.is_some_and(|check| !check.violations.is_empty());
        self.on_purpose += usize::from(invalid);
        self.passed_over.extend(payload.passed_over);
    }

    /// What is missing for each scenario, also of what was asked of HMRC.
    pub(super) fn missing(&self, desk: &Desk, online: &Online, now: DateTime<Utc>) -> Vec<Missing> {
        let environment = desk.project.settings.run.environment;
        let one = |(programme, scenario, kind, unsent): &(Programme, Scenario, _, Vec<String>)| {
            let mut missing = unsent.clone();
            missing.extend(online.missing_for(programme));
            let mandatory = *kind == RequirementKind::Mandatory;
            let mut state = match (missing.is_empty(), mandatory) {
                (true, _) => State::Ok,
                (false, true) => State::Error,
                (false, false) => State::Warning,
            };
            let hours = Hours::of(programme, environment);
            let start = match hours.begins(scenario, now) {
                Some(start) if start <= now => None,
                Some(start) => Some(format!("its hours: from {}", london::for_planning(start))),
                None => Some("an hour at which it can begin".to_owned()),
            };
            if start.is_some() && state == State::Ok {
                state = State::Warning;
            }
            missing.extend(start);
            Missing {
                programme: programme.id.clone(),
                scenario: scenario.id.clone(),
                mandatory,
                state,
                missing,
            }
        };
        self.scenarios.iter().map(one).collect()
    }
}

/// The scenarios chosen for this house that the catalogue knows.
fn applying<'a>(
    desk: &'a Desk,
    programme: &'a Programme,
    day: NaiveDate,
) -> Result<Vec<(RequirementKind, &'a Scenario)>, Failure> {
    let mut found: Vec<(RequirementKind, &Scenario)> = Vec::new();
    for item in desk.needs(programme, day)? {
        let chosen = item.chosen.filter(|_| item.applies);
        let scenario = chosen.and_then(|id| desk.catalogue.scenario(&programme.id, &id));
        if let Some(scenario) = scenario
            && !found.iter().any(|(_, known)| known.id == scenario.id)
        {
            found.push((item.kind, scenario));
        }
    }
    Ok(found)
}

fn built(
    desk: &Desk,
    payloads: &Payloads,
    programme: &Programme,
    scenario: &Scenario,
    step: u32,
    now: DateTime<Utc>,
) -> Result<Payload, PayloadError> {
    let values = Stamp {
        // The step's own takes its place.
        message: crate::ncts::MessageType::Ie015,
        lrn: "EXAMPLE".into(),
        mrn: Some(EXAMPLE_MRN.into()),
        message_identification: "EXAMPLE".into(),
        message_sender: desk.project.settings.run.message_sender.clone(),
        now,
    };
    payloads.to_send(programme, scenario, step, &values)
}
