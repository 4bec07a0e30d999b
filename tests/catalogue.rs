//! The catalogue's files agree with HMRC's facts.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use ctc_ready::catalogue::{Catalogue, Column, Flow, RequirementKind};
use ctc_ready::ncts::MessageType;
use serde_json::Value;

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::built_in().unwrap_or_else(|error| panic!("{error}"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

const NCTS5: [&str; 2] = ["ncts5-transition", "ncts5-final"];

// Contents

#[test]
fn it_has_the_programmes_and_their_scenarios() {
    let catalogue = catalogue();
    let ids: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["ncts5-transition", "ncts5-final", "ncts6", "guarantee-balance"]);
    // Those that the two NCTS5 programmes share come first in each flow, and
    // twins stand together.
    let first = |programme, flow| -> Vec<&str> {
        let of_flow = catalogue.scenarios(programme).iter().filter(|s| s.flow == flow);
        of_flow.map(|scenario| scenario.id.as_str()).take(4).collect()
    };
    for programme in NCTS5 {
        assert_eq!(first(programme, Flow::StandardDeparture), ["DSGB1", "DSXI1", "DSGB2", "DSXI2"]);
        assert_eq!(first(programme, Flow::PreLodgedDeparture)[..2], ["PSGB1", "PSXI1"]);
        assert_eq!(first(programme, Flow::Arrival)[..2], ["ASGB1", "ASXI1"]);
    }
    let flows: Vec<Flow> = catalogue.scenarios("ncts5-final").iter().map(|s| s.flow).collect();
    assert!(flows.is_sorted());
    let balances = catalogue.scenarios("guarantee-balance");
    assert!(balances.iter().all(|s| s.flow == Flow::GuaranteeBalance && s.procedure.is_none()));
    assert_eq!(catalogue.find_scenario("dsgb1").len(), 2);
    assert_eq!(catalogue.scenario("ncts6", "p6-dsgb-01").unwrap().id, "P6-DSGB-01");
    assert!(catalogue.scenario("ncts6", "DSGB1").is_none());
    for id in ["Scenario 2 XI", "scenario 2 xi", "scenario-2-xi"] {
        assert_eq!(catalogue.scenario("guarantee-balance", id).unwrap().id, "Scenario 2 XI");
    }
    assert!(catalogue.scenarios("ncts7").is_empty());
}

#[test]
fn the_default_programme_is_the_last_that_opened() {
    let catalogue = catalogue();
    let on = |date| catalogue.default_programme(day(date)).map(|p| p.id.clone());
    assert_eq!(on("2023-10-29"), None);
    assert_eq!(on("2024-06-03").as_deref(), Some("ncts5-transition"));
    assert_eq!(on("2024-06-04").as_deref(), Some("ncts5-final"));
    assert_eq!(on("2026-04-13").as_deref(), Some("ncts5-final"));
    assert_eq!(on("2026-04-14").as_deref(), Some("ncts6"));
}

#[test]
fn programme_facts_are_those_published() {
    let Some(reference) = reference::folder() else { return };
    let facts = json(reference.join("programmes.json"));
    let catalogue = catalogue();
    let published: BTreeSet<NaiveDate> = facts["dates"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|fact| fact["date"].as_str()?.get(..10)?.parse().ok())
        .collect();
    assert!(published.len() >= 6);
    for programme in catalogue.programmes().iter().filter(|programme| programme.declares()) {
        let ncts6 = programme.id == "ncts6";
        let key = |five: &'static str, six: &'static str| if ncts6 { six } else { five };
        let mail = &facts["manual_intervention"];
        let officers = programme.officers.as_ref().unwrap();
        assert_eq!(officers.mailbox, mail[key("ncts5_mailbox", "ncts6_mailbox")]);
        assert_eq!(officers.subject_must_include, mail["subject_must_include"]);
        let timers = &facts["timers_minutes"];
        let minutes = programme.timers.unwrap();
        assert_eq!(minutes.automatic_release_minutes, timers["automatic_release"]);
        assert_eq!(minutes.await_presentation_minutes, timers["await_presentation_notification"]);
        let failure = key("guarantee_failure_to_IE051_ncts5", "guarantee_failure_to_IE051_ncts6");
        assert_eq!(minutes.guarantee_amendment_minutes, timers[failure]);
        let submission = &facts["submission"][key("ncts5", "ncts6")];
        let own = programme.submission.as_ref().unwrap();
        assert_eq!(own.to.as_deref(), submission["to"].as_str());

        // No date is invented: each is published, or the day after one that is.
        let dates = programme.date.iter().map(|fact| fact.on);
        let phases = programme.phase.iter().flat_map(|phase| [phase.opens, phase.closes]);
        let hours = programme.availability.iter().flat_map(|hours| [hours.from, hours.until]);
        for date in dates.chain(phases.flatten()).chain(hours.flatten()) {
            let before = date.pred_opt().unwrap();
            assert!(published.contains(&date) || published.contains(&before), "{date}");
        }
    }
    // Nothing is said of guarantee balances that HMRC did not say.
    let balance = catalogue.programme("guarantee-balance").unwrap();
    assert_eq!(facts["guarantee_balance"]["separate_credentials"], false);
    assert!(balance.officers.is_none() && balance.timers.is_none());
    assert!(balance.submission.is_none() && balance.availability.is_empty());
    assert!(balance.pending_checklist.as_ref().unwrap().what.contains("pending"));
    assert!(balance.requirement.iter().all(|slot| slot.kind == RequirementKind::Recommended));
    assert!(balance.phase.iter().all(|phase| phase.opens.is_none() && phase.closes.is_none()));

    let programme = catalogue.programme("ncts6").unwrap();
    assert!(programme.unpublished.iter().any(|date| date.id == "ncts6-go-live"));
    let errata = &facts["ncts5_decision_matrix"]["known_errors_in_the_form"];
    for programme in NCTS5 {
        let programme = catalogue.programme(programme).unwrap();
        let of_the_form = programme.errata.iter().filter(|fact| fact.source.starts_with("F11"));
        assert_eq!(of_the_form.count(), errata.as_array().unwrap().len());
        // Under final rules the go-live is published, and past.
        let lead = programme.unpublished.iter().find_map(|date| date.lead_days);
        assert_eq!(lead, (programme.id == "ncts5-transition").then_some(14));
        let recommended: Vec<Vec<String>> = programme
            .requirement
            .iter()
            .filter(|requirement| requirement.kind == RequirementKind::Recommended)
            .map(|requirement| requirement.any_of.any.clone())
            .collect();
        let pairs = facts["ncts5_decision_matrix"]["recommended"].as_array().unwrap();
        assert_eq!(recommended, pairs.iter().map(strings).collect::<Vec<_>>());
    }
}

/// The rows of a CSV file; quoted cells may hold commas and line breaks.
fn csv(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut rows, mut row, mut cell, mut quoted) = (vec![], vec![], String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' => {}
            c => cell.push(c),
        }
    }
    row.push(cell);
    rows.push(row);
    rows
}

/// Numbers without trailing zeros, anything else trimmed.
fn normal(value: &str) -> String {
    let value = value.trim();
    match value.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|b| b == b'0') => whole.to_owned(),
        _ => value.to_owned(),
    }
}

fn values(data: &Value, out: &mut Vec<String>) {
    match data {
        Value::Object(table) => table
            .iter()
            .filter(|(name, _)| *name != "messageSender")
            .for_each(|(_, value)| values(value, out)),
        Value::Array(items) => items.iter().for_each(|item| values(item, out)),
        Value::String(text) if text == "(run)" => {}
        other => out.push(normal(other.as_str().unwrap())),
    }
}

/// What the programme's data departs in from the sheet: the cells of its rows,
/// or the value of one.
fn published_cell(programme: &str, group: &str, label: &str, cell: &str) -> Option<String> {
    let cell = cell.trim();
    let of_the_run = cell.starts_with('>') || cell.to_lowercase().contains("current date");
    if cell.is_empty() || of_the_run || cell.starts_with("Up to") || cell.starts_with("N in") {
        return None;
    }
    let label = label.trim();
    if matches!(label, "Sequence number" | "sequence number" | "Message Identification")
        || label.starts_with("Sequence")
        || label == "Message Type"
    {
        return None;
    }
    if programme == "ncts5-transition"
        && (label.starts_with("Country of Dispatch")
            || (group == "Place of Loading" && cell != "(IE170)"))
    {
        return None;
    }
    if programme == "ncts5-final" && label.starts_with("GRN") {
        let side = &cell[2..4];
        assert!(label.contains(&format!("24{side}0000010000031")), "{label}");
        return Some(format!("24{side}0000010000031"));
    }
    Some(normal(cell))
}

#[test]
fn test_data_is_that_of_the_spreadsheets() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    let mut compared = 0;
    for programme in catalogue.programmes() {
        let folder = if programme.id == "ncts6" { "ncts6" } else { "ncts5" };
        for Column { message, name: column, data, .. } in catalogue.columns(&programme.id) {
            let file = format!("test-data/{folder}/{message}.csv");
            let rows = csv(&reference.join(file));
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let index = rows[0]
                .iter()
                .position(|name| words(name) == words(column))
                .unwrap_or_else(|| panic!("no column {column} in {message} of {folder}"));
            let first = rows[0].iter().skip(1).position(|cell| !cell.is_empty()).unwrap() + 1;
            let mut group = String::new();
            let mut theirs = Vec::new();
            for row in rows.iter().skip(1).filter(|row| row.len() > index) {
                let label = row[..first].iter().rev().find(|cell| !cell.trim().is_empty());
                let label = label.map(String::as_str).unwrap_or_default();
                let empty = row[first..].iter().all(|cell| cell.trim().is_empty())
                    || row[index].starts_with("N in");
                if empty || label == "Place of Loading" {
                    group = label.trim().to_owned();
                }
                let loading = *message == MessageType::Ie170 && group == "Place of Loading";
                let group = if loading { "" } else { &group };
                theirs.extend(published_cell(&programme.id, group, label, &row[index]));
            }
            let mut ours = Vec::new();
            values(data, &mut ours);
            theirs.sort();
            ours.sort();
            assert_eq!(ours, theirs, "{} {message} {column}", programme.id);
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * (8 + 4 + 4 + 2 + 4) + (2 + 4 + 2 + 2 + 4));
}
