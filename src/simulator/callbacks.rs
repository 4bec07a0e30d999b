//! Pushing notifications to a callback URL.
//!
//! HMRC pushes to `https` on port 443. The simulator pushes to `http` on this
//! machine's loopback interface only, so that it can never be used to call
//! anybody else. Everything else is as HMRC's: the URL is checked by a
//! challenge, deliveries are signed, and only 200 counts.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::json;
use sha1::Sha1;
use tokio::task::JoinSet;
use url::{Host, Url};

use super::apis::{self, ReadBody, push};
use super::http_errors::HttpError;
use super::outside::Told;
use super::server::Simulator;

/// How long a callback may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long between looks at what is to be pushed.
const PAUSE: Duration = Duration::from_millis(100);

/// Most bytes read of a callback's answer.
const ANSWER: usize = 4 << 10;

/// The client for callbacks. None when the system has no room for one.
fn client() -> Option<reqwest::Client> {
    // Whoever was first stays, and any will do: nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .inspect_err(|error| tracing::error!(%error, "no client for callbacks"))
        .ok()
}

/// A URL that may be called.
fn loopback(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let here = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (url.scheme() == "http" && here).then_some(url)
}

/// The box whose callback a request sets: `PUT /simulator/boxes/ID/callback`.
pub(super) fn sets(parts: &Parts) -> Option<&str> {
    let rest = parts.uri.path().strip_prefix("/simulator/boxes/")?;
    let id = rest.strip_suffix("/callback")?;
    (parts.method == Method::PUT && !id.contains('/')).then_some(id)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    callback_url: String,
}

/// Sets, after the challenge, where the notifications of a box are pushed. An
/// empty URL ends pushing.
///
/// # Errors
/// The refusal to answer with.
pub(super) async fn set(
    simulator: &Arc<Simulator>,
    box_id: &str,
    body: &ReadBody,
) -> Result<Response, HttpError> {
    let wish: Wish = serde_json::from_slice(&body.bytes)
        .map_err(|_| HttpError::bad_request("The body must be {\"callbackUrl\": \"…\"}"))?;
    if simulator.state().boxes.get(box_id).is_none() {
        return Err(HttpError::not_found("Box not found"));
    }
    let url = if wish.callback_url.is_empty() {
        None
    } else {
        if let Err(why) = challenge(&wish.callback_url).await {
            let failed = json!({"successful": false, "errorMessage": why});
            return apis::answer(StatusCode::OK, &failed);
        }
        Some(wish.callback_url)
    };
    simulator.learn(Told::Callback { box_id: box_id.to_owned(), url })?;
    keep_pushing(simulator);
    apis::answer(StatusCode::OK, &json!({"successful": true}))
}

async fn challenge(text: &str) -> Result<(), &'static str> {
    let mut url = loopback(text).ok_or("Invalid callback URL. Only http on loopback is called")?;
    let random = uuid::Uuid::new_v4().to_string();
    url.query_pairs_mut().append_pair("challenge", &random);
    let failed = "Invalid callback URL. Check the information you have provided is correct.";
    let mut response = client().ok_or(failed)?.get(url).send().await.map_err(|_| failed)?;
    if response.status().as_u16() != 200 {
        return Err(failed);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER {
            return Err(failed);
        }
    }
    let answer: HashMap<String, String> = serde_json::from_slice(&body).map_err(|_| failed)?;
    if answer.get("challenge") == Some(&random) { Ok(()) } else { Err(failed) }
}

/// One notification on its way.
struct Delivery {
    id: String,
    url: Url,
    body: String,
    signature: String,
}

/// Lower-case hexadecimal HMAC-SHA1 of the body under the box's secret.
fn sign(secret: &str, body: &str) -> String {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn deliveries(simulator: &Simulator) -> Vec<Delivery> {
    let now = simulator.now();
    let mut state = simulator.state();
    state.advance(now);
    let due = state.boxes.due(now);
    let deliver = |(one, into, url): (_, &super::boxes::PushBox, &str)| {
        let body = serde_json::to_string(&push::shape(&state, one)?).ok()?;
        let signature = sign(&into.push_secret, &body);
        Some(Delivery { id: one.id.clone(), url: loopback(url)?, body, signature })
    };
    due.into_iter().filter_map(deliver).collect()
}

async fn deliver(client: reqwest::Client, delivery: Delivery) -> (String, bool) {
    let sent = client
        .post(delivery.url)
        .header("Content-Type", "application/json")
        .header("X-Hub-Signature", delivery.signature)
        .body(delivery.body)
        .send()
        .await;
    (delivery.id, sent.is_ok_and(|response| response.status().as_u16() == 200))
}

/// Pushes from now on, until the simulator is gone. Once is enough: a second
/// call does nothing.
pub(super) fn keep_pushing(simulator: &Arc<Simulator>) {
    if !simulator.state().boxes.pushes() || !simulator.begin_pushing() {
        return;
    }
    let simulator = Arc::downgrade(simulator);
    tokio::spawn(async move {
        if let Some(client) = client() {
            push_all(client, simulator).await;
        }
    });
}

async fn push_all(client: reqwest::Client, simulator: Weak<Simulator>) {
    let mut pause = tokio::time::interval(PAUSE);
    loop {
        pause.tick().await;
        let Some(due) = simulator.upgrade().map(|simulator| deliveries(&simulator)) else { return };
        if due.is_empty() {
            continue;
        }
        let mut under_way = JoinSet::new();
        for delivery in due {
            under_way.spawn(deliver(client.clone(), delivery));
        }
        let mut outcomes = HashMap::new();
        while let Some(outcome) = under_way.join_next().await {
            outcomes.extend(outcome);
        }
        let Some(simulator) = simulator.upgrade() else { return };
        // What cannot be written down has been told where it went wrong.
        if simulator.learn(Told::Pushed(outcomes)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_called() {
        for url in ["http://127.0.0.1:8080/a?b=c", "http://localhost/", "http://[::1]:1/"] {
            assert!(loopback(url).is_some(), "{url}");
        }
        for url in [
            "https://127.0.0.1/",
            "http://example.org/",
            "http://10.0.0.1/",
            "http://localhost.example.org/",
            "http://127.0.0.1@example.org/",
            "file:///etc/passwd",
            "",
        ] {
            assert!(loopback(url).is_none(), "{url}");
        }
    }

    #[test]
    fn signatures_are_those_of_the_standard() {
        // The well-known example of HMAC-SHA1.
        assert_eq!(
            sign("key", "The quick brown fox jumps over the lazy dog"),
            "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9"
        );
    }
}
