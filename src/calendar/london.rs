//! London days and times. HMRC gives its hours and days in UK time (GMT or
//! BST; CTC Traders API phase 5 testing guide, availability); everything else
//! in this crate is UTC, and this module is the bridge.

use chrono::{
    DateTime, Datelike as _, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Europe::London;

/// Years whose London time is known: the time zone database's rules are laid
/// out up to 2099, and nothing here happened before 2000.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2099;

/// A London date and time as an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LondonInstant {
    /// The instant. Where the time exists twice, the earlier one.
    pub instant: DateTime<Utc>,
    /// The later instant of the same date and time, where the clocks went
    /// back between the two.
    pub also: Option<DateTime<Utc>>,
}

/// A date, time or instant that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LondonError {
    /// The clocks went forward over it.
    #[error("{date} {time} does not exist in London: the clocks go forward over it")]
    Gap {
        /// The date.
        date: NaiveDate,
        /// The time.
        time: NaiveTime,
    },
    /// Outside the years 2000 to 2099.
    #[error("the year {0} is outside 2000 to 2099")]
    Year(i32),
    /// Neither RFC 3339 nor a date.
    #[error(
        "`{0}` is neither an instant (RFC 3339, such as `2026-12-04T16:30:00Z`) nor a London date (such as `2026-12-04`)"
    )]
    NotATime(String),
}

/// An instant on London's clocks. A journal may claim any instant; those at
/// the very ends of the calendar have no local time, and are moved inwards.
fn local(instant: DateTime<Utc>) -> DateTime<chrono_tz::Tz> {
    let margin = TimeDelta::days(2);
    let ends = (DateTime::<Utc>::MIN_UTC + margin, DateTime::<Utc>::MAX_UTC - margin);
    instant.clamp(ends.0, ends.1).with_timezone(&London)
}

/// The London calendar day on which `instant` lies.
pub fn day_of(instant: DateTime<Utc>) -> NaiveDate {
    local(instant).date_naive()
}

/// The London time of day at `instant`.
pub fn time_of(instant: DateTime<Utc>) -> NaiveTime {
    local(instant).time()
}

/// The first instant of a London day.
pub fn start_of_day(day: NaiveDate) -> DateTime<Utc> {
    at_or_after(day, NaiveTime::MIN)
}

/// The first instant after a London day: the start of the next. A day lasts
/// 23, 24 or 25 hours.
pub fn end_of_day(day: NaiveDate) -> DateTime<Utc> {
    start_of_day(add_days(day, 1))
}

/// The instant of a London date and time.
///
/// # Errors
/// [`LondonError::Gap`] for the hour that is skipped in spring. In autumn an
/// hour exists twice: the earlier instant is given, and the later one beside
/// it.
pub fn instant_of(date: NaiveDate, time: NaiveTime) -> Result<LondonInstant, LondonError> {
    match London.from_local_datetime(&date.and_time(time)) {
        LocalResult::Single(one) => Ok(LondonInstant { instant: one.to_utc(), also: None }),
        LocalResult::Ambiguous(a, b) => {
            let (a, b) = (a.to_utc(), b.to_utc());
            Ok(LondonInstant { instant: a.min(b), also: Some(a.max(b)) })
        }
        LocalResult::None => Err(LondonError::Gap { date, time }),
    }
}

/// The first instant of `date` at which London clocks show `time` or later:
/// in the skipped hour of spring that is the end of the gap. For timetables,
/// which must have an answer on every day.
pub fn at_or_after(date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    match instant_of(date, time) {
        Ok(found) => found.instant,
        // London's clocks are set forward by one hour, so the time before the
        // gap, read an hour earlier, is the same instant as its end. Outside
        // the calendar's range there is nothing better than reading it as UTC.
        Err(_) => match time.overflowing_sub_signed(TimeDelta::hours(1)) {
            (before, 0) => match instant_of(date, before) {
                Ok(found) => gap_end(found.instant),
                Err(_) => date.and_time(time).and_utc(),
            },
            _ => date.and_time(time).and_utc(),
        },
    }
}

/// The first instant after `before`, which lies in the hour before a gap, at
/// which London's offset has changed. Changes fall on whole minutes.
fn gap_end(before: DateTime<Utc>) -> DateTime<Utc> {
    use chrono::{Offset as _, Timelike as _};
    let offset = |at: DateTime<Utc>| local(at).offset().fix().local_minus_utc();
    let start = before.with_nanosecond(0).and_then(|at| at.with_second(0)).unwrap_or(before);
    (0..=120)
        .map(|minutes| start + TimeDelta::minutes(minutes))
        .find(|at| offset(*at) != offset(before))
        .unwrap_or(before)
}

/// `days` calendar days later; stays at the calendar's end.
pub fn add_days(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX)
}

/// `days` calendar days earlier; stays at the calendar's beginning.
pub fn sub_days(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN)
}

/// The instant that stands for a whole London day when something is judged on
/// it: its last millisecond. It is the strictest one for freshness, and
/// nothing that was done on the day lies in its future.
pub fn judging_instant(day: NaiveDate) -> DateTime<Utc> {
    let end = end_of_day(day);
    end.checked_sub_signed(TimeDelta::milliseconds(1)).unwrap_or(end)
}

/// Reads `--at`: an RFC 3339 instant, or a London date, which stands for the
/// last millisecond of that day ([`judging_instant`]).
///
/// # Errors
/// [`LondonError::NotATime`] and [`LondonError::Year`].
pub fn parse_at(text: &str) -> Result<DateTime<Utc>, LondonError> {
    let text = text.trim();
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        in_range(day.year())?;
        return Ok(judging_instant(day));
    }
    let refuse = || LondonError::NotATime(text.chars().take(60).collect());
    let instant = DateTime::parse_from_rfc3339(text).map_err(|_| refuse())?.to_utc();
    in_range(instant.year())?;
    Ok(instant)
}

/// Reads a London date such as `2026-12-04`.
///
/// # Errors
/// [`LondonError::NotATime`] and [`LondonError::Year`].
pub fn parse_date(text: &str) -> Result<NaiveDate, LondonError> {
    let text = text.trim();
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| LondonError::NotATime(text.chars().take(60).collect()))?;
    in_range(day.year())?;
    Ok(day)
}

fn in_range(year: i32) -> Result<(), LondonError> {
    if YEARS.contains(&year) { Ok(()) } else { Err(LondonError::Year(year)) }
}

/// `Fri 2026-12-04 16:30 (London)`, for people who plan their week.
pub fn for_planning(instant: DateTime<Utc>) -> String {
    local(instant).format("%a %Y-%m-%d %H:%M (London)").to_string()
}

/// `Fri 4 Dec 16:30`, for tables whose heading says that it is London's time,
/// and of which year.
pub fn for_tables(instant: DateTime<Utc>) -> String {
    local(instant).format("%a %-d %b %H:%M").to_string()
}

/// `2026-12-04 16:30 (London)`, for messages to people.
pub fn for_people(instant: DateTime<Utc>) -> String {
    local(instant).format("%Y-%m-%d %H:%M (London)").to_string()
}

/// `2026-07-04 17:30:05 BST`, for records: GMT or BST says which of the two.
pub fn for_records(instant: DateTime<Utc>) -> String {
    local(instant).format("%Y-%m-%d %H:%M:%S %Z").to_string()
}
