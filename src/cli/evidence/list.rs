//! `evidence list`: every attempt.

use super::{Wanted, open_store};
use crate::calendar::london;
use crate::cli::args::EvidenceFilter;
use crate::cli::context::{Context, Desk};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::printer::{BAD, BOLD, CARE, DIM, GOOD, PLAIN, Printer, columns, paint};
use crate::evidence::{Driver, RunId, RunState};
use crate::project::Environment;
use crate::report::attempts;
use crate::report::json::EvidenceList;
use crate::report::view::state_word;
use anstyle::Style;

/// Fewest characters of an id shown.
const SHORTEST: usize = 8;

/// Runs the command.
pub(super) fn run(context: &mut Context, filter: &EvidenceFilter) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let store = open_store(&desk)?;
    let wanted = Wanted::new(&desk, &store, filter)?;
    let (stories, only_indexed) =
        attempts(&store, |programme, scenario| wanted.takes(programme, scenario));
    let list = EvidenceList::of(stories.iter().map(|story| &story.record), &only_indexed);
    context.printer.document(&list);
    let all: Vec<RunId> = store.indexed().map(|(run, _)| run).collect();
    print(&mut context.printer, &list, shortest(&all));
    Ok(exit::DONE)
}

/// How much of an id tells it from all others.
pub(super) fn shortest(ids: &[RunId]) -> usize {
    let mut ids: Vec<String> = ids.iter().map(RunId::to_string).collect();
    ids.sort();
    let shared = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let pairs = ids.iter().zip(ids.iter().skip(1));
    pairs.map(|(a, b)| shared(a, b) + 1).fold(SHORTEST, usize::max)
}

fn print(printer: &mut Printer, list: &EvidenceList, length: usize) {
    if list.runs.is_empty() && list.only_indexed.is_empty() {
        printer.line("no runs");
        return;
    }
    let short = |run: RunId| run.to_string().chars().take(length).collect::<String>();
    let rows: Vec<Vec<(Style, String)>> = list
        .runs
        .iter()
        .map(|run| {
            vec![
                (PLAIN, short(run.run)),
                (BOLD, run.scenario.clone()),
                (PLAIN, run.attempt.to_string()),
                state(run.state),
                (PLAIN, place(run.environment, run.driver)),
                (PLAIN, london::for_people(run.started).replace(" (London)", "")),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let head = ["RUN", "SCENARIO", "TRY", "STATE", "WHERE", "OPENED (LONDON)"];
        columns(&head, &rows).iter().for_each(|line| printer.line(line));
    }
    for run in &list.only_indexed {
        printer.line(format!(
            "{} {} attempt {} on {}: {}",
            short(run.run),
            paint(BOLD, &run.scenario),
            run.attempt,
            run.environment.as_str(),
            state(run.state).1
        ));
        printer.prose(2, &run.why());
    }
    printer.line("");
    printer.line(paint(DIM, "`ctc-ready evidence show RUN` tells all of one"));
}

/// Where a run was made, and who acted as the software, unless we did.
fn place(environment: Environment, driver: Driver) -> String {
    match driver {
        Driver::Direct => environment.as_str().to_owned(),
        other => format!("{} ({})", environment.as_str(), other.as_str()),
    }
}

/// Where a run stands, as it is shown.
pub(super) fn state(state: RunState) -> (Style, String) {
    let style = match state {
        RunState::Passed => GOOD,
        RunState::Failed => BAD,
        RunState::Waiting => CARE,
        RunState::Abandoned => DIM,
    };
    (style, state_word(state).to_owned())
}
