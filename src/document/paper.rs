//! Our own documents as Word files: headings, tables, page numbers. Made with
//! docx-rs, which writes no time or id of its own making.

use std::io::Cursor;

use chrono::{DateTime, SecondsFormat, Utc};
use docx_rs::{
    AlignmentType, BreakType, Docx, Footer, Header, LineSpacing, NumPages, PageMargin, PageNum,
    Paragraph, Run, RunFonts, Shading, SpecialIndentType, Style, StyleType, Tab, TabValueType,
    Table as WordTable, TableBorder, TableBorderPosition, TableBorders, TableCell,
    TableCellMargins, TableLayoutType, TableRow, WidthType,
};

use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::error::DocumentError;
use super::order::in_order;
use super::own::sheet::{Block, Cell, Line, Look, Shape, Sheet, Table};

/// Twentieths of a point: A4, 210 mm x 297 mm.
const A4: (u32, u32) = (11_906, 16_838);
/// 12.7 mm.
const MARGIN: i32 = 720;
/// Width of a table: the page without its margins.
const WIDTH: usize = 10_466;
/// Where what follows a label begins.
const AFTER_LABEL: usize = 630;

const BLUE: &str = "14304F";
const RED: &str = "C00000";
const GREY: &str = "666666";
const SHADE: &str = "E7ECEF";
const RULE: &str = "AEB8C2";

const SANS: &str = "Arial";
const MONO: &str = "Courier New";

/// Half-points.
const BODY: usize = 20;
const LABEL: usize = 12;
const EDGE: usize = 16;

/// Rows of facts that are kept on one page, if they can be: a screenful.
const KEPT_ROWS: usize = 20;

/// Half-points of text and of ids in a table. An id must fit its column: a digit
/// of the typewriter face is 0.6 of its size wide.
fn sizes(shape: Shape) -> (usize, usize) {
    match shape {
        Shape::Facts => (19, 16),
        Shape::Rows => (17, 14),
        Shape::Records => (15, 14),
    }
}

/// Writes a document. The same sheet and instant yield the same bytes.
pub(super) fn write(sheet: &Sheet, made: DateTime<Utc>) -> Result<Vec<u8>, DocumentError> {
    let mut docx = empty(sheet, made)
        .add_paragraph(Paragraph::new().style("Title").add_run(text_run(&sheet.title)))
        .add_paragraph(Paragraph::new().style("Subtitle").add_run(text_run(&sheet.subtitle)));
    let mut heads = Vec::new();
    // What follows a heading introduces what comes next, and stays with it.
    let mut opened = false;
    for block in &sheet.blocks {
        docx = match block {
            Block::Heading { level, text } => {
                let style = if *level == 1 { "Heading1" } else { "Heading2" };
                let heading = Paragraph::new().style(style).keep_next(true);
                docx.add_paragraph(heading.add_run(text_run(text)))
            }
            Block::Text { text } => {
                let paragraph = Paragraph::new().keep_next(opened);
                docx.add_paragraph(paragraph.add_run(lines(Run::new(), text.lines())))
            }
            Block::Warning { text } => {
                let run = lines(Run::new(), text.lines()).bold().color(RED);
                docx.add_paragraph(Paragraph::new().keep_next(true).add_run(run))
            }
            Block::Table(table) => {
                heads.push(table.shape != Shape::Facts);
                // Word takes two tables without a paragraph between for one.
                let gap = Paragraph::new().line_spacing(LineSpacing::new().after(60)).size(8);
                docx.add_table(word_table(table)).add_paragraph(gap)
            }
        };
        opened = match block {
            Block::Heading { .. } => true,
            Block::Table(_) => false,
            Block::Text { .. } | Block::Warning { .. } => opened,
        };
    }
    let mut parts = docx.build();
    parts.document = in_order(&with_header_rows(&parts.document, &heads));
    for part in [&mut parts.styles, &mut parts.settings] {
        *part = in_order(part);
    }
    for part in parts.headers.iter_mut().chain(&mut parts.footers) {
        *part = in_order(part);
    }
    // docx-rs has no way to name the author.
    let core = String::from_utf8_lossy(&parts.doc_props.core);
    parts.doc_props.core = core.replace(">unknown<", ">ctc-ready<").into_bytes();
    let mut out = Cursor::new(Vec::new());
    parts.pack(&mut out).map_err(|error| DocumentError::Write(error.to_string()))?;
    compressed(out).map_err(|error| DocumentError::Write(error.to_string()))
}

/// The archive with its members compressed, a tenth of its size: it goes by mail.
fn compressed(archive: Cursor<Vec<u8>>) -> ZipResult<Vec<u8>> {
    let mut from = ZipArchive::new(archive)?;
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let mut member = from.by_index(index)?;
        // No form of Word's has entries for folders.
        if member.is_dir() {
            continue;
        }
        // The same bytes on every machine: no time, no rights of a file.
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        to.start_file(member.name().to_owned(), options)?;
        std::io::copy(&mut member, &mut to)?;
    }
    Ok(to.finish()?.into_inner())
}

/// Page, styles, header and footer.
fn empty(sheet: &Sheet, made: DateTime<Utc>) -> Docx {
    let made = made.to_rfc3339_opts(SecondsFormat::Secs, true);
    let style = |id: &str, name: &str, size: usize| {
        Style::new(id, StyleType::Paragraph).name(name).based_on("Normal").next("Normal").size(size)
    };
    let heading = |id: &str, name: &str, size: usize, level: usize, before: u32| {
        let spacing = LineSpacing::new().before(before).after(100);
        style(id, name, size).bold().color(BLUE).outline_lvl(level).line_spacing(spacing)
    };
    let close = || LineSpacing::new().after(60);
    let numbers = Paragraph::new()
        .style("Footer")
        .add_run(text_run(&sheet.foot))
        .add_run(text_run(", page "))
        .add_page_num(PageNum::new())
        .add_run(text_run(" of "))
        .add_num_pages(NumPages::new());
    let mut header = Header::new()
        .add_paragraph(Paragraph::new().style("Header").add_run(text_run(&sheet.head)));
    if let Some(banner) = sheet.banner {
        let run = text_run(banner).bold().color(RED).size(26);
        header = header.add_paragraph(Paragraph::new().align(AlignmentType::Center).add_run(run));
    }
    Docx::new()
        .created_at(&made)
        .updated_at(&made)
        .page_size(A4.0, A4.1)
        .page_margin(PageMargin {
            top: 1_100,
            left: MARGIN,
            bottom: 1_000,
            right: MARGIN,
            header: 500,
            footer: 450,
            gutter: 0,
        })
        .default_fonts(RunFonts::new().ascii(SANS).hi_ansi(SANS).cs(SANS).east_asia(SANS))
        .default_size(BODY)
        .default_line_spacing(LineSpacing::new().after(80))
        .add_style(style("Title", "Title", 44).bold().color(BLUE).line_spacing(close()))
        .add_style(
            style("Subtitle", "Subtitle", 26)
                .color(GREY)
                .line_spacing(LineSpacing::new().after(200)),
        )
        .add_style(heading("Heading1", "heading 1", 30, 0, 360))
        .add_style(heading("Heading2", "heading 2", 23, 1, 240))
        .add_style(style("Header", "header", EDGE).color(GREY).line_spacing(close()))
        .add_style(style("Footer", "footer", EDGE).color(GREY).align(AlignmentType::Center))
        .header(header)
        .footer(Footer::new().add_paragraph(numbers))
}

/// A table. Rows stay whole, and the row that names the columns is repeated on
/// every page.
fn word_table(table: &Table) -> WordTable {
    let (size, _) = sizes(table.shape);
    let shares: usize = table.columns.iter().map(|column| column.share).sum::<usize>().max(1);
    let widths: Vec<usize> =
        table.columns.iter().map(|column| WIDTH * column.share / shares).collect();
    let cell = |width: &usize| TableCell::new().width(*width, WidthType::Dxa);
    let mut rows = Vec::new();
    let facts = table.shape == Shape::Facts;
    if !facts {
        let head = table.columns.iter().zip(&widths).map(|(column, width)| {
            let run = text_run(&column.name).bold().size(size);
            let name = Paragraph::new().line_spacing(tight()).keep_next(true).add_run(run);
            cell(width).shading(Shading::new().fill(SHADE)).add_paragraph(name)
        });
        rows.push(TableRow::new(head.collect()).cant_split());
    }
    for (number, row) in table.rows.iter().enumerate() {
        let keep = facts && number + 1 < table.rows.len().min(KEPT_ROWS);
        let cells = row.iter().zip(&widths).map(|(value, width)| {
            paragraphs(value, table.shape)
                .into_iter()
                .fold(cell(width), |cell, each| cell.add_paragraph(each.keep_next(keep)))
        });
        rows.push(TableRow::new(cells.collect()).cant_split());
    }
    WordTable::new(rows)
        .set_grid(widths)
        .width(WIDTH, WidthType::Dxa)
        .layout(TableLayoutType::Fixed)
        .margins(TableCellMargins::new().margin(40, 80, 40, 80))
        .set_borders(rules())
}

/// Thin lines between cells and round the table.
fn rules() -> TableBorders {
    use TableBorderPosition::{Bottom, InsideH, InsideV, Left, Right, Top};
    let rule = |position| TableBorder::new(position).size(4).color(RULE);
    [Top, Left, Bottom, Right, InsideH, InsideV]
        .into_iter()
        .fold(TableBorders::new(), |borders, position| borders.set(rule(position)))
}

fn tight() -> LineSpacing {
    LineSpacing::new().after(0)
}

/// Lines without label are one paragraph, each with one is its own: its value
/// begins below that of the line before.
fn paragraphs(cell: &Cell, shape: Shape) -> Vec<Paragraph> {
    let paragraph = || Paragraph::new().line_spacing(tight());
    let plain = cell.lines.iter().take_while(|line| line.label.is_none()).count();
    let (plain, labelled) = cell.lines.split_at(plain);
    let mut out = Vec::new();
    if !plain.is_empty() || labelled.is_empty() {
        let runs = plain.iter().enumerate().map(|(nth, line)| {
            let run =
                if nth > 0 { Run::new().add_break(BreakType::TextWrapping) } else { Run::new() };
            dressed(run.add_text(clean(&line.text)), line.look, cell.grey, shape)
        });
        out.push(runs.fold(paragraph(), Paragraph::add_run));
    }
    for Line { label, text, look } in labelled {
        let label = Run::new().add_text(clean(label.unwrap_or_default())).size(LABEL).color(GREY);
        let value = dressed(Run::new().add_text(clean(text)), *look, cell.grey, shape);
        let indent = i32::try_from(AFTER_LABEL).unwrap_or_default();
        out.push(
            paragraph()
                .indent(Some(indent), Some(SpecialIndentType::Hanging(indent)), None, None)
                .add_tab(Tab::new().val(TabValueType::Left).pos(AFTER_LABEL))
                .add_run(label.add_tab())
                .add_run(value),
        );
    }
    if let Some(mark) = cell.mark
        && let Some(last) = out.pop()
    {
        let mark = text_run(mark).bold().color(RED).size(sizes(shape).0);
        out.push(last.add_run(mark));
    }
    out
}

fn dressed(run: Run, look: Look, grey: bool, shape: Shape) -> Run {
    let (text, id) = sizes(shape);
    let run = match look {
        Look::Plain | Look::Exact => run.size(text),
        Look::Strong => run.size(text).bold(),
        Look::Id => run.size(id).fonts(RunFonts::new().ascii(MONO).hi_ansi(MONO).cs(MONO)),
    };
    if grey { run.color(GREY).italic() } else { run }
}

fn text_run(text: &str) -> Run {
    Run::new().add_text(clean(text))
}

fn lines<'a>(run: Run, mut lines: impl Iterator<Item = &'a str>) -> Run {
    let first = lines.next().unwrap_or_default();
    lines.fold(run.add_text(clean(first)), |run, line| {
        run.add_break(BreakType::TextWrapping).add_text(clean(line))
    })
}

/// Marks the first row of every table that has `heads` as its header row, for
/// which docx-rs has no call. Text cannot contain a tag: it is escaped.
fn with_header_rows(document: &[u8], heads: &[bool]) -> Vec<u8> {
    let document = String::from_utf8_lossy(document);
    let mut tables = document.split("<w:tbl>");
    let mut out = tables.next().unwrap_or_default().to_owned();
    for (table, head) in tables.zip(heads) {
        out.push_str("<w:tbl>");
        match head {
            true => out.push_str(&table.replacen("<w:trPr>", "<w:trPr><w:tblHeader />", 1)),
            false => out.push_str(table),
        }
    }
    out.into_bytes()
}

/// Without what XML cannot hold.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}')).collect()
}
