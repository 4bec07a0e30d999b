//! The compiled schemas: what an element may hold, with every name resolved.

use super::decimal::Decimal;
use super::regex::Regex;

/// The built-in types that HMRC's schemas start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    String,
    NormalizedString,
    Token,
    Integer,
    Decimal,
    Date,
    DateTime,
}

impl Builtin {
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::String, "string"),
        (Self::NormalizedString, "normalizedString"),
        (Self::Token, "token"),
        (Self::Integer, "integer"),
        (Self::Decimal, "decimal"),
        (Self::Date, "date"),
        (Self::DateTime, "dateTime"),
    ];

    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::String | Self::NormalizedString | Self::Token)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal)
    }
}

/// A type of values. The built-in ones are the first of the list, in the order
/// of [`Builtin::ALL`].
#[derive(Clone, Debug)]
pub(super) struct SimpleType {
    pub(super) builtin: Builtin,
    /// What it restricts; none for the built-in ones. Always an earlier index
    /// in meaning, so a walk over bases ends.
    pub(super) base: Option<usize>,
    pub(super) facets: Facets,
}

/// What one restriction adds. A value keeps those of every base as well.
#[derive(Clone, Debug, Default)]
pub(super) struct Facets {
    /// Any one of them must match.
    pub(super) patterns: Vec<(String, Regex)>,
    /// With white space as the type takes it.
    pub(super) enumeration: Vec<String>,
    pub(super) length: Option<usize>,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) total_digits: Option<usize>,
    pub(super) fraction_digits: Option<usize>,
    pub(super) min_inclusive: Option<Decimal>,
    pub(super) max_inclusive: Option<Decimal>,
}

/// A type of elements with attributes or children. Its content is always a
/// sequence, and no two elements of it have the same name: what is judged is
/// whether the children are in order and as many as they must be.
#[derive(Clone, Debug, Default)]
pub(super) struct ComplexType {
    /// What it extends.
    pub(super) base: Option<usize>,
    pub(super) content: Vec<Particle>,
    pub(super) attributes: Vec<AttributeUse>,
}

/// An element of a sequence.
#[derive(Clone, Debug)]
pub(super) struct Particle {
    pub(super) name: String,
    /// Whether it is in the schemas' namespace, or in none.
    pub(super) qualified: bool,
    pub(super) min: usize,
    /// None: any number.
    pub(super) max: Option<usize>,
    pub(super) kind: Type,
}

/// An attribute, always in no namespace.
#[derive(Clone, Debug)]
pub(super) struct AttributeUse {
    pub(super) name: String,
    pub(super) required: bool,
    /// Index of its simple type.
    pub(super) simple: usize,
}

/// Index of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Simple(usize),
    Complex(usize),
}
