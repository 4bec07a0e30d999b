//! A scenario against the clock: when it may begin, who must act when, and
//! when it is finished.
//!
//! Messages of NCTS count as there at once, unless a timer brings them. When a
//! run may begin is the engine's to say ([`Hours::begins`]), so that `run` does
//! not hold back what `plan` promised.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::Moment;
use crate::calendar::hours::Timetable;
use crate::calendar::{holidays, london};
use crate::catalogue::{PresentationTimer, Programme, Scenario, Step};
use crate::engine::hours::Hours;
use crate::engine::progress;
use crate::evidence::Actor;
use crate::ncts::MessageType;
use crate::project::Environment;

/// Most turns of looking for a start: each moves on to an opening.
const TURNS: usize = 60;

/// How long officers take. HMRC does not publish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Officers {
    /// No time at all, once they can read the e-mail.
    AtOnce,
    /// The working days after which HMRC wants a follow-up; where a timer of
    /// NCTS leaves them less, all of that.
    Late,
}

/// A scenario and the hours it keeps.
pub(super) struct Course<'a> {
    scenario: &'a Scenario,
    hours: Hours,
    environment: Timetable,
    officers: Timetable,
    follow_up_working_days: u32,
}

/// A run, imagined.
pub(super) struct Walk {
    pub(super) finish: DateTime<Utc>,
    pub(super) moments: Vec<Moment>,
}

impl<'a> Course<'a> {
    /// In Trader Test, which alone has hours and officers.
    pub(super) fn new(programme: &Programme, scenario: &'a Scenario) -> Self {
        let officers = programme.officers.as_ref();
        Self {
            scenario,
            hours: Hours::of(programme, Environment::TraderTest),
            environment: programme.environment_hours(),
            officers: programme.officer_hours(),
            follow_up_working_days: officers.map_or(0, |them| them.follow_up_working_days),
        }
    }

    /// How often officers are asked.
    pub(super) fn officer_steps(&self) -> u32 {
        let asks = self.scenario.step.iter().filter(|step| step.officer.is_some());
        u32::try_from(asks.count()).unwrap_or(u32::MAX)
    }

    /// Whether a start at `at` finds the environment open for long enough, and
    /// the officers at their desks where they are needed.
    pub(super) fn can_start(&self, at: DateTime<Utc>) -> bool {
        // The engine alone would do; but it looks for an opening, and most
        // instants are closed.
        self.environment.is_open(at)
            && (self.officer_steps() == 0 || self.officers.is_open(at))
            && self.hours.begins(self.scenario, at) == Some(at)
    }

    /// The first possible start at or after `at`.
    pub(super) fn first_start(&self, mut at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        for _ in 0..TURNS {
            at = self.hours.begins(self.scenario, at)?;
            if self.officer_steps() > 0 {
                at = self.officers.next_opening(at)?;
            }
            if self.can_start(at) {
                return Some(at);
            }
        }
        None
    }

    /// A run that starts at `start`. None: a step's deadline is missed, or
    /// something does not open again.
    pub(super) fn walk(&self, start: DateTime<Utc>, officers: Officers) -> Option<Walk> {
        let mut now = start;
        let mut declared = None;
        let mut moments = Vec::new();
        for (step, number) in self.scenario.step.iter().zip(1_u32..) {
            let moment = |actor, what: String, from, until, timetable: &Timetable| {
                let stretch = timetable.open_on(london::day_of(from));
                Moment {
                    step: number,
                    actor,
                    what,
                    from,
                    until,
                    opens: stretch.map(|(opens, _)| opens),
                    closes: stretch.map(|(_, closes)| closes),
                }
            };
            let after = |minutes| {
                declared.map(|at: DateTime<Utc>| at + TimeDelta::minutes(i64::from(minutes)))
            };
            if let Some(what) = yours(step) {
                now = self.environment.next_opening(now)?;
                let deadline = step.deadline_minutes_after_ie015.and_then(after);
                if deadline.is_some_and(|deadline| now > deadline) {
                    return None;
                }
                moments.push(moment(Actor::You, what, now, deadline, &self.environment));
                if step.send == Some(MessageType::Ie015) && declared.is_none() {
                    declared = Some(now);
                }
            }
            if let Some(request) = &step.officer {
                let asks = "e-mail the officers".to_owned();
                let read = self.officers.next_opening(now)?;
                let limit = self.officers_limit(number).and_then(|minutes| {
                    declared.map(|at| at + TimeDelta::minutes(i64::from(minutes)))
                });
                if limit.is_some_and(|limit| read > limit) {
                    return None;
                }
                let follow_up = holidays::working_days_after(read, self.follow_up_working_days);
                let by = limit.unwrap_or(match officers {
                    Officers::AtOnce => read,
                    Officers::Late => follow_up,
                });
                moments.push(moment(Actor::You, asks, now, limit, &self.environment));
                moments.push(moment(
                    Actor::Officer,
                    request.clone(),
                    read,
                    Some(by),
                    &self.officers,
                ));
                now = match officers {
                    Officers::AtOnce => read,
                    Officers::Late => by.min(follow_up),
                };
            }
            now += TimeDelta::minutes(i64::from(timer(step)));
            if let Some(expires) = expiry(step)
                .and_then(|minutes| declared.map(|at| at + TimeDelta::minutes(i64::from(minutes))))
            {
                now = now.max(expires);
            }
            // A timer runs on at night; what it brings is fetched while the
            // environment answers.
            now = self.environment.next_opening(now)?;
        }
        Some(Walk { finish: now, moments })
    }

    /// Minutes after the declaration within which the officers of this step
    /// must have acted: their own limit, or that of a later step which waits
    /// for them.
    fn officers_limit(&self, number: u32) -> Option<u32> {
        let steps = self.scenario.step.iter().zip(1_u32..).skip_while(|(_, n)| *n < number);
        let limits = steps.filter_map(|(step, n)| match n == number {
            true => progress::deadline_of(step),
            false => step.deadline_minutes_after_ie015,
        });
        limits.min()
    }
}

/// Minutes that the timers of a scenario's steps take, were everything open at
/// all hours and everyone quick.
pub(super) fn expected_minutes(scenario: &Scenario) -> u32 {
    let course = Course {
        scenario,
        hours: Hours::none(),
        environment: Timetable::always(),
        officers: Timetable::always(),
        follow_up_working_days: 0,
    };
    let start = DateTime::UNIX_EPOCH;
    let walk = course.walk(start, Officers::AtOnce);
    let minutes = walk.map_or(0, |walk| (walk.finish - start).num_minutes());
    u32::try_from(minutes).unwrap_or(u32::MAX)
}

/// What the house does in a step.
fn yours(step: &Step) -> Option<String> {
    match (step.send, &step.request) {
        (Some(MessageType::Ie170), _) => Some("present the goods: send the IE170".to_owned()),
        (Some(message), _) => Some(format!("send the {message}")),
        (None, Some(_)) => Some("ask for the balance".to_owned()),
        (None, None) => None,
    }
}

/// Minutes after which the last of a step's messages comes.
fn timer(step: &Step) -> u32 {
    let minutes = step.expect.iter().filter_map(|expectation| expectation.after_minutes);
    minutes.max().unwrap_or(0)
}

/// Minutes after the declaration at which the timer runs out that waits for
/// the presentation, where the step lets it.
fn expiry(step: &Step) -> Option<u32> {
    let expires = step.presentation_timer == Some(PresentationTimer::Expires);
    step.deadline_minutes_after_ie015.filter(|_| expires)
}
