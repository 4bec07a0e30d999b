//! Whether the store can be believed, and whether seals show it.

use std::collections::BTreeSet;

use super::{finding, on};
use crate::evidence::RunId;
use crate::project::SealPolicy;
use crate::verdict::docket::Docket;
use crate::verdict::model::{Finding, Severity};
use crate::verdict::rules;
use crate::verdict::standing::Standing;

/// Problems of the store told one by one; the rest are counted.
const PROBLEMS_TOLD: usize = 20;

/// Whether the store can be believed.
pub(in crate::verdict) fn integrity(docket: &Docket<'_>) -> Vec<Finding> {
    let case = &docket.case;
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
            let run = docket.run_at(&problem.place);
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
pub(in crate::verdict) fn unsealed(
    docket: &Docket<'_>,
    standings: &[Standing<'_>],
) -> Vec<Finding> {
    let gate = &docket.case.settings.gate;
    let (Some(report), false) = (docket.case.integrity, gate.seals == SealPolicy::Ignored) else {
        return Vec::new();
    };
    let severity = match gate.seals {
        SealPolicy::Required => Severity::Error,
        SealPolicy::Wanted | SealPolicy::Ignored => Severity::Warning,
    };
    let mut rest: BTreeSet<RunId> = docket.unsealed().clone();
    let mut findings = Vec::new();
    for standing in standings {
        let counted = standing.counted();
        let Some(run) = counted.filter(|run| docket.unsealed().contains(&run.run)) else {
            continue;
        };
        rest.remove(&run.run);
        let what = match report.sealed_by.get(&run.run) {
            Some(_) => {
                "the seals over it are by other keys than those of `gate.seal-keys`; `ctc-ready seal` with one of these does"
            }
            None => "no seal covers it; `ctc-ready seal` does",
        };
        let message = format!("`{}` (attempt {}) counts, and {what}", run.scenario, run.attempt);
        let rule = &rules::STORE_UNSEALED;
        findings.push(on(docket, standing, Some(run), rule, severity, message));
    }
    if !rest.is_empty() {
        let (rest, runs) = (rest.len(), report.runs);
        let other = if findings.is_empty() { "" } else { "other " };
        let by = if gate.seal_keys.is_empty() { "" } else { " by a key of `gate.seal-keys`" };
        findings.push(finding(
            &rules::STORE_UNSEALED,
            format!(
                "no seal{by} covers {rest} {other}of {runs} runs; a seal lets others check that nothing was changed since"
            ),
        ));
    }
    findings
}
