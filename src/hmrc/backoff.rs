//! How long to wait before another attempt.
//!
//! HMRC's guide suggests three to five attempts over one to two minutes,
//! exponential, with jitter (service guide, error handling).

use std::time::Duration;

/// Attempts at one call before giving up.
pub const MAX_ATTEMPTS: u32 = 5;

/// The wait after failed attempt number `attempt` (from 1): 2, 4, 8 … seconds,
/// at most 60, spread by `jitter` (0 to 1) over the upper half; or what the
/// server asked for, where that is longer (at most 10 minutes).
pub fn delay(attempt: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
    let ceiling = Duration::from_secs(2u64.saturating_pow(attempt.clamp(1, 6)).min(60));
    let own = ceiling.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
    retry_after.map_or(own, |asked| own.max(asked.min(Duration::from_secs(600))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        assert_eq!(delay(1, 1.0, None), Duration::from_secs(2));
        assert_eq!(delay(1, 0.0, None), Duration::from_secs(1));
        assert_eq!(delay(3, 1.0, None), Duration::from_secs(8));
        assert_eq!(delay(60, 1.0, None), Duration::from_secs(60));
        assert_eq!(delay(1, 0.0, Some(Duration::from_secs(30))), Duration::from_secs(30));
        assert_eq!(delay(1, 0.0, Some(Duration::from_secs(86_400))), Duration::from_secs(600));
    }
}
