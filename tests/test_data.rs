//! The test data is that of HMRC's data spreadsheets: cell by cell, column by
//! column, in the messages that are built from it. The sheet of the scenarios
//! for transition rules alone is laid out otherwise and has a test of its own.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;
mod sheets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{TimeZone, Utc};
use ctc_ready::catalogue::{Catalogue, Column, Programme};
use ctc_ready::ncts::MessageType;
use ctc_ready::ncts::build::Stamp;
use ctc_ready::ncts::read;
use ctc_ready::payload::{Payloads, Sources};
use roxmltree::Node;
use serde_json::Value;

/// The sheet with a layout of its own.
const TRANSITION_ONLY: &str = "Transition Data";

/// Columns that HMRC's guide names and its sheet does not have.
const ADDED: [(&str, &str, &str); 2] =
    [("ncts6", "IE007", "Normal Arrival XI-GB"), ("ncts6", "IE007", "Normal Arrival GB-XI")];

/// Cells of a sheet that the data departs from.
struct Correction {
    programmes: &'static [&'static str],
    sheet: &'static str,
    columns: &'static [&'static str],
    /// Cell, theirs, ours; empty where there is none.
    cells: &'static [(&'static str, &'static str, &'static str)],
    why: &'static str,
}

const DOVER: &[(&str, &str, &str)] =
    &[("placeofloading/country", "", "GB"), ("placeofloading/location", "", "Dover")];
const BELFAST: &[(&str, &str, &str)] =
    &[("placeofloading/country", "", "XI"), ("placeofloading/location", "", "Belfast")];
const LOADED: &str = "required of whatever is not pre-lodged (C0403)";

const CORRECTIONS: [Correction; 10] = [
    Correction {
        programmes: &["ncts6"],
        sheet: "IE015",
        columns: &["Simplified GB-XI Pre-lodged"],
        cells: &[("authorisation/referencenumber", "GB DEP E20 1HZ", "GBAUTHDEP01")],
        why: "it is the number of the place",
    },
    Correction {
        programmes: &["ncts6"],
        sheet: "IE015",
        columns: &["Normal XI-XI TIR"],
        cells: &[("consignment/grossmass", "1000", "4000")],
        why: "its two houses have 2000 kg each",
    },
    Correction {
        programmes: &["ncts6"],
        sheet: "IE015",
        columns: &["Normal XI-XI TIR"],
        cells: &[
            ("house1/consignor/identificationnumber", "XI175521246821", ""),
            ("house1/consignee/identificationnumber", "GB953574106000", ""),
            ("house2/consignor/identificationnumber", "XI276531347831", ""),
            ("house2/consignee/identificationnumber", "GB656584207000", ""),
        ],
        why: "the consignment has its own, and the goods stay in Northern Ireland (C0542)",
    },
    Correction {
        programmes: &["ncts5-final", "ncts6"],
        sheet: "IE015",
        columns: &["Normal XI-XI TIR"],
        cells: BELFAST,
        why: LOADED,
    },
    Correction {
        programmes: &["ncts5-final"],
        sheet: "IE015",
        columns: &["Simplified GB-XI (N)"],
        cells: DOVER,
        why: LOADED,
    },
    Correction {
        programmes: &["ncts5-final"],
        sheet: "IE015",
        columns: &["Simplified XI-GB (N)"],
        cells: BELFAST,
        why: LOADED,
    },
    Correction {
        programmes: &["ncts5-final", "ncts6"],
        sheet: "IE013",
        columns: &["Simplified GB-XI", "Normal GB-XI"],
        cells: DOVER,
        why: LOADED,
    },
    Correction {
        programmes: &["ncts5-final", "ncts6"],
        sheet: "IE013",
        columns: &["Simplified XI-GB", "Normal XI-GB"],
        cells: BELFAST,
        why: LOADED,
    },
    Correction {
        programmes: &["ncts5-transition", "ncts5-final", "ncts6"],
        sheet: "IE013",
        columns: &["Normal GB-XI"],
        cells: &[
            ("locationofgoods/typeoflocation", "B", "C"),
            ("locationofgoods/qualifierofidentification", "Y", "U"),
        ],
        why: "it has the UN/LOCODE of a port and no authorisation",
    },
    Correction {
        programmes: &["ncts6"],
        sheet: "IE013",
        columns: &["Pre-lodged Normal XI-GB"],
        cells: &[("guaranteereference/grn", "26GB000001038B634", "26XI0000010943D40")],
        why: "the holder is the trader of Northern Ireland",
    },
];

/// Whether a programme leaves a cell out because the sheet's headings say that
/// it belongs to final rules. Transition wants the country of dispatch under a
/// TIR carnet and the place of loading with security data all the same.
fn left_out(programme: &str, message: MessageType, column: &str, cell: &str) -> bool {
    let forbidden = match cell {
        "consignment/countryofdispatch" => !column.contains("TIR"),
        _ => cell.starts_with("placeofloading/") && !column.contains("Security"),
    };
    programme == "ncts5-transition" && message != MessageType::Ie170 && forbidden
}

/// The GRNs that the NCTS5 sheets give for transition are, for final rules,
/// those that the row's label names.
fn under_final_rules(programme: &str, label: &str, cell: &str) -> Option<String> {
    let side = cell.get(2..4)?;
    let grn = format!("24{side}0000010000031");
    (programme == "ncts5-final" && label.contains("final mode") && label.contains(&grn))
        .then_some(grn)
}

// Reading

/// A name by its words.
fn words(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Elements whose value is the run's.
const OF_THE_RUN: [&str; 10] = [
    "messagesender",
    "preparationdateandtime",
    "messageidentification",
    "lrn",
    "mrn",
    "limitdate",
    "arrivaldateandtimeestimated",
    "arrivalnotificationdateandtime",
    "requestdateandtime",
    "unloadingdate",
];

/// Numbers without trailing zeros, anything else trimmed; `(run)` for what is
/// the run's.
fn normal(element: &str, value: &str) -> String {
    let value = value.trim();
    if OF_THE_RUN.contains(&element) {
        return "(run)".to_owned();
    }
    match value.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|b| b == b'0') => whole.to_owned(),
        _ => value.to_owned(),
    }
}

/// The groups of the messages, in small letters.
const GROUPS: [&str; 32] = [
    "message",
    "transitoperation",
    "authorisation",
    "customsofficeofdeparture",
    "customsofficeofdestinationdeclared",
    "customsofficeoftransitdeclared",
    "customsofficeofdestinationactual",
    "holderofthetransitprocedure",
    "traderatdestination",
    "unloadingremark",
    "invalidation",
    "guarantee",
    "guaranteereference",
    "consignment",
    "consignor",
    "consignee",
    "transportequipment",
    "seal",
    "goodsreference",
    "locationofgoods",
    "departuretransportmeans",
    "countryofroutingofconsignment",
    "activebordertransportmeans",
    "placeofloading",
    "placeofunloading",
    "previousdocument",
    "houseconsignment",
    "consignmentitem",
    "commodity",
    "commoditycode",
    "goodsmeasure",
    "packaging",
];

/// Groups and elements that the sheets call otherwise.
const OTHER_NAMES: [(&str, &str); 12] = [
    ("customofficeofdestinationactual", "customsofficeofdestinationactual"),
    ("unloadingremarks", "unloadingremark"),
    ("seals", "seal"),
    ("transportequipmentseals", "seal"),
    ("transportequipmentgoodsreference", "goodsreference"),
    ("departuremeansoftransport", "departuretransportmeans"),
    ("amount", "amounttobecovered"),
    ("arrivaldateandtime", "arrivaldateandtimeestimated"),
    ("consigneeidentificationnumber", "identificationnumber"),
    ("harmonisationandsubheadingcode", "harmonizedsystemsubheadingcode"),
    ("qualificationidentifier", "qualifierofidentification"),
    ("typesofidentification", "typeofidentification"),
];

/// Counts houses and items as they come, and names a cell by them, its group
/// and its element: `house1/item2/goodsmeasure/grossmass`.
#[derive(Default)]
struct Place {
    house: usize,
    item: usize,
    group: String,
}

impl Place {
    fn enter(&mut self, group: &str) {
        match group {
            "houseconsignment" => (self.house, self.item) = (self.house + 1, 0),
            "consignmentitem" => self.item += 1,
            _ => {}
        }
        group.clone_into(&mut self.group);
    }

    fn cell(&self, element: &str) -> String {
        let mut out = String::new();
        for (name, number) in [("house", self.house), ("item", self.item)] {
            if number > 0 {
                out += &format!("{name}{number}/");
            }
        }
        out + &self.group + "/" + element
    }
}

/// A sheet as the rows of its CSV file.
struct Sheet {
    /// `IE015`, `IE015 (Final Only)`.
    name: String,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    fn read(folder: &Path, name: &str) -> Self {
        Self { name: name.to_owned(), rows: sheets::rows(&folder.join(format!("{name}.csv"))) }
    }

    /// How many columns hold the rows' labels.
    fn labels(&self) -> usize {
        self.rows[0].iter().skip(1).position(|cell| !cell.is_empty()).unwrap() + 1
    }

    /// Its columns of data. What has no recipient is a remark.
    fn columns(&self) -> BTreeMap<String, usize> {
        let to = self.rows.iter().find(|row| row[0].starts_with("Message Recipient")).unwrap();
        (self.labels()..to.len())
            .filter(|index| !to[*index].trim().is_empty())
            .map(|index| (self.rows[0][index].trim().to_owned(), index))
            .collect()
    }

    /// The index of a column.
    fn find(&self, column: &str) -> Option<usize> {
        let columns = self.columns();
        columns.iter().find(|(name, _)| words(name) == words(column)).map(|(_, index)| *index)
    }

    /// The cells of a column, each with its row's label.
    fn cells(&self, column: usize) -> Vec<(String, &str, &str)> {
        let mut place = Place::default();
        let mut out = Vec::new();
        for row in self.rows.iter().skip(1) {
            let labels = row[..self.labels()].iter().rev();
            let label = labels.map(|cell| cell.trim()).find(|cell| !cell.is_empty());
            let Some(label) = label else { continue };
            let name = label.split('(').next().unwrap_or_default();
            let name: String = name.chars().filter(char::is_ascii_alphabetic).collect();
            let name = name.to_lowercase();
            let name = OTHER_NAMES.iter().find(|(other, _)| *other == name).map_or(&*name, |n| n.1);
            let value = row.get(column).map_or("", |cell| cell.trim());
            if value.is_empty() || value.starts_with("N in") {
                if GROUPS.contains(&name) {
                    place.enter(name);
                }
                continue;
            }
            let element = match (place.group.as_str(), name) {
                ("goodsreference", "identifier") => "declarationgoodsitemnumber",
                (_, name) => name,
            };
            out.push((place.cell(element), label, value));
        }
        out
    }
}

/// The values of a message, by cell.
fn values(node: Node<'_, '_>, place: &mut Place, out: &mut BTreeMap<String, String>) {
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name().to_lowercase();
        if child.children().any(|below| below.is_element()) {
            let around = place.group.clone();
            place.enter(&name);
            values(child, place, out);
            place.group = around;
        } else {
            let value = normal(&name, child.text().unwrap_or_default());
            assert_eq!(out.insert(place.cell(&name), value), None, "{} twice", place.cell(&name));
        }
    }
    // After an item or a house, what follows is around it.
    match node.tag_name().name() {
        "HouseConsignment" => place.item = 0,
        "Consignment" => place.house = 0,
        _ => {}
    }
}

fn catalogue() -> Catalogue {
    Catalogue::built_in().unwrap_or_else(|error| panic!("{error}"))
}

fn payloads(catalogue: &Catalogue) -> Payloads {
    Payloads::new(Sources::default(), catalogue).unwrap_or_else(|error| panic!("{error}"))
}

/// The message built from a column.
fn built(
    catalogue: &Catalogue,
    payloads: &Payloads,
    programme: &Programme,
    column: &Column,
) -> BTreeMap<String, String> {
    let mut scenario = catalogue.scenarios(&programme.id)[0].clone();
    scenario.step.truncate(1);
    let step = &mut scenario.step[0];
    step.send = Some(column.message);
    step.sheet = column.sheet.clone();
    step.data = vec![column.name.clone()];
    let stamp = Stamp {
        message: column.message,
        lrn: "READY-LRN-1".into(),
        mrn: Some("26GB000246ABC123J8".into()),
        message_identification: "READY-MSG-1".into(),
        message_sender: None,
        now: Utc.with_ymd_and_hms(2026, 11, 21, 9, 30, 0).unwrap(),
    };
    let payload = payloads.prepare(programme, &scenario, 1, &stamp).unwrap();
    let document = read::parse(&payload.xml).unwrap();
    let mut place = Place { group: "message".into(), ..Place::default() };
    let mut out = BTreeMap::new();
    values(document.root_element(), &mut place, &mut out);
    out
}

/// The name of a column's sheet.
fn sheet_of(column: &Column) -> String {
    match &column.sheet {
        Some(words) => format!("{} ({words})", column.message),
        None => column.message.to_string(),
    }
}

fn folder_of(reference: &Path, programme: &str) -> std::path::PathBuf {
    let folder = if programme == "ncts6" { "ncts6" } else { "ncts5" };
    reference.join("test-data").join(folder)
}

// Tests

#[test]
fn every_message_says_what_its_column_says() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    let payloads = payloads(&catalogue);
    let mut used = BTreeSet::new();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for programme in catalogue.programmes().iter().filter(|p| p.declares()) {
        for column in catalogue.columns(&programme.id) {
            if column.sheet.as_deref() == Some(TRANSITION_ONLY) {
                continue;
            }
            let id = programme.id.as_str();
            let sheet = Sheet::read(&folder_of(&reference, id), &sheet_of(column));
            let here = format!("{id}, {}, {}", sheet.name, column.name);
            let Some(index) = sheet.find(&column.name) else {
                let added = ADDED.contains(&(id, sheet.name.as_str(), column.name.as_str()));
                assert!(added || column.same_as.is_some(), "{here}: not on the sheet");
                continue;
            };
            let mut theirs = BTreeMap::new();
            for (cell, label, value) in sheet.cells(index) {
                if !left_out(id, column.message, &column.name, &cell) {
                    let element = cell.rsplit('/').next().unwrap_or_default();
                    let value = under_final_rules(id, label, value)
                        .unwrap_or_else(|| normal(element, value));
                    assert_eq!(theirs.insert(cell.clone(), value), None, "{here}: {cell} twice");
                }
            }
            for (index, fact) in CORRECTIONS.iter().enumerate() {
                let named = fact.columns.iter().any(|name| words(name) == words(&column.name));
                if fact.sheet != sheet.name || !named || !fact.programmes.contains(&id) {
                    continue;
                }
                for (cell, from, to) in fact.cells {
                    let was = theirs.remove(*cell).unwrap_or_default();
                    assert_eq!(was, *from, "{here}: {cell}: {}", fact.why);
                    if !to.is_empty() {
                        theirs.insert((*cell).to_owned(), (*to).to_owned());
                    }
                }
                used.insert((index, id, words(&column.name)));
            }
            let ours = built(&catalogue, &payloads, programme, column);
            let cells: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            compared += cells.len();
            for cell in cells {
                let (ours, theirs) = (ours.get(cell), theirs.get(cell));
                if ours != theirs {
                    wrong.push(format!("{here}: {cell}: ours {ours:?}, theirs {theirs:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared > 4_000, "{compared}");
    for (index, fact) in CORRECTIONS.iter().enumerate() {
        for programme in fact.programmes {
            for column in fact.columns {
                assert!(
                    used.contains(&(index, *programme, words(column))),
                    "{programme}, {}, {column}: there is no such column to correct",
                    fact.sheet
                );
            }
        }
    }
}

#[test]
fn every_column_of_the_sheets_is_there() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    let (mut found, mut absent) = (0, Vec::new());
    for programme in catalogue.programmes().iter().filter(|p| p.declares()) {
        let folder = folder_of(&reference, &programme.id);
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            let Some(name) = file.strip_suffix(".csv").filter(|name| name.starts_with("IE")) else {
                continue;
            };
            let (message, words) = name.split_at(5);
            let words = words.trim().strip_prefix('(').and_then(|words| words.strip_suffix(')'));
            if programme.id == "ncts5-transition" && words == Some("Final Only") {
                continue;
            }
            for column in Sheet::read(&folder, name).columns().keys() {
                let here = format!("{}, {name}, {column}", programme.id);
                let data = catalogue.data(&programme.id, message.parse().unwrap(), words, column);
                match data {
                    Some(_) => found += 1,
                    None => absent.push(here),
                }
            }
        }
    }
    assert!(absent.is_empty(), "columns without test data: {absent:#?}");
    assert_eq!(found, 2 * (15 + 8 + 4 + 4 + 6 + 4) + (10 + 4 + 4) + (11 + 8 + 4 + 2 + 4 + 4));
}

#[test]
fn every_column_the_guides_name_is_found() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    let (mut found, mut absent) = (0, BTreeSet::new());
    for (file, both) in [
        ("ncts5.json", &["ncts5-transition", "ncts5-final"][..]),
        ("ncts5-final-spreadsheet.json", &["ncts5-final"]),
        ("ncts6.json", &["ncts6"]),
    ] {
        let text = std::fs::read_to_string(reference.join("scenarios").join(file)).unwrap();
        let facts: Value = serde_json::from_str(&text).unwrap();
        for scenario in facts["scenarios"].as_array().unwrap() {
            let programmes = match scenario["rules"].as_str() {
                Some("final only") => &["ncts5-final"],
                Some("transition only") => &["ncts5-transition"],
                _ => both,
            };
            for step in scenario["steps"].as_array().unwrap() {
                for data in step["data"].as_array().into_iter().flatten() {
                    let column = data["column"].as_str().unwrap();
                    let sheet = data["sheet"].as_str().unwrap();
                    if sheet == TRANSITION_ONLY {
                        continue;
                    }
                    let message = step["send"].as_str().unwrap().parse().unwrap();
                    let words = sheet.split_once('(').map(|(_, words)| words.trim_matches(')'));
                    for programme in programmes {
                        match catalogue.data(programme, message, words, column) {
                            Some(_) => found += 1,
                            None => {
                                absent.insert(format!("{programme}, {sheet}, {column}"));
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(absent.is_empty(), "{absent:#?}");
    assert!(found > 250, "{found}");
}

#[test]
fn another_name_has_the_data_of_the_column_it_stands_for() {
    let catalogue = catalogue();
    let mut names = Vec::new();
    for programme in catalogue.programmes().iter().filter(|p| p.declares()) {
        for column in catalogue.columns(&programme.id) {
            let Some((sheet, name)) = &column.same_as else { continue };
            let words = sheet.split_once('(').map(|(_, words)| words.trim_matches(')'));
            let data = catalogue.data(&programme.id, column.message, words, name);
            assert_eq!(data, Some(&column.data), "{}", column.name);
            names.push(format!("{}, {}, {}", programme.id, sheet_of(column), column.name));
        }
    }
    assert_eq!(names.len(), 4 + 4 + 2 + 2, "{names:#?}");
}
