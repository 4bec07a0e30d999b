//! Killed at any moment (SIGKILL, as by a power cut of the process), a run
//! goes on as the same run, and no message is sent twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Project, REQUIRED, SCALE, Simulate};

/// Kills each new process after so many lines of its progress, then lets it
/// finish. Tells how many were killed.
fn story(kill_after: &[usize]) -> usize {
    let project = Project::new();
    let simulator = Simulate::start(SCALE);
    let args = [
        "run",
        "--environment",
        "simulator",
        "--time-scale",
        SCALE,
        "--wait",
        "--base-url",
        &simulator.base_url,
    ];
    let mut killed = 0;
    for lines in kill_after {
        let mut child = crate::support::process(&args)
            .current_dir(project.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let mut heard = 0;
        while heard < *lines && stderr.read_line(&mut line).unwrap() > 0 {
            heard += 1;
        }
        let was_alive = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        let status = child.wait().unwrap();
        killed += usize::from(was_alive && status.code().is_none());
        // What is left can be read by anyone, at any moment.
        project.call(&["status"]).code(0);
    }

    let report = project.json(&args, 0);
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(|run| run["scenario"].clone()).collect::<Vec<_>>(), REQUIRED);
    for run in runs {
        assert_eq!(run["state"], "passed", "{kill_after:?}: {run:#}");
        assert_eq!(run["attempt"], 1, "{kill_after:?}: {run:#}");
    }
    assert_eq!(project.runs(), 4);
    let verified = project.json(&["verify"], 0);
    assert_eq!(verified["runs"], 4);

    // One departure, presentation, arrival and unloading each, and no more.
    let log = simulator.get("/simulator/log");
    let mut taken: BTreeMap<(String, String), u32> = BTreeMap::new();
    for submission in log["submissions"].as_array().unwrap() {
        assert_eq!(submission["status"], 202, "{submission:#}");
        let text = |field: &str| submission[field].as_str().map(str::to_owned);
        let movement = text("lrn").or_else(|| text("mrn")).unwrap();
        *taken.entry((movement, text("messageType").unwrap())).or_default() += 1;
    }
    assert!(taken.values().all(|count| *count == 1), "{kill_after:?}: sent twice: {taken:#?}");
    let mut messages: Vec<&str> = taken.keys().map(|(_, message)| message.as_str()).collect();
    messages.sort_unstable();
    // Four declarations, a presentation, an arrival with its unloading remarks.
    assert_eq!(messages, ["IE007", "IE015", "IE015", "IE015", "IE015", "IE044", "IE170"]);
    // The LRNs in the evidence are those that were sent.
    for run in runs {
        let lrn = run["lrn"].as_str().unwrap().to_owned();
        assert!(taken.contains_key(&(lrn, "IE015".into())), "{run:#}\n{taken:#?}");
    }
    killed
}

#[test]
fn killed_at_many_moments_it_is_the_same_run() {
    // Lines of progress heard before the kill: from the opening of the first
    // run over every submission to the last message fetched.
    let stories: [&[usize]; 5] =
        [&[1, 6, 12, 20], &[5, 9, 7, 15], &[3, 8, 10, 13], &[2, 30, 11], &[4, 18, 16, 25]];
    let killed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> =
            stories.iter().map(|moments| scope.spawn(|| story(moments))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(killed >= 12, "only {killed} processes were killed");
}
