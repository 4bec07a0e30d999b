//! What a server, a user or a long test campaign may do to a report.

use ctc_ready::evidence::{Event, Purpose, RunState};
use ctc_ready::ncts::MessageType;
use ctc_ready::report::json::EvidenceExport;
use ctc_ready::report::{Dossier, MAX_BODY, har, json, junit, markdown, timeline};
use roxmltree::Document;
use serde_json::Value;

use crate::formats::assert_schema;
use crate::published::{assert_har, assert_junit};
use crate::support::passed;
use crate::tale::{Tale, failed, run_id, tale, verdict};

/// Breaks XML, Markdown, tables, terminals, and people's trust.
const FOUL: &str = "\0\u{1}\u{1b}[2J\u{1b}]0;title\u{7}]]></system-out><![CDATA[<script>alert(1)</script> \
    a|b\r\n# not a heading\n```\n@everyone #1 !2 [x](javascript:1) ![y](https://evil.example/p.png) \
    <img src=x onerror=1> &amp; $math$ \u{202e}txt.exe \u{ffff} www.evil.example `code` \u{85}é株";

fn foul() -> (Tale, Dossier) {
    let mut tale = Tale::new();
    tale.run(
        FOUL,
        |opened| {
            opened.software.name = FOUL.into();
            opened.operator = Some(FOUL.into());
            opened.base_url = FOUL.into();
        },
        |run| {
            run.submit(FOUL.as_bytes());
            let every: Vec<u8> = (0..=255).collect();
            let page = run.body(&every, FOUL);
            run.exchange(Purpose::ListMovements, Some(page.clone()), 599, Some(page));
            run.exchange(Purpose::GetMessage, None, 0, None);
            let mut asked = crate::support::request(9, Purpose::ListMessages, None);
            asked.url = FOUL.into();
            asked.method = FOUL.into();
            asked.headers = vec![(FOUL.into(), FOUL.into())];
            run.add(Event::Request(asked));
            run.receive(MessageType::Ie928, FOUL.as_bytes(), vec![]);
        },
        Some(failed(FOUL, FOUL)),
    );
    let mut verdict = verdict();
    verdict.programme = FOUL.into();
    for finding in &mut verdict.findings {
        finding.message = FOUL.into();
        finding.source = Some(FOUL.into());
    }
    verdict.findings[2].waived = Some(FOUL.into());
    verdict.requirements[0].requirement = FOUL.into();
    verdict.requirements[1].any_of = vec![FOUL.into()];
    let dossier = tale.dossier(verdict, None);
    (tale, dossier)
}

#[test]
fn junit_holds_what_xml_cannot() {
    let (_tale, dossier) = foul();
    let xml = junit::export(&dossier).unwrap();
    assert_junit(&xml);
    let text = String::from_utf8(xml).unwrap();
    let document = Document::parse(&text).unwrap();
    let case = document
        .descendants()
        .find(|n| {
            n.has_tag_name("testcase") && n.attribute("classname").unwrap().ends_with(".scenarios")
        })
        .unwrap();
    // All of it that can be told, in place: nothing closed an element early.
    let name = case.attribute("name").unwrap();
    assert!(
        name.starts_with("\u{fffd}\u{fffd}\u{fffd}[2J\u{fffd}]0;title\u{fffd}]]></system-out>"),
        "{name}"
    );
    assert!(name.ends_with("`code` \u{fffd}é株"), "{name}");
    assert!(!document.descendants().any(|node| node.has_tag_name("script")));
}

#[test]
fn har_and_json_keep_every_byte_of_text() {
    let (tale, dossier) = foul();
    let store = tale.store();
    let har = assert_har_but_for_addresses(&har::export(&dossier, &store).unwrap());
    let entries = har["log"]["entries"].as_array().unwrap();
    assert_eq!(entries[0]["request"]["postData"]["text"], FOUL);
    let page = &entries[1]["response"]["content"];
    assert_eq!((&page["encoding"], &page["size"]), (&"base64".into(), &256.into()));
    let comment = entries[1]["request"]["postData"]["comment"].as_str().unwrap();
    assert!(comment.contains("no text in UTF-8"), "{comment}");
    let document: Value = serde_json::from_slice(&json::export(&dossier, &store).unwrap()).unwrap();
    assert_schema::<EvidenceExport>(&document);
    assert_eq!(document["runs"][0]["scenario"], FOUL);
}

/// The address of one request is none; all else is as the schema has it.
fn assert_har_but_for_addresses(bytes: &[u8]) -> Value {
    let mut har: Value = serde_json::from_slice(bytes).unwrap();
    for entry in har["log"]["entries"].as_array_mut().unwrap() {
        entry["request"]["url"] = "https://test.example/".into();
    }
    assert_har(&serde_json::to_vec(&har).unwrap())
}

#[test]
fn markdown_stays_a_table_of_text() {
    let (_tale, dossier) = foul();
    let text = markdown::export(&dossier);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    // No HTML but our own, no mark-up, link or mention.
    let html = regex::Regex::new(r"<[^>]*>").unwrap();
    for tag in html.find_iter(&text) {
        let own =
            ["<br>", "<details>", "</details>", "<summary>", "</summary>", "<!-- ctc-ready -->"];
        assert!(own.contains(&tag.as_str()), "{}", tag.as_str());
    }
    for live in ["@everyone", "#1", "!2", "](", "https://evil", "javascript:1", "www.evil", "$math"]
    {
        assert!(!text.contains(live), "`{live}` is live");
    }
    // Each row has as many cells as its head.
    let cells = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
    let mut head = None;
    let mut rows = 0;
    for line in text.lines() {
        match line.starts_with('|') {
            true => {
                assert_eq!(cells(line), *head.get_or_insert(cells(line)), "{line}");
                rows += 1;
            }
            false => head = None,
        }
    }
    assert_eq!(rows, 3 * 2 + 4 + 4 + 1);
    assert!(!text.contains("\n# not a heading"));
}

#[test]
fn words_about_a_foul_run_are_words() {
    let (tale, dossier) = foul();
    let run = dossier.runs[0].record.run;
    assert!(timeline(&tale.store().events(run).unwrap()).len() > 5);
}

#[test]
fn a_huge_body_is_left_to_the_store() {
    let mut tale = Tale::new();
    let just = vec![b'x'; usize::try_from(MAX_BODY).unwrap()];
    let more = vec![b'y'; just.len() + 1];
    tale.run(
        "DNGB1",
        |_| {},
        |run| {
            let (just, more) = (run.body(&just, "text/plain"), run.body(&more, "text/plain"));
            run.exchange(Purpose::ListMovements, Some(more.clone()), 200, Some(just));
            run.exchange(Purpose::ListMovements, None, 200, Some(more));
        },
        Some(passed()),
    );
    let dossier = tale.dossier(verdict(), None);
    let har = assert_har(&har::export(&dossier, &tale.store()).unwrap());
    let entries = &har["log"]["entries"];
    assert_eq!(entries[0]["response"]["content"]["text"].as_str().unwrap().len(), just.len());
    let huge = &entries[1]["response"]["content"];
    assert_eq!((&huge["text"], &huge["size"]), (&Value::Null, &more.len().into()));
    assert!(huge["comment"].as_str().unwrap().contains("larger than 1 MiB"));
    assert_eq!(huge["_sha256"].as_str().unwrap().len(), 64);
    let post = &entries[0]["request"]["postData"];
    assert!(post["comment"].as_str().unwrap().contains("larger than 1 MiB"), "{post:#}");
}

#[test]
fn ten_thousand_exchanges_and_as_many_attempts() {
    let tale = tale();
    let mut dossier = tale.dossier(verdict(), None);
    let story = dossier.runs[1].clone();
    let exchange = story.exchanges[0].clone();
    dossier.runs[1].exchanges = (1..=10_000)
        .map(|number| {
            let mut one = exchange.clone();
            one.request.exchange = number;
            one
        })
        .collect();
    let har = har::export(&dossier, &tale.store()).unwrap();
    let har: Value = serde_json::from_slice(&har).unwrap();
    let entries = har["log"]["entries"].as_array().unwrap();
    assert!(entries.len() > 10_000);
    // What left at the same time keeps the order of its numbers.
    let numbers: Vec<u64> = entries
        .iter()
        .filter(|entry| entry["_run"] == story.record.run.to_string())
        .map(|entry| entry["_exchange"].as_u64().unwrap())
        .collect();
    assert!(numbers.is_sorted() && numbers.len() == 10_000);

    let mut many = story.clone();
    many.exchanges.clear();
    many.events.clear();
    many.record.messages.clear();
    many.record.state = RunState::Failed;
    many.record.failure = dossier.runs[0].record.failure.clone();
    dossier.runs = (1..=10_000)
        .map(|attempt| {
            let mut one = many.clone();
            one.record.attempt = attempt;
            one.record.run = run_id(attempt.into());
            one
        })
        .collect();
    let text = markdown::export(&dossier);
    assert!(text.len() <= markdown::MAX_BYTES, "{}", text.len());
    assert!(text.len() > markdown::MAX_BYTES - 4096, "room is left: {}", text.len());
    let end: String = text.lines().rev().take(4).collect();
    assert!(end.contains("Cut here") && text.contains("\n</details>\n"), "{end}");
    // The newest are told.
    assert!(text.contains("| 10000 |") && !text.contains("| 7 | failed"));
    let xml = junit::export(&dossier).unwrap();
    let text = String::from_utf8(xml).unwrap();
    assert_eq!(text.matches("<rerunFailure ").count(), 9_999);
    let report = Document::parse(&text).unwrap();
    assert_eq!(report.descendants().filter(|node| node.has_tag_name("testcase")).count(), 6);
}
