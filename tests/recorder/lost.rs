//! Recorders that are killed, answers that get lost, software that strays.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::between::{
    self, DEPARTURES, MOVEMENT, Raw, Recording, Server, answer, events, request, send, try_send,
    xml,
};
use crate::support::Project;

const SENT: &str = "66a0000033334444";
const CAME: &str = "66a0000055556666";
const LRN: &str = "DSGB1-7";

fn declaration() -> Vec<u8> {
    let body = xml("CC015C", &format!("<LRN>{LRN}</LRN>"));
    request(&format!("POST {DEPARTURES}"), "json", Some(("application/xml", body.as_bytes())))
}

fn get(path: &str, accept: &str) -> Vec<u8> {
    request(&format!("GET {path}"), accept, None)
}

/// The API with one movement of one declaration and one message of NCTS.
fn api(raw: &Raw) -> Vec<u8> {
    let path = raw.line.split(' ').nth(1).unwrap();
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    let at = "2026-11-20T09:00:00.123Z";
    let one = format!("{DEPARTURES}/{MOVEMENT}/messages");
    let movement = json!({"id": MOVEMENT, "updated": at, "localReferenceNumber": LRN});
    let messages = json!({"totalCount": 2, "messages": [
        {"id": CAME, "received": at, "type": "IE928", "status": "Received"},
        {"id": SENT, "received": at, "type": "IE015", "status": "Success"},
    ]});
    if raw.line.starts_with("POST ") {
        between::json("202 Accepted", &json!({"departureId": MOVEMENT, "messageId": SENT}))
    } else if path == DEPARTURES {
        between::json("200 OK", &json!({"totalCount": 1, "departures": [movement]}))
    } else if path == one {
        between::json("200 OK", &messages)
    } else if path == format!("{one}/{CAME}/body") {
        answer("200 OK", "application/xml", xml("CC928C", &format!("<LRN>{LRN}</LRN>")).as_bytes())
    } else {
        between::json("404 Not Found", &json!({"code": "NOT_FOUND"}))
    }
}

#[test]
fn a_recorder_killed_while_a_message_is_on_its_way_learns_its_fate_later() {
    let project = Project::new();
    let posts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&posts);
    let server = Server::start(move |raw| {
        if raw.line.starts_with("POST ") && counted.fetch_add(1, Ordering::SeqCst) == 0 {
            // It has the message, and says so to nobody.
            thread::sleep(Duration::from_secs(3600));
        }
        Some(api(raw))
    });
    let recording = Recording::start(&project, &server.base_url, &[]);
    let host = recording.host.clone();
    let software = thread::spawn(move || try_send(&host, &declaration()));
    while posts.load(Ordering::SeqCst) == 0 {
        thread::sleep(Duration::from_millis(10));
    }
    recording.kill();
    assert!(software.join().unwrap().is_none());

    let recording = Recording::start(&project, &server.base_url, &[]);
    recording.until("whether the IE015 arrived is not known");
    send(&recording.host, &get(&format!("{DEPARTURES}?localReferenceNumber={LRN}"), "json"));
    send(&recording.host, &get(&format!("{DEPARTURES}/{MOVEMENT}/messages"), "json"));
    for _ in 0..2 {
        send(
            &recording.host,
            &get(&format!("{DEPARTURES}/{MOVEMENT}/messages/{CAME}/body"), "xml"),
        );
    }
    recording.until("got IE928");
    let (code, report) = recording.stop();
    let runs = report["runs"].as_array().unwrap();
    assert_eq!((code, runs.len(), &runs[0]["scenario"]), (5, 1, &"DSGB1".into()));
    let of = |kind| events(&project, &runs[0]["run"], kind);
    assert_eq!(of("looked-up")[0]["found"], true);
    assert_eq!(of("submitted")[0]["message_id"], SENT);
    let received = of("received");
    assert_eq!((received.len(), &received[0]["message"]), (1, &"IE928".into()));
    project.call(&["verify"]).code(0);
    // The API's own time, which the list told, makes it older than our clock.
    let listed = project.json(&["evidence", "list"], 0);
    assert_eq!(listed["runs"][0]["first_submission"], "2026-11-20T09:00:00.123Z");
}

#[test]
fn software_that_goes_away_leaves_the_truth_behind() {
    let project = Project::new();
    let (began, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (told, wait) = (Arc::clone(&began), Arc::clone(&ends));
    let server = Server::start(move |raw| {
        told.fetch_add(1, Ordering::SeqCst);
        while wait.load(Ordering::SeqCst) == 0 {
            thread::sleep(Duration::from_millis(10));
        }
        Some(api(raw))
    });
    let recording = Recording::start(&project, &server.base_url, &[]);
    {
        use std::io::Write;
        let mut gone = std::net::TcpStream::connect(&recording.host).unwrap();
        gone.write_all(&declaration()).unwrap();
        while began.load(Ordering::SeqCst) == 0 {
            thread::sleep(Duration::from_millis(10));
        }
        // Half a message: it must not leave.
        let mut half = std::net::TcpStream::connect(&recording.host).unwrap();
        let whole = declaration();
        half.write_all(&whole[..whole.len() - 20]).unwrap();
        half.shutdown(std::net::Shutdown::Write).unwrap();
        gone.shutdown(std::net::Shutdown::Both).unwrap();
    }
    recording.until("nothing of it was passed on");
    ends.store(1, Ordering::SeqCst);
    recording.until("sent IE015");
    let (_, report) = recording.stop();
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(events(&project, &runs[0]["run"], "submitted").len(), 1, "HMRC has it");
    assert_eq!(server.heard().len(), 1);
}

#[test]
fn a_message_out_of_order_is_told_at_once_and_ends_the_run() {
    let project = Project::new();
    let server = Server::start(|raw| Some(api(raw)));
    let recording = Recording::start(&project, &server.base_url, &["--scenario", "PSGB1"]);
    send(&recording.host, &declaration());
    let cancel = xml("CC014C", "<LRN>DSGB1-7</LRN>");
    let path = format!("POST {DEPARTURES}/{MOVEMENT}/messages");
    let body = Some(("application/xml", cancel.as_bytes()));
    assert_eq!(send(&recording.host, &request(&path, "json", body)).line, "HTTP/1.1 202 Accepted");
    recording.until("PSGB1: the software sends IE014, where step 2 sends IE170");
    recording.until("FAILED");
    // Whatever comes after is of no open run.
    send(&recording.host, &request(&path, "json", body));
    recording.until("it is of no open run");
    let (code, report) = recording.stop();
    let failure = &report["runs"][0]["failure"];
    assert_eq!(
        (code, &failure["reason"], &failure["step"]),
        (1, &"out-of-order".into(), &2.into())
    );
}

#[test]
fn of_two_messages_at_once_the_second_waits_for_the_first() {
    let project = Project::new();
    let under_way = Arc::new(AtomicUsize::new(0));
    let at_once = Arc::new(AtomicUsize::new(0));
    let (busy, most) = (Arc::clone(&under_way), Arc::clone(&at_once));
    let server = Server::start(move |raw| {
        let now = busy.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(200));
        busy.fetch_sub(1, Ordering::SeqCst);
        Some(api(raw))
    });
    let recording = Recording::start(&project, &server.base_url, &["--scenario", "ANGB1"]);
    send(&recording.host, &declaration());
    let path = format!("POST {DEPARTURES}/{MOVEMENT}/messages");
    let amend = xml("CC013C", "<LRN>DSGB1-7</LRN>");
    let bytes = request(&path, "json", Some(("application/xml", amend.as_bytes())));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(send(&recording.host, &bytes).line, "HTTP/1.1 202 Accepted"));
        }
    });
    assert_eq!(at_once.load(Ordering::SeqCst), 1);
    assert_eq!(server.heard().len(), 3, "both were passed on");
    let (code, report) = recording.stop();
    assert_eq!((code, &report["runs"][0]["failure"]["reason"]), (1, &"out-of-order".into()));
}

#[test]
fn json_is_kept_as_it_is_and_a_large_message_says_that_it_was_not_seen() {
    let project = Project::new();
    let server = Server::start(|raw| {
        let path = raw.line.split(' ').nth(1).unwrap().to_owned();
        let message = json!({"n1:CC928C": {"TransitOperation": {"LRN": LRN}}});
        let at = "2026-11-20T09:00:00Z";
        Some(match path.strip_prefix(&format!("{DEPARTURES}/{MOVEMENT}/messages/")) {
            None => api(raw),
            Some(_) => between::json(
                "200 OK",
                &json!(
                    {"id": CAME, "received": at, "type": "IE928", "body": message}
                ),
            ),
        })
    });
    let recording = Recording::start(&project, &server.base_url, &[]);
    let sent = json!({"n1:CC015C": {"@PhaseID": "NCTS5.1", "TransitOperation": {"LRN": LRN}}});
    let text = sent.to_string().replace(',', " ,\n");
    let body = Some(("application/json", text.as_bytes()));
    send(&recording.host, &request(&format!("POST {DEPARTURES}"), "json", body));
    send(&recording.host, &get(&format!("{DEPARTURES}/{MOVEMENT}/messages/{CAME}"), "json"));
    recording.until("got IE928");
    let (_, report) = recording.stop();
    let run = &report["runs"][0]["run"];
    let digest = |event: &Value| event["body"]["sha256"].as_str().unwrap().to_owned();
    let kept = digest(&events(&project, run, "submitted")[0]);
    let file = project.evidence().join("objects").join(&kept[..2]).join(&kept[2..]);
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    let received = &events(&project, run, "received")[0];
    assert_eq!(
        (&received["lrn"], &received["received"]),
        (&LRN.into(), &"2026-11-20T09:00:00Z".into())
    );

    // An upload elsewhere: no body passes by, and the evidence says so.
    let project = Project::new();
    let server = Server::start(|_| {
        let upload = json!({"href": "https://upload.example/", "fields": {}});
        let told = json!({"departureId": MOVEMENT, "messageId": SENT, "uploadRequest": upload});
        Some(between::json("202 Accepted", &told))
    });
    let recording = Recording::start(&project, &server.base_url, &["--scenario", "DSGB1"]);
    let bare = format!("POST {DEPARTURES} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(send(&recording.host, bare.as_bytes()).line, "HTTP/1.1 202 Accepted");
    let (_, report) = recording.stop();
    let run = &report["runs"][0]["run"];
    let left = &events(&project, run, "request")[0];
    assert!(left["payload_origin"].as_str().unwrap().contains("was not seen"), "{left}");
    assert_eq!((&left["body"]["bytes"], &left["lrn"]), (&0.into(), &Value::Null));
    assert_eq!(events(&project, run, "submitted")[0]["movement_id"], MOVEMENT);
}
