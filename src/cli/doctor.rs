//! `doctor`: is anything in the way of a run?

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::application::application;
use super::args::Doctor;
use super::context::{Context, Desk, shown, sources, verified};
use super::exit;
use super::failure::Failure;
use super::message_build::MRN as EXAMPLE_MRN;
use super::printer::{BAD, BOLD, CARE, DIM, GOOD, PLAIN, Printer, columns, paint};
use crate::calendar::london;
use crate::catalogue::{Catalogue, Programme, RequirementKind, Scenario};
use crate::evidence::{Depth, EvidenceError, RunRecord, Trust};
use crate::files;
use crate::ncts::Direction;
use crate::ncts::build::Stamp;
use crate::payload::{Payload, PayloadError, Payloads, Sources};
use crate::project::before::{self, Shown};
use crate::project::xsd::{XsdFolder, versions};
use crate::project::{Environment, Project};

/// `doctor --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Diagnosis {
    /// Always 1.
    schema_version: u32,
    /// Whether nothing is in the way: no check found an error.
    ok: bool,
    /// In the order in which they depend on each other.
    checks: Vec<Checked>,
    /// What HMRC wants done before a house starts, in its order.
    before_you_start: Vec<Step>,
}

/// Something to be done before a house starts.
#[derive(Debug, Serialize, JsonSchema)]
struct Step {
    /// Its stable name; the key under `[before-you-start]`.
    step: &'static str,
    state: State,
    /// What it is.
    what: &'static str,
    /// What shows it, or what the settings say; what to do where nothing does.
    message: String,
    /// Document and section.
    source: &'static str,
}

/// What one check found.
#[derive(Debug, Serialize, JsonSchema)]
struct Checked {
    /// Its stable name.
    check: &'static str,
    state: State,
    message: String,
    /// What to do.
    hint: Option<String>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum State {
    Ok,
    /// It can be run, but something is worth a look.
    Warning,
    Error,
    /// Something else must be mended or named first.
    NotChecked,
}

/// What a check says.
struct Finding {
    state: State,
    message: String,
    hint: Option<String>,
}

impl Finding {
    fn new(state: State, message: impl Into<String>) -> Self {
        Self { state, message: message.into(), hint: None }
    }

    fn ok(message: impl Into<String>) -> Self {
        Self::new(State::Ok, message)
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Failure> for Finding {
    fn from(failure: Failure) -> Self {
        let hint = (!failure.hints.is_empty()).then(|| failure.hints.join("; "));
        Self { state: State::Error, message: failure.message, hint }
    }
}

/// A check of a project: its stable name, and how it is made. An error is one
/// of its findings.
type Check = (&'static str, fn(&Desk, &Context) -> Result<Finding, Failure>);

/// What is checked of a project whose settings and catalogue can be read.
const CHECKS: &[Check] = &[
    ("test-packs", test_packs),
    ("own-files", own_files),
    ("schemas", schemas),
    ("messages", messages),
    ("notifications", notifications),
    ("evidence", evidence),
    ("disk", disk),
];

/// Runs the command. Nothing it does uses the network, with `--offline` or
/// without.
pub(super) fn run(context: &mut Context, _: &Doctor) -> Result<u8, Failure> {
    let built_in = Catalogue::built_in()?;
    let (settings, project) = match context.project(&built_in) {
        Ok(project) => {
            let software = &project.settings.software;
            let file = shown(&project.file, &context.cwd);
            let told = format!("{file}: {} {}", software.name, software.version);
            (Finding::ok(told), Some(project))
        }
        Err(failure) => (failure.into(), None),
    };
    let (catalogue, desk) = match &project {
        None => (missing("the settings"), None),
        Some(project) => match Desk::open(context) {
            Ok(desk) => (known(project, &desk.catalogue), Some(desk)),
            Err(failure) => (failure.into(), None),
        },
    };
    let mut findings = vec![("settings", settings), ("catalogue", catalogue)];
    for (name, check) in CHECKS {
        let finding = match &desk {
            Some(desk) => check(desk, context).unwrap_or_else(Finding::from),
            None => missing("settings and catalogue"),
        };
        findings.push((*name, finding));
    }
    let checks: Vec<Checked> = findings
        .into_iter()
        .map(|(check, Finding { state, message, hint })| Checked { check, state, message, hint })
        .collect();
    let before_you_start = match &desk {
        Some(desk) => before_you_start(desk, context)?,
        None => Vec::new(),
    };
    let wrong = |state: State| state == State::Error;
    let ok = !checks.iter().any(|check| wrong(check.state))
        && !before_you_start.iter().any(|step| wrong(step.state));
    let diagnosis = Diagnosis { schema_version: 1, ok, checks, before_you_start };
    context.printer.document(&diagnosis);
    print(&mut context.printer, &diagnosis);
    Ok(if ok { exit::DONE } else { exit::WANTING })
}

fn missing(what: &str) -> Finding {
    Finding::new(State::NotChecked, format!("{what} must be mended first"))
}

fn known(project: &Project, catalogue: &Catalogue) -> Finding {
    let programmes = catalogue.programmes();
    // One that holds in two programmes is one scenario.
    let scenarios: BTreeSet<&str> = programmes
        .iter()
        .flat_map(|programme| catalogue.scenarios(&programme.id))
        .map(|scenario| scenario.id.as_str())
        .collect();
    let scenarios = scenarios.len();
    let own = match &project.settings.catalogue.path {
        Some(path) => format!(", with your own in `{}`", path.display()),
        None => String::new(),
    };
    Finding::ok(format!("{} programmes, {scenarios} scenarios{own}", programmes.len()))
}

fn notifications(desk: &Desk, context: &Context) -> Result<Finding, Failure> {
    let settings = &desk.project.settings;
    let embedded =
        settings.run.environment == Environment::Simulator && settings.run.base_url.is_none();
    Ok(Finding::ok(match application(context, settings, embedded)? {
        None => "off: news is looked for in lists of movements".to_owned(),
        Some(_) if embedded => "pulled; the built-in simulator has its own application".to_owned(),
        Some(it) => format!("pulled by `{}`; its secret is not tried here", it.client_id),
    }))
}

fn test_packs(desk: &Desk, _: &Context) -> Result<Finding, Failure> {
    let packs = sources(&desk.project).packs;
    if packs.is_empty() {
        return Ok(Finding::ok("none named: the built-in messages take their place"));
    }
    let count = packs.len();
    Payloads::new(Sources { packs, ..Sources::default() }, &desk.catalogue)?;
    Ok(Finding::ok(format!("{count} can be read")))
}

fn own_files(desk: &Desk, context: &Context) -> Result<Finding, Failure> {
    let Some(folder) = &desk.project.settings.payloads.folder else {
        return Ok(Finding::ok("no folder named: HMRC's or the built-in messages are sent"));
    };
    let entries = files::list(folder)?.len();
    let place = shown(folder, &context.cwd);
    Ok(match entries {
        0 => Finding::new(State::Warning, format!("{place} is empty"))
            .hint("own files are `<scenario>/<step>-<message>.xml`, such as `DSGB1/1-IE015.xml`"),
        _ => Finding::ok(format!("{place}: {entries} files and folders")),
    })
}

fn schemas(desk: &Desk, _: &Context) -> Result<Finding, Failure> {
    let Some(path) = &desk.project.settings.payloads.xsd else {
        return Ok(Finding::new(State::NotChecked, "no XSDs named: messages go out unchecked")
            .hint("name HMRC's XSD folder under `[payloads] xsd` in ctc-ready.toml"));
    };
    let folder = XsdFolder::open(path, &versions(&desk.catalogue))?;
    let mut wanted: Vec<&str> = Vec::new();
    for programme in desk.programmes(None)? {
        if let Some(version) = programme.api.xsd.as_deref()
            && !wanted.contains(&version)
        {
            folder.load(Some(version))?;
            wanted.push(version);
        }
    }
    let told = format!("version {} can be used", wanted.join(", "));
    Ok(match (folder.versions().as_slice(), wanted.as_slice()) {
        ([], [_, _, ..]) => Finding::new(
            State::Warning,
            format!("one set of files stands for the versions {}", wanted.join(", ")),
        )
        .hint("make a folder for each version, named for it"),
        _ => Finding::ok(told),
    })
}

/// Most messages told that cannot be sent, or are passed over.
const SHOWN: usize = 5;

/// Builds and judges every message of the scenarios that apply.
fn messages(desk: &Desk, context: &Context) -> Result<Finding, Failure> {
    let payloads = Payloads::new(sources(&desk.project), &desk.catalogue)?;
    let (mut sound, mut on_purpose, mut judged) = (0, 0, 0);
    let mut broken: Vec<String> = Vec::new();
    let mut passed_over: Vec<String> = Vec::new();
    let mut state = State::Ok;
    for programme in desk.programmes(None)? {
        for (kind, scenario) in applying(desk, programme, london::day_of(context.clock.now()))? {
            for (step, number) in scenario.step.iter().zip(1..) {
                if step.send.is_none() {
                    continue;
                }
                match built(desk, &payloads, programme, scenario, number, context.clock.now()) {
                    Ok(payload) => {
                        sound += 1;
                        judged += usize::from(payload.check.is_some());
                        let invalid = payload.check.is_some_and(|c| !c.violations.is_empty());
                        on_purpose += usize::from(invalid);
                        passed_over.extend(payload.passed_over);
                    }
                    Err(error) => {
                        broken.push(format!("{} step {number}: {error}", scenario.id));
                        match kind {
                            RequirementKind::Mandatory => state = State::Error,
                            RequirementKind::Recommended if state == State::Ok => {
                                state = State::Warning;
                            }
                            RequirementKind::Recommended => {}
                        }
                    }
                }
            }
        }
    }
    if !broken.is_empty() {
        let count = broken.len();
        let mut told = format!("{count} of {} messages cannot be sent", sound + count);
        list(&mut told, &broken);
        return Ok(Finding::new(state, told)
            .hint("`ctc-ready message build SCENARIO --step N` shows a message"));
    }
    let checked = match (judged, on_purpose) {
        (0, _) => "; not checked against XSDs".to_owned(),
        (_, 0) => ", and are valid".to_owned(),
        (_, some) => format!(", and are valid but for {some} on purpose"),
    };
    let mut told = format!("all {sound} can be built{checked}");
    if passed_over.is_empty() {
        return Ok(Finding::ok(told));
    }
    list(&mut told, &passed_over);
    Ok(Finding::new(State::Warning, told)
        .hint("another pack's or the built-in message takes its place; one of your own in `[payloads] folder` goes first"))
}

/// Adds some of these, each on a line of its own.
fn list(told: &mut String, all: &[String]) {
    all.iter().take(SHOWN).for_each(|one| told.push_str(&format!("\n{one}")));
    if all.len() > SHOWN {
        told.push_str(&format!("\n… and {} more", all.len() - SHOWN));
    }
}

/// The scenarios chosen for this house that the catalogue knows.
fn applying<'a>(
    desk: &'a Desk,
    programme: &'a Programme,
    day: NaiveDate,
) -> Result<Vec<(RequirementKind, &'a Scenario)>, Failure> {
    let mut found: Vec<(RequirementKind, &Scenario)> = Vec::new();
    for item in desk.needs(programme, day)? {
        let chosen = item.chosen.filter(|_| item.applies);
        let scenario = chosen.and_then(|id| desk.catalogue.scenario(&programme.id, &id));
        if let Some(scenario) = scenario
            && !found.iter().any(|(_, known)| known.id == scenario.id)
        {
            found.push((item.kind, scenario));
        }
    }
    Ok(found)
}

fn built(
    desk: &Desk,
    payloads: &Payloads,
    programme: &Programme,
    scenario: &Scenario,
    step: u32,
    now: DateTime<Utc>,
) -> Result<Payload, PayloadError> {
    let values = Stamp {
        // The step's own takes its place.
        message: crate::ncts::MessageType::Ie015,
        lrn: "EXAMPLE".into(),
        mrn: Some(EXAMPLE_MRN.into()),
        message_identification: "EXAMPLE".into(),
        message_sender: desk.project.settings.run.message_sender.clone(),
        now,
    };
    payloads.to_send(programme, scenario, step, &values)
}

fn evidence(desk: &Desk, context: &Context) -> Result<Finding, Failure> {
    let dir = desk.project.evidence_dir();
    match verified(&dir, &Trust::default()) {
        Ok(report) if report.intact => Ok(Finding::ok(format!("intact: {} runs", report.runs))),
        Ok(report) => {
            let place = shown(&dir, &context.cwd);
            let count = report.problems.len();
            let told = format!("{place} was changed or damaged: {count} problems");
            Ok(Finding::new(State::Error, told).hint("`ctc-ready verify` tells more"))
        }
        Err(EvidenceError::NoStore(_)) => Ok(Finding::ok("none yet")),
        Err(error) => Err(error.into()),
    }
}

/// Free bytes below which evidence may soon not be written, and below which a
/// run is better not started. A run takes some 200 kB.
const LITTLE: u64 = 200 << 20;
const TOO_LITTLE: u64 = 20 << 20;

fn disk(desk: &Desk, _: &Context) -> Result<Finding, Failure> {
    let Some(free) = files::free_space(&desk.project.root)? else {
        return Ok(Finding::new(State::NotChecked, "this system does not tell the free space"));
    };
    let told = format!("{} MB free", free / 1_000_000);
    Ok(match free {
        ..TOO_LITTLE => Finding::new(State::Error, told).hint("make room: evidence needs it"),
        TOO_LITTLE..LITTLE => Finding::new(State::Warning, told).hint("make room before long"),
        _ => Finding::ok(told),
    })
}

/// Goes through HMRC's list: what the evidence shows, what the settings say.
fn before_you_start(desk: &Desk, context: &Context) -> Result<Vec<Step>, Failure> {
    // What cannot be read shows nothing; the check of the evidence says so.
    let runs = match desk.evidence_to(Depth::Lines, context.clock.now()) {
        Ok(evidence) => evidence.runs,
        Err(_) => Vec::new(),
    };
    let programmes = desk.programmes(None)?;
    let versions: BTreeSet<&str> =
        programmes.iter().map(|programme| programme.api.version.as_str()).collect();
    let today = london::day_of(context.clock.now());
    let said = &desk.project.settings.before_you_start.days;
    Ok(before::steps()
        .iter()
        .map(|step| {
            let shown = step.shown.and_then(|shown| shown_by(&runs, shown, &versions));
            let (state, message) = match (shown, said.get(&step.id)) {
                (Some(run), _) => (
                    State::Ok,
                    format!(
                        "shown by `{}` of {}",
                        run.scenario,
                        london::day_of(run.opened)
                    ),
                ),
                (None, Some(day)) if *day > today => (
                    State::Error,
                    format!("the settings say {day}, which is yet to come: correct `{}` under `[before-you-start]`", step.id),
                ),
                (None, Some(day)) => (State::Ok, format!("{day}, as the settings say")),
                (None, None) => (State::Warning, step.hint.clone()),
            };
            Step { step: &step.id, state, what: &step.what, message, source: &step.source }
        })
        .collect())
}

/// The run that shows that HMRC took something, in every version asked for
/// where that matters.
fn shown_by<'a>(
    runs: &'a [RunRecord],
    shown: Shown,
    versions: &BTreeSet<&str>,
) -> Option<&'a RunRecord> {
    let taken = |run: &&RunRecord| {
        let sent = run.messages.iter().any(|message| {
            message.direction == Direction::Sent && (200..300).contains(&message.status)
        });
        let answered = run.balances.iter().any(|balance| balance.status == 200);
        !run.is_simulated() && (sent || answered)
    };
    let by = |version: &&str| runs.iter().filter(taken).find(|run| run.api_version == **version);
    match shown {
        Shown::Exchange => runs.iter().find(taken),
        Shown::Version if versions.iter().all(|version| by(version).is_some()) => {
            versions.first().and_then(by)
        }
        Shown::Version => None,
    }
}

/// The checks for people: a table, then what to do.
fn print(printer: &mut Printer, diagnosis: &Diagnosis) {
    if printer.json() {
        return;
    }
    let rows: Vec<_> = diagnosis
        .checks
        .iter()
        .map(|found| {
            let (style, state) = match found.state {
                State::Ok => (GOOD, "ok"),
                State::Warning => (CARE, "warning"),
                State::Error => (BAD, "ERROR"),
                State::NotChecked => (DIM, "not checked"),
            };
            let what = (PLAIN, found.message.clone());
            vec![(style, state.to_owned()), (BOLD, found.check.to_owned()), what]
        })
        .collect();
    columns(&["STATE", "CHECK", "WHAT"], &rows).iter().for_each(|line| printer.line(line));
    let hints: Vec<_> =
        diagnosis.checks.iter().filter_map(|f| Some((f.check, f.hint.as_ref()?))).collect();
    if !hints.is_empty() {
        printer.line("");
    }
    for (check, hint) in hints {
        printer.prose(0, &format!("{check}: {hint}"));
    }
    printer.line("");
    let rows: Vec<_> = diagnosis
        .before_you_start
        .iter()
        .map(|step| {
            let (style, state) = match step.state {
                State::Ok => (GOOD, "done"),
                State::Error => (BAD, "ERROR"),
                State::Warning | State::NotChecked => (CARE, "not known"),
            };
            let what = format!("{}: {}", step.what, step.message);
            vec![(style, state.to_owned()), (BOLD, step.step.to_owned()), (PLAIN, what)]
        })
        .collect();
    if !rows.is_empty() {
        columns(&["STATE", "BEFORE YOU START", "WHAT"], &rows)
            .iter()
            .for_each(|line| printer.line(line));
        printer.line("");
    }
    let errors = diagnosis.checks.iter().filter(|found| found.state == State::Error).count();
    printer.line(match errors {
        0 => paint(GOOD, "nothing found is in the way of a run"),
        1 => paint(BAD, "1 error is in the way of a run"),
        many => paint(BAD, format!("{many} errors are in the way of a run")),
    });
    printer.line("not checked yet: token, subscription, clock against HMRC's, opening hours");
}
