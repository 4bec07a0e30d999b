//! The e-mails to HMRC's officers: the one that asks them to act, and the one
//! that reminds them of it.
//!
//! Source: testing guides, test scenarios guidelines: the subject names
//! "Manual Intervention"; the body names scenario, step, the action expected
//! and the LRN; follow up after one working day.

use chrono::{DateTime, Utc};
use url::Url;

use crate::calendar::london;
use crate::catalogue::{Programme, Scenario};
use crate::eml::{self, Letter};
use crate::evidence::{Event, EvidenceError, OfficerAsked, Redactor, RunId, RunWriter};
use crate::hmrc::transport::{Call, Method};
use crate::ncts::build::{BuildError, Templates};

const INTERVENTION: &str = include_str!("../../templates/mail/intervention.txt");
const FOLLOW_UP: &str = include_str!("../../templates/mail/follow-up.txt");

/// A drafted e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The scenario step it is about.
    pub step: u32,
    /// Whether it reminds of an earlier one.
    pub follow_up: bool,
    /// Recipient.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// Text.
    pub body: String,
    /// The whole of it as a file (RFC 5322).
    pub eml: String,
}

impl Mail {
    /// The call that hands it to the simulator's officers, at this address of
    /// the simulator.
    pub fn to_simulator(&self, base_url: &Url) -> Call {
        let body = serde_json::json!({"to": self.to, "subject": self.subject, "body": self.body});
        Call {
            method: Method::Post,
            url: format!("{}/simulator/mailbox", base_url.as_str().trim_end_matches('/')),
            headers: vec![("content-type".into(), "application/json".into())],
            body: Some(body.to_string().into_bytes()),
        }
    }

    /// The event that the officers were asked with it, or that a person is to
    /// send it; keeps its texts.
    ///
    /// # Errors
    /// When the evidence cannot be written.
    pub fn asked(
        &self,
        writer: &RunWriter,
        redactor: &Redactor,
        delivered: bool,
    ) -> Result<Event, EvidenceError> {
        let asked = OfficerAsked {
            step: self.step,
            to: self.to.clone(),
            subject: self.subject.clone(),
            body: writer.put_object(self.body.as_bytes(), Some("text/plain"), redactor)?,
            eml: Some(writer.put_object(self.eml.as_bytes(), Some("message/rfc822"), redactor)?),
            delivered,
        };
        Ok(match self.follow_up {
            false => Event::OfficerAsked(asked),
            true => Event::OfficerReminded(asked),
        })
    }
}

/// What the e-mail is about, besides the scenario's step.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The run.
    pub run: RunId,
    /// When it is drafted.
    pub now: DateTime<Utc>,
    /// LRN of the declaration.
    pub lrn: &'a str,
    /// MRN, once known.
    pub mrn: Option<&'a str>,
    /// Whom the officers may ask: software, version.
    pub software: &'a str,
    /// E-mail address for questions; the sender.
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
    /// A template is wrong.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Drafts the e-mail for a step of officers; `asked`: when they were asked, for
/// the one that reminds them.
///
/// # Errors
/// When the programme has no officers, or a template is wrong.
pub fn draft(
    programme: &Programme,
    scenario: &Scenario,
    step: u32,
    asked: Option<DateTime<Utc>>,
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
    let contact = about.contact.and_then(eml::address);
    let context = serde_json::json!({
        "scenario": scenario.id,
        "title": scenario.title,
        "step": step,
        "action": action,
        "lrn": about.lrn,
        "mrn": about.mrn,
        "software": about.software,
        "contact": contact,
        "asked": asked.map(london::for_people),
    });
    let (name, template) = match asked {
        None => ("intervention.txt", INTERVENTION),
        Some(_) => ("follow-up.txt", FOLLOW_UP),
    };
    let templates = Templates::new([(name.to_owned(), template.to_owned())])?;
    let body = templates.render(name, context)?;
    let subject = format!(
        "{}{}: {} step {step}, LRN {}",
        if asked.is_some() { "Follow-up: " } else { "" },
        officers.subject_must_include,
        scenario.id,
        about.lrn
    );
    let domain = contact.and_then(|contact| contact.split_once('@')).map(|(_, domain)| domain);
    let id = |kind: &str| {
        format!("{}.{step}.{kind}@{}", about.run, domain.unwrap_or("ctc-ready.invalid"))
    };
    let (asks, reminds) = (id("request"), id("follow-up"));
    let letter = Letter {
        from: contact,
        to: &officers.mailbox,
        subject: &subject,
        date: about.now,
        id: if asked.is_some() { &reminds } else { &asks },
        follows: asked.is_some().then_some(asks.as_str()),
        body: &body,
        attachments: &[],
    };
    let eml = letter.to_eml();
    let to = officers.mailbox.clone();
    Ok(Mail { step, follow_up: asked.is_some(), to, subject, body, eml })
}
