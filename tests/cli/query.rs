//! `query`: what HMRC's support asks for, from the evidence of one run.

use std::fs;

use serde_json::Value;

use crate::contract::assert_valid;
use crate::support::{Project, evidence_of, outcome};

fn run_of(project: &Project, index: usize) -> String {
    let list = project.json(&["evidence", "list"], 0);
    list["runs"][index]["run"].as_str().unwrap().to_owned()
}

fn text(project: &Project, folder: &str) -> String {
    fs::read_to_string(project.file(folder).join("query.txt")).unwrap()
}

#[test]
fn a_question_about_a_run_has_everything_with_it() {
    let project = Project::rehearsed();
    let before = evidence_of(&project);
    let run = run_of(&project, 0);
    let shown = project.json(&["evidence", "show", &run, "--bodies"], 0);
    let written = project.json(&["query", "--run", &run, "--output", "ask"], 0);
    assert_valid("query", &written);
    assert_eq!((&written["output"], &written["simulated"]), (&"ask".into(), &true.into()));
    let text = text(&project, "ask");
    assert!(text.starts_with("REHEARSAL"), "{text}");
    let mut wanted: Vec<&Value> = vec![&shown["run"]["lrn"], &shown["run"]["mrn"]];
    let messages = shown["run"]["messages"].as_array().unwrap();
    wanted.extend(messages.iter().flat_map(|it| [&it["message_id"], &it["movement_id"]]));
    for id in wanted {
        assert!(text.contains(id.as_str().unwrap()), "{id} is not in it:\n{text}");
    }
    for part in [
        "00000000-0000-4000-8000-000000000001",
        "customs@software.example",
        "Step 1: we send IE015; then IE928",
        " UTC  sent IE015, HTTP 202",
        "1 x POST http://127.0.0.1:",
    ] {
        assert!(text.contains(part), "`{part}` is not in it:\n{text}");
    }
    assert!(!text.contains(project.path().to_str().unwrap()), "{text}");
    // Each message is beside it as it was, and the text names each file.
    let files: Vec<&str> =
        written["files"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(files.len(), fs::read_dir(project.file("ask")).unwrap().count());
    for name in &files[1..] {
        assert!(text.contains(&format!("{name}: ")), "{name}");
    }
    for message in messages {
        let body = message["body"]["sha256"].as_str().unwrap();
        let body = shown["bodies"][body]["text"].as_str().unwrap();
        let beside =
            |name: &&&str| fs::read_to_string(project.file("ask").join(name)).unwrap() == body;
        let name = files.iter().find(beside).unwrap();
        assert!(name.contains(message["message"].as_str().unwrap()), "{name}");
    }
    assert!(before == evidence_of(&project), "a question changed the evidence");
}

#[test]
fn what_went_wrong_is_told_with_the_refusal() {
    let project = Project::refused();

    let said = project.call(&["query", "--run", "0", "--output", "ask"]).code(0).stdout;
    assert!(said.contains("wrote ask") && said.contains("REHEARSAL"), "{said}");
    let text = text(&project, "ask");
    for part in [
        "Attempt 1, failed",
        "At step 1 (refused-by-api): ",
        "Step 1: we send IE015; then IE928  <- here",
        "no message was taken",
        "001-IE015-answer.json: the answer to it, HTTP 400",
    ] {
        assert!(text.contains(part), "`{part}` is not in it:\n{text}");
    }
    let answer = fs::read_to_string(project.file("ask/001-IE015-answer.json")).unwrap();
    assert!(answer.contains("SCHEMA_VALIDATION"), "{answer}");
}

#[test]
fn nothing_is_written_that_holds_a_secret_or_over_anything() {
    let project = Project::rehearsed();
    let run = run_of(&project, 0);
    let ask = ["query", "--run", &run, "--output", "ask"];
    // A secret that came in by the settings, as someone pastes one.
    project.write_settings(&project.settings().replace("customs@", "canary-4711@"));
    let refused = outcome(project.command(&ask).env("CTC_READY_TOKEN", "canary-4711")).code(3);
    refused.says(&["there is a secret", "query.txt", "nothing was written"]);
    assert!(!project.file("ask").exists());

    fs::create_dir(project.file("ask")).unwrap();
    fs::write(project.file("ask/notes"), "mine").unwrap();
    project.call(&ask).code(3).says(&["`ask` is there already and not empty", "--output DIR"]);
    assert_eq!(fs::read_dir(project.file("ask")).unwrap().count(), 1);
    let before = evidence_of(&project);
    for inside in ["evidence", "evidence/ask", "evidence/new/ask"] {
        let args = ["query", "--run", &run, "--output", inside];
        project.call(&args).code(2).says(&["inside the evidence"]);
    }
    assert!(before == evidence_of(&project));
    project.call(&["query", "--run", "ffff"]).code(2).says(&["no run `ffff`"]);
    project.call(&["query", "--run", "0"]).code(2).says(&["begins the ids of 4 runs"]);
    project.call(&["query"]).code(2);
    Project::new().call(&["query", "--run", "0"]).code(3).says(&["no evidence store"]);
}
