//! The questions that forms put, by their stable keys. They are data:
//! `templates/document/questions.toml` lists and explains them.

use std::sync::LazyLock;

use serde::Deserialize;

use super::answers::Choice;

/// A question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Question {
    /// Stable key: `saas`, `business.name`.
    pub key: String,
    /// For people.
    pub name: String,
    /// Heading in ctc-ready's own document.
    pub section: String,
    /// Where its answer comes from.
    pub kind: QuestionKind,
    /// Where the settings hold it, for [`QuestionKind::Setting`].
    pub place: Option<String>,
    /// Programmes that put it; none: all.
    pub programmes: Option<Vec<String>>,
    /// It matters only if another question is answered so.
    pub when: Option<When>,
    /// What must be answered before it may be ticked.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Why a person must answer it, for [`QuestionKind::Person`].
    pub why: Option<String>,
}

/// A condition on another answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The other question.
    pub key: String,
    /// Its answer.
    pub is: Choice,
}

/// Where an answer comes from and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuestionKind {
    /// Text elsewhere in the settings.
    Setting,
    /// Text in `[answers]`.
    Text,
    /// A whole number, 0 or more, in `[answers]`.
    Number,
    /// `yes` or `no` in `[answers]`.
    YesNo,
    /// `yes`, `no` or `dont-know` in `[answers]`.
    YesNoDontKnow,
    /// `true` in `[statements]`.
    Statement,
    /// A box that says that other answers are given.
    Given,
    /// Only a person answers it.
    Person,
}

impl QuestionKind {
    /// Whether the settings answer it under `[answers]`.
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Text | Self::Number | Self::YesNo | Self::YesNoDontKnow)
    }
}

impl Question {
    /// Whether this programme puts the question.
    pub fn asked_by(&self, programme: &str) -> bool {
        self.programmes
            .as_ref()
            .is_none_or(|programmes| programmes.iter().any(|name| name == programme))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    question: Vec<Question>,
}

/// Every question, in the order of the form.
pub fn questions() -> &'static [Question] {
    static QUESTIONS: LazyLock<Vec<Question>> = LazyLock::new(|| {
        // Part of the binary; a test reads it, so that it cannot be wrong here.
        toml::from_str::<File>(include_str!("../../templates/document/questions.toml"))
            .map(|file| file.question)
            .unwrap_or_default()
    });
    &QUESTIONS
}

/// The keys that `[answers]` of the settings may use.
pub fn answer_keys() -> impl Iterator<Item = &'static str> {
    questions().iter().filter(|question| question.kind.is_answer()).map(|q| q.key.as_str())
}

/// The keys that `[statements]` of the settings may use.
pub fn statement_keys() -> impl Iterator<Item = &'static str> {
    questions()
        .iter()
        .filter(|question| question.kind == QuestionKind::Statement)
        .map(|question| question.key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_is_sound() {
        let file: File =
            toml::from_str(include_str!("../../templates/document/questions.toml")).unwrap();
        let known: Vec<&str> = file.question.iter().map(|question| question.key.as_str()).collect();
        for question in &file.question {
            let key = &question.key;
            assert_eq!(known.iter().filter(|other| *other == key).count(), 1, "`{key}` twice");
            assert_eq!(question.place.is_some(), question.kind == QuestionKind::Setting, "`{key}`");
            assert_eq!(question.why.is_some(), question.kind == QuestionKind::Person, "`{key}`");
            if let Some(when) = &question.when {
                assert!(known.contains(&when.key.as_str()), "`{key}` waits for an unknown key");
            }
            // A key with a dot would be a nested table in `[answers]`.
            if question.kind.is_answer() || question.kind == QuestionKind::Statement {
                assert!(!key.contains('.'), "`{key}`");
            }
        }
    }
}
