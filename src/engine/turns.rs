//! Whose turn it is: one turn after the other, until every run is over or waits
//! for someone whom this batch does not sit out.
//!
//! A turn does all that needs no request, and then makes the requests that are
//! due, the most urgent first, as far as the budget goes: no request queues. What
//! goes is decided on, recorded and sent then. Between turns there is nothing to
//! do but to take answers.

use std::cmp::Reverse;
use std::time::Duration;

use super::batch::{Batch, BatchError};
use super::looks::Group;
use crate::evidence::Actor;

/// Waits beyond this are not sat out unless asked to.
const IMPATIENCE: chrono::Duration = chrono::Duration::seconds(90);

/// How long an automatic answer that does not come is sat out unless asked to.
const LINGER: chrono::Duration = chrono::Duration::minutes(5);

/// The shortest nap: the loop must not spin.
const SHORTEST_NAP: Duration = Duration::from_millis(1);

/// The longest nap: a laptop that slept does not count its sleep.
pub(super) const NAP: Duration = Duration::from_secs(30);

/// Who wants to make a request now.
enum Due {
    Run(usize),
    Look(Group),
    Box(String),
}

impl Batch<'_> {
    /// Takes turns until nothing is left to do, or something stopped the batch.
    pub(super) async fn take_turns(&mut self) -> Result<(), BatchError> {
        loop {
            self.notice_a_clock_set_back();
            if self.fatal.is_none() && self.advance().await? {
                continue;
            }
            if self.calls.is_empty()
                && self.commands.is_empty()
                && (self.fatal.is_some() || self.nothing_left() && !self.acknowledge_rest())
            {
                break;
            }
            let pause = self.next_wake();
            tokio::select! {
                // The same in every run of a test.
                biased;
                done = self.calls.join_next(), if !self.calls.is_empty() => self.finished(done)?,
                ended = self.commands.join_next(), if !self.commands.is_empty() => match ended {
                    Some(Ok(ended)) => self.performed(ended)?,
                    Some(Err(error)) => self.fatal = Some(error.into()),
                    None => {}
                },
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    /// Does what needs no request, then makes the requests that are due, the
    /// most urgent first, as far as the budget goes. Stops where an answer has
    /// come, which may make others more urgent; tells whether it did.
    async fn advance(&mut self) -> Result<bool, BatchError> {
        self.hand_out();
        let mut due = Vec::new();
        for index in 0..self.slots.len() {
            due.extend(self.settle(index)?.map(|urgency| (urgency, Due::Run(index))));
        }
        let boxes = self.due_boxes().into_iter();
        due.extend(boxes.map(|(urgency, id)| (urgency, Due::Box(id))));
        let looks = self.due_looks().into_iter();
        due.extend(looks.map(|(urgency, group)| (urgency, Due::Look(group))));
        due.sort_by_key(|(urgency, _)| Reverse(*urgency));
        self.held = false;
        self.bearer.awaited = false;
        for (_, due) in due {
            let as_trader = !matches!(due, Due::Box(_));
            if as_trader && !self.has_token() {
                continue;
            }
            if !self.may_ask() {
                break;
            }
            match due {
                Due::Run(index) => self.drive(index)?,
                Due::Look(group) => self.look(group),
                Due::Box(id) => self.look_into(&id),
            }
            // To record a request takes longer than to answer one nearby.
            tokio::task::yield_now().await;
            if let Some(done) = self.calls.try_join_next() {
                self.finished(Some(done))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Plans made by a clock that was then set back would lie too far ahead.
    fn notice_a_clock_set_back(&mut self) {
        let now = self.clock.now();
        if now < self.last_now {
            for slot in &mut self.slots {
                slot.plan = None;
                slot.not_before = None;
                for news in slot.news.values_mut() {
                    news.list_at = news.list_at.min(now);
                }
                slot.waiting_since = slot.waiting_since.map(|since| since.min(now));
            }
            for look in self.looks.values_mut() {
                look.not_before = None;
            }
            self.bearer.by_a_clock_set_back();
            self.pull_by_a_clock_set_back();
        }
        self.last_now = now;
    }

    /// Whether nothing is left that this batch should sit out.
    fn nothing_left(&self) -> bool {
        let now = self.clock.now();
        self.slots.iter().filter(|slot| slot.open()).all(|slot| {
            let busy = slot.under_way.is_some() || !slot.fetches.is_empty();
            if self.options.wait || busy || slot.list_at(&slot.kinds()).is_some() {
                return false;
            }
            let (Some(waiting), Some(plan)) = (&slot.waiting_for, &slot.plan) else {
                return false;
            };
            // A look that is due may change everything.
            if plan.look_at <= now && !plan.needs.is_empty() {
                return false;
            }
            matches!(waiting.actor, Actor::Officer | Actor::You)
                || plan.look_at - now > IMPATIENCE
                || slot.waiting_since.is_some_and(|since| now - since > LINGER)
        })
    }

    /// How long there is certainly nothing to do but take answers.
    fn next_wake(&self) -> Duration {
        if self.fatal.is_some() {
            return NAP;
        }
        let now = self.clock.now();
        let wakes = self.slots.iter().filter(|slot| slot.open() && slot.under_way.is_none());
        let news = wakes.clone().flat_map(|slot| slot.news.values());
        let news = news.map(|news| news.list_at).filter(|list_at| *list_at > now);
        let wakes = wakes.filter_map(|slot| match (&slot.plan, slot.not_before) {
            (_, Some(instant)) if instant > now => Some(instant),
            // It has a request to make.
            (None, _) => None,
            (Some(plan), _) if plan.needs.is_empty() => Some(plan.look_at),
            (Some(plan), _) if slot.by_box => Some(plan.look_at).filter(|at| *at > now),
            (Some(plan), _) => {
                let version = &slot.programme.api.version;
                let looks = plan.needs.iter().map(|kind| self.looks.get(&(version.clone(), *kind)));
                looks
                    .filter_map(|look| match look {
                        // Its answer wakes us.
                        Some(look) if look.under_way => None,
                        Some(look) => look.not_before.max(Some(plan.look_at)),
                        None => Some(plan.look_at),
                    })
                    .min()
            }
        });
        // What is due and did not leave waits for the budget alone.
        let nap = wakes
            .chain(news)
            .chain(self.next_pull())
            .chain(self.bearer.next_try())
            .filter(|wake| !(self.held || self.bearer.awaited) || *wake > now)
            .min()
            .map_or(NAP, |wake| (wake - now).to_std().unwrap_or_default());
        let budget = if self.held { self.budget_wait() } else { NAP };
        nap.min(budget).clamp(SHORTEST_NAP, NAP)
    }
}
