//! The templates: `templates/report/`, embedded. Every value that a template
//! writes goes through [`super::text::write`]; only what this page made itself
//! is marked safe. Called by the rest of `report::html`.

use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error};
use serde::Serialize;

use super::{PageError, text};
use crate::foreign::html;

/// The templates, in the order of the page.
const TEMPLATES: &[(&str, &str)] = &[
    ("parts.html", include_str!("../../../templates/report/parts.html")),
    ("page.html", include_str!("../../../templates/report/page.html")),
    ("timeline.html", include_str!("../../../templates/report/timeline.html")),
    ("run.html", include_str!("../../../templates/report/run.html")),
];

/// How the page looks: colours, sizes, print.
pub(super) const STYLE: &str = include_str!("../../../templates/report/page.css");
/// For comfort alone: the page works without.
pub(super) const SCRIPT: &str = include_str!("../../../templates/report/page.js");

/// The templates, ready to use.
pub(super) struct Look {
    environment: Environment<'static>,
}

impl Look {
    pub(super) fn new() -> Result<Self, PageError> {
        let mut environment = html::environment();
        environment.add_filter("marked", marked);
        environment.add_filter("prose", prose);
        for (name, source) in TEMPLATES {
            environment.add_template(name, source).map_err(|error| failed(name, &error))?;
        }
        Ok(Self { environment })
    }

    pub(super) fn render(
        &self,
        name: &'static str,
        context: impl Serialize,
    ) -> Result<String, PageError> {
        self.environment
            .get_template(name)
            .and_then(|template| template.render(Serde(context)))
            .map_err(|error| failed(name, &error))
    }
}

fn failed(name: &'static str, error: &Error) -> PageError {
    PageError::Template { name, message: html::causes(error) }
}

/// Text of our own in which backticks stand round names, as in messages.
fn prose(text: &str) -> Value {
    let marked = marked(text).to_string();
    let parts: Vec<&str> = marked.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return Value::from_safe_string(marked);
    }
    let mut out = String::with_capacity(marked.len() + 16);
    for (part, nth) in parts.into_iter().zip(0..) {
        match nth % 2 {
            0 => out.push_str(part),
            _ => {
                out.push_str("<code>");
                out.push_str(part);
                out.push_str("</code>");
            }
        }
    }
    Value::from_safe_string(out)
}

/// Text with what redaction put in the place of secrets made visible.
fn marked(text: &str) -> Value {
    /// What stands before the digits of a redacted secret.
    const REDACTED: &str = "redacted:";
    const DIGITS: usize = 16;
    let mut written = String::with_capacity(text.len() + text.len() / 8);
    // Writing to a string cannot fail.
    let _ = text::write(&mut written, text);
    let (mut out, mut rest) = (String::with_capacity(written.len()), written.as_str());
    while let Some(at) = rest.find(REDACTED) {
        let (before, found) = rest.split_at(at);
        let length = REDACTED.len() + DIGITS;
        let token = found.get(..length).filter(|token| {
            token.bytes().skip(REDACTED.len()).all(|byte| byte.is_ascii_hexdigit())
        });
        let token_length = token.map_or(REDACTED.len(), str::len);
        let (token_text, after) = found.split_at(token_length);
        out.push_str(before);
        match token {
            Some(_) => {
                out.push_str("<mark>");
                out.push_str(token_text);
                out.push_str("</mark>");
            }
            None => out.push_str(token_text),
        }
        rest = after;
    }
    out.push_str(rest);
    Value::from_safe_string(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn redactions_show_and_markup_does_not() {
        let token = "redacted:0123456789abcdef";
        assert_eq!(
            marked(&format!("a <{token}> redacted:xyz {token}")).to_string(),
            format!("a &lt;<mark>{token}</mark>&gt; redacted:xyz <mark>{token}</mark>")
        );
    }

    #[test]
    fn names_between_backticks_stand_out_where_the_backticks_are_pairs() {
        assert_eq!(
            prose("set `<a>` or `b`").to_string(),
            "set <code>&lt;a&gt;</code> or <code>b</code>"
        );
        assert_eq!(prose("a ` b").to_string(), "a ` b");
    }

    #[test]
    fn every_value_is_made_harmless() {
        let mut look = Look::new().unwrap();
        look.environment.add_template("t", "{{ a }}{{ b[0] }}").unwrap();
        let context = serde_json::json!({"a": "<script>\u{202e}", "b": ["'\"&"]});
        assert_eq!(look.render("t", context).unwrap(), "&lt;script&gt;[U+202E]&#39;&quot;&amp;");
    }
}
