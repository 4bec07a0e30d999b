//! Evidence that is damaged, in the way, or not to be written: told, and
//! nothing made worse.

use std::fs;

use crate::support::{Project, SCALE, evidence_of, flip, tree};

const RUN: [&str; 5] = ["run", "--environment", "simulator", "--time-scale", SCALE];

/// Whether the gate found the evidence changed.
fn broken(verdict: &serde_json::Value) -> bool {
    let findings = verdict["findings"].as_array().unwrap();
    findings
        .iter()
        .any(|finding| finding["rule"] == "journal-broken" && finding["severity"] == "error")
}

#[test]
fn a_damaged_store_is_left_as_it_is() {
    let project = Project::rehearsed();
    let store = project.evidence().join("store.json");
    let good = fs::read(&store).unwrap();
    for bad in [&b"{"[..], b"", b"{\"format\":1}", b"\xff\xff", &[b'x'; 100_000]] {
        fs::write(&store, bad).unwrap();
        let before = evidence_of(&project);
        for args in [&["status"][..], &["gate"], &["checklist"], &[&RUN[..], &["--again"]].concat()]
        {
            project.call(args).code(3).says(&["store.json"]);
        }
        assert!(before == evidence_of(&project));
    }
    fs::write(&store, "{\"format\":1}").unwrap();
    let report = project.json(&["verify"], 1);
    assert_eq!(report["problems"][0]["where"], "store.json");
    // Of a later version, not damaged.
    fs::write(&store, "{\"format\":99,\"more\":true}").unwrap();
    for args in [&["status"][..], &["gate"]] {
        project.call(args).code(3).says(&["format 99", "newer ctc-ready"]);
    }
    // The index still names the file that stood there.
    project.call(&["verify"]).code(1);
    // Robbed of it, evidence is not taken for none.
    fs::remove_file(&store).unwrap();
    let before = evidence_of(&project);
    for args in [&["status"][..], &["gate"], &[&RUN[..], &["--again"]].concat()] {
        project.call(args).code(3).says(&["store.json", "missing"]);
    }
    project.call(&["verify"]).code(1);
    assert!(before == evidence_of(&project));
    fs::write(&store, good).unwrap();
    project.call(&["verify"]).code(0);
}

#[test]
fn a_damaged_journal_stops_nobody_else() {
    let project = Project::rehearsed();
    let runs = project.json(&RUN, 0);
    let journal = project.journal(&runs["runs"][0]["run"]);
    flip(&journal);
    let damaged = fs::read(&journal).unwrap();
    let status = project.json(&["status", "--rehearsal"], 0);
    assert_eq!(status["requirements"][1]["state"], "fresh");
    let verdict = project.json(&["gate", "--rehearsal"], 1);
    assert!(broken(&verdict), "{verdict:#}");
    // Other scenarios can be run all the same, and the damage is kept.
    let again = project.json(&[&RUN[..], &["PSGB1", "--again"]].concat(), 0);
    assert_eq!(again["runs"][0]["attempt"], 2);
    assert_eq!(fs::read(&journal).unwrap(), damaged);
    assert_eq!(project.json(&["verify"], 1)["intact"], false);

    // Cut short, emptied, gone: each is found.
    for change in [&damaged[..damaged.len() / 2], b""] {
        fs::write(&journal, change).unwrap();
        project.call(&["status"]).code(0);
        project.call(&["verify"]).code(1);
        assert!(broken(&project.json(&["gate"], 1)));
    }
    fs::remove_file(&journal).unwrap();
    project.call(&["status"]).code(0);
    project.call(&["verify"]).code(1);
}

#[test]
fn a_changed_body_is_found() {
    let project = Project::rehearsed();
    let objects = tree(&project.evidence().join("objects"));
    let (path, bytes) = &objects[objects.len() / 2];
    flip(path);
    let report = project.json(&["verify"], 1);
    assert_eq!(report["problems"][0]["rule"], "object-changed");
    assert!(broken(&project.json(&["gate"], 1)));
    fs::write(path, bytes).unwrap();
    project.call(&["verify"]).code(0);
    fs::remove_file(path).unwrap();
    assert_eq!(project.json(&["verify"], 1)["problems"][0]["rule"], "missing-object");
}

#[test]
fn verify_wants_a_store() {
    let project = Project::new();
    for place in [".", "nowhere", "ctc-ready.toml"] {
        project.call(&["verify", place]).code(3).says(&["no evidence store", place]);
    }
    // Nothing was run yet: there is nothing to check.
    project.call(&["verify"]).code(3).says(&["no evidence store"]);
}

#[test]
fn a_file_where_the_evidence_should_be() {
    let project = Project::new();
    fs::write(project.evidence(), "my notes").unwrap();
    project.call(&RUN).code(3).says(&["evidence"]);
    project.call(&["verify"]).code(3);
    assert_eq!(fs::read_to_string(project.evidence()).unwrap(), "my notes");
}

#[cfg(unix)]
#[test]
fn evidence_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::rehearsed();
    let protect = |mode| {
        for dir in [project.evidence(), project.evidence().join("runs"), project.path().into()] {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    protect(0o555);
    if fs::write(project.evidence().join("probe"), "x").is_ok() {
        protect(0o755);
        crate::reference::skipped("this user may write to folders that are read-only");
        return;
    }
    let before = evidence_of(&project);
    project.call(&[&RUN[..], &["--again"]].concat()).code(3).says(&["evidence", "denied"]);
    assert!(before == evidence_of(&project));
    // Reading asks for no more than reading.
    project.call(&RUN).code(0);
    project.call(&["status"]).code(0);
    project.call(&["gate"]).code(1);
    project.call(&["verify"]).code(0);
    project.call(&["checklist"]).code(3).says(&["checklist.docx", "denied"]);
    protect(0o755);
}
