//! What can be wrong with a document.

/// A document that cannot be filled or written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Larger than any form; refused before it is read.
    #[error("{what} is larger than {limit_mb} MB; that is no form of HMRC's")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit in megabytes (2^20 bytes).
        limit_mb: u64,
    },
    /// More parts than any form has.
    #[error("the document has more than {limit} {what}; that is no form of HMRC's")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A password-protected document, or one of Word 97 to 2003.
    #[error(
        "the file is protected with a password, or is a `.doc` of an old Word; save it as `.docx` without a password"
    )]
    Encrypted,
    /// Not a zip archive, or a damaged one.
    #[error("the file is not a Word document (`.docx`): {0}")]
    NotAZip(String),
    /// A member's name would leave the archive, or occurs twice.
    #[error("the file has a member with the unsafe name `{name}`")]
    UnsafeMember {
        /// The name, shortened.
        name: String,
    },
    /// A part that every Word document has is not there.
    #[error("the file is not a Word document: it has no `{name}`")]
    MissingMember {
        /// The part's name.
        name: &'static str,
    },
    /// A macro-enabled document.
    #[error("the document contains macros (`{name}`); use HMRC's own form, a plain `.docx`")]
    MacroEnabled {
        /// What shows it.
        name: String,
    },
    /// A template, or another kind of document.
    #[error("the file is not a Word document (`.docx`) but `{content_type}`")]
    NotWord {
        /// Content type of its main part.
        content_type: String,
    },
    /// Broken or hostile XML.
    #[error("`{member}` is not readable: {detail} (at byte {offset})")]
    Xml {
        /// The part.
        member: &'static str,
        /// What is wrong.
        detail: String,
        /// Where, in bytes from its beginning.
        offset: usize,
    },
    /// No known form.
    #[error("the document is none of the forms ctc-ready knows: {}", known.join("; "))]
    UnknownForm {
        /// The titles of the known forms.
        known: Vec<String>,
    },
    /// Much like a known form, but not it.
    #[error(
        "the document looks like `{form}`, but is another edition: `{missing}` does not occur in it"
    )]
    OtherEdition {
        /// The title of the form it resembles.
        form: String,
        /// A phrase of it that is absent.
        missing: String,
    },
    /// More than one form's phrases occur.
    #[error("the document could be any of: {}", forms.join("; "))]
    SeveralForms {
        /// The titles.
        forms: Vec<String>,
    },
    /// The answers belong to another programme.
    #[error("`{form}` is not a form of the programme `{programme}`, but of {}", of.join(", "))]
    WrongProgramme {
        /// The form's title.
        form: String,
        /// The programme that was to be answered for.
        programme: String,
        /// The programmes that the form serves.
        of: Vec<String>,
    },
    /// HMRC asks for no signature in it.
    #[error("`{form}` has no place for a signature; it is sent as it is")]
    NoSignature {
        /// The form's title.
        form: String,
    },
    /// The place for a signature is taken, or not surely found.
    #[error("the form cannot be signed: {why}")]
    CannotSign {
        /// The field, and what is wrong with it.
        why: String,
    },
    /// A copy that an earlier rehearsal filled.
    #[error(
        "the document is a copy that a rehearsal filled; start again from HMRC's empty form, so that no simulated value remains"
    )]
    RehearsalCopy,
    /// The template of a preview does not fit what it is given: a bug.
    #[error("the preview could not be written: {0}")]
    Template(String),
    /// Our own document could not be written.
    #[error("the document could not be written: {0}")]
    Write(String),
}
