//! `message build`: the XML that a scenario's step sends.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::MessageBuild;
use super::bench::Bench;
use super::context::{Context, scenario_in, shown};
use super::exit;
use super::failure::Failure;
use super::kept;
use super::printer::{BAD, BOLD, CARE, GOOD, Printer, hanging, paint};
use crate::catalogue::{Scenario, Step};
use crate::files;
use crate::ncts::MessageType;
use crate::ncts::build::Stamp;
use crate::ncts::read::Message;
use crate::ncts::xsd::Violation;
use crate::payload::error::{MESSAGE_LIMIT, listed};
use crate::payload::{Check, Payload, Payloads};

/// Stands for the MRN that NCTS would allocate: well formed, and nobody's.
pub(super) const MRN: &str = "26GB00EXAMPLE000J7";

/// What `message build` writes.
const MESSAGE: kept::Kind = kept::Kind {
    what: "NCTS message",
    extension: "xml",
    max: MESSAGE_LIMIT,
    ours: |bytes| std::str::from_utf8(bytes).is_ok_and(|text| Message::parse(text).is_ok()),
    flag: "--output",
};

/// `message build --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Built {
    /// Always 1.
    schema_version: u32,
    scenario: String,
    programme: String,
    step: u32,
    message: MessageType,
    /// Where the message came from.
    origin: String,
    /// How the scenario has it depart from its data.
    mutation: Option<String>,
    /// What a person should know about it.
    notes: Vec<String>,
    /// What HMRC's schemas say; null without schemas.
    check: Option<Checked>,
    /// Where it was written; null: nowhere.
    output: Option<String>,
    xml: String,
}

/// What the schemas say of a message.
#[derive(Debug, Serialize, JsonSchema)]
struct Checked {
    /// Version of the schemas, where their folder says it.
    version: Option<String>,
    /// SHA-256 over the schema files.
    schemas: String,
    valid: bool,
    /// Whether the step is about a message that NCTS refuses, or departs from
    /// its test data.
    on_purpose: bool,
    violations: Vec<Violation>,
}

impl From<&Check> for Checked {
    fn from(check: &Check) -> Self {
        Self {
            version: check.version.clone(),
            schemas: check.schemas.to_string(),
            valid: check.violations.is_empty(),
            on_purpose: check.on_purpose,
            violations: check.violations.clone(),
        }
    }
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &MessageBuild) -> Result<u8, Failure> {
    let bench = Bench::open(context)?;
    let programmes = bench.programmes(args.programme.as_deref())?;
    let (programme, scenario) = scenario_in(&bench.catalogue, programmes, &args.scenario)?;
    let (step, message) = step_of(scenario, args.step)?;
    let mut sources = bench.sources();
    sources.xsd = bench.xsd(args.xsd.as_deref(), &context.cwd);
    let payloads = Payloads::new(sources, &bench.catalogue)?;
    let letters: String =
        scenario.id.chars().filter(char::is_ascii_alphanumeric).take(14).collect();
    let own_sender =
        bench.project.as_ref().and_then(|project| project.settings.run.message_sender.clone());
    let values = Stamp {
        message,
        lrn: args.lrn.clone().unwrap_or_else(|| format!("EXAMPLE-{letters}")),
        mrn: Some(args.mrn.clone().unwrap_or_else(|| MRN.to_owned())),
        message_identification: format!("EXAMPLE-{letters}-STEP-{step}"),
        message_sender: own_sender,
        now: context.as_of()?,
    };
    let payload = payloads.prepare(programme, scenario, step, &values)?;
    if !context.printer.json() {
        let what = format!("{} {} step {step}: {message}", programme.id, scenario.id);
        told(&mut context.printer, &what, &payload, args);
    }
    let output = match &args.output {
        Some(path) => Some(write(context, path, &payload.xml)?),
        None => None,
    };
    let wanting = payload
        .check
        .as_ref()
        .is_some_and(|check| !check.violations.is_empty() && !check.on_purpose);
    if context.printer.json() {
        context.printer.document(&Built {
            schema_version: 1,
            scenario: scenario.id.clone(),
            programme: programme.id.clone(),
            step,
            message,
            origin: payload.origin,
            mutation: payload.mutation,
            notes: payload.notes,
            check: payload.check.as_ref().map(Checked::from),
            output,
            xml: payload.xml,
        });
    } else if output.is_none() {
        context.printer.raw(payload.xml.as_bytes());
    }
    Ok(if wanting { exit::WANTING } else { exit::DONE })
}

/// The step asked for, or the only one that sends; and its message.
fn step_of(scenario: &Scenario, asked: Option<u32>) -> Result<(u32, MessageType), Failure> {
    let sending: Vec<(u32, MessageType)> = scenario
        .step
        .iter()
        .zip(1..)
        .filter_map(|(step, number): (&Step, u32)| Some((number, step.send?)))
        .collect();
    let id = &scenario.id;
    let failure = match (asked, sending.as_slice()) {
        (Some(asked), _) => match sending.iter().find(|(number, _)| *number == asked) {
            Some(found) => return Ok(*found),
            None if scenario.step.len() < asked as usize || asked == 0 => Failure::usage(format!(
                "`{id}` has no step {asked}: it has {}",
                scenario.step.len()
            )),
            None => Failure::usage(format!("step {asked} of `{id}` sends no message")),
        },
        (None, [only]) => return Ok(*only),
        (None, []) => Failure::usage(format!("`{id}` sends no message")),
        (None, _) => {
            Failure::usage(format!("`{id}` sends several messages: say which with `--step N`"))
        }
    };
    let steps: Vec<String> =
        sending.iter().map(|(number, message)| format!("{number} ({message})")).collect();
    Err(match steps.is_empty() {
        true => failure,
        false => failure.hint(format!("the steps that send are {}", steps.join(", "))),
    })
}

/// Says what the message is, where it came from and what is made up in it.
fn told(printer: &mut Printer, what: &str, payload: &Payload, args: &MessageBuild) {
    printer.remark(&format!("{what} from {}", payload.origin));
    if let Some(mutation) = &payload.mutation {
        printer.remark(&format!("{}: {mutation}", paint(BOLD, "changed")));
    }
    let note = paint(BOLD, "note");
    let read = Message::parse(&payload.xml).ok();
    let has = |path| read.as_ref().is_some_and(|message| message.text(path).is_some());
    let mut made_up = vec!["message identification"];
    let mut flags = Vec::new();
    for (name, path, flag, given) in [
        ("LRN", "TransitOperation/LRN", "`--lrn`", &args.lrn),
        ("MRN", "TransitOperation/MRN", "`--mrn`", &args.mrn),
    ] {
        if has(path) && given.is_none() {
            made_up.push(name);
            flags.push(flag);
        }
    }
    let give = match flags.as_slice() {
        [] => String::new(),
        flags => format!(" ({} to give yours)", flags.join(", ")),
    };
    printer.remark(&format!("{note}: made up here: {}{give}", made_up.join(", ")));
    for text in &payload.notes {
        printer.remark(&format!("{note}: {text}"));
    }
    let Some(check) = &payload.check else { return };
    let schemas = format!("against HMRC's schemas ({})", check.shown_version());
    if check.violations.is_empty() {
        printer.remark(&format!("{} {schemas}", paint(GOOD, "valid")));
        return;
    }
    let (style, why) = match check.on_purpose {
        true => (CARE, ", on purpose: `run` sends it all the same"),
        false => (BAD, ": `run` would not send it"),
    };
    printer.remark(&format!("{} {schemas}{why}", paint(style, "not valid")));
    for line in listed(&check.violations).lines().skip(1) {
        hanging(2, line.trim()).iter().for_each(|line| printer.note(line));
    }
}

/// Writes the message; tells where, and what is kept of an earlier one.
fn write(context: &mut Context, path: &Path, xml: &str) -> Result<String, Failure> {
    let output = context.cwd.join(path);
    let kept = kept::keep_previous(&output, xml.as_bytes(), &MESSAGE)?;
    files::write_atomic(&output, xml.as_bytes())?;
    let place = shown(&output, &context.cwd);
    let printer = &mut context.printer;
    printer.line(format!("wrote {}", paint(BOLD, &place)));
    if let Some(kept) = kept {
        printer.line(format!("  the earlier one is now {}", shown(&kept, &context.cwd)));
    }
    Ok(place)
}
