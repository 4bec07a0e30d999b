//! File names, limits and stored types of format 1, other than events. Stored
//! types may gain optional fields, never lose or rename one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event::{ObjectRef, RunId, RunState};
use crate::digest::Digest;
use crate::project::Environment;

/// The format this version writes, and the newest it reads.
pub const FORMAT: u32 = 1;
/// Largest object, in bytes. HMRC's API takes messages of a few megabytes.
pub const MAX_OBJECT: u64 = 64 << 20;
/// Largest journal or index, in bytes: what can be written can be read back.
pub const MAX_JOURNAL: u64 = 1 << 30;
/// Largest seal, in bytes: tens of thousands of runs.
pub const MAX_SEAL: u64 = 64 << 20;
/// Largest time stamp, in bytes; they have a few thousand.
pub const MAX_TIME_STAMP: u64 = 1 << 20;
/// Largest `store.json`, in bytes.
pub const MAX_DESCRIPTION: u64 = 64 << 10;

/// The store's own description.
pub const STORE_JSON: &str = "store.json";
/// The chain of runs opened and closed.
pub const INDEX: &str = "index.jsonl";
/// One folder for each run.
pub const RUNS: &str = "runs";
/// The journal in a run's folder.
pub const JOURNAL: &str = "journal.jsonl";
/// Bodies.
pub const OBJECTS: &str = "objects";
/// Signed statements over the store, and time stamps over them.
pub const SEALS: &str = "seals";
/// Held by the process that writes; no evidence.
pub const LOCK: &str = "lock";
/// Half-made files; no evidence.
pub const TMP: &str = "tmp";
/// The secret salt of redaction; no evidence, and never given away with it:
/// whoever has it can try guesses at what was redacted.
pub const SALT: &str = "salt";

/// Where everything lies.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the store in this folder.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The store's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `store.json`.
    pub fn description(&self) -> PathBuf {
        self.root.join(STORE_JSON)
    }

    /// `index.jsonl`.
    pub fn index(&self) -> PathBuf {
        self.root.join(INDEX)
    }

    /// `runs`.
    pub fn runs(&self) -> PathBuf {
        self.root.join(RUNS)
    }

    /// `runs/<run>`.
    pub fn run(&self, run: RunId) -> PathBuf {
        self.runs().join(run.to_string())
    }

    /// `runs/<run>/journal.jsonl`.
    pub fn journal(&self, run: RunId) -> PathBuf {
        self.run(run).join(JOURNAL)
    }

    /// `objects`.
    pub fn objects(&self) -> PathBuf {
        self.root.join(OBJECTS)
    }

    /// `objects/ab/cdef…`.
    pub fn object(&self, sha256: Digest) -> PathBuf {
        let name = sha256.to_string();
        let (folder, rest) = name.split_at(2);
        self.objects().join(folder).join(rest)
    }

    /// `seals`.
    pub fn seals(&self) -> PathBuf {
        self.root.join(SEALS)
    }

    /// `seals/<n>.dsse.json`.
    pub fn seal(&self, number: u64) -> PathBuf {
        self.seals().join(seal_name(number))
    }

    /// `seals/<n>.tsr`.
    pub fn time_stamp(&self, number: u64) -> PathBuf {
        self.seals().join(time_stamp_name(number))
    }

    /// `lock`.
    pub fn lock(&self) -> PathBuf {
        self.root.join(LOCK)
    }

    /// `tmp`.
    pub fn tmp(&self) -> PathBuf {
        self.root.join(TMP)
    }

    /// `salt`.
    pub fn salt(&self) -> PathBuf {
        self.root.join(SALT)
    }
}

/// `runs/<run>/journal.jsonl`, as index lines and problems name it.
pub fn journal_name(run: RunId) -> String {
    format!("{RUNS}/{run}/{JOURNAL}")
}

/// `<n>.dsse.json`: a seal's file.
pub fn seal_name(number: u64) -> String {
    format!("{number}.dsse.json")
}

/// `<n>.tsr`: the time stamp over a seal's file.
pub fn time_stamp_name(number: u64) -> String {
    format!("{number}.tsr")
}

/// `seals/<n>.dsse.json`, as problems name it.
pub fn seal_place(number: u64) -> String {
    format!("{SEALS}/{}", seal_name(number))
}

/// `seals/<n>.tsr`, as problems name it.
pub fn time_stamp_place(number: u64) -> String {
    format!("{SEALS}/{}", time_stamp_name(number))
}

/// A run's id from its folder's name; only the one spelling that is written.
pub fn run_of_folder(name: &str) -> Option<RunId> {
    name.parse::<Uuid>().ok().filter(|run| run.to_string() == name)
}

/// `store.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Always the first thing looked at.
    pub format: u32,
    /// The store's id.
    pub store: Uuid,
    /// When it was made, RFC 3339, UTC, milliseconds.
    pub created: String,
    /// `ctc-ready` and its version, which made it.
    pub tool: String,
}

/// A line of the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum IndexEvent {
    /// First line.
    StoreCreated {
        /// The store's id.
        store: Uuid,
        /// SHA-256 of `store.json`.
        store_json: Digest,
    },
    /// A run opened: its journal with its first line is on disk.
    RunOpened {
        /// The run.
        run: RunId,
        /// `ncts5-final`.
        programme: String,
        /// `DSGB1`.
        scenario: String,
        /// Where its messages go.
        environment: Environment,
        /// 1 for the first attempt.
        attempt: u32,
        /// Hash of the journal's first line.
        first: Digest,
    },
    /// An open run that was of no scenario is one's attempt from here on: its
    /// journal says so.
    RunAssigned {
        /// The run.
        run: RunId,
        /// `ncts5-final`.
        programme: String,
        /// `DSGB1`.
        scenario: String,
        /// 1 for the first attempt.
        attempt: u32,
    },
    /// A run closed: nothing is added to its journal from here on.
    RunClosed {
        /// The run.
        run: RunId,
        /// How it ended.
        state: RunState,
        /// Lines in its journal.
        lines: u64,
        /// Hash of the journal's last line.
        head: Digest,
    },
    /// A half-written last line that a crash left was cut off.
    Repaired {
        /// `index.jsonl` or `runs/<run>/journal.jsonl`.
        file: String,
        /// Bytes left.
        length: u64,
        /// Bytes cut off.
        cut_bytes: u64,
    },
    /// Objects that no line refers to, left by a crash or by a run that was
    /// removed, were removed.
    ObjectsRemoved {
        /// Their names.
        objects: Vec<Digest>,
    },
    /// A closed run is removed at the user's wish. It stays disclosed: that it
    /// was, and how it ended.
    RunRemoved {
        /// The run.
        run: RunId,
        /// Why, in the user's words.
        reason: String,
    },
    /// A key signs from here on.
    KeyAdded {
        /// Its fingerprint: SHA-256 of the DER of its SubjectPublicKeyInfo
        /// (RFC 8410).
        key: Digest,
        /// The 32 bytes of the Ed25519 public key, Base64 (RFC 4648, section 4).
        public: String,
        /// The key it takes over from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Digest>,
        /// That key's signature over the takeover, Base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endorsement: Option<String>,
    },
    /// A seal is on disk.
    Sealed {
        /// Its number, from 1, without gaps.
        seal: u64,
        /// SHA-256 of its file.
        sha256: Digest,
        /// The key that signed it.
        key: Digest,
    },
    /// A time stamp over a seal is on disk.
    TimeStamped {
        /// The seal's number.
        seal: u64,
        /// SHA-256 of the time stamp's file.
        sha256: Digest,
    },
}

/// What the lock file says while a process holds the lock. Empty once it ended
/// cleanly.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// When it took the lock, RFC 3339.
    pub started: String,
    /// `ctc-ready` and its version.
    pub tool: String,
}

/// Hands every object reference in a line's members to `each`: a JSON object,
/// at whatever depth, with a digest in `sha256` and a count in `bytes`. By
/// shape rather than by name, so that a checker also sees references in fields
/// and kinds that were added after it was written.
pub fn object_refs(value: &serde_json::Value, each: &mut impl FnMut(Digest, u64)) {
    use serde_json::Value;
    match value {
        Value::Array(items) => items.iter().for_each(|item| object_refs(item, each)),
        Value::Object(members) => {
            let digest = members.get("sha256").and_then(Value::as_str).map(str::parse);
            let bytes = members.get("bytes").and_then(Value::as_u64);
            if let (Some(Ok(digest)), Some(bytes)) = (digest, bytes) {
                each(digest, bytes);
            }
            members.values().for_each(|member| object_refs(member, each));
        }
        _ => {}
    }
}

/// A reference to `stored`, which redaction changed or not.
pub fn object_ref(stored: &[u8], redacted: bool, media_type: Option<&str>) -> ObjectRef {
    ObjectRef {
        sha256: Digest::of(stored),
        bytes: stored.len() as u64,
        media_type: media_type.map(str::to_owned),
        redacted,
    }
}
