//! The recorder between software that knows nothing of it and an environment
//! that does not either: HMRC's simulator, or a server that does what a test
//! tells it to.

#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod between;
mod files;
mod later;
mod lost;
mod passing;
mod played;
#[path = "../reference/mod.rs"]
#[allow(dead_code, reason = "nothing of HMRC's is needed here")]
mod reference;
#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "not everything is wanted here")]
mod support;
