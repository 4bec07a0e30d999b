//! What one simulator knows: the API's store, NCTS behind it, the officers'
//! mailbox and the log of submissions. No HTTP and no clock: every call is
//! told the time.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

use super::balances::Locks;
use super::boxes::{About, Boxes};
use super::check::check;
use super::grants::{Grants, User};
use super::http_errors::HttpError;
use super::ids;
use super::inject;
use super::json;
use super::movement::Submitted;
use super::ncts::Ncts;
use super::officer::{self, Mail};
use super::options::{ApiVersion, SimulatorOptions};
use super::replies::Writer;
use super::store::{Status, Store, StoredMessage, StoredMovement};
use super::throttle::Throttle;
use super::uploads::{File, Upload, Uploads};
use super::users::Users;
use crate::ncts::{MessageType, MovementKind};

/// One submission, as the log lists it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Submission {
    pub(super) at: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) message_type: Option<MessageType>,
    pub(super) message_identification: Option<String>,
    pub(super) lrn: Option<String>,
    pub(super) mrn: Option<String>,
    pub(super) movement_id: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) status: u16,
}

impl Submission {
    /// Notes what the message was.
    pub(super) fn describe(&mut self, message: &Submitted) {
        self.message_type = Some(message.message);
        self.message_identification = Some(message.identification.clone());
        self.lrn = message.lrn.clone();
        self.mrn = message.mrn.clone();
    }
}

/// One thing an officer did, or could not do.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Deed {
    at: String,
    act: &'static str,
    /// What kept the officer from it.
    refused: Option<String>,
}

/// A mail and what came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MailRecord {
    number: u64,
    at: String,
    #[serde(flatten)]
    mail: Mail,
    /// Why the officers did not take it.
    refused: Option<String>,
    scenario: Option<String>,
    step: Option<u32>,
    lrn: Option<String>,
    /// What the officers understood.
    acts: Vec<&'static str>,
    /// What they did, so far.
    done: Vec<Deed>,
}

/// Everything one simulator knows.
#[derive(Debug)]
pub(super) struct State {
    options: Arc<SimulatorOptions>,
    writer: Writer,
    pub(super) ncts: Ncts,
    pub(super) store: Store,
    pub(super) throttle: Throttle,
    pub(super) grants: Grants,
    pub(super) users: Users,
    pub(super) locks: Locks,
    pub(super) boxes: Boxes,
    pub(super) uploads: Uploads,
    pub(super) log: VecDeque<Submission>,
    pub(super) mails: VecDeque<MailRecord>,
    mails_read: u64,
}

/// Where files are uploaded to.
pub(super) const UPLOAD_PATH: &str = "/upload";

/// What a notification says of a large message that was handed over.
fn processed(movement: &str, message: &str) -> String {
    format!(
        "{{\"code\":\"SUCCESS\",\"message\":\"The message {message} for movement {movement} was \
         successfully processed\"}}"
    )
}

/// The boxes of the applications known from the start.
fn boxes_of(options: &SimulatorOptions) -> Boxes {
    let mut boxes = Boxes::default();
    for application in &options.applications {
        for version in &options.versions {
            boxes.default_box(&application.client_id, *version);
        }
    }
    boxes
}

/// A message that is still to come.
fn pending(id: String, now: DateTime<Utc>) -> StoredMessage {
    let (received, status) = (stored(now), Status::Pending);
    StoredMessage { id, received, message: None, status, body: None }
}

/// The API keeps milliseconds.
fn stored(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(3)
}

fn bounded<T>(list: &mut VecDeque<T>, most: usize, item: T) {
    list.push_back(item);
    while list.len() > most.max(1) {
        list.pop_front();
    }
}

impl State {
    pub(super) fn new(options: Arc<SimulatorOptions>, writer: Writer) -> Self {
        Self {
            ncts: Ncts::new(Arc::clone(&options)),
            grants: Grants::new(&options.applications),
            users: Users::default(),
            locks: Locks::default(),
            boxes: boxes_of(&options),
            uploads: Uploads::default(),
            options,
            writer,
            store: Store::default(),
            throttle: Throttle::default(),
            log: VecDeque::new(),
            mails: VecDeque::new(),
            mails_read: 0,
        }
    }

    /// Lets time pass until `now`: files that were uploaded are looked at and
    /// replies that fell due are filed, each at the instant it fell due.
    pub(super) fn advance(&mut self, now: DateTime<Utc>) {
        while let Some((upload, file)) = self.uploads.next(now) {
            self.file_replies(file.due);
            self.look_at(&upload, file);
        }
        self.file_replies(now);
        for outcome in self.ncts.outcomes() {
            if let Some(record) = self.mails.iter_mut().find(|one| one.number == outcome.mail) {
                record.done.push(Deed {
                    at: json::instant(outcome.at),
                    act: outcome.act.name(),
                    refused: outcome.refused,
                });
            }
        }
        let (most, bytes) = (self.options.movements_kept, self.options.bytes_kept);
        let dropped = self.store.trim(now, most, bytes);
        for movement in &dropped {
            self.ncts.forget(movement);
        }
        self.boxes.trim(now, &dropped);
    }

    fn file_replies(&mut self, until: DateTime<Utc>) {
        for reply in self.ncts.due(until) {
            match self.writer.write(&reply, &mut self.ncts.ids) {
                Ok(xml) => {
                    let mrn = reply.departure.as_ref().and_then(|one| one.mrn.clone());
                    self.file(&reply.movement, reply.message, mrn, xml.into(), reply.at);
                }
                Err(error) => {
                    tracing::error!(%error, message = %reply.message, "a reply cannot be written");
                }
            }
        }
    }

    /// Files a message from NCTS under a movement, and notifies of it. Returns
    /// its id.
    fn file(
        &mut self,
        movement: &str,
        message: MessageType,
        mrn: Option<String>,
        body: Arc<str>,
        at: DateTime<Utc>,
    ) -> String {
        let id = self.ncts.ids.id(at);
        if message == MessageType::Ie028
            && let Some(movement) = self.store.movement_mut(movement)
        {
            movement.mrn = mrn;
        }
        let stored = StoredMessage {
            id: id.clone(),
            received: stored(at),
            message: Some(message),
            status: Status::Received,
            body: Some(body),
        };
        self.store.add(movement, stored);
        self.notify(movement, &id, About::Received, at);
        id
    }

    fn notify(&mut self, movement: &str, message: &str, about: About, at: DateTime<Utc>) {
        if let Some(into) = self.store.get(movement).and_then(|one| one.box_id.as_ref()) {
            self.boxes.notify(into, (movement, message), about, stored(at), &mut self.ncts.ids);
        }
    }

    /// Files a message of this type with random content, as if NCTS had sent
    /// it in answer to `trigger`. Returns its id and its XML.
    ///
    /// # Errors
    /// When the trader has no such movement.
    pub(super) fn inject(
        &mut self,
        (kind, movement): (MovementKind, &str),
        message: MessageType,
        trigger: &str,
        eori: &str,
        now: DateTime<Utc>,
    ) -> Result<(String, String), HttpError> {
        let found = self.store.movement(kind, eori, movement);
        let version = found.map(|one| one.version).ok_or_else(|| {
            let what = if kind == MovementKind::Departure { "Departure" } else { "Arrival" };
            HttpError::not_found(format!("{what} with ID {movement} was not found"))
        })?;
        let recipient = format!("{movement}-{trigger}");
        let ids = &mut self.ncts.ids;
        let reply = inject::reply(message, movement, &recipient, version, now, ids)
            .ok_or_else(HttpError::internal)?;
        let written = self.writer.write_in_phase(&reply, inject::PHASE_ID, ids);
        let xml = written.map_err(|error| {
            tracing::error!(%error, %message, "a message to inject cannot be written");
            HttpError::internal()
        })?;
        let mrn = reply.departure.and_then(|one| one.mrn);
        let id = self.file(movement, message, mrn, xml.as_str().into(), now);
        Ok((id, xml))
    }

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
    fn look_at(&mut self, upload: &Upload, file: File) {
        let (movement, message, at) = (&upload.movement, &upload.message, file.due);
        let Some(of) = self.store.get(movement) else { return };
        let (kind, version) = (of.kind, of.version);
        let opening = of.messages.first().is_some_and(|first| first.id == *message);
        let checked = match &file.refused {
            Some(why) => Err(HttpError::bad_request(why.clone())),
            None => check(&file.bytes, kind, opening, version),
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

    /// Takes a mail to the officers.
    ///
    /// # Errors
    /// Why they do not take it.
    pub(super) fn mail(&mut self, mail: Mail, now: DateTime<Utc>) -> Result<u64, String> {
        self.mails_read += 1;
        let number = self.mails_read;
        let mut record = MailRecord {
            number,
            at: json::instant(now),
            mail,
            refused: None,
            scenario: None,
            step: None,
            lrn: None,
            acts: Vec::new(),
            done: Vec::new(),
        };
        let read = officer::read(&record.mail, &self.ncts);
        record.mail.body = record.mail.body.chars().take(officer::READ).collect();
        let answer = match read {
            Ok(instruction) => {
                self.ncts.on_instruction(&instruction.departure, &instruction.acts, number, now);
                record.acts = instruction.acts.iter().map(|act| act.name()).collect();
                record.scenario = Some(instruction.scenario);
                record.step = Some(instruction.step);
                record.lrn = Some(instruction.lrn);
                Ok(number)
            }
            Err(why) => {
                record.refused = Some(why.clone());
                Err(why)
            }
        };
        bounded(&mut self.mails, self.options.log_kept, record);
        answer
    }

    /// Who signs in to consent to what an application wants: the test user
    /// wanted, or the one used last. Without test users everyone who signs in
    /// for an application is the same trader.
    pub(super) fn signs_in(
        &mut self,
        client: &str,
        wanted: Option<&str>,
        now: DateTime<Utc>,
    ) -> Option<User> {
        let user = self.users.sign_in(wanted, now);
        if wanted.is_some() {
            return user;
        }
        let standing = || User { id: ids::number_of(client), eori: Some(ids::eori(client)) };
        Some(user.unwrap_or_else(standing))
    }

    /// Notes a submission.
    pub(super) fn note(&mut self, submission: Submission) {
        bounded(&mut self.log, self.options.log_kept, submission);
    }
}

/// The trader has no such movement.
pub(super) fn no_movement(kind: MovementKind, id: &str) -> HttpError {
    let kind = match kind {
        MovementKind::Departure => "Departure",
        MovementKind::Arrival => "Arrival",
    };
    HttpError::not_found(format!("{kind} movement with ID {id} was not found"))
}
