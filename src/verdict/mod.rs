//! Judging: requirements x evidence x calendar. Pure functions of what they
//! are given; no file, clock or network.
//!
//! - [`model`]: what judging yields.
//! - [`judge`]: status and verdict.
//! - [`rules`]: the named rules, each with a line of description.
//! - [`plan`]: what applies, and when it must start.
//!
//! Floor 5: it uses floors 1 to 3. The command line calls it, and
//! [`crate::document`] uses its results.

pub mod judge;
pub mod model;
pub mod plan;
pub mod rules;

pub use model::*;
