//! The real binary, in a project of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use ctc_ready::catalogue::Catalogue;
use serde_json::Value;

use super::Scratch;

pub const BINARY: &str = env!("CARGO_BIN_EXE_ctc-ready");

/// A project with software that does everything.
pub struct House {
    pub dir: Scratch,
}

impl House {
    pub fn new(programmes: &str) -> Self {
        let house = Self { dir: Scratch::make() };
        let flows = "standard-departure,pre-lodged-departure,arrival";
        let output = house
            .command(&["init", "--programme", programmes, "--flows", flows])
            .args(["--procedures", "normal,simplified", "--combination", "A", "--side", "gb"])
            .args(["--software", "Cargoflow", "--software-version", "4.2.0"])
            .args(["--business-name", "Invented Software Ltd"])
            .args(["--business-address", "1 Example Quay, Dover"])
            .args(["--contact-email", "customs@software.example"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        house
    }

    pub fn evidence(&self) -> PathBuf {
        self.dir.path().join("evidence")
    }

    /// A call of the binary in the project, without anything of the caller's
    /// environment that could change its answer.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.env_remove("CTC_READY_TOKEN").env_remove("CTC_READY_LOG").stdin(Stdio::null());
        command.current_dir(self.dir.path()).args(args);
        command
    }

    /// From now on its news comes from this application's notifications.
    pub fn pulls(&self, client_id: &str) {
        let path = self.dir.path().join("ctc-ready.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (key, value) in [("pull", "true"), ("client-id", &format!("{client_id:?}"))] {
            let example = format!("# {key} = ");
            let line = lines.iter_mut().find(|line| line.starts_with(&example));
            *line.unwrap_or_else(|| panic!("`{key}` is no setting")) = format!("{key} = {value}");
        }
        std::fs::write(path, lines.join("\n")).unwrap();
    }

    /// A run that tells its events on standard output.
    pub fn run(&self, base_url: &str, scale: &str, scenarios: &[&str]) -> Command {
        let mut command = self.command(&["run", "--environment", "simulator"]);
        command.args(["--base-url", base_url, "--time-scale", scale, "--events", "-"]);
        command.args(scenarios);
        command
    }
}

/// The programme and id of each of these scenarios, as evidence names them.
pub fn named(programme: &str, scenarios: &[&str]) -> Vec<(String, String)> {
    scenarios.iter().map(|id| (programme.to_owned(), (*id).to_owned())).collect()
}

/// Every scenario of a programme.
pub fn all(programme: &str) -> Vec<(String, String)> {
    let catalogue = Catalogue::built_in().unwrap();
    let ids: Vec<&str> = catalogue.scenarios(programme).iter().map(|one| one.id.as_str()).collect();
    named(programme, &ids)
}

/// A process that is killed, should the test end before it.
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process said and how it ended, for people.
pub fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// `ctc-ready simulate` as a process that can be killed.
pub struct Simulate {
    pub base_url: String,
    child: Guard,
}

impl Simulate {
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(BINARY)
            .args(["simulate", "--format", "json"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let child = Guard(child);
        let mut text = String::new();
        let ready: Value = loop {
            assert_ne!(stdout.read_line(&mut text).unwrap(), 0, "no simulator: {text}");
            if let Ok(json) = serde_json::from_str(&text) {
                break json;
            }
        };
        Self { base_url: ready["base_url"].as_str().unwrap().to_owned(), child }
    }

    pub fn kill(mut self) {
        self.child.0.kill().unwrap();
    }
}
