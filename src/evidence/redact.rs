//! Secrets become salted digests, once, at capture: a later report cannot leak
//! what was never stored.
//!
//! A secret is written as `redacted:<16 hexadecimal digits>`, the beginning of
//! SHA-256 over the store's salt and the secret: the same token is
//! recognisable as the same, and cannot be found by guessing without the salt
//! and the token.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::digest::Digest;

/// Headers whose value is a secret.
const HEADERS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-server-token",
    "x-auth-token",
];

/// Names of members, parameters and form fields whose value is a secret.
const NAMES: [&str; 11] = [
    "access_token",
    "refresh_token",
    "id_token",
    "token",
    "client_secret",
    "clientsecret",
    "secret",
    "password",
    "code",
    "code_verifier",
    "state",
];

/// Members that look like secrets by name and are none in JSON: error codes,
/// states of processing.
const JSON_INNOCENT: [&str; 2] = ["code", "state"];

/// Shortest known secret that is searched for in bodies; anything shorter
/// would hit by chance.
const SHORTEST: usize = 6;

/// Turns secrets into digests.
#[derive(Clone)]
pub struct Redactor {
    salt: Vec<u8>,
    /// Spellings to search for, longest first, with their replacement.
    needles: Vec<(SecretString, String)>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("secrets", &self.needles.len()).finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor that also finds these secrets wherever they occur.
    pub fn new(salt: &[u8], secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let mut redactor = Self { salt: salt.to_vec(), needles: Vec::new() };
        for secret in secrets {
            let plain = secret.expose_secret();
            if plain.len() < SHORTEST {
                continue;
            }
            let mark = redactor.mark(plain);
            let mut spellings =
                vec![plain.to_owned(), percent_encoded(plain), base64_of(plain.as_bytes())];
            // What JSON makes of it.
            if let Ok(quoted) = serde_json::to_string(plain) {
                spellings.push(quoted.trim_matches('"').to_owned());
            }
            spellings.dedup();
            redactor.needles.extend(spellings.into_iter().map(|text| (text.into(), mark.clone())));
        }
        redactor.needles.sort_by_key(|(text, _)| std::cmp::Reverse(text.expose_secret().len()));
        redactor
    }

    /// What stands in a secret's place.
    pub fn mark(&self, secret: &str) -> String {
        if secret.starts_with("redacted:") {
            return secret.to_owned();
        }
        let mut salted = self.salt.clone();
        salted.extend_from_slice(secret.as_bytes());
        let digest = Digest::of(&salted).to_string();
        format!("redacted:{}", digest.get(..16).unwrap_or_default())
    }

    /// Headers without secrets; the scheme of an authorization stays.
    pub fn headers(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        headers
            .iter()
            .map(|(name, value)| {
                let secret = HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known));
                let value = match (secret, value.split_once(' ')) {
                    (true, Some((scheme @ ("Bearer" | "Basic"), rest))) => {
                        format!("{scheme} {}", self.mark(rest))
                    }
                    (true, _) => self.mark(value),
                    // A redirect's address, say.
                    (false, _) if value.contains("://") => self.url(value),
                    (false, _) => self.text(value),
                };
                (name.clone(), value)
            })
            .collect()
    }

    /// An address without user information and secret parameters.
    pub fn url(&self, text: &str) -> String {
        let Ok(mut url) = Url::parse(text) else { return self.text(text) };
        let secret_pair = |name: &str| NAMES.contains(&name.to_ascii_lowercase().as_str());
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if secret_pair(&name) { self.mark(&value) } else { value.into_owned() };
                (name.into_owned(), value)
            })
            .collect();
        if pairs.iter().any(|(name, _)| secret_pair(name)) {
            url.query_pairs_mut().clear().extend_pairs(&pairs);
        }
        if url.password().is_some() || !url.username().is_empty() {
            // Both fail only for addresses without a host, which have neither.
            let _ = url.set_password(None);
            let _ = url.set_username("");
        }
        self.text(url.as_str())
    }

    /// A body without secrets: members of JSON and fields of forms by their
    /// names, and every known secret wherever it stands. What holds none is
    /// returned as it is, byte for byte.
    pub fn body<'a>(&self, media_type: Option<&str>, body: &'a [u8]) -> Cow<'a, [u8]> {
        let media_type = media_type.unwrap_or_default().to_ascii_lowercase();
        let by_name = if media_type.contains("json") {
            self.json(body)
        } else if media_type.starts_with("application/x-www-form-urlencoded") {
            self.form(body)
        } else {
            None
        };
        match by_name {
            Some(changed) => Cow::Owned(self.bytes(&changed).into_owned()),
            None => self.bytes(body),
        }
    }

    fn json(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut json: Value = serde_json::from_slice(body).ok()?;
        let changed = self.walk(&mut json);
        changed.then(|| serde_json::to_vec(&json).ok()).flatten()
    }

    fn walk(&self, value: &mut Value) -> bool {
        match value {
            Value::Object(map) => {
                let mut changed = false;
                for (name, member) in map {
                    let name = name.to_ascii_lowercase();
                    let secret =
                        NAMES.contains(&name.as_str()) && !JSON_INNOCENT.contains(&name.as_str());
                    match member {
                        Value::String(text) if secret => {
                            *text = self.mark(text);
                            changed = true;
                        }
                        _ => changed |= self.walk(member),
                    }
                }
                changed
            }
            Value::Array(items) => {
                // Every item is to be visited: no short circuit.
                let mut changed = false;
                items.iter_mut().for_each(|item| changed |= self.walk(item));
                changed
            }
            _ => false,
        }
    }

    fn form(&self, body: &[u8]) -> Option<Vec<u8>> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let secret = |name: &str| NAMES.contains(&name.to_ascii_lowercase().as_str());
        if !pairs.iter().any(|(name, _)| secret(name)) {
            return None;
        }
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &pairs {
            out.append_pair(name, &if secret(name) { self.mark(value) } else { value.clone() });
        }
        Some(out.finish().into_bytes())
    }

    /// Text without known secrets, for messages and logs.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut out = Cow::Borrowed(bytes);
        for (needle, mark) in &self.needles {
            let needle = needle.expose_secret().as_bytes();
            if find(&out, needle).is_some() {
                out = Cow::Owned(replace(&out, needle, mark.as_bytes()));
            }
        }
        out
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len().max(1)).position(|window| window == needle)
}

fn replace(bytes: &[u8], needle: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = find(rest, needle) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(with);
        rest = &rest[at + needle.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn percent_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Base64 without padding: a part of any longer encoding that starts at the
/// same place.
fn base64_of(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr3t/+token=&x";

    fn redactor() -> Redactor {
        Redactor::new(b"salt", [SecretString::from(SECRET.to_owned())])
    }

    #[test]
    fn the_same_secret_is_recognisable_and_another_salt_hides_it() {
        let mark = redactor().mark(SECRET);
        assert_eq!(mark, redactor().mark(SECRET));
        assert_eq!(mark.len(), "redacted:".len() + 16);
        assert_ne!(mark, Redactor::new(b"other", []).mark(SECRET));
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        let redactor = redactor();
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let headers = redactor.headers(&[
            pair("Authorization", format!("Bearer {SECRET}")),
            pair("set-cookie", "session=abc".into()),
            pair("location", format!("https://h/x?code={}", percent_encoded(SECRET))),
            pair("x-echo", SECRET.into()),
            pair("content-type", "application/xml".into()),
        ]);
        assert!(headers[0].1.starts_with("Bearer redacted:"));
        assert!(headers[1].1.starts_with("redacted:"));
        assert_eq!(headers[4].1, "application/xml");
        let bodies = [
            (
                Some("application/json"),
                format!(r#"{{"a":[{{"Password":"hunter22"}}],"b":"{SECRET}"}}"#),
            ),
            (Some("application/x-www-form-urlencoded"), "password=hunter22&a=b".to_owned()),
            (Some("application/xml"), format!("<a>{SECRET}</a>")),
            (None, base64_of(SECRET.as_bytes())),
            (Some("text/plain"), percent_encoded(SECRET)),
        ];
        let mut all = format!("{headers:?}{redactor:?}");
        for (media_type, body) in &bodies {
            all += &String::from_utf8_lossy(&redactor.body(*media_type, body.as_bytes()));
        }
        all +=
            &redactor.url(&format!("https://user:hunter22@h/p?token={}", percent_encoded(SECRET)));
        for leak in [
            SECRET,
            "hunter22",
            "session=abc",
            &percent_encoded(SECRET),
            &base64_of(SECRET.as_bytes()),
        ] {
            assert!(!all.contains(leak), "{leak} in {all}");
        }
    }

    #[test]
    fn what_holds_no_secret_stays_byte_for_byte() {
        let redactor = redactor();
        for body in [&b"{ \"code\" : \"NOT_FOUND\" }"[..], b"\xff\xfe\x00 binary", b""] {
            assert!(matches!(
                redactor.body(Some("application/json"), body),
                Cow::Borrowed(same) if same == body
            ));
        }
    }
}
