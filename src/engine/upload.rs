//! Sending a large message: it is announced, its file is uploaded where the
//! answer says, and its status tells whether the API takes it.

use super::answer::Unusable;
use super::batch::{Batch, BatchError};
use super::exchange::Intent;
use super::slot::Task;
use crate::evidence::{Announced, Durability, Event, LookedUp, Purpose, UploadRefused};
use crate::hmrc::ctc::{self, Taken};
use crate::hmrc::transport::Answer;
use crate::hmrc::uploads::{self, UploadRequest};
use crate::ncts::MessageType;

/// A large message that is announced, and ready to be uploaded.
#[derive(Debug)]
pub(super) struct Ready {
    /// The scenario step.
    pub(super) step: u32,
    /// Its message.
    pub(super) message: MessageType,
    /// As it will be sent.
    pub(super) xml: String,
    /// What evidence says of its sending.
    pub(super) intent: Intent,
    /// Where its file goes; none before the API said.
    pub(super) place: Option<UploadRequest>,
}

/// What is said where the API does not say why it refuses a file.
const NO_REASON: &str = "its status is `Failed`; the API tells the reason in a notification alone";

impl Batch<'_> {
    /// Announces a large message.
    pub(super) fn announce(&mut self, index: usize, ready: Ready) -> Result<(), BatchError> {
        let slot = &self.slots[index];
        let message = ready.message;
        let movement = slot.movement_of(message);
        let call = self.api(slot).announce(message, movement);
        let intent = Intent {
            step: Some(ready.step),
            message: Some(message),
            lrn: ready.intent.lrn.clone(),
            ..Intent::asking(Purpose::Announce)
        };
        self.watcher.moved(&slot.view(format!("announcing {message}, which is large")));
        self.slots[index].upload = Some(ready);
        self.start(index, Task::Announce, &intent, call)
    }

    /// Learns what an answer to an announcement has that must not be told, before
    /// anything of it is recorded.
    pub(super) fn learn_place(&self, answer: &Answer) {
        uploads::secrets(&answer.body).iter().for_each(|secret| self.redactor.learn(secret));
    }

    /// The API says where the file goes.
    pub(super) fn announced(
        &mut self,
        index: usize,
        exchange: u32,
        answer: &Answer,
    ) -> Result<Option<Unusable>, BatchError> {
        let slot = &mut self.slots[index];
        let Some(ready) = &mut slot.upload else { return Ok(None) };
        let (step, message) = (ready.step, ready.message);
        let movement = message.movement();
        let taken = ctc::taken(movement, &answer.body);
        let place = UploadRequest::read(&self.options.base_url, &answer.body);
        let (taken, place) = match taken.and_then(|taken| Ok((taken, place?))) {
            Ok(both) => both,
            Err(error) => return Ok(Some(error.to_string())),
        };
        ready.place = Some(place);
        let Taken { movement_id, message_id, box_id } = taken;
        let announced =
            Announced { step, message, movement, movement_id, message_id, exchange, box_id };
        slot.append(Event::Announced(announced), Durability::Synced)?;
        Ok(None)
    }

    /// Uploads the file of a message that is announced.
    pub(super) fn upload(
        &mut self,
        index: usize,
        ready: Ready,
        place: &UploadRequest,
    ) -> Result<(), BatchError> {
        let view = self.slots[index].view(format!("uploading {}", ready.message));
        self.watcher.moved(&view);
        let call = place.upload(&ready.xml);
        self.start_with(index, Task::Upload, &ready.intent, call, Some(ready.xml))
    }

    /// What the list of its movement's messages says of an uploaded one.
    pub(super) fn upload_looked_up(
        &mut self,
        index: usize,
        exchange: u32,
        announced: Announced,
        answer: &Answer,
    ) -> Result<Option<Unusable>, BatchError> {
        let listed = match ctc::messages(&answer.body) {
            Ok(listed) => listed,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let Announced { step, message, movement_id, message_id, box_id, .. } = announced;
        let Some(listed) = listed.into_iter().find(|listed| listed.id == message_id) else {
            return Ok(None);
        };
        let slot = &mut self.slots[index];
        match listed.status.as_deref() {
            Some("Pending") | None => {}
            Some("Failed") => {
                slot.last_problem = Some(NO_REASON.to_owned());
                let refused = UploadRefused { step, message, exchange };
                slot.append(Event::UploadRefused(refused), Durability::Synced)?;
            }
            Some(_) => {
                let looked = LookedUp { exchange, step, found: true };
                slot.append(Event::LookedUp(looked), Durability::Buffered)?;
                let taken = Taken { movement_id, message_id, box_id };
                self.note_submitted(index, exchange, taken, Some(listed.received))?;
            }
        }
        Ok(None)
    }
}
