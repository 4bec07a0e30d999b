//! The simulator's own endpoints, below `/simulator/`. HMRC has nothing like
//! them. They want no authorisation and have no limit.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::super::http_errors::HttpError;
use super::super::json as shapes;
use super::super::officer::Mail;
use super::super::options::Application;
use super::super::state::State;
use super::{Call, answer};

/// Most bytes of a mail, or of anything else sent here.
const BODY: usize = 64 << 10;

/// Most redirect URIs of an application.
const REDIRECTS: usize = 5;

/// Answers what lies below `/simulator/`.
///
/// # Errors
/// The refusal to answer with.
pub(super) fn answer_to(
    state: &mut State,
    call: &Call<'_>,
    rest: &str,
) -> Result<Response, HttpError> {
    let get = call.is(&Method::GET);
    match rest {
        "health" if get => {
            let versions: Vec<_> =
                call.options.versions.iter().map(|version| version.as_str()).collect();
            let health = json!({
                "status": "up",
                "service": "ctc-ready simulator",
                "version": env!("CARGO_PKG_VERSION"),
                "now": shapes::instant(call.now),
                "timeScale": call.options.time_scale,
                "apiVersions": versions,
                "movements": state.store.count(),
            });
            answer(StatusCode::OK, &health)
        }
        "log" if get => {
            answer(StatusCode::OK, &json!({"submissions": state.log, "faults": state.struck}))
        }
        "mailbox" if get => answer(StatusCode::OK, &json!({"mails": state.mails})),
        "mailbox" if call.is(&Method::POST) => {
            if call.body.too_large || call.body.bytes.len() > BODY {
                return Err(HttpError::too_large());
            }
            let mail: Mail = call.json(BODY).map_err(|error| {
                HttpError::bad_request(format!("The mail cannot be read: {error}"))
            })?;
            match state.mail(mail, call.now) {
                Ok(number) => answer(StatusCode::ACCEPTED, &json!({"number": number})),
                Err(why) => answer(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    &json!({"code": "REFUSED", "message": why}),
                ),
            }
        }
        "applications" if call.is(&Method::POST) => register(state, call),
        "boxes" if get => answer(StatusCode::OK, &json!({"boxes": state.boxes.all()})),
        "boxes" if call.is(&Method::POST) => make_box(state, call),
        "health" | "log" | "mailbox" | "applications" | "boxes" => {
            Err(HttpError::method_not_allowed())
        }
        _ => Err(HttpError::no_such_resource()),
    }
}

fn register(state: &mut State, call: &Call<'_>) -> Result<Response, HttpError> {
    let application: Application = call.json(BODY).map_err(|error| {
        HttpError::bad_request(format!("The application cannot be read: {error}"))
    })?;
    if application.client_id.is_empty() || application.client_secret.is_empty() {
        return Err(HttpError::bad_request("clientId and clientSecret must not be empty"));
    }
    if application.redirect_uris.len() > REDIRECTS {
        return Err(HttpError::bad_request(format!("More than {REDIRECTS} redirectUris")));
    }
    let client = application.client_id.clone();
    let registered = json!({"clientId": client});
    if !state.grants.register(application) {
        return Err(HttpError::too_large());
    }
    for version in &call.options.versions {
        state.boxes.default_box(&client, *version);
    }
    answer(StatusCode::CREATED, &registered)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewBox {
    box_name: String,
    client_id: String,
}

/// A box besides the application's own, to be named in `X-Callback-Box-Id`.
fn make_box(state: &mut State, call: &Call<'_>) -> Result<Response, HttpError> {
    let wish: NewBox = call
        .json(BODY)
        .map_err(|error| HttpError::bad_request(format!("The box cannot be read: {error}")))?;
    let id = state.boxes.create(&wish.client_id, &wish.box_name);
    answer(StatusCode::CREATED, &json!({"boxId": id}))
}
