//! How a scenario's message departs from its test data.

use std::collections::BTreeMap;
use std::ops::Range;

use roxmltree::Node;

use super::{BuildError, Edits};
use crate::ncts::read::{self, ReadError};

/// What to change. Paths are the local names of elements below the root, with
/// `/`: `Consignment/LocationOfGoods/UNLocode`. A path stands for every element
/// it leads to, whatever its house or item.
#[derive(Clone, Copy, Debug)]
pub struct Changes<'a> {
    /// Elements left out.
    pub remove: &'a [String],
    /// Elements given another value.
    pub set: &'a BTreeMap<String, String>,
    /// Elements that must occur at least so often in the end.
    pub at_least: &'a BTreeMap<String, usize>,
}

/// Changes a message as told; every other byte stays. An element that stood on
/// lines of its own goes with them.
///
/// What is to be left out may be missing already: HMRC's own files for such
/// steps are.
///
/// # Errors
/// When there is nothing to give a value to, a value would replace other
/// elements, or the message has too few of something.
pub fn mutate(xml: &str, changes: &Changes<'_>) -> Result<String, BuildError> {
    let xml = xml.trim_start_matches('\u{feff}');
    let removed = {
        let document = read::parse(xml).map_err(ReadError::Xml)?;
        let mut edits = Edits::default();
        for path in changes.remove {
            for node in matches(document.root_element(), path) {
                edits.cut(with_its_lines(xml, node.range()));
            }
        }
        edits.apply(xml)
    };
    let document = read::parse(&removed).map_err(ReadError::Xml)?;
    let root = document.root_element();
    let mut edits = Edits::default();
    for (path, value) in changes.set {
        let nodes = matches(root, path);
        if nodes.is_empty() {
            return Err(BuildError::NothingToChange(path.clone()));
        }
        for node in nodes {
            if node.children().any(|child| child.is_element()) {
                return Err(BuildError::NotAValue(path.clone()));
            }
            edits.set(&removed, node, value);
        }
    }
    for (path, least) in changes.at_least {
        let found = matches(root, path).len();
        if found < *least {
            return Err(BuildError::TooFew { path: path.clone(), found, least: *least });
        }
    }
    Ok(edits.apply(&removed))
}

/// The elements that a path leads to.
fn matches<'a, 'input>(root: Node<'a, 'input>, path: &str) -> Vec<Node<'a, 'input>> {
    path.split('/').fold(vec![root], |nodes, name| {
        let named = |child: &Node<'_, '_>| child.is_element() && child.tag_name().name() == name;
        nodes.into_iter().flat_map(|node| node.children()).filter(named).collect()
    })
}

/// The range with the indentation before it and the line break after it, where
/// nothing else stands on its lines.
fn with_its_lines(xml: &str, range: Range<usize>) -> Range<usize> {
    let before = xml.get(..range.start).unwrap_or_default();
    let after = xml.get(range.end..).unwrap_or_default();
    let start = before.trim_end_matches([' ', '\t']).len();
    let rest = after.trim_start_matches([' ', '\t']);
    let blank = after.len() - rest.len();
    let line_break = match rest {
        _ if rest.starts_with("\r\n") => 2,
        _ if rest.starts_with('\n') => 1,
        _ => return range,
    };
    match before.get(..start) {
        Some(before) if before.ends_with('\n') => start..range.end + blank + line_break,
        _ => range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<n:CC044C xmlns:n=\"http://ncts.dgtaxud.ec\">\n  \
        <Remark>\n    <conform>1</conform>\r\n    <seals>1</seals>\r\n  </Remark>\n  \
        <House><Item a='>'>x</Item><Item>y</Item></House>\n  \
        <House>\n    <Item b=\"1\" />\n    <!-- kept -->\n    <House>z</House>\n  </House>\n\
        </n:CC044C>";

    fn changed(remove: &[&str], set: &[(&str, &str)], least: &[(&str, usize)]) -> String {
        let remove: Vec<String> = remove.iter().map(|path| (*path).to_owned()).collect();
        let set = set.iter().map(|(path, value)| ((*path).into(), (*value).into())).collect();
        let at_least = least.iter().map(|(path, least)| ((*path).into(), *least)).collect();
        let changes = Changes { remove: &remove, set: &set, at_least: &at_least };
        mutate(XML, &changes).unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn what_is_left_out_leaves_no_trace_and_nothing_else_changes() {
        for (paths, gone) in [
            (&["Remark/seals"][..], &["    <seals>1</seals>\r\n"][..]),
            (
                &["Remark"],
                &["  <Remark>\n    <conform>1</conform>\r\n    <seals>1</seals>\r\n  </Remark>\n"],
            ),
            // One inside another, in either order.
            (
                &["Remark/seals", "Remark"],
                &["  <Remark>\n    <conform>1</conform>\r\n    <seals>1</seals>\r\n  </Remark>\n"],
            ),
            (&["House/Item"], &["<Item a='>'>x</Item><Item>y</Item>", "    <Item b=\"1\" />\n"]),
            // Only where the path leads, and nothing where it leads nowhere.
            (&["House/House"], &["    <House>z</House>\n"]),
            (&["Remark/seal", "seals", "CC044C/Remark", ""], &[]),
        ] {
            let expected = gone.iter().fold(XML.to_owned(), |xml, gone| {
                assert!(xml.contains(gone), "{gone}");
                xml.replacen(gone, "", 1)
            });
            assert_eq!(changed(paths, &[], &[]), expected, "{paths:?}");
        }
    }

    #[test]
    fn values_are_set_wherever_the_path_leads() {
        assert_eq!(
            changed(&[], &[("House/Item", "<&>")], &[]),
            XML.replace(">x<", ">&lt;&amp;&gt;<")
                .replace(">y<", ">&lt;&amp;&gt;<")
                .replace("<Item b=\"1\" />", "<Item b=\"1\">&lt;&amp;&gt;</Item>")
        );
        for (remove, set, error) in [
            (
                &[][..],
                &[("Remark/seal", "1")][..],
                "the message has no `Remark/seal` that could be changed",
            ),
            (
                &["Remark"],
                &[("Remark/seals", "0")],
                "the message has no `Remark/seals` that could be changed",
            ),
            (&[], &[("Remark", "1")], "`Remark` holds other elements: it cannot be given a value"),
        ] {
            assert_eq!(changed(remove, set, &[]), format!("error: {error}"));
        }
    }

    #[test]
    fn too_few_of_an_element_are_said_to_be_so() {
        assert_eq!(changed(&[], &[], &[("House", 2), ("House/Item", 3)]), XML);
        assert_eq!(
            changed(&[], &[], &[("House", 3)]),
            "error: the message has 2 of `House`, the scenario needs at least 3"
        );
        // As it is in the end.
        assert_eq!(
            changed(&["House/Item"], &[], &[("House/Item", 1)]),
            "error: the message has 0 of `House/Item`, the scenario needs at least 1"
        );
        assert_eq!(changed(&[], &[], &[("Guarantee", 0)]), XML);
    }
}
