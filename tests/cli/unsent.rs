//! What `run` does with messages that are not valid, or not those of their
//! scenario: held back before anything is sent, unless a scenario means them to
//! be so.

use std::fs;

use serde_json::Value;

use crate::contract::assert_valid;
use crate::schema_of::schema_of;
use crate::support::{Project, SCALE, Simulate, nobody_listens, set};

/// A scenario whose message leaves an element out on purpose; the simulator
/// does not mind.
const ON_PURPOSE: &str = r#"
programmes = ["ncts5-final"]

[[scenario]]
id = "OWNGB1"
title = "A departure without a reference of the consignment"
flow = "standard-departure"
side = "GB"
procedure = "simplified"
source = "made up for a test"

[[scenario.step]]
send = "IE015"
data = ["Simplified GB-XI"]
mutation = { what = "reference number left out", remove = ["Consignment/referenceNumberUCR"] }
expect = [{ message = "IE928" }, { message = "IE028" }, { message = "IE029", after_minutes = 45 }]
"#;

/// A project with a schema that DSGB1 and its like satisfy.
fn project() -> Project {
    let project = Project::new();
    let xml = project.call(&["message", "build", "DSGB1"]).code(0).stdout;
    fs::create_dir_all(project.file("xsd/2.1")).unwrap();
    fs::write(project.file("xsd/2.1/cc015c.xsd"), schema_of(&xml)).unwrap();
    fs::create_dir_all(project.file("own/DSGB1")).unwrap();
    fs::create_dir_all(project.file("more/ncts5")).unwrap();
    fs::write(project.file("more/ncts5/own.toml"), ON_PURPOSE).unwrap();
    let settings = set(&project.settings(), "xsd", "\"xsd\"");
    let settings = set(&settings, "folder", "\"own\"");
    project.write_settings(&set(&settings, "path", "\"more\""));
    project
}

/// The submission in a run's journal.
fn request(project: &Project, run: &Value) -> Value {
    let journal = fs::read_to_string(project.journal(run)).unwrap();
    journal
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["kind"] == "request" && line["purpose"] == "submit")
        .unwrap()
}

#[test]
fn an_invalid_file_holds_its_run_back_and_no_other() {
    let project = project();
    let simulator = Simulate::start(SCALE);
    let own = project.file("own/DSGB1/1-IE015.xml");
    let good = project.call(&["message", "build", "DSGB1"]).code(0).stdout;
    fs::write(&own, good.replace("<security>0</security>", "<safety>0</safety>")).unwrap();
    let run = |ids: &[&'static str]| {
        let args = ["run", "--environment", "simulator", "--time-scale", SCALE, "--wait"];
        [&args[..], &["--base-url", &simulator.base_url], ids].concat()
    };

    let alone = project.call(&run(&["DSGB1"])).code(3);
    let alone = alone.says(&["DSGB1 was held back", "1-IE015.xml", "safety", "TransitOperation"]);
    assert!(alone.stderr.contains("version 2.1"), "{alone:?}");
    assert_eq!(simulator.submissions(), 0, "something was sent");
    assert_eq!(project.runs(), 0, "a run was opened");

    let both = project.json(&run(&["DSGB1", "DSXI1"]), 3);
    assert_valid("run", &both);
    assert_eq!(simulator.submissions(), 1);
    let runs = both["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((&runs[0]["scenario"], &runs[0]["state"]), (&"DSXI1".into(), &"passed".into()));
    let held = &both["held_back"][0];
    assert_eq!((&held["scenario"], &held["run"]), (&"DSGB1".into(), &Value::Null));
    assert!(held["reason"].as_str().unwrap().contains("safety"), "{held:#}");

    // What was sent says by which schemas it was judged.
    let sent = request(&project, &runs[0]["run"]);
    assert_eq!(sent["payload_check"]["version"], "2.1");
    assert_eq!(sent["payload_check"]["violations"], 0);
    assert_eq!(sent["payload_check"]["schemas"].as_str().unwrap().len(), 64);
    assert_eq!(sent["payload_mutation"], Value::Null);

    // Mended, it starts as if nothing had been.
    fs::write(&own, good).unwrap();
    let mended = project.json(&run(&["DSGB1", "DSXI1"]), 0);
    assert_eq!(mended["held_back"], serde_json::json!([]));
    assert_eq!(
        (&mended["runs"][0]["attempt"], &mended["runs"][0]["state"]),
        (&1.into(), &"passed".into())
    );
    project.call(&["verify"]).code(0);
}

#[test]
fn a_message_that_is_invalid_on_purpose_is_sent_and_the_evidence_says_so() {
    let project = project();
    let simulator = Simulate::start(SCALE);
    let args = ["run", "OWNGB1", "--environment", "simulator", "--time-scale", SCALE, "--wait"];
    let args = [&args[..], &["--base-url", &simulator.base_url]].concat();
    let said = project.call(&args).code(0);
    let said = said.says(&["OWNGB1 step 1 sends an IE015 that is not valid, on purpose"]);
    assert!(said.stdout.contains("passed"), "{said:?}");
    let run = project.json(&args, 0)["runs"][0]["run"].clone();
    let sent = request(&project, &run);
    assert_eq!(sent["payload_mutation"], "reference number left out");
    assert_eq!(sent["payload_check"]["violations"], 1);
    let first = sent["payload_check"]["first"][0].as_str().unwrap();
    assert!(first.contains("/CC015C/Consignment/referenceNumberUCR"), "{first}");
    project.call(&["verify"]).code(0);

    let built = project.call(&["message", "build", "OWNGB1"]).code(0);
    let built = built.says(&["reference number left out", "on purpose"]);
    assert!(!built.stdout.contains("referenceNumberUCR"), "{built:?}");
}

/// The simulator inside `run` has the house's schemas: what HMRC's API would
/// refuse, the rehearsal refuses.
#[test]
fn a_rehearsal_refuses_what_the_schemas_refuse() {
    let project = project();
    let args = ["run", "--environment", "simulator", "--time-scale", SCALE];
    let both = [&args[..], &["OWNGB1", "DSGB1"]].concat();
    let report = project.json(&both, 1);
    let states: Vec<_> =
        report["runs"].as_array().unwrap().iter().map(|run| &run["state"]).collect();
    assert_eq!(states, ["failed", "passed"]);
    let failure = &report["runs"][0]["failure"];
    assert_eq!(failure["reason"], "refused-by-api");
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("SCHEMA_VALIDATION") && message.contains("line"), "{message}");
}

/// A declaration for the normal procedure, in a scenario without officers.
#[test]
fn a_file_that_leads_elsewhere_holds_its_run_back() {
    let project = project();
    let settings = project.settings().replace("xsd = \"xsd\"", "");
    project.write_settings(&settings);
    let normal = project.call(&["message", "build", "DNGB1"]).code(0).stdout;
    fs::write(project.file("own/DSGB1/1-IE015.xml"), normal).unwrap();
    let built = project.call(&["message", "build", "DSGB1"]).code(0);
    built.says(&["is for the normal procedure", "is for the simplified"]);
    let args = ["run", "DSGB1", "DSXI1", "--environment", "simulator", "--time-scale", SCALE];
    let held = project.json(&args, 3);
    assert_eq!(held["held_back"][0]["scenario"], "DSGB1");
    let reason = held["held_back"][0]["reason"].as_str().unwrap();
    for part in ["1-IE015.xml", "step 1 of `DSGB1`", "normal procedure", "`Simplified GB-XI`"] {
        assert!(reason.contains(part), "`{part}`: {reason}");
    }
    assert_eq!((&held["runs"][0]["scenario"], project.runs()), (&"DSXI1".into(), 1));
}

#[test]
fn messages_of_later_steps_are_judged_before_the_first_is_sent() {
    let project = project();
    let simulator = Simulate::start(SCALE);
    // The goods of a pre-lodged departure are presented in a second message.
    let built = |step| project.call(&["message", "build", "PSGB1", "--step", step]).stdout;
    let (declaration, presentation) = (built("1"), built("2"));
    fs::write(project.file("xsd/2.1/cc015c.xsd"), schema_of(&declaration)).unwrap();
    fs::write(project.file("xsd/2.1/cc170c.xsd"), schema_of(&presentation)).unwrap();
    let own = project.file("own/PSGB1_IE170.xml");
    let args = ["run", "PSGB1", "--environment", "simulator", "--time-scale", SCALE, "--base-url"];
    let args = [&args[..], &[&simulator.base_url]].concat();
    fs::write(&own, presentation.replace("limitDate", "limitDay")).unwrap();
    project.call(&args).code(3).says(&["PSGB1 was held back", "limitDay"]);
    assert_eq!((simulator.submissions(), project.runs()), (0, 0));
    fs::write(&own, presentation).unwrap();
    let wait = [&args[..], &["--wait"]].concat();
    assert_eq!(project.json(&wait, 0)["runs"][0]["state"], "passed");
    assert_eq!(simulator.submissions(), 2);
}

#[test]
fn a_run_under_way_stays_as_it_is_until_its_message_is_mended() {
    let project = project();
    let nobody = nobody_listens();
    let args = ["run", "DSGB1", "--environment", "simulator", "--time-scale", SCALE];
    let args = [&args[..], &["--base-url", &nobody]].concat();
    let opened = project.json(&args, 4)["runs"][0]["run"].clone();
    let own = project.file("own/DSGB1_IE015.xml");
    let good = project.call(&["message", "build", "DSGB1"]).code(0).stdout;
    fs::write(&own, good.replace("<security>0</security>", "")).unwrap();
    let before = fs::read(project.journal(&opened)).unwrap();
    let held = project.json(&args, 3);
    assert_valid("run", &held);
    assert_eq!((&held["held_back"][0]["run"], &held["runs"][0]["run"]), (&opened, &opened));
    assert_eq!(held["runs"][0]["state"], "waiting");
    assert_eq!(held["runs"][0]["waiting_for"]["actor"], "you");
    assert!(fs::read(project.journal(&opened)).unwrap() == before);
    fs::write(&own, good).unwrap();
    assert_eq!(project.json(&args, 4)["runs"][0]["run"], opened, "it goes on");
}
