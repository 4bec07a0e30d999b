//! Replies injected through the test-support API.

use std::process::Command;

use ctc_ready::ncts::read::Message;
use ctc_ready::ncts::{Direction, MessageType, MovementKind};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::bench::*;
use super::reference;

const ARRIVED: &str = "26GB000246AL65TIJ5";

fn inject(bench: &Bench, token: &str, path: &str, name: &str) -> RequestBuilder {
    bench
        .bare(Method::POST, &format!("/test{path}/messages"))
        .bearer_auth(token)
        .header("Accept", JSON)
        .json(&json!({"message": {"messageType": name, "source": "ignored"}}))
}

async fn arrival(bench: &Bench) -> String {
    let response = bench.xml(ARRIVALS, notification(ARRIVED)).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    body["arrivalId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_message_of_ncts_can_be_injected_and_appears_like_any_other() {
    let bench = Bench::new().await;
    let departure = format!("{DEPARTURES}/{}", bench.open("LRN1").await);
    let arrival = format!("{ARRIVALS}/{}", arrival(&bench).await);
    let schemas = reference::folder().map(|folder| folder.join("xsd/2.1"));
    let xmllint = Command::new("xmllint").arg("--version").output().is_ok();
    let folder = tempfile::tempdir().unwrap();
    let mut injected = 0;
    for of in MessageType::ALL.iter().filter(|one| one.direction() == Direction::Received) {
        let movement = match of.movement() {
            MovementKind::Departure => &departure,
            MovementKind::Arrival => &arrival,
        };
        let response = inject(&bench, "trader-1", movement, of.as_str()).send().await.unwrap();
        assert_eq!(response.status(), 201, "{of}");
        let text = response.text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        let (kind, id) = (of.movement(), movement.rsplit('/').next().unwrap());
        let message = body["messageId"].as_str().unwrap();
        let start = format!(
            r#"{{"_links":{{"self":{{"href":"{movement}/messages/{message}"}},"{}":{{"href":"{movement}"}}}},"{}":"{id}","messageId":"{message}","messageType":"{of}","body":"#,
            kind.singular(),
            kind.id_field(),
        );
        assert!(text.starts_with(&start), "{text}");
        let xml = body["body"].as_str().unwrap();
        let read = Message::parse(xml).unwrap();
        assert_eq!(read.message_type(), *of);
        assert_eq!(read.text("messageRecipient"), Some(format!("{id}-0000000000000000").as_str()));
        assert_eq!(read.root().attribute("PhaseID"), Some("NCTS5.0"));
        let path = format!("{movement}/messages/{message}");
        let stored = bench
            .bare(Method::GET, &path)
            .bearer_auth("trader-1")
            .header("Accept", "application/vnd.hmrc.2.1+json-xml");
        let stored: Value = stored.send().await.unwrap().json().await.unwrap();
        assert_eq!(stored["body"], xml);
        assert_eq!((&stored["type"], &stored["status"]), (&json!(of.as_str()), &json!("Received")));
        if *of == MessageType::Ie028 {
            // The content is random, and the movement believes it.
            let shown = bench.get(movement).await;
            assert_eq!(shown["movementReferenceNumber"].as_str(), read.mrn());
        }
        if let Some(schemas) = schemas.as_ref().filter(|_| xmllint) {
            let file = folder.path().join("message.xml");
            std::fs::write(&file, xml).unwrap();
            let schema = schemas.join(format!("{}.xsd", of.root().to_lowercase()));
            let mut run = Command::new("xmllint");
            let run = run.args(["--noout", "--schema"]).arg(schema).arg(file).output().unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        }
        injected += 1;
    }
    assert_eq!(injected, 16);
    let path = format!("/test{departure}/messages?messageId=00000000000000ff");
    let wish = json!({"message": {"messageType": "IE928"}});
    let body: Value =
        bench.request(Method::POST, &path).json(&wish).send().await.unwrap().json().await.unwrap();
    let answer = Message::parse(body["body"].as_str().unwrap()).unwrap();
    assert!(answer.text("messageRecipient").unwrap().ends_with("-00000000000000ff"));
}

#[tokio::test]
async fn an_injection_is_refused_as_documented() {
    let bench = Bench::new().await;
    let departure = format!("{DEPARTURES}/{}", bench.open("LRN1").await);
    let arrival = format!("{ARRIVALS}/{}", arrival(&bench).await);
    let unknown = format!("{DEPARTURES}/00000000000000ff");
    let path = format!("/test{departure}/messages");
    let post = || bench.bare(Method::POST, &path).bearer_auth("trader-1");
    let body = json!({"message": {"messageType": "IE928"}});
    let text = |text: &'static str| {
        let request = post().header("Accept", JSON).header("Content-Type", "application/json");
        request.body(text)
    };
    let other_version = "application/vnd.hmrc.2.0+json";
    for (what, request, status, code) in [
        ("other kind", inject(&bench, "trader-1", &departure, "IE043"), 501, "NOT_IMPLEMENTED"),
        ("other kind", inject(&bench, "trader-1", &arrival, "IE928"), 501, "NOT_IMPLEMENTED"),
        ("a trader's", inject(&bench, "trader-1", &departure, "IE015"), 400, "BAD_REQUEST"),
        ("unknown", inject(&bench, "trader-1", &departure, "IE140"), 400, "BAD_REQUEST"),
        ("lower case", inject(&bench, "trader-1", &departure, "ie928"), 400, "BAD_REQUEST"),
        ("no movement", inject(&bench, "trader-1", &unknown, "IE928"), 404, "NOT_FOUND"),
        ("another's", inject(&bench, "trader-2", &departure, "IE928"), 404, "NOT_FOUND"),
        (
            "bad id",
            inject(&bench, "trader-1", &format!("{DEPARTURES}/x"), "IE928"),
            400,
            "BAD_REQUEST",
        ),
        ("no Accept", post().json(&body), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (
            "version",
            post().header("Accept", other_version).json(&body),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        ("no JSON", post().header("Accept", JSON).body("{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("not JSON", text("{"), 400, "BAD_REQUEST"),
        ("nothing", text(""), 400, "BAD_REQUEST"),
        ("no message", text("{\"message\":1}"), 400, "BAD_REQUEST"),
        (
            "bad token",
            inject(&bench, "invalid-token", &departure, "IE928"),
            401,
            "INVALID_CREDENTIALS",
        ),
        ("read", bench.bare(Method::GET, &path).bearer_auth("t"), 405, "METHOD_NOT_ALLOWED"),
        (
            "elsewhere",
            bench.bare(Method::POST, "/test/elsewhere"),
            404,
            "MATCHING_RESOURCE_NOT_FOUND",
        ),
    ] {
        let (got, body) = refusal(request).await;
        assert_eq!(got, status, "{what}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code"], code, "{what}");
        assert!(!body["message"].as_str().unwrap().is_empty());
    }
}
