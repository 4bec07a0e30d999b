//! What each rule of the gate means, and each kind of finding of `checklist
//! --check`, as data: `templates/rules/rules.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::Rule;

/// What there is to say about a rule, in our own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// What a finding says.
    pub means: String,
    /// Why it matters.
    pub why: String,
    /// What to do about it, one step each.
    pub mend: Vec<String>,
    /// Where HMRC says so: document and section; none: the rule is ours.
    #[serde(default)]
    pub source: Vec<String>,
    /// What of HMRC's a rule of ours protects, where HMRC says nothing.
    pub protects: Option<String>,
}

/// Every explanation, by the rule's name.
pub fn explanations() -> &'static BTreeMap<String, Explanation> {
    static EXPLANATIONS: LazyLock<BTreeMap<String, Explanation>> = LazyLock::new(|| {
        // Part of the binary; a test reads it, so that it cannot be wrong here.
        toml::from_str(include_str!("../../templates/rules/rules.toml")).unwrap_or_default()
    });
    &EXPLANATIONS
}

/// The explanation of a rule.
pub fn explain(rule: &Rule) -> Option<&'static Explanation> {
    explanation(rule.name)
}

/// The explanation of what has this name.
pub fn explanation(name: &str) -> Option<&'static Explanation> {
    explanations().get(name)
}
