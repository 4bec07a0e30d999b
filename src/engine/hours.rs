//! Whether what comes next can be done now: opening hours of the environment,
//! hours of HMRC's officers, time windows, follow-ups. What comes next at all
//! is for [`decide`].
//!
//! Only Trader Test has hours: its programmes publish them, and its officers
//! are people. The sandbox answers at any time, and so does the simulator.

use chrono::{DateTime, Duration, Utc};

use super::decide::{self, Action};
use super::state::State;
use super::tempo::{Pace, Tempo};
use crate::calendar::hours::Timetable;
use crate::calendar::{holidays, london};
use crate::catalogue::{Programme, Scenario};
use crate::evidence::{Actor, WaitingFor};
use crate::ncts::MessageType;
use crate::project::Environment;

/// How often to look for messages of officers who are not at their desks: some
/// work late.
const AWAY: Duration = Duration::minutes(30);

/// When to ask again whether an environment opens that will not by its hours.
const NEVER: Duration = Duration::days(1);

/// Most turns of looking for a start: each moves on by half a day or more.
const TURNS: usize = 60;

/// The hours that a run keeps.
#[derive(Clone, Debug)]
pub struct Hours {
    environment: Timetable,
    officers: Option<Officers>,
}

/// Officers who are people.
#[derive(Clone, Debug)]
struct Officers {
    timetable: Timetable,
    mailbox: String,
    follow_up_working_days: u32,
}

/// What must be possible after a declaration has left.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// Minutes for which the environment must stay open, and for what.
    environment: (u32, Option<MessageType>),
    /// Minutes for which the officers must be at their desks.
    officers: u32,
}

impl Hours {
    /// The hours of a programme in an environment.
    pub fn of(programme: &Programme, environment: Environment) -> Self {
        if environment != Environment::TraderTest {
            return Self::none();
        }
        Self {
            environment: programme.environment_hours(),
            officers: programme.officers.as_ref().map(|officers| Officers {
                timetable: programme.officer_hours(),
                mailbox: officers.mailbox.clone(),
                follow_up_working_days: officers.follow_up_working_days,
            }),
        }
    }

    /// No hours at all.
    pub fn none() -> Self {
        Self { environment: Timetable::always(), officers: None }
    }

    /// Whether the environment answers at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.environment.is_open(now)
    }

    /// When it next answers, from `now` on; none: its hours name no day.
    pub fn opens(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.environment.next_opening(now)
    }

    /// When the officers are to be reminded of what they were asked at `asked`:
    /// that counts from when they can read it (testing guides, test scenarios
    /// guidelines: chase after one working day). None: nobody reminds anyone.
    pub fn follow_up_due(&self, asked: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let officers = self.officers.as_ref()?;
        let read = officers.timetable.next_opening(asked).unwrap_or(asked);
        Some(holidays::working_days_after(read, officers.follow_up_working_days))
    }

    /// The first instant from `now` on at which a run's first message leaves:
    /// what a deadline binds to a declaration can be done in the hours after it.
    /// None: the environment does not open again.
    pub fn begins(&self, scenario: &Scenario, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let first = scenario.step.first().and_then(|step| step.send);
        let window = match first {
            Some(MessageType::Ie015) => Window::after(scenario, 1),
            _ => Window::default(),
        };
        self.start_or_try(window, now)
    }

    /// As [`Hours::start`]; a window that fits into no day must not keep a run
    /// from ever trying.
    fn start_or_try(&self, window: Window, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.start(window, now).or_else(|| self.start(Window::default(), now))
    }

    /// The first instant from `now` on at which a message may leave that needs
    /// this window. None: its hours leave no such instant.
    fn start(&self, window: Window, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut needs = vec![(&self.environment, window.environment.0)];
        if window.officers > 0 {
            needs.extend(self.officers.as_ref().map(|them| (&them.timetable, window.officers)));
        }
        let mut at = now;
        for _ in 0..TURNS {
            let before = at;
            for (timetable, minutes) in &needs {
                at = timetable.next_opening(at)?;
                if *minutes > 0
                    && let Some(closing) = timetable.next_closing(at)
                    && closing - at < Duration::minutes(i64::from(*minutes))
                {
                    at = timetable.next_opening(closing)?;
                }
            }
            if at == before {
                return Some(at);
            }
        }
        None
    }

    /// Why this message of this step must not leave yet.
    fn held(
        &self,
        scenario: &Scenario,
        state: &State,
        (step, message): (u32, MessageType),
        now: DateTime<Utc>,
    ) -> Option<Action> {
        let begins = message == MessageType::Ie015 && state.declared_at().is_none();
        let window = if begins { Window::after(scenario, step) } else { Window::default() };
        let start = self.start_or_try(window, now);
        if start == Some(now) {
            return None;
        }
        let (minutes, follower) = window.environment;
        let what = match (start, self.is_open(now)) {
            (Some(start), false) => {
                format!("Trader Test is closed; the {message} goes {}", london::for_planning(start))
            }
            (None, _) => "Trader Test is closed, and its hours name no day from now on".to_owned(),
            (Some(start), true) if window.officers > 0 => format!(
                "officers must act within {} minutes of the {message}, and are not at their desks \
                 for so long; it goes {}",
                window.officers,
                london::for_planning(start)
            ),
            (Some(start), true) => format!(
                "{} within {minutes} minutes of the {message}, and Trader Test closes before; it \
                 goes {}",
                follower
                    .map_or("more must happen".to_owned(), |next| format!("the {next} must go")),
                london::for_planning(start)
            ),
        };
        Some(closed(what, start, now))
    }

    /// A wait, seen by the clock of those who are waited for.
    fn awaiting(
        &self,
        scenario: &Scenario,
        state: &State,
        tempo: Tempo,
        (now, looked): (DateTime<Utc>, Option<DateTime<Utc>>),
        (mut waiting_for, mut look_at): (WaitingFor, DateTime<Utc>),
    ) -> Action {
        match waiting_for.actor {
            Actor::Officer => {
                let (step, missing) = decide::position(scenario, state);
                let asked = state.asked.get(&step).copied().unwrap_or(now);
                if let Some(replied) = state.answered.get(&step) {
                    let names: Vec<&str> = missing.iter().map(|message| message.as_str()).collect();
                    waiting_for.what = format!(
                        "officers replied on {}; their messages have not come yet: {}",
                        london::for_people(*replied),
                        names.join(", ")
                    );
                }
                if let (Some(officers), Some(due)) = (&self.officers, self.follow_up_due(asked)) {
                    let reminded = state.reminded.get(&step);
                    let replied = state.answered.contains_key(&step);
                    if !replied && reminded.is_none() && now >= due {
                        if looked.is_some_and(|looked| looked >= due) && self.is_open(now) {
                            return Action::FollowUp { step };
                        }
                        look_at = now;
                    }
                    if !replied {
                        officers.tell(&mut waiting_for.what, reminded.copied(), now);
                    }
                    waiting_for.deadline = Some(match reminded.is_some() || replied {
                        true => asked + tempo.patience(Pace::Officer),
                        false => due,
                    });
                    if look_at > now && !officers.timetable.is_open(now) {
                        let back = officers.timetable.next_opening(now).unwrap_or(look_at);
                        look_at = look_at.max(back.min(now + AWAY));
                    }
                }
            }
            _ => {
                let opens = self.environment.next_opening(look_at.max(now));
                let when = opens.map_or_else(String::new, |opens| {
                    format!("; it opens {}", london::for_planning(opens))
                });
                let what = &mut waiting_for.what;
                // A timer runs on while nobody can look.
                let over = waiting_for.deadline.is_none_or(|deadline| deadline <= now);
                if !self.is_open(now) && over {
                    what.push_str(&format!(": Trader Test is closed{when}"));
                    waiting_for.actor = Actor::OpeningHours;
                    waiting_for.deadline = opens;
                } else if opens != Some(look_at.max(now)) {
                    what.push_str(&format!(": Trader Test is closed by then{when}"));
                }
            }
        }
        let look_at = self.environment.next_opening(look_at).unwrap_or(now + NEVER);
        Action::Await { waiting_for, look_at }
    }
}

impl Officers {
    /// Says who they are, and when they are back.
    fn tell(&self, what: &mut String, reminded: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        what.push_str(&format!(" (asked by e-mail to {})", self.mailbox));
        if let Some(reminded) = reminded {
            what.push_str(&format!("; reminded on {}", london::for_people(reminded)));
        }
        if !self.timetable.is_open(now)
            && let Some(back) = self.timetable.next_opening(now)
        {
            what.push_str(&format!("; they are back {}", london::for_planning(back)));
        }
    }
}

impl Window {
    /// What the steps after this one demand of the time after its message.
    fn after(scenario: &Scenario, step: u32) -> Self {
        let mut window = Self::default();
        let mut asks = false;
        for step in scenario.step.iter().skip(step as usize) {
            asks |= step.officer.is_some();
            if let Some(minutes) = step.officer_deadline_minutes {
                window.officers = window.officers.max(minutes);
            }
            if let Some(minutes) = step.deadline_minutes_after_ie015 {
                if minutes > window.environment.0 {
                    window.environment = (minutes, step.send);
                }
                // What officers do before it must be done by then, too.
                if asks {
                    window.officers = window.officers.max(minutes);
                }
            }
        }
        window.environment.0 = window.environment.0.max(window.officers);
        window
    }
}

fn closed(what: String, opens: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Action {
    Action::Await {
        waiting_for: WaitingFor { actor: Actor::OpeningHours, what, deadline: opens },
        look_at: opens.unwrap_or(now + NEVER),
    }
}

/// What a run does at `now`: what comes next ([`decide::next`]), if the hours
/// let it. Outside the environment's hours nothing is sent, and no wait ends
/// before it opens, nor is anything given up.
pub fn next(
    scenario: &Scenario,
    state: &State,
    tempo: Tempo,
    hours: &Hours,
    now: DateTime<Utc>,
    looked: Option<DateTime<Utc>>,
) -> Action {
    let action = decide::next(scenario, state, tempo, now, looked);
    match action {
        Action::Send { step, message, .. } | Action::Perform { step, message, .. } => {
            hours.held(scenario, state, (step, message), now).unwrap_or(action)
        }
        Action::LookUp { message, .. } if !hours.is_open(now) => {
            let opens = hours.environment.next_opening(now);
            let what =
                format!("Trader Test is closed; whether the {message} arrived is asked then");
            closed(what, opens, now)
        }
        Action::LookFor { message, .. } if !hours.is_open(now) => {
            let opens = hours.environment.next_opening(now);
            let what =
                format!("Trader Test is closed; whether the {message} was sent is asked then");
            closed(what, opens, now)
        }
        Action::GiveUp(_) if !hours.is_open(now) => {
            let opens = hours.environment.next_opening(now);
            let what = "Trader Test is closed; whether what is missing came after all is asked \
                        then";
            closed(what.to_owned(), opens, now)
        }
        Action::Await { waiting_for, look_at } => {
            hours.awaiting(scenario, state, tempo, (now, looked), (waiting_for, look_at))
        }
        other => other,
    }
}
