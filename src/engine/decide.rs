//! The pure core: what a run needs next.

use chrono::{DateTime, Utc};

use super::state::{Fate, State};
use super::tempo::Tempo;
use super::wait::await_expected;
use crate::catalogue::{Expectation, Scenario, Step};
use crate::evidence::{Actor, Event, Failure, Received, Recorded, RunClosed, RunState, WaitingFor};
use crate::ncts::MessageType;

/// Attempts at one POST before the run waits for the user.
pub const MAX_SENDS: u32 = crate::hmrc::backoff::MAX_ATTEMPTS;

/// What a run needs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send this step's message.
    Send {
        /// The step, from 1.
        step: u32,
        /// Its message.
        message: MessageType,
        /// Failed attempts at it so far.
        attempts: u32,
    },
    /// Learn whether the API has a message whose POST got no answer.
    LookUp {
        /// The step, from 1.
        step: u32,
        /// Its message.
        message: MessageType,
    },
    /// Ask the officers.
    AskOfficer {
        /// The step, from 1.
        step: u32,
    },
    /// Wait, and look for news at this instant.
    Await {
        /// Who acts.
        waiting_for: WaitingFor,
        /// When to look.
        look_at: DateTime<Utc>,
    },
    /// The run is over.
    Finish(RunClosed),
    /// It was over already.
    Over,
}

/// What a run needs next at `now`. `looked`: until when the API is known to
/// have nothing new for it; none while this process has not looked. Nobody
/// calls a message overdue without having looked for it since it was due.
pub fn next(
    scenario: &Scenario,
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
    looked: Option<DateTime<Utc>>,
) -> Action {
    if state.closed.is_some() {
        return Action::Over;
    }
    let progress = Progress::of(scenario, state);
    if let Some(refusal) = progress.refusal {
        return Action::Finish(rejected(progress.step, refusal));
    }
    let Some(step) = progress.current(scenario) else {
        return Action::Finish(RunClosed { state: RunState::Passed, failure: None });
    };
    let number = progress.step;

    if let Some(pending) = &state.pending {
        let message = pending.request.message.unwrap_or(MessageType::Ie015);
        let number = pending.request.step.unwrap_or(number);
        match pending.fate {
            Fate::Unknown | Fate::Conflict => return Action::LookUp { step: number, message },
            Fate::Refused(status) => {
                return Action::Finish(failed(
                    "refused-by-api",
                    number,
                    format!("the API refused the {message} with HTTP {status}"),
                ));
            }
            Fate::NotTaken => {}
        }
    }
    if let Some(message) = step.send
        && !state.sent.contains_key(&number)
    {
        return send(step, number, message, state, tempo, now);
    }
    if step.officer.is_some() && !state.asked.contains_key(&number) {
        return Action::AskOfficer { step: number };
    }
    await_expected(step, &progress, state, tempo, now, looked)
}

/// Whom an open run waits for, from its journal: nobody who may act without
/// us, if it is for us to go on.
pub fn waiting_for(
    scenario: &Scenario,
    events: &[Recorded],
    now: DateTime<Utc>,
) -> Option<WaitingFor> {
    let state = State::fold(events);
    let scale = events.iter().find_map(|recorded| match &recorded.event {
        Event::RunOpened(opened) => Some(opened.time_scale),
        _ => None,
    });
    let tempo = Tempo::faster_by(scale.unwrap_or(1.0));
    match next(scenario, &state, tempo, now, Some(now)) {
        Action::Await { waiting_for, .. } => Some(waiting_for),
        Action::Over => None,
        Action::Send { .. }
        | Action::LookUp { .. }
        | Action::AskOfficer { .. }
        | Action::Finish(_) => Some(WaitingFor {
            actor: Actor::You,
            what: "go on with `ctc-ready run`".to_owned(),
            deadline: None,
        }),
    }
}

/// Which step a run is at (from 1; one more than the last when all is done),
/// and the messages that step still expects.
pub fn position(scenario: &Scenario, state: &State) -> (u32, Vec<MessageType>) {
    let progress = Progress::of(scenario, state);
    (progress.step, progress.missing.iter().map(|expected| expected.message).collect())
}

fn send(
    step: &Step,
    number: u32,
    message: MessageType,
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
) -> Action {
    let deadline = step
        .deadline_minutes_after_ie015
        .and_then(|minutes| Some(state.declared_at()? + tempo.minutes(minutes)));
    if let Some(deadline) = deadline
        && now >= deadline
    {
        return Action::Finish(failed(
            "deadline-missed",
            number,
            format!(
                "the {message} was due by {} UTC, {} minutes after the IE015; NCTS no longer \
                 takes it. Start a new attempt",
                deadline.format("%Y-%m-%d %H:%M:%S"),
                step.deadline_minutes_after_ie015.unwrap_or_default(),
            ),
        ));
    }
    Action::Send { step: number, message, attempts: state.refusals }
}

pub(super) fn failed(reason: &str, step: u32, message: String) -> RunClosed {
    RunClosed {
        state: RunState::Failed,
        failure: Some(Failure { reason: reason.to_owned(), step, message, errors: Vec::new() }),
    }
}

/// A refusal told in the officer's terms and the developer's.
fn rejected(step: u32, refusal: &Received) -> RunClosed {
    let mut message = format!("NCTS answered {}: {}", refusal.message, refusal.message.meaning());
    for error in refusal.errors.iter().take(5) {
        message.push_str(&format!(
            "; code {} ({}) at {}",
            error.code,
            meaning_of_code(&error.code),
            error.pointer
        ));
        if !error.reason.is_empty() {
            message.push_str(&format!(", rule {}", error.reason));
        }
        if let Some(value) = &error.value {
            message.push_str(&format!(", value read `{value}`"));
        }
    }
    RunClosed {
        state: RunState::Failed,
        failure: Some(Failure {
            reason: "rejected".into(),
            step,
            message,
            errors: refusal.errors.clone(),
        }),
    }
}

/// What a functional error's code says (technical interface specification,
/// functional errors).
pub fn meaning_of_code(code: &str) -> &'static str {
    match code {
        "12" => "value not in the code list",
        "13" => "required, but missing",
        "14" => "rule broken",
        "15" => "not allowed here",
        "26" => "message identification used before",
        "50" => "transition rule broken",
        "51" | "52" => "cannot be converted in the transition",
        "90" => "MRN unknown",
        "92" => "message out of sequence",
        "93" => "MRN invalid",
        _ => "error",
    }
}

/// How far the messages received fulfil the steps.
pub(super) struct Progress<'a> {
    /// The first step not done, from 1; one more than the last when all are.
    pub(super) step: u32,
    /// What that step still expects.
    pub(super) missing: Vec<&'a Expectation>,
    /// When anything last happened in that step.
    pub(super) since: Option<DateTime<Utc>>,
    /// A refusal that no step asked for.
    refusal: Option<&'a Received>,
}

impl<'a> Progress<'a> {
    fn of(scenario: &'a Scenario, state: &'a State) -> Self {
        let mut open: Vec<Vec<&Expectation>> =
            scenario.step.iter().map(|step| step.expect.iter().collect()).collect();
        let mut touched: Vec<Option<DateTime<Utc>>> = vec![None; scenario.step.len()];
        let mut refusal = None;
        let acted = |index: usize, step: &Step| {
            let number = index as u32 + 1;
            (step.send.is_none() || state.sent.contains_key(&number))
                && (step.officer.is_none() || state.asked.contains_key(&number))
        };
        for (at, received) in &state.received {
            let current = first_open(scenario, &open, &acted);
            let claimed = open.iter_mut().enumerate().find_map(|(index, missing)| {
                // A refusal asked for by a later step does not excuse one now,
                // nor by a step whose message has not left.
                let may_refuse = index <= current
                    && scenario.step.get(index).is_some_and(|step| acted(index, step));
                if received.message.is_refusal() && !may_refuse {
                    return None;
                }
                let place =
                    missing.iter().position(|expected| expected.message == received.message)?;
                missing.remove(place);
                Some(index)
            });
            match claimed {
                Some(index) => touched[index] = Some(*at),
                None if received.message.is_refusal() => refusal = refusal.or(Some(received)),
                // Information nobody asked for ends nothing.
                None => {}
            }
        }
        let current = first_open(scenario, &open, &acted);
        let number = current as u32 + 1;
        let acted_at =
            [state.sent.get(&number).map(|(at, _)| *at), state.asked.get(&number).copied()];
        let since =
            acted_at.into_iter().chain([touched.get(current).copied().flatten()]).flatten().max();
        Self {
            step: number,
            missing: open.into_iter().nth(current).unwrap_or_default(),
            since,
            refusal,
        }
    }

    fn current(&self, scenario: &'a Scenario) -> Option<&'a Step> {
        scenario.step.get(self.step as usize - 1)
    }
}

/// The first step that has not been acted on or still expects something. A
/// step of officers alone is done once its messages came, asked or not.
fn first_open(
    scenario: &Scenario,
    open: &[Vec<&Expectation>],
    acted: &dyn Fn(usize, &Step) -> bool,
) -> usize {
    scenario
        .step
        .iter()
        .enumerate()
        .position(|(index, step)| {
            let fulfilled = open.get(index).is_none_or(Vec::is_empty);
            let unasked_is_fine = step.send.is_none() && !step.expect.is_empty();
            !fulfilled || !(acted(index, step) || unasked_is_fine)
        })
        .unwrap_or(scenario.step.len())
}
