//! Which run stands for a requirement, and what speaks against one.

use chrono::{DateTime, TimeDelta, Utc};

use super::case::{Case, Need};
use super::model::{RequirementState, RequirementStatus};
use super::{credentials, dates};
use crate::calendar::{freshness, london};
use crate::catalogue::RequirementKind;
use crate::evidence::{Actor, RunRecord, RunState};
use crate::project::{Environment, SoftwareSettings};

/// Why a run that passed does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// From the simulator.
    Simulated,
    /// Not in Trader Test.
    Environment,
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
}

/// The instant a run's age is counted from: its oldest defensible first
/// submission. A run that submits nothing (guarantee balance) counts from its
/// opening.
pub(super) fn age_origin(run: &RunRecord) -> DateTime<Utc> {
    run.first_submission().unwrap_or(run.opened)
}

/// Whether a run is of the software the settings name. A build counts only
/// where both say one.
pub(super) fn same_software(run: &RunRecord, software: &SoftwareSettings) -> bool {
    let builds = run.software.build.as_ref().zip(software.build.as_ref());
    run.software.name == software.name
        && run.software.version == software.version
        && builds.is_none_or(|(of_run, wanted)| of_run == wanted)
}

/// Whether verifying the store found a problem in this run's own files.
fn is_broken(case: &Case<'_>, run: &RunRecord) -> bool {
    let id = run.run.to_string();
    case.integrity
        .is_some_and(|report| report.problems.iter().any(|problem| problem.place.contains(&id)))
}

fn is_simulated(run: &RunRecord) -> bool {
    run.simulated || run.environment == Environment::Simulator
}

/// What speaks against letting a run count.
fn objections(case: &Case<'_>, need: &Need, run: &RunRecord) -> Vec<Objection> {
    let mut found = Vec::new();
    if is_simulated(run) {
        if !case.rehearsal {
            found.push(Objection::Simulated);
        }
    } else if run.environment != Environment::TraderTest {
        found.push(Objection::Environment);
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
    if is_broken(case, run) {
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
pub(super) fn standing<'a>(case: &Case<'a>, need: &'a Need) -> Standing<'a> {
    let mut attempts: Vec<&RunRecord> = case
        .runs
        .iter()
        .filter(|run| run.programme == case.programme.id && need.any_of.contains(&run.scenario))
        .collect();
    attempts.sort_by_key(|run| (run.opened, run.attempt, run.run));
    let removed = case
        .removed
        .iter()
        .filter(|run| run.programme == case.programme.id && need.any_of.contains(&run.scenario));

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
        attempts: attempts.len() + removed.count(),
        failed_later: None,
    };
    if !need.applies {
        return standing;
    }

    let judged: Vec<(&RunRecord, Vec<Objection>)> =
        attempts.iter().map(|run| (*run, objections(case, need, run))).collect();
    let at = case.submission_instant();
    let policy = case.settings.gate.freshness;
    let passed = judged
        .iter()
        .filter(|(run, objections)| run.state == RunState::Passed && objections.is_empty())
        .map(|(run, _)| (*run, freshness::fresh_until(age_origin(run), policy)))
        .max_by_key(|(run, until)| {
            (at <= *until, same_software(run, &case.settings.software), *until, run.run)
        });
    if let Some((run, until)) = passed
        && at <= until
    {
        let warn = TimeDelta::hours(i64::from(case.settings.gate.warn_before_hours));
        standing.state =
            if until - at < warn { RequirementState::Expiring } else { RequirementState::Fresh };
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
        matches!(objection, Objection::Simulated | Objection::Environment | Objection::Future)
    })
}

impl Standing<'_> {
    /// The row of `status`.
    pub(super) fn status(&self, case: &Case<'_>) -> RequirementStatus {
        // A run that does not count stands for nothing.
        let run = self.run.filter(|_| self.state != RequirementState::Missing);
        let needed = self.need.kind == RequirementKind::Mandatory;
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
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            fresh_until: self.fresh_until,
            next_actor,
            waiting_for,
        }
    }
}
