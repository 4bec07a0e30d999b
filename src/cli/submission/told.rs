//! What `submission` says: its JSON, and the same for people.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::context::Context;
use super::super::exit;
use super::super::explain;
use super::super::gate;
use super::super::printer::{BAD, BOLD, CARE, DIM, GOOD, Printer, paint};
use super::{EML, PASTE, Task};
use crate::catalogue::SubmissionChannel;
use crate::document::submission::{SubmissionFile, Words};
use crate::document::{CheckFinding, Filled, LeftField};
use crate::evidence::bundle::Mark;
use crate::verdict::{Finding, Severity, Verdict};

/// `submission --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct SubmissionReport {
    /// Always 1.
    pub(super) schema_version: u32,
    /// A folder was written; if not, `findings` and `form_findings` say why.
    pub(super) written: bool,
    /// The folder.
    pub(super) output: Option<String>,
    /// The programme judged.
    pub(super) programme: String,
    /// How HMRC takes it: `email` or `support-form`.
    pub(super) channel: &'static str,
    /// Where the e-mail goes; none for the support form, and for what is no
    /// submission.
    pub(super) to: Option<String>,
    /// `DRAFT` or `REHEARSAL` where it is no submission.
    pub(super) mark: Option<Mark>,
    /// The gate found no error that is not waived.
    pub(super) ready: bool,
    /// The files in the folder that are for HMRC.
    pub(super) files: Vec<SubmissionFile>,
    /// The e-mail, or the text for the support form.
    pub(super) letter: Option<&'static str>,
    /// What a person must still do in the form.
    pub(super) left_for_you: Vec<LeftField>,
    /// Fields that were not found in the form, with the reason.
    pub(super) not_found: Vec<String>,
    /// Where the filled form does not agree with evidence and settings.
    pub(super) form_findings: Vec<CheckFinding>,
    /// What the gate found.
    pub(super) findings: Vec<Finding>,
}

impl SubmissionReport {
    /// Nothing is left for a person to write into the form.
    fn is_complete(&self) -> bool {
        self.left_for_you.is_empty() && self.not_found.is_empty()
    }
}

impl Task<'_> {
    pub(super) fn report(
        &self,
        verdict: Verdict,
        form_findings: Vec<CheckFinding>,
        filled: &Filled,
    ) -> SubmissionReport {
        SubmissionReport {
            schema_version: 1,
            written: false,
            output: None,
            programme: self.programme.id.clone(),
            channel: match self.submission.channel {
                SubmissionChannel::Email => "email",
                SubmissionChannel::SupportForm => "support-form",
            },
            to: self.to().map(str::to_owned),
            mark: self.mark,
            ready: verdict.ready,
            files: Vec::new(),
            letter: None,
            left_for_you: filled.left_for_you.clone(),
            not_found: filled.not_found.clone(),
            form_findings,
            findings: verdict.findings,
        }
    }

    /// Says why nothing was written: what the gate found, and what is wrong or
    /// missing in the form, field by field.
    pub(super) fn refuse(
        &self,
        context: &mut Context,
        mut verdict: Verdict,
        form_findings: Vec<CheckFinding>,
        filled: &Filled,
    ) -> u8 {
        let printer = &mut context.printer;
        let report = self.report(verdict.clone(), form_findings, filled);
        printer.document(&report);
        let nothing = verdict.nothing_to_submit().is_some();
        verdict.findings.retain(Finding::blocks);
        gate::print(printer, &verdict);
        if nothing {
            return exit::DONE;
        }
        tell_findings(printer, &report);
        tell_left(printer, &report);
        printer.line("");
        printer.line(paint(BAD, "nothing was written"));
        printer.prose(
            2,
            "`ctc-ready explain RULE` tells more; `--draft` writes all the same, marked as no submission.",
        );
        exit::WANTING
    }

    /// What was written, for people.
    pub(super) fn print(&self, printer: &mut Printer, report: &SubmissionReport, words: &Words) {
        printer.line(format!("wrote {}", paint(BOLD, &self.place)));
        match self.mark {
            Some(mark) => {
                printer.line(format!("  {}", paint(CARE, format!("{mark}, no submission"))))
            }
            None if report.is_complete() => {
                printer.line(format!("  {}", paint(GOOD, "ready for submission")));
            }
            None => {
                let line = "ready for submission once the form is complete";
                printer.line(format!("  {}", paint(CARE, line)));
            }
        }
        let letter = report.letter.unwrap_or_default();
        let what = match (self.submission.channel, self.to()) {
            (SubmissionChannel::Email, Some(to)) => format!("the e-mail to {to}"),
            (SubmissionChannel::Email, None) => "the e-mail, to nobody".to_owned(),
            (SubmissionChannel::SupportForm, _) => "what to say in the support form".to_owned(),
        };
        printer.line(format!("  {letter:<32} {what}"));
        for file in &report.files {
            printer.line(format!("  {:<32} {}, {} bytes", file.name, file.what, file.bytes));
        }
        if report.files.iter().any(|file| !file.attached) {
            printer.line("");
            printer.line(paint(CARE, "the bundle is too large for most mailboxes"));
            printer.prose(2, "The e-mail goes without it and offers it; the bundle stands beside.");
        }
        tell_findings(printer, report);
        tell_left(printer, report);
        if self.mark.is_some() {
            return;
        }
        printer.line("");
        printer.line(paint(BOLD, "what to do"));
        let mut steps = Vec::new();
        if !report.is_complete() {
            // Else the bundle, and the digests in the text, are of another form.
            steps
                .push("Complete the form, then call this again with it: `--form FILE`.".to_owned());
        }
        match self.submission.channel {
            SubmissionChannel::Email => {
                steps.push(format!("Open {EML} in your mail program: it comes up as a draft."));
                steps.push(format!("Look at it, and send it. Subject: {}", words.subject));
            }
            SubmissionChannel::SupportForm => {
                let files = report.files.len();
                steps.push(format!(
                    "Upload the {files} files to the support form of HMRC's Developer Hub."
                ));
                steps.push(format!("Paste the text of {PASTE} where it asks what it is about."));
            }
        }
        steps.iter().for_each(|step| printer.prose(2, &format!("- {step}")));
        printer.prose(2, &format!("- {}.", self.submission.how.trim_end_matches('.')));
        printer.line(paint(DIM, format!("  source: {}", self.submission.source)));
    }
}

/// Where the form does not agree; what is left, or not found, is told apart.
fn tell_findings(printer: &mut Printer, report: &SubmissionReport) {
    let apart = ["unanswered", "field-not-found", "statement-reworded"];
    let told = |it: &&CheckFinding| it.severity != Severity::Info && !apart.contains(&it.rule);
    for finding in report.form_findings.iter().filter(told) {
        let (style, word) = explain::weight(finding.severity);
        printer.line(format!("  {} {}", paint(style, word), paint(BOLD, finding.rule)));
        printer.prose(4, &format!("{}: {}", finding.field, finding.message));
    }
}

fn tell_left(printer: &mut Printer, report: &SubmissionReport) {
    if !report.left_for_you.is_empty() {
        printer.line("");
        let count = report.left_for_you.len();
        printer.line(paint(CARE, format!("left for you in the form: {count}")));
        for left in &report.left_for_you {
            printer.prose(2, &format!("- {}: {}", left.field, left.why));
        }
    }
    if !report.not_found.is_empty() {
        printer.line("");
        printer.line(paint(CARE, "not found in the form"));
        report.not_found.iter().for_each(|name| printer.prose(2, &format!("- {name}")));
    }
}
