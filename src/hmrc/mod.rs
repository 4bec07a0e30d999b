//! HMRC's APIs over HTTP: building requests, sending them within one budget,
//! reading answers.
//!
//! - [`transport`]: one call, one attempt, one record; never a hidden retry.
//! - [`pacer`]: the request budget (3 requests a second per application).
//! - [`backoff`]: how long to wait before another attempt.
//! - [`ctc`]: the CTC Traders API: requests and answers as types.
//! - [`hosts`]: which address belongs to which environment.
//!
//! Floor 3: it uses floors 1 and 2. The engine and the command line call it.

pub mod backoff;
pub mod ctc;
pub mod hosts;
pub mod pacer;
pub mod transport;
