//! Arguments of the commands that run scenarios, and of the simulator.

use std::path::PathBuf;

use clap::Args;

use super::value::time_scale;
use super::{UnderTest, driver};
use crate::hmrc::tokens::Profile;
use crate::project::{Driver, Environment};

/// `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "run is idempotent: what passed stays, what is under way goes on, what is\n\
    missing is started. The bearer token is read from CTC_READY_TOKEN, or is that\n\
    of a profile that signed in (`ctc-ready auth login`), renewed when due: the\n\
    application's secret, in CTC_READY_CLIENT_SECRET, is needed for that, and\n\
    with `[notifications] pull`.\n\n\
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
    /// Who sends: ctc-ready, or your software by `[driver]` [default: the project's]
    #[arg(long, value_name = "DRIVER", value_parser = driver::of_run())]
    pub driver: Option<Driver>,
    /// Another address of the environment
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// The trader who signed in [default: the project's, or `default`]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<Profile>,
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
