//! News from boxes of notifications: one look into a box serves every run, and
//! names the messages to fetch, so that nothing need be listed.
//!
//! A notification is acknowledged once its message is on disk. One whose
//! movement no run of this batch has is left where it is: other software of the
//! same application may be about to take it. Whatever a box does not do (it is
//! not there, not ours, slow, full of others' notifications, or silent while
//! something is due), lists of movements do, and nothing that a run decides
//! rests on a box's silence.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::answer::is_permanent;
use super::batch::{Batch, BatchError, Done, Job, Whose};
use super::boxes::PushBox;
use super::decide::Action;
use super::hours;
use super::slot::{Fetch, MessageToFetch, Notice, Slot};
use crate::evidence::{Actor, Purpose};
use crate::hmrc::api::Api;
use crate::hmrc::ctc;
use crate::hmrc::notifications::{self, EVERY, Notification};
use crate::hmrc::oauth::{self, Application, Token, TokenError};
use crate::hmrc::transport::Answer;
use crate::ncts::{Direction, MessageType};

/// A box is read from this long before the oldest run on, to be safe from
/// small differences between clocks.
const OVERLAP: Duration = Duration::minutes(10);

/// How long others' notifications may keep a box full before it is tried
/// again, in the environment's time.
const BUSY: Duration = Duration::minutes(5);

/// Everything about pulling.
#[derive(Debug)]
pub(super) struct Pull {
    application: Application,
    token: Option<Token>,
    /// Whether any call was taken with it.
    token_worked: bool,
    /// A token is being asked for.
    asking: bool,
    /// Requests for one that failed one after the other.
    failures: u32,
    /// None is asked for before this instant: a back-off.
    not_before: Option<DateTime<Utc>>,
    /// Given up for this batch.
    off: bool,
    /// Whether it was told that the API names no box.
    told_boxless: bool,
    boxes: std::collections::BTreeMap<String, PushBox>,
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
    fn new(application: Application) -> Self {
        Self {
            application,
            token: None,
            token_worked: false,
            asking: false,
            failures: 0,
            not_before: None,
            off: false,
            told_boxless: false,
            boxes: Default::default(),
        }
    }

    /// Whether a run may rely on this box at `now`.
    fn usable(&self, id: &str, now: DateTime<Utc>) -> bool {
        let token = self.failures == 0 || self.not_before.is_none_or(|until| now >= until);
        !self.off && token && self.boxes.get(id).is_none_or(|known| known.usable(now))
    }
}

impl Batch<'_> {
    /// The same batch with news from boxes of this application instead of
    /// lists, where that works.
    #[must_use]
    pub fn pulling(mut self, application: Application) -> Self {
        self.redactor.learn(&application.client_secret);
        self.pull = Some(Pull::new(application));
        self
    }

    /// Has a token before anything is sent: whether the application's secret
    /// is right is known now, or never in time.
    pub(super) async fn begin_pulling(&mut self, jobs: &[Job]) -> Result<(), BatchError> {
        if !jobs.iter().any(|job| job.programme.declares()) {
            self.pull = None;
        }
        self.token_for_boxes();
        while let Some(done) = self.calls.join_next().await {
            self.take(done?)?;
        }
        self.fatal.take().map_or(Ok(()), Err)
    }

    /// The application's token; without a fresh one, one is asked for.
    fn token_for_boxes(&mut self) -> Option<SecretString> {
        let now = self.clock.now();
        let pull = self.pull.as_mut()?;
        if let Some(token) = pull.token.as_ref().filter(|token| now < token.replace_at) {
            return Some(token.secret.clone());
        }
        if !pull.asking && pull.not_before.is_none_or(|until| now >= until) {
            pull.asking = true;
            let base = &self.options.base_url;
            let call = pull.application.client_credentials(base, notifications::SCOPES);
            self.spawn(Whose::Errand(Errand::Token), call);
        }
        None
    }

    /// Plans made by a clock that was then set back lie too far ahead.
    pub(super) fn pull_by_a_clock_set_back(&mut self) {
        let Some(pull) = &mut self.pull else { return };
        pull.not_before = None;
        for known in pull.boxes.values_mut() {
            known.not_before = None;
            known.looking = known.looking.map(|_| self.clock.now());
        }
        self.slots.iter_mut().for_each(|slot| slot.vain.over());
    }

    /// Has every run fetch what notifications name for it.
    pub(super) fn hand_out(&mut self) {
        if self.pull.is_some() {
            (0..self.slots.len()).for_each(|index| {
                self.fetch_notified(index);
            });
        }
    }

    /// Has a run fetch what notifications name for it; tells whether there is
    /// anything.
    fn fetch_notified(&mut self, index: usize) -> bool {
        let Some(pull) = &self.pull else { return false };
        let slot = &mut self.slots[index];
        if !slot.open() || !slot.hours.is_open(self.clock.now()) {
            return false;
        }
        let mut news = Vec::new();
        for (kind, movement) in &slot.state.movements {
            let known = slot.state.boxes.get(kind).and_then(|id| pull.boxes.get(id));
            let messages = known.map(|known| known.messages(*kind, movement));
            for message in messages.into_iter().flatten() {
                let notice = Notice {
                    kind: *kind,
                    movement: movement.clone(),
                    message_id: message.to_owned(),
                };
                if !slot.state.known_messages.contains(message) && !slot.is_fetching(message) {
                    news.push(Fetch::Notified(Box::new(notice)));
                }
            }
        }
        let any = !news.is_empty();
        slot.fetches.extend(news);
        any
    }

    /// Decides which runs look into their box, and asks for what is due.
    pub(super) fn pull_news(&mut self) {
        if self.pull.is_none() {
            return;
        }
        let now = self.clock.now();
        for index in 0..self.slots.len() {
            self.slots[index].by_box = self.relies_on_box(&self.slots[index], now);
        }
        self.tell_boxless();
        for id in self.wanted_boxes(now) {
            self.look_into(&id, now);
        }
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

    /// Boxes in which somebody expects something now.
    fn wanted_boxes(&self, now: DateTime<Utc>) -> BTreeSet<String> {
        let Some(pull) = &self.pull else { return BTreeSet::new() };
        let due = self.slots.iter().filter(|slot| {
            let due = slot.plan.as_ref().filter(|plan| !plan.needs.is_empty());
            slot.by_box
                && slot.open()
                && slot.hours.is_open(now)
                && due.is_some_and(|plan| plan.look_at <= now)
        });
        let more = pull.boxes.iter().filter(|(id, known)| known.more && pull.usable(id, now));
        due.filter_map(Slot::only_box)
            .chain(more.map(|(id, _)| id.as_str()))
            .map(str::to_owned)
            .collect()
    }

    /// When the next look into a box is to be made; none while nobody waits
    /// for one, or an answer wakes us first.
    pub(super) fn next_pull(&self) -> Option<DateTime<Utc>> {
        let pull = self.pull.as_ref()?;
        let now = self.clock.now();
        let wake = |id: &String| match pull.boxes.get(id) {
            Some(known) if known.looking.is_some() => None,
            _ if pull.asking => None,
            known => known.and_then(|known| known.not_before).max(pull.not_before).or(Some(now)),
        };
        self.wanted_boxes(now).iter().filter_map(wake).min()
    }

    /// Looks into a box, unless that is under way or not to be done yet.
    fn look_into(&mut self, id: &str, now: DateTime<Utc>) {
        let oldest = self
            .slots
            .iter()
            .filter(|slot| slot.open() && slot.has_box(id))
            .filter_map(|slot| Some(slot.state.opened? - slot.state.ahead))
            .min();
        let Some(pull) = &mut self.pull else { return };
        let known = pull.boxes.entry(id.to_owned()).or_default();
        if known.looking.is_some() || known.not_before.is_some_and(|until| now < until) {
            return;
        }
        let from = known.from(oldest.unwrap_or(now) - OVERLAP);
        let Some(token) = self.token_for_boxes() else { return };
        self.acknowledge(id, token.clone());
        let call = self.boxes_api(token).pending(id, from);
        if let Some(known) = self.known_box(id) {
            known.looking = Some(now);
        }
        self.spawn(Whose::Errand(Errand::Look(id.to_owned())), call);
    }

    fn boxes_api(&self, token: SecretString) -> Api {
        Api::new(self.options.base_url.clone(), notifications::VERSION, token)
    }

    fn known_box(&mut self, id: &str) -> Option<&mut PushBox> {
        self.pull.as_mut()?.boxes.get_mut(id)
    }

    /// Acknowledges what is on disk; tells whether there is anything.
    fn acknowledge(&mut self, id: &str, token: SecretString) -> bool {
        let slots = &self.slots;
        let Some(known) = self.pull.as_mut().and_then(|pull| pull.boxes.get_mut(id)) else {
            return false;
        };
        if known.acknowledging || known.gone {
            return false;
        }
        let taken = known.to_acknowledge(|movement, message| {
            slots.iter().any(|slot| {
                slot.has_movement(movement)
                    && slot.state.known_messages.contains(message)
                    && !slot.passed_over.contains(message)
            })
        });
        if taken.is_empty() {
            return false;
        }
        known.acknowledging = true;
        let ids: Vec<String> = taken.iter().map(|about| about.id.clone()).collect();
        let call = self.boxes_api(token).acknowledge(id, &ids);
        self.spawn(Whose::Errand(Errand::Acknowledge(id.to_owned(), taken)), call);
        true
    }

    /// Acknowledges what is left at the end of a batch, once; tells whether
    /// there is anything to wait for.
    pub(super) fn acknowledge_rest(&mut self) -> bool {
        let Some(pull) = self.pull.as_ref().filter(|pull| !pull.off) else { return false };
        let Some(token) = pull.token.as_ref().map(|token| token.secret.clone()) else {
            return false;
        };
        let settled = pull.boxes.iter().filter(|(_, known)| known.unacknowledged == 0);
        let ids: Vec<String> = settled.map(|(id, _)| id.clone()).collect();
        ids.into_iter().fold(false, |any, id| self.acknowledge(&id, token.clone()) || any)
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

    fn take_token(&mut self, done: &Done) {
        let read = match &done.result {
            Ok(answer) => oauth::token(answer, done.sent_at),
            Err(none) => Err(TokenError::Unusable(none.detail.clone())),
        };
        let now = self.clock.now();
        let Some(pull) = &mut self.pull else { return };
        pull.asking = false;
        let problem = match read {
            Ok(token) => {
                // Before anything is recorded that may hold it.
                self.redactor.learn(&token.secret);
                pull.failures = 0;
                pull.not_before = None;
                pull.token_worked = false;
                pull.token = Some(token);
                return;
            }
            Err(error) => error,
        };
        pull.failures = pull.failures.saturating_add(1);
        let failures = pull.failures;
        let text = self.redactor.text(&problem.to_string());
        if matches!(problem, TokenError::Refused(_)) {
            if pull.token.is_none() {
                self.fatal = Some(BatchError::Application(text));
            } else {
                self.give_up_pulling(&text);
            }
            return;
        }
        pull.token = None;
        let retry_after = done.result.as_ref().ok().and_then(Answer::retry_after);
        let until = now + self.pause(failures, retry_after);
        if let Some(pull) = &mut self.pull {
            pull.not_before = Some(until);
        }
        if failures == 1 {
            self.watcher.note(&format!(
                "no token for notifications: {text}; movements are listed until there is one"
            ));
        }
    }

    fn give_up_pulling(&mut self, problem: &str) {
        if let Some(pull) = &mut self.pull {
            pull.off = true;
        }
        self.watcher.note(&format!(
            "notifications cannot be had any more: {problem}; movements are listed instead"
        ));
    }

    /// Whether a call was refused because of its token, which is then replaced
    /// once. A fresh one that is refused as well ends pulling.
    fn token_refused(&mut self, done: &Done) -> bool {
        if !matches!(&done.result, Ok(answer) if answer.status == 401) {
            return false;
        }
        let problem = self.describe(&done.result);
        let Some(pull) = &mut self.pull else { return true };
        let used = |token: &Token| {
            let bearer = format!("Bearer {}", token.secret.expose_secret());
            done.call
                .headers
                .iter()
                .any(|(name, value)| name == "authorization" && *value == bearer)
        };
        // Another call may have been told so before.
        if pull.token.as_ref().is_some_and(used) {
            match pull.token_worked {
                // It stays known: that there was one tells a refusal later.
                true => pull.token.iter_mut().for_each(|token| token.replace_at = done.sent_at),
                false => self.give_up_pulling(&problem),
            }
        }
        true
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
        pull.token_worked = true;
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
            if slot.by_box && !full && slot.only_box() == Some(id) {
                if let Some(plan) = &mut slot.plan {
                    if !news && plan.look_at <= done.sent_at {
                        slot.vain.note(done.sent_at);
                    }
                    plan.needs.clear();
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

    fn take_acknowledged(
        &mut self,
        id: &str,
        taken: &[Notification],
        done: &Done,
    ) -> Result<(), BatchError> {
        let refused = self.token_refused(done);
        let status = done.result.as_ref().ok().map(|answer| answer.status);
        let done_well = status.is_some_and(|status| (200..300).contains(&status));
        // What cannot be acknowledged is left; it ends by itself.
        let again = !done_well && (refused || !status.is_some_and(is_permanent));
        let ids = taken.iter().map(|about| about.id.as_str()).collect();
        if let Some(known) = self.known_box(id) {
            known.acknowledging = false;
            known.unacknowledged =
                if done_well { 0 } else { known.unacknowledged.saturating_add(1) };
            known.acknowledged(&ids, again);
        }
        if !done_well && !refused {
            let problem = self.describe(&done.result);
            self.watcher.note(&format!("acknowledging notifications: {problem}"));
        }
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if taken.iter().any(|about| slot.has_movement(&about.movement_id)) {
                self.record_shared(index, Purpose::AcknowledgeNotifications, done)?;
            }
        }
        Ok(())
    }

    /// Takes the message that a notification named.
    pub(super) fn notified(
        &mut self,
        index: usize,
        exchange: u32,
        notice: &Notice,
        answer: &Answer,
    ) -> Result<(), BatchError> {
        let problem = match ctc::message(&notice.message_id, &answer.body) {
            Ok(whole) => {
                let message = whole.listed.message.as_deref().map(str::parse::<MessageType>);
                let message = message.and_then(Result::ok);
                if message.is_some_and(|message| message.direction() == Direction::Sent) {
                    Some("it is one of the trader's own".to_owned())
                } else {
                    let what = MessageToFetch {
                        kind: notice.kind,
                        movement: notice.movement.clone(),
                        message_id: notice.message_id.clone(),
                        known_type: message.is_some(),
                        received: whole.listed.received,
                    };
                    let xml = whole.xml.as_bytes();
                    let slot = &self.slots[index];
                    let Some(writer) = &slot.writer else { return Ok(()) };
                    let stored = writer.put_object(xml, Some("application/xml"), &self.redactor)?;
                    self.fetched(index, exchange, &what, xml, Some(stored))?
                }
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = problem {
            self.doubt(index, notice, &problem);
        }
        Ok(())
    }

    /// A notification named a message that is not there as it said: a list
    /// tells what is.
    pub(super) fn doubt(&mut self, index: usize, notice: &Notice, problem: &str) {
        let problem = self.redactor.text(problem);
        if let Some(pull) = &mut self.pull {
            pull.boxes.values_mut().for_each(|known| known.doubt(&notice.message_id));
        }
        let slot = &mut self.slots[index];
        slot.vain.doubt();
        let (scenario, message) = (&slot.scenario.id, &notice.message_id);
        self.watcher.note(&format!(
            "{scenario}: message {message}, of which a notification told: {problem}; its movement \
             is listed instead"
        ));
    }
}
