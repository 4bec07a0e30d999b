//! HAR files as evidence.

use std::fs;

use serde_json::{Value, json};

use crate::between::{Recording, TOKEN, events, holding, play, played};
use crate::support::{Project, SCALE, Simulate};

/// What a recorder in the software's own hands would have written.
fn har(project: &Project) -> Value {
    let file = project.file("own.har");
    let args = ["evidence", "export", "--to", "har", "--output", file.to_str().unwrap()];
    project.call(&args).code(0);
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

#[test]
fn what_the_software_did_is_taken_from_a_file() {
    let recorded = Project::answered();
    let simulator = Simulate::start(SCALE);
    let recording = Recording::start(&recorded, &simulator.base_url, &["--time-scale", SCALE]);
    let both = ["ANGB1", "PSGB1"].map(|it| (play(&recorded, it, &recording.url(), it), it));
    both.into_iter().for_each(|(child, scenario)| played(child, scenario));
    recording.stop();
    let mut har = har(&recorded);
    // As browsers write it: with the token, a body in Base64, others' entries.
    let entries = har["log"]["entries"].as_array_mut().unwrap();
    for entry in entries.iter_mut() {
        let bearer = json!({"name": "Authorization", "value": format!("Bearer {TOKEN}")});
        let headers = entry["request"]["headers"].as_array_mut().unwrap();
        headers.retain(|header| header["name"] != "authorization");
        headers.push(bearer);
        headers.push(json!({"name": "Cookie", "value": "session=c00kie-secret-99"}));
    }
    entries.insert(
        0,
        json!({
            "startedDateTime": "2026-11-20T09:00:00Z", "time": 1,
            "request": {"method": "GET", "url": "https://else.example/", "headers": []},
            "response": {"status": 200, "headers": [], "content": {"text": TOKEN}},
        }),
    );
    let project = Project::answered();
    let file = project.file("movements.har");
    fs::write(&file, har.to_string()).unwrap();
    let args = ["--environment", "simulator", "--time-scale", SCALE];
    let import =
        |scenario| [&["import", "movements.har", "--scenario", scenario][..], &args].concat();
    let report = project.json(&import("ANGB1"), 0);
    let run = &report["runs"][0];
    assert_eq!((&run["state"], &run["driver"]), (&"passed".into(), &"import".into()));
    fs::remove_file(&file).unwrap();
    for secret in [TOKEN, "c00kie-secret-99"] {
        assert_eq!(holding(project.path(), secret), Vec::<String>::new());
    }
    let told = &events(&project, &run["run"], "imported")[0];
    assert_eq!(
        (&told["file"], told["digest"].as_str().unwrap().len()),
        (&"movements.har".into(), 64)
    );
    let sent = &events(&project, &run["run"], "request")[0];
    assert!(sent["sent_at"].as_str().unwrap() < sent["at"].as_str().unwrap(), "{sent}");
    project.call(&["verify"]).code(0);
    let shown = project.call(&["evidence", "show", run["run"].as_str().unwrap()]).code(0).stdout;
    assert!(shown.contains("nobody has seen them"), "{shown}");

    // Once is enough, whatever the file is called now; another of its movements
    // needs another export.
    fs::write(project.file("movements.har"), har.to_string()).unwrap();
    project.call(&import("ANGB1")).code(2).says(&["this very file was imported before"]);
    har["log"]["comment"] = "changed".into();
    fs::write(project.file("movements.har"), har.to_string()).unwrap();
    project.call(&import("ANGB1")).code(2).says(&["is evidence already"]);
    let other = project.json(&import("PSGB1"), 0);
    assert_eq!(other["runs"][0]["state"], "passed");
    project.call(&["verify"]).code(0);
}

#[test]
fn what_is_no_such_file_is_refused_without_quoting_it() {
    let project = Project::new();
    for (text, said) in [
        ("", "ends in the middle"),
        ("<html>s3cret-word", "is no JSON"),
        (r#"{"log":{"entries":[{"s3cret-word":1}]}}"#, "is no HAR file"),
        (
            r#"{"log":{"entries":[{"startedDateTime":"x","request":{"method":"GET","url":"s3cret-word"#,
            "ends in the middle",
        ),
        (r#"{"log":{"entries":[]}}"#, "has no declaration"),
    ] {
        fs::write(project.file("x.har"), text).unwrap();
        let args = ["import", "x.har", "--scenario", "DSGB1", "--environment", "simulator"];
        let refused = project.call(&args).code(3).says(&[said]);
        assert!(!refused.stderr.contains("s3cret"), "{refused:?}");
    }
    let none = ["import", "none.har", "--scenario", "DSGB1"];
    assert_ne!(project.call(&none).code, 0);
}
