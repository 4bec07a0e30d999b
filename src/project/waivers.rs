//! `[[waiver]]`: findings of the gate that the house lets pass, with a reason
//! and an end.

use chrono::NaiveDate;
use serde::Deserialize;
use uuid::Uuid;

/// A waiver. It covers the findings of its rule that have the requirement,
/// scenario and run it names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Waiver {
    /// The rule's stable name. Whether there is such a rule is for the gate to
    /// say (`stale-waiver`).
    pub rule: String,
    /// Only findings about this requirement.
    pub requirement: Option<String>,
    /// Only findings about this scenario.
    pub scenario: Option<String>,
    /// Only findings about this run.
    pub run: Option<Uuid>,
    /// It is looked at only where this programme is judged; none: in all.
    pub programme: Option<String>,
    /// Why the finding may stand.
    pub reason: String,
    /// The last London day on which it holds, judged on the day of submission.
    #[serde(deserialize_with = "super::day::day")]
    pub until: NaiveDate,
    /// Who decided that.
    pub approved_by: Option<String>,
}

impl Waiver {
    /// What is blank in it that must not be: the field and a message.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let texts = [
            ("rule", Some(&self.rule), "name the rule; `ctc-ready gate --list-rules` lists them"),
            ("reason", Some(&self.reason), "say why the finding may stand"),
            ("requirement", self.requirement.as_ref(), "name it or take the line out"),
            ("scenario", self.scenario.as_ref(), "name it or take the line out"),
            ("approved-by", self.approved_by.as_ref(), "name them or take the line out"),
        ];
        let blank = |(field, text, what): (&'static str, Option<&String>, &str)| {
            let empty = text?.trim().is_empty();
            empty.then(|| (field, format!("is empty; {what}")))
        };
        texts.into_iter().filter_map(blank).collect()
    }

    /// Its texts of one line, for checks that all such texts get.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let texts = [("reason", Some(&self.reason)), ("approved-by", self.approved_by.as_ref())];
        texts.into_iter().filter_map(|(field, text)| Some((field, text?.as_str())))
    }
}
