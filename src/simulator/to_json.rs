//! Messages as JSON: `from_json` the other way round.

use roxmltree::Node;
use serde_json::{Map, Number, Value};

use super::words::{NUMBERS, REPEATED};
use crate::ncts::read;

fn number(text: &str) -> Option<Number> {
    text.parse::<u64>()
        .map(Number::from)
        .ok()
        .or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

fn value(node: Node<'_, '_>) -> Value {
    if !node.children().any(|child| child.is_element()) {
        let text = node.text().unwrap_or_default();
        return match number(text.trim()) {
            Some(number) if NUMBERS.contains(&node.tag_name().name()) => Value::Number(number),
            _ => Value::String(text.to_owned()),
        };
    }
    let mut fields = Map::new();
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        let one = value(child);
        if REPEATED.contains(&name) {
            match fields.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(all) => all.push(one),
                other => *other = one,
            }
        } else {
            fields.insert(name.to_owned(), one);
        }
    }
    Value::Object(fields)
}

/// A message as JSON: one key, `n1:CC015C`, and `@PhaseID` inside.
pub(super) fn of_xml(xml: &str) -> Option<Value> {
    let document = read::parse(xml).ok()?;
    let root = document.root_element();
    let mut inside = match value(root) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    if let Some(phase) = root.attribute("PhaseID") {
        inside.insert("@PhaseID".to_owned(), Value::String(phase.to_owned()));
    }
    let mut whole = Map::new();
    whole.insert(format!("n1:{}", root.tag_name().name()), Value::Object(inside));
    Some(Value::Object(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_as_json_has_arrays_numbers_and_strings_where_the_schema_says() {
        let xml = "<x:CC055C xmlns:x='http://ncts.dgtaxud.ec' PhaseID='NCTS6'>\
            <messageType>CC055C</messageType><TransitOperation><MRN>26</MRN></TransitOperation>\
            <GuaranteeReference><sequenceNumber>1</sequenceNumber><grossMass>4000.500</grossMass>\
            </GuaranteeReference></x:CC055C>";
        assert_eq!(
            of_xml(xml).unwrap(),
            serde_json::json!({"n1:CC055C": {
                "@PhaseID": "NCTS6",
                "messageType": "CC055C",
                "TransitOperation": {"MRN": "26"},
                "GuaranteeReference": [{"sequenceNumber": 1, "grossMass": 4000.5}],
            }})
        );
    }
}
