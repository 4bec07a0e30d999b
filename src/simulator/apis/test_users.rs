//! The Create Test User API, version 1.0. It knows the services of transit
//! alone.

use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::http_errors::HttpError;
use super::super::ids;
use super::super::state::State;
use super::super::users::{LEGACY, TRADERS, UserKind, is_eori};
use super::access::{Wants, admit};
use super::{Call, answer};

/// Most bytes of a request.
const BODY: usize = 64 << 10;

const SERVICES: &[(&str, &str)] = &[
    (TRADERS, "Common Transit Convention Traders"),
    (LEGACY, "Common Transit Convention Traders Legacy"),
];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wish {
    service_names: Option<Vec<String>>,
    eori_number: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    user_id: String,
    password: String,
    user_full_name: String,
    email_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    individual_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eori_number: Option<String>,
}

fn bad(message: impl Into<String>) -> HttpError {
    HttpError::gateway(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
}

/// Answers what lies below `/create-test-user/`.
///
/// # Errors
/// The refusal to answer with.
pub(super) fn answer_to(
    state: &mut State,
    call: &Call<'_>,
    rest: &str,
) -> Result<Response, HttpError> {
    let kind = match rest {
        "individuals" => Some(UserKind::Individual),
        "organisations" => Some(UserKind::Organisation),
        "agents" => Some(UserKind::Agent),
        "services" => None,
        _ => return Err(HttpError::no_such_resource()),
    };
    call.only(if kind.is_some() { &Method::POST } else { &Method::GET })?;
    admit(state, call, Wants::Application(None))?;
    // The platform takes a request that names no version for the first one.
    let accept = call.header(header::ACCEPT).unwrap_or_default();
    if accept.contains("vnd.hmrc.") && accept != "application/vnd.hmrc.1.0+json" {
        let message = "The accept header is missing or invalid";
        let status = StatusCode::NOT_ACCEPTABLE;
        return Err(HttpError::gateway(status, "ACCEPT_HEADER_INVALID", message));
    }
    match kind {
        Some(kind) => create(state, call, kind),
        None => {
            let service = |(key, name): &(&str, &str)| json!({"key": key, "name": name, "allowedUserTypes": ["INDIVIDUAL", "ORGANISATION"]});
            answer(StatusCode::OK, &SERVICES.iter().map(service).collect::<Vec<_>>())
        }
    }
}

fn create(state: &mut State, call: &Call<'_>, kind: UserKind) -> Result<Response, HttpError> {
    let nothing = call.body.bytes.is_empty() && !call.body.too_large;
    let wish: Wish = if nothing {
        Wish::default()
    } else {
        call.json(BODY).map_err(|why| bad(format!("The request cannot be read: {why}")))?
    };
    let services = wish.service_names.unwrap_or_default();
    for service in &services {
        let known = SERVICES.iter().any(|(key, _)| key == service);
        if !known || kind == UserKind::Agent {
            let shown: String = service.chars().take(80).collect();
            return Err(bad(format!("The service {shown} is not there for this type of user")));
        }
    }
    if let Some(eori) = &wish.eori_number
        && !is_eori(eori)
    {
        return Err(bad("The eoriNumber is not in the correct format"));
    }
    let ids = &mut state.ncts.ids;
    let user = state.users.create(kind, services, wish.eori_number, call.now, ids);
    let number = ids::number_of(&user.id);
    let address = json!({"line1": "1 Simulator Street", "line2": "Anytown", "postcode": "SM1 1AA"});
    let mut created = Created {
        user_full_name: format!("Trader {number}"),
        email_address: format!("trader.{number}@example.com"),
        user_id: user.id,
        password: user.password,
        individual_details: None,
        organisation_details: None,
        eori_number: user.eori,
    };
    match user.kind {
        UserKind::Individual => {
            created.individual_details = Some(json!({
                "firstName": "Trader",
                "lastName": number,
                "dateOfBirth": "1980-01-01",
                "address": address,
            }));
        }
        UserKind::Organisation => {
            created.organisation_details =
                Some(json!({"name": format!("Company {number}"), "address": address}));
        }
        UserKind::Agent => {}
    }
    answer(StatusCode::CREATED, &created)
}
