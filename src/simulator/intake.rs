//! Taking messages: announced, stored, handed over to NCTS; and files that
//! were uploaded.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::boxes::About;
use super::check::check;
use super::http_errors::HttpError;
use super::json;
use super::movement::Submitted;
use super::options::ApiVersion;
use super::state::{State, Submission, UPLOAD_PATH, no_movement, stored};
use super::store::{Status, StoredMessage, StoredMovement};
use super::uploads::{File, Upload};
use crate::ncts::MovementKind;

/// What a notification says of a large message that was handed over.
fn processed(movement: &str, message: &str) -> String {
    format!(
        "{{\"code\":\"SUCCESS\",\"message\":\"The message {message} for movement {movement} was \
         successfully processed\"}}"
    )
}

/// A message that is still to come.
fn pending(id: String, now: DateTime<Utc>) -> StoredMessage {
    let (received, status) = (stored(now), Status::Pending);
    StoredMessage { id, received, message: None, status, body: None }
}

impl State {
    /// Takes a message that opens a movement. Returns the ids of movement and
    /// message.
    ///
    /// # Errors
    /// When NCTS refuses it outright; the movement is kept all the same.
    pub(super) fn open(
        &mut self,
        message: Submitted,
        version: ApiVersion,
        eori: &str,
        box_id: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<(String, String), HttpError> {
        let kind = message.message.movement();
        let (id, message_id) = self.announce(kind, version, eori, box_id, now);
        self.hand_over(&id, &message_id, message, now)?;
        Ok((id, message_id))
    }

    /// Opens a movement whose first message is still to come. Returns the ids
    /// of movement and message.
    pub(super) fn announce(
        &mut self,
        kind: MovementKind,
        version: ApiVersion,
        eori: &str,
        box_id: Option<String>,
        now: DateTime<Utc>,
    ) -> (String, String) {
        let (id, message) = (self.ncts.ids.id(now), pending(self.ncts.ids.id(now), now));
        let message_id = message.id.clone();
        self.store.open(StoredMovement {
            id: id.clone(),
            kind,
            version,
            eori: eori.to_owned(),
            trader: None,
            lrn: None,
            mrn: None,
            box_id,
            created: stored(now),
            updated: stored(now),
            messages: vec![message],
        });
        (id, message_id)
    }

    /// Takes a message for a movement of this trader. Returns its id.
    ///
    /// # Errors
    /// When the trader has no such movement.
    pub(super) fn add(
        &mut self,
        movement: &str,
        message: Submitted,
        eori: &str,
        now: DateTime<Utc>,
    ) -> Result<String, HttpError> {
        let id = self.announce_another(message.message.movement(), movement, eori, now)?;
        self.hand_over(movement, &id, message, now)?;
        Ok(id)
    }

    /// Adds a message that is still to come to a movement of this trader.
    /// Returns its id.
    ///
    /// # Errors
    /// When the trader has no such movement.
    pub(super) fn announce_another(
        &mut self,
        kind: MovementKind,
        movement: &str,
        eori: &str,
        now: DateTime<Utc>,
    ) -> Result<String, HttpError> {
        if self.store.movement(kind, eori, movement).is_none() {
            return Err(no_movement(kind, movement));
        }
        let message = pending(self.ncts.ids.id(now), now);
        let id = message.id.clone();
        self.store.add(movement, message);
        Ok(id)
    }

    /// Hands a message that was announced over to NCTS. It is stored first, so
    /// one that NCTS refuses outright stays.
    ///
    /// # Errors
    /// When NCTS refuses it outright.
    fn hand_over(
        &mut self,
        movement: &str,
        id: &str,
        message: Submitted,
        now: DateTime<Utc>,
    ) -> Result<(), HttpError> {
        let Some(of) = self.store.movement_mut(movement) else { return Ok(()) };
        let version = of.version;
        if message.message.opens_movement() {
            of.trader.clone_from(&message.trader);
            if of.kind == MovementKind::Departure {
                of.lrn.clone_from(&message.lrn);
            } else {
                of.mrn.clone_from(&message.mrn);
            }
        }
        let received = of.message(id).map_or_else(|| stored(now), |announced| announced.received);
        let message = Arc::new(message);
        let taken = self.ncts.on_message(movement, version, Arc::clone(&message), now);
        let filled = StoredMessage {
            id: id.to_owned(),
            received,
            message: Some(message.message),
            status: if taken.is_ok() { Status::Success } else { Status::Failed },
            body: Some(Arc::clone(&message.xml)),
        };
        self.store.fill(movement, filled, stored(now));
        taken.map_err(|_| HttpError::conflict(message.lrn.as_deref().unwrap_or_default()))
    }

    /// Looks at a file that was uploaded, and notifies of what came of it.
    pub(super) fn look_at(&mut self, upload: &Upload, file: File) {
        let (movement, message, at) = (&upload.movement, &upload.message, file.due);
        let Some(of) = self.store.get(movement) else { return };
        let (kind, version) = (of.kind, of.version);
        let opening = of.messages.first().is_some_and(|first| first.id == *message);
        let checked = match &file.refused {
            Some(why) => Err(HttpError::bad_request(why.clone())),
            None => check(&file.bytes, kind, opening, version, &mut self.outside),
        };
        let mut submission = Submission {
            at: json::instant(at),
            method: "POST".to_owned(),
            path: UPLOAD_PATH.to_owned(),
            movement_id: Some(movement.clone()),
            message_id: Some(message.clone()),
            status: 202,
            ..Submission::default()
        };
        let taken = checked.and_then(|submitted| {
            submission.describe(&submitted);
            self.hand_over(movement, message, submitted, at)
        });
        let response = match taken {
            Ok(()) => processed(movement, message),
            Err(error) => {
                submission.status = error.status.as_u16();
                self.fail(movement, message, at);
                error.json()
            }
        };
        self.note(submission);
        self.notify(movement, message, About::Submitted { response }, at);
    }

    /// Marks a message as failed that was not handed over at all.
    fn fail(&mut self, movement: &str, message: &str, at: DateTime<Utc>) {
        let found = self.store.get(movement).and_then(|one| one.message(message));
        if let Some(failed) = found.filter(|one| one.status == Status::Pending).cloned() {
            let failed = StoredMessage { status: Status::Failed, ..failed };
            self.store.fill(movement, failed, stored(at));
        }
    }
}
