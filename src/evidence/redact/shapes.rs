//! What looks like a secret whoever it belongs to, and whatever stands beside
//! it: a private key in PEM, the credentials of a bearer or of Basic
//! authentication, a JSON Web Token.

use std::ops::Range;

use super::names::find_text;

/// What something looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::evidence) enum Shape {
    /// RFC 7468, and older forms of it.
    PrivateKey,
    /// `Bearer` (RFC 6750) or `Basic` (RFC 7617) and credentials.
    Credentials,
    /// RFC 7519, signed.
    Jwt,
}

impl Shape {
    /// In words.
    pub(in crate::evidence) fn what(self) -> &'static str {
        match self {
            Self::PrivateKey => "a private key",
            Self::Credentials => "credentials of a bearer",
            Self::Jwt => "a JSON Web Token",
        }
    }
}

/// The first that begins at `from` or later, before `limit`: its bytes.
pub(in crate::evidence) fn find(
    bytes: &[u8],
    from: usize,
    limit: usize,
) -> Option<(Range<usize>, Shape)> {
    let head = bytes.get(..limit.min(bytes.len()))?;
    let mut at = from;
    while let Some(step) = head.get(at..)?.iter().position(|byte| starts(*byte)) {
        at += step;
        let found = match bytes.get(at).copied()? {
            b'-' => private_key(bytes, at).map(|range| (range, Shape::PrivateKey)),
            b'e' => match jwt(bytes, at) {
                Ok(range) => Some((range, Shape::Jwt)),
                // In a word that ends no part, no other part begins.
                Err(word) => {
                    at = word.max(at + 1);
                    continue;
                }
            },
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

/// Longest private key, in bytes.
const MAX_KEY: usize = 16 << 10;

/// From `-----BEGIN … PRIVATE KEY-----` to its end, or as far as a key may go.
fn private_key(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + b"-----BEGIN ".len();
    let rest = bytes.get(at..)?.strip_prefix(b"-----BEGIN ")?;
    let label = rest.get(..rest.len().min(40))?.split(|byte| *byte == b'-').next()?;
    if !label.ends_with(b"PRIVATE KEY") {
        return None;
    }
    let most = bytes.get(..bytes.len().min(start + MAX_KEY))?;
    let end = find_text(most, start, b"-----END ").map_or(most.len(), |end| {
        let end = end + b"-----END ".len() + label.len() + b"-----".len();
        end.min(most.len())
    });
    Some(at..end)
}

/// The credentials after `Bearer` or `Basic`. After `Authorization` any word
/// is one; elsewhere only what no sentence has: the description of goods may
/// say `basic` and a number.
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
    let word = bytes.get(start..start + length)?;
    let head = bytes.get(at.saturating_sub(LOOK_BACK)..at)?.to_ascii_lowercase();
    let announced = find_text(&head, 0, b"authorization").is_some();
    let secret = match (announced, scheme) {
        _ if word == b"redacted" => false,
        (true, _) => word.len() >= 8,
        (false, "basic") => is_user_and_password(word),
        (false, _) => word.len() >= 20 && likely(word) && word.iter().any(u8::is_ascii_digit),
    };
    secret.then_some(start..start + length)
}

/// How far before a scheme `Authorization` may stand.
pub(in crate::evidence) const LOOK_BACK: usize = 32;

/// Whether a word is `user:password` in Base64.
fn is_user_and_password(word: &[u8]) -> bool {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    word.len() >= 8
        && STANDARD.decode(word).is_ok_and(|plain| {
            plain.contains(&b':') && plain.iter().all(|byte| !byte.is_ascii_control())
        })
}

/// Whether a word is a secret rather than part of a sentence, such as `Basic
/// authentication failed`.
pub(super) fn likely(word: &[u8]) -> bool {
    word.len() >= 24 || (word.len() >= 8 && word.iter().any(u8::is_ascii_digit))
}

/// Three parts in Base64, the first of which is a JSON object. If it is none,
/// where looking goes on.
fn jwt(bytes: &[u8], at: usize) -> Result<Range<usize>, usize> {
    if !bytes.get(at..).unwrap_or_default().starts_with(b"eyJ") {
        return Err(at);
    }
    let word = |from: usize| {
        let letter = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        from + bytes.get(from..).map_or(0, |rest| rest.iter().take_while(letter).count())
    };
    let first = word(at);
    let second = word(first + 1);
    let third = word(second + 1);
    let dotted = bytes.get(first) == Some(&b'.') && bytes.get(second) == Some(&b'.');
    // What follows the first word may begin one itself.
    match dotted && first - at >= 11 && second - first > 4 && third - second > 16 {
        true => Ok(at..third),
        false => Err(first),
    }
}

/// Characters of credentials (RFC 9110, section 11.2).
pub(super) fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}
