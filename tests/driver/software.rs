//! The trader's software, its messages, and a house that uses it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ctc_ready::catalogue::{Catalogue, Programme, RequirementKind, Scenario};
use ctc_ready::ncts::build::Stamp;
use ctc_ready::payload::{Payloads, Sources};
use serde_json::{Value, json};

use crate::reference::skipped;
use crate::support::{Outcome, Project, Simulate, set};

/// The program that plays the trader's software.
pub const TRADER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/software/trader.py");

/// The trader's token; ours must be of the same trader.
pub const TOKEN: &str = "traders-own-token";

/// Whether there is a Python to run it; says so where there is none.
pub fn has_python() -> bool {
    let version = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    let there = version.is_ok_and(|status| status.success());
    if !there {
        skipped("no python3 to play the trader's software");
    }
    there
}

/// Every scenario that some house must run, of both final programmes.
pub fn mandatory(catalogue: &Catalogue) -> Vec<(&Programme, &Scenario)> {
    let mut found: Vec<(&Programme, &Scenario)> = Vec::new();
    for programme in ["ncts5-final", "ncts6"].map(|id| catalogue.programme(id).unwrap()) {
        for requirement in &programme.requirement {
            let cells = &requirement.any_of;
            let of = [&cells.any, &cells.normal, &cells.simplified, &cells.both_a, &cells.both_b];
            for id in of.into_iter().flatten() {
                let scenario = catalogue.scenario(&programme.id, id).unwrap();
                if requirement.kind == RequirementKind::Mandatory
                    && !found.iter().any(|(_, known)| known.id == scenario.id)
                {
                    found.push((programme, scenario));
                }
            }
        }
    }
    assert!(found.len() >= 14, "{}", found.len());
    found
}

/// A house whose software is the trader's program, and whose gate lets this
/// driver alone count.
pub fn house(driver: &str) -> Project {
    let project = Project::answered();
    let text = set(&project.settings(), "command", &format!("[\"python3\", {TRADER:?}, \"step\"]"));
    let text = set(&text, "parallel", "4");
    project.write_settings(&set(&text, "drivers", &format!("[\"{driver}\"]")));
    project
}

/// Calls the binary as the trader whose software it is.
pub fn call(project: &Project, simulator: &Simulate, args: &[&str]) -> Outcome {
    let scale = crate::support::SCALE;
    let at = ["--environment", "simulator", "--base-url", &simulator.base_url];
    let args = [args, &at[..], &["--time-scale", scale, "--format", "json"]].concat();
    let mut command = project.command(&args);
    command.env("CTC_READY_TOKEN", TOKEN).env("TRADER_TOKEN", TOKEN);
    crate::support::outcome(&mut command)
}

/// The trader's program at work.
pub struct Trader {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Trader {
    /// Lets it play a scenario whose messages lie in `folder`.
    pub fn play(folder: &Path, scenario: &str, simulator: &Simulate) -> Self {
        let mut child = Command::new("python3")
            .args([TRADER, "play", "--base-url", &simulator.base_url, "--scenario", scenario])
            .arg("--payloads")
            .arg(folder)
            .env("TRADER_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    /// What it says next of its movements.
    pub fn says(&mut self) -> Value {
        let mut line = String::new();
        assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "it ended without a word");
        serde_json::from_str(&line).unwrap()
    }

    /// Waits until it is done.
    pub fn end(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Trader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes what the trader's software has for a scenario: its messages, and the
/// order in which it sends them.
pub fn lay_out(
    folder: &Path,
    catalogue: &Catalogue,
    (programme, scenario): (&Programme, &Scenario),
) {
    let payloads = Payloads::new(Sources::default(), catalogue).unwrap();
    let folder = folder.join(&scenario.id);
    fs::create_dir_all(&folder).unwrap();
    let steps = scenario.step.iter().zip(1..).map(|(step, number)| {
        let expect: Vec<&str> = step.expect.iter().map(|one| one.message.as_str()).collect();
        let Some(message) = step.send else { return json!({"expect": expect}) };
        let stamp = Stamp {
            message,
            lrn: "LRN".into(),
            mrn: Some("26GB000246AL65TIJ5".into()),
            message_identification: "ID".into(),
            message_sender: None,
            now: "2026-11-20T10:00:00Z".parse().unwrap(),
        };
        let payload = payloads.prepare(programme, scenario, number, &stamp).unwrap();
        let file = format!("{number}-{message}.xml");
        fs::write(folder.join(&file), payload.xml).unwrap();
        json!({"send": message, "file": file, "expect": expect})
    });
    let script = json!({"version": programme.api.version, "steps": steps.collect::<Vec<_>>()});
    fs::write(folder.join("script.json"), script.to_string()).unwrap();
}
