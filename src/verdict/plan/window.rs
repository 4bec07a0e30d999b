//! When a scenario may start for a day of submission, and the first day that
//! works.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::course::{Course, Officers};
use super::model::{FirstDay, Fit};
use crate::calendar::freshness::{self, FreshnessPolicy};
use crate::calendar::london;
use crate::catalogue::{Phase, Programme};
use crate::project::Settings;
use crate::verdict::case::Need;
use crate::verdict::{credentials, dates};

/// Last starts are looked for on these minutes of the clock.
const GRID_MINUTES: i64 = 15;

/// Starts looked at, at most: a little over a year.
const QUARTERS: usize = 40_000;

/// Days looked at for one on which a submission works. No scenario asks
/// officers so often, and no run of holidays is so long, that it takes half of
/// them.
const DAYS: u64 = 90;

/// What all windows of a plan have in common.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) programme: &'a Programme,
    pub(super) settings: &'a Settings,
    pub(super) policy: FreshnessPolicy,
    pub(super) as_of: DateTime<Utc>,
    /// How long evidence must last beyond the day of submission, for the gate
    /// to find no error.
    pub(super) margin: TimeDelta,
}

/// When a scenario may start.
pub(super) struct Window {
    pub(super) no_earlier: Option<DateTime<Utc>>,
    pub(super) no_later: Option<DateTime<Utc>>,
    pub(super) fit: Fit,
}

/// A requirement that is to be good on a day.
pub(super) struct Wanted<'a> {
    pub(super) need: &'a Need,
    /// Until when there is evidence for it.
    pub(super) fresh_until: Option<DateTime<Utc>>,
    /// The scenario to run where that is too early.
    pub(super) course: Course<'a>,
}

/// The instants between which a scenario must lie.
struct Span {
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl Frame<'_> {
    /// Until when evidence must be fresh for submission on a day.
    fn lasts(&self, day: NaiveDate) -> DateTime<Utc> {
        let at = london::judging_instant(day);
        // With exactly the margin left, the gate finds an error already.
        let more = if self.margin.is_zero() { 0 } else { 1 };
        let margin = self.margin + TimeDelta::milliseconds(more);
        at.checked_add_signed(margin).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The span for submission on a day of this phase; without a day, until the
    /// phase closes.
    fn span(&self, phase: &Phase, need: &Need, day: Option<NaiveDate>) -> Span {
        let on = day.unwrap_or_else(|| london::day_of(self.as_of));
        let begins = [
            Some(self.as_of),
            phase.opens.map(london::start_of_day),
            credentials::not_before(self.settings, need, on).map(london::start_of_day),
            day.map(|day| freshness::earliest_first_submission(self.lasts(day), self.policy)),
        ];
        let ends = [day, phase.closes].into_iter().flatten().min();
        Span {
            from: begins.into_iter().flatten().max().unwrap_or(self.as_of),
            until: ends.map(london::judging_instant),
        }
    }

    /// When a scenario may start for submission on a day; without a day, from
    /// now on.
    pub(super) fn window(
        &self,
        course: &Course<'_>,
        need: &Need,
        day: Option<NaiveDate>,
    ) -> Window {
        let none = Window { no_earlier: None, no_later: None, fit: Fit::None };
        let on = day.unwrap_or_else(|| london::day_of(self.as_of));
        let Some(phase) = dates::phase_covering(self.programme, self.settings, on, on) else {
            return none;
        };
        let span = self.span(&phase, need, day);
        let Some(first) = course.first_start(span.from) else { return none };
        let Some(until) = span.until else {
            return Window { no_earlier: Some(first), no_later: None, fit: Fit::InTime };
        };
        let paces =
            [(Officers::Late, Fit::InTime), (Officers::AtOnce, Fit::IfOfficersAnswerAtOnce)];
        for (officers, fit) in paces {
            let in_time = |start: DateTime<Utc>| {
                course.walk(start, officers).is_some_and(|walk| walk.finish <= until)
            };
            // No later start is finished earlier.
            if in_time(first) {
                let last = quarters_down(until, first)
                    .find(|start| course.can_start(*start) && in_time(*start));
                return Window { no_earlier: Some(first), no_later: last.or(Some(first)), fit };
            }
        }
        none
    }

    /// The first day, from `from` on or else from today on, on which each of
    /// these is good.
    pub(super) fn first_day(&self, from: NaiveDate, wanted: &[Wanted<'_>]) -> FirstDay {
        let today = london::day_of(self.as_of);
        let first = |officers, mut day| {
            for _ in 0..DAYS {
                let Some(phase) = dates::phase_covering(self.programme, self.settings, day, day)
                else {
                    // Not open: the next opening, if there is one.
                    let phases = dates::phases(self.programme, self.settings);
                    let openings = phases.filter_map(|phase| phase.opens);
                    day = openings.filter(|opens| *opens > day).min()?;
                    continue;
                };
                let works = |wanted: &Wanted<'_>| {
                    let span = self.span(&phase, wanted.need, Some(day));
                    let start = || wanted.course.first_start(span.from);
                    let walk = || wanted.course.walk(start()?, officers);
                    wanted.fresh_until >= Some(self.lasts(day))
                        || walk().is_some_and(|walk| Some(walk.finish) <= span.until)
                };
                if wanted.iter().all(works) {
                    return Some(day);
                }
                day = london::add_days(day, 1);
            }
            None
        };
        let either = |officers| first(officers, from.max(today)).or_else(|| first(officers, today));
        FirstDay {
            officers_at_once: either(Officers::AtOnce),
            officers_late: either(Officers::Late),
        }
    }
}

/// The quarters of an hour from `from` down to `to`, `to` itself left out
/// unless it is one.
fn quarters_down(from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    let grid = GRID_MINUTES * 60;
    let first = from.timestamp() - from.timestamp().rem_euclid(grid);
    (0..)
        .map_while(move |n: i64| DateTime::from_timestamp(first - n * grid, 0))
        .take_while(move |at| *at >= to)
        .take(QUARTERS)
}
