//! Customs officers: they read a mail as a person would, and refuse it when it
//! lacks what HMRC's guide asks for.
//!
//! Source: testing guides, test scenarios guidelines: the mailbox, "Manual
//! Intervention" in the subject; scenario, step with the action expected, and
//! LRN in the body.

use serde::{Deserialize, Serialize};

use super::movement::Departure;
use super::ncts::Ncts;
use super::options::ApiVersion;
use super::wish::{acts_in, wish_in};

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
    let found = match departure_in(&body, ncts) {
        Ok(found) => Some(found),
        Err(why) => {
            missing.push(why);
            None
        }
    };
    if let Some(departure) = found {
        let right = mailbox(departure.version);
        if to != right && (to == NCTS5_MAILBOX || to == NCTS6_MAILBOX) {
            missing.push(format!(
                "the movement was made with version {}, whose mailbox is `{right}`",
                departure.version.as_str()
            ));
        }
    }
    let readable = found.map_or_else(|| body.clone(), |departure| without(&body, &departure.lrn));
    let scenario = scenario_in(&readable);
    if scenario.is_none() {
        missing.push("the body names no scenario".to_owned());
    }
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
        (Some(departure), Some(scenario), Some(step)) if missing.is_empty() => {
            let (lrn, departure) = (departure.lrn.clone(), departure.id.clone());
            Ok(Instruction { scenario, step, lrn, departure, acts })
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

/// Where `lrn` stands in `text` by itself, and not as part of a longer name.
fn occurrences<'a>(text: &'a str, lrn: &'a str) -> impl Iterator<Item = usize> + 'a {
    // A hyphen or a dot joins names only when the name goes on behind it.
    let joined = |mut outwards: &mut dyn Iterator<Item = char>| {
        let first = outwards.next();
        first.is_some_and(char::is_alphanumeric)
            || first.is_some_and(|c| "-_/.".contains(c))
                && (&mut outwards).next().is_some_and(char::is_alphanumeric)
    };
    text.match_indices(lrn).filter_map(move |(start, found)| {
        let before = text.get(..start)?;
        let after = text.get(start + found.len()..)?;
        let apart = !joined(&mut before.chars().rev()) && !joined(&mut after.chars());
        apart.then_some(start)
    })
}

/// Whether what stands before says that an LRN follows.
fn announces_lrn(before: &str) -> bool {
    let label = |word: &str| ["lrn", "reference"].iter().any(|one| word.eq_ignore_ascii_case(one));
    let tail: Vec<&str> = words(before).collect();
    match tail.as_slice() {
        [.., last] if label(last) => true,
        [.., one, last] => {
            let joins = ["is", "no", "number"].iter().any(|word| last.eq_ignore_ascii_case(word));
            joins && label(one)
        }
        _ => false,
    }
}

/// The body without the LRN, which may well spell a verb or a scenario.
fn without(body: &str, lrn: &str) -> String {
    let announced = |start: &usize| body.get(..*start).is_some_and(announces_lrn);
    let all: Vec<usize> = occurrences(body, lrn).collect();
    let some = all.iter().any(announced);
    let mut out = body.to_owned();
    for start in all.iter().rev().filter(|start| !some || announced(start)) {
        out.replace_range(*start..start + lrn.len(), " ");
    }
    out
}

/// The departure whose LRN the body names. What is announced as an LRN goes
/// before what merely reads like one; of several movements with one LRN, one
/// that has not ended, and then the latest.
fn departure_in<'a>(body: &str, ncts: &'a Ncts) -> Result<&'a Departure, String> {
    let unknown = || "the body names no LRN of a known movement".to_owned();
    let announced = |lrn: &str| {
        occurrences(body, lrn).any(|start| body.get(..start).is_some_and(announces_lrn))
    };
    // Unannounced, it must look like nothing else.
    let plain = |lrn: &str| {
        lrn.chars().count() >= 4
            && lrn.contains(|c: char| c.is_ascii_digit())
            && occurrences(body, lrn).next().is_some()
    };
    let named: Vec<&Departure> =
        ncts.departures.values().filter(|one| !one.lrn.is_empty() && announced(&one.lrn)).collect();
    let labelled =
        ["lrn:", "lrn =", "lrn="].iter().any(|label| body.to_lowercase().contains(label));
    let named = if named.is_empty() && !labelled {
        ncts.departures.values().filter(|one| plain(&one.lrn)).collect()
    } else {
        named
    };
    let best = named
        .iter()
        .max_by_key(|one| (one.lrn.len(), one.waits_for().is_some(), one.submitted, &one.id))
        .ok_or_else(unknown)?;
    // An LRN may be part of another: what stands inside the best is no name.
    let inside = |start: usize| {
        occurrences(body, &best.lrn).any(|own| (own..own + best.lrn.len()).contains(&start))
    };
    if named.iter().any(|one| occurrences(body, &one.lrn).any(|start| !inside(start))) {
        return Err("the body names several LRNs: write one mail for each".to_owned());
    }
    Ok(best)
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

/// `Step 2`, `step number: 2`, `STEP 2-accept`.
fn step_in(body: &str) -> Option<u32> {
    let lower = body.to_lowercase();
    let number = |word: &str| {
        let digits = word.split('-').next().unwrap_or_default();
        digits.parse().ok().filter(|step| *step > 0)
    };
    let after = |(start, found): (usize, &str)| {
        words(lower.get(start + found.len()..)?).take(8).find_map(number)
    };
    lower.match_indices("step").find_map(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_and_steps_are_found_in_prose() {
        for (body, scenario) in [
            ("Scenario DSGB1, step 2", Some("DSGB1")),
            ("for P6-DNXI-08.", Some("P6-DNXI-08")),
            ("(asgbt1)", Some("ASGBT1")),
            ("AGB1 please", Some("AGB1")),
            ("Scenario: NCXI1 (combined discrepancies)", Some("NCXI1")),
            ("WCGB1", Some("WCGB1")),
            ("scenario P6-WCGB-01:", Some("P6-WCGB-01")),
            ("DNGBT8/DNXIT8", Some("DNGBT8")),
            ("GRN 24GB0000010000031, EORI XI175521246821", None),
            ("LRN TRATESTGB212604131408", None),
            ("GB000246", None),
        ] {
            assert_eq!(scenario_in(body).as_deref(), scenario, "{body}");
        }
        assert_eq!(step_in("Step number: 2"), Some(2));
        assert_eq!(step_in("this is step no. 12 of it"), Some(12));
        assert_eq!(step_in("STEP 3-release it"), Some(3));
        assert_eq!(step_in("no number of a step"), None);
        assert_eq!(step_in("step 0"), None);
    }
}
