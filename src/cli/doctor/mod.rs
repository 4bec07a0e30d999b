//! `doctor`: is anything in the way of a run?
//!
//! - `house`: the project's own files, without any network;
//! - `online`: what the environment says, unless `--offline`;
//! - `scenarios`: what is missing for each scenario that applies;
//! - `before`: what HMRC wants done before a house starts.

mod before;
mod house;
mod online;
mod scenarios;

use schemars::JsonSchema;
use serde::Serialize;

use self::online::Online;
use self::scenarios::{Messages, Missing};
use super::args::Doctor;
use super::context::{Context, Desk, shown};
use super::exit;
use super::failure::Failure;
use super::printer::{BAD, BOLD, CARE, DIM, GOOD, PLAIN, Printer, columns, paint};
use crate::calendar::london;
use crate::catalogue::Catalogue;
use crate::engine::hours::Hours;
use crate::project::Environment;

/// `doctor --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Diagnosis {
    /// Always 1.
    schema_version: u32,
    /// Whether nothing is in the way: no check found an error.
    ok: bool,
    /// In the order in which they depend on each other.
    checks: Vec<Checked>,
    /// Each scenario that applies, and what is missing for it.
    scenarios: Vec<Missing>,
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

impl Finding {
    /// An error is one of the findings.
    fn of(failure: &Failure) -> Self {
        let hint = (!failure.hints.is_empty()).then(|| failure.hints.join("; "));
        Self { state: State::Error, message: failure.message.clone(), hint }
    }
}

impl From<Failure> for Finding {
    fn from(failure: Failure) -> Self {
        Self::of(&failure)
    }
}

/// The checks of a project whose settings and catalogue can be read.
const CHECKS: [&str; 12] = [
    "test-packs",
    "own-files",
    "schemas",
    "messages",
    "notifications",
    "evidence",
    "disk",
    "server",
    "clock",
    "token",
    "subscription",
    "opening-hours",
];

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Doctor) -> Result<u8, Failure> {
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
            Ok(desk) => (house::known(project, &desk.catalogue), Some(desk)),
            Err(failure) => (failure.into(), None),
        },
    };
    let mut findings = vec![("settings", settings), ("catalogue", catalogue)];
    let (mut scenarios, mut before_you_start) = (Vec::new(), Vec::new());
    match &desk {
        Some(desk) => {
            findings.extend(examine(desk, context, args.offline, &mut scenarios));
            before_you_start = before::before_you_start(desk, context)?;
        }
        None => {
            let closed = CHECKS.map(|name| (name, missing("settings and catalogue")));
            findings.extend(closed);
        }
    }
    let checks: Vec<Checked> = findings
        .into_iter()
        .map(|(check, Finding { state, message, hint })| Checked { check, state, message, hint })
        .collect();
    let wrong = |state: State| state == State::Error;
    let ok = !checks.iter().any(|check| wrong(check.state))
        && !scenarios.iter().any(|scenario| wrong(scenario.state))
        && !before_you_start.iter().any(|step| wrong(step.state));
    let diagnosis = Diagnosis { schema_version: 1, ok, checks, scenarios, before_you_start };
    context.printer.document(&diagnosis);
    print(&mut context.printer, &diagnosis);
    Ok(if ok { exit::DONE } else { exit::WANTING })
}

/// Every check of a project, and what its scenarios lack.
fn examine(
    desk: &Desk,
    context: &Context,
    offline: bool,
    scenarios: &mut Vec<Missing>,
) -> Vec<(&'static str, Finding)> {
    let found = |finding: Result<Finding, Failure>| finding.unwrap_or_else(Finding::from);
    let online = Online::ask(desk, context, offline);
    let messages = match Messages::of(desk, context) {
        Ok(messages) => {
            *scenarios = messages.missing(desk, &online, context.clock.now());
            house::messages(&messages)
        }
        Err(failure) => failure.into(),
    };
    let house = [
        found(house::test_packs(desk, context)),
        found(house::own_files(desk, context)),
        found(house::schemas(desk, context)),
        messages,
        found(online.notifications(desk, context)),
        found(house::evidence(desk, context)),
        found(house::disk(desk, context)),
    ];
    let mut findings: Vec<(&str, Finding)> = CHECKS.into_iter().zip(house).collect();
    findings.extend(online.findings());
    findings.push(("opening-hours", found(opening_hours(desk, context))));
    findings
}

/// Whether each programme's environment answers now, and else when.
fn opening_hours(desk: &Desk, context: &Context) -> Result<Finding, Failure> {
    let environment = desk.project.settings.run.environment;
    if environment != Environment::TraderTest {
        return Ok(Finding::ok(format!("`{}` has none", environment.as_str())));
    }
    let now = context.clock.now();
    let mut told: Vec<String> = Vec::new();
    let mut all = true;
    for programme in desk.programmes(None)? {
        let hours = Hours::of(programme, environment);
        all &= hours.is_open(now);
        told.push(match (hours.is_open(now), hours.opens(now)) {
            (true, _) => format!("{}: open", programme.id),
            (false, Some(at)) => format!("{}: opens {}", programme.id, london::for_planning(at)),
            (false, None) => format!("{}: closed, and no day is named", programme.id),
        });
    }
    let told = told.join("\n");
    Ok(match all {
        true => Finding::ok(told),
        false => Finding::new(State::Warning, told)
            .hint("nothing is sent while Trader Test is closed; `ctc-ready plan` has the hours"),
    })
}

fn missing(what: &str) -> Finding {
    Finding::new(State::NotChecked, format!("{what} must be mended first"))
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
    print_scenarios(printer, &diagnosis.scenarios);
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
}

/// What is missing, and for which scenarios.
fn print_scenarios(printer: &mut Printer, scenarios: &[Missing]) {
    // Most lack the same.
    let mut groups: Vec<(&Missing, Vec<&str>)> = Vec::new();
    for one in scenarios {
        let alike = |(first, _): &&mut (&Missing, _)| {
            first.state == one.state && first.missing == one.missing
        };
        match groups.iter_mut().find(alike) {
            Some((_, names)) => names.push(&one.scenario),
            None => groups.push((one, vec![&one.scenario])),
        }
    }
    let rows: Vec<_> = groups
        .into_iter()
        .map(|(first, names)| {
            let (style, state) = match first.state {
                State::Ok => (GOOD, "ready"),
                State::Error => (BAD, "BLOCKED"),
                // It opens later, or is only recommended.
                State::Warning | State::NotChecked => (CARE, "not now"),
            };
            let what = match first.missing.is_empty() {
                true => "nothing".to_owned(),
                false => first.missing.join("\n"),
            };
            vec![(style, state.to_owned()), (PLAIN, what), (BOLD, names.join(", "))]
        })
        .collect();
    if !rows.is_empty() {
        printer.line("");
        columns(&["STATE", "MISSING", "SCENARIOS"], &rows)
            .iter()
            .for_each(|line| printer.line(line));
    }
}
