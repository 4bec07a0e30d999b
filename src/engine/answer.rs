//! What an answer means for the run that asked: it is recorded first, whatever
//! it says.

use chrono::{DateTime, Duration, Utc};

use super::batch::{Batch, BatchError};
use super::decide;
use super::exchange::{self, Answered};
use super::reading::{Fetched, Reading};
use super::report::Doing;
use super::slot::{Fetch, MessageToFetch, Own, Task};
use crate::evidence::{
    Durability, Event, Failure, LookedUp, ObjectRef, RunClosed, RunState, Submitted,
};
use crate::hmrc::backoff;
use crate::hmrc::ctc::{self, ListedMessage};
use crate::hmrc::transport::Answer;
use crate::ncts::read::Message;
use crate::ncts::{Direction, MessageType, MovementKind};

/// How long a change of a movement that may be our own message is taken for
/// that alone. NCTS is hardly ever so fast that its answer comes before that of
/// the POST; then it is listed after this time.
const DOUBT: Duration = Duration::minutes(1);

/// What is wrong with an answer that should have been usable.
pub(super) type Unusable = String;

impl Batch<'_> {
    /// Takes the answer to a run's call.
    pub(super) fn take_slot(&mut self, index: usize, result: &Answered) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let Some(under_way) = slot.under_way.take() else { return Ok(()) };
        let exchange = under_way.exchange;
        if let (Task::Announce, Ok(answer)) = (&under_way.task, result) {
            self.learn_place(answer);
        }
        let slot = &mut self.slots[index];
        let Some(writer) = slot.writer.as_mut() else { return Ok(()) };
        let recorded = exchange::record_result(writer, &self.redactor, exchange, result)?;
        let stored_body = match &recorded.event {
            Event::Response(response) => response.body.clone(),
            _ => None,
        };
        slot.state.apply(&recorded);
        let task = under_way.task;
        if let Task::Balance(step, grn) = &task {
            self.balance_came_back(grn);
            if let Ok(answer) = result
                && self.balance_answered(index, exchange, *step, answer)?
            {
                return Ok(());
            }
        }
        let answer = match result {
            Ok(answer) if (200..300).contains(&answer.status) => answer,
            other => return self.went_wrong(index, task, other),
        };
        let unusable = match &task {
            Task::Submit => self.submitted(index, exchange, answer)?,
            Task::Announce => self.announced(index, exchange, answer)?,
            // Whether the API takes it is asked for.
            Task::Upload => None,
            Task::LookUp => self.looked_up(index, exchange, answer)?,
            Task::Inject(message) => {
                self.injected(index, *message);
                None
            }
            Task::LookFor(kind, Some(id)) => {
                let unusable = self.listed(index, *kind, id, answer)?;
                self.told(index, unusable)
            }
            Task::LookFor(kind, None) => {
                let unusable = self.found_by_reference(index, *kind, answer);
                self.told(index, unusable)
            }
            Task::Fetch(Fetch::List(kind, id)) => self.listed(index, *kind, id, answer)?,
            Task::Fetch(Fetch::Message(what)) => {
                self.fetched(index, exchange, what, &answer.body, stored_body)?
            }
            Task::Fetch(Fetch::Notified(notice)) => {
                self.notified(index, exchange, notice, answer)?;
                None
            }
            Task::Mail(mail) => {
                self.asked(index, mail, true)?;
                None
            }
            // It ends elsewhere.
            Task::Perform(_) => None,
            Task::Balance(..) => Some("the answer has not the documented shape".to_owned()),
        };
        match unusable {
            Some(problem) => {
                let problem = self.redactor.text(&problem);
                self.try_again(index, task, problem, None);
            }
            None => self.slots[index].failures = 0,
        }
        Ok(())
    }

    /// A call that brought no success: try again, give the run up, or stop.
    fn went_wrong(
        &mut self,
        index: usize,
        task: Task,
        result: &Answered,
    ) -> Result<(), BatchError> {
        let problem = self.describe(result);
        self.slots[index].last_problem = Some(problem.clone());
        if let Ok(answer) = result {
            if self.bearer.unread {
                // Not acted upon: the same once more with the next token.
                if let Task::Fetch(fetch) = task {
                    self.slots[index].fetches.push_front(fetch);
                }
                return Ok(());
            }
            if let Task::Inject(message) = task
                && self.injection_refused(index, message, answer.status, &problem)
            {
                return Ok(());
            }
            // A place for a file knows no token; another one may be open.
            let closed = matches!(task, Task::Upload) && matches!(answer.status, 401 | 403);
            if !closed && self.note_fatal(answer.status, &problem) {
                return Ok(());
            }
            if is_permanent(answer.status) && !closed {
                match task {
                    // The pure core sees the refusal in the journal.
                    Task::Submit | Task::Upload if !matches!(answer.status, 407 | 501) => {}
                    Task::Mail(mail) => {
                        let message = format!("the officer refused: {problem}");
                        self.finish(index, failed_run("officer-refused", mail.step, message))?;
                    }
                    Task::Fetch(Fetch::Notified(notice)) => self.doubt(index, &notice, &problem),
                    Task::LookFor(_, Some(id)) if !self.slots[index].has_movement(&id) => {
                        let why = format!(
                            "the command names movement {id}, which the API does not show to the trader of \
                             our token: {problem}"
                        );
                        // It may be there all the same: nothing is sent again
                        // before it is seen, or given up.
                        self.stall(index, why);
                    }
                    // Of a movement that the API no longer keeps nothing comes.
                    Task::Fetch(Fetch::List(..)) if self.slots[index].makes_sure() => {}
                    _ => self.stall(index, problem),
                }
                return Ok(());
            }
        }
        if self.never_there(result) {
            self.stall(index, problem);
            return Ok(());
        }
        let retry_after = result.as_ref().ok().and_then(Answer::retry_after);
        self.try_again(index, task, problem, retry_after);
        Ok(())
    }

    /// Does the same once more after a pause, ever longer; after several
    /// attempts the run stops, unless the user stays: only asking is repeated
    /// without end.
    fn try_again(
        &mut self,
        index: usize,
        task: Task,
        problem: String,
        retry_after: Option<std::time::Duration>,
    ) {
        let patient =
            self.options.wait && matches!(task, Task::Fetch(_) | Task::LookUp | Task::LookFor(..));
        let slot = &mut self.slots[index];
        slot.failures = slot.failures.saturating_add(1);
        if slot.failures >= backoff::MAX_ATTEMPTS && !patient {
            self.stall(index, problem);
            return;
        }
        // A look-up between two POSTs succeeds and is no sign of recovery.
        let attempts = slot.failures.max(slot.state.refusals);
        if let Task::Fetch(fetch) = task {
            slot.fetches.push_front(fetch);
        }
        let scenario = slot.scenario.id.clone();
        let pause = self.pause(attempts, retry_after);
        self.slots[index].not_before = Some(self.clock.now() + pause);
        let seconds = pause.as_seconds_f64();
        self.watcher.note(&format!("{scenario}: {problem}; again in {seconds:.1} s"));
    }

    fn submitted(
        &mut self,
        index: usize,
        exchange: u32,
        answer: &Answer,
    ) -> Result<Option<Unusable>, BatchError> {
        let slot = &self.slots[index];
        let Some(message) = slot.state.pending.as_ref().and_then(|p| p.request.message) else {
            return Ok(None);
        };
        match ctc::taken(message.movement(), &answer.body) {
            Ok(taken) => {
                self.note_submitted(index, exchange, taken, None)?;
                self.note_own(index, message.movement(), answer);
            }
            // The answer is unusable, the message may be there: look it up.
            Err(error) => self.watcher.note(&format!("{}: {error}", slot.scenario.id)),
        }
        Ok(None)
    }

    /// Notes until when a movement's change may be our own message alone.
    fn note_own(&mut self, index: usize, kind: MovementKind, answer: &Answer) {
        // `Date` has whole seconds, rounded down; where minutes pass in one it
        // tells nothing.
        let date = answer.server_date.filter(|_| self.options.tempo.scale() <= 1.0);
        let until = date.map(|date| date + Duration::seconds(1));
        let doubt_until = self.clock.now() + DOUBT;
        let slot = &mut self.slots[index];
        if let Some(until) = until {
            slot.own.insert(kind, Own { until, doubt_until });
            // A look may have shown it before the answer was here.
            slot.news.retain(|other, news| *other != kind || news.updated >= until);
        }
    }

    pub(super) fn note_submitted(
        &mut self,
        index: usize,
        exchange: u32,
        taken: ctc::Taken,
        received: Option<DateTime<Utc>>,
    ) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let Some(pending) = slot.state.pending.clone() else { return Ok(()) };
        let (Some(step), Some(message), Some(body)) =
            (pending.request.step, pending.request.message, pending.body)
        else {
            return Ok(());
        };
        let mrn = slot.state.mrn.clone().filter(|_| message.movement() == MovementKind::Arrival);
        let event = Event::Submitted(Submitted {
            step,
            message,
            lrn: pending.request.lrn.filter(|_| message.movement() == MovementKind::Departure),
            mrn,
            movement: message.movement(),
            movement_id: taken.movement_id,
            message_id: taken.message_id,
            exchange,
            received,
            box_id: taken.box_id,
            body,
        });
        slot.append(event, Durability::Synced)?;
        slot.waiting_for = None;
        slot.vain.over();
        let view = slot.view(Doing::Sent { step, message });
        self.watcher.moved(&view);
        Ok(())
    }

    /// First the movements with our reference, newest first; then the messages
    /// of each until one has ours. A POST that was refused leaves a movement
    /// behind whose message is `Failed`.
    fn looked_up(
        &mut self,
        index: usize,
        exchange: u32,
        answer: &Answer,
    ) -> Result<Option<Unusable>, BatchError> {
        let slot = &mut self.slots[index];
        let Some(pending) = slot.state.pending.clone() else {
            return self.injection_looked_up(index, exchange, answer);
        };
        let (Some(step), Some(message)) = (pending.request.step, pending.request.message) else {
            return Ok(None);
        };
        if let Some(upload) = slot.state.upload.clone() {
            return self.upload_looked_up(index, exchange, upload.announced, answer);
        }
        let kind = message.movement();
        let Some(movement_id) = slot.suspect(message).map(str::to_owned) else {
            let movements = match ctc::movements(kind, &answer.body) {
                Ok((_, movements)) => movements,
                Err(error) => return Ok(Some(error.to_string())),
            };
            slot.suspects = slot.of_its_reference(kind, movements).collect();
            if slot.suspects.is_empty() {
                let looked = LookedUp { exchange, step, found: false };
                slot.append(Event::LookedUp(looked), Durability::Synced)?;
            }
            return Ok(None);
        };
        let listed = match ctc::messages(&answer.body) {
            Ok(listed) => listed,
            Err(error) => return Ok(Some(error.to_string())),
        };
        slot.suspects.pop_front();
        let ours = listed.into_iter().find(|listed| {
            listed.message.as_deref() == Some(message.as_str())
                && listed.status.as_deref() != Some("Failed")
                && !slot.state.known_messages.contains(&listed.id)
        });
        let found = ours.is_some();
        if !found && !slot.suspects.is_empty() {
            return Ok(None);
        }
        let durability = if found { Durability::Buffered } else { Durability::Synced };
        slot.append(Event::LookedUp(LookedUp { exchange, step, found }), durability)?;
        if let Some(ours) = ours {
            slot.suspects.clear();
            let taken = ctc::Taken { movement_id, message_id: ours.id, box_id: None };
            self.note_submitted(index, exchange, taken, Some(ours.received))?;
        }
        Ok(None)
    }

    fn listed(
        &mut self,
        index: usize,
        kind: MovementKind,
        movement: &str,
        answer: &Answer,
    ) -> Result<Option<Unusable>, BatchError> {
        let listed = match ctc::messages(&answer.body) {
            Ok(listed) => listed,
            Err(error) => return Ok(Some(error.to_string())),
        };
        if !self.takes_for_its_own(index, kind, movement, &listed)? {
            return Ok(None);
        }
        // More may have come since the look that told of news.
        let newest = listed.iter().map(|message| message.received).max();
        let slot = &mut self.slots[index];
        if let (Some(as_of), Some(newest)) = (slot.listed.get_mut(&kind), newest) {
            *as_of = newest.max(*as_of);
            let as_of = *as_of;
            slot.news.retain(|other, news| *other != kind || news.updated > as_of);
        }
        self.learn_of(index, kind, movement, listed);
        Ok(None)
    }

    /// Queues the messages that a run does not know yet, however it was told of
    /// them: those of NCTS, and those of the software where that sends them.
    pub(super) fn learn_of(
        &mut self,
        index: usize,
        kind: MovementKind,
        movement: &str,
        mut listed: Vec<ListedMessage>,
    ) {
        // Newest first on the wire; fetched in the order in which they came.
        // The sort is stable: what came in the same instant keeps its order.
        listed.reverse();
        listed.sort_by_key(|message| message.received);
        let slot = &mut self.slots[index];
        for item in listed {
            // Without a type: an upload that is not there yet.
            let Some(text) = item.message else { continue };
            let message = text.parse::<MessageType>().ok();
            let from_ncts = message.is_none_or(|m| m.direction() == Direction::Received);
            let known = slot.state.known_messages.contains(&item.id) || slot.is_fetching(&item.id);
            // What failed was never handed over to NCTS.
            let by_software =
                slot.state.seeks_what_was_sent() && item.status.as_deref() != Some("Failed");
            if (from_ncts || by_software) && !known {
                slot.fetches.push_back(Fetch::Message(Box::new(MessageToFetch {
                    kind,
                    movement: movement.to_owned(),
                    message_id: item.id,
                    known_type: message.is_some(),
                    received: item.received,
                })));
            }
        }
    }

    /// Takes the XML of a message.
    pub(super) fn fetched(
        &mut self,
        index: usize,
        exchange: u32,
        what: &MessageToFetch,
        xml: &[u8],
        stored_body: Option<ObjectRef>,
    ) -> Result<Option<Unusable>, BatchError> {
        let text = String::from_utf8_lossy(xml);
        let slot = &mut self.slots[index];
        let reading = match Reading::of_xml(&text) {
            Ok(reading) => reading,
            Err(error) if what.known_type => {
                return Ok(Some(format!("message {} cannot be read: {error}", what.message_id)));
            }
            // HMRC may add types. Its body is kept, and no step waits for it.
            Err(error) => {
                slot.state.known_messages.insert(what.message_id.clone());
                slot.passed_over.insert(what.message_id.clone());
                let id = &slot.scenario.id;
                self.watcher
                    .note(&format!("{id}: message {} is passed over: {error}", what.message_id));
                return Ok(None);
            }
        };
        let Some(body) = stored_body else { return Ok(None) };
        let kind = reading.message;
        if kind.direction() == Direction::Sent
            && slot.state.seeks_what_was_sent()
            && let Ok(message) = Message::parse(&text)
        {
            return self.adopt(index, exchange, what, (&message, &text), body).map(|()| None);
        }
        let of = Fetched {
            kind: what.kind,
            movement: &what.movement,
            message_id: &what.message_id,
            exchange,
            received: Some(what.received),
        };
        let event = reading.received(of, body);
        let (step, _) = decide::position(&slot.scenario, &slot.state);
        slot.append(event, Durability::Synced)?;
        slot.waiting_for = None;
        slot.vain.over();
        let view = slot.view(Doing::Received { step, message: kind });
        self.watcher.moved(&view);
        Ok(None)
    }
}

/// Whether the same request would get the same answer again.
pub fn is_permanent(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 408 | 425 | 429) || status == 501
}

fn failed_run(reason: &str, step: u32, message: String) -> RunClosed {
    RunClosed {
        state: RunState::Failed,
        failure: Some(Failure { reason: reason.to_owned(), step, message, ..Failure::default() }),
    }
}
