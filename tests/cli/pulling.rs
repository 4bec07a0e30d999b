//! News from notifications: `[notifications] pull`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{
    CLIENT, CLIENT_SECRET, Outcome, Project, SCALE, Simulate, outcome, set, tree,
};

const SECRET: &str = "CTC_READY_CLIENT_SECRET";
const TOKEN: &str = "CTC_READY_TOKEN";

/// A project that pulls; with a client id, or without.
fn pulling(client_id: Option<&str>) -> Project {
    let project = Project::new();
    let mut text = set(&project.settings(), "pull", "true");
    if let Some(id) = client_id {
        text = set(&text, "client-id", &format!("\"{id}\""));
    }
    project.write_settings(&text);
    project
}

fn run(simulator: &Simulate) -> Vec<&str> {
    let fixed =
        ["run", "P6-DSGB-01", "--environment", "simulator", "--time-scale", SCALE, "--wait"];
    [&fixed[..], &["--base-url", &simulator.base_url]].concat()
}

/// How often the journals have requests for what.
fn purposes(project: &Project, report: &Value) -> BTreeMap<String, usize> {
    let mut purposes = BTreeMap::new();
    for run in report["runs"].as_array().unwrap() {
        assert_eq!(run["state"], "passed", "{run:#}");
        let journal = std::fs::read_to_string(project.journal(&run["run"])).unwrap();
        for line in journal.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            if line["kind"] == "request" {
                let purpose = line["purpose"].as_str().unwrap().to_owned();
                *purposes.entry(purpose).or_default() += 1;
            }
        }
    }
    purposes
}

#[track_caller]
fn assert_pulled(purposes: &BTreeMap<String, usize>) {
    for purpose in ["pull-notifications", "acknowledge-notifications", "get-message"] {
        assert!(purposes.contains_key(purpose), "{purpose}: {purposes:?}");
    }
}

#[track_caller]
fn assert_nowhere(secret: &str, project: &Project, outcome: &Outcome) {
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(secret), "{outcome:?}");
    for (path, bytes) in tree(project.path()) {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "a secret is in {}", path.display());
    }
}

#[test]
fn the_built_in_simulator_needs_one_word() {
    let project = pulling(None);
    let args = ["run", "--environment", "simulator", "--time-scale", SCALE, "--format", "json"];
    let outcome = project.call(&args).code(0);
    assert_pulled(&purposes(&project, &outcome.json()));
    assert_nowhere(CLIENT_SECRET, &project, &outcome);
    assert!(!outcome.stderr.contains("notification"), "{}", outcome.stderr);
    project.call(&["verify"]).code(0);
}

#[test]
fn an_applications_own_box_is_read_and_emptied() {
    let simulator = Simulate::start(SCALE);
    let token = simulator.sign_in();
    let project = pulling(Some(CLIENT));
    let mut command = project.command(&[&run(&simulator)[..], &["--format", "json"]].concat());
    let outcome = outcome(command.env(TOKEN, &token).env(SECRET, CLIENT_SECRET)).code(0);
    assert_pulled(&purposes(&project, &outcome.json()));
    for secret in [&token, CLIENT_SECRET, "simulator-token-"] {
        assert_nowhere(secret, &project, &outcome);
    }
    project.call(&["verify"]).code(0);
}

/// The bearer token is one application's, the client id another's.
#[test]
fn a_box_of_another_application_is_told_and_lists_take_its_place() {
    let simulator = Simulate::start(SCALE);
    let project = pulling(Some(CLIENT));
    let mut command = project.command(&[&run(&simulator)[..], &["--format", "json"]].concat());
    let outcome = outcome(command.env(TOKEN, "canary-4711").env(SECRET, CLIENT_SECRET))
        .code(0)
        .says(&["HTTP 403: FORBIDDEN", "is `client-id` the application", "listed instead"]);
    let purposes = purposes(&project, &outcome.json());
    assert!(purposes.contains_key("list-messages"), "{purposes:?}");
}

#[test]
fn what_pulling_needs_is_asked_for_before_anything_is_sent() {
    let simulator = Simulate::start(SCALE);
    let nameless = pulling(None);
    nameless.call(&run(&simulator)).code(3).says(&["`[auth] client-id` is missing"]);

    let project = pulling(Some(CLIENT));
    project.call(&run(&simulator)).code(4).says(&[SECRET, "is not set", "pull = false"]);
    let odd = outcome(project.command(&run(&simulator)).env(SECRET, "two words-s3cr3t")).code(4);
    assert_nowhere("s3cr3t", &project, &odd.says(&[SECRET, "no client secret"]));
    let wrong = outcome(project.command(&run(&simulator)).env(SECRET, "wrong-s3cr3t")).code(4);
    let wrong = wrong.says(&["invalid_client", "`[auth] client-id`", SECRET]);
    assert_nowhere("s3cr3t", &project, &wrong);
    assert_eq!((project.runs(), simulator.submissions()), (0, 0));

    // A secret in the settings is refused, and told where it belongs.
    let text = project.settings().replace("client-id =", "client-secret = \"s3cr3t\"\nclient-id =");
    project.write_settings(&text);
    let told = project.call(&["status"]).code(3).says(&["looks like a secret", SECRET]);
    assert!(!told.stderr.contains("s3cr3t"), "{}", told.stderr);
}
