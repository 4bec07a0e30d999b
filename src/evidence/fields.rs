//! Where secrets stand that are known by the name beside them: headers, URL
//! parameters, form and JSON fields, free text. Finds places; changes nothing.
//!
//! Works on the text as it is, well-formed or not: a body that a broken
//! connection cut in half must not leak either.

use std::ops::Range;

/// Headers whose whole value is secret, in lower case.
const HEADERS: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "x-access-token",
    "x-client-authorization-token",
    "x-amz-security-token",
];

/// Authentication schemes that stay before the secret, in lower case.
const SCHEMES: [&str; 5] = ["bearer", "basic", "digest", "negotiate", "token"];

/// Names of fields whose value is secret wherever it stands; lower case,
/// without `_` and `-`.
const FIELDS: [&str; 9] = [
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "clientsecret",
    "clientassertion",
    "token",
    "password",
    "codeverifier",
    "apikey",
];

/// Names that are secret only in the OAuth 2.0 flow (RFC 6749, sections 4.1.2
/// and 4.1.3): in URLs and forms, and in JSON with a `grant_type`. Elsewhere
/// in JSON `code` is the API's error code, which evidence needs.
const OAUTH_FIELDS: [&str; 2] = ["code", "state"];

/// Longest field name looked at, in bytes.
const MAX_NAME: usize = 40;

/// A place where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Its bytes.
    pub(super) range: Range<usize>,
    /// How it is written there.
    pub(super) written: Written,
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

/// The secret part of a header's value; none for headers without secrets.
pub(super) fn secret_in_header(name: &str, value: &str) -> Option<Range<usize>> {
    if !is_header(name) {
        return None;
    }
    let start = value.len() - value.trim_start().len();
    let end = value.trim_end().len().max(start);
    let scheme = value
        .get(start..end)
        .and_then(|value| value.split_once(' '))
        .filter(|(first, _)| SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(first)));
    match scheme {
        Some((_, rest)) => Some(end - rest.trim_start().len()..end),
        None => Some(start..end),
    }
}

fn is_header(name: &str) -> bool {
    HEADERS.iter().any(|header| header.eq_ignore_ascii_case(name))
}

/// User information in every address inside `text`: what stands between `://`
/// and `@`.
pub(super) fn user_info(text: &str) -> Vec<Edit> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>');
    let mut edits = Vec::new();
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let rest = text.get(start..).unwrap_or_default();
        let authority = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
        if let Some(length) = authority.rfind('@') {
            edits.push(Edit { range: start..start + length, written: Written::PercentEncoded });
        }
    }
    edits
}

/// Secret parameters in the query and fragment of an address.
pub(super) fn url_parameters(url: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let Some(query) = url.find(['?', '#']) else { return edits };
    let fragment = url.find('#').unwrap_or(url.len());
    parameters(url.as_bytes(), query.min(fragment)..fragment, &mut edits);
    parameters(url.as_bytes(), fragment..url.len(), &mut edits);
    edits
}

/// Secret fields of a form.
pub(super) fn form(bytes: &[u8]) -> Vec<Edit> {
    let mut edits = Vec::new();
    parameters(bytes, 0..bytes.len(), &mut edits);
    edits
}

fn parameters(bytes: &[u8], within: Range<usize>, edits: &mut Vec<Edit>) {
    let mut start = within.start;
    for pair in bytes.get(within).unwrap_or_default().split(|byte| *byte == b'&') {
        if let Some(equals) = pair.iter().position(|byte| *byte == b'=') {
            // The first parameter of an address has `?` or `#` before it, and
            // a fragment may hold a path with a query of its own.
            let name = pair.get(..equals).unwrap_or_default();
            let name = name.rsplit(|byte| matches!(byte, b'?' | b'#' | b';')).next();
            if is_secret(&percent_decode(name.unwrap_or_default()), true) {
                let range = start + equals + 1..start + pair.len();
                edits.push(Edit { range, written: Written::PercentEncoded });
            }
        }
        start += pair.len() + 1;
    }
}

/// Secret fields in JSON, also in JSON that stands escaped inside a string.
pub(super) fn json(bytes: &[u8]) -> Vec<Edit> {
    let oauth = bytes.windows(10).any(|window| window == b"grant_type");
    let mut edits = Vec::new();
    let mut at = 0;
    while let Some(quote) = find(bytes, at, |byte| byte == b'"') {
        at = quote + 1;
        let name_end = find(bytes, at, |byte| !is_name(byte)).unwrap_or(bytes.len());
        let name = bytes.get(at..name_end).unwrap_or_default();
        if name.is_empty() || !is_secret(name, oauth) {
            continue;
        }
        let (quote, escapes) = after_escapes(bytes, name_end);
        let colon = after_space(bytes, quote + 1);
        if bytes.get(quote) != Some(&b'"') || bytes.get(colon) != Some(&b':') {
            continue;
        }
        let value = after_space(bytes, colon + 1);
        let (edit, end) = json_value(bytes, value, escapes);
        edits.extend(edit);
        at = end;
    }
    edits
}

/// The secret in a JSON value, and where the value ends. `escapes` backslashes
/// stand before each quote.
fn json_value(bytes: &[u8], start: usize, escapes: usize) -> (Option<Edit>, usize) {
    let (quote, before) = after_escapes(bytes, start);
    if bytes.get(quote) == Some(&b'"') && before == escapes {
        let end = string_end(bytes, quote + 1, escapes);
        let edit = Edit { range: quote + 1..end, written: Written::Plainly };
        return (Some(edit), end + escapes + 1);
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
        return (None, end);
    }
    // Inside a string, added quotes would end that string.
    let written = if escapes == 0 { Written::AsJsonValue } else { Written::Plainly };
    (Some(Edit { range: start..end, written }), end)
}

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

/// Secrets in free text: `name=value`, header lines, `Bearer` and `Basic`
/// credentials.
pub(super) fn in_text(text: &str) -> Vec<Edit> {
    let bytes = text.as_bytes();
    let mut edits: Vec<Edit> = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        // What is inside a secret goes with it.
        if edits.last().is_some_and(|edit| at < edit.range.end) {
            continue;
        }
        match byte {
            b'=' => {
                let (name, before) = name_before(bytes, at);
                let parameter = matches!(before, Some(b'?' | b'&'));
                if is_secret(name, parameter) {
                    edits.push(Edit {
                        range: value_after(bytes, at + 1),
                        written: Written::PercentEncoded,
                    });
                }
            }
            b':' => {
                let (name, _) = name_before(bytes, at);
                let header = std::str::from_utf8(name).ok().filter(|name| is_header(name));
                let Some(name) = header else { continue };
                let end = find(bytes, at, |byte| matches!(byte, b'\r' | b'\n'));
                let value = text.get(at + 1..end.unwrap_or(text.len())).unwrap_or_default();
                if let Some(range) = secret_in_header(name, value) {
                    let range = at + 1 + range.start..at + 1 + range.end;
                    edits.push(Edit { range, written: Written::Plainly });
                }
            }
            b' ' => {
                let (name, _) = name_before(bytes, at);
                let end = find(bytes, at + 1, |byte| !is_token68(byte)).unwrap_or(bytes.len());
                let credentials = bytes.get(at + 1..end).unwrap_or_default();
                // "Basic authentication failed" holds none.
                let likely = credentials.len() >= 24
                    || (credentials.len() >= 8 && credentials.iter().any(u8::is_ascii_digit));
                if likely
                    && (name.eq_ignore_ascii_case(b"bearer") || name.eq_ignore_ascii_case(b"basic"))
                {
                    edits.push(Edit { range: at + 1..end, written: Written::Plainly });
                }
            }
            _ => {}
        }
    }
    edits
}

/// The name that ends here, and the byte before it.
fn name_before(bytes: &[u8], end: usize) -> (&[u8], Option<u8>) {
    let floor = end.saturating_sub(MAX_NAME);
    let head = bytes.get(floor..end).unwrap_or_default();
    let length = head.iter().rev().take_while(|byte| is_name(**byte)).count();
    let start = end - length;
    let before = start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    (bytes.get(start..end).unwrap_or_default(), before)
}

/// The value that starts here: inside quotes, or up to what ends a word.
fn value_after(bytes: &[u8], start: usize) -> Range<usize> {
    if let Some(quote @ (b'"' | b'\'')) = bytes.get(start).copied() {
        let end = find(bytes, start + 1, |byte| byte == quote).unwrap_or(bytes.len());
        return start + 1..end;
    }
    let ends = |byte: u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'&' | b'"' | b'\'' | b'<' | b'>' | b'#' | b',' | b';' | b')')
    };
    start..find(bytes, start, ends).unwrap_or(bytes.len())
}

fn is_secret(name: &[u8], oauth: bool) -> bool {
    if name.len() > MAX_NAME {
        return false;
    }
    let plain = || {
        name.iter()
            .filter(|byte| !matches!(byte, b'_' | b'-'))
            .map(|byte| byte.to_ascii_lowercase())
    };
    let among = |list: &[&str]| list.iter().any(|field| plain().eq(field.bytes()));
    among(&FIELDS) || (oauth && among(&OAUTH_FIELDS))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Characters of credentials (RFC 9110, section 11.2).
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

fn find(bytes: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    bytes.get(from..)?.iter().position(|byte| wanted(*byte)).map(|at| from + at)
}

fn after_space(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, |byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len())
}

/// Skips backslashes; their number too.
fn after_escapes(bytes: &[u8], from: usize) -> (usize, usize) {
    let end = find(bytes, from, |byte| byte != b'\\').unwrap_or(bytes.len()).max(from);
    (end, end - from)
}

/// Undoes percent-encoding and `+` for a space; what is no escape stays.
pub(super) fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = (*byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        match escape.and_then(hex_pair) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(if *byte == b'+' { b' ' } else { *byte });
                at += 1;
            }
        }
    }
    out
}

/// The byte written as two hexadecimal digits.
pub(super) fn hex_pair(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}
