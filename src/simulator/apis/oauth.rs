//! OAuth 2.0: `GET /oauth/authorize` and `POST /oauth/token`.
//!
//! Nobody is asked to sign in: whoever opens the authorisation page has
//! consented. Two parameters are the simulator's own: `user_id` says who
//! signs in, and `consent=refused` has them refuse.

use std::collections::HashMap;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::grants::{self, Denied, EXPIRES_IN, Issued, Wish};
use super::super::http_errors::HttpError;
use super::super::state::State;
use super::{Call, answer};
use crate::ncts::build::escape;

/// Most bytes of a form.
const FORM: usize = 64 << 10;

/// The first value of each parameter.
struct Parameters(HashMap<String, String>);

impl Parameters {
    fn read(encoded: &[u8]) -> Self {
        let mut all = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(encoded) {
            all.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(all)
    }

    /// None when missing or empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

#[derive(Serialize)]
struct OauthError<'a> {
    error: &'a str,
    error_description: &'a str,
}

fn refuse(status: StatusCode, error: &str, description: &str) -> Result<Response, HttpError> {
    answer(status, &OauthError { error, error_description: description })
}

fn bad(error: &str, description: &str) -> Result<Response, HttpError> {
    refuse(StatusCode::BAD_REQUEST, error, description)
}

/// Answers what lies below `/oauth/`.
///
/// # Errors
/// The refusal to answer with.
pub(super) fn answer_to(
    state: &mut State,
    call: &Call<'_>,
    rest: &str,
) -> Result<Response, HttpError> {
    match rest {
        "authorize" => {
            call.only(&Method::GET)?;
            authorise(state, call)
        }
        "token" => {
            call.only(&Method::POST)?;
            token(state, call)
        }
        _ => Err(HttpError::no_such_resource()),
    }
}

/// The page that tells a person why nothing is sent back to the application.
fn page(why: &str) -> Response {
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sorry, there is a \
         problem</title></head><body><h1>Sorry, there is a problem</h1><p>{}</p></body></html>\n",
        escape(why)
    );
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (StatusCode::BAD_REQUEST, html, body).into_response()
}

fn authorise(state: &mut State, call: &Call<'_>) -> Result<Response, HttpError> {
    let query = Parameters::read(call.query().unwrap_or_default().as_bytes());
    // Before it is known whose page to go back to, only a person can be told.
    let Some(client) = query.get("client_id").filter(|client| state.grants.knows(client)) else {
        return Ok(page("client_id: there is no such application"));
    };
    let asked = query.get("redirect_uri").unwrap_or_default();
    let Some(mut back) = state.grants.redirect(client, asked) else {
        return Ok(page("redirect_uri: it is not one of the application's"));
    };
    if query.get("response_type") != Some("code") {
        return bad("unsupported_response_type", "response_type must be code");
    }
    let scopes = query.get("scope").and_then(grants::scopes).filter(|all| !all.is_empty());
    let Some(scopes) = scopes else {
        return bad("invalid_scope", "scope is missing or not known");
    };
    let challenge = query.get("code_challenge").map(str::to_owned);
    if challenge.is_some() && query.get("code_challenge_method") != Some("S256") {
        return bad("invalid_request", "code_challenge_method must be S256");
    }
    let mut answers = Vec::new();
    if query.get("consent") == Some("refused") {
        answers.push(("error", "access_denied".to_owned()));
        answers.push(("error_description", "user denied the authorization".to_owned()));
        answers.push(("error_code", "USER_DENIED_AUTHORIZATION".to_owned()));
    } else {
        let Some(user) = state.signs_in(client, query.get("user_id"), call.now) else {
            return Ok(page("user_id: there is no such test user"));
        };
        let wish =
            Wish { client: client.to_owned(), redirect_uri: asked.to_owned(), scopes, challenge };
        let code = state.grants.consent(wish, user, call.now, &mut state.ncts.ids);
        answers.push(("code", code));
    }
    if let Some(given) = query.get("state") {
        answers.push(("state", given.to_owned()));
    }
    back.query_pairs_mut().extend_pairs(answers);
    // A parsed URL is ASCII without control characters.
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, back.to_string())]).into_response())
}

#[derive(Serialize)]
struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
}

fn token(state: &mut State, call: &Call<'_>) -> Result<Response, HttpError> {
    let form = call.header(header::CONTENT_TYPE).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    if !form || call.body.too_large || call.body.bytes.len() > FORM {
        return bad("invalid_request", "the body must be form-encoded");
    }
    let form = Parameters::read(&call.body.bytes);
    let (Some(client), Some(secret), Some(kind)) =
        (form.get("client_id"), form.get("client_secret"), form.get("grant_type"))
    else {
        return bad("invalid_request", "client_id, client_secret and grant_type are required");
    };
    let denied = |why: Denied| match why {
        Denied::Client => {
            refuse(StatusCode::UNAUTHORIZED, "invalid_client", "invalid client id or secret")
        }
        Denied::Grant => bad("invalid_grant", "it is wrong, spent or too old"),
    };
    if let Err(why) = state.grants.authenticate(client, secret) {
        return denied(why);
    }
    let (grants, ids) = (&mut state.grants, &mut state.ncts.ids);
    let issued = match kind {
        "authorization_code" => {
            let (Some(code), Some(uri)) = (form.get("code"), form.get("redirect_uri")) else {
                return bad("invalid_request", "code and redirect_uri are required");
            };
            grants.exchange(client, code, uri, form.get("code_verifier"), call.now, ids)
        }
        "refresh_token" => {
            let Some(refresh) = form.get("refresh_token") else {
                return bad("invalid_request", "refresh_token is required");
            };
            grants.refresh(client, refresh, call.now, ids)
        }
        "client_credentials" => {
            let Some(scopes) = grants::scopes(form.get("scope").unwrap_or_default()) else {
                return bad("invalid_scope", "scope is not known");
            };
            Ok(grants.application_token(client, scopes, call.now, ids))
        }
        _ => return bad("unsupported_grant_type", "grant_type is not known"),
    };
    match issued {
        Err(why) => denied(why),
        Ok(Issued { access, refresh, scopes }) => answer(
            StatusCode::OK,
            &Tokens {
                access_token: access,
                token_type: "bearer",
                expires_in: EXPIRES_IN,
                refresh_token: refresh,
                scope: scopes.into_iter().collect::<Vec<_>>().join(" "),
            },
        ),
    }
}
