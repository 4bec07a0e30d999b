//! The network gone, and the disk full, in the middle of a batch: `run` says
//! what happened, and the same attempts go on once that is mended.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use ctc_ready::evidence::verify;
use serde_json::Value;

use super::house::{BINARY, Guard, House, Simulate, named, told};
use super::{judge, reference, world};

/// No message of them is due within a time.
const SCENARIOS: [&str; 4] = ["P6-DSGB-01", "P6-DNGB-01", "P6-ASGB-01", "P6-DNGB-08"];

const SCALE: &str = "600";

/// Reads events until `wanted` of this kind have come.
fn hear(events: &mut impl BufRead, kind: &str, wanted: usize) {
    let mut heard = 0;
    let mut line = String::new();
    while heard < wanted {
        line.clear();
        assert_ne!(events.read_line(&mut line).unwrap(), 0, "it ended before {wanted} {kind}");
        let event: Value = serde_json::from_str(&line).unwrap();
        heard += usize::from(event["event"] == kind);
    }
}

/// A simulator that goes away, with all connections, and comes back at the
/// same address with what it knew.
#[test]
fn the_network_is_gone_and_comes_back() {
    let house = House::new("ncts6");
    let state = house.dir.path().join("simulator");
    let state = state.to_str().unwrap();
    let first = Simulate::start(&["--port", "0", "--time-scale", SCALE, "--state", state]);
    let base_url = first.base_url.clone();
    let port = base_url.rsplit(':').next().unwrap().to_owned();
    let again = || Simulate::start(&["--port", &port, "--time-scale", SCALE, "--state", state]);
    let run = || house.run(&base_url, SCALE, &SCENARIOS);
    let begin = |waits: &[&str]| {
        let mut run = run();
        let child = run.args(waits).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut child = Guard(child);
        let events = BufReader::new(child.0.stdout.take().unwrap());
        (child, events)
    };

    // Gone for good: it gives up after some attempts, and says so.
    let (mut child, mut events) = begin(&[]);
    hear(&mut events, "received", 3);
    first.kill();
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    let mut said = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(4), "{said}");
    for part in ["could not go on", "no connection", "goes on where it stopped"] {
        assert!(said.contains(part), "`{part}`: {said}");
    }
    assert_eq!(verify(&house.evidence()).unwrap().problems, []);

    // Gone while it stays: it goes on by itself once it can.
    let second = again();
    let (mut child, mut events) = begin(&["--wait"]);
    hear(&mut events, "received", 2);
    second.kill();
    hear(&mut events, "note", 1);
    let third = again();
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    let mut code = child.0.wait().unwrap().code();
    if code == Some(4) {
        // What was to be sent just then is not tried for ever.
        let output = run().arg("--wait").output().unwrap();
        code = output.status.code();
    }
    assert_eq!(code, Some(0), "{rest}");
    let log = world::get(&third.base_url, "/simulator/log");
    judge::passed_once(&house.evidence(), &named("ncts6", &SCENARIOS), &log);
}

/// A limit on the size of files stops a journal as a full disk does. Whatever
/// is short, the run says so, and what is there verifies.
#[test]
fn a_file_that_may_not_grow_stops_the_run_and_nothing_is_lost() {
    let house = House::new("ncts6");
    let simulator = Simulate::start(&["--port", "0", "--time-scale", SCALE]);
    let jobs = named("ncts6", &SCENARIOS);
    // In blocks of 512 bytes: journals of these runs have some 30 kB.
    let mut stopped = 0;
    for blocks in [4, 12, 24, 40] {
        let run = house.run(&simulator.base_url, SCALE, &SCENARIOS);
        let mut limited = Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        limited.arg("-c").arg(script).arg(BINARY).args(run.get_args());
        let output = limited.arg("--wait").current_dir(house.dir.path()).output().unwrap();
        if output.status.success() {
            break;
        }
        assert_eq!(output.status.code(), Some(4), "{}", told(&output));
        let said = String::from_utf8(output.stderr).unwrap();
        for part in ["cannot ", "evidence", "make room", "nothing that was written before is lost"]
        {
            assert!(said.contains(part), "`{part}`: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
        stopped += 1;
        judge::mendable(&house.evidence());
    }
    assert!(stopped >= 2, "the limit stopped {stopped} runs");
    let output = house.run(&simulator.base_url, SCALE, &SCENARIOS).arg("--wait").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    judge::passed_once(
        &house.evidence(),
        &jobs,
        &world::get(&simulator.base_url, "/simulator/log"),
    );
}

/// A disk that is really full: a small one in memory, where the system lets
/// users mount one. It is made larger after each run that it stopped.
#[test]
fn a_full_disk_stops_the_run_and_nothing_is_lost() {
    let house = House::new("ncts6");
    let simulator = Simulate::start(&["--port", "0", "--time-scale", SCALE]);
    std::fs::create_dir(house.evidence()).unwrap();
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command.current_dir(house.dir.path()).output()
    };
    let mount = "mount -t tmpfs -o size=150k,mode=700 none evidence";
    if !namespace(mount).is_ok_and(|output| output.status.success()) {
        reference::skipped("no user may mount a file system here: no full disk");
        return;
    }
    let run = format!(
        "{BINARY} run {} --environment simulator --base-url {} --time-scale {SCALE} --wait",
        SCENARIOS.join(" "),
        simulator.base_url
    );
    // What is there is copied out of the namespace while that lasts.
    let script = format!(
        "{mount} || exit 99
         for size in 150k 300k 16m; do
           mount -o remount,size=$size evidence || exit 98
           {run} 2>> said; echo $? >> codes
         done
         cp -a evidence kept"
    );
    let output = namespace(&script).unwrap();
    let read = |name: &str| std::fs::read_to_string(house.dir.path().join(name)).unwrap();
    let (codes, said) = (read("codes"), read("said"));
    let codes: Vec<&str> = codes.lines().collect();
    let context = format!("{codes:?} {said} {}", told(&output));
    assert_eq!(codes, ["4", "4", "0"], "{context}");
    for part in ["No space left on device", "make room", "before is lost"] {
        assert!(said.contains(part), "`{part}`: {context}");
    }
    let log = world::get(&simulator.base_url, "/simulator/log");
    judge::passed_once(&house.dir.path().join("kept"), &named("ncts6", &SCENARIOS), &log);
}
