//! Playing messages, mails and time against NCTS, in virtual time.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::packs::now;
use super::sample::{Sample, message};
use crate::ncts::{MessageType, MovementKind};
use crate::simulator::check::check;
use crate::simulator::movement::Outgoing;
use crate::simulator::ncts::Ncts;
use crate::simulator::officer::{self, Instruction, Mail};
use crate::simulator::options::{ApiVersion, SimulatorOptions};
use crate::simulator::outside::Outside;
use MessageType::Ie015;

/// A thing that happens from outside.
#[derive(Clone, Debug)]
pub(super) enum Do {
    Send(MessageType, Sample),
    /// A mail with this action.
    Ask(&'static str),
    /// Minutes pass.
    Wait(i64),
}

use Do::{Ask, Send, Wait};

pub(super) struct Play {
    pub(super) ncts: Ncts,
    start: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
    version: ApiVersion,
    pub(super) mrn: String,
    arrivals: u32,
    departures: u32,
    sent: u32,
    asked: u32,
    pub(super) seen: Vec<String>,
}

impl Play {
    pub(super) fn new(version: ApiVersion) -> Self {
        let start = now();
        let ncts = Ncts::new(Arc::new(SimulatorOptions::default()));
        let (mrn, seen) = (String::new(), Vec::new());
        Self {
            ncts,
            start,
            now: start,
            version,
            mrn,
            arrivals: 0,
            departures: 0,
            sent: 0,
            asked: 0,
            seen,
        }
    }

    /// Has a mail with this body read.
    pub(super) fn read(&self, body: &str) -> Result<Instruction, String> {
        let ncts6 = self.version.is_ncts6();
        let to = if ncts6 { officer::NCTS6_MAILBOX } else { officer::NCTS5_MAILBOX };
        let mail = Mail {
            to: to.to_owned(),
            subject: "Manual Intervention".to_owned(),
            body: body.to_owned(),
        };
        officer::read(&mail, &self.ncts)
    }

    /// What officers understand of a mail about a step.
    pub(super) fn told(&self, lrn: &str, step: u32, wish: &str) -> Instruction {
        self.read(&format!("Scenario DNGB1\nStep {step}: {wish}\nLRN: {lrn}")).unwrap()
    }

    pub(super) fn pass(&mut self, until: DateTime<Utc>) {
        self.now = until;
        for reply in self.ncts.due(until) {
            if let Some(mrn) = reply.departure.as_ref().and_then(|one| one.mrn.clone()) {
                self.mrn = mrn;
            }
            let seconds = (reply.at - self.start).num_seconds();
            let detail = match &reply.content {
                Outgoing::Rejected { errors, .. } => {
                    errors.iter().map(|one| format!(":{}", one.code)).collect()
                }
                Outgoing::GoodsReleased { released: false } => ":refused".to_owned(),
                Outgoing::Invalidation { positive: false, .. } => ":refused".to_owned(),
                Outgoing::UnloadingPermission { continued: Some(nth) } => format!(":{nth}"),
                _ => String::new(),
            };
            self.seen.push(format!(
                "{:02}:{:02} {} {}{detail}",
                seconds / 60,
                seconds % 60,
                reply.movement,
                reply.message
            ));
        }
    }

    pub(super) fn act(&mut self, what: &Do) {
        match what {
            Wait(minutes) => self.pass(self.now + TimeDelta::minutes(*minutes)),
            Send(of, sample) => {
                // Whatever is under way at this moment comes first.
                self.pass(self.now + TimeDelta::seconds(10));
                let kind = of.movement();
                let count = match kind {
                    MovementKind::Departure => &mut self.departures,
                    MovementKind::Arrival => &mut self.arrivals,
                };
                *count += u32::from(of.opens_movement());
                let id = format!("{}{count}", &kind.singular()[..1]);
                // Every message has its own identification, unless told otherwise.
                self.sent += 1;
                let own = format!(">M{}</messageIdentification>", self.sent);
                let xml =
                    message(*of, sample, &self.mrn).replace(">ID1</messageIdentification>", &own);
                let submitted = check(
                    xml.as_bytes(),
                    kind,
                    of.opens_movement(),
                    self.version,
                    &mut Outside::default(),
                )
                .unwrap();
                let taken = self.ncts.on_message(&id, self.version, Arc::new(submitted), self.now);
                if taken.is_err() {
                    self.seen.push(format!("{id} duplicate LRN"));
                }
            }
            Ask(action) => {
                self.pass(self.now + TimeDelta::seconds(10));
                self.asked += 1;
                let told = self.told("LRN1", self.asked, action);
                self.ncts.on_instruction(&told, 1, self.now);
                self.pass(self.now + TimeDelta::minutes(6));
                for outcome in self.ncts.outcomes() {
                    if outcome.refused.is_some() {
                        self.seen.push(format!(
                            "officer cannot {}",
                            serde_json::json!(outcome.act).as_str().unwrap()
                        ));
                    }
                }
            }
        }
    }
}

pub(super) fn play(version: ApiVersion, script: &[Do]) -> Vec<String> {
    let mut play = Play::new(version);
    for what in script {
        play.act(what);
    }
    play.pass(play.now + TimeDelta::hours(3));
    play.seen
}

/// The sequence of messages without instants.
pub(super) fn sequence(version: ApiVersion, script: &[Do]) -> String {
    play(version, script)
        .iter()
        .map(|line| {
            line.split_once(' ')
                .filter(|(at, _)| at.contains(':'))
                .map_or(line.as_str(), |(_, rest)| rest)
        })
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn simplified() -> Sample {
    Sample::default()
}

pub(super) fn normal() -> Sample {
    Sample { simplified: false, ..Sample::default() }
}

pub(super) fn bad_guarantee(sample: Sample) -> Sample {
    Sample { grn: "99GB0000010000031", ..sample }
}

/// Messages with one identification.
pub(super) fn same() -> Sample {
    Sample { identification: "SAME", ..Sample::default() }
}

pub(super) fn pre_lodged(sample: Sample) -> Sample {
    Sample { pre_lodged: true, ..sample }
}

fn released() -> [Do; 2] {
    [Send(Ie015, simplified()), Wait(50)]
}

pub(super) fn after_release(rest: Vec<Do>) -> Vec<Do> {
    released().into_iter().chain(rest).collect()
}
