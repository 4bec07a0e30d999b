//! `checklist --questions`: asks for what only a person knows, and writes each
//! answer into `ctc-ready.toml` as soon as it is given.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::Checklist;
use super::ask::Asker;
use super::checklist::{forms, programme_for, read_form};
use super::context::{Context, Desk, case, shown};
use super::exit;
use super::failure::{Failure, Kind};
use super::mask;
use super::printer::{BOLD, CARE, DIM, GOOD, Printer, paint};
use crate::calendar::london;
use crate::catalogue::Programme;
use crate::document::{self, AnswerKind, FilledForm, OpenQuestion, open_questions};
use crate::project::answer::{self, AnswerError, AnswerFile};
use crate::project::{AnswerValue, Settings};
use crate::verdict::{self, RequirementStatus};

/// `checklist --questions --format json`: what is open; nothing is asked.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Questions {
    /// Always 1.
    schema_version: u32,
    /// The programme asked for.
    programme: String,
    /// The form's edition; none without a form: every question of the
    /// programme.
    form: Option<String>,
    /// What neither evidence nor settings answer, in the form's order.
    open: Vec<OpenQuestion>,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Checklist) -> Result<u8, Failure> {
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let as_of = context.as_of()?;
    let day = london::day_of(as_of);
    let path = args.form.as_ref().map(|path| context.cwd.join(path));
    let programme = programme_for(&desk, args.programme.as_deref(), path.as_deref(), day)?;
    let known = forms(&desk)?;
    let form = match &path {
        Some(path) => {
            let named =
                |error| Failure::from(error).hint(format!("the file is `{}`", path.display()));
            Some(FilledForm::read(&read_form(path)?, &known).map_err(named)?)
        }
        None => None,
    };
    let evidence = desk.evidence(context.clock.now())?;
    let needs = desk.needs(programme, day)?;
    let requirements =
        verdict::status(&case(&desk, programme, &needs, &evidence, as_of, false)).requirements;
    let puts = Puts {
        programme,
        requirements: &requirements,
        desk: &desk,
        form: form.as_ref(),
        runs: &evidence.runs,
    };
    let open = puts.open(&desk.project.settings);
    if context.printer.json() {
        context.printer.document(&Questions {
            schema_version: 1,
            programme: programme.id.clone(),
            form: form.map(|form| form.definition().id.clone()),
            open,
        });
        return Ok(exit::DONE);
    }
    if open.is_empty() {
        let line = format!("{}: no question is open", programme.id);
        context.printer.line(paint(GOOD, line));
        return Ok(exit::DONE);
    }
    let place = shown(&desk.project.file, &context.cwd);
    let mut ask = Asker::new(&mut context.printer);
    if !ask.interactive {
        let keys: Vec<&str> = open.iter().map(|question| question.key.as_str()).collect();
        let many = count(keys.len(), "open question");
        return Err(Failure::usage(format!("{many}, and nobody to ask: {}", keys.join(", ")))
            .hint("call it on a terminal and it asks; `--format json` tells more of each")
            .hint(format!("or answer them in `{place}`")));
    }
    ask.printer.line(format!(
        "{}: {} open; answers go to {}",
        paint(BOLD, &programme.id),
        count(open.len(), "question"),
        paint(BOLD, &place)
    ));
    ask.printer.line(paint(
        DIM,
        "Enter leaves a question open, Ctrl-D ends; each answer is written at once",
    ));
    let answered = puts.ask(&mut ask)?;
    let printer = ask.printer;
    printer.line("");
    printer.line(format!("wrote {} to {}", count(answered, "answer"), paint(BOLD, &place)));
    // What the file says now, whoever wrote it.
    let left = puts.open(&Desk::open(context)?.project.settings);
    tell_open(&mut context.printer, &left);
    Ok(exit::DONE)
}

fn tell_open(printer: &mut Printer, left: &[OpenQuestion]) {
    if left.is_empty() {
        return printer.line(paint(GOOD, "no question is open any more"));
    }
    printer.line(paint(CARE, format!("still open: {}", left.len())));
    for question in left {
        printer.prose(2, &format!("- {}", question.name));
    }
}

/// What puts the questions.
struct Puts<'a> {
    desk: &'a Desk,
    programme: &'a Programme,
    requirements: &'a [RequirementStatus],
    runs: &'a [crate::evidence::RunRecord],
    form: Option<&'a FilledForm<'a>>,
}

impl Puts<'_> {
    fn open(&self, settings: &Settings) -> Vec<OpenQuestion> {
        let answers =
            document::collect(self.programme, settings, self.requirements, self.runs, false);
        open_questions(self.programme, settings, &answers, self.form)
    }

    /// Asks one after the other, since an answer may raise or settle others;
    /// tells how many were answered.
    fn ask(&self, ask: &mut Asker<'_>) -> Result<usize, Failure> {
        let mut file = AnswerFile::open(&self.desk.project.file)?;
        let known: Vec<&str> =
            self.desk.catalogue.programmes().iter().map(|it| it.id.as_str()).collect();
        let mut settings = self.desk.project.settings.clone();
        let (mut seen, mut answered) = (BTreeSet::new(), 0);
        loop {
            let open = self.open(&settings);
            let Some(question) = open.iter().find(|it| !seen.contains(&it.key)) else {
                return Ok(answered);
            };
            seen.insert(question.key.clone());
            put(ask.printer, question);
            loop {
                let value = match one(ask, question.kind)? {
                    Answer::End => return Ok(answered),
                    Answer::Skip => break,
                    Answer::Value(value) => value,
                };
                match file.put(&question.place(), &value, &known) {
                    Ok(now) => {
                        (settings, answered) = (now, answered + 1);
                        break;
                    }
                    Err(AnswerError::Refused(problems)) => {
                        for problem in problems {
                            let why = format!("`{}` {}", problem.field, problem.message);
                            ask.printer.prose(2, &why);
                        }
                        ask.printer.line("  please answer again");
                    }
                    Err(error) => return Err(unwritten(error, question, &value)),
                }
            }
        }
    }
}

/// An answer that is not in the file is not lost either.
fn unwritten(error: AnswerError, question: &OpenQuestion, value: &AnswerValue) -> Failure {
    let line = answer::line(&question.place(), value);
    let hint = format!("the last answer was not written: `{line}` under `[{}]`", question.table);
    match error {
        AnswerError::File(error) => Failure::from(error),
        AnswerError::Changed(_) => {
            Failure::new(Kind::Input, error).hint("call it again: it asks what is open by then")
        }
        error => Failure::new(Kind::Input, error),
    }
    .hint(hint)
}

fn put(printer: &mut Printer, question: &OpenQuestion) {
    printer.line("");
    printer.line(paint(BOLD, &question.name));
    let (asks, how) = match question.kind {
        AnswerKind::Statement => (
            format!("The form has you declare: {}.", question.asks),
            "`yes` if it is so, `no` if it is not",
        ),
        AnswerKind::Text => (question.asks.clone(), "one line"),
        AnswerKind::Lines => (question.asks.clone(), "text; an empty line ends it"),
        AnswerKind::Number => (question.asks.clone(), "a whole number"),
        AnswerKind::YesNo => (question.asks.clone(), "yes or no"),
        AnswerKind::YesNoDontKnow => (question.asks.clone(), "yes, no or dont-know"),
    };
    printer.prose(2, &asks);
    if let Some(now) = &question.now {
        printer.prose(2, &format!("now: {now}"));
    }
    printer.line(paint(DIM, format!("  {how}")));
}

enum Answer {
    Value(AnswerValue),
    Skip,
    End,
}

/// What is typed as an answer of this kind. What fits no kind is text, which
/// the settings' own checks then refuse.
fn one(ask: &mut Asker<'_>, kind: AnswerKind) -> Result<Answer, Failure> {
    loop {
        let typed = match kind {
            AnswerKind::Lines => ask.lines()?,
            _ => ask.line()?,
        };
        let Some(text) = typed else { return Ok(Answer::End) };
        // The file is made to be shared.
        if mask::known_text(&text) != text {
            ask.printer.line("  that holds a secret, which never goes into the settings");
            continue;
        }
        let lower = text.to_lowercase();
        let value = match (kind, lower.as_str()) {
            (_, "") => return Ok(Answer::Skip),
            (AnswerKind::Statement, "yes") => AnswerValue::YesNo(true),
            (AnswerKind::Statement, "no") => AnswerValue::YesNo(false),
            // Nothing is declared by a slip of the finger.
            (AnswerKind::Statement, _) => {
                ask.printer.line("  please type the whole word `yes` or `no`, or nothing");
                continue;
            }
            (AnswerKind::YesNo | AnswerKind::YesNoDontKnow, "yes" | "y" | "true") => {
                AnswerValue::YesNo(true)
            }
            (AnswerKind::YesNo | AnswerKind::YesNoDontKnow, "no" | "n" | "false") => {
                AnswerValue::YesNo(false)
            }
            (AnswerKind::YesNoDontKnow, "dont-know" | "don't know" | "dont know" | "?") => {
                AnswerValue::Text("dont-know".to_owned())
            }
            (AnswerKind::Number, number) => match number.parse() {
                Ok(number) => AnswerValue::Number(number),
                Err(_) => AnswerValue::Text(text),
            },
            _ => AnswerValue::Text(text),
        };
        return Ok(Answer::Value(value));
    }
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
