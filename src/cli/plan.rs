//! `plan`: what applies and why, and when to start.

use chrono::{DateTime, NaiveDate, Utc};

use super::args::Plan as Args;
use super::context::{Context, Desk, day_judged};
use super::exit;
use super::failure::Failure;
use super::printer::{BOLD, CARE, DIM, GOOD, PLAIN, Printer, columns, paint};
use crate::calendar::london;
use crate::catalogue::{Programme, RequirementKind, Scenario};
use crate::verdict::plan::{Plan, PlanCase, plan};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Args) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let as_of = context.as_of()?;
    let day = day_judged(args.submit_on, as_of);
    let programmes = desk.told(args.programme.as_deref(), context.printer.json(), day)?;
    let declares = programmes.iter().any(|programme| programme.declares());
    for (programme, place) in programmes.into_iter().zip(0..) {
        if place > 0 {
            context.printer.line("");
        }
        let plan = plan_of(&desk, programme, as_of, args.submit_on)?;
        context.printer.document(&plan);
        print(&mut context.printer, programme, &plan);
    }
    context.printer.line("");
    if declares {
        context
            .printer
            .line("next: `ctc-ready run --environment simulator` rehearses; `ctc-ready run` is");
        context.printer.line("for real; `ctc-ready scenario show ID` tells a scenario's steps");
    } else {
        context.printer.line("next: `ctc-ready scenario show ID` tells a scenario's steps");
    }
    Ok(exit::DONE)
}

/// What a programme asks of the house, and when to start.
pub(super) fn plan_of(
    desk: &Desk,
    programme: &Programme,
    as_of: DateTime<Utc>,
    submit_on: Option<NaiveDate>,
) -> Result<Plan, Failure> {
    let needs = desk.needs(programme, day_judged(submit_on, as_of))?;
    let scenarios: Vec<&Scenario> = desk.catalogue.scenarios(&programme.id).iter().collect();
    Ok(plan(&PlanCase {
        programme,
        settings: &desk.project.settings,
        needs: &needs,
        scenarios: &scenarios,
        as_of,
        submit_on,
        recommended: false,
    }))
}

/// One programme's plan.
pub(super) fn print(printer: &mut Printer, programme: &Programme, plan: &Plan) {
    printer.line(paint(BOLD, &programme.title));
    match &plan.phase {
        Some(phase) => {
            let span = match (phase.opens, phase.closes) {
                (Some(opens), Some(closes)) => format!("{opens} to {closes}"),
                (Some(opens), None) => format!("since {opens}, no end published"),
                (None, Some(closes)) => format!("until {closes}"),
                (None, None) => "no dates published".to_owned(),
            };
            let open = if phase.open { paint(GOOD, "open") } else { paint(CARE, "not open") };
            printer.line(format!("  {}: {open}", phase.name));
            printer.line(format!("  {span}"));
        }
        None => printer.line(format!("  {}", paint(CARE, "no phase is open"))),
    }
    let rows: Vec<_> = plan
        .requirements
        .iter()
        .filter(|item| item.kind == RequirementKind::Mandatory)
        .map(|item| {
            let (style, run) = match (&item.chosen, item.applies) {
                (Some(id), true) => (BOLD, id.clone()),
                _ => (DIM, "not needed".to_owned()),
            };
            vec![(PLAIN, item.requirement.clone()), (style, run), (PLAIN, item.reason.clone())]
        })
        .collect();
    if rows.is_empty() {
        printer.line("  nothing is required");
    } else {
        for line in columns(&["REQUIRED", "RUN", "WHY"], &rows) {
            printer.line(format!("  {line}"));
        }
    }
    let recommended: Vec<&str> = plan
        .requirements
        .iter()
        .filter(|item| item.kind == RequirementKind::Recommended && item.applies)
        .filter_map(|item| item.chosen.as_deref())
        .collect();
    if !recommended.is_empty() {
        printer.line("");
        printer.prose(2, &format!("recommended, at your discretion: {}", recommended.join(", ")));
    }
    if !plan.schedule.is_empty() {
        let day =
            plan.submit_on.map_or_else(String::new, |day| format!(" for submission on {day}"));
        printer.line("");
        printer.line(format!("  when to start{day} (London time)"));
        for line in schedule(plan) {
            printer.line(format!("  {line}"));
        }
    }
    if !plan.consequences.is_empty() {
        printer.line("");
        printer.line("  good to know");
        for item in &plan.consequences {
            printer.prose(4, &item.message);
        }
    }
}

fn schedule(plan: &Plan) -> Vec<String> {
    // Without a day of submission there is no latest start.
    let with_latest = plan.submit_on.is_some();
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| match time {
        // The heading says that it is London's.
        Some(time) => (PLAIN, london::for_people(time).trim_end_matches(" (London)").to_owned()),
        None => (CARE, "too late".to_owned()),
    };
    let rows: Vec<_> = plan
        .schedule
        .iter()
        .map(|item| {
            let officers = if item.needs_officer { "needed" } else { "-" };
            let mut row = vec![(BOLD, item.scenario.clone()), time(item.start_no_earlier)];
            row.extend(with_latest.then(|| time(item.start_no_later)));
            row.push((PLAIN, format!("{} min", item.expected_minutes)));
            row.push((PLAIN, officers.to_owned()));
            row
        })
        .collect();
    let head: &[&str] = match with_latest {
        true => &["SCENARIO", "NOT BEFORE", "NOT AFTER", "TIMERS", "OFFICERS"],
        false => &["SCENARIO", "NOT BEFORE", "TIMERS", "OFFICERS"],
    };
    columns(head, &rows)
}
