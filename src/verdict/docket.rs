//! The case with what judging looks up again and again, so that it takes as
//! many steps as there are runs, not runs times requirements times problems.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Need};
use super::model::Severity;
use crate::catalogue::RequirementKind;
use crate::evidence::{RunId, RunRecord};
use crate::project::RecommendedPolicy;

/// A case, ready to be looked into.
pub(super) struct Docket<'a> {
    pub(super) case: Case<'a>,
    /// The programme's runs, by scenario; the earliest first.
    attempts: BTreeMap<&'a str, Vec<&'a RunRecord>>,
    /// Attempts that were removed, by scenario.
    removed: BTreeMap<&'a str, usize>,
    /// Every run there is, of any programme.
    runs: BTreeMap<RunId, &'a RunRecord>,
    /// Runs in whose own files verification found a problem.
    broken: BTreeSet<RunId>,
    /// Runs that no seal covers that would count.
    unsealed: BTreeSet<RunId>,
}

impl<'a> Docket<'a> {
    pub(super) fn new(case: &Case<'a>) -> Self {
        let programme = case.programme.id.as_str();
        let mut attempts: BTreeMap<&str, Vec<&RunRecord>> = BTreeMap::new();
        for run in case.runs.iter().filter(|run| run.programme == programme) {
            attempts.entry(&run.scenario).or_default().push(run);
        }
        let mut removed: BTreeMap<&str, usize> = BTreeMap::new();
        for run in case.removed.iter().filter(|run| run.programme == programme) {
            *removed.entry(&run.scenario).or_default() += 1;
        }
        let problems = case.integrity.map_or(&[][..], |report| &report.problems);
        Self {
            case: *case,
            attempts,
            removed,
            runs: case.runs.iter().map(|run| (run.run, run)).collect(),
            broken: problems.iter().filter_map(|problem| run_at(&problem.place)).collect(),
            unsealed: unsealed(case),
        }
    }

    /// The attempts at any of a requirement's scenarios, the earliest first.
    pub(super) fn attempts(&self, need: &Need) -> Vec<&'a RunRecord> {
        let of = |id: &String| self.attempts.get(id.as_str()).into_iter().flatten().copied();
        let mut attempts: Vec<&RunRecord> = need.any_of.iter().flat_map(of).collect();
        attempts.sort_by_key(|run| (run.opened, run.attempt, run.run));
        attempts
    }

    /// How many of them were removed.
    pub(super) fn removed(&self, need: &Need) -> usize {
        need.any_of.iter().filter_map(|id| self.removed.get(id.as_str())).sum()
    }

    /// The run that a place in the store belongs to.
    pub(super) fn run_at(&self, place: &str) -> Option<&'a RunRecord> {
        run_at(place).and_then(|run| self.runs.get(&run)).copied()
    }

    /// Whether verifying the store found a problem in this run's own files.
    pub(super) fn is_broken(&self, run: &RunRecord) -> bool {
        self.broken.contains(&run.run)
    }

    /// The runs that no seal covers, or none by a key that is asked for.
    pub(super) fn unsealed(&self) -> &BTreeSet<RunId> {
        &self.unsealed
    }

    /// Whether the gate stays shut until this requirement is met.
    pub(super) fn is_needed(&self, need: &Need) -> bool {
        need.kind == RequirementKind::Mandatory
            || self.case.settings.gate.recommended == RecommendedPolicy::Required
    }

    /// The weight of a finding about a requirement: what would be an error of
    /// one that is needed is a warning of another.
    pub(super) fn weight(&self, need: &Need, severity: Severity) -> Severity {
        if self.is_needed(need) { severity } else { severity.max(Severity::Warning) }
    }
}

/// The id of the run whose files are at a place: `runs/<id>/journal.jsonl:12`.
fn run_at(place: &str) -> Option<RunId> {
    place.split(['/', ':']).find_map(|part| part.parse().ok())
}

fn unsealed(case: &Case<'_>) -> BTreeSet<RunId> {
    let Some(report) = case.integrity else { return BTreeSet::new() };
    let wanted = &case.settings.gate.seal_keys;
    let mut unsealed: BTreeSet<RunId> = report.unsealed_runs.iter().copied().collect();
    if !wanted.is_empty() {
        let sealed = |run: &RunId| {
            report
                .sealed_by
                .get(run)
                .is_some_and(|keys| wanted.iter().any(|key| keys.contains(key)))
        };
        let runs = case.runs.iter().map(|run| run.run);
        unsealed.extend(runs.filter(|run| !sealed(run)));
    }
    unsealed
}
