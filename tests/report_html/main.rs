//! The evidence as one HTML page: what it says, that it holds together, and
//! that nothing on it does anything.

#![allow(clippy::unwrap_used)]

mod checks;
mod hostile;
mod story;
mod support;
