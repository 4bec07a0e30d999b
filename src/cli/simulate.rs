//! `simulate`: HMRC's API and NCTS on this machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::args::Simulate;
use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::run::simulator_options;
use super::runtime;
use crate::catalogue::Catalogue;
use crate::files;
use crate::hmrc::pacer;
use crate::ncts::xsd::Schemas;
use crate::project::xsd::{self, XsdFolder};
use crate::simulator::{self, ApiVersion, FAULTS_MAX, Faults, OpeningHours};

/// Runs the command until it is interrupted.
pub(super) fn run(context: &mut Context, args: &Simulate) -> Result<u8, Failure> {
    let catalogue = Catalogue::built_in()?;
    let mut options = simulator_options(&catalogue, args.time_scale, pacer::STANDARD_RATE);
    options.opening_hours = args.opening_hours.then(|| OpeningHours::published(&catalogue));
    if let Some(folder) = &args.xsd {
        options.schemas = schemas(context, &catalogue, folder)?;
    }
    options.state = args.state.as_ref().map(|folder| context.cwd.join(folder));
    options.faults = args.faults.as_deref().map(|file| faults(context, file)).transpose()?;
    let clock = Arc::clone(&context.clock);
    runtime()?.block_on(async {
        let running = simulator::start(options, clock, ([127, 0, 0, 1], args.port).into()).await?;
        // Listened for before anyone is told that we are there.
        let stopped = tokio::spawn(tokio::signal::ctrl_c());
        tokio::task::yield_now().await;
        let ready = serde_json::json!({
            "schema_version": 1,
            "base_url": running.base_url,
            "time_scale": args.time_scale,
        });
        context.printer.document(&ready);
        let printer = &mut context.printer;
        printer.line(format!("simulator listening on {}", running.base_url));
        printer.line(format!("  timers run {} times faster than HMRC's", args.time_scale));
        printer.line(format!(
            "  try: ctc-ready run --environment simulator --time-scale {} \\",
            args.time_scale
        ));
        printer.line(format!("         --base-url {}", running.base_url));
        if let Some(folder) = &args.xsd {
            printer.line(format!("  messages must be valid by the XSDs in {}", folder.display()));
        }
        if let Some(folder) = &args.state {
            printer.line(format!("  its state is kept in {}", folder.display()));
        }
        if let Some(file) = &args.faults {
            printer.line(format!(
                "  what {} says goes wrong; /simulator/log lists what struck",
                file.display()
            ));
        }
        if args.opening_hours {
            printer.line("  it answers in HMRC's opening hours only, and officers in theirs");
        }
        printer.line("  officers read mail posted to /simulator/mailbox; Ctrl-C stops");
        let _ = stopped.await;
        running.stop().await?;
        Ok(exit::DONE)
    })
}

/// Reads a file of faults.
fn faults(context: &Context, file: &Path) -> Result<Faults, Failure> {
    let bytes = files::read_bounded(&context.cwd.join(file), FAULTS_MAX)?;
    let shown = file.display().to_string();
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::input(format!("`{shown}` is not UTF-8 text")))?;
    Faults::parse(&shown, &text)
        .map_err(|error| Failure::input(error).hint("see docs/simulator.md, section Faults"))
}

/// Reads HMRC's XSDs: a folder for each version, or one that is named for its
/// version.
fn schemas(
    context: &Context,
    catalogue: &Catalogue,
    folder: &Path,
) -> Result<BTreeMap<ApiVersion, Arc<Schemas>>, Failure> {
    let found = XsdFolder::open(&context.cwd.join(folder), &xsd::versions(catalogue))?;
    let mut schemas = BTreeMap::new();
    for name in found.versions() {
        if let Some(version) = ApiVersion::named(name) {
            schemas.insert(version, Arc::new(found.load(Some(name))?.schemas));
        }
    }
    if schemas.is_empty() {
        let text = format!("`{}` does not say which version its XSDs are of", folder.display());
        return Err(Failure::input(text)
            .hint("name a folder that holds a folder for each version: `2.0`, `2.1`, `3.0`"));
    }
    Ok(schemas)
}
