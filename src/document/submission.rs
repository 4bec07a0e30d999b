//! What is said to HMRC when a form goes in: the subject and the text of an
//! e-mail, or the text to paste into the support form. The wording is in
//! `templates/mail/submission.txt`.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::answers::{counted, utc};
use super::{DRAFT_MARK, REHEARSAL_MARK};
use crate::catalogue::Programme;
use crate::digest::Digest;
use crate::evidence::RunRecord;
use crate::evidence::bundle::Mark;
use crate::ncts::build::{BuildError, Templates};
use crate::project::Settings;
use crate::verdict::Verdict;

const TEMPLATE: &str = include_str!("../../templates/mail/submission.txt");

/// A file of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SubmissionFile {
    /// Its name in the folder written.
    pub name: String,
    /// What it is.
    pub what: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Digest,
    /// It goes with the e-mail, or is for the support form to take.
    pub attached: bool,
}

/// What is submitted.
#[derive(Clone, Copy, Debug)]
pub struct Submitted<'a> {
    /// The programme applied under.
    pub programme: &'a Programme,
    /// Who applies, for which software.
    pub settings: &'a Settings,
    /// What the gate says.
    pub verdict: &'a Verdict,
    /// Every run.
    pub runs: &'a [RunRecord],
    /// Why it is no submission.
    pub mark: Option<Mark>,
    /// The files that go with it.
    pub files: &'a [SubmissionFile],
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The subject of an e-mail.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// Says it.
///
/// # Errors
/// When the template is wrong: a bug.
pub fn words(it: &Submitted<'_>) -> Result<Words, BuildError> {
    let Submitted { programme, settings, verdict, .. } = it;
    let software = one_line(&format!("{} {}", settings.software.name, settings.software.version));
    let given = |text: &Option<String>| text.as_deref().map(one_line).filter(|it| !it.is_empty());
    let application = &settings.production_application;
    let production: Vec<String> =
        [given(&application.name), given(&application.id)].into_iter().flatten().collect();
    let runs = counted(&verdict.requirements, it.runs, verdict.rehearsal);
    let tests: Vec<serde_json::Value> = verdict
        .requirements
        .iter()
        .filter_map(|status| {
            let run = runs.iter().find(|run| Some(run.run) == status.run)?;
            let reference = match (&run.mrn, &run.lrn) {
                (Some(mrn), _) => format!("MRN {mrn}"),
                (None, Some(lrn)) => format!("LRN {lrn}"),
                (None, None) => "without a reference".to_owned(),
            };
            let known = programme.requirement.iter().find(|it| it.id == status.requirement);
            let title = known.map_or(&status.requirement, |requirement| &requirement.title);
            Some(json!({
                "requirement": one_line(title),
                "scenario": one_line(&run.scenario),
                "reference": one_line(&reference),
            }))
        })
        .collect();
    let from = runs.iter().map(|run| run.first_submission().unwrap_or(run.opened)).min();
    let to = runs.iter().map(|run| run.last_event).max();
    let mark = it.mark.map(|mark| match mark {
        Mark::Draft => DRAFT_MARK,
        Mark::Rehearsal => REHEARSAL_MARK,
    });
    let (files, beside): (Vec<_>, Vec<_>) = it.files.iter().partition(|file| file.attached);
    let context = json!({
        "mark": mark,
        "version": programme.api.version.as_str(),
        "software": software,
        "business": given(&settings.business.name).unwrap_or_else(|| "not given".to_owned()),
        "programme": programme.title,
        "production": (!production.is_empty()).then(|| production.join(", ")),
        "contact": given(&settings.business.contact_email),
        "from": from.map(utc),
        "to": to.map(utc),
        "tests": tests,
        "files": files,
        "beside": beside,
    });
    let templates = Templates::new([("submission.txt".to_owned(), TEMPLATE.to_owned())])?;
    let mut text = templates.render("submission.txt", context)?;
    text.push('\n');
    let subject =
        format!("Application for production credentials: {software} ({})", programme.title);
    let subject = mark.map_or(subject.clone(), |mark| format!("{mark} - {subject}"));
    Ok(Words { subject, text })
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
