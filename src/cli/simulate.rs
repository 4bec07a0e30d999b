//! `simulate`: HMRC's API and NCTS on this machine.

use std::sync::Arc;

use super::args::Simulate;
use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::run::simulator_options;
use super::runtime;
use crate::catalogue::Catalogue;
use crate::hmrc::pacer;
use crate::simulator;

/// Runs the command until it is interrupted.
pub(super) fn run(context: &mut Context, args: &Simulate) -> Result<u8, Failure> {
    let catalogue = Catalogue::built_in()?;
    let options = simulator_options(&catalogue, args.time_scale, pacer::STANDARD_RATE);
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
        printer.line("  officers read mail posted to /simulator/mailbox; Ctrl-C stops");
        let _ = stopped.await;
        running.stop().await?;
        Ok(exit::DONE)
    })
}
