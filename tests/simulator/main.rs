//! The simulator over a real socket: what a client of HMRC's API sees.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod bench;
mod faults;
mod hours;
mod lifecycle;
mod movements;
mod raw;
mod refusals;
mod state;
mod validation;
