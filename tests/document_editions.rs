//! Editions of the forms that nobody has described: made up here, with the
//! same questions moved, renumbered, in pieces, among others, with other boxes
//! and twice. What a label finds is filled, what is doubtful is refused and
//! named, and nothing else changes.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod document_support;

use ctc_ready::document::form::{Field, FieldKind};
use ctc_ready::document::{
    Answers, ChecklistReport, Choice, DocumentError, Filled, FormDefinition, Value, collect, fill,
    recognise,
};
use document_support::*;

/// A form being made up, with the changes that filling it must make, in order.
struct Sheet {
    answers: Answers,
    xml: String,
    expected: Vec<(String, String)>,
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn run(text: &str) -> String {
    format!("<w:r><w:t xml:space=\"preserve\">{}</w:t></w:r>", escaped(text))
}

fn p(content: &str) -> String {
    format!("<w:p>{content}</w:p>")
}

fn row(cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<w:tc>{cell}</w:tc>")).collect();
    format!("<w:tr>{cells}</w:tr>")
}

fn table(rows: &str) -> String {
    format!("<w:tbl>{rows}</w:tbl>")
}

const PLACEHOLDER: &str = "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent><w:r><w:t>Click here</w:t></w:r></w:sdtContent></w:sdt>";

fn check_box(ticked: bool) -> String {
    let (state, glyph) = if ticked { (1, '☒') } else { (0, '☐') };
    format!(
        "<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val=\"{state}\"/></w14:checkbox></w:sdtPr><w:sdtContent><w:r><w:t>{glyph}</w:t></w:r></w:sdtContent></w:sdt>"
    )
}

const PLAIN_CONTROL: &str =
    "<w:sdt><w:sdtPr/><w:sdtContent><w:r><w:t>☐</w:t></w:r></w:sdtContent></w:sdt>";

fn form_box(state: &str) -> String {
    format!(
        "<w:r><w:fldChar w:fldCharType=\"begin\"><w:ffData><w:name w:val=\"Check1\"/><w:checkBox><w:sizeAuto/><w:default w:val=\"0\"/>{state}</w:checkBox></w:ffData></w:fldChar></w:r><w:r><w:instrText xml:space=\"preserve\"> FORMCHECKBOX </w:instrText></w:r><w:r><w:fldChar w:fldCharType=\"end\"/></w:r>"
    )
}

impl Sheet {
    fn of_ncts5() -> Self {
        let mut sheet =
            Self { answers: ncts5_answers(false), xml: String::new(), expected: Vec::new() };
        sheet.text("CTC Traders API v2.1");
        sheet.text("Application for production credentials checklist");
        sheet.text("May 2027");
        sheet
    }

    fn of_ncts6() -> Self {
        let mut sheet =
            Self { answers: ncts6_answers(false), xml: String::new(), expected: Vec::new() };
        sheet.text("READINESS CHECKLIST for NCTS6 Integration, second edition");
        sheet
    }

    /// Words that stay as they are.
    fn text(&mut self, text: &str) {
        self.xml.push_str(&p(&run(text)));
    }

    fn value(&self, key: &str) -> Option<String> {
        match &self.answers.get(key)?.value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn on_one_line(&self, key: &str) -> String {
        self.value(key).unwrap_or_default().replace('\n', ", ")
    }

    fn expect(&mut self, before: &str, after: String) {
        if before != after {
            self.expected.push((before.to_owned(), after));
        }
    }

    /// A label with its answer behind it, in these runs.
    fn after_in(&mut self, runs: &str, label: &str, key: &str) {
        self.xml.push_str(&p(runs));
        let after = format!("{label} {}", self.on_one_line(key)).trim_end().to_owned();
        self.expect(label, after);
    }

    fn after(&mut self, label: &str, key: &str) {
        self.after_in(&run(label), label, key);
    }

    /// A row: the label, and an empty cell.
    fn row(&mut self, label: &str, key: &str) -> String {
        let value = self.value(key).unwrap_or_default();
        self.expect("", value);
        row(&[p(&run(label)), "<w:p/>".to_owned()])
    }

    /// A box that is to be ticked or not, with the text of its paragraph.
    fn line(&mut self, content: &str, before: &str, after: &str) {
        self.xml.push_str(&p(content));
        self.expect(before, after.to_owned());
    }

    fn fill(&self) -> (Vec<u8>, Filled) {
        let before = docx_with(
            &document(&self.xml),
            &[("word/styles.xml", b"<styles/>"), ("customXml/item1.xml", b"<a b='&amp;'/>")],
        );
        let forms = made_up_forms();
        let form = recognise(&before, &forms).unwrap();
        let filled = fill(&before, form, &self.answers).unwrap();
        assert!(!filled.edition_known);
        assert_other_members_untouched(&before, &filled.bytes);
        // The same again says the same, and changes nothing.
        let again = fill(&filled.bytes, form, &self.answers).unwrap();
        assert_eq!(
            part(&again.bytes, "word/document.xml"),
            part(&filled.bytes, "word/document.xml")
        );
        assert_eq!(again.filled, filled.filled);
        keep(&filled.bytes);
        (before, filled)
    }

    /// Fills it: what was expected changed, and nothing else.
    #[track_caller]
    fn check(&self) -> Filled {
        let (before, filled) = self.fill();
        assert_eq!(changed(&before, &filled.bytes), self.expected);
        filled
    }
}

fn ncts5_form() -> FormDefinition {
    known_forms().into_iter().find(|form| form.id.starts_with("ncts5")).unwrap()
}

/// The sections of the NCTS5 form, in its order, each with its fields; first
/// those of no section.
fn parts(form: &FormDefinition) -> Vec<(Option<&str>, Vec<&Field>)> {
    let mut out: Vec<(Option<&str>, Vec<&Field>)> = Vec::new();
    for field in &form.fields {
        let table = field.section.as_ref().map(|section| section.table.as_str());
        match out.last_mut() {
            Some((last, fields)) if *last == table => fields.push(field),
            _ => out.push((table, vec![field])),
        }
    }
    out
}

/// What stays for a person in any NCTS5 form whose house has answered all.
#[track_caller]
fn nothing_open(filled: &Filled) {
    assert_eq!(filled.not_found, Vec::<String>::new());
    assert_eq!(filled.left_for_you, []);
}

/// Writes the whole NCTS5 form: `label` words it, `field` lays out a field of
/// text; a section becomes a table.
fn write_ncts5(
    sheet: &mut Sheet,
    reversed: bool,
    label: impl Fn(&str) -> String,
    field: impl Fn(&mut Sheet, &str, &Field) -> String,
) {
    let form = ncts5_form();
    let mut parts = parts(&form);
    if reversed {
        parts.reverse();
    }
    for (title, fields) in parts {
        let mut rows = title.map_or_else(String::new, |title| row(&[p(&run(&label(title)))]));
        for of in fields {
            let words = label(&of.label);
            if let FieldKind::Choice(options) = &of.kind {
                let Some(Value::Choice(answer)) =
                    sheet.answers.get(&of.key).map(|answer| answer.value.clone())
                else {
                    panic!("{}", of.key)
                };
                let line = |ticked: bool| -> String {
                    options
                        .iter()
                        .map(|(choice, word)| {
                            let crossed = ticked && *choice == answer;
                            format!("{word} {}  ", if crossed { '☒' } else { '☐' })
                        })
                        .collect()
                };
                let (before, after) = (line(false), line(true));
                sheet.expect(&before, after);
                rows.push_str(&row(&[p(&run(&words)), p(&run(&before))]));
            } else {
                rows.push_str(&field(sheet, &words, of));
            }
        }
        sheet.xml.push_str(&table(&rows));
    }
}

#[test]
fn fields_moved_into_tables_and_another_order() {
    let mut sheet = Sheet::of_ncts5();
    write_ncts5(&mut sheet, true, str::to_owned, |sheet, label, field| {
        sheet.row(label, &field.key)
    });
    let filled = sheet.check();
    nothing_open(&filled);
    assert_eq!(filled.filled.len(), 18 + 17 + 24, "every field that has an answer");
    // In a cell an answer keeps its lines.
    assert!(paragraphs(&filled.bytes).iter().any(|text| text == "1 Quay Road\nDover\nCT17 9BU"));
}

#[test]
fn questions_renumbered_and_in_other_capitals() {
    let renumbered = |label: &str| {
        let label = match label {
            "1. Mandatory test - Standard Departure" => "(3) Mandatory test 3 - STANDARD departure",
            "2. Mandatory test - Pre-lodged Departure" => {
                "(1) Mandatory test 1 - pre-lodged departure"
            }
            "3. Mandatory test 3 - Arrivals" => "(2) Mandatory test 2 - arrivals",
            "Scenario Number:" => "a) Scenario number :",
            "business name:" => "1. Business Name:",
            "business address:" => "2.1) Business Address:",
            other => other,
        };
        label.to_owned()
    };
    let mut sheet = Sheet::of_ncts5();
    write_ncts5(&mut sheet, false, renumbered, |sheet, label, field| {
        if field.kind == FieldKind::Below {
            let value = sheet.value(&field.key).unwrap_or_default();
            sheet.expect("", value);
            return row(&[p(&run(label)) + "<w:p/>"]);
        }
        let after = format!("{label} {}", sheet.on_one_line(&field.key)).trim_end().to_owned();
        sheet.expect(label, after);
        row(&[p(&run(label))])
    });
    nothing_open(&sheet.check());

    let mut sheet = Sheet::of_ncts6();
    sheet.after("SWD Name:", "business.name");
    for (before, after) in [
        ("☐ (7) Our NCTS6 software product is aligned with it", "☒"),
        ("☐ 2) Please tell us the sandbox name and ID you used", "☒"),
        // Another question under the number that was another's.
        ("☐ 1) Our NCTS7 Software product is aligned with it", "☐"),
        ("☐ Evidence of a completed outbound Transit Movement", "☒"),
        ("☐ 9. OUR NCTS6 product is ready", "☒"),
    ] {
        sheet.line(&run(before), before, &before.replace('☐', after));
    }
    let filled = sheet.check();
    // Statements that are not there are named, and those alone.
    for absent in ["3)", "4)"] {
        assert!(filled.not_found.iter().any(|name| name.starts_with(absent)), "{absent}");
    }
    assert!(!filled.not_found.iter().any(|name| name.starts_with("1)")));
}

#[test]
fn labels_in_pieces() {
    let mut sheet = Sheet::of_ncts5();
    write_ncts5(&mut sheet, false, str::to_owned, |sheet, label, field| {
        // A run for every three characters, with what Word puts between.
        let letters: Vec<char> = label.chars().collect();
        let pieces: Vec<String> =
            letters.chunks(3).map(|piece| run(&piece.iter().collect::<String>())).collect();
        let runs = pieces.join("<w:proofErr w:type=\"spellStart\"/><w:bookmarkStart w:id=\"0\" w:name=\"b\"/><w:bookmarkEnd w:id=\"0\"/>");
        if field.kind == FieldKind::Below {
            let value = sheet.value(&field.key).unwrap_or_default();
            sheet.expect("", value);
            return row(&[p(&runs) + "<w:p/>"]);
        }
        let after = format!("{label} {}", sheet.on_one_line(&field.key)).trim_end().to_owned();
        sheet.expect(label, after);
        row(&[p(&runs)])
    });
    nothing_open(&sheet.check());
}

#[test]
fn extra_questions_stay_empty() {
    let mut sheet = Sheet::of_ncts5();
    sheet.after("business name:", "business.name");
    sheet.text("business registration number:");
    sheet.after("business address:", "business.address");
    sheet.text("What is your telephone number?");
    sheet.line(
        &run("Are you using an on-premise software solution? Yes ☐ No ☐ In part ☐"),
        "Are you using an on-premise software solution? Yes ☐ No ☐ In part ☐",
        "Are you using an on-premise software solution? Yes ☒ No ☐ In part ☐",
    );
    sheet.text("Are you using Artificial Intelligence? Yes ☐ No ☐");
    // The limit is another one: the answer was about 5000.
    sheet.text("Do you expect to have more than 50000 movements? Yes ☐ No ☐ Don't know ☐");
    let title = p(&run("4. Mandatory test – Diversion"));
    let label = |text: &str| row(&[p(&run(text))]);
    sheet.xml.push_str(&table(
        &(row(&[title]) + &label("Scenario Number:") + &label("MRN:") + &label("IE044:")),
    ));
    let title = p(&run("3. Mandatory test 3 – Arrivals"));
    let mrn = sheet.value("mandatory.arrival.mrn").unwrap();
    let rows = row(&[title]) + &label("MRN:") + &label("Name of the tester:");
    sheet.xml.push_str(&table(&rows));
    sheet.expect("MRN:", format!("MRN: {mrn}"));
    let filled = sheet.check();
    let named = |name: &str| filled.not_found.iter().any(|text| text.starts_with(name));
    assert!(named("more than 5000 movements") && named("arrival: scenario number"));
    assert!(named("standard departure: MRN") && !named("business"));
}

#[test]
fn boxes_of_other_kinds_and_on_the_other_side() {
    let mut sheet = Sheet::of_ncts5();
    // A check box control, then boxes before their words.
    let content = run("Are you using Software as a Service? Yes ")
        + &check_box(false)
        + &run(" No ")
        + &check_box(false);
    let said = "Are you using Software as a Service? Yes ☐ No ☐";
    sheet.line(&content, said, &said.replace("No ☐", "No ☒"));
    let content = run("Are you using an on-premise solution? ")
        + PLAIN_CONTROL
        + &run(" YES ☐ No ")
        + PLAIN_CONTROL
        + &run(" Don’t know");
    let said = "Are you using an on-premise solution? ☐ YES ☐ No ☐ Don’t know";
    sheet.line(&content, said, &said.replace("☐ YES", "☒ YES"));
    // A line for each box.
    sheet.text("Do you expect to exceed this limit?");
    sheet.text("☐ Yes");
    sheet.text("☐ No");
    sheet.line(&run("☐ Don’t know"), "☐ Don’t know", "☒ Don’t know");
    // Boxes of an old Word, in the cell beside; their state is not in the text.
    let boxes = run("Yes ") + &form_box("") + &run(" No ") + &form_box("<w:checked w:val=\"0\"/>");
    let question = p(&run("Will this be enough for your production application?"));
    sheet.xml.push_str(&table(&row(&[question, p(&boxes)])));
    // Words on both sides: nobody can tell.
    sheet.text("Do you expect to have more than 5000? Don't know ☐ Yes ☐ No ☐ Don't know");
    let filled = sheet.check();
    let xml = part(&filled.bytes, "word/document.xml");
    let old = |state: &str| format!("<w:default w:val=\"0\"/>{state}</w:checkBox>");
    assert!(xml.contains(&old("")), "{xml}");
    assert!(xml.contains(&old("<w:checked w:val=\"1\"/>")), "{xml}");
    let states: Vec<String> = check_boxes(&filled.bytes).into_iter().map(|(on, _)| on).collect();
    assert_eq!(states, ["0", "1"]);
    let unclear = filled.not_found.iter().find(|text| text.starts_with("more than 5000")).unwrap();
    assert!(unclear.contains("two ways") || unclear.contains("several"), "{unclear}");

    let mut sheet = Sheet::of_ncts6();
    // A control where there was a line, a line where there was a control.
    let name = sheet.on_one_line("business.name");
    sheet.line(
        &(run("SWD Name: ") + PLACEHOLDER),
        "SWD Name: Click here",
        &format!("SWD Name: {name}"),
    );
    let mrn = sheet.value("outbound-movement.mrn").unwrap();
    sheet.line(&run("MRN used: ______"), "MRN used: ______", &format!("MRN used: {mrn}"));
    let name = sheet.value("sandbox.name").unwrap();
    let cells = [p(&run("Sandbox Application Name:")), p(PLACEHOLDER)];
    sheet.xml.push_str(&table(&row(&cells)));
    sheet.expect("Click here", name);
    // The box behind its statement, or in the cell before it.
    let statement = "4) We have carried out testing and integration ☐";
    sheet.line(&run(statement), statement, &statement.replace('☐', "☒"));
    let cells = [p(&form_box("")), p(&run("6) Our NCTS6 product is ready"))];
    sheet.xml.push_str(&table(&row(&cells)));
    // Two boxes for one statement.
    sheet.text("☐ 1) Our NCTS6 Software product is aligned ☐");
    let filled = sheet.check();
    let xml = part(&filled.bytes, "word/document.xml");
    assert!(xml.contains(&old("<w:checked w:val=\"1\"/>")), "{xml}");
    assert!(!xml.contains("showingPlcHdr"));
    let two = filled.not_found.iter().find(|text| text.starts_with("1)")).unwrap();
    assert!(two.contains("several boxes"), "{two}");
}

#[test]
fn the_boxes_of_another_question_are_not_taken() {
    for between in [
        // The question has no boxes; the next one has, beside it or below it.
        vec!["Are you a bank? Yes ☐ No ☐"],
        vec!["Are you a bank? ☐ Yes ☐ No ☐ Perhaps"],
        vec!["", "Are you a bank?", "Yes ☐ No ☐"],
        vec!["Are you a bank?", "☐ Yes", "☐ No"],
    ] {
        let mut sheet = Sheet::of_ncts5();
        sheet.text("Are you using an on-premise solution?");
        for text in &between {
            sheet.text(text);
        }
        let filled = sheet.check();
        let named = filled.not_found.iter().any(|name| name.starts_with("on-premise"));
        assert!(named, "{between:?}: {:?}", filled.filled);
    }
}

#[test]
fn no_label_begins_another_of_its_section() {
    // Otherwise an edition without the longer one would get both answers there.
    for form in known_forms() {
        for (at, field) in form.fields.iter().enumerate() {
            let label = field.label.to_lowercase();
            let others = form.fields.iter().enumerate().filter(|(other, _)| *other != at);
            for (_, other) in others.filter(|(_, other)| other.section == field.section) {
                let longer = other.label.to_lowercase();
                assert!(!longer.starts_with(&label), "{}: {label} / {longer}", form.id);
            }
        }
    }
}

#[test]
fn a_field_that_is_there_twice_is_refused_by_name() {
    let mut sheet = Sheet::of_ncts5();
    sheet.text("business name:");
    sheet.after("business address:", "business.address");
    // In other capitals and under a number, and still the same label.
    sheet.text("7. Business Name:");
    let block = |scenario: &str| {
        let label = |text: &str| row(&[p(&run(text))]);
        table(&(label("1. Mandatory test – Standard Departure") + &label(scenario)))
    };
    sheet.xml.push_str(&block("Scenario Number:"));
    sheet.xml.push_str(&block("Scenario Number:"));
    let filled = sheet.check();
    let why = |name: &str| filled.not_found.iter().find(|text| text.starts_with(name)).unwrap();
    assert!(why("business name").contains("occurs 2 times"), "{}", why("business name"));
    assert!(why("standard departure: scenario").contains("occurs 2 times"));
    assert_eq!(filled.filled.len(), 1, "{:?}", filled.filled);
}

#[test]
fn a_persons_words_stay_in_any_edition() {
    let mut sheet = Sheet::of_ncts5();
    sheet.xml.push_str(&table(&row(&[p(&run("business name:")), p(&run("Our House Ltd"))])));
    let filled = sheet.check();
    let left = filled.left_for_you.iter().find(|left| left.field == "business name").unwrap();
    assert!(left.why.contains("already says"), "{}", left.why);
}

#[test]
fn the_report_tells_an_unknown_edition() {
    let (_, filled) = Sheet::of_ncts5().fill();
    let report = |form| {
        serde_json::to_value(ChecklistReport::new(form, "checklist.docx", false, &filled)).unwrap()
    };
    let json = report(Some("ncts5-checklist-2024-01"));
    assert_eq!((&json["recognised"], &json["edition_known"]), (&true.into(), &false.into()));
    assert_eq!(json["not_found"].as_array().unwrap().len(), ncts5_form().fields.len());
    assert!(report(None)["edition_known"].is_null());
}

#[test]
fn another_family_is_refused() {
    let forms = known_forms();
    // Another interface, or a letter about the form.
    for titles in [
        ["CTC Traders API v3.0", "Application for Production Credentials Checklist"],
        ["About the Readiness Checklist for NCTS6", "Dear developer"],
    ] {
        let body: String = titles.iter().map(|title| p(&run(title))).collect();
        let error = recognise(&docx(&body), &forms).unwrap_err();
        assert!(matches!(error, DocumentError::UnknownForm { .. }), "{error}");
    }
    // Two families in one file.
    let sheets = [Sheet::of_ncts5(), Sheet::of_ncts6()];
    let body: String = sheets.iter().map(|sheet| sheet.xml.as_str()).collect();
    let error = recognise(&docx(&(body + &p(&run("SWD Name:")))), &forms).unwrap_err();
    assert!(matches!(error, DocumentError::SeveralForms { .. }), "{error}");
}

/// HMRC's form with nothing but another date is filled like the known one.
#[test]
fn the_official_forms_under_another_date_are_filled_alike() {
    for (name, answers, from, to) in [
        (NCTS5_FORM, ncts5_answers(false), ">January<", ">July<"),
        (NCTS6_FORM, ncts6_answers(false), "Electronic Signature:", "Signed:"),
    ] {
        let Some(form) = reference(name) else { return };
        let xml = part(&form, "word/document.xml");
        let other = xml.replacen(from, to, 1);
        assert_ne!(xml, other);
        let forms = known_forms();
        let definition = recognise(&form, &forms).unwrap();
        let known = fill(&form, definition, &answers).unwrap();
        assert!(known.edition_known);
        let renamed = with_document(&form, &other);
        assert_eq!(recognise(&renamed, &forms).unwrap().id, definition.id);
        let unknown = fill(&renamed, definition, &answers).unwrap();
        assert!(!unknown.edition_known);
        assert_eq!(unknown.filled, known.filled);
        assert_eq!(
            changed(&renamed, &unknown.bytes),
            changed(&form, &known.bytes),
            "{name}: the same answers at the same places"
        );
        assert_other_members_untouched(&renamed, &unknown.bytes);
    }
}

#[test]
fn choices_have_the_answers_that_the_editions_expect() {
    // The tests above tick by these.
    let answers = ncts5_answers(false);
    let choice = |key: &str| answers.get(key).map(|answer| answer.value.clone());
    assert_eq!(choice("saas"), Some(Value::Choice(Choice::No)));
    assert_eq!(choice("on-premise"), Some(Value::Choice(Choice::Yes)));
    assert_eq!(choice("more-than-500"), Some(Value::Choice(Choice::DontKnow)));
    let none = collect(&ncts5(), &empty_settings(), &[], &[], false);
    assert_eq!(none.get("saas"), None);
}
