//! A house's project: the folder with `ctc-ready.toml`, what the file says,
//! and where the evidence lies.
//!
//! - [`settings`]: the settings as the rest of the program uses them.
//! - [`locate`]: finding the project's folder and reading its file; every
//!   problem names file, line and field.
//! - [`write`]: writing a new, commented `ctc-ready.toml`.
//!
//! Floor 2: it uses [`crate::catalogue`]'s vocabulary types alone. Floors 3
//! and up may call it.

pub mod locate;
pub mod settings;
pub mod write;

pub use settings::*;
