//! What can be set about a simulator, and HMRC's published values for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::hours::OpeningHours;
use crate::ncts::xsd::Schemas;

/// A version of the CTC Traders API, as an `Accept` header names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ApiVersion {
    /// 2.0: NCTS5 under transition rules. HMRC has withdrawn it; it is here to
    /// rehearse the transition programme.
    V2_0,
    /// 2.1: NCTS5 under final rules.
    V2_1,
    /// 3.0: NCTS6.
    V3_0,
}

impl ApiVersion {
    /// Every version the simulator knows.
    pub const ALL: &[ApiVersion] = &[Self::V2_0, Self::V2_1, Self::V3_0];

    /// `2.0`, `2.1`, `3.0`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2_0 => "2.0",
            Self::V2_1 => "2.1",
            Self::V3_0 => "3.0",
        }
    }

    /// The version written `text`, if there is one.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|version| version.as_str() == text)
    }

    /// Whether NCTS6 answers on this version; otherwise NCTS5 does.
    pub fn is_ncts6(self) -> bool {
        self == Self::V3_0
    }
}

/// Timers of NCTS in HMRC's Trader Test.
///
/// Source: testing guides for NCTS5 and NCTS6, test scenarios guidelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    /// Simplified procedure: from IE028 to IE029.
    pub automatic_release: Duration,
    /// Pre-lodged declarations: from IE015 until the IE170 must have come.
    pub await_presentation: Duration,
    /// From IE055 to IE051.
    pub guarantee_amendment: Duration,
}

/// How long NCTS and its officers take over things for which HMRC publishes
/// no time. Invented, and kept short of every published timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delays {
    /// From a message's arrival to the first reply to it.
    pub processing: Duration,
    /// From IE928 to the next thing NCTS does of its own accord.
    pub acceptance: Duration,
    /// From an officer's mail to the first thing the officer does.
    pub officer: Duration,
    /// Between two things an officer does for the same mail.
    pub officer_step: Duration,
}

/// A guarantee whose balance the guarantee API tells. In pounds sterling, as
/// all of HMRC's are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuaranteeBalance {
    /// Type of guarantee; balances exist for 0, 1 and 9.
    pub guarantee_type: u8,
    /// Four alphanumerics, whatever the case.
    pub access_code: String,
    /// What is left of it.
    pub pence: i64,
}

/// An application registered on the Developer Hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Application {
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: String,
    /// At most five; a request's must begin with one. One on this machine's
    /// loopback interface without a port stands for every port.
    pub redirect_uris: Vec<String>,
}

/// Everything that can be set about a simulator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimulatorOptions {
    /// Decides every id, MRN and message identification: the same seed and
    /// the same requests give the same ones.
    pub seed: u64,
    /// Divides every timer and delay: at 2700, 45 minutes last a second.
    /// Timestamps stay those of the clock. Above 0.
    pub time_scale: f64,
    /// Requests a second allowed per bearer token before
    /// `MESSAGE_THROTTLED_OUT`; none: no limit.
    pub requests_per_second: Option<u32>,
    /// Versions answered; others are refused as not acceptable.
    pub versions: Vec<ApiVersion>,
    /// Timers for versions 2.0 and 2.1.
    pub ncts5: Timers,
    /// Timers for version 3.0.
    pub ncts6: Timers,
    /// Invented delays.
    pub delays: Delays,
    /// Guarantees that exist; any other GRN fails the guarantee check.
    pub known_guarantees: BTreeSet<String>,
    /// UN/LOCODEs that exist, checked in a presentation notification.
    pub known_locodes: BTreeSet<String>,
    /// Authorisation numbers of places where goods may be presented
    /// (location qualifier `Y`), checked in a presentation notification.
    pub known_locations: BTreeSet<String>,
    /// What the guarantee API knows, by GRN; none of HMRC's test guarantees
    /// is valid in declarations.
    pub balances: BTreeMap<String, GuaranteeBalance>,
    /// How long the balance of a guarantee cannot be asked again, before
    /// [`Self::time_scale`].
    pub balance_lock: Duration,
    /// Applications known from the start.
    pub applications: Vec<Application>,
    /// The application to which tokens belong that were not issued here; none:
    /// each to one of its own.
    #[serde(default)]
    pub own_application: Option<String>,
    /// `PhaseID` on replies: what HMRC's router inserts, whatever the version.
    pub phase_id: String,
    /// Most movements kept; the oldest is dropped for a new one.
    pub movements_kept: usize,
    /// Most bytes of message bodies kept; the oldest movements are dropped.
    pub bytes_kept: usize,
    /// Most entries kept of the submission log and of the mailbox.
    pub log_kept: usize,
    /// Whether NCTS takes messages and never answers any, as in a sandbox that
    /// is not connected with it: what comes is injected.
    #[serde(default)]
    pub silent: bool,
    /// When NCTS answers and officers read their mail; none: always.
    pub opening_hours: Option<OpeningHours>,
    /// What is to go wrong; none: nothing.
    #[serde(skip)]
    pub faults: Option<Faults>,
    /// XSDs that messages are validated against; a version that has none is
    /// not validated.
    #[serde(skip)]
    pub schemas: BTreeMap<ApiVersion, Arc<Schemas>>,
    /// Folder that keeps the state; none: it ends with the simulator.
    #[serde(skip)]
    pub state: Option<PathBuf>,
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// The guarantees that HMRC's data spreadsheets and examples use in
/// declarations (NCTS5 and NCTS6, sheet IE015).
const GUARANTEES: &[&str] = &[
    "23GB0000010000058",
    "23XI00000100000D0",
    "24GB0000010000031",
    "24XI0000010000031",
    "26GB000001038B634",
    "26XI0000010943D40",
];

/// The two of HMRC's data, and the busier United Kingdom ports and airports.
const LOCODES: &[&str] = &[
    "GBABD", "GBAVO", "GBBEL", "GBBHX", "GBBRS", "GBCYN", "GBDVR", "GBEMA", "GBFOL", "GBFXT",
    "GBGLW", "GBGRK", "GBHLY", "GBHRW", "GBHUL", "GBHYM", "GBIMM", "GBLAR", "GBLDY", "GBLGP",
    "GBLGW", "GBLHR", "GBLIV", "GBLON", "GBMAN", "GBPME", "GBSOU", "GBTEE", "GBTIL", "GBWPT",
];

/// The places of HMRC's data spreadsheets (sheets IE007, IE015, IE170).
const LOCATIONS: &[&str] =
    &["GB DEP E20 1HZ", "GB DES E20 1HZ", "XI DEP BT1 3ET", "XI DES BT1 3ET"];

/// GRN, type and pounds of the guarantees whose balance can be asked.
///
/// Source: guarantee balance testing guide, test data.
const BALANCES: &[(&str, u8, i64)] = &[
    ("23GB0000010000854", 0, 262_626),
    ("23GB0000010000863", 1, 10_000),
    ("23GB0000010000872", 9, 90_000),
    ("23XI0000010000655", 0, 30_000),
    ("23XI0000010000664", 1, 50_000),
];

/// Their access code.
const ACCESS_CODE: &str = "AC01";

fn balances() -> BTreeMap<String, GuaranteeBalance> {
    let balance = |guarantee_type, pounds| GuaranteeBalance {
        guarantee_type,
        access_code: ACCESS_CODE.to_owned(),
        pence: pounds * 100,
    };
    BALANCES.iter().map(|(grn, of, pounds)| ((*grn).to_owned(), balance(*of, *pounds))).collect()
}

/// The application that is there without registering one.
fn application() -> Application {
    Application {
        client_id: "simulator-client".to_owned(),
        client_secret: "simulator-secret".to_owned(),
        redirect_uris: ["http://localhost", "http://127.0.0.1"].map(str::to_owned).to_vec(),
    }
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        let timers = |guarantee| Timers {
            automatic_release: minutes(45),
            await_presentation: minutes(45),
            guarantee_amendment: minutes(guarantee),
        };
        Self {
            seed: 0,
            time_scale: 1.0,
            requests_per_second: Some(3),
            versions: ApiVersion::ALL.to_vec(),
            ncts5: timers(5),
            ncts6: timers(60),
            delays: Delays {
                processing: Duration::from_secs(1),
                acceptance: Duration::from_secs(1),
                officer: minutes(5),
                officer_step: Duration::from_secs(2),
            },
            known_guarantees: set(GUARANTEES),
            known_locodes: set(LOCODES),
            known_locations: set(LOCATIONS),
            balances: balances(),
            balance_lock: minutes(1),
            applications: vec![application()],
            own_application: None,
            phase_id: "NCTS5.1".to_owned(),
            movements_kept: 10_000,
            bytes_kept: 256 << 20,
            log_kept: 10_000,
            silent: false,
            opening_hours: None,
            faults: None,
            schemas: BTreeMap::new(),
            state: None,
        }
    }
}

impl SimulatorOptions {
    /// The timers of a version.
    pub fn timers(&self, version: ApiVersion) -> Timers {
        if version.is_ncts6() { self.ncts6 } else { self.ncts5 }
    }

    /// `duration` divided by the time scale.
    pub(super) fn scaled(&self, duration: Duration) -> TimeDelta {
        let nanos = duration.as_secs_f64() / self.time_scale * 1e9;
        // A float becomes the nearest whole number that fits; a time scale
        // near nothing gives the longest wait there is.
        TimeDelta::nanoseconds(nanos as i64)
    }

    /// The first instant from `at` on at which NCTS, or an officer, is there
    /// for a movement of a version; `at` when they never are.
    pub(super) fn attended(
        &self,
        version: ApiVersion,
        officer: bool,
        at: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let hours = self.opening_hours.as_ref();
        hours.and_then(|hours| hours.attended(version, officer, at)).unwrap_or(at)
    }

    /// What is wrong with the options, if anything.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if !(self.time_scale.is_finite() && self.time_scale > 0.0) {
            return Some("`time_scale` must be a number above 0");
        }
        if self.requests_per_second == Some(0) {
            return Some("`requests_per_second` must be above 0");
        }
        if self.movements_kept == 0 {
            return Some("`movements_kept` must be above 0");
        }
        if !matches!(self.phase_id.as_str(), "NCTS5.0" | "NCTS5.1" | "NCTS6") {
            return Some("`phase_id` must be `NCTS5.0`, `NCTS5.1` or `NCTS6`");
        }
        None
    }
}
