//! `doctor`.

use std::fs;

use serde_json::Value;

use crate::contract::assert_valid;
use crate::reading::snapshot;
use crate::schema_of::schema_of;
use crate::support::{Project, command, flip, outcome, set, tree};

const NAMES: [&str; 9] = [
    "settings",
    "catalogue",
    "test-packs",
    "own-files",
    "schemas",
    "messages",
    "notifications",
    "evidence",
    "disk",
];

/// What `doctor` says: exit code, and each check's state and words.
fn examined(project: &Project) -> (i32, Vec<(String, String, String)>) {
    let outcome = project.call(&["doctor", "--offline", "--format", "json"]);
    let code = outcome.code;
    let json = outcome.json();
    assert_valid("doctor", &json);
    assert_eq!(json["ok"], code == 0, "{json:#}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks: Vec<_> = json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| {
            assert!(check["hint"].is_null() || check["hint"].is_string());
            (text(&check["check"]), text(&check["state"]), text(&check["message"]))
        })
        .collect();
    let names: Vec<&str> = checks.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, NAMES);
    (code, checks)
}

/// This check ends in this state and says this; the exit code follows.
#[track_caller]
fn assert_found(project: &Project, name: &str, state: &str, part: &str) {
    let (code, checks) = examined(project);
    let (_, found, message) = checks.iter().find(|(check, ..)| check == name).unwrap();
    assert_eq!(found, state, "{checks:#?}");
    assert!(message.contains(part), "`{part}`: {message}");
    assert_eq!(code, i32::from(checks.iter().any(|(_, state, _)| state == "error")), "{checks:#?}");
}

#[test]
fn a_new_project_is_well_and_nothing_is_written() {
    let project = Project::new();
    let before = tree(project.path());
    let (code, checks) = examined(&project);
    assert_eq!(code, 0);
    let states: Vec<&str> = checks.iter().map(|(_, state, _)| state.as_str()).collect();
    assert_eq!(states, ["ok", "ok", "ok", "ok", "not-checked", "ok", "ok", "ok", "ok"]);
    let told = project.call(&["doctor"]).code(0).stdout;
    // How many there are is not what this is about.
    let words = told.split(' ').map(|word| match word.parse::<u64>() {
        Ok(_) => "[N]",
        Err(_) => word,
    });
    let told = words.collect::<Vec<_>>().join(" ");
    snapshot("doctor", &told);
    assert!(tree(project.path()) == before);
}

#[test]
fn every_check_can_find_something() {
    let project = Project::rehearsed();
    let good = project.settings();
    let with = |key: &str, value: &str| project.write_settings(&set(&good, key, value));

    with("pack", "\"pack.zip\"");
    assert_found(&project, "test-packs", "error", "pack.zip");
    with("folder", "\"own\"");
    assert_found(&project, "own-files", "error", "own");
    fs::create_dir(project.file("own")).unwrap();
    assert_found(&project, "own-files", "warning", "empty");
    fs::create_dir(project.file("own/DNGB1")).unwrap();
    fs::write(project.file("own/DNGB1/1-IE015.xml"), "<a>").unwrap();
    assert_found(&project, "own-files", "ok", "own");
    assert_found(&project, "messages", "error", "1-IE015.xml");

    with("xsd", "\"xsd\"");
    assert_found(&project, "schemas", "error", "xsd");
    fs::create_dir(project.file("xsd")).unwrap();
    assert_found(&project, "schemas", "error", "no schemas of version 2.1");
    let xml = project.call(&["message", "build", "DNGB1", "--xsd", "."]).stdout;
    assert_eq!(xml, "", "schemas that cannot be used let nothing through");
    project.write_settings(&good);
    let xml = project.call(&["message", "build", "DNGB1"]).code(0).stdout;
    fs::write(project.file("xsd/cc015c.xsd"), schema_of(&xml)).unwrap();
    with("xsd", "\"xsd\"");
    // One version's files stand for both programmes', and lack messages.
    assert_found(&project, "schemas", "warning", "2.1, 3.0");
    assert_found(&project, "messages", "error", "is not valid against HMRC's schemas");

    with("path", "\"catalogue\"");
    assert_found(&project, "catalogue", "error", "catalogue");
    assert_found(&project, "messages", "not-checked", "first");
    project.write_settings(&good);
    assert_found(&project, "evidence", "ok", "intact: 4 runs");
    flip(&project.evidence().join("index.jsonl"));
    assert_found(&project, "evidence", "error", "changed or damaged");
    project.write_settings(&good.replacen("side = \"GB\"", "side = \"FR\"", 1));
    assert_found(&project, "settings", "error", "side");
    assert_found(&project, "disk", "not-checked", "first");
}

/// State and message of each step of HMRC's list.
fn steps(project: &Project) -> (i32, Vec<(String, String, String)>) {
    let outcome = project.call(&["doctor", "--offline", "--format", "json"]);
    let (code, json) = (outcome.code, outcome.json());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let steps = json["before_you_start"].as_array().unwrap().iter();
    let steps = steps.map(|s| (text(&s["step"]), text(&s["state"]), text(&s["message"]))).collect();
    (code, steps)
}

#[test]
fn what_hmrc_wants_done_first_is_gone_through() {
    // A rehearsal shows nothing of HMRC's: the simulator takes any token.
    let project = Project::rehearsed();
    let (code, all) = steps(&project);
    let names: Vec<&str> = all.iter().map(|(step, ..)| step.as_str()).collect();
    let wanted = [
        "account",
        "application",
        "subscription",
        "authorisation",
        "test-users",
        "reference-data",
        "guide-read",
        "terms-accepted",
    ];
    assert_eq!((code, names), (0, wanted.to_vec()));
    assert!(all.iter().all(|(_, state, _)| state == "warning"), "{all:?}");

    let good = project.settings();
    let read_on = |day: &str| set(&good, "guide-read", day);
    project.write_settings(&set(&read_on("2026-10-01"), "terms-accepted", "\"2026-10-02\""));
    let (_, all) = steps(&project);
    let done: Vec<&str> =
        all.iter().filter(|(_, state, _)| state == "ok").map(|(step, ..)| step.as_str()).collect();
    assert_eq!(done, ["guide-read", "terms-accepted"]);
    assert!(all[6].2.contains("2026-10-01, as the settings say"), "{all:?}");

    project.write_settings(&read_on("2099-10-01"));
    let (code, all) = steps(&project);
    assert_eq!((code, all[6].1.as_str()), (1, "error"), "{all:?}");
    project.write_settings(&read_on("2026-10-01").replace("guide-read", "guides-read"));
    assert_found(&project, "settings", "error", "before-you-start.guides-read");
}

#[test]
fn without_a_project_it_says_so() {
    let empty = tempfile::tempdir().unwrap();
    let outcome = outcome(command(&["doctor"]).current_dir(empty.path())).code(1);
    assert!(outcome.stdout.contains("ctc-ready init"), "{outcome:?}");
    assert!(outcome.stdout.lines().all(|line| line.chars().count() <= 80), "{outcome:?}");
}

#[test]
fn what_pulling_needs_is_named() {
    let project = Project::new();
    assert_found(&project, "notifications", "ok", "off");
    project.write_settings(&set(&project.settings(), "pull", "true"));
    assert_found(&project, "notifications", "error", "`[auth] client-id` is missing");
    project.write_settings(&set(&project.settings(), "client-id", "\"our-client\""));
    assert_found(&project, "notifications", "error", "CTC_READY_CLIENT_SECRET is not set");
    let mut command = project.command(&["doctor"]);
    let told = outcome(command.env("CTC_READY_CLIENT_SECRET", "s3cr3t")).code(0).stdout;
    assert!(told.contains("pulled by `our-client`") && !told.contains("s3cr3t"), "{told}");
}
