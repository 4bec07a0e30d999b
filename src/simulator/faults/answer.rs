//! What a fault makes of an answer.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};

use super::Fault;
use crate::simulator::http_errors::HttpError;
use crate::simulator::server::http_date;

/// What the gateway answers in place of the API.
pub(in crate::simulator) fn instead(fault: &Fault) -> Option<Response> {
    let (status, retry_after, html) = match fault {
        Fault::ExpiredToken => return Some(HttpError::invalid_credentials().into_response()),
        Fault::Empty => return Some(StatusCode::OK.into_response()),
        Fault::Status { status, retry_after, html, .. } => (*status, *retry_after, *html),
        _ => return None,
    };
    let status = StatusCode::from_u16(status).ok()?;
    let mut response = if html {
        let reason = status.canonical_reason().unwrap_or_default();
        let page = format!(
            "<html>\r\n<head><title>{0} {reason}</title></head>\r\n<body>\r\n<h1>{0} \
             {reason}</h1>\r\n</body>\r\n</html>\r\n",
            status.as_u16()
        );
        (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
    } else {
        HttpError::of_gateway(status).into_response()
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    Some(response)
}

/// Changes an answer whose body is `body`. Both keep what the fault does not
/// touch.
pub(in crate::simulator) fn mend(
    fault: &Fault,
    response: &mut Response<()>,
    body: &mut Vec<u8>,
    now: DateTime<Utc>,
) {
    match fault {
        Fault::ClockSkew(seconds) => {
            let wrong = TimeDelta::try_seconds(*seconds)
                .and_then(|skew| now.checked_add_signed(skew))
                .unwrap_or(now);
            if let Some(date) = http_date(wrong) {
                response.headers_mut().insert(header::DATE, date);
            }
        }
        Fault::WrongType(name) => {
            if let Ok(name) = HeaderValue::from_str(name) {
                response.headers_mut().insert(header::CONTENT_TYPE, name);
            }
        }
        Fault::ExtraFields if is_json(response) => *body = with_extra_fields(body),
        Fault::WrongTotal(by) if is_json(response) => {
            if let Some(changed) = with_wrong_total(body, *by) {
                *body = changed;
            }
        }
        _ => {}
    }
}

fn is_json(response: &Response<()>) -> bool {
    let of_type = response.headers().get(header::CONTENT_TYPE);
    of_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

/// What nobody documented.
const EXTRA: &[u8] = br#""unannounced":{"since":"2026-01-01","items":[1,"two",null]}"#;

/// JSON with one more field at the start of each object.
fn with_extra_fields(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in json.iter().enumerate() {
        out.push(byte);
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => {
                out.extend_from_slice(EXTRA);
                let rest = json.get(at + 1..).unwrap_or_default();
                if rest.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'}') {
                    out.push(b',');
                }
            }
            _ => {}
        }
    }
    out
}

/// JSON whose `totalCount` is off by `by`, and at least 0; none: it has none.
fn with_wrong_total(json: &[u8], by: i64) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(json).ok()?;
    // In a string the quotes would be escaped.
    let (before, after) = text.split_once("\"totalCount\":")?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = after.split_at(digits);
    let wrong = number.parse::<i64>().ok()?.saturating_add(by).max(0);
    Some(format!("{before}\"totalCount\":{wrong}{rest}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_fields_come_into_objects_and_not_into_texts() {
        let json = br#"{"a":{},"b":[{"c":"{\"d\":1}"}]}"#;
        let changed: serde_json::Value = serde_json::from_slice(&with_extra_fields(json)).unwrap();
        assert_eq!(changed["unannounced"]["items"][1], "two");
        assert!(changed["a"]["unannounced"].is_object());
        assert!(changed["b"][0]["unannounced"].is_object());
        assert_eq!(changed["b"][0]["c"], "{\"d\":1}");
    }

    #[test]
    fn a_total_is_never_below_nothing() {
        let wrong = |json: &str, by| String::from_utf8(with_wrong_total(json.as_bytes(), by)?).ok();
        assert_eq!(wrong(r#"{"totalCount":3,"x":1}"#, 4).unwrap(), r#"{"totalCount":7,"x":1}"#);
        assert_eq!(wrong(r#"{"totalCount":3}"#, -9).unwrap(), r#"{"totalCount":0}"#);
        assert_eq!(wrong(r#"{"id":3}"#, 1), None);
    }
}
