//! `evidence assign`: which scenario a recorded run is an attempt at.

use std::sync::Arc;

use super::{open_store, show};
use crate::cli::args::EvidenceAssign;
use crate::cli::context::{Context, Desk, TOOL, scenario_in, secrets};
use crate::cli::failure::Failure;
use crate::cli::{record, seal};
use crate::evidence::StoreWriter;
use crate::recorder::assign::{AssignError, assign};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &EvidenceAssign) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let run = show::find(&open_store(&desk)?, &args.run)?;
    let own = desk.programmes(args.programme.as_deref())?;
    let recorded = open_store(&desk)?.run(run)?;
    // The programme that the run says comes first, then the project's.
    let said = desk.catalogue.programme(&recorded.programme);
    let first = said.filter(|_| args.programme.is_none()).into_iter();
    let all = desk.catalogue.programmes().iter().filter(|_| args.programme.is_none());
    let of = scenario_in(&desk.catalogue, first.chain(own).chain(all), &args.scenario)?;

    let clock = Arc::clone(&context.clock);
    let store = StoreWriter::open(&desk.project.evidence_dir(), Arc::clone(&clock), TOOL)?;
    let redactor = store.redactor();
    secrets().for_each(|(_, secret)| redactor.learn(&secret));
    let by = desk.project.settings.run.operator.clone();
    let entry = assign(&store, run, of, by, TOOL, clock.as_ref())?;
    seal::after_batch(context, &store);

    let printer = &mut context.printer;
    printer.line(format!(
        "run {run} is attempt {} at {} ({}); that this was said now is part of it",
        entry.attempt, entry.scenario, entry.programme
    ));
    Ok(record::report(context, vec![entry]))
}

impl From<AssignError> for Failure {
    fn from(error: AssignError) -> Self {
        match error {
            AssignError::Evidence(error) => error.into(),
            AssignError::HasOne { .. } => Self::usage(error)
                .hint("a run that was recorded for the wrong scenario counts for that one alone"),
            AssignError::OtherMessages { .. } => {
                Self::usage(error).hint("`ctc-ready evidence show RUN` tells what it sent")
            }
        }
    }
}
