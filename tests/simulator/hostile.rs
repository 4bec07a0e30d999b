//! Requests that no client sends by accident: answered or dropped, never with
//! 500, and the simulator lives.

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::bench::*;

/// Sends bytes and returns what comes back until the connection ends.
async fn raw(bench: &Bench, request: &[u8]) -> String {
    let mut socket = tokio::net::TcpStream::connect(bench.running.addr).await.unwrap();
    // The other side may have hung up before everything was sent.
    let _ = socket.write_all(request).await;
    let _ = socket.shutdown().await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(line: &str, headers: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nAccept: {JSON}\r\nConnection: \
         close\r\n{headers}\r\n"
    )
}

#[tokio::test]
async fn broken_http_is_survived() {
    let bench = Bench::new().await;
    let post = format!("POST {DEPARTURES}");
    let chunked = "Content-Type: application/xml\r\nTransfer-Encoding: chunked\r\n";
    let form = "Content-Type: multipart/form-data; boundary=B\r\n";
    let many = "X-A: b\r\n".repeat(5_000);
    for (what, request) in [
        ("no chunk size", head(&post, chunked) + "zz\r\nx\r\n"),
        ("endless chunk", head(&post, chunked) + "ffffffffffffffff\r\nx"),
        ("negative chunk", head(&post, chunked) + "-1\r\n\r\n"),
        ("chunk cut off", head(&post, chunked) + "5\r\nab"),
        ("negative length", head(&post, "Content-Length: -5\r\n")),
        ("two lengths", head(&post, "Content-Length: 1\r\nContent-Length: 2\r\n") + "x"),
        (
            "length and chunks",
            head(&post, &format!("Content-Length: 3\r\n{chunked}")) + "0\r\n\r\n",
        ),
        (
            "body cut off",
            head(&post, "Content-Type: application/xml\r\nContent-Length: 9\r\n") + "a",
        ),
        (
            "form cut off",
            head("POST /upload", &format!("{form}Content-Length: 99\r\n")) + "--B\r\n",
        ),
        ("many headers", head(&post, &many)),
        ("long header", head(&post, &format!("X: {}\r\n", "x".repeat(1 << 20)))),
        ("long path", head(&format!("GET /{}", "a/".repeat(100_000)), "")),
        ("header without name", head(&post, ": x\r\n")),
        ("folded header", head(&post, "X: a\r\n b\r\n")),
        ("bare line feed", head(&post, "X: a\nInjected: b\r\n")),
        ("no HTTP", "hello\r\n\r\n".to_owned()),
        ("other method", head("BREW /oauth/token", "")),
        ("whole URL", head("GET http://example.org/oauth/authorize", "")),
        ("asterisk", head("OPTIONS *", "")),
        ("tunnel", head("CONNECT example.org:443", "")),
        ("bad escape", head(&format!("GET {DEPARTURES}?page=%zz&count=%"), "")),
        ("odd path", head("GET /customs/guarantees/%00%2f/balance", "")),
    ] {
        let answer = raw(&bench, request.as_bytes()).await;
        assert!(!answer.starts_with("HTTP/1.1 5"), "{what}: {answer}");
        let health = bench.bare(Method::GET, "/simulator/health").send().await.unwrap();
        assert_eq!(health.status(), 200, "after {what}");
    }
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 0);
}

#[tokio::test]
async fn what_a_request_says_cannot_get_into_headers() {
    let bench = Bench::new().await;
    let path = "/oauth/authorize?response_type=code&client_id=simulator-client&scope=\
        common-transit-convention-traders&redirect_uri=http%3A%2F%2Flocalhost%2F%0d%0aX-Bad:1\
        &state=a%0d%0aX-Bad%3A%201";
    let answer = raw(&bench, head(&format!("GET {path}"), "").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(!answer.to_lowercase().contains("\nx-bad"), "{answer}");
    // A place to upload to is named after the host asked for, as a JSON string.
    let asking = head(&format!("POST {DEPARTURES}"), "").replace("Host: x", "Host: x\"y");
    let answer = raw(&bench, asking.as_bytes()).await;
    if let Some((_, body)) = answer.split_once("\r\n\r\n") {
        assert!(body.is_empty() || serde_json::from_str::<Value>(body).is_ok(), "{answer}");
    }
}

#[tokio::test]
async fn deep_and_large_bodies_are_refused_everywhere() {
    let bench = Bench::new().await;
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let named = format!("{{\"message\":{{\"messageType\":\"{}\"}}}}", "x".repeat(6_000_000));
    let id = bench.open("LRN1").await;
    let box_id = "50dca3fc-c37c-4f03-b719-63571333624c";
    for (method, path, accept) in [
        (Method::POST, DEPARTURES.to_owned(), "2.1"),
        (Method::POST, format!("{DEPARTURES}/{id}/messages"), "2.1"),
        (Method::POST, format!("/test{DEPARTURES}/{id}/messages"), "2.1"),
        (Method::POST, "/customs/guarantees/23GB0000010000854/balance".to_owned(), "2.0"),
        (Method::POST, "/create-test-user/organisations".to_owned(), "1.0"),
        (
            Method::PUT,
            format!("/misc/push-pull-notification/box/{box_id}/notifications/acknowledge"),
            "1.0",
        ),
        (Method::POST, "/simulator/mailbox".to_owned(), "2.1"),
        (Method::POST, "/simulator/applications".to_owned(), "2.1"),
        (Method::POST, "/simulator/boxes".to_owned(), "2.1"),
        (Method::PUT, format!("/simulator/boxes/{box_id}/callback"), "2.1"),
        (Method::POST, "/oauth/token".to_owned(), "2.1"),
        (Method::POST, "/upload".to_owned(), "2.1"),
    ] {
        for body in [&deep, &named] {
            let request = bench
                .bare(method.clone(), &path)
                .bearer_auth("trader-1")
                .header("Accept", format!("application/vnd.hmrc.{accept}+json"))
                .header("Content-Type", "application/json")
                .body(body.clone());
            let status = request.send().await.unwrap().status().as_u16();
            assert!((400..500).contains(&status), "{method} {path}: {status}");
        }
    }
}
