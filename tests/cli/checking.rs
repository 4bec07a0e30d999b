//! `checklist --check`: a filled form read back.

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use serde_json::Value;

use crate::contract::{assert_fields, assert_valid};
use crate::support::{Project, form, tree};

pub const NCTS5: &str =
    include_str!("../../scenarios/ncts5-final/forms/ncts5-checklist-2024-01.toml");
pub const NCTS6: &str = include_str!("../../scenarios/ncts6/forms/ncts6-readiness-2026-04-14.toml");

const OPEN: [&str; 2] = ["electronic signature", "date of the signature"];

/// What is found in a form whose boxes have other words than HMRC's.
const OWN_WORDS: [&str; 8] = [
    "1) aligned with the Developer Hub's resources",
    "2) sandbox application name and ID given",
    "3) production application name and ID given",
    "4) tested and integrated to in-house standards",
    "5) evidence of a completed outbound movement",
    "6) ready for the go-live of NCTS6",
    OPEN[0],
    OPEN[1],
];

fn p(text: &str) -> String {
    format!("<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

/// A field as the kind of it wants, empty.
fn field(field: &toml::Value) -> String {
    let label = field["label"].as_str().unwrap().replace('&', "&amp;");
    match field["kind"].as_str().unwrap() {
        "after-label" => p(&format!("{label} ")),
        "line" => p(&format!("{label} ______")),
        "below" => p(&label) + &p(""),
        "tick" => p(&format!("☐ {label}")),
        "control" => format!(
            "<w:p><w:r><w:t xml:space=\"preserve\">{label} </w:t></w:r><w:sdt><w:sdtPr>\
             <w:showingPlcHdr/></w:sdtPr><w:sdtContent><w:r><w:t>Enter</w:t></w:r>\
             </w:sdtContent></w:sdt></w:p>"
        ),
        _ => {
            let options = field["options"].as_table().unwrap().values();
            let boxes: Vec<String> =
                options.map(|word| format!("{} ☐", word.as_str().unwrap())).collect();
            p(&label) + &p(&boxes.join(" "))
        }
    }
}

/// A document of our own making with the fields of an edition.
pub fn made_up(definition: &str) -> Vec<u8> {
    let form: toml::Value = toml::from_str(definition).unwrap();
    let list = |value: &toml::Value, name: &str| -> Vec<toml::Value> {
        value.get(name).and_then(toml::Value::as_array).cloned().unwrap_or_default()
    };
    let mut body: String = list(&form, "field").iter().map(field).collect();
    for section in list(&form, "section") {
        for n in 1..=section.get("count").and_then(toml::Value::as_integer).unwrap_or(1) {
            let title = section["table"].as_str().unwrap().replace("{n}", &n.to_string());
            let fields: String = list(&section, "field").iter().map(field).collect();
            body += &format!("<w:tbl><w:tr><w:tc>{}{fields}</w:tc></w:tr></w:tbl>", p(&title));
        }
    }
    for phrase in list(&form, "recognise") {
        let phrase = phrase.as_str().unwrap();
        if !body.contains(phrase) {
            body += &p(phrase);
        }
    }
    docx(&format!(
        "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">\
         <w:body>{body}</w:body></w:document>"
    ))
}

pub fn docx(document: &str) -> Vec<u8> {
    let types = "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
        <Override PartName=\"/word/document.xml\" ContentType=\"application/vnd.openxmlformats-\
        officedocument.wordprocessingml.document.main+xml\"/></Types>";
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [("[Content_Types].xml", types), ("word/document.xml", document)] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The document of a form, to change.
pub fn document(path: &Path) -> String {
    let mut zip = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut xml = String::new();
    zip.by_name("word/document.xml").unwrap().read_to_string(&mut xml).unwrap();
    xml
}

/// A project with the form filled as `filled.docx`.
fn filled(project: &Project, form: &Path) {
    let args = ["checklist", "--rehearsal", "--form", form.to_str().unwrap()];
    let report = project.json(&[&args[..], &["--output", "filled.docx"]].concat(), 0);
    assert_eq!(report["not_found"], serde_json::json!([]));
}

fn check(project: &Project, more: &[&str], code: i32) -> Value {
    let args = ["checklist", "--check", "filled.docx"];
    let report = project.json(&[&args[..], more].concat(), code);
    assert_valid("checklist-check", &report);
    assert_eq!(report["agrees"], code == 0);
    report
}

/// `rule field` of each finding that is more than information.
fn wrong(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["severity"] != "info")
        .map(|finding| text(&finding["rule"]) + " " + &text(&finding["field"]))
        .collect()
}

#[test]
fn a_form_just_filled_agrees() {
    let project = Project::rehearsed();
    let official = |name| form(name).map(|path| fs::read(path).unwrap());
    for (bytes, id, open) in [
        (Some(made_up(NCTS5)), "ncts5-checklist-2024-01", &[][..]),
        (Some(made_up(NCTS6)), "ncts6-readiness-2026-04-14", &OWN_WORDS),
        (
            official("ctc-traders-v2.0-checklist-v1.1-january-2024.docx"),
            "ncts5-checklist-2024-01",
            &[],
        ),
        (
            official("ncts6-readiness-checklist-2026-04-14.docx"),
            "ncts6-readiness-2026-04-14",
            &OPEN,
        ),
    ] {
        let Some(bytes) = bytes else { continue };
        let empty = project.file("form.docx");
        fs::write(&empty, bytes).unwrap();
        filled(&project, &empty);
        if open.len() > OPEN.len() {
            // The words of its boxes are not HMRC's: a person ticks them.
            let ticked = document(&project.file("filled.docx")).replace('☐', "☒");
            fs::write(project.file("filled.docx"), docx(&ticked)).unwrap();
        }
        let before = tree(project.path());
        let report = check(&project, &["--rehearsal"], 0);
        assert_fields(
            &report,
            &["form", "file", "programme", "as_of", "rehearsal", "agrees", "fields_read"],
        );
        assert_eq!((&report["form"], &report["file"]), (&id.into(), &"filled.docx".into()));
        let fields: Vec<&Value> =
            report["findings"].as_array().unwrap().iter().map(|it| &it["field"]).collect();
        assert_eq!(fields, open, "{report:#}");
        // A rehearsal's copy is nothing to submit.
        assert_eq!(wrong(&check(&project, &[], 1)), ["rehearsal-copy the document"]);
        // Evidence grows old while the form lies about.
        let report = check(&project, &["--rehearsal", "--at", "2099-12-01"], 1);
        assert!(wrong(&report).iter().any(|it| it.starts_with("evidence-stale ")), "{report:#}");
        assert!(before == tree(project.path()), "`--check` wrote something");
        for name in ["form.docx", "filled.docx"] {
            fs::remove_file(project.file(name)).unwrap();
        }
    }
}

#[test]
fn what_differs_is_told_to_people_in_80_columns() {
    let project = Project::rehearsed();
    let empty = project.file("form.docx");
    fs::write(&empty, made_up(NCTS6)).unwrap();
    filled(&project, &empty);
    let runs = project.json(&["run", "--environment", "simulator"], 0);
    let mrn = |index: usize| runs["runs"][index]["mrn"].as_str().unwrap();
    let changed = document(&project.file("filled.docx"))
        .replace("Invented Software Ltd", "Invented Software Limited")
        .replace('☐', "☒")
        .replace("☒ 4)", "☐ 4)")
        .replace(mrn(3), mrn(0));
    fs::write(project.file("filled.docx"), docx(&changed)).unwrap();
    let report = check(&project, &["--rehearsal"], 1);
    assert_eq!(
        wrong(&report),
        [
            "text-edited software developer name",
            "statement-reworded 4) tested and integrated to in-house standards",
            "mrn-of-another-scenario outbound movement: MRN",
        ]
    );
    for finding in report["findings"].as_array().unwrap() {
        assert_fields(finding, &["says", "expected", "run", "message"]);
        let message = finding["message"].as_str().unwrap();
        assert!(!message.contains(project.path().to_str().unwrap()), "{message}");
    }
    let said = project.call(&["checklist", "--check", "filled.docx", "--rehearsal"]).code(1).stdout;
    crate::reading::snapshot("checklist-check", &said);

    // Simulated evidence is found out where the marks were taken off.
    let unmarked = document(&project.file("filled.docx"))
        .replace("REHEARSAL: NOT FOR SUBMISSION", "")
        .replace(" [REHEARSAL]", "")
        .replace(mrn(0), mrn(3));
    fs::write(project.file("filled.docx"), docx(&unmarked)).unwrap();
    let rules = wrong(&check(&project, &[], 1));
    assert!(rules.contains(&"simulated-evidence outbound movement: MRN".to_owned()), "{rules:?}");
}

#[test]
fn what_is_no_form_is_refused() {
    let project = Project::rehearsed();
    let whole = made_up(NCTS6);
    let entity = "<!DOCTYPE w:document [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\
        <w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">\
        <w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body></w:document>";
    let letter = "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/\
        main\"><w:body><w:p><w:r><w:t>Dear Sirs</w:t></w:r></w:p></w:body></w:document>";
    for (bytes, said) in [
        (&b"not a zip"[..], "not a Word document"),
        (&whole[..whole.len() / 2], "not a Word document"),
        (&docx(entity), "not readable"),
        (&docx(letter), "none of the forms"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "password"),
    ] {
        fs::write(project.file("filled.docx"), bytes).unwrap();
        let path = project.file("filled.docx");
        let refused = project.call(&["checklist", "--check", path.to_str().unwrap()]).code(3);
        assert!(!refused.stderr.contains(project.path().to_str().unwrap()), "{refused:?}");
        refused.says(&[said, "the file is `filled.docx`"]);
    }
    project.call(&["checklist", "--check", "missing.docx"]).code(3).says(&["missing.docx"]);
    // Our own document is no form of HMRC's.
    project.call(&["checklist", "--output", "own.docx"]).code(0);
    project.call(&["checklist", "--check", "own.docx"]).code(3).says(&["none of the forms"]);
    for flags in [["--form", "a.docx"], ["--output", "a.docx"]] {
        let args = ["checklist", "--check", "own.docx", flags[0], flags[1]];
        project.call(&args).code(2);
    }
    // A form of another programme than the one named.
    fs::write(project.file("filled.docx"), whole).unwrap();
    let args = ["checklist", "--check", "filled.docx", "--programme", "ncts5-final"];
    project.call(&args).code(3).says(&["is not a form of the programme"]);
}
