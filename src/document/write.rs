//! Pieces of WordprocessingML, and splicing them into a document.

use std::ops::Range;

use super::body::{Props, Symbol};

/// Run properties that carry over from a label to its answer: typeface, size
/// and colour, not emphasis.
const KEPT: [&str; 8] = ["rFonts", "color", "spacing", "w", "kern", "sz", "szCs", "lang"];

/// Writes elements with the document's own prefix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer<'a> {
    /// `word/document.xml`, from which run properties are copied.
    pub(super) document: &'a str,
    /// The prefix bound to the `w:` namespace.
    pub(super) prefix: &'a str,
}

impl Writer<'_> {
    /// A run that says `value` and looks like its surroundings.
    pub(super) fn run(&self, props: Option<&Props>, value: &str) -> String {
        let w = self.prefix;
        let kept = self.kept(props, &KEPT);
        let props =
            if kept.is_empty() { String::new() } else { format!("<{w}:rPr>{kept}</{w}:rPr>") };
        format!("<{w}:r>{props}{}</{w}:r>", self.content(value))
    }

    /// A bold red run: the mark of a rehearsal beside a value.
    pub(super) fn mark(&self, props: Option<&Props>, value: &str) -> String {
        let w = self.prefix;
        let kept = self.kept(props, &["rFonts", "sz", "szCs"]);
        format!(
            "<{w}:r><{w}:rPr>{kept}<{w}:b/><{w}:color {w}:val=\"C00000\"/></{w}:rPr>{}</{w}:r>",
            self.content(value)
        )
    }

    /// A run for a check box: all properties but the typeface stay.
    pub(super) fn glyph(&self, props: Option<&Props>, symbol: &Symbol) -> String {
        let w = self.prefix;
        let fonts = symbol.font.as_ref().map_or_else(
            || self.kept(props, &["rFonts"]),
            |font| {
                let font = escape(font);
                format!(
                    "<{w}:rFonts {w}:ascii=\"{font}\" {w}:eastAsia=\"{font}\" {w}:hAnsi=\"{font}\" {w}:cs=\"{font}\"/>"
                )
            },
        );
        let others: String = props
            .map(|props| props.children.as_slice())
            .unwrap_or_default()
            .iter()
            .filter(|(name, _)| name != "rFonts")
            .filter_map(|(_, range)| self.document.get(range.clone()))
            .collect();
        format!("<{w}:r><{w}:rPr>{fonts}{others}</{w}:rPr><{w}:t>{}</{w}:t></{w}:r>", symbol.glyph)
    }

    /// What stands inside a run: text, with breaks where lines end.
    pub(super) fn content(&self, value: &str) -> String {
        let w = self.prefix;
        format!("<{w}:t xml:space=\"preserve\">{}</{w}:t>", self.inner(value))
    }

    /// As [`Writer::content`] without the outermost `w:t` tags.
    pub(super) fn inner(&self, value: &str) -> String {
        let w = self.prefix;
        let value = value.replace("\r\n", "\n").replace('\r', "\n");
        let mut out = String::with_capacity(value.len() + 16);
        let between =
            |element: &str| format!("</{w}:t><{w}:{element}/><{w}:t xml:space=\"preserve\">");
        for c in value.chars() {
            match c {
                '\n' => out.push_str(&between("br")),
                '\t' => out.push_str(&between("tab")),
                c if is_xml(c) => out.push_str(&escape(c.encode_utf8(&mut [0; 4]))),
                _ => {}
            }
        }
        out
    }

    /// The centred paragraph at the top of a rehearsal's copy: a line that
    /// nobody overlooks, and a smaller one that says why.
    pub(super) fn banner(&self, text: &str, reason: &str) -> String {
        let w = self.prefix;
        let run = |half_points: u32, content: String| {
            format!(
                "<{w}:r><{w}:rPr><{w}:b/><{w}:color {w}:val=\"C00000\"/><{w}:sz {w}:val=\"{half_points}\"/><{w}:szCs {w}:val=\"{half_points}\"/></{w}:rPr>{content}</{w}:r>"
            )
        };
        format!(
            "<{w}:p><{w}:pPr><{w}:jc {w}:val=\"center\"/></{w}:pPr>{}{}</{w}:p>",
            run(40, self.content(text)),
            run(20, format!("<{w}:br/>{}", self.content(reason)))
        )
    }

    fn kept(&self, props: Option<&Props>, names: &[&str]) -> String {
        props
            .map(|props| props.children.as_slice())
            .unwrap_or_default()
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()))
            .filter_map(|(_, range)| self.document.get(range.clone()))
            .collect()
    }
}

/// Whether XML 1.0 can hold the character at all (section 2.2).
fn is_xml(c: char) -> bool {
    !c.is_control() && c != '\u{FFFE}' && c != '\u{FFFF}'
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A replacement of some bytes of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    /// What is replaced; empty: an insertion.
    pub(super) range: Range<usize>,
    /// What stands there instead.
    pub(super) with: String,
}

/// Applies `splices` to `document`. None if two of them touch the same bytes,
/// or one does not lie on character boundaries.
pub(super) fn apply(document: &str, mut splices: Vec<Splice>) -> Option<String> {
    // Stable: insertions at one place keep their order.
    splices.sort_by_key(|splice| splice.range.start);
    let mut out = String::with_capacity(document.len() + 4096);
    let mut at = 0;
    for splice in splices {
        out.push_str(document.get(at..splice.range.start)?);
        out.push_str(&splice.with);
        at = splice.range.end;
    }
    out.push_str(document.get(at..)?);
    Some(out)
}
