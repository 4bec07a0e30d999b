//! Production credentials held, dates given, and the programme that a command
//! takes by the day: what people read.

use std::fs;

use crate::support::{INIT, Project, call, command, outcome, set};

const HELD: &str = r#"
[[credentials]]
granted = 2025-03-01
api = "2.1"
flows = ["standard-departure", "arrival"]
version = "4.1.0"
"#;

/// A project under NCTS5, alone, with `more` in its settings.
fn project(more: &str) -> Project {
    let project = Project::new();
    let text = project.settings().replace(r#"["ncts5-final", "ncts6"]"#, r#"["ncts5-final"]"#);
    project.write_settings(&(text + more));
    project
}

/// Without pre-lodged departures.
fn without_pre_lodged(project: &Project) {
    let text = project.settings().replacen(r#""pre-lodged-departure", "#, "", 1);
    project.write_settings(&set(&text, "pre-lodged-departure", "\"Not offered\""));
}

/// What is said, in one line.
fn said(project: &Project, args: &[&str], code: i32) -> String {
    let outcome = project.call(args).code(code);
    outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not said:\n{text}");
    }
}

const AT: [&str; 2] = ["--at", "2026-11-20T12:00:00Z"];

#[test]
fn a_flow_added_is_all_that_is_asked() {
    let project = project(HELD);
    let plan = said(&project, &["plan", AT[0], AT[1]], 0);
    has(
        &plan,
        &[
            "standard-departure not needed production credentials granted on 2025-03-01 for API 2.1 cover it",
            "a new application is needed for `pre-lodged-departure`",
            "HMRC's guide speaks of inbound and outbound flows alone",
            "what credentials cover holds for `4.1.0` and `4.2.0` alike",
        ],
    );
    let status = project.json(&["status", AT[0], AT[1]], 0);
    let states: Vec<&str> =
        (0..3).map(|n| status["requirements"][n]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["not-applicable", "missing", "not-applicable"]);
    let gate = project.json(&["gate", AT[0], AT[1]], 1);
    let errors: Vec<&str> = gate["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["severity"] == "error" && !it["requirement"].is_null())
        .map(|it| it["requirement"].as_str().unwrap())
        .collect();
    assert_eq!(errors, ["pre-lodged-departure"]);
    // `run` goes by the same.
    let run = project.json(&["run", "--environment", "simulator", "--time-scale", "3000"], 0);
    let runs = run["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["scenario"], "PSGB1");
}

#[test]
fn where_all_is_covered_there_is_nothing_to_submit() {
    let project = project(HELD);
    without_pre_lodged(&project);
    let gate = said(&project, &["gate", AT[0], AT[1]], 0);
    has(
        &gate,
        &[
            "ncts5-final NOTHING TO SUBMIT: credentials held cover everything",
            "no new application is needed: production credentials granted on 2025-03-01",
        ],
    );
    assert!(!gate.contains("the form asks"), "{gate}");
    assert!(said(&project, &["run"], 0).contains("nothing to run"));
    assert_eq!(project.json(&["run"], 0)["runs"].as_array().unwrap().len(), 0);
    assert_eq!(project.runs(), 0);
    // The form, should anybody want it all the same, says why.
    let document = project.json(&["checklist", AT[0], AT[1]], 0);
    let filled = document["filled"].as_array().unwrap();
    let why = filled
        .iter()
        .filter(|it| it.to_string().contains("production credentials granted on 2025-03-01"));
    assert_eq!(why.count(), 2, "{document:#}");
}

#[test]
fn the_programme_is_the_first_that_is_open_on_the_day() {
    let project = Project::new();
    let all = r#"["ncts5-transition", "ncts6", "ncts5-final"]"#;
    let text = project.settings().replace(r#"["ncts5-final", "ncts6"]"#, all);
    project.write_settings(&text);
    for (on, programme) in [
        ("2023-01-01", "ncts5-transition"),
        ("2024-06-03", "ncts5-transition"),
        ("2024-06-04", "ncts5-final"),
        ("2026-04-13", "ncts5-final"),
        ("2026-04-14", "ncts6"),
    ] {
        for args in [&["plan", "--at", on][..], &["status", "--at", on]] {
            assert_eq!(project.json(args, 0)["programme"], programme, "{args:?}");
        }
        assert_eq!(project.json(&["gate", "--at", on], 1)["programme"], programme, "{on}");
        // The day of submission goes before that of `--at`.
        let submit = ["gate", "--at", "2024-01-01", "--submit-on", on];
        assert_eq!(project.json(&submit, 1)["programme"], programme, "{on}");
    }
}

#[test]
fn init_begins_with_the_programme_of_the_day() {
    for (on, programme) in [
        ("2024-01-15", "ncts5-transition"),
        ("2024-06-04", "ncts5-final"),
        ("2026-05-01", "ncts5-final"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let rest = &INIT[3..];
        let args = [&["init", "--at", on][..], rest].concat();
        outcome(command(&args).current_dir(dir.path())).code(0);
        let text = fs::read_to_string(dir.path().join("ctc-ready.toml")).unwrap();
        assert!(text.contains(&format!("programmes = [\"{programme}\"]")), "{on}: {text}");
    }
    assert_eq!(INIT[1], "--programme");
    call(&["init", "--at", "someday"]).code(2).says(&["someday"]);
}

#[test]
fn dates_and_versions_nobody_knows_are_refused() {
    let date = "[programme.dates]";
    let text = |more: &str| {
        let project = project("");
        let text = project.settings().replace(date, &format!("{date}\n{more}"));
        project.write_settings(&text);
        project
    };
    text("ncts6-golive = 2027-01-31")
        .call(&["plan"])
        .code(3)
        .says(&["`programme.dates.ncts6-golive`", "`ncts6-go-live`"]);
    text("ncts6-go-live = 2027-01-31").call(&["plan"]).code(0);
    let held = project(&HELD.replace("\"2.1\"", "\"2.7\""));
    held.call(&["gate"]).code(3).says(&["`2.7`", "`2.0`, `2.1`, `3.0`"]);
    // One that cannot be right shuts the gate.
    let project = text("ncts5-final-testing-closes = 2024-01-01");
    let gate = said(&project, &["gate", AT[0], AT[1]], 1);
    has(
        &gate,
        &["`ncts5-final-testing-closes = 2024-01-01` under `[programme.dates]` cannot be right"],
    );
}
