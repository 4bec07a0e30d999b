//! `query`: what HMRC's support asks for, from the evidence of one run.

use schemars::JsonSchema;
use serde::Serialize;

use super::args::Query as Args;
use super::context::{Context, Desk, shown};
use super::evidence::{find, open_store};
use super::exit;
use super::failure::{Failure, Kind};
use super::kept;
use super::leaks::Guard;
use super::printer::{BOLD, CARE, paint};
use crate::evidence::RunId;
use crate::files::{self, Access};
use crate::report::RunStory;
use crate::report::query::{Asker, PAPER, query};

/// `query --format json`: what was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Query {
    /// Always 1.
    schema_version: u32,
    /// The run asked about.
    run: RunId,
    /// Its scenario.
    scenario: String,
    /// It was made on a simulator: never to be sent.
    simulated: bool,
    /// The folder written.
    output: String,
    /// The files in it; the first is the text.
    files: Vec<String>,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Args) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let store = open_store(&desk)?;
    let run = find(&store, &args.run)?;
    let story = RunStory::read(&store, run).map_err(|error| {
        Failure::from(error).hint("`ctc-ready verify` tells what was changed, damaged or removed")
    })?;
    let record = &story.record;
    let output = match &args.output {
        Some(path) => context.cwd.join(path),
        None => desk.project.root.join(format!("query-{run}")),
    };
    // Folders that are not there yet would be made.
    let standing = output.ancestors().find(|folder| folder.exists()).unwrap_or(&output);
    kept::outside(&standing.join(PAPER), store.dir())?;
    let place = shown(&output, &context.cwd);
    if output.exists() && !files::list(&output)?.is_empty() {
        return Err(Failure::input(format!("`{place}` is there already and not empty"))
            .hint("name another folder: `--output DIR`"));
    }
    let settings = &desk.project.settings;
    let asker = Asker {
        client_id: settings.client_id().or(settings.sandbox_application.id.as_deref()),
        contact: settings.business.contact_email.as_deref(),
    };
    let scenario = desk.catalogue.scenario(&record.programme, &record.scenario);
    let written =
        query(&story, scenario, asker, &store).map_err(|error| Failure::new(Kind::Bug, error))?;
    let mut guard = Guard::new(store.dir())?;
    for file in &written {
        guard.look(&file.name, &mut file.bytes.as_slice())?;
    }
    guard.decide()?;
    files::create_dir_all_durable(&output, Access::Shared)?;
    for file in &written {
        files::write_atomic(&output.join(&file.name), &file.bytes)?;
    }
    let printer = &mut context.printer;
    printer.line(format!("wrote {}", paint(BOLD, &place)));
    printer.prose(
        2,
        &format!(
            "{PAPER} on {}, attempt {}, and {} messages and answers beside it",
            record.scenario,
            record.attempt,
            written.len().saturating_sub(1)
        ),
    );
    if record.simulated {
        printer.line(paint(CARE, "  REHEARSAL: HMRC knows nothing of a simulated run"));
    }
    printer.document(&Query {
        schema_version: 1,
        run,
        scenario: record.scenario.clone(),
        simulated: record.simulated,
        output: place,
        files: written.into_iter().map(|file| file.name).collect(),
    });
    Ok(exit::DONE)
}
