//! The evidence store: nothing in it can change unseen, and a crash at any
//! instant loses nothing that was acknowledged.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ctc_ready::clock::ManualClock;
use ctc_ready::evidence::{
    Driver, Durability, Event, EvidenceError, ObjectRef, Purpose, Received, Redactor, Request,
    Response, RunClosed, RunId, RunOpened, RunState, RunWriter, SoftwareId, Store, StoreWriter,
    Submitted, verify,
};
use ctc_ready::ncts::{MessageType, MovementKind};
use ctc_ready::project::Environment;
use secrecy::SecretString;
use uuid::Uuid;

const SECRET: &str = "canary-7f3a9c51e2";

fn start() -> DateTime<Utc> {
    "2026-11-21T09:30:00.123Z".parse().unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(start()))
}

fn opened(run: RunId, attempt: u32) -> RunOpened {
    RunOpened {
        run,
        programme: "ncts5-final".into(),
        scenario: "DSGB1".into(),
        attempt,
        environment: Environment::TraderTest,
        simulated: false,
        driver: Driver::Direct,
        software: SoftwareId { name: "S".into(), version: "1".into(), build: None },
        tool: "ctc-ready 0".into(),
        operator: None,
        base_url: "https://test-api.service.hmrc.gov.uk".into(),
        api_version: "2.1".into(),
        time_scale: 1.0,
        session: Uuid::nil(),
    }
}

fn request(writer: &mut RunWriter, redactor: &Redactor, exchange: u32, body: &[u8]) -> ObjectRef {
    let body = writer.put_object(body, Some("application/xml"), redactor).unwrap();
    let event = Event::Request(Request {
        exchange,
        sent_at: None,
        purpose: Purpose::Submit,
        step: Some(1),
        message: Some(MessageType::Ie015),
        lrn: Some("LRN1".into()),
        message_identification: Some("M1".into()),
        payload_origin: None,
        method: "POST".into(),
        url: redactor.url(&format!("https://h/x?token={SECRET}")),
        headers: redactor.headers(&[("authorization".into(), format!("Bearer {SECRET}"))]),
        body: Some(body.clone()),
    });
    writer.append(event, Durability::Synced).unwrap();
    body
}

fn response(writer: &mut RunWriter, redactor: &Redactor, exchange: u32, body: &str) {
    let body = writer.put_object(body.as_bytes(), Some("application/json"), redactor).unwrap();
    let event = Event::Response(Response {
        exchange,
        status: 202,
        headers: redactor.headers(&[("x-echo".into(), SECRET.into())]),
        body: Some(body),
        server_date: Some("2026-11-21T09:30:03Z".parse().unwrap()),
        elapsed_ns: 5,
    });
    writer.append(event, Durability::Buffered).unwrap();
}

/// A store with one run that is over and one that is open.
fn small_store(dir: &Path) -> (RunId, RunId) {
    let mut store = StoreWriter::open(dir, clock(), "ctc-ready 0").unwrap();
    let redactor = store.redactor([SecretString::from(SECRET.to_owned())]);
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    let (mut writer, _) = store.open_run(opened(first, 1)).unwrap();
    let body = request(&mut writer, &redactor, 1, b"<a>declaration</a>");
    response(&mut writer, &redactor, 1, &format!(r#"{{"id":"1","echo":"{SECRET}"}}"#));
    let submitted = Submitted {
        step: 1,
        message: MessageType::Ie015,
        lrn: Some("LRN1".into()),
        mrn: None,
        movement: MovementKind::Departure,
        movement_id: "66a0000011112222".into(),
        message_id: "66a0000033334444".into(),
        exchange: 1,
        received: Some("2026-11-21T09:29:58Z".parse().unwrap()),
        body,
    };
    writer.append(Event::Submitted(submitted), Durability::Synced).unwrap();
    let closed = RunClosed { state: RunState::Passed, failure: None };
    store.close_run(writer, closed).unwrap();
    let (mut writer, _) = store.open_run(opened(second, 2)).unwrap();
    request(&mut writer, &redactor, 1, b"<a>another</a>");
    (first, second)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != "lock" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
}

fn intact(dir: &Path) -> bool {
    // A store that no longer is one was found out just as well.
    verify(dir).is_ok_and(|report| report.intact)
}

#[test]
fn an_untouched_store_is_intact_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = small_store(dir.path());
    let report = verify(dir.path()).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.runs, report.exchanges, report.objects), (2, 2, 3));
    let store = Store::open(dir.path()).unwrap();
    let record = store.run(first).unwrap();
    assert_eq!(record.state, RunState::Passed);
    assert_eq!(record.messages.len(), 1);
    assert_eq!(record.messages[0].at, start());
    // The API's own time is the oldest defensible one here.
    assert_eq!(record.first_submission().unwrap().to_rfc3339(), "2026-11-21T09:29:58+00:00");
    assert_eq!(record.max_skew_ms, Some(-2_877));
    assert_eq!(store.object(&record.messages[0].body).unwrap(), b"<a>declaration</a>");
}

#[test]
fn any_changed_byte_is_found() {
    let dir = tempfile::tempdir().unwrap();
    small_store(dir.path());
    let mut tried = 0;
    for file in files(dir.path()) {
        let original = fs::read(&file).unwrap();
        for at in 0..original.len() {
            // A neighbour, the other case, and no ASCII at all.
            for flip in [0x01, 0x20, 0x80] {
                let mut changed = original.clone();
                changed[at] ^= flip;
                fs::write(&file, &changed).unwrap();
                assert!(!intact(dir.path()), "{} byte {at} ^ {flip:#x}", file.display());
                tried += 1;
            }
        }
        fs::write(&file, &original).unwrap();
    }
    assert!(tried > 10_000, "{tried}");
    assert!(intact(dir.path()));
}

#[test]
fn any_cut_addition_or_loss_is_found() {
    let dir = tempfile::tempdir().unwrap();
    small_store(dir.path());
    for file in files(dir.path()) {
        let original = fs::read(&file).unwrap();
        let is_open_journal = !original.windows(10).any(|w| w == b"run-closed")
            && file.file_name().unwrap() == "journal.jsonl";
        for length in 0..original.len() {
            // Whole lines cut from the end of a run under way: see below.
            let whole_lines = length > 0 && original[length - 1] == b'\n' && is_open_journal;
            fs::write(&file, &original[..length]).unwrap();
            let found = !intact(dir.path());
            // The bodies that the lost lines named are then named by nobody.
            assert!(found || whole_lines, "{} cut to {length}", file.display());
        }
        for more in [&b"\n"[..], b" ", b"x", b"{}\n"] {
            fs::write(&file, [&original[..], more].concat()).unwrap();
            assert!(!intact(dir.path()), "{} and {more:?}", file.display());
        }
        fs::remove_file(&file).unwrap();
        assert!(!intact(dir.path()), "{} removed", file.display());
        fs::write(&file, &original).unwrap();

        for stray in ["stray", "journal.jsonl.bak", ".hidden"] {
            let path = file.with_file_name(stray);
            fs::write(&path, b"x").unwrap();
            assert!(!intact(dir.path()), "{} added", path.display());
            fs::remove_file(&path).unwrap();
        }
        let renamed = file.with_file_name("renamed");
        fs::rename(&file, &renamed).unwrap();
        assert!(!intact(dir.path()), "{} renamed", file.display());
        fs::rename(&renamed, &file).unwrap();
    }
    assert!(intact(dir.path()));
}

#[test]
fn lines_cannot_be_removed_doubled_or_swapped() {
    let dir = tempfile::tempdir().unwrap();
    small_store(dir.path());
    for file in
        files(dir.path()).into_iter().filter(|file| file.extension().is_some_and(|e| e == "jsonl"))
    {
        let original = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = original.split_inclusive('\n').collect();
        let mut variants = Vec::new();
        for at in 0..lines.len() {
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at]);
            variants.push(doubled);
            let mut removed = lines.clone();
            removed.remove(at);
            variants.push(removed);
            for other in at + 1..lines.len() {
                let mut swapped = lines.clone();
                swapped.swap(at, other);
                variants.push(swapped);
            }
        }
        for variant in variants {
            fs::write(&file, variant.concat()).unwrap();
            assert!(!intact(dir.path()), "{}: {variant:?}", file.display());
        }
        fs::write(&file, &original).unwrap();
    }
    assert!(intact(dir.path()));
}

#[test]
fn runs_cannot_be_removed_added_or_exchanged() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = small_store(dir.path());
    let folder = |run: RunId| dir.path().join("runs").join(run.to_string());
    let aside = dir.path().with_extension("aside");
    for run in [first, second] {
        fs::rename(folder(run), &aside).unwrap();
        assert!(!intact(dir.path()));
        fs::rename(&aside, folder(run)).unwrap();
    }
    let other = Uuid::now_v7();
    fs::create_dir(folder(other)).unwrap();
    assert!(!intact(dir.path()));
    fs::remove_dir(folder(other)).unwrap();
    fs::rename(folder(first), &aside).unwrap();
    fs::rename(folder(second), folder(first)).unwrap();
    fs::rename(&aside, folder(second)).unwrap();
    assert!(!intact(dir.path()));
}

#[test]
#[cfg(unix)]
fn a_link_is_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    small_store(dir.path());
    let outside = tempfile::tempdir().unwrap();
    for file in files(dir.path()) {
        let elsewhere = outside.path().join("elsewhere");
        fs::rename(&file, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
        assert!(!intact(dir.path()), "{}", file.display());
        fs::remove_file(&file).unwrap();
        fs::rename(&elsewhere, &file).unwrap();
    }
    assert!(intact(dir.path()));
}

/// A crash leaves some prefix of what was written. Whatever prefix: the store
/// opens again, what was acknowledged is there, and it is intact.
#[test]
fn a_crash_at_any_byte_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = small_store(dir.path());
    let whole: BTreeSet<PathBuf> = files(dir.path()).into_iter().collect();
    // The files in which the last write may have been torn.
    let index = dir.path().join("index.jsonl");
    let journal = dir.path().join("runs").join(second.to_string()).join("journal.jsonl");
    let index_bytes = fs::read(&index).unwrap();
    let journal_bytes = fs::read(&journal).unwrap();
    let last_index_line =
        1 + index_bytes[..index_bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();

    let recovered = |cut_index: usize, cut_journal: usize, extra: Option<&str>| {
        let crashed = tempfile::tempdir().unwrap();
        copy(dir.path(), crashed.path());
        let at = |file: &Path| crashed.path().join(file.strip_prefix(dir.path()).unwrap());
        fs::write(at(&index), &index_bytes[..cut_index]).unwrap();
        fs::write(at(&journal), &journal_bytes[..cut_journal]).unwrap();
        if let Some(extra) = extra {
            fs::create_dir_all(crashed.path().join("objects/ab")).unwrap();
            fs::write(crashed.path().join("objects/ab").join(extra), b"orphan").unwrap();
        }
        let mut store = StoreWriter::open(crashed.path(), clock(), "ctc-ready 0").unwrap();
        assert_eq!(store.read().run(first).unwrap().state, RunState::Passed);
        let lines = journal_bytes[..cut_journal].iter().filter(|byte| **byte == b'\n').count();
        if lines > 0 {
            let (_, events) = store.resume_run(second).unwrap();
            assert_eq!(events.len(), lines + 1);
        }
        drop(store);
        let report = verify(crashed.path()).unwrap();
        assert_eq!(report.problems, [], "index {cut_index}, journal {cut_journal}");
    };
    for cut in 0..=journal_bytes.len() {
        // The index line that opens the run comes after the journal's first
        // line; it is missing where the crash came between.
        let first_line = journal_bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let cut_index = if cut < first_line { last_index_line } else { index_bytes.len() };
        recovered(cut_index, cut, None);
    }
    for cut in last_index_line..index_bytes.len() {
        recovered(cut, journal_bytes.len(), None);
    }
    recovered(index_bytes.len(), journal_bytes.len(), Some(&"c".repeat(62)));
    recovered(index_bytes.len(), journal_bytes.len(), Some(".tmp-abc"));
    assert_eq!(whole, files(dir.path()).into_iter().collect());
}

#[test]
fn the_end_of_a_run_is_indexed_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = small_store(dir.path());
    let index = dir.path().join("index.jsonl");
    let text = fs::read_to_string(&index).unwrap();
    let kept: String = text.split_inclusive('\n').take(2).collect();
    fs::write(&index, kept).unwrap();
    assert!(!intact(dir.path()));
    drop(StoreWriter::open(dir.path(), clock(), "ctc-ready 0").unwrap());
    assert_eq!(verify(dir.path()).unwrap().problems, []);
    assert_eq!(Store::open(dir.path()).unwrap().run(first).unwrap().state, RunState::Passed);
}

#[test]
fn a_second_writer_is_told_who_is_first() {
    let dir = tempfile::tempdir().unwrap();
    let first = StoreWriter::open(dir.path(), clock(), "ctc-ready 0").unwrap();
    let error = StoreWriter::open(dir.path(), clock(), "ctc-ready 0").unwrap_err();
    assert!(matches!(error, EvidenceError::Locked { .. }));
    let text = error.to_string();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains("since 2026-11-21T09:30:00Z"), "{text}");
    drop(first);
    StoreWriter::open(dir.path(), clock(), "ctc-ready 0").unwrap();
}

#[test]
fn a_run_that_is_over_takes_no_more_events() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = small_store(dir.path());
    let mut store = StoreWriter::open(dir.path(), clock(), "ctc-ready 0").unwrap();
    assert!(matches!(store.resume_run(first), Err(EvidenceError::Run { .. })));
    assert_eq!(store.next_attempt("ncts5-final", "DSGB1").unwrap(), 3);
    assert_eq!(store.next_attempt("ncts5-final", "DNGB1").unwrap(), 1);
}

#[test]
fn a_newer_format_is_not_guessed_at() {
    let dir = tempfile::tempdir().unwrap();
    small_store(dir.path());
    let file = dir.path().join("store.json");
    let text = fs::read_to_string(&file).unwrap().replace("\"format\":1", "\"format\":2,\"new\":1");
    fs::write(&file, text).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(EvidenceError::Newer { found: 2, .. })));
    assert!(matches!(verify(dir.path()), Err(EvidenceError::Newer { found: 2, .. })));
}

#[test]
fn a_secret_reaches_no_file() {
    let dir = tempfile::tempdir().unwrap();
    small_store(dir.path());
    let mut seen = 0;
    for file in files(dir.path()) {
        let bytes = fs::read(&file).unwrap();
        assert!(
            !bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()),
            "{}",
            file.display()
        );
        seen += bytes.windows(9).filter(|window| *window == b"redacted:").count();
    }
    assert!(seen >= 4, "{seen}");
}

#[test]
fn a_message_found_after_a_lost_answer_keeps_the_time_of_its_post() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let mut store = StoreWriter::open(dir.path(), clock.clone(), "ctc-ready 0").unwrap();
    let redactor = store.redactor([]);
    let run = Uuid::now_v7();
    let (mut writer, _) = store.open_run(opened(run, 1)).unwrap();
    let body = request(&mut writer, &redactor, 1, b"<a/>");
    clock.advance(std::time::Duration::from_secs(3_600));
    let look_up = Event::Request(Request {
        exchange: 2,
        sent_at: None,
        purpose: Purpose::LookUp,
        step: None,
        message: None,
        lrn: None,
        message_identification: None,
        payload_origin: None,
        method: "GET".into(),
        url: "https://h".into(),
        headers: vec![],
        body: None,
    });
    writer.append(look_up, Durability::Buffered).unwrap();
    response(&mut writer, &redactor, 2, "{}");
    let submitted = Submitted {
        step: 1,
        message: MessageType::Ie015,
        lrn: None,
        mrn: None,
        movement: MovementKind::Departure,
        movement_id: "66a0000011112222".into(),
        message_id: "66a0000033334444".into(),
        exchange: 2,
        received: None,
        body: body.clone(),
    };
    writer.append(Event::Submitted(submitted), Durability::Synced).unwrap();
    let received = Received {
        message: MessageType::Ie928,
        movement: MovementKind::Departure,
        movement_id: "66a0000011112222".into(),
        message_id: "66a0000055556666".into(),
        exchange: 9,
        received: None,
        mrn: None,
        lrn: None,
        errors: vec![],
        body,
    };
    let record = store.read().run(run).unwrap();
    assert_eq!(record.messages[0].at, start());
    // A message out of an exchange that is not recorded makes no run.
    writer.append(Event::Received(received), Durability::Synced).unwrap();
    assert!(matches!(store.read().run(run), Err(EvidenceError::Fold { .. })));
    let (records, problems) = store.read().runs_tolerant().unwrap();
    assert_eq!((records.len(), problems.len()), (0, 1));
}
