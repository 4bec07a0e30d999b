//! Asking HMRC's sign-in service for tokens (OAuth 2.0), and reading what it
//! answers: the application's own, a trader's for a code, and the next ones for
//! a refresh token.
//!
//! Source: Developer Hub, authorisation of application-restricted and of
//! user-restricted endpoints; RFC 6749, sections 4.1, 4.4, 5.1, 5.2 and 6; RFC
//! 7636, section 4.5.

use std::fmt;

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::api::below;
use super::ctc;
use super::transport::{Answer, Call, Method};

/// How long a token lasts that does not say so: HMRC's last 4 hours.
const LASTS: Duration = Duration::hours(4);

/// How long before its end a token is replaced, unless it is short-lived.
const MARGIN: Duration = Duration::minutes(5);

/// Longest lifetime that is believed.
const LONGEST: u64 = 366 * 86_400;

/// Longest token that is taken, in bytes: it must fit into a header.
const MAX_TOKEN: usize = 8 << 10;

/// An application registered on the Developer Hub.
#[derive(Clone)]
pub struct Application {
    /// Its client id, which is no secret.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: SecretString,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl Application {
    /// POST that asks the service at `base` for a token of the application's
    /// own, with these scopes, if any.
    pub fn client_credentials(&self, base: &Url, scopes: &[&str]) -> Call {
        let scopes = scopes.join(" ");
        let grant = [("grant_type", "client_credentials"), ("scope", &scopes)];
        self.ask(base, if scopes.is_empty() { &grant[..1] } else { &grant })
    }

    /// POST that exchanges the code of a sign-in for tokens. `redirect` is the
    /// one that the code was asked for with, `verifier` what PKCE's challenge
    /// was made of.
    pub fn authorisation_code(
        &self,
        base: &Url,
        code: &SecretString,
        redirect: &str,
        verifier: &SecretString,
    ) -> Call {
        self.ask(
            base,
            &[
                ("grant_type", "authorization_code"),
                ("redirect_uri", redirect),
                ("code", code.expose_secret()),
                ("code_verifier", verifier.expose_secret()),
            ],
        )
    }

    /// POST that exchanges a refresh token, which is then spent, for new ones.
    /// The access token that came with it ends at once.
    pub fn refresh(&self, base: &Url, refresh: &SecretString) -> Call {
        let refresh = refresh.expose_secret();
        self.ask(base, &[("grant_type", "refresh_token"), ("refresh_token", refresh)])
    }

    /// POST for a token, whatever the grant.
    fn ask(&self, base: &Url, grant: &[(&str, &str)]) -> Call {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose_secret())
            .extend_pairs(grant)
            .finish();
        let url = below(base, &["oauth", "token"]).into();
        let headers = vec![("accept".into(), "application/json".into())];
        Call { method: Method::Post, url, headers, body: None }
            .body("application/x-www-form-urlencoded", body)
    }
}

/// An access token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub secret: SecretString,
    /// When to have another one.
    pub replace_at: DateTime<Utc>,
    /// When it ends, by our clock.
    pub ends_at: DateTime<Utc>,
}

/// What a trader's consent brings.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The access token.
    pub access: Token,
    /// What brings the next one; single use.
    pub refresh: Option<SecretString>,
    /// What may be done with it; none where the service does not say, which
    /// means all that was asked for.
    pub scopes: Option<Vec<String>>,
}

/// What the service refuses a request for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The application: its id or its secret is wrong.
    Application,
    /// The code or the refresh token: spent, too old, revoked. HMRC also says
    /// so of two refreshes at once.
    Grant,
    /// A scope that the application may not ask for.
    Scope,
    /// Anything else.
    Other,
}

/// A refusal of the service.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What is at fault.
    pub fault: Fault,
    /// What the service says: `HTTP 400: error: description`.
    pub text: String,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The service refused, and would again.
    #[error(transparent)]
    Refused(Refusal),
    /// It could not answer, or not properly; later it may.
    #[error("{0}")]
    Unusable(String),
}

/// Reads the answer to a request for a token that left at `sent_at`.
///
/// # Errors
/// Why there is none. The texts may quote the service's.
pub fn token(answer: &Answer, sent_at: DateTime<Utc>) -> Result<Token, TokenError> {
    granted(answer, sent_at).map(|granted| granted.access)
}

/// Reads the answer to a request for a trader's tokens that left at `sent_at`.
///
/// # Errors
/// As [`token`].
pub fn granted(answer: &Answer, sent_at: DateTime<Utc>) -> Result<Granted, TokenError> {
    #[derive(Deserialize)]
    struct Body {
        access_token: SecretText,
        token_type: Option<String>,
        expires_in: Option<u64>,
        refresh_token: Option<SecretText>,
        scope: Option<String>,
    }
    let unusable = |why: &str| Err(TokenError::Unusable(format!("the token's answer {why}")));
    match answer.status {
        200 => {}
        // RFC 6749, section 5.2; the rest may pass.
        400 | 401 | 403 => return Err(TokenError::Refused(refusal(answer))),
        _ => return Err(TokenError::Unusable(ctc::problem(answer))),
    }
    // The parser's words would quote the token.
    let Ok(body) = serde_json::from_slice::<Body>(&answer.body) else {
        return unusable("has not the documented shape");
    };
    let SecretText(secret) = body.access_token;
    if !is_token(&secret) {
        return unusable("holds no bearer token");
    }
    let refresh = body.refresh_token.map(|SecretText(refresh)| refresh);
    if refresh.as_ref().is_some_and(|refresh| !is_token(refresh)) {
        return unusable("holds no refresh token");
    }
    if body.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return unusable("holds a token that is not a bearer's");
    }
    let seconds = body.expires_in.map(|seconds| seconds.min(LONGEST));
    let lasts = seconds
        .and_then(|seconds| Duration::try_seconds(i64::try_from(seconds).ok()?))
        .unwrap_or(LASTS);
    let margin = MARGIN.min(lasts / 10);
    let access = Token { secret, replace_at: sent_at + (lasts - margin), ends_at: sent_at + lasts };
    let scopes = body.scope.map(|scope| scope.split_whitespace().map(str::to_owned).collect());
    Ok(Granted { access, refresh, scopes })
}

/// A text of an answer that nothing shows.
#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretText(SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// Whether a text can be a token: visible ASCII that fits into a header.
pub(super) fn is_token(secret: &SecretString) -> bool {
    let text = secret.expose_secret();
    (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic())
}

/// What the service says of a request it refused: `error: description`, as RFC
/// 6749 has it, or as HMRC's gateway writes its errors.
fn refusal(answer: &Answer) -> Refusal {
    #[derive(Default, Deserialize)]
    struct Said {
        error: Option<String>,
        error_description: Option<String>,
        code: Option<String>,
    }
    let said = serde_json::from_slice::<Said>(&answer.body).unwrap_or_default();
    // HMRC's older answers have the same words in capitals under `code`.
    let named = said.error.as_ref().or(said.code.as_ref()).map(|name| name.to_ascii_lowercase());
    let fault = match named.as_deref() {
        Some("invalid_client" | "unauthorized_client") => Fault::Application,
        Some("invalid_grant" | "invalid_request") => Fault::Grant,
        Some("invalid_scope") => Fault::Scope,
        _ if answer.status == 401 => Fault::Application,
        _ => Fault::Other,
    };
    let text = match said.error {
        None => ctc::problem(answer),
        Some(error) => {
            let status = Some(format!("HTTP {}", answer.status));
            let parts = [status, Some(error), said.error_description];
            parts.into_iter().flatten().collect::<Vec<_>>().join(": ").chars().take(1_000).collect()
        }
    };
    Refusal { fault, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cret & more";

    fn application() -> Application {
        Application { client_id: "id".into(), client_secret: SECRET.to_owned().into() }
    }

    fn read(status: u16, body: &str) -> Result<Token, TokenError> {
        let body = body.as_bytes().to_vec();
        let answer = Answer { status, headers: vec![], body, server_date: None, elapsed_ns: 0 };
        token(&answer, at())
    }

    fn at() -> DateTime<Utc> {
        "2026-11-21T09:30:00Z".parse().unwrap()
    }

    #[test]
    fn the_request_is_as_documented_and_shows_no_secret() {
        let base = Url::parse("https://example.org/").unwrap();
        let call = application().client_credentials(&base, &["read:a", "write:b"]);
        assert_eq!(
            (call.method, call.url.as_str()),
            (Method::Post, "https://example.org/oauth/token")
        );
        assert_eq!(call.headers[1].1, "application/x-www-form-urlencoded");
        assert_eq!(
            String::from_utf8(call.body.clone().unwrap()).unwrap(),
            "client_id=id&client_secret=s3cret+%26+more&grant_type=client_credentials\
             &scope=read%3Aa+write%3Ab"
        );
        let shown = format!("{:?} {call:?}", application());
        assert!(shown.contains("\"id\"") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn a_token_is_replaced_before_it_ends() {
        let lasting = |json: &str| (read(200, json).unwrap().replace_at - at()).num_seconds();
        for (expires, seconds) in [
            (r#","expires_in":14400"#, 14_400 - 300),
            (r#","expires_in":600"#, 540),
            (r#","expires_in":0"#, 0),
            ("", 14_400 - 300),
            (r#","expires_in":18446744073709551615"#, 366 * 86_400 - 300),
        ] {
            let json = format!(r#"{{"access_token":"t0ken","token_type":"Bearer"{expires}}}"#);
            assert_eq!(lasting(&json), seconds, "{expires}");
        }
        let token = read(200, r#"{"access_token":"t0ken","scope":"x","new":[1]}"#).unwrap();
        assert_eq!(token.secret.expose_secret(), "t0ken");
        assert!(!format!("{token:?}").contains("t0ken"));
    }

    #[test]
    fn refusals_are_told_from_troubles() {
        let refused = r#"{"error":"invalid_client","error_description":"wrong secret"}"#;
        for (status, body, words, for_good) in [
            (401, refused, "HTTP 401: invalid_client: wrong secret", true),
            (400, r#"{"error":"invalid_scope"}"#, "HTTP 400: invalid_scope", true),
            (400, r#"{"code":"INVALID","message":"no"}"#, "HTTP 400: INVALID: no", true),
            (403, "<html>", "HTTP 403", true),
            (429, "", "HTTP 429", false),
            (503, "<html>", "HTTP 503", false),
            (302, "", "HTTP 302", false),
        ] {
            let error = read(status, body).unwrap_err();
            assert_eq!(error.to_string(), words);
            assert_eq!(matches!(error, TokenError::Refused(_)), for_good, "{status}");
        }
        let long = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(9_000));
        let garbled = r#"{"access_token":"canary","expires_in":-1}"#;
        for body in [
            "",
            "<html>",
            "[]",
            "{}",
            garbled,
            r#"{"access_token":""}"#,
            r#"{"access_token":"canary\r\nx: y"}"#,
            r#"{"access_token":"canary","token_type":"mac"}"#,
            &long,
        ] {
            let error = read(200, body).unwrap_err();
            assert!(matches!(error, TokenError::Unusable(_)), "{body}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let loud = format!(r#"{{"error":"{}"}}"#, "x".repeat(9_000));
        assert!(read(400, &loud).unwrap_err().to_string().len() <= 1_000);
    }
}
