//! The CTC Traders API: its requests and answers as types.
//!
//! Source: CTC Traders API OpenAPI 2.1 and 3.0, and HMRC's published API
//! source; the versions differ in the `Accept` value alone.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::api::{Api, ShapeError, is_id};
use super::transport::{Answer, Call, Method};
use crate::calendar::london;
use crate::ncts::{MessageType, MovementKind};

/// Most movements one list answers with.
const PAGE: usize = 500;

/// The CTC Traders API's own calls.
impl Api {
    fn movements(&self, method: Method, path: &[&str], suffix: &str) -> Call {
        self.call(method, &[&["customs", "transits", "movements"], path].concat(), suffix)
    }

    /// POST of a trader's message: a new movement, or a further message of
    /// the movement `id`.
    pub fn submit(&self, message: MessageType, id: Option<&str>, xml: &str) -> Call {
        self.post(message, id).body("application/xml", xml)
    }

    /// POST that announces a message which is too large for that: it has
    /// neither body nor content type, for with any type the API takes what
    /// there is for the message. The answer says where the file goes
    /// ([`super::uploads`]).
    pub fn announce(&self, message: MessageType, id: Option<&str>) -> Call {
        self.post(message, id)
    }

    fn post(&self, message: MessageType, id: Option<&str>) -> Call {
        let kind = message.movement().plural();
        let path = match id {
            Some(id) => vec![kind, id, "messages"],
            None => vec![kind],
        };
        self.movements(Method::Post, &path, "json")
    }

    /// GET of the movements updated at or after `since`, newest first.
    pub fn movements_updated_since(
        &self,
        kind: MovementKind,
        since: DateTime<Utc>,
        page: u32,
    ) -> Call {
        self.list(
            kind,
            &[
                // The store compares local parts and drops the offset: UTC only.
                ("updatedSince", since.to_rfc3339_opts(SecondsFormat::Millis, true)),
                ("page", page.to_string()),
                ("count", PAGE.to_string()),
            ],
        )
    }

    /// GET of the movements whose LRN (departures) or MRN (arrivals) contains
    /// `reference`; the answer may hold others, for the filter is a substring.
    pub fn movements_by_reference(&self, kind: MovementKind, reference: &str) -> Call {
        let filter = match kind {
            MovementKind::Departure => "localReferenceNumber",
            MovementKind::Arrival => "movementReferenceNumber",
        };
        self.list(kind, &[(filter, reference.to_owned()), ("count", PAGE.to_string())])
    }

    /// GET of the movements whose MRN contains `mrn`; the answer may hold
    /// others, for the filter is a substring.
    pub fn movements_by_mrn(&self, kind: MovementKind, mrn: &str) -> Call {
        self.list(kind, &[("movementReferenceNumber", mrn.to_owned()), ("count", PAGE.to_string())])
    }

    /// GET of one movement.
    pub fn movement(&self, kind: MovementKind, id: &str) -> Call {
        self.movements(Method::Get, &[kind.plural(), id], "json")
    }

    fn list(&self, kind: MovementKind, query: &[(&str, String)]) -> Call {
        self.movements(Method::Get, &[kind.plural()], "json").query(query)
    }

    /// GET of a movement's messages, newest first.
    pub fn messages(&self, kind: MovementKind, id: &str) -> Call {
        let path = [kind.plural(), id, "messages"];
        self.movements(Method::Get, &path, "json").query(&[("count", PAGE.to_string())])
    }

    /// GET of one message's XML.
    pub fn message_body(&self, kind: MovementKind, id: &str, message_id: &str) -> Call {
        let path = [kind.plural(), id, "messages", message_id, "body"];
        self.movements(Method::Get, &path, "xml")
    }

    /// GET of one message: its XML with what the API says of it ([`message`]).
    pub fn message(&self, kind: MovementKind, id: &str, message_id: &str) -> Call {
        let path = [kind.plural(), id, "messages", message_id];
        self.movements(Method::Get, &path, "json-xml")
    }
}

/// What a 202 to a submission says.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// The movement.
    pub movement_id: String,
    /// The message.
    pub message_id: String,
    /// The box that is told of a new movement's messages, where there is one.
    pub box_id: Option<String>,
}

/// Reads a 202.
///
/// # Errors
/// When an id is missing or not 16 hexadecimal digits.
pub fn taken(kind: MovementKind, body: &[u8]) -> Result<Taken, ShapeError> {
    let json: serde_json::Value = serde_json::from_slice(body)?;
    let id = |field: &str| {
        json.get(field)
            .and_then(serde_json::Value::as_str)
            .filter(|id| is_id(id))
            .map(str::to_owned)
            .ok_or_else(|| ShapeError(format!("`{field}` is not 16 hexadecimal digits")))
    };
    let named = json.get("boxId").and_then(serde_json::Value::as_str);
    Ok(Taken {
        movement_id: id(kind.id_field())?,
        message_id: id("messageId")?,
        // One that is no UUID could not be asked for.
        box_id: named.and_then(|id| Uuid::try_parse(id).ok()).map(|id| id.to_string()),
    })
}

/// One movement of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedMovement {
    /// The API's id.
    pub id: String,
    /// When anything last happened to it.
    #[serde(deserialize_with = "lenient_time")]
    pub updated: DateTime<Utc>,
    /// LRN (departures).
    #[serde(default)]
    pub local_reference_number: Option<String>,
    /// MRN, once known.
    #[serde(default)]
    pub movement_reference_number: Option<String>,
}

/// One message of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedMessage {
    /// The API's id.
    pub id: String,
    /// When the API got it; the earliest that its text can mean.
    #[serde(deserialize_with = "earliest_time")]
    pub received: DateTime<Utc>,
    /// `IE015`; absent while an upload is pending.
    #[serde(default, rename = "type")]
    pub message: Option<String>,
    /// `Success`, `Failed`, `Received`, …
    #[serde(default)]
    pub status: Option<String>,
}

/// Reads a list of movements.
///
/// # Errors
/// When it is not the documented JSON, or an id is not 16 hexadecimal digits.
pub fn movements(
    kind: MovementKind,
    body: &[u8],
) -> Result<(u64, Vec<ListedMovement>), ShapeError> {
    let (total, list): (u64, Vec<ListedMovement>) = list(body, kind.plural())?;
    match list.iter().find(|movement| !is_id(&movement.id)) {
        Some(_) => Err(ShapeError("a movement's `id` is not 16 hexadecimal digits".into())),
        None => Ok((total, list)),
    }
}

/// Reads the movement `id`.
///
/// # Errors
/// When it is not the documented JSON, or is about another movement.
pub fn movement(id: &str, body: &[u8]) -> Result<ListedMovement, ShapeError> {
    let movement: ListedMovement = serde_json::from_slice(body)?;
    match movement.id == id {
        true => Ok(movement),
        false => Err(ShapeError("it is about another movement".into())),
    }
}

/// Reads a list of messages.
///
/// # Errors
/// As [`movements`].
pub fn messages(body: &[u8]) -> Result<Vec<ListedMessage>, ShapeError> {
    let (_, list): (u64, Vec<ListedMessage>) = list(body, "messages")?;
    match list.iter().find(|message| !is_id(&message.id)) {
        Some(_) => Err(ShapeError("a message's `id` is not 16 hexadecimal digits".into())),
        None => Ok(list),
    }
}

fn list<T: serde::de::DeserializeOwned>(
    body: &[u8],
    field: &str,
) -> Result<(u64, Vec<T>), ShapeError> {
    let mut json: serde_json::Value = serde_json::from_slice(body)?;
    let total = json.get("totalCount").and_then(serde_json::Value::as_u64).unwrap_or_default();
    let items = json
        .get_mut(field)
        .map(serde_json::Value::take)
        .ok_or_else(|| ShapeError(format!("`{field}` is missing")))?;
    Ok((total, serde_json::from_value(items)?))
}

/// One message with its XML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeMessage {
    /// What a list says of it, too.
    pub listed: ListedMessage,
    /// Its XML.
    pub xml: String,
}

/// Reads the message `id`.
///
/// # Errors
/// When it is not the documented JSON, is about another message, or has no
/// XML (yet).
pub fn message(id: &str, body: &[u8]) -> Result<WholeMessage, ShapeError> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(flatten)]
        listed: ListedMessage,
        body: String,
    }
    let Body { listed, body } = serde_json::from_slice(body)?;
    match listed.id == id {
        true => Ok(WholeMessage { listed, xml: body }),
        false => Err(ShapeError("it is about another message".into())),
    }
}

/// The API's times are ISO 8601 with `Z`; some documented examples have no
/// zone, which then means UTC.
fn lenient_time<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<DateTime<Utc>, D::Error> {
    read_time(deserializer).map(|(time, _)| time)
}

/// The same, where evidence rests on it: without a zone it might mean London's
/// time too, and age is counted from the earlier one.
fn earliest_time<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<DateTime<Utc>, D::Error> {
    let (time, zoned) = read_time(deserializer)?;
    if zoned {
        return Ok(time);
    }
    let naive = time.naive_utc();
    let london = london::instant_of(naive.date(), naive.time());
    Ok(london.map_or(time - chrono::TimeDelta::hours(1), |london| london.instant.min(time)))
}

/// A time, and whether its text says in which zone.
fn read_time<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<(DateTime<Utc>, bool), D::Error> {
    let text = String::deserialize(deserializer)?;
    DateTime::parse_from_rfc3339(&text)
        .map(|time| (time.with_timezone(&Utc), true))
        .or_else(|_| {
            chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f")
                .map(|time| (time.and_utc(), false))
        })
        .map_err(|_| serde::de::Error::custom("a time is not ISO 8601"))
}

/// What the API says of a request it did not take: `code: message`, with its
/// validation errors; bounded, for an answer may be anything.
pub fn problem(answer: &Answer) -> String {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
        return format!("HTTP {}", answer.status);
    };
    let text = |value: &serde_json::Value, field: &str| {
        value.get(field).and_then(serde_json::Value::as_str).map(str::to_owned)
    };
    let mut parts = vec![format!("HTTP {}", answer.status)];
    parts.extend(text(&json, "code"));
    parts.extend(text(&json, "message"));
    if let Some(errors) = json.get("validationErrors").and_then(serde_json::Value::as_array) {
        parts.extend(errors.iter().take(5).filter_map(|error| {
            let message = text(error, "message")?;
            Some(match error.get("lineNumber").and_then(serde_json::Value::as_u64) {
                Some(line) => format!("line {line}: {message}"),
                None => message,
            })
        }));
    }
    parts.join(": ").chars().take(1_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn api() -> Api {
        Api::new(Url::parse("http://127.0.0.1:9/").unwrap(), "2.1", "t0ken".to_owned().into())
    }

    #[test]
    fn requests_are_as_documented() {
        let call = api().submit(MessageType::Ie015, None, "<a/>");
        assert_eq!(call.url, "http://127.0.0.1:9/customs/transits/movements/departures");
        assert_eq!(
            call.headers,
            [
                ("accept", "application/vnd.hmrc.2.1+json"),
                ("authorization", "Bearer t0ken"),
                ("content-type", "application/xml"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        let call = api().submit(MessageType::Ie044, Some("0123456789abcdef"), "<a/>");
        assert!(call.url.ends_with("/movements/arrivals/0123456789abcdef/messages"));
        let since = "2026-05-01T10:00:00.5+01:00".parse::<DateTime<Utc>>().unwrap();
        let call = api().movements_updated_since(MovementKind::Arrival, since, 2);
        assert!(
            call.url
                .ends_with("/arrivals?updatedSince=2026-05-01T09%3A00%3A00.500Z&page=2&count=500"),
            "{}",
            call.url
        );
        let call = api().message_body(MovementKind::Departure, "a", "b");
        assert_eq!(call.headers[0].1, "application/vnd.hmrc.2.1+xml");
    }

    #[test]
    fn a_time_without_a_zone_is_the_earliest_it_can_be() {
        let received = |text: &str| {
            let body =
                format!(r#"{{"messages":[{{"id":"0123456789abcdef","received":"{text}"}}]}}"#);
            messages(body.as_bytes()).map(|list| list[0].received.to_rfc3339())
        };
        for (text, instant) in [
            ("2026-07-01T09:00:00Z", "2026-07-01T09:00:00+00:00"),
            ("2026-07-01T09:00:00+01:00", "2026-07-01T08:00:00+00:00"),
            ("2026-07-01T09:00:00.25", "2026-07-01T08:00:00.250+00:00"),
            ("2026-12-01T09:00:00", "2026-12-01T09:00:00+00:00"),
            // The hour that London does not have, and the one it has twice.
            ("2026-03-29T01:30:00", "2026-03-29T00:30:00+00:00"),
            ("2026-10-25T01:30:00", "2026-10-25T00:30:00+00:00"),
        ] {
            assert_eq!(received(text).unwrap(), instant, "{text}");
        }
        assert!(received("yesterday").is_err());
    }

    #[test]
    fn a_202_without_proper_ids_is_refused() {
        let good = br#"{"departureId":"66a0000011112222","messageId":"66a0000033334444"}"#;
        assert_eq!(taken(MovementKind::Departure, good).unwrap().movement_id, "66a0000011112222");
        assert!(taken(MovementKind::Arrival, good).is_err());
        for bad in [
            &b"{}"[..],
            b"[]",
            b"<html>",
            br#"{"departureId":"../../x","messageId":"66a0000033334444"}"#,
        ] {
            assert!(taken(MovementKind::Departure, bad).is_err());
        }
    }

    #[test]
    fn lists_are_read_leniently_in_times_and_strictly_in_ids() {
        let body = br#"{"totalCount":1,"departures":[{"id":"66a0000011112222","updated":"2026-05-01T09:00:00.123456","movementReferenceNumber":null}]}"#;
        let (total, list) = movements(MovementKind::Departure, body).unwrap();
        assert_eq!((total, list.len()), (1, 1));
        assert_eq!(list[0].updated.to_rfc3339(), "2026-05-01T09:00:00.123456+00:00");
        let evil = br#"{"messages":[{"id":"a/b","received":"2026-05-01T09:00:00Z"}]}"#;
        assert!(messages(evil).is_err());
    }

    #[test]
    fn a_problem_is_told_in_one_bounded_line() {
        let answer = |body: &str| Answer {
            status: 400,
            headers: vec![],
            body: body.as_bytes().to_vec(),
            server_date: None,
            elapsed_ns: 0,
        };
        assert_eq!(
            problem(&answer(
                r#"{"message":"bad","code":"SCHEMA_VALIDATION","validationErrors":[{"lineNumber":7,"columnNumber":1,"message":"cvc"}]}"#
            )),
            "HTTP 400: SCHEMA_VALIDATION: bad: line 7: cvc"
        );
        assert_eq!(problem(&answer("<html>")), "HTTP 400");
        assert!(
            problem(&answer(&format!(r#"{{"message":"{}"}}"#, "x".repeat(9_000)))).len() < 1_100
        );
    }
}
