//! The lines of a snapshot and of a log.
//!
//! A line of a log is the first 16 digits of the SHA-256 of its JSON, a blank,
//! the JSON. A snapshot is a header, its texts, the options and the state, one
//! line each, and in its last line the SHA-256 of everything before.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Request};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::StateError;
use crate::digest::Digest;
use crate::files;
use crate::simulator::apis::ReadBody;
use crate::simulator::faults::Struck;
use crate::simulator::options::SimulatorOptions;
use crate::simulator::outside::{Met, Told};
use crate::simulator::state::State;
use crate::simulator::texts::{numbered, numbering};

/// The format written, and the only one read.
pub(super) const FORMAT: u64 = 1;

/// Largest snapshot read. Bodies make up most of one, and are bounded by
/// [`SimulatorOptions::bytes_kept`].
const SNAPSHOT_MAX: u64 = 4 << 30;

/// Longest line of a log: a body of 32 MiB, each byte of it escaped.
const LINE_MAX: u64 = 256 << 20;

/// Digits of the checksum of a line.
const CHECK: usize = 16;

/// What a snapshot says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    format: u64,
    /// Version of the program that wrote it.
    pub(super) tool: String,
    /// Number of the log that follows it.
    pub(super) log: u64,
    texts: usize,
}

/// A snapshot read back.
pub(super) struct Snapshot {
    pub(super) header: Header,
    pub(super) options: SimulatorOptions,
    pub(super) state: Box<State>,
}

/// A request that may have changed something.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) at: DateTime<Utc>,
    method: String,
    uri: String,
    /// Values with a character for each byte.
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// A body that is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    too_large: bool,
    pub(super) met: Met,
    /// What it was answered.
    pub(super) status: u16,
    /// How many names had been drawn after it.
    pub(super) drawn: u64,
}

/// A line of a log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    Asked(Box<Asked>),
    /// Time passed to here, and something happened of its own accord.
    Passed {
        at: DateTime<Utc>,
        met: Met,
    },
    /// Somebody who was called answered.
    Told {
        at: DateTime<Utc>,
        met: Met,
        told: Told,
    },
    Struck(Box<Struck>),
}

impl Asked {
    pub(super) fn new(
        (parts, body): (&Parts, &ReadBody),
        at: DateTime<Utc>,
        met: Met,
        status: u16,
        drawn: u64,
    ) -> Self {
        let latin =
            |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
        // A throttled request is looked at no further.
        let body_of = if met.throttled { &[] } else { body.bytes.as_slice() };
        let text = std::str::from_utf8(body_of).ok().map(str::to_owned);
        Self {
            at,
            method: parts.method.to_string(),
            uri: parts.uri.to_string(),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), latin(value)))
                .collect(),
            bytes: text.is_none().then(|| body_of.to_vec()),
            text,
            too_large: body.too_large,
            met,
            status,
            drawn,
        }
    }

    /// The request as it came.
    pub(super) fn request(&self) -> Option<(Parts, ReadBody)> {
        let mut request =
            Request::builder().method(self.method.as_str()).uri(&self.uri).body(()).ok()?;
        for (name, value) in &self.headers {
            let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
            request.headers_mut().append(
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_bytes(&bytes?).ok()?,
            );
        }
        let bytes = match (&self.text, &self.bytes) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(bytes)) => bytes.clone(),
            (None, None) => Vec::new(),
        };
        let body = ReadBody { bytes, too_large: self.too_large, abandoned: false };
        Some((request.into_parts().0, body))
    }
}

fn check_of(json: &[u8]) -> String {
    let mut check = Digest::of(json).to_string();
    check.truncate(CHECK);
    check
}

/// A line as it is written.
pub(super) fn line(line: &Line) -> Result<Vec<u8>, StateError> {
    let json = serde_json::to_vec(line)?;
    let mut bytes = check_of(&json).into_bytes();
    bytes.push(b' ');
    bytes.extend_from_slice(&json);
    bytes.push(b'\n');
    Ok(bytes)
}

/// A snapshot as it is written.
pub(super) fn snapshot(
    state: &State,
    options: &SimulatorOptions,
    log: u64,
) -> Result<Vec<u8>, StateError> {
    let (state, texts) = numbering(|| serde_json::to_vec(state));
    let header = Header {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        log,
        texts: texts.len(),
    };
    let mut bytes = serde_json::to_vec(&header)?;
    bytes.push(b'\n');
    for text in &texts {
        serde_json::to_writer(&mut bytes, &**text)?;
        bytes.push(b'\n');
    }
    serde_json::to_writer(&mut bytes, options)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&state?);
    bytes.push(b'\n');
    let digest = Digest::of(&bytes).to_string();
    bytes.extend_from_slice(digest.as_bytes());
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a snapshot.
pub(super) fn read_snapshot(path: &Path) -> Result<Snapshot, StateError> {
    let bytes = files::read_bounded(path, SNAPSHOT_MAX)?;
    let damaged = |line: Option<usize>, why: &str| StateError::Damaged {
        path: path.to_owned(),
        line,
        why: why.to_owned(),
    };
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    // The format comes first: of another, nothing else can be said.
    if let Ok(serde_json::Value::Object(header)) = serde_json::from_slice(first)
        && let Some(found) = header.get("format").and_then(serde_json::Value::as_u64)
        && found != FORMAT
    {
        return Err(StateError::Format { path: path.to_owned(), found });
    }
    let end = bytes.len().saturating_sub(65);
    let (content, digest) = bytes.split_at(end);
    if digest != format!("{}\n", Digest::of(content)).as_bytes() {
        return Err(damaged(None, "its checksum does not fit"));
    }
    let wrong =
        |line: usize| move |error: serde_json::Error| damaged(Some(line), &error.to_string());
    let header: Header = serde_json::from_slice(first).map_err(wrong(1))?;
    let mut texts: Vec<Arc<str>> = Vec::new();
    for line in 0..header.texts {
        let text: String =
            serde_json::from_slice(lines.next().unwrap_or_default()).map_err(wrong(line + 2))?;
        texts.push(text.into());
    }
    let line = header.texts + 2;
    let options = serde_json::from_slice(lines.next().unwrap_or_default()).map_err(wrong(line))?;
    let state = lines.next().unwrap_or_default();
    let state =
        numbered(texts, || serde_json::from_slice(state)).map_err(wrong(line + 1)).map(Box::new)?;
    Ok(Snapshot { header, options, state })
}

/// A log while it is read.
pub(super) struct Lines {
    file: BufReader<std::fs::File>,
    path: PathBuf,
    line: usize,
}

/// Opens a log.
pub(super) fn read_log(path: &Path) -> Result<Lines, StateError> {
    let file = BufReader::new(files::open_regular(path)?);
    Ok(Lines { file, path: path.to_owned(), line: 0 })
}

impl Lines {
    /// The next line with its number. None: the end, or a last line that was
    /// not finished.
    pub(super) fn next_line(&mut self) -> Result<Option<(usize, Line)>, StateError> {
        self.line += 1;
        let damaged = |why: &str| StateError::Damaged {
            path: self.path.clone(),
            line: Some(self.line),
            why: why.to_owned(),
        };
        let mut bytes = Vec::new();
        let mut limited = (&mut self.file).take(LINE_MAX);
        limited.read_until(b'\n', &mut bytes).map_err(|error| damaged(&error.to_string()))?;
        if bytes.pop() != Some(b'\n') {
            if bytes.len() as u64 + 1 >= LINE_MAX {
                return Err(damaged("the line is too long"));
            }
            return Ok(None);
        }
        let (check, json) = bytes.split_at(bytes.len().min(CHECK));
        let json = json.strip_prefix(b" ").unwrap_or_default();
        if check != check_of(json).as_bytes() {
            return Err(damaged("its checksum does not fit"));
        }
        let line = serde_json::from_slice(json).map_err(|error| damaged(&error.to_string()))?;
        Ok(Some((self.line, line)))
    }
}
