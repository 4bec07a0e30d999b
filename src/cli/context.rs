//! What every command starts from: the clock, the directory, the settings and
//! the catalogue; the environment and the terminal are read here alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use secrecy::SecretString;

use super::args::{Build, Global, UnderTest};
use super::failure::{Failure, Kind};
use super::printer::Printer;
use crate::calendar::london;
use crate::catalogue::{Catalogue, Programme, Scenario};
use crate::clock::{Clock, SystemClock};
use crate::digest::Digest;
use crate::engine;
use crate::evidence::index::IndexedRun;
use crate::evidence::seal::Authorities;
use crate::evidence::{
    self, Depth, EvidenceError, RunId, RunRecord, RunState, Store, Survey, Trust, VerifyReport,
    WaitingFor,
};
use crate::files;
use crate::hmrc::tokens::Shelf;
use crate::payload::Sources;
use crate::project::Project;
use crate::verdict::{self, Case, Need};

/// Where the bearer token comes from.
pub const TOKEN_VARIABLE: &str = "CTC_READY_TOKEN";

/// Where the secret of the sandbox application comes from.
pub const CLIENT_SECRET_VARIABLE: &str = "CTC_READY_CLIENT_SECRET";

/// The environment variables that hold secrets.
pub const SECRET_VARIABLES: [&str; 2] = [TOKEN_VARIABLE, CLIENT_SECRET_VARIABLE];

/// The secrets in the environment, each with its variable, as they are: also
/// one that is none, such as a token with a line break in it.
pub fn secrets() -> impl Iterator<Item = (&'static str, SecretString)> {
    SECRET_VARIABLES.into_iter().filter_map(|variable| {
        let value = std::env::var_os(variable)?;
        let value = value.to_string_lossy();
        Some(value.trim()).filter(|value| !value.is_empty()).map(|value| (variable, value.into()))
    })
}

/// The secrets that signing in left with this user, each with what it is.
pub fn kept_secrets() -> Vec<(String, SecretString)> {
    match own_folder(PROFILES_VARIABLE, PROFILES) {
        Some((folder, _)) => Shelf::new(&folder, false).secrets(),
        None => Vec::new(),
    }
}

/// Where the key that signs lies.
pub const KEYS_VARIABLE: &str = "CTC_READY_KEYS";

/// Where what signing in brings is kept.
pub const PROFILES_VARIABLE: &str = "CTC_READY_PROFILES";

/// The name of that folder among the user's settings.
const PROFILES: &str = "profiles";

/// `ctc-ready` and its version, as evidence states it.
pub const TOOL: &str = concat!("ctc-ready ", env!("CARGO_PKG_VERSION"));

/// What every command starts from.
pub struct Context {
    /// The flags that go with every command.
    pub global: Global,
    /// Output.
    pub printer: Printer,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The folder in which the command was called.
    pub cwd: PathBuf,
    /// The folder of the key that signs, where one can be told.
    pub keys: Option<PathBuf>,
    /// The folder of what signing in brings, where one can be told.
    pub profiles: Option<Profiles>,
}

/// Where what signing in brings is kept.
pub struct Profiles {
    /// The folder.
    pub folder: PathBuf,
    /// Whether the user named it.
    pub named: bool,
}

impl Context {
    /// Reads what is outside the process, once.
    ///
    /// # Errors
    /// When the current folder is gone.
    pub fn new(global: Global) -> Result<Self, Failure> {
        let cwd = std::env::current_dir().map_err(|error| {
            Failure::input(format!("the current folder cannot be used: {error}"))
        })?;
        let printer = Printer::new(global.format, global.color);
        let ours = |variable, name| {
            let (folder, named) = own_folder(variable, name)?;
            Some(Profiles { folder: cwd.join(folder), named })
        };
        let keys = ours(KEYS_VARIABLE, "keys").map(|keys| keys.folder);
        let profiles = ours(PROFILES_VARIABLE, PROFILES);
        Ok(Self { global, printer, clock: Arc::new(SystemClock::new()), cwd, keys, profiles })
    }

    /// The instant to judge at: `--at`, or now.
    ///
    /// # Errors
    /// When `--at` is no instant.
    pub fn as_of(&self) -> Result<DateTime<Utc>, Failure> {
        match &self.global.at {
            Some(text) => london::parse_at(text).map(|at| at.trunc_subsecs(3)).map_err(|error| {
                Failure::usage(format!("`--at {text}`: {error}"))
                    .hint("for example `--at 2026-12-04` or `--at 2026-12-04T09:30:00Z`")
            }),
            None => Ok(self.now()),
        }
    }

    /// The time now, as evidence tells times: to the millisecond.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(3)
    }

    /// The project: `--project`, or the nearest folder upwards.
    ///
    /// # Errors
    /// When there is none, or its settings are wrong.
    pub fn project(&self, catalogue: &Catalogue) -> Result<Project, Failure> {
        let known: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
        Ok(Project::locate(self.global.project.as_deref(), &self.cwd, &known)?)
    }

    /// The folder of the key that signs.
    ///
    /// # Errors
    /// When nothing says where it is.
    pub fn keys_folder(&self) -> Result<PathBuf, Failure> {
        self.keys.clone().ok_or_else(|| {
            Failure::new(Kind::Environment, "this user has no home folder for a signing key")
                .hint(format!("set {KEYS_VARIABLE} to a folder that is yours alone"))
        })
    }

    /// The bearer token, if one is set.
    ///
    /// # Errors
    /// When it cannot be a token: it is never repeated.
    pub fn token(&self) -> Result<Option<SecretString>, Failure> {
        secret(TOKEN_VARIABLE, "bearer token")
    }

    /// The secret of the sandbox application, if one is set.
    ///
    /// # Errors
    /// When it cannot be one: it is never repeated.
    pub fn client_secret(&self) -> Result<Option<SecretString>, Failure> {
        secret(CLIENT_SECRET_VARIABLE, "client secret")
    }
}

/// A secret of the environment, if it is set.
fn secret(variable: &str, what: &str) -> Result<Option<SecretString>, Failure> {
    let Some(secret) = std::env::var_os(variable) else { return Ok(None) };
    let secret = secret.to_string_lossy();
    let secret = secret.trim();
    // Tokens are visible ASCII (RFC 6750, section 2.1), and so are HMRC's
    // secrets; what is not UTF-8 has become something else here.
    if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::new(
            Kind::Environment,
            format!("{variable} holds no {what}: it has characters that none has"),
        )
        .hint("is there a space, a quotation mark or a line break too many in it?"));
    }
    Ok(Some(secret).filter(|secret| !secret.is_empty()).map(|secret| secret.to_owned().into()))
}

/// A folder of the user's for secrets, never a project's: the one that the
/// variable names (then the second is true), or `name` among the user's settings.
fn own_folder(variable: &str, name: &str) -> Option<(PathBuf, bool)> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = named(variable) {
        return Some((folder, true));
    }
    // XDG Base Directory Specification: a relative folder is to be ignored.
    let config = named("XDG_CONFIG_HOME").filter(|folder| folder.is_absolute());
    let config = config.or_else(|| Some(std::env::home_dir()?.join(".config")))?;
    Some((config.join("ctc-ready").join(name), false))
}

/// The authorities in a PEM file that the user named.
///
/// # Errors
/// When it cannot be read, or holds no certificates.
pub fn authorities(context: &Context, file: Option<&Path>) -> Result<Option<Authorities>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let pem = files::read_bounded(&context.cwd.join(file), MAX_PEM)?;
    let authorities = Authorities::from_pem(&pem)
        .map_err(|message| Failure::input(format!("`{}` {message}", file.display())))?;
    Ok(Some(authorities))
}

/// Largest PEM file read; a whole system's authorities have a few hundred
/// thousand bytes.
pub const MAX_PEM: u64 = 4 << 20;

/// A project with everything needed to judge it.
pub struct Desk {
    /// The project.
    pub project: Project,
    /// The catalogue.
    pub catalogue: Catalogue,
}

impl Desk {
    /// Opens the project and the catalogue.
    ///
    /// # Errors
    /// When either is wrong.
    pub fn open(context: &Context) -> Result<Self, Failure> {
        let mut catalogue = Catalogue::built_in()?;
        let project = context.project(&catalogue)?;
        if let Some(overlay) = &project.settings.catalogue.path {
            catalogue = Catalogue::with_overlay(overlay)?;
            let known: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
            project.check_programmes(&known)?;
        }
        let desk = Self { project, catalogue };
        desk.project.check_facts(&desk.open_dates(), &desk.apis())?;
        Ok(desk)
    }

    /// The dates that HMRC has not published, of all programmes.
    fn open_dates(&self) -> Vec<&str> {
        let programmes = self.catalogue.programmes().iter();
        let dates = programmes.flat_map(|programme| &programme.unpublished);
        dates.map(|date| date.id.as_str()).collect()
    }

    /// The versions of the CTC Traders API: what other APIs have is not asked
    /// of credentials.
    fn apis(&self) -> Vec<&str> {
        let programmes = self.catalogue.programmes().iter();
        programmes
            .filter(|programme| programme.declares())
            .map(|programme| programme.api.version.as_str())
            .collect()
    }

    /// The same with the build under test that the user names in place of the
    /// one in the settings.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn under_test(mut self, context: &Context, it: &UnderTest) -> Result<Self, Failure> {
        let digest = match &it.build {
            None => return Ok(self),
            Some(Build::Digest(digest)) => *digest,
            Some(Build::File(path)) => {
                let path = context.cwd.join(path);
                let unread =
                    |source| files::FileError { path: path.clone(), doing: "read", source };
                Digest::of_reader(&mut files::open_regular(&path)?).map_err(unread)?.0
            }
        };
        self.project.settings.software.build = Some(format!("sha256:{digest}"));
        Ok(self)
    }

    /// A programme by id, or the project's first that is open on the London day
    /// judged; where none is, its first.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn programme(&self, id: Option<&str>, day: NaiveDate) -> Result<&Programme, Failure> {
        if let Some(id) = id {
            return programme(&self.catalogue, id);
        }
        let own = self.programmes(None)?;
        let settings = &self.project.settings;
        let open = own.iter().find(|programme| verdict::is_open(programme, settings, day));
        match open.or(own.first()) {
            Some(programme) => Ok(programme),
            None => programme(&self.catalogue, ""),
        }
    }

    /// Every programme a command without `--programme` is about.
    ///
    /// # Errors
    /// When one does not exist.
    pub fn programmes(&self, only: Option<&str>) -> Result<Vec<&Programme>, Failure> {
        match only {
            Some(id) => Ok(vec![programme(&self.catalogue, id)?]),
            None => {
                let ids = &self.project.settings.programmes;
                ids.iter().map(|id| programme(&self.catalogue, id)).collect()
            }
        }
    }

    /// The programmes an answer is about: JSON tells of one, the one open on the
    /// London day judged; people see all of the project's.
    ///
    /// # Errors
    /// When one does not exist.
    pub fn told(
        &self,
        only: Option<&str>,
        json: bool,
        day: NaiveDate,
    ) -> Result<Vec<&Programme>, Failure> {
        match json {
            true => Ok(vec![self.programme(only, day)?]),
            false => self.programmes(only),
        }
    }

    /// What a programme asks of this house if it applies on `day` (London): see
    /// [`verdict::needs`].
    ///
    /// # Errors
    /// When the settings leave the matrix undecided.
    pub fn needs(&self, programme: &Programme, day: NaiveDate) -> Result<Vec<Need>, Failure> {
        verdict::needs(programme, &self.catalogue, &self.project.settings, day)
            .map_err(|error| Failure::input(format!("{}: {error}", self.project.file.display())))
    }

    /// A scenario of a programme.
    ///
    /// # Errors
    /// When there is none of this id.
    pub fn scenario(&self, programme: &Programme, id: &str) -> Result<&Scenario, Failure> {
        self.catalogue.scenario(&programme.id, id).ok_or_else(|| {
            Failure::usage(format!("`{id}` is not a scenario of `{}`", programme.id))
                .hint(format!("`ctc-ready scenario list --programme {}` lists them", programme.id))
        })
    }

    /// The evidence so far, every byte of it checked; empty when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn evidence(&self, now: DateTime<Utc>) -> Result<Evidence, Failure> {
        self.evidence_to(Depth::All, now)
    }

    /// The same, checked as far as `depth` says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn evidence_to(&self, depth: Depth, now: DateTime<Utc>) -> Result<Evidence, Failure> {
        let dir = self.project.evidence_dir();
        match patiently(&dir, || evidence::survey(&dir, depth), |survey| survey.report.intact) {
            Ok(Survey { store, runs, report }) => {
                if !report.intact {
                    tracing::warn!(
                        "the evidence was changed or damaged: `ctc-ready verify` tells more"
                    );
                }
                let waiting = self.waiting(&store, &runs, now)?;
                let removed = store.removed().map(|(_, run)| run.clone()).collect();
                Ok(Evidence { runs, removed, waiting, report: Some(report) })
            }
            // Evidence robbed of `store.json` is not the same as none.
            Err(EvidenceError::NoStore(_)) if evidence::verify(&dir).is_ok() => {
                Err(Failure::input(format!(
                    "`{}` holds evidence and its `store.json` is missing",
                    dir.display()
                ))
                .hint("put the file back from a copy; `ctc-ready verify` tells more"))
            }
            Err(EvidenceError::NoStore(_)) => Ok(Evidence::default()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Desk {
    /// Whom each open run waits for.
    fn waiting(
        &self,
        store: &Store,
        runs: &[RunRecord],
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<RunId, WaitingFor>, Failure> {
        let mut waiting = BTreeMap::new();
        for run in runs.iter().filter(|run| run.state == RunState::Waiting) {
            let programme = self.catalogue.programme(&run.programme);
            let scenario = self.catalogue.scenario(&run.programme, &run.scenario);
            if let (Some(programme), Some(scenario)) = (programme, scenario) {
                let events = store.events(run.run)?;
                let waits = engine::waiting_for(programme, scenario, &events, now);
                waiting.extend(waits.map(|waits| (run.run, waits)));
            }
        }
        Ok(waiting)
    }
}

/// Verifies a store. While another process writes to it, a reader may see a
/// body whose line is not written yet, or an end that the index does not know
/// yet: problems that are gone a moment later are none.
///
/// # Errors
/// When there is no store, or it cannot be read.
pub fn verified(dir: &Path, trust: &Trust) -> Result<VerifyReport, EvidenceError> {
    patiently(dir, || evidence::verify_with(dir, trust), |report| report.intact)
}

/// Looks at a store, and again while another process writes to it and what is
/// seen is not as it should be.
fn patiently<T>(
    dir: &Path,
    look: impl Fn() -> Result<T, EvidenceError>,
    intact: impl Fn(&T) -> bool,
) -> Result<T, EvidenceError> {
    let mut looks = 0;
    loop {
        // Asked first: a writer may end while we look.
        let in_use = evidence::in_use(dir);
        let seen = look()?;
        looks += 1;
        if intact(&seen) || !in_use || looks >= LOOKS {
            return Ok(seen);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Looks at a store in use, and the time between two: together longer than
/// the writes that belong together take.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// Where a project's messages come from.
pub fn sources(project: &Project) -> Sources {
    let settings = &project.settings;
    Sources {
        folder: settings.payloads.folder.clone(),
        packs: settings.payloads.pack.paths().to_vec(),
        procedures: settings.software.procedures.clone(),
        xsd: settings.payloads.xsd.clone(),
    }
}

/// The scenario of the first of these programmes that has it.
///
/// # Errors
/// When none has.
pub fn scenario_in<'a>(
    catalogue: &'a Catalogue,
    programmes: impl IntoIterator<Item = &'a Programme>,
    id: &str,
) -> Result<(&'a Programme, &'a Scenario), Failure> {
    programmes
        .into_iter()
        .find_map(|programme| Some((programme, catalogue.scenario(&programme.id, id)?)))
        .ok_or_else(|| unknown_scenario(id))
}

/// The evidence of a project.
#[derive(Default)]
pub struct Evidence {
    /// Every run that can be read.
    pub runs: Vec<RunRecord>,
    /// What is left of runs that were removed.
    pub removed: Vec<IndexedRun>,
    /// Whom each open run waits for.
    pub waiting: BTreeMap<RunId, WaitingFor>,
    /// What verification says; none without a store.
    pub report: Option<VerifyReport>,
}

/// What the judge is given, borrowed from a desk.
pub fn case<'a>(
    desk: &'a Desk,
    programme: &'a Programme,
    needs: &'a [Need],
    evidence: &'a Evidence,
    as_of: DateTime<Utc>,
    rehearsal: bool,
) -> Case<'a> {
    Case {
        programme,
        settings: &desk.project.settings,
        needs,
        runs: &evidence.runs,
        removed: &evidence.removed,
        waiting: &evidence.waiting,
        integrity: evidence.report.as_ref(),
        as_of,
        submit_on: None,
        rehearsal,
    }
}

/// A programme of a catalogue.
///
/// # Errors
/// When it does not exist.
pub fn programme<'a>(catalogue: &'a Catalogue, id: &str) -> Result<&'a Programme, Failure> {
    catalogue.programme(id).ok_or_else(|| {
        let known: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
        Failure::usage(format!("there is no programme `{id}`"))
            .hint(format!("the programmes are {}", known.join(", ")))
    })
}

/// There is no such scenario.
pub fn unknown_scenario(id: &str) -> Failure {
    Failure::usage(format!("there is no scenario `{id}`"))
        .hint("`ctc-ready scenario list --all-programmes` lists them")
}

/// A path as short as it can be shown from `cwd`.
pub fn shown(path: &Path, cwd: &Path) -> String {
    path.strip_prefix(cwd).unwrap_or(path).display().to_string()
}
