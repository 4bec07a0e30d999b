//! The pure core: what a run needs next.

use chrono::{DateTime, Duration, Utc};

use super::balance;
use super::hours::{self, Hours};
use super::large;
use super::progress::{Early, Progress};
use super::sandbox;
use super::software;
use super::state::{Fate, State};
use super::tempo::{Pace, Tempo};
use super::wait::await_expected;
use crate::catalogue::{Programme, Scenario, Step};
use crate::evidence::{Actor, Driver, Event, Failure, Recorded, RunClosed, RunState, WaitingFor};
use crate::ncts::MessageType;

/// Attempts at one POST before the run waits for the user.
pub const MAX_SENDS: u32 = crate::hmrc::backoff::MAX_ATTEMPTS;

/// What a run needs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send this step's message.
    Send {
        /// The step, from 1.
        step: u32,
        /// Its message.
        message: MessageType,
        /// Failed attempts at it so far.
        attempts: u32,
    },
    /// Have the user's command make the software send this step's message.
    Perform {
        /// The step, from 1.
        step: u32,
        /// Its message.
        message: MessageType,
        /// Commands that ended without it so far.
        attempts: u32,
    },
    /// Look whether the software has sent this step's message.
    LookFor {
        /// The step, from 1.
        step: u32,
        /// Its message.
        message: MessageType,
    },
    /// The command has ended, and the software did not send this step's message;
    /// or its upload got no answer, and the API does not have it.
    NotSent {
        /// The step, from 1.
        step: u32,
        /// Its message.
        message: MessageType,
    },
    /// Learn whether the API has a message whose POST got no answer: the
    /// trader's, or one of NCTS that was to be injected.
    LookUp {
        /// The step, from 1.
        step: u32,
        /// Its message.
        message: MessageType,
    },
    /// Have a message of NCTS injected, for in the sandbox nobody else brings it.
    Inject {
        /// The step that expects it, from 1.
        step: u32,
        /// The message.
        message: MessageType,
        /// Failed attempts at it so far.
        attempts: u32,
    },
    /// Ask the officers.
    AskOfficer {
        /// The step, from 1.
        step: u32,
    },
    /// Remind the officers, who have let the time pass in which they answer.
    FollowUp {
        /// The step, from 1.
        step: u32,
    },
    /// Ask for the balance of this step's guarantee.
    AskBalance {
        /// The step, from 1.
        step: u32,
        /// Failed attempts at it so far.
        attempts: u32,
    },
    /// It cannot go on now, and may later.
    Stop {
        /// Why.
        why: String,
    },
    /// Wait, and look for news at this instant.
    Await {
        /// Who acts.
        waiting_for: WaitingFor,
        /// When to look.
        look_at: DateTime<Utc>,
    },
    /// The run is over.
    Finish(RunClosed),
    /// The run is over, since a message did not come: unless its movements'
    /// messages, listed once more, show it.
    GiveUp(RunClosed),
    /// It was over already.
    Over,
}

/// What a run needs next at `now`. `looked`: until when the API is known to
/// have nothing new for it; none while this process has not looked. Nobody
/// calls a message overdue without having looked for it since it was due.
pub fn next(
    scenario: &Scenario,
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
    looked: Option<DateTime<Utc>>,
) -> Action {
    if state.closed.is_some() {
        return Action::Over;
    }
    let progress = Progress::of(scenario, state, tempo);
    // Before anything is judged: what came meanwhile may be its answer.
    if let Some(pending) = &state.pending
        && matches!(pending.fate, Fate::Unknown | Fate::Conflict | Fate::Uploaded)
    {
        let message = pending.request.message.unwrap_or(MessageType::Ie015);
        let step = pending.request.step.unwrap_or(progress.step);
        return match state.upload.as_ref().and_then(|upload| upload.left) {
            Some(left) => large::next(left, pending, (step, message), state, tempo, now),
            None => Action::LookUp { step, message },
        };
    }
    let failure = balance::failure(scenario, state)
        .or_else(|| software::failure(scenario, state, tempo))
        .or_else(|| progress.failure.clone());
    if failure.is_some() {
        // It may be that we have not seen what the software did meanwhile.
        if let Some(look) = software::before_judging(scenario, state) {
            return look;
        }
        return Action::Finish(RunClosed { state: RunState::Failed, failure });
    }
    let Some(step) = progress.current(scenario) else {
        return Action::Finish(RunClosed { state: RunState::Passed, failure: None });
    };
    let number = progress.step;

    if let Some(pending) = &state.pending {
        let message = pending.request.message.unwrap_or(MessageType::Ie015);
        let refused = match pending.fate {
            Fate::Refused(status) => Some(format!("the {message} with HTTP {status}")),
            Fate::UploadRefused => Some(format!("the uploaded {message}")),
            _ => None,
        };
        if let Some(refused) = refused {
            return Action::Finish(failed(
                "refused-by-api",
                pending.request.step.unwrap_or(number),
                format!("the API refused {refused}"),
            ));
        }
    }
    if let Some(early) = &progress.early {
        return await_older(early, tempo, now, looked);
    }
    if let Some(request) = &step.request
        && !state.balances.contains_key(&number)
    {
        return balance::next(number, request, state, tempo, now);
    }
    if let Some(message) = step.send
        && !state.sent.contains_key(&number)
    {
        return match state.seeks_what_was_sent() {
            true => software::next(step, (number, message), state, tempo, now),
            false => send(step, number, message, state, tempo, now),
        };
    }
    if state.in_sandbox()
        && let Some(expected) = progress.missing.first()
    {
        let message = expected.message;
        return match state.movements.contains_key(&message.movement()) {
            true => sandbox::next(message, &progress, state, tempo, now, looked),
            false => Action::Finish(failed(
                "no-movement",
                number,
                format!(
                    "the {message} cannot be injected: the run has no {} yet",
                    message.movement().singular()
                ),
            )),
        };
    }
    if step.officer.is_some() && !state.asked.contains_key(&number) {
        return Action::AskOfficer { step: number };
    }
    await_expected(step, &progress, state, tempo, now, looked)
}

/// Whom an open run waits for, from its journal: nobody who may act without
/// us, if it is for us to go on.
pub fn waiting_for(
    programme: &Programme,
    scenario: &Scenario,
    events: &[Recorded],
    now: DateTime<Utc>,
) -> Option<WaitingFor> {
    let state = State::fold(events);
    let opened = events.iter().find_map(|recorded| match &recorded.event {
        Event::RunOpened(opened) => Some(opened),
        _ => None,
    });
    let tempo = Tempo::faster_by(opened.map_or(1.0, |opened| opened.time_scale));
    let hours = opened.map_or_else(Hours::none, |opened| Hours::of(programme, opened.environment));
    let recorded = opened.is_some_and(|opened| opened.driver == Driver::Proxy);
    let go_on = |what: String| Some(WaitingFor { actor: Actor::You, what, deadline: None });
    match hours::next(scenario, &state, tempo, &hours, now, Some(now)) {
        Action::Await { waiting_for, .. } => Some(waiting_for),
        Action::Over => None,
        _ if recorded => go_on("the software goes on with it through `ctc-ready record`".into()),
        Action::FollowUp { .. } => {
            go_on(format!("remind the officers: `{}` drafts the e-mail", goes_on(&state)))
        }
        Action::LookFor { step, message } if state.software_acts_alone() => {
            Some(software::awaited(step, message, None))
        }
        Action::Send { .. }
        | Action::Perform { .. }
        | Action::LookFor { .. }
        | Action::NotSent { .. }
        | Action::LookUp { .. }
        | Action::Inject { .. }
        | Action::AskOfficer { .. }
        | Action::AskBalance { .. }
        | Action::Stop { .. }
        | Action::Finish(_)
        | Action::GiveUp(_) => go_on(format!("go on with `{}`", goes_on(&state))),
    }
}

/// The command that goes on with an open run.
fn goes_on(state: &State) -> &'static str {
    match state.driver {
        Some(Driver::Command) => "ctc-ready run --driver command",
        Some(Driver::Collect) => "ctc-ready collect",
        _ => "ctc-ready run",
    }
}

/// Which step a run is at (from 1; one more than the last when all is done),
/// and the messages that step still expects.
pub fn position(scenario: &Scenario, state: &State) -> (u32, Vec<MessageType>) {
    let progress = Progress::of(scenario, state, Tempo::REAL);
    (progress.step, progress.missing.iter().map(|expected| expected.message).collect())
}

fn send(
    step: &Step,
    number: u32,
    message: MessageType,
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
) -> Action {
    match deadline(step, state, tempo).filter(|deadline| now >= *deadline) {
        Some(deadline) => missed(step, (number, message), deadline),
        None => Action::Send { step: number, message, attempts: state.refusals },
    }
}

/// By when a step's message must have been sent, where it must be by a time. In
/// the sandbox no timer runs.
pub(super) fn deadline(step: &Step, state: &State, tempo: Tempo) -> Option<DateTime<Utc>> {
    let minutes = step.deadline_minutes_after_ie015.filter(|_| !state.in_sandbox())?;
    Some(state.declared_at()? + tempo.minutes(minutes))
}

/// The run is over, for a message was not sent by its deadline.
pub(super) fn missed(
    step: &Step,
    (number, message): (u32, MessageType),
    deadline: DateTime<Utc>,
) -> Action {
    Action::Finish(failed(
        "deadline-missed",
        number,
        format!(
            "the {message} was due by {} UTC, {} minutes after the IE015; NCTS no longer \
             takes it. Start a new attempt",
            deadline.format("%Y-%m-%d %H:%M:%S"),
            step.deadline_minutes_after_ie015.unwrap_or_default(),
        ),
    ))
}

/// The end of a run that failed, for this reason.
pub fn failed(reason: &str, step: u32, message: String) -> RunClosed {
    RunClosed {
        state: RunState::Failed,
        failure: Some(Failure { reason: reason.to_owned(), step, message, ..Failure::default() }),
    }
}

/// How long an older message may become visible after a newer one, in the
/// environment's time: the API's servers write side by side.
const LATECOMERS: Duration = Duration::minutes(1);

/// A message came before one that must come first: unless that one is only
/// late to be seen, the run is over.
fn await_older(
    early: &Early<'_>,
    tempo: Tempo,
    now: DateTime<Utc>,
    looked: Option<DateTime<Utc>>,
) -> Action {
    // An event of the future: the clock was set back.
    let since = early.at.min(now);
    let until = since + tempo.real(LATECOMERS);
    let too_late = now >= until;
    if too_late && looked.is_some_and(|looked| looked >= until) {
        let failure = Some(early.failure.clone());
        return Action::GiveUp(RunClosed { state: RunState::Failed, failure });
    }
    let look_at = match too_late {
        true => now,
        false => tempo.next_look((since, since), looked, now, Pace::Automatic).min(until),
    };
    let what = format!("{}, which comes before the {}", early.missing.message, early.message);
    Action::Await {
        waiting_for: WaitingFor { actor: Actor::Timer, what, deadline: Some(until) },
        look_at,
    }
}
