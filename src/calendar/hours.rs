//! Opening hours. A timetable is a list of spans of London days, each either
//! always open or open on working days between two London times.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use super::{holidays, london};

/// How far ahead an opening or a closing is looked for, in days.
const HORIZON_DAYS: u64 = 20 * 366;

/// When something is open within a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hours {
    /// 24 hours, every day.
    Always,
    /// On working days ([`holidays::is_working_day`]) from `opens`
    /// (inclusive) to `closes` (exclusive), London time.
    WorkingDays {
        /// Opening time.
        opens: NaiveTime,
        /// Closing time.
        closes: NaiveTime,
    },
}

/// A span of London days with its hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First day; none: from the beginning.
    pub from: Option<NaiveDate>,
    /// Last day; none: until further notice.
    pub until: Option<NaiveDate>,
    /// The hours of those days.
    pub hours: Hours,
}

impl Span {
    fn covers(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// When an environment answers, or an office reads its mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timetable {
    spans: Vec<Span>,
}

impl Timetable {
    /// A timetable of `spans`; where two cover a day, the first in the list
    /// holds. A day that none covers is closed.
    pub fn new(spans: impl IntoIterator<Item = Span>) -> Self {
        Self { spans: spans.into_iter().collect() }
    }

    /// Open 24 hours, every day.
    pub fn always() -> Self {
        Self::new([Span { from: None, until: None, hours: Hours::Always }])
    }

    /// Open on working days between two London times.
    pub fn working_days(opens: NaiveTime, closes: NaiveTime) -> Self {
        let hours = Hours::WorkingDays { opens, closes };
        Self::new([Span { from: None, until: None, hours }])
    }

    /// The open stretch of a London day: first open instant, first closed
    /// instant after it.
    pub fn open_on(&self, day: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let span = self.spans.iter().find(|span| span.covers(day))?;
        match span.hours {
            Hours::Always => Some((london::start_of_day(day), london::end_of_day(day))),
            Hours::WorkingDays { opens, closes } => {
                let stretch = (london::at_or_after(day, opens), london::at_or_after(day, closes));
                (holidays::is_working_day(day) && stretch.0 < stretch.1).then_some(stretch)
            }
        }
    }

    /// Whether it is open at `instant`.
    pub fn is_open(&self, instant: DateTime<Utc>) -> bool {
        self.open_on(london::day_of(instant))
            .is_some_and(|(opens, closes)| opens <= instant && instant < closes)
    }

    /// The first open instant at or after `instant`: `instant` itself when it
    /// is open. None: it does not open within 20 years.
    pub fn next_opening(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.stretches(instant)
            .find(|(_, closes)| instant < *closes)
            .map(|(opens, _)| opens.max(instant))
    }

    /// The end (first closed instant) of the open stretch at `instant`, or of
    /// the next one when it is closed. None: it does not close again, or does
    /// not open, within 20 years.
    pub fn next_closing(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if let [Span { from: None, until: None, hours: Hours::Always }] = self.spans[..] {
            // Nothing is gained from walking 20 years of open days.
            return None;
        }
        let mut stretches = self.stretches(instant).filter(|(_, closes)| instant < *closes);
        let (_, mut end) = stretches.next()?;
        // Days that are open around midnight join into one stretch.
        for (opens, closes) in stretches {
            if end < opens {
                return Some(end);
            }
            end = closes;
        }
        let horizon = london::add_days(london::day_of(instant), HORIZON_DAYS);
        (london::day_of(end) < horizon).then_some(end)
    }

    /// The open stretches of the days from `instant`'s on, up to the horizon.
    fn stretches(
        &self,
        instant: DateTime<Utc>,
    ) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
        let first = london::day_of(instant);
        (0..HORIZON_DAYS).filter_map(move |n| self.open_on(london::add_days(first, n)))
    }
}
