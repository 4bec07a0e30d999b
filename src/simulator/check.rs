//! What the API checks of a message before it hands it to NCTS: that it is
//! well-formed, that the elements NCTS acts on are there and have their form,
//! and the validator's business rules.
//!
//! Where there are XSDs they are asked first. The rules here are no validation:
//! an element that none of them names is taken as it is.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};
use roxmltree::{Document, Node};

use super::http_errors::{HttpError, Violation};
use super::movement::Submitted;
use super::options::ApiVersion;
use super::outside::Outside;
use crate::ncts::build::{DATE, DATE_TIME};
use crate::ncts::read::{self, NAMESPACE, element_at, text_at};
use crate::ncts::{MessageType, MovementKind};

/// Deepest nesting accepted. NCTS messages nest eight deep.
const DEPTH: usize = 32;

/// Most violations reported.
const VIOLATIONS: usize = 50;

/// The form of an element's text.
#[derive(Clone, Copy)]
enum Form {
    /// A group: only its presence matters.
    Group,
    /// Up to so many characters, none of them a space at either end.
    Text(usize),
    Date,
    DateTime,
    /// `0` or `1`.
    Flag,
    /// One character.
    Letter,
    /// `GB000246`.
    Office,
    Mrn,
}

use Form::{Date, DateTime, Flag, Group, Letter, Mrn, Office, Text};

const HEADER: &[(&str, Form)] = &[
    ("messageSender", Text(35)),
    ("messageRecipient", Text(35)),
    ("preparationDateAndTime", DateTime),
    ("messageIdentification", Text(35)),
    ("messageType", Text(6)),
];

/// Elements that must be there, by message.
fn required(message: MessageType, version: ApiVersion) -> Vec<(&'static str, Form)> {
    const DECLARATION: &[(&str, Form)] = &[
        ("TransitOperation/declarationType", Text(5)),
        ("TransitOperation/additionalDeclarationType", Letter),
        ("TransitOperation/security", Letter),
        ("TransitOperation/reducedDatasetIndicator", Flag),
        ("TransitOperation/bindingItinerary", Flag),
        ("CustomsOfficeOfDestinationDeclared/referenceNumber", Office),
        ("HolderOfTheTransitProcedure", Group),
        ("Guarantee", Group),
        ("Consignment/grossMass", Text(17)),
        ("Consignment/HouseConsignment", Group),
    ];
    const LRN: (&str, Form) = ("TransitOperation/LRN", Text(22));
    const MRN: (&str, Form) = ("TransitOperation/MRN", Mrn);
    let mut all = HEADER.to_vec();
    all.push((
        match message.movement() {
            MovementKind::Departure => "CustomsOfficeOfDeparture/referenceNumber",
            MovementKind::Arrival => "CustomsOfficeOfDestinationActual/referenceNumber",
        },
        Office,
    ));
    match message {
        MessageType::Ie015 => {
            all.push(LRN);
            all.extend(DECLARATION);
        }
        MessageType::Ie013 => {
            all.push(("TransitOperation/amendmentTypeFlag", Flag));
            all.extend(DECLARATION);
        }
        MessageType::Ie014 => all.extend([
            ("Invalidation/initiatedByCustoms", Flag),
            ("HolderOfTheTransitProcedure", Group),
        ]),
        MessageType::Ie170 => all.extend([
            LRN,
            ("HolderOfTheTransitProcedure", Group),
            ("Consignment/LocationOfGoods/typeOfLocation", Letter),
            ("Consignment/LocationOfGoods/qualifierOfIdentification", Letter),
            ("Consignment/HouseConsignment", Group),
        ]),
        MessageType::Ie007 => {
            all.extend([
                MRN,
                ("TransitOperation/arrivalNotificationDateAndTime", DateTime),
                ("TransitOperation/simplifiedProcedure", Flag),
                ("TraderAtDestination/identificationNumber", Text(17)),
                ("Consignment/LocationOfGoods/typeOfLocation", Letter),
                ("Consignment/LocationOfGoods/qualifierOfIdentification", Letter),
            ]);
            if !version.is_ncts6() {
                all.push(("TransitOperation/incidentFlag", Flag));
            }
        }
        MessageType::Ie044 => all.extend([
            MRN,
            ("TraderAtDestination/identificationNumber", Text(17)),
            ("UnloadingRemark/conform", Flag),
            ("UnloadingRemark/unloadingCompletion", Flag),
            ("UnloadingRemark/unloadingDate", Date),
        ]),
        _ => {}
    }
    all
}

/// Elements whose form matters where they are there.
const OPTIONAL: &[(&str, Form)] = &[
    ("TransitOperation/LRN", Text(22)),
    ("TransitOperation/MRN", Mrn),
    ("HolderOfTheTransitProcedure/identificationNumber", Text(17)),
    ("HolderOfTheTransitProcedure/TIRHolderIdentificationNumber", Text(17)),
    ("UnloadingRemark/stateOfSeals", Flag),
    ("Invalidation/requestDateAndTime", DateTime),
];

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

/// `26GB000246AL65TIJ5`, or the form used until 2024 without the letter J-M.
fn is_mrn(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 18
        && bytes[..2].iter().all(u8::is_ascii_digit)
        && bytes[2..4].iter().all(u8::is_ascii_uppercase)
        && bytes[4..17].iter().copied().all(upper_or_digit)
        && bytes[17].is_ascii_digit();
    // Years to 24 may have the old form, years from 24 the new one.
    shaped && (&text[..2] <= "24" || (b'J'..=b'M').contains(&bytes[16]))
}

/// `26GB000001038B634`, with a letter and six digits more for vouchers.
pub(super) fn is_grn(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (number, rest) = bytes.split_at(bytes.len().min(17));
    number.len() == 17
        && number[..2].iter().all(u8::is_ascii_digit)
        && number[2..4].iter().all(u8::is_ascii_uppercase)
        && number[4..16].iter().copied().all(upper_or_digit)
        && number[16].is_ascii_digit()
        && (rest.is_empty()
            || rest.len() == 7
                && rest[0].is_ascii_uppercase()
                && rest[1..].iter().all(u8::is_ascii_digit))
}

fn has_form(form: Form, text: &str) -> bool {
    let count = text.chars().count();
    match form {
        Group => true,
        Text(most) => {
            (1..=most).contains(&count)
                && !text.starts_with(char::is_whitespace)
                && !text.ends_with(char::is_whitespace)
        }
        Date => text.len() == 10 && NaiveDate::parse_from_str(text, DATE).is_ok(),
        DateTime => text.len() == 19 && NaiveDateTime::parse_from_str(text, DATE_TIME).is_ok(),
        Flag => matches!(text, "0" | "1"),
        Letter => count == 1,
        Office => {
            text.len() == 8
                && text.bytes().take(2).all(|b| b.is_ascii_uppercase())
                && text.bytes().all(upper_or_digit)
        }
        Mrn => is_mrn(text),
    }
}

fn violation(document: &Document<'_>, node: Node<'_, '_>, message: String) -> Violation {
    let at = document.text_pos_at(node.range().start);
    Violation { line_number: at.row, column_number: at.col, message }
}

fn bad_value(document: &Document<'_>, node: Node<'_, '_>, out: &mut Vec<Violation>) {
    let name = node.tag_name().name();
    let value: String = node.text().unwrap_or_default().chars().take(200).collect();
    // The service reports each bad value twice, as its parser does.
    out.push(violation(
        document,
        node,
        format!("cvc-pattern-valid: Value '{value}' is not facet-valid for type of '{name}'."),
    ));
    out.push(violation(
        document,
        node,
        format!("cvc-type.3.1.3: The value '{value}' of element '{name}' is not valid."),
    ));
}

/// The deepest element present on the way to `path`, and the name missing
/// below it.
fn gap<'a, 'i>(root: Node<'a, 'i>, path: &'static str) -> (Node<'a, 'i>, &'static str) {
    let mut at = root;
    for name in path.split('/') {
        match element_at(at, name) {
            Some(child) => at = child,
            None => return (at, name),
        }
    }
    (at, "")
}

/// Whether any node lies more than `most` levels below `root`. Walks without
/// recursion: the text is hostile until this has passed.
fn deeper_than(root: Node<'_, '_>, most: usize) -> bool {
    let (mut at, mut depth) = (root, 0_usize);
    loop {
        if depth > most {
            return true;
        }
        if let Some(child) = at.first_child() {
            (at, depth) = (child, depth + 1);
            continue;
        }
        loop {
            if at == root {
                return false;
            }
            if let Some(next) = at.next_sibling() {
                at = next;
                break;
            }
            let Some(parent) = at.parent() else { return false };
            (at, depth) = (parent, depth.saturating_sub(1));
        }
    }
}

fn schema_violations(
    document: &Document<'_>,
    message: MessageType,
    version: ApiVersion,
) -> Vec<Violation> {
    let root = document.root_element();
    if deeper_than(root, DEPTH) {
        let text = "cvc-complex-type.2.4.d: Invalid content was found: elements nest too deep.";
        return vec![violation(document, root, text.to_owned())];
    }
    let mut out = Vec::new();
    for (path, form) in required(message, version) {
        match element_at(root, path) {
            None => {
                let (parent, name) = gap(root, path);
                let parent_name = parent.tag_name().name();
                let text = format!(
                    "cvc-complex-type.2.4.b: The content of element '{parent_name}' is not \
                     complete. One of '{{{name}}}' is expected."
                );
                out.push(violation(document, parent, text));
            }
            Some(node) => {
                if !has_form(form, node.text().unwrap_or_default()) {
                    bad_value(document, node, &mut out);
                }
            }
        }
    }
    let known: Vec<_> = required(message, version).iter().map(|(path, _)| *path).collect();
    for (path, form) in OPTIONAL.iter().filter(|(path, _)| !known.contains(path)) {
        if let Some(node) = element_at(root, path)
            && !has_form(*form, node.text().unwrap_or_default())
        {
            bad_value(document, node, &mut out);
        }
    }
    for guarantee in read::children(root, "Guarantee") {
        for reference in read::children(guarantee, "GuaranteeReference") {
            if let Some(grn) = element_at(reference, "GRN")
                && !is_grn(grn.text().unwrap_or_default())
            {
                bad_value(document, grn, &mut out);
            }
            if let Some(number) = element_at(reference, "sequenceNumber")
                && !(digits(number.text().unwrap_or_default())
                    && number.text().unwrap_or_default().len() <= 5)
            {
                bad_value(document, number, &mut out);
            }
        }
    }
    out.truncate(VIOLATIONS);
    out
}

/// The validator's business rules, in its order; the first that fails speaks.
fn business_rules(root: Node<'_, '_>, message: MessageType) -> Result<(), HttpError> {
    let text = |path| text_at(root, path).unwrap_or_default();
    if text("messageType") != message.root() {
        return Err(HttpError::business("Root node doesn't match with the messageType"));
    }
    let node = match message.movement() {
        MovementKind::Departure => "CustomsOfficeOfDeparture",
        MovementKind::Arrival => "CustomsOfficeOfDestinationActual",
    };
    let office = element_at(root, node)
        .and_then(|office| text_at(office, "referenceNumber"))
        .unwrap_or_default();
    let country = office.get(..2).unwrap_or_default();
    if !matches!(country, "GB" | "XI") {
        return Err(HttpError::business(format!(
            "The customs office specified for {node} must be a customs office located in the \
             United Kingdom ({office} was specified)"
        )));
    }
    if text("messageRecipient") != format!("NTA.{country}") {
        return Err(HttpError::business(format!(
            "The message recipient country must match the country of the {node}"
        )));
    }
    if message == MessageType::Ie013 {
        let has = |path| element_at(root, path).is_some();
        match (has("TransitOperation/LRN"), has("TransitOperation/MRN")) {
            (false, false) => {
                return Err(HttpError::business(
                    "A LRN or MRN must be specified, neither were found (rule C0467)",
                ));
            }
            (true, true) => {
                return Err(HttpError::business(
                    "Only an LRN or MRN must be specified, both were found (rule C0467)",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks a message body sent to open a movement of a kind (`opening`), or to
/// be added to one.
///
/// # Errors
/// What the API answers: malformed, of a type not taken here, against the
/// schema, against a business rule.
pub(super) fn check(
    body: &[u8],
    kind: MovementKind,
    opening: bool,
    version: ApiVersion,
    outside: &mut Outside,
) -> Result<Submitted, HttpError> {
    let malformed = |line: u32, column: u32, why: String| {
        if opening {
            // Opening messages go straight to the schema validator, which
            // reports what its parser says.
            HttpError::schema(vec![Violation {
                line_number: line,
                column_number: column,
                message: why,
            }])
        } else {
            HttpError::bad_request("Input was malformed")
        }
    };
    let text = std::str::from_utf8(body)
        .map_err(|_| malformed(1, 1, "Invalid byte of a UTF-8 sequence.".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}');
    let document = read::parse(text).map_err(|error| {
        let at = error.pos();
        malformed(at.row, at.col, error.to_string())
    })?;
    let root = document.root_element();
    let name = root.tag_name().name();
    let message = MessageType::from_root(name).filter(|message| {
        message.movement() == kind
            && message.direction() == crate::ncts::Direction::Sent
            && message.opens_movement() == opening
    });
    let shown: String = name.chars().take(80).collect();
    let Some(message) = message else {
        return Err(if opening {
            let text = format!("cvc-elt.1.a: Cannot find the declaration of element '{shown}'.");
            HttpError::schema(vec![violation(&document, root, text)])
        } else {
            HttpError::bad_request(format!("{shown} is not a valid message type"))
        });
    };
    if root.tag_name().namespace() != Some(NAMESPACE) {
        let text = format!("cvc-elt.1.a: Cannot find the declaration of element '{shown}'.");
        return Err(HttpError::schema(vec![violation(&document, root, text)]));
    }
    let mut violations = outside.violations(version, text);
    violations.truncate(VIOLATIONS);
    if violations.is_empty() {
        violations = schema_violations(&document, message, version);
    }
    if !violations.is_empty() {
        return Err(HttpError::schema(violations));
    }
    business_rules(root, message)?;
    Ok(Submitted::read(message, root, Arc::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_the_published_forms() {
        for good in ["26GB000246AL65TIJ5", "23XI000081V5OPHUJ1", "19GB00024612345675"] {
            assert!(is_mrn(good), "{good}");
        }
        for bad in ["26GB000246AL65TII5", "26GB000246AL65TIJ", "26gb000246AL65TIJ5", "", "é"] {
            assert!(!is_mrn(bad), "{bad}");
        }
        for good in ["26GB000001038B634", "23XI00000100000D0", "26GB000001038B634A123456"] {
            assert!(is_grn(good), "{good}");
        }
        for bad in ["26GB000001038B63X", "26GB000001038B634A12345", "GB", "26GBé00001038B634"] {
            assert!(!is_grn(bad), "{bad}");
        }
        assert!(!has_form(DateTime, "2026-05-01T10:00:00Z"));
        assert!(!has_form(Text(22), " A"));
        assert!(has_form(Office, "XI000081") && !has_form(Office, "XI00008"));
    }

    #[test]
    fn a_deeply_nested_message_is_refused_and_a_long_one_is_not_deep() {
        let nested = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
        assert!(deeper_than(read::parse(&nested).unwrap().root_element(), DEPTH));
        let long = format!("<a>{}</a>", "<b><c/></b>x".repeat(1000));
        assert!(!deeper_than(read::parse(&long).unwrap().root_element(), DEPTH));
        assert!(!deeper_than(read::parse("<a/>").unwrap().root_element(), DEPTH));
    }
}
