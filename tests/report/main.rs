//! Reports: valid by the schemas that others published for their formats,
//! whatever a server, a user or a disk put into the evidence.
//! `INSTA_UPDATE=always cargo test --test report` accepts changed words.

#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod formats;
mod hostile;
mod published;
#[path = "../reference/mod.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod reference;
#[path = "../evidence/support.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod support;
mod tale;
