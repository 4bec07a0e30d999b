//! Seals: signed statements over the whole set, so that a run that was removed,
//! added or reordered shows, and so that nobody can write the store anew.
//!
//! - [`keys`]: the folder with the key that signs; making, replacing it.
//! - [`dsse`]: the signed envelope.
//! - [`statement`]: what is signed: an in-toto Statement with the test-result
//!   predicate; [`merkle`]: its root over index and journals.
//! - [`mod@check`]: one seal against the index as it was when it was made.
//! - [`time_stamp`]: RFC 3161: asking, reading, checking; `der`: the encoding.
//!
//! `docs/evidence-format.md`, "Seals", has it exactly. Called by the rest of
//! [`crate::evidence`] and, through it, by floors 5 and up.

pub mod check;
mod der;
pub mod dsse;
pub mod keys;
pub mod merkle;
pub mod statement;
pub mod time_stamp;

pub use dsse::{DsseError, Envelope};
pub use keys::{KeyError, KeyRing, PublicKey};
pub use statement::{Predicate, SealedRun, Statement, Subject};
pub use time_stamp::{Authorities, TimeStamp, TimeStampError};
