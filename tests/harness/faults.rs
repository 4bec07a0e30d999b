//! Batches under every kind of fault that the simulator knows, over real
//! sockets: each run passes, the batch ends, and nothing is sent twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ctc_ready::catalogue::Catalogue;
use ctc_ready::clock::{Clock, SystemClock};
use ctc_ready::engine::batch::{Job, Options};
use ctc_ready::engine::tempo::Tempo;
use ctc_ready::engine::{Batch, BatchError};
use ctc_ready::evidence::{RunRecord, RunState, StoreWriter};
use ctc_ready::ncts::MessageType;
use ctc_ready::payload::{Payloads, Sources};
use ctc_ready::simulator::{Faults, SimulatorOptions};
use serde_json::Value;

use super::house::all;
use super::life::{Life, Notes, TOOL, options};
use super::world::{Blocking, FileTime, Moment, Server};
use super::{REPRESENTATIVE, Scratch, aloud, judge, side_by_side};

/// Every kind of fault, each now and then. Byte by byte, a long list would take
/// until the client has waited long enough, which is half an hour at the pace of
/// these batches: what drips is short.
const FAULTS: &str = r#"
[[fault]]
name = "a slow answer"
do = "delay"
seconds = 0.2
probability = 0.05

[[fault]]
name = "a byte at a time"
do = "drip"
milliseconds = 1
path = "/customs/transits/movements/*/*/messages"
probability = 0.05

[[fault]]
name = "a clock that is wrong"
do = "clock-skew"
seconds = -7
probability = 0.2

[[fault]]
name = "a clock that is far ahead"
do = "clock-skew"
seconds = 40
probability = 0.05

[[fault]]
name = "fields that nobody knows"
do = "extra-fields"
probability = 0.3

[[fault]]
name = "a token that has expired"
do = "expired-token"
probability = 0.004
path = "/customs/**"

[[fault]]
name = "too many requests"
do = "status"
status = 429
retry-after = 1
probability = 0.01

[[fault]]
name = "an error, nothing taken"
do = "status"
status = 500
probability = 0.03

[[fault]]
name = "an error, though taken"
do = "status"
status = 500
taken = true
probability = 0.03

[[fault]]
name = "a bad gateway"
do = "status"
status = 502
taken = true
probability = 0.02

[[fault]]
name = "out of order"
do = "status"
status = 503
html = true
probability = 0.02

[[fault]]
name = "a gateway that gave up waiting"
do = "status"
status = 504
taken = true
probability = 0.03

[[fault]]
name = "reset before anything"
do = "reset"
probability = 0.03

[[fault]]
name = "reset after the effect"
do = "reset"
taken = true
probability = 0.03

[[fault]]
name = "closed before anything"
do = "close"
probability = 0.02

[[fault]]
name = "closed after the effect"
do = "close"
taken = true
probability = 0.02

[[fault]]
name = "half an answer"
do = "truncate"
probability = 0.03

[[fault]]
name = "half an answer in chunks"
do = "truncate"
chunked = true
probability = 0.02

[[fault]]
name = "an answer without a body"
do = "empty"
probability = 0.02

[[fault]]
name = "an answer of another type"
do = "wrong-type"
content-type = "text/plain"
probability = 0.05

[[fault]]
name = "a list that counts wrongly"
do = "wrong-total"
by = 3
probability = 0.1

[[fault]]
name = "a message told twice"
do = "duplicate"
seconds = 20
probability = 0.1

[[fault]]
name = "a message seen late"
do = "late"
seconds = 25
probability = 0.1

[[fault]]
name = "a message after the next"
do = "out-of-order"
seconds = 30
probability = 0.1
"#;

/// Every kind that a file of faults may name.
const KINDS: [&str; 15] = [
    "delay",
    "status",
    "reset",
    "close",
    "truncate",
    "drip",
    "clock-skew",
    "expired-token",
    "wrong-type",
    "empty",
    "extra-fields",
    "wrong-total",
    "duplicate",
    "late",
    "out-of-order",
];

/// Forty-five minutes in thirteen seconds: much may go wrong in that time.
const SCALE: f64 = 200.0;

/// Forty-five minutes in more than two, for many scenarios at once.
const LONG: f64 = 20.0;

/// A minute in twelve seconds, for questions that must be asked twice in one.
const SLOW: f64 = 5.0;

/// The longest a batch may take: well beyond its longest timers.
const BOUND: Duration = Duration::from_secs(900);

/// Runs a batch again and again, as its user would, until every run is over.
/// Returns the kinds of faults that struck, and how many did.
fn story(jobs: &[(&str, &str)], scale: f64, seed: u64) -> (BTreeSet<String>, usize) {
    let begin = Instant::now();
    let dir = Scratch::make();
    let evidence = dir.path().join("evidence");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let simulated = SimulatorOptions {
        time_scale: scale,
        requests_per_second: None,
        faults: Some(Faults::parse("faults.toml", &format!("seed = {seed}\n{FAULTS}")).unwrap()),
        ..SimulatorOptions::default()
    };
    let server = Server::start(simulated, Arc::clone(&clock));
    let catalogue = Catalogue::built_in().unwrap();
    let payloads = Payloads::new(Sources::default(), &catalogue).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut batches, mut stopped) = (0, Vec::new());
    loop {
        let mut store = StoreWriter::open(&evidence, Arc::clone(&clock), TOOL).unwrap();
        let runs = store.read().unwrap().runs().unwrap();
        let open = jobs.iter().filter_map(|(programme, scenario)| {
            let of = |run: &&_| same(run, programme, scenario);
            let run = runs.iter().find(of);
            let open = run.is_none_or(|run| run.state == RunState::Waiting);
            open.then(|| Job {
                programme: catalogue.programme(programme).unwrap().clone(),
                scenario: catalogue.scenario(programme, scenario).unwrap().clone(),
                resume: run.map(|run| run.run),
            })
        });
        let open: Vec<Job> = open.collect();
        if open.is_empty() {
            break;
        }
        batches += 1;
        assert!(batches <= 40, "seed {seed}: it does not get on: {stopped:#?}");
        let mut notes = Notes::default();
        let how = Options {
            requests_per_second: 3.0,
            ..options(&server.base_url, Tempo::faster_by(scale))
        };
        let clock = Arc::clone(&clock);
        let batch = Batch::new(&mut store, &payloads, clock, &mut notes, how).unwrap();
        let ended = runtime.block_on(async { tokio::time::timeout(BOUND, batch.run(open)).await });
        match ended.unwrap_or_else(|_| panic!("seed {seed}: the batch hangs: {notes:#?}")) {
            Ok(outcome) => stopped.extend(outcome.stalled),
            // A person gets another token.
            Err(BatchError::Unauthorised(why)) => stopped.push((String::new(), why)),
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    let log = server.get("/simulator/log");
    std::fs::write(dir.path().join("log.json"), log.to_string()).unwrap();
    let names: Vec<_> = jobs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let runs = judge::first_attempts(&evidence, &names);
    judge::taken_once(&runs, &log);
    let failed: Vec<_> = runs.iter().filter(|run| run.state != RunState::Passed).collect();
    for run in &failed {
        assert!(failed_as_it_should(run, &log), "seed {seed}: {}: {run:#?}", run.scenario);
    }
    let struck = log["faults"].as_array().unwrap();
    aloud(format_args!(
        "{} scenarios under {} faults (seed {seed}): {batches} batches, {} found \
         messages in a wrong order, {:.1} s",
        jobs.len(),
        struck.len(),
        failed.len(),
        begin.elapsed().as_secs_f64()
    ));
    let kinds = struck.iter().map(|one| one["do"].as_str().unwrap().to_owned()).collect();
    (kinds, struck.len())
}

/// Whether a run failed since NCTS told one of its messages after the next, and
/// said so of just that message: by the API's own times, there is no other way
/// to see it.
fn failed_as_it_should(run: &RunRecord, log: &Value) -> bool {
    let Some(failure) = &run.failure else { return false };
    let movements: BTreeSet<&str> = log["submissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| {
            let of = |field: &str, own: &Option<String>| {
                own.is_some() && one[field].as_str() == own.as_deref()
            };
            of("lrn", &run.lrn) || of("mrn", &run.mrn)
        })
        .filter_map(|one| one["movementId"].as_str())
        .collect();
    let mut behind = log["faults"].as_array().unwrap().iter().filter(|one| {
        one["do"] == "out-of-order"
            && one["movementId"].as_str().is_some_and(|id| movements.contains(id))
    });
    behind.any(|one| {
        let message = one["messageType"].as_str().unwrap();
        match failure.reason.as_str() {
            "out-of-order" => failure.message.contains(&format!(" came before the {message}, ")),
            // Of two releases, only what they say tells one from the other.
            "unexpected-release" => {
                message == "IE025" && failure.answer == Some(MessageType::Ie025)
            }
            _ => false,
        }
    })
}

fn same(run: &RunRecord, programme: &str, scenario: &str) -> bool {
    run.programme == programme && run.scenario == scenario
}

/// A message that appears late behind another, and so changes nothing in the
/// list of movements.
#[test]
fn a_message_that_appears_behind_others_is_found() {
    let dir = Scratch::make();
    let late = "[[fault]]\ndo = \"late\"\nmessage = \"IE060\"\nseconds = 50";
    let options = SimulatorOptions {
        requests_per_second: None,
        faults: Some(Faults::parse("faults.toml", late).unwrap()),
        ..SimulatorOptions::default()
    };
    let time = FileTime::create(&dir.path().join("time"));
    let server = Server::start(options, Arc::new(time));
    let life = Life::new(dir.path(), &server.base_url, &[("ncts6", "P6-DNGB-04")]);
    life.live(Arc::new(Blocking(|_: Moment<'_>| ())), |clock| clock).unwrap();
    let log = server.get("/simulator/log");
    assert_eq!(log["faults"].as_array().map(Vec::len), Some(1), "{log:#}");
    judge::passed_once(&life.evidence(), &life.jobs, &log);
}

#[test]
fn under_every_kind_of_fault_nothing_hangs_and_nothing_is_sent_twice() {
    let seed = std::env::var("CTC_READY_SEED").map_or(1, |seed| seed.parse().unwrap());
    // An hour of waiting for another guarantee is for the long form.
    let short = REPRESENTATIVE.iter().filter(|(_, id)| *id != "P6-DSGB-07");
    let twice = |(_, id): &(&str, &str)| *id == "Scenario 2 GB";
    let (slow, fast): (Vec<_>, Vec<_>) = short.partition(|job| twice(job));
    let batches = vec![(fast, SCALE), (slow, SLOW)];
    let told = side_by_side(batches, |(jobs, scale)| story(&jobs, scale, seed));
    let struck: usize = told.iter().map(|(_, struck)| struck).sum();
    assert!(struck > 50, "{struck}");
}

#[test]
#[ignore = "takes many minutes; see docs/testing.md"]
fn under_every_kind_of_fault_every_scenario_passes() {
    let batches =
        (1..=6).flat_map(|seed| [("ncts6", LONG, seed), ("guarantee-balance", SLOW, seed)]);
    let told = side_by_side(batches.collect(), |(programme, scale, seed)| {
        let all = all(programme);
        let jobs: Vec<_> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        story(&jobs, scale, seed)
    });
    let kinds: BTreeSet<String> = told.into_iter().flat_map(|(kinds, _)| kinds).collect();
    assert_eq!(kinds, KINDS.map(str::to_owned).into());
}
