//! Status and verdict.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::case::Case;
use super::house::{self, Form};
use super::model::{Finding, RequirementState, Severity, Status, Verdict};
use super::rules::{self, Rule};
use super::standing::{Objection, Standing, age_origin, same_software, standing};
use super::{credentials, dates};
use crate::calendar::london;
use crate::catalogue::RequirementKind;
use crate::evidence::clocks::{self, ClockChange};
use crate::evidence::{RunId, RunRecord};

/// Problems of the store told one by one; the rest are counted.
const PROBLEMS_TOLD: usize = 20;

/// Where every requirement stands.
pub fn status(case: &Case<'_>) -> Status {
    Status {
        schema_version: 1,
        programme: case.programme.id.clone(),
        as_of: case.as_of,
        requirements: case.needs.iter().map(|need| standing(case, need).status(case)).collect(),
    }
}

/// The gate's answer. The same case always gives the same verdict, findings
/// in the same order: by weight, a broken store first, then requirement, then
/// rule.
pub fn judge(case: &Case<'_>) -> Verdict {
    let standings: Vec<Standing<'_>> = case.needs.iter().map(|need| standing(case, need)).collect();
    let mut findings = integrity(case);
    findings.extend(dates(case));
    findings.extend(house(case));
    for standing in &standings {
        findings.extend(about(case, standing));
    }
    findings.extend(unsealed(case, &standings));
    findings.extend(overall(case, &standings, &findings));

    let place: BTreeMap<&str, usize> =
        case.needs.iter().enumerate().map(|(n, need)| (need.requirement.as_str(), n)).collect();
    findings.sort_by_key(|finding| {
        let requirement = finding.requirement.as_deref().and_then(|id| place.get(id).copied());
        (
            finding.severity,
            // What is found in evidence that was changed says little.
            finding.rule != rules::JOURNAL_BROKEN.name,
            requirement.unwrap_or(usize::MAX),
            rules::rank(finding.rule),
            finding.run,
        )
    });

    let blocks = |f: &Finding| f.severity == Severity::Error && f.waived.is_none();
    Verdict {
        schema_version: 1,
        ready: !findings.iter().any(blocks),
        rehearsal: case.rehearsal,
        programme: case.programme.id.clone(),
        as_of: case.as_of,
        submit_on: case.submit_on,
        requirements: standings.iter().map(|standing| standing.status(case)).collect(),
        findings,
    }
}

fn finding(rule: &Rule, message: String) -> Finding {
    Finding {
        rule: rule.name,
        severity: rule.severity,
        requirement: None,
        scenario: None,
        run: None,
        message,
        source: rule.source.map(str::to_owned),
        waived: None,
    }
}

/// A finding about a requirement and perhaps a run. What would be an error of
/// a mandatory requirement is a warning of a recommended one.
fn on(
    standing: &Standing<'_>,
    run: Option<&RunRecord>,
    rule: &Rule,
    severity: Severity,
    message: String,
) -> Finding {
    let mandatory = standing.need.kind == RequirementKind::Mandatory;
    let scenario = run.map(|run| run.scenario.clone()).or_else(|| standing.need.chosen.clone());
    Finding {
        severity: if mandatory { severity } else { severity.max(Severity::Warning) },
        requirement: Some(standing.need.requirement.clone()),
        scenario,
        run: run.map(|run| run.run),
        ..finding(rule, message)
    }
}

/// Whether the store can be believed.
fn integrity(case: &Case<'_>) -> Vec<Finding> {
    let Some(report) = case.integrity else {
        if case.runs.is_empty() {
            return Vec::new();
        }
        return vec![finding(
            &rules::JOURNAL_BROKEN,
            "the evidence was not verified, so none of it can be relied on; run `ctc-ready verify`"
                .to_owned(),
        )];
    };
    let mut findings: Vec<Finding> = report
        .problems
        .iter()
        .take(PROBLEMS_TOLD)
        .map(|problem| {
            let id_of = |run: &&RunRecord| problem.place.contains(&run.run.to_string());
            let run = case.runs.iter().find(id_of);
            let need = run.and_then(|run| {
                let own = run.programme == case.programme.id;
                case.needs.iter().find(|need| own && need.any_of.contains(&run.scenario))
            });
            Finding {
                run: run.map(|run| run.run),
                scenario: run.map(|run| run.scenario.clone()),
                requirement: need.map(|need| need.requirement.clone()),
                ..finding(
                    &rules::JOURNAL_BROKEN,
                    format!("`{}`: {} (`{}`)", problem.place, problem.message, problem.rule),
                )
            }
        })
        .collect();
    let untold = report.problems.len().saturating_sub(PROBLEMS_TOLD);
    let silent = !report.intact && report.problems.is_empty();
    if untold > 0 || silent {
        findings.push(finding(
            &rules::JOURNAL_BROKEN,
            match untold {
                0 => "the store does not verify; run `ctc-ready verify`".to_owned(),
                n => format!("the store has {n} more problems; `ctc-ready verify` lists them"),
            },
        ));
    }
    for seal in report.seals.iter().filter(|seal| !seal.valid) {
        findings.push(finding(
            &rules::JOURNAL_BROKEN,
            format!("the seal `{}` does not hold: what it covers was changed", seal.seal),
        ));
    }
    findings
}

/// Runs that no seal covers to their end: whoever can write to the store could
/// have made them up. Those that count are told one by one.
fn unsealed(case: &Case<'_>, standings: &[Standing<'_>]) -> Vec<Finding> {
    let Some(report) = case.integrity else { return Vec::new() };
    let mut rest: BTreeSet<RunId> = report.unsealed_runs.iter().copied().collect();
    let mut findings = Vec::new();
    for standing in standings.iter().filter(|standing| standing.fresh_until.is_some()) {
        let Some(run) = standing.run.filter(|run| report.unsealed_runs.contains(&run.run)) else {
            continue;
        };
        rest.remove(&run.run);
        let message = format!(
            "`{}` (attempt {}) counts, and no seal covers it; `ctc-ready seal` does",
            run.scenario, run.attempt
        );
        findings.push(on(standing, Some(run), &rules::STORE_UNSEALED, Severity::Warning, message));
    }
    if !rest.is_empty() {
        let (rest, runs) = (rest.len(), report.runs);
        let other = if findings.is_empty() { "" } else { "other " };
        findings.push(finding(
            &rules::STORE_UNSEALED,
            format!(
                "no seal covers {rest} {other}of {runs} runs; a seal lets others check that nothing was changed since"
            ),
        ));
    }
    findings
}

/// What the day of submission brings about.
fn dates(case: &Case<'_>) -> impl Iterator<Item = Finding> {
    let today = london::day_of(case.as_of);
    let given = case.submit_on.is_some();
    dates::notes(case.programme, case.settings, today, case.submission_day(), given)
        .into_iter()
        .map(|note| {
            let plain = finding(note.rule, note.message);
            Finding {
                severity: note.severity,
                source: note.source.or_else(|| plain.source.clone()),
                ..plain
            }
        })
}

/// What the form needs of the house.
fn house(case: &Case<'_>) -> Vec<Finding> {
    if credentials::nothing_left(case.programme, case.settings, case.submission_day()) {
        return Vec::new();
    }
    let form = Form::of(&case.programme.id);
    let mut findings: Vec<Finding> = house::unanswered(form, case.settings)
        .into_iter()
        .map(|message| finding(&rules::UNANSWERED_QUESTION, message))
        .collect();
    let explained = |flow| {
        let reason = case.settings.not_applicable.get(&flow);
        reason.is_some_and(|reason| !reason.trim().is_empty())
    };
    for need in case.needs {
        if let Some(flow) = need.flow
            && form.asks_why_not()
            && !need.applies
            && need.kind == RequirementKind::Mandatory
            && !credentials::supports(case, flow)
            && !explained(flow)
        {
            let flow = flow.as_str();
            findings.push(Finding {
                requirement: Some(need.requirement.clone()),
                ..finding(
                    &rules::NOT_APPLICABLE_UNEXPLAINED,
                    format!(
                        "the form asks why `{}` does not apply; say so as `{flow}` under `[not-applicable]`",
                        need.requirement
                    ),
                )
            });
        }
    }
    findings
}

/// What there is to say about one requirement.
fn about(case: &Case<'_>, standing: &Standing<'_>) -> Vec<Finding> {
    let mut findings = match (standing.state, standing.run) {
        (RequirementState::Missing, None) => missing(standing).into_iter().collect(),
        (RequirementState::Missing, Some(run)) => standing
            .objections
            .iter()
            .filter_map(|objection| objected(case, standing, run, *objection))
            .collect(),
        (RequirementState::Failed, Some(run)) => {
            let message =
                format!("`{}` failed (attempt {}): {}", run.scenario, run.attempt, reason(run));
            vec![on(standing, Some(run), &rules::SCENARIO_FAILED, Severity::Error, message)]
        }
        (RequirementState::Running | RequirementState::Waiting, Some(run)) => {
            vec![unfinished(case, standing, run)]
        }
        (RequirementState::Stale, Some(run)) => vec![stale(case, standing, run)],
        (RequirementState::Fresh | RequirementState::Expiring, Some(run)) => {
            let mut found: Vec<Finding> = expiring(case, standing, run).into_iter().collect();
            found.extend(standing.failed_later.map(|failed| {
                let message = format!(
                    "attempt {} at `{}`, after the one that counts, failed: {}",
                    failed.attempt,
                    failed.scenario,
                    reason(failed)
                );
                on(standing, Some(failed), &rules::SCENARIO_FAILED, Severity::Info, message)
            }));
            found
        }
        _ => Vec::new(),
    };
    if let Some(run) = standing.run
        && standing.fresh_until.is_some()
    {
        findings.extend(of_other_build(case, standing, run));
        findings.extend(skewed(case, standing, run));
        findings.extend(clock_changed(case, standing, run));
    }
    findings
}

fn missing(standing: &Standing<'_>) -> Option<Finding> {
    if standing.need.kind != RequirementKind::Mandatory {
        return None;
    }
    let of = one_of(&standing.need.any_of);
    let run = match &standing.need.chosen {
        Some(id) => format!("; `ctc-ready run {id}`"),
        None => String::new(),
    };
    let message = format!(
        "`{}` has no evidence that counts: it takes a completed {of} in Trader Test{run}",
        standing.need.requirement
    );
    let plain = on(standing, None, &rules::REQUIRED_SCENARIO_MISSING, Severity::Error, message);
    Some(Finding { source: Some(standing.need.source.clone()), ..plain })
}

/// `` `A` or `B` ``.
fn one_of(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" or ")
}

fn objected(
    case: &Case<'_>,
    standing: &Standing<'_>,
    run: &RunRecord,
    objection: Objection,
) -> Option<Finding> {
    let scenario = &run.scenario;
    let (rule, message) = match objection {
        Objection::Simulated => (
            &rules::SIMULATED_EVIDENCE,
            format!(
                "`{scenario}` passed in the simulator only, which never counts; run it in Trader Test"
            ),
        ),
        Objection::Environment => (
            &rules::WRONG_ENVIRONMENT,
            format!(
                "`{scenario}` passed in `{}`; only Trader Test counts",
                run.environment.as_str()
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
        Objection::DocumentationChanged => {
            (&rules::DOCUMENTATION_CHANGED, credentials::before_change(case, standing.need, run)?)
        }
        // Told already, with its place.
        Objection::Broken => return None,
    };
    Some(on(standing, Some(run), rule, rule.severity, message))
}

fn unfinished(case: &Case<'_>, standing: &Standing<'_>, run: &RunRecord) -> Finding {
    let awaits = match case.waiting.get(&run.run) {
        Some(waiting) => format!("it waits for: {}", waiting.what),
        None => "`ctc-ready run` takes it up again".to_owned(),
    };
    let message = format!("`{}` (attempt {}) is not finished; {awaits}", run.scenario, run.attempt);
    on(standing, Some(run), &rules::RUN_UNFINISHED, Severity::Error, message)
}

fn stale(case: &Case<'_>, standing: &Standing<'_>, run: &RunRecord) -> Finding {
    let until = standing.fresh_until.map(london::for_people).unwrap_or_default();
    let message = format!(
        "`{}` was first submitted at {} and could go in until {until}; on {} it is too old: run it again",
        run.scenario,
        london::for_people(age_origin(run)),
        case.submission_day()
    );
    on(standing, Some(run), &rules::EVIDENCE_STALE, Severity::Error, message)
}

fn expiring(case: &Case<'_>, standing: &Standing<'_>, run: &RunRecord) -> Option<Finding> {
    let until = standing.fresh_until?;
    let left = until - case.submission_instant();
    let gate = &case.settings.gate;
    let severity = if left < TimeDelta::hours(i64::from(gate.fail_before_hours)) {
        Severity::Error
    } else if left < TimeDelta::hours(i64::from(gate.warn_before_hours)) {
        Severity::Warning
    } else {
        return None;
    };
    let message = format!(
        "`{}` may go in until {} only, {} hours after the instant judged for; submit by then, or run it again",
        run.scenario,
        london::for_people(until),
        left.num_hours()
    );
    Some(on(standing, Some(run), &rules::EVIDENCE_EXPIRING, severity, message))
}

fn of_other_build(case: &Case<'_>, standing: &Standing<'_>, run: &RunRecord) -> Option<Finding> {
    let software = &case.settings.software;
    let rule = &rules::OTHER_BUILD;
    if same_software(run, software) {
        let unsaid = run.software.build.is_none() && software.build.is_some();
        return unsaid.then(|| {
            let message = format!(
                "`{}` does not say which build it tested, and the settings name one",
                run.scenario
            );
            on(standing, Some(run), rule, Severity::Warning, message)
        });
    }
    let of = &run.software;
    let same_version = of.name == software.name && of.version == software.version;
    let message = if same_version {
        format!(
            "`{}` tested another build of {} {} than `software.build`; run it again with the build to be released",
            run.scenario, of.name, of.version
        )
    } else {
        format!(
            "`{}` tested {} {}, and the settings name {} {}; run it again, or correct `[software]`",
            run.scenario, of.name, of.version, software.name, software.version
        )
    };
    Some(on(standing, Some(run), rule, Severity::Error, message))
}

fn skewed(case: &Case<'_>, standing: &Standing<'_>, run: &RunRecord) -> Option<Finding> {
    // The server's `Date`, and the times that the API gives to messages.
    let server = run.max_skew_ms.map(|skew| (skew, "the server's"));
    let api = run.clocks.received_skew_ms.map(|skew| (skew, "the API's"));
    let further = |a: &(i64, &str), b: &(i64, &str)| a.0.abs().cmp(&b.0.abs());
    let (skew, whose) = api.into_iter().chain(server).max_by(further)?;
    (skew.saturating_abs() > limit_ms(case)).then(|| {
        let side = if skew > 0 { "ahead of" } else { "behind" };
        let message = format!(
            "this machine's clock was {} seconds {side} {whose} while `{}` ran; age is counted from the older of the two, but set the clock right",
            skew.unsigned_abs() / 1000,
            run.scenario
        );
        on(standing, Some(run), &rules::CLOCK_SKEW, Severity::Warning, message)
    })
}

/// How far clocks may be apart, in milliseconds.
fn limit_ms(case: &Case<'_>) -> i64 {
    i64::from(case.settings.gate.max_clock_skew_seconds) * 1000
}

/// A clock that was set back makes what follows look older, and what went
/// before younger. One that ran ahead may be a machine that slept.
fn clock_changed(case: &Case<'_>, standing: &Standing<'_>, run: &RunRecord) -> Option<Finding> {
    let rule = &rules::CLOCK_CHANGED;
    let large = |change: Option<ClockChange>| change.filter(|it| it.by_ms > limit_ms(case));
    let scenario = &run.scenario;
    if let Some(ClockChange { by_ms, line }) = large(run.clocks.set_back) {
        let message = format!(
            "this machine's clock was set back by {} while `{scenario}` ran (line {line} of its journal shows it); age is counted from the earliest time that any clock gives",
            clocks::in_words(by_ms)
        );
        return Some(on(standing, Some(run), rule, Severity::Warning, message));
    }
    let ClockChange { by_ms, line } = large(run.clocks.set_forward)?;
    let message = format!(
        "this machine's clock ran ahead by {} while `{scenario}` ran (line {line} of its journal shows it): it was set forward, or the machine slept",
        clocks::in_words(by_ms)
    );
    Some(on(standing, Some(run), rule, Severity::Info, message))
}

fn reason(run: &RunRecord) -> &str {
    run.failure.as_ref().map_or("no reason was recorded", |failure| failure.message.as_str())
}

/// What holds for the whole: that it is a rehearsal, and until when a ready
/// form may go in.
fn overall(case: &Case<'_>, standings: &[Standing<'_>], findings: &[Finding]) -> Vec<Finding> {
    let mut more = Vec::new();
    if case.rehearsal {
        let simulated = standings
            .iter()
            .filter(|standing| standing.fresh_until.is_some())
            .filter_map(|standing| standing.run)
            .filter(|run| run.simulated)
            .count();
        more.push(Finding {
            severity: Severity::Info,
            ..finding(
                &rules::SIMULATED_EVIDENCE,
                format!(
                    "this is a rehearsal: {simulated} requirements rest on the simulator, and nothing of it may be submitted"
                ),
            )
        });
    }
    let errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    let mandatory =
        standings.iter().filter(|standing| standing.need.kind == RequirementKind::Mandatory);
    if let Some(until) = mandatory.filter_map(|standing| standing.fresh_until).min()
        && !errors
        && !case.rehearsal
    {
        more.push(Finding {
            severity: Severity::Info,
            ..finding(
                &rules::SUBMISSION_WINDOW,
                format!(
                    "all mandatory evidence stays fresh until {}: submit by then",
                    london::for_people(until)
                ),
            )
        });
    }
    more
}
