//! A house that is ready on 21 November 2026, built by hand; each test breaks
//! one thing.

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ctc_ready::catalogue::{Programme, UnpublishedDate};
use ctc_ready::digest::Digest;
use ctc_ready::evidence::verify::{Problem, SealReport, VerifyReport};
use ctc_ready::evidence::{
    Driver, MessageRecord, ObjectRef, RunId, RunRecord, RunState, SoftwareId, WaitingFor,
};
use ctc_ready::ncts::{MessageType, MovementKind};
use ctc_ready::project::{AnswerValue, Environment, Settings};
use ctc_ready::verdict::{Case, Need, Status, Verdict, judge, status};

pub(crate) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) fn id(n: u128) -> RunId {
    RunId::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 | n)
}

pub(crate) fn build(hex: char) -> String {
    format!("sha256:{}", hex.to_string().repeat(64))
}

pub(crate) const PROGRAMME: &str = r#"
id = "ncts5-final"
title = "NCTS5, final rules"
api = { version = "2.1", phase-id = "NCTS5.1", xsd = "2.1", source = "TG5" }

[[phase]]
name = "Phase 2"
opens = "2024-06-04"
source = "TG5: phases"

[[availability]]
opens = "07:00"
closes = "19:00"
source = "TG5: availability"

[officers]
mailbox = "officers@example.org"
subject-must-include = "Manual Intervention"
opens = "09:00"
closes = "17:00"
follow-up-working-days = 1
source = "TG5: guidelines"

[submission]
channel = "email"
to = "team@example.org"
how = "Send it by e-mail"
source = "TG5: apply"

[timers]
automatic-release-minutes = 45
await-presentation-minutes = 45
guarantee-amendment-minutes = 5

[[date]]
id = "final-rules-only"
on = "2024-07-01"
consequence = "Credentials rest on the final rules"
source = "TG5: credentials"

[[requirement]]
id = "standard-departure"
title = "Standard departure"
kind = "mandatory"
flow = "standard-departure"
any-of = { normal = ["DNGB1", "DNXI1"] }
source = "F11, appendix A"

[[requirement]]
id = "arrival"
title = "Arrival"
kind = "mandatory"
flow = "arrival"
any-of = { normal = ["ANGB1", "ANXI1"] }
source = "F11, appendix A"

[[requirement]]
id = "pre-lodged-departure"
title = "Pre-lodged departure"
kind = "mandatory"
flow = "pre-lodged-departure"
any-of = { normal = ["PNGB1", "PNXI1"] }
source = "F11, appendix A"
"#;

pub(crate) const SETTINGS: &str = r#"
programmes = ["ncts5-final"]

[business]
name = "Acme Ltd"
address = "1 Quay Street, Dover"

[software]
name = "Transit Desk"
version = "4.2"
flows = ["standard-departure", "arrival"]
procedures = ["normal"]
side = "GB"

[sandbox-application]
name = "desk"
id = "1"

[production-application]
name = "desk"
id = "2"

[answers]
saas = true
on-premise = false
rate-limit-enough = true
more-than-500 = false
more-than-5000 = "dont-know"

[not-applicable]
pre-lodged-departure = "Not offered"
"#;

pub(crate) struct House {
    pub(crate) programme: Programme,
    pub(crate) settings: Settings,
    pub(crate) needs: Vec<Need>,
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) waiting: BTreeMap<RunId, WaitingFor>,
    pub(crate) integrity: Option<VerifyReport>,
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) submit_on: Option<NaiveDate>,
    pub(crate) rehearsal: bool,
}

impl House {
    pub(crate) fn new() -> Self {
        let programme: Programme = toml::from_str(PROGRAMME).unwrap();
        let settings = Settings::parse(SETTINGS, Path::new("ctc-ready.toml"), &[]).unwrap();
        let needs = programme
            .requirement
            .iter()
            .map(|requirement| {
                let applies = requirement.id != "pre-lodged-departure";
                let any_of = requirement.any_of.normal.clone();
                let chosen = applies.then(|| any_of[0].clone());
                Need::new(requirement, applies, "by the matrix".into(), any_of, chosen)
            })
            .collect();
        Self {
            programme,
            settings,
            needs,
            runs: vec![run(1, "DNGB1", MessageType::Ie015), run(2, "ANGB1", MessageType::Ie007)],
            waiting: BTreeMap::new(),
            integrity: Some(VerifyReport {
                schema_version: 1,
                intact: true,
                runs: 2,
                exchanges: 4,
                objects: 4,
                bytes: 1000,
                seals: Vec::new(),
                unsealed_runs: vec![id(1), id(2)],
                sealed_by: BTreeMap::new(),
                problems: Vec::new(),
            }),
            as_of: utc("2026-11-21T12:00:00Z"),
            submit_on: None,
            rehearsal: false,
        }
    }

    pub(crate) fn case(&self) -> Case<'_> {
        Case {
            programme: &self.programme,
            settings: &self.settings,
            needs: &self.needs,
            runs: &self.runs,
            removed: &[],
            waiting: &self.waiting,
            integrity: self.integrity.as_ref(),
            as_of: self.as_of,
            submit_on: self.submit_on,
            rehearsal: self.rehearsal,
        }
    }

    pub(crate) fn judge(&self) -> Verdict {
        judge(&self.case())
    }

    pub(crate) fn status(&self) -> Status {
        status(&self.case())
    }

    pub(crate) fn simulate(&mut self) {
        for run in &mut self.runs {
            run.simulated = true;
            run.environment = Environment::Simulator;
        }
    }

    pub(crate) fn break_journal(&mut self, place: &str) {
        let report = self.integrity.as_mut().unwrap();
        report.intact = false;
        report.problems.push(Problem {
            rule: "hash-mismatch",
            place: place.to_owned(),
            message: "the line was changed".to_owned(),
        });
    }

    pub(crate) fn seal(&mut self, covers_runs: u64, valid: bool) {
        let report = self.integrity.as_mut().unwrap();
        report.seals.push(seal_report(covers_runs, valid));
        if valid {
            for run in report.unsealed_runs.drain(..covers_runs as usize) {
                report.sealed_by.entry(run).or_default().insert(Digest::ZERO);
            }
        }
    }

    pub(crate) fn answer(&mut self, key: &str, text: &str) {
        self.settings.answers.insert(key.to_owned(), AnswerValue::Text(text.to_owned()));
    }

    pub(crate) fn unanswer(&mut self, key: &str) {
        self.settings.answers.remove(key);
    }

    pub(crate) fn unpublished(&mut self, id: &str, lead_days: Option<u32>) {
        self.programme.unpublished.push(UnpublishedDate {
            id: id.to_owned(),
            what: "The day it goes live".to_owned(),
            lead_days,
            bounds: None,
            source: "TG5".to_owned(),
        });
    }

    /// An unpublished go-live with a lead of 14 days, given in the settings.
    pub(crate) fn go_live(&mut self, on: &str) {
        self.unpublished("go-live", Some(14));
        self.settings.programme.dates.insert("go-live".to_owned(), day(on));
    }
}

/// A passed run in Trader Test on 20 November 2026, 10:00 to 10:30, first
/// submitted at 10:00:05.
pub(crate) fn run(n: u128, scenario: &str, first: MessageType) -> RunRecord {
    let opened = utc("2026-11-20T10:00:00Z");
    let sent = utc("2026-11-20T10:00:05Z");
    let closed = utc("2026-11-20T10:30:00Z");
    RunRecord {
        run: id(n),
        programme: "ncts5-final".to_owned(),
        scenario: scenario.to_owned(),
        attempt: 1,
        environment: Environment::TraderTest,
        simulated: false,
        driver: Driver::Direct,
        software: SoftwareId {
            name: "Transit Desk".to_owned(),
            version: "4.2".to_owned(),
            build: Some(build('a')),
        },
        tool: "ctc-ready 0.1.0".to_owned(),
        operator: None,
        base_url: "https://test-api.service.hmrc.gov.uk".to_owned(),
        api_version: "2.1".to_owned(),
        state: RunState::Passed,
        opened,
        last_event: closed,
        closed: Some(closed),
        requests: 4,
        lrn: Some("LRN1".to_owned()),
        mrn: Some("26GB000000000000A1".to_owned()),
        balances: vec![],
        messages: vec![MessageRecord {
            message: first,
            direction: first.direction(),
            step: Some(1),
            at: sent,
            server_time: Some(sent + TimeDelta::milliseconds(200)),
            received: Some(sent + TimeDelta::milliseconds(300)),
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
        max_skew_ms: Some(100),
        clocks: ctc_ready::evidence::Clocks::default(),
    }
}

/// The same run at another time.
pub(crate) fn shift_run(run: &mut RunRecord, by: TimeDelta) {
    run.opened += by;
    run.last_event += by;
    run.closed = run.closed.map(|at| at + by);
    for message in &mut run.messages {
        message.at += by;
        message.server_time = message.server_time.map(|at| at + by);
        message.received = message.received.map(|at| at + by);
    }
}

/// What verification says of a seal.
pub(crate) fn seal_report(covers_runs: u64, valid: bool) -> SealReport {
    SealReport {
        seal: "seals/1.dsse.json".to_owned(),
        at: Some(utc("2026-11-21T11:00:00Z")),
        key: Digest::ZERO,
        endorsed_by: None,
        covers_runs,
        index_head: None,
        valid,
        time_stamp: None,
    }
}
