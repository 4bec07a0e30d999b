//! Reading catalogue files, an overlay's with the built-in ones, into a draft
//! that the checks look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::check;
use super::data::{self, Columns, DataFile};
use super::load::{Catalogue, CatalogueFile, Inspection, same_id};
use super::problem::{Key, Problem, Source};
use super::twins::Entry;
use super::{
    Api, Availability, CredentialsBasis, DatedFact, Erratum, FormFile, Officers, OtherApi,
    PendingChecklist, Phase, Programme, Requirement, Scenario, Submission, Timers, UnpublishedDate,
};

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
    pending_checklist: Option<PendingChecklist>,
    timers: Option<Timers>,
    requirement: Option<Vec<Requirement>>,
    documents: Option<BTreeMap<String, String>>,
    #[serde(default)]
    date: Vec<DatedFact>,
    #[serde(default)]
    unpublished: Vec<UnpublishedDate>,
    #[serde(default)]
    credentials_basis: Vec<CredentialsBasis>,
    #[serde(default)]
    other_api: Vec<OtherApi>,
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
    documents: Option<BTreeMap<String, String>>,
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
    /// Whether it is an overlay's.
    pub(super) overlay: bool,
    /// Whether it stands in a programme's own folder: its scenarios come after
    /// those that programmes share.
    own: bool,
    pub(super) programmes: Vec<String>,
    /// As they stand in the file.
    pub(super) entries: Vec<Entry>,
    /// By side, each with the index of its entry.
    pub(super) scenarios: Vec<(usize, Scenario)>,
}

/// Everything read, before it is known to be right.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) programmes: Vec<DraftProgramme>,
    /// Those of an overlay last.
    pub(super) scenarios: Vec<DraftScenarios>,
    pub(super) columns: BTreeMap<String, Columns>,
    pub(super) forms: BTreeMap<String, Vec<FormFile>>,
    /// Which files could be read whole.
    pub(super) whole: Whole,
}

/// Whether every file of a kind could be read whole. If not, what is missing may
/// only be what could not be read, and is not reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    pub(super) programmes: bool,
    pub(super) data: bool,
    pub(super) scenarios: bool,
}

impl Default for Whole {
    fn default() -> Self {
        Self { programmes: true, data: true, scenarios: true }
    }
}

impl Draft {
    /// Every scenario that holds in a programme: of several with one id, the
    /// overlay's.
    pub(super) fn scenarios_of<'a>(&'a self, programme: &str) -> Vec<&'a Scenario> {
        let mut out: Vec<&Scenario> = Vec::new();
        for file in self.scenarios.iter().filter(|file| file.has(programme)) {
            for (_, scenario) in &file.scenarios {
                let same = |below: &&mut &Scenario| same_id(&below.id, &scenario.id);
                match file.overlay.then(|| out.iter_mut().find(same)).flatten() {
                    Some(below) => *below = scenario,
                    None => out.push(scenario),
                }
            }
        }
        out
    }

    /// What an overlay's scenarios take the place of.
    fn replaced(&self) -> Vec<Problem> {
        let mut notes = Vec::new();
        for file in self.scenarios.iter().filter(|file| file.overlay) {
            for (index, scenario) in &file.scenarios {
                let below = self.scenarios.iter().filter(|below| !below.overlay).filter(|below| {
                    below.scenarios.iter().any(|(_, other)| same_id(&other.id, &scenario.id))
                });
                let programmes: Vec<&str> = below
                    .flat_map(|below| &below.programmes)
                    .filter(|name| file.has(name))
                    .map(String::as_str)
                    .collect();
                if !programmes.is_empty() {
                    notes.push(file.source.problem(
                        &[Key::Name("scenario"), Key::At(*index), Key::Name("id")],
                        format!(
                            "`{}` takes the place of the built-in scenario in {}",
                            scenario.id,
                            programmes.join(", ")
                        ),
                    ));
                }
            }
        }
        notes
    }
}

impl DraftScenarios {
    fn has(&self, programme: &str) -> bool {
        self.programmes.iter().any(|name| name == programme)
    }
}

/// What a catalogue file is, by its path.
enum Role<'a> {
    Programme(&'a str),
    Common(&'a str),
    Data(&'a str),
    Form(&'a str, &'a str),
    Scenarios(&'a str),
    Stray,
}

impl<'a> Role<'a> {
    /// None for what is no catalogue file at all.
    fn of(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_suffix(".toml")?.split('/').collect();
        Some(match parts.as_slice() {
            [folder, "programme"] => Self::Programme(folder),
            [folder, "common"] => Self::Common(folder),
            [folder, "data"] => Self::Data(folder),
            [folder, "forms", id] => Self::Form(folder, id),
            [folder, _] => Self::Scenarios(folder),
            _ => Self::Stray,
        })
    }
}

/// Catalogue files as they are read.
pub(super) struct Reading {
    /// The overlay's files that were not read yet, by path.
    overlay: BTreeMap<String, CatalogueFile>,
    draft: Draft,
    programmes: Vec<(String, Source, ProgrammeFile)>,
    commons: BTreeMap<String, (Source, CommonFile)>,
    data: BTreeMap<String, DataFile>,
    problems: Vec<Problem>,
}

impl Reading {
    pub(super) fn new(overlay: Vec<CatalogueFile>) -> Self {
        Self {
            overlay: overlay.into_iter().map(|file| (file.path.clone(), file)).collect(),
            draft: Draft::default(),
            programmes: Vec::new(),
            commons: BTreeMap::new(),
            data: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Reads a built-in file, with what the overlay lays over it at once.
    pub(super) fn built_in(&mut self, path: String, text: String) {
        let mut source = Source::new(&path, &text);
        match Role::of(&path) {
            Some(Role::Programme(_) | Role::Common(_)) => {
                if let Some(over) = self.overlay.remove(&path) {
                    source = source.under(over.shown, over.text);
                }
            }
            // The overlay's is read in its place.
            Some(Role::Form(..)) if self.overlay.contains_key(&path) => return,
            _ => {}
        }
        self.file(&path, text, source, false);
    }

    fn file(&mut self, path: &str, text: String, mut source: Source, overlay: bool) {
        let Some(role) = Role::of(path) else { return };
        let problems = &mut self.problems;
        let before = problems.len();
        match role {
            Role::Programme(folder) => {
                if let Some(file) = source.read::<ProgrammeFile>(problems) {
                    self.programmes.push((folder.to_owned(), source, file));
                }
            }
            Role::Common(folder) => {
                let file = source.read(problems).unwrap_or_default();
                self.commons.insert(folder.to_owned(), (source, file));
            }
            Role::Data(folder) => {
                if let Some(mut file) = DataFile::read(source, problems) {
                    if let Some(below) = self.data.remove(folder) {
                        let key = format!("{folder} (built in)");
                        file.lie_over(&key, problems);
                        self.data.insert(key, below);
                    }
                    self.data.insert(folder.to_owned(), file);
                }
            }
            Role::Form(folder, id) => {
                self.draft.forms.entry(folder.to_owned()).or_default().push(FormFile {
                    id: id.to_owned(),
                    path: path.to_owned(),
                    text,
                });
            }
            Role::Scenarios(folder) => {
                if let Some(file) = source.read::<ScenarioFile>(problems) {
                    let entries = file.scenario.iter().enumerate();
                    self.draft.scenarios.push(DraftScenarios {
                        source,
                        overlay,
                        own: file.programmes.iter().any(|name| name == folder),
                        programmes: file.programmes,
                        scenarios: entries
                            .flat_map(|(index, entry)| {
                                entry.expand().into_iter().map(move |twin| (index, twin))
                            })
                            .collect(),
                        entries: file.scenario,
                    });
                }
            }
            Role::Stray => problems.push(source.problem(
                &[],
                "there is no place for this file: scenarios stand in `<folder>/<name>.toml`, forms in `<programme>/forms/<name>.toml`",
            )),
        }
        let read = problems.len() == before;
        let whole = &mut self.draft.whole;
        match role {
            Role::Programme(_) | Role::Common(_) => whole.programmes &= read,
            Role::Data(_) => whole.data &= read,
            Role::Scenarios(_) => whole.scenarios &= read,
            Role::Form(..) | Role::Stray => {}
        }
    }

    /// Reads the rest of the overlay, and checks everything.
    pub(super) fn finish(mut self) -> Inspection {
        for (path, file) in std::mem::take(&mut self.overlay) {
            let source = Source::new(file.shown, &file.text);
            self.file(&path, file.text, source, true);
        }
        let Self { mut draft, programmes, commons, data, mut problems, .. } = self;
        draft.scenarios.sort_by_key(|file| (file.overlay, file.own));
        for (folder, own, file) in programmes {
            if let Some(programme) = complete(&folder, own, file, &commons, &mut problems) {
                let columns = data::assemble(&folder, &data, &mut problems);
                draft.columns.insert(programme.programme.id.clone(), columns);
                draft.programmes.push(programme);
            } else {
                draft.whole.programmes = false;
            }
        }
        // A programme without dates has no place among the others.
        draft.programmes.sort_by_key(|draft| {
            let opens = draft.programme.phase.iter().filter_map(|phase| phase.opens).min();
            (opens.is_none(), opens, draft.programme.id.clone())
        });
        for forms in draft.forms.values_mut() {
            forms.sort_by(|one, other| one.path.cmp(&other.path));
        }
        check::check(&draft, &mut problems);
        problems.sort();
        problems.dedup();

        let mut ids: Vec<String> = draft
            .scenarios
            .iter()
            .flat_map(|file| &file.scenarios)
            .map(|(_, scenario)| scenario.id.to_ascii_uppercase())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let notes = draft.replaced();
        let catalogue = problems.is_empty().then(|| draft.into_catalogue());
        Inspection { catalogue, scenarios: ids.len(), problems, notes }
    }
}

impl Draft {
    fn into_catalogue(self) -> Catalogue {
        let scenarios = self
            .programmes
            .iter()
            .map(|draft| {
                let id = &draft.programme.id;
                let mut list: Vec<Scenario> = self.scenarios_of(id).into_iter().cloned().collect();
                list.sort_by_key(|scenario| scenario.flow);
                (id.clone(), list)
            })
            .collect();
        Catalogue {
            scenarios,
            programmes: self.programmes.into_iter().map(|draft| draft.programme).collect(),
            data: Arc::new(self.columns),
            forms: self.forms,
        }
    }
}

/// Completes a programme with what it inherits; none, with problems, when it
/// cannot be one.
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
    let requirement = take!(requirement);
    let inherited_errata = base.errata.len();
    let errata = base.errata.into_iter().chain(file.errata).collect();

    if requirement.is_none() {
        problems.push(
            own.problem(&[], "missing field `requirement`, here or in the common file it extends"),
        );
    }
    // Both tell what they know.
    let mut documents = base.documents.unwrap_or_default();
    documents.extend(file.documents.unwrap_or_default());
    let programme = Programme {
        id: file.id,
        title: file.title,
        api: file.api,
        phase: file.phase,
        availability: availability.unwrap_or_default(),
        officers,
        submission,
        pending_checklist: file.pending_checklist,
        timers,
        requirement: requirement?,
        documents,
        date: file.date,
        unpublished: file.unpublished,
        credentials_basis: file.credentials_basis,
        other_api: file.other_api,
        errata,
    };
    Some(DraftProgramme { programme, own, common, inherited, inherited_errata })
}
