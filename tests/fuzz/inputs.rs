//! What users and servers hand in: settings, forms, schemas, replies.

use std::path::Path;

use chrono::{DateTime, Utc};
use ctc_ready::document::{Answers, FormDefinition, collect, fill, recognise};
use ctc_ready::hmrc::transport::Answer;
use ctc_ready::hmrc::{ctc, guarantees, notifications, oauth};
use ctc_ready::ncts::MovementKind;
use ctc_ready::ncts::read::Message;
use ctc_ready::ncts::xsd::Schemas;
use ctc_ready::project::Settings;

use crate::document_support::*;
use crate::engine::{Target, taken};
use crate::mutate;
use crate::random::Random;

/// `ctc-ready.toml`.
pub struct SettingsFile {
    good: String,
    pieces: Vec<Vec<u8>>,
}

const SETTINGS: &str = r#"
programmes = ["ncts5-final", "ncts6"]
[business]
name = "A & B"
address = """1 Quay Road
Dover"""
contact-email = "ctc@example.test"
[software]
name = "Transit Desk"
version = '4.2.0'
build = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
flows = ["standard-departure", "pre-lodged-departure"]
procedures = ["normal", "simplified"]
combination = "A"
side = "GB"
[sandbox-application]
name = "Transit Desk (sandbox)"
id = "5f1c0ffe-0000-4000-8000-000000000001"
[answers]
saas = false
on-premise = "yes"
production-applications = 3
more-than-500 = "dont-know"
[statements]
aligned = true
[programme.dates]
"ncts6.go-live" = 2026-12-01
[gate]
warn-before-hours = 48
max-clock-skew-seconds = 300
[run]
environment = "sandbox"
base-url = "https://test-api.service.hmrc.gov.uk"
max-requests-per-second = 3
[payloads]
folder = "messages"
pack = ["one.zip", "two.zip"]
[not-applicable]
arrival = "Not offered"
[notifications]
pull = true
[catalogue]
path = "my-scenarios"
"#;

/// No larger file is read.
const LARGEST_SETTINGS: usize = 1 << 20;

impl SettingsFile {
    pub fn new() -> Self {
        let mut pieces: Vec<_> = SETTINGS.lines().map(|line| line.as_bytes().to_vec()).collect();
        pieces.push(b"client-secret = \"0123456789\"".to_vec());
        let file = Self { good: SETTINGS.to_owned(), pieces };
        assert_eq!(file.read(&file.good), taken(true), "the settings to begin with are good ones");
        file
    }
}

impl Target for SettingsFile {
    type Input = String;

    fn make(&mut self, random: &mut Random) -> String {
        // Lines left out or repeated, so that sections come in every order.
        let lines = self.good.split_inclusive('\n');
        let lines: String =
            lines.map(|line| line.repeat([1, 1, 1, 1, 1, 1, 1, 0, 2][random.below(9)])).collect();
        let mut text = match random.below(4) {
            0 => lines,
            1 => mutate::text(random, &self.good, &self.pieces),
            _ => mutate::text(random, &lines, &self.pieces),
        };
        while text.len() > LARGEST_SETTINGS {
            text.pop();
        }
        text
    }

    fn size(input: &String) -> usize {
        input.len()
    }

    fn read(&self, input: &String) -> Vec<&'static str> {
        taken(
            match Settings::parse(input, Path::new("ctc-ready.toml"), &["ncts5-final", "ncts6"]) {
                Ok(_) => true,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    false
                }
            },
        )
    }
}

/// Forms: HMRC's, where they are at hand, and one of our own.
pub struct Forms {
    /// Each with the text of its document, to be packed anew.
    forms: Vec<(Vec<u8>, String)>,
    pieces: Vec<Vec<u8>>,
    known: Vec<FormDefinition>,
    answers: [Answers; 2],
}

impl Forms {
    pub fn new() -> Self {
        let known = known_forms();
        let paragraph = |text: &str| {
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            format!(
                "<w:p><w:pPr><w:b/></w:pPr><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>"
            )
        };
        let mut files: Vec<Vec<u8>> = known
            .iter()
            .map(|form| {
                let labels = form.fields.iter().map(|field| {
                    paragraph(&field.label)
                        + "<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val=\"0\"/></w14:checkbox></w:sdtPr>\
                           <w:sdtContent><w:r><w:t>☐</w:t></w:r></w:sdtContent></w:sdt><w:p/>"
                });
                let phrases = form.recognise.iter().map(|phrase| paragraph(phrase));
                docx(&phrases.chain(labels).collect::<String>())
            })
            .collect();
        files.extend([NCTS5_FORM, NCTS6_FORM].iter().filter_map(|name| reference(name)));
        let forms: Vec<(Vec<u8>, String)> = files
            .into_iter()
            .map(|file| {
                assert!(recognise(&file, &known).is_ok());
                let text = part(&file, "word/document.xml");
                (file, text)
            })
            .collect();
        let settings = full_settings();
        let answers = [(ncts5(), ncts5_evidence(), true), (ncts6(), ncts6_evidence(), false)].map(
            |(programme, (statuses, runs), rehearsal)| {
                collect(&programme, &settings, &statuses, &runs, rehearsal)
            },
        );
        let pieces = forms.iter().flat_map(|(_, text)| text.split_inclusive("</w:p>"));
        let pieces = pieces.take(500).map(|piece| piece.as_bytes().to_vec()).collect();
        Self { forms, pieces, known, answers }
    }
}

impl Target for Forms {
    /// The reader bounds what it keeps by number: half a million pieces of
    /// text, a hundred thousand paragraphs.
    const HEAP: usize = 192 << 20;

    /// With the size that it unpacks to.
    type Input = (Vec<u8>, usize);

    fn make(&mut self, random: &mut Random) -> (Vec<u8>, usize) {
        let (file, text) = random.pick(&self.forms);
        match random.below(4) {
            0 => (mutate::bytes(random, file, &[]), text.len()),
            1 => {
                let text = mutate::text(random, text, &self.pieces);
                (mutate::bytes(random, &docx_with(&text, &[]), &[]), text.len())
            }
            _ => {
                let text = mutate::text(random, text, &self.pieces);
                (docx_with(&text, &[("word/x.xml", b"<x/>")]), text.len())
            }
        }
    }

    fn size((file, unpacked): &Self::Input) -> usize {
        file.len() + unpacked
    }

    fn read(&self, (input, _): &Self::Input) -> Vec<&'static str> {
        let recognised = recognise(input, &self.known).is_ok();
        let mut filled = false;
        for form in &self.known {
            for answers in &self.answers {
                filled |= fill(input, form, answers).is_ok_and(|filled| {
                    assert!(
                        recognise(&filled.bytes, &self.known).is_ok()
                            || !recognised
                            || answers.rehearsal
                    );
                    true
                });
            }
        }
        taken(filled && recognised)
    }
}

/// What HMRC answers, and the schemas that a user has from it.
pub struct Replies {
    pieces: Vec<Vec<u8>>,
    now: DateTime<Utc>,
}

pub enum Reply {
    Xml(String),
    Json(Answer),
    Schema(String, String),
}

const XML: &[&str] = &[
    r#"<?xml version="1.0" encoding="UTF-8"?><ncts:CC056C PhaseID="NCTS5.1" xmlns:ncts="http://ncts.dgtaxud.ec"><messageSender>NTA.GB</messageSender><messageType>CC056C</messageType><TransitOperation><LRN>LRN1</LRN><MRN>26GB000246VK1UR7J3</MRN><rejectionCode>12</rejectionCode></TransitOperation><FunctionalError><errorPointer>/CC015C/Guarantee[1]/GRN[1]</errorPointer><errorCode>50</errorCode><errorReason>B1890</errorReason><originalAttributeValue>7</originalAttributeValue></FunctionalError><FunctionalError><errorPointer>/CC015C</errorPointer><errorCode>12</errorCode><errorReason>N/A</errorReason></FunctionalError></ncts:CC056C>"#,
    r#"<ncts:CC015C xmlns:ncts="http://ncts.dgtaxud.ec"><messageSender>a</messageSender><amount>12.50</amount><day>2026-11-21</day><at>2026-11-21T09:30:00</at></ncts:CC015C>"#,
    r#"<CC025C xmlns="http://ncts.dgtaxud.ec"><!-- a --><TransitOperation><MRN><![CDATA[26GB000246VK1UR7J3]]></MRN><releaseIndicator>1</releaseIndicator></TransitOperation></CC025C>"#,
];

const JSON: &[&str] = &[
    r#"{"_links":{"self":{"href":"/customs/transits/movements/departures/0123456789abcdef"}},"departureId":"0123456789abcdef","arrivalId":"0123456789abcdef","messageId":"fedcba9876543210","boxId":"0192f0c1-2b3c-7d4e-8f50-0123456789ab"}"#,
    r#"{"totalCount":2,"departures":[{"id":"0123456789abcdef","created":"2026-11-21T09:30:00.123Z","updated":"2026-11-21T09:30:00.123Z","enrollmentEORINumber":"GB1","localReferenceNumber":"LRN1","movementReferenceNumber":"26GB000246VK1UR7J3"}],"arrivals":[{"id":"0123456789abcdef","updated":"2026-11-21T09:30:00"}]}"#,
    r#"{"totalCount":1,"messages":[{"id":"0123456789abcdef","departureId":"0123456789abcdef","received":"2026-11-21T09:30:00.123Z","type":"IE928","status":"Received"}]}"#,
    r#"{"id":"0123456789abcdef","received":"2026-11-21T09:30:00.123Z","type":"IE928","status":"Received","body":"<CC928C/>"}"#,
    r#"[{"notificationId":"0192f0c1-2b3c-7d4e-8f50-0123456789ab","boxId":"0192f0c1-2b3c-7d4e-8f50-0123456789ab","messageContentType":"application/json","message":"{\"messageUri\":\"/customs/transits/movements/departures/0123456789abcdef/messages/0123456789abcdef\",\"notificationType\":\"MESSAGE_RECEIVED\",\"departureId\":\"0123456789abcdef\",\"messageId\":\"0123456789abcdef\"}","status":"PENDING","createdDateTime":"2026-11-21T09:30:00.123+0000"}]"#,
    r#"{"access_token":"abcdefabcdefabcdef","token_type":"bearer","expires_in":14400,"scope":"common-transit-convention-traders"}"#,
    r#"{"error":"invalid_client","error_description":"client id or client secret is invalid","code":"UNAUTHORIZED","message":"no","errors":[{"code":"x","message":"y"}]}"#,
    r#"{"balance":262626.5,"currency":"GBP","code":"NOT_FOUND"}"#,
];

const SCHEMA: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="http://ncts.dgtaxud.ec" targetNamespace="http://ncts.dgtaxud.ec"><xs:element name="CC015C" type="t:Root"/><xs:complexType name="Root"><xs:sequence><xs:element name="messageSender" type="t:Text"/><xs:element name="amount" type="t:Amount" minOccurs="0" maxOccurs="99"/><xs:group ref="t:More" minOccurs="0"/></xs:sequence><xs:attribute name="PhaseID" type="t:Phase"/></xs:complexType><xs:group name="More"><xs:sequence><xs:element name="day" type="xs:date"/><xs:element name="at" type="xs:dateTime"/></xs:sequence></xs:group><xs:simpleType name="Text"><xs:restriction base="xs:token"><xs:pattern value="([A-Z]{2}[\x21-\x7E]{1,15})|[a-z\d]{0,12}?.+"/><xs:maxLength value="35"/></xs:restriction></xs:simpleType><xs:simpleType name="Amount"><xs:restriction base="xs:decimal"><xs:totalDigits value="16"/><xs:fractionDigits value="2"/><xs:minInclusive value="0"/></xs:restriction></xs:simpleType><xs:simpleType name="Phase"><xs:restriction base="xs:string"><xs:enumeration value="NCTS5.1"/></xs:restriction></xs:simpleType></xs:schema>"#;

impl Replies {
    pub fn new() -> Self {
        let all = XML.iter().chain(JSON).chain([&SCHEMA]);
        let pieces = all.map(|text| text.as_bytes().to_vec()).collect();
        Self { pieces, now: "2026-11-21T09:30:00Z".parse().unwrap() }
    }

    fn answer(&self, random: &mut Random) -> Answer {
        let seed = *random.pick(JSON);
        let body = match random.below(2) {
            0 => mutate::bytes(random, seed.as_bytes(), &self.pieces),
            _ => {
                let mut value = serde_json::from_str(seed).unwrap();
                mutate::json(random, &mut value);
                value.to_string().into()
            }
        };
        let dates = ["Sat, 21 Nov 2026 09:30:00 GMT", "120", "18446744073709551615", "-1", "x"];
        let wait = *random.pick(&dates);
        let wait = mutate::text(random, wait, &[]);
        Answer {
            status: *random.pick(&[200, 202, 400, 401, 403, 404, 429, 500, 0, 999]),
            headers: vec![("Retry-After".into(), wait)],
            body,
            server_date: (random.below(2) == 0).then_some(self.now),
            elapsed_ns: random.next(),
        }
    }
}

impl Target for Replies {
    type Input = Reply;

    fn make(&mut self, random: &mut Random) -> Reply {
        match random.below(4) {
            0 => {
                let seed = *random.pick(XML);
                Reply::Xml(mutate::text(random, seed, &self.pieces))
            }
            1 => {
                let schema = mutate::text(random, SCHEMA, &self.pieces);
                Reply::Schema(schema, XML[1].to_owned())
            }
            2 => Reply::Schema(SCHEMA.to_owned(), mutate::text(random, XML[1], &self.pieces)),
            _ => Reply::Json(self.answer(random)),
        }
    }

    fn size(input: &Reply) -> usize {
        match input {
            Reply::Xml(text) => text.len(),
            Reply::Json(answer) => answer.body.len(),
            Reply::Schema(schema, text) => schema.len() + text.len(),
        }
    }

    fn read(&self, input: &Reply) -> Vec<&'static str> {
        taken(match input {
            Reply::Xml(text) => match Message::parse(text) {
                Ok(message) => {
                    let _ = (message.lrn(), message.mrn(), message.text("TransitOperation/MRN"));
                    message.functional_errors();
                    true
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    false
                }
            },
            Reply::Schema(schema, text) => {
                let files = [("cc015c.xsd".to_owned(), schema.clone())];
                Schemas::load(files).is_ok_and(|schemas| schemas.validate(text).is_ok())
            }
            Reply::Json(answer) => {
                let body = &answer.body;
                let _ = (answer.retry_after(), ctc::problem(answer), guarantees::is_lock(answer));
                let read = [
                    ctc::taken(MovementKind::Departure, body).is_ok(),
                    ctc::movements(MovementKind::Arrival, body).is_ok(),
                    ctc::movements(MovementKind::Departure, body).is_ok(),
                    ctc::messages(body).is_ok(),
                    ctc::message("0123456789abcdef", body).is_ok(),
                    notifications::listed(body).is_ok(),
                    oauth::token(answer, self.now).is_ok(),
                    guarantees::said(answer).is_ok(),
                ];
                read.contains(&true)
            }
        })
    }
}
