//! Building a message: rendering a template, filling placeholders, stamping
//! what belongs to one run into the XML tree, and departing from the test data
//! where a scenario does.
//!
//! - `stamp`: placeholders, references, message identification and dates.
//! - `mutate`: the elements a scenario leaves out or gives another value.

mod mutate;
mod stamp;

use std::ops::Range;

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use roxmltree::Node;
use serde::Serialize;

use super::MessageType;
use super::read::ReadError;

pub use mutate::{Changes, mutate};
pub use stamp::{DATE, DATE_TIME, OF_THE_RUN, Stamp, fill_placeholders, nothing_left, stamp};

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
    #[error(
        "an {0} carries the MRN, which this run does not have yet: it comes with the IE028{hint}",
        hint = until_then(*.0)
    )]
    NoMrn(MessageType),
    /// An element that must carry a run's own value is missing.
    #[error("it has no element `{0}`, which must carry this run's value")]
    Missing(&'static str),
    /// The message names its movement by neither reference.
    #[error(
        "it has neither `TransitOperation/LRN` nor `TransitOperation/MRN`; an {0} names its \
         movement by one of them"
    )]
    NoReference(MessageType),
    /// A value that belongs to the run was asked for where nothing sets it.
    #[error("line {line}: `{path}` still says `{OF_THE_RUN}`: nothing of the run belongs there")]
    LeftOver {
        /// Names of the elements below the root.
        path: String,
        /// Line in the message, from 1.
        line: u32,
    },
    /// The scenario changes an element that the message does not have.
    #[error("the message has no `{0}` that could be changed")]
    NothingToChange(String),
    /// The scenario gives a value to an element that holds others.
    #[error("`{0}` holds other elements: it cannot be given a value")]
    NotAValue(String),
    /// The message has fewer of an element than the scenario is about.
    #[error("the message has {found} of `{path}`, the scenario needs at least {least}")]
    TooFew {
        /// The element.
        path: String,
        /// How many it has.
        found: usize,
        /// How many it must have.
        least: usize,
    },
}

/// What to do while a movement has no MRN.
fn until_then(message: MessageType) -> &'static str {
    match message {
        MessageType::Ie013 | MessageType::Ie014 => {
            "; until then `TransitOperation/LRN` names the movement (rule C0467)"
        }
        _ => "",
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

/// Pieces of a text and what stands in their place.
#[derive(Debug, Default)]
struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// Gives an element this text. Its name, prefix and attributes stay.
    fn set(&mut self, xml: &str, node: Node<'_, '_>, value: &str) {
        let range = node.range();
        let source = xml.get(range.clone()).unwrap_or_default();
        let start = start_tag(source);
        let tag = start.strip_suffix("/>").map(str::trim_end).or(start.strip_suffix('>'));
        let tag = tag.unwrap_or(start);
        let name = tag.trim_start_matches('<').split(char::is_whitespace).next();
        let name = name.unwrap_or_default();
        self.0.push((range, format!("{tag}>{}</{name}>", escape(value))));
    }

    /// Leaves a piece out.
    fn cut(&mut self, range: Range<usize>) {
        self.0.push((range, String::new()));
    }

    /// The text with the edits made; a piece inside another goes with it.
    fn apply(mut self, xml: &str) -> String {
        self.0.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut out = String::with_capacity(xml.len() + 64);
        let mut from = 0;
        for (range, text) in self.0 {
            if range.start < from {
                continue;
            }
            out.push_str(xml.get(from..range.start).unwrap_or_default());
            out.push_str(&text);
            from = range.end;
        }
        out.push_str(xml.get(from..).unwrap_or_default());
        out
    }
}

/// The start tag of an element's source, or all of an empty one's.
fn start_tag(source: &str) -> &str {
    let mut quote = None;
    for (at, c) in source.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '>') => return source.get(..=at).unwrap_or(source),
            (None, _) => {}
        }
    }
    source
}

#[cfg(test)]
mod tests {
    use super::*;

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
