//! `collect`.

use chrono::{DateTime, Utc};
use ctc_ready::catalogue::{Catalogue, Scenario};
use serde_json::Value;

use crate::software::{Trader, call, has_python, house, lay_out, mandatory};
use crate::support::{Outcome, Project, SCALE, Simulate};

fn collect(project: &Project, simulator: &Simulate, scenario: &str, more: &[&str]) -> Outcome {
    call(project, simulator, &[&["collect", "--scenario", scenario], more].concat())
}

fn text<'a>(json: &'a Value, field: &str) -> &'a str {
    json[field].as_str().unwrap_or_else(|| panic!("{json}"))
}

#[test]
fn every_mandatory_scenario_that_the_software_worked_through_satisfies_the_gate() {
    if !has_python() {
        return;
    }
    let catalogue = Catalogue::built_in().unwrap();
    let (project, simulator) = (house("collect"), Simulate::start(SCALE));
    let folder = tempfile::tempdir().unwrap();
    let all = mandatory(&catalogue);
    let mut traders: Vec<Trader> = all
        .iter()
        .map(|one| {
            lay_out(folder.path(), &catalogue, *one);
            Trader::play(folder.path(), &one.1.id, &simulator)
        })
        .collect();
    for ((_, scenario), trader) in all.iter().zip(&mut traders) {
        let known = trader.says();
        let lrn = text(&known, "lrn");
        let report = collect(&project, &simulator, &scenario.id, &["--lrn", lrn, "--wait"]);
        let report = report.code(0).json();
        let run = &report["runs"][0];
        assert_eq!((text(run, "driver"), text(run, "state")), ("collect", "passed"));
        assert_eq!(text(run, "lrn"), lrn);
        let shown = project.json(&["evidence", "show", text(run, "run")], 0);
        for message in shown["run"]["messages"].as_array().unwrap() {
            assert_eq!(message["at"], message["received"], "{message}");
        }
        let instant = |field: &str| text(&shown["run"], field).parse::<DateTime<Utc>>().unwrap();
        assert!(instant("first_submission") <= instant("started"));
    }
    traders.into_iter().for_each(Trader::end);
    for programme in ["ncts5-final", "ncts6"] {
        project.call(&["gate", "--rehearsal", "--programme", programme]).code(0);
    }
    assert!(project.call(&["verify"]).code(0).stdout.starts_with("INTACT"));
}

#[test]
fn a_movement_is_collected_once_and_as_what_it_is() {
    if !has_python() {
        return;
    }
    let catalogue = Catalogue::built_in().unwrap();
    let (project, simulator) = (house("collect"), Simulate::start(SCALE));
    let folder = tempfile::tempdir().unwrap();
    let programme = catalogue.programme("ncts5-final").unwrap();
    let scenario = catalogue.scenario("ncts5-final", "ASGB1").unwrap();
    lay_out(folder.path(), &catalogue, (programme, scenario));
    let mut trader = Trader::play(folder.path(), "ASGB1", &simulator);
    let departure = text(&trader.says(), "departureId").to_owned();
    // Another movement, with which the software goes no further for now.
    let begun = Scenario { step: scenario.step[..1].to_vec(), ..scenario.clone() };
    let elsewhere = tempfile::tempdir().unwrap();
    lay_out(elsewhere.path(), &catalogue, (programme, &begun));
    let mut slow = Trader::play(elsewhere.path(), "ASGB1", &simulator);
    let slow_lrn = text(&slow.says(), "lrn").to_owned();

    // Not there, not this trader's, not to be told: no run is begun.
    let unknown = collect(&project, &simulator, "ASGB1", &["--departure", "0123456789abcdef"]);
    unknown.code(4).says(&["no departure `0123456789abcdef`", "60 days", "No run was begun"]);
    collect(&project, &simulator, "ASGB1", &["--lrn", "NOBODYS"]).code(4).says(&["LRN `NOBODYS`"]);
    collect(&project, &simulator, "ASGB1", &[]).code(2);
    collect(&project, &simulator, "DNGB1", &["--arrival", "0123456789abcdef"]).code(2);
    collect(&project, &simulator, "Scenario 1 GB", &["--lrn", "A"]).code(2);
    let gone = ["collect", "--scenario", "ASGB1", "--lrn", "A", "--environment", "simulator"];
    project.call(&gone).code(2).says(&["`--base-url`"]);
    assert_eq!(project.runs(), 0);

    // To its end, as fast as the software goes.
    let given = ["--departure", departure.as_str()];
    let first = collect(&project, &simulator, "ASGB1", &[&given[..], &["--wait"]].concat());
    let first = first.code(0).json();
    let run = text(&first["runs"][0], "run").to_owned();
    trader.says();
    let arrival = text(&trader.says(), "arrivalId").to_owned();
    let mrn = text(&trader.says(), "mrn").to_owned();
    trader.end();
    assert_eq!(text(&first["runs"][0], "mrn"), mrn);

    // Over: by whatever name, it is the same movement.
    for given in [["--arrival", &arrival], ["--mrn", &mrn], ["--departure", &departure]] {
        let told = collect(&project, &simulator, "ASGB1", &given).code(0);
        let told = told.says(&["was collected to its end before"]).json();
        assert_eq!(text(&told["runs"][0], "run"), run);
    }
    assert_eq!(project.runs(), 1);
    let given = ["--mrn", &mrn, "--again"];
    let again = collect(&project, &simulator, "ASGB1", &given).code(0).json();
    assert_eq!(again["runs"][0]["attempt"], 2);

    // Under way: the same command goes on, until it is given up.
    slow.end();
    let given = ["--lrn", slow_lrn.as_str()];
    let waits = collect(&project, &simulator, "ASGB1", &given).code(5).json();
    let waits = &waits["runs"][0];
    assert_eq!((&waits["attempt"], &waits["waiting_for"]["actor"]), (&3.into(), &"you".into()));
    assert!(text(&waits["waiting_for"], "what").contains("IE007 of step 2"));
    let still = collect(&project, &simulator, "ASGB1", &given).code(5).json();
    assert_eq!(still["runs"][0]["run"], waits["run"]);
    let anew = [&given[..], &["--abandon"]].concat();
    let anew = collect(&project, &simulator, "ASGB1", &anew).code(5).json();
    assert_eq!(anew["runs"][0]["attempt"], 4);
    let status = project.call(&["status", "--rehearsal"]).code(0).stdout;
    assert!(status.contains("ASGB1 (collect)"), "{status}");
    let other = collect(&project, &simulator, "ASGB2", &["--mrn", &mrn]).code(3);
    other.says(&["is evidence of `ASGB1` already"]);

    // What ctc-ready sent itself does not become the software's.
    let direct = call(&project, &simulator, &["run", "DSGB1", "--wait"]).code(0).json();
    let lrn = text(&direct["runs"][0], "lrn");
    let laundered = collect(&project, &simulator, "DSGB1", &["--lrn", lrn]).code(3);
    laundered.says(&["was made by ctc-ready itself"]);
    assert_eq!(project.runs(), 5);
    assert!(project.call(&["verify"]).code(0).stdout.starts_with("INTACT"));
}
