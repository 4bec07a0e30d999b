//! What the tests of documents share: a house with its settings, runs made by
//! hand, and a reader of `.docx` that has nothing in common with the code
//! under test.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

#[path = "../reference/mod.rs"]
pub(crate) mod reference;

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};
use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};
use ctc_ready::catalogue::{FormFile, Programme, RequirementKind};
use ctc_ready::digest::Digest;
use ctc_ready::document::{Answers, FormDefinition, collect, forms, statement};
use ctc_ready::evidence::{
    Driver, MessageRecord, ObjectRef, RunId, RunRecord, RunState, SoftwareId,
};
use ctc_ready::ncts::{Direction, MessageType};
use ctc_ready::project::{Environment, Settings};
use ctc_ready::verdict::{RequirementState, RequirementStatus};

/// HMRC's file of this name, or none after saying so loudly.
pub fn reference(name: &str) -> Option<Vec<u8>> {
    let path = reference::folder()?.join("forms").join(name);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Keeps a document to look at in the folder `CTC_READY_KEEP`, if there is one,
/// under the name of the test.
pub fn keep(docx: &[u8]) {
    let Some(folder) = std::env::var_os("CTC_READY_KEEP") else { return };
    let test = std::thread::current().name().unwrap_or("test").replace("::", "-");
    let mut digest = Digest::of(docx).to_string();
    digest.truncate(6);
    std::fs::write(PathBuf::from(folder).join(format!("{test}-{digest}.docx")), docx).unwrap();
}

pub const NCTS5_FORM: &str = "ctc-traders-v2.0-checklist-v1.1-january-2024.docx";
pub const NCTS6_FORM: &str = "ncts6-readiness-checklist-2026-04-14.docx";

/// The form files of this repository.
pub fn known_forms() -> Vec<FormDefinition> {
    let file = |id: &str, path: &str| FormFile {
        id: id.to_owned(),
        path: path.to_owned(),
        text: std::fs::read_to_string(
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(path),
        )
        .unwrap(),
    };
    let files = [
        file("ncts5-checklist-2024-01", "ncts5-final/forms/ncts5-checklist-2024-01.toml"),
        file("ncts6-readiness-2026-04-14", "ncts6/forms/ncts6-readiness-2026-04-14.toml"),
    ];
    forms(&files).unwrap()
}

/// What the boxes of the made-up editions state, by key.
const STATEMENTS: [(&str, &str); 6] = [
    ("aligned", "Our NCTS6 software product is aligned with it"),
    ("sandbox.given", "Please tell us the sandbox name and ID you used"),
    ("production.given", "Please tell us your Production Application Name"),
    ("tested-in-house", "We have carried out testing and integration"),
    ("outbound-movement", "Evidence of a completed outbound Transit Movement"),
    ("ready-for-go-live", "Our NCTS6 product is ready"),
];

/// The same forms, for editions of our own making: their boxes state what
/// [`STATEMENTS`] says instead of HMRC's words.
pub fn made_up_forms() -> Vec<FormDefinition> {
    let mut forms = known_forms();
    for field in forms.iter_mut().flat_map(|form| &mut form.fields) {
        let own = STATEMENTS.iter().find(|(key, _)| *key == field.key);
        field.states = own.map(|(_, text)| statement::digest(text)).or(field.states);
    }
    forms
}

/// A programme with these requirements (TOML of `[[requirement]]` tables).
pub fn programme(id: &str, requirements: &str) -> Programme {
    toml::from_str(&format!(
        r#"
id = "{id}"
title = "A programme for tests"
[api]
version = "2.1"
phase-id = "NCTS5.1"
xsd = "2.1"
source = "test"
[[phase]]
name = "test"
source = "test"
[[availability]]
always = true
source = "test"
[officers]
mailbox = "officers@example.test"
subject-must-include = "MRN"
opens = "09:00:00"
closes = "17:00:00"
follow-up-working-days = 2
source = "test"
[submission]
channel = "email"
how = "send it"
source = "test"
[timers]
automatic-release-minutes = 45
await-presentation-minutes = 45
guarantee-amendment-minutes = 45
{requirements}
"#
    ))
    .unwrap()
}

pub fn ncts5() -> Programme {
    let mut text = String::new();
    for (id, flow) in [
        ("standard-departure", "standard-departure"),
        ("pre-lodged-departure", "pre-lodged-departure"),
        ("arrival", "arrival"),
    ] {
        text.push_str(&format!(
            "[[requirement]]\nid = \"{id}\"\ntitle = \"Mandatory {id}\"\nkind = \"mandatory\"\nflow = \"{flow}\"\nany-of = {{ normal = [\"X\"] }}\nsource = \"test\"\n"
        ));
    }
    for n in 1..=12 {
        text.push_str(&format!(
            "[[requirement]]\nid = \"recommended-{n}\"\ntitle = \"Recommended {n}\"\nkind = \"recommended\"\nflow = \"standard-departure\"\nany-of = {{ any = [\"R{n}\"] }}\nsource = \"test\"\n"
        ));
    }
    programme("ncts5-final", &text)
}

pub fn ncts6() -> Programme {
    programme(
        "ncts6",
        "[[requirement]]\nid = \"outbound-movement\"\ntitle = \"A completed outbound movement\"\nkind = \"mandatory\"\nflow = \"standard-departure\"\nany-of = { any = [\"P6-DSGB-01\"] }\nsource = \"test\"\n",
    )
}

/// Settings of a house that has answered everything.
pub fn full_settings() -> Settings {
    toml::from_str(
        r#"
programmes = ["ncts5-final", "ncts6"]
[business]
name = "Müller & Söhne \"Zoll\" <Spedition> 株式会社"
address = "1 Quay Road\nDover\nCT17 9BU"
contact-email = "ctc@example.test"
[software]
name = "Transit Desk"
version = "4.2.0"
flows = ["standard-departure", "pre-lodged-departure", "arrival"]
procedures = ["normal"]
side = "GB"
[sandbox-application]
name = "Transit Desk (sandbox)"
id = "5f1c0ffe-0000-4000-8000-000000000001"
[production-application]
name = "Transit Desk"
id = "5f1c0ffe-0000-4000-8000-000000000002"
[answers]
saas = false
on-premise = "yes"
production-applications = 3
rate-limit-enough = "no"
rate-limit-why = "Two ports, one evening peak.\nForty lorries an hour."
rate-limit-history = "None: a new product."
rate-limit-usage = "5 calls a movement x 2,000 movements an hour & more."
rate-limit-calls-per-session = "12"
rate-limit-batch = "No batches."
rate-limit-impact = "Lorries wait."
more-than-500 = "dont-know"
more-than-5000 = false
[statements]
aligned = true
tested-in-house = true
outbound-movement = true
ready-for-go-live = true
"#,
    )
    .unwrap()
}

/// Settings of a house that has answered nothing.
pub fn empty_settings() -> Settings {
    toml::from_str(
        r#"
programmes = ["ncts5-final"]
[software]
name = "Transit Desk"
version = "4.2.0"
flows = ["standard-departure"]
procedures = ["normal"]
side = "GB"
"#,
    )
    .unwrap()
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A passed run with these messages, one a minute from `start`.
pub fn run(
    number: u128,
    programme: &str,
    scenario: &str,
    start: &str,
    messages: &[MessageType],
) -> RunRecord {
    let start = at(start);
    let records = messages
        .iter()
        .enumerate()
        .map(|(index, message)| {
            let minute = Duration::minutes(i64::try_from(index).unwrap());
            MessageRecord {
                message: *message,
                direction: message.direction(),
                step: (message.direction() == Direction::Sent).then_some(1),
                at: start + minute + Duration::milliseconds(412),
                server_time: Some(start + minute),
                received: Some(start + minute - Duration::seconds(1)),
                status: if message.direction() == Direction::Sent { 202 } else { 200 },
                exchange: u32::try_from(index).unwrap() + 1,
                movement: message.movement(),
                movement_id: format!("{number:016x}"),
                message_id: format!("{:016x}", number * 100 + index as u128),
                mrn: None,
                lrn: None,
                errors: Vec::new(),
                body: ObjectRef {
                    sha256: Digest::of(format!("{scenario} {message}").as_bytes()),
                    bytes: 1234,
                    media_type: Some("application/xml".to_owned()),
                    redacted: false,
                },
            }
        })
        .collect();
    RunRecord {
        run: RunId::from_u128(number),
        programme: programme.to_owned(),
        scenario: scenario.to_owned(),
        attempt: 1,
        environment: Environment::TraderTest,
        simulated: false,
        driver: Driver::Direct,
        software: SoftwareId {
            name: "Transit Desk".to_owned(),
            version: "4.2.0".to_owned(),
            build: None,
        },
        tool: "ctc-ready 0.1.0".to_owned(),
        operator: Some("A. Tester".to_owned()),
        base_url: "https://test-api.example.test".to_owned(),
        api_version: "2.1".to_owned(),
        state: RunState::Passed,
        opened: start - Duration::seconds(2),
        last_event: start + Duration::hours(1),
        closed: Some(start + Duration::hours(1)),
        requests: 9,
        lrn: Some(format!("LRN{number}")),
        mrn: Some(format!("26GB{number:014}")),
        messages: records,
        balances: Vec::new(),
        failure: None,
        max_skew_ms: Some(120),
        clocks: ctc_ready::evidence::Clocks::default(),
    }
}

pub fn status(requirement: &str, kind: RequirementKind, run: &RunRecord) -> RequirementStatus {
    RequirementStatus {
        requirement: requirement.to_owned(),
        kind,
        reason: "stated".to_owned(),
        any_of: vec![run.scenario.clone()],
        state: RequirementState::Fresh,
        scenario: Some(run.scenario.clone()),
        run: Some(run.run),
        driver: Some(run.driver),
        attempts: 1,
        fresh_until: None,
        next_actor: None,
        waiting_for: None,
    }
}

pub fn without_run(
    requirement: &str,
    kind: RequirementKind,
    state: RequirementState,
) -> RequirementStatus {
    RequirementStatus {
        requirement: requirement.to_owned(),
        kind,
        reason: "stated".to_owned(),
        any_of: vec!["DNGB1".to_owned(), "DNXI1".to_owned()],
        state,
        scenario: None,
        run: None,
        driver: None,
        attempts: 0,
        fresh_until: None,
        next_actor: None,
        waiting_for: None,
    }
}

/// Every test of the NCTS5 form, mandatory and recommended, passed.
pub fn ncts5_evidence() -> (Vec<RequirementStatus>, Vec<RunRecord>) {
    use MessageType::*;
    let mut runs = vec![
        run(1, "ncts5-final", "DNGB1", "2026-11-21T09:30:05Z", &[Ie015, Ie928, Ie028, Ie029]),
        run(
            2,
            "ncts5-final",
            "PNGB1",
            "2026-11-21T10:00:00Z",
            &[Ie015, Ie928, Ie170, Ie928, Ie028, Ie029],
        ),
        run(
            3,
            "ncts5-final",
            "ANGB1",
            "2026-11-21T11:00:00Z",
            &[Ie015, Ie928, Ie028, Ie029, Ie007, Ie043, Ie044, Ie045, Ie025],
        ),
    ];
    let mut statuses: Vec<RequirementStatus> =
        ["standard-departure", "pre-lodged-departure", "arrival"]
            .iter()
            .zip(&runs)
            .map(|(id, run)| status(id, RequirementKind::Mandatory, run))
            .collect();
    for n in 1..=12_u128 {
        let recommended =
            run(100 + n, "ncts5-final", &format!("R{n}"), "2026-11-20T12:00:00Z", &[Ie015, Ie928]);
        let id = format!("recommended-{n}");
        statuses.push(status(&id, RequirementKind::Recommended, &recommended));
        runs.push(recommended);
    }
    (statuses, runs)
}

/// The movement that NCTS6 asks for.
pub fn ncts6_evidence() -> (Vec<RequirementStatus>, Vec<RunRecord>) {
    use MessageType::*;
    let run = run(7, "ncts6", "P6-DSGB-01", "2026-11-21T09:30:05Z", &[Ie015, Ie928, Ie028, Ie029]);
    let status = status("outbound-movement", RequirementKind::Mandatory, &run);
    (vec![status], vec![run])
}

/// A member of a zip: its compressed bytes and checksum.
pub type Member = (Vec<u8>, u32);

/// Every member by name, packed as it is.
pub fn members(docx: &[u8]) -> BTreeMap<String, Member> {
    let mut archive = zip::ZipArchive::new(Cursor::new(docx)).unwrap();
    (0..archive.len())
        .map(|index| {
            let file = archive.by_index_raw(index).unwrap();
            let (name, crc) = (file.name().to_owned(), file.crc32());
            let start = usize::try_from(file.data_start().unwrap()).unwrap();
            let size = usize::try_from(file.compressed_size()).unwrap();
            (name, (docx[start..start + size].to_vec(), crc))
        })
        .collect()
}

/// A member's text.
pub fn part(docx: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(docx)).unwrap();
    let mut text = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

const W: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";

/// The text of every paragraph of the document, as a reader sees it: a tab is
/// `\t`, a break `\n`.
pub fn paragraphs(docx: &[u8]) -> Vec<String> {
    let xml = part(docx, "word/document.xml");
    let tree = roxmltree::Document::parse(&xml).unwrap();
    tree.descendants()
        .filter(|node| node.has_tag_name((W, "p")))
        .map(|paragraph| {
            paragraph
                .descendants()
                .map(|node| match node.tag_name().name() {
                    "t" => node.text().unwrap_or_default().to_owned(),
                    "tab" if node.parent().unwrap().has_tag_name((W, "r")) => "\t".to_owned(),
                    "br" => "\n".to_owned(),
                    _ => String::new(),
                })
                .collect()
        })
        .collect()
}

pub fn ncts5_answers(rehearsal: bool) -> Answers {
    let (statuses, runs) = ncts5_evidence();
    collect(&ncts5(), &full_settings(), &statuses, &runs, rehearsal)
}

pub fn ncts6_answers(rehearsal: bool) -> Answers {
    let (statuses, runs) = ncts6_evidence();
    collect(&ncts6(), &full_settings(), &statuses, &runs, rehearsal)
}

/// The paragraphs of `after` that differ from `before`; both have as many.
pub fn changed(before: &[u8], after: &[u8]) -> Vec<(String, String)> {
    let (before, after) = (paragraphs(before), paragraphs(after));
    assert_eq!(before.len(), after.len(), "no paragraph may come or go");
    before.into_iter().zip(after).filter(|(before, after)| before != after).collect()
}

pub fn assert_other_members_untouched(before: &[u8], after: &[u8]) {
    let (mut before, mut after) = (members(before), members(after));
    before.remove("word/document.xml").unwrap();
    after.remove("word/document.xml").unwrap();
    assert!(!before.is_empty());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, member) in &before {
        assert!(after[name] == *member, "`{name}` changed");
    }
}

/// State and glyph of every check box control in order.
pub fn check_boxes(docx: &[u8]) -> Vec<(String, String)> {
    const W14: &str = "http://schemas.microsoft.com/office/word/2010/wordml";
    let xml = part(docx, "word/document.xml");
    let tree = roxmltree::Document::parse(&xml).unwrap();
    tree.descendants()
        .filter(|node| node.has_tag_name((W14, "checkbox")))
        .map(|checkbox| {
            let checked = checkbox.children().find(|n| n.has_tag_name((W14, "checked"))).unwrap();
            let control = checkbox.parent().unwrap().parent().unwrap();
            let glyphs: String = control
                .descendants()
                .filter(|node| node.tag_name().name() == "t")
                .filter_map(|node| node.text())
                .collect();
            (checked.attribute((W14, "val")).unwrap().to_owned(), glyphs)
        })
        .collect()
}

/// A `.docx` with this content of `w:body`, as small as Word accepts.
pub fn docx(body: &str) -> Vec<u8> {
    docx_with(&document(body), &[])
}

/// `word/document.xml` with this content of `w:body`.
pub fn document(body: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:document xmlns:w="{W}" xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><w:body>{body}</w:body></w:document>"#
    )
}

pub const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"#;

/// A `.docx` with this `word/document.xml` and more members.
pub fn docx_with(document: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut members: Vec<(&str, &[u8])> = vec![
        ("[Content_Types].xml", CONTENT_TYPES.as_bytes()),
        (
            "_rels/.rels",
            br#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#,
        ),
        ("word/document.xml", document.as_bytes()),
    ];
    members.extend(more);
    archive(&members)
}

/// A zip of these members.
pub fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// `docx` with another `word/document.xml`.
pub fn with_document(docx: &[u8], document: &str) -> Vec<u8> {
    let mut from = zip::ZipArchive::new(Cursor::new(docx)).unwrap();
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let member = from.by_index_raw(index).unwrap();
        if member.name() == "word/document.xml" {
            to.start_file(member.name(), zip::write::SimpleFileOptions::default()).unwrap();
            to.write_all(document.as_bytes()).unwrap();
        } else {
            to.raw_copy_file(member).unwrap();
        }
    }
    to.finish().unwrap().into_inner()
}
