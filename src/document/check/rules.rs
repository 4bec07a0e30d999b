//! The names of what `checklist --check` finds by itself. They are public:
//! scripts and `explain` rely on them. `templates/rules/rules.toml` explains
//! each.

use crate::verdict::Severity;

/// A kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckRule {
    /// Stable kebab-case name.
    pub name: &'static str,
    /// Its weight; a finding may say otherwise.
    pub severity: Severity,
    /// What it finds, in a line.
    pub about: &'static str,
}

macro_rules! rules {
    ($($name:literal $severity:ident $about:literal;)*) => {
        /// Every name, the weightiest first.
        pub const RULES: &[CheckRule] = &[$(
            CheckRule { name: $name, severity: Severity::$severity, about: $about },
        )*];
    };
}

rules! {
    "rehearsal-copy" Error "A rehearsal filled the form: never for a submission";
    "unknown-mrn" Error "The reference belongs to no run of the store";
    "mrn-of-another-scenario" Error
        "The reference belongs to a run of another scenario than the form names, or of none that the requirement takes";
    "run-not-passed" Error "The reference belongs to a run that has not come to its end";
    "wrong-scenario" Error "The scenario is none that the requirement takes";
    "time-differs" Error "The time is not that of the run's message";
    "contradicts-settings" Error "A box, or a reason, that the settings say otherwise";
    "several-boxes" Error "More than one box of a question is ticked";
    "answer-missing" Error "Evidence or settings have an answer, the form has none";
    "signature-outdated" Error "Evidence is too old by now for a form that was signed before";
    "time-unclear" Warning "No date and time can be read";
    "text-edited" Warning "The words are not those of the settings";
    "statement-reworded" Warning "The words of a box are not those that the answer was given for";
    "unanswered" Warning "Neither the form nor anything else has an answer";
    "field-not-found" Warning "The field cannot be found with certainty";
    "another-run-counts" Info "The run is good, and the gate takes another one";
    "not-in-settings" Info "The form has an answer that the settings lack";
    "signature-open" Info "A person has not signed, or not dated it, yet";
}

/// The kind of finding with this name.
pub fn rule(name: &str) -> Option<&'static CheckRule> {
    RULES.iter().find(|rule| rule.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{explain, rules};

    #[test]
    fn every_name_is_listed_once_found_somewhere_and_explained() {
        let code = concat!(include_str!("../check.rs"), include_str!("evidence.rs"));
        for (at, rule) in RULES.iter().enumerate() {
            let name = rule.name;
            assert!(!RULES.iter().skip(at + 1).any(|other| other.name == name), "`{name}` twice");
            assert!(code.contains(&format!("\"{name}\"")), "nobody finds `{name}`");
            assert!(explain::explanation(name).is_some(), "nothing explains `{name}`");
            assert!(rules::rule(name).is_none(), "`{name}` is the gate's");
        }
        // What is found stands before its weight.
        for (before, _) in
            code.match_indices("\", Severity::").chain(code.match_indices("\", severity,"))
        {
            let name = code[..before].rsplit('"').next().unwrap();
            assert!(super::rule(name).is_some(), "`{name}` is not listed");
        }
    }
}
