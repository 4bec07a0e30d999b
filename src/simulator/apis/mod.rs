//! The APIs, a file for each: what their paths, headers, checks and answers
//! are. `server` calls [`route`]; they call `state` and what is below it.
//!
//! - `access`: who calls, and whether they may;
//! - `ctc`: movements and their messages;
//! - `oauth`: authorisation and tokens;
//! - `guarantees`: balances;
//! - `own`: the simulator's own endpoints;
//! - `push`: notifications;
//! - `test_support`: replies injected at will;
//! - `test_users`: who can sign in;
//! - `upload`: files of large messages.

mod access;
pub(super) mod ctc;
mod guarantees;
mod oauth;
mod own;
pub(super) mod push;
mod test_support;
mod test_users;
mod upload;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::http_errors::HttpError;
use super::options::SimulatorOptions;
use super::state::{State, UPLOAD_PATH};

/// A body as far as it was read.
pub(super) struct ReadBody {
    /// Empty when it was too large.
    pub(super) bytes: Vec<u8>,
    pub(super) too_large: bool,
    /// There was more than anyone wants to read.
    pub(super) abandoned: bool,
}

/// One request.
pub(super) struct Call<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: &'a ReadBody,
    pub(super) options: &'a SimulatorOptions,
    pub(super) now: DateTime<Utc>,
    /// Nanoseconds of a clock that is never set back.
    pub(super) mono_ns: u64,
}

impl Call<'_> {
    fn path(&self) -> &str {
        self.parts.uri.path()
    }

    fn query(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    fn is(&self, method: &Method) -> bool {
        self.parts.method == *method
    }

    /// # Errors
    /// It came with another method.
    fn only(&self, method: &Method) -> Result<(), HttpError> {
        if self.is(method) { Ok(()) } else { Err(HttpError::method_not_allowed()) }
    }

    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// Whether the body is said to be JSON, with or without parameters.
    fn says_json(&self) -> bool {
        self.header(header::CONTENT_TYPE).is_some_and(|value| {
            let essence = value.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
                || essence.eq_ignore_ascii_case("text/json")
        })
    }

    /// The body as JSON, up to `most` bytes.
    ///
    /// # Errors
    /// What is wrong with it.
    fn json<T: DeserializeOwned>(&self, most: usize) -> Result<T, String> {
        if self.body.too_large || self.body.bytes.len() > most {
            return Err(format!("it has more than {most} bytes"));
        }
        serde_json::from_slice(&self.body.bytes).map_err(|error| error.to_string())
    }
}

/// Most bytes of a body that are kept for what a path names.
pub(super) fn largest_body(path: &str) -> usize {
    if path == UPLOAD_PATH { upload::FORM } else { ctc::BODY }
}

/// Answers one request.
///
/// # Errors
/// The refusal to answer with.
pub(super) fn route(state: &mut State, call: &Call<'_>) -> Result<Response, HttpError> {
    let path = call.path();
    if let Some(rest) = path.strip_prefix("/simulator/") {
        own::answer_to(state, call, rest)
    } else if let Some(rest) = path.strip_prefix("/oauth/") {
        oauth::answer_to(state, call, rest)
    } else if let Some(rest) = path.strip_prefix("/customs/guarantees/") {
        guarantees::answer_to(state, call, rest)
    } else if let Some(rest) = path.strip_prefix("/misc/push-pull-notification/box/") {
        push::answer_to(state, call, rest)
    } else if let Some(rest) = path.strip_prefix("/create-test-user/") {
        test_users::answer_to(state, call, rest)
    } else if let Some(rest) = path.strip_prefix("/test") {
        test_support::answer_to(state, call, rest)
    } else if path == UPLOAD_PATH {
        Ok(upload::answer_to(state, call))
    } else {
        ctc::answer_to(state, call)
    }
}

/// An answer in JSON.
pub(super) fn answer(status: StatusCode, body: &impl Serialize) -> Result<Response, HttpError> {
    let body = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        HttpError::internal()
    })?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}
