//! Arguments of the commands that write for HMRC: `checklist`, `query`, `pack`,
//! `submission`.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, ValueEnum};

use super::UnderTest;
use super::value::london_date;

/// `checklist`.
#[derive(Debug, Args)]
#[command(after_help = "--check exits with 0 where the form agrees, with 1 where it does not;\n\
    --sign-as with 1 while the gate finds errors. --questions --format json\n\
    lists the open questions and asks nothing.\n\n\
    Examples:\n  ctc-ready checklist --questions\n  \
    ctc-ready checklist --form HMRC-form.docx --sign-as \"A. Director\"\n  \
    ctc-ready checklist --check signed.docx")]
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
    /// Write the form's annex beside it: the evidence, in full
    #[arg(long, requires = "form")]
    pub annex: bool,
    /// Write nothing: show what would be written, and where it comes from
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["output", "annex", "check"])]
    pub preview: Option<PreviewFormat>,
    /// Write nothing: compare a filled form with evidence and settings
    #[arg(long, value_name = "FILE", conflicts_with_all = ["form", "output"])]
    pub check: Option<PathBuf>,
    /// Ask for what only you know, and write the answers to ctc-ready.toml
    #[arg(long, conflicts_with_all = ["output", "rehearsal", "check", "sign_as", "annex", "preview"])]
    pub questions: bool,
    /// Sign the form in this name, after asking you on the terminal
    #[arg(long, value_name = "NAME", requires = "form", conflicts_with_all = ["rehearsal", "check", "preview"])]
    pub sign_as: Option<String>,
    /// Judge for this build
    #[command(flatten)]
    pub under_test: UnderTest,
}

/// What a preview is written as.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PreviewFormat {
    /// A page for a browser.
    Html,
    /// Text for a terminal, a pull request or an issue.
    Markdown,
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

/// `submission`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1: the gate finds errors, or the form does not agree with the\n\
    evidence; nothing is written then. A form that is signed already stays signed.\n\n\
    Example:\n  ctc-ready submission --form HMRC-form.docx")]
pub struct Submission {
    /// HMRC's .docx form: empty, or filled and signed
    #[arg(long, value_name = "FILE")]
    pub form: PathBuf,
    /// The folder to write, new or empty [default: submission-PROGRAMME in the project]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Another programme than the form's
    #[arg(long, value_name = "ID")]
    pub programme: Option<String>,
    /// Judge for submission on this London date
    #[arg(long, value_name = "DATE", value_parser = london_date)]
    pub submit_on: Option<NaiveDate>,
    /// Write although the gate finds errors, and mark all of it DRAFT
    #[arg(long)]
    pub draft: bool,
    /// Let simulated evidence count, and mark all of it REHEARSAL
    #[arg(long, conflicts_with = "draft")]
    pub rehearsal: bool,
    /// Judge for this build
    #[command(flatten)]
    pub under_test: UnderTest,
}
