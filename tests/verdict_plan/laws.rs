//! What holds on every day, checked against hours worked out in another way:
//! a list of quarters of an hour, each open or not.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Utc, Weekday};
use ctc_ready::calendar::freshness::{FreshnessPolicy, is_fresh};
use ctc_ready::calendar::{holidays, london};
use ctc_ready::catalogue::Scenario;
use ctc_ready::engine::decide::Action;
use ctc_ready::engine::hours::{self, Hours};
use ctc_ready::engine::state::State;
use ctc_ready::engine::tempo::Tempo;
use ctc_ready::evidence::Actor;
use ctc_ready::ncts::MessageType;
use ctc_ready::project::Environment;
use ctc_ready::verdict::plan::Fit;
use ctc_ready::verdict::{PlanCase, plan};
use proptest::prelude::*;

use crate::support::*;
use crate::verdict_support::*;

const QUARTER: TimeDelta = TimeDelta::minutes(15);
const TIMER: TimeDelta = TimeDelta::minutes(45);

/// The last Sundays of March and October.
fn changes(year: i32) -> [NaiveDate; 2] {
    [3, 10].map(|month| {
        let last = |n| NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, n);
        last(5).or_else(|| last(4)).unwrap()
    })
}

/// London is an hour ahead from the last Sunday of March to that of October,
/// 01:00 UTC.
fn offset(at: DateTime<Utc>) -> TimeDelta {
    let [spring, autumn] =
        changes(at.year()).map(|day| day.and_hms_opt(1, 0, 0).unwrap().and_utc());
    TimeDelta::hours(i64::from(spring <= at && at < autumn))
}

/// The hours of a span of days: those that work, with London's offset at noon.
/// Clocks change on Sundays, on which nothing is open.
struct Quarters {
    working: BTreeMap<NaiveDate, Option<TimeDelta>>,
}

impl Quarters {
    fn around(day: NaiveDate) -> Self {
        let days = (0..80).map(|n| day - TimeDelta::days(40) + TimeDelta::days(n));
        let noon = |day: NaiveDate| offset(day.and_hms_opt(12, 0, 0).unwrap().and_utc());
        let working = |day| holidays::is_working_day(day).then(|| noon(day));
        Self { working: days.map(|day| (day, working(day))).collect() }
    }

    fn open(&self, at: DateTime<Utc>, from: u32, to: u32) -> bool {
        // By day, the date is London's in either offset.
        self.working[&at.date_naive()].is_some_and(|offset| {
            let minute = at.hour() * 60 + at.minute() + offset.num_minutes() as u32;
            from * 60 <= minute && minute < to * 60
        })
    }

    fn trader_test(&self, at: DateTime<Utc>) -> bool {
        self.open(at, 7, 19)
    }

    fn officers(&self, at: DateTime<Utc>) -> bool {
        self.open(at, 9, 17)
    }

    /// The next quarter from `at` on for which this holds.
    fn next(
        &self,
        mut at: DateTime<Utc>,
        open: impl Fn(&Self, DateTime<Utc>) -> bool,
    ) -> DateTime<Utc> {
        while !open(self, at) {
            at += QUARTER;
        }
        at
    }

    /// The same time in London on the next working day.
    fn working_day_later(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let now = self.working[&at.date_naive()].unwrap();
        let mut day = at.date_naive().succ_opt().unwrap();
        while self.working[&day].is_none() {
            day = day.succ_opt().unwrap();
        }
        day.and_time(at.time()).and_utc() + now - self.working[&day].unwrap()
    }

    /// When a run is finished that starts then; none: it may not start.
    fn finish(&self, kind: &str, start: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let open = self.trader_test(start);
        match kind {
            "normal" => (open && self.officers(start)).then(|| self.working_day_later(start)),
            "simplified" => open.then(|| self.next(start + TIMER, Self::trader_test)),
            // Open for 45 minutes, so that the IE170 can go.
            _ => {
                let last = start + TIMER - TimeDelta::minutes(1);
                (open && self.trader_test(last)).then_some(start)
            }
        }
    }
}

/// Round every change of the clocks from 2020 to 2035, and round Christmas and
/// Easter: the first and the last start are exactly the first and the last of
/// all quarters of an hour that would do.
#[test]
fn windows_are_exact_round_every_change_of_the_clocks() {
    let kinds = [("normal", NORMAL), ("simplified", SIMPLIFIED), ("pre-lodged", PRE_LODGED)];
    let parsed: Vec<(&str, Scenario)> =
        kinds.iter().map(|(kind, text)| (*kind, toml::from_str(text).unwrap())).collect();
    let mut house = House::new();
    house.programme.phase[0].opens = None;
    house.runs.clear();
    house.integrity = None;
    let mut windows = 0;
    let mut late = 0;
    for year in 2020..=2035 {
        let [spring, autumn] = changes(year);
        let christmas = NaiveDate::from_ymd_opt(year, 12, 25).unwrap();
        let easter = holidays::easter_sunday(year).unwrap();
        for anchor in [spring, autumn, christmas, easter] {
            let hours = Quarters::around(anchor);
            for (after, lead) in [(-1, 20), (0, 3), (1, 20), (2, 1), (13, 20)] {
                let submit_on = anchor + TimeDelta::days(after);
                // Planned at noon, `lead` days before.
                let as_of =
                    (submit_on - TimeDelta::days(lead)).and_hms_opt(12, 0, 0).unwrap().and_utc();
                house.as_of = as_of;
                house.submit_on = Some(submit_on);
                let end = london::judging_instant(submit_on);
                let both = [FreshnessPolicy::Strict, FreshnessPolicy::Hours];
                let policies = if after == 13 { &both[..] } else { &both[..1] };
                for policy in policies.iter().copied() {
                    house.settings.gate.freshness = policy;
                    for (kind, scenario) in &parsed {
                        for need in &mut house.needs {
                            need.chosen = Some(scenario.id.clone()).filter(|_| need.applies);
                        }
                        let found = plan(&PlanCase {
                            case: house.case(),
                            scenarios: &[scenario],
                            recommended: false,
                        });
                        let slot = &found.schedule[0];
                        let good = |at: &DateTime<Utc>| {
                            // Most quarters are closed: the quicker question first.
                            hours.finish(kind, *at).is_some_and(|finish| finish <= end)
                                && is_fresh(*at, end, policy)
                        };
                        let quarters = (0..=21 * 96).map(|n| as_of + QUARTER * n);
                        let all: Vec<DateTime<Utc>> = quarters.filter(good).collect();
                        let what = format!("{kind} at {as_of} for {submit_on} ({policy:?})");
                        if *kind == "normal" && all.is_empty() {
                            // Perhaps with officers who answer at once.
                            late += 1;
                            continue;
                        }
                        assert_eq!(slot.start_no_earlier, all.first().copied(), "{what}");
                        assert_eq!(slot.start_no_later, all.last().copied(), "{what}");
                        windows += 1;
                    }
                }
            }
        }
    }
    assert!(windows > 900 && late > 30, "{windows} {late}");
}

/// Every published scenario has a window in an ordinary fortnight, and `run`
/// holds nothing back that starts at either end of it.
#[test]
fn run_begins_when_the_plan_says() {
    let mut seen = 0;
    for (programme, as_of, submit_on) in [
        ("ncts5-transition", "2024-04-22T12:00:00Z", "2024-05-10"),
        ("ncts5-final", "2026-11-10T12:00:00Z", "2026-12-04"),
        ("ncts6", "2026-05-01T12:00:00Z", "2026-05-10"),
        ("ncts6", "2026-11-10T12:00:00Z", "2026-12-04"),
    ] {
        for scenario in CATALOGUE.scenarios(programme) {
            let mut house = house_of(programme, &[&scenario.id]);
            house.as_of = utc(as_of);
            house.submit_on = Some(day(submit_on));
            let found = published(&house);
            let slot = &found.schedule[0];
            let what = format!("{programme} {} for {submit_on}: {slot:?}", scenario.id);
            assert_eq!(slot.fit, Fit::InTime, "{what}");
            let (first, last) = (slot.start_no_earlier.unwrap(), slot.start_no_later.unwrap());
            assert!(first <= last && last.timestamp() % 900 == 0, "{what}");
            assert!(slot.finish_officers_at_once <= slot.finish_officers_late, "{what}");
            assert!(slot.finish_officers_late <= Some(london::judging_instant(day(submit_on))));
            let hours = Hours::of(&house.programme, Environment::TraderTest);
            for start in [first, last] {
                let state = State { opened: Some(start), ..State::default() };
                let next = hours::next(scenario, &state, Tempo::REAL, &hours, start, None);
                assert!(matches!(next, Action::Send { step: 1, .. }), "{what}: {next:?}");
            }
            // Officers have a day each time, or what a deadline leaves them.
            let asks = slot.moments.iter().filter(|moment| moment.actor == Actor::Officer);
            assert_eq!(asks.count(), slot.officer_steps as usize, "{what}");
            assert!(
                slot.moments.iter().all(|m| m.opens <= Some(m.from) && Some(m.from) < m.closes)
            );
            assert!(slot.moments.is_sorted_by_key(|moment| moment.from), "{what}");
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// Whatever the day: evidence first submitted at either end of the window
    /// is ready on the day of submission, as the gate sees it; and a later plan
    /// finds it good, and asks for nothing more.
    #[test]
    fn the_gate_accepts_what_the_plan_promises(
        ahead in 0u64..40, minutes in 0i64..900 * 1440, margin in prop_oneof![Just(0u32), 1u32..48],
    ) {
        let as_of = utc("2026-01-01T00:00:00Z") + TimeDelta::minutes(minutes);
        let submit_on = london::add_days(london::day_of(as_of), ahead);
        let mut house = House::new();
        house.programme.phase[0].opens = Some(day("2025-01-01"));
        house.settings.gate.fail_before_hours = margin;
        house.settings.gate.warn_before_hours = 48;
        house.as_of = as_of;
        house.submit_on = Some(submit_on);
        house.runs.clear();
        let found = plan_with(&house, &[NORMAL, SIMPLIFIED]);
        let window = |id: &str| {
            let slot = found.schedule.iter().find(|slot| slot.scenario == id).unwrap();
            slot.start_no_earlier.zip(slot.start_no_later)
        };
        let (Some(normal), Some(simplified)) = (window("DNGB1"), window("ANGB1")) else {
            return Ok(());
        };
        prop_assert!(as_of <= normal.0 && normal.0 <= normal.1);
        prop_assert!(as_of <= simplified.0 && simplified.0 <= simplified.1);
        for (first, second) in [(normal.0, simplified.0), (normal.1, simplified.1)] {
            house.runs = vec![
                run(1, "DNGB1", MessageType::Ie015),
                run(2, "ANGB1", MessageType::Ie007),
            ];
            // Their first message leaves five seconds after they begin.
            let begin = utc("2026-11-20T10:00:00Z");
            shift_run(&mut house.runs[0], first - begin);
            shift_run(&mut house.runs[1], second - begin);
            house.as_of = first.max(second) + TimeDelta::hours(1);
            let verdict = house.judge();
            let stale = |rule: &str| rule == "evidence-stale" || rule == "evidence-expiring";
            let wrong = verdict.findings.iter().find(|finding| {
                finding.severity == ctc_ready::verdict::Severity::Error && stale(finding.rule)
            });
            prop_assert!(wrong.is_none(), "{first} {second}: {wrong:?}");
            let again = plan_with(&house, &[NORMAL, SIMPLIFIED]);
            prop_assert!(again.schedule.is_empty(), "{:?}", again.schedule);
        }
    }

    /// Evidence only gets older: what is not good on a day is not good on a
    /// later one, and until when it is fresh depends on no day.
    #[test]
    fn a_later_day_makes_nothing_good(
        ahead in 0u64..30, later in 1u64..30, policy in prop_oneof![
            Just(FreshnessPolicy::Strict), Just(FreshnessPolicy::Hours)
        ],
    ) {
        let mut house = House::new();
        house.settings.gate.freshness = policy;
        let first = london::add_days(day("2026-11-21"), ahead);
        let mut good = |submit_on: NaiveDate| {
            house.submit_on = Some(submit_on);
            let plan = plan_with(&house, &[NORMAL, SIMPLIFIED]);
            (plan.requirements[0].good_on_submission, plan.requirements[0].fresh_until)
        };
        let (now, then) = (good(first), good(london::add_days(first, later)));
        prop_assert_eq!(now.1, then.1);
        prop_assert!(now.0 == Some(true) || then.0 == Some(false));
    }

    /// The first day that works does, and no day between does.
    #[test]
    fn the_first_day_is_the_first(minutes in 0i64..900 * 1440, ahead in 0u64..3) {
        let mut house = House::new();
        house.programme.phase[0].opens = Some(day("2025-01-01"));
        house.runs.clear();
        house.integrity = None;
        house.as_of = utc("2026-01-01T00:00:00Z") + TimeDelta::minutes(minutes);
        let asked = london::add_days(london::day_of(house.as_of), ahead);
        house.submit_on = Some(asked);
        let first = plan_with(&house, &[NORMAL, SIMPLIFIED]).first_day;
        let (quick, late) = (first.officers_at_once.unwrap(), first.officers_late.unwrap());
        prop_assert!(asked <= quick && quick <= late);
        let mut on = asked;
        while on <= late {
            house.submit_on = Some(on);
            let plan = plan_with(&house, &[NORMAL, SIMPLIFIED]);
            let safe = plan.schedule.iter().all(|slot| slot.fit == Fit::InTime);
            let some = plan.schedule.iter().all(|slot| slot.fit != Fit::None);
            prop_assert_eq!((some, safe), (quick <= on, on == late), "{}", on);
            on = on.succ_opt().unwrap();
        }
    }
}
