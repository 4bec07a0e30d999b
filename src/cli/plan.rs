//! `plan`: what applies and why, what of it is proven, when the rest must start
//! and who must be there.

use std::path::Path;

use anstyle::Style;
use chrono::{DateTime, NaiveDate, Utc};

use super::args::Plan as Args;
use super::context::{Context, Desk, Evidence, case, shown};
use super::exit;
use super::failure::{Failure, Kind};
use super::kept;
use super::printer::{BAD, BOLD, CARE, DIM, GOOD, PLAIN, Printer, WIDTH, columns, paint, wrap};
use super::status::state_of;
use crate::calendar::london;
use crate::catalogue::{Programme, RequirementKind, Scenario};
use crate::evidence::{Actor, Depth};
use crate::files;
use crate::project::RecommendedPolicy;
use crate::verdict::day_judged;
use crate::verdict::plan::{Fit, Moment, Plan, PlanCase, Scheduled, ics, plan};
use crate::verdict::rules::{OUTSIDE_PHASE, SUBMISSION_WINDOW};

/// Largest file looked at before it is replaced, in bytes.
const MAX_CALENDAR: u64 = 1 << 20;

/// What `--ics` writes.
const CALENDAR: kept::Kind = kept::Kind {
    what: "calendar of ctc-ready",
    extension: "ics",
    max: MAX_CALENDAR,
    ours: |bytes| {
        let head = bytes.get(..bytes.len().min(200)).unwrap_or_default();
        bytes.starts_with(b"BEGIN:VCALENDAR")
            && head.windows(ics::PRODUCT.len()).any(|part| part == ics::PRODUCT.as_bytes())
    },
    flag: "--ics",
};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Args) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let as_of = context.as_of()?;
    let evidence = desk.evidence_to(Depth::Lines, context.clock.now())?;
    let day = day_judged(args.submit_on, as_of);
    let programmes = desk.told(args.programme.as_deref(), context.printer.json(), day)?;
    let declares = programmes.iter().any(|programme| programme.declares());
    let mut plans = Vec::new();
    for programme in &programmes {
        plans.push(plan_of(&desk, &evidence, programme, as_of, args.submit_on)?);
    }
    let calendar = args.ics.as_deref().map(|path| write(context, &desk, path, &plans));
    let calendar = calendar.transpose()?;

    for ((programme, plan), place) in programmes.into_iter().zip(&plans).zip(0..) {
        if place > 0 {
            context.printer.line("");
        }
        context.printer.document(plan);
        print(&mut context.printer, programme, plan);
    }
    context.printer.line("");
    if let Some((place, events)) = calendar {
        context.printer.line(format!("wrote {}: {events} events", paint(BOLD, place)));
    }
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

/// What a programme asks of the house, what is proven, and when to start.
pub(super) fn plan_of(
    desk: &Desk,
    evidence: &Evidence,
    programme: &Programme,
    as_of: DateTime<Utc>,
    submit_on: Option<NaiveDate>,
) -> Result<Plan, Failure> {
    let needs = desk.needs(programme, day_judged(submit_on, as_of))?;
    let scenarios: Vec<&Scenario> = desk.catalogue.scenarios(&programme.id).iter().collect();
    let mut case = case(desk, programme, &needs, evidence, as_of, false);
    case.submit_on = submit_on;
    Ok(plan(&PlanCase {
        case,
        scenarios: &scenarios,
        recommended: desk.project.settings.gate.recommended == RecommendedPolicy::Required,
    }))
}

/// Writes the plans as a calendar; tells where it is and how many events it has.
/// An earlier one can be had again, and is replaced.
fn write(
    context: &Context,
    desk: &Desk,
    path: &Path,
    plans: &[Plan],
) -> Result<(String, usize), Failure> {
    let output = context.cwd.join(path);
    kept::outside(&output, &desk.project.evidence_dir())?;
    let text = ics::calendar(&desk.project.settings.software.name, plans)
        .map_err(|error| Failure::new(Kind::Bug, format!("the calendar: {error}")))?;
    let events = ics::events(&text);
    if events == 0 {
        // RFC 5545 has no calendar without a component.
        return Err(Failure::usage("there is nothing to put into a calendar")
            .hint("name a day with `--submit-on DATE`"));
    }
    let empty = output.metadata().is_ok_and(|data| data.is_file() && data.len() == 0);
    if !empty {
        kept::standing(&output, &CALENDAR)?;
    }
    files::write_atomic(&output, text.as_bytes())?;
    Ok((shown(&output, &context.cwd), events))
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
    requirements(printer, plan);
    evidence(printer, plan);

    let day = plan.submit_on.map_or_else(String::new, |day| format!(" for submission on {day}"));
    let urgent = |rule: &str| rule == SUBMISSION_WINDOW.name || rule == OUTSIDE_PHASE.name;
    let (mut urgent, others): (Vec<_>, Vec<_>) =
        plan.consequences.iter().partition(|item| urgent(&item.rule));
    urgent.sort_by_key(|item| item.rule != OUTSIDE_PHASE.name);
    if !urgent.is_empty() {
        printer.line("");
    }
    for item in urgent {
        for line in wrap(&item.message, WIDTH - 2) {
            printer.line(format!("  {}", paint(CARE, line)));
        }
    }
    let open = plan.phase.as_ref().is_some_and(|phase| phase.open);
    if open && !plan.schedule.is_empty() {
        printer.line("");
        printer.line(format!("  when to start{day} (London time)"));
        table(printer, &schedule(plan));
        notes(printer, programme, plan);
    }
    if plan.submit_on.is_some() {
        awake(printer, plan);
    }
    if !others.is_empty() {
        printer.line("");
        printer.line("  good to know");
        for item in others {
            printer.prose(4, &item.message);
        }
    }
}

fn table(printer: &mut Printer, lines: &[String]) {
    for line in lines {
        printer.line(format!("  {line}"));
    }
}

/// What is asked, and why.
fn requirements(printer: &mut Printer, plan: &Plan) {
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
        table(printer, &columns(&["REQUIRED", "RUN", "WHY"], &rows));
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
}

/// What there is already, and whether it is good on the day.
fn evidence(printer: &mut Printer, plan: &Plan) {
    let rows: Vec<_> = plan
        .requirements
        .iter()
        .filter(|item| item.run.is_some())
        .map(|item| {
            let (style, state) = state_of(item.state);
            let good = match (item.good_on_submission, item.findings.first()) {
                (Some(true), _) => (GOOD, "good".to_owned()),
                (_, Some(rule)) => (BAD, rule.clone()),
                _ => (BAD, "not good".to_owned()),
            };
            vec![
                (PLAIN, item.requirement.clone()),
                (style, state.to_owned()),
                good,
                (PLAIN, item.fresh_until.map_or_else(|| "-".to_owned(), london::for_tables)),
            ]
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    let then = plan.submit_on.map_or_else(|| "GATE".to_owned(), |day| format!("ON {day}"));
    printer.line("");
    printer.line("  what you have (London time)");
    table(printer, &columns(&["REQUIREMENT", "NOW", &then, "FRESH UNTIL"], &rows));
    let mut required = plan
        .requirements
        .iter()
        .filter(|item| item.kind == RequirementKind::Mandatory && item.applies);
    if plan.schedule.is_empty() && required.all(|item| item.good_on_submission == Some(true)) {
        printer.line("  nothing need be run for it");
    }
}

/// A time, or that there is none.
fn time(time: Option<DateTime<Utc>>) -> (Style, String) {
    (PLAIN, time.map_or_else(|| "-".to_owned(), london::for_tables))
}

fn schedule(plan: &Plan) -> Vec<String> {
    // Without a day of submission there may be no latest start.
    let with_latest = plan.submit_on.is_some();
    let rows: Vec<_> = plan
        .schedule
        .iter()
        .map(|item| {
            let first = match item.fit {
                Fit::None => (BAD, "too late".to_owned()),
                _ => time(item.start_no_earlier),
            };
            let mut row = vec![(BOLD, item.scenario.clone()), first];
            row.extend(with_latest.then(|| time(item.start_no_later)));
            row.push(time(done(item)));
            row.push((PLAIN, format!("{} min", item.expected_minutes)));
            let asks = match item.officer_steps {
                0 => "-".to_owned(),
                n => format!("{n}x"),
            };
            row.push((PLAIN, asks));
            row
        })
        .collect();
    let head: &[&str] = match with_latest {
        true => &["SCENARIO", "NOT BEFORE", "NOT AFTER", "DONE", "TIMERS", "ASKS"],
        false => &["SCENARIO", "NOT BEFORE", "DONE", "TIMERS", "ASKS"],
    };
    columns(head, &rows)
}

/// When a scenario is done that starts as late as it may.
fn done(item: &Scheduled) -> Option<DateTime<Utc>> {
    match item.fit {
        Fit::InTime => item.finish_officers_late,
        _ => item.finish_officers_at_once,
    }
}

/// What the columns mean, and which day works where none was given.
fn notes(printer: &mut Printer, programme: &Programme, plan: &Plan) {
    let officers = programme.officers.as_ref();
    let days = officers.map_or(0, |officers| officers.follow_up_working_days);
    let days = if days == 1 { "a working day".to_owned() } else { format!("{days} working days") };
    if plan.schedule.iter().any(|item| item.officer_steps > 0 && item.fit != Fit::None) {
        let started = if plan.submit_on.is_some() { "NOT AFTER" } else { "NOT BEFORE" };
        printer.prose(
            2,
            &format!(
                "ASKS: how often HMRC's officers must act; DONE: when started at {started}, if they take {days} each time{}",
                match plan.schedule.iter().any(|item| item.fit == Fit::IfOfficersAnswerAtOnce) {
                    true => ", or none where there is no time for that",
                    false => "",
                }
            ),
        );
    }
    if plan.submit_on.is_none()
        && let Some(day) = plan.first_day.officers_late
    {
        let quick = plan.first_day.officers_at_once.filter(|quick| *quick != day);
        printer.prose(
            2,
            &format!(
                "first day of submission that works: {day}{}",
                quick.map_or_else(String::new, |quick| format!(
                    "; {quick} if the officers answer at once"
                ))
            ),
        );
    }
}

/// Who must be there when.
fn awake(printer: &mut Printer, plan: &Plan) {
    let mut rows = Vec::new();
    for item in &plan.schedule {
        let mut shown = false;
        for same in
            item.moments.chunk_by(|a, b| a.step == b.step && a.actor == b.actor && a.from == b.from)
        {
            let (Some(first), Some(last)) = (same.first(), same.last()) else { continue };
            let what: Vec<&str> = same.iter().map(|moment| moment.what.as_str()).collect();
            let who = if first.actor == Actor::Officer { "officers" } else { "you" };
            let by = match last.until {
                Some(until) if until == first.from => ", at once".to_owned(),
                Some(until) => format!(", by {}", london::for_tables(until)),
                None => String::new(),
            };
            let scenario = if shown { String::new() } else { item.scenario.clone() };
            shown = true;
            rows.push(vec![
                (BOLD, scenario),
                (PLAIN, first.step.to_string()),
                (PLAIN, london::for_tables(first.from)),
                (DIM, hours(first)),
                (PLAIN, format!("{who}: {}{by}", what.join("; "))),
            ]);
        }
    }
    if rows.is_empty() {
        return;
    }
    printer.line("");
    printer.line("  who has to be awake, for a start at NOT AFTER (London time)");
    table(printer, &columns(&["SCENARIO", "STEP", "FROM", "OPEN", "WHO, WHAT"], &rows));
}

/// `09:00-17:00`.
fn hours(moment: &Moment) -> String {
    let (Some(opens), Some(closes)) = (moment.opens, moment.closes) else {
        return "-".to_owned();
    };
    let time = |at| london::time_of(at).format("%H:%M").to_string();
    match time(opens) == time(closes) {
        true => "all day".to_owned(),
        false => format!("{}-{}", time(opens), time(closes)),
    }
}
