//! The rules for declarations (IE015, IE013) while transition lasted: movements
//! of version 2.0, which NCTS shared with countries still on its predecessor.
//!
//! Each rule is a predicate over the message, whatever scenario it serves.
//! Source: NCTS5 Trader Test data spreadsheet, sheet Transition Only Tests (the
//! rules' meaning), checked against HMRC's NCTS5 example messages. A rejection
//! for one has error code 50 and the rule's name as its reason (technical
//! interface specification: FUNCTIONAL ERROR, list CL180).
//!
//! What is deliberately not here:
//!
//! - B1964 forbids nothing: it suspends R0364, so a package count of zero needs
//!   no other package with the same marks.
//! - The same spreadsheet bars the country of dispatch during transition, yet
//!   HMRC's example for TIR carries one and is to be released.
//! - The other side, the place of loading that final rules require (C0403), is
//!   not enforced: HMRC's examples for scenarios valid under both sets of rules
//!   have none.

use roxmltree::Node;

use super::departure::error;
use crate::ncts::MessageType;
use crate::ncts::read::{FunctionalError, children, element_at, text_at};

/// Most errors one rejection may list (XSDs: FunctionalError).
const MOST: usize = 9_999;

/// Most characters of a value (XSDs: originalAttributeValue).
const VALUE: usize = 512;

/// What breaks a rule: the path below the root, and the value there.
struct Offence(String, Option<String>);

/// An offence at an element that may not be there.
fn present(path: impl Into<String>, node: Node<'_, '_>) -> Offence {
    let value = node.text().map(str::trim).filter(|text| !text.is_empty());
    let clipped = |text: &str| text.chars().take(VALUE).collect::<String>().trim_end().to_owned();
    Offence(path.into(), value.map(clipped))
}

/// An offence at an element that is not there.
fn missing(path: String) -> Offence {
    Offence(path, None)
}

/// The children of this name with their paths, counted from 1.
fn each<'a, 'input: 'a>(
    parent: Node<'a, 'input>,
    path: &'a str,
    name: &'a str,
) -> impl Iterator<Item = (String, Node<'a, 'input>)> {
    children(parent, name)
        .enumerate()
        .map(move |(nth, node)| (format!("{path}/{name}[{}]", nth + 1), node))
}

const CONSIGNMENT: &str = "Consignment";
const MEANS: &str = "DepartureTransportMeans";
const HOUSE: &str = "HouseConsignment";

/// A rule sees the message's root and its `Consignment`.
type Rule = fn(Node<'_, '_>, Node<'_, '_>) -> Vec<Offence>;

const RULES: [(&str, Rule); 9] = [
    ("B1848", no_routing_without_security),
    ("B1890", one_means_at_departure),
    ("B1891", no_means_for_post),
    ("B1892", means_identified_without_container),
    ("B1893", no_place_of_loading_without_security),
    ("B1895", ucr_at_one_level),
    ("B1897", no_nationality_on_rails),
    ("E1301", nothing_at_the_middle_levels),
    ("E1406", one_house_consignment),
];

fn without_security(root: Node<'_, '_>) -> bool {
    text_at(root, "TransitOperation/security") == Some("0")
}

/// B1848: without security data there are no countries of routing. With them
/// there are: HMRC's security scenarios have some, and are released.
fn no_routing_without_security(root: Node<'_, '_>, consignment: Node<'_, '_>) -> Vec<Offence> {
    if !without_security(root) {
        return Vec::new();
    }
    each(consignment, CONSIGNMENT, "CountryOfRoutingOfConsignment")
        .map(|(path, country)| match element_at(country, "country") {
            Some(code) => present(format!("{path}/country"), code),
            None => present(path, country),
        })
        .collect()
}

/// B1890: one means of transport at departure, no more.
fn one_means_at_departure(_: Node<'_, '_>, consignment: Node<'_, '_>) -> Vec<Offence> {
    each(consignment, CONSIGNMENT, MEANS).skip(1).map(|(path, one)| present(path, one)).collect()
}

/// B1891: goods sent by post (inland mode 5) have no means of transport at
/// departure.
fn no_means_for_post(_: Node<'_, '_>, consignment: Node<'_, '_>) -> Vec<Offence> {
    if text_at(consignment, "inlandModeOfTransport") != Some("5") {
        return Vec::new();
    }
    each(consignment, CONSIGNMENT, MEANS).take(1).map(|(path, one)| present(path, one)).collect()
}

/// B1892: unless the goods are in containers, a means of transport at
/// departure has a type of identification and an identification number.
fn means_identified_without_container(_: Node<'_, '_>, consignment: Node<'_, '_>) -> Vec<Offence> {
    if text_at(consignment, "containerIndicator") == Some("1") {
        return Vec::new();
    }
    each(consignment, CONSIGNMENT, MEANS)
        .flat_map(|(path, one)| {
            ["typeOfIdentification", "identificationNumber"]
                .into_iter()
                .filter(move |name| text_at(one, name).is_none())
                .map(move |name| missing(format!("{path}/{name}")))
        })
        .collect()
}

/// B1893: without security data there is no place of loading (sheet IE015).
fn no_place_of_loading_without_security(
    root: Node<'_, '_>,
    consignment: Node<'_, '_>,
) -> Vec<Offence> {
    if !without_security(root) {
        return Vec::new();
    }
    children(consignment, "PlaceOfLoading")
        .map(|place| present(format!("{CONSIGNMENT}/PlaceOfLoading"), place))
        .collect()
}

/// B1895: a unique consignment reference stands either at the consignment or
/// at house level and below, never at both.
fn ucr_at_one_level(_: Node<'_, '_>, consignment: Node<'_, '_>) -> Vec<Offence> {
    const UCR: &str = "referenceNumberUCR";
    if text_at(consignment, UCR).is_none() {
        return Vec::new();
    }
    let mut offences = Vec::new();
    for (path, house) in each(consignment, CONSIGNMENT, HOUSE) {
        let items = each(house, &path, "ConsignmentItem");
        for (path, level) in [(path.clone(), house)].into_iter().chain(items) {
            if let Some(ucr) = element_at(level, UCR) {
                offences.push(present(format!("{path}/{UCR}"), ucr));
            }
        }
    }
    offences
}

/// B1897: a means of transport on rails (inland mode 2) has no nationality.
fn no_nationality_on_rails(_: Node<'_, '_>, consignment: Node<'_, '_>) -> Vec<Offence> {
    if text_at(consignment, "inlandModeOfTransport") != Some("2") {
        return Vec::new();
    }
    each(consignment, CONSIGNMENT, MEANS)
        .filter_map(|(path, one)| {
            let nationality = element_at(one, "nationality")?;
            Some(present(format!("{path}/nationality"), nationality))
        })
        .collect()
}

/// E1301: documents, references and information belong to the goods items, and
/// parties and means of transport to the consignment: none of them may stand
/// in between.
fn nothing_at_the_middle_levels(_: Node<'_, '_>, consignment: Node<'_, '_>) -> Vec<Offence> {
    const DOCUMENTS: [&str; 5] = [
        "PreviousDocument",
        "SupportingDocument",
        "TransportDocument",
        "AdditionalReference",
        "AdditionalInformation",
    ];
    const PARTIES: [&str; 3] = ["Consignor", "Consignee", MEANS];
    let named = |parent, path: &str, name| {
        each(parent, path, name).map(|(path, one)| present(path, one)).collect::<Vec<_>>()
    };
    let mut offences = Vec::new();
    for name in DOCUMENTS {
        offences.extend(named(consignment, CONSIGNMENT, name));
    }
    for (path, house) in each(consignment, CONSIGNMENT, HOUSE) {
        for name in PARTIES.into_iter().chain(DOCUMENTS) {
            offences.extend(named(house, &path, name));
        }
    }
    offences
}

/// E1406: one house consignment, no more.
fn one_house_consignment(_: Node<'_, '_>, consignment: Node<'_, '_>) -> Vec<Offence> {
    each(consignment, CONSIGNMENT, HOUSE).skip(1).map(|(path, one)| present(path, one)).collect()
}

/// Everything in a declaration that transition does not allow, rule by rule.
pub(super) fn errors(message: MessageType, root: Node<'_, '_>) -> Vec<FunctionalError> {
    let Some(consignment) = element_at(root, CONSIGNMENT) else { return Vec::new() };
    RULES
        .iter()
        .flat_map(|(rule, broken)| {
            broken(root, consignment).into_iter().map(move |one| (rule, one))
        })
        .take(MOST)
        .map(|(rule, Offence(path, value))| {
            error(format!("/{}/{path}", message.root()), "50", rule, value.as_deref())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A declaration with this security indicator and this in its consignment.
    fn broken(security: &str, consignment: &str) -> Vec<(String, String, Option<String>)> {
        let xml = format!(
            "<ncts:CC015C xmlns:ncts=\"http://ncts.dgtaxud.ec\"><TransitOperation><security>\
             {security}</security></TransitOperation><Consignment>{consignment}</Consignment>\
             </ncts:CC015C>"
        );
        let document = crate::ncts::read::parse(&xml).unwrap();
        errors(MessageType::Ie015, document.root_element())
            .into_iter()
            .map(|one| {
                assert_eq!(one.code, "50");
                let path = one.pointer.strip_prefix("/CC015C/Consignment").unwrap().to_owned();
                (one.reason, path, one.value)
            })
            .collect()
    }

    const CONTAINER: &str = "<containerIndicator>1</containerIndicator>";
    const LORRY: &str = "<DepartureTransportMeans><typeOfIdentification>30</typeOfIdentification>\
        <identificationNumber>A1</identificationNumber><nationality>GB</nationality>\
        </DepartureTransportMeans>";

    /// Rule, path below the consignment, value.
    type Broken = (&'static str, &'static str, Option<&'static str>);

    #[test]
    fn each_rule_names_what_breaks_it_and_where() {
        let unidentified =
            "<DepartureTransportMeans><nationality>GB</nationality></DepartureTransportMeans>";
        let ucr = "<referenceNumberUCR>U1</referenceNumberUCR>";
        let routing = "<CountryOfRoutingOfConsignment><country>XI</country>\
                       </CountryOfRoutingOfConsignment>";
        let loading = "<PlaceOfLoading><country>GB</country></PlaceOfLoading>";
        let cases: &[(&str, String, &[Broken])] = &[
            ("0", format!("{CONTAINER}{LORRY}<HouseConsignment/>"), &[]),
            ("0", LORRY.to_owned(), &[]),
            (
                "0",
                routing.to_owned(),
                &[("B1848", "/CountryOfRoutingOfConsignment[1]/country", Some("XI"))],
            ),
            ("1", routing.to_owned(), &[]),
            ("2", format!("{routing}{loading}"), &[]),
            ("0", loading.to_owned(), &[("B1893", "/PlaceOfLoading", None)]),
            ("0", format!("{LORRY}{LORRY}"), &[("B1890", "/DepartureTransportMeans[2]", None)]),
            (
                "0",
                format!("<inlandModeOfTransport>5</inlandModeOfTransport>{LORRY}{LORRY}"),
                &[
                    ("B1890", "/DepartureTransportMeans[2]", None),
                    ("B1891", "/DepartureTransportMeans[1]", None),
                ],
            ),
            ("0", "<inlandModeOfTransport>5</inlandModeOfTransport>".to_owned(), &[]),
            (
                "0",
                format!("<containerIndicator>0</containerIndicator>{unidentified}"),
                &[
                    ("B1892", "/DepartureTransportMeans[1]/typeOfIdentification", None),
                    ("B1892", "/DepartureTransportMeans[1]/identificationNumber", None),
                ],
            ),
            ("0", format!("{CONTAINER}{unidentified}"), &[]),
            (
                "0",
                format!("<inlandModeOfTransport>2</inlandModeOfTransport>{LORRY}"),
                &[("B1897", "/DepartureTransportMeans[1]/nationality", Some("GB"))],
            ),
            ("0", format!("<inlandModeOfTransport>3</inlandModeOfTransport>{LORRY}"), &[]),
            (
                "0",
                format!(
                    "{ucr}<HouseConsignment>{ucr}<ConsignmentItem/><ConsignmentItem>{ucr}\
                     </ConsignmentItem></HouseConsignment>"
                ),
                &[
                    ("B1895", "/HouseConsignment[1]/referenceNumberUCR", Some("U1")),
                    (
                        "B1895",
                        "/HouseConsignment[1]/ConsignmentItem[2]/referenceNumberUCR",
                        Some("U1"),
                    ),
                ],
            ),
            ("0", format!("<HouseConsignment>{ucr}</HouseConsignment>"), &[]),
            (
                "0",
                "<PreviousDocument/><HouseConsignment><Consignee/><AdditionalReference/>\
                 <ConsignmentItem><PreviousDocument/><Consignee/></ConsignmentItem>\
                 </HouseConsignment>"
                    .to_owned(),
                &[
                    ("E1301", "/PreviousDocument[1]", None),
                    ("E1301", "/HouseConsignment[1]/Consignee[1]", None),
                    ("E1301", "/HouseConsignment[1]/AdditionalReference[1]", None),
                ],
            ),
            ("0", "<Consignor/><Consignee/>".to_owned(), &[]),
            (
                "0",
                "<HouseConsignment/><HouseConsignment/><HouseConsignment/>".to_owned(),
                &[("E1406", "/HouseConsignment[2]", None), ("E1406", "/HouseConsignment[3]", None)],
            ),
        ];
        for (security, consignment, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|(rule, path, value)| {
                    ((*rule).to_owned(), (*path).to_owned(), value.map(str::to_owned))
                })
                .collect();
            assert_eq!(broken(security, consignment), expected, "{security} {consignment}");
        }
    }

    #[test]
    fn a_hostile_declaration_gets_no_longer_a_rejection_than_the_schema_allows() {
        let many = "<HouseConsignment/>".repeat(MOST + 10);
        assert_eq!(broken("0", &many).len(), MOST);
        let long = format!(
            "<inlandModeOfTransport>2</inlandModeOfTransport>{}",
            LORRY.replace("GB", &"G".repeat(2_000))
        );
        assert_eq!(broken("0", &long)[0].2.as_ref().unwrap().len(), VALUE);
        assert_eq!(broken("0", ""), []);
    }
}
