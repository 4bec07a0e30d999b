//! The catalogue's files agree with HMRC's facts.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::NaiveDate;
use ctc_ready::catalogue::{Catalogue, Flow, RequirementKind};
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
    assert_eq!(ids, ["ncts5-transition", "ncts5-final", "ncts6", "guarantee-balance"]);
    // Those that the two NCTS5 programmes share come first in each flow, and
    // twins stand together.
    let first = |programme, flow| -> Vec<&str> {
        let of_flow = catalogue.scenarios(programme).iter().filter(|s| s.flow == flow);
        of_flow.map(|scenario| scenario.id.as_str()).take(4).collect()
    };
    for programme in NCTS5 {
        assert_eq!(first(programme, Flow::StandardDeparture), ["DSGB1", "DSXI1", "DSGB2", "DSXI2"]);
        assert_eq!(first(programme, Flow::PreLodgedDeparture)[..2], ["PSGB1", "PSXI1"]);
        assert_eq!(first(programme, Flow::Arrival)[..2], ["ASGB1", "ASXI1"]);
    }
    let flows: Vec<Flow> = catalogue.scenarios("ncts5-final").iter().map(|s| s.flow).collect();
    assert!(flows.is_sorted());
    let balances = catalogue.scenarios("guarantee-balance");
    assert!(balances.iter().all(|s| s.flow == Flow::GuaranteeBalance && s.procedure.is_none()));
    assert_eq!(catalogue.find_scenario("dsgb1").len(), 2);
    assert_eq!(catalogue.scenario("ncts6", "p6-dsgb-01").unwrap().id, "P6-DSGB-01");
    assert!(catalogue.scenario("ncts6", "DSGB1").is_none());
    for id in ["Scenario 2 XI", "scenario 2 xi", "scenario-2-xi"] {
        assert_eq!(catalogue.scenario("guarantee-balance", id).unwrap().id, "Scenario 2 XI");
    }
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
    for programme in catalogue.programmes().iter().filter(|programme| programme.declares()) {
        let ncts6 = programme.id == "ncts6";
        let key = |five: &'static str, six: &'static str| if ncts6 { six } else { five };
        let mail = &facts["manual_intervention"];
        let officers = programme.officers.as_ref().unwrap();
        assert_eq!(officers.mailbox, mail[key("ncts5_mailbox", "ncts6_mailbox")]);
        assert_eq!(officers.subject_must_include, mail["subject_must_include"]);
        let timers = &facts["timers_minutes"];
        let minutes = programme.timers.unwrap();
        assert_eq!(minutes.automatic_release_minutes, timers["automatic_release"]);
        assert_eq!(minutes.await_presentation_minutes, timers["await_presentation_notification"]);
        let failure = key("guarantee_failure_to_IE051_ncts5", "guarantee_failure_to_IE051_ncts6");
        assert_eq!(minutes.guarantee_amendment_minutes, timers[failure]);
        let submission = &facts["submission"][key("ncts5", "ncts6")];
        let own = programme.submission.as_ref().unwrap();
        assert_eq!(own.to.as_deref(), submission["to"].as_str());

        // No date is invented: each is published, or the day after one that is.
        let dates = programme.date.iter().map(|fact| fact.on);
        let phases = programme.phase.iter().flat_map(|phase| [phase.opens, phase.closes]);
        let hours = programme.availability.iter().flat_map(|hours| [hours.from, hours.until]);
        for date in dates.chain(phases.flatten()).chain(hours.flatten()) {
            let before = date.pred_opt().unwrap();
            assert!(published.contains(&date) || published.contains(&before), "{date}");
        }
    }
    // Nothing is said of guarantee balances that HMRC did not say.
    let balance = catalogue.programme("guarantee-balance").unwrap();
    assert_eq!(facts["guarantee_balance"]["separate_credentials"], false);
    assert!(balance.officers.is_none() && balance.timers.is_none());
    assert!(balance.submission.is_none() && balance.availability.is_empty());
    assert!(balance.pending_checklist.as_ref().unwrap().what.contains("pending"));
    assert!(balance.requirement.iter().all(|slot| slot.kind == RequirementKind::Recommended));
    assert!(balance.phase.iter().all(|phase| phase.opens.is_none() && phase.closes.is_none()));

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
