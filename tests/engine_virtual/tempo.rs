//! How many requests and how much time whole programmes take, beside the least
//! that is possible. In virtual time, so it is the same in every run.

use std::io::Write;

use ctc_ready::catalogue::Catalogue;
use ctc_ready::evidence::verify;
use ctc_ready::hmrc::pacer::STANDARD_RATE;
use ctc_ready::simulator::{ApiVersion, SimulatorOptions};

use crate::assert_passed;
use crate::bounds::Least;
use crate::inside;

/// Runs a whole programme, prints what it took, and holds it to the bounds.
async fn holds(id: &str) {
    let catalogue = Catalogue::built_in().unwrap();
    let programme = catalogue.programme(id).unwrap();
    let options = SimulatorOptions::default();
    let version = ApiVersion::named(&programme.api.version).unwrap();
    let least = catalogue
        .scenarios(id)
        .iter()
        .map(|scenario| Least::of(scenario, options.timers(version), options.delays))
        .fold(Least::default(), Least::and);
    let started = std::time::Instant::now();
    let took = inside::run(&catalogue, programme, |_| true).await;
    let bound = least.makespan(STANDARD_RATE);
    let makespan = took.makespan.to_std().unwrap();
    let (requests, fewest) = (took.calls.requests(), least.requests());
    // Past the test harness, which swallows what passing tests print.
    let _ = writeln!(
        std::io::stderr(),
        "{id}: {} scenarios in {:.1} s of real time\n  requests {requests}, least {fewest} \
         (x {:.3}); least without lists {} (x {:.3})\n    {:?}\n    {least:?}\n  makespan {} s, \
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
    assert!(f64::from(requests) <= 1.25 * f64::from(fewest), "{requests} of {fewest}");
}

#[tokio::test(start_paused = true)]
async fn ncts6_takes_hardly_more_than_it_must() {
    holds("ncts6").await;
}

#[tokio::test(start_paused = true)]
async fn ncts5_final_takes_hardly_more_than_it_must() {
    holds("ncts5-final").await;
}

#[tokio::test(start_paused = true)]
async fn ncts5_transition_takes_hardly_more_than_it_must() {
    holds("ncts5-transition").await;
}
