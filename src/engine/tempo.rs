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

/// How long after a change a movement is taken to be quiet: what NCTS and its
/// officers do in one go takes them seconds.
const QUIET: Duration = Duration::seconds(5);

/// How long a poll for news that is due gives way to other calls.
const GIVES_WAY: Duration = Duration::minutes(1);

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

    /// How long after a change in a movement to wait for what comes with it,
    /// where more is expected: one list then tells of all.
    pub fn quiet(self) -> Duration {
        self.real(QUIET)
    }

    /// The shortest time between two polls of the same list: whatever run they
    /// are for, one serves all.
    pub fn between_polls(self) -> Duration {
        self.real(Pace::Automatic.range().0).max(SHORTEST_LOOK)
    }

    /// How long a poll that is due gives way to other calls when the budget is
    /// short: they may be all that it would bring about.
    pub fn gives_way(self) -> Duration {
        self.real(GIVES_WAY)
    }

    /// When to look again for something awaited since `since`, due at `due`,
    /// that was not there when last `looked` for: a moment after it can have
    /// come, then ever more slowly. Looks for one run are looks for all, so
    /// that those of many runs fall together.
    pub fn next_look(
        self,
        (since, due): (DateTime<Utc>, DateTime<Utc>),
        looked: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        pace: Pace,
    ) -> DateTime<Utc> {
        let (shortest, longest) = pace.range();
        let came = since.max(due);
        if now < came + self.real(shortest) {
            // A look of the future: the clock was set back.
            let looked = looked.map_or(came, |looked| looked.min(now));
            return (came.max(looked) + self.real(shortest)).max(now + SHORTEST_LOOK);
        }
        let waited = now - came;
        let interval = (waited / 4).clamp(self.real(shortest), self.real(longest));
        now + interval.max(SHORTEST_LOOK)
    }

    /// When to look again for what the software sends by itself, expected since
    /// `since` and not there when last `sought`: ever more slowly.
    pub fn seek_again(self, since: DateTime<Utc>, sought: DateTime<Utc>) -> DateTime<Utc> {
        let (shortest, longest) = Pace::Automatic.range();
        let interval = ((sought - since) / 4).clamp(self.real(shortest), self.real(longest));
        sought + interval.max(SHORTEST_LOOK)
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

impl Pace {
    /// The shortest and the longest time between two looks, in the
    /// environment's time. HMRC names no figures for its lists, and wants them
    /// not to be polled for nothing.
    fn range(self) -> (Duration, Duration) {
        match self {
            Self::Automatic => (Duration::seconds(4), Duration::seconds(60)),
            // Nobody reads and answers a mail within a minute.
            Self::Officer => (Duration::minutes(1), Duration::minutes(3)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn looks_start_a_moment_after_the_due_time_and_slow_down() {
        let t = |seconds: i64| Utc.timestamp_opt(1_800_000_000 + seconds, 0).unwrap();
        let at = |looked: Option<i64>, now| {
            Tempo::REAL.next_look((t(0), t(100)), looked.map(t), t(now), Pace::Automatic)
        };
        let look = |now| at(None, now);
        assert_eq!(look(0), t(104));
        assert_eq!(look(100), t(104));
        assert_eq!(look(104), t(108));
        assert_eq!(look(140), t(150));
        assert_eq!(look(4_000), t(4_060));
        // Another run's look a moment ago told as much.
        assert_eq!((at(Some(50), 60), at(Some(102), 103)), (t(104), t(106)));
        assert_eq!(at(Some(9_000), 103), t(107), "the clock was set back");
        assert_eq!(at(Some(3_999), 4_000), t(4_060));
    }

    #[test]
    fn a_scaled_environment_is_asked_faster_but_not_madly() {
        let now = Utc.timestamp_opt(1_800_000_000, 0).unwrap();
        let fast = Tempo::faster_by(2_700.0);
        assert_eq!(fast.minutes(45), Duration::seconds(1));
        let look = fast.next_look((now, now), None, now, Pace::Automatic);
        assert_eq!(look, now + SHORTEST_LOOK);
        assert_eq!(Tempo::faster_by(f64::NAN), Tempo::REAL);
        assert_eq!(Tempo::faster_by(0.0), Tempo::REAL);
    }
}
