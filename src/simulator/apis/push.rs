//! The push-pull notifications API, version 1.0: fetching and acknowledging.
//! Pushing is in `callbacks`.

use std::collections::HashSet;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::boxes::{About, Notification, PAGE, Progress, Selection};
use super::super::grants::{ACKNOWLEDGE, PULL};
use super::super::http_errors::HttpError;
use super::super::json as shapes;
use super::super::requests;
use super::super::state::State;
use super::access::{Wants, admit};
use super::{Call, answer};

const ACCEPT: &str = "application/vnd.hmrc.1.0+json";

/// Most bytes of a list of ids.
const BODY: usize = 64 << 10;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::simulator) struct NotificationBody<'a> {
    notification_id: &'a str,
    box_id: &'a str,
    message_content_type: &'static str,
    /// JSON in a string.
    message: String,
    status: Progress,
    created_date_time: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Acknowledged {
    notification_ids: Vec<Uuid>,
}

/// As the notification service writes instants.
fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

fn invalid(message: &str) -> HttpError {
    HttpError::gateway(StatusCode::BAD_REQUEST, "INVALID_REQUEST_PAYLOAD", message)
}

/// A notification as it is fetched and pushed. None when its message is gone.
pub(in crate::simulator) fn shape<'a>(
    state: &State,
    one: &'a Notification,
) -> Option<NotificationBody<'a>> {
    let movement = state.store.get(&one.movement)?;
    let response = match &one.about {
        About::Received => None,
        About::Submitted { response } => Some(response.as_str()),
    };
    let message = shapes::notification(movement, movement.message(&one.message)?, response);
    Some(NotificationBody {
        notification_id: &one.id,
        box_id: &one.box_id,
        message_content_type: "application/json",
        message: message.ok()?,
        status: one.progress,
        created_date_time: instant(one.created),
    })
}

/// Answers what lies below `/misc/push-pull-notification/box/`.
///
/// # Errors
/// The refusal to answer with.
pub(super) fn answer_to(
    state: &mut State,
    call: &Call<'_>,
    rest: &str,
) -> Result<Response, HttpError> {
    let (box_id, what) = rest.split_once('/').ok_or_else(HttpError::no_such_resource)?;
    let acknowledging = match what {
        "notifications" => false,
        "notifications/acknowledge" => true,
        _ => return Err(HttpError::no_such_resource()),
    };
    let scope = if acknowledging { ACKNOWLEDGE } else { PULL };
    call.only(if acknowledging { &Method::PUT } else { &Method::GET })?;
    let caller = admit(state, call, Wants::Application(Some(scope)))?;
    if !call.header(header::ACCEPT).is_some_and(|value| value.eq_ignore_ascii_case(ACCEPT)) {
        let message = "The accept header is missing or invalid";
        return Err(HttpError::gateway(
            StatusCode::NOT_ACCEPTABLE,
            "ACCEPT_HEADER_INVALID",
            message,
        ));
    }
    if acknowledging && !call.says_json() {
        return Err(HttpError::gateway(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "BAD_REQUEST",
            "Expecting text/json or application/json body",
        ));
    }
    let box_id = Uuid::try_parse(box_id).map_err(|_| {
        HttpError::gateway(StatusCode::BAD_REQUEST, "BAD_REQUEST", "Box ID is not a UUID")
    })?;
    let box_id = box_id.to_string();
    if acknowledging {
        let ids = ids(call)?;
        owned(state, &box_id, &caller.client)?;
        state.boxes.acknowledge(&box_id, &ids);
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let wanted = selection(call.query())?;
    owned(state, &box_id, &caller.client)?;
    let found = state.boxes.select(&box_id, &wanted);
    let shaped: Vec<_> = found.into_iter().filter_map(|one| shape(state, one)).collect();
    answer(StatusCode::OK, &shaped)
}

fn owned(state: &State, box_id: &str, client: &str) -> Result<(), HttpError> {
    let found = state.boxes.get(box_id).ok_or_else(|| {
        HttpError::gateway(StatusCode::NOT_FOUND, "BOX_NOT_FOUND", "Box not found")
    })?;
    if found.client_id == client {
        return Ok(());
    }
    Err(HttpError::gateway(StatusCode::FORBIDDEN, "FORBIDDEN", "Access denied"))
}

fn ids(call: &Call<'_>) -> Result<HashSet<String>, HttpError> {
    let wrong = || invalid("JSON body is invalid against expected format");
    let body: Acknowledged = call.json(BODY).map_err(|_| wrong())?;
    let count = body.notification_ids.len();
    let ids: HashSet<_> = body.notification_ids.iter().map(Uuid::to_string).collect();
    if (1..=PAGE).contains(&count) && ids.len() == count { Ok(ids) } else { Err(wrong()) }
}

fn selection(query: Option<&str>) -> Result<Selection, HttpError> {
    let given = |name: &str| requests::first(query, name);
    let instant = |name: &str| {
        let parse = |text: String| {
            NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y-%m-%dT%H:%M:%S%.f")
                .map_err(|_| invalid("Unparsable DateValue Param provided"))
        };
        given(name).map(parse).transpose()
    };
    let progress = given("status")
        .map(|text| {
            Progress::named(&text).ok_or_else(|| invalid("Invalid Status parameter provided"))
        })
        .transpose()?;
    let count = given("count")
        .map(|text| {
            let count = text.parse().ok().filter(|count| *count > 0);
            count.ok_or_else(|| invalid("Invalid count parameter provided"))
        })
        .transpose()?;
    Ok(Selection {
        progress,
        from: instant("fromDate")?,
        to: instant("toDate")?,
        count: count.unwrap_or(PAGE).min(PAGE),
    })
}
