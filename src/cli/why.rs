//! Why a run failed, for people: what happened, then each error that NCTS named
//! with its place in the message.

use super::printer::{BOLD, Printer, WIDTH, paint, wrap};
use crate::engine::explain::headline;
use crate::evidence::{ExplainedError, Failure};

/// Errors told one by one; evidence has them all.
const MAX_TOLD: usize = 5;

/// Columns before what a label stands for.
const LABELS: usize = 12;

/// Tells why a run failed.
pub(super) fn why(printer: &mut Printer, failure: &Failure) {
    printer.prose(2, headline(failure));
    for (error, nth) in failure.errors.iter().zip(1..).take(MAX_TOLD) {
        printer.line("");
        told(printer, nth, error, failure);
    }
    if failure.errors.len() > MAX_TOLD {
        printer.line("");
        printer.line(format!("  and {} errors more", failure.errors.len() - MAX_TOLD));
    }
}

fn told(printer: &mut Printer, nth: usize, told: &ExplainedError, failure: &Failure) {
    let error = &told.error;
    let with = |name: &str, meaning: &Option<String>| match meaning {
        Some(meaning) => format!("{name}: {meaning}"),
        None => name.to_owned(),
    };
    row(printer, &format!("error {nth}"), &with(&format!("code {}", error.code), &told.meaning));
    if !error.reason.is_empty() && error.reason != "N/A" {
        row(printer, "rule", &with(&error.reason, &told.rule_meaning));
    }
    row(printer, "at", &error.pointer);
    if let Some(value) = &error.value {
        row(printer, "value read", value);
    }
    if let (Some(line), Some(excerpt)) = (told.line, &told.excerpt) {
        let of = failure.refused.map(|message| format!(" of the {message}")).unwrap_or_default();
        row(printer, "line", &format!("{line}{of}: {excerpt}"));
    }
    if let Some(hint) = &told.hint {
        row(printer, "hint", hint);
    }
}

fn row(printer: &mut Printer, label: &str, text: &str) {
    for (line, nth) in wrap(text, WIDTH - LABELS - 2).iter().zip(0..) {
        let label = if nth == 0 { label } else { "" };
        printer.line(format!("  {}{line}", paint(BOLD, format!("{label:<LABELS$}"))));
    }
}
