//! Clocks that are wrong, set, silent or lie: evidence never looks younger than
//! it is, and what was done to a clock shows.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ctc_ready::clock::Clock;
use ctc_ready::digest::Digest;
use ctc_ready::evidence::*;
use ctc_ready::ncts::{MessageType, MovementKind};
use proptest::prelude::*;

use crate::support::*;

fn body() -> ObjectRef {
    ObjectRef { sha256: Digest::of(b""), bytes: 0, media_type: None, redacted: false }
}

/// A line: what our wall clock said, and the monotonic one (milliseconds).
type Line = (DateTime<Utc>, u64, Event);

fn fold(lines: Vec<Line>) -> RunRecord {
    static OPENED: LazyLock<RunOpened> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), &clock()).unwrap();
        opened(&store, "DSGB1")
    });
    let (at, mono, _) = lines[0];
    let first = std::iter::once((at, mono, Event::RunOpened(OPENED.clone())));
    let events: Vec<Recorded> = (0..)
        .zip(first.chain(lines))
        .map(|(seq, (at, mono, event))| Recorded { seq, at, mono_ns: mono * 1_000_000, event })
        .collect();
    RunRecord::fold(&events).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

fn polled(exchange: u32) -> Event {
    Event::Request(request(exchange, Purpose::ListMovements, None))
}

fn resumed() -> Event {
    Event::RunResumed(RunResumed { session: uuid::Uuid::nil(), tool: TOOL.into(), cut_bytes: 0 })
}

#[test]
fn a_clock_that_is_set_shows_with_its_line() {
    let clocks = |lines: &[(i64, u64)]| {
        let events = (1..).zip(lines).map(|(n, (wall, mono))| (at(*wall), mono * 1000, polled(n)));
        fold(events.collect()).clocks
    };
    let change = |by_s: i64, line| Some(ClockChange { by_ms: by_s * 1000, line });
    // Both clocks go on alike.
    let quiet = clocks(&[(0, 0), (10, 10), (4000, 4000)]);
    assert_eq!((quiet.set_back, quiet.set_forward), (None, None));
    // An hour back between the second and the third poll, in line 4.
    let back = clocks(&[(0, 0), (10, 10), (20 - 3600, 20), (30 - 3600, 30)]);
    assert_eq!((back.set_back, back.set_forward), (change(3600, 4), None));
    // Forward, and back to what it was: both show.
    let both = clocks(&[(0, 0), (10 + 7200, 10), (20 + 7200, 20), (30, 30)]);
    assert_eq!((both.set_back, both.set_forward), (change(7200, 5), change(7200, 3)));
    // The larger of two.
    let twice = clocks(&[(0, 0), (10 - 60, 10), (20 - 60 - 600, 20)]);
    assert_eq!(twice.set_back, change(660, 4));
}

#[test]
fn a_clock_set_back_between_two_sessions_shows_too() {
    let lines = |second: i64| {
        vec![
            (at(0), 0, polled(1)),
            (at(100), 100_000, polled(2)),
            (at(second), 5, resumed()),
            (at(second + 1), 1005, polled(3)),
        ]
    };
    assert_eq!(fold(lines(90)).clocks.set_back, Some(ClockChange { by_ms: 10_000, line: 4 }));
    // A pause of days is no change: no clock spans it.
    let later = fold(lines(500_000)).clocks;
    assert_eq!((later.set_back, later.set_forward), (None, None));
}

#[test]
fn the_apis_own_times_are_held_against_our_clock() {
    let skew = |received: Option<i64>, fetched: Option<i64>| {
        let sent = Submitted { received: received.map(at), ..submitted(1, body()) };
        let message = Received {
            message: MessageType::Ie928,
            movement: MovementKind::Departure,
            movement_id: "d1".into(),
            message_id: "m2".into(),
            exchange: 2,
            received: fetched.map(at),
            mrn: None,
            lrn: None,
            errors: vec![],
            release_indicator: None,
            body: body(),
        };
        fold(vec![
            (at(10), 10_000, Event::Request(request(1, Purpose::Submit, None))),
            (at(12), 12_000, Event::Response(response(1, 202, None))),
            (at(12), 12_000, Event::Submitted(sent)),
            (at(60), 60_000, Event::Request(request(2, Purpose::GetMessage, None))),
            (at(61), 61_000, Event::Response(response(2, 200, None))),
            (at(61), 61_000, Event::Received(message)),
        ])
        .clocks
        .received_skew_ms
    };
    assert_eq!(skew(None, None), None);
    // Between request and answer, and any time before the fetch.
    assert_eq!(skew(Some(11), Some(15)), Some(0));
    // We are ahead: the API had it before we sent it.
    assert_eq!(skew(Some(3), None), Some(7000));
    // We are behind: the API had it after it told us.
    assert_eq!(skew(Some(20), None), Some(-8000));
    assert_eq!(skew(Some(11), Some(71)), Some(-10_000));
}

/// Two clocks that the test sets as it likes.
struct Set(Mutex<(DateTime<Utc>, u64)>);

impl Set {
    fn to(&self, at: DateTime<Utc>, mono: Duration) {
        *self.0.lock().unwrap() = (at, u64::try_from(mono.as_nanos()).unwrap());
    }
}

impl Clock for Set {
    fn now(&self) -> DateTime<Utc> {
        self.0.lock().unwrap().0
    }

    fn mono_ns(&self) -> u64 {
        self.0.lock().unwrap().1
    }
}

/// Whatever was recorded in the store after a run bounds its age: a clock that
/// was days ahead while it ran, and told by no server, is given away by the
/// next line that is written with the right time.
#[test]
fn a_later_line_of_the_index_bounds_the_age_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Set(Mutex::new((at(0), 0))));
    let open = || {
        let clock = Arc::clone(&clock) as Arc<dyn Clock>;
        StoreWriter::open(folder.path(), clock, TOOL).unwrap()
    };
    let day = 86_400;
    clock.to(at(10 * day), Duration::ZERO);
    let store = open();
    let mut run = store.open_run(opened(&store, "DSGB1")).unwrap();
    for event in [
        Event::Request(request(1, Purpose::Submit, None)),
        Event::Response(response(1, 202, None)),
        Event::Submitted(submitted(1, body_of(&run))),
    ] {
        run.append(event, Durability::Synced).unwrap();
    }
    let id = run.run();
    store.close_run(run, passed()).unwrap();
    drop(store);
    let first = || Store::open(folder.path()).unwrap().run(id).unwrap().first_submission();
    assert_eq!(first(), Some(at(10 * day)), "nothing says otherwise yet");
    // The clock is set right; another run is made.
    clock.to(at(day), Duration::ZERO);
    let store = open();
    drop(store.open_run(opened(&store, "DSGB2")).unwrap());
    drop(store);
    assert_eq!(first(), Some(at(day)));
}

fn body_of(run: &RunWriter) -> ObjectRef {
    run.put_object(b"<sent/>", None, &Redactor::new(b"", [])).unwrap()
}

/// What may be done to the clocks of a run.
#[derive(Clone, Debug)]
struct Tricks {
    /// For each line: how far our clock is from the truth, in seconds.
    wall: Vec<i64>,
    /// Where the session ends and another begins, by line.
    resumes: Vec<bool>,
    /// For each exchange: how far the server's `Date` is from the truth, if it
    /// tells one.
    dates: Vec<Option<i64>>,
    /// Likewise the API's `received`.
    received: Vec<Option<i64>>,
}

fn off() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0_i64), -864_000..864_000_i64, Just(86_400), Just(-86_400), Just(3600)]
}

fn tricks() -> impl Strategy<Value = Tricks> {
    (
        prop::collection::vec(off(), 20),
        prop::collection::vec(prop::bool::weighted(0.2), 20),
        prop::collection::vec(prop::option::of(off()), 8),
        prop::collection::vec(prop::option::of(off()), 8),
    )
        .prop_map(|(wall, resumes, dates, received)| Tricks { wall, resumes, dates, received })
}

/// A run of one message sent and two received, with its true times: the POST
/// leaves ten seconds in. Recorded with the clocks as the tricks have them.
fn played(tricks: &Tricks) -> RunRecord {
    let mut lines: Vec<Line> = Vec::new();
    let (mut truth, mut line, mut session) = (0, 0, 0);
    let mut push = |event: Event, after: i64, lines: &mut Vec<Line>| {
        truth += after;
        if tricks.resumes[line % 20] && line > 0 {
            lines.push((at(truth + tricks.wall[line % 20]), 0, resumed()));
            session = truth;
        }
        let mono = u64::try_from(truth - session).unwrap() * 1000;
        lines.push((at(truth + tricks.wall[line % 20]), mono, event));
        line += 1;
        truth
    };
    for exchange in 1..=3_u32 {
        let place = exchange as usize;
        let submit = exchange == 1;
        let purpose = if submit { Purpose::Submit } else { Purpose::GetMessage };
        let sent = push(Event::Request(request(exchange, purpose, None)), 10, &mut lines);
        let mut answer = response(exchange, if submit { 202 } else { 200 }, None);
        answer.server_date = tricks.dates[place].map(|off| at(sent + 1 + off));
        let told = push(Event::Response(answer), 2, &mut lines);
        let received = tricks.received[place].map(|off| at(told - 1 + off));
        let event = match submit {
            true => Event::Submitted(Submitted { received, ..submitted(1, body()) }),
            false => Event::Received(Received {
                message: MessageType::Ie928,
                movement: MovementKind::Departure,
                movement_id: "d1".into(),
                message_id: format!("m{exchange}"),
                exchange,
                received,
                mrn: None,
                lrn: None,
                errors: vec![],
                release_indicator: None,
                body: body(),
            }),
        };
        push(event, 0, &mut lines);
    }
    push(Event::RunClosed(passed()), 1, &mut lines);
    fold(lines)
}

/// The POST left ten seconds in.
const TRUE_TIME: i64 = 10;
/// The run's last line.
const TRUE_END: i64 = 37;

proptest! {
    /// One clock that tells the truth about anything that came after is
    /// enough: evidence then looks no younger than by the length of the run.
    #[test]
    fn one_honest_clock_bounds_the_age(tricks in tricks(), honest in 0..4_usize, place in 1..4_usize) {
        let mut tricks = tricks;
        match honest {
            0 => tricks.wall[place * 3 - 1] = 0,
            1 => tricks.dates[place] = Some(0),
            2 => tricks.received[place] = Some(0),
            _ => tricks.wall[9] = 0,
        }
        let first = played(&tricks).first_submission().unwrap();
        prop_assert!(first <= at(TRUE_END), "{first} {tricks:?}");
    }

    /// With honest clocks the very time of the POST counts.
    #[test]
    fn honest_clocks_tell_the_time(resumes in prop::collection::vec(any::<bool>(), 20)) {
        let tricks = Tricks {
            wall: vec![0; 20],
            resumes,
            dates: vec![Some(0); 8],
            received: vec![Some(0); 8],
        };
        let record = played(&tricks);
        prop_assert_eq!(record.first_submission(), Some(at(TRUE_TIME)));
        prop_assert_eq!(record.clocks.set_back, None);
        prop_assert_eq!(record.clocks.set_forward, None);
        prop_assert_eq!(record.clocks.received_skew_ms, Some(0));
    }

    /// Whatever is done, no clock that speaks of the submission or of anything
    /// after it is older than the age that counts.
    #[test]
    fn no_clock_is_older_than_the_age_that_counts(tricks in tricks()) {
        let record = played(&tricks);
        let first = record.first_submission().unwrap();
        for message in &record.messages {
            for time in [Some(message.at), message.server_time, message.received].into_iter().flatten() {
                prop_assert!(first <= time);
            }
        }
        prop_assert!(first <= record.closed.unwrap());
    }

    /// A wall clock that goes back by more than the resolution is never missed.
    #[test]
    fn a_clock_that_goes_back_is_never_missed(tricks in tricks()) {
        let record = played(&tricks);
        let mut lines = vec![];
        let mut truth = 0;
        for exchange in 0..3 {
            for (n, after) in [10, 2, 0].into_iter().enumerate() {
                truth += after;
                lines.push(truth + tricks.wall[exchange * 3 + n]);
            }
        }
        lines.push(truth + 1 + tricks.wall[9]);
        let mut latest = lines[0];
        let mut back = 0;
        for wall in lines {
            back = back.max(latest - wall);
            latest = latest.max(wall);
        }
        if back > 1 {
            let shown = record.clocks.set_back.map_or(0, |change| change.by_ms);
            prop_assert!(shown >= (back - 1) * 1000, "{shown} < {back} s: {tricks:?}");
        }
    }
}
