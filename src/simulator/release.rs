//! The office of departure: acceptance, guarantee, release and end of a
//! movement, by timers and by officers.
//!
//! Source: testing guides (message sequences, timers).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::movement::{DepartureState as State, Outgoing, Submitted};
use super::ncts::{Event, Ncts};
use super::officer::Act;
use crate::ncts::MessageType;

impl Ncts {
    /// The system accepts what nobody has to look at.
    pub(super) fn automatic_acceptance(&mut self, movement: &str, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        if departure.state == State::Acknowledged && departure.simplified {
            self.accept(movement, at);
        }
    }

    /// Accepts a declaration: an MRN, and then either the guarantee fails or
    /// a simplified movement waits for its release.
    pub(super) fn accept(&mut self, movement: &str, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        let presented = departure.presented.is_some();
        let (office, security) =
            (departure.opened.office.clone(), departure.current.declaration.security.clone());
        let answers = departure.opened.identification.clone();
        let (version, simplified) = (departure.version, departure.simplified);
        let mrn = loop {
            let mrn = self.ids.mrn(at, &office, &security);
            if !self.mrns.contains_key(&mrn) {
                break mrn;
            }
        };
        self.mrns.insert(mrn.clone(), movement.to_owned());
        let timer = self.timer();
        self.update(movement, |departure| {
            departure.state = State::Accepted;
            departure.mrn = Some(mrn);
            departure.accepted = Some(at);
            departure.timer = timer;
        });
        self.say(movement, Outgoing::MrnAllocated, Some(answers), at);
        let soon = self.options.scaled(self.options.delays.acceptance);
        if !self.failed_guarantees(movement).is_empty() {
            self.after(at, soon, Event::GuaranteeFails { movement: movement.to_owned() });
        } else if simplified {
            // The goods of a pre-lodged declaration have just been presented:
            // there is nothing more to wait for.
            let wait = if presented {
                soon
            } else {
                self.options.scaled(self.options.timers(version).automatic_release)
            };
            self.after(at, wait, Event::Release { movement: movement.to_owned(), timer });
        }
    }

    /// The guarantees that do not stand. Each belongs to one side and its
    /// traders (data spreadsheet, sheet IE015, heading of the GRN row; HMRC's
    /// examples for a guarantee that does not exist name the other side's).
    fn failed_guarantees(&self, movement: &str) -> Vec<(String, String)> {
        const SIDES: [&str; 2] = ["GB", "XI"];
        let Some(departure) = self.departures.get(movement) else { return Vec::new() };
        let holder = departure.opened.trader.as_deref().and_then(|eori| eori.get(..2));
        let holder = holder.filter(|side| SIDES.contains(side));
        let another_sides = |grn: &str| {
            let side = grn.get(2..4).filter(|side| SIDES.contains(side));
            holder.is_some() && side.is_some() && side != holder
        };
        let guarantees = &departure.guaranteed.declaration.guarantees;
        guarantees
            .iter()
            .filter(|(_, grn)| !self.options.known_guarantees.contains(grn) || another_sides(grn))
            .cloned()
            .collect()
    }

    /// Looks at the guarantees of an amended declaration.
    pub(super) fn check_guarantee_again(
        &mut self,
        movement: &str,
        had_failed: bool,
        at: DateTime<Utc>,
    ) {
        let soon = self.options.scaled(self.options.delays.acceptance);
        self.update(movement, |departure| departure.state = State::Accepted);
        if !self.failed_guarantees(movement).is_empty() {
            self.after(at, soon, Event::GuaranteeFails { movement: movement.to_owned() });
        } else if had_failed && self.departures.get(movement).is_some_and(|one| one.simplified) {
            let timer = self.timer();
            self.update(movement, |departure| departure.timer = timer);
            self.after(at, soon, Event::Release { movement: movement.to_owned(), timer });
        }
    }

    pub(super) fn guarantee_fails(&mut self, movement: &str, at: DateTime<Utc>) {
        let failed = self.failed_guarantees(movement);
        let Some(departure) = self.departures.get(movement) else { return };
        let looked_at = matches!(departure.state, State::Accepted | State::UnderControl);
        if failed.is_empty() || !looked_at {
            return;
        }
        let timers = self.options.timers(departure.version);
        let timer = self.timer();
        self.update(movement, |departure| {
            departure.state = State::GuaranteeInvalid;
            departure.timer = timer;
        });
        self.say(movement, Outgoing::GuaranteeInvalid { failed }, None, at);
        let wait = self.options.scaled(timers.guarantee_amendment);
        self.after(at, wait, Event::GuaranteeExpires { movement: movement.to_owned(), timer });
    }

    pub(super) fn guarantee_expires(&mut self, movement: &str, timer: u64, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        if departure.timer == timer && departure.state == State::GuaranteeInvalid {
            self.refuse_release(movement, "G1", "Guarantee not valid", at);
        }
    }

    pub(super) fn automatic_release(&mut self, movement: &str, timer: u64, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        if departure.timer == timer
            && departure.state == State::Accepted
            && self.failed_guarantees(movement).is_empty()
        {
            self.release(movement, at);
        }
    }

    fn release(&mut self, movement: &str, at: DateTime<Utc>) {
        self.update(movement, |departure| departure.state = State::Released);
        self.say(movement, Outgoing::Released, None, at);
        self.settle_invalidation(movement, at);
    }

    fn refuse_release(&mut self, movement: &str, code: &str, text: &str, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        let answers = Some(departure.opened.identification.clone());
        self.update(movement, |departure| departure.state = State::NotReleased);
        let content = Outgoing::NotReleased { code: code.to_owned(), text: text.to_owned() };
        self.say(movement, content, answers, at);
        self.settle_invalidation(movement, at);
    }

    /// A request to invalidate that nobody decided before the movement went
    /// on is refused.
    fn settle_invalidation(&mut self, movement: &str, at: DateTime<Utc>) {
        if let Some(request) = self.pending_invalidation(movement) {
            self.decide(movement, &request, false, at);
        }
    }

    fn pending_invalidation(&mut self, movement: &str) -> Option<Arc<Submitted>> {
        self.departures.get_mut(movement)?.invalidation.take()
    }

    /// Answers a request to invalidate.
    pub(super) fn decide(
        &mut self,
        movement: &str,
        request: &Submitted,
        positive: bool,
        at: DateTime<Utc>,
    ) {
        let content = Outgoing::Invalidation {
            positive,
            by_customs: false,
            requested: Some(request.requested.unwrap_or(at)),
            justification: request.justification.clone(),
        };
        if positive {
            self.close(movement, State::Invalidated);
        }
        self.say(movement, content, Some(request.identification.clone()), at);
    }

    /// Ends a movement in a way that frees its LRN.
    pub(super) fn close(&mut self, movement: &str, state: State) {
        self.update(movement, |departure| {
            departure.state = state;
            departure.invalidation = None;
        });
        self.lrns.retain(|_, id| id != movement);
    }

    pub(super) fn presentation_expires(&mut self, movement: &str, timer: u64, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        if departure.timer != timer || departure.state != State::PreLodged {
            return;
        }
        let opened = Arc::clone(&departure.opened);
        self.close(movement, State::Rejected);
        let content = Outgoing::Rejected {
            rejected: MessageType::Ie015,
            reason: Some("No valid presentation notification in time".to_owned()),
            errors: Vec::new(),
        };
        self.say(movement, content, Some(opened.identification.clone()), at);
    }

    /// An officer acts on a departure.
    ///
    /// # Errors
    /// What keeps the officer from it.
    pub(super) fn act_on_departure(
        &mut self,
        movement: &str,
        act: Act,
        at: DateTime<Utc>,
    ) -> Result<(), String> {
        let departure = self.departures.get(movement).ok_or("the movement is gone")?;
        let state = departure.state;
        let stands = format!("the declaration is {}", departure.standing());
        let waits = matches!(state, State::Accepted | State::UnderControl);
        let on_its_way = matches!(
            state,
            State::Acknowledged | State::PreLodged | State::GuaranteeInvalid | State::Released
        );
        match act {
            Act::Accept if state == State::Acknowledged => self.accept(movement, at),
            Act::Control if state == State::Accepted => {
                let answers = Some(departure.opened.identification.clone());
                self.update(movement, |departure| {
                    departure.state = State::UnderControl;
                    departure.controlled = true;
                });
                self.say(movement, Outgoing::ControlDecision, answers, at);
            }
            Act::Release if waits => {
                if !self.failed_guarantees(movement).is_empty() {
                    return Err("a guarantee is not valid".to_owned());
                }
                self.release(movement, at);
            }
            Act::DoNotRelease if waits => {
                self.refuse_release(movement, "B1", "Control not satisfactory", at);
            }
            Act::AcceptCancellation | Act::RefuseCancellation => {
                let request = self
                    .pending_invalidation(movement)
                    .ok_or_else(|| format!("no IE014 awaits a decision; {stands}"))?;
                self.decide(movement, &request, act == Act::AcceptCancellation, at);
            }
            Act::Cancel if self.has_arrived(movement) => {
                return Err(format!("{stands}, and its goods have arrived"));
            }
            Act::Cancel if waits || on_its_way => match self.pending_invalidation(movement) {
                // The trader asked for it too, and is owed the answer.
                Some(request) => self.decide(movement, &request, true, at),
                None => self.cancel(movement, at),
            },
            Act::Arrive if state == State::Released => self.write_off(movement, at),
            _ => return Err(stands),
        }
        Ok(())
    }

    fn cancel(&mut self, movement: &str, at: DateTime<Utc>) {
        self.close(movement, State::Invalidated);
        let content = Outgoing::Invalidation {
            positive: true,
            by_customs: true,
            requested: None,
            justification: Some("Invalidated by the office of departure".to_owned()),
        };
        self.say(movement, content, None, at);
    }

    /// Discharges a movement whose goods have arrived.
    pub(super) fn write_off(&mut self, movement: &str, at: DateTime<Utc>) {
        self.update(movement, |departure| departure.state = State::WrittenOff);
        // Customs' own reference: the office of destination reported, not the trader.
        let answers = self.ids.identification();
        self.say(movement, Outgoing::WrittenOff, Some(answers), at);
    }

    /// Starts to recover duties.
    pub(super) fn recover(&mut self, movement: &str, at: DateTime<Utc>) {
        self.update(movement, |departure| departure.state = State::UnderRecovery);
        self.say(movement, Outgoing::Recovery, None, at);
    }
}
