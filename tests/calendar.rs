//! London time, working days and freshness.

#![allow(clippy::unwrap_used)]

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use ctc_ready::calendar::freshness::{
    FreshnessPolicy, earliest_first_submission, fresh_until, is_fresh,
};
use ctc_ready::calendar::holidays::{self, bank_holidays, easter_sunday, is_working_day};
use ctc_ready::calendar::hours::{Hours, Span, Timetable};
use ctc_ready::calendar::london::{self, LondonError};
use proptest::prelude::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

const MS: TimeDelta = TimeDelta::milliseconds(1);
const STRICT: FreshnessPolicy = FreshnessPolicy::Strict;
const HOURS: FreshnessPolicy = FreshnessPolicy::Hours;

/// The two days of a year on which London's clocks change: the last Sundays of
/// March and October, at 01:00 UTC.
fn changes(year: i32) -> (NaiveDate, NaiveDate) {
    let last = |month| {
        NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, 5)
            .or_else(|| NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, 4))
            .unwrap()
    };
    (last(3), last(10))
}

#[test]
fn a_london_day_begins_at_londons_midnight() {
    assert_eq!(london::start_of_day(day("2026-01-10")), utc("2026-01-10T00:00:00Z"));
    assert_eq!(london::start_of_day(day("2026-07-10")), utc("2026-07-09T23:00:00Z"));
    assert_eq!(london::day_of(utc("2026-07-09T22:59:59Z")), day("2026-07-09"));
    assert_eq!(london::day_of(utc("2026-07-09T23:00:00Z")), day("2026-07-10"));
}

#[test]
fn a_skipped_time_is_an_error_and_a_doubled_one_the_earlier() {
    let gap = london::instant_of(day("2026-03-29"), time("01:30")).unwrap_err();
    assert_eq!(
        gap.to_string(),
        "2026-03-29 01:30:00 does not exist in London: the clocks go forward over it"
    );
    let fold = london::instant_of(day("2026-10-25"), time("01:30")).unwrap();
    assert_eq!(fold.instant, utc("2026-10-25T00:30:00Z"));
    assert_eq!(fold.also, Some(utc("2026-10-25T01:30:00Z")));
    let plain = london::instant_of(day("2026-10-25"), time("02:30")).unwrap();
    assert_eq!((plain.instant, plain.also), (utc("2026-10-25T02:30:00Z"), None));
    // A timetable needs an answer all the same: the end of the gap.
    assert_eq!(london::at_or_after(day("2026-03-29"), time("01:30")), utc("2026-03-29T01:00:00Z"));
}

#[test]
fn at_takes_an_instant_or_a_whole_london_day() {
    assert_eq!(london::parse_at("2026-12-04T16:30:00Z").unwrap(), utc("2026-12-04T16:30:00Z"));
    assert_eq!(london::parse_at("2026-07-04T16:30:00+01:00").unwrap(), utc("2026-07-04T15:30:00Z"));
    assert_eq!(london::parse_at("2026-12-04").unwrap(), utc("2026-12-04T23:59:59.999Z"));
    assert_eq!(london::parse_at("2026-07-04").unwrap(), utc("2026-07-04T22:59:59.999Z"));
    for wrong in ["", "tomorrow", "2026-13-01", "2026-02-29", "2026-12-04T16:30:00", "04/12/2026"] {
        assert!(matches!(london::parse_at(wrong), Err(LondonError::NotATime(_))), "{wrong}");
    }
    for far in ["1999-12-31", "2100-01-01", "9999-12-31T00:00:00Z"] {
        assert!(matches!(london::parse_at(far), Err(LondonError::Year(_))), "{far}");
    }
    assert!(london::parse_at(&"9".repeat(1 << 20)).unwrap_err().to_string().len() < 300);
}

#[test]
fn days_last_23_24_or_25_hours() {
    for year in 2020..=2035 {
        let (spring, autumn) = changes(year);
        let mut on = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
        while on.year() == year {
            let hours = (london::end_of_day(on) - london::start_of_day(on)).num_hours();
            let expected = if on == spring {
                23
            } else if on == autumn {
                25
            } else {
                24
            };
            assert_eq!(hours, expected, "{on}");
            on = on.succ_opt().unwrap();
        }
    }
}

/// As published on GOV.UK (UK bank holidays, England and Wales); 2028 by the
/// same rules.
#[test]
fn bank_holidays_are_those_published() {
    let published: [(i32, &[&str]); 9] = [
        (2020, &["01-01", "04-10", "04-13", "05-08", "05-25", "08-31", "12-25", "12-28"]),
        (2021, &["01-01", "04-02", "04-05", "05-03", "05-31", "08-30", "12-27", "12-28"]),
        (
            2022,
            &[
                "01-03", "04-15", "04-18", "05-02", "06-02", "06-03", "08-29", "09-19", "12-26",
                "12-27",
            ],
        ),
        (2023, &["01-02", "04-07", "04-10", "05-01", "05-08", "05-29", "08-28", "12-25", "12-26"]),
        (2024, &["01-01", "03-29", "04-01", "05-06", "05-27", "08-26", "12-25", "12-26"]),
        (2025, &["01-01", "04-18", "04-21", "05-05", "05-26", "08-25", "12-25", "12-26"]),
        (2026, &["01-01", "04-03", "04-06", "05-04", "05-25", "08-31", "12-25", "12-28"]),
        (2027, &["01-01", "03-26", "03-29", "05-03", "05-31", "08-30", "12-27", "12-28"]),
        (2028, &["01-03", "04-14", "04-17", "05-01", "05-29", "08-28", "12-25", "12-26"]),
    ];
    for (year, days) in published {
        let computed: Vec<String> =
            bank_holidays(year).iter().map(|(day, _)| day.format("%m-%d").to_string()).collect();
        assert_eq!(computed, days, "{year}");
    }
}

#[test]
fn easter_is_the_churchs() {
    for (year, easter) in [
        (1818, "1818-03-22"),
        (1943, "1943-04-25"),
        (2000, "2000-04-23"),
        (2038, "2038-04-25"),
        (2049, "2049-04-18"),
        (2076, "2076-04-19"),
    ] {
        assert_eq!(easter_sunday(year), Some(day(easter)));
    }
}

#[test]
fn working_days_skip_weekends_and_holidays() {
    assert_eq!(holidays::add_working_days(day("2026-12-24"), 1), day("2026-12-29"));
    assert_eq!(holidays::add_working_days(day("2026-04-02"), 2), day("2026-04-08"));
    assert_eq!(holidays::add_working_days(day("2026-12-26"), 0), day("2026-12-29"));
    assert_eq!(holidays::add_working_days(day("2026-12-23"), 0), day("2026-12-23"));
    // Across the change of clocks the London time stays.
    assert_eq!(
        holidays::working_days_after(utc("2026-10-23T09:00:00Z"), 1),
        utc("2026-10-26T10:00:00Z")
    );
}

#[test]
fn opening_hours_are_londons() {
    let hours = Timetable::working_days(time("07:00"), time("19:00"));
    // Summer: an hour earlier in UTC.
    assert!(!hours.is_open(utc("2026-07-10T05:59:59Z")));
    assert!(hours.is_open(utc("2026-07-10T06:00:00Z")));
    assert!(hours.is_open(utc("2026-07-10T17:59:59Z")));
    assert!(!hours.is_open(utc("2026-07-10T18:00:00Z")));
    // Friday evening to Monday morning, over the change to summer time.
    let friday = utc("2026-03-27T20:00:00Z");
    assert_eq!(hours.next_opening(friday), Some(utc("2026-03-30T06:00:00Z")));
    assert_eq!(hours.next_closing(friday), Some(utc("2026-03-30T18:00:00Z")));
    // Open now: now itself, and today's closing.
    let noon = utc("2026-07-10T12:00:00Z");
    assert_eq!(hours.next_opening(noon), Some(noon));
    assert_eq!(hours.next_closing(noon), Some(utc("2026-07-10T18:00:00Z")));
    // Good Friday and Easter Monday.
    assert_eq!(hours.next_opening(utc("2026-04-03T10:00:00Z")), Some(utc("2026-04-07T06:00:00Z")));
}

#[test]
fn a_timetable_may_change_from_always_to_hours() {
    let hours = Timetable::new([
        Span { from: None, until: Some(day("2026-06-15")), hours: Hours::Always },
        Span {
            from: Some(day("2026-06-16")),
            until: Some(day("2026-06-30")),
            hours: Hours::WorkingDays { opens: time("07:00"), closes: time("19:00") },
        },
    ]);
    let sunday_night = utc("2026-06-14T01:00:00Z");
    assert!(hours.is_open(sunday_night));
    assert_eq!(hours.next_closing(sunday_night), Some(utc("2026-06-15T23:00:00Z")));
    assert_eq!(hours.next_opening(utc("2026-06-15T23:00:00Z")), Some(utc("2026-06-16T06:00:00Z")));
    // After its last day nothing opens.
    assert_eq!(hours.next_opening(utc("2026-06-30T18:00:00Z")), None);
    assert_eq!(hours.next_closing(utc("2026-06-30T18:00:00Z")), None);
    assert_eq!(Timetable::always().next_closing(sunday_night), None);
    assert_eq!(Timetable::default().next_opening(sunday_night), None);
}

#[test]
fn evidence_lapses_at_the_end_of_the_fourteenth_london_day() {
    // Winter: 20 November is day 1, 3 December day 14.
    let first = utc("2026-11-20T10:00:00Z");
    let until = fresh_until(first, STRICT);
    assert_eq!(until, utc("2026-12-03T23:59:59.999Z"));
    assert!(is_fresh(first, until, STRICT));
    assert!(!is_fresh(first, until + MS, STRICT));
    // Summer: London's midnight is 23:00 UTC.
    assert_eq!(fresh_until(utc("2026-07-01T10:00:00Z"), STRICT), utc("2026-07-14T22:59:59.999Z"));
    // 23:30 UTC in summer is already the next day in London.
    assert_eq!(fresh_until(utc("2026-07-01T23:30:00Z"), STRICT), utc("2026-07-15T22:59:59.999Z"));
    // Midnight itself, and the instant before.
    assert_eq!(fresh_until(utc("2026-12-01T00:00:00Z"), STRICT), utc("2026-12-14T23:59:59.999Z"));
    assert_eq!(
        fresh_until(utc("2026-11-30T23:59:59.999Z"), STRICT),
        utc("2026-12-13T23:59:59.999Z")
    );
    // A leap day is a day.
    assert_eq!(fresh_until(utc("2028-02-20T12:00:00Z"), STRICT), utc("2028-03-04T23:59:59.999Z"));
    assert_eq!(fresh_until(utc("2027-02-20T12:00:00Z"), STRICT), utc("2027-03-05T23:59:59.999Z"));
}

#[test]
fn exactly_fourteen_days_is_too_old() {
    let first = utc("2026-11-20T10:00:00Z");
    assert_eq!(fresh_until(first, HOURS), utc("2026-12-04T09:59:59.999Z"));
    assert!(is_fresh(first, utc("2026-12-04T09:59:59Z"), HOURS));
    assert!(!is_fresh(first, utc("2026-12-04T10:00:00Z"), HOURS));
    // In autumn the 14th day ends 25 hours later than it began: the hours
    // decide.
    let autumn = utc("2026-10-11T23:10:00Z"); // 12 October 00:10 in London
    assert_eq!(london::day_of(autumn), day("2026-10-12"));
    assert_eq!(fresh_until(autumn, STRICT), utc("2026-10-25T23:09:59.999Z"));
    assert!(!is_fresh(autumn, utc("2026-10-25T23:30:00Z"), STRICT));
}

#[test]
fn the_ends_of_time_do_not_panic() {
    for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        for policy in [STRICT, HOURS] {
            let _ = fresh_until(at, policy);
            let _ = earliest_first_submission(at, policy);
        }
        let _ = Timetable::working_days(time("07:00"), time("19:00")).next_opening(at);
        let _ = holidays::working_days_after(at, 3);
        let _ = london::for_people(at);
        let _ = london::for_records(at);
        let _ = london::judging_instant(london::day_of(at));
    }
}

/// London is an hour ahead of UTC from the last Sunday of March, 01:00 UTC, to
/// that of October: worked out without a time zone database.
fn ahead(at: DateTime<Utc>) -> TimeDelta {
    let (spring, autumn) = changes(at.year());
    let change = |day: NaiveDate| day.and_hms_opt(1, 0, 0).unwrap().and_utc();
    TimeDelta::hours(i64::from(change(spring) <= at && at < change(autumn)))
}

/// Checks an instant against that.
fn check_local(at: DateTime<Utc>) {
    let local = (at + ahead(at)).naive_utc();
    assert_eq!((london::day_of(at), london::time_of(at)), (local.date(), local.time()), "{at}");
    let (start, end) = (london::start_of_day(local.date()), london::end_of_day(local.date()));
    assert!(start <= at && at < end, "{at} lies in {start} to {end}");
}

#[test]
fn london_days_are_right_on_every_day_of_sixteen_years() {
    let mut day = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
    let mut days = 0;
    while day.year() <= 2035 {
        // Midnight, and a millisecond to either side of it.
        let start = london::start_of_day(day);
        assert_eq!((start + ahead(start)).naive_utc(), day.and_hms_opt(0, 0, 0).unwrap());
        assert_eq!(london::day_of(start - MS), day.pred_opt().unwrap());
        assert_eq!(
            london::judging_instant(day),
            london::start_of_day(day.succ_opt().unwrap()) - MS
        );
        check_local(start);
        check_local(start - MS);
        check_local(start + TimeDelta::hours(12));
        day = day.succ_opt().unwrap();
        days += 1;
    }
    assert_eq!(days, 16 * 365 + 4, "with the leap days of 2020, 2024, 2028 and 2032");
}

#[test]
fn london_time_is_right_in_every_minute_round_every_change() {
    for year in 2020..=2035 {
        for day in <[NaiveDate; 2]>::from(changes(year)) {
            let change = day.and_hms_opt(1, 0, 0).unwrap().and_utc();
            for minute in -26 * 60..=26 * 60 {
                check_local(change + TimeDelta::minutes(minute));
            }
            check_local(change - MS);
            let jump = london::time_of(change) - london::time_of(change - MS);
            let spring = day.month() == 3;
            assert_eq!(jump - MS, TimeDelta::hours(if spring { 1 } else { -1 }), "{day}");
        }
    }
}

/// Fresh until, found by counting: the youngest age that is too old by either
/// rule, less a millisecond.
fn counted(first: DateTime<Utc>, policy: FreshnessPolicy) -> DateTime<Utc> {
    let by_hours = first + TimeDelta::days(14);
    if policy == HOURS {
        return by_hours - MS;
    }
    let first_day = (first + ahead(first)).naive_utc().date();
    let fifteenth = (first_day + TimeDelta::days(14)).and_hms_opt(0, 0, 0).unwrap().and_utc();
    // No change of the clocks falls on a midnight.
    by_hours.min(fifteenth - ahead(fifteenth)) - MS
}

/// Every change of the clocks of 2020 to 2035, and every leap day; first
/// submissions on each day whose freshness reaches over it, at the minutes on
/// which days and hours turn.
#[test]
fn freshness_is_right_over_every_change_and_leap_day() {
    let mut pairs = 0;
    for year in 2020..=2035 {
        let (spring, autumn) = changes(year);
        let leap = NaiveDate::from_ymd_opt(year, 2, 29);
        for over in [Some(spring), Some(autumn), leap].into_iter().flatten() {
            for back in -1..=15 {
                let day = (over - TimeDelta::days(back)).and_hms_opt(0, 0, 0).unwrap().and_utc();
                // UTC minutes round both midnights of London, and both changes.
                for minute in [-61, -60, -59, -1, 0, 1, 59, 60, 61, 119, 120, 720, 1379, 1380] {
                    let first = day + TimeDelta::minutes(minute);
                    for first in [first - MS, first, first + MS] {
                        for policy in [STRICT, HOURS] {
                            let until = fresh_until(first, policy);
                            assert_eq!(until, counted(first, policy), "{first} {policy:?}");
                            assert!(is_fresh(first, until, policy));
                            assert!(!is_fresh(first, until + MS, policy));
                            // Planning finds the same edge from the other side.
                            let earliest = earliest_first_submission(until, policy);
                            assert!(earliest <= first, "{first} {policy:?}");
                            assert!(is_fresh(earliest, until, policy));
                            assert!(!is_fresh(earliest - MS, until, policy));
                            pairs += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(pairs > 50_000, "{pairs}");
}

#[test]
fn hours_keep_londons_times_on_every_working_day() {
    let hours = Timetable::working_days(time("07:00"), time("19:00"));
    let mut on = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
    while on.year() <= 2035 {
        match hours.open_on(on) {
            Some((opens, closes)) => {
                assert!(is_working_day(on));
                assert_eq!((opens + ahead(opens)).naive_utc(), on.and_time(time("07:00")));
                assert_eq!(closes - opens, TimeDelta::hours(12), "{on}");
            }
            None => assert!(!is_working_day(on), "{on}"),
        }
        on = on.succ_opt().unwrap();
    }
}

/// Instants of 2020 to 2035, in milliseconds; half of them near a change of
/// the clocks.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    let anywhere = 1_577_836_800_000i64..2_082_758_400_000;
    let near_change = (2020i32..=2035, any::<bool>(), -16 * 86_400_000i64..16 * 86_400_000)
        .prop_map(|(year, spring, off)| {
            let (march, october) = changes(year);
            let on = if spring { march } else { october };
            on.and_hms_opt(1, 0, 0).unwrap().and_utc().timestamp_millis() + off
        });
    prop_oneof![anywhere, near_change]
        .prop_map(|millis| DateTime::from_timestamp_millis(millis).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// Evidence only gets older: once stale, stale for ever.
    #[test]
    fn a_later_submission_never_becomes_fresher(
        first in instants(), at in instants(), later in 0i64..40 * 86_400_000,
    ) {
        for policy in [STRICT, HOURS] {
            let then = at + TimeDelta::milliseconds(later);
            prop_assert!(is_fresh(first, at, policy) || !is_fresh(first, then, policy));
        }
    }

    /// Newer evidence never lapses before older evidence.
    #[test]
    fn newer_evidence_lasts_at_least_as_long(
        first in instants(), later in 0i64..40 * 86_400_000,
    ) {
        for policy in [STRICT, HOURS] {
            let newer = first + TimeDelta::milliseconds(later);
            prop_assert!(fresh_until(first, policy) <= fresh_until(newer, policy));
        }
    }

    /// The strict policy is both of HMRC's sentences at once, checked here by
    /// counting days instead of adding them.
    #[test]
    fn strict_is_both_rules(first in instants(), age in 0i64..16 * 86_400_000) {
        let at = first + TimeDelta::milliseconds(age);
        let days = (london::day_of(at) - london::day_of(first)).num_days() + 1;
        let younger = age < 14 * 86_400_000;
        prop_assert_eq!(is_fresh(first, at, HOURS), younger);
        prop_assert_eq!(is_fresh(first, at, STRICT), younger && days <= 14);
    }

    /// The earliest first submission is exactly the boundary.
    #[test]
    fn planning_and_judging_agree(at in instants()) {
        for policy in [STRICT, HOURS] {
            let first = earliest_first_submission(at, policy);
            prop_assert!(is_fresh(first, at, policy));
            prop_assert!(!is_fresh(first - MS, at, policy));
        }
    }

    #[test]
    fn an_opening_is_open_and_a_closing_is_not(at in instants()) {
        let hours = Timetable::working_days(time("07:00"), time("19:00"));
        let opening = hours.next_opening(at).unwrap();
        let closing = hours.next_closing(at).unwrap();
        prop_assert!(at <= opening && opening < closing);
        prop_assert!(hours.is_open(opening) && hours.is_open(closing - MS));
        prop_assert!(!hours.is_open(closing));
        prop_assert!(is_working_day(london::day_of(opening)));
        prop_assert_eq!(hours.is_open(at), opening == at);
    }
}
