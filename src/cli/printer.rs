//! The only place that writes to standard output and standard error.

use std::io::Write;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use serde::Serialize;

use super::args::{Color, Format};

/// Text as it is.
pub const PLAIN: Style = Style::new();
/// Text that stands out.
pub const BOLD: Style = Style::new().bold();
/// Text that steps back.
pub const DIM: Style = Style::new().dimmed();
/// Good.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Worth a look.
pub const CARE: Style = AnsiColor::Yellow.on_default();
/// Bad.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// Widest line of text for people.
pub const WIDTH: usize = 80;

/// Where output goes.
pub struct Printer {
    out: AutoStream<std::io::Stdout>,
    err: AutoStream<std::io::Stderr>,
    format: Format,
}

impl Printer {
    /// Output in this format and colour.
    pub fn new(format: Format, color: Color) -> Self {
        let choice = match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        // Auto must be resolved per stream: one may be a file.
        Self {
            out: AutoStream::new(std::io::stdout(), choice),
            err: AutoStream::new(std::io::stderr(), choice),
            format,
        }
    }

    /// Whether standard output carries JSON.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// A line for people on standard output; nothing in JSON.
    pub fn line(&mut self, text: impl AsRef<str>) {
        if !self.json() {
            // A reader that went away (a closed pipe) is no error of ours.
            let _ = writeln!(self.out, "{}", text.as_ref());
        }
    }

    /// Lines for people, folded at [`WIDTH`], each indented by `indent`.
    pub fn prose(&mut self, indent: usize, text: &str) {
        for line in wrap(text, WIDTH.saturating_sub(indent)) {
            self.line(format!("{:indent$}{line}", ""));
        }
    }

    /// The one JSON document on standard output; nothing for people.
    pub fn document<T: Serialize>(&mut self, document: &T) {
        if self.json() {
            self.raw_json(document);
        }
    }

    /// JSON whatever the format.
    pub fn raw_json<T: Serialize>(&mut self, document: &T) {
        if let Ok(text) = serde_json::to_string_pretty(document) {
            let _ = writeln!(self.out, "{text}");
        }
    }

    /// Bytes as they are (a completion script).
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes);
    }

    /// A line on standard error.
    pub fn note(&mut self, text: impl AsRef<str>) {
        let _ = writeln!(self.err, "{}", text.as_ref());
    }
}

/// `text` in a style, with the style ended after it.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// `text` broken into lines of at most `width` columns, at spaces; what is
/// longer than a line stays whole.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width.max(1))
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// Rows as aligned columns without lines between them, folded to stay within
/// [`WIDTH`]. A cell is a style and its text.
pub fn columns(head: &[&str], rows: &[Vec<(Style, String)>]) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH as u16)
        // Colour is decided by the stream it goes to.
        .force_no_tty()
        .enforce_styling()
        .set_header(head.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|(style, text)| {
            let cell = Cell::new(text);
            match *style {
                GOOD => cell.fg(comfy_table::Color::DarkGreen),
                CARE => cell.fg(comfy_table::Color::DarkYellow),
                BAD => cell.fg(comfy_table::Color::DarkRed).add_attribute(Attribute::Bold),
                BOLD => cell.add_attribute(Attribute::Bold),
                DIM => cell.add_attribute(Attribute::Dim),
                _ => cell,
            }
        }));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_stay_within_the_terminal() {
        let rows = vec![
            vec![(GOOD, "fresh".into()), (PLAIN, "DNGB1".into()), (PLAIN, "word ".repeat(40))],
            vec![(BAD, "missing".into()), (PLAIN, "P6-DSGB-01".into()), (PLAIN, "x".into())],
        ];
        let lines: Vec<String> = columns(&["STATE", "SCENARIO", "WHAT"], &rows)
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect();
        assert_eq!(lines[0], "STATE    SCENARIO    WHAT");
        assert!(lines[1].starts_with("fresh    DNGB1       word word"), "{}", lines[1]);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(lines.last().unwrap(), "missing  P6-DSGB-01  x");
    }

    #[test]
    fn long_words_stay_whole() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrap("aaaaaaaa b", 4), ["aaaaaaaa", "b"]);
    }
}
