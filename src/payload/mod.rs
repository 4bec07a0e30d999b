//! Where a step's message comes from: the house's own file, HMRC's test pack,
//! or the built-in template; always stamped with the run's own values, changed
//! as the step says, and judged by HMRC's schemas where the house has them.
//!
//! - [`source`]: the order of precedence, and the stamped result.
//! - `house`: the house's own files.
//! - [`pack`]: HMRC's test-pack zips, whatever their folders are called.
//! - `built`: the built-in templates and the catalogue's test data.
//! - `fits`: whether a foreign message is the one its step is about.
//! - [`check`]: HMRC's schemas, and what they say.
//! - [`error`]: what can go wrong, with the file it is in.
//!
//! Floor 4: it uses [`crate::ncts`], [`crate::catalogue`] and the schema folder
//! of [`crate::project`]. The engine and the command line may call it.

mod built;
pub mod check;
pub mod error;
mod fits;
mod house;
pub mod pack;
pub mod source;

pub use check::Check;
pub use error::PayloadError;
pub use source::{Payload, Payloads, Sent, Sources};
