//! Status and verdict.

use std::collections::BTreeMap;

use super::case::Case;
use super::dates;
use super::docket::Docket;
use super::findings::{evidence, finding, house, store};
use super::model::{Finding, RequirementState, Severity, Status, Verdict};
use super::rules;
use super::standing::{Standing, standing};
use super::waivers;
use crate::calendar::london;

/// Where every requirement stands.
pub fn status(case: &Case<'_>) -> Status {
    let docket = Docket::new(case);
    Status {
        schema_version: 1,
        programme: case.programme.id.clone(),
        as_of: case.as_of,
        requirements: standings(&docket).iter().map(|it| it.status(&docket)).collect(),
    }
}

/// The gate's answer. The same case always gives the same verdict, findings
/// in the same order: by weight, a broken store first, then requirement, then
/// rule.
pub fn judge(case: &Case<'_>) -> Verdict {
    let docket = Docket::new(case);
    let mut standings = standings(&docket);
    for standing in &mut standings {
        standing.let_pass = evidence::let_pass(&docket, standing);
    }
    let mut findings = store::integrity(&docket);
    findings.extend(dates(case));
    findings.extend(house::findings(case));
    findings.extend(standings.iter().flat_map(|standing| evidence::about(&docket, standing)));
    findings.extend(store::unsealed(&docket, &standings));
    waivers::cover(case, &mut findings);
    let overall = overall(&docket, &standings, &findings);
    findings.extend(overall);
    waivers::cover(case, &mut findings);
    findings.extend(waivers::stale(case, &findings));

    let place: BTreeMap<&str, usize> =
        case.needs.iter().enumerate().map(|(n, need)| (need.requirement.as_str(), n)).collect();
    findings.sort_by_cached_key(|finding| {
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

    Verdict {
        schema_version: 1,
        ready: !findings.iter().any(Finding::blocks),
        rehearsal: case.rehearsal,
        programme: case.programme.id.clone(),
        as_of: case.as_of,
        submit_on: case.submit_on,
        requirements: standings.iter().map(|standing| standing.status(&docket)).collect(),
        findings,
    }
}

fn standings<'a>(docket: &Docket<'a>) -> Vec<Standing<'a>> {
    docket.case.needs.iter().map(|need| standing(docket, need)).collect()
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

/// What holds for the whole: that it is a rehearsal, and until when a ready
/// form may go in.
fn overall(docket: &Docket<'_>, standings: &[Standing<'_>], findings: &[Finding]) -> Vec<Finding> {
    let case = &docket.case;
    let mut more = Vec::new();
    if case.rehearsal {
        let counted = standings.iter().filter_map(Standing::counted);
        let simulated = counted.filter(|run| run.simulated).count();
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
    let needed = || {
        let needed = standings.iter().filter(|standing| docket.is_needed(standing.need));
        needed.filter(|standing| standing.state != RequirementState::NotApplicable)
    };
    let proven = |standing: &Standing<'_>| {
        matches!(standing.state, RequirementState::Fresh | RequirementState::Expiring)
    };
    if let Some(until) = needed().filter_map(|standing| standing.fresh_until).min()
        && needed().all(proven)
        && !findings.iter().any(Finding::blocks)
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
