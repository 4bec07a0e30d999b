//! Settings, flags, packs and forms that are wrong: told by name and place,
//! with what to do, and nothing lost.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::support::{INIT, Project, call, command, form, outcome, text_of_docx, tree};

#[test]
fn no_project() {
    let empty = tempfile::tempdir().unwrap();
    let dir = empty.path().to_str().unwrap();
    for name in ["plan", "run", "status", "gate", "checklist", "verify"] {
        let outcome = outcome(command(&[name]).current_dir(empty.path())).code(3);
        let outcome = outcome.says(&["ctc-ready.toml", dir, "ctc-ready init"]);
        assert_eq!(outcome.stdout, "", "{name}");
        call(&[name, "--project", dir]).code(3).says(&["ctc-ready.toml", dir]);
    }
    assert!(tree(empty.path()).is_empty());
    // A catalogue can be looked at from anywhere.
    outcome(command(&["scenario", "list"]).current_dir(empty.path())).code(0);
}

#[test]
fn settings_that_are_wrong_are_told_by_file_line_and_field() {
    let project = Project::new();
    let good = project.settings();
    let line_of = |text: &str, part: &str| text.lines().position(|l| l.contains(part)).unwrap() + 1;
    let cases: [(&str, &str, &[&str]); 8] = [
        ("[software]", "[software", &["not TOML"]),
        ("side = \"GB\"", "sied = \"GB\"", &["sied"]),
        ("side = \"GB\"", "side = \"FR\"", &["side", "GB"]),
        ("combination = \"A\"", "combination = \"C\"", &["combination"]),
        ("version = \"4.2.0\"", "version = 4.2", &["software", "string"]),
        ("environment = \"trader-test\"", "environment = \"production\"", &["trader-test"]),
        ("[gate]", "[gates]", &["gates", "`gate`"]),
        ("[run]", "[run]\nbase-url = \"http://example.com\"", &["base-url"]),
    ];
    for (from, to, parts) in cases {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        project.write_settings(&bad);
        let line = line_of(&bad, to.lines().last().unwrap());
        for name in ["plan", "run", "status", "gate", "checklist", "verify", "scenario"] {
            let args: &[&str] = if name == "scenario" { &["scenario", "list"] } else { &[name] };
            let outcome = project.call(args).code(3).says(parts);
            outcome.says(&[&format!("ctc-ready.toml:{line}:")]);
        }
        assert_eq!(project.settings(), bad, "nobody but the user mends it");
        assert!(!project.evidence().exists());
    }
    let programme = good.replacen("\"ncts5-final\"", "\"ncts7\"", 1);
    project.write_settings(&programme);
    project.call(&["plan"]).code(3).says(&["ncts7", "programmes", "ncts5-final", "ncts6"]);

    // Not text, and far too much of it.
    fs::write(project.file("ctc-ready.toml"), b"programmes = [\"ncts6\"]\nx = \"\xff\"\n").unwrap();
    project.call(&["plan"]).code(3).says(&["ctc-ready.toml`:2", "UTF-8"]);
    project.write_settings(&"# much ado\n".repeat(200_000));
    project.call(&["plan"]).code(3).says(&["larger than"]);
    project.write_settings("");
    project.call(&["plan"]).code(3).says(&["programmes", "is missing"]);
    fs::remove_file(project.file("ctc-ready.toml")).unwrap();
    fs::create_dir(project.file("ctc-ready.toml")).unwrap();
    project.call(&["plan"]).code(3);
}

#[test]
fn a_secret_in_the_settings_is_never_repeated() {
    let project = Project::new();
    let good = project.settings();
    for bad in [
        good.replacen("[run]", "[run]\naccess-token = \"hunter2hunter2\"", 1),
        good.replacen("[run]", "[run]\nclient_secret = 'hunter2hunter2", 1),
        good.replacen("[run]", "[run]\nbase-url = \"https://me:hunter2hunter2@example.com\"", 1),
    ] {
        project.write_settings(&bad);
        for args in [&["plan"][..], &["plan", "--format", "json"], &["plan", "-vv"]] {
            let outcome = project.call(args).code(3);
            assert!(!outcome.stdout.contains("hunter2"), "{outcome:?}");
            assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
        }
    }
    let url = "https://me:hunter2hunter2@test-api.service.hmrc.gov.uk";
    project.write_settings(&good);
    let outcome = project.call(&["run", "--base-url", url]).code(3);
    assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
}

#[test]
fn flags_that_make_no_sense() {
    let project = Project::new();
    let long = "x".repeat(100_000);
    let long = long.as_str();
    let cases: &[(&[&str], &[&str])] = &[
        (&["run", "NOSUCH1"], &["NOSUCH1", "scenario list"]),
        (&["run", "--programme", "ncts7"], &["ncts7", "ncts6"]),
        (&["run", "DNGB1", "--programme", "ncts6"], &["DNGB1"]),
        (&["plan", "--programme", ""], &["programme"]),
        (&["scenario", "show", "NOSUCH1"], &["NOSUCH1", "scenario list"]),
        (&["scenario", "list", "--programme", "ncts7"], &["ncts7"]),
        (&["gate", "--at", "nonsense"], &["--at", "nonsense", "2026-12-04"]),
        (&["gate", "--at", ""], &["--at"]),
        (&["gate", "--at", "1999-12-31"], &["1999"]),
        (&["gate", "--at", "2026-02-30"], &["2026-02-30"]),
        (&["gate", "--at", "999999999999999-01-01T00:00:00Z"], &["--at"]),
        (&["gate", "--submit-on", "9999-12-31"], &["--submit-on", "2000 to 2099"]),
        (&["plan", "--submit-on", "04/12/2026"], &["--submit-on", "2026-12-04"]),
        (&["run", "--time-scale", "0"], &["--time-scale", "number from"]),
        (&["run", "--time-scale", "NaN"], &["--time-scale", "number from"]),
        (&["run", "--time-scale", "inf"], &["--time-scale", "number from"]),
        (&["run", "--time-scale", "-1"], &["--time-scale", "number from"]),
        (&["run", "--time-scale", "1e99"], &["--time-scale", "number from"]),
        (&["run", "--environment", "trader-test", "--time-scale", "9"], &["for the simulator"]),
        (&["simulate", "--time-scale", "-1"], &["--time-scale", "number from"]),
        (&["simulate", "--port", "70000"], &["--port"]),
        (&["demo", "--time-scale", "0"], &["--time-scale"]),
        (&["run", "--max-requests-per-second", "0"], &["--max-requests-per-second"]),
        (&["run", "--environment", "production"], &["trader-test"]),
        (&["run", "--all", "DNGB1"], &["--all"]),
        (&["schema", "everything"], &["gate"]),
        (&["status", "--format", "yaml"], &["json"]),
        (&["run", long], &["scenario"]),
        (&["status", "--at", long], &["--at"]),
        (&["plan", "--programme", long], &["programme"]),
        (&["scenario", "show", long], &["scenario"]),
        (&["plan", long], &["argument"]),
    ];
    for (args, parts) in cases {
        let outcome = project.call(args).code(2).says(parts);
        assert_eq!(outcome.stdout, "", "{args:?}");
    }
    // What we say ourselves stays readable.
    let said = project.call(&["run", long]).stderr;
    assert!(said.len() < 5_000, "{} bytes", said.len());
    call(&["verify", long]).code(3).says(&["evidence store"]);
    call(&["plan", "--project", long]).code(3).says(&["ctc-ready.toml"]);
    assert!(!project.evidence().exists());
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let project = Project::new();
    let odd = OsStr::from_bytes(b"a\xffb");
    let outcome = outcome(project.command(&["run"]).arg(odd));
    outcome.code(2);
    // A folder may well have such a name.
    let dir = project.path().join(odd);
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("ctc-ready.toml"), project.settings()).unwrap();
    crate::support::outcome(project.command(&["plan", "--project"]).arg(&dir)).code(0);
}

#[test]
fn a_hostile_argument_does_not_reach_the_terminal() {
    let project = Project::new();
    let outcome = project.call(&["run", "\u{1b}[2J\u{1b}]0;owned\u{7}"]).code(2);
    assert!(!outcome.stderr.contains("\u{1b}[2J"), "{outcome:?}");
    assert!(!outcome.stderr.contains('\u{7}'), "{outcome:?}");
}

#[test]
fn init_stays_off_what_exists() {
    let project = Project::new();
    let before = tree(project.path());
    project.call(INIT).code(3).says(&["ctc-ready.toml", "exists already", "--project"]);
    assert!(before == tree(project.path()));
}

#[test]
fn init_without_a_terminal_names_what_it_misses() {
    let empty = tempfile::tempdir().unwrap();
    let call = |args: &[&str]| {
        outcome(command(args).current_dir(empty.path()).write_stdin("ncts6\n")).code(2)
    };
    call(&["init"]).says(&["--flows", "--procedures", "--software", "--software-version"]);
    let both = ["init", "--flows", "arrival", "--procedures", "normal,simplified"];
    let outcome = call(&both).says(&["--combination", "--software", "--software-version"]);
    assert!(!outcome.stderr.contains("--flows"), "{outcome:?}");
    call(&["init", "--programme", "ncts7"]).says(&["ncts7", "ncts5-final"]);
    call(&["init", "--flows", "departure"]).says(&["departure", "standard-departure"]);
    call(&["init", "--combination", "C"]).says(&["A", "B"]);
    let odd = [INIT, &["--contact-email", "nobody"]].concat();
    // Given twice, or no address: both are the caller's mistake.
    call(&odd);
    let mail: Vec<&str> =
        INIT.iter().map(|arg| if arg.contains('@') { "nobody" } else { arg }).collect();
    call(&mail).says(&["contact-email"]);
    let lines: Vec<&str> =
        INIT.iter().map(|arg| if *arg == "Cargoflow" { "Cargo\nflow" } else { arg }).collect();
    call(&lines).says(&["software", "one line"]);
    assert!(tree(empty.path()).is_empty());
}

#[test]
fn names_of_any_alphabet_arrive_in_settings_and_documents() {
    let names = [
        "Zoë Ström & Söhne <株式会社> \"Q\" \\ 'x'",
        "🚚 דוגמה \u{202e}abc\u{202c} e\u{301}\u{200d}",
        "]]>&amp;{{LRN}}{% raw %}",
    ];
    for name in names {
        let dir = tempfile::tempdir().unwrap();
        let args: Vec<&str> = INIT
            .iter()
            .map(|arg| match *arg {
                "Cargoflow" | "Invented Software Ltd" | "Cargoflow sandbox" => name,
                arg => arg,
            })
            .collect();
        let call = |args: &[&str]| outcome(command(args).current_dir(dir.path()));
        call(&args).code(0);
        let text = fs::read_to_string(dir.path().join("ctc-ready.toml")).unwrap();
        let toml: toml::Table = text.parse().unwrap();
        for (section, key) in
            [("software", "name"), ("business", "name"), ("sandbox-application", "name")]
        {
            assert_eq!(toml[section][key].as_str(), Some(name), "{section}");
        }
        let plan = call(&["plan"]).code(0).stdout;
        assert!(plan.lines().all(|line| line.chars().count() <= 80));
        call(&["checklist", "--output", "own.docx"]).code(0);
        assert!(text_of_docx(&dir.path().join("own.docx")).contains(name), "{name}");
        let Some(form) = form("ctc-traders-v2.0-checklist-v1.1-january-2024.docx") else {
            continue;
        };
        call(&["checklist", "--form", form.to_str().unwrap(), "--output", "hmrc.docx"]).code(0);
        assert!(text_of_docx(&dir.path().join("hmrc.docx")).contains(name), "{name}");
    }
}

fn zip_of(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn a_wrong_test_pack_stops_everything_before_anything_is_sent() {
    let project = Project::new();
    let simulator = crate::support::Simulate::start("600");
    let settings = crate::support::set(&project.settings(), "pack", "\"pack.zip\"");
    project.write_settings(&settings);
    let pack = project.file("pack.zip");
    let run = |parts: &[&str]| {
        let args = ["run", "--environment", "simulator", "--base-url", &simulator.base_url];
        project.call(&args).code(3).says(parts);
        assert_eq!(project.runs(), 0, "a run was opened");
        assert_eq!(simulator.submissions(), 0, "something was sent");
    };
    run(&["pack.zip"]);
    fs::write(&pack, "this is no zip").unwrap();
    run(&["pack.zip", "zip"]);
    zip_of(&pack, &[("readme.txt", b"nothing here"), ("folder/notes.xml", b"<a/>")]);
    run(&["pack.zip", "dsgb1_ie015"]);
    // Right by its name, wrong inside.
    zip_of(&pack, &[("pack/standard-departures/dngb1_ie015_xml_example.xml", b"<CC015C><LRN>")]);
    run(&["pack.zip", "dngb1_ie015_xml_example.xml", "nothing was sent"]);
    zip_of(&pack, &[("pack/standard-departures/dngb1_ie015_xml_example.xml", b"\xff\xfe")]);
    run(&["pack.zip", "dngb1_ie015_xml_example.xml", "UTF-8"]);
    let mut cut = Vec::new();
    zip_of(&pack, &[("dngb1_ie015_xml_example.xml", &[b'x'; 4_000])]);
    cut.extend_from_slice(&fs::read(&pack).unwrap()[..120]);
    fs::write(&pack, cut).unwrap();
    run(&["pack.zip"]);
    fs::remove_file(&pack).unwrap();
    fs::create_dir(&pack).unwrap();
    run(&["pack.zip"]);
    assert!(pack.is_dir());
}

#[test]
fn a_wrong_form_leaves_the_document_that_is_there() {
    let project = Project::rehearsed();
    project.call(&["checklist", "--rehearsal", "--output", "signed.docx"]).code(0);
    let signed = fs::read(project.file("signed.docx")).unwrap();
    let form = project.file("form.docx");
    let try_form = |parts: &[&str]| {
        let args = ["checklist", "--form", "form.docx", "--output", "signed.docx"];
        project.call(&args).code(3).says(parts);
        assert!(fs::read(project.file("signed.docx")).unwrap() == signed);
        let documents = fs::read_dir(project.path()).unwrap().filter(|entry| {
            entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("signed")
        });
        assert_eq!(documents.count(), 1, "something was moved");
    };
    try_form(&["form.docx"]);
    fs::write(&form, "no zip at all").unwrap();
    try_form(&["form.docx", "zip"]);
    fs::write(&form, b"").unwrap();
    try_form(&["form.docx"]);
    zip_of(&form, &[("word/other.xml", b"<a/>")]);
    try_form(&["form.docx"]);
    zip_of(&form, &[("word/document.xml", b"<w:document")]);
    try_form(&["form.docx"]);
    // A Word document, but no form.
    fs::write(&form, &signed).unwrap();
    try_form(&["form.docx", "form"]);
    fs::write(&form, &signed[..signed.len() / 2]).unwrap();
    try_form(&["form.docx"]);
    fs::remove_file(&form).unwrap();
    fs::create_dir(&form).unwrap();
    try_form(&["form.docx"]);
}

#[test]
fn documents_are_kept_and_nothing_else_is_replaced() {
    let project = Project::rehearsed();
    let checklist = |output: &str| project.call(&["checklist", "--output", output]);
    checklist("mine.docx").code(0);
    // A person has signed it since.
    let mut signed = fs::read(project.file("mine.docx")).unwrap();
    signed.extend_from_slice(b"signature");
    fs::write(project.file("mine.docx"), &signed).unwrap();
    checklist("mine.docx").code(0);
    assert!(fs::read(project.file("mine.previous-1.docx")).unwrap() == signed);

    let before = tree(project.path());
    fs::create_dir(project.file("folder.docx")).unwrap();
    for taken in ["ctc-ready.toml", "folder.docx", ".", "evidence", "evidence/store.json"] {
        checklist(taken).code(3).says(&["no Word document", "--output"]);
    }
    assert!(before == tree(project.path()));
    assert!(project.file("folder.docx").is_dir());

    let outcome = checklist("no/such/folder/mine.docx").code(3).says(&["no/such/folder/mine.docx"]);
    assert!(!outcome.stderr.contains(".tmp-"), "{outcome:?}");
    checklist("/proc/mine.docx").code(3).says(&["/proc/mine.docx"]);
}
