//! Killed at every recorded event of a batch: each life of the client dies at
//! the first moment at which none has died yet, so that every life gets one
//! step further than the one before.
//!
//! A moment is: a line is on disk and nothing else has happened since; or a
//! call has had its effect and no line says so. Between two moments of a run
//! nothing happens that another process could see. Torn writes and lost power
//! are the evidence store's own tests (`src/evidence/crash_tests.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use chrono::{DateTime, Utc};
use ctc_ready::catalogue::{Catalogue, Scenario};
use ctc_ready::clock::Clock;
use ctc_ready::hmrc::transport::Call;
use serde_json::Value;

use super::life::Life;
use super::world::{Blocking, ClientClock, Moment, timeless};
use super::{REPRESENTATIVE, Scratch, aloud, judge, side_by_side};

/// Names the life that a child process is to live.
const LIFE: &str = "CTC_READY_HARNESS_LIFE";

/// The test that a child process runs: it lives instead.
const CHILD: &str = "deaths::killed_at_every_event_it_is_the_same_run";

/// Knows at which moments a life has died, and dies at the others.
struct Reaper {
    evidence: PathBuf,
    thorough: bool,
    died_at: BTreeSet<String>,
    /// Every moment died at, a line each.
    deaths: File,
    files: BTreeMap<PathBuf, Watched>,
    /// Scenarios by the ids of their runs.
    scenarios: BTreeMap<String, String>,
}

/// A journal, as far as it was read.
#[derive(Default)]
struct Watched {
    length: u64,
    /// How often the run has moved on.
    progress: u32,
    /// What each exchange is for.
    purposes: BTreeMap<u64, String>,
}

impl Reaper {
    fn new(life: &Life) -> Self {
        let path = life.dir.join("deaths");
        let died_at = fs::read_to_string(&path).unwrap_or_default();
        let mut reaper = Self {
            evidence: life.evidence(),
            thorough: life.thorough,
            died_at: died_at.lines().map(str::to_owned).collect(),
            deaths: OpenOptions::new().append(true).create(true).open(path).unwrap(),
            files: BTreeMap::new(),
            scenarios: BTreeMap::new(),
        };
        // What earlier lives left is behind us.
        reaper.news();
        reaper
    }

    /// A line is about to be composed, or a call to leave: whatever was
    /// recorded last is on disk.
    fn recorded(&mut self) {
        for moment in self.news() {
            self.meet(moment);
        }
    }

    fn came_back(&mut self, call: &Call) {
        let body = String::from_utf8_lossy(call.body.as_deref().unwrap_or_default()).into_owned();
        if call.body.is_none() && !self.thorough {
            return;
        }
        let path = call.url.split('?').next().unwrap_or_default();
        let between = |from: &str, to: &str| {
            let rest = body.split_once(from)?.1;
            Some(rest.split_once(to)?.0.to_owned())
        };
        let lrn = between("<LRN>", "<").or_else(|| between("LRN: ", "\\n")).unwrap_or_default();
        self.meet(format!("answered {} {path} {lrn}", call.method.as_str()));
    }

    fn meet(&mut self, moment: String) {
        if self.died_at.contains(&moment) {
            return;
        }
        self.deaths.write_all(format!("{moment}\n").as_bytes()).unwrap();
        // As by SIGKILL: nothing is dropped, nothing is flushed.
        std::process::abort();
    }

    /// Moments of the lines that are new in the store.
    fn news(&mut self) -> Vec<String> {
        let runs = fs::read_dir(self.evidence.join("runs"));
        let journals = runs.into_iter().flatten().map(|run| run.unwrap().path());
        let journals = journals.map(|run| run.join("journal.jsonl"));
        let index = self.evidence.join("index.jsonl");
        let mut moments = Vec::new();
        for path in journals.chain([index]) {
            let Ok(length) = fs::metadata(&path).map(|data| data.len()) else { continue };
            let known = self.files.get(&path).map_or(0, |watched| watched.length);
            if length > known {
                self.read(path, known, &mut moments);
            }
        }
        moments
    }

    fn read(&mut self, path: PathBuf, from: u64, moments: &mut Vec<String>) {
        let mut file = File::open(&path).unwrap();
        file.seek(SeekFrom::Start(from)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let run = path.parent().and_then(|run| run.file_name()).unwrap().to_string_lossy();
        let watched = self.files.entry(path.clone()).or_default();
        watched.length = from + text.len() as u64;
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let field = |name: &str| match &line[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let kind = field("kind");
            if !line["scenario"].is_null() {
                let of = match line["run"].as_str() {
                    Some(run) => run.to_owned(),
                    None => run.clone().into_owned(),
                };
                let scenario = format!("{} {}", field("programme"), field("scenario"));
                self.scenarios.insert(of, scenario);
            }
            let of = line["run"].as_str().unwrap_or(&run);
            let scenario = self.scenarios.get(of).cloned().unwrap_or_default();
            let exchange = line["exchange"].as_u64().unwrap_or_default();
            if kind == "request" {
                watched.purposes.insert(exchange, field("purpose"));
            }
            let purpose = watched.purposes.get(&exchange).cloned().unwrap_or_default();
            if ["submitted", "received", "officer-asked", "balance-answered"]
                .contains(&kind.as_str())
            {
                watched.progress += 1;
            }
            let asks = ["list-movements", "list-messages", "get-message", "look-up"];
            let dull = kind == "run-resumed"
                || ["request", "response"].contains(&kind.as_str())
                    && asks.contains(&purpose.as_str());
            if dull && !self.thorough {
                continue;
            }
            let progress = watched.progress;
            let more = ["step", "message", "status", "found", "state"].map(field).join(" ");
            let place = if path.ends_with("index.jsonl") { "index" } else { "journal" };
            moments.push(format!("{place}: {scenario} +{progress} {kind} {purpose} {more}"));
        }
    }
}

/// The store's clock, which is asked whenever a line is composed.
struct Mortal {
    clock: Arc<ClientClock>,
    reaper: Arc<Mutex<Reaper>>,
}

impl Clock for Mortal {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn mono_ns(&self) -> u64 {
        self.reaper.lock().unwrap().recorded();
        self.clock.mono_ns()
    }
}

/// Lives the life that the environment names, if it names one.
fn live_as_a_child() -> bool {
    let Some(life) = std::env::var_os(LIFE) else { return false };
    let life: Life = serde_json::from_str(&life.into_string().unwrap()).unwrap();
    let reaper = Arc::new(Mutex::new(Reaper::new(&life)));
    let carriers = Arc::clone(&reaper);
    let carrier = Blocking(move |moment: Moment<'_>| match moment {
        Moment::Leaves => carriers.lock().unwrap().recorded(),
        Moment::CameBack(call) => carriers.lock().unwrap().came_back(call),
    });
    let mortal = |clock| -> Arc<dyn Clock> { Arc::new(Mortal { clock, reaper }) };
    let (outcome, notes) = life.live(Arc::new(carrier), mortal).unwrap();
    assert_eq!(outcome.stalled, [], "{notes:#?}");
    true
}

/// How a story went.
#[derive(Debug, Default)]
struct Story {
    scenarios: usize,
    deaths: usize,
    /// Messages that were taken.
    taken: usize,
    seconds: f64,
}

/// Lives one life after the other until the batch is over; then looks at what
/// there is.
fn story(jobs: &[(&str, &str)], thorough: bool) -> Story {
    let begin = Instant::now();
    let dir = Scratch::make();
    let server = timeless(&dir.path().join("time"));
    let life = Life { thorough, ..Life::new(dir.path(), &server.base_url, jobs) };
    let mut deaths = 0;
    loop {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([CHILD, "--exact", "--nocapture", "--test-threads=1"])
            .env(LIFE, serde_json::to_string(&life).unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        if output.status.success() {
            break;
        }
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(6), "{said}");
        deaths += 1;
        let met = fs::read_to_string(dir.path().join("deaths")).unwrap();
        assert_eq!(met.lines().count(), deaths, "every death is a moment of its own");
        // Looking takes about as long as a life.
        if deaths % 8 == 0 {
            judge::mendable(&life.evidence());
        }
    }
    let log = server.get("/simulator/log");
    judge::passed_once(&life.evidence(), &life.jobs, &log);
    let taken = log["submissions"].as_array().unwrap().len();
    let told =
        Story { scenarios: jobs.len(), deaths, taken, seconds: begin.elapsed().as_secs_f64() };
    if thorough {
        aloud(format_args!("{:?}: {told:?}", jobs.first()));
    }
    told
}

/// Tells several stories side by side, and their sum.
fn stories(of: Vec<Vec<(&str, &str)>>, thorough: bool) -> Story {
    let begin = Instant::now();
    let mut sum = Story::default();
    for told in side_by_side(of, |jobs| story(&jobs, thorough)) {
        sum.scenarios += told.scenarios;
        sum.deaths += told.deaths;
        sum.taken += told.taken;
    }
    sum.seconds = begin.elapsed().as_secs_f64();
    aloud(format_args!("killed at every event: {sum:?}"));
    sum
}

#[test]
fn killed_at_every_event_it_is_the_same_run() {
    if live_as_a_child() {
        return;
    }
    // Of one programme each: a life loads no others.
    let groups = REPRESENTATIVE.chunk_by(|one, other| one.0 == other.0);
    let groups = groups.flat_map(|group| group.chunks(4)).map(<[_]>::to_vec).collect();
    let told = stories(groups, false);
    assert!(told.deaths > 200, "{told:?}");
}

/// Every scenario of these programmes that is wanted, three at a time: what a
/// life reads grows with the lives before it.
fn every_scenario_of(programmes: &[&'static str], mut wanted: impl FnMut(&Scenario) -> bool) {
    let catalogue = Catalogue::built_in().unwrap();
    let scenarios =
        |programme| catalogue.scenarios(programme).iter().map(move |one| (programme, one));
    let all = programmes.iter().copied().flat_map(scenarios).filter(|(_, one)| wanted(one));
    let all: Vec<(&str, &str)> = all.map(|(programme, one)| (programme, one.id.as_str())).collect();
    let told = stories(all.chunks(3).map(<[_]>::to_vec).collect(), true);
    assert_eq!(told.scenarios, all.len());
    assert!(told.deaths > 10 * all.len(), "{told:?}");
}

/// Wants a scenario for a kind of step that none before it has: who acts in it,
/// and how.
fn of_a_new_kind() -> impl FnMut(&Scenario) -> bool {
    let mut seen = BTreeSet::new();
    move |scenario| {
        let kinds = scenario.step.iter().map(|step| {
            let answers = step.expect.iter().map(|expected| expected.message.is_refusal());
            let timed = step.deadline_minutes_after_ie015.is_some();
            format!("{:?} {} {timed} {:?}", step.send, step.officer.is_some(), answers.max())
        });
        kinds.map(|kind| seen.insert(kind)).fold(false, |any, new| any | new)
    }
}

#[test]
#[ignore = "takes many minutes; see docs/testing.md"]
fn killed_at_every_event_of_every_ncts6_scenario() {
    every_scenario_of(&["ncts6", "guarantee-balance"], |_| true);
}

#[test]
#[ignore = "takes many minutes; see docs/testing.md"]
fn killed_at_every_event_of_every_transition_scenario() {
    every_scenario_of(&["ncts5-transition"], |_| true);
}

#[test]
#[ignore = "takes many minutes; see docs/testing.md"]
fn killed_at_every_event_of_every_final_scenario() {
    every_scenario_of(&["ncts5-final"], |_| true);
}

/// A part of the two above, in a fraction of their time.
#[test]
#[ignore = "takes many minutes; see docs/testing.md"]
fn killed_at_every_event_of_every_kind_of_ncts5_step() {
    every_scenario_of(&["ncts5-transition", "ncts5-final"], of_a_new_kind());
}
