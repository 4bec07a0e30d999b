//! The office of departure: what it makes of a trader's messages.
//!
//! Source: testing guides (message sequences, timers), technical interface
//! specification (rejections: guidelines G0009, G0010; condition C0467; list
//! CL180). What follows of itself, or by an officer, is in `release`.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ids::check_digit;
use super::movement::{Departure, DepartureState as State, Outgoing, Submitted};
use super::ncts::{Event, Ncts};
use super::options::ApiVersion;
use super::transition;
use crate::ncts::MessageType;
use crate::ncts::read::{self, FunctionalError};

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

/// A message of this type and identification was acted upon before.
pub(super) fn duplicate(message: &Submitted) -> FunctionalError {
    let pointer = format!("/{}/messageIdentification", message.message.root());
    error(pointer, "26", "N/A", Some(&message.identification))
}

/// An MRN that is not the movement's: invalid when its check digit is wrong,
/// else unknown.
pub(super) fn wrong_mrn(message: MessageType, mrn: &str) -> FunctionalError {
    let digit = mrn.get(17..).and_then(|digit| digit.parse().ok());
    let valid = mrn.get(..17).map(check_digit) == digit && digit.is_some();
    let code = if valid { "90" } else { "93" };
    error(format!("/{}/TransitOperation/MRN", message.root()), code, "N/A", Some(mrn))
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
        let key = (message.message, message.identification.clone());
        let errors = match wrong_reference(departure, message) {
            _ if departure.taken.contains(&key) => vec![duplicate(message)],
            Some(wrong) => vec![wrong],
            None => match message.message {
                MessageType::Ie013 => self.amend(movement, message, at),
                MessageType::Ie014 => self.request_invalidation(movement, message, at),
                MessageType::Ie170 => self.present(movement, message, at),
                _ => return,
            },
        };
        if errors.is_empty() {
            self.update(movement, |departure| departure.taken.push(key));
        } else {
            self.reject(movement, message, errors, at);
        }
    }

    pub(super) fn update(&mut self, movement: &str, change: impl FnOnce(&mut Departure)) {
        if let Some(departure) = self.departures.get_mut(movement) {
            change(departure);
        }
    }

    fn declare(&mut self, movement: &str, at: DateTime<Utc>) {
        let Some(departure) = self.departures.get(movement) else { return };
        let (opened, submitted) = (Arc::clone(&departure.opened), departure.submitted);
        let (version, simplified) = (departure.version, departure.simplified);
        let errors = declaration_errors(departure, &opened);
        if !errors.is_empty() {
            self.close(movement, State::Rejected);
            return self.reject(movement, &opened, errors, at);
        }
        let pre_lodged = opened.declaration.pre_lodged;
        let state = if pre_lodged { State::PreLodged } else { State::Acknowledged };
        let timer = self.timer();
        self.update(movement, |departure| {
            departure.state = state;
            departure.timer = timer;
        });
        self.say(movement, Outgoing::Acknowledged, Some(opened.identification.clone()), at);
        if pre_lodged {
            let wait = self.options.scaled(self.options.timers(version).await_presentation);
            let movement = movement.to_owned();
            self.after(submitted, wait, Event::PresentationExpires { movement, timer });
        } else if simplified {
            self.accept_soon(movement, at);
        }
    }

    fn accept_soon(&mut self, movement: &str, at: DateTime<Utc>) {
        let wait = self.options.scaled(self.options.delays.acceptance);
        self.after(at, wait, Event::Accept { movement: movement.to_owned() });
    }

    /// An amendment is taken until the movement is released or controlled, and
    /// one of the guarantee alone only when the guarantee failed.
    fn amend(
        &mut self,
        movement: &str,
        message: &Arc<Submitted>,
        at: DateTime<Utc>,
    ) -> Vec<FunctionalError> {
        let Some(departure) = self.departures.get(movement) else { return Vec::new() };
        let amendable = match departure.state {
            State::GuaranteeInvalid => true,
            State::Acknowledged | State::PreLodged | State::Accepted => !message.guarantee_only,
            _ => false,
        };
        if !amendable || departure.invalidation.is_some() {
            return vec![out_of_sequence(message.message)];
        }
        let errors = declaration_errors(departure, message);
        if !errors.is_empty() {
            return errors;
        }
        let (state, mut simplified) = (departure.state, departure.simplified);
        if departure.mrn.is_none() {
            simplified = message.declaration.simplified;
        }
        self.update(movement, |departure| {
            if !message.guarantee_only {
                departure.current = Arc::clone(message);
            }
            departure.guaranteed = Arc::clone(message);
            departure.simplified = simplified;
        });
        let content = Outgoing::Amended { submitted: at };
        self.say(movement, content, Some(message.identification.clone()), at);
        match state {
            State::Acknowledged if simplified => self.accept_soon(movement, at),
            State::Accepted | State::GuaranteeInvalid => {
                self.check_guarantee_again(movement, state == State::GuaranteeInvalid, at);
            }
            _ => {}
        }
        Vec::new()
    }

    /// A request is granted of itself before there is an MRN; after that an
    /// officer decides; after release it comes too late.
    fn request_invalidation(
        &mut self,
        movement: &str,
        message: &Arc<Submitted>,
        at: DateTime<Utc>,
    ) -> Vec<FunctionalError> {
        let Some(departure) = self.departures.get(movement) else { return Vec::new() };
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
            _ => return vec![out_of_sequence(message.message)],
        }
        Vec::new()
    }

    fn present(
        &mut self,
        movement: &str,
        message: &Arc<Submitted>,
        at: DateTime<Utc>,
    ) -> Vec<FunctionalError> {
        let Some(departure) = self.departures.get(movement) else { return Vec::new() };
        if departure.state != State::PreLodged {
            return vec![out_of_sequence(message.message)];
        }
        let errors = self.presentation_errors(message);
        if errors.is_empty() {
            let timer = self.timer();
            self.update(movement, |departure| {
                departure.presented = Some(Arc::clone(message));
                departure.timer = timer;
            });
            self.accept(movement, at);
        }
        errors
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
}

/// What is wrong with a declaration for the version of its movement.
fn declaration_errors(departure: &Departure, message: &Submitted) -> Vec<FunctionalError> {
    if departure.version != ApiVersion::V2_0 {
        return Vec::new();
    }
    // The API refuses what does not parse.
    read::parse(&message.xml).map_or_else(
        |_| Vec::new(),
        |document| transition::errors(message.message, document.root_element()),
    )
}

/// The reference that does not belong to the movement, or is the wrong one of
/// the two for its state.
fn wrong_reference(departure: &Departure, message: &Submitted) -> Option<FunctionalError> {
    let root = message.message.root();
    if let Some(mrn) = &message.mrn
        && departure.mrn.as_ref() != Some(mrn)
    {
        return Some(wrong_mrn(message.message, mrn));
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
