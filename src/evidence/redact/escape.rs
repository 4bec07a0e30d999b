//! Undoing escapes: one at a time, and whole texts with the place from which
//! each byte came.

use std::ops::Range;

/// Longest escape, in bytes.
pub(super) const LONGEST: usize = 12;

/// Whether an escape may begin with this byte.
pub(super) fn begins(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&' | b'+')
}

/// What an escape stands for: as many of these bytes as told.
pub(super) type Undone = ([u8; 4], usize);

/// Undoes the escape at the start of `text`: percent-encoding, and `+` for a
/// space; JSON (RFC 8259, section 7); XML. What it stands for, and how many
/// bytes it takes.
pub(super) fn undo(text: &[u8]) -> Option<(Undone, usize)> {
    match *text.first()? {
        b'%' => plain(hex_pair(text.get(1..3)?)?, 3),
        b'+' => plain(b' ', 1),
        b'\\' => undo_json(text),
        b'&' => undo_xml(text),
        _ => None,
    }
}

fn plain(byte: u8, used: usize) -> Option<(Undone, usize)> {
    Some((([byte, 0, 0, 0], 1), used))
}

fn utf8(c: char, used: usize) -> (Undone, usize) {
    let mut bytes = [0; 4];
    let count = c.encode_utf8(&mut bytes).len();
    ((bytes, count), used)
}

fn undo_json(text: &[u8]) -> Option<(Undone, usize)> {
    match *text.get(1)? {
        byte @ (b'"' | b'\\' | b'/' | b'\'') => plain(byte, 2),
        b't' => plain(b'\t', 2),
        b'n' => plain(b'\n', 2),
        b'r' => plain(b'\r', 2),
        b'u' => {
            let high = hex_quad(text.get(2..6)?)?;
            if let Some(c) = char::from_u32(high) {
                return Some(utf8(c, 6));
            }
            let low = hex_quad(text.get(6..12)?.strip_prefix(b"\\u")?)?;
            let pair = [u16::try_from(high).ok()?, u16::try_from(low).ok()?];
            Some(utf8(char::decode_utf16(pair).next()?.ok()?, 12))
        }
        _ => None,
    }
}

fn undo_xml(text: &[u8]) -> Option<(Undone, usize)> {
    let end = text.iter().take(LONGEST).position(|byte| *byte == b';')?;
    let c = match text.get(1..end)? {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        number => {
            let text = std::str::from_utf8(number).ok()?.strip_prefix('#')?;
            let code = match text.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => text.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some(utf8(c, end + 1))
}

fn hex_quad(digits: &[u8]) -> Option<u32> {
    let [a, b, c, d] = digits else { return None };
    Some(u32::from(hex_pair(&[*a, *b])?) << 8 | u32::from(hex_pair(&[*c, *d])?))
}

/// The byte written as two hexadecimal digits.
pub(super) fn hex_pair(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

/// A kind of escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Of addresses and forms.
    Percent,
    /// Of strings in JSON.
    Json,
    /// Of XML and HTML.
    Xml,
}

/// A text with its escapes of one kind undone.
pub(super) struct View {
    /// The text.
    pub(super) bytes: Vec<u8>,
    /// Where each byte came from; one more for the end.
    origin: Vec<u32>,
}

impl View {
    /// The text without these escapes; none where it has none.
    pub(super) fn of(text: &[u8], escapes: Escapes) -> Option<Self> {
        let begins: &[u8] = match escapes {
            Escapes::Percent => b"%+",
            Escapes::Json => b"\\",
            Escapes::Xml => b"&",
        };
        // `+` alone is no sign of an encoded text.
        let sign = begins.first()?;
        text.contains(sign).then_some(())?;
        let mut view = Self { bytes: Vec::with_capacity(text.len()), origin: Vec::new() };
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            let escape = begins.contains(byte).then(|| undo(text.get(at..).unwrap_or_default()));
            let ((bytes, count), used) = escape.flatten().unwrap_or((([*byte, 0, 0, 0], 1), 1));
            let place = u32::try_from(at).ok()?;
            view.bytes.extend(bytes.into_iter().take(count));
            view.origin.extend(std::iter::repeat_n(place, count));
            at += used;
        }
        view.origin.push(u32::try_from(text.len()).ok()?);
        Some(view)
    }

    /// Where in the text something lies that lies here in the view.
    pub(super) fn source(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let place = |at: usize| self.origin.get(at).map(|place| *place as usize);
        Some(place(range.start)?..place(range.end)?)
    }
}

/// Undoes percent-encoding and `+` for a space; what is no escape stays.
pub(super) fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    match View::of(bytes, Escapes::Percent) {
        Some(view) => view.bytes,
        None => bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_knows_where_its_bytes_came_from() {
        for (escapes, text, plain, secret) in [
            (Escapes::Percent, "a%3Ds%20e%63+r&b", "a=s ec r&b", "s%20e%63+r"),
            (Escapes::Json, r"a=\u0073\u00e9\/c\nx", "a=sé/c\nx", r"\u0073\u00e9\/c"),
            (Escapes::Xml, "&lt;a&gt;&#115;&amp;c&lt;/a>", "<a>s&c</a>", "&#115;&amp;c"),
        ] {
            let view = View::of(text.as_bytes(), escapes).unwrap();
            assert_eq!(view.bytes, plain.as_bytes());
            let start = text.find(secret).unwrap();
            let wanted = start..start + secret.len();
            let found = (0..=view.bytes.len())
                .flat_map(|from| (from..=view.bytes.len()).map(move |to| from..to))
                .any(|range| view.source(&range) == Some(wanted.clone()));
            assert!(found, "{text}");
            assert_eq!(view.source(&(0..view.bytes.len())), Some(0..text.len()));
        }
        assert!(View::of(b"a+b", Escapes::Percent).is_none());
        assert_eq!(percent_decode(b"a+b%2B%zz%4"), b"a b+%zz%4");
    }
}
