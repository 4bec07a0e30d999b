//! A service of notifications beside the API: one box, and one application
//! with a token of its own.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ctc_ready::hmrc::oauth::Application;
use ctc_ready::hmrc::transport::{Answer, Call, Method};
use serde_json::{Value, json};
use url::Url;

use crate::fake::{Message, Movement, World, answer, time};

pub(crate) const BOX: &str = "3f1c0d52-30c7-4f6e-9a3a-51f0a1d6c001";
pub(crate) const SECRET: &str = "canary-c1ient-5ecret";

pub(crate) fn application() -> Application {
    Application { client_id: "our-application".into(), client_secret: SECRET.to_owned().into() }
}

/// What the service keeps, and how it misbehaves.
pub(crate) struct Notifications {
    /// Ids of notifications that were acknowledged.
    pub(crate) acknowledged: BTreeSet<String>,
    /// Notifications of other software, oldest first.
    pub(crate) others: Vec<DateTime<Utc>>,
    /// Tokens issued; the last one is good.
    pub(crate) tokens: u32,
    /// Whether a message is told of.
    pub(crate) tells: fn(&Message) -> bool,
    /// Each is told twice, the newest first.
    pub(crate) muddled: bool,
    /// The application has no box.
    pub(crate) boxless: bool,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            acknowledged: BTreeSet::new(),
            others: vec![],
            tokens: 0,
            tells: |_| true,
            muddled: false,
            boxless: false,
        }
    }
}

/// The id of the notification number `copy` about a message.
pub(crate) fn id_of(message: &str, copy: u32) -> String {
    format!("{copy:08x}-0000-4000-8000-{}", &message[4..])
}

pub(crate) fn is_pull(call: &Call) -> bool {
    call.method == Method::Get && call.url.contains("push-pull")
}

pub(crate) fn is_acknowledgement(call: &Call) -> bool {
    call.method == Method::Put
}

pub(crate) fn is_token(call: &Call) -> bool {
    call.url.ends_with("/oauth/token")
}

fn one(id: &str, at: DateTime<Utc>, message: Value) -> (DateTime<Utc>, Value) {
    let told = json!({"notificationId": id, "boxId": BOX, "messageContentType": "application/json",
        "message": message, "status": "PENDING",
        "createdDateTime": time(at).replace('Z', "+0000")});
    (at, told)
}

fn about(movement: &Movement, message: &Message) -> Value {
    let field = format!("{}Id", movement.plural.trim_end_matches('s'));
    json!({"notificationType": "MESSAGE_RECEIVED", "messageId": message.id, field: movement.id,
        "messageType": message.kind})
}

impl World {
    pub(crate) fn notifying(&mut self) -> &mut Notifications {
        self.notifications.get_or_insert_default()
    }

    /// The answer of the service, if the call is for it.
    pub(crate) fn notified(&mut self, call: &Call, now: DateTime<Utc>) -> Option<Answer> {
        let url = Url::parse(&call.url).unwrap();
        let service = self.notifications.as_mut()?;
        if is_token(call) {
            let body = String::from_utf8(call.body.clone().unwrap()).unwrap();
            assert!(body.contains(SECRET) && body.contains("grant_type=client_credentials"));
            service.tokens += 1;
            let token = format!("canary-app-token-{}", service.tokens);
            let json = json!({"access_token": token, "token_type": "bearer", "expires_in": 14_400});
            return Some(answer(200, &json.to_string()));
        }
        if !url.path().starts_with("/misc/") {
            return None;
        }
        assert!(url.path().contains(BOX), "{url}");
        let token = format!("Bearer canary-app-token-{}", service.tokens);
        if !call.headers.contains(&("authorization".into(), token)) {
            return Some(answer(401, r#"{"code":"INVALID_CREDENTIALS","message":"m"}"#));
        }
        if call.method == Method::Put {
            let body: Value = serde_json::from_slice(call.body.as_ref().unwrap()).unwrap();
            let ids = body["notificationIds"].as_array().unwrap();
            assert!((1..=100).contains(&ids.len()), "{body}");
            for id in ids {
                assert!(service.acknowledged.insert(id.as_str().unwrap().into()), "twice: {id}");
            }
            return Some(answer(204, ""));
        }
        let from = url.query_pairs().find(|(key, _)| key == "fromDate").unwrap().1;
        let from: DateTime<Utc> = format!("{from}Z").parse().unwrap();
        let shown = |at: DateTime<Utc>| from <= at && at <= now;
        let others = service.others.iter().enumerate().filter(|(_, at)| shown(**at)).take(100);
        let mut all: Vec<_> = others
            .map(|(n, at)| {
                let id = format!("{:08x}-0000-4000-8000-000000000000", n + 100);
                let other = json!({"notificationType": "MESSAGE_RECEIVED",
                    "messageId": format!("{n:016x}"), "departureId": "ffffffffffffffff"});
                one(&id, *at, other.to_string().into())
            })
            .collect();
        for movement in &self.movements {
            let said = movement.messages.iter().filter(|message| message.status == "Received");
            for message in said.filter(|message| shown(message.at) && (service.tells)(message)) {
                for copy in 0..1 + u32::from(service.muddled) {
                    let id = id_of(&message.id, copy);
                    let inside = about(movement, message);
                    // Both spellings are about.
                    let inside = if copy == 0 { inside.to_string().into() } else { inside };
                    if !service.acknowledged.contains(&id) {
                        all.push(one(&id, message.at, inside));
                    }
                }
            }
        }
        all.sort_by_key(|(at, _)| *at);
        all.truncate(100);
        if service.muddled {
            all.reverse();
        }
        let list: Vec<Value> = all.into_iter().map(|(_, told)| told).collect();
        Some(answer(200, &Value::from(list).to_string()))
    }
}
