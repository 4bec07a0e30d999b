//! `run --driver command`.

use std::fs;

use ctc_ready::catalogue::Catalogue;

use crate::software::{TRADER, call, has_python, house, mandatory};
use crate::support::{SCALE, Simulate, set};

#[test]
fn every_mandatory_scenario_passes_by_the_software_and_satisfies_the_gate() {
    if !has_python() {
        return;
    }
    let catalogue = Catalogue::built_in().unwrap();
    let (project, simulator) = (house("command"), Simulate::start(SCALE));
    let all = mandatory(&catalogue);
    let ids: Vec<&str> = all.iter().map(|(_, scenario)| scenario.id.as_str()).collect();
    let report =
        call(&project, &simulator, &[&["run", "--driver", "command", "--wait"], &ids[..]].concat());
    let report = report.code(0).json();
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), ids.len());
    let sends: usize = all
        .iter()
        .map(|(_, scenario)| scenario.step.iter().filter(|step| step.send.is_some()).count())
        .sum();
    assert_eq!(simulator.submissions(), sends, "nothing was sent but by the software");
    assert!(runs.iter().all(|run| run["state"] == "passed" && run["driver"] == "command"));

    // No other driver counts here.
    for programme in ["ncts5-final", "ncts6"] {
        let verdict = project.call(&["gate", "--rehearsal", "--programme", programme]);
        verdict.code(0);
    }
    assert!(project.call(&["verify"]).code(0).stdout.starts_with("INTACT"));
    let status = project.call(&["status", "--rehearsal"]).code(0).stdout;
    assert!(status.contains("P6-DSXI-01 (command)"), "{status}");
    let list = project.call(&["evidence", "list"]).code(0).stdout;
    assert!(list.contains("simulator (command)"), "{list}");

    // Done is done; and what we send ourselves is something else.
    let again = call(&project, &simulator, &["run", "--driver", "command", "DNGB1"]);
    assert_eq!(again.code(0).json()["runs"][0]["attempt"], 1);
    let direct = call(&project, &simulator, &["run", "--wait", "DNGB1"]).code(0).json();
    assert_eq!(
        (&direct["runs"][0]["attempt"], &direct["runs"][0]["driver"]),
        (&2.into(), &"direct".into())
    );
    let gate = set(
        &project.settings().replace("drivers = [\"command\"]", "# drivers = [\"direct\"]"),
        "drivers",
        "[\"collect\"]",
    );
    project.write_settings(&gate);
    let verdict = project.json(&["gate", "--rehearsal", "--programme", "ncts6"], 1);
    let rules: Vec<_> =
        verdict["findings"].as_array().unwrap().iter().map(|it| &it["rule"]).collect();
    assert!(rules.contains(&&"driver-not-accepted".into()), "{rules:?}");
}

#[test]
fn the_command_is_told_what_to_do_and_its_failure_is_told_on() {
    if !has_python() {
        return;
    }
    let (project, simulator) = (house("command"), Simulate::start(SCALE));
    // The first time the software is not at its desk.
    let script = format!(
        "#!/bin/sh\nenv | grep CTC_READY_ | cut -d= -f1 | sort > told.txt\ncp \"$CTC_READY_DATA\" data.json\n\
         if mkdir first 2>/dev/null; then echo \"nobody at the desk, token $CTC_READY_TOKEN\" >&2; exit 7; fi\n\
         exec python3 '{TRADER}' step\n"
    );
    fs::write(project.file("send.sh"), script).unwrap();
    let text = project.settings();
    let begin = text.find("command = [\"python3\"").unwrap();
    let end = begin + text[begin..].find('\n').unwrap();
    let text = format!("{}command = [\"sh\", \"send.sh\"]{}", &text[..begin], &text[end..]);
    project.write_settings(&set(&text, "driver", "\"command\""));

    let failed = call(&project, &simulator, &["run", "DSGB1", "--wait"]).code(4);
    let failed = failed.says(&[
        "DSGB1 could not go on",
        "exit code 7",
        "nobody at the desk",
        "goes on where it stopped",
    ]);
    assert_eq!(failed.json()["runs"][0]["state"], "waiting");
    assert_eq!(simulator.submissions(), 0);
    let told = fs::read_to_string(project.file("told.txt")).unwrap();
    let told: Vec<&str> =
        told.lines().map(|name| name.strip_prefix("CTC_READY_").unwrap()).collect();
    let wanted = ["BASE_URL", "DATA", "LRN", "MESSAGE", "PAYLOAD", "PROGRAMME", "SCENARIO", "STEP"];
    assert_eq!(told, wanted);
    let data: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(project.file("data.json")).unwrap()).unwrap();
    assert_eq!(data["CustomsOfficeOfDeparture"]["referenceNumber"], "GB000246");

    let passed = call(&project, &simulator, &["run", "DSGB1", "--wait"]).code(0).json();
    assert_eq!((&passed["runs"][0]["attempt"], simulator.submissions()), (&1.into(), 1));
    let show = project.call(&["evidence", "show", passed["runs"][0]["run"].as_str().unwrap()]);
    let show = show.code(0).stdout;
    for told in [
        "driver        command",
        "`sh` is to have the software send the IE015",
        "exit code 7",
        "the software sent the IE015",
    ] {
        assert!(show.contains(told), "`{told}` is not in\n{show}");
    }
    assert!(project.call(&["verify"]).code(0).stdout.starts_with("INTACT"));
}

#[test]
fn a_command_that_cannot_be_is_said_at_once() {
    let project = crate::support::Project::new();
    let run = ["run", "DSGB1", "--driver", "command", "--environment", "simulator"];
    project.call(&run).code(3).says(&["`[driver] command` is missing"]);
    project.write_settings(&set(&project.settings(), "command", "[\"./not-there\"]"));
    project.call(&run).code(4).says(&["cannot be started", "not-there"]);
    assert_eq!(project.runs(), 1);
    let balance = ["run", "Scenario 1 GB", "--driver", "command", "--environment", "simulator"];
    project.call(&balance).code(2).says(&["asks for a balance"]);
    project.call(&["run", "--driver", "proxy"]).code(2).says(&["direct", "command"]);
    let wrong = set(&project.settings(), "driver", "\"collect\"");
    let wrong = set(&wrong, "timeout", "0");
    project.write_settings(&set(&wrong, "parallel", "33"));
    project.call(&["plan"]).code(3).says(&[
        "run.driver",
        "driver.timeout",
        "driver.parallel",
        "from 1 to 32",
    ]);
}
