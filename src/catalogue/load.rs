//! The catalogue: read from the files embedded in the binary, or from any
//! other files laid out alike, and looked things up in.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use include_dir::{Dir, include_dir};

use super::data::{self, Column, ColumnKey, Columns};
use super::problem::{CatalogueError, Problem};
use super::read::Reading;
use super::{DataSet, FormFile, Programme, Scenario};
use crate::ncts::MessageType;

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// Everything HMRC publishes that this crate knows.
#[derive(Clone, Debug)]
pub struct Catalogue {
    pub(super) programmes: Vec<Programme>,
    pub(super) scenarios: BTreeMap<String, Vec<Scenario>>,
    pub(super) data: Arc<BTreeMap<String, Columns>>,
    pub(super) forms: BTreeMap<String, Vec<FormFile>>,
}

/// A catalogue file.
#[derive(Clone, Debug)]
pub struct CatalogueFile {
    /// Path inside `scenarios/`, or inside an overlay laid out alike, with `/`.
    pub path: String,
    /// The file's name in messages.
    pub shown: String,
    /// The TOML text.
    pub text: String,
}

/// What reading a catalogue found.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The catalogue, if it is sound.
    pub catalogue: Option<Catalogue>,
    /// Scenarios read; one that several programmes share counts once.
    pub scenarios: usize,
    /// What is wrong, ordered by file and place.
    pub problems: Vec<Problem>,
    /// What is worth knowing: which built-in scenarios an overlay replaces.
    pub notes: Vec<Problem>,
}

/// Whether two scenario ids are the same: case does not matter, and a space may
/// be written as a hyphen (`Scenario 1 GB`, `scenario-1-gb`).
pub(super) fn same_id(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b' ' { b'-' } else { byte.to_ascii_uppercase() };
    one.bytes().map(plain).eq(other.bytes().map(plain))
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

    /// A catalogue from files: path inside `scenarios/`, with `/`, and text.
    ///
    /// # Errors
    /// Every problem of every file.
    pub fn load(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, CatalogueError> {
        let Inspection { catalogue, problems, .. } = Self::inspect(files, Vec::new());
        catalogue.ok_or(CatalogueError { problems })
    }

    /// Reads a catalogue and an overlay for it, and tells all there is to say
    /// about them. How the overlay's files join the others:
    ///
    /// - `programme.toml` and `common.toml` lie over the file of the same path
    ///   and need only say what changes;
    /// - `data.toml` lies over the file of the same path, part by part and
    ///   column by column;
    /// - a scenario takes the place of the one with the same id in the same
    ///   programme, or is added;
    /// - a form takes the place of the file of the same path, or is added.
    pub fn inspect(
        files: impl IntoIterator<Item = (String, String)>,
        overlay: Vec<CatalogueFile>,
    ) -> Inspection {
        let files: BTreeMap<String, String> = files.into_iter().collect();
        let mut reading = Reading::new(overlay);
        for (path, text) in files {
            reading.built_in(path, text);
        }
        reading.finish()
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

    /// A scenario of a programme by its id; case does not matter, and a space
    /// may be written as a hyphen.
    pub fn scenario(&self, programme: &str, id: &str) -> Option<&Scenario> {
        self.scenarios(programme).iter().find(|scenario| same_id(&scenario.id, id))
    }

    /// A scenario by its id, as [`Self::scenario`] does, in every programme
    /// that has it.
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
