//! Forms as data: how an edition is recognised and where each answer goes.
//! The words of the files are explained at the top of
//! `scenarios/ncts6/forms/ncts6-readiness-2026-04-14.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::answers::Choice;
use super::body::{Body, normalise};
use crate::catalogue::FormFile;
use crate::digest::Digest;

/// One edition of a form.
#[derive(Clone, Debug, PartialEq)]
pub struct FormDefinition {
    /// Stable name: the file's name without `.toml`.
    pub id: String,
    /// For people.
    pub title: String,
    /// Programmes whose answers it takes.
    pub programmes: Vec<String>,
    /// Document and edition.
    pub source: String,
    /// Phrases that must all occur, each inside one paragraph; normalised.
    pub recognise: Vec<String>,
    /// Phrases that occur in every edition of the form, in whatever capitals,
    /// each inside one paragraph; normalised. Empty: no other edition is taken
    /// for this form.
    pub family: Vec<String>,
    /// Every field: those of the whole form first, then section by section.
    pub fields: Vec<Field>,
}

/// How a document relates to a form of which it is an edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// The edition that the form file describes.
    Known,
    /// Another one of the same family.
    Unknown,
}

/// One place of a form.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The answer that goes here.
    pub key: String,
    /// For people.
    pub name: String,
    /// The section it lies in.
    pub section: Option<Section>,
    /// What its paragraph begins with; normalised.
    pub label: String,
    /// Other wordings that an unknown edition may use; normalised.
    pub also: Vec<String>,
    /// The number in the label tells it from its neighbours; in other labels
    /// an unknown edition may have another number, or none.
    pub numbered: bool,
    /// How the answer is written.
    pub kind: FieldKind,
    /// Key of the field that explains an answer for which this one has no box.
    pub explained_in: Option<String>,
    /// HMRC's empty form has this box ticked.
    pub published_ticked: bool,
    /// What the box states ([`super::statement::digest`]); a box alone has it.
    pub states: Option<Digest>,
}

/// A table of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// For people.
    pub name: String,
    /// What one of its paragraphs, and no other in a table, begins with;
    /// normalised.
    pub table: String,
    /// As [`Field::also`].
    pub also: Vec<String>,
    /// As [`Field::numbered`].
    pub numbered: bool,
}

/// How an answer is written into a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// At the end of the label's paragraph.
    AfterLabel,
    /// In place of the underscores after the label.
    Line,
    /// In the content control after the label.
    Control,
    /// In the blank paragraph below the label.
    Below,
    /// One of the boxes after the label; the word before each, normalised.
    Choice(BTreeMap<Choice, String>),
    /// The box before the label.
    Tick,
}

/// A form file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the form file `{path}` is wrong: {detail}")]
pub struct FormProblem {
    /// The file, inside `scenarios/`.
    pub path: String,
    /// What is wrong, with line and column where the reader knows them.
    pub detail: String,
}

/// Reads the catalogue's form files, sorted by id.
///
/// # Errors
/// The first file that is not as described in this module, and two files of
/// the same id.
pub fn forms<'a>(
    files: impl IntoIterator<Item = &'a FormFile>,
) -> Result<Vec<FormDefinition>, FormProblem> {
    let mut out: Vec<FormDefinition> = Vec::new();
    for file in files {
        let form = FormDefinition::parse(file)?;
        if out.iter().any(|other| other.id == form.id) {
            let detail = format!("another form file has the same name `{}`", form.id);
            return Err(FormProblem { path: file.path.clone(), detail });
        }
        out.push(form);
    }
    out.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(out)
}

impl FormDefinition {
    /// Reads one form file.
    ///
    /// # Errors
    /// Unknown or missing entries, and entries that contradict one another.
    pub fn parse(file: &FormFile) -> Result<Self, FormProblem> {
        let problem = |detail: String| FormProblem { path: file.path.clone(), detail };
        let raw: RawForm =
            toml::from_str(&file.text).map_err(|error| problem(error.to_string()))?;
        let recognise: Vec<String> = raw.recognise.iter().map(|text| normalise(text)).collect();
        if recognise.len() < 2 || recognise.iter().any(String::is_empty) {
            return Err(problem("`recognise` needs two phrases or more".to_owned()));
        }
        let family: Vec<String> = raw.family.iter().map(|text| normalise(text)).collect();
        if family.iter().any(String::is_empty) {
            return Err(problem("a phrase of `family` is empty".to_owned()));
        }
        if raw.programmes.is_empty() {
            return Err(problem("`programmes` is empty".to_owned()));
        }
        let mut fields = Vec::new();
        for field in &raw.field {
            fields.push(field.resolve(None, 0).map_err(problem)?);
        }
        for section in &raw.section {
            for n in 1..=section.count.unwrap_or(1) {
                let of = Section {
                    name: numbered(&section.name, n),
                    table: normalise(&numbered(&section.table, n)),
                    also: wordings(&section.also, n),
                    numbered: section.table.contains(NUMBER),
                };
                if of.table.is_empty() {
                    return Err(problem(format!("the section `{}` has no `table`", of.name)));
                }
                for field in &section.field {
                    fields.push(field.resolve(Some(of.clone()), n).map_err(problem)?);
                }
            }
        }
        let mut keys = BTreeSet::new();
        if let Some(twice) = fields.iter().find(|field| !keys.insert(field.key.as_str())) {
            return Err(problem(format!("the key `{}` occurs twice", twice.key)));
        }
        Ok(Self {
            id: file.id.clone(),
            title: raw.title,
            programmes: raw.programmes,
            source: raw.source,
            recognise,
            family,
            fields,
        })
    }

    /// The phrases of the known edition that `body` does not have.
    pub(super) fn absent(&self, body: &Body) -> Vec<&String> {
        let occurs = |phrase: &&String| {
            body.paragraphs.iter().any(|paragraph| paragraph.text.contains(phrase.as_str()))
        };
        self.recognise.iter().filter(|phrase| !occurs(phrase)).collect()
    }

    /// Which edition of the form `body` is, if any.
    pub(super) fn edition(&self, body: &Body) -> Option<Edition> {
        if self.absent(body).is_empty() {
            return Some(Edition::Known);
        }
        let occurs = |phrase: &String| {
            let phrase = phrase.to_lowercase();
            body.paragraphs.iter().any(|paragraph| paragraph.text.to_lowercase().contains(&phrase))
        };
        (!self.family.is_empty() && self.family.iter().all(occurs)).then_some(Edition::Unknown)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawForm {
    title: String,
    programmes: Vec<String>,
    source: String,
    recognise: Vec<String>,
    #[serde(default)]
    family: Vec<String>,
    #[serde(default)]
    field: Vec<RawField>,
    #[serde(default)]
    section: Vec<RawSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawSection {
    name: String,
    table: String,
    #[serde(default)]
    also: Vec<String>,
    count: Option<u32>,
    field: Vec<RawField>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawField {
    key: String,
    name: String,
    kind: RawKind,
    label: String,
    #[serde(default)]
    also: Vec<String>,
    options: Option<BTreeMap<Choice, String>>,
    explained_in: Option<String>,
    #[serde(default)]
    published_ticked: bool,
    states: Option<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    AfterLabel,
    Line,
    Control,
    Below,
    Choice,
    Tick,
}

impl RawField {
    fn resolve(&self, section: Option<Section>, n: u32) -> Result<Field, String> {
        let key = numbered(&self.key, n);
        let label = normalise(&self.label);
        if label.is_empty() {
            return Err(format!("the label of `{key}` is empty"));
        }
        if self.published_ticked && self.kind != RawKind::Tick {
            return Err(format!("`published-ticked` of `{key}` needs the kind `tick`"));
        }
        match (self.kind == RawKind::Tick, self.states) {
            (true, None) => {
                return Err(format!("the tick `{key}` needs `states`, the digest of its words"));
            }
            (false, Some(_)) => return Err(format!("`states` of `{key}` needs the kind `tick`")),
            _ => {}
        }
        let kind = match (self.kind, &self.options) {
            (RawKind::Choice, Some(options)) if options.len() >= 2 => FieldKind::Choice(
                options.iter().map(|(choice, word)| (*choice, normalise(word))).collect(),
            ),
            (RawKind::Choice, _) => {
                return Err(format!("the choice `{key}` needs two `options` or more"));
            }
            (_, Some(_)) => return Err(format!("`options` of `{key}` needs the kind `choice`")),
            (RawKind::AfterLabel, None) => FieldKind::AfterLabel,
            (RawKind::Line, None) => FieldKind::Line,
            (RawKind::Control, None) => FieldKind::Control,
            (RawKind::Below, None) => FieldKind::Below,
            (RawKind::Tick, None) => FieldKind::Tick,
        };
        Ok(Field {
            key,
            name: numbered(&self.name, n),
            section,
            label,
            also: wordings(&self.also, n),
            numbered: self.label.contains(NUMBER),
            kind,
            explained_in: self.explained_in.clone(),
            published_ticked: self.published_ticked,
            states: self.states,
        })
    }
}

/// Where the number of a repeated section goes.
const NUMBER: &str = "{n}";

fn numbered(text: &str, n: u32) -> String {
    text.replace(NUMBER, &n.to_string())
}

fn wordings(texts: &[String], n: u32) -> Vec<String> {
    texts.iter().map(|text| normalise(&numbered(text, n))).collect()
}
