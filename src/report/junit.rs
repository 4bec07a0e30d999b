//! JUnit XML, as CI servers read it: a test case for each requirement, one for
//! what concerns the submission as a whole, one for each scenario.
//!
//! A test case fails where the gate finds an error that is not waived: the
//! report has a failure if, and only if, some scenario failed or the gate does
//! not let the submission pass.
//!
//! Source: the schema of Jenkins' xUnit plugin, `junit-10.xsd`, which has
//! Surefire's `flakyFailure` and `rerunFailure` for the other attempts.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::ReportError;
use super::model::{Dossier, OnlyIndexed, RunStory};
use super::text::{instant, plain, short};
use super::view::{OnlyIndexedFacts, name, state_word};
use crate::calendar::london;
use crate::engine::explain::headline;
use crate::evidence::{Failure, RunRecord, RunState};
use crate::ncts::Direction;
use crate::verdict::{Finding, RequirementState, RequirementStatus, Severity, Verdict};

/// Most characters of a message that stands in a line; all of it is in the
/// text below.
const MAX_LINE: usize = 300;

/// Most characters of a text; a refusal may name thousands of errors.
const MAX_TEXT: usize = 20_000;

/// The report, as XML in UTF-8.
///
/// # Errors
/// Never for anything in the evidence.
pub fn export(dossier: &Dossier) -> Result<Vec<u8>, ReportError> {
    let verdict = &dossier.verdict;
    let mark = dossier.mark.map(|mark| format!(" ({mark})")).unwrap_or_default();
    let mut report = Report::new(fit(&format!("ctc-ready {}{mark}", verdict.programme)));
    report.add_test_suite(requirements(dossier));
    report.add_test_suite(scenarios(dossier));
    let text = report.to_string()?;
    // `skipped` is no attribute of the root in any published schema.
    Ok(text.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1).into_bytes())
}

/// What the gate says.
fn requirements(dossier: &Dossier) -> TestSuite {
    let verdict = &dossier.verdict;
    let mut suite = TestSuite::new(fit(&format!("{}: requirements", verdict.programme)));
    suite.set_timestamp(verdict.as_of);
    suite.add_properties(properties(dossier));
    suite.add_test_case(as_a_whole(verdict));
    suite.add_test_cases(verdict.requirements.iter().map(|item| requirement(verdict, item)));
    suite
}

fn properties(dossier: &Dossier) -> Vec<Property> {
    let verdict = &dossier.verdict;
    let integrity = match (dossier.integrity.intact, dossier.integrity.problems.len()) {
        (true, _) => "intact".to_owned(),
        (false, problems) => format!("not intact: {problems} problems"),
    };
    let day = verdict.submit_on.map(|day| day.to_string());
    let pairs = [
        ("tool", Some(super::TOOL.to_owned())),
        ("programme", Some(verdict.programme.clone())),
        ("as-of", Some(instant(verdict.as_of))),
        ("submit-on", day),
        ("ready", Some(verdict.ready.to_string())),
        ("rehearsal", Some(verdict.rehearsal.to_string())),
        ("mark", dossier.mark.map(str::to_owned)),
        ("evidence", Some(integrity)),
    ];
    let given = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.map(|(name, value)| Property::new(name, fit(&value))).collect()
}

/// Findings that are about no requirement: the store, dates, the house.
fn as_a_whole(verdict: &Verdict) -> TestCase {
    let known = |id: &str| verdict.requirements.iter().any(|item| item.requirement == id);
    let findings: Vec<&Finding> = verdict
        .findings
        .iter()
        .filter(|finding| !finding.requirement.as_deref().is_some_and(known))
        .collect();
    let status = failed_by(&findings)
        .or_else(|| let_pass(&findings, if verdict.ready { "ready" } else { "not ready" }))
        .unwrap_or_else(TestCaseStatus::success);
    let mut case = TestCase::new("submission as a whole", status);
    case.set_classname(fit(&format!("{}.gate", verdict.programme)));
    case.set_system_out(long(&told(&findings)));
    case
}

fn requirement(verdict: &Verdict, item: &RequirementStatus) -> TestCase {
    let own =
        |finding: &&Finding| finding.requirement.as_deref() == Some(item.requirement.as_str());
    let findings: Vec<&Finding> = verdict.findings.iter().filter(own).collect();
    let state = name(&item.state);
    let status =
        failed_by(&findings).or_else(|| let_pass(&findings, &state)).unwrap_or_else(|| match item
            .state
        {
            RequirementState::Fresh | RequirementState::Expiring => TestCaseStatus::success(),
            RequirementState::NotApplicable => skipped(&format!("not applicable: {}", item.reason)),
            _ => skipped(&format!("{}: {state}", name(&item.kind))),
        });
    let mut case = TestCase::new(fit(&item.requirement), status);
    case.set_classname(fit(&format!("{}.requirements", verdict.programme)));
    let mut out = format!("{} requirement: {state}\n", name(&item.kind));
    out.push_str(&format!("any one of: {}\n", item.any_of.join(", ")));
    for (label, value) in [
        ("scenario", item.scenario.clone()),
        ("run", item.run.map(|run| run.to_string())),
        ("fresh until", item.fresh_until.map(london::for_people)),
        ("next to act", item.next_actor.map(|actor| name(&actor))),
        ("waits for", item.waiting_for.as_ref().map(|waiting| waiting.what.clone())),
    ] {
        if let Some(value) = value {
            out.push_str(&format!("{label}: {value}\n"));
        }
    }
    out.push_str(&format!("attempts: {}\n{}", item.attempts, told(&findings)));
    case.set_system_out(long(&out));
    case
}

/// The failure that these findings make; none: none of them stops the release.
fn failed_by(findings: &[&Finding]) -> Option<TestCaseStatus> {
    let first = findings.iter().find(|finding| finding.blocks())?;
    let count = findings.iter().filter(|finding| finding.blocks()).count();
    let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(first.rule);
    status.set_message(line(&format!("{}: {}{more}", first.rule, first.message)));
    status.set_description(long(&told(findings)));
    Some(status)
}

/// Where errors are there and waivers cover them all: that it is skipped, and
/// why.
fn let_pass(findings: &[&Finding], state: &str) -> Option<TestCaseStatus> {
    let waived = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let mut why: Vec<String> = waived.filter_map(|finding| finding.waiver()).collect();
    why.dedup();
    (!why.is_empty()).then(|| skipped(&format!("waived {}: {state}", why.join("; "))))
}

/// Findings, one after the other.
fn told(findings: &[&Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        text.push_str(&format!(
            "{} {}: {}\n",
            name(&finding.severity),
            finding.rule,
            finding.message
        ));
        if let Some(source) = &finding.source {
            text.push_str(&format!("  source: {source}\n"));
        }
        if let Some(waiver) = finding.waiver() {
            text.push_str(&format!("  waived {waiver}\n"));
        }
    }
    text
}

/// The attempts at one scenario.
#[derive(Default)]
struct Attempts<'a> {
    told: Vec<&'a RunStory>,
    untold: Vec<&'a OnlyIndexed>,
}

/// What came of the scenarios tried.
fn scenarios(dossier: &Dossier) -> TestSuite {
    let mut attempts: BTreeMap<(&str, &str), Attempts<'_>> = BTreeMap::new();
    for story in &dossier.runs {
        let record = &story.record;
        attempts.entry((&record.programme, &record.scenario)).or_default().told.push(story);
    }
    for run in &dossier.only_indexed {
        let indexed = &run.indexed;
        attempts.entry((&indexed.programme, &indexed.scenario)).or_default().untold.push(run);
    }
    let mut suite = TestSuite::new(fit(&format!("{}: scenarios", dossier.verdict.programme)));
    let mut time = Duration::ZERO;
    for ((programme, id), mut attempts) in attempts {
        attempts.told.sort_by_key(|story| (story.record.attempt, story.record.run));
        let case = scenario(programme, id, &attempts, dossier.verdict.rehearsal);
        time += case.time.unwrap_or_default();
        suite.add_test_case(case);
    }
    let first = dossier.runs.iter().map(|story| story.record.opened).min();
    suite.set_timestamp(first.unwrap_or(dossier.verdict.as_of));
    suite.set_time(time);
    suite
}

/// One scenario: what came of its newest attempt. As for the gate, one on the
/// simulator comes after any other, and alone proves nothing, unless simulated
/// evidence is let count.
fn scenario(programme: &str, id: &str, attempts: &Attempts<'_>, rehearsal: bool) -> TestCase {
    let real = |story: &&&RunStory| rehearsal || !story.record.simulated;
    let newest = attempts.told.iter().rfind(real).or(attempts.told.last());
    let status = match newest {
        None => skipped(&match attempts.untold.last() {
            Some(run) => OnlyIndexedFacts::from(*run).why(),
            None => String::new(),
        }),
        Some(story) => outcome(story, attempts, rehearsal),
    };
    let mut case = TestCase::new(fit(id), status);
    case.set_classname(fit(&format!("{programme}.scenarios")));
    case.set_time(newest.map_or(Duration::ZERO, |story| took(&story.record)));
    let mut out = String::new();
    for story in attempts.told.iter().rev() {
        let this = newest.is_some_and(|newest| newest.record.run == story.record.run);
        out.push_str(&attempt(&story.record, this));
    }
    for run in attempts.untold.iter().rev() {
        let facts = OnlyIndexedFacts::from(*run);
        out.push_str(&format!(
            "attempt {} on {}: {}; {}\nrun: {}\n",
            facts.attempt,
            facts.environment.as_str(),
            state_word(facts.state),
            facts.why(),
            facts.run
        ));
    }
    case.set_system_out(long(&out));
    case
}

fn outcome(newest: &RunStory, attempts: &Attempts<'_>, rehearsal: bool) -> TestCaseStatus {
    let record = &newest.record;
    if record.simulated && !rehearsal {
        let state = state_word(record.state);
        return skipped(&format!("{state} on the simulator only, which never counts"));
    }
    let mut status = match record.state {
        RunState::Passed => TestCaseStatus::success(),
        RunState::Waiting => return skipped("under way"),
        RunState::Failed => failed(record, NonSuccessKind::Failure),
        RunState::Abandoned => failed(record, NonSuccessKind::Error),
    };
    let others = attempts.told.iter().map(|story| &story.record);
    let others = others.filter(|other| other.run != record.run);
    status.add_reruns(others.filter_map(rerun));
    status
}

fn failed(record: &RunRecord, kind: NonSuccessKind) -> TestCaseStatus {
    let (reason, first, text) = why(record);
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(fit(&reason));
    status.set_message(line(&first));
    status.set_description(long(&text));
    status
}

/// Another attempt that did not pass either.
fn rerun(record: &RunRecord) -> Option<TestRerun> {
    let kind = match record.state {
        RunState::Passed | RunState::Waiting => return None,
        RunState::Failed => NonSuccessKind::Failure,
        RunState::Abandoned => NonSuccessKind::Error,
    };
    let (reason, first, text) = why(record);
    let mut rerun = TestRerun::new(kind);
    rerun.set_type(fit(&reason));
    rerun.set_message(line(&format!("attempt {}: {first}", record.attempt)));
    rerun.set_stack_trace(long(&text));
    rerun.set_system_out(long(&attempt(record, false)));
    Some(rerun)
}

/// Why a run did not pass: its reason's name, a sentence, everything.
fn why(record: &RunRecord) -> (String, String, String) {
    let none = Failure::default();
    let failure = record.failure.as_ref().unwrap_or(&none);
    let reason = match failure.reason.as_str() {
        "" => name(&record.state),
        reason => reason.to_owned(),
    };
    let first = match headline(failure) {
        "" => state_word(record.state).to_owned(),
        first => first.to_owned(),
    };
    let mut text = format!("{}\n", failure.message);
    if failure.step > 0 {
        text.push_str(&format!("step: {}\n", failure.step));
    }
    (reason, first, text)
}

/// An attempt, with what a form or an officer asks for.
fn attempt(record: &RunRecord, judged: bool) -> String {
    let mut text = format!(
        "attempt {} on {}: {}{}\nrun: {}\n",
        record.attempt,
        record.environment.as_str(),
        state_word(record.state),
        if judged { " (judged here)" } else { "" },
        record.run
    );
    for (label, value) in [("LRN", &record.lrn), ("MRN", &record.mrn)] {
        if let Some(value) = value {
            text.push_str(&format!("{label}: {value}\n"));
        }
    }
    let software = &record.software;
    text.push_str(&format!("software: {} {}\n", software.name, software.version));
    text.push_str(&format!("opened: {}\n", instant(record.opened)));
    for message in &record.messages {
        let way = match message.direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        };
        text.push_str(&format!(
            "  {} {way} {} (HTTP {}, message {})\n",
            message.message,
            instant(message.at),
            message.status,
            message.message_id
        ));
    }
    for balance in &record.balances {
        text.push_str(&format!(
            "  balance asked for {} (HTTP {})\n",
            instant(balance.at),
            balance.status
        ));
    }
    text
}

/// How long a run took, by our clock.
fn took(record: &RunRecord) -> Duration {
    (record.closed.unwrap_or(record.last_event) - record.opened).to_std().unwrap_or_default()
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(line(why));
    status
}

/// Text in one line.
fn line(text: &str) -> String {
    short(&fit(text).replace(['\n', '\t'], " "), MAX_LINE).into_owned()
}

fn long(text: &str) -> String {
    short(&fit(text), MAX_TEXT).into_owned()
}

fn fit(text: &str) -> String {
    plain(text).into_owned()
}
