//! What must be done before a house starts: HMRC's list, as data
//! (`templates/settings/before-you-start.toml`), and what the house says of it
//! under `[before-you-start]`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde::Deserialize;

/// Something to be done first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeforeStep {
    /// Stable kebab-case name; the key in the settings.
    pub id: String,
    /// What it is, in our own words.
    pub what: String,
    /// What shows it without asking; none: only the house can say.
    pub shown: Option<Shown>,
    /// How to get there.
    pub hint: String,
    /// Document and section.
    pub source: String,
}

/// What shows that a step was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// HMRC took a message, or answered a question.
    Exchange,
    /// The same, in each version of the API that is applied for.
    Version,
}

/// HMRC's list, in its order.
pub fn steps() -> &'static [BeforeStep] {
    #[derive(Deserialize)]
    struct File {
        step: Vec<BeforeStep>,
    }

    static STEPS: LazyLock<Vec<BeforeStep>> = LazyLock::new(|| {
        let text = include_str!("../../templates/settings/before-you-start.toml");
        match toml::from_str::<File>(text) {
            Ok(file) => file.step,
            // Built in, and read by a test.
            Err(error) => unreachable!("before-you-start.toml: {error}"),
        }
    });
    &STEPS
}

/// `[before-you-start]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct BeforeYouStart {
    /// The London day on which a step was taken, by its id.
    #[serde(deserialize_with = "super::day::by_key")]
    pub days: BTreeMap<String, NaiveDate>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_own_name_and_all_its_parts() {
        let ids: Vec<&str> = steps().iter().map(|step| step.id.as_str()).collect();
        assert_eq!(ids.len(), 8);
        for (n, step) in steps().iter().enumerate() {
            assert!(!ids[..n].contains(&step.id.as_str()), "{}", step.id);
            assert!(!step.what.is_empty() && !step.hint.is_empty() && !step.source.is_empty());
        }
    }
}
