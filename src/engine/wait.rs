//! Waiting for messages: who brings them, when to look, when it is too late.

use chrono::{DateTime, Utc};

use super::decide::{Action, failed};
use super::due::{self, Due};
use super::progress::{self, Progress};
use super::state::State;
use super::tempo::Tempo;
use crate::catalogue::Step;
use crate::evidence::WaitingFor;

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
    let due = due::due(step, progress, state, tempo, since);
    until(&due, since, progress, state, tempo, (now, looked))
}

/// Waits for what is due in a step in which something last happened at `since`.
pub(super) fn until(
    due: &Due,
    since: DateTime<Utc>,
    progress: &Progress<'_>,
    state: &State,
    tempo: Tempo,
    (now, looked): (DateTime<Utc>, Option<DateTime<Utc>>),
) -> Action {
    let names = progress::names(&progress.missing);
    let Due { actor, pace, due, what, deadline } = due.clone();
    let give_up = due + tempo.patience(pace);
    let too_late = now >= give_up;
    if too_late && looked.is_some_and(|looked| looked >= give_up) {
        return Action::GiveUp(failed(
            "overdue",
            progress.step,
            format!("{names} did not come by {} UTC", give_up.format("%Y-%m-%d %H:%M:%S")),
        ));
    }
    // What came while no process watched is there already.
    let unseen = state.resumed && looked.is_none();
    let look_at = match too_late || unseen {
        true => now,
        false => tempo.next_look((since, due), looked, now, pace).min(give_up),
    };
    Action::Await { waiting_for: WaitingFor { actor, what, deadline }, look_at }
}
