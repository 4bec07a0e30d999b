//! What a run amounts to: the read model that judging, forms and reports use.
//! Folded from a journal's events by [`RunRecord::fold`].

use chrono::{DateTime, Utc};

use super::event::{
    Driver, Event, Failure, FunctionalError, ObjectRef, RunId, RunState, SoftwareId,
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

impl RunRecord {
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

    /// The first message of this type in this direction of time.
    pub fn message(&self, message: MessageType) -> Option<&MessageRecord> {
        self.messages.iter().find(|record| record.message == message)
    }
}
