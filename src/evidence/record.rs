//! What a run amounts to: the read model that judging, forms and reports use.
//! Folded from a journal's events by [`RunRecord::fold`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::clocks::{self, Clocks, RESOLUTION_MS, Watch};
use super::event::{
    Assigned, BalanceAnswered, Driver, Event, Failure, FunctionalError, ObjectRef, Purpose,
    Received, Request, Response, RunId, RunOpened, RunState, SoftwareId, Submitted, UNASSIGNED,
};
use crate::ncts::{Direction, MessageType, MovementKind};
use crate::project::Environment;

/// An event with the times of its journal line.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Line number, from 0.
    pub seq: u64,
    /// Our wall clock when the line was written, UTC, milliseconds.
    pub at: DateTime<Utc>,
    /// Our monotonic clock, nanoseconds since the session began.
    pub mono_ns: u64,
    /// What happened.
    pub event: Event,
}

/// One attempt at one scenario, as far as it has gone.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// `ncts5-final`.
    pub programme: String,
    /// `DSGB1`.
    pub scenario: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Where messages went.
    pub environment: Environment,
    /// From the simulator: never satisfies the gate.
    pub simulated: bool,
    /// Who acted as the trader's software.
    pub driver: Driver,
    /// The software under test.
    pub software: SoftwareId,
    /// `ctc-ready` and its version.
    pub tool: String,
    /// Who ran it.
    pub operator: Option<String>,
    /// Address of the API.
    pub base_url: String,
    /// API version.
    pub api_version: String,
    /// Where it stands.
    pub state: RunState,
    /// When it opened (our clock).
    pub opened: DateTime<Utc>,
    /// When its last line was written (our clock).
    pub last_event: DateTime<Utc>,
    /// When it closed (our clock).
    pub closed: Option<DateTime<Utc>>,
    /// Requests that left.
    pub requests: u32,
    /// LRN of its departure.
    pub lrn: Option<String>,
    /// MRN, as soon as NCTS allocated it.
    pub mrn: Option<String>,
    /// Messages in the order in which they were recorded.
    pub messages: Vec<MessageRecord>,
    /// Balances of guarantees asked for, likewise.
    pub balances: Vec<BalanceRecord>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Largest difference between our clock and the server's `Date` seen in
    /// the run, in milliseconds; positive: we are ahead.
    pub max_skew_ms: Option<i64>,
    /// What its clocks say of each other.
    pub clocks: Clocks,
}

/// One message sent or received.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageRecord {
    /// The type.
    pub message: MessageType,
    /// Sent or received.
    pub direction: Direction,
    /// Scenario step, for a message sent.
    pub step: Option<u32>,
    /// When it was sent or had, UTC. By our clock, when our request for it was
    /// made: the POST of a message sent, the GET that fetched a message
    /// received. Of a message that the software sent, and where we fetch
    /// afterwards what it did, the API's own time: our requests say nothing of
    /// when that was.
    pub at: DateTime<Utc>,
    /// The server's `Date` in the answer.
    pub server_time: Option<DateTime<Utc>>,
    /// The API's own time for the message.
    pub received: Option<DateTime<Utc>>,
    /// HTTP status of that exchange.
    pub status: u16,
    /// Number of that exchange in the journal.
    pub exchange: u32,
    /// Kind of movement.
    pub movement: MovementKind,
    /// The API's id of the movement.
    pub movement_id: String,
    /// The API's id of the message.
    pub message_id: String,
    /// MRN inside.
    pub mrn: Option<String>,
    /// LRN inside.
    pub lrn: Option<String>,
    /// Errors named by a rejection.
    pub errors: Vec<FunctionalError>,
    /// The XML body.
    pub body: ObjectRef,
}

/// One question for the balance of a guarantee, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BalanceRecord {
    /// Scenario step.
    pub step: u32,
    /// When the question was put (our clock, UTC).
    pub at: DateTime<Utc>,
    /// The server's `Date` in the answer.
    pub server_time: Option<DateTime<Utc>>,
    /// HTTP status.
    pub status: u16,
    /// The balance, in units of the currency.
    pub balance: Option<f64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// The code of a refusal.
    pub code: Option<String>,
    /// Number of the exchange in the journal.
    pub exchange: u32,
}

/// Events that make no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// No event at all.
    #[error("its journal has no event")]
    Empty,
    /// The first event, and no other, is `run-opened`.
    #[error("line {0}: `run-opened` must be the first event, and no other")]
    Opened(u64),
    /// Something after `run-closed`.
    #[error("line {0}: an event follows `run-closed`")]
    AfterClosed(u64),
    /// A run that waits is not closed.
    #[error("line {0}: `run-closed` says `waiting`")]
    ClosedWaiting(u64),
    /// It had a scenario already.
    #[error("line {0}: `assigned` gives a scenario to a run that had one")]
    AssignedBefore(u64),
    /// A second request of this number.
    #[error("line {line}: there was a request {exchange} before")]
    SecondRequest {
        /// Line number, from 1.
        line: u64,
        /// The exchange.
        exchange: u32,
    },
    /// An answer, or a message, without the request it came from.
    #[error("line {line}: there is no request {exchange}")]
    NoRequest {
        /// Line number, from 1.
        line: u64,
        /// The exchange.
        exchange: u32,
    },
    /// A second answer or failure for one request.
    #[error("line {line}: request {exchange} had its outcome before")]
    SecondOutcome {
        /// Line number, from 1.
        line: u64,
        /// The exchange.
        exchange: u32,
    },
    /// A message from an exchange without an answer.
    #[error("line {line}: request {exchange} got no answer")]
    NoResponse {
        /// Line number, from 1.
        line: u64,
        /// The exchange.
        exchange: u32,
    },
}

/// An exchange, while folding.
struct Exchange<'a> {
    at: DateTime<Utc>,
    /// Number of the request's line, from 0.
    seq: u64,
    /// When the line of its outcome was written.
    ended: Option<DateTime<Utc>>,
    request: &'a Request,
    outcome: Option<Outcome<'a>>,
}

enum Outcome<'a> {
    Answered(&'a Response),
    Failed { may_have_arrived: bool },
}

impl Exchange<'_> {
    /// Whether the server may have acted on it.
    fn may_have_counted(&self) -> bool {
        match self.outcome {
            None => true,
            Some(Outcome::Answered(response)) => response.status < 400 || response.status >= 500,
            Some(Outcome::Failed { may_have_arrived }) => may_have_arrived,
        }
    }
}

impl RunRecord {
    /// Whether it is of the simulator: the mark says so, or the environment.
    pub fn is_simulated(&self) -> bool {
        self.simulated || self.environment == Environment::Simulator
    }

    /// Folds a journal's events, in order, into what the run amounts to.
    ///
    /// # Errors
    /// The first event that cannot stand where it stands.
    pub fn fold(events: &[Recorded]) -> Result<Self, FoldError> {
        let first = events.first().ok_or(FoldError::Empty)?;
        let Event::RunOpened(opened) = &first.event else { return Err(FoldError::Opened(1)) };
        let mut record = Self::opened(opened, first.at);
        let mut exchanges: BTreeMap<u32, Exchange<'_>> = BTreeMap::new();
        let mut watch = Watch::default();
        watch.see(first, &mut record.clocks);
        // The line before which nothing was submitted.
        let mut submitted_from = None;
        for recorded in events.iter().skip(1) {
            let line = recorded.seq + 1;
            if record.closed.is_some() {
                return Err(FoldError::AfterClosed(line));
            }
            record.last_event = recorded.at;
            watch.see(recorded, &mut record.clocks);
            match &recorded.event {
                Event::RunOpened(_) => return Err(FoldError::Opened(line)),
                Event::Assigned(assigned) => record.assign(assigned, line)?,
                Event::RunResumed(_)
                | Event::LookedUp(_)
                | Event::Imported(_)
                | Event::Announced(_)
                | Event::UploadRefused(_)
                | Event::OfficerAsked(_)
                | Event::OfficerReminded(_)
                | Event::OfficerAnswered(_)
                | Event::CommandStarted(_)
                | Event::CommandEnded(_)
                | Event::MovementNamed(_)
                | Event::MessageNoted(_) => {}
                Event::Request(request) => {
                    let at = request.sent_at.unwrap_or(recorded.at);
                    let exchange =
                        Exchange { at, seq: recorded.seq, ended: None, request, outcome: None };
                    if exchanges.insert(request.exchange, exchange).is_some() {
                        let exchange = request.exchange;
                        return Err(FoldError::SecondRequest { line, exchange });
                    }
                    record.requests += 1;
                }
                Event::Response(response) => {
                    let outcome = Outcome::Answered(response);
                    settle(&mut exchanges, response.exchange, line, recorded.at, outcome)?;
                    // Our clock was not there when a file was recorded.
                    if record.driver != Driver::Import {
                        record.see_skew(recorded.at, response.server_date);
                    }
                }
                Event::RequestFailed(failed) => {
                    let outcome = Outcome::Failed { may_have_arrived: failed.may_have_arrived };
                    settle(&mut exchanges, failed.exchange, line, recorded.at, outcome)?;
                }
                Event::Submitted(submitted) => {
                    let (sent, seq) = sent(submitted, &exchanges, line)?;
                    submitted_from = Some(submitted_from.map_or(seq, |from: u64| from.min(seq)));
                    let told = exchanges.get(&sent.exchange).and_then(|exchange| exchange.ended);
                    let told = told.unwrap_or(recorded.at);
                    record.clocks.see_received(Some(sent.at), told, sent.received);
                    if sent.movement == MovementKind::Departure && record.lrn.is_none() {
                        record.lrn.clone_from(&sent.lrn);
                    }
                    record.keep(sent);
                }
                Event::Received(message) => {
                    let message = received(message, &exchanges, record.driver, line)?;
                    record.clocks.see_received(None, recorded.at, message.received);
                    record.keep(message);
                }
                Event::BalanceAnswered(answered) => {
                    let balance = balance(answered, &exchanges, line)?;
                    let seq = exchanges.get(&balance.exchange).map(|exchange| exchange.seq);
                    let seq = seq.unwrap_or(recorded.seq);
                    submitted_from = Some(submitted_from.map_or(seq, |from: u64| from.min(seq)));
                    record.balances.push(balance);
                }
                Event::RunClosed(closed) => {
                    if closed.state == RunState::Waiting {
                        return Err(FoldError::ClosedWaiting(line));
                    }
                    record.state = closed.state;
                    record.failure.clone_from(&closed.failure);
                    record.closed = Some(recorded.at);
                }
            }
        }
        record.clocks.earliest = submitted_from.and_then(|seq| clocks::earliest_from(events, seq));
        Ok(record)
    }

    fn opened(opened: &RunOpened, at: DateTime<Utc>) -> Self {
        let opened = opened.clone();
        Self {
            run: opened.run,
            programme: opened.programme,
            scenario: opened.scenario,
            attempt: opened.attempt,
            environment: opened.environment,
            simulated: opened.simulated,
            driver: opened.driver,
            software: opened.software,
            tool: opened.tool,
            operator: opened.operator,
            base_url: opened.base_url,
            api_version: opened.api_version,
            state: RunState::Waiting,
            opened: at,
            last_event: at,
            closed: None,
            requests: 0,
            lrn: None,
            mrn: None,
            messages: Vec::new(),
            balances: Vec::new(),
            failure: None,
            max_skew_ms: None,
            clocks: Clocks::default(),
        }
    }

    /// Makes it an attempt at a scenario.
    fn assign(&mut self, assigned: &Assigned, line: u64) -> Result<(), FoldError> {
        if self.scenario != UNASSIGNED {
            return Err(FoldError::AssignedBefore(line));
        }
        self.programme.clone_from(&assigned.programme);
        self.scenario.clone_from(&assigned.scenario);
        self.attempt = assigned.attempt;
        let sent = self.messages.iter_mut().filter(|it| it.direction == Direction::Sent);
        for (message, step) in sent.zip(&assigned.steps) {
            message.step = Some(*step);
        }
        Ok(())
    }

    fn keep(&mut self, message: MessageRecord) {
        // What is injected in the sandbox tells a random MRN each time; that of
        // the IE028 becomes the movement's.
        let its_own =
            self.environment != Environment::Sandbox || message.message == MessageType::Ie028;
        if self.mrn.is_none() && its_own {
            self.mrn.clone_from(&message.mrn);
        }
        self.messages.push(message);
    }

    fn see_skew(&mut self, at: DateTime<Utc>, server: Option<DateTime<Utc>>) {
        let Some(server) = server else { return };
        let skew = (at - server).num_milliseconds();
        let skew = if skew.abs() < RESOLUTION_MS { 0 } else { skew };
        if self.max_skew_ms.is_none_or(|max| skew.abs() > max.abs()) {
            self.max_skew_ms = Some(skew);
        }
    }

    /// The oldest defensible time of the run's first submission (or question
    /// for a balance): the earliest that any clock says of it, or of anything
    /// that came after it. Our clock, in the journal and in the index; the
    /// server's `Date`; the API's own times. None before anything was
    /// submitted.
    pub fn first_submission(&self) -> Option<DateTime<Utc>> {
        let submitted = !self.balances.is_empty()
            || self.messages.iter().any(|message| message.direction == Direction::Sent);
        if !submitted {
            return None;
        }
        let messages = self
            .messages
            .iter()
            .flat_map(|message| [Some(message.at), message.server_time, message.received]);
        let balances =
            self.balances.iter().flat_map(|balance| [Some(balance.at), balance.server_time]);
        let ours = [self.clocks.earliest, self.clocks.indexed];
        messages.chain(balances).chain(ours).flatten().min()
    }

    /// The first message of this type in this direction of time.
    pub fn message(&self, message: MessageType) -> Option<&MessageRecord> {
        self.messages.iter().find(|record| record.message == message)
    }
}

fn settle<'a>(
    exchanges: &mut BTreeMap<u32, Exchange<'a>>,
    exchange: u32,
    line: u64,
    at: DateTime<Utc>,
    outcome: Outcome<'a>,
) -> Result<(), FoldError> {
    let known = exchanges.get_mut(&exchange).ok_or(FoldError::NoRequest { line, exchange })?;
    if known.outcome.is_some() {
        return Err(FoldError::SecondOutcome { line, exchange });
    }
    known.outcome = Some(outcome);
    known.ended = Some(at);
    Ok(())
}

/// The request and the answer of an exchange from which a message came.
fn answered<'a, 'e>(
    exchanges: &'a BTreeMap<u32, Exchange<'e>>,
    exchange: u32,
    line: u64,
) -> Result<(&'a Exchange<'e>, &'e Response), FoldError> {
    let known = exchanges.get(&exchange).ok_or(FoldError::NoRequest { line, exchange })?;
    match known.outcome {
        Some(Outcome::Answered(response)) => Ok((known, response)),
        _ => Err(FoldError::NoResponse { line, exchange }),
    }
}

/// A message sent, and the number of the line with which it left.
fn sent(
    submitted: &Submitted,
    exchanges: &BTreeMap<u32, Exchange<'_>>,
    line: u64,
) -> Result<(MessageRecord, u64), FoldError> {
    let (exchange, response) = answered(exchanges, submitted.exchange, line)?;
    let left = if exchange.request.purpose == Purpose::Submit {
        exchange
    } else {
        // Found by look-up: it left with the oldest POST of this message that
        // may have arrived. Without one, the software sent it.
        exchanges
            .values()
            .filter(|other| {
                let request = other.request;
                request.purpose == Purpose::Submit
                    && (request.step, request.message)
                        == (Some(submitted.step), Some(submitted.message))
                    && other.may_have_counted()
            })
            .min_by_key(|other| other.at)
            .unwrap_or(exchange)
    };
    let record = MessageRecord {
        message: submitted.message,
        direction: Direction::Sent,
        step: Some(submitted.step),
        at: match left.request.purpose {
            Purpose::Submit => left.at,
            _ => submitted.received.unwrap_or(left.at),
        },
        server_time: response.server_date,
        received: submitted.received,
        status: response.status,
        exchange: submitted.exchange,
        movement: submitted.movement,
        movement_id: submitted.movement_id.clone(),
        message_id: submitted.message_id.clone(),
        mrn: submitted.mrn.clone(),
        lrn: submitted.lrn.clone(),
        errors: Vec::new(),
        body: submitted.body.clone(),
    };
    Ok((record, left.seq))
}

fn received(
    message: &Received,
    exchanges: &BTreeMap<u32, Exchange<'_>>,
    driver: Driver,
    line: u64,
) -> Result<MessageRecord, FoldError> {
    let (exchange, response) = answered(exchanges, message.exchange, line)?;
    let afterwards = matches!(driver, Driver::Command | Driver::Collect);
    Ok(MessageRecord {
        message: message.message,
        direction: Direction::Received,
        step: None,
        at: message.received.filter(|_| afterwards).unwrap_or(exchange.at),
        server_time: response.server_date,
        received: message.received,
        status: response.status,
        exchange: message.exchange,
        movement: message.movement,
        movement_id: message.movement_id.clone(),
        message_id: message.message_id.clone(),
        mrn: message.mrn.clone(),
        lrn: message.lrn.clone(),
        errors: message.errors.clone(),
        body: message.body.clone(),
    })
}

fn balance(
    answered: &BalanceAnswered,
    exchanges: &BTreeMap<u32, Exchange<'_>>,
    line: u64,
) -> Result<BalanceRecord, FoldError> {
    let (exchange, response) = self::answered(exchanges, answered.exchange, line)?;
    let answered = answered.clone();
    Ok(BalanceRecord {
        step: answered.step,
        at: exchange.at,
        server_time: response.server_date,
        status: answered.status,
        balance: answered.balance,
        currency: answered.currency,
        code: answered.code,
        exchange: answered.exchange,
    })
}
