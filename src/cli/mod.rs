//! The command line: one file per command, each of which reads its arguments,
//! makes one library call and prints the result.
//!
//! - [`args`]: what the user types.
//! - [`context`]: clock, folder, settings, catalogue: read once.
//! - [`printer`]: the only place that prints.
//! - [`failure`]: errors as the user sees them, with exit codes.
//! - [`exit`]: the exit codes.
//! - [`progress`]: live progress of a batch.
//!
//! Top floor: it may use everything, nothing may use it but the binary.

pub mod args;
mod checklist;
pub mod context;
mod demo;
pub mod exit;
pub mod failure;
mod gate;
mod init;
mod plan;
pub mod printer;
mod progress;
mod run;
mod scenario;
mod schema;
mod simulate;
mod status;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command, Global};
use context::Context;
use failure::Failure;
use printer::{BAD, BOLD, Printer, paint};

/// Runs the program and tells its exit code.
pub fn main() -> ExitCode {
    // clap prints its own messages and exits: 0 for help, 2 for usage.
    let cli = Cli::parse();
    log_to_stderr(&cli.global);
    let (format, color) = (cli.global.format, cli.global.color);
    match dispatch(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            report(&failure, &mut Printer::new(format, color));
            ExitCode::from(failure.kind.code())
        }
    }
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let mut context = Context::new(cli.global)?;
    let context = &mut context;
    match cli.command {
        Command::Init(args) => init::run(context, &args),
        Command::Plan(args) => plan::run(context, &args),
        Command::Run(args) => run::run(context, &args),
        Command::Status(args) => status::run(context, &args),
        Command::Gate(args) => gate::run(context, &args),
        Command::Checklist(args) => checklist::run(context, &args),
        Command::Verify(args) => verify::run(context, &args),
        Command::Scenario(args) => scenario::run(context, &args),
        Command::Simulate(args) => simulate::run(context, &args),
        Command::Demo(args) => demo::run(context, &args),
        Command::Schema(args) => schema::run(context, &args),
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "ctc-ready", &mut script);
            context.printer.raw(&script);
            Ok(exit::DONE)
        }
    }
}

/// Tells an error: to people on standard error, to programs as one JSON
/// document on standard output too.
fn report(failure: &Failure, printer: &mut Printer) {
    let mut lines = failure.message.lines();
    let first = lines.next().unwrap_or_default();
    printer.note(format!("{}: {first}", paint(BAD, "error")));
    lines.for_each(|line| printer.note(line));
    if !failure.hints.is_empty() {
        printer.note("");
    }
    for hint in &failure.hints {
        printer.note(format!("{}: {hint}", paint(BOLD, "hint")));
    }
    printer.document(&serde_json::json!({"schema_version": 1, "error": failure}));
}

fn log_to_stderr(global: &Global) {
    let level = match global.verbose {
        0 => "warn",
        1 => "ctc_ready=info",
        _ => "ctc_ready=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("CTC_READY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .finish();
    // A second subscriber in one process (a test) is no harm.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The runtime of commands that speak HTTP: one thread is plenty for a few
/// requests a second, and starts fastest.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(failure::Kind::Environment, format!("the runtime cannot start: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
