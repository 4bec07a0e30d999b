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

/// A file, perhaps with another one laid over it, and whether all of it could
/// be read.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file, then the one that lies over it.
    layers: Vec<Layer>,
    /// Whether every element was read: only then do indices tell places.
    whole: bool,
}

/// A file's name and text. All layers share one count of bytes, so that a span
/// tells which file it is of.
#[derive(Clone, Debug)]
struct Layer {
    file: String,
    text: String,
    /// What the count is at the text's beginning.
    begins: usize,
}

/// Most problems reported for one file: whoever sees a hundred needs no more.
const PROBLEMS_LIMIT: usize = 100;

/// Lists of tables that a file laid over another one may change one by one, and
/// the key that tells which. Other lists are given whole.
const KEYED: [(&str, &str); 5] = [
    ("phase", "name"),
    ("date", "id"),
    ("unpublished", "id"),
    ("requirement", "id"),
    ("other-api", "version"),
];

impl Source {
    pub(super) fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        let layer = Layer { file: file.into(), text: text.into(), begins: 0 };
        Self { layers: vec![layer], whole: true }
    }

    /// The same with another file laid over it: its tables join key by key, and
    /// so do the elements of the lists in [`KEYED`]; everything else it gives
    /// takes the place of what was there.
    pub(super) fn under(mut self, file: impl Into<String>, text: impl Into<String>) -> Self {
        let begins = self.layers.iter().map(|layer| layer.text.len() + 1).sum();
        self.layers.push(Layer { file: file.into(), text: text.into(), begins });
        self
    }

    /// A problem at the deepest part of `path` that exists in the file. The
    /// text is parsed again for it: places cost nothing while all is well.
    pub(super) fn problem(&self, path: &[Key<'_>], message: impl Into<String>) -> Problem {
        let known = path.iter().take_while(|key| self.whole || matches!(key, Key::Name(_)));
        let path: Vec<Key<'_>> = known.copied().collect();
        let span = self.table(&mut Vec::new()).and_then(|table| span_of(&table, &path));
        match span {
            Some(span) => self.at(span.start, message.into()),
            None => self.somewhere(message.into()),
        }
    }

    /// A problem without a place.
    fn somewhere(&self, message: String) -> Problem {
        let file = self.layers.last().map(|layer| layer.file.clone()).unwrap_or_default();
        Problem { file, place: None, message }
    }

    /// A problem at a place by the count that all layers share.
    fn at(&self, offset: usize, message: String) -> Problem {
        let layer = self.layers.iter().rev().find(|layer| layer.begins <= offset);
        match layer {
            Some(layer) => Problem {
                file: layer.file.clone(),
                place: Some(place(&layer.text, offset - layer.begins)),
                message,
            },
            None => self.somewhere(message),
        }
    }

    /// The layers as one table; none, with problems, when one is no TOML.
    fn table(&self, problems: &mut Vec<Problem>) -> Option<DeTable<'_>> {
        let before = problems.len();
        let mut all: Option<DeTable<'_>> = None;
        for layer in &self.layers {
            let (table, errors) = DeTable::parse_recoverable(&layer.text);
            problems.extend(errors.iter().take(PROBLEMS_LIMIT).map(|error| {
                let start = error.span().map(|span| layer.begins + span.start);
                self.parser_problem(start, error)
            }));
            let table = counted_from(layer.begins, table.into_inner());
            match &mut all {
                Some(below) => lay_over(below, table),
                None => all = Some(table),
            }
        }
        all.filter(|_| problems.len() == before)
    }

    /// Reads the file as a `T`. Every unknown field is reported, and besides
    /// the first other error of each element of the file's top-level arrays;
    /// elements with errors are left out. None when nothing could be read.
    pub(super) fn read<T: DeserializeOwned>(&mut self, problems: &mut Vec<Problem>) -> Option<T> {
        let mut table = Spanned::new(0..0, self.table(problems)?);
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
            // What is missing altogether has no place.
            let span = error.span().filter(|span| *span != (0..0));
            problems.push(self.parser_problem(span.as_ref().map(|span| span.start), &error));
            let span = span?;
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

    fn parser_problem(&self, start: Option<usize>, error: &toml::de::Error) -> Problem {
        let message = error.message().to_owned();
        match start {
            Some(start) => self.at(start, message),
            None => self.somewhere(message),
        }
    }
}

/// `table` with its spans counted from `begins`.
fn counted_from(begins: usize, table: DeTable<'_>) -> DeTable<'_> {
    fn value(begins: usize, item: Spanned<DeValue<'_>>) -> Spanned<DeValue<'_>> {
        let span = moved(begins, item.span());
        Spanned::new(
            span,
            match item.into_inner() {
                DeValue::Table(table) => DeValue::Table(counted_from(begins, table)),
                DeValue::Array(items) => {
                    DeValue::Array(items.into_iter().map(|item| value(begins, item)).collect())
                }
                other => other,
            },
        )
    }
    if begins == 0 {
        return table;
    }
    let mut out = DeTable::new();
    for (key, item) in table {
        let span = moved(begins, key.span());
        out.insert(Spanned::new(span, key.into_inner()), value(begins, item));
    }
    out
}

fn moved(by: usize, span: Range<usize>) -> Range<usize> {
    span.start + by..span.end + by
}

/// Lays `over` on `base` (see [`Source::under`]).
fn lay_over<'a>(base: &mut DeTable<'a>, over: DeTable<'a>) {
    for (key, value) in over {
        // Inserted anew, so that the new key tells where the value stands.
        let below = base.remove(&key).map(Spanned::into_inner);
        let by = KEYED.iter().find(|(name, _)| *name == key.get_ref().as_ref());
        let (span, above) = (value.span(), value.into_inner());
        let joined = match (below, above, by) {
            (Some(DeValue::Table(mut below)), DeValue::Table(above), _) => {
                lay_over(&mut below, above);
                DeValue::Table(below)
            }
            (Some(DeValue::Array(mut below)), DeValue::Array(above), Some((_, by))) => {
                lay_elements(&mut below, above, by);
                DeValue::Array(below)
            }
            (_, above, _) => above,
        };
        base.insert(key, Spanned::new(span, joined));
    }
}

/// Lays the tables of `over` on those of `base` with the same value of `by`;
/// the others are added.
fn lay_elements<'a>(base: &mut DeArray<'a>, over: DeArray<'a>, by: &str) {
    for item in over {
        let span = item.span();
        let name = named(&item, by).map(str::to_owned);
        let below =
            base.iter_mut().find(|below| name.is_some() && named(below, by) == name.as_deref());
        match (below.map(Spanned::get_mut), item.into_inner()) {
            (Some(DeValue::Table(below)), DeValue::Table(above)) => lay_over(below, above),
            (_, other) => base.push(Spanned::new(span, other)),
        }
    }
}

/// The text at a key of a table.
fn named<'v>(item: &'v Spanned<DeValue<'_>>, by: &str) -> Option<&'v str> {
    match item.get_ref().get(by)?.get_ref() {
        DeValue::String(text) => Some(text),
        _ => None,
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
