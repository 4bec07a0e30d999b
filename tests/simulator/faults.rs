//! Every kind of fault over real sockets, as a client that believes nothing
//! sees it.

use std::net::SocketAddr;

use ctc_ready::simulator::{Faults, SimulatorOptions};
use serde_json::Value;

use super::bench::*;
use super::raw::{Arrived, End, exchange, request};

async fn with(faults: &str) -> Bench {
    let faults = Faults::parse("faults.toml", faults).unwrap();
    Bench::with(SimulatorOptions {
        requests_per_second: None,
        faults: Some(faults),
        ..SimulatorOptions::default()
    })
    .await
}

async fn send(addr: SocketAddr, text: String) -> Arrived {
    tokio::task::spawn_blocking(move || exchange(addr, &text)).await.unwrap()
}

async fn list(bench: &Bench) -> Arrived {
    send(bench.running.addr, request("GET", DEPARTURES, "", true)).await
}

async fn post(bench: &Bench, lrn: &str) -> Arrived {
    send(bench.running.addr, request("POST", DEPARTURES, &declaration(lrn), true)).await
}

/// LRNs of the messages that were taken, by the simulator's own log.
async fn taken(bench: &Bench) -> Vec<String> {
    let log = bench.get("/simulator/log").await;
    let all = log["submissions"].as_array().unwrap().iter();
    let taken = all.filter(|one| one["status"] == 202);
    taken.map(|one| one["lrn"].as_str().unwrap().to_owned()).collect()
}

/// What struck: `(rule, do)`.
async fn struck(bench: &Bench) -> Vec<(String, String)> {
    let log = bench.get("/simulator/log").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = log["faults"].as_array().unwrap().iter();
    all.map(|one| (text(&one["rule"]), text(&one["do"]))).collect()
}

#[tokio::test]
async fn failures_of_the_gateway_come_in_its_shape_and_take_nothing() {
    for (rule, status, code) in [
        ("status = 429", 429, "MESSAGE_THROTTLED_OUT"),
        ("status = 429\nretry-after = 7", 429, "MESSAGE_THROTTLED_OUT"),
        ("status = 500", 500, "INTERNAL_SERVER_ERROR"),
        ("status = 502", 502, "BAD_GATEWAY"),
        ("status = 503\nretry-after = 7", 503, "SERVER_ERROR"),
        ("status = 504", 504, "GATEWAY_TIMEOUT"),
        ("status = 504\ntaken = true", 504, "GATEWAY_TIMEOUT"),
        ("status = 503\nhtml = true", 503, "<html>"),
    ] {
        let bench = with(&format!("[[fault]]\ndo = \"status\"\nmessage = \"IE015\"\n{rule}")).await;
        let answer = post(&bench, "LRN1").await;
        assert_eq!((answer.status(), answer.end), (status, End::Closed), "{rule}");
        assert!(answer.body().contains(code), "{rule}: {}", answer.body());
        let html = rule.contains("html");
        let of_type = if html { "text/html" } else { "application/json" };
        assert_eq!(answer.header("content-type").unwrap(), of_type, "{rule}");
        if !html {
            let body: Value = serde_json::from_str(&answer.body()).unwrap();
            assert_eq!(body["code"], code, "{rule}");
            assert!(body["message"].is_string(), "{rule}");
        }
        let wait = rule.contains("retry-after").then(|| "7".to_owned());
        assert_eq!(answer.header("retry-after"), wait, "{rule}");
        assert!(answer.header("date").is_some(), "{rule}");
        let effect = usize::from(rule.contains("taken"));
        assert_eq!(taken(&bench).await.len(), effect, "{rule}");
        assert_eq!(struck(&bench).await, [("fault 1".to_owned(), "status".to_owned())], "{rule}");
        // A list is no IE015.
        assert_eq!(list(&bench).await.status(), 200, "{rule}");
    }
}

#[tokio::test]
async fn connections_are_reset_or_closed_before_or_after_the_effect() {
    for (kind, effect, end) in [
        ("reset", false, End::Reset),
        ("reset", true, End::Reset),
        ("close", false, End::Closed),
        ("close", true, End::Closed),
    ] {
        let rule = format!("[[fault]]\ndo = \"{kind}\"\nmethod = \"POST\"\ntaken = {effect}");
        let bench = with(&rule).await;
        let answer = post(&bench, "LRN1").await;
        assert_eq!((answer.bytes.len(), &answer.end), (0, &end), "{rule}: {answer:?}");
        let expected: &[&str] = if effect { &["LRN1"] } else { &[] };
        assert_eq!(taken(&bench).await, expected, "{rule}");
    }
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_it_was_announced() {
    let bench = with("[[fault]]\ndo = \"truncate\"\nmethod = \"GET\"\nkeep = 10").await;
    let answer = list(&bench).await;
    let announced: usize = answer.header("content-length").unwrap().parse().unwrap();
    assert_eq!((answer.status(), answer.body().len()), (200, 10));
    assert!(announced > 10, "{announced}");
    assert_eq!(answer.end, End::Closed);

    // Without a number, half of it.
    let bench = with("[[fault]]\ndo = \"truncate\"\nmessage = \"IE015\"").await;
    let answer = post(&bench, "LRN1").await;
    let announced: usize = answer.header("content-length").unwrap().parse().unwrap();
    assert_eq!((answer.status(), answer.body().len()), (202, announced / 2));
    assert_eq!(taken(&bench).await, ["LRN1"]);

    let bench = with("[[fault]]\ndo = \"truncate\"\nmethod = \"GET\"\nchunked = true").await;
    let answer = list(&bench).await;
    assert_eq!(answer.header("transfer-encoding").unwrap(), "chunked");
    assert_eq!(answer.header("content-length"), None);
    // The size of the chunk is there, its end and the last chunk are not.
    let body = answer.body();
    let (size, rest) = body.split_once("\r\n").unwrap();
    assert!(rest.len() < usize::from_str_radix(size, 16).unwrap(), "{body}");
    assert!(!body.contains("\r\n0\r\n"), "{body}");
}

#[tokio::test]
async fn a_drip_arrives_whole_in_many_pieces() {
    let bench = with("[[fault]]\ndo = \"drip\"\nmilliseconds = 1\nmethod = \"GET\"\nnth = 1").await;
    let slow = list(&bench).await;
    assert!(slow.pieces > 20, "{}", slow.pieces);
    let quick = list(&bench).await;
    assert_eq!((slow.status(), slow.body()), (quick.status(), quick.body()));
    assert!(quick.pieces < 5, "{}", quick.pieces);
}

#[tokio::test]
async fn a_delay_keeps_the_answer_as_it_is() {
    let bench = with("[[fault]]\ndo = \"delay\"\nseconds = 0.05\nmethod = \"POST\"").await;
    let begun = std::time::Instant::now();
    let answer = post(&bench, "LRN1").await;
    assert!(begun.elapsed() >= std::time::Duration::from_millis(50));
    assert_eq!(answer.status(), 202);
    assert_eq!(struck(&bench).await, [("fault 1".to_owned(), "delay".to_owned())]);
}

#[tokio::test]
async fn answers_are_changed_and_their_effects_are_not() {
    let bench = with("[[fault]]\ndo = \"clock-skew\"\nseconds = -90\nnth = 1").await;
    assert_eq!(list(&bench).await.header("date").unwrap(), "Sat, 21 Nov 2026 08:58:30 GMT");
    assert_eq!(list(&bench).await.header("date").unwrap(), "Sat, 21 Nov 2026 09:00:00 GMT");

    let bench = with("[[fault]]\ndo = \"expired-token\"\ntimes = 1").await;
    let refused = list(&bench).await;
    assert_eq!(refused.status(), 401);
    assert!(refused.body().contains("INVALID_CREDENTIALS"));
    assert_eq!(list(&bench).await.status(), 200);

    let bench = with("[[fault]]\ndo = \"wrong-type\"\ncontent-type = \"text/plain\"").await;
    let answer = list(&bench).await;
    assert_eq!(answer.header("content-type").unwrap(), "text/plain");
    assert!(answer.body().contains("totalCount"));

    let bench = with("[[fault]]\ndo = \"empty\"\nmethod = \"POST\"").await;
    let answer = post(&bench, "LRN1").await;
    assert_eq!((answer.status(), answer.body().as_str()), (200, ""));
    assert_eq!(answer.header("content-length").unwrap(), "0");
    assert_eq!(taken(&bench).await, ["LRN1"]);

    let rules = "[[fault]]\ndo = \"extra-fields\"\n[[fault]]\ndo = \"wrong-total\"\nby = 5";
    let bench = with(rules).await;
    post(&bench, "LRN1").await;
    let body: Value = serde_json::from_str(&list(&bench).await.body()).unwrap();
    assert_eq!(body["totalCount"], 6);
    assert_eq!(body["departures"].as_array().unwrap().len(), 1);
    assert!(body["unannounced"].is_object());
    assert!(body["departures"][0]["unannounced"].is_object());
}

#[tokio::test]
async fn a_reply_is_filed_twice_late_or_after_the_one_that_follows() {
    let messages = async |bench: &Bench, id: &str| -> Vec<(String, String, String)> {
        let body = bench.get(&format!("{DEPARTURES}/{id}/messages?count=50")).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = body["messages"].as_array().unwrap().iter().rev();
        all.map(|one| (text(&one["type"]), text(&one["received"]), text(&one["id"]))).collect()
    };
    let types = |all: &[(String, String, String)]| -> Vec<String> {
        all.iter().map(|(of_type, ..)| of_type.clone()).collect()
    };

    let bench = with("[[fault]]\ndo = \"duplicate\"\nmessage = \"IE028\"\nseconds = 3").await;
    let id = bench.open("LRN1").await;
    bench.pass(10);
    let all = messages(&bench, &id).await;
    assert_eq!(types(&all), ["IE015", "IE928", "IE028", "IE028"]);
    assert_ne!(all[2].2, all[3].2, "one id for two messages");
    assert_eq!(&all[2].1[17..], "02.000Z");
    assert_eq!(&all[3].1[17..], "05.000Z");

    let bench = with("[[fault]]\ndo = \"late\"\nmessage = \"IE928\"\nseconds = 30").await;
    let id = bench.open("LRN1").await;
    bench.pass(10);
    assert_eq!(types(&messages(&bench, &id).await), ["IE015", "IE028"]);
    let updated = bench.get(&format!("{DEPARTURES}/{id}")).await["updated"].clone();
    bench.pass(30);
    let all = messages(&bench, &id).await;
    // Received when it was, though nobody could see it.
    assert_eq!(types(&all), ["IE015", "IE928", "IE028"]);
    assert_eq!(&all[1].1[17..], "01.000Z");
    assert_eq!(bench.get(&format!("{DEPARTURES}/{id}")).await["updated"], updated);

    let bench = with("[[fault]]\ndo = \"out-of-order\"\nmessage = \"IE928\"\nseconds = 60").await;
    let id = bench.open("LRN1").await;
    bench.pass(10);
    let all = messages(&bench, &id).await;
    assert_eq!(types(&all), ["IE015", "IE028", "IE928"]);
    assert_eq!(&all[2].1[17..], "02.001Z");

    // Nothing follows an IE029 in time: it appears all the same.
    let bench = with("[[fault]]\ndo = \"out-of-order\"\nmessage = \"IE029\"\nseconds = 60").await;
    let id = bench.open("LRN1").await;
    bench.pass(45 * 60 + 30);
    assert_eq!(types(&messages(&bench, &id).await), ["IE015", "IE928", "IE028"]);
    bench.pass(60);
    let all = messages(&bench, &id).await;
    assert_eq!(types(&all).last().unwrap(), "IE029");
    assert_eq!(&all[3].1[14..], "46:02.000Z");
    let log = bench.get("/simulator/log").await;
    assert_eq!(log["faults"][0]["movementId"], id);
    assert_eq!(log["faults"][0]["messageType"], "IE029");
}

#[tokio::test]
async fn rules_choose_by_path_count_chance_and_time() {
    let statuses = async |bench: &Bench, count: usize| {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(list(bench).await.status());
        }
        all
    };
    let rule = |more: &str| format!("[[fault]]\ndo = \"status\"\nstatus = 500\n{more}");

    let bench = with(&rule("nth = 3")).await;
    assert_eq!(statuses(&bench, 5).await, [200, 200, 500, 200, 200]);
    let bench = with(&rule("every = 2")).await;
    assert_eq!(statuses(&bench, 5).await, [200, 500, 200, 500, 200]);
    let bench = with(&rule("every = 2\ntimes = 1")).await;
    assert_eq!(statuses(&bench, 5).await, [200, 500, 200, 200, 200]);
    let bench = with(&rule(&format!("path = \"{ARRIVALS}/*\""))).await;
    assert_eq!(statuses(&bench, 1).await, [200]);
    assert_eq!(send(bench.running.addr, request("GET", ARRIVALS, "", true)).await.status(), 200);
    let below = format!("{ARRIVALS}/66a0000011112222");
    assert_eq!(send(bench.running.addr, request("GET", &below, "", true)).await.status(), 500);

    // Simulated instants, and simulated seconds since the start.
    let bench = with(&rule("from = 2026-11-21T09:00:10Z\nuntil = 2026-11-21T10:00:20+01:00")).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(list(&bench).await.status());
        bench.pass(8);
    }
    assert_eq!(seen, [200, 200, 500, 200]);
    let bench = with(&rule("from = 10\nuntil = 20")).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(list(&bench).await.status());
        bench.pass(8);
    }
    assert_eq!(seen, [200, 200, 500, 200]);

    // The first of two ends strikes; what does not end an answer adds to it.
    let two = format!("{}\n[[fault]]\ndo = \"reset\"\nevery = 2\n", rule("nth = 2"));
    let bench = with(&two).await;
    assert_eq!(statuses(&bench, 3).await, [200, 500, 200]);
    assert_eq!(list(&bench).await.end, End::Reset);
}

#[tokio::test]
async fn the_same_file_gives_the_same_faults_and_another_seed_others() {
    let run = async |seed: u32| {
        let file = format!(
            "seed = {seed}\n[[fault]]\nname = \"coin\"\ndo = \"status\"\nstatus = 503\n\
             probability = 0.5\n[[fault]]\ndo = \"clock-skew\"\nseconds = 5\nprobability = 0.25"
        );
        let bench = with(&file).await;
        let mut seen = Vec::new();
        for _ in 0..40 {
            let answer = list(&bench).await;
            seen.push((answer.status(), answer.header("date")));
        }
        seen
    };
    let first = run(7).await;
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
    let failed = first.iter().filter(|(status, _)| *status == 503).count();
    assert!((8..=32).contains(&failed), "{failed} of 40");
}

#[tokio::test]
async fn a_connection_goes_on_after_a_fault_that_leaves_it() {
    let bench = with("[[fault]]\ndo = \"status\"\nstatus = 500\nnth = 1").await;
    let both = request("GET", DEPARTURES, "", false) + &request("GET", DEPARTURES, "", true);
    let text = String::from_utf8(send(bench.running.addr, both).await.bytes).unwrap();
    let answers: Vec<_> =
        text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
    assert_eq!(answers, ["500", "200"]);
}

#[tokio::test]
async fn the_simulators_own_endpoints_have_no_faults() {
    let bench = with("[[fault]]\ndo = \"reset\"").await;
    assert_eq!(list(&bench).await.end, End::Reset);
    assert_eq!(bench.get("/simulator/health").await["status"], "up");
    assert_eq!(struck(&bench).await.len(), 1);
}

#[test]
fn every_problem_of_a_file_is_told_with_its_place() {
    let file = r#"seed = -1
speed = 3
[[fault]]
do = "explode"
[[fault]]
do = "status"
status = 418
taken = "yes"
nth = 0
keep = 3
[[fault]]
do = "duplicate"
seconds = 1
path = "/customs/**"
message = "IE015"
colour = "red"
[[fault]]
do = "reset"
path = "/a/**/b"
probability = 1.5
from = 2026-11-21
method = "PATCH"
message = "IE029"
[[fault]]
do = "delay"
[[fault]]
seconds = 3
"#;
    let error = Faults::parse("f.toml", file).unwrap_err();
    let told: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
    let expected = [
        "f.toml:1:8: `seed` must lie between 0",
        "f.toml:2:1: unknown field `speed`",
        "f.toml:4:6: `do` must be one of `delay`",
        "f.toml:7:10: `status` must be one of 429",
        "f.toml:8:9: `taken` must be `true` or `false`",
        "f.toml:9:7: `nth` must lie between 1",
        "f.toml:10:1: `do = \"status\"` has no `keep`",
        "f.toml:14:1: `path` says nothing of replies",
        "f.toml:15:1: `IE015` is not a reply",
        "f.toml:16:1: unknown field `colour`",
        "f.toml:19:8: `path` `**` may stand at the end only",
        "f.toml:20:15: `probability` must lie between 0 and 1",
        "f.toml:21:8: `from` must be a date and time",
        "f.toml:22:10: `method` must be one of `GET`",
        "f.toml:23:1: `IE029` is not sent by traders",
        "f.toml:24:1: `seconds` is missing",
        "f.toml:26:1: `do` is missing",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}

#[test]
fn hostile_files_are_refused_without_harm() {
    let many = "[[fault]]\ndo = \"reset\"\n".repeat(1_001);
    let wrong = "[[fault]]\ndo = 1\n".repeat(500);
    let deep = format!("seed = {}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let long = format!("{} = 1", "k".repeat(100_000));
    for (what, text) in [
        ("nothing", ""),
        ("no rule", "seed = 1"),
        ("no table", "fault = 3"),
        ("no tables", "fault = [1, \"two\"]"),
        ("half a line", "[[fault]]\ndo = \"re"),
        ("twice", "[[fault]]\ndo = \"reset\"\ndo = \"reset\""),
        ("too many", &many),
        ("wrong all over", &wrong),
        ("deep", &deep),
        ("a long name", &long),
        ("a number beyond", "seed = 99999999999999999999999"),
        ("no number", "[[fault]]\ndo = \"delay\"\nseconds = nan"),
        ("endless", "[[fault]]\ndo = \"delay\"\nseconds = inf"),
        ("backwards", "[[fault]]\ndo = \"reset\"\nfrom = 20\nuntil = 10"),
        ("a line break", "[[fault]]\ndo = \"wrong-type\"\ncontent-type = \"a\\r\\nb: c\""),
        ("itself", "[[fault]]\ndo = \"reset\"\npath = \"/simulator/log\""),
        ("a query", "[[fault]]\ndo = \"reset\"\npath = \"/a?b\""),
        ("a star in a word", "[[fault]]\ndo = \"reset\"\npath = \"/a*\""),
    ] {
        let error = Faults::parse("f.toml", text).expect_err(what);
        assert!((1..=100).contains(&error.problems.len()), "{what}");
        assert!(error.problems.iter().all(|one| one.place.is_some()), "{what}: {error}");
        assert!(error.problems.iter().all(|one| one.message.len() < 1_000), "{what}");
    }
}
