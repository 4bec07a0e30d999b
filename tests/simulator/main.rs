//! The simulator over a real socket: what a client of HMRC's API sees.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod bench;
mod guarantees;
mod hostile;
mod json_messages;
mod lifecycle;
mod movements;
mod oauth;
mod push;
#[path = "../reference/mod.rs"]
mod reference;
mod refusals;
mod test_support;
mod test_users;
mod upload;
