//! What one simulator knows: the API's store, NCTS behind it, the officers'
//! mailbox and the log of submissions. No HTTP and no clock: every call is
//! told the time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::balances::Locks;
use super::boxes::{About, Boxes};
use super::faults::{Faulting, Struck, Twist};
use super::grants::{Grants, User};
use super::http_errors::HttpError;
use super::ids;
use super::inject;
use super::json;
use super::movement::{Reply, Submitted};
use super::ncts::Ncts;
use super::officer::{self, Act, Mail};
use super::options::SimulatorOptions;
use super::outside::{Outside, Told};
use super::replies::Writer;
use super::store::{Status, Store, StoredMessage};
use super::texts::pairs;
use super::uploads::Uploads;
use super::users::Users;
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
    pub(super) grants: Grants,
    pub(super) users: Users,
    pub(super) locks: Locks,
    pub(super) boxes: Boxes,
    pub(super) uploads: Uploads,
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
        let outside = Outside::new(&options);
        Self {
            ncts: Ncts::new(Arc::clone(&options)),
            grants: Grants::new(&options.applications),
            users: Users::default(),
            locks: Locks::default(),
            boxes: boxes_of(&options),
            uploads: Uploads::default(),
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

    /// Lets time pass until `now`: files that were uploaded are looked at and
    /// replies that fell due are filed, each at the instant it fell due.
    pub(super) fn advance(&mut self, now: DateTime<Utc>) {
        while let Some((upload, file)) = self.uploads.next(now) {
            self.file_replies(file.due);
            self.look_at(&upload, file);
            self.happened += 1;
        }
        self.file_replies(now);
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
        let dropped = self.store.trim(now, most, bytes);
        for movement in &dropped {
            self.ncts.forget(movement);
        }
        self.boxes.trim(now, &dropped);
    }

    /// Files the replies that fell due until `until`, and those that faults
    /// held back until then.
    fn file_replies(&mut self, until: DateTime<Utc>) {
        loop {
            let appears = self.held.keys().next().map(|(at, _)| *at).filter(|at| *at <= until);
            let happens = self.ncts.next_at().filter(|at| *at <= until);
            match (appears, happens) {
                (Some(appears), happens) if happens.is_none_or(|at| appears <= at) => {
                    if let Some(((at, _), mut held)) = self.held.pop_first() {
                        if held.overtaken {
                            // Nothing came to overtake it.
                            held.message.received = stored(at);
                            held.overtaken = false;
                        }
                        self.deliver(held, at);
                    }
                }
                (_, Some(_)) => {
                    for reply in self.ncts.step(until).unwrap_or_default() {
                        self.file_reply(&reply);
                    }
                }
                (_, None) => break,
            }
            self.happened += 1;
        }
    }

    /// Files a reply, or what a fault makes of it.
    fn file_reply(&mut self, reply: &Reply) {
        let Some(writer) = &self.writer else { return };
        let body = match writer.write(reply, &mut self.ncts.ids) {
            Ok(xml) => xml,
            Err(error) => {
                tracing::error!(%error, message = %reply.message, "a reply cannot be written");
                return;
            }
        };
        self.replies += 1;
        let mrn = reply.departure.as_ref().and_then(|one| one.mrn.clone());
        let held = self.received(&reply.movement, reply.message, mrn, body.into(), reply.at);
        let (nth, options) = (self.replies, Arc::clone(&self.options));
        let later = |by| reply.at + options.scaled(by);
        match self.faults.twist(nth, reply) {
            None => self.deliver(held, reply.at),
            Some(Twist::Duplicate { after }) => {
                let (mut again, at) = (held.clone(), later(after));
                self.deliver(held, reply.at);
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

    /// A message that NCTS sends at an instant.
    fn received(
        &mut self,
        movement: &str,
        message: MessageType,
        mrn: Option<String>,
        body: Arc<str>,
        at: DateTime<Utc>,
    ) -> Held {
        Held {
            movement: movement.to_owned(),
            message: StoredMessage {
                id: self.ncts.ids.id(at),
                received: stored(at),
                message: Some(message),
                status: Status::Received,
                body: Some(body),
            },
            mrn: mrn.filter(|_| message == MessageType::Ie028),
            overtaken: false,
        }
    }

    /// Makes a message visible at an instant, notifies of it, and does the same
    /// for those that it was to overtake.
    fn deliver(&mut self, held: Held, at: DateTime<Utc>) {
        let Held { movement, message, mrn, .. } = held;
        let (received, id) = (message.received, message.id.clone());
        if let (Some(mrn), Some(movement)) = (mrn, self.store.movement_mut(&movement)) {
            movement.mrn = Some(mrn);
        }
        self.store.add(&movement, message);
        self.notify(&movement, &id, About::Received, at);
        let overtaken = |one: &Held| one.overtaken && one.movement == movement;
        let waiting: Vec<_> =
            self.held.iter().filter(|(_, one)| overtaken(one)).map(|(key, _)| *key).collect();
        for key in waiting {
            if let Some(mut behind) = self.held.remove(&key) {
                behind.overtaken = false;
                behind.message.received = received + TimeDelta::milliseconds(1);
                self.deliver(behind, at);
            }
        }
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
        let writer = self.writer.as_ref().ok_or_else(HttpError::internal)?;
        let written = writer.write_in_phase(&reply, inject::PHASE_ID, ids);
        let xml = written.map_err(|error| {
            tracing::error!(%error, %message, "a message to inject cannot be written");
            HttpError::internal()
        })?;
        let mrn = reply.departure.and_then(|one| one.mrn);
        let held = self.received(movement, message, mrn, xml.as_str().into(), now);
        let id = held.message.id.clone();
        self.deliver(held, now);
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

    /// Takes in what somebody who was called has answered.
    pub(super) fn learn(&mut self, told: &Told, now: DateTime<Utc>) {
        match told {
            Told::Callback { box_id, url } => self.boxes.set_callback(box_id, url.clone()),
            Told::Pushed(outcomes) => self.boxes.pushed(outcomes, now, &self.options),
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
