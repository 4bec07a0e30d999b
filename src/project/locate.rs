//! Finding the project's folder and reading its file.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::check;
use super::parse::{SettingsError, SettingsProblem, quoted};
use super::settings::Settings;

/// The file that makes a folder a project.
pub const FILE_NAME: &str = "ctc-ready.toml";

/// Largest settings file read, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// A project: its folder and what its file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// The folder with the file; absolute when the current folder was given
    /// absolute.
    pub root: PathBuf,
    /// The settings, their paths already relative to `root`.
    pub settings: Settings,
    /// The file.
    pub file: PathBuf,
}

/// A project that cannot be found or read.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// No folder upwards has the file.
    #[error(
        "no `ctc-ready.toml` in `{}` or any folder above it; `ctc-ready init` writes one",
        .0.display()
    )]
    NotFound(PathBuf),
    /// The folder given has no such file.
    #[error(
        "no `ctc-ready.toml` in `{}`; give the folder that holds it, or write one there with `ctc-ready init`",
        .0.display()
    )]
    NotInFolder(PathBuf),
    /// The file is there and cannot be read.
    #[error("cannot read `{}`: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is far larger than settings can be.
    #[error("`{}` is larger than {MAX_BYTES} bytes; a settings file is a few kilobytes", .0.display())]
    TooLarge(PathBuf),
    /// The file is no UTF-8.
    #[error("`{}`:{line} is not UTF-8; save the file as UTF-8", file.display())]
    NotUtf8 {
        /// The file.
        file: PathBuf,
        /// The line of the first wrong byte, from 1.
        line: usize,
    },
    /// What the file says does not hold.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl Project {
    /// Finds and reads the project. `start` is the folder that `--project`
    /// names, which must hold the file itself; without it, the nearest folder
    /// from `cwd` upwards that does. `known_programmes` are the ids of the
    /// built-in catalogue; they are not checked when the settings name an
    /// overlay, whose ids are known only once it is loaded
    /// ([`Project::check_programmes`]).
    ///
    /// # Errors
    /// See [`ProjectError`].
    pub fn locate(
        start: Option<&Path>,
        cwd: &Path,
        known_programmes: &[&str],
    ) -> Result<Self, ProjectError> {
        let root = match start {
            Some(dir) => {
                let dir = cwd.join(dir);
                if !dir.join(FILE_NAME).is_file() {
                    return Err(ProjectError::NotInFolder(dir));
                }
                dir
            }
            None => cwd
                .ancestors()
                .find(|dir| dir.join(FILE_NAME).is_file())
                .ok_or_else(|| ProjectError::NotFound(cwd.to_owned()))?
                .to_owned(),
        };
        let file = root.join(FILE_NAME);
        let text = read(&file)?;
        let settings = Settings::parse(&text, &file, known_programmes)?.resolved(&root);
        Ok(Self { root, settings, file })
    }

    /// Where the evidence store lies.
    pub fn evidence_dir(&self) -> PathBuf {
        self.root.join("evidence")
    }

    /// Checks the programmes named against the catalogue in force: needed
    /// where the settings name an overlay.
    ///
    /// # Errors
    /// Each programme that is not in `known`.
    pub fn check_programmes(&self, known: &[&str]) -> Result<(), ProjectError> {
        self.refuse(
            check::unknown_programmes(&self.settings.programmes, known)
                .map(|message| ("programmes".to_owned(), message)),
        )
    }

    /// Checks what else the settings say against the catalogue in force:
    /// `dates` are the ids of the dates that HMRC has not published, `apis` the
    /// versions of the CTC Traders API.
    ///
    /// # Errors
    /// Each date given that nobody asks for, and each version of the API of
    /// credentials held that there never was.
    pub fn check_facts(&self, dates: &[&str], apis: &[&str]) -> Result<(), ProjectError> {
        let settings = &self.settings;
        let given = settings.programme.dates.keys();
        let dates = given.filter(|id| !dates.contains(&id.as_str())).map(|id| {
            let known = quoted(dates.iter().copied());
            let message = format!("is no date that HMRC has left open; those are {known}");
            (format!("programme.dates.{id}"), message)
        });
        let held = settings.credentials.iter().map(|held| held.api.as_str());
        let apis = held.filter(|api| !apis.contains(api)).map(|api| {
            let known = quoted(apis.iter().copied());
            let message = format!(
                "names version `{api}` of the CTC Traders API, which there is not; known are {known}"
            );
            ("credentials".to_owned(), message)
        });
        self.refuse(dates.chain(apis))
    }

    /// An error with these problems, if there are any: fields and messages.
    fn refuse(&self, problems: impl Iterator<Item = (String, String)>) -> Result<(), ProjectError> {
        let problems: Vec<_> = problems
            .map(|(field, message)| SettingsProblem {
                line: None,
                column: None,
                field,
                message,
                excerpt: None,
            })
            .collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(SettingsError { file: self.file.clone(), problems }.into())
    }
}

fn read(file: &Path) -> Result<String, ProjectError> {
    let failed = |source| ProjectError::Read { file: file.to_owned(), source };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(ProjectError::TooLarge(file.to_owned()));
    }
    // Editors on Windows put a byte order mark first.
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        bytes = rest.to_vec();
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = good.filter(|byte| **byte == b'\n').count() + 1;
        ProjectError::NotUtf8 { file: file.to_owned(), line }
    })
}
