//! A requirement and the run that stands for it: whether there is one, and
//! what speaks against it.

use super::on;
use crate::calendar::{freshness, london};
use crate::catalogue::RequirementKind;
use crate::evidence::clocks::{self, ClockChange};
use crate::evidence::{RunRecord, SoftwareId};
use crate::project::{BuildPolicy, Environment, RecommendedPolicy};
use crate::verdict::credentials;
use crate::verdict::docket::Docket;
use crate::verdict::findings::house::Form;
use crate::verdict::model::{Finding, RequirementState, Severity};
use crate::verdict::rules;
use crate::verdict::standing::{Likeness, Objection, Standing, age_origin, likeness, near_end};
use crate::verdict::waivers;

/// What there is to say about one requirement.
pub(in crate::verdict) fn about(docket: &Docket<'_>, standing: &Standing<'_>) -> Vec<Finding> {
    let mut findings = match (standing.state, standing.run) {
        (RequirementState::Missing, None) => missing(docket, standing).into_iter().collect(),
        (RequirementState::Missing, Some(run)) => objected(docket, standing, run),
        (RequirementState::Failed, Some(run)) => {
            let message =
                format!("`{}` failed (attempt {}): {}", run.scenario, run.attempt, reason(run));
            let rule = &rules::SCENARIO_FAILED;
            vec![on(docket, standing, Some(run), rule, Severity::Error, message)]
        }
        (RequirementState::Running | RequirementState::Waiting, Some(run)) => {
            vec![unfinished(docket, standing, run)]
        }
        (RequirementState::Fresh | RequirementState::Expiring, Some(_)) => standing
            .failed_later
            .map(|run| failed_later(docket, standing, run))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    };
    if let Some(run) = standing.counted() {
        findings.extend(aged(docket, standing, run));
        findings.extend(elsewhere(docket, standing, run));
        findings.extend(of_other_build(docket, standing, run));
        findings.extend(skewed(docket, standing, run));
        findings.extend(clock_changed(docket, standing, run));
    }
    findings
}

/// Whether waivers cover everything that speaks against the run of a missing
/// requirement. It is then looked at like one that counts, so that letting one
/// thing pass does not hide the others.
pub(in crate::verdict) fn let_pass(docket: &Docket<'_>, standing: &Standing<'_>) -> bool {
    let (RequirementState::Missing, Some(run)) = (standing.state, standing.run) else {
        return false;
    };
    let found = objected(docket, standing, run);
    found.len() == standing.objections.len()
        && found.iter().all(|finding| waivers::covering(&docket.case, finding).is_some())
}

/// `` `A` or `B` ``.
fn one_of<'a>(names: impl IntoIterator<Item = &'a str>, or: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(or)
}

fn missing(docket: &Docket<'_>, standing: &Standing<'_>) -> Option<Finding> {
    let need = standing.need;
    let gate = &docket.case.settings.gate;
    let asked = need.kind == RequirementKind::Mandatory;
    if !asked && gate.recommended == RecommendedPolicy::Optional {
        return None;
    }
    let of = one_of(need.any_of.iter().map(String::as_str), " or ");
    let place = match gate.environments.as_slice() {
        [Environment::TraderTest] => "Trader Test".to_owned(),
        several => one_of(several.iter().map(|it| it.as_str()), " or "),
    };
    let why = match (asked, need.flow) {
        (false, _) => "; HMRC recommends it, and `gate.recommended` asks for it".to_owned(),
        // One that no flow leads to: whoever lacks flows may wonder.
        (true, None) => format!("; {}", need.reason),
        (true, Some(_)) => String::new(),
    };
    let run = match &need.chosen {
        Some(id) => format!("; `ctc-ready run {id}`"),
        None => String::new(),
    };
    let message = format!(
        "`{}` has no evidence that counts: it takes a completed {of} in {place}{why}{run}",
        need.requirement
    );
    let rule = &rules::REQUIRED_SCENARIO_MISSING;
    let plain = on(docket, standing, None, rule, Severity::Error, message);
    Some(Finding { source: Some(need.source.clone()), ..plain })
}

/// Why the run of a missing requirement does not count.
fn objected(docket: &Docket<'_>, standing: &Standing<'_>, run: &RunRecord) -> Vec<Finding> {
    let objections = standing.objections.iter();
    objections.filter_map(|objection| objection_to(docket, standing, run, *objection)).collect()
}

fn objection_to(
    docket: &Docket<'_>,
    standing: &Standing<'_>,
    run: &RunRecord,
    objection: Objection,
) -> Option<Finding> {
    let case = &docket.case;
    let gate = &case.settings.gate;
    let scenario = &run.scenario;
    let (rule, message) = match objection {
        Objection::Simulated => (
            &rules::SIMULATED_EVIDENCE,
            format!(
                "`{scenario}` passed in the simulator only, which never counts; run it in Trader Test"
            ),
        ),
        Objection::Environment => {
            let counts = match gate.environments.as_slice() {
                [Environment::TraderTest] => "only Trader Test counts".to_owned(),
                several => format!(
                    "`gate.environments` lets {} alone count",
                    one_of(several.iter().map(|it| it.as_str()), " and ")
                ),
            };
            let place = run.environment.as_str();
            (&rules::WRONG_ENVIRONMENT, format!("`{scenario}` passed in `{place}`; {counts}"))
        }
        Objection::Driver => (
            &rules::DRIVER_NOT_ACCEPTED,
            format!(
                "`{scenario}` passed with the driver `{}`, and `gate.drivers` accepts {} alone; make an attempt that way, or accept this one there",
                run.driver.as_str(),
                one_of(gate.drivers.iter().map(|it| it.as_str()), " and ")
            ),
        ),
        Objection::Phase => (
            &rules::OUTSIDE_PHASE,
            format!(
                "`{scenario}` ran from {} to {}, which does not lie within one window of `{}`; run it again while the programme is open",
                london::day_of(age_origin(run).min(run.opened)),
                london::day_of(run.closed.unwrap_or(run.last_event)),
                case.programme.id
            ),
        ),
        Objection::ApiVersion => (
            &rules::WRONG_API_VERSION,
            format!(
                "`{scenario}` ran against version {} of the API, and `{}` takes {}",
                run.api_version, case.programme.id, case.programme.api.version
            ),
        ),
        Objection::Future => (
            &rules::EVIDENCE_FROM_FUTURE,
            format!(
                "`{scenario}` ended at {}, after the instant judged at ({}); judge at a later instant, or check the clocks",
                london::for_people(run.closed.unwrap_or(run.last_event)),
                london::for_people(case.as_of)
            ),
        ),
        Objection::DocumentationChanged => (
            &rules::DOCUMENTATION_CHANGED,
            credentials::before_change(&docket.case, standing.need, run)?,
        ),
        // Told already, with its place.
        Objection::Broken => return None,
    };
    Some(on(docket, standing, Some(run), rule, rule.severity, message))
}

fn unfinished(docket: &Docket<'_>, standing: &Standing<'_>, run: &RunRecord) -> Finding {
    let awaits = match docket.case.waiting.get(&run.run) {
        Some(waiting) => format!("it waits for: {}", waiting.what),
        None => "`ctc-ready run` takes it up again".to_owned(),
    };
    let message = format!("`{}` (attempt {}) is not finished; {awaits}", run.scenario, run.attempt);
    on(docket, standing, Some(run), &rules::RUN_UNFINISHED, Severity::Error, message)
}

fn failed_later(docket: &Docket<'_>, standing: &Standing<'_>, run: &RunRecord) -> Finding {
    let message = format!(
        "attempt {} at `{}`, after the one that counts, failed: {}",
        run.attempt,
        run.scenario,
        reason(run)
    );
    on(docket, standing, Some(run), &rules::SCENARIO_FAILED, Severity::Info, message)
}

/// Too old on the day of submission, or nearly.
fn aged(docket: &Docket<'_>, standing: &Standing<'_>, run: &RunRecord) -> Option<Finding> {
    let case = &docket.case;
    let gate = &case.settings.gate;
    let until = freshness::fresh_until(age_origin(run), gate.freshness);
    let left = until - case.submission_instant();
    if left < chrono::TimeDelta::zero() {
        let message = format!(
            "`{}` was first submitted at {} and could go in until {}; on {} it is too old: run it again",
            run.scenario,
            london::for_people(age_origin(run)),
            london::for_people(until),
            case.submission_day()
        );
        let rule = &rules::EVIDENCE_STALE;
        return Some(on(docket, standing, Some(run), rule, Severity::Error, message));
    }
    let severity = near_end(gate, left)?;
    let (setting, hours) = match severity {
        Severity::Error => {
            ("fails from {} hours before on (`gate.fail-before-hours`)", gate.fail_before_hours)
        }
        _ => ("warns from {} hours before on (`gate.warn-before-hours`)", gate.warn_before_hours),
    };
    let setting = setting.replace("{}", &hours.to_string());
    let left = match (left.num_hours(), left.num_minutes()) {
        (0, 1) => "1 minute".to_owned(),
        (0, minutes) => format!("{minutes} minutes"),
        (1, _) => "1 hour".to_owned(),
        (hours, _) => format!("{hours} hours"),
    };
    let message = format!(
        "`{}` may go in until {} only, {left} after the instant judged for, and the gate {setting}; submit by then, or run it again",
        run.scenario,
        london::for_people(until),
    );
    Some(on(docket, standing, Some(run), &rules::EVIDENCE_EXPIRING, severity, message))
}

/// One that counts because the settings say so, and HMRC does not.
fn elsewhere(docket: &Docket<'_>, standing: &Standing<'_>, run: &RunRecord) -> Option<Finding> {
    let counts = run.environment == Environment::Sandbox
        && docket.case.settings.gate.environments.contains(&run.environment);
    counts.then(|| {
        let message = format!(
            "`{}` ran in `{}` and counts because `gate.environments` names it; HMRC takes results of Trader Test alone",
            run.scenario,
            run.environment.as_str()
        );
        on(docket, standing, Some(run), &rules::WRONG_ENVIRONMENT, Severity::Warning, message)
    })
}

/// Where HMRC says that versions need not be tested one by one, and where not.
const ALL_VERSIONS: &str =
    "CTC Traders API phase 5 testing guide, additional production credentials applications";

fn of_other_build(
    docket: &Docket<'_>,
    standing: &Standing<'_>,
    run: &RunRecord,
) -> Option<Finding> {
    let case = &docket.case;
    let (of, wanted) = (&run.software, &case.settings.software);
    let required = case.settings.gate.same_build == BuildPolicy::Required;
    let scenario = &run.scenario;
    let mut source = None;
    let (severity, message) = match likeness(run, case.settings) {
        Likeness::Same => return None,
        Likeness::Unsaid => {
            let severity = if required { Severity::Error } else { Severity::Warning };
            let build = shown(wanted.build.as_deref());
            (
                severity,
                format!(
                    "`{scenario}` does not say which build of {} it tested, and {build} is under test; run it again with `--build`",
                    name_of(of)
                ),
            )
        }
        Likeness::UnderTestUnsaid => (
            Severity::Error,
            format!(
                "`gate.same-build` asks for the build of `{scenario}` to be the one under test, and nothing says which that is; set `software.build`, or give `--build FILE`"
            ),
        ),
        Likeness::OtherBuild => (
            Severity::Error,
            format!(
                "`{scenario}` tested build {} of {}, and build {} is under test; run it again with that one",
                shown(of.build.as_deref()),
                name_of(of),
                shown(wanted.build.as_deref())
            ),
        ),
        Likeness::OtherVersion => {
            let but = match Form::of(&case.programme.id) {
                Form::Ncts5 => {
                    source = Some(ALL_VERSIONS.to_owned());
                    format!(
                        ". To HMRC one application covers all versions of the software for version {} of the API, unless versions support different flows, flows were added since, or its documentation changed significantly: if none of that is so, a `[[waiver]]` may let this pass",
                        case.programme.api.version
                    )
                }
                Form::Ncts6 | Form::None => String::new(),
            };
            (
                Severity::Error,
                format!(
                    "`{scenario}` tested version {} of {}, and version {} is under test; run it again, or correct `software.version`{but}",
                    of.version, of.name, wanted.version
                ),
            )
        }
        Likeness::OtherSoftware => (
            Severity::Error,
            format!(
                "`{scenario}` tested {}, and the settings name {} {}; run it again, or correct `[software]`",
                name_of(of),
                wanted.name,
                wanted.version
            ),
        ),
    };
    let found = on(docket, standing, Some(run), &rules::OTHER_BUILD, severity, message);
    Some(Finding { source: source.or_else(|| found.source.clone()), ..found })
}

fn name_of(software: &SoftwareId) -> String {
    format!("{} {}", software.name, software.version)
}

/// Enough of a build's digest to know it by.
fn shown(build: Option<&str>) -> String {
    let hex = build.and_then(|build| build.strip_prefix("sha256:")).unwrap_or_default();
    format!("`sha256:{}…`", hex.chars().take(12).collect::<String>())
}

fn skewed(docket: &Docket<'_>, standing: &Standing<'_>, run: &RunRecord) -> Option<Finding> {
    // The server's `Date`, and the times that the API gives to messages.
    let server = run.max_skew_ms.map(|skew| (skew, "the server's"));
    let api = run.clocks.received_skew_ms.map(|skew| (skew, "the API's"));
    let further = |a: &(i64, &str), b: &(i64, &str)| a.0.abs().cmp(&b.0.abs());
    let (skew, whose) = api.into_iter().chain(server).max_by(further)?;
    (skew.saturating_abs() > limit_ms(docket)).then(|| {
        let side = if skew > 0 { "ahead of" } else { "behind" };
        let message = format!(
            "this machine's clock was {} seconds {side} {whose} while `{}` ran; age is counted from the older of the two, but set the clock right",
            skew.unsigned_abs() / 1000,
            run.scenario
        );
        on(docket, standing, Some(run), &rules::CLOCK_SKEW, Severity::Warning, message)
    })
}

/// How far clocks may be apart, in milliseconds.
fn limit_ms(docket: &Docket<'_>) -> i64 {
    i64::from(docket.case.settings.gate.max_clock_skew_seconds) * 1000
}

/// A clock that was set back makes what follows look older, and what went
/// before younger. One that ran ahead may be a machine that slept.
fn clock_changed(docket: &Docket<'_>, standing: &Standing<'_>, run: &RunRecord) -> Option<Finding> {
    let rule = &rules::CLOCK_CHANGED;
    let large = |change: Option<ClockChange>| change.filter(|it| it.by_ms > limit_ms(docket));
    let scenario = &run.scenario;
    if let Some(ClockChange { by_ms, line }) = large(run.clocks.set_back) {
        let message = format!(
            "this machine's clock was set back by {} while `{scenario}` ran (line {line} of its journal shows it); age is counted from the earliest time that any clock gives",
            clocks::in_words(by_ms)
        );
        return Some(on(docket, standing, Some(run), rule, Severity::Warning, message));
    }
    let ClockChange { by_ms, line } = large(run.clocks.set_forward)?;
    let message = format!(
        "this machine's clock ran ahead by {} while `{scenario}` ran (line {line} of its journal shows it): it was set forward, or the machine slept",
        clocks::in_words(by_ms)
    );
    Some(on(docket, standing, Some(run), rule, Severity::Info, message))
}

fn reason(run: &RunRecord) -> &str {
    run.failure.as_ref().map_or("no reason was recorded", |failure| failure.message.as_str())
}
