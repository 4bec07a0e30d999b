//! Arguments of `scenario` and `message`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::value::{lrn, mrn};
use crate::catalogue::{Flow, Side};

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
