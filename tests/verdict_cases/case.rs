//! A row of the tables, made into a house, its evidence and a verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ctc_ready::calendar::london;
use ctc_ready::catalogue::{Catalogue, Programme, RequirementKind};
use ctc_ready::digest::Digest;
use ctc_ready::evidence::verify::{Problem, SealReport, VerifyReport};
use ctc_ready::evidence::{
    ClockChange, Clocks, Driver, MessageRecord, ObjectRef, RunId, RunRecord, RunState, SoftwareId,
};
use ctc_ready::ncts::{MessageType, MovementKind};
use ctc_ready::project::{Environment, Settings};
use ctc_ready::verdict::{self, Case, Finding, Need, Severity, Verdict, judge};
use serde::Deserialize;
use toml::{Table, Value};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());

static HOUSES: LazyLock<BTreeMap<String, Base>> =
    LazyLock::new(|| toml::from_str(include_str!("houses.toml")).unwrap());

/// A house that is ready.
#[derive(Deserialize)]
struct Base {
    settings: String,
    at: DateTime<Utc>,
    first: DateTime<Utc>,
}

#[derive(Deserialize)]
pub(crate) struct Tables {
    pub(crate) case: Vec<Row>,
}

/// A case: how a ready house is changed, and what must be found then.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) why: String,
    pub(crate) house: String,
    /// The instant judged at.
    pub(crate) at: Option<DateTime<Utc>>,
    /// When the evidence that the house starts with was first submitted.
    pub(crate) first: Option<DateTime<Utc>>,
    pub(crate) submit_on: Option<NaiveDate>,
    pub(crate) rehearsal: bool,
    /// Settings by dotted path.
    pub(crate) set: Table,
    pub(crate) drop: Vec<String>,
    /// Scenarios whose run is taken away.
    pub(crate) without: Vec<String>,
    /// Runs that are changed.
    pub(crate) change: Vec<Change>,
    /// Further runs.
    pub(crate) more: Vec<Change>,
    /// `unverified` or `seal-broken`; else a verified, sealed store.
    pub(crate) store: String,
    /// Scenarios whose run has an edited journal; or a file of the store.
    pub(crate) broken: Vec<String>,
    /// Scenarios whose run no seal covers.
    pub(crate) unsealed: Vec<String>,

    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) waived: Vec<String>,
    pub(crate) infos: Vec<String>,
    pub(crate) silent: Vec<String>,
    pub(crate) states: BTreeMap<String, String>,
    pub(crate) until: BTreeMap<String, DateTime<Utc>>,
    /// Part of some finding's message.
    pub(crate) says: Option<String>,
}

/// What is unusual about a run.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Change {
    /// The scenario of the run to change; `*` for every run, a number for the
    /// one at that place.
    pub(crate) of: String,
    /// The scenario of a further run.
    pub(crate) scenario: String,
    pub(crate) first: Option<DateTime<Utc>>,
    pub(crate) opened: Option<DateTime<Utc>>,
    pub(crate) server: Option<DateTime<Utc>>,
    pub(crate) received: Option<DateTime<Utc>>,
    pub(crate) minutes: Option<i64>,
    pub(crate) state: Option<RunState>,
    pub(crate) environment: Option<Environment>,
    pub(crate) simulated: Option<bool>,
    pub(crate) driver: Option<Driver>,
    pub(crate) software: Option<String>,
    pub(crate) version: Option<String>,
    /// One hexadecimal digit, repeated.
    pub(crate) build: Option<char>,
    pub(crate) api: Option<String>,
    pub(crate) programme: Option<String>,
    pub(crate) attempt: Option<u32>,
    pub(crate) skew_ms: Option<i64>,
    pub(crate) received_skew_ms: Option<i64>,
    pub(crate) set_back_ms: Option<i64>,
    pub(crate) set_forward_ms: Option<i64>,
}

/// Everything the judge is given.
pub(crate) struct House {
    programme: &'static Programme,
    settings: Settings,
    needs: Vec<Need>,
    runs: Vec<RunRecord>,
    integrity: Option<VerifyReport>,
    at: DateTime<Utc>,
    submit_on: Option<NaiveDate>,
    rehearsal: bool,
}

impl House {
    pub(crate) fn judge(&self) -> Verdict {
        judge(&Case {
            programme: self.programme,
            settings: &self.settings,
            needs: &self.needs,
            runs: &self.runs,
            removed: &[],
            waiting: &BTreeMap::new(),
            integrity: self.integrity.as_ref(),
            as_of: self.at,
            submit_on: self.submit_on,
            rehearsal: self.rehearsal,
        })
    }

    /// The scenarios that were run, in order.
    pub(crate) fn scenarios(&self) -> Vec<String> {
        self.runs.iter().map(|run| run.scenario.clone()).collect()
    }

    /// Until when a scenario's run may go in.
    pub(crate) fn until(&self, scenario: &str) -> DateTime<Utc> {
        let verdict = self.judge();
        let row = verdict.requirements.iter().find(|row| row.scenario.as_deref() == Some(scenario));
        row.unwrap().fresh_until.unwrap()
    }
}

fn id(place: usize) -> RunId {
    RunId::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001 + place as u128)
}

fn build(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

impl Row {
    /// Every finding that the row names.
    pub(crate) fn told(&self) -> impl Iterator<Item = &String> {
        self.errors.iter().chain(&self.warnings).chain(&self.waived).chain(&self.infos)
    }

    pub(crate) fn house(&self) -> House {
        let base =
            HOUSES.get(&self.house).unwrap_or_else(|| panic!("{}: no such house", self.name));
        let table = self.table(base);
        let programme = CATALOGUE.programme(table["programmes"][0].as_str().unwrap()).unwrap();
        // The runs need the settings, and a waiver may name a run.
        let plain = self.read(&table, &[]);
        let at = self.at.unwrap_or(base.at);
        let day = self.submit_on.unwrap_or_else(|| london::day_of(at)).max(london::day_of(at));
        let needs = verdict::needs(programme, &CATALOGUE, &plain, day).unwrap();
        let runs = self.runs(programme, &plain, &needs, self.first.unwrap_or(base.first));
        let settings = self.read(&table, &runs);
        House {
            programme,
            needs,
            integrity: self.integrity(&runs),
            runs,
            settings,
            at,
            submit_on: self.submit_on,
            rehearsal: self.rehearsal,
        }
    }

    /// The base's settings, changed.
    fn table(&self, base: &Base) -> Table {
        let mut table: Table = toml::from_str(&base.settings).unwrap();
        for path in &self.drop {
            let (parent, key) = walk(&mut table, path);
            parent.remove(key);
        }
        for (path, value) in &self.set {
            let (parent, key) = walk(&mut table, path);
            parent.insert(key.to_owned(), value.clone());
        }
        table
    }

    fn read(&self, table: &Table, runs: &[RunRecord]) -> Settings {
        let mut text = toml::to_string(table).unwrap();
        for digit in ['b', 'c'] {
            text = text.replace(&format!("{{build {digit}}}"), &build(digit));
        }
        for run in runs {
            text = text.replace(&format!("{{run {}}}", run.scenario), &run.run.to_string());
        }
        // Before the runs are there, any id will do.
        let text = text.replace("{run DNGB1}", &id(0).to_string());
        Settings::parse(&text, Path::new("ctc-ready.toml"), &[])
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    fn runs(
        &self,
        programme: &Programme,
        settings: &Settings,
        needs: &[Need],
        first: DateTime<Utc>,
    ) -> Vec<RunRecord> {
        let usual = Change { first: Some(first), ..Change::default() };
        let mut runs: Vec<RunRecord> = needs
            .iter()
            .filter(|need| need.applies && need.kind == RequirementKind::Mandatory)
            .filter_map(|need| need.chosen.clone())
            .map(|scenario| passed(programme, settings, &scenario, &usual))
            .collect();
        runs.retain(|run| !self.without.contains(&run.scenario));
        for change in &self.change {
            let mut hit = false;
            for (place, run) in runs.iter_mut().enumerate() {
                let named = change.of == "*" || change.of == run.scenario;
                if named || change.of.parse() == Ok(place) {
                    let first = change.first.or(Some(first));
                    let change = Change { first, ..change.clone() };
                    *run = passed(programme, settings, &run.scenario, &change);
                    hit = true;
                }
            }
            assert!(hit, "{}: no run of `{}` to change", self.name, change.of);
        }
        for more in &self.more {
            let more = Change { first: more.first.or(Some(first)), ..more.clone() };
            runs.push(passed(programme, settings, &more.scenario, &more));
        }
        for (place, run) in runs.iter_mut().enumerate() {
            run.run = id(place);
        }
        runs
    }

    fn integrity(&self, runs: &[RunRecord]) -> Option<VerifyReport> {
        if self.store == "unverified" {
            return None;
        }
        let mut report = VerifyReport { runs: runs.len() as u64, ..VerifyReport::on_nothing() };
        report.seals.push(SealReport {
            seal: "seals/1.dsse.json".to_owned(),
            at: Some(DateTime::UNIX_EPOCH),
            key: Digest::ZERO,
            endorsed_by: None,
            covers_runs: runs.len() as u64,
            index_head: None,
            valid: self.store != "seal-broken",
            time_stamp: None,
        });
        for place in &self.broken {
            let run = runs
                .iter()
                .find(|run| *place == run.scenario || *place == slashed(run))
                .map(|run| format!("runs/{}/journal.jsonl:3", run.run));
            report.intact = false;
            report.problems.push(Problem {
                rule: "hash-mismatch",
                place: run.unwrap_or_else(|| place.clone()),
                message: "the line was changed".to_owned(),
            });
        }
        for named in &self.unsealed {
            let run = runs.iter().find(|run| match named.strip_prefix("failed ") {
                Some(scenario) => run.scenario == scenario && run.state == RunState::Failed,
                None => run.scenario == *named,
            });
            report.unsealed_runs.push(run.unwrap().run);
        }
        Some(report)
    }

    /// Holds a verdict against the row.
    pub(crate) fn compare(&self, verdict: &Verdict) -> Result<(), String> {
        let mut differs = String::new();
        let mut same = |what: &str, wanted: &[String], found: Vec<String>| {
            let (mut wanted, mut found) = (wanted.to_vec(), found);
            wanted.sort();
            found.sort();
            if wanted != found {
                writeln!(differs, "  {what}: wanted {wanted:?}, found {found:?}").unwrap();
            }
        };
        let of = |severity| {
            let plain = |f: &&Finding| f.severity == severity && f.waived.is_none();
            verdict.findings.iter().filter(plain).map(named).collect::<Vec<_>>()
        };
        same("errors", &self.errors, of(Severity::Error));
        same("warnings", &self.warnings, of(Severity::Warning));
        let waived = verdict.findings.iter().filter(|f| f.waived.is_some());
        same("waived", &self.waived, waived.map(named).collect());

        let infos = of(Severity::Info);
        for info in self.infos.iter().filter(|info| !infos.contains(info)) {
            writeln!(differs, "  info {info} is not among {infos:?}").unwrap();
        }
        for finding in &verdict.findings {
            if self.silent.iter().any(|rule| rule == finding.rule) {
                writeln!(differs, "  `{}` fired: {}", finding.rule, finding.message).unwrap();
            }
        }
        for (requirement, state) in &self.states {
            let row = verdict.requirements.iter().find(|row| row.requirement == *requirement);
            let found = row.map(|row| serde_json::to_value(row.state).unwrap());
            if found != Some(state.as_str().into()) {
                writeln!(differs, "  {requirement} is {found:?}, not {state}").unwrap();
            }
        }
        for (requirement, until) in &self.until {
            let row = verdict.requirements.iter().find(|row| row.requirement == *requirement);
            let found = row.and_then(|row| row.fresh_until);
            if found != Some(*until) {
                writeln!(differs, "  {requirement} is fresh until {found:?}, not {until}").unwrap();
            }
        }
        if let Some(says) = &self.says
            && !verdict.findings.iter().any(|finding| finding.message.contains(says))
        {
            writeln!(differs, "  nothing says `{says}`").unwrap();
        }
        if verdict.ready != self.errors.is_empty() {
            writeln!(differs, "  ready: {}", verdict.ready).unwrap();
        }
        if differs.is_empty() { Ok(()) } else { Err(differs) }
    }
}

/// `rule requirement`, as the rows name a finding.
pub(crate) fn named(finding: &Finding) -> String {
    match &finding.requirement {
        Some(requirement) => format!("{} {requirement}", finding.rule),
        None => finding.rule.to_owned(),
    }
}

fn slashed(run: &RunRecord) -> String {
    format!("{}/{}", run.programme, run.scenario)
}

/// The table that holds a dotted path's last part.
fn walk<'a>(table: &'a mut Table, path: &'a str) -> (&'a mut Table, &'a str) {
    match path.split_once('.') {
        None => (table, path),
        Some((head, rest)) => {
            let inner = table.entry(head).or_insert_with(|| Value::Table(Table::new()));
            walk(inner.as_table_mut().unwrap(), rest)
        }
    }
}

/// A run that passed, but for what is unusual about it.
fn passed(
    programme: &Programme,
    settings: &Settings,
    scenario: &str,
    unusual: &Change,
) -> RunRecord {
    let first = unusual.first.unwrap();
    let opened = unusual.opened.unwrap_or(first - TimeDelta::seconds(5));
    let closed = first + TimeDelta::minutes(unusual.minutes.unwrap_or(30));
    let state = unusual.state.unwrap_or(RunState::Passed);
    let change = |by: Option<i64>| by.map(|by_ms| ClockChange { by_ms, line: 3 });
    RunRecord {
        run: id(0),
        programme: unusual.programme.clone().unwrap_or_else(|| programme.id.clone()),
        scenario: scenario.to_owned(),
        attempt: unusual.attempt.unwrap_or(1),
        environment: unusual.environment.unwrap_or(Environment::TraderTest),
        simulated: unusual.simulated.unwrap_or(false),
        driver: unusual.driver.unwrap_or(Driver::Direct),
        software: SoftwareId {
            name: unusual.software.clone().unwrap_or_else(|| settings.software.name.clone()),
            version: unusual.version.clone().unwrap_or_else(|| settings.software.version.clone()),
            build: unusual.build.map(build),
        },
        tool: "ctc-ready 0.1.0".to_owned(),
        operator: None,
        base_url: "https://test-api.service.hmrc.gov.uk".to_owned(),
        api_version: unusual.api.clone().unwrap_or_else(|| programme.api.version.clone()),
        state,
        opened,
        last_event: closed,
        closed: (state != RunState::Waiting).then_some(closed),
        requests: 4,
        lrn: Some("LRN1".to_owned()),
        mrn: Some("26GB000000000000A1".to_owned()),
        balances: Vec::new(),
        messages: vec![MessageRecord {
            message: MessageType::Ie015,
            direction: MessageType::Ie015.direction(),
            step: Some(1),
            at: first,
            server_time: Some(unusual.server.unwrap_or(first + TimeDelta::milliseconds(200))),
            received: Some(unusual.received.unwrap_or(first + TimeDelta::milliseconds(300))),
            status: 202,
            exchange: 1,
            movement: MovementKind::Departure,
            movement_id: "m".to_owned(),
            message_id: "i".to_owned(),
            mrn: None,
            lrn: Some("LRN1".to_owned()),
            errors: Vec::new(),
            body: ObjectRef { sha256: Digest::ZERO, bytes: 1, media_type: None, redacted: false },
        }],
        failure: None,
        max_skew_ms: Some(unusual.skew_ms.unwrap_or(100)),
        clocks: Clocks {
            received_skew_ms: unusual.received_skew_ms,
            set_back: change(unusual.set_back_ms),
            set_forward: change(unusual.set_forward_ms),
            ..Clocks::default()
        },
    }
}
