//! The command line: one file per command, each of which reads its arguments,
//! makes one library call and prints the result.
//!
//! - [`args`]: what the user types.
//! - [`context`]: clock, folder, settings, catalogue: read once.
//! - [`printer`]: the only place that prints.
//! - [`failure`]: errors as the user sees them, with exit codes.
//! - [`exit`]: the exit codes.
//! - `ask`: asking a person on the terminal.
//! - `bearer`: with which token calls go; `wire`: which way they take.
//! - `mask`: no output shows a secret; `leaks`: nothing that leaves has one.
//! - `progress`: a batch as it goes; `board`: on a terminal; `events`: for
//!   programs; `mails`: e-mails for a person to send; `tally`: the checklist as it
//!   fills up.
//!
//! Top floor: it may use everything, nothing may use it but the binary.

mod answered;
mod application;
pub mod args;
mod ask;
mod auth;
mod bearer;
mod bench;
mod board;
mod checklist;
mod checklist_check;
mod checklist_preview;
mod checklist_questions;
mod collect;
pub mod context;
mod demo;
mod doctor;
mod events;
mod evidence;
mod evidence_prune;
pub mod exit;
mod explain;
pub mod failure;
mod gate;
mod import;
mod init;
mod kept;
mod keys;
mod leaks;
mod mails;
mod mask;
mod message_build;
mod message_validate;
mod pack;
mod plan;
pub mod printer;
mod progress;
mod query;
mod record;
mod run;
mod scenario;
mod schema;
mod seal;
mod sign;
mod simulate;
mod standing;
mod status;
mod submission;
mod tally;
mod test_user;
mod traders;
mod verify;
mod why;
mod wire;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command, Format, Global, MessageCommand};
use context::Context;
use failure::Failure;
use printer::{BAD, BOLD, Printer, paint};

/// Longest line of an error shown, in characters: what a user or a server
/// gave may be of any length.
const LONGEST: usize = 2_000;

/// Runs the program and tells its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(not_understood(&error)),
    };
    let (format, color) = (cli.global.format, cli.global.color);
    let mut printer = Printer::new(format, color);
    log_to_stderr(&cli.global, printer.colours_notes());
    mask::panics();
    match guarded(|| dispatch(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let failure = mask::failure(&failure);
            report(&failure, &mut printer);
            ExitCode::from(failure.kind.code())
        }
    }
}

/// Help, version, or a command line that makes no sense; clap has the words.
fn not_understood(error: &clap::Error) -> u8 {
    let text = error.render().to_string();
    let masked = mask::known_text(&text);
    // A reader that went away (a closed pipe) is no error of ours.
    match masked == text {
        true => drop(error.print()),
        false => Printer::new(args::Format::Human, args::Color::Never).note(masked.trim_end()),
    }
    if !error.use_stderr() {
        return exit::DONE;
    }
    if wants_json(std::env::args_os()) {
        let failure = usage_failure(&text);
        Printer::new(args::Format::Json, args::Color::Never).document(&as_document(&failure));
    }
    exit::USAGE
}

/// Whether JSON was asked for, on a command line that is not understood.
fn wants_json(args: impl IntoIterator<Item = OsString>) -> bool {
    let args: Vec<OsString> = args.into_iter().take_while(|arg| arg != "--").collect();
    args.iter().any(|arg| arg == "--format=json")
        || args.windows(2).any(|pair| matches!(pair, [a, b] if a == "--format" && b == "json"))
}

/// clap's words as an error of ours: its first paragraph, its tips as hints.
fn usage_failure(text: &str) -> Failure {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let message: Vec<&str> =
        text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let failure = Failure::usage(shorten(&message.join(" ")));
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("tip: "))
        .fold(failure, |failure, tip| failure.hint(shorten(tip)))
        .hint("`ctc-ready help` tells what there is")
}

/// Runs a command; a panic becomes an error with the exit code of a bug.
fn guarded(command: impl FnOnce() -> Result<u8, Failure>) -> Result<u8, Failure> {
    // Nothing that the command left half-done is looked at afterwards.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(command)).unwrap_or_else(|_| {
        Err(Failure::new(failure::Kind::Bug, "ctc-ready has a fault, and broke off")
            .hint("please report it with the lines above")
            .hint("evidence written so far is kept; `ctc-ready verify` checks it"))
    })
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let format = cli.global.format;
    if matches!(format, Format::Junit | Format::Markdown)
        && !matches!(cli.command, Command::Gate(_))
    {
        let format = format.as_str();
        return Err(Failure::usage(format!(
            "`--format {format}` goes with `ctc-ready gate` alone"
        ))
        .hint("other commands know `--format human` and `--format json`")
        .hint(format!("`ctc-ready evidence export --to {format}` writes the evidence so")));
    }
    let mut context = Context::new(cli.global)?;
    let context = &mut context;
    let code = match cli.command {
        Command::Init(args) => init::run(context, &args),
        Command::Plan(args) => plan::run(context, &args),
        Command::Auth(command) => auth::run(context, &command),
        Command::TestUser(command) => test_user::run(context, &command),
        Command::Run(args) => run::run(context, &args),
        Command::Collect(args) => collect::run(context, &args),
        Command::Record(args) => record::run(context, &args),
        Command::Import(args) => import::run(context, &args),
        Command::Answered(args) => answered::run(context, &args),
        Command::Status(args) => status::run(context, &args),
        Command::Gate(args) => gate::run(context, &args),
        Command::Explain(args) => explain::run(context, &args),
        Command::Checklist(args) => checklist::run(context, &args),
        Command::Query(args) => query::run(context, &args),
        Command::Verify(args) => verify::run(context, &args),
        Command::Evidence(args) => evidence::run(context, &args),
        Command::Seal(args) => seal::run(context, &args),
        Command::Keys(command) => keys::run(context, &command),
        Command::Pack(args) => pack::run(context, &args),
        Command::Submission(args) => submission::run(context, &args),
        Command::Traders(command) => traders::run(context, &command),
        Command::Doctor(args) => doctor::run(context, &args),
        Command::Message(MessageCommand::Build(args)) => message_build::run(context, &args),
        Command::Message(MessageCommand::Validate(args)) => message_validate::run(context, &args),
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
    }?;
    context.printer.close()?;
    Ok(code)
}

/// Tells an error: to people on standard error, to programs as one JSON
/// document on standard output too.
fn report(failure: &Failure, printer: &mut Printer) {
    let mut lines = failure.message.lines().map(shorten);
    let first = lines.next().unwrap_or_default();
    printer.note(format!("{}: {first}", paint(BAD, "error")));
    lines.for_each(|line| printer.note(line));
    if !failure.hints.is_empty() {
        printer.note("");
    }
    for hint in &failure.hints {
        printer.note(format!("{}: {hint}", paint(BOLD, "hint")));
    }
    printer.document(&as_document(failure));
}

fn as_document(failure: &Failure) -> serde_json::Value {
    serde_json::json!({"schema_version": 1, "error": failure})
}

fn shorten(line: &str) -> String {
    let mut short: String = line.chars().take(LONGEST).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

fn log_to_stderr(global: &Global, colours: bool) {
    let level = match global.verbose {
        0 => "warn",
        1 => "ctc_ready=info",
        _ => "ctc_ready=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("CTC_READY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| mask::Log)
        .with_ansi(colours)
        // Should standard error be gone, nobody is left to tell.
        .log_internal_errors(false)
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

    #[test]
    fn a_panic_is_a_bug_with_its_own_exit_code() {
        let failure = guarded(|| panic!("on purpose")).unwrap_err();
        assert_eq!(failure.kind.code(), exit::BUG);
        assert_eq!(guarded(|| Ok(5)).unwrap(), 5);
    }

    #[test]
    fn json_is_answered_to_those_who_asked_for_it() {
        let asked =
            |line: &str| wants_json(line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asked("ctc-ready --format json bogus"));
        assert!(asked("ctc-ready gate --format=json --nonsense"));
        assert!(!asked("ctc-ready run -- --format json"));
        assert!(!asked("ctc-ready gate --format human json"));
    }
}
