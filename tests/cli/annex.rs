//! `checklist --annex` and `--preview`, and the annex in a bundle.

use std::fs;
use std::io::Read as _;

use ctc_ready::digest::Digest;

use crate::checking::{NCTS5, NCTS6, made_up};
use crate::contract::assert_valid;
use crate::support::{Project, text_of_docx, tree};

/// A rehearsed project with empty forms in it.
fn with_forms() -> Project {
    let project = Project::rehearsed();
    fs::write(project.file("form5.docx"), made_up(NCTS5)).unwrap();
    fs::write(project.file("form6.docx"), made_up(NCTS6)).unwrap();
    project
}

#[test]
fn an_annex_lies_beside_the_form_that_it_names() {
    let project = with_forms();
    let args = ["checklist", "--rehearsal", "--form", "form6.docx", "--output", "filled.docx"];
    let alone = project.json(&args, 0);
    assert_valid("checklist", &alone);
    assert_eq!(alone["annex"], serde_json::Value::Null);
    assert!(!project.file("filled-annex.docx").exists());
    let form = fs::read(project.file("filled.docx")).unwrap();

    let report = project.json(&[&args[..], &["--annex"]].concat(), 0);
    assert_valid("checklist", &report);
    assert_eq!(report["annex"], "filled-annex.docx");
    assert_eq!(fs::read(project.file("filled.docx")).unwrap(), form, "the form is the same");
    let text = text_of_docx(&project.file("filled-annex.docx"));
    let empty = Digest::of(&fs::read(project.file("form6.docx")).unwrap()).to_string();
    for told in ["filled.docx", "ncts6-readiness-2026-04-14", &empty, "REHEARSAL"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let mrn = report["filled"].as_array().unwrap().iter();
    let mut mrn = mrn.filter(|field| field["field"].as_str().unwrap().ends_with("MRN"));
    assert!(text.contains(mrn.next().unwrap()["value"].as_str().unwrap()));
    // Who reads the screen is told of both.
    let args = [&args[..], &["--annex", "--at", "2030-01-01"]].concat();
    let said = project.call(&args).code(0).stdout;
    assert!(said.contains("wrote filled-annex.docx\n  its annex"), "{said}");
    // An annex that was there is kept.
    assert!(project.file("filled-annex.previous-1.docx").exists());
}

#[test]
fn an_annex_needs_a_form_and_a_place() {
    let project = with_forms();
    project.call(&["checklist", "--annex"]).code(2).says(&["--form"]);
    fs::write(project.file("filled-annex.docx"), "mine").unwrap();
    let before = tree(project.path());
    let args = ["checklist", "--form", "form6.docx", "--output", "filled.docx", "--annex"];
    project.call(&args).code(3).says(&["filled-annex.docx", "no Word document"]);
    assert_eq!(tree(project.path()), before, "the form is not written either");
}

#[test]
fn a_bundle_with_a_form_has_its_annex() {
    let project = with_forms();
    for (flag, form, annex) in [
        ("--rehearsal", "form5.docx", "checklist-REHEARSAL-annex.docx"),
        ("--draft", "form6.docx", "checklist-DRAFT-annex.docx"),
    ] {
        let report = project.json(&["pack", flag, "--form", form, "--output", "out.zip"], 0);
        assert_valid("pack", &report);
        assert_eq!(report["checklist"]["annex"], annex);
        let papers = report["contents"]["papers"].as_array().unwrap();
        assert!(papers.iter().any(|paper| paper == annex), "{papers:?}");
        let mut zip =
            zip::ZipArchive::new(fs::File::open(project.file("out.zip")).unwrap()).unwrap();
        let mut readme = String::new();
        zip.by_name("README.txt").unwrap().read_to_string(&mut readme).unwrap();
        assert!(readme.contains(annex), "{readme}");
        let mut bytes = Vec::new();
        zip.by_name(annex).unwrap().read_to_end(&mut bytes).unwrap();
        fs::write(project.file("annex.docx"), bytes).unwrap();
        let text = text_of_docx(&project.file("annex.docx"));
        assert!(text.contains(&annex.replace("-annex", "")), "it names the form: {text}");
        let mut annex =
            zip::ZipArchive::new(fs::File::open(project.file("annex.docx")).unwrap()).unwrap();
        let mut header = String::new();
        annex.by_name("word/header1.xml").unwrap().read_to_string(&mut header).unwrap();
        let mark = flag.trim_start_matches("--").to_uppercase();
        assert!(header.contains(&format!("{mark}: NOT FOR SUBMISSION")), "{header}");
        project.call(&["verify", "out.zip"]).code(0);
    }
    // ctc-ready's own document holds what an annex would.
    let report = project.json(&["pack", "--rehearsal", "--output", "own.zip"], 0);
    assert_eq!(report["checklist"]["annex"], serde_json::Value::Null);
}

#[test]
fn a_preview_writes_nothing_and_shows_all() {
    let project = with_forms();
    let before = tree(project.path());
    let preview = |args: &[&str]| {
        let args = [&["checklist", "--rehearsal", "--preview"], args].concat();
        project.call(&args).code(0).stdout
    };
    let own = preview(&["markdown"]);
    let form = preview(&["markdown", "--form", "form6.docx"]);
    let page = preview(&["html", "--form", "form6.docx"]);
    assert_eq!(tree(project.path()), before);
    for (text, told) in [
        (&own, "# Evidence of readiness"),
        (&own, "| business name | `Invented Software Ltd` | settings |"),
        (&own, "Nothing was written"),
        (&form, "# Preview of the form"),
        (&form, "| software developer name | `Invented Software Ltd` | settings |"),
        (&form, "| electronic signature | only a person may sign |"),
        (&form, "| outbound movement: MRN | `"),
        (&form, "  - SHA-256: `"),
        (&page, "<td>only a person may sign</td>"),
        (&page, "checklist-REHEARSAL.docx"),
        (&page, "REHEARSAL: NOT FOR SUBMISSION"),
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    // Nothing is fetched and nothing runs; a pattern of the style is its own.
    let page = page.replace("url(#hatch)", "");
    assert!(page.contains("default-src &#39;none&#39;"));
    for forbidden in ["<script", "<link", "<img", "src=", "url(", " style="] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn a_preview_goes_with_nothing_that_writes() {
    let project = with_forms();
    for more in [
        &["--output", "x.docx"][..],
        &["--form", "form6.docx", "--annex"],
        &["--check", "form6.docx"],
        &["--format", "json"],
    ] {
        let args = [&["checklist", "--preview", "html"], more].concat();
        let refused = project.call(&args).code(2);
        assert!(refused.stderr.contains("--preview"), "{}", refused.stderr);
    }
    project.call(&["checklist", "--preview", "pdf"]).code(2).says(&["html", "markdown"]);
}

#[test]
fn a_preview_holds_back_a_secret() {
    let project = with_forms();
    let secret = "a-token-that-nobody-may-see-0123456789";
    let settings = project.settings().replace("Invented Software Ltd", secret);
    assert!(settings.contains(secret));
    project.write_settings(&settings);
    for how in ["html", "markdown"] {
        let mut command = project.command(&["checklist", "--preview", how]);
        let refused = crate::support::outcome(command.env("CTC_READY_TOKEN", secret)).code(3);
        assert_eq!(refused.stdout, "");
        assert!(!refused.stderr.contains(secret), "{}", refused.stderr);
    }
}
