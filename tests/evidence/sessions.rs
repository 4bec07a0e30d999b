//! Opening, locking, writing, reading.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ctc_ready::evidence::*;
use ctc_ready::project::Environment;

use crate::support::*;

#[test]
fn what_was_written_is_read_back() {
    let small = small_store();
    let store = Store::open(&small.dir).unwrap();
    let runs = store.runs().unwrap();
    assert_eq!(runs.iter().map(|run| run.run).collect::<Vec<_>>(), [small.closed, small.open]);
    assert_eq!(runs[0].state, RunState::Passed);
    assert_eq!(runs[0].opened, start());
    assert_eq!(runs[0].messages[0].at, start() + Duration::from_millis(1500));
    assert_eq!(runs[1].state, RunState::Waiting);
    let body = store.object(&runs[0].messages[0].body).unwrap();
    assert_eq!(body, b"<sent/>");
    let unknown = uuid::Uuid::nil();
    assert!(matches!(store.events(unknown), Err(EvidenceError::UnknownRun(_))));
}

#[test]
fn attempts_count_up_per_scenario_and_programme() {
    let small = small_store();
    let store = open(&small.dir, &clock()).unwrap();
    assert_eq!(store.next_attempt("ncts5-final", "DSGB1"), 2);
    assert_eq!(store.next_attempt("ncts6", "DSGB1"), 1);
    let again = opened(&store, "DSGB1");
    assert_eq!(again.attempt, 2);
    let twice = again.clone();
    store.open_run(again).unwrap();
    assert!(matches!(store.open_run(twice), Err(EvidenceError::RunExists(_))));
    assert_eq!(store.next_attempt("ncts5-final", "DSGB1"), 3);
    assert!(verify(&small.dir).unwrap().intact);
}

#[test]
fn a_second_writer_is_refused_and_told_who_holds_the_store() {
    let small = small_store();
    let first = open(&small.dir, &clock()).unwrap();
    let error = open(&small.dir, &clock()).unwrap_err();
    assert!(matches!(error, EvidenceError::InUse { .. }));
    let text = error.to_string();
    let who = format!("process {} ({TOOL}), since 2026-11-21T09:30:00.000Z", std::process::id());
    assert!(text.contains(&who), "{text}");
    // A run's writer keeps the store locked by itself.
    let run = first.open_run(opened(&first, "DSGB3")).unwrap();
    drop(first);
    assert!(open(&small.dir, &clock()).is_err());
    drop(run);
    open(&small.dir, &clock()).unwrap();
    // Readers need no lock.
    let _writer = open(&small.dir, &clock()).unwrap();
    Store::open(&small.dir).unwrap().runs().unwrap();
}

#[test]
fn a_resumed_run_goes_on_where_it_stood() {
    let small = small_store();
    let clock = clock();
    clock.advance(Duration::from_secs(3600));
    let store = open(&small.dir, &clock).unwrap();
    assert!(matches!(store.resume_run(small.closed), Err(EvidenceError::RunClosed(_))));
    let (writer, events) = store.resume_run(small.open).unwrap();
    assert!(matches!(store.resume_run(small.open), Err(EvidenceError::RunBusy(_))));
    let resumed = events.last().unwrap();
    assert_eq!((resumed.seq, resumed.at), (3, start() + Duration::from_secs(3600)));
    assert!(matches!(&resumed.event, Event::RunResumed(resumed)
        if resumed.cut_bytes == 0 && resumed.session == store.session() && resumed.tool == TOOL));
    assert_eq!(store.read().unwrap().events(small.open).unwrap(), events);
    drop(writer);
    let (writer, _) = store.resume_run(small.open).unwrap();
    store.close_run(writer, passed()).unwrap();
    assert!(matches!(store.resume_run(small.open), Err(EvidenceError::RunClosed(_))));
    drop(store);
    assert!(verify(&small.dir).unwrap().intact);
}

#[test]
fn events_in_the_wrong_place_are_refused_and_leave_no_trace() {
    let small = small_store();
    let before = fs::read(small.dir.join(format!("runs/{}/journal.jsonl", small.open))).unwrap();
    let store = open(&small.dir, &clock()).unwrap();
    let mut run = store.open_run(opened(&store, "DSGB9")).unwrap();
    for event in [Event::RunClosed(passed()), Event::RunOpened(opened(&store, "DSGB9"))] {
        let refused = run.append(event, Durability::Synced);
        assert!(matches!(refused, Err(EvidenceError::Misplaced { .. })));
    }
    let mut huge = response(1, 200, None);
    huge.elapsed_ns = u64::MAX;
    let refused = run.append(Event::Response(huge), Durability::Synced);
    assert!(refused.unwrap_err().to_string().contains("beyond 2^53 - 1"));
    let waiting = RunClosed { state: RunState::Waiting, failure: None };
    assert!(matches!(store.close_run(run, waiting), Err(EvidenceError::Misplaced { .. })));
    let mut unmarked = opened(&store, "DSGB9");
    unmarked.environment = Environment::Simulator;
    assert!(matches!(store.open_run(unmarked), Err(EvidenceError::Misplaced { .. })));
    let mut nowhere = opened(&store, "DSGB9");
    nowhere.time_scale = f64::NAN;
    assert!(matches!(store.open_run(nowhere), Err(EvidenceError::Unstorable { .. })));
    drop(store);
    assert_eq!(
        fs::read(small.dir.join(format!("runs/{}/journal.jsonl", small.open))).unwrap(),
        before
    );
    assert!(verify(&small.dir).unwrap().intact);
}

#[test]
fn a_body_is_stored_once_and_an_unused_one_not_at_all() {
    let small = small_store();
    let store = open(&small.dir, &clock()).unwrap();
    let redactor = Redactor::new(store.salt(), []);
    let run = store.open_run(opened(&store, "DSGB3")).unwrap();
    let again = run.put_object(b"<sent/>", None, &redactor).unwrap();
    assert_eq!(again.bytes, 7);
    let unused = run.put_object(b"unused", None, &redactor).unwrap();
    assert_eq!(store.read().unwrap().object(&unused).unwrap(), b"unused");
    drop((run, store));
    let report = verify(&small.dir).unwrap();
    assert_eq!((report.problems, report.objects), (vec![], 3));
}

#[test]
fn a_changed_body_is_refused() {
    let small = small_store();
    let store = open(&small.dir, &clock()).unwrap();
    let reader = store.read().unwrap();
    let object = reader.run(small.closed).unwrap().messages[0].body.clone();
    let name = object.sha256.to_string();
    let path = small.dir.join(format!("objects/{}/{}", &name[..2], &name[2..]));
    fs::write(&path, b"<SENT/>").unwrap();
    assert!(matches!(reader.object(&object), Err(EvidenceError::ObjectChanged { .. })));
    let run = store.open_run(opened(&store, "DSGB3")).unwrap();
    let put = run.put_object(b"<sent/>", None, &Redactor::new(b"", []));
    assert!(matches!(put, Err(EvidenceError::ObjectChanged { .. })));
    fs::remove_file(&path).unwrap();
    assert!(reader.object(&object).unwrap_err().to_string().contains(&name[2..]));
}

#[test]
fn one_broken_journal_does_not_hide_the_others() {
    let small = small_store();
    let path = small.dir.join(format!("runs/{}/journal.jsonl", small.open));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"status\":200", "\"status\":201", 1)).unwrap();
    let store = Store::open(&small.dir).unwrap();
    let error = store.runs().unwrap_err().to_string();
    assert!(error.contains(&small.open.to_string()) && error.contains("line 3"), "{error}");
    let (runs, problems) = store.readable_runs();
    assert_eq!((runs.len(), runs[0].run), (1, small.closed));
    assert_eq!(problems[0].place, format!("runs/{}/journal.jsonl", small.open));
    // Nor does it stop new runs; it alone cannot go on. And nothing is mended
    // that no crash has done.
    let before = fs::read(&path).unwrap();
    let writer = open(&small.dir, &clock()).unwrap();
    assert!(matches!(writer.resume_run(small.open), Err(EvidenceError::Line { line: 3, .. })));
    let run = writer.open_run(opened(&writer, "DSGB3")).unwrap();
    writer.close_run(run, passed()).unwrap();
    drop(writer);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!verify(&small.dir).unwrap().intact);
}

#[test]
fn repair_does_not_hide_what_someone_did() {
    let small = small_store();
    let copied = small.dir.join(format!("runs/{}", uuid::Uuid::new_v4()));
    fs::create_dir(&copied).unwrap();
    let journal = format!("runs/{}/journal.jsonl", small.open);
    fs::copy(small.dir.join(&journal), copied.join("journal.jsonl")).unwrap();
    fs::remove_file(small.dir.join(&journal)).unwrap();
    fs::write(small.dir.join("lock"), b"as after a crash").unwrap();
    drop(open(&small.dir, &clock()).unwrap());
    let rules: Vec<_> = verify(&small.dir).unwrap().problems.iter().map(|p| p.rule).collect();
    assert!(rules.contains(&"unindexed-run") && rules.contains(&"missing-journal"), "{rules:?}");

    let small = small_store();
    for file in ["index.jsonl", "store.json"] {
        let path = small.dir.join(file);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(open(&small.dir, &clock()).is_err(), "{file}");
        assert!(!path.exists());
        fs::write(&path, &bytes).unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(open(&small.dir, &clock()).is_err(), "{file}");
        fs::write(&path, bytes).unwrap();
    }
    drop(open(&small.dir, &clock()).unwrap());
    assert!(verify(&small.dir).unwrap().intact);
}

#[test]
fn a_folder_with_other_things_is_not_made_a_store() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), b"x").unwrap();
    let error = open(folder.path(), &clock()).unwrap_err();
    assert!(matches!(&error, EvidenceError::NotAStore { entry, .. } if entry == "thesis.txt"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_store_is_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let small = small_store();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&small.dir), 0o700);
    for file in files(&small.dir) {
        assert_eq!(mode(&small.dir.join(&file)), 0o600, "{}", file.display());
    }
}

/// Secrets reach the store on every way there is; none of their bytes stays.
#[test]
fn no_byte_of_a_secret_is_stored() {
    const TOKEN: &str = "canary-0123456789-token";
    const PASSWORD: &str = "canary/pass word+1";
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("evidence");
    let store = open(&dir, &clock()).unwrap();
    let redactor = Redactor::new(store.salt(), [TOKEN.into(), PASSWORD.into()]);
    let mut run = store.open_run(opened(&store, "DSGB1")).unwrap();
    let bodies = [
        (
            Some("application/json"),
            format!("{{\"access_token\":\"{TOKEN}\",\"x\":\"{PASSWORD}\"}}"),
        ),
        (Some("application/x-www-form-urlencoded"), "a=canary%2Fpass+word%2B1&code=unknown".into()),
        (Some("application/xml"), format!("<a>{TOKEN}</a>")),
        // "canary:canary/pass word+1"
        (None, "Basic Y2FuYXJ5OmNhbmFyeS9wYXNzIHdvcmQrMQ==".into()),
    ];
    for (exchange, (media_type, body)) in (1..).zip(bodies) {
        let object = run.put_object(body.as_bytes(), media_type, &redactor).unwrap();
        assert!(object.redacted);
        let mut event = request(exchange, Purpose::Mail, Some(object));
        event.url = redactor.url(&format!("https://u:{TOKEN}@h/?token={TOKEN}&y={PASSWORD}"));
        event.headers = redactor.headers(&[
            ("Authorization".into(), format!("Bearer {TOKEN}")),
            ("X-Trace".into(), PASSWORD.into()),
        ]);
        run.append(Event::Request(event), Durability::Synced).unwrap();
        let failed = RequestFailed {
            exchange,
            failure: "other".into(),
            detail: redactor.text(&format!("error for https://h/?access_token={TOKEN}")),
            may_have_arrived: false,
        };
        run.append(Event::RequestFailed(failed), Durability::Synced).unwrap();
    }
    store.close_run(run, passed()).unwrap();
    drop(store);
    let mut all = Vec::new();
    for file in files(&dir) {
        all.extend(fs::read(dir.join(file)).unwrap());
    }
    let all = String::from_utf8_lossy(&all);
    for part in
        [TOKEN, PASSWORD, "canary", "unknown", "pass+word", "Y2FuYXJ5L3Bhc3M", "hcnkvcGFzcyB3b3Jk"]
    {
        assert!(!all.contains(part), "{part}");
    }
    assert!(all.matches(&redactor.token(TOKEN.as_bytes())).count() >= 8);
    assert!(verify(&dir).unwrap().intact);
}

const FULL_DISK: &str = "CTC_READY_TEST_FULL_DISK";

/// The part of the next test that runs where files cannot grow.
#[test]
fn with_a_full_disk() {
    let Some(dir) = std::env::var_os(FULL_DISK) else { return };
    let dir = Path::new(&dir);
    let store = open(dir, &clock()).unwrap();
    let redactor = Redactor::new(store.salt(), []);
    let mut run = store.open_run(opened(&store, "DSGB1")).unwrap();
    let large = vec![b'x'; 1 << 20];
    assert!(run.put_object(&large, None, &redactor).is_err());
    let body = run.put_object(b"small", None, &redactor).unwrap();
    let mut exchange = 0;
    let error = loop {
        exchange += 1;
        let event = Event::Request(request(exchange, Purpose::Submit, Some(body.clone())));
        if let Err(error) = run.append(event, Durability::Synced) {
            break error;
        }
        assert!(exchange < 100_000);
    };
    assert!(error.to_string().contains("journal.jsonl"), "{error}");
    let event = Event::Request(request(exchange, Purpose::Submit, Some(body)));
    assert!(run.append(event, Durability::Synced).is_err());
    assert!(store.close_run(run, passed()).is_err());
    fs::write(dir.with_extension("count"), format!("{}", exchange - 1)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_the_store_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("evidence");
    // Files of at most 64 blocks of 512 bytes (or of 1024, as some shells have
    // it); with the signal ignored, writing more is an error. The limit holds
    // for a log that standard output may go to as well: hence the pipes.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["sessions::with_a_full_disk", "--exact", "--test-threads=1"])
        .env(FULL_DISK, &dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let written: u32 = fs::read_to_string(dir.with_extension("count")).unwrap().parse().unwrap();
    assert!(written > 10);
    let store = open(&dir, &clock()).unwrap();
    let run = store.read().unwrap().runs().unwrap().remove(0);
    assert_eq!(run.requests, written);
    let (writer, _) = store.resume_run(run.run).unwrap();
    store.close_run(writer, passed()).unwrap();
    drop(store);
    assert_eq!(verify(&dir).unwrap().problems, []);
}

#[test]
fn ids_of_one_session_sort_by_time() {
    let small = small_store();
    let store = open(&small.dir, &clock()).unwrap();
    let ids: Vec<_> = (0..1000).map(|_| store.new_run_id()).collect();
    assert!(ids.is_sorted());
    assert_eq!(ids[0].get_version_num(), 7);
}

#[test]
fn runs_can_be_written_from_several_threads() {
    let small = small_store();
    let store = Arc::new(open(&small.dir, &clock()).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                let redactor = Redactor::new(store.salt(), []);
                let mut run = store.open_run(opened(&store, &format!("T{thread}"))).unwrap();
                for exchange in 1..=10 {
                    let body = format!("body {exchange}");
                    let body = run.put_object(body.as_bytes(), None, &redactor).unwrap();
                    let event = Event::Request(request(exchange, Purpose::Mail, Some(body)));
                    run.append(event, Durability::Buffered).unwrap();
                }
                store.close_run(run, passed()).unwrap();
            });
        }
    });
    drop(store);
    let report = verify(&small.dir).unwrap();
    assert_eq!((report.problems, report.runs, report.objects), (vec![], 6, 13));
}
