//! What HMRC publishes, as data: programmes, their dates and rules, the test
//! scenarios with their steps, the test data, and the forms.
//!
//! Everything is read from `scenarios/`, which is embedded in the binary:
//!
//! ```text
//! scenarios/<programme>/programme.toml   dates, hours, mailbox, API, timers, requirements
//! scenarios/<programme>/data.toml        test data by the data spreadsheet's column names
//! scenarios/<programme>/forms/*.toml     how to recognise a form and where each answer goes
//! scenarios/<folder>/common.toml         what programmes that extend the folder share
//! scenarios/<folder>/data.toml           test data that other data files extend
//! scenarios/<folder>/<anything>.toml     scenarios; the file names the programmes they are valid in
//! ```
//!
//! - [`model`]: the types, which mirror the files.
//! - [`load`]: the catalogue, and looking things up in it.
//! - `read`: reading the files; `check`, `check_scenarios`, `check_steps`: the
//!   one validator, which reports every problem at once.
//! - `twins`: entries that stand for the GB and the XI scenario alike.
//! - `data`: the data spreadsheets' columns, assembled from parts.
//! - `lay`: how those parts are laid over each other.
//! - [`overlay`]: a house's own files laid over the built-in ones.
//! - [`problem`]: what is wrong with them, with its place.
//! - [`requirements`]: the decision matrix: which scenarios a house must run.
//!
//! Floor 2: it uses [`crate::ncts`], [`crate::calendar`] and
//! [`crate::files`]. Floors 3 and up may call it.

mod check;
mod check_scenarios;
mod check_steps;
mod data;
mod lay;
pub mod load;
pub mod model;
pub mod overlay;
pub mod problem;
mod read;
pub mod requirements;
mod twins;

pub use data::Column;
pub use load::{Catalogue, CatalogueFile, Inspection};
pub use model::*;
pub use overlay::OverlayError;
pub use problem::{CatalogueError, Problem};
pub use requirements::{Applicable, Capabilities, RequirementError, applicable};
