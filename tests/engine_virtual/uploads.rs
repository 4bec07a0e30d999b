//! Large messages over the simulator: announced, uploaded and asked for, with
//! answers lost, files refused, and killed at any moment.

use std::path::Path;
use std::time::Duration as StdDuration;

use ctc_ready::catalogue::Catalogue;
use ctc_ready::engine::Outcome;
use ctc_ready::engine::batch::Job;
use ctc_ready::evidence::{Event, Purpose, Recorded, RunState, verify};
use ctc_ready::hmrc::transport::{Call, Method};
use ctc_ready::ncts::MessageType;
use ctc_ready::ncts::build::Stamp;
use ctc_ready::payload::{Payloads, Sources};
use ctc_ready::project::Environment;
use ctc_ready::simulator::SimulatorOptions;

use crate::assert_passed;
use crate::fake::{answer, lost};
use crate::inside::{Bay, Fate};

/// A little more than the API takes as it is.
const LARGE: usize = 5_100_000;

/// What the simulator's uploader takes for a virus.
const VIRUS: &str = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE";

/// Writes a declaration of `bytes` bytes for DSGB1: nothing but spaces is
/// added to the usual one, and `comment` before it.
fn write_declaration(folder: &Path, bytes: usize, comment: &str) {
    let catalogue = Catalogue::built_in().unwrap();
    let payloads = Payloads::new(Sources::default(), &catalogue).unwrap();
    let programme = catalogue.programme("ncts5-final").unwrap();
    let scenario = catalogue.scenario("ncts5-final", "DSGB1").unwrap();
    let stamp = Stamp {
        message: MessageType::Ie015,
        lrn: "LRN1".into(),
        mrn: None,
        message_identification: "ID1".into(),
        message_sender: None,
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
    };
    let xml = payloads.to_send(programme, scenario, 1, &stamp).unwrap().xml;
    let root = xml.find("<ncts:CC015C").unwrap();
    let end = xml.trim_end().rfind("</").unwrap();
    let spaces = " ".repeat(bytes - xml.len());
    let text = format!("{comment}{}{spaces}{}", &xml[root..end], &xml[end..]);
    std::fs::create_dir_all(folder.join("DSGB1")).unwrap();
    std::fs::write(folder.join("DSGB1/1-IE015.xml"), text).unwrap();
}

fn bay(bytes: usize, comment: &str) -> Bay {
    let mut bay = Bay::new(Environment::Simulator, SimulatorOptions::default());
    let folder = bay.dir.path().join("payloads");
    write_declaration(&folder, bytes, comment);
    bay.folder = Some(folder);
    bay
}

fn is_upload(call: &Call) -> bool {
    call.url.ends_with("/upload")
}

fn is_announcement(call: &Call) -> bool {
    call.method == Method::Post && call.body.is_none()
}

fn job(bay: &Bay) -> Job {
    bay.job("ncts5-final", "DSGB1")
}

/// What becomes of the first calls of a kind.
fn script(bay: &Bay, kind: fn(&Call) -> bool, fates: Vec<Fate>) {
    let mut fates = fates.into_iter();
    bay.hook(move |call| match kind(call) {
        true => fates.next().unwrap_or(Fate::Arrives),
        false => Fate::Arrives,
    });
}

/// How many announcements and uploads left.
fn left(events: &[Recorded]) -> (usize, usize) {
    let of = |purpose| {
        let is =
            |line: &&Recorded| matches!(&line.event, Event::Request(it) if it.purpose == purpose);
        events.iter().filter(is).count()
    };
    (of(Purpose::Announce), of(Purpose::Submit))
}

/// It passed, and the API took its declaration once.
async fn assert_taken_once(bay: &Bay, outcome: &Outcome) {
    assert_passed(outcome);
    assert_eq!(verify(&bay.evidence()).unwrap().problems, []);
    let movements = bay.get("/customs/transits/movements/departures").await;
    let movements = movements["departures"].as_array().unwrap().iter();
    let lrns: Vec<&str> =
        movements.filter_map(|movement| movement["localReferenceNumber"].as_str()).collect();
    assert_eq!(lrns, [outcome.runs[0].lrn.as_deref().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn a_large_declaration_is_announced_uploaded_and_taken() {
    let mut bay = bay(LARGE, "");
    let jobs = vec![job(&bay)];
    let outcome = bay.run(jobs).await.unwrap();
    assert_taken_once(&bay, &outcome).await;
    let events = bay.events(outcome.runs[0].run);
    assert_eq!(left(&events), (1, 1));
    let store = bay.store();
    let record = store.run(outcome.runs[0].run).unwrap();
    let sent = record.message(MessageType::Ie015).unwrap();
    assert!(sent.body.bytes >= LARGE as u64 && sent.received.is_some(), "{sent:?}");
    // The file is kept, and not the form around it; nor what opens the place.
    let xml = store.object(&sent.body).unwrap();
    assert!(xml.starts_with(b"<ncts:CC015C") || xml.starts_with(b"<?xml"));
    assert_eq!(sent.body.media_type.as_deref(), Some("application/xml"));
    let told = events.iter().find_map(|line| match &line.event {
        Event::Response(response) if response.status == 202 => response.body.clone(),
        _ => None,
    });
    let told = String::from_utf8(store.object(&told.unwrap()).unwrap()).unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    for field in ["key", "policy", "x-amz-signature", "x-amz-credential"] {
        let value = told["uploadRequest"]["fields"][field].as_str().unwrap();
        assert!(value.starts_with("redacted:"), "{field}: {value}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_uploaded_twice_without_asking_between() {
    let arrives = || Fate::Arrives;
    // What is lost; announcements and uploads that leave.
    for (kind, fates, wanted) in [
        (is_announcement as fn(&Call) -> bool, vec![Fate::Unanswered], (2, 1)),
        (is_announcement, vec![Fate::Answered(Ok(answer(503, "{}")))], (2, 1)),
        (is_announcement, vec![Fate::Answered(Ok(answer(202, "{}")))], (2, 1)),
        (is_upload, vec![Fate::Unanswered], (1, 1)),
        (is_upload, vec![Fate::Answered(Err(lost()))], (2, 2)),
        (is_upload, vec![Fate::Answered(Ok(answer(403, "<Error/>"))), arrives()], (2, 2)),
    ] {
        let mut bay = bay(LARGE, "");
        script(&bay, kind, fates);
        let jobs = vec![job(&bay)];
        let outcome = bay.run(jobs).await.unwrap();
        assert_taken_once(&bay, &outcome).await;
        assert_eq!(left(&bay.events(outcome.runs[0].run)), wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn whenever_it_is_killed_it_is_taken_once() {
    // While it is announced, between, while it is uploaded, before its status is
    // asked for and told.
    for milliseconds in [40, 120, 200, 280, 900, 2_360, 2_440, 3_000] {
        let mut bay = bay(LARGE, "");
        let job = job(&bay);
        let outcome = bay.run_killed(job, StdDuration::from_millis(milliseconds)).await;
        assert_taken_once(&bay, &outcome).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_file_ends_the_run() {
    // By the uploader at once; by the API once it has looked at it.
    for (comment, fates, told) in [
        (
            String::new(),
            vec![Fate::Answered(Ok(answer(400, "<Error/>")))],
            "the API refused the IE015 with HTTP 400",
        ),
        (format!("<!--{VIRUS}-->"), vec![], "the API refused the uploaded IE015"),
    ] {
        let mut bay = bay(LARGE, &comment);
        script(&bay, is_upload, fates);
        let jobs = vec![job(&bay)];
        let outcome = bay.run(jobs).await.unwrap();
        let failure = outcome.runs[0].failure.as_ref().unwrap();
        assert_eq!(failure.reason, "refused-by-api");
        assert!(failure.message.starts_with(told), "{}", failure.message);
        assert_eq!(verify(&bay.evidence()).unwrap().problems, []);
    }
}

/// The uploader says that it has the file, and nothing comes of it.
#[tokio::test(start_paused = true)]
async fn a_file_that_gets_lost_stops_the_run() {
    let mut bay = bay(LARGE, "");
    script(&bay, is_upload, vec![Fate::Answered(Ok(answer(204, "")))]);
    let jobs = vec![job(&bay)];
    let outcome = bay.run(jobs).await.unwrap();
    assert_eq!(outcome.runs[0].state, RunState::Waiting);
    let why = &outcome.stalled[0].1;
    assert!(why.contains("was uploaded, and the API has not said within 15 minutes"), "{why}");
    // It is asked ever more rarely.
    assert!(outcome.requests < 50, "{}", outcome.requests);
}

#[tokio::test(start_paused = true)]
async fn what_is_larger_than_the_api_takes_is_held_back() {
    let mut bay = bay(8_000_010, "");
    let jobs = vec![job(&bay)];
    let outcome = bay.run(jobs).await.unwrap();
    assert_eq!((outcome.runs.len(), outcome.requests), (0, 0));
    let reason = &outcome.held_back[0].reason;
    assert!(reason.contains("larger than 8000000 bytes"), "{reason}");
}
