//! ctc-ready's own document: the answers, the evidence behind them, and what
//! did not count.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod document_support;

use ctc_ready::catalogue::RequirementKind;
use ctc_ready::document::own::{Dossier, write};
use ctc_ready::document::{Filled, collect};
use ctc_ready::evidence::{Failure, RunRecord, RunState};
use ctc_ready::ncts::MessageType;
use ctc_ready::verdict::{RequirementState, RequirementStatus};
use document_support::*;

const MADE: &str = "2026-11-22T08:00:00Z";

fn made(statuses: &[RequirementStatus], runs: &[RunRecord], rehearsal: bool) -> Filled {
    let (programme, settings) = (ncts5(), full_settings());
    let answers = collect(&programme, &settings, statuses, runs, rehearsal);
    write(&Dossier {
        programme: &programme,
        settings: &settings,
        requirements: statuses,
        runs,
        answers: &answers,
        made: at(MADE),
        draft: false,
    })
    .unwrap()
}

/// The evidence of [`ncts5_evidence`] and an attempt that failed before.
fn with_failed_attempt() -> (Vec<RequirementStatus>, Vec<RunRecord>) {
    let (mut statuses, mut runs) = ncts5_evidence();
    statuses[0].attempts = 2;
    let mut failed = run(99, "ncts5-final", "DNGB1", "2026-11-20T09:00:00Z", &[MessageType::Ie015]);
    failed.state = RunState::Failed;
    failed.failure = Some(Failure {
        reason: "rejected".to_owned(),
        step: 1,
        message: "IE056: the GRN <unknown> & \"odd\"".to_owned(),
        ..Failure::default()
    });
    runs.push(failed);
    (statuses, runs)
}

#[test]
fn it_shows_answers_messages_and_attempts_that_do_not_count() {
    let (statuses, runs) = with_failed_attempt();
    let result = made(&statuses, &runs, false);
    let text = paragraphs(&result.bytes);
    let after = |label: &str| {
        let at = text
            .iter()
            .position(|paragraph| paragraph == label)
            .unwrap_or_else(|| panic!("{label}"));
        text[at + 1].clone()
    };
    assert_eq!(after("business name"), "Müller & Söhne \"Zoll\" <Spedition> 株式会社");
    assert_eq!(after("business address"), "1 Quay Road\nDover\nCT17 9BU");
    assert_eq!(after("software as a service"), "no");
    assert_eq!(after("rate limit: why unsure"), "does not arise");
    let block = text.iter().position(|text| text == "Mandatory arrival (mandatory)").unwrap();
    assert!(text[block..].iter().any(|text| text == "26GB00000000000003"));

    // Every message of every counted run, with its digest.
    let appendix = text.iter().position(|text| text.starts_with("Appendix A")).unwrap();
    let others = text.iter().position(|text| text.starts_with("Appendix B")).unwrap();
    let counted = &text[appendix..others];
    for run in runs.iter().filter(|run| run.state == RunState::Passed) {
        assert!(counted.iter().any(|text| text.contains(&run.run.to_string())));
        for message in &run.messages {
            let digest = message.body.sha256.to_string();
            assert!(counted.iter().any(|text| text.replace('\n', "") == digest), "{digest}");
            assert!(counted.iter().any(|text| text.contains(&message.message_id)));
        }
    }
    assert!(counted.iter().any(|text| text == "2026-11-21 09:30:05 UTC"));
    // The failed attempt is disclosed, and nowhere else.
    assert!(!counted.iter().any(|text| text.contains("000000000063")));
    assert!(text[others..].iter().any(|text| text.contains("IE056: the GRN <unknown> & \"odd\"")));
    assert!(text[others..].iter().any(|text| text.ends_with("000000000063")));
    assert!(!text.iter().any(|text| text.contains("REHEARSAL")));
}

#[test]
fn the_same_dossier_gives_the_same_bytes() {
    let (statuses, runs) = with_failed_attempt();
    let first = made(&statuses, &runs, false);
    // From another thread: nothing counts on in the background.
    let second =
        std::thread::scope(|scope| scope.spawn(|| made(&statuses, &runs, false)).join().unwrap());
    assert!(first.bytes == second.bytes);
    assert!(first.bytes == made(&statuses, &runs, false).bytes);
    let core = part(&first.bytes, "docProps/core.xml");
    assert_eq!(core.matches(MADE).count(), 2, "{core}");
    assert!(!core.contains("unknown"), "{core}");
}

#[test]
fn a_rehearsal_is_marked_on_every_page_and_beside_every_value() {
    let (statuses, runs) = ncts5_evidence();
    let result = made(&statuses, &runs, true);
    assert!(part(&result.bytes, "word/header1.xml").contains("REHEARSAL: NOT FOR SUBMISSION"));
    let text = paragraphs(&result.bytes);
    assert!(text.iter().any(|text| text == "26GB00000000000003 [REHEARSAL]"));
    assert!(!text.iter().any(|text| text == "26GB00000000000003"));
    let result = made(&statuses, &runs, false);
    assert!(!members(&result.bytes).contains_key("word/header1.xml"));
}

#[test]
fn tables_repeat_their_header_row_and_pages_are_numbered() {
    let (statuses, runs) = ncts5_evidence();
    let result = made(&statuses, &runs, false);
    let xml = part(&result.bytes, "word/document.xml");
    assert!(xml.matches("<w:tbl>").count() > 10);
    assert_eq!(xml.matches("<w:tblHeader />").count(), xml.matches("<w:tbl>").count());
    let footer = part(&result.bytes, "word/footer1.xml");
    assert!(footer.contains("PAGE") && footer.contains("NUMPAGES"), "{footer}");
}

#[test]
fn what_is_missing_is_left_for_a_person() {
    let statuses = vec![
        without_run("standard-departure", RequirementKind::Mandatory, RequirementState::Failed),
        without_run(
            "pre-lodged-departure",
            RequirementKind::Mandatory,
            RequirementState::NotApplicable,
        ),
    ];
    let result = made(&statuses, &[], false);
    let left: Vec<&str> = result.left_for_you.iter().map(|left| left.field.as_str()).collect();
    assert_eq!(
        left,
        ["Mandatory standard-departure", "Mandatory pre-lodged-departure: why not applicable"]
    );
    let text = paragraphs(&result.bytes);
    assert!(text.iter().any(|text| text == "No run counts."));
    assert!(text.iter().any(|text| text == "There was no other attempt."));
}

#[test]
fn ncts6_is_not_signed() {
    let (statuses, runs) = ncts6_evidence();
    let (programme, settings) = (ncts6(), full_settings());
    let answers = collect(&programme, &settings, &statuses, &runs, false);
    let result = write(&Dossier {
        programme: &programme,
        settings: &settings,
        requirements: &statuses,
        runs: &runs,
        answers: &answers,
        made: at(MADE),
        draft: false,
    })
    .unwrap();
    let left: Vec<&str> = result.left_for_you.iter().map(|left| left.field.as_str()).collect();
    assert_eq!(left, ["electronic signature", "date of the signature"]);
    let text = paragraphs(&result.bytes);
    let date_time = "IE015 2026-11-21 09:30:05 UTC, IE029 2026-11-21 09:33:05 UTC";
    assert!(text.iter().any(|text| text == date_time));
}

/// `CTC_READY_KEEP=DIR` keeps the document and its pages to look at.
#[test]
fn libreoffice_opens_it() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("CTC_READY_KEEP")
        .map_or_else(|| scratch.path().to_owned(), std::path::PathBuf::from);
    let (statuses, runs) = with_failed_attempt();
    let path = folder.join("own.docx");
    std::fs::write(&path, made(&statuses, &runs, true).bytes).unwrap();
    let converted = std::process::Command::new("soffice")
        .args(["--headless", "--convert-to", "pdf", "--outdir"])
        .arg(&folder)
        .arg(&path)
        .env("HOME", scratch.path())
        .output();
    match converted {
        Ok(output) => assert!(output.status.success() && folder.join("own.pdf").exists()),
        Err(_) => document_support::reference::skipped("`soffice` is not installed"),
    }
}
