//! The gate's rules and waivers, and the build under test.

use std::fs;

use crate::contract::{assert_fields, assert_valid};
use crate::reading::snapshot;
use crate::support::{Project, call};

/// Two errors of the programme are waived, one until yesterday.
const WAIVERS: &str = r#"
[[waiver]]
rule = "required-scenario-missing"
requirement = "arrival"
reason = "Arrivals are released in spring; HMRC knows"
until = 2026-12-31
approved-by = "Release board"

[[waiver]]
rule = "unanswered-question"
reason = "The form is finished by hand"
until = "2026-11-20"

[[waiver]]
rule = "required-scenario-mising"
reason = "A slip of the pen"
until = 2026-12-31
"#;

fn waived() -> Project {
    let project = Project::new();
    project.write_settings(&format!("{}{WAIVERS}", project.settings()));
    project
}

const AT: [&str; 2] = ["--at", "2026-11-21T12:00:00Z"];

#[test]
fn waivers_are_told_in_every_format() {
    let project = waived();
    let told = project.call(&[&["gate"], &AT[..]].concat()).code(1);
    snapshot("gate-waived", &told.stdout);

    let verdict = project.json(&[&["gate"], &AT[..]].concat(), 1);
    assert_valid("gate", &verdict);
    let findings = verdict["findings"].as_array().unwrap();
    let waived: Vec<_> = findings.iter().filter(|it| !it["waived"].is_null()).collect();
    assert_eq!(waived.len(), 1, "{findings:#?}");
    assert_eq!(waived[0]["requirement"], "arrival");
    assert_eq!(waived[0]["waived"], "Arrivals are released in spring; HMRC knows");
    assert_eq!(waived[0]["waived_until"], "2026-12-31");
    assert_eq!(waived[0]["waived_by"], "Release board");

    let why = "until 2026-12-31: Arrivals are released in spring; HMRC knows (Release board)";
    let junit = project.call(&[&["gate", "--format", "junit"], &AT[..]].concat()).code(1).stdout;
    assert!(junit.contains(&format!("<skipped message=\"waived {why}: missing\"/>")), "{junit}");
    let markdown = project.call(&[&["gate", "--format", "markdown"], &AT[..]].concat()).code(1);
    assert!(markdown.stdout.contains("| waived | `required-scenario-missing` | arrival"));
    assert!(markdown.stdout.contains("Waived until 2026-12-31"), "{}", markdown.stdout);
}

#[test]
fn rules_are_listed_and_explained() {
    let listed = call(&["gate", "--list-rules"]).code(0);
    snapshot("gate-list-rules", &listed.stdout);
    let rules = call(&["gate", "--list-rules", "--format", "json"]).code(0).json();
    assert_valid("rules", &rules);
    let rules = rules["rules"].as_array().unwrap();
    for rule in rules {
        assert_fields(rule, &["rule", "severity", "waivable", "about"]);
        let name = rule["rule"].as_str().unwrap();
        let explained = call(&["explain", name, "--format", "json"]).code(0).json();
        assert_valid("explain", &explained);
        assert_fields(&explained, &["rule", "severity", "waivable", "about", "means", "why"]);
        assert_fields(&explained, &["mend", "source", "protects"]);
        assert_eq!((&explained["rule"], &explained["about"]), (&rule["rule"], &rule["about"]));
    }
    let told: Vec<String> = ["evidence-stale", "journal-broken"]
        .iter()
        .map(|rule| call(&["explain", rule]).code(0).stdout)
        .collect();
    snapshot("explain", &told.join("---\n"));

    // What `checklist --check` finds is explained too, and is none of the gate's.
    for it in ctc_ready::document::check::rules::RULES {
        let explained = call(&["explain", it.name, "--format", "json"]).code(0).json();
        assert_valid("explain", &explained);
        assert_eq!((&explained["rule"], &explained["about"]), (&it.name.into(), &it.about.into()));
        assert_eq!(explained["command"], "checklist --check");
        assert!(!rules.iter().any(|rule| rule["rule"] == it.name), "{}", it.name);
    }
    snapshot("explain-check", &call(&["explain", "unknown-mrn"]).code(0).stdout);
    call(&["explain", "unknown-mnr"]).code(2).says(&["the nearest: `unknown-mrn`"]);

    call(&["explain", "evidence-stail"])
        .code(2)
        .says(&["there is no rule `evidence-stail`", "the nearest: `evidence-stale`"]);
    // What `verify` finds has names of its own.
    call(&["explain", "broken-line"])
        .code(2)
        .says(&["`ctc-ready verify` has it", "explain journal-broken"]);
    call(&["explain", &"x".repeat(10_000)]).code(2).says(&["gate --list-rules"]);
    call(&["gate", "--list-rules", "--format", "junit"]).code(2).says(&["--list-rules"]);
    call(&["gate", "--list-rules", "--rehearsal"]).code(2);
}

#[test]
fn evidence_is_bound_to_the_build_named() {
    let project = Project::answered();
    fs::write(project.file("app.bin"), b"the release").unwrap();
    fs::write(project.file("other.bin"), b"another").unwrap();
    let run = ["run", "DNGB1", "--environment", "simulator"];
    project.call(&[&run[..], &["--build", "app.bin"]].concat()).code(0);
    let runs = project.json(&["evidence", "list"], 0);
    // `printf 'the release' | sha256sum`
    let digest = ctc_ready::digest::Digest::of(b"the release");
    let build = format!("sha256:{digest}");
    assert_eq!(runs["runs"][0]["software"]["build"], build.as_str());

    let others = |args: &[&str]| -> Vec<String> {
        let call = [&["gate", "--rehearsal", "--programme", "ncts5-final"], args].concat();
        let verdict = project.json(&call, 1);
        let findings = verdict["findings"].as_array().unwrap().iter();
        findings
            .filter(|it| it["rule"] == "other-build")
            .map(|it| it["message"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(others(&[]).is_empty());
    assert!(others(&["--build", "app.bin"]).is_empty());
    assert!(others(&["--build", &build]).is_empty());
    let told = others(&["--build", "other.bin"]);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains(&build[..19]), "{told:?}");
    assert!(told[0].contains("is under test"), "{told:?}");
    // It takes the place of the one in the settings.
    project.write_settings(&crate::support::set(
        &project.settings(),
        "build",
        &format!("\"{build}\""),
    ));
    assert!(others(&[]).is_empty());
    assert_eq!(others(&["--build", "other.bin"]).len(), 1);
    for command in [&["status"][..], &["checklist", "--rehearsal"]] {
        project.call(&[command, &["--build", "app.bin"]].concat()).code(0);
    }

    project.call(&["gate", "--build", "sha256:abc"]).code(2).says(&["64 lower-case hexadecimal"]);
    project.call(&["gate", "--build", "nowhere.bin"]).code(3).says(&["nowhere.bin"]);
    project.call(&["gate", "--build", "."]).code(3);
    project.call(&["gate", "--build", ""]).code(3);
    project.call(&["pack", "--build", "nowhere.bin"]).code(3).says(&["nowhere.bin"]);
}

#[test]
fn policy_holds_on_the_command_line_too() {
    let project = Project::rehearsed();
    let text = project.settings();
    let judge = |key: &str, value: &str, rule: &str| -> Option<String> {
        project.write_settings(&crate::support::set(&text, key, value));
        let verdict = project.call(&["gate", "--rehearsal", "--format", "json"]).json();
        let findings = verdict["findings"].as_array().unwrap();
        let found = findings.iter().find(|it| it["rule"] == rule)?;
        Some(found["severity"].as_str().unwrap().to_owned())
    };
    assert_eq!(judge("drivers", "[\"proxy\"]", "driver-not-accepted").as_deref(), Some("error"));
    assert_eq!(judge("seals", "\"required\"", "store-unsealed").as_deref(), Some("error"));
    assert_eq!(judge("seals", "\"ignored\"", "store-unsealed"), None);
    assert_eq!(judge("same-build", "\"required\"", "other-build").as_deref(), Some("error"));
    let missing = "required-scenario-missing";
    assert_eq!(judge("recommended", "\"required\"", missing).as_deref(), Some("error"));
    assert_eq!(judge("recommended", "\"wanted\"", missing).as_deref(), Some("warning"));

    // Seals by the key that is asked for, and by another.
    let keys = tempfile::tempdir().unwrap();
    let with_keys = |args: &[&str]| {
        crate::support::outcome(project.command(args).env("CTC_READY_KEYS", keys.path()))
    };
    let made = with_keys(&["keys", "init", "--format", "json"]).code(0).json();
    project.write_settings(&text);
    with_keys(&["seal"]).code(0);
    let own = format!("[\"{}\"]", made["fingerprint"].as_str().unwrap());
    assert_eq!(judge("seal-keys", &own, "store-unsealed"), None);
    let other = format!("[\"{}\"]", "0".repeat(64));
    assert_eq!(judge("seal-keys", &other, "store-unsealed").as_deref(), Some("warning"));
}
