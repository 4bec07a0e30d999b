//! Bank holidays of England and Wales, and working days. Where HMRC says
//! "Monday to Friday" or "working day", a bank holiday is taken as closed:
//! HMRC's guides do not say, and waiting for an office that is shut costs more
//! than skipping one that is open.
//!
//! Sources: Banking and Financial Dealings Act 1971, schedule 1; royal
//! proclamations for New Year's Day, the early May holiday and the one-off
//! changes below; GOV.UK, UK bank holidays, for substitute days.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc, Weekday};

use super::london;

/// Regular holidays that were moved: (name, year, to month, day).
const MOVED: [(&str, i32, u32, u32); 2] =
    [("Early May bank holiday", 2020, 5, 8), ("Spring bank holiday", 2022, 6, 2)];

/// Holidays that happened once.
const ONCE: [(&str, i32, u32, u32); 3] = [
    ("Platinum Jubilee bank holiday", 2022, 6, 3),
    ("State Funeral of Queen Elizabeth II", 2022, 9, 19),
    ("Coronation of King Charles III", 2023, 5, 8),
];

/// The bank holidays of a year, in order of date. Rules as in force since
/// 1978; one-off changes are known for 2020 to 2023.
pub fn bank_holidays(year: i32) -> Vec<(NaiveDate, &'static str)> {
    let mut days: Vec<(NaiveDate, &'static str)> = Vec::with_capacity(10);
    let mut add = |date: Option<NaiveDate>, name: &'static str| {
        let moved = MOVED.iter().find(|moved| moved.0 == name && moved.1 == year);
        let date = match moved {
            Some(&(_, year, month, day)) => NaiveDate::from_ymd_opt(year, month, day),
            None => date,
        };
        days.extend(date.map(|date| (date, name)));
    };

    add(on(year, 1, 1).map(weekday_on_or_after), "New Year's Day");
    add(easter_sunday(year).and_then(|day| shift(day, -2)), "Good Friday");
    add(easter_sunday(year).and_then(|day| shift(day, 1)), "Easter Monday");
    add(NaiveDate::from_weekday_of_month_opt(year, 5, Weekday::Mon, 1), "Early May bank holiday");
    add(last_monday(year, 5), "Spring bank holiday");
    add(last_monday(year, 8), "Summer bank holiday");
    // Christmas on a Saturday: Monday and Tuesday stand in. On a Sunday:
    // Boxing Day is itself, Tuesday stands in for Christmas. On a Friday:
    // Monday stands in for Boxing Day.
    let christmas = on(year, 12, 25);
    let (first, second) = match christmas.map(|day| day.weekday()) {
        Some(Weekday::Sat) => (2, 3),
        Some(Weekday::Sun) => (2, 1),
        Some(Weekday::Fri) => (0, 3),
        _ => (0, 1),
    };
    add(christmas.and_then(|day| shift(day, first)), "Christmas Day");
    add(christmas.and_then(|day| shift(day, second)), "Boxing Day");

    for &(name, _, month, day) in ONCE.iter().filter(|once| once.1 == year) {
        days.extend(on(year, month, day).map(|date| (date, name)));
    }
    days.sort_unstable();
    days
}

/// The bank holiday that falls on `day`, substitute days included.
pub fn bank_holiday(day: NaiveDate) -> Option<&'static str> {
    bank_holidays(day.year()).into_iter().find(|(date, _)| *date == day).map(|(_, name)| name)
}

/// Monday to Friday and no bank holiday.
pub fn is_working_day(day: NaiveDate) -> bool {
    !is_weekend(day) && bank_holiday(day).is_none()
}

/// The first working day on or after `day`.
pub fn working_day_on_or_after(day: NaiveDate) -> NaiveDate {
    // No closed stretch is longer than Good Friday to Easter Monday; the
    // bound keeps the calendar's end from looping.
    (0..30).map(|n| london::add_days(day, n)).find(|day| is_working_day(*day)).unwrap_or(day)
}

/// The `count`-th working day after `day`; for 0, the first working day on or
/// after it.
pub fn add_working_days(day: NaiveDate, count: u32) -> NaiveDate {
    if count == 0 {
        return working_day_on_or_after(day);
    }
    (0..count).fold(day, |day, _| working_day_on_or_after(london::add_days(day, 1)))
}

/// The same London time of day `count` working days later; a time asked for
/// on a day off counts from the next working day. Where the clocks skip that
/// time, the end of the gap.
pub fn working_days_after(instant: DateTime<Utc>, count: u32) -> DateTime<Utc> {
    let day = add_working_days(working_day_on_or_after(london::day_of(instant)), count);
    london::at_or_after(day, london::time_of(instant))
}

/// Easter Sunday in the Gregorian calendar (the "anonymous" computus, Nature,
/// 20 April 1876).
pub fn easter_sunday(year: i32) -> Option<NaiveDate> {
    let a = year.rem_euclid(19);
    let (b, c) = (year.div_euclid(100), year.rem_euclid(100));
    let (d, e) = (b.div_euclid(4), b.rem_euclid(4));
    let f = (b + 8).div_euclid(25);
    let g = (b - f + 1).div_euclid(3);
    let h = (19 * a + b - d - g + 15).rem_euclid(30);
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k).rem_euclid(7);
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    on(year, u32::try_from(n / 31).ok()?, u32::try_from(n % 31 + 1).ok()?)
}

fn on(year: i32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month, day)
}

fn shift(day: NaiveDate, days: i64) -> Option<NaiveDate> {
    day.checked_add_signed(TimeDelta::days(days))
}

fn last_monday(year: i32, month: u32) -> Option<NaiveDate> {
    NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Mon, 5)
        .or_else(|| NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Mon, 4))
}

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The day itself, or the Monday after it if it falls on a weekend.
fn weekday_on_or_after(day: NaiveDate) -> NaiveDate {
    (0..3).map(|n| london::add_days(day, n)).find(|day| !is_weekend(*day)).unwrap_or(day)
}
