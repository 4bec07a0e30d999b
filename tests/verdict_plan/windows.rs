//! Windows, order, consequences, and the JSON.

use chrono::{DateTime, Utc};
use ctc_ready::verdict::Plan;

use crate::support::*;
use crate::verdict_support::*;

fn at(text: &str) -> Option<DateTime<Utc>> {
    Some(utc(text))
}

fn message<'a>(plan: &'a Plan, rule: &str) -> Option<&'a str> {
    let found = plan.consequences.iter().find(|consequence| consequence.rule == rule);
    found.map(|consequence| consequence.message.as_str())
}

#[test]
fn starts_keep_evidence_fresh_and_fall_into_hours() {
    // Friday 4 December: day 14 counted back is Saturday 21 November, so the
    // first start is on Monday the 23rd, when the environment or the officers
    // open. The last leaves the officers a working day, or the timer 45
    // minutes before closing.
    let house = House::new();
    let plan = plan_of(&house, "2026-11-10T12:00:00Z", Some("2026-12-04"), &[NORMAL, SIMPLIFIED]);
    assert_eq!(plan.phase.as_ref().map(|phase| phase.open), Some(true));
    let rows: Vec<_> = plan
        .schedule
        .iter()
        .map(|slot| {
            (slot.scenario.as_str(), slot.order, slot.start_no_earlier, slot.start_no_later)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("DNGB1", 1, at("2026-11-23T09:00:00Z"), at("2026-12-03T16:45:00Z")),
            ("ANGB1", 2, at("2026-11-23T07:00:00Z"), at("2026-12-04T18:00:00Z")),
        ]
    );
    assert!(plan.schedule[0].needs_officer && !plan.schedule[1].needs_officer);
    let minutes: Vec<_> = plan.schedule.iter().map(|slot| slot.expected_minutes).collect();
    assert_eq!(minutes, [0, 45]);
    assert_eq!(message(&plan, "submission-window"), None);
}

#[test]
fn summer_hours_are_an_hour_earlier_in_utc() {
    let house = House::new();
    let plan = plan_of(&house, "2026-07-01T00:00:00Z", Some("2026-07-14"), &[NORMAL]);
    assert_eq!(plan.schedule[0].start_no_earlier, at("2026-07-01T08:00:00Z"));
    assert_eq!(plan.schedule[0].start_no_later, at("2026-07-13T15:45:00Z"));
}

#[test]
fn nothing_starts_in_the_past() {
    let house = House::new();
    let plan = plan_of(&house, "2026-12-01T10:20:00Z", Some("2026-12-04"), &[NORMAL]);
    assert_eq!(plan.schedule[0].start_no_earlier, at("2026-12-01T10:20:00Z"));
}

#[test]
fn too_late_is_said_plainly() {
    let house = House::new();
    // After closing on the day itself.
    let plan = plan_of(&house, "2026-12-04T19:00:00Z", Some("2026-12-04"), &[NORMAL, SIMPLIFIED]);
    for slot in &plan.schedule {
        assert_eq!((slot.start_no_earlier, slot.start_no_later), (None, None));
    }
    let told = message(&plan, "submission-window").unwrap();
    assert!(told.starts_with("too late: `DNGB1`, `ANGB1` cannot be finished"), "{told}");
    // A day that is past.
    let plan = plan_of(&house, "2026-12-05T12:00:00Z", Some("2026-12-04"), &[NORMAL]);
    assert!(message(&plan, "submission-window").unwrap().starts_with("too late"));
}

#[test]
fn little_time_for_the_officers_is_said() {
    let house = House::new();
    let plan = plan_of(&house, "2026-12-04T10:00:00Z", Some("2026-12-04"), &[NORMAL]);
    assert_eq!(plan.schedule[0].start_no_later, at("2026-12-04T16:45:00Z"));
    let told = message(&plan, "submission-window").unwrap();
    assert!(told.contains("only if the officers answer at once"), "{told}");
}

#[test]
fn holidays_are_no_working_days() {
    // Monday 28 December stands in for Boxing Day: the officers' working day
    // before the 29th is Christmas Eve.
    let house = House::new();
    let plan = plan_of(&house, "2026-12-20T12:00:00Z", Some("2026-12-29"), &[NORMAL]);
    assert_eq!(plan.schedule[0].start_no_later, at("2026-12-24T16:45:00Z"));
}

#[test]
fn without_a_day_of_submission_there_is_only_a_first_start() {
    let house = House::new();
    let plan = plan_of(&house, "2026-11-21T12:00:00Z", None, &[NORMAL]);
    assert_eq!(plan.schedule[0].start_no_earlier, at("2026-11-23T09:00:00Z"));
    assert_eq!(plan.schedule[0].start_no_later, None);
    assert_eq!(message(&plan, "submission-window"), None);
}

#[test]
fn a_programme_that_is_not_open_has_no_starts() {
    let mut house = House::new();
    house.programme.phase[0].opens = Some(day("2027-01-04"));
    let plan = plan_of(&house, "2026-11-21T12:00:00Z", Some("2026-12-04"), &[NORMAL]);
    assert_eq!(plan.phase.as_ref().map(|phase| phase.open), Some(false));
    assert_eq!(plan.schedule[0].start_no_earlier, None);
    assert!(message(&plan, "outside-phase").unwrap().contains("opens on 2027-01-04"));

    // Starts wait for the opening where the submission is after it.
    let plan = plan_of(&house, "2026-11-21T12:00:00Z", Some("2027-01-06"), &[NORMAL]);
    assert_eq!(plan.schedule[0].start_no_earlier, at("2027-01-04T09:00:00Z"));
}

#[test]
fn dates_have_their_consequences() {
    let mut house = House::new();
    house.go_live("2026-12-10");
    let plan = plan_of(&house, "2026-11-21T12:00:00Z", Some("2026-12-04"), &[NORMAL]);
    assert!(message(&plan, "lead-time").unwrap().contains("by 2026-11-26"));
    assert!(message(&plan, "final-rules-only").unwrap().contains("in force since 2024-07-01"));
    let plan = plan_of(&house, "2026-11-21T12:00:00Z", Some("2026-11-26"), &[NORMAL]);
    assert!(message(&plan, "lead-time").unwrap().contains("keeps that"));
    let plan = plan_of(&house, "2024-06-10T12:00:00Z", Some("2024-06-20"), &[NORMAL]);
    assert!(message(&plan, "final-rules-only").unwrap().contains("comes into force on"));
}

#[test]
fn a_step_with_a_deadline_is_not_split_by_the_night() {
    // The second message must follow the first within 45 minutes, and waits
    // for a timer of 40: the last start is not so late that the environment
    // closes in between.
    let pre_lodged = PRE_LODGED.replace(r#""IE928""#, r#""IE928", after_minutes = 40"#);
    let house = House::new();
    let plan = plan_of(&house, "2026-12-01T12:00:00Z", Some("2026-12-04"), &[&pre_lodged]);
    assert_eq!(plan.schedule[0].start_no_later, at("2026-12-04T18:15:00Z"));
}

#[test]
fn the_json_is_as_promised() {
    let house = House::new();
    let plan = plan_of(&house, "2026-11-10T12:00:00Z", Some("2026-12-04"), &[NORMAL]);
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["submit_on"], "2026-12-04");
    assert_eq!(json["phase"]["closes"], serde_json::Value::Null);
    assert_eq!(json["requirements"][0]["any_of"][0], "DNGB1");
    assert_eq!(json["requirements"][2]["applies"], false);
    assert_eq!(json["schedule"][0]["start_no_earlier"], "2026-11-23T09:00:00Z");
    let schema = serde_json::to_value(schemars::schema_for!(Plan)).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&json));
}
