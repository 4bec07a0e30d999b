//! The document's paragraphs, runs and content controls with their byte
//! offsets in `word/document.xml`, so that text can be spliced in without
//! touching anything else. `parse` fills these types.
//!
//! Source of the element names: ECMA-376 part 1, section 17 (`w:`); checkbox
//! controls: MS-DOCX section 2.5 (`w14:`).

use std::ops::Range;

use super::error::DocumentError;
use super::parse::Parser;

/// An empty box, as in the text of every form.
pub(super) const EMPTY_BOX: char = '\u{2610}';
/// A crossed box: how Word shows a ticked one unless told otherwise.
pub(super) const CROSSED_BOX: char = '\u{2612}';
/// A box with a tick.
pub(super) const TICKED_BOX: char = '\u{2611}';
/// The body of a document.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// The prefix bound to the `w:` namespace.
    pub(super) prefix: String,
    /// Just after `<w:body>`.
    pub(super) start: usize,
    /// In document order.
    pub(super) paragraphs: Vec<Paragraph>,
    /// Content controls.
    pub(super) controls: Vec<Control>,
    /// Check boxes of forms of Word 97 to 2003.
    pub(super) form_boxes: Vec<FormBox>,
}

/// A paragraph.
#[derive(Debug, Default)]
pub(super) struct Paragraph {
    /// From `<w:p` to `</w:p>`, both included.
    pub(super) range: Range<usize>,
    /// Start of `</w:p>`; none for `<w:p/>`.
    pub(super) close: Option<usize>,
    /// The tables around it, outermost first.
    pub(super) tables: Vec<u32>,
    /// The innermost table row around it.
    pub(super) row: Option<u32>,
    /// The innermost table cell around it.
    pub(super) cell: Option<u32>,
    /// Run properties of the paragraph mark: what typing here would look like.
    pub(super) mark: Option<Props>,
    /// Runs that hold something.
    pub(super) runs: Vec<Run>,
    /// Text and the like, in order.
    pub(super) items: Vec<Item>,
    /// The text, normalised; boxes appear as such.
    pub(super) text: String,
}

/// A run of text.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// From `<w:r` to `</w:r>`.
    pub(super) range: Range<usize>,
    /// Its properties.
    pub(super) props: Option<Props>,
    /// End of the paragraph's child that the run is, or lies in.
    pub(super) child_end: usize,
}

/// A piece of a run.
#[derive(Debug)]
pub(super) struct Item {
    /// Its characters, decoded.
    pub(super) text: String,
    /// Its bytes in the document.
    pub(super) range: Range<usize>,
    /// Whether it lies inside `w:t`: only then may it be split or replaced.
    pub(super) in_text: bool,
    /// Its run, an index into [`Paragraph::runs`].
    pub(super) run: usize,
    /// The innermost content control around it.
    pub(super) control: Option<usize>,
    /// The check box that it stands for, an index into [`Body::form_boxes`].
    pub(super) form_box: Option<usize>,
}

/// Properties of a run: each child of `w:rPr` by local name.
#[derive(Debug, Clone, Default)]
pub(super) struct Props {
    /// Local name and bytes.
    pub(super) children: Vec<(String, Range<usize>)>,
}

/// A content control (`w:sdt`).
#[derive(Debug, Default)]
pub(super) struct Control {
    /// The content between `<w:sdtContent>` and `</w:sdtContent>`.
    pub(super) content: Range<usize>,
    /// The paragraph in which it begins, if it lies inside one.
    pub(super) paragraph: Option<usize>,
    /// The element that says that only the placeholder shows.
    pub(super) placeholder: Option<Range<usize>>,
    /// It shows data kept elsewhere in the file, which Word would put back in
    /// place of anything written here.
    pub(super) bound: bool,
    /// What makes it a check box.
    pub(super) checkbox: Option<Checkbox>,
}

/// The `w:checkBox` of a form field (ECMA-376 part 1, 17.16.7): a box without
/// a glyph of its own, with its state in `w:checked`, else in `w:default`.
#[derive(Debug, Default)]
pub(super) struct FormBox {
    /// Start of `</w:checkBox>`, where a missing `w:checked` goes; none for an
    /// empty element, which has no size either and cannot be ticked.
    pub(super) close: Option<usize>,
    /// The `w:checked` element.
    pub(super) checked: Option<Range<usize>>,
    /// Its state.
    pub(super) ticked: bool,
}

/// The `w14:checkbox` of a control.
#[derive(Debug, Default, Clone)]
pub(super) struct Checkbox {
    /// The prefix bound to the `w14:` namespace.
    pub(super) prefix: String,
    /// Just after `<w14:checkbox>`: where a missing `w14:checked` goes.
    pub(super) start: usize,
    /// The `w14:checked` element.
    pub(super) checked: Option<Range<usize>>,
    /// Its state.
    pub(super) ticked: bool,
    /// Glyph and font when ticked.
    pub(super) on: Option<Symbol>,
    /// Glyph and font when not.
    pub(super) off: Option<Symbol>,
}

/// A glyph and the font it is in.
#[derive(Debug, Clone)]
pub(super) struct Symbol {
    /// The character.
    pub(super) glyph: char,
    /// The font, where one is named.
    pub(super) font: Option<String>,
}

/// One character of a paragraph with its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    /// The character.
    pub(super) c: char,
    /// Its item, an index into [`Paragraph::items`].
    pub(super) item: usize,
    /// Its first byte in the document.
    pub(super) start: usize,
    /// The byte after it.
    pub(super) end: usize,
}

impl Paragraph {
    /// Its characters with their places.
    pub(super) fn chars(&self) -> Vec<Placed> {
        let mut out = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            if item.text.len() == item.range.len() {
                for (at, c) in item.text.char_indices() {
                    let start = item.range.start + at;
                    out.push(Placed { c, item: index, start, end: start + c.len_utf8() });
                }
            } else {
                // An entity, a tab, a control's glyph: one thing as a whole.
                let Range { start, end } = item.range;
                out.extend(item.text.chars().map(|c| Placed { c, item: index, start, end }));
            }
        }
        out
    }
}

/// `text` with white space collapsed, and dashes and quotation marks made
/// plain: what labels are compared by.
pub(super) fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().map(plain));
    }
    out
}

/// A character as labels compare it.
pub(super) fn plain(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}' | '\u{2019}' | '\u{201B}' => '\'',
        '\u{201C}' | '\u{201D}' => '"',
        _ => c,
    }
}

impl Body {
    /// Reads `document`, the text of `word/document.xml`.
    pub(super) fn parse(document: &str) -> Result<Self, DocumentError> {
        Parser::new(document).run()
    }
}
