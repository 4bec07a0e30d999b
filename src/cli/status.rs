//! `status`: where every requirement stands.

use anstyle::Style;

use super::args::Status;
use super::context::{Context, Desk, case};
use super::exit;
use super::failure::Failure;
use super::printer::{BAD, BOLD, CARE, DIM, GOOD, PLAIN, Printer, columns, paint};
use crate::calendar::london;
use crate::catalogue::RequirementKind;
use crate::evidence::{Actor, Depth, Driver, UNASSIGNED};
use crate::verdict::{self, RequirementState, RequirementStatus};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Status) -> Result<u8, Failure> {
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let as_of = context.as_of()?;
    let evidence = desk.evidence_to(Depth::Lines, context.clock.now())?;
    let day = london::day_of(as_of);
    let programmes = desk.told(args.programme.as_deref(), context.printer.json(), day)?;
    for (programme, place) in programmes.into_iter().zip(0..) {
        if place > 0 {
            context.printer.line("");
        }
        let needs = desk.needs(programme, day)?;
        let case = case(&desk, programme, &needs, &evidence, as_of, args.rehearsal);
        let status = verdict::status(&case);
        context.printer.document(&status);
        print(&mut context.printer, &programme.title, &status);
    }
    let unassigned = evidence.runs.iter().filter(|run| run.scenario == UNASSIGNED).count();
    if unassigned > 0 {
        let printer = &mut context.printer;
        printer.line("");
        printer.line(format!(
            "recorded runs of which nobody has said the scenario: {unassigned}; they count for"
        ));
        printer.line("nothing until `ctc-ready evidence assign` says it");
    }
    Ok(exit::DONE)
}

/// One programme's table.
pub(super) fn print(printer: &mut Printer, title: &str, status: &verdict::Status) {
    printer.line(paint(BOLD, title));
    printer.line(format!("  as of {}", london::for_people(status.as_of)));
    let (mandatory, recommended): (Vec<_>, Vec<_>) =
        status.requirements.iter().partition(|item| item.kind == RequirementKind::Mandatory);
    table(printer, &mandatory);
    if mandatory.iter().any(|item| item.state == RequirementState::Missing && item.attempts > 0) {
        printer.line("  tried, but nothing that counts: `ctc-ready gate` says why");
    }
    let tried: Vec<_> = recommended.iter().copied().filter(|item| item.attempts > 0).collect();
    if !tried.is_empty() {
        printer.line("");
        printer.line("  recommended");
        table(printer, &tried);
    }
    for item in &status.requirements {
        let Some(waiting) = &item.waiting_for else { continue };
        printer.line("");
        let scenario = item.scenario.as_deref().unwrap_or(&item.requirement);
        printer.line(format!("  {scenario} waits for {}", actor_of(waiting.actor)));
        printer.prose(4, &waiting.what);
        if let (false, Some(deadline)) = (waiting.actor == Actor::OpeningHours, waiting.deadline) {
            printer.line(format!("    until {}", london::for_planning(deadline)));
        }
    }
    let untried = recommended
        .iter()
        .filter(|item| item.attempts == 0 && item.state != RequirementState::NotApplicable)
        .count();
    if untried > 0 {
        printer.line(format!("  {untried} recommended tests not tried (they are optional)"));
    }
}

fn table(printer: &mut Printer, items: &[&RequirementStatus]) {
    let rows: Vec<_> = items
        .iter()
        .map(|item| {
            let (style, state) = state_of(item.state);
            vec![
                (PLAIN, item.requirement.clone()),
                (style, state.to_owned()),
                (PLAIN, scenario_of(item)),
                (PLAIN, item.attempts.to_string()),
                (PLAIN, item.fresh_until.map_or_else(|| "-".into(), london::for_people)),
            ]
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    for line in columns(&["REQUIREMENT", "STATE", "SCENARIO", "TRIES", "FRESH UNTIL"], &rows) {
        printer.line(format!("  {line}"));
    }
}

/// The scenario, and who acted as the software in it, unless we did.
fn scenario_of(item: &RequirementStatus) -> String {
    match (&item.scenario, item.driver) {
        (None, _) => "-".into(),
        (Some(scenario), None | Some(Driver::Direct)) => scenario.clone(),
        (Some(scenario), Some(driver)) => format!("{scenario} ({})", driver.as_str()),
    }
}

/// Who must act.
fn actor_of(actor: Actor) -> &'static str {
    match actor {
        Actor::You => "you",
        Actor::Officer => "HMRC's officers",
        Actor::Timer => "NCTS",
        Actor::OpeningHours => "opening hours",
        Actor::RequestBudget => "the request budget",
    }
}

/// A state in words and colour.
pub(super) fn state_of(state: RequirementState) -> (Style, &'static str) {
    match state {
        RequirementState::Fresh => (GOOD, "fresh"),
        RequirementState::Expiring => (CARE, "expiring"),
        RequirementState::Stale => (BAD, "stale"),
        RequirementState::Failed => (BAD, "FAILED"),
        RequirementState::Running => (CARE, "running"),
        RequirementState::Waiting => (CARE, "waiting"),
        RequirementState::Missing => (BAD, "missing"),
        RequirementState::NotApplicable => (DIM, "not applicable"),
    }
}
