//! A filled form read back and compared with evidence and settings, before it
//! goes and as often as anyone likes.
//!
//! What it finds has stable names: [`rules`].
//!
//! Whether the run that a form names still counts is for the gate to say: it is
//! asked about that run alone, and its findings come under its own names, such
//! as `evidence-stale`.

mod evidence;
pub mod rules;

use std::collections::{BTreeMap, BTreeSet};

use evidence::evidence_part;

use super::REHEARSAL_MARK;
use super::answers::{Answers, Choice, SIGNATURE_DATE, Unanswered, Value};
use super::body::{Body, normalise};
use super::error::DocumentError;
use super::fill::REHEARSAL_BESIDE;
use super::form::{Edition, Field, FormDefinition};
use super::label::Finder;
use super::locate::{Place, locate};
use super::package::Package;
use super::recognise::form_of;
use super::report::{CheckFinding, CheckReport};
use super::statement::reworded;
use super::times;
use crate::calendar::london;
use crate::digest::Digest;
use crate::evidence::RunId;
use crate::project::questions::{QuestionKind, question};
use crate::verdict::{self, Case, RequirementState, RequirementStatus, Severity};

/// Longest piece of a form that is repeated, in characters.
const MAX_QUOTE: usize = 60;

/// A form that someone filled.
#[derive(Debug)]
pub struct FilledForm<'f> {
    definition: &'f FormDefinition,
    body: Body,
    rehearsal: bool,
}

impl<'f> FilledForm<'f> {
    /// Reads a `.docx`, also a copy that a rehearsal filled.
    ///
    /// # Errors
    /// A file that is no safe Word document; none of the forms, or several
    /// of them.
    pub fn read(bytes: &[u8], forms: &'f [FormDefinition]) -> Result<Self, DocumentError> {
        let package = Package::open(bytes)?;
        // The marks beside values are no part of what was answered.
        let document = package.document().replace(REHEARSAL_BESIDE, "");
        let beside = document.len() != package.document().len();
        let body = Body::parse(&document)?;
        let definition = form_of(&body, forms)?;
        let at_the_top = body.paragraphs.iter().any(|it| it.text.contains(REHEARSAL_MARK));
        Ok(Self { definition, body, rehearsal: beside || at_the_top })
    }

    /// The keys of the fields that are found in it.
    pub fn keys(&self) -> Vec<&'f str> {
        let edition = self.definition.edition(&self.body).unwrap_or(Edition::Known);
        let finder = Finder::new(&self.body, edition);
        let found = self.definition.fields.iter().filter(|it| locate(&finder, it).is_ok());
        found.map(|field| field.key.as_str()).collect()
    }

    /// The edition it is of.
    pub fn definition(&self) -> &'f FormDefinition {
        self.definition
    }
}

/// Compares a form with `case` and its `answers` ([`super::collect`]). `file`
/// is the form's name, for the report.
///
/// # Errors
/// A form of another programme.
pub fn check(
    form: &FilledForm<'_>,
    file: &str,
    case: &Case<'_>,
    answers: &Answers,
) -> Result<CheckReport, DocumentError> {
    let definition = form.definition;
    if !definition.programmes.contains(&case.programme.id) {
        return Err(DocumentError::WrongProgramme {
            form: definition.title.clone(),
            programme: case.programme.id.clone(),
            of: definition.programmes.clone(),
        });
    }
    let mut checker = Checker {
        form,
        case,
        answers,
        requirements: verdict::status(case).requirements,
        said: BTreeMap::new(),
        findings: Vec::new(),
        reworded: BTreeMap::new(),
        sections: BTreeSet::new(),
    };
    if form.rehearsal && !case.rehearsal {
        checker.find("rehearsal-copy", Severity::Error, "the document", Found {
            message: "it is a copy that a rehearsal filled, which is never submitted; `--rehearsal` compares it with what was rehearsed".to_owned(),
            ..Found::default()
        });
    } else {
        checker.read();
        definition.fields.iter().for_each(|field| checker.field(field));
        checker.recommended_left_out();
    }
    let Checker { said, findings, .. } = checker;
    Ok(CheckReport {
        schema_version: 1,
        form: definition.id.clone(),
        file: file.to_owned(),
        programme: case.programme.id.clone(),
        as_of: case.as_of,
        rehearsal: case.rehearsal,
        agrees: findings.iter().all(|finding| finding.severity == Severity::Info),
        fields_read: said.len(),
        findings,
    })
}

/// What a field says.
struct Said {
    value: Option<Value>,
    /// The boxes it has, where it is a question with several.
    boxes: Option<BTreeSet<Choice>>,
}

/// The particulars of a finding.
#[derive(Default)]
struct Found {
    says: Option<String>,
    expected: Option<String>,
    run: Option<RunId>,
    message: String,
}

struct Checker<'a> {
    form: &'a FilledForm<'a>,
    case: &'a Case<'a>,
    answers: &'a Answers,
    requirements: Vec<RequirementStatus>,
    said: BTreeMap<&'a str, Said>,
    findings: Vec<CheckFinding>,
    /// Boxes whose words are not those that an answer was given for, with the
    /// digest of the words.
    reworded: BTreeMap<&'a str, Digest>,
    /// Sections whose common reason has been given.
    sections: BTreeSet<String>,
}

impl<'a> Checker<'a> {
    /// Reads every field first: fields are judged by one another.
    fn read(&mut self) {
        let form = self.form;
        let edition = form.definition.edition(&form.body).unwrap_or(Edition::Known);
        let finder = Finder::new(&form.body, edition);
        for field in &form.definition.fields {
            match locate(&finder, field) {
                Ok(located) => {
                    if let Some(words) = reworded(&finder, form.definition, field) {
                        self.reworded.insert(&field.key, words);
                    }
                    let boxes = match located.place {
                        Place::Boxes(boxes) => Some(boxes.into_keys().collect()),
                        _ => None,
                    };
                    self.said.insert(&field.key, Said { value: located.current, boxes });
                }
                Err(why) => {
                    let found = Found { message: why.0, ..Found::default() };
                    self.find("field-not-found", Severity::Warning, &field.name, found);
                }
            }
        }
    }

    fn field(&mut self, field: &Field) {
        let Some(said) = self.said.get(field.key.as_str()) else { return };
        let part = evidence_part(&field.key).filter(|part| part.name != "not-applicable");
        match (part, said.value.clone()) {
            (Some(part), Some(value)) => {
                let text = value.to_string();
                match part.name {
                    "scenario" => self.scenario(field, &part, &text),
                    "mrn" => self.mrn(field, &part, &text),
                    "date-time" => self.times(field, &part, &text, None),
                    name => {
                        if let Ok(message) = name.parse() {
                            self.times(field, &part, &text, Some(message));
                        }
                    }
                }
            }
            (Some(part), None) if part.is_recommended() => self.half_empty(field, &part),
            (_, None) => self.empty(field),
            (None, Some(value)) => self.answered(field, &value),
        }
    }

    /// A field that says nothing.
    fn empty(&mut self, field: &Field) {
        if let Some(answer) = self.answers.get(&field.key) {
            if let Some(words) = self.reworded.get(field.key.as_str()) {
                let message = "the box is not ticked, and its words are not those that the settings' answer was given for";
                return self.statement_reworded(field, *words, Severity::Warning, message);
            }
            let boxes = self.said.get(field.key.as_str()).and_then(|said| said.boxes.as_ref());
            // Who does not know ticks no box, and says so elsewhere.
            if let (Some(boxes), Value::Choice(choice)) = (boxes, &answer.value)
                && !boxes.contains(choice)
            {
                return;
            }
            let expected = Some(one_line(&answer.value.to_string()));
            let from = match answer.from {
                super::Source::Settings => "`ctc-ready.toml`",
                super::Source::Evidence => "the evidence",
                super::Source::Signed => "the signature",
            };
            let message = match &answer.value {
                Value::Text(text) => format!("nothing stands here; {from} has {}", quote(text)),
                Value::Choice(choice) => {
                    format!("no box is ticked; {from} says `{}`", choice.as_str())
                }
                Value::Tick(_) => format!("the box is not ticked; by {from} it should be"),
            };
            let found = Found { expected, message, ..Found::default() };
            return self.find("answer-missing", Severity::Error, &field.name, found);
        }
        let person = question(&field.key).is_some_and(|it| it.kind == QuestionKind::Person);
        let (name, message) = match self.answers.why_not(&field.key) {
            Unanswered::NotNeeded => return,
            Unanswered::LeftForYou(why) => (field.name.clone(), why),
            Unanswered::BlockLeftForYou(why) => {
                let name = field.section.as_ref().map_or(&field.name, |section| &section.name);
                if !self.sections.insert(name.clone()) {
                    return;
                }
                (name.clone(), why)
            }
        };
        let (rule, severity) = match person {
            true => ("signature-open", Severity::Info),
            false => ("unanswered", Severity::Warning),
        };
        self.find(rule, severity, &name, Found { message, ..Found::default() });
    }

    /// A field that the settings answer.
    fn answered(&mut self, field: &Field, value: &Value) {
        let said = self.said.get(field.key.as_str());
        let several = said.is_some_and(|said| said.boxes.is_some());
        let says = Some(one_line(&value.to_string()));
        if several && matches!(value, Value::Text(_)) {
            let message = "more than one box is ticked".to_owned();
            let found = Found { says, message, ..Found::default() };
            return self.find("several-boxes", Severity::Error, &field.name, found);
        }
        if let Some(words) = self.reworded.get(field.key.as_str())
            && self.answers.get(&field.key).is_some()
        {
            let message = "the box is ticked, and its words are not those that the settings' answer was given for: whoever signs must have read them";
            return self.statement_reworded(field, *words, Severity::Info, message);
        }
        let (rule, severity, expected, message) = match self.answers.get(&field.key) {
            Some(answer) if same(value, &answer.value) => return,
            Some(answer) => {
                let (rule, severity) = match (value, &answer.value) {
                    (Value::Text(_), Value::Text(_)) => ("text-edited", Severity::Warning),
                    _ => ("contradicts-settings", Severity::Error),
                };
                let expected = one_line(&answer.value.to_string());
                let message = format!(
                    "the form says {}, the settings {}",
                    quote(&value.to_string()),
                    quote(&expected)
                );
                (rule, severity, Some(expected), message)
            }
            None => match (self.answers.why_not(&field.key), value) {
                _ if question(&field.key).is_some_and(|it| it.kind == QuestionKind::Person) => {
                    return self.signed(field, value);
                }
                (_, Value::Tick(_)) if self.given(&field.key) => return,
                (
                    Unanswered::LeftForYou(why) | Unanswered::BlockLeftForYou(why),
                    Value::Tick(_),
                ) => {
                    let message = format!("the box is ticked, but {why}");
                    ("contradicts-settings", Severity::Error, None, message)
                }
                _ if evidence_part(&field.key).is_some() => {
                    let message =
                        "by the settings the test applies, so there is nothing to explain";
                    ("contradicts-settings", Severity::Error, None, message.to_owned())
                }
                _ => {
                    let message = "the form answers it, `ctc-ready.toml` does not";
                    ("not-in-settings", Severity::Info, None, message.to_owned())
                }
            },
        };
        let found = Found { says, expected, message, run: None };
        self.find(rule, severity, &field.name, found);
    }

    /// With the digests of both, for whoever describes the edition.
    fn statement_reworded(
        &mut self,
        field: &Field,
        words: Digest,
        severity: Severity,
        message: &str,
    ) {
        let found = Found {
            says: Some(words.to_string()),
            expected: field.states.map(|states| states.to_string()),
            message: message.to_owned(),
            run: None,
        };
        self.find("statement-reworded", severity, &field.name, found);
    }

    /// A signature, or its date, is a person's own; but what it was put to may
    /// not be good any more.
    fn signed(&mut self, field: &Field, value: &Value) {
        let Some(on) = times::day(&value.to_string()).filter(|_| field.key == SIGNATURE_DATE)
        else {
            return;
        };
        let stale = |it: &&RequirementStatus| it.state == RequirementState::Stale;
        let lapsed: Vec<CheckFinding> = self.requirements.iter().filter(stale).filter_map(|status| {
            let until = status.fresh_until?;
            let scenario = status.scenario.as_deref().unwrap_or(&status.requirement);
            let since = if on <= london::day_of(until) { "has grown too old since" } else { "was too old then" };
            Some(CheckFinding {
                rule: "signature-outdated",
                severity: Severity::Error,
                field: field.name.clone(),
                says: Some(one_line(&value.to_string())),
                expected: None,
                run: status.run,
                message: format!(
                    "signed on {on}; the evidence of `{scenario}` {since} (it was good until {}): run it again, and sign again",
                    london::for_people(until)
                ),
            })
        }).collect();
        self.findings.extend(lapsed);
    }

    /// Whether a box says only that other answers are given, and the form has
    /// them, wherever they come from.
    fn given(&self, key: &str) -> bool {
        question(key).is_some_and(|question| {
            let has = |key: &String| self.text(key).is_some();
            question.kind == QuestionKind::Given && question.needs.iter().all(has)
        })
    }

    /// What a field says, where it says anything.
    fn text(&self, key: &str) -> Option<String> {
        Some(self.said.get(key)?.value.as_ref()?.to_string())
    }

    fn find(&mut self, rule: &'static str, severity: Severity, field: &str, found: Found) {
        let Found { says, expected, run, message } = found;
        let field = field.to_owned();
        self.findings.push(CheckFinding { rule, severity, field, says, expected, run, message });
    }
}

/// A piece of the form in a message: one line, not too long.
fn quote(text: &str) -> String {
    let line = one_line(text);
    match line.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("`{}…`", line.get(..end).unwrap_or_default()),
        None => format!("`{line}`"),
    }
}

/// A text as one line of at most some hundred characters.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(4 * MAX_QUOTE).collect()
}

/// Whether two answers say the same: lines may have become one, with commas.
fn same(said: &Value, answer: &Value) -> bool {
    match (said, answer) {
        (Value::Text(said), Value::Text(answer)) => {
            let words = |text: &str| -> Vec<String> {
                let words = normalise(text);
                let words = words.split(' ').map(|word| word.trim_end_matches(','));
                words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
            };
            words(said) == words(answer)
        }
        (said, answer) => said == answer,
    }
}
