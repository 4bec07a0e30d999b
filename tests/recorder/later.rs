//! The scenario of a run, said after it was recorded.

use crate::between::{Recording, events, play, played};
use crate::support::{Project, SCALE, Simulate, flip};

#[test]
fn a_run_gets_its_scenario_once_and_the_evidence_says_when() {
    let project = Project::answered();
    let simulator = Simulate::start(SCALE);
    let recording = Recording::start(&project, &simulator.base_url, &["--time-scale", SCALE]);
    played(play(&project, "DSGB1", &recording.url(), "QQ"), "DSGB1");
    let (code, report) = recording.stop();
    let run = report["runs"][0]["run"].as_str().unwrap().to_owned();
    assert_eq!((code, &report["runs"][0]["scenario"]), (5, &"unassigned".into()));
    assert_eq!(
        (&report["runs"][0]["attempt"], &report["runs"][0]["state"]),
        (&0.into(), &"waiting".into())
    );
    let what = report["runs"][0]["waiting_for"]["what"].as_str().unwrap();
    assert!(what.contains("evidence assign"), "{what}");
    project.call(&["verify"]).code(0);
    let listed = project.json(&["evidence", "list"], 0);
    assert_eq!(listed["runs"][0]["scenario"], "unassigned");

    let status = project.call(&["status"]).code(0).stdout;
    assert!(status.contains("nobody has said the scenario: 1"), "{status}");

    // Another scenario's messages would be others; nothing changes then.
    let other = ["evidence", "assign", &run[..13], "--scenario"];
    project.call(&[&other[..], &["NOSUCH"]].concat()).code(2);
    let entry = project.json(&[&other[..], &["DSGB1"]].concat(), 0);
    let entry = &entry["runs"][0];
    assert_eq!((&entry["state"], &entry["attempt"]), (&"passed".into(), &1.into()));
    assert_eq!((&entry["scenario"], &entry["programme"]), (&"DSGB1".into(), &"ncts5-final".into()));
    project.call(&[&other[..], &["DSGB1"]].concat()).code(2).says(&["stays so"]);
    project.call(&["verify"]).code(0);
    let shown = project.call(&["evidence", "show", &run]).code(0).stdout;
    assert!(shown.contains("said only now: it is attempt 1 at DSGB1"), "{shown}");
    let assigned = &events(&project, &entry["run"], "assigned")[0];
    assert_eq!(assigned["steps"], serde_json::json!([1]));
    let index = std::fs::read_to_string(project.evidence().join("index.jsonl")).unwrap();
    assert!(index.contains(r#""kind":"run-assigned""#), "{index}");
    flip(&project.journal(&entry["run"]));
    project.call(&["verify"]).code(1);
}

#[test]
fn a_run_is_not_given_a_scenario_that_sends_something_else() {
    let project = Project::new();
    let simulator = Simulate::start(SCALE);
    let recording = Recording::start(&project, &simulator.base_url, &["--time-scale", SCALE]);
    // The last step waits for officers, whom nobody asks: the run stays open.
    played(play(&project, "PSGB1", &recording.url(), "QQ"), "PSGB1");
    let (_, report) = recording.stop();
    let run = report["runs"][0]["run"].as_str().unwrap();
    let assign = |scenario| project.call(&["evidence", "assign", run, "--scenario", scenario]);
    assign("DSGB1").code(2).says(&["IE015, IE170", "`DSGB1` sends IE015"]);
    assign("PSGB1").code(0);
}
