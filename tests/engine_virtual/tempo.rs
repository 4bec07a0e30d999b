//! How many requests and how much time whole programmes take, beside the least
//! that is possible. In virtual time, so it is the same in every run.

use std::io::Write;

use ctc_ready::catalogue::Catalogue;
use ctc_ready::evidence::verify;
use ctc_ready::hmrc::pacer::STANDARD_RATE;
use ctc_ready::simulator::{ApiVersion, SimulatorOptions};

use chrono::Duration;

use crate::assert_passed;
use crate::bounds::{Least, turns};
use crate::fake::{Bench, Replies, usual};
use crate::inside;

/// Runs a whole programme, prints what it took, and holds it to the bounds.
/// Lists are for who is told of nothing: with `pull` there is no list, and no
/// poll for one.
async fn holds(id: &str, pull: bool) {
    let catalogue = Catalogue::built_in().unwrap();
    let programme = catalogue.programme(id).unwrap();
    let options = SimulatorOptions::default();
    // The guarantee API has a version of its own, and no timers.
    let version = ApiVersion::named(&programme.api.version).unwrap_or(ApiVersion::V2_1);
    let scenarios = catalogue.scenarios(id);
    let least = scenarios
        .iter()
        .map(|scenario| Least::of(scenario, options.timers(version), options.delays))
        .fold(Least::default(), Least::and);
    let started = std::time::Instant::now();
    let took = inside::run(&catalogue, programme, |_| true, pull).await;
    let bound = least.makespan(STANDARD_RATE).max(turns(scenarios, options.balance_lock));
    let makespan = took.makespan.to_std().unwrap();
    let requests = took.calls.requests();
    let (fewest, most) = match pull {
        false => (least.requests(), 1.1),
        // What notifications themselves cost is in no bound.
        true => (least.messages(), 1.25),
    };
    // Past the test harness, which swallows what passing tests print.
    let _ = writeln!(
        std::io::stderr(),
        "{id}, pull {pull}: {} scenarios in {:.1} s of real time\n  requests {requests}, least \
         {fewest} (x {:.3}); least without lists {} (x {:.3})\n    {:?}\n    {least:?}\n  makespan {} s, \
         least {} s (x {:.3})",
        took.outcome.runs.len(),
        started.elapsed().as_secs_f64(),
        f64::from(requests) / f64::from(fewest),
        least.without_lists(),
        f64::from(requests) / f64::from(least.without_lists()),
        took.calls,
        makespan.as_secs(),
        bound.as_secs(),
        makespan.as_secs_f64() / bound.as_secs_f64(),
    );
    assert_passed(&took.outcome);
    // The limit is kept, and nothing had to be tried again.
    let trouble = |note: &&String| note.contains("429") || note.contains("again in");
    assert_eq!(took.notes.iter().find(trouble), None);
    assert_eq!(verify(&took.evidence.path().join("evidence")).unwrap().problems, []);
    assert!(makespan.as_secs_f64() <= 1.1 * bound.as_secs_f64(), "{makespan:?} of {bound:?}");
    assert!(f64::from(requests) <= most * f64::from(fewest), "{requests} of {fewest}");
    assert_eq!(u64::from(requests), took.outcome.requests, "the budget counts every one");
    match pull {
        false => assert_eq!(took.calls.notifying(), 0),
        true => assert_eq!((took.calls.polls, took.calls.lists), (0, 0)),
    }
}

#[tokio::test(start_paused = true)]
async fn ncts6_takes_hardly_more_than_it_must() {
    holds("ncts6", false).await;
}

#[tokio::test(start_paused = true)]
async fn with_notifications_ncts6_takes_little_more_than_its_messages() {
    holds("ncts6", true).await;
}

#[tokio::test(start_paused = true)]
async fn ncts5_final_takes_hardly_more_than_it_must() {
    holds("ncts5-final", false).await;
}

#[tokio::test(start_paused = true)]
async fn ncts5_transition_takes_hardly_more_than_it_must() {
    holds("ncts5-transition", false).await;
}

#[tokio::test(start_paused = true)]
async fn guarantee_balances_take_hardly_more_than_they_must() {
    holds("guarantee-balance", false).await;
}

/// How often a movement's messages were listed, before and after an instant.
fn lists(bench: &Bench, until: chrono::DateTime<chrono::Utc>) -> (usize, usize) {
    let world = bench.world();
    let lists = world.calls.iter().filter(|(_, call)| call.contains("/messages?"));
    let (before, after): (Vec<_>, Vec<_>) = lists.partition(|(at, _)| *at < until);
    (before.len(), after.len())
}

fn replies(ie928: i64, ie028: i64) -> impl Fn(&str) -> Replies + Send + 'static {
    move |kind| match kind {
        "IE015" => vec![
            ("IE928", Duration::seconds(ie928)),
            ("IE028", Duration::seconds(ie028)),
            ("IE029", Duration::minutes(45)),
        ],
        other => usual(other),
    }
}

/// The first look, after four seconds, shows that something came: but not all
/// of it yet.
#[tokio::test(start_paused = true)]
async fn what_comes_together_is_listed_once() {
    let mut bench = Bench::new(replies(3, 7));
    let timer = bench.clock.true_now() + Duration::minutes(40);
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_eq!(lists(&bench, timer), (1, 1));
}

/// An answer that takes half a minute: until then the movement has changed by
/// our own message alone.
#[tokio::test(start_paused = true)]
async fn our_own_message_is_not_listed_as_news() {
    let mut bench = Bench::new(replies(31, 32));
    let came = bench.clock.true_now() + Duration::seconds(31);
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_eq!(lists(&bench, came), (0, 2));
}

/// Twenty declarations are due two seconds before closing: what the budget
/// does not let go by then goes in the morning.
#[tokio::test(start_paused = true)]
async fn nothing_that_waits_for_the_budget_leaves_after_closing() {
    let mut bench = Bench::new(usual);
    let closing: chrono::DateTime<chrono::Utc> = "2026-11-23T19:00:00Z".parse().unwrap();
    let pause = closing - Duration::seconds(2) - bench.clock.true_now();
    tokio::time::sleep(pause.to_std().unwrap()).await;
    let jobs = (0..20).map(|_| bench.job("DSGB1")).collect();
    let outcome = bench.run(jobs, true).await.unwrap();
    assert_passed(&outcome);
    let morning = closing + Duration::hours(12);
    let world = bench.world();
    let evening = world.calls.iter().filter(|(at, _)| *at < closing).count();
    let night = world.calls.iter().filter(|(at, _)| *at >= closing && *at < morning).count();
    assert_eq!((evening, night), (6, 0));
}
