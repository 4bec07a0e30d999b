//! When to stop asking for a while: after many calls in a row that failed, one
//! at a time tries whether the API is back, at growing intervals. Pure, on
//! nanoseconds handed in.
//!
//! Each run already waits longer and longer between its own attempts
//! ([`super::backoff`]); this is about all runs together, of which there may be a
//! hundred.

use std::time::Duration;

/// Failures in a row after which asking stops: more than one run makes before it
/// gives up.
const THRESHOLD: u32 = 10;

/// The first interval between two trials, doubled each time.
const SHORTEST: Duration = Duration::from_secs(5);

/// The longest.
const LONGEST: Duration = Duration::from_secs(60);

/// Says whether calls may leave, by what came of those before.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Failures one after the other.
    failures: u32,
    /// Trials that failed one after the other.
    trials: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// All may leave.
    #[default]
    Closed,
    /// None may leave before this instant; then one may.
    Open { until_ns: u64 },
    /// That one is under way.
    Trying,
}

impl Breaker {
    /// How long from `now_ns` until a call may leave; none: the answer to one
    /// that is under way decides.
    pub fn wait(&self, now_ns: u64) -> Option<Duration> {
        match self.state {
            State::Closed => Some(Duration::ZERO),
            State::Open { until_ns } => Some(Duration::from_nanos(until_ns.saturating_sub(now_ns))),
            State::Trying => None,
        }
    }

    /// Notes that a call leaves.
    pub fn leaves(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.state = State::Trying;
        }
    }

    /// Notes that a call failed for want of a server, at `now_ns`; tells for how
    /// long nothing may leave now, where that is new. `pace` is how many times
    /// faster than real the environment's time passes.
    pub fn failed(&mut self, now_ns: u64, pace: f64) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        match self.state {
            State::Closed if self.failures < THRESHOLD => return None,
            // A call that left before.
            State::Open { .. } => return None,
            State::Closed => {}
            State::Trying => self.trials = self.trials.saturating_add(1),
        }
        let interval = (SHORTEST * 2u32.saturating_pow(self.trials.min(6))).min(LONGEST);
        let interval = interval.div_f64(pace.clamp(1.0, 20.0));
        let ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        self.state = State::Open { until_ns: now_ns.saturating_add(ns) };
        Some(interval)
    }

    /// Notes that the server answered a call; tells whether calls may leave again
    /// that might not.
    pub fn answered(&mut self) -> bool {
        let was_open = !matches!(self.state, State::Closed);
        *self = Self::default();
        was_open
    }

    /// Trials that failed one after the other.
    pub fn trials(&self) -> u32 {
        self.trials
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for nth in 1..THRESHOLD {
            assert_eq!(breaker.failed(0, 1.0), None, "{nth}");
            assert_eq!(breaker.wait(0), Some(Duration::ZERO));
        }
        assert_eq!(breaker.failed(0, 1.0), Some(SHORTEST));
        breaker
    }

    #[test]
    fn many_failures_in_a_row_stop_everything_for_a_while() {
        let mut breaker = opened();
        assert_eq!(breaker.wait(2 * SECOND), Some(Duration::from_secs(3)));
        // Calls that left before say nothing new.
        assert_eq!(breaker.failed(SECOND, 1.0), None);
        assert_eq!(breaker.wait(5 * SECOND), Some(Duration::ZERO));
        assert!(breaker.answered());
        assert_eq!(breaker.wait(0), Some(Duration::ZERO));
        assert!(!breaker.answered());
        opened();
    }

    #[test]
    fn an_answer_between_failures_counts() {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            (1..THRESHOLD).for_each(|_| assert_eq!(breaker.failed(0, 1.0), None));
            assert!(!breaker.answered());
        }
    }

    #[test]
    fn one_at_a_time_tries_at_growing_intervals() {
        let mut breaker = opened();
        let mut now = 0;
        let mut intervals = Vec::new();
        for nth in 1..=6 {
            now += u64::try_from(breaker.wait(now).unwrap().as_nanos()).unwrap();
            breaker.leaves();
            assert_eq!(breaker.wait(now), None, "the second must wait for the first");
            intervals.push(breaker.failed(now, 1.0).unwrap().as_secs());
            assert_eq!(breaker.trials(), nth);
        }
        assert_eq!(intervals, [10, 20, 40, 60, 60, 60]);
        breaker.leaves();
        assert!(breaker.answered());
        assert_eq!(breaker.trials(), 0);
    }

    #[test]
    fn in_a_faster_environment_intervals_are_shorter_but_never_nothing() {
        let mut breaker = Breaker::default();
        let interval = (0..THRESHOLD).find_map(|_| breaker.failed(0, 2_700.0)).unwrap();
        assert_eq!(interval, Duration::from_millis(250));
    }
}
