//! Instants and spans of time in words. Called by the rest of `report::html`.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::calendar::london;

/// An instant as the page tells it: UTC, and London beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct When {
    /// RFC 3339, for machines.
    iso: String,
    /// `2026-07-21 23:30:00.123`.
    utc: String,
    /// `00:30:00 BST`, with the date where it is another.
    london: String,
}

impl When {
    pub(super) fn new(at: DateTime<Utc>) -> Self {
        let london = london::for_records(at);
        let day = at.format("%Y-%m-%d ").to_string();
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            utc: at.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
            london: london.strip_prefix(&day).unwrap_or(&london).to_owned(),
        }
    }
}

/// The two greatest units of a span: `2 d 3 h`, `45 min`, `1.5 s`, `3 ms`.
pub(super) fn span(length: TimeDelta) -> String {
    let ms = length.num_milliseconds().unsigned_abs();
    let two = |big: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{big} {unit}"),
        _ => format!("{big} {unit} {small} {smaller}"),
    };
    let (seconds, minutes, hours) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 if ms % 1000 >= 100 => format!("{seconds}.{} s", ms % 1000 / 100),
        1000..60_000 => format!("{seconds} s"),
        60_000..3_600_000 => two(minutes, "min", seconds % 60, "s"),
        3_600_000..86_400_000 => two(hours, "h", minutes % 60, "min"),
        _ => two(hours / 24, "d", hours % 24, "h"),
    }
}

/// The largest difference of two clocks seen in a run, in words.
pub(super) fn skew(max_skew_ms: Option<i64>) -> String {
    match max_skew_ms {
        None => "no server said what time it was".into(),
        Some(0) => "our clock and the server's agreed within a second".into(),
        Some(ms) => {
            let way = if ms > 0 { "ahead of" } else { "behind" };
            format!("our clock was up to {} {way} the server's", span(TimeDelta::milliseconds(ms)))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_says_both_days_where_they_differ() {
        let when = When::new("2026-07-21T23:30:00.123Z".parse().unwrap());
        assert_eq!(when.utc, "2026-07-21 23:30:00.123");
        assert_eq!(when.london, "2026-07-22 00:30:00 BST");
        let when = When::new("2026-11-21T09:30:00Z".parse().unwrap());
        assert_eq!(when.london, "09:30:00 GMT");
        assert_eq!(when.iso, "2026-11-21T09:30:00.000Z");
    }

    #[test]
    fn spans_have_at_most_two_units() {
        for (ms, words) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_540, "1.5 s"),
            (2_700_000, "45 min"),
            (2_701_000, "45 min 1 s"),
            (3_600_000, "1 h"),
            (234_000_000, "2 d 17 h"),
        ] {
            assert_eq!(span(TimeDelta::milliseconds(ms)), words);
        }
        assert_eq!(skew(Some(-2500)), "our clock was up to 2.5 s behind the server's");
    }
}
