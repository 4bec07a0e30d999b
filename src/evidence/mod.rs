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
//!   seals/<n>.dsse.json          signed statements over all of the above
//!   seals/<n>.tsr                time stamps over the seals
//!   lock, tmp/, salt             not evidence
//! ```
//!
//! `docs/evidence-format.md` has it exactly, for who writes a checker.
//!
//! - [`event`]: what a journal line says (the stored types).
//! - [`record`]: what a run amounts to (the read model, folded from events).
//! - [`clocks`]: what its clocks say of each other.
//! - [`mod@format`]: file names, limits, the other stored types.
//! - [`chain`]: lines: canonical JSON, `seq`, `prev`, `hash`.
//! - [`index`]: which runs there are.
//! - [`redact`]: secrets become salted digests, once, at capture.
//! - [`leak`]: the last look before anything leaves.
//! - [`store`]: reading. [`writer`]: locking, appending. `repair`: making a
//!   store, mending what a crash left.
//! - [`seal`]: keys, signed statements, time stamps.
//! - [`mod@prune`]: removing runs that stand for nothing, disclosed for good.
//! - [`mod@verify`]: finding any change, with its place, in a [`tree`]: a folder,
//!   or what lies in a bundle.
//! - [`bundle`]: one file to send, with everything in it.
//! - [`error`]: what can go wrong.
//!
//! Floor 4: it uses [`crate::clock`], [`crate::files`], [`crate::digest`],
//! [`crate::ncts`] and the vocabulary of floors 2 and 3. Floors 5 and up
//! may call it; the simulator never does.

pub mod bundle;
pub mod chain;
pub mod clocks;
pub mod error;
pub mod event;
pub mod format;
pub mod index;
pub mod leak;
pub mod prune;
pub mod record;
pub mod redact;
mod repair;
pub mod seal;
pub mod store;
pub mod tree;
pub mod verify;
pub mod writer;

#[cfg(test)]
mod crash_tests;

pub use clocks::{ClockChange, Clocks};
pub use error::EvidenceError;
pub use event::*;
pub use record::*;
pub use redact::Redactor;
pub use store::{Store, in_use};
pub use verify::{
    Depth, Problem, SealReport, Survey, TimeStampReport, Trust, VerifyReport, survey, verify,
    verify_with,
};
pub use writer::{Durability, RunWriter, Sealed, StoreWriter};
