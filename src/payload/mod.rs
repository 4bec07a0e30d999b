//! Where a step's message comes from: the house's own file, HMRC's test pack,
//! or the built-in template; always stamped with the run's own values.
//!
//! - [`pack`]: HMRC's test-pack zips, whatever their folders are called.
//! - [`source`]: the order of precedence, and the stamped result.
//!
//! Floor 3: it uses [`crate::ncts`] and [`crate::catalogue`]. The engine and
//! the command line call it.

pub mod pack;
pub mod source;
