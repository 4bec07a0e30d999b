//! What these tests share: a recorder as a child process, a server that does
//! what it is told, a client that sends bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Project, process};

/// `ctc-ready record` as a child process, killed with the value.
pub struct Recording {
    child: Child,
    /// Where the software sends to: `127.0.0.1:PORT`.
    pub host: String,
    stderr: Arc<Mutex<String>>,
    listener: Option<thread::JoinHandle<()>>,
}

impl Recording {
    /// Records in a project what goes to the simulator, or what stands for it,
    /// at `base_url`.
    pub fn start(project: &Project, base_url: &str, more: &[&str]) -> Self {
        let fixed = ["record", "--listen", "127.0.0.1:0", "--environment", "simulator"];
        let args = [&fixed[..], &["--base-url", base_url, "--format", "json"], more].concat();
        let mut child = process(&args)
            .current_dir(project.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let stderr = Arc::new(Mutex::new(String::new()));
        let host = loop {
            let line = next_line(&mut lines, &stderr);
            assert!(!line.is_empty(), "no recording: {}", stderr.lock().unwrap());
            if let Some((_, host)) = line.trim().split_once("base URL is http://") {
                break host.to_owned();
            }
        };
        let heard = Arc::clone(&stderr);
        let listener = thread::spawn(move || while !next_line(&mut lines, &heard).is_empty() {});
        Self { child, host, stderr, listener: Some(listener) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until it says this.
    #[track_caller]
    pub fn until(&self, text: &str) {
        for _ in 0..600 {
            if self.said().contains(text) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("`{text}` was not said: {}", self.said());
    }

    /// Ends it as Ctrl-C does; its exit code, and its JSON.
    #[track_caller]
    pub fn stop(mut self) -> (i32, Value) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code().unwrap();
        self.listener.take().unwrap().join().unwrap();
        assert!(!self.said().contains("panicked"), "{}", self.said());
        (code, serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{}", self.said())))
    }

    /// Ends it without any warning.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn next_line(lines: &mut BufReader<ChildStderr>, into: &Mutex<String>) -> String {
    let mut line = String::new();
    let _ = lines.read_line(&mut line);
    into.lock().unwrap().push_str(&line);
    line
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Request or status line.
    pub line: String,
    /// Header lines, as they are.
    pub headers: Vec<Vec<u8>>,
    /// The body without any chunking.
    pub body: Vec<u8>,
}

impl Raw {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find_map(|line| {
            let line = String::from_utf8_lossy(line).into_owned();
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// Reads one from a connection; none where that ends. `bodiless`: an answer
    /// to HEAD, say.
    pub fn read(stream: &mut impl BufRead, bodiless: bool) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_until(b'\n', &mut head).ok()? == 0 {
                return None;
            }
        }
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
        let line = String::from_utf8(lines.next()?.to_vec()).unwrap();
        let headers = lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
        let mut raw = Self { line, headers, body: Vec::new() };
        if bodiless {
            return Some(raw);
        }
        if let Some(length) = raw.header("content-length") {
            raw.body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut raw.body).ok()?;
        } else if raw.header("transfer-encoding").is_some() {
            loop {
                let mut size = String::new();
                stream.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                stream.read_exact(&mut chunk).ok()?;
                raw.body.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    break;
                }
            }
        }
        Some(raw)
    }
}

/// What a server does with a request: the bytes of its answer; none: the
/// connection ends.
pub type Does = dyn Fn(&Raw) -> Option<Vec<u8>> + Send + Sync;

/// A server that does what it is told.
pub struct Server {
    pub base_url: String,
    heard: Arc<Mutex<Vec<Raw>>>,
}

impl Server {
    pub fn start(does: impl Fn(&Raw) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (all, does): (_, Arc<Does>) = (Arc::clone(&heard), Arc::new(does));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (all, does) = (Arc::clone(&all), Arc::clone(&does));
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream.unwrap());
                    while let Some(raw) = Raw::read(&mut stream, false) {
                        all.lock().unwrap().push(raw.clone());
                        match does(&raw) {
                            Some(answer) => {
                                stream.get_mut().write_all(&answer).unwrap();
                                if answer.windows(19).any(|it| it == b"\nConnection: close\r") {
                                    return;
                                }
                            }
                            None => return,
                        }
                    }
                });
            }
        });
        Self { base_url, heard }
    }

    /// Every request so far.
    pub fn heard(&self) -> Vec<Raw> {
        self.heard.lock().unwrap().clone()
    }
}

/// An answer with a body.
pub fn answer(status: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

pub fn json(status: &str, body: &Value) -> Vec<u8> {
    answer(status, "application/json", body.to_string().as_bytes())
}

/// Sends bytes on a connection of their own; the answer.
#[track_caller]
pub fn send(host: &str, bytes: &[u8]) -> Raw {
    try_send(host, bytes).expect("no answer")
}

/// The same; none where the connection ends before the whole answer.
pub fn try_send(host: &str, bytes: &[u8]) -> Option<Raw> {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(bytes).unwrap();
    Raw::read(&mut BufReader::new(stream), bytes.starts_with(b"HEAD "))
}

/// A request of software with a token.
pub fn request(line: &str, accept: &str, body: Option<(&str, &[u8])>) -> Vec<u8> {
    let mut head = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nAccept: application/vnd.hmrc.2.1+{accept}\r\n\
         Authorization: Bearer {TOKEN}\r\n"
    );
    if let Some((media_type, body)) = body {
        head.push_str(&format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body.map_or(&[][..], |(_, body)| body)].concat()
}

/// The software's own token.
pub const TOKEN: &str = "sw-canary-7f3a9b2c5d8e1f40";

/// The paths of a movement.
pub const DEPARTURES: &str = "/customs/transits/movements/departures";
pub const MOVEMENT: &str = "66a0000011112222";

/// A message's text.
pub fn xml(root: &str, inside: &str) -> String {
    format!(
        "<n:{root} xmlns:n=\"http://ncts.dgtaxud.ec\"><messageIdentification>M</messageIdentification>\
         <TransitOperation>{inside}</TransitOperation></n:{root}>"
    )
}

/// The events of a run, of one kind.
pub fn events(project: &Project, run: &Value, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(project.journal(run)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == kind).collect()
}

/// Files below a folder that hold these bytes.
pub fn holding(folder: &Path, wanted: &str) -> Vec<String> {
    crate::support::tree(folder)
        .into_iter()
        .filter(|(_, bytes)| bytes.windows(wanted.len()).any(|part| part == wanted.as_bytes()))
        .map(|(path, _)| path.display().to_string())
        .collect()
}

/// Has the software in `tests/software` work through a scenario.
pub fn play(project: &Project, scenario: &str, base_url: &str, lrn: &str) -> Child {
    prepare(project, scenario);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/software/trader.py");
    Command::new("python3")
        .args([script, "play", "--base-url", base_url, "--scenario", scenario, "--payloads"])
        .arg(project.file("play"))
        .envs([("TRADER_TOKEN", TOKEN), ("TRADER_LRN", lrn), ("TRADER_POLLS", "5")])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Writes down for it what it is to send.
fn prepare(project: &Project, scenario: &str) {
    let listed = project.json(&["scenario", "list", "--all-programmes"], 0);
    let all = listed["scenarios"].as_array().unwrap();
    let known = all.iter().rev().find(|it| it["id"] == scenario).unwrap();
    let folder = project.file("play").join(scenario);
    fs::create_dir_all(&folder).unwrap();
    let mut steps = Vec::new();
    for step in known["steps"].as_array().unwrap() {
        let expect = step["expect"].as_array().unwrap().iter().map(|it| it["message"].clone());
        let mut told = BTreeMap::from([("expect", Value::Array(expect.collect()))]);
        if let Some(message) = step["send"].as_str() {
            let number = step["step"].to_string();
            let file = format!("{number}-{message}.xml");
            let built = project.call(&["message", "build", scenario, "--step", &number]).code(0);
            fs::write(folder.join(&file), built.stdout).unwrap();
            told.extend([("send", message.into()), ("file", file.into())]);
        }
        steps.push(told);
    }
    let version = if scenario.starts_with("P6") { "3.0" } else { "2.1" };
    let script = serde_json::json!({"version": version, "steps": steps});
    fs::write(folder.join("script.json"), script.to_string()).unwrap();
}

/// Waits for it to end well.
#[track_caller]
pub fn played(child: Child, scenario: &str) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{scenario}: {said}");
}
