//! The evidence store from outside: sessions, tampering, secrets, reading.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

#[path = "../authority/mod.rs"]
mod authority;
mod bundle;
mod bundle_hostile;
mod bundle_support;
mod clocks;
mod fold;
mod keeping;
mod keys;
mod prune;
#[path = "../random/mod.rs"]
mod random;
mod random_changes;
#[path = "../reference/mod.rs"]
#[allow(dead_code, reason = "only its loud skips are used")]
mod reference;
mod seals;
mod sessions;
mod support;
mod tamper;
mod time_stamps;
