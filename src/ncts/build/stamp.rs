//! What belongs to one run: placeholders filled, and the XML tree stamped.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use roxmltree::Node;

use super::{BuildError, Edits, escape};
use crate::ncts::MessageType;
use crate::ncts::read::{self, Message, ReadError};

/// NCTS date-times: UTC without zone or fraction (technical interface
/// specification, data types).
pub const DATE_TIME: &str = "%Y-%m-%dT%H:%M:%S";

/// NCTS dates.
pub const DATE: &str = "%Y-%m-%d";

/// In test data and templates: a value that belongs to the run and is set when
/// the message is stamped.
pub const OF_THE_RUN: &str = "(run)";

/// Days from the declaration to its limit date and to the estimated arrival at
/// the office of transit (data spreadsheets, sheet IE015).
const LIMIT_DAYS: i64 = 14;

/// Days from the presentation of pre-lodged goods to its limit date (data
/// spreadsheets, sheet IE170).
const PRESENTATION_LIMIT_DAYS: i64 = 1;

/// What belongs to one run and is set in whatever payload is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The message it must be.
    pub message: MessageType,
    /// The LRN of the run's declaration.
    pub lrn: String,
    /// The MRN, once allocated.
    pub mrn: Option<String>,
    /// `messageIdentification`: unique per message, at most 35 characters.
    pub message_identification: String,
    /// `messageSender`, where the house has its own.
    pub message_sender: Option<String>,
    /// When the message is prepared.
    pub now: DateTime<Utc>,
}

impl Stamp {
    /// The values that placeholders and date elements take.
    fn values(&self) -> BTreeMap<&'static str, String> {
        let now = self.now.format(DATE_TIME).to_string();
        let today = self.now.format(DATE).to_string();
        let arrival = self.now + Duration::days(LIMIT_DAYS);
        let limit = match self.message {
            MessageType::Ie170 => self.now + Duration::days(PRESENTATION_LIMIT_DAYS),
            _ => arrival,
        };
        BTreeMap::from([
            ("preparationDateAndTime", now.clone()),
            ("arrivalNotificationDateAndTime", now.clone()),
            ("requestDateAndTime", now),
            ("unloadingDate", today),
            ("limitDate", limit.format(DATE).to_string()),
            ("arrivalDateAndTimeEstimated", arrival.format(DATE_TIME).to_string()),
            ("messageIdentification", self.message_identification.clone()),
        ])
    }

    /// The value of a placeholder of HMRC's test packs.
    fn placeholder(&self, name: &str) -> Option<String> {
        match name {
            "LRN" => Some(self.lrn.clone()),
            "MRN" => Some(self.mrn.clone().unwrap_or_default()),
            // The packs' own name for the estimated arrival.
            "arrivalTime" => self.values().remove("arrivalDateAndTimeEstimated"),
            // The packs' name for `messageIdentification` in an odd file or two.
            "IntConRefMES11" => Some(self.message_identification.clone()),
            "Declarant EORI Number" => Some(self.message_sender.clone().unwrap_or_default()),
            _ => self.values().remove(name),
        }
    }
}

/// Fills the `{{name}}` placeholders of HMRC's packs and of the house's own
/// files. They look like a template language and are not one: names have
/// spaces, and nothing else is ever evaluated.
///
/// # Errors
/// An unknown placeholder, with its line.
pub fn fill_placeholders(text: &str, stamp: &Stamp) -> Result<String, BuildError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let Some(length) = rest[start..].find("}}") else { break };
        let name = rest[start + 2..start + length].trim();
        let value = stamp.placeholder(name).ok_or_else(|| BuildError::Placeholder {
            name: name.chars().take(80).collect(),
            line: 1 + text[..text.len() - rest.len() + start].matches('\n').count(),
        })?;
        out.push_str(&rest[..start]);
        out.push_str(&escape(&value));
        rest = &rest[start + length + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Sets in the XML tree what belongs to the run: LRN, MRN, message
/// identification, sender, and every date. Nothing else changes, byte for
/// byte.
///
/// An IE013 or IE014 names its movement by its MRN once there is one, and by
/// its LRN until then (rule C0467; the schemas allow both and neither). Which
/// of the two a message has is its maker's decision, and one that the tests
/// are about: it is filled, never exchanged for the other.
///
/// # Errors
/// When the text is another message than `stamp.message`, or lacks an element
/// that must carry the run's value.
pub fn stamp(xml: &str, stamp: &Stamp) -> Result<String, BuildError> {
    let xml = xml.trim_start_matches('\u{feff}');
    let message = Message::parse(xml)?;
    if message.message_type() != stamp.message {
        return Err(BuildError::OtherMessage {
            expected: stamp.message,
            found: message.message_type(),
        });
    }
    let root = message.root();
    let mut edits = Edits::default();
    let mut set = |node: Node<'_, '_>, value: &str| edits.set(xml, node, value);

    let identification = read::element_at(root, "messageIdentification")
        .ok_or(BuildError::Missing("messageIdentification"))?;
    set(identification, &stamp.message_identification);
    if let (Some(sender), Some(node)) =
        (&stamp.message_sender, read::element_at(root, "messageSender"))
    {
        set(node, sender);
    }

    let lrn = read::element_at(root, "TransitOperation/LRN");
    let mrn = read::element_at(root, "TransitOperation/MRN");
    match stamp.message {
        MessageType::Ie015 | MessageType::Ie170 if lrn.is_none() => {
            return Err(BuildError::Missing("TransitOperation/LRN"));
        }
        MessageType::Ie007 | MessageType::Ie044 if mrn.is_none() => {
            return Err(BuildError::Missing("TransitOperation/MRN"));
        }
        MessageType::Ie013 | MessageType::Ie014 if lrn.is_none() && mrn.is_none() => {
            return Err(BuildError::NoReference(stamp.message));
        }
        _ => {}
    }
    if let Some(node) = lrn {
        set(node, &stamp.lrn);
    }
    if let Some(node) = mrn {
        // A file's own MRN is that of another movement: never send it.
        let value = stamp.mrn.as_deref().ok_or(BuildError::NoMrn(stamp.message))?;
        set(node, value);
    }

    for (name, value) in stamp.values() {
        if name == "messageIdentification" {
            continue;
        }
        for node in
            root.descendants().filter(|node| node.is_element() && node.tag_name().name() == name)
        {
            set(node, &value);
        }
    }

    Ok(edits.apply(xml))
}

/// Makes sure that no value is left in the message that belongs to the run and
/// that nothing has set ([`OF_THE_RUN`]).
///
/// # Errors
/// The first element or attribute that has one.
pub fn nothing_left(xml: &str) -> Result<(), BuildError> {
    let document = read::parse(xml).map_err(ReadError::Xml)?;
    let left = |text: &str| text.trim() == OF_THE_RUN;
    let found = document.descendants().filter(Node::is_element).find(|node| {
        node.children().any(|child| child.is_text() && child.text().is_some_and(left))
            || node.attributes().any(|with| left(with.value()))
    });
    let Some(node) = found else { return Ok(()) };
    let mut names: Vec<&str> = node
        .ancestors()
        .filter(|node| node.is_element() && *node != document.root_element())
        .map(|node| node.tag_name().name())
        .collect();
    names.reverse();
    let line = document.text_pos_at(node.range().start).row;
    Err(BuildError::LeftOver { path: names.join("/"), line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn example() -> Stamp {
        Stamp {
            message: MessageType::Ie170,
            lrn: "L<1".into(),
            mrn: None,
            message_identification: "M1".into(),
            message_sender: None,
            now: Utc.with_ymd_and_hms(2026, 11, 21, 9, 30, 0).unwrap(),
        }
    }

    const PACK: &str = "<ncts:CC170C xmlns:ncts=\"http://ncts.dgtaxud.ec\">\n  \
        <messageSender>S</messageSender>\n  \
        <preparationDateAndTime>{{preparationDateAndTime}}</preparationDateAndTime>\n  \
        <messageIdentification>{{messageIdentification}}</messageIdentification>\n  \
        <TransitOperation><LRN/><limitDate>{{limitDate}}</limitDate></TransitOperation>\n\
        </ncts:CC170C>";

    #[test]
    fn a_pack_file_takes_the_runs_values_and_keeps_the_rest() {
        let filled = fill_placeholders(PACK, &example()).unwrap();
        let stamped = stamp(&filled, &example()).unwrap();
        assert_eq!(
            stamped,
            PACK.replace("{{preparationDateAndTime}}", "2026-11-21T09:30:00")
                .replace("{{messageIdentification}}", "M1")
                .replace("<LRN/>", "<LRN>L&lt;1</LRN>")
                .replace("{{limitDate}}", "2026-11-22")
        );
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_its_line() {
        let error = fill_placeholders("a\nb {{ Some Thing }}", &example()).unwrap_err();
        assert_eq!(error.to_string(), "line 2: unknown placeholder `{{Some Thing}}`");
    }

    #[test]
    fn another_message_is_refused() {
        let xml = "<n:CC015C xmlns:n='http://ncts.dgtaxud.ec'/>";
        assert!(matches!(
            stamp(xml, &example()),
            Err(BuildError::OtherMessage { found: MessageType::Ie015, .. })
        ));
    }

    #[test]
    fn the_limit_date_is_that_of_the_message() {
        let xml = "<n:CC015C xmlns:n='http://ncts.dgtaxud.ec'><messageIdentification/>\
            <TransitOperation><LRN/><limitDate/></TransitOperation></n:CC015C>";
        let stamped = stamp(xml, &Stamp { message: MessageType::Ie015, ..example() }).unwrap();
        assert!(stamped.contains("<limitDate>2026-12-05</limitDate>"), "{stamped}");
    }

    #[test]
    fn another_movements_mrn_is_never_sent() {
        let xml = "<n:CC007C xmlns:n='http://ncts.dgtaxud.ec'><messageIdentification/>\
            <TransitOperation><MRN>23XI000081V5OPHUJ1</MRN></TransitOperation></n:CC007C>";
        let mut values = Stamp { message: MessageType::Ie007, ..example() };
        assert!(matches!(stamp(xml, &values), Err(BuildError::NoMrn(MessageType::Ie007))));
        values.mrn = Some("26XI0000812345JJ1".into());
        assert!(stamp(xml, &values).unwrap().contains("<MRN>26XI0000812345JJ1</MRN>"));
    }

    #[test]
    fn amendments_and_cancellations_name_their_movement_as_the_message_does() {
        let mrn = Some("26XI0000812345JJ1".to_owned());
        for (message, root) in [(MessageType::Ie013, "CC013C"), (MessageType::Ie014, "CC014C")] {
            let stamped = |references: &str, mrn: &Option<String>| {
                let xml = format!(
                    "<n:{root} xmlns:n='http://ncts.dgtaxud.ec'><messageIdentification/>\
                     <TransitOperation>{references}</TransitOperation>\
                     <Invalidation><requestDateAndTime/></Invalidation></n:{root}>"
                );
                let values = Stamp { message, mrn: mrn.clone(), ..example() };
                stamp(&xml, &values).map_err(|error| error.to_string())
            };
            for (references, mrn, expected) in [
                ("<LRN>OTHER</LRN>", &None, "<LRN>L&lt;1</LRN></"),
                ("<LRN/>", &mrn, "<LRN>L&lt;1</LRN></"),
                ("<MRN>23XI000081V5OPHUJ1</MRN>", &mrn, "<MRN>26XI0000812345JJ1</MRN></"),
            ] {
                let xml = stamped(references, mrn).unwrap();
                assert!(xml.contains(&format!("<TransitOperation>{expected}")), "{xml}");
                assert!(xml.contains("<requestDateAndTime>2026-11-21T09:30:00<"), "{xml}");
            }
            let error = stamped("<MRN/>", &None).unwrap_err();
            assert!(error.contains("until then `TransitOperation/LRN` names"), "{error}");
            let error = stamped("<Lrn/>", &mrn).unwrap_err();
            assert!(error.contains(&format!("an {message} names its movement by one")), "{error}");
        }
    }

    #[test]
    fn nothing_of_the_run_is_left_open() {
        let message = |inside: &str| {
            format!("<n:CC014C xmlns:n='http://ncts.dgtaxud.ec'>\n<A>{inside}</A></n:CC014C>")
        };
        for fine in ["<B>run</B>", "<B>(run) and more</B>", "<!-- (run) -->"] {
            nothing_left(&message(fine)).unwrap();
        }
        for (inside, path) in
            [("<B> (run)\n</B>", "A/B"), ("<B/>(run)", "A"), ("<B c='(run)'/>", "A/B")]
        {
            let error = nothing_left(&message(inside)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line 2: `{path}` still says `(run)`")), "{error}");
        }
    }
}
