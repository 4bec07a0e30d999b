//! How far the messages received fulfil a scenario's steps, and whether one of
//! them ends the run.
//!
//! A message counts for the step that is under way, and there for the message
//! that comes next. What NCTS does in a movement has an order; what it does in
//! different movements (at departure: IE019, IE035, IE045; at arrival: IE025)
//! has none. The order is that of the API's own times: an answer that shows a
//! newer message may not yet show an older one.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::state::State;
use super::tempo::Tempo;
use crate::catalogue::{Expectation, Release, Scenario, Step};
use crate::evidence::{Failure, Received};
use crate::ncts::MessageType;

/// Messages that tell something in passing: none of them answers anything.
const IN_PASSING: [MessageType; 3] = [MessageType::Ie019, MessageType::Ie060, MessageType::Ie182];

/// Messages after which a movement does not go on as it might have.
const DECISIVE: [MessageType; 5] = [
    MessageType::Ie009,
    MessageType::Ie025,
    MessageType::Ie029,
    MessageType::Ie035,
    MessageType::Ie045,
];

/// How far a run is.
#[derive(Debug)]
pub struct Progress<'a> {
    /// The first step not done, from 1; one more than the last when all are.
    pub step: u32,
    /// What that step still expects.
    pub missing: Vec<&'a Expectation>,
    /// When anything last happened in that step, as far as we know.
    pub since: Option<DateTime<Utc>>,
    /// When it happened indeed: messages count from when the API got them.
    pub happened: Option<DateTime<Utc>>,
    /// Why the run is over, if a message ended it.
    pub failure: Option<Failure>,
    /// A message that came before one that must come first.
    pub early: Option<Early<'a>>,
}

/// A message that is there, while one that must come before it is not.
#[derive(Debug)]
pub struct Early<'a> {
    /// The message that is there.
    pub message: MessageType,
    /// When it was fetched.
    pub at: DateTime<Utc>,
    /// The one that is not.
    pub missing: &'a Expectation,
    /// Why the run is over, if that one does not come.
    pub failure: Failure,
}

impl<'a> Progress<'a> {
    /// Folds the messages received into the steps.
    pub fn of(scenario: &'a Scenario, state: &'a State, tempo: Tempo) -> Self {
        let mut walk = Walk {
            scenario,
            state,
            tempo,
            open: scenario.step.iter().map(|step| step.expect.iter().collect()).collect(),
            touched: vec![None; scenario.step.len()],
            happened: vec![None; scenario.step.len()],
            claimed: Vec::new(),
            as_of: None,
            early: Vec::new(),
            failure: None,
        };
        let mut received: Vec<&(DateTime<Utc>, Received)> = state.received.iter().collect();
        // Stable: what came in the same instant keeps the order of the list.
        received.sort_by_key(|(at, received)| received.received.unwrap_or(*at));
        for (at, received) in received {
            walk.take(*at, received);
        }
        walk.as_of = None;
        walk.progress()
    }

    /// The step that is under way.
    pub fn current(&self, scenario: &'a Scenario) -> Option<&'a Step> {
        scenario.step.get(self.step as usize - 1)
    }
}

/// What a message means where a run is.
enum Means {
    /// It is the one that step `.0` expects at place `.1`.
    Expected(usize, usize),
    /// One that must come before it is missing.
    Early,
    /// The run is over.
    Ends(Failure),
    /// Nothing.
    Nothing,
}

struct Walk<'a> {
    scenario: &'a Scenario,
    state: &'a State,
    tempo: Tempo,
    open: Vec<Vec<&'a Expectation>>,
    touched: Vec<Option<DateTime<Utc>>>,
    happened: Vec<Option<DateTime<Utc>>>,
    claimed: Vec<&'a Received>,
    /// The API's time of the message that is looked at: what was sent later did
    /// not bring it about. None: all that was sent counts.
    as_of: Option<DateTime<Utc>>,
    early: Vec<(DateTime<Utc>, &'a Received)>,
    failure: Option<Failure>,
}

impl<'a> Walk<'a> {
    /// Takes the next message into account.
    fn take(&mut self, at: DateTime<Utc>, received: &'a Received) {
        if self.failure.is_some() {
            return;
        }
        self.as_of = received.received;
        match self.means(received) {
            Means::Expected(index, place) => {
                if let Some(missing) = self.open.get_mut(index) {
                    missing.remove(place);
                }
                if let Some(touched) = self.touched.get_mut(index) {
                    *touched = (*touched).max(Some(at));
                }
                if let Some(happened) = self.happened.get_mut(index) {
                    let came = self.state.came_at(at, received.received);
                    *happened = (*happened).max(Some(came));
                }
                self.claimed.push(received);
                self.again(received);
            }
            Means::Early => self.early.push((at, received)),
            Means::Ends(failure) => self.failure = Some(failure),
            Means::Nothing => {}
        }
    }

    /// Looks again at what was early when `next` was still missing. By the
    /// API's times they have an order, unless they came in the same instant.
    fn again(&mut self, next: &Received) {
        let kind = next.message.movement();
        let (same, others) = std::mem::take(&mut self.early)
            .into_iter()
            .partition(|(_, early)| early.message.movement() == kind);
        self.early = others;
        for (at, early) in same {
            if early.received.is_some() && early.received != next.received {
                self.failure = Some(self.out_of_order(early, next.message));
            }
            self.take(at, early);
        }
    }

    fn sent(&self, index: usize) -> bool {
        let step = self.scenario.step.get(index);
        step.is_some_and(|step| step.send.is_none() || self.was_sent(index as u32 + 1))
    }

    /// Whether a step's message had been sent, by the API's times where both
    /// are known.
    fn was_sent(&self, number: u32) -> bool {
        self.state.sent.get(&number).is_some_and(|(_, sent)| {
            let times = sent.received.zip(self.as_of);
            times.is_none_or(|(sent, as_of)| sent <= as_of)
        })
    }

    /// Whether everyone who acts in a step has acted.
    fn acted(&self, index: usize) -> bool {
        let number = index as u32 + 1;
        self.scenario.step.get(index).is_some_and(|step| {
            self.sent(index)
                && (step.officer.is_none()
                    || self.state.asked.contains_key(&number)
                    // Its house asks them whenever it likes, too; and in the
                    // sandbox there are none.
                    || self.state.software_acts_alone()
                    || self.state.in_sandbox())
                && (step.request.is_none() || self.state.balances.contains_key(&number))
        })
    }

    /// The first step that has not been acted on or still expects something. A
    /// step of officers alone is done once its messages came, asked or not.
    fn current(&self) -> usize {
        let done = |index: usize, step: &Step| {
            let fulfilled = self.open.get(index).is_none_or(Vec::is_empty);
            let unasked_is_fine = step.send.is_none() && !step.expect.is_empty();
            fulfilled && (unasked_is_fine || self.acted(index))
        };
        let steps = self.scenario.step.iter().enumerate();
        steps
            .into_iter()
            .position(|(index, step)| !done(index, step))
            .unwrap_or(self.scenario.step.len())
    }

    fn means(&self, received: &Received) -> Means {
        let current = self.current();
        let message = received.message;
        let kind = message.movement();
        let step = self.scenario.step.get(current);
        let open = self.open.get(current).map(Vec::as_slice).unwrap_or_default();
        // A message whose cause has not left answers nothing; nor does a
        // refusal of what nobody was asked.
        let answers = self.sent(current) && (!message.is_refusal() || self.acted(current));
        let next = open.iter().position(|expected| expected.message.movement() == kind);
        let next = next.filter(|_| answers).and_then(|place| Some((place, *open.get(place)?)));
        if let Some((place, expected)) = next
            && expected.message == message
        {
            return self.judge(current, place, expected, received);
        }
        if next.is_some() && open.iter().any(|expected| expected.message == message) {
            return Means::Early;
        }
        if message.is_refusal() {
            return Means::Ends(self.rejected(current, received));
        }
        let Some(step) = step else { return Means::Nothing };
        if self.claimed.iter().any(|claimed| claimed.message == message) {
            // Repeated, or told once more with other particulars.
            return Means::Nothing;
        }
        if let Some((_, expected)) = next
            && expected.message.is_refusal()
            && !IN_PASSING.contains(&message)
        {
            let what = format!(
                "NCTS answered {message} ({}) where it should have refused with {}: it took what \
                 it was sent for good",
                message.meaning(),
                expected.message
            );
            return Means::Ends(self.unexpected(current, received, what));
        }
        let later = (current + 1..self.scenario.step.len()).find(|index| {
            let open = self.open.get(*index).map(Vec::as_slice).unwrap_or_default();
            open.iter().any(|expected| expected.message == message)
        });
        let unsent = |to: usize| (current..=to).find(|index| !self.sent(*index));
        match later {
            Some(later) => match unsent(later) {
                Some(index) => Means::Ends(self.too_soon(index, received)),
                None => Means::Early,
            },
            None if DECISIVE.contains(&message) => Means::Ends(match unsent(current) {
                Some(index) => self.too_soon(index, received),
                None if message == MessageType::Ie029 && deadline_of(step).is_some() => {
                    self.officer_too_late(current, step, received)
                }
                None => {
                    let names = names(open);
                    let what = format!(
                        "NCTS answered {message} ({}), which the scenario does not have here; \
                         {names} can no longer come",
                        message.meaning(),
                    );
                    self.unexpected(current, received, what)
                }
            }),
            None => Means::Nothing,
        }
    }

    /// Whether a message of the right type at the right time also says what it
    /// must; what was injected in the sandbox says anything.
    fn judge(
        &self,
        index: usize,
        place: usize,
        expected: &Expectation,
        received: &Received,
    ) -> Means {
        if self.state.in_sandbox() {
            return Means::Expected(index, place);
        }
        if let Some(wanted) = expected.release {
            let said = release(received);
            // Told again, while the other is still to come.
            let told = |claimed: &&Received| {
                claimed.message == received.message && release(claimed) == said
            };
            return match said {
                _ if said == Some(wanted) => Means::Expected(index, place),
                Some(_) if self.claimed.iter().any(told) => Means::Nothing,
                Some(_) if self.released_later(index, said) => Means::Early,
                _ => Means::Ends(self.wrong_release(index, wanted, received)),
            };
        }
        if expected.violations.is_empty() {
            return Means::Expected(index, place);
        }
        let wanted: BTreeSet<&str> = expected.violations.iter().map(String::as_str).collect();
        let named: BTreeSet<&str> =
            received.errors.iter().map(|error| error.reason.as_str()).collect();
        let list = |rules: Vec<&&str>| {
            let rules: Vec<&str> = rules
                .into_iter()
                .map(|rule| if rule.is_empty() { "none" } else { *rule })
                .collect();
            rules.join(", ")
        };
        let others: Vec<&&str> = named.difference(&wanted).collect();
        let absent: Vec<&&str> = wanted.difference(&named).collect();
        let all = list(wanted.iter().collect());
        let reason = match (others.is_empty(), absent.is_empty()) {
            (true, true) => return Means::Expected(index, place),
            (false, _) => "unexpected-violation",
            (true, false) => "missing-violation",
        };
        let mut what =
            format!("NCTS refused with {} as it should, for other reasons than", received.message);
        what.push_str(&format!(" rule {all}"));
        if !others.is_empty() {
            what.push_str(&format!("; it also names {}", list(others)));
        }
        if !absent.is_empty() {
            what.push_str(&format!("; it does not name {}", list(absent)));
        }
        Means::Ends(self.failure(reason, index, received, what))
    }

    /// Whether a step still expects this release, after another.
    fn released_later(&self, index: usize, said: Option<Release>) -> bool {
        let open = self.open.get(index).map(Vec::as_slice).unwrap_or_default();
        open.iter().any(|expected| expected.release.is_some() && expected.release == said)
    }

    fn failure(&self, reason: &str, index: usize, received: &Received, message: String) -> Failure {
        Failure {
            reason: reason.to_owned(),
            step: index as u32 + 1,
            message,
            answer: Some(received.message),
            refused: None,
            errors: received.errors.iter().cloned().map(Into::into).collect(),
        }
    }

    fn rejected(&self, index: usize, received: &Received) -> Failure {
        let message = received.message;
        let what = format!("NCTS answered {message}: {}", message.meaning());
        self.failure("rejected", index, received, what)
    }

    fn unexpected(&self, index: usize, received: &Received, what: String) -> Failure {
        self.failure("unexpected-message", index, received, what)
    }

    /// It came before the message of step `index` was sent, which it makes
    /// pointless.
    fn too_soon(&self, index: usize, received: &Received) -> Failure {
        let message = received.message;
        let step = self.scenario.step.get(index);
        let send = step.and_then(|step| step.send).map_or("message", MessageType::as_str);
        let mut what = format!(
            "{message} ({}) came before the {send} was sent, which is too late for it now",
            message.meaning()
        );
        let minutes = step.and_then(|step| step.deadline_minutes_after_ie015);
        if let Some(minutes) = minutes {
            what.push_str(&format!(": it has {minutes} minutes from the IE015"));
        }
        what.push_str(". Start a new attempt");
        let reason = if minutes.is_some() { "deadline-missed" } else { "unexpected-message" };
        self.failure(reason, index, received, what)
    }

    fn officer_too_late(&self, index: usize, step: &Step, received: &Received) -> Failure {
        let minutes = deadline_of(step).unwrap_or_default();
        let by = self.state.declared_at().map(|at| at + self.tempo.minutes(minutes));
        let by = by.map(|by| format!(" (by {} UTC)", by.format("%Y-%m-%d %H:%M:%S")));
        let what = format!(
            "the goods were released ({}) before the officers acted: to {}, they have {minutes} \
             minutes from the IE015{}. Ask them to stand by, and start a new attempt",
            received.message,
            step.officer.as_deref().unwrap_or("act"),
            by.unwrap_or_default(),
        );
        self.failure("officer-too-late", index, received, what)
    }

    fn out_of_order(&self, early: &Received, missing: MessageType) -> Failure {
        let current = self.current();
        let step = self.scenario.step.get(current);
        if let Some(step) = step
            && early.message == MessageType::Ie029
            && step.officer.is_some()
            && deadline_of(step).is_some()
        {
            return self.officer_too_late(current, step, early);
        }
        if early.message == missing {
            let wanted = match release(early) {
                Some(Release::Granted) => Release::Refused,
                _ => Release::Granted,
            };
            return self.wrong_release(current, wanted, early);
        }
        let what = format!(
            "{} ({}) came before the {missing}, which the scenario has first",
            early.message,
            early.message.meaning()
        );
        self.failure("out-of-order", current, early, what)
    }

    fn wrong_release(&self, index: usize, wanted: Release, received: &Received) -> Failure {
        let words = |release| match release {
            Some(Release::Granted) => "releases the goods",
            Some(Release::Refused) => "does not release the goods",
            None => "does not say whether the goods are released",
        };
        let indicator = received.release_indicator.as_deref().unwrap_or("missing");
        let what = format!(
            "the {} {} (releaseIndicator {indicator}); the scenario has one first that {}",
            received.message,
            words(release(received)),
            words(Some(wanted)),
        );
        self.failure("unexpected-release", index, received, what)
    }

    fn progress(self) -> Progress<'a> {
        let current = self.current();
        let number = current as u32 + 1;
        let open = self.open.get(current).cloned().unwrap_or_default();
        let early = self.early.first().and_then(|(at, early)| {
            let kind = early.message.movement();
            let of_kind = |expected: &&&Expectation| expected.message.movement() == kind;
            let missing = open.iter().find(of_kind)?;
            let failure = self.out_of_order(early, missing.message);
            Some(Early { message: early.message, at: *at, missing, failure })
        });
        let acted_at = [
            self.state.sent.get(&number).map(|(at, _)| *at),
            self.state.asked.get(&number).copied(),
        ];
        let touched = self.touched.get(current).copied().flatten();
        let happened = self.happened.get(current).copied().flatten();
        let acted_at = acted_at.into_iter().flatten();
        Progress {
            step: number,
            since: acted_at.clone().chain(touched).max(),
            happened: acted_at.chain(happened).max(),
            missing: open,
            failure: self.failure,
            early,
        }
    }
}

/// Minutes from the IE015 within which a step's officers must act: the timer
/// that releases the goods runs all the while.
pub fn deadline_of(step: &Step) -> Option<u32> {
    step.officer.as_ref()?;
    step.officer_deadline_minutes.or(step.deadline_minutes_after_ie015)
}

/// What an IE025 says of the goods; none, where it does not say. The code list
/// is not published with the API: HMRC's example releases with 1.
fn release(received: &Received) -> Option<Release> {
    let indicator = received.release_indicator.as_deref()?;
    Some(if indicator == "1" { Release::Granted } else { Release::Refused })
}

/// `IE028, IE029`.
pub fn names(expected: &[&Expectation]) -> String {
    let names: Vec<&str> = expected.iter().map(|expected| expected.message.as_str()).collect();
    names.join(", ")
}
