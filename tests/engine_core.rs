//! The pure core of the engine: whatever a journal says, and wherever it is
//! cut off, what comes next is safe.

#![allow(clippy::unwrap_used)]

mod engine_core_support;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::Duration;
use ctc_ready::catalogue::{Catalogue, Programme, Scenario};
use ctc_ready::engine::decide::{self, Action};
use ctc_ready::engine::state::{Fate, State};
use ctc_ready::engine::tempo::Tempo;
use ctc_ready::evidence::{Actor, Event, LookedUp, Purpose, RunState};
use ctc_ready::ncts::{Direction, MessageType};
use engine_core_support::{COUNT, Run, scenario, scenarios, start};
use proptest::prelude::*;

/// Rolls the dice for what happens next, and looks at what the core makes of
/// it.
trait Play {
    fn happen(&mut self, dice: (u8, u8));
    fn receive_next_if_any(&mut self);
    fn repeat(&mut self, dice: u8);
    fn check(&self);
}

impl Play for Run {
    /// One more thing happens, as `dice` says.
    fn happen(&mut self, dice: (u8, u8)) {
        self.now += Duration::seconds(i64::from(dice.1));
        self.looked = !dice.1.is_multiple_of(5);
        match self.next() {
            Action::Send { step, message, .. } => {
                self.request(Purpose::Submit, Some(step), Some(message));
                let statuses = [302, 400, 401, 408, 409, 429, 500, 503];
                match dice.0 % 16 {
                    0..6 => {
                        self.respond(self.exchange, 202);
                        self.submitted(step, message);
                    }
                    6 => self.respond(self.exchange, 202),
                    7 => self.fail(self.exchange, true),
                    8 => self.fail(self.exchange, false),
                    // Killed before the answer.
                    9 => self.resume(),
                    other => self.respond(self.exchange, statuses[other as usize - 9]),
                }
            }
            Action::LookUp { step, message } => {
                self.request(Purpose::LookUp, None, None);
                match dice.0 % 4 {
                    0 => self.resume(),
                    1 => self.respond(self.exchange, 503),
                    found => {
                        self.respond(self.exchange, 200);
                        let found = found == 2;
                        let exchange = self.exchange;
                        self.log(Event::LookedUp(LookedUp { exchange, step, found }));
                        if found && !dice.1.is_multiple_of(3) {
                            self.submitted(step, message);
                        }
                    }
                }
            }
            Action::AskOfficer { step } => match dice.0 % 4 {
                0 => self.resume(),
                _ => self.ask(step),
            },
            Action::Await { .. } => {
                let received: Vec<MessageType> = MessageType::ALL
                    .iter()
                    .copied()
                    .filter(|message| message.direction() == Direction::Received)
                    .collect();
                let expected: Vec<_> =
                    self.scenario.step.iter().flat_map(|s| &s.expect).cloned().collect();
                match dice.0 % 12 {
                    // What is due, mostly.
                    8.. if !expected.is_empty() => self.receive_next_if_any(),
                    // A message that came before comes again, under its name or
                    // under another.
                    7 => self.repeat(dice.1),
                    0 => self.resume(),
                    1 => self.now += Duration::hours(i64::from(dice.1)),
                    2 => self.receive(received[dice.1 as usize % received.len()]),
                    // Late, or early.
                    _ if !expected.is_empty() => {
                        let wanted = &expected[dice.1 as usize % expected.len()];
                        let mut received = self.as_expected(wanted);
                        received.received =
                            Some(self.now - Duration::seconds(i64::from(dice.0)) * 3);
                        self.log(Event::Received(received));
                    }
                    _ => {}
                }
            }
            Action::AskBalance { step, .. } => {
                self.request(Purpose::Balance, Some(step), None);
                match dice.0 % 8 {
                    0 => self.resume(),
                    1 => self.fail(self.exchange, true),
                    2 => self.fail(self.exchange, false),
                    3 => self.respond(self.exchange, 503),
                    4 => self.answer_balance(step, 404, None, Some("NOT_FOUND")),
                    _ => self.answer_as_expected(step),
                }
            }
            Action::Finish(closed) | Action::GiveUp(closed) => {
                self.log(Event::RunClosed(closed));
            }
            Action::FollowUp { step } => panic!("step {step}: the core keeps no hours"),
            other @ (Action::Perform { .. } | Action::LookFor { .. } | Action::NotSent { .. }) => {
                panic!("we send ourselves: {other:?}")
            }
            other @ (Action::Inject { .. } | Action::Stop { .. }) => {
                panic!("NCTS answers, and messages are small: {other:?}")
            }
            Action::Over => {}
        }
        // A clock may be set back.
        if dice == (13, 13) {
            self.now -= Duration::hours(2);
        }
    }

    fn receive_next_if_any(&mut self) {
        let (_, missing) = decide::position(&self.scenario, &self.state);
        if !missing.is_empty() {
            self.receive_next();
        }
    }

    fn repeat(&mut self, dice: u8) {
        let counted = self.state.received.len();
        let before = self.state.received.get(dice as usize % counted.max(1)).cloned();
        let Some((_, mut again)) = before else { return };
        if dice.is_multiple_of(2) {
            again.message_id = self.id();
        }
        self.log(Event::Received(again));
        assert_eq!(self.state.received.len(), counted, "it counts twice");
    }

    fn check(&self) {
        let action = self.next();
        let fate = self.state.pending.as_ref().map(|pending| pending.fate.clone());
        let in_doubt = matches!(fate, Some(Fate::Unknown | Fate::Conflict));
        if in_doubt {
            assert!(matches!(action, Action::LookUp { .. } | Action::Over), "{action:?}");
        }
        if let Action::Await { waiting_for, .. } = &action {
            assert!(!waiting_for.what.is_empty(), "nobody is waited for");
        }
        if let Action::Send { step, .. } = action {
            assert!(!self.state.sent.contains_key(&step), "step {step} is sent twice");
        }
        let mut submitted = BTreeMap::<u32, u32>::new();
        for event in &self.events {
            if let Event::Submitted(event) = &event.event {
                *submitted.entry(event.step).or_default() += 1;
            }
        }
        assert!(submitted.values().all(|times| *times == 1), "{submitted:?}");
        let expected: Vec<_> = self.scenario.step.iter().flat_map(|step| &step.expect).collect();
        let refused = self.state.received.iter().any(|(_, received)| received.message.is_refusal());
        if refused && !expected.iter().any(|expectation| expectation.message.is_refusal()) {
            let over = match &action {
                Action::Finish(closed) | Action::GiveUp(closed) => closed.state == RunState::Failed,
                Action::Over => self.state.closed.as_ref().unwrap().1.state == RunState::Failed,
                _ => false,
            };
            assert!(over, "{action:?}");
        }
        let passes = match (&action, &self.state.closed) {
            (Action::Finish(closed), _) | (Action::Over, Some((_, closed))) => {
                closed.state == RunState::Passed
            }
            _ => false,
        };
        if passes {
            for expectation in &expected {
                let wanted = expected.iter().filter(|e| e.message == expectation.message).count();
                assert!(self.count(expectation.message) >= wanted, "{}", expectation.message);
            }
            for (index, step) in self.scenario.step.iter().enumerate() {
                let number = index as u32 + 1;
                assert!(step.send.is_none() || self.state.sent.contains_key(&number));
                assert!(step.request.is_none() || self.state.balances.contains_key(&number));
            }
        }
    }
}

proptest! {
    /// Whatever happens to a run, and whenever it is cut off.
    #[test]
    fn what_comes_next_is_always_safe(
        which in 0usize..COUNT,
        dice in prop::collection::vec(any::<(u8, u8)>(), 1..80),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut run = Run::new(scenarios().nth(which).unwrap().clone());
        for dice in dice {
            run.happen(dice);
            run.check();
        }
        // A resumed run is the same run.
        let cut = cut.index(run.events.len() + 1);
        let mut again = State::fold(&run.events[..cut]);
        run.events[cut..].iter().for_each(|event| again.apply(event));
        prop_assert_eq!(format!("{again:?}"), format!("{:?}", run.state));
    }

    /// Lines that no run of ours would write, in any order.
    #[test]
    fn no_order_of_events_is_too_much(
        which in 0usize..COUNT,
        dice in prop::collection::vec(any::<(u8, u8, u8)>(), 0..60),
    ) {
        static PROGRAMME: LazyLock<Programme> = LazyLock::new(|| {
            Catalogue::built_in().unwrap().programme("ncts6").unwrap().clone()
        });
        let mut run = Run::new(scenarios().nth(which).unwrap().clone());
        for (what, a, b) in dice {
            let message = MessageType::ALL[a as usize % MessageType::ALL.len()];
            run.now += Duration::seconds(i64::from(b) * 40 - 1_000);
            match what % 10 {
                0 => run.request(Purpose::Submit, Some(u32::from(b)), Some(message)),
                1 => run.request(Purpose::Submit, None, None),
                2 => run.respond(u32::from(a), u16::from(b) * 4),
                3 => run.fail(u32::from(a), b % 2 == 0),
                4 => run.submitted(u32::from(b % 4), message),
                5 => run.receive(message),
                6 => run.ask(u32::from(b)),
                7 => run.resume(),
                8 => run.answer_balance(u32::from(b % 4), u16::from(a) * 4, None, None),
                _ => run.log(Event::LookedUp(LookedUp {
                    exchange: u32::from(a),
                    step: u32::from(b),
                    found: b % 2 == 0,
                })),
            }
            run.looked = b % 3 == 0;
            let _ = run.next();
            let _ = decide::position(&run.scenario, &run.state);
            let _ = decide::waiting_for(&PROGRAMME, &run.scenario, &run.events, run.now);
        }
    }

    /// Inside a movement NCTS does one thing after the other; between movements
    /// there is no order.
    #[test]
    fn movements_take_no_turns(which in 0usize..COUNT, seed in any::<u64>()) {
        let mut run = Run::new(scenarios().nth(which).unwrap().clone());
        let mut seed = seed;
        for (step, number) in run.scenario.step.clone().into_iter().zip(1..) {
            if step.send.is_some() {
                run.send();
            }
            if step.request.is_some() {
                run.answer_as_expected(number);
            }
            if let Action::AskOfficer { step } = run.next() {
                run.ask(step);
            }
            let mut coming = step.expect.clone();
            while !coming.is_empty() {
                let waits = matches!(run.next(), Action::Await { .. });
                prop_assert!(waits, "{:?}", run.next());
                let kind = coming[(seed % coming.len() as u64) as usize].message.movement();
                let first = coming.iter().position(|e| e.message.movement() == kind).unwrap();
                let received = run.as_expected(&coming.remove(first));
                run.log(Event::Received(received));
                run.now += Duration::seconds(1);
                seed = seed.rotate_right(7);
            }
        }
        prop_assert!(run.passed());
    }

    /// The API's lists may show messages late, and several at once: only their
    /// own times count.
    #[test]
    fn messages_may_be_seen_in_any_order(which in 0usize..COUNT, seed in any::<u64>()) {
        let mut run = Run::new(scenarios().nth(which).unwrap().clone());
        let mut seed = seed;
        for (step, number) in run.scenario.step.clone().into_iter().zip(1..) {
            if step.send.is_some() {
                run.send();
            }
            if step.request.is_some() {
                run.answer_as_expected(number);
            }
            if let Action::AskOfficer { step } = run.next() {
                run.ask(step);
            }
            let mut coming = Vec::new();
            for expected in &step.expect {
                // Half of them in the same instant.
                run.now += Duration::milliseconds((seed % 2) as i64);
                seed = seed.rotate_right(1);
                coming.push(run.as_expected(expected));
            }
            // Refusals apart: one that comes unasked ends a run.
            let refused = coming.iter().any(|received| received.message.is_refusal());
            while !coming.is_empty() {
                let place = if refused { 0 } else { (seed % coming.len() as u64) as usize };
                seed = seed.rotate_right(7);
                run.log(Event::Received(coming.remove(place)));
            }
        }
        prop_assert!(run.passed(), "{:?}", run.next());
    }
}

/// What the core does when everything goes as HMRC's guide says.
fn ideal(scenario: Scenario) -> Vec<String> {
    Run::new(scenario).ideal(|_| false)
}

#[test]
fn the_ideal_course_of_the_mandatory_scenarios() {
    let simplified = [
        "send IE015 for step 1",
        "NCTS brings IE928 in 0",
        "NCTS brings IE028 in 0",
        "NCTS brings IE029 in 45",
    ];
    let tables: [(&[&str], &[&str], &[&str]); 6] = [
        (&["DSGB1", "DSXI1", "P6-DSGB-01", "P6-DSXI-01"], &simplified, &[]),
        (
            &["DNGB1", "DNXI1"],
            &["send IE015 for step 1", "NCTS brings IE928 in 0"],
            &["ask for step 2", "officer brings IE028 in 1", "officer brings IE029 in 1"],
        ),
        (
            &["PSGB1", "PSXI1"],
            &["send IE015 for step 1", "NCTS brings IE928 in 0"],
            &["send IE170 for step 2", "NCTS brings IE028 in 0", "NCTS brings IE029 in 0"],
        ),
        (
            &["PNGB1", "PNXI1"],
            &["send IE015 for step 1", "NCTS brings IE928 in 0"],
            &[
                "send IE170 for step 2",
                "NCTS brings IE028 in 0",
                "ask for step 3",
                "officer brings IE029 in 1",
            ],
        ),
        (
            &["ASGB1", "ASXI1"],
            &simplified,
            &[
                "send IE007 for step 2",
                "NCTS brings IE043 in 0",
                "send IE044 for step 3",
                "NCTS brings IE025 in 0",
                "NCTS brings IE045 in 0",
            ],
        ),
        (
            &["ANGB1", "ANXI1"],
            &simplified,
            &[
                "send IE007 for step 2",
                "ask for step 2",
                "officer brings IE025 in 1",
                "officer brings IE045 in 1",
            ],
        ),
    ];
    for (ids, first, then) in tables {
        for id in ids {
            let expected = [first, then, &["Passed"]].concat();
            assert_eq!(ideal(scenario(id)), expected, "{id}");
        }
    }
}

#[test]
fn every_scenario_comes_to_its_end_step_by_step() {
    for scenario in scenarios() {
        let mut expected = Vec::new();
        for (step, number) in scenario.step.iter().zip(1..) {
            expected.extend(step.send.map(|message| format!("send {message} for step {number}")));
            let balance = step.request.as_ref();
            expected.extend(balance.map(|_| format!("ask for the balance of step {number}")));
            expected.extend(step.officer.as_ref().map(|_| format!("ask for step {number}")));
            expected.extend(step.expect.iter().map(|expected| format!("{}", expected.message)));
        }
        expected.push("Passed".to_owned());
        // Who brings a message, and when, is left out.
        let course: Vec<String> = ideal(scenario.clone())
            .into_iter()
            .map(|line| match line.split_once(" brings ") {
                Some((_, rest)) => rest.split(' ').next().unwrap_or_default().to_owned(),
                None => line,
            })
            .collect();
        assert_eq!(course, expected, "{}", scenario.id);
    }
    assert_eq!(scenarios().count(), COUNT);
}

#[test]
fn what_officers_did_already_is_not_asked_for() {
    let mut run = Run::new(scenario("DNGB1"));
    run.send();
    for message in [MessageType::Ie928, MessageType::Ie028, MessageType::Ie029] {
        run.receive(message);
    }
    assert!(matches!(run.next(), Action::Finish(closed) if closed.state == RunState::Passed));
}

#[test]
fn a_refusal_that_no_step_expects_now_ends_the_run() {
    for refusal in [MessageType::Ie051, MessageType::Ie055, MessageType::Ie056, MessageType::Ie057]
    {
        let mut run = Run::new(scenario("DSGB1"));
        run.send();
        run.receive(refusal);
        let Action::Finish(closed) = run.next() else { panic!("{:?}", run.next()) };
        let failure = closed.failure.unwrap();
        assert_eq!((failure.reason.as_str(), failure.step), ("rejected", 1));
    }
    // A step that expects one expects it as an answer to its own message.
    let mut scenario = scenario("PSGB1");
    scenario.step[1].expect = vec![serde_json::from_str(r#"{"message": "IE056"}"#).unwrap()];
    let mut run = Run::new(scenario.clone());
    run.send();
    run.receive(MessageType::Ie928);
    run.receive(MessageType::Ie056);
    assert!(matches!(run.next(), Action::Finish(closed) if closed.state == RunState::Failed));
    let mut run = Run::new(scenario);
    run.send();
    run.receive(MessageType::Ie928);
    run.send();
    run.receive(MessageType::Ie056);
    assert!(matches!(run.next(), Action::Finish(closed) if closed.state == RunState::Passed));
}

/// The answer to the IE170 is lost, and what it brought is fetched before
/// anybody knows that it was taken.
#[test]
fn what_comes_while_a_post_is_in_doubt_is_judged_once_its_fate_is_known() {
    let mut run = Run::new(scenario("PSGB1"));
    run.send();
    run.receive(MessageType::Ie928);
    run.request(Purpose::Submit, Some(2), Some(MessageType::Ie170));
    run.fail(run.exchange, true);
    run.receive(MessageType::Ie028);
    run.receive(MessageType::Ie029);
    assert!(matches!(run.next(), Action::LookUp { step: 2, .. }), "{:?}", run.next());
    run.request(Purpose::LookUp, None, None);
    run.respond(run.exchange, 200);
    run.log(Event::LookedUp(LookedUp { exchange: run.exchange, step: 2, found: true }));
    run.submitted(2, MessageType::Ie170);
    assert!(run.passed(), "{:?}", run.next());
}

#[test]
fn the_presentation_is_due_45_minutes_after_the_declaration_left() {
    let mut run = Run::new(scenario("PSGB1"));
    run.request(Purpose::Submit, Some(1), Some(MessageType::Ie015));
    // The answer was lost and found again two minutes later.
    run.fail(1, true);
    run.now += Duration::minutes(2);
    run.request(Purpose::LookUp, None, None);
    run.respond(2, 200);
    run.log(Event::LookedUp(LookedUp { exchange: 2, step: 1, found: true }));
    run.submitted(1, MessageType::Ie015);
    run.receive(MessageType::Ie928);
    run.now = start() + Duration::minutes(45) - Duration::milliseconds(1);
    assert!(matches!(run.next(), Action::Send { step: 2, .. }));
    run.now = start() + Duration::minutes(45);
    let Action::Finish(closed) = run.next() else { panic!("{:?}", run.next()) };
    assert_eq!(closed.failure.unwrap().reason, "deadline-missed");
}

#[test]
fn nothing_is_overdue_before_someone_looked() {
    let mut run = Run::new(scenario("DSGB1"));
    run.send();
    run.receive(MessageType::Ie928);
    run.receive(MessageType::Ie028);
    let due = start() + Duration::minutes(45);
    let give_up = due + Duration::days(7);
    let next =
        |run: &Run, now, looked| decide::next(&run.scenario, &run.state, Tempo::REAL, now, looked);
    let look_at = |action| match action {
        Action::Await { look_at, .. } => look_at,
        other => panic!("{other:?}"),
    };
    // What is due takes a moment to be seen.
    let first = due + Duration::seconds(4);
    assert_eq!(look_at(next(&run, start(), Some(start()))), first);
    assert_eq!(look_at(next(&run, give_up, None)), give_up);
    assert_eq!(look_at(next(&run, give_up, Some(due))), give_up);
    assert!(matches!(next(&run, give_up, Some(give_up)), Action::GiveUp(_)));
    // Taken up again, a run first looks at what it missed.
    run.resume();
    assert_eq!(look_at(next(&run, start(), None)), start());
    assert_eq!(look_at(next(&run, start(), Some(start()))), first);
}

#[test]
fn officers_have_14_days() {
    let mut run = Run::new(scenario("DNGB1"));
    run.send();
    run.receive(MessageType::Ie928);
    run.ask(2);
    run.now = start() + Duration::days(14) - Duration::milliseconds(1);
    let Action::Await { waiting_for, .. } = run.next() else { panic!("{:?}", run.next()) };
    assert_eq!(waiting_for.actor, Actor::Officer);
    run.now = start() + Duration::days(14);
    assert!(matches!(run.next(), Action::GiveUp(_)));
}
