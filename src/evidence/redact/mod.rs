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
//! Secrets are found in three ways: by the name beside them (`find`, with
//! `text`, `json` and `markup`; `names` has the names); by their look
//! (`shapes`); and, for secrets known beforehand or granted by a server since,
//! wherever their bytes occur (`known`). `escape` undoes escapes.
//!
//! Only [`crate::evidence`] calls the parts; who records evidence may call
//! [`Redactor`].

mod escape;
mod find;
mod json;
pub(super) mod known;
mod markup;
mod names;
pub(super) mod shapes;
mod text;

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};

use self::find::{DEPTH, Edit, Written};
use self::known::Known;
use super::event::Event;
use crate::digest::Digest;

/// What stands before the digest.
const MARK: &str = "redacted:";
/// Hexadecimal digits of the digest that are kept.
const KEPT_DIGITS: usize = 16;
/// Shortest secret that is learnt where a server grants it, in bytes.
const SHORTEST_GRANTED: usize = 16;
/// Most secrets that are learnt so: a server cannot fill the memory.
const MAX_GRANTED: usize = 100;
/// Headers whose value is an address, in lower case.
const ADDRESSES: [&str; 5] = ["location", "content-location", "referer", "refresh", "link"];

/// Replaces secrets. It may be shared between tasks and learn new secrets
/// (a refreshed token) as it goes.
pub struct Redactor {
    salt: Vec<u8>,
    known: RwLock<Known>,
    /// Those of them that are no ordinary words.
    distinct: RwLock<Known>,
}

/// Whether a secret can be told from the words of which events, addresses and
/// output are made. A rehearsal may well have the token `test`.
pub fn is_distinct(secret: &[u8]) -> bool {
    secret.len() >= SHORTEST_DISTINCT && secret.iter().any(u8::is_ascii_digit)
}

/// Shortest secret that is no ordinary word, in bytes.
const SHORTEST_DISTINCT: usize = 8;

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
        let redactor =
            Self { salt: salt.to_vec(), known: RwLock::default(), distinct: RwLock::default() };
        secrets.into_iter().for_each(|secret| redactor.learn(&secret));
        redactor
    }

    /// Learns one more secret.
    pub fn learn(&self, secret: &SecretString) {
        self.learn_new(secret.expose_secret().as_bytes());
    }

    /// Headers, with the values of those that carry secrets replaced; the
    /// scheme of `Authorization` (`Bearer`) stays, as do names and attributes
    /// of cookies. Other values are treated as [`Redactor::text`].
    pub fn headers(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        let redact = |(name, value): &(String, String)| {
            let mut value = self.splice_text(value, find::header(name, value));
            if ADDRESSES.iter().any(|address| address.eq_ignore_ascii_case(name)) {
                value = self.url(&value);
            }
            (name.clone(), self.text(&value))
        };
        headers.iter().map(redact).collect()
    }

    /// An address, with user information and secret parameters of query and
    /// fragment replaced; every other byte stays.
    pub fn url(&self, url: &str) -> String {
        self.known_text(&self.splice_text(url, find::url(url.as_bytes())))
    }

    /// A body. What names or looks tell to be secret is replaced, in forms,
    /// multi-part forms, JSON, XML and text; known secrets wherever they occur.
    /// Every other byte stays, and a body without secrets is borrowed.
    pub fn body<'a>(&self, media_type: Option<&str>, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let media_type = media_type.unwrap_or_default().to_ascii_lowercase();
        let by_name = self.splice(bytes, find::body(&media_type, bytes));
        match self.replace_known(&by_name) {
            Some(replaced) => Cow::Owned(replaced),
            None => by_name,
        }
    }

    /// Free text: a log line, an error message that may quote a URL, a header
    /// or a body.
    pub fn text(&self, text: &str) -> String {
        // The second pass leaves what the first has redacted; the third finds
        // what the second has learnt.
        let text = self.known_text(text);
        let text = self.splice_text(&text, find::any(text.as_bytes(), DEPTH));
        self.known_text(&text)
    }

    /// Text in which only known secrets are replaced.
    pub fn known_text(&self, text: &str) -> String {
        match self.replace_known(text.as_bytes()) {
            Some(replaced) => String::from_utf8_lossy(&replaced).into_owned(),
            None => text.to_owned(),
        }
    }

    /// Bytes in which only known secrets are replaced.
    pub fn known_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.replace_known(bytes).map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// Learns one more secret, unless it is known.
    fn learn_new(&self, secret: &[u8]) {
        let token = self.token(secret);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.has(&token) {
            return;
        }
        known.add(secret, token.clone());
        if is_distinct(secret) {
            self.distinct.write().unwrap_or_else(PoisonError::into_inner).add(secret, token);
        }
    }

    /// An event in whose texts known secrets are replaced, as long as they are
    /// no ordinary words: some texts are read from what a server sent. None
    /// where it would not be an event any more.
    pub(super) fn event(&self, event: Event) -> Option<Event> {
        let distinct = self.distinct.read().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::to_vec(&event).ok()?;
        if distinct.find(&text, 0, text.len()).is_none() {
            return Some(event);
        }
        let mut value = serde_json::to_value(&event).ok()?;
        replace_in(&distinct, &mut value);
        serde_json::from_value(value).ok()
    }

    /// What a secret becomes.
    pub fn token(&self, secret: &[u8]) -> String {
        if is_token(secret) {
            return String::from_utf8_lossy(secret).into_owned();
        }
        let digest = Digest::of_parts(&[&self.salt, secret]).to_string();
        format!("{MARK}{}", digest.get(..KEPT_DIGITS).unwrap_or_default())
    }

    /// Replaces known secrets; none when there are none.
    fn replace_known(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.replace(bytes)
    }

    /// Learns a secret that a server granted, where it can be no ordinary word.
    fn learn_granted(&self, secret: &[u8]) {
        let distinct = secret.len() >= SHORTEST_GRANTED
            && secret.iter().all(|byte| shapes::is_token68(*byte))
            && secret.iter().any(u8::is_ascii_digit)
            && secret.iter().any(u8::is_ascii_alphabetic);
        let count = self.known.read().unwrap_or_else(PoisonError::into_inner).count();
        if distinct && count < MAX_GRANTED {
            self.learn_new(secret);
        }
    }

    fn splice<'a>(&self, bytes: &'a [u8], edits: Vec<Edit>) -> Cow<'a, [u8]> {
        let edits = self.merged(bytes, edits);
        if edits.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::new();
        let mut from = 0;
        for Edit { range, written, granted } in edits {
            let Some(secret) = bytes.get(range.clone()) else { continue };
            let plain = match written {
                Written::PercentEncoded => Cow::Owned(escape::percent_decode(secret)),
                Written::Plainly | Written::AsJsonValue => Cow::Borrowed(secret),
            };
            if granted {
                self.learn_granted(&plain);
            }
            out.extend_from_slice(bytes.get(from..range.start).unwrap_or_default());
            let token = match written {
                Written::AsJsonValue => format!("\"{}\"", self.token(&plain)),
                Written::Plainly | Written::PercentEncoded => self.token(&plain),
            };
            out.extend_from_slice(token.as_bytes());
            from = range.end;
        }
        out.extend_from_slice(bytes.get(from..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// Edits in order, none overlapping another, without those of what is
    /// redacted already.
    fn merged(&self, bytes: &[u8], mut edits: Vec<Edit>) -> Vec<Edit> {
        edits.retain(|edit| {
            bytes
                .get(edit.range.clone())
                .is_some_and(|secret| !secret.is_empty() && !is_token(secret))
        });
        edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end)));
        let mut merged: Vec<Edit> = Vec::new();
        for edit in edits {
            match merged.last_mut().filter(|last| edit.range.start < last.range.end) {
                // A secret inside one that is replaced whole goes with it.
                Some(last) if edit.range.end <= last.range.end => {
                    last.granted |= edit.granted && edit.range == last.range
                }
                Some(last) => {
                    last.range.end = edit.range.end;
                    last.written = Written::Plainly;
                }
                None => merged.push(edit),
            }
        }
        merged
    }

    fn splice_text(&self, text: &str, edits: Vec<Edit>) -> String {
        String::from_utf8_lossy(&self.splice(text.as_bytes(), edits)).into_owned()
    }
}

fn replace_in(known: &Known, value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) => {
            if let Some(replaced) = known.replace(text.as_bytes()) {
                *text = String::from_utf8_lossy(&replaced).into_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_in(known, item)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| replace_in(known, member));
        }
        _ => {}
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
                ("Set-Cookie", &format!("session={}; Path=/", token("1"))),
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
        let b64 = |text: &str| String::from_utf8(known::base64(text.as_bytes())).unwrap();
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

    /// What becomes of a body; the canary must not be in it.
    fn gone(media_type: &str, body: &str) -> String {
        let redacted =
            Redactor::new(b"salt", []).body(Some(media_type), body.as_bytes()).into_owned();
        let redacted = String::from_utf8(redacted).unwrap();
        assert!(!redacted.contains(CANARY), "{redacted}");
        redacted
    }

    const CANARY: &str = "c4n4ry.Q7-fX_k2";

    #[test]
    fn xml_elements_and_attributes_lose_their_secrets_and_nothing_else() {
        let mark = token(CANARY);
        for text in [
            r#"<s:Envelope><s:Header><wsse:UsernameToken wsu:Id="x"><wsse:Username>u</wsse:Username><wsse:Password Type="t#PasswordText">@</wsse:Password></wsse:UsernameToken></s:Header></s:Envelope>"#,
            "<fault><access_token>\n  @\n</access_token><code>X</code></fault>",
            "<fault><password><![CDATA[@]]></password></fault>",
            r#"<connection user="u" password = '@' timeout="5"/>"#,
            r#"<entry key="client_secret">@</entry><entry key="other">y</entry>"#,
            r#"<add key="clientSecret" value="@" /><x/>"#,
            r#"<form><input type="hidden" name="code" value="@"><input name="user" value="u"></form>"#,
            "<Authorization>Bearer @</Authorization><p>more</p>",
            "<p>Authorization: Bearer @</p><p>more</p>",
            "<pre>Cookie: sid=@; a=</pre>",
            "<detail>&lt;password&gt;@&lt;/password&gt;</detail>",
            "<a href=\"https://h/cb?code=@&amp;x=1\">again</a>",
            "<password>@",
        ] {
            let found = gone("application/soap+xml", &text.replace('@', CANARY));
            // The user-name token is a secret as a whole.
            if text.contains("UsernameToken") {
                assert!(
                    found.ends_with("</wsse:UsernameToken></s:Header></s:Envelope>"),
                    "{found}"
                );
            } else {
                assert_eq!(found, text.replace('@', &mark), "{text}");
            }
        }
    }

    #[test]
    fn a_message_of_ncts_keeps_every_byte() {
        let message = "\u{feff}<?xml version=\"1.0\"?>\n<!-- x --><ncts:CC015C PhaseID=\"NCTS5.1\" \
            xmlns:ncts=\"http://ncts.dgtaxud.ec\"><description>password=chemicals-2026; BASIC 12345678 \
            Authorization: 1234 token: abcdefgh1</description></ncts:CC015C>";
        let redactor = Redactor::new(b"salt", []);
        assert!(matches!(
            redactor.body(Some("application/xml"), message.as_bytes()),
            Cow::Borrowed(_)
        ));
        let json = serde_json::json!({"body": message, "access_token": CANARY}).to_string();
        let redacted = gone("application/json", &json);
        assert_eq!(redacted, json.replace(CANARY, &token(CANARY)));
    }

    #[test]
    fn json_says_secrets_in_many_ways() {
        let mark = token(CANARY);
        let nested = |text: &str| serde_json::to_string(text).unwrap();
        let json = r#"{"a":{"password":"@"},"b":2}"#;
        for text in [
            json.to_owned(),
            format!(r#"{{"body":{}}}"#, nested(json)),
            format!(r#"{{"body":{}}}"#, nested(&nested(json))),
            format!(r#"[{}]"#, nested("<fault><password>@</password></fault>")),
            r#"{"headers":{"Authorization":"Bearer @","Accept":"x"}}"#.into(),
            r#"{"headers":[["authorization","Bearer @"],["accept","x"]]}"#.into(),
            r#"{"headers":[{"name":"Cookie","value":"sid=@"},{"name":"Accept","value":"x"}]}"#
                .into(),
            r#"{"message":"no access with Authorization: Bearer @","code":"FORBIDDEN"}"#.into(),
            r#"{"message":"POST /?access_token=@&x=1 failed\nCookie: a=@\nx: y","code":"X"}"#
                .into(),
            r#"{"redirect":"https://h/login?continue=https%3A%2F%2Fapp%2Fcb%3Fcode%3D@%26x%3D1"}"#
                .into(),
            r#"{"form":"a=1&password=@&b=2"}"#.into(),
            r#"{"wsse:Password":"@","x.apiKey":"@"}"#.into(),
        ] {
            let found = gone("application/problem+json", &text.replace('@', CANARY));
            assert_eq!(found, text.replace('@', &mark), "{text}");
        }
        // What no reader of JSON would take.
        let broken =
            format!(r#"{{"a": oops " {{'password': '{CANARY}'}}, client_secret: {CANARY}"#);
        gone("application/json", &broken);
    }

    #[test]
    fn forms_hold_json_and_parts_have_names() {
        let mark = token(CANARY);
        let form = format!(
            "a=1&data=%7B%22password%22%3A%22{CANARY}%22%7D&next=https%3A%2F%2Fh%3Ftoken%3D{CANARY}&x=y"
        );
        let found = gone("application/x-www-form-urlencoded", &form);
        assert_eq!(found, form.replace(CANARY, &mark));
        let parts = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nplain\r\n\
            --b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n@\r\n\
            --b\r\nContent-Disposition: form-data; name=\"j\"; filename=\"j.json\"\r\n\
            Content-Type: application/json\r\nAuthorization: Bearer @\r\n\r\n{\"token\":\"@\"}\r\n--b--\r\n";
        for media_type in ["multipart/form-data; boundary=b", "multipart/form-data", ""] {
            let found = gone(media_type, &parts.replace('@', CANARY));
            assert_eq!(found, parts.replace('@', &mark), "{media_type}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_needs_no_name() {
        let jwt =
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
        let key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----";
        for body in [
            format!("<p>{jwt}</p>"),
            format!("{{\"x\":\"{jwt}\"}}"),
            format!("a={jwt}"),
            format!("<CC015C>{jwt}</CC015C>"),
        ] {
            let found = redactor().body(None, body.as_bytes()).into_owned();
            assert_eq!(String::from_utf8(found).unwrap(), body.replace(jwt, &token(jwt)));
        }
        assert_eq!(redactor().text(&format!("a {key} b")), format!("a {} b", token(key)));
        assert_eq!(
            redactor().url(&format!("https://h/{jwt}/x")),
            format!("https://h/{}/x", token(jwt))
        );
    }

    #[test]
    fn cookies_and_redirects_lose_their_secrets_alone() {
        let redact = |name: &str, value: &str| {
            Redactor::new(b"salt", []).headers(&[(name.to_owned(), value.to_owned())])[0].1.clone()
        };
        let mark = token(CANARY);
        for (name, value) in [
            ("Set-Cookie", "sid=@; Path=/; Secure; HttpOnly"),
            ("Cookie", "a=@; b=@"),
            ("Location", "/cb?code=@&x=1#state=@"),
            ("location", "https://u:@h/login?continue=https%3A%2F%2Fapp%2Fcb%3Fcode%3D@%26x%3D1"),
            ("Refresh", "0; url=https://h/?access_token=@"),
            ("X-Upstream-Request", "GET /x HTTP/1.1; Authorization: Bearer @"),
            ("X-Session-Token", "@"),
        ] {
            let value = value.replace("u:@", "u:p@");
            let found =
                redact(name, &value.replace("p@", "p\0").replace('@', CANARY).replace('\0', "@"));
            let wanted = value
                .replace("u:p@", "\0")
                .replace('@', &mark)
                .replace('\0', &format!("{}@", token("u:p")));
            assert_eq!(found, wanted, "{name}");
        }
    }

    #[test]
    fn a_token_that_a_server_grants_is_known_from_there_on() {
        let redactor = Redactor::new(b"salt", []);
        let granted = "0123456789abcdefghij";
        let body = format!(r#"{{"access_token":"{granted}","hint":"use {granted} now"}}"#);
        let found = redactor.body(Some("application/json"), body.as_bytes()).into_owned();
        assert_eq!(String::from_utf8(found).unwrap(), body.replace(granted, &token(granted)));
        assert_eq!(redactor.text(&format!("x {granted}")), format!("x {}", token(granted)));
        // An ordinary word is not.
        redactor.body(None, br#"{"access_token":"application/json"}"#);
        assert_eq!(redactor.text("application/json"), "application/json");
    }

    #[test]
    fn hostile_bodies_cost_little() {
        // Each would take minutes if anything were looked for from every place
        // to the end.
        let redactor = redactor();
        for piece in [
            "<token><",
            "a_token:",
            "token=",
            "\"token\":\"",
            "://",
            "&lt;",
            "%3Dtoken%3D",
            "{\"a\":",
            "--b\r\n",
            "Bearer ",
            "eyJaaaaaaaaa.",
            "eyJ",
            "\\\\\"",
            "-----BEGIN PRIVATE KEY-----",
            "=\"",
            "Cookie:;",
        ] {
            let body = piece.repeat(100_000 / piece.len());
            for media_type in [
                "application/json",
                "text/xml",
                "application/x-www-form-urlencoded",
                "multipart/mixed; boundary=b",
            ] {
                redactor.body(Some(media_type), body.as_bytes());
            }
        }
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
