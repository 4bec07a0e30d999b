//! Secrets in XML and HTML, by the names of elements and attributes; and in
//! multi-part bodies, by the names of their parts.

use std::ops::Range;

use super::find::{DEPTH, Edit, any, free};
use super::names::{find, find_text, is_secret, secret_parts, trimmed};

/// Attributes that name what the element is about.
const NAMING: [&[u8]; 3] = [b"name", b"key", b"id"];

/// Whether it is a message of NCTS: XML whose root is `CC015C` or the like.
pub(super) fn is_ncts_message(bytes: &[u8]) -> bool {
    let mut at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    loop {
        at = find(bytes, at, |byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
        let rest = bytes.get(at..).unwrap_or_default();
        let end: &[u8] = match rest {
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', ..] => {
                let (name, _) = element_name(rest, 1);
                let local = local(rest.get(name).unwrap_or_default());
                return matches!(local, [b'C', b'C', a, b, c, end]
                    if [a, b, c].iter().all(|byte| byte.is_ascii_digit())
                        && end.is_ascii_uppercase());
            }
            _ => return false,
        };
        let Some(past) = find_text(bytes, at, end) else { return false };
        at = past + end.len();
    }
}

/// Secret elements and attributes: by their own names, or by an attribute
/// that names them (`<input name="code" value="…">`).
pub(super) fn elements(bytes: &[u8]) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut at = 0;
    while let Some(open) = find(bytes, at, |byte| byte == b'<') {
        let (name, after) = element_name(bytes, open + 1);
        at = after.max(open + 1);
        if name.is_empty() {
            continue;
        }
        let qualified = bytes.get(name).unwrap_or_default();
        let element = local(qualified);
        let input = element.eq_ignore_ascii_case(b"input");
        let tag = tag(bytes, after);
        let mut secret = is_secret(element, false).then(|| element.to_vec());
        for (name, value) in &tag.attributes {
            let text = bytes.get(value.clone()).unwrap_or_default();
            if is_secret(name, false) {
                edits.extend(parts(bytes, name, value.clone()));
            } else if NAMING.contains(&name.as_slice()) && is_secret(local(text), input) {
                secret = Some(text.to_vec());
            }
        }
        at = tag.end;
        let Some(named) = secret else { continue };
        let value = tag.attributes.iter().find(|(name, _)| name == b"value");
        edits.extend(value.into_iter().flat_map(|(_, value)| parts(bytes, &named, value.clone())));
        if tag.empty || input {
            continue;
        }
        let end = closing(bytes, tag.end, qualified);
        edits.extend(parts(bytes, &named, unwrapped(bytes, tag.end..end)));
        at = end;
    }
    edits
}

/// The secret parts of a value of this name.
fn parts(bytes: &[u8], name: &[u8], value: Range<usize>) -> impl Iterator<Item = Edit> {
    let text = bytes.get(value.clone()).unwrap_or_default();
    let parts = secret_parts(name, text).into_iter();
    let granted = Edit::plain(0..0).named(name).granted;
    parts.map(move |part| Edit { granted, ..Edit::plain(part).moved(value.start) })
}

/// An element's name, with its prefix, and where it ends.
fn element_name(bytes: &[u8], start: usize) -> (Range<usize>, usize) {
    let is_name = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':') || byte >= 0x80
    };
    let end = find(bytes, start, |byte| !is_name(byte)).unwrap_or(bytes.len());
    (start..end, end)
}

fn local(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| *byte == b':').next().unwrap_or_default()
}

/// The rest of an opening tag.
struct Tag {
    /// Local names in lower case, and where their values lie.
    attributes: Vec<(Vec<u8>, Range<usize>)>,
    /// `/>`.
    empty: bool,
    /// After the `>`, or the end of all.
    end: usize,
}

fn tag(bytes: &[u8], from: usize) -> Tag {
    let mut tag = Tag { attributes: Vec::new(), empty: false, end: bytes.len() };
    let mut at = from;
    while let Some(stop) = find(bytes, at, |byte| matches!(byte, b'>' | b'=' | b'<')) {
        match bytes.get(stop) {
            Some(b'=') => {
                let name = bytes.get(at..stop).unwrap_or_default().trim_ascii_end();
                let name = name.rsplit(|byte| byte.is_ascii_whitespace() || *byte == b'/').next();
                let qualified = name.unwrap_or_default();
                let name = match qualified.starts_with(b"xmlns:") {
                    true => Vec::new(),
                    false => local(qualified).to_ascii_lowercase(),
                };
                let value = attribute_value(bytes, stop + 1);
                at = value.end.max(stop + 1);
                // Past the closing quote.
                if matches!(bytes.get(at), Some(b'"' | b'\'')) {
                    at += 1;
                }
                tag.attributes.push((name, value));
            }
            Some(b'>') => {
                tag.empty = bytes.get(stop.saturating_sub(1)) == Some(&b'/') && stop > from;
                tag.end = stop + 1;
                return tag;
            }
            _ => {
                // No tag at all: `a < b`.
                tag.empty = true;
                tag.end = stop;
                return tag;
            }
        }
    }
    tag
}

fn attribute_value(bytes: &[u8], start: usize) -> Range<usize> {
    let start = find(bytes, start, |byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
    match bytes.get(start).copied() {
        Some(quote @ (b'"' | b'\'')) => {
            start + 1..find(bytes, start + 1, |byte| byte == quote).unwrap_or(bytes.len())
        }
        _ => {
            let ends = |byte: u8| byte.is_ascii_whitespace() || byte == b'>';
            start..find(bytes, start, ends).unwrap_or(bytes.len())
        }
    }
}

/// Where an element's contents end: before its closing tag, or with all.
fn closing(bytes: &[u8], from: usize, name: &[u8]) -> usize {
    let mut at = from;
    while let Some(close) = find_text(bytes, at, b"</") {
        let (found, after) = element_name(bytes, close + 2);
        if bytes.get(found) == Some(name) {
            return close;
        }
        at = after;
    }
    bytes.len()
}

/// Contents without white space and the marks of CDATA around them.
fn unwrapped(bytes: &[u8], contents: Range<usize>) -> Range<usize> {
    let range = trimmed(bytes, contents);
    let (open, close) = (b"<![CDATA[".len(), b"]]>".len());
    let text = bytes.get(range.clone()).unwrap_or_default();
    let inner = text.strip_prefix(b"<![CDATA[").and_then(|text| text.strip_suffix(b"]]>"));
    match inner {
        Some(_) => trimmed(bytes, range.start + open..range.end - close),
        None => range,
    }
}

/// Secrets in a multi-part body: parts with the names of secrets, and what
/// other parts hold.
pub(super) fn multipart(media_type: &str, bytes: &[u8]) -> Vec<Edit> {
    let given = media_type.split("boundary=").nth(1).map(|rest| {
        let rest = rest.trim_start_matches('"');
        let ends = |c: char| matches!(c, '"' | ';') || c.is_whitespace();
        rest.split(ends).next().unwrap_or_default().as_bytes()
    });
    let first_line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let boundary = match first_line.strip_prefix(b"--") {
        Some(own) if !own.is_empty() => own,
        _ => given.unwrap_or_default(),
    };
    if boundary.is_empty() {
        return any(bytes, DEPTH);
    }
    let mark = [b"--", boundary].concat();
    let mut edits = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let end = find_text(bytes, start, &mark).unwrap_or(bytes.len());
        edits.extend(part(bytes.get(start..end).unwrap_or_default()).map(|edit| edit.moved(start)));
        start = end + mark.len();
    }
    edits
}

/// Secrets in one part, with its headers.
fn part(bytes: &[u8]) -> impl Iterator<Item = Edit> {
    let blank = [&b"\r\n\r\n"[..], b"\n\n"]
        .into_iter()
        .filter_map(|blank| find_text(bytes, 0, blank).map(|at| (at, at + blank.len())))
        .min();
    let (head_end, start) = blank.unwrap_or((bytes.len(), bytes.len()));
    let head = bytes.get(..head_end).unwrap_or_default();
    let mut edits = free(head);
    let lower = head.to_ascii_lowercase();
    let name = find_text(&lower, 0, b"name=").map(|at| attribute_value(head, at + b"name=".len()));
    let name = head.get(name.unwrap_or(0..0)).unwrap_or_default();
    let name = name.split(|byte| *byte == b';').next().unwrap_or_default();
    if is_secret(name, true) {
        edits.push(Edit::plain(trimmed(bytes, start..bytes.len())).named(name));
    } else {
        let contents = bytes.get(start..).unwrap_or_default();
        edits.extend(any(contents, DEPTH).into_iter().map(|edit| edit.moved(start)));
    }
    edits.into_iter()
}
