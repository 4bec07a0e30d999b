//! The catalogue's types. They mirror the TOML files under `scenarios/`; an
//! unknown field in a file is an error.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calendar::hours::{Hours, Span, Timetable};
use crate::ncts::MessageType;

/// What a house's software does with transit movements; a row of the form's
/// decision matrix (NCTS5 checklist, appendix A).
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
pub enum Flow {
    /// Declared when the goods are presented.
    StandardDeparture,
    /// Declared before the goods are presented (additional declaration type D).
    PreLodgedDeparture,
    /// Arrival and unloading at the office of destination.
    Arrival,
    /// Asking for the balance of a guarantee: no declaration at all.
    GuaranteeBalance,
}

impl Flow {
    /// `standard-departure`, as in files, flags and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StandardDeparture => "standard-departure",
            Self::PreLodgedDeparture => "pre-lodged-departure",
            Self::Arrival => "arrival",
            Self::GuaranteeBalance => "guarantee-balance",
        }
    }
}

/// The side of the Irish Sea on which a scenario's tested movement lies.
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
pub enum Side {
    /// Great Britain (`NTA.GB`).
    #[serde(rename = "GB", alias = "gb")]
    #[value(name = "gb", alias = "GB")]
    Gb,
    /// Northern Ireland (`NTA.XI`).
    #[serde(rename = "XI", alias = "xi")]
    #[value(name = "xi", alias = "XI")]
    Xi,
}

impl Side {
    /// `GB` or `XI`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gb => "GB",
            Self::Xi => "XI",
        }
    }
}

/// The customs procedure a scenario tests.
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
pub enum Procedure {
    /// Customs staff accept and release.
    Normal,
    /// Authorised consignors and consignees: released by a timer.
    Simplified,
}

impl Procedure {
    /// `normal` or `simplified`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Simplified => "simplified",
        }
    }
}

/// Which column of the matrix a house with both procedures follows throughout
/// (NCTS5 checklist, appendix A).
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
pub enum Combination {
    /// Combination A.
    #[serde(alias = "a")]
    #[value(name = "A", alias = "a")]
    A,
    /// Combination B.
    #[serde(alias = "b")]
    #[value(name = "B", alias = "b")]
    B,
}

/// One body of HMRC rules that a house applies under.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Programme {
    /// `ncts5-final`; also the folder's name.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// The API under test.
    pub api: Api,
    /// When results count, oldest phase first; at least one.
    pub phase: Vec<Phase>,
    /// When the test environment answers; empty: no hours are published.
    pub availability: Vec<Availability>,
    /// The officers who act in the test environment; there, where any scenario
    /// asks them.
    pub officers: Option<Officers>,
    /// How the form reaches HMRC; none: see `pending_checklist`.
    pub submission: Option<Submission>,
    /// Why there is no form to submit; there, where there is no `submission`.
    pub pending_checklist: Option<PendingChecklist>,
    /// Timers of the test environment; there, where any scenario sends
    /// messages.
    pub timers: Option<Timers>,
    /// Slots of the checklist, mandatory ones first, in the form's order.
    pub requirement: Vec<Requirement>,
    /// Titles of HMRC's documents by the short names that `source`s begin with.
    #[serde(default)]
    pub documents: BTreeMap<String, String>,
    /// Other published dates that have consequences.
    #[serde(default)]
    pub date: Vec<DatedFact>,
    /// Dates HMRC has not published, which the settings may give
    /// (`[programme.dates]`).
    #[serde(default)]
    pub unpublished: Vec<UnpublishedDate>,
    /// What production credentials rest on, by the day they are first gained;
    /// empty: HMRC draws no such line.
    #[serde(default)]
    pub credentials_basis: Vec<CredentialsBasis>,
    /// What production credentials for other versions of the API are worth
    /// under this programme.
    #[serde(default)]
    pub other_api: Vec<OtherApi>,
    /// Errors in HMRC's documents that this programme's data corrects.
    #[serde(default)]
    pub errata: Vec<Erratum>,
}

/// The API version a programme tests against.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Api {
    /// `2.1`: goes into the `Accept` header.
    pub version: String,
    /// The `PhaseID` attribute of messages sent: `NCTS5.1`, `NCTS6`; there,
    /// where any scenario sends messages.
    pub phase_id: Option<String>,
    /// Folder name of the XSDs of this version under the reference folder;
    /// there, where any scenario sends messages.
    pub xsd: Option<String>,
    /// First London day on which it no longer works; none: no end is published.
    pub ends: Option<NaiveDate>,
    /// Document and section.
    pub source: String,
}

/// A span in which results count for this programme.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Phase {
    /// A few words for people.
    pub name: String,
    /// First London day on which results count.
    pub opens: Option<NaiveDate>,
    /// Last London day on which results count; none: open-ended.
    pub closes: Option<NaiveDate>,
    /// The unpublished date that, once given, takes the place of `opens`, which
    /// until then is the first day it can be.
    pub opens_when: Option<String>,
    /// The unpublished date that, once given, takes the place of `closes`.
    pub closes_when: Option<String>,
    /// How `opens` or `closes` should be read where HMRC was not exact.
    pub note: Option<String>,
    /// Document and section.
    pub source: String,
}

/// When the test environment answers, in London time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Availability {
    /// First London day of this timetable; none: from the beginning.
    pub from: Option<NaiveDate>,
    /// Last London day of this timetable; none: until further notice.
    pub until: Option<NaiveDate>,
    /// Always open (24 hours, every day).
    #[serde(default)]
    pub always: bool,
    /// Opening time on working days, London time.
    pub opens: Option<NaiveTime>,
    /// Closing time on working days, London time.
    pub closes: Option<NaiveTime>,
    /// Document and section.
    pub source: String,
}

impl Programme {
    /// When the test environment answers. Where no hours are published, none
    /// are held against anybody.
    pub fn environment_hours(&self) -> Timetable {
        if self.availability.is_empty() {
            return Timetable::always();
        }
        Timetable::new(self.availability.iter().filter_map(|span| {
            let hours = match (span.always, span.opens, span.closes) {
                (true, _, _) => Hours::Always,
                (false, Some(opens), Some(closes)) => Hours::WorkingDays { opens, closes },
                _ => return None,
            };
            Some(Span { from: span.from, until: span.until, hours })
        }))
    }

    /// When the officers read their mail; a programme without officers has no
    /// such hours.
    pub fn officer_hours(&self) -> Timetable {
        match &self.officers {
            Some(officers) => Timetable::working_days(officers.opens, officers.closes),
            None => Timetable::default(),
        }
    }
}

/// The officers of the test environment and how to ask them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Officers {
    /// E-mail address for manual interventions.
    pub mailbox: String,
    /// What the subject must contain.
    pub subject_must_include: String,
    /// Opening time on working days, London time.
    pub opens: NaiveTime,
    /// Closing time on working days, London time.
    pub closes: NaiveTime,
    /// Working days without an answer after which to follow up.
    pub follow_up_working_days: u32,
    /// Document and section.
    pub source: String,
}

/// How a completed form reaches HMRC.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Submission {
    /// `email` or `support-form`.
    pub channel: SubmissionChannel,
    /// E-mail address, where `channel` is `email`.
    pub to: Option<String>,
    /// What to do, in a sentence of our own.
    pub how: String,
    /// Most files the channel takes.
    pub max_files: Option<u32>,
    /// Document and section.
    pub source: String,
}

/// A checklist that HMRC announces and has not published.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PendingChecklist {
    /// What holds meanwhile, in a sentence of our own.
    pub what: String,
    /// Document and section.
    pub source: String,
}

/// The two ways HMRC takes a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubmissionChannel {
    /// E-mail with the form attached.
    Email,
    /// The Developer Hub's support form with the files attached.
    SupportForm,
}

/// Timers of the test environment, in minutes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Timers {
    /// From acceptance to automatic release in simplified procedure.
    pub automatic_release_minutes: u32,
    /// How long a pre-lodged declaration waits for its presentation.
    pub await_presentation_minutes: u32,
    /// From IE055 to IE051.
    pub guarantee_amendment_minutes: u32,
}

/// Whether HMRC demands a slot of the checklist or suggests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequirementKind {
    /// Without it there is no approval.
    Mandatory,
    /// At the house's discretion.
    Recommended,
}

/// A slot of the checklist. Which scenarios fill it depends on the
/// procedures the software supports; any one of a cell is enough.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Requirement {
    /// `standard-departure`; unique in the programme.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// Mandatory or recommended.
    pub kind: RequirementKind,
    /// The flow the software must support for this slot to apply; none: it
    /// always applies.
    pub flow: Option<Flow>,
    /// The flow its scenarios test, for a slot that always applies.
    pub tests: Option<Flow>,
    /// Recommended slots only: the procedure the software must support.
    pub procedure: Option<Procedure>,
    /// The cells of the matrix.
    pub any_of: Cells,
    /// Document and section.
    pub source: String,
}

/// The cells of one row of the decision matrix. `any` stands for a row whose
/// answer does not depend on the procedures.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cells {
    /// Whatever the procedures.
    #[serde(default)]
    pub any: Vec<String>,
    /// Software with the normal procedure alone.
    #[serde(default)]
    pub normal: Vec<String>,
    /// Software with the simplified procedure alone.
    #[serde(default)]
    pub simplified: Vec<String>,
    /// Both procedures, combination A.
    #[serde(default)]
    pub both_a: Vec<String>,
    /// Both procedures, combination B.
    #[serde(default)]
    pub both_b: Vec<String>,
}

/// A published date with a consequence.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DatedFact {
    /// Stable kebab-case name.
    pub id: String,
    /// The London day.
    pub on: NaiveDate,
    /// What follows from that day on, in our own words.
    pub consequence: String,
    /// Document and section.
    pub source: String,
}

/// A date HMRC has not published.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UnpublishedDate {
    /// Key in `[programme.dates]` of the settings.
    pub id: String,
    /// What the date is.
    pub what: String,
    /// Days before it by which the form must be in, where HMRC names a lead.
    pub lead_days: Option<u32>,
    /// Between which days it must lie, as far as other dates tell.
    pub bounds: Option<DateBounds>,
    /// Document and section.
    pub source: String,
}

/// What can be said of a date that nobody has published: a day outside cannot
/// be right.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DateBounds {
    /// The first London day it can be.
    pub not_before: Option<NaiveDate>,
    /// The last London day it can be.
    pub not_after: Option<NaiveDate>,
    /// Why, in words that follow "since".
    pub why: String,
}

/// What production credentials rest on that are first gained in a span of days.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CredentialsBasis {
    /// First London day of the span; none: from the beginning.
    pub from: Option<NaiveDate>,
    /// Last London day of the span; none: to the end.
    pub until: Option<NaiveDate>,
    /// The rules, in words that follow "rest on".
    pub rests_on: String,
    /// First London day on which the live system can be used with them; none:
    /// once NCTS is live under these rules.
    pub live_from: Option<NaiveDate>,
    /// Document and section.
    pub source: String,
}

/// Another version of the CTC Traders API, and what credentials for it are
/// worth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OtherApi {
    /// `2.0`.
    pub version: String,
    /// First London day on which it no longer works; none: no end is published.
    pub ends: Option<NaiveDate>,
    /// What follows for houses that hold credentials for it, in our own words.
    pub consequence: String,
    /// Document and section.
    pub source: String,
}

/// An error in HMRC's documents and what we do instead.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Erratum {
    /// What the document says.
    pub published: String,
    /// What holds.
    pub correct: String,
    /// Document and section.
    pub source: String,
}

/// A numbered test of HMRC's testing guide. In a catalogue file, GB and XI twins
/// are one entry (see `twins`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// `DSGB1`, `P6-DSGB-01`, `Scenario 1 GB`.
    pub id: String,
    /// One line of our own.
    pub title: String,
    /// The flow it tests.
    pub flow: Flow,
    /// The side on which the tested movement lies.
    pub side: Side,
    /// The procedure it tests; none where there is no movement.
    pub procedure: Option<TestedProcedure>,
    /// Its steps, in order; numbered from 1.
    pub step: Vec<Step>,
    /// What was corrected against the published scenario.
    pub errata: Option<String>,
    /// Document and section.
    pub source: String,
}

/// The procedure a scenario tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TestedProcedure {
    /// The normal procedure.
    #[serde(rename = "normal")]
    Normal,
    /// The simplified procedure.
    #[serde(rename = "simplified")]
    Simplified,
    /// Either: the scenario names test data for both.
    #[serde(rename = "simplified/normal")]
    Either,
}

impl Programme {
    /// Whether its scenarios declare movements: only messages carry a PhaseID.
    pub fn declares(&self) -> bool {
        self.api.phase_id.is_some()
    }

    /// A fact's source with the short names of documents spelt out, where the
    /// programme knows them: `TG6: test scenarios` becomes `CTC Traders API
    /// testing guide (NCTS6), test scenarios`.
    pub fn spelt_out(&self, source: &str) -> String {
        let mut parts = source.split("; ").map(|part| {
            let (name, rest) = part.split_once([':', ',']).unwrap_or((part, ""));
            match self.documents.get(name) {
                Some(title) if rest.is_empty() => title.clone(),
                Some(title) => format!("{title},{rest}"),
                None => part.to_owned(),
            }
        });
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |out, part| format!("{out}; {part}"))
    }
}

impl TestedProcedure {
    /// `normal`, `simplified` or `simplified/normal`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Simplified => "simplified",
            Self::Either => "simplified/normal",
        }
    }

    /// Whether running it proves this procedure.
    pub fn covers(self, procedure: Procedure) -> bool {
        matches!(
            (self, procedure),
            (Self::Either, _)
                | (Self::Normal, Procedure::Normal)
                | (Self::Simplified, Procedure::Simplified)
        )
    }
}

/// A row of a scenario: someone acts, then messages or an answer come.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The message the trader's software sends, if it acts.
    pub send: Option<MessageType>,
    /// Sheet of the data spreadsheet, where it is not the message's own: the
    /// words in brackets after the message type, such as `Final Only`.
    pub sheet: Option<String>,
    /// Column names of that sheet, for the message sent. More than one: one for
    /// each procedure.
    #[serde(default)]
    pub data: Vec<String>,
    /// How the message departs from its data.
    pub mutation: Option<Mutation>,
    /// What HMRC's officers are asked to do, if they act.
    pub officer: Option<String>,
    /// Minutes after the first IE015 by which officers must have acted.
    pub officer_deadline_minutes: Option<u32>,
    /// Minutes after the first IE015 by which this step must have been sent.
    pub deadline_minutes_after_ie015: Option<u32>,
    /// What the step does with the timer that waits for the presentation of
    /// pre-lodged goods.
    pub presentation_timer: Option<PresentationTimer>,
    /// The guarantee whose balance is asked for, instead of a message.
    pub request: Option<BalanceRequest>,
    /// What must be answered to `request`.
    pub answer: Option<BalanceAnswer>,
    /// The messages that must come, in order.
    #[serde(default)]
    pub expect: Vec<Expectation>,
}

/// How a message departs from its data, so that NCTS refuses it or so that it
/// has what the scenario is about. Paths are element names below the root,
/// with `/`: `Consignment/LocationOfGoods/UNLocode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mutation {
    /// In words.
    pub what: String,
    /// Elements left out, wherever the path leads.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Elements given another value, wherever the path leads.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Elements that must occur at least so often.
    #[serde(default)]
    pub at_least: BTreeMap<String, usize>,
}

/// What happens to the timer that waits for an IE170.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PresentationTimer {
    /// The step starts it.
    Starts,
    /// It runs out in this step: its last message comes then.
    Expires,
}

/// A question for the balance of a guarantee (Guarantee Balance API).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BalanceRequest {
    /// Guarantee reference number.
    pub grn: String,
    /// Its access code, four characters.
    pub access_code: String,
    /// Seconds after the step before within which it must be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_seconds: Option<u32>,
}

/// The answer to a [`BalanceRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BalanceAnswer {
    /// HTTP status.
    pub status: u16,
    /// The balance, in whole units of the currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<u64>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The error code of a refusal, such as `NOT_FOUND`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A message that a step must bring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The message type.
    pub message: MessageType,
    /// Minutes after which it comes, where a timer brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_minutes: Option<u32>,
    /// The rules a rejection must name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<String>,
    /// Whether an IE025 releases the goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

/// What an IE025 says of the goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Release {
    /// They are released.
    Granted,
    /// They are not, for now.
    Refused,
}

/// The test data for one message: the data spreadsheet's column.
/// The values are handed to the message's template as they are.
pub type DataSet = serde_json::Value;

/// How to recognise an edition of a form and where each answer goes.
/// Defined where forms are filled; the catalogue only carries the text.
#[derive(Clone, Debug)]
pub struct FormFile {
    /// Stable name: the file's name without `.toml`.
    pub id: String,
    /// Path inside `scenarios/`, for messages.
    pub path: String,
    /// The TOML text.
    pub text: String,
}
