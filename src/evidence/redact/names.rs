//! Which names say that what stands beside them is secret.

use std::ops::Range;

/// Ends of names, in lower case without `_` and `-`, whose value is secret
/// wherever it stands: `access_token`, `X-Auth-Token`, `wsse:Password`,
/// `Proxy-Authorization`, `Set-Cookie`. No element of HMRC's XML schemas ends
/// so.
const ENDS: [&str; 17] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "apikey",
    "privatekey",
    "assertion",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "codeverifier",
    "sessionid",
    "samlresponse",
    "jwt",
];

/// Names that are secret only in the OAuth 2.0 flow (RFC 6749, sections 4.1.2
/// and 4.1.3): in addresses and forms, and in JSON with a `grant_type`.
/// Elsewhere in JSON `code` is the API's error code, which evidence needs.
const OAUTH: [&str; 2] = ["code", "state"];

/// Ends of names of what a server grants: whoever sees such a value once knows
/// it wherever it is repeated.
const GRANTED: [&str; 5] =
    ["accesstoken", "refreshtoken", "idtoken", "clientsecret", "authorization"];

/// Authentication schemes that stay before the secret, in lower case.
const SCHEMES: [&str; 5] = ["bearer", "basic", "digest", "negotiate", "token"];

/// Longest name looked at, in bytes.
pub(super) const MAX_NAME: usize = 64;

/// Whether a value of this name is secret; `oauth`: also those of the OAuth
/// flow.
pub(super) fn is_secret(name: &[u8], oauth: bool) -> bool {
    let Some(plain) = plain(name) else { return false };
    ends(&plain, &ENDS) || (oauth && OAUTH.iter().any(|field| plain == field.as_bytes()))
}

/// Whether a line `name: value` is a header that carries credentials. A word
/// before a colon in a sentence is none.
pub(super) fn is_header(name: &[u8]) -> bool {
    let compound = name.contains(&b'-');
    is_secret(name, false) && (compound || ends_word(name, "authorization") || is_cookie(name))
}

/// Whether it is `Cookie` or `Set-Cookie`.
pub(super) fn is_cookie(name: &[u8]) -> bool {
    ends_word(name, "cookie")
}

/// Whether a value of this name is worth knowing.
pub(super) fn is_granted(name: &[u8]) -> bool {
    plain(name).is_some_and(|plain| ends(&plain, &GRANTED))
}

fn ends_word(name: &[u8], word: &str) -> bool {
    plain(name).is_some_and(|plain| plain.ends_with(word.as_bytes()))
}

fn ends(plain: &[u8], list: &[&str]) -> bool {
    list.iter().any(|end| plain.ends_with(end.as_bytes()))
}

/// In lower case, without `_` and `-`; none for what is too long for a name.
fn plain(name: &[u8]) -> Option<Vec<u8>> {
    let letters = name.iter().filter(|byte| !matches!(byte, b'_' | b'-'));
    (name.len() <= MAX_NAME).then(|| letters.map(u8::to_ascii_lowercase).collect())
}

/// The secret parts of the value of a header (or of a field named like one):
/// what follows the scheme of `Authorization`, the values of cookies, else all
/// of it. Attributes of `Set-Cookie` stay.
pub(super) fn secret_parts(name: &[u8], value: &[u8]) -> Vec<Range<usize>> {
    let all = trimmed(value, 0..value.len());
    if is_cookie(name) {
        return cookies(value, all, plain(name).is_some_and(|name| name.starts_with(b"set")));
    }
    let text = value.get(all.clone()).unwrap_or_default();
    let authorization = ends_word(name, "authorization");
    let scheme = text.iter().position(|byte| *byte == b' ').filter(|end| {
        let word = text.get(..*end).unwrap_or_default();
        authorization && SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()))
    });
    let start = all.start + scheme.unwrap_or(0);
    vec![trimmed(value, start..all.end)]
}

/// The values of cookies: of the first alone, where the rest are attributes.
fn cookies(value: &[u8], all: Range<usize>, one: bool) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = all.start;
    for pair in value.get(all).unwrap_or_default().split(|byte| *byte == b';') {
        let end = start + pair.len();
        let secret = match pair.iter().position(|byte| *byte == b'=') {
            Some(equals) => start + equals + 1..end,
            None => start..end,
        };
        parts.push(trimmed(value, secret));
        start = end + 1;
        if one {
            break;
        }
    }
    parts
}

/// A range without white space at either end.
pub(super) fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let text = bytes.get(range.clone()).unwrap_or_default();
    let start = range.start + text.len() - text.trim_ascii_start().len();
    start..start + text.trim_ascii().len()
}

/// Whether a byte may stand in a name.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The name that ends here, and the byte before it.
pub(super) fn name_before(bytes: &[u8], end: usize) -> (&[u8], Option<u8>) {
    let floor = end.saturating_sub(MAX_NAME + 1);
    let head = bytes.get(floor..end).unwrap_or_default();
    let length = head.iter().rev().take_while(|byte| is_name(**byte)).count();
    let start = end - length;
    let before = start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    (bytes.get(start..end).unwrap_or_default(), before)
}

/// The first byte from here on that is wanted.
pub(super) fn find(bytes: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    bytes.get(from..)?.iter().position(|byte| wanted(*byte)).map(|at| from + at)
}

/// Where `needle` begins, from here on.
pub(super) fn find_text(bytes: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(needle.len().max(1)).position(|window| window == needle).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in [
            "access_token",
            "AccessToken",
            "refresh-token",
            "client_secret",
            "clientSecret",
            "Password",
            "newPassword",
            "code_verifier",
            "X-Amz-Security-Token",
            "Set-Cookie",
            "Authorization",
            "api-key",
            "BinarySecurityToken",
            "SAMLResponse",
            "csrf_token",
        ] {
            assert!(is_secret(name.as_bytes(), false), "{name}");
        }
        for name in [
            "code",
            "state",
            "tokenType",
            "access_token_expires",
            "Authorisation",
            "accessCode",
            "grn",
            "messageType",
            "",
            "client_id",
            "WWW-Authenticate",
            "scope",
        ] {
            assert!(!is_secret(name.as_bytes(), false), "{name}");
        }
        assert!(is_secret(b"code", true) && is_secret(b"State", true));
        assert!(!is_secret(&[b'a'; 10_000], true));
    }

    #[test]
    fn schemes_and_attributes_stay() {
        let parts = |name: &str, value: &'static str| -> Vec<&str> {
            let ranges = secret_parts(name.as_bytes(), value.as_bytes());
            ranges.into_iter().map(|range| &value[range]).collect()
        };
        assert_eq!(parts("Authorization", " Bearer  abc "), ["abc"]);
        assert_eq!(parts("authorization", "abc def"), ["abc def"]);
        assert_eq!(parts("Set-Cookie", "sid=x y=z; Path=/; HttpOnly"), ["x y=z"]);
        assert_eq!(parts("Cookie", "a=1; b=2;c; =d"), ["1", "2", "c", "d"]);
        assert_eq!(parts("X-API-Key", "k"), ["k"]);
        assert_eq!(parts("X-API-Key", "  "), [""]);
    }
}
