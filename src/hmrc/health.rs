//! What one request that changes nothing tells of a server, a token, an
//! application and a clock.
//!
//! Source: Developer Hub reference guide, errors of the gateway; published
//! source of the CTC Traders API (order of its checks).

use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;

use super::api::Api;
use super::ctc;
use super::transport::{Answer, Call, Method};

/// HMRC's page on the state of its platform (CTC Traders API service guide,
/// getting help).
pub const STATUS_PAGE: &str = "https://api-platform-status.production.tax.service.gov.uk/";

impl Api {
    /// GET of the newest departure at most: it needs the token, its scope, the
    /// subscription to this version and the trader's enrolment, and changes
    /// nothing.
    pub fn probe(&self) -> Call {
        self.call(Method::Get, &["customs", "transits", "movements", "departures"], "json")
            .query(&[("count", "1".to_owned())])
    }
}

/// The same without a token: whether anybody is there, and what time it is.
pub fn anonymous(mut probe: Call) -> Call {
    probe.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
    probe
}

/// What the answer to a probe says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything is as it must be.
    Granted,
    /// There was no token, or it is over, or none (401).
    TokenRefused(String),
    /// The token has not the API's scope (403).
    ScopeMissing(String),
    /// The application is not subscribed to this version (403, or a version
    /// that the gateway does not have).
    NotSubscribed(String),
    /// The trader has no enrolment for transit (403).
    NoEnrolment(String),
    /// Too many requests (429).
    Throttled(String),
    /// The server is in trouble (5xx).
    Down(String),
    /// Anything else.
    Unexpected(String),
}

/// Reads the answer to a probe.
pub fn access(answer: &Answer) -> Access {
    #[derive(Default, Deserialize)]
    struct Problem {
        code: Option<String>,
    }
    if answer.status == 200 {
        // A page of a proxy has that status, too.
        return match serde_json::from_slice::<serde_json::Value>(&answer.body) {
            Ok(json) if json.get("departures").is_some() => Access::Granted,
            _ => Access::Unexpected("HTTP 200, but no list of movements".to_owned()),
        };
    }
    let said = ctc::problem(answer);
    let code = serde_json::from_slice::<Problem>(&answer.body).unwrap_or_default().code;
    match (answer.status, code.as_deref()) {
        (401, _) => Access::TokenRefused(said),
        (403, Some("INVALID_SCOPE")) => Access::ScopeMissing(said),
        (403, Some("RESOURCE_FORBIDDEN")) => Access::NotSubscribed(said),
        (403, Some("FORBIDDEN")) => Access::NoEnrolment(said),
        (404, Some("MATCHING_RESOURCE_NOT_FOUND")) | (406, _) => Access::NotSubscribed(said),
        (429, _) => Access::Throttled(said),
        (500..=599, _) => Access::Down(said),
        _ => Access::Unexpected(said),
    }
}

/// How far our clock is ahead of the server's, at least; negative: behind. A
/// `Date` has whole seconds, and the answer took its time: what these allow is
/// no difference.
pub fn skew(answer: &Answer, sent_at: DateTime<Utc>) -> Option<Duration> {
    let server = answer.server_date?;
    let elapsed = i64::try_from(answer.elapsed_ns).unwrap_or(i64::MAX);
    let least = sent_at - (server + Duration::seconds(1));
    let most = (sent_at + Duration::nanoseconds(elapsed)) - server;
    Some(match (least > Duration::zero(), most < Duration::zero()) {
        (true, _) => least,
        (_, true) => most,
        _ => Duration::zero(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn answer(status: u16, body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        Answer { status, headers: vec![], body, server_date: None, elapsed_ns: 0 }
    }

    #[test]
    fn a_probe_reads_and_asks_for_little() {
        let base = Url::parse("https://example.org/").unwrap();
        let call = Api::new(base, "2.1", "t0ken".to_owned().into()).probe();
        assert_eq!(
            (call.method, call.url.as_str()),
            (Method::Get, "https://example.org/customs/transits/movements/departures?count=1")
        );
        let names = |call: &Call| {
            call.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&call), "accept authorization");
        assert_eq!(names(&anonymous(call)), "accept");
    }

    #[test]
    fn every_refusal_says_whose_matter_it_is() {
        let said = |text: &str| text.to_owned();
        for (status, body, access) in [
            (200, r#"{"totalCount":0,"departures":[]}"#, Access::Granted),
            (200, "<html>", Access::Unexpected(said("HTTP 200, but no list of movements"))),
            (
                401,
                r#"{"code":"INVALID_CREDENTIALS","message":"x"}"#,
                Access::TokenRefused(said("HTTP 401: INVALID_CREDENTIALS: x")),
            ),
            (
                403,
                r#"{"code":"INVALID_SCOPE","message":"x"}"#,
                Access::ScopeMissing(said("HTTP 403: INVALID_SCOPE: x")),
            ),
            (
                403,
                r#"{"code":"RESOURCE_FORBIDDEN"}"#,
                Access::NotSubscribed(said("HTTP 403: RESOURCE_FORBIDDEN")),
            ),
            (403, r#"{"code":"FORBIDDEN"}"#, Access::NoEnrolment(said("HTTP 403: FORBIDDEN"))),
            (403, "<html>", Access::Unexpected(said("HTTP 403"))),
            (
                404,
                r#"{"code":"MATCHING_RESOURCE_NOT_FOUND"}"#,
                Access::NotSubscribed(said("HTTP 404: MATCHING_RESOURCE_NOT_FOUND")),
            ),
            (404, "", Access::Unexpected(said("HTTP 404"))),
            (406, "", Access::NotSubscribed(said("HTTP 406"))),
            (429, "", Access::Throttled(said("HTTP 429"))),
            (503, "", Access::Down(said("HTTP 503"))),
            (302, "", Access::Unexpected(said("HTTP 302"))),
        ] {
            assert_eq!(super::access(&answer(status, body)), access);
        }
    }

    #[test]
    fn a_difference_counts_only_where_seconds_and_the_wait_do_not_explain_it() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let skew = |sent: &str, took_ms: u64, server: &str| {
            let mut answer = answer(200, "");
            answer.server_date = Some(at(server));
            answer.elapsed_ns = took_ms * 1_000_000;
            super::skew(&answer, at(sent)).unwrap().num_milliseconds()
        };
        let server = "2026-11-21T09:30:10Z";
        assert_eq!(skew("2026-11-21T09:30:10.900Z", 50, server), 0);
        assert_eq!(skew("2026-11-21T09:30:11.500Z", 50, server), 500);
        assert_eq!(skew("2026-11-21T09:30:00Z", 12_000, server), 0, "a slow answer");
        assert_eq!(skew("2026-11-21T09:30:00Z", 4_000, server), -6_000);
        assert_eq!(skew("2026-11-21T10:30:10Z", 0, server), 3_599_000);
        assert_eq!(super::skew(&answer(200, ""), at(server)), None);
    }
}
