//! The questions that a form, or ctc-ready's own document, puts and that
//! neither evidence nor settings answer: what only a person can say.

use schemars::JsonSchema;
use serde::Serialize;

use super::answers::{Answers, block_key};
use super::check::FilledForm;
use crate::catalogue::{Programme, RequirementKind};
use crate::project::answer::Place;
use crate::project::questions::{Question, QuestionKind, questions};
use crate::project::{AnswerValue, Settings};

/// An open question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OpenQuestion {
    /// Stable key.
    pub key: String,
    /// For people.
    pub name: String,
    /// What is asked, or stated, in our own words.
    pub asks: String,
    /// What an answer may be.
    pub kind: AnswerKind,
    /// The table of `ctc-ready.toml` that takes the answer.
    pub table: String,
    /// The key in that table.
    pub setting: String,
    /// What the settings say now, where that is no answer.
    pub now: Option<String>,
}

/// What an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    /// A line of text.
    Text,
    /// Text of several lines.
    Lines,
    /// A whole number, 0 or more.
    Number,
    /// `true` or `false`.
    YesNo,
    /// `true`, `false` or `"dont-know"`.
    YesNoDontKnow,
    /// `true` where what is stated holds.
    Statement,
}

impl OpenQuestion {
    /// Where the answer goes.
    pub fn place(&self) -> Place {
        Place { table: self.table.clone(), key: self.setting.clone() }
    }
}

/// The open questions of a programme, in the order of its form; with `form`,
/// those alone that this document puts.
pub fn open_questions(
    programme: &Programme,
    settings: &Settings,
    answers: &Answers,
    form: Option<&FilledForm<'_>>,
) -> Vec<OpenQuestion> {
    let keys = form.map(FilledForm::keys);
    let puts = |key: &str| keys.as_ref().is_none_or(|keys| keys.contains(&key));
    let of_house = questions()
        .iter()
        .filter(|question| question.asked_by(&programme.id) && puts(&question.key))
        .filter(|question| answers.is_left(&question.key))
        .filter_map(|question| of(question, settings));
    let mandatory = programme.requirement.iter().filter(|it| it.kind == RequirementKind::Mandatory);
    let why_not = mandatory.filter_map(|requirement| {
        let key = format!("{}.not-applicable", block_key(&requirement.id));
        let flow = requirement.flow?.as_str();
        // NCTS6 has one requirement, and its form does not ask.
        (key.starts_with("mandatory.") && puts(&key) && answers.is_left(&key)).then(|| {
            OpenQuestion {
                name: format!("{flow}: why not applicable"),
                asks: format!("Why does the software not support `{flow}`?"),
                kind: AnswerKind::Lines,
                table: "not-applicable".to_owned(),
                setting: flow.to_owned(),
                now: None,
                key,
            }
        })
    });
    of_house.chain(why_not).collect()
}

fn of(question: &Question, settings: &Settings) -> Option<OpenQuestion> {
    let key = question.key.as_str();
    let in_table = |table: &str| Place { table: table.to_owned(), key: key.to_owned() };
    let (kind, place, now) = match question.kind {
        QuestionKind::Setting => {
            let kind = if question.lines { AnswerKind::Lines } else { AnswerKind::Text };
            (kind, Place::parse(question.place.as_deref()?)?, None)
        }
        QuestionKind::Statement => {
            let now = settings.statements.get(key);
            // Stated; what is missing is its evidence.
            if now == Some(&true) {
                return None;
            }
            (AnswerKind::Statement, in_table("statements"), now.map(bool::to_string))
        }
        QuestionKind::Given | QuestionKind::Person => return None,
        kind => {
            let kind = match kind {
                QuestionKind::Number => AnswerKind::Number,
                QuestionKind::YesNo => AnswerKind::YesNo,
                QuestionKind::YesNoDontKnow => AnswerKind::YesNoDontKnow,
                _ => AnswerKind::Lines,
            };
            let now = settings.answers.get(key).map(|value| match value {
                AnswerValue::YesNo(answer) => answer.to_string(),
                AnswerValue::Number(number) => number.to_string(),
                AnswerValue::Text(text) => text.clone(),
            });
            (kind, in_table("answers"), now)
        }
    };
    Some(OpenQuestion {
        key: key.to_owned(),
        name: question.name.clone(),
        asks: question.asks.clone().unwrap_or_default(),
        kind,
        table: place.table,
        setting: place.key,
        now,
    })
}
