//! Planning: what is proven, when the rest must start, who must be there.

#![allow(clippy::unwrap_used, unreachable_pub)]
#![allow(clippy::print_stderr, reason = "tests skip loudly")]

mod calendar_file;
mod cases;
mod held;
mod laws;
#[path = "../reference/mod.rs"]
#[allow(dead_code, reason = "only the skipping is wanted here")]
mod reference;
mod support;
#[path = "../verdict_support/mod.rs"]
mod verdict_support;
mod windows;
