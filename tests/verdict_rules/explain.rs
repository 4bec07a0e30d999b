//! Every rule has an explanation, and what it says to do can be done.

use std::collections::BTreeMap;

use clap::CommandFactory;
use ctc_ready::catalogue::{Combination, Flow, Procedure, Side};
use ctc_ready::cli::args::Cli;
use ctc_ready::document::check::rules as check;
use ctc_ready::project::write::{InitAnswers, render};
use ctc_ready::project::{Application, Business, Environment};
use ctc_ready::verdict::explain::{Explanation, explain, explanations};
use ctc_ready::verdict::rules::{RULES, nearest, rule};

#[test]
fn every_rule_has_all_parts_and_none_is_unknown() {
    for one in RULES {
        let it = explain(one).unwrap_or_else(|| panic!("nothing explains `{}`", one.name));
        let protects: Vec<&String> = it.protects.iter().collect();
        let texts = [&it.means, &it.why].into_iter().chain(&it.mend).chain(&it.source);
        for text in texts.chain(protects) {
            assert!(text.trim() == text && !text.is_empty(), "{}: {text:?}", one.name);
            assert!(!text.contains(char::is_control), "{}: {text:?}", one.name);
        }
        assert!(!it.mend.is_empty(), "{}", one.name);
        // HMRC says so, or it is ours: the gate and the explanation agree.
        assert_eq!(it.source.is_empty(), it.protects.is_some(), "{}", one.name);
        assert_eq!(it.source.is_empty(), one.source.is_none(), "{}", one.name);
        for source in &it.source {
            assert!(source.contains(", ") || source.contains(": "), "no section: {source}");
        }
    }
    for (name, it) in explanations() {
        assert!(rule(name).is_some() || check::rule(name).is_some(), "`{name}` is no rule");
        // What is found in a filled form is a care of ours.
        assert!(rule(name).is_some() || it.protects.is_some() && it.source.is_empty(), "{name}");
        assert!(!it.mend.is_empty() && !it.means.is_empty() && !it.why.is_empty(), "{name}");
    }
}

/// What stands between backticks.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether it is a call of ctc-ready that the command line takes.
fn is_command(text: &str) -> bool {
    let mut words = text.split(' ');
    if words.next() != Some("ctc-ready") {
        return false;
    }
    let mut command = Cli::command();
    command.build();
    for word in words {
        if let Some(flag) = word.strip_prefix("--") {
            assert!(
                command.get_arguments().any(|known| known.get_long() == Some(flag)),
                "`{text}`: no --{flag}"
            );
        } else if let Some(below) = command.find_subcommand(word) {
            command = below.clone();
        } else {
            // A value, or what stands for one.
            let first = word.chars().next().unwrap();
            let value = first.is_uppercase() || word == "trader-test" || rule(word).is_some();
            assert!(value, "`{text}`: no command `{word}`");
        }
    }
    true
}

/// Whether it is a setting, or a section of them, that `init` writes.
fn is_setting(text: &str) -> bool {
    let file = settings();
    let line =
        |wanted: &str| file.lines().any(|line| line.trim_start_matches("# ").starts_with(wanted));
    let name = text.split(" = ").next().unwrap();
    match name.split_once('.') {
        _ if name.starts_with('[') => line(name),
        Some((section, key)) => {
            let section = format!("[{section}]");
            let mut inside = file.lines().skip_while(|line| **line != section).skip(1);
            inside
                .by_ref()
                .take_while(|line| !line.starts_with('['))
                .any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} =")))
        }
        None => false,
    }
}

fn settings() -> String {
    render(&InitAnswers {
        programmes: vec!["ncts5-final".to_owned()],
        flows: vec![Flow::Arrival],
        procedures: vec![Procedure::Normal, Procedure::Simplified],
        combination: Some(Combination::A),
        side: Side::Gb,
        software_name: "D".to_owned(),
        software_version: "1".to_owned(),
        business: Business::default(),
        sandbox_application: Application::default(),
        production_application: Application::default(),
        message_sender: None,
        environment: Environment::TraderTest,
        answers: BTreeMap::new(),
        statements: BTreeMap::new(),
        not_applicable: BTreeMap::new(),
    })
}

#[test]
fn what_is_to_be_done_names_commands_and_settings_that_exist() {
    // Tables that may stand more than once, of which `init` writes no key.
    let repeated = ["[[credentials]]", "[[documentation-change]]", "[[software.other-versions]]"];
    for (rule, Explanation { means, why, mend, .. }) in explanations() {
        let mut does = false;
        for text in mend {
            for name in named(text) {
                does |= is_command(name) || is_setting(name) || repeated.contains(&name);
                if name.starts_with("ctc-ready")
                    || name.starts_with("gate.")
                    || name.starts_with('[')
                {
                    let known = is_command(name) || is_setting(name) || repeated.contains(&name);
                    assert!(known, "{rule}: `{name}` is neither a command nor a setting");
                }
            }
        }
        assert!(does, "{rule}: names no command and no setting");
        for name in [means, why].into_iter().flat_map(|text| named(text)) {
            if name.starts_with("gate.") {
                assert!(is_setting(name), "{rule}: `{name}`");
            }
        }
    }
    assert!(!is_setting("gate.colour") && !is_setting("[colours]") && !is_setting("gate"));
}

#[test]
fn the_nearest_names_come_first() {
    assert_eq!(nearest("evidence-stail").first(), Some(&"evidence-stale"));
    assert_eq!(nearest("journalbroken").first(), Some(&"journal-broken"));
    assert_eq!(nearest("other_build"), ["other-build"]);
    for hopeless in ["", "x", "frobnicate the whole thing", &"a".repeat(1_000_000)] {
        assert!(nearest(hopeless).is_empty(), "{:?}", nearest(hopeless));
    }
    for rule in RULES {
        assert_eq!(nearest(rule.name).first(), Some(&rule.name));
    }
}
