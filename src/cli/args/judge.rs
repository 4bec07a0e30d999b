//! Arguments of the commands that judge: `plan`, `status`, `gate`, `explain`.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args;

use super::value::{build, london_date};
use super::{Format, every_format};
use crate::digest::Digest;

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
