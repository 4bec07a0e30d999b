//! What every API of HMRC has in common: an address, a version in `Accept`, a
//! bearer token; and answers that may not have the documented shape.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::transport::{Call, Method};

/// One version of an API at one address, as whoever the token stands for.
/// Which calls it has is told beside each API: [`super::ctc`],
/// [`super::guarantees`], [`super::notifications`].
#[derive(Clone, Debug)]
pub struct Api {
    base: Url,
    version: String,
    token: SecretString,
}

impl Api {
    /// The API at `base`, version `2.1` and the like, with a bearer token.
    pub fn new(base: Url, version: &str, token: SecretString) -> Self {
        Self { base, version: version.to_owned(), token }
    }

    /// A call of the resource at `path` below the address, one segment each;
    /// what is no part of a segment is escaped.
    pub(super) fn call(&self, method: Method, path: &[&str], suffix: &str) -> Call {
        Call {
            method,
            url: below(&self.base, path).into(),
            headers: vec![
                ("accept".into(), format!("application/vnd.hmrc.{}+{suffix}", self.version)),
                ("authorization".into(), format!("Bearer {}", self.token.expose_secret())),
            ],
            body: None,
        }
    }
}

/// The address `path` below `base`.
pub(super) fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    // A base that cannot have a path does not get this far (`hosts`).
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

impl Call {
    /// The same with this query.
    pub(super) fn query(mut self, query: &[(&str, String)]) -> Self {
        if let Ok(mut url) = Url::parse(&self.url) {
            url.query_pairs_mut().extend_pairs(query);
            self.url = url.into();
        }
        self
    }

    /// The same with this body.
    pub(super) fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.headers.push(("content-type".into(), media_type.into()));
        self.body = Some(body.into());
        self
    }
}

/// An answer that does not have the documented shape.
#[derive(Debug, thiserror::Error)]
#[error("the answer has not the documented shape: {0}")]
pub struct ShapeError(pub(super) String);

impl From<serde_json::Error> for ShapeError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Whether a text is the id of a movement or a message: 16 lower-case
/// hexadecimal digits (published source of the API).
pub fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}
