//! The looks of ctc-ready's own documents: headings, tables, page numbers.
//! Made with docx-rs, which writes no time or id of its own making.

use std::io::Cursor;

use chrono::{DateTime, SecondsFormat, Utc};
use docx_rs::{
    AlignmentType, BreakType, Docx, Footer, Header, LineSpacing, NumPages, PageMargin, PageNum,
    Paragraph, Run, RunFonts, Shading, Style, StyleType, Table, TableCell, TableCellMargins,
    TableLayoutType, TableRow, WidthType,
};

use super::error::DocumentError;

/// Twentieths of a point: A4, 210 mm x 297 mm.
const A4: (u32, u32) = (11_906, 16_838);
const MARGIN: i32 = 1_020;
/// Width of a table: the page without its margins.
const WIDTH: usize = 9_866;

const RED: &str = "C00000";
const GREY: &str = "666666";
const RULE: &str = "E7ECEF";

/// Rows of a table that are kept with the next.
const KEPT_ROWS: usize = 15;

/// Half-points.
const BODY: usize = 20;
const SMALL: usize = 14;
/// Ids and digests: a typewriter face is wide.
const TINY: usize = 12;

/// A document under way.
pub(super) struct Paper {
    docx: Docx,
}

/// What a table cell says.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    mark: Option<String>,
    grey: bool,
    mono: bool,
}

impl Cell {
    /// Text; lines end with `\n`.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A remark rather than an answer.
    pub(super) fn grey(text: impl Into<String>) -> Self {
        Self { text: text.into(), grey: true, ..Self::default() }
    }

    /// An id or a digest.
    pub(super) fn mono(text: impl Into<String>) -> Self {
        Self { text: text.into(), mono: true, ..Self::default() }
    }

    /// The same with a bold red mark after it, where there is one.
    pub(super) fn marked(self, mark: Option<&str>) -> Self {
        Self { mark: mark.map(str::to_owned), ..self }
    }
}

impl Paper {
    /// An empty document. `footer` stands on every page beside its number;
    /// `banner` in bold red at the top of every page.
    pub(super) fn new(made: DateTime<Utc>, footer: &str, banner: Option<&str>) -> Self {
        let made = made.to_rfc3339_opts(SecondsFormat::Secs, true);
        let heading = |id: &str, name: &str, size: usize, level: usize| {
            Style::new(id, StyleType::Paragraph)
                .name(name)
                .based_on("Normal")
                .next("Normal")
                .size(size)
                .bold()
                .color("14304F")
                .outline_lvl(level)
                .line_spacing(LineSpacing::new().before(280).after(100))
        };
        let numbers = Paragraph::new()
            .style("Footer")
            .add_run(Run::new().add_text(clean(footer)))
            .add_run(Run::new().add_text(", page "))
            .add_page_num(PageNum::new())
            .add_run(Run::new().add_text(" of "))
            .add_num_pages(NumPages::new());
        let mut docx = Docx::new()
            .created_at(&made)
            .updated_at(&made)
            .page_size(A4.0, A4.1)
            .page_margin(PageMargin {
                top: MARGIN,
                left: MARGIN,
                bottom: MARGIN,
                right: MARGIN,
                header: 500,
                footer: 500,
                gutter: 0,
            })
            .default_fonts(RunFonts::new().ascii("Arial").hi_ansi("Arial").cs("Arial"))
            .default_size(BODY)
            .default_line_spacing(LineSpacing::new().after(80))
            .add_style(heading("Heading1", "heading 1", 30, 0))
            .add_style(heading("Heading2", "heading 2", 23, 1))
            .add_style(
                Style::new("Footer", StyleType::Paragraph)
                    .name("footer")
                    .based_on("Normal")
                    .size(SMALL)
                    .color(GREY)
                    .align(AlignmentType::Center),
            )
            .footer(Footer::new().add_paragraph(numbers));
        if let Some(banner) = banner {
            let run = Run::new().add_text(clean(banner)).bold().color(RED).size(26);
            let top = Paragraph::new().align(AlignmentType::Center).add_run(run);
            docx = docx.header(Header::new().add_paragraph(top));
        }
        Self { docx }
    }

    /// The title of the document and the line under it.
    pub(super) fn title(mut self, title: &str, subtitle: &str) -> Self {
        let title = Run::new().add_text(clean(title)).bold().size(44).color("14304F");
        let subtitle = Run::new().add_text(clean(subtitle)).size(26).color(GREY);
        self.docx = self
            .docx
            .add_paragraph(Paragraph::new().add_run(title))
            .add_paragraph(Paragraph::new().add_run(subtitle));
        self
    }

    /// A heading of level 1 or 2.
    pub(super) fn heading(mut self, level: usize, text: &str) -> Self {
        let style = if level == 1 { "Heading1" } else { "Heading2" };
        let run = Run::new().add_text(clean(text));
        let heading = Paragraph::new().style(style).keep_next(true).add_run(run);
        self.docx = self.docx.add_paragraph(heading);
        self
    }

    /// A paragraph.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.docx = self.docx.add_paragraph(Paragraph::new().add_run(lines(Run::new(), text)));
        self
    }

    /// A bold red paragraph.
    pub(super) fn warning(mut self, text: &str) -> Self {
        let run = lines(Run::new(), text).bold().color(RED);
        self.docx = self.docx.add_paragraph(Paragraph::new().add_run(run));
        self
    }

    /// A table whose first row names the columns and is repeated on every
    /// page. Each column has a share of the width. `small` is for long tables
    /// of ids; others are kept on one page if they can be.
    pub(super) fn table(
        mut self,
        columns: &[(&str, usize)],
        rows: &[Vec<Cell>],
        small: bool,
    ) -> Self {
        let size = if small { SMALL } else { BODY };
        let shares: usize = columns.iter().map(|(_, share)| share).sum::<usize>().max(1);
        let widths: Vec<usize> = columns.iter().map(|(_, share)| WIDTH * share / shares).collect();
        let head = columns.iter().zip(&widths).map(|((name, _), width)| {
            let run = Run::new().add_text(clean(name)).bold().size(size);
            TableCell::new()
                .width(*width, WidthType::Dxa)
                .shading(Shading::new().fill(RULE))
                .add_paragraph(Paragraph::new().keep_next(true).add_run(run))
        });
        let mut table = vec![TableRow::new(head.collect()).cant_split()];
        for (number, row) in rows.iter().enumerate() {
            let keep = !small && number + 1 < rows.len().min(KEPT_ROWS);
            let cells = row.iter().zip(&widths).map(|(cell, width)| {
                TableCell::new()
                    .width(*width, WidthType::Dxa)
                    .add_paragraph(paragraph(cell, size).keep_next(keep))
            });
            table.push(TableRow::new(cells.collect()).cant_split());
        }
        let table = Table::new(table)
            .set_grid(widths)
            .width(WIDTH, WidthType::Dxa)
            .layout(TableLayoutType::Fixed)
            .margins(TableCellMargins::new().margin(40, 80, 0, 80));
        self.docx = self.docx.add_table(table).add_paragraph(Paragraph::new());
        self
    }

    /// The document as `.docx`.
    pub(super) fn finish(self) -> Result<Vec<u8>, DocumentError> {
        let mut parts = self.docx.build();
        parts.document = with_header_rows(&parts.document);
        // docx-rs has no way to name the author.
        let core = String::from_utf8_lossy(&parts.doc_props.core);
        parts.doc_props.core = core.replace(">unknown<", ">ctc-ready<").into_bytes();
        let mut out = Cursor::new(Vec::new());
        parts.pack(&mut out).map_err(|error| DocumentError::Write(error.to_string()))?;
        Ok(out.into_inner())
    }
}

/// Marks the first row of every table as its header row, for which docx-rs
/// has no call. Text cannot contain a tag: it is escaped.
fn with_header_rows(document: &[u8]) -> Vec<u8> {
    let document = String::from_utf8_lossy(document);
    let mut tables = document.split("<w:tbl>");
    let mut out = tables.next().unwrap_or_default().to_owned();
    for table in tables {
        out.push_str("<w:tbl>");
        out.push_str(&table.replacen("<w:trPr>", "<w:trPr><w:tblHeader />", 1));
    }
    out.into_bytes()
}

fn paragraph(cell: &Cell, size: usize) -> Paragraph {
    let mut run = lines(Run::new(), &cell.text).size(size);
    if cell.grey {
        run = run.color(GREY).italic();
    }
    if cell.mono {
        run = run.size(TINY);
        let mono = "Courier New";
        run = run.fonts(RunFonts::new().ascii(mono).hi_ansi(mono).cs(mono));
    }
    let paragraph = Paragraph::new().add_run(run);
    match &cell.mark {
        Some(mark) => {
            let mark = Run::new().add_text(clean(mark)).bold().color(RED).size(size);
            paragraph.add_run(mark)
        }
        None => paragraph,
    }
}

fn lines(run: Run, text: &str) -> Run {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    lines.fold(run.add_text(clean(first)), |run, line| {
        run.add_break(BreakType::TextWrapping).add_text(clean(line))
    })
}

/// Without what XML cannot hold.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}')).collect()
}
