//! Asking for the balance of a guarantee: when it may be asked, and whether the
//! answer is the one that the scenario wants.
//!
//! The API answers a trader once a minute about a guarantee and refuses
//! further questions until then (HTTP 429), whatever became of the first. So a
//! question whose answer was lost may be asked again, for it changes nothing,
//! but:
//!
//! - not before that minute has passed, or the lock that the lost one may have
//!   taken would answer in its place;
//! - at once, where the scenario wants that very refusal (`within_seconds`):
//!   the lock of the step before is still there, and passes by waiting. Once it
//!   has passed, the refusal cannot be had any more, and the run fails.
//!
//! Two scenarios may ask about one guarantee: in a batch they take turns, and a
//! refusal that no scenario wants is no answer, but a reason to wait.

use chrono::{DateTime, Duration, Utc};

use super::decide::{Action, failed};
use super::state::State;
use super::tempo::Tempo;
use crate::catalogue::{BalanceAnswer, BalanceRequest, Scenario, Step};
use crate::evidence::{Actor, BalanceAnswered, Failure, WaitingFor};
use crate::hmrc::guarantees::LOCK_SECONDS;

/// How long to leave a guarantee alone: the lock, and a second for the way.
pub(super) fn lock(tempo: Tempo) -> Duration {
    tempo.real(Duration::seconds(i64::from(LOCK_SECONDS) + 1))
}

/// What a step that asks for a balance needs next.
pub(super) fn next(
    number: u32,
    request: &BalanceRequest,
    state: &State,
    tempo: Tempo,
    now: DateTime<Utc>,
) -> Action {
    let attempts = state.refusals;
    if let Some(seconds) = request.within_seconds {
        let before = state.balances.get(&number.saturating_sub(1)).map(|(left, _)| *left);
        let until = before.map(|left| left + tempo.real(Duration::seconds(i64::from(seconds))));
        return match until.filter(|until| now >= *until) {
            Some(until) => Action::Finish(failed(
                "deadline-missed",
                number,
                format!(
                    "the question for guarantee `{}` had to leave by {} UTC, within {seconds} \
                     seconds of the one before. Start a new attempt",
                    request.grn,
                    until.format("%Y-%m-%d %H:%M:%S"),
                ),
            )),
            None => Action::AskBalance { step: number, attempts },
        };
    }
    // The clock may have been set back since.
    let free = state.balance_locked.map(|at| at.min(now) + lock(tempo));
    match free.filter(|free| now < *free) {
        Some(free) => Action::Await {
            waiting_for: WaitingFor {
                actor: Actor::Timer,
                what: format!(
                    "guarantee `{}`: HMRC answers one question a minute about it",
                    request.grn
                ),
                deadline: Some(free),
            },
            look_at: free,
        },
        None => Action::AskBalance { step: number, attempts },
    }
}

/// The first answer that is not the one a step wants.
pub(super) fn failure(scenario: &Scenario, state: &State) -> Option<Failure> {
    state.balances.iter().find_map(|(number, (_, got))| {
        let step = scenario.step.get((*number as usize).checked_sub(1)?)?;
        let (request, wanted) = (step.request.as_ref()?, step.answer.as_ref()?);
        if is_wanted(wanted, got) {
            return None;
        }
        Some(Failure {
            reason: "unexpected-answer".into(),
            step: *number,
            message: format!(
                "asked for the balance of guarantee `{}`, the API should have answered {}; it \
                 answered {}. Look whether the guarantee and its access code are those of the \
                 test data, and whether the token belongs to this environment",
                request.grn,
                in_words(
                    wanted.status,
                    wanted.balance.map(|balance| balance as f64),
                    wanted.currency.as_deref(),
                    wanted.code.as_deref()
                ),
                in_words(got.status, got.balance, got.currency.as_deref(), got.code.as_deref()),
            ),
            ..Failure::default()
        })
    })
}

/// Whether HTTP status `status` answers a step's question for good: a request
/// limit, a server in trouble or a token that is not good does not.
pub(super) fn is_answer(step: &Step, status: u16) -> bool {
    match status {
        429 => step.answer.as_ref().is_some_and(|wanted| wanted.status == 429),
        401 | 403 | 407 | 408 | 425 => false,
        _ => (200..300).contains(&status) || (400..500).contains(&status),
    }
}

fn is_wanted(wanted: &BalanceAnswer, got: &BalanceAnswered) -> bool {
    // A balance is exact to the penny, and a float to far less.
    let same = |one: f64, other: f64| (one - other).abs() < 0.001;
    let balance = match (wanted.balance, got.balance) {
        (Some(wanted), Some(got)) => same(wanted as f64, got),
        (None, _) => true,
        (Some(_), None) => false,
    };
    let code = |wanted: &str| match got.code.as_deref() {
        // HMRC's guide has the one, its published source the other.
        Some(got) if got == wanted => true,
        Some("MESSAGE_THROTTLED_OUT") => wanted == "TOO_MANY_REQUESTS",
        _ => false,
    };
    wanted.status == got.status
        && balance
        && wanted.currency.as_deref().is_none_or(|wanted| got.currency.as_deref() == Some(wanted))
        && wanted.code.as_deref().is_none_or(code)
}

fn in_words(
    status: u16,
    balance: Option<f64>,
    currency: Option<&str>,
    code: Option<&str>,
) -> String {
    let mut text = format!("HTTP {status}");
    if let Some(balance) = balance {
        text.push_str(&format!(" with balance {balance} {}", currency.unwrap_or("(no currency)")));
    }
    if let Some(code) = code {
        text.push_str(&format!(" `{code}`"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_all_that_is_wanted_of_it() {
        let wanted = |status, balance, code: Option<&str>| BalanceAnswer {
            status,
            balance,
            currency: balance.map(|_| "GBP".to_owned()),
            code: code.map(str::to_owned),
        };
        let got = |status, balance, currency: Option<&str>, code: Option<&str>| BalanceAnswered {
            step: 1,
            exchange: 1,
            status,
            balance,
            currency: currency.map(str::to_owned),
            code: code.map(str::to_owned),
        };
        let balance = wanted(200, Some(262_626), None);
        let gbp = Some("GBP");
        assert!(is_wanted(&balance, &got(200, Some(262_626.0), gbp, None)));
        assert!(!is_wanted(&balance, &got(200, Some(262_626.01), gbp, None)));
        assert!(!is_wanted(&balance, &got(200, Some(262_626.0), Some("EUR"), None)));
        assert!(!is_wanted(&balance, &got(200, None, gbp, None)));
        assert!(!is_wanted(&balance, &got(404, None, None, Some("NOT_FOUND"))));
        let locked = wanted(429, None, Some("TOO_MANY_REQUESTS"));
        for code in ["TOO_MANY_REQUESTS", "MESSAGE_THROTTLED_OUT"] {
            assert!(is_wanted(&locked, &got(429, None, None, Some(code))), "{code}");
        }
        assert!(!is_wanted(&locked, &got(429, None, None, None)));
        assert!(!is_wanted(
            &wanted(404, None, Some("NOT_FOUND")),
            &got(404, None, None, Some("X"))
        ));
    }

    #[test]
    fn only_what_says_something_of_the_guarantee_is_an_answer() {
        let wants = |status| Step {
            answer: Some(BalanceAnswer { status, balance: None, currency: None, code: None }),
            ..Step::default()
        };
        for (status, expected) in
            [(200, true), (404, true), (400, true), (403, false), (503, false)]
        {
            assert_eq!(is_answer(&wants(200), status), expected, "{status}");
        }
        assert!(!is_answer(&wants(200), 429));
        assert!(is_answer(&wants(429), 429));
    }
}
