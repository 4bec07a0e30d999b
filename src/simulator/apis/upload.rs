//! Where large messages are uploaded to: HMRC's uploader, which is a store of
//! objects with its own manners. It answers 204, or an error in XML.

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::multipart;
use super::super::state::State;
use super::super::uploads::{FILE, NotTaken};
use super::Call;

/// Most bytes of a form: the file, and room for the fields.
pub(super) const FORM: usize = FILE + (64 << 10);

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message></Error>"
    );
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

/// Answers an upload.
pub(super) fn answer_to(state: &mut State, call: &Call<'_>) -> Response {
    let bad = |code, message| refuse(StatusCode::BAD_REQUEST, code, message);
    if !call.is(&Method::POST) {
        let message = "The specified method is not allowed against this resource.";
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
    }
    if call.header(header::AUTHORIZATION).is_some() {
        return bad("InvalidArgument", "Only one auth mechanism allowed");
    }
    if call.body.too_large {
        return bad("EntityTooLarge", "The upload exceeds the maximum allowed size");
    }
    let Some(boundary) = call.header(header::CONTENT_TYPE).and_then(multipart::boundary) else {
        return refuse(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailed",
            "The body must be of the type multipart/form-data",
        );
    };
    let Ok(parts) = multipart::parts(&call.body.bytes, boundary) else {
        return bad("MalformedPOSTRequest", "The body is not well-formed multipart/form-data");
    };
    let wait = call.options.scaled(call.options.delays.processing);
    let due = call.now.checked_add_signed(wait).unwrap_or(call.now);
    match state.uploads.take(&parts, due) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(NotTaken::Denied) => {
            let message = "The fields are not those given out, or come after the file";
            refuse(StatusCode::FORBIDDEN, "AccessDenied", message)
        }
        Err(NotTaken::NoFile) => bad("InvalidArgument", "POST requires a part named file"),
        Err(NotTaken::Empty) => bad("EntityTooSmall", "The file is empty"),
        Err(NotTaken::TooLarge) => {
            bad("EntityTooLarge", "The upload exceeds the maximum allowed size")
        }
        Err(NotTaken::Busy) => {
            refuse(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Too many files wait")
        }
    }
}
