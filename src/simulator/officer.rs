//! Customs officers: they read a mail as a person would, and refuse it when it
//! lacks what HMRC's guide asks for.
//!
//! Source: testing guides, test scenarios guidelines: the mailbox, "Manual
//! Intervention" in the subject; scenario, step with the action expected, and
//! LRN in the body.

use serde::{Deserialize, Serialize};

use super::ncts::Ncts;
use super::options::ApiVersion;

/// Mailbox of the officers of NCTS5's Trader Test.
pub const NCTS5_MAILBOX: &str = "nctsp5tradertest@hmrc.gov.uk";

/// Mailbox of the officers of NCTS6's Trader Test.
pub const NCTS6_MAILBOX: &str = "nctstradertest@hmrc.gov.uk";

/// What the subject must contain.
const SUBJECT: &str = "Manual Intervention";

/// Most characters of a mail that anybody reads.
pub(super) const READ: usize = 16_000;

/// One thing an officer can do; the mailbox lists it in kebab-case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Act {
    Accept,
    Control,
    Release,
    DoNotRelease,
    Cancel,
    AcceptCancellation,
    RefuseCancellation,
    AcceptArrival,
    Arrive,
    FindDiscrepancies,
    #[serde(rename = "resolve-discrepancies")]
    Resolve,
    #[serde(rename = "confirm-discrepancies")]
    Confirm,
}

impl Act {
    /// Whether it can be said of an arrival as of a departure.
    pub(super) fn fits_arrival(self) -> bool {
        matches!(self, Self::Accept | Self::Release | Self::Arrive)
    }
}

/// A mail to the officers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mail {
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) body: String,
}

/// What an officer understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) scenario: String,
    pub(super) step: u32,
    pub(super) lrn: String,
    /// Id of the departure with that LRN.
    pub(super) departure: String,
    pub(super) acts: Vec<Act>,
}

/// Reads a mail.
///
/// # Errors
/// Everything that is missing or not understood, in one sentence.
pub(super) fn read(mail: &Mail, ncts: &Ncts) -> Result<Instruction, String> {
    let body: String = mail.body.chars().take(READ).collect();
    let mut missing = Vec::new();
    let to = mail.to.trim().to_lowercase();
    if to != NCTS5_MAILBOX && to != NCTS6_MAILBOX {
        missing.push(format!("`{}` is not the mailbox of the officers", clip(&mail.to)));
    }
    if !mail.subject.to_lowercase().contains(&SUBJECT.to_lowercase()) {
        missing.push(format!("the subject lacks `{SUBJECT}`"));
    }
    let found = ncts.named_in(&body);
    if found.is_none() {
        missing.push("the body names no LRN of a known movement".to_owned());
    }
    if let Some((departure, _)) = &found {
        let right = mailbox(departure.version);
        if to != right && (to == NCTS5_MAILBOX || to == NCTS6_MAILBOX) {
            missing.push(format!(
                "the movement was made with version {}, whose mailbox is `{right}`",
                departure.version.as_str()
            ));
        }
    }
    let scenario = scenario_in(&body);
    if scenario.is_none() {
        missing.push("the body names no scenario".to_owned());
    }
    let readable = match &found {
        // An LRN may well spell a verb.
        Some((_, lrn)) => body.replace(lrn.as_str(), " "),
        None => body.clone(),
    };
    let step = step_in(&readable);
    if step.is_none() {
        missing.push("the body names no step number".to_owned());
    }
    let wish = wish_in(&readable);
    let acts = acts_in(&wish);
    if acts.is_empty() {
        missing.push(if wish.trim().is_empty() {
            "the body does not say what action is expected".to_owned()
        } else {
            format!("the officers do not know the action `{}`", clip(wish.trim()))
        });
    }
    match (found, scenario, step) {
        (Some((departure, lrn)), Some(scenario), Some(step)) if missing.is_empty() => {
            Ok(Instruction { scenario, step, lrn, departure: departure.id.clone(), acts })
        }
        _ => Err(missing.join("; ")),
    }
}

/// The mailbox for movements made with a version.
fn mailbox(version: ApiVersion) -> &'static str {
    if version.is_ncts6() { NCTS6_MAILBOX } else { NCTS5_MAILBOX }
}

fn clip(text: &str) -> String {
    text.chars().take(120).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|word| !word.is_empty())
}

/// `DSGB1`, `ASGBT1`, `AGB1`, `P6-DSGB-01`.
fn scenario_in(body: &str) -> Option<String> {
    words(body).map(str::to_uppercase).find(|word| {
        let rest = word.strip_prefix("P6-").unwrap_or(word);
        let Some(side) = rest.find("GB").or_else(|| rest.find("XI")) else { return false };
        let (kind, rest) = rest.split_at(side);
        let rest = rest.get(2..).unwrap_or_default();
        let number = rest.strip_prefix('T').unwrap_or(rest);
        let number = number.strip_prefix('-').unwrap_or(number);
        (1..=2).contains(&kind.len())
            && kind.bytes().all(|b| b.is_ascii_uppercase())
            && (1..=2).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

fn step_in(body: &str) -> Option<u32> {
    let lower = body.to_lowercase();
    let after = |(start, found): (usize, &str)| {
        words(&lower[start + found.len()..]).take(8).find_map(|word| word.parse().ok())
    };
    lower.match_indices("step").find_map(after)
}

/// The part of the body that says what is to be done: what stands beside the
/// step's number, beside the word "action", or beside "please".
fn wish_in(body: &str) -> String {
    let lower = body.to_lowercase();
    let lines: Vec<&str> = lower.lines().collect();
    let mut wish = String::new();
    for cue in ["step", "action", "please"] {
        for (nth, line) in lines.iter().enumerate() {
            let Some(start) = line.find(cue) else { continue };
            let rest = line.get(start + cue.len()..).unwrap_or_default();
            let said = rest.trim_matches(|c: char| !c.is_alphabetic());
            // "Step number and action expected: 2" says it in the next line.
            let next = lines.get(nth + 1).copied().unwrap_or_default();
            let said = match said {
                "" | "number" | "number and action expected" | "expected" => next,
                said => said,
            };
            wish.push_str(said);
            wish.push('\n');
        }
        if !acts_in(&wish).is_empty() {
            return wish;
        }
    }
    wish
}

/// The acts named in lower-case text, in the order of naming.
fn acts_in(text: &str) -> Vec<Act> {
    let has = |part: &str| text.contains(part);
    let refused = ["refuse", "reject", "do not accept", "decline"].iter().any(|part| has(part));
    if has("cancellation request") || has("invalidation request") {
        return vec![if refused { Act::RefuseCancellation } else { Act::AcceptCancellation }];
    }
    if has("discrepanc") {
        let mut acts = Vec::new();
        if has("major") {
            acts.push(Act::FindDiscrepancies);
        }
        if has("resol") {
            acts.push(Act::Resolve);
        } else if has("confirm") {
            acts.push(Act::Confirm);
        }
        return acts;
    }
    let at_arrival = has("arrival notification");
    let negative = ["do not release", "not to release", "not release", "unsatisfactory"]
        .iter()
        .any(|part| has(part));
    let mut acts = Vec::new();
    for word in words(text) {
        let act = match word {
            "accept" | "accepted" if at_arrival => Act::AcceptArrival,
            "accept" | "accepted" => Act::Accept,
            "control" | "controlled" => Act::Control,
            "release" | "released" if negative => Act::DoNotRelease,
            "release" | "released" => Act::Release,
            "end" | "reject" | "rejected" | "unsatisfactory" => Act::DoNotRelease,
            "cancel" | "cancelled" | "invalidate" | "invalidated" => Act::Cancel,
            "arrive" | "arrived" => Act::Arrive,
            _ => continue,
        };
        if !acts.contains(&act) {
            acts.push(act);
        }
    }
    acts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_officers_know_every_wish_of_the_published_scenarios() {
        use Act::*;
        let cases: &[(&str, &[Act])] = &[
            ("accept and release the declaration", &[Accept, Release]),
            ("accept and release the movement", &[Accept, Release]),
            (
                "accept the arrival notification and release the declaration",
                &[AcceptArrival, Release],
            ),
            ("accept the cancellation request", &[AcceptCancellation]),
            ("accept, control and end the declaration", &[Accept, Control, DoNotRelease]),
            ("accept, control, and reject the declaration", &[Accept, Control, DoNotRelease]),
            ("accept, release, and cancel the declaration", &[Accept, Release, Cancel]),
            ("ask for the movement to be arrived", &[Arrive]),
            ("control and to release the declaration", &[Control, Release]),
            ("control and do not release the declaration", &[Control, DoNotRelease]),
            ("have the declaration accepted and released", &[Accept, Release]),
            ("request major discrepancies and to confirm it", &[FindDiscrepancies, Confirm]),
            (
                "be controlled with major discrepancies (b1) and released by resolving those \
                 discrepancies",
                &[FindDiscrepancies, Resolve],
            ),
            ("stamp the papers", &[]),
        ];
        for (text, acts) in cases {
            assert_eq!(acts_in(text), *acts, "{text}");
        }
    }

    #[test]
    fn scenarios_and_steps_are_found_in_prose() {
        for (body, scenario) in [
            ("Scenario DSGB1, step 2", Some("DSGB1")),
            ("for P6-DNXI-08.", Some("P6-DNXI-08")),
            ("(asgbt1)", Some("ASGBT1")),
            ("AGB1 please", Some("AGB1")),
            ("LRN TRATESTGB212604131408", None),
            ("GB000246", None),
        ] {
            assert_eq!(scenario_in(body).as_deref(), scenario, "{body}");
        }
        assert_eq!(step_in("Step number: 2"), Some(2));
        assert_eq!(step_in("this is step no. 12 of it"), Some(12));
        assert_eq!(step_in("no number of a step"), None);
    }

    #[test]
    fn the_wish_is_read_where_it_stands_and_not_elsewhere() {
        for body in [
            "Scenario: DNGB1 (Normal departure)\nStep 2: accept the declaration\nLRN: X1",
            "Step number and action expected: 2, accept the declaration",
            "Step number and action expected: 2\naccept the declaration\n",
            "Step 2\nExpected action: accept the declaration",
            "Scenario DNGB1 Release for transit refused, step 2 please accept the declaration",
            "Step 2.\nCould you please accept the declaration with LRN X1?",
        ] {
            assert_eq!(acts_in(&wish_in(body)), [Act::Accept], "{body}");
        }
        assert!(acts_in(&wish_in("Step 2: stamp the papers\nrelease")).is_empty());
    }
}
