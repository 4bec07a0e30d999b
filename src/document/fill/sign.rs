//! The signature of a form: the one thing that is written only because a
//! person, asked on a terminal, said so.

use chrono::NaiveDate;

use super::{Filled, Filler};
use crate::document::answers::{Answers, SIGNATURE, SIGNATURE_DATE};
use crate::document::body::Body;
use crate::document::error::DocumentError;
use crate::document::form::{Edition, FormDefinition};
use crate::document::package::Package;
use crate::document::recognise::refuse_rehearsal;
use crate::document::write::{Writer, apply};

impl FormDefinition {
    /// Whether it has a place for a signature.
    pub fn is_signed(&self) -> bool {
        let has = |key: &str| self.fields.iter().any(|field| field.key == key);
        has(SIGNATURE) && has(SIGNATURE_DATE)
    }
}

/// Writes the name of who signs, and the day (London), into the form that
/// [`fill`](super::fill()) filled. Whoever calls it has asked that person.
///
/// # Errors
/// A form without a place for a signature; a place that cannot be found with
/// certainty or that says something else; a rehearsal's copy.
pub fn sign(
    filled: &mut Filled,
    form: &FormDefinition,
    name: &str,
    on: NaiveDate,
) -> Result<(), DocumentError> {
    if !form.is_signed() {
        return Err(DocumentError::NoSignature { form: form.title.clone() });
    }
    let mut package = Package::open(&filled.bytes)?;
    let document = package.document();
    let body = Body::parse(document)?;
    refuse_rehearsal(&body)?;
    let answers = Answers::signature(name, on);
    let edition = form.edition(&body).unwrap_or(Edition::Known);
    let writer = Writer { document, prefix: &body.prefix };
    let mut filler = Filler::new(&body, edition, writer, &answers);
    let wanted = |key: &str| key == SIGNATURE || key == SIGNATURE_DATE;
    for field in form.fields.iter().filter(|field| wanted(&field.key)) {
        filler.field(form, field);
    }
    let Filler { splices, out, .. } = filler;
    let left = out.left_for_you.iter().map(|left| format!("{}: {}", left.field, left.why));
    if let Some(why) = out.not_found.iter().cloned().chain(left).next() {
        return Err(DocumentError::CannotSign { why });
    }
    let signed = apply(document, splices).ok_or_else(|| DocumentError::CannotSign {
        why: "name and date would lie in the same place".to_owned(),
    })?;
    Body::parse(&signed)?;
    filled.bytes = package.with_document(&signed)?;
    let fields: Vec<&str> = out.filled.iter().map(|it| it.field.as_str()).collect();
    filled.filled.retain(|it| !fields.contains(&it.field.as_str()));
    filled.left_for_you.retain(|it| !fields.contains(&it.field.as_str()));
    filled.filled.extend(out.filled);
    Ok(())
}
