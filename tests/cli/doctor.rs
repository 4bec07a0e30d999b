//! `doctor`.

use std::fs;

use serde_json::Value;

use crate::contract::assert_valid;
use crate::reading::snapshot;
use crate::schema_of::schema_of;
use crate::support::{
    CLIENT, CLIENT_SECRET, Outcome, Project, REQUIRED, Simulate, command, flip, nobody_listens,
    outcome, set, tree,
};

const NAMES: [&str; 14] = [
    "settings",
    "catalogue",
    "test-packs",
    "own-files",
    "schemas",
    "messages",
    "notifications",
    "evidence",
    "disk",
    "server",
    "clock",
    "token",
    "subscription",
    "opening-hours",
];

/// What `doctor` says: exit code, and each check's state and words.
fn examined(project: &Project) -> (i32, Vec<(String, String, String)>) {
    told(project.call(&["doctor", "--offline", "--format", "json"]))
}

/// The same of a call.
fn told(outcome: Outcome) -> (i32, Vec<(String, String, String)>) {
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
    let project = rehearsing();
    let before = tree(project.path());
    let (code, checks) = examined(&project);
    assert_eq!(code, 0);
    let states: Vec<&str> = checks.iter().map(|(_, state, _)| state.as_str()).collect();
    let wanted = "ok ok ok ok not-checked ok ok ok ok \
                  not-checked not-checked not-checked not-checked ok";
    assert_eq!(states.join(" "), wanted);
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
    let project = at("http://127.0.0.1:9");
    assert_found(&project, "notifications", "ok", "off");
    project.write_settings(&set(&project.settings(), "pull", "true"));
    assert_found(&project, "notifications", "error", "`[notifications] client-id` is missing");
    project.write_settings(&set(&project.settings(), "client-id", "\"our-client\""));
    assert_found(&project, "notifications", "error", "CTC_READY_CLIENT_SECRET is not set");
    let mut command = project.command(&["doctor", "--offline"]);
    let told = outcome(command.env("CTC_READY_CLIENT_SECRET", "s3cr3t")).code(0).stdout;
    assert!(told.contains("pulled by `our-client`") && !told.contains("s3cr3t"), "{told}");
}

/// A project that keeps no hours: its environment is the built-in simulator.
fn rehearsing() -> Project {
    let project = Project::new();
    let real = "environment = \"trader-test\"";
    let settings = project.settings();
    assert!(settings.contains(real));
    project.write_settings(&settings.replacen(real, "environment = \"simulator\"", 1));
    project
}

/// The same with the simulator at this address.
fn at(base_url: &str) -> Project {
    let project = rehearsing();
    project.write_settings(&set(&project.settings(), "base-url", &format!("\"{base_url}\"")));
    project
}

/// The checks that need the environment, asked with this token.
fn asked(project: &Project, token: &str) -> (i32, Vec<(String, String, String)>) {
    let mut command = project.command(&["doctor", "--format", "json"]);
    let (code, checks) = told(outcome(command.env("CTC_READY_TOKEN", token)));
    let online = |name: &str| ["server", "clock", "token", "subscription"].contains(&name);
    (code, checks.into_iter().filter(|(name, ..)| online(name)).collect())
}

#[track_caller]
fn assert_states(
    found: &(i32, Vec<(String, String, String)>),
    code: i32,
    states: &str,
    part: &str,
) {
    let (got, checks) = found;
    let all: Vec<&str> = checks.iter().map(|(_, state, _)| state.as_str()).collect();
    assert_eq!((all.join(" ").as_str(), *got), (states, code), "{checks:#?}");
    assert!(checks.iter().any(|(.., message)| message.contains(part)), "`{part}`: {checks:#?}");
}

#[test]
fn server_clock_token_and_subscription_are_asked_of_the_environment() {
    let simulator = Simulate::start("1");
    let project = at(&simulator.base_url);
    let before = tree(project.path());
    let token = simulator.sign_in();
    assert_states(&asked(&project, &token), 0, "ok ok ok ok", "CTC Traders API 2.1, 3.0");
    for (token, states, part) in [
        ("invalid-token", "ok ok error not-checked", "it is not taken: HTTP 401"),
        ("not-subscribed", "ok ok not-checked error", "version 2.1 is not to be had: HTTP 403"),
    ] {
        assert_states(&asked(&project, token), 1, states, part);
    }
    for (token, part) in [
        (simulator.own_token("read:pull-notifications"), "HTTP 401: INCORRECT_ACCESS_TOKEN_TYPE"),
        (
            simulator.sign_in_for("common-transit-convention-guarantee-balance"),
            "HTTP 403: INVALID_SCOPE",
        ),
    ] {
        assert_states(&asked(&project, &token), 1, "ok ok error not-checked", part);
    }
    assert_eq!(simulator.submissions(), 0);
    assert!(tree(project.path()) == before, "what is asked is no evidence");
    let told = asked(&project, &token);
    assert!(!format!("{told:?}").contains(&token));

    drop(simulator);
    let found = asked(&project, &token);
    assert_states(&found, 1, "error not-checked not-checked not-checked", "cannot be reached");
}

#[test]
fn a_clock_that_is_off_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let faults = folder.path().join("faults.toml");
    fs::write(&faults, "[[fault]]\ndo = \"clock-skew\"\nseconds = 3600\n").unwrap();
    let simulator = Simulate::with("1", &["--faults", faults.to_str().unwrap()]);
    let found = asked(&at(&simulator.base_url), "rehearsal");
    assert_states(&found, 1, "ok error ok ok", "s behind the server's; 60 s are allowed");

    fs::write(&faults, "[[fault]]\ndo = \"status\"\nstatus = 503\n").unwrap();
    let simulator = Simulate::with("1", &["--faults", faults.to_str().unwrap()]);
    let found = asked(&at(&simulator.base_url), "rehearsal");
    assert_states(&found, 1, "error ok not-checked not-checked", "is in trouble: HTTP 503");
}

#[test]
fn the_applications_own_token_is_tried() {
    let simulator = Simulate::start("1");
    let project = at(&simulator.base_url);
    let text = set(&project.settings(), "pull", "true");
    project.write_settings(&set(&text, "client-id", &format!("\"{CLIENT}\"")));
    for (secret, state, part) in [
        (CLIENT_SECRET, "ok", "which has a token of its own"),
        ("wr0ng-secret", "error", "got no token of its own: HTTP 401"),
    ] {
        let mut command = project.command(&["doctor", "--format", "json"]);
        let (_, checks) = told(outcome(command.env("CTC_READY_CLIENT_SECRET", secret)));
        let (_, found, message) = checks.iter().find(|(name, ..)| name == "notifications").unwrap();
        assert_eq!(found, state, "{message}");
        assert!(message.contains(part) && !message.contains(secret), "{message}");
    }
}

#[test]
fn what_each_scenario_lacks_stands_in_one_table() {
    let project = rehearsing();
    let json = project.json(&["doctor", "--offline"], 0);
    let scenarios = json["scenarios"].as_array().unwrap();
    let mandatory: Vec<&str> = scenarios
        .iter()
        .filter(|one| one["mandatory"] == true)
        .map(|one| one["scenario"].as_str().unwrap())
        .collect();
    assert_eq!(mandatory, REQUIRED);
    assert!(scenarios.len() > mandatory.len(), "recommended ones are told too");
    assert!(scenarios.iter().all(|one| one["missing"].as_array().unwrap().is_empty()));

    // A message of its own that cannot be sent blocks that scenario alone; a
    // server that is away blocks all.
    fs::create_dir_all(project.file("own/DNGB1")).unwrap();
    fs::write(project.file("own/DNGB1/1-IE015.xml"), "<a>").unwrap();
    let good = set(&project.settings(), "folder", "\"own\"");
    project.write_settings(&good);
    let blocked = |args: &[&str]| -> Vec<String> {
        let json = project.json(&[&["doctor"], args].concat(), 1);
        let all = json["scenarios"].as_array().unwrap().iter();
        let all = all.filter(|one| one["state"] == "error");
        all.map(|one| format!("{}: {}", one["scenario"], one["missing"])).collect()
    };
    assert_eq!(blocked(&["--offline"]), [r#""DNGB1": ["the message of step 1"]"#]);
    project.write_settings(&set(&good, "base-url", &format!("\"{}\"", nobody_listens())));
    let all = blocked(&[]);
    assert_eq!(all.len(), REQUIRED.len(), "{all:?}");
    assert!(all.iter().all(|one| one.contains("the server")), "{all:?}");
    let told = project.call(&["doctor"]).code(1).stdout;
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    let (_, table) = told.split_once("SCENARIOS").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    snapshot("doctor_scenarios", table);
}

#[test]
fn a_test_environment_with_hours_says_when_it_opens() {
    let (_, checks) = examined(&Project::new());
    let (_, state, message) = checks.last().unwrap();
    let hours = ["open", "opens Mon", "opens Tue", "opens Wed", "opens Thu", "opens Fri"];
    for (line, programme) in message.lines().zip(["ncts5-final: ", "ncts6: "]) {
        let told = line.strip_prefix(programme).unwrap_or_else(|| panic!("{message}"));
        assert!(hours.iter().any(|hour| told.starts_with(hour)), "{message}");
    }
    let open = message.lines().all(|line| line.ends_with("open"));
    assert_eq!(state, if open { "ok" } else { "warning" }, "{message}");
}
