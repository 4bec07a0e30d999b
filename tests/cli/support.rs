//! What these tests share: calling the binary, projects, a simulator as a
//! child process, a small HTTP client.

use crate::reference;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_ctc-ready");

/// A folder that is not there: no test touches the keys of who runs it.
pub const NO_KEYS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/no-keys");

/// Simulated time: 45 minutes in nine seconds. Faster, and a busy
/// machine would miss the deadline of a presentation notification.
pub const SCALE: &str = "300";

/// The application that every simulator knows, and its secret.
pub const CLIENT: &str = "simulator-client";
pub const CLIENT_SECRET: &str = "simulator-secret";

/// What `demo` and the full `init` require, in that order.
pub const REQUIRED: [&str; 4] = ["DNGB1", "PSGB1", "ASGB1", "P6-DSGB-01"];

/// What the binary reads of the environment.
const OURS: [&str; 3] = ["CTC_READY_TOKEN", "CTC_READY_CLIENT_SECRET", "CTC_READY_LOG"];

/// How a call ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// The one JSON document on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document: {error}\n{self:#?}"))
    }

    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, expected, "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    /// Standard error holds each of these.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not said: {self:#?}");
        }
        self
    }
}

/// A call of the binary, without anything of the caller's environment that
/// could change its answer.
pub fn command(args: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(BINARY);
    for name in OURS.iter().chain(&["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"]) {
        command.env_remove(name);
    }
    command.env("CTC_READY_KEYS", NO_KEYS);
    command.env("COLUMNS", "80").timeout(Duration::from_secs(60)).args(args);
    command
}

/// The same to be left running.
pub fn process(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    for name in OURS {
        command.env_remove(name);
    }
    command.env("CTC_READY_KEYS", NO_KEYS).args(args).stdin(Stdio::null());
    command
}

pub fn outcome(command: &mut assert_cmd::Command) -> Outcome {
    let output = command.output().unwrap();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub fn call(args: &[&str]) -> Outcome {
    outcome(&mut command(args))
}

/// Everything `init` can be told, but for the project's folder.
pub const INIT: &[&str] = &[
    "init",
    "--programme",
    "ncts5-final,ncts6",
    "--flows",
    "standard-departure,pre-lodged-departure,arrival",
    "--procedures",
    "normal,simplified",
    "--combination",
    "A",
    "--side",
    "gb",
    "--software",
    "Cargoflow",
    "--software-version",
    "4.2.0",
    "--business-name",
    "Invented Software Ltd",
    "--business-address",
    "1 Example Quay, Dover",
    "--sandbox-app-name",
    "Cargoflow sandbox",
    "--sandbox-app-id",
    "00000000-0000-4000-8000-000000000001",
    "--production-app-name",
    "Cargoflow live",
    "--production-app-id",
    "00000000-0000-4000-8000-000000000002",
    "--contact-email",
    "customs@software.example",
];

/// A project in a folder of its own, gone with the value.
pub struct Project {
    pub dir: TempDir,
}

impl Project {
    /// As `init` makes it.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = Self { dir };
        project.call(INIT).code(0);
        project
    }

    /// The same with every question of the forms answered.
    pub fn answered() -> Self {
        let project = Self::new();
        let mut text = project.settings();
        for (question, answer) in [
            ("saas", "true"),
            ("on-premise", "false"),
            ("rate-limit-enough", "true"),
            ("more-than-500", "false"),
            ("more-than-5000", "false"),
            ("aligned", "true"),
            ("tested-in-house", "true"),
            ("outbound-movement", "true"),
            ("ready-for-go-live", "true"),
        ] {
            text = set(&text, question, answer);
        }
        project.write_settings(&text);
        project
    }

    /// A project whose four required scenarios have passed in the simulator.
    pub fn rehearsed() -> Self {
        static MADE: OnceLock<Project> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let project = Self::answered();
            project.call(&["run", "--environment", "simulator", "--time-scale", SCALE]).code(0);
            project
        });
        let dir = tempfile::tempdir().unwrap();
        copy(made.path(), dir.path());
        Self { dir }
    }

    /// A project with a run whose first message the simulator refused.
    pub fn refused() -> Self {
        let project = Self::new();
        let built = project.call(&["message", "build", "DNGB1"]).code(0).stdout;
        let (before, after) = built.split_once("<identificationNumber>").unwrap();
        let (_, after) = after.split_once('<').unwrap();
        fs::create_dir_all(project.file("own/DNGB1")).unwrap();
        let file = project.file("own/DNGB1/1-IE015.xml");
        fs::write(file, format!("{before}<identificationNumber><{after}")).unwrap();
        project.write_settings(&set(&project.settings(), "folder", "\"own\""));
        project.call(&["run", "DNGB1", "--environment", "simulator"]).code(1);
        project
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn evidence(&self) -> PathBuf {
        self.file("evidence")
    }

    pub fn settings(&self) -> String {
        fs::read_to_string(self.file("ctc-ready.toml")).unwrap()
    }

    pub fn write_settings(&self, text: &str) {
        fs::write(self.file("ctc-ready.toml"), text).unwrap();
    }

    /// Calls the binary in the project's folder.
    pub fn command(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = command(args);
        command.current_dir(self.path());
        command
    }

    pub fn call(&self, args: &[&str]) -> Outcome {
        outcome(&mut self.command(args))
    }

    /// Calls it for JSON.
    pub fn json(&self, args: &[&str], code: i32) -> Value {
        self.call(&[args, &["--format", "json"]].concat()).code(code).json()
    }

    /// A process in the project's folder, with everything it says to hear.
    pub fn spawn(&self, args: &[&str]) -> Child {
        process(args)
            .current_dir(self.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// How many runs the evidence holds.
    pub fn runs(&self) -> usize {
        fs::read_dir(self.evidence().join("runs")).map_or(0, Iterator::count)
    }

    /// The journal of a run.
    pub fn journal(&self, run: &Value) -> PathBuf {
        self.evidence().join("runs").join(run.as_str().unwrap()).join("journal.jsonl")
    }
}

/// `text` with the commented example of a setting put in force.
#[track_caller]
pub fn set(text: &str, key: &str, value: &str) -> String {
    let mut found = false;
    let lines = text.lines().map(|line| match line.strip_prefix(&format!("# {key} = ")) {
        Some(_) if !found => {
            found = true;
            format!("{key} = {value}\n")
        }
        _ => format!("{line}\n"),
    });
    let text = lines.collect();
    assert!(found, "`{key}` is no setting");
    text
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Every file below a folder with its bytes, in order.
pub fn tree(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(tree(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

/// The same without the lock, which is no evidence.
pub fn evidence_of(project: &Project) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = tree(&project.evidence());
    found.retain(|(path, _)| path.file_name().is_some_and(|name| name != "lock"));
    found
}

/// Changes one byte in the middle of a file.
pub fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// `ctc-ready simulate` as a child process, ended with the value.
pub struct Simulate {
    child: Child,
    pub base_url: String,
    // Kept open: nobody should die of a closed pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Simulate {
    pub fn start(scale: &str) -> Self {
        Self::with(scale, &[])
    }

    /// With more arguments.
    pub fn with(scale: &str, more: &[&str]) -> Self {
        let fixed = ["simulate", "--port", "0", "--format", "json", "--time-scale", scale];
        let mut child = process(&[&fixed[..], more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        let ready: Value = loop {
            assert_ne!(stdout.read_line(&mut text).unwrap(), 0, "no simulator: {text}");
            if let Ok(json) = serde_json::from_str(&text) {
                break json;
            }
        };
        let base_url = ready["base_url"].as_str().unwrap().to_owned();
        Self { child, base_url, _stdout: stdout }
    }

    /// Its own JSON at this path.
    pub fn get(&self, path: &str) -> Value {
        let host = self.base_url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    /// A trader's token of the application that is there from the start.
    pub fn sign_in(&self) -> String {
        self.sign_in_for("common-transit-convention-traders")
    }

    /// The same for another scope.
    pub fn sign_in_for(&self, scope: &str) -> String {
        let back = "http://localhost/back";
        let wish = format!(
            "response_type=code&client_id={CLIENT}&redirect_uri={back}\
             &scope={scope}"
        );
        let redirect = self.raw(&format!("GET /oauth/authorize?{wish} HTTP/1.0\r\n\r\n"));
        let (_, code) = redirect.split_once("code=").unwrap();
        let code: String = code.chars().take_while(|c| !c.is_whitespace() && *c != '&').collect();
        let form = format!(
            "grant_type=authorization_code&client_id={CLIENT}&client_secret={CLIENT_SECRET}\
             &redirect_uri={back}&code={code}"
        );
        self.token(&form)
    }

    /// A token of that application's own.
    pub fn own_token(&self, scope: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={CLIENT}&client_secret={CLIENT_SECRET}\
             &scope={scope}"
        );
        self.token(&form)
    }

    /// The access token that a POST of this form brings.
    fn token(&self, form: &str) -> String {
        let answer = self.raw(&format!(
            "POST /oauth/token HTTP/1.0\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{form}",
            form.len()
        ));
        let (_, json) = answer.split_once("\r\n\r\n").unwrap();
        let json: Value = serde_json::from_str(json).unwrap();
        json["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// The answer to a request, as it comes.
    fn raw(&self, request: &str) -> String {
        let mut stream =
            TcpStream::connect(self.base_url.strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// How many messages were posted to it, taken or refused.
    pub fn submissions(&self) -> usize {
        self.get("/simulator/log")["submissions"].as_array().unwrap().len()
    }
}

impl Drop for Simulate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine at which nobody listens.
pub fn nobody_listens() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A child process that is killed, should the test end before it.
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// HMRC's form of this name, or none after saying so loudly.
pub fn form(name: &str) -> Option<PathBuf> {
    let path = reference::folder()?.join("forms").join(name);
    assert!(path.is_file(), "{} is missing", path.display());
    Some(path)
}

/// The text of a Word document, without its markup.
pub fn text_of_docx(path: &Path) -> String {
    let mut zip = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut xml = String::new();
    zip.by_name("word/document.xml").unwrap().read_to_string(&mut xml).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    document.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect()
}
