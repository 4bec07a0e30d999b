//! The named rules. Names are public: scripts, waivers and `explain` rely on
//! them.

use super::model::Severity;

/// A rule of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable kebab-case name.
    pub name: &'static str,
    /// Its weight unless the finding says otherwise: about a recommended
    /// requirement an error becomes a warning.
    pub severity: Severity,
    /// What it finds, in a line.
    pub about: &'static str,
    /// Where HMRC says so; none: our own care for the evidence.
    pub source: Option<&'static str>,
}

macro_rules! rules {
    ($($constant:ident $name:literal $severity:ident $source:expr, $about:literal;)*) => {
        $(#[doc = $about] pub const $constant: Rule = Rule {
            name: $name, severity: Severity::$severity, about: $about, source: $source,
        };)*

        /// Every rule, in the order in which findings of equal weight are told.
        pub const RULES: &[Rule] = &[$($constant,)*];
    };
}

const TESTING: Option<&str> =
    Some("CTC Traders API testing guide, apply for production credentials");
const CHECKLIST: Option<&str> = Some("CTC Traders API production credentials checklist");
const PHASES: Option<&str> =
    Some("CTC Traders API testing guide, production access testing phases");

rules! {
    JOURNAL_BROKEN "journal-broken" Error None,
        "The evidence store was changed or damaged, or was not checked";
    OUTSIDE_PHASE "outside-phase" Error PHASES,
        "A run, or the day of submission, lies outside the programme's window";
    SUBMISSION_WINDOW "submission-window" Error TESTING,
        "The day of submission is past, or too soon; or until when the form may go in";
    REQUIRED_SCENARIO_MISSING "required-scenario-missing" Error CHECKLIST,
        "A mandatory requirement has no evidence that counts";
    SCENARIO_FAILED "scenario-failed" Error CHECKLIST,
        "The latest attempt at a scenario failed";
    RUN_UNFINISHED "run-unfinished" Error CHECKLIST,
        "An attempt is under way and not finished";
    SIMULATED_EVIDENCE "simulated-evidence" Error TESTING,
        "Evidence of the built-in simulator never counts; in a rehearsal it is let count";
    WRONG_ENVIRONMENT "wrong-environment" Error TESTING,
        "Only runs in HMRC's Trader Test count";
    WRONG_API_VERSION "wrong-api-version" Error TESTING,
        "A run used another version of the API than the programme's";
    EVIDENCE_FROM_FUTURE "evidence-from-future" Error None,
        "A run lies after the instant judged at";
    EVIDENCE_STALE "evidence-stale" Error TESTING,
        "Evidence is too old on the day of submission";
    EVIDENCE_EXPIRING "evidence-expiring" Warning TESTING,
        "Evidence lapses soon after the instant judged at";
    OTHER_BUILD "other-build" Error None,
        "Evidence is of another name, version or build of the software than the settings say";
    CLOCK_SKEW "clock-skew" Warning None,
        "This machine's clock and the server's were far apart during a run";
    CLOCK_CHANGED "clock-changed" Warning None,
        "This machine's clock was set back, or ran away, during a run";
    UNANSWERED_QUESTION "unanswered-question" Error CHECKLIST,
        "The form asks for something that the settings do not say";
    NOT_APPLICABLE_UNEXPLAINED "not-applicable-unexplained" Error CHECKLIST,
        "The form asks why a flow does not apply, and the settings do not say";
    LEAD_TIME "lead-time" Warning TESTING,
        "The form goes in later than HMRC asks before a date";
    UNPUBLISHED_DATE "unpublished-date" Warning None,
        "HMRC has not published a date that matters, and the settings do not give it";
    CHECKLIST_PENDING "checklist-pending" Warning None,
        "HMRC has not published the programme's checklist: nobody knows yet what it asks";
    STORE_UNSEALED "store-unsealed" Info None,
        "No seal covers the evidence";
}

/// The rule with this name.
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// A rule's place in [`RULES`], for ordering.
pub(super) fn rank(name: &str) -> usize {
    RULES.iter().position(|rule| rule.name == name).unwrap_or(RULES.len())
}
