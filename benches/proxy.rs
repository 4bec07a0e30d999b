//! Prints what `record` costs the software that is recorded: latency that it
//! adds over the same calls without it, at the median and the 99th percentile;
//! memory while messages of 8 MB pass in both directions; and how many requests
//! a second our own client makes where no budget holds it.
//!
//! It measures whole processes, so it is no criterion bench. Bounds that the
//! project promises stand beside the figures; nothing fails here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ctc_ready::clock::SystemClock;
use ctc_ready::hmrc::transport::{Call, Method, Transport};

const BINARY: &str = env!("CARGO_BIN_EXE_ctc-ready");
const DEPARTURES: &str = "/customs/transits/movements/departures";

/// Calls measured of each kind: those that only ask, and those that open a run
/// each.
const ASKED: usize = 2_000;
const SENT: usize = 200;

/// Size of a large message, in bytes.
const LARGE: usize = 8 << 20;

fn main() {
    let server = serve();
    let folder = std::env::temp_dir().join(format!("ctc-ready-proxy-{}", std::process::id()));
    let mut recorder = Recorder::start(&folder, &format!("http://{server}"));
    let idle = memory(recorder.child.id(), "VmRSS:");

    let movement = open_movement(&recorder.host);
    let plain = get("/anything");
    let message = get(&format!("{DEPARTURES}/{movement}/messages/{movement}/body"));
    for (what, bytes) in [("passed on alone", &plain), ("a message fetched, recorded", &message)] {
        let ask = |host: &str| times(host, ASKED, |_| bytes.clone());
        compare(what, ask(&server), ask(&recorder.host), "promised < 2 ms at the median");
    }
    let declare = |nth: usize| post(&declaration(&format!("BENCH{nth}"), 2_000));
    let direct = times(&server, SENT, declare);
    let through = times(&recorder.host, SENT, |nth| declare(SENT + nth));
    compare(
        "a declaration sent, on disk before it leaves",
        direct,
        through,
        "a run is opened, too",
    );

    let before = memory(recorder.child.id(), "VmRSS:");
    let large = post(&declaration("LARGE", LARGE));
    let back = get(&format!("{DEPARTURES}/{movement}/messages/ffffffffffffffff/body"));
    times(&recorder.host, 8, |nth| if nth % 2 == 0 { large.clone() } else { back.clone() });
    let most = memory(recorder.child.id(), "VmHWM:");
    print(&format!(
        "memory: {} idle, {} before messages of 8 MB, {} at most: {} more than idle; promised < 64 MB",
        mb(idle),
        mb(before),
        mb(most),
        mb(most.saturating_sub(idle))
    ));
    recorder.end();
    let _ = std::fs::remove_dir_all(&folder);
    client(&server);
}

/// Our own client without its budget.
fn client(server: &str) {
    const CALLS: u64 = 5_000;
    let call = Call {
        method: Method::Get,
        url: format!("http://{server}/anything"),
        headers: vec![("accept".into(), "application/vnd.hmrc.2.1+json".into())],
        body: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    let base = call.url.parse().unwrap_or_else(|error| panic!("{error}"));
    let transport = Transport::new("bench/1", &base).unwrap_or_else(|error| panic!("{error}"));
    let clock = SystemClock::new();
    for at_once in [1_u64, 8] {
        let begin = Instant::now();
        runtime.block_on(async {
            let one = || async {
                for _ in 0..CALLS / at_once {
                    assert!(transport.send(&call, &clock).await.is_ok());
                }
            };
            match at_once {
                1 => one().await,
                _ => drop(tokio::join!(one(), one(), one(), one(), one(), one(), one(), one())),
            }
        });
        let rate = CALLS as f64 / begin.elapsed().as_secs_f64();
        print(&format!(
            "our client without a budget, {at_once} at once: {rate:.0} requests a second"
        ));
    }
}

fn compare(what: &str, mut direct: Vec<Duration>, mut through: Vec<Duration>, promised: &str) {
    direct.sort();
    through.sort();
    let at = |all: &[Duration], share: f64| all[((all.len() - 1) as f64 * share) as usize];
    let added = |share| at(&through, share).saturating_sub(at(&direct, share));
    print(&format!(
        "{what}: adds {:.2?} at the median, {:.2?} at the 99th percentile (direct {:.2?}, {:.2?}); {promised}",
        added(0.5),
        added(0.99),
        at(&direct, 0.5),
        at(&direct, 0.99)
    ));
}

/// How long each of `count` requests takes, one after the other on one
/// connection; the first few do not count.
fn times(host: &str, count: usize, request: impl Fn(usize) -> Vec<u8>) -> Vec<Duration> {
    let mut stream = BufReader::new(connect(host));
    let warm_up = count / 10;
    let mut times = Vec::new();
    for nth in 0..warm_up + count {
        let request = request(nth);
        let begin = Instant::now();
        must(stream.get_mut().write_all(&request));
        let (head, _) = read(&mut stream).unwrap_or_else(|| panic!("no answer"));
        assert!(head.starts_with("HTTP/1.1 20"), "{head}");
        times.push(begin.elapsed());
    }
    times.split_off(warm_up)
}

fn open_movement(host: &str) -> String {
    let mut stream = BufReader::new(connect(host));
    must(stream.get_mut().write_all(&post(&declaration("FIRST", 2_000))));
    let (_, body) = read(&mut stream).unwrap_or_else(|| panic!("no answer"));
    let text = String::from_utf8_lossy(&body).into_owned();
    let (_, id) = text.split_once("departureId\":\"").unwrap_or_else(|| panic!("{text}"));
    id.chars().take(16).collect()
}

fn declaration(lrn: &str, size: usize) -> String {
    let filler = "x".repeat(size.saturating_sub(300));
    format!(
        "<n:CC015C xmlns:n=\"http://ncts.dgtaxud.ec\"><TransitOperation><LRN>{lrn}</LRN>\
         </TransitOperation><text>{filler}</text></n:CC015C>"
    )
}

fn post(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {DEPARTURES} HTTP/1.1\r\nHost: x\r\nAccept: application/vnd.hmrc.2.1+json\r\n\
         Authorization: Bearer benchmark-token-1\r\nContent-Type: application/xml\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn get(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: application/vnd.hmrc.2.1+xml\r\n\
         Authorization: Bearer benchmark-token-1\r\n\r\n"
    )
    .into_bytes()
}

/// The environment: it answers at once.
fn serve() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0x66a0_0000_0000_0000);
    let listener = must(TcpListener::bind("127.0.0.1:0"));
    let host = must(listener.local_addr()).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.set_nodelay(true);
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while let Some((head, _)) = read(&mut stream) {
                    let (status, media, body) = match head {
                        _ if head.starts_with("POST ") => {
                            let id = NEXT.fetch_add(1, Ordering::Relaxed);
                            let told = format!(
                                "{{\"departureId\":\"{id:016x}\",\"messageId\":\"{id:016x}\"}}"
                            );
                            ("202 Accepted", "application/json", told.into_bytes())
                        }
                        _ if head.contains("ffffffffffffffff") => {
                            let large = declaration("BACK", LARGE).replace("CC015C", "CC928C");
                            ("200 OK", "application/xml", large.into_bytes())
                        }
                        _ => {
                            let small = declaration("BACK", 400).replace("CC015C", "CC928C");
                            ("200 OK", "application/xml", small.into_bytes())
                        }
                    };
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\r\n"
                    );
                    let whole = [head.as_bytes(), &body].concat();
                    if stream.get_mut().write_all(&whole).is_err() {
                        return;
                    }
                }
            });
        }
    });
    host
}

/// Reads a head and its body; none where the connection ends.
fn read(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn connect(host: &str) -> TcpStream {
    let stream = must(TcpStream::connect(host));
    let _ = stream.set_nodelay(true);
    stream
}

struct Recorder {
    child: Child,
    host: String,
}

impl Recorder {
    fn start(folder: &PathBuf, base_url: &str) -> Self {
        make_project(folder);
        let args = ["record", "--listen", "127.0.0.1:0", "--environment", "simulator"];
        let mut child = must(
            Command::new(BINARY)
                .args(args)
                .args(["--base-url", base_url, "--project"])
                .arg(folder)
                .env("CTC_READY_KEYS", folder.join("no-keys"))
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn(),
        );
        let Some(stderr) = child.stderr.take() else { panic!("it says nothing") };
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let host =
            lines.find_map(|line| Some(line.split_once("base URL is http://")?.1.to_owned()));
        // What it goes on to say must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, host: host.unwrap_or_else(|| panic!("it does not listen")) }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn make_project(folder: &Path) {
    let made = std::fs::create_dir_all(folder).is_ok();
    let status = Command::new(BINARY)
        .args(["init", "--programme", "ncts5-final", "--flows", "standard-departure"])
        .args(["--procedures", "normal", "--software", "Bench", "--software-version", "1"])
        .args(["--business-name", "Invented Software Ltd"])
        .args(["--business-address", "1 Example Quay, Dover"])
        .args(["--contact-email", "customs@software.example", "--project"])
        .arg(folder)
        .stdout(Stdio::null())
        .status();
    assert!(made && status.is_ok_and(|status| status.success()), "`init` failed");
}

/// What the kernel says of a process's memory, in KiB (Linux); else 0.
fn memory(process: u32, what: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(what));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
}

fn mb(kib: u64) -> String {
    format!("{:.1} MB", kib as f64 / 1_000.0 * 1.024)
}

fn must<T>(result: std::io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
