//! What the software sends and is sent is passed on as it is.

use crate::between::{
    DEPARTURES, MOVEMENT, Raw, Recording, Server, TOKEN, answer, events, holding, json, request,
    send, try_send, xml,
};
use crate::support::{Project, nobody_listens};

/// Header lines but for these.
fn lines(raw: &Raw, but: &[&str]) -> Vec<String> {
    raw.headers
        .iter()
        .map(|line| line.escape_ascii().to_string())
        .filter(|line| {
            let name = line.split(':').next().unwrap();
            !but.iter().any(|other| other.eq_ignore_ascii_case(name))
        })
        .collect()
}

#[test]
fn requests_and_answers_are_the_same_on_both_sides() {
    let project = Project::new();
    let odd =
        b"HTTP/1.1 299 Fine By Me\r\nX-oDD: a  \xfe\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\n\
        Location: http://elsewhere.example/\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\nd\x00\xffe\r\n0\r\n\r\n";
    let server = Server::start(|raw| {
        let head = raw.line.starts_with("HEAD ");
        Some(match head {
            true => b"HTTP/1.1 200 OK\r\nContent-Length: 4711\r\n\r\n".to_vec(),
            false => odd.to_vec(),
        })
    });
    let recording = Recording::start(&project, &server.base_url, &[]);
    let host = &recording.host;
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW", "HEAD"] {
        let path = "/misc/a%2Fb/..;x/?q=%20a&&b=c=d&e=\u{7e}'";
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhOsT: hmrc.example\r\nX-One: 1\r\nx-tWO:  2 , 3\r\n\
             X-One: \t4\r\nUser-Agent: Trader/1.0 (odd; \"x\")\r\nConnection: keep-alive, x-gone\r\n\
             X-Gone: 5\r\nKeep-Alive: 9\r\nTE: trailers\r\n"
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(b"X-Raw: \xe9\xff\r\n");
        let body: &[u8] = match method {
            "GET" | "HEAD" => b"\r\n",
            "POST" => b"Transfer-Encoding: chunked\r\n\r\n5\r\nab\r\nc\r\n1\r\nd\r\n0\r\n\r\n",
            _ => b"Content-Length: 6\r\n\r\nab\r\ncd",
        };
        bytes.extend_from_slice(body);
        let got = send(host, &bytes);
        let sent = server.heard().pop().unwrap();
        assert_eq!(sent.line, format!("{method} {path} HTTP/1.1"));
        let expected = [
            &format!("hOsT: {}", server.base_url.strip_prefix("http://").unwrap()),
            "X-One: 1",
            "X-One: 4",
            "x-tWO: 2 , 3",
            "User-Agent: Trader/1.0 (odd; \\\"x\\\")",
            "X-Raw: \\xe9\\xff",
        ]
        .map(str::to_owned);
        let mut lines_sent = lines(&sent, &["content-length", "transfer-encoding"]);
        let mut expected = expected.to_vec();
        // The order of headers of different names means nothing.
        lines_sent.sort();
        expected.sort();
        assert_eq!(lines_sent, expected, "{method}");
        let body: &[u8] = if matches!(method, "GET" | "HEAD") { b"" } else { b"ab\r\ncd" };
        assert_eq!(sent.body, body, "{method}");
        if method == "HEAD" {
            assert_eq!(lines(&got, &[]), ["Content-Length: 4711"]);
            continue;
        }
        assert_eq!(got.line, "HTTP/1.1 299 Fine By Me");
        assert_eq!(got.body, b"abcd\x00\xffe", "{method}");
        let mut told = lines(&got, &["transfer-encoding", "connection"]);
        told.sort();
        let expected = [
            "Location: http://elsewhere.example/",
            "Set-Cookie: b=2",
            "X-oDD: a  \\xfe",
            "set-cookie: a=1",
        ];
        assert_eq!(told, expected, "{method}");
    }
    let heard = server.heard().len();
    assert_eq!(heard, 8, "one request each, and no redirect is followed");
    let (code, report) = recording.stop();
    assert_eq!((code, report["runs"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn eight_megabytes_pass_in_both_directions() {
    let project = Project::new();
    let filler = format!("<LRN>DSGB1X</LRN><!--{}-->", "é ".repeat(2_700_000));
    let large = xml("CC015C", &filler);
    let back = large.clone();
    let server = Server::start(move |raw| {
        Some(match raw.line.split(' ').next().unwrap() {
            "POST" => answer("413 Payload Too Large", "application/json", br#"{"code":"X"}"#),
            _ => answer("200 OK", "application/xml", back.as_bytes()),
        })
    });
    let recording = Recording::start(&project, &server.base_url, &[]);
    for path in ["/elsewhere", DEPARTURES] {
        let sent =
            request(&format!("POST {path}"), "json", Some(("application/xml", large.as_bytes())));
        assert_eq!(send(&recording.host, &sent).line, "HTTP/1.1 413 Payload Too Large");
        assert_eq!(server.heard().pop().unwrap().body, large.as_bytes());
        let path = format!("GET {path}/{MOVEMENT}/messages/{MOVEMENT}/body");
        assert_eq!(send(&recording.host, &request(&path, "xml", None)).body, large.as_bytes());
    }
    let (code, report) = recording.stop();
    // HMRC refused it, and so it is over.
    assert_eq!((code, &report["runs"][0]["failure"]["reason"]), (1, &"refused-by-api".into()));
    let sent = &events(&project, &report["runs"][0]["run"], "request")[0];
    assert_eq!(sent["body"]["bytes"], large.len());
    assert_eq!((&sent["lrn"], &sent["purpose"]), (&"DSGB1X".into(), &"submit".into()));
    project.call(&["verify"]).code(0);
}

#[test]
fn an_environment_that_is_not_there_is_told_as_ours_and_recorded() {
    let project = Project::new();
    let recording = Recording::start(&project, &nobody_listens(), &["--scenario", "DSGB1"]);
    let body = xml("CC015C", "<LRN>L1</LRN>");
    let sent =
        request(&format!("POST {DEPARTURES}"), "json", Some(("application/xml", body.as_bytes())));
    for _ in 0..2 {
        let got = send(&recording.host, &sent);
        assert_eq!(got.line, "HTTP/1.1 502 Bad Gateway");
        assert_eq!(got.json()["code"], "CTC_READY_NOT_REACHED");
        assert_eq!(got.json()["from"], "ctc-ready record");
    }
    let got = send(&recording.host, &request("GET /anything", "json", None));
    assert_eq!(got.json()["code"], "CTC_READY_NOT_REACHED");
    let (code, report) = recording.stop();
    // Sent again with the same LRN, it is the same attempt.
    let runs = report["runs"].as_array().unwrap();
    assert_eq!((code, runs.len(), &runs[0]["state"]), (5, 1, &"waiting".into()));
    let failed = events(&project, &runs[0]["run"], "request-failed");
    assert_eq!(failed.len(), 2);
    assert_eq!(
        (&failed[0]["failure"], &failed[0]["may_have_arrived"]),
        (&"connect".into(), &false.into())
    );
    assert!(runs[0]["waiting_for"]["what"].as_str().unwrap().contains("send the IE015"));
}

#[test]
fn an_answer_that_breaks_off_does_so_for_the_software_too() {
    let project = Project::new();
    let server = Server::start(move |raw| {
        let taken = serde_json::json!({"departureId": MOVEMENT, "messageId": "66a0000033334444"});
        if raw.line.starts_with("POST ") {
            return Some(json("202 Accepted", &taken));
        }
        let whole = answer("200 OK\r\nConnection: close", "text/xml", xml("CC928C", "").as_bytes());
        let half = raw.line.contains("/messages/").then(|| whole[..whole.len() - 30].to_vec())?;
        Some(half)
    });
    let recording = Recording::start(&project, &server.base_url, &["--scenario", "DSGB1"]);
    let body = xml("CC015C", "<LRN>L1</LRN>");
    let body = Some(("application/xml", body.as_bytes()));
    let sent = request(&format!("POST {DEPARTURES}"), "json", body);
    assert_eq!(send(&recording.host, &sent).line, "HTTP/1.1 202 Accepted");
    let of_movement = format!("GET {DEPARTURES}/{MOVEMENT}/messages");
    let path = format!("{of_movement}/66a0000055556666/body");
    assert!(try_send(&recording.host, &request(&path, "xml", None)).is_none(), "half an answer");
    let got = send(&recording.host, &request(&of_movement, "json", None));
    assert_eq!(got.json()["code"], "CTC_READY_NO_ANSWER");
    let (_, report) = recording.stop();
    let run = &report["runs"][0]["run"];
    let failed = events(&project, run, "request-failed");
    assert_eq!((&failed[0]["failure"], &failed[1]["failure"]), (&"body".into(), &"request".into()));
    assert!(events(&project, run, "received").is_empty());
    assert_eq!(events(&project, run, "submitted")[0]["movement_id"], MOVEMENT);
}

#[test]
fn only_this_machine_may_send_unless_it_is_said() {
    let project = Project::new();
    let args = ["record", "--listen", "0.0.0.0:0", "--environment", "simulator"];
    let to = ["--base-url", "http://127.0.0.1:9"];
    project.call(&[&args[..], &to].concat()).code(2).says(&["--listen-anywhere"]);
    project.call(&args[..]).code(2);
    project.call(&["record", "--environment", "simulator"]).code(2).says(&["simulate"]);
    assert!(!project.evidence().exists());
}

#[test]
fn a_store_in_use_is_told_and_no_token_answer_is_kept() {
    let project = Project::new();
    let grant = serde_json::json!({"access_token": "granted-9c8b7a6d5e4f", "refresh_token": "r"});
    let server = Server::start(move |_| Some(json("200 OK", &grant)));
    let recording = Recording::start(&project, &server.base_url, &[]);
    let form: &[u8] = b"grant_type=client_credentials&client_secret=topsecret-1234567";
    let media = "application/x-www-form-urlencoded";
    let sent = request("POST /oauth/token", "json", Some((media, form)));
    assert_eq!(send(&recording.host, &sent).json()["access_token"], "granted-9c8b7a6d5e4f");
    let other = ["record", "--environment", "simulator", "--base-url", "http://127.0.0.1:9"];
    project.call(&other).code(4).says(&["is being written by process"]);
    recording.stop();
    for secret in [TOKEN, "granted-9c8b7a6d5e4f", "topsecret"] {
        assert_eq!(holding(project.path(), secret), Vec::<String>::new());
    }
}
