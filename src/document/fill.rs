//! Writing answers into a form, in place.
//!
//! What a person wrote into the form before stays; a field that cannot be
//! found with certainty is reported and left alone.
//!
//! - [`mod@sign`]: name and date of who signs it.

pub mod sign;

use schemars::JsonSchema;
use serde::Serialize;

use super::REHEARSAL_MARK;
use super::answers::{Answer, Answers, Source, Unanswered, Value};
use super::body::{Body, CROSSED_BOX, Checkbox, EMPTY_BOX, Symbol, normalise};
use super::error::DocumentError;
use super::form::{Edition, Field, FormDefinition};
use super::label::Finder;
use super::locate::{BoxKind, Located, Place, TickBox, locate};
use super::package::Package;
use super::recognise::refuse_rehearsal;
use super::statement::reworded;
use super::write::{Splice, Writer, apply};

/// A second line under the mark at the top of a rehearsal's copy.
const REHEARSAL_REASON: &str =
    "References and times of this copy may come from a simulator. It proves nothing to HMRC.";
/// Beside every value from evidence in a rehearsal's copy.
pub(super) const REHEARSAL_BESIDE: &str = " [REHEARSAL]";

/// Why a box is left although there is an answer.
const REWORDED: &str = "its words here are not those that the answer was given for: read them, and tick the box if they hold";

/// A filled document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The `.docx`.
    pub bytes: Vec<u8>,
    /// It is an edition that a form file describes. Otherwise its fields were
    /// found by their labels alone, and a person must compare each of them.
    pub edition_known: bool,
    /// Fields that hold an answer.
    pub filled: Vec<FilledField>,
    /// Fields left for a person.
    pub left_for_you: Vec<LeftField>,
    /// Fields that were not found, or not surely: name and reason.
    pub not_found: Vec<String>,
}

/// A field that holds an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FilledField {
    /// The field's name.
    pub field: String,
    /// What it says: text; `yes`, `no` or `dont-know`; `ticked`.
    pub value: String,
    /// Where the answer comes from.
    pub from: Source,
}

/// A field left for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftField {
    /// The field's name, or that of a block of fields.
    pub field: String,
    /// Why.
    pub why: String,
}

/// Writes `answers` into `bytes`, an edition that
/// [`recognise`](super::recognise()) takes for `form`: by the descriptions of
/// its fields if it is the known one, by their labels if it is another
/// ([`Filled::edition_known`]). All other members of the `.docx` keep their
/// bytes; in the document
/// itself only the answers change. A rehearsal's copy is marked at the top and
/// beside every value from evidence.
///
/// # Errors
/// A file that is no safe Word document, a form of another programme, or a
/// copy that a rehearsal filled.
pub fn fill(
    bytes: &[u8],
    form: &FormDefinition,
    answers: &Answers,
) -> Result<Filled, DocumentError> {
    if !form.programmes.contains(&answers.programme) {
        return Err(DocumentError::WrongProgramme {
            form: form.title.clone(),
            programme: answers.programme.clone(),
            of: form.programmes.clone(),
        });
    }
    let mut package = Package::open(bytes)?;
    let document = package.document();
    let body = Body::parse(document)?;
    refuse_rehearsal(&body)?;
    let writer = Writer { document, prefix: &body.prefix };
    let edition = form.edition(&body);
    // What is no edition of the form at all is held to every word.
    let mut filler = Filler::new(&body, edition.unwrap_or(Edition::Known), writer, answers);
    if answers.rehearsal {
        let banner = writer.banner(REHEARSAL_MARK, REHEARSAL_REASON);
        filler.splices.push(Splice { range: body.start..body.start, with: banner });
    }
    for field in &form.fields {
        filler.field(form, field);
    }
    filler.without_place(form);
    let Filler { splices, out, .. } = filler;
    let filled = apply(document, splices).ok_or_else(|| {
        DocumentError::Write("two fields of the form lie in the same place".to_owned())
    })?;
    // What leaves this function can be read again.
    Body::parse(&filled)?;
    let bytes = package.with_document(&filled)?;
    let Outcome { filled, left_for_you, not_found, .. } = out;
    let edition_known = edition == Some(Edition::Known);
    Ok(Filled { bytes, edition_known, filled, left_for_you, not_found })
}

#[derive(Default)]
struct Outcome {
    filled: Vec<FilledField>,
    left_for_you: Vec<LeftField>,
    not_found: Vec<String>,
    /// Blocks whose common reason has been given.
    blocks: Vec<String>,
}

struct Filler<'a> {
    body: &'a Body,
    finder: Finder<'a>,
    writer: Writer<'a>,
    answers: &'a Answers,
    splices: Vec<Splice>,
    out: Outcome,
}

impl<'a> Filler<'a> {
    fn new(body: &'a Body, edition: Edition, writer: Writer<'a>, answers: &'a Answers) -> Self {
        let finder = Finder::new(body, edition);
        Self { body, finder, writer, answers, splices: Vec::new(), out: Outcome::default() }
    }

    fn field(&mut self, form: &FormDefinition, field: &Field) {
        let located = match locate(&self.finder, field) {
            Ok(located) => located,
            Err(why) => {
                self.out.not_found.push(format!("{}: {}", field.name, why.0));
                return;
            }
        };
        match self.answers.get(&field.key) {
            Some(_) if reworded(&self.finder, form, field).is_some() => {
                let why = Unanswered::LeftForYou(REWORDED.to_owned());
                self.unanswered(field, &located, why);
            }
            Some(answer) => self.answered(form, field, &located, answer),
            None => self.unanswered(field, &located, self.answers.why_not(&field.key)),
        }
    }

    fn answered(
        &mut self,
        form: &FormDefinition,
        field: &Field,
        located: &Located,
        answer: &Answer,
    ) {
        let value = &as_written(&located.place, &answer.value);
        match &located.current {
            Some(current) if !same(current, value) => {
                return self.left(
                    &field.name,
                    "the form already says something else here, which was left as it is",
                );
            }
            Some(_) if !matches!(located.place, Place::Tick(_)) => {
                return self.filled(field, value, answer.from);
            }
            _ => {}
        }
        match (&located.place, value) {
            (Place::Boxes(boxes), Value::Choice(choice)) => match boxes.get(choice) {
                Some(found) => self.set(found, true),
                None => {
                    let explained = field.explained_in.as_deref();
                    let explained = explained.filter(|key| {
                        self.answers.get(key).is_some()
                            && form.fields.iter().any(|field| field.key == **key)
                    });
                    if explained.is_none() {
                        let why = format!(
                            "the form has no box for `{}`; say in it what you do not know",
                            choice.as_str()
                        );
                        self.left(&field.name, &why);
                    }
                    return;
                }
            },
            (Place::Tick(found), Value::Tick(ticked)) => self.set(found, *ticked),
            (Place::Boxes(_) | Place::Tick(_), _) | (_, Value::Choice(_) | Value::Tick(_)) => {
                let why = format!("the answer `{value}` does not fit the form's field");
                return self.left(&field.name, &why);
            }
            (place, Value::Text(text)) => self.write(place, text, answer.from),
        }
        self.filled(field, value, answer.from);
    }

    fn unanswered(&mut self, field: &Field, located: &Located, why: Unanswered) {
        let clear = match &located.place {
            Place::Tick(found) if field.published_ticked && found.ticked => Some(found.clone()),
            _ => None,
        };
        let why = match why {
            Unanswered::NotNeeded => return,
            Unanswered::LeftForYou(why) => why,
            Unanswered::BlockLeftForYou(why) => {
                let Some(section) = &field.section else {
                    return self.left(&field.name, &why);
                };
                if !self.out.blocks.contains(&section.name) {
                    self.out.blocks.push(section.name.clone());
                    self.left(&section.name, &why);
                }
                return;
            }
        };
        match (clear, &located.current) {
            (Some(found), _) => {
                self.set(&found, false);
                self.left(
                    &field.name,
                    &format!("{why}. The form comes with this box ticked; it was cleared"),
                );
            }
            // A person has seen to it.
            (None, Some(_)) => {}
            (None, None) => self.left(&field.name, &why),
        }
    }

    /// Evidence that the form has no field for must not vanish unsaid.
    fn without_place(&mut self, form: &FormDefinition) {
        let left: Vec<(String, String)> = self
            .answers
            .iter()
            .filter(|(key, answer)| {
                answer.from == Source::Evidence
                    && key.ends_with(".mrn")
                    && !form.fields.iter().any(|field| field.key == *key)
            })
            .map(|(key, answer)| (key.to_owned(), answer.value.to_string()))
            .collect();
        for (key, value) in left {
            let why = format!("the form has no place for it (`{value}`)");
            self.left(key.trim_end_matches(".mrn"), &why);
        }
        for (what, why) in self.answers.notes() {
            self.left(what, why);
        }
    }

    fn filled(&mut self, field: &Field, value: &Value, from: Source) {
        let (field, value) = (field.name.clone(), value.to_string());
        self.out.filled.push(FilledField { field, value, from });
    }

    fn left(&mut self, field: &str, why: &str) {
        let left = LeftField { field: field.to_owned(), why: why.to_owned() };
        self.out.left_for_you.push(left);
    }

    fn write(&mut self, place: &Place, text: &str, from: Source) {
        let writer = self.writer;
        let marked = self.answers.rehearsal && from == Source::Evidence;
        let mark = |props| {
            if marked { writer.mark(props, REHEARSAL_BESIDE) } else { String::new() }
        };
        match place {
            Place::NewRun { at, like, space } => {
                let props = like.props.as_ref();
                let spaced = if *space { format!(" {text}") } else { text.to_owned() };
                let with = writer.run(props, &spaced) + &mark(props);
                self.splice(*at..*at, with);
            }
            Place::Instead { parts, space, like } => {
                let w = writer.prefix;
                let lead = if *space { " " } else { "" };
                let mut with =
                    format!("</{w}:t><{w}:t xml:space=\"preserve\">{lead}{}", writer.inner(text));
                for part in parts {
                    self.splice(part.clone(), std::mem::take(&mut with));
                }
                let mark = mark(like.props.as_ref());
                self.splice(like.child_end..like.child_end, mark);
            }
            Place::Control { control, like } => {
                let props = like.props.as_ref();
                let Some(control) = self.body.controls.get(*control) else { return };
                let (content, placeholder) = (control.content.clone(), control.placeholder.clone());
                if let Some(placeholder) = placeholder {
                    self.splice(placeholder, String::new());
                }
                self.splice(content, writer.run(props, text));
                self.splice(like.child_end..like.child_end, mark(props));
            }
            Place::Blank { paragraph, like } => {
                let Some(paragraph) = self.body.paragraphs.get(*paragraph) else { return };
                let label = like.as_ref().and_then(|run| run.props.as_ref());
                let props = paragraph.mark.as_ref().or(label);
                let runs = writer.run(props, text) + &mark(props);
                let range = paragraph.range.clone();
                match paragraph.close {
                    Some(close) => self.splice(close..close, runs),
                    // `<w:p …/>` opens up.
                    None => {
                        let tag = writer.document.get(range.clone()).unwrap_or_default();
                        let open = tag.trim_end_matches('>').trim_end_matches('/');
                        let with = format!("{open}>{runs}</{}:p>", writer.prefix);
                        self.splice(range, with);
                    }
                }
            }
            Place::Boxes(_) | Place::Tick(_) => {}
        }
    }

    fn set(&mut self, found: &TickBox, ticked: bool) {
        match &found.of {
            BoxKind::Glyph(range) => {
                let glyph = if ticked { CROSSED_BOX } else { EMPTY_BOX };
                self.splice(range.clone(), glyph.to_string());
            }
            BoxKind::FormField(index) => {
                let Some(form_box) = self.body.form_boxes.get(*index) else { return };
                let at = form_box.checked.clone().or(form_box.close.map(|close| close..close));
                let Some(at) = at else { return };
                let w = self.writer.prefix;
                let state = u8::from(ticked);
                self.splice(at, format!("<{w}:checked {w}:val=\"{state}\"/>"));
            }
            BoxKind::Control { control, like } => {
                let Some(control) = self.body.controls.get(*control) else { return };
                let Some(checkbox) = control.checkbox.clone() else { return };
                let content = control.content.clone();
                let w14 = &checkbox.prefix;
                let state = u8::from(ticked);
                let with = format!("<{w14}:checked {w14}:val=\"{state}\"/>");
                let at = checkbox.checked.clone().unwrap_or(checkbox.start..checkbox.start);
                self.splice(at, with);
                let symbol = symbol(&checkbox, ticked);
                let glyph = self.writer.glyph(like.props.as_ref(), &symbol);
                self.splice(content, glyph);
            }
        }
    }

    fn splice(&mut self, range: std::ops::Range<usize>, with: String) {
        if !(range.is_empty() && with.is_empty()) {
            self.splices.push(Splice { range, with });
        }
    }
}

/// The glyph and font of a control's state. Word's own are a crossed and an
/// empty box in MS Gothic (MS-DOCX, 2.5.2.8). A symbol font has no glyph at
/// such a code point, whatever the control says, and would show a blank.
fn symbol(checkbox: &Checkbox, ticked: bool) -> Symbol {
    let (own, other, glyph) = if ticked {
        (&checkbox.on, &checkbox.off, CROSSED_BOX)
    } else {
        (&checkbox.off, &checkbox.on, EMPTY_BOX)
    };
    let readable = |symbol: &&Symbol| {
        let private = ('\u{F000}'..='\u{F0FF}').contains(&symbol.glyph);
        symbol.font.as_deref().is_none_or(|font| !is_symbol_font(font) || private)
    };
    match own {
        Some(symbol) if readable(&symbol) => symbol.clone(),
        Some(symbol) => Symbol {
            glyph: symbol.glyph,
            font: other.as_ref().filter(readable).and_then(|symbol| symbol.font.clone()),
        },
        None => Symbol { glyph, font: Some("MS Gothic".to_owned()) },
    }
}

fn is_symbol_font(font: &str) -> bool {
    let font = font.to_lowercase();
    font.starts_with("wingdings") || font == "webdings" || font == "symbol"
}

/// An answer as its place takes it: beside a label there is one line, where
/// further lines would stand under the label's bullet.
fn as_written(place: &Place, value: &Value) -> Value {
    match (place, value) {
        (Place::NewRun { .. } | Place::Instead { .. }, Value::Text(text)) => {
            let lines = text.lines().map(|line| line.trim().trim_end_matches(','));
            let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
            Value::Text(lines.join(", "))
        }
        (_, value) => value.clone(),
    }
}

fn same(current: &Value, answer: &Value) -> bool {
    match (current, answer) {
        (Value::Text(current), Value::Text(answer)) => normalise(current) == normalise(answer),
        (current, answer) => current == answer,
    }
}
