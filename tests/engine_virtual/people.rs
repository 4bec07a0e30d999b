//! Opening hours and officers who let one wait, over days of virtual time.

use std::sync::Arc;
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use ctc_ready::clock::Clock;
use ctc_ready::engine::report::Doing;
use ctc_ready::evidence::{
    Actor, Durability, Event, OfficerAnswered, RunState, StoreWriter, verify,
};

use crate::fake::{Bench, normal, usual};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Lets time pass until then.
async fn until(bench: &Bench, text: &str) {
    let pause = at(text) - bench.clock.true_now();
    tokio::time::sleep(pause.to_std().unwrap()).await;
}

fn calls_between(bench: &Bench, from: &str, to: &str) -> usize {
    let world = bench.world();
    world.calls.iter().filter(|(when, _)| (at(from)..at(to)).contains(when)).count()
}

/// From Monday evening to Tuesday morning.
#[tokio::test(start_paused = true)]
async fn nothing_is_asked_of_a_closed_environment_and_nothing_is_lost() {
    let mut bench = Bench::new(usual);
    until(&bench, "2026-11-23T18:30:00Z").await;
    // The second needs 45 minutes before closing, the third waits for morning.
    let jobs = || ["DSGB1", "PSGB1"];
    let all = jobs().map(|id| bench.job(id)).to_vec();
    let outcome = bench.run(all, true).await.unwrap();
    for run in &outcome.runs {
        assert_eq!(run.state, RunState::Passed, "{}: {:?}", run.scenario, run.failure);
    }
    assert_eq!(calls_between(&bench, "2026-11-23T19:00:00Z", "2026-11-24T07:00:00Z"), 0);
    assert!(calls_between(&bench, "2026-11-23T18:30:00Z", "2026-11-23T18:31:00Z") > 0);
    let fetched = bench.got(outcome.runs[0].run, "IE029").unwrap();
    assert!(fetched - at("2026-11-24T07:00:00Z") < Duration::minutes(1), "{fetched}");
    assert_eq!(bench.posts(), ["IE015", "IE015", "IE170"]);
    assert_eq!(verify(&bench.evidence()).unwrap().problems, []);
    // A wait of twelve hours is no reason to stay awake.
    assert!(bench.clock.asked() < 12_000, "{}", bench.clock.asked());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_wait_is_told_when_to_come_again() {
    let mut bench = Bench::new(usual);
    until(&bench, "2026-11-27T19:00:00Z").await;
    let outcome = bench.run(vec![bench.job("DSGB1")], false).await.unwrap();
    assert_eq!(outcome.requests, 0);
    let opens = at("2026-11-30T07:00:00Z");
    assert_eq!(outcome.again_at, Some(opens));
    let waiting = outcome.runs[0].waiting_for.as_ref().unwrap();
    assert_eq!((waiting.actor, waiting.deadline), (Actor::OpeningHours, Some(opens)));
    let run = outcome.runs[0].run;
    until(&bench, "2026-11-30T07:00:00Z").await;
    let outcome = bench.resume("DSGB1", run, true).await;
    assert_eq!(outcome.runs[0].state, RunState::Passed);
}

/// Messages that were listed a moment before closing are fetched in the
/// morning.
#[tokio::test(start_paused = true)]
async fn what_was_not_fetched_before_closing_is_fetched_after_opening() {
    let slow = StdDuration::from_secs(8);
    let mut bench = Bench::with(usual, |_, _| None, move |_| (StdDuration::ZERO, slow));
    until(&bench, "2026-11-23T18:59:35Z").await;
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_eq!(outcome.runs[0].state, RunState::Passed, "{:?}", outcome.runs[0].failure);
    assert_eq!(calls_between(&bench, "2026-11-23T19:00:00Z", "2026-11-24T07:00:00Z"), 0);
    assert_eq!(verify(&bench.evidence()).unwrap().problems, []);
}

#[tokio::test(start_paused = true)]
async fn silent_officers_are_reminded_once_after_a_working_day() {
    let mut bench = Bench::new(normal);
    let fake = bench.fake.clone();
    let jobs = vec![bench.job("DNGB1")];
    // Asked on Monday at half past nine; they act on Wednesday.
    let (outcome, ()) = tokio::join!(bench.run(jobs, true), async {
        tokio::time::sleep(StdDuration::from_secs(48 * 3_600)).await;
        let mut world = fake.world.lock().unwrap();
        for kind in ["IE028", "IE029"] {
            world.bring(0, kind, at("2026-11-25T09:30:00Z"));
        }
    });
    let outcome = outcome.unwrap();
    assert_eq!(outcome.runs[0].state, RunState::Passed);
    let mails = &bench.watcher.mails;
    let kinds: Vec<bool> = mails.iter().map(|mail| mail.follow_up).collect();
    assert_eq!(kinds, [false, true]);
    let run = outcome.runs[0].run;
    let events = bench.events(run);
    let reminded: Vec<_> = events
        .iter()
        .filter(|line| matches!(line.event, Event::OfficerReminded(_)))
        .map(|line| line.at)
        .collect();
    assert_eq!(reminded.len(), 1);
    let late = reminded[0] - at("2026-11-24T09:30:00Z");
    assert!(late >= Duration::zero() && late < Duration::minutes(5), "{late}");
    assert_eq!(verify(&bench.evidence()).unwrap().problems, []);

    // Both stand in the evidence as files, and the second refers to the first.
    let eml = |wanted: bool| {
        events.iter().find_map(|line| match (&line.event, wanted) {
            (Event::OfficerAsked(mail), false) | (Event::OfficerReminded(mail), true) => {
                let bytes = bench.store().object(mail.eml.as_ref().unwrap()).unwrap();
                Some(String::from_utf8(bytes).unwrap())
            }
            _ => None,
        })
    };
    let (first, second) = (eml(false).unwrap(), eml(true).unwrap());
    let id = first.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap();
    assert!(second.contains(&format!("In-Reply-To: {id}")), "{second}");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&run.to_string(), "[RUN]");
    settings.add_filter(r"DNGB1\d{6}\w{8}", "[LRN]");
    settings.bind(|| {
        insta::assert_snapshot!("intervention", first.replace("\r\n", "\n"));
        insta::assert_snapshot!("follow-up", second.replace("\r\n", "\n"));
    });
}

#[tokio::test(start_paused = true)]
async fn officers_who_replied_are_not_reminded() {
    let mut bench = Bench::new(normal);
    let outcome = bench.run(vec![bench.job("DNGB1")], false).await.unwrap();
    let run = outcome.runs[0].run;
    {
        let clock: Arc<dyn Clock> = bench.clock.clone();
        let store = StoreWriter::open(&bench.evidence(), clock, "ctc-ready 0").unwrap();
        let (mut writer, _) = store.resume_run(run).unwrap();
        let answered = OfficerAnswered { step: 2, note: None, attachments: vec![] };
        writer.append(Event::OfficerAnswered(answered), Durability::Synced).unwrap();
    }
    until(&bench, "2026-11-26T10:00:00Z").await;
    let outcome = bench.resume("DNGB1", run, false).await;
    let waiting = outcome.runs[0].waiting_for.clone().unwrap();
    assert!(waiting.what.starts_with("officers replied on 2026-11-23 09:30"), "{}", waiting.what);
    assert_eq!(bench.watcher.mails.len(), 1);
    let told = |view: &ctc_ready::engine::RunView| matches!(view.doing, Doing::Answered { .. });
    assert!(bench.watcher.views.iter().any(told));
}
