//! Running scenarios: what to do next, and doing it.
//!
//! - [`state`]: what has happened in a run, folded from its journal alone, so
//!   that a resumed run is the same run.
//! - [`decide`]: the pure core: state and instant in, next action out. Its
//!   parts: [`progress`] (what messages mean for the steps), `wait` and `due`
//!   (messages that are awaited), `balance` (questions for balances).
//! - [`hours`]: whether that can be done now: opening hours, windows, follow-ups.
//! - [`explain`]: why a run failed, in words; `pointer`: where an error leads.
//! - [`tempo`]: how fast the environment's timers run, and how often to ask.
//! - [`mail`]: the e-mails to HMRC's officers.
//! - [`batch`]: the shell: performs actions of many runs under one request
//!   budget and appends what happened to the evidence. Its parts: `turns`
//!   (whose turn it is), `act` (what a run does next), `rehearse` (every message
//!   once before any is sent), `answer` (what an answer means for the run that
//!   asked), `ask` (balances of guarantees), `looks` (news: one list for every
//!   run), `end` (a run's end).
//! - [`sandbox`]: what a run needs where replies are injected (pure); `inject`:
//!   having them injected.
//! - [`large`]: what a run needs whose message goes as a file (pure); `upload`:
//!   announcing and uploading it.
//! - [`command`]: the user's command that makes the software send; `software`:
//!   what a run needs whose messages the software sends (pure); `adopt`: having
//!   them sent, finding them, and taking them into the evidence; [`find`]: the
//!   movements that it made by itself.
//! - `pull`: news from boxes of notifications instead. Its parts: `boxes` (what
//!   is known of a box), `notified` (messages fetched and notifications
//!   acknowledged), `token` (the application's).
//! - `slot`: one run inside a batch; `urgency`: whose call leaves first;
//!   `budget`: whether it may; `bearer`: with which token.
//! - [`exchange`]: one call with its record; [`reading`]: what it keeps of a
//!   message's text.
//! - [`report`]: what a batch tells whoever watches, and the JSON of `run`.
//!
//! Floor 5: it uses floors 1 to 4. The recorder, the floors above it and the
//! command line may call it; the simulator never does.

mod act;
mod adopt;
mod answer;
mod ask;
mod balance;
pub mod batch;
mod bearer;
mod boxes;
mod budget;
pub mod command;
pub mod decide;
mod due;
pub mod end;
pub mod exchange;
pub mod explain;
pub mod find;
pub mod hours;
mod inject;
pub mod large;
mod looks;
pub mod mail;
mod notified;
mod pointer;
pub mod progress;
mod pull;
pub mod reading;
mod rehearse;
pub mod report;
pub mod sandbox;
mod slot;
mod software;
pub mod state;
pub mod tempo;
mod token;
mod turns;
mod upload;
mod urgency;
mod wait;

pub use answer::is_permanent;
pub use batch::{Batch, BatchError, Outcome};
pub use decide::waiting_for;
pub use report::{HeldBack, RunReport, RunView, Watcher};
