//! Good submissions, of which nothing is to be found, and bad ones made of
//! them by one change (`mutations.toml`), which must be caught with the right
//! rule, every one; two changes at once are caught as well.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, TimeDelta, Utc};
use ctc_ready::verdict::{Severity, Verdict};
use serde::Deserialize;
use toml::{Table, Value};

use crate::case::{Change, Row};

#[derive(Deserialize)]
struct Mutations {
    mutation: Vec<Mutation>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Mutation {
    name: String,
    /// The errors that may be found; the first must be.
    rules: Vec<String>,
    /// Instead: a warning, and the submission stays ready.
    warns: Option<String>,
    only: Vec<String>,

    set: Table,
    drop: Vec<String>,
    change: Option<Change>,
    without_one: bool,
    break_one: bool,
    unseal_one: bool,
    broken: Vec<String>,
    store: String,
    age_ms: Option<i64>,
    ends_after_ms: Option<i64>,
    opened_before_window: bool,
    submit_days: Option<i64>,
    change_of_documentation: bool,
    where_flows_are_left_out: bool,
}

fn mutations() -> Vec<Mutation> {
    let read: Mutations = toml::from_str(include_str!("mutations.toml")).unwrap();
    read.mutation
}

/// A submission with nothing wrong in it.
struct Good {
    programme: &'static str,
    row: Row,
    /// A scenario that counts, and the place of its run.
    scenario: String,
    place: usize,
    at: DateTime<Utc>,
    first: DateTime<Utc>,
    opens: DateTime<Utc>,
    leaves_flows_out: bool,
}

const FLOWS: [&str; 3] = ["standard-departure", "pre-lodged-departure", "arrival"];

/// Columns of the matrix: procedures and combination.
const COLUMNS: [(&[&str], Option<&str>); 4] = [
    (&["normal"], None),
    (&["simplified"], None),
    (&["normal", "simplified"], Some("A")),
    (&["simplified", "normal"], Some("B")),
];

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Every kind of house, on days of every season, with every run in turn as the
/// one that is changed.
fn corpus() -> Vec<Good> {
    let mut all = Vec::new();
    let settings = [
        (
            "ncts5-final",
            "two-flows",
            "2024-06-03T23:00:00Z",
            ["2026-03-26", "2026-10-22", "2028-02-26"],
        ),
        (
            "ncts5-transition",
            "transition",
            "2023-10-30T00:00:00Z",
            ["2023-11-14", "2024-02-27", "2024-03-28"],
        ),
        ("ncts6", "ncts6", "2026-04-13T23:00:00Z", ["2026-05-04", "2026-10-23", "2027-03-26"]),
    ];
    for (programme, house, opens, days) in settings {
        for subset in 1..8_usize {
            for (procedures, combination) in COLUMNS {
                for side in ["GB", "XI"] {
                    let day = days[(subset + all.len()) % days.len()];
                    let chosen = |n: &usize| subset >> n & 1 == 1;
                    let flows: Vec<&str> = (0..3).filter(chosen).map(|n| FLOWS[n]).collect();
                    let mut set = Table::new();
                    let list = |all: &[&str]| {
                        Value::Array(all.iter().map(|one| Value::from(*one)).collect())
                    };
                    set.insert("software.flows".into(), list(&flows));
                    set.insert("software.procedures".into(), list(procedures));
                    set.insert("software.side".into(), side.into());
                    if let Some(combination) = combination {
                        set.insert("software.combination".into(), combination.into());
                    }
                    let mut reasons = Table::new();
                    for flow in FLOWS.iter().filter(|flow| !flows.contains(flow)) {
                        reasons.insert((*flow).into(), "Not offered".into());
                    }
                    if programme != "ncts6" {
                        set.insert("not-applicable".into(), Value::Table(reasons));
                    }
                    let first = utc(&format!("{day}T10:00:00Z"));
                    let at = first + TimeDelta::days(5);
                    let row = Row {
                        name: format!("{programme} {flows:?} {procedures:?} {side}"),
                        house: house.to_owned(),
                        at: Some(at),
                        first: Some(first),
                        set,
                        ..Row::default()
                    };
                    let counted = row.house().scenarios();
                    for (place, scenario) in counted.into_iter().enumerate() {
                        all.push(Good {
                            programme,
                            row: row.clone(),
                            scenario,
                            place,
                            at,
                            first,
                            opens: utc(opens),
                            leaves_flows_out: flows.len() < 3,
                        });
                    }
                }
            }
        }
    }
    all
}

impl Mutation {
    fn fits(&self, good: &Good) -> bool {
        (self.only.is_empty() || self.only.iter().any(|only| only == good.programme))
            && (good.leaves_flows_out || !self.where_flows_are_left_out)
    }

    /// Does it to a row.
    fn apply(&self, good: &Good, row: &mut Row) {
        for (path, value) in &self.set {
            row.set.insert(path.clone(), value.clone());
        }
        row.drop.extend(self.drop.iter().cloned());
        // A part that is dropped was set by the house itself.
        for path in &self.drop {
            row.set.remove(path);
        }
        row.broken.extend(self.broken.iter().cloned());
        if !self.store.is_empty() {
            row.store.clone_from(&self.store);
        }
        if self.without_one {
            row.without.push(good.scenario.clone());
        }
        if self.break_one {
            row.broken.push(good.scenario.clone());
        }
        if self.unseal_one {
            row.unsealed.push(good.scenario.clone());
        }
        let of = good.place.to_string();
        if let Some(change) = &self.change {
            row.change.push(Change { of: of.clone(), ..change.clone() });
        }
        if let Some(ms) = self.age_ms {
            // Strictly read, it lapses with London's fourteenth day.
            let until = row.house().until(&good.scenario);
            row.at = Some(until + TimeDelta::milliseconds(ms));
        }
        if let Some(ms) = self.ends_after_ms {
            let first = good.at - TimeDelta::minutes(30) + TimeDelta::milliseconds(ms);
            row.change.push(Change { of: of.clone(), first: Some(first), ..Change::default() });
        }
        if self.opened_before_window {
            let opened = good.opens - TimeDelta::milliseconds(1);
            row.change.push(Change { of, opened: Some(opened), ..Change::default() });
        }
        if let Some(days) = self.submit_days {
            let today = good.at.date_naive();
            let by = Days::new(days.unsigned_abs());
            row.submit_on = Some(if days < 0 { today - by } else { today + by });
        }
        if self.change_of_documentation {
            let on = good.first.date_naive() + Days::new(1);
            let mut change = Table::new();
            change.insert("on".into(), on.to_string().into());
            change.insert("what".into(), "New order of messages".into());
            row.set.insert("documentation-change".into(), Value::Array(vec![change.into()]));
        }
    }
}

fn rules(verdict: &Verdict, severity: Severity) -> BTreeSet<&'static str> {
    let plain = verdict.findings.iter().filter(|f| f.severity == severity && f.waived.is_none());
    plain.map(|finding| finding.rule).collect()
}

#[test]
fn nothing_is_found_in_good_submissions() {
    let corpus = corpus();
    assert!(corpus.len() > 200, "{}", corpus.len());
    for good in corpus {
        let verdict = good.row.house().judge();
        let found: Vec<_> =
            verdict.findings.iter().filter(|f| f.severity != Severity::Info).collect();
        assert!(verdict.ready && found.is_empty(), "{}: {found:#?}", good.row.name);
    }
}

#[test]
fn every_mutation_is_caught_with_its_rule() {
    let (mut made, mut missed) = (0, Vec::new());
    let corpus = corpus();
    for mutation in mutations() {
        let before = made;
        for good in corpus.iter().filter(|good| mutation.fits(good)) {
            let mut row = good.row.clone();
            mutation.apply(good, &mut row);
            let verdict = row.house().judge();
            made += 1;
            let errors = rules(&verdict, Severity::Error);
            let right = match &mutation.warns {
                Some(warns) => {
                    let warnings = rules(&verdict, Severity::Warning);
                    verdict.ready && errors.is_empty() && warnings.contains(warns.as_str())
                }
                None => {
                    !verdict.ready
                        && errors.contains(mutation.rules[0].as_str())
                        && errors.iter().all(|rule| mutation.rules.iter().any(|may| may == rule))
                }
            };
            if !right {
                missed.push(format!("{}, {}: {errors:?}", mutation.name, row.name));
            }
        }
        assert!(made > before, "`{}` fits no house", mutation.name);
    }
    let shown: Vec<_> = missed.iter().take(20).collect();
    assert!(missed.is_empty(), "{} of {made} missed: {shown:#?}", missed.len());
}

#[test]
fn two_mutations_at_once_are_never_ready() {
    let corpus = corpus();
    let all: Vec<Mutation> = mutations().into_iter().filter(|one| one.warns.is_none()).collect();
    let mut made = 0;
    for (n, one) in all.iter().enumerate() {
        for two in &all[n + 1..] {
            // A house for each pair, another each time.
            let fitting: Vec<&Good> =
                corpus.iter().filter(|good| one.fits(good) && two.fits(good)).collect();
            let Some(good) = fitting.get(made * 7 % fitting.len().max(1)) else { continue };
            let mut row = good.row.clone();
            one.apply(good, &mut row);
            // What is gone cannot be changed as well.
            if row.without.is_empty() {
                two.apply(good, &mut row);
            }
            let verdict = row.house().judge();
            made += 1;
            assert!(!verdict.ready, "{} and {}: {}", one.name, two.name, row.name);
        }
    }
    assert!(made > 400, "{made}");
}
