//! What the dates bring about, and what is said where a day does not work.

use chrono::NaiveDate;

use super::model::{Consequence, FirstDay, Fit, Scheduled};
use crate::calendar::london;
use crate::catalogue::Phase;
use crate::verdict::case::Case;
use crate::verdict::{dates, rules};

/// The consequences that dates have for a submission on that day.
pub(super) fn dated(case: &Case<'_>, today: NaiveDate, submission: NaiveDate) -> Vec<Consequence> {
    let given = case.submit_on.is_some();
    let notes = dates::notes(case.programme, case.settings, today, submission, given);
    let mut consequences: Vec<Consequence> = notes
        .into_iter()
        .map(|note| Consequence {
            rule: note.rule.name.to_owned(),
            message: note.message,
            source: note.source.or_else(|| note.rule.source.map(str::to_owned)),
            on: None,
        })
        .collect();
    // A lead time that is kept is worth saying in a plan, not at the gate.
    for unpublished in &case.programme.unpublished {
        let date = dates::given_day(case.programme, case.settings, Some(&unpublished.id));
        if let (Some(date), Some(lead)) = (date, unpublished.lead_days) {
            let by = london::sub_days(date, u64::from(lead));
            if submission <= by {
                consequences.push(Consequence {
                    rule: rules::LEAD_TIME.name.to_owned(),
                    message: format!(
                        "{} is {date}: HMRC asks for the form by {by}, {lead} days before; submission on {submission} keeps that",
                        unpublished.what
                    ),
                    source: Some(unpublished.source.clone()),
                    on: Some(by),
                });
            }
        }
    }
    for fact in &case.programme.date {
        let since = if fact.on <= submission { "in force since" } else { "comes into force on" };
        consequences.push(Consequence {
            rule: fact.id.clone(),
            message: format!("{} ({since} {})", fact.consequence, fact.on),
            source: Some(fact.source.clone()),
            on: Some(fact.on),
        });
    }
    consequences
}

/// What cannot be finished in time, or only just, and which day works.
pub(super) fn late(case: &Case<'_>, schedule: &[Scheduled], first: FirstDay) -> Vec<Consequence> {
    let mut told = Vec::new();
    let mut say = |message: String, source: Option<&str>| {
        told.push(Consequence {
            rule: rules::SUBMISSION_WINDOW.name.to_owned(),
            message,
            source: source.map(str::to_owned),
            on: None,
        });
    };
    let names = |fit| {
        let ids = schedule.iter().filter(|slot| slot.fit == fit);
        let names: Vec<String> = ids.map(|slot| format!("`{}`", slot.scenario)).collect();
        Some(names.join(", ")).filter(|names| !names.is_empty())
    };
    let submission = case.submission_day();
    let open = dates::is_open(case.programme, case.settings, submission);
    let by = match case.submit_on {
        Some(day) => format!("submission on {day}"),
        None => "the end of the programme's window".to_owned(),
    };
    let works = in_words(case, first);
    let late = names(Fit::None);
    // Said once.
    let also = if late.is_none() { format!("; {works}") } else { String::new() };
    if let Some(names) = late {
        // That it is not open, and when it is, is said already.
        let why = match open {
            true => format!("too late: {names} cannot be finished in time for {by}; "),
            false => String::new(),
        };
        say(format!("{why}{works}"), rules::SUBMISSION_WINDOW.source);
    }
    if let Some(officers) = &case.programme.officers
        && let Some(names) = names(Fit::IfOfficersAnswerAtOnce)
    {
        say(
            format!(
                "{names}: the time left before {by} is less than {} after which HMRC wants a follow-up; it holds only if the officers answer at once{also}",
                match officers.follow_up_working_days {
                    1 => "the working day".to_owned(),
                    days => format!("the {days} working days"),
                }
            ),
            Some(&officers.source),
        );
    }
    told
}

/// Which day works, in words.
fn in_words(case: &Case<'_>, first: FirstDay) -> String {
    let slow = case.programme.officers.as_ref().map_or_else(String::new, |officers| match officers
        .follow_up_working_days
    {
        1 => "a working day".to_owned(),
        n => format!("{n} working days"),
    });
    match (first.officers_at_once, first.officers_late) {
        (Some(quick), Some(safe)) if quick == safe => {
            format!("the first day of submission that works is {safe}")
        }
        (Some(quick), Some(safe)) => format!(
            "the first day of submission that works is {safe} if the officers take {slow} each time, and {quick} if they answer at once"
        ),
        (Some(quick), None) => format!(
            "{quick} works if the officers answer at once; no day does if they take {slow} each time"
        ),
        (None, _) => {
            match dates::phase_around(case.programme, case.settings, case.submission_day()) {
                Some(Phase { closes: Some(closes), .. }) => {
                    let day = london::day_of(case.as_of);
                    let closed = if closes < day { "closed" } else { "closes" };
                    format!("no day works any more: `{}` {closed} on {closes}", case.programme.id)
                }
                _ => "no day within three months works".to_owned(),
            }
        }
    }
}
