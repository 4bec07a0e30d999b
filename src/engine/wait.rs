//! Waiting for messages: who brings them, when to look, when it is too late.

use chrono::{DateTime, Duration, Utc};

use super::decide::{Action, Progress, failed};
use super::state::State;
use super::tempo::{Pace, Tempo};
use crate::catalogue::Step;
use crate::evidence::{Actor, WaitingFor};

/// What a run does whose present step has acted and still expects messages.
pub(super) fn await_expected(
    step: &Step,
    progress: &Progress<'_>,
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
    looked: Option<DateTime<Utc>>,
) -> Action {
    // An event of the future: the clock was set back.
    let since = progress.since.or(state.opened).unwrap_or(now).min(now);
    let timer = progress.missing.first().and_then(|expected| expected.after_minutes);
    let names = progress
        .missing
        .iter()
        .map(|expected| expected.message.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let (actor, pace, due, what) = match (timer, &step.officer) {
        (Some(minutes), _) => {
            let due = since + tempo.minutes(minutes);
            (Actor::Timer, Pace::Automatic, due, format!("{names} ({minutes} minute timer)"))
        }
        (None, Some(request)) => {
            (Actor::Officer, Pace::Officer, since, format!("{names}: officers to {request}"))
        }
        (None, None) => (Actor::Timer, Pace::Automatic, since, format!("{names} from NCTS")),
    };
    let give_up = due + tempo.patience(pace);
    let too_late = now >= give_up;
    if too_late && looked.is_some_and(|looked| looked >= give_up) {
        return Action::Finish(failed(
            "overdue",
            progress.step,
            format!("{names} did not come by {} UTC", give_up.format("%Y-%m-%d %H:%M:%S")),
        ));
    }
    let deadline = match actor {
        Actor::Officer => None,
        _ => Some(due + tempo.real(Duration::minutes(15))),
    };
    // What came while no process watched is there already.
    let unseen = state.resumed && looked.is_none();
    let look_at =
        if too_late || unseen { now } else { tempo.next_look(since, due, now, pace).min(give_up) };
    Action::Await { waiting_for: WaitingFor { actor, what, deadline }, look_at }
}
