//! The house rules that a compiler does not check: who may call whom, who may
//! ask the time, write files, or read the environment. `docs/architecture.md`
//! draws the same picture for people.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor. A module may use those of lower floors, and itself.
const FLOORS: &[(u32, &[&str])] = &[
    (1, &["clock", "files", "digest", "eml", "foreign", "calendar", "ncts"]),
    (2, &["catalogue"]),
    (3, &["project"]),
    (4, &["evidence", "hmrc", "payload"]),
    (5, &["engine", "simulator"]),
    (6, &["recorder", "verdict"]),
    (7, &["document", "report"]),
    (8, &["cli"]),
];

/// The simulator judges what the others send, so it shares nothing with them
/// above the vocabulary.
const SIMULATOR_MAY_USE: &[&str] =
    &["clock", "files", "digest", "calendar", "ncts", "catalogue", "project"];

fn floor(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(_, modules)| modules.contains(&module)).map(|(floor, _)| *floor)
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A file's code without comments and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The top module a file belongs to, and its path for messages.
fn each(mut look: impl FnMut(&str, &str, &str)) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&src) {
        let inside = path.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        let shown = inside.to_str().unwrap();
        if matches!(module, "lib" | "main") || shown.contains("tests") {
            continue;
        }
        look(module, shown, &code(&path));
    }
}

/// The modules that `crate::…` paths in `code` name.
fn named(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let group = rest.strip_prefix('{').map(|rest| rest.split('}').next().unwrap());
        let parts: Vec<&str> = match group {
            Some(group) => group.split(',').collect(),
            None => vec![rest],
        };
        for part in parts {
            let name: String = part
                .trim_start()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            names.push(name);
        }
    }
    names
}

#[test]
fn a_module_uses_only_the_floors_below_its_own() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    each(|module, shown, code| {
        let own = floor(module).unwrap_or_else(|| panic!("`{module}` has no floor"));
        for used in named(code) {
            let Some(below) = floor(&used) else { continue };
            seen += 1;
            let allowed = used == module || below < own;
            let judge = module != "simulator"
                || used == module
                || SIMULATOR_MAY_USE.contains(&used.as_str());
            if !(allowed && judge) {
                wrong.push(format!("src/{shown} uses `{used}`"));
            }
        }
    });
    assert!(seen > 200, "the test looks at nothing: {seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Words that only some modules may use, and why.
const RESERVED: &[(&[&str], &[&str])] = &[
    // Time comes in through a `Clock`.
    (&["clock.rs"], &["Utc::now(", "Local::now(", "SystemTime::now(", "Instant::now(", "now_v7("]),
    // One place knows what a crash can lose.
    (
        &["files.rs"],
        &[
            "File::create",
            "OpenOptions",
            "fs::write(",
            "fs::rename(",
            "fs::remove",
            "fs::create_dir",
        ],
    ),
    // The environment and the terminal are read at the edge.
    (&["cli/context.rs", "cli/mod.rs"], &["std::env::var", "env::args", "env::current_dir("]),
];

#[test]
fn reserved_words_stay_where_they_belong() {
    let mut wrong = Vec::new();
    each(|_, shown, code| {
        for (allowed, words) in RESERVED {
            for word in *words {
                if code.contains(word) && !allowed.contains(&shown) {
                    wrong.push(format!("src/{shown} has `{word}`"));
                }
            }
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_folder_says_what_lives_there_and_who_may_call_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let page = fs::read_to_string(src.parent().unwrap().join("docs/architecture.md")).unwrap();
    for (_, modules) in FLOORS {
        for module in *modules {
            assert!(page.contains(&format!("`{module}`")), "docs/architecture.md lacks `{module}`");
            let file = src.join(module).join("mod.rs");
            if file.exists() {
                let text = fs::read_to_string(&file).unwrap();
                assert!(text.starts_with("//! "), "{}", file.display());
                assert!(
                    text.contains("may call it") || *module == "cli",
                    "{} does not say who may call it",
                    file.display()
                );
            }
        }
    }
}
