//! Reading requests: paths, `Accept`, content types, queries.

use std::collections::HashSet;

use axum::http::{HeaderMap, Method, header};
use chrono::{DateTime, NaiveDateTime, Utc};

use super::http_errors::HttpError;
use super::options::ApiVersion;
use crate::ncts::MovementKind;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Movements(MovementKind),
    Movement(MovementKind, String),
    Messages(MovementKind, String),
    Message(MovementKind, String, String),
    Body(MovementKind, String, String),
}

impl Resource {
    /// The resource a path names, if the API has it.
    pub(super) fn named(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/customs/transits/movements/")?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (plural, rest) = parts.split_first()?;
        let kind = [MovementKind::Departure, MovementKind::Arrival]
            .into_iter()
            .find(|kind| kind.plural() == *plural)?;
        let own = |text: &str| text.to_owned();
        match rest {
            [] => Some(Self::Movements(kind)),
            [id] if !id.is_empty() => Some(Self::Movement(kind, own(id))),
            [id, "messages"] => Some(Self::Messages(kind, own(id))),
            [id, "messages", message] if !message.is_empty() => {
                Some(Self::Message(kind, own(id), own(message)))
            }
            [id, "messages", message, "body"] => Some(Self::Body(kind, own(id), own(message))),
            _ => None,
        }
    }

    /// Whether it answers `method`.
    pub(super) fn takes(&self, method: &Method) -> bool {
        match self {
            Self::Movements(_) | Self::Messages(..) => {
                *method == Method::GET || *method == Method::POST
            }
            _ => *method == Method::GET,
        }
    }

    /// Checks the ids in the path.
    ///
    /// # Errors
    /// The first that is not 16 hexadecimal digits.
    pub(super) fn check_ids(&self) -> Result<(), HttpError> {
        match self {
            Self::Movements(_) => Ok(()),
            Self::Movement(_, id) | Self::Messages(_, id) => check_id("movementId", id),
            Self::Message(_, id, message) | Self::Body(_, id, message) => {
                check_id("movementId", id)?;
                check_id("messageId", message)
            }
        }
    }

    /// `Accept` suffixes it answers.
    pub(super) fn suffixes(&self) -> &'static [&'static str] {
        match self {
            Self::Message(..) => &["json", "json-xml", "json+xml"],
            Self::Body(..) => &["xml", "json"],
            _ => &["json"],
        }
    }
}

/// Checks an id of a movement or of a message.
///
/// # Errors
/// It is not 16 hexadecimal digits.
pub(super) fn check_id(field: &str, id: &str) -> Result<(), HttpError> {
    let fits =
        id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if fits { Ok(()) } else { Err(HttpError::bad_id(field, id)) }
}

/// The first value of a parameter of a query.
pub(super) fn first(query: Option<&str>, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// What an `Accept` header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) version: ApiVersion,
    /// Whether message bodies are wanted as JSON rather than as XML.
    pub(super) json: bool,
}

/// Reads the `Accept` header.
///
/// # Errors
/// What is wrong with it.
pub(super) fn accept(
    headers: &HeaderMap,
    resource: &Resource,
    versions: &[ApiVersion],
) -> Result<Wanted, HttpError> {
    let invalid = || HttpError::not_acceptable("The Accept header is missing or invalid.");
    let Some(value) = headers.get(header::ACCEPT) else {
        return Err(HttpError::not_acceptable("The Accept header is missing."));
    };
    let value = value.to_str().map_err(|_| invalid())?;
    let shown: String = value.chars().take(200).collect();
    let malformed = || HttpError::not_acceptable(format!("Invalid accept header: {shown}"));
    let (version, suffix) = value
        .strip_prefix("application/vnd.hmrc.")
        .and_then(|rest| rest.split_once('+'))
        .ok_or_else(malformed)?;
    let numeric = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !version.split_once('.').is_some_and(|(major, minor)| numeric(major) && numeric(minor)) {
        return Err(malformed());
    }
    let version = ApiVersion::named(version)
        .filter(|version| versions.contains(version))
        .ok_or_else(|| HttpError::not_acceptable("Invalid version provided"))?;
    let suffix = suffix.to_ascii_lowercase();
    if !resource.suffixes().contains(&suffix.as_str()) {
        return Err(malformed());
    }
    Ok(Wanted { version, json: suffix == "json" })
}

/// How a POST's content type routes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Xml,
    Json,
    /// No content type: it asks where to upload a large message.
    Upload,
}

/// Reads the `Content-Type` header of a POST.
///
/// # Errors
/// One that the API does not take.
pub(super) fn content(headers: &HeaderMap) -> Result<Content, HttpError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Content::Upload) };
    let text = String::from_utf8_lossy(value.as_bytes());
    match text.to_ascii_lowercase().as_str() {
        "application/xml" | "application/xml; charset=utf-8" => Ok(Content::Xml),
        "application/json" => Ok(Content::Json),
        _ => Err(HttpError::unsupported_media(&text.chars().take(200).collect::<String>())),
    }
}

/// The bearer token of a request.
///
/// # Errors
/// None, or something else than a bearer token.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, HttpError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(HttpError::missing_credentials());
    };
    let value = value.to_str().map_err(|_| HttpError::invalid_credentials())?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(HttpError::missing_credentials());
    }
    Ok(token.trim())
}

/// The filters of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filters {
    /// `updatedSince` (movements) or `receivedSince` (messages).
    pub(super) since: Option<NaiveDateTime>,
    pub(super) until: Option<NaiveDateTime>,
    pub(super) trader: Option<String>,
    pub(super) mrn: Option<String>,
    pub(super) lrn: Option<String>,
    page: usize,
    count: usize,
}

/// Page length unless asked for, and the longest there is.
const PAGE: (usize, usize) = (25, 500);

/// Reads the filters of a list of movements, or of messages.
///
/// # Errors
/// A value that is no timestamp or no positive number.
pub(super) fn filters(query: Option<&str>, movements: bool) -> Result<Filters, HttpError> {
    let mut filters = Filters {
        since: None,
        until: None,
        trader: None,
        mrn: None,
        lrn: None,
        page: 1,
        count: PAGE.0,
    };
    let timestamp = |name: &str, value: &str| {
        DateTime::parse_from_rfc3339(value)
            // The store drops the offset and compares what is left.
            .map(|at| Some(at.naive_local()))
            .map_err(|_| {
                HttpError::bad_query(format!(
                    "Cannot parse parameter {name} as a valid ISO 8601 timestamp, e.g. \
                     2021-06-21T09:00:00Z"
                ))
            })
    };
    let positive = |name: &str, value: &str| {
        let number: i32 = value
            .parse()
            .map_err(|_| HttpError::bad_query(format!("Cannot parse parameter {name} as Int")))?;
        usize::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| {
            HttpError::bad_request(format!("The {name} parameter must be a positive number"))
        })
    };
    let mut seen = HashSet::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        // Of several values the first counts.
        if !seen.insert(name.clone()) {
            continue;
        }
        match name.as_ref() {
            "updatedSince" if movements => filters.since = timestamp(&name, &value)?,
            "receivedSince" if !movements => filters.since = timestamp(&name, &value)?,
            "receivedUntil" => filters.until = timestamp(&name, &value)?,
            "movementEORI" if movements => filters.trader = Some(value.into_owned()),
            "movementReferenceNumber" if movements => filters.mrn = Some(value.to_lowercase()),
            "localReferenceNumber" if movements => filters.lrn = Some(value.to_lowercase()),
            "page" => filters.page = positive(&name, &value)?,
            "count" => filters.count = positive(&name, &value)?.min(PAGE.1),
            _ => {}
        }
    }
    Ok(filters)
}

impl Filters {
    /// Whether an instant lies within the filters.
    pub(super) fn holds(&self, at: DateTime<Utc>) -> bool {
        let at = at.naive_utc();
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at <= until)
    }

    /// The page asked for.
    ///
    /// # Errors
    /// A page after the last, unless it is the first.
    pub(super) fn page<'a, T>(&self, all: &'a [T]) -> Result<&'a [T], HttpError> {
        let start = (self.page - 1).saturating_mul(self.count);
        if self.page > 1 && start >= all.len() {
            return Err(HttpError::not_found("The requested page does not exist"));
        }
        let end = start.saturating_add(self.count).min(all.len());
        Ok(all.get(start..end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(value: &str, path: &str) -> Result<Wanted, HttpError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().unwrap());
        let resource = Resource::named(&format!("/customs/transits/movements/{path}")).unwrap();
        accept(&headers, &resource, &[ApiVersion::V2_1, ApiVersion::V3_0])
    }

    #[test]
    fn accept_headers_are_matched_as_the_service_does() {
        let json = |version| Ok(Wanted { version, json: true });
        let xml = |version| Ok(Wanted { version, json: false });
        let message = "arrivals/1/messages/2";
        for (value, path, expected) in [
            ("application/vnd.hmrc.2.1+json", "departures", json(ApiVersion::V2_1)),
            ("application/vnd.hmrc.3.0+JSON", "departures", json(ApiVersion::V3_0)),
            ("application/vnd.hmrc.3.0+json-xml", message, xml(ApiVersion::V3_0)),
            ("application/vnd.hmrc.3.0+json+xml", message, xml(ApiVersion::V3_0)),
            ("application/vnd.hmrc.3.0+xml", "arrivals/1/messages/2/body", xml(ApiVersion::V3_0)),
        ] {
            assert_eq!(wanted(value, path), expected, "{value} {path}");
        }
        for (value, path) in [
            ("application/json", "departures"),
            ("*/*", "departures"),
            ("application/vnd.hmrc.2.1+json;q=1", "departures"),
            ("application/vnd.hmrc.2.0+json", "departures"),
            ("application/vnd.hmrc.two+json", "departures"),
            ("application/vnd.hmrc.2.1+xml", "departures"),
            ("application/vnd.hmrc.2.1+xml", message),
            ("application/vnd.hmrc.2.1+json-xml", "arrivals/1/messages/2/body"),
        ] {
            assert_eq!(wanted(value, path).unwrap_err().status.as_u16(), 406, "{value} {path}");
        }
    }

    #[test]
    fn paths_outside_the_api_name_nothing() {
        for path in [
            "/",
            "/customs/transits/movements",
            "/customs/transits/movements/",
            "/customs/transits/movements/imports",
            "/customs/transits/movements/departures/",
            "/customs/transits/movements/departures/1/message/2",
            "/customs/transits/movements/departures/1/messages/2/body/3",
            "/customs/transits/movements/departures/1/messages/",
        ] {
            assert_eq!(Resource::named(path), None, "{path}");
        }
    }

    #[test]
    fn offsets_in_filters_are_dropped_as_the_store_drops_them() {
        let one = filters(Some("updatedSince=2026-05-01T10%3A00%3A00%2B01%3A00"), true).unwrap();
        assert_eq!(one.since.unwrap().to_string(), "2026-05-01 10:00:00");
        assert!(filters(Some("updatedSince=2026-05-01"), true).is_err());
        let two = filters(Some("count=2&count=x&movementEORI=A&movementEORI=B"), true).unwrap();
        assert_eq!((two.count, two.trader.as_deref()), (2, Some("A")));
        assert!(filters(Some("page=0"), true).is_err());
        assert!(filters(Some("page=3000000000"), true).is_err());
        assert!(filters(Some("count=x"), true).is_err());
    }
}
