//! Building a message: rendering a template, filling placeholders, and
//! stamping what belongs to one run into the XML tree.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Duration, Utc};
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use roxmltree::Node;
use serde::Serialize;

use super::MessageType;
use super::read::{self, Message, ReadError};

/// NCTS date-times: UTC without zone or fraction (technical interface
/// specification, data types).
pub const DATE_TIME: &str = "%Y-%m-%dT%H:%M:%S";

/// NCTS dates.
pub const DATE: &str = "%Y-%m-%d";

/// Days from the declaration to its limit date and to the estimated arrival at
/// the office of transit (data spreadsheets, sheet IE015).
const LIMIT_DAYS: i64 = 14;

/// Days from the presentation of pre-lodged goods to its limit date (data
/// spreadsheets, sheet IE170).
const PRESENTATION_LIMIT_DAYS: i64 = 1;

/// What makes a payload unusable.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The template is wrong, or lacks data.
    #[error("template `{name}`: {message}")]
    Template {
        /// The template's name.
        name: String,
        /// What the engine says, with its line.
        message: String,
    },
    /// A `{{placeholder}}` nobody knows.
    #[error("line {line}: unknown placeholder `{{{{{name}}}}}`")]
    Placeholder {
        /// Its name.
        name: String,
        /// Line in the file, from 1.
        line: usize,
    },
    /// The text is no message.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is another message than the step sends.
    #[error("it is an {found}, the step sends an {expected}")]
    OtherMessage {
        /// What the step sends.
        expected: MessageType,
        /// What the file holds.
        found: MessageType,
    },
    /// The message names the movement by its MRN, and the run has none yet.
    #[error("an {0} carries the MRN, which this run does not have yet: it comes with the IE028")]
    NoMrn(MessageType),
    /// An element that must carry a run's own value is missing.
    #[error("it has no element `{0}`, which must carry this run's value")]
    Missing(&'static str),
}

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

/// Templates rendered with strict undefined values and XML escaping.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// Templates by name.
    ///
    /// # Errors
    /// The first template that does not parse, with its line.
    pub fn new(sources: impl IntoIterator<Item = (String, String)>) -> Result<Self, BuildError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        if let Ok(syntax) =
            minijinja::syntax::SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()
        {
            environment.set_syntax(syntax);
        }
        // The engine's own XML escape also escapes `/` and `'`, which is
        // needless noise in messages that people read.
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".xml") { AutoEscape::Custom("xml".into()) } else { AutoEscape::None }
        });
        environment.set_formatter(|out, state, value| {
            if matches!(state.auto_escape(), AutoEscape::Custom(_)) && !value.is_safe() {
                if value.is_undefined() {
                    return minijinja::escape_formatter(out, state, value);
                }
                out.write_str(&escape(&value.to_string())).map_err(minijinja::Error::from)
            } else {
                minijinja::escape_formatter(out, state, value)
            }
        });
        environment.add_filter("many", many);
        for (name, source) in sources {
            environment
                .add_template_owned(name.clone(), source)
                .map_err(|error| template_error(&name, &error))?;
        }
        Ok(Self { environment })
    }

    /// Whether there is a template of this name.
    pub fn has(&self, name: &str) -> bool {
        self.environment.get_template(name).is_ok()
    }

    /// Renders one.
    ///
    /// # Errors
    /// When it is missing or wants data that `context` lacks.
    pub fn render(&self, name: &str, context: impl Serialize) -> Result<String, BuildError> {
        self.environment
            .get_template(name)
            .and_then(|template| template.render(Serde(context)))
            .map_err(|error| template_error(name, &error))
    }
}

/// A group of test data as a list: a group given once may stand alone, and one
/// that is not given is none.
fn many(value: &Value) -> Vec<Value> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Vec::new(),
        ValueKind::Seq => value.try_iter().map(Iterator::collect).unwrap_or_default(),
        _ => vec![value.clone()],
    }
}

fn template_error(name: &str, error: &minijinja::Error) -> BuildError {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    BuildError::Template { name: name.to_owned(), message }
}

/// Escapes text for XML content and double-quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
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
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut set = |node: Node<'_, '_>, value: &str| {
        let source = &xml[node.range()];
        let name: &str = source[1..]
            .split(|c: char| c.is_whitespace() || c == '/' || c == '>')
            .next()
            .unwrap_or_default();
        edits.push((node.range(), format!("<{name}>{}</{name}>", escape(value))));
    };

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

    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(xml.len() + 64);
    let mut from = 0;
    for (range, text) in edits {
        out.push_str(&xml[from..range.start]);
        out.push_str(&text);
        from = range.end;
    }
    out.push_str(&xml[from..]);
    Ok(out)
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
    fn templates_are_strict_and_escape_only_what_xml_needs() {
        let templates =
            Templates::new([("a.xml".to_owned(), "<a>{{ b }}</a>".to_owned())]).unwrap();
        let context = serde_json::json!({"b": "O'Neil & Sons / 1 <x>"});
        assert_eq!(
            templates.render("a.xml", context).unwrap(),
            "<a>O'Neil &amp; Sons / 1 &lt;x&gt;</a>"
        );
        assert!(templates.render("a.xml", serde_json::json!({})).is_err());
    }
}
