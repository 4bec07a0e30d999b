//! News from boxes of notifications: one look into a box serves every run, and
//! names the messages to fetch, so that nothing need be listed.
//!
//! A notification is acknowledged once its message is on disk. One whose
//! movement no run of this batch has is left where it is: other software of the
//! same application may be about to take it. Whatever a box does not do (it is
//! not there, not ours, slow, full of others' notifications, or silent while
//! something is due), lists of movements do, and nothing that a run decides
//! rests on a box's silence.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;

use super::answer::is_permanent;
use super::batch::{Batch, BatchError, Done, Whose};
use super::boxes::PushBox;
use super::decide::Action;
use super::hours;
use super::slot::Slot;
use super::token::OwnToken;
use super::urgency::Urgency;
use crate::evidence::{Actor, Purpose};
use crate::hmrc::api::Api;
use crate::hmrc::notifications::{self, EVERY, Notification};
use crate::hmrc::oauth::Application;
use crate::hmrc::transport::Answer;

/// A box is read from this long before the oldest run on, to be safe from
/// small differences between clocks.
const OVERLAP: Duration = Duration::minutes(10);

/// How long others' notifications may keep a box full before it is tried
/// again, in the environment's time.
const BUSY: Duration = Duration::minutes(5);

/// Everything about pulling.
#[derive(Debug)]
pub(super) struct Pull {
    /// The application's token.
    pub(super) own: OwnToken,
    /// Given up for this batch.
    pub(super) off: bool,
    /// What is known of boxes, by id.
    pub(super) boxes: BTreeMap<String, PushBox>,
    /// Whether it was told that the API names no box.
    told_boxless: bool,
}

/// A call for no single run.
pub(super) enum Errand {
    /// For the application's token.
    Token,
    /// A look into a box.
    Look(String),
    /// That these were taken out of a box.
    Acknowledge(String, Vec<Notification>),
}

impl Pull {
    /// Whether a run may rely on this box at `now`.
    fn usable(&self, id: &str, now: DateTime<Utc>) -> bool {
        !self.off
            && self.own.usable(now)
            && self.boxes.get(id).is_none_or(|known| known.usable(now))
    }
}

impl Batch<'_> {
    /// The same batch with news from boxes of this application instead of
    /// lists, where that works.
    #[must_use]
    pub fn pulling(mut self, application: Application) -> Self {
        self.redactor.learn(&application.client_secret);
        self.pull = Some(Pull {
            own: OwnToken::new(application),
            off: false,
            boxes: BTreeMap::new(),
            told_boxless: false,
        });
        self
    }

    /// Plans made by a clock that was then set back lie too far ahead.
    pub(super) fn pull_by_a_clock_set_back(&mut self) {
        let Some(pull) = &mut self.pull else { return };
        let now = self.clock.now();
        pull.own.by_a_clock_set_back(now);
        for known in pull.boxes.values_mut() {
            known.not_before = None;
            known.looking = known.looking.map(|_| now);
        }
        self.slots.iter_mut().for_each(|slot| slot.vain.over());
    }

    /// Decides which runs have their news from their box; the boxes that are
    /// due, and how urgent they are.
    pub(super) fn due_boxes(&mut self) -> Vec<(Urgency, String)> {
        if self.pull.is_none() {
            return Vec::new();
        }
        let now = self.clock.now();
        for index in 0..self.slots.len() {
            self.slots[index].by_box = self.relies_on_box(&self.slots[index], now);
        }
        self.tell_boxless();
        let due = self.wanted_boxes(now).into_iter();
        due.filter_map(|(id, since)| {
            let free = self.free_at(&id, now).filter(|free| *free <= now)?;
            let patient = now - since.max(free) < self.options.tempo.gives_way();
            Some((if patient { Urgency::Poll } else { Urgency::Now }, id))
        })
        .collect()
    }

    /// Whether a run may have its news from its box. A run taken up again has
    /// its movements listed once, for it may have missed notifications; and so
    /// has one that would decide something because nothing came.
    fn relies_on_box(&self, slot: &Slot, now: DateTime<Utc>) -> bool {
        let usable = |pull: &Pull| slot.only_box().is_some_and(|id| pull.usable(id, now));
        if !slot.open() || !self.pull.as_ref().is_some_and(usable) {
            return false;
        }
        let tempo = self.options.tempo;
        let officers =
            slot.waiting_for.as_ref().is_some_and(|waiting| waiting.actor == Actor::Officer);
        let unseen = || slot.state.resumed && slot.looked(&slot.kinds(), now).is_none();
        let decides = || {
            slot.plan.as_ref().is_some_and(|plan| plan.look_at <= now)
                && !matches!(
                    hours::next(&slot.scenario, &slot.state, tempo, &slot.hours, now, Some(now)),
                    Action::Await { .. }
                )
        };
        !slot.vain.is_over(officers, tempo, now) && !unseen() && !decides()
    }

    fn tell_boxless(&mut self) {
        let Some(pull) = &mut self.pull else { return };
        let boxless = |slot: &Slot| {
            slot.open() && !slot.state.movements.is_empty() && slot.state.boxes.is_empty()
        };
        if !pull.told_boxless && !pull.off && self.slots.iter().any(boxless) {
            pull.told_boxless = true;
            self.watcher.note(
                "the API named no box for notifications: movements are listed where it did not",
            );
        }
    }

    /// Boxes in which somebody expects something now, or that are to be read
    /// on, and since when.
    fn wanted_boxes(&self, now: DateTime<Utc>) -> BTreeMap<String, DateTime<Utc>> {
        let mut wanted = BTreeMap::new();
        let Some(pull) = &self.pull else { return wanted };
        let awake = || self.slots.iter().filter(|slot| slot.open() && slot.hours.is_open(now));
        for slot in awake().filter(|slot| slot.by_box) {
            let due = slot.plan.as_ref().filter(|plan| !plan.needs.is_empty());
            let due = due.map(|plan| plan.look_at).filter(|look_at| *look_at <= now);
            if let (Some(since), Some(id)) = (due, slot.only_box()) {
                let first = wanted.entry(id.to_owned()).or_insert(since);
                *first = since.min(*first);
            }
        }
        for (id, known) in &pull.boxes {
            if known.more && pull.usable(id, now) && awake().any(|slot| slot.has_box(id)) {
                wanted.entry(id.clone()).or_insert(now);
            }
        }
        wanted
    }

    /// From when on a call for a look into a box may leave; none: an answer is
    /// awaited first.
    fn free_at(&self, id: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let pull = self.pull.as_ref()?;
        match pull.boxes.get(id) {
            _ if pull.own.asking.is_some() => None,
            Some(known) if known.looking.is_some() => None,
            known => Some(known.and_then(|known| known.not_before).unwrap_or(now)),
        }
    }

    /// When the next look into a box is to be made; none while nobody waits
    /// for one, or an answer wakes us first.
    pub(super) fn next_pull(&self) -> Option<DateTime<Utc>> {
        let now = self.clock.now();
        self.wanted_boxes(now).keys().filter_map(|id| self.free_at(id, now)).min()
    }

    /// Makes the next call for a look into a box that is due: for a token
    /// where there is none, then to acknowledge what was taken, then the look.
    pub(super) fn look_into(&mut self, id: &str) {
        let Some(token) = self.token_for_boxes() else { return };
        let Some(pull) = &mut self.pull else { return };
        let known = pull.boxes.entry(id.to_owned()).or_default();
        if !std::mem::replace(&mut known.cleared, true) && self.acknowledge(id, token.clone()) {
            return;
        }
        let now = self.clock.now();
        let runs = self.slots.iter().filter(|slot| slot.open() && slot.has_box(id));
        let oldest = runs.filter_map(|slot| Some(slot.state.opened? - slot.state.ahead)).min();
        let Some(known) = self.known_box(id) else { return };
        known.cleared = false;
        known.looking = Some(now);
        let from = known.from(oldest.unwrap_or(now) - OVERLAP);
        let call = self.boxes_api(token).pending(id, from);
        self.count_request();
        self.spawn(Whose::Errand(Errand::Look(id.to_owned())), call);
    }

    pub(super) fn boxes_api(&self, token: SecretString) -> Api {
        Api::new(self.options.base_url.clone(), notifications::VERSION, token)
    }

    pub(super) fn known_box(&mut self, id: &str) -> Option<&mut PushBox> {
        self.pull.as_mut()?.boxes.get_mut(id)
    }

    /// Takes the end of a call for no single run into account.
    pub(super) fn take_errand(&mut self, errand: &Errand, done: &Done) -> Result<(), BatchError> {
        match errand {
            Errand::Token => self.take_token(done),
            Errand::Look(id) => self.take_box(id, done)?,
            Errand::Acknowledge(id, taken) => self.take_acknowledged(id, taken, done)?,
        }
        Ok(())
    }

    /// Takes what a box answered.
    fn take_box(&mut self, id: &str, done: &Done) -> Result<(), BatchError> {
        if let Some(known) = self.known_box(id) {
            known.looking = None;
        }
        if self.token_refused(done) {
            return Ok(());
        }
        let listed = match &done.result {
            Ok(answer) if answer.status == 200 => {
                notifications::listed(&answer.body).map_err(|error| error.to_string())
            }
            other => Err(self.describe(other)),
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(problem) => {
                let problem = self.redactor.text(&problem);
                return self.box_failed(id, &problem, done);
            }
        };
        let server_now = done.result.as_ref().ok().and_then(|answer| answer.server_date);
        let every = self.options.tempo.real(EVERY);
        let busy = self.options.tempo.real(BUSY);
        let slots = &self.slots;
        let ours = |movement: &str| slots.iter().any(|slot| slot.has_movement(movement));
        let Some(pull) = &mut self.pull else { return Ok(()) };
        pull.own.worked = true;
        let Some(known) = pull.boxes.get_mut(id) else { return Ok(()) };
        let (full, now) = (listed.full, server_now.unwrap_or(done.sent_at));
        known.failures = 0;
        known.not_before = Some(done.sent_at + every);
        if known.note(listed, now, ours) {
            known.failures = 1;
            known.not_before = Some(done.sent_at + busy);
            self.watcher.note(
                "others fill the box of notifications; movements are listed for a while instead",
            );
        }
        for index in 0..self.slots.len() {
            let news = self.slots[index].has_box(id) && self.fetch_notified(index);
            let slot = &mut self.slots[index];
            // Behind a full answer there may be more for it.
            let served = slot.by_box && !full && slot.only_box() == Some(id);
            if let Some(plan) = slot.plan.as_mut().filter(|_| served) {
                plan.needs.clear();
                if !news && plan.look_at <= done.sent_at {
                    slot.vain.note(done.sent_at);
                }
            }
            if news {
                self.record_shared(index, Purpose::PullNotifications, done)?;
            }
        }
        Ok(())
    }

    fn box_failed(&mut self, id: &str, problem: &str, done: &Done) -> Result<(), BatchError> {
        let status = done.result.as_ref().ok().map(|answer| answer.status);
        let for_good = status.is_some_and(is_permanent);
        let Some(known) = self.known_box(id) else { return Ok(()) };
        known.gone = for_good;
        known.failures = known.failures.saturating_add(1);
        let failures = known.failures;
        let retry_after = done.result.as_ref().ok().and_then(Answer::retry_after);
        let until = self.clock.now() + self.pause(failures, retry_after);
        if let Some(known) = self.known_box(id) {
            known.not_before = Some(until);
        }
        // The first of a row of failures tells all that evidence needs.
        if failures > 1 && !for_good {
            return Ok(());
        }
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if slot.by_box && slot.only_box() == Some(id) {
                self.record_shared(index, Purpose::PullNotifications, done)?;
            }
        }
        let hint = match status {
            Some(403) => " (is `client-id` the application for which the bearer token was made?)",
            _ => "",
        };
        self.watcher.note(&format!(
            "looking into the box of notifications: {problem}{hint}; movements are listed instead"
        ));
        Ok(())
    }
}
