//! README.txt: what a bundle is, how to look and how to check.

use serde::Serialize;

use super::super::context::TOOL;
use super::super::failure::{Failure, Kind};
use crate::calendar::london;
use crate::catalogue::Programme;
use crate::digest::Digest;
use crate::evidence::bundle::{self, Mark};
use crate::evidence::{RunRecord, RunState, VerifyReport};
use crate::ncts::build::Templates;
use crate::project::Settings;
use crate::verdict::Verdict;

const TEMPLATE: &str = include_str!("../../../templates/bundle/README.txt");

/// What it tells of.
pub(super) struct About<'a> {
    pub(super) programme: &'a Programme,
    pub(super) settings: &'a Settings,
    pub(super) verdict: &'a Verdict,
    pub(super) runs: &'a [RunRecord],
    pub(super) counted: usize,
    pub(super) integrity: &'a VerifyReport,
    pub(super) key: Option<Digest>,
    pub(super) mark: Option<Mark>,
    /// Id of HMRC's form that was filled.
    pub(super) form: Option<&'a str>,
}

#[derive(Serialize)]
struct Words<'a> {
    mark: Option<&'a str>,
    mark_text: &'a str,
    mark_file: &'a str,
    programme: &'a str,
    business: String,
    software: String,
    as_of: String,
    submit_on: Option<String>,
    verdict: String,
    runs: u64,
    counted: usize,
    ends: Vec<String>,
    seals: usize,
    key: Option<String>,
    tool: &'a str,
    checklist: String,
    checklist_file: &'a str,
    annex_file: Option<&'a str>,
}

/// The text.
pub(super) fn render(about: &About<'_>) -> Result<String, Failure> {
    let About { settings, verdict, mark, .. } = about;
    let state = |wanted: RunState, word: &str| {
        let count = about.runs.iter().filter(|run| run.state == wanted).count();
        (count > 0).then(|| format!("{count} {word}"))
    };
    // One line each, whatever the settings say.
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let business = settings.business.name.as_deref().unwrap_or("A software house");
    let form = about.form.map(|form| format!("HMRC's form ({form}), filled as far as known"));
    let words = Words {
        mark: mark.map(Mark::word),
        mark_text: mark.map_or("", Mark::text),
        mark_file: mark.map_or("", Mark::file),
        programme: &about.programme.title,
        business: one_line(business),
        software: one_line(&format!("{} {}", settings.software.name, settings.software.version)),
        as_of: london::for_people(verdict.as_of),
        submit_on: verdict.submit_on.map(|day| day.to_string()),
        verdict: match (verdict.ready, verdict.rehearsal) {
            (true, false) => "ready".to_owned(),
            (true, true) => "ready, if simulated evidence counted".to_owned(),
            (false, _) => format!("NOT READY: {} errors", super::errors(verdict).count()),
        },
        runs: about.integrity.runs,
        counted: about.counted,
        ends: [
            state(RunState::Passed, "passed"),
            state(RunState::Failed, "failed"),
            state(RunState::Abandoned, "given up"),
            state(RunState::Waiting, "not ended"),
        ]
        .into_iter()
        .flatten()
        .collect(),
        seals: about.integrity.seals.len(),
        key: about.key.map(|key| key.to_string()),
        tool: TOOL,
        checklist_file: bundle::checklist(*mark),
        annex_file: about.form.map(|_| bundle::annex(*mark)),
        checklist: form.unwrap_or_else(|| "ctc-ready's own document".to_owned()),
    };
    Templates::new([("README.txt".to_owned(), TEMPLATE.to_owned())])
        .and_then(|templates| templates.render("README.txt", words))
        // Part of the binary, and tested.
        .map_err(|error| Failure::new(Kind::Bug, error))
}
