//! One HTTP call: one attempt, one answer or one reason why there is none.
//! Redirects are not followed and nothing is retried here: every attempt must
//! be recorded by whoever asks for it.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::hosts;
use crate::clock::Clock;

/// From connecting to the last byte of the answer. HMRC's own hand-over waits
/// up to 30 seconds three times over (API source, transit-movements-router).
const TIMEOUT: Duration = Duration::from_secs(100);

/// For the connection alone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Most bytes accepted of one answer; HMRC's largest message is 8 MB.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// A request to send.
#[derive(Clone)]
pub struct Call {
    /// What is asked of the address.
    pub method: Method,
    /// Full address.
    pub url: String,
    /// Headers; the bearer token among them.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Vec<u8>>,
}

/// Without header values and body: a call in a log must not carry the token.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &names)
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .finish()
    }
}

/// The methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
}

impl Method {
    /// `GET`, `POST` or `PUT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
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

    /// How long the server asks to be left alone: `Retry-After` in seconds, or
    /// as a date that is counted from the server's own `Date`.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc);
        (until - self.server_date?).to_std().ok()
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

/// What comes of a call, in time.
pub type Carried<'a> = Pin<Box<dyn Future<Output = Result<Answer, NoAnswer>> + Send + 'a>>;

/// Whoever takes a call to the API and brings the answer: [`Transport`], or in
/// tests anything that needs no socket and no real time.
pub trait Carrier: Send + Sync {
    /// Sends one call, once. Fails with why no whole answer came, and whether
    /// the request may have arrived.
    fn carry<'a>(&'a self, call: &'a Call, clock: &'a dyn Clock) -> Carried<'a>;
}

impl Carrier for Transport {
    fn carry<'a>(&'a self, call: &'a Call, clock: &'a dyn Clock) -> Carried<'a> {
        Box::pin(self.send(call, clock))
    }
}

/// Sends calls over HTTP.
#[derive(Clone, Debug)]
pub struct Transport {
    client: reqwest::Client,
}

/// The way to the server, where it is not the platform's own.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The proxy for all requests but those that `NO_PROXY` excepts; none: what
    /// the environment says.
    pub proxy: Option<Url>,
    /// Authorities trusted besides the platform's: PEM, or empty.
    pub authorities: Vec<u8>,
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The library's word for it.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
    /// A file of authorities that has none.
    #[error("there is no certificate among the authorities to trust (PEM)")]
    NoAuthorities,
}

impl Transport {
    /// A client for the API at `base` that speaks TLS by rustls and trusts the
    /// platform's roots. An address on this machine is never asked for through
    /// a proxy, whatever the environment says.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is unusable.
    pub fn new(user_agent: &str, base: &Url) -> Result<Self, SetUpError> {
        Self::by(user_agent, base, &Network::default())
    }

    /// The same by way of this network.
    ///
    /// # Errors
    /// When the proxy, an authority or the TLS set-up of this machine is
    /// unusable.
    pub fn by(user_agent: &str, base: &Url, network: &Network) -> Result<Self, SetUpError> {
        // Without a process-wide provider reqwest panics; a second
        // installation only says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(user_agent)
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(4);
        if hosts::is_loopback(base) {
            builder = builder.no_proxy();
        } else if let Some(proxy) = &network.proxy {
            let but_for = reqwest::NoProxy::from_env();
            builder = builder.proxy(reqwest::Proxy::all(proxy.as_str())?.no_proxy(but_for));
        }
        if !network.authorities.is_empty() {
            let authorities = reqwest::Certificate::from_pem_bundle(&network.authorities)?;
            if authorities.is_empty() {
                return Err(SetUpError::NoAuthorities);
            }
            builder = builder.tls_certs_merge(authorities);
        }
        Ok(Self { client: builder.build()? })
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
            Method::Put => reqwest::Method::PUT,
        };
        let mut request = self.client.request(method, &call.url).headers(headers(&call.headers)?);
        match &call.body {
            Some(body) => request = request.body(body.clone()),
            // Nobody must wait for a body that does not come; proxies refuse
            // such a POST without its length.
            None if call.method != Method::Get => {
                request = request.header(reqwest::header::CONTENT_LENGTH, 0);
            }
            None => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_in_a_log_carries_neither_token_nor_body() {
        let call = Call {
            method: Method::Post,
            url: "http://127.0.0.1/x".into(),
            headers: vec![("authorization".into(), "Bearer t0ken".into())],
            body: Some(b"inside".to_vec()),
        };
        let text = format!("{call:?} {:?}", Some(&call));
        assert!(text.contains("authorization") && text.contains("Some(6)"), "{text}");
        assert!(!text.contains("t0ken") && !text.contains("inside"), "{text}");
    }

    #[test]
    fn a_pause_is_understood_in_seconds_and_as_a_date() {
        let answer = |value: &str| Answer {
            status: 429,
            headers: vec![("Retry-After".into(), value.into())],
            body: vec![],
            server_date: Some("2026-11-21T09:30:00Z".parse().unwrap()),
            elapsed_ns: 0,
        };
        let asked = |value| answer(value).retry_after().map(|pause| pause.as_secs());
        assert_eq!(asked(" 30 "), Some(30));
        assert_eq!(asked("Sat, 21 Nov 2026 09:30:07 GMT"), Some(7));
        assert_eq!(asked("Sat, 21 Nov 2026 09:29:00 GMT"), None, "in the past");
        assert_eq!(asked("soon"), None);
    }
}
