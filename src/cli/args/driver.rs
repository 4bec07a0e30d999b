//! Arguments about who sends: the software, made to by a command or by itself.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};

use super::UnderTest;
use super::value::{lrn, movement_id, mrn, time_scale};
use crate::hmrc::tokens::Profile;
use crate::project::{Driver, Environment};

/// `--driver` of `run`.
pub(super) fn of_run() -> impl TypedValueParser<Value = Driver> {
    PossibleValuesParser::new([Driver::Direct.as_str(), Driver::Command.as_str()]).map(|name| {
        match name == Driver::Command.as_str() {
            true => Driver::Command,
            false => Driver::Direct,
        }
    })
}

/// `collect`.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("movement").required(true).multiple(true)),
    override_usage = "ctc-ready collect --scenario <SCENARIO> --lrn <LRN> [OPTIONS]\n       \
                      ctc-ready collect --scenario <SCENARIO> --departure <ID> [OPTIONS]",
    after_help = "What your software sent and got is fetched from the API, which keeps it for 60\n\
    days, and judged as if ctc-ready had sent it; nothing is ever sent. Times are\n\
    the API's own. While officers, timers or your software are awaited, the exit\n\
    code is 5, and the same command goes on. Where a scenario has both, a departure\n\
    and an arrival are found by each other's MRN. The token must be of the trader\n\
    that sent them: CTC_READY_TOKEN, or a profile's (`ctc-ready auth login`).\n\n\
    Example:\n  ctc-ready collect --scenario DNGB1 --lrn MYSOFTWARE0001"
)]
pub struct Collect {
    /// The scenario that your software worked through
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: String,
    /// The departure: its id in the API
    #[arg(
        long,
        value_name = "ID",
        value_parser = movement_id,
        group = "movement",
        conflicts_with = "lrn"
    )]
    pub departure: Option<String>,
    /// The departure: the LRN of its declaration
    #[arg(long, value_name = "LRN", value_parser = lrn, group = "movement")]
    pub lrn: Option<String>,
    /// The arrival: its id in the API
    #[arg(
        long,
        value_name = "ID",
        value_parser = movement_id,
        group = "movement",
        conflicts_with = "mrn"
    )]
    pub arrival: Option<String>,
    /// The MRN of both
    #[arg(long, value_name = "MRN", value_parser = mrn, group = "movement")]
    pub mrn: Option<String>,
    /// Another programme than those of the project
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Where it was sent [default: the project's]
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
    /// Collect a movement anew that was collected to its end
    #[arg(long)]
    pub again: bool,
    /// Give up what was collected so far, and collect it anew
    #[arg(long)]
    pub abandon: bool,
    /// The trader who signed in [default: the project's, or `default`]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<Profile>,
    /// The build that sent it
    #[command(flatten)]
    pub under_test: UnderTest,
}
