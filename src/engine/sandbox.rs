//! Runs in HMRC's sandbox, where nobody answers: what a run needs whose replies
//! have to be injected, one after the other, and what became of the last one.
//!
//! What is injected has random content (source: published source of the
//! test-support API). So types and order of messages are all that is judged
//! there, and no timer runs.

use chrono::{DateTime, Utc};

use super::decide::Action;
use super::due::Due;
use super::progress::Progress;
use super::state::State;
use super::tempo::{Pace, Tempo};
use super::wait;
use crate::evidence::{Actor, Received, Request};
use crate::ncts::MessageType;

/// The message that was last injected, until it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// The scenario step that expects it.
    pub step: u32,
    /// The message.
    pub message: MessageType,
    /// The exchange that asked for it.
    pub exchange: u32,
    /// When that left.
    pub at: DateTime<Utc>,
    /// What became of it.
    pub fate: Filed,
}

/// Whether an injected message is with its movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// No usable answer: it may or may not be.
    Unknown,
    /// It is.
    Yes,
    /// It certainly is not.
    No,
}

impl Injection {
    /// One that is about to leave.
    pub(super) fn leaving(request: &Request, at: DateTime<Utc>) -> Option<Self> {
        let (step, message) = request.step.zip(request.message)?;
        Some(Self { step, message, exchange: request.exchange, at, fate: Filed::Unknown })
    }

    /// Whether this message is the one.
    pub(super) fn brought(&self, received: &Received) -> bool {
        self.message == received.message
    }
}

/// What an answer's status says of an injection.
pub(super) fn filed(status: u16) -> Filed {
    match status {
        200..=299 => Filed::Yes,
        400..=499 if status != 408 => Filed::No,
        501 => Filed::No,
        _ => Filed::Unknown,
    }
}

/// What a run needs next whose present step still expects `message`, the first
/// of all that are missing.
pub(super) fn next(
    message: MessageType,
    progress: &Progress<'_>,
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
    looked: Option<DateTime<Utc>>,
) -> Action {
    match &state.injection {
        Some(injection) if injection.fate == Filed::Unknown => {
            Action::LookUp { step: injection.step, message: injection.message }
        }
        Some(injection) if injection.fate == Filed::Yes && injection.message == message => {
            // An event of the future: the clock was set back.
            let since = injection.at.min(now);
            let due = Due {
                actor: Actor::Timer,
                pace: Pace::Automatic,
                due: since,
                what: format!("the {message} that was injected"),
                deadline: None,
            };
            wait::until(&due, since, progress, state, tempo, (now, looked))
        }
        _ => Action::Inject { step: progress.step, message, attempts: state.refusals },
    }
}
