//! A house with a store of five attempts: one failed, one was given up, one
//! passed over a weekend with officers in it, one simulated, one open.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use chrono::{DateTime, Utc};
use ctc_ready::catalogue::{Capabilities, Catalogue, applicable};
use ctc_ready::clock::{Clock, ManualClock};
use ctc_ready::evidence::chain::{ChainWriter, read_chain};
use ctc_ready::evidence::format::{IndexEvent, Layout};
use ctc_ready::evidence::*;
use ctc_ready::ncts::{Direction, MessageType, MovementKind};
use ctc_ready::project::{Environment, Settings};
use ctc_ready::report::Dossier;
use ctc_ready::report::html::{PageOptions, page};
use ctc_ready::verdict::{Case, Need, judge};

pub(crate) const AS_OF: &str = "2026-11-24T12:00:00Z";

const SETTINGS: &str = r#"
programmes = ["ncts5-final"]

[business]
name = "Acme & Sons Ltd"
address = "1 Quay Street, Dover"

[software]
name = "Transit Desk"
version = "4.2"
build = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
flows = ["standard-departure"]
procedures = ["normal"]
side = "GB"

[not-applicable]
arrival = "Not offered <yet>"
"#;

pub(crate) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The id of the n-th run.
pub(crate) fn id(n: u128) -> RunId {
    RunId::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 | n)
}

/// A project on disk, and a clock that stands still unless told.
pub(crate) struct House {
    _folder: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    clock: Arc<ManualClock>,
    store: Option<StoreWriter>,
    redactor: Redactor,
    catalogue: Catalogue,
    settings: Settings,
}

/// A run that is being told.
pub(crate) struct Teller {
    writer: RunWriter,
    exchange: u32,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("evidence");
        let clock = Arc::new(ManualClock::at(utc("2026-11-12T10:00:00Z")));
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let store = StoreWriter::open(&dir, shared, "ctc-ready 0.1.0").unwrap();
        let redactor = Redactor::new(store.salt(), []);
        Self {
            _folder: folder,
            dir,
            clock,
            store: Some(store),
            redactor,
            catalogue: Catalogue::built_in().unwrap(),
            settings: Settings::parse(SETTINGS, std::path::Path::new("ctc-ready.toml"), &[])
                .unwrap(),
        }
    }

    fn writer(&self) -> &StoreWriter {
        self.store.as_ref().unwrap()
    }

    /// Moves the clock to an instant.
    pub(crate) fn at(&self, text: &str) {
        let by = utc(text) - self.clock.now();
        self.clock.advance(by.to_std().unwrap());
    }

    pub(crate) fn open(&self, n: u128, scenario: &str, simulated: bool) -> Teller {
        self.open_in("ncts5-final", n, scenario, simulated)
    }

    pub(crate) fn open_in(
        &self,
        programme: &str,
        n: u128,
        scenario: &str,
        simulated: bool,
    ) -> Teller {
        let store = self.writer();
        let writer = store.open_run(RunOpened {
            run: id(n),
            programme: programme.into(),
            scenario: scenario.into(),
            attempt: store.next_attempt(programme, scenario),
            environment: if simulated { Environment::Simulator } else { Environment::TraderTest },
            simulated,
            driver: Driver::Direct,
            software: SoftwareId {
                name: "Transit Desk".into(),
                version: "4.2".into(),
                build: Some(format!("sha256:{}", "a".repeat(64))),
            },
            tool: "ctc-ready 0.1.0".into(),
            operator: Some("Zoë".into()),
            base_url: "https://test-api.example".into(),
            api_version: "2.1".into(),
            time_scale: 1.0,
            session: id(99),
        });
        Teller { writer: writer.unwrap(), exchange: 0 }
    }

    pub(crate) fn close(&self, teller: Teller, state: RunState, failure: Option<Failure>) {
        self.clock.advance(Duration::from_secs(1));
        self.writer().close_run(teller.writer, RunClosed { state, failure }).unwrap();
    }

    pub(crate) fn put(&self, teller: &mut Teller, bytes: &[u8], media: &str) -> ObjectRef {
        teller.writer.put_object(bytes, Some(media), &self.redactor).unwrap()
    }

    pub(crate) fn tell(&self, teller: &mut Teller, event: Event) {
        teller.writer.append(event, Durability::Buffered).unwrap();
    }

    /// A request that leaves now.
    pub(crate) fn ask(&self, teller: &mut Teller, request: Request) {
        teller.exchange += 1;
        let headers = self.redactor.headers(&request.headers);
        let request = Request { exchange: teller.exchange, headers, ..request };
        self.tell(teller, Event::Request(request));
    }

    /// Its answer, a second later.
    pub(crate) fn answer(&self, teller: &mut Teller, status: u16, body: Option<ObjectRef>) {
        self.clock.advance(Duration::from_millis(1250));
        let media = body.as_ref().and_then(|body| body.media_type.clone());
        let response = Response {
            exchange: teller.exchange,
            status,
            headers: media.into_iter().map(|media| ("content-type".to_owned(), media)).collect(),
            body,
            server_date: DateTime::from_timestamp(self.clock.now().timestamp(), 0),
            elapsed_ns: 1_250_000_000,
        };
        self.tell(teller, Event::Response(response));
    }

    /// A message sent and taken.
    pub(crate) fn send(&self, teller: &mut Teller, message: MessageType, step: u32, lrn: &str) {
        let body = self.put(teller, xml(message, lrn, "").as_bytes(), "application/xml");
        self.ask(teller, post(message, step, lrn, body.clone()));
        let answer = format!("{{\"_links\":{{\"self\":{{\"href\":\"/{lrn}\"}}}}}}");
        let answer = self.put(teller, answer.as_bytes(), "application/json");
        self.answer(teller, 202, Some(answer));
        self.taken(teller, message, step, lrn, body);
    }

    fn taken(
        &self,
        teller: &mut Teller,
        message: MessageType,
        step: u32,
        lrn: &str,
        body: ObjectRef,
    ) {
        let submitted = Submitted {
            step,
            message,
            lrn: Some(lrn.into()),
            mrn: None,
            movement: MovementKind::Departure,
            movement_id: format!("d-{lrn}"),
            message_id: format!("s{}-{lrn}", teller.exchange),
            exchange: teller.exchange,
            received: None,
            box_id: None,
            body,
        };
        self.tell(teller, Event::Submitted(submitted));
    }

    /// A message fetched.
    pub(crate) fn fetch(
        &self,
        teller: &mut Teller,
        message: MessageType,
        lrn: &str,
        body: &[u8],
        errors: Vec<FunctionalError>,
    ) {
        let received = self.clock.now() - chrono::TimeDelta::milliseconds(200);
        self.ask(
            teller,
            get(Purpose::GetMessage, &format!("/{lrn}/messages/{}", message.as_str())),
        );
        let body = self.put(teller, body, "application/xml");
        self.answer(teller, 200, Some(body.clone()));
        let message = Received {
            message,
            movement: MovementKind::Departure,
            movement_id: format!("d-{lrn}"),
            message_id: format!("r{}-{lrn}", teller.exchange),
            exchange: teller.exchange,
            received: Some(received),
            mrn: (message == MessageType::Ie028).then(|| "26GB000060012345A1".into()),
            lrn: Some(lrn.into()),
            errors,
            release_indicator: None,
            body,
        };
        self.tell(teller, Event::Received(message));
    }

    pub(crate) fn comes(&self, teller: &mut Teller, message: MessageType, lrn: &str) {
        self.fetch(teller, message, lrn, xml(message, lrn, "").as_bytes(), Vec::new());
    }

    /// Takes a closed run away, as `evidence prune` does: its folder, and a
    /// line in the index.
    pub(crate) fn remove(&mut self, n: u128, reason: &str) {
        self.store = None;
        let layout = Layout::new(&self.dir);
        let end = read_chain(&layout.index(), |_| Ok(())).unwrap();
        let event = IndexEvent::RunRemoved { run: id(n), reason: reason.into() };
        let (text, line) = end.head.compose(self.clock.now(), 1, &event).unwrap();
        let mut index = ChainWriter::open(&layout.index(), &end).unwrap();
        index.append(&text, &line).unwrap();
        std::fs::remove_dir_all(layout.run(id(n))).unwrap();
    }

    /// The page, and what it was made of.
    pub(crate) fn page(&self) -> (String, Dossier) {
        let (store, dossier) = self.dossier();
        (self.render(&store, &dossier, 32 << 20), dossier)
    }

    /// The page of a dossier.
    pub(crate) fn render(&self, store: &Store, dossier: &Dossier, max_bytes: usize) -> String {
        let options =
            PageOptions { max_bytes, ..PageOptions::new(&self.catalogue, &self.settings) };
        page(dossier, store, &options).unwrap()
    }

    /// Everything a page is made of, judged at [`AS_OF`].
    pub(crate) fn dossier(&self) -> (Store, Dossier) {
        let programme = self.catalogue.programme("ncts5-final").unwrap();
        let software = &self.settings.software;
        let capabilities = Capabilities {
            flows: software.flows.clone(),
            procedures: software.procedures.clone(),
            combination: software.combination,
            side: software.side,
        };
        let needs: Vec<Need> = applicable(programme, &self.catalogue, &capabilities)
            .unwrap()
            .into_iter()
            .map(|item| {
                Need::new(item.requirement, item.applies, item.reason, item.any_of, item.chosen)
            })
            .collect();
        let store = Store::open(&self.dir).unwrap();
        let integrity = verify(&self.dir).unwrap();
        let (runs, _) = store.readable_runs();
        let verdict = judge(&Case {
            programme,
            settings: &self.settings,
            needs: &needs,
            removed: &[],
            runs: &runs,
            waiting: &BTreeMap::new(),
            integrity: Some(&integrity),
            as_of: utc(AS_OF),
            submit_on: None,
            rehearsal: false,
        });
        let dossier = Dossier::gather(&store, verdict, integrity, Some("DRAFT"));
        (store, dossier)
    }
}

pub(crate) fn xml(message: MessageType, lrn: &str, inside: &str) -> String {
    let root = message.root();
    format!(
        "<ncts:{root} PhaseID=\"NCTS5.1\" xmlns:ncts=\"http://ncts.dgtaxud.ec\"><TransitOperation>\
         <LRN>{lrn}</LRN></TransitOperation>{inside}</ncts:{root}>"
    )
}

pub(crate) fn post(message: MessageType, step: u32, lrn: &str, body: ObjectRef) -> Request {
    Request {
        step: Some(step),
        message: Some(message),
        lrn: Some(lrn.into()),
        message_identification: Some("0123456789ABCDEF".into()),
        payload_origin: Some("built-in templates/messages/IE015.xml".into()),
        method: "POST".into(),
        headers: vec![
            ("accept".into(), "application/vnd.hmrc.2.1+json".into()),
            ("authorization".into(), "Bearer 0123456789abcdef0123456789abcdef".into()),
        ],
        body: Some(body),
        ..get(Purpose::Submit, "/departures")
    }
}

pub(crate) fn get(purpose: Purpose, path: &str) -> Request {
    Request {
        exchange: 0,
        sent_at: None,
        purpose,
        step: None,
        message: None,
        lrn: None,
        message_identification: None,
        payload_origin: None,
        payload_mutation: None,
        payload_check: None,
        method: "GET".into(),
        url: format!("https://test-api.example/customs/transits/movements{path}"),
        headers: vec![("accept".into(), "application/vnd.hmrc.2.1+json".into())],
        body: None,
    }
}

/// A picture of one pixel.
pub(crate) fn pixel() -> Vec<u8> {
    base64::engine::general_purpose::STANDARD
        .decode(
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg\
             gg==",
        )
        .unwrap()
}

fn rejected(house: &House, teller: &mut Teller, lrn: &str) -> Failure {
    let error = FunctionalError {
        pointer: "/CC015C/Consignment/countryOfDispatch".into(),
        code: "12".into(),
        reason: "R0001".into(),
        value: Some("ZZ".into()),
    };
    let body = xml(
        MessageType::Ie056,
        lrn,
        "<FunctionalError><errorPointer>/CC015C/Consignment/countryOfDispatch</errorPointer>\
         <errorCode>12</errorCode></FunctionalError>",
    );
    house.fetch(teller, MessageType::Ie056, lrn, body.as_bytes(), vec![error.clone()]);
    Failure {
        reason: "rejected".into(),
        step: 1,
        message: "NCTS refused the IE015 with IE056: rejection; code 12 at …".into(),
        answer: Some(MessageType::Ie056),
        refused: Some(MessageType::Ie015),
        errors: vec![ExplainedError {
            meaning: Some("a codelist does not have the value".into()),
            line: Some(4),
            excerpt: Some("<countryOfDispatch>ZZ</countryOfDispatch>".into()),
            hint: Some("look the value up".into()),
            ..error.into()
        }],
    }
}

/// The whole story.
pub(crate) fn house() -> House {
    let house = House::new();

    let mut failed = house.open(1, "DNGB1", false);
    house.at("2026-11-12T10:00:05Z");
    house.send(&mut failed, MessageType::Ie015, 1, "LRN-FAILED");
    house.at("2026-11-12T10:01:00Z");
    house.comes(&mut failed, MessageType::Ie928, "LRN-FAILED");
    house.at("2026-11-12T10:02:00Z");
    let failure = rejected(&house, &mut failed, "LRN-FAILED");
    house.close(failed, RunState::Failed, Some(failure));

    house.at("2026-11-13T10:00:00Z");
    let given_up = house.open(2, "DNGB2", false);
    house.close(given_up, RunState::Abandoned, None);

    house.at("2026-11-20T16:20:00Z");
    let mut good = house.open(3, "DNGB1", false);
    let lrn = "LRN-GOOD";
    let body = xml(MessageType::Ie015, lrn, "");
    let body = house.put(&mut good, body.as_bytes(), "application/xml");
    house.ask(&mut good, post(MessageType::Ie015, 1, lrn, body.clone()));
    house.at("2026-11-20T16:20:30Z");
    let lost = RequestFailed {
        exchange: 1,
        failure: "timeout".into(),
        detail: "no answer within 30 s".into(),
        may_have_arrived: true,
    };
    house.tell(&mut good, Event::RequestFailed(lost));
    house.ask(&mut good, get(Purpose::LookUp, "/departures?localReferenceNumber=LRN-GOOD"));
    let found =
        house.put(&mut good, br#"{"departures":[{"id":"d-LRN-GOOD"}]}"#, "application/json");
    house.answer(&mut good, 200, Some(found));
    house.tell(&mut good, Event::LookedUp(LookedUp { exchange: 2, step: 1, found: true }));
    house.taken(&mut good, MessageType::Ie015, 1, lrn, body);
    house.at("2026-11-20T16:22:00Z");
    house.comes(&mut good, MessageType::Ie928, lrn);
    house.at("2026-11-20T16:25:00Z");
    let asked = OfficerAsked {
        step: 2,
        to: "officers@example.org".into(),
        subject: "Manual Intervention: DNGB1".into(),
        body: house.put(&mut good, b"Please release\r\nLRN-GOOD\r\n", "text/plain"),
        eml: Some(house.put(&mut good, b"Subject: x\r\n\r\nPlease release", "message/rfc822")),
        delivered: false,
    };
    house.tell(&mut good, Event::OfficerAsked(asked.clone()));

    house.at("2026-11-21T13:00:00Z");
    let mut simulated = house.open(4, "DNXI1", true);
    house.send(&mut simulated, MessageType::Ie015, 1, "LRN-SIM");
    for message in [MessageType::Ie928, MessageType::Ie028, MessageType::Ie029] {
        house.comes(&mut simulated, message, "LRN-SIM");
    }
    house.close(simulated, RunState::Passed, None);

    house.at("2026-11-23T09:10:00Z");
    house.tell(&mut good, Event::OfficerReminded(asked));
    house.at("2026-11-23T10:00:00Z");
    let mut attach = |name: &str, bytes: &[u8], media: &str| Attachment {
        name: name.into(),
        file: house.put(&mut good, bytes, media),
    };
    let attachments = vec![
        attach("reply.txt", b"Released at 09:58.", "text/plain"),
        attach("screen.png", &pixel(), "image/png"),
        attach("letter.pdf", b"%PDF-1.4\n\xff\xfe", "application/pdf"),
    ];
    let note = Some("by telephone: it is released".into());
    house.tell(&mut good, Event::OfficerAnswered(OfficerAnswered { step: 2, note, attachments }));
    house.at("2026-11-23T10:05:00Z");
    house.comes(&mut good, MessageType::Ie028, lrn);
    house.comes(&mut good, MessageType::Ie029, lrn);
    house.close(good, RunState::Passed, None);

    house.at("2026-11-24T09:30:00Z");
    let mut open = house.open(5, "DNGB1", false);
    house.send(&mut open, MessageType::Ie015, 1, "LRN-OPEN");
    house
}

/// Every message of a dossier: run, number in its run, direction.
pub(crate) fn messages(dossier: &Dossier) -> impl Iterator<Item = (RunId, usize, Direction)> {
    dossier.runs.iter().flat_map(|story| {
        let messages = story.record.messages.iter().enumerate();
        messages.map(|(at, message)| (story.record.run, at + 1, message.direction))
    })
}
