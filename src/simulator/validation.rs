//! Validation against HMRC's XSDs, told as the API tells it.
//!
//! The API's parser writes two entries for each value that does not fit: which
//! facet it breaks, and that the element is not valid. The codes are those of
//! XML Schema's validation rules (appendix C, "cvc-…"); the sentences are ours.

use super::http_errors::Violation;
use crate::ncts::xsd::{self, Refused, Schemas, ViolationKind as Kind};

/// What the schemas have against a message, as the API lists it.
pub(super) fn violations(schemas: &Schemas, xml: &str) -> Vec<Violation> {
    match schemas.validate(xml) {
        Ok(found) => found.iter().flat_map(entries).collect(),
        Err(refused) => vec![unjudged(&refused)],
    }
}

/// A document that cannot be judged at all.
fn unjudged(refused: &Refused) -> Violation {
    let (line_number, column_number) = match refused {
        Refused::TooLarge { .. } => (1, 1),
        Refused::Encoding { line, column, .. }
        | Refused::Dtd { line, column }
        | Refused::TooMany { line, column, .. }
        | Refused::NotWellFormed { line, column, .. } => (*line, *column),
    };
    Violation { line_number, column_number, message: refused.to_string() }
}

fn entries(found: &xsd::Violation) -> Vec<Violation> {
    let entry = |message: String| Violation {
        line_number: found.line,
        column_number: found.column,
        message,
    };
    let last = found.path.rsplit('/').next().unwrap_or_default();
    let name = last.split('[').next().unwrap_or_default();
    let first = entry(format!("{}: {}", rule(found.kind), found.message));
    if !is_of_value(found.kind) {
        return vec![first];
    }
    let second = match name.strip_prefix('@') {
        Some(name) => format!("cvc-attribute.3: The value of attribute '{name}' is not valid."),
        None => format!("cvc-type.3.1.3: The value of element '{name}' is not valid."),
    };
    vec![first, entry(second)]
}

/// The rule that a violation breaks.
fn rule(kind: Kind) -> &'static str {
    match kind {
        Kind::UnknownRoot | Kind::Namespace => "cvc-elt.1.a",
        Kind::UnexpectedElement | Kind::Order => "cvc-complex-type.2.4.a",
        Kind::MissingElement => "cvc-complex-type.2.4.b",
        Kind::TooMany => "cvc-complex-type.2.4.d",
        Kind::UnexpectedText => "cvc-complex-type.2.3",
        Kind::Attribute => "cvc-complex-type.3.2.2",
        Kind::Type => "cvc-datatype-valid.1.2.1",
        Kind::Enumeration => "cvc-enumeration-valid",
        Kind::Length => "cvc-length-valid",
        Kind::Digits => "cvc-totalDigits-valid",
        Kind::Range => "cvc-maxInclusive-valid",
        Kind::Pattern => "cvc-pattern-valid",
    }
}

fn is_of_value(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Type | Kind::Enumeration | Kind::Length | Kind::Digits | Kind::Range | Kind::Pattern
    )
}
