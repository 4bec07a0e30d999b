//! A message whose answer was lost: whether the API has it is learnt from what
//! the software asks, as `run` would ask: first which movements have the
//! reference, then which messages these have.

use chrono::{DateTime, Utc};

use super::ledger::Ledger;
use super::record::RecordError;
use super::wire::Heard;
use crate::engine::exchange::Answered;
use crate::evidence::{Durability, Event, LookedUp, Purpose};
use crate::hmrc::ctc;
use crate::ncts::MovementKind;

impl Ledger<'_> {
    /// The run whose lost message may have made this movement.
    pub(super) fn suspected(&self, kind: MovementKind, movement: &str) -> Option<usize> {
        self.runs.iter().position(|run| {
            let opens = run.state.pending.as_ref().and_then(|pending| pending.request.message);
            run.in_doubt()
                && run.suspect.as_deref() == Some(movement)
                && opens.is_some_and(|opens| opens.opens_movement() && opens.movement() == kind)
        })
    }

    /// Looks for the references of lost messages among movements that the
    /// software was told of.
    pub(super) fn movements_listed(
        &mut self,
        kind: MovementKind,
        heard: &Heard,
        sent_at: DateTime<Utc>,
        result: &Answered,
    ) -> Result<(), RecordError> {
        self.passed_on += 1;
        let Ok(answer) = result else { return Ok(()) };
        if answer.status != 200 {
            return Ok(());
        }
        let mut movements = match ctc::movements(kind, &answer.body) {
            Ok((_, movements)) => movements,
            Err(_) => Vec::new(),
        };
        // One movement by its id.
        if let Ok(one) = serde_json::from_slice::<ctc::ListedMovement>(&answer.body) {
            movements.push(one);
        }
        for index in (0..self.runs.len()).rev() {
            let run = &self.runs[index];
            let Some(pending) = run.state.pending.as_ref().filter(|_| run.in_doubt()) else {
                continue;
            };
            let opens = pending.request.message.filter(|message| message.opens_movement());
            if opens.is_none_or(|message| message.movement() != kind) {
                continue;
            }
            let (step, reference) = match kind {
                MovementKind::Departure => (pending.request.step, pending.request.lrn.clone()),
                MovementKind::Arrival => (pending.request.step, run.state.mrn.clone()),
            };
            let Some(reference) = reference else { continue };
            let found = movements.iter().find(|movement| {
                let own = match kind {
                    MovementKind::Departure => &movement.local_reference_number,
                    MovementKind::Arrival => &movement.movement_reference_number,
                };
                own.as_ref() == Some(&reference)
            });
            // Only who asked for that reference was told that it is not there.
            let sought = heard.query().unwrap_or_default().contains(&reference);
            match (found, step) {
                (Some(found), _) => self.runs[index].suspect = Some(found.id.clone()),
                (None, Some(step)) if sought && movements.is_empty() => {
                    let (exchange, _) =
                        self.exchanged(index, Purpose::LookUp, heard, sent_at, result)?;
                    let looked = LookedUp { exchange, step, found: false };
                    self.runs[index].append(Event::LookedUp(looked), Durability::Synced)?;
                    self.judge(index)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Looks for a lost message among those of a movement.
    pub(super) fn messages_looked_up(
        &mut self,
        index: usize,
        movement: &str,
        heard: &Heard,
        sent_at: DateTime<Utc>,
        result: &Answered,
    ) -> Result<(), RecordError> {
        let (exchange, _) = self.exchanged(index, Purpose::LookUp, heard, sent_at, result)?;
        let listed = match result {
            Ok(answer) if answer.status == 200 => ctc::messages(&answer.body),
            _ => return Ok(()),
        };
        let run = &mut self.runs[index];
        let request = run.state.pending.as_ref().map(|pending| &pending.request);
        let (Ok(listed), Some((Some(step), Some(message)))) =
            (listed, request.map(|request| (request.step, request.message)))
        else {
            return self.judge(index);
        };
        let ours = listed.into_iter().find(|listed| {
            listed.message.as_deref() == Some(message.as_str())
                && listed.status.as_deref() != Some("Failed")
                && !run.state.known_messages.contains(&listed.id)
        });
        let found = ours.is_some();
        let durability = if found { Durability::Buffered } else { Durability::Synced };
        run.append(Event::LookedUp(LookedUp { exchange, step, found }), durability)?;
        run.suspect = None;
        if let Some(ours) = ours {
            let taken =
                ctc::Taken { movement_id: movement.to_owned(), message_id: ours.id, box_id: None };
            self.submitted(index, exchange, taken, Some(ours.received), None)?;
        }
        self.judge(index)
    }
}
