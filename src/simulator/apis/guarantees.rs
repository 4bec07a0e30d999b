//! The guarantee balance API, version 2.0.
//!
//! Order of the checks: GRN, token, `Accept`, body, the lock of a minute on
//! user and GRN, then whether there is such a guarantee. So a question that
//! finds nothing locks too, and one without an access code does not.

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::super::check::is_grn;
use super::super::grants::BALANCE;
use super::super::http_errors::HttpError;
use super::super::options::SimulatorOptions;
use super::super::state::State;
use super::access::{Wants, admit};
use super::{Call, answer};

const ACCEPT: &str = "application/vnd.hmrc.2.0+json";

/// Most bytes of a question.
const BODY: usize = 64 << 10;

/// Length of a GRN.
const GRN: usize = 17;

/// Types of guarantee that have a balance.
const WITH_BALANCE: &[u8] = &[0, 1, 9];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    access_code: String,
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    this: Href,
}

#[derive(Serialize)]
struct Href {
    href: String,
}

#[derive(Serialize)]
struct Balance {
    #[serde(rename = "_links")]
    links: Links,
    balance: Number,
    currency: &'static str,
}

/// Pounds, without decimals where there are none.
fn pounds(pence: i64) -> Option<Number> {
    if pence % 100 == 0 {
        return Some((pence / 100).into());
    }
    Number::from_f64(pence as f64 / 100.0)
}

/// Answers what lies below `/customs/guarantees/`.
///
/// # Errors
/// The refusal to answer with.
pub(super) fn answer_to(
    state: &mut State,
    call: &Call<'_>,
    rest: &str,
) -> Result<Response, HttpError> {
    let grn = rest
        .strip_suffix("/balance")
        .filter(|grn| !grn.is_empty() && !grn.contains('/'))
        .ok_or_else(HttpError::no_such_resource)?;
    call.only(&Method::POST)?;
    let caller = admit(state, call, Wants::User(BALANCE))?;
    // Those of vouchers are longer, and have no balance.
    if grn.len() != GRN || !is_grn(grn) {
        return Err(HttpError::bad_request(
            "The guarantee reference number is not in the correct format",
        ));
    }
    let Some(user) = caller.eori else {
        // The service says nothing more to a user without the enrolment.
        return Ok(StatusCode::FORBIDDEN.into_response());
    };
    if !call.header(header::ACCEPT).is_some_and(|value| value.eq_ignore_ascii_case(ACCEPT)) {
        return Err(HttpError::not_acceptable(format!(
            "The Accept header must be set to {ACCEPT} to use this resource."
        )));
    }
    if !call.says_json() {
        let said = call.header(header::CONTENT_TYPE).unwrap_or("(none)");
        return Err(HttpError::unsupported_media(&said.chars().take(200).collect::<String>()));
    }
    let code = call
        .json::<Question>(BODY)
        .map_err(|_| HttpError::bad_request("The access code was not supplied."))?
        .access_code;
    if code.len() != 4 || !code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(HttpError::bad_request("The access code must be four letters or digits"));
    }
    let lasts = call.options.scaled(call.options.balance_lock);
    if !state.locks.take(&user, grn, call.now, lasts) {
        return Err(HttpError::service(
            StatusCode::TOO_MANY_REQUESTS,
            "TOO_MANY_REQUESTS",
            "Too many requests.",
        ));
    }
    let balance = balance(call.options, grn, &code)?;
    let href = format!("/customs/guarantees/{grn}/balance");
    answer(
        StatusCode::OK,
        &Balance { links: Links { this: Href { href } }, balance, currency: "GBP" },
    )
}

fn balance(options: &SimulatorOptions, grn: &str, code: &str) -> Result<Number, HttpError> {
    if !matches!(grn.get(2..4), Some("GB" | "XI")) {
        return Err(HttpError::bad_request("The guarantee is of another country than GB or XI"));
    }
    let found = options
        .balances
        .get(grn)
        .filter(|one| one.access_code.eq_ignore_ascii_case(code))
        .ok_or_else(|| {
            HttpError::not_found(
                "The guarantee reference number or access code did not match an existing guarantee.",
            )
        })?;
    if !WITH_BALANCE.contains(&found.guarantee_type) {
        return Err(HttpError::service(
            StatusCode::BAD_REQUEST,
            "INVALID_GUARANTEE_TYPE",
            "Guarantee type is not supported.",
        ));
    }
    pounds(found.pence).ok_or_else(HttpError::internal)
}
