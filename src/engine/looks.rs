//! News: one list of movements serves every run that waits.
//!
//! A run has news when its movement's `updated` is not the one as of which its
//! messages were listed. That holds however lists, answers to POSTs and
//! fetches overtake one another.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};

use super::answer::is_permanent;
use super::batch::{Batch, BatchError, Done, Whose};
use super::decide::{self, Action};
use super::exchange::{self, Intent};
use super::slot::Fetch;
use crate::evidence::{EvidenceError, Purpose};
use crate::hmrc::backoff;
use crate::hmrc::ctc::{self, ListedMovement};
use crate::hmrc::transport::Answer;
use crate::ncts::MovementKind;

/// The first look goes back this far before the oldest run, to be safe from
/// small differences between clocks.
const OVERLAP: Duration = Duration::minutes(10);

/// Later looks go back this far before the newest change seen: one that was
/// made earlier may become visible later.
const LATECOMERS: Duration = Duration::minutes(1);

/// Most pages of one look: 20,000 movements. A list without end is a fault.
const MAX_PAGES: u32 = 40;

/// Movements that one list shows: an API version, and a kind.
pub(super) type Group = (String, MovementKind);

/// The state of one shared list.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// A call is under way.
    pub(super) under_way: bool,
    /// Not before this instant: a back-off.
    pub(super) not_before: Option<DateTime<Utc>>,
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
}

impl Batch<'_> {
    /// Asks for the lists that are due.
    pub(super) fn look_for_news(&mut self) {
        let now = self.clock.now();
        let due: BTreeSet<Group> = self
            .slots
            .iter()
            .filter(|slot| slot.open() && slot.hours.is_open(now) && !slot.by_box)
            .filter_map(|slot| Some((slot, slot.plan.as_ref()?)))
            .filter(|(_, plan)| now >= plan.look_at)
            .flat_map(|(slot, plan)| {
                let version = &slot.programme.api.version;
                plan.needs.iter().map(move |kind| (version.clone(), *kind))
            })
            .collect();
        for group in due {
            // The oldest run's opening by the server's clock, or before.
            let oldest = self
                .slots
                .iter()
                .filter(|slot| slot.open() && slot.programme.api.version == group.0)
                .filter_map(|slot| Some(slot.state.opened? - slot.state.ahead))
                .min()
                .unwrap_or(now);
            let look = self.looks.entry(group.clone()).or_default();
            if look.under_way || look.not_before.is_some_and(|instant| now < instant) {
                continue;
            }
            let since = look.newest.map_or(oldest - OVERLAP, |newest| newest - LATECOMERS);
            look.since = Some(since);
            look.listed = 0;
            look.newest_listed = None;
            self.ask_for_page(group, since, 1);
        }
    }

    fn ask_for_page(&mut self, group: Group, since: DateTime<Utc>, page: u32) {
        let call = self.api_of(&group.0).movements_updated_since(group.1, since, page);
        self.looks.entry(group.clone()).or_default().under_way = true;
        self.spawn(Whose::Look(group, page), call);
    }

    /// Takes a page of a list.
    pub(super) fn take_look(
        &mut self,
        group: &Group,
        page: u32,
        done: &Done,
    ) -> Result<(), BatchError> {
        let look = self.looks.entry(group.clone()).or_default();
        look.under_way = false;
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
        let look = self.looks.entry(group.clone()).or_default();
        look.failures = 0;
        look.not_before = None;
        if page == 1 {
            look.asked_at = Some(done.sent_at);
        }
        look.listed += movements.len() as u64;
        let more = !movements.is_empty() && look.listed < total && page < MAX_PAGES;
        let since = look.since.filter(|_| more);
        look.note(movements, server_now);
        if since.is_none() {
            look.newest = look.newest.max(look.newest_listed);
        }
        let looked = look.asked_at.unwrap_or(done.sent_at);
        if let Some(since) = since {
            self.ask_for_page(group.clone(), since, page + 1);
        }
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if !slot.open() || slot.by_box || slot.programme.api.version != group.0 {
                continue;
            }
            if since.is_none() {
                slot.looked.insert(group.1, looked);
                if let Some(plan) = &mut slot.plan {
                    plan.needs.remove(&group.1);
                    if plan.needs.is_empty() {
                        slot.vain.listed(looked);
                    }
                }
            }
            if self.fetch_news(index) || self.ends_a_run(index) {
                self.record_shared(index, Purpose::ListMovements, done)?;
            }
        }
        Ok(())
    }

    /// Queues the list of messages of every movement of a run that changed
    /// since it was last listed; tells whether there is one.
    pub(super) fn fetch_news(&mut self, index: usize) -> bool {
        let slot = &mut self.slots[index];
        let mut news = false;
        for (kind, id) in &slot.state.movements {
            let group = (slot.programme.api.version.clone(), *kind);
            let updated = self.looks.get(&group).and_then(|look| look.known.get(id)).copied();
            if updated.is_none() || slot.listed.get(kind) == updated.as_ref() {
                continue;
            }
            slot.listed.extend(updated.map(|updated| (*kind, updated)));
            let fetch = Fetch::List(*kind, id.clone());
            if !slot.fetches.contains(&fetch) {
                slot.fetches.push_back(fetch);
            }
            news = true;
        }
        news
    }

    /// Whether a run is over because a look brought it nothing.
    fn ends_a_run(&self, index: usize) -> bool {
        let slot = &self.slots[index];
        let now = self.clock.now();
        let looked = slot.looked(&slot.kinds(), now);
        slot.under_way.is_none()
            && slot.fetches.is_empty()
            && matches!(
                decide::next(&slot.scenario, &slot.state, self.options.tempo, now, looked),
                Action::Finish(_)
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
        let request = exchange::record_request(writer, redactor, exchange, &intent, call, sent_at)?;
        let result = exchange::record_result(writer, redactor, exchange, &done.result)?;
        slot.state.apply(&request);
        slot.state.apply(&result);
        Ok(())
    }

    fn look_failed(&mut self, group: &Group, problem: &str, done: &Done) -> Result<(), BatchError> {
        let look = self.looks.entry(group.clone()).or_default();
        look.failures = look.failures.saturating_add(1);
        let failures = look.failures;
        let status = done.result.as_ref().ok().map(|answer| answer.status);
        let fatal = status.is_some_and(|status| self.note_fatal(status, problem));
        let hopeless = status.is_some_and(is_permanent)
            || self.never_there(&done.result)
            || failures >= backoff::MAX_ATTEMPTS && !self.options.wait;
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
        if fatal || hopeless {
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
