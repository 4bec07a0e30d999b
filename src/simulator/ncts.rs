//! NCTS: a state machine in which time passes only when it is told so.
//!
//! [`Ncts::on_message`] takes a message and files what follows from it;
//! [`Ncts::on_instruction`] does the same for an officer; [`Ncts::step`] lets
//! the next thing happen and hands out the replies it brings. Nothing here
//! knows of HTTP or asks a clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::ids::Ids;
use super::movement::{
    Arrival, ArrivalState, Departure, DepartureState, Done, Outgoing, Reply, Submitted,
};
use super::officer::{Act, Instruction};
use super::options::{ApiVersion, SimulatorOptions};
use super::texts::pairs;
use crate::ncts::{MessageType, MovementKind};

/// The LRN was used before by the same sender and has not been freed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DuplicateLrn;

/// Something that will happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Event {
    /// NCTS looks at a message of a movement.
    Process { movement: String, message: Arc<Submitted> },
    /// The system accepts a simplified declaration.
    Accept { movement: String },
    /// The guarantee check's answer, when it is bad.
    GuaranteeFails { movement: String },
    /// Release without an officer.
    Release { movement: String, timer: u64 },
    /// The guarantee was not amended in time.
    GuaranteeExpires { movement: String, timer: u64 },
    /// The presentation notification did not come in time.
    PresentationExpires { movement: String, timer: u64 },
    /// An officer acts on a departure, or on the arrival of its goods.
    Act { movement: String, deed: Done },
}

impl Event {
    /// The movement it happens to.
    fn movement(&self) -> &str {
        match self {
            Self::Process { movement, .. }
            | Self::Accept { movement }
            | Self::GuaranteeFails { movement }
            | Self::Release { movement, .. }
            | Self::GuaranteeExpires { movement, .. }
            | Self::PresentationExpires { movement, .. }
            | Self::Act { movement, .. } => movement,
        }
    }
}

/// What came of one act of an officer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Number of the mail that asked for it.
    pub(super) mail: u64,
    pub(super) at: DateTime<Utc>,
    pub(super) act: Act,
    /// What kept the officer from it.
    pub(super) refused: Option<String>,
}

/// The state of NCTS.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ncts {
    /// Those it works by now, whatever it was saved under.
    #[serde(skip)]
    pub(super) options: Arc<SimulatorOptions>,
    pub(super) ids: Ids,
    pub(super) departures: HashMap<String, Departure>,
    pub(super) arrivals: HashMap<String, Arrival>,
    /// `(sender, LRN)` in use.
    #[serde(with = "pairs")]
    pub(super) lrns: HashMap<(String, String), String>,
    /// Departures by MRN.
    pub(super) mrns: HashMap<String, String>,
    #[serde(with = "pairs")]
    queue: BTreeMap<(DateTime<Utc>, u64), Event>,
    filed: u64,
    /// Handed out before anything is saved.
    #[serde(skip)]
    out: VecDeque<Reply>,
    #[serde(skip)]
    outcomes: Vec<Outcome>,
}

impl Ncts {
    pub(super) fn new(options: Arc<SimulatorOptions>) -> Self {
        Self {
            ids: Ids::new(options.seed),
            options,
            departures: HashMap::new(),
            arrivals: HashMap::new(),
            lrns: HashMap::new(),
            mrns: HashMap::new(),
            queue: BTreeMap::new(),
            filed: 0,
            out: VecDeque::new(),
            outcomes: Vec::new(),
        }
    }

    /// Files an event. Events of the same instant happen in the order of
    /// filing; what falls due while NCTS or its officers are away happens when
    /// they are back.
    pub(super) fn after(&mut self, now: DateTime<Utc>, delay: TimeDelta, event: Event) {
        self.filed += 1;
        let at = now.checked_add_signed(delay).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let at = match self.version_of(event.movement()) {
            Some(version) => {
                let officer = matches!(event, Event::Act { .. });
                self.options.attended(version, officer, at)
            }
            None => at,
        };
        self.queue.insert((at, self.filed), event);
    }

    fn version_of(&self, movement: &str) -> Option<ApiVersion> {
        let departure = self.departures.get(movement).map(|one| one.version);
        departure.or_else(|| self.arrivals.get(movement).map(|one| one.version))
    }

    /// A new timer's number.
    pub(super) fn timer(&mut self) -> u64 {
        self.filed += 1;
        self.filed
    }

    /// Takes a message for `movement`, which an opening message creates.
    ///
    /// # Errors
    /// For an IE015 whose LRN is in use: NCTS refuses it outright.
    pub(super) fn on_message(
        &mut self,
        movement: &str,
        version: ApiVersion,
        message: Arc<Submitted>,
        now: DateTime<Utc>,
    ) -> Result<(), DuplicateLrn> {
        match message.message {
            MessageType::Ie015 => {
                let lrn = message.lrn.clone().unwrap_or_default();
                let key = (message.sender.clone(), lrn.clone());
                if self.lrns.contains_key(&key) {
                    return Err(DuplicateLrn);
                }
                self.lrns.insert(key, movement.to_owned());
                let departure = Departure {
                    id: movement.to_owned(),
                    version,
                    state: DepartureState::Submitted,
                    opened: Arc::clone(&message),
                    current: Arc::clone(&message),
                    guaranteed: Arc::clone(&message),
                    presented: None,
                    invalidation: None,
                    lrn,
                    mrn: None,
                    // Timers count from when NCTS takes it up.
                    submitted: self.options.attended(version, false, now),
                    accepted: None,
                    simplified: message.declaration.simplified,
                    controlled: false,
                    timer: 0,
                    taken: Vec::new(),
                    done: Vec::new(),
                };
                self.departures.insert(movement.to_owned(), departure);
            }
            MessageType::Ie007 => {
                let arrival = Arrival {
                    id: movement.to_owned(),
                    version,
                    state: ArrivalState::Submitted,
                    mrn: message.mrn.clone().unwrap_or_default(),
                    departure: None,
                    last: message.identification.clone(),
                    continued: 0,
                    opened: Arc::clone(&message),
                    taken: Vec::new(),
                };
                self.arrivals.insert(movement.to_owned(), arrival);
            }
            _ => {}
        }
        if !self.options.silent {
            let delay = self.options.scaled(self.options.delays.processing);
            self.after(now, delay, Event::Process { movement: movement.to_owned(), message });
        }
        Ok(())
    }

    /// Has an officer do what a mail asks, one thing after the other.
    pub(super) fn on_instruction(&mut self, told: &Instruction, mail: u64, now: DateTime<Utc>) {
        let delays = self.options.delays;
        let ready = now + self.options.scaled(delays.officer);
        let begins = match self.version_of(&told.departure) {
            Some(version) => self.options.attended(version, true, ready),
            None => ready,
        };
        let mut delay = TimeDelta::zero();
        for act in &told.acts {
            let movement = told.departure.clone();
            let (scenario, step) = (told.scenario.clone(), told.step);
            let deed = Done { scenario, step, act: *act, mail };
            self.after(begins, delay, Event::Act { movement, deed });
            delay += self.options.scaled(delays.officer_step);
        }
    }

    /// Does it, unless an earlier mail about the same step had it done.
    fn do_once(&mut self, movement: &str, deed: Done, at: DateTime<Utc>) -> Result<(), String> {
        let departure = self.departures.get(movement).ok_or("the movement is gone")?;
        let same = |one: &&Done| {
            one.scenario == deed.scenario && one.step == deed.step && one.act == deed.act
        };
        if let Some(before) = departure.done.iter().find(same) {
            return Err(format!("mail {} had it done", before.mail));
        }
        self.act(movement, deed.act, at)?;
        if let Some(departure) = self.departures.get_mut(movement) {
            departure.done.push(deed);
        }
        Ok(())
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<DateTime<Utc>> {
        self.queue.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Lets the next thing happen, if it is due by `now`, and hands out the
    /// replies it brings. One at a time: what names it draws then does not
    /// depend on when anybody looks.
    pub(super) fn step(&mut self, now: DateTime<Utc>) -> Option<Vec<Reply>> {
        let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), event) = entry.remove_entry();
        self.happen(event, at);
        Some(self.out.drain(..).collect())
    }

    /// Lets time pass until `now`: all steps at once.
    #[cfg(test)]
    pub(super) fn due(&mut self, now: DateTime<Utc>) -> Vec<Reply> {
        std::iter::from_fn(|| self.step(now)).flatten().collect()
    }

    /// What officers did since the last call.
    pub(super) fn outcomes(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// Forgets a movement.
    pub(super) fn forget(&mut self, movement: &str) {
        if let Some(departure) = self.departures.remove(movement) {
            self.lrns.retain(|_, id| id != movement);
            if let Some(mrn) = departure.mrn {
                self.mrns.remove(&mrn);
            }
        }
        self.arrivals.remove(movement);
    }

    fn happen(&mut self, event: Event, at: DateTime<Utc>) {
        match event {
            Event::Process { movement, message } => {
                if message.message.movement() == MovementKind::Departure {
                    self.departure_message(&movement, &message, at);
                } else {
                    self.arrival_message(&movement, &message, at);
                }
            }
            Event::Accept { movement } => self.automatic_acceptance(&movement, at),
            Event::GuaranteeFails { movement } => self.guarantee_fails(&movement, at),
            Event::Release { movement, timer } => self.automatic_release(&movement, timer, at),
            Event::GuaranteeExpires { movement, timer } => {
                self.guarantee_expires(&movement, timer, at);
            }
            Event::PresentationExpires { movement, timer } => {
                self.presentation_expires(&movement, timer, at);
            }
            Event::Act { movement, deed } => {
                let (mail, act) = (deed.mail, deed.act);
                let refused = self.do_once(&movement, deed, at).err();
                self.outcomes.push(Outcome { mail, at, act, refused });
            }
        }
    }

    /// Sends a reply filed under a departure.
    pub(super) fn say(
        &mut self,
        departure: &str,
        content: Outgoing,
        answers: Option<String>,
        at: DateTime<Utc>,
    ) {
        let Some(departure) = self.departures.get(departure) else { return };
        self.out.push_back(Reply {
            movement: departure.id.clone(),
            at,
            message: content.message(true),
            answers,
            content,
            departure: Some(departure.clone()),
            arrival: None,
        });
    }

    /// Sends a reply filed under an arrival.
    pub(super) fn say_at_destination(
        &mut self,
        arrival: &str,
        content: Outgoing,
        answers: Option<String>,
        at: DateTime<Utc>,
    ) {
        let Some(arrival) = self.arrivals.get(arrival) else { return };
        let departure = arrival.departure.as_ref().and_then(|id| self.departures.get(id)).cloned();
        self.out.push_back(Reply {
            movement: arrival.id.clone(),
            at,
            message: content.message(false),
            answers,
            content,
            departure,
            arrival: Some(arrival.clone()),
        });
    }
}
