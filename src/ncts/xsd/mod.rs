//! Judging messages against HMRC's XML schemas, as libxml2 judges them.
//!
//! Pure functions of text: nothing here opens a file. The layer that reads the
//! schema folder may call it, and whatever sends or shows a message; it calls
//! nothing of this crate but `ncts`.
//!
//! ```text
//! files -> source (parsed, includes followed) -> load -> Schemas
//! bytes -> text_of -> scan (bounds, before any tree) -> validate -> Violations
//! ```
//!
//! Two principles. A schema word that is not understood is an error of the
//! schema, never passed over, whether or not a message reaches it. And a
//! document gets all its violations at once, each told for the one who must
//! mend it, none of them the mere consequence of another.
//!
//! `docs/validation.md` says what is supported, what is refused, and how
//! agreement with libxml2 is tested.

mod content;
mod decimal;
mod load;
mod model;
mod pattern;
mod regex;
mod scan;
mod simple;
mod source;
mod validate;
mod value;

use std::collections::HashMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

pub use scan::{MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_PREFIXES, Refused, text_of};

use super::MessageType;

/// Most violations reported for one document: whoever sees a thousand needs no
/// more.
pub const MAX_VIOLATIONS: usize = 1_000;

/// The compiled schemas of one version of the message specification.
#[derive(Clone, Debug)]
pub struct Schemas {
    /// Root elements.
    elements: HashMap<String, model::Type>,
    /// Named types, for `xsi:type`.
    types: HashMap<String, model::Type>,
    simple: Vec<model::SimpleType>,
    complex: Vec<model::ComplexType>,
}

impl Schemas {
    /// Compiles schema files: for each its path inside the folder, written
    /// with `/` (`cc015c.xsd`, `include-files/custom_ctypes.xsd`), and its
    /// text. All files are of one version, so no name is defined twice.
    ///
    /// # Errors
    /// Every problem of every file: what is not understood, cannot be
    /// resolved, or contradicts itself.
    pub fn load(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, SchemaError> {
        let files: Vec<(String, String)> = files.into_iter().collect();
        load::load(&files)
    }

    /// Whether messages of this type can be judged.
    pub fn knows(&self, message: MessageType) -> bool {
        self.elements.contains_key(message.root())
    }

    /// Every violation, in the order of the document; none when it is valid.
    /// The root element says which message it is. At most [`MAX_VIOLATIONS`].
    ///
    /// # Errors
    /// What keeps the document from being judged at all.
    pub fn validate(&self, xml: &str) -> Result<Vec<Violation>, Refused> {
        validate::validate(self, xml)
    }
}

/// One place where a document departs from the schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Violation {
    /// XPath of the element or attribute by local names, such as
    /// `/CC015C/Guarantee[2]/GuaranteeReference/GRN` or `/CC015C/@PhaseID`,
    /// with positions where an element of that name stands more than once. Of
    /// something missing: where it would be.
    pub path: String,
    /// Line, from 1; of something missing, that before which it must stand.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What kind of violation it is.
    pub kind: ViolationKind,
    /// What is there and what the schema allows.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.line, self.column, self.path, self.message)
    }
}

/// What kind of violation it is. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ViolationKind {
    /// The root element is none of these schemas.
    UnknownRoot,
    /// An element of the right name in the wrong namespace.
    Namespace,
    /// An element that is not allowed in its parent.
    UnexpectedElement,
    /// An element that stands before or after its place.
    Order,
    /// An element that is not there, or not often enough.
    MissingElement,
    /// An element that stands more often than it may.
    TooMany,
    /// Text where only elements, or nothing, may stand.
    UnexpectedText,
    /// An attribute that is missing or not allowed.
    Attribute,
    /// No value of the type: not a number, not a date.
    Type,
    /// None of the values allowed.
    Enumeration,
    /// Too short or too long.
    Length,
    /// Too many digits, or decimal places.
    Digits,
    /// Too small or too large.
    Range,
    /// Not of the form that is asked for.
    Pattern,
}

impl ViolationKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::UnknownRoot,
        Self::Namespace,
        Self::UnexpectedElement,
        Self::Order,
        Self::MissingElement,
        Self::TooMany,
        Self::UnexpectedText,
        Self::Attribute,
        Self::Type,
        Self::Enumeration,
        Self::Length,
        Self::Digits,
        Self::Range,
        Self::Pattern,
    ];

    /// The stable name: `missing-element`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownRoot => "unknown-root",
            Self::Namespace => "namespace",
            Self::UnexpectedElement => "unexpected-element",
            Self::Order => "order",
            Self::MissingElement => "missing-element",
            Self::TooMany => "too-many",
            Self::UnexpectedText => "unexpected-text",
            Self::Attribute => "attribute",
            Self::Type => "type",
            Self::Enumeration => "enumeration",
            Self::Length => "length",
            Self::Digits => "digits",
            Self::Range => "range",
            Self::Pattern => "pattern",
        }
    }
}

impl fmt::Display for ViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing wrong with a schema file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaProblem {
    /// Path inside the folder; empty when it is about the folder.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// Schemas that cannot be used: every problem at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SchemaError {
    /// At least one, ordered by file and place.
    pub problems: Vec<SchemaProblem>,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "the schemas have {count} problem{}", if count == 1 { "" } else { "s" })?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// A value in a message: cut to a sensible length, nothing in it that moves
/// the cursor.
fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut out = String::new();
    for c in text.chars().take(MOST) {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}
