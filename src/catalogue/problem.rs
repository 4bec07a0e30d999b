//! What is wrong with catalogue files, with its place.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

/// One problem of a catalogue file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path inside `scenarios/`.
    pub file: String,
    /// Line and column, from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => {
                write!(f, "{}:{line}:{column}: {}", self.file, self.message)
            }
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Catalogue files that cannot be used: every problem at once.
#[derive(Clone, Debug, thiserror::Error)]
pub struct CatalogueError {
    /// At least one, ordered by file and place.
    pub problems: Vec<Problem>,
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "the catalogue has {count} problem{}", if count == 1 { "" } else { "s" })?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// A step on the way to a value in a TOML document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    /// A table's key.
    Name(&'a str),
    /// An array's element.
    At(usize),
}

/// A file and the problems found in it so far.
#[derive(Clone, Debug)]
pub(super) struct Source {
    file: String,
    text: String,
    /// Whether every element was read: only then do indices tell places.
    whole: bool,
}

/// Most problems reported for one file: whoever sees a hundred needs no more.
const PROBLEMS_LIMIT: usize = 100;

impl Source {
    pub(super) fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into(), whole: true }
    }

    /// A problem at the deepest part of `path` that exists in the file. The
    /// text is parsed again for it: places cost nothing while all is well.
    pub(super) fn problem(&self, path: &[Key<'_>], message: impl Into<String>) -> Problem {
        let known = path.iter().take_while(|key| self.whole || matches!(key, Key::Name(_)));
        let path: Vec<Key<'_>> = known.copied().collect();
        let place = DeTable::parse(&self.text)
            .ok()
            .and_then(|table| span_of(table.get_ref(), &path))
            .map(|span| place(&self.text, span.start));
        Problem { file: self.file.clone(), place, message: message.into() }
    }

    /// Reads the file as a `T`. Every unknown field is reported, and besides
    /// the first other error of each element of the file's top-level arrays;
    /// elements with errors are left out. None when nothing could be read.
    pub(super) fn read<T: DeserializeOwned>(&mut self, problems: &mut Vec<Problem>) -> Option<T> {
        let (mut table, errors) = DeTable::parse_recoverable(&self.text);
        if !errors.is_empty() {
            problems.extend(errors.iter().take(PROBLEMS_LIMIT).map(|e| self.parser_problem(e)));
            return None;
        }
        let mut whole = true;
        for _ in 0..PROBLEMS_LIMIT {
            let error = match T::deserialize(Deserializer::from(table.clone())) {
                Ok(value) => {
                    drop(table);
                    self.whole = whole;
                    return Some(value);
                }
                Err(error) => error,
            };
            problems.push(self.parser_problem(&error));
            let span = error.span()?;
            let removed = if error.message().starts_with("unknown field") {
                remove_key(table.get_mut(), &span)
            } else {
                whole = false;
                remove_element(table.get_mut(), &span)
            };
            if !removed {
                return None;
            }
        }
        None
    }

    fn parser_problem(&self, error: &toml::de::Error) -> Problem {
        Problem {
            file: self.file.clone(),
            place: error.span().map(|span| place(&self.text, span.start)),
            message: error.message().to_owned(),
        }
    }
}

/// Line and column, from 1, of a byte offset; the column counts characters.
pub(crate) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

fn span_of(table: &DeTable<'_>, path: &[Key<'_>]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let Key::Name(name) = first else { return None };
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    Some(span_in(value, rest).unwrap_or_else(|| key.span()))
}

fn span_in(value: &Spanned<DeValue<'_>>, path: &[Key<'_>]) -> Option<Range<usize>> {
    let Some((first, rest)) = path.split_first() else {
        // A header's table says where it starts; a value, where it stands.
        return Some(value.span());
    };
    match (first, value.get_ref()) {
        (Key::Name(_), DeValue::Table(table)) => span_of(table, path),
        (Key::At(index), DeValue::Array(items)) => {
            let item = items.get(*index)?;
            Some(span_in(item, rest).unwrap_or_else(|| item.span()))
        }
        _ => None,
    }
}

/// Removes the key that stands at `span`, wherever it is.
fn remove_key(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let found = table.iter().find(|(key, _)| key.span() == *span).map(|(key, _)| key.clone());
    if let Some(key) = found {
        return table.remove(&key).is_some();
    }
    table.iter_mut().any(|(_, value)| remove_key_in(value.get_mut(), span))
}

fn remove_key_in(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => remove_key(table, span),
        DeValue::Array(items) => items.iter_mut().any(|item| remove_key_in(item.get_mut(), span)),
        _ => false,
    }
}

/// Removes the element of a top-level array inside which `span` lies.
fn remove_element(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    for (_, value) in table.iter_mut() {
        if let DeValue::Array(items) = value.get_mut() {
            let found = items.iter().position(|item| holds(item, span));
            if let Some(index) = found {
                let mut kept = DeArray::new();
                for (at, item) in items.iter().enumerate() {
                    if at != index {
                        kept.push(item.clone());
                    }
                }
                *items = kept;
                return true;
            }
        }
    }
    false
}

/// Whether `span` is that of `value` or of something inside it. A table's own
/// span is only its header's, so what it holds must be looked at.
fn holds(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    if value.span() == *span {
        return true;
    }
    match value.get_ref() {
        DeValue::Table(table) => {
            table.iter().any(|(key, item)| key.span() == *span || holds(item, span))
        }
        DeValue::Array(items) => items.iter().any(|item| holds(item, span)),
        _ => false,
    }
}
