//! Every refusal, its body to the letter.

use std::net::SocketAddr;
use std::time::Duration;

use ctc_ready::simulator::SimulatorOptions;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::bench::*;

#[tokio::test]
async fn the_gateway_refuses_in_its_own_shape() {
    let bench = Bench::new().await;
    let get = |path: &str| bench.bare(Method::GET, path).header("Accept", JSON);
    let movement = format!("{DEPARTURES}/0123456789abcdef");
    let cases = [
        (get(DEPARTURES), 401, "MISSING_CREDENTIALS"),
        (get(DEPARTURES).header("Authorization", "Basic eA=="), 401, "MISSING_CREDENTIALS"),
        (get(DEPARTURES).bearer_auth("invalid-token"), 401, "INVALID_CREDENTIALS"),
        (get(DEPARTURES).bearer_auth("not-subscribed"), 403, "RESOURCE_FORBIDDEN"),
        (get("/customs/transits/elsewhere"), 404, "MATCHING_RESOURCE_NOT_FOUND"),
        (get("/simulator/elsewhere"), 404, "MATCHING_RESOURCE_NOT_FOUND"),
        (bench.request(Method::DELETE, DEPARTURES), 405, "METHOD_NOT_ALLOWED"),
        (bench.request(Method::POST, &movement), 405, "METHOD_NOT_ALLOWED"),
        (bench.request(Method::PUT, "/simulator/log"), 405, "METHOD_NOT_ALLOWED"),
    ];
    for (request, status, code) in cases {
        let (got, body) = refusal(request).await;
        assert_eq!(got, status, "{code}: {body}");
        assert!(body.starts_with(&format!(r#"{{"code":"{code}","message":""#)), "{body}");
    }
}

fn service(message: &str, code: &str) -> String {
    format!(r#"{{"message":"{message}","code":"{code}"}}"#)
}

#[tokio::test]
async fn the_service_refuses_requests_as_documented() {
    let bench = Bench::new().await;
    let get = |path: &str| bench.request(Method::GET, path);
    let accept = |accept: &str| {
        bench.bare(Method::GET, DEPARTURES).bearer_auth("trader-1").header("Accept", accept)
    };
    let typed = |content: &str| {
        bench.request(Method::POST, DEPARTURES).header("Content-Type", content).body("{}")
    };
    let bad_id = |field: &str, value: &str| {
        format!(
            r#"{{"message":"{field}: Value {value} is not a 16 character hexadecimal string","statusCode":400,"code":"BAD_REQUEST"}}"#
        )
    };
    let cases: Vec<(RequestBuilder, u16, String)> = vec![
        (
            get(&format!("{DEPARTURES}/0123456789ABCDEF")),
            400,
            bad_id("movementId", "0123456789ABCDEF"),
        ),
        (
            get(&format!("{ARRIVALS}/0123456789abcdef/messages/xyz/body")),
            400,
            bad_id("messageId", "xyz"),
        ),
        (
            get(&format!("{DEPARTURES}?updatedSince=yesterday")),
            400,
            r#"{"statusCode":400,"message":"Cannot parse parameter updatedSince as a valid ISO 8601 timestamp, e.g. 2021-06-21T09:00:00Z"}"#.to_owned(),
        ),
        (
            get(&format!("{DEPARTURES}?page=0")),
            400,
            service("The page parameter must be a positive number", "BAD_REQUEST"),
        ),
        (
            get(&format!("{DEPARTURES}?count=-1")),
            400,
            service("The count parameter must be a positive number", "BAD_REQUEST"),
        ),
        (
            get(&format!("{DEPARTURES}?page=2")),
            404,
            service("The requested page does not exist", "NOT_FOUND"),
        ),
        (
            typed("text/plain"),
            415,
            service("Content-type header text/plain is not supported!", "UNSUPPORTED_MEDIA_TYPE"),
        ),
        (
            typed("application/json; charset=utf-8"),
            415,
            service(
                "Content-type header application/json; charset=utf-8 is not supported!",
                "UNSUPPORTED_MEDIA_TYPE",
            ),
        ),
        (
            accept("application/json"),
            406,
            service("Invalid accept header: application/json", "NOT_ACCEPTABLE"),
        ),
        (
            accept("application/vnd.hmrc.9.9+json"),
            406,
            service("Invalid version provided", "NOT_ACCEPTABLE"),
        ),
        (
            bench.xml(DEPARTURES, "x".repeat(5_000_001)),
            413,
            service("Request Entity Too Large", "REQUEST_ENTITY_TOO_LARGE"),
        ),
    ];
    for (request, status, body) in cases {
        assert_eq!(refusal(request).await, (status, body));
    }
    // The client used here always sends an `Accept` header.
    let raw = without_accept(bench.running.addr, DEPARTURES).await;
    assert!(raw.starts_with("HTTP/1.1 406"), "{raw}");
    let expected = service("The Accept header is missing.", "NOT_ACCEPTABLE");
    assert!(raw.ends_with(&expected), "{raw}");
}

async fn without_accept(addr: SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_service_refuses_what_is_not_there_and_what_does_not_fit() {
    let bench = Bench::new().await;
    let id = bench.open("LRN1").await;
    let movement = format!("{DEPARTURES}/{id}");
    let messages = format!("{movement}/messages");
    let unknown = "00000000000000ff";
    let get = |path: &str| bench.request(Method::GET, path);
    let stranger = |method, path: &str| {
        bench.bare(method, path).bearer_auth("trader-2").header("Accept", JSON)
    };
    let intruding = stranger(Method::POST, &messages)
        .header("Content-Type", "application/xml")
        .body(invalidation("LRN1"));
    let no_departure =
        |id: &str| service(&format!("Departure movement with ID {id} was not found"), "NOT_FOUND");
    let no_arrival = service(&format!("Arrival movement with ID {id} was not found"), "NOT_FOUND");
    let no_message =
        service(&format!("Message with ID {unknown} for movement {id} was not found"), "NOT_FOUND");
    let cases = [
        (get(&format!("{DEPARTURES}/{unknown}")), 404, no_departure(unknown)),
        (get(&format!("{ARRIVALS}/{id}")), 404, no_arrival),
        (stranger(Method::GET, &movement), 404, no_departure(&id)),
        (stranger(Method::GET, &messages), 404, no_departure(&id)),
        (intruding, 404, no_departure(&id)),
        (get(&format!("{messages}/{unknown}")), 404, no_message),
        (
            bench.xml(&messages, declaration("LRN2")),
            400,
            service("CC015C is not a valid message type", "BAD_REQUEST"),
        ),
        (bench.xml(&messages, "<a"), 400, service("Input was malformed", "BAD_REQUEST")),
        (
            bench.xml(DEPARTURES, declaration("LRN1")),
            409,
            service("LRN LRN1 has previously been used and cannot be reused", "CONFLICT"),
        ),
    ];
    for (request, status, body) in cases {
        assert_eq!(refusal(request).await, (status, body));
    }
}

#[tokio::test]
async fn refusals_come_in_the_documented_order() {
    let bench = Bench::new().await;
    let bad_id = format!("{DEPARTURES}/xyz/messages");
    let messages = format!("{DEPARTURES}/00000000000000ff/messages");
    let huge = || "x".repeat(5_000_001);
    let post = |path: &str, content: &str, accept: &str, body: String| {
        bench
            .bare(Method::POST, path)
            .bearer_auth("t")
            .header("Content-Type", content)
            .header("Accept", accept)
            .body(body)
    };
    let xml = "application/xml";
    for (what, request, status) in [
        ("id before content type", post(&bad_id, "text/plain", "x/y", huge()), 400),
        ("content type before Accept", post(&messages, "text/plain", "x/y", huge()), 415),
        ("Accept before size", post(&messages, xml, "x/y", huge()), 406),
        ("size before the message", post(&messages, xml, JSON, huge()), 413),
        ("the message before the movement", post(&messages, xml, JSON, "<a".into()), 400),
        ("the movement last", post(&messages, xml, JSON, invalidation("L")), 404),
    ] {
        assert_eq!(refusal(request).await.0, status, "{what}");
    }
}

#[tokio::test]
async fn messages_against_the_schema_are_refused_with_reasons() {
    let bench = Bench::new().await;
    let good = declaration("LRN2");
    let deep = format!("<Consignment>{}{}", "<a>".repeat(100), "</a>".repeat(100));
    for (what, xml) in [
        ("malformed", "<a".to_owned()),
        ("nothing", String::new()),
        ("control character", "\u{1}".to_owned()),
        ("document type", format!("<!DOCTYPE a [<!ENTITY b 'c'>]>{good}")),
        ("other root", notification("26GB000246AL65TIJ5")),
        ("other namespace", good.replace("ncts.dgtaxud.ec", "example.org")),
        ("no LRN", good.replace("<LRN>LRN2</LRN>", "")),
        ("long LRN", good.replace("LRN2", &"L".repeat(23))),
        ("empty LRN", good.replace("LRN2", "")),
        ("padded LRN", good.replace("LRN2", "LRN2 ")),
        ("date with zone", good.replace("T09:00:00<", "T09:00:00Z<")),
        ("bad GRN", good.replace("24GB0000010000031", "24GB")),
        ("too deep", good.replace("<Consignment>", &deep)),
    ] {
        let (status, body) = refusal(bench.xml(DEPARTURES, xml)).await;
        assert_eq!(status, 400, "{what}: {body}");
        let start = r#"{"message":"Request failed schema validation","code":"SCHEMA_VALIDATION","validationErrors":[{"lineNumber":"#;
        assert!(body.starts_with(start), "{what}: {body}");
    }
    let empty = format!("\n\n{}", good.replace("LRN2", ""));
    let (_, body) = refusal(bench.xml(DEPARTURES, empty)).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let errors = body["validationErrors"].as_array().unwrap();
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0]["lineNumber"], 3);
    assert!(errors[0]["columnNumber"].as_u64().unwrap() > 100);
    assert!(errors[1]["message"].as_str().unwrap().contains("'LRN'"));
    // Nothing of all this was stored.
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 0);
}

#[tokio::test]
async fn messages_against_a_business_rule_are_refused_with_that_rule() {
    let bench = Bench::new().await;
    let id = bench.open("LRN1").await;
    let messages = format!("{DEPARTURES}/{id}/messages");
    let good = declaration("LRN2");
    for (path, xml, message) in [
        (
            DEPARTURES,
            good.replace("<messageType>CC015C", "<messageType>CC013C"),
            "Root node doesn't match with the messageType",
        ),
        (
            DEPARTURES,
            good.replace("GB000246", "FR000246"),
            "The customs office specified for CustomsOfficeOfDeparture must be a customs office \
             located in the United Kingdom (FR000246 was specified)",
        ),
        (
            DEPARTURES,
            good.replace("NTA.GB", "NTA.XI"),
            "The message recipient country must match the country of the CustomsOfficeOfDeparture",
        ),
        (
            &messages,
            amendment(""),
            "A LRN or MRN must be specified, neither were found (rule C0467)",
        ),
        (
            &messages,
            amendment("<LRN>LRN1</LRN><MRN>26GB000246AL65TIJ5</MRN>"),
            "Only an LRN or MRN must be specified, both were found (rule C0467)",
        ),
    ] {
        let expected = service(message, "BUSINESS_VALIDATION_ERROR");
        assert_eq!(refusal(bench.xml(path, xml)).await, (400, expected));
    }
}

#[tokio::test]
async fn more_than_the_limit_is_throttled_and_the_pace_itself_never() {
    let bench = Bench::with(SimulatorOptions::default()).await;
    let list =
        |token: &str| bench.bare(Method::GET, DEPARTURES).bearer_auth(token).header("Accept", JSON);
    let status = async |token: &str| list(token).send().await.unwrap().status().as_u16();
    for expected in [200, 200, 200, 429, 429] {
        assert_eq!(status("t").await, expected);
    }
    assert_eq!(status("another").await, 200);
    bench.pass(2);
    for _ in 0..12 {
        assert_eq!(status("t").await, 200);
        bench.clock.advance(Duration::from_nanos(333_333_334));
    }
    for _ in 0..3 {
        status("t").await;
    }
    let (_, body) = refusal(list("t")).await;
    assert!(body.starts_with(r#"{"code":"MESSAGE_THROTTLED_OUT","#), "{body}");
    // The simulator's own endpoints have no limit.
    for _ in 0..20 {
        let health = bench.bare(Method::GET, "/simulator/health").send().await.unwrap();
        assert_eq!(health.status(), 200);
    }
}

#[tokio::test]
async fn a_body_of_any_size_is_read_before_it_is_refused() {
    let bench = Bench::new().await;
    let status = bench.xml(DEPARTURES, "x".repeat(20 << 20)).send().await.unwrap().status();
    assert_eq!(status, 413);
    // Nested very deep, within the size: refused, and the server lives.
    let nested = "<a>".repeat(1_600_000);
    assert_eq!(bench.xml(DEPARTURES, nested).send().await.unwrap().status(), 400);
    let closed = format!("{}{}", "<a>".repeat(600_000), "</a>".repeat(600_000));
    assert_eq!(bench.xml(DEPARTURES, closed).send().await.unwrap().status(), 400);
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 0);
}
