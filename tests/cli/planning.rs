//! `plan` with evidence there, on days that do not work, and as a calendar.

use std::fs;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ctc_ready::clock::{Clock, ManualClock};
use ctc_ready::evidence::StoreWriter;

use crate::contract::assert_valid;
use crate::pack::passed;
use crate::reading::snapshot;
use crate::support::Project;

/// A project with runs in Trader Test that passed: each at an instant.
fn with_runs(runs: &[(&str, &str)]) -> Project {
    let project = Project::new();
    for (scenario, at) in runs {
        let at: DateTime<Utc> = at.parse().unwrap();
        let clock = Arc::new(ManualClock::at(at));
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let store = StoreWriter::open(&project.evidence(), shared, "ctc-ready 0.1.0").unwrap();
        passed(&store, &clock, scenario);
    }
    project
}

const FINAL: [&str; 2] = ["--programme", "ncts5-final"];

#[test]
fn what_is_proven_is_told_and_not_scheduled_again() {
    // The departure lapses on 3 December, the arrival holds on the 4th, and
    // the pre-lodged departure is still to be run.
    let project =
        with_runs(&[("DNGB1", "2026-11-20T10:00:00Z"), ("ASGB1", "2026-11-24T10:00:00Z")]);
    let args = ["plan", "--submit-on", "2026-12-04", "--at", "2026-11-30T12:00:00Z"];
    let args = [&args[..], &FINAL].concat();
    snapshot("plan-with-evidence", &project.call(&args).code(0).stdout);
    let plan = project.json(&args, 0);
    assert_valid("plan", &plan);
    let item = |n: usize| &plan["requirements"][n];
    assert_eq!(item(0)["requirement"], "standard-departure");
    assert_eq!(item(0)["state"], "fresh");
    assert_eq!(item(0)["fresh_until"], "2026-12-03T23:59:59.999Z");
    assert_eq!(item(0)["good_on_submission"], false);
    assert_eq!(item(0)["findings"], serde_json::json!(["evidence-stale"]));
    assert_eq!(item(2)["requirement"], "arrival");
    assert_eq!(item(2)["good_on_submission"], true);
    assert!(item(2)["run"].is_string());
    let scheduled: Vec<_> =
        plan["schedule"].as_array().unwrap().iter().map(|slot| &slot["scenario"]).collect();
    assert_eq!(scheduled, ["DNGB1", "PSGB1"]);

    // A day on which all of it is good.
    let project = with_runs(&[
        ("DNGB1", "2026-11-24T10:00:00Z"),
        ("PSGB1", "2026-11-24T11:00:00Z"),
        ("ASGB1", "2026-11-24T12:00:00Z"),
    ]);
    snapshot("plan-all-proven", &project.call(&args).code(0).stdout);
}

#[test]
fn too_late_is_said_with_the_day_that_works() {
    let project = Project::new();
    let told = |at: &str, on: &str, programme: &str| {
        let args = ["plan", "--at", at, "--submit-on", on, "--programme", programme];
        project.call(&args).code(0).stdout
    };
    let all = [
        // In the evening nothing is left, in the morning only quick officers.
        told("2026-12-04T19:00:00Z", "2026-12-04", "ncts5-final"),
        told("2026-12-04T10:00:00Z", "2026-12-04", "ncts5-final"),
        // Not open yet; over.
        told("2026-04-01T10:00:00Z", "2026-04-10", "ncts6"),
        told("2026-12-04T10:00:00Z", "2026-12-04", "ncts5-transition"),
    ];
    // What the dates bring about is in other snapshots.
    let heads: Vec<&str> =
        all.iter().map(|text| text.split("\n  good to know").next().unwrap()).collect();
    snapshot("plan-too-late", &heads.join("\n---\n"));
}

#[test]
fn the_calendar_is_a_file_that_is_replaced_and_replaces_nothing_else() {
    let project = with_runs(&[("ASGB1", "2026-11-24T10:00:00Z")]);
    let at = ["--submit-on", "2026-12-04", "--at", "2026-11-30T12:00:00Z"];
    let ics = |file: &str, more: &[&str]| {
        project.call(&[&["plan", "--ics", file], &at[..], more].concat())
    };
    let told = ics("plan.ics", &[]).code(0).stdout;
    let text = fs::read_to_string(project.file("plan.ics")).unwrap();
    let events = text.matches("BEGIN:VEVENT").count();
    assert!(told.contains(&format!("\nwrote plan.ics: {events} events\n")), "{told}");
    // Both programmes, the run that lapses, and the day.
    for part in ["(ncts5-final)", "(ncts6)", "Evidence for arrival lapses", "P6-DSGB-01: latest"] {
        assert!(text.replace("\r\n ", "").contains(part), "{part}: {text}");
    }
    // The same plan, the same file; a later one takes its place.
    ics("plan.ics", &[]).code(0);
    assert_eq!(fs::read_to_string(project.file("plan.ics")).unwrap(), text);
    let json = ics("plan.ics", &["--format", "json"]).code(0).json();
    assert_eq!(json["programme"], "ncts5-final");
    let only = fs::read_to_string(project.file("plan.ics")).unwrap();
    assert!(only.len() < text.len() && !only.contains("(ncts6)"));
    // An empty file, as `mktemp` makes one, is none of anybody's.
    fs::write(project.file("empty.ics"), "").unwrap();
    ics("empty.ics", &[]).code(0);
    assert_eq!(fs::read_to_string(project.file("empty.ics")).unwrap(), text);

    let theirs = "BEGIN:VCALENDAR\r\nPRODID:-//someone//else//EN\r\nEND:VCALENDAR\r\n";
    for (name, content) in [("diary.ics", theirs), ("ctc-ready.toml", "")] {
        let before = match content.is_empty() {
            true => fs::read_to_string(project.file(name)).unwrap(),
            false => content.to_owned(),
        };
        fs::write(project.file(name), &before).unwrap();
        ics(name, &[]).code(3).says(&[name, "is no calendar of ctc-ready", "left as it is"]);
        assert_eq!(fs::read_to_string(project.file(name)).unwrap(), before);
    }
    ics("evidence/plan.ics", &[]).code(2).says(&["inside the evidence"]);
    assert!(!project.file("evidence/plan.ics").exists());
    fs::create_dir(project.file("folder.ics")).unwrap();
    ics("folder.ics", &[]).code(3).says(&["folder.ics"]);
    let gone = ics("gone/plan.ics", &[]);
    assert_ne!(gone.code, 0);
    assert!(gone.stderr.contains("gone/plan.ics"), "{gone:#?}");
    // Nothing ahead, nothing to do, no day.
    let balances = ["plan", "--ics", "none.ics", "--programme", "guarantee-balance"];
    project.call(&balances).code(2).says(&["nothing to put into a calendar", "--submit-on"]);
    assert!(!project.file("none.ics").exists());
}
