//! One call with its record: the request line before it leaves, the answer
//! after it came.

use crate::evidence::{
    Durability, Event, EvidenceError, PayloadCheck, Purpose, Recorded, Redactor, Request,
    RequestFailed, Response, RunWriter,
};
use crate::hmrc::transport::{Answer, Call, Method, NoAnswer};
use crate::ncts::MessageType;
use crate::payload::Check;
use chrono::{DateTime, Utc};

/// What came of a call.
pub type Answered = Result<Answer, NoAnswer>;

/// What a request is for, beyond what the call itself says.
#[derive(Clone, Debug)]
pub struct Intent {
    /// What it is for.
    pub purpose: Purpose,
    /// The scenario step, for a submission.
    pub step: Option<u32>,
    /// The message type, for a submission.
    pub message: Option<MessageType>,
    /// The LRN inside.
    pub lrn: Option<String>,
    /// `messageIdentification` inside.
    pub message_identification: Option<String>,
    /// Where the payload came from.
    pub payload_origin: Option<String>,
    /// How it departs from its data.
    pub payload_mutation: Option<String>,
    /// What the schemas say of it.
    pub payload_check: Option<PayloadCheck>,
}

impl Intent {
    /// A request that only asks.
    pub fn asking(purpose: Purpose) -> Self {
        Self {
            purpose,
            step: None,
            message: None,
            lrn: None,
            message_identification: None,
            payload_origin: None,
            payload_mutation: None,
            payload_check: None,
        }
    }
}

/// Violations named in the evidence.
const VIOLATIONS: usize = 20;

/// What the schemas said, as evidence keeps it. A violation may quote the
/// message, so it is redacted like one.
pub fn payload_check(check: &Check, redactor: &Redactor) -> PayloadCheck {
    let first = check.violations.iter().take(VIOLATIONS);
    PayloadCheck {
        version: check.version.clone(),
        schemas: check.schemas,
        violations: u32::try_from(check.violations.len()).unwrap_or(u32::MAX),
        first: first.map(|violation| redactor.text(&violation.to_string())).collect(),
    }
}

/// Records that a call is about to leave (or, with `sent_at`, that it left). Of
/// a form that carries a `file`, only that is kept, and of its address no query.
///
/// # Errors
/// When the evidence cannot be written.
pub fn record_request(
    writer: &mut RunWriter,
    redactor: &Redactor,
    exchange: u32,
    intent: &Intent,
    call: &Call,
    sent_at: Option<DateTime<Utc>>,
    file: Option<&str>,
) -> Result<Recorded, EvidenceError> {
    let media_type = call
        .headers
        .iter()
        .find(|(name, _)| name == "content-type")
        .map(|(_, value)| value.as_str());
    let (body, media_type, url) = match file {
        Some(file) => {
            let place = call.url.split_once('?').map_or(call.url.as_str(), |(place, _)| place);
            (Some(file.as_bytes()), Some("application/xml"), place)
        }
        None => (call.body.as_deref(), media_type, call.url.as_str()),
    };
    let body = body.map(|body| writer.put_object(body, media_type, redactor)).transpose()?;
    // Only such a call changes anything at the other end: its intent must
    // outlive this process before the first byte leaves.
    let durability = match (call.method, sent_at) {
        (Method::Post | Method::Put, None) => Durability::Synced,
        _ => Durability::Buffered,
    };
    let request = Request {
        exchange,
        sent_at,
        purpose: intent.purpose,
        step: intent.step,
        message: intent.message,
        lrn: intent.lrn.clone(),
        message_identification: intent.message_identification.clone(),
        payload_origin: intent.payload_origin.clone(),
        payload_mutation: intent.payload_mutation.clone(),
        payload_check: intent.payload_check.clone(),
        method: call.method.as_str().to_owned(),
        url: redactor.url(url),
        headers: redactor.headers(&call.headers),
        body,
    };
    writer.append(Event::Request(request), durability)
}

/// Records what came of a call.
///
/// # Errors
/// When the evidence cannot be written.
pub fn record_result(
    writer: &mut RunWriter,
    redactor: &Redactor,
    exchange: u32,
    result: &Answered,
) -> Result<Recorded, EvidenceError> {
    let event = match result {
        Ok(answer) => {
            let body = if answer.body.is_empty() {
                None
            } else {
                Some(writer.put_object(&answer.body, answer.header("content-type"), redactor)?)
            };
            Event::Response(Response {
                exchange,
                status: answer.status,
                headers: redactor.headers(&answer.headers),
                body,
                server_date: answer.server_date,
                elapsed_ns: answer.elapsed_ns,
            })
        }
        Err(none) => Event::RequestFailed(RequestFailed {
            exchange,
            failure: none.failure.to_owned(),
            detail: redactor.text(&none.detail),
            may_have_arrived: none.may_have_arrived,
        }),
    };
    writer.append(event, Durability::Buffered)
}
