//! Notifications: fetched, acknowledged, and pushed.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use ctc_ready::simulator::SimulatorOptions;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::bench::*;
use super::oauth::{CLIENT, application_token, user_token};

const ACCEPT: &str = "application/vnd.hmrc.1.0+json";
const PULL: &str = "read:pull-notifications";

fn path(box_id: &str) -> String {
    format!("/misc/push-pull-notification/box/{box_id}/notifications")
}

fn list(bench: &Bench, token: &str, box_id: &str, query: &str) -> RequestBuilder {
    let path = format!("{}{query}", path(box_id));
    bench.bare(Method::GET, &path).bearer_auth(token).header("Accept", ACCEPT)
}

fn acknowledge(bench: &Bench, box_id: &str, body: &Value) -> RequestBuilder {
    let path = format!("{}/acknowledge", path(box_id));
    bench.bare(Method::PUT, &path).bearer_auth("trader-1").header("Accept", ACCEPT).json(body)
}

async fn listed(request: RequestBuilder) -> Vec<Value> {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

/// Sends a declaration and returns its answer.
async fn open(bench: &Bench, lrn: &str) -> Value {
    bench.xml(DEPARTURES, declaration(lrn)).send().await.unwrap().json().await.unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

#[tokio::test]
async fn what_ncts_says_is_notified_oldest_first() {
    let bench = Bench::new().await;
    let opened = open(&bench, "LRN1").await;
    let (id, box_id) = (text(&opened, "departureId"), text(&opened, "boxId"));
    assert!(listed(list(&bench, "trader-1", box_id, "")).await.is_empty());
    bench.pass(5);
    let raw = list(&bench, "trader-1", box_id, "").send().await.unwrap().text().await.unwrap();
    let all: Vec<Value> = serde_json::from_str(&raw).unwrap();
    let told = |one: &Value| serde_json::from_str::<Value>(text(one, "message")).unwrap();
    let types: Vec<_> = all.iter().map(|one| text(&told(one), "messageType").to_owned()).collect();
    assert_eq!(types, ["IE928", "IE028"]);
    let first = &all[0];
    assert_eq!(
        (text(first, "boxId"), text(first, "messageContentType"), text(first, "status")),
        (box_id, "application/json", "PENDING")
    );
    assert_eq!(text(first, "createdDateTime"), "2026-11-21T09:00:01.000+0000");
    let movement = format!("{DEPARTURES}/{id}");
    let messages = bench.get(&format!("{movement}/messages")).await;
    let listed_last = messages["messages"].as_array().unwrap();
    let message = listed_last.iter().find(|one| one["type"] == "IE928").unwrap()["id"].clone();
    let message = message.as_str().unwrap();
    let inside = text(first, "message");
    let eori = bench.get(&movement).await["enrollmentEORINumber"].as_str().unwrap().to_owned();
    let start = format!(
        r#"{{"messageUri":"{movement}/messages/{message}","notificationType":"MESSAGE_RECEIVED","messageId":"{message}","enrollmentEORINumber":"{eori}","departureId":"{id}","messageType":"IE928","messageBody":"<ncts:CC928C "#
    );
    assert!(inside.starts_with(&start), "{inside}");

    // Acknowledged ones are told apart.
    let ids = json!({"notificationIds": [first["notificationId"]]});
    let done = acknowledge(&bench, box_id, &ids).send().await.unwrap();
    assert_eq!((done.status().as_u16(), done.text().await.unwrap()), (204, String::new()));
    let count = async |query: &str| listed(list(&bench, "trader-1", box_id, query)).await.len();
    for (query, expected) in [
        ("", 2),
        ("?status=PENDING", 1),
        ("?status=ACKNOWLEDGED", 1),
        ("?status=FAILED", 0),
        ("?count=1", 1),
        ("?count=1000", 2),
        ("?fromDate=2026-11-21T09:00:02", 1),
        ("?toDate=2026-11-21T09:00:01.500", 1),
        ("?fromDate=2026-11-21T09:00:03&toDate=2026-11-21T10:00:00", 0),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    bench.pass(45 * 60);
    assert_eq!(count("").await, 3);
    bench.pass(7 * 86_400 + 60);
    assert_eq!(count("").await, 0, "after a week");
}

#[tokio::test]
async fn the_notification_service_refuses_as_documented() {
    let bench = Bench::new().await;
    let opened = open(&bench, "LRN1").await;
    let id = text(&opened, "boxId");
    let unknown = "50dca3fc-c37c-4f03-b719-63571333624c";
    let many: Vec<_> = (0..101).map(|nth| format!("50dca3fc-c37c-4f03-b719-{nth:012}")).collect();
    let bare = |method, path: &str| bench.bare(method, path).bearer_auth("trader-1");
    let get = |query: &str| list(&bench, "trader-1", id, query);
    let put = |body: Value| acknowledge(&bench, id, &body);
    let plain = bare(Method::PUT, &format!("{}/acknowledge", path(id)));
    for (request, status, code) in [
        (list(&bench, "trader-1", "x", ""), 400, "BAD_REQUEST"),
        (list(&bench, "trader-1", unknown, ""), 404, "BOX_NOT_FOUND"),
        (list(&bench, "trader-2", id, ""), 403, "FORBIDDEN"),
        (bare(Method::GET, &path(id)), 406, "ACCEPT_HEADER_INVALID"),
        (get("?status=NEW"), 400, "INVALID_REQUEST_PAYLOAD"),
        (get("?fromDate=yesterday"), 400, "INVALID_REQUEST_PAYLOAD"),
        (get("?count=0"), 400, "INVALID_REQUEST_PAYLOAD"),
        (put(json!({"notificationIds": []})), 400, "INVALID_REQUEST_PAYLOAD"),
        (put(json!({"notificationIds": [unknown, unknown]})), 400, "INVALID_REQUEST_PAYLOAD"),
        (put(json!({"notificationIds": many})), 400, "INVALID_REQUEST_PAYLOAD"),
        (put(json!({"notificationIds": ["x"]})), 400, "INVALID_REQUEST_PAYLOAD"),
        (put(json!([])), 400, "INVALID_REQUEST_PAYLOAD"),
        (
            acknowledge(&bench, unknown, &json!({"notificationIds": [unknown]})),
            404,
            "BOX_NOT_FOUND",
        ),
        (plain.header("Accept", ACCEPT).body("{}"), 415, "BAD_REQUEST"),
        (bare(Method::POST, &path(id)), 405, "METHOD_NOT_ALLOWED"),
        (bare(Method::GET, "/misc/push-pull-notification/box"), 404, "MATCHING_RESOURCE_NOT_FOUND"),
        (bench.bare(Method::GET, &path(id)), 401, "MISSING_CREDENTIALS"),
    ] {
        let (got, body) = refusal(request).await;
        assert_eq!(got, status, "{code}: {body}");
        assert!(body.starts_with(&format!(r#"{{"code":"{code}","message":""#)), "{body}");
    }
}

#[tokio::test]
async fn an_applications_box_is_read_with_its_own_token() {
    let bench = Bench::new().await;
    let user = user_token(&bench, &[]).await;
    let sent = bench.bare(Method::POST, DEPARTURES).bearer_auth(&user);
    let sent = sent.header("Accept", JSON).header("Content-Type", "application/xml");
    let opened = sent.body(declaration("LRN1")).send().await.unwrap();
    let opened: Value = opened.json().await.unwrap();
    bench.pass(1);
    let box_id = text(&opened, "boxId");
    let own = application_token(&bench, PULL).await;
    assert_eq!(listed(list(&bench, &own, box_id, "")).await.len(), 1);
    for (token, status) in [(application_token(&bench, "").await, 403), (user, 401)] {
        assert_eq!(list(&bench, &token, box_id, "").send().await.unwrap().status(), status);
    }
    // One box for each version, known from the start.
    let boxes: Value =
        bench.bare(Method::GET, "/simulator/boxes").send().await.unwrap().json().await.unwrap();
    let own = boxes["boxes"].as_array().unwrap().iter().filter(|one| one["clientId"] == CLIENT);
    assert_eq!(own.count(), 3);
}

#[tokio::test]
async fn another_box_can_be_named_and_one_that_is_not_there_is_none() {
    let bench = Bench::new().await;
    let boxes: Value = {
        open(&bench, "LRN0").await;
        bench.bare(Method::GET, "/simulator/boxes").send().await.unwrap().json().await.unwrap()
    };
    let all = boxes["boxes"].as_array().unwrap();
    let client = all.iter().find(|one| one["clientId"] != CLIENT).unwrap()["clientId"].clone();
    let made = bench
        .bare(Method::POST, "/simulator/boxes")
        .json(&json!({"boxName": "mine", "clientId": client}));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let open = async |lrn: &str, box_id: &str| -> Value {
        let request = bench.xml(DEPARTURES, declaration(lrn)).header("X-Callback-Box-Id", box_id);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 202);
        response.json().await.unwrap()
    };
    let mine = text(&made, "boxId");
    assert_eq!(text(&open("LRN1", mine).await, "boxId"), mine);
    let foreign = all.iter().find(|one| one["clientId"] == CLIENT).unwrap();
    for (lrn, box_id) in [
        ("LRN2", "x"),
        ("LRN3", "50dca3fc-c37c-4f03-b719-63571333624c"),
        ("LRN4", text(foreign, "boxId")),
    ] {
        assert_eq!(open(lrn, box_id).await.get("boxId"), None, "{box_id}");
    }
}

type Pushed = (String, String);

#[derive(Clone)]
struct Callback {
    pushed: mpsc::UnboundedSender<Pushed>,
    /// What deliveries are answered, one after the other, then 200.
    answers: Arc<Mutex<Vec<u16>>>,
}

/// A callback on this machine: its URL, and what was pushed to it.
async fn callback(answers: &[u16]) -> (String, mpsc::UnboundedReceiver<Pushed>) {
    let (pushed, receiver) = mpsc::unbounded_channel();
    let answers = Arc::new(Mutex::new(answers.to_vec()));
    let router = Router::new()
        .route(
            "/good",
            get(async |Query(query): Query<Value>| {
                axum::Json(json!({"challenge": query["challenge"]}))
            })
            .post(
                async |State(callback): State<Callback>, headers: HeaderMap, body: String| {
                    let signature = headers["x-hub-signature"].to_str().unwrap().to_owned();
                    callback.pushed.send((signature, body)).unwrap();
                    let mut answers = callback.answers.lock().unwrap();
                    let status = if answers.is_empty() { 200 } else { answers.remove(0) };
                    StatusCode::from_u16(status).unwrap()
                },
            ),
        )
        .route("/parrot", get(async || axum::Json(json!({"challenge": "something else"}))))
        .route("/broken", get(async || (StatusCode::INTERNAL_SERVER_ERROR, "{}")))
        .with_state(Callback { pushed, answers });
    let listener = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (base, receiver)
}

async fn set_callback(bench: &Bench, box_id: &str, url: &str) -> Value {
    let request = bench
        .bare(Method::PUT, &format!("/simulator/boxes/{box_id}/callback"))
        .json(&json!({"callbackUrl": url}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

#[tokio::test]
async fn notifications_are_pushed_signed_and_again_until_taken() {
    let options = SimulatorOptions {
        requests_per_second: None,
        time_scale: 300.0,
        ..SimulatorOptions::default()
    };
    let bench = Bench::with(options).await;
    let opened = open(&bench, "LRN1").await;
    let box_id = text(&opened, "boxId");
    let (base, mut pushed) = callback(&[503, 204]).await;
    let set = set_callback(&bench, box_id, &format!("{base}/good?a=b")).await;
    assert_eq!(set, json!({"successful": true}));
    bench.clock.advance(std::time::Duration::from_millis(4));
    let (signature, body) = pushed.recv().await.unwrap();
    assert!(signature.len() == 40 && signature.bytes().all(|b| b.is_ascii_hexdigit()));
    let notification: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(text(&notification, "status"), "PENDING");
    // 503 and 204 are both no success: five minutes later it comes again.
    for _ in 0..2 {
        loop {
            // What came of the last try is noted a moment after it was made.
            bench.pass(1);
            bench.bare(Method::GET, "/simulator/health").send().await.unwrap();
            match pushed.try_recv() {
                Ok((same, repeated)) if repeated == body => {
                    assert_eq!(same, signature);
                    break;
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_callback_must_be_here_and_pass_the_challenge() {
    let bench = Bench::new().await;
    let opened = open(&bench, "LRN1").await;
    let box_id = text(&opened, "boxId");
    let (base, _pushed) = callback(&[]).await;
    for url in [
        format!("{base}/parrot"),
        format!("{base}/broken"),
        format!("{base}/nothing"),
        "https://example.org/callback".to_owned(),
        "http://192.0.2.1/".to_owned(),
        "nonsense".to_owned(),
    ] {
        let set = set_callback(&bench, box_id, &url).await;
        assert_eq!(set["successful"], false, "{url}");
        assert!(!text(&set, "errorMessage").is_empty());
    }
    let nowhere = "/simulator/boxes/50dca3fc-c37c-4f03-b719-63571333624c/callback";
    let nowhere = bench.bare(Method::PUT, nowhere).json(&json!({"callbackUrl": ""}));
    assert_eq!(nowhere.send().await.unwrap().status(), 404);
    let junk = bench.bare(Method::PUT, &format!("/simulator/boxes/{box_id}/callback")).body("{");
    assert_eq!(junk.send().await.unwrap().status(), 400);
    assert_eq!(set_callback(&bench, box_id, "").await["successful"], true);
}
