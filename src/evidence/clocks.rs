//! What the clocks of a run say of each other: our wall clock, our monotonic
//! clock, the server's `Date`, the API's own times.
//!
//! None of them is believed. The wall clock may be wrong or be set while a run
//! lasts; the monotonic clock stands still while a machine sleeps and starts
//! anew with each process; a server's `Date` may be missing or wrong. But a
//! line stands after the lines before it: what happened before a line was
//! written happened no later than any clock says of that line. So age counts
//! from the earliest time that any of them gives for anything from the first
//! submission on ([`crate::evidence::RunRecord::first_submission`]).

use chrono::{DateTime, TimeDelta, Utc};

use super::event::Event;
use super::record::Recorded;

/// `Date` has whole seconds, and lines are written a moment after their time
/// is taken: a smaller difference is none.
pub(super) const RESOLUTION_MS: i64 = 1000;

/// What a run's clocks say of each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// The furthest that our wall clock went back: against the monotonic clock
    /// within a session, against itself from one session to the next.
    pub set_back: Option<ClockChange>,
    /// The furthest that our wall clock ran ahead of the monotonic clock within
    /// a session: it was set forward, or the machine slept.
    pub set_forward: Option<ClockChange>,
    /// Largest difference between our clock and the API's own times of
    /// messages, in milliseconds; positive: we are ahead. None where the API
    /// told no time.
    pub received_skew_ms: Option<i64>,
    /// The earliest that our clock said from the first submission on.
    pub earliest: Option<DateTime<Utc>>,
    /// The earliest that our clock said in the index from the run's end on.
    pub indexed: Option<DateTime<Utc>>,
}

/// A change of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockChange {
    /// By how much, in milliseconds; always positive.
    pub by_ms: i64,
    /// The journal's line that shows it, from 1.
    pub line: u64,
}

impl Clocks {
    /// Notes the API's own time of a message: it lies between our request and
    /// the answer that told it, for a message sent; before the answer, for one
    /// received.
    pub(super) fn see_received(
        &mut self,
        from: Option<DateTime<Utc>>,
        to: DateTime<Utc>,
        received: Option<DateTime<Utc>>,
    ) {
        let Some(received) = received else { return };
        let ahead = from.map_or(0, |from| (from - received).num_milliseconds().max(0));
        let behind = (received - to).num_milliseconds().max(0);
        let skew = if ahead >= behind { ahead } else { -behind };
        let skew = if skew.abs() < RESOLUTION_MS { 0 } else { skew };
        if self.received_skew_ms.is_none_or(|max| skew.abs() > max.abs()) {
            self.received_skew_ms = Some(skew);
        }
    }
}

/// Watches the wall clock from line to line.
#[derive(Debug, Default)]
pub(super) struct Watch {
    session: Option<Session>,
    /// The latest that the wall clock has said.
    latest: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Session {
    at: DateTime<Utc>,
    mono_ns: u64,
    /// The furthest that the wall clock was ahead of the monotonic one since,
    /// either way, in milliseconds.
    low: i64,
    high: i64,
}

impl Watch {
    /// Takes a line in.
    pub(super) fn see(&mut self, recorded: &Recorded, clocks: &mut Clocks) {
        let line = recorded.seq + 1;
        let latest = self.latest.get_or_insert(recorded.at);
        let begins = matches!(recorded.event, Event::RunOpened(_) | Event::RunResumed(_));
        match &mut self.session {
            Some(session) if !begins => {
                let wall = (recorded.at - session.at).num_milliseconds();
                let mono = i128::from(recorded.mono_ns) - i128::from(session.mono_ns);
                let mono = i64::try_from(mono / 1_000_000).unwrap_or(i64::MAX);
                let ahead = wall.saturating_sub(mono);
                note(&mut clocks.set_back, session.high.saturating_sub(ahead), line);
                note(&mut clocks.set_forward, ahead.saturating_sub(session.low), line);
                (session.low, session.high) = (session.low.min(ahead), session.high.max(ahead));
            }
            // No monotonic clock spans two processes.
            _ => {
                let (at, mono_ns) = (recorded.at, recorded.mono_ns);
                self.session = Some(Session { at, mono_ns, low: 0, high: 0 });
            }
        }
        note(&mut clocks.set_back, (*latest - recorded.at).num_milliseconds(), line);
        *latest = (*latest).max(recorded.at);
    }
}

/// Keeps the largest change; of changes that are as good as equal the first.
fn note(kept: &mut Option<ClockChange>, by_ms: i64, line: u64) {
    let known = kept.map_or(0, |change| change.by_ms);
    if by_ms.saturating_sub(known) >= RESOLUTION_MS {
        *kept = Some(ClockChange { by_ms, line });
    }
}

/// The earliest `at` of these lines from number `seq` on.
pub(super) fn earliest_from(events: &[Recorded], seq: u64) -> Option<DateTime<Utc>> {
    events.iter().filter(|recorded| recorded.seq >= seq).map(|recorded| recorded.at).min()
}

/// A duration in words for people: `3 seconds`, `2 hours`.
pub fn in_words(by_ms: i64) -> String {
    let by = TimeDelta::milliseconds(by_ms);
    let (count, unit) = match by.num_seconds() {
        0..120 => (by.num_seconds(), "seconds"),
        120..7200 => (by.num_minutes(), "minutes"),
        7200..172_800 => (by.num_hours(), "hours"),
        _ => (by.num_days(), "days"),
    };
    format!("{count} {unit}")
}
