//! Known secrets, wherever their bytes occur: as they are; percent-encoded or
//! escaped as in JSON or XML, several times over; as hexadecimal digits; inside
//! Base64 of any alignment (`id:secret` of Basic authentication, say).

use std::ops::Range;

use secrecy::{ExposeSecret, SecretSlice};

use super::escape::{begins as escapes, hex_pair, undo};

/// Shortest secret that is sought everywhere, in bytes.
const SHORTEST: usize = 4;
/// Shortest secret that is sought as hexadecimal digits and inside Base64, in
/// bytes: shorter ones leave so few characters that they would be found where
/// they are not.
const SHORTEST_ENCODED: usize = 8;
/// How many escapes are undone, one inside the other: JSON in JSON in HTML.
const LEVELS: usize = 3;
/// Longest writing of one byte, in bytes, as far as escapes are undone.
pub(in crate::evidence) const LONGEST_UNIT: usize = 40;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One writing of a secret.
struct Pattern {
    bytes: SecretSlice<u8>,
    form: Form,
    /// Which secret.
    secret: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    /// Two digits for each byte, of either case.
    Hex,
    /// The characters of Base64 that depend on the secret alone; whether the
    /// one before and the one after depend on it in part.
    Base64 {
        before: bool,
        after: bool,
    },
}

/// Secrets that are known, each with a tag: what stands in its place, or what
/// it is called.
#[derive(Default)]
pub(in crate::evidence) struct Known {
    tags: Vec<String>,
    /// Longest first: where one secret begins with another, the longer one is
    /// meant.
    patterns: Vec<Pattern>,
    /// The patterns that a byte may begin.
    starts: Vec<Vec<usize>>,
}

/// A known secret that was found.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::evidence) struct Found<'a> {
    pub(in crate::evidence) range: Range<usize>,
    pub(in crate::evidence) tag: &'a str,
}

impl Known {
    /// Adds a secret.
    pub(in crate::evidence) fn add(&mut self, secret: &[u8], tag: String) {
        let index = self.tags.len();
        self.tags.push(tag);
        let pattern =
            |bytes: &[u8], form| Pattern { bytes: bytes.to_vec().into(), form, secret: index };
        if secret.len() >= SHORTEST {
            self.patterns.push(pattern(secret, Form::Plain));
        }
        if secret.len() >= SHORTEST_ENCODED {
            self.patterns.push(pattern(secret, Form::Hex));
            for offset in 0..3 {
                let mut shifted = vec![0; offset];
                shifted.extend_from_slice(secret);
                let (start, end) = ((offset * 8).div_ceil(6), shifted.len() * 8 / 6);
                let form = Form::Base64 { before: offset > 0, after: shifted.len() * 8 % 6 > 0 };
                if let Some(core) = base64(&shifted).get(start..end) {
                    self.patterns.push(pattern(core, form));
                }
            }
        }
        self.patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.bytes.expose_secret().len()));
        self.starts = vec![Vec::new(); 256];
        for (at, pattern) in self.patterns.iter().enumerate() {
            for byte in pattern.first_bytes() {
                if let Some(list) = self.starts.get_mut(usize::from(byte)) {
                    list.push(at);
                }
            }
        }
    }

    /// How many secrets there are.
    pub(super) fn count(&self) -> usize {
        self.tags.len()
    }

    /// Whether a secret of this tag is among them.
    pub(super) fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|known| known == tag)
    }

    /// Length of the longest secret, in bytes of its longest writing without
    /// escapes.
    pub(in crate::evidence) fn longest(&self) -> usize {
        self.patterns
            .iter()
            .map(|pattern| 2 * pattern.bytes.expose_secret().len())
            .max()
            .unwrap_or(0)
    }

    /// The first secret that begins at `from` or later, before `limit`.
    pub(in crate::evidence) fn find(
        &self,
        bytes: &[u8],
        from: usize,
        limit: usize,
    ) -> Option<Found<'_>> {
        if self.patterns.is_empty() {
            return None;
        }
        (from..limit.min(bytes.len())).find_map(|at| self.at(bytes, at))
    }

    /// Replaces every secret in `bytes` by its tag; none when there is nothing
    /// to replace.
    pub(in crate::evidence) fn replace(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let (mut from, mut at) = (0, 0);
        while let Some(Found { range, tag }) = self.find(bytes, at, bytes.len()) {
            out.extend_from_slice(bytes.get(from..range.start.max(from)).unwrap_or_default());
            out.extend_from_slice(tag.as_bytes());
            (from, at) = (range.end, range.end);
        }
        if from == 0 {
            return None;
        }
        out.extend_from_slice(bytes.get(from..).unwrap_or_default());
        Some(out)
    }

    /// The secret that begins here.
    fn at(&self, bytes: &[u8], at: usize) -> Option<Found<'_>> {
        let rest = bytes.get(at..)?;
        let first = *rest.first()?;
        let begun_by = |byte: u8| self.starts.get(usize::from(byte)).map_or(&[][..], Vec::as_slice);
        let try_all = |candidates: &[usize]| {
            candidates.iter().find_map(|index| {
                let pattern = self.patterns.get(*index)?;
                let range = pattern.match_at(bytes, at)?;
                Some(Found { range, tag: self.tags.get(pattern.secret)? })
            })
        };
        // Nearly every byte starts no secret and no escape.
        if !escapes(first) {
            return try_all(begun_by(first));
        }
        let readings = Readings::of(rest);
        readings.each().find_map(|(bytes, _)| try_all(begun_by(*bytes.first()?)))
    }
}

impl Pattern {
    /// The bytes with which it may begin, escapes apart.
    fn first_bytes(&self) -> Vec<u8> {
        let Some(first) = self.bytes.expose_secret().first().copied() else { return Vec::new() };
        match (self.form, first) {
            (Form::Plain, _) => vec![first],
            (Form::Hex, _) => {
                let digit = char::from_digit(u32::from(first >> 4), 16).unwrap_or('0');
                let mut digits = vec![digit, digit.to_ascii_uppercase()];
                digits.dedup();
                digits.into_iter().filter_map(|digit| u8::try_from(digit).ok()).collect()
            }
            (Form::Base64 { .. }, b'+') => vec![b'+', b'-'],
            (Form::Base64 { .. }, b'/') => vec![b'/', b'_'],
            (Form::Base64 { .. }, _) => vec![first],
        }
    }

    /// Where the secret lies that matches here.
    fn match_at(&self, bytes: &[u8], at: usize) -> Option<Range<usize>> {
        let wanted = self.bytes.expose_secret();
        let rest = bytes.get(at..)?;
        match self.form {
            Form::Plain if rest.starts_with(wanted) => Some(at..at + wanted.len()),
            Form::Plain => {
                let (mut matched, mut end) = (0, 0);
                while let Some(left) = wanted.get(matched..).filter(|left| !left.is_empty()) {
                    let (count, length) = unit(rest.get(end..)?, left)?;
                    (matched, end) = (matched + count, end + length);
                }
                Some(at..at + end)
            }
            Form::Hex => {
                let digits = rest.get(..2 * wanted.len())?;
                let same = digits
                    .chunks_exact(2)
                    .zip(wanted)
                    .all(|(pair, byte)| hex_pair(pair) == Some(*byte));
                same.then_some(at..at + digits.len())
            }
            Form::Base64 { before, after } => {
                let mut end = at;
                for (number, byte) in wanted.iter().enumerate() {
                    if number > 0 {
                        end += line_break(bytes.get(end..)?);
                    }
                    let (_, length) =
                        letter(bytes.get(end..)?).filter(|(found, _)| found == byte)?;
                    end += length;
                }
                let before = before && at > 0 && letter(bytes.get(at - 1..at)?).is_some();
                let tail = bytes.get(end..).unwrap_or_default();
                let after = if after { letter(tail).map_or(0, |(_, length)| length) } else { 0 };
                Some(at - usize::from(before)..end + after)
            }
        }
    }
}

/// What stands at one place, read with no escape undone, one, two, and so on.
struct Readings {
    readings: [([u8; 4], usize, usize); LEVELS + 1],
    count: usize,
}

impl Readings {
    fn of(rest: &[u8]) -> Self {
        let mut readings = Self { readings: [([0; 4], 0, 0); LEVELS + 1], count: 0 };
        readings.push(([rest.first().copied().unwrap_or(0), 0, 0, 0], 1, 1));
        // Bytes as far as they are undone, each with the length of its writing.
        let mut level: Vec<(u8, usize)> =
            rest.iter().take(LONGEST_UNIT).map(|byte| (*byte, 1)).collect();
        for _ in 0..LEVELS {
            if let Some((first, count, used)) = undo_level(&level) {
                readings.push((first, count, length(&level, 0..used)));
            }
            let (mut next, mut at) = (Vec::with_capacity(level.len()), 0);
            while let Some((byte, written)) = level.get(at) {
                match level.get(at..).and_then(undo_level) {
                    Some((bytes, count, used)) => {
                        let written = length(&level, at..at + used);
                        let lengths = std::iter::once(written).chain(std::iter::repeat(0));
                        next.extend(bytes.into_iter().take(count).zip(lengths));
                        at += used;
                    }
                    None => {
                        next.push((*byte, *written));
                        at += 1;
                    }
                }
            }
            if next.len() == level.len() {
                break;
            }
            level = next;
        }
        readings
    }

    fn push(&mut self, reading: ([u8; 4], usize, usize)) {
        if let Some(slot) = self.readings.get_mut(self.count) {
            *slot = reading;
            self.count += 1;
        }
    }

    /// Bytes, and the length of their writing; the one undone most comes
    /// first.
    fn each(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.readings
            .iter()
            .take(self.count)
            .rev()
            .map(|(bytes, count, length)| (bytes.get(..*count).unwrap_or_default(), *length))
    }
}

fn length(level: &[(u8, usize)], range: Range<usize>) -> usize {
    level.get(range).unwrap_or_default().iter().map(|(_, length)| length).sum()
}

/// Undoes the escape at the start: what it stands for, and how many bytes it
/// takes.
fn undo_level(level: &[(u8, usize)]) -> Option<([u8; 4], usize, usize)> {
    if !escapes(level.first()?.0) {
        return None;
    }
    let mut text = [0; super::escape::LONGEST];
    let count = level.len().min(text.len());
    text.iter_mut().zip(level).for_each(|(slot, (byte, _))| *slot = *byte);
    let ((bytes, length), used) = undo(text.get(..count)?)?;
    Some((bytes, length, used))
}

/// How many bytes of `wanted` stand at the start of `rest`, and the length of
/// what stands for them.
fn unit(rest: &[u8], wanted: &[u8]) -> Option<(usize, usize)> {
    let first = *rest.first()?;
    if !escapes(first) {
        return (wanted.first() == Some(&first)).then_some((1, 1));
    }
    Readings::of(rest)
        .each()
        .find(|(bytes, _)| wanted.starts_with(bytes))
        .map(|(bytes, length)| (bytes.len(), length))
}

/// The Base64 character at the start of `rest`, in the standard alphabet, and
/// the length of its writing.
fn letter(rest: &[u8]) -> Option<(u8, usize)> {
    let standard = |byte: u8| {
        let byte = match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        };
        ALPHABET.contains(&byte).then_some(byte)
    };
    let first = *rest.first()?;
    if !matches!(first, b'%' | b'\\' | b'&') {
        return standard(first).map(|byte| (byte, 1));
    }
    Readings::of(rest).each().find_map(|(bytes, length)| match bytes {
        [byte] => standard(*byte).map(|byte| (byte, length)),
        _ => None,
    })
}

/// The length of a line break between two characters of Base64, as mail and
/// PEM have it; perhaps escaped as in JSON.
fn line_break(rest: &[u8]) -> usize {
    let breaks: [&[u8]; 4] = [b"\r\n", b"\n", b"\\r\\n", b"\\n"];
    breaks.iter().find(|ends| rest.starts_with(ends)).map_or(0, |ends| ends.len())
}

/// Base64 with padding (RFC 4648, section 4).
pub(in crate::evidence) fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or(0);
            let letter = ALPHABET.get(index).copied().unwrap_or(b'=');
            out.push(if at as usize > chunk.len() { b'=' } else { letter });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(secrets: &[(&str, &str)]) -> Known {
        let mut known = Known::default();
        for (secret, tag) in secrets {
            known.add(secret.as_bytes(), (*tag).to_owned());
        }
        known
    }

    #[test]
    fn base64_is_as_the_rfc_has_it() {
        // RFC 4648, section 10.
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), encoded.as_bytes());
        }
    }

    #[test]
    fn where_one_secret_begins_with_another_the_longer_goes() {
        let known = known(&[("longer-secret", "L"), ("longer", "S")]);
        assert_eq!(known.replace(b"a longer b longer-secret c").unwrap(), b"a S b L c");
        assert_eq!(known.replace(b"nothing"), None);
    }

    #[test]
    fn escapes_inside_escapes_are_undone() {
        let known = known(&[(r#"p"a\s&s/wörd 😀"#, "X")]);
        let json = |text: &str| {
            let quoted = serde_json::to_string(text).unwrap();
            quoted[1..quoted.len() - 1].to_owned()
        };
        let percent =
            |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
        let xml = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;");
        let secret = r#"p"a\s&s/wörd 😀"#;
        let unicode: String = secret.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        for writing in [
            json(secret),
            json(&json(secret)),
            json(&json(&json(secret))),
            xml(&json(secret)),
            json(&xml(secret)),
            percent(secret),
            percent(&percent(secret)),
            json(&percent(secret)),
            unicode.clone(),
            json(&unicode),
            secret.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
            secret.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect(),
            secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
            secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ] {
            let replaced = known.replace(format!("<{writing}>").as_bytes());
            assert_eq!(replaced.as_deref(), Some(&b"<X>"[..]), "{writing}");
        }
    }

    #[test]
    fn base64_may_be_broken_into_lines() {
        let secret =
            "a secret that is longer than one line of Base64 in an e-mail or a certificate";
        let known = known(&[(secret, "X")]);
        for offset in 0..3 {
            let text = base64(format!("{}{secret}", "-".repeat(offset)).as_bytes());
            for ends in ["\r\n", "\n", "\\n"] {
                let lines: Vec<_> = text.chunks(64).map(String::from_utf8_lossy).collect();
                let replaced = known.replace(lines.join(ends).as_bytes()).unwrap();
                assert!(replaced.len() < 10, "{}", String::from_utf8_lossy(&replaced));
            }
        }
    }
}
