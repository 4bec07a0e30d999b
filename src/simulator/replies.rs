//! Writing replies: the templates of `templates/replies`, filled from what was
//! sent.

use chrono::{DateTime, Utc};
use roxmltree::Node;
use serde_json::{Map, Value, json};

use super::consignment::{self, Into};
use super::ids::Ids;
use super::movement::{Arrival, Departure, Outgoing, Reply};
use super::options::ApiVersion;
use crate::ncts::MessageType;
use crate::ncts::build::{BuildError, DATE, DATE_TIME, Templates};
use crate::ncts::read::{self, element_at, text_at};

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../templates/replies/", $name)))),*]
    };
}

const SOURCES: [(&str, &str); 22] = templates![
    "departure.xml",
    "destination.xml",
    "errors.xml",
    "header.xml",
    "holder.xml",
    "trader.xml",
    "IE004.xml",
    "IE009.xml",
    "IE019.xml",
    "IE025.xml",
    "IE028.xml",
    "IE029.xml",
    "IE035.xml",
    "IE043.xml",
    "IE045.xml",
    "IE051.xml",
    "IE055.xml",
    "IE056.xml",
    "IE057.xml",
    "IE060.xml",
    "IE182.xml",
    "IE928.xml",
];

/// `releaseIndicator` of an IE025 that releases all goods, and of one that
/// releases none. HMRC's example shows the first; the second is the code
/// list's as far as it is known.
const RELEASED: (&str, &str) = ("1", "4");

/// Writes replies.
#[derive(Debug)]
pub(super) struct Writer {
    templates: Templates,
    phase_id: String,
}

impl Writer {
    /// # Errors
    /// When a template does not parse.
    pub(super) fn new(phase_id: &str) -> Result<Self, BuildError> {
        let sources = SOURCES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Ok(Self { templates: Templates::new(sources)?, phase_id: phase_id.to_owned() })
    }

    /// The XML of a reply.
    ///
    /// # Errors
    /// When a template wants what the reply has not got.
    pub(super) fn write(&self, reply: &Reply, ids: &mut Ids) -> Result<String, BuildError> {
        self.write_in_phase(reply, &self.phase_id, ids)
    }

    /// The XML of a reply with another `PhaseID`.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(super) fn write_in_phase(
        &self,
        reply: &Reply,
        phase_id: &str,
        ids: &mut Ids,
    ) -> Result<String, BuildError> {
        let mut context = Map::new();
        let mut put = |name: &str, value: Value| {
            context.insert(name.to_owned(), value);
        };
        let (office, recipient) = match (&reply.arrival, &reply.departure) {
            (Some(arrival), _) => (&arrival.opened.office, &arrival.opened.sender),
            (None, Some(departure)) => (&departure.opened.office, &departure.opened.sender),
            (None, None) => return Err(BuildError::Missing("movement")),
        };
        put("phase_id", json!(phase_id));
        put("from", json!(format!("NTA.{}", office.get(..2).unwrap_or("GB"))));
        put("to", json!(recipient));
        put("now", json!(stamp(reply.at)));
        put("today", json!(date(reply.at)));
        put("identification", json!(ids.identification()));
        put("root", json!(reply.message.root()));
        put("correlation", json!(reply.answers));
        put("holder", Value::Null);
        put("continued", Value::Null);
        if let Some(departure) = &reply.departure {
            put("departure", departure_facts(departure));
            put("controlled", json!(departure.controlled));
            put("holder", holder(departure, reply.message)?);
        }
        if let Some(arrival) = &reply.arrival {
            put("arrival", arrival_facts(arrival));
        }
        if let (MessageType::Ie029 | MessageType::Ie043, Some(departure)) =
            (reply.message, &reply.departure)
        {
            let version = reply.arrival.as_ref().map_or(departure.version, |one| one.version);
            put("declared", declared(departure, reply.message, version)?);
        }
        for (name, value) in content(&reply.content) {
            put(name, value);
        }
        self.templates.render(&format!("{}.xml", reply.message), Value::Object(context))
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format(DATE_TIME).to_string()
}

fn date(at: DateTime<Utc>) -> String {
    at.format(DATE).to_string()
}

fn departure_facts(departure: &Departure) -> Value {
    json!({
        "lrn": departure.lrn,
        "mrn": departure.mrn,
        "office": departure.opened.office,
        "submitted": stamp(departure.submitted),
        "accepted": departure.accepted.map(date),
    })
}

fn arrival_facts(arrival: &Arrival) -> Value {
    json!({
        "mrn": arrival.mrn,
        "office": arrival.opened.office,
        "trader": arrival.opened.trader,
    })
}

fn content(content: &Outgoing) -> Vec<(&'static str, Value)> {
    let flag = |set: bool| json!(if set { "1" } else { "0" });
    match content {
        Outgoing::Amended { submitted } => vec![("submitted", json!(stamp(*submitted)))],
        Outgoing::Invalidation { positive, by_customs, requested, justification } => vec![
            ("decision", flag(*positive)),
            ("by_customs", flag(*by_customs)),
            ("requested", json!(requested.map(stamp))),
            ("justification", json!(justification)),
        ],
        Outgoing::GuaranteeInvalid { failed } => vec![("failed", json!(failed))],
        Outgoing::NotReleased { code, text } => {
            vec![("code", json!(code)), ("text", json!(text))]
        }
        Outgoing::Rejected { rejected, reason, errors } => vec![
            ("rejected", json!(rejected.as_str().trim_start_matches("IE"))),
            ("reason", json!(reason)),
            ("errors", json!(errors)),
        ],
        Outgoing::GoodsReleased { released } => {
            vec![("release", json!(if *released { RELEASED.0 } else { RELEASED.1 }))]
        }
        Outgoing::UnloadingPermission { continued } => vec![("continued", json!(continued))],
        Outgoing::Acknowledged
        | Outgoing::MrnAllocated
        | Outgoing::Released
        | Outgoing::ControlDecision
        | Outgoing::Discrepancies
        | Outgoing::Incident
        | Outgoing::Recovery
        | Outgoing::WrittenOff => Vec::new(),
    }
}

fn parsed(xml: &str) -> Result<roxmltree::Document<'_>, BuildError> {
    read::parse(xml).map_err(|error| BuildError::Read(error.into()))
}

/// The holder: the EORI alone, or with the name and address of the trader
/// register in the messages that show them. The simulator's register knows
/// every EORI and has invented what it says, unless the declaration says it.
fn holder(departure: &Departure, message: MessageType) -> Result<Value, BuildError> {
    let document = parsed(&departure.current.xml)?;
    let root = document.root_element();
    let declared = element_at(root, "HolderOfTheTransitProcedure").unwrap_or(root);
    let eori = text_at(declared, "identificationNumber");
    let registered = matches!(
        message,
        MessageType::Ie019
            | MessageType::Ie029
            | MessageType::Ie035
            | MessageType::Ie043
            | MessageType::Ie045
    );
    let (name, address) = if registered {
        let name = text_at(declared, "name")
            .map_or_else(|| format!("TRADER {}", eori.unwrap_or("WITHOUT EORI")), str::to_owned);
        let address = if element_at(declared, "Address").is_some() {
            consignment::parts(declared, &["Address"])
        } else {
            invented_address(eori)
        };
        (Some(name), Some(address))
    } else {
        (None, None)
    };
    Ok(json!({
        "eori": eori,
        "tir": text_at(declared, "TIRHolderIdentificationNumber"),
        "plain": message == MessageType::Ie055,
        "name": name,
        "address": address,
    }))
}

fn invented_address(eori: Option<&str>) -> String {
    let country = eori
        .and_then(|eori| eori.get(..2))
        .filter(|country| country.bytes().all(|b| b.is_ascii_uppercase()));
    format!(
        "<Address><streetAndNumber>1 SIMULATOR STREET</streetAndNumber>\
         <postcode>SM1 1AA</postcode><city>ANYTOWN</city><country>{}</country></Address>",
        country.unwrap_or("GB")
    )
}

/// The parts of IE029 and IE043 that repeat the declaration.
fn declared(
    departure: &Departure,
    message: MessageType,
    version: ApiVersion,
) -> Result<Value, BuildError> {
    let document = parsed(&departure.current.xml)?;
    let guaranteed = parsed(&departure.guaranteed.xml)?;
    let presentation = departure.presented.as_ref().map(|one| parsed(&one.xml)).transpose()?;
    let root = document.root_element();
    let operation = element_at(root, "TransitOperation").unwrap_or(root);
    let presented: Option<Node<'_, '_>> = presentation.as_ref().map(|one| one.root_element());
    let release = message == MessageType::Ie029;
    let into = if release { Into::Release } else { Into::Permission };
    let (before, after): (&[&str], &[&str]) = if release {
        (
            &["declarationType", "additionalDeclarationType", "TIRCarnetNumber"],
            &[
                "security",
                "reducedDatasetIndicator",
                "specificCircumstanceIndicator",
                "communicationLanguageAtDeparture",
                "bindingItinerary",
            ],
        )
    } else {
        (&["declarationType"], &["security", "reducedDatasetIndicator"])
    };
    Ok(json!({
        "before": consignment::parts(operation, before),
        "after": consignment::parts(operation, after),
        "offices": consignment::parts(root, &[
            "Authorisation",
            "CustomsOfficeOfDeparture",
            "CustomsOfficeOfDestinationDeclared",
            "CustomsOfficeOfTransitDeclared",
            "CustomsOfficeOfExitForTransitDeclared",
        ]),
        "representative": consignment::parts(root, &["Representative"]),
        "guarantees": consignment::guarantees(guaranteed.root_element()),
        "consignment": consignment::consignment(root, presented, into, version),
    }))
}
