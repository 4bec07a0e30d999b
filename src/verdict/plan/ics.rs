//! The plan as an iCalendar file (RFC 5545), for the calendars of those who
//! must be there.
//!
//! One event for each last start, each moment of the officers, each run that
//! lapses, the day of submission and each published date ahead. An event's UID
//! depends on what it is about alone, so that a later plan moves it where a
//! calendar takes the file again. Times are UTC; days are London's.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use icalendar::{Calendar, Component, Event, EventLike};

use super::model::{Fit, Moment, Plan, PlanRequirement, Scheduled};
use crate::calendar::london;
use crate::digest::Digest;
use crate::evidence::Actor;
use crate::verdict::rules::{EVIDENCE_EXPIRING, EVIDENCE_STALE};

/// `PRODID` of the files written here; by it they are known again.
pub const PRODUCT: &str = "-//ctc-ready//plan//EN";

/// How long the event of a last start is shown.
const SHOWN: TimeDelta = TimeDelta::minutes(15);

/// The plans of a house's programmes as one calendar. `software` sets its
/// events apart from those of the house's other projects. The same plans give
/// the same bytes.
///
/// # Errors
/// When the calendar cannot be formatted.
pub fn calendar(software: &str, plans: &[Plan]) -> Result<String, fmt::Error> {
    let mut calendar = Calendar::empty();
    calendar
        .append_property(("VERSION", "2.0"))
        .append_property(("PRODID", PRODUCT))
        .append_property(("CALSCALE", "GREGORIAN"));
    for plan in plans {
        calendar.extend(Events { software, plan }.all());
    }
    let mut text = String::new();
    fmt::write(&mut text, format_args!("{calendar}"))?;
    Ok(text)
}

/// How many events a calendar has.
pub fn events(calendar: &str) -> usize {
    calendar.lines().filter(|line| *line == "BEGIN:VEVENT").count()
}

struct Events<'a> {
    software: &'a str,
    plan: &'a Plan,
}

impl Events<'_> {
    fn all(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for slot in &self.plan.schedule {
            events.extend(self.start(slot));
            let officers = slot.moments.iter().filter(|moment| moment.actor == Actor::Officer);
            events.extend(officers.map(|moment| self.officers(slot, moment)));
        }
        events.extend(self.plan.requirements.iter().filter_map(|item| self.lapse(item)));
        events.extend(self.plan.submit_on.map(|day| {
            let text = "Evidence is judged at the end of this day in London.";
            self.day(&["submission"], day, "Send the application to HMRC", text)
        }));
        events.extend(self.published());
        events
    }

    /// The lapse of a run against which the gate has nothing but its age, if
    /// that.
    fn lapse(&self, item: &PlanRequirement) -> Option<Event> {
        let (run, until) = (item.run?, item.fresh_until?);
        let age = [EVIDENCE_STALE.name, EVIDENCE_EXPIRING.name];
        let counts = item.findings.iter().all(|rule| age.contains(&rule.as_str()));
        (counts && self.plan.as_of <= until).then(|| {
            let summary = format!("Evidence for {} lapses", item.requirement);
            let last = london::for_people(until);
            let text = format!("Run {run} may go to HMRC until {last}, and no later.");
            self.event(&["lapses", &item.requirement], &summary, &text).starts(until).done()
        })
    }

    /// The last start, or the first where nothing ends the window.
    fn start(&self, slot: &Scheduled) -> Option<Event> {
        let first = slot.start_no_earlier?;
        let at = slot.start_no_later.unwrap_or(first);
        let which = if slot.start_no_later.is_some() { "latest" } else { "first" };
        let mut text = format!("`ctc-ready run {}`, from {}", slot.scenario, says(first));
        if let Some(last) = slot.start_no_later {
            text.push_str(&format!(" to {}", says(last)));
        }
        text.push_str(&format!(
            ". Started at this time, it is finished by {}",
            slot.finish_officers_at_once.map_or_else(String::new, says)
        ));
        if slot.needs_officer {
            text.push_str(" if officers answer at once");
            if let (Fit::InTime, Some(late)) = (slot.fit, slot.finish_officers_late) {
                text.push_str(&format!(", and by {} if they need reminding", says(late)));
            }
        }
        text.push('.');
        for moment in slot.moments.iter().filter(|moment| moment.actor == Actor::You) {
            let line = format!("\nStep {}, {}: {}", moment.step, says(moment.from), moment.what);
            text.push_str(&line);
        }
        let summary = format!("{}: {which} start", slot.scenario);
        let mut event = self.event(&["start", &slot.scenario], &summary, &text);
        Some(event.starts(at).ends(at + SHOWN).done())
    }

    /// A moment of the officers: what is left of the day on which they can act.
    fn officers(&self, slot: &Scheduled, moment: &Moment) -> Event {
        let step = moment.step.to_string();
        let summary = format!("{}: officers at step {step}", slot.scenario);
        let mut text = format!("Asked by e-mail to {}.", moment.what);
        match moment.until {
            Some(until) if until > moment.from => {
                text.push_str(&format!(" Look for their answer by {}.", says(until)));
            }
            _ => text.push_str(" There is no time for a follow-up."),
        }
        let mut event = self.event(&["officers", &slot.scenario, &step], &summary, &text);
        event.starts(moment.from);
        let ends = [moment.until, moment.closes].into_iter().flatten();
        if let Some(ends) = ends.filter(|ends| moment.from < *ends).min() {
            event.ends(ends);
        }
        event.done()
    }

    /// Published dates that are not past.
    fn published(&self) -> Vec<Event> {
        let today = london::day_of(self.plan.as_of);
        let mut events = Vec::new();
        if let Some(phase) = &self.plan.phase {
            let ends = [
                ("opens", phase.opens, "First day on which results count."),
                ("closes", phase.closes, "Last day on which results count."),
            ];
            for (what, day, text) in ends {
                if let Some(day) = day.filter(|day| today <= *day) {
                    let summary = format!("{} {what}", phase.name);
                    events.push(self.day(&[what, &phase.name], day, &summary, text));
                }
            }
        }
        for item in &self.plan.consequences {
            if let Some(day) = item.on.filter(|day| today <= *day) {
                let summary = item.rule.replace('-', " ");
                events.push(self.day(&["date", &item.rule], day, &summary, &item.message));
            }
        }
        events
    }

    /// An event of a whole London day.
    fn day(&self, about: &[&str], day: NaiveDate, summary: &str, text: &str) -> Event {
        let mut event = self.event(about, summary, text);
        event.starts(day).append_property(("TRANSP", "TRANSPARENT"));
        event.done()
    }

    /// An event without its time.
    fn event(&self, about: &[&str], summary: &str, text: &str) -> Event {
        let programme = &self.plan.programme;
        let named: Vec<&[u8]> = [self.software, programme]
            .iter()
            .chain(about)
            .flat_map(|part| [part.as_bytes(), b"\0"])
            .collect();
        let uid = Digest::of_parts(&named).to_string();
        let uid = uid.chars().take(32).collect::<String>();
        let mut event = Event::with_uid(&format!("{uid}@ctc-ready"));
        event
            .timestamp(self.plan.as_of)
            .summary(&plain(&format!("{summary} ({programme})")))
            .description(&plain(&format!("{text}\n{}", self.software)));
        event
    }
}

fn says(instant: DateTime<Utc>) -> String {
    london::for_planning(instant)
}

/// Text without control characters: RFC 5545 has no way to write them.
fn plain(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}
