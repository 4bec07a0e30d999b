//! One HTTP call: one attempt, one answer or one reason why there is none.
//! Redirects are not followed and nothing is retried here: every attempt must
//! be recorded by whoever asks for it.

use std::error::Error as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::Clock;

/// From connecting to the last byte of the answer. HMRC's own hand-over waits
/// up to 30 seconds three times over (API source, transit-movements-router).
const TIMEOUT: Duration = Duration::from_secs(100);

/// For the connection alone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Most bytes accepted of one answer; HMRC's largest message is 8 MB.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// A request to send.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: Method,
    /// Full address.
    pub url: String,
    /// Headers; the bearer token among them.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Vec<u8>>,
}

/// The methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

impl Method {
    /// `GET` or `POST`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers in the order received; values that are not text are shown
    /// lossily.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// The server's `Date`, where readable.
    pub server_date: Option<DateTime<Utc>>,
    /// From sending to the last byte, in nanoseconds.
    pub elapsed_ns: u64,
}

impl Answer {
    /// The first header of this name (case-insensitive).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// `Retry-After` in seconds, where the server sent one.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct NoAnswer {
    /// `connect`, `timeout`, `body`, `request`, `too-large`.
    pub failure: &'static str,
    /// In words, without address or secret.
    pub detail: String,
    /// Whether the server may have acted all the same.
    pub may_have_arrived: bool,
}

/// Sends calls.
#[derive(Clone, Debug)]
pub struct Transport {
    client: reqwest::Client,
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct SetUpError(#[from] reqwest::Error);

impl Transport {
    /// A client that speaks TLS by rustls and trusts the platform's roots.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is unusable.
    pub fn new(user_agent: &str) -> Result<Self, SetUpError> {
        // Without a process-wide provider reqwest panics; a second
        // installation only says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(user_agent)
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(4)
            .build()?;
        Ok(Self { client })
    }

    /// Sends one call, once.
    ///
    /// # Errors
    /// Why no whole answer came, and whether the request may have arrived.
    pub async fn send(&self, call: &Call, clock: &dyn Clock) -> Result<Answer, NoAnswer> {
        let started = clock.mono_ns();
        let method = match call.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut request = self.client.request(method, &call.url).headers(headers(&call.headers)?);
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let mut response = request.send().await.map_err(|error| no_answer(&error))?;
        let status = response.status().as_u16();
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer {
            failure: "body",
            detail: format!("the answer broke off: {}", root_cause(&error)),
            may_have_arrived: true,
        })? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(NoAnswer {
                    failure: "too-large",
                    detail: format!("the answer is larger than {MAX_ANSWER} bytes"),
                    may_have_arrived: true,
                });
            }
            body.extend_from_slice(&chunk);
        }
        let server_date = headers
            .iter()
            .find(|(name, _)| name == "date")
            .and_then(|(_, value)| DateTime::parse_from_rfc2822(value).ok())
            .map(|date| date.with_timezone(&Utc));
        let elapsed_ns = clock.mono_ns().saturating_sub(started);
        Ok(Answer { status, headers, body, server_date, elapsed_ns })
    }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, NoAnswer> {
    pairs
        .iter()
        .map(|(name, value)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(name.eq_ignore_ascii_case("authorization"));
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        })
        .collect::<Option<HeaderMap>>()
        .ok_or_else(|| NoAnswer {
            failure: "request",
            detail: "a header has characters that HTTP does not allow \
                     (is there a line break in the token?)"
                .into(),
            may_have_arrived: false,
        })
}

fn no_answer(error: &reqwest::Error) -> NoAnswer {
    let cause = root_cause(error);
    // A request that never got a connection cannot have arrived.
    let (failure, detail, may_have_arrived) = if error.is_connect() {
        ("connect", format!("no connection: {cause}"), false)
    } else if error.is_timeout() {
        ("timeout", format!("no answer within {} seconds", TIMEOUT.as_secs()), true)
    } else if error.is_builder() {
        ("request", format!("the request cannot be built: {cause}"), false)
    } else {
        ("request", format!("the connection broke: {cause}"), true)
    };
    NoAnswer { failure, detail, may_have_arrived }
}

/// The innermost cause: it names no address, which may carry a password.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = match error.source() {
        Some(source) => source,
        None => return "unknown cause".to_owned(),
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
