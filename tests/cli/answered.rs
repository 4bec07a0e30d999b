//! `answered`: what the officers replied becomes evidence.

use std::fs;

use serde_json::Value;

use crate::contract::assert_valid;
use crate::support::{Project, SCALE, Simulate, evidence_of, outcome};

/// A project with a run that waits for officers who take their time.
fn waiting(simulator: &Simulate) -> Project {
    let project = Project::new();
    let url = &simulator.base_url;
    let run = ["run", "DNGB1", "--environment", "simulator", "--time-scale", "1"];
    project.call(&[&run[..], &["--base-url", url]].concat()).code(5);
    project
}

/// The events of this kind in a run's journal.
fn events(project: &Project, run: &Value, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(project.journal(run)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == kind).collect()
}

#[test]
fn a_reply_is_kept_and_the_run_goes_on() {
    let simulator = Simulate::start("1");
    let project = waiting(&simulator);
    fs::write(project.file("reply.eml"), "Subject: done\r\n\r\nDone. Bearer canary-4711\r\n")
        .unwrap();
    fs::write(project.file("shot.PNG"), b"\x89PNG\r\n\x1a\n\0canary-4711\xff").unwrap();
    let args = [
        "answered",
        "dngb1",
        "--attach",
        "reply.eml",
        "--attach",
        "shot.PNG",
        "--note",
        "by phone",
    ];
    let call = [&args[..], &["--format", "json"]].concat();
    let told = outcome(project.command(&call).env("CTC_READY_TOKEN", "canary-4711")).code(0).json();
    assert_valid("run", &told);
    let run = &told["runs"][0];
    assert_eq!((&run["scenario"], &run["state"]), (&"DNGB1".into(), &"waiting".into()));
    assert_eq!(run["waiting_for"]["actor"], "officer");
    let what = run["waiting_for"]["what"].as_str().unwrap();
    assert!(what.starts_with("officers replied on "), "{what}");
    assert!(what.ends_with("their messages have not come yet: IE028, IE029"), "{what}");

    // Several times, by the beginning of the id as well.
    let id = run["run"].as_str().unwrap();
    let said = project.call(&["answered", &id[..13].to_uppercase()]).code(0).stdout;
    assert!(said.contains("noted: the officers replied to DNGB1 step 2"), "{said}");

    let replies = events(&project, &run["run"], "officer-answered");
    assert_eq!(replies.len(), 2);
    assert_eq!((&replies[0]["step"], &replies[0]["note"]), (&2.into(), &"by phone".into()));
    let files = replies[0]["attachments"].as_array().unwrap();
    let kinds: Vec<_> =
        files.iter().map(|file| (&file["name"], &file["file"]["media_type"])).collect();
    assert_eq!(kinds[0], (&"reply.eml".into(), &"message/rfc822".into()));
    assert_eq!(kinds[1], (&"shot.PNG".into(), &"image/png".into()));
    for (path, bytes) in evidence_of(&project) {
        assert!(!String::from_utf8_lossy(&bytes).contains("canary-4711"), "{}", path.display());
    }
    project.call(&["verify"]).code(0);
    let status = project.call(&["status", "--rehearsal"]).code(0).stdout;
    assert!(status.contains("officers replied on"), "{status}");
}

#[test]
fn only_a_run_that_waits_for_officers_is_answered() {
    let simulator = Simulate::start("1");
    let project = waiting(&simulator);
    let before = evidence_of(&project);
    fs::write(project.file("big"), vec![0; (16 << 20) + 1]).unwrap();
    let many = ["--attach", "ctc-ready.toml"].repeat(21);
    for (args, code, said) in [
        (vec!["answered", "NOSUCH"], 2, "there is no run `NOSUCH`"),
        (vec!["answered", ""], 2, "there is no run ``"),
        (vec!["answered", "DSGB1"], 2, "there is no run `DSGB1`"),
        (vec!["answered", "DNGB1", "--attach", "missing.eml"], 3, "missing.eml"),
        (vec!["answered", "DNGB1", "--attach", "."], 3, "not a regular file"),
        (vec!["answered", "DNGB1", "--attach", "big"], 3, "larger"),
        (vec!["answered", "DNGB1", "--note", &"x".repeat(4_001)], 2, "longer than 4000"),
        ([&["answered", "DNGB1"][..], &many].concat(), 2, "at most 20 files"),
    ] {
        project.call(&args).code(code).says(&[said]);
    }
    assert!(before == evidence_of(&project), "a refusal changed the evidence");
    // Without any evidence none is made.
    let empty = Project::new();
    empty.call(&["answered", "DNGB1"]).code(2).says(&["there is no run"]);
    assert!(!empty.evidence().exists());

    let passed = Project::rehearsed();
    passed.call(&["answered", "DNGB1"]).code(2).says(&["does not wait for officers", "has passed"]);
}

#[test]
fn the_id_tells_which_of_two() {
    let simulator = Simulate::start("1");
    let project = waiting(&simulator);
    let url = &simulator.base_url;
    let run =
        ["run", "DNGB1", "--environment", "simulator", "--time-scale", "1", "--base-url", url];
    let told = project.json(&[&run[..], &["--abandon"]].concat(), 5);
    assert_eq!(told["runs"][0]["attempt"], 2);
    // The one that waits is meant.
    let told = project.json(&["answered", "DNGB1"], 0);
    assert_eq!(told["runs"][0]["attempt"], 2);
    // Both ids begin like this.
    project.call(&["answered", "0"]).code(2).says(&["begins the ids of 2 runs"]);
}

#[test]
fn whoever_is_at_it_is_named() {
    let simulator = Simulate::start("1");
    let project = waiting(&simulator);
    let url = &simulator.base_url;
    let mut stay = crate::support::Guard(project.spawn(&[
        "run",
        "DNGB1",
        "--environment",
        "simulator",
        "--time-scale",
        "1",
        "--base-url",
        url,
        "--wait",
    ]));
    let mut stderr = std::io::BufReader::new(stay.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting:") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut stderr, &mut line).unwrap(), 0);
    }
    let holder = format!("process {}", stay.0.id());
    project.call(&["answered", "DNGB1"]).code(4).says(&["is being written by", &holder]);
}

#[test]
fn what_was_told_is_sealed_where_there_is_a_key() {
    let simulator = Simulate::start("1");
    let project = waiting(&simulator);
    let keys = tempfile::tempdir().unwrap();
    let keys = keys.path().to_str().unwrap();
    let with_key = |args: &[&str]| outcome(project.command(args).env("CTC_READY_KEYS", keys));
    with_key(&["keys", "init"]).code(0);
    with_key(&["seal"]).code(0);
    with_key(&["answered", "DNGB1"]).code(0).says(&["sealed: seals/2.dsse.json covers 1 runs"]);
    let report = project.json(&["verify"], 0);
    assert_eq!(report["unsealed_runs"], serde_json::json!([]));
    // Without one it is kept all the same.
    project.call(&["answered", "DNGB1"]).code(0).says(&["not sealed, since there is no key"]);
    let report = project.json(&["verify"], 0);
    assert_eq!(report["unsealed_runs"].as_array().unwrap().len(), 1);
}

/// The simulator's officers act in the end; then nobody can be answered.
#[test]
fn the_run_passes_when_the_messages_come() {
    let simulator = Simulate::start(SCALE);
    let project = Project::new();
    let url = &simulator.base_url;
    let run =
        ["run", "DNGB1", "--environment", "simulator", "--time-scale", SCALE, "--base-url", url];
    project.call(&[&run[..], &["--wait"]].concat()).code(0);
    project.call(&["answered", "DNGB1"]).code(2).says(&["has passed"]);
}
