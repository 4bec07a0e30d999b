//! Runs in virtual time: hours and days of waiting, answers that overtake one
//! another, clocks that are wrong, servers that fail.

#![allow(clippy::unwrap_used)]

mod bounds;
mod boxes;
mod failures;
mod fake;
mod injected;
mod inside;
mod missing;
mod people;
mod pulling;
mod renewing;
mod software;
mod tempo;
mod uploads;

use std::time::Duration as StdDuration;

use chrono::Duration;
use ctc_ready::engine::batch::Job;
use ctc_ready::engine::{BatchError, Outcome};
use ctc_ready::evidence::{Event, Purpose, RunState, verify};
use ctc_ready::hmrc::transport::NoAnswer;

use fake::{
    Bench, Message, Movement, TOKEN, answer, is_look, is_post, lost, normal, script, slow_for_xi,
    usual,
};

fn assert_passed(outcome: &Outcome) {
    for run in &outcome.runs {
        assert_eq!(run.state, RunState::Passed, "{}: {:?}", run.scenario, run.failure);
    }
    assert_eq!(outcome.stalled, []);
}

fn assert_intact(bench: &Bench) {
    assert_eq!(verify(&bench.evidence()).unwrap().problems, []);
}

#[tokio::test(start_paused = true)]
async fn waiting_45_minutes_takes_hardly_a_thought() {
    let mut bench = Bench::new(usual);
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    let run = outcome.runs[0].run;
    let waited = bench.got(run, "IE029").unwrap() - bench.got(run, "IE028").unwrap();
    assert!(waited < Duration::minutes(46), "{waited}");
    // Three messages, their lists, a handful of looks.
    assert!(outcome.requests < 16, "{}", outcome.requests);
    // Every turn of the loop asks the time a few times.
    assert!(bench.clock.asked() < 2_000, "{}", bench.clock.asked());
}

/// The list that another run asked for shows this run's movement, with its
/// IE928, before its own POST is answered. Nothing ever changes after that.
#[tokio::test(start_paused = true)]
async fn news_that_overtakes_the_answer_to_a_post_is_not_lost() {
    let mut bench = Bench::with(normal, |_, _| None, slow_for_xi(StdDuration::from_secs(60)));
    let jobs = vec![bench.job("DNGB1"), bench.job("DNXI1"), bench.job("DSGB1")];
    let outcome = bench.run(jobs, false).await.unwrap();
    assert_eq!(outcome.stalled, []);
    for run in &outcome.runs[..2] {
        assert!(bench.got(run.run, "IE928").is_some(), "{}", run.scenario);
    }
    assert_eq!(bench.watcher.mails.len(), 2);
}

/// A run whose officers act on its arrival is not put off by one that asks for
/// departures more often.
#[tokio::test(start_paused = true)]
async fn looks_at_one_list_do_not_put_off_the_other() {
    let hours = Duration::hours;
    let mut declared = 0;
    let count = std::sync::Mutex::new(move || {
        declared += 1;
        declared
    });
    let mut bench = Bench::new(move |kind| match kind {
        "IE007" => vec![("IE025", hours(2)), ("IE045", hours(4))],
        "IE015" => match (count.lock().unwrap())() {
            1 => usual(kind),
            n => vec![("IE928", Duration::seconds(n)), ("IE028", hours(5)), ("IE029", hours(6))],
        },
        other => usual(other),
    });
    let jobs = vec![bench.job("ANGB1"), bench.job("DSGB1")];
    let outcome = bench.run(jobs, true).await.unwrap();
    assert_passed(&outcome);
    let run = outcome.runs[0].run;
    let came = {
        let world = bench.world();
        let movement = world.movements.iter().find(|m| m.plural == "arrivals").unwrap();
        movement.messages.iter().find(|m| m.kind == "IE025").unwrap().at
    };
    let delay = bench.got(run, "IE025").unwrap() - came;
    assert!(delay < Duration::seconds(200), "{delay}");
}

#[tokio::test(start_paused = true)]
async fn a_run_taken_up_again_looks_for_the_officers_answer() {
    let mut bench = Bench::new(normal);
    let outcome = bench.run(vec![bench.job("DNGB1")], false).await.unwrap();
    let run = outcome.runs[0].run;
    assert_eq!(bench.watcher.mails.len(), 1);
    // They act the next day, while nothing runs. Looking again before that
    // costs one request and ends at once.
    let before = bench.world().calls.len();
    let outcome = bench.resume("DNGB1", run, false).await;
    assert_eq!(outcome.runs[0].state, RunState::Waiting);
    assert_eq!(bench.world().calls.len() - before, 2, "one look, one list");
    tokio::time::sleep(StdDuration::from_secs(86_400)).await;
    let now = bench.clock.true_now();
    bench.world().bring(0, "IE028", now);
    bench.world().bring(0, "IE029", now);
    let outcome = bench.resume("DNGB1", run, false).await;
    assert_passed(&outcome);
    assert_intact(&bench);
    assert_eq!(bench.watcher.mails.len(), 1, "nobody is asked twice");
}

#[tokio::test(start_paused = true)]
async fn what_came_while_nobody_looked_is_not_overdue() {
    for comes in [true, false] {
        let mut bench = Bench::new(move |kind| {
            let replies = usual(kind);
            if comes { replies } else { replies[..2].to_vec() }
        });
        let outcome = bench.run(vec![bench.job("DSGB1")], false).await.unwrap();
        let run = outcome.runs[0].run;
        assert_eq!(outcome.runs[0].state, RunState::Waiting);
        tokio::time::sleep(StdDuration::from_secs(9 * 86_400)).await;
        let outcome = bench.resume("DSGB1", run, false).await;
        assert_intact(&bench);
        if comes {
            assert_passed(&outcome);
            continue;
        }
        assert_eq!(outcome.runs[0].failure.as_ref().unwrap().reason, "overdue");
        // The look that found nothing is part of the evidence.
        let events = bench.events(run);
        let resumed =
            events.iter().position(|line| matches!(line.event, Event::RunResumed(_))).unwrap();
        assert!(events[resumed..].iter().any(|line| matches!(&line.event,
            Event::Request(request) if request.purpose == Purpose::ListMovements)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_waits_gives_an_absent_message_up_in_the_end() {
    let mut bench = Bench::new(|kind| usual(kind).into_iter().take(2).collect());
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_eq!(outcome.runs[0].failure.as_ref().unwrap().reason, "overdue");
    assert_intact(&bench);
    let run = &outcome.runs[0];
    assert!(run.finished.unwrap() - run.started < Duration::hours(7 * 24 + 2));
    // Seven days of a look a minute.
    assert!(outcome.requests < 7 * 24 * 60 + 100, "{}", outcome.requests);
}

/// Two hours in which the trader made 1,200 other movements, and a second page
/// that gets lost.
#[tokio::test(start_paused = true)]
async fn a_movement_on_the_third_page_is_found() {
    let mut bench = Bench::new(normal);
    let jobs = vec![bench.job("DNGB1")];
    let stopped = tokio::time::timeout(StdDuration::from_secs(1), bench.run(jobs, false)).await;
    assert!(stopped.is_err());
    let run = bench.only_run();
    tokio::time::sleep(StdDuration::from_secs(7_200)).await;
    let now = bench.clock.true_now();
    for n in 0..1_200 {
        let visible_from = now - Duration::seconds(n * 5);
        let (plural, lrn) = ("departures", Some(format!("OTHER{n}")));
        let mut world = bench.world();
        let id = world.id();
        world.movements.push(Movement {
            id,
            plural,
            lrn,
            mrn: None,
            visible_from,
            messages: vec![],
        });
    }
    *bench.fake_hook() =
        Box::new(script(|call| call.url.contains("page=2"), vec![Ok(answer(503, "{}"))]));
    let outcome = bench.resume("DNGB1", run, false).await;
    assert_eq!(outcome.stalled, []);
    assert!(bench.got(run, "IE928").is_some());
    assert_intact(&bench);
    // All pages of a look begin at the same instant.
    let world = bench.world();
    let looks = world.calls.iter().filter_map(|(_, call)| call.split_once("updatedSince="));
    let looks: Vec<(&str, &str)> =
        looks.filter_map(|(_, rest)| rest.split_once("&page=")).collect();
    let pages: Vec<&str> = looks.iter().map(|(_, page)| &page[..1]).collect();
    assert_eq!(pages[..5], ["1", "2", "1", "2", "3"]);
    assert!(looks[..5].iter().all(|(since, _)| *since == looks[0].0), "{looks:?}");
}

/// Two nodes of the API: a change made earlier may become visible later.
#[tokio::test(start_paused = true)]
async fn a_change_that_shows_late_is_not_lost() {
    let mut bench = Bench::new(normal);
    // The stranger's change is the newest at the first look; ours is older by
    // then, and shows only at the next.
    let mut first = true;
    *bench.fake_hook() = Box::new(move |call, world| {
        if !is_look(call) || !std::mem::replace(&mut first, false) {
            return None;
        }
        let newest = world.movements[0].messages.iter().map(|m| m.at).max().unwrap();
        let updated = newest + Duration::seconds(5);
        let id = "f".repeat(16);
        Some(Ok(answer(
            200,
            &serde_json::json!({"totalCount": 1, "departures": [{"id": id, "updated": updated}]})
                .to_string(),
        )))
    });
    let outcome = bench.run(vec![bench.job("DNGB1")], false).await.unwrap();
    assert!(bench.got(outcome.runs[0].run, "IE928").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_type_of_message_we_do_not_know_is_kept_and_passed_over() {
    let mut bench = Bench::new(|kind| {
        let mut replies = usual(kind);
        replies.insert(1, ("IE140", Duration::seconds(3)));
        replies
    });
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    assert!(bench.watcher.notes.iter().any(|note| note.contains("passed over")));
    let fetched = bench.events(outcome.runs[0].run).iter().any(|line| {
        matches!(&line.event, Event::Response(response)
        if response.body.as_ref().is_some_and(|body| {
            bench.store().object(body).unwrap().starts_with(b"<n:CC140C")
        }))
    });
    assert!(fetched);
}

#[tokio::test(start_paused = true)]
async fn garbled_answers_are_asked_for_again() {
    let html = "<html>maintenance</html>";
    for part in ["/body", "/messages?", "updatedSince"] {
        let answers = vec![Ok(answer(200, html)), Ok(answer(200, "")), Err(lost())];
        let mut bench = Bench::hooked(script(move |call| call.url.contains(part), answers));
        let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
        assert_passed(&outcome);
        assert_intact(&bench);
    }
}

#[tokio::test(start_paused = true)]
async fn a_202_without_ids_is_looked_up() {
    let mut bench = Bench::hooked({
        let mut first = true;
        move |call, world| {
            if !is_post(call) || !std::mem::replace(&mut first, false) {
                return None;
            }
            let now = world.calls.last().unwrap().0;
            let mut taken = world.answer(call, now);
            taken.body = b"{}".to_vec();
            Some(Ok(taken))
        }
    });
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_eq!(bench.posts(), ["IE015"]);
}

/// The POST arrives, its answer is lost, and the server is slower than our
/// look-up; the second POST is then refused as a duplicate of the first.
#[tokio::test(start_paused = true)]
async fn a_duplicate_of_our_own_lost_post_is_recognised() {
    let mut posts = 0;
    let mut bench = Bench::hooked(move |call, world| {
        if !is_post(call) {
            return None;
        }
        posts += 1;
        let now = world.calls.last().unwrap().0;
        match posts {
            1 => {
                world.answer(call, now);
                // Not there for another hour: that is, until the next POST.
                world.movements[0].visible_from = now + Duration::hours(1);
                world.movements[0].messages[0].at = now + Duration::hours(1);
                Some(Err(lost()))
            }
            2 => {
                // It came first, whatever NCTS answered meanwhile.
                world.movements[0].visible_from = now;
                world.movements[0].messages[0].at = now - Duration::hours(1);
                // Stored before it is refused, as the real API does.
                let id = world.id();
                let message = world.id();
                let lrn = world.movements[0].lrn.clone();
                world.movements.push(Movement {
                    id,
                    plural: "departures",
                    lrn,
                    mrn: None,
                    visible_from: now,
                    messages: vec![Message {
                        id: message,
                        kind: "IE015".into(),
                        at: now,
                        status: "Failed",
                        body: String::new(),
                    }],
                });
                Some(Ok(answer(409, r#"{"code":"CONFLICT","message":"LRN used"}"#)))
            }
            _ => panic!("sent a third time"),
        }
    });
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_passed(&outcome);
    assert_eq!(bench.posts(), ["IE015"]);
    assert_intact(&bench);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_or_forward_stops_nothing() {
    for hours in [-1, 1] {
        let mut bench = Bench::new(usual);
        let clock = bench.clock.clone();
        let jobs = vec![bench.job("DSGB1"), bench.job("ASGB1")];
        let started = tokio::time::Instant::now();
        let (outcome, ()) = tokio::join!(bench.run(jobs, true), async {
            // While the answers to IE015 are awaited.
            tokio::time::sleep(StdDuration::from_millis(2_500)).await;
            clock.set(Duration::hours(hours));
        });
        assert_passed(&outcome.unwrap());
        assert_intact(&bench);
        let took = started.elapsed();
        assert!(took < StdDuration::from_secs(58 * 60), "{hours}: {took:?}");
    }
}

/// Our clock is an hour ahead: what the API calls new lies an hour before our
/// run's beginning.
#[tokio::test(start_paused = true)]
async fn a_wrong_clock_hides_no_news() {
    for minutes in [-60, 60] {
        let mut bench = Bench::new(normal);
        bench.world().server_ahead = Duration::minutes(minutes);
        // Stopped before it could look for the first time.
        let jobs = vec![bench.job("DNGB1")];
        let stopped = tokio::time::timeout(StdDuration::from_secs(1), bench.run(jobs, false)).await;
        assert!(stopped.is_err());
        let run = bench.only_run();
        tokio::time::sleep(StdDuration::from_secs(7_200)).await;
        let outcome = bench.resume("DNGB1", run, false).await;
        assert_eq!(outcome.stalled, []);
        assert!(bench.got(run, "IE928").is_some(), "{minutes}");
        assert_eq!(bench.watcher.mails.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_errors_is_sat_out_by_who_waits_and_told_to_who_does_not() {
    for wait in [true, false] {
        let mut bench = Bench::hooked(move |call, world| {
            let began = world.calls[0].0;
            let now = world.calls.last().unwrap().0;
            let storm = now > began + Duration::seconds(3) && now < began + Duration::minutes(20);
            (storm && !is_post(call)).then(|| Ok(answer(503, r#"{"code":"SERVER_ERROR"}"#)))
        });
        let jobs = vec![bench.job("DSGB1"), bench.job("DSXI1")];
        let outcome = bench.run(jobs, wait).await.unwrap();
        assert_intact(&bench);
        if wait {
            assert_passed(&outcome);
            assert!(outcome.requests < 120, "{}", outcome.requests);
        } else {
            assert_eq!(outcome.stalled.len(), 2);
            assert!(outcome.stalled[0].1.contains("SERVER_ERROR"), "{:?}", outcome.stalled);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_into_a_storm_is_tried_a_few_times_ever_more_slowly() {
    let mut bench = Bench::hooked(|call, _| is_post(call).then(|| Ok(answer(503, "{}"))));
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    assert_eq!(outcome.stalled.len(), 1);
    let world = bench.world();
    let posts: Vec<_> = world
        .calls
        .iter()
        .filter(|(_, call)| call.starts_with("POST"))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(posts.len(), 5);
    assert!(posts[4] - posts[3] > Duration::seconds(3), "{posts:?}");
    assert!(posts[4] - posts[0] > Duration::seconds(8), "{posts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_lets_the_answers_under_way_come_in() {
    let mut posts = 0;
    let mut bench = Bench::with(
        usual,
        move |call, _| {
            posts += usize::from(is_post(call));
            (is_post(call) && posts == 3)
                .then(|| Ok(answer(401, r#"{"code":"INVALID_CREDENTIALS"}"#)))
        },
        |call| match is_post(call) {
            true => (StdDuration::from_millis(10), StdDuration::from_secs(5)),
            false => (StdDuration::ZERO, StdDuration::ZERO),
        },
    );
    let jobs: Vec<_> =
        ["DSGB1", "DSXI1", "PSGB1", "PSXI1"].iter().map(|id| bench.job(id)).collect();
    let error = bench.run(jobs, true).await.unwrap_err();
    assert!(matches!(error, BatchError::Unauthorised(_)), "{error}");
    assert_intact(&bench);
    let mut submitted = 0;
    for (run, _) in bench.store().indexed() {
        let events = bench.events(run);
        let open = events.iter().fold(0, |open, line| match &line.event {
            Event::Request(_) => open + 1,
            Event::Response(_) | Event::RequestFailed(_) => open - 1,
            _ => open,
        });
        assert_eq!(open, 0, "a request without its answer");
        submitted += events.iter().filter(|line| matches!(line.event, Event::Submitted(_))).count();
    }
    assert_eq!(submitted, 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_breaks_down_is_said_and_leaves_the_run_resumable() {
    let mut first = true;
    let mut bench = Bench::hooked(move |call, _| {
        assert!(!(is_look(call) && std::mem::replace(&mut first, false)), "broken on purpose");
        None
    });
    let error = bench.run(vec![bench.job("DSGB1")], true).await.unwrap_err();
    assert!(matches!(error, BatchError::Broken(_)), "{error}");
    let run = bench.only_run();
    // The poisoned lock of the fake is its own matter.
    bench.fake.world.clear_poison();
    bench.clear_hook();
    assert_passed(&bench.resume("DSGB1", run, true).await);
}

#[tokio::test(start_paused = true)]
async fn a_pause_the_api_asks_for_is_kept_by_every_run() {
    let mut limited = answer(429, r#"{"code":"MESSAGE_THROTTLED_OUT"}"#);
    limited.headers.push(("Retry-After".into(), "30".into()));
    let mut bench = Bench::hooked(script(is_post, vec![Ok(limited)]));
    let jobs: Vec<_> =
        ["DSGB1", "DSXI1", "PSGB1", "PSXI1", "DNGB1"].iter().map(|id| bench.job(id)).collect();
    let outcome = bench.run(jobs, false).await.unwrap();
    assert_eq!(outcome.stalled, []);
    let world = bench.world();
    // The first may go at once, and a second until the answer is here.
    let first = world.calls[0].0;
    let during = world
        .calls
        .iter()
        .filter(|(at, _)| *at > first + Duration::seconds(1) && *at < first + Duration::seconds(29))
        .count();
    assert_eq!(during, 0, "{:?}", world.calls);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_api_quotes_goes_nowhere() {
    let body = format!(r#"{{"code":"BAD_REQUEST","message":"Bearer {TOKEN} is no good"}}"#);
    for status in [400, 401, 503] {
        let body = body.clone();
        let mut bench =
            Bench::hooked(move |call, _| is_post(call).then(|| Ok(answer(status, &body))));
        let mut told = match bench.run(vec![bench.job("DSGB1")], false).await {
            Ok(outcome) => format!("{outcome:?}"),
            Err(error) => format!("{error:?} {error}"),
        };
        told += &format!("{:?} {:?}", bench.watcher.notes, bench.watcher.views);
        assert!(told.contains("is no good"), "{told}");
        assert!(!told.contains(TOKEN), "{told}");
        let run = bench.only_run();
        let journal = bench.evidence().join(format!("runs/{run}/journal.jsonl"));
        assert!(!std::fs::read_to_string(journal).unwrap().contains(TOKEN));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejection_with_ten_thousand_errors_fits_into_the_journal() {
    let mut bench = Bench::new(|kind| match kind {
        "IE015" => vec![("IE056", Duration::seconds(1))],
        _ => vec![],
    });
    let error = format!(
        "<FunctionalError><errorPointer>/CC015C/{}</errorPointer><errorCode>14</errorCode>\
         <errorReason>R0028</errorReason></FunctionalError>",
        "x".repeat(2_000)
    );
    *bench.fake_hook() = Box::new(move |call, world| {
        if call.url.ends_with("/body") {
            let body = fake::xml("IE056", Some("L"), &"9".repeat(100_000))
                .replace("</n:CC056C>", &format!("{}</n:CC056C>", error.repeat(9_999)));
            world.movements[0].messages[1].body = body;
        }
        None
    });
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    let failure = outcome.runs[0].failure.as_ref().unwrap();
    assert_eq!((failure.reason.as_str(), failure.errors.len()), ("rejected", 100));
    assert_intact(&bench);
}

/// Interrupted between a POST and its answer.
#[tokio::test(start_paused = true)]
async fn an_interrupted_post_is_looked_up_when_the_run_goes_on() {
    let mut bench = Bench::with(
        usual,
        |_, _| None,
        |call| match is_post(call) {
            true => (StdDuration::ZERO, StdDuration::from_secs(20)),
            false => (StdDuration::ZERO, StdDuration::ZERO),
        },
    );
    let jobs = vec![bench.job("DSGB1")];
    let stopped = tokio::time::timeout(StdDuration::from_secs(5), bench.run(jobs, true)).await;
    assert!(stopped.is_err());
    let run = bench.only_run();
    assert_intact(&bench);
    assert_passed(&bench.resume("DSGB1", run, true).await);
    assert_eq!(bench.posts(), ["IE015"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_breaks_on_the_way_stops_its_run_alone() {
    let mut bench = Bench::new(usual);
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("PSGB1");
    std::fs::create_dir(&own).unwrap();
    let file = own.join("2-IE170.xml");
    let good = "<n:CC170C xmlns:n=\"http://ncts.dgtaxud.ec\"><messageSender>A</messageSender>\
        <messageRecipient>NTA.GB</messageRecipient><preparationDateAndTime/>\
        <messageIdentification/><messageType>CC170C</messageType>\
        <TransitOperation><LRN/></TransitOperation></n:CC170C>";
    std::fs::write(&file, good).unwrap();
    bench.folder = Some(folder.path().to_owned());
    *bench.fake_hook() = Box::new(move |call, _| {
        if is_look(call) {
            std::fs::write(&file, "<broken").unwrap();
        }
        None
    });
    let jobs = vec![bench.job("PSGB1"), bench.job("DSGB1")];
    let outcome = bench.run(jobs, true).await.unwrap();
    assert_eq!(outcome.stalled.len(), 1);
    assert!(outcome.stalled[0].1.contains("2-IE170.xml"), "{:?}", outcome.stalled);
    assert_eq!(outcome.runs[1].state, RunState::Passed);
}

/// With a run to send, and with one that only waits.
#[tokio::test(start_paused = true)]
async fn an_api_that_never_answered_is_said_at_once() {
    let refused = || NoAnswer {
        failure: "connect",
        detail: "no connection: refused".into(),
        may_have_arrived: false,
    };
    let mut bench = Bench::new(normal);
    let outcome = bench.run(vec![bench.job("DNGB1")], false).await.unwrap();
    *bench.fake_hook() = Box::new(move |_, _| Some(Err(refused())));
    let waiting = Job { resume: Some(outcome.runs[0].run), ..bench.job("DNGB1") };
    for job in [bench.job("DSGB1"), waiting] {
        let outcome = bench.run(vec![job], true).await.unwrap();
        assert_eq!((outcome.stalled.len(), outcome.requests), (1, 1));
    }
}
