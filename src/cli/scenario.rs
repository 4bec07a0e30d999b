//! `scenario list`, `scenario show` and `scenario lint`.

use schemars::JsonSchema;
use serde::Serialize;

use super::args::{ScenarioCommand, ScenarioFilter};
use super::context::{Context, programme, unknown_scenario};
use super::exit;
use super::failure::Failure;
use super::printer::{BAD, BOLD, DIM, GOOD, PLAIN, Printer, WIDTH, columns, paint, wrap};
use crate::catalogue::{
    BalanceAnswer, BalanceRequest, Catalogue, CatalogueError, Expectation, Flow, Inspection,
    PresentationTimer, Problem, Programme, Release, RequirementKind, Scenario, Side, Step,
    TestedProcedure,
};
use crate::ncts::{MessageType, MovementKind};
use crate::project::{Project, ProjectError};

/// `scenario list --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ScenarioList {
    /// Always 1.
    schema_version: u32,
    /// By programme and flow, in the order of the guides.
    scenarios: Vec<ScenarioEntry>,
}

/// One scenario of one programme.
#[derive(Debug, Serialize, JsonSchema)]
struct ScenarioEntry {
    id: String,
    programme: String,
    title: String,
    flow: Flow,
    side: Side,
    procedure: Option<TestedProcedure>,
    requirement: Standing,
    steps: Vec<StepEntry>,
    errata: Option<String>,
    source: String,
}

/// What a programme's checklist says of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Mandatory,
    Recommended,
    Other,
}

impl Standing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Mandatory => "mandatory",
            Self::Recommended => "recommended",
            Self::Other => "-",
        }
    }
}

/// One step.
#[derive(Debug, Serialize, JsonSchema)]
struct StepEntry {
    step: u32,
    send: Option<MessageType>,
    /// The guarantee asked about, where nothing is sent.
    request: Option<BalanceRequest>,
    /// Sheet of the data spreadsheet, where it is not the message's own.
    sheet: Option<String>,
    data: Vec<String>,
    mutation: Option<String>,
    officer: Option<String>,
    officer_deadline_minutes: Option<u32>,
    deadline_minutes_after_ie015: Option<u32>,
    presentation_timer: Option<PresentationTimer>,
    expect: Vec<Expected>,
}

/// What a step must bring: messages, or the answer to its request.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Expected {
    Message(Expectation),
    Answer(BalanceAnswer),
}

/// `scenario lint --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ScenarioLint {
    /// Always 1.
    schema_version: u32,
    /// No problems.
    sound: bool,
    /// Scenarios read; one that several programmes share counts once.
    scenarios: usize,
    /// What is wrong, ordered by file and place.
    problems: Vec<Place>,
    /// What is worth knowing: which built-in scenarios are replaced.
    notes: Vec<Place>,
}

/// Something said of a place in a file.
#[derive(Debug, Serialize, JsonSchema)]
struct Place {
    file: String,
    /// From 1, where it is known.
    line: Option<usize>,
    /// From 1, where it is known.
    column: Option<usize>,
    message: String,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &ScenarioCommand) -> Result<u8, Failure> {
    match args {
        ScenarioCommand::List { programme, all_programmes, filter } => {
            let (catalogue, own) = catalogue(context)?;
            let programmes = if *all_programmes {
                catalogue.programmes().iter().collect()
            } else {
                vec![chosen(&catalogue, programme.as_deref().or(own.as_deref()))?]
            };
            list(context, &catalogue, &programmes, filter);
            Ok(exit::DONE)
        }
        ScenarioCommand::Show { id, programme } => {
            let (catalogue, own) = catalogue(context)?;
            let first = chosen(&catalogue, programme.as_deref().or(own.as_deref()))?;
            let of = find(&catalogue, first, id, programme.is_some())?;
            let (programme, scenario) = of.0;
            let list =
                ScenarioList { schema_version: 1, scenarios: vec![entry(programme, scenario)] };
            context.printer.document(&list);
            print_one(&mut context.printer, programme, scenario, &of.1);
            Ok(exit::DONE)
        }
        ScenarioCommand::Lint { dir } => lint(context, dir.as_deref()),
    }
}

/// The catalogue of the project, if there is one, and its first programme. A
/// catalogue can be looked at without a project.
fn catalogue(context: &Context) -> Result<(Catalogue, Option<String>), Failure> {
    let built_in = Catalogue::built_in()?;
    let Some(project) = project(context, &built_in)? else { return Ok((built_in, None)) };
    let own = project.settings.programmes.first().cloned();
    match &project.settings.catalogue.path {
        Some(overlay) => Ok((Catalogue::with_overlay(overlay)?, own)),
        None => Ok((built_in, own)),
    }
}

fn project(context: &Context, catalogue: &Catalogue) -> Result<Option<Project>, Failure> {
    let known: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
    match Project::locate(context.global.project.as_deref(), &context.cwd, &known) {
        Ok(project) => Ok(Some(project)),
        Err(ProjectError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn chosen<'a>(catalogue: &'a Catalogue, id: Option<&str>) -> Result<&'a Programme, Failure> {
    programme(catalogue, id.unwrap_or("ncts5-final"))
}

/// A scenario in one programme.
type Found<'a> = (&'a Programme, &'a Scenario);

/// The scenario in the programme asked about, or in the first that has it; and
/// in every programme that has it.
fn find<'a>(
    catalogue: &'a Catalogue,
    first: &'a Programme,
    id: &str,
    only: bool,
) -> Result<(Found<'a>, Vec<Found<'a>>), Failure> {
    let all = catalogue.find_scenario(id);
    let here = all.iter().find(|(programme, _)| programme.id == first.id);
    match here.or_else(|| all.first().filter(|_| !only)) {
        Some(found) => Ok((*found, all.clone())),
        None if all.is_empty() => Err(unknown_scenario(id)),
        None => {
            let has: Vec<&str> = all.iter().map(|(programme, _)| programme.id.as_str()).collect();
            Err(Failure::usage(format!("`{id}` is not a scenario of `{}`", first.id))
                .hint(format!("it is one of {}", has.join(", "))))
        }
    }
}

fn standing(programme: &Programme, scenario: &Scenario) -> Standing {
    let kinds: Vec<RequirementKind> = programme
        .requirement
        .iter()
        .filter(|requirement| {
            let cells = &requirement.any_of;
            [&cells.any, &cells.normal, &cells.simplified, &cells.both_a, &cells.both_b]
                .into_iter()
                .flatten()
                .any(|id| id.eq_ignore_ascii_case(&scenario.id))
        })
        .map(|requirement| requirement.kind)
        .collect();
    if kinds.contains(&RequirementKind::Mandatory) {
        Standing::Mandatory
    } else if kinds.is_empty() {
        Standing::Other
    } else {
        Standing::Recommended
    }
}

fn entry(programme: &Programme, scenario: &Scenario) -> ScenarioEntry {
    let steps = scenario.step.iter().zip(1..).map(|(step, number)| StepEntry {
        step: number,
        send: step.send,
        request: step.request.clone(),
        sheet: step.sheet.clone(),
        data: step.data.clone(),
        mutation: step.mutation.as_ref().map(|mutation| mutation.what.clone()),
        officer: step.officer.clone(),
        officer_deadline_minutes: step.officer_deadline_minutes,
        deadline_minutes_after_ie015: step.deadline_minutes_after_ie015,
        presentation_timer: step.presentation_timer,
        expect: (step.expect.iter().cloned().map(Expected::Message))
            .chain(step.answer.iter().cloned().map(Expected::Answer))
            .collect(),
    });
    ScenarioEntry {
        id: scenario.id.clone(),
        programme: programme.id.clone(),
        title: scenario.title.clone(),
        flow: scenario.flow,
        side: scenario.side,
        procedure: scenario.procedure,
        requirement: standing(programme, scenario),
        steps: steps.collect(),
        errata: scenario.errata.clone(),
        source: scenario.source.clone(),
    }
}

fn list(
    context: &mut Context,
    catalogue: &Catalogue,
    programmes: &[&Programme],
    filter: &ScenarioFilter,
) {
    let of = |programme: &Programme| -> Vec<ScenarioEntry> {
        let wanted = |scenario: &&Scenario| {
            filter.flow.is_none_or(|flow| scenario.flow == flow)
                && filter.side.is_none_or(|side| scenario.side == side)
        };
        let scenarios = catalogue.scenarios(&programme.id).iter().filter(wanted);
        scenarios.map(|scenario| entry(programme, scenario)).collect()
    };
    let list = ScenarioList {
        schema_version: 1,
        scenarios: programmes.iter().flat_map(|programme| of(programme)).collect(),
    };
    context.printer.document(&list);
    print_list(&mut context.printer, programmes, &list);
}

/// One table for each programme and flow.
fn print_list(printer: &mut Printer, programmes: &[&Programme], list: &ScenarioList) {
    for programme in programmes {
        let own: Vec<&ScenarioEntry> =
            list.scenarios.iter().filter(|entry| entry.programme == programme.id).collect();
        printer.line(format!(
            "{} ({}): {} scenarios",
            paint(BOLD, &programme.id),
            programme.title,
            own.len()
        ));
        for flow in own.chunk_by(|one, next| one.flow == next.flow) {
            let rows: Vec<_> = flow
                .iter()
                .map(|entry| {
                    let style = if entry.requirement == Standing::Mandatory { GOOD } else { PLAIN };
                    vec![
                        (BOLD, entry.id.clone()),
                        (style, entry.requirement.as_str().to_owned()),
                        (PLAIN, entry.title.clone()),
                    ]
                })
                .collect();
            printer.line("");
            let head = flow.first().map_or("", |entry| entry.flow.as_str());
            printer.line(format!("  {}", paint(BOLD, head)));
            for line in columns(&["SCENARIO", "CHECKLIST", "TITLE"], &rows) {
                printer.line(format!("  {line}"));
            }
        }
        printer.line("");
    }
    printer.line("`ctc-ready scenario show ID` shows the steps; mandatory: depending on the");
    printer.line("procedures your software supports, see `ctc-ready plan`");
}

fn print_one(printer: &mut Printer, programme: &Programme, scenario: &Scenario, all: &[Found<'_>]) {
    printer.line(format!("{}  {}", paint(BOLD, &scenario.id), scenario.title));
    let procedure = match scenario.procedure {
        Some(procedure) => format!("{} procedure", procedure.as_str()),
        None => "no movement".to_owned(),
    };
    let (flow, side) = (scenario.flow.as_str(), scenario.side.as_str());
    printer.line(format!("  {flow}, {side}, {procedure}"));
    for (programme, scenario) in all {
        let standing = match standing(programme, scenario) {
            Standing::Mandatory => "mandatory, as the matrix decides",
            Standing::Recommended => "recommended",
            Standing::Other => "not on the checklist",
        };
        printer.line(format!("  {}: {standing}", programme.id));
    }
    // Where both ends of a movement are played, it matters who hears what.
    let both_ends = scenario.flow == Flow::Arrival;
    for (step, number) in scenario.step.iter().zip(1..) {
        printer.line("");
        printer.line(paint(BOLD, format!("Step {number}")));
        for (label, text) in lines_of(programme, step, both_ends) {
            row(printer, label, &text);
        }
    }
    if let Some(errata) = &scenario.errata {
        printer.line("");
        row(printer, "corrected", errata);
    }
    printer.line("");
    let source = programme.spelt_out(&scenario.source);
    for line in wrap(&format!("source: {source}"), WIDTH) {
        printer.line(paint(DIM, line));
    }
}

/// A label, and a text folded beside it.
fn row(printer: &mut Printer, label: &str, text: &str) {
    const LABEL: usize = 12;
    for (line, number) in wrap(text, WIDTH - 2 - LABEL).iter().zip(0..) {
        let label = if number == 0 { label } else { "" };
        printer.line(format!("  {label:LABEL$}{line}"));
    }
}

/// What there is to say about a step.
fn lines_of(programme: &Programme, step: &Step, both_ends: bool) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    if let Some(message) = step.send {
        let sheet = match &step.sheet {
            Some(sheet) => format!(" of sheet `{sheet}`"),
            None => String::new(),
        };
        let data = match step.data.as_slice() {
            [] => String::new(),
            columns => format!(", data `{}`{sheet}", columns.join("` or `")),
        };
        out.push(("you send", format!("{message} ({}){data}", message.meaning())));
    }
    if let Some(request) = &step.request {
        out.push((
            "you ask",
            format!(
                "for the balance of guarantee {}, access code {}",
                request.grn, request.access_code
            ),
        ));
        if let Some(seconds) = request.within_seconds {
            out.push(("at latest", format!("{seconds} seconds after the step before")));
        }
    }
    if let Some(mutation) = &step.mutation {
        let wrong = step.expect.iter().any(|expected| expected.message.is_refusal())
            || !mutation.remove.is_empty()
            || !mutation.set.is_empty();
        let label = if wrong { "wrong" } else { "with" };
        let purpose = if wrong { ", on purpose" } else { "" };
        out.push((label, format!("{}{purpose}", mutation.what)));
    }
    if let Some(minutes) = step.deadline_minutes_after_ie015 {
        out.push(("at latest", format!("{minutes} minutes after the IE015")));
    }
    if let Some(request) = &step.officer {
        let to = match &programme.officers {
            Some(officers) => format!(" (you ask {} by e-mail)", officers.mailbox),
            None => String::new(),
        };
        out.push(("officers", format!("{request}{to}")));
        if let Some(minutes) = step.officer_deadline_minutes {
            out.push((
                "at latest",
                format!("{minutes} minutes after the IE015 they must have acted: ask at once"),
            ));
        }
    }
    let last = step.expect.len();
    for (expected, number) in step.expect.iter().zip(1..) {
        let expires = step.presentation_timer == Some(PresentationTimer::Expires);
        out.push((
            "comes back",
            coming_back(programme, expected, both_ends, expires && number == last),
        ));
    }
    if let Some(answer) = &step.answer {
        out.push(("comes back", answered(answer)));
    }
    if step.presentation_timer == Some(PresentationTimer::Starts) {
        let minutes = programme.timers.map(|timers| timers.await_presentation_minutes);
        let long = minutes.map_or(String::new(), |minutes| format!("{minutes} minutes "));
        out.push(("timer", format!("NCTS waits {long}for the presentation of the goods")));
    }
    out
}

fn coming_back(
    programme: &Programme,
    expected: &Expectation,
    both_ends: bool,
    timer_runs_out: bool,
) -> String {
    let message = expected.message;
    let mut text = format!("{message} ({})", message.meaning());
    match expected.release {
        Some(Release::Granted) => text.push_str(", goods released"),
        Some(Release::Refused) => text.push_str(", goods not released"),
        None => {}
    }
    if both_ends {
        text.push_str(match message.movement() {
            MovementKind::Departure => ", to the holder at departure",
            MovementKind::Arrival => ", to the trader at destination",
        });
    }
    if let Some(minutes) = expected.after_minutes {
        text.push_str(&format!(", {minutes} minutes later"));
    }
    if timer_runs_out {
        match programme.timers {
            Some(timers) => text.push_str(&format!(
                ", {} minutes after the IE015, when NCTS has waited long enough",
                timers.await_presentation_minutes
            )),
            None => text.push_str(", when NCTS has waited long enough"),
        }
    }
    if !expected.violations.is_empty() {
        text.push_str(&format!("; it must name {}", expected.violations.join(" and ")));
    }
    text
}

fn answered(answer: &BalanceAnswer) -> String {
    let mut text = format!("HTTP {}", answer.status);
    if let (Some(balance), Some(currency)) = (answer.balance, &answer.currency) {
        text.push_str(&format!(": {balance} {currency}"));
    }
    if let Some(code) = &answer.code {
        text.push_str(&format!(": {code}"));
    }
    text
}

/// Reads the built-in catalogue with an overlay, and tells all there is to say.
fn lint(context: &mut Context, dir: Option<&std::path::Path>) -> Result<u8, Failure> {
    let overlay = match dir {
        Some(dir) => Some(context.cwd.join(dir)),
        None => {
            let built_in = Catalogue::built_in()?;
            project(context, &built_in)?.and_then(|project| project.settings.catalogue.path)
        }
    };
    let inspection = match &overlay {
        Some(folder) => Catalogue::inspect_overlay(folder)?,
        None => Catalogue::inspect(Catalogue::embedded(), Vec::new()),
    };
    let Inspection { catalogue, scenarios, problems, notes } = inspection;
    let sound = catalogue.is_some();
    let document = ScenarioLint {
        schema_version: 1,
        sound,
        scenarios,
        problems: problems.iter().map(Place::of).collect(),
        notes: notes.iter().map(Place::of).collect(),
    };
    context.printer.document(&document);
    if overlay.is_none() && !sound {
        return Err(CatalogueError { problems }.into());
    }
    let printer = &mut context.printer;
    for (style, word, said) in [(BAD, "error", &problems), (DIM, "info", &notes)] {
        for problem in said {
            printer.line(format!("{}: {problem}", paint(style, word)));
        }
    }
    let of = match &overlay {
        Some(folder) => format!(" with `{}`", super::context::shown(folder, &context.cwd)),
        None => String::new(),
    };
    let verdict = match problems.len() {
        0 => paint(GOOD, "sound"),
        1 => paint(BAD, "1 problem"),
        n => paint(BAD, format!("{n} problems")),
    };
    context.printer.line(format!("the built-in catalogue{of}: {verdict}, {scenarios} scenarios"));
    Ok(if sound { exit::DONE } else { exit::WANTING })
}

impl Place {
    fn of(problem: &Problem) -> Self {
        Self {
            file: problem.file.clone(),
            line: problem.place.map(|(line, _)| line),
            column: problem.place.map(|(_, column)| column),
            message: problem.message.clone(),
        }
    }
}
