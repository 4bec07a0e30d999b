//! The facts NCTS keeps of messages and movements, and what it can say.
//!
//! Plain data. The rules are in `departure` and `arrival`, the wording in
//! `replies`.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use roxmltree::Node;
use serde::{Deserialize, Serialize};

use super::officer::Act;
use super::options::ApiVersion;
use super::texts::text;
use crate::ncts::MessageType;
use crate::ncts::build::DATE_TIME;
use crate::ncts::read::{FunctionalError, children, element_at, text_at};

/// A message that passed the API's checks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Submitted {
    pub(super) message: MessageType,
    #[serde(with = "text")]
    pub(super) xml: Arc<str>,
    pub(super) sender: String,
    pub(super) identification: String,
    pub(super) lrn: Option<String>,
    pub(super) mrn: Option<String>,
    /// Office of departure, or actual office of destination.
    pub(super) office: String,
    /// EORI of the holder (departures) or of the trader at destination.
    pub(super) trader: Option<String>,
    pub(super) declaration: Declaration,
    pub(super) presentation: Presentation,
    pub(super) unloading: Unloading,
    /// IE007: whether the trader is an authorised consignee.
    pub(super) simplified: bool,
    /// IE013: 1 amends the guarantee alone.
    pub(super) guarantee_only: bool,
    /// IE014: when and why it was asked.
    pub(super) requested: Option<DateTime<Utc>>,
    pub(super) justification: Option<String>,
}

/// What NCTS acts on in a declaration (IE015, IE013).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Declaration {
    /// Additional declaration type D.
    pub(super) pre_lodged: bool,
    /// An authorised consignor declares: an authorisation of type C521.
    pub(super) simplified: bool,
    pub(super) security: String,
    /// `(sequence number, GRN)` of every guarantee reference that has a GRN.
    pub(super) guarantees: Vec<(String, String)>,
    pub(super) sealed: bool,
}

/// What NCTS acts on in a presentation notification (IE170).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Presentation {
    pub(super) qualifier: String,
    pub(super) authorisation: Option<String>,
    pub(super) locode: Option<String>,
    pub(super) place_of_loading: bool,
    pub(super) sealed: bool,
}

/// What NCTS acts on in unloading remarks (IE044).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Unloading {
    pub(super) conform: bool,
    pub(super) complete: bool,
    pub(super) seals_intact: Option<bool>,
}

fn has_seals(root: Node<'_, '_>) -> bool {
    element_at(root, "Consignment").is_some_and(|consignment| {
        children(consignment, "TransportEquipment").any(|equipment| {
            element_at(equipment, "Seal").is_some()
                || text_at(equipment, "numberOfSeals")
                    .is_some_and(|count| !count.trim_start_matches('0').is_empty())
        })
    })
}

impl Submitted {
    /// Collects the facts of a message whose form has been checked.
    pub(super) fn read(message: MessageType, root: Node<'_, '_>, xml: Arc<str>) -> Self {
        let text = |path: &str| text_at(root, path).map(str::to_owned);
        let flag = |path: &str| text_at(root, path) == Some("1");
        let departure = message.movement() == crate::ncts::MovementKind::Departure;
        let location = "Consignment/LocationOfGoods";
        Self {
            message,
            xml,
            sender: text("messageSender").unwrap_or_default(),
            identification: text("messageIdentification").unwrap_or_default(),
            lrn: text("TransitOperation/LRN"),
            mrn: text("TransitOperation/MRN"),
            office: text(if departure {
                "CustomsOfficeOfDeparture/referenceNumber"
            } else {
                "CustomsOfficeOfDestinationActual/referenceNumber"
            })
            .unwrap_or_default(),
            trader: text(if departure {
                "HolderOfTheTransitProcedure/identificationNumber"
            } else {
                "TraderAtDestination/identificationNumber"
            }),
            declaration: Declaration {
                pre_lodged: text_at(root, "TransitOperation/additionalDeclarationType")
                    == Some("D"),
                simplified: children(root, "Authorisation")
                    .any(|one| text_at(one, "type") == Some("C521")),
                security: text("TransitOperation/security").unwrap_or_default(),
                guarantees: children(root, "Guarantee")
                    .flat_map(|guarantee| children(guarantee, "GuaranteeReference"))
                    .filter_map(|reference| {
                        let number = text_at(reference, "sequenceNumber").unwrap_or("1");
                        Some((number.to_owned(), text_at(reference, "GRN")?.to_owned()))
                    })
                    .collect(),
                sealed: has_seals(root),
            },
            presentation: Presentation {
                qualifier: text(&format!("{location}/qualifierOfIdentification"))
                    .unwrap_or_default(),
                authorisation: text(&format!("{location}/authorisationNumber")),
                locode: text(&format!("{location}/UNLocode")),
                place_of_loading: element_at(root, "Consignment/PlaceOfLoading").is_some(),
                sealed: has_seals(root),
            },
            unloading: Unloading {
                conform: flag("UnloadingRemark/conform"),
                complete: flag("UnloadingRemark/unloadingCompletion"),
                seals_intact: text_at(root, "UnloadingRemark/stateOfSeals").map(|one| one == "1"),
            },
            simplified: flag("TransitOperation/simplifiedProcedure"),
            guarantee_only: flag("TransitOperation/amendmentTypeFlag"),
            requested: text_at(root, "Invalidation/requestDateAndTime")
                .and_then(|at| NaiveDateTime::parse_from_str(at, DATE_TIME).ok())
                .map(|at| at.and_utc()),
            justification: text("Invalidation/justification"),
        }
    }
}

/// Where a departure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DepartureState {
    /// Submitted, not yet looked at.
    Submitted,
    /// Acknowledged (IE928); acceptance comes from the system (simplified) or
    /// from an officer (normal).
    Acknowledged,
    /// Acknowledged and waiting for its IE170.
    PreLodged,
    /// It has an MRN (IE028) and waits for release.
    Accepted,
    /// An officer controls the goods (IE060).
    UnderControl,
    /// A guarantee failed (IE055); it may be amended until the timer ends.
    GuaranteeInvalid,
    /// Released for transit (IE029).
    Released,
    /// Not released for transit (IE051).
    NotReleased,
    /// Invalidated (positive IE009).
    Invalidated,
    /// The IE015 was rejected (IE056).
    Rejected,
    /// Discharged (IE045).
    WrittenOff,
    /// Duties are being recovered (IE035).
    UnderRecovery,
}

/// Whom a movement waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Actor {
    /// NCTS itself, within moments.
    System,
    /// A timer.
    Timer,
    /// The trader at departure.
    Holder,
    /// The trader at destination.
    Consignee,
    /// An officer.
    Officer,
}

impl Actor {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::System => "NCTS",
            Self::Timer => "a timer",
            Self::Holder => "the trader at departure",
            Self::Consignee => "the trader at destination",
            Self::Officer => "an officer",
        }
    }
}

/// A state and whom it waits for, for people.
fn standing(state: impl std::fmt::Debug, waits_for: Option<Actor>) -> String {
    match waits_for {
        Some(actor) => format!("in state `{state:?}`, which waits for {}", actor.name()),
        None => format!("in state `{state:?}`, which is final"),
    }
}

/// One thing that an officer did for a step of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) scenario: String,
    pub(super) step: u32,
    pub(super) act: Act,
    /// Number of the mail that asked for it.
    pub(super) mail: u64,
}

/// A movement at departure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Departure {
    pub(super) id: String,
    pub(super) version: ApiVersion,
    pub(super) state: DepartureState,
    /// The IE015.
    pub(super) opened: Arc<Submitted>,
    /// The declaration as it stands: the IE015, or the last IE013 accepted.
    pub(super) current: Arc<Submitted>,
    /// The message whose guarantees stand: as `current`, or a later IE013 that
    /// amended the guarantee alone.
    pub(super) guaranteed: Arc<Submitted>,
    /// The IE170 accepted.
    pub(super) presented: Option<Arc<Submitted>>,
    /// The IE014 waiting for an officer.
    pub(super) invalidation: Option<Arc<Submitted>>,
    pub(super) lrn: String,
    pub(super) mrn: Option<String>,
    pub(super) submitted: DateTime<Utc>,
    pub(super) accepted: Option<DateTime<Utc>>,
    /// Whether it goes by the simplified procedure; settled at acceptance.
    pub(super) simplified: bool,
    pub(super) controlled: bool,
    /// Which timer is running: one set earlier no longer counts.
    pub(super) timer: u64,
    /// Messages acted upon: type and identification.
    pub(super) taken: Vec<(MessageType, String)>,
    /// What officers did.
    pub(super) done: Vec<Done>,
}

impl Departure {
    /// Whom it waits for; none when it has ended.
    pub(super) fn waits_for(&self) -> Option<Actor> {
        use DepartureState as State;
        match self.state {
            State::Submitted => Some(Actor::System),
            State::Acknowledged if self.simplified => Some(Actor::System),
            State::Accepted if self.simplified && self.invalidation.is_none() => Some(Actor::Timer),
            State::Acknowledged | State::Accepted | State::UnderControl => Some(Actor::Officer),
            State::PreLodged | State::GuaranteeInvalid => Some(Actor::Holder),
            State::Released => Some(Actor::Consignee),
            State::NotReleased
            | State::Invalidated
            | State::Rejected
            | State::WrittenOff
            | State::UnderRecovery => None,
        }
    }

    /// Where it stands, for people.
    pub(super) fn standing(&self) -> String {
        standing(self.state, self.waits_for())
    }
}

/// Where an arrival stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ArrivalState {
    /// Submitted, not yet looked at.
    Submitted,
    /// Normal procedure: an officer must accept it.
    Notified,
    /// An officer accepted it, and has still to release.
    Accepted,
    /// Unloading permitted (IE043).
    Unloading,
    /// Unloading remarks came that an officer must look at.
    Remarked,
    /// Not released (IE025) because of major discrepancies.
    Discrepant,
    /// Released (IE025).
    Released,
    /// The IE007 was rejected (IE057).
    Rejected,
    /// Discrepancies confirmed; recovery is under way.
    Closed,
}

/// A movement at destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Arrival {
    pub(super) id: String,
    pub(super) version: ApiVersion,
    pub(super) state: ArrivalState,
    /// The IE007.
    pub(super) opened: Arc<Submitted>,
    pub(super) mrn: String,
    /// The departure with this MRN, once found.
    pub(super) departure: Option<String>,
    /// Identification of the last message answered.
    pub(super) last: String,
    /// Permissions to continue unloading given so far.
    pub(super) continued: u8,
    /// Messages acted upon: type and identification.
    pub(super) taken: Vec<(MessageType, String)>,
}

impl Arrival {
    /// Whether it still has the goods of its MRN.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, ArrivalState::Rejected | ArrivalState::Submitted)
    }

    /// Whom it waits for; none when it has ended.
    pub(super) fn waits_for(&self) -> Option<Actor> {
        match self.state {
            ArrivalState::Submitted => Some(Actor::System),
            ArrivalState::Notified
            | ArrivalState::Accepted
            | ArrivalState::Remarked
            | ArrivalState::Discrepant => Some(Actor::Officer),
            ArrivalState::Unloading => Some(Actor::Consignee),
            ArrivalState::Released | ArrivalState::Rejected | ArrivalState::Closed => None,
        }
    }

    /// Where it stands, for people.
    pub(super) fn standing(&self) -> String {
        standing(self.state, self.waits_for())
    }
}

/// What NCTS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// IE928.
    Acknowledged,
    /// IE028.
    MrnAllocated,
    /// IE029.
    Released,
    /// IE004.
    Amended { submitted: DateTime<Utc> },
    /// IE009.
    Invalidation {
        positive: bool,
        by_customs: bool,
        requested: Option<DateTime<Utc>>,
        justification: Option<String>,
    },
    /// IE055: `(sequence number, GRN)` of each that failed.
    GuaranteeInvalid { failed: Vec<(String, String)> },
    /// IE051.
    NotReleased { code: String, text: String },
    /// IE056 (departures) or IE057 (arrivals).
    Rejected { rejected: MessageType, reason: Option<String>, errors: Vec<FunctionalError> },
    /// IE060.
    ControlDecision,
    /// IE019.
    Discrepancies,
    /// IE182.
    Incident,
    /// IE035.
    Recovery,
    /// IE045.
    WrittenOff,
    /// IE025.
    GoodsReleased { released: bool },
    /// IE043; with a number when it permits to continue unloading.
    UnloadingPermission { continued: Option<u8> },
}

impl Outgoing {
    /// The message that says it, under a departure or an arrival.
    pub(super) fn message(&self, departure: bool) -> MessageType {
        match self {
            Self::Acknowledged => MessageType::Ie928,
            Self::MrnAllocated => MessageType::Ie028,
            Self::Released => MessageType::Ie029,
            Self::Amended { .. } => MessageType::Ie004,
            Self::Invalidation { .. } => MessageType::Ie009,
            Self::GuaranteeInvalid { .. } => MessageType::Ie055,
            Self::NotReleased { .. } => MessageType::Ie051,
            Self::Rejected { .. } if departure => MessageType::Ie056,
            Self::Rejected { .. } => MessageType::Ie057,
            Self::ControlDecision => MessageType::Ie060,
            Self::Discrepancies => MessageType::Ie019,
            Self::Incident => MessageType::Ie182,
            Self::Recovery => MessageType::Ie035,
            Self::WrittenOff => MessageType::Ie045,
            Self::GoodsReleased { .. } => MessageType::Ie025,
            Self::UnloadingPermission { .. } => MessageType::Ie043,
        }
    }
}

/// A reply on its way to a trader, with the state it speaks of.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// The movement it is filed under.
    pub(super) movement: String,
    pub(super) at: DateTime<Utc>,
    pub(super) message: MessageType,
    /// `messageIdentification` of the message it answers.
    pub(super) answers: Option<String>,
    pub(super) content: Outgoing,
    /// The departure, when one is known.
    pub(super) departure: Option<Departure>,
    /// The arrival, in messages from the office of destination.
    pub(super) arrival: Option<Arrival>,
}
