//! Changes to a message, each of a kind that a program or a person makes, or
//! that only someone who wants to confuse a validator would.

use std::ops::Range;

use roxmltree::{Document, Node};

use crate::generate::{DATES, Generator, Instance, NUMBERS, TIMES, escape};
use crate::random::Random;

const XSI: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";

/// How many kinds of change there are.
pub const KINDS: usize = 26;

/// A change of the `kind`th kind. Some kinds need what a message may lack, and
/// leave it as it is.
pub fn mutate(kind: usize, of: &Instance, generator: &Generator, random: &mut Random) -> String {
    let xml = of.xml.as_str();
    if kind == 0 {
        // The bounds of a value's own facets: the most telling change.
        let Some((range, simple)) =
            (!of.values.is_empty()).then(|| of.values[random.below(of.values.len())].clone())
        else {
            return xml.to_owned();
        };
        let bounds = generator.simple[&simple].bounds(random);
        return replace(xml, range, escape(random.pick(&bounds)));
    }
    let Ok(document) = Document::parse(xml) else { return xml.to_owned() };
    let elements: Vec<Node<'_, '_>> = document.descendants().filter(Node::is_element).collect();
    let root = document.root_element();
    let mut any = || elements[random.below(elements.len())];
    let node = any();
    let other = any();
    let leaves: Vec<Node<'_, '_>> =
        elements.iter().filter(|node| !node.children().any(|c| c.is_element())).copied().collect();
    let leaf = leaves[random.below(leaves.len())];
    let range = node.range();
    let text = &xml[range.clone()];
    let inside = inside(xml, leaf);
    let value = &xml[inside.clone()];
    let head = range.start + 1 + name(text).len();
    match kind {
        1 if node != root => replace(xml, range, ""),
        2 if node != root => replace(xml, range.end..range.end, text),
        3 if node != root => match node.next_sibling_element() {
            Some(next) => {
                let both = format!("{}{text}", &xml[next.range()]);
                replace(xml, range.start..next.range().end, &both)
            }
            None => xml.to_owned(),
        },
        4 if node != root && !other.ancestors().any(|above| above == node) => {
            // Elsewhere: as text moves, the later place goes first.
            let at = other.range().start.max(root.range().start + 1);
            if at == root.range().start + 1 || other == root {
                return xml.to_owned();
            }
            let moved = text.to_owned();
            if at > range.start {
                replace(&replace(xml, at..at, &moved), range, "")
            } else {
                replace(&replace(xml, range, ""), at..at, &moved)
            }
        }
        5 => {
            let new = match random.below(4) {
                0 => format!("{}X", name(text)),
                1 => name(text).to_lowercase(),
                2 if other != root => other.tag_name().name().to_owned(),
                _ => name(text).chars().rev().filter(|c| *c != ':').collect(),
            };
            rename(xml, node, &new)
        }
        6 => {
            let local = node.tag_name().name();
            let new = match node == root {
                true => local.to_owned(),
                false => format!("ncts:{local}"),
            };
            rename(xml, node, &new)
        }
        7 => {
            let uri = random.pick(&["", "urn:x", "http://ncts.dgtaxud.ec"]);
            replace(xml, head..head, format!(" xmlns=\"{uri}\""))
        }
        8 => {
            let pool: Vec<String> = match random.below(4) {
                0 => NUMBERS.iter().map(|text| (*text).to_owned()).collect(),
                1 => DATES.iter().map(|text| (*text).to_owned()).collect(),
                2 => TIMES.iter().map(|time| format!("2026-02-28{time}")).collect(),
                _ => {
                    let sizes = [1, 2, 3, 4, 8, 17, 18, 35, 36, 70, 71, 140, 350, 512, 513, 4_000];
                    sizes.iter().map(|size| random.text(*size)).collect()
                }
            };
            replace(xml, inside, escape(random.pick(&pool)))
        }
        9 => {
            let odd = escape(random.odd().to_string());
            let at = boundary(value, random);
            replace(xml, inside.start + at..inside.start + at, &odd)
        }
        10 => {
            let attributes = [
                "x=\"1\"".to_owned(),
                "xml:lang=\"en\"".to_owned(),
                "xml:space=\"preserve\"".to_owned(),
                "PhaseID=\"NCTS5.1\"".to_owned(),
                "xmlns:p=\"http://ncts.dgtaxud.ec\" p:PhaseID=\"NCTS5.1\"".to_owned(),
                format!("{XSI} xsi:nil=\"true\""),
                format!("{XSI} xsi:nil=\"false\""),
                format!("{XSI} xsi:schemaLocation=\"a b\""),
                format!("{XSI} xsi:noNamespaceSchemaLocation=\"a\""),
                format!("{XSI} xsi:other=\"a\""),
                format!("{XSI} xsi:type=\"nonsense\""),
                "xmlns:unused=\"urn:x\"".to_owned(),
            ];
            let attribute = random.pick(&attributes);
            replace(xml, head..head, format!(" {attribute}"))
        }
        11 => {
            let names: Vec<&String> = generator.simple.keys().collect();
            let kind = match (random.below(3), of.values.is_empty()) {
                (0, _) | (_, true) => names[random.below(names.len())].clone(),
                _ => of.values[random.below(of.values.len())].1.clone(),
            };
            let prefix = random.pick(&["ncts:", "", "xsi:", "other:"]);
            replace(xml, head..head, format!(" {XSI} xsi:type=\"{prefix}{kind}\""))
        }
        12 => {
            let odd = escape(random.odd().to_string());
            let between = ["x", " ", "\n\t", "&#32;", "&#13;", "&#160;", odd.as_str()];
            replace(xml, range.end..range.end, random.pick(&between))
        }
        13 => {
            let mark = random.pick(&["<!-- c -->", "<?pi x?>", "<!---->", "<?p?>"]);
            let at = boundary(value, random);
            replace(xml, inside.start + at..inside.start + at, mark)
        }
        14 => {
            let at = boundary(value, random);
            if value.contains('&') {
                return xml.to_owned();
            }
            let (left, right) = value.split_at(at);
            replace(xml, inside.clone(), format!("{left}<![CDATA[{right}]]>"))
        }
        15 => {
            let section = random.pick(&["<![CDATA[ ]]>", "<![CDATA[]]>", "<![CDATA[x]]>"]);
            replace(xml, range.end..range.end, section)
        }
        16 => {
            let referred: String = value
                .chars()
                .map(|c| match random.below(2) {
                    0 => format!("&#{};", u32::from(c)),
                    _ => format!("&#x{:x};", u32::from(c)),
                })
                .collect();
            if value.contains('&') { xml.to_owned() } else { replace(xml, inside, &referred) }
        }
        17 => {
            let spaces = ["", " ", "\n  ", "\t", "\r\n", "&#9;", "&#10;", "&#13;", "&#32;"];
            let (before, after) = (random.pick(&spaces), random.pick(&spaces));
            replace(xml, inside.clone(), format!("{before}{value}{after}"))
        }
        18 => {
            let Some(attribute) = root.attribute_node("PhaseID") else { return xml.to_owned() };
            let new = match random.below(6) {
                0 => "".to_owned(),
                1 => " PhaseID=\"NCTS5.1\"".to_owned(),
                2 => " PhaseID=\"NCTS6\"".to_owned(),
                3 => " PhaseID=\"  NCTS5.1&#10;\"".to_owned(),
                4 => format!(" PhaseID=\"{}\"", random.text(5)),
                _ => " PhaseID=\"\" ".to_owned(),
            };
            replace(xml, attribute.range().start - 1..attribute.range().end, &new)
        }
        19 => {
            let new = random.pick(&["urn:x", "http://ncts.dgtaxud.ec/", "HTTP://ncts.dgtaxud.ec"]);
            xml.replacen("http://ncts.dgtaxud.ec", new, 1)
        }
        20 if node != root => {
            let size = if text.len() < 300 { 4 } else { 2 };
            let times = [8, 9, 98, 1_000][random.below(size)];
            replace(xml, range.end..range.end, text.repeat(times))
        }
        21 => match node.first_child() {
            Some(first) => {
                let end = text.rfind("</").unwrap() + range.start;
                replace(xml, first.range().start..end, random.pick(&["", " ", "x"]))
            }
            None => xml.to_owned(),
        },
        22 if node != root => replace(xml, inside, text),
        23 => {
            // No longer well-formed, mostly.
            let junk = [
                "<",
                "&",
                "&nothing;",
                "&#0;",
                "&#xD800;",
                "&#xFFFE;",
                "&#x110000;",
                "]]>",
                "</a>",
                "<a>",
                "<!-- -- -->",
                "<?xml version=\"1.0\"?>",
                "\u{1}",
                "<a b=c/>",
                "<a b='<'/>",
                "<a b=\"1\" b=\"2\"/>",
                "<:a/>",
                "<a:b/>",
                "<?XML x?>",
                "<?p+q?>",
                "<a xmlns='' xmlns=''/>",
                "\u{fffe}",
                "&#;",
                "&#x;",
                "&amp",
                "<![CDATA[",
                "<!--",
                "<!-->",
                "<a\u{a0}/>",
            ];
            let at = boundary(xml, random);
            replace(xml, at..at, random.pick(&junk))
        }
        24 => {
            let start = xml.find("?>").map_or(0, |end| end + 2);
            let declaration = random.pick(&[
                "",
                "\u{feff}",
                "<?xml version='1.0'?>",
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
                "<?xml version=\"1.0\" standalone=\"no\"?>",
                "<?xml version=\"1.1\"?>",
                "<?xml version=\"2.0\"?>",
                "<?xml encoding=\"UTF-8\"?>",
                "<?xml?>",
                " <?xml version='1.0'?>",
                "<?xml version=\"1.0\" standalone=\"maybe\"?>",
                "<?xml version = '1.0' ?>",
                "<?xml version='1.0'encoding='UTF-8'?>",
                "<?xml\tversion='1.0'?>",
                "<?xml version='1.0''?>",
                "<!-- first --><?xml version='1.0'?>",
                "<?xml-stylesheet href='a'?>",
            ]);
            format!("{declaration}{}", &xml[start..])
        }
        25 if node == root || node.has_children() => {
            let new = ["CC007C", "CC015C", "CC999C", "description"];
            rename(xml, root, &format!("ncts:{}", random.pick(&new)))
        }
        _ => xml.to_owned(),
    }
}

fn replace(xml: &str, range: Range<usize>, with: impl AsRef<str>) -> String {
    let with = with.as_ref();
    format!("{}{with}{}", &xml[..range.start], &xml[range.end..])
}

/// The written name at the start of an element.
fn name(element: &str) -> &str {
    let end = element[1..].find(|c: char| c.is_whitespace() || c == '/' || c == '>').unwrap();
    &element[1..=end]
}

/// What stands between an element's tags; where it starts, when it has none.
fn inside(xml: &str, node: Node<'_, '_>) -> Range<usize> {
    let range = node.range();
    match (node.first_child(), xml[range.clone()].rfind("</")) {
        (Some(first), Some(end)) => first.range().start..range.start + end,
        (None, Some(end)) => range.start + end..range.start + end,
        _ => range.start..range.start,
    }
}

fn rename(xml: &str, node: Node<'_, '_>, new: &str) -> String {
    let range = node.range();
    let text = &xml[range.clone()];
    let old = name(text);
    let mut out = format!("<{new}{}", &text[1 + old.len()..]);
    if let Some(at) = out.rfind(&format!("</{old}")) {
        out.replace_range(at + 2..at + 2 + old.len(), new);
    }
    replace(xml, range, &out)
}

/// A place in a text that is not inside a character.
fn boundary(text: &str, random: &mut Random) -> usize {
    let mut at = random.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
