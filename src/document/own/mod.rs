//! ctc-ready's own document: as the only one, for programmes without a form and
//! for houses that want the evidence on paper; and as an annex to HMRC's form.
//!
//! - [`Dossier`]: everything that it is made of.
//! - `sheet`: what it consists of, whatever it is written as.
//! - `questions`: the answers a form would ask for; the document alone.
//! - `matrix`: what the programme asks, with the chosen cells.
//! - `requirements`: the evidence, requirement by requirement; `messages`: every
//!   message of an attempt.
//! - `attempts`: every attempt. `judged`: verdict, findings, seals.
//! - `words`: the sentences.
//!
//! Part of [`crate::document`]; the command line may call it.

mod attempts;
mod judged;
mod matrix;
mod messages;
mod questions;
mod requirements;
pub(super) mod sheet;
mod words;

use chrono::{DateTime, Utc};

use super::answers::{Answer, Answers, Source, utc};
use super::error::DocumentError;
use super::fill::{Filled, FilledField, LeftField};
use super::paper;
use super::preview::{self, Preview};
use super::{DRAFT_MARK, REHEARSAL_MARK};
use crate::calendar::london;
use crate::catalogue::Programme;
use crate::digest::Digest;
use crate::evidence::index::IndexedRun;
use crate::evidence::{RunRecord, VerifyReport};
use crate::project::Settings;
use crate::verdict::{Need, Verdict};
use sheet::{Blocks, Cell, Sheet, Table, fact};
use words::{fill_in, words};

/// `ctc-ready` and its version.
const TOOL: &str = concat!("ctc-ready ", env!("CARGO_PKG_VERSION"));

/// Everything that ctc-ready's own document is made of.
#[derive(Clone, Copy, Debug)]
pub struct Dossier<'a> {
    /// The programme applied under.
    pub programme: &'a Programme,
    /// The house and its software.
    pub settings: &'a Settings,
    /// What the programme asks of them.
    pub needs: &'a [Need],
    /// Where each requirement stands, and what the gate found. The document is
    /// made as of the same instant.
    pub verdict: &'a Verdict,
    /// Every run in the store; those of other programmes are passed over.
    pub runs: &'a [RunRecord],
    /// What is left of runs that were removed, likewise.
    pub removed: &'a [IndexedRun],
    /// What verifying the store found; none: there is no store.
    pub integrity: Option<&'a VerifyReport>,
    /// What [`super::collect`] made of the above.
    pub answers: &'a Answers,
    /// It is made to be looked at, whatever the verdict.
    pub draft: bool,
}

/// The form of HMRC's that an annex belongs to.
#[derive(Clone, Copy, Debug)]
pub struct FormRead<'a> {
    /// Its title, for people.
    pub title: &'a str,
    /// Stable id of its edition.
    pub id: &'a str,
    /// The name of the filled file, without its folder.
    pub file: &'a str,
    /// SHA-256 of the form as it was before it was filled.
    pub digest: Digest,
    /// What was filled into it, and what was not.
    pub filled: &'a Filled,
}

/// Writes the document. The same dossier yields the same bytes.
///
/// # Errors
/// Only if the archive cannot be written.
pub fn write(dossier: &Dossier<'_>) -> Result<Filled, DocumentError> {
    let (sheet, author) = document(dossier, &words().about);
    Ok(Filled {
        bytes: paper::write(&sheet, dossier.made())?,
        edition_known: true,
        filled: author.filled,
        left_for_you: author.left,
        not_found: Vec::new(),
    })
}

/// Writes the annex to a form. The same input yields the same bytes.
///
/// # Errors
/// Only if the archive cannot be written.
pub fn annex(dossier: &Dossier<'_>, form: &FormRead<'_>) -> Result<Vec<u8>, DocumentError> {
    let mut author = Author::new(dossier);
    let mut blocks = Blocks::default();
    author.opening(&mut blocks, Some(form), &words().annex_about);
    author.evidence(&mut blocks);
    paper::write(&author.sheet(&words().annex_title, blocks), dossier.made())
}

/// What would stand in the document, or in the form and its annex, as text.
///
/// # Errors
/// Never for anything in the dossier: a template that is wrong.
pub fn preview(
    dossier: &Dossier<'_>,
    form: Option<&FormRead<'_>>,
    how: Preview,
) -> Result<String, DocumentError> {
    let about = &words().preview_about;
    let Some(form) = form else { return preview::write(&document(dossier, about).0, how) };
    let mut author = Author::new(dossier);
    let mut blocks = Blocks::default();
    author.opening(&mut blocks, Some(form), about);
    questions::form(dossier, &mut blocks, form.filled);
    author.evidence(&mut blocks);
    preview::write(&author.sheet(&words().preview_title, blocks), how)
}

fn document<'a>(dossier: &'a Dossier<'a>, about: &str) -> (Sheet, Author<'a>) {
    let mut author = Author::new(dossier);
    let mut blocks = Blocks::default();
    author.opening(&mut blocks, None, about);
    questions::answers(&mut author, &mut blocks);
    author.evidence(&mut blocks);
    questions::left(&mut author, &mut blocks);
    (author.sheet(&words().title, blocks), author)
}

impl Dossier<'_> {
    fn made(&self) -> DateTime<Utc> {
        self.verdict.as_of
    }

    fn software(&self) -> String {
        let software = &self.settings.software;
        format!("{} {}", software.name, software.version)
    }

    /// The mark beside a value from evidence.
    fn mark(&self) -> Option<&'static str> {
        self.answers.rehearsal.then_some(super::fill::REHEARSAL_BESIDE)
    }

    /// The runs of the programme.
    fn attempts(&self) -> impl Iterator<Item = &RunRecord> {
        self.runs.iter().filter(|run| run.programme == self.programme.id)
    }

    /// The name of a requirement for people.
    fn title_of<'s>(&'s self, requirement: &'s str) -> &'s str {
        let known = self.programme.requirement.iter().find(|known| known.id == requirement);
        known.map_or(requirement, |known| known.title.as_str())
    }

    fn banner(&self) -> Option<&'static str> {
        match (self.answers.rehearsal, self.draft) {
            (true, _) => Some(REHEARSAL_MARK),
            (false, true) => Some(DRAFT_MARK),
            (false, false) => None,
        }
    }
}

/// Writes one document, and remembers what it says.
struct Author<'a> {
    dossier: &'a Dossier<'a>,
    filled: Vec<FilledField>,
    left: Vec<LeftField>,
}

impl<'a> Author<'a> {
    fn new(dossier: &'a Dossier<'a>) -> Self {
        Self { dossier, filled: Vec::new(), left: Vec::new() }
    }

    fn sheet(&self, title: &str, Blocks(blocks): Blocks) -> Sheet {
        let dossier = self.dossier;
        Sheet {
            title: title.to_owned(),
            subtitle: dossier.programme.title.clone(),
            head: dossier.software(),
            foot: format!("{}: {title}", dossier.programme.id),
            banner: dossier.banner(),
            blocks,
        }
    }

    /// Who, what and when, in one table.
    fn opening(&self, blocks: &mut Blocks, form: Option<&FormRead<'_>>, about: &str) {
        let dossier = self.dossier;
        let Dossier { programme, settings, verdict, .. } = dossier;
        let words = words();
        if dossier.answers.rehearsal {
            blocks.warning(&words.rehearsal);
        } else if dossier.draft {
            blocks.warning(&words.draft);
        }
        let mut rows = Vec::new();
        let mut row = |name: &str, value: Cell| rows.push(fact(name, value));
        if let Some(form) = form {
            let sentence =
                if form.filled.edition_known { &words.form } else { &words.form_of_labels };
            let values = [("title", form.title), ("id", form.id)];
            row("Form", Cell::said(&fill_in(sentence, &values)));
            row("Filled form", Cell::text(form.file));
            row("Empty form, SHA-256", Cell::id(form.digest.to_string()));
        }
        row(
            "Business",
            match &settings.business.name {
                Some(name) => Cell::text(name),
                None => Cell::remark("not given"),
            },
        );
        row("Software", Cell::strong(dossier.software()));
        row(
            "Build",
            match &settings.software.build {
                Some(build) => Cell::id(build),
                None => Cell::remark("not given"),
            },
        );
        let api = &programme.api.version;
        row("Programme", Cell::text(format!("{} ({}, API {api})", programme.title, programme.id)));
        row("Tested", requirements::tested(dossier));
        let london = london::for_people(verdict.as_of);
        row("Judged as of", Cell::exact(format!("{}\n{london}", utc(verdict.as_of))));
        if let Some(day) = verdict.submit_on {
            row("To submit on", Cell::text(day.to_string()));
        }
        row("Verdict", Cell::strong(judged::headline(verdict)));
        row("Seal", judged::latest_seal(dossier.integrity));
        row("Written by", Cell::text(TOOL));
        blocks.table(Table::facts(rows));
        blocks.text(about);
    }

    /// What document and annex have in common.
    fn evidence(&mut self, blocks: &mut Blocks) {
        matrix::write(self.dossier, blocks);
        requirements::write(self, blocks);
        attempts::write(self.dossier, blocks);
        judged::write(self.dossier, blocks);
    }

    fn filled(&mut self, field: &str, answer: &Answer) {
        self.filled.push(FilledField {
            field: field.to_owned(),
            value: answer.value.to_string(),
            from: answer.from,
        });
    }

    fn filled_from_evidence(&mut self, field: &str, value: &str) {
        self.filled.push(FilledField {
            field: field.to_owned(),
            value: value.to_owned(),
            from: Source::Evidence,
        });
    }

    fn left(&mut self, field: &str, why: &str) {
        self.left.push(LeftField { field: field.to_owned(), why: why.to_owned() });
    }
}
