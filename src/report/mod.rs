//! Reports: the evidence and the verdict as other people's tools want them.
//! Pure functions of one tree of results ([`model::Dossier`]), a file or folder
//! for each format.
//!
//! - [`model`]: what every format is made of, read from the store once.
//! - [`html`]: one self-contained page for people.
//!
//! Floor 7: it uses floors 1 to 6, never [`crate::document`] beside it. The
//! command line may call it. It opens files only through
//! [`crate::evidence::Store`], and prints nothing.

pub mod html;
pub mod model;

pub use html::{PageError, PageOptions};
pub use model::{Dossier, Exchange, Outcome, RunStory};
