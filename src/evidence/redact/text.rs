//! Secrets in free text, told by the name beside them: addresses, parameters,
//! `name=value`, header lines.

use std::ops::Range;

use super::escape::percent_decode;
use super::find::Edit;
use super::names::{find, is_header, is_secret, name_before, secret_parts};
use super::shapes::likely;

/// User information in every address: what stands between `://` and `@`.
pub(super) fn user_info(bytes: &[u8]) -> Vec<Edit> {
    let ends = |byte: u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\')
    };
    let mut edits = Vec::new();
    let mut from = 0;
    while let Some(at) = super::names::find_text(bytes, from, b"://") {
        let start = at + 3;
        let end = find(bytes, start, ends).unwrap_or(bytes.len());
        let authority = bytes.get(start..end).unwrap_or_default();
        if let Some(length) = authority.iter().rposition(|byte| *byte == b'@') {
            edits.push(Edit::plain(start..start + length).encoded());
        }
        from = start;
    }
    edits
}

/// Secret parameters of an address or form: `name=value` between `&`.
pub(super) fn parameters(bytes: &[u8], within: Range<usize>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut start = within.start;
    for pair in bytes.get(within).unwrap_or_default().split(|byte| matches!(byte, b'&' | b'#')) {
        if let Some(equals) = pair.iter().position(|byte| *byte == b'=') {
            // The first parameter of an address has `?` before it, and a
            // fragment may hold a path with a query of its own.
            let name = pair.get(..equals).unwrap_or_default();
            let name = name.rsplit(|byte| matches!(byte, b'?' | b';')).next().unwrap_or_default();
            let name = percent_decode(name);
            if is_secret(&name, true) {
                let range = start + equals + 1..start + pair.len();
                edits.push(Edit::plain(range).encoded().named(&name));
            }
        }
        start += pair.len() + 1;
    }
    edits
}

/// Secrets after `name=` and `name:`.
pub(super) fn named_values(bytes: &[u8]) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut at = 0;
    while let Some(sign) = find(bytes, at, |byte| matches!(byte, b'=' | b':')) {
        at = sign + 1;
        let found = match bytes.get(sign) {
            Some(b'=') => after_equals(bytes, sign),
            _ => after_colon(bytes, sign),
        };
        // What is inside a secret goes with it.
        if let Some(last) = found.last() {
            at = at.max(last.range.end);
        }
        edits.extend(found);
    }
    edits
}

fn after_equals(bytes: &[u8], sign: usize) -> Vec<Edit> {
    let end = before_spaces(bytes, sign);
    let (name, before) = name_before(bytes, end);
    let parameter = end == sign && matches!(before, None | Some(b'?' | b'&' | b'#' | b';'));
    // `xmlns:token="…"` names no secret.
    let declares = bytes.get(..end - name.len()).is_some_and(|head| head.ends_with(b"xmlns:"));
    if declares || !is_secret(name, parameter) {
        return Vec::new();
    }
    // `=`, `= `, `=>`, `==`.
    let start = match bytes.get(sign + 1) {
        Some(b'>' | b'=') => sign + 2,
        _ => sign + 1,
    };
    let spaced = after_spaces(bytes, start);
    let quoted = matches!(bytes.get(spaced), Some(b'"' | b'\'' | b'\\'));
    let start = if end < sign || quoted { spaced } else { start };
    vec![Edit::plain(value_after(bytes, start)).encoded().named(name)]
}

fn after_colon(bytes: &[u8], sign: usize) -> Vec<Edit> {
    // Python and others quote names like this: `'password': 'x'`.
    let end = before_spaces(bytes, sign);
    let quote = end.checked_sub(1).and_then(|at| bytes.get(at)).filter(|byte| **byte == b'\'');
    let (name, before) = name_before(bytes, end - usize::from(quote.is_some()));
    if !is_secret(name, false) {
        return Vec::new();
    }
    let start = after_spaces(bytes, sign + 1);
    if quote.is_none() && is_header(name) {
        // To the end of the line, of the element, or of the string in which
        // the whole line stands.
        let ends = |byte: u8| {
            matches!(byte, b'\r' | b'\n' | b'<')
                || (matches!(byte, b'"' | b'\'' | b'`') && before == Some(byte))
        };
        let end = find(bytes, start, ends).unwrap_or(bytes.len());
        let value = bytes.get(start..end).unwrap_or_default();
        let parts = secret_parts(name, value).into_iter();
        return parts.map(|part| Edit::plain(part).moved(start).named(name)).collect();
    }
    let value = value_after(bytes, start);
    let quoted = value.start > start;
    let word = bytes.get(value.clone()).unwrap_or_default();
    // A word after a colon may be part of a sentence: `invalid token: expired`.
    match quoted || likely(word) {
        true => vec![Edit::plain(value).named(name)],
        false => Vec::new(),
    }
}

/// The value that starts here: inside quotes, which may be escaped, or up to
/// what ends a word.
fn value_after(bytes: &[u8], start: usize) -> Range<usize> {
    let escapes = bytes.get(start..).unwrap_or_default();
    let escapes = escapes.iter().take_while(|byte| **byte == b'\\').count();
    if let Some(quote @ (b'"' | b'\'')) = bytes.get(start + escapes).copied() {
        let start = start + escapes + 1;
        let end = find(bytes, start, |byte| byte == quote).unwrap_or(bytes.len());
        return start..end.saturating_sub(escapes).max(start);
    }
    let ends = |byte: u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'&' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'#' | b',' | b';' | b')')
    };
    let end = find(bytes, start, ends).unwrap_or(bytes.len());
    // The backslash of an escaped quote.
    let word = bytes.get(start..end).unwrap_or_default();
    let escapes = match bytes.get(end) {
        Some(b'"' | b'\'') => word.iter().rev().take_while(|byte| **byte == b'\\').count(),
        _ => 0,
    };
    start..end - escapes
}

fn before_spaces(bytes: &[u8], end: usize) -> usize {
    let head = bytes.get(end.saturating_sub(8)..end).unwrap_or_default();
    end - head.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn after_spaces(bytes: &[u8], start: usize) -> usize {
    find(bytes, start, |byte| !matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len())
}
