//! The simulator over a real socket: what a client of HMRC's API sees.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod bench;
mod faults;
mod guarantees;
mod hostile;
mod hours;
mod json_messages;
mod lifecycle;
mod movements;
mod oauth;
mod push;
mod raw;
#[path = "../reference/mod.rs"]
mod reference;
mod refusals;
mod state;
mod test_support;
mod test_users;
mod upload;
mod validation;
