//! Who brings the messages that a step still expects, and when they are due.

use chrono::{DateTime, Duration, Utc};

use super::progress::{self, Progress};
use super::state::State;
use super::tempo::{Pace, Tempo};
use crate::catalogue::{Expectation, PresentationTimer, Step};
use crate::evidence::Actor;
use crate::ncts::MessageType;

/// How long after its time a timer of NCTS may take to tell of itself, in the
/// environment's minutes.
const SLACK: Duration = Duration::minutes(15);

/// Who brings a message, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Who acts.
    pub(super) actor: Actor,
    /// How fast.
    pub(super) pace: Pace,
    /// Not before then.
    pub(super) due: DateTime<Utc>,
    /// In words.
    pub(super) what: String,
    /// By when, where that is known.
    pub(super) deadline: Option<DateTime<Utc>>,
}

/// What a step expects to come in one go: all up to the next timer.
pub(super) fn together<'e, 'a>(
    step: &Step,
    missing: &'e [&'a Expectation],
) -> &'e [&'a Expectation] {
    let expires = step.presentation_timer == Some(PresentationTimer::Expires);
    let last = missing.len().saturating_sub(1);
    let timer = |(nth, expected): (usize, &&Expectation)| {
        nth > 0 && (expected.after_minutes.is_some() || expires && nth == last)
    };
    let end = missing.iter().enumerate().position(timer).unwrap_or(missing.len());
    missing.get(..end).unwrap_or(missing)
}

/// Who brings what a step still expects. `since`: when anything last happened
/// in it.
pub(super) fn due(
    step: &Step,
    progress: &Progress<'_>,
    state: &State,
    tempo: Tempo,
    since: DateTime<Utc>,
) -> Due {
    let names = progress::names(&progress.missing);
    let next = progress.missing.first();
    let automatic = |due: DateTime<Utc>, what: String| Due {
        actor: Actor::Timer,
        pace: Pace::Automatic,
        due,
        what,
        deadline: Some(due + tempo.real(SLACK)),
    };
    if let Some(minutes) = next.and_then(|expected| expected.after_minutes) {
        // What was fetched late starts no timer late.
        let started = progress.happened.map_or(since, |happened| happened.min(since));
        return automatic(
            started + tempo.minutes(minutes),
            format!("{names} ({minutes} minute timer)"),
        );
    }
    // The last message of a step that lets the timer run out comes then, and
    // the timer runs from the declaration.
    if step.presentation_timer == Some(PresentationTimer::Expires)
        && progress.missing.len() == 1
        && step.expect.len() > 1
        && let Some(minutes) = step.deadline_minutes_after_ie015
        && let Some(declared) = state.declared_at()
    {
        let what = format!(
            "{names} at the end of the timer that waits for the presentation of the goods \
             ({minutes} minutes after the IE015)"
        );
        return automatic(declared + tempo.minutes(minutes), what);
    }
    // What follows an invalid guarantee comes by itself, whoever released.
    let after_ie055 = step.expect.iter().any(|expected| expected.message == MessageType::Ie055)
        && next.is_some_and(|expected| expected.message == MessageType::Ie051);
    match &step.officer {
        Some(request) if !after_ie055 => {
            let deadline = progress::deadline_of(step)
                .and_then(|minutes| Some(state.declared_at()? + tempo.minutes(minutes)));
            Due {
                actor: Actor::Officer,
                pace: Pace::Officer,
                due: since,
                what: format!("{names}: officers to {request}"),
                deadline,
            }
        }
        _ => automatic(since, format!("{names} from NCTS")),
    }
}
