//! What `simulate` refuses to start with.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{call, process};

#[test]
fn files_and_folders_that_cannot_be_used_are_told_in_full() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (faults, other, nowhere) = (path("faults.toml"), path("other"), path("nowhere"));
    fs::write(&faults, "speed = 1\n[[fault]]\ndo = \"reset\"\nnth = 0\n").unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(dir.path().join("other/notes.txt"), "mine").unwrap();
    let simulate = |args: &[&str]| call(&[&["simulate", "--port", "0"], args].concat()).code(3);
    simulate(&["--faults", &faults]).says(&[
        "2 problems",
        "faults.toml:1:1: unknown field `speed`",
        "faults.toml:4:7: `nth` must lie between 1",
        "docs/simulator.md",
    ]);
    simulate(&["--faults", &nowhere]).says(&["cannot read", "nowhere"]);
    simulate(&["--faults", &other]).says(&["not a regular file"]);
    fs::write(&faults, [0xff, 0xfe]).unwrap();
    simulate(&["--faults", &faults]).says(&["faults.toml", "not UTF-8"]);
    simulate(&["--state", &other]).says(&["other", "no state of a simulator", "a new folder"]);
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
    simulate(&["--state", &faults]).says(&["faults.toml"]);
    simulate(&["--xsd", &nowhere]).says(&["nowhere"]);
    simulate(&["--xsd", &other]).says(&["does not say which version", "`2.0`, `2.1`, `3.0`"]);
    fs::create_dir(dir.path().join("3.0")).unwrap();
    fs::write(dir.path().join("3.0/cc015c.xsd"), "<no/>").unwrap();
    simulate(&["--xsd", dir.path().to_str().unwrap()]).says(&["cc015c.xsd", "3.0"]);
}

#[test]
fn a_second_simulator_is_told_who_has_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    let args = ["simulate", "--port", "0", "--opening-hours", "--state", folder.to_str().unwrap()];
    let mut first = process(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    let said: Vec<String> = lines.by_ref().map(Result::unwrap).take(7).collect();
    let said = said.join("\n");
    assert!(said.contains("kept in") && said.contains("opening hours"), "{said}");
    let holder = format!("in use by process {}", first.id());
    call(&args).code(4).says(&[&holder, "another folder with `--state`"]);
    first.kill().unwrap();
    first.wait().unwrap();
}
