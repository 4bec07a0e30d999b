//! The only place that writes to standard output and standard error. No secret
//! that is known leaves by it (`mask`).

use std::borrow::Cow;
use std::io::Write;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use serde::Serialize;

use super::args::{Color, Format};
use super::failure::{Failure, Kind};
use super::mask;

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
    /// Lines for people go to standard error: programs read the other one.
    aside: bool,
    /// The first thing that went wrong on standard output.
    lost: Option<std::io::Error>,
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
            aside: false,
            lost: None,
        }
    }

    /// Whether standard error shows colour.
    pub fn colours_notes(&self) -> bool {
        self.err.current_choice() != anstream::ColorChoice::Never
    }

    /// Makes sure that everything printed has left.
    ///
    /// # Errors
    /// When it has not: the disk behind standard output is full, say. A reader
    /// that went away (a closed pipe) has read all it wanted.
    pub fn close(&mut self) -> Result<(), Failure> {
        let flushed = self.out.flush();
        self.keep(flushed);
        match self.lost.take() {
            Some(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
                Kind::Environment,
                format!("standard output cannot be written: {error}"),
            )
            .hint("the command was carried out; only its output is lost")),
            _ => Ok(()),
        }
    }

    fn keep(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written {
            self.lost.get_or_insert(error);
        }
    }

    /// Whether standard output carries JSON.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// A line for people on standard output; nothing for programs.
    pub fn line(&mut self, text: impl AsRef<str>) {
        if self.aside {
            self.note(text);
        } else if self.format == Format::Human {
            let written = writeln!(self.out, "{}", tame(&mask::known_text(text.as_ref())));
            self.keep(written);
        }
    }

    /// From now on, lines for people go to standard error.
    pub fn step_aside(&mut self) {
        self.aside = true;
    }

    /// JSON in one line on standard output, whatever the format; there at once.
    pub fn json_line<T: Serialize>(&mut self, document: &T) {
        let written = match serde_json::to_string(document) {
            Ok(text) => {
                let text = mask::known_text(&text);
                writeln!(self.out, "{text}").and_then(|()| self.out.flush())
            }
            Err(error) => Err(error.into()),
        };
        self.keep(written);
    }

    /// Lines for people, folded at [`WIDTH`], each indented by `indent`.
    pub fn prose(&mut self, indent: usize, text: &str) {
        for line in wrap(text, WIDTH.saturating_sub(indent)) {
            self.line(format!("{:indent$}{line}", ""));
        }
    }

    /// A paragraph on standard error, folded at [`WIDTH`].
    pub fn remark(&mut self, text: &str) {
        wrap(text, WIDTH).iter().for_each(|line| self.note(line));
    }

    /// The one JSON document on standard output; nothing for people.
    pub fn document<T: Serialize>(&mut self, document: &T) {
        if self.json() {
            self.raw_json(document);
        }
    }

    /// JSON whatever the format.
    pub fn raw_json<T: Serialize>(&mut self, document: &T) {
        let written = match serde_json::to_string_pretty(document) {
            Ok(text) => writeln!(self.out, "{}", mask::known_text(&text)),
            Err(error) => Err(error.into()),
        };
        self.keep(written);
    }

    /// Bytes as they are (a completion script).
    pub fn raw(&mut self, bytes: &[u8]) {
        let written = self.out.write_all(&mask::known(bytes));
        self.keep(written);
    }

    /// A line on standard error.
    pub fn note(&mut self, text: impl AsRef<str>) {
        // Should standard error be gone, nobody is left to tell.
        let _ = writeln!(self.err, "{}", tame(&mask::known_text(text.as_ref())));
    }
}

/// `text` without the control characters by which a server or a file could
/// rewrite the screen; line breaks, tabs and colours stay.
pub fn tame(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut tamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let coloured = colour(rest);
        let (this, after) = rest.split_at(coloured.unwrap_or(c.len_utf8()));
        match coloured.is_some() || harmless(c) {
            true => tamed.push_str(this),
            false => tamed.push(char::REPLACEMENT_CHARACTER),
        }
        rest = after;
    }
    Cow::Owned(tamed)
}

/// The length of the colour sequence (`ESC [ numbers m`) that `text` begins
/// with.
fn colour(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    inner.get(end..)?.starts_with('m').then_some(end + 3)
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

/// `text` folded at [`WIDTH`], with every line but the first further in.
pub fn hanging(indent: usize, text: &str) -> Vec<String> {
    let further = indent + 4;
    let lines = wrap(text, WIDTH - further).into_iter().zip(0..);
    lines
        .map(|(line, place)| {
            let indent = if place == 0 { indent } else { further };
            format!("{:indent$}{line}", "")
        })
        .collect()
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
    fn nobody_else_moves_the_cursor() {
        let painted = paint(BAD, "error");
        assert_eq!(tame(&painted), painted);
        assert_eq!(tame("a\tb\nc é 株"), "a\tb\nc é 株");
        assert_eq!(tame("a\u{1b}[2Jb\rc\u{7}\u{9b}1m"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}1m");
        assert_eq!(tame("\u{1b}["), "\u{fffd}[");
    }

    #[test]
    fn long_words_stay_whole() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrap("aaaaaaaa b", 4), ["aaaaaaaa", "b"]);
    }
}
