//! `--format json`: one document on standard output, valid against the schema
//! that `ctc-ready schema` prints, with the fields that scripts rely on.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::support::{Project, SCALE, call, command, nobody_listens, outcome};

/// The document is valid against its own schema.
#[track_caller]
pub fn assert_valid(name: &str, document: &Value) {
    let schema = call(&["schema", name]).code(0).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{document:#}");
    // The schema must also be able to say no.
    assert!(!validator.is_valid(&serde_json::json!({"schema_version": 1})), "{name}");
    assert_eq!(document["schema_version"], 1);
}

/// Each of these fields is there, and absent values are `null`.
#[track_caller]
pub fn assert_fields(value: &Value, fields: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value:#}"));
    for field in fields {
        assert!(object.contains_key(*field), "`{field}` is missing: {value:#}");
    }
}

/// RFC 3339, in UTC, with `Z`.
#[track_caller]
pub fn instant(value: &Value) -> DateTime<Utc> {
    let text = value.as_str().unwrap_or_else(|| panic!("no instant: {value}"));
    assert!(text.ends_with('Z'), "{text}");
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

#[track_caller]
fn one_of(value: &Value, words: &[&str]) {
    assert!(value.as_str().is_some_and(|text| words.contains(&text)), "{value} of {words:?}");
}

fn items<'a>(value: &'a Value, field: &str) -> &'a Vec<Value> {
    value[field].as_array().unwrap_or_else(|| panic!("`{field}` is no list: {value:#}"))
}

#[track_caller]
fn by<'a>(list: &'a [Value], field: &str, wanted: &str) -> &'a Value {
    list.iter()
        .find(|item| item[field] == wanted)
        .unwrap_or_else(|| panic!("no {field} {wanted} in {list:#?}"))
}

#[test]
fn scenario_list() {
    let all = call(&["scenario", "list", "--all-programmes", "--format", "json"]).code(0).json();
    assert_valid("scenario-list", &all);
    let scenarios = items(&all, "scenarios");
    for scenario in scenarios {
        assert_fields(
            scenario,
            &[
                "id",
                "programme",
                "title",
                "flow",
                "side",
                "procedure",
                "requirement",
                "steps",
                "errata",
                "source",
            ],
        );
        one_of(&scenario["side"], &["GB", "XI"]);
        let balance = scenario["flow"] == "guarantee-balance";
        match balance {
            true => assert_eq!(scenario["procedure"], Value::Null),
            false => {
                one_of(&scenario["procedure"], &["normal", "simplified", "simplified/normal"]);
                one_of(
                    &scenario["flow"],
                    &["standard-departure", "pre-lodged-departure", "arrival"],
                );
            }
        }
        one_of(&scenario["requirement"], &["mandatory", "recommended", "other"]);
        for (step, number) in items(scenario, "steps").iter().zip(1..) {
            assert_fields(
                step,
                &[
                    "step",
                    "send",
                    "request",
                    "sheet",
                    "data",
                    "mutation",
                    "officer",
                    "officer_deadline_minutes",
                    "deadline_minutes_after_ie015",
                    "presentation_timer",
                    "expect",
                ],
            );
            assert_eq!(step["step"], number);
            if balance {
                assert_fields(&step["request"], &["grn", "access_code"]);
                assert_eq!(step["send"], Value::Null);
                continue;
            }
            for expected in items(step, "expect") {
                assert!(expected["message"].as_str().unwrap().starts_with("IE"), "{expected}");
                // These may be left out; they are never `null`.
                let known = ["message", "after_minutes", "violations", "release"];
                for (field, value) in expected.as_object().unwrap() {
                    assert!(known.contains(&field.as_str()) && !value.is_null(), "{expected}");
                }
            }
        }
    }
    // As in the guide (NCTS5 testing guide, DNGB1).
    let final_rules = call(&["scenario", "list", "--programme", "ncts5-final", "--format", "json"])
        .code(0)
        .json();
    let dngb1 = by(items(&final_rules, "scenarios"), "id", "DNGB1");
    assert_eq!(dngb1["requirement"], "mandatory");
    assert_eq!(dngb1["steps"][0]["send"], "IE015");
    assert_eq!(dngb1["steps"][0]["mutation"], Value::Null);
    assert_eq!(dngb1["steps"][0]["expect"], serde_json::json!([{"message": "IE928"}]));
    assert_eq!(dngb1["steps"][1]["send"], Value::Null);
    assert!(dngb1["steps"][1]["officer"].is_string());
    // A guarantee is asked about, and HTTP answers.
    let asked = by(scenarios, "id", "Scenario 1 GB");
    let request = serde_json::json!({"grn": "23GB0000010000854", "access_code": "AC01"});
    assert_eq!(asked["steps"][0]["request"], request);
    let answer = serde_json::json!({"status": 200, "balance": 262_626, "currency": "GBP"});
    assert_eq!(asked["steps"][0]["expect"], serde_json::json!([answer]));
    let refused = &by(scenarios, "id", "Scenario 3 XI")["steps"][0];
    let answer = serde_json::json!({"status": 404, "code": "NOT_FOUND"});
    assert_eq!(refused["expect"], serde_json::json!([answer]));
    let too_often = &by(scenarios, "id", "Scenario 2 GB")["steps"][1];
    assert_eq!(too_often["expect"][0]["status"], 429);
    // Refusals name the rules, releases say what becomes of the goods.
    let refusal = &by(scenarios, "id", "DSGBT2")["steps"][0]["expect"];
    let rules = serde_json::json!([{"message": "IE056", "violations": ["B1890", "B1891"]}]);
    assert_eq!(*refusal, rules);
    let unloading = &by(scenarios, "id", "ASXI3")["steps"][2]["expect"];
    assert_eq!(
        (&unloading[0]["release"], &unloading[2]["release"]),
        (&"refused".into(), &"granted".into())
    );
    // A scenario valid under both rule sets is listed once in each.
    let in_programmes: Vec<&str> = scenarios
        .iter()
        .filter(|scenario| scenario["id"] == "DSGB1")
        .filter_map(|scenario| scenario["programme"].as_str())
        .collect();
    assert_eq!(in_programmes, ["ncts5-transition", "ncts5-final"]);
    let ids: std::collections::BTreeSet<_> =
        scenarios.iter().map(|s| (s["programme"].as_str(), s["id"].as_str())).collect();
    assert_eq!(ids.len(), scenarios.len(), "a scenario is listed twice");
}

#[test]
fn scenario_show_is_a_list_of_one() {
    let shown = call(&["scenario", "show", "P6-DSGB-01", "--format", "json"]).code(0).json();
    assert_valid("scenario-list", &shown);
    let scenarios = items(&shown, "scenarios");
    assert_eq!(scenarios.len(), 1);
    assert_eq!(scenarios[0]["programme"], "ncts6");
}

#[test]
fn scenario_list_filters() {
    let list = |args: &[&str]| {
        let list = call(&[&["scenario", "list", "--format", "json"], args].concat()).code(0).json();
        items(&list, "scenarios").clone()
    };
    let all = list(&["--programme", "ncts6"]);
    let some = list(&["--programme", "ncts6", "--flow", "arrival", "--side", "xi"]);
    let wanted = |s: &&Value| s["flow"] == "arrival" && s["side"] == "XI";
    assert_eq!(some.iter().collect::<Vec<_>>(), all.iter().filter(wanted).collect::<Vec<_>>());
    assert!(some.len() > 5);
}

#[test]
fn scenario_show_finds_ids_however_they_are_written() {
    for id in ["scenario-1-gb", "Scenario 1 GB", "SCENARIO-1-GB"] {
        let shown = call(&["scenario", "show", id, "--format", "json"]).code(0).json();
        assert_eq!(shown["scenarios"][0]["id"], "Scenario 1 GB", "{id}");
    }
    // Without a programme it is found wherever it is; with one, only there.
    let shown = call(&["scenario", "show", "dsgbt1", "--format", "json"]).code(0).json();
    assert_eq!(shown["scenarios"][0]["programme"], "ncts5-transition");
    call(&["scenario", "show", "DSGBT1", "--programme", "ncts6"])
        .code(2)
        .says(&["`DSGBT1` is not a scenario of `ncts6`", "it is one of ncts5-transition"]);
}

#[test]
fn scenario_lint() {
    let empty = tempfile::tempdir().unwrap();
    let at = |dir: &std::path::Path, args: &[&str]| {
        outcome(command(&[&["scenario", "lint"], args].concat()).current_dir(dir))
    };
    let sound = at(empty.path(), &["--format", "json"]).code(0).json();
    assert_valid("scenario-lint", &sound);
    let nothing = serde_json::json!([]);
    assert_eq!((&sound["problems"], &sound["notes"]), (&nothing, &nothing));
    assert_eq!((&sound["sound"], &sound["scenarios"]), (&true.into(), &198.into()));

    let project = Project::new();
    let own = project.file("ours/house");
    std::fs::create_dir_all(&own).unwrap();
    let scenario = |id: &str, more: &str| {
        format!(
            "programmes = [\"ncts5-final\"]\n[[scenario]]\nid = \"{id}\"\ntitle = \"Ours\"\n\
             flow = \"standard-departure\"\nside = \"GB\"\nprocedure = \"simplified\"\n\
             source = \"house rules\"\n{more}\n[[scenario.step]]\nsend = \"IE015\"\n\
             data = [\"Simplified GB-XI\"]\nexpect = [{{ message = \"IE928\" }}]\n"
        )
    };
    std::fs::write(own.join("mine.toml"), scenario("OURS-1", "")).unwrap();
    std::fs::write(own.join("other.toml"), scenario("DSGB1", "")).unwrap();
    let said = project.json(&["scenario", "lint", "ours"], 0);
    assert_valid("scenario-lint", &said);
    assert_eq!((&said["sound"], &said["scenarios"]), (&true.into(), &199.into()));
    let note = &said["notes"][0];
    assert_eq!((&note["line"], &note["column"]), (&3.into(), &6.into()));
    assert!(note["file"].as_str().unwrap().ends_with("ours/house/other.toml"), "{note}");
    assert!(note["message"].as_str().unwrap().contains("takes the place"), "{note}");

    // The settings name the folder for every command.
    let settings = project.settings().replace("[catalogue]\n", "[catalogue]\npath = \"ours\"\n");
    project.write_settings(&settings);
    assert_eq!(project.json(&["scenario", "lint"], 0)["scenarios"], 199);
    let list = project.json(&["scenario", "list"], 0);
    assert_eq!(by(items(&list, "scenarios"), "id", "DSGB1")["title"], "Ours");
    project.call(&["scenario", "show", "ours-1"]).code(0);

    // Every problem at once, with its place.
    std::fs::write(own.join("mine.toml"), scenario("ours", "errata = \" \"\nextra = 1")).unwrap();
    let said = project.json(&["scenario", "lint"], 1);
    assert_valid("scenario-lint", &said);
    assert_eq!(said["sound"], false);
    let places: Vec<(u64, u64)> = items(&said, "problems")
        .iter()
        .map(|problem| (problem["line"].as_u64().unwrap(), problem["column"].as_u64().unwrap()))
        .collect();
    assert_eq!(places, [(3, 6), (9, 10), (10, 1)], "{said:#}");
    let human = project.call(&["scenario", "lint"]).code(1).stdout;
    assert!(human.contains("mine.toml:10:1: unknown field `extra`"), "{human}");
    project.call(&["scenario", "lint", "nowhere"]).code(3);
    project.call(&["scenario", "list"]).code(3);
}

#[test]
fn plan() {
    let project = Project::new();
    let at = ["--at", "2026-11-23T09:00:00Z"];
    let plan = project.json(&[&["plan", "--submit-on", "2026-12-04"], &at[..]].concat(), 0);
    assert_valid("plan", &plan);
    assert_fields(
        &plan,
        &[
            "programme",
            "as_of",
            "submit_on",
            "phase",
            "requirements",
            "schedule",
            "first_day",
            "consequences",
        ],
    );
    assert_fields(&plan["first_day"], &["officers_at_once", "officers_late"]);
    assert_eq!(plan["first_day"]["officers_late"], "2026-12-04");
    assert_eq!(plan["programme"], "ncts5-final");
    assert_eq!(plan["submit_on"], "2026-12-04");
    assert_eq!(instant(&plan["as_of"]).to_rfc3339(), "2026-11-23T09:00:00+00:00");
    assert_fields(&plan["phase"], &["name", "opens", "closes", "open"]);
    assert_eq!(plan["phase"]["open"], true);
    assert_eq!(plan["phase"]["closes"], Value::Null);

    let requirements = items(&plan, "requirements");
    for item in requirements {
        assert_fields(
            item,
            &[
                "requirement",
                "kind",
                "applies",
                "reason",
                "any_of",
                "chosen",
                "state",
                "run",
                "fresh_until",
                "good_on_submission",
                "findings",
            ],
        );
        one_of(&item["kind"], &["mandatory", "recommended"]);
        if item["applies"] == true {
            assert!(items(item, "any_of").contains(&item["chosen"]), "{item:#}");
        }
    }
    for (requirement, any_of) in [
        ("standard-departure", ["DNGB1", "DNXI1"]),
        ("pre-lodged-departure", ["PSGB1", "PSXI1"]),
        ("arrival", ["ASGB1", "ASXI1"]),
    ] {
        let item = by(requirements, "requirement", requirement);
        assert_eq!(item["kind"], "mandatory");
        assert_eq!(item["any_of"], serde_json::json!(any_of));
        assert_eq!(item["chosen"], any_of[0]);
    }
    let schedule = items(&plan, "schedule");
    assert_eq!(schedule.len(), 3);
    for (item, order) in schedule.iter().zip(1..) {
        assert_fields(
            item,
            &[
                "scenario",
                "order",
                "start_no_earlier",
                "start_no_later",
                "fit",
                "needs_officer",
                "officer_steps",
                "expected_minutes",
                "finish_officers_at_once",
                "finish_officers_late",
                "moments",
            ],
        );
        assert_eq!(item["fit"], "in-time");
        for moment in items(item, "moments") {
            let fields = ["step", "actor", "what", "from", "until", "opens", "closes"];
            assert_fields(moment, &fields);
            one_of(&moment["actor"], &["you", "officer"]);
        }
        assert_eq!(item["order"], order);
        assert!(instant(&item["start_no_earlier"]) < instant(&item["start_no_later"]));
    }
    assert_eq!(by(schedule, "scenario", "DNGB1")["needs_officer"], true);
    assert_eq!(by(schedule, "scenario", "ASGB1")["expected_minutes"], 45);
    for item in items(&plan, "consequences") {
        assert_fields(item, &["rule", "message", "source", "on"]);
    }

    // Without a day of submission nothing ends the window.
    let open = project.json(&[&["plan", "--programme", "ncts6"], &at[..]].concat(), 0);
    assert_valid("plan", &open);
    assert_eq!(open["programme"], "ncts6");
    assert_eq!(open["submit_on"], Value::Null);
    assert_eq!(open["schedule"][0]["start_no_later"], Value::Null);
}

#[test]
fn run() {
    let project = Project::rehearsed();
    let report = project.json(&["run", "--environment", "simulator"], 0);
    assert_valid("run", &report);
    let runs = items(&report, "runs");
    assert_eq!(runs.len(), 4);
    for run in runs {
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
                "lrn",
                "mrn",
                "started",
                "finished",
                "requests",
                "waiting_for",
                "failure",
            ],
        );
        assert_eq!(run["environment"], "simulator");
        assert_eq!(run["driver"], "direct");
        assert_eq!(run["attempt"], 1);
        assert_eq!(run["state"], "passed");
        assert!(run["lrn"].as_str().unwrap().len() <= 22);
        assert_eq!(run["mrn"].as_str().unwrap().len(), 18);
        assert!(instant(&run["started"]) < instant(&run["finished"]));
        assert!(run["requests"].as_u64().unwrap() > 3);
        assert_eq!((&run["waiting_for"], &run["failure"]), (&Value::Null, &Value::Null));
    }
}

#[test]
fn a_run_that_waits_says_for_whom() {
    let project = Project::new();
    let nobody = nobody_listens();
    let report = project.json(
        &[
            "run",
            "DNGB1",
            "--environment",
            "simulator",
            "--base-url",
            &nobody,
            "--time-scale",
            SCALE,
        ],
        4,
    );
    assert_valid("run", &report);
    let run = &report["runs"][0];
    assert_eq!(run["state"], "waiting");
    assert_eq!(run["finished"], Value::Null);
    assert_fields(&run["waiting_for"], &["actor", "what", "deadline"]);
    assert_eq!(run["waiting_for"]["actor"], "you");
}

const STATUS_FIELDS: [&str; 9] = [
    "requirement",
    "kind",
    "any_of",
    "state",
    "scenario",
    "run",
    "attempts",
    "fresh_until",
    "next_actor",
];

#[test]
fn status() {
    let fresh = Project::new();
    let nothing = fresh.json(&["status"], 0);
    assert_valid("status", &nothing);
    let item = by(items(&nothing, "requirements"), "requirement", "arrival");
    assert_fields(item, &STATUS_FIELDS);
    assert_eq!(item["state"], "missing");
    assert_eq!(item["attempts"], 0);
    assert_eq!((&item["run"], &item["fresh_until"]), (&Value::Null, &Value::Null));

    let project = Project::rehearsed();
    let status = project.json(&["status", "--rehearsal"], 0);
    assert_valid("status", &status);
    assert_fields(&status, &["programme", "as_of", "requirements"]);
    instant(&status["as_of"]);
    let list = items(&status, "requirements");
    for item in list {
        assert_fields(item, &STATUS_FIELDS);
        one_of(&item["kind"], &["mandatory", "recommended"]);
        one_of(
            &item["state"],
            &[
                "fresh",
                "expiring",
                "stale",
                "failed",
                "running",
                "waiting",
                "missing",
                "not-applicable",
            ],
        );
    }
    let item = by(list, "requirement", "standard-departure");
    assert_eq!(item["state"], "fresh");
    assert_eq!(item["scenario"], "DNGB1");
    assert_eq!(item["attempts"], 1);
    assert!(instant(&item["fresh_until"]) > Utc::now());
    let runs = project.json(&["run", "--environment", "simulator"], 0);
    assert_eq!(item["run"], by(items(&runs, "runs"), "scenario", "DNGB1")["run"]);

    // Long after, the same evidence is stale; before it, it counts for nothing.
    let later = (Utc::now() + chrono::TimeDelta::days(20)).format("%Y-%m-%d").to_string();
    for at in [later.as_str(), "2099-12-31", "2098-06-01T12:00:00+01:00"] {
        let status = project.json(&["status", "--rehearsal", "--at", at], 0);
        assert_valid("status", &status);
        instant(&status["as_of"]);
        let item = by(items(&status, "requirements"), "requirement", "standard-departure");
        assert_eq!(item["state"], "stale", "{at}");
    }
    // A London date is the last moment of its day, also in summer.
    let status = project.json(&["status", "--at", "2030-07-01"], 0);
    assert!(status["as_of"].as_str().unwrap().starts_with("2030-07-01T22:59:59"), "{status:#}");
}

#[test]
fn gate() {
    let project = Project::rehearsed();
    let verdict = project.json(&["gate"], 1);
    assert_valid("gate", &verdict);
    assert_fields(
        &verdict,
        &["ready", "rehearsal", "programme", "as_of", "submit_on", "findings", "requirements"],
    );
    assert_eq!((&verdict["ready"], &verdict["rehearsal"]), (&false.into(), &false.into()));
    assert_eq!(verdict["submit_on"], Value::Null);
    let findings = items(&verdict, "findings");
    for finding in findings {
        assert_fields(
            finding,
            &["rule", "severity", "requirement", "scenario", "run", "message", "source", "waived"],
        );
        one_of(&finding["severity"], &["error", "warning", "info"]);
    }
    let simulated = by(findings, "rule", "simulated-evidence");
    assert_eq!(simulated["severity"], "error");
    assert!(simulated["run"].is_string() && simulated["source"].is_string());
    for item in items(&verdict, "requirements") {
        assert_fields(item, &STATUS_FIELDS);
    }

    let rehearsal = project.json(&["gate", "--rehearsal", "--programme", "ncts6"], 0);
    assert_valid("gate", &rehearsal);
    assert_eq!((&rehearsal["ready"], &rehearsal["rehearsal"]), (&true.into(), &true.into()));

    // The day of submission decides, not today.
    let verdict = project.json(&["gate", "--rehearsal", "--submit-on", "2099-12-01"], 1);
    assert_eq!(verdict["submit_on"], "2099-12-01");
    by(items(&verdict, "findings"), "rule", "evidence-stale");
}

#[test]
fn checklist() {
    let project = Project::rehearsed();
    let report = project.json(&["checklist", "--rehearsal"], 0);
    assert_valid("checklist", &report);
    assert_fields(
        &report,
        &[
            "form",
            "recognised",
            "edition_known",
            "output",
            "rehearsal",
            "filled",
            "left_for_you",
            "not_found",
        ],
    );
    // No form was given, so none was recognised.
    assert_eq!((&report["form"], &report["recognised"]), (&Value::Null, &false.into()));
    assert_eq!(report["rehearsal"], true);
    assert_eq!(report["output"], "checklist-REHEARSAL.docx");
    assert!(project.file("checklist-REHEARSAL.docx").is_file());
    for field in items(&report, "filled") {
        assert_fields(field, &["field", "value", "from"]);
        one_of(&field["from"], &["settings", "evidence"]);
    }
    let name = by(items(&report, "filled"), "field", "sandbox application name");
    assert_eq!((&name["value"], &name["from"]), (&"Cargoflow sandbox".into(), &"settings".into()));
    let ncts6 = project.json(&["checklist", "--rehearsal", "--programme", "ncts6"], 0);
    assert_valid("checklist", &ncts6);
    for left in items(&ncts6, "left_for_you") {
        assert_fields(left, &["field", "why"]);
    }
    by(items(&ncts6, "left_for_you"), "field", "electronic signature");
}

#[test]
fn verify() {
    let project = Project::rehearsed();
    let report = project.json(&["verify"], 0);
    assert_valid("verify", &report);
    assert_fields(
        &report,
        &["intact", "runs", "exchanges", "objects", "bytes", "seals", "unsealed_runs", "problems"],
    );
    assert_eq!(report["intact"], true);
    assert_eq!(report["runs"], 4);
    assert!(report["exchanges"].as_u64().unwrap() > 20);
    assert_eq!(report["problems"], serde_json::json!([]));

    std::fs::write(project.evidence().join("notes.txt"), "not evidence").unwrap();
    let report = project.json(&["verify"], 1);
    assert_valid("verify", &report);
    assert_eq!(report["intact"], false);
    let problem = &report["problems"][0];
    assert_fields(problem, &["rule", "where", "message"]);
    assert_eq!(problem["where"], "notes.txt");
}

#[test]
fn errors_are_one_document_too() {
    let project = Project::new();
    let empty = tempfile::tempdir().unwrap();
    let nowhere = empty.path().to_str().unwrap();
    for (args, code, kind) in [
        (&["status", "--project", nowhere][..], 3, "input"),
        (&["status", "--at", "nonsense"], 2, "usage"),
        (&["run", "NOSUCH1"], 2, "usage"),
        (&["run"], 4, "environment"),
        (&["verify", nowhere], 3, "input"),
        (&["gate", "--no-such-flag"], 2, "usage"),
        (&["gate", "--submit-on", "tomorrow"], 2, "usage"),
        (&["no-such-command"], 2, "usage"),
        (&["run", "--time-scale", "0"], 2, "usage"),
        (&["init"], 3, "input"),
    ] {
        let json = project.json(args, code);
        assert_eq!(json["schema_version"], 1, "{args:?}");
        assert_eq!(json["error"]["kind"], kind, "{args:?}");
        let message = json["error"]["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.ends_with('.'), "{args:?}: {message}");
        assert!(!message.contains('\u{1b}'), "{args:?}: {message}");
        assert!(json["error"]["hints"].is_array(), "{args:?}");
    }
    // Nobody who did not ask for JSON gets it.
    assert_eq!(project.call(&["gate", "--no-such-flag"]).code(2).stdout, "");
    assert_eq!(project.call(&["status", "--at", "nonsense"]).code(2).stdout, "");
}
