//! How long it takes to recognise a form and to fill it, in a known edition
//! and in an unknown one.
//!
//! Promised: under 100 ms. HMRC's forms are not part of this project: where
//! the reference folder is absent, and for the unknown edition, one of the same
//! size with the same questions takes their place.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/document_support/mod.rs"]
mod document_support;

use std::hint::black_box;

use criterion::Criterion;
use ctc_ready::document::{FormDefinition, fill, recognise};
use document_support::{
    NCTS5_FORM, NCTS6_FORM, docx, known_forms, ncts5_answers, ncts6_answers, reference,
};

/// Size of `word/document.xml` of the larger form, in bytes.
const SIZE: usize = 300_000;

fn main() {
    let forms = known_forms();
    let mut criterion = Criterion::default().configure_from_args().sample_size(30);
    for (form, name, answers) in [
        (&forms[0], NCTS5_FORM, ncts5_answers(false)),
        (&forms[1], NCTS6_FORM, ncts6_answers(false)),
    ] {
        let known = reference(name).unwrap_or_else(|| stand_in(form, &form.recognise));
        let unknown = stand_in(form, &form.family);
        for (edition, file) in [("known", known), ("unknown", unknown)] {
            let run = || {
                let form = recognise(black_box(&file), &forms).unwrap();
                fill(&file, form, &answers).unwrap()
            };
            let filled = run();
            assert_eq!(filled.edition_known, edition == "known");
            let (bytes, fields) = (file.len(), filled.filled.len());
            println!("{name}, {edition}: {bytes} bytes, {fields} fields filled");
            criterion.bench_function(&format!("fill {} {edition}", form.id), |b| b.iter(run));
        }
    }
    criterion.final_summary();
}

/// A form with these titles and all of the labels, each section a table, and
/// text up to its size.
fn stand_in(form: &FormDefinition, titles: &[String]) -> Vec<u8> {
    let mut body: String = titles.iter().map(|title| paragraph(title)).collect();
    let mut open = None;
    for field in &form.fields {
        let section = field.section.as_ref();
        if section != open {
            body.push_str(if open.is_some() { "</w:tc></w:tr></w:tbl>" } else { "" });
            if let Some(section) = section {
                body.push_str("<w:tbl><w:tr><w:tc>");
                body.push_str(&paragraph(&section.table));
            }
            open = section;
        }
        body.push_str(&paragraph(&field.label));
    }
    body.push_str(if open.is_some() { "</w:tc></w:tr></w:tbl>" } else { "" });
    while body.len() < SIZE {
        body.push_str(&paragraph("What HMRC says between the questions."));
    }
    docx(&body)
}

fn paragraph(text: &str) -> String {
    format!(
        "<w:p><w:pPr><w:spacing w:after=\"0\"/></w:pPr><w:r><w:rPr><w:sz w:val=\"18\"/></w:rPr><w:t xml:space=\"preserve\">{}</w:t></w:r></w:p>",
        text.replace('&', "&amp;").replace('<', "&lt;")
    )
}
