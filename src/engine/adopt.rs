//! What the software sends: having it sent, looking for it, and taking it into
//! the evidence as the API has it.

use chrono::{DateTime, Duration, Utc};

use super::answer::{self, Unusable};
use super::batch::{Batch, BatchError};
use super::command::{self, Ended, Order};
use super::decide;
use super::exchange::Intent;
use super::report::Doing;
use super::slot::{self, Fetch, MessageToFetch, Slot, Task, UnderWay};
use super::software;
use crate::evidence::{
    CommandEnded, CommandStarted, Durability, Event, LookedUp, MessageNoted, MovementNamed,
    NamedBy, ObjectRef, Purpose, Submitted,
};
use crate::hmrc::ctc::{self, ListedMessage};
use crate::hmrc::transport::Answer;
use crate::ncts::read::Message;
use crate::ncts::{MessageType, MovementKind};
use crate::payload::Sent;

/// How much earlier than its command the API may say that it got a message, for
/// its clock is not ours.
const SKEW: Duration = Duration::minutes(2);

/// Most notes kept on one message, and most characters of one.
const MAX_NOTES: usize = 20;
const MAX_NOTE: usize = 300;

/// Whether a run's next command has a deadline to meet.
fn is_pressed(slot: &Slot) -> bool {
    let (number, _) = decide::position(&slot.scenario, &slot.state);
    let step = slot.step(number).filter(|step| step.send.is_some());
    slot.open()
        && slot.under_way.is_none()
        && slot.state.command.is_none()
        && slot.state.declared_at().is_some()
        && !slot.state.sent.contains_key(&number)
        && step.is_some_and(|step| step.deadline_minutes_after_ie015.is_some())
}

impl Batch<'_> {
    /// Whether one more command may run now, and for this run: one whose
    /// message has a deadline goes first.
    pub(super) fn may_perform(&self, index: usize) -> bool {
        let running = self.slots.iter().filter(|slot| {
            let task = slot.under_way.as_ref().map(|under_way| &under_way.task);
            matches!(task, Some(Task::Perform(_)))
        });
        let room = self.driving.parallel().is_some_and(|most| running.count() < most);
        room && (is_pressed(&self.slots[index]) || !self.slots.iter().any(is_pressed))
    }

    /// Starts the command that makes the software send a step's message. That
    /// it does is on disk before.
    pub(super) fn have_sent(
        &mut self,
        index: usize,
        step: u32,
        message: MessageType,
        now: DateTime<Utc>,
    ) -> Result<(), BatchError> {
        let Some(software) = self.driving.software() else { return Ok(()) };
        let slot = &self.slots[index];
        let lrn = match &slot.state.lrn {
            Some(lrn) if message != MessageType::Ie015 => lrn.clone(),
            _ => slot::new_lrn(&slot.scenario.id, now),
        };
        let stamp = self.stamp(slot, message, lrn.clone(), now);
        let payload = match self.payloads.prepare(&slot.programme, &slot.scenario, step, &stamp) {
            Ok(payload) => payload,
            Err(error) => {
                self.stall(index, error.to_string());
                return Ok(());
            }
        };
        let data = self.payloads.data(&slot.programme, &slot.scenario, step);
        let movement = match message.opens_movement() {
            true => None,
            false => slot.state.movements.get(&message.movement()),
        };
        let variables = [
            ("PROGRAMME", Some(slot.programme.id.as_str())),
            ("SCENARIO", Some(&slot.scenario.id)),
            ("STEP", Some(&step.to_string())),
            ("MESSAGE", Some(message.as_str())),
            ("LRN", Some(&lrn)),
            ("MRN", slot.state.mrn.as_deref()),
            ("MOVEMENT_ID", movement.map(String::as_str)),
            ("BASE_URL", Some(self.options.base_url.as_str().trim_end_matches('/'))),
        ];
        let variables = variables
            .into_iter()
            .filter_map(|(name, value)| Some((format!("CTC_READY_{name}"), value?.to_owned())));
        let order = Order {
            variables: variables.collect(),
            payload: payload.xml,
            data: data.map(ToString::to_string),
        };
        let started = CommandStarted {
            step,
            message,
            lrn,
            program: software.program(),
            timeout_ms: u64::try_from(software.timeout().as_millis()).unwrap_or(u64::MAX),
        };
        let slot = &mut self.slots[index];
        slot.append(Event::CommandStarted(started), Durability::Synced)?;
        slot.under_way = Some(UnderWay { exchange: 0, task: Task::Perform(step) });
        slot.plan = None;
        slot.waiting_for = None;
        self.watcher.moved(&slot.view(format!("having the software send the {message}")));
        let clock = std::sync::Arc::clone(&self.clock);
        self.commands.spawn(async move {
            let began = clock.mono_ns();
            let ended = software.perform(&order).await;
            (index, ended, clock.mono_ns().saturating_sub(began))
        });
        Ok(())
    }

    /// Takes the end of a command.
    pub(super) fn performed(
        &mut self,
        (index, ended, elapsed_ns): (usize, Ended, u64),
    ) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let Some(Task::Perform(step)) = slot.under_way.take().map(|under_way| under_way.task)
        else {
            return Ok(());
        };
        let Some(message) = slot.step(step).and_then(|step| step.send) else { return Ok(()) };
        let (named, failure) = match &ended.failure {
            Some(failure) => (None, Some(failure.clone())),
            None => match command::named_movement(&ended.stdout, message.movement()) {
                Ok(named) => (named, None),
                Err(failure) => (None, Some(failure)),
            },
        };
        let known = slot.state.movements.get(&message.movement());
        let failure = failure.or_else(|| {
            let (named, known) = named.as_ref().zip(known)?;
            (named != known).then(|| format!("it names movement {named}, and the run's is {known}"))
        });
        let redactor = &self.redactor;
        let failure = failure.map(|failure| redactor.text(&failure));
        let Some(writer) = &slot.writer else { return Ok(()) };
        let keep = |bytes: &[u8]| match bytes {
            [] => Ok(None),
            bytes => writer.put_object(bytes, Some("text/plain"), redactor).map(Some),
        };
        let event = CommandEnded {
            step,
            exit_code: ended.exit_code,
            failure: failure.clone(),
            elapsed_ns,
            movement_id: named.filter(|_| failure.is_none()),
            stdout: keep(&ended.stdout)?,
            stderr: keep(&ended.stderr)?,
        };
        slot.append(Event::CommandEnded(event), Durability::Synced)?;
        slot.last_problem = failure.map(|failure| {
            let told = redactor.text(&command::tail(&ended.stderr));
            let told = if told.is_empty() { told } else { format!(": {told}") };
            format!("the command for the {message} of step {step} failed: {failure}{told}")
        });
        let view = slot.view(format!("looking for the {message} that the software sent"));
        self.watcher.moved(&view);
        Ok(())
    }

    /// Looks whether the software has sent a message: in its movement, or for
    /// that by its reference.
    pub(super) fn look_for(
        &mut self,
        index: usize,
        message: MessageType,
    ) -> Result<(), BatchError> {
        let slot = &self.slots[index];
        let kind = message.movement();
        let named = slot.named_movement(message).map(str::to_owned);
        let call = match (&named, slot.reference(kind)) {
            (Some(id), _) => self.api(slot).messages(kind, id),
            (None, Some(reference)) => self.api(slot).movements_by_reference(kind, reference),
            (None, None) => {
                let what = format!("nothing tells which movement the {message} belongs to");
                self.stall(index, what);
                return Ok(());
            }
        };
        self.start(index, Task::LookFor(kind, named), &Intent::asking(Purpose::LookUp), call)
    }

    /// Takes a list of movements by their reference: which of them the software
    /// made is told by their messages.
    pub(super) fn found_by_reference(
        &mut self,
        index: usize,
        kind: MovementKind,
        answer: &Answer,
    ) -> Option<Unusable> {
        let slot = &mut self.slots[index];
        match ctc::movements(kind, &answer.body) {
            Ok((_, movements)) => {
                let lists = slot.of_its_reference(kind, movements);
                let lists: Vec<Fetch> = lists.map(|id| Fetch::List(kind, id)).collect();
                slot.fetches.extend(lists);
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// What cannot be read tells nothing.
    pub(super) fn told(&mut self, index: usize, unusable: Option<Unusable>) -> Option<Unusable> {
        if unusable.is_some() {
            self.slots[index].state.sought = None;
        }
        unusable
    }

    /// Whether these are the messages of the run's own movement; one that it
    /// did not know yet is taken for its own if it was begun in it.
    pub(super) fn takes_for_its_own(
        &mut self,
        index: usize,
        movement: MovementKind,
        movement_id: &str,
        listed: &[ListedMessage],
    ) -> Result<bool, BatchError> {
        let slot = &self.slots[index];
        if let Some(known) = slot.state.movements.get(&movement) {
            return Ok(known == movement_id);
        }
        let begins = |listed: &ListedMessage| {
            let message = listed.message.as_ref().and_then(|text| text.parse::<MessageType>().ok());
            message.is_some_and(|message| {
                message.opens_movement()
                    && message.movement() == movement
                    && listed.status.as_deref() != Some("Failed")
            })
        };
        if !slot.state.software_acts() || !listed.iter().any(begins) {
            return Ok(false);
        }
        let end = slot.state.command.as_ref().and_then(|command| command.end.as_ref());
        let by_command = end.is_some_and(|end| end.movement_id.as_deref() == Some(movement_id));
        if let Some(other) = self.slots.iter().find(|other| other.has_movement(movement_id)) {
            if by_command {
                let of = &other.scenario.id;
                let why = format!("it names movement {movement_id}, which is that of {of}");
                let exchange = self.slots[index].state.last_exchange;
                self.named_in_vain(index, exchange, &why)?;
            }
            return Ok(false);
        }
        let slot = &mut self.slots[index];
        let by = if by_command { NamedBy::Command } else { NamedBy::Reference };
        let movement_id = movement_id.to_owned();
        let named = MovementNamed { movement, movement_id, by };
        slot.append(Event::MovementNamed(named), Durability::Synced)?;
        Ok(true)
    }

    /// The movement that a command named is another run's.
    pub(super) fn named_in_vain(
        &mut self,
        index: usize,
        exchange: u32,
        why: &str,
    ) -> Result<(), BatchError> {
        let slot = &self.slots[index];
        let Some(step) = slot.state.command.as_ref().map(|command| command.step) else {
            return Ok(());
        };
        let Some(message) = slot.step(step).and_then(|step| step.send) else { return Ok(()) };
        self.not_sent(index, step, message, Some((exchange, why)))
    }

    /// Records that a command brought nothing.
    pub(super) fn not_sent(
        &mut self,
        index: usize,
        step: u32,
        message: MessageType,
        because: Option<(u32, &str)>,
    ) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let end = slot.state.command.as_ref().and_then(|command| command.end.as_ref());
        match (end.is_some_and(|end| end.well), because) {
            (true, Some((_, why))) => {
                let problem = format!("the command for the {message} of step {step}: {why}");
                slot.last_problem = Some(problem);
            }
            // It may be there all the same: nothing is sent again before it is
            // seen, or given up.
            (true, None) => {
                let why = format!(
                    "the command for the {message} of step {step} ended well, and the API shows \
                     no such message; its output should name the movement, or the message have \
                     the LRN that it was given"
                );
                self.stall(index, why);
                return Ok(());
            }
            (false, _) => {}
        }
        let exchange = because.map(|(exchange, _)| exchange);
        let exchange = exchange.or(slot.state.sought.map(|(_, exchange)| exchange));
        let exchange = exchange.unwrap_or(slot.state.last_exchange);
        let looked = LookedUp { exchange, step, found: false };
        slot.append(Event::LookedUp(looked), Durability::Synced)?;
        Ok(())
    }

    /// Takes a message that the software sent into the evidence: for the next
    /// step that sends one of its type, or as one that fits none.
    pub(super) fn adopt(
        &mut self,
        index: usize,
        exchange: u32,
        what: &MessageToFetch,
        (message, xml): (&Message<'_>, &str),
        body: ObjectRef,
    ) -> Result<(), BatchError> {
        let slot = &self.slots[index];
        let kind = message.message_type();
        let next = software::unsent(&slot.scenario, &slot.state)
            .find(|(_, next)| next.movement() == what.kind);
        let step = next.filter(|(_, next)| *next == kind).map(|(step, _)| step);
        let Sent { contradiction, notes } = match step {
            Some(step) => self.payloads.judge_sent(&slot.programme, &slot.scenario, step, xml),
            None => Sent::default(),
        };
        let contradiction =
            contradiction.or_else(|| self.is_not_its_own(slot, what, message, step));
        let short =
            |text: &String| -> String { self.redactor.text(text).chars().take(MAX_NOTE).collect() };
        let notes: Vec<String> = notes.iter().take(MAX_NOTES).map(short).collect();
        let contradiction = contradiction.as_ref().map(short);
        let id = slot.scenario.id.clone();
        let mrn = answer::reference(message.mrn()).filter(|_| what.kind == MovementKind::Arrival);
        let lrn = answer::reference(message.lrn()).filter(|_| what.kind == MovementKind::Departure);
        let (now_at, _) = decide::position(&slot.scenario, &slot.state);
        for note in &notes {
            self.watcher.note(&format!("{id}: the {kind} that the software sent: {note}"));
        }
        let slot = &mut self.slots[index];
        if step.is_none() || contradiction.is_some() || !notes.is_empty() {
            let noted = MessageNoted {
                step,
                message: kind,
                movement_id: what.movement.clone(),
                message_id: what.message_id.clone(),
                exchange,
                received: what.received,
                contradiction,
                notes,
            };
            slot.append(Event::MessageNoted(noted), Durability::Buffered)?;
        }
        if let Some(step) = step {
            let submitted = Submitted {
                step,
                message: kind,
                lrn,
                mrn,
                movement: what.kind,
                movement_id: what.movement.clone(),
                message_id: what.message_id.clone(),
                exchange,
                received: Some(what.received),
                box_id: None,
                body,
            };
            slot.append(Event::Submitted(submitted), Durability::Synced)?;
        }
        slot.waiting_for = None;
        let view = slot.view(Doing::Sent { step: step.unwrap_or(now_at), message: kind });
        self.watcher.moved(&view);
        Ok(())
    }

    /// Why a message is not this run's, whatever it says of its scenario.
    fn is_not_its_own(
        &self,
        slot: &Slot,
        what: &MessageToFetch,
        message: &Message<'_>,
        step: Option<u32>,
    ) -> Option<String> {
        let command = slot.state.command.as_ref().filter(|command| Some(command.step) == step);
        if let Some(command) = command
            && what.received + SKEW < command.at
        {
            let got = what.received.format("%Y-%m-%d %H:%M:%S");
            return Some(format!("the API got it on {got} UTC, before the command was started"));
        }
        let (told, known) = message.mrn().zip(slot.state.mrn.as_deref())?;
        (what.kind == MovementKind::Arrival && told != known)
            .then(|| format!("its MRN is {told:.35}, and the departure's is {known}"))
    }
}
