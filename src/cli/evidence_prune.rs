//! `evidence prune`: what may go to save room. Plans first; `--yes` acts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::args::EvidencePrune;
use super::context::{Context, Desk, Evidence, TOOL, case, secrets, shown};
use super::exit;
use super::failure::Failure;
use super::printer::{BAD, BOLD, DIM, GOOD, PLAIN, Printer, columns, paint};
use crate::calendar::london;
use crate::evidence::prune::{PlannedRun, PrunePlan, Stays, plan};
use crate::evidence::{RunId, RunState, Store, StoreWriter};
use crate::verdict;

/// `evidence prune --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Pruned {
    /// Always 1.
    schema_version: u32,
    /// Whether it was done; else it is a plan.
    done: bool,
    /// Runs that ended at this instant or later stay.
    ended_before: DateTime<Utc>,
    /// Why, as the index says it.
    reason: String,
    #[serde(flatten)]
    plan: PrunePlan,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &EvidencePrune) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let dir = desk.project.evidence_dir();
    let reason = match args.reason.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) if text.chars().count() > MAX_REASON => {
            return Err(Failure::usage(format!(
                "the reason is longer than {MAX_REASON} characters"
            )));
        }
        Some(text) => text.to_owned(),
        None => format!("it ended more than {} days before, and stood for nothing", args.keep_days),
    };
    let ended_before = context.clock.now() - TimeDelta::days(i64::from(args.keep_days));
    let plan = if args.yes {
        // A store is not made for the sake of this.
        Store::open(&dir)?;
        let writer = StoreWriter::open(&dir, Arc::clone(&context.clock), TOOL)?;
        let redactor = writer.redactor();
        secrets().for_each(|(_, secret)| redactor.learn(&secret));
        // Only now is nobody else at it.
        let plan = planned(context, &desk, &dir, ended_before)?;
        writer.remove_runs(&plan.runs(), &reason)?;
        plan
    } else {
        planned(context, &desk, &dir, ended_before)?
    };
    let report = Pruned { schema_version: 1, done: args.yes, ended_before, reason, plan };
    context.printer.document(&report);
    let place = shown(&dir, &context.cwd);
    print(&mut context.printer, &place, &report);
    Ok(exit::DONE)
}

/// Longest reason, in characters.
const MAX_REASON: usize = 1_000;

/// Plans over a store that verifies: what is removed from a damaged one may be
/// what would show the damage.
fn planned(
    context: &Context,
    desk: &Desk,
    dir: &Path,
    ended_before: DateTime<Utc>,
) -> Result<PrunePlan, Failure> {
    let store = Store::open(dir)?;
    let evidence = desk.evidence(context.clock.now())?;
    if !evidence.report.as_ref().is_some_and(|report| report.intact) {
        return Err(Failure::input(format!(
            "`{}` was changed or damaged: nothing is removed from it",
            dir.display()
        ))
        .hint("`ctc-ready verify` tells what is wrong with it"));
    }
    let keep = standing(context, desk, &evidence)?;
    Ok(plan(&store, &keep, ended_before)?)
}

/// The runs that stand for a requirement of any programme of the settings, at
/// present or at `--at`, in earnest or in a rehearsal.
fn standing(
    context: &Context,
    desk: &Desk,
    evidence: &Evidence,
) -> Result<BTreeSet<RunId>, Failure> {
    let mut keep = BTreeSet::new();
    for programme in desk.programmes(None)? {
        for as_of in [context.clock.now(), context.as_of()?] {
            let needs = desk.needs(programme, london::day_of(as_of))?;
            for rehearsal in [false, true] {
                let case = case(desk, programme, &needs, evidence, as_of, rehearsal);
                let status = verdict::status(&case);
                keep.extend(status.requirements.iter().filter_map(|it| it.run));
            }
        }
    }
    Ok(keep)
}

/// The report for people.
fn print(printer: &mut Printer, place: &str, report: &Pruned) {
    let plan = &report.plan;
    let (count, bytes) = (plan.remove.len(), plan.bytes);
    if count == 0 {
        printer.line(format!("{} in {place}", paint(BOLD, "nothing to remove")));
    } else {
        let what = if report.done { paint(GOOD, "removed") } else { paint(BAD, "would remove") };
        printer.line(format!(
            "{what} from {place}: {count} {}, {} bodies, {bytes} bytes",
            if count == 1 { "run" } else { "runs" },
            plan.objects
        ));
        let rows: Vec<_> = plan
            .remove
            .iter()
            .map(|run| [named(run), vec![(PLAIN, run.bytes.to_string())]].concat())
            .collect();
        table(printer, "BYTES", &rows);
        printer.prose(2, &format!("reason in the index: {}", report.reason));
    }
    if !plan.keep.is_empty() {
        printer.line("");
        printer.line("stays");
        let rows: Vec<_> = plan
            .keep
            .iter()
            .map(|run| [named(run), vec![(PLAIN, why(run.stays).to_owned())]].concat())
            .collect();
        table(printer, "BECAUSE", &rows);
    }
    if count > 0 {
        printer.line("");
        printer.prose(0, "The index goes on saying that these attempts were made and how they ended; reports and the bundle tell of them.");
    }
    if count > 0 && !report.done {
        printer.line("`ctc-ready evidence prune --yes` removes them; they cannot be brought back.");
    }
}

fn table(printer: &mut Printer, last: &str, rows: &[Vec<(anstyle::Style, String)>]) {
    for line in columns(&["SCENARIO", "WHERE", "ATTEMPT", "STATE", "ENDED", last], rows) {
        printer.line(format!("  {line}"));
    }
}

fn named(run: &PlannedRun) -> Vec<(anstyle::Style, String)> {
    vec![
        (PLAIN, run.scenario.clone()),
        (DIM, run.environment.as_str().to_owned()),
        (PLAIN, run.attempt.to_string()),
        (PLAIN, state_of(run.state).to_owned()),
        (PLAIN, run.ended.map_or_else(|| "-".into(), |at| london::day_of(at).to_string())),
    ]
}

fn state_of(state: RunState) -> &'static str {
    match state {
        RunState::Passed => "passed",
        RunState::Failed => "failed",
        RunState::Waiting => "open",
        RunState::Abandoned => "given up",
    }
}

fn why(stays: Option<Stays>) -> &'static str {
    match stays {
        Some(Stays::Open) => "open",
        Some(Stays::StandsForRequirement) => "stands for a requirement",
        Some(Stays::NewestPassed) => "newest that passed",
        Some(Stays::LatestAttempt) => "latest attempt",
        Some(Stays::Recent) => "ended lately",
        None => "",
    }
}
