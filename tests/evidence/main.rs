//! The evidence store from outside: sessions, tampering, secrets, reading.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod clocks;
mod fold;
mod keeping;
mod prune;
mod sessions;
mod support;
mod tamper;
