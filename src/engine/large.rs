//! Large messages: what a run needs whose message goes as a file, by way of an
//! announcement. That the file was uploaded says nothing; whether the API takes
//! it is told by the message's status, which has to be asked for.
//!
//! The place that an announcement names is kept in no journal: it is as good as
//! a key. So an announcement outlives its process only once its file has left.

use chrono::{DateTime, Duration, Utc};

use super::decide::Action;
use super::state::{Fate, Pending, State};
use super::tempo::Tempo;
use crate::evidence::{Actor, Announced, WaitingFor};
use crate::ncts::MessageType;

/// A large message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// As the API names it.
    pub announced: Announced,
    /// When its file left, or else the session began that takes it up again;
    /// none: it has not left.
    pub left: Option<DateTime<Utc>>,
}

/// The shortest and the longest time between two questions for its status.
const ASK: (Duration, Duration) = (Duration::seconds(2), Duration::seconds(30));

/// How long the API may take over a file that the uploader has.
const TAKES: Duration = Duration::minutes(15);

/// How long a file may take to show whose upload got no answer.
const SHOWS: Duration = Duration::minutes(2);

/// The least of both here, however fast the environment is.
const AT_LEAST: Duration = Duration::seconds(10);

/// What a run needs next whose file has left at `left`.
pub(super) fn next(
    left: DateTime<Utc>,
    pending: &Pending,
    (step, message): (u32, MessageType),
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
) -> Action {
    // An event of the future: the clock was set back.
    let left = left.min(now);
    let uploaded = pending.fate == Fate::Uploaded;
    let patience = if uploaded { TAKES } else { SHOWS };
    let until = left + tempo.real(patience).max(AT_LEAST);
    let asked = state.sought_after(pending.request.exchange).map(|asked| asked.min(now));
    if asked.is_some_and(|asked| asked >= until) {
        return match uploaded {
            false => Action::NotSent { step, message },
            true => Action::Stop {
                why: format!(
                    "the file of the {message} was uploaded, and the API has not said within {} \
                     minutes whether it takes it",
                    TAKES.num_minutes()
                ),
            },
        };
    }
    let (shortest, longest) = (tempo.real(ASK.0), tempo.real(ASK.1));
    let interval = |asked: DateTime<Utc>| ((asked - left) / 2).clamp(shortest, longest);
    let look_at = asked.map_or(left + shortest, |asked| asked + interval(asked));
    match look_at <= now {
        true => Action::LookUp { step, message },
        false => Action::Await {
            waiting_for: WaitingFor {
                actor: Actor::Timer,
                what: format!("the API to take the uploaded {message}"),
                deadline: Some(until),
            },
            look_at,
        },
    }
}
