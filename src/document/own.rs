//! ctc-ready's own document, for programmes without a form and for houses that
//! want the evidence on paper: the answers as tables, what is left for a
//! person, and an appendix with every message of each run that counts and
//! every attempt that does not.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::answers::{
    Answer, Answers, Source, Unanswered, Value, block_key, counted, counted_run, utc,
};
use super::error::DocumentError;
use super::fill::{Filled, FilledField, LeftField};
use super::paper::{Cell, Paper};
use super::{DRAFT_MARK, REHEARSAL_MARK};
use crate::catalogue::{Programme, RequirementKind};
use crate::evidence::{RunRecord, RunState};
use crate::ncts::Direction;
use crate::project::Settings;
use crate::project::questions::{Question, QuestionKind, questions};
use crate::verdict::{RequirementState, RequirementStatus};

/// Everything that ctc-ready's own document is made of.
#[derive(Clone, Copy, Debug)]
pub struct Dossier<'a> {
    /// The programme applied under.
    pub programme: &'a Programme,
    /// The house and its software.
    pub settings: &'a Settings,
    /// Where each requirement stands.
    pub requirements: &'a [RequirementStatus],
    /// Every run in the store; those of other programmes are passed over.
    pub runs: &'a [RunRecord],
    /// What [`super::collect`] made of the above.
    pub answers: &'a Answers,
    /// When the document is made.
    pub made: DateTime<Utc>,
    /// It is made to be looked at, whatever the verdict.
    pub draft: bool,
}

/// Writes the document. The same dossier yields the same bytes.
///
/// # Errors
/// Only if the archive cannot be written.
pub fn write(dossier: &Dossier<'_>) -> Result<Filled, DocumentError> {
    let words = words();
    let rehearsal = dossier.answers.rehearsal;
    let software = &dossier.settings.software;
    let tool = concat!("ctc-ready ", env!("CARGO_PKG_VERSION"));
    let name = format!("{} {}", software.name, software.version);
    let fill_in = |text: &str| {
        text.replace("{programme}", &dossier.programme.title)
            .replace("{software}", &name)
            .replace("{tool}", tool)
            .replace("{made}", &utc(dossier.made))
    };
    let footer = format!("{}: {name}", dossier.programme.id);
    let banner = match (rehearsal, dossier.draft) {
        (true, _) => Some(REHEARSAL_MARK),
        (false, true) => Some(DRAFT_MARK),
        (false, false) => None,
    };
    let mut paper = Paper::new(dossier.made, &footer, banner)
        .title(&fill_in(&words.title), &fill_in(&words.subtitle));
    if rehearsal {
        paper = paper.warning(&words.rehearsal);
    }
    paper = paper.text(&fill_in(&words.about));
    let mut author = Author { dossier, filled: Vec::new(), left: Vec::new() };
    paper = author.questions(paper);
    paper = paper.heading(1, "Tests").text(&words.tests);
    paper = author.tests(paper);
    paper = author.left_for_you(paper, words);
    paper = author.messages(paper, words);
    paper = author.other_attempts(paper, words);
    let Author { filled, left, .. } = author;
    Ok(Filled {
        bytes: paper.finish()?,
        edition_known: true,
        filled,
        left_for_you: left,
        not_found: Vec::new(),
    })
}

struct Author<'a> {
    dossier: &'a Dossier<'a>,
    filled: Vec<FilledField>,
    left: Vec<LeftField>,
}

impl Author<'_> {
    fn answers(&self) -> &Answers {
        self.dossier.answers
    }

    /// The mark beside a value from evidence.
    fn mark(&self) -> Option<&'static str> {
        self.answers().rehearsal.then_some(" [REHEARSAL]")
    }

    fn questions(&mut self, mut paper: Paper) -> Paper {
        let asked: Vec<&Question> = questions()
            .iter()
            .filter(|question| question.asked_by(&self.dossier.programme.id))
            .collect();
        let mut sections: Vec<&str> = Vec::new();
        for question in &asked {
            if !sections.contains(&question.section.as_str()) {
                sections.push(&question.section);
            }
        }
        for section in sections {
            let of: Vec<&&Question> = asked.iter().filter(|q| q.section == section).collect();
            let rows: Vec<Vec<Cell>> =
                of.into_iter().map(|question| self.question(question)).collect();
            paper =
                paper.heading(1, section).table(&[("Question", 4), ("Answer", 6)], &rows, false);
        }
        paper
    }

    fn question(&mut self, question: &Question) -> Vec<Cell> {
        let name = &question.name;
        let boxed = matches!(question.kind, QuestionKind::Statement | QuestionKind::Given);
        let answer = match self.answers().get(&question.key).cloned() {
            Some(answer) => {
                self.filled(name, &answer);
                match &answer.value {
                    Value::Tick(true) => Cell::text("☒"),
                    Value::Tick(false) => Cell::text("☐"),
                    value => Cell::text(value.to_string()),
                }
            }
            None => match self.answers().why_not(&question.key) {
                Unanswered::NotNeeded => Cell::grey("does not arise"),
                Unanswered::LeftForYou(why) | Unanswered::BlockLeftForYou(why) => {
                    self.left(name, &why);
                    match question.kind {
                        QuestionKind::Person => Cell::text("______________________________"),
                        _ if boxed => Cell::text("☐"),
                        _ => Cell::grey("not answered"),
                    }
                }
            },
        };
        vec![Cell::text(name), answer]
    }

    fn tests(&mut self, mut paper: Paper) -> Paper {
        let dossier = self.dossier;
        for status in dossier.requirements {
            let known =
                dossier.programme.requirement.iter().find(|known| known.id == status.requirement);
            let title = known.map_or(status.requirement.as_str(), |known| known.title.as_str());
            let counts = counted_run(status, dossier.runs, self.answers().rehearsal);
            let mandatory = status.kind == RequirementKind::Mandatory;
            // Recommended tests that were never tried are no news.
            if !mandatory && counts.is_err() && status.attempts == 0 {
                continue;
            }
            let kind = if mandatory { "mandatory" } else { "recommended" };
            let rows = match counts {
                Ok(run) => self.counted(status, title, run),
                Err(why) => self.not_counted(status, title, &why),
            };
            paper = paper.heading(2, &format!("{title} ({kind})")).table(
                &[("Item", 3), ("Value", 7)],
                &rows,
                false,
            );
        }
        paper
    }

    fn counted(
        &mut self,
        status: &RequirementStatus,
        title: &str,
        run: &RunRecord,
    ) -> Vec<Vec<Cell>> {
        let mark = self.mark();
        let mut rows = Vec::new();
        let fields = [
            ("scenario", Some(run.scenario.clone())),
            ("MRN", run.mrn.clone()),
            ("LRN", run.lrn.clone()),
        ];
        for (what, value) in fields {
            let Some(value) = value else { continue };
            self.filled.push(FilledField {
                field: format!("{title}: {what}"),
                value: value.clone(),
                from: Source::Evidence,
            });
            rows.push(vec![Cell::text(what), Cell::text(value).marked(mark)]);
        }
        if status.requirement == "outbound-movement" {
            let key = format!("{}.date-time", block_key(&status.requirement));
            if let Some(answer) = self.answers().get(&key).cloned() {
                self.filled(&format!("{title}: date and time"), &answer);
                let value = Cell::text(answer.value.to_string()).marked(mark);
                rows.push(vec![Cell::text("date and time"), value]);
            }
        }
        let mut more = |what: &str, value: String| {
            rows.push(vec![Cell::text(what), Cell::text(value)]);
        };
        more("run", run.run.to_string());
        more("environment", run.environment.as_str().to_owned());
        more("driver", driver(run));
        let build = run.software.build.as_deref().map(|build| format!(", build {build}"));
        more(
            "software",
            format!("{} {}{}", run.software.name, run.software.version, build.unwrap_or_default()),
        );
        more("API version", run.api_version.clone());
        if let Some(first) = run.first_submission() {
            more("first submission", utc(first));
        }
        if let Some(until) = status.fresh_until {
            more("fresh until", utc(until));
        }
        if let Some(operator) = &run.operator {
            more("run by", operator.clone());
        }
        rows
    }

    fn not_counted(
        &mut self,
        status: &RequirementStatus,
        title: &str,
        why: &str,
    ) -> Vec<Vec<Cell>> {
        if status.state != RequirementState::NotApplicable {
            self.left(title, why);
            return vec![vec![Cell::text("not shown"), Cell::grey(why)]];
        }
        let key = format!("{}.not-applicable", block_key(&status.requirement));
        match self.answers().get(&key).cloned() {
            Some(answer) => {
                self.filled(&format!("{title}: why not applicable"), &answer);
                vec![vec![Cell::text("not applicable"), Cell::text(answer.value.to_string())]]
            }
            None => {
                let why = match self.answers().why_not(&key) {
                    Unanswered::LeftForYou(why) | Unanswered::BlockLeftForYou(why) => why,
                    Unanswered::NotNeeded => why.to_owned(),
                };
                if status.kind == RequirementKind::Mandatory {
                    self.left(&format!("{title}: why not applicable"), &why);
                }
                vec![vec![Cell::text("not applicable"), Cell::grey("no reason given")]]
            }
        }
    }

    fn left_for_you(&mut self, paper: Paper, words: &Words) -> Paper {
        for (what, why) in self.answers().notes().to_vec() {
            // A recommended test that does not count stands under its own title.
            if !what.starts_with("recommended test") {
                self.left(&what, &why);
            }
        }
        let paper = paper.heading(1, "Left for you");
        if self.left.is_empty() {
            return paper.text(&words.nothing_left);
        }
        let rows: Vec<Vec<Cell>> = self
            .left
            .iter()
            .map(|left| vec![Cell::text(&left.field), Cell::text(&left.why)])
            .collect();
        paper.text(&words.left).table(&[("Field", 4), ("Why", 6)], &rows, false)
    }

    fn messages(&self, paper: Paper, words: &Words) -> Paper {
        let dossier = self.dossier;
        let runs = counted(dossier.requirements, dossier.runs, self.answers().rehearsal);
        let paper = paper.heading(1, "Appendix A: messages of the runs that count");
        if runs.is_empty() {
            return paper.text(&words.no_runs);
        }
        let mut paper = paper.text(&words.messages);
        for run in runs {
            let rows: Vec<Vec<Cell>> = run.messages.iter().map(message_row).collect();
            let title = format!("{}, attempt {}, run {}", run.scenario, run.attempt, run.run);
            paper = paper.heading(2, &title);
            if let Some(mark) = self.mark() {
                paper = paper.warning(mark.trim());
            }
            paper = paper.table(
                &[
                    ("Message", 9),
                    ("Direction", 10),
                    ("Time", 15),
                    ("API received", 15),
                    ("HTTP", 7),
                    ("Movement id, message id", 20),
                    ("SHA-256", 30),
                ],
                &rows,
                true,
            );
        }
        paper
    }

    fn other_attempts(&self, paper: Paper, words: &Words) -> Paper {
        let dossier = self.dossier;
        let counts = counted(dossier.requirements, dossier.runs, self.answers().rehearsal);
        let others: Vec<&RunRecord> = dossier
            .runs
            .iter()
            .filter(|run| run.programme == dossier.programme.id)
            .filter(|run| !counts.iter().any(|counted| counted.run == run.run))
            .collect();
        let paper = paper.heading(1, "Appendix B: attempts that do not count");
        if others.is_empty() {
            return paper.text(&words.no_other_attempts);
        }
        let rows: Vec<Vec<Cell>> = others
            .into_iter()
            .map(|run| {
                vec![
                    Cell::text(&run.scenario),
                    Cell::text(run.attempt.to_string()),
                    Cell::text(utc(run.opened)),
                    Cell::text(run.environment.as_str()),
                    Cell::text(outcome(run)),
                    Cell::mono(run.run.to_string()),
                ]
            })
            .collect();
        paper.text(&words.other_attempts).table(
            &[
                ("Scenario", 9),
                ("Attempt", 7),
                ("Opened", 15),
                ("Environment", 11),
                ("Outcome", 31),
                ("Run", 27),
            ],
            &rows,
            true,
        )
    }

    fn filled(&mut self, field: &str, answer: &Answer) {
        self.filled.push(FilledField {
            field: field.to_owned(),
            value: answer.value.to_string(),
            from: answer.from,
        });
    }

    fn left(&mut self, field: &str, why: &str) {
        self.left.push(LeftField { field: field.to_owned(), why: why.to_owned() });
    }
}

fn message_row(record: &crate::evidence::MessageRecord) -> Vec<Cell> {
    let direction = match record.direction {
        Direction::Sent => "sent",
        Direction::Received => "received",
    };
    let digest = record.body.sha256.to_string();
    let (first, second) = digest.split_at(digest.len() / 2);
    vec![
        Cell::text(record.message.as_str()),
        Cell::text(direction),
        Cell::text(utc(record.at)),
        Cell::text(record.received.map(utc).unwrap_or_default()),
        Cell::text(record.status.to_string()),
        Cell::mono(format!("{}\n{}", record.movement_id, record.message_id)),
        Cell::mono(format!("{first}\n{second}")),
    ]
}

fn driver(run: &RunRecord) -> String {
    serde_json::to_value(run.driver)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn outcome(run: &RunRecord) -> String {
    let state = match run.state {
        RunState::Passed if run.simulated => "passed on the simulator: never counts".to_owned(),
        RunState::Passed => "passed; another run stands, or it is too old".to_owned(),
        RunState::Failed => "failed".to_owned(),
        RunState::Waiting => "not finished".to_owned(),
        RunState::Abandoned => "given up".to_owned(),
    };
    match &run.failure {
        Some(failure) => format!("{state} at step {}: {}", failure.step, failure.message),
        None => state,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Words {
    title: String,
    subtitle: String,
    about: String,
    rehearsal: String,
    tests: String,
    left: String,
    nothing_left: String,
    messages: String,
    other_attempts: String,
    no_other_attempts: String,
    no_runs: String,
}

fn words() -> &'static Words {
    static WORDS: LazyLock<Words> = LazyLock::new(|| {
        // Part of the binary; a test reads it, so that it cannot be wrong here.
        toml::from_str(include_str!("../../templates/document/own.toml")).unwrap_or_default()
    });
    &WORDS
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_embedded_sentences_are_sound() {
        let words: super::Words =
            toml::from_str(include_str!("../../templates/document/own.toml")).unwrap();
        assert!(!words.about.is_empty());
    }
}
