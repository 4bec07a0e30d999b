//! Which form a document is an edition of.

use super::REHEARSAL_MARK;
use super::body::Body;
use super::error::DocumentError;
use super::form::{Edition, FormDefinition};
use super::package::Package;

/// The form that `bytes` is an edition of, among `forms`: the edition that a
/// form file describes, else the form of whose family it is. Which of the two,
/// [`Filled::edition_known`](super::Filled::edition_known) says.
///
/// # Errors
/// A file that is no safe Word document; none of the forms, or several of
/// them; a copy that a rehearsal filled.
pub fn recognise<'f>(
    bytes: &[u8],
    forms: &'f [FormDefinition],
) -> Result<&'f FormDefinition, DocumentError> {
    let package = Package::open(bytes)?;
    let body = Body::parse(package.document())?;
    let form = form_of(&body, forms)?;
    refuse_rehearsal(&body)?;
    Ok(form)
}

/// The same of a document that is read already, whoever filled it.
pub(super) fn form_of<'f>(
    body: &Body,
    forms: &'f [FormDefinition],
) -> Result<&'f FormDefinition, DocumentError> {
    let of = |wanted: Edition| -> Vec<&'f FormDefinition> {
        forms.iter().filter(|form| form.edition(body) == Some(wanted)).collect()
    };
    let mut found = of(Edition::Known);
    if found.is_empty() {
        // The edition with the most in common.
        let family = of(Edition::Unknown);
        let absent = |form: &&FormDefinition| form.absent(body).len();
        let fewest = family.iter().map(absent).min();
        found = family.into_iter().filter(|form| Some(absent(form)) == fewest).collect();
    }
    match found.as_slice() {
        [form] => Ok(form),
        [] => Err(unknown(body, forms)),
        several => Err(DocumentError::SeveralForms {
            forms: several.iter().map(|form| form.title.clone()).collect(),
        }),
    }
}

fn unknown(body: &Body, forms: &[FormDefinition]) -> DocumentError {
    // Half of the phrases or more: the form all the same, but much changed.
    let near = forms
        .iter()
        .map(|form| (form, form.absent(body)))
        .filter(|(form, absent)| absent.len() * 2 <= form.recognise.len())
        .min_by_key(|(_, absent)| absent.len());
    match near.as_ref().and_then(|(form, absent)| Some((form, absent.first()?))) {
        Some((form, missing)) => {
            DocumentError::OtherEdition { form: form.title.clone(), missing: (*missing).clone() }
        }
        None => DocumentError::UnknownForm {
            known: forms.iter().map(|form| form.title.clone()).collect(),
        },
    }
}

/// A copy that a rehearsal filled must not become a submission.
pub(super) fn refuse_rehearsal(body: &Body) -> Result<(), DocumentError> {
    let marked = body.paragraphs.iter().any(|paragraph| paragraph.text.contains(REHEARSAL_MARK));
    if marked { Err(DocumentError::RehearsalCopy) } else { Ok(()) }
}
