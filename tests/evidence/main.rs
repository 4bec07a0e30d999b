//! The evidence store from outside: sessions, tampering, secrets, reading.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod bundle;
mod bundle_hostile;
mod bundle_support;
mod fold;
mod keeping;
mod keys;
mod sessions;
mod support;
mod tamper;
