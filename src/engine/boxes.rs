//! What is known of a box of notifications: what waits in it, what of that has
//! been taken, where and when to look next. No calls and no evidence.
//!
//! What waits is kept until it is acknowledged, whosever it is: a notification
//! may overtake the answer to the POST that tells whose it is.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};

use super::tempo::Tempo;
use crate::hmrc::notifications::{Listed, Notification, PAGE};
use crate::ncts::MovementKind;

/// A look goes back this far before the newest notification seen: one that was
/// made earlier may become visible later.
const LATECOMERS: Duration = Duration::minutes(1);

/// Most notifications kept; beyond it others' go first.
const KEPT: usize = 10_000;

/// Most full answers in a row: behind a thousand notifications of others ours
/// would be late.
const FULL_ANSWERS: u32 = 10;

/// How long a look into a box, or a request for a token, may take before runs
/// do without.
pub(super) const PATIENCE: Duration = Duration::seconds(20);

/// How long a run relies on its box, in the environment's time, before it has
/// the movements listed: at first, and at most.
const TRUST: Duration = Duration::minutes(2);
const MOST_TRUST: Duration = Duration::hours(1);

/// Doublings of that time where officers are awaited.
const OFFICERS: u32 = 3;

/// A box.
#[derive(Debug, Default)]
pub(super) struct PushBox {
    /// Since when a look is under way.
    pub(super) looking: Option<DateTime<Utc>>,
    /// Not before this instant: its pace, or a back-off.
    pub(super) not_before: Option<DateTime<Utc>>,
    /// Looks that failed one after the other.
    pub(super) failures: u32,
    /// It cannot be used.
    pub(super) gone: bool,
    /// The last answer was full: there may be more.
    pub(super) more: bool,
    /// Acknowledgements that failed one after the other; one is under way.
    pub(super) unacknowledged: u32,
    pub(super) acknowledging: bool,
    /// What was taken was acknowledged for the look that is due.
    pub(super) cleared: bool,
    full_answers: u32,
    from: Option<DateTime<Utc>>,
    /// By movement, oldest first.
    waiting: BTreeMap<String, Vec<Waiting>>,
    /// Messages that could not be fetched as a notification said.
    doubtful: BTreeSet<String>,
}

/// A notification that is not acknowledged.
#[derive(Debug)]
struct Waiting {
    about: Notification,
    /// Its acknowledgement is under way.
    acknowledging: bool,
}

impl Waiting {
    fn is_taken(&self, on_disk: impl Fn(&str, &str) -> bool) -> bool {
        !self.acknowledging && on_disk(&self.about.movement_id, &self.about.message_id)
    }
}

impl PushBox {
    /// Whether a run may rely on it at `now`.
    pub(super) fn usable(&self, now: DateTime<Utc>) -> bool {
        let backing_off = self.failures > 0 && self.not_before.is_some_and(|until| now < until);
        let slow = self.looking.is_some_and(|since| now - since >= PATIENCE);
        !(self.gone || backing_off || slow)
    }

    /// From where to look, for runs the first of which opened at `opened`.
    pub(super) fn from(&self, opened: DateTime<Utc>) -> DateTime<Utc> {
        self.from.map_or(opened, |from| from.max(opened))
    }

    /// Takes an answer into account. Nothing was made after `server_now`,
    /// whatever it says. `ours`: whether a movement is of one of our runs.
    /// Tells whether others fill the box faster than it can be read.
    pub(super) fn note(
        &mut self,
        listed: Listed,
        server_now: DateTime<Utc>,
        ours: impl Fn(&str) -> bool,
    ) -> bool {
        let newest = listed.newest.map(|newest| newest.min(server_now));
        // Whether the API takes "from" to include the instant is not said.
        let (back, least) = match listed.full {
            true => (Duration::milliseconds(1), Duration::milliseconds(1)),
            false => (LATECOMERS, Duration::zero()),
        };
        let further = self.from.map(|from| from + least);
        self.from = newest.map(|newest| newest - back).max(further);
        for about in listed.notifications {
            let waiting = self.waiting.entry(about.movement_id.clone()).or_default();
            if !waiting.iter().any(|known| known.about.id == about.id) {
                waiting.push(Waiting { about, acknowledging: false });
            }
        }
        if self.waiting.values().map(Vec::len).sum::<usize>() > KEPT {
            self.waiting.retain(|movement, _| ours(movement));
        }
        self.more = listed.full;
        self.full_answers = if listed.full { self.full_answers + 1 } else { 0 };
        if self.full_answers < FULL_ANSWERS {
            return false;
        }
        self.full_answers = 0;
        self.more = false;
        true
    }

    /// Messages of NCTS that notifications name for a movement, in their
    /// order.
    pub(super) fn messages(&self, kind: MovementKind, movement: &str) -> Vec<&str> {
        let mut messages = Vec::new();
        for Waiting { about, .. } in self.waiting.get(movement).into_iter().flatten() {
            let message = about.message_id.as_str();
            if about.received
                && about.kind == kind
                && !self.doubtful.contains(message)
                && !messages.contains(&message)
            {
                messages.push(message);
            }
        }
        messages
    }

    /// Does not believe in a message any more.
    pub(super) fn doubt(&mut self, message: &str) {
        self.doubtful.insert(message.to_owned());
    }

    /// Whether anything is to be acknowledged.
    pub(super) fn has_taken(&self, on_disk: impl Fn(&str, &str) -> bool) -> bool {
        self.waiting.values().flatten().any(|waiting| waiting.is_taken(&on_disk))
    }

    /// What is to be acknowledged next, as if that were under way: messages
    /// of which `on_disk` says, by movement and message, that they are.
    pub(super) fn acknowledge(
        &mut self,
        on_disk: impl Fn(&str, &str) -> bool,
    ) -> Vec<Notification> {
        let taken = self.waiting.values_mut().flatten();
        taken
            .filter(|waiting| waiting.is_taken(&on_disk))
            .take(PAGE)
            .map(|waiting| {
                waiting.acknowledging = true;
                waiting.about.clone()
            })
            .collect()
    }

    /// Notes what came of acknowledging these. What is not acknowledged
    /// (`again`) may be tried again.
    pub(super) fn acknowledged(&mut self, ids: &BTreeSet<&str>, again: bool) {
        for waiting in self.waiting.values_mut() {
            waiting.retain_mut(|waiting| {
                let meant = ids.contains(waiting.about.id.as_str());
                waiting.acknowledging &= !meant;
                again || !meant
            });
        }
        self.waiting.retain(|_, waiting| !waiting.is_empty());
    }
}

/// For how long a box brought a run nothing that waits for something due. A
/// notification can get lost, so that from time to time a list is due.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vain {
    /// Since when, or since the last list.
    since: Option<DateTime<Utc>>,
    /// Lists in that time.
    lists: u32,
    /// The box named a message that could not be fetched.
    doubt: bool,
}

impl Vain {
    /// A look into the box brought nothing.
    pub(super) fn note(&mut self, at: DateTime<Utc>) {
        self.since.get_or_insert(at);
    }

    /// A message came, or left.
    pub(super) fn over(&mut self) {
        *self = Self { doubt: self.doubt, ..Self::default() };
    }

    /// What the box says of the run is not to be believed.
    pub(super) fn doubt(&mut self) {
        self.doubt = true;
    }

    /// Its movements were listed.
    pub(super) fn listed(&mut self, at: DateTime<Utc>) {
        if self.since.is_some() {
            self.since = Some(at);
            self.lists = self.lists.saturating_add(1);
        }
        self.doubt = false;
    }

    /// Whether they are to be listed.
    pub(super) fn is_over(&self, officers: bool, tempo: Tempo, now: DateTime<Utc>) -> bool {
        let doublings = self.lists.saturating_add(if officers { OFFICERS } else { 0 }).min(10);
        let trust = (TRUST * (1 << doublings)).min(MOST_TRUST);
        self.doubt || self.since.is_some_and(|since| now >= since + tempo.real(trust))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn at(seconds: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000 + seconds, 0).unwrap()
    }

    fn one(id: usize, movement: &str, message: &str) -> Notification {
        Notification {
            id: id.to_string(),
            kind: MovementKind::Departure,
            movement_id: movement.to_owned(),
            message_id: message.to_owned(),
            received: true,
        }
    }

    fn listed(notifications: Vec<Notification>, newest: i64) -> Listed {
        let full = notifications.len() >= PAGE;
        Listed { notifications, full, newest: Some(at(newest)) }
    }

    #[test]
    fn told_twice_it_is_one_message_and_acknowledged_twice() {
        let mut known = PushBox::default();
        let told = || listed(vec![one(1, "m", "a"), one(2, "m", "a"), one(3, "m", "b")], 0);
        assert!(!known.note(told(), at(0), |_| true));
        known.note(told(), at(0), |_| true);
        assert_eq!(known.messages(MovementKind::Departure, "m"), ["a", "b"]);
        assert!(known.messages(MovementKind::Arrival, "m").is_empty());
        assert!(known.messages(MovementKind::Departure, "n").is_empty());

        let on_disk = |movement: &str, message: &str| (movement, message) == ("m", "a");
        let ids = |taken: Vec<Notification>| -> Vec<String> {
            taken.into_iter().map(|about| about.id).collect()
        };
        assert_eq!(ids(known.acknowledge(on_disk)), ["1", "2"]);
        assert!(known.acknowledge(on_disk).is_empty(), "it is under way");
        known.acknowledged(&["1", "2"].into(), true);
        assert_eq!(ids(known.acknowledge(on_disk)), ["1", "2"], "it failed");
        known.acknowledged(&["1", "2"].into(), false);
        assert!(known.acknowledge(on_disk).is_empty());
        assert_eq!(known.messages(MovementKind::Departure, "m"), ["b"]);
        known.doubt("b");
        assert!(known.messages(MovementKind::Departure, "m").is_empty());
    }

    #[test]
    fn a_full_box_is_read_on_and_never_for_ever() {
        let mut known = PushBox::default();
        assert_eq!(known.from(at(-600)), at(-600));
        known.note(listed(vec![one(0, "m", "a")], 100), at(200), |_| true);
        assert_eq!(known.from(at(-600)), at(40), "latecomers are seen");
        let full = |nth: usize| (0..PAGE).map(|n| one(nth * PAGE + n, "x", "s")).collect();
        let mut last = known.from(at(0));
        for nth in 1..=FULL_ANSWERS as usize {
            // All of the same instant.
            let busy = known.note(listed(full(nth), 150), at(200), |_| true);
            assert_eq!(busy, nth == FULL_ANSWERS as usize);
            assert_ne!(known.more, busy);
            assert!(known.from(at(0)) > last, "{nth}");
            last = known.from(at(0));
        }
        // A clock of the future shows nothing less.
        known.note(listed(vec![], 9_999_999), at(200), |_| true);
        assert!(known.from(at(0)) <= at(200));
    }

    #[test]
    fn what_is_kept_of_others_is_bounded() {
        let mut known = PushBox::default();
        known.note(listed(vec![one(0, "m", "a")], 0), at(0), |_| true);
        for nth in 1..150 {
            let full = (0..PAGE).map(|n| one(nth * PAGE + n, &nth.to_string(), "s")).collect();
            known.note(listed(full, 0), at(0), |movement| movement == "m");
        }
        assert!(known.waiting.values().map(Vec::len).sum::<usize>() <= KEPT);
        assert_eq!(known.messages(MovementKind::Departure, "m"), ["a"]);
    }

    #[test]
    fn trust_in_a_silent_box_ends_and_comes_back() {
        let mut vain = Vain::default();
        let over = |vain: &Vain, now| vain.is_over(false, Tempo::REAL, at(now));
        assert!(!over(&vain, 1_000_000), "nothing was looked for in vain");
        vain.note(at(0));
        vain.note(at(100));
        assert!(!over(&vain, 119) && over(&vain, 120));
        assert!(!vain.is_over(true, Tempo::REAL, at(900)));
        vain.listed(at(120));
        assert!(!over(&vain, 359) && over(&vain, 360));
        (0..40).for_each(|_| vain.listed(at(120)));
        assert!(over(&vain, 120 + 3_600), "an hour at most");
        vain.over();
        assert!(!over(&vain, 1_000_000));
        vain.doubt();
        vain.over();
        assert!(over(&vain, 0), "a message does not settle it");
        vain.listed(at(0));
        assert!(!over(&vain, 1_000_000), "a list does");
    }
}
