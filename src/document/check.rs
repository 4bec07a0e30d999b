//! A filled form read back and compared with evidence and settings, before it
//! goes and as often as anyone likes.
//!
//! What it finds, by stable names:
//!
//! | rule | what it is |
//! |---|---|
//! | `unknown-mrn` | the reference belongs to no run of the store |
//! | `mrn-of-another-scenario` | it belongs to a run of another scenario than the form names, or of none that the requirement takes |
//! | `run-not-passed` | it belongs to a run that has not come to its end |
//! | `wrong-scenario` | the scenario is none that the requirement takes |
//! | `time-differs` | the time is not that of the run's message |
//! | `time-unclear` | no date and time can be read |
//! | `contradicts-settings` | a box, or a reason, that the settings say otherwise |
//! | `several-boxes` | more than one box of a question is ticked |
//! | `answer-missing` | evidence or settings have an answer, the form has none |
//! | `text-edited` | the words are not those of the settings |
//! | `unanswered` | neither the form nor anything else has an answer |
//! | `field-not-found` | the field cannot be found with certainty |
//! | `rehearsal-copy` | a rehearsal filled it: never for a submission |
//! | `another-run-counts` | the run is good, and the gate takes another one |
//! | `not-in-settings` | the form has an answer that the settings lack |
//! | `signature-open` | a person has not signed, or not dated it, yet |
//!
//! Whether the run that a form names still counts is for the gate to say: it is
//! asked about that run alone, and its findings come under its own names, such
//! as `evidence-stale`.

use std::collections::{BTreeMap, BTreeSet};

use super::REHEARSAL_MARK;
use super::answers::{Answers, Choice, Unanswered, Value, block_key, utc};
use super::body::{Body, normalise};
use super::error::DocumentError;
use super::fill::{REHEARSAL_BESIDE, edition};
use super::form::{Field, FormDefinition};
use super::locate::{Place, locate};
use super::package::Package;
use super::report::{CheckFinding, CheckReport};
use super::times::{Written, times};
use crate::catalogue::RequirementKind;
use crate::evidence::{MessageRecord, RunId, RunRecord, RunState};
use crate::ncts::MessageType;
use crate::project::questions::{QuestionKind, question};
use crate::verdict::{self, Case, Finding, RequirementState, RequirementStatus, Severity};

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
    /// A file that is no safe Word document; none of the forms, or another
    /// edition of one.
    pub fn read(bytes: &[u8], forms: &'f [FormDefinition]) -> Result<Self, DocumentError> {
        let package = Package::open(bytes)?;
        // The marks beside values are no part of what was answered.
        let document = package.document().replace(REHEARSAL_BESIDE, "");
        let beside = document.len() != package.document().len();
        let body = Body::parse(&document)?;
        let definition = edition(&body, forms)?;
        let at_the_top = body.paragraphs.iter().any(|it| it.text.contains(REHEARSAL_MARK));
        Ok(Self { definition, body, rehearsal: beside || at_the_top })
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

/// Where a field of evidence belongs.
struct Part<'k> {
    block: &'k str,
    name: &'k str,
}

struct Checker<'a> {
    form: &'a FilledForm<'a>,
    case: &'a Case<'a>,
    answers: &'a Answers,
    requirements: Vec<RequirementStatus>,
    said: BTreeMap<&'a str, Said>,
    findings: Vec<CheckFinding>,
    /// Sections whose common reason has been given.
    sections: BTreeSet<String>,
}

impl<'a> Checker<'a> {
    /// Reads every field first: fields are judged by one another.
    fn read(&mut self) {
        let form = self.form;
        for field in &form.definition.fields {
            match locate(&form.body, field) {
                Ok(located) => {
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

    /// A slot without a test stays empty, but both of its fields do.
    fn half_empty(&mut self, field: &Field, part: &Part<'_>) {
        let text = |name: &str| self.text(&format!("{}.{name}", part.block));
        let (run, expected) = match part.name {
            "mrn" => {
                let Some(scenario) = text("scenario") else { return };
                let of_it = |run: &&RunRecord| scenario.trim().eq_ignore_ascii_case(&run.scenario);
                let mut counted = self.requirements.iter().filter_map(|status| status.run);
                let run = counted
                    .find_map(|id| self.case.runs.iter().filter(of_it).find(|run| run.run == id));
                (run, run.and_then(|run| run.mrn.clone().or_else(|| run.lrn.clone())))
            }
            _ => {
                let Some(mrn) = text("mrn") else { return };
                let run = self.run_of(part, &mrn);
                (run, run.map(|run| run.scenario.clone()))
            }
        };
        let message = match &expected {
            Some(expected) => format!("nothing stands here; the evidence has {}", quote(expected)),
            None => "nothing stands here, and something in the field beside it".to_owned(),
        };
        let found = Found { expected, message, run: run.map(|run| run.run), says: None };
        self.find("answer-missing", Severity::Error, &field.name, found);
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
                    return;
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

    /// Whether a box says only that other answers are given, and the form has
    /// them, wherever they come from.
    fn given(&self, key: &str) -> bool {
        question(key).is_some_and(|question| {
            let has = |key: &String| self.text(key).is_some();
            question.kind == QuestionKind::Given && question.needs.iter().all(has)
        })
    }

    fn scenario(&mut self, field: &Field, part: &Part<'_>, text: &str) {
        let any_of = self.scenarios(part);
        if any_of.iter().any(|id| id.eq_ignore_ascii_case(text.trim())) {
            return;
        }
        let message = match part.is_recommended() {
            true => format!("{} is no recommended test of this programme", quote(text)),
            false => format!("{} is not a scenario of this test: {}", quote(text), listed(&any_of)),
        };
        let expected = self.expected(field, part);
        let found = Found { says: Some(one_line(text)), expected, message, run: None };
        self.find("wrong-scenario", Severity::Error, &field.name, found);
    }

    fn mrn(&mut self, field: &Field, part: &Part<'_>, text: &str) {
        let says = Some(one_line(text));
        let expected = self.expected(field, part);
        let Some(run) = self.run_of(part, text) else {
            let mut message = format!("{} belongs to no run in the evidence", quote(text));
            if let Some(expected) = &expected {
                message.push_str(&format!("; the one that counts has {}", quote(expected)));
            }
            let found = Found { says, expected, message, run: None };
            return self.find("unknown-mrn", Severity::Error, &field.name, found);
        };
        if !self.fits(part, run) {
            let named = self.text(&format!("{}.scenario", part.block)).unwrap_or_default();
            let wanted = match named.trim() {
                "" => listed(&self.scenarios(part)),
                named => quote(named),
            };
            let message = format!(
                "{} belongs to a run of `{}` ({}), not of {wanted}",
                quote(text),
                run.scenario,
                run.programme
            );
            let found = Found { says, expected, message, run: Some(run.run) };
            return self.find("mrn-of-another-scenario", Severity::Error, &field.name, found);
        }
        self.still_counts(field, part, run, text);
    }

    /// Asks the gate about the run alone.
    fn still_counts(&mut self, field: &Field, part: &Part<'_>, run: &RunRecord, text: &str) {
        let says = Some(one_line(text));
        let alone = Case {
            runs: std::slice::from_ref(run),
            removed: &[],
            // Without its marks, a copy may be taken for the real one.
            rehearsal: self.form.rehearsal,
            ..*self.case
        };
        let verdict = verdict::judge(&alone);
        let of_part = |status: &&RequirementStatus| self.is_of(part, status);
        let takes = |status: &&RequirementStatus| status.any_of.contains(&run.scenario);
        let Some(status) = verdict.requirements.iter().filter(of_part).find(takes) else { return };
        if matches!(status.state, RequirementState::Fresh | RequirementState::Expiring) {
            let whole = self.requirements.iter().find(|it| it.requirement == status.requirement);
            let counted = whole.and_then(|whole| whole.run).filter(|counted| *counted != run.run);
            let other = self.case.runs.iter().find(|it| Some(it.run) == counted);
            if let Some(other) = other.filter(|other| other.state == RunState::Passed) {
                let expected = other.mrn.clone().or_else(|| other.lrn.clone());
                let message = format!(
                    "this run of `{}` is good; the gate takes attempt {} of `{}`",
                    run.scenario, other.attempt, other.scenario
                );
                let found = Found { says, expected, message, run: Some(run.run) };
                self.find("another-run-counts", Severity::Info, &field.name, found);
            }
            return;
        }
        if status.state == RequirementState::NotApplicable {
            let message = "by the settings the software does not support it".to_owned();
            let found = Found { says, message, run: Some(run.run), expected: None };
            return self.find("contradicts-settings", Severity::Error, &field.name, found);
        }
        let about: Vec<&Finding> = verdict
            .findings
            .iter()
            .filter(|finding| finding.run == Some(run.run) && finding.severity != Severity::Info)
            .filter(|it| it.requirement.as_ref().is_none_or(|id| *id == status.requirement))
            .collect();
        if about.is_empty() {
            let message = format!("its run of `{}` has not passed", run.scenario);
            let found = Found { says, message, run: Some(run.run), expected: None };
            return self.find("run-not-passed", Severity::Error, &field.name, found);
        }
        for finding in about.into_iter().filter(|finding| finding.waived.is_none()) {
            let message = finding.message.clone();
            let found = Found { says: says.clone(), message, run: Some(run.run), expected: None };
            self.find(finding.rule, finding.severity, &field.name, found);
        }
    }

    /// The times of a field: each must be that of a message of the block's run.
    fn times(&mut self, field: &Field, part: &Part<'_>, text: &str, of: Option<MessageType>) {
        let written = times(text);
        let says = Some(one_line(text));
        if written.is_empty() {
            let expected = self.expected(field, part);
            let message = format!("no date with a time can be read in {}", quote(text));
            let found = Found { says, expected, message, run: None };
            return self.find("time-unclear", Severity::Warning, &field.name, found);
        }
        // Without any, the reference says what is wrong.
        let Some(run) = self.run_for_times(part) else { return };
        for time in &written {
            let wanted = of.or(time.message);
            let is_of = |it: &&MessageRecord| wanted.is_none_or(|message| it.message == message);
            let of_kind: Vec<&MessageRecord> = run.messages.iter().filter(is_of).collect();
            if of_kind.iter().any(|message| time.agrees(message.at)) {
                continue;
            }
            let found = differs(time, text, run, wanted, &of_kind);
            self.find("time-differs", Severity::Error, &field.name, found);
        }
    }

    /// The run whose times stand in a block: the one of its reference, unless
    /// that is wrong itself; then the one that counts.
    fn run_for_times(&self, part: &Part<'_>) -> Option<&'a RunRecord> {
        let named = self.text(&format!("{}.mrn", part.block));
        let named = named.and_then(|text| self.run_of(part, &text));
        named.filter(|run| self.fits(part, run)).or_else(|| {
            let counted = self.requirements.iter().find(|status| self.is_of(part, status))?.run?;
            self.case.runs.iter().find(|run| run.run == counted)
        })
    }

    /// Recommended tests that count and that the form leaves out.
    fn recommended_left_out(&mut self) {
        let slots: Vec<Part<'a>> = self
            .form
            .definition
            .fields
            .iter()
            .filter_map(|field| evidence_part(&field.key))
            .filter(|part| part.name == "mrn" && part.is_recommended())
            .collect();
        let text = |part: &Part<'_>, name: &str| self.text(&format!("{}.{name}", part.block));
        let free = slots.iter().any(|part| text(part, "mrn").or(text(part, "scenario")).is_none());
        if !free {
            return;
        }
        let named: Vec<String> = slots.iter().filter_map(|part| text(part, "scenario")).collect();
        let left: Vec<(String, Option<String>)> = self
            .answers
            .iter()
            .filter_map(|(key, answer)| {
                let part = evidence_part(key).filter(|part| part.is_recommended())?;
                let scenario = answer.value.to_string();
                let named = named.iter().any(|text| text.trim().eq_ignore_ascii_case(&scenario));
                let mrn = self.answers.get(&format!("{}.mrn", part.block));
                let missing = part.name == "scenario" && !named;
                missing.then(|| (scenario, mrn.map(|answer| answer.value.to_string())))
            })
            .collect();
        for (scenario, expected) in left {
            let message = "the evidence has a run that counts, and the form does not name it";
            let found = Found { expected, message: message.to_owned(), ..Found::default() };
            let field = format!("recommended test `{scenario}`");
            self.find("answer-missing", Severity::Warning, &field, found);
        }
    }

    /// The run with this reference. Several runs of a simulator may share one:
    /// then the one that counts, or else that of the scenario named.
    fn run_of(&self, part: &Part<'_>, text: &str) -> Option<&'a RunRecord> {
        let wanted: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let is = |reference: &Option<String>| {
            reference.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(&wanted))
        };
        // Only recommended tests may have an LRN in place of an MRN.
        let has = |run: &&RunRecord| {
            is(&run.mrn)
                || run.messages.iter().any(|message| is(&message.mrn))
                || (part.is_recommended() && is(&run.lrn))
        };
        let counts = |run: &RunRecord| {
            self.requirements
                .iter()
                .any(|status| self.is_of(part, status) && status.run == Some(run.run))
        };
        let runs = self.case.runs.iter().filter(has);
        runs.max_by_key(|run| (self.fits(part, run), counts(run), run.opened))
    }

    /// Whether a run is of the scenario that the block names, or of one that
    /// its requirement takes.
    fn fits(&self, part: &Part<'_>, run: &RunRecord) -> bool {
        let named = self.text(&format!("{}.scenario", part.block));
        run.programme == self.case.programme.id
            && match named {
                Some(named) => named.trim().eq_ignore_ascii_case(&run.scenario),
                None => self.scenarios(part).contains(&run.scenario),
            }
    }

    /// The scenarios that may stand in a block.
    fn scenarios(&self, part: &Part<'_>) -> Vec<String> {
        let of_part = self.requirements.iter().filter(|status| self.is_of(part, status));
        of_part.flat_map(|status| status.any_of.iter().cloned()).collect()
    }

    /// Whether a requirement may be proven in a block.
    fn is_of(&self, part: &Part<'_>, status: &RequirementStatus) -> bool {
        match status.kind {
            RequirementKind::Mandatory => block_key(&status.requirement) == part.block,
            RequirementKind::Recommended => part.is_recommended(),
        }
    }

    /// What evidence has for a field. Recommended tests may stand in any
    /// order: theirs is none.
    fn expected(&self, field: &Field, part: &Part<'_>) -> Option<String> {
        let answer = self.answers.get(&field.key).filter(|_| !part.is_recommended())?;
        Some(answer.value.to_string())
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

impl Part<'_> {
    fn is_recommended(&self) -> bool {
        self.block.starts_with("recommended.")
    }
}

/// A key of evidence, in two; see [`super::answers`].
fn evidence_part(key: &str) -> Option<Part<'_>> {
    let (block, name) = key.rsplit_once('.')?;
    let evidence = ["mandatory.", "recommended."].iter().any(|prefix| block.starts_with(prefix))
        || block == super::answers::OUTBOUND;
    evidence.then_some(Part { block, name })
}

fn differs(
    time: &Written,
    text: &str,
    run: &RunRecord,
    wanted: Option<MessageType>,
    of_kind: &[&MessageRecord],
) -> Found {
    let whose = |message: MessageType| match time.message {
        Some(named) if wanted != Some(named) => format!("`{message}` (not `{named}`)"),
        _ => format!("`{message}`"),
    };
    let known: Vec<String> = of_kind.iter().map(|message| utc(message.at)).collect();
    let message = match (wanted, known.as_slice()) {
        (Some(message), []) => {
            format!("the run of `{}` has no {}", run.scenario, whose(message))
        }
        (Some(message), known) => format!(
            "the form says {}, the evidence has {} at {}",
            quote(text),
            whose(message),
            known.join(" and ")
        ),
        (None, _) => format!(
            "no message of the run of `{}` was sent or fetched at {}",
            run.scenario,
            quote(text)
        ),
    };
    let expected = wanted.and_then(|_| known.into_iter().next());
    Found { says: Some(one_line(text)), expected, run: Some(run.run), message }
}

fn listed(ids: &[String]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("`{id}`")).collect();
    ids.join(" or ")
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
