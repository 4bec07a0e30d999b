//! Schema files as they stand: parsed, their includes followed, and what is
//! wrong with them collected.

use std::collections::{BTreeSet, HashMap};

use roxmltree::{Document, Node};

use super::scan::{self, Places, Refused};
use super::{SchemaError, SchemaProblem, shown};
use crate::ncts::read::NAMESPACE;

/// The namespace of XML Schema.
pub(super) const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// The namespace of attributes that say which version of XML Schema a part is
/// for.
const VERSIONING: &str = "http://www.w3.org/2007/XMLSchema-versioning";

/// Most problems told of one folder: whoever sees a thousand needs no more.
const MAX_PROBLEMS: usize = 1_000;

/// A file, parsed.
pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    text: &'a str,
    document: Document<'a>,
}

impl<'a> Source<'a> {
    /// The element `schema`.
    pub(super) fn root(&self) -> Node<'_, 'a> {
        self.document.root_element()
    }
}

/// Problems found so far, by file and byte.
#[derive(Default)]
pub(super) struct Problems {
    found: Vec<SchemaProblem>,
    placed: Vec<(usize, usize, String)>,
}

impl Problems {
    /// A problem at a node of a file.
    pub(super) fn at(&mut self, source: usize, node: Node<'_, '_>, message: impl Into<String>) {
        self.at_byte(source, node.range().start, message);
    }

    fn at_byte(&mut self, source: usize, byte: usize, message: impl Into<String>) {
        if self.placed.len() < MAX_PROBLEMS {
            self.placed.push((source, byte, message.into()));
        }
    }

    fn whole(&mut self, file: &str, message: impl Into<String>) {
        let file = file.to_owned();
        self.found.push(SchemaProblem { file, line: 1, column: 1, message: message.into() });
    }

    /// All of them in order of file and place; an error when there are any.
    pub(super) fn settle(mut self, sources: &[Source<'_>]) -> Result<(), SchemaError> {
        self.placed.sort();
        self.placed.dedup();
        let mut last: Option<(usize, Places<'_>)> = None;
        for (index, offset, message) in self.placed {
            let Some(source) = sources.get(index) else { continue };
            let places = match &mut last {
                Some((same, places)) if *same == index => places,
                _ => &mut last.insert((index, Places::new(source.text))).1,
            };
            let (line, column) = places.at(offset);
            let file = source.path.to_owned();
            self.found.push(SchemaProblem { file, line, column, message });
        }
        self.found.sort();
        if self.found.is_empty() { Ok(()) } else { Err(SchemaError { problems: self.found }) }
    }
}

/// A path inside the folder, as seen from a file in it. None when it leads out
/// of the folder, or is no relative path with `/`.
pub(super) fn join(from: &str, path: &str) -> Option<String> {
    if path.is_empty() || path.starts_with('/') || path.contains([':', '\\']) {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Parses the files. Those that are no XML are problems and left out.
pub(super) fn parse<'a>(files: &'a [(String, String)], problems: &mut Problems) -> Vec<Source<'a>> {
    let mut sources: Vec<Source<'a>> = Vec::new();
    for (path, text) in files {
        if join("", path).as_ref() != Some(path) {
            problems.whole(path, "not a path inside the folder, written with `/`");
            continue;
        }
        if sources.iter().any(|source| source.path == path) {
            problems.whole(path, "given twice");
            continue;
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match scan::parse(text) {
            Ok((document, _)) => sources.push(Source { path, text, document }),
            Err(refused) => {
                let mut message = refused.to_string();
                let mut place = (1, 1);
                if let Refused::Encoding { line, column, .. }
                | Refused::Dtd { line, column }
                | Refused::TooMany { line, column, .. }
                | Refused::NotWellFormed { line, column, .. } = refused
                {
                    place = (line, column);
                    let prefix = format!("line {line}, column {column}: ");
                    message = message.strip_prefix(&prefix).unwrap_or(&message).to_owned();
                }
                let file = path.clone();
                problems.found.push(SchemaProblem {
                    file,
                    line: place.0,
                    column: place.1,
                    message,
                });
            }
        }
    }
    if sources.is_empty() && problems.found.is_empty() {
        problems.whole("", "there is no schema file here");
    }
    sources
}

/// Reports attributes that are not among `known`.
pub(super) fn check_attributes(
    problems: &mut Problems,
    source: usize,
    node: Node<'_, '_>,
    known: &[&str],
) {
    let element = node.tag_name().name();
    for attribute in node.attributes() {
        let name = attribute.name();
        let well = match attribute.namespace() {
            None => known.contains(&name),
            // The lowest version a part is for. libxml2, which is of version
            // 1.0, looks past it; HMRC writes 1.1, which holds for both.
            Some(VERSIONING) => {
                element == "schema"
                    && name == "minVersion"
                    && matches!(attribute.value(), "1.0" | "1.1")
            }
            Some(_) => false,
        };
        if !well {
            let value = shown(attribute.value());
            let message = format!(
                "attribute `{name}=\"{value}\"` of `{element}` is not known to this validator"
            );
            problems.at_byte(source, attribute.range().start, message);
        }
    }
}

/// The child elements with these names, in order. Annotations are passed over;
/// everything else is a problem.
pub(super) fn children<'s, 'a>(
    problems: &mut Problems,
    source: usize,
    node: Node<'s, 'a>,
    known: &[&str],
) -> Vec<Node<'s, 'a>> {
    let mut found = Vec::new();
    for child in node.children() {
        let parent = node.tag_name().name();
        if child.is_element() {
            let name = child.tag_name();
            match (name.namespace(), name.name()) {
                (Some(XSD), "annotation") => {}
                (Some(XSD), name) if known.contains(&name) => found.push(child),
                (_, name) => {
                    let name = shown(name);
                    problems.at(
                        source,
                        child,
                        format!("`{name}` inside `{parent}` is not known to this validator"),
                    );
                }
            }
        } else if let (true, Some(text)) = (child.is_text(), child.text())
            && !text.trim().is_empty()
        {
            let spaces = text.len() - text.trim_start().len();
            let message = format!("text inside `{parent}`");
            problems.at_byte(source, child.range().start + spaces, message);
        }
    }
    found
}

/// Follows the includes of every file: for each, the files it reaches, itself
/// among them.
pub(super) fn reach(sources: &[Source<'_>], problems: &mut Problems) -> Vec<BTreeSet<usize>> {
    let by_path: HashMap<&str, usize> =
        sources.iter().enumerate().map(|(index, source)| (source.path, index)).collect();
    let mut direct: Vec<Vec<usize>> = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        let mut includes = Vec::new();
        for node in source.root().children() {
            if !node.has_tag_name((XSD, "include")) {
                continue;
            }
            check_attributes(problems, index, node, &["schemaLocation"]);
            children(problems, index, node, &[]);
            let location = node.attribute("schemaLocation").unwrap_or_default();
            match join(source.path, location) {
                None => problems.at(
                    index,
                    node,
                    format!("`{}` is not a path inside the folder", shown(location)),
                ),
                Some(path) => match by_path.get(path.as_str()) {
                    Some(included) => includes.push(*included),
                    None => problems.at(
                        index,
                        node,
                        format!("there is no file `{}` that can be read", shown(&path)),
                    ),
                },
            }
        }
        direct.push(includes);
    }
    (0..sources.len())
        .map(|start| {
            let mut reached = BTreeSet::new();
            let mut next = vec![start];
            while let Some(at) = next.pop() {
                if reached.insert(at) {
                    next.extend(&direct[at]);
                }
            }
            reached
        })
        .collect()
}

/// Checks the element `schema` itself; whether local elements are in the
/// namespace by default.
pub(super) fn check_root(sources: &[Source<'_>], index: usize, problems: &mut Problems) -> bool {
    let root = sources[index].root();
    if !root.has_tag_name((XSD, "schema")) {
        problems.at(index, root, "the root element is not `schema` of XML Schema");
        return false;
    }
    let known = ["targetNamespace", "elementFormDefault", "attributeFormDefault", "version"];
    check_attributes(problems, index, root, &known);
    let target = root.attribute("targetNamespace").unwrap_or_default();
    if target != NAMESPACE {
        let message =
            format!("the target namespace is `{}` instead of `{NAMESPACE}`", shown(target));
        problems.at(index, root, message);
    }
    let form = |name| root.attribute(name).unwrap_or("unqualified");
    if form("attributeFormDefault") != "unqualified" {
        problems.at(index, root, "`attributeFormDefault` other than `unqualified` is not known");
    }
    match form("elementFormDefault") {
        "unqualified" => false,
        "qualified" => true,
        _ => {
            problems.at(index, root, "`elementFormDefault` is `qualified` or `unqualified`");
            false
        }
    }
}
