//! A box is ticked only where its words are those that the answer was given
//! for: in the edition that a form file describes, and in any other.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod document_support;

use std::collections::BTreeMap;

use ctc_ready::document::form::FieldKind;
use ctc_ready::document::{
    Filled, FilledForm, FormDefinition, check, collect, fill, recognise, statement,
};
use ctc_ready::verdict::Case;
use document_support::*;

fn p(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    format!("<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

/// An edition of the NCTS6 form with these paragraphs.
fn edition(paragraphs: &[&str]) -> Vec<u8> {
    let body: String = paragraphs.iter().map(|text| p(text)).collect();
    docx(&(p("Readiness Checklist for NCTS6, third edition") + &p("SWD Name: ____") + &body))
}

/// The same forms, with `aligned` stating this.
fn stating(text: &str) -> Vec<FormDefinition> {
    let mut forms = made_up_forms();
    let fields = forms.iter_mut().flat_map(|form| &mut form.fields);
    fields
        .filter(|it| it.key == "aligned")
        .for_each(|it| it.states = Some(statement::digest(text)));
    forms
}

fn filled(docx: &[u8], forms: &[FormDefinition]) -> Filled {
    fill(docx, recognise(docx, forms).unwrap(), &ncts6_answers(false)).unwrap()
}

/// Each box of HMRC's form states what its form file says. To describe another
/// edition, put its form in place of this one: what is found is printed.
#[test]
fn the_official_statements_have_the_digests_of_the_form_file() {
    let Some(form) = reference(NCTS6_FORM) else { return };
    let forms = known_forms();
    let definition = recognise(&form, &forms).unwrap();
    let text = paragraphs(&form);
    let is_field = |line: &str| {
        let fields = definition.fields.iter();
        let others = fields.filter(|field| field.kind != FieldKind::Tick);
        others.map(|field| field.label.as_str()).any(|label| line.trim().starts_with(label))
    };
    let mut wrong = Vec::new();
    let boxes = definition.fields.iter().filter(|field| field.kind == FieldKind::Tick);
    for (field, number) in boxes.zip(1..) {
        let first = text.iter().position(|line| line.contains(&format!(" {number}) "))).unwrap();
        let following = text.iter().skip(first + 1).take_while(|line| {
            let blank = line.trim().is_empty();
            !blank && !line.starts_with('☐') && !is_field(line)
        });
        // HMRC shows the box that it has ticked as another character.
        let own = text[first].trim_start_matches(|c: char| !c.is_ascii_digit());
        let lines: Vec<&str> = std::iter::once(own).chain(following.map(String::as_str)).collect();
        let found = statement::digest(&lines.join("\n"));
        eprintln!("{}: states = \"{found}\" ({} lines)", field.key, lines.len());
        if field.states != Some(found) {
            wrong.push(&field.key);
        }
    }
    assert!(wrong.is_empty(), "other words, of which the digests are above: {wrong:?}");
    assert_eq!(filled(&form, &forms).filled.iter().filter(|it| it.value == "ticked").count(), 6);
}

#[test]
fn the_same_words_are_ticked_wherever_they_stand() {
    let forms = stating(
        "Our NCTS6 Software product is aligned with:\n- the \"Schemas\" & rules\nTerms of use",
    );
    for words in [
        &[
            "☐ 1) Our NCTS6 Software product is aligned with:",
            "- the “Schemas” & rules",
            "Terms of use",
            "",
            "More",
        ][..],
        &[
            "☐ (4) OUR NCTS6 software  product is aligned with :",
            "– the \"schemas\" & Rules",
            "terms of use",
            "☐ Another box",
        ],
        &[
            "☐ Our NCTS6 Software product is aligned with:",
            "- the \"Schemas\" & rules",
            "Terms of use",
            "Contact Email: ____",
        ],
    ] {
        let result = filled(&edition(words), &forms);
        assert!(!result.edition_known);
        let text = paragraphs(&result.bytes);
        assert!(text.contains(&words[0].replace('☐', "☒")), "{text:?}: {:?}", result.left_for_you);
    }
}

#[test]
fn other_words_are_left_for_a_person() {
    let forms = stating("Our NCTS6 Software product is aligned with:\nthe schemas\nTerms of use");
    for words in [
        // Less, more, another thing, and the contrary.
        &["☐ 1) Our NCTS6 Software product is aligned with:", "the schemas"][..],
        &[
            "☐ 1) Our NCTS6 Software product is aligned with:",
            "the schemas",
            "Terms of use",
            "and whatever else HMRC may say",
        ],
        &["☐ 1) Our NCTS6 Software product is aligned with:", "the schemes", "Terms of use"],
        &[
            "☐ 1) Our NCTS6 Software product is aligned with: not one of",
            "the schemas",
            "Terms of use",
        ],
    ] {
        let before = edition(words);
        let result = filled(&before, &forms);
        assert!(paragraphs(&result.bytes).contains(&words[0].to_owned()), "{words:?}");
        let left = result.left_for_you.iter().find(|left| left.field.starts_with("1)")).unwrap();
        assert!(left.why.contains("not those that the answer was given for"), "{}", left.why);
        assert!(!result.filled.iter().any(|it| it.field.starts_with("1)")));
    }
}

#[test]
fn a_statement_that_the_known_edition_words_anew_is_left_too() {
    let Some(form) = reference(NCTS6_FORM) else { return };
    let xml = part(&form, "word/document.xml");
    let forms = known_forms();
    for (from, box_of) in [("Terms of use", "1)"), ("in-house standards", "4)")] {
        assert!(xml.contains(from));
        let changed = with_document(&form, &xml.replacen(from, "whatever", 1));
        let result = filled(&changed, &forms);
        assert!(result.edition_known);
        let left: Vec<&str> = result
            .left_for_you
            .iter()
            .filter(|left| left.why.contains("its words here"))
            .map(|left| left.field.as_str())
            .collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(left[0].starts_with(box_of), "{left:?}");
        // HMRC's own tick beside new words is no answer of ours.
        let ticked = check_boxes(&result.bytes).iter().filter(|(on, _)| on == "1").count();
        assert_eq!(ticked, 4, "{box_of}: one of the six is no control, one is left");
    }
}

#[test]
fn a_box_that_a_person_ticked_stays() {
    let forms = stating("Something else");
    let words = [
        "☐ 1) Our NCTS6 Software product is aligned with nothing",
        "",
        "☒ 6) Our NCTS6 product is ready, or nearly",
    ];
    let result = filled(&edition(&words), &forms);
    let text = paragraphs(&result.bytes);
    assert!(text.contains(&words[2].to_owned()), "{text:?}");
    assert!(!result.left_for_you.iter().any(|left| left.field.starts_with("6)")));
}

#[test]
fn the_digest_of_new_words_is_told_to_whoever_describes_them() {
    let forms = stating("Something else");
    let form = edition(&["☐ 1) Our NCTS6 Software product is aligned with:", "- the schemas"]);
    let (statuses, runs) = ncts6_evidence();
    let (programme, settings) = (ncts6(), full_settings());
    let answers = collect(&programme, &settings, &statuses, &runs, false);
    let case = Case {
        programme: &programme,
        settings: &settings,
        needs: &[],
        runs: &runs,
        removed: &[],
        waiting: &BTreeMap::new(),
        integrity: None,
        as_of: at("2026-11-23T09:00:00Z"),
        submit_on: None,
        rehearsal: false,
    };
    let read = FilledForm::read(&form, &forms).unwrap();
    let report = check(&read, "form.docx", &case, &answers).unwrap();
    let found = report.findings.iter().find(|it| it.rule == "statement-reworded").unwrap();
    let digest = |text: &str| Some(statement::digest(text).to_string());
    assert_eq!(found.says, digest("Our NCTS6 Software product is aligned with:\n- the schemas"));
    assert_eq!(found.expected, digest("Something else"));
}

#[test]
fn a_statement_without_end_is_no_known_one() {
    let line = "and all of what follows ".repeat(40);
    let mut words = vec!["☐ 1) Our NCTS6 Software product is aligned with:"];
    words.extend(std::iter::repeat_n(line.as_str(), 2_000));
    let forms = stating("Our NCTS6 Software product is aligned with:");
    let result = filled(&edition(&words), &forms);
    assert!(result.left_for_you.iter().any(|left| left.field.starts_with("1)")));
}
