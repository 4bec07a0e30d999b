//! The exit codes: public and stable.

/// Done, or ready.
pub const DONE: u8 = 0;
/// Judged and found wanting: not ready, a scenario failed, verification failed.
pub const WANTING: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// A settings or input file is missing or wrong.
pub const INPUT: u8 = 3;
/// The environment or the network failed.
pub const ENVIRONMENT: u8 = 4;
/// Waiting for a person or a timer: the same command goes on later.
pub const WAITING: u8 = 5;
/// A bug in ctc-ready.
pub const BUG: u8 = 70;
