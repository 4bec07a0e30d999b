//! The live board of a batch on a terminal: a line per run, then the totals.
//! What it shows is a pure function of what is known and the time.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::events::Tally;
use super::printer::{BAD, CARE, DIM, GOOD, PLAIN, paint, tame};
use crate::engine::RunView;
use crate::engine::report::Doing;
use crate::evidence::{Actor, RunId, RunState};

/// Columns for the scenario's id.
const ID: usize = 16;

/// What is known of a batch.
#[derive(Debug, Default)]
pub(super) struct Board {
    runs: BTreeMap<RunId, Row>,
    moves: u64,
    /// Requests so far.
    pub(super) requests: u64,
    /// Requests a second that are allowed.
    rate: f64,
}

#[derive(Debug)]
struct Row {
    order: usize,
    moved: u64,
    view: RunView,
}

impl Board {
    /// The board of a batch that may make `rate` requests a second.
    pub(super) fn new(rate: f64) -> Self {
        Self { rate, ..Self::default() }
    }

    /// A run moved on.
    pub(super) fn moved(&mut self, view: &RunView) {
        self.moves += 1;
        let order = self.runs.len();
        let (moved, view) = (self.moves, view.clone());
        match self.runs.get_mut(&view.run) {
            Some(row) => {
                row.moved = moved;
                row.view = view;
            }
            None => drop(self.runs.insert(view.run, Row { order, moved, view })),
        }
    }

    /// The runs by where they stand.
    pub(super) fn tally(&self) -> Tally {
        let count = |wanted: &[RunState]| {
            self.runs.values().filter(|row| wanted.contains(&row.view.state)).count()
        };
        Tally {
            passed: count(&[RunState::Passed]),
            failed: count(&[RunState::Failed, RunState::Abandoned]),
            waiting: count(&[RunState::Waiting]),
        }
    }

    /// At most `height` lines of at most `width` columns. Where not all runs
    /// fit, those that are over go first, then those that moved longest ago.
    pub(super) fn lines(&self, now: DateTime<Utc>, width: usize, height: usize) -> Vec<String> {
        let room = height.saturating_sub(1);
        let mut rows: Vec<&Row> = self.runs.values().collect();
        let mut hidden = 0;
        if rows.len() > room {
            rows.retain(|row| row.view.state == RunState::Waiting);
            if rows.len() > room {
                let shown = room.saturating_sub(1);
                rows.sort_by_key(|row| std::cmp::Reverse(row.moved));
                hidden = rows.len() - shown;
                rows.truncate(shown);
            }
        }
        rows.sort_by_key(|row| row.order);
        let mut lines: Vec<String> = rows.iter().map(|row| line(&row.view, now, width)).collect();
        if hidden > 0 && lines.len() < room {
            lines.push(paint(DIM, cut(&format!("… and {hidden} more under way"), width)));
        }
        lines.push(cut(&self.totals(), width));
        lines
    }

    fn totals(&self) -> String {
        let Tally { passed, failed, waiting } = self.tally();
        format!(
            "{passed} passed, {failed} failed, {waiting} under way of {}; {} requests (at most {} a \
             second)",
            self.runs.len(),
            self.requests,
            self.rate
        )
    }
}

/// One run in one line.
fn line(view: &RunView, now: DateTime<Utc>, width: usize) -> String {
    let waits = view.waiting_for.as_ref().filter(|_| view.doing == Doing::Waiting);
    let (style, who) = match (view.state, waits.map(|waits| waits.actor)) {
        (RunState::Passed, _) => (GOOD, "passed"),
        (RunState::Failed, _) => (BAD, "FAILED"),
        (RunState::Abandoned, _) => (DIM, "given up"),
        (RunState::Waiting, None) => (PLAIN, "running"),
        (RunState::Waiting, Some(Actor::You)) => (CARE, "you"),
        (RunState::Waiting, Some(Actor::Officer)) => (CARE, "officers"),
        (RunState::Waiting, Some(Actor::Timer)) => (PLAIN, "NCTS"),
        (RunState::Waiting, Some(Actor::OpeningHours)) => (CARE, "closed"),
        (RunState::Waiting, Some(Actor::RequestBudget)) => (PLAIN, "budget"),
    };
    let left = waits.and_then(|waits| waits.deadline).map_or_else(String::new, |at| left(at - now));
    let steps = format!("{}/{}", view.step, view.steps);
    let head = format!("{:<ID$} {steps:>5}  ", cut(&view.scenario, ID));
    let tail =
        cut(&format!("{left:>9}  {}", words(view)), width.saturating_sub(head.chars().count() + 9));
    match tail.trim_end() {
        "" => format!("{head}{}", paint(style, who)),
        tail => format!("{head}{} {tail}", paint(style, format!("{who:<8}"))),
    }
}

/// Time left, counting down.
fn left(left: TimeDelta) -> String {
    if left <= TimeDelta::zero() {
        return "due".to_owned();
    }
    let seconds = left.num_seconds();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match days {
        0 => format!("{hours}:{:02}:{:02}", minutes % 60, seconds % 60),
        _ => format!("{days}d {:02}:{:02}", hours % 24, minutes % 60),
    }
}

/// What a run is doing, in a few words.
pub(super) fn words(view: &RunView) -> String {
    match &view.doing {
        Doing::Opened { resumed: false } => "opened".to_owned(),
        Doing::Opened { resumed: true } => "taken up again".to_owned(),
        Doing::Busy(text) => text.clone(),
        Doing::Sent { message, .. } => format!("sent {message}"),
        Doing::Received { message, .. } => format!("got {message}"),
        Doing::Asked { follow_up: false, .. } => "officers asked".to_owned(),
        Doing::Asked { follow_up: true, .. } => "officers reminded".to_owned(),
        Doing::Answered { .. } => "officers replied".to_owned(),
        Doing::Waiting => view.waiting_for.as_ref().map_or_else(String::new, |w| w.what.clone()),
        Doing::Stopped(why) => format!("stopped: {why}"),
        Doing::Over(None) => String::new(),
        Doing::Over(Some(why)) => why.clone(),
    }
}

/// At most `width` characters in one line: a live line must not fold.
fn cut(text: &str, width: usize) -> String {
    let text = tame(text).replace(['\n', '\t'], " ");
    if text.chars().count() <= width {
        return text;
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::WaitingFor;
    use crate::ncts::MessageType;
    use uuid::Uuid;

    fn now() -> DateTime<Utc> {
        "2026-11-23T09:30:00Z".parse().unwrap()
    }

    fn view(number: u128, doing: Doing) -> RunView {
        RunView {
            run: Uuid::from_u128(number),
            scenario: format!("P6-DSGB-{number:02}"),
            programme: "ncts6".into(),
            attempt: 1,
            step: 1,
            steps: 2,
            messages: (0, 3),
            state: RunState::Waiting,
            doing,
            waiting_for: None,
        }
    }

    fn waiting(number: u128, actor: Actor, what: &str, seconds: Option<i64>) -> RunView {
        let deadline = seconds.map(|seconds| now() + TimeDelta::seconds(seconds));
        let waiting_for = Some(WaitingFor { actor, what: what.into(), deadline });
        RunView { waiting_for, ..view(number, Doing::Waiting) }
    }

    fn over(number: u128, state: RunState, why: Option<&str>) -> RunView {
        RunView { state, ..view(number, Doing::Over(why.map(str::to_owned))) }
    }

    fn plain(lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_line_tells_who_is_waited_for_and_how_long() {
        let mut board = Board::new(3.0);
        let long = "IE028, IE029: officers to accept and release the declaration (asked by e-mail)";
        for view in [
            waiting(1, Actor::Timer, "IE029 (45 minute timer)", Some(2_699)),
            waiting(2, Actor::Officer, long, Some(93_784)),
            waiting(3, Actor::OpeningHours, "Trader Test is closed", Some(-1)),
            view(4, Doing::Sent { step: 1, message: MessageType::Ie015 }),
            over(5, RunState::Passed, None),
            over(6, RunState::Failed, Some("NCTS answered\nIE056 \u{1b}[2J")),
        ] {
            board.moved(&view);
        }
        board.requests = 41;
        let lines = plain(&board.lines(now(), 79, 20));
        assert_eq!(
            lines,
            [
                "P6-DSGB-01         1/2  NCTS       0:44:59  IE029 (45 minute timer)",
                "P6-DSGB-02         1/2  officers  1d 02:03  IE028, IE029: officers to accept a…",
                "P6-DSGB-03         1/2  closed         due  Trader Test is closed",
                "P6-DSGB-04         1/2  running             sent IE015",
                "P6-DSGB-05         1/2  passed",
                "P6-DSGB-06         1/2  FAILED              NCTS answered IE056 \u{fffd}[2J",
                "1 passed, 1 failed, 4 under way of 6; 41 requests (at most 3 a second)",
            ]
        );
    }

    #[test]
    fn with_more_runs_than_lines_those_that_move_are_shown() {
        let mut board = Board::new(3.0);
        for number in 0..198 {
            board.moved(&view(number, Doing::Opened { resumed: false }));
        }
        for number in (0..198).filter(|number| number % 3 == 0) {
            board.moved(&over(number, RunState::Passed, None));
        }
        board.moved(&view(7, "sending IE015".into()));
        board.moved(&view(5, "sending IE015".into()));
        for (width, height) in [(79, 22), (40, 5), (10, 1), (1, 1), (79, 199)] {
            let lines = plain(&board.lines(now(), width, height));
            assert!(lines.len() <= height, "{height}: {}", lines.len());
            assert!(lines.iter().all(|line| line.chars().count() <= width.max(34)), "{width}");
        }
        let lines = plain(&board.lines(now(), 79, 22));
        assert_eq!(lines.len(), 22);
        assert!(lines[0].starts_with("P6-DSGB-05 ") && lines[1].starts_with("P6-DSGB-07 "));
        assert_eq!(lines[20], "… and 112 more under way");
        assert!(lines[21].starts_with("66 passed, 0 failed, 132 under way of 198;"));
        // Once they fit, all are shown; once over, the passed ones go first.
        assert_eq!(board.lines(now(), 79, 199).len(), 199);
        assert_eq!(board.lines(now(), 79, 140).len(), 133);
    }
}
