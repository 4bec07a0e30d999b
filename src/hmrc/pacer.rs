//! The request budget: a GCRA (leaky bucket without a bucket) on nanoseconds
//! handed in, so that it can be tested in virtual time.
//!
//! HMRC allows 3 requests a second per application, not per trader (Developer
//! Hub reference guide, rate limiting).

use std::time::Duration;

/// HMRC's standard allowance, in requests a second.
pub const STANDARD_RATE: f64 = 3.0;

/// Says when the next request may leave. Nobody queues here: whoever has
/// several requests to make decides at that moment which of them leaves.
#[derive(Debug)]
pub struct Pacer {
    interval_ns: u64,
    next_ns: u64,
}

impl Pacer {
    /// A budget of `per_second` requests a second, evenly spaced. Rates below
    /// one request a minute are raised to it.
    pub fn new(per_second: f64) -> Self {
        let per_second = if per_second.is_finite() { per_second.max(1.0 / 60.0) } else { 1e9 };
        let interval = Duration::from_secs_f64(1.0 / per_second);
        Self { interval_ns: u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX), next_ns: 0 }
    }

    /// How long from `now_ns` (any monotonic clock, the same at each call)
    /// until a request may leave.
    pub fn wait(&self, now_ns: u64) -> Duration {
        Duration::from_nanos(self.next_ns.saturating_sub(now_ns))
    }

    /// Notes that a request leaves at `now_ns`.
    pub fn take(&mut self, now_ns: u64) {
        self.next_ns = self.next_ns.max(now_ns).saturating_add(self.interval_ns);
    }

    /// Keeps everything back for `pause`: the server said it had too much.
    pub fn pause(&mut self, now_ns: u64, pause: Duration) {
        let until = now_ns.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX));
        self.next_ns = self.next_ns.max(until);
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
                now += u64::try_from(pacer.wait(now).as_nanos()).unwrap();
                pacer.take(now);
                now
            }).collect();
            for window in sent.windows(4) {
                prop_assert!(window[3] - window[0] >= 999_999_000);
            }
        }
    }

    #[test]
    fn an_idle_budget_is_not_saved_up() {
        let mut pacer = Pacer::new(2.0);
        assert_eq!(pacer.wait(0), Duration::ZERO);
        pacer.take(0);
        assert_eq!(pacer.wait(10_000_000_000), Duration::ZERO);
        pacer.take(10_000_000_000);
        assert_eq!(pacer.wait(10_000_000_000), Duration::from_millis(500));
        assert_eq!(pacer.wait(10_400_000_000), Duration::from_millis(100));
    }

    #[test]
    fn a_pause_holds_everything_back() {
        let mut pacer = Pacer::new(2.0);
        pacer.pause(0, Duration::from_secs(4));
        assert_eq!(pacer.wait(1_000_000_000), Duration::from_secs(3));
        // A shorter one does not end it.
        pacer.pause(1_000_000_000, Duration::from_secs(1));
        assert_eq!(pacer.wait(4_000_000_000), Duration::ZERO);
        assert_eq!(pacer.wait(3_999_999_999), Duration::from_nanos(1));
    }
}
