//! The Push Pull Notifications API: what waits in a box, and that it was taken.
//!
//! A box belongs to an application, so the bearer token is the application's
//! own ([`super::oauth`]). A box may hold what other software of the same
//! application is to take.
//!
//! Source: Push Pull Notifications API OpenAPI 1.0; service guides, getting
//! notifications; and HMRC's published API source.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::api::{Api, ShapeError, is_id};
use super::transport::{Call, Method};
use crate::ncts::MovementKind;

/// The version of the API.
pub const VERSION: &str = "1.0";

/// What the token must allow: to read notifications and to acknowledge them.
pub const SCOPES: &[&str] = &["read:pull-notifications", "write:notifications"];

/// Most notifications fetched, and acknowledged, at once.
pub const PAGE: usize = 100;

/// The least time between two looks into a box (service guide).
pub const EVERY: chrono::Duration = chrono::Duration::seconds(10);

/// The Push Pull Notifications API's own calls; its version is [`VERSION`].
impl Api {
    /// GET of a box's pending notifications from an instant on, oldest first,
    /// at most [`PAGE`] of them.
    pub fn pending(&self, box_id: &str, from: DateTime<Utc>) -> Call {
        // The API takes local date and time, and means UTC.
        let from = from.to_rfc3339_opts(SecondsFormat::Millis, true);
        let from = from.trim_end_matches('Z').to_owned();
        self.in_box(Method::Get, box_id, &[]).query(&[
            ("status", "PENDING".to_owned()),
            ("fromDate", from),
            ("count", PAGE.to_string()),
        ])
    }

    /// PUT that says which notifications were taken: 1 to [`PAGE`], all
    /// different.
    pub fn acknowledge(&self, box_id: &str, ids: &[String]) -> Call {
        let body = serde_json::json!({"notificationIds": ids}).to_string();
        self.in_box(Method::Put, box_id, &["acknowledge"]).body("application/json", body)
    }

    fn in_box(&self, method: Method, box_id: &str, rest: &[&str]) -> Call {
        let path = ["misc", "push-pull-notification", "box", box_id, "notifications"];
        self.call(method, &[&path[..], rest].concat(), "json")
    }
}

/// What a box answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The notifications that can be read, in their order.
    pub notifications: Vec<Notification>,
    /// Whether there may be more behind them.
    pub full: bool,
    /// The newest `createdDateTime` among all of them, by the API's clock.
    pub newest: Option<DateTime<Utc>>,
}

/// A notification about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its id, a UUID.
    pub id: String,
    /// Kind of movement.
    pub kind: MovementKind,
    /// The movement.
    pub movement_id: String,
    /// The message.
    pub message_id: String,
    /// Whether it tells of a message of NCTS; otherwise of what became of one
    /// of the trader's.
    pub received: bool,
}

/// What this reads of a notification; everything else is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    notification_id: Option<String>,
    created_date_time: Option<String>,
    /// JSON in a string by the API's source, an object in the guides.
    message: Option<Value>,
}

/// What this reads of `message`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct About {
    notification_type: Option<String>,
    message_id: String,
    departure_id: Option<String>,
    arrival_id: Option<String>,
}

/// Reads what a box answered. A notification that is about something else, or
/// that nobody can read, is left out: it must not hide the others.
///
/// # Errors
/// When it is no JSON array.
pub fn listed(body: &[u8]) -> Result<Listed, ShapeError> {
    let items: Vec<Value> = serde_json::from_slice(body)?;
    let mut listed = Listed { full: items.len() >= PAGE, ..Listed::default() };
    for item in items {
        let Ok(item) = Item::deserialize(item) else { continue };
        listed.newest = listed.newest.max(item.created_date_time.as_deref().and_then(instant));
        listed.notifications.extend(notification(item));
    }
    Ok(listed)
}

fn notification(item: Item) -> Option<Notification> {
    let about = match item.message? {
        Value::String(text) => serde_json::from_str(&text).ok()?,
        object => About::deserialize(object).ok()?,
    };
    let (kind, movement_id) = match (about.departure_id, about.arrival_id) {
        (Some(id), None) => (MovementKind::Departure, id),
        (None, Some(id)) => (MovementKind::Arrival, id),
        _ => return None,
    };
    if !is_id(&movement_id) || !is_id(&about.message_id) {
        return None;
    }
    Some(Notification {
        id: Uuid::try_parse(&item.notification_id?).ok()?.to_string(),
        kind,
        movement_id,
        message_id: about.message_id,
        received: about.notification_type.as_deref() == Some("MESSAGE_RECEIVED"),
    })
}

/// The API writes `2026-05-01T09:00:00.123+0000`, its examples also `Z`.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z")
        .or_else(|_| DateTime::parse_from_rfc3339(text))
        .ok()
        .map(|instant| instant.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    const BOX: &str = "3f1c0d52-30c7-4f6e-9a3a-51f0a1d6c001";

    fn api() -> Api {
        Api::new(Url::parse("http://127.0.0.1:9/").unwrap(), VERSION, "t0ken".to_owned().into())
    }

    #[test]
    fn requests_are_as_documented() {
        let from = "2026-05-01T10:00:00.5+01:00".parse::<DateTime<Utc>>().unwrap();
        let call = api().pending(BOX, from);
        assert_eq!((call.method, call.body), (Method::Get, None));
        assert_eq!(
            call.url,
            format!(
                "http://127.0.0.1:9/misc/push-pull-notification/box/{BOX}/notifications\
                 ?status=PENDING&fromDate=2026-05-01T09%3A00%3A00.500&count=100"
            )
        );
        assert_eq!(call.headers[0].1, "application/vnd.hmrc.1.0+json");
        let call = api().acknowledge(BOX, &["a".into(), "b".into()]);
        assert_eq!(call.method, Method::Put);
        assert!(call.url.ends_with(&format!("/{BOX}/notifications/acknowledge")), "{}", call.url);
        assert_eq!(call.headers[2], ("content-type".into(), "application/json".into()));
        assert_eq!(call.body.unwrap(), br#"{"notificationIds":["a","b"]}"#);
    }

    fn item(id: u32, message: &Value) -> Value {
        serde_json::json!({
            "notificationId": format!("3F1C0D52-30C7-4F6E-9A3A-{id:012}"), "boxId": BOX,
            "messageContentType": "application/json", "message": message, "status": "PENDING",
            "createdDateTime": format!("2026-05-01T09:00:0{id}.123+0000"), "new": {"field": []},
        })
    }

    fn about(message_id: &str) -> Value {
        serde_json::json!({
            "messageUri": "/x", "notificationType": "MESSAGE_RECEIVED", "messageId": message_id,
            "departureId": "66a0000011112222", "messageType": "IE928", "messageBody": "<a/>",
        })
    }

    #[test]
    fn a_message_is_read_as_string_and_as_object() {
        let id = "66a0000033334444";
        let text = Value::String(about(id).to_string());
        let body = serde_json::json!([item(1, &text), item(2, &about(id))]).to_string();
        let read = listed(body.as_bytes()).unwrap();
        assert!(!read.full);
        assert_eq!(read.newest.unwrap().to_rfc3339(), "2026-05-01T09:00:02.123+00:00");
        for (nth, one) in read.notifications.iter().enumerate() {
            assert_eq!(one.id, format!("3f1c0d52-30c7-4f6e-9a3a-{:012}", nth + 1));
            assert_eq!((one.kind, one.received), (MovementKind::Departure, true));
            assert_eq!((one.movement_id.as_str(), &*one.message_id), ("66a0000011112222", id));
        }
        assert_eq!(read.notifications.len(), 2);
    }

    #[test]
    fn what_became_of_an_upload_is_no_message_of_ncts() {
        let mut outcome = about("66a0000033334444");
        outcome["notificationType"] = "SUBMISSION_NOTIFICATION".into();
        let body = serde_json::json!([item(1, &outcome)]).to_string();
        assert!(!listed(body.as_bytes()).unwrap().notifications[0].received);
    }

    #[test]
    fn one_that_nobody_can_read_hides_no_other() {
        let good = about("66a0000033334444");
        let mut both = good.clone();
        both["arrivalId"] = "66a0000011112222".into();
        let mut neither = good.clone();
        neither.as_object_mut().unwrap().remove("departureId");
        let deep = "[".repeat(100_000);
        let mut unnamed = item(1, &good);
        unnamed["notificationId"] = "../x".into();
        let mut timeless = item(9, &good);
        timeless["createdDateTime"] = "yesterday".into();
        let body = serde_json::json!([
            null,
            1,
            "x",
            [],
            {},
            unnamed,
            item(1, &Value::Null),
            item(1, &"<xml/>".into()),
            item(1, &deep.into()),
            item(1, &both),
            item(1, &neither),
            item(1, &about("../../x")),
            timeless,
            item(3, &good),
        ]);
        let read = listed(body.to_string().as_bytes()).unwrap();
        assert_eq!(read.notifications.len(), 2);
        assert_eq!(read.newest.unwrap().to_rfc3339(), "2026-05-01T09:00:03.123+00:00");
        for bad in [&b"{}"[..], b"", b"<html>", b"[{]", "[".repeat(100_000).as_bytes()] {
            assert!(listed(bad).is_err());
        }
        let many = serde_json::json!(vec![item(1, &good); PAGE]).to_string();
        assert!(listed(many.as_bytes()).unwrap().full);
    }
}
