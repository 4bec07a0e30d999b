//! A filled form read back: what agrees is not complained of, and each kind of
//! deviation is found by its name, in its field.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod document_support;

use std::collections::BTreeMap;

use ctc_ready::catalogue::{FormFile, Programme};
use ctc_ready::document::{
    CheckReport, DocumentError, FilledForm, FormDefinition, check, collect, fill,
};
use ctc_ready::evidence::{RunRecord, RunState};
use ctc_ready::project::Settings;
use ctc_ready::verdict::{Case, Need, Severity, status};
use document_support::*;

/// A house with its evidence, judged at an instant.
struct House {
    programme: Programme,
    settings: Settings,
    runs: Vec<RunRecord>,
    as_of: &'static str,
    rehearsal: bool,
}

impl House {
    fn ncts5() -> Self {
        let (_, runs) = ncts5_evidence();
        Self {
            programme: ncts5(),
            settings: full_settings(),
            runs,
            as_of: "2026-11-23T09:00:00Z",
            rehearsal: false,
        }
    }

    fn ncts6() -> Self {
        Self { programme: ncts6(), runs: ncts6_evidence().1, ..Self::ncts5() }
    }

    fn with<T>(&self, look: impl FnOnce(&Case<'_>) -> T) -> T {
        let scenarios = BTreeMap::from([
            ("standard-departure", vec!["DNGB1".to_owned(), "DNXI1".to_owned()]),
            ("pre-lodged-departure", vec!["PNGB1".to_owned()]),
            ("arrival", vec!["ANGB1".to_owned()]),
            ("outbound-movement", vec!["P6-DSGB-01".to_owned()]),
        ]);
        let needs: Vec<Need> = self
            .programme
            .requirement
            .iter()
            .map(|requirement| {
                let any_of = scenarios
                    .get(requirement.id.as_str())
                    .cloned()
                    .unwrap_or_else(|| vec![requirement.id.replace("recommended-", "R")]);
                Need::new(requirement, true, "stated".to_owned(), any_of.clone(), None)
            })
            .collect();
        look(&Case {
            programme: &self.programme,
            settings: &self.settings,
            needs: &needs,
            runs: &self.runs,
            removed: &[],
            waiting: &BTreeMap::new(),
            integrity: None,
            as_of: at(self.as_of),
            submit_on: None,
            rehearsal: self.rehearsal,
        })
    }

    fn answers(&self, case: &Case<'_>) -> ctc_ready::document::Answers {
        let requirements = status(case).requirements;
        collect(case.programme, &self.settings, &requirements, &self.runs, self.rehearsal)
    }

    fn filled(&self, form: &[u8], definition: &FormDefinition) -> Vec<u8> {
        self.with(|case| fill(form, definition, &self.answers(case)).unwrap().bytes)
    }

    fn check(&self, docx: &[u8], forms: &[FormDefinition]) -> CheckReport {
        let form = FilledForm::read(docx, forms).unwrap();
        self.with(|case| check(&form, "form.docx", case, &self.answers(case)).unwrap())
    }
}

/// `rule severity field` of each finding.
fn found(report: &CheckReport) -> Vec<String> {
    let word = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let findings = report.findings.iter();
    findings.map(|it| format!("{} {} {}", it.rule, word(it.severity), it.field)).collect()
}

/// The same document with words changed; each must occur.
#[track_caller]
fn edited(docx: &[u8], changes: &[(&str, &str)]) -> Vec<u8> {
    let mut document = part(docx, "word/document.xml");
    for (from, to) in changes {
        assert!(document.contains(from), "`{from}` is not in the document");
        document = document.replacen(from, to, 1);
    }
    docx_with(&document, &[])
}

fn p(text: &str) -> String {
    format!("<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

/// A small form with every kind of field.
fn small() -> (FormDefinition, Vec<u8>) {
    let text = r#"
title = "Small form"
programmes = ["ncts5-final"]
source = "test"
recognise = ["First phrase", "Second phrase"]
[[field]]
key = "business.name"
name = "business name"
kind = "line"
label = "Name:"
[[field]]
key = "business.address"
name = "business address"
kind = "after-label"
label = "Address:"
[[field]]
key = "sandbox.id"
name = "sandbox ID"
kind = "after-label"
label = "Sandbox ID:"
[[field]]
key = "on-premise"
name = "on-premise"
kind = "choice"
label = "On-premise?"
options = { yes = "Yes", no = "No" }
[[field]]
key = "more-than-500"
name = "more than 500"
kind = "choice"
label = "Over 500?"
options = { yes = "Yes", no = "No" }
[[section]]
name = "departure"
table = "Departure"
[[section.field]]
key = "mandatory.standard-departure.not-applicable"
name = "why not"
kind = "below"
label = "If not, why:"
[[section.field]]
key = "mandatory.standard-departure.scenario"
name = "scenario"
kind = "after-label"
label = "Scenario:"
[[section.field]]
key = "mandatory.standard-departure.mrn"
name = "MRN"
kind = "after-label"
label = "MRN:"
[[section.field]]
key = "mandatory.standard-departure.IE015"
name = "IE015 sent"
kind = "after-label"
label = "IE015:"
[[section.field]]
key = "mandatory.standard-departure.IE029"
name = "IE029 fetched"
kind = "after-label"
label = "IE029:"
[[section]]
name = "recommended {n}"
table = "{n}. Recommended"
count = 13
[[section.field]]
key = "recommended.{n}.scenario"
name = "recommended {n}: scenario"
kind = "after-label"
label = "Scenario:"
[[section.field]]
key = "recommended.{n}.mrn"
name = "recommended {n}: MRN or LRN"
kind = "after-label"
label = "MRN/LRN:"
"#;
    let path = "test/forms/small.toml".to_owned();
    let definition =
        FormDefinition::parse(&FormFile { id: "small".to_owned(), path, text: text.to_owned() });
    let table = |rows: &[&str]| {
        let rows: String = rows.iter().map(|row| p(row)).collect();
        format!("<w:tbl><w:tr><w:tc>{rows}</w:tc></w:tr></w:tbl>")
    };
    let mut body: String = [
        "First phrase",
        "Second phrase",
        "Name: ______",
        "Address: ",
        "Sandbox ID: ",
        "On-premise? Yes ☐ No ☐",
        "Over 500? Yes ☐ No ☐",
    ]
    .iter()
    .map(|text| p(text))
    .collect();
    body += &table(&["Departure", "If not, why:", "", "Scenario: ", "MRN: ", "IE015: ", "IE029: "]);
    for n in 1..=13 {
        body += &table(&[&format!("{n}. Recommended"), "Scenario: ", "MRN/LRN: "]);
    }
    (definition.unwrap(), docx(&body))
}

#[test]
fn a_filled_form_agrees() {
    let (definition, form) = small();
    let house = House::ncts5();
    let report = house.check(&house.filled(&form, &definition), &[definition]);
    assert_eq!(found(&report), Vec::<String>::new());
    assert!(report.agrees);
    assert_eq!((report.form.as_str(), report.file.as_str()), ("small", "form.docx"));
    assert_eq!(report.fields_read, 10 + 26);
}

#[test]
fn hmrcs_forms_agree_when_filled_and_speak_of_what_is_open() {
    let forms = known_forms();
    for (name, mut house, open) in [
        (NCTS5_FORM, House::ncts5(), &[][..]),
        (
            NCTS6_FORM,
            House::ncts6(),
            &[
                "signature-open info electronic signature",
                "signature-open info date of the signature",
            ],
        ),
    ] {
        let Some(form) = reference(name) else { return };
        let definition = ctc_ready::document::recognise(&form, &forms).unwrap();
        let report = house.check(&house.filled(&form, definition), &forms);
        assert_eq!(found(&report), open, "{report:#?}");
        assert!(report.agrees);

        // Empty, it lacks everything.
        let report = house.check(&form, &forms);
        assert!(!report.agrees);
        let missing = report.findings.iter().filter(|it| it.rule == "answer-missing").count();
        assert!(missing >= 10, "{report:#?}");

        // A rehearsal's copy is compared with a rehearsal, and never with more.
        house.rehearsal = true;
        house.runs.iter_mut().for_each(|run| run.simulated = true);
        let copy = house.filled(&form, definition);
        let report = house.check(&copy, &forms);
        assert_eq!(found(&report), open, "{report:#?}");
        house.rehearsal = false;
        let report = house.check(&copy, &forms);
        assert_eq!(found(&report), ["rehearsal-copy error the document"]);
        assert!(!report.agrees);
    }
}

#[test]
fn each_deviation_is_found_by_its_name_in_its_field() {
    let (definition, form) = small();
    let house = House::ncts5();
    let filled = house.filled(&form, &definition);
    let name = "Müller &amp; Söhne &quot;Zoll&quot; &lt;Spedition&gt; 株式会社";
    for (changes, wanted) in [
        (&[("26GB00000000000001", "26GB99999999999999")][..], "unknown-mrn error MRN"),
        (&[("26GB00000000000001", "LRN1")], "unknown-mrn error MRN"),
        (&[("26GB00000000000001", "26GB00000000000002")], "mrn-of-another-scenario error MRN"),
        (&[(">DNGB1<", ">DNGB2<")], "wrong-scenario error scenario"),
        (&[("21 09:30:05 UTC", "21 09:31:05 UTC")], "time-differs error IE015 sent"),
        (&[("2026-11-21 09:30:05 UTC", "this morning")], "time-unclear warning IE015 sent"),
        (&[("2026-11-21 09:30:05 UTC", "")], "answer-missing error IE015 sent"),
        (&[("Yes ☒ No ☐", "Yes ☐ No ☒")], "contradicts-settings error on-premise"),
        (&[("Yes ☒ No ☐", "Yes ☒ No ☒")], "several-boxes error on-premise"),
        (&[("Yes ☒ No ☐", "Yes ☐ No ☐")], "answer-missing error on-premise"),
        (&[("Over 500? Yes ☐", "Over 500? Yes ☒")], "contradicts-settings error more than 500"),
        (&[(name, "Miller Ltd")], "text-edited warning business name"),
        (&[("8000-000000000001", "8000-000000000009")], "text-edited warning sandbox ID"),
        (
            &[(
                "If not, why:</w:t></w:r></w:p><w:p><w:r><w:t xml:space=\"preserve\">",
                "If not, why:</w:t></w:r></w:p><w:p><w:r><w:t>We do not",
            )],
            "contradicts-settings error why not",
        ),
        (&[(">R3<", ">R99<")], "wrong-scenario error recommended 3: scenario"),
        (
            &[(">R3<", "><"), (">26GB00000000000103<", "><")],
            "answer-missing warning recommended test `R3`",
        ),
        (&[(">R3<", "><")], "answer-missing error recommended 3: scenario"),
        (&[(">26GB00000000000103<", "><")], "answer-missing error recommended 3: MRN or LRN"),
        (&[("Address:", "Anschrift:")], "field-not-found warning business address"),
    ] {
        let report = house.check(&edited(&filled, changes), std::slice::from_ref(&definition));
        let rules = found(&report);
        assert!(rules.iter().any(|rule| rule == wanted), "{changes:?}: {report:#?}");
        assert!(!report.agrees, "{changes:?}");
        // One slip is not told of all over the form.
        assert!(rules.len() <= 3, "{changes:?}: {rules:?}");
    }
}

#[test]
fn what_people_write_in_their_own_way_agrees() {
    let (definition, form) = small();
    let house = House::ncts5();
    let filled = house.filled(&form, &definition);
    let changed = edited(
        &filled,
        &[
            ("2026-11-21 09:30:05 UTC", "21st November 2026, 9.30am"),
            ("2026-11-21 09:33:05 UTC", "21/11/2026 09:33"),
            (">DNGB1<", "> dngb1 <"),
            ("26GB00000000000001", "26gb 0000 0000 0000 01"),
            ("1 Quay Road, Dover, CT17 9BU", "1 Quay Road,  Dover CT17 9BU"),
            // In another order, and by LRN.
            (">R3<", ">X<"),
            (">R4<", ">R3<"),
            (">X<", ">R4<"),
            ("26GB00000000000103", "LRN104"),
            ("26GB00000000000104", "26GB00000000000103"),
        ],
    );
    let report = house.check(&changed, &[definition]);
    assert_eq!(found(&report), Vec::<String>::new(), "{report:#?}");
}

#[test]
fn the_gate_says_whether_the_run_named_still_counts() {
    let (definition, form) = small();
    let mut house = House::ncts5();
    let filled = house.filled(&form, &definition);
    let forms = std::slice::from_ref(&definition);
    let of_mrn = |report: &CheckReport| -> Vec<String> {
        found(report).into_iter().filter(|line| line.ends_with(" MRN")).collect()
    };

    house.as_of = "2027-02-01T09:00:00Z";
    let report = house.check(&filled, forms);
    assert_eq!(of_mrn(&report), ["evidence-stale error MRN"], "{report:#?}");
    assert_eq!(
        report.findings.iter().find(|it| it.field == "MRN").unwrap().run,
        Some(house.runs[0].run)
    );

    house.as_of = "2026-11-23T09:00:00Z";
    house.runs[0].simulated = true;
    let report = house.check(&filled, forms);
    assert_eq!(of_mrn(&report), ["simulated-evidence error MRN"], "{report:#?}");
    // Nor where simulated runs may count: the copy bears no mark.
    house.rehearsal = true;
    assert_eq!(of_mrn(&house.check(&filled, forms)), ["simulated-evidence error MRN"]);

    house.rehearsal = false;
    house.runs[0].simulated = false;
    house.runs[0].state = RunState::Failed;
    let report = house.check(&filled, forms);
    assert!(!report.agrees && of_mrn(&report).len() == 1, "{report:#?}");

    house.runs[0].state = RunState::Waiting;
    let report = house.check(&filled, forms);
    assert!(!report.agrees && of_mrn(&report).len() == 1, "{report:#?}");

    // Both are good, the later one counts.
    house.runs[0].state = RunState::Passed;
    let mut later = house.runs[0].clone();
    later.run = ctc_ready::evidence::RunId::from_u128(900);
    later.mrn = Some("26GB00000000000900".to_owned());
    later.attempt = 2;
    let day = chrono::Duration::days(1);
    later.opened += day;
    later.messages.iter_mut().for_each(|message| {
        message.at += day;
        message.received = message.received.map(|at| at + day);
        message.server_time = message.server_time.map(|at| at + day);
    });
    later.closed = later.closed.map(|at| at + day);
    later.last_event += day;
    house.runs.push(later);
    let report = house.check(&filled, forms);
    assert_eq!(found(&report), ["another-run-counts info MRN"], "{report:#?}");
    assert!(report.agrees);
}

#[test]
fn a_statement_needs_the_settings_and_a_field_its_answer() {
    let Some(form) = reference(NCTS6_FORM) else { return };
    let forms = known_forms();
    let mut house = House::ncts6();
    let definition = ctc_ready::document::recognise(&form, &forms).unwrap();
    let filled = house.filled(&form, definition);
    house.settings.statements.remove("ready-for-go-live");
    house.settings.production_application.id = None;
    let report = house.check(&filled, &forms);
    let rules = found(&report);
    assert_eq!(rules[0], "not-in-settings info production application ID", "{report:#?}");
    assert!(rules[1].starts_with("contradicts-settings error 6)"), "{rules:?}");
    // That a name and an id are given is true of the form, whatever the settings say.
    assert_eq!(rules.len(), 4, "{rules:?}");
    // Two times in one field, each by its own message.
    let document = part(&filled, "word/document.xml");
    for (from, to) in [("09:33:05", "09:32:05"), ("IE029 2026-11-21", "IE045 2026-11-21")] {
        assert!(document.contains(from));
        let report = house.check(&docx_with(&document.replace(from, to), &[]), &forms);
        let rules = found(&report);
        assert!(
            rules.contains(&"time-differs error outbound movement: date and time".to_owned()),
            "{rules:?}"
        );
    }
}

#[test]
fn a_signature_is_as_good_as_its_evidence() {
    let Some(form) = reference(NCTS6_FORM) else { return };
    let forms = known_forms();
    let mut house = House::ncts6();
    let definition = ctc_ready::document::recognise(&form, &forms).unwrap();
    let mut filled = house.with(|case| fill(&form, definition, &house.answers(case)).unwrap());
    let on = chrono::NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
    ctc_ready::document::sign(&mut filled, definition, "A. Director", on).unwrap();
    assert_eq!(found(&house.check(&filled.bytes, &forms)), Vec::<String>::new());
    // The run of 21 November is good until 4 December.
    house.as_of = "2026-12-06T09:00:00Z";
    let report = house.check(&filled.bytes, &forms);
    let outdated = |report: &CheckReport| {
        let of_it = report.findings.iter().find(|it| it.rule == "signature-outdated").unwrap();
        assert_eq!(
            (of_it.field.as_str(), of_it.severity),
            ("date of the signature", Severity::Error)
        );
        of_it.message.clone()
    };
    assert!(outdated(&report).contains("has grown too old since"), "{report:#?}");
    assert!(outdated(&report).starts_with("signed on 2026-11-24"));
    let late = part(&filled.bytes, "word/document.xml").replace("24 November", "5th December");
    let report = house.check(&docx_with(&late, &[]), &forms);
    assert!(outdated(&report).contains("was too old then"), "{report:#?}");
    // A date that cannot be read says nothing of when.
    let unclear = late.replace("5th December 2026", "yesterday");
    let rules = found(&house.check(&docx_with(&unclear, &[]), &forms));
    assert!(!rules.iter().any(|rule| rule.starts_with("signature")), "{rules:?}");
}

#[test]
fn a_form_of_another_programme_and_hostile_files_are_refused() {
    let (definition, form) = small();
    let forms = [definition];
    let house = House::ncts6();
    let filled = FilledForm::read(&form, &forms).unwrap();
    house.with(|case| {
        let refused = check(&filled, "form.docx", case, &house.answers(case)).unwrap_err();
        assert!(matches!(refused, DocumentError::WrongProgramme { .. }), "{refused}");
    });
    for bytes in [&b"PK\x03\x04"[..], b"", &form[..form.len() / 2], &docx(&p("A letter"))] {
        assert!(FilledForm::read(bytes, &forms).is_err());
    }
    // Words without end are told of in short.
    let house = House::ncts5();
    let long = edited(&form, &[("Sandbox ID: ", &format!("Sandbox ID: {}", "x".repeat(100_000)))]);
    let report = house.check(&long, &forms);
    let finding = report.findings.iter().find(|it| it.rule == "text-edited").unwrap();
    assert!(finding.message.len() < 400 && finding.says.as_ref().unwrap().len() <= 240);
}
