//! Documents: HMRC's Word forms filled in place, and ctc-ready's own document
//! for programmes that have no form.
//!
//! - [`answers`]: settings and evidence become answers by key, and for every
//!   key without one the reason.
//! - [`form`]: how an edition of a form is recognised and where answers go,
//!   read from `scenarios/<programme>/forms/*.toml`.
//! - [`mod@fill`]: writes the answers into a form that [`recognise()`] knows, be
//!   it an edition described in a form file or another of its family.
//! - [`mod@check`]: a filled form read back, and compared with evidence and
//!   settings.
//! - [`own`]: a document of our own, with the answers and the evidence behind
//!   them; without the answers it is the annex to a form.
//! - [`preview`]: both as text, before anything is written.
//! - [`statement`]: what a box states, word for word, as a digest.
//! - [`open`]: the questions that nothing answers yet.
//! - [`submission`]: what is said to HMRC when a form goes in.
//! - [`report`]: the JSON of `checklist` and `checklist --check`.
//!
//! Under them, private: `package` (the zip), `body` and `parse` (the document's
//! paragraphs with byte offsets), `label`, `locate` and `boxes` (a field's
//! place), `times` (times as people write them), `write` (pieces
//! of WordprocessingML), `paper` (the looks of our own document; `order`: its
//! properties as the standard orders them).
//!
//! A form is HMRC's document: everything but the answers stays as it was, byte
//! for byte. Nothing here ticks a statement that the settings do not make, and
//! only [`sign()`], which is called for a person who was asked, signs.
//!
//! Floor 7: it uses floors 1 to 6, and no file, clock or network: bytes and
//! values in, bytes out. The command line may call it.

pub mod answers;
mod body;
mod boxes;
pub mod check;
mod error;
pub mod fill;
pub mod form;
mod label;
mod locate;
pub mod open;
mod order;
pub mod own;
mod package;
mod paper;
mod parse;
pub mod preview;
mod recognise;
pub mod report;
pub mod statement;
pub mod submission;
mod times;
mod write;

pub use answers::{Answer, Answers, Choice, Source, Value, collect};
pub use check::{FilledForm, check};
pub use error::DocumentError;
pub use fill::sign::sign;
pub use fill::{Filled, FilledField, LeftField, fill};
pub use form::{Edition, FormDefinition, FormProblem, forms};
pub use open::{AnswerKind, OpenQuestion, open_questions};
pub use preview::Preview;
pub use recognise::recognise;
pub use report::{CheckFinding, CheckReport, ChecklistReport};

/// The words that mark a document as a rehearsal, on every output of one.
pub const REHEARSAL_MARK: &str = "REHEARSAL: NOT FOR SUBMISSION";

/// The words at the top of ctc-ready's own document where it is made to be
/// looked at. HMRC's form has no place for them: its name says so.
pub const DRAFT_MARK: &str = "DRAFT: NOT FOR SUBMISSION";
