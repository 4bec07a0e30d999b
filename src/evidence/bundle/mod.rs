//! The bundle: one file to send, with the form, the verdict, the whole store
//! and a signed list of all of it.
//!
//! ```text
//! submission-ncts5-final.zip
//!   DRAFT.txt | REHEARSAL.txt   in a bundle that is no submission
//!   README.txt                  what this is, how to look, how to check
//!   bundle.dsse.json            signed statement: the digest of every other file
//!   bundle.json                 the same unsigned, in its place; only with a mark
//!   checklist.docx              the form; `checklist-DRAFT.docx` and the like with a mark
//!   checklist-annex.docx        the form's annex, where it is HMRC's; likewise with a mark
//!   evidence/…                  the store without lock, tmp and salt
//!   index.html                  the evidence for people
//!   signing-key.pem             the public key, where there is a signature
//!   verdict.json                as `gate --format json`
//! ```
//!
//! - `names`: what may lie in a bundle, and how large it may be.
//! - `zip`: the one form in which a list of files is a zip.
//! - [`mod@write`]: making one, in bounded memory.
//! - [`read`]: opening one that anybody may have made.
//! - [`statement`]: what is signed.
//! - `judged`: what a verdict says, and whether the evidence says the same.
//! - [`check`]: everything that `verify` finds in a bundle, packed or unpacked.
//!
//! `docs/evidence-format.md`, "Bundles", has it exactly. Part of
//! [`crate::evidence`]; floors 5 and up may call it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod check;
mod judged;
mod names;
pub mod read;
pub mod statement;
pub mod write;
mod zip;

pub use check::{BundleSummary, VerifiedBundle, is_bundle, verify_bundle};
pub use write::{Papers, Plan, Written};

/// What this is, how to look and how to check.
pub const README: &str = "README.txt";
/// The evidence for people.
pub const PAGE: &str = "index.html";
/// What the gate said.
pub const VERDICT: &str = "verdict.json";
/// The public key.
pub const KEY: &str = "signing-key.pem";
/// The signed statement.
pub const SIGNED: &str = "bundle.dsse.json";
/// The statement where nobody signs.
pub const UNSIGNED: &str = "bundle.json";
/// The store's folder.
pub const STORE: &str = "evidence";

/// Every mark that there is, and none.
const MARKS: [Option<Mark>; 3] = [None, Some(Mark::Draft), Some(Mark::Rehearsal)];

/// The form in a bundle with this mark.
pub fn checklist(mark: Option<Mark>) -> &'static str {
    mark.map_or("checklist.docx", Mark::checklist)
}

/// The annex of the form in a bundle with this mark.
pub fn annex(mark: Option<Mark>) -> &'static str {
    mark.map_or("checklist-annex.docx", Mark::annex)
}

/// Says of a bundle that it is no submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mark {
    /// Packed although the gate found errors, or to be looked at first.
    Draft,
    /// Simulated evidence was let count.
    Rehearsal,
}

impl Mark {
    /// `DRAFT`, `REHEARSAL`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Rehearsal => "REHEARSAL",
        }
    }

    /// The file that says so to whoever looks at the names alone.
    pub fn file(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT.txt",
            Self::Rehearsal => "REHEARSAL.txt",
        }
    }

    /// The form of such a bundle. It may be HMRC's own document, which nothing
    /// but answers is written into, so its name says what it is worth.
    pub fn checklist(self) -> &'static str {
        match self {
            Self::Draft => "checklist-DRAFT.docx",
            Self::Rehearsal => "checklist-REHEARSAL.docx",
        }
    }

    /// The form's annex in such a bundle.
    pub fn annex(self) -> &'static str {
        match self {
            Self::Draft => "checklist-DRAFT-annex.docx",
            Self::Rehearsal => "checklist-REHEARSAL-annex.docx",
        }
    }

    /// What that file says.
    pub fn text(self) -> &'static str {
        match self {
            Self::Draft => {
                "DRAFT: this bundle is not a submission. It was packed to be looked at, whatever\n\
                 the verdict in verdict.json says.\n"
            }
            Self::Rehearsal => {
                "REHEARSAL: this bundle is not a submission. Evidence in it may come from a\n\
                 simulator, which proves nothing to HMRC.\n"
            }
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
