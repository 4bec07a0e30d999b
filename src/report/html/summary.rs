//! What the page says before any run: for whom it is, the verdict with its
//! findings, the requirements, what speaks for the evidence being whole.
//! Called by `report::html`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::PageOptions;
use super::journal::state;
use super::run::{Fact, name};
use super::text::{count, short, thousands};
use super::times::When;
use crate::catalogue::{Programme, RequirementKind};
use crate::evidence::{RunId, RunRecord, Store};
use crate::report::Dossier;
use crate::report::text::unplaced;
use crate::verdict::{Finding, RequirementState, RequirementStatus, Severity};

/// Bytes of HTML that a text of a finding may take.
const TEXT: usize = 2000;
/// Most problems of the evidence told.
const PROBLEMS: usize = 100;

/// The verdict.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    word: &'static str,
    ready: bool,
    counts: String,
    findings: Vec<FindingRow>,
}

#[derive(Debug, Serialize)]
struct FindingRow {
    number: usize,
    rule: &'static str,
    severity: &'static str,
    message: String,
    source: Option<String>,
    waived: Option<String>,
    requirement: Option<usize>,
    scenario: Option<String>,
    run: Option<String>,
}

/// A requirement and what stands for it.
#[derive(Debug, Serialize)]
pub(super) struct RequirementRow {
    number: usize,
    id: String,
    title: String,
    mandatory: bool,
    /// In the table; a recommended test that was never tried is named only.
    listed: bool,
    state: &'static str,
    glyph: &'static str,
    any_of: String,
    scenario: Option<String>,
    attempts: u32,
    run: Option<LinkedRun>,
    fresh_until: Option<When>,
    /// Why it does not apply, as the house says.
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct LinkedRun {
    id: String,
    name: String,
    lrn: Option<String>,
    mrn: Option<String>,
    first: Option<When>,
}

/// Whether the evidence is whole, and who vouches for it.
#[derive(Debug, Serialize)]
pub(super) struct Integrity {
    intact: bool,
    counts: String,
    problems: Vec<(&'static str, String, String)>,
    more: usize,
    seals: Vec<SealRow>,
    store: String,
    created: String,
}

#[derive(Debug, Serialize)]
struct SealRow {
    seal: String,
    key: String,
    covers: String,
    valid: bool,
    stamped: Option<Stamped>,
}

/// A time stamp over a seal.
#[derive(Debug, Serialize)]
struct Stamped {
    at: When,
    by: Option<String>,
    /// Its certificate was checked against authorities that were given.
    checked: bool,
}

/// A run of which only the index tells.
#[derive(Debug, Serialize)]
pub(super) struct Gone {
    id: String,
    name: String,
    programme: String,
    environment: &'static str,
    state: Option<&'static str>,
    lines: Option<String>,
    reason: Option<String>,
}

/// The runs for which a requirement counts as shown, in the requirements'
/// order.
pub(super) fn counted(dossier: &Dossier) -> Vec<RunId> {
    let mut found: Vec<RunId> = Vec::new();
    for status in &dossier.verdict.requirements {
        let counts = matches!(status.state, RequirementState::Fresh | RequirementState::Expiring);
        found.extend(status.run.filter(|run| counts && !found.contains(run)));
    }
    found
}

/// What marks the whole page: not for submission, and why.
pub(super) fn marks(dossier: &Dossier, counted: &[RunId]) -> Vec<String> {
    let mut marks: Vec<String> = dossier.mark.iter().map(|mark| (*mark).to_owned()).collect();
    if dossier.verdict.rehearsal && !marks.iter().any(|mark| mark.starts_with("REHEARSAL")) {
        marks.push("REHEARSAL: NOT FOR SUBMISSION".into());
    }
    let simulated = |run: &RunRecord| run.simulated;
    let mut runs = dossier.runs.iter().map(|story| &story.record);
    let any = runs.clone().any(|run| simulated(run) && counted.contains(&run.run));
    let all = !dossier.runs.is_empty() && runs.all(simulated);
    if any || all {
        marks.push("SIMULATED: NOT FROM HMRC’S TEST SYSTEM".into());
    }
    marks
}

/// The facts at the top.
pub(super) fn facts(dossier: &Dossier, options: &PageOptions<'_>, counted: usize) -> Vec<Fact> {
    let (verdict, settings) = (&dossier.verdict, options.settings);
    let programme = options.catalogue.programme(&verdict.programme);
    let mut facts = Vec::new();
    let mut text = |name, value: Option<&str>| {
        facts.extend(value.map(|value| Fact::text(name, value)));
    };
    text("Business", settings.business.name.as_deref());
    text("Address", settings.business.address.as_deref());
    text("Contact", settings.business.contact_email.as_deref());
    text("Software", Some(&format!("{} {}", settings.software.name, settings.software.version)));
    text("Build", settings.software.build.as_deref());
    let title = programme.map_or("", |programme| programme.title.as_str());
    text("Programme", Some(&format!("{title} ({})", verdict.programme)));
    text("API version", programme.map(|programme| programme.api.version.as_str()));
    let application = |name, application: &crate::project::Application| {
        let parts = [application.name.as_deref(), application.id.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| Fact::text(name, parts.join(", ")))
    };
    facts.extend(application("Sandbox application", &settings.sandbox_application));
    facts.extend(application("Production application", &settings.production_application));
    facts.push(Fact::when("As of", verdict.as_of));
    facts.extend(verdict.submit_on.map(|day| Fact::text("Day of submission", day.to_string())));
    let runs = dossier.runs.len();
    let others = runs.saturating_sub(counted);
    facts.push(Fact::text(
        "Attempts",
        format!("{} that count, {}", thousands(counted as u64), count(others as u64, "other")),
    ));
    facts.push(Fact::text("Made by", concat!("ctc-ready ", env!("CARGO_PKG_VERSION"))));
    facts
}

/// The verdict with its findings.
pub(super) fn decision(
    dossier: &Dossier,
    store: &Store,
    prefix: &str,
    told: &BTreeSet<RunId>,
) -> Decision {
    let verdict = &dossier.verdict;
    let of = |severity| {
        let open = |finding: &&Finding| finding.severity == severity && finding.waived.is_none();
        verdict.findings.iter().filter(open).count() as u64
    };
    let nothing = verdict.nothing_to_submit().is_some();
    let waived = verdict.findings.iter().filter(|finding| finding.waived.is_some()).count() as u64;
    let mut counts =
        vec![count(of(Severity::Error), "error"), count(of(Severity::Warning), "warning")];
    if waived > 0 {
        counts.push(format!("{} waived", thousands(waived)));
    }
    let places: BTreeMap<&str, usize> = verdict
        .requirements
        .iter()
        .enumerate()
        .map(|(at, status)| (status.requirement.as_str(), at + 1))
        .collect();
    let findings = verdict.findings.iter().enumerate().map(|(at, finding)| FindingRow {
        number: at + 1,
        rule: finding.rule,
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        },
        message: short(&unplaced(&finding.message, store, prefix), TEXT).into_owned(),
        source: finding.source.as_ref().map(|source| short(source, TEXT).into_owned()),
        waived: finding.waiver().map(|waiver| short(&waiver, TEXT).into_owned()),
        requirement: finding
            .requirement
            .as_ref()
            .and_then(|requirement| places.get(requirement.as_str()).copied()),
        scenario: finding.scenario.clone(),
        run: finding.run.filter(|run| told.contains(run)).map(|run| run.to_string()),
    });
    Decision {
        word: match verdict.ready {
            true if nothing => "NOTHING TO SUBMIT",
            true if verdict.rehearsal => "READY, in a rehearsal only",
            true => "READY",
            false => "NOT READY",
        },
        ready: verdict.ready && !nothing,
        counts: counts.join(", "),
        findings: findings.collect(),
    }
}

/// The requirements with what stands for them.
pub(super) fn requirements(dossier: &Dossier, options: &PageOptions<'_>) -> Vec<RequirementRow> {
    let programme = options.catalogue.programme(&dossier.verdict.programme);
    let statuses = dossier.verdict.requirements.iter().enumerate();
    statuses.map(|(at, status)| requirement(dossier, options, programme, at + 1, status)).collect()
}

/// A requirement's title.
pub(super) fn title(programme: Option<&Programme>, requirement: &str) -> String {
    let known = programme
        .and_then(|programme| programme.requirement.iter().find(|known| known.id == requirement));
    known.map_or(requirement, |known| known.title.as_str()).to_owned()
}

fn requirement(
    dossier: &Dossier,
    options: &PageOptions<'_>,
    programme: Option<&Programme>,
    number: usize,
    status: &RequirementStatus,
) -> RequirementRow {
    let story = dossier.runs.iter().find(|story| Some(story.record.run) == status.run);
    let mandatory = status.kind == RequirementKind::Mandatory;
    let (state, glyph) = match status.state {
        RequirementState::Missing if !mandatory => ("none counts", "–"),
        state => words(state),
    };
    let flow = programme.and_then(|programme| {
        programme.requirement.iter().find(|known| known.id == status.requirement)?.flow
    });
    let why = (status.state == RequirementState::NotApplicable).then_some(flow).flatten();
    let why = why.and_then(|flow| match options.settings.software.flows.contains(&flow) {
        // Credentials cover it.
        true => Some(status.reason.clone()),
        false => options.settings.not_applicable.get(&flow).cloned(),
    });
    RequirementRow {
        number,
        id: status.requirement.clone(),
        title: title(programme, &status.requirement),
        mandatory,
        listed: mandatory || status.attempts > 0 || story.is_some(),
        state,
        glyph,
        any_of: status.any_of.join(" or "),
        scenario: status.scenario.clone(),
        attempts: status.attempts,
        run: story.map(|story| LinkedRun {
            id: story.record.run.to_string(),
            name: name(&story.record.scenario, story.record.attempt),
            lrn: story.record.lrn.as_ref().map(|lrn| short(lrn, 100).into_owned()),
            mrn: story.record.mrn.as_ref().map(|mrn| short(mrn, 100).into_owned()),
            first: story.record.first_submission().map(When::second),
        }),
        fresh_until: status.fresh_until.map(When::second),
        why,
    }
}

fn words(state: RequirementState) -> (&'static str, &'static str) {
    match state {
        RequirementState::Fresh => ("fresh", "✓"),
        RequirementState::Expiring => ("expiring", "✓"),
        RequirementState::Stale => ("stale", "✗"),
        RequirementState::Failed => ("failed", "✗"),
        RequirementState::Running => ("running", "…"),
        RequirementState::Waiting => ("waiting", "…"),
        RequirementState::Missing => ("missing", "✗"),
        RequirementState::NotApplicable => ("not applicable", "–"),
    }
}

/// What verifying found.
pub(super) fn integrity(dossier: &Dossier, store: &Store, prefix: &str) -> Integrity {
    let report = &dossier.integrity;
    let problems = report.problems.iter().take(PROBLEMS).map(|problem| {
        let message = unplaced(&problem.message, store, prefix);
        (problem.rule, short(&problem.place, 300).into_owned(), short(&message, TEXT).into_owned())
    });
    Integrity {
        intact: report.intact,
        counts: format!(
            "{}, {}, {} with {}",
            count(report.runs, "run"),
            count(report.exchanges, "exchange"),
            count(report.objects, "stored file"),
            count(report.bytes, "byte")
        ),
        problems: problems.collect(),
        more: report.problems.len().saturating_sub(PROBLEMS),
        seals: report
            .seals
            .iter()
            .map(|seal| SealRow {
                seal: seal.seal.clone(),
                key: seal.key.to_string(),
                covers: count(seal.covers_runs, "run"),
                valid: seal.valid,
                stamped: seal.time_stamp.as_ref().map(|stamp| Stamped {
                    at: When::second(stamp.at),
                    by: stamp.authority.as_deref().map(|by| short(by, 120).into_owned()),
                    checked: stamp.authority_checked,
                }),
            })
            .collect(),
        store: store.description().store.to_string(),
        created: short(&store.description().created, 40).into_owned(),
    }
}

/// The runs that were removed, and those that are there and cannot be read.
pub(super) fn gone(dossier: &Dossier, store: &Store) -> (Vec<Gone>, Vec<Gone>) {
    let told: BTreeSet<RunId> = dossier.runs.iter().map(|story| story.record.run).collect();
    let (mut removed, mut unreadable) = (Vec::new(), Vec::new());
    for (run, indexed) in store.indexed().filter(|(run, _)| !told.contains(run)) {
        let row = Gone {
            id: run.to_string(),
            name: name(&indexed.scenario, indexed.attempt),
            programme: short(&indexed.programme, 60).into_owned(),
            environment: indexed.environment.as_str(),
            state: indexed.closed.map(|closed| state(closed.state)),
            lines: indexed.closed.map(|closed| thousands(closed.lines)),
            reason: indexed.removed.as_ref().map(|reason| short(reason, TEXT).into_owned()),
        };
        match indexed.removed {
            Some(_) => removed.push(row),
            None => unreadable.push(row),
        }
    }
    (removed, unreadable)
}
