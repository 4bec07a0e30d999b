//! `submission`: the folder to send from, refused while anything is wrong.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use ctc_ready::clock::{Clock, ManualClock};
use ctc_ready::digest::Digest;
use ctc_ready::evidence::StoreWriter;
use serde_json::Value;

use crate::checking::{NCTS5, NCTS6, document, docx, made_up};
use crate::contract::assert_valid;
use crate::pack::{Ready, passed_in, ready, ready_for_ncts6};
use crate::reading::snapshot;
use crate::reference::skipped;
use crate::support::{Project, copy, outcome, text_of_docx, tree};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn submission(ready: &Ready, args: &[&str], code: i32) -> Value {
    let args = [&["submission", "--form", "form.docx", "--format", "json"], args].concat();
    let report = ready.call(&args).code(code).json();
    assert_valid("submission", &report);
    assert_eq!(report["written"], code == 0);
    report
}

/// The parts of an e-mail as Python's library reads it: headers, text, and
/// each file with its SHA-256.
fn read_eml(path: &Path) -> Option<Value> {
    let program = "\
import email, email.policy, hashlib, json, sys
m = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
files = [[p.get_filename(), p.get_content_type(), hashlib.sha256(p.get_content()).hexdigest()] for p in m.iter_attachments()]
print(json.dumps({'headers': {k.lower(): str(v) for k, v in m.items()}, 'text': m.get_body().get_content(), 'files': files, 'defects': [str(d) for p in m.walk() for d in p.defects]}))
";
    let output = Command::new("python3").args(["-c", program]).arg(path).output();
    let Ok(output) = output else {
        skipped("`python3` is not there to read the e-mail");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn an_email_takes_form_and_bundle_as_they_are() {
    let ready = ready();
    fs::write(ready.project.file("form.docx"), made_up(NCTS5)).unwrap();
    let report = submission(&ready, &[], 0);
    let folder = ready.project.file("submission-ncts5-final");
    assert_eq!(names(&folder), ["checklist.docx", "submission-ncts5-final.zip", "submission.eml"]);
    assert_eq!(
        (&report["channel"], &report["to"], &report["mark"], &report["ready"]),
        (&"email".into(), &"SDSTeam@hmrc.gov.uk".into(), &Value::Null, &true.into())
    );
    for file in report["files"].as_array().unwrap() {
        let bytes = fs::read(folder.join(file["name"].as_str().unwrap())).unwrap();
        assert_eq!(file["sha256"], Digest::of(&bytes).to_string());
        assert_eq!((&file["bytes"], &file["attached"]), (&bytes.len().into(), &true.into()));
    }
    // The form in the bundle is the form beside it.
    let bundle = fs::File::open(folder.join("submission-ncts5-final.zip")).unwrap();
    let mut zip = zip::ZipArchive::new(bundle).unwrap();
    let mut inside = Vec::new();
    std::io::copy(&mut zip.by_name("checklist.docx").unwrap(), &mut inside).unwrap();
    assert!(inside == fs::read(folder.join("checklist.docx")).unwrap());
    let bundle = folder.join("submission-ncts5-final.zip");
    ready.call(&["verify", bundle.to_str().unwrap()]).code(0);

    let eml = fs::read_to_string(folder.join("submission.eml")).unwrap();
    assert!(eml.is_ascii() && eml.split("\r\n").all(|line| line.len() <= 100));
    let Some(letter) = read_eml(&folder.join("submission.eml")) else { return };
    assert_eq!(letter["defects"], serde_json::json!([]));
    let headers = &letter["headers"];
    assert_eq!(headers["to"], "SDSTeam@hmrc.gov.uk");
    assert_eq!(headers["from"], "customs@software.example");
    assert_eq!(headers["x-unsent"], "1");
    let files: Vec<[&Value; 2]> =
        letter["files"].as_array().unwrap().iter().map(|file| [&file[0], &file[2]]).collect();
    let wanted: Vec<[&Value; 2]> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| [&file["name"], &file["sha256"]])
        .collect();
    assert_eq!(files, wanted, "what is attached is bit for bit what was written");
    let subject = headers["subject"].as_str().unwrap();
    snapshot(
        "submission-email",
        &format!("Subject: {}\n\n{}", subject.replace(": ", ":\n "), folded(&letter)),
    );
}

/// The text of a letter, with sizes taken out.
fn folded(letter: &Value) -> String {
    sizes(letter["text"].as_str().unwrap())
}

fn sizes(text: &str) -> String {
    let text: Vec<String> = text
        .lines()
        .map(|line| match line.rsplit_once('(').filter(|_| line.ends_with(" bytes)")) {
            Some((before, _)) => format!("{before}([N] bytes)"),
            None => line.to_owned(),
        })
        .collect();
    text.join("\n")
}

#[test]
fn a_bundle_too_large_for_mailboxes_stands_beside_the_email() {
    let ready = ready();
    fs::write(ready.project.file("form.docx"), made_up(NCTS5)).unwrap();
    // A message of which nothing can be compressed.
    let mut seed = 7_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    })
    .take(7_800_000)
    .collect();
    let clock = Arc::new(ManualClock::at("2026-11-20T11:00:00Z".parse().unwrap()));
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let store = StoreWriter::open(&ready.project.evidence(), shared, "ctc-ready 0.1.0").unwrap();
    passed_in(&store, &clock, ("ncts5-final", "2.1"), "DNGB1", &noise);
    drop(store);
    let told = ready.call(&["submission", "--form", "form.docx"]).code(0).stdout;
    assert!(told.contains("too large for most mailboxes"), "{told}");
    let folder = ready.project.file("submission-ncts5-final");
    assert!(fs::metadata(folder.join("submission-ncts5-final.zip")).unwrap().len() > 7_800_000);
    let eml = fs::read_to_string(folder.join("submission.eml")).unwrap();
    assert!(eml.len() < 100_000, "{}", eml.len());
    assert!(eml.contains("Too large for an e-mail, and sent on request:"), "{eml}");
    assert!(eml.contains("checklist.docx") && !eml.contains("application/zip"));
}

#[test]
fn the_support_form_gets_files_and_a_text() {
    let ready = ready_for_ncts6();
    fs::write(ready.project.file("form.docx"), made_up(NCTS6)).unwrap();
    let report = submission(&ready, &["--output", "out"], 0);
    assert_eq!((&report["channel"], &report["to"]), (&"support-form".into(), &Value::Null));
    let folder = ready.project.file("out");
    assert_eq!(names(&folder), ["checklist.docx", "submission-ncts6.zip", "text-to-paste.txt"]);
    assert!(report["files"].as_array().unwrap().len() <= 5);
    // What is left is told: nobody has signed.
    let left: Vec<&Value> =
        report["left_for_you"].as_array().unwrap().iter().map(|left| &left["field"]).collect();
    assert!(left.contains(&&"electronic signature".into()), "{left:?}");
    let text = fs::read_to_string(folder.join("text-to-paste.txt")).unwrap();
    snapshot("submission-paste", &sizes(&text));
    // The same once more, for people.
    fs::remove_dir_all(&folder).unwrap();
    let told = ready.call(&["submission", "--form", "form.docx", "--output", "out"]).code(0).stdout;
    let told: Vec<&str> = told.lines().filter(|line| !line.contains(" bytes")).collect();
    snapshot("submission", &told.join("\n"));
}

#[test]
fn nothing_is_written_while_anything_is_wrong() {
    let ready = ready();
    let form = ready.project.file("form.docx");
    fs::write(&form, made_up(NCTS5)).unwrap();
    // The form says something else than the evidence.
    let filled = ["checklist", "--form", "form.docx", "--output", "filled.docx"];
    ready.call(&filled).code(0);
    let wrong = document(&ready.project.file("filled.docx")).replacen(
        "26GB00EXAMPLE000J7",
        "26GB00EXAMPLE000J8",
        1,
    );
    fs::write(&form, docx(&wrong)).unwrap();
    fs::remove_file(ready.project.file("filled.docx")).unwrap();
    let before = tree(ready.project.path());
    let report = submission(&ready, &[], 1);
    let rules: Vec<&Value> =
        report["form_findings"].as_array().unwrap().iter().map(|it| &it["rule"]).collect();
    assert!(rules.contains(&&"unknown-mrn".into()), "{rules:?}");
    assert!(tree(ready.project.path()) == before);

    let project = Project::rehearsed();
    fs::write(project.file("form.docx"), made_up(NCTS5)).unwrap();
    let before = tree(project.path());
    let told = project.call(&["submission", "--form", "form.docx"]).code(1).stdout;
    for part in
        ["simulated-evidence", "left for you in the form: 3", "nothing was written", "--draft"]
    {
        assert!(told.contains(part), "`{part}` is not said: {told}");
    }
    assert!(tree(project.path()) == before);
    project.call(&["submission"]).code(2).says(&["--form"]);
    project.call(&["submission", "--form", "no.docx"]).code(3).says(&["no.docx"]);
    let balance = ["submission", "--form", "form.docx", "--programme", "guarantee-balance"];
    project.call(&balance).code(2).says(&["nothing is known of how HMRC takes a form"]);
    for output in ["evidence", "evidence/new"] {
        let args = ["submission", "--form", "form.docx", "--draft", "--output", output];
        project.call(&args).code(2).says(&["inside the evidence"]);
    }
    let args = ["submission", "--form", "form.docx", "--draft", "--output", "."];
    project.call(&args).code(3).says(&["is there already and not empty"]);
}

#[test]
fn what_is_no_submission_says_so_and_goes_to_nobody() {
    let made = Project::rehearsed();
    for (programme, definition) in [("ncts5-final", NCTS5), ("ncts6", NCTS6)] {
        for (flag, mark) in [("--draft", "DRAFT"), ("--rehearsal", "REHEARSAL")] {
            let project = Project { dir: tempfile::tempdir().unwrap() };
            copy(made.path(), project.path());
            fs::write(project.file("form.docx"), made_up(definition)).unwrap();
            let args = ["submission", "--form", "form.docx", flag, "--programme", programme];
            let report = project.json(&args, 0);
            assert_valid("submission", &report);
            assert_eq!((&report["mark"], &report["to"]), (&mark.into(), &Value::Null));
            let folder = project.file(report["output"].as_str().unwrap());
            assert!(folder.ends_with(format!("submission-{programme}-{mark}")), "{folder:?}");
            let letter =
                fs::read_to_string(folder.join(report["letter"].as_str().unwrap())).unwrap();
            assert!(letter.contains(&format!("{mark}: NOT FOR SUBMISSION")), "{letter}");
            assert!(!letter.contains("\r\nTo: ") && !letter.contains("SDSTeam"), "{letter}");
            for file in report["files"].as_array().unwrap() {
                assert!(file["name"].as_str().unwrap().contains(mark), "{file}");
            }
            let form = text_of_docx(&folder.join(format!("checklist-{mark}.docx")));
            assert_eq!(form.contains("REHEARSAL: NOT FOR SUBMISSION"), mark == "REHEARSAL");
        }
    }
}

#[test]
fn nothing_leaves_with_a_secret() {
    let project = Project::rehearsed();
    fs::write(project.file("form.docx"), made_up(NCTS6)).unwrap();
    project.write_settings(&project.settings().replace("customs@", "canary-4711@"));
    let args = ["submission", "--form", "form.docx", "--rehearsal"];
    let refused = outcome(project.command(&args).env("CTC_READY_TOKEN", "canary-4711")).code(3);
    refused.says(&["there is a secret", "nothing was written"]);
    assert!(!project.file("submission-ncts6-REHEARSAL").exists());
}
