//! Until when evidence may be submitted.
//!
//! HMRC says it twice, not quite alike: results must be "less than 14 days
//! old" (testing guides, apply for production credentials), and submissions
//! must lie "in the last 14 calendar days" (NCTS5 checklist v1.1, rate limit).
//! Both are read strictly by default:
//!
//! - **hours**: younger than 14 x 24 h. At exactly 14 x 24 h it is too late.
//! - **days**: the first submission lies within the last 14 London calendar
//!   days, the day of submitting counted: evidence of London day D may go in
//!   until the end of day D + 13.
//!
//! Fresh until is the *last* millisecond at which a run may be submitted
//! (evidence is stored in milliseconds); one millisecond later it may not.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::london;

/// Days of both rules.
pub const DAYS: u32 = 14;

/// How strictly freshness is judged (design, section 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FreshnessPolicy {
    /// Younger than 14 x 24 h and first submission within the last 14 London
    /// calendar days, counting the day itself.
    #[default]
    Strict,
    /// Younger than 14 x 24 h alone.
    Hours,
}

impl FreshnessPolicy {
    /// `strict` or `hours`, as in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Hours => "hours",
        }
    }
}

/// The last instant, to the millisecond, at which evidence first submitted at
/// `first` may still go in.
pub fn fresh_until(first: DateTime<Utc>, policy: FreshnessPolicy) -> DateTime<Utc> {
    let by_hours = add(first, TimeDelta::days(i64::from(DAYS)));
    let lapses = match policy {
        FreshnessPolicy::Hours => by_hours,
        FreshnessPolicy::Strict => {
            let last_day = london::add_days(london::day_of(first), u64::from(DAYS) - 1);
            by_hours.min(london::end_of_day(last_day))
        }
    };
    add(lapses, TimeDelta::milliseconds(-1))
}

/// Whether evidence first submitted at `first` may be submitted at `at`.
/// Evidence later than `at` is not old: that it lies in the future is a
/// finding of its own.
pub fn is_fresh(first: DateTime<Utc>, at: DateTime<Utc>, policy: FreshnessPolicy) -> bool {
    at <= fresh_until(first, policy)
}

/// The earliest first submission that is still fresh at `at`, to the
/// millisecond: what a plan must not start before.
pub fn earliest_first_submission(at: DateTime<Utc>, policy: FreshnessPolicy) -> DateTime<Utc> {
    let by_hours = add(add(at, TimeDelta::days(-i64::from(DAYS))), TimeDelta::milliseconds(1));
    match policy {
        FreshnessPolicy::Hours => by_hours,
        FreshnessPolicy::Strict => {
            let first_day = london::sub_days(london::day_of(at), u64::from(DAYS) - 1);
            by_hours.max(london::start_of_day(first_day))
        }
    }
}

/// Addition that stays at the calendar's ends.
fn add(at: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(by).unwrap_or(if by < TimeDelta::zero() {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}
