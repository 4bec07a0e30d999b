//! `import`: evidence from a file of what the software did.

use std::sync::Arc;

use super::args::Import;
use super::context::{Context, Desk, TOOL, secrets};
use super::failure::Failure;
use super::record::{options, recognition, report};
use super::run::check_scale;
use super::seal;
use crate::evidence::{Driver, StoreWriter};
use crate::files;
use crate::hmrc::hosts;
use crate::project::Environment;
use crate::recorder::import::{ImportError, import};
use url::Url;

/// Stands for the address of a simulator until the file tells it.
const ANY_SIMULATOR: &str = "http://127.0.0.1/";

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Import) -> Result<u8, Failure> {
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let environment = args.environment.unwrap_or(desk.project.settings.run.environment);
    check_scale(environment, args.time_scale)?;
    let any = (environment == Environment::Simulator).then_some(ANY_SIMULATOR);
    let base_url = match hosts::base_url(environment, any)? {
        Some(url) => url,
        None => Url::parse(ANY_SIMULATOR).map_err(Failure::input)?,
    };
    let known = recognition(&desk, Some(&args.scenario), args.programme.as_deref())?;
    let options = options(&desk, Driver::Import, (environment, base_url), args.time_scale);
    let file = context.cwd.join(&args.file);
    // A store is not made for the sake of a file that is not there.
    files::open_regular(&file)?;
    let clock = Arc::clone(&context.clock);
    let store = StoreWriter::open(&desk.project.evidence_dir(), Arc::clone(&clock), TOOL)?;
    let redactor = store.redactor();
    secrets().for_each(|(_, secret)| redactor.learn(&secret));
    let imported = import(&file, args.lrn.as_deref(), &store, &known, &clock, &options)?;
    seal::after_batch(context, &store);
    imported.notes.iter().for_each(|note| context.printer.note(note));
    let code = report(context, vec![imported.run]);
    context.printer.line("");
    context.printer.line(format!(
        "{} exchanges taken; what the file says is not proven, and `[gate] drivers` decides \
         whether it counts",
        imported.exchanges
    ));
    Ok(code)
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::File(error) => error.into(),
            ImportError::Record(error) => error.into(),
            ImportError::NoDeclaration { .. } => Self::input(error).hint(
                "export the requests with their bodies; `--environment` says where they went, \
                 `--lrn` which declaration is meant",
            ),
            ImportError::Several { .. } => {
                Self::usage(error).hint("`--lrn LRN` says which is meant")
            }
            ImportError::TooLarge { .. } | ImportError::TooMuch(_) | ImportError::Har { .. } => {
                Self::input(error)
            }
            ImportError::Again { .. } | ImportError::Known { .. } => {
                Self::usage(error).hint("`ctc-ready evidence show RUN` shows it")
            }
        }
    }
}
