//! The questions of HMRC's forms that only the house can answer, as keys of
//! `[answers]` and `[statements]`.
//!
//! Sources: CTC Traders API v2.0 Application for Production Credentials
//! Checklist v1.1 (NCTS5); NCTS6 Readiness Checklist, 14 April 2026.

/// What an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// `true` or `false` (`"yes"` or `"no"`).
    YesNo,
    /// As [`AnswerKind::YesNo`], or `"dont-know"`.
    YesNoDontKnow,
    /// A whole number, not negative.
    Count,
    /// Text, not empty.
    Text,
}

impl AnswerKind {
    /// What a person may write, for messages.
    pub fn accepts(self) -> &'static str {
        match self {
            Self::YesNo => "true or false",
            Self::YesNoDontKnow => "true, false or \"dont-know\"",
            Self::Count => "a whole number, 0 or more",
            Self::Text => "text",
        }
    }
}

/// A question of the NCTS5 form.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Its key in `[answers]`.
    pub key: &'static str,
    /// What is asked, in our own words.
    pub asks: &'static str,
    /// What an answer may be.
    pub kind: AnswerKind,
    /// An answer as TOML, to show how it is written.
    pub example: &'static str,
}

/// Keys of `[answers]`, in the form's order.
pub const ANSWERS: &[Question] = &[
    q("saas", "Is the product software as a service?", AnswerKind::YesNo, "true"),
    q("on-premise", "Is it installed at customers' sites?", AnswerKind::YesNo, "false"),
    q(
        "production-applications",
        "If on premise: how many production applications are needed?",
        AnswerKind::Count,
        "1",
    ),
    q(
        "rate-limit-enough",
        "Are 3 requests a second enough in production?",
        AnswerKind::YesNoDontKnow,
        "true",
    ),
    q("rate-limit-unsure", "If unsure about that: why?", AnswerKind::Text, "\"…\""),
    q("rate-limit-why", "If not enough: why more is needed", AnswerKind::Text, "\"…\""),
    q(
        "rate-limit-history",
        "If not enough: when it was exceeded before",
        AnswerKind::Text,
        "\"…\"",
    ),
    q(
        "rate-limit-usage",
        "If not enough: calls made, and the forecast peak",
        AnswerKind::Text,
        "\"…\"",
    ),
    q(
        "rate-limit-calls-per-session",
        "If not enough: calls in a session",
        AnswerKind::Text,
        "\"…\"",
    ),
    q("rate-limit-batch", "If not enough: batches, and how often", AnswerKind::Text, "\"…\""),
    q(
        "rate-limit-impact",
        "If not enough: what staying at 3 would cost",
        AnswerKind::Text,
        "\"…\"",
    ),
    q(
        "more-than-500",
        "Will listing all movements of a trader find more than 500?",
        AnswerKind::YesNoDontKnow,
        "false",
    ),
    q(
        "more-than-5000",
        "Will more than 5000 movements be open at once?",
        AnswerKind::YesNoDontKnow,
        "\"dont-know\"",
    ),
];

const fn q(
    key: &'static str,
    asks: &'static str,
    kind: AnswerKind,
    example: &'static str,
) -> Question {
    Question { key, asks, kind, example }
}

/// The question with this key.
pub fn question(key: &str) -> Option<&'static Question> {
    ANSWERS.iter().find(|question| question.key == key)
}

/// Keys of `[statements]`, in the NCTS6 form's order, and what each states in
/// our own words.
pub const STATEMENTS: &[(&str, &str)] = &[
    (
        "aligned",
        "The product follows the technical interface specification, API definitions, service guide, XML schemas and terms of use",
    ),
    ("tested-in-house", "It was tested and integrated to the house's own standards"),
    (
        "outbound-movement",
        "An outbound movement went from IE015 to IE029 in Trader Test (ctc-ready has the evidence)",
    ),
    ("ready-for-go-live", "It is ready for the day NCTS6 goes live"),
];
