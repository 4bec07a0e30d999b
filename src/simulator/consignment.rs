//! Copying parts of a declaration into replies that carry it.
//!
//! IE029 and IE043 repeat what was declared. Their types differ from the
//! declaration's: some elements have no place there, and some that a
//! declaration may leave out must be there. Source: XSDs 2.0, 2.1 and 3.0,
//! cc015c against cc029c and cc043c.

use roxmltree::Node;

use super::options::ApiVersion;
use crate::ncts::build::escape;
use crate::ncts::read::{children, element_at, text_at};

/// Children of a declaration's `Consignment`, in the schema's order.
const CONSIGNMENT: &[&str] = &[
    "countryOfDispatch",
    "countryOfDestination",
    "containerIndicator",
    "inlandModeOfTransport",
    "modeOfTransportAtTheBorder",
    "grossMass",
    "referenceNumberUCR",
    "Carrier",
    "Consignor",
    "Consignee",
    "AdditionalSupplyChainActor",
    "TransportEquipment",
    "LocationOfGoods",
    "DepartureTransportMeans",
    "CountryOfRoutingOfConsignment",
    "ActiveBorderTransportMeans",
    "PlaceOfLoading",
    "PlaceOfUnloading",
    "PreviousDocument",
    "SupportingDocument",
    "TransportDocument",
    "AdditionalReference",
    "AdditionalInformation",
    "TransportCharges",
    "HouseConsignment",
];

/// Those that a presentation notification says anew.
const PRESENTED: &[&str] = &[
    "containerIndicator",
    "inlandModeOfTransport",
    "modeOfTransportAtTheBorder",
    "TransportEquipment",
    "LocationOfGoods",
    "DepartureTransportMeans",
    "ActiveBorderTransportMeans",
    "PlaceOfLoading",
];

/// Ends of paths that have no place in an IE029.
const NOT_IN_RELEASE: &[&str] = &["GoodsMeasure/supplementaryUnits"];

/// Ends of paths that have no place in an IE043.
const NOT_IN_PERMISSION: &[&str] = &[
    "GoodsMeasure/supplementaryUnits",
    "countryOfDispatch",
    "Consignment/modeOfTransportAtTheBorder",
    "Consignment/Carrier",
    "Consignor/ContactPerson",
    "AdditionalSupplyChainActor",
    "Consignment/LocationOfGoods",
    "ActiveBorderTransportMeans",
    "PlaceOfLoading",
    "PlaceOfUnloading",
    "SupportingDocument/documentLineItemNumber",
    "TransportCharges",
    "ConsignmentItem/PreviousDocument/typeOfPackages",
    "ConsignmentItem/PreviousDocument/numberOfPackages",
    "ConsignmentItem/PreviousDocument/measurementUnitAndQualifier",
    "ConsignmentItem/PreviousDocument/quantity",
];

/// Those that had no place in an IE043 before version 3.0.
const NOT_IN_PERMISSION_NCTS5: &[&str] = &["referenceNumberUCR", "CountryOfRoutingOfConsignment"];

/// Those that have no place in an IE029 since version 3.0.
const NOT_IN_RELEASE_NCTS6: &[&str] = &[
    "ConsignmentItem/Consignee",
    "ConsignmentItem/TransportCharges",
    "ConsignmentItem/TransportDocument",
];

/// Groups copied only when complete.
const COMPLETE: &[(&str, &[&str])] = &[
    ("DepartureTransportMeans", &["typeOfIdentification", "identificationNumber", "nationality"]),
    (
        "ActiveBorderTransportMeans",
        &[
            "customsOfficeAtBorderReferenceNumber",
            "typeOfIdentification",
            "identificationNumber",
            "nationality",
        ],
    ),
];

/// Which reply a consignment is copied into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Into {
    /// IE029.
    Release,
    /// IE043.
    Permission,
}

struct Copier {
    into: Into,
    version: ApiVersion,
    out: String,
    path: Vec<String>,
}

/// The `Consignment` of a declaration, with what its presentation changed, as
/// a reply carries it. Both arguments are root elements.
pub(super) fn consignment(
    declaration: Node<'_, '_>,
    presentation: Option<Node<'_, '_>>,
    into: Into,
    version: ApiVersion,
) -> String {
    let Some(declared) = element_at(declaration, "Consignment") else { return String::new() };
    let presented = presentation.and_then(|root| element_at(root, "Consignment"));
    let mut copier = Copier { into, version, out: String::new(), path: Vec::new() };
    copier.open("Consignment");
    for name in CONSIGNMENT {
        let anew =
            presented.filter(|node| PRESENTED.contains(name) && element_at(*node, name).is_some());
        let source = anew.unwrap_or(declared);
        let mut found = false;
        for node in children(source, name) {
            found = true;
            copier.copy(node);
        }
        if !found {
            copier.fill(name, declaration, declared);
        }
    }
    copier.close("Consignment");
    copier.out
}

impl Copier {
    fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
        self.path.push(name.to_owned());
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
        self.path.pop();
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.out.push_str(&format!("<{name}>{}</{name}>", escape(text)));
    }

    fn barred(&self, name: &str) -> bool {
        let ncts6 = self.version.is_ncts6();
        let lists: &[&[&str]] = match (self.into, ncts6) {
            (Into::Release, false) => &[NOT_IN_RELEASE],
            (Into::Release, true) => &[NOT_IN_RELEASE, NOT_IN_RELEASE_NCTS6],
            (Into::Permission, false) => &[NOT_IN_PERMISSION, NOT_IN_PERMISSION_NCTS5],
            (Into::Permission, true) => &[NOT_IN_PERMISSION],
        };
        lists.iter().flat_map(|list| list.iter()).any(|end| {
            let mut above = self.path.iter().rev();
            let mut parts = end.rsplit('/');
            parts.next() == Some(name) && parts.all(|part| above.next().is_some_and(|p| p == part))
        })
    }

    /// Copies an element and what is below it. The depth was checked when the
    /// message came in.
    fn copy(&mut self, node: Node<'_, '_>) {
        let name = node.tag_name().name();
        let incomplete = COMPLETE.iter().any(|(group, parts)| {
            *group == name && parts.iter().any(|part| text_at(node, part).is_none())
        });
        let unweighed = name == "GoodsMeasure"
            && text_at(node, "grossMass").is_none()
            && !self.version.is_ncts6();
        if self.barred(name) || incomplete || unweighed {
            return;
        }
        if !node.children().any(|child| child.is_element()) {
            let text: String = node.children().filter_map(|child| child.text()).collect();
            return self.leaf(name, &text);
        }
        self.open(name);
        if name == "GoodsMeasure" && text_at(node, "grossMass").is_none() {
            self.leaf("grossMass", "0");
        }
        for child in node.children().filter(Node::is_element) {
            self.copy(child);
        }
        if name == "Commodity"
            && self.version.is_ncts6()
            && element_at(node, "GoodsMeasure").is_none()
        {
            self.out.push_str("<GoodsMeasure><grossMass>0</grossMass></GoodsMeasure>");
        }
        self.close(name);
    }

    /// What a reply must have though it was not declared.
    fn fill(&mut self, name: &str, declaration: Node<'_, '_>, declared: Node<'_, '_>) {
        match name {
            "containerIndicator" => {
                let contained = children(declared, "TransportEquipment")
                    .any(|one| element_at(one, "containerIdentificationNumber").is_some());
                self.leaf("containerIndicator", if contained { "1" } else { "0" });
            }
            "PlaceOfLoading" if self.into == Into::Release && self.version.is_ncts6() => {
                let office =
                    text_at(declaration, "CustomsOfficeOfDeparture/referenceNumber").unwrap_or("");
                self.open("PlaceOfLoading");
                self.leaf("country", office.get(..2).unwrap_or("GB"));
                self.close("PlaceOfLoading");
            }
            _ => {}
        }
    }
}

/// Copies the children of `root` with these names as they are.
pub(super) fn parts(root: Node<'_, '_>, names: &[&str]) -> String {
    let mut copier = Copier {
        into: Into::Release,
        version: ApiVersion::V2_1,
        out: String::new(),
        path: Vec::new(),
    };
    for name in names {
        for node in children(root, name) {
            copier.copy(node);
        }
    }
    copier.out
}

/// The guarantees of a declaration, access codes masked. IE029 must state an
/// amount and a currency for each reference.
pub(super) fn guarantees(root: Node<'_, '_>) -> String {
    let mut out = String::new();
    let leaf = |out: &mut String, node: Node<'_, '_>, name: &str, otherwise: Option<&str>| {
        if let Some(text) = text_at(node, name).or(otherwise) {
            out.push_str(&format!("<{name}>{}</{name}>", escape(text)));
        }
    };
    for guarantee in children(root, "Guarantee") {
        out.push_str("<Guarantee>");
        for name in ["sequenceNumber", "guaranteeType", "otherGuaranteeReference"] {
            leaf(&mut out, guarantee, name, None);
        }
        for reference in children(guarantee, "GuaranteeReference") {
            out.push_str("<GuaranteeReference>");
            leaf(&mut out, reference, "sequenceNumber", None);
            leaf(&mut out, reference, "GRN", None);
            if element_at(reference, "accessCode").is_some() {
                out.push_str("<accessCode>****</accessCode>");
            }
            leaf(&mut out, reference, "amountToBeCovered", Some("0"));
            leaf(&mut out, reference, "currency", Some("EUR"));
            out.push_str("</GuaranteeReference>");
        }
        out.push_str("</Guarantee>");
    }
    out
}
