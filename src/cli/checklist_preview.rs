//! `checklist --preview`: what would stand in the document, and nothing written.

use chrono::{DateTime, Utc};

use super::args::PreviewFormat;
use super::checklist::{Order, fill_form, judged};
use super::context::{Context, Desk, Evidence};
use super::evidence;
use super::exit;
use super::failure::Failure;
use crate::document::{Preview, own};

/// Prints it.
pub(super) fn run(
    context: &mut Context,
    desk: &Desk,
    found: &Evidence,
    order: &Order<'_>,
    as_of: DateTime<Utc>,
    how: PreviewFormat,
) -> Result<u8, Failure> {
    let judged = judged(desk, found, order, as_of)?;
    let form = match &order.form {
        Some(path) => Some(fill_form(desk, path, &judged.answers)?),
        None => None,
    };
    let name = order.file_name();
    let form = form.as_ref().map(|form| form.read(&name));
    let how = match how {
        PreviewFormat::Html => Preview::Html,
        PreviewFormat::Markdown => Preview::Markdown,
    };
    let text = own::preview(&judged.dossier(desk, found, order), form.as_ref(), how)?;
    let store = desk.project.evidence_dir();
    evidence::leave(context, &store, "the preview", text.as_bytes())?;
    Ok(exit::DONE)
}
