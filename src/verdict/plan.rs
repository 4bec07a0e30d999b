//! What applies, and when it must start: the JSON of `plan`
//! (`schema_version` 1).
//!
//! Times are planned so that evidence is fresh at the end of the day of
//! submission, every message falls into opening hours, officers are asked
//! while they read their mail, and timers run out. How long officers take is
//! not published: the plan leaves them the working days after which HMRC
//! wants a follow-up, and where there is no room for that, says so.

use std::cmp::Reverse;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::case::Need;
use super::{credentials, dates, rules};
use crate::calendar::hours::Timetable;
use crate::calendar::{freshness, holidays, london};
use crate::catalogue::{Programme, RequirementKind, Scenario};
use crate::ncts::MessageType;
use crate::project::Settings;

/// Starts are looked for on these minutes of the clock.
const GRID_MINUTES: i64 = 15;

/// Starts looked at, at most: a little over a year.
const QUARTERS: usize = 40_000;

/// Everything planning looks at.
#[derive(Clone, Copy, Debug)]
pub struct PlanCase<'a> {
    /// The programme applied under.
    pub programme: &'a Programme,
    /// The house's settings.
    pub settings: &'a Settings,
    /// The programme's requirements, mandatory ones first, in its order.
    pub needs: &'a [Need],
    /// The programme's scenarios; those chosen must be among them.
    pub scenarios: &'a [&'a Scenario],
    /// The instant planned at: nothing starts before it.
    pub as_of: DateTime<Utc>,
    /// The London day of submission.
    pub submit_on: Option<NaiveDate>,
    /// Schedule the recommended requirements too.
    pub recommended: bool,
}

/// `plan --format json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Plan {
    /// Always 1.
    pub schema_version: u32,
    /// The programme planned for.
    pub programme: String,
    /// The instant planned at.
    pub as_of: DateTime<Utc>,
    /// The London day of submission.
    pub submit_on: Option<NaiveDate>,
    /// The programme's phase on the day of submission, or the nearest one.
    pub phase: Option<PlanPhase>,
    /// Every requirement and why it applies or not.
    pub requirements: Vec<PlanRequirement>,
    /// When each chosen scenario must start, the most urgent first.
    pub schedule: Vec<Scheduled>,
    /// What the dates bring about.
    pub consequences: Vec<Consequence>,
}

/// A phase of the programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanPhase {
    /// Its name.
    pub name: String,
    /// First London day.
    pub opens: Option<NaiveDate>,
    /// Last London day.
    pub closes: Option<NaiveDate>,
    /// Whether it covers the day of submission.
    pub open: bool,
}

/// A requirement in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanRequirement {
    /// Its id.
    pub requirement: String,
    /// Mandatory or recommended.
    pub kind: RequirementKind,
    /// Whether it applies.
    pub applies: bool,
    /// Why, or why not.
    pub reason: String,
    /// Scenarios of which one is enough.
    pub any_of: Vec<String>,
    /// The one to run.
    pub chosen: Option<String>,
}

/// When a scenario must start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Scheduled {
    /// The scenario.
    pub scenario: String,
    /// From 1; the most urgent first.
    pub order: u32,
    /// The first start whose evidence is still fresh on the day of
    /// submission. None: no start is possible.
    pub start_no_earlier: Option<DateTime<Utc>>,
    /// The last start that is finished in time. None: no start is possible,
    /// or nothing ends the window.
    pub start_no_later: Option<DateTime<Utc>>,
    /// Whether HMRC's officers must act.
    pub needs_officer: bool,
    /// Minutes that NCTS's timers take; what people take comes on top.
    pub expected_minutes: u32,
}

/// What a date brings about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Consequence {
    /// A rule of the gate, or the catalogue's name of the date.
    pub rule: String,
    /// In words.
    pub message: String,
    /// Document and section.
    pub source: Option<String>,
}

/// Minutes that the timers of a scenario's steps take.
pub fn expected_minutes(scenario: &Scenario) -> u32 {
    scenario.step.iter().map(|step| step_minutes(&step.expect)).fold(0, u32::saturating_add)
}

fn step_minutes(expect: &[crate::catalogue::Expectation]) -> u32 {
    expect.iter().filter_map(|expectation| expectation.after_minutes).max().unwrap_or(0)
}

/// Plans.
pub fn plan(case: &PlanCase<'_>) -> Plan {
    let today = london::day_of(case.as_of);
    let submission = case.submit_on.unwrap_or(today);
    let mut consequences = Vec::new();
    let mut schedule = schedule(case, &mut consequences);
    schedule.sort_by_key(|slot| {
        (slot.start_no_later, !slot.needs_officer, Reverse(slot.expected_minutes))
    });
    for (order, slot) in (1..).zip(&mut schedule) {
        slot.order = order;
    }
    consequences.extend(dated(case, today, submission));

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
        requirements: case
            .needs
            .iter()
            .map(|need| PlanRequirement {
                requirement: need.requirement.clone(),
                kind: need.kind,
                applies: need.applies,
                reason: need.reason.clone(),
                any_of: need.any_of.clone(),
                chosen: need.chosen.clone(),
            })
            .collect(),
        schedule,
        consequences,
    }
}

/// One slot for each scenario chosen; the order is not yet given.
fn schedule(case: &PlanCase<'_>, consequences: &mut Vec<Consequence>) -> Vec<Scheduled> {
    let mut slots: Vec<Scheduled> = Vec::new();
    let mut late = Vec::new();
    let mut tight = Vec::new();
    for need in case.needs {
        let wanted = need.kind == RequirementKind::Mandatory || case.recommended;
        let chosen = need.chosen.as_deref().filter(|_| need.applies && wanted);
        let Some(scenario) =
            chosen.and_then(|id| case.scenarios.iter().find(|scenario| scenario.id == id))
        else {
            continue;
        };
        // One run may fill two slots of the checklist.
        if slots.iter().any(|slot| slot.scenario == scenario.id) {
            continue;
        }
        let window = Window::of(case, need, scenario);
        match window.fit {
            Fit::None => late.push(scenario.id.as_str()),
            Fit::Tight => tight.push(scenario.id.as_str()),
            Fit::Roomy => {}
        }
        slots.push(Scheduled {
            scenario: scenario.id.clone(),
            order: 0,
            start_no_earlier: window.no_earlier,
            start_no_later: window.no_later,
            needs_officer: needs_officer(scenario),
            expected_minutes: expected_minutes(scenario),
        });
    }
    let by = match case.submit_on {
        Some(day) => format!("submission on {day}"),
        None => "the end of the programme's window".to_owned(),
    };
    let names =
        |ids: &[&str]| ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    let mut say = |message: String, source: Option<&str>| {
        consequences.push(Consequence {
            rule: rules::SUBMISSION_WINDOW.name.to_owned(),
            message,
            source: source.map(str::to_owned),
        });
    };
    if !late.is_empty() {
        say(
            format!(
                "too late: {} cannot be finished in time for {by}; choose a later day",
                names(&late)
            ),
            rules::SUBMISSION_WINDOW.source,
        );
    }
    if let Some(officers) = &case.programme.officers
        && !tight.is_empty()
    {
        let days = officers.follow_up_working_days;
        say(
            format!(
                "{}: the time left before {by} is less than the {days} working days after which HMRC wants a follow-up; it holds only if the officers answer at once",
                names(&tight)
            ),
            Some(&officers.source),
        );
    }
    slots
}

fn needs_officer(scenario: &Scenario) -> bool {
    scenario.step.iter().any(|step| step.officer.is_some())
}

/// How much room the officers have.
enum Fit {
    Roomy,
    Tight,
    None,
}

/// When a scenario may start.
struct Window {
    no_earlier: Option<DateTime<Utc>>,
    no_later: Option<DateTime<Utc>>,
    fit: Fit,
}

impl Window {
    fn of(case: &PlanCase<'_>, need: &Need, scenario: &Scenario) -> Self {
        let none = Self { no_earlier: None, no_later: None, fit: Fit::None };
        let course = Course {
            scenario,
            environment: case.programme.environment_hours(),
            officers: case.programme.officer_hours(),
        };
        let submission = case.submit_on.unwrap_or_else(|| london::day_of(case.as_of));
        let Some(phase) =
            dates::phase_covering(case.programme, case.settings, submission, submission)
        else {
            return none;
        };
        let ends = [case.submit_on, phase.closes].into_iter().flatten().min();
        let deadline = ends.map(london::judging_instant);

        let policy = case.settings.gate.freshness;
        let begins = [
            Some(case.as_of),
            phase.opens.map(london::start_of_day),
            credentials::not_before(case.settings, need, submission).map(london::start_of_day),
            case.submit_on.map(|day| {
                freshness::earliest_first_submission(london::judging_instant(day), policy)
            }),
        ];
        let earliest = begins.into_iter().flatten().max().unwrap_or(case.as_of);
        let Some(no_earlier) = course.first_start(earliest) else { return none };
        let Some(deadline) = deadline else {
            return Self { no_earlier: Some(no_earlier), no_later: None, fit: Fit::Roomy };
        };

        let officers = case.programme.officers.as_ref();
        let allowance = officers.map_or(0, |officers| officers.follow_up_working_days);
        let fits = |start: &DateTime<Utc>, allowance: u32| {
            course.finish(*start, allowance).is_some_and(|end| end <= deadline)
        };
        let latest = |allowance: u32| {
            quarters_down(deadline, no_earlier)
                .filter(|start| course.can_start(*start))
                .find(|start| fits(start, allowance))
        };
        let (no_later, fit) = match latest(allowance) {
            Some(start) => (start, Fit::Roomy),
            None => match latest(0) {
                Some(start) => (start, Fit::Tight),
                None => return none,
            },
        };
        Self { no_earlier: Some(no_earlier), no_later: Some(no_later), fit }
    }
}

/// The quarters of an hour from `from` down to `to`, then `to` itself.
fn quarters_down(from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    let grid = GRID_MINUTES * 60;
    let first = from.timestamp() - from.timestamp().rem_euclid(grid);
    (0..)
        .map_while(move |n: i64| DateTime::from_timestamp(first - n * grid, 0))
        .take_while(move |at| *at > to)
        .take(QUARTERS)
        .chain(std::iter::once(to).filter(move |to| *to <= from))
}

/// A scenario against the clock.
struct Course<'a> {
    scenario: &'a Scenario,
    environment: Timetable,
    officers: Timetable,
}

impl Course<'_> {
    /// Whether a start at `at` finds the environment open, and the officers at
    /// their desks where they are needed.
    fn can_start(&self, at: DateTime<Utc>) -> bool {
        self.environment.is_open(at) && (!needs_officer(self.scenario) || self.officers.is_open(at))
    }

    /// The first possible start at or after `at`.
    fn first_start(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut at = at;
        // Each round moves to the next opening of one of the two; on a day on
        // which both open, two rounds do.
        for _ in 0..30 {
            at = self.environment.next_opening(at)?;
            if needs_officer(self.scenario) {
                at = self.officers.next_opening(at)?;
            }
            if self.can_start(at) {
                return Some(at);
            }
        }
        None
    }

    /// When a run that starts at `start` is finished, if the officers take
    /// `allowance` working days each time. None: a step's deadline is missed,
    /// or the environment does not open again.
    fn finish(&self, start: DateTime<Utc>, allowance: u32) -> Option<DateTime<Utc>> {
        let mut now = start;
        let mut declared = None;
        for step in &self.scenario.step {
            if let Some(message) = step.send {
                now = self.environment.next_opening(now)?;
                if message == MessageType::Ie015 && declared.is_none() {
                    declared = Some(now);
                }
                if let (Some(declared), Some(minutes)) =
                    (declared, step.deadline_minutes_after_ie015)
                    && now > declared + TimeDelta::minutes(i64::from(minutes))
                {
                    return None;
                }
            }
            if step.officer.is_some() {
                now = self.officers.next_opening(now)?;
                if allowance > 0 {
                    now = holidays::working_days_after(now, allowance);
                }
            }
            now += TimeDelta::minutes(i64::from(step_minutes(&step.expect)));
            // What a timer brings is fetched while the environment answers.
            now = self.environment.next_opening(now)?;
        }
        Some(now)
    }
}

/// The consequences that dates have for a submission on that day.
fn dated(case: &PlanCase<'_>, today: NaiveDate, submission: NaiveDate) -> Vec<Consequence> {
    let given = case.submit_on.is_some();
    let notes = dates::notes(case.programme, case.settings, today, submission, given);
    let mut consequences: Vec<Consequence> = notes
        .into_iter()
        .map(|note| Consequence {
            rule: note.rule.name.to_owned(),
            message: note.message,
            source: note.source.or_else(|| note.rule.source.map(str::to_owned)),
        })
        .collect();
    // A lead time that is kept is worth saying in a plan, not at the gate.
    for unpublished in &case.programme.unpublished {
        let date = case.settings.programme.dates.get(&unpublished.id);
        if let (Some(date), Some(lead)) = (date, unpublished.lead_days) {
            let by = london::sub_days(*date, u64::from(lead));
            if submission <= by {
                consequences.push(Consequence {
                    rule: rules::LEAD_TIME.name.to_owned(),
                    message: format!(
                        "{} is {date}: HMRC asks for the form by {by}, {lead} days before; submission on {submission} keeps that",
                        unpublished.what
                    ),
                    source: Some(unpublished.source.clone()),
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
        });
    }
    consequences
}
