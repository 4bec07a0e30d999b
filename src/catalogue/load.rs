//! Reading the catalogue: from the files embedded in the binary, or from any
//! other files laid out alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::check;
use super::data::{self, Column, ColumnKey, Columns, DataFile};
use super::problem::{CatalogueError, Key, Problem, Source};
use super::twins::Entry;
use super::{
    Api, Availability, DataSet, DatedFact, Erratum, FormFile, Officers, Phase, Programme,
    Requirement, Scenario, Submission, Timers, UnpublishedDate,
};
use crate::ncts::MessageType;

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// Everything HMRC publishes that this crate knows.
#[derive(Clone, Debug)]
pub struct Catalogue {
    programmes: Vec<Programme>,
    scenarios: BTreeMap<String, Vec<Scenario>>,
    data: Arc<BTreeMap<String, Columns>>,
    forms: BTreeMap<String, Vec<FormFile>>,
}

/// `programme.toml`. What it leaves out stands in the `common.toml` of the
/// folder it extends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ProgrammeFile {
    id: String,
    title: String,
    extends: Option<String>,
    api: Api,
    phase: Vec<Phase>,
    availability: Option<Vec<Availability>>,
    officers: Option<Officers>,
    submission: Option<Submission>,
    timers: Option<Timers>,
    requirement: Option<Vec<Requirement>>,
    pending: Option<Vec<String>>,
    #[serde(default)]
    date: Vec<DatedFact>,
    #[serde(default)]
    unpublished: Vec<UnpublishedDate>,
    #[serde(default)]
    errata: Vec<Erratum>,
}

/// `common.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CommonFile {
    availability: Option<Vec<Availability>>,
    officers: Option<Officers>,
    submission: Option<Submission>,
    timers: Option<Timers>,
    requirement: Option<Vec<Requirement>>,
    pending: Option<Vec<String>>,
    #[serde(default)]
    errata: Vec<Erratum>,
}

/// A file of scenarios.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioFile {
    programmes: Vec<String>,
    scenario: Vec<Entry>,
}

/// A programme and the files its parts came from.
#[derive(Debug)]
pub(super) struct DraftProgramme {
    pub(super) programme: Programme,
    /// `programme.toml`.
    pub(super) own: Source,
    /// `common.toml`, where there is one.
    pub(super) common: Option<Source>,
    /// Keys that stand in `common`.
    pub(super) inherited: Vec<&'static str>,
    /// How many of the errata, which are joined, stand in `common`: the first.
    inherited_errata: usize,
}

impl DraftProgramme {
    /// A problem at a place in whichever file the key stands in.
    pub(super) fn problem(&self, path: &[Key<'_>], message: impl Into<String>) -> Problem {
        let mut path = path.to_vec();
        let inherited = match path.as_mut_slice() {
            [Key::Name("errata"), Key::At(index), ..] => {
                let own = index.checked_sub(self.inherited_errata);
                *index = own.unwrap_or(*index);
                own.is_none()
            }
            [Key::Name(name), ..] => self.inherited.contains(name),
            _ => false,
        };
        match &self.common {
            Some(common) if inherited => common.problem(&path, message),
            _ => self.own.problem(&path, message),
        }
    }
}

/// A file of scenarios as read.
#[derive(Debug)]
pub(super) struct DraftScenarios {
    pub(super) source: Source,
    pub(super) programmes: Vec<String>,
    /// Each with the index of its entry in the file.
    pub(super) scenarios: Vec<(usize, Scenario)>,
}

/// Everything read, before it is known to be right.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) programmes: Vec<DraftProgramme>,
    pub(super) scenarios: Vec<DraftScenarios>,
    pub(super) columns: BTreeMap<String, Columns>,
    /// Whether every file could be read whole. If not, a missing scenario or
    /// column may only be one that could not be read, and is not reported.
    pub(super) whole: bool,
}

impl Catalogue {
    /// The catalogue embedded in the binary.
    ///
    /// # Errors
    /// Every problem of its files; a released binary has none.
    pub fn built_in() -> Result<Self, CatalogueError> {
        Self::load(Self::embedded())
    }

    /// The embedded files: path inside `scenarios/` and text.
    pub fn embedded() -> impl Iterator<Item = (String, String)> {
        fn walk(dir: &'static Dir<'static>, out: &mut Vec<(String, String)>) {
            for file in dir.files() {
                if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
                    out.push((path.replace('\\', "/"), text.to_owned()));
                }
            }
            for folder in dir.dirs() {
                walk(folder, out);
            }
        }
        let mut out = Vec::new();
        walk(&SCENARIOS, &mut out);
        out.into_iter()
    }

    /// A catalogue from files: path inside `scenarios/`, with `/`, and text. A
    /// path given twice means its last text, so an overlay is a matter of
    /// chaining its files to [`Self::embedded`].
    ///
    /// # Errors
    /// Every problem of every file.
    pub fn load(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, CatalogueError> {
        let files: BTreeMap<String, String> = files.into_iter().collect();
        let mut problems = Vec::new();
        let mut draft = Draft { whole: true, ..Draft::default() };
        let mut forms: BTreeMap<String, Vec<FormFile>> = BTreeMap::new();
        let mut programme_files = Vec::new();
        let mut commons: BTreeMap<String, (Source, CommonFile)> = BTreeMap::new();
        let mut data_files: BTreeMap<String, DataFile> = BTreeMap::new();

        for (path, text) in files {
            let Some(stem) = path.strip_suffix(".toml") else { continue };
            let parts: Vec<&str> = stem.split('/').collect();
            let mut source = Source::new(&path, &text);
            let before = problems.len();
            match parts.as_slice() {
                [folder, "programme"] => {
                    if let Some(file) = source.read::<ProgrammeFile>(&mut problems) {
                        programme_files.push(((*folder).to_owned(), source, file));
                    }
                }
                [folder, "common"] => {
                    let file = source.read(&mut problems).unwrap_or_default();
                    commons.insert((*folder).to_owned(), (source, file));
                }
                [folder, "data"] => {
                    if let Some(file) = DataFile::read(source, &mut problems) {
                        data_files.insert((*folder).to_owned(), file);
                    }
                }
                [folder, "forms", id] => {
                    forms.entry((*folder).to_owned()).or_default().push(FormFile {
                        id: (*id).to_owned(),
                        path,
                        text,
                    });
                }
                [_, _] => {
                    if let Some(file) = source.read::<ScenarioFile>(&mut problems) {
                        let entries = file.scenario.iter().enumerate();
                        draft.scenarios.push(DraftScenarios {
                            source,
                            programmes: file.programmes,
                            scenarios: entries
                                .flat_map(|(index, entry)| {
                                    entry.expand().into_iter().map(move |twin| (index, twin))
                                })
                                .collect(),
                        });
                    }
                }
                _ => problems.push(source.problem(
                    &[],
                    "there is no place for this file: scenarios stand in `<folder>/<name>.toml`, forms in `<programme>/forms/<name>.toml`",
                )),
            }
            draft.whole &= problems.len() == before;
        }

        for (folder, own, file) in programme_files {
            if let Some(programme) = complete(&folder, own, file, &commons, &mut problems) {
                let columns = data::assemble(&folder, &data_files, &mut problems);
                draft.columns.insert(programme.programme.id.clone(), columns);
                draft.programmes.push(programme);
            } else {
                draft.whole = false;
            }
        }
        draft.programmes.sort_by_key(|draft| {
            let opens = draft.programme.phase.iter().filter_map(|phase| phase.opens).min();
            (opens, draft.programme.id.clone())
        });
        check::check(&draft, &forms, &mut problems);
        if !problems.is_empty() {
            problems.sort();
            problems.dedup();
            return Err(CatalogueError { problems });
        }

        let mut scenarios: BTreeMap<String, Vec<Scenario>> = BTreeMap::new();
        for file in draft.scenarios {
            for programme in &file.programmes {
                let list = scenarios.entry(programme.clone()).or_default();
                list.extend(file.scenarios.iter().map(|(_, scenario)| scenario.clone()));
            }
        }
        for list in scenarios.values_mut() {
            list.sort_by_key(|scenario| scenario.flow);
        }
        Ok(Self {
            programmes: draft.programmes.into_iter().map(|draft| draft.programme).collect(),
            scenarios,
            data: Arc::new(draft.columns),
            forms,
        })
    }

    /// Every programme, the one that opened first first.
    pub fn programmes(&self) -> &[Programme] {
        &self.programmes
    }

    /// The programme with this id.
    pub fn programme(&self, id: &str) -> Option<&Programme> {
        self.programmes.iter().find(|programme| programme.id == id)
    }

    /// The programme open on a London day; of several, the one that opened
    /// last.
    pub fn default_programme(&self, on: NaiveDate) -> Option<&Programme> {
        let opened = |programme: &Programme| {
            let open = programme.phase.iter().filter(|phase| {
                phase.opens.is_some_and(|opens| opens <= on)
                    && phase.closes.is_none_or(|closes| on <= closes)
            });
            open.filter_map(|phase| phase.opens).max()
        };
        self.programmes.iter().filter(|p| opened(p).is_some()).max_by_key(|p| opened(p))
    }

    /// The scenarios valid in a programme, by flow, then in the order of their
    /// files.
    pub fn scenarios(&self, programme: &str) -> &[Scenario] {
        self.scenarios.get(programme).map_or(&[], Vec::as_slice)
    }

    /// A scenario of a programme by its id, whatever its case.
    pub fn scenario(&self, programme: &str, id: &str) -> Option<&Scenario> {
        self.scenarios(programme).iter().find(|scenario| scenario.id.eq_ignore_ascii_case(id))
    }

    /// A scenario by its id, whatever its case, in every programme that has it.
    pub fn find_scenario(&self, id: &str) -> Vec<(&Programme, &Scenario)> {
        self.programmes
            .iter()
            .filter_map(|programme| Some((programme, self.scenario(&programme.id, id)?)))
            .collect()
    }

    /// The test data of a message by sheet and column name of the data
    /// spreadsheet (see [`super::Step::sheet`]); case, spaces and punctuation
    /// do not matter.
    pub fn data(
        &self,
        programme: &str,
        message: MessageType,
        sheet: Option<&str>,
        column: &str,
    ) -> Option<&DataSet> {
        let columns = self.data.get(programme)?;
        columns.get(&ColumnKey::new(message, sheet, column)).map(|column| &column.data)
    }

    /// Every column of a programme's test data.
    pub fn columns(&self, programme: &str) -> impl Iterator<Item = &Column> {
        self.data.get(programme).into_iter().flat_map(|columns| columns.values())
    }

    /// The distinct values of an XML element (such as `GRN`) in a programme's
    /// test data, sorted.
    pub fn test_values(&self, programme: &str, element: &str) -> Vec<&str> {
        let mut out = Vec::new();
        for column in self.columns(programme) {
            data::values_of(&column.data, element, &mut out);
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// The forms of a programme: text only, read where forms are filled.
    pub fn forms(&self, programme: &str) -> &[FormFile] {
        self.forms.get(programme).map_or(&[], Vec::as_slice)
    }
}

/// Completes a programme with what it inherits; none, with problems, when a
/// part is in neither file.
fn complete(
    folder: &str,
    own: Source,
    file: ProgrammeFile,
    commons: &BTreeMap<String, (Source, CommonFile)>,
    problems: &mut Vec<Problem>,
) -> Option<DraftProgramme> {
    if file.id != folder {
        problems.push(own.problem(
            &[Key::Name("id")],
            format!(
                "programme `{}` must stand in a folder of that name, not in `{folder}`",
                file.id
            ),
        ));
    }
    let base = file.extends.as_ref().and_then(|name| {
        let found = commons.get(name);
        if found.is_none() {
            problems.push(
                own.problem(&[Key::Name("extends")], format!("there is no `{name}/common.toml`")),
            );
        }
        found
    });
    let (common, base) = match base {
        Some((source, base)) => (Some(source.clone()), base.clone()),
        None => (None, CommonFile::default()),
    };

    let mut inherited = Vec::new();
    macro_rules! take {
        ($field:ident) => {{
            if file.$field.is_none() && base.$field.is_some() {
                inherited.push(stringify!($field));
            }
            file.$field.or(base.$field)
        }};
    }
    let (availability, officers) = (take!(availability), take!(officers));
    let (submission, timers) = (take!(submission), take!(timers));
    let (requirement, pending) = (take!(requirement), take!(pending));
    let inherited_errata = base.errata.len();
    let errata = base.errata.into_iter().chain(file.errata).collect();

    for (missing, name) in [
        (availability.is_none(), "availability"),
        (officers.is_none(), "officers"),
        (submission.is_none(), "submission"),
        (timers.is_none(), "timers"),
        (requirement.is_none(), "requirement"),
    ] {
        if missing {
            problems.push(own.problem(
                &[],
                format!("missing field `{name}`, here or in the common file it extends"),
            ));
        }
    }
    let programme = Programme {
        id: file.id,
        title: file.title,
        api: file.api,
        phase: file.phase,
        availability: availability?,
        officers: officers?,
        submission: submission?,
        timers: timers?,
        requirement: requirement?,
        pending: pending.unwrap_or_default(),
        date: file.date,
        unpublished: file.unpublished,
        errata,
    };
    Some(DraftProgramme { programme, own, common, inherited, inherited_errata })
}
