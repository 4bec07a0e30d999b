//! Known secrets, wherever their bytes occur: as they are, percent-encoded,
//! escaped as in JSON or XML, or inside Base64 of any alignment (`id:secret`
//! of Basic authentication, say).

use std::ops::Range;

use secrecy::{ExposeSecret, SecretSlice};

use super::fields::hex_pair;

/// Shortest secret that is sought everywhere, in bytes.
const SHORTEST: usize = 4;
/// Shortest secret that is sought inside Base64, in bytes: shorter ones leave
/// so few characters that they would be found where they are not.
const SHORTEST_IN_BASE64: usize = 8;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One writing of a secret.
pub(super) struct Pattern {
    bytes: SecretSlice<u8>,
    form: Form,
    replacement: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    /// The characters of Base64 that depend on the secret alone; whether the
    /// one before and the one after depend on it in part.
    Base64 {
        before: bool,
        after: bool,
    },
}

impl Pattern {
    /// Bytes of the pattern.
    pub(super) fn len(&self) -> usize {
        self.bytes.expose_secret().len()
    }
}

/// The patterns that find a secret.
pub(super) fn patterns(secret: &[u8], replacement: &str) -> Vec<Pattern> {
    let pattern = |bytes: &[u8], form| Pattern {
        bytes: bytes.to_vec().into(),
        form,
        replacement: replacement.to_owned(),
    };
    let mut patterns = Vec::new();
    if secret.len() >= SHORTEST {
        patterns.push(pattern(secret, Form::Plain));
    }
    if secret.len() >= SHORTEST_IN_BASE64 {
        for offset in 0..3 {
            let mut shifted = vec![0; offset];
            shifted.extend_from_slice(secret);
            let (start, end) = ((offset * 8).div_ceil(6), shifted.len() * 8 / 6);
            let form = Form::Base64 { before: offset > 0, after: shifted.len() * 8 % 6 > 0 };
            if let Some(core) = base64(&shifted).get(start..end) {
                patterns.push(pattern(core, form));
            }
        }
    }
    patterns
}

/// Replaces every secret in `bytes`, the first pattern first; none when there
/// is nothing to replace.
pub(super) fn replace(patterns: &[Pattern], bytes: &[u8]) -> Option<Vec<u8>> {
    if patterns.is_empty() {
        return None;
    }
    // Nearly every byte starts no secret: decide that with one look-up.
    let mut may_start = [false; 256];
    for byte in *b"%\\&" {
        mark(&mut may_start, byte);
    }
    for pattern in patterns {
        match pattern.bytes.expose_secret().first() {
            Some(b' ') => [b' ', b'+'].into_iter().for_each(|byte| mark(&mut may_start, byte)),
            Some(b'+') => [b'+', b'-'].into_iter().for_each(|byte| mark(&mut may_start, byte)),
            Some(b'/') => [b'/', b'_'].into_iter().for_each(|byte| mark(&mut may_start, byte)),
            Some(byte) => mark(&mut may_start, *byte),
            None => {}
        }
    }
    let mut out = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        let found = may_start
            .get(usize::from(*byte))
            .is_some_and(|may| *may)
            .then(|| {
                patterns.iter().find_map(|pattern| Some((pattern, match_at(pattern, bytes, at)?)))
            })
            .flatten();
        match found {
            Some((pattern, range)) => {
                out.extend_from_slice(bytes.get(from..range.start.max(from)).unwrap_or_default());
                out.extend_from_slice(pattern.replacement.as_bytes());
                (from, at) = (range.end, range.end);
            }
            None => at += 1,
        }
    }
    if from == 0 {
        return None;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    Some(out)
}

fn mark(table: &mut [bool; 256], byte: u8) {
    if let Some(slot) = table.get_mut(usize::from(byte)) {
        *slot = true;
    }
}

/// Where the secret lies that matches here.
fn match_at(pattern: &Pattern, bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let wanted = pattern.bytes.expose_secret();
    let rest = bytes.get(at..)?;
    match pattern.form {
        Form::Plain => {
            if rest.starts_with(wanted) {
                return Some(at..at + wanted.len());
            }
            let end = wanted
                .iter()
                .try_fold(at, |at, byte| unit(bytes.get(at..)?, *byte).map(|length| at + length))?;
            Some(at..end)
        }
        Form::Base64 { before, after } => {
            let end = wanted.iter().try_fold(at, |at, byte| {
                letter(bytes.get(at..)?).filter(|(letter, _)| letter == byte).map(|(_, n)| at + n)
            })?;
            let before = before && at > 0 && letter(bytes.get(at - 1..at)?).is_some();
            let tail = bytes.get(end..).unwrap_or_default();
            let after = if after { letter(tail).map_or(0, |(_, length)| length) } else { 0 };
            Some(at - usize::from(before)..end + after)
        }
    }
}

/// The length of what stands for `wanted` at the start of `rest`.
fn unit(rest: &[u8], wanted: u8) -> Option<usize> {
    let first = *rest.first()?;
    let escaped = match first {
        b'%' => hex_pair(rest.get(1..3)?).map(|byte| (byte, 3)),
        b'+' => Some((b' ', 1)),
        b'\\' => json_escape(rest),
        b'&' => xml_escape(rest),
        _ => None,
    };
    match escaped {
        Some((byte, length)) if byte == wanted => Some(length),
        _ => (first == wanted).then_some(1),
    }
}

fn json_escape(rest: &[u8]) -> Option<(u8, usize)> {
    match *rest.get(1)? {
        byte @ (b'"' | b'\\' | b'/') => Some((byte, 2)),
        b't' => Some((b'\t', 2)),
        b'n' => Some((b'\n', 2)),
        b'r' => Some((b'\r', 2)),
        b'u' if rest.get(2..4)? == b"00" => {
            hex_pair(rest.get(4..6)?).filter(u8::is_ascii).map(|byte| (byte, 6))
        }
        _ => None,
    }
}

fn xml_escape(rest: &[u8]) -> Option<(u8, usize)> {
    let end = rest.iter().take(8).position(|byte| *byte == b';')?;
    let byte = match rest.get(1..end)? {
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        number => {
            let text = std::str::from_utf8(number).ok()?.strip_prefix('#')?;
            match text.strip_prefix(['x', 'X']) {
                Some(digits) => u8::from_str_radix(digits, 16).ok()?,
                None => text.parse().ok()?,
            }
        }
    };
    byte.is_ascii().then_some((byte, end + 1))
}

/// The Base64 character at the start of `rest`, in the standard alphabet, and
/// the length of its writing.
fn letter(rest: &[u8]) -> Option<(u8, usize)> {
    let (byte, length) = match *rest.first()? {
        b'%' => (hex_pair(rest.get(1..3)?)?, 3),
        b'\\' if rest.get(1) == Some(&b'/') => (b'/', 2),
        byte => (byte, 1),
    };
    let byte = match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    };
    ALPHABET.contains(&byte).then_some((byte, length))
}

/// Base64 with padding (RFC 4648, section 4).
pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
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
        let mut known = patterns(b"longer-secret", "L");
        known.extend(patterns(b"longer", "S"));
        assert_eq!(replace(&known, b"a longer b longer-secret c").unwrap(), b"a S b L c");
        assert_eq!(replace(&known, b"nothing"), None);
    }
}
