//! What the programme asks of the software: the decision matrix with the chosen
//! cells marked (NCTS5 checklist, appendix A), or its only column.

use super::Dossier;
use super::sheet::{Blocks, Cell, Line, Look, Shape, Table};
use super::words::{fill_in, words};
use crate::catalogue::requirements::Column;
use crate::catalogue::{Requirement, RequirementKind};
use crate::verdict::{self, Need};

pub(super) fn write(dossier: &Dossier<'_>, blocks: &mut Blocks) {
    if dossier.programme.requirement.is_empty() {
        return;
    }
    blocks.heading(1, "What applies");
    let own = Column::of(&verdict::capabilities(dossier.settings)).ok();
    let by_procedure = |row: &&Requirement| row.any_of.any.is_empty();
    let rows = || dossier.programme.requirement.iter();
    let matrix: Vec<&Requirement> = rows().filter(by_procedure).collect();
    let others: Vec<&Requirement> = rows().filter(|row| !by_procedure(row)).collect();
    let need = |row: &Requirement| dossier.needs.iter().find(|need| need.requirement == row.id);
    match matrix.is_empty() {
        true => blocks.text(&words().matrix_without_columns),
        false => {
            let column = own.map_or("not decided", Column::words);
            blocks.text(&fill_in(&words().matrix, &[("column", column)]));
        }
    }
    blocks.text(&words().chosen);
    if !matrix.is_empty() {
        let rows = matrix.into_iter().map(|row| {
            let mut cells = vec![name(row)];
            cells.extend(Column::ALL.map(|column| {
                let scenarios = column.cell(&row.any_of);
                match need(row).filter(|_| own == Some(column)) {
                    Some(need) => chosen(scenarios, need),
                    None => Cell { grey: true, ..Cell::text(scenarios.join("\n")) },
                }
            }));
            cells.push(applies(need(row)));
            cells
        });
        let columns = [
            ("Requirement", 18),
            ("Normal alone", 11),
            ("Simplified alone", 11),
            ("Both, A", 11),
            ("Both, B", 11),
            ("Applies", 20),
        ];
        blocks.table(Table::new(Shape::Rows, &columns, rows.collect()));
        if others.is_empty() {
            return;
        }
        blocks.text(&words().matrix_any);
    }
    let rows = others.into_iter().map(|row| {
        let scenarios = match need(row) {
            Some(need) => chosen(&row.any_of.any, need),
            None => Cell::text(row.any_of.any.join("\n")),
        };
        vec![name(row), scenarios, applies(need(row))]
    });
    let columns = [("Requirement", 18), ("Any of", 10), ("Applies", 20)];
    blocks.table(Table::new(Shape::Rows, &columns, rows.collect()));
}

fn name(row: &Requirement) -> Cell {
    Cell::text(format!("{}\n({})", row.title, kind(row.kind)))
}

pub(super) fn kind(kind: RequirementKind) -> &'static str {
    match kind {
        RequirementKind::Mandatory => "mandatory",
        RequirementKind::Recommended => "recommended",
    }
}

/// The scenarios of a cell that holds, each with a box.
fn chosen(scenarios: &[String], need: &Need) -> Cell {
    // Held together, so that no box is left behind at the end of a line.
    let line = |id: &String| {
        let taken = need.applies && need.chosen.as_ref() == Some(id);
        let (mark, look) = if taken { ("☒", Look::Strong) } else { ("☐", Look::Plain) };
        Line { label: None, text: format!("{mark}\u{a0}{id}"), look }
    };
    Cell { lines: scenarios.iter().map(line).collect(), ..Cell::default() }
}

fn applies(need: Option<&Need>) -> Cell {
    let Some(need) = need else { return Cell::default() };
    let answer = if need.applies { "yes" } else { "no" };
    Cell::said(&format!("{answer}: {}", need.reason))
}
