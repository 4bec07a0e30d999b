//! The verdict and the attempts as Markdown, for the summary of a CI job:
//! GitHub's and GitLab's flavours, which both have tables, `<details>` and code
//! spans.
//!
//! Most of it was written by others (messages quote what HMRC's server says),
//! so it must neither break a table nor become a link, a mention or HTML.

use super::model::Dossier;
use super::text::{plain, short};
use super::view::{OnlyIndexedFacts, name};
use crate::calendar::london;
use crate::engine::explain::headline;
use crate::evidence::{RunRecord, RunState};
use crate::foreign::markdown::{self, prose};
use crate::verdict::{Severity, Verdict};

/// Most bytes of a summary: GitHub takes a mebibyte.
pub const MAX_BYTES: usize = (1 << 20) - 1;

/// What every summary begins with; nobody sees it.
pub const FIRST_LINE: &str = "<!-- ctc-ready -->";

/// Bytes kept for what must stand at the end.
const RESERVED: usize = 1 << 10;

/// Most characters of a cell.
const MAX_CELL: usize = 600;

/// The summary; at most [`MAX_BYTES`].
pub fn export(dossier: &Dossier) -> String {
    let mut page = Page::default();
    head(&mut page, dossier);
    findings(&mut page, &dossier.verdict);
    requirements(&mut page, &dossier.verdict);
    attempts(&mut page, dossier);
    page.finish()
}

/// A page that takes lines as long as there is room.
#[derive(Default)]
struct Page {
    text: String,
    left_out: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        if self.left_out > 0 || self.text.len() + line.len() + 1 > MAX_BYTES - RESERVED {
            self.left_out += 1;
            return;
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn row(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    fn table(&mut self, head: &[&str]) {
        self.line("");
        self.line(&format!("| {} |", head.join(" | ")));
        self.line(&format!("|{}", " --- |".repeat(head.len())));
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            self.text.push_str(&format!(
                "\n**Cut here: a summary may have 1 MiB. {} lines are left out; \
                 `ctc-ready evidence export --to json` has everything.**\n",
                self.left_out
            ));
        }
        self.text
    }
}

fn head(page: &mut Page, dossier: &Dossier) {
    let verdict = &dossier.verdict;
    page.line(FIRST_LINE);
    page.line("");
    let answer = match (verdict.ready, verdict.findings.iter().filter(|f| f.blocks()).count()) {
        (true, _) => "READY".to_owned(),
        (false, 1) => "NOT READY: 1 error".to_owned(),
        (false, errors) => format!("NOT READY: {errors} errors"),
    };
    page.line(&format!("# {}: {answer}", prose(&verdict.programme)));
    page.line("");
    if let Some(mark) = dossier.mark {
        page.line(&format!("> **{}**", prose(mark)));
        page.line("");
    }
    let day = verdict.submit_on.map_or_else(String::new, |day| format!(", to submit on {day}"));
    page.line(&format!("As of {}{day}.", london::for_people(verdict.as_of)));
    page.line("");
    let report = &dossier.integrity;
    let integrity = match report.intact {
        true => "intact".to_owned(),
        false => format!("**not intact**, {} problems", report.problems.len()),
    };
    let seals = match (report.seals.len(), report.seals.iter().filter(|seal| seal.valid).count()) {
        (0, _) => "no seal".to_owned(),
        (all, valid) if all == valid => format!("{all} seals, which hold"),
        (all, valid) => format!("{all} seals, **of which {} do not hold**", all - valid),
    };
    let (runs, exchanges) = (report.runs, report.exchanges);
    page.line(&format!("Evidence: {integrity}; {runs} runs, {exchanges} exchanges, {seals}."));
}

fn findings(page: &mut Page, verdict: &Verdict) {
    page.line("");
    page.line("## Findings");
    if verdict.findings.is_empty() {
        page.line("");
        page.line("None.");
        return;
    }
    page.table(&["Weight", "Rule", "About", "What"]);
    for finding in &verdict.findings {
        let weight = match (finding.severity, &finding.waived) {
            (_, Some(_)) => "waived".to_owned(),
            (Severity::Error, None) => "**error**".to_owned(),
            (severity, None) => name(&severity),
        };
        let about = [&finding.requirement, &finding.scenario].into_iter().flatten();
        let about: Vec<String> = about.map(|text| cell(text)).collect();
        let mut what = cell(&finding.message);
        if let Some(source) = &finding.source {
            what.push_str(&format!("<br>Source: {}", cell(source)));
        }
        if let Some(waiver) = finding.waiver() {
            what.push_str(&format!("<br>Waived {}", cell(&waiver)));
        }
        page.row(&[weight, code(finding.rule), about.join("<br>"), what]);
    }
}

fn requirements(page: &mut Page, verdict: &Verdict) {
    page.line("");
    page.line("## Requirements");
    page.table(&["Requirement", "Kind", "State", "Scenario", "Run", "Attempts", "Fresh until"]);
    for item in &verdict.requirements {
        let any_of = || item.any_of.join(" or ");
        page.row(&[
            cell(&item.requirement),
            name(&item.kind),
            name(&item.state),
            cell(&item.scenario.clone().unwrap_or_else(any_of)),
            item.run.map(|run| code(&run.to_string())).unwrap_or_default(),
            item.attempts.to_string(),
            item.fresh_until.map(london::for_people).unwrap_or_default(),
        ]);
    }
}

fn attempts(page: &mut Page, dossier: &Dossier) {
    let total = dossier.runs.len() + dossier.only_indexed.len();
    if total == 0 {
        return;
    }
    let untold = dossier.only_indexed.iter().map(OnlyIndexedFacts::from).collect::<Vec<_>>();
    let states = dossier.runs.iter().map(|story| story.record.state);
    let states: Vec<RunState> = states.chain(untold.iter().map(|run| run.state)).collect();
    let count = |wanted| states.iter().filter(|state| **state == wanted).count();
    page.line("");
    page.line("## Attempts");
    page.line("");
    page.line(&format!(
        "<details><summary>Every attempt: {total}; passed {}, failed {}, given up {}, under way \
         {}</summary>",
        count(RunState::Passed),
        count(RunState::Failed),
        count(RunState::Abandoned),
        count(RunState::Waiting)
    ));
    let open = page.left_out == 0;
    page.table(&["Scenario", "Try", "State", "Where", "Opened", "LRN", "MRN", "Run", "Note"]);
    // The newest first: they matter most, should the page be cut.
    for story in dossier.runs.iter().rev() {
        page.row(&attempt(&story.record, &story.stands_for));
    }
    for run in untold.iter().rev() {
        let why = cell(&run.why());
        page.row(&[
            cell(&format!("{} {}", run.programme, run.scenario)),
            run.attempt.to_string(),
            name(&run.state),
            run.environment.as_str().to_owned(),
            String::new(),
            String::new(),
            String::new(),
            code(&run.run.to_string()),
            why,
        ]);
    }
    if open {
        // There is room: it is kept.
        page.text.push_str("\n</details>\n");
    }
}

fn attempt(record: &RunRecord, stands_for: &[String]) -> [String; 9] {
    let mut note = Vec::new();
    if !stands_for.is_empty() {
        note.push(format!("stands for {}", cell(&stands_for.join(", "))));
    }
    if let Some(failure) = &record.failure {
        note.push(cell(&format!("{}: {}", failure.reason, headline(failure))));
    }
    let coded = |value: &Option<String>| value.as_deref().map(code).unwrap_or_default();
    [
        cell(&format!("{} {}", record.programme, record.scenario)),
        record.attempt.to_string(),
        name(&record.state),
        record.environment.as_str().to_owned(),
        london::for_people(record.opened),
        coded(&record.lrn),
        coded(&record.mrn),
        code(&record.run.to_string()),
        note.join("<br>"),
    ]
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    prose(&short(text, MAX_CELL))
}

/// A code span in a cell of a table.
fn code(text: &str) -> String {
    markdown::code(&short(&plain(text), MAX_CELL))
}
