//! Phases, lead times, and dates nobody has published. The gate and the plan
//! say the same about them.

use chrono::NaiveDate;

use super::model::Severity;
use super::rules::{self, Rule};
use crate::calendar::{holidays, london};
use crate::catalogue::{Phase, Programme};
use crate::project::Settings;

/// Something a date brings about.
pub(super) struct Note {
    pub(super) rule: &'static Rule,
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) source: Option<String>,
}

/// The phase that covers every London day from `first` to `last`.
pub(super) fn phase_covering(
    programme: &Programme,
    first: NaiveDate,
    last: NaiveDate,
) -> Option<&Phase> {
    programme.phase.iter().find(|phase| {
        phase.opens.is_none_or(|opens| opens <= first)
            && phase.closes.is_none_or(|closes| last <= closes)
    })
}

/// The phase to speak of on a day: the one that covers it, else the next to
/// open, else the last.
pub(super) fn phase_around(programme: &Programme, day: NaiveDate) -> Option<&Phase> {
    phase_covering(programme, day, day)
        .or_else(|| {
            programme.phase.iter().find(|phase| phase.opens.is_some_and(|opens| day < opens))
        })
        .or_else(|| programme.phase.last())
}

/// What the day of submission brings about. `today` is the London day judged
/// on; `given` whether the user named a day of submission.
pub(super) fn notes(
    programme: &Programme,
    settings: &Settings,
    today: NaiveDate,
    submission: NaiveDate,
    given: bool,
) -> Vec<Note> {
    let mut notes = Vec::new();
    if submission < today {
        notes.push(Note {
            rule: &rules::SUBMISSION_WINDOW,
            severity: Severity::Error,
            message: format!("the day of submission, {submission}, is past: it is {today} now"),
            source: None,
        });
    }
    if let Some(pending) = &programme.pending_checklist {
        notes.push(Note {
            rule: &rules::CHECKLIST_PENDING,
            severity: rules::CHECKLIST_PENDING.severity,
            message: pending.what.clone(),
            source: Some(pending.source.clone()),
        });
    }
    if let Some(channel) = &programme.submission
        && given
        && !holidays::is_working_day(submission)
    {
        notes.push(Note {
            rule: &rules::SUBMISSION_WINDOW,
            severity: Severity::Info,
            message: format!(
                "{submission} is no working day: the form waits until {}, and its evidence must be fresh when it goes in",
                holidays::working_day_on_or_after(submission)
            ),
            source: Some(channel.source.clone()),
        });
    }
    notes.extend(not_open(programme, submission));

    for unpublished in &programme.unpublished {
        let source = Some(unpublished.source.clone());
        let id = &unpublished.id;
        match (settings.programme.dates.get(id), unpublished.lead_days) {
            (Some(date), Some(lead)) => {
                let by = london::sub_days(*date, u64::from(lead));
                if by < submission && submission <= *date {
                    notes.push(Note {
                        rule: &rules::LEAD_TIME,
                        severity: rules::LEAD_TIME.severity,
                        message: format!(
                            "{} is {date}; HMRC asks for the form {lead} days before, by {by}, and {submission} is later: credentials may come too late",
                            unpublished.what
                        ),
                        source,
                    });
                }
            }
            (Some(_), None) => {}
            (None, lead) => notes.push(Note {
                rule: &rules::UNPUBLISHED_DATE,
                severity: if lead.is_some() { Severity::Warning } else { Severity::Info },
                message: format!(
                    "HMRC has not published this date: {}; once you know it, set `{id}` under `[programme.dates]`{}",
                    unpublished.what,
                    match lead {
                        Some(days) => format!(" (the form must be in {days} days before it)"),
                        None => String::new(),
                    }
                ),
                source,
            }),
        }
    }
    notes
}

/// Says so when the programme is not open on the day of submission.
fn not_open(programme: &Programme, submission: NaiveDate) -> Option<Note> {
    if phase_covering(programme, submission, submission).is_some() {
        return None;
    }
    let phase = phase_around(programme, submission);
    let window = match phase.map(|phase| (phase.opens, phase.closes)) {
        Some((Some(opens), _)) if submission < opens => format!("it opens on {opens}"),
        Some((_, Some(closes))) => format!("it closed on {closes}"),
        _ => "it has no window".to_owned(),
    };
    Some(Note {
        rule: &rules::OUTSIDE_PHASE,
        severity: Severity::Error,
        message: format!(
            "`{}` is not open on {submission}, the day of submission: {window}; apply under another programme or on another day",
            programme.id
        ),
        source: phase.map(|phase| phase.source.clone()),
    })
}
