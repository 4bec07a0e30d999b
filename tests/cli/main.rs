//! The real binary, as its users call it: ordinary ones, careless ones and
//! hostile ones. Nothing here talks to anything beyond this machine.

#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod contract;
mod crash;
mod evidence;
mod input;
mod reading;
#[path = "../reference/mod.rs"]
mod reference;
mod refusals;
mod story;
mod support;
mod together;
