//! The request budget that several processes share: a small file says when the
//! next request of any of them may leave.
//!
//! HMRC counts 3 requests a second for an application, however many programs make
//! them (Developer Hub reference guide, rate limiting). Nobody queues in the file:
//! whoever may not go yet asks again, so that what leaves is decided late.
//!
//! The file has three instants of the wall clock, in nanoseconds since 1970: when
//! the last request left, when the next may leave, and until when the server asked
//! for a pause. A clock that was set back is noticed by the first; whatever else
//! the file says is no reason to wait longer than a request's interval, or a
//! pause's bound.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::files::{self, Access, FileError};

/// Longest pause that is kept.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// How soon to ask again while another process is at the file.
const TAKEN: Duration = Duration::from_millis(2);

/// How often in a row another process may be at it. It holds the file for
/// microseconds; one that was stopped in the middle must not stop all others.
const PATIENCE: u32 = 500;

/// Largest file, in bytes.
const MAX_FILE: u64 = 256;

/// The budget of all processes that name the same file.
#[derive(Debug)]
pub struct SharedBudget {
    path: PathBuf,
    interval_ns: i64,
    /// How often in a row the file was another's.
    denied: u32,
    /// The file is of no use; told once.
    broken: bool,
}

/// What the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pace {
    /// When the last request left.
    left: i64,
    /// When the next may leave.
    next: i64,
    /// Until when there is a pause.
    paused: i64,
}

impl Pace {
    /// Anything that cannot be read is no reason to wait.
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut numbers = text.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(left)), Some(Ok(next)), Some(Ok(paused)), None) => Self { left, next, paused },
            _ => Self::default(),
        }
    }

    fn text(self) -> Vec<u8> {
        format!("{} {} {}\n", self.left, self.next, self.paused).into_bytes()
    }

    /// The same as far as it can be believed at `now`.
    fn believed(self, now: i64, interval: i64) -> Self {
        if self.left > now {
            // The clock was set back since, or someone wrote nonsense.
            return Self::default();
        }
        let bound = i64::try_from(LONGEST_PAUSE.as_nanos()).unwrap_or(i64::MAX);
        Self {
            left: self.left,
            next: self.next.min(now.saturating_add(interval)),
            paused: if self.paused > now.saturating_add(bound) { 0 } else { self.paused },
        }
    }

    /// How long until a request may leave, at `now`.
    fn wait(self, now: i64) -> i64 {
        self.next.max(self.paused).saturating_sub(now).max(0)
    }

    /// The same after a request that leaves at `now`.
    fn taken(self, now: i64, interval: i64) -> Self {
        Self { left: now, next: self.next.max(now).saturating_add(interval), paused: self.paused }
    }
}

/// Nanoseconds since 1970; what cannot be told so is far beyond any use.
fn nanoseconds(at: DateTime<Utc>) -> i64 {
    at.timestamp_nanos_opt().unwrap_or(i64::MAX)
}

impl SharedBudget {
    /// The budget of `per_second` requests a second in the file for the API at
    /// `address` in `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: &Path, address: &str, per_second: f64) -> Result<Self, FileError> {
        files::create_dir_all_durable(folder, Access::Shared)?;
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = address.chars().map(plain).take(100).collect();
        let per_second = if per_second.is_finite() { per_second.max(1.0 / 60.0) } else { 1e9 };
        let interval = Duration::from_secs_f64(1.0 / per_second);
        Ok(Self {
            path: folder.join(format!("budget-{name}")),
            interval_ns: i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX),
            denied: 0,
            broken: false,
        })
    }

    /// Takes the right to let a request leave at `now`, at once; or tells how
    /// long to wait before asking again. Where the file is of no use, each
    /// process has a budget of its own.
    pub fn take(&mut self, now: DateTime<Utc>) -> Duration {
        let (now, interval) = (nanoseconds(now), self.interval_ns);
        let mut wait = 0;
        let asked = self.update(|pace| {
            let pace = pace.believed(now, interval);
            wait = pace.wait(now);
            (wait == 0).then(|| pace.taken(now, interval))
        });
        match asked {
            Some(true) => Duration::from_nanos(wait.unsigned_abs()),
            Some(false) => TAKEN,
            None => Duration::ZERO,
        }
    }

    /// Keeps the requests of all processes back for `pause`, from `now` on.
    pub fn pause(&mut self, now: DateTime<Utc>, pause: Duration) {
        let (now, interval) = (nanoseconds(now), self.interval_ns);
        let pause = i64::try_from(pause.min(LONGEST_PAUSE).as_nanos()).unwrap_or(i64::MAX);
        self.update(|pace| {
            let pace = pace.believed(now, interval);
            let paused = pace.paused.max(now.saturating_add(pause));
            Some(Pace { left: now, paused, ..pace })
        });
    }

    /// Changes the file; false: another process is at it; none: there is no use
    /// in it.
    fn update(&mut self, change: impl FnOnce(Pace) -> Option<Pace>) -> Option<bool> {
        if self.broken {
            return None;
        }
        let changed = files::update_shared(&self.path, MAX_FILE, |bytes| {
            change(Pace::parse(bytes)).map(Pace::text)
        });
        match changed {
            Ok(true) => self.denied = 0,
            Ok(false) => {
                self.denied += 1;
                if self.denied >= PATIENCE {
                    self.give_up("another process holds it");
                    return None;
                }
            }
            Err(error) => {
                self.give_up(&error.to_string());
                return None;
            }
        }
        changed.ok()
    }

    fn give_up(&mut self, why: &str) {
        self.broken = true;
        tracing::warn!(
            file = %self.path.display(),
            "the request budget is not shared with other processes: {why}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(ns: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(1_800_000_000 * SECOND + ns)
    }

    fn budget(folder: &Path) -> SharedBudget {
        SharedBudget::new(folder, "https://example.org:443", 3.0).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Two processes that ask at any moments keep one budget.
        #[test]
        fn no_second_sees_more_than_the_budget(
            asks in prop::collection::vec((0i64..400_000_000, any::<bool>()), 1..60)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut both = [budget(folder.path()), budget(folder.path())];
            let mut now = 0;
            let mut sent = Vec::new();
            for (gap, which) in asks {
                now += gap;
                if both[usize::from(which)].take(at(now)).is_zero() {
                    sent.push(now);
                }
            }
            prop_assert!(!sent.is_empty());
            for window in sent.windows(4) {
                prop_assert!(window[3] - window[0] >= SECOND - 3);
            }
        }
    }

    #[test]
    fn who_must_wait_is_told_for_how_long() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (budget(folder.path()), budget(folder.path()));
        assert_eq!(one.take(at(0)), Duration::ZERO);
        assert_eq!(other.take(at(100_000_000)), Duration::from_nanos(233_333_333));
        assert_eq!(other.take(at(333_333_333)), Duration::ZERO);
        // A pause that one is asked for, all keep.
        one.pause(at(400_000_000), Duration::from_secs(20));
        assert_eq!(other.take(at(1_400_000_000)), Duration::from_secs(19));
        assert_eq!(other.take(at(20_400_000_000)), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_jumps_and_a_file_of_nonsense_make_nobody_wait_long() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = budget(folder.path());
        one.pause(at(0), Duration::from_secs(500));
        assert_eq!(one.take(at(-10 * SECOND)), Duration::ZERO, "it was set back");
        let path = folder.path().join("budget-https---example.org-443");
        for text in [
            "".to_owned(),
            "x".repeat(200),
            "1 2".into(),
            format!("0 {} 0", i64::MAX),
            format!("0 0 {}", i64::MAX),
            format!("{} 0 0", i64::MAX),
            format!("0 {} {} 7", i64::MAX, i64::MAX),
        ] {
            std::fs::write(&path, &text).unwrap();
            let wait = one.take(at(0));
            assert!(wait <= Duration::from_nanos(333_333_333), "{text}: {wait:?}");
        }
    }

    #[test]
    fn a_file_of_no_use_leaves_each_its_own_budget() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = budget(folder.path());
        std::fs::create_dir(folder.path().join("budget-https---example.org-443")).unwrap();
        assert_eq!(one.take(at(0)), Duration::ZERO);
        assert!(one.broken);
    }
}
