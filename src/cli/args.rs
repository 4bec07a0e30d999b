//! The command line as the user types it.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::calendar::london;
use crate::catalogue::{Combination, Flow, Procedure, Side};
use crate::digest::Digest;
use crate::project::Environment;

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
    /// Run the required scenarios, or go on with those under way
    Run(Run),
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

/// `init`.
#[derive(Debug, Args)]
#[command(after_help = "Without the flags it asks for, init asks you on the terminal.\n\n\
    Example:\n  ctc-ready init --programme ncts5-final \\\n    \
    --flows standard-departure,arrival --procedures normal,simplified \\\n    \
    --combination A --side gb --software Cargoflow --software-version 4.2")]
pub struct Init {
    /// Programme(s) you apply under, the main one first
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub programme: Vec<String>,
    /// Flows your software supports
    #[arg(long, value_name = "FLOW", value_delimiter = ',')]
    pub flows: Vec<Flow>,
    /// Procedures your software supports
    #[arg(long, value_name = "PROCEDURE", value_delimiter = ',')]
    pub procedures: Vec<Procedure>,
    /// Column of HMRC's matrix to follow, with both procedures
    #[arg(long, ignore_case = true)]
    pub combination: Option<Combination>,
    /// Side whose scenarios to run where either is enough
    #[arg(long, ignore_case = true)]
    pub side: Option<Side>,
    /// Name of the software under test
    #[arg(long, value_name = "NAME")]
    pub software: Option<String>,
    /// Its version
    #[arg(long, value_name = "VERSION")]
    pub software_version: Option<String>,
    /// Your registered business name
    #[arg(long, value_name = "NAME")]
    pub business_name: Option<String>,
    /// Your business address
    #[arg(long, value_name = "ADDRESS")]
    pub business_address: Option<String>,
    /// Name of your application in HMRC's sandbox
    #[arg(long, value_name = "NAME")]
    pub sandbox_app_name: Option<String>,
    /// Id of your application in HMRC's sandbox
    #[arg(long, value_name = "ID")]
    pub sandbox_app_id: Option<String>,
    /// Name of your production application
    #[arg(long, value_name = "NAME")]
    pub production_app_name: Option<String>,
    /// Id of your production application
    #[arg(long, value_name = "ID")]
    pub production_app_id: Option<String>,
    /// E-mail address HMRC writes to
    #[arg(long, value_name = "EMAIL")]
    pub contact_email: Option<String>,
}

/// Which build of the software is meant.
#[derive(Clone, Debug, Default, Args)]
pub struct UnderTest {
    /// The build under test: a file, or its SHA-256 [default: software.build]
    #[arg(long, value_name = "FILE|sha256:…", value_parser = build)]
    pub build: Option<Build>,
}

/// A build, as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Build {
    /// By its digest.
    Digest(Digest),
    /// By its file.
    File(PathBuf),
}

/// `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Day of submission to plan for (London date)
    #[arg(long, value_name = "DATE", value_parser = london_date)]
    pub submit_on: Option<NaiveDate>,
    /// Another programme than the project's first
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Write starts, officers' hours and dates as a calendar (iCalendar)
    #[arg(long, value_name = "FILE")]
    pub ics: Option<PathBuf>,
}

/// `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "run is idempotent: what passed stays, what is under way goes on, what is\n\
    missing is started. The bearer token is read from CTC_READY_TOKEN, and with\n\
    `[notifications] pull` the application's secret from CTC_READY_CLIENT_SECRET.\n\n\
    While Trader Test is closed nothing is sent; where HMRC's officers must act,\n\
    an e-mail for you to send is shown and written to mail/ in the project."
)]
pub struct Run {
    /// Scenarios to run [default: those required]
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// The recommended scenarios as well
    #[arg(long, conflicts_with_all = ["all", "scenarios"])]
    pub recommended: bool,
    /// Every scenario of the programme
    #[arg(long, conflicts_with = "scenarios")]
    pub all: bool,
    /// Another programme than those of the project
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Where to run [default: the project's]
    #[arg(long, value_name = "ENVIRONMENT")]
    pub environment: Option<Environment>,
    /// Another address of the environment
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// How many times faster the simulator's timers run
    #[arg(long, value_name = "S", value_parser = time_scale, allow_negative_numbers = true)]
    pub time_scale: Option<f64>,
    /// Stay until everything is over, however long it takes
    #[arg(long)]
    pub wait: bool,
    /// New attempts at scenarios that passed
    #[arg(long)]
    pub again: bool,
    /// New attempts at scenarios that failed
    #[arg(long)]
    pub failed: bool,
    /// Give up attempts under way, and start new ones
    #[arg(long)]
    pub abandon: bool,
    /// Requests a second, all runs together [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_requests_per_second: Option<u32>,
    /// Tell programs what happens: JSON lines added to FILE; `-`: standard output
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// The build that the runs are of
    #[command(flatten)]
    pub under_test: UnderTest,
}

/// `answered`.
#[derive(Debug, Args)]
#[command(
    after_help = "Not needed for a run to go on: `run` goes on once the officers' messages\n\
    have come. It keeps their reply as evidence, and no follow-up is drafted.\n\n\
    Example:\n  ctc-ready answered DNGB1 --attach reply.eml --note \"released by phone\""
)]
pub struct Answered {
    /// The run that waits: its id, the beginning of its id, or its scenario
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Their reply, a screenshot: kept as evidence (at most 16 MiB)
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
    /// A few words about it
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Another programme than the project's
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Let simulated evidence count
    #[arg(long)]
    pub rehearsal: bool,
    /// Judge for this build
    #[command(flatten)]
    pub under_test: UnderTest,
}

/// `gate`.
#[derive(Debug, Args)]
#[command(
    after_help = "For CI: `--format junit` for the test report, `--format markdown` for the\n\
    job's summary, and the exit code. docs/exports.md has examples.\n\n\
    `[gate]` in ctc-ready.toml says what counts and how strictly; a `[[waiver]]`\n\
    lets a finding pass, with a reason and an end."
)]
pub struct Gate {
    /// Another programme than the project's first
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Let simulated evidence count, and say REHEARSAL
    #[arg(long)]
    pub rehearsal: bool,
    /// Judge for submission on this London date
    #[arg(long, value_name = "DATE", value_parser = london_date)]
    pub submit_on: Option<NaiveDate>,
    /// Judge for this build
    #[command(flatten)]
    pub under_test: UnderTest,
    /// List the rules, and judge nothing
    #[arg(long, conflicts_with_all = ["programme", "rehearsal", "submit_on", "build"])]
    pub list_rules: bool,
    /// What standard output carries
    // In place of the one that goes with every command: same name, same type.
    #[arg(
        id = "format",
        long,
        value_name = "FORMAT",
        default_value = "human",
        value_parser = every_format(),
        help_heading = "Everywhere"
    )]
    pub format: Format,
}

/// `explain`.
#[derive(Debug, Args)]
#[command(after_help = "`ctc-ready gate --list-rules` lists the rules.\n\n\
    Example:\n  ctc-ready explain evidence-stale")]
pub struct Explain {
    /// The rule, as findings name it
    #[arg(value_name = "RULE")]
    pub rule: String,
}

/// `checklist`.
#[derive(Debug, Args)]
#[command(after_help = "--check exits with 0 where the form agrees, with 1 where it does not.\n\n\
    Example:\n  ctc-ready checklist --check signed.docx")]
pub struct Checklist {
    /// HMRC's .docx form to fill; without it, ctc-ready's own document
    #[arg(long, value_name = "FILE")]
    pub form: Option<PathBuf>,
    /// Where to write [default: checklist.docx in the project]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Another programme than the project's first
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Let simulated evidence count, and mark the document REHEARSAL
    #[arg(long)]
    pub rehearsal: bool,
    /// Write nothing: compare a filled form with evidence and settings
    #[arg(long, value_name = "FILE", conflicts_with_all = ["form", "output"])]
    pub check: Option<PathBuf>,
    /// Judge for this build
    #[command(flatten)]
    pub under_test: UnderTest,
}

/// `query`.
#[derive(Debug, Args)]
#[command(after_help = "Nothing that holds a known secret is written.\n\n\
    Example:\n  ctc-ready query --run 0192a3")]
pub struct Query {
    /// The run's id, or its beginning
    #[arg(long, value_name = "RUN")]
    pub run: String,
    /// The folder to write, new or empty [default: query-RUN in the project]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Store or bundle to check [default: the project's store]
    #[arg(value_name = "STORE_DIR|BUNDLE")]
    pub store: Option<PathBuf>,
    /// The key that must have signed: its fingerprint, or a PEM file with the
    /// public key
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Certificates (PEM) of the authority that time stamps must come from
    #[arg(long, value_name = "FILE")]
    pub tsa_ca: Option<PathBuf>,
}

/// `seal`.
#[derive(Debug, Args)]
#[command(
    after_help = "`run` seals by itself after every batch, where there is a key. A seal says\n\
    which runs there are and what is in each, and names the seal before it; so a\n\
    run that is removed, added or changed later shows. Where nothing is new, no\n\
    seal is made.\n\n\
    A time stamp from elsewhere:\n  \
    openssl ts -query -data evidence/seals/1.dsse.json -sha256 -cert -out 1.tsq\n  \
    (send 1.tsq to the authority, keep its answer as 1.tsr)\n  \
    ctc-ready seal --time-stamp 1.tsr --tsa-ca authority.pem"
)]
pub struct Seal {
    /// Have the seal time-stamped by this authority (RFC 3161)
    #[arg(long, value_name = "URL", conflicts_with = "time_stamp")]
    pub tsa: Option<String>,
    /// Add this answer of a time-stamping authority to the seal it is over
    #[arg(long, value_name = "FILE.tsr")]
    pub time_stamp: Option<PathBuf>,
    /// Certificates (PEM) of the authority that the time stamp must come from
    #[arg(long, value_name = "FILE")]
    pub tsa_ca: Option<PathBuf>,
}

/// `keys …`.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "The key lies in $CTC_READY_KEYS, else $XDG_CONFIG_HOME/ctc-ready/keys, else\n\
    ~/.config/ctc-ready/keys; never in a project."
)]
pub enum KeysCommand {
    /// Make the key that signs
    Init,
    /// Show its fingerprint and public key
    Show,
    /// Replace it by a new one, which the old one vouches for
    Rotate,
}

/// `pack`.
#[derive(Debug, Args)]
pub struct Pack {
    /// Where to write [default: submission-PROGRAMME.zip in the project]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// HMRC's .docx form to fill; without it, ctc-ready's own document
    #[arg(long, value_name = "FILE")]
    pub form: Option<PathBuf>,
    /// Another programme than the project's first
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Judge for submission on this London date
    #[arg(long, value_name = "DATE", value_parser = london_date)]
    pub submit_on: Option<NaiveDate>,
    /// Pack although the gate finds errors, and mark the bundle DRAFT
    #[arg(long)]
    pub draft: bool,
    /// Let simulated evidence count, and mark the bundle REHEARSAL
    #[arg(long, conflicts_with = "draft")]
    pub rehearsal: bool,
    /// Judge for this build
    #[command(flatten)]
    pub under_test: UnderTest,
}

/// `evidence …`.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// List the runs, every attempt
    List(EvidenceFilter),
    /// Show a run: what was sent and received, when, and why it ended
    Show(EvidenceShow),
    /// Write the evidence in another format
    Export(EvidenceExport),
    /// Remove runs that do not count; the index keeps that they were
    Prune(EvidencePrune),
}

/// Which runs.
#[derive(Clone, Debug, Default, Args)]
pub struct EvidenceFilter {
    /// Only runs of this programme
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Only runs of this scenario
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: Option<String>,
}

/// `evidence show`.
#[derive(Debug, Args)]
pub struct EvidenceShow {
    /// The run's id, or its beginning
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Show the bodies too: messages, e-mails, refusals; in JSON all of them
    #[arg(long)]
    pub bodies: bool,
}

/// `evidence export`.
#[derive(Debug, Args)]
#[command(
    after_help = "An export that stands at FILE is replaced, anything else is left as it is.\n\
    Nothing that holds a known secret is written. docs/exports.md tells what each\n\
    format holds.\n\n\
    Example:\n  ctc-ready evidence export --to har --output movements.har"
)]
pub struct EvidenceExport {
    /// The format
    #[arg(long, value_name = "FORMAT")]
    pub to: ExportFormat,
    /// Where to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only some runs
    #[command(flatten)]
    pub filter: EvidenceFilter,
    /// Let simulated evidence count
    #[arg(long)]
    pub rehearsal: bool,
}

/// Formats of `evidence export`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// HTTP Archive 1.2: every exchange, for browser tools.
    Har,
    /// JUnit XML: a test case for each requirement and each scenario.
    Junit,
    /// JSON: what all other formats are made of.
    Json,
    /// A report with a timeline, in one file.
    Html,
    /// Markdown, for a job's summary.
    Markdown,
}

/// `evidence prune`.
#[derive(Debug, Args)]
pub struct EvidencePrune {
    /// Do it; without this, only tell what would be removed
    #[arg(long)]
    pub yes: bool,
    /// Keep runs that ended in the last so many days
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(..=36_500)
    )]
    pub keep_days: u32,
    /// Why, for the index
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `scenario …`.
#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// List the scenarios of a programme
    List {
        /// Another programme than the project's first
        #[arg(long, value_name = "ID", conflicts_with = "all_programmes")]
        programme: Option<String>,
        /// Those of every programme
        #[arg(long)]
        all_programmes: bool,
        /// Only some of them
        #[command(flatten)]
        filter: ScenarioFilter,
    },
    /// Show a scenario's steps: who does what, what comes back, by when
    Show {
        /// Its id, such as DSGB1 or scenario-1-gb
        #[arg(value_name = "SCENARIO")]
        id: String,
        /// Another programme than the project's first
        #[arg(long, value_name = "ID")]
        programme: Option<String>,
    },
    /// Check the catalogue and your additions to it
    #[command(after_help = "Exit codes: 0 sound; 1 it has problems; 3 the folder cannot be read.")]
    Lint {
        /// Folder of additions [default: `[catalogue] path` of the project]
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Which scenarios to list.
#[derive(Debug, Args)]
pub struct ScenarioFilter {
    /// Only those of a flow
    #[arg(long, value_name = "FLOW")]
    pub flow: Option<Flow>,
    /// Only those of a side
    #[arg(long, value_name = "SIDE", ignore_case = true)]
    pub side: Option<Side>,
}

/// `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "It looks at settings, catalogue, test packs, your own files, XSDs, every\n\
    message of the scenarios that apply to you, the evidence and the disk.\n\
    It does not check yet: the token, the subscription to the API, this\n\
    machine's clock against HMRC's, opening hours. It never uses the network.\n\n\
    Exit codes: 0 nothing is in the way; 1 something is."
)]
pub struct Doctor {
    /// Use no network: so far it never does
    #[arg(long)]
    pub offline: bool,
}

/// `message …`.
#[derive(Debug, Subcommand)]
pub enum MessageCommand {
    /// Build the message that a scenario's step sends
    Build(MessageBuild),
    /// Check messages against HMRC's XSDs
    Validate(MessageValidate),
}

/// `message build`.
#[derive(Debug, Args)]
#[command(after_help = "Standard output gets the XML alone. The message comes from where `run`\n\
    takes it: your own files, HMRC's test packs, or what is built in. With\n\
    XSDs it is checked too; exit code 1: not valid, and not on purpose.")]
pub struct MessageBuild {
    /// The scenario, such as DSGB1
    #[arg(value_name = "SCENARIO")]
    pub scenario: String,
    /// The step [default: the one that sends]
    #[arg(long, value_name = "N")]
    pub step: Option<u32>,
    /// Another programme than those of the project
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// LRN of the declaration [default: a made-up one]
    #[arg(long, value_name = "LRN", value_parser = lrn)]
    pub lrn: Option<String>,
    /// MRN of the movement [default: a made-up one]
    #[arg(long, value_name = "MRN", value_parser = mrn)]
    pub mrn: Option<String>,
    /// Write to a file; a message that stands there is kept beside it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Folder of HMRC's XSDs [default: the project's]
    #[arg(long, value_name = "DIR")]
    pub xsd: Option<PathBuf>,
}

/// `message validate`.
#[derive(Debug, Args)]
#[command(after_help = "The folder holds one version's XSDs, or a folder for each version (2.0,\n\
    2.1, 3.0); the message's PhaseID then says which version it is checked by.\n\n\
    Exit codes: 0 all valid; 1 some not; 3 a file or the XSDs cannot be used.")]
pub struct MessageValidate {
    /// Messages to check; `-`: standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Folder of HMRC's XSDs [default: the project's]
    #[arg(long, value_name = "DIR")]
    pub xsd: Option<PathBuf>,
    /// Check by the XSDs of this API version, such as 2.1
    #[arg(long, value_name = "VERSION")]
    pub api: Option<String>,
}

/// `simulate`.
#[derive(Debug, Args)]
#[command(after_help = "Any bearer token is accepted; `invalid-token` gets a 401 and\n\
    `not-subscribed` a 403. Officers read what is posted to /simulator/mailbox.\n\n\
    A file of faults makes it misbehave as HMRC and networks do, the same way\n\
    every time; docs/simulator.md tells how to write one.\n\n\
    Example:\n  ctc-ready simulate --time-scale 60 --state sim --faults faults.toml")]
pub struct Simulate {
    /// Port on 127.0.0.1; 0: any free one
    #[arg(long, default_value_t = 8989)]
    pub port: u16,
    /// How many times faster timers run; 2700: 45 minutes pass in a second
    #[arg(
        long,
        value_name = "S",
        default_value = "1",
        value_parser = time_scale,
        allow_negative_numbers = true
    )]
    pub time_scale: f64,
    /// What goes wrong, and when: a TOML file
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Refuse messages that HMRC's XSDs do: a folder for each version
    #[arg(long, value_name = "DIR")]
    pub xsd: Option<PathBuf>,
    /// Keep the state in a folder, and go on from what is there
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Answer in HMRC's opening hours only, officers in theirs
    #[arg(long)]
    pub opening_hours: bool,
}

/// `demo`.
#[derive(Debug, Args)]
#[command(after_help = "The project is made in ctc-ready-demo/, or in --project DIR.\n\
    A second demo adds attempts; it destroys nothing.")]
pub struct Demo {
    /// How many times faster the simulator's timers run
    #[arg(
        long,
        value_name = "S",
        default_value = "2700",
        value_parser = time_scale,
        allow_negative_numbers = true
    )]
    pub time_scale: f64,
}

/// `traders`.
#[derive(Debug, Subcommand)]
pub enum TradersCommand {
    /// Write a traders.toml to fill in
    Init(TradersInit),
    /// Check every field's format, and list what is missing
    Check(TradersCheck),
}

/// `traders init`.
#[derive(Debug, Args)]
pub struct TradersInit {
    /// Where [default: traders.toml in the project]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `traders check`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 0: nothing is missing or wrong; 1: something is. No value is\n\
    ever shown but the trader's name, and none goes into evidence or a bundle.")]
pub struct TradersCheck {
    /// The file [default: traders.toml in the project]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Whose JSON
    pub name: SchemaName,
}

/// The documents that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    /// `scenario list`.
    ScenarioList,
    /// `scenario lint`.
    ScenarioLint,
    /// `plan`.
    Plan,
    /// `run`, `answered`.
    Run,
    /// A line of `run --events`.
    RunEvents,
    /// `status`.
    Status,
    /// `gate`.
    Gate,
    /// `gate --list-rules`.
    Rules,
    /// `explain`.
    Explain,
    /// `checklist`.
    Checklist,
    /// `checklist --check`.
    ChecklistCheck,
    /// `query`.
    Query,
    /// `verify`.
    Verify,
    /// `evidence list`.
    EvidenceList,
    /// `evidence show`.
    EvidenceShow,
    /// `evidence export --to json`.
    EvidenceExport,
    /// `evidence export --output FILE`: what was written.
    EvidenceWritten,
    /// `seal`.
    Seal,
    /// `keys`.
    Keys,
    /// `pack`.
    Pack,
    /// `evidence prune`.
    EvidencePrune,
    /// `message build`.
    MessageBuild,
    /// `message validate`.
    MessageValidate,
    /// `doctor`.
    Doctor,
    /// `traders check`.
    TradersCheck,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Your shell
    pub shell: clap_complete::Shell,
}

fn london_date(text: &str) -> Result<NaiveDate, String> {
    london::parse_date(text)
        .map_err(|_| "it must be a date from 2000 to 2099, such as 2026-12-04".to_owned())
}

/// A digest where it says so, and a file otherwise.
fn build(text: &str) -> Result<Build, String> {
    let Some(hex) = text.strip_prefix("sha256:") else { return Ok(Build::File(text.into())) };
    hex.parse().map(Build::Digest).map_err(|_| {
        "after `sha256:` it must have 64 lower-case hexadecimal digits (a file of such a name: \
         `./sha256:…`)"
            .to_owned()
    })
}

/// Data type of the LRN: at most 22 characters, none of them a space at either
/// end.
fn lrn(text: &str) -> Result<String, String> {
    let fits = (1..=22).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(char::is_control);
    match fits {
        true => Ok(text.to_owned()),
        false => Err("it must have 1 to 22 characters, no space at either end".to_owned()),
    }
}

/// Data type of the MRN: year, country, 13 letters or digits, a digit.
fn mrn(text: &str) -> Result<String, String> {
    let fits = text.len() == 18
        && text.bytes().enumerate().all(|(place, byte)| match place {
            0 | 1 | 17 => byte.is_ascii_digit(),
            2 | 3 => byte.is_ascii_uppercase(),
            _ => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        });
    match fits {
        true => Ok(text.to_owned()),
        false => Err("it must have 18 characters, such as 26GB00EXAMPLE000J7".to_owned()),
    }
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale.is_finite() && (0.001..=1_000_000.0).contains(&scale) => Ok(scale),
        _ => Err("it must be a number from 0.001 to 1000000".to_owned()),
    }
}
