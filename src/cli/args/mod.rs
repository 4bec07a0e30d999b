//! The command line as the user types it: this file has what goes with every
//! command and the list of commands; their arguments are in a file for each
//! group.
//!
//! Only `cli` may call it.

mod auth;
mod catalogue;
mod driver;
mod evidence;
mod form;
mod house;
mod init;
mod judge;
mod record;
mod run;
mod schema;
mod value;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use auth::*;
pub use catalogue::*;
pub use driver::*;
pub use evidence::*;
pub use form::*;
pub use house::*;
pub use init::*;
pub use judge::*;
pub use record::*;
pub use run::*;
pub use schema::*;

/// Prove to HMRC that your customs-transit software is ready.
///
/// ctc-ready works out which of HMRC's test scenarios your software must pass,
/// runs them, keeps evidence that nobody can quietly change, judges whether
/// that evidence is still good on the day you submit, and fills in HMRC's own
/// form.
#[derive(Debug, Parser)]
#[command(
    name = "ctc-ready",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 80,
    after_help = "Start here:\n  ctc-ready demo     the whole story on the built-in simulator, in seconds\n  \
                  ctc-ready init     make a project for your software\n\n\
                  Exit codes: 0 done or ready; 1 judged and found wanting; 2 usage;\n  \
                  3 settings or input file; 4 environment or network;\n  \
                  5 waiting for a person or a timer (run again to go on); 70 a bug"
)]
pub struct Cli {
    /// What goes with every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What goes with every command.
#[derive(Debug, Args)]
pub struct Global {
    /// The project's folder [default: the nearest one upwards with ctc-ready.toml]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub project: Option<PathBuf>,
    /// Judge as of another instant: RFC 3339, or a London date (its end)
    #[arg(long, global = true, value_name = "TIME", help_heading = "Everywhere")]
    pub at: Option<String>,
    /// What standard output carries
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "human",
        help_heading = "Everywhere"
    )]
    pub format: Format,
    /// Whether to use colour
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    pub color: Color,
    /// Say more on standard error; twice: much more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
}

/// What standard output carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    Human,
    /// One JSON document (see `ctc-ready schema`).
    Json,
    /// JUnit XML, for CI servers; `gate` alone.
    #[value(hide = true)]
    Junit,
    /// Markdown, for the summary of a CI job; `gate` alone.
    #[value(hide = true)]
    Markdown,
}

impl Format {
    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
        }
    }
}

/// `--format` of `gate`, which alone shows all of them. Elsewhere two are
/// hidden, and refused once the command is known.
fn every_format() -> impl TypedValueParser<Value = Format> {
    let every = Format::value_variants().iter().filter_map(Format::to_possible_value);
    PossibleValuesParser::new(every.map(|value| value.hide(false)))
        .map(|name| Format::from_str(&name, false).unwrap_or(Format::Human))
}

/// Whether to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that can show it.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a project: write a commented ctc-ready.toml
    Init(Box<Init>),
    /// Show what applies to your software and why, and when to start
    Plan(Plan),
    /// Sign in at HMRC as a trader; show who is signed in; sign out
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Make a test user for HMRC's sandbox
    #[command(subcommand)]
    TestUser(TestUserCommand),
    /// Run the required scenarios, or go on with those under way
    Run(Run),
    /// Make evidence of movements that your software made by itself
    Collect(Collect),
    /// Record your own software as it works: a proxy before HMRC's API
    Record(Record),
    /// Take a HAR file of what your own software did as evidence
    Import(Import),
    /// Note that HMRC's officers replied, with their reply as evidence
    Answered(Answered),
    /// Show where every requirement stands
    Status(Status),
    /// Judge whether you may submit: exit code 0 yes, 1 no
    Gate(Gate),
    /// Tell what a finding means, where HMRC says so, how to mend it
    Explain(Explain),
    /// Fill HMRC's form, or write ctc-ready's own document
    Checklist(Checklist),
    /// Write what HMRC's support asks for about a run that went wrong
    Query(Query),
    /// Check that no evidence was changed: a store, or a bundle
    Verify(Verify),
    /// Sign what is in the evidence store
    Seal(Seal),
    /// Make, show or replace the key that signs
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Make one zip to send: the form, the evidence, the verdict, seals
    Pack(Pack),
    /// Make what you send to HMRC: form, bundle, e-mail or text
    Submission(Submission),
    /// Look into the evidence, export it, remove what does not count
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Check settings, files and messages before a run
    Doctor(Doctor),
    /// Check the data HMRC wants of each trader that you serve
    #[command(subcommand)]
    Traders(TradersCommand),
    /// Build the messages of scenarios, and check messages against HMRC's XSDs
    #[command(subcommand)]
    Message(MessageCommand),
    /// Look into HMRC's test scenarios
    #[command(subcommand)]
    Scenario(ScenarioCommand),
    /// Serve HMRC's API and NCTS on this machine, for rehearsals
    Simulate(Simulate),
    /// Tell the whole story on the simulator: plan, run, judge, fill the form
    Demo(Demo),
    /// Print the JSON Schema of a command's JSON
    Schema(Schema),
    /// Print a completion script for your shell
    Completions(Completions),
}
