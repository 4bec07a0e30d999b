//! What applies, what of it is proven, and when the rest must start.
//!
//! Times are planned so that evidence is fresh at the end of the day of
//! submission, every message falls into opening hours, officers are asked
//! while they read their mail, and timers run out. How long officers take is
//! not published: the plan leaves them the working days after which HMRC
//! wants a follow-up, and where there is no room for that, says so.
//!
//! - [`model`]: what planning yields: the JSON of `plan`.
//! - `held`: what there is already, and whether it is good on that day.
//! - `course`: a scenario against the clock: who must act when.
//! - `window`: first and last starts, and the first day that works.
//! - `dated`: consequences, "too late", and which day to take instead.
//! - [`mod@ics`]: the plan as an iCalendar file.
//!
//! The command line may call it.

mod course;
mod dated;
mod held;
pub mod ics;
pub mod model;
mod window;

use std::cmp::Reverse;

use chrono::TimeDelta;

pub use model::*;

use self::course::{Course, Officers};
use self::held::{Held, held};
use self::window::{Frame, Wanted};
use super::case::{Case, Need};
use super::dates;
use crate::calendar::london;
use crate::catalogue::{RequirementKind, Scenario};

/// Everything planning looks at.
#[derive(Clone, Copy, Debug)]
pub struct PlanCase<'a> {
    /// What is judged: the programme, the house and its evidence, the instant
    /// planned at (nothing starts before it) and the day of submission.
    pub case: Case<'a>,
    /// The programme's scenarios; those chosen must be among them.
    pub scenarios: &'a [&'a Scenario],
    /// Schedule the recommended requirements too.
    pub recommended: bool,
}

/// Plans.
pub fn plan(planned: &PlanCase<'_>) -> Plan {
    let case = &planned.case;
    let today = london::day_of(case.as_of);
    let submission = case.submission_day();
    let held = held(case);

    let wanted: Vec<(&Need, &Held, &Scenario)> = case
        .needs
        .iter()
        .zip(&held)
        .filter_map(|(need, held)| Some((need, held, planned.scenario(need)?)))
        .collect();
    let frame = Frame {
        programme: case.programme,
        settings: case.settings,
        policy: case.settings.gate.freshness,
        as_of: case.as_of,
        margin: TimeDelta::hours(i64::from(case.settings.gate.fail_before_hours)),
    };
    let courses: Vec<_> = wanted
        .iter()
        .map(|(need, held, scenario)| Wanted {
            need,
            fresh_until: held.fresh_until.filter(|_| held.good),
            course: Course::new(case.programme, scenario),
        })
        .collect();
    let first_day = frame.first_day(submission, &courses);

    let mut schedule: Vec<Scheduled> = Vec::new();
    for (need, held, scenario) in wanted {
        // One run may fill two slots of the checklist.
        let twice = schedule.iter().any(|slot| slot.scenario == scenario.id);
        if !held.good && !twice {
            schedule.push(scheduled(&frame, case, need, scenario));
        }
    }
    schedule.sort_by_key(|slot| {
        (slot.start_no_later, Reverse(slot.officer_steps), Reverse(slot.expected_minutes))
    });
    for (order, slot) in (1..).zip(&mut schedule) {
        slot.order = order;
    }

    let mut consequences = dated::late(case, &schedule, first_day);
    consequences.extend(dated::dated(case, today, submission));
    let rows = case.needs.iter().zip(held).map(|(need, held)| held.row(need));
    Plan {
        schema_version: 1,
        programme: case.programme.id.clone(),
        as_of: case.as_of,
        submit_on: case.submit_on,
        phase: dates::phase_around(case.programme, case.settings, submission).map(|phase| {
            PlanPhase {
                name: phase.name.clone(),
                opens: phase.opens,
                closes: phase.closes,
                open: dates::is_open(case.programme, case.settings, submission),
            }
        }),
        requirements: rows.collect(),
        schedule,
        first_day,
        consequences,
    }
}

impl<'a> PlanCase<'a> {
    /// The scenario to run for a requirement, where it is one to run.
    fn scenario(&self, need: &Need) -> Option<&'a Scenario> {
        let wanted = need.kind == RequirementKind::Mandatory || self.recommended;
        let chosen = need.chosen.as_deref().filter(|_| need.applies && wanted)?;
        self.scenarios.iter().find(|scenario| scenario.id == chosen).copied()
    }
}

/// One scenario's slot; the order is not yet given.
fn scheduled(frame: &Frame<'_>, case: &Case<'_>, need: &Need, scenario: &Scenario) -> Scheduled {
    let course = Course::new(case.programme, scenario);
    let window = frame.window(&course, need, case.submit_on);
    let start = window.no_later.or(window.no_earlier);
    let walk = |officers| start.and_then(|start| course.walk(start, officers));
    let (quick, slow) = (walk(Officers::AtOnce), walk(Officers::Late));
    let finish_officers_at_once = quick.as_ref().map(|walk| walk.finish);
    let finish_officers_late = slow.as_ref().map(|walk| walk.finish);
    let walk = if window.fit == Fit::InTime { slow } else { quick };
    Scheduled {
        scenario: scenario.id.clone(),
        order: 0,
        start_no_earlier: window.no_earlier,
        start_no_later: window.no_later,
        fit: window.fit,
        needs_officer: course.officer_steps() > 0,
        officer_steps: course.officer_steps(),
        expected_minutes: course::expected_minutes(scenario),
        finish_officers_at_once,
        finish_officers_late,
        moments: walk.map_or_else(Vec::new, |walk| walk.moments),
    }
}
