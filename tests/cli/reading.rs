//! What people read: at 80 columns, in colour only where it belongs.
//! `INSTA_UPDATE=always cargo test --test cli reading` accepts what changed.

use clap::{CommandFactory, Parser};
use ctc_ready::cli::args::Cli;

use crate::support::{INIT, Project, SCALE, call, command, on_terminal, outcome};

/// Ids, times and numbers that differ from run to run.
fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, shown) in [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[RUN]"),
        (r"\b\d\d(GB|XI)[0-9A-Z]{14}\b", "[MRN-OF-18-DIGITS]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d \(London\)", "[DAY-AND-TIME] (London)"),
        (r"first gained on \d{4}-\d\d-\d\d", "first gained on [DAY]"),
        (r"\d+ runs, \d+ exchanges, \d+ bodies, \d+ bytes", "[COUNTS]"),
        (r"passed +(\[MRN-OF-18-DIGITS\])  \d+", "passed   $1  [N]"),
        (r"/tmp/[^/`\s]+", "[FOLDER]"),
        (r"\b[0-9a-f]{64}\b", "[SHA-256]"),
    ] {
        settings.add_filter(pattern, shown);
    }
    settings
}

#[track_caller]
fn assert_narrow(what: &str, text: &str) {
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{what}: {wide:#?}");
    assert!(!text.contains('\u{1b}'), "{what} has colour in it");
}

pub fn snapshot(name: &str, text: &str) {
    assert_narrow(name, text);
    settings().bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn help() {
    snapshot("help", &call(&["--help"]).code(0).stdout);
    // Every command there is, so that none is forgotten.
    let mut cli = Cli::command();
    cli.build();
    let mut paths: Vec<Vec<String>> = Vec::new();
    let mut open: Vec<(Vec<String>, &clap::Command)> = vec![(Vec::new(), &cli)];
    while let Some((path, command)) = open.pop() {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let path = [&path[..], &[inner.get_name().to_owned()]].concat();
            paths.push(path.clone());
            open.push((path, inner));
        }
    }
    assert!(paths.len() > 12, "{paths:?}");
    for path in paths {
        let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
        args.push("--help");
        let help = call(&args).code(0).stdout;
        // What goes with every command is in the first snapshot.
        let (own, everywhere) = help.split_once("\nEverywhere:\n").unwrap();
        assert_narrow(&path.join(" "), everywhere);
        snapshot(&format!("help-{}", path.join("-")), own);
        args.pop();
        args.push("-h");
        assert_narrow(&path.join(" "), &call(&args).code(0).stdout);
    }
}

#[test]
fn demo() {
    let dir = tempfile::tempdir().unwrap();
    let demo = outcome(command(&["demo", "--time-scale", SCALE]).current_dir(dir.path())).code(0);
    snapshot("demo", &demo.stdout);
}

#[test]
fn init_plan_and_status_of_a_new_project() {
    let dir = tempfile::tempdir().unwrap();
    let call = |args: &[&str]| outcome(command(args).current_dir(dir.path())).code(0).stdout;
    snapshot("init", &call(INIT));
    let at = ["--at", "2026-11-23T09:00:00Z"];
    snapshot("plan", &call(&[&["plan", "--submit-on", "2026-12-04"], &at[..]].concat()));
    snapshot("status-of-nothing", &call(&[&["status"], &at[..]].concat()));
    snapshot("scenario-show", &call(&["scenario", "show", "PSGB1"]));
    snapshot("scenario-list", &call(&["scenario", "list"]));
    // Officers and their limit, a timer that runs out, both ends of a movement,
    // rules a refusal must name, what was corrected, balances.
    let shown: Vec<String> = ["DSGB7", "PSGB2", "ASGB3", "DSGBT2", "DNGB9", "scenario-2-xi"]
        .iter()
        .map(|id| call(&["scenario", "show", id]))
        .collect();
    snapshot("scenario-show-many", &shown.join("---\n"));
    // Nothing else is too wide either.
    for flow in ["--all-programmes", "--programme=ncts6"] {
        assert_narrow(flow, &call(&["scenario", "list", flow]));
    }
}

#[test]
fn a_house_that_asks_for_balances_alone() {
    let dir = tempfile::tempdir().unwrap();
    let call = |args: &[&str], code| {
        let outcome = outcome(command(args).current_dir(dir.path())).code(code);
        outcome.stdout + &outcome.stderr
    };
    let init = ["init", "--programme", "guarantee-balance", "--software", "Flow"];
    let at = ["--at", "2026-11-23T09:00:00Z"];
    let told = [
        call(&[&init[..], &["--software-version", "1"]].concat(), 0),
        call(&[&["plan"], &at[..]].concat(), 0),
        call(&[&["status"], &at[..]].concat(), 0),
        call(&[&["gate"], &at[..]].concat(), 0),
    ];
    snapshot("guarantee-balance", &told.join("---\n"));
    let run = call(&["run", "--all", "--environment", "simulator", "--format", "json"], 0);
    let json = run.split_once("\n}\n").map_or(run.as_str(), |(json, _)| json).to_owned() + "}";
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 8);
    for run in runs {
        assert_eq!(run["state"], "passed", "{run}");
        assert!(run["lrn"].is_null() && run["mrn"].is_null(), "{run}");
    }
    call(&["status", "--rehearsal"], 0);
    call(&["verify"], 0);
}

#[test]
fn status_gate_and_verify_of_a_rehearsed_project() {
    let project = Project::rehearsed();
    snapshot("status", &project.call(&["status", "--rehearsal"]).code(0).stdout);
    snapshot("gate", &project.call(&["gate"]).code(1).stdout);
    snapshot("gate-rehearsal", &project.call(&["gate", "--rehearsal"]).code(0).stdout);
    snapshot("run", &project.call(&["run", "--environment", "simulator"]).code(0).stdout);
    snapshot("checklist", &project.call(&["checklist", "--programme", "ncts6"]).code(0).stdout);
    snapshot("verify", &project.call(&["verify"]).code(0).stdout);
    let store = project.evidence().join("store.json");
    let changed = std::fs::read_to_string(&store).unwrap().replace("\"format\":1", "\"format\": 1");
    std::fs::write(&store, changed).unwrap();
    snapshot("verify-changed", &project.call(&["verify"]).code(1).stdout);
}

#[test]
fn errors() {
    let project = Project::new();
    let error = |args: &[&str], code| project.call(args).code(code).stderr;
    let settings = project.settings();
    let all =
        [error(&["run", "NOSUCH1"], 2), error(&["gate", "--at", "soon"], 2), error(&["run"], 4), {
            project.write_settings(&settings.replace("side = \"GB\"", "side = \"FR\""));
            error(&["status"], 3)
        }];
    super::reading::settings().bind(|| insta::assert_snapshot!("errors", all.join("---\n")));
}

#[test]
fn colour_is_for_those_who_see_it() {
    let project = Project::rehearsed();
    for args in [&["status"][..], &["gate"], &["verify"], &["plan"], &["scenario", "list"]] {
        // The minute may change between two calls.
        let args = &[args, &["--at", "2026-11-30T12:00:00Z"]].concat()[..];
        let plain = project.call(args).stdout;
        assert!(!plain.contains('\u{1b}'), "{args:?}: {plain}");
        let always = project.call(&[args, &["--color", "always"]].concat()).stdout;
        assert!(always.contains("\u{1b}["), "{args:?}: {always}");
        assert_eq!(anstream::adapter::strip_str(&always).to_string(), plain, "{args:?}");
        let never = project.call(&[args, &["--color", "never"]].concat()).stdout;
        assert_eq!(never, plain);
        let mut no_color = project.command(&[args, &["--color", "always"]].concat());
        assert!(outcome(no_color.env("NO_COLOR", "1")).stdout.contains('\u{1b}'), "{args:?}");
    }
    let error = |more: &[&str]| project.call(&[&["run", "NOSUCH1"], more].concat()).code(2).stderr;
    assert!(error(&["--color", "always"]).contains("\u{1b}["));
    assert!(!error(&[]).contains('\u{1b}'));
    // Neither do the logs colour a file.
    let damaged = project.evidence().join("store.json");
    crate::support::flip(&damaged);
    assert!(!project.call(&["verify", "-vv"]).stderr.contains('\u{1b}'));
    // JSON is never coloured.
    let json = project.call(&["scenario", "list", "--format", "json", "--color", "always"]).code(0);
    assert!(!json.stdout.contains('\u{1b}'));
    json.json();
}

/// On a terminal, as `script` makes one.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_colour_and_questions() {
    let project = Project::rehearsed();
    let Some((code, shown)) = on_terminal(&project, "status", "") else { return };
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("\u{1b}["), "{shown}");

    let answers = "nonsense\nncts6\nstandard-departure, arrival\nsimplified\nxi\nFlow\n1.0\n\
                   \n\n\n\n\n\n\n";
    let Some((code, shown)) = on_terminal(&project, "init --project new", answers) else { return };
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("please answer with the words above"), "{shown}");
    let toml: toml::Table =
        std::fs::read_to_string(project.file("new/ctc-ready.toml")).unwrap().parse().unwrap();
    assert_eq!(toml["programmes"].as_array().unwrap()[0].as_str(), Some("ncts6"));
    assert_eq!(toml["software"]["side"].as_str(), Some("XI"));
    assert_eq!(toml["software"]["flows"].as_array().unwrap().len(), 2);
}

/// What the pages of `docs/` tell people to type is understood.
#[test]
fn commands_in_the_pages_for_users_are_understood() {
    let page = concat!(include_str!("../../docs/ci.md"), include_str!("../../docs/submission.md"));
    let mut tried = 0;
    for line in page.lines().filter(|line| line.contains("ctc-ready ")) {
        for part in line.split("ctc-ready ").skip(1) {
            let part = part.split(['`', '>', '#', '|', '(']).next().unwrap().trim();
            let words: Vec<&str> =
                part.split_whitespace().map(|word| word.trim_matches('"')).collect();
            let Some(first) = words.first() else { continue };
            let known = Cli::command().find_subcommand(first).is_some();
            if !known || line.trim_start().starts_with("- run: cargo") {
                continue;
            }
            // `explain RULE`, `verify --key "${{ … }}"`: any value will do.
            let words = words.into_iter().filter(|word| !["{{", "}}"].contains(word));
            let line: Vec<&str> = std::iter::once("ctc-ready")
                .chain(words.map(|word| match word {
                    word if word.starts_with('$') => KEY,
                    word => word,
                }))
                .filter(|word| !word.starts_with("vars."))
                .collect();
            let read = Cli::try_parse_from(&line);
            assert!(read.is_ok(), "{line:?}: {:?}", read.err().map(|error| error.to_string()));
            tried += 1;
        }
    }
    assert!(tried >= 20, "{tried}");
}

/// A fingerprint.
const KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";
