//! The fields of a form that evidence answers: references, scenarios, times.

use super::{Checker, Found, one_line, quote};
use crate::catalogue::RequirementKind;
use crate::document::answers::{OUTBOUND, block_key, utc};
use crate::document::form::Field;
use crate::document::times::{Written, times};
use crate::evidence::{MessageRecord, RunRecord, RunState};
use crate::ncts::MessageType;
use crate::verdict::{self, Case, Finding, RequirementState, RequirementStatus, Severity};

/// Where a field of evidence belongs.
pub(super) struct Part<'k> {
    pub(super) block: &'k str,
    pub(super) name: &'k str,
}

impl<'a> Checker<'a> {
    /// A slot without a test stays empty, but both of its fields do.
    pub(super) fn half_empty(&mut self, field: &Field, part: &Part<'_>) {
        let text = |name: &str| self.text(&format!("{}.{name}", part.block));
        let (run, expected) = match part.name {
            "mrn" => {
                let Some(scenario) = text("scenario") else { return };
                let of_it = |run: &&RunRecord| scenario.trim().eq_ignore_ascii_case(&run.scenario);
                let mut counted = self.requirements.iter().filter_map(|status| status.run);
                let run = counted
                    .find_map(|id| self.case.runs.iter().filter(of_it).find(|run| run.run == id));
                (run, run.and_then(|run| run.mrn.clone().or_else(|| run.lrn.clone())))
            }
            _ => {
                let Some(mrn) = text("mrn") else { return };
                let run = self.run_of(part, &mrn);
                (run, run.map(|run| run.scenario.clone()))
            }
        };
        let message = match &expected {
            Some(expected) => format!("nothing stands here; the evidence has {}", quote(expected)),
            None => "nothing stands here, and something in the field beside it".to_owned(),
        };
        let found = Found { expected, message, run: run.map(|run| run.run), says: None };
        self.find("answer-missing", Severity::Error, &field.name, found);
    }

    pub(super) fn scenario(&mut self, field: &Field, part: &Part<'_>, text: &str) {
        let any_of = self.scenarios(part);
        if any_of.iter().any(|id| id.eq_ignore_ascii_case(text.trim())) {
            return;
        }
        let message = match part.is_recommended() {
            true => format!("{} is no recommended test of this programme", quote(text)),
            false => format!("{} is not a scenario of this test: {}", quote(text), listed(&any_of)),
        };
        let expected = self.expected(field, part);
        let found = Found { says: Some(one_line(text)), expected, message, run: None };
        self.find("wrong-scenario", Severity::Error, &field.name, found);
    }

    pub(super) fn mrn(&mut self, field: &Field, part: &Part<'_>, text: &str) {
        let says = Some(one_line(text));
        let expected = self.expected(field, part);
        let Some(run) = self.run_of(part, text) else {
            let mut message = format!("{} belongs to no run in the evidence", quote(text));
            if let Some(expected) = &expected {
                message.push_str(&format!("; the one that counts has {}", quote(expected)));
            }
            let found = Found { says, expected, message, run: None };
            return self.find("unknown-mrn", Severity::Error, &field.name, found);
        };
        if !self.fits(part, run) {
            let named = self.text(&format!("{}.scenario", part.block)).unwrap_or_default();
            let wanted = match named.trim() {
                "" => listed(&self.scenarios(part)),
                named => quote(named),
            };
            let message = format!(
                "{} belongs to a run of `{}` ({}), not of {wanted}",
                quote(text),
                run.scenario,
                run.programme
            );
            let found = Found { says, expected, message, run: Some(run.run) };
            return self.find("mrn-of-another-scenario", Severity::Error, &field.name, found);
        }
        self.still_counts(field, part, run, text);
    }

    /// Asks the gate about the run alone.
    fn still_counts(&mut self, field: &Field, part: &Part<'_>, run: &RunRecord, text: &str) {
        let says = Some(one_line(text));
        let alone = Case {
            runs: std::slice::from_ref(run),
            removed: &[],
            // Without its marks, a copy may be taken for the real one.
            rehearsal: self.form.rehearsal,
            ..*self.case
        };
        let verdict = verdict::judge(&alone);
        let of_part = |status: &&RequirementStatus| self.is_of(part, status);
        let takes = |status: &&RequirementStatus| status.any_of.contains(&run.scenario);
        let Some(status) = verdict.requirements.iter().filter(of_part).find(takes) else { return };
        if matches!(status.state, RequirementState::Fresh | RequirementState::Expiring) {
            let whole = self.requirements.iter().find(|it| it.requirement == status.requirement);
            let counted = whole.and_then(|whole| whole.run).filter(|counted| *counted != run.run);
            let other = self.case.runs.iter().find(|it| Some(it.run) == counted);
            if let Some(other) = other.filter(|other| other.state == RunState::Passed) {
                let expected = other.mrn.clone().or_else(|| other.lrn.clone());
                let message = format!(
                    "this run of `{}` is good; the gate takes attempt {} of `{}`",
                    run.scenario, other.attempt, other.scenario
                );
                let found = Found { says, expected, message, run: Some(run.run) };
                self.find("another-run-counts", Severity::Info, &field.name, found);
            }
            return;
        }
        if status.state == RequirementState::NotApplicable {
            let message = "by the settings the software does not support it".to_owned();
            let found = Found { says, message, run: Some(run.run), expected: None };
            return self.find("contradicts-settings", Severity::Error, &field.name, found);
        }
        let about: Vec<&Finding> = verdict
            .findings
            .iter()
            .filter(|finding| finding.run == Some(run.run) && finding.severity != Severity::Info)
            .filter(|it| it.requirement.as_ref().is_none_or(|id| *id == status.requirement))
            .collect();
        if about.is_empty() {
            let message = format!("its run of `{}` has not passed", run.scenario);
            let found = Found { says, message, run: Some(run.run), expected: None };
            return self.find("run-not-passed", Severity::Error, &field.name, found);
        }
        for finding in about.into_iter().filter(|finding| finding.waived.is_none()) {
            let message = finding.message.clone();
            let found = Found { says: says.clone(), message, run: Some(run.run), expected: None };
            self.find(finding.rule, finding.severity, &field.name, found);
        }
    }

    /// The times of a field: each must be that of a message of the block's run.
    pub(super) fn times(
        &mut self,
        field: &Field,
        part: &Part<'_>,
        text: &str,
        of: Option<MessageType>,
    ) {
        let written = times(text);
        let says = Some(one_line(text));
        if written.is_empty() {
            let expected = self.expected(field, part);
            let message = format!("no date with a time can be read in {}", quote(text));
            let found = Found { says, expected, message, run: None };
            return self.find("time-unclear", Severity::Warning, &field.name, found);
        }
        // Without any, the reference says what is wrong.
        let Some(run) = self.run_for_times(part) else { return };
        for time in &written {
            let wanted = of.or(time.message);
            let is_of = |it: &&MessageRecord| wanted.is_none_or(|message| it.message == message);
            let of_kind: Vec<&MessageRecord> = run.messages.iter().filter(is_of).collect();
            if of_kind.iter().any(|message| time.agrees(message.at)) {
                continue;
            }
            let found = differs(time, text, run, wanted, &of_kind);
            self.find("time-differs", Severity::Error, &field.name, found);
        }
    }

    /// The run whose times stand in a block: the one of its reference, unless
    /// that is wrong itself; then the one that counts.
    fn run_for_times(&self, part: &Part<'_>) -> Option<&'a RunRecord> {
        let named = self.text(&format!("{}.mrn", part.block));
        let named = named.and_then(|text| self.run_of(part, &text));
        named.filter(|run| self.fits(part, run)).or_else(|| {
            let counted = self.requirements.iter().find(|status| self.is_of(part, status))?.run?;
            self.case.runs.iter().find(|run| run.run == counted)
        })
    }

    /// Recommended tests that count and that the form leaves out.
    pub(super) fn recommended_left_out(&mut self) {
        let slots: Vec<Part<'a>> = self
            .form
            .definition
            .fields
            .iter()
            .filter_map(|field| evidence_part(&field.key))
            .filter(|part| part.name == "mrn" && part.is_recommended())
            .collect();
        let text = |part: &Part<'_>, name: &str| self.text(&format!("{}.{name}", part.block));
        let free = slots.iter().any(|part| text(part, "mrn").or(text(part, "scenario")).is_none());
        if !free {
            return;
        }
        let named: Vec<String> = slots.iter().filter_map(|part| text(part, "scenario")).collect();
        let left: Vec<(String, Option<String>)> = self
            .answers
            .iter()
            .filter_map(|(key, answer)| {
                let part = evidence_part(key).filter(|part| part.is_recommended())?;
                let scenario = answer.value.to_string();
                let named = named.iter().any(|text| text.trim().eq_ignore_ascii_case(&scenario));
                let mrn = self.answers.get(&format!("{}.mrn", part.block));
                let missing = part.name == "scenario" && !named;
                missing.then(|| (scenario, mrn.map(|answer| answer.value.to_string())))
            })
            .collect();
        for (scenario, expected) in left {
            let message = "the evidence has a run that counts, and the form does not name it";
            let found = Found { expected, message: message.to_owned(), ..Found::default() };
            let field = format!("recommended test `{scenario}`");
            self.find("answer-missing", Severity::Warning, &field, found);
        }
    }

    /// The run with this reference. Several runs of a simulator may share one:
    /// then the one that counts, or else that of the scenario named.
    fn run_of(&self, part: &Part<'_>, text: &str) -> Option<&'a RunRecord> {
        let wanted: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let is = |reference: &Option<String>| {
            reference.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(&wanted))
        };
        // Only recommended tests may have an LRN in place of an MRN.
        let has = |run: &&RunRecord| {
            is(&run.mrn)
                || run.messages.iter().any(|message| is(&message.mrn))
                || (part.is_recommended() && is(&run.lrn))
        };
        let counts = |run: &RunRecord| {
            self.requirements
                .iter()
                .any(|status| self.is_of(part, status) && status.run == Some(run.run))
        };
        let runs = self.case.runs.iter().filter(has);
        runs.max_by_key(|run| (self.fits(part, run), counts(run), run.opened))
    }

    /// Whether a run is of the scenario that the block names, or of one that
    /// its requirement takes.
    fn fits(&self, part: &Part<'_>, run: &RunRecord) -> bool {
        let named = self.text(&format!("{}.scenario", part.block));
        run.programme == self.case.programme.id
            && match named {
                Some(named) => named.trim().eq_ignore_ascii_case(&run.scenario),
                None => self.scenarios(part).contains(&run.scenario),
            }
    }

    /// The scenarios that may stand in a block.
    fn scenarios(&self, part: &Part<'_>) -> Vec<String> {
        let of_part = self.requirements.iter().filter(|status| self.is_of(part, status));
        of_part.flat_map(|status| status.any_of.iter().cloned()).collect()
    }

    /// Whether a requirement may be proven in a block.
    fn is_of(&self, part: &Part<'_>, status: &RequirementStatus) -> bool {
        match status.kind {
            RequirementKind::Mandatory => block_key(&status.requirement) == part.block,
            RequirementKind::Recommended => part.is_recommended(),
        }
    }

    /// What evidence has for a field. Recommended tests may stand in any
    /// order: theirs is none.
    fn expected(&self, field: &Field, part: &Part<'_>) -> Option<String> {
        let answer = self.answers.get(&field.key).filter(|_| !part.is_recommended())?;
        Some(answer.value.to_string())
    }
}

impl Part<'_> {
    pub(super) fn is_recommended(&self) -> bool {
        self.block.starts_with("recommended.")
    }
}

/// A key of evidence, in two; see [`crate::document::answers`].
pub(super) fn evidence_part(key: &str) -> Option<Part<'_>> {
    let (block, name) = key.rsplit_once('.')?;
    let evidence = ["mandatory.", "recommended."].iter().any(|prefix| block.starts_with(prefix))
        || block == OUTBOUND;
    evidence.then_some(Part { block, name })
}

fn differs(
    time: &Written,
    text: &str,
    run: &RunRecord,
    wanted: Option<MessageType>,
    of_kind: &[&MessageRecord],
) -> Found {
    let whose = |message: MessageType| match time.message {
        Some(named) if wanted != Some(named) => format!("`{message}` (not `{named}`)"),
        _ => format!("`{message}`"),
    };
    let known: Vec<String> = of_kind.iter().map(|message| utc(message.at)).collect();
    let message = match (wanted, known.as_slice()) {
        (Some(message), []) => {
            format!("the run of `{}` has no {}", run.scenario, whose(message))
        }
        (Some(message), known) => format!(
            "the form says {}, the evidence has {} at {}",
            quote(text),
            whose(message),
            known.join(" and ")
        ),
        (None, _) => format!(
            "no message of the run of `{}` was sent or fetched at {}",
            run.scenario,
            quote(text)
        ),
    };
    let expected = wanted.and_then(|_| known.into_iter().next());
    Found { says: Some(one_line(text)), expected, run: Some(run.run), message }
}

fn listed(ids: &[String]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("`{id}`")).collect();
    ids.join(" or ")
}
