//! Judging: requirements x evidence x calendar. Pure functions of what they
//! are given; no file, clock or network.
//!
//! - [`model`]: what judging yields.
//! - [`case`]: what is judged.
//! - [`mod@judge`]: status and verdict.
//! - `docket`: the case with what is looked up often.
//! - `standing`: which run stands for a requirement, and what speaks against
//!   one.
//! - `findings`: what there is to say: of evidence, store and house.
//! - `waivers`: what the house lets pass, and waivers nobody needs.
//! - [`mod@credentials`]: what credentials held leave to be proven, and whether
//!   a further application is needed.
//! - `dates`: phases, lead times, dates nobody has published.
//! - [`rules`]: the named rules, each with a line of description;
//!   [`mod@explain`]: what there is to say about each.
//! - [`mod@plan`]: what applies, what is proven, and when the rest must start.
//!
//! Floor 6: it uses floors 1 to 5, of the engine only when a run may begin.
//! The command line may call it, and [`crate::document`] uses its results.

pub mod case;
pub mod credentials;
mod dates;
mod docket;
pub mod explain;
mod findings;
pub mod judge;
pub mod model;
pub mod plan;
pub mod rules;
mod standing;
mod waivers;

pub use case::{Case, Need, day_judged};
pub use credentials::{capabilities, needs, nothing_left};
pub use dates::{is_open, usual};
pub use judge::{judge, status};
pub use model::*;
pub use plan::{Plan, PlanCase, plan};
