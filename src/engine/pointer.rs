//! Where in a message the pointer of a functional error leads.
//!
//! Pointers are XPath without namespaces, with indices from 1 that may be
//! missing: `/CC015C/Guarantee[1]/GuaranteeReference[1]/GRN`,
//! `//Authorisation[1]/referenceNumber` (technical interface specification,
//! data group FUNCTIONAL ERROR; HMRC's example replies).

use roxmltree::{Document, Node};

/// Most places kept at one level: a pointer without indices may lead to many,
/// and only the first is told.
const MAX_PLACES: usize = 16;

/// Most levels of a pointer that are looked at.
const MAX_LEVELS: usize = 32;

/// Longest excerpt, in characters.
const MAX_EXCERPT: usize = 120;

/// A place in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its line, from 1.
    pub(super) line: u32,
    /// That line's text, or the part of it that begins there.
    pub(super) excerpt: String,
    /// Whether the element itself is there; else the place is the closest one
    /// around it.
    pub(super) exact: bool,
}

/// A level of a pointer.
struct Level<'p> {
    name: &'p str,
    index: Option<usize>,
    anywhere: bool,
}

/// Finds the element to which `pointer` leads, or what is closest around it;
/// none, where not even its first level is there.
pub(super) fn resolve(document: &Document<'_>, pointer: &str) -> Option<Place> {
    let mut levels = levels(pointer);
    let root = document.root_element();
    if levels.first().is_some_and(|first| is(root, first.name)) {
        levels.remove(0);
    } else {
        // A path that does not begin at the root may begin anywhere.
        levels.first_mut()?.anywhere = true;
    }
    let mut places = vec![root];
    let mut exact = true;
    for (depth, level) in levels.iter().enumerate() {
        let found = step(&places, level);
        if found.is_empty() {
            if depth == 0 && level.anywhere {
                return None;
            }
            exact = false;
            break;
        }
        places = found;
    }
    let node = *places.first()?;
    Some(Place {
        line: document.text_pos_at(node.range().start).row,
        excerpt: excerpt(document.input_text(), node),
        exact,
    })
}

fn levels(pointer: &str) -> Vec<Level<'_>> {
    let mut levels = Vec::new();
    let mut anywhere = false;
    let pointer = pointer.trim();
    for part in pointer.strip_prefix('/').unwrap_or(pointer).split('/').take(MAX_LEVELS) {
        if part.is_empty() {
            // A `//` once; searching everything below everything is not worth it.
            anywhere = !levels.iter().any(|level: &Level<'_>| level.anywhere);
            continue;
        }
        let (name, rest) = part.split_once('[').unwrap_or((part, ""));
        let name = name.rsplit(':').next().unwrap_or(name).trim();
        // An attribute, text() and the like stand at their element.
        if name.is_empty() || name.starts_with('@') || name.ends_with(')') || name == "." {
            continue;
        }
        let index = rest.split(']').next().and_then(|index| index.trim().parse().ok());
        levels.push(Level { name, index, anywhere });
        anywhere = false;
    }
    levels
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn step<'a, 'input>(places: &[Node<'a, 'input>], level: &Level<'_>) -> Vec<Node<'a, 'input>> {
    let nth = |place: Node<'a, 'input>| -> Vec<Node<'a, 'input>> {
        let named = |node: &Node<'a, 'input>| is(*node, level.name);
        let (skip, take) = match level.index {
            Some(index) => (index.saturating_sub(1), 1),
            None => (0, MAX_PLACES),
        };
        match level.anywhere {
            true => place.descendants().filter(named).skip(skip).take(take).collect(),
            false => place.children().filter(named).skip(skip).take(take).collect(),
        }
    };
    places.iter().copied().flat_map(nth).take(MAX_PLACES).collect()
}

/// The line on which an element begins, without the spaces around it; from the
/// element on, where the line is long.
fn excerpt(text: &str, node: Node<'_, '_>) -> String {
    let start = node.range().start;
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.lines().next().unwrap_or_default().trim()
    };
    let whole = line(line_start);
    if whole.chars().count() <= MAX_EXCERPT {
        return whole.to_owned();
    }
    let own = text.get(node.range()).unwrap_or_default();
    let own = own.lines().next().unwrap_or_default();
    match own.char_indices().nth(MAX_EXCERPT) {
        Some((at, _)) => format!("{}…", own.get(..at).unwrap_or_default()),
        None => own.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ncts::read;
    use proptest::prelude::*;

    const XML: &str = r#"<?xml version="1.0"?>
<n:CC015C xmlns:n="http://ncts.dgtaxud.ec">
  <Guarantee>
    <GuaranteeReference><GRN>1</GRN></GuaranteeReference>
  </Guarantee>
  <Guarantee>
    <GuaranteeReference>
      <GRN>2</GRN>
      <GRN>3</GRN>
    </GuaranteeReference>
  </Guarantee>
  <Consignment>
    <Authorisation><referenceNumber>X</referenceNumber></Authorisation>
  </Consignment>
</n:CC015C>"#;

    fn at(pointer: &str) -> Option<(u32, String, bool)> {
        let document = read::parse(XML).unwrap();
        resolve(&document, pointer).map(|place| (place.line, place.excerpt, place.exact))
    }

    #[test]
    fn a_pointer_leads_to_a_line() {
        let line = |pointer| at(pointer).map(|(line, ..)| line);
        for (pointer, expected) in [
            ("/CC015C/Guarantee[2]/GuaranteeReference[1]/GRN[2]", 9),
            ("/CC015C/Guarantee[2]/GuaranteeReference/GRN", 8),
            ("/n:CC015C/ncts:Guarantee/GuaranteeReference/GRN", 4),
            ("CC015C/Guarantee[2]/GuaranteeReference/GRN/text()", 8),
            ("//Authorisation[1]/referenceNumber", 13),
            ("/CC015C//Authorisation/referenceNumber", 13),
            ("Consignment/Authorisation/@id", 13),
            ("/CC015C", 2),
        ] {
            assert_eq!(line(pointer), Some(expected), "{pointer}");
        }
        let (_, excerpt, exact) = at("/CC015C/Guarantee[2]/GuaranteeReference/GRN[2]").unwrap();
        assert_eq!((excerpt.as_str(), exact), ("<GRN>3</GRN>", true));
    }

    /// What is required and missing has no line; what is around it has one.
    #[test]
    fn what_is_not_there_is_told_by_what_is_around_it() {
        let place = at("/CC015C/Consignment/LocationOfGoods/UNLocode").unwrap();
        assert_eq!(place, (12, "<Consignment>".into(), false));
        assert_eq!(
            at("/CC015C/Guarantee[3]/GRN").map(|(line, _, exact)| (line, exact)),
            Some((2, false))
        );
        assert_eq!(at("//NoSuchThing"), None);
        assert_eq!(at("/"), None);
        assert_eq!(at(""), None);
    }

    #[test]
    fn of_a_long_line_only_the_element_is_told() {
        let xml = format!(
            "<n:CC015C xmlns:n='http://ncts.dgtaxud.ec'><a>{}</a><b>7</b></n:CC015C>",
            "x".repeat(9_000)
        );
        let document = read::parse(&xml).unwrap();
        assert_eq!(resolve(&document, "/CC015C/b").unwrap().excerpt, "<b>7</b>");
        assert!(
            resolve(&document, "/CC015C/a").unwrap().excerpt.chars().count() <= MAX_EXCERPT + 1
        );
    }

    proptest! {
        #[test]
        fn no_pointer_is_too_much(pointer in r"[/a-zA-Z0-9:@.\[\]()*é ]{0,60}") {
            let _ = at(&pointer);
        }
    }
}
