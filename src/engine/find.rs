//! Finding the movements that the software made, before any evidence of them
//! is begun.

use std::time::Duration;

use crate::clock::Clock;
use crate::hmrc::api::Api;
use crate::hmrc::backoff;
use crate::hmrc::ctc::{self, ListedMovement};
use crate::hmrc::transport::{Answer, Call, Carrier};
use crate::ncts::{MessageType, MovementKind};

/// Most movements of one reference whose messages are looked at: refused
/// declarations leave some behind.
const MAX_CANDIDATES: usize = 10;

/// What is known of the movements to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The departure's id.
    pub departure: Option<String>,
    /// Its LRN.
    pub lrn: Option<String>,
    /// The arrival's id.
    pub arrival: Option<String>,
    /// Its MRN, or the departure's.
    pub mrn: Option<String>,
    /// Whether an arrival is of interest.
    pub arrives: bool,
}

/// Why a movement was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// The API does not have it for this trader.
    #[error("the API has no {what} for the trader of this token")]
    NotThere {
        /// What was looked for, with its name in backticks.
        what: String,
    },
    /// More than one would do.
    #[error("the API has several: {}", .0.join(", "))]
    Several(Vec<String>),
    /// The token was not accepted.
    #[error("the API did not accept the token: {0}")]
    Unauthorised(String),
    /// The API cannot be asked, or answers nonsense.
    #[error("{0}")]
    Unanswered(String),
}

/// Someone who asks the API.
pub struct Finder<'a> {
    /// Takes calls to it.
    pub carrier: &'a dyn Carrier,
    /// Time.
    pub clock: &'a dyn Clock,
    /// The API, as the trader.
    pub api: &'a Api,
}

impl Finder<'_> {
    /// The movements, with their ids: the departure, and the arrival where it is
    /// of interest and there.
    ///
    /// # Errors
    /// When there is no such departure, or nothing tells which of several.
    pub async fn find(&self, wanted: &Wanted) -> Result<Vec<(MovementKind, String)>, FindError> {
        let arrival = match &wanted.arrival {
            Some(id) => Some(self.movement(MovementKind::Arrival, id).await?),
            None => None,
        };
        let mrn_of = |movement: &ListedMovement| movement.movement_reference_number.clone();
        let mrn = wanted.mrn.clone().or_else(|| arrival.as_ref().and_then(mrn_of));
        let departure = match (&wanted.departure, &wanted.lrn, &mrn) {
            (Some(id), _, _) => self.movement(MovementKind::Departure, id).await?,
            (None, Some(lrn), _) => {
                let call = self.api.movements_by_reference(MovementKind::Departure, lrn);
                let has = |it: &ListedMovement| it.local_reference_number.as_ref() == Some(lrn);
                let found = self.begun(MovementKind::Departure, call, has).await?;
                one(found, &format!("departure with the LRN `{lrn}`"))?
            }
            (None, None, Some(mrn)) => {
                let call = self.api.movements_by_mrn(MovementKind::Departure, mrn);
                let has = |it: &ListedMovement| it.movement_reference_number.as_ref() == Some(mrn);
                let found = self.begun(MovementKind::Departure, call, has).await?;
                one(found, &format!("departure with the MRN `{mrn}`"))?
            }
            (None, None, None) => {
                let what = "departure of that arrival, for it has no MRN".to_owned();
                return Err(FindError::NotThere { what });
            }
        };
        let mut found = vec![(MovementKind::Departure, departure.id.clone())];
        if !wanted.arrives {
            return Ok(found);
        }
        let arrival = match (arrival, wanted.mrn.clone().or_else(|| mrn_of(&departure))) {
            (Some(arrival), _) => Some(arrival),
            // It may not have arrived yet.
            (None, None) => None,
            (None, Some(mrn)) => {
                let call = self.api.movements_by_mrn(MovementKind::Arrival, &mrn);
                let has = |it: &ListedMovement| it.movement_reference_number.as_ref() == Some(&mrn);
                let mut arrivals = self.begun(MovementKind::Arrival, call, has).await?;
                match arrivals.len() {
                    0 | 1 => arrivals.pop(),
                    _ => Some(one(arrivals, "arrival")?),
                }
            }
        };
        found.extend(arrival.map(|arrival| (MovementKind::Arrival, arrival.id)));
        Ok(found)
    }

    /// A movement by its id.
    async fn movement(&self, kind: MovementKind, id: &str) -> Result<ListedMovement, FindError> {
        let answer = self.ask(self.api.movement(kind, id)).await?;
        match answer.status {
            404 => Err(FindError::NotThere { what: format!("{} `{id}`", kind.singular()) }),
            _ => ctc::movement(id, &good(&answer)?.body).map_err(unusable),
        }
    }

    /// Those movements of a list that are wanted, and were begun by a message
    /// that was handed over to NCTS.
    async fn begun(
        &self,
        kind: MovementKind,
        call: Call,
        has: impl Fn(&ListedMovement) -> bool,
    ) -> Result<Vec<ListedMovement>, FindError> {
        let answer = self.ask(call).await?;
        let (_, movements) = ctc::movements(kind, &good(&answer)?.body).map_err(unusable)?;
        let mut begun = Vec::new();
        for movement in movements.into_iter().filter(has).take(MAX_CANDIDATES) {
            let answer = self.ask(self.api.messages(kind, &movement.id)).await?;
            let messages = ctc::messages(&good(&answer)?.body).map_err(unusable)?;
            let begins = messages.iter().any(|listed| {
                let message = listed.message.as_ref().and_then(|it| it.parse::<MessageType>().ok());
                message.is_some_and(MessageType::opens_movement)
                    && listed.status.as_deref() != Some("Failed")
            });
            if begins {
                begun.push(movement);
            }
        }
        Ok(begun)
    }

    /// Asks, and again where that may help.
    async fn ask(&self, call: Call) -> Result<Answer, FindError> {
        let mut attempt = 1;
        loop {
            let result = self.carrier.carry(&call, self.clock).await;
            let passing = match &result {
                Ok(answer) => answer.status == 429 || answer.status >= 500 && answer.status != 501,
                Err(none) => none.failure == "timeout",
            };
            if !passing || attempt >= backoff::MAX_ATTEMPTS {
                return result.map_err(|none| FindError::Unanswered(none.detail));
            }
            let retry_after = result.as_ref().ok().and_then(Answer::retry_after);
            let pause: Duration = backoff::delay(attempt, super::slot::jitter(), retry_after);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }
}

fn good(answer: &Answer) -> Result<&Answer, FindError> {
    match answer.status {
        200..=299 => Ok(answer),
        401 | 403 => Err(FindError::Unauthorised(ctc::problem(answer))),
        _ => Err(FindError::Unanswered(ctc::problem(answer))),
    }
}

fn unusable(error: crate::hmrc::api::ShapeError) -> FindError {
    FindError::Unanswered(error.to_string())
}

/// The only one of them.
fn one(mut found: Vec<ListedMovement>, what: &str) -> Result<ListedMovement, FindError> {
    match (found.pop(), found.is_empty()) {
        (Some(movement), true) => Ok(movement),
        (Some(movement), false) => {
            found.push(movement);
            Err(FindError::Several(found.into_iter().map(|it| format!("`{}`", it.id)).collect()))
        }
        (None, _) => Err(FindError::NotThere { what: what.to_owned() }),
    }
}
