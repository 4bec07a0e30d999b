//! Which call leaves first when the budget does not let all of them go.
//!
//! What NCTS and its officers take their time over should begin early: the run
//! whose remaining way through timers and officers is longest decides when the
//! batch ends, so its calls go first. A poll for news goes last, for what it
//! would tell is no use while other calls wait; the later it is made, the more
//! it tells. It does not give way for ever.

use super::progress::Progress;
use super::state::State;
use crate::catalogue::Scenario;

/// How long officers take, in minutes: not known, and only compared with timers.
const OFFICERS: u32 = 5;

/// The rank of a call; the greatest leaves first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// A poll for news.
    Poll,
    /// A call of a run with this many minutes ahead of it; what starts
    /// something before what only tells of something.
    Run(u32, Kind),
    /// Nothing may go before: it must leave within seconds, or has given way
    /// for too long.
    Now,
}

/// What a run's call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It fetches.
    Tells,
    /// It sends a message, or finds out whether one was sent.
    Starts,
}

/// The minutes that a run has ahead of it: its timers, its officers, and a
/// minute for each step. A message that has a deadline counts like a timer: it
/// must not be overtaken for so long.
pub(super) fn minutes_left(scenario: &Scenario, state: &State, progress: &Progress<'_>) -> u32 {
    let (mut minutes, mut deadline) = (0_u32, 0);
    let steps = scenario.step.iter().zip(1_u32..).skip_while(|(_, n)| *n < progress.step);
    for (step, number) in steps {
        let timers: u32 = match number == progress.step {
            true => progress.missing.iter().filter_map(|expected| expected.after_minutes).sum(),
            false => step.expect.iter().filter_map(|expected| expected.after_minutes).sum(),
        };
        let officers = step.officer.is_some() && !state.asked.contains_key(&number);
        minutes = minutes.saturating_add(timers).saturating_add(1);
        minutes = minutes.saturating_add(if officers { OFFICERS } else { 0 });
        if !state.sent.contains_key(&number) {
            deadline = deadline.max(step.deadline_minutes_after_ie015.unwrap_or(0));
        }
    }
    minutes.max(deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::engine::tempo::Tempo;

    #[test]
    fn the_longest_way_goes_first_and_polls_go_last() {
        let mut ranks = [
            Urgency::Poll,
            Urgency::Now,
            Urgency::Run(46, Kind::Tells),
            Urgency::Run(5, Kind::Starts),
            Urgency::Run(46, Kind::Starts),
        ];
        ranks.sort();
        let expected = [
            Urgency::Poll,
            Urgency::Run(5, Kind::Starts),
            Urgency::Run(46, Kind::Tells),
            Urgency::Run(46, Kind::Starts),
            Urgency::Now,
        ];
        assert_eq!(ranks, expected);
    }

    #[test]
    fn timers_officers_and_deadlines_count() {
        let catalogue = Catalogue::built_in().unwrap();
        let left = |id: &str| {
            let scenario = catalogue.scenario("ncts6", id).unwrap();
            let state = State::default();
            minutes_left(scenario, &state, &Progress::of(scenario, &state, Tempo::REAL))
        };
        assert_eq!(left("P6-DSGB-01"), 45 + 1);
        assert_eq!(left("P6-DNGB-07"), 5 + 60 + 2);
        assert_eq!(left("P6-ASGB-03"), 45 + 5 + 3);
        // Its IE170 has 45 minutes.
        assert_eq!(left("P6-PSGB-01"), 45);
        assert_eq!(left("P6-DNGB-01"), 5 + 2);
    }
}
