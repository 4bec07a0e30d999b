//! Opening hours: messages are taken at any time, and answered when NCTS and
//! its officers are there.

use chrono::{DateTime, Utc};
use ctc_ready::catalogue::Catalogue;
use ctc_ready::simulator::{NCTS5_MAILBOX, OpeningHours, SimulatorOptions};
use reqwest::Method;
use serde_json::{Value, json};

use super::bench::*;

async fn opening_at(begin: &str) -> Bench {
    let options = SimulatorOptions {
        requests_per_second: None,
        opening_hours: Some(OpeningHours::published(Catalogue::built_in().as_ref().unwrap())),
        ..SimulatorOptions::default()
    };
    Bench::at(options, begin.parse::<DateTime<Utc>>().unwrap()).await
}

/// Every message of the departure, oldest first: type and instant.
async fn seen(bench: &Bench, id: &str) -> Vec<String> {
    let body = bench.get(&format!("{DEPARTURES}/{id}/messages")).await;
    let mut all: Vec<_> = body["messages"].as_array().unwrap().iter().rev().collect();
    all.sort_by_key(|one| one["received"].as_str().unwrap().to_owned());
    all.iter()
        .map(|one| {
            let at = one["received"].as_str().unwrap();
            format!("{} {}", one["type"].as_str().unwrap(), &at[5..19])
        })
        .collect()
}

/// Moves on to an instant.
fn until(bench: &Bench, at: &str) {
    use ctc_ready::clock::Clock;
    let left = at.parse::<DateTime<Utc>>().unwrap() - bench.clock.now();
    bench.clock.advance(left.to_std().unwrap());
}

#[tokio::test]
async fn what_comes_when_ncts_is_closed_is_taken_and_answered_when_it_opens() {
    for (sent, opens, why) in [
        ("2026-11-20T19:30:00Z", "11-23T07:00:00", "Friday evening"),
        ("2026-11-21T12:00:00Z", "11-23T07:00:00", "Saturday"),
        ("2026-11-23T06:59:58Z", "11-23T07:00:00", "before it opens"),
        ("2026-12-24T19:00:00Z", "12-29T07:00:00", "Christmas, Boxing Day's substitute"),
        ("2026-04-02T18:30:00Z", "04-07T06:00:00", "Good Friday to Easter Monday, summer time"),
        ("2026-03-27T19:00:00Z", "03-30T06:00:00", "the clocks go forward"),
        ("2026-10-23T18:00:00Z", "10-26T07:00:00", "the clocks go back"),
        ("2026-07-01T05:30:00Z", "07-01T06:00:00", "summer time"),
    ] {
        let bench = opening_at(sent).await;
        let id = bench.open("LRN1").await;
        let year = &sent[..5];
        until(&bench, &format!("{year}{opens}Z"));
        let all = seen(&bench, &id).await;
        assert_eq!(all, [format!("IE015 {}", &sent[5..19]), format!("IE928 {opens}")], "{why}");
        bench.pass(60);
        assert_eq!(bench.types(DEPARTURES, &id).await, ["IE028", "IE928", "IE015"], "{why}");
    }
}

#[tokio::test]
async fn within_the_hours_nothing_waits() {
    let bench = opening_at("2026-11-23T18:59:00Z").await;
    let id = bench.open("LRN1").await;
    bench.pass(10);
    assert_eq!(
        seen(&bench, &id).await,
        ["IE015 11-23T18:59:00", "IE928 11-23T18:59:01", "IE028 11-23T18:59:02"]
    );
    // The timer ends at 19:44, when nobody is there to release.
    bench.pass(3_600);
    assert_eq!(seen(&bench, &id).await.len(), 3);
    until(&bench, "2026-11-24T07:00:00Z");
    assert_eq!(seen(&bench, &id).await.last().unwrap(), "IE029 11-24T07:00:00");
}

#[tokio::test]
async fn a_declaration_of_the_night_has_its_whole_time_for_presentation() {
    let bench = opening_at("2026-11-23T22:00:00Z").await;
    let pre_lodged =
        declaration("LRN1").replace("<additionalDeclarationType>A", "<additionalDeclarationType>D");
    let response = bench.xml(DEPARTURES, pre_lodged).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    let id = body["departureId"].as_str().unwrap();
    until(&bench, "2026-11-24T07:44:59Z");
    assert_eq!(bench.types(DEPARTURES, id).await, ["IE928", "IE015"]);
    until(&bench, "2026-11-24T07:45:00Z");
    assert_eq!(bench.types(DEPARTURES, id).await, ["IE056", "IE928", "IE015"]);
}

#[tokio::test]
async fn officers_act_when_they_are_back() {
    // 17:58 on a Friday, and the Monday is a bank holiday.
    let bench = opening_at("2026-08-28T16:58:00Z").await;
    let response = bench.xml(DEPARTURES, normal("LRN1")).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    let id = body["departureId"].as_str().unwrap().to_owned();
    bench.pass(10);
    let mail = json!({
        "to": NCTS5_MAILBOX,
        "subject": "Manual Intervention",
        "body": "Scenario DNGB1, step 2: accept and release the declaration. LRN LRN1",
    });
    let posted =
        bench.request(Method::POST, "/simulator/mailbox").json(&mail).send().await.unwrap();
    assert_eq!(posted.status(), 202);
    until(&bench, "2026-09-01T07:59:59Z");
    assert_eq!(bench.types(DEPARTURES, &id).await, ["IE928", "IE015"]);
    until(&bench, "2026-09-01T08:00:02Z");
    let all = seen(&bench, &id).await;
    assert_eq!(all[2..], ["IE028 09-01T08:00:00", "IE029 09-01T08:00:02"]);
    let mails = bench.get("/simulator/mailbox").await;
    assert_eq!(mails["mails"][0]["done"][1]["act"], "release");
}

#[tokio::test]
async fn ncts6_was_open_day_and_night_until_its_date() {
    for (sent, answered) in [
        ("2026-06-13T23:00:00Z", "2026-06-13T23:00:01Z"),
        ("2026-06-20T12:00:00Z", "2026-06-22T06:00:00Z"),
    ] {
        let bench = opening_at(sent).await;
        let version = "application/vnd.hmrc.3.0+json";
        let response = bench
            .bare(Method::POST, DEPARTURES)
            .bearer_auth("trader-1")
            .header("Accept", version)
            .header("Content-Type", "application/xml")
            .body(declaration("LRN1"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 202, "{sent}");
        let body: Value = response.json().await.unwrap();
        let id = body["departureId"].as_str().unwrap().to_owned();
        until(&bench, answered);
        let all = seen(&bench, &id).await;
        assert_eq!(all[1], format!("IE928 {}", &answered[5..19]), "{sent}");
    }
}

#[tokio::test]
async fn without_hours_it_answers_at_night() {
    let bench = Bench::new().await;
    let id = bench.open("LRN1").await;
    bench.pass(5);
    assert_eq!(bench.types(DEPARTURES, &id).await, ["IE028", "IE928", "IE015"]);
}
