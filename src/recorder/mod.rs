//! Evidence from the software under test itself, as it works: a reverse proxy
//! between it and HMRC's environment, and files of what it did.
//!
//! - [`Recorder`]: the proxy. Its parts: `proxy` (passing on), `tap` (an answer
//!   copied while it streams), `upstream` (the connection to the environment),
//!   `route` (what an address names), `secrets` (tokens learnt on sight),
//!   `wire` (what the proxy tells the ledger).
//! - `ledger`: what passed by becomes evidence, and is judged as any run is. Its
//!   parts: `run` (one run), `opens` (which run a first message belongs to),
//!   `asked` (messages that were fetched), `judge` (what comes next), `doubt` (a
//!   message whose answer was lost).
//! - [`recognise`]: which scenario the software is at.
//! - [`assign`]: the scenario of a run, said later.
//! - [`import`]: a file of what the software did; `har`: reading one.
//! - `text`: bodies as they are read and kept.
//!
//! Two threads: one passes on and writes nothing; the other writes, and the
//! first waits for it only before a message leaves.
//!
//! Floor 6: it uses floors 1 to 5. The command line may call it; the simulator
//! never does.

mod asked;
pub mod assign;
mod doubt;
pub mod har;
pub mod import;
mod judge;
mod ledger;
mod opens;
mod proxy;
pub mod recognise;
mod record;
mod route;
mod run;
mod secrets;
mod tap;
mod text;
mod upstream;
mod wire;

pub use proxy::bind;
pub use record::{Options, RecordError, Recorded, Recorder};
