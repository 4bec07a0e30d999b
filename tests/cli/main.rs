//! The real binary, as its users call it: ordinary ones, careless ones and
//! hostile ones. Nothing here talks to anything beyond this machine.

#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod annex;
mod answered;
#[path = "../authority/mod.rs"]
#[allow(dead_code, reason = "not every kind is wanted here")]
mod authority;
mod canary;
mod checking;
mod contract;
mod credentials;
mod doctor;
mod events;
mod evidence;
mod exports;
mod gate;
mod input;
mod message;
mod pack;
mod person;
mod planning;
mod prune;
mod pulling;
mod query;
mod reading;
#[path = "../reference/mod.rs"]
mod reference;
mod refusals;
#[path = "../schema_of/mod.rs"]
mod schema_of;
mod seal;
mod signing_in;
mod simulate;
mod story;
mod submission;
mod support;
mod together;
mod traders;
mod unsent;
