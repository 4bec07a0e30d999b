//! `scenario list` and `scenario show`.

use schemars::JsonSchema;
use serde::Serialize;

use super::args::ScenarioCommand;
use super::context::{Context, programme, unknown_scenario};
use super::exit;
use super::failure::Failure;
use super::printer::{BOLD, DIM, PLAIN, Printer, WIDTH, columns, paint, wrap};
use crate::catalogue::{
    Catalogue, Expectation, Flow, Programme, RequirementKind, Scenario, Side, TestedProcedure,
};
use crate::ncts::MessageType;
use crate::project::{Project, ProjectError};

/// `scenario list --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ScenarioList {
    /// Always 1.
    schema_version: u32,
    /// In the order of the guides.
    scenarios: Vec<ScenarioEntry>,
}

/// One scenario.
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
}

/// What a programme's checklist says of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Mandatory,
    Recommended,
    Other,
}

/// One step.
#[derive(Debug, Serialize, JsonSchema)]
struct StepEntry {
    step: u32,
    send: Option<MessageType>,
    data: Vec<String>,
    mutation: Option<String>,
    officer: Option<String>,
    expect: Vec<Expectation>,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &ScenarioCommand) -> Result<u8, Failure> {
    let catalogue = Catalogue::built_in()?;
    match args {
        ScenarioCommand::List { programme: only, all_programmes } => {
            let programmes = if *all_programmes {
                catalogue.programmes().iter().collect()
            } else {
                vec![chosen(context, &catalogue, only.as_deref())?]
            };
            let scenarios = programmes
                .iter()
                .flat_map(|programme| {
                    catalogue
                        .scenarios(&programme.id)
                        .iter()
                        .map(|scenario| entry(programme, scenario))
                })
                .collect();
            let list = ScenarioList { schema_version: 1, scenarios };
            context.printer.document(&list);
            print_list(&mut context.printer, &list);
        }
        ScenarioCommand::Show { id, programme: only } => {
            let (programme, scenario) = find(context, &catalogue, id, only.as_deref())?;
            let list =
                ScenarioList { schema_version: 1, scenarios: vec![entry(programme, scenario)] };
            context.printer.document(&list);
            print_one(&mut context.printer, programme, scenario, standing(programme, scenario));
        }
    }
    Ok(exit::DONE)
}

/// The programme asked for, the project's, or the one open today.
fn chosen<'a>(
    context: &Context,
    catalogue: &'a Catalogue,
    only: Option<&str>,
) -> Result<&'a Programme, Failure> {
    if let Some(id) = only {
        return programme(catalogue, id);
    }
    // A catalogue can be looked at without a project.
    let known: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
    let id = match Project::locate(context.global.project.as_deref(), &context.cwd, &known) {
        Ok(Project { settings, .. }) => settings.programmes.into_iter().next(),
        Err(ProjectError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    programme(catalogue, id.as_deref().unwrap_or("ncts5-final"))
}

fn find<'a>(
    context: &Context,
    catalogue: &'a Catalogue,
    id: &str,
    only: Option<&str>,
) -> Result<(&'a Programme, &'a Scenario), Failure> {
    let first = chosen(context, catalogue, only)?;
    let programmes =
        std::iter::once(first).chain(catalogue.programmes().iter().filter(|_| only.is_none()));
    programmes
        .filter_map(|programme| Some((programme, catalogue.scenario(&programme.id, id)?)))
        .next()
        .ok_or_else(|| unknown_scenario(catalogue, id))
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
        data: step.data.clone(),
        mutation: step.mutation.as_ref().map(|mutation| mutation.what.clone()),
        officer: step.officer.clone(),
        expect: step.expect.clone(),
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
    }
}

fn print_list(printer: &mut Printer, list: &ScenarioList) {
    let rows: Vec<_> = list
        .scenarios
        .iter()
        .map(|scenario| {
            let standing = match scenario.requirement {
                Standing::Mandatory => "mandatory",
                Standing::Recommended => "recommended",
                Standing::Other => "-",
            };
            vec![
                (BOLD, scenario.id.clone()),
                (PLAIN, scenario.programme.clone()),
                (PLAIN, standing.to_owned()),
                (PLAIN, scenario.title.clone()),
            ]
        })
        .collect();
    for line in columns(&["SCENARIO", "PROGRAMME", "CHECKLIST", "TITLE"], &rows) {
        printer.line(line);
    }
    printer.line("");
    printer.line("`ctc-ready scenario show ID` shows the steps; mandatory: depending on the");
    printer.line("procedures your software supports, see `ctc-ready plan`");
}

fn print_one(printer: &mut Printer, programme: &Programme, scenario: &Scenario, is: Standing) {
    printer.line(format!("{}  {}", paint(BOLD, &scenario.id), scenario.title));
    let standing = match is {
        Standing::Mandatory => "mandatory, as the matrix decides",
        Standing::Recommended => "recommended",
        Standing::Other => "not on the checklist",
    };
    printer.line(format!(
        "  {}, {}, {}",
        scenario.flow.as_str(),
        scenario.side.as_str(),
        scenario.procedure.map_or("no movement", TestedProcedure::as_str),
    ));
    printer.line(format!("  {}: {standing}", programme.id));
    for (step, number) in scenario.step.iter().zip(1..) {
        printer.line("");
        printer.line(paint(BOLD, format!("Step {number}")));
        if let Some(message) = step.send {
            let data = match step.data.as_slice() {
                [] => String::new(),
                columns => format!(", data `{}`", columns.join("`, `")),
            };
            printer.prose(2, &format!("you send    {message} ({}){data}", message.meaning()));
        }
        if let Some(mutation) = &step.mutation {
            printer.prose(2, &format!("with        {}", mutation.what));
        }
        if let Some(minutes) = step.deadline_minutes_after_ie015 {
            printer.prose(2, &format!("at latest   {minutes} minutes after the IE015"));
        }
        if let Some(request) = &step.officer {
            printer.prose(
                2,
                &format!(
                    "officers    {request} (you ask {} by e-mail)",
                    programme.officers.mailbox
                ),
            );
        }
        for expected in &step.expect {
            let when = match expected.after_minutes {
                Some(minutes) => format!(", {minutes} minutes later"),
                None => String::new(),
            };
            printer.prose(
                2,
                &format!("comes back  {} ({}){when}", expected.message, expected.message.meaning()),
            );
        }
    }
    if let Some(errata) = &scenario.errata {
        printer.line("");
        printer.prose(2, &format!("corrected: {errata}"));
    }
    printer.line("");
    for line in wrap(&format!("source: {}", scenario.source), WIDTH) {
        printer.line(paint(DIM, line));
    }
}
