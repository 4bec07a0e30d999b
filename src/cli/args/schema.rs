//! Arguments of `schema` and `completions`.

use clap::{Args, ValueEnum};

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
    /// `auth login`, `auth status`, `auth logout`.
    Auth,
    /// `test-user create`, `test-user show`.
    TestUser,
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
    /// `checklist --questions`.
    ChecklistQuestions,
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
    /// `submission`.
    Submission,
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
