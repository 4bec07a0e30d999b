//! A run as JSON tells it: the same facts in `evidence list`, `evidence show`
//! and `evidence export --to json`. Fields may be added, none is renamed;
//! what is absent is `null`.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::model::{Exchange, OnlyIndexed, Outcome, RunStory};
use super::timeline::{Moment, timeline};
use crate::digest::Digest;
use crate::evidence::{
    BalanceRecord, Driver, Event, Failure, FunctionalError, MessageRecord, ObjectRef, OfficerAsked,
    PayloadCheck, Purpose, Recorded, RunId, RunRecord, RunState, SoftwareId,
};
use crate::ncts::{Direction, MessageType, MovementKind};
use crate::project::Environment;

/// One attempt.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunFacts {
    /// The run.
    pub run: RunId,
    /// `DSGB1`.
    pub scenario: String,
    /// `ncts5-final`.
    pub programme: String,
    /// Where messages went.
    pub environment: Environment,
    /// From the simulator: never satisfies the gate.
    pub simulated: bool,
    /// Who acted as the trader's software.
    pub driver: Driver,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Where it stands.
    pub state: RunState,
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
    /// The oldest defensible time of its first submission.
    pub first_submission: Option<DateTime<Utc>>,
    /// When it opened: our clock.
    pub started: DateTime<Utc>,
    /// When it ended: our clock.
    pub finished: Option<DateTime<Utc>>,
    /// LRN of its departure.
    pub lrn: Option<String>,
    /// MRN.
    pub mrn: Option<String>,
    /// Requests that left.
    pub requests: u32,
    /// Largest difference between our clock and the server's, in milliseconds;
    /// positive: we were ahead.
    pub max_skew_ms: Option<i64>,
    /// Messages, in the order in which they were recorded.
    pub messages: Vec<MessageFacts>,
    /// Balances of guarantees asked for, likewise.
    pub balances: Vec<BalanceRecord>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// A message sent or received.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MessageFacts {
    /// The type.
    pub message: MessageType,
    /// Sent or received.
    pub direction: Direction,
    /// Scenario step, for a message sent.
    pub step: Option<u32>,
    /// When our request for it was made: our clock.
    pub at: DateTime<Utc>,
    /// The server's `Date` in the answer.
    pub server_time: Option<DateTime<Utc>>,
    /// The API's own time for the message.
    pub received: Option<DateTime<Utc>>,
    /// HTTP status of that exchange.
    pub status: u16,
    /// Number of that exchange in the run.
    pub exchange: u32,
    /// Kind of movement.
    pub movement: MovementKind,
    /// The API's id of the movement.
    pub movement_id: String,
    /// The API's id of the message.
    pub message_id: String,
    /// LRN inside.
    pub lrn: Option<String>,
    /// MRN inside.
    pub mrn: Option<String>,
    /// Errors named by a rejection.
    pub errors: Vec<FunctionalError>,
    /// The XML body.
    pub body: BodyRef,
}

/// A body, by the digest of its stored bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BodyRef {
    /// SHA-256 of the stored bytes.
    pub sha256: Digest,
    /// Stored bytes.
    pub bytes: u64,
    /// `Content-Type` as sent or received.
    pub media_type: Option<String>,
    /// A secret in it was replaced by its salted digest before it was stored.
    pub redacted: bool,
}

/// An attempt of which only the index tells.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OnlyIndexedFacts {
    /// The run.
    pub run: RunId,
    /// `DSGB1`.
    pub scenario: String,
    /// `ncts5-final`.
    pub programme: String,
    /// Where messages went.
    pub environment: Environment,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// How it ended.
    pub state: RunState,
    /// Why it was removed.
    pub removed: Option<String>,
    /// What is wrong with its journal, which should be there.
    pub problem: Option<String>,
}

/// One attempt, with everything that happened in it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunDetail {
    /// What it amounts to.
    #[serde(flatten)]
    pub facts: RunFacts,
    /// Its exchanges, in the order of their numbers.
    pub exchanges: Vec<ExchangeFacts>,
    /// E-mails that asked officers to act, or reminded them.
    pub mails: Vec<MailFacts>,
    /// What the user says of the officers' replies.
    pub replies: Vec<ReplyFacts>,
    /// What happened, in plain words.
    pub timeline: Vec<Moment>,
}

/// One HTTP request and what came of it. Without `response` and `failure`
/// nothing is known of that.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ExchangeFacts {
    /// Its number in the run, from 1.
    pub exchange: u32,
    /// When it left: our clock.
    pub at: DateTime<Utc>,
    /// What it is for.
    pub purpose: Purpose,
    /// The scenario step, for a submission and a question for a balance.
    pub step: Option<u32>,
    /// The message, for a submission.
    pub message: Option<MessageType>,
    /// Where the payload came from.
    pub payload_origin: Option<String>,
    /// How the scenario had the payload depart from its data.
    pub payload_mutation: Option<String>,
    /// What HMRC's schemas said of the payload.
    pub payload_check: Option<PayloadCheck>,
    /// What was sent.
    pub request: RequestFacts,
    /// The answer.
    pub response: Option<ResponseFacts>,
    /// Why there is no answer.
    pub failure: Option<NoAnswerFacts>,
}

/// What was sent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RequestFacts {
    /// HTTP method.
    pub method: String,
    /// Full address.
    pub url: String,
    /// Headers in the order sent.
    pub headers: Vec<Header>,
    /// Body.
    pub body: Option<BodyRef>,
}

/// An answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ResponseFacts {
    /// HTTP status.
    pub status: u16,
    /// Headers in the order received.
    pub headers: Vec<Header>,
    /// Body.
    pub body: Option<BodyRef>,
    /// The server's `Date`.
    pub server_date: Option<DateTime<Utc>>,
    /// From the request's first byte to the answer's last, in nanoseconds.
    pub elapsed_ns: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NoAnswerFacts {
    /// `connect`, `timeout`, `reset`, `body`, `tls`, `other`.
    pub failure: String,
    /// In words.
    pub detail: String,
    /// Whether the server may have acted all the same.
    pub may_have_arrived: bool,
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Header {
    /// Its name, as sent or received.
    pub name: String,
    /// Its value; secrets as their salted digests.
    pub value: String,
}

/// An e-mail to HMRC's officers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MailFacts {
    /// When it was drafted: our clock.
    pub at: DateTime<Utc>,
    /// The scenario step.
    pub step: u32,
    /// Whether it reminds of an earlier one.
    pub reminder: bool,
    /// Recipient.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// Its text.
    pub body: BodyRef,
    /// The whole e-mail as a file (RFC 5322).
    pub eml: Option<BodyRef>,
    /// True when ctc-ready delivered it; false when a person must send it.
    pub delivered: bool,
}

/// What the user says of the officers' reply.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReplyFacts {
    /// When the user said so: our clock.
    pub at: DateTime<Utc>,
    /// The scenario step.
    pub step: u32,
    /// In the user's words.
    pub note: Option<String>,
    /// The reply, a screenshot.
    pub attachments: Vec<AttachmentFacts>,
}

/// A file that the user gave as evidence.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AttachmentFacts {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub file: BodyRef,
}

impl RunFacts {
    /// The facts of a recorded run.
    pub fn of(record: &RunRecord) -> Self {
        let first_submission = record.first_submission();
        let record = record.clone();
        Self {
            run: record.run,
            scenario: record.scenario,
            programme: record.programme,
            environment: record.environment,
            simulated: record.simulated,
            driver: record.driver,
            attempt: record.attempt,
            state: record.state,
            software: record.software,
            tool: record.tool,
            operator: record.operator,
            base_url: record.base_url,
            api_version: record.api_version,
            first_submission,
            started: record.opened,
            finished: record.closed,
            lrn: record.lrn,
            mrn: record.mrn,
            requests: record.requests,
            max_skew_ms: record.max_skew_ms,
            messages: record.messages.into_iter().map(MessageFacts::from).collect(),
            balances: record.balances,
            failure: record.failure,
        }
    }
}

impl From<MessageRecord> for MessageFacts {
    fn from(message: MessageRecord) -> Self {
        Self {
            message: message.message,
            direction: message.direction,
            step: message.step,
            at: message.at,
            server_time: message.server_time,
            received: message.received,
            status: message.status,
            exchange: message.exchange,
            movement: message.movement,
            movement_id: message.movement_id,
            message_id: message.message_id,
            lrn: message.lrn,
            mrn: message.mrn,
            errors: message.errors,
            body: BodyRef::from(&message.body),
        }
    }
}

impl From<&ObjectRef> for BodyRef {
    fn from(object: &ObjectRef) -> Self {
        Self {
            sha256: object.sha256,
            bytes: object.bytes,
            media_type: object.media_type.clone(),
            redacted: object.redacted,
        }
    }
}

impl From<&OnlyIndexed> for OnlyIndexedFacts {
    fn from(run: &OnlyIndexed) -> Self {
        let indexed = &run.indexed;
        Self {
            run: run.run,
            scenario: indexed.scenario.clone(),
            programme: indexed.programme.clone(),
            environment: indexed.environment,
            attempt: indexed.attempt,
            state: indexed.closed.map_or(RunState::Waiting, |closed| closed.state),
            removed: indexed.removed.clone(),
            problem: run.problem.clone(),
        }
    }
}

impl OnlyIndexedFacts {
    /// Why no more is told, in words.
    pub(crate) fn why(&self) -> String {
        match (&self.removed, &self.problem) {
            (Some(reason), _) => format!("removed: {reason}"),
            (None, Some(problem)) => format!("its journal cannot be read: {problem}"),
            (None, None) => "its journal is not told".to_owned(),
        }
    }
}

impl RunDetail {
    /// Everything of a run.
    pub fn of(story: &RunStory) -> Self {
        let (mut mails, mut replies) = (Vec::new(), Vec::new());
        for Recorded { at, event, .. } in &story.events {
            match event {
                Event::OfficerAsked(mail) => mails.push(MailFacts::of(*at, mail, false)),
                Event::OfficerReminded(mail) => mails.push(MailFacts::of(*at, mail, true)),
                Event::OfficerAnswered(answered) => {
                    let attachments = answered.attachments.iter().map(|attached| {
                        let file = BodyRef::from(&attached.file);
                        AttachmentFacts { name: attached.name.clone(), file }
                    });
                    replies.push(ReplyFacts {
                        at: *at,
                        step: answered.step,
                        note: answered.note.clone(),
                        attachments: attachments.collect(),
                    });
                }
                _ => {}
            }
        }
        Self {
            facts: RunFacts::of(&story.record),
            exchanges: story.exchanges.iter().map(ExchangeFacts::from).collect(),
            mails,
            replies,
            timeline: timeline(&story.events),
        }
    }
}

impl MailFacts {
    fn of(at: DateTime<Utc>, mail: &OfficerAsked, reminder: bool) -> Self {
        Self {
            at,
            step: mail.step,
            reminder,
            to: mail.to.clone(),
            subject: mail.subject.clone(),
            body: BodyRef::from(&mail.body),
            eml: mail.eml.as_ref().map(BodyRef::from),
            delivered: mail.delivered,
        }
    }
}

impl From<&Exchange> for ExchangeFacts {
    fn from(exchange: &Exchange) -> Self {
        let request = exchange.request.clone();
        let (mut response, mut failure) = (None, None);
        match &exchange.outcome {
            Outcome::Answered(answer) => {
                response = Some(ResponseFacts {
                    status: answer.status,
                    headers: headers(&answer.headers),
                    body: answer.body.as_ref().map(BodyRef::from),
                    server_date: answer.server_date,
                    elapsed_ns: answer.elapsed_ns,
                });
            }
            Outcome::Failed(failed) => {
                failure = Some(NoAnswerFacts {
                    failure: failed.failure.clone(),
                    detail: failed.detail.clone(),
                    may_have_arrived: failed.may_have_arrived,
                });
            }
            Outcome::Unknown => {}
        }
        Self {
            exchange: request.exchange,
            at: exchange.at,
            purpose: request.purpose,
            step: request.step,
            message: request.message,
            payload_origin: request.payload_origin,
            payload_mutation: request.payload_mutation,
            payload_check: request.payload_check,
            request: RequestFacts {
                method: request.method,
                url: request.url,
                headers: headers(&request.headers),
                body: request.body.as_ref().map(BodyRef::from),
            },
            response,
            failure,
        }
    }
}

/// Headers as JSON tells them.
pub(super) fn headers(pairs: &[(String, String)]) -> Vec<Header> {
    let header =
        |(name, value): &(String, String)| Header { name: name.clone(), value: value.clone() };
    pairs.iter().map(header).collect()
}

/// The name that a value has in JSON: `trader-test`.
pub(super) fn name<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// Where a run stands, in a word or two.
pub fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Passed => "passed",
        RunState::Failed => "failed",
        RunState::Waiting => "under way",
        RunState::Abandoned => "given up",
    }
}
