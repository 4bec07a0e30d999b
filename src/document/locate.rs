//! Where a field is in a given document, and what it says at present. Found by
//! its label alone; if two places would do, none is taken.

use std::collections::BTreeMap;
use std::ops::Range;

use super::answers::{Choice, Value};
use super::body::{Body, Paragraph, Placed, Run};
use super::boxes::{choice, tick};
use super::form::{Field, FieldKind};
use super::label::{Finder, Wanted, missing};

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
    /// A check box of a form of Word 97 to 2003, an index into
    /// [`Body::form_boxes`].
    FormField(usize),
}

/// Why a field was not found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotFound(pub(super) String);

/// Finds `field` in the finder's document.
pub(super) fn locate(finder: &Finder<'_>, field: &Field) -> Result<Located, NotFound> {
    let scope = finder.scope(field.section.as_ref())?;
    let body = finder.body;
    let wanted = Wanted::from(field);
    let label = wanted.label;
    if field.kind == FieldKind::Tick {
        return tick(finder, &scope, wanted);
    }
    let index = finder.only(&scope, wanted)?;
    let Some(paragraph) = body.paragraphs.get(index) else { return Err(missing(label)) };
    let chars = paragraph.chars();
    let Some(after) = finder.label_end(&chars, wanted) else { return Err(missing(label)) };
    match &field.kind {
        FieldKind::Choice(options) => choice(finder, index, &chars, after, options, label),
        kind if finder.is_loose() => as_laid_out(body, index, &chars, after, label, kind),
        FieldKind::AfterLabel => after_label(paragraph, &chars, after),
        FieldKind::Line => line(paragraph, &chars, after, label),
        FieldKind::Control => control(body, index, &chars, after, label),
        FieldKind::Below => below(body, index, &chars, after, label),
        FieldKind::Tick => Err(missing(label)),
    }
}

/// A field of text in an unknown edition goes where that edition has left
/// room for it: into a content control or in place of underscores behind the
/// label, into the cell beside it; else where the known edition has it.
fn as_laid_out(
    body: &Body,
    index: usize,
    chars: &[Placed],
    after: usize,
    label: &str,
    kind: &FieldKind,
) -> Result<Located, NotFound> {
    let Some(paragraph) = body.paragraphs.get(index) else { return Err(missing(label)) };
    let rest = chars.get(after..).unwrap_or_default();
    let in_control =
        |p: &Placed| paragraph.items.get(p.item).is_some_and(|item| item.control.is_some());
    if rest.iter().any(in_control) {
        return control(body, index, chars, after, label);
    }
    if rest.iter().any(|placed| placed.c == '_') {
        return line(paragraph, chars, after, label);
    }
    if rest.iter().all(|placed| placed.c.is_whitespace()) {
        let like = run_of(paragraph, after.checked_sub(1).and_then(|at| chars.get(at)));
        if let Some(found) = beside(body, index, like, label) {
            return found;
        }
        if *kind == FieldKind::Below {
            return below(body, index, chars, after, label);
        }
    }
    after_label(paragraph, chars, after)
}

/// The next cell of the label's row, if there is one.
fn beside(
    body: &Body,
    index: usize,
    like: Option<&Run>,
    label: &str,
) -> Option<Result<Located, NotFound>> {
    let paragraph = body.paragraphs.get(index)?;
    let row = paragraph.row?;
    let mut following = body.paragraphs.iter().enumerate().skip(index + 1);
    let (first, next) = following.find(|(_, next)| next.cell != paragraph.cell)?;
    if next.row != Some(row) {
        return None;
    }
    let cell = body.paragraphs.iter().enumerate().skip(first);
    let cell = cell.take_while(|(_, paragraph)| paragraph.cell == next.cell);
    let mut text = Vec::new();
    for (index, paragraph) in cell {
        if paragraph.items.iter().any(|item| item.control.is_some()) {
            return Some(control(body, index, &paragraph.chars(), 0, label));
        }
        if paragraph.text.contains('_') {
            return Some(line(paragraph, &paragraph.chars(), 0, label));
        }
        text.push(paragraph.text.as_str());
    }
    let text = text.join("\n").trim().to_owned();
    let place = Place::Blank { paragraph: first, like: like.cloned() };
    Some(Ok(Located { place, current: (!text.is_empty()).then_some(Value::Text(text)) }))
}

pub(super) fn string(chars: &[Placed]) -> String {
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
