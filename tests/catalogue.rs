//! The catalogue: its files agree with HMRC's facts, one validator finds what
//! is wrong with them, and the decision matrix decides as the form does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use ctc_ready::catalogue::{
    Capabilities, Catalogue, Combination, Flow, Procedure, RequirementError, RequirementKind, Side,
    applicable,
};
use ctc_ready::ncts::MessageType;
use serde_json::Value;

fn reference() -> Option<PathBuf> {
    let path = std::env::var_os("CTC_READY_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"),
        PathBuf::from,
    );
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: no reference folder at {}", path.display());
    None
}

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
    let Some(reference) = reference() else { return };
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
    for id in ["ncts6-go-live"] {
        let programme = catalogue.programme("ncts6").unwrap();
        assert!(programme.unpublished.iter().any(|date| date.id == id));
    }
    let errata = &facts["ncts5_decision_matrix"]["known_errors_in_the_form"];
    for programme in NCTS5 {
        let programme = catalogue.programme(programme).unwrap();
        assert_eq!(programme.errata.len(), errata.as_array().unwrap().len());
        let lead = programme.unpublished.iter().find_map(|date| date.lead_days);
        assert_eq!(lead, Some(14));
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
    let Some(reference) = reference() else { return };
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
            assert_eq!(scenario.procedure.as_str(), theirs["procedure"], "{id}");
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
    let Some(reference) = reference() else { return };
    let catalogue = catalogue();
    let mut compared = 0;
    for programme in catalogue.programmes() {
        let folder = if programme.id == "ncts6" { "ncts6" } else { "ncts5" };
        for (message, column, data) in catalogue.columns(&programme.id) {
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
            for row in rows.iter().skip(1) {
                let label = row[..first].iter().rev().find(|cell| !cell.trim().is_empty());
                let label = label.map(String::as_str).unwrap_or_default();
                let empty = row[first..].iter().all(|cell| cell.trim().is_empty())
                    || row[index].starts_with("N in");
                if empty || label == "Place of Loading" {
                    group = label.trim().to_owned();
                }
                let loading = message == MessageType::Ie170 && group == "Place of Loading";
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
    assert_eq!(compared, 2 * (8 + 4 + 4 + 2) + (2 + 4 + 2 + 2));
}

// The validator

/// The embedded files, with one piece of text replaced by another.
fn broken(file: &str, from: &str, to: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Catalogue::embedded().collect();
    let text = &mut files.iter_mut().find(|(path, _)| path == file).unwrap().1;
    assert!(text.contains(from), "{from}");
    *text = text.replacen(from, to, 1);
    files
}

fn problems(files: Vec<(String, String)>) -> Vec<String> {
    Catalogue::load(files).unwrap_err().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_problem_is_found_with_its_place() {
    let departures = "ncts5/standard-departures.toml";
    let common = "ncts5/common.toml";
    let six = "ncts6/programme.toml";
    for (file, from, to, expected) in [
        (
            departures,
            "title = ",
            "titel = ",
            "ncts5/standard-departures.toml:7:1: unknown field `titel`",
        ),
        (
            departures,
            "\"DSXI1\"",
            "\"DSGB1\"",
            ":21:6: `DSGB1` is there twice in programme `ncts5-final`",
        ),
        (departures, "side = \"GB\"", "side = \"XI\"", ":9:8: the id `DSGB1` tells GB"),
        (
            departures,
            "procedure = \"simplified\"",
            "procedure = \"normal\"",
            ":10:13: the id `DSGB1` tells simplified",
        ),
        (
            departures,
            "flow = \"standard-departure\"",
            "flow = \"arrival\"",
            ":8:8: the id `DSGB1` tells standard-departure",
        ),
        (
            departures,
            "\"ncts5-final\"",
            "\"ncts5-fianl\"",
            ":3:34: there is no programme `ncts5-fianl`",
        ),
        (
            departures,
            "send = \"IE015\"\ndata = [\"Simplified GB-XI\"]\n",
            "",
            "step 1 has no action: `send` or `officer`",
        ),
        (
            departures,
            "data = [\"Simplified GB-XI\"]",
            "data = [\"Simplified\"]",
            ":15:9: programme `ncts5-final` has no test data `Simplified` for IE015",
        ),
        (departures, "data = [\"Simplified GB-XI\"]\n", "", "IE015 needs `data`"),
        (
            departures,
            "message = \"IE928\"",
            "message = \"IE170\"",
            "IE170 is sent by the trader: it cannot be expected",
        ),
        (departures, "message = \"IE928\"", "message = \"IE999\"", "`IE999` is not a message type"),
        (
            departures,
            "send = \"IE015\"",
            "send = \"IE028\"",
            "IE028 comes from NCTS: it cannot be sent",
        ),
        (
            departures,
            "send = \"IE015\"",
            "send = \"IE170\"",
            "IE170 belongs to a movement, and none is open yet",
        ),
        (departures, "after_minutes = 45", "after_minutes = 0", "IE029 after no minutes"),
        (
            "ncts5/pre-lodged-departures.toml",
            "minutes-after-ie015 = 45",
            "minutes-after-ie015 = 0",
            "a deadline of no minutes",
        ),
        (
            common,
            "normal = [\"DNGB1\", \"DNXI1\"]",
            "normal = [\"DNGB1\", \"DNXI7\"]",
            "`DNXI7` is pending, which a mandatory requirement cannot wait for",
        ),
        (
            common,
            "normal = [\"DNGB1\", \"DNXI1\"]",
            "normal = [\"DNGB1\", \"DNXI99\"]",
            ":55:20: there is no scenario `DNXI99` in programme `ncts5-final`",
        ),
        (
            common,
            "normal = [\"DNGB1\", \"DNXI1\"]",
            "normal = [\"DNGB1\", \"DSXI1\"]",
            "`DSXI1` tests the simplified procedure, the requirement is about normal",
        ),
        (
            common,
            "normal = [\"DNGB1\", \"DNXI1\"]",
            "normal = [\"DNGB1\", \"ANXI1\"]",
            "`ANXI1` tests arrival, the requirement is about standard-departure",
        ),
        (common, "normal = [\"DNGB1\", \"DNXI1\"]\n", "", "give `any` alone, or `normal`"),
        (
            common,
            "\"PSGB3\", \"PSXI3\", \"PNGB3\"",
            "\"PSGB3\", \"PSXI3\", \"DSGB1\", \"PNGB3\"",
            ":17:22: `DSGB1` is in the catalogue: it is no longer pending",
        ),
        (
            common,
            "\"PSGB3\", \"PSXI3\", \"PNGB3\"",
            "\"PSGB3\", \"PSXI3\", \"PNGB9\", \"PNGB3\"",
            "no requirement names `PNGB9`",
        ),
        (
            common,
            "\"PSGB3\", \"PSXI3\", \"PNGB3\"",
            "\"PSXI3\", \"PNGB3\"",
            "there is no scenario `PSGB3`",
        ),
        (
            common,
            "id = \"arrival\"",
            "id = \"standard-departure\"",
            "`standard-departure` is there twice",
        ),
        (common, "to = \"SDSTeam@hmrc.gov.uk\"\n", "", "`email` needs an address in `to`"),
        (
            common,
            "closes = \"19:00\"",
            "closes = \"06:00\"",
            "it closes at 06:00:00, not after it opens at 07:00:00",
        ),
        (
            common,
            "automatic-release-minutes = 45",
            "automatic-release-minutes = -1",
            "invalid value: integer `-1`",
        ),
        (six, "until = \"2026-06-15\"", "until = \"2026-06-31\"", ":26:9: input is out of range"),
        (
            six,
            "until = \"2026-06-15\"",
            "until = \"2026-03-15\"",
            "2026-03-15 is before 2026-04-14",
        ),
        (
            six,
            "from = \"2026-06-16\"",
            "from = \"2026-06-15\"",
            "a timetable must begin after the one before it ends",
        ),
        (six, "always = true\n", "", "a timetable is either `always = true`, or has both"),
        (six, "id = \"ncts6\"", "id = \"ncts7\"", "must stand in a folder of that name"),
        (six, "[timers]", "[[timers]]", "timers"),
        (
            six,
            "source = \"RM\"\n\n[[availability]]",
            "source = \" \"\n\n[[availability]]",
            "a fact without its source",
        ),
        (
            "ncts5-final/programme.toml",
            "extends = \"ncts5\"",
            "extends = \"ncts4\"",
            ":5:11: there is no `ncts4/common.toml`",
        ),
        (
            "ncts5-final/data.toml",
            "extends = \"ncts5\"",
            "extends = \"ncts4\"",
            "there is no `ncts4/data.toml`",
        ),
        ("ncts6/data.toml", "\"goods-gb\"", "\"goods-gbx\"", "there is no part `goods-gbx`"),
        ("ncts6/data.toml", "[IE007.", "[IE008.", "`IE008` is not a message type"),
        ("ncts6/data.toml", "[IE007.", "[IE025.", "IE025 comes from NCTS"),
        (departures, "[[scenario]]", "[[scenario]", ":5:"),
    ] {
        let problems = problems(broken(file, from, to));
        let found = problems.iter().any(|problem| problem.contains(expected));
        assert!(found, "{file}: {to}\nexpected: {expected}\ngot: {problems:#?}");
        let place = problems.iter().any(|p| p.contains(&format!("{file}:")));
        assert!(place, "no place: {problems:#?}");
    }
}

#[test]
fn problems_of_many_files_come_together() {
    let mut files = broken("ncts5/standard-departures.toml", "title = ", "titel = ");
    for (path, text) in &mut files {
        match path.as_str() {
            "ncts5/standard-departures.toml" => {
                *text = text.replace("side = \"XI\"", "side = \"XI\"\nextra = 1")
                    + "\n[[scenario]]\nid = \"DSGB99\"\nflow = \"nowhere\"\n";
            }
            "ncts5/arrivals.toml" => *text = text.replacen("\"arrival\"", "\"departure\"", 1),
            "ncts6/programme.toml" => {
                *text = text.replace("closes = \"17:00\"", "closes = \"08:00\"")
            }
            _ => {}
        }
    }
    files.push(("stray.toml".into(), "x = 1".into()));
    files.push(("ncts7/forms/f.toml".into(), String::new()));
    let problems = problems(files);
    for expected in [
        "ncts5/arrivals.toml:8:8: unknown variant `departure`",
        "ncts5/standard-departures.toml:7:1: unknown field `titel`",
        "unknown field `extra`",
        "unknown variant `nowhere`",
        "ncts6/programme.toml:34:10: officers leave at 08:00:00, not after they come at 09:00:00",
        "stray.toml: there is no place for this file",
    ] {
        assert!(problems.iter().any(|p| p.contains(expected)), "{expected}\n{problems:#?}");
    }
    // What could not be read is not also reported as missing.
    assert!(!problems.iter().any(|p| p.contains("there is no scenario")), "{problems:#?}");
    assert_eq!(problems.iter().filter(|p| p.contains("unknown field `extra`")).count(), 2);
}

#[test]
fn an_overlay_replaces_and_adds_files() {
    let mut files: Vec<(String, String)> = Catalogue::embedded().collect();
    let (_, text) = files.iter().find(|(path, _)| path == "ncts6/programme.toml").unwrap();
    let text = text.replace("title = \"NCTS6\"", "title = \"Ours\"");
    files.push(("ncts6/programme.toml".into(), text));
    files.push(("ncts6/forms/ours.toml".into(), "x = 1".into()));
    let catalogue = Catalogue::load(files).unwrap();
    assert_eq!(catalogue.programme("ncts6").unwrap().title, "Ours");
    let forms = catalogue.forms("ncts6");
    let ours = forms.iter().find(|form| form.id == "ours").unwrap();
    assert_eq!((ours.path.as_str(), ours.text.as_str()), ("ncts6/forms/ours.toml", "x = 1"));
}

// The decision matrix

const FLOWS: [Flow; 3] = [Flow::StandardDeparture, Flow::PreLodgedDeparture, Flow::Arrival];

/// Every combination of flows, procedures, combination and side.
fn houses() -> Vec<Capabilities> {
    let mut out = Vec::new();
    for subset in 0..8 {
        let flows: Vec<Flow> = FLOWS
            .iter()
            .enumerate()
            .filter(|(i, _)| subset >> i & 1 == 1)
            .map(|(_, f)| *f)
            .collect();
        for procedures in [
            vec![Procedure::Normal],
            vec![Procedure::Simplified],
            vec![Procedure::Simplified, Procedure::Normal],
        ] {
            for combination in [None, Some(Combination::A), Some(Combination::B)] {
                for side in [Side::Gb, Side::Xi] {
                    out.push(Capabilities {
                        flows: flows.clone(),
                        procedures: procedures.clone(),
                        combination,
                        side,
                    });
                }
            }
        }
    }
    assert_eq!(out.len(), 8 * 3 * 3 * 2);
    out
}

/// The column of the form's matrix, in the words of the facts.
fn column(house: &Capabilities) -> Option<&'static str> {
    match (house.procedures.as_slice(), house.combination) {
        ([Procedure::Normal], _) => Some("normal only"),
        ([Procedure::Simplified], _) => Some("simplified only"),
        (_, Some(Combination::A)) => Some("both, combination A"),
        (_, Some(Combination::B)) => Some("both, combination B"),
        _ => None,
    }
}

/// Checks every house against a cell's scenarios by flow and column.
fn check_matrix(cell: impl Fn(Flow, &str) -> Vec<String>) {
    let catalogue = catalogue();
    for id in NCTS5 {
        let programme = catalogue.programme(id).unwrap();
        for house in houses() {
            let answer = applicable(programme, &catalogue, &house);
            let Some(column) = column(&house) else {
                assert_eq!(answer.unwrap_err(), RequirementError::NoCombination);
                continue;
            };
            let answer = answer.unwrap();
            assert_eq!(answer.len(), 15);
            let mut chosen = BTreeSet::new();
            for (slot, flow) in answer.iter().zip(FLOWS) {
                let context = format!("{house:?} {}", slot.requirement.id);
                assert_eq!(slot.requirement.kind, RequirementKind::Mandatory, "{context}");
                assert_eq!(slot.requirement.flow, Some(flow), "{context}");
                assert_eq!(slot.applies, house.flows.contains(&flow), "{context}");
                assert_eq!(slot.any_of, cell(flow, column), "{context}");
                let ours = slot.any_of.iter().find(|id| id.contains(house.side.as_str()));
                assert_eq!(slot.chosen.as_ref(), ours, "{context}");
                assert!(!slot.reason.is_empty(), "{context}");
                if slot.applies {
                    chosen.insert(slot.chosen.clone().unwrap());
                }
            }
            for slot in &answer[3..] {
                let context = format!("{house:?} {}: {}", slot.requirement.id, slot.reason);
                let requirement = slot.requirement;
                assert_eq!(requirement.kind, RequirementKind::Recommended, "{context}");
                let supported = house.flows.contains(&requirement.flow.unwrap())
                    && house.procedures.contains(&requirement.procedure.unwrap());
                let ours = slot.chosen.clone().unwrap();
                assert!(ours.contains(house.side.as_str()), "{context}");
                assert_eq!(slot.applies, supported && !chosen.contains(&ours), "{context}");
            }
        }
    }
}

#[test]
fn the_matrix_is_that_of_the_form() {
    // Written out here on its own, apart from the catalogue's files.
    check_matrix(|flow, column| {
        let (letter, procedure) = match (flow, column) {
            (Flow::StandardDeparture, "normal only" | "both, combination A") => ("D", "N"),
            (Flow::StandardDeparture, _) => ("D", "S"),
            (Flow::PreLodgedDeparture, "normal only" | "both, combination B") => ("P", "N"),
            (Flow::PreLodgedDeparture, _) => ("P", "S"),
            (_, "normal only") => ("A", "N"),
            _ => ("A", "S"),
        };
        ["GB", "XI"].map(|side| format!("{letter}{procedure}{side}1")).to_vec()
    });
}

#[test]
fn the_matrix_is_that_of_the_published_facts() {
    let Some(reference) = reference() else { return };
    let facts = json(reference.join("programmes.json"));
    let rows = &facts["ncts5_decision_matrix"]["rows"];
    check_matrix(|flow, column| strings(&rows[flow.as_str()][column]));
}

#[test]
fn a_normal_arrival_is_recommended_only_where_it_is_not_required() {
    let catalogue = catalogue();
    let programme = catalogue.programme("ncts5-final").unwrap();
    let slot = |procedures: &[Procedure]| {
        let house = Capabilities {
            flows: vec![Flow::Arrival],
            procedures: procedures.to_vec(),
            combination: Some(Combination::A),
            side: Side::Xi,
        };
        let slots = applicable(programme, &catalogue, &house).unwrap();
        let slot = slots.into_iter().find(|slot| slot.requirement.id == "arrival-normal").unwrap();
        (slot.applies, slot.reason)
    };
    let (applies, reason) = slot(&[Procedure::Normal]);
    assert_eq!((applies, reason.as_str()), (false, "`ANXI1` is already required, for `arrival`"));
    assert!(slot(&[Procedure::Normal, Procedure::Simplified]).0);
    let (applies, reason) = slot(&[Procedure::Simplified]);
    assert_eq!(
        (applies, reason.as_str()),
        (false, "the software does not do the normal procedure")
    );
}

#[test]
fn ncts6_asks_one_outbound_movement_of_everyone() {
    let catalogue = catalogue();
    let programme = catalogue.programme("ncts6").unwrap();
    for house in houses() {
        let slots = applicable(programme, &catalogue, &house).unwrap();
        assert_eq!(slots.len(), 1);
        assert!(slots[0].applies);
        assert_eq!(slots[0].requirement.id, "outbound-movement");
        assert_eq!(slots[0].any_of, ["P6-DSGB-01", "P6-DSXI-01"]);
        let chosen = format!("P6-DS{}-01", house.side.as_str());
        assert_eq!(slots[0].chosen.as_deref(), Some(chosen.as_str()));
    }
    let nobody = Capabilities {
        flows: FLOWS.to_vec(),
        procedures: Vec::new(),
        combination: None,
        side: Side::Gb,
    };
    let five = catalogue.programme("ncts5-final").unwrap();
    assert_eq!(applicable(five, &catalogue, &nobody).unwrap_err(), RequirementError::NoProcedure);
}
