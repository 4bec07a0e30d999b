//! Is what we have still good on that day?

use chrono::TimeDelta;
use ctc_ready::evidence::RunState;
use ctc_ready::verdict::plan::{Fit, PlanRequirement};
use ctc_ready::verdict::{Plan, RequirementState};

use crate::support::*;
use crate::verdict_support::*;

/// Runs of Friday 20 November 2026: the last day they may go in is Thursday
/// 3 December.
fn on(house: &mut House, submit_on: &str) -> Plan {
    house.submit_on = Some(day(submit_on));
    plan_with(house, &[NORMAL, SIMPLIFIED])
}

fn item<'a>(plan: &'a Plan, requirement: &str) -> &'a PlanRequirement {
    plan.requirements.iter().find(|item| item.requirement == requirement).unwrap()
}

fn scheduled(plan: &Plan) -> Vec<&str> {
    plan.schedule.iter().map(|slot| slot.scenario.as_str()).collect()
}

#[test]
fn good_evidence_needs_no_run() {
    let mut house = House::new();
    let plan = on(&mut house, "2026-12-03");
    let departure = item(&plan, "standard-departure");
    assert_eq!(departure.state, RequirementState::Fresh);
    assert_eq!(departure.run, Some(id(1)));
    assert_eq!(departure.fresh_until, Some(utc("2026-12-03T23:59:59.999Z")));
    assert_eq!(departure.good_on_submission, Some(true));
    assert!(departure.findings.is_empty());
    assert!(plan.schedule.is_empty());
    assert_eq!(plan.first_day.officers_late, Some(day("2026-12-03")));
    // What does not apply has nothing to be good.
    let other = item(&plan, "pre-lodged-departure");
    assert_eq!((other.state, other.good_on_submission), (RequirementState::NotApplicable, None));
}

#[test]
fn what_lapses_before_the_day_is_scheduled() {
    let mut house = House::new();
    let plan = on(&mut house, "2026-12-04");
    let departure = item(&plan, "standard-departure");
    // Good now, and too old then.
    assert_eq!(departure.state, RequirementState::Fresh);
    assert_eq!(departure.run, Some(id(1)));
    assert_eq!(departure.fresh_until, Some(utc("2026-12-03T23:59:59.999Z")));
    assert_eq!(departure.good_on_submission, Some(false));
    assert_eq!(departure.findings, ["evidence-stale"]);
    assert_eq!(scheduled(&plan), ["DNGB1", "ANGB1"]);
    // One was run again on the 24th: only the other is left.
    let mut again = house.runs[0].clone();
    again.run = id(3);
    again.attempt = 2;
    shift_run(&mut again, TimeDelta::days(4));
    house.runs.push(again);
    house.as_of = utc("2026-11-25T12:00:00Z");
    let plan = on(&mut house, "2026-12-04");
    assert_eq!(item(&plan, "standard-departure").run, Some(id(3)));
    assert_eq!(item(&plan, "standard-departure").good_on_submission, Some(true));
    assert_eq!(scheduled(&plan), ["ANGB1"]);
}

#[test]
fn a_good_run_lapses_while_one_waits_for_another() {
    // Thursday 3 December, after closing: the arrival must be run again, at the
    // earliest on Friday; by then the departure of 20 November is too old, and
    // its officers take until Monday.
    let mut house = House::new();
    house.runs.remove(1);
    house.as_of = utc("2026-12-03T19:30:00Z");
    let plan = on(&mut house, "2026-12-03");
    assert_eq!(scheduled(&plan), ["ANGB1"]);
    assert_eq!(plan.schedule[0].fit, Fit::None);
    assert_eq!(plan.first_day.officers_at_once, Some(day("2026-12-04")));
    assert_eq!(plan.first_day.officers_late, Some(day("2026-12-07")));
    let told = &plan.consequences[0].message;
    assert!(told.starts_with("too late: `ANGB1` cannot be finished in time"), "{told}");
    assert!(told.contains("2026-12-07 if the officers take a working day each time"), "{told}");
    assert!(told.contains("2026-12-04 if they answer at once"), "{told}");
}

#[test]
fn without_a_day_it_is_judged_now() {
    let mut house = House::new();
    let plan = plan_with(&house, &[NORMAL, SIMPLIFIED]);
    assert!(plan.schedule.is_empty());
    assert_eq!(plan.first_day.officers_late, Some(day("2026-11-21")));
    house.as_of = utc("2026-12-04T00:00:00Z");
    let plan = plan_with(&house, &[NORMAL, SIMPLIFIED]);
    assert_eq!(item(&plan, "arrival").state, RequirementState::Stale);
    assert_eq!(item(&plan, "arrival").good_on_submission, Some(false));
    assert_eq!(scheduled(&plan), ["DNGB1", "ANGB1"]);
}

#[test]
fn what_the_gate_refuses_is_not_good() {
    let refused = |change: &dyn Fn(&mut House), finding: &str, state: RequirementState| {
        let mut house = House::new();
        change(&mut house);
        let plan = on(&mut house, "2026-12-03");
        let departure = item(&plan, "standard-departure");
        assert_eq!(departure.good_on_submission, Some(false), "{finding}");
        assert_eq!(departure.findings, [finding]);
        assert_eq!(departure.state, state, "{finding}");
        assert!(scheduled(&plan).contains(&"DNGB1"), "{finding}");
    };
    refused(
        &|house| house.runs[0].software.version = "4.1".to_owned(),
        "other-build",
        RequirementState::Fresh,
    );
    refused(&|house| house.simulate(), "simulated-evidence", RequirementState::Missing);
    refused(
        &|house| house.runs[0].state = RunState::Failed,
        "scenario-failed",
        RequirementState::Failed,
    );
    // An attempt under way may fail: the plan says when the next must start.
    let open = |house: &mut House| {
        house.runs[0].state = RunState::Waiting;
        house.runs[0].closed = None;
    };
    refused(&open, "run-unfinished", RequirementState::Waiting);
    refused(
        &|house| {
            house.runs.remove(0);
        },
        "required-scenario-missing",
        RequirementState::Missing,
    );
}

#[test]
fn evidence_must_outlast_the_gates_margin() {
    // The gate fails evidence that lapses within a day. The runs of the 20th do
    // on 3 December, so both are scheduled; and what lapses with the 4th must
    // have been submitted on the 21st, which is a Saturday.
    let mut house = House::new();
    house.settings.gate.fail_before_hours = 24;
    let plan = on(&mut house, "2026-12-03");
    assert_eq!(item(&plan, "arrival").findings, ["evidence-expiring"]);
    assert_eq!(scheduled(&plan), ["DNGB1", "ANGB1"]);
    // For Sunday the 6th it must last beyond the 7th, since with exactly a day
    // left the gate fails: 13 days before the 8th is Wednesday the 25th.
    let plan = on(&mut house, "2026-12-06");
    assert_eq!(plan.schedule[0].start_no_earlier, Some(utc("2026-11-25T09:00:00Z")));
    // A margin as long as freshness leaves no time at all.
    house.settings.gate.fail_before_hours = 14 * 24;
    let plan = on(&mut house, "2026-12-06");
    assert!(plan.schedule.iter().all(|slot| slot.fit == Fit::None));
    assert_eq!(plan.first_day.officers_at_once, None);
    house.settings.gate.fail_before_hours = u32::MAX;
    assert_eq!(on(&mut house, "2026-12-06").first_day.officers_at_once, None);
}

#[test]
fn one_run_may_fill_two_slots() {
    let mut house = House::new();
    house.needs[1].any_of = vec!["DNGB1".to_owned()];
    house.needs[1].chosen = Some("DNGB1".to_owned());
    let plan = on(&mut house, "2026-12-04");
    assert_eq!(scheduled(&plan), ["DNGB1"]);
}
