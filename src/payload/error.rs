//! What makes a payload unusable, with the file it is in.

use std::io;
use std::path::PathBuf;

use super::check::shown_version;
use crate::ncts::MessageType;
use crate::ncts::build::BuildError;
use crate::ncts::xsd::{Refused, Violation};
use crate::project::XsdError;

/// Most bytes of one message: what the API takes of a large one, and the most
/// that is judged.
pub const MESSAGE_LIMIT: u64 = crate::ncts::xsd::MAX_BYTES as u64;

/// Why a step has no message to send.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// A file or folder cannot be read.
    #[error("`{path}` cannot be read: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A message is larger than the API takes.
    #[error("{origin} is larger than {MESSAGE_LIMIT} bytes, the most the API takes")]
    TooLarge {
        /// The file, or the pack and its entry.
        origin: String,
    },
    /// A message is not UTF-8.
    #[error("{origin} is not UTF-8 text (line {line})")]
    NotText {
        /// The file, or the pack and its entry.
        origin: String,
        /// Line of the first wrong byte, from 1.
        line: usize,
    },
    /// A pack is not a zip, or a damaged one.
    #[error("`{path}` is not a zip file that can be read: {message}")]
    NotZip {
        /// The pack.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A pack is larger than any of HMRC's could be.
    #[error("`{path}` is not a test pack: it has more than {limit} {what}")]
    PackTooLarge {
        /// The pack.
        path: PathBuf,
        /// The limit it breaks.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// An entry's name leads out of the pack.
    #[error("`{path}` is not a test pack: its entry `{entry}` leads out of it")]
    Traversal {
        /// The pack.
        path: PathBuf,
        /// The entry.
        entry: String,
    },
    /// A pack without messages.
    #[error(
        "`{path}` is not a test pack: none of its files is named like a message, such as `dsgb1_ie015_xml_example.xml`"
    )]
    NoMessages {
        /// The pack.
        path: PathBuf,
    },
    /// Several of the house's files claim one step.
    #[error(
        "step {step} of `{scenario}` has more than one file: {}",
        .files.iter().map(|file| format!("`{}`", file.display())).collect::<Vec<_>>().join(", ")
    )]
    Ambiguous {
        /// The scenario.
        scenario: String,
        /// The step.
        step: u32,
        /// The files.
        files: Vec<PathBuf>,
    },
    /// A file's name says another message than its step sends.
    #[error("`{path}` is named for an {named}, step {step} of `{scenario}` sends an {expected}")]
    Misnamed {
        /// The file.
        path: PathBuf,
        /// The scenario.
        scenario: String,
        /// The step.
        step: u32,
        /// What the step sends.
        expected: MessageType,
        /// What the name says.
        named: MessageType,
    },
    /// A file names a message that several steps send.
    #[error(
        "`{path}` could be meant for several steps of `{scenario}`: name it `{scenario}/{step}-{message}.xml`"
    )]
    WhichStep {
        /// The file.
        path: PathBuf,
        /// The scenario.
        scenario: String,
        /// The step that was looked for.
        step: u32,
        /// The message.
        message: MessageType,
    },
    /// The scenario has no such step.
    #[error("`{scenario}` has no step {step}: it has {steps}")]
    NoStep {
        /// The scenario.
        scenario: String,
        /// The step asked for.
        step: u32,
        /// How many it has.
        steps: usize,
    },
    /// The step sends nothing.
    #[error("step {step} of `{scenario}` sends no message")]
    NothingSent {
        /// The scenario.
        scenario: String,
        /// The step.
        step: u32,
    },
    /// The built-in templates and data cannot make the message.
    #[error("step {step} of `{scenario}` has no built-in message: {reason}")]
    NotBuiltIn {
        /// The scenario.
        scenario: String,
        /// The step.
        step: u32,
        /// Why not.
        reason: String,
    },
    /// The message that was found cannot be filled or stamped.
    #[error("{origin}: {source}")]
    Build {
        /// Where it came from.
        origin: String,
        /// What is wrong.
        source: BuildError,
    },
    /// The schemas cannot be used.
    #[error(transparent)]
    Schemas(#[from] XsdError),
    /// The schemas cannot judge the message.
    #[error("{origin}: {source}")]
    Unjudged {
        /// Where it came from.
        origin: String,
        /// Why not.
        source: Refused,
    },
    /// The message departs from the schemas, and not on purpose.
    #[error(
        "{origin} is not valid against HMRC's schemas ({}):{}",
        shown_version(.version.as_deref()), listed(.violations)
    )]
    Invalid {
        /// Where it came from.
        origin: String,
        /// The schemas' version; none where their folder does not say.
        version: Option<String>,
        /// At least one.
        violations: Vec<Violation>,
    },
    /// The house's own message leads elsewhere than its scenario.
    #[error("{origin} is not the message that step {step} of `{scenario}` is about: {why}")]
    Contradicts {
        /// Where it came from.
        origin: String,
        /// The scenario.
        scenario: String,
        /// The step.
        step: u32,
        /// What it says, and what the scenario wants, in words.
        why: String,
    },
    /// A built-in template does not parse.
    #[error(transparent)]
    Template(#[from] BuildError),
}

/// Most violations told in a message for people.
const SHOWN: usize = 20;

/// Violations, each on a line of its own.
pub fn listed(violations: &[Violation]) -> String {
    let mut text: String =
        violations.iter().take(SHOWN).map(|violation| format!("\n  {violation}")).collect();
    if violations.len() > SHOWN {
        text.push_str(&format!("\n  … and {} more", violations.len() - SHOWN));
    }
    text
}

/// Text from bytes.
pub(super) fn text(origin: &str, bytes: Vec<u8>) -> Result<String, PayloadError> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        PayloadError::NotText { origin: origin.to_owned(), line }
    })
}
