//! Settings and evidence become answers, by the keys that forms use; and for
//! every key without an answer, the reason.
//!
//! Keys of questions: [`crate::project::questions`]. Keys of evidence:
//!
//! | key | answer |
//! |---|---|
//! | `mandatory.<requirement>.scenario` | the scenario whose run counts |
//! | `mandatory.<requirement>.mrn` | its MRN |
//! | `mandatory.<requirement>.IE015` | when that message was sent, or fetched |
//! | `mandatory.<requirement>.not-applicable` | `[not-applicable]` of the settings, or the credentials that cover it |
//! | `recommended.<n>.scenario`, `.mrn` | the n-th recommended test that counts; its MRN, else its LRN |
//! | `outbound-movement.scenario`, `.mrn`, `.date-time` | the one movement that NCTS6 asks for |
//!
//! Times are UTC: a message sent has the time of its POST, a message received
//! that of the GET which fetched it. Nothing here is assumed: a statement is
//! made only if the settings make it, and a signature never: that is asked of a
//! person ([`sign`](super::sign())).

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::catalogue::{Programme, Requirement, RequirementKind};
use crate::evidence::{RunRecord, RunState};
use crate::ncts::MessageType;
pub use crate::project::questions::Choice;
use crate::project::questions::{Question, QuestionKind, answer_keys, questions, statement_keys};
use crate::project::{AnswerValue, Settings};
use crate::verdict::{RequirementState, RequirementStatus};

/// The requirement of NCTS6, which has fields of its own in the form.
pub(super) const OUTBOUND: &str = "outbound-movement";

/// The field for the name of who signs.
pub(super) const SIGNATURE: &str = "signature";
/// The field for the day of the signature.
pub(super) const SIGNATURE_DATE: &str = "signature-date";

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Words; lines end with `\n`.
    Text(String),
    /// One of the boxes of a question.
    Choice(Choice),
    /// A box of its own.
    Tick(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Choice(choice) => f.write_str(choice.as_str()),
            Self::Tick(true) => f.write_str("ticked"),
            Self::Tick(false) => f.write_str("not ticked"),
        }
    }
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `ctc-ready.toml`.
    Settings,
    /// The evidence store.
    Evidence,
    /// The person who signed, on a terminal.
    Signed,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub value: Value,
    /// Where it comes from.
    pub from: Source,
}

/// Why a key has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// A person should look at it; the reason.
    LeftForYou(String),
    /// As before, for every field of a requirement's block at once.
    BlockLeftForYou(String),
    /// Nothing is missing: the question does not arise.
    NotNeeded,
}

/// Answers by key, and the reasons of those that are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The programme answered for.
    pub programme: String,
    /// Simulated evidence was let count.
    pub rehearsal: bool,
    answers: BTreeMap<String, Answer>,
    unanswered: BTreeMap<String, Unanswered>,
    /// Reasons that hold for every key `<block>.…` without one of its own.
    blocks: BTreeMap<String, Unanswered>,
    notes: Vec<(String, String)>,
}

impl Answers {
    /// Who signs, and when: nothing else.
    pub(super) fn signature(name: &str, on: NaiveDate) -> Self {
        let mut answers = Self::default();
        answers.text(SIGNATURE, name, Source::Signed);
        answers.text(SIGNATURE_DATE, &on.format("%-d %B %Y").to_string(), Source::Signed);
        answers
    }

    /// The answer to `key`.
    pub fn get(&self, key: &str) -> Option<&Answer> {
        self.answers.get(key)
    }

    /// Why `key` has no answer; a block's reason holds for every key in it.
    pub fn why_not(&self, key: &str) -> Unanswered {
        let block = || self.blocks.get(key.rsplit_once('.')?.0);
        match self.unanswered.get(key).or_else(block) {
            Some(reason) => reason.clone(),
            // A slot without a test stays empty, and nothing is missing.
            None if key.starts_with("recommended.") => Unanswered::NotNeeded,
            None => Unanswered::LeftForYou("ctc-ready has no answer to this question".to_owned()),
        }
    }

    /// Whether `key` itself, and not only its block, is left for a person.
    pub(super) fn is_left(&self, key: &str) -> bool {
        matches!(self.unanswered.get(key), Some(Unanswered::LeftForYou(_)))
    }

    /// Every answer by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Answer)> {
        self.answers.iter().map(|(key, answer)| (key.as_str(), answer))
    }

    /// Things to look at that belong to no single field: what, and why.
    pub fn notes(&self) -> &[(String, String)] {
        &self.notes
    }

    fn answer(&mut self, key: &str, value: Value, from: Source) {
        self.answers.insert(key.to_owned(), Answer { value, from });
    }

    fn text(&mut self, key: &str, text: &str, from: Source) {
        self.answer(key, Value::Text(text.to_owned()), from);
    }

    fn left(&mut self, key: &str, why: impl Into<String>) {
        self.unanswered.insert(key.to_owned(), Unanswered::LeftForYou(why.into()));
    }
}

/// `2026-11-21 09:30:05 UTC`: how a time appears in a document.
pub fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The answers for `programme`. `requirements` say which run stands for what;
/// a run counts only while its requirement is fresh or expiring. `rehearsal`
/// lets simulated runs count, which marks the document for what it is.
pub fn collect(
    programme: &Programme,
    settings: &Settings,
    requirements: &[RequirementStatus],
    runs: &[RunRecord],
    rehearsal: bool,
) -> Answers {
    let mut answers = Answers { programme: programme.id.clone(), rehearsal, ..Answers::default() };
    let asked: Vec<&Question> =
        questions().iter().filter(|question| question.asked_by(&programme.id)).collect();
    for question in &asked {
        from_settings(&mut answers, question, settings);
    }
    for question in &asked {
        if let Some(when) = &question.when
            && answers.get(&question.key).is_none()
            && answers.get(&when.key).is_none_or(|other| other.value != Value::Choice(when.is))
        {
            answers.unanswered.insert(question.key.clone(), Unanswered::NotNeeded);
        }
    }
    let evidence = Evidence { programme, settings, runs, rehearsal };
    evidence.mandatory(&mut answers, requirements);
    evidence.recommended(&mut answers, requirements);
    for question in &asked {
        boxes(&mut answers, question, settings);
    }
    unknown_keys(&mut answers, settings);
    answers
}

/// The runs that count among `runs`, in the order of `requirements`.
pub fn counted<'a>(
    requirements: &[RequirementStatus],
    runs: &'a [RunRecord],
    rehearsal: bool,
) -> Vec<&'a RunRecord> {
    let mut out: Vec<&RunRecord> = Vec::new();
    for status in requirements {
        if let Ok(run) = counted_run(status, runs, rehearsal)
            && !out.iter().any(|other| other.run == run.run)
        {
            out.push(run);
        }
    }
    out
}

fn from_settings(answers: &mut Answers, question: &Question, settings: &Settings) {
    let key = question.key.as_str();
    match question.kind {
        QuestionKind::Setting => match setting(settings, key) {
            Some(text) => answers.text(key, text, Source::Settings),
            None => {
                let place = question.place.as_deref().unwrap_or(key);
                answers.left(key, format!("{place} is not given in `ctc-ready.toml`"));
            }
        },
        QuestionKind::Person => {
            answers.left(key, question.why.as_deref().unwrap_or("a person must do it"));
        }
        kind if kind.is_answer() => match settings.answers.get(key) {
            None => {
                answers.left(key, format!("`[answers] {key}` is not given in `ctc-ready.toml`"));
            }
            Some(value) => match understood(kind, value) {
                Ok(value) => answers.answer(key, value, Source::Settings),
                Err(expected) => answers
                    .left(key, format!("`[answers] {key}` in `ctc-ready.toml` must be {expected}")),
            },
        },
        _ => {}
    }
}

fn setting<'a>(settings: &'a Settings, key: &str) -> Option<&'a str> {
    let value = match key {
        "business.name" => &settings.business.name,
        "business.address" => &settings.business.address,
        "contact.email" => &settings.business.contact_email,
        "sandbox.name" => &settings.sandbox_application.name,
        "sandbox.id" => &settings.sandbox_application.id,
        "production.name" => &settings.production_application.name,
        "production.id" => &settings.production_application.id,
        _ => return None,
    };
    value.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// A value of `[answers]` as the question wants it, or what it should be.
fn understood(kind: QuestionKind, value: &AnswerValue) -> Result<Value, &'static str> {
    match kind {
        QuestionKind::Number => match value {
            AnswerValue::Number(number) if *number >= 0 => Ok(Value::Text(number.to_string())),
            AnswerValue::Text(text) if text.trim().parse::<u32>().is_ok() => {
                Ok(Value::Text(text.trim().to_owned()))
            }
            _ => Err("a whole number"),
        },
        QuestionKind::YesNo | QuestionKind::YesNoDontKnow => {
            let choice = match value {
                AnswerValue::YesNo(true) => Some(Choice::Yes),
                AnswerValue::YesNo(false) => Some(Choice::No),
                AnswerValue::Number(_) => None,
                AnswerValue::Text(text) => match text.trim().to_lowercase().as_str() {
                    "yes" => Some(Choice::Yes),
                    "no" => Some(Choice::No),
                    "dont-know" | "don't know" | "don\u{2019}t know" => Some(Choice::DontKnow),
                    _ => None,
                },
            };
            match (choice, kind) {
                (Some(Choice::DontKnow) | None, QuestionKind::YesNo) => Err("`yes` or `no`"),
                (None, _) => Err("`yes`, `no` or `dont-know`"),
                (Some(choice), _) => Ok(Value::Choice(choice)),
            }
        }
        _ => match value {
            AnswerValue::Text(text) if !text.trim().is_empty() => {
                Ok(Value::Text(text.trim().to_owned()))
            }
            AnswerValue::Number(number) => Ok(Value::Text(number.to_string())),
            _ => Err("text"),
        },
    }
}

/// Boxes are last: they depend on other answers.
fn boxes(answers: &mut Answers, question: &Question, settings: &Settings) {
    let key = question.key.as_str();
    let missing =
        question.needs.iter().find(|needed| answers.get(needed).is_none()).map(String::as_str);
    match question.kind {
        QuestionKind::Given => match missing {
            None => answers.answer(key, Value::Tick(true), Source::Settings),
            Some(missing) => {
                let why = format!("not ticked, because `{missing}` has no answer");
                answers.left(key, why);
            }
        },
        QuestionKind::Statement if settings.statements.get(key) == Some(&true) => match missing {
            None => answers.answer(key, Value::Tick(true), Source::Settings),
            Some(missing) => {
                let why = match answers.why_not(missing) {
                    Unanswered::LeftForYou(why) | Unanswered::BlockLeftForYou(why) => why,
                    Unanswered::NotNeeded => format!("`{missing}` has no answer"),
                };
                answers.left(key, format!("stated, but no evidence supports it: {why}"));
            }
        },
        QuestionKind::Statement => answers.left(
            key,
            format!("not stated: if it is so, set `[statements] {key} = true` in `ctc-ready.toml`"),
        ),
        _ => {}
    }
}

/// A key that no question has is most likely a slip of the pen.
fn unknown_keys(answers: &mut Answers, settings: &Settings) {
    let notes: Vec<(String, String)> = settings
        .answers
        .keys()
        .filter(|key| !answer_keys().any(|known| known == key.as_str()))
        .map(|key| (format!("`[answers] {key}`"), known("question", answer_keys())))
        .chain(
            settings
                .statements
                .keys()
                .filter(|key| !statement_keys().any(|known| known == key.as_str()))
                .map(|key| (format!("`[statements] {key}`"), known("statement", statement_keys()))),
        )
        .collect();
    answers.notes.extend(notes);
}

fn known(what: &str, keys: impl Iterator<Item = &'static str>) -> String {
    let keys: Vec<String> = keys.map(|key| format!("`{key}`")).collect();
    format!("no {what} has this key; known are {}", keys.join(", "))
}

struct Evidence<'a> {
    programme: &'a Programme,
    settings: &'a Settings,
    runs: &'a [RunRecord],
    rehearsal: bool,
}

impl Evidence<'_> {
    fn mandatory(&self, answers: &mut Answers, requirements: &[RequirementStatus]) {
        for status in requirements.iter().filter(|s| s.kind == RequirementKind::Mandatory) {
            let requirement = self.requirement(status);
            let block = block_key(&status.requirement);
            let reason = format!("{block}.not-applicable");
            if status.state == RequirementState::NotApplicable {
                answers.blocks.insert(block.clone(), Unanswered::NotNeeded);
                let flow = requirement.and_then(|requirement| requirement.flow);
                let supported = flow.is_none_or(|it| self.settings.software.flows.contains(&it));
                if supported && !self.settings.credentials.is_empty() {
                    // They cover it.
                    answers.text(&reason, &status.reason, Source::Settings);
                    continue;
                }
                match flow.and_then(|flow| self.settings.not_applicable.get(&flow)) {
                    Some(why) if !why.trim().is_empty() => {
                        answers.text(&reason, why.trim(), Source::Settings);
                    }
                    _ => {
                        let flow = flow.map_or(status.requirement.as_str(), |flow| flow.as_str());
                        answers.left(
                            &reason,
                            format!(
                                "the software does not support it; say why in `[not-applicable] {flow}` of `ctc-ready.toml`"
                            ),
                        );
                    }
                }
                continue;
            }
            match counted_run(status, self.runs, self.rehearsal) {
                Ok(run) => {
                    block_answers(answers, &block, run);
                    answers.unanswered.insert(reason, Unanswered::NotNeeded);
                }
                Err(why) => {
                    answers.blocks.insert(block, Unanswered::BlockLeftForYou(why));
                }
            }
        }
    }

    fn recommended(&self, answers: &mut Answers, requirements: &[RequirementStatus]) {
        let mut n = 0_usize;
        for status in requirements {
            if status.kind != RequirementKind::Recommended {
                continue;
            }
            match counted_run(status, self.runs, self.rehearsal) {
                Ok(run) => {
                    n += 1;
                    let key = |field: &str| format!("recommended.{n}.{field}");
                    answers.text(&key("scenario"), &run.scenario, Source::Evidence);
                    match run.mrn.as_deref().or(run.lrn.as_deref()) {
                        Some(reference) => {
                            answers.text(&key("mrn"), reference, Source::Evidence);
                        }
                        None => answers.left(
                            &key("mrn"),
                            format!("the run of `{}` has neither MRN nor LRN", run.scenario),
                        ),
                    }
                }
                // What was never tried is at the house's discretion.
                Err(why) if status.attempts > 0 => {
                    let what = format!("recommended test `{}`", status.requirement);
                    answers.notes.push((what, why));
                }
                Err(_) => {}
            }
        }
    }

    fn requirement(&self, status: &RequirementStatus) -> Option<&Requirement> {
        self.programme.requirement.iter().find(|known| known.id == status.requirement)
    }
}

/// Prefix of a mandatory requirement's keys. NCTS6 asks for one movement, and
/// its form has fields for that movement alone.
pub(super) fn block_key(requirement: &str) -> String {
    if requirement == OUTBOUND { OUTBOUND.to_owned() } else { format!("mandatory.{requirement}") }
}

fn block_answers(answers: &mut Answers, block: &str, run: &RunRecord) {
    let scenario = &run.scenario;
    answers.text(&format!("{block}.scenario"), scenario, Source::Evidence);
    match &run.mrn {
        Some(mrn) => answers.text(&format!("{block}.mrn"), mrn, Source::Evidence),
        None => {
            answers.left(&format!("{block}.mrn"), format!("the run of `{scenario}` has no MRN"));
        }
    }
    for record in &run.messages {
        let key = format!("{block}.{}", record.message);
        // The first of its kind: the form asks for one time.
        if answers.get(&key).is_none() {
            answers.text(&key, &utc(record.at), Source::Evidence);
        }
    }
    if block == OUTBOUND {
        let key = format!("{block}.date-time");
        let sent = run.message(MessageType::Ie015);
        match (sent, run.message(MessageType::Ie029)) {
            (Some(sent), Some(released)) => {
                let text = format!("IE015 {}, IE029 {}", utc(sent.at), utc(released.at));
                answers.text(&key, &text, Source::Evidence);
            }
            _ => answers.left(&key, format!("the run of `{scenario}` lacks an IE015 or IE029")),
        }
    }
    let why = format!("the run of `{scenario}` that counts has no such message");
    answers.blocks.insert(block.to_owned(), Unanswered::LeftForYou(why));
}

/// The run that stands for a requirement, or why none does.
pub(super) fn counted_run<'a>(
    status: &RequirementStatus,
    runs: &'a [RunRecord],
    rehearsal: bool,
) -> Result<&'a RunRecord, String> {
    let any_of: Vec<String> = status.any_of.iter().map(|id| format!("`{id}`")).collect();
    let scenario =
        status.scenario.as_ref().map_or_else(|| any_of.join(" or "), |id| format!("`{id}`"));
    match status.state {
        RequirementState::Fresh | RequirementState::Expiring => {}
        RequirementState::Stale => {
            return Err(format!("the evidence of {scenario} is too old; run it again"));
        }
        RequirementState::Failed => {
            return Err(format!("the latest attempt at {scenario} failed"));
        }
        RequirementState::Running | RequirementState::Waiting => {
            return Err(format!("the attempt at {scenario} has not finished"));
        }
        RequirementState::Missing => {
            return Err(format!("no run counts yet: run {}", any_of.join(" or ")));
        }
        RequirementState::NotApplicable => {
            return Err(status.reason.clone());
        }
    }
    let run = status
        .run
        .and_then(|id| runs.iter().find(|run| run.run == id))
        .ok_or_else(|| format!("the run of {scenario} is not in the evidence store"))?;
    // Judging has seen to this; the form is the last place to be sure.
    if run.simulated && !rehearsal {
        return Err(format!("the run of {scenario} was made on the simulator"));
    }
    if run.state != RunState::Passed {
        return Err(format!("the run of {scenario} did not pass"));
    }
    Ok(run)
}
