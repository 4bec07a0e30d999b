//! What a mail to the officers asks for: finding the words that say it, and
//! the acts they mean. Liberal in wording; HMRC's own and the toolkit's must
//! be understood, and what a person would write as well.

use super::officer::Act;

/// What may stand before a wish. The first that leads to acts counts.
const CUES: [&str; 10] = [
    "step",
    "action",
    "please",
    "kindly",
    "could you",
    "can you",
    "would you",
    "we ask",
    "ask for",
    "request",
];

/// Labels and closings that end a wish.
const ENDS: [&str; 12] = [
    "lrn",
    "mrn",
    "eori",
    "local reference",
    "scenario",
    "title",
    "software",
    "contact",
    "thank",
    "regards",
    "kind regards",
    "best regards",
];

/// What a cue's line says when the wish is in the next.
const HEADINGS: [&str; 6] =
    ["", "number", "no", "expected", "action expected", "number and action expected"];

fn ends_wish(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || ENDS.iter().any(|end| line.starts_with(end))
}

/// `Word or two: …`
fn labelled(line: &str) -> bool {
    line.trim().split_once(':').is_some_and(|(label, _)| {
        (1..=30).contains(&label.len())
            && label.chars().all(|c| c.is_alphabetic() || c == ' ' || c == '/')
    })
}

/// Where `cue` stands as words of their own.
fn after_cue<'a>(line: &'a str, cue: &str) -> Option<&'a str> {
    line.match_indices(cue).find_map(|(start, found)| {
        let before = line.get(..start)?.chars().next_back();
        let rest = line.get(start + found.len()..)?;
        let apart = |c: Option<char>| !c.is_some_and(char::is_alphabetic);
        (apart(before) && apart(rest.chars().next())).then_some(rest)
    })
}

/// The part of the body that says what is to be done, in lower case: what
/// follows a cue, to the end of its paragraph.
pub(super) fn wish_in(body: &str) -> String {
    let lower = body.to_lowercase().replace('\u{2019}', "'");
    let lines: Vec<&str> = lower.lines().collect();
    let mut last = String::new();
    for cue in CUES {
        let mut wish = String::new();
        for (nth, line) in lines.iter().enumerate() {
            let Some(rest) = after_cue(line, cue) else { continue };
            let mut following = lines.iter().skip(nth + 1).copied().peekable();
            let mut said = rest.trim_matches(|c: char| !c.is_alphabetic());
            if HEADINGS.contains(&said) {
                let next = following.find(|line| !line.trim().is_empty()).unwrap_or_default();
                if ends_wish(next) {
                    continue;
                }
                said = next;
            }
            wish.push_str(said);
            while let Some(more) = following.next_if(|line| !ends_wish(line) && !labelled(line)) {
                wish.push(' ');
                wish.push_str(more.trim());
            }
            wish.push('\n');
        }
        if !acts_in(&wish).is_empty() {
            return wish;
        }
        if !wish.trim().is_empty() {
            last = wish;
        }
    }
    last
}

/// A word that an act can hang on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Accept,
    Control,
    Release,
    /// End, reject, refuse.
    Refuse,
    Cancel,
    Arrive,
}

/// The verb a word is a form of. `before` is the word before it.
fn verb(word: &str, before: &str) -> Option<Verb> {
    let one_of = |stems: &[&str]| stems.iter().any(|stem| word.starts_with(stem));
    let noun = matches!(before, "the" | "at" | "in" | "an" | "our");
    Some(match word {
        "grant" | "granted" | "granting" | "agree" | "allow" => Verb::Accept,
        "arrive" | "arrived" | "arriving" => Verb::Arrive,
        "end" | "ended" | "ending" if !noun => Verb::Refuse,
        "unsatisfactory" | "terminate" | "terminated" => Verb::Refuse,
        "cancellation" | "invalidation" => return None,
        // "the released declaration"
        _ if noun && word.ends_with("ed") => return None,
        _ if one_of(&["accept", "approv"]) => Verb::Accept,
        _ if one_of(&["control", "inspect", "examin"]) => Verb::Control,
        _ if one_of(&["releas"]) => Verb::Release,
        _ if one_of(&["reject", "refus", "declin", "deny", "denied"]) => Verb::Refuse,
        _ if one_of(&["cancel", "invalidat", "annul"]) => Verb::Cancel,
        _ => return None,
    })
}

/// The acts named in lower-case text, in the order in which they are done.
pub(super) fn acts_in(text: &str) -> Vec<Act> {
    let text = text.replace("n't ", " not ");
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let word = |nth: usize| words.get(nth).copied().unwrap_or_default();
    let before = |nth: usize| nth.checked_sub(1).map_or("", word);
    if let Some(acts) = discrepancies(&words) {
        return acts;
    }
    let verbs: Vec<(usize, Verb)> =
        (0..words.len()).filter_map(|nth| Some((nth, verb(word(nth), before(nth))?))).collect();
    let mut acts = Vec::new();
    let mut asked = None;
    for (nth, (at, verb)) in verbs.iter().enumerate() {
        let from = nth.checked_sub(1).and_then(|nth| verbs.get(nth)).map_or(0, |(at, _)| at + 1);
        let until = verbs.get(nth + 1).map_or(words.len(), |(at, _)| *at);
        let lead = words.get(from.max(at.saturating_sub(3))..*at).unwrap_or_default();
        let object = words.get(at + 1..until).unwrap_or_default();
        let denied = before(*at) == "no"
            || lead.iter().any(|word| matches!(*word, "not" | "without" | "never"));
        // "the cancellation request", "our request to cancel", "our IE014"
        let to_cancel = object.ends_with(&["request", "to"])
            && verbs.get(nth + 1).is_some_and(|(_, next)| *next == Verb::Cancel);
        let request = to_cancel
            || object
                .iter()
                .take(7)
                .any(|word| matches!(*word, "cancellation" | "invalidation" | "ie014"));
        acts.push(match verb {
            _ if asked == Some(nth) => continue,
            Verb::Accept | Verb::Refuse if request => {
                if to_cancel {
                    asked = Some(nth + 1);
                }
                if denied || *verb == Verb::Refuse {
                    Act::RefuseCancellation
                } else {
                    Act::AcceptCancellation
                }
            }
            Verb::Release if denied && !object.contains(&"yet") => Act::DoNotRelease,
            _ if denied => continue,
            Verb::Accept if object.iter().any(|word| matches!(*word, "arrival" | "ie007")) => {
                Act::AcceptArrival
            }
            Verb::Accept => Act::Accept,
            Verb::Control => Act::Control,
            Verb::Release => Act::Release,
            Verb::Refuse => Act::DoNotRelease,
            Verb::Cancel => Act::Cancel,
            Verb::Arrive => Act::Arrive,
        });
    }
    let decided =
        acts.iter().any(|act| matches!(act, Act::AcceptCancellation | Act::RefuseCancellation));
    for (nth, name) in words.iter().enumerate() {
        let lead = words.get(nth.saturating_sub(2)..nth).unwrap_or_default();
        let recorded = lead
            .iter()
            .any(|word| matches!(*word, "record" | "register" | "mark" | "enter" | "note"));
        match *name {
            "arrival" if recorded => acts.push(Act::Arrive),
            "cancellation" | "invalidation" if decided => {}
            "cancellation" | "invalidation" if word(nth + 1) == "request" => {
                acts.push(Act::AcceptCancellation);
            }
            "cancellation" | "invalidation" => acts.push(Act::Cancel),
            _ => {}
        }
    }
    if acts.contains(&Act::DoNotRelease) {
        acts.retain(|act| *act != Act::Release);
    }
    acts.sort_by_key(|act| rank(*act));
    acts.dedup();
    acts
}

/// Whatever the order of naming, goods are accepted before they are
/// controlled, and released before they are cancelled.
fn rank(act: Act) -> u8 {
    match act {
        Act::Accept | Act::AcceptArrival => 0,
        Act::Control => 1,
        Act::FindDiscrepancies => 2,
        Act::Release | Act::DoNotRelease | Act::Resolve | Act::Confirm | Act::Arrive => 3,
        Act::Cancel | Act::AcceptCancellation | Act::RefuseCancellation => 4,
    }
}

/// What is to be done about discrepancies, if the words speak of any.
fn discrepancies(words: &[&str]) -> Option<Vec<Act>> {
    let some =
        |stems: &[&str]| words.iter().any(|word| stems.iter().any(|stem| word.starts_with(stem)));
    let at = words.iter().position(|word| word.starts_with("discrepanc"))?;
    let lead = words.get(at.saturating_sub(3)..at).unwrap_or_default();
    if lead.iter().any(|word| matches!(*word, "no" | "without" | "not")) {
        return None;
    }
    let end = if some(&["resol", "settl", "clear"]) {
        Some(Act::Resolve)
    } else if some(&["confirm", "uphold", "upheld"]) {
        Some(Act::Confirm)
    } else {
        None
    };
    let found = end.is_none()
        || some(&["major", "find", "found", "record", "report", "raise", "request", "control"]);
    Some(found.then_some(Act::FindDiscrepancies).into_iter().chain(end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::ncts::MessageType;
    use Act::*;

    #[test]
    fn the_officers_know_every_wish_of_the_published_scenarios() {
        let cases: &[(&str, &[Act])] = &[
            ("accept and release the declaration", &[Accept, Release]),
            ("accept and release the movement", &[Accept, Release]),
            ("accept the declaration", &[Accept]),
            (
                "accept the arrival notification and release the declaration",
                &[AcceptArrival, Release],
            ),
            ("accept the cancellation request", &[AcceptCancellation]),
            ("accept, control and end the declaration", &[Accept, Control, DoNotRelease]),
            ("accept, control, and end the declaration", &[Accept, Control, DoNotRelease]),
            ("accept, control, and reject the declaration", &[Accept, Control, DoNotRelease]),
            ("accept, control, and release the declaration", &[Accept, Control, Release]),
            ("accept, release, and cancel the declaration", &[Accept, Release, Cancel]),
            ("ask for the movement to be arrived", &[Arrive]),
            ("cancel the declaration", &[Cancel]),
            ("control and to end the declaration", &[Control, DoNotRelease]),
            ("control and to release the declaration", &[Control, Release]),
            ("have the declaration accepted and released", &[Accept, Release]),
            ("release the declaration", &[Release]),
            ("release the movement", &[Release]),
            ("request major discrepancies and to confirm it", &[FindDiscrepancies, Confirm]),
            ("request major discrepancies and to resolve them", &[FindDiscrepancies, Resolve]),
            (
                "request that the movement be controlled with major discrepancies (b1) and \
                 subsequently released by resolving those discrepancies at the office of \
                 departure, thereby releasing the goods (and simulating a ccto movement under \
                 resolution enquiry)",
                &[FindDiscrepancies, Resolve],
            ),
        ];
        for (text, acts) in cases {
            assert_eq!(acts_in(text), *acts, "{text}");
        }
    }

    #[test]
    fn the_officers_know_other_words_for_it() {
        let cases: &[(&str, &[Act])] = &[
            ("accept the declaration and release it for transit", &[Accept, Release]),
            ("accept the arrival notification and release the movement", &[AcceptArrival, Release]),
            ("accept the arrival and release the movement", &[AcceptArrival, Release]),
            ("accept the declaration, control it, then end it", &[Accept, Control, DoNotRelease]),
            (
                "accept the declaration, control it, then reject it",
                &[Accept, Control, DoNotRelease],
            ),
            ("accept the declaration, control it, then release it", &[Accept, Control, Release]),
            ("accept the declaration, release it, then cancel it", &[Accept, Release, Cancel]),
            ("control the declaration, then end it", &[Control, DoNotRelease]),
            ("find major discrepancies, then confirm them", &[FindDiscrepancies, Confirm]),
            ("have the movement arrived", &[Arrive]),
            (
                "control the movement with major discrepancies (b1), then release it by resolving \
                 them at the office of departure",
                &[FindDiscrepancies, Resolve],
            ),
            ("approve our ie007, then release the goods", &[AcceptArrival, Release]),
            ("release the goods after accepting the declaration", &[Accept, Release]),
            ("inspect the goods and don't release them", &[Control, DoNotRelease]),
            ("control the goods and do not release the declaration", &[Control, DoNotRelease]),
            ("control with an unsatisfactory result", &[Control, DoNotRelease]),
            ("control, and refuse the release", &[Control, DoNotRelease]),
            ("accept the declaration; no release yet", &[Accept]),
            ("release without control", &[Release]),
            ("invalidate the released declaration", &[Cancel]),
            ("grant our request to cancel", &[AcceptCancellation]),
            ("approve the invalidation request", &[AcceptCancellation]),
            ("agree to the ie014", &[AcceptCancellation]),
            ("the cancellation request", &[AcceptCancellation]),
            ("do not accept the cancellation request", &[RefuseCancellation]),
            ("decline our request to invalidate", &[RefuseCancellation]),
            ("we request to cancel the declaration", &[Cancel]),
            ("the cancellation of this movement", &[Cancel]),
            ("mark the movement as arrived", &[Arrive]),
            ("record the arrival of the movement", &[Arrive]),
            ("confirm the discrepancies", &[Confirm]),
            ("resolve the discrepancies", &[Resolve]),
            ("record discrepancies and settle them", &[FindDiscrepancies, Resolve]),
            ("find major discrepancies", &[FindDiscrepancies]),
            ("release the movement without any discrepancies", &[Release]),
            ("at the end of the day stamp the papers", &[]),
            ("stamp the papers", &[]),
            ("", &[]),
        ];
        for (text, acts) in cases {
            assert_eq!(acts_in(text), *acts, "{text}");
        }
    }

    #[test]
    fn the_wish_is_read_where_it_stands_and_not_elsewhere() {
        for body in [
            "Scenario: DNGB1 (Normal departure)\nStep 2: accept the declaration\nLRN: X1",
            "Step number and action expected: 2, accept the declaration",
            "Step number and action expected: 2\naccept the declaration\n",
            "Step: 2\nAction: accept the declaration\nLRN: X1",
            "Step 2\nExpected action: accept the declaration",
            "Scenario DNGB1 Release for transit refused, step 2 please accept the declaration",
            "Step 2.\nCould you please accept the declaration with LRN X1?",
            "DNGB1, step 2\n\nWould you accept the declaration, then?\n\nWe will cancel it later.",
            "Please accept the declaration (scenario DNGB1, step 2).\nLRN: X1\nRelease 5.1",
        ] {
            assert_eq!(acts_in(&wish_in(body)), [Accept], "{body}");
        }
        assert_eq!(
            acts_in(&wish_in(
                "Step 4: request the control with Major\nDiscrepancies and\nto resolve them."
            )),
            [FindDiscrepancies, Resolve]
        );
        for body in ["Step 2: stamp the papers\n\nrelease", "Step 2\nLRN: release", "released"] {
            assert!(acts_in(&wish_in(body)).is_empty(), "{body}");
        }
    }

    /// What an officer must do for a message to come.
    fn brings(message: MessageType) -> Option<&'static [Act]> {
        Some(match message {
            MessageType::Ie028 => &[Accept],
            MessageType::Ie029 => &[Release],
            MessageType::Ie060 => &[Control],
            MessageType::Ie009 => &[Cancel, AcceptCancellation],
            MessageType::Ie019 => &[FindDiscrepancies],
            MessageType::Ie035 => &[Confirm],
            MessageType::Ie045 => &[Release, Resolve, Arrive],
            _ => return None,
        })
    }

    #[test]
    fn the_wishes_of_the_catalogue_bring_what_their_steps_expect() {
        let catalogue = Catalogue::built_in().unwrap();
        let mut asked = 0;
        for programme in catalogue.programmes() {
            for scenario in catalogue.scenarios(&programme.id) {
                for step in &scenario.step {
                    let Some(wish) = &step.officer else { continue };
                    asked += 1;
                    let acts = acts_in(&wish.to_lowercase());
                    assert!(!acts.is_empty(), "{}: {wish}", scenario.id);
                    let comes = |of| step.expect.iter().any(|one| one.message == of);
                    for expected in step.expect.iter().map(|one| one.message) {
                        // A failed guarantee keeps the officers from releasing.
                        if let Some(one_of) = brings(expected) {
                            let does = one_of.iter().any(|act| acts.contains(act));
                            assert!(does, "{} {expected}: {wish}: {acts:?}", scenario.id);
                        }
                        if expected == MessageType::Ie051 && !comes(MessageType::Ie055) {
                            assert!(acts.contains(&DoNotRelease), "{}: {wish}", scenario.id);
                        }
                    }
                }
            }
        }
        assert!(asked >= 12, "only {asked} wishes");
    }
}
