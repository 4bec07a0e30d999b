//! What only a person can say: the open questions, and the signature.

use std::fs;

use serde_json::Value;

use crate::checking::{NCTS5, NCTS6, document, docx, made_up};
use crate::contract::{assert_fields, assert_valid};
use crate::pack::{AT, ready, ready_for_ncts6};
use crate::support::{Project, form, on_terminal, outcome, plain, set, text_of_docx, tree};

fn open(project: &Project, more: &[&str]) -> Vec<Value> {
    let report = project.json(&[&["checklist", "--questions", "--at", AT], more].concat(), 0);
    assert_valid("checklist-questions", &report);
    let open = report["open"].as_array().unwrap().clone();
    for question in &open {
        assert_fields(question, &["key", "name", "asks", "kind", "table", "setting"]);
    }
    open
}

fn keys(open: &[Value]) -> Vec<&str> {
    open.iter().map(|question| question["key"].as_str().unwrap()).collect()
}

/// The settings without what the house says of itself.
fn silent() -> Project {
    let project = Project::new();
    let text = project.settings();
    let text: String = text
        .lines()
        .map(|line| {
            let of_house = ["[business]", "[sandbox-application]", "[production-application]"];
            let section = text.split(line).next().unwrap().rsplit("\n[").next().unwrap_or_default();
            let section = format!("[{}", section.split('\n').next().unwrap_or_default());
            match of_house.contains(&section.as_str()) && line.contains(" = ") {
                true => format!("# {}\n", line.trim_start_matches("# ")),
                false => format!("{line}\n"),
            }
        })
        .collect();
    let text = text.replace(
        "flows = [\"standard-departure\", \"pre-lodged-departure\", \"arrival\"]",
        "flows = [\"standard-departure\"]",
    );
    project.write_settings(&text);
    project
}

/// What the gate holds against the house's silence, and what is asked: the
/// same, whatever was answered before.
#[test]
fn every_open_question_is_a_finding_of_the_gate() {
    let project = silent();
    let base = project.settings();
    let branches: [(&str, &[(&str, &str)]); 5] = [
        ("ncts5-final", &[]),
        ("ncts5-transition", &[("on-premise", "true"), ("rate-limit-enough", "\"dont-know\"")]),
        ("ncts5-final", &[("on-premise", "true"), ("rate-limit-enough", "false")]),
        (
            "ncts5-final",
            &[("on-premise", "false"), ("rate-limit-enough", "true"), ("saas", "false")],
        ),
        ("ncts6", &[("aligned", "true")]),
    ];
    for (programme, answers) in branches {
        let text = answers.iter().fold(base.clone(), |text, (key, value)| set(&text, key, value));
        project.write_settings(&text);
        let open = open(&project, &["--programme", programme]);
        assert!(open.len() > 6, "{programme}: {open:#?}");
        let gate = project.json(&["gate", "--programme", programme, "--at", AT], 1);
        let findings: Vec<&Value> = gate["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| {
                finding["rule"] == "unanswered-question"
                    || finding["rule"] == "not-applicable-unexplained"
            })
            .collect();
        assert_eq!(findings.len(), open.len(), "{programme}: {findings:#?}\n{open:#?}");
        for question in &open {
            let key = question["setting"].as_str().unwrap();
            let place = format!("{}.{key}`", question["table"].as_str().unwrap());
            let names = |finding: &&&Value| {
                let message = finding["message"].as_str().unwrap();
                message.contains(&format!("`{key}`"))
                    || message.contains(&format!("`{key} = true`"))
                    || message.contains(&place)
            };
            assert_eq!(findings.iter().filter(names).count(), 1, "{question:#?}\n{findings:#?}");
        }
    }
    project.write_settings(&base);
    assert!(keys(&open(&project, &["--programme", "ncts5-final"])).ends_with(&[
        "more-than-5000",
        "mandatory.pre-lodged-departure.not-applicable",
        "mandatory.arrival.not-applicable"
    ]));
    // A form puts its own questions alone.
    fs::write(project.file("form.docx"), made_up(NCTS6)).unwrap();
    let of_form = open(&project, &["--form", "form.docx"]);
    assert_eq!(keys(&of_form), keys(&open(&project, &["--programme", "ncts6"])));
    let shorter = document(&project.file("form.docx")).replace("Contact Email:", "Telephone:");
    fs::write(project.file("form.docx"), docx(&shorter)).unwrap();
    let of_shorter = open(&project, &["--form", "form.docx"]);
    assert_eq!(of_shorter.len(), of_form.len() - 1);
}

#[test]
fn answers_are_written_one_by_one_and_all_else_stays() {
    let project = silent();
    let before = project.settings();
    let typed = "Invented & Sons \"Ltd\"\n\
        1 Quay Road\nDover\n\n\
        \n\
        \n\
        \n\
        \n\
        perhaps\nyes\n\
        y\n\
        many\n3\n\
        ?\n\
        Two ports, one peak.\nForty lorries.\n\n\
        no\n";
    let args = format!("checklist --questions --programme ncts5-final --at {AT}");
    let Some((code, shown)) = on_terminal(&project, &args, typed) else { return };
    let shown = plain(&shown);
    assert_eq!(code, 0, "{shown}");
    for part in [
        "Under which registered name do you apply?",
        "text; an empty line ends it",
        "`answers.saas` must be true or false",
        "please answer again",
        "`answers.production-applications` must be a whole number, 0 or more",
        "wrote 8 answers to ctc-ready.toml",
        "still open: ",
        "- more than 5000 movements in flight",
    ] {
        assert!(shown.contains(part), "`{part}` is not said: {shown}");
    }
    // Only if it is unsure: its reason. Not: why more is needed.
    assert!(shown.contains("rate limit: why unsure") && !shown.contains("impact"), "{shown}");
    let after = project.settings();
    let only = |one: &str, other: &str| -> Vec<String> {
        let other: Vec<&str> = other.lines().collect();
        one.lines().filter(|line| !other.contains(line)).map(str::to_owned).collect()
    };
    let changed = only(&after, &before);
    assert_eq!(
        changed,
        [
            "name = 'Invented & Sons \"Ltd\"'",
            "address = \"\"\"",
            "1 Quay Road",
            "Dover\"\"\"",
            "saas = true",
            "on-premise = true",
            "production-applications = 3",
            "rate-limit-enough = \"dont-know\"",
            "rate-limit-unsure = \"\"\"",
            "Two ports, one peak.",
            "Forty lorries.\"\"\"",
            "more-than-500 = false",
        ]
    );
    // The examples came into force where they stood.
    let gone = only(&before, &after);
    assert_eq!(gone.len(), 8, "{gone:?}");
    assert!(gone.iter().all(|line| line.starts_with("# ")), "{gone:?}");
    let comments = |text: &str| text.lines().filter(|line| line.starts_with("# ")).count();
    assert_eq!(comments(&after), comments(&before) - 8);
    // Nothing else is asked for, and nothing is written by looking.
    assert_eq!(open(&project, &["--programme", "ncts5-final"]).len(), 4 + 1 + 2);
    assert_eq!(project.settings(), after);
}

#[test]
fn a_statement_takes_the_whole_word_and_a_signature_is_never_asked_for() {
    let project = Project::new();
    let args = format!("checklist --questions --programme ncts6 --at {AT}");
    let Some((code, shown)) = on_terminal(&project, &args, "y\nYES\nno\n\n") else { return };
    let shown = plain(&shown);
    assert_eq!(code, 0, "{shown}");
    for part in [
        "The form has you declare: The product follows",
        "please type the whole word `yes` or `no`",
        "wrote 2 answers",
        "still open: 3",
    ] {
        assert!(shown.contains(part), "`{part}` is not said: {shown}");
    }
    assert!(!shown.contains("signature"), "{shown}");
    let text = project.settings();
    assert!(text.contains("\naligned = true\n") && text.contains("\ntested-in-house = false\n"));
    // What the settings deny is still open, and shown with what they say.
    let open = open(&project, &["--programme", "ncts6"]);
    assert_eq!(keys(&open), ["tested-in-house", "outbound-movement", "ready-for-go-live"]);
    assert_eq!(open[0]["now"], "false");
}

#[test]
fn without_a_person_nothing_is_asked_and_nothing_signed() {
    let project = Project::new();
    let before = tree(project.path());
    let asked = project.call(&["checklist", "--questions", "--programme", "ncts6"]).code(2);
    asked.says(&["4 open questions, and nobody to ask: aligned, tested-in-house", "--format json"]);
    fs::write(project.file("form.docx"), made_up(NCTS6)).unwrap();
    let signed = ["checklist", "--form", "form.docx", "--sign-as", "A. Director"];
    project.call(&signed).code(2).says(&["signed by a person, on a terminal"]);
    for more in [&["--rehearsal"][..], &["--check", "form.docx"], &["--yes"], &["--draft"]] {
        project.call(&[&signed[..], more].concat()).code(2);
    }
    project.call(&["checklist", "--sign-as", "A. Director"]).code(2).says(&["--form"]);
    fs::remove_file(project.file("form.docx")).unwrap();
    assert!(before == tree(project.path()));
    // Nothing open is nothing to ask.
    let done = Project::answered().call(&["checklist", "--questions", "--programme", "ncts6"]);
    assert!(done.code(0).stdout.contains("ncts6: no question is open"));
}

/// NCTS6's form: HMRC's if it is there, else one of our own with its fields.
fn ncts6_form(project: &Project) {
    let bytes = match form("ncts6-readiness-checklist-2026-04-14.docx") {
        Some(path) => fs::read(path).unwrap(),
        None => made_up(NCTS6),
    };
    fs::write(project.file("form.docx"), bytes).unwrap();
}

#[test]
fn a_person_signs_what_is_shown() {
    let ready = ready_for_ncts6();
    let project = &ready.project;
    ncts6_form(project);
    let sign = format!("checklist --form form.docx --sign-as 'A.  Director' --at {AT}");
    // Another name, and the end of input: not signed.
    for typed in ["A. Clerk\n", ""] {
        let Some((code, shown)) = on_terminal(project, &sign, typed) else { return };
        assert_eq!(code, 2, "{shown}");
        assert!(shown.contains("not signed") && shown.contains("nothing was written"), "{shown}");
        assert!(!project.file("checklist.docx").exists());
    }
    let Some((code, shown)) = on_terminal(project, &sign, "A. Director\n") else { return };
    let shown = plain(&shown);
    assert_eq!(code, 0, "{shown}");
    for part in [
        "Cargoflow 4.2.0 for ",
        "outbound movement: MRN: 26GB00EXAMPLE000J7",
        "electronic signature: A. Director",
        "date of the signature: 21 November 2026",
        "Type the name to sign: A. Director",
        "wrote checklist.docx",
    ] {
        assert!(shown.contains(part), "`{part}` is not said: {shown}");
    }
    let text = text_of_docx(&project.file("checklist.docx"));
    assert!(text.contains("Electronic Signature: A. Director"), "{text}");
    assert!(text.contains("Date: 21 November 2026"), "{text}");
    // Read back: signed, and good on that day; outdated when evidence is.
    let check = ["checklist", "--check", "checklist.docx", "--format", "json", "--at"];
    let rules = |at: &str| -> Vec<(String, String)> {
        let report = project.call(&[&check[..], &[at]].concat()).json();
        assert_valid("checklist-check", &report);
        let findings = report["findings"].as_array().unwrap().iter();
        let of = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        findings.map(|it| (of(it, "rule"), of(it, "field"))).collect()
    };
    let about_signature = |found: &[(String, String)]| -> Vec<String> {
        let of_it = found.iter().filter(|(_, field)| field.contains("signature"));
        of_it.map(|(rule, _)| rule.clone()).collect()
    };
    assert!(about_signature(&rules(AT)).is_empty());
    let late = rules("2026-12-20");
    assert_eq!(about_signature(&late), ["signature-outdated"]);
    assert!(late.iter().any(|(rule, _)| rule == "evidence-stale"), "{late:?}");

    // JSON alone on standard output; what is signed is shown beside.
    let json = format!("{sign} --format json --output again.docx 2>/dev/null");
    let Some((code, shown)) = on_terminal(project, &json, "A. Director\n") else { return };
    assert_eq!(code, 0, "{shown}");
    let begin = shown.find("{\n").unwrap();
    let report: Value = serde_json::from_str(&shown[begin..]).unwrap();
    assert_valid("checklist", &report);
    let signed: Vec<&Value> = report["filled"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|field| field["from"] == "signed")
        .map(|field| &field["value"])
        .collect();
    assert_eq!(signed, ["A. Director", "21 November 2026"]);
    // Somebody else's signature stays.
    let again = sign.replace("form.docx", "checklist.docx").replace("A.  Director", "B. Director");
    let Some((code, shown)) = on_terminal(project, &again, "B. Director\n") else { return };
    assert_eq!(code, 3, "{shown}");
    assert!(shown.contains("cannot be signed"), "{shown}");
}

#[test]
fn nobody_signs_while_the_gate_finds_errors_or_where_no_signature_is_asked_for() {
    let project = Project::answered();
    ncts6_form(&project);
    let before = tree(project.path());
    let sign = format!("checklist --form form.docx --sign-as Me --at {AT}");
    let Some((code, shown)) = on_terminal(&project, &sign, "Me\n") else { return };
    let shown = plain(&shown);
    assert_eq!(code, 1, "{shown}");
    for part in ["required-scenario-missing", "nothing was signed", "ctc-ready gate"] {
        assert!(shown.contains(part), "`{part}` is not said: {shown}");
    }
    let ready = ready();
    fs::write(ready.project.file("form.docx"), made_up(NCTS5)).unwrap();
    let Some((code, shown)) = on_terminal(&ready.project, &sign, "Me\n") else { return };
    assert_eq!(code, 2, "{shown}");
    assert!(shown.contains("has no place for a signature"), "{shown}");
    assert!(!ready.project.file("checklist.docx").exists());
    assert!(before == tree(project.path()));
}

#[test]
fn a_secret_is_no_answer() {
    let project = Project::new();
    let mut command = project.command(&["checklist", "--questions"]);
    // Only a terminal can answer; the settings themselves are guarded too.
    outcome(command.env("CTC_READY_TOKEN", "canary-4711").write_stdin("canary-4711\n")).code(2);
    assert!(!project.settings().contains("canary"));
}
