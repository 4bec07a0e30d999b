//! Tokens that are missing, wrong or secret; addresses that are not HMRC's;
//! servers that are not there.

use crate::support::{Outcome, Project, SCALE, Simulate, nobody_listens, outcome, tree};

const TOKEN: &str = "CTC_READY_TOKEN";

#[track_caller]
fn assert_nowhere(secret: &str, project: &Project, outcome: &Outcome) {
    assert!(!outcome.stdout.contains(secret), "{outcome:?}");
    assert!(!outcome.stderr.contains(secret), "{outcome:?}");
    for (path, bytes) in tree(project.path()) {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "the token is in {}", path.display());
    }
}

#[test]
fn no_token_for_hmrc() {
    let project = Project::new();
    for args in [
        &["run"][..],
        &["run", "DNGB1", "--environment", "trader-test"],
        &["run", "--environment", "sandbox"],
    ] {
        project.call(args).code(4).says(&[TOKEN, "not set", "--environment simulator"]);
        outcome(project.command(args).env(TOKEN, "  \n")).code(4).says(&[TOKEN, "not set"]);
    }
    assert!(!project.evidence().exists());
}

#[test]
fn a_token_that_cannot_be_one() {
    let project = Project::new();
    for token in ["two words-s3cr3t", "line\nbreak-s3cr3t", "naïve-s3cr3t"] {
        for environment in ["trader-test", "simulator"] {
            let args = ["run", "DNGB1", "--environment", environment];
            let outcome = outcome(project.command(&args).env(TOKEN, token)).code(4);
            assert_nowhere("s3cr3t", &project, &outcome.says(&[TOKEN, "no bearer token"]));
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let odd = std::ffi::OsStr::from_bytes(b"s3cr3t\xff");
        let outcome = outcome(project.command(&["run"]).env(TOKEN, odd)).code(4);
        assert_nowhere("s3cr3t", &project, &outcome.says(&["no bearer token"]));
    }
    assert!(!project.evidence().exists());
}

#[test]
fn a_refused_token_loses_nothing_and_shows_nowhere() {
    let simulator = Simulate::start(SCALE);
    for (token, said) in [("invalid-token", "did not accept"), ("not-subscribed", "subscribed")] {
        let project = Project::new();
        let run = [
            "run",
            "DNGB1",
            "PSGB1",
            "--environment",
            "simulator",
            "--time-scale",
            SCALE,
            "--wait",
            "--base-url",
            &simulator.base_url,
        ];
        let refused = outcome(project.command(&run).env(TOKEN, token)).code(4);
        assert_nowhere(token, &project, &refused);
        let refused = refused.says(&[said, "nothing is lost", "ctc-ready run"]);
        assert_eq!(refused.stdout, "");
        let verbose = [&run[..], &["-vv", "--format", "json"]].concat();
        let refused = outcome(project.command(&verbose).env(TOKEN, token)).code(4);
        assert_nowhere(token, &project, &refused);
        assert_eq!(refused.json()["error"]["kind"], "environment");
        project.call(&["verify"]).code(0);

        // With a good token the same attempts go on.
        let good = [&run[..], &["--format", "json"]].concat();
        let passed = outcome(project.command(&good).env(TOKEN, "s3cr3t-but-good")).code(0);
        assert_nowhere("s3cr3t", &project, &passed);
        let runs = passed.json()["runs"].clone();
        for run in runs.as_array().unwrap() {
            assert_eq!((&run["state"], &run["attempt"]), (&"passed".into(), &1.into()));
        }
        assert_eq!(project.runs(), 2);
        project.call(&["verify"]).code(0);
    }
}

#[test]
fn evidence_for_hmrc_comes_from_hmrc_alone() {
    let project = Project::new();
    let hmrc = "https://test-api.service.hmrc.gov.uk";
    for environment in ["trader-test", "sandbox"] {
        for url in [
            "https://hmrc.example",
            "http://test-api.service.hmrc.gov.uk",
            "https://test-api.service.hmrc.gov.uk.example",
            "https://test-api.service.hmrc.gov.uk:8443",
            "https://api.service.hmrc.gov.uk",
            "http://127.0.0.1:1",
        ] {
            let args = ["run", "--environment", environment, "--base-url", url];
            let outcome = outcome(project.command(&args).env(TOKEN, "s3cr3t")).code(3);
            assert_nowhere("s3cr3t", &project, &outcome.says(&[url, hmrc, "--base-url"]));
        }
    }
    for url in ["https://hmrc.example", hmrc, "http://0.0.0.0:1", "http://127.0.0.1.example"] {
        let args = ["run", "--environment", "simulator", "--base-url", url];
        project.call(&args).code(3).says(&[url, "this machine"]);
    }
    for url in ["", "nonsense", "file:///etc/passwd", "ftp://127.0.0.1"] {
        let args = ["run", "--environment", "simulator", "--base-url", url];
        project.call(&args).code(3).says(&["address", "--base-url"]);
    }
    assert!(!project.evidence().exists());
}

#[test]
fn a_server_that_is_down() {
    let project = Project::new();
    let nobody = nobody_listens();
    let run = ["run", "DNGB1", "ASGB1", "--environment", "simulator", "--time-scale", SCALE];
    let down = project.call(&[&run[..], &["--base-url", &nobody]].concat()).code(4);
    let down = down.says(&["DNGB1, ASGB1 could not go on", "connection", "nothing is lost"]);
    assert!(down.stdout.contains("waiting"), "{down:?}");
    assert_eq!(project.runs(), 2);
    project.call(&["verify"]).code(0);
    let status = project.json(&["status"], 0);
    assert_eq!(status["requirements"][0]["next_actor"], "you");

    // Another simulator is another world: new attempts, and the old ones are
    // not left standing open.
    let simulator = Simulate::start(SCALE);
    let args = [&run[..], &["--wait", "--base-url", &simulator.base_url]].concat();
    let report = project.json(&args, 0);
    assert_eq!(report["runs"][0]["attempt"], 2);
    assert_eq!(report["runs"][0]["state"], "passed");
    project.call(&["verify"]).code(0);
}

#[test]
fn what_cannot_go_on_can_be_given_up() {
    let project = Project::new();
    let nobody = nobody_listens();
    let run = |more: &[&str], code| {
        let args = ["run", "DNGB1", "--environment", "simulator", "--base-url", &nobody];
        project.json(&[&args[..], more].concat(), code)["runs"][0].clone()
    };
    let first = run(&[], 4);
    let second = run(&[], 4);
    assert_eq!(first["run"], second["run"], "the attempt goes on");
    let third = run(&["--abandon"], 4);
    assert_eq!(third["attempt"], 2);
    assert_ne!(first["run"], third["run"]);
    assert_eq!(project.runs(), 2, "what was given up is kept");
    project.call(&["verify"]).code(0);
}

#[test]
fn a_port_that_is_taken() {
    let simulator = Simulate::start("1");
    let port = simulator.base_url.rsplit_once(':').unwrap().1;
    crate::support::call(&["simulate", "--port", port]).code(4).says(&["cannot listen", port]);
}
