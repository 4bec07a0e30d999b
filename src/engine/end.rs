//! The end of a run: what is recorded, and told, of it.

use super::batch::{Batch, BatchError};
use super::explain::{self, Sent};
use super::report::Doing;
use super::state::State;
use crate::evidence::{Failure, ObjectRef, RunClosed, Store};

/// Largest body that is read again to explain a failure, in bytes; HMRC's
/// largest message has 8 MB.
const MAX_BODY: u64 = 16 << 20;

impl Batch<'_> {
    /// Ends a run.
    pub(super) fn finish(&mut self, index: usize, mut closed: RunClosed) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        if let Some(failure) = &mut closed.failure {
            if failure.reason == "refused-by-api"
                && let Some(problem) = &slot.last_problem
            {
                failure.message = format!("{}: {problem}", failure.message);
            }
            if failure.answer.is_some() {
                complete(&slot.state, &self.store.read()?, failure);
            }
        }
        let Some(writer) = slot.writer.take() else { return Ok(()) };
        let recorded = self.store.close_run(writer, closed)?;
        slot.state.apply(&recorded);
        slot.waiting_for = None;
        let why = match &slot.state.closed {
            Some((_, RunClosed { failure: Some(failure), .. })) => {
                Some(explain::headline(failure).to_owned())
            }
            _ => None,
        };
        let view = slot.view(Doing::Over(why));
        self.watcher.moved(&view);
        Ok(())
    }
}

/// Completes a failure from the bodies of the message that brought it about and
/// of the one that it refuses. Without them it is told less well.
pub fn complete(state: &State, store: &Store, failure: &mut Failure) {
    let text = |body: &ObjectRef| {
        let bytes = (body.bytes <= MAX_BODY).then(|| store.object(body).ok()).flatten()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let named = |errors: &[crate::evidence::FunctionalError]| {
        errors.iter().eq(failure.errors.iter().map(|told| &told.error))
    };
    let answer = state
        .received
        .iter()
        .rev()
        .map(|(_, received)| received)
        .find(|received| Some(received.message) == failure.answer && named(&received.errors));
    let answer_text = answer.and_then(|answer| text(&answer.body));
    let about = answer_text
        .as_deref()
        .and_then(explain::refused_type)
        .or_else(|| explain::pointed_type(failure));
    let refusal = answer.is_some_and(|answer| answer.message.is_refusal());
    // The last that was sent of that type; or of that movement, where the
    // refusal does not say what it refuses.
    let sent = state.sent.values().map(|(_, sent)| sent).rev().find(|sent| match about {
        Some(about) => sent.message == about,
        None => refusal && answer.is_some_and(|answer| answer.movement == sent.movement),
    });
    let sent_text = sent.and_then(|sent| Some((sent.message, text(&sent.body)?)));
    let sent = sent_text.as_ref().map(|(message, xml)| Sent { message: *message, xml });
    explain::explain(failure, sent, answer_text.as_deref());
}
