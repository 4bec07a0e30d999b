//! Phases, lead times, and dates nobody has published. The gate and the plan
//! say the same about them.

use chrono::NaiveDate;

use super::credentials::Held;
use super::model::Severity;
use super::rules::{self, Rule};
use crate::calendar::{holidays, london};
use crate::catalogue::{Phase, Programme, UnpublishedDate};
use crate::project::Settings;

/// Something a date brings about.
pub(super) struct Note {
    pub(super) rule: &'static Rule,
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) source: Option<String>,
}

/// What the settings say of a date that HMRC has not published.
enum Given {
    Not,
    Day(NaiveDate),
    /// A day that cannot be right, and why: it is not used.
    Impossible(NaiveDate, String),
}

fn given(programme: &Programme, settings: &Settings, id: &str) -> Given {
    match settings.programme.dates.get(id) {
        None => Given::Not,
        Some(on) => match impossible(programme, settings, id, *on) {
            None => Given::Day(*on),
            Some(why) => Given::Impossible(*on, why),
        },
    }
}

/// The day, if one is given that can be right.
pub(super) fn given_day(
    programme: &Programme,
    settings: &Settings,
    id: Option<&str>,
) -> Option<NaiveDate> {
    match given(programme, settings, id?) {
        Given::Day(on) => Some(on),
        Given::Not | Given::Impossible(..) => None,
    }
}

/// Why a date cannot be what the settings say.
fn impossible(
    programme: &Programme,
    settings: &Settings,
    id: &str,
    on: NaiveDate,
) -> Option<String> {
    let date = programme.unpublished.iter().find(|date| date.id == id);
    if let Some(bounds) = date.and_then(|date| date.bounds.as_ref()) {
        let why = &bounds.why;
        match (bounds.not_before, bounds.not_after) {
            (Some(first), _) if on < first => {
                return Some(format!("it cannot be before {first}, since {why}"));
            }
            (_, Some(last)) if last < on => {
                return Some(format!("it cannot be after {last}, since {why}"));
            }
            _ => {}
        }
    }
    programme.phase.iter().find_map(|phase| {
        let name = &phase.name;
        let closed = phase.closes.filter(|closes| *closes < on);
        if phase.opens_when.as_deref() == Some(id) {
            let first = phase.opens.filter(|opens| on < *opens);
            first
                .map(|first| format!("{name} cannot open before {first}"))
                .or_else(|| closed.map(|last| format!("{name} closes on {last}")))
        } else if phase.closes_when.as_deref() == Some(id) {
            let opens = opening(programme, settings, phase).filter(|opens| on < *opens);
            opens
                .map(|opens| format!("{name} opens on {opens}, and cannot close before"))
                .or_else(|| closed.map(|last| format!("{name} closes on {last}")))
        } else {
            None
        }
    })
}

/// The first day of a phase: the one that the settings give, where HMRC has not
/// published it, else the catalogue's.
fn opening(programme: &Programme, settings: &Settings, phase: &Phase) -> Option<NaiveDate> {
    given_day(programme, settings, phase.opens_when.as_deref()).or(phase.opens)
}

/// The programme's phases, with the days that the settings give.
pub(super) fn phases(programme: &Programme, settings: &Settings) -> impl Iterator<Item = Phase> {
    programme.phase.iter().map(|phase| Phase {
        opens: opening(programme, settings, phase),
        closes: given_day(programme, settings, phase.closes_when.as_deref()).or(phase.closes),
        ..phase.clone()
    })
}

/// The phase that covers every London day from `first` to `last`.
pub(super) fn phase_covering(
    programme: &Programme,
    settings: &Settings,
    first: NaiveDate,
    last: NaiveDate,
) -> Option<Phase> {
    phases(programme, settings).find(|phase| {
        phase.opens.is_none_or(|opens| opens <= first)
            && phase.closes.is_none_or(|closes| last <= closes)
    })
}

/// The phase to speak of on a day: the one that covers it, else the next to
/// open, else the last.
pub(super) fn phase_around(
    programme: &Programme,
    settings: &Settings,
    day: NaiveDate,
) -> Option<Phase> {
    let next = |phase: &Phase| phase.opens.is_some_and(|opens| day < opens);
    phase_covering(programme, settings, day, day)
        .or_else(|| phases(programme, settings).find(next))
        .or_else(|| phases(programme, settings).last())
}

/// Whether a programme takes results on a London day, with the dates that the
/// settings give.
pub fn is_open(programme: &Programme, settings: &Settings, day: NaiveDate) -> bool {
    phase_covering(programme, settings, day, day).is_some()
}

/// The programme of movements to think of first on a London day, before there
/// are any settings: of those open the one that opened first, since its rules
/// are live; else the next to open, else the last.
pub fn usual(programmes: &[Programme], day: NaiveDate) -> Option<&Programme> {
    let of_movements = || programmes.iter().filter(|programme| programme.declares());
    let opens = |programme: &&Programme| {
        programme.phase.iter().any(|phase| phase.opens.is_some_and(|opens| day < opens))
    };
    let open = |programme: &&Programme| {
        programme.phase.iter().any(|phase| {
            phase.opens.is_none_or(|opens| opens <= day)
                && phase.closes.is_none_or(|closes| day <= closes)
        })
    };
    of_movements()
        .find(open)
        .or_else(|| of_movements().find(opens))
        .or_else(|| of_movements().next_back())
}

/// What the day of submission brings about. `today` is the London day judged
/// on; `given` whether the user named a day of submission. Where credentials
/// held leave nothing to apply for, no form goes in, and neither windows nor
/// lead times matter.
pub(super) fn notes(
    programme: &Programme,
    settings: &Settings,
    today: NaiveDate,
    submission: NaiveDate,
    given: bool,
) -> Vec<Note> {
    let held = Held::new(programme, settings, submission);
    let applies = !held.nothing_left();
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
        && applies
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
    if applies {
        notes.extend(not_open(programme, settings, submission));
    }
    for date in &programme.unpublished {
        notes.extend(unpublished(programme, settings, date, submission, applies));
    }
    notes.extend(held.notes());
    notes
}

/// What a date brings about that HMRC has not published.
fn unpublished(
    programme: &Programme,
    settings: &Settings,
    date: &UnpublishedDate,
    submission: NaiveDate,
    applies: bool,
) -> Option<Note> {
    let (id, what) = (&date.id, &date.what);
    let lead = date.lead_days.filter(|_| applies);
    let (rule, severity, message) = match (given(programme, settings, id), lead) {
        (Given::Impossible(on, why), _) => (
            &rules::UNPUBLISHED_DATE,
            Severity::Error,
            format!(
                "`{id} = {on}` under `[programme.dates]` cannot be right and is not used: {why}; correct it, or take it out"
            ),
        ),
        (Given::Day(on), Some(lead)) => {
            let by = london::sub_days(on, u64::from(lead));
            if submission <= by || on < submission {
                return None;
            }
            (
                &rules::LEAD_TIME,
                rules::LEAD_TIME.severity,
                format!(
                    "{what} is {on}; HMRC asks for the form {lead} days before, by {by}, and {submission} is later: credentials may come too late"
                ),
            )
        }
        (Given::Day(_), None) => return None,
        (Given::Not, lead) => (
            &rules::UNPUBLISHED_DATE,
            if lead.is_some() { Severity::Warning } else { Severity::Info },
            format!(
                "HMRC has not published this date: {what}; once you know it, set `{id}` under `[programme.dates]`{}",
                match lead {
                    Some(days) => format!(" (the form must be in {days} days before it)"),
                    None => String::new(),
                }
            ),
        ),
    };
    Some(Note { rule, severity, message, source: Some(date.source.clone()) })
}

/// Says so when the programme is not open on the day of submission.
fn not_open(programme: &Programme, settings: &Settings, submission: NaiveDate) -> Option<Note> {
    if is_open(programme, settings, submission) {
        return None;
    }
    let phase = phase_around(programme, settings, submission);
    let window = match phase.as_ref().map(|phase| (phase.opens, phase.closes)) {
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
