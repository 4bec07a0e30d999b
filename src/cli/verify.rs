//! `verify`: was any evidence changed?

use super::args::Verify;
use super::context::{Context, shown, verified};
use super::exit;
use super::failure::Failure;
use super::printer::{BAD, BOLD, GOOD, Printer, paint};
use crate::catalogue::Catalogue;
use crate::evidence::VerifyReport;

/// Most problems shown to people; JSON has them all.
const SHOWN: usize = 40;

/// Runs the command. It needs no settings when a store is named.
pub(super) fn run(context: &mut Context, args: &Verify) -> Result<u8, Failure> {
    let dir = match &args.store {
        Some(dir) => context.cwd.join(dir),
        None => context.project(&Catalogue::built_in()?)?.evidence_dir(),
    };
    let report = verified(&dir).map_err(|error| {
        let failure = Failure::from(error);
        failure.hint("name a store's folder, such as `ctc-ready verify my-project/evidence`")
    })?;
    context.printer.document(&report);
    let place = shown(&dir, &context.cwd);
    print(&mut context.printer, &place, &report);
    Ok(if report.intact { exit::DONE } else { exit::WANTING })
}

/// The report for people.
pub(super) fn print(printer: &mut Printer, place: &str, report: &VerifyReport) {
    let counts = format!(
        "{} runs, {} exchanges, {} bodies, {} bytes",
        report.runs, report.exchanges, report.objects, report.bytes
    );
    if report.intact {
        printer.line(format!("{} {place}", paint(GOOD, "INTACT")));
        printer.line(format!("  {counts}"));
        if report.seals.is_empty() {
            printer.prose(
                2,
                "Nothing signs this store yet: whoever can write to it could rewrite all of it.",
            );
        }
        return;
    }
    let count = report.problems.len();
    let word = if count == 1 { "problem" } else { "problems" };
    printer.line(format!("{} {place}: {count} {word}", paint(BAD, "NOT INTACT")));
    printer.line(format!("  {counts}"));
    for problem in report.problems.iter().take(SHOWN) {
        printer.line(format!("  {} {}", paint(BOLD, problem.rule), problem.place));
        printer.prose(4, &problem.message);
    }
    if count > SHOWN {
        printer.line(format!("  … and {} more (`--format json` has them all)", count - SHOWN));
    }
}
