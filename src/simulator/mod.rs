//! The simulator: HMRC's CTC Traders API and NCTS behind it, as an HTTP server
//! on this machine.
//!
//! It is an independent judge of what the rest of the crate sends, so it uses
//! floors 1 to 3 only: never the API client, the engine or the evidence
//! store. The command line and tests may call it.
//!
//! - [`options`]: what can be set, with HMRC's published timers and data;
//! - `serve`, `server`, `apis`: sockets; HTTP; a file for each API;
//! - `requests`, `http_errors`, `json`: headers, paths and filters; refusals;
//!   the shapes of answers;
//! - `check`: what the API checks before it hands a message to NCTS;
//! - `from_json`, `to_json`, `words`: messages in JSON; the names of elements;
//! - `state`, `intake`: everything one simulator knows, without HTTP and clock,
//!   and how messages come into it. Its parts: `store`
//!   (movements), `grants` (sign-in), `users`, `boxes` (notifications),
//!   `uploads`, `balances` (locks), `throttle`, `ids`;
//! - `callbacks`: pushing notifications; `multipart`: forms;
//! - `ncts` with `departure`, `release`, `arrival` and `movement`: NCTS as a
//!   state machine without clock or HTTP; `transition`: the rules of version 2.0;
//! - `faults`, `wire`: what goes wrong on request, in answers and beneath them;
//! - `persist`, `outside`, `texts`: a state that outlives its process;
//! - `hours`, `validation`: opening hours; HMRC's XSDs;
//! - `officer` and `wish`: reading the mails to HMRC's officers;
//! - `replies` with `consignment`: writing NCTS's messages from the templates
//!   in `templates/replies`; `inject`: random ones for the test-support API.
//!
//! # What it answers
//!
//! The CTC Traders API 2.0, 2.1 and 3.0 with its test-support API, OAuth 2.0,
//! Create Test User, push-pull notifications and guarantee balances.
//! `docs/simulator.md` lists the endpoints, its own among them, and where it
//! departs from HMRC. A bearer token that it did not issue is a trader and an
//! application of its own with every scope, except `invalid-token` (401) and
//! `not-subscribed` (403).
//!
//! # What it does not do yet
//!
//! Incidents en route are taken and passed on to nobody.
//!
//! # Limits
//!
//! Bodies up to 5,000,000 bytes, files of large messages up to 20,000,000.
//! Movements are dropped 60 days after their
//! last change, and the oldest first when there are more than
//! [`SimulatorOptions::movements_kept`] or they hold more than
//! [`SimulatorOptions::bytes_kept`].

mod apis;
mod arrival;
mod balances;
mod boxes;
mod callbacks;
mod check;
mod consignment;
mod departure;
mod faults;
mod from_json;
mod grants;
mod hours;
mod http_errors;
mod ids;
mod inject;
mod intake;
mod json;
mod movement;
mod multipart;
mod ncts;
mod officer;
pub mod options;
mod outside;
mod persist;
mod release;
mod replies;
mod requests;
mod serve;
mod server;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod texts;
mod throttle;
mod to_json;
mod transition;
mod uploads;
mod users;
mod validation;
mod wire;
mod wish;
mod words;

pub use faults::{FAULTS_MAX, Faults, FaultsError};
pub use hours::OpeningHours;
pub use officer::{NCTS5_MAILBOX, NCTS6_MAILBOX};
pub use options::{ApiVersion, Application, Delays, GuaranteeBalance, SimulatorOptions, Timers};
pub use persist::StateError;
pub use serve::{Running, SimulatorError, serve_until, start};
pub use server::Simulator;
