//! Judging: each rule fires when it must and is silent when it must be.

#![allow(clippy::unwrap_used)]

#[path = "verdict_rules/explain.rs"]
mod explain;
#[path = "verdict_rules/policy.rs"]
mod policy;
mod verdict_support;
#[path = "verdict_rules/waivers.rs"]
mod waivers;

use chrono::TimeDelta;
use ctc_ready::catalogue::{Flow, PendingChecklist, RequirementKind};
use ctc_ready::evidence::verify::Problem;
use ctc_ready::evidence::{Actor, Driver, RunRecord, RunState, WaitingFor};
use ctc_ready::project::Environment;
use ctc_ready::verdict::rules::{RULES, rule};
use ctc_ready::verdict::{Finding, RequirementState, Severity, Verdict};
use verdict_support::*;

fn rules_of(verdict: &Verdict) -> Vec<&'static str> {
    verdict.findings.iter().map(|finding| finding.rule).collect()
}

fn find<'a>(verdict: &'a Verdict, rule: &str) -> Option<&'a Finding> {
    verdict.findings.iter().find(|finding| finding.rule == rule)
}

/// The severity with which a rule fired.
fn fired(verdict: &Verdict, rule: &str) -> Option<Severity> {
    find(verdict, rule).map(|finding| finding.severity)
}

#[test]
fn rules_have_unique_kebab_case_names_and_a_line_each() {
    for (n, one) in RULES.iter().enumerate() {
        assert!(!RULES.iter().take(n).any(|other| other.name == one.name), "{}", one.name);
        assert!(one.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", one.name);
        assert!(!one.about.is_empty() && !one.about.contains('\n'), "{}", one.name);
        assert_eq!(rule(one.name), Some(one));
    }
    assert_eq!(RULES.len(), 26);
}

#[test]
fn complete_fresh_evidence_is_ready() {
    let verdict = House::new().judge();
    assert_eq!(rules_of(&verdict), ["store-unsealed", "store-unsealed", "submission-window"]);
    assert!(verdict.ready && !verdict.rehearsal);
    let unsealed = &verdict.findings[0];
    assert_eq!((unsealed.severity, unsealed.run), (Severity::Warning, Some(id(1))));
    assert_eq!(verdict.findings[2].severity, Severity::Info);
    let row = &verdict.requirements[0];
    assert_eq!(row.state, RequirementState::Fresh);
    assert_eq!(row.run, Some(id(1)));
    assert_eq!(row.fresh_until, Some(utc("2026-12-03T23:59:59.999Z")));
    assert_eq!((row.attempts, row.next_actor), (1, None));
    assert_eq!(verdict.requirements[2].state, RequirementState::NotApplicable);
}

/// (what is changed, the rule, the severity expected).
type Row = (fn(&mut House), &'static str, Severity);

#[test]
fn every_rule_fires_on_what_it_is_about() {
    let rows: &[Row] = &[
        (|h| h.runs.clear(), "required-scenario-missing", Severity::Error),
        (|h| h.runs[0].state = RunState::Abandoned, "required-scenario-missing", Severity::Error),
        (|h| h.runs[0].programme = "ncts6".into(), "required-scenario-missing", Severity::Error),
        (|h| h.runs[0].scenario = "DNGB6".into(), "required-scenario-missing", Severity::Error),
        (|h| h.runs[0].state = RunState::Failed, "scenario-failed", Severity::Error),
        (|h| h.runs[0].state = RunState::Waiting, "run-unfinished", Severity::Error),
        (|h| h.as_of = utc("2026-12-04T00:00:00Z"), "evidence-stale", Severity::Error),
        (|h| h.submit_on = Some(day("2026-12-04")), "evidence-stale", Severity::Error),
        (|h| h.as_of = utc("2026-12-01T12:00:00Z"), "evidence-expiring", Severity::Warning),
        (
            |h| {
                h.as_of = utc("2026-12-03T12:00:00Z");
                h.settings.gate.fail_before_hours = 24;
            },
            "evidence-expiring",
            Severity::Error,
        ),
        (
            |h| h.programme.phase[0].opens = Some(day("2026-11-21")),
            "outside-phase",
            Severity::Error,
        ),
        (
            |h| h.programme.phase[0].closes = Some(day("2026-11-20")),
            "outside-phase",
            Severity::Error,
        ),
        (|h| h.runs[0].environment = Environment::Sandbox, "wrong-environment", Severity::Error),
        (|h| h.runs[0].environment = Environment::Simulator, "simulated-evidence", Severity::Error),
        (|h| h.runs[0].simulated = true, "simulated-evidence", Severity::Error),
        (
            |h| h.break_journal(&format!("runs/{}/journal.jsonl:3", id(1))),
            "journal-broken",
            Severity::Error,
        ),
        (|h| h.break_journal("index.jsonl:1"), "journal-broken", Severity::Error),
        (|h| h.integrity = None, "journal-broken", Severity::Error),
        (|h| h.integrity.as_mut().unwrap().intact = false, "journal-broken", Severity::Error),
        (|h| h.seal(2, false), "journal-broken", Severity::Error),
        (|h| h.seal(1, true), "store-unsealed", Severity::Warning),
        (
            |h| {
                h.seal(1, true);
                h.runs[1].state = RunState::Failed;
            },
            "store-unsealed",
            Severity::Info,
        ),
        (|h| h.runs[0].max_skew_ms = Some(60_001), "clock-skew", Severity::Warning),
        (|h| h.runs[0].max_skew_ms = Some(-60_001), "clock-skew", Severity::Warning),
        (|h| h.runs[0].clocks.received_skew_ms = Some(-60_001), "clock-skew", Severity::Warning),
        (|h| h.runs[0].clocks.set_back = changed(60_001), "clock-changed", Severity::Warning),
        (|h| h.runs[0].clocks.set_forward = changed(60_001), "clock-changed", Severity::Info),
        (|h| h.runs[0].software.version = "4.1".into(), "other-build", Severity::Error),
        (|h| h.runs[0].software.name = "Other".into(), "other-build", Severity::Error),
        (|h| h.settings.software.build = Some(build('b')), "other-build", Severity::Error),
        (
            |h| {
                h.settings.software.build = Some(build('a'));
                h.runs.iter_mut().for_each(|run| run.software.build = None);
            },
            "other-build",
            Severity::Warning,
        ),
        (|h| h.settings.gate.drivers = vec![Driver::Proxy], "driver-not-accepted", Severity::Error),
        (
            |h| {
                let until = "until = 2026-12-31\nreason = \"why\"\nrule = \"evidence-stale\"";
                h.settings.waivers = vec![toml::from_str(until).unwrap()];
            },
            "stale-waiver",
            Severity::Error,
        ),
        (|h| h.runs[0].api_version = "2.0".into(), "wrong-api-version", Severity::Error),
        (|h| h.as_of = utc("2026-11-20T10:15:00Z"), "evidence-from-future", Severity::Error),
        (|h| h.settings.business.name = None, "unanswered-question", Severity::Error),
        (|h| h.settings.business.address = None, "unanswered-question", Severity::Error),
        (|h| h.settings.sandbox_application.id = None, "unanswered-question", Severity::Error),
        (|h| h.settings.production_application.name = None, "unanswered-question", Severity::Error),
        (|h| h.unanswer("saas"), "unanswered-question", Severity::Error),
        (|h| h.unanswer("more-than-5000"), "unanswered-question", Severity::Error),
        (|h| h.answer("on-premise", "yes"), "unanswered-question", Severity::Error),
        (|h| h.answer("rate-limit-enough", "dont-know"), "unanswered-question", Severity::Error),
        (|h| h.answer("rate-limit-enough", "no"), "unanswered-question", Severity::Error),
        (|h| h.settings.not_applicable.clear(), "not-applicable-unexplained", Severity::Error),
        (|h| h.unpublished("go-live", Some(14)), "unpublished-date", Severity::Warning),
        (|h| h.unpublished("go-live", None), "unpublished-date", Severity::Info),
        (|h| h.submit_on = Some(day("2026-11-20")), "submission-window", Severity::Error),
        (|h| h.submit_on = Some(day("2026-11-28")), "submission-window", Severity::Info),
        (|h| h.go_live("2026-12-04"), "lead-time", Severity::Warning),
        (|h| h.go_live("2026-11-21"), "lead-time", Severity::Warning),
        (
            |h| {
                let (what, source) = ("It is pending".to_owned(), "GBG".to_owned());
                h.programme.submission = None;
                h.programme.pending_checklist = Some(PendingChecklist { what, source });
            },
            "checklist-pending",
            Severity::Warning,
        ),
    ];
    for (n, (change, rule, severity)) in rows.iter().enumerate() {
        let mut house = House::new();
        change(&mut house);
        let verdict = house.judge();
        assert_eq!(fired(&verdict, rule), Some(*severity), "row {n}, `{rule}`: {verdict:#?}");
        if *severity == Severity::Error {
            assert!(!verdict.ready, "row {n}, `{rule}`");
        }
    }
    // Tested where the credentials held are.
    let elsewhere = ["documentation-changed", "credentials-basis", "further-application"];
    for rule in RULES.iter().filter(|rule| !elsewhere.contains(&rule.name)) {
        assert!(rows.iter().any(|row| row.1 == rule.name), "no row for `{}`", rule.name);
    }
}

fn changed(by_ms: i64) -> Option<ctc_ready::evidence::ClockChange> {
    Some(ctc_ready::evidence::ClockChange { by_ms, line: 7 })
}

#[test]
fn a_clock_that_was_set_back_is_told_with_its_line() {
    let mut house = House::new();
    house.runs[0].clocks.set_back = changed(2 * 86_400_000);
    house.runs[0].clocks.set_forward = changed(9 * 86_400_000);
    let verdict = house.judge();
    let finding = find(&verdict, "clock-changed").unwrap();
    assert!(finding.message.contains("set back by 2 days"), "{}", finding.message);
    assert!(finding.message.contains("line 7 of its journal"), "{}", finding.message);
    assert!(verdict.ready, "age is counted from the oldest time: a warning is enough");
}

#[test]
fn rules_are_silent_just_inside_their_limits() {
    type Quiet = (fn(&mut House), &'static str);
    let quiet: &[Quiet] = &[
        (|h| h.as_of = utc("2026-12-03T23:59:59Z"), "evidence-stale"),
        (|h| h.submit_on = Some(day("2026-12-03")), "evidence-stale"),
        // 72 hours and a moment before the end.
        (|h| h.as_of = utc("2026-11-30T23:59:59Z"), "evidence-expiring"),
        (|h| h.programme.phase[0].opens = Some(day("2026-11-20")), "outside-phase"),
        (|h| h.programme.phase[0].closes = Some(day("2026-11-21")), "outside-phase"),
        (|h| h.as_of = utc("2026-11-20T10:40:00Z"), "evidence-from-future"),
        (|h| h.runs[0].max_skew_ms = Some(60_000), "clock-skew"),
        (|h| h.runs[0].max_skew_ms = Some(-60_000), "clock-skew"),
        (|h| h.runs[0].clocks.received_skew_ms = Some(60_000), "clock-skew"),
        (|h| h.runs[0].clocks.set_back = changed(60_000), "clock-changed"),
        (|h| h.runs[0].clocks.set_forward = changed(60_000), "clock-changed"),
        (|h| h.settings.software.build = Some(build('a')), "other-build"),
        (|h| h.settings.software.build = None, "other-build"),
        (|h| h.seal(2, true), "store-unsealed"),
        (|h| h.go_live("2026-12-05"), "lead-time"),
        (|h| h.go_live("2026-11-20"), "lead-time"),
        (|h| h.go_live("2026-12-05"), "unpublished-date"),
        (|h| h.answer("rate-limit-enough", "yes"), "unanswered-question"),
        // NCTS5 alone asks why.
        (
            |h| {
                h.programme.id = "ncts6".into();
                h.settings.not_applicable.clear();
            },
            "not-applicable-unexplained",
        ),
    ];
    for (n, (change, rule)) in quiet.iter().enumerate() {
        let mut house = House::new();
        change(&mut house);
        let verdict = house.judge();
        assert_eq!(fired(&verdict, rule), None, "row {n}, `{rule}`: {verdict:#?}");
    }
}

#[test]
fn a_second_decides() {
    // By hours alone: first submitted at 10:00:05 on 20 November.
    let mut house = House::new();
    house.settings.gate.freshness = ctc_ready::project::FreshnessPolicy::Hours;
    house.as_of = utc("2026-12-04T10:00:04Z");
    assert!(house.judge().ready);
    house.as_of = utc("2026-12-04T10:00:05Z");
    assert_eq!(fired(&house.judge(), "evidence-stale"), Some(Severity::Error));
}

#[test]
fn age_counts_from_the_oldest_time_known() {
    let mut house = House::new();
    // The server saw it on the day before, in London.
    house.runs[0].messages[0].received = Some(utc("2026-11-19T23:59:59Z"));
    let until = house.judge().requirements[0].fresh_until;
    assert_eq!(until, Some(utc("2026-12-02T23:59:59.999Z")));
}

#[test]
fn changes_of_the_clocks_move_the_last_instant() {
    for (first, last) in [
        // Into summer time: day 14 ends at 23:00 UTC.
        ("2026-03-20T10:00:00Z", "2026-04-02T22:59:59Z"),
        // Out of it: submitted on 16 October 00:30 in London, day 14 is the
        // 29th and ends at midnight UTC, but 14 x 24 hours end before.
        ("2026-10-15T23:30:00Z", "2026-10-29T23:29:59Z"),
        ("2026-10-16T09:00:00Z", "2026-10-29T23:59:59Z"),
    ] {
        let mut house = House::new();
        let shift = utc(first) - utc("2026-11-20T10:00:05Z");
        house.runs.iter_mut().for_each(|run| shift_run(run, shift));
        house.as_of = utc(last);
        assert!(house.judge().ready, "{first}");
        house.as_of += TimeDelta::seconds(1);
        assert_eq!(fired(&house.judge(), "evidence-stale"), Some(Severity::Error), "{first}");
    }
}

#[test]
fn simulated_runs_leave_the_requirement_missing_and_are_named() {
    let mut house = House::new();
    house.simulate();
    let verdict = house.judge();
    let row = &verdict.requirements[0];
    assert_eq!((row.state, row.run, row.fresh_until), (RequirementState::Missing, None, None));
    assert_eq!(row.attempts, 1);
    let finding = find(&verdict, "simulated-evidence").unwrap();
    assert_eq!(finding.run, Some(id(1)));
    assert_eq!(finding.requirement.as_deref(), Some("standard-departure"));
    assert!(find(&verdict, "wrong-environment").is_none(), "said once is enough");
}

#[test]
fn a_rehearsal_lets_simulated_runs_count_and_says_so() {
    let mut house = House::new();
    house.simulate();
    house.rehearsal = true;
    let verdict = house.judge();
    assert!(verdict.ready && verdict.rehearsal, "{verdict:#?}");
    assert_eq!(fired(&verdict, "simulated-evidence"), Some(Severity::Info));
    assert_eq!(verdict.requirements[0].state, RequirementState::Fresh);
    // Everything else as ever.
    house.as_of = utc("2026-12-04T00:00:00Z");
    assert!(!house.judge().ready);
    // The sandbox is no rehearsal.
    let mut house = House::new();
    house.rehearsal = true;
    house.runs[0].environment = Environment::Sandbox;
    assert_eq!(fired(&house.judge(), "wrong-environment"), Some(Severity::Error));
}

/// A second run for the first requirement.
fn another(house: &mut House, change: impl FnOnce(&mut RunRecord)) {
    let mut run = house.runs[0].clone();
    run.run = id(9);
    run.attempt = 2;
    shift_run(&mut run, TimeDelta::hours(24));
    change(&mut run);
    house.runs.push(run);
}

#[test]
fn the_run_that_lasts_longest_stands() {
    let mut house = House::new();
    another(&mut house, |run| run.scenario = "DNXI1".into());
    let row = &house.judge().requirements[0];
    assert_eq!((row.run, row.scenario.as_deref()), (Some(id(9)), Some("DNXI1")));
    assert_eq!(row.attempts, 2);
    // But not if it is of other software while a fresh one is not.
    let mut house = House::new();
    another(&mut house, |run| run.software.version = "4.3".into());
    let verdict = house.judge();
    assert_eq!(verdict.requirements[0].run, Some(id(1)));
    assert!(verdict.ready);
}

#[test]
fn a_later_failure_does_not_undo_a_pass_but_is_told() {
    let mut house = House::new();
    another(&mut house, |run| run.state = RunState::Failed);
    let verdict = house.judge();
    assert!(verdict.ready);
    let finding = find(&verdict, "scenario-failed").unwrap();
    assert_eq!((finding.severity, finding.run), (Severity::Info, Some(id(9))));
}

#[test]
fn an_open_attempt_matters_once_the_pass_has_lapsed() {
    let mut house = House::new();
    another(&mut house, |run| run.state = RunState::Waiting);
    assert_eq!(house.judge().requirements[0].state, RequirementState::Fresh);
    house.as_of = utc("2026-12-04T12:00:00Z");
    for (actor, state) in [
        (Some(Actor::Officer), RequirementState::Waiting),
        (Some(Actor::You), RequirementState::Waiting),
        (Some(Actor::Timer), RequirementState::Running),
        (Some(Actor::OpeningHours), RequirementState::Running),
        (None, RequirementState::Waiting),
    ] {
        house.waiting.clear();
        if let Some(actor) = actor {
            let waiting = WaitingFor { actor, what: "IE029".into(), deadline: None };
            house.waiting.insert(id(9), waiting);
        }
        let verdict = house.judge();
        let row = &verdict.requirements[0];
        assert_eq!((row.state, row.run), (state, Some(id(9))));
        assert_eq!(row.next_actor, Some(actor.unwrap_or(Actor::You)));
        assert_eq!(fired(&verdict, "run-unfinished"), Some(Severity::Error));
    }
}

#[test]
fn a_damaged_run_gives_way_to_a_sound_one_yet_the_gate_stays_shut() {
    let mut house = House::new();
    another(&mut house, |_| {});
    house.break_journal(&format!("runs/{}/journal.jsonl:7", id(9)));
    let verdict = house.judge();
    assert_eq!(verdict.requirements[0].run, Some(id(1)));
    let finding = find(&verdict, "journal-broken").unwrap();
    assert_eq!(finding.run, Some(id(9)));
    assert_eq!(finding.requirement.as_deref(), Some("standard-departure"));
    assert!(finding.message.contains("journal.jsonl:7"));
    assert!(!verdict.ready);
}

#[test]
fn a_thousand_problems_are_counted_not_listed() {
    let mut house = House::new();
    let report = house.integrity.as_mut().unwrap();
    report.intact = false;
    report.problems = (0..1000)
        .map(|n| Problem {
            rule: "hash-mismatch",
            place: format!("objects/{n}"),
            message: "changed".into(),
        })
        .collect();
    let verdict = house.judge();
    let broken: Vec<_> =
        verdict.findings.iter().filter(|finding| finding.rule == "journal-broken").collect();
    assert_eq!(broken.len(), 21);
    assert!(broken.iter().any(|finding| finding.message.contains("980 more")));
}

#[test]
fn recommended_requirements_never_shut_the_gate() {
    let mut house = House::new();
    house.needs[1].kind = RequirementKind::Recommended;
    house.runs.retain(|run| run.scenario != "ANGB1");
    let verdict = house.judge();
    assert!(verdict.ready && find(&verdict, "required-scenario-missing").is_none());
    assert_eq!(verdict.requirements[1].next_actor, None);

    let mut house = House::new();
    house.needs[1].kind = RequirementKind::Recommended;
    house.runs[1].state = RunState::Failed;
    let verdict = house.judge();
    assert!(verdict.ready);
    assert_eq!(fired(&verdict, "scenario-failed"), Some(Severity::Warning));
}

#[test]
fn ncts6_asks_for_its_statements() {
    let mut house = House::new();
    house.programme.id = "ncts6".into();
    house.runs.iter_mut().for_each(|run| run.programme = "ncts6".into());
    let unanswered = |house: &House| {
        let verdict = house.judge();
        verdict.findings.iter().filter(|finding| finding.rule == "unanswered-question").count()
    };
    // Contact e-mail and four statements: proven or not, only the house states.
    assert_eq!(unanswered(&house), 5);
    house.settings.business.contact_email = Some("a@example.org".into());
    for key in ["aligned", "tested-in-house", "outbound-movement", "ready-for-go-live"] {
        house.settings.statements.insert(key.into(), true);
    }
    assert_eq!(unanswered(&house), 0);
    house.settings.statements.insert("aligned".into(), false);
    assert_eq!(unanswered(&house), 1);
}

#[test]
fn errors_come_first_then_the_forms_order() {
    let mut house = House::new();
    house.runs.clear();
    house.settings.business.name = None;
    house.unpublished("go-live", Some(14));
    let verdict = house.judge();
    let told: Vec<_> = verdict
        .findings
        .iter()
        .map(|finding| (finding.rule, finding.requirement.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(
        told,
        [
            ("required-scenario-missing", "standard-departure"),
            ("required-scenario-missing", "arrival"),
            ("unanswered-question", "-"),
            ("unpublished-date", "-"),
            ("store-unsealed", "-"),
        ]
    );
    // The same whatever the order of the runs in the store.
    let mut house = House::new();
    another(&mut house, |run| run.state = RunState::Failed);
    let forwards = serde_json::to_string(&house.judge()).unwrap();
    house.runs.reverse();
    assert_eq!(serde_json::to_string(&house.judge()).unwrap(), forwards);
}

#[test]
fn status_and_gate_agree_and_match_their_schemas() {
    let mut house = House::new();
    another(&mut house, |run| run.state = RunState::Failed);
    let (status, verdict) = (house.status(), house.judge());
    let status = serde_json::to_value(status).unwrap();
    let verdict = serde_json::to_value(verdict).unwrap();
    assert_eq!(status["requirements"], verdict["requirements"]);
    assert_eq!(status["schema_version"], 1);
    assert_eq!(status["requirements"][0]["state"], "fresh");
    assert!(status["requirements"][0]["next_actor"].is_null());
    let schema = |schema: schemars::Schema| {
        jsonschema::validator_for(&serde_json::to_value(schema).unwrap()).unwrap()
    };
    assert!(schema(schemars::schema_for!(ctc_ready::verdict::Status)).is_valid(&status));
    assert!(schema(schemars::schema_for!(Verdict)).is_valid(&verdict));
}

#[test]
fn a_flow_left_out_is_explained_in_the_form() {
    let mut house = House::new();
    let pre_lodged = &house.needs[2];
    assert_eq!((pre_lodged.flow, pre_lodged.applies), (Some(Flow::PreLodgedDeparture), false));
    house.settings.not_applicable.insert(Flow::PreLodgedDeparture, "  ".into());
    let verdict = house.judge();
    let finding = find(&verdict, "not-applicable-unexplained").unwrap();
    assert_eq!(finding.requirement.as_deref(), Some("pre-lodged-departure"));
}

#[test]
fn a_seal_that_does_not_hold_is_named() {
    let mut house = House::new();
    let report = house.integrity.as_mut().unwrap();
    report.seals.push(seal_report(2, false));
    let verdict = house.judge();
    assert!(find(&verdict, "journal-broken").unwrap().message.contains("seals/1.dsse.json"));
}
