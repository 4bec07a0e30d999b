//! The schemas of the formats, as published. `published/` holds Jenkins' schema
//! of JUnit (MIT, from its xUnit plugin) and `har-schema` 2.0.0 (ISC, from the
//! Node registry), each with its licence in it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::reference::skipped;

const HAR_SCHEMA: &str = include_str!("published/har-schema-2.0.0.json");
const JUNIT_SCHEMA: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/report/published/junit-10.xsd");

/// What `xmllint` says against Jenkins' schema; none where it is not there.
fn junit_errors(xml: &[u8]) -> Option<Result<(), String>> {
    let child = Command::new("xmllint")
        .args(["--noout", "--huge", "--schema", JUNIT_SCHEMA, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        skipped("`xmllint` is not there: JUnit reports are not checked against their schema");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let xml = xml.to_vec();
    // It may complain before it has read all.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&xml)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Some(match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    })
}

#[track_caller]
pub fn assert_junit(xml: &[u8]) {
    // Well-formed in any case, by another reader.
    roxmltree::Document::parse(std::str::from_utf8(xml).unwrap()).unwrap();
    if let Some(result) = junit_errors(xml) {
        result.unwrap();
    }
}

#[track_caller]
pub fn assert_har(har: &[u8]) -> Value {
    let har: Value = serde_json::from_slice(har).unwrap();
    let errors: Vec<String> =
        har_schema().iter_errors(&har).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    har
}

fn har_schema() -> jsonschema::Validator {
    let published: Value = serde_json::from_str(HAR_SCHEMA).unwrap();
    let mut definitions = serde_json::Map::new();
    for schema in published["schemas"].as_array().unwrap() {
        let mut schema = schema.clone();
        let id = schema["$id"].as_str().unwrap().to_owned();
        // One document of many files: they refer to each other by file name.
        let members = schema.as_object_mut().unwrap();
        members.remove("$id");
        members.remove("$schema");
        definitions.insert(id.trim_end_matches(".json#").to_owned(), schema);
    }
    let text = serde_json::to_string(&definitions).unwrap();
    let text = regex::Regex::new(r#""\$ref":"(\w+)\.json#""#)
        .unwrap()
        .replace_all(&text, r##""$$ref":"#/definitions/$1""##);
    let definitions: Value = serde_json::from_str(&text).unwrap();
    jsonschema::options()
        .should_validate_formats(true)
        .build(&json!({
            "$schema": "http://json-schema.org/draft-06/schema#",
            "$ref": "#/definitions/har",
            "definitions": definitions,
        }))
        .unwrap()
}

#[test]
fn the_schemas_can_say_no() {
    let good = json!({"log": {"version": "1.2", "entries": [],
        "creator": {"name": "x", "version": "1"}}});
    assert!(har_schema().is_valid(&good));
    let bad = json!({"log": {"version": "1.2", "entries": [{"time": 1}],
        "creator": {"name": "x", "version": "1"}}});
    assert!(!har_schema().is_valid(&bad));
    let suite = |more: &str| {
        format!(
            "<testsuites><testsuite name='a' tests='1' failures='0' errors='0'>{more}\
                 </testsuite></testsuites>"
        )
    };
    let good = suite("<testcase name='x'><flakyFailure type='t'/></testcase>");
    let Some(said) = junit_errors(good.as_bytes()) else { return };
    said.unwrap();
    let bad = suite("<testcase name='x'><flakyFailure/></testcase>");
    assert!(junit_errors(bad.as_bytes()).unwrap().unwrap_err().contains("type"));
}
