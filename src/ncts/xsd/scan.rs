//! What is done to a text before a tree is built of it: decoding, bounds, and
//! the well-formedness rules that the XML parser does not check.
//!
//! One pass over the bytes, no allocation that grows with the text. A document
//! that breaks a bound never reaches the parser.

use std::ops::Range;

/// Most bytes of one document: what the API takes of a large message (service
/// guide, message sizes).
pub const MAX_BYTES: usize = 8_000_000;

/// Deepest nesting of elements. NCTS messages need ten levels; libxml2 stops
/// at the same depth.
pub const MAX_DEPTH: usize = 256;

/// Most elements, texts, comments and processing instructions together. A
/// message of the largest size with every element filled stays below it.
pub const MAX_NODES: usize = 1_000_000;

/// Most attributes of one element, namespace declarations included. NCTS
/// messages need three.
pub const MAX_ATTRIBUTES: usize = 64;

/// Most different namespace prefixes of one document.
pub const MAX_PREFIXES: usize = 32;

/// Why a document is not judged at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More than [`MAX_BYTES`].
    #[error("{bytes} bytes are more than the {MAX_BYTES} that a message may have")]
    TooLarge {
        /// Size of the document.
        bytes: usize,
    },
    /// Not UTF-8 text, or declared to be something else.
    #[error("line {line}, column {column}: {message}")]
    Encoding {
        /// From 1.
        line: u32,
        /// In characters, from 1.
        column: u32,
        /// What is there.
        message: String,
    },
    /// A document type declaration. No message needs one, and it is the way
    /// to entity bombs and external entities.
    #[error(
        "line {line}, column {column}: a document type declaration (DTD) is refused, whatever is in it"
    )]
    Dtd {
        /// From 1.
        line: u32,
        /// In characters, from 1.
        column: u32,
    },
    /// More of something than any message has: elements inside elements,
    /// nodes, attributes, prefixes.
    #[error("line {line}, column {column}: more than {limit} {what}")]
    TooMany {
        /// From 1, where the limit is passed.
        line: u32,
        /// In characters, from 1.
        column: u32,
        /// The limit.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// Not well-formed XML, or not namespace-well-formed.
    #[error("line {line}, column {column}: not well-formed XML: {message}")]
    NotWellFormed {
        /// From 1.
        line: u32,
        /// In characters, from 1.
        column: u32,
        /// What is wrong.
        message: String,
    },
}

impl Refused {
    /// Line and column, from 1, where it shows.
    pub fn place(&self) -> (u32, u32) {
        match self {
            Self::TooLarge { .. } => (1, 1),
            Self::Encoding { line, column, .. }
            | Self::Dtd { line, column }
            | Self::TooMany { line, column, .. }
            | Self::NotWellFormed { line, column, .. } => (*line, *column),
        }
    }
}

/// Finds lines and columns of byte offsets, cheaply for ascending ones.
#[derive(Debug)]
pub(super) struct Places<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
    column: u32,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, line: 1, column: 1 }
    }

    /// Line, and column in characters, both from 1.
    pub(super) fn at(&mut self, offset: usize) -> (u32, u32) {
        if offset < self.offset {
            *self = Self::new(self.text);
        }
        let passed = self.text.get(self.offset..offset).unwrap_or_default();
        for c in passed.chars() {
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.offset += passed.len();
        (self.line, self.column)
    }
}

/// The text of a file: UTF-8, with or without a byte order mark, which is left
/// out.
///
/// # Errors
/// Another encoding, declared or by its bytes, a NUL, or too many bytes.
pub fn text_of(bytes: &[u8]) -> Result<&str, Refused> {
    if bytes.len() > MAX_BYTES {
        return Err(Refused::TooLarge { bytes: bytes.len() });
    }
    let encoding = |valid: &[u8], message: String| {
        let text = std::str::from_utf8(valid).unwrap_or_default();
        let (line, column) = Places::new(text).at(text.len());
        Refused::Encoding { line, column, message }
    };
    let utf_16 = [&[0xff, 0xfe][..], &[0xfe, 0xff], &[b'<', 0], &[0, b'<'], &[0, 0]];
    if utf_16.iter().any(|start| bytes.starts_with(start)) {
        return Err(encoding(&[], "UTF-16 or UTF-32: save it as UTF-8".to_owned()));
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        let byte = rest.first().copied().unwrap_or_default();
        encoding(valid, format!("byte 0x{byte:02X} is not UTF-8: save it as UTF-8"))
    })?;
    check_encoding(text)?;
    Ok(text)
}

/// Refuses NUL, and a declaration that names another encoding than UTF-8.
fn check_encoding(text: &str) -> Result<(), Refused> {
    let refused = |offset, message| {
        let (line, column) = Places::new(text).at(offset);
        Err(Refused::Encoding { line, column, message })
    };
    if let Some(at) = text.find('\0') {
        return refused(at, "a NUL byte: this is no text".to_owned());
    }
    match declaration(text)?.encoding {
        Some(range) if !text[range.clone()].eq_ignore_ascii_case("utf-8") => {
            let name: String = text[range.clone()].chars().take(40).collect();
            let message = format!("declared as `{name}`: only UTF-8 is taken");
            refused(range.start, message)
        }
        _ => Ok(()),
    }
}

/// The XML declaration: where the encoding's name stands, and the length of
/// the whole.
#[derive(Default)]
struct Declaration {
    encoding: Option<Range<usize>>,
    length: usize,
}

/// Reads the XML declaration, strictly: the parser takes nearly anything.
fn declaration(text: &str) -> Result<Declaration, Refused> {
    let Some(rest) = text.strip_prefix("<?xml") else { return Ok(Declaration::default()) };
    if !rest.starts_with([' ', '\t', '\r', '\n', '?']) {
        // A processing instruction such as `<?xml-stylesheet`.
        return Ok(Declaration::default());
    }
    let bad = |message: &str| not_well_formed(text, 0, message);
    let end = rest.find("?>").ok_or_else(|| bad("the XML declaration is not closed"))?;
    let mut found = Declaration { encoding: None, length: 5 + end + 2 };
    let names = ["version", "encoding", "standalone"];
    let mut next = 0;
    let mut at = 5;
    let end = 5 + end;
    while !text[at..end].trim_ascii().is_empty() {
        let wrong =
            || bad("the XML declaration is not `<?xml version=\"1.0\" encoding=\"UTF-8\"?>`");
        let spaces = text[at..end].len() - text[at..end].trim_ascii_start().len();
        let part = &text[at + spaces..end];
        let (name, value) = part.split_once('=').ok_or_else(wrong)?;
        let which = names.iter().position(|known| *known == name.trim_ascii()).ok_or_else(wrong)?;
        let value = value.trim_ascii_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(wrong)?;
        let (value, _) = value[1..].split_once(quote).ok_or_else(wrong)?;
        let well = match which {
            0 => value.strip_prefix("1.").is_some_and(|minor| {
                !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit())
            }),
            1 => true,
            _ => matches!(value, "yes" | "no"),
        };
        if spaces == 0 || which < next || (next == 0) != (which == 0) || !well {
            return Err(wrong());
        }
        next = which + 1;
        // Subslices of `text`, so their distance is their place in it.
        let start = value.as_ptr() as usize - text.as_ptr() as usize;
        if which == 1 {
            found.encoding = Some(start..start + value.len());
        }
        at = start + value.len() + 1;
    }
    if next == 0 {
        return Err(bad("the XML declaration names no version"));
    }
    Ok(found)
}

fn not_well_formed(text: &str, offset: usize, message: impl Into<String>) -> Refused {
    let (line, column) = Places::new(text).at(offset);
    Refused::NotWellFormed { line, column, message: message.into() }
}

/// What the scan found out besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Whether there is a CDATA section: the tree no longer tells it from
    /// other text.
    pub(super) cdata: bool,
}

/// Checks size, encoding, bounds, and what the parser leaves unchecked.
pub(super) fn scan(text: &str) -> Result<Scanned, Refused> {
    if text.len() > MAX_BYTES {
        return Err(Refused::TooLarge { bytes: text.len() });
    }
    check_encoding(text)?;
    bounded(text)
}

/// Checks bounds, and what the parser leaves unchecked.
fn bounded(text: &str) -> Result<Scanned, Refused> {
    let at = declaration(text)?.length;
    let scan = Scan { text, at, nodes: 0, depth: 0, prefixes: Vec::new(), cdata: false };
    scan.run()
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
    depth: usize,
    prefixes: Vec<&'a str>,
    cdata: bool,
}

impl<'a> Scan<'a> {
    fn run(mut self) -> Result<Scanned, Refused> {
        loop {
            let rest = &self.text[self.at..];
            let length = rest.find('<').unwrap_or(rest.len());
            self.references(self.at, &rest[..length])?;
            self.nodes += usize::from(length > 0) + 1;
            self.at += length;
            if self.nodes > MAX_NODES {
                return Err(self.too_many(MAX_NODES, "nodes"));
            }
            let rest = &self.text[self.at..];
            if rest.is_empty() {
                return Ok(Scanned { cdata: self.cdata });
            }
            if rest.starts_with("<!--") {
                self.skip(4, "-->", "a comment")?;
            } else if rest.starts_with("<![CDATA[") {
                self.cdata = true;
                self.skip(9, "]]>", "a CDATA section")?;
            } else if rest.starts_with("<!DOCTYPE") {
                let (line, column) = Places::new(self.text).at(self.at);
                return Err(Refused::Dtd { line, column });
            } else if let Some(target) = rest.strip_prefix("<?") {
                self.instruction(target)?;
            } else if rest.starts_with("</") {
                self.depth = self.depth.saturating_sub(1);
                self.name(self.at + 2)?;
                self.skip(2, ">", "a tag")?;
            } else {
                self.start_tag()?;
            }
        }
    }

    fn bad(&self, offset: usize, message: &str) -> Refused {
        not_well_formed(self.text, offset, message)
    }

    fn too_many(&self, limit: usize, what: &'static str) -> Refused {
        let (line, column) = Places::new(self.text).at(self.at);
        Refused::TooMany { line, column, limit, what }
    }

    /// Passes what opens with `opening` bytes here and ends with `end`.
    fn skip(&mut self, opening: usize, end: &str, what: &str) -> Result<(), Refused> {
        let body = self.text[self.at..].get(opening..).unwrap_or_default();
        let length =
            body.find(end).ok_or_else(|| self.bad(self.at, &format!("{what} is not closed")))?;
        self.at += opening + length + end.len();
        Ok(())
    }

    /// The parser takes `<?XML …?>` and `<?target+…?>`.
    fn instruction(&mut self, target: &str) -> Result<(), Refused> {
        let end = target.find([' ', '\t', '\r', '\n', '?']).unwrap_or(target.len());
        let (name, after) = target.split_at(end);
        if name.eq_ignore_ascii_case("xml") {
            return Err(self.bad(self.at, "an XML declaration that is not at the start"));
        }
        let named = !name.is_empty()
            && name.chars().all(|c| {
                !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':')
            });
        if !named || after.starts_with('?') && !after.starts_with("?>") {
            return Err(self.bad(self.at, "a processing instruction without a proper name"));
        }
        self.skip(2, "?>", "a processing instruction")
    }

    /// The parser takes `:name` for `name`.
    fn name(&self, at: usize) -> Result<(), Refused> {
        if self.text[at..].starts_with(':') {
            return Err(self.bad(at, "a name that starts with `:`"));
        }
        Ok(())
    }

    /// The parser takes references to surrogates.
    fn references(&self, start: usize, text: &str) -> Result<(), Refused> {
        for (at, _) in text.match_indices("&#") {
            let digits = text[at + 2..].split(';').next().unwrap_or_default();
            let code = match digits.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => digits.parse(),
            };
            if code.ok().and_then(char::from_u32).is_none() {
                return Err(self.bad(start + at, "a character reference to no character"));
            }
        }
        Ok(())
    }

    fn start_tag(&mut self) -> Result<(), Refused> {
        let text = self.text;
        let bytes = text.as_bytes();
        let opened = self.at;
        let byte = |at: usize| bytes.get(at).copied();
        self.name(opened + 1)?;
        let mut at = opened + 1;
        while byte(at).is_some_and(|b| !b.is_ascii_whitespace() && !matches!(b, b'/' | b'>')) {
            at += 1;
        }
        let mut attributes = 0;
        let mut default_namespace = false;
        loop {
            while byte(at).is_some_and(|b| b.is_ascii_whitespace()) {
                at += 1;
            }
            match byte(at) {
                Some(b'>') => {
                    let empty = bytes[at - 1] == b'/';
                    self.depth += usize::from(!empty);
                    if self.depth > MAX_DEPTH {
                        return Err(self.too_many(MAX_DEPTH, "elements inside each other"));
                    }
                    self.at = at + 1;
                    return Ok(());
                }
                Some(b'/') => {
                    at += 1;
                    continue;
                }
                _ => {}
            }
            let unclosed = || self.bad(opened, "a tag is not closed, or an attribute has no value");
            self.name(at)?;
            let equals = text[at..].find(['=', '<', '>']).ok_or_else(unclosed)?;
            let name = text[at..at + equals].trim_ascii_end();
            at += equals + 1;
            while byte(at).is_some_and(|b| b.is_ascii_whitespace()) {
                at += 1;
            }
            let quote = match byte(at) {
                Some(b'"') => '"',
                Some(b'\'') => '\'',
                _ => return Err(unclosed()),
            };
            at += 1;
            let length = text[at..].find(quote).ok_or_else(unclosed)?;
            let value = &text[at..at + length];
            self.references(at, value)?;
            attributes += 1;
            if attributes > MAX_ATTRIBUTES {
                return Err(self.too_many(MAX_ATTRIBUTES, "attributes of one element"));
            }
            if name == "xmlns" && std::mem::replace(&mut default_namespace, true) {
                return Err(self.bad(at, "attribute `xmlns` stands here twice"));
            }
            if let Some(prefix) = name.strip_prefix("xmlns:") {
                if value.is_empty() {
                    return Err(self.bad(at, "a prefix cannot stand for no namespace"));
                }
                if !self.prefixes.contains(&prefix) {
                    self.prefixes.push(prefix);
                    if self.prefixes.len() > MAX_PREFIXES {
                        return Err(self.too_many(MAX_PREFIXES, "namespace prefixes"));
                    }
                }
            }
            at += length + 1;
        }
    }
}

/// Builds the tree of a document, in bounds.
pub(super) fn parse(text: &str) -> Result<(roxmltree::Document<'_>, Scanned), Refused> {
    let scanned = scan(text)?;
    Ok((tree(text)?, scanned))
}

/// Builds the tree of a document of any size, whatever encoding it was decoded
/// from, in the other bounds.
pub(in crate::ncts) fn parse_decoded(text: &str) -> Result<roxmltree::Document<'_>, Refused> {
    bounded(text)?;
    tree(text)
}

fn tree(text: &str) -> Result<roxmltree::Document<'_>, Refused> {
    let options = roxmltree::ParsingOptions { allow_dtd: false, ..Default::default() };
    roxmltree::Document::parse_with_options(text, options).map_err(|error| {
        use roxmltree::Error;
        let message = error.to_string();
        let place = error.pos();
        let place = match error {
            Error::NoRootNode | Error::UnclosedRootNode | Error::UnexpectedEndOfStream => {
                Places::new(text).at(text.len())
            }
            _ => (place.row, place.col),
        };
        let message = message.replace(&format!(" at {}", error.pos()), "");
        let message = message.chars().take(200).collect();
        Refused::NotWellFormed { line: place.0, column: place.1, message }
    })
}
