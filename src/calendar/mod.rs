//! London time, working days and freshness: pure functions of instants.
//!
//! - [`london`]: London days and times, with daylight saving told, not guessed.
//! - [`holidays`]: bank holidays of England and Wales, working days.
//! - [`hours`]: opening hours: open now, next opening, next closing.
//! - [`freshness`]: until when evidence may be submitted.
//!
//! Floor 1: it uses nothing of this crate. Any floor may call it.

pub mod freshness;
pub mod holidays;
pub mod hours;
pub mod london;
