//! Whether a request may leave now: this process's budget, that of all processes
//! of the project, and whether the server is there at all.

use std::time::Duration;

use super::batch::{Batch, Done, Whose};
use super::slot::Task;
use super::turns::NAP;
use crate::hmrc::backoff::MAX_ATTEMPTS;
use crate::hmrc::budget::SharedBudget;
use crate::hmrc::transport::{Answer, NoAnswer};

/// For how long a right to make a request is good that was not used at once.
const RESERVED: u64 = 200_000_000;

impl Batch<'_> {
    /// The same batch with a budget that other processes share.
    #[must_use]
    pub fn sharing(mut self, budget: SharedBudget) -> Self {
        self.shared = Some(budget);
        self
    }

    /// Whether the budget lets a request go now; that one was due is noted.
    pub(super) fn may_ask(&mut self) -> bool {
        self.held = !self.lets_go();
        !self.held
    }

    fn lets_go(&mut self) -> bool {
        let mono = self.clock.mono_ns();
        if self.breaker.wait(mono) != Some(Duration::ZERO) || !self.pacer.wait(mono).is_zero() {
            return false;
        }
        let Some(shared) = &mut self.shared else { return true };
        if self.reserved.is_some_and(|since| mono.saturating_sub(since) < RESERVED) {
            return true;
        }
        let wait = shared.take(self.clock.now());
        self.reserved = wait.is_zero().then_some(mono);
        let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        self.shared_until = mono.saturating_add(wait);
        self.reserved.is_some()
    }

    /// How long until it is worth asking again whether one may go.
    pub(super) fn budget_wait(&self) -> Duration {
        let mono = self.clock.mono_ns();
        let shared = Duration::from_nanos(self.shared_until.saturating_sub(mono));
        self.pacer.wait(mono).max(shared).max(self.breaker.wait(mono).unwrap_or(NAP))
    }

    /// Counts a request to the API that leaves now.
    pub(super) fn count_request(&mut self) {
        self.pacer.take(self.clock.mono_ns());
        self.breaker.leaves();
        if self.reserved.take().is_none()
            && let Some(shared) = &mut self.shared
        {
            // Nobody could be asked before: it is at least told.
            shared.take(self.clock.now());
        }
        self.requests += 1;
        self.watcher.requested(self.requests);
    }

    /// Notes what a call's end tells of the server.
    pub(super) fn note_server(&mut self, done: &Done) {
        let mail = match &done.of {
            Whose::Slot(index) => self.slots.get(*index).is_some_and(|slot| {
                let task = slot.under_way.as_ref().map(|under_way| &under_way.task);
                matches!(task, Some(Task::Mail(_)))
            }),
            _ => false,
        };
        if mail {
            return;
        }
        let absent = match &done.result {
            Ok(Answer { status, .. }) => matches!(status, 500 | 502..=504),
            Err(NoAnswer { failure, .. }) => matches!(*failure, "connect" | "timeout" | "request"),
        };
        if !absent {
            if self.breaker.answered() {
                self.watcher.note("the API answers again");
            }
            return;
        }
        let Some(pause) = self.breaker.failed(self.clock.mono_ns(), self.options.tempo.scale())
        else {
            return;
        };
        let seconds = pause.as_secs_f64();
        let problem = self.describe(&done.result);
        self.watcher.note(&format!(
            "the API does not answer any more: {problem}; one request tries in {seconds:.1} s, and \
             all others wait for it"
        ));
        if self.breaker.trials() >= MAX_ATTEMPTS && !self.options.wait {
            let open = (0..self.slots.len()).filter(|index| {
                self.slots.get(*index).is_some_and(|slot| slot.open() && slot.under_way.is_none())
            });
            for index in open.collect::<Vec<_>>() {
                self.stall(index, problem.clone());
            }
        }
    }
}
