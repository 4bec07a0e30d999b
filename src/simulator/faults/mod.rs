//! Faults on request: what goes wrong, when, and to whom, as a small TOML file
//! says it. `docs/simulator.md` describes the file for people.
//!
//! - `read`: the file, with every problem at its line and column;
//! - `schedule`: which rules strike; the same file and the same requests give
//!   the same faults;
//! - `answer`: what a fault makes of an answer.
//!
//! What cannot be done to an answer (resets, cuts, drips) is `super::wire`'s.
//! Only the simulator may call it, but for [`Faults::parse`].

mod answer;
mod read;
mod schedule;

use std::time::Duration;

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ncts::MessageType;

pub(super) use answer::{instead, mend};
pub use read::{FAULTS_MAX, FaultsError};
pub(super) use schedule::{Asked, Faulting, Plan, Schedule, Struck, Twist};

/// A file of faults, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    seed: u64,
    rules: Vec<Rule>,
}

/// One rule: what happens to which requests or replies.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    name: String,
    fault: Fault,
    /// Method of the request; for none any.
    method: Option<Method>,
    path: Option<Pattern>,
    /// Message sent, or the reply.
    message: Option<MessageType>,
    /// The one match that strikes.
    nth: Option<u64>,
    /// Every so many matches.
    every: Option<u64>,
    /// How likely a match strikes, 0 to 1.
    probability: Option<f64>,
    /// Most strikes.
    times: Option<u64>,
    from: Option<Moment>,
    until: Option<Moment>,
}

/// An instant of a schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    At(DateTime<Utc>),
    /// Simulated seconds after the simulator started.
    After(f64),
}

/// A path: parts with `*` for any one part, and `**` at the end for any rest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(Vec<String>);

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        for wanted in &self.0 {
            if wanted == "**" {
                return true;
            }
            match parts.next() {
                Some(part) if wanted == "*" || wanted == part => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Fault {
    /// The answer comes late, in real time.
    Delay(Duration),
    /// Another status, from the gateway.
    Status { status: u16, retry_after: Option<u32>, html: bool, taken: bool },
    /// The connection is reset.
    Reset { taken: bool },
    /// The connection is closed in good order, without an answer.
    Close { taken: bool },
    /// The body breaks off after so many bytes, half of them by default.
    Truncate { keep: Option<usize>, chunked: bool },
    /// The answer comes byte by byte.
    Drip(Duration),
    /// `Date` is wrong by so many seconds.
    ClockSkew(i64),
    /// 401: the token is no longer valid.
    ExpiredToken,
    /// Another content type.
    WrongType(String),
    /// 200 with nothing, though the request had its effect.
    Empty,
    /// Fields in every object that nobody documented.
    ExtraFields,
    /// `totalCount` is wrong by so many.
    WrongTotal(i64),
    /// A reply of NCTS is filed twice under two ids.
    Duplicate(Duration),
    /// A message received before appears only later.
    Late(Duration),
    /// A message comes after the one that follows it.
    OutOfOrder(Duration),
}

impl Fault {
    /// Its name in files, and the log.
    fn name(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Status { .. } => "status",
            Self::Reset { .. } => "reset",
            Self::Close { .. } => "close",
            Self::Truncate { .. } => "truncate",
            Self::Drip(_) => "drip",
            Self::ClockSkew(_) => "clock-skew",
            Self::ExpiredToken => "expired-token",
            Self::WrongType(_) => "wrong-type",
            Self::Empty => "empty",
            Self::ExtraFields => "extra-fields",
            Self::WrongTotal(_) => "wrong-total",
            Self::Duplicate(_) => "duplicate",
            Self::Late(_) => "late",
            Self::OutOfOrder(_) => "out-of-order",
        }
    }

    /// Whether it strikes replies of NCTS rather than answers to requests.
    fn is_of_replies(&self) -> bool {
        matches!(self, Self::Duplicate(_) | Self::Late(_) | Self::OutOfOrder(_))
    }

    /// Whether it decides what becomes of the answer: only one such fault
    /// strikes a request.
    fn ends(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Reset { .. }
                | Self::Close { .. }
                | Self::Truncate { .. }
                | Self::ExpiredToken
                | Self::Empty
        )
    }

    /// Whether the request is lost before it has any effect.
    pub(super) fn prevents(&self) -> bool {
        matches!(
            self,
            Self::Status { taken: false, .. }
                | Self::Reset { taken: false }
                | Self::Close { taken: false }
                | Self::ExpiredToken
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_parts_not_letters() {
        let pattern = |text: &str| Pattern(text.split('/').map(str::to_owned).collect());
        let list = "/customs/transits/movements/departures";
        for (of, path, fits) in [
            (list, list, true),
            (list, "/customs/transits/movements/departures/", false),
            (list, "/customs/transits/movements/departures/1", false),
            ("/customs/transits/movements/*", list, true),
            ("/customs/**", list, true),
            ("/customs/transits/movements/departures/**", list, true),
            ("/customs/*", list, false),
            (
                "/customs/transits/movements/*/*/messages",
                "/customs/transits/movements/arrivals/1/messages",
                true,
            ),
            ("/misc/**", list, false),
        ] {
            assert_eq!(pattern(of).matches(path), fits, "{of} {path}");
        }
    }
}
