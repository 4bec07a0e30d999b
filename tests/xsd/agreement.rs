//! Agreement with libxml2 on HMRC's schemas: the test packs, and thousands of
//! messages made up and spoilt by a seeded chance.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use chrono::{TimeZone, Utc};
use ctc_ready::ncts::MessageType;
use ctc_ready::ncts::build::{Stamp, fill_placeholders, stamp};
use ctc_ready::ncts::xsd::Schemas;

use crate::generate::{Generator, Instance};
use crate::mutate::{KINDS, mutate};
use crate::random::Random;
use crate::reference;
use crate::support::{VERSIONS, all_of, hmrc, xmllint};

#[test]
fn every_version_loads_and_knows_every_message() {
    let Some(schemas) = hmrc() else { return };
    for (version, schemas) in schemas {
        for message in MessageType::ALL {
            assert!(schemas.knows(*message), "{version} {message}");
        }
    }
}

/// Every message of a pack: name and text as it is in the pack.
fn pack(path: &Path) -> Vec<(String, String)> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut out = Vec::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        let name = file.name().to_owned();
        let mut text = String::new();
        if name.to_lowercase().ends_with(".xml")
            && !name.contains("__MACOSX")
            && file.read_to_string(&mut text).is_ok()
        {
            out.push((name, text));
        }
    }
    out
}

/// The message as it would be sent, or as near to it as it can be brought.
fn filled(text: &str) -> (String, Option<String>) {
    let root = MessageType::ALL.iter().find(|one| text.contains(one.root()));
    let values = Stamp {
        message: root.copied().unwrap_or(MessageType::Ie015),
        lrn: "READY-LRN-1".into(),
        mrn: Some("26GB000246ABC123J8".into()),
        message_identification: "READY-MSG-1".into(),
        message_sender: None,
        now: Utc.with_ymd_and_hms(2026, 11, 21, 9, 30, 0).unwrap(),
    };
    let filled = fill_placeholders(text, &values).unwrap_or_else(|_| text.to_owned());
    let stamped = stamp(&filled, &values).ok();
    (filled, stamped)
}

fn packs() -> Option<Vec<(String, String)>> {
    let folder = reference::folder()?.join("test-packs");
    let mut out = Vec::new();
    for (name, least) in [
        ("NCTS5_Trader_Test_XML_Examples_v7.zip", 100),
        ("NCTS5_Trader_Test_XML_Examples_v8.zip", 10),
        ("P6_Example_XML_Payloads_14_04_26.zip", 10),
    ] {
        let messages = pack(&folder.join(name));
        assert!(messages.len() >= least, "{name}: {}", messages.len());
        for (entry, text) in messages {
            let (filled, stamped) = filled(&text);
            out.push((format!("{name} {entry}"), filled));
            out.extend(stamped.map(|text| (format!("{name} {entry} stamped"), text)));
        }
    }
    Some(out)
}

/// What this project says: valid or not, and why.
fn verdict(schemas: &Schemas, xml: &str) -> (bool, String) {
    match schemas.validate(xml) {
        Ok(violations) => (violations.is_empty(), format!("{violations:#?}")),
        Err(refused) => (false, refused.to_string()),
    }
}

#[test]
fn every_message_of_hmrcs_packs_gets_the_verdict_of_xmllint_in_every_version() {
    let (Some(all), Some(messages)) = (hmrc(), packs()) else { return };
    let reference = reference::folder().unwrap();
    let mut counts = [0, 0];
    for (version, schemas) in all {
        let mut by_root: BTreeMap<String, Vec<&(String, String)>> = BTreeMap::new();
        for message in &messages {
            let root = MessageType::ALL.iter().find(|one| message.1.contains(one.root()));
            let file = format!("{}.xsd", root.unwrap().root().to_lowercase());
            by_root.entry(file).or_default().push(message);
        }
        for (file, messages) in by_root {
            // Each against its own schema file: what its includes reach.
            let schema = std::fs::canonicalize(reference.join("xsd").join(version).join(file));
            let texts: Vec<&str> = messages.iter().map(|(_, text)| text.as_str()).collect();
            let Some(theirs) = xmllint(&schema.unwrap(), &texts) else { return };
            for ((name, text), theirs) in messages.iter().zip(theirs) {
                let (ours, why) = verdict(schemas, text);
                assert_eq!(ours, theirs, "{version} {name}: {why}\n{text}");
                counts[usize::from(ours)] += 1;
            }
        }
    }
    assert!(counts[0] > 100 && counts[1] > 100, "{counts:?}");
}

/// Spoilt messages for one run of the tests; `CTC_READY_MUTANTS` asks for more
/// of them, `CTC_READY_SEED` for others (docs/validation.md).
fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn made_up_and_spoilt_messages_get_the_verdict_of_xmllint() {
    let (Some(all), Some(messages)) = (hmrc(), packs()) else { return };
    let reference = reference::folder().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(asked("CTC_READY_SEED", 20_261_121));
    let wanted = asked("CTC_READY_MUTANTS", 3_000) as usize / VERSIONS.len() + 1;
    let (mut valid, mut invalid, mut refused) = (0, 0, 0);
    let mut kinds = BTreeMap::<usize, [usize; 2]>::new();
    let mut roots = BTreeSet::new();
    let mut disagreements = Vec::new();
    for (version, schemas) in all {
        let generator = Generator::new(&reference.join("xsd").join(version));
        assert!(generator.roots.len() >= 30, "{version}");
        let schema = all_of(version, folder.path());
        let mut documents: Vec<(usize, String)> = Vec::new();
        while documents.len() < wanted {
            let base = if random.below(4) == 0 {
                let (_, xml) = &messages[random.below(messages.len())];
                Instance { xml: xml.clone(), values: Vec::new() }
            } else {
                let at = documents.len() % generator.roots.len();
                let (root, kind) = &generator.roots[at];
                roots.insert(root.clone());
                generator.instance(root, kind, &mut random)
            };
            documents.push((KINDS, base.xml.clone()));
            for _ in 0..4 {
                // Every other change is one of a value at its bounds.
                let kind = if random.below(2) == 0 { 0 } else { random.below(KINDS) };
                let mut mutant = mutate(kind, &base, &generator, &mut random);
                if random.below(4) == 0 {
                    let again = Instance { xml: mutant, values: Vec::new() };
                    let second = 1 + random.below(KINDS - 1);
                    mutant = mutate(second, &again, &generator, &mut random);
                }
                documents.push((kind, mutant));
            }
        }
        let texts: Vec<&str> = documents.iter().map(|(_, text)| text.as_str()).collect();
        let Some(theirs) = xmllint(&schema, &texts) else { return };
        for ((kind, text), theirs) in documents.iter().zip(theirs) {
            let (ours, why) = verdict(schemas, text);
            kinds.entry(*kind).or_default()[usize::from(ours)] += 1;
            valid += usize::from(ours);
            invalid += usize::from(!ours);
            refused += usize::from(why.contains("not well-formed"));
            if ours != theirs {
                disagreements.push(format!(
                    "{version}, change {kind}: ours {ours}, xmllint {theirs}: {why:.1500}\n{text:.6000}"
                ));
            }
        }
    }
    eprintln!("{valid} valid, {invalid} invalid ({refused} not well-formed), by kind {kinds:?}");
    if let Some(path) = std::env::var_os("CTC_READY_DISAGREEMENTS") {
        std::fs::write(path, disagreements.join("\n=====\n")).unwrap();
    }
    assert!(
        disagreements.is_empty(),
        "{} of {} disagree:\n{}",
        disagreements.len(),
        valid + invalid,
        disagreements[..disagreements.len().min(3)].join("\n=====\n")
    );
    // Agreement that could not fail would be worth nothing.
    let share = valid * 100 / (valid + invalid);
    assert!((20..=80).contains(&share), "{valid} valid, {invalid} invalid");
    assert!(roots.len() >= 30, "{roots:?}");
    assert!(kinds.values().filter(|[invalid, valid]| *invalid > 0 && *valid > 0).count() > 12);
}
