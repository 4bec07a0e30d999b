//! ctc-ready's own document: the answers, the evidence behind them, and what
//! did not count.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod document_support;

use std::collections::BTreeSet;

use ctc_ready::catalogue::{Programme, RequirementKind};
use ctc_ready::digest::Digest;
use ctc_ready::document::own::{Dossier, FormRead, annex, preview, write};
use ctc_ready::document::{Answers, Filled, Preview, collect, fill, recognise};
use ctc_ready::evidence::index::{ClosedRun, IndexedRun};
use ctc_ready::evidence::verify::{SealReport, TimeStampReport};
use ctc_ready::evidence::{BalanceRecord, Failure, RunRecord, RunState, VerifyReport};
use ctc_ready::ncts::MessageType;
use ctc_ready::project::{Environment, Settings};
use ctc_ready::verdict::{Finding, Need, RequirementState, RequirementStatus, Severity, Verdict};
use document_support::*;

const MADE: &str = "2026-11-22T08:00:00Z";

/// A house with its evidence, of which documents are made.
struct House {
    programme: Programme,
    settings: Settings,
    needs: Vec<Need>,
    verdict: Verdict,
    runs: Vec<RunRecord>,
    removed: Vec<IndexedRun>,
    integrity: Option<VerifyReport>,
    draft: bool,
    rehearsal: bool,
}

impl House {
    fn new(
        programme: Programme,
        (requirements, runs): (Vec<RequirementStatus>, Vec<RunRecord>),
    ) -> Self {
        let need = |status: &RequirementStatus| Need {
            requirement: status.requirement.clone(),
            kind: status.kind,
            flow: None,
            tests: None,
            applies: status.state != RequirementState::NotApplicable,
            reason: status.reason.clone(),
            any_of: status.any_of.clone(),
            chosen: status.scenario.clone(),
            source: "test".to_owned(),
        };
        let verdict = Verdict {
            schema_version: 1,
            ready: true,
            rehearsal: false,
            programme: programme.id.clone(),
            as_of: at(MADE),
            submit_on: None,
            findings: Vec::new(),
            requirements: requirements.clone(),
        };
        Self {
            programme,
            settings: full_settings(),
            needs: requirements.iter().map(need).collect(),
            verdict,
            runs,
            removed: Vec::new(),
            integrity: None,
            draft: false,
            rehearsal: false,
        }
    }

    /// Every test of NCTS5, and an attempt that failed before.
    fn with_failed_attempt() -> Self {
        let mut house = Self::new(ncts5(), ncts5_evidence());
        house.verdict.requirements[0].attempts = 2;
        let start = "2026-11-20T09:00:00Z";
        let mut failed = run(99, "ncts5-final", "DNGB1", start, &[MessageType::Ie015]);
        failed.state = RunState::Failed;
        failed.failure = Some(Failure {
            reason: "rejected".to_owned(),
            step: 1,
            message: "IE056: the GRN <unknown> & \"odd\"".to_owned(),
            ..Failure::default()
        });
        house.runs.push(failed);
        house
    }

    fn answers(&self) -> Answers {
        let Self { programme, settings, runs, rehearsal, .. } = self;
        collect(programme, settings, &self.verdict.requirements, runs, *rehearsal)
    }

    fn told<T>(&self, tell: impl Fn(&Dossier<'_>) -> T) -> T {
        tell(&Dossier {
            programme: &self.programme,
            settings: &self.settings,
            needs: &self.needs,
            verdict: &self.verdict,
            runs: &self.runs,
            removed: &self.removed,
            integrity: self.integrity.as_ref(),
            answers: &self.answers(),
            draft: self.draft,
        })
    }

    fn document(&self) -> Filled {
        let filled = self.told(|dossier| write(dossier).unwrap());
        keep(&filled.bytes);
        filled
    }

    fn preview(&self, how: Preview) -> String {
        self.told(|dossier| preview(dossier, None, how).unwrap())
    }
}

/// A seal, time-stamped.
fn sealed() -> VerifyReport {
    let mut report =
        VerifyReport { runs: 16, exchanges: 40, objects: 80, ..VerifyReport::on_nothing() };
    report.seals = vec![SealReport {
        seal: "seals/3.dsse.json".to_owned(),
        at: Some(at("2026-11-21T18:00:00Z")),
        key: Digest::of(b"key"),
        endorsed_by: None,
        covers_runs: 16,
        index_head: Some(Digest::of(b"head")),
        valid: true,
        time_stamp: Some(TimeStampReport {
            at: at("2026-11-21T18:00:09Z"),
            authority: Some("Invented authority".to_owned()),
            authority_checked: false,
        }),
    }];
    report
}

/// What stands between a heading and another.
fn section<'a>(text: &'a [String], heading: &str, next: &str) -> &'a [String] {
    let from = text.iter().rposition(|text| text == heading);
    let from = from.unwrap_or_else(|| panic!("{heading}: {text:#?}"));
    let long = text[from..].iter().position(|text| text == next);
    &text[from..from + long.unwrap_or_else(|| panic!("{next}: {text:#?}"))]
}

fn has(text: &[String], what: &str) -> bool {
    text.iter().any(|text| text == what)
}

/// Every id, time, status and digest of every message of `run`.
#[track_caller]
fn tells_every_message(text: &[String], run: &RunRecord) {
    let mut from = 0;
    for message in &run.messages {
        let sent = message.step.is_some();
        // One after the other, in the order of the record.
        let begins = format!("{}\n{}", message.message, if sent { "sent" } else { "received" });
        let place = text[from..].iter().position(|text| *text == begins);
        from += place.unwrap_or_else(|| panic!("{begins}")) + 1;
        let ours = if sent { "sent" } else { "fetched" };
        let expected = [
            format!("{ours}\t{}", message.at.format("%Y-%m-%d %H:%M:%S%.3f")),
            format!("API\t{}", message.received.unwrap().format("%Y-%m-%d %H:%M:%S")),
            format!("server\t{}", message.server_time.unwrap().format("%Y-%m-%d %H:%M:%S")),
            message.status.to_string(),
            format!("movement\t{}", message.movement_id),
            format!("message\t{}", message.message_id),
            format!("SHA-256\t{}", message.body.sha256),
        ];
        assert_eq!(text[from..from + 7], expected);
    }
}

#[test]
fn it_shows_answers_messages_and_attempts() {
    let house = House::with_failed_attempt();
    let result = house.document();
    let text = paragraphs(&result.bytes);
    let after = |label: &str| {
        let place = text.iter().position(|text| text == label);
        text[place.unwrap_or_else(|| panic!("{label}")) + 1].clone()
    };
    assert_eq!(after("business name"), "Müller & Söhne \"Zoll\" <Spedition> 株式会社");
    assert_eq!(after("business address"), "1 Quay Road\nDover\nCT17 9BU");
    assert_eq!(after("software as a service"), "no");
    assert_eq!(after("rate limit: why unsure"), "does not arise");
    assert_eq!(after("Software"), "Transit Desk 4.2.0");
    assert_eq!(after("Tested"), "trader-test, API 2.1, driver direct");
    assert_eq!(after("Verdict"), "READY");

    let mut titles = Vec::new();
    for status in &house.verdict.requirements {
        let number = status.requirement.strip_prefix("recommended-");
        titles.push(match number {
            Some(number) => format!("Recommended {number} (recommended)"),
            None => format!("Mandatory {} (mandatory)", status.requirement),
        });
    }
    titles.push("Attempts".to_owned());
    for (nth, run) in house.runs.iter().filter(|run| run.state == RunState::Passed).enumerate() {
        let part = section(&text, &titles[nth], &titles[nth + 1]);
        tells_every_message(part, run);
        for value in [&run.scenario, run.mrn.as_ref().unwrap(), run.lrn.as_ref().unwrap()] {
            assert!(has(part, value), "{value}");
        }
        assert!(has(part, &run.run.to_string()));
    }
    // Every attempt is disclosed; what failed shows nowhere else.
    let attempts = section(&text, "Attempts", "Verdict");
    for run in &house.runs {
        assert!(has(attempts, &format!("run\t{}", run.run)));
    }
    let failed = house.runs.last().unwrap();
    assert!(has(attempts, "failed at step 1: IE056: the GRN <unknown> & \"odd\""));
    assert!(has(attempts, "passed; counts for: Mandatory arrival"));
    let elsewhere = text.iter().filter(|text| text.contains(&failed.run.to_string())).count();
    assert_eq!(elsewhere, 1);
    assert!(!text.iter().any(|text| text.contains("REHEARSAL") || text.contains("DRAFT")));
}

#[test]
fn an_attempt_says_what_it_is_worth() {
    let mut house = House::new(ncts5(), ncts5_evidence());
    let start = "2026-11-01T09:00:00Z";
    let other = |number, scenario| run(number, "ncts5-final", scenario, start, &[]);
    house.runs.push(other(301, "DNGB1"));
    house.runs.push(other(302, "DSGB9"));
    let mut simulated = other(303, "DNGB1");
    simulated.simulated = true;
    house.runs.push(simulated);
    let mut given_up = other(304, "DNGB1");
    given_up.state = RunState::Abandoned;
    house.runs.push(given_up);
    house.runs.push(run(305, "ncts6", "P6-DSGB-01", start, &[]));
    let stale = other(306, "R1");
    house.verdict.requirements[3].state = RequirementState::Stale;
    house.verdict.requirements[3].run = Some(stale.run);
    house.runs.push(stale);
    let indexed = |programme: &str| IndexedRun {
        assigned: false,
        programme: programme.to_owned(),
        scenario: "DNGB2".to_owned(),
        environment: Environment::TraderTest,
        attempt: 4,
        first: Digest::ZERO,
        closed: Some(ClosedRun { state: RunState::Failed, lines: 9, head: Digest::ZERO }),
        removed: Some("no longer of use".to_owned()),
    };
    house.removed = vec![indexed("ncts5-final"), indexed("ncts6")];
    let text = paragraphs(&house.document().bytes);
    let attempts = section(&text, "Attempts", "Verdict");
    let outcome = |number: u128| {
        let id = format!("run\t{}", ctc_ready::evidence::RunId::from_u128(number));
        let place = attempts.iter().position(|text| *text == id)?;
        attempts[..place].iter().rev().find(|text| !text.contains('\t')).cloned()
    };
    assert_eq!(outcome(301).unwrap(), "passed; another attempt counts");
    assert_eq!(outcome(302).unwrap(), "passed; no requirement asks for it");
    assert_eq!(outcome(303).unwrap(), "passed on the simulator, which proves nothing");
    assert!(has(attempts, "MRN\t26GB00000000000301"));
    assert!(!has(attempts, "MRN\t26GB00000000000303"), "a reference that HMRC does not know");
    assert_eq!(outcome(304).unwrap(), "given up");
    assert_eq!(outcome(305), None, "another programme's");
    assert_eq!(outcome(306).unwrap(), "passed; too old by now");
    let removed = attempts.iter().filter(|text| text.starts_with("failed; removed since")).count();
    assert_eq!(removed, 1);
}

#[test]
fn the_matrix_has_the_chosen_cells_marked() {
    let text = paragraphs(&House::new(ncts5(), ncts5_evidence()).document().bytes);
    let matrix = section(&text, "What applies", "Requirements");
    assert!(has(matrix, "Mandatory arrival\n(mandatory)"));
    // Of the house's own column, alone.
    let marked: Vec<&String> = matrix.iter().filter(|text| text.contains("☒\u{a0}")).collect();
    // The programme of the tests names `X` in its column for mandatory ones.
    assert_eq!(marked.len(), 12, "{matrix:#?}");
    assert!(has(matrix, "☒\u{a0}R12"));

    let mut house = House::new(ncts5(), ncts5_evidence());
    for need in &mut house.needs {
        need.chosen = Some("X".to_owned());
        need.applies = need.requirement != "arrival";
    }
    let text = paragraphs(&house.document().bytes);
    let matrix = section(&text, "What applies", "Requirements");
    assert_eq!(matrix.iter().filter(|text| *text == "☒\u{a0}X").count(), 2);
    assert_eq!(matrix.iter().filter(|text| *text == "☐\u{a0}X").count(), 1);
    assert!(matrix.iter().any(|text| text.contains("the normal procedure alone")));
    assert!(has(matrix, "no: stated") && has(matrix, "yes: stated"));
}

#[test]
fn verdict_findings_waivers_and_seal_are_told() {
    let mut house = House::new(ncts5(), ncts5_evidence());
    let text = paragraphs(&house.document().bytes);
    assert!(has(section(&text, "Seal", "Left for you"), "There is no evidence yet."));

    house.integrity = Some(VerifyReport { unsealed_runs: vec![house.runs[0].run], ..sealed() });
    house.verdict.ready = false;
    let finding = |severity, rule, message: &str| Finding {
        rule,
        severity,
        requirement: None,
        scenario: None,
        run: None,
        message: message.to_owned(),
        source: None,
        waived: None,
        waived_until: None,
        waived_by: None,
    };
    house.verdict.findings = vec![
        Finding {
            source: Some("a guide, section 4".to_owned()),
            ..finding(Severity::Error, "evidence-stale", "run `DNGB1` again")
        },
        Finding {
            waived: Some("agreed by phone".to_owned()),
            waived_until: Some("2026-12-31".parse().unwrap()),
            waived_by: Some("A. Tester".to_owned()),
            ..finding(Severity::Error, "clock-skew", "two minutes")
        },
        finding(Severity::Info, "lead-time", "fourteen days"),
    ];
    let text = paragraphs(&house.document().bytes);
    let told = section(&text, "What was found", "Seal");
    let expected = [
        "What was found",
        "error",
        "evidence-stale",
        "run ‘DNGB1’ again",
        "source\ta guide, section 4",
        "waived",
        "clock-skew",
        "two minutes",
        "waived\tuntil 2026-12-31: agreed by phone (A. Tester)",
        "info",
        "lead-time",
        "fourteen days",
    ];
    let told: Vec<&String> =
        told.iter().filter(|text| !text.is_empty() && *text != "Seal").collect();
    assert_eq!(told, expected);
    assert!(has(&text, "NOT READY: 1 error"));
    let seal = section(&text, "index head", "Left for you");
    assert!(has(seal, &Digest::of(b"head").to_string()));
    assert!(has(seal, "16 attempts. No valid seal covers 1 attempt to the end."));
    assert!(has(seal, "2026-11-21 18:00:09 UTC"), "{seal:#?}");
    assert!(has(seal, "Invented authority; not checked against an authority"), "{seal:#?}");
    assert!(has(&text, "number 3 of 1") && has(&text, &Digest::of(b"key").to_string()));

    house.integrity = Some(VerifyReport::on_nothing());
    let text = paragraphs(&house.document().bytes);
    assert!(has(&text, "The evidence is not sealed: nobody has signed it."));
}

#[test]
fn the_same_dossier_gives_the_same_bytes() {
    let house = House::with_failed_attempt();
    let first = house.document();
    // From another thread: nothing counts on in the background.
    let second = std::thread::scope(|scope| scope.spawn(|| house.document()).join().unwrap());
    assert!(first.bytes == second.bytes);
    assert!(first.bytes == house.document().bytes);
    assert_eq!(house.preview(Preview::Html), house.preview(Preview::Html));
    let core = part(&first.bytes, "docProps/core.xml");
    assert_eq!(core.matches(MADE).count(), 2, "{core}");
    assert!(!core.contains("unknown"), "{core}");
}

#[test]
fn a_rehearsal_and_a_draft_are_marked_on_every_page() {
    let mut house = House::new(ncts5(), ncts5_evidence());
    let header = |house: &House| part(&house.document().bytes, "word/header1.xml");
    assert!(header(&house).contains("Transit Desk 4.2.0"));
    assert!(!header(&house).contains("SUBMISSION"));
    house.draft = true;
    assert!(header(&house).contains("DRAFT: NOT FOR SUBMISSION"));
    house.draft = false;
    house.rehearsal = true;
    assert!(header(&house).contains("REHEARSAL: NOT FOR SUBMISSION"));
    let text = paragraphs(&house.document().bytes);
    assert!(has(&text, "26GB00000000000003 [REHEARSAL]"));
    assert!(!has(&text, "26GB00000000000003"));
    // Before every table of messages.
    let tables = text.iter().filter(|text| *text == "Times (UTC)").count();
    assert_eq!(text.iter().filter(|text| *text == "[REHEARSAL]").count(), tables - 1);
}

const W: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";

#[test]
fn pages_and_tables_are_laid_out_for_print() {
    let result = House::with_failed_attempt().document();
    let xml = part(&result.bytes, "word/document.xml");
    let tree = roxmltree::Document::parse(&xml).unwrap();
    let all = |name: &str| -> Vec<roxmltree::Node<'_, '_>> {
        let name = name.to_owned();
        tree.descendants().filter(move |node| node.has_tag_name((W, name.as_str()))).collect()
    };
    let has = |node: &roxmltree::Node<'_, '_>, name: &str| {
        node.descendants().any(|inner| inner.has_tag_name((W, name)))
    };
    // No row breaks; the first row of each table with named columns is repeated.
    assert!(all("tr").len() > 100);
    assert!(all("tr").iter().all(|row| has(row, "cantSplit")));
    for table in all("tbl") {
        let rows: Vec<_> = table.children().filter(|node| node.has_tag_name((W, "tr"))).collect();
        let heads: Vec<bool> = rows.iter().map(|row| has(row, "tblHeader")).collect();
        let facts = rows[0].children().filter(|node| node.has_tag_name((W, "tc"))).count() == 2
            && !heads[0];
        assert!(facts || heads[0]);
        assert!(heads[1..].iter().all(|head| !head));
    }
    // Word navigates by its own styles, and no heading is left behind on a page.
    let style = |node: &roxmltree::Node<'_, '_>| {
        let style = node.descendants().find(|inner| inner.has_tag_name((W, "pStyle")));
        style.and_then(|style| style.attribute((W, "val")).map(str::to_owned))
    };
    let headings: Vec<_> = all("p")
        .into_iter()
        .filter(|node| style(node).is_some_and(|style| style.starts_with("Heading")))
        .collect();
    assert!(headings.len() > 20);
    assert!(headings.iter().all(|heading| has(heading, "keepNext")));
    let styles = part(&result.bytes, "word/styles.xml");
    for name in ["heading 1", "heading 2", "Title", "Subtitle"] {
        assert!(styles.contains(&format!("w:val=\"{name}\"")), "{name}");
    }
    // As ISO/IEC 29500-1 has it, `w:rPr` is the last property of a paragraph, and
    // a section names its header before its size.
    for properties in all("pPr") {
        let names: Vec<&str> = properties.children().map(|node| node.tag_name().name()).collect();
        assert!(!names.contains(&"rPr") || names.last() == Some(&"rPr"), "{names:?}");
    }
    assert!(xml.find("<w:headerReference").unwrap() < xml.find("<w:pgSz").unwrap());
    // A4, upright.
    let size = all("pgSz")[0];
    assert_eq!(size.attribute((W, "w")), Some("11906"));
    assert_eq!(size.attribute((W, "h")), Some("16838"));
    let footer = part(&result.bytes, "word/footer1.xml");
    assert!(footer.contains("ncts5-final"));
    let (page, pages) = (footer.find("PAGE").unwrap(), footer.find("NUMPAGES").unwrap());
    assert!(page < pages && footer.contains(", page ") && footer.contains(" of "), "{footer}");
    // An id is one run of text in one line: a double click takes all of it.
    let digest = Digest::of(b"DNGB1 IE015").to_string();
    let holder = all("t").into_iter().find(|node| node.text() == Some(&digest)).unwrap();
    let run = holder.parent().unwrap();
    assert!(has(&run, "rFonts") && !has(&run, "br"));
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
        without_run("recommended-3", RequirementKind::Recommended, RequirementState::Missing),
    ];
    let result = House::new(ncts5(), (statuses, Vec::new())).document();
    let left: Vec<&str> = result.left_for_you.iter().map(|left| left.field.as_str()).collect();
    assert_eq!(
        left,
        ["Mandatory standard-departure", "Mandatory pre-lodged-departure: why not applicable"]
    );
    let text = paragraphs(&result.bytes);
    assert!(has(&text, "no attempt counts"));
    assert!(has(&text, "There was no attempt."));
    assert!(has(&text, "Recommended and not tried: Recommended 3."));
    assert!(has(&text, "the latest attempt at ‘DNGB1’ or ‘DNXI1’ failed"));
}

#[test]
fn ncts6_is_not_signed() {
    let result = House::new(ncts6(), ncts6_evidence()).document();
    let left: Vec<&str> = result.left_for_you.iter().map(|left| left.field.as_str()).collect();
    assert_eq!(left, ["electronic signature", "date of the signature"]);
    let text = paragraphs(&result.bytes);
    assert!(has(&text, "IE015 2026-11-21 09:30:05 UTC, IE029 2026-11-21 09:33:05 UTC"));
}

#[test]
fn one_attempt_for_two_requirements_is_told_once() {
    let (mut statuses, mut runs) = ncts5_evidence();
    statuses.truncate(4);
    statuses[3].run = statuses[0].run;
    statuses[3].scenario = statuses[0].scenario.clone();
    runs.truncate(3);
    let text = paragraphs(&House::new(ncts5(), (statuses, runs)).document().bytes);
    let first = "The messages of this attempt stand under “Mandatory standard-departure”.";
    assert!(has(&text, first));
    let digest = format!("SHA-256\t{}", Digest::of(b"DNGB1 IE015"));
    assert_eq!(text.iter().filter(|text| **text == digest).count(), 1);
}

#[test]
fn balances_are_told_like_messages() {
    let (statuses, mut runs) = ncts6_evidence();
    let balance = BalanceRecord {
        step: 1,
        at: at("2026-11-21T09:30:05.120Z"),
        server_time: Some(at("2026-11-21T09:30:05Z")),
        status: 200,
        balance: Some(262_626.5),
        currency: Some("GBP".to_owned()),
        code: None,
        exchange: 7,
    };
    let (balances, code) = (None, Some("NOT_FOUND".to_owned()));
    let refused = BalanceRecord { balance: balances, code, status: 404, ..balance.clone() };
    runs[0].messages.clear();
    runs[0].balances = vec![balance, refused];
    let text = paragraphs(&House::new(ncts6(), (statuses, runs)).document().bytes);
    for told in [
        "step 1, exchange 7",
        "asked\t2026-11-21 09:30:05.120",
        "server\t2026-11-21 09:30:05",
        "262626.5 GBP",
        "404",
        "NOT_FOUND",
    ] {
        assert!(has(&text, told), "{told}: {text:#?}");
    }
}

/// A form, as small as it is recognised, filled.
fn filled_form(house: &House) -> (Filled, Digest) {
    let body: String = ["READINESS CHECKLIST for NCTS6 Integration", "SWD Name:"]
        .iter()
        .map(|text| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"))
        .collect();
    let (form, forms) = (docx(&body), known_forms());
    let definition = recognise(&form, &forms).unwrap();
    (fill(&form, definition, &house.answers()).unwrap(), Digest::of(&form))
}

#[test]
fn the_annex_names_its_form_and_repeats_no_question() {
    let mut house = House::new(ncts6(), ncts6_evidence());
    house.integrity = Some(sealed());
    let (filled, digest) = filled_form(&house);
    let form = FormRead {
        title: "The form",
        id: "the-form-2026",
        file: "mine.docx",
        digest,
        filled: &filled,
    };
    let bytes = house.told(|dossier| annex(dossier, &form).unwrap());
    assert!(bytes == house.told(|dossier| annex(dossier, &form).unwrap()));
    keep(&bytes);
    let text = paragraphs(&bytes);
    assert_eq!(text[0], "Annex: evidence of readiness");
    let edition =
        "The form (an edition unknown to ctc-ready, filled by the labels of ‘the-form-2026’)";
    for told in [edition, "mine.docx", &digest.to_string()] {
        assert!(has(&text, told), "{told}: {text:#?}");
    }
    tells_every_message(&text, &house.runs[0]);
    for question in ["business name", "electronic signature", "Question", "Left for you"] {
        assert!(!has(&text, question), "{question}");
    }
    let known = Filled { edition_known: true, ..filled.clone() };
    let form = FormRead { filled: &known, ..form };
    let text = paragraphs(&house.told(|dossier| annex(dossier, &form).unwrap()));
    assert!(has(&text, "The form (edition ‘the-form-2026’)"));
}

/// The text of an HTML page, every piece of it.
fn words_of(page: &str) -> Vec<String> {
    let tree = roxmltree::Document::parse(page.trim_start().trim_start_matches("<!DOCTYPE html>"));
    let tree = tree.unwrap_or_else(|error| panic!("{error}: {page}"));
    let texts = tree.descendants().filter(roxmltree::Node::is_text);
    texts
        .map(|node| node.text().unwrap().trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

#[test]
fn previews_show_all_that_the_document_has() {
    let mut house = House::with_failed_attempt();
    house.integrity = Some(sealed());
    let (page, markdown) = (house.preview(Preview::Html), house.preview(Preview::Markdown));
    let words: BTreeSet<String> = words_of(&page).into_iter().collect();
    for run in &house.runs {
        for message in run.messages.iter().filter(|_| run.state == RunState::Passed) {
            for id in [&message.message_id, &message.body.sha256.to_string()] {
                assert!(words.contains(id), "{id}");
                assert!(markdown.contains(&format!("`{id}`")), "{id}");
            }
        }
        assert!(words.contains(&run.run.to_string()) && markdown.contains(&run.run.to_string()));
    }
    for told in ["settings", "evidence", "Nothing is left."] {
        assert!(words.contains(told) || words.iter().any(|word| word.contains(told)), "{told}");
        assert!(markdown.contains(told), "{told}");
    }

    // A short one, as it is.
    house.verdict.requirements.truncate(2);
    house.runs.retain(|run| ["DNGB1", "PNGB1"].contains(&run.scenario.as_str()));
    house.programme.requirement.truncate(3);
    insta::assert_snapshot!("preview_of_the_document", house.preview(Preview::Markdown));
}

#[test]
fn previews_of_a_form_show_what_is_filled_left_and_not_found() {
    let mut house = House::new(ncts6(), ncts6_evidence());
    house.rehearsal = true;
    let (filled, digest) = filled_form(&house);
    let form = FormRead { title: "The form", id: "f", file: "mine.docx", digest, filled: &filled };
    let shown = |how| house.told(|dossier| preview(dossier, Some(&form), how).unwrap());
    let markdown = shown(Preview::Markdown);
    insta::assert_snapshot!("preview_of_a_form", markdown);
    let words = words_of(&shown(Preview::Html));
    for left in filled.left_for_you.iter().map(|left| &left.field).chain(&filled.not_found) {
        let shown = words.iter().any(|word| word.replace(['‘', '’'], "`") == *left);
        assert!(shown, "{left}: {words:#?}");
    }
    assert!(words.iter().any(|word| word.contains("REHEARSAL: NOT FOR SUBMISSION")));
}

#[test]
fn whatever_a_value_says_it_stays_a_value() {
    let hostile = "</td><script>x</script>|`a`\n| b | [l](https://x) \u{202e}\u{7} {{ 7*7 }} ]]>";
    let mut house = House::new(ncts6(), ncts6_evidence());
    house.settings.business.name = Some(hostile.to_owned());
    house.settings.software.name = hostile.to_owned();
    house.settings.software.build = Some(hostile.to_owned());
    for run in &mut house.runs {
        run.mrn = Some(hostile.to_owned());
        run.operator = Some(hostile.to_owned());
        run.messages[0].message_id = hostile.to_owned();
        run.failure = Some(Failure { message: hostile.to_owned(), ..Failure::default() });
    }
    let plain = House::new(ncts6(), ncts6_evidence());
    let page = house.preview(Preview::Html);
    let elements = |page: &str| -> Vec<String> {
        let tree =
            roxmltree::Document::parse(page.trim_start().trim_start_matches("<!DOCTYPE html>"));
        let tree = tree.unwrap_or_else(|error| panic!("{error}"));
        let elements = tree.descendants().filter(roxmltree::Node::is_element);
        // A second line of a value, and what only this house has.
        let own = ["br", "dt", "dd", "strong", "code"];
        let names = elements.map(|node| node.tag_name().name().to_owned());
        names.filter(|name| !own.contains(&name.as_str())).collect()
    };
    assert_eq!(elements(&page), elements(&plain.preview(Preview::Html)));
    assert!(!page.contains('\u{202e}') && !page.contains('\u{7}') && !page.contains("49 ]]"));

    let cells = |text: &str| -> Vec<usize> {
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        text.lines().filter(|line| line.starts_with('|')).map(bars).collect()
    };
    let markdown = house.preview(Preview::Markdown);
    assert_eq!(cells(&markdown), cells(&plain.preview(Preview::Markdown)), "{markdown}");
    assert!(!markdown.contains("<script") || markdown.contains("`"));
    assert!(!markdown.contains('\u{7}') && !markdown.contains('\u{202e}'));
    // And the document opens.
    let text = paragraphs(&house.document().bytes);
    assert!(text.iter().any(|text| text.contains("</td><script>x</script>|`a`")));
}

/// `CTC_READY_KEEP=DIR` keeps the document and its pages to look at.
#[test]
fn libreoffice_opens_it() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("CTC_READY_KEEP")
        .map_or_else(|| scratch.path().to_owned(), std::path::PathBuf::from);
    let mut house = House::with_failed_attempt();
    house.rehearsal = true;
    house.integrity = Some(sealed());
    let path = folder.join("own.docx");
    std::fs::write(&path, house.document().bytes).unwrap();
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
