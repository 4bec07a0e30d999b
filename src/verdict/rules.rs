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
    /// Whether a `[[waiver]]` may let its findings pass. What would undo the
    /// gate's own footing may not be waived.
    pub waivable: bool,
    /// What it finds, in a line.
    pub about: &'static str,
    /// Where HMRC says so; none: our own care for the evidence.
    pub source: Option<&'static str>,
}

macro_rules! rules {
    ($($constant:ident $name:literal $severity:ident $waivable:ident $source:expr,
        $about:literal;)*) => {
        $(#[doc = $about] pub const $constant: Rule = Rule {
            name: $name,
            severity: Severity::$severity,
            waivable: $waivable,
            about: $about,
            source: $source,
        };)*

        /// Every rule, in the order in which findings of equal weight are told.
        pub const RULES: &[Rule] = &[$($constant,)*];
    };
}

/// May be waived.
const WAIVABLE: bool = true;
/// May not.
const FIRM: bool = false;

const TESTING: Option<&str> =
    Some("CTC Traders API testing guide, apply for production credentials");
const CHECKLIST: Option<&str> = Some("CTC Traders API production credentials checklist");
const PHASES: Option<&str> =
    Some("CTC Traders API testing guide, production access testing phases");
const FURTHER: Option<&str> =
    Some("CTC Traders API testing guide, additional production credentials applications");

rules! {
    JOURNAL_BROKEN "journal-broken" Error FIRM None,
        "The evidence store was changed or damaged, or was not checked";
    OUTSIDE_PHASE "outside-phase" Error WAIVABLE PHASES,
        "A run, or the day of submission, lies outside the programme's window";
    SUBMISSION_WINDOW "submission-window" Error WAIVABLE TESTING,
        "The day of submission is past, or too soon; or until when the form may go in";
    REQUIRED_SCENARIO_MISSING "required-scenario-missing" Error WAIVABLE CHECKLIST,
        "A mandatory requirement has no evidence that counts";
    SCENARIO_FAILED "scenario-failed" Error WAIVABLE CHECKLIST,
        "The latest attempt at a scenario failed";
    RUN_UNFINISHED "run-unfinished" Error WAIVABLE CHECKLIST,
        "An attempt is under way and not finished";
    SIMULATED_EVIDENCE "simulated-evidence" Error FIRM TESTING,
        "Evidence of the built-in simulator never counts; in a rehearsal it is let count";
    WRONG_ENVIRONMENT "wrong-environment" Error WAIVABLE TESTING,
        "A run was in an environment that does not count: HMRC takes Trader Test's alone";
    DRIVER_NOT_ACCEPTED "driver-not-accepted" Error WAIVABLE None,
        "A run was driven in a way that the gate's settings do not accept";
    WRONG_API_VERSION "wrong-api-version" Error WAIVABLE TESTING,
        "A run used another version of the API than the programme's";
    EVIDENCE_FROM_FUTURE "evidence-from-future" Error FIRM None,
        "A run lies after the instant judged at";
    DOCUMENTATION_CHANGED "documentation-changed" Error WAIVABLE FURTHER,
        "A run lies before a change of HMRC's documentation that affects its flow";
    EVIDENCE_STALE "evidence-stale" Error WAIVABLE TESTING,
        "Evidence is too old on the day of submission";
    EVIDENCE_EXPIRING "evidence-expiring" Warning WAIVABLE TESTING,
        "Evidence lapses soon after the instant judged at";
    OTHER_BUILD "other-build" Error WAIVABLE None,
        "Evidence is of another name, version or build of the software than the settings say";
    CLOCK_SKEW "clock-skew" Warning WAIVABLE None,
        "This machine's clock and the server's were far apart during a run";
    CLOCK_CHANGED "clock-changed" Warning WAIVABLE None,
        "This machine's clock was set back, or ran away, during a run";
    UNANSWERED_QUESTION "unanswered-question" Error WAIVABLE CHECKLIST,
        "The form asks for something that the settings do not say";
    NOT_APPLICABLE_UNEXPLAINED "not-applicable-unexplained" Error WAIVABLE CHECKLIST,
        "The form asks why a flow does not apply, and the settings do not say";
    LEAD_TIME "lead-time" Warning WAIVABLE TESTING,
        "The form goes in later than HMRC asks before a date";
    UNPUBLISHED_DATE "unpublished-date" Warning WAIVABLE None,
        "HMRC has not published a date that matters, and the settings do not give it, or not rightly";
    CREDENTIALS_BASIS "credentials-basis" Info WAIVABLE TESTING,
        "What credentials gained on the day of submission rest on";
    FURTHER_APPLICATION "further-application" Info WAIVABLE FURTHER,
        "Whether the credentials held are enough, or a new application is needed";
    CHECKLIST_PENDING "checklist-pending" Warning WAIVABLE None,
        "HMRC has not published the programme's checklist: nobody knows yet what it asks";
    STORE_UNSEALED "store-unsealed" Info WAIVABLE None,
        "No seal covers the evidence";
    STALE_WAIVER "stale-waiver" Error FIRM None,
        "A waiver in the settings has ended, or lets nothing pass";
}

/// The rule with this name.
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// The rules whose names are most like `name`, the nearest first; none where
/// nothing is like it.
pub fn nearest(name: &str) -> Vec<&'static str> {
    nearest_of(name, RULES.iter().map(|rule| rule.name))
}

/// The same of any names.
pub fn nearest_of(name: &str, names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut near: Vec<(usize, &'static str)> = names
        .map(|rule| (distance(name, rule), rule))
        // More than half of it would be other letters.
        .filter(|(distance, rule)| *distance * 2 <= rule.len())
        .collect();
    near.sort();
    near.into_iter().map(|(_, rule)| rule).take(3).collect()
}

/// Letters to add, remove or change (Levenshtein). What is given may be of any
/// length; no rule is like anything long.
fn distance(given: &str, rule: &str) -> usize {
    let given: Vec<char> = given.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=given.len()).collect();
    for (at, wanted) in rule.chars().enumerate() {
        let mut before = at;
        let mut left = at + 1;
        for (cell, letter) in row.iter_mut().skip(1).zip(&given) {
            let changed = before + usize::from(*letter != wanted);
            before = *cell;
            *cell = changed.min(left + 1).min(before + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A rule's place in [`RULES`], for ordering.
pub(super) fn rank(name: &str) -> usize {
    RULES.iter().position(|rule| rule.name == name).unwrap_or(RULES.len())
}
