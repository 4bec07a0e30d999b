//! Secret fields in JSON, also in JSON that stands escaped inside a string, and
//! secrets in what its strings say.

use super::escape::Escapes;
use super::find::{Edit, Written, any, free, inside};
use super::names::{find, find_text, is_header, is_name, is_secret, secret_parts};

/// Everything secret in JSON; in what is none, as far as it can be told.
pub(super) fn all(bytes: &[u8], depth: usize) -> Vec<Edit> {
    let mut edits = fields(bytes);
    strings(bytes, depth, &mut edits);
    if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_err() {
        edits.extend(free(bytes));
    }
    edits
}

/// Secret fields, told by their names.
pub(super) fn fields(bytes: &[u8]) -> Vec<Edit> {
    let oauth = find_text(bytes, 0, b"grant_type").is_some();
    let mut edits = Vec::new();
    let mut at = 0;
    while let Some(quote) = find(bytes, at, |byte| byte == b'"') {
        at = quote + 1;
        let part = |byte: u8| is_name(byte) || matches!(byte, b'.' | b':');
        let name_end = find(bytes, at, |byte| !part(byte)).unwrap_or(bytes.len());
        let name = bytes.get(at..name_end).unwrap_or_default();
        let name = name.rsplit(|byte| matches!(byte, b'.' | b':')).next().unwrap_or_default();
        if name.is_empty() || !is_secret(name, oauth) {
            continue;
        }
        let (quote, escapes) = after_escapes(bytes, name_end);
        if bytes.get(quote) != Some(&b'"') {
            continue;
        }
        let Some(value) = value_of(bytes, name, quote + 1) else { continue };
        let (found, end) = json_value(bytes, name, value, escapes);
        edits.extend(found);
        at = end;
    }
    edits
}

/// Where the value begins of a name that ends here: `"name": …`; a header as a
/// pair, `["authorization", …]`; `"name": "authorization", "value": …`.
fn value_of(bytes: &[u8], name: &[u8], after: usize) -> Option<usize> {
    let sign = after_space(bytes, after);
    match bytes.get(sign)? {
        b':' => Some(after_space(bytes, sign + 1)),
        b',' => {
            let next = after_space(bytes, sign + 1);
            let rest = bytes.get(next..)?;
            match rest.strip_prefix(b"\"value\"") {
                Some(rest) => {
                    let colon = after_space(bytes, bytes.len() - rest.len());
                    let named = bytes.get(colon) == Some(&b':');
                    named.then(|| after_space(bytes, colon + 1))
                }
                None => (is_header(name) && rest.first() == Some(&b'"')).then_some(next),
            }
        }
        _ => None,
    }
}

/// The secrets in a JSON value, and where the value ends. `escapes`
/// backslashes stand before each quote.
fn json_value(bytes: &[u8], name: &[u8], start: usize, escapes: usize) -> (Vec<Edit>, usize) {
    let (quote, before) = after_escapes(bytes, start);
    if bytes.get(quote) == Some(&b'"') && before == escapes {
        let (start, end) = (quote + 1, string_end(bytes, quote + 1, escapes));
        let parts = secret_parts(name, bytes.get(start..end).unwrap_or_default());
        let edits = parts.into_iter().map(|part| Edit::plain(part).moved(start).named(name));
        return (edits.collect(), end + escapes + 1);
    }
    let end = match bytes.get(start) {
        Some(b'{' | b'[') => nested_end(bytes, start),
        _ => find(bytes, start, |byte| {
            matches!(byte, b',' | b'}' | b']' | b'"' | b'\\') || byte.is_ascii_whitespace()
        })
        .unwrap_or(bytes.len()),
    };
    let value = bytes.get(start..end).unwrap_or_default();
    if matches!(value, b"null" | b"true" | b"false") {
        return (Vec::new(), end);
    }
    // Inside a string, added quotes would end that string.
    let written = if escapes == 0 { Written::AsJsonValue } else { Written::Plainly };
    (vec![Edit { written, ..Edit::plain(start..end) }], end)
}

/// Secrets in what the strings say.
fn strings(bytes: &[u8], depth: usize, edits: &mut Vec<Edit>) {
    let mut at = 0;
    while let Some(quote) = find(bytes, at, |byte| byte == b'"') {
        let start = quote + 1;
        let end = string_end(bytes, start, 0);
        at = end + 1;
        let text = bytes.get(start..end).unwrap_or_default();
        if text.len() < SHORTEST_TEXT {
            continue;
        }
        let mut found = Vec::new();
        match text.contains(&b'\\') {
            true => inside(text, Escapes::Json, depth, &mut found),
            false => {
                found.extend(depth.checked_sub(1).map(|depth| any(text, depth)).unwrap_or_default())
            }
        }
        edits.extend(found.into_iter().map(|edit| match edit.written {
            Written::AsJsonValue => Edit { written: Written::Plainly, ..edit }.moved(start),
            _ => edit.moved(start),
        }));
    }
}

/// Shortest string that can say more than a word.
const SHORTEST_TEXT: usize = 6;

/// Where a string's contents end: before its closing quote, with the
/// backslashes that belong to that; the end of all if it is not closed.
fn string_end(bytes: &[u8], start: usize, escapes: usize) -> usize {
    let mut at = start;
    while let Some(stop) = find(bytes, at, |byte| matches!(byte, b'"' | b'\\')) {
        let (quote, before) = after_escapes(bytes, stop);
        if bytes.get(quote) == Some(&b'"') {
            // Each level of nesting doubles the backslashes and adds one: a
            // quote belongs to the contents if it has more than the opening
            // one, except that an even surplus is backslashes before a closing
            // quote.
            if before <= escapes || (escapes == 0 && before % 2 == 0) {
                return quote - escapes.min(before);
            }
            at = quote + 1;
        } else {
            at = quote;
        }
    }
    bytes.len()
}

/// The end of the array or object that starts here, or of all.
fn nested_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at = string_end(bytes, at + 1, 0),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at.min(bytes.len())
}

fn after_space(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, |byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len())
}

/// Skips backslashes; their number too.
fn after_escapes(bytes: &[u8], from: usize) -> (usize, usize) {
    let end = find(bytes, from, |byte| byte != b'\\').unwrap_or(bytes.len()).max(from);
    (end, end - from)
}
