//! Where secrets stand in a text of some kind. Finds places; changes nothing.
//!
//! Works on the bytes as they are, well-formed or not: a body that a broken
//! connection cut in half must not leak either. Texts inside texts (JSON in a
//! string, a string in a form, XML in JSON) are looked at with their escapes
//! undone.

use std::ops::Range;

use super::escape::{Escapes, View};
use super::names::{self, find_text};
use super::shapes::{self, Shape};
use super::{json, markup, text};

/// How many texts inside texts are looked at.
pub(super) const DEPTH: usize = 3;

/// A place where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Its bytes.
    pub(super) range: Range<usize>,
    /// How it is written there.
    pub(super) written: Written,
    /// Whether it is worth knowing, so that it is found wherever it is
    /// repeated.
    pub(super) granted: bool,
}

impl Edit {
    /// A secret that is written as it is.
    pub(super) fn plain(range: Range<usize>) -> Self {
        Self { range, written: Written::Plainly, granted: false }
    }

    /// The same, for a value of this name.
    pub(super) fn named(self, name: &[u8]) -> Self {
        Self { granted: names::is_granted(name), ..self }
    }

    /// The same, in an address or form.
    pub(super) fn encoded(self) -> Self {
        Self { written: Written::PercentEncoded, ..self }
    }

    /// The same, `by` bytes further on.
    pub(super) fn moved(self, by: usize) -> Self {
        Self { range: self.range.start + by..self.range.end + by, ..self }
    }
}

/// How a secret is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// As it is.
    Plainly,
    /// As in a URL or form.
    PercentEncoded,
    /// As a JSON number, array or object, quotes to be added.
    AsJsonValue,
}

/// Secrets in a header's value.
pub(super) fn header(name: &str, value: &str) -> Vec<Edit> {
    let name = name.as_bytes();
    if !names::is_secret(name, false) {
        return Vec::new();
    }
    let parts = names::secret_parts(name, value.as_bytes());
    parts.into_iter().map(|range| Edit::plain(range).named(name)).collect()
}

/// Secrets in an address: user information, parameters of query and fragment,
/// addresses inside those.
pub(super) fn url(url: &[u8]) -> Vec<Edit> {
    let mut edits = text::user_info(url);
    let mark = |byte: u8| matches!(byte, b'?' | b'#');
    if let Some(query) = names::find(url, 0, mark) {
        edits.extend(text::parameters(url, query..url.len()));
    }
    edits.extend(shaped(url));
    inside(url, Escapes::Percent, DEPTH, &mut edits);
    edits
}

/// Secrets in a body, by its media type (in lower case) and by its look.
pub(super) fn body(media_type: &str, bytes: &[u8]) -> Vec<Edit> {
    if media_type.contains("form-urlencoded") {
        return form(bytes);
    }
    if media_type.contains("multipart/") || looks_multipart(bytes) {
        return markup::multipart(media_type, bytes);
    }
    if media_type.contains("json") {
        return json::all(bytes, DEPTH);
    }
    any(bytes, DEPTH)
}

/// Secret fields of a form, and secrets inside its other fields.
fn form(bytes: &[u8]) -> Vec<Edit> {
    let mut edits = text::parameters(bytes, 0..bytes.len());
    edits.extend(shaped(bytes));
    inside(bytes, Escapes::Percent, DEPTH, &mut edits);
    edits
}

/// Secrets in a text of unknown kind. `depth`: how many texts inside it are
/// looked at.
pub(super) fn any(bytes: &[u8], depth: usize) -> Vec<Edit> {
    if markup::is_ncts_message(bytes) {
        // What a declaration says is evidence, whatever it looks like.
        return shapes_but_credentials(bytes);
    }
    if matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return json::all(bytes, depth);
    }
    let mut edits = free(bytes);
    edits.extend(json::fields(bytes));
    edits.extend(markup::elements(bytes));
    if ["&lt;", "&quot;", "&#"].iter().any(|sign| has(bytes, sign.as_bytes())) {
        inside(bytes, Escapes::Xml, depth, &mut edits);
    }
    if ["%3d", "%3D", "%22", "%3a", "%3A", "%20"].iter().any(|sign| has(bytes, sign.as_bytes())) {
        inside(bytes, Escapes::Percent, depth, &mut edits);
    }
    edits
}

/// Secrets in prose: addresses, `name=value`, header lines, credentials.
pub(super) fn free(bytes: &[u8]) -> Vec<Edit> {
    let mut edits = text::user_info(bytes);
    edits.extend(text::named_values(bytes));
    edits.extend(shaped(bytes));
    edits
}

/// Secrets in what an escaped text says.
pub(super) fn inside(text: &[u8], escapes: Escapes, depth: usize, edits: &mut Vec<Edit>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let Some(view) = View::of(text, escapes) else { return };
    edits.extend(any(&view.bytes, depth).into_iter().filter_map(|edit| {
        let written = match (escapes, edit.written) {
            (Escapes::Percent, _) => Written::PercentEncoded,
            // Inside a string, added quotes would end that string.
            (_, Written::AsJsonValue) => Written::Plainly,
            (_, written) => written,
        };
        Some(Edit { range: view.source(&edit.range)?, written, ..edit })
    }));
}

/// What looks like a secret, whatever stands beside it.
fn shaped(bytes: &[u8]) -> Vec<Edit> {
    all_shapes(bytes).map(|(range, _)| Edit::plain(range)).collect()
}

fn shapes_but_credentials(bytes: &[u8]) -> Vec<Edit> {
    let other = |found: &(Range<usize>, Shape)| found.1 != Shape::Credentials;
    all_shapes(bytes).filter(other).map(|(range, _)| Edit::plain(range)).collect()
}

fn all_shapes(bytes: &[u8]) -> impl Iterator<Item = (Range<usize>, Shape)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = shapes::find(bytes, from, bytes.len())?;
        from = found.0.end;
        Some(found)
    })
}

fn looks_multipart(bytes: &[u8]) -> bool {
    bytes.starts_with(b"--")
        && bytes.get(..bytes.len().min(512)).is_some_and(|head| {
            find_text(&head.to_ascii_lowercase(), 0, b"content-disposition:").is_some()
        })
}

fn has(bytes: &[u8], sign: &[u8]) -> bool {
    find_text(bytes, 0, sign).is_some()
}
