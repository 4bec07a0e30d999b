//! Messages that appear late behind others, so that no list of movements tells
//! of them; and lists that hang.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use ctc_ready::evidence::{Failure, RunState};
use ctc_ready::hmrc::transport::{Answer, Call, NoAnswer};
use serde_json::Value;

use crate::fake::{Bench, World, answer, is_look, usual};
use crate::{assert_intact, assert_passed};

fn is_list(call: &Call) -> bool {
    call.url.contains("/messages?")
}

/// A message of this type is in no list before `until`, though the movement
/// says when it came.
fn hidden(
    kind: &'static str,
    until: DateTime<Utc>,
) -> impl FnMut(&Call, &mut World) -> Option<Result<Answer, NoAnswer>> + Send + 'static {
    move |call, world| {
        let now = world.calls.last().unwrap().0;
        if !is_list(call) || now >= until {
            return None;
        }
        let mut all = world.answer(call, now);
        let mut json: Value = serde_json::from_slice(&all.body).unwrap();
        json["messages"].as_array_mut().unwrap().retain(|message| message["type"] != kind);
        all.body = json.to_string().into_bytes();
        Some(Ok(all))
    }
}

/// When each list of messages was asked for, in seconds since the first call.
fn lists(bench: &Bench) -> Vec<i64> {
    let world = bench.world();
    let first = world.calls[0].0;
    let lists = world.calls.iter().filter(|(_, call)| call.contains("/messages?"));
    lists.map(|(at, _)| (*at - first).num_seconds()).collect()
}

fn failure(outcome: &ctc_ready::engine::Outcome) -> &Failure {
    assert_eq!(outcome.runs[0].state, RunState::Failed);
    outcome.runs[0].failure.as_ref().unwrap()
}

/// An IE928 that shows half a minute after the IE028: with lists alone, and
/// with a box that does not tell of it.
#[tokio::test(start_paused = true)]
async fn a_message_that_appears_behind_another_is_found() {
    for pull in [false, true] {
        let mut bench = Bench::new(usual);
        if pull {
            bench.pull = true;
            bench.world().notifying().tells = |message| message.kind != "IE928";
        }
        *bench.fake_hook() =
            Box::new(hidden("IE928", bench.clock.true_now() + Duration::seconds(30)));
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_passed(&outcome);
        assert_intact(&bench);
        let run = outcome.runs[0].run;
        let late = bench.got(run, "IE928").unwrap() - bench.got(run, "IE028").unwrap();
        assert!(late < Duration::seconds(75), "{late}");
    }
}

/// Both movements of a run are listed once each, and what they show is fetched
/// before anything is decided.
#[tokio::test(start_paused = true)]
async fn a_message_that_never_appears_costs_one_more_list_for_each_movement() {
    let mut bench = Bench::new(usual);
    *bench.fake_hook() = Box::new(hidden("IE928", DateTime::<Utc>::MAX_UTC));
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    let told = failure(&outcome);
    assert_eq!(told.reason, "out-of-order");
    assert!(told.message.contains("IE928"), "{told:?}");
    assert_eq!(lists(&bench).len(), 2);
    assert_intact(&bench);

    for comes_after in [Some(Duration::days(5)), None] {
        let mut bench = Bench::new(usual);
        let until = comes_after.map(|after| bench.clock.true_now() + after);
        let until = until.unwrap_or(DateTime::<Utc>::MAX_UTC);
        *bench.fake_hook() = Box::new(hidden("IE025", until));
        let outcome = bench.run(vec![bench.job("ASGB1")], true).await.unwrap();
        assert_intact(&bench);
        let late = lists(&bench).into_iter().filter(|at| *at > 5 * 86_400).count();
        assert_eq!(late, 2, "one of the departure, one of the arrival");
        match comes_after {
            Some(_) => assert_passed(&outcome),
            None => assert_eq!(failure(&outcome).reason, "overdue"),
        }
    }
}

/// Trouble when it is to be made sure: who waits sits it out, who does not is
/// told, and goes on later. A movement that is not kept any more has no news.
#[tokio::test(start_paused = true)]
async fn a_list_that_fails_decides_nothing() {
    for (status, wait) in [(503, true), (503, false), (404, true)] {
        let mut bench = Bench::new(usual);
        let began = bench.clock.true_now();
        let mut hide = hidden("IE928", began + Duration::seconds(30));
        *bench.fake_hook() = Box::new(move |call, world| {
            let after = world.calls.last().unwrap().0 - began;
            let trouble = after > Duration::seconds(30) && after < Duration::minutes(10);
            match is_list(call) && trouble {
                true => Some(Ok(answer(status, r#"{"code":"TROUBLE"}"#))),
                false => hide(call, world),
            }
        });
        let outcome = bench.run(vec![bench.job("DSGB1")], wait).await.unwrap();
        assert_intact(&bench);
        match (status, wait) {
            (404, _) => assert_eq!(failure(&outcome).reason, "out-of-order"),
            (_, true) => assert_passed(&outcome),
            (_, false) => {
                assert_eq!(outcome.stalled.len(), 1);
                let run = outcome.runs[0].run;
                bench.clear_hook();
                assert_passed(&bench.resume("DSGB1", run, true).await);
            }
        }
        assert!(lists(&bench).len() < 30, "{:?}", lists(&bench));
    }
}

/// Stopped at any second around the decision, it is the same run.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_while_it_makes_sure_makes_sure_again() {
    for seconds in 60..80 {
        let mut bench = Bench::with(
            usual,
            |_, _| None,
            |_| (StdDuration::from_millis(400), StdDuration::from_millis(400)),
        );
        *bench.fake_hook() =
            Box::new(hidden("IE928", bench.clock.true_now() + Duration::seconds(30)));
        let jobs = vec![bench.job("DSGB1")];
        let stopped = StdDuration::from_secs(seconds);
        assert!(tokio::time::timeout(stopped, bench.run(jobs, true)).await.is_err());
        let run = bench.only_run();
        assert_passed(&bench.resume("DSGB1", run, true).await);
        assert_intact(&bench);
    }
}

/// The minute after which nothing older is waited for ends around closing time.
#[tokio::test(start_paused = true)]
async fn nothing_is_given_up_while_the_environment_is_closed() {
    let closing: DateTime<Utc> = "2026-11-23T19:00:00Z".parse().unwrap();
    let morning = closing + Duration::hours(12);
    let mut asked_in_the_morning = 0;
    for before in (40..160).step_by(4) {
        let slow = StdDuration::from_secs(6);
        let mut bench = Bench::with(usual, |_, _| None, move |_| (StdDuration::ZERO, slow));
        let begin = closing - Duration::seconds(before);
        let pause = begin - bench.clock.true_now();
        tokio::time::sleep(pause.to_std().unwrap()).await;
        *bench.fake_hook() = Box::new(hidden("IE928", begin + Duration::seconds(45)));
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_passed(&outcome);
        let world = bench.world();
        let night = world.calls.iter().filter(|(at, _)| (closing..morning).contains(at)).count();
        assert_eq!(night, 0, "{before}");
        drop(world);
        let got = bench.got(outcome.runs[0].run, "IE928").unwrap();
        asked_in_the_morning += usize::from(got > morning);
    }
    assert!(asked_in_the_morning > 5, "{asked_in_the_morning}");
}

/// The first list of movements never answers: what the next one tells is not
/// held up for as long as any other call may take.
#[tokio::test(start_paused = true)]
async fn a_list_that_hangs_holds_up_news_for_seconds() {
    let hangs = AtomicBool::new(true);
    let mut bench = Bench::with(
        usual,
        |_, _| None,
        move |call| match is_look(call) && hangs.swap(false, Ordering::Relaxed) {
            true => (StdDuration::ZERO, StdDuration::from_secs(86_400)),
            false => (StdDuration::ZERO, StdDuration::from_millis(200)),
        },
    );
    let began = bench.clock.true_now();
    let jobs = ["DSGB1", "DSXI1", "PSGB1"].map(|id| bench.job(id)).to_vec();
    let outcome = bench.run(jobs, true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    for run in &outcome.runs {
        let late = bench.got(run.run, "IE928").unwrap() - began;
        assert!(late < Duration::seconds(40), "{}: {late}", run.scenario);
    }
}

/// An API whose lists take a minute is slow, and not to be given up.
#[tokio::test(start_paused = true)]
async fn lists_that_are_always_slow_are_waited_for() {
    let slow = |call: &Call| match is_look(call) {
        true => (StdDuration::ZERO, StdDuration::from_secs(60)),
        false => (StdDuration::ZERO, StdDuration::from_millis(200)),
    };
    let mut bench = Bench::with(usual, |_, _| None, slow);
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    let again = |note: &&String| note.contains("no answer within");
    assert_eq!(bench.watcher.notes.iter().filter(again).count(), 2, "then it has its time");
}
