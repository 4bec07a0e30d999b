//! A state that outlives its process: restarts, kills, damage, locks.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ctc_ready::clock::ManualClock;
use ctc_ready::simulator::{
    Faults, NCTS5_MAILBOX, Running, SimulatorError, SimulatorOptions, StateError, start,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::bench::*;
use super::raw::{exchange, request};

fn kept(folder: &Path) -> SimulatorOptions {
    SimulatorOptions {
        requests_per_second: None,
        state: Some(folder.to_owned()),
        ..SimulatorOptions::default()
    }
}

/// Everything a trader can see, and the simulator's own lists.
async fn everything(bench: &Bench) -> Vec<Value> {
    let mut all = Vec::new();
    for kind in [DEPARTURES, ARRIVALS] {
        let list = bench.get(&format!("{kind}?count=500")).await;
        let plural = kind.rsplit('/').next().unwrap();
        for movement in list[plural].as_array().unwrap() {
            let messages = format!("{kind}/{}/messages", movement["id"].as_str().unwrap());
            let listed = bench.get(&messages).await;
            for message in listed["messages"].as_array().unwrap() {
                let one = format!("{messages}/{}", message["id"].as_str().unwrap());
                all.push(bench.get(&one).await);
            }
            all.push(listed);
        }
        all.push(list);
    }
    all.push(bench.get("/simulator/log").await);
    all.push(bench.get("/simulator/mailbox").await);
    all
}

/// A day's work: a departure that is released and arrives, a normal one that
/// waits for officers, an LRN used twice, a refusal.
async fn work(bench: &Bench) {
    let first = bench.open("LRN1").await;
    bench.pass(46 * 60);
    let movement = bench.get(&format!("{DEPARTURES}/{first}")).await;
    let mrn = movement["movementReferenceNumber"].as_str().unwrap().to_owned();
    let arrived = bench.xml(ARRIVALS, notification(&mrn)).send().await.unwrap();
    assert_eq!(arrived.status(), 202);
    assert_eq!(bench.xml(DEPARTURES, declaration("LRN1")).send().await.unwrap().status(), 409);
    assert_eq!(bench.xml(DEPARTURES, "<no/>").send().await.unwrap().status(), 400);
    assert_eq!(bench.xml(DEPARTURES, normal("LRN2")).send().await.unwrap().status(), 202);
    bench.pass(5);
    let mail = json!({
        "to": NCTS5_MAILBOX,
        "subject": "Manual Intervention",
        "body": "Scenario DNGB1, step 2: accept and release the declaration. LRN LRN2",
    });
    let posted =
        bench.request(Method::POST, "/simulator/mailbox").json(&mail).send().await.unwrap();
    assert_eq!(posted.status(), 202);
    bench.open("LRN3").await;
    bench.pass(20);
    bench.get(DEPARTURES).await;
}

/// The same clock goes on while one simulator follows another.
async fn again(bench: Bench, options: SimulatorOptions, stop: bool) -> Bench {
    use ctc_ready::clock::Clock;
    let now = bench.clock.now();
    if stop {
        bench.running.stop().await.unwrap();
    } else {
        crash(bench.running).await;
    }
    Bench::at(options, now).await
}

/// Ends a simulator without a word, as a kill does.
async fn crash(running: Running) {
    drop(running);
    // The task that was aborted gives the lock back once it has run.
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn after_a_stop_and_after_a_crash_it_goes_on_as_if_nothing_had_been() {
    for stop in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let undisturbed = Bench::new().await;
        let bench = Bench::with(kept(folder.path())).await;
        work(&undisturbed).await;
        work(&bench).await;
        assert_eq!(everything(&undisturbed).await, everything(&bench).await);
        // Twice: what was read back can be written and read again.
        let bench = again(bench, kept(folder.path()), stop).await;
        assert_eq!(everything(&undisturbed).await, everything(&bench).await, "stop {stop}");
        let bench = again(bench, kept(folder.path()), stop).await;
        // Timers and officers go on at the instants they would have had.
        for _ in 0..4 {
            undisturbed.pass(15 * 60);
            bench.pass(15 * 60);
            assert_eq!(everything(&undisturbed).await, everything(&bench).await, "stop {stop}");
        }
        assert_eq!(undisturbed.open("LRN9").await, bench.open("LRN9").await);
    }
}

#[tokio::test]
async fn what_fell_due_while_it_was_off_has_its_true_instant() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(kept(folder.path())).await;
    let id = bench.open("LRN1").await;
    bench.pass(10);
    bench.get(DEPARTURES).await;
    bench.pass(3 * 24 * 3_600);
    let bench = again(bench, kept(folder.path()), false).await;
    let body = bench.get(&format!("{DEPARTURES}/{id}/messages")).await;
    assert_eq!(body["messages"][0]["type"], "IE029");
    assert_eq!(body["messages"][0]["received"], "2026-11-21T09:45:02.000Z");
}

#[tokio::test]
async fn other_options_hold_from_the_restart_on_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(kept(folder.path())).await;
    bench.open("LRN1").await;
    bench.pass(10);
    let before = everything(&bench).await;
    let fast = SimulatorOptions { time_scale: 2_700.0, ..kept(folder.path()) };
    let bench = again(bench, fast, false).await;
    assert_eq!(everything(&bench).await, before);
    let id = bench.open("LRN2").await;
    bench.pass(2);
    assert_eq!(bench.types(DEPARTURES, &id).await[0], "IE029");
}

#[tokio::test]
async fn faults_that_struck_stay_struck() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[[fault]]\ndo = \"duplicate\"\nmessage = \"IE928\"\nseconds = 1\n\
                [[fault]]\ndo = \"late\"\nmessage = \"IE028\"\nseconds = 600\n\
                [[fault]]\ndo = \"status\"\nstatus = 503\nmessage = \"IE015\"\nnth = 2";
    let faults = Some(Faults::parse("f.toml", file).unwrap());
    let bench = Bench::with(SimulatorOptions { faults, ..kept(folder.path()) }).await;
    let id = bench.open("LRN1").await;
    let failed = bench.xml(DEPARTURES, declaration("LRN2")).send().await.unwrap();
    assert_eq!(failed.status(), 503);
    bench.pass(10);
    assert_eq!(bench.types(DEPARTURES, &id).await, ["IE928", "IE928", "IE015"]);
    let before = everything(&bench).await;
    let log = bench.get("/simulator/log").await;
    assert_eq!(log["faults"].as_array().unwrap().len(), 3);
    // Nothing goes wrong any more, and what went wrong did.
    let bench = again(bench, kept(folder.path()), false).await;
    assert_eq!(everything(&bench).await, before);
    bench.pass(600);
    assert_eq!(bench.types(DEPARTURES, &id).await, ["IE028", "IE928", "IE928", "IE015"]);
}

#[tokio::test]
async fn one_process_has_a_folder_and_the_second_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Bench::with(kept(folder.path())).await;
    let clock = Arc::new(ManualClock::at(morning()));
    let error = start(kept(folder.path()), clock, loopback()).await.unwrap_err();
    let SimulatorError::State(StateError::InUse { who, .. }) = &error else { panic!("{error}") };
    assert_eq!(*who, format!("process {}", std::process::id()));
    assert!(error.to_string().contains("is in use by process"), "{error}");
}

fn only(folder: &Path, start: &str) -> PathBuf {
    let mut found = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    found.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start)).unwrap()
}

async fn refused(folder: &Path) -> String {
    let before = contents(folder);
    let clock = Arc::new(ManualClock::at(morning()));
    let error = start(kept(folder), clock, loopback()).await.unwrap_err();
    assert_eq!(contents(folder), before, "a refused folder was changed");
    error.to_string()
}

fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "lock")
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn damage_is_told_with_its_place_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(kept(folder.path())).await;
    for lrn in ["LRN1", "LRN2", "LRN3"] {
        bench.open(lrn).await;
    }
    crash(bench.running).await;
    let (log, snapshot) = (only(folder.path(), "log-"), folder.path().join("snapshot.jsonl"));
    let (whole_log, whole_snapshot) = (fs::read(&log).unwrap(), fs::read(&snapshot).unwrap());

    let mut changed = whole_log.clone();
    let second = whole_log.iter().position(|byte| *byte == b'\n').unwrap() + 100;
    changed[second] ^= 1;
    fs::write(&log, &changed).unwrap();
    let told = refused(folder.path()).await;
    assert!(told.contains("line 2") && told.contains("checksum"), "{told}");
    fs::write(&log, &whole_log).unwrap();

    for cut in [0, 1, 100, whole_snapshot.len() / 2, whole_snapshot.len() - 1] {
        fs::write(&snapshot, &whole_snapshot[..cut]).unwrap();
        let told = refused(folder.path()).await;
        assert!(told.contains("snapshot.jsonl") && told.contains("damaged"), "{cut}: {told}");
    }
    let text = String::from_utf8(whole_snapshot.clone()).unwrap();
    fs::write(&snapshot, text.replacen("\"format\":1", "\"format\":2", 1)).unwrap();
    let told = refused(folder.path()).await;
    assert!(told.contains("format 2") && told.contains("reads format 1"), "{told}");
    fs::remove_file(&snapshot).unwrap();
    let told = refused(folder.path()).await;
    assert!(told.contains("`snapshot.jsonl` is missing"), "{told}");
    fs::write(&snapshot, &whole_snapshot).unwrap();

    // Whole lines that do not belong together.
    let lines: Vec<&[u8]> = whole_log.split_inclusive(|byte| *byte == b'\n').collect();
    fs::write(&log, [lines[1], lines[0]].concat()).unwrap();
    let told = refused(folder.path()).await;
    assert!(told.contains("goes another way"), "{told}");

    // A last line that was not finished was not answered: it is dropped.
    let end = whole_log.len() - lines[2].len() / 2;
    fs::write(&log, &whole_log[..end]).unwrap();
    let bench = Bench::with(kept(folder.path())).await;
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 2);
}

#[tokio::test]
async fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ctc-ready.toml"), "").unwrap();
    let told = refused(folder.path()).await;
    assert!(told.contains("no state of a simulator"), "{told}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn bodies_that_are_no_text_and_strange_headers_come_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(kept(folder.path())).await;
    let value = reqwest::header::HeaderValue::from_bytes(b"caf\xe9").unwrap();
    let strange = bench.xml(DEPARTURES, "").header("X-Strange", value).body(vec![0, 159, 255]);
    assert_eq!(strange.send().await.unwrap().status(), 400);
    let huge = bench.xml(DEPARTURES, "x".repeat(5_000_001)).send().await.unwrap();
    assert_eq!(huge.status(), 413);
    let before = everything(&bench).await;
    let bench = again(bench, kept(folder.path()), false).await;
    assert_eq!(everything(&bench).await, before);
}

#[tokio::test]
async fn the_log_does_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(kept(folder.path())).await;
    // Refused messages of 4 MB leave nothing behind but their log entries.
    for _ in 0..3 {
        let body = format!("<a>{}</a>", "x".repeat(4_000_000));
        assert_eq!(bench.xml(DEPARTURES, body).send().await.unwrap().status(), 400);
    }
    let total: usize = contents(folder.path()).iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(total < 5_000_000, "{total}");
    let before = everything(&bench).await;
    let bench = again(bench, kept(folder.path()), false).await;
    assert_eq!(everything(&bench).await, before);
}

/// `ctc-ready simulate` in a process of its own.
struct Process {
    child: Child,
    addr: SocketAddr,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ctc-ready"))
            .args(["simulate", "--port", "0", "--format", "json", "--time-scale", "100000"])
            .arg("--state")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        let ready: Value = loop {
            if stdout.read_line(&mut text).unwrap() == 0 {
                let mut error = String::new();
                child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
                panic!("no simulator: {text}{error}");
            }
            if let Ok(ready) = serde_json::from_str(&text) {
                break ready;
            }
        };
        let url = ready["base_url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { child, addr: url.parse().unwrap() }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a declaration and returns the departure's id, if it was answered so.
fn declare(addr: SocketAddr, lrn: &str) -> Option<String> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.write_all(request("POST", DEPARTURES, &declaration(lrn), true).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 202").then_some(())?;
    let body: Value = serde_json::from_str(body).ok()?;
    Some(body["departureId"].as_str()?.to_owned())
}

#[test]
fn what_was_answered_is_there_after_sixty_kills() {
    const KILLS: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let mut answered: Vec<(String, String)> = Vec::new();
    let mut process = Process::start(folder.path());
    for round in 0..KILLS {
        // Two clients send as fast as they can until the kill, which comes
        // after another count of answers each time.
        let (count, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (addr, wanted) = (process.addr, 1 + round * 7 % 5);
        let new: Vec<(String, String)> = std::thread::scope(|scope| {
            let client = |name: &'static str| {
                let (count, over) = (&count, &over);
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    for nth in 0.. {
                        let lrn = format!("{name}{round}N{nth}");
                        match declare(addr, &lrn) {
                            Some(id) => {
                                mine.push((lrn, id));
                                count.fetch_add(1, Ordering::SeqCst);
                            }
                            None if over.load(Ordering::SeqCst) => break,
                            None => panic!("{lrn} was not taken"),
                        }
                        if over.load(Ordering::SeqCst) {
                            break;
                        }
                    }
                    mine
                })
            };
            let clients = [client("A"), client("B")];
            while count.load(Ordering::SeqCst) < wanted {
                std::thread::yield_now();
            }
            over.store(true, Ordering::SeqCst);
            process.kill();
            clients.into_iter().flat_map(|one| one.join().unwrap()).collect()
        });
        answered.extend(new);
        process = Process::start(folder.path());
        let listed =
            exchange(process.addr, &request("GET", &format!("{DEPARTURES}?count=500"), "", true));
        let body: Value = serde_json::from_str(&listed.body()).unwrap();
        let all = body["departures"].as_array().unwrap();
        let there = |lrn: &str, id: &str| {
            all.iter().any(|one| one["id"] == *id && one["localReferenceNumber"] == *lrn)
        };
        // The list shows 500: the latest, which are those of this round.
        for (lrn, id) in answered.iter().rev().take(100) {
            assert!(there(lrn, id), "round {round}: {lrn} was answered with {id}, and is gone");
        }
    }
    assert!(answered.len() >= KILLS, "{}", answered.len());
    // None was taken twice, and each went on to its release.
    let log = exchange(process.addr, &request("GET", "/simulator/log", "", true)).body();
    let log: Value = serde_json::from_str(&log).unwrap();
    let mut taken: Vec<&str> = log["submissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["status"] == 202)
        .map(|one| one["lrn"].as_str().unwrap())
        .collect();
    let count = taken.len();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), count);
    let (_, first) = &answered[0];
    let path = format!("{DEPARTURES}/{first}/messages");
    let messages = exchange(process.addr, &request("GET", &path, "", true)).body();
    assert!(messages.contains("\"IE029\""), "{messages}");
}

/// A callback that answers challenges and counts what is pushed.
async fn callback() -> (String, Arc<AtomicUsize>) {
    use axum::extract::Query;
    use axum::routing::get;
    let pushed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&pushed);
    let challenged = async |query: Query<std::collections::HashMap<String, String>>| {
        json!({"challenge": query["challenge"]}).to_string()
    };
    let taken = move || async move {
        count.fetch_add(1, Ordering::SeqCst);
    };
    let router = axum::Router::new().route("/", get(challenged).post(taken));
    let listener = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, pushed)
}

#[tokio::test]
async fn tokens_boxes_notifications_and_uploads_are_kept_too() {
    const PULL: &str = "application/vnd.hmrc.1.0+json";
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(kept(folder.path())).await;
    let token = super::oauth::user_token(&bench, &[]).await;
    let as_user = |bench: &Bench, method| {
        bench.bare(method, DEPARTURES).bearer_auth(&token).header("Accept", JSON)
    };
    let xml = as_user(&bench, Method::POST).header("Content-Type", "application/xml");
    assert_eq!(xml.body(declaration("LRN1")).send().await.unwrap().status(), 202);

    // A file that is uploaded, and not looked at yet.
    let asked = bench.request(Method::POST, DEPARTURES).send().await.unwrap();
    let asked: Value = asked.json().await.unwrap();
    let fields = asked["uploadRequest"]["fields"].as_object().unwrap();
    let form = fields.iter().fold(reqwest::multipart::Form::new(), |form, (name, value)| {
        form.text(name.clone(), value.as_str().unwrap().to_owned())
    });
    let file = reqwest::multipart::Part::text(declaration("LRN2"))
        .file_name("message.xml")
        .mime_str("application/xml")
        .unwrap();
    let href = asked["uploadRequest"]["href"].as_str().unwrap();
    let sent = reqwest::Client::new().post(href).multipart(form.part("file", file)).send().await;
    assert_eq!(sent.unwrap().status(), 204);

    // A box whose notifications are pushed.
    let opened = bench.xml(DEPARTURES, declaration("LRN3")).send().await.unwrap();
    let opened: Value = opened.json().await.unwrap();
    let box_id = opened["boxId"].as_str().unwrap().to_owned();
    let (url, pushed) = callback().await;
    let path = format!("/simulator/boxes/{box_id}/callback");
    let set = bench.bare(Method::PUT, &path).json(&json!({"callbackUrl": url})).send().await;
    assert_eq!(set.unwrap().json::<Value>().await.unwrap(), json!({"successful": true}));

    let notifications = async |bench: &Bench| -> Value {
        let path = format!("/misc/push-pull-notification/box/{box_id}/notifications");
        let request = bench.bare(Method::GET, &path).bearer_auth("trader-1");
        request.header("Accept", PULL).send().await.unwrap().json().await.unwrap()
    };
    let boxes = bench.get("/simulator/boxes").await;
    let bench = again(bench, kept(folder.path()), false).await;
    assert_eq!(bench.get("/simulator/boxes").await, boxes);
    assert_eq!(as_user(&bench, Method::GET).send().await.unwrap().status(), 200);
    bench.pass(5);
    let id = asked["departureId"].as_str().unwrap();
    assert_eq!(bench.types(DEPARTURES, id).await, ["IE028", "IE928", "IE015"]);
    // The file's outcome, and two replies to each of the two movements.
    let told = loop {
        let told = notifications(&bench).await;
        let all = told.as_array().unwrap();
        if all.len() == 5 && all.iter().all(|one| one["status"] == "ACKNOWLEDGED") {
            break told;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(pushed.load(Ordering::SeqCst), 5);
    // Told and taken: nobody is told again.
    let bench = again(bench, kept(folder.path()), false).await;
    assert_eq!(notifications(&bench).await, told);
    assert_eq!(as_user(&bench, Method::GET).send().await.unwrap().status(), 200);
}
