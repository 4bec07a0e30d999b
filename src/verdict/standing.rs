//! Which run stands for a requirement, and what speaks against one.

use chrono::{DateTime, TimeDelta, Utc};

use super::case::Need;
use super::docket::Docket;
use super::model::{RequirementState, RequirementStatus, Severity};
use super::{credentials, dates};
use crate::calendar::{freshness, london};
use crate::evidence::{Actor, RunRecord, RunState};
use crate::project::{BuildPolicy, GateSettings, Settings};

/// Why a run that passed does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// From the simulator.
    Simulated,
    /// In an environment that does not count.
    Environment,
    /// Driven in a way that is not accepted.
    Driver,
    /// Not wholly inside one phase of the programme.
    Phase,
    /// Another version of the API.
    ApiVersion,
    /// Some of it lies after the instant judged at.
    Future,
    /// Begun before a change of the documentation that affects its flow.
    DocumentationChanged,
    /// Its journal does not verify.
    Broken,
}

/// Where a requirement stands, and the run behind that.
pub(super) struct Standing<'a> {
    pub(super) need: &'a Need,
    pub(super) state: RequirementState,
    /// The run that stands, or for `missing` the latest that might have.
    pub(super) run: Option<&'a RunRecord>,
    /// Why that run does not count; `missing` alone has any.
    pub(super) objections: Vec<Objection>,
    pub(super) fresh_until: Option<DateTime<Utc>>,
    pub(super) attempts: usize,
    /// An attempt that failed after the one that stands had passed.
    pub(super) failed_later: Option<&'a RunRecord>,
    /// Waivers cover everything that speaks against the run.
    pub(super) let_pass: bool,
}

/// The instant a run's age is counted from: its oldest defensible first
/// submission. A run that submits nothing (guarantee balance) counts from its
/// opening.
pub(super) fn age_origin(run: &RunRecord) -> DateTime<Utc> {
    run.first_submission().unwrap_or(run.opened)
}

/// A run's software beside the one under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// As far as it is asked for and can be told, the same.
    Same,
    /// The run does not say its build, and the settings name one.
    Unsaid,
    /// The settings must name a build, and do not.
    UnderTestUnsaid,
    /// Another build of the same version.
    OtherBuild,
    /// Another version.
    OtherVersion,
    /// Another product.
    OtherSoftware,
}

/// Compares a run's software with the one under test.
pub(super) fn likeness(run: &RunRecord, settings: &Settings) -> Likeness {
    let (of, wanted) = (&run.software, &settings.software);
    if of.name != wanted.name {
        return Likeness::OtherSoftware;
    }
    if of.version != wanted.version {
        return Likeness::OtherVersion;
    }
    match (settings.gate.same_build, &of.build, &wanted.build) {
        (BuildPolicy::Ignored, _, _) | (BuildPolicy::Compare, _, None) => Likeness::Same,
        (BuildPolicy::Required, _, None) => Likeness::UnderTestUnsaid,
        (_, None, Some(_)) => Likeness::Unsaid,
        (_, Some(of), Some(wanted)) if of == wanted => Likeness::Same,
        (_, Some(_), Some(_)) => Likeness::OtherBuild,
    }
}

/// Whether a run will do as evidence of the software under test.
fn same_software(run: &RunRecord, settings: &Settings) -> bool {
    match likeness(run, settings) {
        Likeness::Same => true,
        Likeness::Unsaid => settings.gate.same_build != BuildPolicy::Required,
        _ => false,
    }
}

/// How near the end of its life evidence is that may go in for this much
/// longer: warned of, or too near; none where there is time.
pub(super) fn near_end(gate: &GateSettings, left: TimeDelta) -> Option<Severity> {
    let within = |hours: u32| hours > 0 && left <= TimeDelta::hours(i64::from(hours));
    if within(gate.fail_before_hours) {
        Some(Severity::Error)
    } else {
        within(gate.warn_before_hours).then_some(Severity::Warning)
    }
}

/// What speaks against letting a run count.
fn objections(docket: &Docket<'_>, need: &Need, run: &RunRecord) -> Vec<Objection> {
    let case = &docket.case;
    let gate = &case.settings.gate;
    let mut found = Vec::new();
    if run.is_simulated() {
        if !case.rehearsal {
            found.push(Objection::Simulated);
        }
    } else if !gate.environments.contains(&run.environment) {
        found.push(Objection::Environment);
    }
    if !gate.drivers.contains(&run.driver) {
        found.push(Objection::Driver);
    }
    let ended = run.closed.unwrap_or(run.last_event);
    let days = (london::day_of(age_origin(run).min(run.opened)), london::day_of(ended));
    if dates::phase_covering(case.programme, case.settings, days.0, days.1).is_none() {
        found.push(Objection::Phase);
    }
    if run.api_version != case.programme.api.version {
        found.push(Objection::ApiVersion);
    }
    // Our own clock alone: a server a second ahead is skew, not the future.
    if ended.max(run.opened) > case.as_of {
        found.push(Objection::Future);
    }
    if credentials::changed_since(case, need, run).is_some() {
        found.push(Objection::DocumentationChanged);
    }
    if docket.is_broken(run) {
        found.push(Objection::Broken);
    }
    found
}

/// Where a requirement stands.
///
/// Among the passed runs that count, one that is fresh and of the software
/// under test comes first, then the one that stays fresh longest. While none
/// is fresh, an attempt opened since is what matters; failing that the lapsed
/// run, then the latest attempt where it could have counted.
pub(super) fn standing<'a>(docket: &Docket<'a>, need: &'a Need) -> Standing<'a> {
    let case = &docket.case;
    let attempts = docket.attempts(need);
    let mut standing = Standing {
        need,
        state: if need.applies {
            RequirementState::Missing
        } else {
            RequirementState::NotApplicable
        },
        run: None,
        objections: Vec::new(),
        fresh_until: None,
        attempts: attempts.len() + docket.removed(need),
        failed_later: None,
        let_pass: false,
    };
    if !need.applies {
        return standing;
    }

    let judged: Vec<(&RunRecord, Vec<Objection>)> =
        attempts.iter().map(|run| (*run, objections(docket, need, run))).collect();
    let at = case.submission_instant();
    let gate = &case.settings.gate;
    let passed = judged
        .iter()
        .filter(|(run, objections)| run.state == RunState::Passed && objections.is_empty())
        .map(|(run, _)| (*run, freshness::fresh_until(age_origin(run), gate.freshness)))
        .max_by_key(|(run, until)| {
            (at <= *until, same_software(run, case.settings), *until, run.run)
        });
    if let Some((run, until)) = passed
        && at <= until
    {
        standing.state = match near_end(gate, until - at) {
            Some(_) => RequirementState::Expiring,
            None => RequirementState::Fresh,
        };
        standing.run = Some(run);
        standing.fresh_until = Some(until);
        standing.failed_later = judged
            .iter()
            .filter(|(other, objections)| could_count(objections) && other.opened > run.opened)
            .map(|(other, _)| *other)
            .rfind(|other| other.state == RunState::Failed);
        return standing;
    }

    let open = judged
        .iter()
        .filter(|(run, objections)| run.state == RunState::Waiting && could_count(objections))
        .map(|(run, _)| *run)
        .rfind(|run| passed.is_none_or(|(lapsed, _)| lapsed.opened < run.opened));
    if let Some(run) = open {
        standing.state = match case.waiting.get(&run.run).map(|waiting| waiting.actor) {
            Some(Actor::Timer | Actor::OpeningHours | Actor::RequestBudget) => {
                RequirementState::Running
            }
            // Unknown: someone must at least look.
            Some(Actor::You | Actor::Officer) | None => RequirementState::Waiting,
        };
        standing.run = Some(run);
        return standing;
    }
    if let Some((run, until)) = passed {
        standing.state = RequirementState::Stale;
        standing.run = Some(run);
        standing.fresh_until = Some(until);
        return standing;
    }

    let tried = |(run, _): &&(&RunRecord, Vec<Objection>)| {
        matches!(run.state, RunState::Passed | RunState::Failed)
    };
    let latest = judged
        .iter()
        .filter(tried)
        .rfind(|(_, objections)| could_count(objections))
        .or_else(|| judged.iter().rfind(|(run, _)| run.state == RunState::Passed));
    if let Some((run, objections)) = latest {
        standing.run = Some(run);
        if run.state == RunState::Failed {
            standing.state = RequirementState::Failed;
        } else {
            standing.objections = objections.clone();
        }
    }
    standing
}

/// Whether a run, once passed, could have counted: who answered it decides.
fn could_count(objections: &[Objection]) -> bool {
    !objections.iter().any(|objection| {
        matches!(
            objection,
            Objection::Simulated | Objection::Environment | Objection::Driver | Objection::Future
        )
    })
}

impl<'a> Standing<'a> {
    /// The run that proves the requirement, or did until it lapsed, or would
    /// but for what waivers cover.
    pub(super) fn counted(&self) -> Option<&'a RunRecord> {
        self.run.filter(|_| self.fresh_until.is_some() || self.let_pass)
    }

    /// The row of `status`.
    pub(super) fn status(&self, docket: &Docket<'_>) -> RequirementStatus {
        let case = &docket.case;
        // A run that does not count stands for nothing.
        let run = self.run.filter(|_| self.state != RequirementState::Missing);
        let needed = docket.is_needed(self.need);
        let under_way = matches!(self.state, RequirementState::Waiting | RequirementState::Running);
        let waiting_for =
            run.filter(|_| under_way).and_then(|run| case.waiting.get(&run.run)).cloned();
        let next_actor = match self.state {
            RequirementState::Waiting | RequirementState::Running => {
                Some(waiting_for.as_ref().map_or(Actor::You, |waiting| waiting.actor))
            }
            RequirementState::Failed | RequirementState::Stale => Some(Actor::You),
            RequirementState::Missing if needed => Some(Actor::You),
            _ => None,
        };
        let scenario = run
            .map(|run| run.scenario.clone())
            .or_else(|| self.need.chosen.clone())
            .or_else(|| self.need.any_of.first().cloned());
        RequirementStatus {
            requirement: self.need.requirement.clone(),
            kind: self.need.kind,
            reason: self.need.reason.clone(),
            any_of: self.need.any_of.clone(),
            state: self.state,
            scenario: scenario.filter(|_| self.need.applies),
            run: run.map(|run| run.run),
            driver: run.map(|run| run.driver),
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            fresh_until: self.fresh_until,
            next_actor,
            waiting_for,
        }
    }
}
