//! What a run does next: sending, looking up, asking, fetching.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::batch::{Batch, BatchError, Whose};
use super::decide::{Action, MAX_SENDS};
use super::exchange::{self, Intent};
use super::hours;
use super::mail::{self, Mail};
use super::progress::Progress;
use super::report::Doing;
use super::slot::{self, Fetch, Plan, Slot, Task, UnderWay};
use super::upload::Ready;
use super::urgency::{Kind, Urgency};
use crate::evidence::{Durability, Purpose};
use crate::hmrc::transport::Call;
use crate::hmrc::uploads;
use crate::ncts::build::Stamp;
use crate::ncts::{MessageType, MovementKind};
use crate::project::Environment;

/// What a run does next.
enum Next {
    /// The first GET of its queue.
    Fetch,
    /// What the core says, of news in movements of these kinds.
    Act(Action, BTreeSet<MovementKind>),
}

impl Batch<'_> {
    /// Does what a run can do without a request to the API; tells how urgent
    /// the request is that it then wants to make.
    pub(super) fn settle(&mut self, index: usize) -> Result<Option<Urgency>, BatchError> {
        loop {
            let now = self.clock.now();
            let Some(next) = self.next(index, now) else { break };
            if let Some(urgency) = self.urgency(index, &next) {
                self.slots[index].plan = None;
                return Ok(Some(urgency));
            }
            let waits = matches!(next, Next::Act(Action::Await { .. }, _));
            self.perform(index, next, now)?;
            if waits {
                break;
            }
        }
        Ok(None)
    }

    /// Does what a run does next, request or not.
    pub(super) fn drive(&mut self, index: usize) -> Result<(), BatchError> {
        let now = self.clock.now();
        match self.next(index, now) {
            Some(next) => self.perform(index, next, now),
            None => Ok(()),
        }
    }

    /// What a run does next, unless it has something under way or must wait
    /// for a moment.
    fn next(&mut self, index: usize, now: DateTime<Utc>) -> Option<Next> {
        let slot = &mut self.slots[index];
        if !slot.open()
            || slot.under_way.is_some()
            || slot.not_before.is_some_and(|instant| now < instant)
            || slot.rests(now)
        {
            return None;
        }
        if !slot.hours.is_open(now) && (!slot.fetches.is_empty() || !slot.news.is_empty()) {
            slot.forget_news();
        }
        if !slot.fetches.is_empty() {
            return Some(Next::Fetch);
        }
        let kinds = slot.kinds();
        if let Some(list_at) = slot.list_at(&kinds) {
            if now < list_at {
                return None;
            }
            slot.queue_lists(&kinds, now);
            return Some(Next::Fetch);
        }
        let looked = slot.looked(&kinds, now);
        let tempo = self.options.tempo;
        let action = hours::next(&slot.scenario, &slot.state, tempo, &slot.hours, now, looked);
        if matches!(action, Action::Perform { .. }) && !self.may_perform(index) {
            return None;
        }
        Some(Next::Act(action, kinds))
    }

    /// How urgent a request to the API is; none: it is no such request.
    fn urgency(&self, index: usize, next: &Next) -> Option<Urgency> {
        let slot = &self.slots[index];
        let kind = match next {
            Next::Fetch => Kind::Tells,
            Next::Act(Action::Send { attempts, .. } | Action::Inject { attempts, .. }, _)
                if *attempts < MAX_SENDS =>
            {
                Kind::Starts
            }
            Next::Act(Action::LookUp { .. } | Action::LookFor { .. }, _) => Kind::Starts,
            Next::Act(Action::AskBalance { step, attempts }, _) if *attempts < MAX_SENDS => {
                // It counts only if it leaves within the minute.
                let request = slot.step(*step).and_then(|step| step.request.as_ref());
                match request.and_then(|request| request.within_seconds) {
                    Some(_) => return Some(Urgency::Now),
                    None => Kind::Starts,
                }
            }
            Next::Act(..) => return None,
        };
        let progress = Progress::of(&slot.scenario, &slot.state, self.options.tempo);
        Some(Urgency::of(&slot.scenario, &slot.state, &progress, kind))
    }

    fn perform(&mut self, index: usize, next: Next, now: DateTime<Utc>) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let (action, kinds) = match next {
            Next::Act(action, kinds) => (action, kinds),
            Next::Fetch => match slot.fetches.pop_front() {
                Some(fetch) => return self.fetch(index, fetch),
                None => return Ok(()),
            },
        };
        let absent = matches!(action, Action::FollowUp { .. } | Action::GiveUp(_));
        if absent && !slot.made_sure() {
            return Ok(());
        }
        match action {
            Action::Send { attempts, .. } if attempts >= MAX_SENDS => {
                let what = slot.last_problem.clone().unwrap_or_default();
                self.stall(index, format!("not taken after {attempts} attempts: {what}"));
                Ok(())
            }
            Action::Send { step, message, .. } => self.send(index, step, message, now),
            Action::LookUp { message, .. } => self.look_up(index, message),
            Action::Perform { attempts, .. } if attempts > 0 => {
                let what = slot.last_problem.clone().unwrap_or_default();
                self.stall(index, what);
                Ok(())
            }
            Action::Perform { step, message, .. } => self.have_sent(index, step, message, now),
            Action::LookFor { message, .. } => self.look_for(index, message),
            Action::NotSent { step, message } => self.not_sent(index, step, message, None),
            Action::Stop { why } => {
                self.stall(index, why);
                Ok(())
            }
            Action::Inject { message, attempts, .. } if attempts >= MAX_SENDS => {
                let what = slot.last_problem.clone().unwrap_or_default();
                let why = format!("no {message} injected after {attempts} attempts: {what}");
                self.stall(index, why);
                Ok(())
            }
            Action::Inject { step, message, .. } => self.inject(index, step, message),
            Action::AskOfficer { step } => self.ask_officer(index, step, None),
            Action::FollowUp { step } => {
                let asked = slot.state.asked.get(&step).copied();
                self.ask_officer(index, step, asked.or(Some(now)))
            }
            Action::AskBalance { attempts, .. } if attempts >= MAX_SENDS => {
                let what = slot.last_problem.clone().unwrap_or_default();
                self.stall(index, format!("not answered after {attempts} attempts: {what}"));
                Ok(())
            }
            Action::AskBalance { step, .. } => self.ask_balance(index, step),
            Action::Await { waiting_for, look_at } => {
                let open = slot.hours.is_open(now);
                match &mut slot.plan {
                    Some(plan) if open && !plan.needs.is_empty() => plan.thought_at = now,
                    plan => *plan = Some(Plan { look_at, needs: kinds, thought_at: now }),
                }
                if slot.waiting_for.as_ref() != Some(&waiting_for) {
                    slot.waiting_for = Some(waiting_for);
                    slot.waiting_since = Some(now);
                    let view = slot.view(Doing::Waiting);
                    self.watcher.moved(&view);
                }
                Ok(())
            }
            Action::Finish(closed) | Action::GiveUp(closed) => self.finish(index, closed),
            Action::Over => {
                slot.writer = None;
                Ok(())
            }
        }
    }

    fn send(
        &mut self,
        index: usize,
        step: u32,
        message: MessageType,
        now: DateTime<Utc>,
    ) -> Result<(), BatchError> {
        let ready = self.slots[index].upload.take_if(|ready| ready.step == step);
        if let Some(mut ready) = ready
            && let Some(place) = ready.place.take()
        {
            return self.upload(index, ready, &place);
        }
        let slot = &self.slots[index];
        let lrn = slot.state.lrn.clone().unwrap_or_else(|| slot::new_lrn(&slot.scenario.id, now));
        let stamp = self.stamp(slot, message, lrn.clone(), now);
        // A file broken since the rehearsal stops this run, not the others.
        let payload = match self.payloads.to_send(&slot.programme, &slot.scenario, step, &stamp) {
            Ok(payload) => payload,
            Err(error) => {
                self.stall(index, error.to_string());
                return Ok(());
            }
        };
        let intent = Intent {
            purpose: Purpose::Submit,
            step: Some(step),
            message: Some(message),
            lrn: Some(lrn),
            message_identification: Some(stamp.message_identification),
            payload_origin: Some(payload.origin),
            payload_mutation: payload.mutation,
            payload_check: payload
                .check
                .map(|check| exchange::payload_check(&check, &self.redactor)),
        };
        if payload.xml.len() > uploads::SMALL {
            let xml = payload.xml;
            return self.announce(index, Ready { step, message, xml, intent, place: None });
        }
        let slot = &self.slots[index];
        let call = self.api(slot).submit(message, slot.movement_of(message), &payload.xml);
        self.watcher.moved(&slot.view(format!("sending {message}")));
        self.start(index, Task::Submit, &intent, call)
    }

    /// What a message of a run is stamped with.
    pub(super) fn stamp(
        &self,
        slot: &Slot,
        message: MessageType,
        lrn: String,
        now: DateTime<Utc>,
    ) -> Stamp {
        Stamp {
            message,
            lrn,
            mrn: slot.state.mrn.clone(),
            message_identification: slot::new_message_identification(),
            message_sender: self.options.message_sender.clone(),
            now,
        }
    }

    fn look_up(&mut self, index: usize, message: MessageType) -> Result<(), BatchError> {
        let slot = &self.slots[index];
        let kind = message.movement();
        let uploaded = slot.state.upload.as_ref().map(|upload| &*upload.announced.movement_id);
        let call = match uploaded.or_else(|| slot.suspect(message)) {
            Some(id) => self.api(slot).messages(kind, id),
            None => match slot.reference(kind) {
                Some(reference) => self.api(slot).movements_by_reference(kind, reference),
                None => {
                    let what = format!("nothing tells which movement the {message} belongs to");
                    self.stall(index, what);
                    return Ok(());
                }
            },
        };
        self.watcher.moved(&slot.view(format!("asking whether the {message} arrived")));
        self.start(index, Task::LookUp, &Intent::asking(Purpose::LookUp), call)
    }

    /// Drafts the e-mail to the officers: the first, or (with `asked`, when that
    /// was) the one that reminds them.
    fn ask_officer(
        &mut self,
        index: usize,
        step: u32,
        asked: Option<DateTime<Utc>>,
    ) -> Result<(), BatchError> {
        let slot = &self.slots[index];
        let software = format!("{} {}", self.options.software.name, self.options.software.version);
        let about = mail::About {
            run: slot.run,
            now: self.clock.now(),
            lrn: slot.state.lrn.as_deref().unwrap_or_default(),
            mrn: slot.state.mrn.as_deref(),
            software: &software,
            contact: self.options.contact.as_deref(),
        };
        let mail = mail::draft(&slot.programme, &slot.scenario, step, asked, &about)?;
        if self.options.environment != Environment::Simulator {
            return self.asked(index, &mail, false);
        }
        let call = mail.to_simulator(&self.options.base_url);
        self.watcher.moved(&self.slots[index].view("asking the officers"));
        self.start(index, Task::Mail(mail), &Intent::asking(Purpose::Mail), call)
    }

    /// Records that the officers were asked, or that a person is to ask them.
    pub(super) fn asked(
        &mut self,
        index: usize,
        mail: &Mail,
        delivered: bool,
    ) -> Result<(), BatchError> {
        let redactor = &self.redactor;
        let slot = &mut self.slots[index];
        let Some(writer) = &slot.writer else { return Ok(()) };
        let event = mail.asked(writer, redactor, delivered)?;
        slot.append(event, Durability::Synced)?;
        let Mail { step, follow_up, .. } = *mail;
        let view = slot.view(Doing::Asked { step, follow_up });
        self.watcher.moved(&view);
        if !delivered {
            self.watcher.mail_to_send(&view, mail);
        }
        Ok(())
    }

    fn fetch(&mut self, index: usize, fetch: Fetch) -> Result<(), BatchError> {
        let api = self.api(&self.slots[index]);
        let (purpose, call) = match &fetch {
            Fetch::List(kind, id) => (Purpose::ListMessages, api.messages(*kind, id)),
            Fetch::Message(what) => {
                (Purpose::GetMessage, api.message_body(what.kind, &what.movement, &what.message_id))
            }
            Fetch::Notified(what) => {
                (Purpose::GetMessage, api.message(what.kind, &what.movement, &what.message_id))
            }
        };
        self.start(index, Task::Fetch(fetch), &Intent::asking(purpose), call)
    }

    /// Records the request, then lets the call go at once.
    pub(super) fn start(
        &mut self,
        index: usize,
        task: Task,
        intent: &Intent,
        call: Call,
    ) -> Result<(), BatchError> {
        self.start_with(index, task, intent, call, None)
    }

    /// The same for a form that carries a file.
    pub(super) fn start_with(
        &mut self,
        index: usize,
        task: Task,
        intent: &Intent,
        call: Call,
        file: Option<String>,
    ) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let exchange = slot.next_exchange();
        if let Some(writer) = &mut slot.writer {
            let (redactor, file) = (&self.redactor, file.as_deref());
            let recorded =
                exchange::record_request(writer, redactor, exchange, intent, &call, None, file)?;
            slot.state.apply(&recorded);
        }
        // A mail to the simulator's officers is no request to HMRC's API.
        let counts = !matches!(task, Task::Mail(_));
        slot.under_way = Some(UnderWay { exchange, task });
        slot.plan = None;
        if counts {
            self.count_request();
        }
        self.spawn(Whose::Slot(index), call);
        Ok(())
    }
}
