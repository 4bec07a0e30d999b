//! What one simulator knows: the API's store, NCTS behind it, the officers'
//! mailbox and the log of submissions. No HTTP and no clock: every call is
//! told the time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::faults::{Faulting, Struck, Twist};
use super::http_errors::HttpError;
use super::json;
use super::movement::{Reply, Submitted};
use super::ncts::Ncts;
use super::officer::{self, Act, Mail};
use super::options::{ApiVersion, SimulatorOptions};
use super::outside::Outside;
use super::replies::Writer;
use super::store::{Status, Store, StoredMessage, StoredMovement};
use super::texts::pairs;
use crate::ncts::{MessageType, MovementKind};

/// One submission, as the log lists it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Deed {
    at: String,
    act: Act,
    /// What kept the officer from it.
    refused: Option<String>,
}

/// A mail and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    acts: Vec<Act>,
    /// What they did, so far.
    done: Vec<Deed>,
}

/// Everything one simulator knows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    #[serde(skip)]
    options: Arc<SimulatorOptions>,
    /// None only while a state is read from a file.
    #[serde(skip)]
    writer: Option<Writer>,
    #[serde(skip)]
    pub(super) outside: Outside,
    #[serde(skip)]
    pub(super) faults: Faulting,
    pub(super) ncts: Ncts,
    pub(super) store: Store,
    /// How often something happened of its own accord.
    #[serde(skip)]
    pub(super) happened: u64,
    /// Replies so far.
    replies: u64,
    /// Messages that a fault keeps from view, by when they appear.
    #[serde(with = "pairs")]
    held: BTreeMap<(DateTime<Utc>, u64), Held>,
    pub(super) log: VecDeque<Submission>,
    /// Faults that struck.
    pub(super) struck: VecDeque<Struck>,
    pub(super) mails: VecDeque<MailRecord>,
    mails_read: u64,
}

/// A message that is on its way into view.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    movement: String,
    message: StoredMessage,
    /// What it tells the API: the MRN, in an IE028.
    mrn: Option<String>,
    /// It waits until another message of its movement has come.
    overtaken: bool,
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
        let outside = Outside::new(&options);
        Self {
            ncts: Ncts::new(Arc::clone(&options)),
            options,
            writer: Some(writer),
            outside,
            faults: Faulting::default(),
            store: Store::default(),
            happened: 0,
            replies: 0,
            held: BTreeMap::new(),
            log: VecDeque::new(),
            struck: VecDeque::new(),
            mails: VecDeque::new(),
            mails_read: 0,
        }
    }

    /// Gives a state read from a file what files do not hold.
    pub(super) fn equip(&mut self, options: Arc<SimulatorOptions>, writer: Writer) {
        self.outside = Outside::new(&options);
        self.ncts.options = Arc::clone(&options);
        self.options = options;
        self.writer = Some(writer);
    }

    /// Lets time pass until `now`: replies that fell due are filed, each at
    /// the instant it fell due.
    pub(super) fn advance(&mut self, now: DateTime<Utc>) {
        loop {
            let appears = self.held.keys().next().map(|(at, _)| *at).filter(|at| *at <= now);
            let happens = self.ncts.next_at().filter(|at| *at <= now);
            match (appears, happens) {
                (Some(appears), happens) if happens.is_none_or(|at| appears <= at) => {
                    if let Some(((at, _), mut held)) = self.held.pop_first() {
                        if held.overtaken {
                            // Nothing came to overtake it.
                            held.message.received = stored(at);
                            held.overtaken = false;
                        }
                        self.deliver(held);
                    }
                }
                (_, Some(_)) => {
                    for reply in self.ncts.step(now).unwrap_or_default() {
                        self.file(&reply);
                    }
                }
                (_, None) => break,
            }
            self.happened += 1;
        }
        for outcome in self.ncts.outcomes() {
            if let Some(record) = self.mails.iter_mut().find(|one| one.number == outcome.mail) {
                record.done.push(Deed {
                    at: json::instant(outcome.at),
                    act: outcome.act,
                    refused: outcome.refused,
                });
            }
        }
        let (most, bytes) = (self.options.movements_kept, self.options.bytes_kept);
        for dropped in self.store.trim(now, most, bytes) {
            self.ncts.forget(&dropped);
        }
    }

    /// Files a reply, or what a fault makes of it.
    fn file(&mut self, reply: &Reply) {
        let Some(writer) = &self.writer else { return };
        let body = match writer.write(reply, &mut self.ncts.ids) {
            Ok(xml) => xml,
            Err(error) => {
                tracing::error!(%error, message = %reply.message, "a reply cannot be written");
                return;
            }
        };
        self.replies += 1;
        let sets_mrn = reply.message == MessageType::Ie028;
        let departure = reply.departure.as_ref().filter(|_| sets_mrn);
        let held = Held {
            movement: reply.movement.clone(),
            message: StoredMessage {
                id: self.ncts.ids.id(reply.at),
                received: stored(reply.at),
                message: reply.message,
                status: Status::Received,
                body: body.into(),
            },
            mrn: departure.and_then(|one| one.mrn.clone()),
            overtaken: false,
        };
        let (nth, options) = (self.replies, Arc::clone(&self.options));
        let later = |by| reply.at + options.scaled(by);
        match self.faults.twist(nth, reply) {
            None => self.deliver(held),
            Some(Twist::Duplicate { after }) => {
                let (mut again, at) = (held.clone(), later(after));
                self.deliver(held);
                again.message.id = self.ncts.ids.id(at);
                again.message.received = stored(at);
                self.held.insert((at, nth), again);
            }
            Some(Twist::Late { by }) => {
                self.held.insert((later(by), nth), held);
            }
            Some(Twist::Behind { within }) => {
                let at = later(within);
                self.held.insert((at, nth), Held { overtaken: true, ..held });
            }
        }
        self.note_faults();
    }

    /// Lists the faults that struck since the last call.
    pub(super) fn note_faults(&mut self) {
        for struck in self.faults.news() {
            self.strike(struck);
        }
    }

    /// Lists a fault that struck.
    pub(super) fn strike(&mut self, struck: Struck) {
        bounded(&mut self.struck, self.options.log_kept, struck);
    }

    /// Makes a message visible, and after it those that it was to overtake.
    fn deliver(&mut self, held: Held) {
        let received = held.message.received;
        let movement = held.movement.clone();
        if let (Some(mrn), Some(movement)) = (held.mrn, self.store.movement_mut(&movement)) {
            movement.mrn = Some(mrn);
        }
        self.store.add(&movement, held.message);
        let overtaken = |one: &Held| one.overtaken && one.movement == movement;
        let waiting: Vec<_> =
            self.held.iter().filter(|(_, one)| overtaken(one)).map(|(key, _)| *key).collect();
        for key in waiting {
            if let Some(mut behind) = self.held.remove(&key) {
                behind.overtaken = false;
                behind.message.received = received + TimeDelta::milliseconds(1);
                self.deliver(behind);
            }
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
                self.ncts.on_instruction(&instruction, number, now);
                record.acts = instruction.acts;
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
