//! The sandbox: NCTS is silent there, and every message of it is injected.

use std::collections::BTreeMap;
use std::time::Duration as StdDuration;

use ctc_ready::engine::{BatchError, Outcome};
use ctc_ready::evidence::{Event, Purpose, Recorded, RunState, verify};
use ctc_ready::hmrc::transport::{Answer, Call};
use ctc_ready::ncts::{Direction, MessageType};
use ctc_ready::project::Environment;
use ctc_ready::simulator::SimulatorOptions;

use crate::assert_passed;
use crate::fake::{answer, lost};
use crate::inside::{Bay, Fate};

fn sandbox() -> Bay {
    Bay::new(Environment::Sandbox, SimulatorOptions { silent: true, ..SimulatorOptions::default() })
}

fn is_injection(call: &Call) -> bool {
    call.url.contains("/test/customs/transits/")
}

/// What one call after the other meets; the rest arrives.
fn script(bay: &Bay, fates: Vec<Fate>) {
    let mut fates = fates.into_iter();
    bay.hook(move |call| match is_injection(call) {
        true => fates.next().unwrap_or(Fate::Arrives),
        false => Fate::Arrives,
    });
}

/// How many messages of each type of NCTS the API has in the run's movements.
fn filed(bay: &Bay, outcome: &Outcome) -> BTreeMap<MessageType, usize> {
    let store = bay.store();
    let events = bay.events(outcome.runs[0].run);
    let lists = events.iter().filter_map(|line| match &line.event {
        Event::Request(request) if request.purpose == Purpose::ListMessages => {
            Some((request.exchange, request.url.clone()))
        }
        _ => None,
    });
    // The last list of each movement.
    let lists: BTreeMap<String, u32> = lists.map(|(exchange, url)| (url, exchange)).collect();
    let mut filed = BTreeMap::new();
    for exchange in lists.values() {
        let body = events.iter().find_map(|line| match &line.event {
            Event::Response(response) if response.exchange == *exchange => response.body.clone(),
            _ => None,
        });
        let list: serde_json::Value =
            serde_json::from_slice(&store.object(&body.unwrap()).unwrap()).unwrap();
        for message in list["messages"].as_array().unwrap() {
            let message: MessageType = message["type"].as_str().unwrap().parse().unwrap();
            if message.direction() == Direction::Received {
                *filed.entry(message).or_insert(0) += 1;
            }
        }
    }
    filed
}

/// As many as a scenario expects.
fn expected(bay: &Bay, programme: &str, scenario: &str) -> BTreeMap<MessageType, usize> {
    let mut expected = BTreeMap::new();
    for step in bay.job(programme, scenario).scenario.step {
        step.expect.iter().for_each(|it| *expected.entry(it.message).or_insert(0) += 1);
    }
    expected
}

fn injections(events: &[Recorded]) -> usize {
    let injects = |line: &&Recorded| matches!(&line.event, Event::Request(request) if request.purpose == Purpose::Inject);
    events.iter().filter(injects).count()
}

/// A whole programme; each has a test, for they run side by side.
async fn every_scenario_passes(programme: &str) {
    let mut bay = sandbox();
    let jobs = bay.jobs(programme);
    let many = jobs.len();
    let outcome = bay.run(jobs).await.unwrap();
    assert_passed(&outcome);
    assert_eq!(outcome.runs.len(), many);
    assert_eq!(bay.watcher.mails.len(), 0, "there are no officers");
    assert_eq!(verify(&bay.evidence()).unwrap().problems, []);
    let store = bay.store();
    for run in &outcome.runs {
        let record = store.run(run.run).unwrap();
        assert_eq!((record.environment, record.simulated), (Environment::Sandbox, false));
        let wanted: usize = expected(&bay, programme, &run.scenario).values().sum();
        assert_eq!(injections(&bay.events(run.run)), wanted, "{}", run.scenario);
        // The random MRN of its IE028 is the movement's from then on.
        let allocated = record.message(MessageType::Ie028).and_then(|it| it.mrn.clone());
        assert_eq!(record.mrn, allocated, "{}", run.scenario);
        if let Some(arrived) = record.message(MessageType::Ie007) {
            assert_eq!(arrived.mrn, allocated, "{}", run.scenario);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_scenario_of_ncts6_passes_where_nobody_answers() {
    every_scenario_passes("ncts6").await;
}

#[tokio::test(start_paused = true)]
async fn every_scenario_of_ncts5_passes_where_nobody_answers() {
    every_scenario_passes("ncts5-final").await;
}

#[tokio::test(start_paused = true)]
async fn every_scenario_of_the_transition_passes_where_nobody_answers() {
    every_scenario_passes("ncts5-transition").await;
}

#[tokio::test(start_paused = true)]
async fn an_injection_without_an_answer_is_looked_for_first() {
    // Twice it arrives, once it does not.
    for (fates, again) in [
        (vec![Fate::Unanswered], 0),
        (vec![Fate::Arrives, Fate::Unanswered, Fate::Unanswered], 0),
        (vec![Fate::Answered(Err(lost()))], 1),
        (vec![Fate::Answered(Ok(answer(503, "{}"))), Fate::Answered(Ok(answer(429, "{}")))], 2),
    ] {
        let mut bay = sandbox();
        script(&bay, fates);
        let job = bay.job("ncts5-final", "ASGB1");
        let outcome = bay.run(vec![job]).await.unwrap();
        assert_passed(&outcome);
        let wanted = expected(&bay, "ncts5-final", "ASGB1");
        assert_eq!(filed(&bay, &outcome), wanted);
        let events = bay.events(outcome.runs[0].run);
        assert_eq!(injections(&events), wanted.values().sum::<usize>() + again);
        assert_eq!(verify(&bay.evidence()).unwrap().problems, []);
    }
}

/// Killed at any moment: before an injection leaves, before its answer, before
/// the message is fetched.
#[tokio::test(start_paused = true)]
async fn whenever_it_is_killed_nothing_is_injected_twice() {
    for milliseconds in (0..2_600).step_by(40) {
        let mut bay = sandbox();
        let job = bay.job("ncts6", "P6-PSGB-01");
        let life = StdDuration::from_millis(milliseconds);
        let outcome = bay.run_killed(job, life).await;
        assert_passed(&outcome);
        assert_eq!(
            filed(&bay, &outcome),
            expected(&bay, "ncts6", "P6-PSGB-01"),
            "killed after {milliseconds} ms"
        );
        assert_eq!(verify(&bay.evidence()).unwrap().problems, []);
    }
}

/// Days later no timer has run out.
#[tokio::test(start_paused = true)]
async fn no_timer_runs_in_the_sandbox() {
    let mut bay = sandbox();
    let job = bay.job("ncts6", "P6-PSGB-01");
    let life = StdDuration::from_millis(700);
    let killed = tokio::time::timeout(life, bay.run(vec![job.clone()])).await;
    assert!(killed.is_err());
    tokio::time::sleep(StdDuration::from_secs(3 * 86_400)).await;
    let resume = bay.store().indexed().next().map(|(run, _)| run);
    let job = ctc_ready::engine::batch::Job { resume, ..job };
    assert_passed(&bay.run(vec![job]).await.unwrap());
}

fn refused(status: u16) -> Fate {
    let refusal: Answer = answer(status, r#"{"code":"CODE","message":"no"}"#);
    Fate::Answered(Ok(refusal))
}

#[tokio::test(start_paused = true)]
async fn a_refused_injection_ends_clearly_and_can_be_taken_up() {
    for (status, told) in [
        (404, "the test-support API may be closed to this application"),
        (415, "the IE928 could not be injected: HTTP 415: CODE: no"),
        (501, "the IE928 could not be injected: HTTP 501: CODE: no"),
    ] {
        let mut bay = sandbox();
        script(&bay, vec![refused(status)]);
        let job = bay.job("ncts5-final", "DSGB1");
        let outcome = bay.run(vec![job.clone()]).await.unwrap();
        assert_eq!(outcome.runs[0].state, RunState::Waiting);
        assert!(outcome.stalled[0].1.contains(told), "{:?}", outcome.stalled);
        let resume = Some(outcome.runs[0].run);
        let job = ctc_ready::engine::batch::Job { resume, ..job };
        assert_passed(&bay.run(vec![job]).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_without_the_scope_stops_the_batch() {
    let mut bay = sandbox();
    script(&bay, vec![refused(403)]);
    let jobs = vec![bay.job("ncts5-final", "DSGB1")];
    let error = bay.run(jobs).await.unwrap_err();
    assert!(matches!(error, BatchError::InjectionForbidden(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_injected_elsewhere() {
    let mut bay = Bay::new(
        Environment::TraderTest,
        SimulatorOptions { silent: true, ..SimulatorOptions::default() },
    );
    let job = bay.job("ncts6", "P6-DSGB-01");
    let life = StdDuration::from_secs(60);
    assert!(tokio::time::timeout(life, bay.run(vec![job])).await.is_err(), "nothing comes");
    let run = bay.store().indexed().next().unwrap().0;
    assert_eq!(injections(&bay.events(run)), 0);
}
