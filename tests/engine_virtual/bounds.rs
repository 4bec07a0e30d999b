//! The least that scenarios cost, from what the catalogue expects and the
//! simulator is set to: requests, and time.
//!
//! A message that is sent is one POST, one that is received one fetch. Nothing
//! but a movement's list of messages tells the id by which a message is
//! fetched, so each wait costs a list besides, for each movement in which it
//! ends; messages that come together, without a timer between them, are one
//! wait. That something has come is told by a poll of all movements of a kind,
//! which any number of runs share; but a run that waits several times in turn
//! needs as many.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ctc_ready::catalogue::{PresentationTimer, Scenario, Step};
use ctc_ready::ncts::MovementKind;
use ctc_ready::simulator::{Delays, Timers};

/// What scenarios cost at least.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Least {
    /// Messages sent, and questions for balances.
    pub(crate) posts: u32,
    /// Messages received.
    pub(crate) fetches: u32,
    /// Lists of messages.
    pub(crate) lists: u32,
    /// Polls for each kind of movement.
    pub(crate) polls: BTreeMap<MovementKind, u32>,
    /// The longest way of one run through timers and officers.
    pub(crate) chain: Duration,
}

impl Least {
    /// Of one scenario.
    pub(crate) fn of(scenario: &Scenario, timers: Timers, delays: Delays) -> Self {
        let mut least = Self::default();
        for step in &scenario.step {
            least.posts += u32::from(step.send.is_some()) + u32::from(step.request.is_some());
            least.fetches += step.expect.len() as u32;
            for wait in waits(step) {
                least.lists += wait.len() as u32;
                wait.into_iter().for_each(|kind| *least.polls.entry(kind).or_default() += 1);
            }
        }
        least.chain = chain(scenario, timers, delays);
        least
    }

    /// Of both at the same time.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.posts += other.posts;
        self.fetches += other.fetches;
        self.lists += other.lists;
        for (kind, polls) in other.polls {
            let shared = self.polls.entry(kind).or_default();
            *shared = (*shared).max(polls);
        }
        self.chain = self.chain.max(other.chain);
        self
    }

    /// Requests in all.
    pub(crate) fn requests(&self) -> u32 {
        self.without_lists() + self.lists
    }

    /// The same for who is told of messages and need not list them.
    pub(crate) fn without_lists(&self) -> u32 {
        self.messages() + self.polls.values().sum::<u32>()
    }

    /// Messages and questions alone, as if nobody had to be asked for news.
    pub(crate) fn messages(&self) -> u32 {
        self.posts + self.fetches
    }

    /// The least time, with so many requests a second.
    pub(crate) fn makespan(&self, per_second: f64) -> Duration {
        self.chain.max(Duration::from_secs_f64(f64::from(self.requests()) / per_second))
    }
}

/// How long questions about one guarantee take in turn, each but the last
/// followed by its lock. What is to be asked while it is locked waits for nobody.
pub(crate) fn turns(scenarios: &[Scenario], lock: Duration) -> Duration {
    let mut turns: BTreeMap<&str, u32> = BTreeMap::new();
    for request in scenarios.iter().flat_map(|one| &one.step).filter_map(|it| it.request.as_ref()) {
        if request.within_seconds.is_none() {
            *turns.entry(&request.grn).or_default() += 1;
        }
    }
    lock * turns.values().max().map_or(0, |most| most - 1)
}

/// The waits of a step: the kinds of movement in which messages come together.
fn waits(step: &Step) -> Vec<BTreeSet<MovementKind>> {
    let mut waits: Vec<BTreeSet<MovementKind>> = Vec::new();
    let expires = step.presentation_timer == Some(PresentationTimer::Expires);
    for (nth, expected) in step.expect.iter().enumerate() {
        let timed = expected.after_minutes.is_some() || expires && nth + 1 == step.expect.len();
        match waits.last_mut().filter(|_| !timed) {
            Some(wait) => _ = wait.insert(expected.message.movement()),
            None => waits.push(BTreeSet::from([expected.message.movement()])),
        }
    }
    waits
}

/// Timers and officers one after the other. What takes NCTS a second or two is
/// left out, but for the first answer to a message: the bound stays one.
fn chain(scenario: &Scenario, timers: Timers, delays: Delays) -> Duration {
    let mut at = Duration::ZERO;
    for step in &scenario.step {
        if step.officer.is_some() {
            at += delays.officer;
        } else if step.send.is_some() && !step.expect.is_empty() {
            at += delays.processing;
        }
        for minutes in step.expect.iter().filter_map(|expected| expected.after_minutes) {
            at += Duration::from_secs(60 * u64::from(minutes));
        }
        if step.presentation_timer == Some(PresentationTimer::Expires) {
            // It runs from the declaration.
            at = at.max(timers.await_presentation);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctc_ready::catalogue::Catalogue;
    use ctc_ready::simulator::SimulatorOptions;

    fn least(programme: &str, id: &str) -> Least {
        let catalogue = Catalogue::built_in().unwrap();
        let options = SimulatorOptions::default();
        let scenario = catalogue.scenario(programme, id).unwrap();
        Least::of(scenario, options.ncts6, options.delays)
    }

    fn counts(least: &Least) -> (u32, u32, u32, Vec<u32>, u64) {
        let polls = least.polls.values().copied().collect();
        (least.posts, least.fetches, least.lists, polls, least.chain.as_secs())
    }

    #[test]
    fn a_release_by_a_timer_is_two_waits() {
        let least = least("ncts6", "P6-DSGB-01");
        assert_eq!(counts(&least), (1, 3, 2, vec![2], 1 + 45 * 60));
        assert_eq!((least.requests(), least.without_lists()), (8, 6));
    }

    #[test]
    fn what_comes_to_both_movements_is_listed_in_both() {
        // IE015: two waits; IE007; IE044, with an IE025 and an IE045.
        let least = least("ncts6", "P6-ASGB-01");
        assert_eq!(counts(&least), (3, 6, 5, vec![3, 2], 3 + 45 * 60));
    }

    #[test]
    fn officers_take_their_time_and_a_timer_may_run_after_them() {
        let normal = least("ncts6", "P6-DNGB-07");
        assert_eq!(counts(&normal), (1, 4, 3, vec![3], 1 + 300 + 60 * 60));
        // The timer of the presentation runs from the declaration.
        let expires = least("ncts6", "P6-PSGB-02");
        assert_eq!(counts(&expires), (2, 3, 3, vec![3], 45 * 60));
    }

    #[test]
    fn polls_are_shared_and_the_rest_adds_up() {
        let one = least("ncts6", "P6-DSGB-01");
        let both = one.clone().and(least("ncts6", "P6-ASGB-01"));
        assert_eq!(counts(&both), (4, 9, 7, vec![3, 2], 3 + 45 * 60));
        assert_eq!(both.requests(), 25);
        assert_eq!(both.makespan(3.0).as_secs(), 2_703);
        assert_eq!(both.makespan(0.005).as_secs(), 5_000);
        assert_eq!(least("guarantee-balance", "Scenario 2 GB").requests(), 2);
    }

    #[test]
    fn questions_about_one_guarantee_take_turns() {
        let catalogue = Catalogue::built_in().unwrap();
        let all = catalogue.scenarios("guarantee-balance");
        let minute = Duration::from_secs(60);
        // Scenarios 1 and 4 of a side have the same one.
        assert_eq!(turns(all, minute), minute);
        assert_eq!(turns(&all[..1], minute), Duration::ZERO);
    }
}
