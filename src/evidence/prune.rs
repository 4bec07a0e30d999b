//! Which runs may be removed to save room, and which stay: a plan, made before
//! anything is touched. [`super::StoreWriter::remove_runs`] carries it out.
//!
//! Nothing that was tried is hidden by it: the index keeps a removed run's
//! lines (that it opened, how it ended, that it was removed and why), seals go
//! on covering them, and every report tells of them ([`Store::removed`]).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::chain;
use super::error::EvidenceError;
use super::event::{RunId, RunState};
use super::record::RunRecord;
use super::store::Store;
use crate::digest::Digest;
use crate::project::Environment;

/// Why a run stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stays {
    /// It is open.
    Open,
    /// It stands for a requirement.
    StandsForRequirement,
    /// It is the newest that passed, of its scenario and environment.
    NewestPassed,
    /// It is the latest attempt at its scenario in its environment.
    LatestAttempt,
    /// It ended lately.
    Recent,
}

/// A run of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PlannedRun {
    /// The run.
    pub run: RunId,
    /// `ncts5-final`.
    pub programme: String,
    /// `DSGB1`.
    pub scenario: String,
    /// Where its messages went.
    pub environment: Environment,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// How it ended, or `waiting`.
    pub state: RunState,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
    /// Why it stays; null: it may go.
    pub stays: Option<Stays>,
    /// Bytes that would be free without it: its journal, and the bodies to
    /// which only runs that go refer, each counted once.
    pub bytes: u64,
}

/// What would be removed, and what stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct PrunePlan {
    /// Runs that go, oldest first.
    pub remove: Vec<PlannedRun>,
    /// Runs that stay, oldest first.
    pub keep: Vec<PlannedRun>,
    /// Bodies that go.
    pub objects: u64,
    /// Bytes that go.
    pub bytes: u64,
}

impl PrunePlan {
    /// The ids of the runs that go.
    pub fn runs(&self) -> BTreeSet<RunId> {
        self.remove.iter().map(|planned| planned.run).collect()
    }
}

/// Plans what may go: closed runs that ended before `ended_before`, that are
/// not in `keep` (those that stand for a requirement, as
/// [`crate::evidence`] cannot tell), and that are neither the newest passed nor
/// the latest attempt of their scenario and environment. The store must verify.
///
/// # Errors
/// The first journal that cannot be read: it may refer to any body.
pub fn plan(
    store: &Store,
    keep: &BTreeSet<RunId>,
    ended_before: DateTime<Utc>,
) -> Result<PrunePlan, EvidenceError> {
    let records = store.runs()?;
    let newest_passed = newest(records.iter().filter(|run| run.state == RunState::Passed));
    let latest = newest(records.iter());
    let stays = |run: &RunRecord| {
        let ended = run.closed.filter(|_| run.state != RunState::Waiting);
        if ended.is_none() {
            Some(Stays::Open)
        } else if keep.contains(&run.run) {
            Some(Stays::StandsForRequirement)
        } else if newest_passed.contains(&run.run) {
            Some(Stays::NewestPassed)
        } else if latest.contains(&run.run) {
            Some(Stays::LatestAttempt)
        } else if ended.is_some_and(|ended| ended >= ended_before) {
            Some(Stays::Recent)
        } else {
            None
        }
    };
    let mut plan = PrunePlan::default();
    for record in &records {
        let planned = PlannedRun {
            run: record.run,
            programme: record.programme.clone(),
            scenario: record.scenario.clone(),
            environment: record.environment,
            attempt: record.attempt,
            state: record.state,
            ended: record.closed,
            stays: stays(record),
            bytes: 0,
        };
        match planned.stays {
            Some(_) => plan.keep.push(planned),
            None => plan.remove.push(planned),
        }
    }
    weigh(store, &mut plan)?;
    Ok(plan)
}

/// The newest of each programme, scenario and environment: by its own times,
/// and by its attempt, where clocks make that another one.
fn newest<'a>(runs: impl Iterator<Item = &'a RunRecord> + Clone) -> BTreeSet<RunId> {
    type Of<'a> = (&'a str, &'a str, Environment);
    let of = |run: &'a RunRecord| -> Of<'a> { (&run.programme, &run.scenario, run.environment) };
    let mut by_time: BTreeMap<Of<'_>, (DateTime<Utc>, RunId)> = BTreeMap::new();
    let mut by_attempt: BTreeMap<Of<'_>, (u32, RunId)> = BTreeMap::new();
    for run in runs {
        let time = (run.first_submission().unwrap_or(run.opened), run.run);
        let attempt = (run.attempt, run.run);
        by_time.entry(of(run)).and_modify(|known| *known = time.max(*known)).or_insert(time);
        by_attempt
            .entry(of(run))
            .and_modify(|known| *known = attempt.max(*known))
            .or_insert(attempt);
    }
    let by_time = by_time.into_values().map(|(_, run)| run);
    by_time.chain(by_attempt.into_values().map(|(_, run)| run)).collect()
}

/// Fills in what goes in bodies and bytes.
fn weigh(store: &Store, plan: &mut PrunePlan) -> Result<(), EvidenceError> {
    let layout = store.layout();
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    for planned in &plan.keep {
        chain::read_chain(&layout.journal(planned.run), |line| {
            seen.extend(line.objects.iter().map(|(object, _)| *object));
            Ok(())
        })?;
    }
    for planned in &mut plan.remove {
        let (mut objects, mut bytes) = (0, 0);
        let end = chain::read_chain(&layout.journal(planned.run), |line| {
            for (object, length) in line.objects {
                if seen.insert(object) {
                    objects += 1;
                    bytes += length;
                }
            }
            Ok(())
        })?;
        planned.bytes = bytes + end.length;
        plan.objects += objects;
        plan.bytes += planned.bytes;
    }
    Ok(())
}
