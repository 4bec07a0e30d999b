//! The CTC Guarantee Balance API: its question and its answer as types.
//!
//! Source: CTC Guarantee Balance API OpenAPI 2.0, and HMRC's published API
//! source.

use serde::Deserialize;

use super::api::{Api, ShapeError};
use super::transport::{Answer, Call, Method};

/// The scope a trader's token needs for this API.
pub const SCOPE: &str = "common-transit-convention-guarantee-balance";

/// For how long the API answers a trader nothing more about a guarantee it was
/// asked about, in seconds. The lock is taken before the access code is looked
/// at: a question that is refused locks as well.
pub const LOCK_SECONDS: u32 = 60;

/// Most characters of an error code or a currency that are repeated.
const MAX_CODE: usize = 80;

/// Largest balance that is told exactly.
const MAX_BALANCE: f64 = 9_007_199_254_740_991.0;

/// The Guarantee Balance API's own call; its version is `2.0`.
impl Api {
    /// POST that asks for the balance of the guarantee `grn`.
    pub fn balance(&self, grn: &str, access_code: &str) -> Call {
        let body = serde_json::json!({"accessCode": access_code}).to_string();
        self.call(Method::Post, &["customs", "guarantees", grn, "balance"], "json")
            .body("application/json", body)
    }
}

/// What the API said: a balance, or the code of its refusal.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The balance, in units of the currency.
    pub balance: Option<f64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// `NOT_FOUND` and the like.
    pub code: Option<String>,
}

/// Reads an answer. A refusal may have any body, or none; a success has a
/// balance.
///
/// # Errors
/// When a success is not the documented JSON.
pub fn said(answer: &Answer) -> Result<Said, ShapeError> {
    #[derive(Default, Deserialize)]
    struct Body {
        balance: Option<f64>,
        currency: Option<String>,
        code: Option<String>,
    }
    let success = (200..300).contains(&answer.status);
    let body = match serde_json::from_slice::<Body>(&answer.body) {
        Ok(body) if success && body.balance.is_none() => {
            return Err(ShapeError("`balance` is missing".into()));
        }
        // Evidence keeps no number that other readers would not keep exactly.
        Ok(body) if body.balance.is_some_and(|balance| balance.abs() > MAX_BALANCE) => {
            return Err(ShapeError("`balance` is beyond 2^53 - 1".into()));
        }
        Ok(body) => body,
        Err(error) if success => return Err(error.into()),
        Err(_) => Body::default(),
    };
    let short = |text: String| text.chars().take(MAX_CODE).collect();
    Ok(Said {
        balance: body.balance,
        currency: body.currency.map(short),
        code: body.code.map(short),
    })
}

/// Whether an answer is this API's own lock, and not the limit on an
/// application's requests, which has the same status.
pub fn is_lock(answer: &Answer) -> bool {
    answer.status == 429
        && said(answer).is_ok_and(|said| said.code.as_deref() == Some("TOO_MANY_REQUESTS"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: vec![],
            body: body.as_bytes().to_vec(),
            server_date: None,
            elapsed_ns: 0,
        }
    }

    #[test]
    fn the_question_is_as_documented() {
        let token = || "t0ken".to_owned().into();
        let api = Api::new(Url::parse("http://127.0.0.1:9/x/").unwrap(), "2.0", token());
        let call = api.balance("23GB0000010000854", "AC01");
        assert_eq!(call.url, "http://127.0.0.1:9/x/customs/guarantees/23GB0000010000854/balance");
        assert_eq!(call.headers[0].1, "application/vnd.hmrc.2.0+json");
        assert_eq!(call.headers[2], ("content-type".into(), "application/json".into()));
        assert_eq!(call.body.unwrap(), br#"{"accessCode":"AC01"}"#);
        let api = Api::new(Url::parse("http://127.0.0.1:9").unwrap(), "2.0", token());
        let call = api.balance("../../x?y", "AC01");
        assert_eq!(call.url, "http://127.0.0.1:9/customs/guarantees/..%2F..%2Fx%3Fy/balance");
    }

    #[test]
    fn answers_are_read_whatever_they_are() {
        let ok = said(&answer(200, r#"{"_links":{},"balance":12345678.90,"currency":"GBP"}"#));
        assert_eq!(
            ok.unwrap(),
            Said { balance: Some(12_345_678.9), currency: Some("GBP".into()), code: None }
        );
        assert!(said(&answer(200, r#"{"currency":"GBP"}"#)).is_err());
        assert!(said(&answer(200, "<html>")).is_err());
        assert!(said(&answer(200, r#"{"balance":1e300}"#)).is_err());
        let refused = said(&answer(404, r#"{"code":"NOT_FOUND","message":"m"}"#)).unwrap();
        assert_eq!(refused.code.as_deref(), Some("NOT_FOUND"));
        assert_eq!(said(&answer(404, "")).unwrap().code, None);
        assert!(is_lock(&answer(429, r#"{"code":"TOO_MANY_REQUESTS"}"#)));
        assert!(!is_lock(&answer(429, r#"{"code":"MESSAGE_THROTTLED_OUT"}"#)));
    }
}
