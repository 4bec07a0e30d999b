//! Lines of the index and of journals: canonical JSON (RFC 8785) with `seq`,
//! `at`, `mono_ns`, `prev` and `hash`.
//!
//! `hash` is the SHA-256 of the canonical line without `hash`; `prev` is the
//! `hash` of the line before, or 64 zeros. A stored line must be byte for byte
//! its own canonical form, so that no two ways of writing it exist.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::digest::Digest;

/// Longest line accepted, in bytes. Bodies are objects; lines are short.
pub const MAX_LINE: usize = 1 << 20;

/// Largest integer that JSON numbers carry exactly.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// Why a line is no link of its chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// No newline at its end.
    #[error("the last line is not whole")]
    Torn,
    /// Longer than [`MAX_LINE`].
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// Not JSON, or not as this format writes it.
    #[error("the line is not canonical JSON")]
    NotCanonical,
    /// A member is missing or of another type.
    #[error("the line is not one of this format: {0}")]
    Shape(String),
    /// `seq` is not one more than before.
    #[error("the line has number {found}, not {expected}")]
    Sequence {
        /// What it must be.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// `prev` is not the hash of the line before.
    #[error("the line does not follow the one before it")]
    Link,
    /// `hash` is not the hash of the line.
    #[error("the line was changed: its hash differs")]
    Hash,
}

impl LineError {
    /// The name of the verification rule.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Torn => "torn-line",
            Self::TooLong => "line-too-long",
            Self::NotCanonical => "line-not-canonical",
            Self::Shape(_) => "line-unreadable",
            Self::Sequence { .. } => "line-out-of-order",
            Self::Link => "chain-broken",
            Self::Hash => "line-changed",
        }
    }
}

/// Where a chain stands: the next line's number and the last line's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the next line; also the count of lines.
    pub next: u64,
    /// Hash of the last line.
    pub hash: Digest,
}

impl Head {
    /// An empty chain.
    pub const EMPTY: Head = Head { next: 0, hash: Digest::ZERO };
}

/// A line read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<T> {
    /// Its number, from 0.
    pub seq: u64,
    /// Wall clock, UTC, milliseconds.
    pub at: DateTime<Utc>,
    /// Monotonic clock, nanoseconds.
    pub mono_ns: u64,
    /// What it says.
    pub content: T,
    /// The whole line as JSON.
    pub json: Value,
}

/// Writes the next line of a chain: its bytes with the newline, and the new
/// head.
///
/// # Errors
/// When `content` cannot be written as a JSON object.
pub fn write<T: Serialize>(
    head: Head,
    at: DateTime<Utc>,
    mono_ns: u64,
    content: &T,
) -> Result<(Vec<u8>, Head), LineError> {
    let shape = |error: serde_json::Error| LineError::Shape(error.to_string());
    let Value::Object(mut line) = serde_json::to_value(content).map_err(shape)? else {
        return Err(LineError::Shape("not an object".into()));
    };
    line.insert("seq".into(), head.next.into());
    line.insert("at".into(), at.to_rfc3339_opts(SecondsFormat::Millis, true).into());
    line.insert("mono_ns".into(), mono_ns.min(MAX_SAFE).into());
    line.insert("prev".into(), head.hash.to_string().into());
    let hash = Digest::of(&canonical(&line)?);
    line.insert("hash".into(), hash.to_string().into());
    let mut bytes = canonical(&line)?;
    if bytes.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    bytes.push(b'\n');
    Ok((bytes, Head { next: head.next + 1, hash }))
}

/// Reads a line (without its newline) that must follow `head`.
///
/// # Errors
/// Why it does not.
pub fn read<T: DeserializeOwned>(bytes: &[u8], head: Head) -> Result<(Line<T>, Head), LineError> {
    let (line, own) = parse::<T>(bytes)?;
    if line.seq != head.next {
        return Err(LineError::Sequence { expected: head.next, found: line.seq });
    }
    let text = |name: &str| line.json.get(name).and_then(Value::as_str);
    if text("prev") != Some(head.hash.to_string().as_str()) {
        return Err(LineError::Link);
    }
    if text("hash") != Some(own.to_string().as_str()) {
        return Err(LineError::Hash);
    }
    Ok((line, Head { next: head.next + 1, hash: own }))
}

/// Parses a line and computes its hash, without looking at its neighbours.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<(Line<T>, Digest), LineError> {
    if bytes.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    let Ok(json @ Value::Object(_)) = serde_json::from_slice::<Value>(bytes) else {
        return Err(LineError::NotCanonical);
    };
    let Value::Object(map) = &json else { return Err(LineError::NotCanonical) };
    if canonical(map)? != bytes {
        return Err(LineError::NotCanonical);
    }
    let mut without_hash = map.clone();
    without_hash.remove("hash");
    let own = Digest::of(&canonical(&without_hash)?);
    let number = |name: &str| {
        map.get(name)
            .and_then(Value::as_u64)
            .ok_or_else(|| LineError::Shape(format!("`{name}` is missing")))
    };
    let at = map
        .get("at")
        .and_then(Value::as_str)
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .ok_or_else(|| LineError::Shape("`at` is missing".into()))?;
    let content = serde_json::from_value(json.clone())
        .map_err(|error| LineError::Shape(error.to_string().chars().take(200).collect()))?;
    let line = Line {
        seq: number("seq")?,
        at: at.with_timezone(&Utc),
        mono_ns: number("mono_ns")?,
        content,
        json,
    };
    Ok((line, own))
}

fn canonical(map: &Map<String, Value>) -> Result<Vec<u8>, LineError> {
    serde_json_canonicalizer::to_vec(map).map_err(|error| LineError::Shape(error.to_string()))
}

/// The whole lines of a file's bytes, and the bytes of a last line that is not
/// whole.
pub fn split(bytes: &[u8]) -> (impl Iterator<Item = &[u8]>, &[u8]) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (whole, torn) = bytes.split_at(end);
    let lines = whole.strip_suffix(b"\n").map(|whole| whole.split(|byte| *byte == b'\n'));
    (lines.into_iter().flatten(), torn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at() -> DateTime<Utc> {
        "2026-11-21T09:30:00.123Z".parse().unwrap()
    }

    #[test]
    fn a_line_is_canonical_and_reads_back() {
        let content = serde_json::json!({"kind": "x", "b": 1.0, "a": "é\n"});
        let (bytes, head) = write(Head::EMPTY, at(), 5, &content).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.starts_with(r#"{"a":"é\n","at":"2026-11-21T09:30:00.123Z","b":1,"hash":""#));
        let (line, after) = read::<Value>(&bytes[..bytes.len() - 1], Head::EMPTY).unwrap();
        assert_eq!((line.seq, line.at, line.mono_ns), (0, at(), 5));
        assert_eq!(after, head);
    }

    #[test]
    fn the_same_content_written_otherwise_is_refused() {
        let (bytes, _) = write(Head::EMPTY, at(), 5, &serde_json::json!({"kind": "x"})).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let spaced = text.trim_end().replacen(':', ": ", 1);
        assert_eq!(
            read::<Value>(spaced.as_bytes(), Head::EMPTY).unwrap_err(),
            LineError::NotCanonical
        );
    }

    #[test]
    fn split_keeps_what_is_not_whole_apart() {
        let (lines, torn) = split(b"a\nb\nc");
        assert_eq!((lines.collect::<Vec<_>>(), torn), (vec![&b"a"[..], b"b"], &b"c"[..]));
        let (lines, torn) = split(b"");
        assert_eq!((lines.count(), torn), (0, &b""[..]));
        let (lines, _) = split(b"\n");
        assert_eq!(lines.collect::<Vec<_>>(), vec![b""]);
    }

    proptest! {
        /// Whatever bytes stand in a file, reading them does not panic.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read::<Value>(&bytes, Head::EMPTY);
        }

        /// What is written reads back, whatever text it carries.
        #[test]
        fn any_text_survives(text in any::<String>(), number in -1e12f64..1e12) {
            let content = serde_json::json!({"kind": "x", "text": text, "number": number});
            let (bytes, _) = write(Head::EMPTY, at(), 5, &content).unwrap();
            let (line, _) = read::<Value>(&bytes[..bytes.len() - 1], Head::EMPTY).unwrap();
            prop_assert_eq!(line.content.get("text"), content.get("text"));
        }
    }
}
