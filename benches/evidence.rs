//! What keeping and checking evidence costs, beside what it cannot do without.
//!
//! - `verify` of a store with 1,000 runs and 1 GB of bodies, beside
//!   `openssl dgst -sha256` over the same files; promised: at most 0.8 times.
//! - `status` over 1,000 sealed runs; promised: under 300 ms.
//! - `gate` over 200 runs with messages of ordinary size, everything verified;
//!   promised: under 100 ms.
//! - an append with sync, beside a plain write with sync; promised: at most 1.2
//!   times.
//!
//! It measures whole processes, so it is no criterion bench. Nothing fails
//! here. `CTC_READY_BENCH_MB` (1,000 without it) sets the size of the bodies.

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
const RUNS: u64 = 1_000;
/// A house's runs of a few months, and the size of a message.
const ORDINARY: (u64, u64) = (200, 5_000);
/// As an ordinary run of a departure has.
const EXCHANGES: u32 = 13;
/// Each figure is the best of so many: the least disturbed.
const ROUNDS: usize = 5;

fn main() {
    let megabytes = std::env::var("CTC_READY_BENCH_MB").ok().and_then(|text| text.parse().ok());
    let bytes = megabytes.unwrap_or(1_000_u64) * 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    appends(project);
    init(project);
    let evidence = project.join("evidence");
    let begin = Instant::now();
    fill(&evidence, RUNS, bytes);
    print(&format!("made {RUNS} runs with {} MB in {:.1?}", bytes / 1_000_000, begin.elapsed()));
    ctc_ready(project, &["keys", "init"]);
    ctc_ready(project, &["seal"]);

    let files = files(&evidence);
    let ours = best(|| ctc_ready(project, &["verify"]));
    let openssl = best(|| openssl(&files));
    let ratio = ours.as_secs_f64() / openssl.as_secs_f64();
    print(&format!(
        "`verify`: {ours:.2?}; `openssl dgst -sha256` over its {} files: {openssl:.2?}; \
         {ratio:.2} times, promised at most 0.8",
        files.len()
    ));
    let status = best(|| ctc_ready(project, &["status"]));
    print(&format!("`status` over {RUNS} sealed runs: {status:.0?}; promised < 300 ms"));
    let gate = best(|| ctc_ready(project, &["gate"]));
    print(&format!("`gate` over them, everything verified: {gate:.2?}"));
    ordinary();
}

/// The gate as a release sees it.
fn ordinary() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    init(project);
    let (runs, size) = ORDINARY;
    fill(&project.join("evidence"), runs, runs * u64::from(EXCHANGES) * size);
    ctc_ready(project, &["keys", "init"]);
    ctc_ready(project, &["seal"]);
    let gate = best(|| ctc_ready(project, &["gate"]));
    print(&format!("`gate` over {runs} sealed runs: {gate:.0?}; promised < 100 ms"));
}

fn init(project: &Path) {
    ctc_ready(
        project,
        &[
            "init",
            "--programme",
            "ncts5-final",
            "--flows",
            "standard-departure,pre-lodged-departure,arrival",
            "--procedures",
            "simplified",
            "--software",
            "Bench",
            "--software-version",
            "1",
        ],
    );
}

/// Runs the binary with keys of its own; its exit code is not looked at, since
/// `gate` and `status` have opinions on evidence like this.
fn ctc_ready(project: &Path, args: &[&str]) {
    let status = Command::new(BINARY)
        .args(args)
        .arg("--project")
        .arg(project)
        .env("CTC_READY_KEYS", project.join("keys"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.code().is_some_and(|code| code < 2), "`{}` failed: {status}", args[0]);
}

fn openssl(files: &[PathBuf]) {
    // As many as fit on a command line.
    for some in files.chunks(4_000) {
        let status = Command::new("openssl")
            .args(["dgst", "-sha256"])
            .args(some)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

fn best(mut act: impl FnMut()) -> Duration {
    let time = |_| {
        let begin = Instant::now();
        act();
        begin.elapsed()
    };
    (0..ROUNDS).map(time).min().unwrap()
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
    print(&format!(
        "append with sync, {line} bytes: {ours:.1?}; plain write with sync, {} bytes: \
         {theirs:.1?}; {ratio:.2} times, promised at most 1.2",
        text.len()
    ));
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

fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
}
