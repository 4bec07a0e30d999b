//! `checklist --sign-as`: the form filled and signed, once a person has seen
//! what is signed and has said so. No flag says it in that person's place.

use std::path::Path;

use super::args::Checklist;
use super::ask::{self, Asker};
use super::checklist::{self, Order, forms, programme_for, read_form};
use super::context::{Context, Desk, case};
use super::exit;
use super::failure::{Failure, Kind};
use super::gate;
use super::printer::{BAD, BOLD, CARE, Printer, paint};
use crate::calendar::london;
use crate::document::{self, DocumentError, Filled};
use crate::project::Settings;
use crate::project::questions::questions;
use crate::verdict;

/// Longest name that signs, in characters.
const MAX_NAME: usize = 200;

/// Runs the command.
pub(super) fn run(
    context: &mut Context,
    args: &Checklist,
    form: &Path,
    name: &str,
) -> Result<u8, Failure> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Failure::usage(format!(
            "`--sign-as` takes a name of at most {MAX_NAME} characters"
        )));
    }
    if !ask::is_there() {
        return Err(Failure::usage("a form is signed by a person, on a terminal")
            .hint("without one, fill it unsigned and sign it in Word"));
    }
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let as_of = context.as_of()?;
    let day = london::day_of(as_of);
    let form = context.cwd.join(form);
    let named = |error| Failure::from(error).hint(format!("the file is `{}`", form.display()));
    let known = forms(&desk)?;
    let definition = document::recognise(&read_form(&form)?, &known).map_err(named)?;
    if !definition.is_signed() {
        let error = DocumentError::NoSignature { form: definition.title.clone() };
        return Err(Failure::new(Kind::Usage, error).hint("leave `--sign-as` out"));
    }
    let programme = programme_for(&desk, args.programme.as_deref(), Some(&form), day)?;
    let evidence = desk.evidence(context.clock.now())?;
    let needs = desk.needs(programme, day)?;
    let mut verdict = verdict::judge(&case(&desk, programme, &needs, &evidence, as_of, false));
    if !verdict.ready {
        context.printer.document(&verdict);
        verdict.findings.retain(|finding| finding.blocks());
        let printer = &mut context.printer;
        gate::print(printer, &verdict);
        printer.line("");
        printer.line(paint(BAD, "nothing was signed"));
        printer
            .prose(2, "`ctc-ready gate` tells more; nobody should sign what HMRC would send back.");
        return Ok(exit::WANTING);
    }
    let output = match &args.output {
        Some(path) => context.cwd.join(path),
        None => desk.project.root.join("checklist.docx"),
    };
    let order = Order {
        programme,
        form: Some(form.clone()),
        output,
        rehearsal: false,
        draft: false,
        annex: args.annex,
        submit_on: None,
    };
    let mut made = checklist::make(&desk, &evidence, &order, as_of)?;
    let before = made.filled.clone();
    document::sign(&mut made.filled, definition, &name, day).map_err(named)?;
    let json = context.printer.json();
    if json {
        // The one document alone goes to standard output.
        context.printer.step_aside();
    }
    show(&mut context.printer, &desk.project.settings, &programme.title, &before, &made.filled);
    context.printer.line(format!("Type the name to sign: {}", paint(BOLD, &name)));
    let typed = Asker::new(&mut context.printer).line()?.unwrap_or_default();
    if typed.split_whitespace().collect::<Vec<_>>().join(" ") != name {
        return Err(Failure::usage("not signed: what was typed is not the name")
            .hint("nothing was written"));
    }
    let report = checklist::put(&order, made, &context.cwd)?;
    context.printer.document(&report);
    checklist::print(&mut context.printer, &report);
    Ok(exit::DONE)
}

/// What is signed.
fn show(
    printer: &mut Printer,
    settings: &Settings,
    programme: &str,
    before: &Filled,
    filled: &Filled,
) {
    let software = &settings.software;
    printer.line(format!(
        "{} for {}",
        paint(BOLD, format!("{} {}", software.name, software.version)),
        paint(BOLD, programme)
    ));
    printer.line("");
    printer.line(paint(BOLD, "what is ticked"));
    for field in before.filled.iter().filter(|field| field.value == "ticked") {
        printer.prose(2, &format!("☒ {}", field.field));
        let states = questions().iter().find(|question| question.name == field.field);
        if let Some(states) = states.and_then(|question| question.asks.as_deref()) {
            printer.prose(4, states);
        }
    }
    printer.line(paint(BOLD, "what it says"));
    for field in before.filled.iter().filter(|field| field.value != "ticked") {
        printer.prose(2, &format!("{}: {}", field.field, field.value));
    }
    let open: Vec<String> = filled
        .left_for_you
        .iter()
        .map(|left| format!("{}: {}", left.field, left.why))
        .chain(filled.not_found.iter().cloned())
        .collect();
    if !open.is_empty() {
        printer.line(paint(CARE, "what is not in it"));
        open.iter().for_each(|text| printer.prose(2, text));
    }
    printer.line(paint(BOLD, "what is added"));
    let is_new = |field: &&document::FilledField| field.from == document::Source::Signed;
    for field in filled.filled.iter().filter(is_new) {
        printer.prose(2, &format!("{}: {}", field.field, field.value));
    }
    printer.line("");
}
