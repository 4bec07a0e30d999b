//! What must hold at the end, whatever happened: by the evidence, and by the
//! simulator's own log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ctc_ready::catalogue::{Catalogue, Scenario};
use ctc_ready::evidence::{Event, Problem, Purpose, RunRecord, RunState, Store, verify};
use serde_json::Value;

/// Every scenario passed in its first attempt, every message of it was taken
/// once, and the evidence is whole. Returns the runs.
#[track_caller]
pub fn passed_once(evidence: &Path, jobs: &[(String, String)], log: &Value) -> Vec<RunRecord> {
    let runs = first_attempts(evidence, jobs);
    for run in &runs {
        assert_eq!(run.state, RunState::Passed, "{}: {:#?}", run.scenario, run.failure);
    }
    let taken = taken_once(&runs, log);
    let catalogue = Catalogue::built_in().unwrap();
    let wanted: usize = runs.iter().map(|run| sends(scenario(&catalogue, run)).count()).sum();
    assert_eq!(taken, wanted, "every message of every scenario is there");
    runs
}

/// The runs: one of each scenario, all over, and the evidence whole.
#[track_caller]
pub fn first_attempts(evidence: &Path, jobs: &[(String, String)]) -> Vec<RunRecord> {
    let report = verify(evidence).unwrap();
    assert_eq!(report.problems, []);
    let runs = Store::open(evidence).unwrap().runs().unwrap();
    let mut names: Vec<_> =
        runs.iter().map(|run| (run.programme.clone(), run.scenario.clone())).collect();
    let mut wanted = jobs.to_vec();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted, "one run of each scenario");
    for run in &runs {
        assert_eq!(run.attempt, 1, "{}", run.scenario);
        assert_ne!(run.state, RunState::Waiting, "{}", run.scenario);
    }
    runs
}

/// What a process that died leaves, which the next one mends
/// (docs/evidence-format.md, "Repair").
const LEFTOVERS: [&str; 4] = ["torn-line", "unindexed-run", "index-behind", "unreferenced-object"];

/// Whoever looks at the evidence of a process that died finds nothing that the
/// next one does not mend.
#[track_caller]
pub fn mendable(evidence: &Path) {
    // It may have died before there was a store.
    let Ok(report) = verify(evidence) else { return };
    let worse = |problem: &&Problem| !LEFTOVERS.contains(&problem.rule);
    assert_eq!(report.problems.iter().filter(worse).collect::<Vec<_>>(), Vec::<&Problem>::new());
}

/// By the simulator's own log, no run's message was taken more often than its
/// scenario sends it, and nobody else sent any. Returns how many were taken.
#[track_caller]
pub fn taken_once(runs: &[RunRecord], log: &Value) -> usize {
    let catalogue = Catalogue::built_in().unwrap();
    let mut whose: BTreeMap<&str, usize> = BTreeMap::new();
    for (nth, run) in runs.iter().enumerate() {
        let references = [run.lrn.as_deref(), run.mrn.as_deref()];
        whose.extend(references.into_iter().flatten().map(|reference| (reference, nth)));
    }
    let mut taken: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let all = log["submissions"].as_array().unwrap();
    for one in all.iter().filter(|one| one["status"] == 202) {
        let mut references = ["lrn", "mrn"].iter().filter_map(|field| one[*field].as_str());
        let run = references.find_map(|reference| whose.get(reference));
        let run = run.unwrap_or_else(|| panic!("sent by nobody: {one:#}"));
        *taken.entry((*run, one["messageType"].as_str().unwrap())).or_default() += 1;
    }
    for ((run, message), count) in &taken {
        let run = &runs[*run];
        let wanted = sends(scenario(&catalogue, run)).filter(|send| send == message).count();
        assert!(*count <= wanted, "{} sent its {message} {count} times", run.scenario);
    }
    taken.values().sum()
}

/// No journal tells of a message twice. Returns what was asked for.
#[track_caller]
pub fn received_once(evidence: &Path) -> Vec<Purpose> {
    let store = Store::open(evidence).unwrap();
    let (mut received, mut purposes) = (BTreeSet::new(), Vec::new());
    for run in store.runs().unwrap() {
        for line in store.events(run.run).unwrap() {
            match line.event {
                Event::Received(got) => {
                    let id = got.message_id.clone();
                    assert!(received.insert(got.message_id), "{}: {id} twice", run.scenario);
                }
                Event::Request(request) => purposes.push(request.purpose),
                _ => {}
            }
        }
    }
    purposes
}

/// The messages a scenario sends.
fn sends(scenario: &Scenario) -> impl Iterator<Item = &'static str> {
    scenario.step.iter().filter_map(|step| step.send).map(|message| message.as_str())
}

fn scenario<'a>(catalogue: &'a Catalogue, run: &RunRecord) -> &'a Scenario {
    catalogue.scenario(&run.programme, &run.scenario).unwrap()
}
