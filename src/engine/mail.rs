//! The e-mail that asks HMRC's officers to act.
//!
//! Source: testing guides, test scenarios guidelines: the subject names
//! "Manual Intervention"; the body names scenario, step, the action expected
//! and the LRN.

use crate::catalogue::{Programme, Scenario};
use crate::ncts::build::{BuildError, Templates};

const TEMPLATE: &str = include_str!("../../templates/mail/intervention.txt");

/// A drafted e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Recipient.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// Text.
    pub body: String,
}

/// What the e-mail is about, besides the scenario's step.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// LRN of the declaration.
    pub lrn: &'a str,
    /// MRN, once known.
    pub mrn: Option<&'a str>,
    /// Whom the officers may ask: software, version.
    pub software: &'a str,
    /// E-mail address for questions.
    pub contact: Option<&'a str>,
}

/// Why there is no e-mail.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The catalogue's checks let no such scenario pass.
    #[error("programme `{programme}` names no officers who could be asked")]
    NoOfficers {
        /// The programme.
        programme: String,
    },
    /// The template is wrong.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Drafts the e-mail for a step of officers.
///
/// # Errors
/// When the programme has no officers, or the template is wrong.
pub fn draft(
    programme: &Programme,
    scenario: &Scenario,
    step: u32,
    about: &About<'_>,
) -> Result<Mail, MailError> {
    let officers = programme
        .officers
        .as_ref()
        .ok_or_else(|| MailError::NoOfficers { programme: programme.id.clone() })?;
    let action = scenario
        .step
        .get((step as usize).saturating_sub(1))
        .and_then(|step| step.officer.as_deref())
        .unwrap_or_default();
    let context = serde_json::json!({
        "scenario": scenario.id,
        "title": scenario.title,
        "step": step,
        "action": action,
        "lrn": about.lrn,
        "mrn": about.mrn,
        "software": about.software,
        "contact": about.contact,
    });
    let templates = Templates::new([("intervention.txt".to_owned(), TEMPLATE.to_owned())])?;
    Ok(Mail {
        to: officers.mailbox.clone(),
        subject: format!(
            "{}: {} step {step}, LRN {}",
            officers.subject_must_include, scenario.id, about.lrn
        ),
        body: templates.render("intervention.txt", context)?,
    })
}
