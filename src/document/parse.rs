//! Reading `word/document.xml` event by event, with byte offsets, into a
//! [`Body`]. Bounded in depth and in the number of things it keeps; a DOCTYPE
//! or an entity of its own is an error.

use std::ops::Range;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::body::{
    Body, CROSSED_BOX, Checkbox, Control, EMPTY_BOX, FormBox, Item, Paragraph, Props, Run, Symbol,
    normalise,
};
use super::error::DocumentError;

const W: &[u8] = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const W14: &[u8] = b"http://schemas.microsoft.com/office/word/2010/wordml";
const MC: &[u8] = b"http://schemas.openxmlformats.org/markup-compatibility/2006";

const MEMBER: &str = "word/document.xml";
const MAX_DEPTH: usize = 200;
const MAX_PARAGRAPHS: usize = 100_000;
const MAX_ITEMS: usize = 500_000;
const MAX_CONTROLS: usize = 20_000;
/// Each is looked at for every name below it. Word declares some forty, and
/// two more for every picture.
const MAX_DECLARATIONS: usize = 1_000;

/// Stands for a picture or another thing that is not text.
const OBJECT: char = '\u{FFFC}';

/// What an open element means to us.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Open {
    Body,
    Paragraph(usize),
    ParagraphProps,
    Run,
    RunProps { of_mark: bool },
    Text,
    Table,
    Row,
    Cell,
    FormField,
    FormData,
    FormBox(usize),
    Control(usize),
    ControlProps,
    ControlContent(usize),
    Checkbox,
    Skipped,
    Other,
}

/// A document being read.
pub(super) struct Parser<'a> {
    document: &'a str,
    body: Body,
    stack: Vec<Open>,
    /// Open paragraphs: text boxes put one inside another.
    paragraphs: Vec<OpenParagraph>,
    tables: Vec<u32>,
    rows: Vec<u32>,
    cells: Vec<u32>,
    next_id: u32,
    items: usize,
    declarations: usize,
    found_body: bool,
}

struct OpenParagraph {
    index: usize,
    depth: usize,
    run: Option<(usize, Option<Props>)>,
    mark: Option<Props>,
    /// Runs whose child of the paragraph is still open.
    unfinished: usize,
    /// The index that the run now open will have once it holds something.
    kept_run: Option<usize>,
}

impl<'a> Parser<'a> {
    /// A parser of the text of `word/document.xml`.
    pub(super) fn new(document: &'a str) -> Self {
        Self {
            document,
            body: Body::default(),
            stack: Vec::new(),
            paragraphs: Vec::new(),
            tables: Vec::new(),
            rows: Vec::new(),
            cells: Vec::new(),
            next_id: 0,
            items: 0,
            declarations: 0,
            found_body: false,
        }
    }

    /// Reads to the end.
    pub(super) fn run(mut self) -> Result<Body, DocumentError> {
        let mut reader = NsReader::from_str(self.document);
        loop {
            let start = position(&reader);
            let (namespace, event) =
                reader.read_resolved_event().map_err(|error| broken(error.to_string(), start))?;
            let kind = Namespace::of(&namespace);
            drop(namespace);
            match event {
                Event::Start(tag) => {
                    let end = position(&reader);
                    self.open(kind, &tag, start..end)?;
                }
                Event::Empty(tag) => {
                    let end = position(&reader);
                    self.open(kind, &tag, start..end)?;
                    self.close(end, end, true);
                }
                Event::End(_) => {
                    let end = position(&reader);
                    self.close(start, end, false);
                }
                Event::Text(_) | Event::CData(_) => {
                    let cdata = matches!(event, Event::CData(_));
                    let end = position(&reader);
                    self.text(start..end, cdata)?;
                }
                Event::GeneralRef(reference) => {
                    let c = resolve(&reference).ok_or_else(|| {
                        broken("it refers to an entity that XML does not define".into(), start)
                    })?;
                    let end = position(&reader);
                    if self.stack.last() == Some(&Open::Text) {
                        self.item(c.to_string(), start..end, true)?;
                    }
                }
                Event::DocType(_) => return Err(broken("it has a DOCTYPE".into(), start)),
                Event::Eof => break,
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
        }
        if !self.stack.is_empty() {
            return Err(broken("it ends in the middle".into(), self.document.len()));
        }
        if !self.found_body {
            return Err(broken("it has no document body".into(), 0));
        }
        // Attributes need a prefix to be in a namespace at all.
        if self.body.prefix.is_empty() {
            return Err(broken("its namespaces are not as Word writes them".into(), 0));
        }
        self.finish_texts();
        Ok(self.body)
    }

    fn open(
        &mut self,
        namespace: Namespace,
        tag: &BytesStart<'_>,
        range: Range<usize>,
    ) -> Result<(), DocumentError> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(broken("its elements are nested too deeply".into(), range.start));
        }
        let declared = tag.attributes_raw().windows(6).filter(|window| window == b" xmlns");
        self.declarations += declared.count();
        if self.declarations > MAX_DECLARATIONS {
            let limit = MAX_DECLARATIONS;
            return Err(DocumentError::TooMany { what: "namespace declarations", limit });
        }
        let parent = self.stack.last().copied();
        let local = tag.local_name();
        let open = if parent == Some(Open::Skipped) {
            Open::Skipped
        } else {
            match (namespace, local.as_ref()) {
                // The fallback repeats for old readers what was said before.
                (Namespace::Mc, b"Fallback") => Open::Skipped,
                (Namespace::W, name) => self.open_w(name, tag, parent, &range)?,
                (Namespace::W14, name) => self.open_w14(name, tag, parent, &range)?,
                _ => Open::Other,
            }
        };
        if let (Some(Open::RunProps { of_mark }), Some(paragraph)) =
            (parent, self.paragraphs.last_mut())
        {
            let name = String::from_utf8_lossy(local.as_ref()).into_owned();
            let props = if of_mark {
                paragraph.mark.as_mut()
            } else {
                paragraph.run.as_mut().and_then(|(_, props)| props.as_mut())
            };
            if let Some(props) = props {
                props.children.push((name, range.clone()));
            }
        }
        self.stack.push(open);
        Ok(())
    }

    fn open_w(
        &mut self,
        name: &[u8],
        tag: &BytesStart<'_>,
        parent: Option<Open>,
        range: &Range<usize>,
    ) -> Result<Open, DocumentError> {
        Ok(match name {
            b"body" => {
                self.found_body = true;
                self.body.start = range.end;
                let full = tag.name();
                let prefix = full.prefix().map(|prefix| prefix.into_inner().to_vec());
                self.body.prefix =
                    String::from_utf8_lossy(&prefix.unwrap_or_default()).into_owned();
                Open::Body
            }
            b"tbl" => {
                self.next_id += 1;
                self.tables.push(self.next_id);
                Open::Table
            }
            b"tr" => {
                self.next_id += 1;
                self.rows.push(self.next_id);
                Open::Row
            }
            b"tc" => {
                self.next_id += 1;
                self.cells.push(self.next_id);
                Open::Cell
            }
            b"p" => self.open_paragraph(range)?,
            b"pPr" => Open::ParagraphProps,
            b"r" if !self.paragraphs.is_empty() => {
                if let Some(paragraph) = self.paragraphs.last_mut() {
                    paragraph.run = Some((range.start, None));
                    paragraph.kept_run = None;
                }
                Open::Run
            }
            b"rPr" => match (parent, self.paragraphs.last_mut()) {
                (Some(Open::ParagraphProps), Some(paragraph)) => {
                    paragraph.mark = Some(Props::default());
                    Open::RunProps { of_mark: true }
                }
                (Some(Open::Run), Some(paragraph)) => {
                    if let Some((_, props)) = paragraph.run.as_mut() {
                        *props = Some(Props::default());
                    }
                    Open::RunProps { of_mark: false }
                }
                _ => Open::Other,
            },
            b"t" if parent == Some(Open::Run) => Open::Text,
            b"tab" | b"ptab" if parent == Some(Open::Run) => self.thing('\t', range)?,
            b"br" | b"cr" if parent == Some(Open::Run) => self.thing('\n', range)?,
            b"drawing" | b"pict" | b"object" | b"sym" if parent == Some(Open::Run) => {
                self.thing(OBJECT, range)?
            }
            b"fldChar" if parent == Some(Open::Run) => Open::FormField,
            b"ffData" if parent == Some(Open::FormField) => Open::FormData,
            b"checkBox" if parent == Some(Open::FormData) => {
                let form_box = self.body.form_boxes.len();
                self.body.form_boxes.push(FormBox::default());
                self.item(EMPTY_BOX.to_string(), range.clone(), false)?;
                let item = self
                    .paragraphs
                    .last()
                    .and_then(|open| self.body.paragraphs.get_mut(open.index)?.items.last_mut());
                if let Some(item) = item.filter(|item| item.range == *range) {
                    item.form_box = Some(form_box);
                }
                Open::FormBox(form_box)
            }
            b"checked" | b"default" => {
                if let Some(Open::FormBox(index)) = parent
                    && let Some(form_box) = self.body.form_boxes.get_mut(index)
                {
                    let on =
                        !matches!(attribute(tag, "val").as_deref(), Some("0" | "false" | "off"));
                    if name == b"checked" {
                        form_box.checked = Some(range.clone());
                        form_box.ticked = on;
                    } else if form_box.checked.is_none() {
                        form_box.ticked = on;
                    }
                }
                Open::Other
            }
            b"sdt" => {
                if self.body.controls.len() >= MAX_CONTROLS {
                    let limit = MAX_CONTROLS;
                    return Err(DocumentError::TooMany { what: "content controls", limit });
                }
                let paragraph = self.paragraphs.last().map(|paragraph| paragraph.index);
                self.body.controls.push(Control { paragraph, ..Control::default() });
                Open::Control(self.body.controls.len() - 1)
            }
            b"sdtPr" => Open::ControlProps,
            b"sdtContent" => match parent {
                Some(Open::Control(index)) => {
                    if let Some(control) = self.body.controls.get_mut(index) {
                        control.content = range.end..range.end;
                    }
                    Open::ControlContent(index)
                }
                _ => Open::Other,
            },
            b"showingPlcHdr" if parent == Some(Open::ControlProps) => {
                let showing = !matches!(attribute(tag, "val").as_deref(), Some("0" | "false"));
                if let Some(control) = self.control().filter(|_| showing) {
                    control.placeholder = Some(range.clone());
                }
                Open::Other
            }
            b"dataBinding" if parent == Some(Open::ControlProps) => {
                if let Some(control) = self.control() {
                    control.bound = true;
                }
                Open::Other
            }
            _ => Open::Other,
        })
    }

    fn open_w14(
        &mut self,
        name: &[u8],
        tag: &BytesStart<'_>,
        parent: Option<Open>,
        range: &Range<usize>,
    ) -> Result<Open, DocumentError> {
        if name == b"checkbox" && parent == Some(Open::ControlProps) {
            let full = tag.name();
            let prefix = full.prefix().map(|prefix| prefix.into_inner().to_vec());
            let prefix = String::from_utf8_lossy(&prefix.unwrap_or_default()).into_owned();
            if let Some(control) = self.control() {
                control.checkbox =
                    Some(Checkbox { prefix, start: range.end, ..Checkbox::default() });
            }
            return Ok(Open::Checkbox);
        }
        if parent != Some(Open::Checkbox) {
            return Ok(Open::Other);
        }
        let value = attribute(tag, "val");
        let font = attribute(tag, "font").filter(|font| !font.is_empty());
        if let Some(checkbox) = self.control().and_then(|control| control.checkbox.as_mut()) {
            let symbol = || {
                let glyph = u32::from_str_radix(value.as_deref()?, 16).ok()?;
                Some(Symbol { glyph: char::from_u32(glyph)?, font: font.clone() })
            };
            match name {
                b"checked" => {
                    checkbox.checked = Some(range.clone());
                    checkbox.ticked = !matches!(value.as_deref(), Some("0" | "false"));
                }
                b"checkedState" => checkbox.on = symbol(),
                b"uncheckedState" => checkbox.off = symbol(),
                _ => {}
            }
        }
        Ok(Open::Other)
    }

    fn open_paragraph(&mut self, range: &Range<usize>) -> Result<Open, DocumentError> {
        if self.body.paragraphs.len() >= MAX_PARAGRAPHS {
            return Err(DocumentError::TooMany { what: "paragraphs", limit: MAX_PARAGRAPHS });
        }
        let index = self.body.paragraphs.len();
        self.body.paragraphs.push(Paragraph {
            range: range.clone(),
            tables: self.tables.clone(),
            row: self.rows.last().copied(),
            cell: self.cells.last().copied(),
            ..Paragraph::default()
        });
        self.paragraphs.push(OpenParagraph {
            index,
            depth: self.stack.len(),
            run: None,
            mark: None,
            unfinished: 0,
            kept_run: None,
        });
        Ok(Open::Paragraph(index))
    }

    /// A tab, a break or a picture.
    fn thing(&mut self, c: char, range: &Range<usize>) -> Result<Open, DocumentError> {
        self.item(c.to_string(), range.clone(), false)?;
        Ok(Open::Other)
    }

    fn text(&mut self, range: Range<usize>, cdata: bool) -> Result<(), DocumentError> {
        if self.stack.last() != Some(&Open::Text) {
            return Ok(());
        }
        let raw = self.document.get(range.clone()).unwrap_or_default();
        let text =
            if cdata { raw.trim_start_matches("<![CDATA[").trim_end_matches("]]>") } else { raw };
        self.item(text.to_owned(), range, !cdata)
    }

    fn item(
        &mut self,
        text: String,
        range: Range<usize>,
        in_text: bool,
    ) -> Result<(), DocumentError> {
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err(DocumentError::TooMany { what: "pieces of text", limit: MAX_ITEMS });
        }
        let control = self.stack.iter().rev().find_map(|open| match open {
            Open::ControlContent(index) => Some(*index),
            _ => None,
        });
        let Some(open) = self.paragraphs.last_mut() else { return Ok(()) };
        let Some(paragraph) = self.body.paragraphs.get_mut(open.index) else { return Ok(()) };
        let run = match (open.kept_run, open.run.as_ref()) {
            (Some(run), _) => run,
            (None, Some((start, props))) => {
                paragraph.runs.push(Run {
                    range: *start..*start,
                    props: props.clone(),
                    child_end: 0,
                });
                let run = paragraph.runs.len() - 1;
                open.kept_run = Some(run);
                run
            }
            (None, None) => return Ok(()),
        };
        paragraph.items.push(Item { text, range, in_text, run, control, form_box: None });
        Ok(())
    }

    fn close(&mut self, start: usize, end: usize, empty: bool) {
        let Some(open) = self.stack.pop() else { return };
        match open {
            Open::Table => drop(self.tables.pop()),
            Open::Row => drop(self.rows.pop()),
            Open::Cell => drop(self.cells.pop()),
            Open::FormBox(index) => {
                if let Some(form_box) = self.body.form_boxes.get_mut(index) {
                    form_box.close = (!empty).then_some(start);
                }
            }
            Open::Run => {
                if let Some(paragraph) = self.paragraphs.last_mut() {
                    let run = paragraph.kept_run.take().and_then(|run| {
                        self.body.paragraphs.get_mut(paragraph.index)?.runs.get_mut(run)
                    });
                    if let Some(run) = run {
                        run.range.end = end;
                    }
                    paragraph.run = None;
                }
            }
            Open::ControlContent(index) => {
                if let Some(control) = self.body.controls.get_mut(index) {
                    control.content.end = start;
                }
            }
            Open::Paragraph(index) => {
                let mark = self.paragraphs.pop().and_then(|paragraph| paragraph.mark);
                if let Some(paragraph) = self.body.paragraphs.get_mut(index) {
                    paragraph.range.end = end;
                    paragraph.close = (!empty).then_some(start);
                    paragraph.mark = mark;
                }
            }
            _ => {}
        }
        // A child of the open paragraph has ended: its runs may be followed.
        if let Some(paragraph) = self.paragraphs.last_mut()
            && self.stack.len() == paragraph.depth + 1
            && let Some(stored) = self.body.paragraphs.get_mut(paragraph.index)
        {
            for run in stored.runs.iter_mut().skip(paragraph.unfinished) {
                run.child_end = end;
            }
            paragraph.unfinished = stored.runs.len();
        }
    }

    /// The innermost open control.
    fn control(&mut self) -> Option<&mut Control> {
        let index = self.stack.iter().rev().find_map(|open| match open {
            Open::Control(index) => Some(*index),
            _ => None,
        })?;
        self.body.controls.get_mut(index)
    }

    /// A check box shows whatever glyph its font has; here it is a box.
    fn finish_texts(&mut self) {
        let Body { paragraphs, controls, form_boxes, .. } = &mut self.body;
        for paragraph in paragraphs {
            let mut last = None;
            for item in &mut paragraph.items {
                let control = item.control.filter(|index| {
                    controls.get(*index).is_some_and(|control| control.checkbox.is_some())
                });
                if let Some(checkbox) = control
                    .and_then(|index| controls.get(index))
                    .and_then(|control| control.checkbox.as_ref())
                {
                    let glyph = if checkbox.ticked { CROSSED_BOX } else { EMPTY_BOX };
                    item.text = if last == control { String::new() } else { glyph.to_string() };
                    item.in_text = false;
                }
                last = control;
                let form_box = item.form_box.and_then(|index| form_boxes.get(index));
                if form_box.is_some_and(|form_box| form_box.ticked) {
                    item.text = CROSSED_BOX.to_string();
                }
            }
            let whole: String = paragraph.items.iter().map(|item| item.text.as_str()).collect();
            paragraph.text = normalise(&whole);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Namespace {
    W,
    W14,
    Mc,
    Other,
}

impl Namespace {
    fn of(result: &ResolveResult<'_>) -> Self {
        match result {
            ResolveResult::Bound(namespace) => match namespace.as_ref() {
                W => Self::W,
                W14 => Self::W14,
                MC => Self::Mc,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// An attribute by local name, whatever its prefix. That none occurs twice is
/// not checked: it would take time by the square of their number.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    tag.attributes()
        .with_checks(false)
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name.as_bytes())
        .map(|attribute| String::from_utf8_lossy(&attribute.value).into_owned())
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return Some(c);
    }
    match reference.decode().ok()?.as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn position(reader: &NsReader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn broken(detail: String, offset: usize) -> DocumentError {
    DocumentError::Xml { member: MEMBER, detail, offset }
}
