//! The catalogue's files agree with HMRC's facts.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::NaiveDate;
use ctc_ready::catalogue::{Catalogue, RequirementKind};
use ctc_ready::ncts::MessageType;
use serde_json::Value;

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::built_in().unwrap_or_else(|error| panic!("{error}"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

const NCTS5: [&str; 2] = ["ncts5-transition", "ncts5-final"];

// Contents

#[test]
fn it_has_the_programmes_and_their_scenarios() {
    let catalogue = catalogue();
    let ids: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["ncts5-transition", "ncts5-final", "ncts6"]);
    for programme in NCTS5 {
        let ids: Vec<&str> = catalogue.scenarios(programme).iter().map(|s| s.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "DSGB1", "DSXI1", "DNGB1", "DNXI1", "PSGB1", "PSXI1", "PNGB1", "PNXI1", "ASGB1",
                "ASXI1", "ANGB1", "ANXI1"
            ]
        );
    }
    let ids: Vec<&str> = catalogue.scenarios("ncts6").iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["P6-DSGB-01", "P6-DSXI-01"]);
    assert_eq!(catalogue.find_scenario("dsgb1").len(), 2);
    assert_eq!(catalogue.scenario("ncts6", "p6-dsgb-01").unwrap().id, "P6-DSGB-01");
    assert!(catalogue.scenario("ncts6", "DSGB1").is_none());
    assert!(catalogue.scenarios("ncts7").is_empty());
}

#[test]
fn the_default_programme_is_the_last_that_opened() {
    let catalogue = catalogue();
    let on = |date| catalogue.default_programme(day(date)).map(|p| p.id.clone());
    assert_eq!(on("2023-10-29"), None);
    assert_eq!(on("2024-06-03").as_deref(), Some("ncts5-transition"));
    assert_eq!(on("2024-06-04").as_deref(), Some("ncts5-final"));
    assert_eq!(on("2026-04-13").as_deref(), Some("ncts5-final"));
    assert_eq!(on("2026-04-14").as_deref(), Some("ncts6"));
}

#[test]
fn programme_facts_are_those_published() {
    let Some(reference) = reference::folder() else { return };
    let facts = json(reference.join("programmes.json"));
    let catalogue = catalogue();
    let published: BTreeSet<NaiveDate> = facts["dates"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|fact| fact["date"].as_str()?.get(..10)?.parse().ok())
        .collect();
    assert!(published.len() >= 6);
    for programme in catalogue.programmes() {
        let ncts6 = programme.id == "ncts6";
        let key = |five: &'static str, six: &'static str| if ncts6 { six } else { five };
        let mail = &facts["manual_intervention"];
        assert_eq!(programme.officers.mailbox, mail[key("ncts5_mailbox", "ncts6_mailbox")]);
        assert_eq!(programme.officers.subject_must_include, mail["subject_must_include"]);
        let timers = &facts["timers_minutes"];
        assert_eq!(programme.timers.automatic_release_minutes, timers["automatic_release"]);
        assert_eq!(
            programme.timers.await_presentation_minutes,
            timers["await_presentation_notification"]
        );
        let failure = key("guarantee_failure_to_IE051_ncts5", "guarantee_failure_to_IE051_ncts6");
        assert_eq!(programme.timers.guarantee_amendment_minutes, timers[failure]);
        let submission = &facts["submission"][key("ncts5", "ncts6")];
        assert_eq!(programme.submission.to.as_deref(), submission["to"].as_str());

        // No date is invented: each is published, or the day after one that is.
        let dates = programme.date.iter().map(|fact| fact.on);
        let phases = programme.phase.iter().flat_map(|phase| [phase.opens, phase.closes]);
        let hours = programme.availability.iter().flat_map(|hours| [hours.from, hours.until]);
        for date in dates.chain(phases.flatten()).chain(hours.flatten()) {
            let before = date.pred_opt().unwrap();
            assert!(published.contains(&date) || published.contains(&before), "{date}");
        }
    }
    let programme = catalogue.programme("ncts6").unwrap();
    assert!(programme.unpublished.iter().any(|date| date.id == "ncts6-go-live"));
    let errata = &facts["ncts5_decision_matrix"]["known_errors_in_the_form"];
    for programme in NCTS5 {
        let programme = catalogue.programme(programme).unwrap();
        let of_the_form = programme.errata.iter().filter(|fact| fact.source.starts_with("F11"));
        assert_eq!(of_the_form.count(), errata.as_array().unwrap().len());
        // Under final rules the go-live is published, and past.
        let lead = programme.unpublished.iter().find_map(|date| date.lead_days);
        assert_eq!(lead, (programme.id == "ncts5-transition").then_some(14));
        let recommended: Vec<Vec<String>> = programme
            .requirement
            .iter()
            .filter(|requirement| requirement.kind == RequirementKind::Recommended)
            .map(|requirement| requirement.any_of.any.clone())
            .collect();
        let pairs = facts["ncts5_decision_matrix"]["recommended"].as_array().unwrap();
        assert_eq!(recommended, pairs.iter().map(strings).collect::<Vec<_>>());
    }
}

const VERBS: [&str; 5] = ["accept", "release", "cancel", "control", "end "];

fn verbs(text: &str) -> BTreeSet<&'static str> {
    VERBS.into_iter().filter(|verb| text.contains(verb)).collect()
}

#[test]
fn scenarios_are_those_published() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    for (file, programmes, source) in
        [("ncts5.json", &NCTS5[..], "TG5"), ("ncts6.json", &["ncts6"][..], "TG6")]
    {
        let published = json(reference.join("scenarios").join(file));
        let published: BTreeMap<&str, &Value> = published["scenarios"]
            .as_array()
            .unwrap()
            .iter()
            .map(|scenario| (scenario["id"].as_str().unwrap(), scenario))
            .collect();
        for scenario in programmes.iter().flat_map(|id| catalogue.scenarios(id)) {
            let id = scenario.id.as_str();
            let theirs = published[id];
            assert_eq!(scenario.flow.as_str(), theirs["flow"], "{id}");
            assert_eq!(scenario.side.as_str(), theirs["side"], "{id}");
            assert_eq!(scenario.procedure.unwrap().as_str(), theirs["procedure"], "{id}");
            assert!(scenario.source.starts_with(source), "{id}");
            let steps = theirs["steps"].as_array().unwrap();
            assert_eq!(scenario.step.len(), steps.len(), "{id}");
            for (ours, theirs) in scenario.step.iter().zip(steps) {
                assert_eq!(ours.send.map(MessageType::as_str), theirs["send"].as_str(), "{id}");
                let columns: Vec<&str> = theirs["data"]
                    .as_array()
                    .map(|data| data.iter().map(|d| d["column"].as_str().unwrap()).collect())
                    .unwrap_or_default();
                assert_eq!(ours.data, columns, "{id}");
                assert_eq!(
                    ours.officer.as_deref().map(verbs),
                    theirs["officer_request"].as_str().map(verbs),
                    "{id}"
                );
                assert_eq!(
                    ours.deadline_minutes_after_ie015.map(u64::from),
                    theirs["deadline_minutes_after_IE015"].as_u64(),
                    "{id}"
                );
                let expected: Vec<(&str, Option<u64>)> = theirs["expect"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|e| (e["message"].as_str().unwrap(), e["after_minutes"].as_u64()))
                    .collect();
                let ours: Vec<(&str, Option<u64>)> = ours
                    .expect
                    .iter()
                    .map(|e| (e.message.as_str(), e.after_minutes.map(u64::from)))
                    .collect();
                assert_eq!(ours, expected, "{id}");
            }
        }
    }
}
