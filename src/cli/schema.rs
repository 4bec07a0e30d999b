//! `schema`: the JSON Schema of a command's JSON.

use schemars::schema_for;

use super::args::{Schema, SchemaName};
use super::context::Context;
use super::exit;
use super::failure::Failure;
use crate::document::{CheckReport, ChecklistReport};
use crate::engine::report::RunReport;
use crate::report::json::{EvidenceExport, EvidenceList, EvidenceShow};
use crate::verdict::plan::Plan;
use crate::verdict::{Status, Verdict};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Schema) -> Result<u8, Failure> {
    let schema = match args.name {
        SchemaName::ScenarioList => schema_for!(super::scenario::ScenarioList),
        SchemaName::ScenarioLint => schema_for!(super::scenario::ScenarioLint),
        SchemaName::Plan => schema_for!(Plan),
        SchemaName::Run => schema_for!(RunReport),
        SchemaName::RunEvents => schema_for!(super::events::RunEvent),
        SchemaName::Auth => schema_for!(super::auth::AuthReport),
        SchemaName::TestUser => schema_for!(super::test_user::TestUserReport),
        SchemaName::Status => schema_for!(Status),
        SchemaName::Gate => schema_for!(Verdict),
        SchemaName::Query => schema_for!(super::query::Query),
        SchemaName::Rules => schema_for!(super::explain::Rules),
        SchemaName::Explain => schema_for!(super::explain::Explained),
        SchemaName::Checklist => schema_for!(ChecklistReport),
        SchemaName::ChecklistCheck => schema_for!(CheckReport),
        SchemaName::ChecklistQuestions => schema_for!(super::checklist_questions::Questions),
        SchemaName::EvidenceList => schema_for!(EvidenceList),
        SchemaName::EvidenceShow => schema_for!(EvidenceShow),
        SchemaName::EvidenceExport => schema_for!(EvidenceExport),
        SchemaName::EvidenceWritten => schema_for!(super::evidence::Written),
        SchemaName::Seal => schema_for!(super::seal::Sealed),
        SchemaName::Keys => schema_for!(super::keys::Keys),
        SchemaName::Verify => schema_for!(super::verify::Verified),
        SchemaName::Pack => schema_for!(super::pack::PackReport),
        SchemaName::Submission => schema_for!(super::submission::SubmissionReport),
        SchemaName::EvidencePrune => schema_for!(super::evidence_prune::Pruned),
        SchemaName::MessageBuild => schema_for!(super::message_build::Built),
        SchemaName::MessageValidate => schema_for!(super::message_validate::Validated),
        SchemaName::TradersCheck => schema_for!(super::traders::Traders),
        SchemaName::Doctor => schema_for!(super::doctor::Diagnosis),
    };
    context.printer.raw_json(&schema);
    Ok(exit::DONE)
}
