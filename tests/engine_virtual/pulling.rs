//! News from a box of notifications: what is told twice, late, in the wrong
//! order or never; boxes and tokens that fail; and a process that dies between
//! a message and its acknowledgement.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use ctc_ready::engine::BatchError;
use ctc_ready::evidence::{Event, Purpose, RunId};
use ctc_ready::hmrc::transport::{Answer, Call, Method, NoAnswer};

use crate::boxes::{SECRET, id_of, is_acknowledgement, is_pull, is_token};
use crate::fake::{Bench, Replies, World, answer, lost, normal, script, slow_for_xi, usual};
use crate::{assert_intact, assert_passed};

type Hooked = Option<Result<Answer, NoAnswer>>;

fn pulling(mut bench: Bench) -> Bench {
    bench.world().notifying();
    bench.pull = true;
    bench
}

fn hooked(hook: impl FnMut(&Call, &mut World) -> Hooked + Send + 'static) -> Bench {
    pulling(Bench::hooked(hook))
}

/// Calls that match.
fn count(bench: &Bench, part: &str) -> usize {
    bench.world().calls.iter().filter(|(_, call)| call.contains(part)).count()
}

/// How often a run's journal has requests for this.
fn requests(bench: &Bench, run: RunId, purpose: Purpose) -> usize {
    let events = bench.events(run);
    let asked = events.iter().filter(
        |line| matches!(&line.event, Event::Request(request) if request.purpose == purpose),
    );
    asked.count()
}

/// Every message of NCTS that a run's journal tells of, by its id.
fn received(bench: &Bench, run: RunId) -> Vec<String> {
    let events = bench.events(run).into_iter();
    let received = events.filter_map(|line| match line.event {
        Event::Received(received) => Some(received.message_id),
        _ => None,
    });
    received.collect()
}

/// Nothing is told of that was not taken, and everything taken is told of.
#[track_caller]
fn assert_acknowledged(bench: &Bench, runs: &[RunId]) {
    let taken: BTreeSet<String> = runs
        .iter()
        .flat_map(|run| received(bench, *run))
        .map(|message| id_of(&message, 0))
        .collect();
    assert!(!taken.is_empty());
    assert_eq!(bench.world().notifying().acknowledged, taken);
}

fn notes(bench: &Bench, part: &str) -> usize {
    bench.watcher.notes.iter().filter(|note| note.contains(part)).count()
}

/// No file of the evidence holds a secret.
fn assert_no_secret(bench: &Bench) {
    let mut folders = vec![bench.evidence()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("canary"), "{}", path.display());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_look_serves_every_run_and_nothing_is_listed() {
    let mut bench = pulling(Bench::new(usual));
    let jobs = ["DSGB1", "DSXI1", "ASGB1"].map(|id| bench.job(id)).to_vec();
    let outcome = bench.run(jobs, true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    assert_no_secret(&bench);
    let runs: Vec<RunId> = outcome.runs.iter().map(|run| run.run).collect();
    assert_eq!(count(&bench, "updatedSince"), 0);
    assert_eq!(count(&bench, "/messages?count"), 0);
    let told: usize = runs.iter().map(|run| received(&bench, *run).len()).sum();
    assert_eq!(count(&bench, "/messages/"), told, "each message once");
    assert_eq!(count(&bench, "/oauth/token"), 1);
    assert_acknowledged(&bench, &runs);
    for run in &runs {
        let looks = requests(&bench, *run, Purpose::PullNotifications);
        let told = received(&bench, *run).len();
        assert!((1..=told).contains(&looks), "only looks that brought it news: {looks}");
        assert!(requests(&bench, *run, Purpose::GetMessage) >= 3);
    }
    // The times are the API's, not those of the notifications.
    let world_times: BTreeSet<DateTime<Utc>> =
        bench.world().movements.iter().flat_map(|m| m.messages.iter().map(|m| m.at)).collect();
    for line in bench.events(runs[0]) {
        if let Event::Received(received) = line.event {
            assert!(world_times.contains(&received.received.unwrap()));
        }
    }
    // The API wants ten seconds between two looks.
    let world = bench.world();
    let looks: Vec<DateTime<Utc>> = world
        .calls
        .iter()
        .filter(|(_, call)| call.starts_with("GET") && call.contains("push-pull"))
        .map(|(at, _)| *at)
        .collect();
    assert!(looks.windows(2).all(|two| two[1] - two[0] >= Duration::seconds(10)), "{looks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_asks_for_far_less_than_with_lists() {
    let scenarios = ["DSGB1", "DSXI1", "ASGB1", "ASXI1", "PSGB1", "PSXI1"];
    let mut asked = vec![];
    for pull in [false, true] {
        let mut bench = pulling(Bench::new(usual));
        bench.pull = pull;
        let jobs = scenarios.map(|id| bench.job(id)).to_vec();
        let outcome = bench.run(jobs, true).await.unwrap();
        assert_passed(&outcome);
        let messages: usize = outcome.runs.iter().map(|run| received(&bench, run.run).len()).sum();
        let least = bench.posts().len() + messages;
        asked.push((outcome.requests as usize, least));
    }
    let [(lists, _), (pulls, least)] = asked[..] else { panic!() };
    assert!(pulls < lists && pulls >= least, "{pulls} of {lists}, least {least}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_notification_costs_minutes_and_no_message() {
    let mut bench = pulling(Bench::new(usual));
    bench.world().notifying().tells = |message| message.kind != "IE928";
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    let run = outcome.runs[0].run;
    let came = bench.world().movements[0].messages.iter().find(|m| m.kind == "IE928").unwrap().at;
    let late = bench.got(run, "IE928").unwrap() - came;
    assert!(late < Duration::minutes(4), "{late}");
    let ids = received(&bench, run);
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
}

#[tokio::test(start_paused = true)]
async fn without_any_notification_the_lists_do_it_all() {
    let mut bench = pulling(Bench::new(usual));
    bench.world().notifying().tells = |_| false;
    let jobs = ["DSGB1", "ASGB1"].map(|id| bench.job(id)).to_vec();
    let outcome = bench.run(jobs, true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
}

/// What never comes is called overdue by a list, and not because a box is
/// silent.
#[tokio::test(start_paused = true)]
async fn a_silent_box_decides_nothing() {
    let mut bench =
        pulling(Bench::new(|kind: &str| -> Replies { usual(kind).into_iter().take(2).collect() }));
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_eq!(outcome.runs[0].failure.as_ref().unwrap().reason, "overdue");
    assert_intact(&bench);
    let run = outcome.runs[0].run;
    let events = bench.events(run);
    let purposes = events.iter().rev().filter_map(|line| match &line.event {
        Event::Request(request) => Some(request.purpose),
        _ => None,
    });
    let last: Vec<Purpose> = purposes.take(2).collect();
    assert_eq!(last, [Purpose::ListMessages, Purpose::ListMovements]);
    // A week of waiting does not cost a look every ten seconds.
    assert!(outcome.requests < 12_000, "{}", outcome.requests);
}

#[tokio::test(start_paused = true)]
async fn told_twice_and_in_the_wrong_order_it_is_the_same() {
    let mut bench = pulling(Bench::new(usual));
    bench.world().notifying().muddled = true;
    let jobs = ["DSGB1", "ASGB1"].map(|id| bench.job(id)).to_vec();
    let outcome = bench.run(jobs, true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    let mut taken = BTreeSet::new();
    for run in &outcome.runs {
        let ids = received(&bench, run.run);
        assert_eq!(ids.len(), requests(&bench, run.run, Purpose::GetMessage), "each once");
        taken.extend(ids.iter().flat_map(|id| [id_of(id, 0), id_of(id, 1)]));
    }
    assert_eq!(bench.world().notifying().acknowledged, taken, "both copies");
}

/// The notification overtakes the answer to the POST that makes the movement.
#[tokio::test(start_paused = true)]
async fn a_notification_before_the_movement_is_known_is_not_lost() {
    let mut bench =
        pulling(Bench::with(normal, |_, _| None, slow_for_xi(StdDuration::from_secs(90))));
    let jobs = vec![bench.job("DNGB1"), bench.job("DNXI1"), bench.job("DSGB1")];
    let outcome = bench.run(jobs, false).await.unwrap();
    assert_eq!(outcome.stalled, []);
    for run in &outcome.runs[..2] {
        assert!(bench.got(run.run, "IE928").is_some(), "{}", run.scenario);
    }
    assert_intact(&bench);
}

#[tokio::test(start_paused = true)]
async fn a_box_full_of_others_does_not_starve_us() {
    let mut bench = pulling(Bench::new(usual));
    let now = bench.clock.true_now();
    // Old ones, and 250 while we run.
    let old = (0..300).map(|n| now - Duration::hours(20) + Duration::seconds(n));
    let new = (0..250).map(|n| now + Duration::seconds(n / 50));
    bench.world().notifying().others = old.chain(new).collect();
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    let run = outcome.runs[0].run;
    let came = bench.world().movements[0].messages.iter().find(|m| m.kind == "IE028").unwrap().at;
    let late = bench.got(run, "IE028").unwrap() - came;
    assert!(late < Duration::minutes(2), "{late}");
    assert_eq!(count(&bench, "updatedSince"), 0, "the box was enough");
    assert_acknowledged(&bench, &[run]);
}

/// A thousand of others' between any two looks.
#[tokio::test(start_paused = true)]
async fn a_flood_of_others_brings_lists_back() {
    let mut bench = pulling(Bench::new(usual));
    let now = bench.clock.true_now();
    let all = (0..200_000).map(|n| now - Duration::minutes(1) + Duration::milliseconds(n * 20));
    bench.world().notifying().others = all.collect();
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    assert!(notes(&bench, "others fill the box") > 0, "{:?}", bench.watcher.notes);
    assert!(count(&bench, "updatedSince") > 0);
    let run = outcome.runs[0].run;
    let waited = bench.got(run, "IE029").unwrap() - bench.got(run, "IE028").unwrap();
    assert!(waited < Duration::minutes(48), "{waited}");
    let ours: BTreeSet<String> =
        received(&bench, run).iter().map(|message| id_of(message, 0)).collect();
    let world = &mut bench.world();
    assert!(world.notifying().acknowledged.is_subset(&ours));
}

#[tokio::test(start_paused = true)]
async fn a_box_that_is_gone_or_not_ours_costs_one_look() {
    for (status, code, words) in [
        (404, "BOX_NOT_FOUND", "BOX_NOT_FOUND"),
        (403, "FORBIDDEN", "is `client-id` the application"),
        (400, "BAD_REQUEST", "BAD_REQUEST"),
    ] {
        let body = format!(r#"{{"code":"{code}","message":"m"}}"#);
        let mut bench = hooked(move |call, _| is_pull(call).then(|| Ok(answer(status, &body))));
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_passed(&outcome);
        assert_intact(&bench);
        assert_eq!(count(&bench, "push-pull"), 1);
        assert_eq!(notes(&bench, words), 1, "{:?}", bench.watcher.notes);
        // The refusal is on record.
        let run = outcome.runs[0].run;
        assert_eq!(requests(&bench, run, Purpose::PullNotifications), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_box_in_trouble_is_tried_again_and_lists_help_out() {
    for (trouble, times) in [
        (Ok(answer(503, "<html>")), 1),
        (Err(lost()), 1),
        (Ok(answer(200, "<html>")), 1),
        (Err(lost()), 40),
    ] {
        let mut bench = hooked(script(is_pull, vec![trouble; times]));
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_passed(&outcome);
        assert_intact(&bench);
        assert!(count(&bench, "updatedSince") > 0);
        let run = outcome.runs[0].run;
        // The first failure, and the look that brought the release.
        let recorded = requests(&bench, run, Purpose::PullNotifications);
        assert_eq!(recorded, if times == 1 { 2 } else { 1 });
    }
}

/// A look into the box that hangs keeps nobody from looking elsewhere.
#[tokio::test(start_paused = true)]
async fn a_box_that_hangs_holds_nothing_up() {
    let mut bench = pulling(Bench::with(
        usual,
        |_, _| None,
        |call| {
            let before = if is_pull(call) { 100_000 } else { 0 };
            (StdDuration::from_secs(before), StdDuration::from_millis(100))
        },
    ));
    let started = bench.clock.true_now();
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    let run = outcome.runs[0].run;
    let took = bench.got(run, "IE029").unwrap() - started;
    assert!(took < Duration::minutes(48), "{took}");
}

/// Officers who take their day.
fn slowly(kind: &str) -> Replies {
    let hours = Duration::hours;
    match kind {
        "IE015" => vec![("IE928", hours(0)), ("IE028", hours(7)), ("IE029", hours(7))],
        _ => vec![],
    }
}

/// So does a request for the next token.
#[tokio::test(start_paused = true)]
async fn a_token_that_hangs_holds_nothing_up() {
    let asked = AtomicBool::new(false);
    let mut bench = pulling(Bench::with(
        slowly,
        |_, _| None,
        move |call| {
            let again = is_token(call) && asked.swap(true, Ordering::SeqCst);
            let before = if again { 100_000 } else { 0 };
            (StdDuration::from_secs(before), StdDuration::from_millis(100))
        },
    ));
    let outcome = bench.run(vec![bench.job("DNGB1")], true).await.unwrap();
    assert_passed(&outcome);
    let run = outcome.runs[0].run;
    let late = bench.got(run, "IE028").unwrap() - bench.world().movements[0].messages[2].at;
    assert!(late < Duration::minutes(5), "{late}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_holds_nothing_up() {
    for by in [Duration::hours(-2), Duration::hours(2)] {
        let mut bench = pulling(Bench::new(usual));
        let (clock, mut set) = (Arc::clone(&bench.clock), false);
        *bench.fake_hook() = Box::new(move |call, _| {
            if is_pull(call) && !set {
                set = true;
                clock.set(by);
            }
            None
        });
        let started = bench.clock.true_now();
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_passed(&outcome);
        assert_intact(&bench);
        assert_acknowledged(&bench, &[outcome.runs[0].run]);
        // Set forward it looks for the release too soon, set back too late:
        // the timer runs by the clock that was right when it began.
        let took = bench.clock.true_now() - started;
        assert!(took < Duration::minutes(50) + Duration::hours(2), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_that_names_no_box_is_told_once() {
    let mut bench = pulling(Bench::new(usual));
    bench.world().notifying().boxless = true;
    let jobs = ["DSGB1", "DSXI1"].map(|id| bench.job(id)).to_vec();
    let outcome = bench.run(jobs, true).await.unwrap();
    assert_passed(&outcome);
    assert_eq!(notes(&bench, "named no box"), 1);
    assert_eq!(count(&bench, "push-pull"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_told_before_anything_is_sent() {
    let refusal = format!(r#"{{"error":"invalid_client","error_description":"{SECRET}?"}}"#);
    let mut bench = hooked(move |call, _| is_token(call).then(|| Ok(answer(401, &refusal))));
    let error = bench.run(vec![bench.job("DSGB1")], true).await.unwrap_err();
    assert!(matches!(error, BatchError::Application(_)), "{error}");
    assert!(error.to_string().contains("invalid_client"), "{error}");
    assert!(!error.to_string().contains(SECRET), "{error}");
    assert_eq!(bench.world().calls.len(), 1);
    assert_eq!(bench.store().indexed().count(), 0, "no run was opened");
}

#[tokio::test(start_paused = true)]
async fn without_a_token_for_now_lists_begin() {
    for trouble in [Ok(answer(503, "")), Err(lost()), Ok(answer(200, "{}"))] {
        let mut bench = hooked(script(is_token, vec![trouble; 2]));
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_passed(&outcome);
        assert!(count(&bench, "updatedSince") > 0);
        assert!(count(&bench, "push-pull") > 0, "there was one in the end");
        assert_eq!(notes(&bench, "no token for notifications"), 1);
    }
}

/// A token that ends in the middle of a run is replaced; one that ends by its
/// time is replaced before.
#[tokio::test(start_paused = true)]
async fn a_token_that_ends_is_replaced() {
    let mut revoked = false;
    let mut bench = hooked(move |call, world| {
        let released = world.movements.first().is_some_and(|m| m.messages.len() > 2);
        if is_acknowledgement(call) && released && !revoked {
            revoked = true;
            world.notifying().tokens += 1;
        }
        None
    });
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_acknowledged(&bench, &[outcome.runs[0].run]);
    assert_eq!(count(&bench, "/oauth/token"), 2);
    assert_eq!(count(&bench, "updatedSince"), 0);
    assert_no_secret(&bench);

    let mut bench = pulling(Bench::new(slowly));
    let outcome = bench.run(vec![bench.job("DNGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_eq!(count(&bench, "/oauth/token"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_never_taken_ends_pulling() {
    // From the first; or from the second look on, and its secret was changed.
    for (good, looks) in [(0, 1), (1, 2)] {
        let (mut pulls, mut tokens) = (0, 0);
        let mut bench = hooked(move |call, _| {
            pulls += u32::from(is_pull(call));
            tokens += u32::from(is_token(call));
            let refusal = r#"{"error":"invalid_client"}"#;
            let refused = is_pull(call) && pulls > good || is_token(call) && tokens > 1;
            refused.then(|| Ok(answer(401, refusal)))
        });
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_passed(&outcome);
        assert_intact(&bench);
        assert_eq!(notes(&bench, "cannot be had any more"), 1, "{:?}", bench.watcher.notes);
        assert_eq!(count(&bench, "notifications?status"), looks);
    }
}

/// A box that names what is not there, or something else.
#[tokio::test(start_paused = true)]
async fn a_notification_that_is_wrong_is_not_believed() {
    let whole = |call: &Call| call.method == Method::Get && call.url.contains("/messages/");
    let not_found = r#"{"code":"NOT_FOUND","message":"m"}"#;
    let other = r#"{"id":"00000000000000ff","received":"2026-11-23T09:30:00Z","body":"<a/>"}"#;
    for said in [answer(404, not_found), answer(200, other), answer(200, "<html>")] {
        let mut bench =
            hooked(script(move |call| whole(call) && !call.url.ends_with("/body"), vec![Ok(said)]));
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_passed(&outcome);
        assert_intact(&bench);
        assert_eq!(notes(&bench, "of which a notification told"), 1);
        let ids = received(&bench, outcome.runs[0].run);
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
        assert_acknowledged(&bench, &[outcome.runs[0].run]);
    }
}

/// Killed before a message is on disk, and after it is but before that is
/// acknowledged: nothing is lost, nothing recorded twice, and in the end
/// everything is acknowledged.
#[tokio::test(start_paused = true)]
async fn a_kill_around_an_acknowledgement_loses_and_repeats_nothing() {
    fn fetching(call: &Call) -> bool {
        call.method == Method::Get && call.url.contains("/messages/")
    }
    for (deadly, known) in [(fetching as fn(&Call) -> bool, 0), (is_acknowledgement, 2)] {
        let alive = Arc::new(AtomicBool::new(false));
        let hangs = Arc::clone(&alive);
        let mut bench = pulling(Bench::with(
            usual,
            |_, _| None,
            move |call| {
                let hangs = deadly(call) && !hangs.load(Ordering::SeqCst);
                let before = if hangs { 86_400 } else { 0 };
                (StdDuration::from_secs(before), StdDuration::from_millis(200))
            },
        ));
        let jobs = vec![bench.job("DSGB1")];
        let killed = tokio::time::timeout(StdDuration::from_secs(60), bench.run(jobs, true));
        assert!(killed.await.is_err());
        alive.store(true, Ordering::SeqCst);
        let run = bench.only_run();
        let before = received(&bench, run);
        assert_eq!(before.len(), known);
        assert!(bench.world().notifying().acknowledged.is_empty());

        let asked = bench.world().calls.len();
        let outcome = bench.resume("DSGB1", run, true).await;
        assert_passed(&outcome);
        assert_intact(&bench);
        let ids = received(&bench, run);
        assert_eq!(ids.len(), 3);
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
        assert_eq!(bench.posts(), ["IE015"]);
        // The journal told which box it is; one list made up for what a box
        // may have forgotten.
        let calls = bench.world().calls.split_off(asked);
        let again = |part: &str| calls.iter().filter(|(_, call)| call.contains(part)).count();
        assert_eq!(again("updatedSince"), 1);
        assert!(again("push-pull") >= 2);
        assert_acknowledged(&bench, &[run]);
        for id in &before {
            assert_eq!(again(&format!("/messages/{id}")), 0, "it is here already");
        }
    }
}

/// The last messages are acknowledged though nobody looks into the box again,
/// and a service that does not take that keeps no batch from ending.
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_fails_ends_nothing_and_hangs_nothing() {
    let mut bench = hooked(|call, _| is_acknowledgement(call).then(|| Ok(answer(503, "<html>"))));
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert!(bench.world().notifying().acknowledged.is_empty());
    assert!(notes(&bench, "acknowledging notifications: HTTP 503") >= 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_movements_asks_for_no_token() {
    let mut bench = pulling(Bench::new(usual));
    let outcome = bench.run(vec![], true).await.unwrap();
    assert_eq!(outcome.requests, 0);
}
