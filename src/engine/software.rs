//! Runs in which the software sends the messages, and not we: what is to be
//! done about a message that it is to send, and what speaks against one that it
//! sent.

use chrono::{DateTime, Duration, Utc};

use super::decide::{self, Action};
use super::progress::Progress;
use super::state::{CommandRun, State};
use super::tempo::Tempo;
use crate::catalogue::{Scenario, Step};
use crate::evidence::{Actor, Failure, MessageNoted, WaitingFor};
use crate::ncts::{MessageType, MovementKind};

/// How long after a command has ended well its message may take to show in the
/// API, in the environment's time: it is stored before the API answers, unless
/// it goes by way of an upload.
const SHOWS: Duration = Duration::minutes(2);

/// The least of that here, however fast the environment is.
const SHOWS_AT_LEAST: Duration = Duration::seconds(10);

/// What a run needs next whose present step's message the software is to send.
pub(super) fn next(
    step: &Step,
    (number, message): (u32, MessageType),
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
) -> Action {
    let deadline = decide::deadline(step, state, tempo);
    match &state.command {
        Some(command) if command.step == number => {
            find_out(command, (number, message), state, tempo, now)
        }
        _ if !state.software_acts_alone() => match deadline.filter(|deadline| now >= *deadline) {
            Some(deadline) => decide::missed(step, (number, message), deadline),
            None => Action::Perform { step: number, message, attempts: state.vain_commands },
        },
        _ => {
            let (since, after) = state.last_news().unwrap_or((now, 0));
            let sought = state.sought_after(after);
            if let (Some(deadline), Some(sought)) = (deadline, sought)
                && now >= deadline
                && sought >= deadline
            {
                return decide::missed(step, (number, message), deadline);
            }
            let look_at = look_at(since, sought, tempo, now);
            match look_at <= now {
                true => Action::LookFor { step: number, message },
                false => Action::Await { waiting_for: awaited(number, message, deadline), look_at },
            }
        }
    }
}

/// Waiting for the software, which acts when its user likes.
pub(super) fn awaited(
    step: u32,
    message: MessageType,
    deadline: Option<DateTime<Utc>>,
) -> WaitingFor {
    WaitingFor {
        actor: Actor::You,
        what: format!("your software to send the {message} of step {step}"),
        deadline,
    }
}

/// Whether the message of a command that was started is there. Nothing is
/// started again before that is known.
fn find_out(
    command: &CommandRun,
    (step, message): (u32, MessageType),
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
) -> Action {
    let (since, after, until) = match &command.end {
        Some(end) if end.well => {
            (end.at, end.after, end.at + tempo.real(SHOWS).max(SHOWS_AT_LEAST))
        }
        // It says that it failed; the message may be there all the same.
        Some(end) => (end.at, end.after, DateTime::<Utc>::MIN_UTC),
        // Its process may live on without us, and send in its last moment.
        None => (command.at, command.after, command.at + command.timeout + SHOWS_AT_LEAST),
    };
    let sought = state.sought_after(after);
    if sought.is_some_and(|sought| sought >= until) {
        return Action::NotSent { step, message };
    }
    let look_at = look_at(since, sought, tempo, now).min(until.max(now));
    match look_at <= now {
        true => Action::LookFor { step, message },
        false => Action::Await {
            waiting_for: WaitingFor {
                actor: Actor::Timer,
                what: format!("the {message} that the command had your software send"),
                deadline: Some(until),
            },
            look_at,
        },
    }
}

/// When to look for what the software sends.
fn look_at(
    since: DateTime<Utc>,
    sought: Option<DateTime<Utc>>,
    tempo: Tempo,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    // A look of the future: the clock was set back.
    let sought = sought.filter(|sought| *sought <= now);
    sought.map_or(now, |sought| tempo.seek_again(since, sought))
}

/// What is to be looked for before a run of such software is judged: whatever
/// came may be explained by a message of which we have not heard.
pub(super) fn before_judging(scenario: &Scenario, state: &State) -> Option<Action> {
    if !state.software_acts_alone() && state.command.is_none() {
        return None;
    }
    let (step, message) = unsent(scenario, state).next()?;
    let reference = match message.movement() {
        MovementKind::Departure => &state.lrn,
        MovementKind::Arrival => &state.mrn,
    };
    let reachable = reference.is_some() || state.movements.contains_key(&message.movement());
    let unseen = state.last_news().is_some_and(|(_, after)| state.sought_after(after).is_none());
    (reachable && unseen).then_some(Action::LookFor { step, message })
}

/// The steps whose message was not sent, as far as we know.
pub(super) fn unsent<'a>(
    scenario: &'a Scenario,
    state: &'a State,
) -> impl Iterator<Item = (u32, MessageType)> + 'a {
    let steps = scenario.step.iter().zip(1_u32..);
    steps
        .filter(|(_, number)| !state.sent.contains_key(number))
        .filter_map(|(step, number)| Some((number, step.send?)))
}

/// Why the run is over, if something that the software sent ends it.
pub(super) fn failure(scenario: &Scenario, state: &State, tempo: Tempo) -> Option<Failure> {
    state.misfits.iter().find_map(|misfit| {
        let (reason, step, message) = match (&misfit.contradiction, misfit.step) {
            (Some(why), step) => (
                "other-test-case",
                step.unwrap_or_default(),
                format!("the {} that the software sent is not this step's: {why}", misfit.message),
            ),
            // What it did with the movement afterwards is its own matter.
            (None, _) if was_over(scenario, state, tempo, misfit) => return None,
            (None, _) => {
                let next = unsent(scenario, state).next();
                let instead = next
                    .map_or("has no message left to send".to_owned(), |(step, it)| {
                        format!("has the {it} of step {step} next")
                    });
                (
                    "unexpected-submission",
                    next.map_or(scenario.step.len() as u32, |(step, _)| step),
                    format!("the software sent an {}; the scenario {instead}", misfit.message),
                )
            }
        };
        Some(Failure { reason: reason.to_owned(), step, message, ..Failure::default() })
    })
}

/// Whether the scenario was fulfilled, by the API's times, before the software
/// sent something more.
fn was_over(scenario: &Scenario, state: &State, tempo: Tempo, misfit: &MessageNoted) -> bool {
    let before = |received: Option<DateTime<Utc>>| received.is_some_and(|at| at < misfit.received);
    let mut then = state.clone();
    then.received.retain(|(_, message)| before(message.received));
    then.sent.retain(|_, (_, message)| before(message.received));
    let progress = Progress::of(scenario, &then, tempo);
    progress.failure.is_none() && progress.current(scenario).is_none()
}
