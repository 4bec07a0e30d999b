//! Plans of published scenarios, each reasoned by hand. Times are London's.
//!
//! Hours: Trader Test 07:00 to 19:00, officers 09:00 to 17:00, on working days.
//! Strict freshness for submission on day D: first submitted on day D - 13 or
//! later. Starts are on quarters of an hour; at 19:00 it is closed, so that
//! what takes 45 minutes starts by 18:00 at the latest (18:15 ends at 19:00),
//! and what must only be *sent* within 45 minutes by 18:15. Officers who are
//! slow answer a working day after they were asked, at the same time of day.

use chrono::{DateTime, Utc};
use ctc_ready::calendar::freshness::FreshnessPolicy;
use ctc_ready::calendar::london;
use ctc_ready::verdict::plan::Fit;

use crate::support::*;
use crate::verdict_support::*;

/// What is expected: first and last start, when that is done, and the first
/// day that works with slow officers and with quick ones.
enum Is {
    /// Also with slow officers.
    Good(&'static str, &'static str, &'static str, &'static str, &'static str),
    /// With quick officers alone.
    Tight(&'static str, &'static str, &'static str, &'static str, &'static str),
    /// No start.
    Late(&'static str, &'static str),
}
use Is::{Good, Late, Tight};

const FINAL: &str = "ncts5-final";
const OLD: &str = "ncts5-transition";
const SIX: &str = "ncts6";
const NONE: &str = "-";

/// Programme, scenario, planned at (an instant), submission on.
type Case = (&'static str, &'static str, &'static str, &'static str, Is);

#[rustfmt::skip]
const CASES: &[Case] = &[
    // --- An ordinary fortnight: Friday 4 December 2026; day 14 back is Saturday
    // 21 November, so the first start is on Monday the 23rd.
    // Officers are asked on Thursday, answer on Friday.
    (FINAL, "DNGB1", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 09:00", "2026-12-03 16:45", "2026-12-04 16:45", "2026-12-04", "2026-12-04")),
    // A timer of 45 minutes, and nobody: from the opening to an hour before closing.
    (FINAL, "DSGB1", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 07:00", "2026-12-04 18:00", "2026-12-04 18:45", "2026-12-04", "2026-12-04")),
    // The IE170 goes within 45 minutes: the environment must be open that long.
    (FINAL, "PSGB1", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 07:00", "2026-12-04 18:15", "2026-12-04 18:15", "2026-12-04", "2026-12-04")),
    // Here the 45 minutes must run out, and what they bring be fetched.
    (FINAL, "PSGB2", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 07:00", "2026-12-04 18:00", "2026-12-04 18:45", "2026-12-04", "2026-12-04")),
    // Pre-lodged, then released by officers, who have no deadline.
    (FINAL, "PNGB1", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 09:00", "2026-12-03 16:45", "2026-12-04 16:45", "2026-12-04", "2026-12-04")),
    // Officers must control it before the timer of 45 minutes releases it: they
    // need 45 minutes before 17:00, and a follow-up a day later is no use.
    (FINAL, "DSGB6", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 09:00", "2026-12-04 16:15", "2026-12-04 17:00", "2026-12-04", "2026-12-04")),
    // The same for a cancellation that officers must accept before the release.
    (FINAL, "DSGB4", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 09:00", "2026-12-04 16:15", "2026-12-04 17:00", "2026-12-04", "2026-12-04")),
    // Three messages, one timer: 45 minutes in all.
    (FINAL, "ASGB1", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 07:00", "2026-12-04 18:00", "2026-12-04 18:45", "2026-12-04", "2026-12-04")),
    // First 45 minutes, then the officers: they must be asked by 16:45 on
    // Thursday; at 16:15 it would be 17:00, and Friday, and Monday.
    (FINAL, "ANGB1", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 09:00", "2026-12-03 16:00", "2026-12-04 16:45", "2026-12-04", "2026-12-04")),
    // Officers twice: Wednesday, Thursday, Friday.
    (SIX, "P6-DNGB-02", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 09:00", "2026-12-02 16:45", "2026-12-04 16:45", "2026-12-04", "2026-12-04")),
    // Officers on Friday at 16:45, then a timer of 60 minutes, still open.
    (SIX, "P6-DNGB-07", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 09:00", "2026-12-03 16:45", "2026-12-04 17:45", "2026-12-04", "2026-12-04")),
    // 60 minutes and nobody: 18:00 would end at 19:00.
    (SIX, "P6-DSGB-07", "2026-11-10T12:00:00Z", "2026-12-04",
        Good("2026-11-23 07:00", "2026-12-04 17:45", "2026-12-04 18:45", "2026-12-04", "2026-12-04")),

    // --- The day itself.
    // Friday at 10:00: officers can still do it today, but need not.
    (FINAL, "DNGB1", "2026-12-04T10:00:00Z", "2026-12-04",
        Tight("2026-12-04 10:00", "2026-12-04 16:45", "2026-12-04 16:45", "2026-12-07", "2026-12-04")),
    // Thursday at 16:50, off the grid: the only start left is now.
    (FINAL, "DNGB1", "2026-12-03T16:50:00Z", "2026-12-04",
        Good("2026-12-03 16:50", "2026-12-03 16:50", "2026-12-04 16:50", "2026-12-04", "2026-12-04")),
    // Thursday at 17:00 the officers have gone: Friday, and at once.
    (FINAL, "DNGB1", "2026-12-03T17:00:00Z", "2026-12-04",
        Tight("2026-12-04 09:00", "2026-12-04 16:45", "2026-12-04 16:45", "2026-12-07", "2026-12-04")),
    // Friday, officers twice: both times at once, or Tuesday.
    (SIX, "P6-DNGB-02", "2026-12-04T10:00:00Z", "2026-12-04",
        Tight("2026-12-04 10:00", "2026-12-04 16:45", "2026-12-04 16:45", "2026-12-08", "2026-12-04")),
    // Friday at 16:16: not 45 minutes of officers left, so on Monday.
    (FINAL, "DSGB6", "2026-12-04T16:16:00Z", "2026-12-04", Late("2026-12-07", "2026-12-07")),
    // ... and at 16:15 just so.
    (FINAL, "DSGB6", "2026-12-04T16:15:00Z", "2026-12-04",
        Good("2026-12-04 16:15", "2026-12-04 16:15", "2026-12-04 17:00", "2026-12-04", "2026-12-04")),
    // Friday at 18:30 with a timer of 45 minutes: it runs out at 19:15, and what
    // it brings can be fetched on Monday only.
    (FINAL, "DSGB1", "2026-12-04T18:30:00Z", "2026-12-04", Late("2026-12-07", "2026-12-07")),
    // For Monday such a start is good; it ends when Trader Test opens.
    (FINAL, "DSGB1", "2026-12-04T18:30:00Z", "2026-12-07",
        Good("2026-12-04 18:30", "2026-12-07 18:00", "2026-12-07 18:45", "2026-12-07", "2026-12-07")),
    // Friday at 18:30 with an IE170 to follow within 45 minutes: nothing begins.
    (FINAL, "PSGB1", "2026-12-04T18:30:00Z", "2026-12-07",
        Good("2026-12-07 07:00", "2026-12-07 18:15", "2026-12-07 18:15", "2026-12-07", "2026-12-07")),
    // Friday at 18:15 it may: the 45 minutes end as Trader Test closes.
    (FINAL, "PSGB1", "2026-12-04T18:15:00Z", "2026-12-04",
        Good("2026-12-04 18:15", "2026-12-04 18:15", "2026-12-04 18:15", "2026-12-04", "2026-12-04")),
    // Today after closing.
    (FINAL, "DSGB1", "2026-12-04T19:00:00Z", "2026-12-04", Late("2026-12-07", "2026-12-07")),
    // A day that is past: from today, a Saturday, on.
    (FINAL, "DNGB1", "2026-12-05T12:00:00Z", "2026-12-04", Late("2026-12-08", "2026-12-07")),

    // --- Weekends and holidays.
    // A Sunday: day 14 back is Monday 23 November; the last work is on Friday.
    (FINAL, "DSGB1", "2026-11-10T12:00:00Z", "2026-12-06",
        Good("2026-11-23 07:00", "2026-12-04 18:00", "2026-12-04 18:45", "2026-12-06", "2026-12-06")),
    (FINAL, "DNGB1", "2026-11-10T12:00:00Z", "2026-12-06",
        Good("2026-11-23 09:00", "2026-12-03 16:45", "2026-12-04 16:45", "2026-12-06", "2026-12-06")),
    // Good Friday, 3 April 2026: asked on Wednesday, answered on Thursday.
    (FINAL, "DNGB1", "2026-03-25T12:00:00Z", "2026-04-03",
        Good("2026-03-25 12:00", "2026-04-01 16:45", "2026-04-02 16:45", "2026-04-03", "2026-04-03")),
    // The Tuesday after: the working day after Thursday.
    (FINAL, "DNGB1", "2026-03-20T12:00:00Z", "2026-04-07",
        Good("2026-03-25 09:00", "2026-04-02 16:45", "2026-04-07 16:45", "2026-04-07", "2026-04-07")),
    // On Good Friday it is too late for Easter Monday.
    (FINAL, "DSGB1", "2026-04-03T10:00:00Z", "2026-04-06", Late("2026-04-07", "2026-04-07")),
    // Tuesday 29 December 2026: Friday and Monday are holidays, so Christmas Eve.
    (FINAL, "DNGB1", "2026-12-10T12:00:00Z", "2026-12-29",
        Good("2026-12-16 09:00", "2026-12-24 16:45", "2026-12-29 16:45", "2026-12-29", "2026-12-29")),
    // Monday 28 December stands in for Boxing Day: Wednesday, then Thursday.
    (FINAL, "DNGB1", "2026-12-10T12:00:00Z", "2026-12-28",
        Good("2026-12-15 09:00", "2026-12-23 16:45", "2026-12-24 16:45", "2026-12-28", "2026-12-28")),
    // Christmas Eve after 17:00: the officers are back on the 29th.
    (FINAL, "DNGB1", "2026-12-24T17:30:00Z", "2026-12-25", Late("2026-12-30", "2026-12-29")),
    // New Year's Day 2027 is a Friday: New Year's Eve, then Monday.
    (FINAL, "DNGB1", "2026-12-20T12:00:00Z", "2027-01-04",
        Good("2026-12-22 09:00", "2026-12-31 16:45", "2027-01-04 16:45", "2027-01-04", "2027-01-04")),
    // The summer bank holiday, Monday 31 August 2026: Friday, then Tuesday.
    (FINAL, "DNGB1", "2026-08-01T12:00:00Z", "2026-09-01",
        Good("2026-08-19 09:00", "2026-08-28 16:45", "2026-09-01 16:45", "2026-09-01", "2026-09-01")),

    // --- Clocks and leap days.
    // The clocks go forward on Sunday 29 March 2026: the same time of day on
    // both sides of it.
    (FINAL, "DNGB1", "2026-03-10T12:00:00Z", "2026-03-30",
        Good("2026-03-17 09:00", "2026-03-27 16:45", "2026-03-30 16:45", "2026-03-30", "2026-03-30")),
    // They go back on Sunday 25 October 2026.
    (FINAL, "DSGB1", "2026-10-01T12:00:00Z", "2026-10-26",
        Good("2026-10-13 07:00", "2026-10-26 18:00", "2026-10-26 18:45", "2026-10-26", "2026-10-26")),
    // Tuesday 29 February 2028: 13 days back is Wednesday the 16th.
    (FINAL, "DSGB1", "2028-02-01T12:00:00Z", "2028-02-29",
        Good("2028-02-16 07:00", "2028-02-29 18:00", "2028-02-29 18:45", "2028-02-29", "2028-02-29")),
    // Wednesday 1 March 2028 counts the leap day.
    (FINAL, "DSGB1", "2028-02-01T12:00:00Z", "2028-03-01",
        Good("2028-02-17 07:00", "2028-03-01 18:00", "2028-03-01 18:45", "2028-03-01", "2028-03-01")),

    // --- NCTS6 answers round the clock until 15 June 2026; its officers do not.
    // Sunday 10 May: 45 minutes before midnight, on a quarter.
    (SIX, "P6-DSGB-01", "2026-05-01T12:00:00Z", "2026-05-10",
        Good("2026-05-01 13:00", "2026-05-10 23:00", "2026-05-10 23:45", "2026-05-10", "2026-05-10")),
    // Nothing to wait for: up to midnight.
    (SIX, "P6-PSGB-01", "2026-05-01T12:00:00Z", "2026-05-10",
        Good("2026-05-01 13:00", "2026-05-10 23:45", "2026-05-10 23:45", "2026-05-10", "2026-05-10")),
    // Saturday night the officers sleep: Thursday, then Friday. Monday 4 May is
    // a holiday, so on Saturday the 2nd the first start is on Tuesday.
    (SIX, "P6-DNGB-01", "2026-05-02T12:00:00Z", "2026-05-10",
        Good("2026-05-05 09:00", "2026-05-07 16:45", "2026-05-08 16:45", "2026-05-10", "2026-05-10")),
    // The last night, at 23:30: half an hour is too little for the IE170.
    (SIX, "P6-PSGB-01", "2026-06-15T22:30:00Z", "2026-06-16",
        Good("2026-06-16 07:00", "2026-06-16 18:15", "2026-06-16 18:15", "2026-06-16", "2026-06-16")),
    // ... and a timer ends at 00:15, which can be read at 07:00.
    (SIX, "P6-DSGB-01", "2026-06-15T22:30:00Z", "2026-06-15", Late("2026-06-16", "2026-06-16")),
    (SIX, "P6-DSGB-01", "2026-06-15T22:30:00Z", "2026-06-16",
        Good("2026-06-15 23:30", "2026-06-16 18:00", "2026-06-16 18:45", "2026-06-16", "2026-06-16")),

    // --- Before a phase opens, and after it has closed.
    // NCTS6 opens on Tuesday 14 April 2026, at midnight.
    (SIX, "P6-DSGB-01", "2026-04-01T12:00:00Z", "2026-04-10", Late("2026-04-14", "2026-04-14")),
    (SIX, "P6-DNGB-01", "2026-04-01T12:00:00Z", "2026-04-10", Late("2026-04-15", "2026-04-14")),
    (SIX, "P6-DSGB-01", "2026-04-01T12:00:00Z", "2026-04-20",
        Good("2026-04-14 00:00", "2026-04-20 23:00", "2026-04-20 23:45", "2026-04-20", "2026-04-20")),
    // The transition's phase closes on Monday 3 June 2024; its last day works.
    (OLD, "DNGB1", "2024-05-10T12:00:00Z", "2024-06-03",
        Good("2024-05-21 09:00", "2024-05-31 16:45", "2024-06-03 16:45", "2024-06-03", "2024-06-03")),
    // After it there is no day; on the Friday before, an earlier one is left:
    // that day if officers answer at once, else the Monday.
    (OLD, "DNGB1", "2024-06-04T09:00:00Z", "2024-06-10", Late(NONE, NONE)),
    (OLD, "DNGB1", "2024-05-31T09:00:00Z", "2024-06-10", Late("2024-06-03", "2024-05-31")),
    // On the last day only quick officers help.
    (OLD, "DNGB1", "2024-06-03T09:00:00Z", "2024-06-03",
        Tight("2024-06-03 10:00", "2024-06-03 16:45", "2024-06-03 16:45", NONE, "2024-06-03")),

    // --- No hours are published for guarantee balances: any time will do.
    ("guarantee-balance", "Scenario 2 GB", "2026-11-21T12:00:00Z", "2026-11-21",
        Good("2026-11-21 12:00", "2026-11-21 23:45", "2026-11-21 23:45", "2026-11-21", "2026-11-21")),
];

fn told(at: Option<DateTime<Utc>>) -> String {
    let text = at.map_or_else(|| NONE.to_owned(), london::for_people);
    text.trim_end_matches(" (London)").to_owned()
}

#[test]
fn each_case_is_as_reasoned() {
    let mut wrong = Vec::new();
    for policy in [FreshnessPolicy::Strict, FreshnessPolicy::Hours] {
        for (programme, scenario, as_of, submit_on, expected) in CASES {
            let mut house = house_of(programme, &[scenario]);
            // At the end of the day of submission, 14 x 24 hours go back to
            // within an hour of the 14th day's beginning, when nothing is open:
            // the two policies plan alike.
            house.settings.gate.freshness = policy;
            house.as_of = utc(as_of);
            house.submit_on = Some(day(submit_on));
            let plan = published(&house);
            let slot = &plan.schedule[0];
            let done = match slot.fit {
                Fit::InTime => slot.finish_officers_late,
                _ => slot.finish_officers_at_once,
            };
            let days = [plan.first_day.officers_late, plan.first_day.officers_at_once]
                .map(|day| day.map_or_else(|| NONE.to_owned(), |day| day.to_string()));
            let got = (
                slot.fit,
                [told(slot.start_no_earlier), told(slot.start_no_later), told(done)],
                days,
            );
            let own = |texts: [&str; 3]| texts.map(str::to_owned);
            let wanted = match expected {
                Good(first, last, done, late, quick) => {
                    (Fit::InTime, own([first, last, done]), [late, quick].map(|d| d.to_string()))
                }
                Tight(first, last, done, late, quick) => (
                    Fit::IfOfficersAnswerAtOnce,
                    own([first, last, done]),
                    [late, quick].map(|d| d.to_string()),
                ),
                Late(late, quick) => {
                    (Fit::None, own([NONE; 3]), [late, quick].map(|d| d.to_string()))
                }
            };
            if got != wanted {
                wrong.push(format!(
                    "{scenario} at {as_of} for {submit_on} ({policy:?}):\n  got    {got:?}\n  wanted {wanted:?}"
                ));
            }
        }
    }
    assert!(CASES.len() >= 50);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn timers_are_added_up() {
    for (programme, scenario, minutes, asks) in [
        (FINAL, "DNGB1", 0, 1),
        (FINAL, "DSGB1", 45, 0),
        (FINAL, "PSGB1", 0, 0),
        (FINAL, "PSGB2", 45, 0), // the timer that waits for the goods runs out
        (FINAL, "ANGB1", 45, 1),
        (SIX, "P6-DNGB-07", 60, 1),
        (SIX, "P6-DNGB-02", 0, 2),
        (SIX, "P6-DSGB-08", 45, 0), // the second 45 minutes are the only ones waited for
    ] {
        let mut house = house_of(programme, &[scenario]);
        house.as_of = utc("2026-11-10T12:00:00Z");
        let slot = &published(&house).schedule[0];
        assert_eq!((slot.expected_minutes, slot.officer_steps), (minutes, asks), "{scenario}");
        assert_eq!(slot.needs_officer, asks > 0);
    }
}

#[test]
fn the_most_urgent_goes_first_and_then_the_longest() {
    // Twice officers: Wednesday. Once: Thursday 16:45; of the two, the one with
    // a timer after it first. Nobody: Friday 17:45 and 18:00; of the two of
    // 18:00, in the order of the form. The IE170: 18:15.
    let ids = [
        "P6-PSGB-01",
        "P6-DSGB-01",
        "P6-DNGB-01",
        "P6-ASGB-01",
        "P6-DNGB-07",
        "P6-DSGB-07",
        "P6-DNGB-02",
    ];
    let mut house = house_of(SIX, &ids);
    house.as_of = utc("2026-11-10T12:00:00Z");
    house.submit_on = Some(day("2026-12-04"));
    let plan = published(&house);
    let order: Vec<&str> = plan.schedule.iter().map(|slot| slot.scenario.as_str()).collect();
    assert_eq!(
        order,
        [
            "P6-DNGB-02",
            "P6-DNGB-07",
            "P6-DNGB-01",
            "P6-DSGB-07",
            "P6-DSGB-01",
            "P6-ASGB-01",
            "P6-PSGB-01"
        ]
    );
    let numbers: Vec<u32> = plan.schedule.iter().map(|slot| slot.order).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn everyone_is_told_when_to_be_there() {
    let moments = |programme, scenario, as_of: &str| -> Vec<String> {
        let mut house = house_of(programme, &[scenario]);
        house.as_of = utc(as_of);
        house.submit_on = Some(day("2026-12-04"));
        let plan = published(&house);
        plan.schedule[0]
            .moments
            .iter()
            .map(|m| {
                let at = |at: Option<DateTime<Utc>>| {
                    at.map_or_else(|| NONE.to_owned(), london::for_tables)
                };
                let hours = [m.opens, m.closes]
                    .map(|at| london::time_of(at.unwrap()).format("%H:%M").to_string());
                format!(
                    "{} {:?} {} to {} ({}): {}",
                    m.step,
                    m.actor,
                    at(Some(m.from)),
                    at(m.until),
                    hours.join("-"),
                    m.what
                )
            })
            .collect()
    };
    assert_eq!(
        moments(FINAL, "DNGB1", "2026-11-10T12:00:00Z"),
        [
            "1 You Thu 3 Dec 16:45 to - (07:00-19:00): send the IE015",
            "2 You Thu 3 Dec 16:45 to - (07:00-19:00): e-mail the officers",
            "2 Officer Thu 3 Dec 16:45 to Fri 4 Dec 16:45 (09:00-17:00): accept the declaration and release it for transit",
        ]
    );
    // No time for a follow-up: at once.
    assert_eq!(
        moments(FINAL, "DNGB1", "2026-12-04T10:00:00Z")[2],
        "2 Officer Fri 4 Dec 16:45 to Fri 4 Dec 16:45 (09:00-17:00): accept the declaration and release it for transit"
    );
    // The IE170 by the end of the 45 minutes.
    assert_eq!(
        moments(FINAL, "PSGB1", "2026-11-10T12:00:00Z")[1],
        "2 You Fri 4 Dec 18:15 to Fri 4 Dec 19:00 (07:00-19:00): present the goods: send the IE170"
    );
    // Officers before the timer of 45 minutes releases the goods.
    assert_eq!(
        moments(FINAL, "DSGB6", "2026-11-10T12:00:00Z")[1..],
        [
            "2 You Fri 4 Dec 16:15 to Fri 4 Dec 17:00 (07:00-19:00): e-mail the officers",
            "2 Officer Fri 4 Dec 16:15 to Fri 4 Dec 17:00 (09:00-17:00): control the declaration, then release it",
        ]
    );
    // A timer, then a message, then officers.
    let arrival = moments(FINAL, "ANGB1", "2026-11-10T12:00:00Z");
    assert_eq!(arrival[1], "2 You Thu 3 Dec 16:45 to - (07:00-19:00): send the IE007");
    assert!(arrival[3].starts_with("2 Officer Thu 3 Dec 16:45 to Fri 4 Dec 16:45"), "{arrival:?}");
    // Nobody, where it is too late.
    assert!(moments(FINAL, "DNGB1", "2026-12-04T18:00:00Z").is_empty());
}
