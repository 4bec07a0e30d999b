//! The rules of the office of departure.
//!
//! Source: testing guides (message sequences, timers), technical interface
//! specification (rejections: guidelines G0009, G0010; condition C0467).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::movement::{Departure, DepartureState as State, Outgoing, Submitted};
use super::ncts::{Event, Ncts};
use super::officer::Act;
use crate::ncts::MessageType;
use crate::ncts::read::FunctionalError;

/// What a rejection says of one error.
pub(super) fn error(
    pointer: impl Into<String>,
    code: &str,
    reason: &str,
    value: Option<&str>,
) -> FunctionalError {
    FunctionalError {
        pointer: pointer.into(),
        code: code.to_owned(),
        reason: reason.to_owned(),
        value: value.map(str::to_owned),
    }
}

/// Out of sequence: the message does not fit the movement's state.
pub(super) fn out_of_sequence(message: MessageType) -> FunctionalError {
    error(format!("/{}", message.root()), "92", "N/A", None)
}

impl Ncts {
    pub(super) fn reject(
        &mut self,
        movement: &str,
        message: &Submitted,
        errors: Vec<FunctionalError>,
        at: DateTime<Utc>,
    ) {
        let content = Outgoing::Rejected { rejected: message.message, reason: None, errors };
        self.say(movement, content, Some(message.identification.clone()), at);
    }

    /// Looks at a message of a departure.
    pub(super) fn departure_message(
        &mut self,
        movement: &str,
        message: &Arc<Submitted>,
        at: DateTime<Utc>,
    ) {
        let Some(departure) = self.departures.get(movement) else { return };
        if message.message == MessageType::Ie015 {
            return self.declare(movement, at);
        }
        if let Some(wrong) = wrong_reference(departure, message) {
            return self.reject(movement, message, vec![wrong], at);
        }
        match message.message {
            MessageType::Ie013 => self.amend(movement, message, at),
            MessageType::Ie014 => self.request_invalidation(movement, message, at),
            MessageType::Ie170 => self.present(movement, message, at),
            _ => {}
        }
    }

    fn declare(&mut self, movement: &str, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        let (answers, submitted) = (departure.opened.identification.clone(), departure.submitted);
        let timers = self.options.timers(departure.version);
        let pre_lodged = departure.opened.declaration.pre_lodged;
        let simplified = departure.opened.declaration.simplified;
        let state = if pre_lodged { State::PreLodged } else { State::Acknowledged };
        let timer = self.timer();
        self.update(movement, |departure| {
            departure.state = state;
            departure.timer = timer;
        });
        self.say(movement, Outgoing::Acknowledged, Some(answers), at);
        let movement = movement.to_owned();
        if pre_lodged {
            let wait = self.options.scaled(timers.await_presentation);
            self.after(submitted, wait, Event::PresentationExpires { movement, timer });
        } else if simplified {
            let wait = self.options.scaled(self.options.delays.acceptance);
            self.after(at, wait, Event::Accept { movement });
        }
    }

    fn update(&mut self, movement: &str, change: impl FnOnce(&mut Departure)) {
        if let Some(departure) = self.departures.get_mut(movement) {
            change(departure);
        }
    }

    /// Accepts a declaration: an MRN, and then either the guarantee fails or
    /// a simplified movement waits for its release.
    pub(super) fn accept(&mut self, movement: &str, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        let presented = departure.presented.is_some();
        if departure.state != State::Acknowledged && !presented {
            return;
        }
        let (office, security) =
            (departure.opened.office.clone(), departure.current.declaration.security.clone());
        let answers = departure.opened.identification.clone();
        let version = departure.version;
        let simplified = departure.opened.declaration.simplified;
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

    fn failed_guarantees(&self, movement: &str) -> Vec<(String, String)> {
        self.departures.get(movement).map_or_else(Vec::new, |departure| {
            let guarantees = &departure.current.declaration.guarantees;
            guarantees
                .iter()
                .filter(|(_, grn)| !self.options.known_guarantees.contains(grn))
                .cloned()
                .collect()
        })
    }

    pub(super) fn guarantee_fails(&mut self, movement: &str, at: DateTime<Utc>) {
        let failed = self.failed_guarantees(movement);
        let Some(departure) = self.departures.get(movement) else { return };
        if failed.is_empty() || departure.state != State::Accepted {
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
        if departure.timer == timer && departure.state == State::Accepted {
            self.release(movement, at);
        }
    }

    fn release(&mut self, movement: &str, at: DateTime<Utc>) {
        self.update(movement, |departure| departure.state = State::Released);
        self.say(movement, Outgoing::Released, None, at);
        self.settle_invalidation(movement, at);
    }

    fn refuse_release(
        &mut self,
        movement: &str,
        code: &'static str,
        text: &'static str,
        at: DateTime<Utc>,
    ) {
        let Some(departure) = self.departures.get(movement) else { return };
        let answers = Some(departure.opened.identification.clone());
        self.update(movement, |departure| departure.state = State::NotReleased);
        self.say(movement, Outgoing::NotReleased { code, text }, answers, at);
        self.settle_invalidation(movement, at);
    }

    /// A request to invalidate that nobody decided before the movement went
    /// on is refused.
    fn settle_invalidation(&mut self, movement: &str, at: DateTime<Utc>) {
        let pending =
            self.departures.get_mut(movement).and_then(|departure| departure.invalidation.take());
        if let Some(request) = pending {
            self.decide(movement, &request, false, at);
        }
    }

    fn decide(&mut self, movement: &str, request: &Submitted, positive: bool, at: DateTime<Utc>) {
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
    fn close(&mut self, movement: &str, state: State) {
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
            reason: Some("No valid presentation notification in time"),
            errors: Vec::new(),
        };
        self.say(movement, content, Some(opened.identification.clone()), at);
    }

    fn amend(&mut self, movement: &str, message: &Arc<Submitted>, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        let amendable = match departure.state {
            State::GuaranteeInvalid => true,
            State::Acknowledged | State::PreLodged | State::Accepted => !message.guarantee_only,
            _ => false,
        };
        if !amendable {
            return self.reject(movement, message, vec![out_of_sequence(message.message)], at);
        }
        let (state, simplified) = (departure.state, departure.opened.declaration.simplified);
        self.update(movement, |departure| departure.current = Arc::clone(message));
        let content = Outgoing::Amended { submitted: at };
        self.say(movement, content, Some(message.identification.clone()), at);
        if !matches!(state, State::Accepted | State::GuaranteeInvalid) {
            return;
        }
        let soon = self.options.scaled(self.options.delays.acceptance);
        self.update(movement, |departure| departure.state = State::Accepted);
        if !self.failed_guarantees(movement).is_empty() {
            self.after(at, soon, Event::GuaranteeFails { movement: movement.to_owned() });
        } else if state == State::GuaranteeInvalid && simplified {
            let timer = self.timer();
            self.update(movement, |departure| departure.timer = timer);
            self.after(at, soon, Event::Release { movement: movement.to_owned(), timer });
        }
    }

    fn request_invalidation(
        &mut self,
        movement: &str,
        message: &Arc<Submitted>,
        at: DateTime<Utc>,
    ) {
        let Some(departure) = self.departures.get(movement) else { return };
        match departure.state {
            State::Submitted | State::Acknowledged | State::PreLodged => {
                self.decide(movement, message, true, at);
            }
            State::Accepted | State::UnderControl | State::GuaranteeInvalid
                if departure.invalidation.is_none() =>
            {
                self.update(movement, |departure| {
                    departure.invalidation = Some(Arc::clone(message));
                });
            }
            _ => self.reject(movement, message, vec![out_of_sequence(message.message)], at),
        }
    }

    fn present(&mut self, movement: &str, message: &Arc<Submitted>, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        if departure.state != State::PreLodged {
            return self.reject(movement, message, vec![out_of_sequence(message.message)], at);
        }
        let errors = self.presentation_errors(message);
        if !errors.is_empty() {
            return self.reject(movement, message, errors, at);
        }
        let timer = self.timer();
        self.update(movement, |departure| {
            departure.presented = Some(Arc::clone(message));
            departure.timer = timer;
        });
        self.accept(movement, at);
    }

    /// What is wrong with where the goods are presented.
    fn presentation_errors(&self, message: &Submitted) -> Vec<FunctionalError> {
        let location = "/CC170C/Consignment/LocationOfGoods";
        let given = &message.presentation;
        let mut errors = Vec::new();
        match given.qualifier.as_str() {
            "Y" => match given.authorisation.as_deref() {
                None => {
                    let pointer = format!("{location}/authorisationNumber");
                    errors.push(error(pointer, "13", "C0394", None));
                }
                Some(number) if !self.options.known_locations.contains(number) => {
                    let pointer = format!("{location}/authorisationNumber");
                    errors.push(error(pointer, "14", "G0033", Some(number)));
                }
                Some(_) => {}
            },
            "U" => match given.locode.as_deref() {
                None => {
                    let pointer = format!("{location}/UNLocode");
                    errors.push(error(pointer, "13", "C0394", None));
                }
                Some(code) if !self.options.known_locodes.contains(code) => {
                    let pointer = format!("{location}/UNLocode");
                    errors.push(error(pointer, "12", "CL244", Some(code)));
                }
                Some(_) => {}
            },
            _ => {}
        }
        if !given.place_of_loading {
            errors.push(error("/CC170C/Consignment/PlaceOfLoading", "13", "N/A", None));
        }
        errors
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
        let stands = || format!("the declaration is in state `{state:?}`");
        let waits = matches!(state, State::Accepted | State::UnderControl);
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
                    .departures
                    .get_mut(movement)
                    .and_then(|departure| departure.invalidation.take())
                    .ok_or_else(|| format!("no IE014 awaits a decision; {}", stands()))?;
                self.decide(movement, &request, act == Act::AcceptCancellation, at);
            }
            Act::Cancel
                if waits
                    || matches!(
                        state,
                        State::Acknowledged
                            | State::PreLodged
                            | State::GuaranteeInvalid
                            | State::Released
                    ) =>
            {
                self.close(movement, State::Invalidated);
                let content = Outgoing::Invalidation {
                    positive: true,
                    by_customs: true,
                    requested: None,
                    justification: Some("Invalidated by the office of departure".to_owned()),
                };
                self.say(movement, content, None, at);
            }
            Act::Arrive if state == State::Released => self.write_off(movement, at),
            _ => return Err(stands()),
        }
        Ok(())
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

/// The reference that does not belong to the movement, or is the wrong one of
/// the two for its state.
fn wrong_reference(departure: &Departure, message: &Submitted) -> Option<FunctionalError> {
    let root = message.message.root();
    if let Some(mrn) = &message.mrn
        && departure.mrn.as_ref() != Some(mrn)
    {
        return Some(error(format!("/{root}/TransitOperation/MRN"), "90", "N/A", Some(mrn)));
    }
    if let Some(lrn) = &message.lrn {
        let pointer = format!("/{root}/TransitOperation/LRN");
        if *lrn != departure.lrn {
            return Some(error(pointer, "90", "N/A", Some(lrn)));
        }
        if message.message == MessageType::Ie013 && departure.mrn.is_some() {
            return Some(error(pointer, "15", "C0467", Some(lrn)));
        }
    }
    if message.message == MessageType::Ie014 && message.mrn.is_none() && message.lrn.is_none() {
        return Some(error(format!("/{root}/TransitOperation"), "13", "C0467", None));
    }
    None
}
