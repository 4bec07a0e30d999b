//! `evidence list`, `show`, `export`, and the gate's formats for CI servers.

use std::fs;

use serde_json::Value;

use crate::contract::{assert_fields, assert_valid, instant};
use crate::reading::snapshot;
use crate::support::{Project, SCALE, call, flip, nobody_listens, outcome, set, tree};

const FORMATS: [&str; 5] = ["har", "junit", "json", "html", "markdown"];

fn runs(project: &Project, args: &[&str]) -> Vec<Value> {
    let list = project.json(&[&["evidence", "list"], args].concat(), 0);
    list["runs"].as_array().unwrap().clone()
}

#[test]
fn the_list_keeps_its_contract() {
    let project = Project::rehearsed();
    let list = project.json(&["evidence", "list"], 0);
    assert_valid("evidence-list", &list);
    let all = list["runs"].as_array().unwrap();
    assert_eq!((all.len(), &list["only_indexed"]), (4, &serde_json::json!([])));
    for run in all {
        assert_fields(
            run,
            &[
                "run",
                "scenario",
                "programme",
                "environment",
                "driver",
                "attempt",
                "state",
                "software",
                "first_submission",
                "finished",
                "messages",
            ],
        );
        assert_eq!(run["software"]["name"], "Cargoflow");
        assert_fields(&run["software"], &["name", "version", "build"]);
        assert!(instant(&run["first_submission"]) < instant(&run["finished"]));
        let sent = &run["messages"][0];
        assert_fields(sent, &["message", "direction", "at", "server_time", "status"]);
        assert_eq!((&sent["message"], &sent["direction"]), (&"IE015".into(), &"sent".into()));
        assert_eq!(sent["status"], 202);
        instant(&sent["server_time"]);
        let got = &run["messages"][1];
        assert_eq!((&got["message"], &got["direction"]), (&"IE928".into(), &"received".into()));
        instant(&got["received"]);
    }
    // The same runs as `run` tells.
    let told = project.json(&["run", "--environment", "simulator"], 0);
    assert_eq!(told["runs"][0]["mrn"], all[0]["mrn"]);
}

#[test]
fn the_list_can_be_narrowed() {
    let project = Project::rehearsed();
    let of = |args: &[&str]| -> Vec<String> {
        let list = runs(&project, args);
        list.iter().map(|run| run["scenario"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(&["--programme", "ncts6"]), ["P6-DSGB-01"]);
    assert_eq!(of(&["--scenario", "psgb1"]), ["PSGB1"]);
    // Known, and not tried.
    assert!(of(&["--scenario", "DNXI1"]).is_empty());
    assert!(of(&["--programme", "ncts6", "--scenario", "PSGB1"]).is_empty());
    let none = project.call(&["evidence", "list", "--scenario", "DNXI1"]).code(0);
    assert_eq!(none.stdout, "no runs\n");
    project.call(&["evidence", "list", "--scenario", "NOSUCH"]).code(2).says(&["NOSUCH"]);
    project.call(&["evidence", "list", "--programme", "nosuch"]).code(2).says(&["nosuch"]);
}

#[test]
fn before_anything_was_run_there_is_nothing_to_show() {
    let project = Project::new();
    for args in [
        &["evidence", "list"][..],
        &["evidence", "show", "01"],
        &["evidence", "export", "--to", "har"],
    ] {
        project.call(args).code(3).says(&["no evidence store", "`ctc-ready run`"]);
    }
    // A CI job asks the gate before the first run too.
    let text = project.call(&["gate", "--format", "junit"]).code(1).stdout;
    assert!(text.contains("required-scenario-missing"), "{text}");
    let text = project.call(&["gate", "--format", "markdown"]).code(1).stdout;
    assert!(text.contains("# ncts5-final: NOT READY"), "{text}");
    assert!(!project.evidence().exists());
}

#[test]
fn a_run_is_shown_by_the_beginning_of_its_id() {
    let project = Project::rehearsed();
    let all = runs(&project, &[]);
    let id = all[0]["run"].as_str().unwrap();
    let shown = project.json(&["evidence", "show", id], 0);
    assert_valid("evidence-show", &shown);
    assert_eq!((&shown["run"]["run"], &shown["bodies"]), (&all[0]["run"], &Value::Null));
    let short = project.json(&["evidence", "show", &id[..id.len() - 1].to_uppercase()], 0);
    assert_eq!(short["run"]["timeline"], shown["run"]["timeline"]);

    let several = project.call(&["evidence", "show", "0"]).code(2);
    let said = several.says(&["`0` begins the ids of 4 runs", "PSGB1, attempt 1", id]);
    assert_eq!(said.stdout, "");
    project.call(&["evidence", "show", "ffff"]).code(2).says(&["no run `ffff`", "evidence list"]);
    project.call(&["evidence", "show", ""]).code(2).says(&["no run ``"]);

    let with = project.json(&["evidence", "show", id, "--bodies"], 0);
    assert_valid("evidence-show", &with);
    let digest = with["run"]["messages"][0]["body"]["sha256"].as_str().unwrap();
    let text = with["bodies"][digest]["text"].as_str().unwrap();
    assert!(text.contains("CC015C"), "{text}");
    let human = project.call(&["evidence", "show", id, "--bodies"]).code(0).stdout;
    assert!(human.contains("CC015C") && human.contains(digest), "{human}");
}

#[test]
fn a_run_that_failed_is_explained() {
    let project = Project::refused();

    let all = runs(&project, &[]);
    assert_eq!(all[0]["failure"]["reason"], "refused-by-api");
    let human = project.call(&["evidence", "show", "0", "--bodies"]).code(0).stdout;
    // Why, when, what was sent and what came back.
    for part in [
        "attempt 1: failed",
        "why it ended",
        "HTTP 400",
        "the end: failed (refused-by-api)",
        "IE015 at ",
        "<identificationNumber></identificationNumber>",
        "\"code\":\"SCHEMA_VALIDATION\"",
    ] {
        assert!(human.contains(part), "`{part}` is not told: {human}");
    }
    let junit =
        project.call(&["evidence", "export", "--to", "junit", "--rehearsal"]).code(0).stdout;
    assert!(junit.contains("type=\"refused-by-api\""), "{junit}");
}

#[test]
fn every_format_goes_to_standard_output_or_to_a_file() {
    let project = Project::rehearsed();
    for format in FORMATS {
        let args = ["evidence", "export", "--to", format];
        let printed = project.call(&[&args[..], &["--at", "2026-12-01"]].concat()).code(0);
        assert_eq!(printed.stderr, "", "{format}");
        let file = format!("out.{format}");
        let to_file = [&args[..], &["--at", "2026-12-01", "--output", &file]].concat();
        let written = project.json(&to_file, 0);
        assert_valid("evidence-written", &written);
        assert_eq!((&written["to"], &written["output"]), (&format.into(), &file.as_str().into()));
        assert_eq!(written["runs"], 4);
        let bytes = fs::read(project.file(&file)).unwrap();
        assert_eq!(written["bytes"], bytes.len());
        assert!(bytes == printed.stdout.as_bytes(), "{format}: other bytes in the file");
        // Once more, over itself; nothing is kept beside it.
        project.call(&to_file).code(0);
        // What someone else wrote stays.
        fs::write(project.file(&file), "my notes").unwrap();
        project.call(&to_file).code(3).says(&["out.", "is left as it is", "--output"]);
        assert_eq!(fs::read_to_string(project.file(&file)).unwrap(), "my notes");
        // An empty file, as `mktemp` makes one, holds nothing.
        fs::write(project.file(&file), "").unwrap();
        project.call(&to_file).code(0);
    }
    let json = project.call(&["evidence", "export", "--to", "json"]).code(0).json();
    assert_valid("evidence-export", &json);
    assert_eq!(json["verdict"]["ready"], false);
    let rehearsal = project.call(&["evidence", "export", "--to", "json", "--rehearsal"]).json();
    assert_eq!(rehearsal["verdict"]["ready"], true);
    assert!(rehearsal["mark"].as_str().unwrap().starts_with("REHEARSAL"));
    assert_eq!(rehearsal["runs"][0]["stands_for"], serde_json::json!(["standard-departure"]));
    let some = ["evidence", "export", "--to", "json", "--programme", "ncts6"];
    let some = project.call(&some).code(0).json();
    assert_eq!(some["verdict"]["programme"], "ncts6");
    assert_eq!(some["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn an_export_never_touches_the_evidence() {
    let project = Project::rehearsed();
    let before = tree(&project.evidence());
    for place in ["evidence/x.har", "evidence/runs/x.har", "./evidence/../evidence/x.har"] {
        project
            .call(&["evidence", "export", "--to", "har", "--output", place])
            .code(2)
            .says(&["inside the evidence"]);
    }
    project.call(&["evidence", "export", "--to", "har", "--output", "nowhere/x.har"]).code(3);
    project.call(&["evidence", "export", "--to", "har", "--output", "."]).code(3);
    for format in FORMATS {
        project.call(&["evidence", "export", "--to", format]).code(0);
    }
    assert!(before == tree(&project.evidence()));
}

#[test]
fn nothing_leaves_with_a_secret_in_it() {
    let project = Project::rehearsed();
    // What evidence holds openly has become a secret since.
    let secret = "Cargoflow";
    for args in [
        &["evidence", "export", "--to", "json", "--output", "x.json"][..],
        &["evidence", "export", "--to", "har"],
        &["evidence", "export", "--to", "junit"],
        &["gate", "--format", "junit"],
    ] {
        let refused = outcome(project.command(args).env("CTC_READY_TOKEN", secret)).code(3);
        let refused = refused.says(&["secret", "CTC_READY_TOKEN"]);
        assert!(
            !refused.stdout.contains(secret) && !refused.stderr.contains(secret),
            "{refused:#?}"
        );
    }
    assert!(!project.file("x.json").exists());
}

#[test]
fn the_gate_speaks_to_ci_servers() {
    let project = Project::rehearsed();
    let junit = project.call(&["gate", "--format", "junit"]).code(1).stdout;
    let document = roxmltree::Document::parse(&junit).unwrap();
    assert_eq!(document.root_element().attribute("failures"), Some("3"));
    let suites: Vec<_> = document.root_element().children().filter(|n| n.is_element()).collect();
    assert_eq!(suites.len(), 2);
    // The scenarios of the programme judged, no others.
    assert_eq!(suites[1].attribute("tests"), Some("3"));
    let rehearsal = project.call(&["gate", "--format=junit", "--rehearsal"]).code(0).stdout;
    assert!(rehearsal.contains("failures=\"0\" errors=\"0\""), "{rehearsal}");
    let markdown = project.call(&["gate", "--format", "markdown"]).code(1).stdout;
    assert!(markdown.contains("# ncts5-final: NOT READY: 3 errors"), "{markdown}");
    // Wherever the flag stands.
    assert_eq!(
        project.call(&["--format", "markdown", "gate"]).code(1).stdout.lines().count(),
        markdown.lines().count()
    );
    // JSON and text are as they were.
    assert_eq!(project.json(&["gate"], 1)["ready"], false);
    assert!(project.call(&["gate", "--format", "human"]).code(1).stdout.contains("NOT READY"));
}

#[test]
fn other_commands_know_two_formats() {
    let project = Project::new();
    for args in
        [&["plan"][..], &["status"], &["verify"], &["evidence", "list"], &["schema", "gate"]]
    {
        for format in ["junit", "markdown"] {
            let refused = project.call(&[args, &["--format", format]].concat()).code(2);
            let refused =
                refused.says(&[&format!("`--format {format}`"), "`ctc-ready gate` alone"]);
            assert_eq!(refused.stdout, "");
        }
        let help = call(&[args, &["--help"]].concat()).code(0).stdout;
        assert!(!help.contains("junit") && help.contains("- json:"), "{help}");
    }
    let help = call(&["gate", "--help"]).code(0).stdout;
    for format in ["human", "json", "junit", "markdown"] {
        assert!(help.contains(&format!("- {format}:")), "{help}");
    }
    project.call(&["gate", "--format", "har"]).code(2).says(&["human, json, junit, markdown"]);
    project.call(&["plan", "--format", "har"]).code(2).says(&["human, json]"]);
}

#[test]
fn damaged_evidence_is_exported_as_far_as_it_goes() {
    let project = Project::rehearsed();
    let all = runs(&project, &[]);
    flip(&project.journal(&all[1]["run"]));
    let list = project.json(&["evidence", "list"], 0);
    assert_valid("evidence-list", &list);
    assert_eq!(list["runs"].as_array().unwrap().len(), 3);
    assert_eq!(list["only_indexed"][0]["run"], all[1]["run"]);
    assert!(list["only_indexed"][0]["problem"].as_str().unwrap().contains("journal.jsonl"));
    let human = project.call(&["evidence", "list"]).code(0).stdout;
    assert!(human.contains("cannot be read"), "{human}");
    let id = all[1]["run"].as_str().unwrap();
    project.call(&["evidence", "show", id]).code(3).says(&["journal.jsonl", "`ctc-ready verify`"]);
    let export = project.call(&["evidence", "export", "--to", "json"]).code(0).json();
    assert_eq!(export["integrity"]["intact"], false);
    assert_eq!(export["only_indexed"].as_array().unwrap().len(), 1);
    let junit = project.call(&["gate", "--format", "junit", "--rehearsal"]).code(1).stdout;
    assert!(junit.contains("journal-broken"), "{junit}");
}

#[test]
fn words_for_people() {
    let project = Project::rehearsed();
    let nobody = nobody_listens();
    let waits = ["run", "DNXI1", "--environment", "simulator", "--base-url", &nobody];
    project.call(&waits).code(4);
    let list = project.call(&["evidence", "list"]).code(0).stdout;
    // How much of an id is shown depends on the others.
    let ids = regex::Regex::new(r"(?m)^[0-9a-f]{8}-[0-9a-f-]* +").unwrap();
    let days = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d").unwrap();
    let head = regex::Regex::new(r"(?m)^RUN +").unwrap();
    let list = days.replace_all(&list, "[DAY-AND-TIME]");
    let list = head.replace(&list, "RUN  ");
    snapshot("evidence-list", &ids.replace_all(&list, "[ID] "));
    let of = ["--scenario", "DNXI1"];
    let id = runs(&project, &of)[0]["run"].as_str().unwrap().to_owned();
    let shown = project.call(&["evidence", "show", &id]).code(0).stdout;
    assert!(shown.contains("under way") && shown.contains("it cannot have arrived"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let written = project.call(&["evidence", "export", "--to", "junit", "-o", "r.xml"]).code(0);
    assert_eq!(written.stdout, "wrote r.xml\n  JUnit report of ctc-ready: 5 runs\n");
}

#[test]
fn nothing_that_leaves_tells_where_it_was_made() {
    let project = Project::rehearsed();
    let all = runs(&project, &[]);
    // A broken line, a body that is a folder, a journal that is gone: each is
    // told with the file's name.
    flip(&project.journal(&all[1]["run"]));
    let body = all[2]["messages"][0]["body"]["sha256"].as_str().unwrap().to_owned();
    let body = project.evidence().join("objects").join(&body[..2]).join(&body[2..]);
    fs::remove_file(&body).unwrap();
    fs::create_dir(&body).unwrap();
    let journal = project.journal(&all[3]["run"]);
    fs::remove_file(&journal).unwrap();
    let home = project.path().canonicalize().unwrap();
    let homes = [home.to_str().unwrap(), project.path().to_str().unwrap()];
    let silent = |what: &str, bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        for home in homes {
            let at = text.find(home).map(|at| &text[at.saturating_sub(200)..at + home.len()]);
            assert_eq!(at, None, "{what}");
        }
    };
    let verified = project.call(&["verify", "--format", "json"]).code(1).stdout;
    assert!(verified.contains("missing-journal") && verified.contains("broken-line"), "{verified}");
    silent("verify", verified.as_bytes());
    for format in FORMATS {
        let said = project.call(&["evidence", "export", "--to", format]).code(0).stdout;
        silent(format, said.as_bytes());
    }
    for format in ["json", "junit", "markdown"] {
        let said = project.call(&["gate", "--format", format]).code(1).stdout;
        assert!(said.contains("journal-broken"), "{said}");
        silent(format, said.as_bytes());
    }
    silent(
        "list",
        project.call(&["evidence", "list", "--format", "json"]).code(0).stdout.as_bytes(),
    );
}

#[test]
fn nothing_in_a_bundle_tells_where_it_was_made() {
    let project = Project::answered();
    // A message of the house's own, of which evidence keeps where it came from.
    let xml = project.call(&["message", "build", "DNGB1", "--step", "1"]).code(0).stdout;
    fs::create_dir_all(project.file("messages/DNGB1")).unwrap();
    fs::write(project.file("messages/DNGB1/1-IE015.xml"), xml).unwrap();
    project.write_settings(&set(&project.settings(), "folder", "\"messages\""));
    let run = ["run", "DNGB1", "--environment", "simulator", "--time-scale", SCALE];
    let run = project.json(&run, 0);
    let journal = fs::read_to_string(project.journal(&run["runs"][0]["run"])).unwrap();
    assert!(
        journal.contains("\"payload_origin\":\"file messages/DNGB1/1-IE015.xml\""),
        "{journal}"
    );
    let packed = project.json(&["pack", "--draft"], 0);
    let path = project.file(packed["output"].as_str().unwrap());
    let home = project.path().canonicalize().unwrap();
    let mut zip = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(home.to_str().unwrap()), "{}", file.name());
        assert!(!text.contains(project.path().to_str().unwrap()), "{}", file.name());
    }
}

#[test]
fn an_instant_is_told_to_the_millisecond() {
    let project = Project::new();
    for command in ["gate", "status", "plan"] {
        let told = project.call(&[command, "--format", "json"]).stdout;
        let told: Value = serde_json::from_str(&told).unwrap();
        let as_of = told["as_of"].as_str().unwrap();
        assert!(as_of.len() <= "2026-11-21T09:30:00.123Z".len(), "{command}: {as_of}");
        let at = "2026-11-21T09:30:00.123456789Z";
        let told = project.call(&[command, "--at", at, "--format", "json"]).json();
        assert_eq!(told["as_of"], "2026-11-21T09:30:00.123Z", "{command}");
    }
}
