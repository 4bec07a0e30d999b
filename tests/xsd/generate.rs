//! Messages made up from HMRC's schemas: every root element, every optional
//! part now and then, values of every type. It reads the schema files itself,
//! so that a mistake of the validator's cannot hide here.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use regex::Regex;
use roxmltree::{Document, Node};

use crate::random::Random;
use crate::support::files;

const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// A made-up message, and where its values stand.
#[derive(Clone)]
pub struct Instance {
    pub xml: String,
    /// Byte range and simple type of every value.
    pub values: Vec<(Range<usize>, String)>,
}

/// What a simple type asks for, with all its bases.
#[derive(Clone, Default)]
pub struct Value {
    pub builtin: String,
    /// By step of derivation, from the type to its root: any pattern of each.
    patterns: Vec<Vec<(String, Regex)>>,
    pub enumeration: Vec<String>,
    /// Facets with a number, by name.
    pub facets: BTreeMap<String, String>,
}

#[derive(Clone)]
struct Particle {
    name: String,
    kind: String,
    min: u32,
    max: u32,
}

/// A version's schemas, as far as making up messages needs them.
pub struct Generator {
    pub roots: Vec<(String, String)>,
    complex: BTreeMap<String, Vec<Particle>>,
    pub simple: BTreeMap<String, Value>,
    pub phases: Vec<String>,
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.has_tag_name((XSD, name))
}

impl Generator {
    pub fn new(folder: &Path) -> Self {
        let files = files(folder);
        let documents: Vec<Document<'_>> =
            files.iter().map(|(_, text)| Document::parse(text).unwrap()).collect();
        let tops = || documents.iter().flat_map(|document| document.root_element().children());
        let named = |kind: &str| -> BTreeMap<String, Node<'_, '_>> {
            tops()
                .filter(|node| is(*node, kind))
                .map(|node| (node.attribute("name").unwrap().to_owned(), node))
                .collect()
        };
        let (types, groups) = (named("complexType"), named("group"));
        let simples = named("simpleType");
        let mut out = Self {
            roots: named("element")
                .into_iter()
                .filter_map(|(name, node)| Some((name, node.attribute("type")?.to_owned())))
                .collect(),
            complex: BTreeMap::new(),
            simple: BTreeMap::new(),
            phases: Vec::new(),
        };
        for (name, node) in &types {
            let content = content(*node, &types, &groups);
            out.complex.insert(name.clone(), content);
        }
        for (name, node) in &simples {
            out.simple.insert(name.clone(), value(*node, &simples));
        }
        out.phases = out.simple["phaseIDtype"].enumeration.clone();
        out
    }

    /// A message of this root element.
    pub fn instance(&self, root: &str, kind: &str, random: &mut Random) -> Instance {
        let mut out = Instance { xml: String::new(), values: Vec::new() };
        // Few messages have much: most parts are there in one out of four.
        let fullness = [10, 30, 60][random.below(3)];
        let phase = random.pick(&self.phases).trim().to_owned();
        write!(
            out.xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ncts:{root} \
             xmlns:ncts=\"http://ncts.dgtaxud.ec\" PhaseID=\"{phase}\">\n"
        )
        .unwrap();
        self.content(kind, 1, fullness, random, &mut out);
        writeln!(out.xml, "</ncts:{root}>").unwrap();
        out
    }

    fn content(
        &self,
        kind: &str,
        depth: usize,
        fullness: usize,
        random: &mut Random,
        out: &mut Instance,
    ) {
        for particle in &self.complex[kind] {
            let there = particle.min > 0 || random.below(100) < fullness && out.xml.len() < 30_000;
            let times = match (there, particle.max) {
                (false, _) => 0,
                (true, 1) => 1,
                (true, max) => 1 + random.below(3.min(max as usize)),
            };
            for _ in 0..times {
                let indent = " ".repeat(2 * depth);
                let name = &particle.name;
                if self.complex.contains_key(&particle.kind) {
                    writeln!(out.xml, "{indent}<{name}>").unwrap();
                    self.content(&particle.kind, depth + 1, fullness, random, out);
                    writeln!(out.xml, "{indent}</{name}>").unwrap();
                } else {
                    write!(out.xml, "{indent}<{name}>").unwrap();
                    let start = out.xml.len();
                    let value = self.simple[&particle.kind].good(random);
                    out.xml.push_str(&escape(&value));
                    out.values.push((start..out.xml.len(), particle.kind.clone()));
                    writeln!(out.xml, "</{name}>").unwrap();
                }
            }
        }
    }
}

pub fn escape(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}

fn content(
    node: Node<'_, '_>,
    types: &BTreeMap<String, Node<'_, '_>>,
    groups: &BTreeMap<String, Node<'_, '_>>,
) -> Vec<Particle> {
    let mut out = Vec::new();
    for part in node.descendants() {
        if is(part, "extension") {
            out.extend(content(types[part.attribute("base").unwrap()], types, groups));
        } else if is(part, "group") && part.has_attribute("ref") {
            out.extend(content(groups[part.attribute("ref").unwrap()], types, groups));
        } else if is(part, "element") {
            let number = |name| part.attribute(name).map_or(1, |text| text.parse().unwrap());
            out.push(Particle {
                name: part.attribute("name").unwrap().to_owned(),
                kind: part.attribute("type").unwrap().to_owned(),
                min: number("minOccurs"),
                max: number("maxOccurs"),
            });
        }
    }
    out
}

fn value(node: Node<'_, '_>, simples: &BTreeMap<String, Node<'_, '_>>) -> Value {
    let restriction = node.children().find(|child| is(*child, "restriction")).unwrap();
    let base = restriction.attribute("base").unwrap();
    let mut out = match base.strip_prefix("xs:") {
        Some(builtin) => Value { builtin: builtin.to_owned(), ..Value::default() },
        None => value(simples[base], simples),
    };
    let mut patterns = Vec::new();
    let mut enumeration = Vec::new();
    for facet in restriction.children().filter(|child| child.has_attribute("value")) {
        let text = facet.attribute("value").unwrap().to_owned();
        match facet.tag_name().name() {
            "pattern" => {
                let plain = text.replace("\\p{IsBasicLatin}", "[\\x00-\\x7f]").replace('.', "\x00");
                // A `.` inside brackets or behind `\` is itself.
                let plain = plain.replace("\\\x00", "\\.").replace('\x00', "[^\\r\\n]");
                patterns.push((text, Regex::new(&format!("^(?:{plain})$")).unwrap()));
            }
            "enumeration" => enumeration.push(text),
            name => {
                out.facets.insert(name.to_owned(), text);
            }
        }
    }
    if !patterns.is_empty() {
        out.patterns.insert(0, patterns);
    }
    if !enumeration.is_empty() {
        out.enumeration = enumeration;
    }
    out
}

impl Value {
    fn number(&self, name: &str) -> Option<usize> {
        self.facets.get(name)?.parse().ok()
    }

    /// A value that is meant to be valid; now and then none is found.
    pub fn good(&self, random: &mut Random) -> String {
        let mut last = String::new();
        for _ in 0..60 {
            last = self.attempt(random);
            let length = last.chars().count();
            let fits = self.number("length").is_none_or(|limit| length == limit)
                && self.number("minLength").is_none_or(|limit| length >= limit)
                && self.number("maxLength").is_none_or(|limit| length <= limit)
                && self.patterns.iter().all(|step| step.iter().any(|(_, re)| re.is_match(&last)));
            if fits {
                break;
            }
        }
        last
    }

    fn attempt(&self, random: &mut Random) -> String {
        if !self.enumeration.is_empty() {
            return random.pick(&self.enumeration).trim().to_owned();
        }
        let day = || "2026-11-21".to_owned();
        match self.builtin.as_str() {
            "date" => return day(),
            "dateTime" => return day() + "T09:30:00",
            "integer" => {
                let limit = |name| self.facets.get(name).and_then(|text| text.parse::<i64>().ok());
                let (low, high) =
                    (limit("minInclusive").unwrap_or(0), limit("maxInclusive").unwrap_or(99));
                return (low + random.below((high - low + 1) as usize) as i64).to_string();
            }
            "decimal" => return format!("{}.{}", 1 + random.below(99), 1 + random.below(9)),
            _ => {}
        }
        if random.below(3) == 0 || self.patterns.is_empty() {
            let length = 1 + random.below(self.number("maxLength").unwrap_or(20).max(1));
            return random.text(length);
        }
        let step = random.pick(&self.patterns);
        let (pattern, _) = random.pick(step);
        random.matching(pattern)
    }

    /// Values at the bounds of every facet, on either side of them.
    pub fn bounds(&self, random: &mut Random) -> Vec<String> {
        let mut out: Vec<String> = vec![String::new(), " ".to_owned()];
        for name in ["length", "minLength", "maxLength"] {
            if let Some(limit) = self.number(name) {
                for length in [limit.saturating_sub(1), limit, limit + 1] {
                    out.extend([random.text(length), "é".repeat(length), "7".repeat(length)]);
                }
            }
        }
        for one in &self.enumeration {
            out.extend([one.clone(), format!(" {one}\n"), one.to_lowercase(), format!("{one}x")]);
        }
        for step in self.patterns.clone() {
            for (pattern, _) in step {
                let good = random.matching(&pattern);
                let at = random.below(good.chars().count() + 1);
                let (left, right): (String, String) =
                    (good.chars().take(at).collect(), good.chars().skip(at).collect());
                let cut: String = right.chars().skip(1).collect();
                let odd = random.odd();
                out.extend([
                    good.clone(),
                    format!("{left}{cut}"),
                    format!("{left}{odd}{right}"),
                    format!("{left}{odd}{cut}"),
                    good.repeat(2),
                    format!(" {good} "),
                ]);
            }
            for _ in 0..4 {
                out.push(self.good(random));
            }
        }
        for (name, text) in &self.facets {
            if let Ok(limit) = text.parse::<i64>() {
                match name.as_str() {
                    "minInclusive" | "maxInclusive" => {
                        out.extend((limit - 1..=limit + 1).map(|n| n.to_string()));
                        out.extend([
                            format!("{limit}.0"),
                            format!("0{limit}"),
                            format!("+{limit}"),
                        ]);
                    }
                    "totalDigits" | "fractionDigits" => {
                        for digits in (limit - 1).max(1)..=limit + 1 {
                            let nines = "9".repeat(digits as usize);
                            let zeros = "0".repeat(digits as usize);
                            out.extend([
                                nines.clone(),
                                format!("1.{nines}"),
                                format!("0.{nines}"),
                                format!("{nines}.{zeros}"),
                                format!("{nines}.5"),
                                format!("0.{zeros}"),
                                format!("0.{zeros}1"),
                                format!("{zeros}1"),
                            ]);
                        }
                    }
                    _ => {}
                }
            }
        }
        match self.builtin.as_str() {
            "date" | "dateTime" => {
                out.extend(DATES.iter().map(|text| (*text).to_owned()));
                for date in DATES.iter().filter(|text| text.len() == 10) {
                    out.extend(TIMES.iter().map(|time| format!("{date}{time}")));
                }
            }
            "integer" | "decimal" => out.extend(NUMBERS.iter().map(|text| (*text).to_owned())),
            _ => {}
        }
        out
    }
}

pub const DATES: &[&str] = &[
    "2026-02-28",
    "2026-02-29",
    "2024-02-29",
    "1900-02-29",
    "2000-02-29",
    "2026-04-31",
    "2026-00-10",
    "2026-13-10",
    "2026-12-00",
    "2026-12-32",
    "0000-01-01",
    "9999-12-31",
    "-2026-01-01",
    "26-01-01",
    "12026-01-01",
    "02026-01-01",
    "2026-1-1",
    "2026/01/01",
    "20260101",
    "2026-01-01Z",
    "2026-01-01+01:00",
    "2026-01-01-14:00",
    "2026-01-01+14:01",
    " 2026-01-01",
    "2026-01-01 ",
    "2026-01-01T",
    "٢٠٢٦-01-01",
];

pub const TIMES: &[&str] = &[
    "T00:00:00",
    "T23:59:59",
    "T24:00:00",
    "T24:00:01",
    "T25:00:00",
    "T23:60:00",
    "T23:59:60",
    "T9:30:00",
    "T09:30",
    "T09:30:00Z",
    "T09:30:00.5",
    "T09:30:00.",
    "T24:00:00.0",
    "t09:30:00",
    " 09:30:00",
    "T09:30:00+00:00",
    "T09:30:00-14:00",
    "T09:30:00+14:30",
    "T09:30:00z",
];

pub const NUMBERS: &[&str] = &[
    "0",
    "00",
    "-0",
    "+0",
    "1",
    "-1",
    "+1",
    "01",
    "1.",
    ".1",
    ".",
    "-",
    "+",
    "1.0",
    "0.0",
    "0.00",
    "1.50",
    "1e3",
    "1,5",
    "1 0",
    " 1",
    "1\n",
    "0x1",
    "INF",
    "NaN",
    "٣",
    "1.5.0",
    "--1",
    "1-",
    "123456789012345678901234",
    "1234567890123456789012345",
    "0.000000000000000000000001",
    "1234567890123456",
    "12345678901234567",
    "0.1234567",
    "99999999999999.99",
    "0.01",
    "0.001",
];
