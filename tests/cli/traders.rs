//! `traders`: gaps and slips are found, and nobody's data is repeated.

use std::fs;

use serde_json::Value;

use crate::contract::assert_valid;
use crate::reading::snapshot;
use crate::support::{Project, call};

const UTR: &str = "1123456789";

/// Nothing in it is missing or wrong.
const GOOD: &str = r#"
[[trader]]
eori = "GB123456789000"
# vat = "GB123456789"
sic = "52290"
utr = "1123456789"
name = "EXAMPLE HAULAGE LIMITED"
address = "1 Quay Street, Dover, CT16 1AA"
established = 2001-02-03
email = "customs@example.com"
contact = "A. Person, 01304 000000"
"#;

fn template() -> (Project, String) {
    let project = Project::new();
    project.call(&["traders", "init"]).code(0);
    // What nobody has filled in is not complete.
    project.call(&["traders", "check"]).code(1);
    (project, GOOD.to_owned())
}

/// What is found of a file: field and state of each finding, in order.
fn found(project: &Project, text: &str) -> (i32, Vec<(String, String)>) {
    fs::write(project.file("traders.toml"), text).unwrap();
    let outcome = project.call(&["traders", "check", "--format", "json"]);
    let (code, json) = (outcome.code, outcome.json());
    assert_valid("traders-check", &json);
    assert_eq!(json["ok"], code == 0);
    let said = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = json["traders"].as_array().unwrap().iter().flat_map(|trader| {
        trader["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| (said(&f["field"]), said(&f["state"])))
    });
    (code, findings.collect())
}

#[test]
fn every_slip_is_found_in_its_field() {
    let (project, good) = template();
    assert_eq!(found(&project, &good), (0, vec![]));
    let cases = [
        ("eori = \"GB123456789000\"", "", "eori", "missing"),
        ("GB123456789000", "XI123456789000", "eori", "wrong"),
        ("GB123456789000", "GB12345678900", "eori", "wrong"),
        ("# vat = \"GB123456789\"", "vat = \"GB123456789\"", "vat", "wrong"),
        ("# vat = \"GB123456789\"", "vat = \"GB123456782\"", "vat", "doubtful"),
        ("sic = \"52290\"", "", "sic", "missing"),
        ("sic = \"52290\"", "sic = \"5229\"", "sic", "wrong"),
        ("sic = \"52290\"", "sic = [\"52290\", \"04000\"]", "sic", "wrong"),
        ("sic = \"52290\"", "sic = [\"52290\", \"49410\"]", "", ""),
        ("sic = \"52290\"", "sic = []", "sic", "wrong"),
        ("sic = \"52290\"", "sic = 52290", "sic", "doubtful"),
        ("utr = \"1123456789\"", "", "utr", "missing"),
        (UTR, "1123456798", "utr", "wrong"),
        (UTR, "112345678", "utr", "wrong"),
        (UTR, "11234 56789", "", ""),
        ("name = \"EXAMPLE HAULAGE LIMITED\"", "", "name", "missing"),
        ("EXAMPLE HAULAGE", "EXAMPLE  HAULAGE", "name", "wrong"),
        ("HAULAGE LIMITED", "HAULAGE LIMITED ", "name", "wrong"),
        ("EXAMPLE HAULAGE LIMITED", "", "name", "wrong"),
        ("1 Quay Street, Dover, CT16 1AA", "Dover", "address", "wrong"),
        ("1 Quay Street, Dover, CT16 1AA", "1 Quay Street, Dover", "address", "doubtful"),
        ("\"1 Quay Street, Dover, CT16 1AA\"", "[\"1 Quay Street\", \"Dover CT16 1AA\"]", "", ""),
        ("established = 2001-02-03", "", "established", "missing"),
        ("2001-02-03", "2101-02-03", "established", "wrong"),
        ("2001-02-03", "0201-02-03", "established", "wrong"),
        ("2001-02-03", "\"3 February 2001\"", "established", "wrong"),
        ("2001-02-03", "\"2001-02-03\"", "", ""),
        ("customs@example.com", "customs@example", "email", "wrong"),
        ("customs@example.com", "customs", "email", "wrong"),
        ("A. Person, 01304 000000", "A. Person", "contact", "doubtful"),
        ("A. Person, 01304 000000", "01304 000000", "contact", "doubtful"),
        ("sic =", "sick =", "sic", "missing"),
    ];
    for (from, to, field, state) in cases {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let (code, found) = found(&project, &text);
        let hit = found.iter().find(|(of, _)| of == field).map(|(_, state)| state.as_str());
        let wanted = (!state.is_empty()).then_some(state);
        assert_eq!(hit, wanted, "{from} -> {to}: {found:?}");
        let bad = found.iter().any(|(_, state)| state != "doubtful");
        assert_eq!(code, i32::from(bad), "{from} -> {to}: {found:?}");
    }
    let twice = format!("{good}\n{}", &good[good.find("[[trader]]").unwrap()..]);
    assert_eq!(found(&project, &twice), (1, vec![("eori".into(), "wrong".into())]));
}

#[test]
fn what_is_no_list_of_traders_is_named() {
    let (project, _) = template();
    let secret = "9876543210";
    for (text, part) in [
        (format!("utr = \"{secret}\""), "`utr`"),
        (format!("[trader]\nutr = \"{secret}\""), "single brackets"),
        (format!("[[trader]]\nutr = \"{secret}"), "line 2"),
        (String::new(), "no trader"),
        ("trader = 3".to_owned(), "no list"),
        ("trader = [3]".to_owned(), "no table"),
    ] {
        fs::write(project.file("traders.toml"), &text).unwrap();
        let outcome = project.call(&["traders", "check"]).code(3).says(&["traders.toml", part]);
        assert!(!format!("{outcome:?}").contains(secret), "{outcome:?}");
    }
    fs::write(project.file("traders.toml"), b"\xff\xfe").unwrap();
    project.call(&["traders", "check"]).code(3).says(&["UTF-8"]);
    fs::remove_file(project.file("traders.toml")).unwrap();
    project.call(&["traders", "check"]).code(3).says(&["traders init"]);
    call(&["traders", "check", "--file", "/nowhere/traders.toml"]).code(3);
}

#[test]
fn a_file_that_is_there_stays() {
    let (project, _) = template();
    fs::write(project.file("traders.toml"), "mine").unwrap();
    project.call(&["traders", "init"]).code(3).says(&["exists already"]);
    assert_eq!(fs::read_to_string(project.file("traders.toml")).unwrap(), "mine");
}

#[test]
fn what_people_read() {
    let (project, good) = template();
    let text = good.replacen(UTR, "1123456798", 1).replacen("email", "e-mail", 1);
    fs::write(project.file("traders.toml"), text).unwrap();
    let told = project.call(&["traders", "check"]).code(1);
    assert!(!told.stdout.contains("1123456798"), "{told:?}");
    snapshot("traders-check", &told.stdout);
}

#[test]
fn a_tax_reference_leaves_in_no_export() {
    let (project, good) = template();
    fs::write(project.file("traders.toml"), &good).unwrap();
    let settings = project.settings();
    // Somebody took the wrong number for the operator's name.
    let named = crate::support::set(&settings, "operator", &format!("\"{UTR}\""));
    project.write_settings(&named);
    project.call(&["run", "DNGB1", "--environment", "simulator", "--time-scale", "600"]).code(0);
    project
        .call(&["evidence", "export", "--to", "json", "-o", "evidence.json"])
        .code(3)
        .says(&["a tax reference of `traders.toml`"]);
    assert!(!project.file("evidence.json").exists());
}
