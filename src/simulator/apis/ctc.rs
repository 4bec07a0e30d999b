//! The CTC Traders API.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http_body::Frame;
use serde_json::Value;

use super::super::check::check;
use super::super::from_json::check_json;
use super::super::grants::TRADERS;
use super::super::http_errors::HttpError;
use super::super::json::{self as shapes, UploadRequest};
use super::super::movement::Submitted;
use super::super::options::ApiVersion;
use super::super::outside::Outside;
use super::super::requests::{self, Content, Filters, Resource, Wanted};
use super::super::state::{State, Submission, UPLOAD_PATH, no_movement};
use super::super::store::StoredMovement;
use super::super::to_json::of_xml;
use super::access::{Wants, admit};
use super::{Call, ReadBody, answer};
use crate::ncts::MovementKind;

/// Most bytes of a message body; beyond it the service answers 413. It is also
/// the most that can be had as JSON.
pub(in crate::simulator) const BODY: usize = 5_000_000;

/// Answers a request, and notes in the log what was submitted.
///
/// # Errors
/// The refusal to answer with.
pub(super) fn answer_to(state: &mut State, call: &Call<'_>) -> Result<Response, HttpError> {
    let mut submission = Submission {
        at: shapes::instant(call.now),
        method: call.parts.method.to_string(),
        path: call.path().to_owned(),
        ..Submission::default()
    };
    let result = serve(state, call, &mut submission);
    if call.is(&Method::POST) {
        submission.status = match &result {
            Ok(response) => response.status().as_u16(),
            Err(error) => error.status.as_u16(),
        };
        state.note(submission);
    }
    result
}

fn serve(
    state: &mut State,
    call: &Call<'_>,
    submission: &mut Submission,
) -> Result<Response, HttpError> {
    let resource = Resource::named(call.path()).ok_or_else(HttpError::no_such_resource)?;
    if !resource.takes(&call.parts.method) {
        return Err(HttpError::method_not_allowed());
    }
    let caller = admit(state, call, Wants::User(TRADERS))?;
    resource.check_ids()?;
    let posted = call.is(&Method::POST).then(|| requests::content(call.headers())).transpose()?;
    let eori = caller.eori.ok_or_else(HttpError::no_enrolment)?;
    let wanted = requests::accept(call.headers(), &resource, &call.options.versions)?;
    let Some(content) = posted else {
        return get(state, &resource, call.query(), wanted, &eori);
    };
    let box_id = match resource {
        Resource::Movements(_) => box_for(state, call, &caller.client, wanted.version),
        _ => None,
    };
    let trader = Trader { eori: &eori, box_id };
    if content == Content::Upload {
        return announce(state, call, &resource, wanted.version, trader, submission);
    }
    let message = receive(&resource, content, wanted, call.body, &mut state.outside)?;
    submission.describe(&message);
    post(state, &resource, wanted, message, trader, call.now, submission)
}

/// For whom a message is taken.
struct Trader<'a> {
    eori: &'a str,
    /// Where notifications of a new movement go.
    box_id: Option<String>,
}

/// The box that a new movement's notifications go to: the one the caller
/// names, or the application's for this version. A box that is not there, or
/// another's, goes for none.
fn box_for(
    state: &mut State,
    call: &Call<'_>,
    client: &str,
    version: ApiVersion,
) -> Option<String> {
    match call.headers().get("x-callback-box-id") {
        None => Some(state.boxes.default_box(client, version)),
        Some(named) => {
            let id = named.to_str().ok()?;
            state.boxes.get(id).filter(|one| one.client_id == client).map(|one| one.box_id.clone())
        }
    }
}

/// Reads the message of a POST.
fn receive(
    resource: &Resource,
    content: Content,
    wanted: Wanted,
    body: &ReadBody,
    outside: &mut Outside,
) -> Result<Submitted, HttpError> {
    if body.too_large {
        return Err(HttpError::too_large());
    }
    let (kind, opening) = match resource {
        Resource::Movements(kind) => (*kind, true),
        Resource::Messages(kind, _) => (*kind, false),
        _ => return Err(HttpError::method_not_allowed()),
    };
    if content == Content::Json {
        check_json(&body.bytes, kind, opening, wanted.version, outside)
    } else {
        check(&body.bytes, kind, opening, wanted.version, outside)
    }
}

fn post(
    state: &mut State,
    resource: &Resource,
    wanted: Wanted,
    message: Submitted,
    trader: Trader<'_>,
    now: DateTime<Utc>,
    submission: &mut Submission,
) -> Result<Response, HttpError> {
    let kind = message.message.movement();
    let accepted = match resource {
        Resource::Messages(_, movement) => {
            submission.movement_id = Some(movement.clone());
            let id = state.add(movement, message, trader.eori, now)?;
            submission.message_id = Some(id.clone());
            shapes::added(kind, movement, &id)
        }
        _ => {
            let box_id = trader.box_id.clone();
            let (movement, id) =
                state.open(message, wanted.version, trader.eori, trader.box_id, now)?;
            submission.movement_id = Some(movement.clone());
            submission.message_id = Some(id.clone());
            shapes::opened(kind, &movement, &id).with_box(box_id)
        }
    };
    answer(StatusCode::ACCEPTED, &accepted)
}

/// Says where a large message may be uploaded. Whatever body came is ignored.
fn announce(
    state: &mut State,
    call: &Call<'_>,
    resource: &Resource,
    version: ApiVersion,
    trader: Trader<'_>,
    submission: &mut Submission,
) -> Result<Response, HttpError> {
    let now = call.now;
    let (movement, id, accepted) = match resource {
        Resource::Messages(kind, movement) => {
            let id = state.announce_another(*kind, movement, trader.eori, now)?;
            let accepted = shapes::added(*kind, movement, &id);
            (movement.clone(), id, accepted)
        }
        Resource::Movements(kind) => {
            let box_id = trader.box_id.clone();
            let (movement, id) = state.announce(*kind, version, trader.eori, trader.box_id, now);
            let accepted = shapes::opened(*kind, &movement, &id).with_box(box_id);
            (movement, id, accepted)
        }
        _ => return Err(HttpError::method_not_allowed()),
    };
    submission.movement_id = Some(movement.clone());
    submission.message_id = Some(id.clone());
    let fields = state.uploads.ask(&movement, &id, now, &mut state.ncts.ids);
    // The client reaches the uploader as it reached the API.
    let host = call.header(header::HOST).unwrap_or("127.0.0.1");
    let href = format!("http://{host}{UPLOAD_PATH}");
    answer(StatusCode::ACCEPTED, &accepted.with_upload(UploadRequest { href, fields }))
}

fn get(
    state: &State,
    resource: &Resource,
    query: Option<&str>,
    wanted: Wanted,
    eori: &str,
) -> Result<Response, HttpError> {
    let find = |kind: MovementKind, id: &str| {
        state.store.movement(kind, eori, id).ok_or_else(|| no_movement(kind, id))
    };
    match resource {
        Resource::Movements(kind) => {
            let filters = requests::filters(query, true)?;
            let mut all = state.store.list(*kind, eori);
            all.retain(|one| matches(&filters, one));
            let page = filters.page(&all)?.iter().map(|one| shapes::movement(one)).collect();
            answer(StatusCode::OK, &shapes::movements(*kind, query, all.len(), page))
        }
        Resource::Movement(kind, id) => answer(StatusCode::OK, &shapes::movement(find(*kind, id)?)),
        Resource::Messages(kind, id) => {
            let movement = find(*kind, id)?;
            let filters = requests::filters(query, false)?;
            let mut all: Vec<_> = movement.messages.iter().rev().collect();
            all.sort_by_key(|one| std::cmp::Reverse(one.received));
            all.retain(|one| filters.holds(one.received));
            let page = filters
                .page(&all)?
                .iter()
                .map(|one| shapes::message(movement, one, None))
                .collect();
            answer(StatusCode::OK, &shapes::messages(movement, query, all.len(), page))
        }
        Resource::Message(kind, id, message) | Resource::Body(kind, id, message) => {
            let movement = find(*kind, id)?;
            let found = movement.message(message).ok_or_else(|| {
                HttpError::not_found(format!(
                    "Message with ID {message} for movement {id} was not found"
                ))
            })?;
            let whole = matches!(resource, Resource::Message(..));
            let Some(xml) = found.body.as_deref() else {
                // It is still to be uploaded, or never came.
                return if whole {
                    answer(StatusCode::OK, &shapes::message(movement, found, None))
                } else {
                    Err(HttpError::not_found(format!(
                        "Body for message id {message} does not exist"
                    )))
                };
            };
            if wanted.json && xml.len() > BODY {
                return Err(HttpError::not_acceptable(if whole {
                    "Large messages cannot be returned as json".to_owned()
                } else {
                    format!("Messages larger than {BODY} bytes cannot be retrieved in JSON")
                }));
            }
            let body = if wanted.json {
                of_xml(xml).ok_or_else(HttpError::internal)?
            } else {
                Value::String(xml.to_owned())
            };
            let (kind, text) = match (whole, body) {
                (false, Value::String(xml)) => ("application/xml", xml),
                (false, body) => ("application/json", body.to_string()),
                (true, body) => {
                    let whole = shapes::message(movement, found, Some(body));
                    let text = serde_json::to_string(&whole).map_err(|error| {
                        tracing::error!(%error, "an answer cannot be written");
                        HttpError::internal()
                    })?;
                    ("application/json", text)
                }
            };
            let body = Streamed::body(text);
            Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], body).into_response())
        }
    }
}

/// A body whose length is not told beforehand: the service streams messages,
/// so they come in chunks.
pub(in crate::simulator) struct Streamed(Option<Bytes>);

impl Streamed {
    pub(in crate::simulator) fn body(bytes: impl Into<Bytes>) -> Body {
        Body::new(Self(Some(bytes.into())))
    }
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn matches(filters: &Filters, movement: &StoredMovement) -> bool {
    let contains = |wanted: &Option<String>, value: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| {
            value.as_ref().is_some_and(|value| value.to_lowercase().contains(wanted))
        })
    };
    filters.holds(movement.updated)
        && filters.trader.as_ref().is_none_or(|eori| movement.trader.as_ref() == Some(eori))
        && contains(&filters.mrn, &movement.mrn)
        && contains(&filters.lrn, &movement.lrn)
}
