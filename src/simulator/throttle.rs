//! The limit on requests a second.

use std::collections::HashMap;

use crate::digest::Digest;

const SECOND: u64 = 1_000_000_000;

/// Most tokens remembered; beyond it those at rest are forgotten.
const TOKENS: usize = 10_000;

/// A generic cell rate algorithm for each token: whoever keeps the pace is
/// never refused, even when the network bunches requests, and nobody gets more
/// than a second's worth ahead.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// For each token, when its next evenly paced request would be due.
    due: HashMap<Digest, u64>,
}

impl Throttle {
    /// Whether a request at `now` (monotonic nanoseconds) is within the limit.
    pub(super) fn allows(&mut self, token: Digest, per_second: u32, now: u64) -> bool {
        let interval = SECOND / u64::from(per_second.max(1));
        let ahead = (interval * u64::from(per_second.saturating_sub(1))).max(interval / 2);
        if self.due.len() >= TOKENS {
            self.due.retain(|_, due| *due > now);
        }
        let due = self.due.entry(token).or_insert(now);
        if *due > now.saturating_add(ahead) {
            return false;
        }
        *due = (*due).max(now) + interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Digest {
        Digest::of(b"t")
    }

    #[test]
    fn an_even_pace_at_the_limit_is_never_refused_though_the_network_jitters() {
        let mut throttle = Throttle::default();
        for nth in 0..600_u64 {
            let jitter = if nth % 2 == 0 { 0 } else { SECOND / 5 };
            let at = SECOND + nth * SECOND.div_ceil(3) + jitter;
            assert!(throttle.allows(token(), 3, at), "request {nth}");
        }
    }

    #[test]
    fn a_fourth_request_in_the_same_instant_is_refused_and_others_are_not_punished() {
        let mut throttle = Throttle::default();
        let answers: Vec<_> = (0..4).map(|_| throttle.allows(token(), 3, SECOND)).collect();
        assert_eq!(answers, [true, true, true, false]);
        assert!(throttle.allows(Digest::of(b"other"), 3, SECOND));
        // A refused request costs nothing: a third of a second later there is room.
        assert!(throttle.allows(token(), 3, SECOND + SECOND / 3));
        assert!(!throttle.allows(token(), 3, SECOND + SECOND / 3));
    }

    #[test]
    fn twice_the_pace_is_refused_half_of_the_time() {
        let mut throttle = Throttle::default();
        let allowed = (0..120_u64)
            .filter(|nth| throttle.allows(token(), 3, SECOND + nth * SECOND / 6))
            .count();
        assert!((60..=64).contains(&allowed), "{allowed}");
    }
}
