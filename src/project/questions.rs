//! The questions that forms put, by their stable keys. They are data:
//! `templates/settings/questions.toml` lists and explains them.
//!
//! Sources: CTC Traders API v2.0 Application for Production Credentials
//! Checklist v1.1 (NCTS5); NCTS6 Readiness Checklist, 14 April 2026.

use std::sync::LazyLock;

use serde::Deserialize;

/// A question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Question {
    /// Stable key: `saas`, `business.name`.
    pub key: String,
    /// For people.
    pub name: String,
    /// What is asked or stated, in our own words; settings, answers and
    /// statements.
    pub asks: Option<String>,
    /// An answer as TOML, to show how it is written.
    pub example: Option<String>,
    /// Heading in ctc-ready's own document.
    pub section: String,
    /// Where its answer comes from.
    pub kind: QuestionKind,
    /// Its text may have several lines.
    #[serde(default)]
    pub lines: bool,
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

/// The boxes that questions offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Do not know, or unsure.
    DontKnow,
}

impl Choice {
    /// `dont-know`, as in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::DontKnow => "dont-know",
        }
    }
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

impl QuestionKind {
    /// What a person may write, for messages.
    pub fn accepts(self) -> &'static str {
        match self {
            Self::YesNo => "true or false",
            Self::YesNoDontKnow => "true, false or \"dont-know\"",
            Self::Number => "a whole number, 0 or more",
            _ => "text",
        }
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
        toml::from_str::<File>(include_str!("../../templates/settings/questions.toml"))
            .map(|file| file.question)
            .unwrap_or_default()
    });
    &QUESTIONS
}

/// The question with this key.
pub fn question(key: &str) -> Option<&'static Question> {
    questions().iter().find(|question| question.key == key)
}

/// The statements of the NCTS6 form: key, and what it states.
pub fn statements() -> impl Iterator<Item = (&'static str, &'static str)> {
    questions()
        .iter()
        .filter(|question| question.kind == QuestionKind::Statement)
        .map(|question| (question.key.as_str(), question.asks.as_deref().unwrap_or_default()))
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
            toml::from_str(include_str!("../../templates/settings/questions.toml")).unwrap();
        let known: Vec<&str> = file.question.iter().map(|question| question.key.as_str()).collect();
        for question in &file.question {
            let key = &question.key;
            assert_eq!(known.iter().filter(|other| *other == key).count(), 1, "`{key}` twice");
            assert_eq!(question.place.is_some(), question.kind == QuestionKind::Setting, "`{key}`");
            assert_eq!(question.why.is_some(), question.kind == QuestionKind::Person, "`{key}`");
            if let Some(when) = &question.when {
                assert!(known.contains(&when.key.as_str()), "`{key}` waits for an unknown key");
            }
            let ours = question.kind.is_answer() || question.kind == QuestionKind::Statement;
            let settings = question.kind == QuestionKind::Setting;
            assert_eq!(question.asks.is_some(), ours || settings, "`{key}`");
            assert!(!question.lines || settings, "`{key}`: other texts have lines anyway");
            if let Some(place) = &question.place {
                assert!(crate::project::answer::Place::parse(place).is_some(), "`{key}`");
            }
            assert_eq!(question.example.is_some(), ours, "`{key}`");
            // A key with a dot would be a nested table in `[answers]`.
            if question.kind.is_answer() || question.kind == QuestionKind::Statement {
                assert!(!key.contains('.'), "`{key}`");
            }
        }
    }
}
