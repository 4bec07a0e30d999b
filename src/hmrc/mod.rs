//! HMRC's APIs over HTTP: building requests, sending them within one budget,
//! reading answers.
//!
//! - [`transport`]: one call, one attempt, one record; never a hidden retry.
//! - [`pacer`]: the request budget (3 requests a second per application).
//! - [`backoff`]: how long to wait before another attempt.
//! - [`api`]: what every API has in common.
//! - [`ctc`]: the CTC Traders API: requests and answers as types.
//! - [`guarantees`]: the Guarantee Balance API, likewise.
//! - [`notifications`]: the Push Pull Notifications API, likewise.
//! - [`oauth`]: tokens: the application's own.
//! - [`health`]: what a harmless request tells of server, token and clock.
//! - [`uploads`]: large messages: where to upload them, and how.
//! - [`test_support`]: the sandbox's own API, which files messages on demand.
//! - [`hosts`]: which address belongs to which environment.
//!
//! Floor 4: it uses floors 1 to 3. The engine and the command line may call it;
//! the simulator never does.

pub mod api;
pub mod backoff;
pub mod ctc;
pub mod guarantees;
pub mod health;
pub mod hosts;
pub mod notifications;
pub mod oauth;
pub mod pacer;
pub mod test_support;
pub mod transport;
pub mod uploads;
