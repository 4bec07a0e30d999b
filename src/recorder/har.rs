//! Reading HAR files (HTTP Archive 1.2) as browsers, proxies, Postman and
//! ctc-ready itself write them.
//!
//! An entry at a time is in memory, and of the entries only those that are
//! wanted stay there. What is wrong with a file is told by place alone: it is
//! full of secrets, and an error must not quote one.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::error::Category;

/// Largest file read, in bytes.
pub const MAX_FILE: u64 = 1 << 30;

/// Most bytes of one entry, as the file has it.
pub const MAX_ENTRY: u64 = 64 << 20;

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HarError {
    /// The disk refuses.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// It ends too early.
    #[error("ends in the middle, in line {line}; export it again")]
    HalfWritten {
        /// Line, from 1.
        line: usize,
    },
    /// No JSON.
    #[error("is no JSON: line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Some other JSON.
    #[error("is no HAR file: line {line}, column {column}: {expected}")]
    NotHar {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// One entry is too large.
    #[error("has an entry of more than {MAX_ENTRY} bytes, near line {line}; export HMRC's alone")]
    TooLarge {
        /// Line, from 1.
        line: usize,
    },
}

/// A request and its answer, as a file has them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) started_date_time: String,
    /// Milliseconds.
    #[serde(default)]
    pub(super) time: Option<f64>,
    pub(super) request: Request,
    #[serde(default)]
    pub(super) response: Option<Response>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) headers: Vec<Header>,
    #[serde(default)]
    pub(super) post_data: Option<Body>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Response {
    #[serde(default)]
    pub(super) status: i64,
    #[serde(default)]
    pub(super) headers: Vec<Header>,
    #[serde(default)]
    pub(super) content: Option<Body>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

/// A body, as text or in Base64.
#[derive(Debug, Deserialize)]
pub(super) struct Body {
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) encoding: Option<String>,
}

impl Entry {
    /// When it says that the request was made.
    pub(super) fn at(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.started_date_time).ok().map(|at| at.to_utc())
    }
}

impl Body {
    /// Its bytes; none where the file does not have them.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        let text = self.text.as_ref()?;
        match self.encoding.as_deref() {
            Some(encoding) if encoding.eq_ignore_ascii_case("base64") => {
                let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                STANDARD.decode(text).ok()
            }
            _ => Some(text.clone().into_bytes()),
        }
    }
}

/// Hands the entries of a file to `each`, in its order.
///
/// # Errors
/// What is wrong with the file; what stood before was handed out.
pub(super) fn read(file: impl Read, mut each: impl FnMut(Entry)) -> Result<(), HarError> {
    let left = Rc::new(Cell::new(MAX_ENTRY));
    let metered = Metered { inner: io::BufReader::new(file), left: Rc::clone(&left) };
    let mut json =
        serde_json::Deserializer::from_reader(io::BufReader::with_capacity(1 << 16, metered));
    let mut entries = Entries { left: &left, each: &mut each };
    let read = Member { name: "log", inner: Member { name: "entries", inner: &mut entries } };
    read.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Io if left.get() == 0 => HarError::TooLarge { line },
            Category::Io => HarError::Io(error.into()),
            Category::Eof => HarError::HalfWritten { line },
            Category::Syntax => HarError::NotJson { line, column },
            Category::Data => HarError::NotHar {
                line,
                column,
                expected: "`log` with `entries`, each with `startedDateTime`, `request` and \
                           `response`, is expected",
            },
        }
    })
}

/// Stops where one entry goes on for too long.
struct Metered<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let left = self.left.get().saturating_sub(count as u64);
        self.left.set(left);
        match left {
            0 => Err(io::Error::other("an entry is too large")),
            _ => Ok(count),
        }
    }
}

/// One member of an object; it must be there, and the others do not matter.
struct Member<S> {
    name: &'static str,
    inner: S,
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> DeserializeSeed<'de> for Member<S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> Visitor<'de> for Member<S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut inner = Some(self.inner);
        while let Some(key) = map.next_key::<String>()? {
            match inner.take_if(|_| key == self.name) {
                Some(inner) => map.next_value_seed(inner)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        match inner {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("a member is missing")),
        }
    }
}

struct Entries<'a> {
    left: &'a Cell<u64>,
    each: &'a mut dyn FnMut(Entry),
}

impl<'de> DeserializeSeed<'de> for &mut Entries<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element::<Entry>()? {
            (self.each)(entry);
            self.left.set(MAX_ENTRY);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Result<usize, HarError> {
        let mut count = 0;
        read(text.as_bytes(), |_| count += 1).map(|()| count)
    }

    const ENTRY: &str = r#"{"startedDateTime":"2026-11-21T09:00:00.5+01:00","time":null,
        "request":{"method":"GET","url":"https://x/","cookies":[{}],"headers":[]},
        "response":{"status":200,"content":{"text":"PGEv\nPg==","encoding":"base64"}}}"#;

    #[test]
    fn entries_are_read_wherever_they_stand() {
        let whole = format!(
            r#"{{"a":[[1]],"log":{{"version":"1.2","entries":[{ENTRY},{ENTRY}],"pages":[]}}}}"#
        );
        assert_eq!(count(&whole).unwrap(), 2);
        let mut seen = None;
        read(whole.as_bytes(), |entry| seen = Some(entry)).unwrap();
        let entry = seen.unwrap();
        assert_eq!(entry.at().unwrap().to_rfc3339(), "2026-11-21T08:00:00.500+00:00");
        assert_eq!(entry.response.unwrap().content.unwrap().bytes().unwrap(), b"<a/>");
    }

    #[test]
    fn what_is_wrong_is_told_by_place_and_never_quoted() {
        let half = format!(r#"{{"log":{{"entries":[{ENTRY},{{"startedDateTime":"s3cret"#);
        assert!(matches!(count(&half), Err(HarError::HalfWritten { .. })));
        assert!(matches!(count(""), Err(HarError::HalfWritten { line: 1 })));
        for (text, word) in [
            ("<html>", "no JSON"),
            (r#"{"log":{"entries":[{"s3cret":1}]}}"#, "no HAR"),
            (r#"{"log":{"entries":{"s3cret":1}}}"#, "no HAR"),
            (r#"{"log":{"entries":[{"startedDateTime":"s3cret","request":"s3cret"}]}}"#, "no HAR"),
            (r#"{"log":{}}"#, "no HAR"),
            ("[]", "no HAR"),
            (r#"{"log":{"entries":[]}} x"#, "no JSON"),
        ] {
            let error = count(text).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("s3cret"), "{text}: {error}");
        }
        let deep = format!(r#"{{"x":{}"#, "[".repeat(500_000));
        assert!(count(&deep).is_err());
    }

    #[test]
    fn an_endless_entry_is_refused() {
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += buffer.len() as u64;
                assert!(self.0 < 2 * MAX_ENTRY, "it is read without end");
                buffer.fill(b' ');
                Ok(buffer.len())
            }
        }
        let begun = br#"{"log":{"entries":["#;
        let error = read(begun.chain(Endless(0)), |_| {}).unwrap_err();
        assert!(matches!(error, HarError::TooLarge { .. }), "{error}");
    }
}
