//! The evidence, requirement by requirement.

use std::collections::{BTreeMap, BTreeSet};

use super::super::answers::{OUTBOUND, Unanswered, block_key, counted, counted_run, utc};
use super::matrix::kind;
use super::sheet::{Blocks, Cell, Table, fact};
use super::words::{fill_in, words};
use super::{Author, Dossier, messages};
use crate::catalogue::RequirementKind;
use crate::evidence::{RunId, RunRecord};
use crate::verdict::{RequirementState, RequirementStatus};

/// Where the runs that count were made, and by whom.
pub(super) fn tested(dossier: &Dossier<'_>) -> Cell {
    let runs = counted(&dossier.verdict.requirements, dossier.runs, dossier.answers.rehearsal);
    let places: BTreeSet<String> = runs.into_iter().map(place).collect();
    if places.is_empty() {
        return Cell::remark("no attempt counts");
    }
    Cell::text(places.into_iter().collect::<Vec<_>>().join("\n"))
}

/// `trader-test, API 2.1, driver direct`.
fn place(run: &RunRecord) -> String {
    let (environment, driver) = (run.environment.as_str(), run.driver.as_str());
    format!("{environment}, API {}, driver {driver}", run.api_version)
}

pub(super) fn write(author: &mut Author<'_>, blocks: &mut Blocks) {
    let dossier = author.dossier;
    blocks.heading(1, "Requirements");
    blocks.text(&words().requirements);
    let counts = counted(&dossier.verdict.requirements, dossier.runs, dossier.answers.rehearsal);
    if counts.iter().any(|run| !run.messages.is_empty()) {
        blocks.text(&words().times);
    }
    if counts.iter().any(|run| !run.balances.is_empty()) {
        blocks.text(&words().times_of_balances);
    }
    let mut told: BTreeMap<RunId, String> = BTreeMap::new();
    let mut not_tried = Vec::new();
    for status in &dossier.verdict.requirements {
        let title = dossier.title_of(&status.requirement);
        let counts = counted_run(status, dossier.runs, dossier.answers.rehearsal);
        let mandatory = status.kind == RequirementKind::Mandatory;
        // Recommended tests that were never tried are no news.
        if !mandatory && counts.is_err() && status.attempts == 0 {
            not_tried.push(title);
            continue;
        }
        blocks.heading(2, &format!("{title} ({})", kind(status.kind)));
        let run = match counts {
            Ok(run) => run,
            Err(why) => {
                let row = not_counted(author, status, title, &why);
                blocks.table(Table::facts(vec![row]));
                continue;
            }
        };
        let rows = facts(author, status, title, run);
        blocks.table(Table::facts(rows));
        match told.get(&run.run) {
            Some(before) => {
                blocks.text(&fill_in(&words().told_before, &[("title", before.as_str())]));
            }
            None => {
                messages::write(dossier, run, blocks);
                told.insert(run.run, title.to_owned());
            }
        }
    }
    if !not_tried.is_empty() {
        blocks.text(&fill_in(&words().not_tried, &[("titles", &not_tried.join("; "))]));
    }
}

/// What an attempt that counts is about.
fn facts(
    author: &mut Author<'_>,
    status: &RequirementStatus,
    title: &str,
    run: &RunRecord,
) -> Vec<Vec<Cell>> {
    let mark = author.dossier.mark();
    let mut rows = Vec::new();
    author.filled_from_evidence(&format!("{title}: scenario"), &run.scenario);
    rows.push(fact("scenario", Cell::exact(&run.scenario).marked(mark)));
    for (what, value) in [("MRN", &run.mrn), ("LRN", &run.lrn)] {
        if let Some(value) = value {
            author.filled_from_evidence(&format!("{title}: {what}"), value);
            rows.push(fact(what, Cell::id(value).marked(mark)));
        }
    }
    if status.requirement == OUTBOUND {
        let key = format!("{}.date-time", block_key(&status.requirement));
        if let Some(answer) = author.dossier.answers.get(&key).cloned() {
            author.filled(&format!("{title}: date and time"), &answer);
            let value = Cell::exact(answer.value.to_string()).marked(mark);
            rows.push(fact("date and time", value));
        }
    }
    rows.push(fact("why it applies", Cell::said(&status.reason)));
    if let Some(first) = run.first_submission() {
        rows.push(fact("first submission", Cell::exact(utc(first))));
    }
    if let Some(until) = status.fresh_until {
        rows.push(fact("fresh until", Cell::exact(utc(until))));
    }
    rows.push(fact("tested in", Cell::text(place(run))));
    rows.push(fact(
        "software",
        Cell::text(format!("{} {}", run.software.name, run.software.version)),
    ));
    if let Some(build) = &run.software.build {
        rows.push(fact("build", Cell::id(build)));
    }
    if let Some(operator) = &run.operator {
        rows.push(fact("run by", Cell::text(operator)));
    }
    rows.push(fact("run", Cell::id(run.run.to_string())));
    rows.push(fact("attempt", Cell::text(run.attempt.to_string())));
    rows
}

fn not_counted(
    author: &mut Author<'_>,
    status: &RequirementStatus,
    title: &str,
    why: &str,
) -> Vec<Cell> {
    if status.state != RequirementState::NotApplicable {
        author.left(title, why);
        return fact("not shown", Cell::remark(why));
    }
    let key = format!("{}.not-applicable", block_key(&status.requirement));
    if let Some(answer) = author.dossier.answers.get(&key).cloned() {
        author.filled(&format!("{title}: why not applicable"), &answer);
        return fact("not applicable", Cell::exact(answer.value.to_string()));
    }
    if status.kind == RequirementKind::Mandatory {
        let why = match author.dossier.answers.why_not(&key) {
            Unanswered::LeftForYou(why) | Unanswered::BlockLeftForYou(why) => why,
            Unanswered::NotNeeded => why.to_owned(),
        };
        author.left(&format!("{title}: why not applicable"), &why);
    }
    fact("not applicable", Cell::remark("no reason given"))
}
