//! Arguments of the commands that take evidence from the software under test.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::UnderTest;
use super::value::{lrn, time_scale};
use crate::project::Environment;

/// `record`.
#[derive(Debug, Args)]
#[command(
    after_help = "Your software takes the address it listens at for HMRC's base URL, and changes\n\
    nothing else: its own token goes through and is never stored. Which scenario it\n\
    is at, --scenario says; or its LRNs, where they begin with the scenario's id or\n\
    `[record.lrn]` knows them; or you, later: `ctc-ready evidence assign`.\n\n\
    Ctrl-C ends it; the next `record` goes on with the runs that are open.\n\
    docs/recording.md tells more.\n\n\
    Example:\n  ctc-ready record --listen 127.0.0.1:8787 --scenario DSGB1"
)]
pub struct Record {
    /// Where to listen; port 0: any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    pub listen: SocketAddr,
    /// Listen on an address that other machines reach: what they send, their
    /// tokens too, crosses the network in clear
    #[arg(long)]
    pub listen_anywhere: bool,
    /// The scenario that every declaration begins
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: Option<String>,
    /// The programme of that scenario, where several have it
    #[arg(long, value_name = "ID", requires = "scenario")]
    pub programme: Option<String>,
    /// Where to pass on to [default: the project's]
    #[arg(long, value_name = "ENVIRONMENT")]
    pub environment: Option<Environment>,
    /// Another address of the environment
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// How many times faster the simulator's timers run
    #[arg(long, value_name = "S", value_parser = time_scale, allow_negative_numbers = true)]
    pub time_scale: Option<f64>,
    /// Tell programs what happens: JSON lines added to FILE; `-`: standard output
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// The build that the runs are of
    #[command(flatten)]
    pub under_test: UnderTest,
}

/// `import`.
#[derive(Debug, Args)]
#[command(
    after_help = "A HAR file (HTTP Archive 1.2) as browsers, proxies and Postman write it, with\n\
    bodies. Only what went to HMRC's API is taken. The file proves neither its times\n\
    nor its answers; `[gate] drivers` decides whether such runs count.\n\n\
    Example:\n  ctc-ready import movements.har --scenario DSGB1"
)]
pub struct Import {
    /// The file
    #[arg(value_name = "FILE.har")]
    pub file: PathBuf,
    /// The scenario that it is an attempt at
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: String,
    /// The programme of that scenario, where several have it
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Which of several declarations in the file
    #[arg(long, value_name = "LRN", value_parser = lrn)]
    pub lrn: Option<String>,
    /// Where it was sent [default: the project's]
    #[arg(long, value_name = "ENVIRONMENT")]
    pub environment: Option<Environment>,
    /// How many times faster the simulator's timers ran
    #[arg(long, value_name = "S", value_parser = time_scale, allow_negative_numbers = true)]
    pub time_scale: Option<f64>,
    /// The build that it was
    #[command(flatten)]
    pub under_test: UnderTest,
}

/// `evidence assign`.
#[derive(Debug, Args)]
#[command(
    after_help = "Once said, it stays said; that it was said later, and when, is part of the\n\
    evidence.\n\n\
    Example:\n  ctc-ready evidence assign 0192f3 --scenario DSGB1"
)]
pub struct EvidenceAssign {
    /// The run's id, or its beginning
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The scenario that it is an attempt at
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: String,
    /// The programme of that scenario, where several have it
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
}
