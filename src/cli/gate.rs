//! `gate`: may this be submitted? Exit code 0 yes, 1 no.

use std::path::Path;

use super::args::{Format, Gate};
use super::context::{Context, Desk, case};
use super::evidence;
use super::exit;
use super::explain;
use super::failure::Failure;
use super::printer::{BAD, BOLD, CARE, DIM, GOOD, Printer, WIDTH, paint, wrap};
use crate::calendar::london;
use crate::evidence::{Store, VerifyReport};
use crate::report::{Dossier, junit, markdown};
use crate::verdict::{self, Severity, Verdict, day_judged};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Gate) -> Result<u8, Failure> {
    if args.list_rules {
        if matches!(args.format, Format::Junit | Format::Markdown) {
            let format = args.format.as_str();
            return Err(Failure::usage(format!("`--list-rules` cannot be told as {format}"))
                .hint("it knows `--format human` and `--format json`"));
        }
        explain::list(&mut context.printer);
        return Ok(exit::DONE);
    }
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let as_of = context.as_of()?;
    let found = desk.evidence(context.clock.now())?;
    let day = day_judged(args.submit_on, as_of);
    let programme = desk.programme(args.programme.as_deref(), day)?;
    let needs = desk.needs(programme, day)?;
    let mut case = case(&desk, programme, &needs, &found, as_of, args.rehearsal);
    case.submit_on = args.submit_on;
    let verdict = verdict::judge(&case);
    context.printer.document(&verdict);
    match args.format {
        Format::Human | Format::Json => print(&mut context.printer, &verdict),
        Format::Junit | Format::Markdown => {
            let store = desk.project.evidence_dir();
            let bytes = for_ci(&store, &verdict, found.report, args.format)?;
            evidence::leave(context, &store, "the verdict", &bytes)?;
        }
    }
    Ok(if verdict.ready { exit::DONE } else { exit::WANTING })
}

/// The verdict and the attempts of its programme, for a CI server.
fn for_ci(
    dir: &Path,
    verdict: &Verdict,
    integrity: Option<VerifyReport>,
    format: Format,
) -> Result<Vec<u8>, Failure> {
    let mark = verdict.rehearsal.then_some(evidence::REHEARSAL);
    let mut dossier = match integrity {
        Some(integrity) => Dossier::gather(&Store::open(dir)?, verdict.clone(), integrity, mark),
        None => Dossier::without_evidence(verdict.clone(), mark),
    };
    dossier.keep(|programme, _| programme == verdict.programme);
    Ok(match format {
        Format::Junit => junit::export(&dossier)?,
        _ => markdown::export(&dossier).into_bytes(),
    })
}

/// The verdict for people.
pub(super) fn print(printer: &mut Printer, verdict: &Verdict) {
    let errors = verdict.findings.iter().filter(|finding| finding.blocks()).count();
    let waived = verdict
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error && finding.waived.is_some())
        .count();
    let rehearsal = if verdict.rehearsal { " (REHEARSAL, not for submission)" } else { "" };
    let rehearsal = match waived {
        0 => rehearsal.to_owned(),
        1 => format!("{rehearsal} (1 error waived)"),
        n => format!("{rehearsal} ({n} errors waived)"),
    };
    let line = match (verdict.ready, verdict.nothing_to_submit()) {
        (true, Some(why)) => paint(CARE, format!("NOTHING TO SUBMIT{rehearsal}: {why}")),
        (true, None) => paint(GOOD, format!("READY{rehearsal}")),
        (false, _) => paint(
            BAD,
            format!("NOT READY{rehearsal}: {errors} error{}", if errors == 1 { "" } else { "s" }),
        ),
    };
    printer.line(format!("{}  {line}", paint(BOLD, &verdict.programme)));
    let day =
        verdict.submit_on.map_or_else(String::new, |day| format!(", for submission on {day}"));
    printer.line(format!("  as of {}{day}", london::for_people(verdict.as_of)));
    for finding in &verdict.findings {
        let (style, word) = explain::weight(finding.severity);
        let (style, waived) = match finding.waiver() {
            Some(waiver) => (DIM, Some(waiver)),
            None => (style, None),
        };
        printer.line(format!("  {} {}", paint(style, word), paint(BOLD, finding.rule)));
        printer.prose(4, &finding.message);
        if let Some(waiver) = waived {
            for line in wrap(&format!("waived {waiver}"), WIDTH - 4) {
                printer.line(format!("    {}", paint(CARE, line)));
            }
        }
        if let Some(source) =
            finding.source.as_deref().filter(|_| finding.severity != Severity::Info)
        {
            for line in wrap(&format!("source: {source}"), WIDTH - 4) {
                printer.line(format!("    {}", paint(DIM, line)));
            }
        }
    }
}
