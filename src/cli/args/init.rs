//! Arguments of `init`.

use clap::Args;

use crate::catalogue::{Combination, Flow, Procedure, Side};

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
