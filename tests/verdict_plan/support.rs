//! What these tests share: scenarios of the three kinds, and asking for a plan.

use std::sync::LazyLock;

use ctc_ready::catalogue::{Catalogue, RequirementKind, Scenario};
use ctc_ready::verdict::{Need, Plan, PlanCase, plan};

use crate::verdict_support::*;

/// With officers, no timer.
pub const NORMAL: &str = r#"
id = "DNGB1"
title = "Normal departure"
flow = "standard-departure"
side = "GB"
procedure = "normal"
source = "TG5"

[[step]]
send = "IE015"
expect = [{ message = "IE928" }]

[[step]]
officer = "accept and release the declaration"
expect = [{ message = "IE028" }, { message = "IE029" }]
"#;

/// Without officers, released by a timer.
pub const SIMPLIFIED: &str = r#"
id = "ANGB1"
title = "Timed"
flow = "arrival"
side = "GB"
procedure = "simplified"
source = "TG5"

[[step]]
send = "IE015"
expect = [{ message = "IE928" }, { message = "IE029", after_minutes = 45 }]
"#;

/// Its second message has a deadline.
pub const PRE_LODGED: &str = r#"
id = "DNGB1"
title = "Pre-lodged"
flow = "pre-lodged-departure"
side = "GB"
procedure = "simplified"
source = "TG5"

[[step]]
send = "IE015"
expect = [{ message = "IE928" }]

[[step]]
send = "IE170"
deadline-minutes-after-ie015 = 45
expect = [{ message = "IE028" }]
"#;

pub static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());

pub fn scenarios(texts: &[&str]) -> Vec<Scenario> {
    texts.iter().map(|text| toml::from_str(text).unwrap()).collect()
}

/// The plan of a house as it is, evidence and all.
pub fn plan_with(house: &House, texts: &[&str]) -> Plan {
    let scenarios = scenarios(texts);
    plan(&PlanCase {
        case: house.case(),
        scenarios: &scenarios.iter().collect::<Vec<_>>(),
        recommended: false,
    })
}

/// The plan of a house without evidence.
pub fn plan_of(house: &House, as_of: &str, submit_on: Option<&str>, texts: &[&str]) -> Plan {
    let mut house = House {
        programme: house.programme.clone(),
        settings: house.settings.clone(),
        needs: house.needs.clone(),
        ..House::new()
    };
    house.runs.clear();
    house.integrity = None;
    house.as_of = utc(as_of);
    house.submit_on = submit_on.map(day);
    plan_with(&house, texts)
}

/// A house without evidence that needs these published scenarios.
pub fn house_of(programme: &str, ids: &[&str]) -> House {
    let mut house = House::new();
    house.programme = CATALOGUE.programme(programme).unwrap().clone();
    house.runs.clear();
    house.integrity = None;
    house.needs = ids
        .iter()
        .map(|id| Need {
            requirement: format!("need-{id}"),
            kind: RequirementKind::Mandatory,
            flow: None,
            tests: None,
            applies: true,
            reason: "for the test".to_owned(),
            any_of: vec![(*id).to_owned()],
            chosen: Some((*id).to_owned()),
            source: "the test".to_owned(),
        })
        .collect();
    house
}

/// The plan of such a house.
pub fn published(house: &House) -> Plan {
    let scenarios: Vec<&Scenario> = CATALOGUE.scenarios(&house.programme.id).iter().collect();
    plan(&PlanCase { case: house.case(), scenarios: &scenarios, recommended: false })
}
