//! The judge against cases that were reasoned by hand: what a house supports,
//! which day it is, what evidence there is, and what must be found. The tables
//! (`*.toml` beside this file) were written from HMRC's documents and the
//! design, not from the code; `why` says the reason of each row.
//!
//! Errors and warnings must be exactly those of the row, infos must be among
//! those found, and a rule under `silent` must not fire at all.

#![allow(clippy::unwrap_used)]

mod case;
mod corpus;

use std::collections::BTreeSet;

use case::{Row, Tables};
use ctc_ready::verdict::rules::RULES;

const TABLES: [(&str, &str); 7] = [
    ("capabilities", include_str!("capabilities.toml")),
    ("freshness", include_str!("freshness.toml")),
    ("phases", include_str!("phases.toml")),
    ("evidence", include_str!("evidence.toml")),
    ("house", include_str!("house.toml")),
    ("waivers", include_str!("waivers.toml")),
    ("credentials", include_str!("credentials.toml")),
];

fn rows() -> Vec<(&'static str, Row)> {
    TABLES
        .iter()
        .flat_map(|(table, text)| {
            let read: Tables = toml::from_str(text).unwrap_or_else(|e| panic!("{table}: {e}"));
            read.case.into_iter().map(|row| (*table, row))
        })
        .collect()
}

#[test]
fn every_case_gets_the_stated_verdict() {
    let rows = rows();
    assert!(rows.len() >= 200, "{} cases", rows.len());
    let mut wrong = Vec::new();
    for (table, row) in &rows {
        let house = row.house();
        if let Err(differs) = row.compare(&house.judge()) {
            wrong.push(format!("{table}: {}\n  ({})\n{differs}", row.name, row.why));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn names_are_unique_and_every_row_says_why() {
    let mut seen = BTreeSet::new();
    for (table, row) in rows() {
        assert!(seen.insert((table, row.name.clone())), "{table}: `{}` is there twice", row.name);
        assert!(!row.why.trim().is_empty(), "{table}: `{}` says no reason", row.name);
    }
}

#[test]
fn every_rule_is_seen_to_fire_and_to_be_silent() {
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for (_, row) in rows() {
        fires.extend(row.told().map(|told| told.split(' ').next().unwrap().to_owned()));
        silent.extend(row.silent.iter().cloned());
    }
    for rule in RULES {
        assert!(fires.contains(rule.name), "no case in which `{}` fires", rule.name);
        assert!(silent.contains(rule.name), "no case in which `{}` must not fire", rule.name);
    }
    for name in fires.union(&silent) {
        assert!(RULES.iter().any(|rule| rule.name == *name), "`{name}` is no rule");
    }
}
