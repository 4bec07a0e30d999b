//! `plan`: what applies and why, and when to start.

use super::args::Plan as Args;
use super::context::{Context, Desk};
use super::exit;
use super::failure::Failure;
use super::printer::{BOLD, CARE, DIM, GOOD, PLAIN, Printer, columns, paint};
use crate::calendar::london;
use crate::catalogue::{RequirementKind, Scenario};
use crate::verdict::plan::{Plan, PlanCase, plan};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Args) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let as_of = context.as_of()?;
    let programmes = match context.printer.json() {
        true => vec![desk.programme(args.programme.as_deref())?],
        false => desk.programmes(args.programme.as_deref())?,
    };
    for programme in programmes {
        let needs = desk.needs(programme)?;
        let scenarios: Vec<&Scenario> = desk.catalogue.scenarios(&programme.id).iter().collect();
        let plan = plan(&PlanCase {
            programme,
            settings: &desk.project.settings,
            needs: &needs,
            scenarios: &scenarios,
            as_of,
            submit_on: args.submit_on,
            recommended: false,
        });
        context.printer.document(&plan);
        print(&mut context.printer, &programme.title, &plan);
    }
    if !context.printer.json() {
        context
            .printer
            .line("next: `ctc-ready run --environment simulator` rehearses; `ctc-ready run` is");
        context.printer.line("for real; `ctc-ready scenario show ID` tells a scenario's steps");
    }
    Ok(exit::DONE)
}

/// One programme's plan.
pub(super) fn print(printer: &mut Printer, title: &str, plan: &Plan) {
    printer.line(paint(BOLD, title));
    match &plan.phase {
        Some(phase) => {
            let day = |day: Option<chrono::NaiveDate>| {
                day.map_or_else(|| "no published date".to_owned(), |day| day.to_string())
            };
            let open = if phase.open { paint(GOOD, "open") } else { paint(CARE, "not open") };
            printer.line(format!(
                "  {}: {open} (from {} to {})",
                phase.name,
                day(phase.opens),
                day(phase.closes)
            ));
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
    for line in columns(&["REQUIRED", "RUN", "WHY"], &rows) {
        printer.line(format!("  {line}"));
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
        let rows: Vec<_> = plan
            .schedule
            .iter()
            .map(|item| {
                let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
                    time.map_or_else(|| "too late".to_owned(), london::for_people)
                };
                let officer = if item.needs_officer { "yes" } else { "no" };
                vec![
                    (BOLD, item.scenario.clone()),
                    (PLAIN, time(item.start_no_earlier)),
                    (PLAIN, time(item.start_no_later)),
                    (PLAIN, format!("{} min", item.expected_minutes)),
                    (PLAIN, officer.to_owned()),
                ]
            })
            .collect();
        for line in columns(&["SCENARIO", "NOT BEFORE", "NOT AFTER", "TAKES", "OFFICERS"], &rows) {
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
    printer.line("");
}
