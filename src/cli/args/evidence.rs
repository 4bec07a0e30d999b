//! Arguments of the commands that look after evidence and its keys.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

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

/// `evidence …`.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// List the runs, every attempt
    List(EvidenceFilter),
    /// Show a run: what was sent and received, when, and why it ended
    Show(EvidenceShow),
    /// Write the evidence in another format
    Export(EvidenceExport),
    /// Say which scenario a recorded run is an attempt at
    Assign(super::EvidenceAssign),
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
