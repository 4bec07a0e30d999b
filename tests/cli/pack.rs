//! `pack`, and `verify` of what it makes: refused while the gate finds errors,
//! the same bytes every time, checked anywhere with nothing but the file.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ctc_ready::clock::{Clock, ManualClock};
use ctc_ready::digest::Digest;
use ctc_ready::evidence::bundle::verify_bundle;
use ctc_ready::evidence::chain::{Head, Line};
use ctc_ready::evidence::format::IndexEvent;
use ctc_ready::evidence::seal::keys::KeyRing;
use ctc_ready::evidence::*;
use ctc_ready::ncts::{MessageType, MovementKind};
use ctc_ready::project::Environment;
use serde_json::Value;

use crate::contract::assert_valid;
use crate::reference::skipped;
use crate::support::{Outcome, Project, copy, flip, outcome, tree};

/// When the evidence of [`ready`] is judged.
pub const AT: &str = "2026-11-21T12:00:00Z";

/// A project that may submit at [`AT`], and the key of its house.
pub struct Ready {
    pub project: Project,
    pub keys: tempfile::TempDir,
}

/// One run in Trader Test that passed.
pub fn passed(store: &StoreWriter, clock: &ManualClock, scenario: &str) {
    let text = format!("<sent scenario=\"{scenario}\"/>");
    passed_in(store, clock, ("ncts5-final", "2.1"), scenario, text.as_bytes());
}

/// The same in a programme, with its version of the API and what was sent; that
/// of NCTS6 ends with a release.
pub fn passed_in(
    store: &StoreWriter,
    clock: &ManualClock,
    (programme, api): (&str, &str),
    scenario: &str,
    sent: &[u8],
) {
    let opened = RunOpened {
        run: store.new_run_id(),
        programme: programme.into(),
        scenario: scenario.into(),
        attempt: store.next_attempt(programme, scenario),
        environment: Environment::TraderTest,
        simulated: false,
        driver: Driver::Direct,
        software: SoftwareId { name: "Cargoflow".into(), version: "4.2.0".into(), build: None },
        tool: "ctc-ready 0.1.0".into(),
        operator: None,
        base_url: "https://test-api.service.hmrc.gov.uk".into(),
        api_version: api.into(),
        time_scale: 1.0,
        session: store.session(),
    };
    let mut run = store.open_run(opened).unwrap();
    let redactor = Redactor::new(store.salt(), []);
    let body = run.put_object(sent, Some("application/xml"), &redactor).unwrap();
    let request = Request {
        exchange: 1,
        sent_at: None,
        purpose: Purpose::Submit,
        step: Some(1),
        message: Some(MessageType::Ie015),
        lrn: Some("LRN1".into()),
        message_identification: None,
        payload_origin: None,
        payload_mutation: None,
        payload_check: None,
        method: "POST".into(),
        url: "https://test-api.service.hmrc.gov.uk/x".into(),
        headers: vec![],
        body: Some(body.clone()),
    };
    run.append(Event::Request(request.clone()), Durability::Buffered).unwrap();
    clock.advance(Duration::from_secs(1));
    let answer = run.put_object(b"{}", Some("application/json"), &redactor).unwrap();
    let response = Response {
        exchange: 1,
        status: 202,
        headers: vec![],
        body: Some(answer),
        server_date: Some(clock.now()),
        elapsed_ns: 5,
    };
    run.append(Event::Response(response.clone()), Durability::Buffered).unwrap();
    let submitted = Submitted {
        step: 1,
        message: MessageType::Ie015,
        lrn: Some("LRN1".into()),
        mrn: Some("26GB00EXAMPLE000J7".into()),
        movement: MovementKind::Departure,
        movement_id: "d1".into(),
        message_id: "m1".into(),
        exchange: 1,
        received: Some(clock.now()),
        box_id: None,
        body: body.clone(),
    };
    run.append(Event::Submitted(submitted), Durability::Buffered).unwrap();
    if programme == "ncts6" {
        clock.advance(Duration::from_secs(60));
        let fetch = Request {
            exchange: 2,
            purpose: Purpose::GetMessage,
            method: "GET".into(),
            body: None,
            ..request
        };
        run.append(Event::Request(fetch), Durability::Buffered).unwrap();
        let answer = Response {
            exchange: 2,
            status: 200,
            body: Some(body.clone()),
            server_date: Some(clock.now()),
            ..response
        };
        run.append(Event::Response(answer), Durability::Buffered).unwrap();
        let released = Received {
            message: MessageType::Ie029,
            movement: MovementKind::Departure,
            movement_id: "d1".into(),
            message_id: "m2".into(),
            exchange: 2,
            received: Some(clock.now()),
            mrn: Some("26GB00EXAMPLE000J7".into()),
            lrn: None,
            errors: vec![],
            release_indicator: None,
            body,
        };
        run.append(Event::Received(released), Durability::Buffered).unwrap();
    }
    clock.advance(Duration::from_secs(60));
    store.close_run(run, RunClosed { state: RunState::Passed, failure: None }).unwrap();
}

/// Has the index of a store know a key, as its first seal would.
fn introduce(store: &Path, keys: &KeyRing) {
    let path = store.join("index.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut head = Head::START;
    text.lines().for_each(|line| head.follow(&Line::parse(line.as_bytes()).unwrap()).unwrap());
    let added = IndexEvent::KeyAdded {
        key: keys.fingerprint(),
        public: keys.public().to_base64(),
        replaces: None,
        endorsement: None,
    };
    let (line, _) = head.compose(AT.parse().unwrap(), 0, &added).unwrap();
    fs::write(&path, text + &line).unwrap();
}

pub fn ready() -> Ready {
    static MADE: OnceLock<Ready> = OnceLock::new();
    copy_of(MADE.get_or_init(|| make(("ncts5-final", "2.1"))))
}

/// The same for NCTS6.
pub fn ready_for_ncts6() -> Ready {
    static MADE: OnceLock<Ready> = OnceLock::new();
    copy_of(MADE.get_or_init(|| make(("ncts6", "3.0"))))
}

fn make(programme: (&str, &str)) -> Ready {
    let project = Project::answered();
    let plan = project.json(&["plan", "--programme", programme.0, "--at", AT], 0);
    let opened: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::at(opened));
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let store = StoreWriter::open(&project.evidence(), shared, "ctc-ready 0.1.0").unwrap();
    for requirement in plan["requirements"].as_array().unwrap() {
        if requirement["kind"] == "mandatory" && requirement["applies"] == true {
            let chosen = requirement["chosen"].as_str().unwrap();
            passed_in(&store, &clock, programme, chosen, b"<sent/>");
        }
    }
    drop(store);
    let keys = tempfile::tempdir().unwrap();
    introduce(&project.evidence(), &KeyRing::generate(keys.path()).unwrap());
    Ready { project, keys }
}

fn copy_of(made: &Ready) -> Ready {
    let ready = Ready {
        project: Project { dir: tempfile::tempdir().unwrap() },
        keys: tempfile::tempdir().unwrap(),
    };
    copy(made.project.path(), ready.project.path());
    copy(made.keys.path(), ready.keys.path());
    ready
}

impl Ready {
    fn key(&self) -> Digest {
        KeyRing::load(self.keys.path()).unwrap().fingerprint()
    }

    fn pack(&self, args: &[&str]) -> Outcome {
        self.call(&[&["pack"], args].concat())
    }

    /// Calls the binary as of [`AT`], with the house's key.
    pub fn call(&self, args: &[&str]) -> Outcome {
        let mut command = self.project.command(&[args, &["--at", AT]].concat());
        outcome(command.env("CTC_READY_KEYS", self.keys.path()))
    }

    fn pack_json(&self, args: &[&str], code: i32) -> Value {
        let report = self.pack(&[args, &["--format", "json"]].concat()).code(code).json();
        assert_valid("pack", &report);
        report
    }
}

/// `verify` in an empty folder, by someone without keys and settings.
fn verified(bundle: &Path, args: &[&str], code: i32) -> Value {
    let elsewhere = tempfile::tempdir().unwrap();
    let all = [&["verify", bundle.to_str().unwrap(), "--format", "json"], args].concat();
    let mut command = crate::support::command(&all);
    command.current_dir(elsewhere.path()).env("CTC_READY_KEYS", elsewhere.path().join("none"));
    let report = outcome(&mut command).code(code).json();
    assert_valid("verify", &report);
    report
}

fn text_in(bundle: &Path, name: &str) -> String {
    let mut zip = zip::ZipArchive::new(fs::File::open(bundle).unwrap()).unwrap();
    let mut text = String::new();
    zip.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Whether any part of a document in a bundle says this.
fn says_in_docx(bundle: &Path, name: &str, words: &str) -> bool {
    let mut zip = zip::ZipArchive::new(fs::File::open(bundle).unwrap()).unwrap();
    let mut bytes = Vec::new();
    zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    let mut document = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    (0..document.len()).any(|part| {
        let mut text = String::new();
        let read = document.by_index(part).unwrap().read_to_string(&mut text);
        read.is_ok() && text.contains(words)
    })
}

fn names_in(bundle: &Path) -> Vec<String> {
    let zip = zip::ZipArchive::new(fs::File::open(bundle).unwrap()).unwrap();
    let mut names: Vec<String> = zip.file_names().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn a_bundle_for_submission_is_signed_and_verifies_anywhere() {
    let ready = ready();
    let report = ready.pack_json(&[], 0);
    assert_eq!(report["packed"], true);
    assert_eq!((&report["mark"], &report["ready"]), (&Value::Null, &true.into()));
    assert_eq!(report["output"], "submission-ncts5-final.zip");
    assert_eq!(report["key"], ready.key().to_string());
    let path = ready.project.file("submission-ncts5-final.zip");
    let bytes = fs::read(&path).unwrap();
    assert_eq!(report["sha256"], Digest::of(&bytes).to_string());
    assert_eq!(report["bytes"], bytes.len());
    let names = names_in(&path);
    assert_eq!(report["contents"]["files"], names.len());
    let papers: Vec<&str> = names.iter().map(String::as_str).filter(|n| !n.contains('/')).collect();
    assert_eq!(
        papers,
        [
            "README.txt",
            "bundle.dsse.json",
            "checklist.docx",
            "index.html",
            "signing-key.pem",
            "verdict.json"
        ]
    );
    for hidden in ["lock", "salt", "tmp"] {
        assert!(!names.iter().any(|name| name.contains(hidden)), "{names:?}");
    }
    let verdict: Value = serde_json::from_str(&text_in(&path, "verdict.json")).unwrap();
    assert_valid("gate", &verdict);
    assert_eq!(verdict, ready.project.json(&["gate", "--at", AT], 0));

    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("evidence of ACME.zip");
    fs::rename(&path, &moved).unwrap();
    let report = verified(&moved, &["--key", &ready.key().to_string()], 0);
    assert_eq!(report["problems"], serde_json::json!([]));
    assert_eq!(report["bundle"]["key"], ready.key().to_string());
    assert_eq!(report["bundle"]["sha256"], Digest::of(&bytes).to_string());
    assert_eq!(report["bundle"]["ready"], true);
    assert_eq!(report["runs"], 3);
    let other = "ab".repeat(32);
    let report = verified(&moved, &["--key", &other], 1);
    assert_eq!(report["problems"][0]["rule"], "bundle-signature");
    flip(&moved);
    let report = verified(&moved, &[], 1);
    let place = report["problems"][0]["where"].as_str().unwrap();
    assert!(place.starts_with("evidence of ACME.zip"), "{report:#}");
}

#[test]
fn nothing_is_packed_while_the_gate_finds_errors() {
    let project = Project::rehearsed();
    let before = tree(project.path());
    let report = project.json(&["pack"], 1);
    assert_valid("pack", &report);
    assert_eq!((&report["packed"], &report["output"]), (&false.into(), &Value::Null));
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["rule"] == "simulated-evidence"));
    let told = project.call(&["pack"]).code(1).stdout;
    assert!(told.contains("simulated-evidence") && told.contains("nothing was packed"), "{told}");
    assert!(tree(project.path()) == before);
    // Nothing was run yet: there is nothing to pack, not even a draft.
    let empty = Project::new();
    for args in [&["pack"][..], &["pack", "--draft"]] {
        empty.call(args).code(3).says(&["no evidence store", "ctc-ready run"]);
    }
    assert!(!empty.evidence().exists());
}

#[test]
fn without_a_key_only_what_is_no_submission_is_packed() {
    let ready = ready();
    fs::remove_dir_all(ready.keys.path()).unwrap();
    let before = tree(ready.project.path());
    ready.pack(&[]).code(3).says(&["no key to sign", "ctc-ready keys init"]);
    assert!(tree(ready.project.path()) == before);
    let told = ready.pack(&["--draft"]).code(0).stdout;
    assert!(told.contains("DRAFT, no submission") && told.contains("not signed"), "{told}");
    let path = ready.project.file("submission-ncts5-final-DRAFT.zip");
    assert_eq!(verified(&path, &[], 0)["bundle"]["key"], Value::Null);
}

#[test]
fn what_is_no_submission_says_so_everywhere() {
    let project = Project::rehearsed();
    for (flag, mark) in [("--draft", "DRAFT"), ("--rehearsal", "REHEARSAL")] {
        let report = project.json(&["pack", flag], 0);
        assert_valid("pack", &report);
        assert_eq!(report["mark"], mark);
        assert_eq!(report["ready"], flag == "--rehearsal");
        let path = project.file(&format!("submission-ncts5-final-{mark}.zip"));
        assert!(names_in(&path).contains(&format!("{mark}.txt")));
        for name in ["README.txt", "index.html", &format!("{mark}.txt")] {
            assert!(text_in(&path, name).contains(mark), "{name}");
        }
        let form = format!("checklist-{mark}.docx");
        assert_eq!(report["checklist"]["output"], form);
        let names = names_in(&path);
        let forms: Vec<&String> = names.iter().filter(|name| name.ends_with(".docx")).collect();
        assert_eq!(forms, [&form]);
        assert!(says_in_docx(&path, &form, &format!("{mark}: NOT FOR SUBMISSION")), "{mark}");
        let report = verified(&path, &[], 0);
        assert_eq!(report["bundle"]["mark"], mark);
        let readme = text_in(&path, "README.txt");
        assert!(readme.lines().all(|line| line.chars().count() <= 80), "{readme}");
    }
    project.call(&["pack", "--draft", "--rehearsal"]).code(2);
}

#[test]
fn the_same_instant_is_the_same_bytes() {
    let ready = ready();
    let path = ready.project.file("submission-ncts5-final.zip");
    ready.pack(&[]).code(0);
    let first = fs::read(&path).unwrap();
    // Another machine: a copy made in another order, in another folder.
    let other = Ready {
        project: Project { dir: tempfile::tempdir().unwrap() },
        keys: tempfile::tempdir().unwrap(),
    };
    for (from, to) in
        [(ready.project.path(), other.project.path()), (ready.keys.path(), other.keys.path())]
    {
        for (file, bytes) in tree(from).into_iter().rev() {
            let target = to.join(file.strip_prefix(from).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(&target, bytes).unwrap();
            fs::set_permissions(&target, fs::metadata(&file).unwrap().permissions()).unwrap();
        }
    }
    fs::remove_file(other.project.file("submission-ncts5-final.zip")).unwrap();
    other.pack(&[]).code(0);
    assert!(fs::read(other.project.file("submission-ncts5-final.zip")).unwrap() == first);
    // Once more in the same place: nothing is kept beside it.
    ready.pack(&[]).code(0);
    assert!(fs::read(&path).unwrap() == first);
    let previous = ready.project.file("submission-ncts5-final.previous-1.zip");
    assert!(!previous.exists());
    // Another day: the bundle that may have been sent is kept.
    ready.pack(&["--submit-on", "2026-11-23"]).code(0);
    assert!(fs::read(&previous).unwrap() == first);
    assert!(fs::read(&path).unwrap() != first);
    verified(&path, &[], 0);
}

#[test]
fn nothing_but_a_bundle_is_replaced() {
    let ready = ready();
    let notes = ready.project.file("notes.zip");
    fs::write(&notes, "my notes").unwrap();
    ready.pack(&["--output", "notes.zip"]).code(3).says(&["notes.zip", "left as it is"]);
    assert_eq!(fs::read_to_string(&notes).unwrap(), "my notes");
    ready.pack(&["--output", "."]).code(3);
    ready.pack(&["--output", "nowhere/x.zip"]).code(3).says(&["nowhere"]);
    ready.pack(&["--output", "evidence/x.zip"]).code(2).says(&["lies in the evidence store"]);
    let left: Vec<_> = tree(ready.project.path())
        .into_iter()
        .filter(|(path, _)| path.to_string_lossy().contains(".tmp-"))
        .collect();
    assert!(left.is_empty());
}

/// The commands in a README, without those for the zip as it was sent.
fn commands(readme: &str) -> Vec<String> {
    let ruler = format!("{}\n", "-".repeat(40));
    readme.split(&ruler).skip(1).step_by(2).map(str::to_owned).collect()
}

/// What a command says, and whether it succeeded.
fn shell(folder: &Path, script: &str) -> (bool, String) {
    let output = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_readme_says_how_to_check_without_this_program() {
    let missing = ["bash", "python3", "openssl", "sha256sum"]
        .iter()
        .find(|program| Command::new(program).arg("--version").output().is_err());
    if let Some(program) = missing {
        return skipped(format!("`{program}` is not installed"));
    }
    let ready = ready();
    for args in [&[][..], &["--draft", "--output", "draft.zip"]] {
        if !args.is_empty() {
            fs::remove_dir_all(ready.keys.path()).unwrap();
        }
        let key = args.is_empty().then(|| ready.key().to_string());
        let report = ready.pack_json(args, 0);
        let path = ready.project.file(report["output"].as_str().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let unpacked = folder.path().join("unpacked");
        zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap().extract(&unpacked).unwrap();
        fs::copy(&path, folder.path().join("BUNDLE.zip")).unwrap();
        let commands = commands(&text_in(&path, "README.txt"));
        assert_eq!(commands.len(), if key.is_some() { 4 } else { 2 });

        let (good, said) = shell(folder.path(), &commands[0]);
        let lines: Vec<&str> = said.lines().collect();
        assert!(good && lines[0].split(' ').next() == Some(lines[1]), "{said}");
        assert_eq!(shell(&unpacked, &commands[1]), (true, String::new()));
        if let Some(key) = &key {
            let (good, said) = shell(&unpacked, &commands[2]);
            assert!(good && said.contains("Signature Verified Successfully"), "{said}");
            let (good, said) = shell(&unpacked, &commands[3]);
            assert!(good && said.starts_with(key.as_str()), "{said}");
        }
        // They can say no.
        fs::write(unpacked.join("more.txt"), "x").unwrap();
        let (good, said) = shell(&unpacked, &commands[1]);
        assert!(!good && said.contains("more.txt"), "{said}");
        fs::remove_file(unpacked.join("more.txt")).unwrap();
        flip(&unpacked.join("index.html"));
        let (good, said) = shell(&unpacked, &commands[1]);
        assert!(!good && said.contains("index.html: FAILED"), "{said}");
        assert_eq!(verified(&unpacked, &[], 1)["problems"][0]["where"], "index.html");
        if key.is_some() {
            let envelope = unpacked.join("bundle.dsse.json");
            let text = fs::read_to_string(&envelope).unwrap();
            fs::write(&envelope, text.replacen("\"sig\":\"", "\"sig\":\"AAAA", 1)).unwrap();
            assert!(!shell(&unpacked, &commands[2]).0);
        }
    }
}

#[test]
fn what_is_no_bundle_is_told_as_that() {
    let project = Project::new();
    for (name, bytes) in [
        ("notes.txt", &b"my notes"[..]),
        ("empty.zip", b""),
        ("other.zip", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ] {
        fs::write(project.file(name), bytes).unwrap();
        project.call(&["verify", name]).code(3).says(&["no bundle", name]);
    }
    assert!(verify_bundle(&project.file("nothing.zip"), &Trust::default()).is_err());
}
