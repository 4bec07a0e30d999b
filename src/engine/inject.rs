//! Having messages of NCTS injected, in the sandbox.

use super::answer::{self, Unusable};
use super::batch::{Batch, BatchError};
use super::exchange::Intent;
use super::slot::{Fetch, Task};
use crate::evidence::{Durability, Event, LookedUp, Purpose};
use crate::hmrc::ctc;
use crate::hmrc::test_support;
use crate::hmrc::transport::Answer;
use crate::ncts::MessageType;

impl Batch<'_> {
    /// Has a message injected into the run's movement of its kind.
    pub(super) fn inject(
        &mut self,
        index: usize,
        step: u32,
        message: MessageType,
    ) -> Result<(), BatchError> {
        let slot = &self.slots[index];
        let kind = message.movement();
        let Some(id) = slot.state.movements.get(&kind) else { return Ok(()) };
        let api = self.api_of(test_support::version(&slot.programme.api.version));
        let call = api.inject(kind, id, message);
        let intent =
            Intent { step: Some(step), message: Some(message), ..Intent::asking(Purpose::Inject) };
        self.watcher.moved(&slot.view(format!("having the {message} injected")));
        self.start(index, Task::Inject(message), &intent, call)
    }

    /// The message is there: it is listed and fetched like any other.
    pub(super) fn injected(&mut self, index: usize, message: MessageType) {
        let slot = &mut self.slots[index];
        let kind = message.movement();
        if let Some(id) = slot.state.movements.get(&kind) {
            slot.fetches.push_back(Fetch::List(kind, id.clone()));
        }
    }

    /// Whether the test-support API refused to inject a message for good, which
    /// it would do with every other; says what may be the matter.
    pub(super) fn injection_refused(
        &mut self,
        index: usize,
        message: MessageType,
        status: u16,
        problem: &str,
    ) -> bool {
        if status == 403 {
            self.fatal = Some(BatchError::InjectionForbidden(problem.to_owned()));
            return true;
        }
        if status == 401 || !answer::is_permanent(status) {
            return false;
        }
        let why = match status {
            404 => "; the test-support API may be closed to this application, or the movement gone",
            _ => "",
        };
        self.stall(index, format!("the {message} could not be injected: {problem}{why}"));
        true
    }

    /// Whether a message is there whose injection got no answer: one of its type
    /// that the run does not know.
    pub(super) fn injection_looked_up(
        &mut self,
        index: usize,
        exchange: u32,
        answer: &Answer,
    ) -> Result<Option<Unusable>, BatchError> {
        let slot = &mut self.slots[index];
        let Some(injection) = slot.state.injection.clone() else { return Ok(None) };
        let listed = match ctc::messages(&answer.body) {
            Ok(listed) => listed,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let found = listed.iter().any(|listed| {
            listed.message.as_deref() == Some(injection.message.as_str())
                && !slot.state.known_messages.contains(&listed.id)
        });
        let looked = LookedUp { exchange, step: injection.step, found };
        slot.append(Event::LookedUp(looked), Durability::Synced)?;
        let kind = injection.message.movement();
        if let Some(id) = slot.state.movements.get(&kind).cloned() {
            self.learn_of(index, kind, &id, listed);
        }
        Ok(None)
    }
}
