//! A small store that holds a little of everything, the same every time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ctc_ready::catalogue::RequirementKind;
use ctc_ready::clock::ManualClock;
use ctc_ready::digest::Digest;
use ctc_ready::evidence::index::{ClosedRun, IndexedRun};
use ctc_ready::evidence::*;
use ctc_ready::ncts::{MessageType, MovementKind};
use ctc_ready::project::Environment;
use ctc_ready::report::{Dossier, OnlyIndexed};
use ctc_ready::verdict::{Finding, RequirementState, RequirementStatus, Severity, Verdict};

use crate::support::{clock, open, opened, passed, request, response, start, submitted};

/// A store on disk.
pub struct Tale {
    _folder: tempfile::TempDir,
    pub dir: PathBuf,
    clock: Arc<ManualClock>,
    runs: u128,
}

impl Tale {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("evidence");
        Self { _folder: folder, dir, clock: clock(), runs: 0 }
    }

    pub fn store(&self) -> Store {
        Store::open(&self.dir).unwrap()
    }

    /// Adds a run; `tell` appends what happens in it.
    pub fn run(
        &mut self,
        scenario: &str,
        change: impl FnOnce(&mut RunOpened),
        tell: impl FnOnce(&mut Telling<'_>),
        end: Option<RunClosed>,
    ) -> RunId {
        self.runs += 1;
        let store = open(&self.dir, &self.clock).unwrap();
        let mut about = opened(&store, scenario);
        about.run = run_id(self.runs);
        change(&mut about);
        let writer = store.open_run(about).unwrap();
        let redactor = Redactor::new(store.salt(), []);
        let mut telling = Telling { writer, clock: &self.clock, redactor, next: 1 };
        tell(&mut telling);
        let (writer, run) = (telling.writer, run_id(self.runs));
        if let Some(end) = end {
            store.close_run(writer, end).unwrap();
        }
        run
    }

    /// Everything, for a verdict.
    pub fn dossier(&self, verdict: Verdict, mark: Option<&'static str>) -> Dossier {
        let integrity = verify(&self.dir).unwrap();
        Dossier::gather(&self.store(), verdict, integrity, mark)
    }
}

/// The `n`th run: ids that are the same every time.
pub fn run_id(n: u128) -> RunId {
    format!("01a1fdd7-e27a-7000-8000-{n:012x}").parse().unwrap()
}

/// A run as it goes.
pub struct Telling<'a> {
    pub writer: RunWriter,
    clock: &'a ManualClock,
    redactor: Redactor,
    next: u32,
}

impl Telling<'_> {
    pub fn add(&mut self, event: Event) {
        self.clock.advance(Duration::from_millis(250));
        self.writer.append(event, Durability::Buffered).unwrap();
    }

    pub fn body(&self, bytes: &[u8], media_type: &str) -> ObjectRef {
        self.writer.put_object(bytes, Some(media_type), &self.redactor).unwrap()
    }

    /// An exchange and its answer; its number.
    pub fn exchange(
        &mut self,
        purpose: Purpose,
        sent: Option<ObjectRef>,
        status: u16,
        got: Option<ObjectRef>,
    ) -> u32 {
        let number = self.ask(purpose, sent);
        let mut answer = response(number, status, got);
        answer.elapsed_ns = 120_500_000;
        answer.server_date = Some(start());
        answer.headers = vec![("Content-Type".into(), "application/json".into())];
        self.add(Event::Response(answer));
        number
    }

    /// A request of which nothing is known yet; its number.
    pub fn ask(&mut self, purpose: Purpose, sent: Option<ObjectRef>) -> u32 {
        let number = self.next;
        self.next += 1;
        let mut asked = request(number, purpose, sent);
        asked.url = "https://test.example/movements/departures?updatedSince=2026-11-21T09%3A30&token=redacted:0123456789abcdef#x".into();
        asked.headers = vec![("Authorization".into(), "Bearer redacted:0123456789abcdef".into())];
        self.add(Event::Request(asked));
        number
    }

    /// A message of ours that the API takes.
    pub fn submit(&mut self, xml: &[u8]) {
        let body = self.body(xml, "application/xml");
        let got = self.body(br#"{"_links":{}}"#, "application/json");
        let number = self.exchange(Purpose::Submit, Some(body.clone()), 202, Some(got));
        self.add(Event::Submitted(submitted(number, body)));
    }

    /// A message of NCTS.
    pub fn receive(&mut self, message: MessageType, xml: &[u8], errors: Vec<FunctionalError>) {
        let body = self.body(xml, "application/xml");
        let exchange = self.exchange(Purpose::GetMessage, None, 200, Some(body.clone()));
        self.add(Event::Received(Received {
            message,
            movement: MovementKind::Departure,
            movement_id: "d1".into(),
            message_id: format!("m{exchange}"),
            exchange,
            received: Some(start()),
            mrn: (message == MessageType::Ie028).then(|| "26GB000246VK1UR7J3".into()),
            lrn: Some("LRN1".into()),
            errors,
            release_indicator: None,
            body,
        }));
    }
}

pub fn failed(reason: &str, message: &str) -> RunClosed {
    let failure =
        Failure { reason: reason.into(), step: 1, message: message.into(), ..Failure::default() };
    RunClosed { state: RunState::Failed, failure: Some(failure) }
}

pub fn given_up() -> RunClosed {
    let failure = Failure {
        reason: "given-up".into(),
        message: "no longer wanted".into(),
        ..Failure::default()
    };
    RunClosed { state: RunState::Abandoned, failure: Some(failure) }
}

/// A refusal, a passed attempt after it, one under way after troubles, one
/// given up, one on the simulator alone.
pub fn tale() -> Tale {
    let mut tale = Tale::new();
    let error = FunctionalError {
        pointer: "/CC015C/Guarantee[1]/GRN[1]".into(),
        code: "50".into(),
        reason: "B1890".into(),
        value: Some("7".into()),
    };
    let mut refused = failed("rejected", "NCTS refused the IE015 with IE056");
    if let Some(failure) = &mut refused.failure {
        failure.errors = vec![error.clone().into()];
    }
    tale.run(
        "DNGB1",
        |_| {},
        |run| {
            run.submit(b"<CC015C><LRN>LRN1</LRN></CC015C>");
            run.receive(MessageType::Ie056, b"<CC056C/>", vec![error]);
        },
        Some(refused),
    );
    tale.run(
        "DNGB1",
        |_| {},
        |run| {
            run.submit(b"<CC015C><LRN>LRN1</LRN></CC015C>");
            for _ in 0..3 {
                let news = run.body(br#"{"departures":[]}"#, "application/json");
                run.exchange(Purpose::ListMovements, None, 200, Some(news));
            }
            run.receive(MessageType::Ie928, b"<CC928C/>", vec![]);
            let body = run.body(b"Please release the declaration.", "text/plain");
            run.add(Event::OfficerAsked(OfficerAsked {
                step: 2,
                to: "officers@hmrc.example".into(),
                subject: "Manual Intervention".into(),
                body,
                eml: None,
                delivered: false,
            }));
            let file = run.body(&[0xff, 0xd8, 0xff, 0x00], "image/jpeg");
            run.add(Event::OfficerAnswered(OfficerAnswered {
                step: 2,
                note: Some("released by phone".into()),
                attachments: vec![Attachment { name: "screen.jpg".into(), file }],
            }));
            run.receive(
                MessageType::Ie028,
                b"<CC028C><MRN>26GB000246VK1UR7J3</MRN></CC028C>",
                vec![],
            );
        },
        Some(passed()),
    );
    tale.run(
        "PSGB1",
        |_| {},
        |run| {
            let body = run.body(b"<CC015C/>", "application/xml");
            let lost = run.ask(Purpose::Submit, Some(body));
            run.add(Event::RequestFailed(RequestFailed {
                exchange: lost,
                failure: "timeout".into(),
                detail: "no answer within 30 seconds".into(),
                may_have_arrived: true,
            }));
            let found = run.exchange(Purpose::LookUp, None, 200, None);
            run.add(Event::LookedUp(LookedUp { exchange: found, step: 1, found: false }));
            let page = run.body(b"<html>\xff\xfe</html>", "text/html");
            run.exchange(Purpose::ListMovements, None, 503, Some(page));
            run.ask(Purpose::ListMovements, None);
        },
        None,
    );
    tale.run("ASGB1", |_| {}, |_| {}, Some(given_up()));
    let simulated = |opened: &mut RunOpened| {
        opened.environment = Environment::Simulator;
        opened.simulated = true;
    };
    tale.run("PNGB1", simulated, |run| run.submit(b"<CC015C/>"), Some(passed()));
    tale
}

/// A verdict on it, with a finding of each kind.
pub fn verdict() -> Verdict {
    let at: DateTime<Utc> = start();
    let finding = |rule, severity, requirement: Option<&str>, message: &str| Finding {
        rule,
        severity,
        requirement: requirement.map(str::to_owned),
        scenario: None,
        run: None,
        message: message.into(),
        source: Some("CTC Traders API testing guide".into()),
        waived: None,
        waived_until: None,
        waived_by: None,
    };
    let mut waived =
        finding("evidence-stale", Severity::Error, Some("arrival"), "`ASGB1` is too old");
    waived.waived = Some("HMRC agreed by letter".into());
    waived.waived_until = chrono::NaiveDate::from_ymd_opt(2026, 12, 31);
    waived.waived_by = Some("Release board".into());
    Verdict {
        schema_version: 1,
        ready: false,
        rehearsal: false,
        programme: "ncts5-final".into(),
        as_of: at,
        submit_on: Some(at.date_naive()),
        findings: vec![
            finding(
                "required-scenario-missing",
                Severity::Error,
                Some("pre-lodged-departure"),
                "`PSGB1` has not passed",
            ),
            finding("unanswered-question", Severity::Error, None, "the form asks for `saas`"),
            waived,
            finding("clock-skew", Severity::Warning, Some("standard-departure"), "2 s ahead"),
        ],
        requirements: vec![
            requirement("standard-departure", RequirementState::Fresh, Some(run_id(2))),
            requirement("pre-lodged-departure", RequirementState::Missing, None),
            requirement("arrival", RequirementState::Stale, None),
            requirement("guarantees", RequirementState::NotApplicable, None),
        ],
    }
}

fn requirement(id: &str, state: RequirementState, run: Option<RunId>) -> RequirementStatus {
    RequirementStatus {
        requirement: id.into(),
        kind: RequirementKind::Mandatory,
        reason: "your software does not support it".into(),
        any_of: vec!["DNGB1".into(), "DNXI1".into()],
        state,
        scenario: Some("DNGB1".into()),
        run,
        driver: None,
        attempts: 2,
        fresh_until: run.map(|_| start() + Duration::from_secs(24 * 3600)),
        next_actor: None,
        waiting_for: None,
    }
}

/// An attempt that was removed.
pub fn removed() -> OnlyIndexed {
    let closed = ClosedRun { state: RunState::Failed, lines: 3, head: Digest::ZERO };
    OnlyIndexed {
        run: run_id(99),
        indexed: IndexedRun {
            programme: "ncts5-final".into(),
            scenario: "DNGB1".into(),
            environment: Environment::Sandbox,
            attempt: 7,
            assigned: false,
            first: Digest::ZERO,
            closed: Some(closed),
            removed: Some("a trial of the network".into()),
        },
        problem: None,
    }
}
