//! A trader's software works through every mandatory scenario, and all that it
//! knows of the recorder is its address.

use crate::between::{Recording, TOKEN, events, holding, play, played};
use crate::support::{Project, SCALE, Simulate};

/// The mandatory scenarios of the open programmes.
const MANDATORY: [&str; 14] = [
    "DSGB1",
    "DSXI1",
    "DNGB1",
    "DNXI1",
    "PSGB1",
    "PSXI1",
    "PNGB1",
    "PNXI1",
    "ASGB1",
    "ASXI1",
    "ANGB1",
    "ANXI1",
    "P6-DSGB-01",
    "P6-DSXI-01",
];

#[test]
fn every_mandatory_scenario_passes_and_the_gate_is_content() {
    let project = Project::answered();
    let simulator = Simulate::start(SCALE);
    let log = project.file("events.jsonl");
    let recording = Recording::start(
        &project,
        &simulator.base_url,
        &["--time-scale", SCALE, "--events", log.to_str().unwrap()],
    );
    let url = recording.url();
    let players = MANDATORY.map(|scenario| {
        let lrn = scenario.replace('-', "").to_lowercase();
        play(&project, scenario, &url, &format!("{lrn}-"))
    });
    for (scenario, player) in MANDATORY.iter().zip(players) {
        played(player, scenario);
    }
    recording.until("checklist: 4 of 4 mandatory tests passed");
    let said = recording.said();
    assert!(
        said.contains("checklist: 0 of 4 mandatory tests passed; to do: DNGB1, PSGB1"),
        "{said}"
    );
    let (code, report) = recording.stop();
    let runs = report["runs"].as_array().unwrap();
    let mut passed: Vec<&str> = runs
        .iter()
        .filter(|run| run["state"] == "passed" && run["driver"] == "proxy")
        .map(|run| run["scenario"].as_str().unwrap())
        .collect();
    passed.sort_unstable();
    let mut expected = MANDATORY.to_vec();
    expected.sort_unstable();
    assert_eq!(passed, expected, "{report:#}");
    assert_eq!((code, runs.len()), (0, MANDATORY.len()));
    for run in runs {
        // Each message counts once, whatever else is asked.
        let received = events(&project, &run["run"], "received");
        let mut ids: Vec<_> = received.iter().map(|it| it["message_id"].to_string()).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }
    project.call(&["verify"]).code(0);
    for programme in ["ncts5-final", "ncts6"] {
        let gate = project.json(&["gate", "--rehearsal", "--programme", programme], 0);
        assert_eq!(gate["ready"], true);
    }
    // Nothing of it may be submitted, and no driver but those accepted counts.
    project.call(&["gate"]).code(1);
    let text = project.settings().replace("# drivers = ", "drivers = [\"direct\"] # ");
    project.write_settings(&text);
    let gate = project.json(&["gate", "--rehearsal", "--programme", "ncts6"], 1);
    let rules: Vec<_> = gate["findings"].as_array().unwrap().iter().map(|it| &it["rule"]).collect();
    assert!(rules.contains(&&"driver-not-accepted".into()), "{rules:?}");
    // The software's token is nowhere, and what is told is for programs too.
    assert_eq!(holding(project.path(), TOKEN), Vec::<String>::new());
    let told = std::fs::read_to_string(log).unwrap();
    assert!(told.contains(r#""event":"passed""#) && told.contains(r#""event":"asked""#));
    // `run` leaves alone what the software does.
    let stays = project.json(&["run", "DSGB1", "--environment", "simulator"], 0);
    assert_eq!(stays["runs"][0]["driver"], "proxy");
}
