//! The JSON of `checklist` and `checklist --check` (`schema_version` 1).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::fill::{Filled, FilledField, LeftField};
use crate::evidence::RunId;
use crate::verdict::Severity;

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
    /// Whether it is an edition that ctc-ready knows. If not, its fields were
    /// found by their labels: compare each with the form. None without a form.
    pub edition_known: Option<bool>,
    /// The file written.
    pub output: String,
    /// The annex written beside it; none: there is none.
    pub annex: Option<String>,
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
    /// edition, none for ctc-ready's own document. It has no annex yet.
    pub fn new(form: Option<&str>, output: &str, rehearsal: bool, filled: &Filled) -> Self {
        Self {
            schema_version: 1,
            form: form.map(str::to_owned),
            recognised: form.is_some(),
            edition_known: form.map(|_| filled.edition_known),
            output: output.to_owned(),
            annex: None,
            rehearsal,
            filled: filled.filled.clone(),
            left_for_you: filled.left_for_you.clone(),
            not_found: filled.not_found.clone(),
        }
    }
}

/// `checklist --check FILE --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckReport {
    /// Always 1.
    pub schema_version: u32,
    /// Stable id of the form's edition.
    pub form: String,
    /// The name of the file read, without its folder.
    pub file: String,
    /// The programme it was compared for.
    pub programme: String,
    /// The instant judged at.
    pub as_of: DateTime<Utc>,
    /// It was compared with a rehearsal: never for a submission.
    pub rehearsal: bool,
    /// Nothing is wrong: there is no finding but of weight `info`.
    pub agrees: bool,
    /// How many fields were found and read.
    pub fields_read: usize,
    /// What is wrong, or good to know: fields that were not found, then the
    /// others in the form's order.
    pub findings: Vec<CheckFinding>,
}

/// A field that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckFinding {
    /// Stable name: one of [`super::check::rules`], or the gate's of a run that no
    /// longer counts.
    pub rule: &'static str,
    /// Its weight.
    pub severity: Severity,
    /// The field's name, or that of a block of fields.
    pub field: String,
    /// What the form says there, shortened; of a box whose words have changed
    /// the SHA-256 of its words.
    pub says: Option<String>,
    /// What evidence or settings say, shortened.
    pub expected: Option<String>,
    /// The run concerned.
    pub run: Option<RunId>,
    /// What was found.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Source;

    #[test]
    fn the_json_is_as_promised() {
        let filled = Filled {
            bytes: vec![1, 2, 3],
            edition_known: false,
            filled: vec![FilledField {
                field: "sandbox application name".to_owned(),
                value: "Desk".to_owned(),
                from: Source::Settings,
            }],
            left_for_you: vec![LeftField {
                field: "electronic signature".to_owned(),
                why: "only a person may sign".to_owned(),
            }],
            not_found: Vec::new(),
        };
        let id = "ncts6-readiness-2026-04-14";
        let report = ChecklistReport::new(Some(id), "checklist.docx", false, &filled);
        let expected = serde_json::json!({
            "schema_version": 1, "form": id, "recognised": true, "edition_known": false,
            "output": "checklist.docx", "annex": null, "rehearsal": false,
            "filled": [{"field": "sandbox application name", "value": "Desk", "from": "settings"}],
            "left_for_you": [{"field": "electronic signature", "why": "only a person may sign"}],
            "not_found": [],
        });
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json, expected);
        let schema = serde_json::to_value(schemars::schema_for!(ChecklistReport)).unwrap();
        assert!(jsonschema::is_valid(&schema, &json));
        let own = serde_json::to_value(ChecklistReport::new(None, "own.docx", true, &filled));
        assert!(jsonschema::is_valid(&schema, &own.unwrap()));
    }
}
