//! Signing in: the authorisation page, tokens, and what they allow.

use std::collections::HashMap;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use url::Url;

use super::bench::*;

pub const CLIENT: &str = "simulator-client";
const SECRET: &str = "simulator-secret";
const REDIRECT: &str = "http://127.0.0.1:41000/back";
const SCOPE: &str = "common-transit-convention-traders";

// From RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn standard() -> Vec<(&'static str, &'static str)> {
    vec![
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPE),
        ("state", "a state & more"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// The standard parameters with some changed; an empty one is left out.
fn changed(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut all: HashMap<_, _> = standard().into_iter().collect();
    all.extend(changes.iter().copied());
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

async fn authorise(bench: &Bench, parameters: &[(&str, &str)]) -> Response {
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = format!("{}/oauth/authorize", bench.running.base_url);
    client.get(Url::parse_with_params(&url, parameters).unwrap()).send().await.unwrap()
}

fn sent_back(response: &Response) -> HashMap<String, String> {
    assert_eq!(response.status(), 303);
    let location = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    assert!(location.as_str().starts_with(REDIRECT), "{location}");
    location.query_pairs().into_owned().collect()
}

async fn token(bench: &Bench, form: &[(&str, &str)]) -> (u16, Value) {
    let request = bench.bare(Method::POST, "/oauth/token").form(form);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn code(bench: &Bench, changes: &[(&'static str, &'static str)]) -> String {
    sent_back(&authorise(bench, &changed(changes)).await)["code"].clone()
}

fn exchange<'a>(code: &'a str, verifier: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("grant_type", "authorization_code"),
        ("redirect_uri", REDIRECT),
        ("code", code),
        ("code_verifier", verifier),
    ]
}

fn refreshing(refresh: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
    ]
}

pub async fn application_token(bench: &Bench, scope: &str) -> String {
    let form = [
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("grant_type", "client_credentials"),
        ("scope", scope),
    ];
    let (status, body) = token(bench, &form).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["expires_in"], body.get("refresh_token")), (&json!(14400), None));
    body["access_token"].as_str().unwrap().to_owned()
}

/// Signs in, with changes to the authorisation request, and returns the token.
pub async fn user_token(bench: &Bench, changes: &[(&'static str, &'static str)]) -> String {
    let code = code(bench, changes).await;
    let (status, body) = token(bench, &exchange(&code, VERIFIER)).await;
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

async fn list(bench: &Bench, token: &str) -> (u16, String) {
    let request = bench.bare(Method::GET, DEPARTURES).bearer_auth(token).header("Accept", JSON);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap()
}

#[tokio::test]
async fn a_user_consents_and_the_application_gets_tokens_that_work() {
    let bench = Bench::new().await;
    let back = sent_back(&authorise(&bench, &standard()).await);
    assert_eq!(back["state"], "a state & more");
    let (status, body) = token(&bench, &exchange(&back["code"], VERIFIER)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 14400);
    assert_eq!(body["scope"], SCOPE);
    let (access, refresh) = (text(&body, "access_token"), text(&body, "refresh_token"));
    assert_eq!(list(&bench, access).await.0, 200);

    // A code serves once.
    let (status, again) = token(&bench, &exchange(&back["code"], VERIFIER)).await;
    assert_eq!((status, text(&again, "error")), (400, "invalid_grant"));

    // A refresh token serves once, and ends the access token before it.
    let (status, fresh) = token(&bench, &refreshing(refresh)).await;
    assert_eq!(status, 200, "{fresh}");
    assert_eq!(list(&bench, access).await, (401, "INVALID_CREDENTIALS".into()));
    assert_eq!(list(&bench, text(&fresh, "access_token")).await.0, 200);
    let (status, spent) = token(&bench, &refreshing(refresh)).await;
    assert_eq!((status, text(&spent, "error")), (400, "invalid_grant"));
}

#[tokio::test]
async fn everyone_who_signs_in_for_an_application_is_the_same_trader() {
    let bench = Bench::new().await;
    let first = user_token(&bench, &[]).await;
    let second = user_token(&bench, &[]).await;
    let sent = bench
        .bare(Method::POST, DEPARTURES)
        .bearer_auth(&first)
        .header("Accept", JSON)
        .header("Content-Type", "application/xml")
        .body(declaration("LRN1"));
    assert_eq!(sent.send().await.unwrap().status(), 202);
    let seen = bench.bare(Method::GET, DEPARTURES).bearer_auth(&second).header("Accept", JSON);
    let seen: Value = seen.send().await.unwrap().json().await.unwrap();
    assert_eq!(seen["totalCount"], 1);
    // A token of one's own is another trader.
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 0);
}

#[tokio::test]
async fn tokens_codes_and_grants_end_in_their_time() {
    let bench = Bench::new().await;
    let late = code(&bench, &[]).await;
    bench.pass(10 * 60);
    let (status, body) = token(&bench, &exchange(&late, VERIFIER)).await;
    assert_eq!((status, text(&body, "error")), (400, "invalid_grant"));

    let good = code(&bench, &[]).await;
    let (_, tokens) = token(&bench, &exchange(&good, VERIFIER)).await;
    let access = text(&tokens, "access_token");
    bench.pass(4 * 3600 - 1);
    assert_eq!(list(&bench, access).await.0, 200);
    bench.pass(1);
    assert_eq!(list(&bench, access).await, (401, "INVALID_CREDENTIALS".into()));

    bench.pass(540 * 86_400);
    let (status, tokens) = token(&bench, &refreshing(text(&tokens, "refresh_token"))).await;
    assert_eq!(status, 200, "after 540 days: {tokens}");
    bench.pass(10 * 86_400);
    let (status, body) = token(&bench, &refreshing(text(&tokens, "refresh_token"))).await;
    assert_eq!((status, text(&body, "error")), (400, "invalid_grant"), "after 18 months");
}

#[tokio::test]
async fn authorisation_is_refused_to_the_person_or_to_the_application() {
    let bench = Bench::new().await;
    for (what, changes) in [
        ("unknown application", ("client_id", "nobody<b>")),
        ("no application", ("client_id", "")),
        ("foreign redirect", ("redirect_uri", "https://example.org/")),
        ("no redirect", ("redirect_uri", "")),
        ("odd redirect", ("redirect_uri", "http://127.0.0.1:x/")),
        ("unknown user", ("user_id", "000000000000")),
    ] {
        let response = authorise(&bench, &changed(&[changes])).await;
        assert_eq!(response.status(), 400, "{what}");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8", "{what}");
        assert!(!response.text().await.unwrap().contains("<b>"), "{what}");
    }
    for (error, changes) in [
        ("unsupported_response_type", ("response_type", "token")),
        ("invalid_scope", ("scope", "")),
        ("invalid_scope", ("scope", "read:everything")),
        ("invalid_request", ("code_challenge_method", "plain")),
        ("invalid_request", ("code_challenge_method", "")),
    ] {
        let response = authorise(&bench, &changed(&[changes])).await;
        assert_eq!(response.status(), 400);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"], error);
    }
    let back = sent_back(&authorise(&bench, &changed(&[("consent", "refused")])).await);
    assert_eq!((back["error"].as_str(), back.get("code")), ("access_denied", None));
    assert_eq!(back["state"], "a state & more");
    assert!(back.contains_key("error_description") && back.contains_key("error_code"));
}

#[tokio::test]
async fn tokens_are_refused_with_the_errors_of_the_standard() {
    let bench = Bench::new().await;
    let other = json!({"clientId": "other", "clientSecret": "s", "redirectUris": [REDIRECT]});
    let registering = bench.bare(Method::POST, "/simulator/applications").json(&other);
    assert_eq!(registering.send().await.unwrap().status(), 201);
    let good = code(&bench, &[]).await;
    let with = |changes: &[(&'static str, &'static str)]| {
        let mut all: HashMap<_, _> = exchange(&good, VERIFIER).into_iter().collect();
        all.extend(changes.iter().copied());
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>()
    };
    // The last one spends the code, and must come last.
    for (changes, status, error) in [
        (vec![("client_id", "nobody")], 401, "invalid_client"),
        (vec![("client_secret", "wrong")], 401, "invalid_client"),
        (vec![("client_id", "")], 400, "invalid_request"),
        (vec![("grant_type", "")], 400, "invalid_request"),
        (vec![("grant_type", "password")], 400, "unsupported_grant_type"),
        (vec![("code", "")], 400, "invalid_request"),
        (vec![("code", "wrong")], 400, "invalid_grant"),
        (vec![("grant_type", "refresh_token")], 400, "invalid_request"),
        (vec![("grant_type", "client_credentials"), ("scope", "x")], 400, "invalid_scope"),
        (vec![("client_id", "other"), ("client_secret", "s")], 400, "invalid_grant"),
        (vec![("code_verifier", "wrong")], 400, "invalid_grant"),
        (vec![], 400, "invalid_grant"),
    ] {
        let (got, body) = token(&bench, &with(&changes)).await;
        assert_eq!((got, text(&body, "error")), (status, error), "{changes:?}");
        assert!(body["error_description"].is_string());
    }
    let json = bench.bare(Method::POST, "/oauth/token").json(&json!({"client_id": CLIENT}));
    assert_eq!(json.send().await.unwrap().status(), 400);
    let unproved = code(&bench, &[("code_challenge", "")]).await;
    let (_, body) = token(&bench, &exchange(&unproved, VERIFIER)).await;
    assert_eq!(body["error"], "invalid_grant", "a verifier that nobody announced");
}

#[tokio::test]
async fn a_token_opens_what_it_is_for_and_nothing_else() {
    let bench = Bench::new().await;
    let application = application_token(&bench, SCOPE).await;
    assert_eq!(list(&bench, &application).await, (401, "INCORRECT_ACCESS_TOKEN_TYPE".into()));
    let scope = ("scope", "common-transit-convention-guarantee-balance");
    let other = user_token(&bench, &[scope]).await;
    assert_eq!(list(&bench, &other).await, (403, "INVALID_SCOPE".into()));
    let forged = "simulator-token-00000000000000000000000000000000";
    assert_eq!(list(&bench, forged).await, (401, "INVALID_CREDENTIALS".into()));
}

#[tokio::test]
async fn the_limit_is_the_applications_whoever_signed_in() {
    let bench = Bench::with(ctc_ready::simulator::SimulatorOptions::default()).await;
    let (first, second) = (user_token(&bench, &[]).await, user_token(&bench, &[]).await);
    let mut answers = Vec::new();
    for token in [&first, &second, &first, &second] {
        answers.push(list(&bench, token).await.0);
    }
    assert_eq!(answers, [200, 200, 200, 429]);
}
