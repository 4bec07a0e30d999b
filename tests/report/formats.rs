//! What each format says of the same evidence.

use std::fs;

use ctc_ready::report::json::{EvidenceExport, EvidenceShow};
use ctc_ready::report::{Dossier, RunStory, har, json, junit, markdown, timeline};
use roxmltree::{Document, Node};
use serde_json::Value;

use crate::published::{assert_har, assert_junit};
use crate::tale::{removed, run_id, tale, verdict};

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(env!("CARGO_PKG_VERSION"), "[VERSION]");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[track_caller]
pub fn assert_schema<T: schemars::JsonSchema>(document: &Value) {
    let schema = serde_json::to_value(schemars::schema_for!(T)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn find<'a>(document: &'a Document<'a>, class: &str, name: &str) -> Node<'a, 'a> {
    document
        .descendants()
        .find(|node| {
            node.has_tag_name("testcase")
                && node.attribute("name") == Some(name)
                && node.attribute("classname") == Some(class)
        })
        .unwrap_or_else(|| panic!("no test case {class} {name}"))
}

fn child<'a>(node: Node<'a, 'a>, tag: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.has_tag_name(tag))
}

#[test]
fn junit_has_a_case_for_each_requirement_and_each_scenario() {
    let tale = tale();
    let mut dossier = tale.dossier(verdict(), None);
    dossier.only_indexed.push(removed());
    let xml = junit::export(&dossier).unwrap();
    assert_junit(&xml);
    let text = String::from_utf8(xml).unwrap();
    snapshot("junit", &text);
    let document = Document::parse(&text).unwrap();
    let whole = find(&document, "ncts5-final.gate", "submission as a whole");
    assert_eq!(child(whole, "failure").unwrap().attribute("type"), Some("unanswered-question"));
    let of = |name| find(&document, "ncts5-final.requirements", name);
    assert!(child(of("standard-departure"), "failure").is_none());
    assert!(child(of("standard-departure"), "skipped").is_none());
    assert!(child(of("pre-lodged-departure"), "failure").is_some());
    let message = |name| child(of(name), "skipped").unwrap().attribute("message").unwrap();
    assert_eq!(
        message("arrival"),
        "waived until 2026-12-31: HMRC agreed by letter (Release board): stale"
    );
    assert_eq!(message("guarantees"), "not applicable: your software does not support it");
    let of = |name| find(&document, "ncts5-final.scenarios", name);
    // Passed at last: the refusal is told as what it was.
    assert!(child(of("DNGB1"), "failure").is_none());
    assert_eq!(child(of("DNGB1"), "flakyFailure").unwrap().attribute("type"), Some("rejected"));
    assert!(
        child(of("DNGB1"), "system-out")
            .unwrap()
            .text()
            .unwrap()
            .contains("a trial of the network")
    );
    assert!(child(of("PSGB1"), "skipped").is_some());
    assert_eq!(child(of("ASGB1"), "error").unwrap().attribute("type"), Some("given-up"));
    let simulated = child(of("PNGB1"), "skipped").unwrap().attribute("message").unwrap();
    assert!(simulated.contains("never counts"), "{simulated}");
    // The counts that CI servers show.
    let count = |tag: &str| document.descendants().filter(|node| node.has_tag_name(tag)).count();
    let root = document.root_element();
    for (attribute, tag) in [("tests", "testcase"), ("failures", "failure"), ("errors", "error")] {
        assert_eq!(root.attribute(attribute), Some(count(tag).to_string().as_str()), "{tag}");
    }
}

#[test]
fn junit_counts_the_simulator_in_a_rehearsal_alone() {
    let tale = tale();
    let mut verdict = verdict();
    verdict.rehearsal = true;
    let xml = junit::export(&tale.dossier(verdict, Some("REHEARSAL, not for submission"))).unwrap();
    assert_junit(&xml);
    let text = String::from_utf8(xml).unwrap();
    let document = Document::parse(&text).unwrap();
    assert!(child(find(&document, "ncts5-final.scenarios", "PNGB1"), "skipped").is_none());
    assert!(document.root_element().attribute("name").unwrap().contains("REHEARSAL"));
}

#[test]
fn junit_is_red_exactly_where_the_gate_is() {
    let failures = |change: &dyn Fn(&mut ctc_ready::verdict::Verdict)| {
        let mut verdict = verdict();
        change(&mut verdict);
        let xml = junit::export(&Dossier::without_evidence(verdict, None)).unwrap();
        assert_junit(&xml);
        String::from_utf8(xml).unwrap().matches("<failure ").count()
    };
    assert_eq!(failures(&|_| {}), 2);
    assert_eq!(failures(&|verdict| verdict.findings.retain(|f| f.waived.is_some())), 0);
    assert_eq!(failures(&|verdict| verdict.findings.clear()), 0);
    // About a requirement that the verdict does not list: not lost.
    let strange = |verdict: &mut ctc_ready::verdict::Verdict| {
        verdict.findings.truncate(1);
        verdict.findings[0].requirement = Some("nobody-knows".into());
    };
    assert_eq!(failures(&strange), 1);
}

#[test]
fn har_has_every_exchange_in_the_order_in_which_it_left() {
    let tale = tale();
    let dossier = tale.dossier(verdict(), None);
    let bytes = har::export(&dossier, &tale.store()).unwrap();
    let har = assert_har(&bytes);
    let entries = har["log"]["entries"].as_array().unwrap();
    let exchanges: usize = dossier.runs.iter().map(|run| run.exchanges.len()).sum();
    assert_eq!((entries.len(), exchanges), (13, 13));
    let times: Vec<&str> =
        entries.iter().map(|entry| entry["startedDateTime"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:#?}");
    let pages: Vec<&str> = har["log"]["pages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|page| page["id"].as_str().unwrap())
        .collect();
    assert_eq!(pages.len(), 5);
    for entry in entries {
        assert!(pages.contains(&entry["pageref"].as_str().unwrap()));
        // As the specification has it: the sum of what is known.
        let part = |name: &str| entry["timings"][name].as_f64().unwrap().max(0.0);
        let sum: f64 =
            ["blocked", "dns", "connect", "send", "wait", "receive"].map(part).iter().sum();
        assert_eq!(entry["time"].as_f64().unwrap(), sum);
        assert_eq!(entry["request"]["queryString"][0]["value"], "2026-11-21T09:30");
        assert_eq!(entry["request"]["queryString"][1]["value"], "redacted:0123456789abcdef");
    }
    let purpose = |index: usize| entries[index]["_purpose"].as_str().unwrap();
    assert_eq!(purpose(0), "submit");
    assert_eq!(entries[0]["_message"], "IE015");
    assert_eq!(entries[0]["request"]["postData"]["text"], "<CC015C><LRN>LRN1</LRN></CC015C>");
    assert_eq!(entries[0]["time"], 120.5);
    // No answer, one that is no text, and one nobody knows of.
    let of = |wanted: &str| {
        entries.iter().filter(|e| e["_run"] == run_id(3).to_string()).find(|e| match wanted {
            "lost" => e["_purpose"] == "submit",
            "binary" => e["response"]["status"] == 503,
            _ => e["_purpose"] == "list-movements" && e["response"]["status"] == 0,
        })
    };
    let lost = of("lost").unwrap();
    assert_eq!(lost["response"]["_error"], "no answer within 30 seconds");
    assert_eq!(lost["response"]["_mayHaveArrived"], true);
    assert_eq!(lost["time"], 250.0);
    assert_eq!(of("binary").unwrap()["response"]["content"]["encoding"], "base64");
    assert!(of("unknown").unwrap()["response"]["_error"].is_string());
    snapshot("har-entry", &serde_json::to_string_pretty(lost).unwrap());
}

#[test]
fn json_holds_everything_and_keeps_to_its_schema() {
    let tale = tale();
    let mut dossier = tale.dossier(verdict(), Some("DRAFT"));
    dossier.only_indexed.push(removed());
    let bytes = json::export(&dossier, &tale.store()).unwrap();
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    assert_schema::<EvidenceExport>(&document);
    assert_eq!((&document["schema_version"], &document["mark"]), (&1.into(), &"DRAFT".into()));
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 5);
    assert_eq!(runs[1]["stands_for"], serde_json::json!(["standard-departure"]));
    assert_eq!(runs[0]["failure"]["errors"][0]["reason"], "B1890");
    assert_eq!(runs[1]["mails"][0]["subject"], "Manual Intervention");
    assert_eq!(runs[1]["replies"][0]["attachments"][0]["name"], "screen.jpg");
    assert_eq!(document["only_indexed"][0]["removed"], "a trial of the network");
    // Every body that is referred to, once, and as its digest says.
    let bodies = document["bodies"].as_object().unwrap();
    let mut referred = std::collections::BTreeSet::new();
    references(&document["runs"], &mut referred);
    assert_eq!(referred, bodies.keys().cloned().collect());
    for (sha256, body) in bodies {
        match body["text"].as_str() {
            Some(text) => {
                assert_eq!(ctc_ready::digest::Digest::of(text.as_bytes()).to_string(), *sha256);
                assert_eq!(body["left_out"], Value::Null);
            }
            None => assert_eq!(body["left_out"], "no-text"),
        }
    }
    assert_eq!(bodies.values().filter(|body| body["text"].is_null()).count(), 2);
}

fn references(value: &Value, found: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(members) => {
            if let (Some(sha256), true) = (members.get("sha256"), members.contains_key("bytes")) {
                found.insert(sha256.as_str().unwrap().to_owned());
            }
            members.values().for_each(|member| references(member, found));
        }
        _ => {}
    }
}

#[test]
fn one_run_is_shown_with_its_bodies_or_without() {
    let tale = tale();
    let store = tale.store();
    let story = RunStory::read(&store, run_id(2)).unwrap();
    let plain = serde_json::to_value(EvidenceShow::of(&story, None)).unwrap();
    assert_schema::<EvidenceShow>(&plain);
    assert_eq!(plain["bodies"], Value::Null);
    let with = serde_json::to_value(EvidenceShow::of(&story, Some(&store))).unwrap();
    assert_schema::<EvidenceShow>(&with);
    let first = with["run"]["messages"][0]["body"]["sha256"].as_str().unwrap();
    assert_eq!(with["bodies"][first]["text"], "<CC015C><LRN>LRN1</LRN></CC015C>");
    let gone = serde_json::to_value(EvidenceShow::of_indexed(&removed())).unwrap();
    assert_schema::<EvidenceShow>(&gone);
    assert_eq!(gone["only_indexed"]["attempt"], 7);
}

#[test]
fn the_story_of_a_run_in_plain_words() {
    let tale = tale();
    let store = tale.store();
    let told: Vec<String> = (1..=5)
        .map(|run| {
            let moments = timeline(&store.events(run_id(run)).unwrap());
            let line = |moment: &ctc_ready::report::Moment| {
                let exchange = moment.exchange.map(|n| format!(" [{n}]")).unwrap_or_default();
                format!("{}{exchange} {}\n", moment.at.format("%H:%M:%S%.3f"), moment.what)
            };
            moments.iter().map(line).collect()
        })
        .collect();
    snapshot("timeline", &told.join("\n"));
}

#[test]
fn markdown_says_what_a_reader_of_a_job_wants_to_know() {
    let tale = tale();
    let mut dossier = tale.dossier(verdict(), Some("REHEARSAL, not for submission"));
    dossier.only_indexed.push(removed());
    let text = markdown::export(&dossier);
    snapshot("markdown", &text);
}

#[test]
fn the_same_evidence_gives_the_same_bytes() {
    let tale = tale();
    let all = || {
        let dossier = tale.dossier(verdict(), None);
        let store = tale.store();
        [
            har::export(&dossier, &store).unwrap(),
            json::export(&dossier, &store).unwrap(),
            junit::export(&dossier).unwrap(),
            markdown::export(&dossier).into_bytes(),
        ]
    };
    assert!(all() == all());
}

#[test]
fn an_export_is_of_the_runs_wanted() {
    let tale = tale();
    let mut dossier = tale.dossier(verdict(), None);
    dossier.only_indexed.push(removed());
    dossier.keep(|programme, scenario| programme == "ncts5-final" && scenario == "PSGB1");
    let har = assert_har(&har::export(&dossier, &tale.store()).unwrap());
    assert_eq!(har["log"]["pages"].as_array().unwrap().len(), 1);
    assert_eq!(har["log"]["entries"].as_array().unwrap().len(), 4);
    assert!(dossier.only_indexed.is_empty());
    let text = String::from_utf8(junit::export(&dossier).unwrap()).unwrap();
    assert_eq!(text.matches(".scenarios\"").count(), 1);
    assert_eq!(text.matches(".requirements\"").count(), 4, "the verdict stays whole");
}

#[test]
fn evidence_that_was_damaged_is_told_as_far_as_it_goes() {
    let tale = tale();
    let journal = tale.dir.join("runs").join(run_id(1).to_string()).join("journal.jsonl");
    fs::write(&journal, "damaged").unwrap();
    let body = ctc_ready::digest::Digest::of(b"<CC028C><MRN>26GB000246VK1UR7J3</MRN></CC028C>");
    fs::remove_file(ctc_ready::evidence::format::Layout::new(&tale.dir).object(body)).unwrap();
    let dossier = tale.dossier(verdict(), None);
    assert_eq!((dossier.runs.len(), dossier.only_indexed.len()), (4, 1));
    let problem = dossier.only_indexed[0].problem.as_deref().unwrap();
    assert!(problem.contains("journal.jsonl"), "{problem}");
    let store = tale.store();
    let document: Value = serde_json::from_slice(&json::export(&dossier, &store).unwrap()).unwrap();
    assert_schema::<EvidenceExport>(&document);
    assert_eq!(document["bodies"][body.to_string()]["left_out"], "unreadable");
    assert_eq!(document["integrity"]["intact"], false);
    let har = assert_har(&har::export(&dossier, &store).unwrap());
    assert!(har["log"]["comment"].as_str().unwrap().contains("cannot be read: 1"), "{har:#}");
    assert_junit(&junit::export(&dossier).unwrap());
    assert!(markdown::export(&dossier).contains("**not intact**"));
}
