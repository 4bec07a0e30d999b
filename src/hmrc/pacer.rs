//! The request budget: a GCRA (leaky bucket without a bucket) on nanoseconds
//! handed in, so that it can be tested in virtual time.
//!
//! HMRC allows 3 requests a second per application, not per trader (Developer
//! Hub reference guide, rate limiting).

use std::time::Duration;

/// HMRC's standard allowance, in requests a second.
pub const STANDARD_RATE: f64 = 3.0;

/// Hands out the earliest times at which requests may leave.
#[derive(Debug)]
pub struct Pacer {
    interval_ns: u64,
    next_ns: u64,
    paused_until_ns: u64,
}

impl Pacer {
    /// A budget of `per_second` requests a second, evenly spaced. Rates below
    /// one request a minute are raised to it.
    pub fn new(per_second: f64) -> Self {
        let per_second = if per_second.is_finite() { per_second.max(1.0 / 60.0) } else { 1e9 };
        let interval = Duration::from_secs_f64(1.0 / per_second);
        Self {
            interval_ns: u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX),
            next_ns: 0,
            paused_until_ns: 0,
        }
    }

    /// Reserves the next slot: how long the caller must wait from `now_ns`
    /// (any monotonic clock, the same at each call) before it sends.
    pub fn reserve(&mut self, now_ns: u64) -> Duration {
        let slot = self.next_ns.max(now_ns);
        self.next_ns = slot.saturating_add(self.interval_ns);
        Duration::from_nanos(slot - now_ns)
    }

    /// Keeps everything back for `pause`: the server said it had too much.
    pub fn pause(&mut self, now_ns: u64, pause: Duration) {
        let until = now_ns.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX));
        self.next_ns = self.next_ns.max(until);
        self.paused_until_ns = self.paused_until_ns.max(until);
    }

    /// Whether everything is kept back at `now_ns`. Whoever waited for a slot
    /// that was reserved before the pause began must reserve another.
    pub fn is_paused(&self, now_ns: u64) -> bool {
        now_ns < self.paused_until_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whenever callers come, any four consecutive requests span a second.
        #[test]
        fn no_second_sees_more_than_the_budget(gaps in prop::collection::vec(0u64..700_000_000, 1..60)) {
            let mut pacer = Pacer::new(STANDARD_RATE);
            let mut now = 0;
            let sent: Vec<u64> = gaps.into_iter().map(|gap| {
                now += gap;
                now + u64::try_from(pacer.reserve(now).as_nanos()).unwrap()
            }).collect();
            for window in sent.windows(4) {
                prop_assert!(window[3] - window[0] >= 999_999_000);
            }
        }
    }

    #[test]
    fn an_idle_budget_is_not_saved_up() {
        let mut pacer = Pacer::new(2.0);
        assert_eq!(pacer.reserve(0), Duration::ZERO);
        assert_eq!(pacer.reserve(10_000_000_000), Duration::ZERO);
        assert_eq!(pacer.reserve(10_000_000_000), Duration::from_millis(500));
    }

    #[test]
    fn a_pause_holds_everything_back() {
        let mut pacer = Pacer::new(2.0);
        pacer.pause(0, Duration::from_secs(4));
        assert_eq!(pacer.reserve(0), Duration::from_secs(4));
        assert!(pacer.is_paused(3_999_999_999));
        assert!(!pacer.is_paused(4_000_000_000));
    }
}
