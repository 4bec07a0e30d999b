//! What notifications name: the messages are fetched, and once they are on
//! disk the notifications are acknowledged.

use secrecy::SecretString;

use super::answer::is_permanent;
use super::batch::{Batch, BatchError, Done, Whose};
use super::pull::Errand;
use super::slot::{Fetch, MessageToFetch, Notice, Slot};
use crate::evidence::Purpose;
use crate::hmrc::ctc;
use crate::hmrc::notifications::Notification;
use crate::hmrc::transport::Answer;
use crate::ncts::{Direction, MessageType};

impl Batch<'_> {
    /// Has every run fetch what notifications name for it.
    pub(super) fn hand_out(&mut self) {
        if self.pull.is_some() {
            (0..self.slots.len()).for_each(|index| {
                self.fetch_notified(index);
            });
        }
    }

    /// Has a run fetch what notifications name for it; tells whether there is
    /// anything.
    pub(super) fn fetch_notified(&mut self, index: usize) -> bool {
        let Some(pull) = &self.pull else { return false };
        let slot = &mut self.slots[index];
        if !slot.open() || !slot.hours.is_open(self.clock.now()) {
            return false;
        }
        let mut news = Vec::new();
        for (kind, movement) in &slot.state.movements {
            let known = slot.state.boxes.get(kind).and_then(|id| pull.boxes.get(id));
            let messages = known.map(|known| known.messages(*kind, movement));
            for message in messages.into_iter().flatten() {
                let notice = Notice {
                    kind: *kind,
                    movement: movement.clone(),
                    message_id: message.to_owned(),
                };
                if !slot.state.known_messages.contains(message) && !slot.is_fetching(message) {
                    news.push(Fetch::Notified(Box::new(notice)));
                }
            }
        }
        let any = !news.is_empty();
        slot.fetches.extend(news);
        any
    }

    /// Takes the message that a notification named.
    pub(super) fn notified(
        &mut self,
        index: usize,
        exchange: u32,
        notice: &Notice,
        answer: &Answer,
    ) -> Result<(), BatchError> {
        let problem = match ctc::message(&notice.message_id, &answer.body) {
            Ok(whole) => {
                let message = whole.listed.message.as_deref().map(str::parse::<MessageType>);
                let message = message.and_then(Result::ok);
                if message.is_some_and(|message| message.direction() == Direction::Sent) {
                    Some("it is one of the trader's own".to_owned())
                } else {
                    let what = MessageToFetch {
                        kind: notice.kind,
                        movement: notice.movement.clone(),
                        message_id: notice.message_id.clone(),
                        known_type: message.is_some(),
                        received: whole.listed.received,
                    };
                    let xml = whole.xml.as_bytes();
                    let slot = &self.slots[index];
                    let Some(writer) = &slot.writer else { return Ok(()) };
                    let stored = writer.put_object(xml, Some("application/xml"), &self.redactor)?;
                    self.fetched(index, exchange, &what, xml, Some(stored))?
                }
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = problem {
            self.doubt(index, notice, &problem);
        }
        Ok(())
    }

    /// A notification named a message that is not there as it said: a list
    /// tells what is.
    pub(super) fn doubt(&mut self, index: usize, notice: &Notice, problem: &str) {
        let problem = self.redactor.text(problem);
        if let Some(pull) = &mut self.pull {
            pull.boxes.values_mut().for_each(|known| known.doubt(&notice.message_id));
        }
        let slot = &mut self.slots[index];
        slot.vain.doubt();
        let (scenario, message) = (&slot.scenario.id, &notice.message_id);
        self.watcher.note(&format!(
            "{scenario}: message {message}, of which a notification told: {problem}; its movement \
             is listed instead"
        ));
    }

    /// Acknowledges what is on disk; tells whether there is anything.
    pub(super) fn acknowledge(&mut self, id: &str, token: SecretString) -> bool {
        let slots = &self.slots;
        let Some(known) = self.pull.as_mut().and_then(|pull| pull.boxes.get_mut(id)) else {
            return false;
        };
        if known.acknowledging || known.gone {
            return false;
        }
        let taken = known.acknowledge(|movement, message| on_disk(slots, movement, message));
        if taken.is_empty() {
            return false;
        }
        known.acknowledging = true;
        let ids: Vec<String> = taken.iter().map(|about| about.id.clone()).collect();
        let call = self.boxes_api(token).acknowledge(id, &ids);
        self.count_request();
        self.spawn(Whose::Errand(Errand::Acknowledge(id.to_owned(), taken)), call);
        true
    }

    /// Acknowledges what is left at the end of a batch, box by box, as the
    /// budget lets it go; tells whether there is anything to wait for.
    pub(super) fn acknowledge_rest(&mut self) -> bool {
        let Some(pull) = self.pull.as_ref().filter(|pull| !pull.off) else { return false };
        let Some(token) = pull.own.last() else { return false };
        let rest = pull.boxes.iter().find(|(_, known)| {
            // One that was not taken is not tried for ever.
            known.unacknowledged == 0
                && !known.gone
                && known.has_taken(|movement, message| on_disk(&self.slots, movement, message))
        });
        let Some(id) = rest.map(|(id, _)| id.clone()) else { return false };
        !self.may_ask() || self.acknowledge(&id, token)
    }

    pub(super) fn take_acknowledged(
        &mut self,
        id: &str,
        taken: &[Notification],
        done: &Done,
    ) -> Result<(), BatchError> {
        let refused = self.token_refused(done);
        let status = done.result.as_ref().ok().map(|answer| answer.status);
        let done_well = status.is_some_and(|status| (200..300).contains(&status));
        // What cannot be acknowledged is left; it ends by itself.
        let again = !done_well && (refused || !status.is_some_and(is_permanent));
        let ids = taken.iter().map(|about| about.id.as_str()).collect();
        if let Some(known) = self.known_box(id) {
            known.acknowledging = false;
            // With the next token, before the look that is due.
            known.cleared &= !refused;
            known.unacknowledged =
                if done_well { 0 } else { known.unacknowledged.saturating_add(1) };
            known.acknowledged(&ids, again);
        }
        if !done_well && !refused {
            let problem = self.describe(&done.result);
            self.watcher.note(&format!("acknowledging notifications: {problem}"));
        }
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if taken.iter().any(|about| slot.has_movement(&about.movement_id)) {
                self.record_shared(index, Purpose::AcknowledgeNotifications, done)?;
            }
        }
        Ok(())
    }
}

/// Whether a message is on disk, for the run whose movement this is.
fn on_disk(slots: &[Slot], movement: &str, message: &str) -> bool {
    slots.iter().any(|slot| {
        slot.has_movement(movement)
            && slot.state.known_messages.contains(message)
            && !slot.passed_over.contains(message)
    })
}
