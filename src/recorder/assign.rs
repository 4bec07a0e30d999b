//! The scenario of a run, said after it had begun.

use crate::catalogue::{Programme, Scenario};
use crate::clock::Clock;
use crate::engine::decide::Action;
use crate::engine::hours::{self, Hours};
use crate::engine::state::State;
use crate::engine::tempo::Tempo;
use crate::engine::{end, report::RunEntry, waiting_for};
use crate::evidence::{Assigned, Event, EvidenceError, RunId, RunState, StoreWriter, UNASSIGNED};
use crate::ncts::MessageType;

/// A run that cannot be given this scenario.
#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    /// The evidence cannot be read or written.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// It has one, from the beginning or since.
    #[error("run `{run}` is an attempt at `{scenario}`, and stays so")]
    HasOne {
        /// The run.
        run: RunId,
        /// Its scenario.
        scenario: String,
    },
    /// Its messages are not the scenario's.
    #[error("run `{run}` sent {sent}, and `{scenario}` sends {sends}")]
    OtherMessages {
        /// The run.
        run: RunId,
        /// What it sent: `IE015, IE014`.
        sent: String,
        /// The scenario.
        scenario: String,
        /// What that sends.
        sends: String,
    },
}

/// Makes a run of which nobody has said the scenario so far an attempt at this
/// one, judges it by the same rules as any other, and ends it where it is over.
/// Its journal, and the index, say from then on that this was said later, and
/// when.
///
/// # Errors
/// When it has a scenario, sent other messages than this one does, or the store
/// cannot be written.
pub fn assign(
    store: &StoreWriter,
    run: RunId,
    (programme, scenario): (&Programme, &Scenario),
    by: Option<String>,
    tool: &str,
    clock: &dyn Clock,
) -> Result<RunEntry, AssignError> {
    let known = store.read()?.run(run)?;
    if known.scenario != UNASSIGNED {
        return Err(AssignError::HasOne { run, scenario: known.scenario });
    }
    let (mut writer, events) = store.resume_run(run)?;
    let mut state = State::fold(&events);
    let sent: Vec<MessageType> = state.sent.values().map(|(_, sent)| sent.message).collect();
    let sends: Vec<(u32, MessageType)> = (1_u32..)
        .zip(&scenario.step)
        .filter_map(|(number, step)| Some((number, step.send?)))
        .collect();
    let fits = sent.len() <= sends.len()
        && sent.iter().zip(&sends).all(|(sent, (_, message))| sent == message);
    if !fits {
        return Err(AssignError::OtherMessages {
            run,
            sent: names(sent),
            scenario: scenario.id.clone(),
            sends: names(sends.into_iter().map(|(_, message)| message)),
        });
    }
    let steps = sends.into_iter().map(|(step, _)| step).take(sent.len()).collect();
    let recorded = store.assign_run(
        &mut writer,
        Assigned {
            programme: programme.id.clone(),
            scenario: scenario.id.clone(),
            attempt: store.next_attempt(&programme.id, &scenario.id),
            steps,
            by,
            tool: tool.to_owned(),
        },
    )?;
    state.apply(&recorded);
    let opened = events.iter().find_map(|recorded| match &recorded.event {
        Event::RunOpened(opened) => Some(opened),
        _ => None,
    });
    let tempo = Tempo::faster_by(opened.map_or(1.0, |opened| opened.time_scale));
    let hours = opened.map_or_else(Hours::none, |opened| Hours::of(programme, opened.environment));
    match hours::next(scenario, &state, tempo, &hours, clock.now(), None) {
        Action::Finish(mut closed) => {
            if let Some(failure) = closed.failure.as_mut().filter(|it| it.answer.is_some()) {
                end::complete(&state, &store.read()?, failure);
            }
            store.close_run(writer, closed)?;
        }
        _ => drop(writer),
    }
    let store = store.read()?;
    let record = store.run(run)?;
    let waits = match record.state {
        RunState::Waiting => waiting_for(programme, scenario, &store.events(run)?, clock.now()),
        _ => None,
    };
    Ok(RunEntry::new(&record, waits))
}

fn names(messages: impl IntoIterator<Item = MessageType>) -> String {
    let names: Vec<&str> = messages.into_iter().map(MessageType::as_str).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
