//! Test users, and signing in as one.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::bench::*;
use super::oauth::{application_token, user_token};

const TRADERS: &str = "common-transit-convention-traders";

fn create(bench: &Bench, token: &str, kind: &str, body: &Value) -> RequestBuilder {
    bench.bare(Method::POST, &format!("/create-test-user/{kind}")).bearer_auth(token).json(body)
}

async fn created(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

fn leaked(text: &Value) -> &'static str {
    Box::leak(text.as_str().unwrap().to_owned().into_boxed_str())
}

#[tokio::test]
async fn whoever_signs_in_as_a_test_user_has_its_eori() {
    let bench = Bench::new().await;
    let application = application_token(&bench, "").await;
    let wish = json!({"serviceNames": [TRADERS], "eoriNumber": "GB123456789000"});
    let first = created(create(&bench, &application, "organisations", &wish)).await;
    assert_eq!(first["eoriNumber"], "GB123456789000");
    assert!(first["organisationDetails"]["name"].is_string());
    for field in ["userId", "password", "userFullName", "emailAddress"] {
        assert!(!first[field].as_str().unwrap().is_empty(), "{field}");
    }
    let wish = json!({"serviceNames": [TRADERS]});
    let second = created(create(&bench, &application, "individuals", &wish)).await;
    assert!(second["eoriNumber"].as_str().unwrap().starts_with("GB"));
    assert!(second["individualDetails"]["address"].is_object());

    let enrolled = async |token: &str, lrn: &str| {
        let post = bench.bare(Method::POST, DEPARTURES).bearer_auth(token).header("Accept", JSON);
        let post = post.header("Content-Type", "application/xml").body(declaration(lrn));
        assert_eq!(post.send().await.unwrap().status(), 202);
        let list = bench.bare(Method::GET, DEPARTURES).bearer_auth(token).header("Accept", JSON);
        let list: Value = list.send().await.unwrap().json().await.unwrap();
        assert_eq!(list["totalCount"], 1);
        list["departures"][0]["enrollmentEORINumber"].clone()
    };
    let as_first = user_token(&bench, &[("user_id", leaked(&first["userId"]))]).await;
    assert_eq!(enrolled(&as_first, "LRN1").await, "GB123456789000");
    let as_second = user_token(&bench, &[("user_id", leaked(&second["userId"]))]).await;
    assert_eq!(enrolled(&as_second, "LRN2").await, second["eoriNumber"]);
    // Whoever does not say so signs in as the one used last.
    let again = user_token(&bench, &[]).await;
    let list = bench.bare(Method::GET, DEPARTURES).bearer_auth(&again).header("Accept", JSON);
    let list: Value = list.send().await.unwrap().json().await.unwrap();
    assert_eq!(list["departures"][0]["enrollmentEORINumber"], second["eoriNumber"]);
}

#[tokio::test]
async fn a_user_without_the_enrolment_is_refused_by_the_service() {
    let bench = Bench::new().await;
    let legacy = json!({"serviceNames": ["common-transit-convention-traders-legacy"]});
    for wish in [json!({}), legacy] {
        let user = created(create(&bench, "any", "organisations", &wish)).await;
        let token = user_token(&bench, &[("user_id", leaked(&user["userId"]))]).await;
        let list = bench.bare(Method::GET, DEPARTURES).bearer_auth(&token).header("Accept", JSON);
        let expected =
            r#"{"message":"Current user doesn't have a valid EORI enrolment.","code":"FORBIDDEN"}"#;
        assert_eq!(refusal(list).await, (403, expected.to_owned()));
    }
}

#[tokio::test]
async fn services_are_listed_and_wishes_refused_as_documented() {
    let bench = Bench::new().await;
    let services = bench.bare(Method::GET, "/create-test-user/services").bearer_auth("any");
    let services: Value = services.send().await.unwrap().json().await.unwrap();
    assert_eq!(services[0]["key"], TRADERS);
    assert_eq!(services[0]["allowedUserTypes"], json!(["INDIVIDUAL", "ORGANISATION"]));

    let nothing = bench.bare(Method::POST, "/create-test-user/agents").bearer_auth("any");
    let agent = created(nothing).await;
    assert_eq!((agent.get("eoriNumber"), agent.get("individualDetails")), (None, None));

    let user = user_token(&bench, &[]).await;
    let wish = |wish: Value| create(&bench, "any", "organisations", &wish);
    let text = bench.bare(Method::POST, "/create-test-user/agents").bearer_auth("any").body("{");
    let newer = wish(json!({})).header("Accept", "application/vnd.hmrc.2.0+json");
    for (request, status, code) in [
        (wish(json!({"serviceNames": ["everything"]})), 400, "BAD_REQUEST"),
        (wish(json!({"serviceNames": TRADERS})), 400, "BAD_REQUEST"),
        (wish(json!({"serviceNames": [TRADERS], "eoriNumber": "GB1"})), 400, "BAD_REQUEST"),
        (create(&bench, "any", "agents", &json!({"serviceNames": [TRADERS]})), 400, "BAD_REQUEST"),
        (text, 400, "BAD_REQUEST"),
        (newer, 406, "ACCEPT_HEADER_INVALID"),
        (create(&bench, &user, "organisations", &json!({})), 401, "INCORRECT_ACCESS_TOKEN_TYPE"),
        (create(&bench, "any", "robots", &json!({})), 404, "MATCHING_RESOURCE_NOT_FOUND"),
        (create(&bench, "any", "services", &json!({})), 405, "METHOD_NOT_ALLOWED"),
    ] {
        let (got, body) = refusal(request).await;
        assert_eq!(got, status, "{code}: {body}");
        assert!(body.starts_with(&format!(r#"{{"code":"{code}","message":""#)), "{body}");
    }
}
