//! Arguments of the checks before a run: `doctor`, `traders`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "It looks at settings, catalogue, test packs, your own files, XSDs, every\n\
    message of the scenarios that apply to you, the evidence and the disk; and it\n\
    asks the environment for one list of movements with each version of the API,\n\
    which shows server, clock, token and subscription and changes nothing.\n\n\
    Exit codes: 0 nothing is in the way; 1 something is."
)]
pub struct Doctor {
    /// Use no network
    #[arg(long)]
    pub offline: bool,
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
