//! The built-in messages against HMRC's own examples: for every scenario that a
//! test pack has files of, what we send differs from its file in nothing that
//! `built_against_packs/accepted.toml` does not accept, with a reason.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use chrono::{TimeZone, Utc};
use ctc_ready::catalogue::{Catalogue, Scenario};
use ctc_ready::ncts::MessageType;
use ctc_ready::ncts::build::{Stamp, fill_placeholders, stamp};
use ctc_ready::ncts::read::Message;
use ctc_ready::payload::{Payloads, Sources};
use roxmltree::Node;
use serde::Deserialize;

/// The packs, and the programmes whose messages they have.
const PACKS: [(&str, &[&str]); 3] = [
    (TRANSITION_PACK, &["ncts5-transition", "ncts5-final"]),
    ("NCTS5_Trader_Test_XML_Examples_v8.zip", &["ncts5-final"]),
    ("P6_Example_XML_Payloads_14_04_26.zip", &["ncts6"]),
];

/// Made for transition rules. The same scenarios under final rules differ from
/// it in `FINAL_RULES` alone.
const TRANSITION_PACK: &str = "NCTS5_Trader_Test_XML_Examples_v7.zip";

/// What final rules want otherwise: their own guarantees, a country of dispatch
/// and a place of loading.
const FINAL_RULES: [&str; 4] = [
    "Guarantee/GuaranteeReference/GRN",
    "Consignment/countryOfDispatch",
    "Consignment/PlaceOfLoading/country",
    "Consignment/PlaceOfLoading/location",
];

/// Arrival notifications that no step sends: the data spreadsheet has officers
/// make these arrivals.
const NOT_SENT: [&str; 2] = ["angb2_ie007", "anxi2_ie007"];

/// Scenarios whose files the pack has the other way round: it sends `WCGB1` from
/// Northern Ireland, the data spreadsheet from Great Britain.
const EXCHANGED: [(&str, &str); 2] = [("WCGB1", "WCXI1"), ("WCXI1", "WCGB1")];

/// A file of a pack: `dsgb1_ie015`.
struct Example {
    name: String,
    scenario: String,
    message: MessageType,
    /// `valid`, `invalid`, `simplified`: which of several steps is meant.
    word: String,
    xml: String,
}

fn examples(pack: &Path) -> Vec<Example> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(pack).unwrap()).unwrap();
    let mut out = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let path = entry.name().to_lowercase();
        let file = path.rsplit('/').next().unwrap_or_default();
        let Some(name) = file.strip_suffix("_xml_example.xml") else { continue };
        if path.contains("__macosx") {
            continue;
        }
        let (scenario, rest) = name.split_once("_ie").unwrap();
        let (number, word) = rest.split_once('_').unwrap_or((rest, ""));
        let message = format!("IE{:03}", number.parse::<u16>().unwrap()).parse().unwrap();
        let mut xml = String::new();
        entry.read_to_string(&mut xml).unwrap();
        let scenario = scenario.to_uppercase();
        let other = EXCHANGED.iter().find(|(from, _)| *from == scenario);
        let scenario = other.map_or(scenario, |(_, to)| (*to).to_owned());
        let (name, word) = (name.to_owned(), word.to_owned());
        out.push(Example { name, scenario, message, word, xml });
    }
    assert!(out.len() >= 18, "{}", pack.display());
    out
}

/// The step that an example is of, alone in its scenario, and without what the
/// scenario changes in the data: that is a difference to be accepted.
fn step_of(example: &Example, scenario: &Scenario) -> Option<Scenario> {
    let mut only = scenario.clone();
    only.step.retain(|step| {
        let fits = match example.word.as_str() {
            "invalid" => step.mutation.is_some(),
            "valid" => step.mutation.is_none(),
            _ => true,
        };
        fits && step.send == Some(example.message)
    });
    only.step.truncate(1);
    let step = only.step.first_mut()?;
    step.mutation = None;
    if step.data.len() > 1 {
        step.data.retain(|column| column.to_lowercase().contains(&example.word));
    }
    Some(only)
}

/// The same for both sides, dates and identifications included.
fn values(message: MessageType) -> Stamp {
    Stamp {
        message,
        lrn: "READY-LRN-1".into(),
        mrn: Some("26GB000246ABC123J8".into()),
        message_identification: "READY-MSG-1".into(),
        message_sender: Some("GB123456789000".into()),
        now: Utc.with_ymd_and_hms(2026, 11, 21, 9, 30, 0).unwrap(),
    }
}

/// Every value of a message by its path below the root; groups that stand
/// beside others of their name are numbered from 1.
fn flat(xml: &str) -> BTreeMap<String, String> {
    fn walk(node: Node<'_, '_>, path: &str, out: &mut BTreeMap<String, String>) {
        let children: Vec<Node<'_, '_>> = node.children().filter(Node::is_element).collect();
        if children.is_empty() {
            let words: Vec<&str> = node.text().unwrap_or_default().split_whitespace().collect();
            out.insert(path.trim_start_matches('/').to_owned(), number(&words.join(" ")));
        }
        for (index, child) in children.iter().enumerate() {
            let name = child.tag_name().name();
            let like = |other: &&Node<'_, '_>| other.tag_name().name() == name;
            let step = match children.iter().filter(like).count() {
                1 => name.to_owned(),
                _ => format!("{name}[{}]", 1 + children[..index].iter().filter(like).count()),
            };
            walk(*child, &format!("{path}/{step}"), out);
        }
    }
    let message = Message::parse(xml).unwrap();
    let mut out = BTreeMap::new();
    walk(message.root(), "", &mut out);
    out
}

/// A decimal without trailing zeros, anything else as it is.
fn number(text: &str) -> String {
    match text.split_once('.') {
        Some((_, rest)) if rest.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => text.to_owned(),
    }
}

/// Path, our value, theirs; what is not there is `-`.
type Difference = (String, String, String);

fn differences(ours: &str, theirs: &str) -> BTreeSet<Difference> {
    let (ours, theirs) = (flat(ours), flat(theirs));
    let value = |of: &BTreeMap<String, String>, path: &String| {
        of.get(path).cloned().unwrap_or_else(|| "-".to_owned())
    };
    ours.keys()
        .chain(theirs.keys())
        .map(|path| (path.clone(), value(&ours, path), value(&theirs, path)))
        .filter(|(_, ours, theirs)| ours != theirs)
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceptedFile {
    group: Vec<Group>,
}

/// Differences accepted for one reason: path, our value, theirs, and the files
/// that have it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    why: String,
    differences: Vec<(String, String, String, String)>,
}

/// What is accepted, by file.
fn accepted() -> BTreeMap<String, BTreeSet<Difference>> {
    let text = include_str!("built_against_packs/accepted.toml");
    let file: AcceptedFile = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    let mut out: BTreeMap<String, BTreeSet<Difference>> = BTreeMap::new();
    for Group { why, differences } in file.group {
        assert!(why.len() > 20, "a reason is wanted: {why}");
        for (path, ours, theirs, files) in differences {
            for name in files.split_whitespace() {
                let difference = (path.clone(), ours.clone(), theirs.clone());
                assert!(
                    out.entry(name.to_owned()).or_default().insert(difference),
                    "{name} {path} is there twice"
                );
            }
        }
    }
    out
}

#[test]
fn what_is_built_is_what_hmrc_sends_but_for_what_is_accepted() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = Catalogue::built_in().unwrap();
    let payloads = Payloads::new(Sources::default(), &catalogue).unwrap();
    let mut accepted = accepted();
    let mut known = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut compared = BTreeMap::new();
    for (pack, programmes) in PACKS {
        for example in examples(&reference.join("test-packs").join(pack)) {
            let Example { name, message, .. } = &example;
            let expected = accepted.get(name).cloned().unwrap_or_default();
            known.insert(name.clone());
            let values = values(*message);
            let theirs = fill_placeholders(&example.xml, &values)
                .and_then(|xml| stamp(&xml, &values))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            for id in programmes {
                let Some(scenario) = catalogue.scenario(id, &example.scenario) else { continue };
                let Some(step) = step_of(&example, scenario) else {
                    assert!(NOT_SENT.contains(&name.as_str()), "no step of {id} sends {name}");
                    continue;
                };
                let programme = catalogue.programme(id).unwrap();
                let ours = payloads
                    .built_in(programme, &step, 1, &values)
                    .unwrap_or_else(|error| panic!("{id} {name}: {error}"));
                let mut found = differences(&ours.xml, &theirs);
                let mut expected = expected.clone();
                if *id == "ncts5-final" && pack == TRANSITION_PACK {
                    let other = |(path, ..): &Difference| !FINAL_RULES.contains(&path.as_str());
                    found.retain(other);
                    expected.retain(other);
                }
                for (path, ours, theirs) in found.difference(&expected) {
                    wrong.push(format!("{id} {name} {path}: `{ours}`, pack `{theirs}`"));
                }
                for (path, ours, theirs) in expected.difference(&found) {
                    wrong.push(format!("{id} {name} {path}: no longer `{ours}`, `{theirs}`"));
                }
                *compared.entry(*id).or_insert(0) += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} unexplained:\n{}", wrong.len(), wrong.join("\n"));
    accepted.retain(|name, _| !known.contains(name));
    assert!(accepted.is_empty(), "no pack has {:?}", accepted.keys());
    assert!(compared.values().sum::<usize>() >= 46, "{compared:?}");
}
