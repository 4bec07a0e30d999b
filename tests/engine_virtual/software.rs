//! Runs in which the software sends: killed at any moment, its command failing,
//! lying or living on, and movements that it made long before.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use ctc_ready::engine::Outcome;
use ctc_ready::engine::batch::Driving;
use ctc_ready::engine::command::{Ended, Order, Performing, Software};
use ctc_ready::evidence::{Actor, Event, NamedBy, RunRecord, RunState};
use ctc_ready::hmrc::transport::{Call, Carrier, Method};
use ctc_ready::ncts::build::Stamp;
use ctc_ready::ncts::{MessageType, MovementKind};
use ctc_ready::payload::{Payloads, Sources};

use crate::fake::{Bench, Fake, Replies, VirtualClock, is_post, normal, usual};
use crate::{assert_intact, assert_passed};

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// What it should.
    Well,
    /// Sends, and prints nothing.
    SendsInSilence,
    /// Sends, and ends badly.
    SendsAndFails,
    /// Ends badly at once.
    Fails,
    /// Says that all is well, and does nothing.
    Idles,
    /// Prints that it did something, in its own words.
    Chats,
    /// Sends, but only this long after it was to; nobody can stop it.
    Unstoppable(u64),
    /// Names this movement, and sends nothing.
    Names(u64),
}

/// Software that is made to send by a command.
struct Commanded {
    fake: Arc<Fake>,
    clock: Arc<VirtualClock>,
    /// What its first commands do; the rest does well.
    script: Mutex<Vec<Does>>,
    commands: AtomicUsize,
    most_at_once: AtomicUsize,
    at_once: Arc<AtomicUsize>,
    /// The LRN is its own.
    own_lrn: bool,
    /// How long it takes before it sends.
    takes: StdDuration,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

const ANSWERS: StdDuration = StdDuration::from_millis(100);
const TIMEOUT: StdDuration = StdDuration::from_secs(30);

fn base(kind: MovementKind) -> String {
    format!("https://test-api.service.hmrc.gov.uk/customs/transits/movements/{}", kind.plural())
}

async fn post(fake: &Fake, clock: &VirtualClock, url: String, xml: &str) -> serde_json::Value {
    let body = Some(xml.as_bytes().to_vec());
    let call = Call { method: Method::Post, url, headers: vec![], body };
    let answer = fake.carry(&call, clock).await.unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

impl Software for Commanded {
    fn program(&self) -> String {
        "software".into()
    }

    fn timeout(&self) -> StdDuration {
        TIMEOUT
    }

    fn perform<'a>(&'a self, order: &'a Order) -> Performing<'a> {
        self.commands.fetch_add(1, Ordering::SeqCst);
        let does = {
            let mut script = self.script.lock().unwrap();
            if script.is_empty() { Does::Well } else { script.remove(0) }
        };
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        let counted = Counted(Arc::clone(&self.at_once));
        Box::pin(async move {
            let _counted = counted;
            tokio::time::sleep(self.takes).await;
            let ended = |failure: Option<&str>, stdout: String| Ended {
                exit_code: Some(i32::from(failure.is_some())),
                failure: failure.map(str::to_owned),
                stdout: stdout.into_bytes(),
                stderr: failure.map_or(vec![], |_| b"no connection to the desk".to_vec()),
            };
            match does {
                Does::Fails => return ended(Some("it ended with exit code 1"), String::new()),
                Does::Idles => return ended(None, String::new()),
                Does::Chats => return ended(None, "ok, done".into()),
                Does::Names(id) => return ended(None, format!("{id:016x}")),
                _ => {}
            }
            let message: MessageType =
                order.variable("CTC_READY_MESSAGE").unwrap().parse().unwrap();
            let url = match order.variable("CTC_READY_MOVEMENT_ID") {
                Some(id) => format!("{}/{id}/messages", base(message.movement())),
                None => base(message.movement()),
            };
            let lrn = order.variable("CTC_READY_LRN").unwrap();
            let payload = match self.own_lrn {
                true => order.payload.replace(lrn, "OWN-LRN"),
                false => order.payload.clone(),
            };
            if let Does::Unstoppable(seconds) = does {
                let (fake, clock) = (Arc::clone(&self.fake), Arc::clone(&self.clock));
                tokio::spawn(async move {
                    tokio::time::sleep(StdDuration::from_secs(seconds)).await;
                    post(&fake, &clock, url, &payload).await
                });
                tokio::time::sleep(TIMEOUT).await;
                return ended(Some("it did not end within 30 seconds"), String::new());
            }
            let taken = post(&self.fake, &self.clock, url, &payload).await;
            tokio::time::sleep(ANSWERS).await;
            match does {
                Does::SendsInSilence => ended(None, String::new()),
                Does::SendsAndFails => ended(Some("it ended with exit code 1"), String::new()),
                _ => ended(None, format!("sent\n{taken}\n")),
            }
        })
    }
}

/// The course of pre-lodged goods, too: nothing comes before they are there.
fn patient(kind: &str) -> Replies {
    match kind {
        "IE015" => normal(kind),
        other => usual(other),
    }
}

/// A bench whose software is made to send by a command.
fn commanded(bench: Bench, script: &[Does]) -> (Bench, Arc<Commanded>) {
    with_software(bench, script, 1, false, ANSWERS)
}

fn with_software(
    mut bench: Bench,
    script: &[Does],
    parallel: usize,
    own_lrn: bool,
    takes: StdDuration,
) -> (Bench, Arc<Commanded>) {
    let software = Arc::new(Commanded {
        fake: Arc::clone(&bench.fake),
        clock: Arc::clone(&bench.clock),
        script: Mutex::new(script.to_vec()),
        commands: AtomicUsize::new(0),
        most_at_once: AtomicUsize::new(0),
        at_once: Arc::default(),
        own_lrn,
        takes,
    });
    let acts: Arc<dyn Software> = software.clone();
    bench.driving = Driving::Command { software: acts, parallel };
    (bench, software)
}

impl Commanded {
    fn commands(&self) -> usize {
        self.commands.load(Ordering::SeqCst)
    }
}

fn record(bench: &Bench, outcome: &Outcome) -> RunRecord {
    bench.store().run(outcome.runs[0].run).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_command_sends_and_we_never_do() {
    let (mut bench, software) = commanded(Bench::new(usual), &[]);
    let outcome = bench.run(vec![bench.job("ASGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    assert_eq!(bench.posts(), ["IE015", "IE007", "IE044"]);
    assert_eq!(software.commands(), 3);
    let record = record(&bench, &outcome);
    assert_eq!(record.driver.as_str(), "command");
    // Every time is the API's own.
    let world = bench.world();
    let mut told = world.movements.iter().flat_map(|movement| &movement.messages);
    for message in &record.messages {
        let at = told.clone().find(|it| it.id == message.message_id).unwrap().at;
        assert_eq!((message.at, message.received), (at, Some(at)), "{}", message.message);
    }
    assert_eq!(record.first_submission(), Some(told.next().unwrap().at));
    // The list of its movement names each message sent, and one of NCTS at most
    // comes with it.
    assert!(outcome.requests < 30, "{}", outcome.requests);
}

#[tokio::test(start_paused = true)]
async fn a_message_counts_however_its_command_ended() {
    for does in [Does::SendsInSilence, Does::SendsAndFails] {
        let (mut bench, software) = commanded(Bench::new(usual), &[does, does, does]);
        let outcome = bench.run(vec![bench.job("ASGB1")], true).await.unwrap();
        assert_passed(&outcome);
        assert_eq!(bench.posts(), ["IE015", "IE007", "IE044"], "{does:?}");
        assert_eq!(software.commands(), 3);
        let events = bench.events(outcome.runs[0].run);
        let named = events.iter().filter_map(|line| match &line.event {
            Event::MovementNamed(named) => Some(named.by),
            _ => None,
        });
        assert_eq!(named.collect::<Vec<_>>(), [NamedBy::Reference; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_fails_is_told_and_called_again_only_when_asked_to() {
    for (does, told) in [
        (Does::Fails, "exit code 1: no connection to the desk"),
        (Does::Chats, "names no departure"),
    ] {
        let (mut bench, software) = commanded(Bench::new(usual), &[does]);
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_eq!(outcome.stalled.len(), 1, "{does:?}");
        assert!(outcome.stalled[0].1.contains(told), "{:?}", outcome.stalled);
        assert_eq!((software.commands(), bench.posts().len()), (1, 0));
        let run = outcome.runs[0].run;
        assert_eq!(outcome.runs[0].state, RunState::Waiting);
        // Mended, the same run goes on.
        assert_passed(&bench.resume("DSGB1", run, true).await);
        assert_eq!((software.commands(), bench.posts().len()), (2, 1));
        assert_intact(&bench);
    }
}

/// Whether it is a lie or the token is of another trader, the API does not say.
#[tokio::test(start_paused = true)]
async fn a_movement_that_cannot_be_seen_is_not_sent_again() {
    let hidden = Arc::new(AtomicUsize::new(1));
    let hides = Arc::clone(&hidden);
    let bench = Bench::hooked(move |call, _| {
        let asks = call.url.contains("/messages?") && hides.load(Ordering::SeqCst) > 0;
        asks.then(|| Ok(crate::answer(404, r#"{"code":"NOT_FOUND","message":"?"}"#)))
    });
    let (mut bench, software) = commanded(bench, &[]);
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert!(outcome.stalled[0].1.contains("the trader of our token"), "{:?}", outcome.stalled);
    let run = outcome.runs[0].run;
    assert_eq!(bench.resume("DSGB1", run, true).await.stalled.len(), 1);
    hidden.store(0, Ordering::SeqCst);
    assert_passed(&bench.resume("DSGB1", run, true).await);
    assert_eq!((software.commands(), bench.posts().len()), (1, 1));

    let (mut bench, software) = commanded(Bench::new(usual), &[Does::Idles]);
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert!(outcome.stalled[0].1.contains("no such message"), "{:?}", outcome.stalled);
    let run = outcome.runs[0].run;
    assert_eq!(bench.resume("DSGB1", run, true).await.stalled, outcome.stalled);
    assert_eq!((software.commands(), bench.posts().len()), (1, 0));
}

/// Killed at any moment, before, while and after the command runs: what it has
/// sent is found, and it is never made to send twice.
#[tokio::test(start_paused = true)]
async fn whenever_it_is_killed_nothing_is_sent_twice() {
    for milliseconds in (0..2_400).step_by(80) {
        let (mut bench, _) = commanded(Bench::new(patient), &[]);
        let jobs = vec![bench.job("PSGB1")];
        let life = StdDuration::from_millis(milliseconds);
        let whole = tokio::time::timeout(life, bench.run(jobs, true)).await;
        if whole.is_err() {
            // It may die a second time, on the way.
            let run = bench.only_run();
            let life = StdDuration::from_millis(milliseconds / 2);
            let again = bench.resume("PSGB1", run, true);
            if tokio::time::timeout(life, again).await.is_err() {
                assert_passed(&bench.resume("PSGB1", run, true).await);
            }
        }
        assert_eq!(bench.posts(), ["IE015", "IE170"], "killed after {milliseconds} ms");
        assert_intact(&bench);
    }
}

/// The toolkit was killed, and what it started lives on and sends later.
#[tokio::test(start_paused = true)]
async fn a_command_that_outlives_us_is_given_its_time() {
    for seconds in [1, 10, 29] {
        let script = [Does::Unstoppable(seconds)];
        let (mut bench, software) = commanded(Bench::new(usual), &script);
        let jobs = vec![bench.job("DSGB1")];
        let life = StdDuration::from_millis(500);
        assert!(tokio::time::timeout(life, bench.run(jobs, true)).await.is_err());
        assert_eq!(bench.posts().len(), 0);
        let run = bench.only_run();
        assert_passed(&bench.resume("DSGB1", run, true).await);
        assert_eq!((bench.posts().len(), software.commands()), (1, 1), "{seconds} s");
    }
}

/// Killed before it could send, and nothing of it lives on.
#[tokio::test(start_paused = true)]
async fn a_command_of_which_nothing_came_is_called_again() {
    let (mut bench, software) = commanded(Bench::new(usual), &[]);
    let jobs = vec![bench.job("DSGB1")];
    let life = StdDuration::from_millis(50);
    assert!(tokio::time::timeout(life, bench.run(jobs, true)).await.is_err());
    assert_eq!((bench.posts().len(), software.commands()), (0, 1));
    let run = bench.only_run();
    let began = bench.clock.true_now();
    assert_passed(&bench.resume("DSGB1", run, true).await);
    assert_eq!((bench.posts().len(), software.commands()), (1, 2));
    let declared = bench.world().movements[0].messages[0].at;
    assert!(declared - began > Duration::seconds(30), "its time had not passed");
}

#[tokio::test(start_paused = true)]
async fn commands_run_one_at_a_time_or_as_many_as_may() {
    for parallel in [1, 2] {
        let (mut bench, software) =
            with_software(Bench::new(patient), &[], parallel, false, ANSWERS);
        let jobs = ["PSGB1", "PSXI1"].map(|id| bench.job(id)).into();
        let outcome = bench.run(jobs, true).await.unwrap();
        assert_passed(&outcome);
        assert_eq!(software.most_at_once.load(Ordering::SeqCst), parallel);
        assert_eq!(software.commands(), 4);
    }
}

/// The IE170 of pre-lodged goods does not wait for everyone else's IE015.
#[tokio::test(start_paused = true)]
async fn a_command_with_a_deadline_goes_first() {
    let slow = StdDuration::from_secs(600);
    let (mut bench, _) = with_software(Bench::new(patient), &[], 1, false, slow);
    let ids = ["PSGB1", "DNGB1", "DNXI1", "DNGB2", "DNXI2", "DNGB3"];
    let jobs = ids.map(|id| bench.job(id)).into();
    let outcome = bench.run(jobs, false).await.unwrap();
    assert_eq!(bench.posts()[..4], ["IE015", "IE015", "IE170", "IE015"]);
    assert_eq!(outcome.runs[0].state, RunState::Passed);
}

#[tokio::test(start_paused = true)]
async fn an_lrn_of_its_own_is_the_runs() {
    let (mut bench, _) = with_software(Bench::new(usual), &[], 1, true, ANSWERS);
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_eq!(outcome.runs[0].lrn.as_deref(), Some("OWN-LRN"));
}

#[tokio::test(start_paused = true)]
async fn a_movement_of_another_run_or_from_before_is_no_evidence() {
    // The second names the first one's movement.
    let (mut bench, _) = commanded(Bench::new(usual), &[Does::Well, Does::Names(1)]);
    let jobs = vec![bench.job("DSGB1"), bench.job("DSXI1")];
    let outcome = bench.run(jobs, true).await.unwrap();
    assert_eq!(outcome.runs[0].state, RunState::Passed);
    assert!(outcome.stalled[0].1.contains("that of DSGB1"), "{:?}", outcome.stalled);

    // A later batch names it again.
    tokio::time::sleep(StdDuration::from_secs(3_600)).await;
    let (mut bench, _) = commanded(bench, &[Does::Names(1)]);
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    let failure = outcome.runs[0].failure.as_ref().unwrap();
    assert!(failure.message.contains("before the command was started"), "{}", failure.message);
}

/// Sends a step's message as software would that acts by itself; `change`
/// changes its text.
async fn sends(
    bench: &Bench,
    scenario: &str,
    step: u32,
    movement: Option<&str>,
    change: impl Fn(String) -> String,
) -> String {
    let job = bench.job(scenario);
    let message = job.scenario.step[step as usize - 1].send.unwrap();
    let stamp = Stamp {
        message,
        lrn: "SOFTWARES-LRN".into(),
        mrn: Some("26GB000246AL65TIJ5".into()),
        message_identification: format!("{}", bench.world().calls.len()),
        message_sender: None,
        now: bench.clock.true_now(),
    };
    let payloads = Payloads::new(Sources::default(), &bench.catalogue).unwrap();
    let payload = payloads.prepare(&job.programme, &job.scenario, step, &stamp).unwrap();
    let url = match movement {
        Some(id) => format!("{}/{id}/messages", base(message.movement())),
        None => base(message.movement()),
    };
    let taken = post(&bench.fake, &bench.clock, url, &change(payload.xml)).await;
    taken[message.movement().id_field()].as_str().unwrap().to_owned()
}

fn as_it_is(text: String) -> String {
    text
}

fn collects(bench: &mut Bench, departure: &str, arrival: Option<&str>) {
    let departure = Some((MovementKind::Departure, departure.to_owned()));
    let arrival = arrival.map(|id| (MovementKind::Arrival, id.to_owned()));
    let movements = departure.into_iter().chain(arrival).collect();
    bench.driving = Driving::Collect { movements };
}

async fn collect(bench: &mut Bench, scenario: &str) -> Outcome {
    let posts = bench.posts();
    let outcome = bench.run(vec![bench.job(scenario)], false).await.unwrap();
    assert_eq!(bench.posts(), posts, "nothing is ever sent");
    assert_eq!(outcome.stalled, []);
    assert_intact(bench);
    outcome
}

fn reason(outcome: &Outcome) -> &str {
    outcome.runs[0].failure.as_ref().map_or("none", |failure| failure.reason.as_str())
}

async fn hours(hours: u64) {
    tokio::time::sleep(StdDuration::from_secs(hours * 3_600)).await;
}

#[tokio::test(start_paused = true)]
async fn a_movement_of_long_ago_is_judged_by_the_apis_times() {
    for known in [true, false] {
        let mut bench = Bench::new(usual);
        let declared = bench.clock.true_now();
        let departure = sends(&bench, "ASGB1", 1, None, as_it_is).await;
        hours(1).await;
        let arrival = sends(&bench, "ASGB1", 2, None, as_it_is).await;
        hours(1).await;
        sends(&bench, "ASGB1", 3, Some(&arrival), as_it_is).await;
        hours(9 * 24).await;
        // Without its id, the arrival is found by the MRN.
        collects(&mut bench, &departure, known.then_some(arrival.as_str()));
        let outcome = collect(&mut bench, "ASGB1").await;
        assert_passed(&outcome);
        let record = record(&bench, &outcome);
        assert_eq!(record.driver.as_str(), "collect");
        assert_eq!(record.first_submission(), Some(declared));
        let at = |message: MessageType| record.message(message).unwrap().at;
        assert_eq!(at(MessageType::Ie015), declared);
        assert_eq!(at(MessageType::Ie029), declared + Duration::minutes(45));
        assert!(at(MessageType::Ie044) < record.opened - Duration::days(8));
        // The list of each movement, each message, and little more.
        assert!(outcome.requests <= 14, "{}", outcome.requests);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_over_goes_on_when_it_is_collected_again() {
    let mut bench = Bench::new(usual);
    let departure = sends(&bench, "ASGB1", 1, None, as_it_is).await;
    hours(1).await;
    collects(&mut bench, &departure, None);
    // The software has not sent the arrival notification yet.
    let outcome = collect(&mut bench, "ASGB1").await;
    let waiting = outcome.runs[0].waiting_for.clone().unwrap();
    assert_eq!(waiting.actor, Actor::You);
    assert!(waiting.what.contains("IE007 of step 2"), "{}", waiting.what);
    let run = outcome.runs[0].run;
    hours(24).await;
    let arrival = sends(&bench, "ASGB1", 2, None, as_it_is).await;
    let outcome = bench.resume("ASGB1", run, false).await;
    let waiting = outcome.runs[0].waiting_for.clone().unwrap();
    assert!(waiting.what.contains("IE044 of step 3"), "{}", waiting.what);
    sends(&bench, "ASGB1", 3, Some(&arrival), as_it_is).await;
    // With `--wait` it stays until it is over.
    assert_passed(&bench.resume("ASGB1", run, true).await);
    assert_eq!(bench.posts(), ["IE015", "IE007", "IE044"]);
}

#[tokio::test(start_paused = true)]
async fn a_timer_and_officers_are_waited_for_like_in_any_run() {
    let mut bench = Bench::new(usual);
    let departure = sends(&bench, "DSGB1", 1, None, as_it_is).await;
    hours(0).await;
    collects(&mut bench, &departure, None);
    assert_passed(&bench.run(vec![bench.job("DSGB1")], true).await.unwrap());

    let mut bench = Bench::new(normal);
    let departure = sends(&bench, "DNGB1", 1, None, as_it_is).await;
    tokio::time::sleep(StdDuration::from_secs(60)).await;
    collects(&mut bench, &departure, None);
    let outcome = collect(&mut bench, "DNGB1").await;
    assert_eq!(outcome.runs[0].waiting_for.as_ref().unwrap().actor, Actor::Officer);
    assert_eq!(bench.watcher.mails.len(), 1);
    let now = bench.clock.true_now();
    bench.world().bring(0, "IE028", now);
    bench.world().bring(0, "IE029", now);
    hours(1).await;
    let run = outcome.runs[0].run;
    assert_passed(&bench.resume("DNGB1", run, false).await);

    // What the officers did long ago, nobody asks them for.
    collects(&mut bench, &departure, None);
    assert_passed(&collect(&mut bench, "DNGB1").await);
    assert_eq!(bench.watcher.mails.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_test_case_is_not_the_scenarios() {
    let pre_lodged = |text: String| {
        text.replace("<additionalDeclarationType>A<", "<additionalDeclarationType>D<")
    };
    let mut bench = Bench::new(usual);
    let departure = sends(&bench, "DSGB1", 1, None, pre_lodged).await;
    hours(1).await;
    collects(&mut bench, &departure, None);
    let outcome = collect(&mut bench, "DSGB1").await;
    assert_eq!(reason(&outcome), "other-test-case");
    let failure = outcome.runs[0].failure.clone().unwrap();
    assert!(failure.message.contains("it is pre-lodged"), "{}", failure.message);

    // What the scenario changes must be changed: here, the guarantee.
    let replies = |kind: &str| match kind {
        "IE015" => ["IE928", "IE028", "IE055", "IE051"]
            .iter()
            .zip(1..)
            .map(|(reply, nth)| (*reply, Duration::minutes(nth)))
            .collect(),
        _ => vec![],
    };
    for (grn, wanted) in [("24GB0000010000031", "other-test-case"), ("24GB0000012345670", "none")] {
        let mut bench = Bench::new(replies);
        let other = |text: String| text.replace("24GB0000019999990", grn);
        let departure = sends(&bench, "DSGB9", 1, None, other).await;
        hours(2).await;
        collects(&mut bench, &departure, None);
        let outcome = collect(&mut bench, "DSGB9").await;
        assert_eq!(reason(&outcome), wanted, "{grn}: {:?}", outcome.runs[0].failure);
    }
}

#[tokio::test(start_paused = true)]
async fn data_that_is_not_hmrcs_is_noted_and_no_failure() {
    let mut bench = Bench::new(usual);
    let other = |text: String| text.replace("<security>0<", "<security>2<");
    let departure = sends(&bench, "DSGB1", 1, None, other).await;
    hours(1).await;
    collects(&mut bench, &departure, None);
    let outcome = collect(&mut bench, "DSGB1").await;
    assert_passed(&outcome);
    let events = bench.events(outcome.runs[0].run);
    let noted = events.iter().find_map(|line| match &line.event {
        Event::MessageNoted(noted) => Some(noted),
        _ => None,
    });
    let noted = noted.unwrap();
    assert_eq!((noted.step, &noted.contradiction), (Some(1), &None));
    assert!(noted.notes[0].contains("`TransitOperation/security` is `2`"), "{:?}", noted.notes);
    assert!(bench.watcher.notes.iter().any(|note| note.contains("security")));
}

/// Sends an IE014 for a movement that its scenario does not have, or has
/// earlier.
async fn cancels(bench: &Bench, departure: &str) {
    sends(bench, "DSGB4", 2, Some(departure), as_it_is).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_scenario_does_not_have_ends_it_unless_it_was_over() {
    for (minutes, wanted) in [(10, "unexpected-submission"), (50, "none")] {
        let mut bench = Bench::new(usual);
        let departure = sends(&bench, "DSGB1", 1, None, as_it_is).await;
        tokio::time::sleep(StdDuration::from_secs(minutes * 60)).await;
        cancels(&bench, &departure).await;
        hours(2).await;
        collects(&mut bench, &departure, None);
        let outcome = collect(&mut bench, "DSGB1").await;
        assert_eq!(reason(&outcome), wanted, "after {minutes} minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_came_too_late_or_never_is_judged_as_in_any_run() {
    // The goods were released before the IE014 was sent.
    let mut bench = Bench::new(usual);
    let departure = sends(&bench, "DSGB4", 1, None, as_it_is).await;
    tokio::time::sleep(StdDuration::from_secs(50 * 60)).await;
    cancels(&bench, &departure).await;
    let now = bench.clock.true_now();
    bench.world().bring(0, "IE009", now + Duration::minutes(1));
    hours(2).await;
    collects(&mut bench, &departure, None);
    let outcome = collect(&mut bench, "DSGB4").await;
    assert_eq!(reason(&outcome), "deadline-missed");

    // NCTS refused the declaration, so that nothing can arrive.
    let mut bench = Bench::new(|_| vec![("IE056", Duration::seconds(2))]);
    let departure = sends(&bench, "ASGB1", 1, None, as_it_is).await;
    hours(1).await;
    collects(&mut bench, &departure, None);
    assert_eq!(reason(&collect(&mut bench, "ASGB1").await), "rejected");

    // It was never sent.
    let mut bench = Bench::new(normal);
    let departure = sends(&bench, "PSGB1", 1, None, as_it_is).await;
    hours(2).await;
    collects(&mut bench, &departure, None);
    assert_eq!(reason(&collect(&mut bench, "PSGB1").await), "deadline-missed");
}

/// A refused declaration leaves a movement with the same LRN behind.
#[tokio::test(start_paused = true)]
async fn an_answer_that_tells_nothing_decides_nothing() {
    let mut looks = 0;
    let bench = Bench::hooked(move |call, _| {
        if is_post(call) || !call.url.contains("/messages?") {
            return None;
        }
        looks += 1;
        match looks {
            1 => Some(Ok(crate::answer(503, "{}"))),
            2 => Some(Ok(crate::answer(200, "<html>"))),
            _ => None,
        }
    });
    let (mut bench, software) = commanded(bench, &[Does::SendsAndFails]);
    // It printed nothing, so that the movement is looked for by its LRN first.
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_eq!((software.commands(), bench.posts().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_to_send_while_trader_test_is_closed() {
    let (mut bench, software) = commanded(Bench::new(usual), &[]);
    // Sunday.
    bench.clock.set(Duration::days(-1));
    let closed: DateTime<Utc> = bench.clock.true_now() - Duration::days(1);
    assert_eq!(closed.format("%a").to_string(), "Sun");
    let outcome = bench.run(vec![bench.job("DSGB1")], false).await.unwrap();
    assert_eq!(outcome.runs[0].waiting_for.as_ref().unwrap().actor, Actor::OpeningHours);
    assert_eq!(software.commands(), 0);
}
