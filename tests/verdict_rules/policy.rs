//! The gate's policy: each setting both ways, and at its edge.

use ctc_ready::catalogue::RequirementKind;
use ctc_ready::digest::Digest;
use ctc_ready::evidence::RunState;
use ctc_ready::project::{BuildPolicy, Driver, Environment, RecommendedPolicy, SealPolicy};
use ctc_ready::verdict::{RequirementState, Severity};

use crate::verdict_support::*;
use crate::{find, fired};

/// (what is changed, the rule, the severity expected if any).
type Row = (fn(&mut House), &'static str, Option<Severity>);

const ERROR: Option<Severity> = Some(Severity::Error);
const WARNING: Option<Severity> = Some(Severity::Warning);

#[track_caller]
fn check(rows: &[Row]) {
    for (n, (change, rule, severity)) in rows.iter().enumerate() {
        let mut house = House::new();
        change(&mut house);
        let verdict = house.judge();
        assert_eq!(fired(&verdict, rule), *severity, "row {n}, `{rule}`: {verdict:#?}");
        assert_eq!(verdict.ready, *severity != ERROR, "row {n}, `{rule}`: {verdict:#?}");
    }
}

fn sandbox(house: &mut House) {
    house.runs.iter_mut().for_each(|run| run.environment = Environment::Sandbox);
}

#[test]
fn the_settings_say_where_runs_count() {
    use Environment::{Sandbox, TraderTest};
    check(&[
        (|h| h.settings.gate.environments = vec![TraderTest, Sandbox], "wrong-environment", None),
        (|h| h.settings.gate.environments = vec![Sandbox], "wrong-environment", ERROR),
        // It counts, and HMRC does not take it.
        (
            |h| {
                sandbox(h);
                h.settings.gate.environments = vec![TraderTest, Sandbox];
            },
            "wrong-environment",
            WARNING,
        ),
    ]);
    let mut house = House::new();
    sandbox(&mut house);
    house.settings.gate.environments = vec![Sandbox];
    assert_eq!(house.judge().requirements[0].state, RequirementState::Fresh);
    // The simulator's never do, whatever anyone writes.
    let mut house = House::new();
    house.simulate();
    house.settings.gate.environments = vec![Environment::Simulator];
    assert_eq!(fired(&house.judge(), "simulated-evidence"), ERROR);
}

#[test]
fn the_settings_say_who_may_drive() {
    let rule = "driver-not-accepted";
    check(&[
        (|h| h.runs[0].driver = Driver::Import, rule, None),
        (|h| h.settings.gate.drivers = vec![Driver::Direct], rule, None),
        (
            |h| {
                h.runs[0].driver = Driver::Import;
                h.settings.gate.drivers = vec![Driver::Direct, Driver::Proxy];
            },
            rule,
            ERROR,
        ),
    ]);
    let mut house = House::new();
    house.settings.gate.drivers = vec![Driver::Proxy, Driver::Command];
    let verdict = house.judge();
    let finding = find(&verdict, rule).unwrap();
    assert_eq!(finding.run, Some(id(1)));
    assert!(finding.message.contains("driver `direct`"), "{}", finding.message);
    assert!(finding.message.contains("`proxy` and `command` alone"), "{}", finding.message);
    assert!(find(&verdict, "required-scenario-missing").is_none(), "said once is enough");
    // One that failed could not have counted either.
    house.runs[0].state = RunState::Failed;
    let verdict = house.judge();
    assert_eq!(verdict.requirements[0].state, RequirementState::Missing);
    assert_eq!(fired(&verdict, "required-scenario-missing"), ERROR);
}

#[test]
fn the_settings_say_what_seals_are_worth() {
    let rule = "store-unsealed";
    check(&[
        (|_| {}, rule, WARNING),
        (|h| h.settings.gate.seals = SealPolicy::Required, rule, ERROR),
        (|h| h.settings.gate.seals = SealPolicy::Ignored, rule, None),
        (|h| h.seal(2, true), rule, None),
        (
            |h| {
                h.seal(2, true);
                h.settings.gate.seals = SealPolicy::Required;
            },
            rule,
            None,
        ),
        (
            |h| {
                h.seal(2, true);
                h.settings.gate.seals = SealPolicy::Required;
                h.settings.gate.seal_keys = vec![Digest::of(b"another"), Digest::ZERO];
            },
            rule,
            None,
        ),
        (
            |h| {
                h.seal(2, true);
                h.settings.gate.seals = SealPolicy::Required;
                h.settings.gate.seal_keys = vec![Digest::of(b"another")];
            },
            rule,
            ERROR,
        ),
        (
            |h| {
                h.seal(2, true);
                h.settings.gate.seal_keys = vec![Digest::of(b"another")];
            },
            rule,
            WARNING,
        ),
        // A seal that does not hold is another matter.
        (
            |h| {
                h.seal(2, false);
                h.settings.gate.seals = SealPolicy::Ignored;
            },
            "journal-broken",
            ERROR,
        ),
    ]);
    let mut house = House::new();
    house.seal(2, true);
    house.settings.gate.seal_keys = vec![Digest::of(b"another")];
    let verdict = house.judge();
    let message = &find(&verdict, rule).unwrap().message;
    assert!(message.contains("by other keys than those of `gate.seal-keys`"), "{message}");
    // A run that stands for nothing needs no seal.
    let mut house = House::new();
    house.settings.gate.seals = SealPolicy::Required;
    house.seal(1, true);
    house.needs.truncate(1);
    let verdict = house.judge();
    assert!(verdict.ready, "{verdict:#?}");
    assert_eq!(fired(&verdict, rule), Some(Severity::Info));
}

#[test]
fn the_settings_say_how_builds_are_compared() {
    let rule = "other-build";
    check(&[
        // As ever: where both name one, they must agree.
        (|h| h.settings.software.build = None, rule, None),
        (|h| h.settings.software.build = Some(build('a')), rule, None),
        (|h| h.settings.software.build = Some(build('b')), rule, ERROR),
        (
            |h| {
                h.settings.software.build = Some(build('a'));
                h.runs[0].software.build = None;
            },
            rule,
            WARNING,
        ),
        // Required: both must name one.
        (|h| h.settings.gate.same_build = BuildPolicy::Required, rule, ERROR),
        (
            |h| {
                h.settings.gate.same_build = BuildPolicy::Required;
                h.settings.software.build = Some(build('a'));
            },
            rule,
            None,
        ),
        (
            |h| {
                h.settings.gate.same_build = BuildPolicy::Required;
                h.settings.software.build = Some(build('a'));
                h.runs[0].software.build = None;
            },
            rule,
            ERROR,
        ),
        (
            |h| {
                h.settings.gate.same_build = BuildPolicy::Required;
                h.settings.software.build = Some(build('b'));
            },
            rule,
            ERROR,
        ),
        // Ignored: name and version are not.
        (
            |h| {
                h.settings.gate.same_build = BuildPolicy::Ignored;
                h.settings.software.build = Some(build('b'));
            },
            rule,
            None,
        ),
        (
            |h| {
                h.settings.gate.same_build = BuildPolicy::Ignored;
                h.runs[0].software.version = "4.1".into();
            },
            rule,
            ERROR,
        ),
    ]);
}

#[test]
fn which_build_or_version_is_which_is_said() {
    let message = |change: fn(&mut House)| {
        let mut house = House::new();
        change(&mut house);
        let verdict = house.judge();
        let finding = find(&verdict, "other-build").unwrap();
        (finding.message.clone(), finding.source.clone())
    };
    let (told, source) = message(|h| h.settings.software.build = Some(build('b')));
    assert!(told.contains("tested build `sha256:aaaaaaaaaaaa…` of Transit Desk 4.2"), "{told}");
    assert!(told.contains("build `sha256:bbbbbbbbbbbb…` is under test"), "{told}");
    assert_eq!(source, None);
    // Where the version alone differs, HMRC is less strict, and not always.
    let (told, source) = message(|h| h.runs[0].software.version = "4.1".into());
    assert!(told.contains("tested version 4.1 of Transit Desk, and version 4.2 is"), "{told}");
    assert!(told.contains("one application covers all versions"), "{told}");
    assert!(told.contains("version 2.1 of the API"), "{told}");
    for but in ["different flows", "flows were added", "documentation changed"] {
        assert!(told.contains(but), "{but}: {told}");
    }
    assert!(source.unwrap().contains("additional production credentials applications"));
    // Of another product it never holds.
    let (told, source) = message(|h| h.runs[0].software.name = "Other".into());
    assert!(told.contains("tested Other 4.2, and the settings name Transit Desk 4.2"), "{told}");
    assert!(!told.contains("one application") && source.is_none(), "{told}");
}

#[test]
fn the_settings_say_what_recommended_tests_are_worth() {
    fn recommended(h: &mut House, policy: RecommendedPolicy) {
        h.needs[1].kind = RequirementKind::Recommended;
        h.settings.gate.recommended = policy;
    }
    use RecommendedPolicy::{Optional, Required, Wanted};
    fn untried(h: &mut House, policy: RecommendedPolicy) {
        recommended(h, policy);
        h.runs.truncate(1);
    }
    let missing = "required-scenario-missing";
    check(&[
        (|h| untried(h, Optional), missing, None),
        (|h| untried(h, Wanted), missing, WARNING),
        (|h| untried(h, Required), missing, ERROR),
        (|h| recommended(h, Required), missing, None),
        (
            |h| {
                recommended(h, Wanted);
                h.runs[1].state = RunState::Failed;
            },
            "scenario-failed",
            WARNING,
        ),
        (
            |h| {
                recommended(h, Required);
                h.runs[1].state = RunState::Failed;
            },
            "scenario-failed",
            ERROR,
        ),
        (
            |h| {
                recommended(h, Required);
                h.runs[1].environment = Environment::Sandbox;
            },
            "wrong-environment",
            ERROR,
        ),
        // One that does not apply is asked of nobody.
        (
            |h| {
                recommended(h, Required);
                h.runs.truncate(1);
                h.needs[1].applies = false;
            },
            missing,
            None,
        ),
    ]);
    for (policy, severity) in [(Wanted, WARNING), (Required, ERROR)] {
        let mut house = House::new();
        recommended(&mut house, policy);
        shift_run(&mut house.runs[1], chrono::TimeDelta::days(-20));
        assert_eq!(fired(&house.judge(), "evidence-stale"), severity);
    }
}

/// Both runs may go in until the end of 3 December.
#[test]
fn both_early_warnings_come_at_their_hour() {
    fn at(warn: u32, fail: u32, as_of: &str, submit_on: Option<&str>) -> Option<Severity> {
        let mut house = House::new();
        house.settings.gate.warn_before_hours = warn;
        house.settings.gate.fail_before_hours = fail;
        house.as_of = utc(as_of);
        house.submit_on = submit_on.map(day);
        let verdict = house.judge();
        let severity = fired(&verdict, "evidence-expiring");
        assert_eq!(verdict.ready, severity != ERROR, "{verdict:#?}");
        let state = verdict.requirements[0].state;
        assert_eq!(state == RequirementState::Expiring, severity.is_some(), "{state:?}");
        severity
    }
    let now = "2026-11-21T12:00:00Z";
    for (warn, fail, as_of, submit_on, expected) in [
        // Exactly 72 hours are left, and a millisecond more.
        (72, 24, "2026-11-30T23:59:59.999Z", None, WARNING),
        (72, 24, "2026-11-30T23:59:59.998Z", None, None),
        (72, 24, "2026-12-02T23:59:59.999Z", None, ERROR),
        (72, 24, "2026-12-02T23:59:59.998Z", None, WARNING),
        // The last instant of the day of submission decides.
        (72, 24, now, Some("2026-11-29"), None),
        (72, 24, now, Some("2026-11-30"), WARNING),
        (72, 24, now, Some("2026-12-01"), WARNING),
        (72, 24, now, Some("2026-12-02"), ERROR),
        (72, 72, now, Some("2026-11-30"), ERROR),
        // 0 is never, not even on the last day.
        (72, 0, now, Some("2026-12-03"), WARNING),
        (0, 0, now, Some("2026-12-03"), None),
        (0, 0, "2026-12-03T23:59:59.999Z", None, None),
    ] {
        assert_eq!(
            at(warn, fail, as_of, submit_on),
            expected,
            "{warn} {fail} {as_of} {submit_on:?}"
        );
    }
    let mut house = House::new();
    house.settings.gate.fail_before_hours = 24;
    house.submit_on = Some(day("2026-12-02"));
    let verdict = house.judge();
    let message = &find(&verdict, "evidence-expiring").unwrap().message;
    assert!(message.contains("24 hours after the instant judged for"), "{message}");
    assert!(message.contains("fails from 24 hours before on (`gate.fail-before-hours`)"));
}

/// NCTS6 asks one thing of all houses, whatever flows they have.
#[test]
fn a_requirement_without_a_flow_says_why_it_applies() {
    let mut house = House::new();
    house.programme.id = "ncts6".into();
    house.needs.truncate(1);
    house.needs[0].flow = None;
    house.needs[0].reason = "every house must show it, also one without departures".into();
    let verdict = house.judge();
    let message = &find(&verdict, "required-scenario-missing").unwrap().message;
    assert!(message.contains("; every house must show it, also one without"), "{message}");
    assert!(find(&verdict, "not-applicable-unexplained").is_none());
}

#[test]
fn both_ncts5_forms_ask_why_a_flow_is_left_out() {
    for programme in ["ncts5-transition", "ncts5-final"] {
        let mut house = House::new();
        house.programme.id = programme.into();
        house.runs.iter_mut().for_each(|run| run.programme = programme.into());
        assert!(house.judge().ready, "{programme}");
        house.settings.not_applicable.clear();
        let verdict = house.judge();
        let finding = find(&verdict, "not-applicable-unexplained").unwrap();
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.requirement.as_deref(), Some("pre-lodged-departure"));
        // Left out is not the same as not proven.
        assert!(find(&verdict, "required-scenario-missing").is_none());
    }
}
