//! The timeline: every run a row, its messages as marks, its timers and waits
//! as bars; the same in words. Called by `report::html`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::axis::{Axis, Midnight};
use super::journal::state;
use super::run::name;
use super::steps::claims;
use super::text::short;
use super::times::{When, span};
use crate::calendar::london;
use crate::catalogue::Catalogue;
use crate::evidence::{Event, MessageRecord, RunRecord, RunState};
use crate::ncts::Direction;
use crate::report::RunStory;
use crate::report::model::Outcome;

/// Pixels: the names at the left, the rest, what stands above the rows.
const NAMES: f64 = 168.0;
const PLOT: f64 = 832.0;
/// Room for the last label.
const MARGIN: f64 = 30.0;
const TOP: f64 = 58.0;
/// Rows that are high enough for the types of messages.
const FEW: usize = 24;
const HIGH: f64 = 38.0;
const LOW: f64 = 24.0;
/// Least distance of two types in a row.
const APART: f64 = 38.0;
/// Least distance of the lengths of two gaps.
const LABEL: f64 = 66.0;
/// Marks of one run; the words and the run's own section have all.
pub(super) const MARKS: usize = 200;

type Instant = DateTime<Utc>;

/// The picture as `timeline.html` wants it. Lengths are pixels, in text.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    width: String,
    height: String,
    top: String,
    bottom: String,
    rows_height: String,
    axis_below: String,
    /// One sentence for who does not see it.
    summary: String,
    rows: Vec<Row>,
    gaps: Vec<Gap>,
    ticks: Vec<Tick>,
    days: Vec<Day>,
}

#[derive(Debug, Serialize)]
struct Row {
    id: String,
    /// The first pixel below the row before, its middle, and its height.
    y: String,
    middle: String,
    height: String,
    shaded: bool,
    label: String,
    name: String,
    state: &'static str,
    /// From opening to the end.
    life: Bar,
    bars: Vec<Bar>,
    marks: Vec<Mark>,
    words: Words,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: String,
    width: String,
    /// `life`, `officer` or `timer`.
    kind: &'static str,
    title: String,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: String,
    /// `sent`, `received`, `mail`, `answer`, `lost` or `end`.
    kind: &'static str,
    title: String,
    /// The type, where there is room for it.
    label: Option<&'static str>,
}

/// The row in words.
#[derive(Debug, Serialize)]
struct Words {
    opened: When,
    ended: Option<When>,
    took: String,
    events: Vec<String>,
    waits: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Gap {
    left: String,
    width: String,
    middle: String,
    label: String,
    /// Whether the label has room.
    labelled: bool,
}

#[derive(Debug, Serialize)]
struct Tick {
    x: String,
    utc: String,
    london: String,
    /// The date, where it is another than the label before.
    utc_day: Option<String>,
    london_day: Option<String>,
}

#[derive(Debug, Serialize)]
struct Day {
    x: String,
    kind: &'static str,
    title: String,
}

/// What happened in a run that the picture shows.
struct Story<'a> {
    record: &'a RunRecord,
    end: Instant,
    marks: Vec<(Instant, &'static str, String, Option<&'static str>)>,
    bars: Vec<(Instant, Instant, &'static str, String)>,
}

fn px(x: f64) -> String {
    // Minus nought and nought are the same pixel.
    format!("{:.1}", (x * 10.0).round() / 10.0 + 0.0)
}

impl Timeline {
    /// None without runs.
    pub(super) fn new(runs: &[RunStory], catalogue: &Catalogue) -> Option<Self> {
        let mut stories: Vec<Story<'_>> =
            runs.iter().map(|run| Story::new(run, catalogue)).collect();
        stories.sort_by_key(|story| (story.record.opened, story.record.run));
        let first = stories.iter().map(Story::began).min()?;
        let last = stories.iter().map(|story| story.end).max()?;
        let open: Vec<_> = stories.iter().map(|story| (story.began(), story.end)).collect();
        let instants = stories.iter().flat_map(Story::instants).collect();
        let axis = Axis::new(instants, &open, NAMES, PLOT - MARGIN);
        let height = if stories.len() <= FEW { HIGH } else { LOW };
        let labelled = stories.len() <= FEW;
        let rows: Vec<Row> = stories
            .iter()
            .enumerate()
            .map(|(at, story)| story.row(&axis, TOP + at as f64 * height, height, at, labelled))
            .collect();
        let bottom = TOP + rows.len() as f64 * height;
        Some(Self {
            width: px(NAMES + PLOT),
            height: px(bottom + 46.0),
            top: px(TOP),
            bottom: px(bottom),
            rows_height: px(bottom - TOP),
            axis_below: px(bottom + 18.0),
            summary: format!(
                "{} runs between {} and {}",
                rows.len(),
                london::for_people(first),
                london::for_people(last)
            ),
            rows,
            gaps: gaps(&axis),
            ticks: ticks(&axis),
            days: days(&axis),
        })
    }
}

fn gaps(axis: &Axis) -> Vec<Gap> {
    let mut last = f64::NEG_INFINITY;
    let each = axis.gaps().into_iter();
    each.map(|gap| {
        let middle = (gap.left + gap.right) / 2.0;
        let labelled = middle - last >= LABEL;
        if labelled {
            last = middle;
        }
        Gap {
            left: px(gap.left),
            width: px(gap.right - gap.left),
            middle: px(middle),
            label: span(gap.length),
            labelled,
        }
    })
    .collect()
}

fn ticks(axis: &Axis) -> Vec<Tick> {
    let mut days = (String::new(), String::new());
    let ticks = axis.ticks();
    // As many digits as tell one label from the next.
    let length = match axis.step() {
        ..1000 => 10,
        1000..60_000 => 8,
        _ => 5,
    };
    let changed = |day: &mut String, now: String| {
        let changed = *day != now;
        day.clone_from(&now);
        changed.then_some(now)
    };
    ticks
        .into_iter()
        .map(|(at, x)| {
            let tenth = at.timestamp_subsec_millis() / 100;
            let london = london::for_records(at);
            let whole = |text: &str| text.get(..19).unwrap_or_default().to_owned();
            // `2026-07-21 23:30:00.5`, both.
            let utc = format!("{}.{tenth}", at.format("%F %T"));
            let london = format!("{}.{tenth}", whole(&london));
            let time = |text: &str| text.get(11..11 + length).unwrap_or_default().to_owned();
            let day = |text: &str| text.get(..10).unwrap_or_default().to_owned();
            Tick {
                x: px(x),
                utc: time(&utc),
                london: time(&london),
                utc_day: changed(&mut days.0, day(&utc)),
                london_day: changed(&mut days.1, day(&london)),
            }
        })
        .collect()
}

fn days(axis: &Axis) -> Vec<Day> {
    let each = axis.midnights().into_iter();
    each.map(|(at, which, x)| {
        let (kind, whose) = match which {
            Midnight::Utc => ("utc", "of the UTC day"),
            Midnight::London => ("london", "of the London day"),
            Midnight::Both => ("both", "of the day in London and UTC"),
        };
        let day = match which {
            Midnight::London => london::day_of(at),
            _ => at.date_naive(),
        };
        Day { x: px(x), kind, title: format!("beginning {whose} {day}") }
    })
    .collect()
}

/// A run at the left of its row: as much as there is room for.
fn label(glyph: &str, scenario: &str, attempt: u32) -> String {
    const ROOM: usize = 12;
    let cut = if scenario.chars().count() > ROOM { "…" } else { "" };
    let scenario: String = scenario.chars().take(ROOM).collect();
    format!("{glyph} {scenario}{cut} #{attempt}")
}

/// When a message stands in the picture: when we sent it; when NCTS's came, by
/// the API's own time where known.
fn when(message: &MessageRecord) -> Instant {
    match message.direction {
        Direction::Sent => message.at,
        Direction::Received => message.received.unwrap_or(message.at),
    }
}

fn clock(at: Instant) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl<'a> Story<'a> {
    fn new(story: &'a RunStory, catalogue: &Catalogue) -> Self {
        let record = &story.record;
        let end = record.closed.unwrap_or(record.last_event).max(record.opened);
        let mut found = Self { record, end, marks: Vec::new(), bars: Vec::new() };
        for message in &record.messages {
            let (kind, word) = match message.direction {
                Direction::Sent => ("sent", "sent"),
                Direction::Received => ("received", "received"),
            };
            let at = when(message);
            let kind_of = message.message;
            let title = format!("{kind_of} {word} {}: {}", clock(at), kind_of.meaning());
            found.marks.push((at, kind, title, Some(kind_of.as_str())));
        }
        for balance in &record.balances {
            let title = format!("balance asked for {}", clock(balance.at));
            found.marks.push((balance.at, "sent", title, None));
        }
        for exchange in &story.exchanges {
            if let Outcome::Failed(failed) = &exchange.outcome {
                let failure = short(&failed.failure, 40);
                let title = format!("no answer ({failure}) {}", clock(exchange.at));
                found.marks.push((exchange.at, "lost", title, None));
            }
        }
        found.officers(story);
        found.timers(catalogue);
        if let Some(closed) = record.closed {
            let title = format!("{} {}", state(record.state), clock(closed));
            found.marks.push((closed, "end", title, None));
        }
        found.marks.sort_by_key(|mark| mark.0);
        found
    }

    /// Mails, and how long the officers were waited for: until the user told
    /// of their answer or the next message came.
    fn officers(&mut self, story: &RunStory) {
        for (nth, line) in story.events.iter().enumerate() {
            let (kind, words) = match &line.event {
                Event::OfficerAsked(_) => ("mail", "officers asked"),
                Event::OfficerReminded(_) => ("mail", "officers reminded"),
                Event::OfficerAnswered(_) => ("answer", "officers answered"),
                _ => continue,
            };
            let at = line.at;
            self.marks.push((at, kind, format!("{words} {}", clock(at)), None));
            if let Event::OfficerAsked(asked) = &line.event {
                let told = story.events.iter().skip(nth).find_map(|later| match &later.event {
                    Event::OfficerAnswered(answer) if answer.step == asked.step => Some(later.at),
                    _ => None,
                });
                let received =
                    self.record.messages.iter().filter(|message| {
                        message.direction == Direction::Received && message.at >= at
                    });
                // It may have been there before we asked for the news.
                let came = received.map(|message| when(message).max(at)).min();
                let until = [told, came].into_iter().flatten().min().unwrap_or(self.end).max(at);
                let title = format!("waiting for the officers, {}", span(until - at));
                self.bars.push((at, until, "officer", title));
            }
        }
    }

    /// The timers that brought a message: from the last thing before it.
    fn timers(&mut self, catalogue: &Catalogue) {
        let record = self.record;
        let Some(scenario) = catalogue.scenario(&record.programme, &record.scenario) else {
            return;
        };
        for (step, claims) in scenario.step.iter().zip(claims(scenario, record)) {
            for (expectation, claim) in step.expect.iter().zip(claims) {
                let message = claim.and_then(|at| record.messages.get(at));
                let (Some(minutes), Some(message)) = (expectation.after_minutes, message) else {
                    continue;
                };
                let to = when(message);
                let from = record.messages.iter().map(when).filter(|at| *at < to).max();
                let Some(from) = from else { continue };
                let title = format!(
                    "timer of {minutes} minutes for {}: took {}",
                    message.message,
                    span(to - from)
                );
                self.bars.push((from, to, "timer", title));
            }
        }
    }

    /// What the software did may have been there before the run opened.
    fn began(&self) -> Instant {
        let marks = self.marks.iter().map(|mark| mark.0);
        marks.fold(self.record.opened, Instant::min)
    }

    fn instants(&self) -> Vec<Instant> {
        let marks = self.marks.iter().map(|mark| mark.0);
        marks.chain([self.record.opened, self.end]).collect()
    }

    fn row(&self, axis: &Axis, y: f64, height: f64, at: usize, labelled: bool) -> Row {
        let record = self.record;
        let bar = |from: Instant, to: Instant, kind, title: String| {
            let (left, right) = (axis.x(from), axis.x(to));
            Bar { x: px(left), width: px((right - left).max(1.0)), kind, title }
        };
        let took = span(self.end - record.opened);
        let mut last = f64::NEG_INFINITY;
        let marks = self.marks.iter().take(MARKS).map(|(at, kind, title, label)| {
            let x = axis.x(*at);
            let label = label.filter(|_| labelled && x - last >= APART);
            if label.is_some() {
                last = x;
            }
            Mark { x: px(x), kind, title: title.clone(), label }
        });
        let life = format!("{}, {took}", state(record.state));
        let glyph = match record.state {
            RunState::Passed => "✓",
            RunState::Failed => "✗",
            RunState::Waiting => "…",
            RunState::Abandoned => "–",
        };
        Row {
            id: record.run.to_string(),
            y: px(y),
            middle: px(y + height / 2.0 + if labelled { 5.0 } else { 0.0 }),
            height: px(height),
            shaded: at % 2 == 1,
            label: label(glyph, &record.scenario, record.attempt),
            name: name(&record.scenario, record.attempt),
            state: state(record.state),
            marks: marks.collect(),
            life: bar(record.opened, self.end, "life", life),
            bars: self
                .bars
                .iter()
                .take(MARKS)
                .map(|(from, to, kind, title)| bar(*from, *to, kind, title.clone()))
                .collect(),
            words: Words {
                opened: When::new(record.opened),
                ended: record.closed.map(When::new),
                took,
                events: self.marks.iter().take(MARKS).map(|mark| mark.2.clone()).collect(),
                waits: self.bars.iter().take(MARKS).map(|bar| bar.3.clone()).collect(),
            },
        }
    }
}
