//! A document of ours as text, to be looked at before anything is written.
//!
//! - `html`: one page that needs nothing but a browser.
//! - `markdown`: for a terminal, a pull request, an issue.
//!
//! Both show every value as nothing but text, whoever wrote it.
//!
//! Part of [`crate::document`]; the command line may call it.

mod html;
mod markdown;

use super::error::DocumentError;
use super::own::sheet::Sheet;

/// What a preview is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preview {
    /// One self-contained page.
    Html,
    /// GitHub's and GitLab's flavours of Markdown.
    Markdown,
}

/// Writes a preview. The same sheet yields the same text.
pub(super) fn write(sheet: &Sheet, how: Preview) -> Result<String, DocumentError> {
    match how {
        Preview::Html => html::write(sheet),
        Preview::Markdown => Ok(markdown::write(sheet)),
    }
}
