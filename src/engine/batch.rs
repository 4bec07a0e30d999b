//! The shell of the engine: performs the actions of many runs under one
//! request budget, and appends what happened to the evidence.
//!
//! Calls of different runs are under way at the same time; one run has at
//! most one. Everything is decided and recorded in one place, between calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::task::{JoinError, JoinSet};
use url::Url;

use super::bearer::{Ended, TraderToken};
use super::command::{Ended as CommandEnded, Software};
use super::decide;
use super::exchange::Answered;
use super::looks::{self, Group, Look};
use super::pull::{Errand, Pull};
use super::report::{Doing, HeldBack, RunEntry, Watcher};
use super::slot::{self, Slot};
use super::tempo::Tempo;
use crate::catalogue::{Programme, Scenario};
use crate::clock::Clock;
use crate::evidence::{
    Actor, Driver, Durability, Event, EvidenceError, MovementNamed, NamedBy, Redactor, RunId,
    RunOpened, SoftwareId, StoreWriter, WaitingFor,
};
use crate::hmrc::api::Api;
use crate::hmrc::backoff;
use crate::hmrc::breaker::Breaker;
use crate::hmrc::budget::SharedBudget;
use crate::hmrc::ctc;
use crate::hmrc::guarantees;
use crate::hmrc::pacer::Pacer;
use crate::hmrc::tokens::{Fixed, RenewError};
use crate::hmrc::transport::{Call, Carrier, NoAnswer, Transport};
use crate::ncts::MovementKind;
use crate::payload::{PayloadError, Payloads};
use crate::project::Environment;

/// How a batch is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where messages go.
    pub environment: Environment,
    /// Address of the API.
    pub base_url: Url,
    /// The bearer token; [`Batch::renewing`] has it renewed.
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

/// Who sends the messages of a batch's runs.
#[derive(Clone, Default)]
pub enum Driving {
    /// We do.
    #[default]
    Direct,
    /// The software, when the user's command makes it.
    Command {
        /// Whoever runs that command.
        software: Arc<dyn Software>,
        /// Most commands that run at once.
        parallel: usize,
    },
    /// The software, whenever it likes: what it did in these movements is
    /// fetched.
    Collect {
        /// The movements, as far as they are known.
        movements: Vec<(MovementKind, String)>,
    },
}

impl Driving {
    /// How evidence names it.
    pub fn driver(&self) -> Driver {
        match self {
            Self::Direct => Driver::Direct,
            Self::Command { .. } => Driver::Command,
            Self::Collect { .. } => Driver::Collect,
        }
    }

    /// Whoever makes the software act.
    pub(super) fn software(&self) -> Option<Arc<dyn Software>> {
        match self {
            Self::Command { software, .. } => Some(Arc::clone(software)),
            _ => None,
        }
    }

    /// Most commands at once.
    pub(super) fn parallel(&self) -> Option<usize> {
        match self {
            Self::Command { parallel, .. } => Some(*parallel),
            _ => None,
        }
    }
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
    /// Scenarios held back, since one of their messages is not to be sent.
    pub held_back: Vec<HeldBack>,
    /// Requests to HMRC's API that left.
    pub requests: u64,
    /// When running again can first bring something: the next look at a timer,
    /// or the next opening. None: whenever a person has acted.
    pub again_at: Option<DateTime<Utc>>,
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
    Mail(#[from] super::mail::MailError),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    SetUp(#[from] crate::hmrc::transport::SetUpError),
    /// The token was not accepted.
    #[error("the API did not accept the token: {0}")]
    Unauthorised(String),
    /// The application may not do this.
    #[error("the API does not allow this: {0}")]
    Forbidden(String),
    /// Messages of NCTS may not be injected.
    #[error("the test-support API does not allow messages to be injected: {0}")]
    InjectionForbidden(String),
    /// The application got no token of its own.
    #[error("the application got no token for notifications: {0}")]
    Application(String),
    /// The token ended, and there is no other.
    #[error("the access token cannot be renewed: {0}")]
    Renewal(RenewError),
    /// A call ended without any result: a bug of ours.
    #[error("a call broke down: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// Many runs under one budget.
pub struct Batch<'a> {
    pub(super) store: &'a mut StoreWriter,
    pub(super) payloads: &'a Payloads,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watcher: &'a mut dyn Watcher,
    pub(super) options: Options,
    pub(super) redactor: Arc<Redactor>,
    pub(super) slots: Vec<Slot>,
    pub(super) looks: BTreeMap<Group, Look>,
    /// News from boxes of notifications; none: lists alone.
    pub(super) pull: Option<Pull>,
    /// Who sends the messages.
    pub(super) driving: Driving,
    /// Commands that make the software send: the run, how it ended, and how
    /// long it took, in nanoseconds.
    pub(super) commands: JoinSet<(usize, CommandEnded, u64)>,
    pub(super) held_back: Vec<HeldBack>,
    /// When a question about a guarantee last came back, by GRN.
    pub(super) balance_asked: BTreeMap<String, DateTime<Utc>>,
    /// Whether anything ever answered.
    answered: bool,
    pub(super) carrier: Arc<dyn Carrier>,
    /// The token of the trader whose movements these are.
    pub(super) bearer: TraderToken,
    pub(super) pacer: Pacer,
    /// The budget of other processes too, where there is one.
    pub(super) shared: Option<SharedBudget>,
    /// A request may leave for which the shared budget was asked.
    pub(super) reserved: Option<u64>,
    /// Until when the shared budget lets nothing go.
    pub(super) shared_until: u64,
    /// Whether the server is there at all.
    pub(super) breaker: Breaker,
    /// Whether calls are due that the budget does not let go yet.
    pub(super) held: bool,
    pub(super) calls: JoinSet<Ended>,
    pub(super) requests: u64,
    pub(super) fatal: Option<BatchError>,
    /// The wall clock when last asked: it may be set back.
    pub(super) last_now: DateTime<Utc>,
}

/// A call that ended.
pub(super) struct Done {
    pub(super) of: Whose,
    pub(super) call: Call,
    pub(super) sent_at: DateTime<Utc>,
    pub(super) result: Answered,
}

/// Whose call it was.
pub(super) enum Whose {
    Slot(usize),
    Look(Group, u32),
    Errand(Errand),
}

impl<'a> Batch<'a> {
    /// A batch that writes to `store` and calls the API over HTTP.
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
        let transport = Transport::new(&options.tool.replace(' ', "/"), &options.base_url)?;
        Ok(Self::over(Arc::new(transport), store, payloads, clock, watcher, options))
    }

    /// A batch whose calls `carrier` takes to the API.
    pub fn over(
        carrier: Arc<dyn Carrier>,
        store: &'a mut StoreWriter,
        payloads: &'a Payloads,
        clock: Arc<dyn Clock>,
        watcher: &'a mut dyn Watcher,
        options: Options,
    ) -> Self {
        let redactor = store.redactor();
        redactor.learn(&options.token);
        // Simulated minutes pass faster, and the budget with them.
        let rate = options.requests_per_second * options.tempo.scale().max(1.0);
        Self {
            store,
            payloads,
            watcher,
            carrier,
            redactor,
            bearer: TraderToken::new(Arc::new(Fixed::new(options.token.clone()))),
            pacer: Pacer::new(rate),
            shared: None,
            reserved: None,
            shared_until: 0,
            breaker: Breaker::default(),
            held: false,
            options,
            calls: JoinSet::new(),
            slots: Vec::new(),
            looks: BTreeMap::new(),
            pull: None,
            driving: Driving::Direct,
            commands: JoinSet::new(),
            held_back: Vec::new(),
            balance_asked: BTreeMap::new(),
            requests: 0,
            answered: false,
            fatal: None,
            last_now: clock.now(),
            clock,
        }
    }

    /// The same batch with another sender of the messages. Runs that are taken
    /// up again must have been opened with the same one.
    #[must_use]
    pub fn driven(mut self, driving: Driving) -> Self {
        self.driving = driving;
        self
    }

    /// Runs the jobs until all are over, or wait for someone.
    ///
    /// # Errors
    /// What stopped the whole batch; every run stays resumable.
    pub async fn run(mut self, jobs: Vec<Job>) -> Result<Outcome, BatchError> {
        // What the software sends is its own matter until it was sent.
        let jobs = match &self.driving {
            Driving::Direct => self.rehearse_payloads(jobs)?,
            Driving::Command { .. } | Driving::Collect { .. } => jobs,
        };
        self.begin_pulling(&jobs).await?;
        for job in jobs {
            self.open(job)?;
        }
        self.take_turns().await?;
        if let Some(fatal) = self.fatal {
            return Err(fatal);
        }
        self.outcome()
    }

    fn open(&mut self, job: Job) -> Result<(), BatchError> {
        let mut slot = match job.resume {
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
                    driver: self.driving.driver(),
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
        if let Driving::Collect { movements } = &self.driving {
            for (movement, movement_id) in movements {
                if slot.state.movements.contains_key(movement) {
                    continue;
                }
                let (movement, movement_id) = (*movement, movement_id.clone());
                let named = MovementNamed { movement, movement_id, by: NamedBy::User };
                slot.append(Event::MovementNamed(named), Durability::Synced)?;
            }
        }
        let resumed = slot.state.resumed;
        self.watcher.moved(&slot.view(Doing::Opened { resumed }));
        let (step, _) = decide::position(&slot.scenario, &slot.state);
        if let Some(at) = slot.state.answered.get(&step).copied() {
            self.watcher.moved(&slot.view(Doing::Answered { step, at }));
        }
        self.slots.push(slot);
        Ok(())
    }

    pub(super) fn api(&self, slot: &Slot) -> Api {
        self.api_of(&slot.programme.api.version)
    }

    pub(super) fn api_of(&self, version: &str) -> Api {
        Api::new(self.options.base_url.clone(), version, self.bearer.secret())
    }

    /// Lets a call go.
    pub(super) fn spawn(&mut self, of: Whose, call: Call) {
        let (carrier, clock) = (Arc::clone(&self.carrier), Arc::clone(&self.clock));
        let patience = match &of {
            Whose::Look(group, _) => self.patience_with(group),
            Whose::Slot(_) | Whose::Errand(_) => Duration::MAX,
        };
        self.calls.spawn(async move {
            let sent_at = clock.now();
            let carried = carrier.carry(&call, clock.as_ref());
            let result = tokio::time::timeout(patience, carried).await;
            let result = result.unwrap_or_else(|_| Err(looks::too_slow(patience)));
            Ended::Call(Box::new(Done { of, call, sent_at, result }))
        });
    }

    /// Takes the end of a call into account, if there is one.
    pub(super) fn finished(
        &mut self,
        done: Option<Result<Ended, JoinError>>,
    ) -> Result<(), BatchError> {
        match done {
            Some(Ok(Ended::Call(done))) => self.take(*done)?,
            Some(Ok(Ended::Renewal(result))) => self.renewed(result),
            // Nobody knows whose it was: that run would wait for ever.
            Some(Err(error)) => self.fatal = Some(error.into()),
            None => {}
        }
        Ok(())
    }

    fn take(&mut self, done: Done) -> Result<(), BatchError> {
        if let Ok(answer) = &done.result {
            self.answered = true;
            if answer.status == 429 && !guarantees::is_lock(answer) {
                let pause = self.pause(1, answer.retry_after()).to_std().unwrap_or_default();
                self.pacer.pause(self.clock.mono_ns(), pause);
                if let Some(shared) = &mut self.shared {
                    shared.pause(self.clock.now(), pause);
                }
                self.watcher.note("the API asked for a pause (HTTP 429)");
            }
        }
        self.note_server(&done);
        self.note_token(&done);
        match &done.of {
            Whose::Slot(index) => self.take_slot(*index, &done.result),
            Whose::Look(group, page) => self.take_look(group, *page, &done),
            Whose::Errand(errand) => self.take_errand(errand, &done),
        }
    }

    /// Stops the batch where the token or the application is at fault; tells
    /// whether it does.
    pub(super) fn note_fatal(&mut self, status: u16, problem: &str) -> bool {
        self.fatal = match status {
            401 => Some(BatchError::Unauthorised(problem.to_owned())),
            403 => Some(BatchError::Forbidden(problem.to_owned())),
            _ => return false,
        };
        true
    }

    /// Whether nothing ever answered at this address: a matter of settings, not
    /// of time.
    pub(super) fn never_there(&self, result: &Answered) -> bool {
        matches!(result, Err(NoAnswer { failure: "connect", .. })) && !self.answered
    }

    /// What went wrong with a call, without secrets: an API may quote them.
    pub(super) fn describe(&self, result: &Answered) -> String {
        self.redactor.text(&match result {
            Ok(answer) => ctc::problem(answer),
            Err(none) => none.detail.clone(),
        })
    }

    /// How long to wait after failed attempt number `attempt`. Back-offs pass
    /// faster with the environment, but never vanish.
    pub(super) fn pause(&self, attempt: u32, retry_after: Option<Duration>) -> chrono::Duration {
        let pause = backoff::delay(attempt, slot::jitter(), retry_after);
        let pause = pause.div_f64(self.options.tempo.scale().clamp(1.0, 20.0));
        chrono::Duration::from_std(pause).unwrap_or_default()
    }

    /// Leaves a run alone for the rest of this batch.
    pub(super) fn stall(&mut self, index: usize, why: String) {
        let slot = &mut self.slots[index];
        slot.waiting_for =
            Some(WaitingFor { actor: Actor::You, what: why.clone(), deadline: None });
        slot.stalled = Some(why.clone());
        let view = slot.view(Doing::Stopped(why));
        self.watcher.moved(&view);
    }

    fn outcome(self) -> Result<Outcome, BatchError> {
        let store = self.store.read()?;
        let mut outcome = Outcome {
            runs: Vec::new(),
            stalled: Vec::new(),
            held_back: Vec::new(),
            requests: self.requests,
            again_at: None,
        };
        for slot in self.slots {
            // A journal that is still open is let go before it is read.
            drop(slot.writer);
            let clock = slot
                .waiting_for
                .as_ref()
                .is_some_and(|waiting| matches!(waiting.actor, Actor::Timer | Actor::OpeningHours));
            let look_at = slot.plan.filter(|_| clock).map(|plan| plan.look_at);
            outcome.again_at = match (outcome.again_at, look_at) {
                (Some(known), Some(this)) => Some(known.min(this)),
                (known, this) => known.or(this),
            };
            let record = store.run(slot.run)?;
            outcome.runs.push(RunEntry::new(&record, slot.waiting_for));
            outcome.stalled.extend(slot.stalled.map(|why| (slot.scenario.id, why)));
        }
        for held in &self.held_back {
            let Some(run) = held.run else { continue };
            let waiting = WaitingFor {
                actor: Actor::You,
                what: "a message that cannot be sent as it is must be mended".into(),
                deadline: None,
            };
            outcome.runs.push(RunEntry::new(&store.run(run)?, Some(waiting)));
        }
        outcome.held_back = self.held_back;
        Ok(outcome)
    }
}
