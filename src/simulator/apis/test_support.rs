//! The CTC Traders test-support API: replies of NCTS injected at will.

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::super::grants::TEST_SUPPORT;
use super::super::http_errors::HttpError;
use super::super::inject;
use super::super::json as shapes;
use super::super::options::ApiVersion;
use super::super::requests::{self, Resource};
use super::super::state::State;
use super::access::{Wants, admit};
use super::{Call, answer};

/// Versions it knows; 2.0 has no test support.
const VERSIONS: &[ApiVersion] = &[ApiVersion::V2_1, ApiVersion::V3_0];

/// Most bytes of a request.
const BODY: usize = 64 << 10;

/// What injected messages answer unless told.
const NO_TRIGGER: &str = "0000000000000000";

#[derive(Deserialize)]
struct Wish {
    message: WishedMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WishedMessage {
    message_type: String,
}

fn unsupported(message: &str) -> HttpError {
    HttpError::service(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
}

/// Answers what lies below `/test`.
///
/// # Errors
/// The refusal to answer with.
pub(super) fn answer_to(
    state: &mut State,
    call: &Call<'_>,
    rest: &str,
) -> Result<Response, HttpError> {
    let resource = Resource::named(rest);
    let Some(Resource::Messages(kind, movement)) = &resource else {
        return Err(HttpError::no_such_resource());
    };
    call.only(&Method::POST)?;
    let caller = admit(state, call, Wants::User(TEST_SUPPORT))?;
    requests::check_id("movementId", movement)?;
    let trigger = requests::first(call.query(), "messageId");
    if let Some(trigger) = &trigger {
        requests::check_id("messageId", trigger)?;
    }
    let Some(eori) = caller.eori else {
        let text = "Current user doesn't have a valid EORI enrolment.";
        return Ok((StatusCode::FORBIDDEN, text).into_response());
    };
    // A wrong `Accept` is said to be an unsupported media type here.
    let accepted = call.header(header::ACCEPT).is_some_and(|value| {
        VERSIONS.iter().filter(|one| call.options.versions.contains(one)).any(|version| {
            value.eq_ignore_ascii_case(&format!("application/vnd.hmrc.{}+json", version.as_str()))
        })
    });
    if !accepted {
        return Err(unsupported("An accept header is required!"));
    }
    if !call.says_json() {
        return Err(unsupported("A content-type header of application/json is required!"));
    }
    let wish: Wish = call.json(BODY).map_err(HttpError::bad_request)?;
    let name = wish.message.message_type;
    let message = inject::injectable(&name).ok_or_else(|| {
        let name: String = name.chars().take(40).collect();
        HttpError::bad_request(format!("{name} is not a valid message type"))
    })?;
    if message.movement() != *kind {
        return Err(HttpError::service(
            StatusCode::NOT_IMPLEMENTED,
            "NOT_IMPLEMENTED",
            format!("{message} cannot be injected into {}", kind.plural()),
        ));
    }
    let trigger = trigger.as_deref().unwrap_or(NO_TRIGGER);
    let (id, xml) = state.inject((*kind, movement), message, trigger, &eori, call.now)?;
    answer(StatusCode::CREATED, &shapes::injected(*kind, movement, (id, message, xml)))
}
