//! The list of element names against HMRC's XSDs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::packs::{reference, skipped};
use crate::ncts::{Direction, MessageType};
use crate::simulator::words::{NUMBERS, ORDER, REPEATED, SINGLE};

const SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";

/// An element of a type: its name, type, and whether it may repeat.
type Element = (String, String, bool);

/// What the XSDs of a version say.
#[derive(Default)]
struct Schemas {
    /// The elements of each complex type and group, in order; a group inside
    /// stands as its name with an empty type.
    types: HashMap<String, Vec<Element>>,
    /// The base of each simple type.
    simple: HashMap<String, String>,
}

fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap_or(name).to_owned()
}

fn elements(node: roxmltree::Node<'_, '_>, out: &mut Vec<Element>) {
    for child in node.children().filter(roxmltree::Node::is_element) {
        let attribute = |name| child.attribute(name).map(local).unwrap_or_default();
        match child.tag_name().name() {
            "element" => {
                let repeats = child.attribute("maxOccurs").is_some_and(|most| most != "1");
                out.push((attribute("name"), attribute("type"), repeats));
            }
            "group" => out.push((attribute("ref"), String::new(), false)),
            "extension" => {
                out.push((attribute("base"), String::new(), false));
                elements(child, out);
            }
            "sequence" | "choice" | "complexContent" => elements(child, out),
            _ => {}
        }
    }
}

impl Schemas {
    fn read(folder: &Path) -> Self {
        let mut all = Self::default();
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() || path.extension().is_none_or(|one| one != "xsd") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let document = roxmltree::Document::parse(&text).unwrap();
            for node in document.root_element().children().filter(|one| one.is_element()) {
                let name = node.attribute("name").map(local).unwrap_or_default();
                match node.tag_name().name() {
                    "complexType" | "group" => {
                        let mut inside = Vec::new();
                        elements(node, &mut inside);
                        all.types.insert(name, inside);
                    }
                    "simpleType" => {
                        let restriction =
                            node.children().find(|one| one.has_tag_name((SCHEMA, "restriction")));
                        let base = restriction.and_then(|one| one.attribute("base")).map(local);
                        all.simple.insert(name, base.unwrap_or_default());
                    }
                    _ => {}
                }
            }
        }
        all
    }

    /// The elements of a type, groups and bases written out.
    fn flat(&self, name: &str) -> Vec<Element> {
        let mut out = Vec::new();
        for (name, of, repeats) in self.types.get(name).into_iter().flatten() {
            if of.is_empty() {
                out.extend(self.flat(name));
            } else {
                out.push((name.clone(), of.clone(), *repeats));
            }
        }
        out
    }

    fn is_number(&self, name: &str) -> bool {
        match self.simple.get(name) {
            Some(base) => self.is_number(base),
            None => matches!(name, "integer" | "decimal"),
        }
    }
}

#[test]
fn the_list_of_elements_fits_every_message_a_trader_sends() {
    let Some(reference) = reference() else {
        return skipped("no reference folder with XSDs and test packs");
    };
    let places: BTreeMap<_, _> = ORDER.iter().zip(0..).map(|(name, at)| (*name, at)).collect();
    assert_eq!(places.len(), ORDER.len(), "a name stands twice");
    let mut seen = BTreeSet::new();
    for version in ["2.0", "2.1", "3.0"] {
        let schemas = Schemas::read(&reference.join("xsd").join(version));
        for message in MessageType::ALL.iter().filter(|one| one.direction() == Direction::Sent) {
            let mut open = vec![format!("{}Type", message.root())];
            let mut done = BTreeSet::new();
            while let Some(of) = open.pop() {
                if !done.insert(of.clone()) {
                    continue;
                }
                let elements = schemas.flat(&of);
                assert!(!elements.is_empty(), "{version} {message}: nothing in `{of}`");
                let place = |name: &str| match (name, message) {
                    ("MRN", MessageType::Ie170) => usize::MAX,
                    _ => *places.get(name).unwrap_or_else(|| panic!("`{name}` is not listed")),
                };
                let order: Vec<_> = elements.iter().map(|(name, ..)| place(name)).collect();
                assert!(order.is_sorted(), "{version} {message} `{of}`: {elements:?}");
                for (name, of, repeats) in elements {
                    let shown = name.as_str();
                    let group = schemas.types.contains_key(&of);
                    assert_eq!(REPEATED.contains(&shown), repeats, "{version} {message} {shown}");
                    assert_eq!(SINGLE.contains(&shown), group && !repeats, "{version} {shown}");
                    if version != "2.0" && !group {
                        let number = schemas.is_number(&of);
                        assert_eq!(NUMBERS.contains(&shown), number, "{version} {shown}");
                    }
                    if group {
                        open.push(of);
                    }
                    seen.insert(name);
                }
            }
        }
    }
    let never: Vec<_> = ORDER.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(never.is_empty(), "in no message: {never:?}");
}
