//! The evidence store: an append-only, hash-chained record of every attempt.
//!
//! On disk (format 1):
//!
//! ```text
//! evidence/
//!   store.json                   format, store id, created
//!   index.jsonl                  chained: a line when a run opens and when it closes
//!   runs/<uuidv7>/journal.jsonl  chained events of one run
//!   objects/ab/cdef…             bodies, named by the SHA-256 of what is stored
//! ```
//!
//! - [`event`]: what a journal line says (the stored types).
//! - [`record`]: what a run amounts to (the read model, folded from events).
//! - [`chain`]: lines: canonical JSON, `seq`, `prev`, `hash`.
//! - [`redact`]: secrets become salted digests, once, at capture.
//! - [`store`]: opening, locking, appending, reading.
//! - [`verify`]: finding any change, with its place.
//!
//! Floor 3: it uses [`crate::clock`], [`crate::files`], [`crate::digest`],
//! [`crate::ncts`] and the vocabulary of floor 2. Floors 4 and up may call it.

pub mod chain;
pub mod event;
pub mod record;
pub mod redact;
pub mod store;
pub mod verify;

pub use event::*;
pub use record::*;
pub use redact::Redactor;
pub use store::{Durability, EvidenceError, RunWriter, Store, StoreWriter, in_use};
pub use verify::{Problem, SealReport, VerifyReport, verify};
