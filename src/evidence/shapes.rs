//! What looks like a secret whoever it belongs to, and whatever stands beside
//! it: a private key in PEM, the credentials of a bearer or of Basic
//! authentication, a JSON Web Token.

use std::ops::Range;

/// What something looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// RFC 7468, and older forms of it.
    PrivateKey,
    /// `Bearer` (RFC 6750) or `Basic` (RFC 7617) and credentials.
    Credentials,
    /// RFC 7519, signed.
    Jwt,
}

impl Shape {
    /// In words.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::PrivateKey => "a private key",
            Self::Credentials => "credentials of a bearer",
            Self::Jwt => "a JSON Web Token",
        }
    }
}

/// The first that begins at `from` or later, before `limit`: its bytes.
pub(super) fn find(bytes: &[u8], from: usize, limit: usize) -> Option<(Range<usize>, Shape)> {
    let head = bytes.get(..limit.min(bytes.len()))?;
    let mut at = from;
    while let Some(step) = head.get(at..)?.iter().position(|byte| starts(*byte)) {
        at += step;
        let found = match bytes.get(at).copied()? {
            b'-' => private_key(bytes, at).map(|range| (range, Shape::PrivateKey)),
            b'e' => jwt(bytes, at).map(|range| (range, Shape::Jwt)),
            _ => credentials(bytes, at).map(|range| (range, Shape::Credentials)),
        };
        if found.is_some() {
            return found;
        }
        at += 1;
    }
    None
}

fn starts(byte: u8) -> bool {
    matches!(byte, b'-' | b'e' | b'B' | b'b')
}

/// `-----BEGIN … PRIVATE KEY-----`.
fn private_key(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = bytes.get(at..)?.strip_prefix(b"-----BEGIN ")?;
    let label = rest.split(|byte| *byte == b'-').next()?;
    (label.len() <= 40 && label.ends_with(b"PRIVATE KEY")).then(|| {
        let start = at + b"-----BEGIN ".len() + label.len() + b"-----".len();
        at..start.min(bytes.len())
    })
}

/// The credentials after `Bearer` or `Basic`.
fn credentials(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = bytes.get(at..)?;
    let scheme = ["bearer", "basic"].into_iter().find(|scheme| {
        rest.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme.as_bytes()))
    })?;
    let space = rest.get(scheme.len()..)?;
    let gap = match space {
        [b' ' | b'+', ..] => space.iter().take_while(|byte| matches!(byte, b' ' | b'+')).count(),
        [b'%', b'2', b'0', ..] => 3,
        _ => return None,
    };
    let start = at + scheme.len() + gap;
    let length = bytes.get(start..)?.iter().take_while(|byte| is_token68(**byte)).count();
    let range = start..start + length;
    likely(bytes.get(range.clone())?).then_some(range)
}

/// Whether a word is a secret rather than part of a sentence, such as `Basic
/// authentication failed`.
pub(super) fn likely(word: &[u8]) -> bool {
    word.len() >= 24 || (word.len() >= 8 && word.iter().any(u8::is_ascii_digit))
}

/// Three parts in Base64, the first of which is a JSON object.
fn jwt(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let part = |from: usize| {
        let word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        bytes.get(from..).map_or(0, |rest| rest.iter().take_while(word).count())
    };
    bytes.get(at..)?.strip_prefix(b"eyJ")?;
    let mut end = at;
    for (number, least) in [11, 4, 16].into_iter().enumerate() {
        if number > 0 {
            (bytes.get(end) == Some(&b'.')).then_some(())?;
            end += 1;
        }
        let length = part(end);
        (length >= least).then_some(())?;
        end += length;
    }
    Some(at..end)
}

/// Characters of credentials (RFC 9110, section 11.2).
pub(super) fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}
