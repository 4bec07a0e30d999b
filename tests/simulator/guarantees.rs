//! The guarantee balance API.

use std::time::Duration;

use ctc_ready::simulator::{GuaranteeBalance, SimulatorOptions};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::bench::*;
use super::reference;

const ACCEPT: &str = "application/vnd.hmrc.2.0+json";
const GRN: &str = "23GB0000010000854";

fn ask(bench: &Bench, token: &str, grn: &str, body: &Value) -> RequestBuilder {
    bench
        .bare(Method::POST, &format!("/customs/guarantees/{grn}/balance"))
        .bearer_auth(token)
        .header("Accept", ACCEPT)
        .json(body)
}

fn code(code: &str) -> Value {
    json!({"accessCode": code})
}

async fn answer(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_balance_is_told_as_documented() {
    let mut options = SimulatorOptions { requests_per_second: None, ..SimulatorOptions::default() };
    let odd = GuaranteeBalance { guarantee_type: 1, access_code: "zz99".into(), pence: 123_450 };
    options.balances.insert("24XI0000010000001".into(), odd);
    let bench = Bench::with(options).await;
    let (status, body) = answer(ask(&bench, "a", GRN, &code("ac01"))).await;
    let link = format!(r#"{{"_links":{{"self":{{"href":"/customs/guarantees/{GRN}/balance"}}}}"#);
    assert_eq!((status, body), (200, format!(r#"{link},"balance":262626,"currency":"GBP"}}"#)));
    let (_, body) = answer(ask(&bench, "a", "24XI0000010000001", &code("ZZ99"))).await;
    assert!(body.ends_with(r#""balance":1234.5,"currency":"GBP"}"#), "{body}");
}

#[tokio::test]
async fn a_question_is_refused_as_documented() {
    let mut options = SimulatorOptions { requests_per_second: None, ..SimulatorOptions::default() };
    let other = GuaranteeBalance { guarantee_type: 2, access_code: "AC01".into(), pence: 1 };
    options.balances.insert("23GB0000010000999".into(), other);
    let bench = Bench::with(options).await;
    let bare = |grn: &str| {
        let path = format!("/customs/guarantees/{grn}/balance");
        bench.bare(Method::POST, &path).bearer_auth("a")
    };
    let text = |body: &'static str| {
        let request = bare(GRN).header("Accept", ACCEPT);
        request.header("Content-Type", "application/json").body(body)
    };
    let get = bench.bare(Method::GET, &format!("/customs/guarantees/{GRN}/balance"));
    let cases = [
        (ask(&bench, "a", "23gb0000010000854", &code("AC01")), 400, "BAD_REQUEST"),
        (ask(&bench, "a", "23FR0000010000854", &code("AC01")), 400, "BAD_REQUEST"),
        (ask(&bench, "a", "23GB00000100008", &code("AC01")), 400, "BAD_REQUEST"),
        (ask(&bench, "a", GRN, &json!({})), 400, "BAD_REQUEST"),
        (ask(&bench, "a", GRN, &code("AC0")), 400, "BAD_REQUEST"),
        (ask(&bench, "a", GRN, &code("AC0é")), 400, "BAD_REQUEST"),
        (ask(&bench, "a", GRN, &json!({"accessCode": 1234})), 400, "BAD_REQUEST"),
        (text(""), 400, "BAD_REQUEST"),
        (text("[[["), 400, "BAD_REQUEST"),
        (ask(&bench, "a", "23GB0000010000999", &code("AC01")), 400, "INVALID_GUARANTEE_TYPE"),
        (ask(&bench, "a", "23GB0000010000873", &code("AC01")), 404, "NOT_FOUND"),
        (bare(GRN).json(&code("AC01")), 406, "NOT_ACCEPTABLE"),
        (bare(GRN).header("Accept", JSON).json(&code("AC01")), 406, "NOT_ACCEPTABLE"),
        (bare(GRN).header("Accept", ACCEPT).body("{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (get, 405, "METHOD_NOT_ALLOWED"),
        (
            bench.bare(Method::POST, "/customs/guarantees/balance"),
            404,
            "MATCHING_RESOURCE_NOT_FOUND",
        ),
        (
            bench.bare(Method::POST, &format!("/customs/guarantees/{GRN}/balance")),
            401,
            "MISSING_CREDENTIALS",
        ),
    ];
    for (request, status, code) in cases {
        let (got, body) = answer(request).await;
        assert_eq!(got, status, "{code}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code"], code);
        assert!(!body["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_guarantee_is_locked_for_a_minute_even_by_a_wrong_access_code() {
    let bench = Bench::new().await;
    let status = async |token: &str, grn: &str, access: &str| {
        answer(ask(&bench, token, grn, &code(access))).await.0
    };
    // Without an access code nothing is locked.
    assert_eq!(answer(ask(&bench, "a", GRN, &json!({}))).await.0, 400);
    assert_eq!(status("a", GRN, "AC00").await, 404);
    let (again, body) = answer(ask(&bench, "a", GRN, &code("AC01"))).await;
    assert_eq!(
        (again, body.as_str()),
        (429, r#"{"message":"Too many requests.","code":"TOO_MANY_REQUESTS"}"#)
    );
    // Others, and other guarantees, are free.
    assert_eq!(status("b", GRN, "AC01").await, 200);
    assert_eq!(status("a", "23GB0000010000863", "AC01").await, 200);
    bench.pass(59);
    assert_eq!(status("a", GRN, "AC01").await, 429);
    bench.pass(1);
    assert_eq!(status("a", GRN, "AC01").await, 200);
}

#[tokio::test]
async fn the_lock_runs_with_the_time_scale() {
    let options = SimulatorOptions {
        requests_per_second: None,
        time_scale: 60.0,
        ..SimulatorOptions::default()
    };
    let bench = Bench::with(options).await;
    assert_eq!(answer(ask(&bench, "a", GRN, &code("AC01"))).await.0, 200);
    bench.clock.advance(Duration::from_millis(999));
    assert_eq!(answer(ask(&bench, "a", GRN, &code("AC01"))).await.0, 429);
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(answer(ask(&bench, "a", GRN, &code("AC01"))).await.0, 200);
}

#[tokio::test]
async fn hmrcs_published_scenarios_pass() {
    let Some(folder) = reference::folder() else { return };
    let text = std::fs::read_to_string(folder.join("scenarios/guarantee-balance.json")).unwrap();
    let published: Value = serde_json::from_str(&text).unwrap();
    let scenarios = published["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len() as u64, published["count"].as_u64().unwrap());
    let bench = Bench::new().await;
    for scenario in scenarios {
        for request in scenario["requests"].as_array().unwrap() {
            let body = json!({"accessCode": request["accessCode"]});
            let grn = request["grn"].as_str().unwrap();
            let (status, body) = answer(ask(&bench, "a", grn, &body)).await;
            let id = &scenario["id"];
            assert_eq!(u64::from(status), request["status"].as_u64().unwrap(), "{id}: {body}");
            let body: Value = serde_json::from_str(&body).unwrap();
            for field in ["balance", "currency", "code", "message"] {
                if let Some(expected) = request.get(field) {
                    assert_eq!(&body[field], expected, "{id} {field}");
                }
            }
        }
        bench.pass(60);
    }
}
