//! Seals: signed statements over the whole set, so that a run that was removed,
//! added or reordered shows, and so that nobody can write the store anew.
//!
//! - [`keys`]: the folder with the key that signs; making, replacing it.
//! - [`dsse`]: the signed envelope.
//! - [`statement`]: what is signed: an in-toto Statement with the test-result
//!   predicate.
//!
//! `docs/evidence-format.md`, "Seals", has it exactly. Called by the rest of
//! [`crate::evidence`] and, through it, by floors 5 and up.

pub mod dsse;
pub mod keys;
pub mod statement;

pub use dsse::{DsseError, Envelope};
pub use keys::{KeyError, KeyRing, PublicKey};
pub use statement::{Predicate, SealedRun, Statement, Subject};
