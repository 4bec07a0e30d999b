//! Submitting, listing, fetching; officers and the log.

use std::time::Duration;

use ctc_ready::simulator::{NCTS5_MAILBOX, SimulatorOptions};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::bench::*;

#[tokio::test]
async fn a_declaration_is_taken_and_answered_as_documented() {
    let bench = Bench::new().await;
    let response = bench.xml(DEPARTURES, declaration("LRN1")).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["date"], "Sat, 21 Nov 2026 09:00:00 GMT");
    let text = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    let id = body["departureId"].as_str().unwrap();
    let message = body["messageId"].as_str().unwrap();
    let seconds = format!("{:08x}", morning().timestamp());
    for id in [id, message] {
        assert_eq!((id.len(), &id[..8]), (16, seconds.as_str()));
    }
    let movement = format!("{DEPARTURES}/{id}");
    let box_id = body["boxId"].as_str().unwrap();
    assert_eq!(
        text,
        format!(
            r#"{{"_links":{{"self":{{"href":"{movement}"}},"messages":{{"href":"{movement}/messages"}},"message":{{"href":"{movement}/messages/{message}"}}}},"departureId":"{id}","messageId":"{message}","boxId":"{box_id}"}}"#
        )
    );

    bench.pass(2);
    let text = bench.request(Method::GET, &movement).send().await.unwrap().text().await.unwrap();
    let one: Value = serde_json::from_str(&text).unwrap();
    let mrn = one["movementReferenceNumber"].as_str().unwrap();
    let eori = one["enrollmentEORINumber"].as_str().unwrap();
    assert!(mrn.starts_with("26GB000246"), "{mrn}");
    assert_eq!(
        text,
        format!(
            r#"{{"_links":{{"self":{{"href":"{movement}"}},"messages":{{"href":"{movement}/messages"}}}},"id":"{id}","movementReferenceNumber":"{mrn}","localReferenceNumber":"LRN1","created":"2026-11-21T09:00:00.000Z","updated":"2026-11-21T09:00:02.000Z","enrollmentEORINumber":"{eori}","movementEORINumber":"GB953574106000"}}"#
        )
    );
    assert_eq!(bench.types(DEPARTURES, id).await, ["IE028", "IE928", "IE015"]);
    bench.pass(45 * 60);
    assert_eq!(bench.types(DEPARTURES, id).await, ["IE029", "IE028", "IE928", "IE015"]);
}

#[tokio::test]
async fn a_message_is_to_be_had_in_every_form() {
    let bench = Bench::new().await;
    let id = bench.open("LRN1").await;
    bench.pass(3600);
    let movement = format!("{DEPARTURES}/{id}");
    let list = bench.get(&format!("{movement}/messages?page=1&count=2")).await;
    assert_eq!(list["_links"]["self"]["href"], format!("{movement}/messages?page=1&count=2"));
    assert_eq!(list["_links"]["departure"]["href"], movement);
    assert_eq!(list["totalCount"], 4);
    assert_eq!(list["messages"].as_array().unwrap().len(), 2);
    let newest = &list["messages"][0];
    let path = newest["_links"]["self"]["href"].as_str().unwrap();
    assert_eq!(
        newest,
        &json!({
            "_links": {"self": {"href": path}, "departure": {"href": movement}},
            "id": newest["id"],
            "departureId": id,
            "received": "2026-11-21T09:45:02.000Z",
            "type": "IE029",
            "status": "Received",
        })
    );
    let last = bench.get(&format!("{movement}/messages?page=4&count=1")).await;
    let last = &last["messages"][0];
    assert_eq!((&last["type"], &last["status"]), (&json!("IE015"), &json!("Success")));

    let fetch = async |path: &str, accept: &str| -> Response {
        let request = bench.bare(Method::GET, path).bearer_auth("trader-1");
        let accept = format!("application/vnd.hmrc.2.1+{accept}");
        let response = request.header("Accept", accept).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response
    };
    let whole: Value = fetch(path, "json").await.json().await.unwrap();
    assert_eq!(whole["body"]["n1:CC029C"]["messageType"], "CC029C");
    assert_eq!(whole["body"]["n1:CC029C"]["Guarantee"][0]["sequenceNumber"], 1);
    let with_xml: Value = fetch(path, "json-xml").await.json().await.unwrap();
    let xml = with_xml["body"].as_str().unwrap();
    assert!(xml.starts_with("<ncts:CC029C ") && xml.contains("PhaseID=\"NCTS5.1\""), "{xml}");
    let legacy: Value = fetch(path, "json+xml").await.json().await.unwrap();
    assert_eq!(legacy, with_xml);
    let body = fetch(&format!("{path}/body"), "xml").await;
    assert_eq!(body.headers()["content-type"], "application/xml");
    assert_eq!(body.text().await.unwrap(), xml);
    let body: Value = fetch(&format!("{path}/body"), "json").await.json().await.unwrap();
    assert_eq!(body, whole["body"]);
    // What was sent comes back as it was sent.
    let first = format!("{}/body", last["_links"]["self"]["href"].as_str().unwrap());
    assert_eq!(fetch(&first, "xml").await.text().await.unwrap(), declaration("LRN1"));
}

#[tokio::test]
async fn every_version_is_served_with_its_own_timers() {
    let bench = Bench::new().await;
    for (version, minutes) in [("2.0", 5), ("2.1", 5), ("3.0", 60)] {
        let xml =
            declaration(&format!("LRN{version}")).replace("24GB0000010000031", "99GB0000010000031");
        let response = bench
            .bare(Method::POST, DEPARTURES)
            .bearer_auth("trader-1")
            .header("Accept", format!("application/vnd.hmrc.{version}+json"))
            .header("Content-Type", "application/xml; charset=UTF-8")
            .body(xml)
            .send()
            .await
            .unwrap();
        let body: Value = response.json().await.unwrap();
        let id = body["departureId"].as_str().unwrap();
        bench.pass(minutes * 60);
        assert_eq!(bench.types(DEPARTURES, id).await[0], "IE055", "{version}");
        bench.pass(5);
        assert_eq!(bench.types(DEPARTURES, id).await[0], "IE051", "{version}");
    }
}

#[tokio::test]
async fn a_movement_that_routing_refuses_is_kept_as_failed() {
    let bench = Bench::new().await;
    bench.open("LRN1").await;
    bench.pass(5);
    let again = bench.xml(DEPARTURES, declaration("LRN1")).send().await.unwrap();
    assert_eq!(again.status(), 409);
    let list = bench.get(DEPARTURES).await;
    assert_eq!(list["totalCount"], 2);
    // Latest change first: the failed one.
    let failed = list["departures"][0]["id"].as_str().unwrap();
    assert_eq!(list["departures"][0]["movementReferenceNumber"], Value::Null);
    bench.pass(3600);
    let messages = bench.get(&format!("{DEPARTURES}/{failed}/messages")).await;
    assert_eq!(messages["totalCount"], 1);
    assert_eq!(messages["messages"][0]["status"], "Failed");
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let bench = Bench::new().await;
    for nth in 0..30 {
        let response = bench.xml(DEPARTURES, normal(&format!("Batch-{nth:02}"))).send().await;
        assert_eq!(response.unwrap().status(), 202);
        bench.pass(10);
    }
    let count = async |query: &str| {
        let list = bench.get(&format!("{DEPARTURES}?{query}")).await;
        let rows = list["departures"].as_array().unwrap().len();
        (list["totalCount"].as_u64().unwrap(), rows)
    };
    assert_eq!(count("").await, (30, 25));
    assert_eq!(count("page=2").await, (30, 5));
    assert_eq!(count("count=501").await, (30, 30));
    assert_eq!(count("page=3&count=10").await, (30, 10));
    assert_eq!(count("localReferenceNumber=BATCH-1").await, (10, 10));
    assert_eq!(count("localReferenceNumber=nothing").await, (0, 0));
    assert_eq!(count("movementReferenceNumber=26GB").await, (0, 0));
    assert_eq!(count("movementEORI=GB953574106000").await, (30, 25));
    assert_eq!(count("movementEORI=GB95357410600").await, (0, 0));
    // Each was last changed by its IE928, a second after its submission.
    assert_eq!(count("updatedSince=2026-11-21T09%3A04%3A41.000Z").await.0, 2);
    assert_eq!(count("receivedUntil=2026-11-21T09%3A00%3A11Z").await.0, 2);
    // An offset is dropped: this is read as 09:04:41Z.
    assert_eq!(count("updatedSince=2026-11-21T09%3A04%3A41%2B05%3A00").await.0, 2);
    let first = bench.get(&format!("{DEPARTURES}?count=1")).await;
    assert_eq!(first["departures"][0]["localReferenceNumber"], "Batch-29");
    assert_eq!(first["_links"]["self"]["href"], format!("{DEPARTURES}?count=1"));

    let id = first["departures"][0]["id"].as_str().unwrap();
    let since = "receivedSince=2026-11-21T09%3A04%3A51.000Z";
    let messages = bench.get(&format!("{DEPARTURES}/{id}/messages?{since}")).await;
    assert_eq!(messages["totalCount"], 1);
    assert_eq!(messages["messages"][0]["type"], "IE928");
    // Another trader and the other kind of movement see nothing.
    assert_eq!(bench.get(ARRIVALS).await["arrivals"], json!([]));
    let other = bench.bare(Method::GET, DEPARTURES).bearer_auth("other").header("Accept", JSON);
    let other: Value = other.send().await.unwrap().json().await.unwrap();
    assert_eq!(other["totalCount"], 0);
}

#[tokio::test]
async fn an_arrival_discharges_the_departure() {
    let bench = Bench::new().await;
    let departure = bench.open("LRN1").await;
    bench.pass(3600);
    let one = bench.get(&format!("{DEPARTURES}/{departure}")).await;
    let mrn = one["movementReferenceNumber"].as_str().unwrap();
    let response = bench.xml(ARRIVALS, notification(mrn)).send().await.unwrap();
    assert_eq!(response.status(), 202);
    let arrival: Value = response.json().await.unwrap();
    let arrival = arrival["arrivalId"].as_str().unwrap();
    bench.pass(5);
    let one = bench.get(&format!("{ARRIVALS}/{arrival}")).await;
    assert_eq!(one["movementReferenceNumber"], mrn);
    assert_eq!(one["localReferenceNumber"], Value::Null);
    assert_eq!(one["movementEORINumber"], "XI175521246821");
    assert_eq!(bench.types(ARRIVALS, arrival).await, ["IE043", "IE007"]);

    let path = format!("{ARRIVALS}/{arrival}/messages");
    let response = bench.xml(&path, remarks(mrn)).send().await.unwrap();
    assert_eq!(response.status(), 202);
    let text = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    let message = body["messageId"].as_str().unwrap();
    assert_eq!(
        text,
        format!(
            r#"{{"_links":{{"self":{{"href":"{path}/{message}"}},"arrival":{{"href":"{ARRIVALS}/{arrival}"}}}},"arrivalId":"{arrival}","messageId":"{message}"}}"#
        )
    );
    bench.pass(5);
    assert_eq!(bench.types(ARRIVALS, arrival).await[0], "IE025");
    assert_eq!(bench.types(DEPARTURES, &departure).await[0], "IE045");
}

#[tokio::test]
async fn officers_read_mails_and_act_after_a_while() {
    let bench = Bench::new().await;
    let response = bench.xml(DEPARTURES, normal("LRN1")).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    let id = body["departureId"].as_str().unwrap().to_owned();
    bench.pass(60);
    let post = |mail: Value| bench.bare(Method::POST, "/simulator/mailbox").json(&mail);
    let mail = |body: &str| {
        let subject = "Manual Intervention DNGB1";
        json!({"to": NCTS5_MAILBOX, "subject": subject, "body": body})
    };
    let (status, body) = refusal(post(mail("please release LRN1"))).await;
    assert_eq!(status, 422);
    assert!(body.starts_with(r#"{"code":"REFUSED","message":"#), "{body}");
    assert!(body.contains("no scenario") && body.contains("no step"), "{body}");
    assert_eq!(refusal(post(json!({"to": "x"}))).await.0, 400);
    assert_eq!(refusal(post(mail(&"x".repeat(100_000)))).await.0, 413);

    let wish = "Scenario: DNGB1\nStep 2: accept and release the declaration\nLRN: LRN1\n";
    assert_eq!(post(mail(wish)).send().await.unwrap().status(), 202);
    bench.pass(299);
    assert_eq!(bench.types(DEPARTURES, &id).await, ["IE928", "IE015"]);
    bench.pass(3);
    assert_eq!(bench.types(DEPARTURES, &id).await, ["IE029", "IE028", "IE928", "IE015"]);

    let again = "DNGB1 step 2: control the declaration, LRN1";
    assert_eq!(post(mail(again)).send().await.unwrap().status(), 202);
    bench.pass(600);
    let listed = bench.bare(Method::GET, "/simulator/mailbox").send().await.unwrap();
    let listed: Value = listed.json().await.unwrap();
    let mails = listed["mails"].as_array().unwrap();
    assert_eq!(mails.len(), 3);
    assert!(mails[0]["refused"].as_str().unwrap().contains("no scenario"));
    assert_eq!(mails[1]["acts"], json!(["accept", "release"]));
    assert_eq!(mails[1]["done"][1]["act"], "release");
    assert_eq!(mails[1]["done"][1]["refused"], Value::Null);
    assert!(mails[2]["done"][0]["refused"].as_str().unwrap().contains("Released"));
}

#[tokio::test]
async fn the_log_lists_every_submission_once() {
    let bench = Bench::new().await;
    let id = bench.open("LRN1").await;
    bench.get(DEPARTURES).await;
    let messages = format!("{DEPARTURES}/{id}/messages");
    bench.xml(&messages, invalidation("LRN1")).send().await.unwrap();
    bench.xml(DEPARTURES, "<a").send().await.unwrap();
    bench.xml(DEPARTURES, declaration("LRN1")).send().await.unwrap();
    let log = bench.bare(Method::GET, "/simulator/log").send().await.unwrap();
    let log: Value = log.json().await.unwrap();
    let text = |one: &Value, name: &str| one[name].as_str().map(str::to_owned);
    let rows: Vec<_> = log["submissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let status = one["status"].as_u64().unwrap();
            (text(one, "path").unwrap(), text(one, "messageType"), text(one, "lrn"), status)
        })
        .collect();
    let row = |path: &str, of: Option<&str>, status| {
        (path.to_owned(), of.map(str::to_owned), of.map(|_| "LRN1".to_owned()), status)
    };
    assert_eq!(
        rows,
        [
            row(DEPARTURES, Some("IE015"), 202),
            row(&messages, Some("IE014"), 202),
            row(DEPARTURES, None, 400),
            row(DEPARTURES, Some("IE015"), 409),
        ]
    );
    assert_eq!(log["submissions"][0]["movementId"], id.as_str());
}

#[tokio::test]
async fn the_oldest_movements_are_dropped_and_old_ones_expire() {
    let bench = Bench::with(SimulatorOptions {
        requests_per_second: None,
        movements_kept: 2,
        ..SimulatorOptions::default()
    })
    .await;
    let first = bench.open("LRN1").await;
    bench.open("LRN2").await;
    bench.open("LRN3").await;
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 2);
    let gone = bench.request(Method::GET, &format!("{DEPARTURES}/{first}")).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    // What is forgotten no longer blocks its LRN.
    bench.open("LRN1").await;
    // Released after 45 minutes; then nothing for 60 days.
    bench.pass(3600);
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 2);
    bench.clock.advance(Duration::from_secs(61 * 86_400));
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 0);
}

#[tokio::test]
async fn movements_are_dropped_sixty_days_after_their_last_change_and_no_sooner() {
    let bench = Bench::new().await;
    let day = 86_400;
    let busy = bench.open("LRN1").await;
    let quiet = bench.open("LRN2").await;
    bench.pass(40 * day);
    let again = bench.request(Method::POST, &format!("{DEPARTURES}/{busy}/messages"));
    assert_eq!(again.send().await.unwrap().status(), 202);
    bench.pass(20 * day + 3600);
    let status = async |id: &str| {
        let request = bench.request(Method::GET, &format!("{DEPARTURES}/{id}"));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((status(&busy).await, status(&quiet).await), (200, 404));
    bench.pass(40 * day);
    assert_eq!(status(&busy).await, 404);
}

#[tokio::test]
async fn messages_come_in_chunks() {
    let bench = Bench::new().await;
    let id = bench.open("LRN1").await;
    let list = bench.get(&format!("{DEPARTURES}/{id}/messages")).await;
    let message = list["messages"][0]["_links"]["self"]["href"].as_str().unwrap().to_owned();
    for path in [message.clone(), format!("{message}/body")] {
        let response = bench.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.headers()["transfer-encoding"], "chunked");
        assert_eq!(response.headers().get("content-length"), None);
    }
}
