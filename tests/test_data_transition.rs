//! The test data of the scenarios for transition rules alone is that of their
//! sheet: each message has the values of its column in the order of the rows.
//! That the messages are valid, `tests/payload.rs` checks: the rules they break
//! are those of NCTS, of which the schemas know nothing.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;
mod sheets;

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{TimeZone, Utc};
use ctc_ready::catalogue::{Catalogue, Column};
use ctc_ready::ncts::MessageType;
use ctc_ready::ncts::build::Stamp;
use ctc_ready::ncts::read::Message;
use ctc_ready::payload::{Payloads, Sources};

/// Numbers without trailing zeros, anything else trimmed.
fn normal(value: &str) -> String {
    let value = value.trim();
    match value.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|b| b == b'0') => whole.to_owned(),
        _ => value.to_owned(),
    }
}

const PROGRAMME: &str = "ncts5-transition";
const SHEET: &str = "Transition Data";

/// Elements that the message counts, or that belong to the run: the sheet
/// describes them in words.
const NOT_DATA: [&str; 11] = [
    "messageSender",
    "preparationDateAndTime",
    "messageIdentification",
    "messageType",
    "LRN",
    "MRN",
    "limitDate",
    "arrivalDateAndTimeEstimated",
    "arrivalNotificationDateAndTime",
    "unloadingDate",
    "sequenceNumber",
];

/// The elements of a message and their values, in its order.
fn built(catalogue: &Catalogue, payloads: &Payloads, column: &Column) -> Vec<(String, String)> {
    let programme = catalogue.programme(PROGRAMME).unwrap();
    let mut scenario = catalogue.scenarios(PROGRAMME)[0].clone();
    scenario.step.truncate(1);
    scenario.step[0].send = Some(column.message);
    scenario.step[0].sheet = column.sheet.clone();
    scenario.step[0].data = vec![column.name.clone()];
    let values = Stamp {
        message: column.message,
        lrn: "L".into(),
        mrn: Some("26GB000246ABC123J8".into()),
        message_identification: "M".into(),
        message_sender: None,
        now: Utc.with_ymd_and_hms(2026, 11, 21, 9, 30, 0).unwrap(),
    };
    let payload = payloads.built_in(programme, &scenario, 1, &values).unwrap();
    let message = Message::parse(&payload.xml).unwrap();
    message
        .root()
        .descendants()
        .filter(|node| node.is_element() && !node.children().any(|child| child.is_element()))
        .filter(|node| !NOT_DATA.contains(&node.tag_name().name()))
        .map(|node| (node.tag_name().name().to_owned(), normal(node.text().unwrap_or_default())))
        .collect()
}

/// The cells of a column, in the order of the rows. The three messages stand
/// below each other, with empty rows between; the sheet says `Arrival` in the
/// names of columns where the testing guide does not.
fn published(sheet: &Path, column: &str) -> Vec<String> {
    let plain = |text: &str| text.replace("Arrival", "").split_whitespace().collect::<String>();
    let rows = sheets::rows(sheet);
    let (top, index) = rows
        .iter()
        .enumerate()
        .find_map(|(top, row)| {
            let index = row.iter().position(|cell| plain(cell) == plain(column))?;
            Some((top, index))
        })
        .unwrap_or_else(|| panic!("the sheet has no column {column}"));
    rows[top + 1..]
        .iter()
        .take_while(|row| row.iter().any(|cell| !cell.trim().is_empty()))
        .filter_map(|row| {
            let label = row[..6].iter().rev().find(|cell| !cell.trim().is_empty());
            let label = label.map(|cell| cell.trim().to_lowercase()).unwrap_or_default();
            let cell = row[index].trim();
            let counted = label == "sequence number" || label.starts_with("message ident");
            let words = cell.starts_with('>') || cell == "Current Date and Time";
            // Transition forbids it, and HMRC's examples leave it out.
            let forbidden = label == "country of dispatch";
            let kept = !cell.is_empty() && !counted && !words && !forbidden;
            (kept && label != "message type").then(|| normal(cell))
        })
        .collect()
}

#[test]
fn every_column_is_that_of_the_sheet_value_by_value() {
    let Some(reference) = reference::folder() else { return };
    let sheet = reference.join("test-data/ncts5/Message Data (Transition Only).csv");
    let catalogue = Catalogue::built_in().unwrap();
    let payloads = Payloads::new(Sources::default(), &catalogue).unwrap();
    let mut compared = [0; 3];
    for column in catalogue.columns(PROGRAMME) {
        if column.sheet.as_deref() != Some(SHEET) {
            continue;
        }
        let ours: Vec<String> =
            built(&catalogue, &payloads, column).into_iter().map(|(_, value)| value).collect();
        assert_eq!(ours, published(&sheet, &column.name), "{} {}", column.message, column.name);
        let kind = [MessageType::Ie015, MessageType::Ie007, MessageType::Ie044]
            .iter()
            .position(|message| *message == column.message);
        compared[kind.unwrap()] += 1;
    }
    assert_eq!(compared, [34, 4, 2]);
}

/// A second item differs in its goods, and the consignment in its mass.
const SECOND_ITEM: &[&str] = &[
    "declarationGoodsItemNumber",
    "descriptionOfGoods",
    "goodsItemNumber",
    "grossMass",
    "harmonizedSystemSubHeadingCode",
    "netMass",
    "numberOfPackages",
    "shippingMarks",
    "typeOfPackages",
];

/// What a rule forbids, by the elements in which its variant differs from the
/// plain declaration.
const VARIANTS: [(&str, &[&str]); 8] = [
    ("B1895", &["referenceNumberUCR"]),
    (
        "B1890,B1891",
        &["identificationNumber", "inlandModeOfTransport", "nationality", "typeOfIdentification"],
    ),
    (
        "B1892",
        &[
            "containerIdentificationNumber",
            "containerIndicator",
            "declarationGoodsItemNumber",
            "identificationNumber",
            "typeOfIdentification",
        ],
    ),
    (
        "B1897",
        &[
            "containerIdentificationNumber",
            "containerIndicator",
            "declarationGoodsItemNumber",
            "identificationNumber",
            "inlandModeOfTransport",
            "typeOfIdentification",
        ],
    ),
    ("B1848", &["country"]),
    ("E1406", SECOND_ITEM),
    ("E1301", &["code", "identificationNumber", "referenceNumber", "type"]),
    ("B1964", SECOND_ITEM),
];

#[test]
fn a_variant_is_the_plain_declaration_but_for_its_rule() {
    let catalogue = Catalogue::built_in().unwrap();
    let payloads = Payloads::new(Sources::default(), &catalogue).unwrap();
    let values = |name: &str| {
        let column = catalogue
            .columns(PROGRAMME)
            .find(|column| column.sheet.is_some() && column.name == name)
            .unwrap_or_else(|| panic!("no column {name}"));
        built(&catalogue, &payloads, column)
    };
    for side in ["GB-XI", "XI-GB"] {
        let plain = values(&format!("Simplified {side} (D)"));
        for (rule, elements) in VARIANTS {
            let mut variant = values(&format!("Simplified {side} ({rule})"));
            let mut different = BTreeSet::new();
            for value in &plain {
                match variant.iter().position(|other| other == value) {
                    Some(index) => drop(variant.remove(index)),
                    None => drop(different.insert(value.0.as_str())),
                }
            }
            different.extend(variant.iter().map(|(name, _)| name.as_str()));
            assert_eq!(different.into_iter().collect::<Vec<_>>(), elements, "{side} {rule}");
        }
    }
}
