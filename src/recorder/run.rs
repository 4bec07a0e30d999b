//! One run of the software under test.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::recognise::Of;
use crate::catalogue::Scenario;
use crate::engine::RunView;
use crate::engine::hours::Hours;
use crate::engine::report::Doing;
use crate::engine::state::{Fate, State};
use crate::engine::tempo::Tempo;
use crate::evidence::{
    Durability, Event, EvidenceError, Recorded, RunId, RunOpened, RunState, RunWriter, UNASSIGNED,
    WaitingFor,
};
use crate::ncts::{MessageType, MovementKind};

/// A run that is open.
#[derive(Debug)]
pub(super) struct Run {
    /// The run.
    pub(super) id: RunId,
    /// What it is an attempt at; none: nobody has said so yet.
    pub(super) of: Option<Of>,
    /// Its programme, as far as that is known.
    pub(super) programme: String,
    /// Attempt number.
    pub(super) attempt: u32,
    /// Its journal.
    pub(super) writer: RunWriter,
    /// What has happened.
    pub(super) state: State,
    /// The hours of its environment and officers.
    pub(super) hours: Hours,
    /// How fast its environment's timers run.
    pub(super) tempo: Tempo,
    /// A message that is on its way.
    pub(super) under_way: Option<UnderWay>,
    /// An e-mail to the simulator's officers is on its way.
    pub(super) asking: bool,
    /// Not before then is it sent again.
    pub(super) ask_after: Option<DateTime<Utc>>,
    /// What the software last saw of its movements' lists of messages.
    pub(super) lists: BTreeMap<MovementKind, List>,
    /// A movement that may be the one of a message whose answer was lost.
    pub(super) suspect: Option<String>,
    /// Who must act next.
    pub(super) waiting_for: Option<WaitingFor>,
    /// What the API last said of a refused request.
    pub(super) last_problem: Option<String>,
}

/// A list of messages that the software saw.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// When it was asked for.
    pub(super) at: DateTime<Utc>,
    /// The messages of NCTS on it, with the API's times.
    pub(super) messages: BTreeMap<String, DateTime<Utc>>,
}

/// A message that is on its way.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    /// Its exchange.
    pub(super) exchange: u32,
    /// The kind of movement it was sent to.
    pub(super) kind: MovementKind,
    /// The MRN inside.
    pub(super) mrn: Option<String>,
}

impl Run {
    /// A run from its journal.
    pub(super) fn new(
        opened: &RunOpened,
        of: Option<Of>,
        writer: RunWriter,
        events: &[Recorded],
    ) -> Self {
        let assigned = events.iter().rev().find_map(|recorded| match &recorded.event {
            Event::Assigned(assigned) => Some(assigned.attempt),
            _ => None,
        });
        let hours = of
            .as_ref()
            .map_or_else(Hours::none, |(programme, _)| Hours::of(programme, opened.environment));
        Self {
            id: opened.run,
            programme: opened.programme.clone(),
            attempt: assigned.unwrap_or(opened.attempt),
            of,
            writer,
            state: State::fold(events),
            hours,
            under_way: None,
            tempo: Tempo::faster_by(opened.time_scale),
            asking: false,
            ask_after: None,
            lists: BTreeMap::new(),
            suspect: None,
            waiting_for: None,
            last_problem: None,
        }
    }

    /// Appends an event and takes it into account.
    pub(super) fn append(
        &mut self,
        event: Event,
        durability: Durability,
    ) -> Result<(), EvidenceError> {
        let recorded = self.writer.append(event, durability)?;
        self.state.apply(&recorded);
        Ok(())
    }

    /// The next free exchange number.
    pub(super) fn next_exchange(&self) -> u32 {
        self.state.last_exchange.saturating_add(1)
    }

    /// The scenario's id, or that there is none.
    pub(super) fn scenario(&self) -> &str {
        self.of.as_ref().map_or(UNASSIGNED, |(_, scenario)| scenario.id.as_str())
    }

    /// Whether a movement is its own.
    pub(super) fn has(&self, kind: MovementKind, movement: &str) -> bool {
        self.state.movements.get(&kind).is_some_and(|own| own == movement)
    }

    /// The step that a message of this type is for: the next that sends
    /// anything, if it sends this. Without a scenario messages are counted.
    pub(super) fn step_for(&self, message: MessageType) -> Option<u32> {
        let Some((_, scenario)) = &self.of else {
            return Some(self.state.sent.len() as u32 + 1);
        };
        let (step, next) = self.next_send(scenario)?;
        (next == message).then_some(step)
    }

    /// The next step that sends a message, and which.
    pub(super) fn next_send(&self, scenario: &Scenario) -> Option<(u32, MessageType)> {
        scenario
            .step
            .iter()
            .zip(1_u32..)
            .find(|(step, number)| step.send.is_some() && !self.state.sent.contains_key(number))
            .and_then(|(step, number)| Some((number, step.send?)))
    }

    /// Whether it may yet send a message of this type.
    pub(super) fn may_send(&self, message: MessageType) -> bool {
        match &self.of {
            None => true,
            Some((_, scenario)) => {
                let steps = scenario.step.iter().zip(1_u32..);
                steps.into_iter().any(|(step, number)| {
                    step.send == Some(message) && !self.state.sent.contains_key(&number)
                })
            }
        }
    }

    /// Whether it is not known whether its last message arrived, and no answer
    /// is on its way.
    pub(super) fn in_doubt(&self) -> bool {
        self.under_way.is_none() && self.is_unsettled()
    }

    /// Whether it is not known (yet) whether its last message arrived.
    pub(super) fn is_unsettled(&self) -> bool {
        let unsure = |fate: &Fate| matches!(fate, Fate::Unknown | Fate::Conflict);
        self.state.pending.as_ref().is_some_and(|pending| unsure(&pending.fate))
    }

    /// The LRN of its declaration, as sent or as NCTS tells it.
    pub(super) fn lrn(&self) -> Option<&str> {
        let sent = self.state.sent.values().find_map(|(_, sent)| sent.lrn.as_deref());
        let told = || self.state.received.iter().find_map(|(_, received)| received.lrn.as_deref());
        sent.or_else(told).or(self.state.lrn.as_deref())
    }

    /// Until when all its movements were listed for the software, and nothing on
    /// the lists has not been fetched since.
    pub(super) fn looked(&self) -> Option<DateTime<Utc>> {
        let known = &self.state.known_messages;
        let of = |kind| {
            let list = self.lists.get(kind)?;
            list.messages.keys().all(|id| known.contains(id)).then_some(list.at)
        };
        let mut looks = self.state.movements.keys().map(of);
        let first = looks.next()??;
        looks.try_fold(first, |oldest, at| Some(oldest.min(at?)))
    }

    /// How it looks from outside.
    pub(super) fn view(&self, doing: impl Into<Doing>) -> RunView {
        let waiting_for = self.waiting_for.clone();
        match &self.of {
            Some((programme, scenario)) => {
                let of = (programme, scenario);
                RunView::of(self.id, self.attempt, of, &self.state, waiting_for, doing.into())
            }
            None => RunView {
                run: self.id,
                scenario: UNASSIGNED.to_owned(),
                programme: self.programme.clone(),
                attempt: self.attempt,
                step: self.state.sent.len() as u32,
                steps: self.state.sent.len() as u32,
                messages: (self.state.received.len() as u32, self.state.received.len() as u32),
                state: RunState::Waiting,
                doing: doing.into(),
                waiting_for,
            },
        }
    }
}
