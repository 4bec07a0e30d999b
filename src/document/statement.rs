//! What a box of a form has its signer state, word for word, so that an answer
//! given for one wording is never put to another.
//!
//! HMRC's words are not kept here, only their SHA-256: that of the statement's
//! paragraph and of those that go on with it, in small letters, white space
//! collapsed, dashes and quotation marks by kind, without boxes and without the
//! numbers that count them ([`digest`]).

use super::body::Paragraph;
use super::boxes::statement_at;
use super::form::{Field, FieldKind, FormDefinition};
use super::label::{Finder, bare, begins_field, is_box};
use crate::digest::Digest;

/// Most paragraphs looked at: no statement has as many, and one that goes on
/// has other words than are known anyway.
const MAX_PARAGRAPHS: usize = 50;

/// The digest of a statement, one line for each of its paragraphs: what a form
/// file gives as `states`.
pub fn digest(text: &str) -> Digest {
    let lines: Vec<String> =
        text.lines().map(without_boxes).filter(|line| !line.is_empty()).collect();
    Digest::of(lines.join(" ").as_bytes())
}

/// The text of the statement to which a box belongs, a line for each paragraph;
/// none where `field` is no such box, or is not found. It ends before a blank
/// paragraph, another box, another field, and the end of its cell.
pub(super) fn statement(
    finder: &Finder<'_>,
    form: &FormDefinition,
    field: &Field,
) -> Option<String> {
    if field.kind != FieldKind::Tick {
        return None;
    }
    let scope = finder.scope(field.section.as_ref()).ok()?;
    let first = statement_at(finder, &scope, field.into()).ok()?;
    let paragraphs = &finder.body.paragraphs;
    let own = paragraphs.get(first)?;
    let goes_on = |next: &&Paragraph| {
        next.cell == own.cell
            && !next.text.is_empty()
            && !next.text.contains(is_box)
            && !form.fields.iter().any(|other| begins_field(&next.text, other))
    };
    let following = paragraphs.iter().skip(first + 1).take(MAX_PARAGRAPHS).take_while(goes_on);
    let lines: Vec<&str> =
        std::iter::once(own).chain(following).map(|paragraph| paragraph.text.as_str()).collect();
    Some(lines.join("\n"))
}

/// The digest of the statement that stands in a form, where it is another one
/// than `field` is described with.
pub(super) fn reworded(
    finder: &Finder<'_>,
    form: &FormDefinition,
    field: &Field,
) -> Option<Digest> {
    let found = digest(&statement(finder, form, field)?);
    (field.states != Some(found)).then_some(found)
}

fn without_boxes(line: &str) -> String {
    bare(&line.replace(is_box, " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stated_counts_and_nothing_else() {
        let same = digest("We have read the “Terms of use” - all of them\nand the schemas");
        for text in [
            "☐ 1) We have read the \"Terms of use\" – all of them\nand the schemas",
            "(7) WE HAVE  READ\u{a0}the \"terms of use\" - all of them ☒\n\n and the Schemas ",
        ] {
            assert_eq!(digest(text), same, "{text}");
        }
        for text in [
            "We have read the \"Terms of use\" - all of them",
            "We have not read the \"Terms of use\" - all of them\nand the schemas",
            "We have read the \"Terms of use\" - all of them\nand the schemas\nand the rules",
        ] {
            assert_ne!(digest(text), same, "{text}");
        }
    }
}
