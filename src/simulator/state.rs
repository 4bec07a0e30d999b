//! What one simulator knows: the API's store, NCTS behind it, the officers'
//! mailbox and the log of submissions. No HTTP and no clock: every call is
//! told the time.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

use super::balances::Locks;
use super::boxes::{About, Boxes};
use super::grants::{Grants, User};
use super::http_errors::HttpError;
use super::ids;
use super::inject;
use super::json;
use super::movement::Submitted;
use super::ncts::Ncts;
use super::officer::{self, Mail};
use super::options::SimulatorOptions;
use super::replies::Writer;
use super::store::{Status, Store, StoredMessage};
use super::throttle::Throttle;
use super::uploads::Uploads;
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

/// The API keeps milliseconds.
pub(super) fn stored(at: DateTime<Utc>) -> DateTime<Utc> {
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

    /// Puts a notification of a message into the box of its movement.
    pub(super) fn notify(
        &mut self,
        movement: &str,
        message: &str,
        about: About,
        at: DateTime<Utc>,
    ) {
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
                self.ncts.on_instruction(&instruction, number, now);
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
