//! What the gate found, and what proves that nothing was changed.

use super::super::answers::utc;
use super::Dossier;
use super::sheet::{Blocks, Cell, Look, Shape, Table, fact};
use super::words::{count, fill_in, words};
use crate::evidence::VerifyReport;
use crate::evidence::verify::{SealReport, TimeStampReport};
use crate::verdict::{Finding, Severity, Verdict};

/// The verdict in a line.
pub(super) fn headline(verdict: &Verdict) -> String {
    let words = words();
    if !verdict.ready {
        let errors = verdict.findings.iter().filter(|finding| finding.blocks()).count();
        return fill_in(&words.not_ready, &[("errors", &count(errors as u64, "error"))]);
    }
    match (verdict.nothing_to_submit(), verdict.rehearsal) {
        (Some(why), _) => fill_in(&words.nothing_to_submit, &[("why", why)]),
        (None, true) => words.ready_in_rehearsal.clone(),
        (None, false) => words.ready.clone(),
    }
}

/// The latest seal in a line.
pub(super) fn latest_seal(integrity: Option<&VerifyReport>) -> Cell {
    let Some(report) = integrity else { return Cell::said(&words().no_store) };
    match report.seals.last() {
        None => Cell::said(&words().not_sealed),
        Some(seal) => {
            let holds = if seal.valid { "" } else { "; it does NOT hold" };
            let mut cell = Cell::text(format!("number {}{holds}", number(seal)));
            let made = seal.at.map(|at| ("made", utc(at)));
            cell.lines.extend(Cell::labelled(made, Look::Exact).lines);
            cell.lines.extend(Cell::labelled([("key", seal.key.to_string())], Look::Id).lines);
            cell
        }
    }
}

/// `seals/3.dsse.json`: 3.
fn number(seal: &SealReport) -> &str {
    let file = seal.seal.rsplit('/').next().unwrap_or_default();
    file.split('.').next().unwrap_or_default()
}

pub(super) fn write(dossier: &Dossier<'_>, blocks: &mut Blocks) {
    let verdict = dossier.verdict;
    blocks.heading(1, "Verdict");
    blocks.text(&words().judged);
    let mut rows = vec![fact("verdict", Cell::strong(headline(verdict)))];
    rows.push(fact("as of", Cell::exact(utc(verdict.as_of))));
    if let Some(day) = verdict.submit_on {
        rows.push(fact("to submit on", Cell::text(day.to_string())));
    }
    blocks.table(Table::facts(rows));
    match verdict.findings.is_empty() {
        true => blocks.text(&words().no_findings),
        false => {
            let rows = verdict.findings.iter().map(finding).collect();
            let columns = [("Weight", 8), ("Rule", 15), ("What was found", 40)];
            blocks.table(Table::new(Shape::Rows, &columns, rows));
        }
    }
    blocks.heading(1, "Seal");
    seal(dossier.integrity, blocks);
}

fn finding(finding: &Finding) -> Vec<Cell> {
    let weight = match finding.severity {
        Severity::Error => Cell::strong("error"),
        Severity::Warning => Cell::text("warning"),
        Severity::Info => Cell::text("info"),
    };
    let weight = match &finding.waived {
        Some(_) => Cell::text("waived"),
        None => weight,
    };
    let mut what = Cell::said(&finding.message);
    let more = [("source", finding.source.clone()), ("waived", finding.waiver())];
    let more = more.into_iter().filter_map(|(label, text)| Some((label, text?)));
    what.lines.extend(Cell::labelled(more, Look::Plain).lines);
    vec![weight, Cell::text(finding.rule), what]
}

fn seal(integrity: Option<&VerifyReport>, blocks: &mut Blocks) {
    let words = words();
    let Some(report) = integrity else { return blocks.text(&words.no_store) };
    let sentence = if report.intact { &words.intact } else { &words.not_intact };
    let values = [
        ("runs", count(report.runs, "attempt")),
        ("exchanges", count(report.exchanges, "HTTP exchange")),
        ("objects", count(report.objects, "stored file")),
        ("problems", count(report.problems.len() as u64, "problem")),
    ];
    let values: Vec<(&str, &str)> =
        values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut rows = vec![fact("evidence", Cell::said(&fill_in(sentence, &values)))];
    let Some(seal) = report.seals.last() else {
        rows.push(fact("seal", Cell::said(&words.not_sealed)));
        return blocks.table(Table::facts(rows));
    };
    let all = report.seals.len();
    rows.push(fact("latest seal", Cell::text(format!("number {} of {all}", number(seal)))));
    rows.push(fact("holds", Cell::strong(if seal.valid { "yes" } else { "NO" })));
    if let Some(at) = seal.at {
        rows.push(fact("made", Cell::exact(utc(at))));
    }
    rows.push(fact("key, SHA-256", Cell::id(seal.key.to_string())));
    if let Some(head) = seal.index_head {
        rows.push(fact("index head", Cell::id(head.to_string())));
    }
    let mut covers = count(seal.covers_runs, "attempt");
    if !report.unsealed_runs.is_empty() {
        let runs = count(report.unsealed_runs.len() as u64, "attempt");
        covers.push_str(&format!(". {}", fill_in(&words.unsealed_runs, &[("runs", &runs)])));
    }
    rows.push(fact("covers", Cell::text(covers)));
    match &seal.time_stamp {
        None => rows.push(fact("time stamp", Cell::remark("none"))),
        Some(stamp) => {
            rows.push(fact("time stamp", Cell::exact(utc(stamp.at))));
            rows.push(fact("stamped by", Cell::text(authority(stamp))));
        }
    }
    blocks.table(Table::facts(rows));
}

fn authority(stamp: &TimeStampReport) -> String {
    let words = words();
    let checked = match stamp.authority_checked {
        true => &words.authority_checked,
        false => &words.authority_not_checked,
    };
    let authority = stamp.authority.as_deref().unwrap_or("an authority without a name");
    fill_in(&words.authority, &[("authority", authority), ("checked", checked)])
}
