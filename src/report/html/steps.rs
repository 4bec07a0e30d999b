//! A scenario's steps beside what a run brought. Called by `super::run` and
//! `super::timeline`.

use serde::Serialize;

use super::times::When;
use crate::catalogue::{BalanceAnswer, Expectation, Release, Scenario, Step};
use crate::evidence::{BalanceRecord, MessageRecord, RunRecord};
use crate::ncts::Direction;

/// For each step, for each message it expects, the place in
/// [`RunRecord::messages`] of the one that came for it.
///
/// For reading, not for judging: messages are taken in the order of the API's
/// own times, each for the first expectation of its type that is still open.
pub(super) fn claims(scenario: &Scenario, record: &RunRecord) -> Vec<Vec<Option<usize>>> {
    let mut came: Vec<(usize, &MessageRecord)> = record
        .messages
        .iter()
        .enumerate()
        .filter(|(_, message)| message.direction == Direction::Received)
        .collect();
    came.sort_by_key(|(_, message)| message.received.unwrap_or(message.at));
    let mut claim = |expectation: &Expectation| {
        let at = came.iter().position(|(_, message)| fits(expectation, message))?;
        Some(came.remove(at).0)
    };
    let each = |step: &Step| step.expect.iter().map(&mut claim).collect();
    scenario.step.iter().map(each).collect()
}

fn fits(expectation: &Expectation, message: &MessageRecord) -> bool {
    let named = |rule: &String| message.errors.iter().any(|error| error.reason == *rule);
    message.message == expectation.message && expectation.violations.iter().all(named)
}

/// A step as the page tells it.
#[derive(Debug, Serialize)]
pub(super) struct StepRow {
    number: usize,
    /// What the software does.
    software: Option<String>,
    /// What the officers are asked to do.
    officer: Option<String>,
    /// How the message departs from its data.
    mutation: Option<String>,
    /// The message that was sent.
    sent: Option<Came>,
    expected: Vec<Expected>,
    /// The answer to a question for a balance that must come, and that came.
    balance: Option<(String, String)>,
}

/// A message that must come.
#[derive(Debug, Serialize)]
struct Expected {
    message: &'static str,
    meaning: &'static str,
    /// What else must hold, in words.
    also: Vec<String>,
    came: Option<Came>,
}

/// A message that was sent or came: where it is told, and when it was.
#[derive(Debug, Serialize)]
struct Came {
    number: usize,
    when: When,
}

impl Came {
    fn of(record: &RunRecord, at: usize) -> Option<Self> {
        let message = record.messages.get(at)?;
        let when = match message.direction {
            Direction::Sent => message.at,
            Direction::Received => message.received.unwrap_or(message.at),
        };
        Some(Self { number: at + 1, when: When::new(when) })
    }
}

/// The steps of a scenario with what came in `record`.
pub(super) fn rows(scenario: &Scenario, record: &RunRecord) -> Vec<StepRow> {
    let claims = claims(scenario, record);
    let steps = scenario.step.iter().zip(claims).enumerate();
    steps.map(|(at, (step, claims))| row(record, at + 1, step, &claims)).collect()
}

fn row(record: &RunRecord, number: usize, step: &Step, claims: &[Option<usize>]) -> StepRow {
    let of_step = |step: Option<u32>| step.map(|step| step as usize) == Some(number);
    let sent = record
        .messages
        .iter()
        .position(|message| message.direction == Direction::Sent && of_step(message.step));
    let software = match (step.send, &step.request) {
        (Some(message), _) => {
            let data = match step.data.as_slice() {
                [] => String::new(),
                data => format!(", data “{}”", data.join("” or “")),
            };
            Some(format!("sends {message}, {}{data}", message.meaning()))
        }
        (None, Some(request)) => Some(format!("asks for the balance of {}", request.grn)),
        (None, None) => None,
    };
    let balance = step.answer.as_ref().map(|answer| {
        let came = record.balances.iter().find(|balance| of_step(Some(balance.step)));
        (wanted(answer), came.map_or_else(|| "no answer recorded".into(), answered))
    });
    StepRow {
        number,
        software,
        officer: step.officer.clone(),
        mutation: step.mutation.as_ref().map(|mutation| mutation.what.clone()),
        sent: sent.and_then(|at| Came::of(record, at)),
        expected: step
            .expect
            .iter()
            .zip(claims)
            .map(|(expectation, claim)| Expected {
                message: expectation.message.as_str(),
                meaning: expectation.message.meaning(),
                also: also(expectation),
                came: claim.and_then(|at| Came::of(record, at)),
            })
            .collect(),
        balance,
    }
}

fn also(expectation: &Expectation) -> Vec<String> {
    let mut also = Vec::new();
    if let Some(minutes) = expectation.after_minutes {
        also.push(format!("by a timer, after {minutes} minutes"));
    }
    if !expectation.violations.is_empty() {
        also.push(format!("naming {}", expectation.violations.join(", ")));
    }
    also.extend(expectation.release.map(|release| {
        match release {
            Release::Granted => "goods released",
            Release::Refused => "goods not released",
        }
        .to_owned()
    }));
    also
}

fn wanted(answer: &BalanceAnswer) -> String {
    let balance = answer.balance.map(|balance| balance.to_string());
    outcome(answer.status, balance, answer.currency.as_deref(), answer.code.as_deref())
}

/// The answer to a question for a balance, in words.
pub(super) fn answered(balance: &BalanceRecord) -> String {
    let amount = balance.balance.map(|balance| balance.to_string());
    outcome(balance.status, amount, balance.currency.as_deref(), balance.code.as_deref())
}

fn outcome(
    status: u16,
    balance: Option<String>,
    currency: Option<&str>,
    code: Option<&str>,
) -> String {
    let mut words = format!("HTTP {status}");
    for part in [balance.as_deref(), currency, code].into_iter().flatten() {
        words = format!("{words} {part}");
    }
    words
}
