//! The catalogue's files agree with HMRC's facts.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;
#[path = "reference/sheet.rs"]
mod sheet;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::NaiveDate;
use ctc_ready::catalogue::{Catalogue, Column, RequirementKind};
use ctc_ready::ncts::MessageType;
use serde_json::Value;
use sheet::{csv, normal};

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
    assert_eq!(ids, ["ncts5-transition", "ncts5-final", "ncts6"]);
    for programme in NCTS5 {
        let ids: Vec<&str> = catalogue.scenarios(programme).iter().map(|s| s.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "DSGB1", "DSXI1", "DNGB1", "DNXI1", "PSGB1", "PSXI1", "PNGB1", "PNXI1", "ASGB1",
                "ASXI1", "ANGB1", "ANXI1"
            ]
        );
    }
    let ids: Vec<&str> = catalogue.scenarios("ncts6").iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["P6-DSGB-01", "P6-DSXI-01"]);
    assert_eq!(catalogue.find_scenario("dsgb1").len(), 2);
    assert_eq!(catalogue.scenario("ncts6", "p6-dsgb-01").unwrap().id, "P6-DSGB-01");
    assert!(catalogue.scenario("ncts6", "DSGB1").is_none());
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
    for programme in catalogue.programmes() {
        let ncts6 = programme.id == "ncts6";
        let key = |five: &'static str, six: &'static str| if ncts6 { six } else { five };
        let mail = &facts["manual_intervention"];
        assert_eq!(programme.officers.mailbox, mail[key("ncts5_mailbox", "ncts6_mailbox")]);
        assert_eq!(programme.officers.subject_must_include, mail["subject_must_include"]);
        let timers = &facts["timers_minutes"];
        assert_eq!(programme.timers.automatic_release_minutes, timers["automatic_release"]);
        assert_eq!(
            programme.timers.await_presentation_minutes,
            timers["await_presentation_notification"]
        );
        let failure = key("guarantee_failure_to_IE051_ncts5", "guarantee_failure_to_IE051_ncts6");
        assert_eq!(programme.timers.guarantee_amendment_minutes, timers[failure]);
        let submission = &facts["submission"][key("ncts5", "ncts6")];
        assert_eq!(programme.submission.to.as_deref(), submission["to"].as_str());

        // No date is invented: each is published, or the day after one that is.
        let dates = programme.date.iter().map(|fact| fact.on);
        let phases = programme.phase.iter().flat_map(|phase| [phase.opens, phase.closes]);
        let hours = programme.availability.iter().flat_map(|hours| [hours.from, hours.until]);
        for date in dates.chain(phases.flatten()).chain(hours.flatten()) {
            let before = date.pred_opt().unwrap();
            assert!(published.contains(&date) || published.contains(&before), "{date}");
        }
    }
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

const VERBS: [&str; 5] = ["accept", "release", "cancel", "control", "end "];

fn verbs(text: &str) -> BTreeSet<&'static str> {
    VERBS.into_iter().filter(|verb| text.contains(verb)).collect()
}

#[test]
fn scenarios_are_those_published() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    for (file, programmes, source) in
        [("ncts5.json", &NCTS5[..], "TG5"), ("ncts6.json", &["ncts6"][..], "TG6")]
    {
        let published = json(reference.join("scenarios").join(file));
        let published: BTreeMap<&str, &Value> = published["scenarios"]
            .as_array()
            .unwrap()
            .iter()
            .map(|scenario| (scenario["id"].as_str().unwrap(), scenario))
            .collect();
        for scenario in programmes.iter().flat_map(|id| catalogue.scenarios(id)) {
            let id = scenario.id.as_str();
            let theirs = published[id];
            assert_eq!(scenario.flow.as_str(), theirs["flow"], "{id}");
            assert_eq!(scenario.side.as_str(), theirs["side"], "{id}");
            assert_eq!(scenario.procedure.unwrap().as_str(), theirs["procedure"], "{id}");
            assert!(scenario.source.starts_with(source), "{id}");
            let steps = theirs["steps"].as_array().unwrap();
            assert_eq!(scenario.step.len(), steps.len(), "{id}");
            for (ours, theirs) in scenario.step.iter().zip(steps) {
                assert_eq!(ours.send.map(MessageType::as_str), theirs["send"].as_str(), "{id}");
                let columns: Vec<&str> = theirs["data"]
                    .as_array()
                    .map(|data| data.iter().map(|d| d["column"].as_str().unwrap()).collect())
                    .unwrap_or_default();
                assert_eq!(ours.data, columns, "{id}");
                assert_eq!(
                    ours.officer.as_deref().map(verbs),
                    theirs["officer_request"].as_str().map(verbs),
                    "{id}"
                );
                assert_eq!(
                    ours.deadline_minutes_after_ie015.map(u64::from),
                    theirs["deadline_minutes_after_IE015"].as_u64(),
                    "{id}"
                );
                let expected: Vec<(&str, Option<u64>)> = theirs["expect"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|e| (e["message"].as_str().unwrap(), e["after_minutes"].as_u64()))
                    .collect();
                let ours: Vec<(&str, Option<u64>)> = ours
                    .expect
                    .iter()
                    .map(|e| (e.message.as_str(), e.after_minutes.map(u64::from)))
                    .collect();
                assert_eq!(ours, expected, "{id}");
            }
        }
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
fn published_cell(
    programme: &str,
    column: &str,
    group: &str,
    label: &str,
    cell: &str,
) -> Option<String> {
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
    let dispatch = label.starts_with("Country of Dispatch") && !column.contains("TIR");
    let loading = group == "Place of Loading" && !column.contains("Security");
    if programme == "ncts5-transition" && (dispatch || loading) {
        return None;
    }
    if programme == "ncts5-final" && label.starts_with("GRN") {
        let side = &cell[2..4];
        assert!(label.contains(&format!("24{side}0000010000031")), "{label}");
        return Some(format!("24{side}0000010000031"));
    }
    Some(normal(cell))
}

/// Corrects cells that are clearly wrong, and fills in what a rule wants and the
/// sheet leaves out; the data files say why.
fn correct(programme: &str, message: MessageType, column: &str, cells: &mut Vec<String>) {
    if message == MessageType::Ie013 && column == "Normal GB-XI" && programme != "ncts6" {
        for (wrong, right) in [("B", "C"), ("Y", "U")] {
            *cells.iter_mut().find(|cell| *cell == wrong).unwrap() = right.to_owned();
        }
    }
    let at_once = match message {
        MessageType::Ie013 => !column.contains("Pre-lodged"),
        _ => column.contains("TIR") || column.contains("(N)"),
    };
    let departs = matches!(message, MessageType::Ie013 | MessageType::Ie015);
    if programme == "ncts5-final" && departs && at_once {
        let place = if column.contains("GB-XI") { ["GB", "Dover"] } else { ["XI", "Belfast"] };
        cells.extend(place.map(str::to_owned));
    }
}

#[test]
fn test_data_is_that_of_the_spreadsheets() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    let mut compared = 0;
    for programme in catalogue.programmes() {
        let folder = if programme.id == "ncts6" { "ncts6" } else { "ncts5" };
        let columns = catalogue.columns(&programme.id).filter(|column| column.sheet.is_none());
        for Column { message, name: column, data, .. } in columns {
            let file = format!("test-data/{folder}/{message}.csv");
            let rows = csv(&reference.join(file));
            let words = |text: &str| text.split_whitespace().collect::<String>();
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
                theirs.extend(published_cell(&programme.id, column, group, label, &row[index]));
            }
            correct(&programme.id, *message, column, &mut theirs);
            let mut ours = Vec::new();
            values(data, &mut ours);
            theirs.sort();
            ours.sort();
            assert_eq!(ours, theirs, "{} {message} {column}", programme.id);
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * (15 + 8 + 4 + 4 + 6 + 4) + (2 + 4 + 2 + 2 + 4));
}
