//! What a run amounts to: the read model that judging, forms and reports use.
//! Folded from a journal's events by [`RunRecord::fold`].

use chrono::{DateTime, Utc};

use std::collections::BTreeMap;

use super::event::{
    Driver, Event, Failure, FunctionalError, ObjectRef, Purpose, RunId, RunState, SoftwareId,
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
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Largest difference between our clock and the server's `Date` seen in
    /// the run, in milliseconds; positive: we are ahead.
    pub max_skew_ms: Option<i64>,
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
    /// When our request for it was made: the POST of a message sent, the GET
    /// that fetched a message received (our clock, UTC).
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

/// Why events make no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The first event does not open a run.
    #[error("the first line does not open a run")]
    NotOpened,
    /// A message names an exchange that is not recorded.
    #[error("line {line} names exchange {exchange}, which is not recorded")]
    UnknownExchange {
        /// Line number, from 1.
        line: u64,
        /// The exchange.
        exchange: u32,
    },
}

/// What is known of an exchange while folding.
struct Exchange {
    asked_at: DateTime<Utc>,
    status: u16,
    server_time: Option<DateTime<Utc>>,
}

/// `Date` headers have whole seconds: smaller differences say nothing.
const DATE_RESOLUTION_MS: i64 = 1_000;

impl RunRecord {
    /// What a journal's events amount to.
    ///
    /// # Errors
    /// When they make no run.
    pub fn fold(events: &[Recorded]) -> Result<Self, FoldError> {
        let (first, rest) = events.split_first().ok_or(FoldError::NotOpened)?;
        let Event::RunOpened(opened) = &first.event else { return Err(FoldError::NotOpened) };
        let mut record = Self {
            run: opened.run,
            programme: opened.programme.clone(),
            scenario: opened.scenario.clone(),
            attempt: opened.attempt,
            environment: opened.environment,
            simulated: opened.simulated,
            driver: opened.driver,
            software: opened.software.clone(),
            tool: opened.tool.clone(),
            operator: opened.operator.clone(),
            base_url: opened.base_url.clone(),
            api_version: opened.api_version.clone(),
            state: RunState::Waiting,
            opened: first.at,
            last_event: first.at,
            closed: None,
            requests: 0,
            lrn: None,
            mrn: None,
            messages: Vec::new(),
            failure: None,
            max_skew_ms: None,
        };
        let mut exchanges = BTreeMap::new();
        // The POST of each step: a look-up may find its message later.
        let mut posts: BTreeMap<u32, DateTime<Utc>> = BTreeMap::new();
        for line in rest {
            record.last_event = line.at;
            record.apply(line, &mut exchanges, &mut posts)?;
        }
        Ok(record)
    }

    fn apply(
        &mut self,
        line: &Recorded,
        exchanges: &mut BTreeMap<u32, Exchange>,
        posts: &mut BTreeMap<u32, DateTime<Utc>>,
    ) -> Result<(), FoldError> {
        match &line.event {
            Event::Request(request) => {
                self.requests += 1;
                let asked_at = request.sent_at.unwrap_or(line.at);
                if let (Purpose::Submit, Some(step)) = (request.purpose, request.step) {
                    posts.insert(step, asked_at);
                    self.lrn = self.lrn.take().or_else(|| request.lrn.clone());
                }
                exchanges
                    .insert(request.exchange, Exchange { asked_at, status: 0, server_time: None });
            }
            Event::Response(response) => {
                if let Some(exchange) = exchanges.get_mut(&response.exchange) {
                    exchange.status = response.status;
                    exchange.server_time = response.server_date;
                }
                if let Some(date) = response.server_date {
                    self.note_skew((line.at - date).num_milliseconds());
                }
            }
            Event::Submitted(submitted) => {
                let known = known(exchanges, submitted.exchange, line)?;
                self.messages.push(MessageRecord {
                    message: submitted.message,
                    direction: Direction::Sent,
                    step: Some(submitted.step),
                    at: posts.get(&submitted.step).copied().unwrap_or(known.asked_at),
                    server_time: known.server_time,
                    received: submitted.received,
                    status: known.status,
                    exchange: submitted.exchange,
                    movement: submitted.movement,
                    movement_id: submitted.movement_id.clone(),
                    message_id: submitted.message_id.clone(),
                    mrn: submitted.mrn.clone(),
                    lrn: submitted.lrn.clone(),
                    errors: Vec::new(),
                    body: submitted.body.clone(),
                });
            }
            Event::Received(received) => {
                let known = known(exchanges, received.exchange, line)?;
                if self.mrn.is_none() {
                    self.mrn = received.mrn.clone();
                }
                self.messages.push(MessageRecord {
                    message: received.message,
                    direction: Direction::Received,
                    step: None,
                    at: known.asked_at,
                    server_time: known.server_time,
                    received: received.received,
                    status: known.status,
                    exchange: received.exchange,
                    movement: received.movement,
                    movement_id: received.movement_id.clone(),
                    message_id: received.message_id.clone(),
                    mrn: received.mrn.clone(),
                    lrn: received.lrn.clone(),
                    errors: received.errors.clone(),
                    body: received.body.clone(),
                });
            }
            Event::RunClosed(closed) => {
                self.state = closed.state;
                self.failure = closed.failure.clone();
                self.closed = Some(line.at);
            }
            Event::RunOpened(_)
            | Event::RunResumed(_)
            | Event::RequestFailed(_)
            | Event::LookedUp(_)
            | Event::OfficerAsked(_) => {}
        }
        Ok(())
    }

    fn note_skew(&mut self, ms: i64) {
        // The answer was dated before it reached us: a second more or less.
        let ms = if ms.abs() <= DATE_RESOLUTION_MS { 0 } else { ms };
        if self.max_skew_ms.is_none_or(|largest| ms.abs() > largest.abs()) {
            self.max_skew_ms = Some(ms);
        }
    }

    /// The oldest defensible time of the run's first submission: the earliest
    /// of our clock, the server's `Date` and the API's own time. None before
    /// anything was submitted.
    pub fn first_submission(&self) -> Option<DateTime<Utc>> {
        self.messages
            .iter()
            .filter(|message| message.direction == Direction::Sent)
            .flat_map(|message| {
                [Some(message.at), message.server_time, message.received].into_iter().flatten()
            })
            .min()
    }

    /// The first message of this type, in this direction of time.
    pub fn message(&self, message: MessageType) -> Option<&MessageRecord> {
        self.messages.iter().find(|record| record.message == message)
    }
}

fn known<'a>(
    exchanges: &'a BTreeMap<u32, Exchange>,
    exchange: u32,
    line: &Recorded,
) -> Result<&'a Exchange, FoldError> {
    exchanges.get(&exchange).ok_or(FoldError::UnknownExchange { line: line.seq + 1, exchange })
}
