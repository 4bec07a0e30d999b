//! The answers that a form asks for, where each comes from, and what is left
//! for a person.

use super::super::answers::{Source, Unanswered, Value};
use super::super::fill::{Filled, FilledField, LeftField};
use super::sheet::{Blocks, Cell, Shape, Table};
use super::words::words;
use super::{Author, Dossier};
use crate::project::questions::{Question, QuestionKind, questions};

/// Every question of the programme, by section.
pub(super) fn answers(author: &mut Author<'_>, blocks: &mut Blocks) {
    let programme = &author.dossier.programme.id;
    let asked: Vec<&Question> =
        questions().iter().filter(|question| question.asked_by(programme)).collect();
    let mut sections: Vec<&str> = Vec::new();
    for question in &asked {
        if !sections.contains(&question.section.as_str()) {
            sections.push(&question.section);
        }
    }
    for section in sections {
        let of = asked.iter().filter(|question| question.section == section);
        let rows = of.map(|question| answer(author, question)).collect();
        blocks.heading(1, section);
        let columns = [("Question", 10), ("Answer", 14), ("From", 3)];
        blocks.table(Table::new(Shape::Rows, &columns, rows));
    }
}

fn answer(author: &mut Author<'_>, question: &Question) -> Vec<Cell> {
    let name = &question.name;
    let boxed = matches!(question.kind, QuestionKind::Statement | QuestionKind::Given);
    let (answer, from) = match author.dossier.answers.get(&question.key).cloned() {
        Some(answer) => {
            author.filled(name, &answer);
            let value = match &answer.value {
                Value::Tick(true) => Cell::text("☒"),
                Value::Tick(false) => Cell::text("☐"),
                value => Cell::exact(value.to_string()),
            };
            (value, Cell::text(answer.from.as_str()))
        }
        None => match author.dossier.answers.why_not(&question.key) {
            Unanswered::NotNeeded => (Cell::remark("does not arise"), Cell::default()),
            Unanswered::LeftForYou(why) | Unanswered::BlockLeftForYou(why) => {
                author.left(name, &why);
                let place = match question.kind {
                    QuestionKind::Person => Cell::text("______________________________"),
                    _ if boxed => Cell::text("☐"),
                    _ => Cell::remark("not answered"),
                };
                (place, Cell::default())
            }
        },
    };
    vec![Cell::text(name), answer, from]
}

/// What the document leaves for a person.
pub(super) fn left(author: &mut Author<'_>, blocks: &mut Blocks) {
    for (what, why) in author.dossier.answers.notes() {
        // A recommended test that does not count stands under its own title.
        if !what.starts_with("recommended test") {
            author.left(what, why);
        }
    }
    left_fields(blocks, &author.left);
}

/// What stands in a filled form, and what does not.
pub(super) fn form(dossier: &Dossier<'_>, blocks: &mut Blocks, filled: &Filled) {
    blocks.heading(1, "Answers");
    let row = |field: &FilledField| {
        let mark = dossier.mark().filter(|_| field.from == Source::Evidence);
        let value = Cell::exact(&field.value).marked(mark);
        vec![Cell::text(&field.field), value, Cell::text(field.from.as_str())]
    };
    let columns = [("Field", 10), ("Answer", 14), ("From", 3)];
    blocks.table(Table::new(Shape::Rows, &columns, filled.filled.iter().map(row).collect()));
    left_fields(blocks, &filled.left_for_you);
    if !filled.not_found.is_empty() {
        blocks.heading(1, "Not found in this form");
        blocks.text(&words().not_found);
        let rows = filled.not_found.iter().map(|name| vec![Cell::said(name)]).collect();
        blocks.table(Table::new(Shape::Rows, &[("Field", 1)], rows));
    }
}

fn left_fields(blocks: &mut Blocks, left: &[LeftField]) {
    blocks.heading(1, "Left for you");
    if left.is_empty() {
        return blocks.text(&words().nothing_left);
    }
    blocks.text(&words().left);
    let row = |left: &LeftField| vec![Cell::said(&left.field), Cell::said(&left.why)];
    let columns = [("Field", 4), ("Why", 6)];
    blocks.table(Table::new(Shape::Rows, &columns, left.iter().map(row).collect()));
}

impl Source {
    /// As in JSON.
    fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Evidence => "evidence",
            Self::Signed => "signed",
        }
    }
}
