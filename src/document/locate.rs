//! Where a field is in a given document, and what it says at present. Found by
//! its label alone; if two places would do, none is taken.

use std::collections::BTreeMap;
use std::ops::Range;

use super::answers::{Choice, Value};
use super::body::{
    Body, CROSSED_BOX, EMPTY_BOX, Paragraph, Placed, Run, TICKED_BOX, normalise, plain,
};
use super::form::{Field, FieldKind, Section};

/// How many paragraphs below a question its boxes may be.
const BOXES_WITHIN: usize = 4;

/// A field's place, and what stands there.
#[derive(Debug)]
pub(super) struct Located {
    /// Where the answer goes.
    pub(super) place: Place,
    /// What the field says now; none: it is empty.
    pub(super) current: Option<Value>,
}

/// Where an answer goes.
#[derive(Debug)]
pub(super) enum Place {
    /// A new run at `at`, like `run`.
    NewRun { at: usize, like: Run, space: bool },
    /// In place of these bytes inside `w:t`; the first takes the answer.
    Instead { parts: Vec<Range<usize>>, space: bool, like: Run },
    /// Into a content control.
    Control { control: usize, like: Run },
    /// Into a blank paragraph; the label's run, for its looks.
    Blank { paragraph: usize, like: Option<Run> },
    /// Into one of several boxes.
    Boxes(BTreeMap<Choice, TickBox>),
    /// Into one box.
    Tick(TickBox),
}

/// A box that can be ticked.
#[derive(Debug, Clone)]
pub(super) struct TickBox {
    /// Whether it is ticked.
    pub(super) ticked: bool,
    /// What it is made of.
    pub(super) of: BoxKind,
}

/// What a box is made of.
#[derive(Debug, Clone)]
pub(super) enum BoxKind {
    /// A character of the text.
    Glyph(Range<usize>),
    /// A check box control and the run that shows its state.
    Control { control: usize, like: Run },
}

/// Why a field was not found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotFound(pub(super) String);

/// Finds `field` in `body`.
pub(super) fn locate(body: &Body, field: &Field) -> Result<Located, NotFound> {
    let scope = scope(body, field.section.as_ref())?;
    match &field.kind {
        FieldKind::Tick => tick(body, &scope, &field.label),
        kind => {
            let index =
                only(&scope, &field.label, |paragraph| paragraph.text.starts_with(&field.label))?;
            let Some(paragraph) = body.paragraphs.get(index) else {
                return Err(missing(&field.label));
            };
            let chars = paragraph.chars();
            let Some(after) = label_end(&chars, &field.label) else {
                return Err(missing(&field.label));
            };
            match kind {
                FieldKind::AfterLabel => after_label(paragraph, &chars, after),
                FieldKind::Line => line(paragraph, &chars, after, &field.label),
                FieldKind::Control => control(body, index, &chars, after, &field.label),
                FieldKind::Below => below(body, index, &chars, after, &field.label),
                FieldKind::Choice(options) => {
                    choice(body, index, &chars, after, options, &field.label)
                }
                FieldKind::Tick => Err(missing(&field.label)),
            }
        }
    }
}

/// The paragraphs in which to look, with their indexes.
fn scope<'a>(
    body: &'a Body,
    section: Option<&Section>,
) -> Result<Vec<(usize, &'a Paragraph)>, NotFound> {
    let all = body.paragraphs.iter().enumerate();
    let Some(section) = section else { return Ok(all.collect()) };
    let in_tables: Vec<(usize, &Paragraph)> =
        all.clone().filter(|(_, paragraph)| !paragraph.tables.is_empty()).collect();
    let title =
        only(&in_tables, &section.table, |paragraph| paragraph.text.starts_with(&section.table))?;
    let table = body.paragraphs.get(title).and_then(|paragraph| paragraph.tables.last());
    Ok(all
        .filter(|(_, paragraph)| table.is_some_and(|table| paragraph.tables.contains(table)))
        .collect())
}

/// The one paragraph that `fits`.
fn only(
    scope: &[(usize, &Paragraph)],
    label: &str,
    fits: impl Fn(&Paragraph) -> bool,
) -> Result<usize, NotFound> {
    let mut found = scope.iter().filter(|(_, paragraph)| fits(paragraph));
    let Some((index, _)) = found.next() else { return Err(missing(label)) };
    match found.count() {
        0 => Ok(*index),
        more => Err(NotFound(format!(
            "`{label}` occurs {} times, so that it is not certain which is meant",
            more + 1
        ))),
    }
}

fn missing(label: &str) -> NotFound {
    NotFound(format!("`{label}` does not occur where it should"))
}

/// The index after the label in a paragraph that begins with it. White space
/// in the label stands for any amount of it.
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

fn string(chars: &[Placed]) -> String {
    chars.iter().map(|placed| placed.c).collect()
}

/// The text after a label, where someone has written there.
fn written(chars: &[Placed]) -> Option<Value> {
    let text = string(chars);
    let text = text.trim();
    (!text.is_empty()).then(|| Value::Text(text.to_owned()))
}

fn run_of<'a>(paragraph: &'a Paragraph, placed: Option<&Placed>) -> Option<&'a Run> {
    paragraph.runs.get(paragraph.items.get(placed?.item)?.run)
}

fn after_label(paragraph: &Paragraph, chars: &[Placed], after: usize) -> Result<Located, NotFound> {
    let rest = chars.get(after..).unwrap_or_default();
    let last = chars.last();
    let like = run_of(paragraph, after.checked_sub(1).and_then(|at| chars.get(at)));
    let (Some(like), Some(end)) = (like, run_of(paragraph, last)) else {
        return Err(NotFound("the label has no text".to_owned()));
    };
    let space = last.is_some_and(|placed| !placed.c.is_whitespace());
    Ok(Located {
        place: Place::NewRun { at: end.child_end, like: like.clone(), space },
        current: written(rest),
    })
}

fn line(
    paragraph: &Paragraph,
    chars: &[Placed],
    after: usize,
    label: &str,
) -> Result<Located, NotFound> {
    let rest = chars.get(after..).unwrap_or_default();
    let all = string(rest);
    let said = all.trim_matches(|c: char| c.is_whitespace() || c == '_');
    if !said.is_empty() {
        let current = Some(Value::Text(said.to_owned()));
        return after_label(paragraph, chars, after).map(|found| Located { current, ..found });
    }
    let none = || NotFound(format!("no line of underscores follows `{label}`"));
    let first = rest.iter().position(|placed| placed.c == '_').ok_or_else(none)?;
    let last = rest.iter().rposition(|placed| placed.c == '_').ok_or_else(none)?;
    let item = rest.get(first).map(|placed| placed.item).ok_or_else(none)?;
    // A blank before the line would be lost at the end of a `w:t` that does
    // not preserve it: it is replaced along with the line.
    let before = rest.get(..first).unwrap_or_default();
    let lead = before.iter().rev().take_while(|p| p.c == ' ' && p.item == item).count();
    let mut parts: Vec<Range<usize>> = Vec::new();
    for placed in rest.get(first - lead..=last).unwrap_or_default() {
        if !paragraph.items.get(placed.item).is_some_and(|item| item.in_text) {
            continue;
        }
        match parts.last_mut() {
            Some(part) if part.end == placed.start => part.end = placed.end,
            _ => parts.push(placed.start..placed.end),
        }
    }
    let like = run_of(paragraph, rest.get(first)).cloned().ok_or_else(none)?;
    let space = after + first > 0;
    Ok(Located { place: Place::Instead { parts, space, like }, current: None })
}

fn control(
    body: &Body,
    index: usize,
    chars: &[Placed],
    after: usize,
    label: &str,
) -> Result<Located, NotFound> {
    let none = || NotFound(format!("no content control follows `{label}`"));
    let paragraph = body.paragraphs.get(index).ok_or_else(none)?;
    let rest = chars.get(after..).unwrap_or_default();
    let of = |placed: &Placed| paragraph.items.get(placed.item).and_then(|item| item.control);
    let first = rest.iter().find(|placed| of(placed).is_some()).ok_or_else(none)?;
    let number = of(first).ok_or_else(none)?;
    let control = body.controls.get(number).ok_or_else(none)?;
    if control.checkbox.is_some() || control.paragraph != Some(index) {
        return Err(none());
    }
    if control.bound {
        return Err(NotFound(format!("the content control after `{label}` shows other data")));
    }
    let others = rest.iter().any(|p| {
        of(p).is_some_and(|other| other != number) || (of(p).is_none() && !p.c.is_whitespace())
    });
    if others {
        return Err(NotFound(format!("more than one content control follows `{label}`")));
    }
    let like = run_of(paragraph, Some(first)).cloned().ok_or_else(none)?;
    let inside: Vec<Placed> = rest.iter().filter(|p| of(p).is_some()).copied().collect();
    let current = if control.placeholder.is_some() { None } else { written(&inside) };
    Ok(Located { place: Place::Control { control: number, like }, current })
}

fn below(
    body: &Body,
    index: usize,
    chars: &[Placed],
    after: usize,
    label: &str,
) -> Result<Located, NotFound> {
    let Some(paragraph) = body.paragraphs.get(index) else { return Err(missing(label)) };
    let like = run_of(paragraph, after.checked_sub(1).and_then(|at| chars.get(at))).cloned();
    let next = body
        .paragraphs
        .get(index + 1)
        .filter(|next| next.cell == paragraph.cell && next.range.start >= paragraph.range.end)
        .ok_or_else(|| NotFound(format!("no blank line follows `{label}`")))?;
    let beside = written(chars.get(after..).unwrap_or_default());
    let current = beside.or_else(|| written(&next.chars()));
    Ok(Located { place: Place::Blank { paragraph: index + 1, like }, current })
}

fn tick(body: &Body, scope: &[(usize, &Paragraph)], label: &str) -> Result<Located, NotFound> {
    let index = only(scope, label, |paragraph| {
        paragraph.text.strip_prefix(is_box).is_some_and(|rest| rest.trim_start().starts_with(label))
    })?;
    let found = body.paragraphs.get(index).and_then(|paragraph| {
        let chars = paragraph.chars();
        let placed = chars.iter().find(|placed| is_box(placed.c))?;
        a_box(body, paragraph, placed)
    });
    let Some(found) = found else { return Err(missing(label)) };
    let current = found.ticked.then_some(Value::Tick(true));
    Ok(Located { place: Place::Tick(found), current })
}

fn choice(
    body: &Body,
    index: usize,
    chars: &[Placed],
    after: usize,
    options: &BTreeMap<Choice, String>,
    label: &str,
) -> Result<Located, NotFound> {
    let question = body.paragraphs.get(index);
    let beside = question
        .map(|paragraph| labelled(body, paragraph, chars.get(after..).unwrap_or_default()))
        .filter(|boxes| !boxes.is_empty());
    let boxes = beside.or_else(|| {
        let cell = question.map(|paragraph| paragraph.cell);
        body.paragraphs
            .iter()
            .skip(index + 1)
            .take(BOXES_WITHIN)
            .take_while(|paragraph| Some(paragraph.cell) == cell)
            .map(|paragraph| labelled(body, paragraph, &paragraph.chars()))
            .find(|boxes| !boxes.is_empty())
    });
    let boxes = boxes.ok_or_else(|| NotFound(format!("no boxes follow `{label}`")))?;
    let mut out = BTreeMap::new();
    for (choice, word) in options {
        // Words of the question may precede the first box's own word.
        let mut fitting = boxes.iter().enumerate().filter(|(number, (before, _))| {
            before == word || (*number == 0 && ends_with_word(before, word))
        });
        let found = fitting.next();
        if fitting.next().is_some() {
            return Err(NotFound(format!("`{label}` is followed by several boxes `{word}`")));
        }
        let Some((_, (_, found))) = found else {
            return Err(NotFound(format!("`{label}` is followed by no box `{word}`")));
        };
        out.insert(*choice, found.clone());
    }
    let mut ticked = out.iter().filter(|(_, found)| found.ticked).map(|(choice, _)| *choice);
    let current = match (ticked.next(), ticked.next()) {
        (None, _) => None,
        (Some(choice), None) => Some(Value::Choice(choice)),
        (Some(_), Some(_)) => Some(Value::Text("more than one box".to_owned())),
    };
    Ok(Located { place: Place::Boxes(out), current })
}

/// The boxes of a line, each with the words before it.
fn labelled(body: &Body, paragraph: &Paragraph, chars: &[Placed]) -> Vec<(String, TickBox)> {
    let mut out = Vec::new();
    let mut from = 0;
    for (at, placed) in chars.iter().enumerate() {
        if is_box(placed.c) {
            if let Some(found) = a_box(body, paragraph, placed) {
                let words = string(chars.get(from..at).unwrap_or_default());
                out.push((normalise(&words), found));
            }
            from = at + 1;
        }
    }
    out
}

fn ends_with_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word).is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}

fn is_box(c: char) -> bool {
    matches!(c, EMPTY_BOX | CROSSED_BOX | TICKED_BOX)
}

fn a_box(body: &Body, paragraph: &Paragraph, placed: &Placed) -> Option<TickBox> {
    let item = paragraph.items.get(placed.item)?;
    let checkbox = item.control.filter(|index| {
        body.controls.get(*index).is_some_and(|control| control.checkbox.is_some())
    });
    let of = match checkbox {
        Some(control) => BoxKind::Control { control, like: paragraph.runs.get(item.run)?.clone() },
        None if item.in_text => BoxKind::Glyph(placed.start..placed.end),
        None => return None,
    };
    Some(TickBox { ticked: placed.c != EMPTY_BOX, of })
}
