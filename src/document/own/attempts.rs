//! Every attempt under the programme, the failed and the removed ones too.

use super::super::answers::counted_run;
use super::Dossier;
use super::sheet::{Blocks, Cell, Line, Look, Shape, Table};
use super::words::{fill_in, words};
use crate::evidence::index::IndexedRun;
use crate::evidence::{RunRecord, RunState};
use crate::verdict::{RequirementState, RequirementStatus};

pub(super) fn write(dossier: &Dossier<'_>, blocks: &mut Blocks) {
    blocks.heading(1, "Attempts");
    let mut rows: Vec<Vec<Cell>> = dossier.attempts().map(|run| attempt(dossier, run)).collect();
    let of_programme = |run: &&IndexedRun| run.programme == dossier.programme.id;
    rows.extend(dossier.removed.iter().filter(of_programme).map(removed));
    if rows.is_empty() {
        return blocks.text(&words().no_attempts);
    }
    blocks.text(&words().attempts);
    let columns = [("Attempt", 27), ("Times (UTC)", 40), ("Outcome", 45), ("References", 68)];
    blocks.table(Table::new(Shape::Records, &columns, rows));
}

fn named(scenario: &str, attempt: u32, environment: &str) -> Cell {
    let line = |text: String, look| Line { label: None, text, look };
    let lines = vec![
        line(scenario.to_owned(), Look::Strong),
        line(format!("attempt {attempt}"), Look::Plain),
        line(environment.to_owned(), Look::Plain),
    ];
    Cell { lines, ..Cell::default() }
}

fn attempt(dossier: &Dossier<'_>, run: &RunRecord) -> Vec<Cell> {
    let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M:%S").to_string();
    let times = [("opened", Some(run.opened)), ("closed", run.closed)];
    let times = times.into_iter().filter_map(|(label, at)| Some((label, time(at?))));
    // A reference that the simulator gave is none that HMRC knows.
    let known = dossier.answers.rehearsal || !run.is_simulated();
    let [lrn, mrn] = [&run.lrn, &run.mrn].map(|id| id.clone().filter(|_| known));
    let references = [("LRN", lrn), ("MRN", mrn), ("run", Some(run.run.to_string()))];
    let references = references.into_iter().filter_map(|(label, id)| Some((label, id?)));
    vec![
        named(&run.scenario, run.attempt, run.environment.as_str()),
        Cell::labelled(times, Look::Exact),
        Cell::said(&outcome(dossier, run)),
        Cell::labelled(references, Look::Id),
    ]
}

fn removed(run: &IndexedRun) -> Vec<Cell> {
    let state = run.closed.map_or("not finished", |closed| ended(closed.state));
    let why = run.removed.as_deref().unwrap_or("no reason given");
    vec![
        named(&run.scenario, run.attempt, run.environment.as_str()),
        Cell::default(),
        Cell::text(fill_in(&words().removed, &[("state", state), ("why", why)])),
        Cell::default(),
    ]
}

fn ended(state: RunState) -> &'static str {
    match state {
        RunState::Passed => "passed",
        RunState::Failed => "failed",
        RunState::Waiting => "not finished",
        RunState::Abandoned => "given up",
    }
}

/// How an attempt ended, and what that is worth.
fn outcome(dossier: &Dossier<'_>, run: &RunRecord) -> String {
    let words = words();
    let state = ended(run.state);
    if let Some(failure) = &run.failure {
        let step = failure.step.to_string();
        let values = [("state", state), ("step", &step), ("why", failure.message.as_str())];
        return fill_in(&words.failed, &values);
    }
    if run.state != RunState::Passed {
        return state.to_owned();
    }
    let rehearsal = dossier.answers.rehearsal;
    let asking = dossier.verdict.requirements.iter().filter(|status| {
        status.any_of.contains(&run.scenario) && status.state != RequirementState::NotApplicable
    });
    let asking: Vec<&RequirementStatus> = asking.collect();
    let counted = |status: &RequirementStatus| counted_run(status, dossier.runs, rehearsal);
    let counts = |status: &&&RequirementStatus| counted(status).is_ok_and(|it| it.run == run.run);
    let titles: Vec<&str> =
        asking.iter().filter(counts).map(|status| dossier.title_of(&status.requirement)).collect();
    if !titles.is_empty() {
        return fill_in(&words.counts, &[("titles", &titles.join("; "))]);
    }
    let too_old = |status: &&RequirementStatus| {
        status.run == Some(run.run) && status.state == RequirementState::Stale
    };
    if run.is_simulated() && !rehearsal {
        words.never_counts.clone()
    } else if asking.is_empty() {
        words.unasked.clone()
    } else if asking.iter().any(too_old) {
        words.too_old.clone()
    } else if asking.iter().any(|status| counted(status).is_ok()) {
        words.other_counts.clone()
    } else {
        words.does_not_count.clone()
    }
}
