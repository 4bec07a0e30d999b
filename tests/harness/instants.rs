//! The real binary, killed (SIGKILL) at random instants of a batch: while it
//! takes its runs up again, or after so many messages and mails; and so many
//! microseconds later.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ctc_ready::clock::SystemClock;
use ctc_ready::evidence::Purpose;
use ctc_ready::simulator::SimulatorOptions;
use serde_json::Value;

use super::house::{Guard, House, all, named, told};
use super::world::{Server, sign_in};
use super::{Dice, aloud, judge};

/// A batch.
struct Batch<'a> {
    scenarios: &'a [&'a str],
    scale: f64,
    /// Its news is pulled; else it comes from lists.
    pull: bool,
    /// Fewer messages and mails than this a life sends and gets.
    most_news: u64,
}

/// A story of one batch: killed at most `kills` times, then left to finish.
/// Tells how often it was killed.
fn story(batch: &Batch<'_>, kills: usize, dice: &mut Dice) -> usize {
    let Batch { scenarios, scale, pull, most_news } = *batch;
    let begin = Instant::now();
    let house = House::new("ncts6");
    let options = SimulatorOptions {
        time_scale: scale,
        requests_per_second: Some((3.0 * scale) as u32),
        ..SimulatorOptions::default()
    };
    let server = Server::start(options, Arc::new(SystemClock::new()));
    let signed_in = pull.then(|| {
        let application = SimulatorOptions::default().applications.remove(0);
        house.pulls(&application.client_id);
        (sign_in(&server.base_url, &application), application.client_secret)
    });
    let run = || {
        let mut run = house.run(&server.base_url, &scale.to_string(), &["--wait"]);
        if let Some((token, secret)) = &signed_in {
            run.env("CTC_READY_TOKEN", token).env("CTC_READY_CLIENT_SECRET", secret);
        }
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
        // Most lives get on: a batch that never does would die at its beginning
        // alone, and its deadlines would pass.
        let (any, mut wanted) = match dice.below(most_news) {
            0 => (true, dice.below(2 * (jobs.len() - over) as u64)),
            news => (false, news),
        };
        let mut line = String::new();
        while wanted > 0 {
            line.clear();
            if events.read_line(&mut line).unwrap() == 0 {
                break;
            }
            let event: Value = serde_json::from_str(&line).unwrap();
            let kind = event["event"].as_str().unwrap();
            wanted -= u64::from(any || ["sent", "received", "asked"].contains(&kind));
            over += usize::from(["passed", "failed"].contains(&kind));
        }
        std::thread::sleep(Duration::from_micros(dice.below(20_000)));
        if child.0.try_wait().unwrap().is_some() {
            break;
        }
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        killed += 1;
        judge::mendable(&house.evidence());
        if killed % 20 == 0 {
            let seconds = begin.elapsed().as_secs();
            aloud(format_args!("killed {killed} times in {seconds} s; {over} runs are over"));
        }
    }
    let output = run().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    judge::passed_once(&house.evidence(), &jobs, &server.get("/simulator/log"));
    let told = judge::received_once(&house.evidence());
    let pulled = told.iter().filter(|one| **one == Purpose::AcknowledgeNotifications).count();
    assert_eq!(pulled > 0, pull, "{told:?}");
    aloud(format_args!(
        "killed at {killed} instants of a batch of {} scenarios, {pulled} acknowledgements: {:.1} s",
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
        "P6-DNXI-05",
        "P6-WCGB-01",
    ];
    let batch = Batch { scenarios: &scenarios, scale: 600.0, pull: false, most_news: 6 };
    let killed = story(&batch, 16, &mut Dice(1));
    assert!(killed >= 12, "only {killed} processes were killed");
}

/// A run taken up again has its movements listed first, so lives are longer.
#[test]
fn killed_at_random_instants_while_it_pulls_it_is_the_same_run() {
    let scenarios =
        ["P6-DNGB-02", "P6-DNGB-06", "P6-DNGB-08", "P6-ANGB-01", "P6-AGB-01", "P6-DNXI-05"];
    let batch = Batch { scenarios: &scenarios, scale: 100.0, pull: true, most_news: 16 };
    let killed = story(&batch, 4, &mut Dice(3));
    assert!(killed >= 3, "only {killed} processes were killed");
}

#[test]
#[ignore = "takes many minutes; see docs/testing.md"]
fn killed_at_200_random_instants_of_every_scenario() {
    let mut dice = Dice(2);
    let mut killed = 0;
    while killed < 200 {
        // Over two hundred lives, as much news as all scenarios have.
        let batch = Batch { scenarios: &["--all"], scale: 10.0, pull: false, most_news: 5 };
        killed += story(&batch, 200 - killed, &mut dice);
    }
}
