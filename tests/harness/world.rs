//! Time that passes in no time, and a simulator that lives by it.
//!
//! The client's time is Tokio's paused clock: it jumps to the next thing that
//! is due. A file holds it, from which the simulator, in whatever process, and
//! the client's next life read it. Calls block, so no time passes while they
//! are under way.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use chrono::{DateTime, Duration, Utc};
use ctc_ready::clock::Clock;
use ctc_ready::hmrc::transport::{Answer, Call, Carried, Carrier, NoAnswer};
use ctc_ready::simulator::{self, Application, SimulatorOptions};
use serde_json::Value;

/// An instant in a file.
pub struct FileTime(File);

impl FileTime {
    pub fn create(path: &Path) -> Self {
        let time = Self::open(path);
        // A Monday.
        time.set("2026-11-23T09:30:00Z".parse().unwrap());
        time
    }

    pub fn open(path: &Path) -> Self {
        let mut options = OpenOptions::new();
        Self(options.read(true).write(true).create(true).truncate(false).open(path).unwrap())
    }

    fn set(&self, at: DateTime<Utc>) {
        self.0.write_all_at(&at.timestamp_nanos_opt().unwrap().to_le_bytes(), 0).unwrap();
    }

    fn nanos(&self) -> i64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, 0).unwrap();
        i64::from_le_bytes(bytes)
    }
}

/// The simulator's clock.
impl Clock for FileTime {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.nanos())
    }

    fn mono_ns(&self) -> u64 {
        self.nanos().unsigned_abs()
    }
}

/// How long it takes to start the client.
const START: Duration = Duration::milliseconds(200);

/// How often a client may ask the time before it is said to go round in
/// circles: some hundred times what the longest batch needs.
const PATIENCE: usize = 20_000_000;

/// The client's clock. Must be made inside a runtime whose time is paused.
pub struct ClientClock {
    kept: FileTime,
    base: DateTime<Utc>,
    origin: tokio::time::Instant,
    asked: AtomicUsize,
}

impl ClientClock {
    /// Goes on from the time that the last client left.
    pub fn go_on(path: &Path) -> Self {
        let kept = FileTime::open(path);
        let base = kept.now() + START;
        let asked = AtomicUsize::new(0);
        Self { kept, base, origin: tokio::time::Instant::now(), asked }
    }
}

impl Clock for ClientClock {
    fn now(&self) -> DateTime<Utc> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(asked < PATIENCE, "the client goes round in circles");
        let now = self.base + Duration::from_std(self.origin.elapsed()).unwrap();
        self.kept.set(now);
        now
    }

    fn mono_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap()
    }
}

/// A simulator on a thread of its own, ended with the value.
pub struct Server {
    pub base_url: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(options: SimulatorOptions, clock: Arc<dyn Clock>) -> Self {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let any_port = ([127, 0, 0, 1], 0).into();
                let running = simulator::start(options, clock, any_port).await.unwrap();
                ready.send(running.base_url.clone()).unwrap();
                let _ = stopped.await;
                running.stop().await.unwrap();
            });
        });
        let base_url = is_ready.recv().unwrap();
        Self { base_url, stop: Some(stop), thread: Some(thread) }
    }

    /// Its own JSON at this path.
    pub fn get(&self, path: &str) -> Value {
        get(&self.base_url, path)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A simulator's own JSON at this path.
pub fn get(base_url: &str, path: &str) -> Value {
    let answer = exchange(&format!("{base_url}{path}"), "GET", &[], &[]).unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

/// A trader's token of this application.
pub fn sign_in(base_url: &str, application: &Application) -> String {
    let Application { client_id, client_secret, .. } = application;
    let back = "http://localhost/back";
    let wish = format!(
        "response_type=code&client_id={client_id}&redirect_uri={back}\
         &scope=common-transit-convention-traders"
    );
    let answer = exchange(&format!("{base_url}/oauth/authorize?{wish}"), "GET", &[], &[]).unwrap();
    let location = answer.headers.iter().find(|(name, _)| name == "location").unwrap();
    let (_, code) = location.1.split_once("code=").unwrap();
    let code = code.split('&').next().unwrap();
    let form = format!(
        "grant_type=authorization_code&client_id={client_id}&client_secret={client_secret}\
         &redirect_uri={back}&code={code}"
    );
    let kind = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    let url = format!("{base_url}/oauth/token");
    let answer = exchange(&url, "POST", &[kind], form.as_bytes()).unwrap();
    let json: Value = serde_json::from_slice(&answer.body).unwrap();
    json["access_token"].as_str().unwrap().to_owned()
}

/// A simulator that lives by the time in this file, as fast as it can.
pub fn timeless(time: &Path) -> Server {
    let options = SimulatorOptions { requests_per_second: None, ..SimulatorOptions::default() };
    Server::start(options, Arc::new(FileTime::create(time)))
}

/// Takes calls to the simulator and blocks meanwhile. `moment` is told what is
/// about to happen, and what has just happened.
pub struct Blocking<F>(pub F);

impl<F: Fn(Moment<'_>) + Send + Sync> Carrier for Blocking<F> {
    fn carry<'a>(&'a self, call: &'a Call, _: &'a dyn Clock) -> Carried<'a> {
        Box::pin(async move {
            (self.0)(Moment::Leaves);
            let body = call.body.as_deref().unwrap_or_default();
            let answer = exchange(&call.url, call.method.as_str(), &call.headers, body);
            (self.0)(Moment::CameBack(call));
            answer.map_err(|error| NoAnswer {
                failure: "connect",
                detail: error.to_string(),
                may_have_arrived: true,
            })
        })
    }
}

/// A moment of a call.
pub enum Moment<'a> {
    /// It has not left.
    Leaves,
    /// It has had its effect, and nobody has noted so.
    CameBack(&'a Call),
}

/// One request by HTTP/1.0, which ends with the connection.
fn exchange(
    url: &str,
    method: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let mut request = format!("{method} {path} HTTP/1.0\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut bytes = format!("{request}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    let mut stream = TcpStream::connect(host)?;
    stream.write_all(&bytes)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let date = headers.iter().find(|(name, _)| name == "date").unwrap();
    let server_date = Some(DateTime::parse_from_rfc2822(&date.1).unwrap().to_utc());
    let body = answer[end + 4..].to_vec();
    Ok(Answer { status, headers, body, server_date, elapsed_ns: 0 })
}
