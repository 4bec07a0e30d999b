//! A small XML schema made from a message, so that tests of what schemas are
//! for need none of HMRC's: it allows the elements of the message in their
//! order, each as often as it likes but at least once, with any text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use roxmltree::{Document, Node};

/// The schema of messages like this one.
pub(crate) fn schema_of(xml: &str) -> String {
    let document = Document::parse(xml).unwrap();
    let root = document.root_element();
    let mut types = BTreeMap::new();
    complex(&[root], "", &mut types);
    let mut out = String::from(
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns=\"http://ncts.dgtaxud.ec\" targetNamespace=\"http://ncts.dgtaxud.ec\">\n",
    );
    let name = root.tag_name().name();
    writeln!(out, "<xs:element name=\"{name}\" type=\"{name}Type\"/>").unwrap();
    for (name, text) in types {
        let phase = match name.contains('.') {
            true => "",
            false => "<xs:attribute name=\"PhaseID\" type=\"xs:token\"/>",
        };
        writeln!(
            out,
            "<xs:complexType name=\"{name}Type\"><xs:sequence>{text}</xs:sequence>{phase}\
             </xs:complexType>"
        )
        .unwrap();
    }
    out.push_str("</xs:schema>\n");
    out
}

/// Describes the elements that stand for one path.
fn complex(nodes: &[Node<'_, '_>], above: &str, types: &mut BTreeMap<String, String>) {
    let name = format!("{above}{}", nodes[0].tag_name().name());
    let mut children: Vec<(&str, Vec<Node<'_, '_>>)> = Vec::new();
    for child in nodes.iter().flat_map(|node| node.children()).filter(Node::is_element) {
        let name = child.tag_name().name();
        match children.iter_mut().find(|(known, _)| *known == name) {
            Some((_, found)) => found.push(child),
            None => children.push((name, vec![child])),
        }
    }
    let mut sequence = String::new();
    for (child, found) in children {
        let kind = match found.iter().any(|node| node.children().any(|c| c.is_element())) {
            true => {
                complex(&found, &format!("{name}."), types);
                format!("{name}.{child}Type")
            }
            false => "xs:string".to_owned(),
        };
        write!(sequence, "<xs:element name=\"{child}\" type=\"{kind}\" maxOccurs=\"unbounded\"/>")
            .unwrap();
    }
    types.insert(name, sequence);
}
