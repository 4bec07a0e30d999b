//! What must hold of every page, whatever is on it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctc_ready::digest::Digest;
use roxmltree::{Document, Node, ParsingOptions};

/// The page as a tree: its markup is XML too.
pub(crate) fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, nodes_limit: 10_000_000, ..Default::default() };
    Document::parse_with_options(page, options).unwrap()
}

pub(crate) fn elements<'a>(
    document: &'a Document<'a>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'a>> {
    document.descendants().filter(move |node| node.has_tag_name_in(name))
}

trait Named {
    fn has_tag_name_in(&self, name: &str) -> bool;
}

impl Named for Node<'_, '_> {
    /// Whatever its namespace: HTML or SVG.
    fn has_tag_name_in(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

/// Elements that the templates use; a hostile body can add none.
const ELEMENTS: &[&str] = &[
    "a",
    "body",
    "circle",
    "code",
    "dd",
    "defs",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "g",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "head",
    "header",
    "html",
    "img",
    "li",
    "line",
    "main",
    "mark",
    "meta",
    "nav",
    "ol",
    "p",
    "path",
    "pattern",
    "pre",
    "rect",
    "script",
    "section",
    "span",
    "strong",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
    "use",
];

/// Elements that may not stand in a `p`, `summary`, `span` or heading: an HTML
/// parser would close those first, and the tree would be another.
const BLOCKS: &[&str] = &[
    "details", "div", "dl", "figure", "footer", "header", "main", "nav", "ol", "p", "pre",
    "section", "table", "ul",
];

/// Checks everything that must hold of every page.
pub(crate) fn check(page: &str) {
    let document = parse(page);
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en-GB\""));
    markup(&document);
    links(&document);
    policy(&document);
    headings(&document);
    tables(&document);
    bodies(&document);
    assert!(!page.contains('\0') && !page.contains('\r'));
    assert!(page.chars().all(|c| !('\u{202a}'..='\u{202e}').contains(&c)));
}

fn markup(document: &Document<'_>) {
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        assert!(ELEMENTS.contains(&name), "<{name}>");
        for attribute in node.attributes() {
            let attribute = attribute.name();
            assert!(!attribute.starts_with("on") && attribute != "style", "{name} {attribute}");
        }
        if ["p", "span", "h1", "h2", "h3", "h4", "h5", "code", "strong", "a"].contains(&name) {
            let block = node
                .descendants()
                .skip(1)
                .find(|inside| BLOCKS.contains(&inside.tag_name().name()));
            assert!(block.is_none(), "{:?} in <{name}>", block.map(|block| block.tag_name()));
        }
        let parents: &[&str] = match name {
            "li" => &["ul", "ol"],
            "dt" | "dd" => &["div"],
            "tr" => &["thead", "tbody"],
            "td" | "th" => &["tr"],
            "summary" => &["details"],
            _ => continue,
        };
        let parent = node.parent().unwrap().tag_name().name().to_owned();
        assert!(parents.contains(&parent.as_str()), "<{name}> in <{parent}>");
    }
    assert_eq!(elements(document, "script").count(), 1);
    assert_eq!(elements(document, "style").count(), 1);
    assert_eq!(elements(document, "main").count(), 1);
    assert!(elements(document, "img").all(|image| image.attribute("alt").is_some()));
}

fn links(document: &Document<'_>) {
    let mut ids = BTreeSet::new();
    for id in document.descendants().filter_map(|node| node.attribute("id")) {
        assert!(ids.insert(id), "two of `{id}`");
        assert!(!id.contains(char::is_whitespace), "`{id}`");
    }
    for node in document.descendants().filter(Node::is_element) {
        for name in ["href", "src", "action", "data", "srcset", "poster"] {
            let Some(target) = node.attribute(name) else { continue };
            match target.split_once('#') {
                Some(("", id)) => assert!(ids.contains(id), "`{target}` leads nowhere"),
                _ => assert!(target.starts_with("data:"), "`{target}` is outside the page"),
            }
        }
        for name in ["aria-labelledby", "aria-describedby"] {
            let Some(id) = node.attribute(name) else { continue };
            assert!(ids.contains(id), "{name} `{id}`");
        }
    }
    let style = elements(document, "style").next().unwrap().text().unwrap();
    assert!(!style.contains("@import") && !style.contains("://"));
    assert_eq!(style.matches("url(").count(), style.matches("url(#").count());
}

fn policy(document: &Document<'_>) {
    let policy = elements(document, "meta")
        .find(|meta| meta.attribute("http-equiv") == Some("Content-Security-Policy"))
        .and_then(|meta| meta.attribute("content"))
        .unwrap();
    let hash = |name| {
        let text = elements(document, name).next().unwrap().text().unwrap();
        format!("'sha256-{}'", STANDARD.encode(Digest::of(text.as_bytes()).as_bytes()))
    };
    let rules: BTreeMap<&str, &str> =
        policy.split("; ").map(|rule| rule.split_once(' ').unwrap()).collect();
    assert_eq!(rules["default-src"], "'none'");
    assert_eq!(rules["style-src"], hash("style"));
    assert_eq!(rules["script-src"], hash("script"));
    assert_eq!(rules["img-src"], "data:");
    assert_eq!(rules.len(), 6);
}

fn headings(document: &Document<'_>) {
    let mut last = 0;
    for node in document.descendants().filter(Node::is_element) {
        let Some(level) = node.tag_name().name().strip_prefix('h').and_then(|n| n.parse().ok())
        else {
            continue;
        };
        assert!(level <= last + 1, "h{last} is followed by h{level}");
        last = level;
    }
    assert_eq!(elements(document, "h1").count(), 1);
}

fn tables(document: &Document<'_>) {
    for cell in elements(document, "th") {
        assert!(matches!(cell.attribute("scope"), Some("col" | "row")));
    }
    for row in elements(document, "table").flat_map(|table| table.descendants()) {
        if row.has_tag_name_in("tbody") {
            assert!(row.children().any(|row| row.is_element()), "a table without rows");
        }
    }
}

/// Every body that is there to the byte has the digest that is told.
fn bodies(document: &Document<'_>) {
    for link in elements(document, "a").filter(|link| link.attribute("download").is_some()) {
        let data = link.attribute("href").unwrap();
        let data = data.strip_prefix("data:application/octet-stream;base64,").unwrap();
        let digest = Digest::of(&STANDARD.decode(data).unwrap()).to_string();
        let place = link.ancestors().find_map(|node| node.attribute("id")).unwrap();
        assert_eq!(place, format!("o-{digest}"));
        assert!(link.attribute("download").unwrap().starts_with(&digest[..16]));
    }
}

/// The page's words: a line for every piece that stands on its own.
pub(crate) fn words(page: &str) -> String {
    let document = parse(page);
    let mut out = String::new();
    let body = elements(&document, "body").next().unwrap();
    say(body, &mut out);
    let lines = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn say(node: Node<'_, '_>, out: &mut String) {
    if let Some(text) = node.text().filter(|_| node.is_text()) {
        out.push_str(text);
        return;
    }
    let name = node.tag_name().name();
    if ["script", "svg"].contains(&name) {
        return;
    }
    let inline = ["a", "code", "mark", "span", "strong", "time"].contains(&name);
    out.push_str(match name {
        _ if inline => "",
        "h1" | "h2" | "h3" | "h4" | "h5" => "\n# ",
        "td" | "th" => " | ",
        "dd" => ": ",
        _ => "\n",
    });
    node.children().for_each(|child| say(child, out));
    if !inline && !["td", "th", "dt"].contains(&name) {
        out.push('\n');
    }
}
