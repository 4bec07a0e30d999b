//! `ctc-ready`: prove to HMRC that customs-transit software is ready for the
//! CTC Traders API.
//!
//! The library is built in floors; a module may use only the floors below its
//! own. `docs/architecture.md` has the whole picture and
//! `tests/architecture.rs` checks it.
//!
//! | floor | modules |
//! |---|---|
//! | 1 | [`clock`], [`files`], [`digest`], [`eml`], [`foreign`], [`calendar`], [`ncts`] |
//! | 2 | [`catalogue`] |
//! | 3 | [`project`] |
//! | 4 | [`evidence`], [`hmrc`], [`payload`] |
//! | 5 | [`engine`], [`simulator`] |
//! | 6 | [`recorder`], [`verdict`] |
//! | 7 | [`document`], [`report`] |
//! | 8 | [`cli`] |

pub mod calendar;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod digest;
pub mod document;
pub mod eml;
pub mod engine;
pub mod evidence;
pub mod files;
pub mod foreign;
pub mod hmrc;
pub mod ncts;
pub mod payload;
pub mod project;
pub mod recorder;
pub mod report;
pub mod simulator;
pub mod verdict;
