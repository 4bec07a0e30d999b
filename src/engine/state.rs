//! What has happened in a run, folded from its journal alone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};

use super::large::Upload;
use super::sandbox::{self, Filed, Injection};
use crate::evidence::{
    BalanceAnswered, Driver, Event, MessageNoted, ObjectRef, Purpose, Received, Recorded, Request,
    RunClosed, Submitted,
};
use crate::ncts::{MessageType, MovementKind};
use crate::project::Environment;

/// A run as its journal tells it.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// When it opened.
    pub opened: Option<DateTime<Utc>>,
    /// Who acts as the trader's software; none before it opened.
    pub driver: Option<Driver>,
    /// Where its messages go; none before it opened.
    pub environment: Option<Environment>,
    /// Numbers of exchanges used so far.
    pub last_exchange: u32,
    /// Requests that left.
    pub requests: u32,
    /// The LRN of its declaration, from the first intent to send one.
    pub lrn: Option<String>,
    /// The MRN, once a message told it; in the sandbox, where every message tells
    /// another, that of the IE028, which is the one that the API knows.
    pub mrn: Option<String>,
    /// Movements by kind.
    pub movements: BTreeMap<MovementKind, String>,
    /// The boxes that are told of their messages, where the API named them.
    pub boxes: BTreeMap<MovementKind, String>,
    /// Steps whose message the API took, with the time at which it left, by our
    /// clock.
    pub sent: BTreeMap<u32, (DateTime<Utc>, Submitted)>,
    /// Steps for which the officers were asked, with the time.
    pub asked: BTreeMap<u32, DateTime<Utc>>,
    /// Steps whose officers were reminded, with the time.
    pub reminded: BTreeMap<u32, DateTime<Utc>>,
    /// Steps to which the officers replied by the user's word, with the time
    /// at which that was last said.
    pub answered: BTreeMap<u32, DateTime<Utc>>,
    /// Steps whose question for a balance was answered, with the time at which
    /// the question left.
    pub balances: BTreeMap<u32, (DateTime<Utc>, BalanceAnswered)>,
    /// A question for a balance that is not answered yet.
    pub balance_pending: Option<BalancePending>,
    /// When a question for a balance that brought no answer may last have
    /// locked its guarantee.
    pub balance_locked: Option<DateTime<Utc>>,
    /// Messages of NCTS in the order fetched, with the time.
    pub received: Vec<(DateTime<Utc>, Received)>,
    /// Ids of all messages that need not be fetched (any more).
    pub known_messages: BTreeSet<String>,
    /// A POST whose fate is not settled.
    pub pending: Option<Pending>,
    /// The message that was injected last, until it is fetched.
    pub injection: Option<Injection>,
    /// The large message that is announced, until what became of it is known.
    pub upload: Option<Upload>,
    /// The exchange that announces one.
    pub announcing: Option<u32>,
    /// POSTs of the present step that certainly were not taken.
    pub refusals: u32,
    /// POSTs of the present step that may have arrived, and that no look-up
    /// found.
    pub lost: u32,
    /// Whether this process took the run up again, and may have missed news.
    pub resumed: bool,
    /// How far our clock was ahead of the server's at most.
    pub ahead: Duration,
    /// The command that is to make the software send the present step's
    /// message, until that is found or certainly was not sent.
    pub command: Option<CommandRun>,
    /// Commands of the present step that ended, in this session, without a
    /// message.
    pub vain_commands: u32,
    /// When this session last asked, and was told, what the software sent, and
    /// the exchange.
    pub sought: Option<(DateTime<Utc>, u32)>,
    /// The same, of a question that is not answered (yet).
    pub seeking: Option<(DateTime<Utc>, u32)>,
    /// When a message, sent or received, was last recorded, and the last
    /// exchange before that.
    pub last_message: Option<(DateTime<Utc>, u32)>,
    /// What the software sent that fits no step, or contradicts its own.
    pub misfits: Vec<MessageNoted>,
    /// Set once the run is over.
    pub closed: Option<(DateTime<Utc>, RunClosed)>,
}

/// A question for a balance that has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancePending {
    /// Its exchange.
    pub exchange: u32,
    /// When it was recorded.
    pub left: DateTime<Utc>,
}

/// A command of the user's that was started.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandRun {
    /// The scenario step.
    pub step: u32,
    /// When that was recorded.
    pub at: DateTime<Utc>,
    /// The last exchange before that.
    pub after: u32,
    /// How long it may take.
    pub timeout: Duration,
    /// How it ended; none: its end is not known.
    pub end: Option<CommandEnd>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEnd {
    /// When that was recorded.
    pub at: DateTime<Utc>,
    /// The last exchange before that.
    pub after: u32,
    /// Whether it says that it did what it should.
    pub well: bool,
    /// The movement that it named.
    pub movement_id: Option<String>,
}

/// A POST of a message that is not (yet) known to have been taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// The request as recorded.
    pub request: Request,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// The body that left.
    pub body: Option<ObjectRef>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a POST.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// No usable answer: the API may or may not have it.
    Unknown,
    /// The API does not have it; it may be sent again.
    NotTaken,
    /// The API refused it for good (HTTP status).
    Refused(u16),
    /// Its file was uploaded; whether the API takes it is not known yet.
    Uploaded,
    /// The API refused its file for good.
    UploadRefused,
    /// The API says it has the LRN already (HTTP 409), and an earlier POST of
    /// ours got lost: only a look-up tells whether that one is there.
    Conflict,
}

/// What an answer's status says of a POST.
fn fate(status: u16, lost: u32) -> Fate {
    match status {
        // Not looked at: the token, a proxy, the budget.
        401 | 403 | 407 | 429 | 501 => Fate::NotTaken,
        409 if lost > 0 => Fate::Conflict,
        // Refused for what it is.
        400..=499 if status != 408 => Fate::Refused(status),
        // Taken: `Submitted` follows, or a look-up finds it. Or a server in
        // trouble that may have stored it first, or someone in between.
        _ => Fate::Unknown,
    }
}

impl State {
    /// Folds a whole journal.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.apply(event);
        }
        state
    }

    /// Takes one more event into account.
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        if matches!(
            recorded.event,
            Event::Submitted(_) | Event::Received(_) | Event::MessageNoted(_)
        ) {
            self.last_message = Some((at, self.last_exchange));
        }
        match &recorded.event {
            Event::RunOpened(opened) => {
                self.opened = Some(at);
                self.driver = Some(opened.driver);
                self.environment = Some(opened.environment);
            }
            Event::Imported(_) => {}
            Event::Assigned(assigned) => {
                let sent = std::mem::take(&mut self.sent).into_values();
                self.sent = sent
                    .zip(&assigned.steps)
                    .map(|((at, sent), step)| (*step, (at, Submitted { step: *step, ..sent })))
                    .collect();
            }
            // A new session is a new try.
            Event::RunResumed(_) => {
                self.refusals = 0;
                self.resumed = true;
                self.vain_commands = 0;
                self.sought = None;
                // Where it was to be uploaded nobody knows any more.
                self.upload.take_if(|upload| upload.left.is_none());
                if let Some(upload) = &mut self.upload {
                    upload.left = Some(at);
                }
                // A question that was under way has ended with its process.
                if self.balance_pending.take().is_some() {
                    self.balance_locked = Some(at);
                }
            }
            Event::Request(request) => {
                self.last_exchange = self.last_exchange.max(request.exchange);
                self.requests += 1;
                if request.purpose == Purpose::LookUp {
                    self.seeking = Some((at, request.exchange));
                }
                if request.purpose == Purpose::Balance {
                    self.balance_pending =
                        Some(BalancePending { exchange: request.exchange, left: at });
                }
                if request.purpose == Purpose::Inject {
                    self.injection = Injection::leaving(request, at);
                }
                if request.purpose == Purpose::Announce {
                    self.lrn = self.lrn.take().or_else(|| request.lrn.clone());
                    self.announcing = Some(request.exchange);
                    self.upload = None;
                    self.pending = None;
                }
                if request.purpose == Purpose::Submit {
                    // Whoever sends again without looking leaves in doubt
                    // whether the one before arrived.
                    if let Some(before) = &self.pending
                        && before.request.step == request.step
                        && matches!(before.fate, Fate::Unknown | Fate::Conflict)
                    {
                        self.lost += 1;
                    }
                    if let Some(upload) = &mut self.upload {
                        upload.left = Some(at);
                    }
                    self.lrn = self.lrn.take().or_else(|| request.lrn.clone());
                    self.pending = Some(Pending {
                        request: request.clone(),
                        at: request.sent_at.unwrap_or(at),
                        body: request.body.clone(),
                        // Until an answer says otherwise: the process may die
                        // between the POST and its answer.
                        fate: Fate::Unknown,
                    });
                }
            }
            Event::Response(response) => {
                if (200..300).contains(&response.status) {
                    let answered =
                        |(_, exchange): &mut (DateTime<Utc>, u32)| *exchange == response.exchange;
                    self.sought = self.seeking.take_if(answered).or(self.sought);
                }
                // Our clock was not there when a file was recorded.
                if let Some(date) =
                    response.server_date.filter(|_| self.driver != Some(Driver::Import))
                {
                    self.ahead = self.ahead.max(at - date);
                }
                // It may yet be taken for an answer, by the event that follows.
                if self.asked_balance(response.exchange) {
                    self.refusals += 1;
                    self.balance_locked = Some(at);
                }
                self.injection_is(response.exchange, sandbox::filed(response.status));
                let good = (200..300).contains(&response.status);
                if self.announcing.take_if(|it| *it == response.exchange).is_some() && !good {
                    self.refusals += 1;
                }
                let (lost, uploads) = (self.lost, self.upload.is_some());
                if let Some(pending) = self.pending_exchange(response.exchange) {
                    pending.fate = match uploads {
                        true if good => Fate::Uploaded,
                        true => fate(response.status, 0),
                        false => fate(response.status, lost),
                    };
                    if pending.fate == Fate::NotTaken {
                        self.not_taken();
                    }
                }
            }
            Event::RequestFailed(failed) => {
                if self.asked_balance(failed.exchange) {
                    self.refusals += 1;
                    self.balance_pending = None;
                    if failed.may_have_arrived {
                        self.balance_locked = Some(at);
                    }
                }
                if !failed.may_have_arrived {
                    self.injection_is(failed.exchange, Filed::No);
                }
                if let Some(pending) = self.pending_exchange(failed.exchange)
                    && !failed.may_have_arrived
                {
                    pending.fate = Fate::NotTaken;
                    self.not_taken();
                }
                if self.announcing.take_if(|it| *it == failed.exchange).is_some() {
                    self.refusals += 1;
                }
            }
            Event::Announced(announced) => {
                self.upload = Some(Upload { announced: announced.clone(), left: None });
            }
            Event::UploadRefused(_) => {
                self.upload = None;
                if let Some(pending) = &mut self.pending {
                    pending.fate = Fate::UploadRefused;
                }
            }
            Event::LookedUp(looked) => {
                if let Some(pending) = &mut self.pending
                    && pending.request.step == Some(looked.step)
                    && !looked.found
                {
                    pending.fate = match pending.fate {
                        // Whoever has the LRN, it is not we.
                        Fate::Conflict => Fate::Refused(409),
                        _ => Fate::NotTaken,
                    };
                    self.not_taken();
                    self.lost += 1;
                }
                let injected = self.injection.as_ref().filter(|it| it.step == looked.step);
                if let Some(exchange) = injected.map(|injection| injection.exchange) {
                    let filed = if looked.found { Filed::Yes } else { Filed::No };
                    self.injection_is(exchange, filed);
                }
                if let Some(command) = self.command.take_if(|it| it.step == looked.step)
                    && command.end.is_some()
                {
                    self.vain_commands += 1;
                }
            }
            Event::Submitted(submitted) => {
                let pending = self.pending.take();
                self.upload = None;
                // What the software sent left when the API got it.
                let left = pending
                    .map_or_else(|| self.came_at(at, submitted.received), |pending| pending.at);
                self.refusals = 0;
                self.lost = 0;
                self.command = None;
                self.vain_commands = 0;
                if self.seeks_what_was_sent() && submitted.lrn.is_some() {
                    self.lrn.clone_from(&submitted.lrn);
                }
                self.movements.insert(submitted.movement, submitted.movement_id.clone());
                // Only the message that makes a movement names its box.
                if let Some(id) = &submitted.box_id {
                    self.boxes.insert(submitted.movement, id.clone());
                }
                self.known_messages.insert(submitted.message_id.clone());
                self.sent.insert(submitted.step, (left, submitted.clone()));
            }
            Event::Received(received) => {
                if self.mrn.is_none()
                    && (!self.in_sandbox() || received.message == MessageType::Ie028)
                {
                    self.mrn = received.mrn.clone();
                }
                if self.injection.take_if(|injection| injection.brought(received)).is_some() {
                    self.refusals = 0;
                }
                // One message counts once, however often it is fetched.
                if self.known_messages.insert(received.message_id.clone())
                    && !self.is_repeated(received)
                {
                    self.received.push((at, received.clone()));
                }
            }
            Event::OfficerAsked(asked) => {
                self.asked.insert(asked.step, at);
            }
            Event::OfficerReminded(asked) => {
                self.reminded.insert(asked.step, at);
            }
            Event::OfficerAnswered(answered) => {
                self.answered.insert(answered.step, at);
            }
            Event::BalanceAnswered(answered) => {
                let left = self.balance_pending.take().map_or(at, |pending| pending.left);
                self.refusals = 0;
                self.balance_locked = None;
                self.balances.insert(answered.step, (left, answered.clone()));
            }
            Event::CommandStarted(started) => {
                // Another try at a declaration has another LRN.
                if started.message == MessageType::Ie015 {
                    self.lrn = Some(started.lrn.clone());
                }
                self.command = Some(CommandRun {
                    step: started.step,
                    at,
                    after: self.last_exchange,
                    timeout: Duration::milliseconds(
                        i64::try_from(started.timeout_ms).unwrap_or(i64::MAX / 2),
                    ),
                    end: None,
                });
            }
            Event::CommandEnded(ended) => {
                let after = self.last_exchange;
                if let Some(command) = self.command.as_mut().filter(|it| it.step == ended.step) {
                    command.end = Some(CommandEnd {
                        at,
                        after,
                        well: ended.failure.is_none(),
                        movement_id: ended.movement_id.clone(),
                    });
                }
            }
            Event::MovementNamed(named) => {
                self.movements.insert(named.movement, named.movement_id.clone());
            }
            Event::MessageNoted(noted) => {
                if noted.step.is_none() || noted.contradiction.is_some() {
                    self.known_messages.insert(noted.message_id.clone());
                    self.misfits.push(noted.clone());
                }
            }
            Event::RunClosed(closed) => self.closed = Some((at, closed.clone())),
        }
    }

    /// Whether nobody answers but whom we have answer.
    pub fn in_sandbox(&self) -> bool {
        self.environment == Some(Environment::Sandbox)
    }

    /// Notes that the API does not have the message that was sent.
    fn not_taken(&mut self) {
        self.refusals += 1;
        // A place for a file is used once.
        self.upload = None;
    }

    /// Notes what became of the injection of this exchange.
    fn injection_is(&mut self, exchange: u32, fate: Filed) {
        let Some(injection) = self.injection.as_mut().filter(|it| it.exchange == exchange) else {
            return;
        };
        injection.fate = fate;
        if fate == Filed::No {
            self.refusals += 1;
        }
    }

    /// Whether what the software sends is looked for in the API, where it
    /// neither leaves us nor passes by.
    pub fn seeks_what_was_sent(&self) -> bool {
        matches!(self.driver, Some(Driver::Command | Driver::Collect))
    }

    /// Whether the software sends whenever it likes, and not when we ask it to.
    pub fn software_acts_alone(&self) -> bool {
        matches!(self.driver, Some(Driver::Proxy | Driver::Collect | Driver::Import))
    }

    /// When a message of this run was last recorded, or it opened; and the last
    /// exchange before that.
    pub fn last_news(&self) -> Option<(DateTime<Utc>, u32)> {
        self.last_message.or_else(|| Some((self.opened?, 0)))
    }

    /// When this session last looked for what the software sent, if it did
    /// after that exchange.
    pub fn sought_after(&self, exchange: u32) -> Option<DateTime<Utc>> {
        self.sought.filter(|(_, look)| *look > exchange).map(|(at, _)| at)
    }

    /// When, by our clock, the API got a message that was fetched at `at` and
    /// says it was `received` then: what follows it counts from there. `ahead`
    /// is too much by up to a second, for `Date` has whole seconds.
    pub fn came_at(&self, at: DateTime<Utc>, received: Option<DateTime<Utc>>) -> DateTime<Utc> {
        let ahead = (self.ahead - Duration::seconds(1)).max(Duration::zero());
        received.map_or(at, |received| at.min(received + ahead))
    }

    fn asked_balance(&self, exchange: u32) -> bool {
        self.balance_pending.as_ref().is_some_and(|pending| pending.exchange == exchange)
    }

    /// Whether this very text came before: the same message, told twice. Every
    /// message of NCTS has an identification of its own inside.
    fn is_repeated(&self, received: &Received) -> bool {
        self.received.iter().any(|(_, before)| {
            before.message == received.message
                && before.movement_id == received.movement_id
                && before.body.sha256 == received.body.sha256
        })
    }

    fn pending_exchange(&mut self, exchange: u32) -> Option<&mut Pending> {
        self.pending.as_mut().filter(|pending| pending.request.exchange == exchange)
    }

    /// When the declaration (IE015) left, for deadlines that count from it.
    pub fn declared_at(&self) -> Option<DateTime<Utc>> {
        self.sent
            .values()
            .find(|(_, submitted)| submitted.message == MessageType::Ie015)
            .map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{LookedUp, RequestFailed, Response};
    use chrono::TimeZone;

    fn line(seq: u64, event: Event) -> Recorded {
        let at = Utc.timestamp_opt(1_800_000_000 + seq as i64, 0).unwrap();
        Recorded { seq, at, mono_ns: seq, event }
    }

    fn post() -> Event {
        Event::Request(Request {
            exchange: 1,
            sent_at: None,
            purpose: Purpose::Submit,
            step: Some(1),
            message: Some(MessageType::Ie015),
            lrn: Some("LRN1".into()),
            message_identification: None,
            payload_origin: None,
            payload_mutation: None,
            payload_check: None,
            method: "POST".into(),
            url: "http://127.0.0.1".into(),
            headers: vec![],
            body: None,
        })
    }

    fn answer(status: u16) -> Event {
        Event::Response(Response {
            exchange: 1,
            status,
            headers: vec![],
            body: None,
            server_date: None,
            elapsed_ns: 0,
        })
    }

    #[test]
    fn the_fate_of_a_post_decides_whether_it_may_be_sent_again() {
        let fate = |events: &[Event]| {
            let lines: Vec<_> =
                events.iter().cloned().enumerate().map(|(i, e)| line(i as u64, e)).collect();
            State::fold(&lines).pending.map(|pending| pending.fate)
        };
        assert_eq!(fate(&[post()]), Some(Fate::Unknown), "killed before the answer");
        for (status, expected) in [
            (202, Fate::Unknown),
            (401, Fate::NotTaken),
            (429, Fate::NotTaken),
            (400, Fate::Refused(400)),
            (409, Fate::Refused(409)),
            (302, Fate::Unknown),
            (407, Fate::NotTaken),
            (408, Fate::Unknown),
            (500, Fate::Unknown),
            (501, Fate::NotTaken),
            (503, Fate::Unknown),
        ] {
            assert_eq!(fate(&[post(), answer(status)]), Some(expected), "{status}");
        }
        let looked = |found| Event::LookedUp(LookedUp { exchange: 2, step: 1, found });
        assert_eq!(fate(&[post(), looked(false)]), Some(Fate::NotTaken));
        assert_eq!(fate(&[post(), looked(true)]), Some(Fate::Unknown));
    }

    /// A server slower than our look-up says that the LRN is taken: by us.
    #[test]
    fn a_conflict_after_a_lost_post_is_looked_into() {
        let lost = Event::RequestFailed(RequestFailed {
            exchange: 1,
            failure: "timeout".into(),
            detail: String::new(),
            may_have_arrived: true,
        });
        let not_found = Event::LookedUp(LookedUp { exchange: 2, step: 1, found: false });
        let mut state = State::default();
        for (seq, event) in
            [post(), lost, not_found.clone(), post(), answer(409)].into_iter().enumerate()
        {
            state.apply(&line(seq as u64, event));
        }
        assert_eq!(state.pending.as_ref().unwrap().fate, Fate::Conflict);
        state.apply(&line(9, not_found));
        assert_eq!(state.pending.unwrap().fate, Fate::Refused(409));
    }

    #[test]
    fn the_lrn_of_the_first_intent_stays() {
        let state = State::fold(&[line(0, post()), line(1, answer(429)), line(2, post())]);
        assert_eq!(state.lrn.as_deref(), Some("LRN1"));
        assert_eq!(state.requests, 2);
        assert_eq!(state.refusals, 1);
    }
}
