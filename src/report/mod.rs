//! Reports: the evidence and the verdict as other people's tools want them.
//! Pure functions of one tree of results ([`model::Dossier`]), a file or folder
//! for each format. The same dossier and store yield the same bytes.
//!
//! - [`model`]: what every format is made of, read from the store once.
//! - [`json`]: the evidence as JSON; [`view`]: a run in it.
//! - [`junit`]: requirements and scenarios as test cases, for CI servers.
//! - [`har`]: HTTP Archive 1.2, for browser tools.
//! - [`html`]: one self-contained page for people.
//! - [`markdown`]: the summary of a CI job.
//! - [`mod@query`]: one run that went wrong, for HMRC's support.
//! - [`mod@timeline`]: what happened in a run, in plain words.
//! - `bodies`: which bodies a report holds; `text`: places and times in words.
//!
//! Floor 7: it uses floors 1 to 6, never [`crate::document`] beside it. The
//! command line may call it. It opens files only through
//! [`crate::evidence::Store`], and prints nothing.

mod bodies;
pub mod har;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod model;
pub mod query;
mod text;
pub mod timeline;
pub mod view;

pub use bodies::{LeftOut, MAX_BODIES, MAX_BODY};
pub use html::{PageError, PageOptions};
pub use model::{Dossier, Exchange, OnlyIndexed, Outcome, RunStory, attempts};
pub use timeline::{Moment, timeline};

/// `ctc-ready` and its version, which writes reports.
const TOOL: &str = concat!("ctc-ready ", env!("CARGO_PKG_VERSION"));

/// A report that could not be written: a bug, whatever the evidence holds.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// JSON.
    #[error("the JSON cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// XML.
    #[error("the XML cannot be written: {0}")]
    Xml(#[from] quick_junit::SerializeError),
}

/// JSON for people and programs: indented, with a line feed at its end.
fn pretty(document: &impl serde::Serialize) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(document)?;
    bytes.push(b'\n');
    Ok(bytes)
}
