//! A house's project: the folder with `ctc-ready.toml`, what the file says,
//! and where the evidence lies.
//!
//! - [`settings`]: the settings as the rest of the program uses them.
//! - [`credentials`]: production credentials held, versions in use, changed
//!   documentation.
//! - [`policy`]: what the gate lets count; [`waivers`]: what it lets pass.
//! - [`parse`]: reading the file's text; every problem names file, line and
//!   field, and no secret is ever repeated.
//! - `check`, `check_credentials`: what types cannot say; all problems at once.
//! - [`questions`]: the form's questions that only the house can answer.
//! - [`before`]: what HMRC wants done before a house starts.
//! - [`traders`]: the data of the traders served, in a file of their own.
//! - [`network`]: signing in, and the way to HMRC.
//! - [`locate`]: finding the project's folder and reading its file.
//! - [`mod@write`]: writing a new, commented `ctc-ready.toml`; [`answer`]:
//!   writing one answer into one that is there.
//! - [`xsd`]: HMRC's schemas in the folder that the settings name.
//!
//! Floor 3: it uses [`crate::calendar`], [`crate::files`], [`crate::digest`],
//! [`crate::ncts`]' schemas, and of [`crate::catalogue`] the vocabulary types
//! and the versions there are.
//! Floors 4 and up may call it.

pub mod answer;
pub mod before;
mod check;
mod check_credentials;
pub mod credentials;
mod day;
pub mod locate;
pub mod network;
pub mod parse;
pub mod policy;
pub mod questions;
pub mod settings;
pub mod traders;
pub mod waivers;
pub mod write;
pub mod xsd;

pub use locate::{FILE_NAME, Project, ProjectError};
pub use network::{AuthSettings, NetworkSettings};
pub use parse::{SettingsError, SettingsProblem};
pub use settings::*;
pub use xsd::{SchemaSet, XsdError, XsdFolder};
