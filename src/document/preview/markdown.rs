//! The preview as Markdown. Facts and records are lists, which a terminal of 80
//! columns shows whole; only rows are tables.

use super::super::own::sheet::{Block, Cell, Line, Look, Shape, Sheet, Table};
use crate::foreign::markdown::{code, prose};

pub(super) fn write(sheet: &Sheet) -> String {
    let mut page = Page::default();
    if let Some(banner) = sheet.banner {
        page.paragraph(&format!("> **{}**", prose(banner)));
    }
    page.paragraph(&format!("# {}", prose(&sheet.title)));
    page.paragraph(&format!("{}: {}", prose(&sheet.head), prose(&sheet.subtitle)));
    for block in &sheet.blocks {
        match block {
            Block::Heading { level, text } => {
                let marks = if *level == 1 { "##" } else { "###" };
                page.paragraph(&format!("{marks} {}", prose(text)));
            }
            Block::Text { text } => page.paragraph(&begun(prose(text))),
            Block::Warning { text } => page.paragraph(&format!("**{}**", prose(text))),
            Block::Table(table) => page.table(table),
        }
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.line("");
        }
        self.line(text);
    }

    fn table(&mut self, table: &Table) {
        self.line("");
        match table.shape {
            Shape::Facts => {
                for row in &table.rows {
                    let mut cells = row.iter().map(|cell| flat(cell, ", "));
                    let (name, value) =
                        (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
                    self.line(&format!("- {name}: {value}"));
                }
            }
            Shape::Records => table.rows.iter().for_each(|row| self.record(table, row)),
            Shape::Rows => {
                let names = table.columns.iter().map(|column| prose(&column.name));
                self.line(&format!("| {} |", names.collect::<Vec<_>>().join(" | ")));
                self.line(&format!("|{}", " --- |".repeat(table.columns.len())));
                for row in &table.rows {
                    let cells: Vec<String> = row.iter().map(|cell| flat(cell, "<br>")).collect();
                    self.line(&format!("| {} |", cells.join(" | ")));
                }
            }
        }
    }

    /// A thing with many ids: a line for each.
    fn record(&mut self, table: &Table, row: &[Cell]) {
        let mut cells = row.iter().zip(&table.columns);
        if let Some((first, _)) = cells.next() {
            self.line(&format!("- {}", flat(first, ", ")));
        }
        for (cell, column) in cells {
            for line in &cell.lines {
                let (label, text) = (line.label.unwrap_or(&column.name), dressed(line));
                self.line(&format!("  - {}: {text}", prose(label)));
            }
        }
    }
}

/// A cell in one line of Markdown.
fn flat(cell: &Cell, between: &str) -> String {
    let lines = cell.lines.iter().map(|line| match line.label {
        Some(label) => format!("{} {}", prose(label), dressed(line)),
        None => dressed(line),
    });
    let mut text = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(between);
    if cell.grey && !text.is_empty() {
        text = format!("*{text}*");
    }
    match cell.mark {
        Some(mark) => format!("{text} **{}**", prose(mark.trim())),
        None => text,
    }
}

fn dressed(line: &Line) -> String {
    let text = line.text.trim();
    match line.look {
        _ if text.is_empty() => String::new(),
        Look::Plain => prose(text),
        Look::Strong => format!("**{}**", prose(text)),
        Look::Exact | Look::Id => code(text),
    }
}

/// A paragraph that begins with what would begin a list or a rule is none.
fn begun(text: String) -> String {
    match text.starts_with(['-', '.', ':']) {
        true => format!("\\{text}"),
        false => text,
    }
}
