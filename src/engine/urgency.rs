//! Which call leaves first when the budget does not let all of them go.
//!
//! What has a deadline must not miss it, so a run whose declaration has left
//! goes before others until all such messages and mails have, too. Of the others, the run
//! whose way through timers and officers is longest decides when the batch ends:
//! what they take their time over should begin early. A poll for news goes last,
//! for what it would tell is no use while other calls wait; the later it is
//! made, the more it tells. It does not give way for ever.

use super::progress::{self, Progress};
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
    /// The same, and a deadline runs.
    Deadline(u32, Kind),
    /// Nothing may go before: it must leave within seconds, or has given way
    /// for too long.
    Now,
}

impl Urgency {
    /// Of a run's call.
    pub(super) fn of(
        scenario: &Scenario,
        state: &State,
        progress: &Progress<'_>,
        kind: Kind,
    ) -> Self {
        let minutes = minutes_left(scenario, state, progress);
        let deadline = scenario.step.iter().zip(1_u32..).any(|(step, number)| {
            let send = step.deadline_minutes_after_ie015.is_some() && step.send.is_some();
            let ask = progress::deadline_of(step).is_some();
            send && !state.sent.contains_key(&number) || ask && !state.asked.contains_key(&number)
        });
        match deadline && state.declared_at().is_some() {
            true => Self::Deadline(minutes, kind),
            false => Self::Run(minutes, kind),
        }
    }
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
/// minute for each step.
fn minutes_left(scenario: &Scenario, state: &State, progress: &Progress<'_>) -> u32 {
    let steps = scenario.step.iter().zip(1_u32..).skip_while(|(_, n)| *n < progress.step);
    let minutes = steps.map(|(step, number)| {
        let timers: u32 = match number == progress.step {
            true => progress.missing.iter().filter_map(|expected| expected.after_minutes).sum(),
            false => step.expect.iter().filter_map(|expected| expected.after_minutes).sum(),
        };
        let asks = step.officer.is_some() && !state.asked.contains_key(&number);
        timers.saturating_add(if asks { OFFICERS } else { 0 }).saturating_add(1)
    });
    minutes.fold(0, u32::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::digest::Digest;
    use crate::engine::tempo::Tempo;
    use crate::evidence::{ObjectRef, Submitted};
    use crate::ncts::{MessageType, MovementKind};
    use chrono::{DateTime, Utc};

    #[test]
    fn the_longest_way_goes_first_and_polls_go_last() {
        let mut ranks = [
            Urgency::Poll,
            Urgency::Now,
            Urgency::Run(46, Kind::Tells),
            Urgency::Deadline(1, Kind::Tells),
            Urgency::Run(5, Kind::Starts),
            Urgency::Run(46, Kind::Starts),
        ];
        ranks.sort();
        let expected = [
            Urgency::Poll,
            Urgency::Run(5, Kind::Starts),
            Urgency::Run(46, Kind::Tells),
            Urgency::Run(46, Kind::Starts),
            Urgency::Deadline(1, Kind::Tells),
            Urgency::Now,
        ];
        assert_eq!(ranks, expected);
    }

    fn of(id: &str, state: &State) -> Urgency {
        let catalogue = Catalogue::built_in().unwrap();
        let scenario = catalogue.scenario("ncts6", id).unwrap();
        Urgency::of(scenario, state, &Progress::of(scenario, state, Tempo::REAL), Kind::Starts)
    }

    #[test]
    fn timers_and_officers_count() {
        let of = |id| of(id, &State::default());
        assert_eq!(of("P6-DSGB-01"), Urgency::Run(45 + 1, Kind::Starts));
        assert_eq!(of("P6-DNGB-07"), Urgency::Run(5 + 60 + 2, Kind::Starts));
        assert_eq!(of("P6-ASGB-03"), Urgency::Run(45 + 5 + 3, Kind::Starts));
        assert_eq!(of("P6-DNGB-01"), Urgency::Run(5 + 2, Kind::Starts));
    }

    #[test]
    fn a_deadline_runs_from_the_declaration_to_the_last_message_that_has_one() {
        let mut state = State::default();
        assert_eq!(of("P6-PSGB-01", &state), Urgency::Run(2, Kind::Starts));
        send(&mut state, 1, MessageType::Ie015);
        assert_eq!(of("P6-PSGB-01", &state), Urgency::Deadline(2, Kind::Starts));
        send(&mut state, 2, MessageType::Ie170);
        assert_eq!(of("P6-PSGB-01", &state), Urgency::Run(2, Kind::Starts));
        assert_eq!(of("P6-DSGB-01", &state), Urgency::Run(46, Kind::Starts));
        // Its officers must be asked in time.
        assert_eq!(of("P6-DSGB-04", &state), Urgency::Deadline(7, Kind::Starts));
    }

    fn send(state: &mut State, step: u32, message: MessageType) {
        let submitted = Submitted {
            step,
            message,
            lrn: None,
            mrn: None,
            movement: MovementKind::Departure,
            movement_id: String::new(),
            message_id: String::new(),
            exchange: step,
            received: None,
            box_id: None,
            body: ObjectRef {
                sha256: Digest::of(b""),
                bytes: 0,
                media_type: None,
                redacted: false,
            },
        };
        state.sent.insert(step, (DateTime::<Utc>::MIN_UTC, submitted));
    }
}
