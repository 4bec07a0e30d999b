//! Every published scenario is listed as it was published: what
//! `scenario list` prints is compared, field by field, with HMRC's facts.
//! Whatever differs is in a table here, and the scenario says so itself, in
//! its `errata`.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// Scenario, step, field: what the catalogue corrects.
const CORRECTED: &[(&str, usize, &str)] = &[
    // The IE009 that cancelling brings.
    ("DNGB8", 2, "expect"),
    // Data of the scenario's own procedure; when the IE051 comes.
    ("DNGB9", 1, "data"),
    ("DNGB9", 2, "expect"),
    ("DNXI10", 2, "expect"),
    // No limit where officers must accept first.
    ("DNGB10", 3, "deadline"),
    ("DNXI11", 3, "deadline"),
    // The limit of the data spreadsheet.
    ("PNGB4", 2, "deadline"),
    ("PNXI4", 2, "deadline"),
    // Data of the scenario's own direction or procedure.
    ("PNXI3", 3, "data"),
    ("DNGBT3", 1, "data"),
    ("DNXIT3", 1, "data"),
    ("ASXIT1", 1, "data"),
    ("P6-PNXI-02", 1, "data"),
    ("P6-ASXI-06", 3, "data"),
    // What the spreadsheet says and the facts leave out.
    ("NCGB1", 4, "expect"),
    ("NCXI1", 4, "expect"),
];

/// Steps whose limit stands in the data spreadsheet (`within 45 minutes of
/// IE015 submission`) and is missing from the facts taken from it.
const LIMIT_OF_THE_SPREADSHEET: [&str; 4] = ["PSGB5", "PSXI5", "PNGB5", "PNXI5"];

/// What officers are asked to do; the words around it are our own.
const VERBS: [&str; 9] =
    ["accept", "arrive", "cancel", "confirm", "control", "end ", "reject", "releas", "resolv"];

fn verbs(text: &Value) -> Option<BTreeSet<&'static str>> {
    let text = text.as_str()?;
    Some(VERBS.into_iter().filter(|verb| text.contains(verb)).collect())
}

fn published(reference: &Path, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(reference.join("scenarios").join(file)).unwrap();
    let facts: Value = serde_json::from_str(&text).unwrap();
    let scenarios = facts["scenarios"].as_array().unwrap().clone();
    assert_eq!(facts["count"], scenarios.len(), "{file}");
    scenarios
}

/// What the program prints, by programme and id.
fn listed() -> BTreeMap<(String, String), Value> {
    let output = assert_cmd::Command::cargo_bin("ctc-ready")
        .unwrap()
        .current_dir(std::env::temp_dir())
        .args(["scenario", "list", "--all-programmes", "--format", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scenarios = list["scenarios"].as_array().unwrap().iter().map(|scenario| {
        let text = |field: &str| scenario[field].as_str().unwrap().to_owned();
        ((text("programme"), text("id")), scenario.clone())
    });
    let count = scenarios.len();
    let by_id: BTreeMap<_, _> = scenarios.collect();
    assert_eq!(by_id.len(), count, "one is listed twice");
    by_id
}

/// Column names as the spreadsheets' readers see them: without regard to case,
/// spaces and brackets.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A list or `null` as a list.
fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The comparable fields of our step.
fn ours(step: &Value) -> BTreeMap<&'static str, String> {
    let send = step["send"].as_str().unwrap_or("-");
    let sheet = match step["sheet"].as_str() {
        Some("Transition Data") => plain("Transition Data"),
        Some(sheet) => plain(&format!("{send} ({sheet})")),
        None => plain(send),
    };
    let data: Vec<String> = items(&step["data"])
        .iter()
        .map(|column| format!("{sheet} {}", plain(column.as_str().unwrap())))
        .collect();
    BTreeMap::from([
        ("send", send.to_owned()),
        ("data", format!("{data:?}")),
        ("mutated", step["mutation"].is_string().to_string()),
        ("officer", format!("{:?}", verbs(&step["officer"]))),
        ("officer deadline", step["officer_deadline_minutes"].to_string()),
        ("deadline", step["deadline_minutes_after_ie015"].to_string()),
        ("timer", step["presentation_timer"].to_string()),
        ("expect", expectations(step)),
    ])
}

/// What a step expects: messages, timers, violations, releases.
fn expectations(step: &Value) -> String {
    let expect: Vec<Value> = items(&step["expect"])
        .iter()
        .map(|item| {
            serde_json::json!([
                item["message"],
                item["after_minutes"],
                item["violations"],
                item["release"]
            ])
        })
        .collect();
    format!("{expect:?}")
}

/// The same of a published one.
fn theirs(step: &Value) -> BTreeMap<&'static str, String> {
    let send = step["send"].as_str().unwrap_or("-");
    let data: Vec<String> = items(&step["data"])
        .iter()
        .map(|data| {
            let of = |field: &str| plain(data[field].as_str().unwrap());
            format!("{} {}", of("sheet"), of("column"))
        })
        .collect();
    BTreeMap::from([
        ("send", send.to_owned()),
        ("data", format!("{data:?}")),
        ("mutated", (!items(&step["mutation"]).is_empty()).to_string()),
        ("officer", format!("{:?}", verbs(&step["officer_request"]))),
        ("officer deadline", step["officer_deadline_minutes"].to_string()),
        ("deadline", step["deadline_minutes_after_IE015"].to_string()),
        ("timer", step["presentation_timer"].to_string()),
        ("expect", expectations(step)),
    ])
}

/// Compares a scenario of messages; tells the differences that the table
/// allows.
fn compare(scenario: &Value, published: &Value, allowed: &mut BTreeSet<(String, usize, &str)>) {
    let id = published["id"].as_str().unwrap();
    for field in ["flow", "side", "procedure"] {
        assert_eq!(scenario[field], published[field], "{id} {field}");
    }
    // What is odd about a published scenario, its entry tells.
    for mark in ["note", "published_as"] {
        assert!(
            published[mark].is_null() || scenario["errata"].is_string(),
            "{id}: {}",
            published[mark]
        );
    }
    let steps = items(&scenario["steps"]);
    let expected = items(&published["steps"]);
    assert_eq!(steps.len(), expected.len(), "{id}");
    for (number, (step, expected)) in (1..).zip(steps.iter().zip(expected)) {
        assert_eq!((&step["step"], &expected["step"]), (&number.into(), &number.into()), "{id}");
        let (ours, theirs) = (ours(step), theirs(expected));
        for (field, ours) in &ours {
            if *ours == theirs[field] {
                continue;
            }
            let limit = LIMIT_OF_THE_SPREADSHEET.contains(&id) && *field == "deadline";
            if limit && (number, ours.as_str()) == (2, "45") {
                continue;
            }
            let known = CORRECTED.contains(&(id, number, field));
            assert!(known, "{id} step {number} {field}: {ours} instead of {}", theirs[field]);
            assert!(scenario["errata"].is_string(), "{id} does not declare what it corrects");
            allowed.insert((id.to_owned(), number, field));
        }
    }
}

#[test]
fn every_published_scenario_is_listed_as_published() {
    let Some(reference) = reference::folder() else { return };
    let ours = listed();
    let mut expected: BTreeSet<(String, String)> = BTreeSet::new();
    let mut differences = BTreeSet::new();
    let mut by_rules: BTreeMap<String, usize> = BTreeMap::new();
    for (file, source) in [
        ("ncts5.json", "TG5: "),
        ("ncts5-final-spreadsheet.json", "DS5: "),
        ("ncts6.json", "TG6: "),
    ] {
        for published in published(&reference, file) {
            let id = published["id"].as_str().unwrap();
            let rules = published["rules"].as_str().unwrap_or("ncts6");
            *by_rules.entry(format!("{file}: {rules}")).or_default() += 1;
            let programmes: &[&str] = match rules {
                "transition and final" => &["ncts5-transition", "ncts5-final"],
                "transition only" => &["ncts5-transition"],
                "final only" => &["ncts5-final"],
                _ => &["ncts6"],
            };
            for programme in programmes {
                let key = ((*programme).to_owned(), id.to_owned());
                let scenario = ours.get(&key).unwrap_or_else(|| panic!("{key:?} is missing"));
                assert!(scenario["source"].as_str().unwrap().starts_with(source), "{id}");
                compare(scenario, &published, &mut differences);
                expected.insert(key);
            }
        }
    }
    let counted: Vec<(&str, usize)> = by_rules.iter().map(|(of, n)| (of.as_str(), *n)).collect();
    assert_eq!(
        counted,
        [
            ("ncts5-final-spreadsheet.json: final only", 16),
            ("ncts5.json: final only", 4),
            ("ncts5.json: transition and final", 67),
            ("ncts5.json: transition only", 36),
            ("ncts6.json: ncts6", 67),
        ]
    );
    // Nothing is excused that need not be.
    let unused: Vec<_> = CORRECTED
        .iter()
        .filter(|(id, step, field)| !differences.contains(&((*id).to_owned(), *step, field)))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");

    for published in published(&reference, "guarantee-balance.json") {
        let id = published["id"].as_str().unwrap();
        let key = ("guarantee-balance".to_owned(), id.to_owned());
        let scenario = ours.get(&key).unwrap_or_else(|| panic!("{key:?} is missing"));
        assert_eq!(scenario["side"], published["side"], "{id}");
        assert_eq!(scenario["flow"], "guarantee-balance", "{id}");
        assert!(scenario["procedure"].is_null() && scenario["errata"].is_null(), "{id}");
        let steps = items(&scenario["steps"]);
        let requests = items(&published["requests"]);
        assert_eq!(steps.len(), requests.len(), "{id}");
        for (step, request) in steps.iter().zip(requests) {
            let asked = &step["request"];
            assert!(step["send"].is_null(), "{id}");
            assert_eq!(asked["grn"], request["grn"], "{id}");
            assert_eq!(asked["access_code"], request["accessCode"], "{id}");
            assert_eq!(asked["within_seconds"], request["within_seconds"], "{id}");
            let [answer] = items(&step["expect"]) else { panic!("{id}: {}", step["expect"]) };
            for field in ["status", "balance", "currency", "code"] {
                assert_eq!(answer[field], request[field], "{id} {field}");
            }
        }
        expected.insert(key);
    }
    let listed: BTreeSet<_> = ours.keys().cloned().collect();
    assert_eq!(listed.difference(&expected).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    let distinct: BTreeSet<&String> = expected.iter().map(|(_, id)| id).collect();
    assert_eq!((expected.len(), distinct.len()), (265, 198));
}

#[test]
fn the_limits_taken_from_the_spreadsheet_stand_there() {
    let Some(reference) = reference::folder() else { return };
    for (side, file) in [("GB", "GB Departure"), ("XI", "XI Departure")] {
        let path = reference.join(format!("test-data/ncts5/Final Only Tests ({file}).csv"));
        let text = std::fs::read_to_string(path).unwrap();
        for id in LIMIT_OF_THE_SPREADSHEET.iter().filter(|id| id.contains(side)) {
            let from = text.find(&format!("{id}:")).unwrap();
            let next =
                |line: &&str| !["Normal,", "Simplified,"].iter().any(|p| line.starts_with(p));
            let own: Vec<&str> = text[from..].lines().take_while(next).collect();
            assert!(own.join(" ").contains("within 45 minutes of IE015 submission"), "{id}");
        }
    }
}

#[test]
fn each_programme_lists_its_scenarios() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (programme, _) in listed().into_keys() {
        *counts.entry(programme).or_default() += 1;
    }
    let counts: Vec<(&str, usize)> = counts.iter().map(|(id, n)| (id.as_str(), *n)).collect();
    assert_eq!(
        counts,
        [("guarantee-balance", 8), ("ncts5-final", 87), ("ncts5-transition", 103), ("ncts6", 67)]
    );
}
