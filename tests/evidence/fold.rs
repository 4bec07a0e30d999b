//! What a journal's events amount to.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ctc_ready::digest::Digest;
use ctc_ready::evidence::*;
use ctc_ready::ncts::{Direction, MessageType, MovementKind};

use crate::support::*;

fn body() -> ObjectRef {
    ObjectRef { sha256: Digest::of(b""), bytes: 0, media_type: None, redacted: false }
}

fn at(seconds: f64) -> DateTime<Utc> {
    start() + Duration::from_secs_f64(seconds)
}

fn journal(events: Vec<(f64, Event)>) -> Vec<Recorded> {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &clock()).unwrap();
    let first = (0.0, Event::RunOpened(opened(&store, "DSGB1")));
    let events = std::iter::once(first).chain(events);
    (0..)
        .zip(events)
        .map(|(seq, (s, event))| Recorded { seq, at: at(s), mono_ns: 0, event })
        .collect()
}

fn fold(events: Vec<(f64, Event)>) -> Result<RunRecord, FoldError> {
    RunRecord::fold(&journal(events))
}

fn ask(exchange: u32, purpose: Purpose) -> Event {
    Event::Request(request(exchange, purpose, None))
}

fn answer(exchange: u32, status: u16, date: Option<f64>) -> Event {
    let mut response = response(exchange, status, None);
    response.server_date = date.map(at);
    Event::Response(response)
}

fn failed(exchange: u32, may_have_arrived: bool) -> Event {
    let (failure, detail) = ("timeout".into(), String::new());
    Event::RequestFailed(RequestFailed { exchange, failure, detail, may_have_arrived })
}

fn release(exchange: u32) -> Event {
    Event::Received(Received {
        message: MessageType::Ie028,
        movement: MovementKind::Departure,
        movement_id: "d1".into(),
        message_id: "m2".into(),
        exchange,
        received: Some(at(3.0)),
        mrn: Some("26GB1".into()),
        lrn: Some("LRN1".into()),
        errors: vec![],
        release_indicator: None,
        body: body(),
    })
}

#[test]
fn a_run_tells_its_messages_with_the_times_of_their_requests() {
    let record = fold(vec![
        (1.0, ask(1, Purpose::Submit)),
        (2.0, answer(1, 202, Some(1.0))),
        (2.1, Event::Submitted(submitted(1, body()))),
        (4.0, ask(2, Purpose::GetMessage)),
        (5.0, answer(2, 200, Some(5.0))),
        (5.1, release(2)),
        (6.0, Event::RunClosed(passed())),
    ])
    .unwrap();
    assert_eq!(
        (record.state, record.closed, record.last_event),
        (RunState::Passed, Some(at(6.0)), at(6.0))
    );
    assert_eq!((record.opened, record.requests), (at(0.0), 2));
    assert_eq!((record.lrn.as_deref(), record.mrn.as_deref()), (Some("LRN1"), Some("26GB1")));
    let [sent, received] = &record.messages[..] else { panic!() };
    assert_eq!((sent.at, sent.server_time, sent.status), (at(1.0), Some(at(1.0)), 202));
    assert_eq!((sent.direction, sent.step), (Direction::Sent, Some(1)));
    assert_eq!((received.at, received.server_time), (at(4.0), Some(at(5.0))));
    assert_eq!((received.direction, received.step), (Direction::Received, None));
    assert_eq!(record.first_submission(), Some(at(1.0)));
}

#[test]
fn a_message_found_by_look_up_left_with_its_post() {
    let found = |events: Vec<(f64, Event)>| {
        let mut events = events;
        events.extend([
            (50.0, ask(9, Purpose::LookUp)),
            (51.0, answer(9, 200, Some(51.0))),
            (51.1, Event::Submitted(submitted(9, body()))),
        ]);
        fold(events).unwrap().messages.remove(0)
    };
    let lost = found(vec![(1.0, ask(1, Purpose::Submit)), (31.0, failed(1, true))]);
    assert_eq!(
        (lost.at, lost.server_time, lost.status, lost.exchange),
        (at(1.0), Some(at(51.0)), 200, 9)
    );
    // The oldest one that may have arrived.
    let second = found(vec![
        (1.0, ask(1, Purpose::Submit)),
        (2.0, failed(1, false)),
        (3.0, ask(2, Purpose::Submit)),
        (4.0, answer(2, 429, None)),
        (5.0, ask(3, Purpose::Submit)),
        (6.0, answer(3, 503, None)),
        (7.0, ask(4, Purpose::Submit)),
    ]);
    assert_eq!(second.at, at(5.0));
    // Made elsewhere: the look-up is all there is.
    assert_eq!(found(vec![]).at, at(50.0));
}

#[test]
fn skew_is_the_largest_difference_either_way() {
    let skew = |pairs: &[(f64, f64)]| {
        let mut events = Vec::new();
        for (exchange, (ours, theirs)) in (1..).zip(pairs) {
            events.push((*ours, ask(exchange, Purpose::ListMovements)));
            events.push((*ours, answer(exchange, 200, Some(*theirs))));
        }
        fold(events).unwrap().max_skew_ms
    };
    assert_eq!(skew(&[]), None);
    assert_eq!(skew(&[(10.999, 10.0)]), Some(0));
    assert_eq!(skew(&[(10.0, 13.5), (20.0, 18.0)]), Some(-3500));
    assert_eq!(skew(&[(10.0, 9.0), (20.0, 15.0)]), Some(5000));
}

#[test]
fn an_open_run_waits() {
    let record = fold(vec![(1.0, ask(1, Purpose::Submit))]).unwrap();
    assert_eq!((record.state, record.closed, record.requests), (RunState::Waiting, None, 1));
    assert_eq!((record.first_submission(), record.max_skew_ms), (None, None));
    assert_eq!(record.last_event - record.opened, TimeDelta::seconds(1));
}

#[test]
fn events_that_make_no_run_are_refused_with_their_line() {
    assert_eq!(RunRecord::fold(&[]), Err(FoldError::Empty));
    let first = journal(vec![(1.0, ask(1, Purpose::Submit))]);
    assert_eq!(RunRecord::fold(&first[1..]), Err(FoldError::Opened(1)));
    let again = first[0].event.clone();
    assert_eq!(fold(vec![(1.0, again)]), Err(FoldError::Opened(2)));
    assert_eq!(
        fold(vec![(1.0, Event::RunClosed(passed())), (2.0, ask(1, Purpose::Submit))]),
        Err(FoldError::AfterClosed(3))
    );
    let waiting = RunClosed { state: RunState::Waiting, failure: None };
    assert_eq!(fold(vec![(1.0, Event::RunClosed(waiting))]), Err(FoldError::ClosedWaiting(2)));
    assert_eq!(
        fold(vec![(1.0, answer(1, 200, None))]),
        Err(FoldError::NoRequest { line: 2, exchange: 1 })
    );
    let twice = || vec![(1.0, ask(1, Purpose::Submit)), (2.0, answer(1, 200, None))];
    for (event, error) in [
        (ask(1, Purpose::Submit), FoldError::SecondRequest { line: 4, exchange: 1 }),
        (failed(1, true), FoldError::SecondOutcome { line: 4, exchange: 1 }),
        (release(7), FoldError::NoRequest { line: 4, exchange: 7 }),
    ] {
        let mut events = twice();
        events.push((3.0, event));
        assert_eq!(fold(events), Err(error));
    }
    assert_eq!(
        fold(vec![(1.0, ask(1, Purpose::GetMessage)), (2.0, failed(1, true)), (3.0, release(1))]),
        Err(FoldError::NoResponse { line: 4, exchange: 1 })
    );
}
