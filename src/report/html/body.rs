//! Stored bodies as the page shows them: to read, and to the byte. Called by
//! the rest of `report::html`.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::pretty::pretty;
use super::text::{fitting, thousands};
use crate::digest::Digest;
use crate::evidence::{ObjectRef, Store};
use crate::report::text::unplaced;

/// Bytes of HTML that one body's text takes at most.
const MAX_TEXT: usize = 256 << 10;
/// Largest body whose exact bytes are in the page.
const MAX_EXACT: u64 = 1 << 20;
/// Largest picture in the page.
const MAX_IMAGE: u64 = 3 << 20;
/// What stands around a body, in bytes of HTML.
const AROUND: usize = 1500;

/// A body, or where else it is.
#[derive(Debug, Serialize)]
pub(super) struct Body {
    /// SHA-256 of what is stored.
    digest: String,
    /// Its size, with its unit.
    size: String,
    media: String,
    redacted: bool,
    /// Its file.
    path: String,
    /// Set where it is shown here; `id` is its digest.
    here: Option<Shown>,
    /// Why it is not shown anywhere.
    left_out: Option<String>,
}

/// What is shown of a body.
#[derive(Debug, Serialize)]
struct Shown {
    text: Option<String>,
    /// What the reader must know about that text.
    notes: Vec<String>,
    /// A picture, as a data URI.
    image: Option<String>,
    /// The exact bytes, as a data URI, and a name for them.
    exact: Option<(String, String)>,
}

/// The bodies of a store as the page goes through them: each is shown once,
/// and pointed to from then on.
pub(super) struct Shelf<'a> {
    store: &'a Store,
    prefix: &'a str,
    /// Those for which there is room.
    room: BTreeSet<Digest>,
    placed: BTreeSet<Digest>,
    /// Those that cannot be read, with why.
    unreadable: BTreeMap<Digest, String>,
}

/// Bytes of HTML that a body takes at most.
pub(super) fn cost(object: &ObjectRef) -> usize {
    let bytes = usize::try_from(object.bytes).unwrap_or(usize::MAX);
    let exact = if object.bytes <= MAX_EXACT || is_picture(object) { bytes / 3 * 4 + 4 } else { 0 };
    text_room(bytes).saturating_add(exact).saturating_add(AROUND)
}

/// Bytes of HTML that the text of a body of this size may take. Only one that
/// is mostly markup is cut for it.
fn text_room(bytes: usize) -> usize {
    bytes.saturating_mul(4).saturating_add(512).min(MAX_TEXT)
}

impl<'a> Shelf<'a> {
    /// `prefix`: where the store lies, ending with `/`.
    pub(super) fn new(store: &'a Store, prefix: &'a str, room: BTreeSet<Digest>) -> Self {
        Self { store, prefix, room, placed: BTreeSet::new(), unreadable: BTreeMap::new() }
    }

    /// A body of an exchange: text, whatever it is.
    pub(super) fn body(&mut self, object: &ObjectRef) -> Body {
        self.take(object, false)
    }

    /// A file that the user gave: text, a picture, or named only.
    pub(super) fn attachment(&mut self, object: &ObjectRef) -> Body {
        self.take(object, true)
    }

    fn take(&mut self, object: &ObjectRef, attached: bool) -> Body {
        let digest = object.sha256.to_string();
        let (folder, rest) = digest.split_at(2);
        let mut body = Body {
            size: format!("{} bytes", thousands(object.bytes)),
            media: object.media_type.clone().unwrap_or_default(),
            redacted: object.redacted,
            path: format!("{}objects/{folder}/{rest}", self.prefix),
            here: None,
            left_out: None,
            digest,
        };
        if self.placed.contains(&object.sha256) {
            return body;
        }
        if let Some(why) = self.unreadable.get(&object.sha256) {
            body.left_out = Some(why.clone());
        } else if !self.room.contains(&object.sha256) {
            body.left_out = Some("left out to keep the page small enough for a browser".into());
        } else {
            match self.store.object(object) {
                Ok(bytes) => {
                    self.placed.insert(object.sha256);
                    body.here = Some(Shown::new(object, &bytes, attached));
                }
                Err(error) => {
                    let why = unplaced(&error.to_string(), self.store, self.prefix);
                    let why = format!("it cannot be read: {}", why.replace('`', ""));
                    self.unreadable.insert(object.sha256, why.clone());
                    body.left_out = Some(why);
                }
            }
        }
        body
    }
}

impl Shown {
    fn new(object: &ObjectRef, bytes: &[u8], attached: bool) -> Self {
        let picture = attached.then(|| picture(bytes)).flatten();
        if let Some((media, _)) = picture
            && object.bytes <= MAX_IMAGE
        {
            let image = Some(data_uri(media, bytes));
            return Self { text: None, notes: Vec::new(), image, exact: None };
        }
        let mut notes = Vec::new();
        let text = match std::str::from_utf8(bytes) {
            _ if bytes.is_empty() => None,
            Ok(text) => Some(laid_out(text, bytes.len(), &mut notes)),
            Err(_) if attached => {
                notes.push("not text: save it to look at it".to_owned());
                None
            }
            Err(_) => {
                notes.push("not UTF-8: what cannot be read as text is shown as \u{fffd}".into());
                let start = bytes.get(..MAX_TEXT).unwrap_or(bytes);
                let text = String::from_utf8_lossy(start);
                Some(cut(&text, bytes.len(), &mut notes))
            }
        };
        let exact = (0 < object.bytes && object.bytes <= MAX_EXACT).then(|| {
            let extension = picture.map_or_else(|| extension(bytes), |(_, extension)| extension);
            let name = object.sha256.to_string();
            let name = format!("{}.{extension}", name.get(..16).unwrap_or(&name));
            (data_uri("application/octet-stream", bytes), name)
        });
        if exact.is_none() && !bytes.is_empty() {
            notes.push("too large to have its exact bytes in this page".into());
        }
        Self { text, notes, image: None, exact }
    }
}

/// Text to read, at most as much as was reckoned with.
fn laid_out(text: &str, bytes: usize, notes: &mut Vec<String>) -> String {
    let room = text_room(bytes);
    if bytes <= MAX_TEXT
        && let Some(pretty) = pretty(text)
        && fitting(&pretty, room).len() == pretty.len()
    {
        if pretty != text {
            notes.push("laid out for reading; the exact bytes are beside it".into());
        }
        return pretty;
    }
    cut(text, bytes, notes)
}

fn cut(text: &str, bytes: usize, notes: &mut Vec<String>) -> String {
    let kept = fitting(text, text_room(bytes));
    if kept.len() < bytes {
        let (kept, bytes) = (thousands(kept.len() as u64), thousands(bytes as u64));
        notes.push(format!("cut: the first {kept} of {bytes} bytes are shown"));
    }
    kept.to_owned()
}

fn data_uri(media: &str, bytes: &[u8]) -> String {
    format!("data:{media};base64,{}", STANDARD.encode(bytes))
}

/// The kind of picture that the bytes are, by their first ones; only kinds
/// that are pictures and nothing else.
fn picture(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    Some(match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => ("image/png", "png"),
        [0xff, 0xd8, 0xff, ..] => ("image/jpeg", "jpg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => ("image/gif", "gif"),
        _ if webp => ("image/webp", "webp"),
        _ => return None,
    })
}

fn is_picture(object: &ObjectRef) -> bool {
    let image = object.media_type.as_deref().is_some_and(|media| media.starts_with("image/"));
    image && object.bytes <= MAX_IMAGE
}

/// What the bytes look like: a name that opens them as text, never as a page.
fn extension(bytes: &[u8]) -> &'static str {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'{' | b'[') => "json",
        Some(b'<')
            if bytes.windows(4).take(4096).any(|four| four == b":CC0" || four == b":CC1") =>
        {
            "xml"
        }
        Some(b'%') if bytes.starts_with(b"%PDF-") => "pdf",
        _ if std::str::from_utf8(bytes).is_ok() => "txt",
        _ => "bin",
    }
}
