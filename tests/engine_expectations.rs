//! Expectations are met only by what they say, and what ends a run says why.

#![allow(clippy::unwrap_used)]

mod engine_core_support;

use chrono::Duration;
use ctc_ready::catalogue::Release;
use ctc_ready::engine::decide::Action;
use ctc_ready::evidence::{Actor, Event, Failure, Received};
use ctc_ready::ncts::MessageType;
use ctc_ready::ncts::MessageType::*;
use engine_core_support::{COUNT, Run, error, scenario, scenarios, start};

/// A run whose step `step` waits for its first message.
fn at_step(id: &str, step: u32) -> Run {
    let mut run = Run::new(scenario(id));
    run.ideal(|run| {
        let waits = matches!(run.next(), Action::Await { .. });
        waits && ctc_ready::engine::decide::position(&run.scenario, &run.state).0 == step
    });
    run
}

fn reason(run: &Run) -> Option<String> {
    run.failure().map(|failure| failure.reason)
}

fn get(run: &mut Run, message: MessageType, change: impl FnOnce(&mut Received)) {
    let mut received = run.message(message);
    change(&mut received);
    run.log(Event::Received(received));
}

fn names(run: &mut Run, rules: &[&str]) -> Failure {
    get(run, Ie056, |received| received.errors = rules.iter().map(|rule| error(rule)).collect());
    run.failure().unwrap_or_default()
}

#[test]
fn every_scenario_needs_each_of_its_messages() {
    for scenario in scenarios() {
        for left_out in 0..scenario.step.iter().map(|step| step.expect.len()).sum() {
            let mut run = Run::new(scenario.clone());
            let mut nth = 0;
            for (step, number) in scenario.step.iter().zip(1..) {
                if !matches!(run.next(), Action::Finish(_)) && nth <= left_out {
                    if step.send.is_some() {
                        run.send();
                    }
                    if matches!(run.next(), Action::AskOfficer { .. }) {
                        run.ask(number);
                    }
                }
                for expected in &step.expect {
                    if nth != left_out {
                        let received = run.as_expected(expected);
                        run.log(Event::Received(received));
                    }
                    nth += 1;
                }
                run.now += Duration::seconds(1);
            }
            assert!(!run.passed(), "{} without message {left_out}", scenario.id);
        }
    }
    assert_eq!(scenarios().count(), COUNT);
}

#[test]
fn an_unasked_refusal_at_any_point_fails_every_scenario() {
    for scenario in scenarios().filter(|scenario| scenario.step.iter().any(|s| s.send.is_some())) {
        let messages: usize = scenario.step.iter().map(|step| step.expect.len()).sum();
        for point in 0..messages {
            let mut run = Run::new(scenario.clone());
            run.ideal(|run| {
                run.state.received.len() >= point && matches!(run.next(), Action::Await { .. })
            });
            let (_, missing) = ctc_ready::engine::decide::position(&run.scenario, &run.state);
            for refusal in [Ie051, Ie055, Ie056, Ie057] {
                if missing.contains(&refusal) {
                    continue;
                }
                let mut run = Run::new(scenario.clone());
                run.ideal(|run| {
                    run.state.received.len() >= point && matches!(run.next(), Action::Await { .. })
                });
                run.receive(refusal);
                let what = format!("{} {refusal} at {point}", scenario.id);
                assert_eq!(reason(&run).as_deref(), Some("rejected"), "{what}");
                assert_eq!(run.failure().unwrap().answer, Some(refusal), "{what}");
            }
        }
    }
}

#[test]
fn a_rejection_must_name_every_rule_and_no_other() {
    let run = || at_step("DSGBT2", 1);
    assert_eq!(names(&mut run(), &["B1890", "B1891"]), Failure::default());
    let mut passes = run();
    names(&mut passes, &["B1891", "B1890", "B1890"]);
    assert!(passes.passed());
    let failure = names(&mut run(), &["B1890"]);
    assert_eq!(failure.reason, "missing-violation");
    assert!(failure.message.contains("does not name B1891"), "{}", failure.message);
    let failure = names(&mut run(), &["B1890", "B1891", "C0403"]);
    assert_eq!((failure.reason.as_str(), failure.errors.len()), ("unexpected-violation", 3));
    assert!(failure.message.contains("also names C0403"), "{}", failure.message);
    assert_eq!(names(&mut run(), &[]).reason, "missing-violation");
    // Without rules in the scenario, any refusal will do.
    let mut run = at_step("DSGB5", 2);
    names(&mut run, &["R0028"]);
    assert!(run.passed());
}

#[test]
fn what_should_be_refused_and_is_taken_fails_at_once() {
    for (id, step, answer) in [("DSGBT1", 1, Ie928), ("PSGB2", 2, Ie028), ("ASGB2", 3, Ie025)] {
        let mut run = at_step(id, step);
        run.receive(answer);
        let failure = run.failure().unwrap();
        assert_eq!(failure.reason, "unexpected-message", "{id}");
        assert!(failure.message.contains("should have refused"), "{}", failure.message);
    }
}

#[test]
fn goods_are_released_by_the_indicator() {
    let indicated = |run: &mut Run, value: Option<&str>| {
        get(run, Ie025, |received| received.release_indicator = value.map(str::to_owned));
    };
    let mut run = at_step("ASGB3", 3);
    assert_eq!(run.scenario.step[2].expect[0].release, Some(Release::Refused));
    indicated(&mut run, Some("1"));
    run.now += Duration::minutes(1);
    let failure = run.failure().unwrap();
    assert_eq!(failure.reason, "unexpected-release");
    assert!(failure.message.contains("releaseIndicator 1"), "{}", failure.message);
    let mut run = at_step("ASGB3", 3);
    indicated(&mut run, None);
    assert_eq!(reason(&run).as_deref(), Some("unexpected-release"));
    let mut run = at_step("ASGB3", 3);
    indicated(&mut run, Some("4"));
    // Told again, it is not the release.
    run.now += Duration::seconds(1);
    indicated(&mut run, Some("4"));
    run.receive(Ie019);
    assert!(matches!(run.next(), Action::Await { .. }));
    indicated(&mut run, Some("1"));
    run.receive(Ie045);
    assert!(run.passed());
}

#[test]
fn the_departure_and_the_arrival_take_no_turns() {
    let mut run = at_step("ASGB1", 3);
    run.receive(Ie045);
    assert!(matches!(run.next(), Action::Await { .. }));
    run.receive(Ie025);
    assert!(run.passed());
    // In one movement there is an order.
    let mut run = at_step("DSGB6", 2);
    run.receive(Ie029);
    let Action::Await { waiting_for, .. } = run.next() else { panic!("{:?}", run.next()) };
    assert_eq!(waiting_for.what, "IE060, which comes before the IE029");
    run.now += Duration::minutes(1);
    assert_eq!(reason(&run).as_deref(), Some("officer-too-late"));
    let mut run = at_step("DNGB6", 2);
    run.receive(Ie060);
    run.now += Duration::seconds(1);
    run.receive(Ie028);
    assert_eq!(reason(&run).as_deref(), Some("out-of-order"));
}

#[test]
fn the_presentation_timer_runs_from_the_declaration() {
    for id in ["PSGB2", "PNXI2", "P6-PSGB-02"] {
        let mut run = at_step(id, 2);
        run.now = start() + Duration::minutes(10);
        run.receive(Ie056);
        let Action::Await { waiting_for, look_at } = run.next() else { panic!("{id}") };
        assert_eq!(waiting_for.actor, Actor::Timer);
        assert!(waiting_for.what.contains("timer that waits for the presentation"), "{id}");
        let due = start() + Duration::minutes(45);
        assert_eq!(look_at, due + Duration::seconds(4), "{id}");
        assert_eq!(waiting_for.deadline, Some(start() + Duration::minutes(60)), "{id}");
        run.now = look_at;
        run.receive(Ie056);
        assert!(run.passed(), "{id}");
    }
}

#[test]
fn after_a_refused_guarantee_a_timer_acts_whoever_released() {
    for (id, step, minutes) in [("DSGB9", 1, 5), ("DNXI10", 2, 5), ("P6-DNGB-07", 2, 60)] {
        let mut run = at_step(id, step);
        run.ideal(|run| run.state.received.iter().any(|(_, got)| got.message == Ie055));
        let Action::Await { waiting_for, look_at } = run.next() else { panic!("{id}") };
        assert_eq!(
            (waiting_for.actor, look_at),
            (Actor::Timer, run.now + Duration::minutes(minutes) + Duration::seconds(4))
        );
        // The data may not tell the minutes.
        let expected = &mut run.scenario.step[step as usize - 1].expect;
        expected.iter_mut().for_each(|expected| expected.after_minutes = None);
        let Action::Await { waiting_for, .. } = run.next() else { panic!("{id}") };
        assert_eq!(waiting_for.actor, Actor::Timer, "{id}");
    }
}

#[test]
fn officers_have_until_the_goods_are_released() {
    for (id, step) in [("DSGB6", 2), ("DSXI7", 2), ("DSGB4", 2), ("P6-DSGB-05", 2)] {
        let mut run = at_step(id, step);
        let Action::Await { waiting_for, .. } = run.next() else { panic!("{id}") };
        assert_eq!(waiting_for.actor, Actor::Officer, "{id}");
        assert_eq!(waiting_for.deadline, Some(start() + Duration::minutes(45)), "{id}");
        run.now += Duration::minutes(46);
        run.receive(Ie029);
        run.now += Duration::minutes(1);
        let failure = run.failure().unwrap();
        assert_eq!((failure.reason.as_str(), failure.step), ("officer-too-late", step), "{id}");
        assert!(failure.message.contains("within") || failure.message.contains("45 minutes"));
    }
}

#[test]
fn what_comes_before_its_cause_fails_at_once() {
    // The officers are slow, and so are we: released before the IE014 left.
    for (id, message, expected) in [
        ("DSGB4", Ie029, "deadline-missed"),
        ("DSGB10", Ie029, "deadline-missed"),
        ("DNGB4", Ie029, "unexpected-message"),
        ("DNGB10", Ie029, "unexpected-message"),
    ] {
        let mut run = Run::new(scenario(id));
        run.ideal(|run| run.state.received.iter().any(|(_, got)| got.message == Ie028));
        assert!(matches!(run.next(), Action::Send { .. }), "{id}");
        run.receive(message);
        let failure = run.failure().unwrap();
        assert_eq!(failure.reason, expected, "{id}");
        assert!(failure.message.contains("before the IE01"), "{id}: {}", failure.message);
    }
    let mut run = at_step("DSGB1", 1);
    run.receive(Ie009);
    assert_eq!(reason(&run).as_deref(), Some("unexpected-message"));
}

#[test]
fn arrivals_need_no_arrival_of_ours_where_officers_make_it() {
    for id in ["P6-ANGB-01", "P6-ANXI-02", "ANGB2", "ANXI2"] {
        let sent: Vec<_> = scenario(id).step.iter().filter_map(|step| step.send).collect();
        assert_eq!(sent, [Ie015], "{id}");
        let mut run = Run::new(scenario(id));
        run.ideal(|_| false);
        assert!(run.passed(), "{id}");
    }
}

#[test]
fn a_balance_is_judged_by_what_the_scenario_wants() {
    let asks = || Run::new(scenario("Scenario 1 GB"));
    let mut run = asks();
    run.answer_balance(1, 404, None, Some("NOT_FOUND"));
    let failure = run.failure().unwrap();
    assert_eq!(failure.reason, "unexpected-answer");
    for part in ["HTTP 200 with balance 262626 GBP", "it answered HTTP 404 `NOT_FOUND`"] {
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    let mut run = asks();
    run.answer_balance(1, 200, Some(1.0), None);
    assert_eq!(reason(&run).as_deref(), Some("unexpected-answer"));
    let mut run = asks();
    run.answer_as_expected(1);
    assert!(run.passed());
}

#[test]
fn a_lost_question_is_asked_again_once_its_lock_has_passed() {
    use ctc_ready::evidence::Purpose;
    let mut run = Run::new(scenario("Scenario 1 GB"));
    run.request(Purpose::Balance, Some(1), None);
    run.fail(1, false);
    assert!(matches!(run.next(), Action::AskBalance { step: 1, attempts: 1 }), "it never arrived");
    run.request(Purpose::Balance, Some(1), None);
    run.fail(2, true);
    let Action::Await { look_at, waiting_for } = run.next() else { panic!("{:?}", run.next()) };
    assert_eq!((look_at, waiting_for.actor), (run.now + Duration::seconds(61), Actor::Timer));
    run.now = look_at;
    assert!(matches!(run.next(), Action::AskBalance { step: 1, attempts: 2 }));
    // Killed while it was under way.
    run.request(Purpose::Balance, Some(1), None);
    run.now += Duration::minutes(5);
    run.resume();
    assert!(matches!(run.next(), Action::Await { .. }));
}

#[test]
fn the_second_question_leaves_within_a_minute_or_not_at_all() {
    use ctc_ready::evidence::Purpose;
    let mut run = Run::new(scenario("Scenario 2 GB"));
    run.answer_as_expected(1);
    run.now += Duration::seconds(20);
    run.request(Purpose::Balance, Some(2), None);
    run.fail(2, true);
    assert!(
        matches!(run.next(), Action::AskBalance { step: 2, .. }),
        "at once: the lock is wanted"
    );
    let mut late = Run::new(scenario("Scenario 2 GB"));
    late.answer_as_expected(1);
    late.now += Duration::seconds(60);
    assert_eq!(reason(&late).as_deref(), Some("deadline-missed"));
    run.answer_as_expected(2);
    run.now += Duration::hours(1);
    assert!(run.passed());
}
