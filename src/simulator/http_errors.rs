//! What the API and its gateway say when they refuse, status and body.
//!
//! The service writes `message` before `code`, the gateway the other way
//! round.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// One violation of the schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Violation {
    pub(super) line_number: u32,
    pub(super) column_number: u32,
    pub(super) message: String,
}

/// One violation of the schema, of a message in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JsonViolation {
    pub(super) schema_path: String,
    pub(super) message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Gateway,
    Service,
    /// The platform's own handling of a path or query value.
    BadId,
    BadQuery,
    Schema(Vec<Violation>),
    JsonSchema(Vec<JsonViolation>),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpError {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
    shape: Shape,
}

#[derive(Serialize)]
struct GatewayBody<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceBody<'a, V> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_errors: Option<&'a [V]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueryBody<'a> {
    status_code: u16,
    message: &'a str,
}

fn schema<V: Serialize>(message: &str, code: &str, violations: &[V]) -> serde_json::Result<String> {
    let validation_errors = Some(violations);
    serde_json::to_string(&ServiceBody { message, status_code: None, code, validation_errors })
}

impl HttpError {
    /// As the gateway writes it.
    pub(super) fn gateway(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { status, code, message: message.into(), shape: Shape::Gateway }
    }

    /// As a service behind the gateway writes it.
    pub(super) fn service(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { status, code, message: message.into(), shape: Shape::Service }
    }

    pub(super) fn missing_credentials() -> Self {
        let message = "Authentication information is not provided";
        Self::gateway(StatusCode::UNAUTHORIZED, "MISSING_CREDENTIALS", message)
    }

    pub(super) fn invalid_credentials() -> Self {
        let message = "Invalid Authentication information provided";
        Self::gateway(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS", message)
    }

    /// A user's token where an application's is wanted, or the other way round.
    pub(super) fn incorrect_token_type() -> Self {
        let message = "The access token type used is not supported when invoking the API";
        Self::gateway(StatusCode::UNAUTHORIZED, "INCORRECT_ACCESS_TOKEN_TYPE", message)
    }

    pub(super) fn invalid_scope() -> Self {
        let message = "Cannot access the required resource. Ensure this token has all the \
                       required scopes.";
        Self::gateway(StatusCode::FORBIDDEN, "INVALID_SCOPE", message)
    }

    pub(super) fn no_enrolment() -> Self {
        let message = "Current user doesn't have a valid EORI enrolment.";
        Self::service(StatusCode::FORBIDDEN, "FORBIDDEN", message)
    }

    pub(super) fn resource_forbidden() -> Self {
        let message = "The application is not subscribed to the API which it is attempting to \
                       invoke";
        Self::gateway(StatusCode::FORBIDDEN, "RESOURCE_FORBIDDEN", message)
    }

    pub(super) fn no_such_resource() -> Self {
        let message = "A resource with the name in the request can not be found in the API";
        Self::gateway(StatusCode::NOT_FOUND, "MATCHING_RESOURCE_NOT_FOUND", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "The method is not allowed for this resource";
        Self::gateway(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
    }

    pub(super) fn throttled() -> Self {
        let message = "The application has reached its maximum rate limit";
        Self::gateway(StatusCode::TOO_MANY_REQUESTS, "MESSAGE_THROTTLED_OUT", message)
    }

    /// A failure of the gateway. That it writes 502 as it writes the others is
    /// a guess: HMRC's list has no 502.
    pub(super) fn of_gateway(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::TOO_MANY_REQUESTS => return Self::throttled(),
            StatusCode::BAD_GATEWAY => ("BAD_GATEWAY", "The API gave no valid answer"),
            StatusCode::SERVICE_UNAVAILABLE => ("SERVER_ERROR", "Service unavailable"),
            StatusCode::GATEWAY_TIMEOUT => ("GATEWAY_TIMEOUT", "The API did not answer in time"),
            _ => ("INTERNAL_SERVER_ERROR", "Internal server error"),
        };
        Self::gateway(status, code, message)
    }

    pub(super) fn bad_id(field: &str, value: &str) -> Self {
        let value: String = value.chars().take(200).collect();
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "BAD_REQUEST",
            message: format!("{field}: Value {value} is not a 16 character hexadecimal string"),
            shape: Shape::BadId,
        }
    }

    pub(super) fn bad_query(message: String) -> Self {
        let shape = Shape::BadQuery;
        Self { status: StatusCode::BAD_REQUEST, code: "BAD_REQUEST", message, shape }
    }

    pub(super) fn unsupported_media(content_type: &str) -> Self {
        let message = format!("Content-type header {content_type} is not supported!");
        Self::service(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    pub(super) fn not_acceptable(message: impl Into<String>) -> Self {
        Self::service(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
    }

    pub(super) fn too_large() -> Self {
        let message = "Request Entity Too Large";
        Self::service(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_ENTITY_TOO_LARGE", message)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::service(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    pub(super) fn business(message: impl Into<String>) -> Self {
        Self::service(StatusCode::BAD_REQUEST, "BUSINESS_VALIDATION_ERROR", message)
    }

    pub(super) fn schema(violations: Vec<Violation>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "SCHEMA_VALIDATION",
            message: "Request failed schema validation".to_owned(),
            shape: Shape::Schema(violations),
        }
    }

    /// As [`Self::schema`], of a message in JSON.
    pub(super) fn json_schema(violations: Vec<JsonViolation>) -> Self {
        Self { shape: Shape::JsonSchema(violations), ..Self::schema(Vec::new()) }
    }

    /// The same refusal of a message that was sent as JSON. `located` gives
    /// the paths, in the schema and in the JSON, of what stands on a line of
    /// the XML made of it.
    pub(super) fn of_json(self, located: impl Fn(u32) -> Option<(String, String)>) -> Self {
        let Shape::Schema(violations) = &self.shape else { return self };
        let of = |one: &Violation| {
            let (schema_path, path) = located(one.line_number)?;
            let (rule, said) = one.message.split_once(": ").unwrap_or(("", &one.message));
            // XML reports a bad value twice, JSON once.
            (rule != "cvc-type.3.1.3")
                .then(|| JsonViolation { schema_path, message: format!("{path}: {said}") })
        };
        Self::json_schema(violations.iter().filter_map(of).collect())
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::service(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    pub(super) fn conflict(lrn: &str) -> Self {
        let message = format!("LRN {lrn} has previously been used and cannot be reused");
        Self::service(StatusCode::CONFLICT, "CONFLICT", message)
    }

    pub(super) fn internal() -> Self {
        let message = "Internal server error";
        Self::service(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message)
    }

    /// The JSON it is told in.
    pub(super) fn json(&self) -> String {
        // Plain strings and numbers always serialise.
        self.body().unwrap_or_default()
    }

    fn body(&self) -> serde_json::Result<String> {
        let (code, message) = (self.code, self.message.as_str());
        let service = |status_code| {
            let validation_errors = None::<&[()]>;
            serde_json::to_string(&ServiceBody { message, status_code, code, validation_errors })
        };
        match &self.shape {
            Shape::Gateway => serde_json::to_string(&GatewayBody { code, message }),
            Shape::Service => service(None),
            Shape::BadId => service(Some(self.status.as_u16())),
            Shape::Schema(violations) => schema(message, code, violations),
            Shape::JsonSchema(violations) => schema(message, code, violations),
            Shape::BadQuery => {
                serde_json::to_string(&QueryBody { status_code: self.status.as_u16(), message })
            }
        }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let body = self.json();
        (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
