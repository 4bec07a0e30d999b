//! What keeping and checking evidence costs, beside what it cannot do without.
//!
//! - `verify` of a store with 1,000 runs and 1 GB of bodies, beside
//!   `openssl dgst -sha256` over the same files on the same processors;
//!   promised: at most 0.8 times. Openssl uses one processor; what two of them
//!   take, each with half of the files, is told too.
//! - `status` over these 1,000 sealed runs; promised: under 300 ms.
//! - `gate` on a project with 200 sealed runs, everything verified; promised:
//!   under 100 ms.
//! - an append with sync, beside a plain write with sync; promised: at most 1.2
//!   times.
//!
//! It measures whole processes, so it is no criterion bench: what is compared
//! takes turns, and each figure is the least of several. A second figure is the
//! time on processors, user and system, which others on the machine disturb
//! less (Linux alone tells it, to 10 ms). Nothing fails here.
//!
//! `cargo bench --bench evidence -- quick` has a tenth of the runs and bodies,
//! for which nothing is promised. `CTC_READY_BENCH_DIR` names a folder in which
//! the stores are kept for the next time, since making them takes longest.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ctc_ready::clock::{Clock, ManualClock};
use ctc_ready::evidence::*;
use ctc_ready::ncts::{MessageType, MovementKind};
use ctc_ready::project::Environment;

const BINARY: &str = env!("CARGO_BIN_EXE_ctc-ready");
/// As an ordinary run of a departure has.
const EXCHANGES: u32 = 13;
/// An ordinary body.
const BODY: u64 = 6_000;
/// Each figure is the least of so many.
const ROUNDS: usize = 7;

fn main() {
    let quick = std::env::args().any(|arg| arg == "quick");
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("CTC_READY_BENCH_DIR").map(PathBuf::from);
    let folder = kept.as_deref().unwrap_or(temporary.path());
    appends(temporary.path());

    let (runs, megabytes) = if quick { (100, 100) } else { (1_000, 1_000) };
    let large = Project::made(folder, runs, megabytes * 1_000_000);
    let files = files(&large.folder.join("evidence"));
    let list = temporary.path().join("list");
    fs::write(&list, files.iter().map(|file| format!("{}\0", file.display())).collect::<String>())
        .unwrap();
    let [ours, one, two] =
        race([&mut || large.run("verify"), &mut || openssl(&list, 1), &mut || openssl(&list, 2)]);
    let size: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    println(&format!("verify: {runs} runs, {} files, {} MB", files.len(), size / 1_000_000));
    println(&format!("  ctc-ready verify                 {ours}"));
    println(&format!("  openssl dgst -sha256             {one}"));
    println(&format!("  the same, two processes          {two}"));
    println(&format!(
        "  {:.2} times openssl, promised at most 0.8; {:.2} times two of them; {} times in time on processors",
        ours.wall.as_secs_f64() / one.wall.as_secs_f64(),
        ours.wall.as_secs_f64() / two.wall.as_secs_f64(),
        ours.cpu.zip(one.cpu).map_or_else(
            || "unknown".into(),
            |(ours, theirs)| format!("{:.2}", ours.as_secs_f64() / theirs.as_secs_f64())
        ),
    ));
    let [status] = race([&mut || large.run("status")]);
    println(&format!("status: {runs} sealed runs\n  ctc-ready status                 {status}"));
    println("  promised under 300 ms for 1,000 sealed runs");

    let runs = if quick { 20 } else { 200 };
    let usual = Project::made(folder, runs, runs * u64::from(EXCHANGES) * BODY);
    let [gate] = race([&mut || usual.run("gate")]);
    println(&format!(
        "gate: {runs} sealed runs, {EXCHANGES} bodies of {BODY} bytes each\n  ctc-ready gate                   {gate}"
    ));
    println("  promised under 100 ms for 200 runs");
}

/// A project with evidence, sealed.
struct Project {
    folder: PathBuf,
    keys: PathBuf,
}

impl Project {
    /// The project of this size in `folder`, made where it is not there yet.
    fn made(folder: &Path, runs: u64, bytes: u64) -> Self {
        let folder = folder.join(format!("{runs}-runs-{bytes}-bytes"));
        // Whoever has a project must not have its key.
        let project = Self { folder: folder.join("project"), keys: folder.join("keys") };
        let done = folder.join("done");
        if !done.exists() {
            fs::create_dir_all(&project.folder).unwrap();
            let begin = Instant::now();
            project.run(
                "init --programme ncts5-final --flows \
                 standard-departure,pre-lodged-departure,arrival --procedures simplified \
                 --software Bench --software-version 1",
            );
            fill(&project.folder.join("evidence"), runs, bytes);
            project.run("keys init");
            project.run("seal");
            File::create(&done).unwrap();
            println(&format!("made {runs} runs with {bytes} bytes in {:.1?}", begin.elapsed()));
        }
        project
    }

    /// Runs a command. That it found something wanting is no failure: `gate`
    /// has opinions on evidence like this.
    fn run(&self, command: &str) {
        let output = Command::new(BINARY)
            .args(command.split_whitespace())
            .arg("--project")
            .arg(&self.folder)
            .env("CTC_READY_KEYS", &self.keys)
            .stdout(Stdio::null())
            .output()
            .unwrap();
        let good = output.status.code().is_some_and(|code| code < 2);
        assert!(good, "`{command}` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Has so many processes of openssl share the listed files.
fn openssl(list: &Path, processes: u32) {
    let status = Command::new("xargs")
        .args(["-0", "-n", "1000", "-P", &processes.to_string(), "openssl", "dgst", "-sha256"])
        .stdin(File::open(list).unwrap())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// What a process and those it waited for took, at the least.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Option<Duration>,
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>5} ms", self.wall.as_millis())?;
        match self.cpu {
            Some(cpu) => write!(f, ", {:>5} ms on processors", cpu.as_millis()),
            None => Ok(()),
        }
    }
}

/// Has each of these run in turn, round after round.
fn race<const N: usize>(mut racers: [&mut dyn FnMut(); N]) -> [Took; N] {
    let mut least = [Took { wall: Duration::MAX, cpu: None }; N];
    for _ in 0..ROUNDS {
        for (racer, least) in racers.iter_mut().zip(&mut least) {
            let (begin, cpu) = (Instant::now(), children_cpu());
            racer();
            let cpu = children_cpu().zip(cpu).map(|(after, before)| after - before);
            least.wall = least.wall.min(begin.elapsed());
            least.cpu = least.cpu.map_or(cpu, |least| cpu.map(|cpu| cpu.min(least)));
        }
    }
    least
}

/// What the processes that this one waited for took on processors: fields 16
/// and 17 of proc_pid_stat(5), in ticks of 10 ms.
fn children_cpu() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(13).take(2);
    let ticks: u64 = ticks.map(|field| field.parse().unwrap_or(0_u64)).sum();
    Some(Duration::from_millis(ticks * 10))
}

/// A line with sync, and the same bytes written and synced by hand; in turns,
/// so that a busy disk disturbs both.
fn appends(folder: &Path) {
    const TIMES: u32 = 400;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(start()));
    let store = StoreWriter::open(&folder.join("appends"), clock, "bench").unwrap();
    let mut run = store.open_run(opened(&store)).unwrap();
    let mut plain = File::options().append(true).create(true).open(folder.join("plain")).unwrap();
    let journal = folder.join(format!("appends/runs/{}/journal.jsonl", run.run()));
    let before = fs::metadata(&journal).unwrap().len();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let text = vec![b'x'; 800];
    for number in 1..=TIMES {
        let request = request(number, Purpose::ListMessages, None);
        let begin = Instant::now();
        run.append(Event::Request(request), Durability::Synced).unwrap();
        ours.push(begin.elapsed());
        let begin = Instant::now();
        plain.write_all(&text).unwrap();
        plain.sync_data().unwrap();
        theirs.push(begin.elapsed());
    }
    let line = (fs::metadata(&journal).unwrap().len() - before) / u64::from(TIMES);
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println(&format!("append: {TIMES} lines of a journal, each synced; the median"));
    println(&format!("  a line of {line} bytes             {ours:>8.1?}"));
    println(&format!("  a plain write of {} bytes      {theirs:>8.1?}", text.len()));
    println(&format!("  {ratio:.2} times, promised at most 1.2"));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Runs as they are: declared, looked after, their messages fetched.
fn fill(dir: &Path, runs: u64, bytes: u64) {
    let clock = Arc::new(ManualClock::at(start()));
    let writer: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
    let store = StoreWriter::open(dir, writer, "bench").unwrap();
    let redactor = Redactor::new(store.salt(), []);
    let size = usize::try_from(bytes / runs / u64::from(EXCHANGES)).unwrap();
    for number in 0..runs {
        let mut run = store.open_run(opened(&store)).unwrap();
        for exchange in 1..=EXCHANGES {
            clock.advance(Duration::from_millis(200));
            let text = format!("<body run=\"{number}\" exchange=\"{exchange}\"/>");
            let body = run
                .put_object(text.repeat(size / text.len() + 1).as_bytes(), XML, &redactor)
                .unwrap();
            let submit = exchange == 1;
            let purpose = if submit { Purpose::Submit } else { Purpose::GetMessage };
            let sent = submit.then(|| body.clone());
            let request = request(exchange, purpose, sent);
            run.append(Event::Request(request), Durability::Buffered).unwrap();
            let status = if submit { 202 } else { 200 };
            let answer = Response {
                exchange,
                status,
                headers: headers(),
                body: Some(body.clone()),
                server_date: Some(clock.now()),
                elapsed_ns: 5_000_000,
            };
            run.append(Event::Response(answer), Durability::Buffered).unwrap();
            if submit {
                run.append(submitted(number, body), Durability::Buffered).unwrap();
            } else if exchange % 4 == 0 {
                run.append(received(number, exchange, body), Durability::Buffered).unwrap();
            }
        }
        let closed = RunClosed { state: RunState::Passed, failure: None };
        store.close_run(run, closed).unwrap();
    }
}

const XML: Option<&str> = Some("application/xml");

fn start() -> DateTime<Utc> {
    "2026-11-20T09:30:00Z".parse().unwrap()
}

fn headers() -> Vec<(String, String)> {
    [
        ("accept", "application/vnd.hmrc.2.1+json"),
        ("authorization", "Bearer redacted:055d50ab8dd5d04c"),
        ("content-type", "application/xml"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn opened(store: &StoreWriter) -> RunOpened {
    RunOpened {
        run: store.new_run_id(),
        programme: "ncts5-final".into(),
        scenario: "DSGB1".into(),
        attempt: store.next_attempt("ncts5-final", "DSGB1"),
        environment: Environment::TraderTest,
        simulated: false,
        driver: Driver::Direct,
        software: SoftwareId { name: "Bench".into(), version: "1".into(), build: None },
        tool: "bench".into(),
        operator: None,
        base_url: "https://test-api.service.hmrc.gov.uk".into(),
        api_version: "2.1".into(),
        time_scale: 1.0,
        session: store.session(),
    }
}

fn request(exchange: u32, purpose: Purpose, body: Option<ObjectRef>) -> Request {
    let submit = purpose == Purpose::Submit;
    Request {
        exchange,
        sent_at: None,
        purpose,
        step: submit.then_some(1),
        message: submit.then_some(MessageType::Ie015),
        lrn: submit.then(|| "DSGB1261121093319D9".into()),
        message_identification: submit.then(|| "CE6A8DCEC4754985B7D49AD73E48D483".into()),
        payload_origin: None,
        payload_mutation: None,
        payload_check: None,
        method: if submit { "POST" } else { "GET" }.into(),
        url: "https://test-api.service.hmrc.gov.uk/customs/transits/movements/departures/\
              6b01655fae7a2591/messages/6b01655f5833a26d/body"
            .into(),
        headers: headers(),
        body,
    }
}

fn submitted(number: u64, body: ObjectRef) -> Event {
    Event::Submitted(Submitted {
        step: 1,
        message: MessageType::Ie015,
        lrn: Some(format!("DSGB1{number:015}")),
        mrn: None,
        movement: MovementKind::Departure,
        movement_id: format!("{number:016x}"),
        message_id: format!("{number:016x}"),
        exchange: 1,
        received: None,
        box_id: None,
        body,
    })
}

fn received(number: u64, exchange: u32, body: ObjectRef) -> Event {
    Event::Received(Received {
        message: MessageType::Ie928,
        movement: MovementKind::Departure,
        movement_id: format!("{number:016x}"),
        message_id: format!("{number:08x}{exchange:08x}"),
        exchange,
        received: Some(start()),
        mrn: None,
        lrn: Some(format!("DSGB1{number:015}")),
        errors: Vec::new(),
        release_indicator: None,
        body,
    })
}

fn println(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
}
