//! What `run` is to do about each scenario, given the attempts so far.

use url::Url;

use super::args::Run;
use super::failure::Failure;
use crate::catalogue::{Programme, Scenario};
use crate::evidence::{Driver, Failure as RunFailure, RunClosed, RunRecord, RunState, StoreWriter};
use crate::project::Environment;

/// A scenario selected, with its programme.
pub(super) type Selected = (Programme, Scenario);

/// What is to be done about a selected scenario.
pub(super) enum Standing {
    /// The attempt stands.
    Stays(Box<RunRecord>),
    /// The attempt under way goes on.
    GoesOn(Box<RunRecord>),
    /// The attempt under way is given up, for this reason; a new one starts.
    Replaces(Box<RunRecord>, GivenUp),
    /// An attempt starts.
    Starts,
}

/// Why an attempt under way is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// Its simulator is not the one used now, and has its movements.
    SimulatorGone,
    /// The user says so.
    ByUser,
}

/// Decides about one scenario. `base_url`: none for an embedded simulator.
pub(super) fn standing_of(
    runs: &[RunRecord],
    (programme, scenario): &Selected,
    (environment, driver): (Environment, Driver),
    base_url: Option<&Url>,
    args: &Run,
) -> Standing {
    let latest = runs
        .iter()
        .filter(|run| {
            run.programme == programme.id
                && run.scenario == scenario.id
                && run.environment == environment
                // What the software was recorded at stands, too.
                && (run.driver == driver || run.driver == Driver::Proxy)
        })
        .max_by_key(|run| (run.attempt, run.run));
    let Some(latest) = latest else { return Standing::Starts };
    let record = || Box::new(latest.clone());
    match latest.state {
        // The software goes on with it, not we.
        RunState::Waiting if latest.driver == Driver::Proxy && !args.abandon => {
            Standing::Stays(record())
        }
        RunState::Waiting if args.abandon => Standing::Replaces(record(), GivenUp::ByUser),
        // An embedded simulator is gone with its process, another address is
        // another simulator: what was under way there cannot go on here.
        RunState::Waiting
            if environment == Environment::Simulator
                && base_url.is_none_or(|url| address(url) != latest.base_url) =>
        {
            Standing::Replaces(record(), GivenUp::SimulatorGone)
        }
        RunState::Waiting => Standing::GoesOn(record()),
        RunState::Passed if !args.again => Standing::Stays(record()),
        RunState::Failed if !(args.failed || args.again) => Standing::Stays(record()),
        _ => Standing::Starts,
    }
}

/// An address as runs state it.
pub(super) fn address(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// Ends the attempts that are given up, so that they do not stand open for
/// ever.
pub(super) fn abandon(
    store: &mut StoreWriter,
    plan: &[(Selected, Standing)],
) -> Result<(), Failure> {
    for (_, standing) in plan {
        let Standing::Replaces(old, why) = standing else { continue };
        let (reason, message) = match why {
            GivenUp::SimulatorGone => (
                "simulator-gone",
                format!(
                    "the simulator at {} has its movements and is not the one used now; a new \
                     attempt takes its place",
                    old.base_url
                ),
            ),
            GivenUp::ByUser => {
                ("given-up", "given up with `--abandon`; a new attempt takes its place".to_owned())
            }
        };
        let (writer, _) = store.resume_run(old.run)?;
        let failure = RunFailure { reason: reason.into(), message, ..RunFailure::default() };
        store
            .close_run(writer, RunClosed { state: RunState::Abandoned, failure: Some(failure) })?;
    }
    Ok(())
}
