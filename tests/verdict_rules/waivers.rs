//! Waivers: what they cover, until when, and those nobody needs.

use ctc_ready::project::{Environment, SealPolicy, Waiver};
use ctc_ready::verdict::rules::RULES;
use ctc_ready::verdict::{Finding, Severity, Verdict};

use crate::verdict_support::*;
use crate::{find, fired};

fn waiver(rule: &str) -> Waiver {
    Waiver {
        rule: rule.to_owned(),
        requirement: None,
        scenario: None,
        run: None,
        programme: None,
        reason: "agreed with the board".to_owned(),
        until: day("2026-12-31"),
        approved_by: None,
    }
}

/// A house without a name, so that the form has a question open.
fn nameless(waivers: &[Waiver]) -> House {
    let mut house = House::new();
    house.settings.business.name = None;
    house.settings.waivers = waivers.to_vec();
    house
}

fn all<'a>(verdict: &'a Verdict, rule: &str) -> Vec<&'a Finding> {
    verdict.findings.iter().filter(|finding| finding.rule == rule).collect()
}

/// Why the only stale waiver is stale.
#[track_caller]
fn stale(verdict: &Verdict) -> &str {
    let found = all(verdict, "stale-waiver");
    assert_eq!(found.len(), 1, "{verdict:#?}");
    assert_eq!(found[0].severity, Severity::Error);
    assert!(!verdict.ready);
    &found[0].message
}

#[test]
fn a_waived_error_does_not_shut_the_gate() {
    assert!(!nameless(&[]).judge().ready);
    let verdict = nameless(&[Waiver {
        approved_by: Some("A. Board".to_owned()),
        ..waiver("unanswered-question")
    }])
    .judge();
    assert!(verdict.ready, "{verdict:#?}");
    let finding = find(&verdict, "unanswered-question").unwrap();
    assert_eq!(finding.severity, Severity::Error, "it stays what it is");
    assert_eq!(finding.waived.as_deref(), Some("agreed with the board"));
    assert_eq!(finding.waived_until, Some(day("2026-12-31")));
    assert_eq!(
        finding.waiver().as_deref(),
        Some("until 2026-12-31: agreed with the board (A. Board)")
    );
    assert!(find(&verdict, "stale-waiver").is_none());
    // What is ready is told until when it is.
    assert_eq!(fired(&verdict, "submission-window"), Some(Severity::Info));
}

#[test]
fn a_waiver_holds_to_the_end_of_its_last_day() {
    let judge = |until, as_of, submit_on: Option<&str>| {
        let mut house = nameless(&[Waiver { until: day(until), ..waiver("unanswered-question") }]);
        house.as_of = utc(as_of);
        house.submit_on = submit_on.map(day);
        house.judge()
    };
    assert!(judge("2026-11-21", "2026-11-21T23:59:59Z", None).ready);
    assert!(judge("2026-11-25", "2026-11-21T12:00:00Z", Some("2026-11-25")).ready);
    for verdict in [
        judge("2026-11-20", "2026-11-21T00:00:00Z", None),
        judge("2026-11-24", "2026-11-21T12:00:00Z", Some("2026-11-25")),
    ] {
        assert!(stale(&verdict).contains("ended on 2026-11-2"), "{verdict:#?}");
        assert_eq!(find(&verdict, "unanswered-question").unwrap().waived, None);
    }
    // London's day, in summer.
    let mut house = House::new();
    house.settings.waivers = vec![Waiver { until: day("2026-06-30"), ..waiver("outside-phase") }];
    house.as_of = utc("2026-06-30T22:59:59Z");
    assert!(!stale(&house.judge()).contains("ended"));
}

#[test]
fn a_waiver_covers_what_it_names_and_nothing_else() {
    let house = |change: fn(&mut Waiver)| {
        let mut house = House::new();
        house.settings.software.version = "5.0".to_owned();
        let mut waiver = waiver("other-build");
        change(&mut waiver);
        house.settings.waivers = vec![waiver];
        house.judge()
    };
    let covered = |verdict: &Verdict| -> Vec<bool> {
        all(verdict, "other-build").iter().map(|finding| finding.waived.is_some()).collect()
    };
    assert_eq!(covered(&house(|_| {})), [true, true]);
    for verdict in [
        house(|w| w.requirement = Some("arrival".to_owned())),
        house(|w| w.scenario = Some("ANGB1".to_owned())),
        house(|w| w.run = Some(id(2))),
        house(|w| {
            w.requirement = Some("arrival".to_owned());
            w.scenario = Some("ANGB1".to_owned());
            w.run = Some(id(2));
        }),
    ] {
        assert_eq!(covered(&verdict), [false, true]);
        assert!(!verdict.ready && find(&verdict, "stale-waiver").is_none());
    }
    for verdict in [
        house(|w| w.requirement = Some("departure".to_owned())),
        house(|w| w.scenario = Some("ANXI1".to_owned())),
        house(|w| w.run = Some(id(3))),
        // Each of them alone matches something.
        house(|w| {
            w.requirement = Some("arrival".to_owned());
            w.scenario = Some("DNGB1".to_owned());
        }),
    ] {
        assert_eq!(covered(&verdict), [false, false]);
        assert!(stale(&verdict).contains("matches no finding"));
    }
}

#[test]
fn a_waiver_nobody_needs_is_found() {
    // Only warnings and notes: they keep no gate shut.
    for rule in ["store-unsealed", "submission-window"] {
        let mut house = House::new();
        house.settings.waivers = vec![waiver(rule)];
        let verdict = house.judge();
        assert!(stale(&verdict).contains("not needed"), "{verdict:#?}");
        assert!(find(&verdict, rule).unwrap().waived.is_some());
    }
    // The same, once it is asked for, is needed.
    let mut house = House::new();
    house.settings.gate.seals = SealPolicy::Required;
    house.settings.waivers = vec![waiver("store-unsealed")];
    let verdict = house.judge();
    assert!(verdict.ready, "{verdict:#?}");
    // Nothing to waive at all.
    let mut house = House::new();
    house.settings.waivers = vec![waiver("unanswered-question")];
    assert!(stale(&house.judge()).contains("matches no finding"));
    // Ended, and nothing there either: the second is what to know.
    house.settings.waivers[0].until = day("2026-01-01");
    assert!(stale(&house.judge()).contains("matches no finding"));
}

#[test]
fn a_waiver_of_no_rule_names_the_nearest() {
    let told = nameless(&[waiver("unanswered-questions"), waiver("unanswered-question")]).judge();
    assert!(stale(&told).contains("the nearest: `unanswered-question`"), "{told:#?}");
    let told = nameless(&[waiver("colour"), waiver("unanswered-question")]).judge();
    assert!(stale(&told).contains("`ctc-ready gate --list-rules`"), "{told:#?}");
    // It may be any text.
    let told = nameless(&[waiver(&"x".repeat(100_000)), waiver("unanswered-question")]).judge();
    assert!(stale(&told).len() < 300);
}

#[test]
fn what_the_verdict_rests_on_cannot_be_waived() {
    type Break = (&'static str, fn(&mut House));
    let firm: &[Break] = &[
        ("journal-broken", |h| h.break_journal("index.jsonl:1")),
        ("simulated-evidence", House::simulate),
        ("evidence-from-future", |h| h.as_of = utc("2026-11-20T10:15:00Z")),
        ("stale-waiver", |h| h.settings.waivers.push(waiver("clock-skew"))),
    ];
    for (rule, change) in firm {
        let mut house = House::new();
        change(&mut house);
        house.settings.waivers.push(waiver(rule));
        let verdict = house.judge();
        let finding = find(&verdict, rule).unwrap();
        assert_eq!((finding.severity, &finding.waived), (Severity::Error, &None), "{rule}");
        let why = all(&verdict, "stale-waiver");
        assert!(why.iter().any(|it| it.message.contains("may not be waived")), "{rule}: {why:#?}");
        assert!(!verdict.ready);
    }
    let named: Vec<&str> = firm.iter().map(|(rule, _)| *rule).collect();
    for rule in RULES {
        assert_eq!(rule.waivable, !named.contains(&rule.name), "{}", rule.name);
    }
}

#[test]
fn a_waiver_of_another_programme_is_left_alone() {
    let other = Waiver { programme: Some("ncts6".to_owned()), ..waiver("unanswered-question") };
    let verdict = nameless(std::slice::from_ref(&other)).judge();
    assert!(!verdict.ready && find(&verdict, "stale-waiver").is_none());
    let own = Waiver { programme: Some("ncts5-final".to_owned()), ..other };
    assert!(nameless(&[own]).judge().ready);
}

/// A run that one waiver lets pass is looked at like any other.
#[test]
fn letting_one_thing_pass_hides_no_other() {
    let elsewhere = |waivers: &[&str]| {
        let mut house = House::new();
        house.runs[0].environment = Environment::Sandbox;
        house.settings.waivers = waivers.iter().map(|rule| waiver(rule)).collect();
        house
    };
    assert!(elsewhere(&["wrong-environment"]).judge().ready);

    let mut house = elsewhere(&["wrong-environment"]);
    shift_run(&mut house.runs[0], chrono::TimeDelta::days(-20));
    let verdict = house.judge();
    assert_eq!(fired(&verdict, "evidence-stale"), Some(Severity::Error));
    assert!(!verdict.ready);
    house.settings.waivers.clear();
    assert!(find(&house.judge(), "evidence-stale").is_none(), "the first thing is enough");

    let mut house = elsewhere(&["wrong-environment"]);
    house.runs[0].software.version = "4.1".into();
    house.settings.gate.seals = SealPolicy::Required;
    let verdict = house.judge();
    assert_eq!(fired(&verdict, "other-build"), Some(Severity::Error));
    let unsealed = all(&verdict, "store-unsealed");
    assert!(unsealed.iter().any(|finding| finding.run == Some(id(1))), "{unsealed:#?}");

    // Both things that speak against it must be covered.
    let mut house = elsewhere(&["wrong-environment"]);
    house.runs[0].api_version = "2.0".into();
    assert!(!house.judge().ready);
    house.settings.waivers.push(waiver("wrong-api-version"));
    let verdict = house.judge();
    assert!(verdict.ready, "{verdict:#?}");
    // No evidence is promised to stay fresh where some is only let pass.
    let window = all(&verdict, "submission-window");
    assert!(!window.iter().any(|it| it.message.contains("stays fresh")), "{window:#?}");
}
