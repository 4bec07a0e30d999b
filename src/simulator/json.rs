//! The JSON of the API's answers, field by field in HMRC's order.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::store::{StoredMessage, StoredMovement};
use crate::ncts::{MessageType, MovementKind};

/// The start of every link.
pub(super) const CONTEXT: &str = "/customs/transits";

#[derive(Debug, Serialize)]
struct Href {
    href: String,
}

#[derive(Debug, Default, Serialize)]
struct Links {
    #[serde(rename = "self", skip_serializing_if = "Option::is_none")]
    this: Option<Href>,
    #[serde(skip_serializing_if = "Option::is_none")]
    departure: Option<Href>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrival: Option<Href>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Href>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Href>,
}

fn movement_href(kind: MovementKind, id: &str) -> String {
    format!("{CONTEXT}/movements/{}/{id}", kind.plural())
}

fn messages_href(kind: MovementKind, id: &str) -> String {
    format!("{}/messages", movement_href(kind, id))
}

fn message_href(kind: MovementKind, id: &str, message: &str) -> String {
    format!("{}/{message}", messages_href(kind, id))
}

fn href(href: String) -> Option<Href> {
    Some(Href { href })
}

/// `departureId` or `arrivalId`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MovementId {
    #[serde(skip_serializing_if = "Option::is_none")]
    departure_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrival_id: Option<String>,
}

impl MovementId {
    fn of(kind: MovementKind, id: &str) -> Self {
        let id = Some(id.to_owned());
        match kind {
            MovementKind::Departure => Self { departure_id: id, arrival_id: None },
            MovementKind::Arrival => Self { departure_id: None, arrival_id: id },
        }
    }
}

/// The answer to a message that was taken.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    #[serde(rename = "_links")]
    links: Links,
    #[serde(flatten)]
    movement: MovementId,
    #[serde(rename = "messageId")]
    message: String,
    #[serde(rename = "boxId", skip_serializing_if = "Option::is_none")]
    box_id: Option<String>,
    #[serde(rename = "uploadRequest", skip_serializing_if = "Option::is_none")]
    upload: Option<UploadRequest>,
}

/// Where a large message may be uploaded, and what must be sent with it.
#[derive(Debug, Serialize)]
pub(super) struct UploadRequest {
    pub(super) href: String,
    pub(super) fields: BTreeMap<String, String>,
}

impl Accepted {
    /// With the box where notifications of the movement go.
    pub(super) fn with_box(self, box_id: Option<String>) -> Self {
        Self { box_id, ..self }
    }

    /// With where to upload the message.
    pub(super) fn with_upload(self, upload: UploadRequest) -> Self {
        Self { upload: Some(upload), ..self }
    }
}

/// The answer to a message that opened a movement.
pub(super) fn opened(kind: MovementKind, id: &str, message: &str) -> Accepted {
    Accepted {
        links: Links {
            this: href(movement_href(kind, id)),
            messages: href(messages_href(kind, id)),
            message: href(message_href(kind, id, message)),
            ..Links::default()
        },
        movement: MovementId::of(kind, id),
        message: message.to_owned(),
        box_id: None,
        upload: None,
    }
}

fn links_to_movement(kind: MovementKind, id: &str, this: String) -> Links {
    let movement = href(movement_href(kind, id));
    let (departure, arrival) = match kind {
        MovementKind::Departure => (movement, None),
        MovementKind::Arrival => (None, movement),
    };
    Links { this: href(this), departure, arrival, ..Links::default() }
}

/// The answer to a message added to a movement.
pub(super) fn added(kind: MovementKind, id: &str, message: &str) -> Accepted {
    Accepted {
        links: links_to_movement(kind, id, message_href(kind, id, message)),
        movement: MovementId::of(kind, id),
        message: message.to_owned(),
        box_id: None,
        upload: None,
    }
}

/// Instants as the API writes them: UTC, milliseconds, `Z`.
pub(super) fn instant(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// One movement.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MovementBody {
    #[serde(rename = "_links")]
    links: Links,
    id: String,
    movement_reference_number: Option<String>,
    local_reference_number: Option<String>,
    created: String,
    updated: String,
    // HMRC's spelling.
    #[serde(rename = "enrollmentEORINumber")]
    enrolment_eori: String,
    #[serde(rename = "movementEORINumber")]
    movement_eori: Option<String>,
}

/// One movement.
pub(super) fn movement(one: &StoredMovement) -> MovementBody {
    MovementBody {
        links: Links {
            this: href(movement_href(one.kind, &one.id)),
            messages: href(messages_href(one.kind, &one.id)),
            ..Links::default()
        },
        id: one.id.clone(),
        movement_reference_number: one.mrn.clone(),
        local_reference_number: one.lrn.clone(),
        created: instant(one.created),
        updated: instant(one.updated),
        enrolment_eori: one.eori.clone(),
        movement_eori: one.trader.clone(),
    }
}

/// A page of movements.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MovementsBody {
    #[serde(rename = "_links")]
    links: Links,
    total_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    departures: Option<Vec<MovementBody>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrivals: Option<Vec<MovementBody>>,
}

fn with_query(path: String, query: Option<&str>) -> String {
    match query {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path,
    }
}

/// A page of movements out of `total`.
pub(super) fn movements(
    kind: MovementKind,
    query: Option<&str>,
    total: usize,
    page: Vec<MovementBody>,
) -> MovementsBody {
    let (departures, arrivals) = match kind {
        MovementKind::Departure => (Some(page), None),
        MovementKind::Arrival => (None, Some(page)),
    };
    let this = with_query(format!("{CONTEXT}/movements/{}", kind.plural()), query);
    MovementsBody {
        links: Links { this: href(this), ..Links::default() },
        total_count: total,
        departures,
        arrivals,
    }
}

/// One message.
#[derive(Debug, Serialize)]
pub(super) struct MessageBody {
    #[serde(rename = "_links")]
    links: Links,
    id: String,
    #[serde(flatten)]
    movement: MovementId,
    received: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

/// One message; with its body where `body` says how to write that.
pub(super) fn message(
    of: &StoredMovement,
    one: &StoredMessage,
    body: Option<Value>,
) -> MessageBody {
    MessageBody {
        links: links_to_movement(of.kind, &of.id, message_href(of.kind, &of.id, &one.id)),
        id: one.id.clone(),
        movement: MovementId::of(of.kind, &of.id),
        received: instant(one.received),
        message: one.message.map(MessageType::as_str),
        status: one.status.as_str(),
        body,
    }
}

/// The answer to a message that was injected.
#[derive(Debug, Serialize)]
pub(super) struct InjectedBody {
    #[serde(rename = "_links")]
    links: Links,
    #[serde(flatten)]
    movement: MovementId,
    #[serde(rename = "messageId")]
    id: String,
    #[serde(rename = "messageType")]
    message: &'static str,
    body: String,
}

/// The answer to a message that was injected.
pub(super) fn injected(
    kind: MovementKind,
    movement: &str,
    (id, message, body): (String, MessageType, String),
) -> InjectedBody {
    InjectedBody {
        links: links_to_movement(kind, movement, message_href(kind, movement, &id)),
        movement: MovementId::of(kind, movement),
        id,
        message: message.as_str(),
        body,
    }
}

/// What a notification tells of a message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotificationBody<'a> {
    message_uri: String,
    notification_type: &'a str,
    message_id: &'a str,
    #[serde(rename = "enrollmentEORINumber")]
    enrolment_eori: &'a str,
    #[serde(flatten)]
    movement: MovementId,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_body: Option<&'a str>,
}

/// Longest message that a notification carries with it, in bytes.
const CARRIED: usize = 80_000;

/// What a notification tells of a message, as the text of a JSON object. A
/// message that was submitted comes with `response`, JSON too.
pub(super) fn notification(
    of: &StoredMovement,
    one: &StoredMessage,
    response: Option<&str>,
) -> serde_json::Result<String> {
    let received = response.is_none();
    let carried = one.body.as_deref().filter(|body| (1..=CARRIED).contains(&body.len()));
    let mut text = serde_json::to_string(&NotificationBody {
        message_uri: message_href(of.kind, &of.id, &one.id),
        notification_type: if received { "MESSAGE_RECEIVED" } else { "SUBMISSION_NOTIFICATION" },
        message_id: &one.id,
        enrolment_eori: &of.eori,
        movement: MovementId::of(of.kind, &of.id),
        message_type: one.message.map(MessageType::as_str).filter(|_| received),
        message_body: carried.filter(|_| received),
    })?;
    if let Some(response) = response {
        // The fields of a refusal keep their order.
        text.pop();
        text.push_str(&format!(",\"response\":{response}}}"));
    }
    Ok(text)
}

/// A page of messages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessagesBody {
    #[serde(rename = "_links")]
    links: Links,
    total_count: usize,
    messages: Vec<MessageBody>,
}

/// A page of the messages of a movement, out of `total`.
pub(super) fn messages(
    of: &StoredMovement,
    query: Option<&str>,
    total: usize,
    page: Vec<MessageBody>,
) -> MessagesBody {
    let this = with_query(messages_href(of.kind, &of.id), query);
    MessagesBody {
        links: links_to_movement(of.kind, &of.id, this),
        total_count: total,
        messages: page,
    }
}
