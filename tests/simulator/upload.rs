//! Large messages: asked for, uploaded, looked at.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::bench::*;

/// Asks where to upload a message.
async fn asked(bench: &Bench, path: &str) -> Value {
    let response = bench.request(Method::POST, path).send().await.unwrap();
    assert_eq!(response.status(), 202);
    response.json().await.unwrap()
}

fn xml(body: impl Into<Vec<u8>>) -> Part {
    Part::bytes(body.into()).file_name("message.xml").mime_str("application/xml").unwrap()
}

fn fields(asked: &Value) -> Form {
    let fields = asked["uploadRequest"]["fields"].as_object().unwrap();
    fields.iter().fold(Form::new(), |form, (name, value)| {
        form.text(name.clone(), value.as_str().unwrap().to_owned())
    })
}

async fn send(asked: &Value, form: Form) -> Response {
    let href = asked["uploadRequest"]["href"].as_str().unwrap();
    reqwest::Client::new().post(href).multipart(form).send().await.unwrap()
}

async fn upload(asked: &Value, file: Part) {
    let response = send(asked, fields(asked).part("file", file)).await;
    assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (204, String::new()));
}

/// A declaration of at least so many bytes.
fn long(lrn: &str, bytes: usize) -> String {
    let filler = format!("<!--{}-->", "x".repeat(bytes));
    declaration(lrn).replace("</ncts:CC015C>", &format!("{filler}</ncts:CC015C>"))
}

/// What the notifications of large messages said, oldest first.
async fn outcomes(bench: &Bench, box_id: &str) -> Vec<Value> {
    let path = format!("/misc/push-pull-notification/box/{box_id}/notifications");
    let request = bench.bare(Method::GET, &path).bearer_auth("trader-1");
    let response = request.header("Accept", "application/vnd.hmrc.1.0+json").send().await.unwrap();
    let all: Vec<Value> = response.json().await.unwrap();
    all.iter()
        .map(|one| serde_json::from_str::<Value>(one["message"].as_str().unwrap()).unwrap())
        .filter(|one| one["notificationType"] == "SUBMISSION_NOTIFICATION")
        .collect()
}

#[tokio::test]
async fn a_large_declaration_is_uploaded_looked_at_and_answered() {
    let bench = Bench::new().await;
    let asked = asked(&bench, DEPARTURES).await;
    let id = asked["departureId"].as_str().unwrap();
    let message = asked["messageId"].as_str().unwrap();
    let movement = format!("{DEPARTURES}/{id}");
    let path = format!("{movement}/messages/{message}");
    let one = bench.get(&path).await;
    assert_eq!((&one["status"], one.get("type"), one.get("body")), (&json!("Pending"), None, None));
    let body = bench.request(Method::GET, &format!("{path}/body"));
    let (status, said) = refusal(body).await;
    assert_eq!(status, 404, "{said}");
    assert_eq!(bench.get(&movement).await["localReferenceNumber"], Value::Null);

    let text = long("LARGE1", 5_100_000);
    upload(&asked, xml(text.clone())).await;
    assert_eq!(bench.get(&path).await["status"], "Pending", "looked at a little later");
    bench.pass(1);
    let (status, said) = refusal(bench.request(Method::GET, &path)).await;
    assert_eq!(status, 406, "{said}");
    assert!(said.contains("Large messages cannot be returned as json"));
    let body = bench.bare(Method::GET, &format!("{path}/body")).bearer_auth("trader-1");
    let body = body.header("Accept", "application/vnd.hmrc.2.1+xml").send().await.unwrap();
    assert!(body.text().await.unwrap() == text);
    assert_eq!(bench.get(&movement).await["localReferenceNumber"], "LARGE1");
    bench.pass(5);
    assert_eq!(bench.types(DEPARTURES, id).await, ["IE028", "IE928", "IE015"]);
    let outcomes = outcomes(&bench, asked["boxId"].as_str().unwrap()).await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0]["response"]["code"], "SUCCESS");
    assert_eq!(outcomes[0]["departureId"], id);
    assert_eq!((outcomes[0].get("messageType"), outcomes[0].get("messageBody")), (None, None));
    // The log has it: the request, and the declaration when it was looked at.
    let log: Value =
        bench.bare(Method::GET, "/simulator/log").send().await.unwrap().json().await.unwrap();
    let log = log["submissions"].as_array().unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!((&log[1]["lrn"], &log[1]["movementId"]), (&json!("LARGE1"), &json!(id)));
}

#[tokio::test]
async fn a_message_can_be_uploaded_to_a_movement() {
    let bench = Bench::new().await;
    let id = bench.open("LRN1").await;
    bench.pass(5);
    let messages = format!("{DEPARTURES}/{id}/messages");
    let asked = asked(&bench, &messages).await;
    assert_eq!(asked.get("boxId"), None);
    assert_eq!(asked["_links"]["departure"]["href"], format!("{DEPARTURES}/{id}"));
    let mrn = bench.get(&format!("{DEPARTURES}/{id}")).await["movementReferenceNumber"].clone();
    let wish =
        invalidation("").replace("<LRN></LRN>", &format!("<MRN>{}</MRN>", mrn.as_str().unwrap()));
    upload(&asked, xml(wish)).await;
    bench.pass(5);
    let one = bench.get(&format!("{messages}/{}", asked["messageId"].as_str().unwrap())).await;
    assert_eq!((&one["status"], &one["type"]), (&json!("Success"), &json!("IE014")));
    let nowhere = format!("{DEPARTURES}/00000000000000ff/messages");
    assert_eq!(refusal(bench.request(Method::POST, &nowhere)).await.0, 404);
}

#[tokio::test]
async fn what_cannot_be_handed_over_fails_and_says_why() {
    let bench = Bench::new().await;
    bench.open("LRN1").await;
    let virus = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
    let plain = Part::text(declaration("P")).file_name("a.txt").mime_str("text/plain").unwrap();
    let rule = declaration("R").replace("NTA.GB", "NTA.XI");
    for (what, file, code, stored) in [
        ("virus", xml(virus), "BAD_REQUEST", false),
        ("type", plain, "BAD_REQUEST", false),
        ("malformed", xml("<a"), "SCHEMA_VALIDATION", false),
        ("JSON", xml("{\"n1:CC015C\":{}}"), "SCHEMA_VALIDATION", false),
        ("binary", xml(vec![0xff_u8; 100]), "SCHEMA_VALIDATION", false),
        ("other message", xml(invalidation("LRN1")), "SCHEMA_VALIDATION", false),
        ("rule", xml(rule), "BUSINESS_VALIDATION_ERROR", false),
        ("duplicate", xml(declaration("LRN1")), "CONFLICT", true),
    ] {
        let asked = asked(&bench, DEPARTURES).await;
        let id = asked["departureId"].as_str().unwrap();
        upload(&asked, file).await;
        bench.pass(2);
        let path = format!("{DEPARTURES}/{id}/messages/{}", asked["messageId"].as_str().unwrap());
        let one = bench.get(&path).await;
        assert_eq!(one["status"], "Failed", "{what}");
        assert_eq!(one.get("body").is_some(), stored, "{what}");
        let outcome = outcomes(&bench, asked["boxId"].as_str().unwrap()).await.pop().unwrap();
        assert_eq!(outcome["messageId"], asked["messageId"], "{what}");
        assert_eq!(outcome["response"]["code"], code, "{what}: {outcome}");
    }
}

#[tokio::test]
async fn the_uploader_refuses_forms_that_are_not_as_told() {
    let bench = Bench::new().await;
    let asked = asked(&bench, DEPARTURES).await;
    let file = || xml(declaration("LRN1"));
    let first = Form::new().part("file", file());
    let fields_after = asked["uploadRequest"]["fields"]
        .as_object()
        .unwrap()
        .iter()
        .fold(first, |form, (name, value)| {
            form.text(name.clone(), value.as_str().unwrap().to_owned())
        });
    let other_key = fields(&asked).text("key", "x");
    for (what, form, status, code) in [
        ("file first", fields_after, 403, "AccessDenied"),
        ("no fields", Form::new().part("file", file()), 403, "AccessDenied"),
        ("no file", fields(&asked), 400, "InvalidArgument"),
        ("empty file", fields(&asked).part("file", xml("")), 400, "EntityTooSmall"),
        (
            "large file",
            fields(&asked).part("file", xml(vec![b'x'; 20_000_001])),
            400,
            "EntityTooLarge",
        ),
        (
            "huge file",
            fields(&asked).part("file", xml(vec![b'x'; 24 << 20])),
            400,
            "EntityTooLarge",
        ),
        // The first key counts, and it is right: this one is taken.
        ("key twice", other_key.part("file", file()), 204, ""),
        ("used", fields(&asked).part("file", file()), 403, "AccessDenied"),
    ] {
        let response = send(&asked, form).await;
        assert_eq!(response.status(), status, "{what}");
        let body = response.text().await.unwrap();
        if status != 204 {
            assert!(body.contains(&format!("<Code>{code}</Code>")), "{what}: {body}");
        }
    }
    let post = || bench.bare(Method::POST, "/upload");
    let form = "multipart/form-data; boundary=B";
    for (request, status) in [
        (post().body("x"), 412),
        (post().header("Content-Type", form).body("--B\r\n"), 400),
        (post().header("Content-Type", form).bearer_auth("t").body("--B--"), 400),
        (post().header("Content-Type", form).body("--B--"), 403),
        (bench.bare(Method::GET, "/upload"), 405),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/xml");
    }
}
