//! Foreign text in HTML: every character is shown for what it is, none does
//! anything.

use std::fmt;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior};

/// A template engine that writes every value by [`write()`], unless it was marked
/// safe, and takes no value that is not there.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) =
        minijinja::syntax::SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()
    {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(format);
    environment
}

fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_safe() || value.is_undefined() || value.is_none() {
        return minijinja::escape_formatter(out, state, value);
    }
    match value.as_str() {
        Some(text) => write(out, text),
        None => write(out, &value.to_string()),
    }
    .map_err(Error::from)
}

/// What the template engine says went wrong, with its causes.
pub fn causes(error: &Error) -> String {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    message
}

/// Writes text as HTML. Beside what markup would take for its own, characters
/// that a reader cannot see or that would change what others look like
/// (controls, direction, joiners without width, what is no character) are
/// written as pictures or by number: `␀`, `[U+202E]`.
///
/// # Errors
/// The writer's.
pub fn write(out: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    let mut from = 0;
    for (at, c) in text.char_indices() {
        let mut number = String::new();
        let Some(instead) = instead(c, &mut number) else { continue };
        out.write_str(text.get(from..at).unwrap_or_default())?;
        out.write_str(instead)?;
        from = at + c.len_utf8();
    }
    out.write_str(text.get(from..).unwrap_or_default())
}

/// What is written for a character that may not stand for itself.
pub fn instead(c: char, number: &mut String) -> Option<&str> {
    Some(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        '\n' | '\t' => return None,
        '\u{7f}' => "\u{2421}",
        c if c < ' ' => {
            number.extend(char::from_u32(0x2400 + u32::from(c)));
            number
        }
        c if is_unseen(c) => {
            *number = format!("[U+{:04X}]", u32::from(c));
            number
        }
        _ => return None,
    })
}

fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = String::new();
        write(&mut out, text).unwrap();
        out
    }

    #[test]
    fn nothing_hidden_and_no_markup_gets_through() {
        assert_eq!(
            written("<a href='x'>\"&amp;\0\u{7f}\u{1b}[0m\u{202e}\u{feff}\r\n\té"),
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;\u{2400}\u{2421}\u{241b}[0m[U+202E][U+FEFF]\
             \u{240d}\n\té"
        );
        assert_eq!(written("\u{ffff}\u{10fffe}"), "[U+FFFF][U+10FFFE]");
    }
}
