//! What the push-pull notification service keeps: boxes, and the notifications
//! in them. No HTTP and no clock.
//!
//! A notification says which message it is about; what it tells is composed
//! when it is fetched or pushed, from the message as the store has it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::ids::Ids;
use super::options::{ApiVersion, SimulatorOptions};
use crate::digest::Digest;

/// Days a notification is kept (configuration of the published service; its
/// documentation says 30).
const RETENTION_DAYS: i64 = 7;

/// Most notifications kept, over all boxes; the oldest goes first.
const NOTIFICATIONS: usize = 50_000;

/// Most boxes.
const BOXES: usize = 20_000;

/// Most notifications fetched or acknowledged at once.
pub(super) const PAGE: usize = 100;

/// Most notifications pushed at a time.
const PUSHED: usize = 10;

/// How long until a push that failed is tried again, before the time scale.
/// HMRC says only that it is tried for some hours.
const RETRY: std::time::Duration = std::time::Duration::from_secs(5 * 60);

/// How many times a push is tried.
const TRIES: u32 = 36;

/// A box of an application.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PushBox {
    pub(super) box_id: String,
    pub(super) box_name: String,
    pub(super) client_id: String,
    /// Where notifications are pushed; without one they wait to be fetched.
    pub(super) callback_url: Option<String>,
    /// The key that signs what is pushed.
    pub(super) push_secret: String,
}

/// What became of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Progress {
    Pending,
    Failed,
    Acknowledged,
}

impl Progress {
    /// The progress with this name.
    pub(super) fn named(text: &str) -> Option<Self> {
        match text {
            "PENDING" => Some(Self::Pending),
            "FAILED" => Some(Self::Failed),
            "ACKNOWLEDGED" => Some(Self::Acknowledged),
            _ => None,
        }
    }
}

/// What a notification is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum About {
    /// A message came from NCTS.
    Received,
    /// A large message was processed, with this outcome in JSON.
    Submitted { response: String },
}

/// A notification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Notification {
    pub(super) id: String,
    pub(super) box_id: String,
    pub(super) created: DateTime<Utc>,
    pub(super) progress: Progress,
    pub(super) movement: String,
    pub(super) message: String,
    pub(super) about: About,
    /// When it is pushed, or pushed again.
    next: DateTime<Utc>,
    tries: u32,
}

/// Which notifications of a box are wanted.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) progress: Option<Progress>,
    pub(super) from: Option<NaiveDateTime>,
    pub(super) to: Option<NaiveDateTime>,
    pub(super) count: usize,
}

/// Everything the notification service keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Boxes {
    boxes: BTreeMap<String, PushBox>,
    /// Oldest first.
    notifications: VecDeque<Notification>,
}

/// The same for the same text.
fn uuid_of(text: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Digest::of(text.as_bytes()).as_bytes()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

impl Boxes {
    /// The box an application has for a version of the CTC Traders API.
    pub(super) fn default_box(&mut self, client: &str, version: ApiVersion) -> String {
        let name = format!("customs/transits##{}##notificationUrl", version.as_str());
        self.create(client, &name)
    }

    /// An application's box of this name, which is made if it is not there.
    pub(super) fn create(&mut self, client: &str, name: &str) -> String {
        let id = uuid_of(&format!("box/{client}/{name}"));
        if !self.boxes.contains_key(&id) {
            if self.boxes.len() >= BOXES {
                self.boxes.pop_first();
            }
            let secret = Digest::of(format!("secret/{id}").as_bytes()).to_string();
            self.boxes.insert(
                id.clone(),
                PushBox {
                    box_id: id.clone(),
                    box_name: name.to_owned(),
                    client_id: client.to_owned(),
                    callback_url: None,
                    push_secret: secret,
                },
            );
        }
        id
    }

    pub(super) fn get(&self, id: &str) -> Option<&PushBox> {
        self.boxes.get(id)
    }

    pub(super) fn all(&self) -> Vec<&PushBox> {
        self.boxes.values().collect()
    }

    /// Says where the notifications of a box are pushed. What waits there
    /// stays to be fetched.
    pub(super) fn set_callback(&mut self, id: &str, url: Option<String>) {
        if let Some(one) = self.boxes.get_mut(id) {
            one.callback_url = url;
        }
    }

    /// Whether anything is to be pushed anywhere.
    pub(super) fn pushes(&self) -> bool {
        self.boxes.values().any(|one| one.callback_url.is_some())
    }

    /// Puts a notification into a box.
    pub(super) fn notify(
        &mut self,
        box_id: &str,
        (movement, message): (&str, &str),
        about: About,
        at: DateTime<Utc>,
        ids: &mut Ids,
    ) {
        self.notifications.push_back(Notification {
            id: ids.uuid(),
            box_id: box_id.to_owned(),
            created: at,
            progress: Progress::Pending,
            movement: movement.to_owned(),
            message: message.to_owned(),
            about,
            next: at,
            tries: 0,
        });
        while self.notifications.len() > NOTIFICATIONS {
            self.notifications.pop_front();
        }
    }

    /// Notifications of a box, oldest first.
    pub(super) fn select(&self, box_id: &str, wanted: &Selection) -> Vec<&Notification> {
        self.notifications
            .iter()
            .filter(|one| one.box_id == box_id)
            .filter(|one| wanted.progress.is_none_or(|progress| one.progress == progress))
            .filter(|one| wanted.from.is_none_or(|from| one.created.naive_utc() >= from))
            .filter(|one| wanted.to.is_none_or(|to| one.created.naive_utc() <= to))
            .take(wanted.count)
            .collect()
    }

    /// Marks notifications of a box as acknowledged.
    pub(super) fn acknowledge(&mut self, box_id: &str, ids: &HashSet<String>) {
        for one in self.notifications.iter_mut().filter(|one| one.box_id == box_id) {
            if ids.contains(&one.id) {
                one.progress = Progress::Acknowledged;
            }
        }
    }

    /// What is to be pushed now, and where.
    pub(super) fn due(&self, now: DateTime<Utc>) -> Vec<(&Notification, &PushBox, &str)> {
        self.notifications
            .iter()
            .filter(|one| one.progress == Progress::Pending && one.next <= now)
            .filter_map(|one| {
                let into = self.boxes.get(&one.box_id)?;
                Some((one, into, into.callback_url.as_deref()?))
            })
            .take(PUSHED)
            .collect()
    }

    /// Notes what became of pushes: by notification, whether it arrived.
    pub(super) fn pushed(
        &mut self,
        outcomes: &HashMap<String, bool>,
        now: DateTime<Utc>,
        options: &SimulatorOptions,
    ) {
        for one in &mut self.notifications {
            match outcomes.get(&one.id) {
                Some(true) => one.progress = Progress::Acknowledged,
                Some(false) => {
                    one.tries += 1;
                    one.next = now
                        .checked_add_signed(options.scaled(RETRY))
                        .unwrap_or(DateTime::<Utc>::MAX_UTC);
                    if one.tries >= TRIES {
                        one.progress = Progress::Failed;
                    }
                }
                None => {}
            }
        }
    }

    /// Drops what is past retention, and what is about dropped movements.
    pub(super) fn trim(&mut self, now: DateTime<Utc>, dropped: &[String]) {
        let stale = now - TimeDelta::days(RETENTION_DAYS);
        while self.notifications.front().is_some_and(|oldest| oldest.created < stale) {
            self.notifications.pop_front();
        }
        if !dropped.is_empty() {
            let dropped: HashSet<_> = dropped.iter().collect();
            self.notifications.retain(|one| !dropped.contains(&one.movement));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_tried_for_hours_and_then_given_up() {
        let (mut boxes, mut ids) = (Boxes::default(), Ids::new(1));
        let options = SimulatorOptions::default();
        let mut now = DateTime::<Utc>::UNIX_EPOCH;
        let id = boxes.default_box("c", ApiVersion::V2_1);
        boxes.notify(&id, ("m", "n"), About::Received, now, &mut ids);
        assert!(boxes.due(now).is_empty(), "nobody to push to");
        boxes.set_callback(&id, Some("http://127.0.0.1:1/".into()));
        let mut tries = 0;
        while let Some((one, ..)) = boxes.due(now).first() {
            let outcome = HashMap::from([(one.id.clone(), false)]);
            boxes.pushed(&outcome, now, &options);
            assert!(boxes.due(now).is_empty(), "it is not tried again at once");
            tries += 1;
            now += TimeDelta::minutes(5);
        }
        assert_eq!(tries, TRIES);
        let all = Selection { progress: Some(Progress::Failed), from: None, to: None, count: 9 };
        assert_eq!(boxes.select(&id, &all).len(), 1);
        boxes.trim(now + TimeDelta::days(RETENTION_DAYS), &[]);
        assert!(boxes.select(&id, &all).is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (mut boxes, mut ids) = (Boxes::default(), Ids::new(1));
        for _ in 0..(NOTIFICATIONS + 10) {
            boxes.notify("b", ("m", "n"), About::Received, DateTime::<Utc>::UNIX_EPOCH, &mut ids);
        }
        assert_eq!(boxes.notifications.len(), NOTIFICATIONS);
        for nth in 0..(BOXES + 10) {
            boxes.create(&nth.to_string(), "n");
        }
        assert_eq!(boxes.boxes.len(), BOXES);
    }
}
