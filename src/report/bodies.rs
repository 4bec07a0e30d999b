//! Bodies inside a report: as many as a report should hold, each only up to a
//! size; what is left out says why.

use schemars::JsonSchema;
use serde::Serialize;

use crate::evidence::{ObjectRef, Store};

/// Largest body that a report holds, in bytes. Messages have a few kilobytes.
pub const MAX_BODY: u64 = 1 << 20;

/// Most bytes of bodies that a report holds, all of them together: browsers and
/// parsers read a report whole.
pub const MAX_BODIES: u64 = 64 << 20;

/// Why a body is not in a report. The store has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// It is no text in UTF-8.
    NoText,
    /// It alone is larger than a mebibyte (2^20 bytes).
    TooLarge,
    /// The bodies before it have 64 mebibytes together.
    NoRoom,
    /// It is missing, or was changed.
    Unreadable,
}

impl LeftOut {
    /// In words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::NoText => "left out: it is no text in UTF-8",
            Self::TooLarge => "left out: it is larger than 1 MiB",
            Self::NoRoom => "left out: the bodies before it have 64 MiB together",
            Self::Unreadable => "left out: it is missing from the store, or was changed",
        }
    }
}

/// The bodies of one report, in the order in which it asks for them.
pub(super) struct Bodies<'a> {
    store: &'a Store,
    room: u64,
}

impl<'a> Bodies<'a> {
    pub(super) fn of(store: &'a Store) -> Self {
        Self { store, room: MAX_BODIES }
    }

    /// A body, as stored.
    ///
    /// # Errors
    /// Why the report goes without it.
    pub(super) fn bytes(&mut self, object: &ObjectRef) -> Result<Vec<u8>, LeftOut> {
        if object.bytes > MAX_BODY {
            return Err(LeftOut::TooLarge);
        }
        let left = self.room.checked_sub(object.bytes).ok_or(LeftOut::NoRoom)?;
        let bytes = self.store.object(object).map_err(|_| LeftOut::Unreadable)?;
        self.room = left;
        Ok(bytes)
    }

    /// A body that is text.
    ///
    /// # Errors
    /// Why the report goes without it.
    pub(super) fn text(&mut self, object: &ObjectRef) -> Result<String, LeftOut> {
        String::from_utf8(self.bytes(object)?).map_err(|_| LeftOut::NoText)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;
    use crate::evidence::StoreWriter;
    use crate::evidence::format::{Layout, object_ref};

    #[test]
    fn a_report_holds_bodies_until_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("evidence");
        let store = StoreWriter::open(&dir, Arc::new(SystemClock::new()), "test").unwrap();
        let put = |bytes: &[u8]| {
            let object = object_ref(bytes, false, None);
            let path = Layout::new(&dir).object(object.sha256);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
            object
        };
        let (text, binary) = (put(b"text"), put(b"\xff\xfe"));
        let store = store.read().unwrap();
        let mut bodies = Bodies { store: &store, room: 11 };
        assert_eq!(bodies.text(&text), Ok("text".to_owned()));
        assert_eq!(bodies.text(&binary), Err(LeftOut::NoText));
        assert_eq!(bodies.bytes(&binary), Ok(b"\xff\xfe".to_vec()));
        // What is not there takes no room.
        let gone = object_ref(b"xyz", false, None);
        assert_eq!(bodies.bytes(&gone), Err(LeftOut::Unreadable));
        assert_eq!(bodies.text(&text), Err(LeftOut::NoRoom));
        let lies = ObjectRef { bytes: MAX_BODY + 1, ..text };
        assert_eq!(bodies.text(&lies), Err(LeftOut::TooLarge));
    }
}
