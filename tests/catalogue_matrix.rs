//! The decision matrix decides as the form does, for every house there can be.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;

use std::collections::BTreeSet;
use std::path::PathBuf;

use ctc_ready::catalogue::{
    Capabilities, Catalogue, Combination, Flow, Procedure, RequirementError, RequirementKind, Side,
    applicable,
};
use serde_json::Value;

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::built_in().unwrap_or_else(|error| panic!("{error}"))
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

const NCTS5: [&str; 2] = ["ncts5-transition", "ncts5-final"];

const FLOWS: [Flow; 3] = [Flow::StandardDeparture, Flow::PreLodgedDeparture, Flow::Arrival];

/// Every combination of flows, procedures, combination and side.
fn houses() -> Vec<Capabilities> {
    let mut out = Vec::new();
    for subset in 0..8 {
        let flows: Vec<Flow> = FLOWS
            .iter()
            .enumerate()
            .filter(|(i, _)| subset >> i & 1 == 1)
            .map(|(_, f)| *f)
            .collect();
        for procedures in [
            vec![Procedure::Normal],
            vec![Procedure::Simplified],
            vec![Procedure::Simplified, Procedure::Normal],
        ] {
            for combination in [None, Some(Combination::A), Some(Combination::B)] {
                for side in [Side::Gb, Side::Xi] {
                    out.push(Capabilities {
                        flows: flows.clone(),
                        procedures: procedures.clone(),
                        combination,
                        side,
                    });
                }
            }
        }
    }
    assert_eq!(out.len(), 8 * 3 * 3 * 2);
    out
}

/// The column of the form's matrix, in the words of the facts.
fn column(house: &Capabilities) -> Option<&'static str> {
    match (house.procedures.as_slice(), house.combination) {
        ([Procedure::Normal], _) => Some("normal only"),
        ([Procedure::Simplified], _) => Some("simplified only"),
        (_, Some(Combination::A)) => Some("both, combination A"),
        (_, Some(Combination::B)) => Some("both, combination B"),
        _ => None,
    }
}

/// Checks every house against a cell's scenarios by flow and column.
fn check_matrix(cell: impl Fn(Flow, &str) -> Vec<String>) {
    let catalogue = catalogue();
    for id in NCTS5 {
        let programme = catalogue.programme(id).unwrap();
        for house in houses() {
            let answer = applicable(programme, &catalogue, &house);
            let Some(column) = column(&house) else {
                assert_eq!(answer.unwrap_err(), RequirementError::NoCombination);
                continue;
            };
            let answer = answer.unwrap();
            assert_eq!(answer.len(), 15);
            let mut chosen = BTreeSet::new();
            for (slot, flow) in answer.iter().zip(FLOWS) {
                let context = format!("{house:?} {}", slot.requirement.id);
                assert_eq!(slot.requirement.kind, RequirementKind::Mandatory, "{context}");
                assert_eq!(slot.requirement.flow, Some(flow), "{context}");
                assert_eq!(slot.applies, house.flows.contains(&flow), "{context}");
                assert_eq!(slot.any_of, cell(flow, column), "{context}");
                let ours = slot.any_of.iter().find(|id| id.contains(house.side.as_str()));
                assert_eq!(slot.chosen.as_ref(), ours, "{context}");
                assert!(!slot.reason.is_empty(), "{context}");
                if slot.applies {
                    chosen.insert(slot.chosen.clone().unwrap());
                }
            }
            for slot in &answer[3..] {
                let context = format!("{house:?} {}: {}", slot.requirement.id, slot.reason);
                let requirement = slot.requirement;
                assert_eq!(requirement.kind, RequirementKind::Recommended, "{context}");
                let supported = house.flows.contains(&requirement.flow.unwrap())
                    && house.procedures.contains(&requirement.procedure.unwrap());
                let ours = slot.chosen.clone().unwrap();
                assert!(ours.contains(house.side.as_str()), "{context}");
                assert_eq!(slot.applies, supported && !chosen.contains(&ours), "{context}");
            }
        }
    }
}

#[test]
fn the_matrix_is_that_of_the_form() {
    // Written out here on its own, apart from the catalogue's files.
    check_matrix(|flow, column| {
        let (letter, procedure) = match (flow, column) {
            (Flow::StandardDeparture, "normal only" | "both, combination A") => ("D", "N"),
            (Flow::StandardDeparture, _) => ("D", "S"),
            (Flow::PreLodgedDeparture, "normal only" | "both, combination B") => ("P", "N"),
            (Flow::PreLodgedDeparture, _) => ("P", "S"),
            (_, "normal only") => ("A", "N"),
            _ => ("A", "S"),
        };
        ["GB", "XI"].map(|side| format!("{letter}{procedure}{side}1")).to_vec()
    });
}

#[test]
fn the_matrix_is_that_of_the_published_facts() {
    let Some(reference) = reference::folder() else { return };
    let facts = json(reference.join("programmes.json"));
    let rows = &facts["ncts5_decision_matrix"]["rows"];
    check_matrix(|flow, column| strings(&rows[flow.as_str()][column]));
}

#[test]
fn a_normal_arrival_is_recommended_only_where_it_is_not_required() {
    let catalogue = catalogue();
    let programme = catalogue.programme("ncts5-final").unwrap();
    let slot = |procedures: &[Procedure]| {
        let house = Capabilities {
            flows: vec![Flow::Arrival],
            procedures: procedures.to_vec(),
            combination: Some(Combination::A),
            side: Side::Xi,
        };
        let slots = applicable(programme, &catalogue, &house).unwrap();
        let slot = slots.into_iter().find(|slot| slot.requirement.id == "arrival-normal").unwrap();
        (slot.applies, slot.reason)
    };
    let (applies, reason) = slot(&[Procedure::Normal]);
    assert_eq!((applies, reason.as_str()), (false, "`ANXI1` is already required, for `arrival`"));
    assert!(slot(&[Procedure::Normal, Procedure::Simplified]).0);
    let (applies, reason) = slot(&[Procedure::Simplified]);
    assert_eq!(
        (applies, reason.as_str()),
        (false, "the software does not do the normal procedure")
    );
}

#[test]
fn ncts6_asks_one_outbound_movement_of_everyone() {
    let catalogue = catalogue();
    let programme = catalogue.programme("ncts6").unwrap();
    for house in houses() {
        let slots = applicable(programme, &catalogue, &house).unwrap();
        assert_eq!(slots.len(), 1);
        assert!(slots[0].applies);
        assert_eq!(slots[0].requirement.id, "outbound-movement");
        assert_eq!(slots[0].any_of, ["P6-DSGB-01", "P6-DSXI-01"]);
        let chosen = format!("P6-DS{}-01", house.side.as_str());
        assert_eq!(slots[0].chosen.as_deref(), Some(chosen.as_str()));
    }
    let nobody = Capabilities {
        flows: FLOWS.to_vec(),
        procedures: Vec::new(),
        combination: None,
        side: Side::Gb,
    };
    let five = catalogue.programme("ncts5-final").unwrap();
    assert_eq!(applicable(five, &catalogue, &nobody).unwrap_err(), RequirementError::NoProcedure);
}
