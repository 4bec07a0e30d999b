//! Redaction: secrets become salted digests once, at capture, so that no later
//! report can leak what was never stored.
//!
//! A secret becomes `redacted:` and the first 16 hexadecimal digits of
//! SHA-256(salt, secret). The same secret in the same store always becomes the
//! same text, so that a reader can still tell that two requests carried the
//! same token. Text that is redacted already stays as it is.
//!
//! 64 bits tell a house's few secrets apart. They do not hide a secret that can
//! be guessed, such as a password, from someone who has the salt: therefore the
//! salt lies in a file of its own, which is no evidence and is not given away
//! with it. Without the salt (256 random bits) a guess cannot be tried.
//!
//! Secrets are found in two ways: by the name beside them
//! (`fields`: headers, URL parameters, fields of forms and JSON), and,
//! for secrets known beforehand, wherever their bytes occur
//! (`secrets`).

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};

use super::fields::{self, Edit, Written};
use super::secrets::Known;
use crate::digest::Digest;

/// What stands before the digest.
const MARK: &str = "redacted:";
/// Hexadecimal digits of the digest that are kept.
const KEPT_DIGITS: usize = 16;

/// Replaces secrets. It may be shared between tasks and learn new secrets
/// (a refreshed token) as it goes.
pub struct Redactor {
    salt: Vec<u8>,
    known: RwLock<Known>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// A redactor with the store's salt that knows these secrets. Secrets of
    /// fewer than four bytes are found only by the name beside them: sought
    /// everywhere, they would destroy the evidence.
    pub fn new(salt: &[u8], secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let redactor = Self { salt: salt.to_vec(), known: RwLock::default() };
        secrets.into_iter().for_each(|secret| redactor.learn(&secret));
        redactor
    }

    /// Learns one more secret.
    pub fn learn(&self, secret: &SecretString) {
        let secret = secret.expose_secret().as_bytes();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.add(secret, self.token(secret));
    }

    /// Headers, with the values of those that carry secrets replaced; the
    /// scheme of `Authorization` (`Bearer`) stays. Other values are treated as
    /// [`Redactor::text`].
    pub fn headers(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        let redact = |(name, value): &(String, String)| {
            let value = match fields::secret_in_header(name, value) {
                Some(range) => {
                    self.splice_text(value, vec![Edit { range, written: Written::Plainly }])
                }
                None => self.text(value),
            };
            (name.clone(), value)
        };
        headers.iter().map(redact).collect()
    }

    /// An address, with user information and secret parameters of query and
    /// fragment replaced; every other byte stays.
    pub fn url(&self, url: &str) -> String {
        let mut edits = fields::user_info(url);
        edits.extend(fields::url_parameters(url));
        self.known_text(&self.splice_text(url, edits))
    }

    /// A body. Fields of forms and JSON are replaced by name, known secrets
    /// wherever they occur; every other byte stays, and a body without secrets
    /// is borrowed.
    pub fn body<'a>(&self, media_type: Option<&str>, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let media_type = media_type.unwrap_or_default().to_ascii_lowercase();
        let starts_like_json = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
        let edits = if media_type.contains("form-urlencoded") {
            fields::form(bytes)
        } else if media_type.contains("json") || starts_like_json {
            fields::json(bytes)
        } else {
            Vec::new()
        };
        let by_name = self.splice(bytes, edits);
        match self.replace_known(&by_name) {
            Some(replaced) => Cow::Owned(replaced),
            None => by_name,
        }
    }

    /// Free text: a log line, an error message that may quote a URL, a header
    /// or a body.
    pub fn text(&self, text: &str) -> String {
        // Each pass leaves what an earlier one has redacted.
        let mut text = self.known_text(text);
        for find in [fields::user_info, fields::in_text, |text: &str| fields::json(text.as_bytes())]
        {
            text = self.splice_text(&text, find(&text));
        }
        text
    }

    /// What a secret becomes.
    pub fn token(&self, secret: &[u8]) -> String {
        if is_token(secret) {
            return String::from_utf8_lossy(secret).into_owned();
        }
        let digest = Digest::of_parts(&[&self.salt, secret]).to_string();
        format!("{MARK}{}", digest.get(..KEPT_DIGITS).unwrap_or_default())
    }

    fn known_text(&self, text: &str) -> String {
        match self.replace_known(text.as_bytes()) {
            Some(replaced) => String::from_utf8_lossy(&replaced).into_owned(),
            None => text.to_owned(),
        }
    }

    /// Replaces known secrets; none when there are none.
    fn replace_known(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.replace(bytes)
    }

    fn splice<'a>(&self, bytes: &'a [u8], mut edits: Vec<Edit>) -> Cow<'a, [u8]> {
        edits.retain(|edit| !edit.range.is_empty());
        edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end)));
        let mut out = Vec::new();
        let mut from = 0;
        for Edit { range, written } in edits {
            let Some(secret) = bytes.get(range.clone()) else { continue };
            // A field inside one that is replaced whole goes with it; what is
            // redacted already stays, byte for byte.
            if range.start < from || is_token(secret) {
                continue;
            }
            out.extend_from_slice(bytes.get(from..range.start).unwrap_or_default());
            let token = match written {
                Written::Plainly => self.token(secret),
                Written::PercentEncoded => self.token(&fields::percent_decode(secret)),
                Written::AsJsonValue => format!("\"{}\"", self.token(secret)),
            };
            out.extend_from_slice(token.as_bytes());
            from = range.end;
        }
        if from == 0 {
            return Cow::Borrowed(bytes);
        }
        out.extend_from_slice(bytes.get(from..).unwrap_or_default());
        Cow::Owned(out)
    }

    fn splice_text(&self, text: &str, edits: Vec<Edit>) -> String {
        String::from_utf8_lossy(&self.splice(text.as_bytes(), edits)).into_owned()
    }
}

fn is_token(text: &[u8]) -> bool {
    text.strip_prefix(MARK.as_bytes()).is_some_and(|digits| {
        digits.len() == KEPT_DIGITS && digits.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "s3cr3t/+\"Töken?&";

    fn redactor() -> Redactor {
        Redactor::new(b"salt", [SECRET.into(), "abc".into(), "".into()])
    }

    fn token(secret: &str) -> String {
        Redactor::new(b"salt", []).token(secret.as_bytes())
    }

    #[test]
    fn a_secret_becomes_its_salted_digest() {
        let digest = Digest::of(b"salthunter2").to_string();
        assert_eq!(token("hunter2"), format!("redacted:{}", &digest[..16]));
        assert_eq!(token(&token("hunter2")), token("hunter2"));
        assert_ne!(Redactor::new(b"other", []).token(b"hunter2"), token("hunter2"));
    }

    #[test]
    fn header_values_go_and_schemes_and_other_headers_stay() {
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let redacted = redactor().headers(&pairs(&[
            ("Authorization", "Bearer abcdef"),
            ("proxy-authorization", "opaque value"),
            ("Set-Cookie", "session=1; Path=/"),
            ("X-API-Key", "k"),
            ("Accept", "application/vnd.hmrc.2.1+json"),
            ("Location", "http://localhost/cb?code=xyz&x=1"),
        ]));
        assert_eq!(
            redacted,
            pairs(&[
                ("Authorization", &format!("Bearer {}", token("abcdef"))),
                ("proxy-authorization", &token("opaque value")),
                ("Set-Cookie", &token("session=1; Path=/")),
                ("X-API-Key", &token("k")),
                ("Accept", "application/vnd.hmrc.2.1+json"),
                ("Location", &format!("http://localhost/cb?code={}&x=1", token("xyz"))),
            ])
        );
        assert_eq!(redactor().headers(&redacted), redacted);
    }

    #[test]
    fn addresses_lose_user_information_and_secret_parameters_alone() {
        let url =
            "https://u:p@host:1/a@b?x=1&code=a%20b&State=s&empty=&token=&y=%2F#access_token=t?t";
        assert_eq!(
            redactor().url(url),
            format!(
                "https://{}@host:1/a@b?x=1&code={}&State={}&empty=&token=&y=%2F#access_token={}",
                token("u:p"),
                token("a b"),
                token("s"),
                token("t?t")
            )
        );
        let harmless = "https://host/movements/departures?updatedSince=2026-11-21T09:30:00Z";
        assert_eq!(redactor().url(harmless), harmless);
    }

    #[test]
    fn json_fields_are_replaced_and_every_other_byte_stays() {
        let body = br#"{ "access_token" : "a\"b", "expires_in":14400, "clientSecret": 12.50,
  "token":null,"password":{"x":"}"},"code":"NOT_FOUND","nested":"{\"refresh_token\":\"r\"}", "scope":"write"}"#;
        let expected = format!(
            r#"{{ "access_token" : "{}", "expires_in":14400, "clientSecret": "{}",
  "token":null,"password":"{}","code":"NOT_FOUND","nested":"{{\"refresh_token\":\"{}\"}}", "scope":"write"}}"#,
            token("a\\\"b"),
            token("12.50"),
            token("{\"x\":\"}\"}"),
            token("r")
        );
        let redacted = redactor().body(Some("application/json"), body).into_owned();
        assert_eq!(String::from_utf8(redacted.clone()).unwrap(), expected);
        serde_json::from_slice::<serde_json::Value>(&redacted).unwrap();
        // Half a body, as a broken connection leaves it.
        let cut = redactor().body(None, br#"{"password":"hun"#).into_owned();
        assert_eq!(String::from_utf8(cut).unwrap(), format!("{{\"password\":\"{}", token("hun")));
    }

    #[test]
    fn the_authorisation_code_is_secret_where_it_is_one() {
        let form = b"grant_type=authorization_code&code=c%2B1&client_id=id&state=s";
        let expected = format!(
            "grant_type=authorization_code&code={}&client_id=id&state={}",
            token("c+1"),
            token("s")
        );
        let media_type = Some("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(*redactor().body(media_type, form), *expected.as_bytes());
        let json = br#"{"grant_type":"authorization_code","code":"c+1"}"#;
        let redacted = redactor().body(None, json).into_owned();
        assert!(String::from_utf8(redacted).unwrap().contains(&token("c+1")));
    }

    #[test]
    fn a_known_secret_is_found_in_every_writing() {
        let redactor = redactor();
        let b64 =
            |text: &str| String::from_utf8(super::super::secrets::base64(text.as_bytes())).unwrap();
        let json = serde_json::to_string(SECRET).unwrap();
        for writing in [
            SECRET.to_owned(),
            "s3cr3t%2F%2B%22T%C3%B6ken%3F%26".into(),
            "s3cr3t%2f+".replace('+', "%2b") + "%22T%c3%b6ken?%26",
            json.trim_matches('"').to_owned(),
            "s3cr3t/+&quot;T\u{f6}ken?&amp;".into(),
            b64(SECRET),
            b64(SECRET).replace('+', "-").replace('/', "_").replace('=', "%3D"),
            b64(&format!("id:{SECRET}")),
            b64(&format!("i:{SECRET}!")),
            b64(&format!("{SECRET}:and more")),
        ] {
            let body = format!("<a>before {writing} after</a>");
            let redacted = redactor.body(Some("application/xml"), body.as_bytes()).into_owned();
            let redacted = String::from_utf8(redacted).unwrap();
            assert!(redacted.starts_with("<a>before "), "{redacted}");
            assert!(redacted.ends_with(" after</a>"), "{redacted}");
            assert!(redacted.contains(&token(SECRET)), "{writing}: {redacted}");
            assert!(!redacted.contains("s3cr3t"), "{redacted}");
            assert_eq!(redactor.text(&body), redacted, "{writing}");
        }
    }

    #[test]
    fn other_bodies_pass_unharmed() {
        let redactor = redactor();
        let binary: Vec<u8> = (0..=255).cycle().take(5000).collect();
        assert!(matches!(redactor.body(None, &binary), Cow::Borrowed(_)));
        assert!(matches!(redactor.body(None, b"abc short secrets stay"), Cow::Borrowed(_)));
        let mut with_secret = vec![0xff, 0xfe];
        with_secret.extend_from_slice(SECRET.as_bytes());
        with_secret.push(0xff);
        let mut expected = vec![0xff, 0xfe];
        expected.extend_from_slice(token(SECRET).as_bytes());
        expected.push(0xff);
        assert_eq!(*redactor.body(None, &with_secret), *expected);
    }

    #[test]
    fn log_lines_lose_what_they_quote() {
        let text = "POST https://u:p@h/t?code=c failed: Authorization: Bearer 0123456789abcdef; \
                    body {\"access_token\":\"t\"}, password=hunter2, client_secret='a b'";
        let redacted = redactor().text(text);
        for secret in ["u:p", "=c ", "0123456789abcdef", "\"t\"", "hunter2", "a b"] {
            assert!(!redacted.contains(secret), "{secret}: {redacted}");
        }
        let harmless = "Basic authentication failed; state=open, code=NOT_FOUND, invalid token: x";
        assert_eq!(redactor().text(harmless), harmless);
    }

    #[test]
    fn a_secret_learnt_later_is_known() {
        let redactor = redactor();
        redactor.learn(&"refreshed-token".into());
        assert_eq!(
            redactor.text("x refreshed-token y"),
            format!("x {} y", token("refreshed-token"))
        );
    }

    proptest! {
        #[test]
        fn redacting_twice_is_redacting_once(text in ".{0,40}(token=|\"password\": ?\"?|://|Bearer )?.{0,40}") {
            let redactor = redactor();
            let once = redactor.text(&text);
            prop_assert_eq!(redactor.text(&once), once);
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let redactor = redactor();
            redactor.body(Some("application/json"), &bytes);
            redactor.body(Some("application/x-www-form-urlencoded"), &bytes);
            let text = String::from_utf8_lossy(&bytes);
            redactor.url(&text);
            redactor.text(&text);
        }
    }
}
