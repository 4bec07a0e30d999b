//! Two processes at one project, interruptions, and readers that go away.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{BINARY, Guard, Project, SCALE, Simulate, call, process};

/// Reads the child's progress until a line holds `part`.
fn wait_for(child: &mut Child, part: &str) -> BufReader<std::process::ChildStderr> {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(part) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended before `{part}`");
    }
    stderr
}

/// A run that waits for an officer who takes five minutes.
fn long_run(project: &Project, simulator: &Simulate) -> Child {
    project.spawn(&[
        "run",
        "DNGB1",
        "--environment",
        "simulator",
        "--time-scale",
        "1",
        "--wait",
        "--base-url",
        &simulator.base_url,
    ])
}

#[test]
fn the_second_is_told_who_is_at_it() {
    let project = Project::new();
    let simulator = Simulate::start("1");
    let mut first = long_run(&project, &simulator);
    let _stderr = wait_for(&mut first, "officers to");
    let first = Guard(first);
    let holder = format!("process {}", first.0.id());

    let run = ["run", "--environment", "simulator"];
    let second = project.call(&run).code(4);
    second.says(&["is being written by", &holder, "evidence", "wait until it has ended"]);
    let json = project.json(&run, 4);
    assert_eq!(json["error"]["kind"], "environment");
    assert!(json["error"]["message"].as_str().unwrap().contains(&holder));
    assert_eq!(project.runs(), 1, "the second opened no run");

    // Whoever only reads is not kept out, and finds nothing wrong.
    let status = project.json(&["status", "--rehearsal"], 0);
    assert_eq!(status["requirements"][0]["state"], "waiting");
    assert_eq!(status["requirements"][0]["next_actor"], "officer");
    project.call(&["verify"]).code(0);
    let verdict = project.json(&["gate", "--rehearsal"], 1);
    let findings = verdict["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["rule"] == "run-unfinished"), "{verdict:#}");
    assert!(findings.iter().all(|finding| finding["rule"] != "journal-broken"), "{verdict:#}");

    // A lock does not outlive its holder.
    drop(first);
    project.call(&["run", "P6-DSGB-01", "--environment", "simulator"]).code(0);
    project.call(&["verify"]).code(0);
}

#[test]
fn reading_beside_a_busy_run_finds_nothing_wrong() {
    let project = Project::new();
    let many = [
        "DSGB1", "DSXI1", "DNGB1", "DNXI1", "PSGB1", "PSXI1", "PNGB1", "PNXI1", "ASGB1", "ASXI1",
        "ANGB1", "ANXI1",
    ];
    let with = ["--environment", "simulator", "--time-scale", SCALE];
    let mut run = project.spawn(&[&["run"], &many[..], &with[..]].concat());
    let mut stderr = wait_for(&mut run, "opened");
    let mut run = Guard(run);
    let rest = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let mut looks = 0;
    while run.0.try_wait().unwrap().is_none() {
        let report = project.json(&["verify"], 0);
        assert_eq!(report["problems"], serde_json::json!([]));
        looks += 1;
    }
    assert!(looks > 3, "the run was over after {looks} looks");
    let said = rest.join().unwrap();
    assert!(run.0.wait().unwrap().success(), "{said}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_everything() {
    let project = Project::new();
    let simulator = Simulate::start(SCALE);
    let args = [
        "run",
        "ASGB1",
        "--environment",
        "simulator",
        "--time-scale",
        SCALE,
        "--format",
        "json",
        "--base-url",
        &simulator.base_url,
    ];
    let mut child = project.spawn(&args);
    let mut stderr = wait_for(&mut child, "45 minute timer");
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("interrupted") && said.contains("goes on where it stopped"), "{said}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["error"]["kind"], "environment");

    project.call(&["verify"]).code(0);
    let status = project.json(&["status", "--rehearsal"], 0);
    let arrival = &status["requirements"][2];
    assert_eq!((&arrival["state"], &arrival["attempts"]), (&"running".into(), &1.into()));
    let report = project.call(&[&args[..], &["--wait"]].concat()).code(0).json();
    assert_eq!(report["runs"][0]["run"], arrival["run"]);
    assert_eq!((&report["runs"][0]["attempt"], project.runs()), (&1.into(), 1));
    project.call(&["verify"]).code(0);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_simulator_well() {
    let mut child = process(&["simulate", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("Ctrl-C") {
        assert!(line.chars().count() <= 80, "{line}");
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0);
    }
    let mut child = Guard(child);
    Command::new("kill").args(["-INT", &child.0.id().to_string()]).status().unwrap();
    // The end of its output is the end of the process.
    stdout.read_to_string(&mut line).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let project = Project::rehearsed();
    for args in [
        &["status"][..],
        &["gate"],
        &["plan", "--format", "json"],
        &["scenario", "list", "--all-programmes", "--format", "json"],
        &["completions", "bash"],
        &["schema", "gate"],
        &["--help"],
        &["gate", "--no-such-flag", "--format", "json"],
    ] {
        let expected = project.call(args);
        let mut child = process(args)
            .current_dir(project.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Closed before anything is written.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(expected.code), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
    }
    // Nobody listens to the progress either.
    let mut child = project.spawn(&[
        "run",
        "P6-DSGB-01",
        "--again",
        "-vv",
        "--environment",
        "simulator",
        "--time-scale",
        SCALE,
    ]);
    drop(child.stdout.take());
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // The one who asked for one line gets it.
    let head = Command::new("sh")
        .args(["-c", "\"$0\" scenario list --all-programmes | head -1", BINARY])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&head.stdout).starts_with("ncts5-transition"));
    assert_eq!(String::from_utf8_lossy(&head.stderr), "");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_is_told() {
    let project = Project::rehearsed();
    for args in [&["status"][..], &["gate", "--format", "json"], &["schema", "gate"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = process(args).current_dir(project.path()).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("standard output cannot be written"), "{said}");
    }
}

#[test]
fn a_project_is_found_from_below() {
    let project = Project::rehearsed();
    let below = project.file("a/b/c");
    std::fs::create_dir_all(&below).unwrap();
    let mut command = crate::support::command(&["verify"]);
    let found = crate::support::outcome(command.current_dir(&below)).code(0);
    assert!(found.stdout.contains("INTACT"));
    // `--project` means that folder and no other.
    call(&["verify", "--project", below.to_str().unwrap()]).code(3);
}

#[test]
fn many_at_once_make_one_run() {
    let project = Project::new();
    let simulator = Simulate::start(SCALE);
    let args = [
        "run",
        "DNGB1",
        "--environment",
        "simulator",
        "--time-scale",
        SCALE,
        "--wait",
        "--base-url",
        &simulator.base_url,
    ];
    // The store itself does not exist yet either.
    let children: Vec<Child> = (0..6).map(|_| project.spawn(&args)).collect();
    let codes: Vec<_> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let code = output.status.code();
            assert!(code == Some(0) || code == Some(4), "{code:?}: {said}");
            assert_eq!(code == Some(4), said.contains("is being written by"), "{said}");
            code
        })
        .collect();
    assert!(codes.contains(&Some(0)), "{codes:?}");
    assert_eq!((project.runs(), simulator.submissions()), (1, 1), "{codes:?}");
    project.call(&["verify"]).code(0);
}
