//! What evidence keeps of a message's text, in XML or in JSON: its type, its
//! references, what a rejection says; in bounded texts.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::evidence::{Event, ObjectRef, Received};
use crate::ncts::read::{FunctionalError, Message, ReadError};
use crate::ncts::{MessageType, MovementKind};

/// Most errors of a rejection that a journal line repeats; its body has all.
/// 9,999 are allowed, and a line must stay short.
const MAX_ERRORS: usize = 100;

/// Most characters repeated of one text of such an error (the schemas' limit).
const MAX_ERROR_TEXT: usize = 512;

/// Most characters of an LRN or MRN (22 and 18 by the schemas).
const MAX_REFERENCE: usize = 35;

/// What a message's text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its type, from the root element.
    pub message: MessageType,
    /// `TransitOperation/LRN`.
    pub lrn: Option<String>,
    /// `TransitOperation/MRN`.
    pub mrn: Option<String>,
    /// `messageIdentification`.
    pub identification: Option<String>,
    /// The errors of a rejection, as many as a journal line repeats.
    pub errors: Vec<FunctionalError>,
    /// `TransitOperation/releaseIndicator`.
    pub release_indicator: Option<String>,
}

/// Text that is no NCTS message.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableMessage {
    /// In XML.
    #[error(transparent)]
    Xml(#[from] ReadError),
    /// Not JSON.
    #[error("the JSON cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Some other JSON.
    #[error("the JSON has no message: one key such as `n1:CC015C` is expected")]
    NoMessage,
}

impl Reading {
    /// Reads a message in XML.
    ///
    /// # Errors
    /// When the text is not well-formed or no NCTS message.
    pub fn of_xml(xml: &str) -> Result<Self, UnreadableMessage> {
        let message = Message::parse(xml)?;
        Ok(Self {
            message: message.message_type(),
            lrn: reference(message.lrn()),
            mrn: reference(message.mrn()),
            identification: reference(message.text("messageIdentification")),
            errors: shown(message.functional_errors()),
            release_indicator: short(message.text("TransitOperation/releaseIndicator")),
        })
    }

    /// Reads a message in JSON.
    ///
    /// # Errors
    /// When it is no JSON, or no message.
    pub fn of_json(json: &[u8]) -> Result<Self, UnreadableMessage> {
        Self::of_value(&serde_json::from_slice(json)?)
    }

    /// The same of JSON that was read: the elements of the XML below one key,
    /// `n1:CC015C`, whatever its prefix.
    ///
    /// # Errors
    /// When it is no message.
    pub fn of_value(value: &Value) -> Result<Self, UnreadableMessage> {
        let (message, inside) = value
            .as_object()
            .into_iter()
            .flatten()
            .find_map(|(key, inside)| {
                let root = key.split_once(':').map_or(key.as_str(), |(_, root)| root);
                Some((MessageType::from_root(root)?, inside))
            })
            .ok_or(UnreadableMessage::NoMessage)?;
        let text = |path: &str| text_in(inside, path);
        let errors = match inside.get("FunctionalError") {
            Some(Value::Array(all)) => all.iter().collect(),
            one => Vec::from_iter(one),
        };
        let error = |error: &Value| FunctionalError {
            pointer: text_in(error, "errorPointer").unwrap_or_default(),
            code: text_in(error, "errorCode").unwrap_or_default(),
            reason: text_in(error, "errorReason").unwrap_or_default(),
            value: text_in(error, "originalAttributeValue"),
        };
        Ok(Self {
            message,
            lrn: reference(text("TransitOperation/LRN").as_deref()),
            mrn: reference(text("TransitOperation/MRN").as_deref()),
            identification: reference(text("messageIdentification").as_deref()),
            errors: shown(errors.into_iter().map(error).collect()),
            release_indicator: short(text("TransitOperation/releaseIndicator").as_deref()),
        })
    }

    /// As the event that such a message was fetched.
    pub fn received(self, of: Fetched<'_>, body: ObjectRef) -> Event {
        Event::Received(Received {
            message: self.message,
            movement: of.kind,
            movement_id: of.movement.to_owned(),
            message_id: of.message_id.to_owned(),
            exchange: of.exchange,
            received: of.received,
            mrn: self.mrn,
            lrn: self.lrn,
            errors: self.errors,
            release_indicator: self.release_indicator,
            body,
        })
    }
}

/// Which message was fetched, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fetched<'a> {
    /// Kind of movement.
    pub kind: MovementKind,
    /// The movement.
    pub movement: &'a str,
    /// The message.
    pub message_id: &'a str,
    /// The exchange that brought it.
    pub exchange: u32,
    /// The API's time for it, where it is known.
    pub received: Option<DateTime<Utc>>,
}

/// The text at a path of names; a number as its digits, of several the first.
fn text_in(value: &Value, path: &str) -> Option<String> {
    let found = path.split('/').try_fold(value, |at, name| match at.get(name)? {
        Value::Array(all) => all.first(),
        one => Some(one),
    })?;
    match found {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn reference(text: Option<&str>) -> Option<String> {
    text.filter(|text| text.len() <= MAX_REFERENCE).map(str::to_owned)
}

fn short(text: Option<&str>) -> Option<String> {
    text.map(|text| text.chars().take(MAX_REFERENCE).collect())
}

/// The errors of a rejection that a journal line repeats, in their order: the
/// first of every rule, for all rules are judged, and then as many as there is
/// room for.
fn shown(errors: Vec<FunctionalError>) -> Vec<FunctionalError> {
    let mut rules = BTreeSet::new();
    let (first, more): (Vec<_>, Vec<_>) =
        errors.into_iter().enumerate().partition(|(_, error)| rules.insert(error.reason.clone()));
    let mut shown: Vec<_> = first.into_iter().chain(more).take(MAX_ERRORS).collect();
    shown.sort_by_key(|(nth, _)| *nth);
    shown.into_iter().map(|(_, error)| cut(error)).collect()
}

/// An error of a rejection in bounded texts.
fn cut(error: FunctionalError) -> FunctionalError {
    let short = |text: String| text.chars().take(MAX_ERROR_TEXT).collect();
    FunctionalError {
        pointer: short(error.pointer),
        code: short(error.code),
        reason: short(error.reason),
        value: error.value.map(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_what_the_xml_says() {
        let xml = r#"<n:CC056C xmlns:n="http://ncts.dgtaxud.ec"><messageIdentification>M1</messageIdentification>
            <TransitOperation><LRN>A1</LRN><MRN>26GB1</MRN></TransitOperation>
            <FunctionalError><errorPointer>/CC015C</errorPointer><errorCode>14</errorCode><errorReason>R0028</errorReason></FunctionalError></n:CC056C>"#;
        let json = serde_json::json!({"x:CC056C": {
            "@PhaseID": "NCTS6", "messageIdentification": "M1",
            "TransitOperation": {"LRN": "A1", "MRN": " 26GB1 "},
            "FunctionalError": [{"errorPointer": "/CC015C", "errorCode": 14, "errorReason": "R0028"}]
        }});
        let read = Reading::of_json(json.to_string().as_bytes()).unwrap();
        assert_eq!(read, Reading::of_xml(xml).unwrap());
        assert_eq!((read.mrn.as_deref(), read.errors.len()), (Some("26GB1"), 1));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for json in ["", "[]", "3", "{}", r#"{"n1:CC999C":{}}"#, r#"{"departures":[]}"#] {
            assert!(Reading::of_json(json.as_bytes()).is_err(), "{json}");
        }
        let bare = Reading::of_json(br#"{"CC015C": 7}"#).unwrap();
        assert_eq!((bare.message, bare.lrn), (MessageType::Ie015, None));
    }
}
