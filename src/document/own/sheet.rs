//! What a document of ours consists of, whatever it is written as: `paper`
//! makes Word of it, `preview` HTML and Markdown.

use serde::Serialize;

/// A document.
#[derive(Clone, Debug, Serialize)]
pub(in crate::document) struct Sheet {
    /// Its title.
    pub title: String,
    /// The line under the title.
    pub subtitle: String,
    /// At the top of every page: the software and its version.
    pub head: String,
    /// At the bottom of every page, before its number.
    pub foot: String,
    /// In bold red on every page: what it is not.
    pub banner: Option<&'static str>,
    /// What stands in it.
    pub blocks: Vec<Block>,
}

/// A piece of a document.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(in crate::document) enum Block {
    /// A heading of level 1 or 2.
    Heading {
        /// The level.
        level: u8,
        /// What it says.
        text: String,
    },
    /// A paragraph.
    Text {
        /// What it says.
        text: String,
    },
    /// A paragraph that nobody should miss.
    Warning {
        /// What it says.
        text: String,
    },
    /// A table.
    Table(Table),
}

/// A table.
#[derive(Clone, Debug, Serialize)]
pub(in crate::document) struct Table {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows; each has a cell for every column.
    pub rows: Vec<Vec<Cell>>,
    /// What it is for.
    pub shape: Shape,
}

/// A column of a table.
#[derive(Clone, Debug, Serialize)]
pub(in crate::document) struct Column {
    /// What its head says.
    pub name: String,
    /// Its share of the width.
    pub share: usize,
}

/// What a table is for, and so how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::document) enum Shape {
    /// Names and values of one thing: two columns, no head.
    Facts,
    /// Rows to be read one after the other.
    Rows,
    /// Things with many ids each: small.
    Records,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::document) struct Cell {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Stands after the last line, in bold red.
    pub mark: Option<&'static str>,
    /// A remark rather than a value.
    pub grey: bool,
}

/// A line of a cell.
#[derive(Clone, Debug, Serialize)]
pub(in crate::document) struct Line {
    /// What it is, where a cell holds several things.
    pub label: Option<&'static str>,
    /// What it says.
    pub text: String,
    /// How.
    pub look: Look,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::document) enum Look {
    /// Text.
    Plain,
    /// Text that stands out.
    Strong,
    /// A time or an answer, to be copied as it is.
    Exact,
    /// An id or a digest, to be compared and copied.
    Id,
}

impl Cell {
    fn of(text: &str, look: Look) -> Self {
        let line = |text: &str| Line { label: None, text: text.to_owned(), look };
        Self { lines: text.lines().map(line).collect(), ..Self::default() }
    }

    /// A value; lines end with `\n`.
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::of(text.as_ref(), Look::Plain)
    }

    /// A value that stands out.
    pub(super) fn strong(text: impl AsRef<str>) -> Self {
        Self::of(text.as_ref(), Look::Strong)
    }

    /// A time or an answer; lines end with `\n`.
    pub(super) fn exact(text: impl AsRef<str>) -> Self {
        Self::of(text.as_ref(), Look::Exact)
    }

    /// An id or a digest.
    pub(super) fn id(text: impl AsRef<str>) -> Self {
        Self::of(text.as_ref(), Look::Id)
    }

    /// A sentence of ours, with backticks round names.
    pub(super) fn said(text: &str) -> Self {
        Self::text(quoted(text))
    }

    /// The same, as a remark.
    pub(super) fn remark(text: &str) -> Self {
        Self { grey: true, ..Self::said(text) }
    }

    /// Several things, each with what it is.
    pub(super) fn labelled(
        lines: impl IntoIterator<Item = (&'static str, String)>,
        look: Look,
    ) -> Self {
        let line = |(label, text)| Line { label: Some(label), text, look };
        Self { lines: lines.into_iter().map(line).collect(), ..Self::default() }
    }

    /// The same with a mark after it, where there is one.
    pub(super) fn marked(self, mark: Option<&'static str>) -> Self {
        Self { mark, ..self }
    }
}

/// A fact: its name and its value.
pub(super) fn fact(name: &str, value: Cell) -> Vec<Cell> {
    vec![Cell::strong(name), value]
}

impl Table {
    /// A table with these columns and their shares of the width.
    pub(super) fn new(shape: Shape, columns: &[(&str, usize)], rows: Vec<Vec<Cell>>) -> Self {
        let column =
            |(name, share): &(&str, usize)| Column { name: (*name).to_owned(), share: *share };
        Self { columns: columns.iter().map(column).collect(), rows, shape }
    }

    /// Names and values.
    pub(super) fn facts(rows: Vec<Vec<Cell>>) -> Self {
        Self::new(Shape::Facts, &[("Item", 5), ("Value", 13)], rows)
    }
}

/// Blocks, one after the other.
#[derive(Debug, Default)]
pub(super) struct Blocks(pub Vec<Block>);

impl Blocks {
    pub(super) fn heading(&mut self, level: u8, text: &str) {
        self.0.push(Block::Heading { level, text: text.to_owned() });
    }

    /// A paragraph of ours, with backticks round names.
    pub(super) fn text(&mut self, text: &str) {
        self.0.push(Block::Text { text: quoted(text) });
    }

    pub(super) fn warning(&mut self, text: &str) {
        self.0.push(Block::Warning { text: text.to_owned() });
    }

    pub(super) fn table(&mut self, table: Table) {
        self.0.push(Block::Table(table));
    }
}

/// A sentence of ours as people print it: quotation marks for the backticks
/// round names, where they are pairs.
fn quoted(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + parts.len() * 2);
    for (nth, part) in parts.iter().enumerate() {
        if nth > 0 {
            out.push(if nth.is_multiple_of(2) { '’' } else { '‘' });
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_the_backticks_are_pairs() {
        assert_eq!(quoted("run `A` or `B`"), "run ‘A’ or ‘B’");
        assert_eq!(quoted("a ` b"), "a ` b");
        assert_eq!(quoted(""), "");
    }
}
