//! Messages sent as JSON: one key, `n1:CC015C`, with the elements of the XML
//! below it. They are checked for what JSON can get wrong, written as XML, and
//! then checked as if they had come so.

use std::collections::HashMap;
use std::sync::LazyLock;

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

use super::check::check;
use super::http_errors::{HttpError, JsonViolation};
use super::movement::Submitted;
use super::options::ApiVersion;
use super::outside::Outside;
use super::words::{NUMBERS, ORDER, REPEATED, SINGLE};
use crate::ncts::build::escape;
use crate::ncts::read::{self, NAMESPACE};
use crate::ncts::{Direction, MessageType, MovementKind};

/// Most violations reported.
const VIOLATIONS: usize = 50;

/// Reading a name's place in a list of a hundred for each of a million
/// elements would take long.
static PLACES: LazyLock<HashMap<&str, usize>> =
    LazyLock::new(|| ORDER.iter().zip(0..).map(|(name, place)| (*name, place)).collect());

/// Checks a message in JSON sent to open a movement of a kind (`opening`), or
/// to be added to one.
///
/// # Errors
/// What the API answers.
pub(super) fn check_json(
    body: &[u8],
    kind: MovementKind,
    opening: bool,
    version: ApiVersion,
    outside: &mut Outside,
) -> Result<Submitted, HttpError> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| HttpError::bad_request(format!("The JSON cannot be read: {error}")))?;
    let message = message_type(&value, kind, opening)?;
    let key = format!("n1:{}", message.root());
    let mut writer = Writer { message, xml: String::new(), path: Vec::new(), found: Vec::new() };
    writer.root(&value, &key);
    if !writer.found.is_empty() {
        writer.found.truncate(VIOLATIONS);
        return Err(HttpError::json_schema(writer.found));
    }
    let xml = writer.xml;
    check(xml.as_bytes(), kind, opening, version, outside).map_err(|error| {
        let document = read::parse(&xml).ok();
        error.of_json(|line| document.as_ref().map(|document| located(document, &xml, line)))
    })
}

/// Which message it is. Any prefix will do to tell it.
fn message_type(
    value: &Value,
    kind: MovementKind,
    opening: bool,
) -> Result<MessageType, HttpError> {
    if opening {
        return Ok(match kind {
            MovementKind::Departure => MessageType::Ie015,
            MovementKind::Arrival => MessageType::Ie007,
        });
    }
    let root = value
        .as_object()
        .and_then(|fields| fields.keys().find_map(|key| Some(key.split_once(':')?.1)))
        .ok_or_else(|| HttpError::bad_request("Input was malformed"))?;
    MessageType::from_root(root)
        .filter(|message| {
            message.movement() == kind
                && message.direction() == Direction::Sent
                && !message.opens_movement()
        })
        .ok_or_else(|| {
            let shown: String = root.chars().take(80).collect();
            HttpError::bad_request(format!("{shown} is not a valid message type"))
        })
}

/// A step from the top of a JSON document: a name, and a number in a list.
type Step = (String, Option<usize>);

fn json_path(path: &[Step]) -> String {
    path.iter().fold("$".to_owned(), |mut text, (name, nth)| {
        text.push('.');
        text.push_str(name);
        if let Some(nth) = nth {
            text.push_str(&format!("[{nth}]"));
        }
        text
    })
}

fn schema_path(path: &[Step]) -> String {
    path.iter().fold("#".to_owned(), |mut text, (name, nth)| {
        text.push_str("/properties/");
        text.push_str(name);
        if nth.is_some() {
            text.push_str("/items");
        }
        text
    })
}

/// The element that begins on a line, as a path in the JSON. Each element
/// begins on a line of its own.
fn located(document: &Document<'_>, xml: &str, line: u32) -> (String, String) {
    let before = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let start = match before.checked_sub(1) {
        None => 0,
        Some(nth) => xml.match_indices('\n').nth(nth).map_or(0, |(at, _)| at + 1),
    };
    let mut at = document.root_element();
    let mut path = vec![(format!("n1:{}", at.tag_name().name()), None)];
    while at.range().start != start {
        let child = at.children().filter(Node::is_element).find(|one| one.range().contains(&start));
        let Some(child) = child else { break };
        let name = child.tag_name().name();
        let nth = REPEATED.contains(&name).then(|| {
            let before = child.prev_siblings().filter(|one| one.has_tag_name(name));
            before.count().saturating_sub(1)
        });
        path.push((name.to_owned(), nth));
        at = child;
    }
    (schema_path(&path), json_path(&path))
}

/// Writes XML, an element a line, and notes what is wrong with the JSON.
struct Writer {
    message: MessageType,
    xml: String,
    path: Vec<Step>,
    found: Vec<JsonViolation>,
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Writer {
    fn violation(&mut self, rule: &str, message: impl AsRef<str>) {
        // Beyond what is reported nothing is worth the memory.
        if self.found.len() <= VIOLATIONS {
            self.found.push(JsonViolation {
                schema_path: format!("{}/{rule}", schema_path(&self.path)),
                message: format!("{}: {}", json_path(&self.path), message.as_ref()),
            });
        }
    }

    fn wrong_type(&mut self, value: &Value, expected: &str) {
        self.violation("type", format!("{} found, {expected} expected", kind_of(value)));
    }

    fn unknown(&mut self, name: &str) {
        let name: String = name.chars().take(80).collect();
        let message = format!("property '{name}' is not defined in the schema");
        self.violation("additionalProperties", message);
    }

    fn root(&mut self, value: &Value, key: &str) {
        let Value::Object(fields) = value else { return self.wrong_type(value, "object") };
        for name in fields.keys().filter(|name| *name != key) {
            self.unknown(name);
        }
        let Some(inside) = fields.get(key) else {
            return self.violation("required", format!("required property '{key}' not found"));
        };
        self.path.push((key.to_owned(), None));
        let Value::Object(inside) = inside else { return self.wrong_type(inside, "object") };
        let phase = match inside.get("@PhaseID") {
            None => String::new(),
            Some(Value::String(phase)) => format!(" PhaseID=\"{}\"", self.escaped(phase)),
            Some(other) => {
                self.path.push(("@PhaseID".to_owned(), None));
                self.wrong_type(other, "string");
                self.path.pop();
                String::new()
            }
        };
        let root = self.message.root();
        self.xml.push_str(&format!("<ncts:{root} xmlns:ncts=\"{NAMESPACE}\"{phase}>\n"));
        self.children(inside);
        self.xml.push_str(&format!("</ncts:{root}>\n"));
    }

    fn place(&self, name: &str) -> usize {
        if name == "MRN" && self.message == MessageType::Ie170 {
            return usize::MAX;
        }
        PLACES.get(name).copied().unwrap_or(usize::MAX)
    }

    /// Writes the elements of a group. The JSON's own depth is bounded where
    /// it is parsed.
    fn children(&mut self, fields: &Map<String, Value>) {
        let attribute = |name: &str| self.path.len() == 1 && name == "@PhaseID";
        let mut ordered: Vec<(&String, &Value)> =
            fields.iter().filter(|(name, _)| !attribute(name)).collect();
        ordered.sort_by_key(|(name, _)| self.place(name));
        for (name, value) in ordered {
            if !PLACES.contains_key(name.as_str()) {
                self.unknown(name);
                continue;
            }
            if !REPEATED.contains(&name.as_str()) {
                self.path.push((name.clone(), None));
                self.element(name, value);
                self.path.pop();
                continue;
            }
            let Value::Array(all) = value else {
                self.path.push((name.clone(), None));
                self.wrong_type(value, "array");
                self.path.pop();
                continue;
            };
            for (nth, one) in all.iter().enumerate() {
                self.path.push((name.clone(), Some(nth)));
                self.element(name, one);
                self.path.pop();
            }
        }
    }

    fn element(&mut self, name: &str, value: &Value) {
        let group = SINGLE.contains(&name) || REPEATED.contains(&name);
        let number = NUMBERS.contains(&name);
        let text = match value {
            Value::Object(fields) if group => {
                self.xml.push_str(&format!("<{name}>\n"));
                self.children(fields);
                self.xml.push_str(&format!("</{name}>\n"));
                return;
            }
            Value::Number(value) if number => decimal(value),
            Value::String(text) if !group && !number => self.escaped(text),
            other => {
                let expected = match (group, number) {
                    (true, _) => "object",
                    (_, true) => "number",
                    _ => "string",
                };
                return self.wrong_type(other, expected);
            }
        };
        self.xml.push_str(&format!("<{name}>{text}</{name}>\n"));
    }

    /// Text as XML may carry it, on one line.
    fn escaped(&mut self, text: &str) -> String {
        let forbidden = |c: char| {
            (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
        };
        if text.contains(forbidden) {
            self.violation("pattern", "has a character that no message may have");
            return String::new();
        }
        // A value stands on one line, so that lines tell where a violation is.
        escape(text).replace('\t', "&#9;").replace('\n', "&#10;").replace('\r', "&#13;")
    }
}

/// A number without an exponent, which XML decimals do not have.
fn decimal(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float.to_string(),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::to_json::of_xml;
    use super::*;
    use serde_json::json;

    fn written(message: MessageType, value: &Value) -> (String, Vec<JsonViolation>) {
        let mut writer =
            Writer { message, xml: String::new(), path: Vec::new(), found: Vec::new() };
        writer.root(value, &format!("n1:{}", message.root()));
        (writer.xml, writer.found)
    }

    #[test]
    fn elements_come_in_the_schemas_order_and_read_back_the_same() {
        let value = json!({"n1:CC170C": {
            "@PhaseID": "NCTS6",
            "messageType": "CC170C",
            "messageSender": "A & \"B\" <C>\n",
            "Consignment": {
                "HouseConsignment": [{"sequenceNumber": 1}, {"sequenceNumber": 2}],
                "LocationOfGoods": {"typeOfLocation": "B", "GNSS": {"longitude": "1", "latitude": "2"}},
                "grossMass": 4000.5,
            },
            "TransitOperation": {"MRN": "26", "limitDate": "2026-01-01", "LRN": "L"},
        }});
        let (xml, found) = written(MessageType::Ie170, &value);
        assert_eq!(found, []);
        let order = [
            "<messageSender",
            "<messageType",
            "<LRN",
            "<limitDate",
            "<MRN",
            "<grossMass",
            "<typeOfLocation",
            "<latitude",
            "<longitude",
            "<HouseConsignment",
        ];
        let places: Vec<_> = order.iter().map(|name| xml.find(name).unwrap()).collect();
        assert!(places.is_sorted(), "{xml}");
        assert_eq!(of_xml(&xml).unwrap(), value);
    }

    #[test]
    fn what_json_gets_wrong_is_found_with_its_path() {
        let value = json!({"x": 1, "n1:CC015C": {
            "@PhaseID": 1,
            "messageSender": 5,
            "messageRecipient": "\u{1}",
            "unheardOf": "",
            "Guarantee": {},
            "TransitOperation": null,
            "Consignment": {"grossMass": "5", "HouseConsignment": [true, {"Consignor": []}]},
        }});
        let (_, found) = written(MessageType::Ie015, &value);
        let all: Vec<_> = found.iter().map(|one| one.message.as_str()).collect();
        for expected in [
            "$: property 'x' is not defined in the schema",
            "$.n1:CC015C.@PhaseID: number found, string expected",
            "$.n1:CC015C.messageSender: number found, string expected",
            "$.n1:CC015C.messageRecipient: has a character that no message may have",
            "$.n1:CC015C: property 'unheardOf' is not defined in the schema",
            "$.n1:CC015C.Guarantee: object found, array expected",
            "$.n1:CC015C.TransitOperation: null found, object expected",
            "$.n1:CC015C.Consignment.grossMass: string found, number expected",
            "$.n1:CC015C.Consignment.HouseConsignment[0]: boolean found, object expected",
            "$.n1:CC015C.Consignment.HouseConsignment[1].Consignor: array found, object expected",
        ] {
            assert!(all.contains(&expected), "{expected}: {all:#?}");
        }
        assert_eq!(all.len(), 10);
        let house = found.iter().find(|one| one.message.contains("[0]")).unwrap();
        assert_eq!(
            house.schema_path,
            "#/properties/n1:CC015C/properties/Consignment/properties/HouseConsignment/items/type"
        );
    }

    #[test]
    fn numbers_have_no_exponent() {
        let text = |json: &str| decimal(&serde_json::from_str(json).unwrap());
        for (json, expected) in
            [("1", "1"), ("4000.500", "4000.5"), ("1e3", "1000"), ("1e-7", "0.0000001")]
        {
            assert_eq!(text(json), expected);
        }
        assert!(!text("1e300").contains('e'));
    }
}
