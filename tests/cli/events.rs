//! `run --events FILE`: for programs, complete and in order.

use std::fs;

use serde_json::Value;

use crate::contract::{assert_valid, instant};
use crate::support::{Project, REQUIRED, SCALE, outcome};

const TOKEN: &str = "canary-7f3a9c51e2";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a run's journal says was sent, received and asked.
fn journal(project: &Project, run: &Value) -> Vec<(String, Value)> {
    let text = fs::read_to_string(project.journal(run)).unwrap();
    let of = |line: Value| match line["kind"].as_str().unwrap() {
        "submitted" => Some(("sent".to_owned(), line["message"].clone())),
        "received" => Some(("received".to_owned(), line["message"].clone())),
        "officer-asked" => Some(("asked".to_owned(), Value::Null)),
        "run-closed" => Some((line["state"].as_str().unwrap().to_owned(), Value::Null)),
        _ => None,
    };
    lines(&text).into_iter().filter_map(of).collect()
}

#[test]
fn events_are_complete_in_order_and_without_secrets() {
    let project = Project::new();
    // What stands there stays, even half a line.
    fs::write(project.file("events.jsonl"), "{\"cut\":").unwrap();
    let args = [
        "run",
        "--environment",
        "simulator",
        "--time-scale",
        SCALE,
        "--events",
        "events.jsonl",
        "--format",
        "json",
    ];
    let report = outcome(project.command(&args).env("CTC_READY_TOKEN", TOKEN)).code(0).json();
    let text = fs::read_to_string(project.file("events.jsonl")).unwrap();
    assert!(!text.contains(TOKEN));
    let (before, text) = text.split_once('\n').unwrap();
    assert_eq!(before, "{\"cut\":");
    let events = lines(text);
    events.iter().for_each(|event| assert_valid("run-events", event));

    let mut requests = 0;
    let mut at = chrono::DateTime::UNIX_EPOCH;
    for event in &events {
        assert_eq!(event["schema_version"], 1);
        assert!(event["requests"].as_u64().unwrap() >= requests, "{event}");
        requests = event["requests"].as_u64().unwrap();
        let next = instant(&event["at"]);
        assert!(next >= at, "{at} {next}");
        at = next;
    }
    let end = events.last().unwrap();
    assert_eq!((&end["event"], &end["passed"]), (&"ended".into(), &REQUIRED.len().into()));

    for run in report["runs"].as_array().unwrap() {
        let own: Vec<&Value> = events.iter().filter(|event| event["run"] == run["run"]).collect();
        assert_eq!((&own[0]["event"], &own[0]["resumed"]), (&"opened".into(), &false.into()));
        for event in &own {
            assert_eq!(event["scenario"], run["scenario"]);
            assert_eq!(event["programme"], run["programme"]);
            assert_eq!(event["attempt"], 1);
            assert!(event["step"].as_u64().unwrap() >= 1);
        }
        let told: Vec<(String, Value)> = own
            .iter()
            .map(|event| (event["event"].as_str().unwrap().to_owned(), event["message"].clone()))
            .filter(|(event, _)| event != "opened" && event != "waiting")
            .collect();
        assert_eq!(told, journal(&project, &run["run"]), "{}", run["scenario"]);
        for event in own.iter().filter(|event| event["event"] == "waiting") {
            assert!(event["what"].is_string() && event["actor"].is_string(), "{event}");
        }
    }

    // A second call adds its lines; there is nothing to do but to say so.
    project.call(&args).code(0);
    let again = fs::read_to_string(project.file("events.jsonl")).unwrap();
    let more = again.strip_prefix(&format!("{before}\n{text}")).unwrap();
    let more: Vec<Value> = lines(more).into_iter().map(|line| line["event"].clone()).collect();
    assert_eq!(more, ["ended"]);
}

#[test]
fn standard_output_can_carry_them_alone() {
    let project = Project::new();
    let args =
        ["run", "DSGB1", "--environment", "simulator", "--time-scale", SCALE, "--events", "-"];
    let told = project.call(&args).code(0);
    let events = lines(&told.stdout);
    assert_eq!(events.last().unwrap()["event"], "ended");
    assert!(told.stderr.contains("SCENARIO"), "{}", told.stderr);
    project.call(&[&args[..], &["--format", "json"]].concat()).code(2).says(&[
        "--events -",
        "--format json",
        "--events FILE",
    ]);
}

#[test]
fn a_file_that_cannot_be_written_stops_before_anything_is_sent() {
    let project = Project::new();
    fs::create_dir(project.file("folder")).unwrap();
    for file in ["folder", "missing/events.jsonl"] {
        let run = ["run", "DSGB1", "--environment", "simulator", "--events", file];
        project.call(&run).code(3).says(&[file, "--events FILE"]);
    }
    #[cfg(unix)]
    project
        .call(&["run", "DSGB1", "--environment", "simulator", "--events", "/dev/full"])
        .code(3)
        .says(&["not a regular file"]);
    assert!(!project.evidence().exists());
}
