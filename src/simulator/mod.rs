//! The simulator: HMRC's CTC Traders API and NCTS behind it, as an HTTP server
//! on this machine.
//!
//! It is an independent judge of what the rest of the crate sends, so it uses
//! floors 1 to 3 only: never the API client, the engine or the evidence
//! store. The command line and tests may call it.
//!
//! - [`options`]: what can be set, with HMRC's published timers and data;
//! - `serve`, `server`, `state`: sockets; HTTP; everything one simulator knows;
//! - `requests`, `http_errors`, `json`: headers, paths and filters; refusals;
//!   the shapes of answers;
//! - `check`: what the API checks before it hands a message to NCTS;
//! - `store`, `throttle`, `ids`: movements; the rate limit; ids and MRNs;
//! - `ncts` with `departure`, `release`, `arrival` and `movement`: NCTS as a
//!   state machine without clock or HTTP; `transition`: the rules of version 2.0;
//! - `faults`, `wire`: what goes wrong on request, in answers and beneath them;
//! - `persist`, `outside`, `texts`: a state that outlives its process;
//! - `hours`, `validation`: opening hours; HMRC's XSDs;
//! - `officer` and `wish`: reading the mails to HMRC's officers;
//! - `replies` with `consignment`: writing NCTS's messages from the templates
//!   in `templates/replies`.
//!
//! # What it answers
//!
//! Departures and arrivals of versions 2.0, 2.1 and 3.0: submit (XML), list,
//! get, with HMRC's errors. Any bearer token is a trader of its own, except
//! `invalid-token` (401) and `not-subscribed` (403). Endpoints of its own, not
//! HMRC's, without authorisation:
//!
//! | endpoint | |
//! |---|---|
//! | `GET /simulator/health` | that it is up, and its time |
//! | `GET /simulator/log` | every POST to the API with what it was answered, and the faults that struck |
//! | `POST /simulator/mailbox` | a mail to the officers: `{"to","subject","body"}` |
//! | `GET /simulator/mailbox` | the mails and what was done |
//!
//! # What it does not do yet
//!
//! Messages as JSON and uploads of large messages are answered with 501.
//! Push notifications do not exist; incidents en route are taken and passed on
//! to nobody.
//!
//! # Limits
//!
//! Bodies up to 5,000,000 bytes. Movements are dropped 60 days after their
//! last change, and the oldest first when there are more than
//! [`SimulatorOptions::movements_kept`] or they hold more than
//! [`SimulatorOptions::bytes_kept`].

mod arrival;
mod check;
mod consignment;
mod departure;
mod faults;
mod hours;
mod http_errors;
mod ids;
mod json;
mod movement;
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
mod transition;
mod validation;
mod wire;
mod wish;

pub use faults::{FAULTS_MAX, Faults, FaultsError};
pub use hours::OpeningHours;
pub use officer::{NCTS5_MAILBOX, NCTS6_MAILBOX};
pub use options::{ApiVersion, Delays, SimulatorOptions, Timers};
pub use persist::StateError;
pub use serve::{Running, SimulatorError, serve_until, start};
pub use server::Simulator;
