//! `ctc-ready.toml` as types. [`Settings::parse`] is the one way in: it also
//! checks what types cannot say, and reports every problem at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::before::BeforeYouStart;
use super::credentials::one_or_many;
pub use super::credentials::{Credentials, DocumentationChange, OtherVersion};
use super::network::{AuthSettings, NetworkSettings};
pub use super::policy::{BuildPolicy, Driver, GateSettings, RecommendedPolicy, SealPolicy};
pub use super::waivers::Waiver;
pub use crate::calendar::freshness::FreshnessPolicy;
use crate::catalogue::{Combination, Flow, Procedure, Side};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The programmes the house applies under; the first is the default of
    /// commands that judge one.
    pub programmes: Vec<String>,
    /// Who applies.
    #[serde(default)]
    pub business: Business,
    /// The software under test and what it supports.
    pub software: SoftwareSettings,
    /// The application registered in HMRC's sandbox.
    #[serde(default)]
    pub sandbox_application: Application,
    /// The production application registered on the Developer Hub.
    #[serde(default)]
    pub production_application: Application,
    /// Where runs go when no flag says otherwise.
    #[serde(default)]
    pub run: RunSettings,
    /// How the software is made to send, where it does and not ctc-ready.
    #[serde(default)]
    pub driver: DriverSettings,
    /// How a trader signs in.
    #[serde(default)]
    pub auth: AuthSettings,
    /// How to get to HMRC.
    #[serde(default)]
    pub network: NetworkSettings,
    /// How the software under test is recorded.
    #[serde(default)]
    pub record: RecordSettings,
    /// How news of a run is learnt.
    #[serde(default)]
    pub notifications: NotificationSettings,
    /// Where messages come from.
    #[serde(default)]
    pub payloads: PayloadSettings,
    /// The release gate's policy.
    #[serde(default)]
    pub gate: GateSettings,
    /// Findings of the gate that the house lets pass.
    #[serde(default, rename = "waiver")]
    pub waivers: Vec<Waiver>,
    /// Answers to the form's questions that only the house knows, by key
    /// ([`super::questions::answer_keys`]).
    #[serde(default)]
    pub answers: BTreeMap<String, AnswerValue>,
    /// Statements of the NCTS6 form the house makes, by key
    /// ([`super::questions::statement_keys`]).
    #[serde(default)]
    pub statements: BTreeMap<String, bool>,
    /// Why a flow does not apply, by flow: the NCTS5 form asks.
    #[serde(default)]
    pub not_applicable: BTreeMap<Flow, String>,
    /// Production credentials already held.
    #[serde(default, deserialize_with = "one_or_many")]
    pub credentials: Vec<Credentials>,
    /// Significant changes of HMRC's documentation.
    #[serde(default)]
    pub documentation_change: Vec<DocumentationChange>,
    /// Dates HMRC has not published.
    #[serde(default)]
    pub programme: ProgrammeSettings,
    /// When the house did what HMRC wants done first, by step
    /// ([`super::before::steps`]).
    #[serde(default)]
    pub before_you_start: BeforeYouStart,
    /// An overlay of the built-in catalogue.
    #[serde(default)]
    pub catalogue: CatalogueSettings,
}

/// Who applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Business {
    /// Registered name.
    pub name: Option<String>,
    /// Address, lines separated by newlines or commas.
    pub address: Option<String>,
    /// Whom HMRC writes to.
    pub contact_email: Option<String>,
}

/// The software under test. Missing fields read as empty here and are
/// problems in [`Settings::parse`], so that all of them are told at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SoftwareSettings {
    /// Product name.
    #[serde(default)]
    pub name: String,
    /// Version tested.
    #[serde(default)]
    pub version: String,
    /// SHA-256 of the build tested, `sha256:<hex>`.
    pub build: Option<String>,
    /// Flows it supports.
    #[serde(default)]
    pub flows: Vec<Flow>,
    /// Procedures it supports.
    #[serde(default)]
    pub procedures: Vec<Procedure>,
    /// The matrix column followed throughout; needed with both procedures.
    pub combination: Option<Combination>,
    /// The side whose scenarios are chosen where either is enough.
    #[serde(default = "gb")]
    pub side: Side,
    /// Other versions of it in use, and what each supports.
    #[serde(default)]
    pub other_versions: Vec<OtherVersion>,
}

fn gb() -> Side {
    Side::Gb
}

impl SoftwareSettings {
    /// Whether both procedures are supported, so that a combination is needed.
    pub fn both_procedures(&self) -> bool {
        self.procedures.contains(&Procedure::Normal)
            && self.procedures.contains(&Procedure::Simplified)
    }
}

/// An application registered on HMRC's Developer Hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Application {
    /// Its name.
    pub name: Option<String>,
    /// Its id (public: it is in the page's address).
    pub id: Option<String>,
}

/// Where a run's messages go; who answers.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// The built-in simulator: rehearsal only.
    Simulator,
    /// HMRC's sandbox, replies injected through the test-support API.
    Sandbox,
    /// HMRC's NCTS test system and its officers.
    TraderTest,
}

impl Environment {
    /// `trader-test`, as in files, flags and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::Sandbox => "sandbox",
            Self::TraderTest => "trader-test",
        }
    }
}

/// Defaults of `run`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RunSettings {
    /// Where messages go.
    pub environment: Environment,
    /// Who sends them: `direct` or `command`.
    pub driver: Driver,
    /// Another address of the same environment: for the simulator an address
    /// of this machine; for sandbox and Trader Test HMRC's own alone.
    pub base_url: Option<String>,
    /// `messageSender` of the messages, where the house has its own; at most
    /// 35 characters.
    pub message_sender: Option<String>,
    /// Who runs the tests, for the evidence.
    pub operator: Option<String>,
    /// Requests a second, all runs together; at least 1.
    pub max_requests_per_second: Option<u32>,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            environment: Environment::TraderTest,
            driver: Driver::Direct,
            base_url: None,
            message_sender: None,
            operator: None,
            max_requests_per_second: None,
        }
    }
}

/// How the software is made to send (`run --driver command`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DriverSettings {
    /// The program and its arguments; it runs in the project's folder.
    pub command: Vec<String>,
    /// Seconds that it may take for one message.
    pub timeout: u32,
    /// Most of them at once.
    pub parallel: u32,
}

impl Default for DriverSettings {
    fn default() -> Self {
        Self { command: Vec::new(), timeout: 120, parallel: 1 }
    }
}

impl DriverSettings {
    /// What is wrong with it: the field and a message.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.command.first().is_some_and(|program| program.trim().is_empty()) {
            let message = "begins with an empty text; name the program there";
            found.push(("driver.command", message.to_owned()));
        }
        if self.command.iter().any(|part| part.contains('\0')) {
            found
                .push(("driver.command", "has a NUL character, which no program takes".to_owned()));
        }
        for (field, value, most) in
            [("driver.timeout", self.timeout, 3_600), ("driver.parallel", self.parallel, 32)]
        {
            if !(1..=most).contains(&value) {
                found.push((field, format!("is {value}; it must be from 1 to {most}")));
            }
        }
        found
    }
}

/// How the software under test is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RecordSettings {
    /// The scenario of an LRN, or of all that begin so: `"ABC123*" = "DSGB1"`.
    pub lrn: BTreeMap<String, String>,
}

/// How news of a run is learnt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NotificationSettings {
    /// From HMRC's notifications instead of lists of movements.
    pub pull: bool,
    /// The client id of the sandbox application, where `[auth]` has none.
    pub client_id: Option<String>,
}

impl Settings {
    /// The client id of the sandbox application (no secret; its secret is).
    pub fn client_id(&self) -> Option<&str> {
        self.auth.client_id.as_deref().or(self.notifications.client_id.as_deref())
    }
}

/// Where messages come from, before the built-in templates. Paths are
/// relative to the project's folder in the file and absolute in a
/// [`super::Project`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PayloadSettings {
    /// The house's own files: `<folder>/<scenario>/<step>-<message>.xml`.
    pub folder: Option<PathBuf>,
    /// HMRC's test-pack zip, or several, looked into in this order.
    #[serde(default)]
    pub pack: OneOrMany,
    /// HMRC's schemas: one version's files, or a folder for each version.
    pub xsd: Option<PathBuf>,
}

/// A path or a list of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a path or a list of paths")]
pub enum OneOrMany {
    /// None given.
    #[default]
    None,
    /// `pack = "a.zip"`.
    One(PathBuf),
    /// `pack = ["a.zip", "b.zip"]`.
    Many(Vec<PathBuf>),
}

impl OneOrMany {
    /// The paths in order.
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Self::None => &[],
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }

    fn paths_mut(&mut self) -> &mut [PathBuf] {
        match self {
            Self::None => &mut [],
            Self::One(path) => std::slice::from_mut(path),
            Self::Many(paths) => paths,
        }
    }
}

/// An answer to a question of the form.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected true, false, a whole number or text")]
pub enum AnswerValue {
    /// `true`: yes; `false`: no.
    YesNo(bool),
    /// A number, such as how many applications.
    Number(i64),
    /// Text; `yes`, `no`, `dont-know` where the form offers boxes.
    Text(String),
}

impl AnswerValue {
    /// Yes or no, however it was written; none for anything else.
    pub fn yes_no(&self) -> Option<bool> {
        match self {
            Self::YesNo(answer) => Some(*answer),
            Self::Text(text) if text == "yes" => Some(true),
            Self::Text(text) if text == "no" => Some(false),
            _ => None,
        }
    }

    /// Whether the answer is `dont-know`.
    pub fn is_dont_know(&self) -> bool {
        matches!(self, Self::Text(text) if text == "dont-know")
    }
}

/// Settings about the programmes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProgrammeSettings {
    /// Dates HMRC has not published, by the catalogue's key for them; a TOML
    /// date or the same as text.
    #[serde(default, deserialize_with = "super::day::by_key")]
    pub dates: BTreeMap<String, NaiveDate>,
}

/// An overlay of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CatalogueSettings {
    /// Folder laid out like `scenarios/`.
    pub path: Option<PathBuf>,
}

impl Settings {
    /// The same settings with every path made relative to `root` instead of
    /// to the current folder. Absolute paths stay.
    pub fn resolved(mut self, root: &Path) -> Self {
        let paths = self
            .payloads
            .folder
            .iter_mut()
            .chain(self.payloads.xsd.iter_mut())
            .chain(self.network.ca.iter_mut())
            .chain(self.catalogue.path.iter_mut())
            .chain(self.payloads.pack.paths_mut());
        for path in paths {
            *path = root.join(&*path);
        }
        self
    }
}
