//! Boxes to tick: the one of a statement, and those of a question, each with
//! the word that says what it stands for.

use std::collections::BTreeMap;

use super::answers::{Choice, Value};
use super::body::{Body, EMPTY_BOX, Paragraph, Placed, normalise};
use super::label::{Finder, Wanted, is_box, missing, only};
use super::locate::{BoxKind, Located, NotFound, Place, TickBox, string};

/// How many paragraphs below a question its boxes may be.
const BOXES_WITHIN: usize = 4;

/// The boxes of a line.
struct Line {
    /// Each with the words between it and the box before.
    boxes: Vec<(String, TickBox)>,
    /// The words after the last.
    tail: String,
    /// It is the question's own, so that words of it may precede the boxes.
    of_question: bool,
}

/// The box of a statement: before it, or in an unknown edition wherever in its
/// line or its row of a table the only box is.
pub(super) fn tick(
    finder: &Finder<'_>,
    scope: &[(usize, &Paragraph)],
    wanted: Wanted<'_>,
) -> Result<Located, NotFound> {
    let (body, label) = (finder.body, wanted.label);
    let index = statement_at(finder, scope, wanted)?;
    let mut boxes: Vec<TickBox> = if finder.is_loose() {
        let statement = body.paragraphs.get(index);
        let in_line: Vec<TickBox> =
            statement.map(|paragraph| all_boxes(body, paragraph)).unwrap_or_default();
        let row = statement.and_then(|paragraph| paragraph.row).filter(|_| in_line.is_empty());
        let in_row = body.paragraphs.iter().filter(|_| row.is_some()).filter(|p| p.row == row);
        in_line.into_iter().chain(in_row.flat_map(|p| all_boxes(body, p))).collect()
    } else {
        let found = body.paragraphs.get(index).and_then(|paragraph| {
            let chars = paragraph.chars();
            let placed = chars.iter().find(|placed| is_box(placed.c))?;
            a_box(body, paragraph, placed)
        });
        found.into_iter().collect()
    };
    let found = match boxes.len() {
        0 if finder.is_loose() => return Err(NotFound(format!("no box belongs to `{label}`"))),
        0 | 1 => boxes.pop().ok_or_else(|| missing(label))?,
        _ => {
            let why =
                format!("`{label}` has several boxes, so that it is not certain which counts");
            return Err(NotFound(why));
        }
    };
    let current = found.ticked.then_some(Value::Tick(true));
    Ok(Located { place: Place::Tick(found), current })
}

/// The paragraph of a statement: in a known edition one that begins with its
/// box.
pub(super) fn statement_at(
    finder: &Finder<'_>,
    scope: &[(usize, &Paragraph)],
    wanted: Wanted<'_>,
) -> Result<usize, NotFound> {
    if finder.is_loose() {
        return finder.only(scope, wanted);
    }
    only(scope, wanted.label, |_, paragraph| {
        let text = paragraph.text.strip_prefix(is_box);
        text.is_some_and(|rest| rest.trim_start().starts_with(wanted.label))
    })
}

/// The boxes of the question whose label ends at `after` of its paragraph.
pub(super) fn choice(
    finder: &Finder<'_>,
    index: usize,
    chars: &[Placed],
    after: usize,
    options: &BTreeMap<Choice, String>,
    label: &str,
) -> Result<Located, NotFound> {
    let lines = lines(finder, index, chars.get(after..).unwrap_or_default());
    if lines.is_empty() {
        return Err(NotFound(format!("no boxes follow `{label}`")));
    }
    // The word of a box stands before it or after it; a line that can be read
    // both ways is read neither way.
    let ends = |line: &Line| {
        line.tail.is_empty()
            || line.boxes.first().is_some_and(|(before, _)| {
                let before = before.to_lowercase();
                options.values().any(|word| ends_with_word(&before, &word.to_lowercase()))
            })
    };
    let before = assigned(&words_before(&lines), options, label);
    let before = before
        .and_then(|found| if lines.iter().all(ends) { Ok(found) } else { Err(unclear(label)) });
    // Words before the first box of a line below are another question's.
    let apart = |line: &Line| {
        !line.of_question && line.boxes.first().is_some_and(|(before, _)| !before.is_empty())
    };
    let after = if lines.iter().any(|line| line.tail.is_empty() || apart(line)) {
        Err(unclear(label))
    } else {
        assigned(&words_after(&lines), options, label)
    };
    let out = match (before, after) {
        (Ok(_), Ok(_)) => return Err(unclear(label)),
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => found,
        (Err(why), Err(_)) => return Err(why),
    };
    let mut ticked = out.iter().filter(|(_, found)| found.ticked).map(|(choice, _)| *choice);
    let current = match (ticked.next(), ticked.next()) {
        (None, _) => None,
        (Some(choice), None) => Some(Value::Choice(choice)),
        (Some(_), Some(_)) => Some(Value::Text("more than one box".to_owned())),
    };
    Ok(Located { place: Place::Boxes(out), current })
}

fn unclear(label: &str) -> NotFound {
    NotFound(format!("the words beside the boxes after `{label}` can be read in two ways"))
}

/// The lines with boxes that follow a question: beside it, or the first below
/// it. In an unknown edition each box may have a line of its own, and they may
/// stand in the cells beside the question.
fn lines(finder: &Finder<'_>, index: usize, rest: &[Placed]) -> Vec<Line> {
    let body = finder.body;
    let Some(question) = body.paragraphs.get(index) else { return Vec::new() };
    let has_boxes = |line: &Line| !line.boxes.is_empty();
    let beside = line(body, question, rest);
    if has_boxes(&beside) {
        return vec![Line { of_question: true, ..beside }];
    }
    let of = |paragraph: &Paragraph| line(body, paragraph, &paragraph.chars());
    let following = body.paragraphs.iter().skip(index + 1);
    // Whatever else is said in between has taken the place of the question.
    let mut below = following
        .clone()
        .take(BOXES_WITHIN)
        .take_while(|paragraph| paragraph.cell == question.cell)
        .filter(|paragraph| !paragraph.text.is_empty())
        .map(of)
        .take_while(has_boxes);
    let below: Vec<Line> =
        if finder.is_loose() { below.collect() } else { below.next().into_iter().collect() };
    if !below.is_empty() || !finder.is_loose() || question.row.is_none() {
        return below;
    }
    following
        .skip_while(|paragraph| paragraph.cell == question.cell)
        .take_while(|paragraph| paragraph.row == question.row)
        .map(of)
        .filter(has_boxes)
        .collect()
}

/// A box, its words, and whether words of the question may precede them.
type Worded<'l> = (&'l str, bool, &'l TickBox);

fn words_before(lines: &[Line]) -> Vec<Worded<'_>> {
    lines
        .iter()
        .flat_map(|line| line.boxes.iter().enumerate().map(move |of| (line.of_question, of)))
        .map(|(of_question, (number, (before, found)))| {
            (before.as_str(), of_question && number == 0, found)
        })
        .collect()
}

fn words_after(lines: &[Line]) -> Vec<Worded<'_>> {
    let mut out = Vec::new();
    for line in lines {
        let words = line.boxes.iter().skip(1).map(|(before, _)| before);
        for ((_, found), after) in line.boxes.iter().zip(words.chain([&line.tail])) {
            out.push((after.as_str(), false, found));
        }
    }
    out
}

/// The box of each option; every option must have one, and only one.
fn assigned(
    boxes: &[Worded<'_>],
    options: &BTreeMap<Choice, String>,
    label: &str,
) -> Result<BTreeMap<Choice, TickBox>, NotFound> {
    let mut out = BTreeMap::new();
    for (choice, word) in options {
        let word = word.as_str();
        let lower = word.to_lowercase();
        let mut fitting = boxes.iter().filter(|(words, first, _)| {
            let words = words.to_lowercase();
            words == lower || (*first && ends_with_word(&words, &lower))
        });
        let found = fitting.next();
        if fitting.next().is_some() {
            return Err(NotFound(format!("`{label}` is followed by several boxes `{word}`")));
        }
        let Some((_, _, found)) = found else {
            return Err(NotFound(format!("`{label}` is followed by no box `{word}`")));
        };
        out.insert(*choice, (*found).clone());
    }
    Ok(out)
}

fn line(body: &Body, paragraph: &Paragraph, chars: &[Placed]) -> Line {
    let mut boxes = Vec::new();
    let mut from = 0;
    for (at, placed) in chars.iter().enumerate() {
        if is_box(placed.c) {
            if let Some(found) = a_box(body, paragraph, placed) {
                let words = string(chars.get(from..at).unwrap_or_default());
                boxes.push((normalise(&words), found));
            }
            from = at + 1;
        }
    }
    let tail = normalise(&string(chars.get(from..).unwrap_or_default()));
    Line { boxes, tail, of_question: false }
}

fn ends_with_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word).is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}

fn all_boxes(body: &Body, paragraph: &Paragraph) -> Vec<TickBox> {
    line(body, paragraph, &paragraph.chars()).boxes.into_iter().map(|(_, found)| found).collect()
}

fn a_box(body: &Body, paragraph: &Paragraph, placed: &Placed) -> Option<TickBox> {
    let item = paragraph.items.get(placed.item)?;
    let checkbox = item.control.filter(|index| {
        body.controls.get(*index).is_some_and(|control| control.checkbox.is_some())
    });
    let of = match (item.form_box, checkbox) {
        (Some(form_box), _) => BoxKind::FormField(form_box),
        (None, Some(control)) => {
            BoxKind::Control { control, like: paragraph.runs.get(item.run)?.clone() }
        }
        (None, None) if item.in_text => BoxKind::Glyph(placed.start..placed.end),
        (None, None) => return None,
    };
    Some(TickBox { ticked: placed.c != EMPTY_BOX, of })
}
