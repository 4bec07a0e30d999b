//! Chained lines. A line is a JSON object in canonical form (RFC 8785) with
//! the members `seq`, `at`, `mono_ns`, `kind`, those of its event, `prev` and
//! `hash`. `prev` is the `hash` of the line before; `hash` is the SHA-256 of
//! the line's stored bytes without the `hash` member.
//!
//! A stored line must equal its own canonical form byte for byte. That makes
//! "without the `hash` member" unambiguous, and leaves no byte that could be
//! changed without notice: not white space, not an escape, not a second member
//! of the same name.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::EvidenceError;
use super::format::{MAX_JOURNAL, object_refs};
use crate::digest::{self, Digest, MAX_SAFE_INTEGER};
use crate::files::{self, AppendFile, FileError};

mod scan;

/// Longest line without its newline, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// Members that belong to the chain; an event has none of these names.
const ENVELOPE: [&str; 5] = ["seq", "at", "mono_ns", "prev", "hash"];

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Longer than any line that is written.
    #[error("it is longer than {MAX_LINE} bytes")]
    TooLong,
    /// Not JSON, or not UTF-8.
    #[error("it is not a JSON object: {0}")]
    NotJson(String),
    /// JSON in another form than the canonical one.
    #[error("it is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// A member of the chain is missing or has an impossible value.
    #[error("its `{0}` is missing or wrong")]
    Member(&'static str),
    /// The bytes are not those that were hashed.
    #[error("it was changed: its hash is {found}, it says {said}")]
    Hash {
        /// What the line says.
        said: Digest,
        /// What its bytes give.
        found: Digest,
    },
    /// Not the number that follows.
    #[error("its number is {found}, {expected} follows here")]
    Sequence {
        /// What follows.
        expected: u64,
        /// What the line says.
        found: u64,
    },
    /// Not the successor of the line before.
    #[error("it does not follow the line before: `prev` is {found}, not {expected}")]
    Link {
        /// Hash of the line before.
        expected: Digest,
        /// What the line says.
        found: Digest,
    },
    /// The event is of a kind or shape this version does not know.
    #[error("its event cannot be read: {0}")]
    Event(String),
    /// An event in a place where it may not be.
    #[error("{0}")]
    Misplaced(&'static str),
    /// A number that JSON readers do not keep exactly.
    #[error("the number {0} is beyond 2^53 - 1")]
    Number(String),
    /// An event that reads back as another.
    #[error("it would not read back as it is")]
    NotFaithful,
}

/// A line that is consistent in itself.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Number in its file, from 0.
    pub seq: u64,
    /// Wall clock when it was written.
    pub at: DateTime<Utc>,
    /// Monotonic clock of the session that wrote it, nanoseconds.
    pub mono_ns: u64,
    /// Hash of the line before.
    pub prev: Digest,
    /// Its own hash.
    pub hash: Digest,
    /// The objects it refers to, with the bytes it says they have.
    pub objects: Vec<(Digest, u64)>,
    /// All of it, without the newline.
    text: Cow<'a, str>,
}

impl<'a> Line<'a> {
    /// Reads a line, without its newline, and checks its hash. Whether it
    /// follows another is for [`Head::follow`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LineError> {
        if bytes.len() > MAX_LINE {
            return Err(LineError::TooLong);
        }
        let Some(scanned) = scan::scan(bytes) else { return Self::take_apart(bytes) };
        let at = parse_at(Some(scanned.at)).ok_or(LineError::Member("at"))?;
        check_hash(bytes, &scanned.hash_member, scanned.hash)?;
        let scan::Scanned { text, seq, mono_ns, prev, hash, objects, .. } = scanned;
        Ok(Self { seq, at, mono_ns, prev, hash, objects, text: text.into() })
    }

    /// The same, whatever JSON it is: by taking it apart and writing it anew.
    fn take_apart(bytes: &'a [u8]) -> Result<Self, LineError> {
        let mut members: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| LineError::NotJson(error.to_string()))?;
        let (text, hash_member) = lay_out(&members);
        if text.as_bytes() != bytes {
            return Err(LineError::NotCanonical);
        }
        let mut take = |name| members.remove(name).ok_or(LineError::Member(name));
        let seq = take("seq")?.as_u64().ok_or(LineError::Member("seq"))?;
        let at = parse_at(take("at")?.as_str()).ok_or(LineError::Member("at"))?;
        let mono_ns = take("mono_ns")?.as_u64().ok_or(LineError::Member("mono_ns"))?;
        let prev = parse_digest(&take("prev")?).ok_or(LineError::Member("prev"))?;
        let hash = parse_digest(&take("hash")?).ok_or(LineError::Member("hash"))?;
        check_hash(bytes, &hash_member, hash)?;
        let objects = objects_of(&Value::Object(members));
        Ok(Self { seq, at, mono_ns, prev, hash, objects, text: text.into() })
    }

    /// The event in the line: no event has a member that is the chain's.
    ///
    /// # Errors
    /// When this version does not know its kind or shape.
    pub fn event<E: DeserializeOwned>(&self) -> Result<E, LineError> {
        serde_json::from_str(&self.text).map_err(|error| {
            let message = error.to_string();
            // There is but one line, and nobody counts its columns.
            let message = message.rsplit_once(" at line 1 column ").map_or(&*message, |it| it.0);
            LineError::Event(message.to_owned())
        })
    }

    /// `kind`, where it is text.
    pub fn kind(&self) -> Option<Cow<'_, str>> {
        #[derive(Deserialize)]
        struct Kind<'a> {
            #[serde(borrow)]
            kind: Cow<'a, str>,
        }
        serde_json::from_str::<Kind<'_>>(&self.text).ok().map(|it| it.kind)
    }
}

/// Checks a line's hash, given where the member lies with its comma.
fn check_hash(bytes: &[u8], member: &Range<usize>, said: Digest) -> Result<(), LineError> {
    let before = bytes.get(..member.start).unwrap_or_default();
    let after = bytes.get(member.end..).unwrap_or_default();
    let found = Digest::of_parts(&[before, after]);
    if found == said { Ok(()) } else { Err(LineError::Hash { said, found }) }
}

fn objects_of(body: &Value) -> Vec<(Digest, u64)> {
    let mut objects = Vec::new();
    object_refs(body, &mut |object, bytes| objects.push((object, bytes)));
    objects
}

/// `at` as lines write it: RFC 3339, UTC, milliseconds, `Z`.
pub fn format_at(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) fn parse_at(text: Option<&str>) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text?).ok()?.to_utc();
    (Some(format_at(at).as_str()) == text).then_some(at)
}

fn parse_digest(value: &Value) -> Option<Digest> {
    value.as_str()?.parse().ok()
}

/// The canonical text of an object, and where in it the member `hash` lies
/// with one comma; an empty range when there is none.
fn lay_out(members: &Map<String, Value>) -> (String, Range<usize>) {
    let mut names: Vec<_> = members.iter().collect();
    names.sort_by(|a, b| digest::canonical_order(a.0, b.0));
    let mut text = String::from("{");
    let mut hash = 0..0;
    for (name, value) in names {
        let start = text.len();
        if start > 1 {
            text.push(',');
        }
        digest::write_member(name, value, &mut text);
        if name == "hash" {
            // Never the first member: every line has `at`.
            hash = start..text.len();
        }
    }
    text.push('}');
    (text, hash)
}

/// The end of a chain: what the next line must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Lines so far; the `seq` of the next.
    pub lines: u64,
    /// Hash of the last line.
    pub hash: Digest,
}

impl Head {
    /// Before the first line.
    pub const START: Head = Head { lines: 0, hash: Digest::ZERO };

    /// Moves past `line`.
    ///
    /// # Errors
    /// When it does not follow.
    pub fn follow(&mut self, line: &Line<'_>) -> Result<(), LineError> {
        if line.seq != self.lines {
            return Err(LineError::Sequence { expected: self.lines, found: line.seq });
        }
        if line.prev != self.hash {
            return Err(LineError::Link { expected: self.hash, found: line.prev });
        }
        *self = Head { lines: line.seq + 1, hash: line.hash };
        Ok(())
    }

    /// Composes the line that follows: its text with the newline, and itself.
    /// The wall clock is kept to the millisecond.
    ///
    /// # Errors
    /// When the event is not an object, has a member of the chain's, or would
    /// not survive as JSON.
    pub fn compose(
        self,
        now: DateTime<Utc>,
        mono_ns: u64,
        event: &impl Serialize,
    ) -> Result<(String, Line<'static>), LineError> {
        let value =
            serde_json::to_value(event).map_err(|error| LineError::Event(error.to_string()))?;
        let Value::Object(body) = value else {
            return Err(LineError::Event("it is not an object".into()));
        };
        if let Some(name) = ENVELOPE.into_iter().find(|name| body.contains_key(*name)) {
            return Err(LineError::Member(name));
        }
        let body = Value::Object(body);
        if let Some(number) = digest::inexact_number(&body) {
            return Err(LineError::Number(number.to_string()));
        }
        // A session of more than 104 days would outgrow exact numbers.
        let mono_ns = mono_ns.min(MAX_SAFE_INTEGER);
        let written = format_at(now);
        let at = parse_at(Some(&written)).ok_or(LineError::Member("at"))?;

        let objects = objects_of(&body);
        let mut members = body.as_object().cloned().unwrap_or_default();
        members.insert("seq".into(), self.lines.into());
        members.insert("at".into(), written.into());
        members.insert("mono_ns".into(), mono_ns.into());
        members.insert("prev".into(), self.hash.to_string().into());
        let hash = Digest::of(lay_out(&members).0.as_bytes());
        members.insert("hash".into(), hash.to_string().into());
        let text = lay_out(&members).0;
        if text.len() > MAX_LINE {
            return Err(LineError::TooLong);
        }
        let (seq, prev) = (self.lines, self.hash);
        let stored = format!("{text}\n");
        Ok((stored, Line { seq, at, mono_ns, prev, hash, objects, text: text.into() }))
    }
}

/// What a reader of lines met.
#[derive(Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// More than [`MAX_LINE`] bytes without a newline.
    TooLong,
    /// The file ends without a newline, after this many bytes of a line.
    Torn(u64),
}

/// Reads lines in bounded memory.
#[derive(Debug)]
pub struct RawLines<R> {
    reader: R,
    buffer: Vec<u8>,
    bytes: u64,
}

impl<R: BufRead> RawLines<R> {
    /// Lines of `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), bytes: 0 }
    }

    /// Bytes read so far, newlines included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line; none at the end.
    ///
    /// # Errors
    /// The reader's.
    pub fn next_raw(&mut self) -> io::Result<Option<Raw<'_>>> {
        self.buffer.clear();
        let (mut length, mut ended) = (0_u64, false);
        while !ended {
            let chunk = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                break;
            }
            let (part, used) = match chunk.iter().position(|byte| *byte == b'\n') {
                Some(at) => {
                    ended = true;
                    (chunk.get(..at).unwrap_or_default(), at + 1)
                }
                None => (chunk, chunk.len()),
            };
            length += part.len() as u64;
            if length <= MAX_LINE as u64 {
                self.buffer.extend_from_slice(part);
            }
            self.bytes += used as u64;
            self.reader.consume(used);
        }
        Ok(if length > MAX_LINE as u64 {
            Some(Raw::TooLong)
        } else if ended {
            Some(Raw::Line(&self.buffer))
        } else if length > 0 {
            Some(Raw::Torn(length))
        } else {
            None
        })
    }
}

/// Where reading a chain ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Its head.
    pub head: Head,
    /// Bytes of its whole lines.
    pub length: u64,
    /// Bytes of a half-written last line after them.
    pub torn: u64,
}

/// Reads a chain and hands each line to `each`, after checking it and its
/// place. A half-written last line was never acknowledged and is not read.
///
/// # Errors
/// The first line that is wrong, or that `each` refuses; a file that cannot
/// be read.
pub fn read_chain(
    path: &Path,
    mut each: impl FnMut(Line<'_>) -> Result<(), LineError>,
) -> Result<End, EvidenceError> {
    let file = files::open_regular(path)?;
    let mut lines = RawLines::new(BufReader::new(file));
    let mut end = End { head: Head::START, length: 0, torn: 0 };
    for number in 1.. {
        let raw = lines.next_raw().map_err(|source| FileError {
            path: path.to_owned(),
            doing: "read",
            source,
        })?;
        let checked = match raw {
            None => return Ok(end),
            Some(Raw::Torn(torn)) => return Ok(End { torn, ..end }),
            Some(Raw::TooLong) => Err(LineError::TooLong),
            Some(Raw::Line(bytes)) => Line::parse(bytes).and_then(|line| {
                end.head.follow(&line)?;
                each(line)
            }),
        };
        checked.map_err(|source| EvidenceError::Line {
            path: path.to_owned(),
            line: number,
            source,
        })?;
        end.length = lines.bytes();
        if end.length > MAX_JOURNAL {
            break;
        }
    }
    Err(too_large(path))
}

fn too_large(path: &Path) -> EvidenceError {
    EvidenceError::Contents {
        path: path.to_owned(),
        message: format!("it is larger than the {MAX_JOURNAL} bytes a store takes"),
    }
}

/// Appends lines to a chain.
#[derive(Debug)]
pub struct ChainWriter {
    file: AppendFile,
    head: Head,
}

impl ChainWriter {
    /// Continues the chain in a file that was read up to `end` and has no
    /// half-written line.
    ///
    /// # Errors
    /// When the file cannot be opened, or is not as long as it was.
    pub fn open(path: &Path, end: &End) -> Result<Self, EvidenceError> {
        let file = AppendFile::open(path)?;
        if file.len() != end.length {
            return Err(EvidenceError::Contents {
                path: path.to_owned(),
                message: "it changed while it was being opened".into(),
            });
        }
        Ok(Self { file, head: end.head })
    }

    /// Hands a line composed by this chain's head to the operating system.
    ///
    /// # Errors
    /// As [`AppendFile::append`].
    pub fn append(&mut self, text: &str, line: &Line<'_>) -> Result<(), EvidenceError> {
        if self.file.len() + text.len() as u64 > MAX_JOURNAL {
            return Err(too_large(self.file.path()));
        }
        self.file.append(text.as_bytes())?;
        self.head = Head { lines: line.seq + 1, hash: line.hash };
        Ok(())
    }

    /// Returns once every line appended so far survives a loss of power.
    ///
    /// # Errors
    /// As [`AppendFile::sync`].
    pub fn sync(&mut self) -> Result<(), EvidenceError> {
        Ok(self.file.sync()?)
    }

    /// The chain's end.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Bytes of the chain.
    pub fn bytes(&self) -> u64 {
        self.file.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;
    use serde_json::json;

    fn now() -> DateTime<Utc> {
        Utc.timestamp_nanos(1_795_253_400_123_456_789)
    }

    #[test]
    fn a_line_is_what_the_format_says() {
        let (text, line) = Head::START.compose(now(), 7, &json!({"kind": "x", "z": 1.0})).unwrap();
        let without = format!(
            "{{\"at\":\"2026-11-21T09:30:00.123Z\",\"kind\":\"x\",\"mono_ns\":7,\"prev\":\"{}\",\
             \"seq\":0,\"z\":1}}",
            Digest::ZERO
        );
        let hash = Digest::of(without.as_bytes());
        assert_eq!(
            text,
            without.replace("\"kind\"", &format!("\"hash\":\"{hash}\",\"kind\"")) + "\n"
        );
        let read = Line::parse(text.trim_end().as_bytes()).unwrap();
        assert_eq!((read.hash, read.at), (hash, line.at));
        assert_eq!(read.event::<Value>().unwrap()["z"], 1);
        assert_eq!(read.kind().as_deref(), Some("x"));
    }

    #[test]
    fn a_nested_hash_is_no_hash() {
        let event = json!({"kind": "x", "a": {"hash": Digest::ZERO, "z": "\"hash\":\"\""}});
        let (text, _) = Head::START.compose(now(), 0, &event).unwrap();
        Line::parse(text.trim_end().as_bytes()).unwrap();
    }

    #[test]
    fn the_same_json_in_another_form_is_refused() {
        let (text, _) = Head::START.compose(now(), 0, &json!({"kind": "x", "n": 10})).unwrap();
        let line = text.trim_end();
        for other in [
            line.replace("\"n\":10", "\"n\": 10"),
            line.replace("\"n\":10", "\"n\":1e1"),
            line.replace("\"n\":10", "\"n\":11,\"n\":10"),
            line.replace("\"kind\":\"x\"", "\"kind\":\"\\u0078\""),
            format!("{line} "),
        ] {
            assert!(
                matches!(Line::parse(other.as_bytes()), Err(LineError::NotCanonical)),
                "{other}"
            );
        }
    }

    #[test]
    fn what_would_not_survive_is_not_written() {
        let refuse = |event: Value| Head::START.compose(now(), 0, &event).unwrap_err();
        assert!(matches!(refuse(json!({"n": u64::MAX})), LineError::Number(_)));
        assert!(matches!(refuse(json!({"hash": 1})), LineError::Member("hash")));
        assert!(matches!(refuse(json!([1])), LineError::Event(_)));
        assert!(matches!(refuse(json!({"t": "x".repeat(MAX_LINE)})), LineError::TooLong));
    }

    #[test]
    fn lines_are_read_in_bounded_memory() {
        let long = "y".repeat(MAX_LINE + 1);
        let text = format!("one\n\n{long}\nlast");
        let mut lines = RawLines::new(text.as_bytes());
        assert_eq!(lines.next_raw().unwrap(), Some(Raw::Line(b"one")));
        assert_eq!(lines.next_raw().unwrap(), Some(Raw::Line(b"")));
        assert_eq!(lines.next_raw().unwrap(), Some(Raw::TooLong));
        assert_eq!(lines.next_raw().unwrap(), Some(Raw::Torn(4)));
        assert_eq!(lines.next_raw().unwrap(), None);
        assert_eq!(lines.bytes(), text.len() as u64);
        assert!(lines.buffer.capacity() <= 2 * MAX_LINE);
    }

    proptest! {
        #[test]
        fn any_event_survives(text in any::<String>(), name in "[a-z]{1,4}", number in any::<f64>()) {
            let event = json!({"kind": text, "f": number, "o": {name: [text, number]}});
            let (stored, line) = Head::START.compose(now(), 1, &event).unwrap();
            let read = Line::parse(stored.trim_end_matches('\n').as_bytes()).unwrap();
            prop_assert_eq!(read.hash, line.hash);
            prop_assert_eq!(read.text, line.text);
        }
    }
}
