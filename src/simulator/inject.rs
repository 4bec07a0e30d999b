//! What the test-support API injects: messages of NCTS about a movement that
//! nobody declared. Their content is random and has nothing to do with the
//! movement they are filed under, as HMRC's generator has it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ids::Ids;
use super::movement::{
    Arrival, ArrivalState, Departure, DepartureState, Outgoing, Reply, Submitted,
};
use super::options::ApiVersion;
use crate::ncts::build::DATE_TIME;
use crate::ncts::read::{self, FunctionalError};
use crate::ncts::{Direction, MessageType, MovementKind};

/// `PhaseID` of whatever is injected, whatever the version.
pub(super) const PHASE_ID: &str = "NCTS5.0";

/// The message of this name, if one can be injected.
pub(super) fn injectable(name: &str) -> Option<MessageType> {
    MessageType::ALL
        .iter()
        .copied()
        .find(|one| one.as_str() == name && one.direction() == Direction::Received)
}

/// A declaration, or an arrival notification, as far as replies use it.
fn invented(
    of: MessageType,
    sender: &str,
    lrn: &str,
    mrn: &str,
    ids: &mut Ids,
) -> Option<Submitted> {
    let office = ids.digits(6);
    let holder = ids.digits(12);
    let goods = ids.identification();
    let body = match of.movement() {
        MovementKind::Departure => format!(
            "<TransitOperation><LRN>{lrn}</LRN><declarationType>T1</declarationType>\
             <additionalDeclarationType>A</additionalDeclarationType><security>0</security>\
             <reducedDatasetIndicator>0</reducedDatasetIndicator><bindingItinerary>0\
             </bindingItinerary></TransitOperation><CustomsOfficeOfDeparture><referenceNumber>\
             GB{office}</referenceNumber></CustomsOfficeOfDeparture>\
             <CustomsOfficeOfDestinationDeclared><referenceNumber>XI{office}</referenceNumber>\
             </CustomsOfficeOfDestinationDeclared><HolderOfTheTransitProcedure>\
             <identificationNumber>GB{holder}</identificationNumber>\
             </HolderOfTheTransitProcedure><Guarantee><sequenceNumber>1</sequenceNumber>\
             <guaranteeType>0</guaranteeType><GuaranteeReference><sequenceNumber>1\
             </sequenceNumber><GRN>24GB{office}0000001</GRN></GuaranteeReference></Guarantee>\
             <Consignment><grossMass>100</grossMass><TransportEquipment><sequenceNumber>1\
             </sequenceNumber><numberOfSeals>0</numberOfSeals></TransportEquipment>\
             <LocationOfGoods><typeOfLocation>B</typeOfLocation><qualifierOfIdentification>Y\
             </qualifierOfIdentification><authorisationNumber>{goods}</authorisationNumber>\
             </LocationOfGoods><DepartureTransportMeans><sequenceNumber>1</sequenceNumber>\
             <typeOfIdentification>30</typeOfIdentification><identificationNumber>{goods}\
             </identificationNumber><nationality>GB</nationality></DepartureTransportMeans>\
             <HouseConsignment><sequenceNumber>1</sequenceNumber><grossMass>100</grossMass>\
             <ConsignmentItem><goodsItemNumber>1</goodsItemNumber><declarationGoodsItemNumber>1\
             </declarationGoodsItemNumber><Commodity><descriptionOfGoods>{goods}\
             </descriptionOfGoods><GoodsMeasure><grossMass>100</grossMass></GoodsMeasure>\
             </Commodity><Packaging><sequenceNumber>1</sequenceNumber><typeOfPackages>BX\
             </typeOfPackages></Packaging></ConsignmentItem></HouseConsignment></Consignment>"
        ),
        MovementKind::Arrival => format!(
            "<TransitOperation><MRN>{mrn}</MRN></TransitOperation>\
             <CustomsOfficeOfDestinationActual><referenceNumber>XI{office}</referenceNumber>\
             </CustomsOfficeOfDestinationActual><TraderAtDestination><identificationNumber>\
             XI{holder}</identificationNumber></TraderAtDestination>"
        ),
    };
    let root = of.root();
    let namespace = read::NAMESPACE;
    let xml = format!(
        "<ncts:{root} xmlns:ncts=\"{namespace}\"><messageSender>{sender}</messageSender>\
         {body}</ncts:{root}>"
    );
    let document = read::parse(&xml).ok()?;
    Some(Submitted::read(of, document.root_element(), Arc::from(xml.as_str())))
}

fn content(message: MessageType, at: DateTime<Utc>, grn: (String, String)) -> Option<Outgoing> {
    let rejected = |rejected| Outgoing::Rejected {
        rejected,
        reason: None,
        errors: vec![FunctionalError {
            pointer: format!("/{}", MessageType::root(rejected)),
            code: "92".to_owned(),
            reason: "N/A".to_owned(),
            value: None,
        }],
    };
    Some(match message {
        MessageType::Ie004 => Outgoing::Amended { submitted: at },
        MessageType::Ie009 => Outgoing::Invalidation {
            positive: true,
            by_customs: false,
            requested: Some(at),
            justification: None,
        },
        MessageType::Ie019 => Outgoing::Discrepancies,
        MessageType::Ie025 => Outgoing::GoodsReleased { released: true },
        MessageType::Ie028 => Outgoing::MrnAllocated,
        MessageType::Ie029 => Outgoing::Released,
        MessageType::Ie035 => Outgoing::Recovery,
        MessageType::Ie043 => Outgoing::UnloadingPermission { continued: None },
        MessageType::Ie045 => Outgoing::WrittenOff,
        MessageType::Ie051 => {
            Outgoing::NotReleased { code: "G1".into(), text: "The guarantee is not valid".into() }
        }
        MessageType::Ie055 => Outgoing::GuaranteeInvalid { failed: vec![grn] },
        MessageType::Ie056 => rejected(MessageType::Ie015),
        MessageType::Ie057 => rejected(MessageType::Ie007),
        MessageType::Ie060 => Outgoing::ControlDecision,
        MessageType::Ie182 => Outgoing::Incident,
        MessageType::Ie928 => Outgoing::Acknowledged,
        _ => return None,
    })
}

/// A reply with random content, addressed to `recipient`. None for messages
/// that cannot be injected.
pub(super) fn reply(
    message: MessageType,
    movement: &str,
    recipient: &str,
    version: ApiVersion,
    at: DateTime<Utc>,
    ids: &mut Ids,
) -> Option<Reply> {
    let lrn = ids.identification();
    let office = format!("GB{}", ids.digits(6));
    let mrn = ids.mrn(at, &office, "0");
    let declared = Arc::new(invented(MessageType::Ie015, recipient, &lrn, &mrn, ids)?);
    let grn = declared.declaration.guarantees.first().cloned().unwrap_or_default();
    let content = content(message, at, grn)?;
    let departure = Departure {
        id: movement.to_owned(),
        version,
        state: DepartureState::Released,
        opened: Arc::clone(&declared),
        guaranteed: Arc::clone(&declared),
        current: declared,
        presented: None,
        invalidation: None,
        lrn,
        mrn: Some(mrn.clone()),
        submitted: at,
        accepted: Some(at),
        simplified: true,
        controlled: false,
        timer: 0,
        taken: Vec::new(),
        done: Vec::new(),
    };
    let arrival = match message.movement() {
        MovementKind::Departure => None,
        MovementKind::Arrival => Some(Arrival {
            id: movement.to_owned(),
            version,
            state: ArrivalState::Accepted,
            opened: Arc::new(invented(MessageType::Ie007, recipient, "", &mrn, ids)?),
            mrn,
            departure: None,
            last: String::new(),
            continued: 0,
            taken: Vec::new(),
        }),
    };
    let answers = match message {
        MessageType::Ie029
        | MessageType::Ie035
        | MessageType::Ie043
        | MessageType::Ie055
        | MessageType::Ie182 => None,
        _ => Some(format!("{}{}", at.format(DATE_TIME), ids.digits(4))),
    };
    Some(Reply {
        movement: movement.to_owned(),
        at,
        message,
        answers,
        content,
        departure: Some(departure),
        arrival,
    })
}
