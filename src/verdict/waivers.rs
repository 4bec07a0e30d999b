//! Waivers: which findings they cover, and which waivers are no longer worth
//! having. They are the house's own decision, never HMRC's.

use super::case::Case;
use super::findings::finding;
use super::model::{Finding, Severity};
use super::rules::{self, rule};
use crate::project::Waiver;

/// The waivers that are about the programme judged, with their places in the
/// file, from 1.
fn all<'a>(case: &Case<'a>) -> impl Iterator<Item = (usize, &'a Waiver)> {
    let programme = case.programme.id.as_str();
    (1..)
        .zip(&case.settings.waivers)
        .filter(move |(_, waiver)| waiver.programme.as_deref().is_none_or(|id| id == programme))
}

/// Whether a finding is one that the waiver is about.
fn matches(waiver: &Waiver, finding: &Finding) -> bool {
    let same = |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
    waiver.rule == finding.rule
        && same(&waiver.requirement, &finding.requirement)
        && same(&waiver.scenario, &finding.scenario)
        && (waiver.run.is_none() || waiver.run == finding.run)
}

/// Whether it may be used at all on the day of submission.
fn holds(case: &Case<'_>, waiver: &Waiver) -> bool {
    rule(&waiver.rule).is_some_and(|rule| rule.waivable) && !has_ended(case, waiver)
}

fn has_ended(case: &Case<'_>, waiver: &Waiver) -> bool {
    waiver.until < case.submission_day()
}

/// The first waiver that covers a finding.
pub(super) fn covering<'a>(case: &Case<'a>, finding: &Finding) -> Option<&'a Waiver> {
    all(case)
        .map(|(_, waiver)| waiver)
        .find(|waiver| holds(case, waiver) && matches(waiver, finding))
}

/// Marks the findings that are covered.
pub(super) fn cover(case: &Case<'_>, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.waived.is_none()) {
        if let Some(waiver) = covering(case, finding) {
            finding.waived = Some(waiver.reason.clone());
            finding.waived_until = Some(waiver.until);
            finding.waived_by.clone_from(&waiver.approved_by);
        }
    }
}

/// Waivers that nobody needs, or that cannot hold.
pub(super) fn stale(case: &Case<'_>, findings: &[Finding]) -> Vec<Finding> {
    let stale = |(n, waiver)| {
        let why = why_stale(case, waiver, findings)?;
        let known =
            case.needs.iter().any(|need| Some(&need.requirement) == waiver.requirement.as_ref());
        Some(Finding {
            requirement: waiver.requirement.clone().filter(|_| known),
            scenario: waiver.scenario.clone(),
            ..finding(&rules::STALE_WAIVER, format!("waiver {n}, of {}, {why}", named(waiver)))
        })
    };
    all(case).filter_map(stale).collect()
}

fn why_stale(case: &Case<'_>, waiver: &Waiver, findings: &[Finding]) -> Option<String> {
    let Some(rule) = rule(&waiver.rule) else {
        let near = rules::nearest(&waiver.rule);
        let near: Vec<String> = near.into_iter().map(|name| format!("`{name}`")).collect();
        return Some(match near.as_slice() {
            [] => {
                "names no rule that there is; `ctc-ready gate --list-rules` lists them".to_owned()
            }
            _ => format!("names no rule that there is; the nearest: {}", near.join(", ")),
        });
    };
    if !rule.waivable {
        return Some(format!(
            "cannot hold: `{}` may not be waived, because the verdict itself rests on it; take it out",
            rule.name
        ));
    }
    let mut about = findings.iter().filter(|finding| matches(waiver, finding)).peekable();
    if about.peek().is_none() {
        return Some("matches no finding; take it out, or correct what it names".to_owned());
    }
    if !about.any(|finding| finding.severity == Severity::Error) {
        return Some("is not needed: nothing that it matches is an error; take it out".to_owned());
    }
    has_ended(case, waiver).then(|| {
        format!(
            "ended on {}, before the day of submission ({}); mend what it let pass, or decide again",
            waiver.until,
            case.submission_day()
        )
    })
}

/// What a waiver is of: `` `evidence-stale`, `arrival` ``. The text may be
/// anything that a file can hold.
fn named(waiver: &Waiver) -> String {
    let run = waiver.run.map(|run| run.to_string());
    let parts =
        [Some(&waiver.rule), waiver.requirement.as_ref(), waiver.scenario.as_ref(), run.as_ref()];
    let short = |part: &String| format!("`{}`", part.chars().take(60).collect::<String>());
    parts.into_iter().flatten().map(short).collect::<Vec<_>>().join(", ")
}
