//! The rules of the office of destination.
//!
//! Source: testing guides (message sequences). Remarks that are not clean wait
//! for an officer, as in HMRC's scenarios for discrepancies and for
//! non-conformance, where the mail decides what follows.
//!
//! Goods may arrive at another office than the one declared: HMRC's examples
//! do. Incidents en route (IE007 before version 3.0) change nothing in what
//! follows, as in HMRC's scenarios for them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::departure::{duplicate, error, out_of_sequence, wrong_mrn};
use super::movement::{Arrival, ArrivalState as State, DepartureState, Outgoing, Submitted};
use super::ncts::Ncts;
use super::officer::Act;
use crate::ncts::MessageType;
use crate::ncts::read::FunctionalError;

/// Most permissions to continue unloading (IE043, `continueUnloading`).
const CONTINUED: u8 = 9;

impl Ncts {
    /// Looks at a message of an arrival.
    pub(super) fn arrival_message(
        &mut self,
        movement: &str,
        message: &Arc<Submitted>,
        at: DateTime<Utc>,
    ) {
        match message.message {
            MessageType::Ie007 => self.notify(movement, message, at),
            MessageType::Ie044 => self.remark(movement, message, at),
            _ => {}
        }
    }

    fn update_arrival(&mut self, movement: &str, change: impl FnOnce(&mut Arrival)) {
        if let Some(arrival) = self.arrivals.get_mut(movement) {
            change(arrival);
        }
    }

    fn reject_at_destination(
        &mut self,
        movement: &str,
        message: &Submitted,
        error: FunctionalError,
        at: DateTime<Utc>,
    ) {
        let errors = vec![error];
        let content = Outgoing::Rejected { rejected: message.message, reason: None, errors };
        self.say_at_destination(movement, content, Some(message.identification.clone()), at);
    }

    fn notify(&mut self, movement: &str, message: &Arc<Submitted>, at: DateTime<Utc>) {
        let Some(arrival) = self.arrivals.get(movement) else { return };
        let mrn = arrival.mrn.clone();
        let departure = self.mrns.get(&mrn).cloned();
        let state = departure.as_ref().and_then(|id| self.departures.get(id)).map(|one| one.state);
        let other = self
            .arrivals
            .values()
            .find(|other| other.id != movement && other.mrn == mrn && other.is_open());
        let refused = match (other, state) {
            (Some(other), _)
                if other.opened.identification == message.identification
                    && other.opened.sender == message.sender =>
            {
                Some(duplicate(message))
            }
            (Some(_), _) => Some(out_of_sequence(message.message)),
            (None, Some(DepartureState::Released)) => None,
            (None, Some(DepartureState::WrittenOff | DepartureState::UnderRecovery)) => {
                Some(out_of_sequence(message.message))
            }
            // The office of destination knows of a movement from its release
            // to its invalidation.
            (None, _) => Some(wrong_mrn(message.message, &mrn)),
        };
        if let Some(error) = refused {
            self.update_arrival(movement, |arrival| arrival.state = State::Rejected);
            return self.reject_at_destination(movement, message, error, at);
        }
        let simplified = message.simplified;
        self.update_arrival(movement, |arrival| {
            arrival.departure = departure;
            arrival.state = if simplified { State::Unloading } else { State::Notified };
        });
        if simplified {
            let content = Outgoing::UnloadingPermission { continued: None };
            self.say_at_destination(movement, content, None, at);
        }
    }

    /// Whether the goods of an arrival left under seals.
    fn sealed(&self, arrival: &Arrival) -> bool {
        arrival.departure.as_ref().and_then(|id| self.departures.get(id)).is_some_and(|departure| {
            departure.current.declaration.sealed
                || departure.presented.as_ref().is_some_and(|one| one.presentation.sealed)
        })
    }

    /// What keeps unloading remarks from being looked at.
    fn remark_error(&self, arrival: &Arrival, message: &Submitted) -> Option<FunctionalError> {
        if arrival.taken.contains(&(message.message, message.identification.clone())) {
            return Some(duplicate(message));
        }
        let mrn = message.mrn.as_deref().unwrap_or_default();
        if mrn != arrival.mrn {
            return Some(wrong_mrn(message.message, mrn));
        }
        if arrival.state != State::Unloading {
            return Some(out_of_sequence(message.message));
        }
        (self.sealed(arrival) && message.unloading.seals_intact.is_none())
            .then(|| error("/CC044C/UnloadingRemark/stateOfSeals", "13", "N/A", None))
    }

    fn remark(&mut self, movement: &str, message: &Arc<Submitted>, at: DateTime<Utc>) {
        let Some(arrival) = self.arrivals.get(movement) else { return };
        if let Some(wrong) = self.remark_error(arrival, message) {
            return self.reject_at_destination(movement, message, wrong, at);
        }
        let (remarks, continued) = (&message.unloading, arrival.continued);
        let clean = remarks.conform && remarks.seals_intact != Some(false);
        self.update_arrival(movement, |arrival| {
            arrival.last = message.identification.clone();
            arrival.taken.push((message.message, message.identification.clone()));
        });
        if !remarks.complete && continued < CONTINUED {
            let continued = continued + 1;
            self.update_arrival(movement, |arrival| arrival.continued = continued);
            let content = Outgoing::UnloadingPermission { continued: Some(continued) };
            self.say_at_destination(movement, content, None, at);
        } else if clean && remarks.complete {
            self.release_goods(movement, at);
        } else {
            self.update_arrival(movement, |arrival| arrival.state = State::Remarked);
        }
    }

    /// Releases the goods and discharges the departure.
    fn release_goods(&mut self, movement: &str, at: DateTime<Utc>) {
        let Some(arrival) = self.arrivals.get(movement) else { return };
        let (answers, departure) = (Some(arrival.last.clone()), arrival.departure.clone());
        self.update_arrival(movement, |arrival| arrival.state = State::Released);
        let content = Outgoing::GoodsReleased { released: true };
        self.say_at_destination(movement, content, answers, at);
        if let Some(departure) = departure {
            self.write_off(&departure, at);
        }
    }

    /// The arrival of a departure's goods that an officer can still act on.
    fn arrival_of(&self, departure: &str) -> Option<(String, State)> {
        self.arrivals
            .values()
            .filter(|arrival| arrival.departure.as_deref() == Some(departure))
            .filter(|arrival| {
                arrival.is_open() && !matches!(arrival.state, State::Released | State::Closed)
            })
            .max_by(|a, b| a.id.cmp(&b.id))
            .map(|arrival| (arrival.id.clone(), arrival.state))
    }

    /// Whether the goods of a departure are at an office of destination.
    pub(super) fn has_arrived(&self, departure: &str) -> bool {
        self.arrival_of(departure).is_some()
    }

    /// An officer acts on a departure, or on the arrival of its goods when
    /// they have left.
    ///
    /// # Errors
    /// What keeps the officer from it.
    pub(super) fn act(
        &mut self,
        departure: &str,
        act: Act,
        at: DateTime<Utc>,
    ) -> Result<(), String> {
        let left = self
            .departures
            .get(departure)
            .is_some_and(|departure| departure.state == DepartureState::Released);
        let arrival = if left { self.arrival_of(departure) } else { None };
        let meant_for_arrival = matches!(
            act,
            Act::AcceptArrival | Act::FindDiscrepancies | Act::Resolve | Act::Confirm
        );
        match arrival {
            Some((arrival, state)) if meant_for_arrival || act.fits_arrival() => {
                self.act_on_arrival(&arrival, state, departure, act, at)
            }
            None if meant_for_arrival => Err("no arrival of these goods awaits an officer".into()),
            _ => self.act_on_departure(departure, act, at),
        }
    }

    fn act_on_arrival(
        &mut self,
        arrival: &str,
        state: State,
        departure: &str,
        act: Act,
        at: DateTime<Utc>,
    ) -> Result<(), String> {
        match (act, state) {
            (Act::Accept | Act::AcceptArrival, State::Notified) => {
                self.update_arrival(arrival, |arrival| arrival.state = State::Accepted);
            }
            (Act::Release, State::Accepted | State::Remarked)
            | (Act::Arrive, State::Notified | State::Accepted)
            | (Act::Resolve, State::Discrepant) => self.release_goods(arrival, at),
            (Act::FindDiscrepancies, State::Remarked | State::Accepted) => {
                let answers = self.arrivals.get(arrival).map(|arrival| arrival.last.clone());
                self.update_arrival(arrival, |arrival| arrival.state = State::Discrepant);
                let content = Outgoing::GoodsReleased { released: false };
                self.say_at_destination(arrival, content, answers, at);
                self.say(departure, Outgoing::Discrepancies, None, at);
            }
            (Act::Confirm, State::Discrepant) => {
                self.update_arrival(arrival, |arrival| arrival.state = State::Closed);
                self.recover(departure, at);
            }
            _ => {
                let standing = self.arrivals.get(arrival).map(Arrival::standing);
                return Err(format!("the arrival is {}", standing.unwrap_or_default()));
            }
        }
        Ok(())
    }
}
