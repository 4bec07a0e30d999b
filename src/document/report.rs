//! The JSON of `checklist` (`schema_version` 1).

use schemars::JsonSchema;
use serde::Serialize;

use super::fill::{Filled, FilledField, LeftField};

/// `checklist --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ChecklistReport {
    /// Always 1.
    pub schema_version: u32,
    /// Stable id of the form's edition; none when no form was given and
    /// ctc-ready wrote its own document.
    pub form: Option<String>,
    /// Whether the form given is one that ctc-ready knows.
    pub recognised: bool,
    /// The file written.
    pub output: String,
    /// Simulated evidence was let count: never for a submission.
    pub rehearsal: bool,
    /// Fields that hold an answer.
    pub filled: Vec<FilledField>,
    /// Fields left for a person, with the reason.
    pub left_for_you: Vec<LeftField>,
    /// Fields of the form's edition that were not found in this file, or not
    /// surely, with the reason.
    pub not_found: Vec<String>,
}

impl ChecklistReport {
    /// The report on `filled`, written to `output`; `form` is the id of the
    /// edition, none for ctc-ready's own document.
    pub fn new(form: Option<&str>, output: &str, rehearsal: bool, filled: &Filled) -> Self {
        Self {
            schema_version: 1,
            form: form.map(str::to_owned),
            recognised: form.is_some(),
            output: output.to_owned(),
            rehearsal,
            filled: filled.filled.clone(),
            left_for_you: filled.left_for_you.clone(),
            not_found: filled.not_found.clone(),
        }
    }
}
