//! Payloads: every message of every scenario is valid against HMRC's schemas,
//! whatever its source, and precedence is what the documentation says.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod changes;
#[path = "../reference/mod.rs"]
mod reference;
#[path = "../schema_of/mod.rs"]
mod schema_of;
mod sources;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use chrono::{TimeZone, Utc};
use ctc_ready::catalogue::{Catalogue, Programme, Scenario};
use ctc_ready::ncts::MessageType;
use ctc_ready::ncts::build::Stamp;
use ctc_ready::ncts::read::Message;
use ctc_ready::payload::{Payloads, Sources};

const MRN: &str = "26GB000246ABC123J8";

fn values() -> Stamp {
    Stamp {
        message: MessageType::Ie015,
        lrn: "READY-LRN-1".into(),
        mrn: Some(MRN.into()),
        message_identification: "READY-MSG-1".into(),
        message_sender: None,
        now: Utc.with_ymd_and_hms(2026, 11, 21, 9, 30, 0).unwrap(),
    }
}

fn catalogue() -> Catalogue {
    Catalogue::built_in().unwrap()
}

fn payloads(catalogue: &Catalogue, sources: Sources) -> Payloads {
    Payloads::new(sources, catalogue).unwrap_or_else(|error| panic!("{error}"))
}

/// Every step that sends, of every scenario of every programme.
fn sending(catalogue: &Catalogue) -> Vec<(&Programme, &Scenario, u32, MessageType)> {
    let mut out = Vec::new();
    for programme in catalogue.programmes() {
        for scenario in catalogue.scenarios(&programme.id) {
            for (index, step) in scenario.step.iter().enumerate() {
                if let Some(message) = step.send {
                    out.push((programme, scenario, u32::try_from(index).unwrap() + 1, message));
                }
            }
        }
    }
    out
}

/// What `xmllint` says against the schemas of a version; none when it or the
/// schemas are not there. Files valid: empty.
fn xmllint(
    reference: &Path,
    messages: &[(String, MessageType, String)],
    version: &str,
) -> Option<BTreeMap<String, String>> {
    let folder = tempfile::tempdir().unwrap();
    let mut out = BTreeMap::new();
    for wanted in MessageType::ALL {
        let mut files = BTreeMap::new();
        for (index, (name, message, xml)) in messages.iter().enumerate() {
            if message == wanted {
                let path = folder.path().join(format!("{index}.xml"));
                std::fs::write(&path, xml).unwrap();
                files.insert(path, name);
            }
        }
        if files.is_empty() {
            continue;
        }
        let schema = format!("xsd/{version}/{}.xsd", wanted.root().to_lowercase());
        let run = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(reference.join(schema))
            .args(files.keys())
            .output();
        let Ok(run) = run else {
            reference::skipped("xmllint is not installed");
            return None;
        };
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        for (path, name) in files {
            let path = path.display().to_string();
            if !said.contains(&format!("{path} validates")) {
                let about: Vec<&str> = said.lines().filter(|line| line.contains(&path)).collect();
                out.insert(name.clone(), format!("{}\n{said:.300}", about.join("\n")));
            }
        }
    }
    Some(out)
}

#[test]
fn every_built_in_message_carries_the_runs_values_and_says_where_it_came_from() {
    let catalogue = catalogue();
    let payloads = payloads(&catalogue, Sources::default());
    let sending = sending(&catalogue);
    assert_eq!(sending.len(), 459);
    for (programme, scenario, step, message) in sending {
        let payload =
            payloads.prepare(programme, scenario, step, &values()).unwrap_or_else(|error| {
                panic!("{} {} step {step}: {error}", programme.id, scenario.id)
            });
        let read = Message::parse(&payload.xml).unwrap();
        assert_eq!(read.message_type(), message);
        assert_eq!(read.text("messageIdentification"), Some("READY-MSG-1"));
        assert_eq!(read.text("messageType"), Some(message.root()));
        assert_eq!(read.root().attribute("PhaseID"), programme.api.phase_id.as_deref());
        assert!(read.lrn() == Some("READY-LRN-1") || read.mrn() == Some(MRN), "{}", payload.xml);
        assert!(!payload.xml.contains("(run)"), "{}", payload.xml);
        // Of data for both procedures, the simplified one's is taken.
        let columns = &scenario.step[step as usize - 1].data;
        let column = columns.last().unwrap();
        assert_eq!(
            payload.origin,
            format!("built-in templates/messages/{message}.xml, data \"{column}\"")
        );
        assert_eq!(payload.notes.len(), columns.len() - 1, "{:?}", payload.notes);
    }
}

#[test]
fn every_built_in_message_is_valid_against_the_schemas_of_its_version() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    let xsd = Some(reference.join("xsd"));
    let payloads = payloads(&catalogue, Sources { xsd, ..Sources::default() });
    let mut by_version: BTreeMap<&str, Vec<(String, MessageType, String)>> = BTreeMap::new();
    for (programme, scenario, step, message) in sending(&catalogue) {
        let payload = payloads.prepare(programme, scenario, step, &values()).unwrap();
        let name = format!("{} {} step {step}", programme.id, scenario.id);
        // The toolkit's own judgement; that of libxml2 follows.
        assert_eq!(payload.check.unwrap().violations, [], "{name}");
        by_version.entry(programme.api.xsd.as_deref().unwrap()).or_default().push((
            name,
            message,
            payload.xml,
        ));
    }
    // Test data that no scenario sends yet must be as good.
    for programme in catalogue.programmes() {
        for column in catalogue.columns(&programme.id) {
            let message = column.message;
            let mut scenario = catalogue.scenarios(&programme.id)[0].clone();
            scenario.step.truncate(1);
            scenario.step[0].send = Some(message);
            scenario.step[0].sheet = column.sheet.clone();
            scenario.step[0].data = vec![column.name.clone()];
            let payload = payloads.prepare(programme, &scenario, 1, &values()).unwrap();
            let name = format!("{} {message} {}", programme.id, column.name);
            by_version.entry(programme.api.xsd.as_deref().unwrap()).or_default().push((
                name,
                message,
                payload.xml,
            ));
        }
    }
    assert_eq!(by_version.keys().copied().collect::<Vec<_>>(), ["2.0", "2.1", "3.0"]);
    for (version, messages) in by_version {
        let Some(invalid) = xmllint(&reference, &messages, version) else { return };
        assert!(invalid.is_empty(), "version {version}: {invalid:#?}");
    }
}

/// What a scenario makes wrong on purpose the schemas allow: it is NCTS that
/// refuses it. So it must be wrong in that alone.
#[test]
fn what_is_wrong_on_purpose_is_wrong_in_that_alone() {
    let catalogue = catalogue();
    let payloads = payloads(&catalogue, Sources::default());
    let lines = |xml: &str| xml.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let mut changes: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for (programme, scenario, step, _) in sending(&catalogue) {
        let index = usize::try_from(step).unwrap() - 1;
        if scenario.step[index].mutation.is_none() {
            continue;
        }
        let mut plain = scenario.clone();
        plain.step[index].mutation = None;
        let wrong = payloads.prepare(programme, scenario, step, &values()).unwrap();
        let right = payloads.prepare(programme, &plain, step, &values()).unwrap();
        let (wrong, right) = (lines(&wrong.xml), lines(&right.xml));
        let only = |these: &[String], those: &[String], sign: &str| {
            let lacking = these.iter().filter(|line| !those.contains(line));
            lacking.map(|line| format!("{sign}{line}")).collect::<Vec<_>>()
        };
        let mut change = only(&right, &wrong, "-");
        change.extend(only(&wrong, &right, "+"));
        *changes.entry(change).or_default() += 1;
    }
    insta::assert_debug_snapshot!(changes);
}

#[test]
fn the_schemas_would_notice() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    let payloads = payloads(&catalogue, Sources::default());
    let programme = catalogue.programme("ncts5-final").unwrap();
    let scenario = catalogue.scenario("ncts5-final", "ASGB1").unwrap();
    let arrival = payloads.prepare(programme, scenario, 2, &values()).unwrap().xml;
    assert!(arrival.contains("<incidentFlag>0</incidentFlag>"));
    let messages = [("IE007 of NCTS5".to_owned(), MessageType::Ie007, arrival)];
    let Some(invalid) = xmllint(&reference, &messages, "3.0") else { return };
    assert_eq!(invalid.len(), 1, "NCTS6 has no incident flag");
}

#[test]
fn transition_leaves_out_what_it_forbids_and_final_has_its_own_guarantees() {
    let catalogue = catalogue();
    let payloads = payloads(&catalogue, Sources::default());
    let message = |programme: &str, id: &str| {
        let programme = catalogue.programme(programme).unwrap();
        let scenario = catalogue.scenario(&programme.id, id).unwrap();
        payloads.prepare(programme, scenario, 1, &values()).unwrap().xml
    };
    for (id, transition, last) in [
        ("DSGB1", "23GB0000010000058", "24GB0000010000031"),
        ("DNXI1", "23XI00000100000D0", "24XI0000010000031"),
    ] {
        let xml = message("ncts5-transition", id);
        assert!(xml.contains(&format!("<GRN>{transition}</GRN>")), "{xml}");
        assert!(!xml.contains("PlaceOfLoading") && !xml.contains("countryOfDispatch"), "{xml}");
        let xml = message("ncts5-final", id);
        assert!(xml.contains(&format!("<GRN>{last}</GRN>")), "{xml}");
        assert!(xml.contains("<accessCode>AC01</accessCode>"), "{xml}");
        assert!(xml.contains("PlaceOfLoading") && xml.contains("countryOfDispatch"), "{xml}");
    }
    let xml = message("ncts5-final", "PSGB1");
    assert!(xml.contains("<additionalDeclarationType>D<"), "{xml}");
    assert!(!xml.contains("PlaceOfLoading") && !xml.contains("limitDate"), "{xml}");
}

/// Files of HMRC's packs that are not valid against any schema version, and
/// why.
const INVALID_AS_PUBLISHED: &[(&str, &str)] = &[];

#[test]
fn every_message_of_hmrcs_packs_is_found_filled_and_valid() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    let mut doubts = 0;
    for (pack, programmes, used, contradicting) in [
        ("NCTS5_Trader_Test_XML_Examples_v7.zip", &["ncts5-transition", "ncts5-final"][..], 290, 2),
        // Version 8 has only the scenarios added for final rules.
        ("NCTS5_Trader_Test_XML_Examples_v8.zip", &["ncts5-transition", "ncts5-final"], 23, 9),
        ("P6_Example_XML_Payloads_14_04_26.zip", &["ncts6"], 16, 0),
    ] {
        let mut passed_over = 0;
        let path = reference.join("test-packs").join(pack);
        let payloads = payloads(&catalogue, Sources { packs: vec![path], ..Sources::default() });
        let mut messages: BTreeMap<&str, Vec<(String, MessageType, String)>> = BTreeMap::new();
        for (programme, scenario, step, message) in sending(&catalogue) {
            let payload = payloads.prepare(programme, scenario, step, &values()).unwrap();
            passed_over += usize::from(payload.passed_over.is_some());
            if !payload.origin.starts_with("pack ") {
                continue;
            }
            assert!(programmes.contains(&programme.id.as_str()), "{}", payload.origin);
            assert!(!payload.xml.contains("{{"), "{}", payload.xml);
            let read = Message::parse(&payload.xml).unwrap();
            assert!(read.lrn() == Some("READY-LRN-1") || read.mrn() == Some(MRN));
            // The pack's guarantees are those of transition.
            let doubted = programme.id == "ncts5-final"
                && matches!(message, MessageType::Ie015 | MessageType::Ie013);
            for note in &payload.notes {
                let guarantee = note.starts_with("guarantee") && doubted;
                // Some files carry an older one than the others.
                let phase = note.contains("its PhaseID is `NCTS5.0`");
                assert!(guarantee || phase, "{} {note}", payload.origin);
                doubts += 1;
            }
            messages.entry(programme.api.xsd.as_deref().unwrap()).or_default().push((
                payload.origin,
                message,
                payload.xml,
            ));
        }
        let count: usize = messages.values().map(Vec::len).sum();
        assert_eq!((count, passed_over), (used, contradicting), "{pack}");
        for (version, messages) in messages {
            let Some(mut invalid) = xmllint(&reference, &messages, version) else { return };
            invalid.retain(|origin, _| {
                !INVALID_AS_PUBLISHED.iter().any(|(name, _)| origin.ends_with(name))
            });
            assert!(invalid.is_empty(), "{pack}, version {version}: {invalid:#?}");
        }
    }
    assert!(doubts > 40, "{doubts}");
}
