//! `evidence …`: looking into the evidence, and giving it to others.
//!
//! - `list`, `show`: for whoever asks what is there.
//! - `assign`: for whoever recorded without saying what.
//! - `export`: for other people's tools.

mod assign;
mod export;
mod list;
mod show;

use std::path::Path;

use super::args::{EvidenceCommand, EvidenceFilter};
use super::context::{Context, Desk, programme, unknown_scenario};
use super::failure::Failure;
use super::leaks::Guard;
use crate::evidence::{EvidenceError, RunId, Store};

pub(super) use export::Written;
pub(super) use show::find;

/// What marks everything that simulated evidence was let count in.
pub(super) const REHEARSAL: &str = "REHEARSAL, not for submission";

/// Runs the command.
pub(super) fn run(context: &mut Context, command: &EvidenceCommand) -> Result<u8, Failure> {
    match command {
        EvidenceCommand::List(filter) => list::run(context, filter),
        EvidenceCommand::Show(args) => show::run(context, args),
        EvidenceCommand::Export(args) => export::run(context, args),
        EvidenceCommand::Assign(args) => assign::run(context, args),
        EvidenceCommand::Prune(args) => super::evidence_prune::run(context, args),
    }
}

/// The project's evidence.
///
/// # Errors
/// When there is none, or it cannot be read.
pub(super) fn open_store(desk: &Desk) -> Result<Store, Failure> {
    Store::open(&desk.project.evidence_dir()).map_err(|error| match error {
        EvidenceError::NoStore(_) => no_evidence(error),
        _ => error.into(),
    })
}

fn no_evidence(error: EvidenceError) -> Failure {
    Failure::from(error).hint("nothing was run yet: `ctc-ready run` begins")
}

/// Lets bytes leave on standard output, once it is certain that they hold no
/// known secret. `what` names them, should they not.
///
/// # Errors
/// When they hold one.
pub(super) fn leave(
    context: &mut Context,
    store: &Path,
    what: &str,
    bytes: &[u8],
) -> Result<(), Failure> {
    look(store, what, bytes)?;
    context.printer.raw(bytes);
    Ok(())
}

/// Looks for known secrets in what is about to leave.
fn look(store: &Path, what: &str, mut bytes: &[u8]) -> Result<(), Failure> {
    let mut guard = Guard::new(store)?;
    guard.look(what, &mut bytes)?;
    guard.decide()
}

/// The runs whose ids begin so, oldest first.
pub(super) fn beginning_with(store: &Store, wanted: &str) -> Vec<RunId> {
    let wanted = wanted.to_ascii_lowercase();
    let ids = store.indexed().map(|(run, _)| run);
    ids.filter(|run| !wanted.is_empty() && run.to_string().starts_with(&wanted)).collect()
}

/// Which runs are wanted.
struct Wanted {
    programme: Option<String>,
    /// The ids of the scenario in the programmes that have it, and as given.
    scenarios: Option<Vec<String>>,
}

impl Wanted {
    /// Understands the flags.
    ///
    /// # Errors
    /// When nobody has ever heard of the programme or the scenario.
    fn new(desk: &Desk, store: &Store, filter: &EvidenceFilter) -> Result<Self, Failure> {
        let programme = match &filter.programme {
            // Evidence may be of a programme that the catalogue no longer has.
            Some(id) if store.indexed().any(|(_, run)| run.programme == *id) => Some(id.clone()),
            Some(id) => Some(programme(&desk.catalogue, id)?.id.clone()),
            None => None,
        };
        let scenarios = match &filter.scenario {
            None => None,
            Some(given) => {
                let found = desk.catalogue.find_scenario(given).into_iter();
                let mut ids: Vec<String> = found.map(|(_, scenario)| scenario.id.clone()).collect();
                let own = |run: &str| run.eq_ignore_ascii_case(given);
                let tried = store.indexed().map(|(_, run)| run.scenario.as_str());
                ids.extend(tried.filter(|id| own(id)).map(str::to_owned));
                if ids.is_empty() {
                    return Err(unknown_scenario(given));
                }
                Some(ids)
            }
        };
        Ok(Self { programme, scenarios })
    }

    fn takes(&self, programme: &str, scenario: &str) -> bool {
        self.programme.as_deref().is_none_or(|id| id == programme)
            && self.scenarios.as_deref().is_none_or(|ids| ids.iter().any(|id| id == scenario))
    }
}
