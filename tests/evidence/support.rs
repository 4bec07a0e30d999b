//! A small store to work on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use ctc_ready::clock::{Clock, ManualClock};
use ctc_ready::digest::{Digest, canonical_json};
use ctc_ready::evidence::*;
use ctc_ready::ncts::{MessageType, MovementKind};
use ctc_ready::project::Environment;

pub(crate) const TOOL: &str = "ctc-ready 0.1.0";

pub(crate) fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 9, 30, 0).unwrap()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(start()))
}

pub(crate) fn open(dir: &Path, clock: &Arc<ManualClock>) -> Result<StoreWriter, EvidenceError> {
    StoreWriter::open(dir, Arc::clone(clock) as Arc<dyn Clock>, TOOL)
}

pub(crate) fn opened(store: &StoreWriter, scenario: &str) -> RunOpened {
    RunOpened {
        run: store.new_run_id(),
        programme: "ncts5-final".into(),
        scenario: scenario.into(),
        attempt: store.next_attempt("ncts5-final", scenario),
        environment: Environment::Sandbox,
        simulated: false,
        driver: Driver::Direct,
        software: SoftwareId { name: "S".into(), version: "1".into(), build: None },
        tool: TOOL.into(),
        operator: Some("Zo\u{eb}".into()),
        base_url: "https://test".into(),
        api_version: "2.1".into(),
        time_scale: 1.0,
        session: store.session(),
    }
}

pub(crate) fn request(exchange: u32, purpose: Purpose, body: Option<ObjectRef>) -> Request {
    let submit = purpose == Purpose::Submit;
    Request {
        exchange,
        sent_at: None,
        purpose,
        step: submit.then_some(1),
        message: submit.then_some(MessageType::Ie015),
        lrn: submit.then(|| "LRN1".into()),
        message_identification: None,
        payload_origin: None,
        payload_mutation: None,
        payload_check: None,
        method: if submit { "POST" } else { "GET" }.into(),
        url: "https://test/x".into(),
        headers: vec![("accept".into(), "json".into())],
        body,
    }
}

pub(crate) fn response(exchange: u32, status: u16, body: Option<ObjectRef>) -> Response {
    Response { exchange, status, headers: vec![], body, server_date: None, elapsed_ns: 5 }
}

pub(crate) fn submitted(exchange: u32, body: ObjectRef) -> Submitted {
    Submitted {
        step: 1,
        message: MessageType::Ie015,
        lrn: Some("LRN1".into()),
        mrn: None,
        movement: MovementKind::Departure,
        movement_id: "d1".into(),
        message_id: "m1".into(),
        exchange,
        received: None,
        box_id: None,
        body,
    }
}

pub(crate) fn passed() -> RunClosed {
    RunClosed { state: RunState::Passed, failure: None }
}

pub(crate) struct Small {
    pub(crate) _folder: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) closed: RunId,
    pub(crate) open: RunId,
}

/// A store with a closed run, an open run and three objects.
pub(crate) fn small_store() -> Small {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("evidence");
    let clock = clock();
    let store = open(&dir, &clock).unwrap();
    let redactor = Redactor::new(store.salt(), []);
    let mut a = store.open_run(opened(&store, "DSGB1")).unwrap();
    clock.advance(Duration::from_millis(1500));
    let body = a.put_object(b"<sent/>", Some("application/xml"), &redactor).unwrap();
    let request_a = request(1, Purpose::Submit, Some(body.clone()));
    a.append(Event::Request(request_a), Durability::Synced).unwrap();
    let answer = a.put_object(b"{}", Some("application/json"), &redactor).unwrap();
    a.append(Event::Response(response(1, 202, Some(answer))), Durability::Buffered).unwrap();
    a.append(Event::Submitted(submitted(1, body)), Durability::Synced).unwrap();
    let closed = a.run();
    let mut b = store.open_run(opened(&store, "DSGB2")).unwrap();
    let open = b.run();
    let poll = request(1, Purpose::ListMovements, None);
    b.append(Event::Request(poll), Durability::Buffered).unwrap();
    let list = b.put_object(b"[]", Some("application/json"), &redactor).unwrap();
    b.append(Event::Response(response(1, 200, Some(list))), Durability::Synced).unwrap();
    store.close_run(a, passed()).unwrap();
    Small { _folder: folder, dir, closed, open }
}

/// Every file of a store that is evidence, relative to its folder.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    fn walk(root: &Path, at: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(at).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                walk(root, &entry.path(), found);
            } else if entry.file_name() != "lock" && entry.file_name() != "salt" {
                found.push(entry.path().strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}

/// Writes a chain anew with right hashes, as someone would who knows the
/// format; `change` may change a line's event.
pub(crate) fn rechain(text: &str, change: impl Fn(&mut serde_json::Value)) -> String {
    let mut prev = Digest::ZERO;
    let mut out = String::new();
    for (seq, line) in text.lines().enumerate() {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        change(&mut value);
        let members = value.as_object_mut().unwrap();
        members.remove("hash");
        members.insert("seq".into(), seq.into());
        members.insert("prev".into(), prev.to_string().into());
        prev = Digest::of(canonical_json(&value).as_bytes());
        value.as_object_mut().unwrap().insert("hash".into(), prev.to_string().into());
        out += &(canonical_json(&value) + "\n");
    }
    out
}
