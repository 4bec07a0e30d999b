//! Finding the one paragraph that a label begins, in a known edition of a form
//! or in one that nobody has described.
//!
//! An unknown edition may count its questions anew, change capitals and put a
//! box before a statement or behind it: none of that is compared there. What
//! is asked is, and a label that fits two places fits none.

use super::body::{Body, CROSSED_BOX, EMPTY_BOX, Paragraph, Placed, TICKED_BOX, plain};
use super::form::{Edition, Field, Section};
use super::locate::NotFound;

/// The boxes that stand in text (U+2610 to U+2612).
pub(super) fn is_box(c: char) -> bool {
    matches!(c, EMPTY_BOX | CROSSED_BOX | TICKED_BOX)
}

/// More characters than any label has.
const LONGEST_LABEL: usize = 500;

/// Looks for labels in a document.
pub(super) struct Finder<'a> {
    /// The document.
    pub(super) body: &'a Body,
    /// Every paragraph's text as an unknown edition is compared; none in a
    /// known edition.
    loose: Option<Vec<Loose>>,
}

/// A text as an unknown edition is compared.
#[derive(Default)]
struct Loose {
    /// With the number it begins with.
    numbered: String,
    /// Without it.
    bare: String,
}

/// What to look for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The label in the known edition; normalised.
    pub(super) label: &'a str,
    also: &'a [String],
    numbered: bool,
}

impl<'a> From<&'a Field> for Wanted<'a> {
    fn from(field: &'a Field) -> Self {
        Self { label: &field.label, also: &field.also, numbered: field.numbered }
    }
}

impl<'a> From<&'a Section> for Wanted<'a> {
    fn from(section: &'a Section) -> Self {
        Self { label: &section.table, also: &section.also, numbered: section.numbered }
    }
}

impl Wanted<'_> {
    /// The wordings that an unknown edition may use.
    fn loosened(&self) -> Vec<String> {
        std::iter::once(self.label)
            .chain(self.also.iter().map(String::as_str))
            .map(|text| text_of(&loosen(text.chars().enumerate(), self.numbered)))
            .filter(|text| !text.is_empty())
            .collect()
    }
}

impl<'a> Finder<'a> {
    /// Looks in `body`, a document of this edition.
    pub(super) fn new(body: &'a Body, edition: Edition) -> Self {
        let loosened = |paragraph: &Paragraph| {
            let text = |numbered| text_of(&loosen(paragraph.text.chars().enumerate(), numbered));
            if paragraph.text.is_empty() {
                Loose::default()
            } else {
                Loose { numbered: text(true), bare: text(false) }
            }
        };
        let loose =
            (edition == Edition::Unknown).then(|| body.paragraphs.iter().map(loosened).collect());
        Self { body, loose }
    }

    /// Whether the edition is unknown, so that a field may be laid out in
    /// another way than its description says.
    pub(super) fn is_loose(&self) -> bool {
        self.loose.is_some()
    }

    /// The paragraphs in which to look, with their indexes.
    pub(super) fn scope(
        &self,
        section: Option<&Section>,
    ) -> Result<Vec<(usize, &'a Paragraph)>, NotFound> {
        let all = self.body.paragraphs.iter().enumerate();
        let Some(section) = section else { return Ok(all.collect()) };
        let in_tables: Vec<(usize, &Paragraph)> =
            all.clone().filter(|(_, paragraph)| !paragraph.tables.is_empty()).collect();
        let title = self.only(&in_tables, section.into())?;
        let table = self.body.paragraphs.get(title).and_then(|paragraph| paragraph.tables.last());
        Ok(all
            .filter(|(_, paragraph)| table.is_some_and(|table| paragraph.tables.contains(table)))
            .collect())
    }

    /// The one paragraph of `scope` that begins with what is wanted.
    pub(super) fn only(
        &self,
        scope: &[(usize, &Paragraph)],
        wanted: Wanted<'_>,
    ) -> Result<usize, NotFound> {
        match &self.loose {
            None => {
                only(scope, wanted.label, |_, paragraph| paragraph.text.starts_with(wanted.label))
            }
            Some(loose) => {
                let wordings = wanted.loosened();
                only(scope, wanted.label, |index, _| {
                    loose.get(index).is_some_and(|loose| {
                        let text = if wanted.numbered { &loose.numbered } else { &loose.bare };
                        wordings.iter().any(|wording| begins(text, wording))
                    })
                })
            }
        }
    }

    /// The index after the label in a paragraph that begins with it. White
    /// space in the label stands for any amount of it.
    pub(super) fn label_end(&self, chars: &[Placed], wanted: Wanted<'_>) -> Option<usize> {
        if !self.is_loose() {
            return label_end(chars, wanted.label);
        }
        let text = loosen(chars.iter().map(|placed| placed.c).enumerate(), wanted.numbered);
        let whole = text_of(&text);
        let longest = wanted.loosened().into_iter().filter(|wording| begins(&whole, wording));
        let length = longest.map(|wording| wording.chars().count()).max()?;
        text.get(length.checked_sub(1)?).map(|(at, _)| at + 1)
    }
}

/// The one paragraph that `fits`.
pub(super) fn only(
    scope: &[(usize, &Paragraph)],
    label: &str,
    fits: impl Fn(usize, &Paragraph) -> bool,
) -> Result<usize, NotFound> {
    let mut found = scope.iter().filter(|(index, paragraph)| fits(*index, paragraph));
    let Some((index, _)) = found.next() else { return Err(missing(label)) };
    match found.count() {
        0 => Ok(*index),
        more => Err(NotFound(format!(
            "`{label}` occurs {} times, so that it is not certain which is meant",
            more + 1
        ))),
    }
}

/// That a label is not there.
pub(super) fn missing(label: &str) -> NotFound {
    NotFound(format!("`{label}` does not occur where it should"))
}

/// Whether `text` begins with `label`, and not in the middle of a word or a
/// number: 5000 is not 50000.
fn begins(text: &str, label: &str) -> bool {
    text.strip_prefix(label).is_some_and(|rest| {
        !label.ends_with(char::is_alphanumeric) || !rest.starts_with(char::is_alphanumeric)
    })
}

/// `text` as an unknown edition is compared, with whatever index each of its
/// characters has: spaces collapsed, small letters, no box in front. Not
/// `numbered`: without the number that it begins with, and without that number
/// where a later word repeats it (as in `3. Test 3`).
fn loosen(text: impl Iterator<Item = (usize, char)>, numbered: bool) -> Vec<(usize, char)> {
    let mut words: Vec<Vec<(usize, char)>> = vec![Vec::new()];
    for (at, c) in text.skip_while(|(_, c)| c.is_whitespace() || is_box(*c)) {
        match words.last_mut() {
            Some(word) if !c.is_whitespace() => {
                word.extend(plain(c).to_lowercase().map(|c| (at, c)));
            }
            Some(word) if !word.is_empty() => words.push(Vec::new()),
            _ => {}
        }
    }
    let own = words.first_mut().filter(|_| !numbered).and_then(|first| {
        let (number, length) = ordinal(&text_of(first))?;
        first.drain(..length);
        Some(number)
    });
    let mut out: Vec<(usize, char)> = Vec::new();
    for word in words {
        let is_own = own.as_ref().is_some_and(|own| text_of(&word) == *own);
        // A colon may stand apart from its label.
        let Some((at, c)) = word.first().copied().filter(|_| !is_own) else { continue };
        if !out.is_empty() && c != ':' {
            out.push((at, ' '));
        }
        out.extend(word);
    }
    out
}

/// `text` as an unknown edition is compared, without the number that counts it.
pub(super) fn bare(text: &str) -> String {
    text_of(&loosen(text.chars().enumerate(), false))
}

/// Whether a paragraph begins with the label of `field`, in any wording.
pub(super) fn begins_field(text: &str, field: &Field) -> bool {
    let wanted = Wanted::from(field);
    let begin = text.chars().take(LONGEST_LABEL).enumerate();
    let text = text_of(&loosen(begin, wanted.numbered));
    wanted.loosened().iter().any(|wording| begins(&text, wording))
}

fn text_of(chars: &[(usize, char)]) -> String {
    chars.iter().map(|(_, c)| *c).collect()
}

/// The number that counts a question (`3.`, `3)`, `(3)`, `2.1.`, `a)`) at the
/// beginning of a word, and how many characters it takes.
fn ordinal(word: &str) -> Option<(String, usize)> {
    let inner = word.strip_prefix('(').unwrap_or(word);
    let is_of_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut number: String = inner.chars().take_while(|c| is_of_number(*c)).collect();
    if number.is_empty() {
        number = inner.chars().take(1).filter(char::is_ascii_lowercase).collect();
    }
    let rest = inner.get(number.len()..)?;
    let closed = rest.chars().take_while(|c| matches!(c, ')' | ':')).count();
    if number.is_empty() || number.len() > 8 || (closed == 0 && !number.ends_with('.')) {
        return None;
    }
    let length = word.len() - rest.len() + closed;
    Some((number.trim_end_matches('.').to_owned(), length))
}

/// The index after the label in a paragraph that begins with it, word by word.
fn label_end(chars: &[Placed], label: &str) -> Option<usize> {
    let mut at = chars.iter().position(|placed| !placed.c.is_whitespace())?;
    for (number, word) in label.split(' ').enumerate() {
        if number > 0 {
            let space = chars.get(at..)?.iter().take_while(|p| p.c.is_whitespace()).count();
            if space == 0 {
                return None;
            }
            at += space;
        }
        for c in word.chars() {
            if plain(chars.get(at)?.c) != c {
                return None;
            }
            at += 1;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose(text: &str, numbered: bool) -> String {
        text_of(&loosen(text.chars().enumerate(), numbered))
    }

    #[test]
    fn what_counts_questions_is_not_compared() {
        for text in ["3. Test 3 – Arrivals", "(12) TEST - 12 arrivals", "☐ 2.1. Test – Arrivals"]
        {
            assert_eq!(loose(text, false), "test - arrivals", "{text}");
        }
        for text in ["a) Name:", "1)Name :", "7: name:", "name:"] {
            assert_eq!(loose(text, false), "name:", "{text}");
        }
    }

    #[test]
    fn what_is_asked_is_compared() {
        // A number that does not count the question is part of it.
        assert_eq!(loose("2. More than 5000", false), "more than 5000");
        assert_eq!(loose("2. More than 5000", true), "2. more than 5000");
        assert_eq!(loose("2026 figures", false), "2026 figures");
        assert_eq!(loose("A name", false), "a name");
        assert!(begins("more than 5000?", "more than 5000"));
        assert!(!begins("more than 50000", "more than 5000"));
        assert!(begins("name: x", "name:"));
    }
}
