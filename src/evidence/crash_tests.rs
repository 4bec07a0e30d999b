//! Crashes at every operation on files, simulated by [`crate::files`]: the
//! store opens again, nothing acknowledged is lost, and it verifies.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeZone, Utc};

use super::seal::KeyRing;
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::files::fault;
use crate::ncts::{MessageType, MovementKind};
use crate::project::Environment;

/// What the store has said is safe.
#[derive(Default)]
struct Acknowledged {
    events: Vec<(RunId, Recorded)>,
    closed: Vec<RunId>,
    objects: Vec<ObjectRef>,
}

impl Acknowledged {
    fn note(&mut self, run: RunId, recorded: Recorded) {
        self.events.push((run, recorded));
    }

    /// Whether the store still has all of it.
    fn check(&self, store: &Store) {
        for (run, recorded) in &self.events {
            let events = store.events(*run).unwrap();
            assert_eq!(events.get(recorded.seq as usize), Some(recorded));
        }
        for run in &self.closed {
            assert_eq!(store.run(*run).unwrap().state, RunState::Passed);
        }
        for object in &self.objects {
            store.object(object).unwrap();
        }
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Utc.with_ymd_and_hms(2026, 11, 21, 9, 30, 0).unwrap()))
}

fn opened(store: &StoreWriter, scenario: &str) -> RunOpened {
    RunOpened {
        run: store.new_run_id(),
        programme: "ncts5-final".into(),
        scenario: scenario.into(),
        attempt: store.next_attempt("ncts5-final", scenario),
        environment: Environment::Sandbox,
        simulated: false,
        driver: Driver::Direct,
        software: SoftwareId { name: "S".into(), version: "1".into(), build: None },
        tool: "test".into(),
        operator: None,
        base_url: "https://test-api.service.hmrc.gov.uk".into(),
        api_version: "2.1".into(),
        time_scale: 1.0 / 60.0,
        session: store.session(),
    }
}

fn request(exchange: u32, body: Option<ObjectRef>) -> Event {
    Event::Request(Request {
        exchange,
        sent_at: None,
        purpose: Purpose::Submit,
        step: Some(1),
        message: Some(MessageType::Ie015),
        lrn: Some("LRN1".into()),
        message_identification: None,
        payload_origin: None,
        payload_mutation: None,
        payload_check: None,
        method: "POST".into(),
        url: "https://test-api.service.hmrc.gov.uk/customs/transits/movements/departures".into(),
        headers: vec![("accept".into(), "application/vnd.hmrc.2.1+json".into())],
        body,
    })
}

fn response(exchange: u32, body: Option<ObjectRef>) -> Event {
    Event::Response(Response {
        exchange,
        status: 202,
        headers: Vec::new(),
        body,
        server_date: None,
        elapsed_ns: 1,
    })
}

fn submitted(exchange: u32, body: ObjectRef) -> Event {
    Event::Submitted(Submitted {
        step: 1,
        message: MessageType::Ie015,
        lrn: Some("LRN1".into()),
        mrn: None,
        movement: MovementKind::Departure,
        movement_id: "0123456789abcdef".into(),
        message_id: "fedcba9876543210".into(),
        exchange,
        received: None,
        box_id: None,
        body,
    })
}

fn passed() -> RunClosed {
    RunClosed { state: RunState::Passed, failure: None }
}

fn open(dir: &Path, clock: &Arc<ManualClock>) -> Result<StoreWriter, EvidenceError> {
    clock.advance(Duration::from_millis(7));
    StoreWriter::open(dir, Arc::clone(clock) as Arc<dyn Clock>, "test 1")
}

/// Two runs, one closed; then another process that takes the other one up.
fn two_sessions(dir: &Path, known: &mut Acknowledged) -> Result<(), EvidenceError> {
    use Durability::{Buffered, Synced};
    let clock = clock();
    let redactor = Redactor::new(b"", []);
    let b = {
        let store = open(dir, &clock)?;
        let mut a = store.open_run(opened(&store, "DSGB1"))?;
        let body = a.put_object(b"<one/>", Some("application/xml"), &redactor)?;
        known.note(a.run(), a.append(request(1, Some(body.clone())), Synced)?);
        known.objects.push(body.clone());
        let answer = a.put_object(b"{}", Some("application/json"), &redactor)?;
        known.note(a.run(), a.append(response(1, Some(answer.clone())), Buffered)?);
        known.objects.push(answer);
        known.note(a.run(), a.append(submitted(1, body), Synced)?);
        let mut b = store.open_run(opened(&store, "DSGB2"))?;
        known.note(b.run(), b.append(request(1, None), Buffered)?);
        let run = a.run();
        known.note(run, store.close_run(a, passed())?);
        known.closed.push(run);
        b.put_object(b"no line will refer to this", None, &redactor)?;
        b.run()
    };
    let store = open(dir, &clock)?;
    let (mut writer, events) = store.resume_run(b)?;
    events.into_iter().for_each(|recorded| known.note(b, recorded));
    let body = writer.put_object(b"<two/>", None, &redactor)?;
    known.note(b, writer.append(request(2, Some(body.clone())), Buffered)?);
    known.objects.push(body);
    known.note(b, store.close_run(writer, passed())?);
    known.closed.push(b);
    Ok(())
}

/// A run is sealed while it is open, then when it is closed and by the next
/// key, each time once more for nothing; what was given back is still there.
fn sealing(
    dir: &Path,
    keys: &mut [KeyRing; 2],
    sealed: &mut Vec<Sealed>,
) -> Result<(), EvidenceError> {
    let clock = clock();
    let store = open(dir, &clock)?;
    let mut run = store.open_run(opened(&store, "DSGB1"))?;
    run.append(request(1, None), Durability::Buffered)?;
    let [first, second] = keys;
    sealed.push(store.seal(first)?);
    run.append(request(2, None), Durability::Buffered)?;
    store.close_run(run, passed())?;
    sealed.push(store.seal(second)?);
    sealed.push(store.seal(second)?);
    drop(store);
    let store = open(dir, &clock)?;
    let run = store.open_run(opened(&store, "DSGB2"))?;
    store.close_run(run, passed())?;
    sealed.push(store.seal(second)?);
    Ok(())
}

#[test]
fn after_a_crash_while_sealing_every_seal_given_back_holds_and_the_next_is_made() {
    let home = tempfile::tempdir().unwrap();
    let first = KeyRing::generate(home.path()).unwrap();
    let mut rotated = KeyRing::load(home.path()).unwrap();
    rotated.rotate().unwrap();
    let mut keys = [first, rotated];
    let (mut crashes, mut finished) = (0, 0);
    for percent in [0, 50, 100] {
        for operations in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let store = dir.path().join("evidence");
            let mut sealed = Vec::new();
            fault::arm(operations, percent);
            let result = sealing(&store, &mut keys, &mut sealed);
            if !fault::disarm() {
                result.unwrap();
                assert_eq!(sealed.iter().map(|it| it.number).collect::<Vec<_>>(), [1, 2, 2, 3]);
                break;
            }
            crashes += 1;
            fault::arm(u64::MAX, 0);
            drop(open(&store, &clock()).unwrap());
            let report = verify(&store).unwrap();
            assert_eq!(report.problems, [], "{percent} % of operation {operations}");
            assert!(report.seals.iter().all(|seal| seal.valid));
            let given = sealed.last().map_or(0, |seal| seal.number);
            let there = report.seals.len() as u64;
            assert!(there >= given, "{there} {given}");
            finished += there - given;
            let writer = open(&store, &clock()).unwrap();
            writer.seal(&keys[1]).unwrap();
            let report = verify(&store).unwrap();
            assert_eq!((report.problems, report.unsealed_runs.len()), (vec![], 0));
            fault::disarm();
        }
    }
    assert!(crashes > 150, "{crashes}");
    // Seals whose file was there, and whose line was not.
    assert!(finished > 5, "{finished}");
}

fn assert_intact(dir: &Path) {
    let report = verify(dir).unwrap();
    assert_eq!(report.problems, []);
    assert!(fs::read_dir(dir.join("tmp")).unwrap().next().is_none());
    assert_eq!(fs::read(dir.join("lock")).unwrap(), b"");
}

/// Opens the store as the next process would, checks it, and finishes its work.
fn recover(dir: &Path, known: &Acknowledged) {
    // Counts no operation down, and spares the disk the syncs.
    fault::arm(u64::MAX, 0);
    let clock = clock();
    let store = open(dir, &clock).unwrap();
    known.check(&store.read().unwrap());
    drop(store);
    assert_intact(dir);
    let store = open(dir, &clock).unwrap();
    for record in store.read().unwrap().runs().unwrap() {
        if record.state == RunState::Waiting {
            let (mut writer, _) = store.resume_run(record.run).unwrap();
            writer.append(request(9, None), Durability::Buffered).unwrap();
            store.close_run(writer, passed()).unwrap();
        }
    }
    known.check(&store.read().unwrap());
    drop(store);
    assert_intact(dir);
    fault::disarm();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn after_a_crash_at_any_operation_nothing_acknowledged_is_lost() {
    let mut crashes = 0;
    for percent in [0, 50, 100] {
        for operations in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let store = dir.path().join("evidence");
            let mut known = Acknowledged::default();
            fault::arm(operations, percent);
            let result = two_sessions(&store, &mut known);
            if !fault::disarm() {
                result.unwrap();
                assert_eq!(known.closed.len(), 2);
                break;
            }
            crashes += 1;
            recover(&store, &known);
        }
    }
    assert!(crashes > 200, "{crashes}");
}

#[test]
fn a_crash_during_repair_is_repaired_too() {
    // Every fifth operation: each is followed by a crash at every operation of
    // the repair.
    for operations in (0..).step_by(5) {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("evidence");
        let mut known = Acknowledged::default();
        fault::arm(operations, 50);
        let _ = two_sessions(&store, &mut known);
        if !fault::disarm() {
            break;
        }
        for again in 0.. {
            let other = dir.path().join(format!("copy-{again}"));
            if store.exists() {
                copy(&store, &other);
            }
            fault::arm(again, 50);
            let result = open(&other, &clock()).map(drop);
            if !fault::disarm() {
                result.unwrap();
                break;
            }
            recover(&other, &known);
        }
    }
}

#[test]
fn a_loss_of_power_takes_buffered_lines_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let origin = dir.path().join("evidence");
    let clock = clock();
    let store = open(&origin, &clock).unwrap();
    let mut run = store.open_run(opened(&store, "DSGB1")).unwrap();
    let id = run.run();
    let mut known = Acknowledged::default();
    known.note(id, run.append(request(1, None), Durability::Synced).unwrap());
    let journal = origin.join(format!("runs/{id}/journal.jsonl"));
    let synced = fs::metadata(&journal).unwrap().len();
    run.append(response(1, None), Durability::Buffered).unwrap();
    run.append(request(2, None), Durability::Buffered).unwrap();
    let whole = fs::read(&journal).unwrap();
    fault::arm(0, 0);
    drop((run, store));
    fault::disarm();

    let torn = |cut: u64| {
        let kept = &whole[..cut as usize];
        cut - kept.iter().rposition(|byte| *byte == b'\n').unwrap() as u64 - 1
    };
    for cut in synced..=whole.len() as u64 {
        let copied = dir.path().join(format!("{cut}"));
        copy(&origin, &copied);
        let journal = copied.join(format!("runs/{id}/journal.jsonl"));
        files_truncate(&journal, cut);
        if torn(cut) > 0 {
            let problems = verify(&copied).unwrap().problems;
            assert!(problems.iter().any(|problem| problem.rule == "torn-line"), "{problems:?}");
        }
        // Told to whoever resumes it, even if that is a later process still.
        fault::arm(u64::MAX, 0);
        drop(open(&copied, &clock).unwrap());
        let store = open(&copied, &clock).unwrap();
        let (writer, events) = store.resume_run(id).unwrap();
        let Event::RunResumed(resumed) = &events.last().unwrap().event else { panic!() };
        assert_eq!(resumed.cut_bytes, torn(cut));
        drop((writer, store));
        recover(&copied, &known);
    }
}

#[test]
fn zeros_at_the_end_of_a_journal_are_a_torn_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut known = Acknowledged::default();
    let store = open(dir.path(), &clock()).unwrap();
    let mut run = store.open_run(opened(&store, "DSGB1")).unwrap();
    known.note(run.run(), run.append(request(1, None), Durability::Synced).unwrap());
    let journal = dir.path().join(format!("runs/{}/journal.jsonl", run.run()));
    fault::arm(0, 0);
    drop((run, store));
    fault::disarm();
    let length = fs::metadata(&journal).unwrap().len();
    files_truncate(&journal, length + 4096);
    recover(dir.path(), &known);
}

fn files_truncate(path: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// A store with three closed runs of one scenario, two of which share a body,
/// and an open one; none of it acknowledged anew.
fn with_history(dir: &Path) -> (Vec<RunId>, Acknowledged) {
    let clock = clock();
    let mut known = Acknowledged::default();
    let redactor = Redactor::new(b"", []);
    let store = open(dir, &clock).unwrap();
    let mut runs = Vec::new();
    for body in [&b"<shared/>"[..], b"<alone/>", b"<shared/>"] {
        let mut run = store.open_run(opened(&store, "DSGB1")).unwrap();
        let body = run.put_object(body, None, &redactor).unwrap();
        known.note(
            run.run(),
            run.append(request(1, Some(body.clone())), Durability::Synced).unwrap(),
        );
        known.objects.push(body);
        let id = run.run();
        known.note(id, store.close_run(run, passed()).unwrap());
        runs.push(id);
    }
    let mut run = store.open_run(opened(&store, "DSGB2")).unwrap();
    known.note(run.run(), run.append(request(1, None), Durability::Synced).unwrap());
    // The first two go, and the body of the second with it.
    let gone = &runs[..2];
    known.events.retain(|(run, _)| !gone.contains(run));
    known.objects.remove(1);
    known.closed.push(runs[2]);
    (runs, known)
}

#[test]
fn a_crash_while_runs_are_removed_is_finished_by_the_next_process() {
    let origin = tempfile::tempdir().unwrap();
    let (runs, known) = with_history(origin.path());
    let gone: std::collections::BTreeSet<RunId> = runs[..2].iter().copied().collect();
    let mut crashes = 0;
    for percent in [0, 50, 100] {
        for operations in 0.. {
            let dir = tempfile::tempdir().unwrap();
            copy(origin.path(), dir.path());
            let clock = clock();
            let store = open(dir.path(), &clock).unwrap();
            fault::arm(operations, percent);
            let result = store.remove_runs(&gone, "no room");
            drop(store);
            let crashed = fault::disarm();
            crashes += usize::from(crashed);
            // Whatever happened, readers read on.
            let (records, problems) = Store::open(dir.path()).unwrap().readable_runs();
            assert!(problems.is_empty() && records.len() >= 2, "{problems:?}");

            recover(dir.path(), &known);
            let store = Store::open(dir.path()).unwrap();
            let removed: Vec<RunId> = store.removed().map(|(run, _)| run).collect();
            // One after the other, and each as a whole.
            assert!(runs[..2].starts_with(&removed), "{removed:?}");
            for run in &runs {
                let there = dir.path().join(format!("runs/{run}")).exists();
                assert_eq!(there, !removed.contains(run));
                assert_eq!(store.run(*run).is_ok(), there);
            }
            if !crashed {
                result.unwrap();
                assert_eq!(removed, runs[..2]);
                let objects = verify(dir.path()).unwrap().objects;
                assert_eq!(objects, 1, "the shared body stays, the other goes");
                break;
            }
        }
    }
    assert!(crashes > 30, "{crashes}");
}

#[test]
fn a_crash_during_the_repair_of_a_removal_is_repaired_too() {
    let origin = tempfile::tempdir().unwrap();
    let (runs, known) = with_history(origin.path());
    let gone: std::collections::BTreeSet<RunId> = runs[..2].iter().copied().collect();
    for operations in (0..).step_by(3) {
        let half = tempfile::tempdir().unwrap();
        copy(origin.path(), half.path());
        let store = open(half.path(), &clock()).unwrap();
        fault::arm(operations, 50);
        let _ = store.remove_runs(&gone, "no room");
        drop(store);
        if !fault::disarm() {
            break;
        }
        for again in 0.. {
            let dir = tempfile::tempdir().unwrap();
            copy(half.path(), dir.path());
            fault::arm(again, 50);
            let result = open(dir.path(), &clock()).map(drop);
            if !fault::disarm() {
                result.unwrap();
                break;
            }
            recover(dir.path(), &known);
        }
    }
}
