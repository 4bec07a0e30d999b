//! The real binary, killed (SIGKILL) at random instants of a batch: so many
//! events after its start, and so many microseconds later.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ctc_ready::clock::SystemClock;
use ctc_ready::simulator::SimulatorOptions;

use super::house::{Guard, House, all, named, told};
use super::world::Server;
use super::{Dice, aloud, judge};

/// A story of one batch: killed at most `kills` times, then left to finish.
/// Tells how often it was killed.
fn story(scenarios: &[&str], scale: f64, kills: usize, dice: &mut Dice) -> usize {
    let begin = Instant::now();
    let house = House::new("ncts6");
    let options = SimulatorOptions {
        time_scale: scale,
        requests_per_second: Some((3.0 * scale) as u32),
        ..SimulatorOptions::default()
    };
    let server = Server::start(options, Arc::new(SystemClock::new()));
    let run = || {
        let mut run = house.run(&server.base_url, &scale.to_string(), &["--wait"]);
        run.args(scenarios);
        run
    };
    let jobs = match scenarios {
        ["--all"] => all("ncts6"),
        ids => named("ncts6", ids),
    };
    let (mut killed, mut over) = (0, 0);
    while killed < kills {
        let child = run().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut child = Guard(child);
        let mut events = BufReader::new(child.0.stdout.take().unwrap());
        // One for each run taken up again, then those that are news.
        let open = jobs.len() - over;
        let wanted = dice.below(open as u64 + 16);
        let mut line = String::new();
        for _ in 0..wanted {
            line.clear();
            if events.read_line(&mut line).unwrap() == 0 {
                break;
            }
            let closes = ["passed", "failed"];
            over += usize::from(closes.iter().any(|end| line.contains(&format!(":\"{end}\""))));
        }
        std::thread::sleep(Duration::from_micros(dice.below(20_000)));
        if child.0.try_wait().unwrap().is_some() {
            break;
        }
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        killed += 1;
        judge::mendable(&house.evidence());
    }
    let output = run().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    judge::passed_once(&house.evidence(), &jobs, &server.get("/simulator/log"));
    aloud(format_args!(
        "killed at {killed} instants of a batch of {} scenarios: {:.1} s",
        jobs.len(),
        begin.elapsed().as_secs_f64()
    ));
    killed
}

/// Without anything that is due within a time: a busy machine, killed again
/// and again, would miss it. `deaths` has them, in a time of its own.
#[test]
fn killed_at_random_instants_it_is_the_same_run() {
    let scenarios = [
        "P6-DSGB-01",
        "P6-DSXI-06",
        "P6-DSGB-03",
        "P6-DNGB-02",
        "P6-DNGB-06",
        "P6-DNGB-08",
        "P6-ASGB-02",
        "P6-ASXI-04",
        "P6-ANGB-01",
        "P6-AGB-01",
        "P6-PNGB-04",
        "P6-WCGB-01",
    ];
    let killed = story(&scenarios, 600.0, 16, &mut Dice(1));
    assert!(killed >= 12, "only {killed} processes were killed");
}

#[test]
#[ignore = "takes many minutes; see docs/testing.md"]
fn killed_at_200_random_instants_of_every_scenario() {
    let mut dice = Dice(2);
    let mut killed = 0;
    while killed < 200 {
        killed += story(&["--all"], 10.0, 200 - killed, &mut dice);
    }
}
