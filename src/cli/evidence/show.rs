//! `evidence show`: one run, all of it.

use std::collections::BTreeSet;

use super::list::state;
use super::{beginning_with, open_store};
use crate::calendar::london;
use crate::cli::args::EvidenceShow as Args;
use crate::cli::context::{Context, Desk};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::printer::{BOLD, DIM, Printer, WIDTH, paint, wrap};
use crate::cli::why::why;
use crate::digest::Digest;
use crate::evidence::{RunId, RunState, Store};
use crate::report::json::{BodyText, EvidenceShow};
use crate::report::view::{BodyRef, RunDetail, RunFacts};
use crate::report::{Moment, OnlyIndexed, RunStory};
use chrono::{DateTime, NaiveDate, Utc};

/// Most runs listed where an id is not enough.
const LISTED: usize = 20;

/// Columns before a fact.
const LABELS: usize = 14;

/// Columns before what happened: a time of day.
const CLOCK: usize = 12;

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Args) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let store = open_store(&desk)?;
    let run = find(&store, &args.run)?;
    let removed = store.indexed().find(|(id, indexed)| *id == run && indexed.removed.is_some());
    if let Some((_, indexed)) = removed {
        let indexed = OnlyIndexed { run, indexed: indexed.clone(), problem: None };
        let shown = EvidenceShow::of_indexed(&indexed);
        context.printer.document(&shown);
        print_indexed(&mut context.printer, &shown);
        return Ok(exit::DONE);
    }
    let story = RunStory::read(&store, run).map_err(|error| {
        Failure::from(error).hint("`ctc-ready verify` tells what was changed or damaged")
    })?;
    let shown = EvidenceShow::of(&story, args.bodies.then_some(&store));
    context.printer.document(&shown);
    if let (false, Some(detail)) = (context.printer.json(), &shown.run) {
        print(&mut context.printer, detail, &shown);
    }
    Ok(exit::DONE)
}

/// The one run whose id begins so.
///
/// # Errors
/// When there is none, or more than one.
pub(in crate::cli) fn find(store: &Store, wanted: &str) -> Result<RunId, Failure> {
    let found = beginning_with(store, wanted);
    match found[..] {
        [run] => Ok(run),
        [] => Err(Failure::usage(format!("there is no run `{wanted}`"))
            .hint("`ctc-ready evidence list` lists them; the beginning of an id is enough")),
        _ => {
            let failure =
                Failure::usage(format!("`{wanted}` begins the ids of {} runs", found.len()));
            let told = store.indexed().filter(|(run, _)| found.contains(run)).take(LISTED);
            let failure = told.fold(failure, |failure, (run, indexed)| {
                failure.hint(format!("`{run}`: {}, attempt {}", indexed.scenario, indexed.attempt))
            });
            Err(match found.len() > LISTED {
                true => failure.hint("`ctc-ready evidence list` lists all of them"),
                false => failure,
            })
        }
    }
}

fn print_indexed(printer: &mut Printer, shown: &EvidenceShow) {
    let Some(run) = &shown.only_indexed else { return };
    head(printer, (&run.scenario, &run.programme), run.attempt, run.state);
    row(printer, "run", &run.run.to_string());
    row(printer, "environment", run.environment.as_str());
    printer.prose(2, &run.why());
}

fn print(printer: &mut Printer, run: &RunDetail, shown: &EvidenceShow) {
    facts(printer, &run.facts);
    if let Some(failure) = &run.facts.failure {
        section(printer, "why it ended");
        why(printer, failure);
    }
    section(printer, "what happened (times in London)");
    timeline(printer, &run.timeline);
    if shown.bodies.is_none() {
        printer.line("");
        printer.line(paint(DIM, "`--bodies` shows the messages themselves"));
        return;
    }
    bodies(printer, run, shown);
}

fn head(printer: &mut Printer, about: (&str, &str), attempt: u32, at: RunState) {
    let ((scenario, programme), (style, word)) = (about, state(at));
    let scenario = paint(BOLD, scenario);
    printer.line(format!("{scenario} ({programme}), attempt {attempt}: {}", paint(style, word)));
}

fn facts(printer: &mut Printer, run: &RunFacts) {
    head(printer, (&run.scenario, &run.programme), run.attempt, run.state);
    row(printer, "run", &run.run.to_string());
    let simulated = if run.simulated { ", which never counts" } else { "" };
    row(printer, "environment", &format!("{}{simulated}", run.environment.as_str()));
    row(printer, "driver", run.driver.as_str());
    row(printer, "address", &format!("{} (API {})", run.base_url, run.api_version));
    let software = &run.software;
    let build = software.build.as_deref().map(|build| format!(", build {build}"));
    let build = build.unwrap_or_default();
    row(printer, "software", &format!("{} {}{build}", software.name, software.version));
    row(printer, "written by", &run.tool);
    let first = run.first_submission.map(london::for_people);
    let finished = run.finished.map(london::for_people);
    let skew = run.max_skew_ms.filter(|ms| *ms != 0).map(|ms| {
        let way = if ms > 0 { "ahead of" } else { "behind" };
        format!("our clock was {} ms {way} the server's", ms.unsigned_abs())
    });
    for (label, value) in [
        ("operator", run.operator.clone()),
        ("LRN", run.lrn.clone()),
        ("MRN", run.mrn.clone()),
        ("opened", Some(london::for_people(run.started))),
        ("first sent", first),
        ("ended", finished),
        ("requests", Some(run.requests.to_string())),
        ("clock", skew),
    ] {
        if let Some(value) = value {
            row(printer, label, &value);
        }
    }
}

fn row(printer: &mut Printer, label: &str, text: &str) {
    folded(printer, label, LABELS, text);
}

/// `text` beside `label`, which takes so many columns.
fn folded(printer: &mut Printer, label: &str, columns: usize, text: &str) {
    for (line, nth) in wrap(text, WIDTH - columns - 2).iter().zip(0..) {
        let label = if nth == 0 { label } else { "" };
        printer.line(format!("  {}{line}", paint(DIM, format!("{label:<columns$}"))));
    }
}

fn section(printer: &mut Printer, title: &str) {
    printer.line("");
    printer.line(paint(BOLD, title));
}

fn timeline(printer: &mut Printer, moments: &[Moment]) {
    let mut day: Option<NaiveDate> = None;
    for moment in moments {
        let on = london::day_of(moment.at);
        if day.replace(on) != Some(on) {
            printer.line(format!("  {on}"));
        }
        folded(printer, &time(moment.at), CLOCK, &moment.what);
    }
}

fn time(at: DateTime<Utc>) -> String {
    london::time_of(at).format("%H:%M:%S").to_string()
}

/// The bodies that tell something: messages, e-mails, what was refused, and the
/// refusal. JSON has all of them.
fn bodies(printer: &mut Printer, run: &RunDetail, shown: &EvidenceShow) {
    let messages = run.facts.messages.iter().map(|message| {
        let what = format!("{} at {}", message.message, time(message.at));
        (message.at, what, &message.body)
    });
    let mails = run.mails.iter().map(|mail| {
        let what = format!("e-mail to {}: {}", mail.to, mail.subject);
        (mail.at, what, &mail.body)
    });
    let refused = run
        .exchanges
        .iter()
        .filter(|exchange| exchange.response.as_ref().is_none_or(|answer| answer.status >= 400));
    let refusals = refused.flat_map(|exchange| {
        let at = exchange.at;
        let sent = exchange.request.body.as_ref().map(|body| {
            let what = exchange.message.map_or("sent", |message| message.as_str());
            (at, format!("{what} at {}", time(at)), body)
        });
        let got = exchange.response.as_ref().and_then(|answer| {
            let what = format!("HTTP {} in answer to it", answer.status);
            Some((at, what, answer.body.as_ref()?))
        });
        [sent, got].into_iter().flatten()
    });
    let mut told: Vec<(DateTime<Utc>, String, &BodyRef)> =
        messages.chain(mails).chain(refusals).collect();
    told.sort_by_key(|(at, ..)| *at);
    let mut seen: BTreeSet<Digest> = BTreeSet::new();
    for (_, what, body) in told {
        section(printer, &what);
        printer.line(paint(DIM, format!("  {} bytes, SHA-256", body.bytes)));
        printer.line(paint(DIM, format!("  {}", body.sha256)));
        if !seen.insert(body.sha256) {
            printer.line("  (the same as above)");
            continue;
        }
        match shown.bodies.as_ref().and_then(|bodies| bodies.get(&body.sha256)) {
            Some(BodyText { text: Some(text), .. }) => {
                text.lines().for_each(|line| printer.line(line));
            }
            Some(BodyText { left_out: Some(why), .. }) => {
                printer.line(format!("  ({})", why.in_words()));
            }
            _ => {}
        }
    }
}
