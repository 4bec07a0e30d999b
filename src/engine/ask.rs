//! Asking for balances of guarantees: the shell's part of [`super::balance`].

use chrono::Duration;

use super::balance;
use super::batch::{Batch, BatchError};
use super::exchange::Intent;
use super::slot::Task;
use crate::evidence::{BalanceAnswered, Durability, Event, Purpose};
use crate::hmrc::guarantees;
use crate::hmrc::transport::Answer;

/// How soon to look again whether a question about the same guarantee has come
/// back, in the environment's time.
const TURN: Duration = Duration::seconds(1);

impl Batch<'_> {
    /// Asks for the balance of a step's guarantee, unless another run has just
    /// asked about it.
    pub(super) fn ask_balance(&mut self, index: usize, step: u32) -> Result<(), BatchError> {
        let now = self.clock.now();
        let slot = &self.slots[index];
        let Some(request) = slot.step(step).and_then(|step| step.request.clone()) else {
            return Ok(());
        };
        if request.within_seconds.is_none() {
            let other = |(nth, slot): (usize, &super::slot::Slot)| {
                let asking = slot.under_way.as_ref().map(|under_way| &under_way.task);
                nth != index && matches!(asking, Some(Task::Balance(_, grn)) if *grn == request.grn)
            };
            let free = match self.slots.iter().enumerate().any(other) {
                true => Some(now + self.options.tempo.real(TURN)),
                // The clock may have been set back since.
                false => self
                    .balance_asked
                    .get(&request.grn)
                    .map(|asked| (*asked).min(now) + balance::lock(self.options.tempo)),
            };
            if let Some(free) = free.filter(|free| now < *free) {
                self.slots[index].not_before = Some(free);
                return Ok(());
            }
        }
        let call = self.api(slot).balance(&request.grn, &request.access_code);
        let intent = Intent { step: Some(step), ..Intent::asking(Purpose::Balance) };
        self.watcher.moved(&slot.view(format!("asking for the balance of {}", request.grn)));
        self.start(index, Task::Balance(step, request.grn), &intent, call)
    }

    /// Notes that a question about a guarantee has come back, answered or not:
    /// the API may have locked it until just now.
    pub(super) fn balance_came_back(&mut self, grn: &str) {
        let now = self.clock.now();
        self.balance_asked.insert(grn.to_owned(), now);
    }

    /// Takes an answer to a question for a balance; tells whether it is one.
    pub(super) fn balance_answered(
        &mut self,
        index: usize,
        exchange: u32,
        number: u32,
        answer: &Answer,
    ) -> Result<bool, BatchError> {
        let slot = &mut self.slots[index];
        let is_answer =
            slot.step(number).is_some_and(|step| balance::is_answer(step, answer.status));
        let Some(said) = guarantees::said(answer).ok().filter(|_| is_answer) else {
            return Ok(false);
        };
        let event = BalanceAnswered {
            step: number,
            exchange,
            status: answer.status,
            balance: said.balance,
            currency: said.currency,
            code: said.code,
        };
        slot.append(Event::BalanceAnswered(event), Durability::Synced)?;
        slot.waiting_for = None;
        slot.failures = 0;
        let view = slot.view(format!("HTTP {} about the balance", answer.status));
        self.watcher.moved(&view);
        Ok(true)
    }
}
