//! HMRC's own forms, filled: every answer where a person would look for it,
//! nothing else changed.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod document_support;

use std::collections::BTreeMap;

use ctc_ready::catalogue::{Flow, RequirementKind};
use ctc_ready::document::{Answers, Filled, Source, collect, fill, recognise};
use ctc_ready::verdict::RequirementState;
use document_support::*;

fn filled(form: &[u8], answers: &Answers) -> Filled {
    let forms = known_forms();
    let form_definition = recognise(form, &forms).unwrap();
    fill(form, form_definition, answers).unwrap()
}

#[test]
fn the_ncts5_form_holds_every_answer_where_a_reader_looks() {
    let Some(form) = reference(NCTS5_FORM) else { return };
    let result = filled(&form, &ncts5_answers(false));
    assert_eq!(result.not_found, Vec::<String>::new());
    assert_eq!(result.left_for_you, []);

    // In the form's order: what a paragraph begins with, and the answer that
    // is new in it.
    let mut expected: Vec<(String, String)> = [
        ("business name:", "Müller & Söhne \"Zoll\" <Spedition> 株式会社"),
        ("business address:", "1 Quay Road, Dover, CT17 9BU"),
        ("sandbox Application Name:", "Transit Desk (sandbox)"),
        ("sandbox Application ID:", "5f1c0ffe-0000-4000-8000-000000000001"),
        ("Production Application Name:", "Transit Desk"),
        ("Production Application ID:", "5f1c0ffe-0000-4000-8000-000000000002"),
        ("Are you using Software as", "No ☒"),
        ("Are you using an on-premise", "Yes ☒"),
        ("If on-premise,", "3"),
        ("Will this be enough", "No ☒"),
        ("", "Two ports, one evening peak.\nForty lorries an hour."),
        ("", "None: a new product."),
        ("", "5 calls a movement x 2,000 movements an hour & more."),
        ("", "12"),
        ("", "No batches."),
        ("", "Lorries wait."),
        ("Yes ☐", "Don’t know ☒"),
        ("Yes ☐", "No ☒"),
        ("Scenario Number:", "DNGB1"),
        ("MRN:", "26GB00000000000001"),
        ("IE015 ", "2026-11-21 09:30:05 UTC"),
        ("IE928 ", "2026-11-21 09:31:05 UTC"),
        ("IE028 ", "2026-11-21 09:32:05 UTC"),
        ("IE029 ", "2026-11-21 09:33:05 UTC"),
        ("Scenario Number:", "PNGB1"),
        ("MRN:", "26GB00000000000002"),
        ("IE015 ", "2026-11-21 10:00:00 UTC"),
        ("IE928 ", "2026-11-21 10:01:00 UTC"),
        ("IE170 ", "2026-11-21 10:02:00 UTC"),
        ("IE028 ", "2026-11-21 10:04:00 UTC"),
        ("IE029 ", "2026-11-21 10:05:00 UTC"),
        ("Scenario Number:", "ANGB1"),
        ("MRN:", "26GB00000000000003"),
        ("IE007 ", "2026-11-21 11:04:00 UTC"),
        ("IE045 ", "2026-11-21 11:07:00 UTC"),
    ]
    .iter()
    .map(|(label, answer)| ((*label).to_owned(), (*answer).to_owned()))
    .collect();
    for n in 1..=12 {
        expected.push(("Scenario Number:".to_owned(), format!("R{n}")));
        expected.push(("MRN/LRN:".to_owned(), format!("26GB{:014}", 100 + n)));
    }
    let changes = changed(&form, &result.bytes);
    assert_eq!(changes.len(), expected.len());
    for ((before, after), (label, answer)) in changes.iter().zip(&expected) {
        assert!(after.starts_with(label.as_str()), "`{after}` is not `{label}`");
        if answer.ends_with('☒') {
            // One box, and nothing else of the line.
            assert!(after.contains(answer.as_str()), "`{after}` lacks `{answer}`");
            assert_eq!(*before, after.replace('☒', "☐"));
            assert_eq!(after.matches('☒').count(), 1);
        } else {
            let space = if before.is_empty() || before.ends_with(' ') { "" } else { " " };
            assert_eq!(*after, format!("{before}{space}{answer}"));
        }
    }
    assert_other_members_untouched(&form, &result.bytes);
    // The sources are as they are.
    let from: BTreeMap<&str, Source> =
        result.filled.iter().map(|field| (field.field.as_str(), field.from)).collect();
    assert_eq!(from["business name"], Source::Settings);
    assert_eq!(from["standard departure: MRN"], Source::Evidence);
}

#[test]
fn values_land_in_the_block_of_their_test() {
    let Some(form) = reference(NCTS5_FORM) else { return };
    let result = filled(&form, &ncts5_answers(false));
    let text = paragraphs(&result.bytes);
    let position = |wanted: &str| {
        text.iter()
            .position(|paragraph| paragraph.trim() == wanted)
            .unwrap_or_else(|| panic!("{wanted}"))
    };
    let blocks = [
        position("1. Mandatory test – Standard Departure"),
        position("MRN: 26GB00000000000001"),
        position("2. Mandatory test – Pre-lodged Departure"),
        position("MRN: 26GB00000000000002"),
        position("3. Mandatory test 3 – Arrivals"),
        position("MRN: 26GB00000000000003"),
        position("1. Recommended"),
        position("MRN/LRN: 26GB00000000000101"),
        position("2. Recommended"),
        position("11. Recommended"),
        position("MRN/LRN: 26GB00000000000111"),
        position("12. Recommended"),
        position("MRN/LRN: 26GB00000000000112"),
    ];
    assert!(blocks.is_sorted(), "{blocks:?}");
}

#[test]
fn nothing_is_written_for_a_house_that_has_nothing() {
    let Some(form) = reference(NCTS5_FORM) else { return };
    let statuses = vec![
        without_run("standard-departure", RequirementKind::Mandatory, RequirementState::Missing),
        without_run(
            "pre-lodged-departure",
            RequirementKind::Mandatory,
            RequirementState::NotApplicable,
        ),
        without_run("arrival", RequirementKind::Mandatory, RequirementState::Stale),
    ];
    let answers = collect(&ncts5(), &empty_settings(), &statuses, &[], false);
    let result = filled(&form, &answers);
    assert_eq!(changed(&form, &result.bytes), []);
    assert_eq!(part(&form, "word/document.xml"), part(&result.bytes, "word/document.xml"));
    assert_eq!(result.filled, []);
    assert_eq!(result.not_found, Vec::<String>::new());
    let left: Vec<&str> = result.left_for_you.iter().map(|left| left.field.as_str()).collect();
    assert_eq!(
        left,
        [
            "business name",
            "business address",
            "sandbox application name",
            "sandbox application ID",
            "production application name",
            "production application ID",
            "software as a service",
            "on-premise software",
            "3 requests a second are enough",
            "more than 500 movements in one list",
            "more than 5000 movements in flight",
            "mandatory test: standard departure",
            "pre-lodged departure: why not applicable",
            "mandatory test: arrival",
        ]
    );
    let why = |field: &str| {
        result.left_for_you.iter().find(|left| left.field == field).unwrap().why.clone()
    };
    assert!(why("mandatory test: standard departure").contains("`DNGB1` or `DNXI1`"));
    assert!(why("mandatory test: arrival").contains("too old"));
    assert!(
        why("pre-lodged departure: why not applicable")
            .contains("`[not-applicable] pre-lodged-departure`")
    );
}

#[test]
fn a_flow_that_is_not_supported_says_why_in_its_block() {
    let Some(form) = reference(NCTS5_FORM) else { return };
    let mut settings = empty_settings();
    settings.not_applicable.insert(Flow::PreLodgedDeparture, "We do not pre-lodge.".to_owned());
    let statuses = vec![without_run(
        "pre-lodged-departure",
        RequirementKind::Mandatory,
        RequirementState::NotApplicable,
    )];
    let answers = collect(&ncts5(), &settings, &statuses, &[], false);
    let result = filled(&form, &answers);
    let text = paragraphs(&result.bytes);
    let at = text.iter().position(|paragraph| paragraph == "We do not pre-lodge.").unwrap();
    assert_eq!(text[at - 1], "If not applicable please tell us why:");
    assert!(text[at - 2].starts_with("2. Mandatory test"), "{}", text[at - 2]);
}

#[test]
fn the_ncts6_form_holds_every_answer_and_no_signature() {
    let Some(form) = reference(NCTS6_FORM) else { return };
    let result = filled(&form, &ncts6_answers(false));
    assert_eq!(result.not_found, Vec::<String>::new());
    let after: Vec<String> =
        changed(&form, &result.bytes).into_iter().map(|(_, after)| after).collect();
    assert_eq!(after[0], "SWD Name: Müller & Söhne \"Zoll\" <Spedition> 株式会社");
    assert_eq!(after[1], "Contact Email: ctc@example.test");
    for wanted in [
        "Sandbox Application Name: Transit Desk (sandbox)",
        "Sandbox Application ID: 5f1c0ffe-0000-4000-8000-000000000001",
        "Production Application Name: Transit Desk",
        "Production Application ID: 5f1c0ffe-0000-4000-8000-000000000002",
        "MRN used: 26GB00000000000007",
        "Date/Time: IE015 2026-11-21 09:30:05 UTC, IE029 2026-11-21 09:33:05 UTC",
    ] {
        assert!(after.iter().any(|paragraph| paragraph == wanted), "{wanted}: {after:#?}");
    }
    let ticked: Vec<&String> = after.iter().filter(|text| text.starts_with('☒')).collect();
    assert_eq!(ticked.len(), 6);
    let on = ("1".to_owned(), "☒".to_owned());
    assert_eq!(check_boxes(&result.bytes), vec![on; 5]);
    // Two lines, six boxes, six controls; the signature is left.
    assert_eq!(after.len(), 14);
    let left: Vec<&str> = result.left_for_you.iter().map(|left| left.field.as_str()).collect();
    assert_eq!(left, ["electronic signature", "date of the signature"]);
    let xml = part(&result.bytes, "word/document.xml");
    assert_eq!(xml.matches("<w:showingPlcHdr/>").count(), 2, "signature and date alone");
    assert_eq!(xml.matches("PlaceholderText").count(), 2);
    assert_other_members_untouched(&form, &result.bytes);
}

#[test]
fn no_statement_is_made_that_the_settings_do_not_make() {
    let Some(form) = reference(NCTS6_FORM) else { return };
    let statuses = vec![without_run(
        "outbound-movement",
        RequirementKind::Mandatory,
        RequirementState::Missing,
    )];
    let answers = collect(&ncts6(), &empty_settings(), &statuses, &[], false);
    let result = filled(&form, &answers);
    assert_eq!(result.filled, []);
    let off = ("0".to_owned(), "☐".to_owned());
    assert_eq!(check_boxes(&result.bytes), vec![off; 5]);
    // HMRC's form comes with the first box ticked: that is no statement of ours.
    assert_eq!(check_boxes(&form)[0].0, "1");
    let changes = changed(&form, &result.bytes);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(changes[0].1.starts_with("☐ 1)"));
    let aligned = result.left_for_you.iter().find(|left| left.field.starts_with("1)")).unwrap();
    assert!(aligned.why.contains("cleared"), "{}", aligned.why);
}

#[test]
fn the_evidence_statement_needs_evidence_too() {
    let Some(form) = reference(NCTS6_FORM) else { return };
    let statuses = vec![without_run(
        "outbound-movement",
        RequirementKind::Mandatory,
        RequirementState::Failed,
    )];
    let answers = collect(&ncts6(), &full_settings(), &statuses, &[], false);
    let result = filled(&form, &answers);
    let left = result.left_for_you.iter().find(|left| left.field.starts_with("5)")).unwrap();
    assert!(left.why.contains("no evidence supports it"), "{}", left.why);
    assert!(left.why.contains("failed"), "{}", left.why);
    let boxes: Vec<String> =
        check_boxes(&result.bytes).into_iter().map(|(state, _)| state).collect();
    assert_eq!(boxes, ["1", "1", "1", "0", "1"]);
}

#[test]
fn a_rehearsal_is_marked_and_never_filled_over() {
    for (name, answers, values) in
        [(NCTS5_FORM, ncts5_answers(true), 17 + 24), (NCTS6_FORM, ncts6_answers(true), 2)]
    {
        let Some(form) = reference(name) else { return };
        let result = filled(&form, &answers);
        let text = paragraphs(&result.bytes);
        assert!(text[0].starts_with("REHEARSAL: NOT FOR SUBMISSION"), "{}", text[0]);
        let beside = text.iter().filter(|text| text.ends_with(" [REHEARSAL]")).count();
        assert_eq!(beside, values, "{name}");
        assert_other_members_untouched(&form, &result.bytes);
        let refused = recognise(&result.bytes, &known_forms()).unwrap_err();
        assert!(refused.to_string().contains("rehearsal"), "{refused}");

        let real = if name == NCTS5_FORM { ncts5_answers(false) } else { ncts6_answers(false) };
        let result = filled(&form, &real);
        assert!(!part(&result.bytes, "word/document.xml").contains("REHEARSAL"));
    }
}

#[test]
fn simulated_evidence_counts_in_a_rehearsal_alone() {
    let Some(form) = reference(NCTS6_FORM) else { return };
    let (statuses, mut runs) = ncts6_evidence();
    for run in &mut runs {
        run.simulated = true;
    }
    let answers = collect(&ncts6(), &full_settings(), &statuses, &runs, false);
    let result = filled(&form, &answers);
    assert!(!paragraphs(&result.bytes).iter().any(|text| text.contains("26GB")));
    assert!(result.left_for_you.iter().any(|left| left.why.contains("simulator")));
    let answers = collect(&ncts6(), &full_settings(), &statuses, &runs, true);
    let result = filled(&form, &answers);
    assert!(paragraphs(&result.bytes).iter().any(|text| text.contains("26GB00000000000007")));
}

#[test]
fn filling_twice_changes_nothing_and_a_persons_words_stay() {
    for (name, answers) in [(NCTS5_FORM, ncts5_answers(false)), (NCTS6_FORM, ncts6_answers(false))]
    {
        let Some(form) = reference(name) else { return };
        let once = filled(&form, &answers);
        let twice = filled(&once.bytes, &answers);
        assert_eq!(paragraphs(&once.bytes), paragraphs(&twice.bytes));
        assert_eq!(once.filled, twice.filled);
        // Other answers later do not overwrite what the form says.
        let mut settings = full_settings();
        settings.business.name = Some("Another House".to_owned());
        let (statuses, runs) = if name == NCTS5_FORM { ncts5_evidence() } else { ncts6_evidence() };
        let programme = if name == NCTS5_FORM { ncts5() } else { ncts6() };
        let later = collect(&programme, &settings, &statuses, &runs, false);
        let result = filled(&once.bytes, &later);
        assert_eq!(paragraphs(&once.bytes), paragraphs(&result.bytes));
        assert!(result.left_for_you.iter().any(|left| left.why.contains("already says")));
    }
}

#[test]
fn a_form_of_another_programme_is_refused() {
    let Some(form) = reference(NCTS5_FORM) else { return };
    let forms = known_forms();
    let definition = recognise(&form, &forms).unwrap();
    assert_eq!(definition.id, "ncts5-checklist-2024-01");
    let error = fill(&form, definition, &ncts6_answers(false)).unwrap_err();
    assert!(error.to_string().contains("`ncts6`"), "{error}");
    let Some(form) = reference(NCTS6_FORM) else { return };
    assert_eq!(recognise(&form, &forms).unwrap().id, "ncts6-readiness-2026-04-14");
}

/// Runs a program that may not be installed.
fn tool(name: &str, args: &[&std::ffi::OsStr], home: &std::path::Path) -> Option<bool> {
    match std::process::Command::new(name).args(args).env("HOME", home).output() {
        Ok(output) => Some(output.status.success()),
        Err(_) => {
            document_support::reference::skipped(format!("`{name}` is not installed"));
            None
        }
    }
}

/// LibreOffice opens what was written, and a reader of the page finds the
/// values. `CTC_READY_KEEP=DIR` keeps the documents and pages to look at.
#[test]
fn libreoffice_opens_the_filled_forms() {
    let (Some(ncts5_form), Some(ncts6_form)) = (reference(NCTS5_FORM), reference(NCTS6_FORM))
    else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("CTC_READY_KEEP")
        .map_or_else(|| scratch.path().to_owned(), std::path::PathBuf::from);
    let mut long = full_settings();
    long.answers.insert(
        "rate-limit-usage".to_owned(),
        ctc_ready::project::AnswerValue::Text("A very long answer. ".repeat(300)),
    );
    let (statuses, runs) = ncts5_evidence();
    let documents = [
        ("ncts5", &ncts5_form, ncts5_answers(false)),
        ("ncts5-long", &ncts5_form, collect(&ncts5(), &long, &statuses, &runs, true)),
        ("ncts6", &ncts6_form, ncts6_answers(false)),
        ("ncts6-rehearsal", &ncts6_form, ncts6_answers(true)),
    ];
    let mut args: Vec<std::ffi::OsString> =
        ["--headless", "--convert-to", "pdf", "--outdir"].iter().map(Into::into).collect();
    args.push(folder.clone().into_os_string());
    for (name, form, answers) in &documents {
        let path = folder.join(format!("{name}.docx"));
        std::fs::write(&path, filled(form, answers).bytes).unwrap();
        args.push(path.into_os_string());
    }
    let args: Vec<&std::ffi::OsStr> = args.iter().map(std::ffi::OsString::as_os_str).collect();
    let Some(converted) = tool("soffice", &args, scratch.path()) else { return };
    assert!(converted);
    for (name, ..) in &documents {
        let pdf = folder.join(format!("{name}.pdf"));
        assert!(pdf.exists(), "LibreOffice made nothing of {name}");
        let text = folder.join(format!("{name}.txt"));
        let args = [std::ffi::OsStr::new("-layout"), pdf.as_os_str(), text.as_os_str()];
        let Some(done) = tool("pdftotext", &args, scratch.path()) else { return };
        assert!(done);
        let text = std::fs::read_to_string(text).unwrap();
        let mrn =
            if name.starts_with("ncts5") { "26GB00000000000003" } else { "26GB00000000000007" };
        assert!(text.contains(mrn), "{name}");
        assert_eq!(text.contains("NOT FOR SUBMISSION"), !["ncts5", "ncts6"].contains(name));
    }
}
