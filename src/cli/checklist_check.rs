//! `checklist --check`: a filled form compared with evidence and settings.

use std::path::Path;

use super::args::Checklist;
use super::checklist::{forms, programme_taking, read_form};
use super::context::{Context, Desk, case};
use super::exit;
use super::explain;
use super::failure::Failure;
use super::printer::{BAD, BOLD, DIM, GOOD, Printer, paint};
use crate::calendar::london;
use crate::document::{self, CheckReport, FilledForm};
use crate::verdict::{self, Severity};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Checklist, file: &Path) -> Result<u8, Failure> {
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let as_of = context.as_of()?;
    let day = london::day_of(as_of);
    // Its name alone: a report may go to others, who need no folder of ours.
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let named = |error| Failure::from(error).hint(format!("the file is `{name}`"));
    let bytes = read_form(&context.cwd.join(file))?;
    let known = forms(&desk)?;
    let form = FilledForm::read(&bytes, &known).map_err(named)?;
    let programme = match args.programme.as_deref() {
        Some(id) => desk.programme(Some(id), day)?,
        None => programme_taking(&desk, form.definition(), day)?,
    };
    let evidence = desk.evidence(context.clock.now())?;
    let needs = desk.needs(programme, day)?;
    let case = case(&desk, programme, &needs, &evidence, as_of, args.rehearsal);
    let requirements = verdict::status(&case).requirements;
    let settings = &desk.project.settings;
    let answers =
        document::collect(programme, settings, &requirements, &evidence.runs, args.rehearsal);
    let report = document::check(&form, &name, &case, &answers).map_err(named)?;
    context.printer.document(&report);
    print(&mut context.printer, &report);
    Ok(if report.agrees { exit::DONE } else { exit::WANTING })
}

/// What was found, for people.
fn print(printer: &mut Printer, report: &CheckReport) {
    let wrong = report.findings.iter().filter(|it| it.severity != Severity::Info).count();
    let rehearsal = if report.rehearsal { " (REHEARSAL, not for submission)" } else { "" };
    let line = match wrong {
        0 => paint(GOOD, format!("AGREES{rehearsal}")),
        1 => paint(BAD, format!("DIFFERS{rehearsal}: 1 finding")),
        n => paint(BAD, format!("DIFFERS{rehearsal}: {n} findings")),
    };
    printer.line(format!("{}  {line}", paint(BOLD, &report.file)));
    let form = format!(
        "HMRC's form `{}` for {}: {} fields read, compared as of {}",
        report.form,
        report.programme,
        report.fields_read,
        london::for_people(report.as_of)
    );
    printer.prose(2, &form);
    for finding in &report.findings {
        let (style, word) = explain::weight(finding.severity);
        printer.line(format!("  {} {}", paint(style, word), paint(BOLD, finding.rule)));
        printer.prose(4, &format!("{}: {}", finding.field, finding.message));
    }
    if wrong > 0 {
        printer.line("");
        printer.line(paint(DIM, "`ctc-ready explain NAME` tells what a finding means"));
    }
}
