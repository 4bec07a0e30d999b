//! A run's journal under way, without network or files.

#![allow(clippy::unwrap_used, dead_code)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use ctc_ready::catalogue::{Catalogue, Expectation, Release, Scenario};
use ctc_ready::digest::Digest;
use ctc_ready::engine::decide::{self, Action};
use ctc_ready::engine::progress::Progress;
use ctc_ready::engine::state::State;
use ctc_ready::engine::tempo::Tempo;
use ctc_ready::evidence::{
    Actor, BalanceAnswered, Driver, Event, Failure, FunctionalError, ObjectRef, OfficerAsked,
    Purpose, Received, Recorded, Request, RequestFailed, Response, RunOpened, RunResumed, RunState,
    SoftwareId, Submitted,
};
use ctc_ready::ncts::{MessageType, MovementKind};
use ctc_ready::project::Environment;
use uuid::Uuid;

pub(crate) fn start() -> DateTime<Utc> {
    "2026-11-21T09:30:00Z".parse().unwrap()
}

/// A stored body; no two messages of NCTS are the same.
pub(crate) fn body(text: &str) -> ObjectRef {
    let bytes = text.len() as u64;
    ObjectRef { sha256: Digest::of(text.as_bytes()), bytes, media_type: None, redacted: false }
}

/// How many scenarios there are.
pub(crate) const COUNT: usize = 198;

/// Every scenario of every programme.
pub(crate) fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    static ALL: LazyLock<BTreeMap<String, Scenario>> = LazyLock::new(|| {
        let catalogue = Catalogue::built_in().unwrap();
        let all = catalogue.programmes().iter();
        let all = all.flat_map(|programme| catalogue.scenarios(&programme.id).to_vec());
        all.map(|scenario| (scenario.id.clone(), scenario)).collect()
    });
    ALL.values()
}

pub(crate) fn scenario(id: &str) -> Scenario {
    scenarios().find(|scenario| scenario.id == id).unwrap().clone()
}

/// A journal under way, with its state folded as it grows.
pub(crate) struct Run {
    pub(crate) scenario: Scenario,
    pub(crate) events: Vec<Recorded>,
    pub(crate) state: State,
    pub(crate) now: DateTime<Utc>,
    pub(crate) exchange: u32,
    pub(crate) messages: u32,
    pub(crate) looked: bool,
}

impl Run {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let mut run = Self {
            scenario,
            events: vec![],
            state: State::default(),
            now: start(),
            exchange: 0,
            messages: 0,
            looked: true,
        };
        run.log(Event::RunOpened(RunOpened {
            run: Uuid::nil(),
            programme: "p".into(),
            scenario: run.scenario.id.clone(),
            attempt: 1,
            environment: Environment::TraderTest,
            simulated: false,
            driver: Driver::Direct,
            software: SoftwareId { name: "S".into(), version: "1".into(), build: None },
            tool: "t".into(),
            operator: None,
            base_url: "https://h".into(),
            api_version: "2.1".into(),
            time_scale: 1.0,
            session: Uuid::nil(),
        }));
        run
    }

    pub(crate) fn log(&mut self, event: Event) {
        let seq = self.events.len() as u64;
        let recorded = Recorded { seq, at: self.now, mono_ns: seq, event };
        self.state.apply(&recorded);
        self.events.push(recorded);
    }

    pub(crate) fn next(&self) -> Action {
        let looked = self.looked.then_some(self.now);
        decide::next(&self.scenario, &self.state, Tempo::REAL, self.now, looked)
    }

    pub(crate) fn request(
        &mut self,
        purpose: Purpose,
        step: Option<u32>,
        message: Option<MessageType>,
    ) {
        self.exchange += 1;
        self.log(Event::Request(Request {
            exchange: self.exchange,
            sent_at: None,
            purpose,
            step,
            message,
            lrn: step.map(|_| "LRN1".into()),
            message_identification: None,
            payload_origin: None,
            payload_mutation: None,
            payload_check: None,
            method: "POST".into(),
            url: "https://h".into(),
            headers: vec![],
            body: Some(body("request")),
        }));
    }

    pub(crate) fn respond(&mut self, exchange: u32, status: u16) {
        self.log(Event::Response(Response {
            exchange,
            status,
            headers: vec![],
            body: None,
            server_date: None,
            elapsed_ns: 0,
        }));
    }

    pub(crate) fn fail(&mut self, exchange: u32, may_have_arrived: bool) {
        self.log(Event::RequestFailed(RequestFailed {
            exchange,
            failure: "timeout".into(),
            detail: String::new(),
            may_have_arrived,
        }));
    }

    pub(crate) fn resume(&mut self) {
        let resumed = RunResumed { session: Uuid::nil(), tool: "t".into(), cut_bytes: 0 };
        self.log(Event::RunResumed(resumed));
    }

    pub(crate) fn id(&mut self) -> String {
        self.messages += 1;
        format!("{:016x}", self.messages)
    }

    pub(crate) fn submitted(&mut self, step: u32, message: MessageType) {
        let message_id = self.id();
        self.log(Event::Submitted(Submitted {
            step,
            message,
            lrn: None,
            mrn: None,
            movement: message.movement(),
            movement_id: match message.movement() {
                MovementKind::Departure => "d".repeat(16),
                MovementKind::Arrival => "a".repeat(16),
            },
            message_id,
            exchange: self.exchange,
            received: None,
            box_id: None,
            body: body("sent"),
        }));
    }

    /// Sends what the core wants sent, and has it taken.
    pub(crate) fn send(&mut self) {
        let Action::Send { step, message, .. } = self.next() else {
            panic!("not sending: {:?}", self.next());
        };
        self.request(Purpose::Submit, Some(step), Some(message));
        self.respond(self.exchange, 202);
        self.submitted(step, message);
    }

    /// A message that says nothing in particular.
    pub(crate) fn message(&mut self, message: MessageType) -> Received {
        let message_id = self.id();
        Received {
            message,
            movement: message.movement(),
            movement_id: "d".repeat(16),
            body: body(&message_id),
            message_id,
            exchange: self.exchange,
            received: Some(self.now),
            mrn: Some("26GB000246AL65TIJ5".into()),
            lrn: None,
            errors: vec![],
            release_indicator: None,
        }
    }

    pub(crate) fn receive(&mut self, message: MessageType) {
        let received = self.message(message);
        self.log(Event::Received(received));
    }

    /// A message that says what is expected of it.
    pub(crate) fn as_expected(&mut self, expected: &Expectation) -> Received {
        let mut received = self.message(expected.message);
        received.errors = expected.violations.iter().map(|rule| error(rule)).collect();
        received.release_indicator = expected.release.map(|release| match release {
            Release::Granted => "1".to_owned(),
            Release::Refused => "4".to_owned(),
        });
        received
    }

    /// The next message that the present step expects.
    pub(crate) fn receive_next(&mut self) {
        let scenario = self.scenario.clone();
        let state = self.state.clone();
        let progress = Progress::of(&scenario, &state, Tempo::REAL);
        let received = self.as_expected(progress.missing[0]);
        self.log(Event::Received(received));
    }

    /// A question for a balance gets this answer.
    pub(crate) fn answer_balance(
        &mut self,
        step: u32,
        status: u16,
        balance: Option<f64>,
        code: Option<&str>,
    ) {
        self.request(Purpose::Balance, Some(step), None);
        self.respond(self.exchange, status);
        self.log(Event::BalanceAnswered(BalanceAnswered {
            step,
            exchange: self.exchange,
            status,
            balance,
            currency: balance.map(|_| "GBP".to_owned()),
            code: code.map(str::to_owned),
        }));
    }

    /// The answer that a step's question should get.
    pub(crate) fn answer_as_expected(&mut self, step: u32) {
        let wanted = self.scenario.step[step as usize - 1].answer.clone().unwrap();
        let balance = wanted.balance.map(|balance| balance as f64);
        self.answer_balance(step, wanted.status, balance, wanted.code.as_deref());
    }

    /// Goes on as HMRC's guide says until `until` says stop; what happened.
    pub(crate) fn ideal(&mut self, mut until: impl FnMut(&Run) -> bool) -> Vec<String> {
        let mut trace = Vec::new();
        while !until(self) {
            match self.next() {
                Action::Send { step, message, attempts } => {
                    assert_eq!(attempts, 0);
                    trace.push(format!("send {message} for step {step}"));
                    self.send();
                }
                Action::AskOfficer { step } => {
                    trace.push(format!("ask for step {step}"));
                    self.ask(step);
                }
                Action::AskBalance { step, .. } => {
                    trace.push(format!("ask for the balance of step {step}"));
                    self.answer_as_expected(step);
                }
                Action::Await { waiting_for, look_at } => {
                    let (_, missing) = decide::position(&self.scenario, &self.state);
                    let minutes = (look_at - self.now).num_minutes();
                    let who = match waiting_for.actor {
                        Actor::Officer => "officer",
                        Actor::Timer => "NCTS",
                        other => panic!("{other:?}"),
                    };
                    trace.push(format!("{who} brings {} in {minutes}", missing[0]));
                    self.now = look_at;
                    self.receive_next();
                }
                Action::Finish(closed) => {
                    trace.push(format!("{:?}", closed.state));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        trace
    }

    /// Why it is over, if it is.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match self.next() {
            Action::Finish(closed) | Action::GiveUp(closed) => closed.failure,
            _ => None,
        }
    }

    pub(crate) fn passed(&self) -> bool {
        matches!(self.next(), Action::Finish(closed) if closed.state == RunState::Passed)
    }

    pub(crate) fn ask(&mut self, step: u32) {
        self.log(Event::OfficerAsked(OfficerAsked {
            step,
            to: "o".into(),
            subject: "s".into(),
            body: body("mail"),
            eml: None,
            delivered: false,
        }));
    }

    pub(crate) fn count(&self, message: MessageType) -> usize {
        self.state.received.iter().filter(|(_, received)| received.message == message).count()
    }
}

/// A functional error that names a rule.
pub(crate) fn error(rule: &str) -> FunctionalError {
    FunctionalError {
        pointer: "/CC015C".into(),
        code: "50".into(),
        reason: rule.into(),
        value: None,
    }
}
