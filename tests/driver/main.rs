//! Evidence from the software under test: a program that knows nothing of
//! ctc-ready sends, made to by a command or by itself.

#![cfg(unix)]
#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod collect;
mod command;
#[path = "../reference/mod.rs"]
#[allow(dead_code, reason = "not every kind is wanted here")]
mod reference;
mod software;
#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "not every kind is wanted here")]
mod support;
