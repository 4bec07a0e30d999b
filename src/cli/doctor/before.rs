//! What HMRC wants done before a house starts: what the evidence shows, what the
//! settings say.

use std::collections::BTreeSet;

use super::{State, Step};
use crate::calendar::london;
use crate::cli::context::{Context, Desk};
use crate::cli::failure::Failure;
use crate::evidence::{Depth, RunRecord};
use crate::ncts::Direction;
use crate::project::before::{self, Shown};

/// Goes through HMRC's list: what the evidence shows, what the settings say.
pub(super) fn before_you_start(desk: &Desk, context: &Context) -> Result<Vec<Step>, Failure> {
    // What cannot be read shows nothing; the check of the evidence says so.
    let runs = match desk.evidence_to(Depth::Lines, context.clock.now()) {
        Ok(evidence) => evidence.runs,
        Err(_) => Vec::new(),
    };
    let programmes = desk.programmes(None)?;
    let versions: BTreeSet<&str> =
        programmes.iter().map(|programme| programme.api.version.as_str()).collect();
    let today = london::day_of(context.clock.now());
    let said = &desk.project.settings.before_you_start.days;
    Ok(before::steps()
        .iter()
        .map(|step| {
            let shown = step.shown.and_then(|shown| shown_by(&runs, shown, &versions));
            let (state, message) = match (shown, said.get(&step.id)) {
                (Some(run), _) => (
                    State::Ok,
                    format!(
                        "shown by `{}` of {}",
                        run.scenario,
                        london::day_of(run.opened)
                    ),
                ),
                (None, Some(day)) if *day > today => (
                    State::Error,
                    format!("the settings say {day}, which is yet to come: correct `{}` under `[before-you-start]`", step.id),
                ),
                (None, Some(day)) => (State::Ok, format!("{day}, as the settings say")),
                (None, None) => (State::Warning, step.hint.clone()),
            };
            Step { step: &step.id, state, what: &step.what, message, source: &step.source }
        })
        .collect())
}

/// The run that shows that HMRC took something, in every version asked for
/// where that matters.
fn shown_by<'a>(
    runs: &'a [RunRecord],
    shown: Shown,
    versions: &BTreeSet<&str>,
) -> Option<&'a RunRecord> {
    let taken = |run: &&RunRecord| {
        let sent = run.messages.iter().any(|message| {
            message.direction == Direction::Sent && (200..300).contains(&message.status)
        });
        let answered = run.balances.iter().any(|balance| balance.status == 200);
        !run.is_simulated() && (sent || answered)
    };
    let by = |version: &&str| runs.iter().filter(taken).find(|run| run.api_version == **version);
    match shown {
        Shown::Exchange => runs.iter().find(taken),
        Shown::Version if versions.iter().all(|version| by(version).is_some()) => {
            versions.first().and_then(by)
        }
        Shown::Version => None,
    }
}
