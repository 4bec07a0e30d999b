//! How fast the environment's timers run, and how often to ask for news.

use chrono::{DateTime, Duration, Utc};

/// The pace of an environment: 1 for HMRC's, more where a simulator shortens
/// its timers by that factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempo {
    scale: f64,
}

/// Shortest real time between two looks at the same thing. It bounds what an
/// accelerated simulator is asked.
const SHORTEST_LOOK: Duration = Duration::milliseconds(40);

impl Tempo {
    /// Real time.
    pub const REAL: Tempo = Tempo { scale: 1.0 };

    /// Timers run `scale` times faster than real time; values that make no
    /// sense count as 1.
    pub fn faster_by(scale: f64) -> Self {
        Self { scale: if scale.is_finite() && scale > 0.0 { scale } else { 1.0 } }
    }

    /// The factor.
    pub fn scale(self) -> f64 {
        self.scale
    }

    /// How long `duration` of the environment takes here.
    pub fn real(self, duration: Duration) -> Duration {
        let ms = duration.num_milliseconds() as f64 / self.scale;
        Duration::milliseconds(ms.round() as i64)
    }

    /// How long `minutes` of the environment take here.
    pub fn minutes(self, minutes: u32) -> Duration {
        self.real(Duration::minutes(i64::from(minutes)))
    }

    /// How long to go on waiting for a message that is due, before the run is
    /// given up. HMRC's system is closed at night, at weekends and on bank
    /// holidays, four days and a half in a row at Easter; officers answer on
    /// working days, and after 14 days the run's evidence would be too old to
    /// hand in. A simulator has no such excuse, but may share a busy machine.
    pub fn patience(self, pace: Pace) -> Duration {
        match pace {
            _ if self.scale > 1.0 => Duration::seconds(60),
            Pace::Automatic => Duration::days(7),
            Pace::Officer => Duration::days(14),
        }
    }

    /// When to look again for something awaited since `since`, due at `due`:
    /// soon at first, ever more slowly, never before it can have come.
    pub fn next_look(
        self,
        since: DateTime<Utc>,
        due: DateTime<Utc>,
        now: DateTime<Utc>,
        pace: Pace,
    ) -> DateTime<Utc> {
        if now < due {
            return due.max(now + SHORTEST_LOOK);
        }
        let (shortest, longest) = match pace {
            Pace::Automatic => (Duration::seconds(4), Duration::seconds(60)),
            Pace::Officer => (Duration::seconds(20), Duration::minutes(3)),
        };
        let waited = now - since.max(due);
        let interval = (waited / 4).clamp(self.real(shortest), self.real(longest));
        now + interval.max(SHORTEST_LOOK)
    }
}

/// Who makes us wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// NCTS: seconds to minutes.
    Automatic,
    /// People: minutes to days.
    Officer,
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn looks_start_at_the_due_time_and_slow_down() {
        let t = |seconds: i64| Utc.timestamp_opt(1_800_000_000 + seconds, 0).unwrap();
        let look = |now| Tempo::REAL.next_look(t(0), t(100), t(now), Pace::Automatic);
        assert_eq!(look(0), t(100));
        assert_eq!(look(100), t(104));
        assert_eq!(look(140), t(150));
        assert_eq!(look(4_000), t(4_060));
    }

    #[test]
    fn a_scaled_environment_is_asked_faster_but_not_madly() {
        let now = Utc.timestamp_opt(1_800_000_000, 0).unwrap();
        let fast = Tempo::faster_by(2_700.0);
        assert_eq!(fast.minutes(45), Duration::seconds(1));
        assert_eq!(fast.next_look(now, now, now, Pace::Automatic), now + SHORTEST_LOOK);
        assert_eq!(Tempo::faster_by(f64::NAN), Tempo::REAL);
        assert_eq!(Tempo::faster_by(0.0), Tempo::REAL);
    }
}
