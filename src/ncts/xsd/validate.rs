//! Walking a document along its schema.

use std::collections::HashMap;

use roxmltree::{Attribute, Document, Node, NodeId};

use super::content::{Child, Fault, judge};
use super::model::{ComplexType, Type};
use super::scan::{self, Places, Refused, Scanned};
use super::value::{self, is_space};
use super::{MAX_VIOLATIONS, Schemas, Violation, ViolationKind, shown};
use crate::ncts::read::NAMESPACE;

/// The namespace of `xsi:type` and its like.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

pub(super) fn validate(schemas: &Schemas, xml: &str) -> Result<Vec<Violation>, Refused> {
    let xml = xml.strip_prefix('\u{feff}').unwrap_or(xml);
    let (document, scanned) = scan::parse(xml)?;
    let mut walk =
        Walk { schemas, xml, scanned, found: Vec::new(), positions: Positions::default() };
    walk.root(&document);
    Ok(walk.finish())
}

/// A violation before its byte has become a line.
struct Found {
    at: usize,
    path: String,
    kind: ViolationKind,
    message: String,
}

struct Walk<'s, 'x> {
    schemas: &'s Schemas,
    xml: &'x str,
    scanned: Scanned,
    found: Vec<Found>,
    positions: Positions,
}

impl<'s, 'x> Walk<'s, 'x> {
    fn finish(mut self) -> Vec<Violation> {
        self.found.sort_by_key(|found| found.at);
        let mut places = Places::new(self.xml);
        self.found
            .into_iter()
            .map(|Found { at, path, kind, message }| {
                let (line, column) = places.at(at);
                Violation { path, line, column, kind, message }
            })
            .collect()
    }

    fn full(&self) -> bool {
        self.found.len() >= MAX_VIOLATIONS
    }

    fn report(&mut self, at: usize, path: String, kind: ViolationKind, message: String) {
        if !self.full() {
            self.found.push(Found { at, path, kind, message });
        }
    }

    fn report_node(&mut self, node: Node<'_, 'x>, kind: ViolationKind, message: String) {
        if !self.full() {
            let path = self.positions.path(node);
            self.report(node.range().start, path, kind, message);
        }
    }

    fn report_attribute(
        &mut self,
        node: Node<'_, 'x>,
        attribute: Attribute<'_, 'x>,
        kind: ViolationKind,
        message: String,
    ) {
        if !self.full() {
            let path = format!("{}/@{}", self.positions.path(node), shown(attribute.name()));
            self.report(attribute.range().start, path, kind, message);
        }
    }

    fn root(&mut self, document: &Document<'x>) {
        let node = document.root_element();
        let name = node.tag_name();
        let known = self.schemas.elements.get(name.name()).copied();
        match known {
            Some(kind) if name.namespace() == Some(NAMESPACE) => self.element(node, kind, None),
            Some(_) => {
                let message = format!(
                    "the root element `{}` is in {}; it must be in namespace `{NAMESPACE}`",
                    shown(name.name()),
                    namespace(node)
                );
                self.report_node(node, ViolationKind::UnknownRoot, message);
            }
            None => {
                let message = format!(
                    "the root element `{}` is no message of these schemas",
                    shown(name.name())
                );
                self.report_node(node, ViolationKind::UnknownRoot, message);
            }
        }
    }

    /// Judges an element of a known type. The scan bounds how deep this goes.
    /// Elements below it may be in the namespace `told`, which is wrong and
    /// has been told.
    fn element<'d>(&mut self, node: Node<'d, 'x>, declared: Type, told: Option<&'d str>) {
        if self.full() {
            return;
        }
        let kind = self.actual_type(node, declared);
        match kind {
            Type::Simple(simple) => {
                self.attributes(node, None);
                self.simple_element(node, simple);
            }
            Type::Complex(index) => {
                let schemas = self.schemas;
                let Some(complex) = schemas.complex.get(index) else { return };
                self.attributes(node, Some(complex));
                self.text(node, complex);
                self.children(node, complex, told);
            }
        }
    }

    /// The declared type, or the derived one that `xsi:type` names.
    fn actual_type(&mut self, node: Node<'_, 'x>, declared: Type) -> Type {
        let Some(attribute) = node.attribute_node((XSI, "type")) else { return declared };
        // As it stands: libxml2 takes no white space around the name.
        let text = attribute.value();
        let (prefix, name) = match text.split_once(':') {
            Some((prefix, name)) => (Some(prefix), name),
            None => (None, text),
        };
        let named = (node.lookup_namespace_uri(prefix) == Some(NAMESPACE))
            .then(|| self.schemas.types.get(name).copied())
            .flatten();
        if let Some(named) = named
            && self.derives(named, declared)
        {
            return named;
        }
        let message =
            format!("`xsi:type` names `{}`, which is not derived from this type", shown(text));
        self.report_attribute(node, attribute, ViolationKind::Attribute, message);
        declared
    }

    fn derives(&self, named: Type, declared: Type) -> bool {
        let base = |kind: &Type| match *kind {
            Type::Simple(index) => {
                self.schemas.simple.get(index).and_then(|one| one.base).map(Type::Simple)
            }
            Type::Complex(index) => {
                self.schemas.complex.get(index).and_then(|one| one.base).map(Type::Complex)
            }
        };
        std::iter::successors(Some(named), base).any(|kind| kind == declared)
    }

    fn attributes(&mut self, node: Node<'_, 'x>, complex: Option<&'s ComplexType>) {
        let uses = complex.map(|complex| &complex.attributes[..]).unwrap_or_default();
        for attribute in node.attributes() {
            let name = attribute.name();
            match attribute.namespace() {
                Some(XSI) => match name {
                    // Where a schema can be found; and judged above.
                    "schemaLocation" | "noNamespaceSchemaLocation" | "type" => continue,
                    "nil" => {
                        let message = "`xsi:nil` is not allowed: no element may be nil";
                        let kind = ViolationKind::Attribute;
                        self.report_attribute(node, attribute, kind, message.to_owned());
                        continue;
                    }
                    _ => {}
                },
                None => {
                    if let Some(known) = uses.iter().find(|known| known.name == name) {
                        let simple = &self.schemas.simple;
                        if let Some((kind, words)) =
                            value::fault(simple, known.simple, attribute.value())
                        {
                            self.report_attribute(node, attribute, kind, words);
                        }
                        continue;
                    }
                }
                Some(_) => {}
            }
            let allowed: Vec<String> =
                uses.iter().map(|known| format!("`{}`", shown(&known.name))).collect();
            let allowed = match (&allowed[..], attribute.namespace()) {
                ([], _) => "the element takes no attributes".to_owned(),
                (_, None) => format!("the element takes {}", allowed.join(", ")),
                (_, Some(_)) => format!("the element takes {}, without prefix", allowed.join(", ")),
            };
            let message = format!("attribute `{}` is not allowed: {allowed}", shown(name));
            self.report_attribute(node, attribute, ViolationKind::Attribute, message);
        }
        for known in uses.iter().filter(|known| known.required) {
            if node.attribute(known.name.as_str()).is_none() {
                let path = format!("{}/@{}", self.positions.path(node), shown(&known.name));
                let message = format!("attribute `{}` is missing", shown(&known.name));
                self.report(node.range().start, path, ViolationKind::Attribute, message);
            }
        }
    }

    fn simple_element(&mut self, node: Node<'_, 'x>, simple: usize) {
        let mut text = String::new();
        let mut borrowed = None;
        for child in node.children() {
            if child.is_element() {
                let message = format!(
                    "element `{}` is not allowed here: `{}` holds a value",
                    shown(child.tag_name().name()),
                    shown(node.tag_name().name())
                );
                return self.report_node(child, ViolationKind::UnexpectedElement, message);
            }
            // A comment cuts a value in two; nearly none is.
            if let (true, Some(part)) = (child.is_text(), child.text()) {
                match borrowed.replace(part) {
                    None => {}
                    Some(first) => {
                        if text.is_empty() {
                            text.push_str(first);
                        }
                        text.push_str(part);
                    }
                }
            }
        }
        let value = if text.is_empty() { borrowed.unwrap_or_default() } else { &text };
        if let Some((kind, words)) = value::fault(&self.schemas.simple, simple, value) {
            self.report_node(node, kind, words);
        }
    }

    /// Text between elements: white space alone, and none in an element that
    /// is to be empty.
    fn text(&mut self, node: Node<'_, 'x>, complex: &ComplexType) {
        let empty = complex.content.is_empty();
        for child in node.children().filter(Node::is_text) {
            if self.full() {
                return;
            }
            let text = child.text().unwrap_or_default();
            // White space in a CDATA section is text to libxml2.
            if !empty && text.chars().all(is_space) && !self.is_cdata(child) {
                continue;
            }
            let name = shown(node.tag_name().name());
            let message = if empty {
                format!("`{name}` must be empty, without any text")
            } else {
                let text = shown(text.trim_matches(is_space));
                format!("text `{text}` is not allowed: `{name}` holds elements alone")
            };
            let spaces = text.len() - text.trim_start_matches(is_space).len();
            let written = self.xml.get(child.range()).unwrap_or_default();
            // The place of the text itself, where it is written as it reads.
            let skip = if written == text && spaces < text.len() { spaces } else { 0 };
            let path = self.positions.path(node);
            let at = child.range().start + skip;
            self.report(at, path, ViolationKind::UnexpectedText, message);
        }
    }

    /// Whether a text node has a CDATA section in it. The tree joins them.
    fn is_cdata(&self, text: Node<'_, 'x>) -> bool {
        if !self.scanned.cdata {
            return false;
        }
        let end = match (text.next_sibling(), text.parent()) {
            (Some(next), _) => next.range().start,
            (None, Some(parent)) => parent.range().end,
            (None, None) => text.range().end,
        };
        let written = self.xml.get(text.range().start..end).unwrap_or_default();
        written.contains("<![CDATA[")
    }

    fn children<'d>(
        &mut self,
        node: Node<'d, 'x>,
        complex: &'s ComplexType,
        mut told: Option<&'d str>,
    ) {
        let mut nodes = Vec::new();
        let mut children = Vec::new();
        let mut next = 0;
        for child in node.children().filter(Node::is_element) {
            let name = child.tag_name().name();
            // Children mostly come in the schema's order.
            let ahead = complex.content.iter().skip(next).position(|one| one.name == name);
            let particle = match ahead {
                Some(ahead) => Some(next + ahead),
                None => complex.content.iter().position(|one| one.name == name),
            };
            next = particle.unwrap_or(next);
            nodes.push(child);
            children.push(Child { name, particle });
        }
        for fault in judge(&complex.content, &children) {
            let (at, kind, message) = match fault {
                Fault::Child { child, kind, message } => (nodes.get(child), kind, message),
                Fault::Missing { before, name, message } => {
                    if self.full() {
                        return;
                    }
                    let path = format!("{}/{}", self.positions.path(node), shown(name));
                    let at = before.and_then(|child| nodes.get(child));
                    let at = at.map_or_else(|| self.end_of(node), |child| child.range().start);
                    self.report(at, path, ViolationKind::MissingElement, message);
                    continue;
                }
            };
            if let Some(at) = at {
                self.report_node(*at, kind, message);
            }
        }
        for (child, Child { particle, .. }) in nodes.into_iter().zip(children) {
            let Some(particle) = particle.and_then(|index| complex.content.get(index)) else {
                continue;
            };
            let wanted = if particle.qualified { NAMESPACE } else { "" };
            let actual = child.tag_name().namespace().unwrap_or_default();
            if actual != wanted && told != Some(actual) {
                let wanted = if particle.qualified {
                    format!("in namespace `{NAMESPACE}`")
                } else {
                    "in none: only the root element has a prefix".to_owned()
                };
                let name = shown(child.tag_name().name());
                let message =
                    format!("element `{name}` is in {}; it must be {wanted}", namespace(child));
                self.report_node(child, ViolationKind::Namespace, message);
                // Those beside and below it are most likely in it too, by one
                // mistake further up.
                told = Some(actual);
            }
            self.element(child, particle.kind, told);
        }
    }

    /// Where an element's end tag starts, or the element when it has none.
    fn end_of(&self, node: Node<'_, 'x>) -> usize {
        let range = node.range();
        let written = self.xml.get(range.clone()).unwrap_or_default();
        match written.rfind("</") {
            Some(at) if !written.ends_with("/>") => range.start + at,
            _ => range.start,
        }
    }
}

fn namespace(node: Node<'_, '_>) -> String {
    match node.tag_name().namespace() {
        None | Some("") => "no namespace".to_owned(),
        Some(uri) => format!("namespace `{}`", shown(uri)),
    }
}

/// Positions of elements among those of their name, worked out once for each
/// parent that has something wrong below it.
#[derive(Default)]
struct Positions {
    /// None: the only one of its name.
    known: HashMap<NodeId, Option<usize>>,
}

impl Positions {
    fn path(&mut self, node: Node<'_, '_>) -> String {
        let mut parts: Vec<String> = node
            .ancestors()
            .filter(Node::is_element)
            .map(|node| {
                let name = shown(node.tag_name().name());
                match self.position(node) {
                    Some(position) => format!("/{name}[{position}]"),
                    None => format!("/{name}"),
                }
            })
            .collect();
        parts.reverse();
        parts.concat()
    }

    fn position(&mut self, node: Node<'_, '_>) -> Option<usize> {
        if let Some(known) = self.known.get(&node.id()) {
            return *known;
        }
        let siblings = || node.parent().into_iter().flat_map(|parent| parent.children());
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let mut last = Vec::new();
        for sibling in siblings().filter(Node::is_element) {
            let count = counts.entry(sibling.tag_name().name()).or_default();
            *count += 1;
            last.push((sibling, *count));
        }
        for (sibling, position) in last {
            let alone = counts.get(sibling.tag_name().name()) == Some(&1);
            self.known.insert(sibling.id(), (!alone).then_some(position));
        }
        self.known.get(&node.id()).copied().flatten()
    }
}
