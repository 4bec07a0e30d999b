//! Which rules strike. Each rule counts what it matches; the count, the seed
//! and the rule's place in the file decide, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Fault, Faults, Moment, Rule};
use crate::digest::Digest;
use crate::ncts::MessageType;
use crate::simulator::movement::Reply;

/// A fault that struck, as the log lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::simulator) struct Struck {
    at: String,
    /// The rule's name, or its number.
    rule: String,
    #[serde(rename = "do")]
    name: String,
    /// Which match of the rule it was, from 1.
    matched: u64,
    method: Option<String>,
    path: Option<String>,
    message_type: Option<MessageType>,
    /// The movement, for faults of replies.
    movement_id: Option<String>,
    /// What was done to the reply, and to which since the simulator began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::simulator) twist: Option<(u64, Twist)>,
}

/// What a fault makes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::simulator) enum Twist {
    Duplicate { after: Duration },
    Late { by: Duration },
    Behind { within: Duration },
}

/// A request, as far as rules look at it.
#[derive(Debug)]
pub(in crate::simulator) struct Asked<'a> {
    pub(in crate::simulator) method: &'a Method,
    pub(in crate::simulator) path: &'a str,
    pub(in crate::simulator) body: &'a [u8],
}

/// What is to happen to one request.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Plan {
    pub(in crate::simulator) delay: Duration,
    /// What becomes of the answer.
    pub(in crate::simulator) end: Option<Fault>,
    /// What is done to it besides.
    pub(in crate::simulator) also: Vec<Fault>,
}

/// The rules with their counts.
#[derive(Debug)]
pub(in crate::simulator) struct Schedule {
    faults: Faults,
    /// For each rule how often it matched and struck.
    counts: Vec<(u64, u64)>,
    started: DateTime<Utc>,
    time_scale: f64,
}

/// How far into a body its message type is looked for.
const HEAD: usize = 4096;

/// The type named first in the head of a message: `CC015C`, in XML or JSON.
fn type_of(body: &[u8]) -> Option<MessageType> {
    let head = body.get(..HEAD).unwrap_or(body);
    head.windows(6)
        .filter(|word| word.starts_with(b"CC") && word.ends_with(b"C"))
        .filter_map(|word| std::str::from_utf8(word).ok())
        .find_map(MessageType::from_root)
}

impl Schedule {
    /// A schedule of which nothing has happened yet.
    pub(in crate::simulator) fn new(
        faults: Faults,
        started: DateTime<Utc>,
        time_scale: f64,
    ) -> Self {
        let counts = vec![(0, 0); faults.rules.len()];
        Self { faults, counts, started, time_scale }
    }

    fn is_past(&self, moment: Moment, now: DateTime<Utc>) -> bool {
        match moment {
            Moment::At(at) => now >= at,
            Moment::After(seconds) => {
                let real = (now - self.started).num_milliseconds() as f64 / 1000.0;
                real * self.time_scale >= seconds
            }
        }
    }

    /// Whether a rule that matches strikes; its count if so.
    fn strikes(&mut self, index: usize, now: DateTime<Utc>, free: bool) -> Option<u64> {
        let rule = self.faults.rules.get(index)?;
        let early = rule.from.is_some_and(|from| !self.is_past(from, now));
        if early || rule.until.is_some_and(|until| self.is_past(until, now)) {
            return None;
        }
        let seed = self.faults.seed;
        let (matched, struck) = self.counts.get_mut(index)?;
        *matched += 1;
        let nth = *matched;
        let due = rule.nth.is_none_or(|wanted| nth == wanted)
            && rule.every.is_none_or(|every| nth % every == 0)
            && rule.probability.is_none_or(|limit| chance(seed, index, nth) < limit)
            && rule.times.is_none_or(|times| *struck < times);
        if !(due && free) {
            return None;
        }
        *struck += 1;
        Some(nth)
    }

    /// What is to happen to a request at `now`, and what to log of it.
    fn request(&mut self, asked: &Asked<'_>, now: DateTime<Utc>) -> (Plan, Vec<Struck>) {
        let (mut plan, mut struck) = (Plan::default(), Vec::new());
        let posted = *asked.method == Method::POST;
        let message = if posted { type_of(asked.body) } else { None };
        for index in 0..self.faults.rules.len() {
            let Some(rule) = self.faults.rules.get(index) else { break };
            let matches = !rule.fault.is_of_replies()
                && rule.method.as_ref().is_none_or(|method| method == asked.method)
                && rule.path.as_ref().is_none_or(|path| path.matches(asked.path))
                && rule.message.is_none_or(|wanted| message == Some(wanted));
            if !matches {
                continue;
            }
            let free = !rule.fault.ends() || plan.end.is_none();
            let Some(matched) = self.strikes(index, now, free) else { continue };
            let Some(rule) = self.faults.rules.get(index) else { break };
            struck.push(Struck {
                method: Some(asked.method.to_string()),
                path: Some(asked.path.to_owned()),
                message_type: message,
                ..told(rule, matched, now)
            });
            match &rule.fault {
                Fault::Delay(by) => plan.delay += *by,
                fault if fault.ends() => plan.end = Some(fault.clone()),
                fault => plan.also.push(fault.clone()),
            }
        }
        (plan, struck)
    }

    /// What is to happen to a reply, the `number`th since the simulator began.
    fn reply(&mut self, number: u64, reply: &Reply) -> Option<Struck> {
        for index in 0..self.faults.rules.len() {
            let rule = self.faults.rules.get(index)?;
            let matches = rule.fault.is_of_replies()
                && rule.message.is_none_or(|wanted| wanted == reply.message);
            if !matches {
                continue;
            }
            let Some(matched) = self.strikes(index, reply.at, true) else { continue };
            let rule = self.faults.rules.get(index)?;
            let twist = match rule.fault {
                Fault::Duplicate(after) => Twist::Duplicate { after },
                Fault::Late(by) => Twist::Late { by },
                Fault::OutOfOrder(within) => Twist::Behind { within },
                _ => continue,
            };
            return Some(Struck {
                message_type: Some(reply.message),
                movement_id: Some(reply.movement.clone()),
                twist: Some((number, twist)),
                ..told(rule, matched, reply.at)
            });
        }
        None
    }
}

fn told(rule: &Rule, matched: u64, at: DateTime<Utc>) -> Struck {
    Struck {
        at: crate::simulator::json::instant(at),
        rule: rule.name.clone(),
        name: rule.fault.name().to_owned(),
        matched,
        method: None,
        path: None,
        message_type: None,
        movement_id: None,
        twist: None,
    }
}

/// A number from 0 to below 1 that depends on these three alone.
fn chance(seed: u64, rule: usize, matched: u64) -> f64 {
    let digest = Digest::of(format!("fault/{seed}/{rule}/{matched}").as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_bytes()[..8]);
    // 53 bits: as many as a float holds exactly.
    (u64::from_be_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The schedule as the state uses it, and what it has decided but not said.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Faulting {
    schedule: Option<Schedule>,
    /// Decisions of an earlier process, by the reply's number.
    replayed: BTreeMap<u64, Twist>,
    fresh: Vec<Struck>,
    unsaved: Vec<Struck>,
}

impl Faulting {
    /// Faults from now on by this schedule.
    pub(in crate::simulator) fn follow(&mut self, schedule: Option<Schedule>) {
        self.schedule = schedule;
    }

    /// A decision of an earlier process.
    pub(in crate::simulator) fn recall(&mut self, struck: &Struck) {
        self.replayed.extend(struck.twist);
    }

    /// What is to happen to a request.
    pub(in crate::simulator) fn plan(&mut self, asked: &Asked<'_>, now: DateTime<Utc>) -> Plan {
        let Some(schedule) = &mut self.schedule else { return Plan::default() };
        let (plan, struck) = schedule.request(asked, now);
        self.fresh.extend(struck);
        plan
    }

    /// What is to happen to a reply, the `number`th since the simulator began.
    pub(in crate::simulator) fn twist(&mut self, number: u64, reply: &Reply) -> Option<Twist> {
        if let Some(twist) = self.replayed.remove(&number) {
            return Some(twist);
        }
        let struck = self.schedule.as_mut()?.reply(number, reply)?;
        let twist = struck.twist.map(|(_, twist)| twist);
        self.fresh.push(struck);
        twist
    }

    /// What struck since the last call, for the log.
    pub(in crate::simulator) fn news(&mut self) -> Vec<Struck> {
        let news = std::mem::take(&mut self.fresh);
        self.unsaved.extend(news.iter().cloned());
        news
    }

    /// What struck since the last call, for the file.
    pub(in crate::simulator) fn unsaved(&mut self) -> Vec<Struck> {
        std::mem::take(&mut self.unsaved)
    }
}
