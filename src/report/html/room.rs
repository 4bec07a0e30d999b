//! What there is room for on the page, told from sizes alone before anything is
//! read: first a line for every line of a journal, then the bodies of messages,
//! mails and attachments of all runs, then headers, then all other bodies.
//! Called by `report::html`.

use std::collections::{BTreeMap, BTreeSet};

use super::body;
use super::timeline::MARKS;
use crate::digest::Digest;
use crate::evidence::{Event, ObjectRef, Recorded, RunId};
use crate::report::RunStory;
use crate::report::model::{Exchange, Outcome};

/// Bytes of HTML, at most: the frame; what every run has; a message with its
/// mark in the picture; an error that NCTS named; a mail or an answer; a mark in
/// the picture; a line of a journal.
const FRAME: usize = 64 << 10;
const RUN: usize = 24 << 10;
const MESSAGE: usize = 4 << 10;
const ERROR: usize = 4 << 10;
const MAIL: usize = 6 << 10;
const MARK: usize = 400;
pub(super) const LINE: usize = 2500;
/// Bytes of HTML that a header may take, name and value each.
pub(super) const HEADER: usize = 1024;
/// Most headers told of one side of an exchange.
pub(super) const HEADERS: usize = 60;
/// Bytes of HTML that an address may take.
pub(super) const ADDRESS: usize = 1024;
/// Most errors told of one failure.
pub(super) const ERRORS: usize = 50;

/// What there is room for.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Bodies.
    pub(super) bodies: BTreeSet<Digest>,
    /// Journal lines told, by run.
    pub(super) lines: BTreeMap<RunId, usize>,
    /// Exchanges whose headers are told.
    pub(super) headers: BTreeSet<(RunId, u32)>,
}

struct Budget {
    left: usize,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> bool {
        let fits = self.left >= bytes;
        self.left -= if fits { bytes } else { 0 };
        fits
    }
}

impl Room {
    /// Of `max` bytes, for runs in the order in which they are told.
    pub(super) fn plan(runs: &[&RunStory], max: usize) -> Self {
        let mut room = Self::default();
        let fixed: usize = runs.iter().map(|run| facts(run)).sum();
        let mut budget = Budget { left: max.saturating_sub(FRAME + fixed) };
        for run in runs {
            let lines = run.events.iter().take_while(|_| budget.take(LINE)).count();
            room.lines.insert(run.record.run, lines);
        }
        let sent = runs.iter().flat_map(|run| run.record.messages.iter().map(|m| &m.body));
        room.bodies(sent, &mut budget);
        room.bodies(
            runs.iter().flat_map(|run| run.events.iter()).flat_map(correspondence),
            &mut budget,
        );
        for run in runs {
            for exchange in &run.exchanges {
                if budget.take(headers_cost(exchange)) {
                    room.headers.insert((run.record.run, exchange.request.exchange));
                }
            }
        }
        room.bodies(runs.iter().flat_map(|run| run.exchanges.iter()).flat_map(bodies), &mut budget);
        room
    }

    fn bodies<'a>(&mut self, of: impl Iterator<Item = &'a ObjectRef>, budget: &mut Budget) {
        for object in of {
            if !self.bodies.contains(&object.sha256) && budget.take(body::cost(object)) {
                self.bodies.insert(object.sha256);
            }
        }
    }
}

fn facts(run: &RunStory) -> usize {
    let errors = run.record.failure.as_ref().map_or(0, |failure| failure.errors.len());
    let mails = run
        .events
        .iter()
        .map(|recorded| match &recorded.event {
            Event::OfficerAsked(_) | Event::OfficerReminded(_) => 1,
            Event::OfficerAnswered(answered) => 1 + answered.attachments.len(),
            Event::BalanceAnswered(_) => 1,
            _ => 0,
        })
        .sum::<usize>();
    let marks = run.events.len().min(MARKS) * MARK;
    RUN + marks + run.record.messages.len() * MESSAGE + errors.min(ERRORS) * ERROR + mails * MAIL
}

/// The bodies of a line about the officers.
fn correspondence(recorded: &Recorded) -> Vec<&ObjectRef> {
    match &recorded.event {
        Event::OfficerAsked(asked) | Event::OfficerReminded(asked) => {
            std::iter::once(&asked.body).chain(&asked.eml).collect()
        }
        Event::OfficerAnswered(answered) => {
            answered.attachments.iter().map(|attachment| &attachment.file).collect()
        }
        _ => Vec::new(),
    }
}

/// The bodies of an exchange.
fn bodies(exchange: &Exchange) -> impl Iterator<Item = &ObjectRef> {
    let answer = match &exchange.outcome {
        Outcome::Answered(response) => response.body.as_ref(),
        _ => None,
    };
    exchange.request.body.iter().chain(answer)
}

fn headers_cost(exchange: &Exchange) -> usize {
    let cost = |headers: &[(String, String)]| -> usize {
        let one = |(name, value): &(String, String)| {
            // At worst a byte becomes six: a quotation mark.
            let size = |text: &str| text.len().saturating_mul(6).min(HEADER) + 60;
            size(name) + size(value)
        };
        headers.iter().take(HEADERS).map(one).sum()
    };
    let answered = match &exchange.outcome {
        Outcome::Answered(response) => cost(&response.headers),
        _ => 0,
    };
    cost(&exchange.request.headers) + answered
}
