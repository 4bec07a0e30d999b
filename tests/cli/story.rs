//! The whole story by commands.

use serde_json::Value;

use crate::support::{Project, REQUIRED, SCALE, flip, form, text_of_docx};

fn field(report: &Value, name: &str) -> Vec<Value> {
    report["runs"].as_array().unwrap().iter().map(|run| run[name].clone()).collect()
}

#[test]
fn from_init_to_a_filled_form() {
    let project = Project::answered();
    let settings = project.settings();

    let plan = project.call(&["plan"]).code(0).stdout;
    for id in REQUIRED {
        assert!(plan.contains(id), "{id} is not in the plan:\n{plan}");
    }

    let rehearse = ["run", "--environment", "simulator", "--time-scale", SCALE];
    let first = project.json(&rehearse, 0);
    assert_eq!(field(&first, "scenario"), REQUIRED);
    assert_eq!(field(&first, "state"), ["passed"; 4]);

    // Nothing is left to do: the same attempts stand, and nothing is written.
    let before = crate::support::evidence_of(&project);
    let second = project.json(&rehearse, 0);
    assert_eq!(field(&first, "run"), field(&second, "run"));
    assert_eq!(field(&second, "attempt"), [1, 1, 1, 1]);
    assert!(before == crate::support::evidence_of(&project), "an idle run changed the evidence");

    // Only the one asked for is done again, whatever its case.
    let again = project.json(&[&rehearse[..], &["--again", "dngb1", "DNGB1"]].concat(), 0);
    assert_eq!(field(&again, "attempt"), [2]);
    assert_ne!(field(&again, "run")[0], field(&first, "run")[0]);
    let third = project.json(&rehearse, 0);
    assert_eq!(field(&third, "attempt"), [2, 1, 1, 1]);
    assert_eq!(field(&third, "run")[1..], field(&first, "run")[1..]);

    let status = project.json(&["status", "--rehearsal"], 0);
    assert_eq!(status["requirements"][0]["attempts"], 2);
    assert_eq!(status["requirements"][0]["run"], field(&again, "run")[0]);
    // Without --rehearsal nothing of the simulator counts.
    let status = project.json(&["status"], 0);
    assert_eq!(status["requirements"][0]["state"], "missing");

    let verdict = project.json(&["gate"], 1);
    let errors: Vec<&Value> = verdict["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| &finding["rule"])
        .collect();
    assert_eq!(errors, ["simulated-evidence"; 3]);
    for programme in ["ncts5-final", "ncts6"] {
        let ready = project.call(&["gate", "--rehearsal", "--programme", programme]).code(0);
        assert!(ready.stdout.contains("READY (REHEARSAL"), "{}", ready.stdout);
    }

    assert_eq!(project.call(&["verify"]).code(0).stdout.lines().next(), Some("INTACT evidence"));
    assert_eq!(project.settings(), settings, "only `init` writes settings");
}

#[test]
fn its_own_document_when_no_form_is_given() {
    let project = Project::rehearsed();
    project.call(&["checklist", "--rehearsal"]).code(0);
    let text = text_of_docx(&project.file("checklist-REHEARSAL.docx"));
    let runs = project.json(&["run", "--environment", "simulator"], 0);
    for expected in ["REHEARSAL", "Invented Software Ltd", "Cargoflow sandbox", "DNGB1", "PSGB1"] {
        assert!(text.contains(expected), "`{expected}` is not in the document");
    }
    assert!(text.contains(runs["runs"][0]["mrn"].as_str().unwrap()));

    // For submission, nothing of the simulator goes in.
    project.call(&["checklist"]).code(0);
    let text = text_of_docx(&project.file("checklist.docx"));
    assert!(!text.contains(runs["runs"][0]["mrn"].as_str().unwrap()), "{text}");
}

#[test]
fn hmrcs_own_forms() {
    let project = Project::rehearsed();
    let runs = project.json(&["run", "--environment", "simulator"], 0);
    let mrn = |index: usize| runs["runs"][index]["mrn"].as_str().unwrap();
    for (name, id, mrns) in [
        (
            "ctc-traders-v2.0-checklist-v1.1-january-2024.docx",
            "ncts5-checklist-2024-01",
            &[mrn(0), mrn(1), mrn(2)][..],
        ),
        ("ncts6-readiness-checklist-2026-04-14.docx", "ncts6-readiness-2026-04-14", &[mrn(3)]),
    ] {
        let Some(form) = form(name) else { continue };
        let untouched = std::fs::read(&form).unwrap();
        let args = ["checklist", "--rehearsal", "--form", form.to_str().unwrap()];
        // Which programme it is about, the form itself says.
        let report = project.json(&[&args[..], &["--output", "filled.docx"]].concat(), 0);
        assert_eq!((&report["form"], &report["recognised"]), (&id.into(), &true.into()));
        assert_eq!(report["not_found"], serde_json::json!([]));
        let text = text_of_docx(&project.file("filled.docx"));
        for mrn in mrns {
            assert!(text.contains(mrn), "{id}: {mrn} is missing");
        }
        assert!(text.contains("REHEARSAL"), "{id}");
        assert_eq!(std::fs::read(&form).unwrap(), untouched, "HMRC's file was changed");
        std::fs::remove_file(project.file("filled.docx")).unwrap();
    }
}

#[test]
fn a_changed_byte_is_found_out() {
    let project = Project::rehearsed();
    let runs = project.json(&["run", "--environment", "simulator"], 0);
    let journal = project.journal(&runs["runs"][0]["run"]);
    flip(&journal);

    let report = project.json(&["verify"], 1);
    assert_eq!(report["intact"], false);
    let place = report["problems"][0]["where"].as_str().unwrap();
    assert!(place.contains(runs["runs"][0]["run"].as_str().unwrap()), "{place}");
    project.call(&["verify"]).code(1);

    let verdict = project.json(&["gate", "--rehearsal"], 1);
    let rules: Vec<&Value> =
        verdict["findings"].as_array().unwrap().iter().map(|finding| &finding["rule"]).collect();
    assert!(rules.iter().any(|rule| *rule == "journal-broken"), "{rules:?}");

    // One damaged run does not hide the others.
    let status = project.call(&["status", "--rehearsal", "--format", "json"]).code(0);
    assert!(status.stderr.contains("verify"), "{status:?}");
    let requirements = status.json()["requirements"].clone();
    assert_eq!(requirements[0]["state"], "missing");
    assert_eq!(requirements[1]["state"], "fresh");
    assert_eq!(requirements[2]["state"], "fresh");
}

#[test]
fn the_demo_tells_it_all_and_may_be_told_twice() {
    let project = tempfile::tempdir().unwrap();
    let demo = || {
        let mut command = crate::support::command(&["demo", "--time-scale", SCALE]);
        crate::support::outcome(command.current_dir(project.path())).code(0)
    };
    let first = demo().stdout;
    for part in ["7. Rehearsal checklists", "simulated-evidence", "INTACT", "READY", "What next"] {
        assert!(first.contains(part), "{first}");
    }
    let wide: Vec<&str> = first.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    let checklist = project.path().join("ctc-ready-demo/checklist-ncts6-REHEARSAL.docx");
    assert!(text_of_docx(&checklist).contains("REHEARSAL"));
    let second = demo().stdout;
    assert!(second.contains("is there already"), "{second}");
    let dir = project.path().join("ctc-ready-demo");
    let verified = crate::support::call(&["verify", dir.join("evidence").to_str().unwrap()]);
    assert!(verified.code(0).stdout.contains("8 runs"));
}

#[test]
fn the_demo_stays_out_of_real_projects() {
    let project = Project::new();
    let dir = project.path().to_str().unwrap();
    let before = crate::support::tree(project.path());
    let refused = crate::support::call(&["demo", "--project", dir]).code(3);
    refused.says(&["a project of your own", "--project DIR"]);
    assert!(before == crate::support::tree(project.path()));
    // Nor does it move into a folder with other things in it.
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("accounts.ods"), "mine").unwrap();
    let refused = crate::support::call(&["demo", "--project", other.path().to_str().unwrap()]);
    refused.code(3).says(&["exists and is no demo project"]);
    assert_eq!(crate::support::tree(other.path()).len(), 1);
}
