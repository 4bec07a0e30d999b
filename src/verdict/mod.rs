//! Judging: requirements x evidence x calendar. Pure functions of what they
//! are given; no file, clock or network.
//!
//! - [`model`]: what judging yields.
//! - [`case`]: what is judged.
//! - [`mod@judge`]: status and verdict.
//! - `standing`: which run stands for a requirement, and what speaks against
//!   one.
//! - `house`: what the form needs and only the house can say.
//! - `dates`: phases, lead times, dates nobody has published.
//! - [`rules`]: the named rules, each with a line of description.
//! - [`mod@plan`]: what applies, what is proven, and when the rest must start.
//!
//! Floor 6: it uses floors 1 to 5, of the engine only when a run may begin. The command line may call it, and
//! [`crate::document`] uses its results.

pub mod case;
mod dates;
mod house;
pub mod judge;
pub mod model;
pub mod plan;
pub mod rules;
mod standing;

pub use case::{Case, Need};
pub use judge::{judge, status};
pub use model::*;
pub use plan::{Plan, PlanCase, plan};
