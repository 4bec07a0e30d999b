//! `evidence prune`: tells first, acts when told to, and hides nothing.

use std::fs;

use crate::contract::assert_valid;
use crate::support::{Project, SCALE, evidence_of, flip};

const PRUNE: [&str; 4] = ["evidence", "prune", "--keep-days", "0"];

fn states(plan: &serde_json::Value, list: &str) -> Vec<(String, u64, String)> {
    let runs = plan[list].as_array().unwrap().iter();
    runs.map(|run| {
        let text = |field: &str| run[field].as_str().unwrap_or("-").to_owned();
        (text("scenario"), run["attempt"].as_u64().unwrap(), text("stays"))
    })
    .collect()
}

#[test]
fn what_counts_for_nothing_goes_and_stays_disclosed() {
    let project = Project::rehearsed();
    let again = ["run", "PSGB1", "--again", "--environment", "simulator", "--time-scale", SCALE];
    project.call(&again).code(0);
    let attempts = |project: &Project| {
        let status = project.json(&["status", "--rehearsal"], 0);
        let of = |name: &str| {
            let all = status["requirements"].as_array().unwrap().clone();
            all.into_iter().find(|it| it["requirement"] == name).unwrap()
        };
        (of("pre-lodged-departure")["attempts"].clone(), of("pre-lodged-departure")["run"].clone())
    };
    let (before, stood) = (evidence_of(&project), attempts(&project));

    // By default what ended lately stays.
    let recent = project.json(&["evidence", "prune"], 0);
    assert_eq!(recent["remove"].as_array().unwrap().len(), 0);
    project.call(&["evidence", "prune"]).code(0);

    // A plan changes nothing.
    let plan = project.json(&PRUNE, 0);
    assert_valid("evidence-prune", &plan);
    assert_eq!(plan["done"], false);
    assert_eq!(states(&plan, "remove"), [("PSGB1".to_owned(), 1, "-".to_owned())]);
    assert_eq!(plan["keep"].as_array().unwrap().len(), 4);
    let told = project.call(&PRUNE).code(0);
    for part in ["would remove", "PSGB1", "stands for a requirement", "--yes"] {
        assert!(told.stdout.contains(part), "{part}: {told:#?}");
    }
    assert!(before == evidence_of(&project));
    assert!(plan["keep"].as_array().unwrap().iter().any(|run| run["run"] == stood.1));

    let done = project.json(&[&PRUNE[..], &["--yes", "--reason", "the disk is small"]].concat(), 0);
    assert_valid("evidence-prune", &done);
    assert_eq!((&done["done"], &done["remove"]), (&true.into(), &plan["remove"]));
    assert_eq!(project.runs(), 4);
    assert_eq!(attempts(&project), stood, "the attempt counts still");
    let verified = project.json(&["verify"], 0);
    assert_eq!(verified["runs"], 5);
    let index = fs::read_to_string(project.evidence().join("index.jsonl")).unwrap();
    assert!(index.contains("\"kind\":\"run-removed\"") && index.contains("the disk is small"));

    // There is nothing more, and the next attempt is the third.
    let nothing = project.json(&[&PRUNE[..], &["--yes"]].concat(), 0);
    assert_eq!(nothing["bytes"], 0);
    let third = project.json(&again, 0);
    assert_eq!(third["runs"][0]["attempt"], 3);
    project.call(&["gate", "--rehearsal"]).code(0);
}

#[test]
fn nothing_is_removed_where_it_cannot_be_judged() {
    let project = Project::new();
    project.call(&[&PRUNE[..], &["--yes"]].concat()).code(3).says(&["no evidence store"]);
    assert!(!project.evidence().exists());

    let project = Project::rehearsed();
    let again = ["run", "PSGB1", "--again", "--environment", "simulator", "--time-scale", SCALE];
    project.call(&again).code(0);
    let before = evidence_of(&project);
    // A programme that nobody knows.
    let good = project.settings();
    project.write_settings(&good.replace("\"ncts6\"", "\"ncts7\""));
    project.call(&[&PRUNE[..], &["--yes"]].concat()).code(3).says(&["ncts7"]);
    assert!(before == evidence_of(&project));
    project.write_settings(&good);
    // Evidence that was changed.
    let objects = crate::support::tree(&project.evidence().join("objects"));
    flip(&objects[0].0);
    let damaged = evidence_of(&project);
    for args in [&PRUNE[..], &[&PRUNE[..], &["--yes"]].concat()] {
        project.call(args).code(3).says(&["changed or damaged", "ctc-ready verify"]);
    }
    assert!(damaged == evidence_of(&project));
    project.call(&["evidence", "prune", "--keep-days", "99999999"]).code(2);
}
