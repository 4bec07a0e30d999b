//! What one simulator knows: the API's store, NCTS behind it, the officers'
//! mailbox and the log of submissions. No HTTP and no clock: every call is
//! told the time.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;

use super::balances::Locks;
use super::grants::{Grants, User};
use super::http_errors::HttpError;
use super::ids;
use super::json;
use super::movement::Submitted;
use super::ncts::Ncts;
use super::officer::{self, Mail};
use super::options::{ApiVersion, SimulatorOptions};
use super::replies::Writer;
use super::store::{Status, Store, StoredMessage, StoredMovement};
use super::throttle::Throttle;
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
    pub(super) locks: Locks,
    pub(super) log: VecDeque<Submission>,
    pub(super) mails: VecDeque<MailRecord>,
    mails_read: u64,
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
            locks: Locks::default(),
            options,
            writer,
            store: Store::default(),
            throttle: Throttle::default(),
            log: VecDeque::new(),
            mails: VecDeque::new(),
            mails_read: 0,
        }
    }

    /// Lets time pass until `now`: replies that fell due are filed, each at
    /// the instant it fell due.
    pub(super) fn advance(&mut self, now: DateTime<Utc>) {
        for reply in self.ncts.due(now) {
            let body = match self.writer.write(&reply, &mut self.ncts.ids) {
                Ok(xml) => xml,
                Err(error) => {
                    tracing::error!(%error, message = %reply.message, "a reply cannot be written");
                    continue;
                }
            };
            if reply.message == MessageType::Ie028
                && let Some(movement) = self.store.movement_mut(&reply.movement)
            {
                movement.mrn = reply.departure.as_ref().and_then(|one| one.mrn.clone());
            }
            let message = StoredMessage {
                id: self.ncts.ids.id(reply.at),
                received: stored(reply.at),
                message: reply.message,
                status: Status::Received,
                body: body.into(),
            };
            self.store.add(&reply.movement, message);
        }
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
        for dropped in self.store.trim(now, most, bytes) {
            self.ncts.forget(&dropped);
        }
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
        now: DateTime<Utc>,
    ) -> Result<(String, String), HttpError> {
        let (id, message_id) = (self.ncts.ids.id(now), self.ncts.ids.id(now));
        let message = Arc::new(message);
        let kind = message.message.movement();
        let departure = kind == MovementKind::Departure;
        let taken = self.ncts.on_message(&id, version, Arc::clone(&message), now);
        let status = if taken.is_ok() { Status::Success } else { Status::Failed };
        self.store.open(StoredMovement {
            id: id.clone(),
            kind,
            version,
            eori: eori.to_owned(),
            trader: message.trader.clone(),
            lrn: message.lrn.clone().filter(|_| departure),
            mrn: message.mrn.clone().filter(|_| !departure),
            created: stored(now),
            updated: stored(now),
            messages: vec![StoredMessage {
                id: message_id.clone(),
                received: stored(now),
                message: message.message,
                status,
                body: Arc::clone(&message.xml),
            }],
        });
        match taken {
            Ok(()) => Ok((id, message_id)),
            Err(_) => Err(HttpError::conflict(message.lrn.as_deref().unwrap_or_default())),
        }
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
        let kind = message.message.movement();
        let version = self
            .store
            .movement(kind, eori, movement)
            .map(|one| one.version)
            .ok_or_else(|| no_movement(kind, movement))?;
        let id = self.ncts.ids.id(now);
        let message = Arc::new(message);
        self.store.add(
            movement,
            StoredMessage {
                id: id.clone(),
                received: stored(now),
                message: message.message,
                status: Status::Success,
                body: Arc::clone(&message.xml),
            },
        );
        // Only a message that opens a movement can be refused outright.
        let _ = self.ncts.on_message(movement, version, message, now);
        Ok(id)
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

    /// Who signs in to consent to what an application wants. Without test
    /// users everyone who signs in for an application is the same trader.
    pub(super) fn signs_in(
        &mut self,
        client: &str,
        wanted: Option<&str>,
        _now: DateTime<Utc>,
    ) -> Option<User> {
        match wanted {
            Some(_) => None,
            None => Some(User { id: ids::number_of(client), eori: Some(ids::eori(client)) }),
        }
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
