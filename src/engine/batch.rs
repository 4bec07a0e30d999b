//! The shell of the engine: performs the actions of many runs under one
//! request budget, and appends what happened to the evidence.
//!
//! Calls of different runs are under way at the same time; one run has at
//! most one. Everything is decided and recorded in one place, between calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::task::JoinSet;
use url::Url;

use super::decide::{self, Action, MAX_SENDS};
use super::exchange::{self, Intent, Result_};
use super::mail::{self, Mail};
use super::report::{RunEntry, Watcher};
use super::slot::{self, Fetch, MessageToFetch, Slot, Task, UnderWay};
use super::tempo::Tempo;
use crate::catalogue::{Programme, Scenario};
use crate::clock::Clock;
use crate::evidence::{
    Actor, Driver, Durability, Event, EvidenceError, LookedUp, OfficerAsked, Purpose, Received,
    Redactor, RunClosed, RunId, RunOpened, RunState, SoftwareId, StoreWriter, Submitted,
};
use crate::hmrc::backoff;
use crate::hmrc::ctc::{self, Api};
use crate::hmrc::pacer::Pacer;
use crate::hmrc::transport::{Answer, Call, Method, NoAnswer, Transport};
use crate::ncts::build::Stamp;
use crate::ncts::read::Message;
use crate::ncts::{Direction, MessageType, MovementKind};
use crate::payload::{PayloadError, Payloads};
use crate::project::Environment;

/// How a batch is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where messages go.
    pub environment: Environment,
    /// Address of the API.
    pub base_url: Url,
    /// The bearer token.
    pub token: SecretString,
    /// How fast the environment's timers run.
    pub tempo: Tempo,
    /// The request budget, requests a second.
    pub requests_per_second: f64,
    /// The software under test.
    pub software: SoftwareId,
    /// Who runs it.
    pub operator: Option<String>,
    /// `messageSender`, where the house has its own.
    pub message_sender: Option<String>,
    /// Whom officers may ask.
    pub contact: Option<String>,
    /// `ctc-ready` and its version.
    pub tool: String,
    /// Stay while officers or long timers are awaited.
    pub wait: bool,
}

/// A scenario to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its programme.
    pub programme: Programme,
    /// The scenario.
    pub scenario: Scenario,
    /// The open run to go on with; none: a new attempt.
    pub resume: Option<RunId>,
}

/// How a batch ended.
#[derive(Debug)]
pub struct Outcome {
    /// Every run, in the order of the jobs.
    pub runs: Vec<RunEntry>,
    /// Runs that could not go on, with the reason: the environment's fault.
    pub stalled: Vec<(String, String)>,
    /// Requests that left.
    pub requests: u64,
}

/// What stops a batch.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The evidence cannot be written or read.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// A message cannot be made.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The officers' e-mail cannot be made.
    #[error(transparent)]
    Mail(#[from] crate::ncts::build::BuildError),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    SetUp(#[from] crate::hmrc::transport::SetUpError),
    /// The token was not accepted.
    #[error("the API did not accept the token: {0}")]
    Unauthorised(String),
    /// The application may not do this.
    #[error("the API does not allow this: {0}")]
    Forbidden(String),
}

/// Waits beyond this are not sat out unless asked to.
const IMPATIENCE: chrono::Duration = chrono::Duration::seconds(90);

/// How long an automatic answer that does not come is sat out unless asked to.
const LINGER: chrono::Duration = chrono::Duration::minutes(5);

/// Polls go back this far before the first submission, to be safe from small
/// differences between clocks.
const OVERLAP: chrono::Duration = chrono::Duration::minutes(10);

/// Many runs under one budget.
pub struct Batch<'a> {
    store: &'a mut StoreWriter,
    payloads: &'a Payloads,
    clock: Arc<dyn Clock>,
    watcher: &'a mut dyn Watcher,
    options: Options,
    transport: Transport,
    redactor: Redactor,
    pacer: Arc<Mutex<Pacer>>,
    calls: JoinSet<Done>,
    slots: Vec<Slot>,
    looks: BTreeMap<Group, Look>,
    /// Our clock less the server's, as last seen.
    skew: chrono::Duration,
    requests: u64,
    answered: bool,
    fatal: Option<BatchError>,
}

/// Movements that one list shows: an API version, and a kind.
type Group = (String, MovementKind);

/// The state of one shared list.
#[derive(Debug, Default)]
struct Look {
    under_way: bool,
    watermark: Option<DateTime<Utc>>,
    seen: BTreeMap<String, DateTime<Utc>>,
    failures: u32,
    not_before: Option<DateTime<Utc>>,
}

/// A call that ended.
struct Done {
    of: Whose,
    call: Call,
    sent_at: DateTime<Utc>,
    result: Result_,
}

/// Whose call it was.
enum Whose {
    Slot(usize),
    Look(Group, u32),
}

impl<'a> Batch<'a> {
    /// A batch that writes to `store`.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(
        store: &'a mut StoreWriter,
        payloads: &'a Payloads,
        clock: Arc<dyn Clock>,
        watcher: &'a mut dyn Watcher,
        options: Options,
    ) -> Result<Self, BatchError> {
        let transport = Transport::new(&options.tool.replace(' ', "/"))?;
        let redactor = Redactor::new(store.salt(), [options.token.clone()]);
        // Simulated minutes pass faster, and the budget with them.
        let rate = options.requests_per_second * options.tempo.scale().max(1.0);
        Ok(Self {
            store,
            payloads,
            clock,
            watcher,
            transport,
            redactor,
            pacer: Arc::new(Mutex::new(Pacer::new(rate))),
            options,
            calls: JoinSet::new(),
            slots: Vec::new(),
            looks: BTreeMap::new(),
            skew: chrono::Duration::zero(),
            requests: 0,
            answered: false,
            fatal: None,
        })
    }

    /// Runs the jobs until all are over, or wait for someone.
    ///
    /// # Errors
    /// What stopped the whole batch; every run stays resumable.
    pub async fn run(mut self, jobs: Vec<Job>) -> Result<Outcome, BatchError> {
        self.rehearse_payloads(&jobs)?;
        for job in jobs {
            self.open(job)?;
        }
        loop {
            if self.fatal.is_none() {
                for index in 0..self.slots.len() {
                    self.drive(index)?;
                }
                self.look_for_news();
            }
            if self.calls.is_empty() && (self.fatal.is_some() || self.nothing_left()) {
                break;
            }
            let pause = self.next_wake();
            tokio::select! {
                done = self.calls.join_next(), if !self.calls.is_empty() => {
                    if let Some(Ok(done)) = done {
                        self.take(done)?;
                    }
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
        if let Some(fatal) = self.fatal {
            return Err(fatal);
        }
        self.outcome()
    }

    /// Builds every message once before anything is sent, so that a wrong file
    /// shows before a run depends on it.
    fn rehearse_payloads(&mut self, jobs: &[Job]) -> Result<(), BatchError> {
        let now = self.clock.now();
        let mut notes = BTreeSet::new();
        for job in jobs {
            for (index, step) in job.scenario.step.iter().enumerate() {
                let Some(message) = step.send else { continue };
                let stamp = Stamp {
                    message,
                    lrn: slot::new_lrn(&job.scenario.id, now),
                    mrn: Some("26GB000246AL65TIJ5".into()),
                    message_identification: slot::new_message_identification(),
                    message_sender: self.options.message_sender.clone(),
                    now,
                };
                let number = index as u32 + 1;
                let payload =
                    self.payloads.prepare(&job.programme, &job.scenario, number, &stamp)?;
                notes.extend(payload.notes);
            }
        }
        notes.iter().for_each(|note| self.watcher.note(note));
        Ok(())
    }

    fn open(&mut self, job: Job) -> Result<(), BatchError> {
        let slot = match job.resume {
            Some(run) => {
                let (writer, events) = self.store.resume_run(run)?;
                let attempt = events
                    .iter()
                    .find_map(|recorded| match &recorded.event {
                        Event::RunOpened(opened) => Some(opened.attempt),
                        _ => None,
                    })
                    .unwrap_or(1);
                Slot::new(job.programme, job.scenario, attempt, writer, &events)
            }
            None => {
                let attempt = self.store.next_attempt(&job.programme.id, &job.scenario.id);
                let run = self.store.new_run_id();
                let writer = self.store.open_run(RunOpened {
                    run,
                    programme: job.programme.id.clone(),
                    scenario: job.scenario.id.clone(),
                    attempt,
                    environment: self.options.environment,
                    simulated: self.options.environment == Environment::Simulator,
                    driver: Driver::Direct,
                    software: self.options.software.clone(),
                    tool: self.options.tool.clone(),
                    operator: self.options.operator.clone(),
                    base_url: self.options.base_url.as_str().trim_end_matches('/').to_owned(),
                    api_version: job.programme.api.version.clone(),
                    time_scale: self.options.tempo.scale(),
                    session: self.store.session(),
                })?;
                let opened = self.store.read()?.events(run)?;
                Slot::new(job.programme, job.scenario, attempt, writer, &opened)
            }
        };
        self.watcher.moved(&slot.view("opened"));
        self.slots.push(slot);
        Ok(())
    }

    fn api(&self, slot: &Slot) -> Api {
        self.api_of(&slot.programme.api.version)
    }

    fn api_of(&self, version: &str) -> Api {
        Api::new(self.options.base_url.clone(), version, self.options.token.clone())
    }

    /// Gives a run its next thing to do, unless it has one under way.
    fn drive(&mut self, index: usize) -> Result<(), BatchError> {
        let now = self.clock.now();
        let slot = &mut self.slots[index];
        if !slot.open()
            || slot.under_way.is_some()
            || slot.not_before.is_some_and(|instant| now < instant)
        {
            return Ok(());
        }
        if let Some(fetch) = slot.fetches.pop_front() {
            return self.fetch(index, fetch);
        }
        match decide::next(&slot.scenario, &slot.state, self.options.tempo, now) {
            Action::Send { attempts, .. } if attempts >= MAX_SENDS => {
                let what = slot.last_problem.clone().unwrap_or_default();
                self.stall(index, format!("not taken after {attempts} attempts: {what}"));
                Ok(())
            }
            Action::Send { step, message, .. } => self.send(index, step, message, now),
            Action::LookUp { message, .. } => self.look_up(index, message),
            Action::AskOfficer { step } => self.ask_officer(index, step),
            Action::Await { waiting_for, look_at } => {
                let slot = &mut self.slots[index];
                if slot.look_at.is_none() {
                    slot.look_at = Some(look_at);
                }
                if slot.waiting_for.as_ref() != Some(&waiting_for) {
                    slot.waiting_for = Some(waiting_for);
                    slot.waiting_since = Some(now);
                    let what = slot.waiting_for.as_ref().map(|w| w.what.clone());
                    let view = slot.view(format!("waiting for {}", what.unwrap_or_default()));
                    self.watcher.moved(&view);
                }
                Ok(())
            }
            Action::Finish(closed) => self.finish(index, closed),
            Action::Over => {
                self.slots[index].writer = None;
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
        let slot = &self.slots[index];
        let lrn = slot.state.lrn.clone().unwrap_or_else(|| slot::new_lrn(&slot.scenario.id, now));
        let stamp = Stamp {
            message,
            lrn: lrn.clone(),
            mrn: slot.state.mrn.clone(),
            message_identification: slot::new_message_identification(),
            message_sender: self.options.message_sender.clone(),
            now,
        };
        let payload = self.payloads.prepare(&slot.programme, &slot.scenario, step, &stamp)?;
        let movement = if message.opens_movement() {
            None
        } else {
            slot.state.movements.get(&message.movement()).map(String::as_str)
        };
        let call = self.api(slot).submit(message, movement, &payload.xml);
        let intent = Intent {
            purpose: Purpose::Submit,
            step: Some(step),
            message: Some(message),
            lrn: Some(lrn),
            message_identification: Some(stamp.message_identification),
            payload_origin: Some(payload.origin),
        };
        self.watcher.moved(&self.slots[index].view(format!("sending {message}")));
        self.start(index, Task::Submit, &intent, call)
    }

    fn look_up(&mut self, index: usize, message: MessageType) -> Result<(), BatchError> {
        let slot = &self.slots[index];
        let kind = message.movement();
        let known = slot.look_up_movement.as_ref().or_else(|| {
            (!message.opens_movement()).then(|| slot.state.movements.get(&kind)).flatten()
        });
        let reference = match kind {
            MovementKind::Departure => slot.state.lrn.as_deref(),
            MovementKind::Arrival => slot.state.mrn.as_deref(),
        };
        let call = match known {
            Some(id) => self.api(slot).messages(kind, id),
            None => self.api(slot).movements_by_reference(kind, reference.unwrap_or_default()),
        };
        self.watcher.moved(&slot.view(format!("asking whether the {message} arrived")));
        self.start(index, Task::LookUp, &Intent::asking(Purpose::LookUp), call)
    }

    fn ask_officer(&mut self, index: usize, step: u32) -> Result<(), BatchError> {
        let slot = &self.slots[index];
        let software = format!("{} {}", self.options.software.name, self.options.software.version);
        let about = mail::About {
            lrn: slot.state.lrn.as_deref().unwrap_or_default(),
            mrn: slot.state.mrn.as_deref(),
            software: &software,
            contact: self.options.contact.as_deref(),
        };
        let mail = mail::draft(&slot.programme, &slot.scenario, step, &about)?;
        if self.options.environment != Environment::Simulator {
            let view = slot.view("asking the officers");
            self.watcher.mail_to_send(&view, &mail);
            return self.asked(index, step, mail, false);
        }
        let body = serde_json::json!({"to": mail.to, "subject": mail.subject, "body": mail.body});
        let call = Call {
            method: Method::Post,
            url: format!(
                "{}/simulator/mailbox",
                self.options.base_url.as_str().trim_end_matches('/')
            ),
            headers: vec![("content-type".into(), "application/json".into())],
            body: Some(body.to_string().into_bytes()),
        };
        self.watcher.moved(&self.slots[index].view("asking the officers"));
        self.start(index, Task::Mail(step, mail), &Intent::asking(Purpose::Mail), call)
    }

    fn asked(
        &mut self,
        index: usize,
        step: u32,
        mail: Mail,
        delivered: bool,
    ) -> Result<(), BatchError> {
        let redactor = &self.redactor;
        let slot = &mut self.slots[index];
        let Some(writer) = &slot.writer else { return Ok(()) };
        let body = writer.put_object(mail.body.as_bytes(), Some("text/plain"), redactor)?;
        let event = Event::OfficerAsked(OfficerAsked {
            step,
            to: mail.to,
            subject: mail.subject,
            body,
            delivered,
        });
        slot.append(event, Durability::Synced)?;
        Ok(())
    }

    fn fetch(&mut self, index: usize, fetch: Fetch) -> Result<(), BatchError> {
        let api = self.api(&self.slots[index]);
        let (purpose, call) = match &fetch {
            Fetch::List(kind, id) => (Purpose::ListMessages, api.messages(*kind, id)),
            Fetch::Message(what) => {
                (Purpose::GetMessage, api.message_body(what.kind, &what.movement, &what.message_id))
            }
        };
        self.start(index, Task::Fetch(fetch), &Intent::asking(purpose), call)
    }

    /// Records the request, then lets the call go.
    fn start(
        &mut self,
        index: usize,
        task: Task,
        intent: &Intent,
        call: Call,
    ) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let exchange = slot.next_exchange();
        if let Some(writer) = &mut slot.writer {
            let recorded =
                exchange::record_request(writer, &self.redactor, exchange, intent, &call, None)?;
            slot.state.apply(&recorded);
        }
        slot.under_way = Some(UnderWay { exchange, task });
        slot.look_at = None;
        self.spawn(Whose::Slot(index), call);
        Ok(())
    }

    fn spawn(&mut self, of: Whose, call: Call) {
        self.requests += 1;
        let (transport, clock) = (self.transport.clone(), Arc::clone(&self.clock));
        let pacer = Arc::clone(&self.pacer);
        self.calls.spawn(async move {
            let wait = lock(&pacer).reserve(clock.mono_ns());
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let sent_at = clock.now();
            let result = transport.send(&call, clock.as_ref()).await;
            Done { of, call, sent_at, result }
        });
    }

    /// Takes the end of a call into account.
    fn take(&mut self, done: Done) -> Result<(), BatchError> {
        if let Ok(answer) = &done.result {
            self.answered = true;
            if let Some(date) = answer.server_date {
                self.skew = self.clock.now() - date;
            }
            if answer.status == 429 {
                let pause = backoff::delay(1, slot::jitter(), answer.retry_after());
                lock(&self.pacer).pause(self.clock.mono_ns(), self.shorten(pause));
                self.watcher.note("the API asked for a pause (HTTP 429)");
            }
        }
        match done.of {
            Whose::Slot(index) => self.take_slot(index, &done.result)?,
            Whose::Look(ref group, page) => {
                let group = group.clone();
                self.take_look(&group, page, &done)?;
            }
        }
        Ok(())
    }

    fn take_slot(&mut self, index: usize, result: &Result_) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let (Some(under_way), Some(writer)) = (slot.under_way.take(), slot.writer.as_mut()) else {
            return Ok(());
        };
        let exchange = under_way.exchange;
        let recorded = exchange::record_result(writer, &self.redactor, exchange, result)?;
        let stored_body = match &recorded.event {
            Event::Response(response) => response.body.clone(),
            _ => None,
        };
        slot.state.apply(&recorded);
        let answer = match result {
            Ok(answer) if (200..300).contains(&answer.status) => {
                slot.failures = 0;
                answer
            }
            other => return self.went_wrong(index, &under_way.task, other),
        };
        match under_way.task {
            Task::Submit => self.submitted(index, exchange, answer),
            Task::LookUp => self.looked_up(index, exchange, answer),
            Task::Fetch(Fetch::List(kind, id)) => self.listed(index, kind, &id, answer),
            Task::Fetch(Fetch::Message(what)) => {
                self.fetched(index, exchange, &what, answer, stored_body)
            }
            Task::Mail(step, mail) => self.asked(index, step, mail, true),
        }
    }

    /// A call that brought no success: try again, give the run up, or stop.
    fn went_wrong(
        &mut self,
        index: usize,
        task: &Task,
        result: &Result_,
    ) -> Result<(), BatchError> {
        let problem = describe(result);
        let slot = &mut self.slots[index];
        slot.failures += 1;
        slot.last_problem = Some(problem.clone());
        let failures = slot.failures;
        match result {
            Ok(answer) if answer.status == 401 => {
                self.fatal = Some(BatchError::Unauthorised(problem));
                return Ok(());
            }
            Ok(answer) if answer.status == 403 => {
                self.fatal = Some(BatchError::Forbidden(problem));
                return Ok(());
            }
            Ok(answer) if (400..500).contains(&answer.status) && answer.status != 429 => {
                return match task {
                    // The pure core sees the refusal in the journal.
                    Task::Submit => Ok(()),
                    Task::Mail(step, _) => self.finish(
                        index,
                        failed_run(
                            "officer-refused",
                            *step,
                            format!("the officer refused: {problem}"),
                        ),
                    ),
                    _ => {
                        self.stall(index, problem);
                        Ok(())
                    }
                };
            }
            Ok(answer) if answer.status == 501 => {
                self.stall(index, problem);
                return Ok(());
            }
            _ => {}
        }
        // A server that was never there is a matter of settings, not of time.
        let never_there =
            matches!(result, Err(NoAnswer { failure: "connect", .. })) && !self.answered;
        if never_there || failures >= backoff::MAX_ATTEMPTS {
            self.stall(index, problem);
            return Ok(());
        }
        let retry_after = result.as_ref().ok().and_then(Answer::retry_after);
        let pause = self.shorten(backoff::delay(failures, slot::jitter(), retry_after));
        let slot = &mut self.slots[index];
        slot.not_before =
            Some(self.clock.now() + chrono::Duration::from_std(pause).unwrap_or_default());
        if let Task::Fetch(fetch) = task {
            slot.fetches.push_front(fetch.clone());
        }
        self.watcher.note(&format!(
            "{}: {problem}; again in {:.1} s",
            self.slots[index].scenario.id,
            pause.as_secs_f64()
        ));
        Ok(())
    }

    fn submitted(
        &mut self,
        index: usize,
        exchange: u32,
        answer: &Answer,
    ) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let Some(message) = slot.state.pending.as_ref().and_then(|p| p.request.message) else {
            return Ok(());
        };
        match ctc::taken(message.movement(), &answer.body) {
            Ok(taken) => self.note_submitted(index, exchange, taken, None),
            // The answer is unusable, the message may be there: look it up.
            Err(error) => {
                self.watcher.note(&format!("{}: {error}", self.slots[index].scenario.id));
                Ok(())
            }
        }
    }

    fn note_submitted(
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
            body,
        });
        slot.append(event, Durability::Synced)?;
        slot.waiting_for = None;
        let view = slot.view(format!("sent {message}"));
        self.watcher.moved(&view);
        Ok(())
    }

    fn looked_up(
        &mut self,
        index: usize,
        exchange: u32,
        answer: &Answer,
    ) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let Some(pending) = slot.state.pending.clone() else { return Ok(()) };
        let (Some(step), Some(message)) = (pending.request.step, pending.request.message) else {
            return Ok(());
        };
        let kind = message.movement();
        let by_message = slot.look_up_movement.take().or_else(|| {
            (!message.opens_movement()).then(|| slot.state.movements.get(&kind).cloned()).flatten()
        });
        let not_found = Event::LookedUp(LookedUp { exchange, step, found: false });
        let Some(movement_id) = by_message else {
            let movements = match ctc::movements(kind, &answer.body) {
                Ok((_, movements)) => movements,
                Err(error) => {
                    self.stall(index, error.to_string());
                    return Ok(());
                }
            };
            let ours = movements.into_iter().find(|movement| match kind {
                MovementKind::Departure => movement.local_reference_number == slot.state.lrn,
                MovementKind::Arrival => movement.movement_reference_number == slot.state.mrn,
            });
            match ours {
                Some(movement) => slot.look_up_movement = Some(movement.id),
                None => slot.append(not_found, Durability::Synced)?,
            }
            return Ok(());
        };
        let listed = match ctc::messages(&answer.body) {
            Ok(listed) => listed,
            Err(error) => {
                self.stall(index, error.to_string());
                return Ok(());
            }
        };
        let ours = listed.into_iter().find(|listed| {
            listed.message.as_deref() == Some(message.as_str())
                && listed.status.as_deref() != Some("Failed")
                && !slot.state.known_messages.contains(&listed.id)
        });
        let Some(ours) = ours else {
            slot.append(not_found, Durability::Synced)?;
            return Ok(());
        };
        slot.append(
            Event::LookedUp(LookedUp { exchange, step, found: true }),
            Durability::Buffered,
        )?;
        let taken = ctc::Taken { movement_id, message_id: ours.id };
        self.note_submitted(index, exchange, taken, Some(ours.received))
    }

    fn listed(
        &mut self,
        index: usize,
        kind: MovementKind,
        movement: &str,
        answer: &Answer,
    ) -> Result<(), BatchError> {
        let mut listed = match ctc::messages(&answer.body) {
            Ok(listed) => listed,
            Err(error) => {
                self.stall(index, error.to_string());
                return Ok(());
            }
        };
        // Newest first on the wire; fetched in the order in which they came.
        // The sort is stable: what came in the same instant keeps its order.
        listed.reverse();
        listed.sort_by_key(|message| message.received);
        let slot = &mut self.slots[index];
        for item in listed {
            let from_ncts = item
                .message
                .as_deref()
                .and_then(|text| text.parse::<MessageType>().ok())
                .is_none_or(|message| message.direction() == Direction::Received);
            if item.message.is_some() && from_ncts && !slot.state.known_messages.contains(&item.id)
            {
                slot.fetches.push_back(Fetch::Message(Box::new(MessageToFetch {
                    kind,
                    movement: movement.to_owned(),
                    message_id: item.id,
                    received: item.received,
                })));
            }
        }
        Ok(())
    }

    fn fetched(
        &mut self,
        index: usize,
        exchange: u32,
        what: &MessageToFetch,
        answer: &Answer,
        stored_body: Option<crate::evidence::ObjectRef>,
    ) -> Result<(), BatchError> {
        let text = String::from_utf8_lossy(&answer.body);
        let slot = &mut self.slots[index];
        let (message, body) = match (Message::parse(&text), stored_body) {
            (Ok(message), Some(body)) => (message, body),
            (Err(error), _) => {
                self.stall(index, format!("message {} cannot be read: {error}", what.message_id));
                return Ok(());
            }
            (_, None) => return Ok(()),
        };
        let kind = message.message_type();
        let event = Event::Received(Received {
            message: kind,
            movement: what.kind,
            movement_id: what.movement.clone(),
            message_id: what.message_id.clone(),
            exchange,
            received: Some(what.received),
            mrn: message.mrn().map(str::to_owned),
            lrn: message.lrn().map(str::to_owned),
            errors: message.functional_errors(),
            body,
        });
        slot.append(event, Durability::Synced)?;
        slot.waiting_for = None;
        let view = slot.view(format!("got {kind}"));
        self.watcher.moved(&view);
        Ok(())
    }

    /// The kinds of movement in which a waiting run expects news.
    fn kinds(slot: &Slot) -> BTreeSet<MovementKind> {
        let (_, missing) = decide::position(&slot.scenario, &slot.state);
        let last = slot.state.sent.values().next_back().map(|(_, sent)| sent.movement);
        missing
            .into_iter()
            .map(MessageType::movement)
            .chain(last)
            .filter(|kind| slot.state.movements.contains_key(kind))
            .collect()
    }

    /// One list of movements serves every run that waits.
    fn look_for_news(&mut self) {
        let now = self.clock.now();
        let due: BTreeSet<Group> = self
            .slots
            .iter()
            .filter(|slot| slot.open() && slot.look_at.is_some_and(|look_at| now >= look_at))
            .flat_map(|slot| {
                let version = &slot.programme.api.version;
                Self::kinds(slot).into_iter().map(move |kind| (version.clone(), kind))
            })
            .collect();
        for group in due {
            let oldest = self
                .slots
                .iter()
                .filter(|slot| slot.open() && slot.programme.api.version == group.0)
                .filter_map(|slot| slot.state.opened)
                .min()
                .unwrap_or(now);
            let since = oldest - self.skew - OVERLAP;
            let look = self.looks.entry(group.clone()).or_default();
            if look.under_way || look.not_before.is_some_and(|instant| now < instant) {
                continue;
            }
            look.under_way = true;
            let since = look.watermark.unwrap_or(since);
            let call = self.api_of(&group.0).movements_updated_since(group.1, since, 1);
            self.spawn(Whose::Look(group, 1), call);
        }
    }

    fn take_look(&mut self, group: &Group, page: u32, done: &Done) -> Result<(), BatchError> {
        let now = self.clock.now();
        let look = self.looks.entry(group.clone()).or_default();
        look.under_way = false;
        let parsed = match &done.result {
            Ok(answer) if answer.status == 200 => {
                ctc::movements(group.1, &answer.body).map_err(|error| error.to_string())
            }
            // A page past the end: nothing more.
            Ok(answer) if answer.status == 404 && page > 1 => Ok((0, Vec::new())),
            other => Err(describe(other)),
        };
        let movements = match parsed {
            Ok((_, movements)) => {
                look.failures = 0;
                movements
            }
            Err(problem) => return self.look_failed(group, &problem, done),
        };
        let full = movements.len() >= 500;
        let mut news = Vec::new();
        for movement in movements {
            look.watermark = look.watermark.max(Some(movement.updated));
            if look.seen.insert(movement.id.clone(), movement.updated) != Some(movement.updated) {
                news.push(movement.id);
            }
        }
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if !slot.open() || slot.programme.api.version != group.0 {
                continue;
            }
            // Looked: the next look is planned anew.
            slot.look_at = None;
            let Some(id) = slot.state.movements.get(&group.1).cloned() else { continue };
            let fetch = Fetch::List(group.1, id.clone());
            if news.contains(&id) && !slot.fetches.contains(&fetch) {
                self.record_look(index, done)?;
                self.slots[index].fetches.push_back(fetch);
            }
        }
        if full {
            let look = self.looks.entry(group.clone()).or_default();
            look.under_way = true;
            let since = look.watermark.unwrap_or(now);
            let call = self.api_of(&group.0).movements_updated_since(group.1, since, page + 1);
            self.spawn(Whose::Look(group.clone(), page + 1), call);
        }
        Ok(())
    }

    /// Records a shared look in a run for which it brought news.
    fn record_look(&mut self, index: usize, done: &Done) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        let exchange = slot.next_exchange();
        let Some(writer) = &mut slot.writer else { return Ok(()) };
        let intent = Intent::asking(Purpose::ListMovements);
        let sent_at = Some(done.sent_at);
        let request = exchange::record_request(
            writer,
            &self.redactor,
            exchange,
            &intent,
            &done.call,
            sent_at,
        )?;
        let result = exchange::record_result(writer, &self.redactor, exchange, &done.result)?;
        slot.state.apply(&request);
        slot.state.apply(&result);
        Ok(())
    }

    fn look_failed(&mut self, group: &Group, problem: &str, done: &Done) -> Result<(), BatchError> {
        let waiting: Vec<usize> = (0..self.slots.len())
            .filter(|index| {
                let slot = &self.slots[*index];
                slot.open() && slot.programme.api.version == group.0 && slot.under_way.is_none()
            })
            .collect();
        for index in &waiting {
            self.record_look(*index, done)?;
        }
        match &done.result {
            Ok(answer) if answer.status == 401 => {
                self.fatal = Some(BatchError::Unauthorised(problem.to_owned()));
                return Ok(());
            }
            Ok(answer) if answer.status == 403 => {
                self.fatal = Some(BatchError::Forbidden(problem.to_owned()));
                return Ok(());
            }
            _ => {}
        }
        let now = self.clock.now();
        let retry_after = done.result.as_ref().ok().and_then(Answer::retry_after);
        let look = self.looks.entry(group.clone()).or_default();
        look.failures += 1;
        let failures = look.failures;
        let permanent = matches!(&done.result, Ok(answer) if (400..429).contains(&answer.status) || answer.status == 501);
        if permanent || failures >= backoff::MAX_ATTEMPTS {
            for index in waiting {
                self.stall(index, problem.to_owned());
            }
            return Ok(());
        }
        let pause = self.shorten(backoff::delay(failures, slot::jitter(), retry_after));
        if let Some(look) = self.looks.get_mut(group) {
            look.not_before = Some(now + chrono::Duration::from_std(pause).unwrap_or_default());
        }
        self.watcher
            .note(&format!("looking for news: {problem}; again in {:.1} s", pause.as_secs_f64()));
        Ok(())
    }

    /// Back-offs pass faster with the environment, but never vanish.
    fn shorten(&self, pause: Duration) -> Duration {
        pause.div_f64(self.options.tempo.scale().clamp(1.0, 20.0))
    }

    fn stall(&mut self, index: usize, why: String) {
        let slot = &mut self.slots[index];
        slot.waiting_for = Some(crate::evidence::WaitingFor {
            actor: Actor::You,
            what: why.clone(),
            deadline: None,
        });
        slot.stalled = Some(why.clone());
        let view = slot.view(format!("stopped: {why}"));
        self.watcher.moved(&view);
    }

    fn finish(&mut self, index: usize, mut closed: RunClosed) -> Result<(), BatchError> {
        let slot = &mut self.slots[index];
        if let Some(failure) = &mut closed.failure
            && failure.reason == "refused-by-api"
            && let Some(problem) = &slot.last_problem
        {
            failure.message = format!("{}: {problem}", failure.message);
        }
        let Some(writer) = slot.writer.take() else { return Ok(()) };
        let recorded = self.store.close_run(writer, closed)?;
        slot.state.apply(&recorded);
        slot.waiting_for = None;
        let doing = match &slot.state.closed {
            Some((_, RunClosed { failure: Some(failure), .. })) => failure.message.clone(),
            _ => "passed".to_owned(),
        };
        let view = slot.view(doing);
        self.watcher.moved(&view);
        Ok(())
    }

    /// Whether nothing is left that this batch should sit out.
    fn nothing_left(&self) -> bool {
        let now = self.clock.now();
        self.slots.iter().filter(|slot| slot.open()).all(|slot| {
            if self.options.wait || slot.under_way.is_some() || !slot.fetches.is_empty() {
                return false;
            }
            let (Some(waiting), Some(look_at)) = (&slot.waiting_for, slot.look_at) else {
                return false;
            };
            waiting.actor == Actor::Officer
                || look_at - now > IMPATIENCE
                || slot.waiting_since.is_some_and(|since| now - since > LINGER)
        })
    }

    /// How long there is certainly nothing to do but take answers.
    fn next_wake(&self) -> Duration {
        let now = self.clock.now();
        let wakes = self.slots.iter().filter(|slot| slot.open()).flat_map(|slot| {
            let back_off = slot.not_before.filter(|instant| *instant > now);
            let looks = Self::kinds(slot).into_iter().filter_map(|kind| {
                let look = self.looks.get(&(slot.programme.api.version.clone(), kind));
                match look {
                    // Its answer wakes us.
                    Some(look) if look.under_way => None,
                    Some(look) => slot.look_at.max(look.not_before),
                    None => slot.look_at,
                }
            });
            back_off.into_iter().chain(looks.min())
        });
        wakes
            .min()
            .map_or(Duration::from_secs(1), |wake| (wake - now).to_std().unwrap_or_default())
            .clamp(Duration::from_millis(5), Duration::from_secs(5))
    }

    fn outcome(self) -> Result<Outcome, BatchError> {
        let store = self.store.read()?;
        let mut outcome =
            Outcome { runs: Vec::new(), stalled: Vec::new(), requests: self.requests };
        for slot in self.slots {
            // A journal that is still open is let go before it is read.
            drop(slot.writer);
            let record = store.run(slot.run)?;
            outcome.runs.push(RunEntry::new(&record, slot.waiting_for));
            outcome.stalled.extend(slot.stalled.map(|why| (slot.scenario.id, why)));
        }
        Ok(outcome)
    }
}

fn lock(pacer: &Mutex<Pacer>) -> std::sync::MutexGuard<'_, Pacer> {
    pacer.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe(result: &Result_) -> String {
    match result {
        Ok(answer) => ctc::problem(answer),
        Err(none) => none.detail.clone(),
    }
}

fn failed_run(reason: &str, step: u32, message: String) -> RunClosed {
    RunClosed {
        state: RunState::Failed,
        failure: Some(crate::evidence::Failure {
            reason: reason.to_owned(),
            step,
            message,
            errors: Vec::new(),
        }),
    }
}
