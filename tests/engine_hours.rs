//! People and clocks: nothing leaves while Trader Test is closed, nothing is
//! begun that cannot be finished, and officers are reminded once, in time.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use chrono::{DateTime, Duration, NaiveTime, TimeZone, Utc};
use ctc_ready::calendar::hours::Timetable;
use ctc_ready::calendar::{holidays, london};
use ctc_ready::catalogue::{Availability, Catalogue, Programme, Scenario};
use ctc_ready::digest::Digest;
use ctc_ready::engine::decide::{self, Action};
use ctc_ready::engine::hours::{self, Hours};
use ctc_ready::engine::state::State;
use ctc_ready::engine::tempo::Tempo;
use ctc_ready::evidence::{Actor, ObjectRef, Received, Submitted, WaitingFor};
use ctc_ready::ncts::MessageType;
use ctc_ready::project::Environment;
use proptest::prelude::*;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());

fn programme() -> Programme {
    CATALOGUE.programme("ncts5-final").unwrap().clone()
}

fn scenario(id: &str) -> Scenario {
    CATALOGUE.scenario("ncts5-final", id).unwrap().clone()
}

fn hours() -> Hours {
    Hours::of(&programme(), Environment::TraderTest)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An instant of the years 2026 to 2029.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    (0i64..4 * 365 * 86_400)
        .prop_map(|seconds| Utc.timestamp_opt(1_767_225_600 + seconds, 0).unwrap())
}

fn body() -> ObjectRef {
    ObjectRef { sha256: Digest::of(b"x"), bytes: 1, media_type: None, redacted: false }
}

fn receive(state: &mut State, at: DateTime<Utc>, message: MessageType) {
    let message_id = format!("{:016x}", state.received.len());
    let received = Received {
        message,
        movement: message.movement(),
        movement_id: "d".repeat(16),
        message_id,
        exchange: 1,
        received: None,
        mrn: None,
        lrn: None,
        errors: vec![],
        release_indicator: None,
        body: body(),
    };
    state.received.push((at, received));
}

/// A run whose declaration left at `at`, with what came of it at once.
fn declared(at: DateTime<Utc>, messages: &[MessageType]) -> State {
    let mut state = State { opened: Some(at), ..State::default() };
    let message = MessageType::Ie015;
    let submitted = Submitted {
        step: 1,
        message,
        lrn: None,
        mrn: None,
        movement: message.movement(),
        movement_id: "d".repeat(16),
        message_id: "1".repeat(16),
        exchange: 1,
        received: None,
        box_id: None,
        body: body(),
    };
    state.sent.insert(1, (at, submitted));
    messages.iter().for_each(|message| receive(&mut state, at, *message));
    state
}

/// A run whose officers were asked at `at`.
fn asked(at: DateTime<Utc>) -> State {
    let mut state = declared(at, &[MessageType::Ie928]);
    state.asked.insert(2, at);
    state
}

fn next(scenario: &Scenario, state: &State, hours: &Hours, now: DateTime<Utc>) -> Action {
    hours::next(scenario, state, Tempo::REAL, hours, now, Some(now))
}

#[track_caller]
fn wait(action: Action) -> (WaitingFor, DateTime<Utc>) {
    match action {
        Action::Await { waiting_for, look_at } => (waiting_for, look_at),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_follow_up_is_due_a_working_day_after_the_mail_could_be_read() {
    for (asked, due) in [
        // Monday 10:00; Friday 16:30.
        ("2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z"),
        ("2026-11-20T16:30:00Z", "2026-11-23T16:30:00Z"),
        // Friday 17:00, Saturday, Monday before nine: read on Monday at nine.
        ("2026-11-20T17:00:00Z", "2026-11-24T09:00:00Z"),
        ("2026-11-21T12:00:00Z", "2026-11-24T09:00:00Z"),
        ("2026-11-23T03:00:00Z", "2026-11-24T09:00:00Z"),
        // Christmas Eve, a Thursday; Boxing Day's substitute is Monday.
        ("2026-12-24T10:00:00Z", "2026-12-29T10:00:00Z"),
        ("2026-12-24T20:00:00Z", "2026-12-30T09:00:00Z"),
        // Maundy Thursday; the clocks go forward on Easter Sunday's eve.
        ("2027-03-25T16:00:00Z", "2027-03-30T15:00:00Z"),
        // The clocks go back between Friday and Monday.
        ("2026-10-23T09:00:00Z", "2026-10-26T10:00:00Z"),
    ] {
        assert_eq!(hours().follow_up_due(at(asked)), Some(at(due)), "{asked}");
    }
    assert_eq!(Hours::none().follow_up_due(at("2026-11-23T10:00:00Z")), None);
    for environment in [Environment::Simulator, Environment::Sandbox] {
        let hours = Hours::of(&programme(), environment);
        assert_eq!(hours.follow_up_due(at("2026-11-23T10:00:00Z")), None);
        assert!(hours.is_open(at("2026-12-25T03:00:00Z")));
    }
}

proptest! {
    #[test]
    fn a_follow_up_falls_into_office_hours_of_the_next_working_day(asked in instants()) {
        let due = hours().follow_up_due(asked).unwrap();
        let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        let office = Timetable::working_days(time(9), time(17));
        let read = office.next_opening(asked).unwrap();
        prop_assert!(office.is_open(due), "{}", due);
        prop_assert_eq!(london::time_of(due), london::time_of(read));
        let days = (1..30).map(|n| london::add_days(london::day_of(read), n));
        prop_assert_eq!(days.into_iter().find(|day| holidays::is_working_day(*day)), Some(london::day_of(due)));
    }

    /// Once, not before it is due, not before somebody looked, and never once
    /// the officers replied.
    #[test]
    fn officers_are_reminded_once_and_not_without_need(
        begun in instants(),
        later in 0i64..13 * 86_400,
        looked_ago in 0i64..3 * 86_400,
        replied in any::<bool>(),
        reminded in any::<bool>(),
    ) {
        let (scenario, hours) = (scenario("DNGB1"), hours());
        let mut state = asked(begun);
        let now = begun + Duration::seconds(later);
        let looked = now - Duration::seconds(looked_ago);
        if replied {
            state.answered.insert(2, begun);
        }
        if reminded {
            state.reminded.insert(2, begun);
        }
        let due = hours.follow_up_due(begun).unwrap();
        let action = hours::next(&scenario, &state, Tempo::REAL, &hours, now, Some(looked));
        let seen = looked >= due && hours.is_open(now);
        let wanted = now >= due && seen && !replied && !reminded;
        prop_assert_eq!(action == Action::FollowUp { step: 2 }, wanted, "{:?}", action);
        if let Action::Await { waiting_for, look_at } = action {
            prop_assert_eq!(waiting_for.actor, Actor::Officer);
            prop_assert!(hours.is_open(look_at) && look_at >= now);
            let deadline = if replied || reminded { begun + Duration::days(14) } else { due };
            prop_assert_eq!(waiting_for.deadline, Some(deadline));
            if now >= due && !replied && !reminded {
                prop_assert!(!hours.is_open(now) || look_at == now, "nobody looks");
            }
        }
    }

    /// Whatever is next, it leaves while Trader Test is open, in time for what
    /// must follow; and once it may, it does.
    #[test]
    fn nothing_leaves_while_trader_test_is_closed(
        which in any::<prop::sample::Index>(),
        now in instants(),
    ) {
        let hours = hours();
        let all = CATALOGUE.scenarios("ncts5-final");
        let scenario = which.get(all);
        match next(scenario, &State::default(), &hours, now) {
            Action::Send { .. } => prop_assert!(hours.is_open(now)),
            Action::Await { waiting_for, look_at } => {
                prop_assert_eq!(waiting_for.actor, Actor::OpeningHours);
                prop_assert_eq!(waiting_for.deadline, Some(look_at));
                prop_assert!(look_at > now && look_at - now < Duration::days(8));
                let then = next(scenario, &State::default(), &hours, look_at);
                let sends = matches!(then, Action::Send { .. });
                prop_assert!(sends, "{:?}", then);
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

#[test]
fn a_declaration_leaves_time_for_what_must_follow_it() {
    let (hours, state) = (hours(), State::default());
    let pre_lodged = scenario("PSGB1");
    let sends = |scenario: &Scenario, now| {
        matches!(next(scenario, &state, &hours, at(now)), Action::Send { .. })
    };
    // The IE170 may go until 45 minutes after it: until seven at the latest.
    assert!(sends(&pre_lodged, "2026-11-23T18:15:00Z"));
    let (waiting, look_at) = wait(next(&pre_lodged, &state, &hours, at("2026-11-23T18:15:01Z")));
    assert_eq!(look_at, at("2026-11-24T07:00:00Z"));
    assert_eq!(
        waiting.what,
        "the IE170 must go within 45 minutes of the IE015, and Trader Test closes before; it goes \
         Tue 2026-11-24 07:00 (London)"
    );
    assert!(sends(&scenario("DSGB1"), "2026-11-23T18:59:59Z"));
    let (waiting, _) = wait(next(&pre_lodged, &state, &hours, at("2026-11-27T19:00:00Z")));
    let closed = "Trader Test is closed; the IE015 goes Mon 2026-11-30 07:00 (London)";
    assert_eq!(waiting.what, closed);

    // Officers who must act within 45 minutes.
    let mut hurried = scenario("DNGB1");
    hurried.step[1].officer_deadline_minutes = Some(45);
    assert!(sends(&hurried, "2026-11-23T16:15:00Z"));
    for (now, start) in [
        ("2026-11-23T16:15:01Z", "2026-11-24T09:00:00Z"),
        ("2026-11-23T07:00:00Z", "2026-11-23T09:00:00Z"),
        ("2026-12-24T17:00:00Z", "2026-12-29T09:00:00Z"),
    ] {
        assert_eq!(wait(next(&hurried, &state, &hours, at(now))).1, at(start), "{now}");
    }
    // The same without a deadline may be declared early and late.
    assert!(sends(&scenario("DNGB1"), "2026-11-23T07:00:00Z"));

    // A window that fits into no day keeps nobody waiting for ever.
    hurried.step[1].officer_deadline_minutes = Some(24 * 60);
    assert!(sends(&hurried, "2026-11-23T07:00:00Z"));
}

#[test]
fn other_hours_in_the_data_are_kept() {
    let now = at("2026-12-25T03:00:00Z");
    let (scenario, state) = (scenario("PSGB1"), State::default());
    let always = |from, until| Availability {
        from,
        until,
        always: true,
        opens: None,
        closes: None,
        source: String::new(),
    };
    let mut programme = programme();
    for availability in [vec![], vec![always(None, None)]] {
        programme.availability = availability;
        let hours = Hours::of(&programme, Environment::TraderTest);
        assert!(matches!(next(&scenario, &state, &hours, now), Action::Send { .. }));
    }
    // Closed for good.
    programme.availability = vec![always(None, Some(london::day_of(at("2026-01-01T12:00:00Z"))))];
    let hours = Hours::of(&programme, Environment::TraderTest);
    let (waiting, look_at) = wait(next(&scenario, &state, &hours, now));
    assert_eq!((waiting.actor, waiting.deadline), (Actor::OpeningHours, None));
    assert!(look_at > now);
    // NCTS6 answered around the clock until June 2026.
    let ncts6 = CATALOGUE.programme("ncts6").unwrap();
    let hours = Hours::of(ncts6, Environment::TraderTest);
    assert!(hours.is_open(at("2026-05-25T03:00:00Z")));
    assert!(!hours.is_open(at("2026-06-20T03:00:00Z")));
}

#[test]
fn a_timer_keeps_its_deadline_while_trader_test_is_closed() {
    let began = at("2026-11-23T18:50:00Z");
    let state = declared(began, &[MessageType::Ie928, MessageType::Ie028]);
    let scenario = scenario("DSGB1");
    let opens = at("2026-11-24T07:00:00Z");
    for now in ["2026-11-23T18:55:00Z", "2026-11-23T19:10:00Z"] {
        let (waiting, look_at) = wait(next(&scenario, &state, &hours(), at(now)));
        let due = began + Duration::minutes(60);
        let what = "IE029 (45 minute timer)";
        assert_eq!((waiting.actor, waiting.deadline), (Actor::Timer, Some(due)), "{now}");
        assert!(waiting.what.starts_with(what), "{}", waiting.what);
        assert_eq!(look_at, opens, "{now}");
    }
    let (waiting, look_at) = wait(next(&scenario, &state, &hours(), at("2026-11-23T20:00:00Z")));
    assert_eq!((waiting.actor, waiting.deadline), (Actor::OpeningHours, Some(opens)));
    assert_eq!(look_at, opens);
    assert_eq!(
        waiting.what,
        "IE029 (45 minute timer): Trader Test is closed; it opens Tue 2026-11-24 07:00 (London)"
    );
}

#[test]
fn a_wait_for_officers_says_what_and_whom() {
    let scenario = scenario("DNGB1");
    let mut state = asked(at("2026-11-27T16:30:00Z"));
    let mut said = Vec::new();
    let mut say = |state: &State, now: &str| {
        let (waiting, _) = wait(next(&scenario, state, &hours(), at(now)));
        said.push(format!("{}\nuntil {:?}", waiting.what, waiting.deadline.unwrap()));
    };
    say(&state, "2026-11-27T16:31:00Z");
    say(&state, "2026-11-28T12:00:00Z");
    state.reminded.insert(2, at("2026-11-30T16:31:00Z"));
    say(&state, "2026-11-30T16:32:00Z");
    state.answered.insert(2, at("2026-12-01T10:12:00Z"));
    say(&state, "2026-12-01T10:13:00Z");
    insta::assert_snapshot!(said.join("\n\n"));
    assert_eq!(decide::position(&scenario, &state).0, 2);
}
