//! News: one list of movements serves every run that waits.
//!
//! A run has news when its movement's `updated` is not the one as of which its
//! messages were listed. That holds however lists, answers to POSTs and
//! fetches overtake one another. Its messages are then listed, once: not for a
//! change that is the run's own message, and where several are expected
//! together only once the movement is quiet. What a list told of is no news.

use std::collections::BTreeMap;
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};

use super::answer::is_permanent;
use super::batch::{Batch, BatchError, Done, Whose};
use super::decide::{self, Action};
use super::exchange::{self, Intent};
use super::slot::{News, Slot};
use super::urgency::Urgency;
use crate::evidence::{EvidenceError, Purpose};
use crate::hmrc::backoff;
use crate::hmrc::ctc::{self, ListedMovement};
use crate::hmrc::transport::{Answer, NoAnswer};
use crate::ncts::MovementKind;

/// The first look goes back this far before the oldest run, to be safe from
/// small differences between clocks.
const OVERLAP: Duration = Duration::minutes(10);

/// Later looks go back this far before the newest change seen: one that was
/// made earlier may become visible later.
const LATECOMERS: Duration = Duration::minutes(1);

/// How long a list may take at first: all runs wait for what it tells. One that
/// took longer gets twice as long the next time, up to what any call has.
const PATIENCE: StdDuration = StdDuration::from_secs(20);

/// Most doublings of that.
const DOUBLINGS: u32 = 3;

/// Most pages of one look: 20,000 movements. A list without end is a fault.
const MAX_PAGES: u32 = 40;

/// Movements that one list shows: an API version, and a kind.
pub(super) type Group = (String, MovementKind);

/// The state of one shared list.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// A call is under way.
    pub(super) under_way: bool,
    /// Not before this instant: the pace, or a back-off.
    pub(super) not_before: Option<DateTime<Utc>>,
    /// The next page of the look that is being made.
    next_page: Option<u32>,
    /// Where this look began: the same for all its pages.
    since: Option<DateTime<Utc>>,
    /// When its first page was asked for.
    asked_at: Option<DateTime<Utc>>,
    /// Entries on its pages so far.
    listed: u64,
    /// The newest change on its pages so far, by the API's clock.
    newest_listed: Option<DateTime<Utc>>,
    /// The newest change that a whole look showed.
    newest: Option<DateTime<Utc>>,
    /// `updated` of every movement seen.
    known: BTreeMap<String, DateTime<Utc>>,
    /// Looks that failed one after the other.
    failures: u32,
    /// How often its time was doubled.
    doublings: u32,
}

/// What comes of a list that takes longer than this.
pub(super) fn too_slow(patience: StdDuration) -> NoAnswer {
    NoAnswer {
        failure: "timeout",
        detail: format!("no answer within {} seconds", patience.as_secs()),
        may_have_arrived: true,
    }
}

impl Batch<'_> {
    /// The lists that are due, and how urgent they are.
    pub(super) fn due_looks(&self) -> Vec<(Urgency, Group)> {
        let now = self.clock.now();
        let mut due: BTreeMap<Group, DateTime<Utc>> = BTreeMap::new();
        // A run whose box of notifications serves it needs no list.
        let lists = |slot: &&Slot| slot.open() && slot.hours.is_open(now) && !slot.by_box;
        for slot in self.slots.iter().filter(lists) {
            let Some(plan) = slot.plan.as_ref().filter(|plan| now >= plan.look_at) else {
                continue;
            };
            for kind in &plan.needs {
                let group = (slot.programme.api.version.clone(), *kind);
                let since = due.entry(group).or_insert(plan.look_at);
                *since = plan.look_at.min(*since);
            }
        }
        let wanted = |version: &str| {
            let mut runs = self.slots.iter().filter(lists);
            runs.any(|slot| slot.programme.api.version == version)
        };
        let pages = self.looks.iter().filter(|(_, look)| look.next_page.is_some());
        let pages = pages.filter(|(group, _)| wanted(&group.0));
        let pages = pages.map(|(group, _)| (Urgency::Now, group.clone()));
        let first = due.into_iter().filter_map(|(group, since)| {
            let look = self.looks.get(&group);
            let not_before = look.and_then(|look| look.not_before);
            if look.is_some_and(|look| look.under_way || look.next_page.is_some())
                || not_before.is_some_and(|instant| now < instant)
            {
                return None;
            }
            let since = not_before.map_or(since, |instant| instant.max(since));
            let patient = now - since < self.options.tempo.gives_way();
            Some((if patient { Urgency::Poll } else { Urgency::Now }, group))
        });
        pages.chain(first).collect()
    }

    /// Asks for a list, or for the next page of one.
    pub(super) fn look(&mut self, group: Group) {
        // The oldest run's opening by the server's clock, or before.
        let runs = self.slots.iter();
        let runs = runs.filter(|slot| slot.open() && slot.programme.api.version == group.0);
        let oldest = runs.filter_map(|slot| Some(slot.state.opened? - slot.state.ahead)).min();
        let oldest = oldest.unwrap_or_else(|| self.clock.now()) - OVERLAP;
        let look = self.looks.entry(group.clone()).or_default();
        look.under_way = true;
        let (since, page) = match (look.next_page.take(), look.since) {
            (Some(page), Some(since)) => (since, page),
            _ => {
                let since = look.newest.map_or(oldest, |newest| newest - LATECOMERS);
                look.since = Some(since);
                look.listed = 0;
                look.newest_listed = None;
                (since, 1)
            }
        };
        let call = self.api_of(&group.0).movements_updated_since(group.1, since, page);
        self.count_request();
        self.spawn(Whose::Look(group, page), call);
    }

    /// How long to wait for a list.
    pub(super) fn patience_with(&self, group: &Group) -> StdDuration {
        PATIENCE * (1 << self.looks.get(group).map_or(0, |look| look.doublings))
    }

    /// Takes a page of a list.
    pub(super) fn take_look(
        &mut self,
        group: &Group,
        page: u32,
        done: &Done,
    ) -> Result<(), BatchError> {
        let took = (self.clock.now() - done.sent_at).to_std().unwrap_or_default();
        let look = self.looks.entry(group.clone()).or_default();
        look.under_way = false;
        match &done.result {
            Err(none) if none.failure == "timeout" => {
                look.doublings = (look.doublings + 1).min(DOUBLINGS);
            }
            Ok(_) if took < PATIENCE => look.doublings = 0,
            _ => {}
        }
        let parsed = match &done.result {
            Ok(answer) if answer.status == 200 => {
                ctc::movements(group.1, &answer.body).map_err(|error| error.to_string())
            }
            // A page past the end: nothing more.
            Ok(answer) if answer.status == 404 && page > 1 => Ok((0, Vec::new())),
            other => Err(self.describe(other)),
        };
        let (total, movements) = match parsed {
            Ok(page) => page,
            Err(problem) => {
                let problem = self.redactor.text(&problem);
                return self.look_failed(group, &problem, done);
            }
        };
        let server_now = done.result.as_ref().ok().and_then(|answer| answer.server_date);
        let between = self.options.tempo.between_polls();
        let look = self.looks.entry(group.clone()).or_default();
        look.failures = 0;
        if page == 1 {
            look.asked_at = Some(done.sent_at);
        }
        let looked = look.asked_at.unwrap_or(done.sent_at);
        look.not_before = Some(looked + between);
        look.listed += movements.len() as u64;
        let more = !movements.is_empty() && look.listed < total && page < MAX_PAGES;
        look.note(movements, server_now);
        look.next_page = more.then_some(page + 1);
        if !more {
            look.newest = look.newest.max(look.newest_listed);
        }
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if !slot.open() || slot.by_box || slot.programme.api.version != group.0 {
                continue;
            }
            if !more {
                slot.looked.insert(group.1, looked);
                if let Some(plan) = &mut slot.plan {
                    plan.needs.remove(&group.1);
                    if plan.needs.is_empty() {
                        slot.vain.listed(looked);
                    }
                }
            }
            if self.note_news(index, group, server_now) || self.ends_a_run(index) {
                self.record_shared(index, Purpose::ListMovements, done)?;
            }
        }
        Ok(())
    }

    /// Notes whether a run's movement changed since its messages were listed;
    /// tells whether that is new.
    fn note_news(
        &mut self,
        index: usize,
        group: &Group,
        server_now: Option<DateTime<Utc>>,
    ) -> bool {
        let (now, tempo) = (self.clock.now(), self.options.tempo);
        let slot = &mut self.slots[index];
        let kind = group.1;
        let known = self.looks.get(group).map(|look| &look.known);
        let movement = slot.state.movements.get(&kind);
        let Some(updated) = known.zip(movement).and_then(|(known, id)| known.get(id)).copied()
        else {
            return false;
        };
        let told = slot.news.get(&kind).map(|news| news.updated);
        let own = slot.own.get(&kind);
        if slot.listed.get(&kind) == Some(&updated)
            || told == Some(updated)
            || own.is_some_and(|own| updated < own.until && now < own.doubt_until)
        {
            return false;
        }
        // What is expected together comes one after the other.
        let pause = match server_now.filter(|_| slot.together(kind) > 1) {
            Some(server_now) => (tempo.quiet() - (server_now - updated)).min(tempo.quiet()),
            None => Duration::zero(),
        };
        slot.news.insert(kind, News { updated, list_at: now + pause.max(Duration::zero()) });
        // It is made anew once the news is known.
        slot.plan = None;
        true
    }

    /// Whether a run is over because a look brought it nothing.
    fn ends_a_run(&self, index: usize) -> bool {
        let slot = &self.slots[index];
        let now = self.clock.now();
        let kinds = slot.kinds();
        let looked = slot.looked(&kinds, now);
        slot.under_way.is_none()
            && slot.fetches.is_empty()
            && slot.list_at(&kinds).is_none()
            && matches!(
                decide::next(&slot.scenario, &slot.state, self.options.tempo, now, looked),
                Action::Finish(_) | Action::GiveUp(_)
            )
    }

    /// Records a shared call in a run for which it means something.
    pub(super) fn record_shared(
        &mut self,
        index: usize,
        purpose: Purpose,
        done: &Done,
    ) -> Result<(), EvidenceError> {
        let slot = &mut self.slots[index];
        let exchange = slot.next_exchange();
        let Some(writer) = &mut slot.writer else { return Ok(()) };
        let intent = Intent::asking(purpose);
        let sent_at = Some(done.sent_at);
        let (redactor, call) = (&self.redactor, &done.call);
        let request =
            exchange::record_request(writer, redactor, exchange, &intent, call, sent_at, None)?;
        let result = exchange::record_result(writer, redactor, exchange, &done.result)?;
        slot.state.apply(&request);
        slot.state.apply(&result);
        Ok(())
    }

    fn look_failed(&mut self, group: &Group, problem: &str, done: &Done) -> Result<(), BatchError> {
        let look = self.looks.entry(group.clone()).or_default();
        look.next_page = None;
        look.failures = look.failures.saturating_add(1);
        let failures = look.failures;
        let status = done.result.as_ref().ok().map(|answer| answer.status);
        let unread = self.bearer.unread;
        let fatal = !unread && status.is_some_and(|status| self.note_fatal(status, problem));
        let hopeless = !unread
            && (status.is_some_and(is_permanent)
                || self.never_there(&done.result)
                || failures >= backoff::MAX_ATTEMPTS && !self.options.wait);
        // The first of a row of failures tells all that evidence needs.
        if failures == 1 || fatal || hopeless {
            for index in 0..self.slots.len() {
                let slot = &self.slots[index];
                let concerned = slot.open()
                    && slot.under_way.is_none()
                    && slot.programme.api.version == group.0
                    && slot.plan.as_ref().is_some_and(|plan| plan.needs.contains(&group.1));
                if concerned {
                    self.record_shared(index, Purpose::ListMovements, done)?;
                    if hopeless && !fatal {
                        self.stall(index, problem.to_owned());
                    }
                }
            }
        }
        if unread {
            // The next token's look is the first.
            self.looks.entry(group.clone()).or_default().failures = 0;
        }
        if fatal || hopeless || unread {
            return Ok(());
        }
        let retry_after = done.result.as_ref().ok().and_then(Answer::retry_after);
        let pause = self.pause(failures, retry_after);
        let until = self.clock.now() + pause;
        self.looks.entry(group.clone()).or_default().not_before = Some(until);
        let seconds = pause.as_seconds_f64();
        self.watcher.note(&format!("looking for news: {problem}; again in {seconds:.1} s"));
        Ok(())
    }
}

impl Look {
    /// Takes the entries of a page into account. Nothing changed after
    /// `server_now`, whatever an entry says: or nothing would be new again.
    fn note(&mut self, movements: Vec<ListedMovement>, server_now: Option<DateTime<Utc>>) {
        for ListedMovement { id, updated, .. } in movements {
            let sane = server_now.map_or(updated, |now| updated.min(now));
            self.newest_listed = self.newest_listed.max(Some(sane));
            self.known.insert(id, updated);
        }
    }
}
