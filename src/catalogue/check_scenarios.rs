//! What types alone cannot say about scenarios; their steps in `check_steps`.

use std::collections::BTreeSet;

use super::check_steps;
use super::problem::{Key, Problem};
use super::read::{Draft, DraftScenarios};
use super::{Flow, Procedure, Scenario, Side};

use Key::{At, Name};

/// The side a scenario's id tells.
pub(super) fn side_of(id: &str) -> Option<Side> {
    match (id.contains("GB"), id.contains("XI")) {
        (true, false) => Some(Side::Gb),
        (false, true) => Some(Side::Xi),
        _ => None,
    }
}

/// Flow and procedure a scenario's id tells: `PN` of `PNGB1` or `P6-PNGB-01`.
/// Ids of other makings (`AGB1`, `WCGB1`) tell nothing.
fn told_by(id: &str) -> Option<(Flow, Procedure)> {
    let id = id.strip_prefix("P6-").unwrap_or(id);
    let (letters, rest) = id.split_at_checked(2)?;
    if !rest.starts_with("GB") && !rest.starts_with("XI") {
        return None;
    }
    let mut letters = letters.chars();
    let flow = match letters.next()? {
        'D' => Flow::StandardDeparture,
        'P' => Flow::PreLodgedDeparture,
        'A' => Flow::Arrival,
        _ => return None,
    };
    match letters.next()? {
        'N' => Some((flow, Procedure::Normal)),
        'S' => Some((flow, Procedure::Simplified)),
        _ => None,
    }
}

/// Every problem of a file of scenarios but duplicates.
pub(super) fn scenarios(
    draft: &Draft,
    file: &DraftScenarios,
    programmes: &BTreeSet<&str>,
    problems: &mut Vec<Problem>,
) {
    if file.programmes.is_empty() {
        problems.push(file.source.problem(&[Name("programmes")], "no programme is named"));
    }
    for (index, programme) in file.programmes.iter().enumerate() {
        let at = [Name("programmes"), At(index)];
        if draft.whole.programmes && !programmes.contains(programme.as_str()) {
            problems.push(file.source.problem(&at, format!("there is no programme `{programme}`")));
        }
        if file.programmes.iter().take(index).any(|earlier| earlier == programme) {
            problems.push(file.source.problem(&at, format!("`{programme}` is there twice")));
        }
    }
    for (index, entry) in file.entries.iter().enumerate() {
        for (key, message) in entry.problems() {
            let path = [Name("scenario"), At(index), Name(key)];
            problems.push(file.source.problem(&path, message));
        }
    }
    for (index, scenario) in &file.scenarios {
        let mut say = |path: &[Key<'_>], message: String| {
            let mut whole = vec![Name("scenario"), At(*index)];
            whole.extend_from_slice(path);
            problems.push(file.source.problem(&whole, message));
        };
        itself(scenario, &mut say);
        check_steps::steps(draft, file, scenario, &mut say);
    }
}

/// Everything about a scenario but its steps.
fn itself(scenario: &Scenario, say: &mut impl FnMut(&[Key<'_>], String)) {
    let id = &scenario.id;
    if !is_id(id) {
        say(&[Name("id")], format!("`{id}` is not a scenario id such as `DSGB1`"));
    }
    match (scenario.flow, scenario.procedure) {
        (Flow::GuaranteeBalance, Some(_)) => {
            say(&[Name("procedure")], format!("`{id}` asks for a balance: it follows no procedure"))
        }
        (Flow::GuaranteeBalance, None) | (_, Some(_)) => {}
        (_, None) => say(&[], format!("`{id}` does not say which `procedure` it tests")),
    }
    if let Some((flow, procedure)) = told_by(id) {
        if flow != scenario.flow {
            say(&[Name("flow")], format!("the id `{id}` tells {}", flow.as_str()));
        }
        if scenario.procedure.is_some_and(|tested| !tested.covers(procedure)) {
            say(&[Name("procedure")], format!("the id `{id}` tells {}", procedure.as_str()));
        }
    }
    if let Some(side) = side_of(id)
        && side != scenario.side
    {
        say(&[Name("side")], format!("the id `{id}` tells {}", side.as_str()));
    }
    let errata = scenario.errata.as_ref().map(|text| ("errata", text));
    for (key, text) in
        [("title", &scenario.title), ("source", &scenario.source)].into_iter().chain(errata)
    {
        if text.trim().is_empty() {
            say(&[Name(key)], "must not be empty".into());
        }
        if let Some(message) = unknown_word(text) {
            say(&[Name(key)], message);
        }
    }
    if scenario.title.contains('\n') {
        say(&[Name("title")], "a title is one line".into());
    }
    if scenario.step.is_empty() {
        say(&[], format!("`{id}` has no steps"));
    }
}

/// `DSGB1`, `P6-DSGB-01`, `Scenario 1 GB`.
fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 40
        && id.split(' ').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
        && id.bytes().any(|b| b.is_ascii_uppercase())
}

/// What is wrong with a text in which braces are left when the words that twins
/// differ in were filled in.
pub(super) fn unknown_word(text: &str) -> Option<String> {
    let from = text.find(['{', '}'])?;
    let rest = text.get(from..).unwrap_or_default();
    let word = rest.split_inclusive('}').next().unwrap_or(rest);
    let word: String = word.chars().take(30).collect();
    Some(format!("`{word}` is none of the words `{{side}}`, `{{there}}` and `{{place}}`"))
}

/// Scenarios that are there twice in one programme, in whatever files.
pub(super) fn duplicates(draft: &Draft, problems: &mut Vec<Problem>) {
    // An overlay may have what the built-in files have, and takes its place.
    let mut seen = BTreeSet::new();
    for file in &draft.scenarios {
        let own: BTreeSet<&String> = file.programmes.iter().collect();
        for (index, scenario) in &file.scenarios {
            let id = scenario.id.to_ascii_uppercase().replace(' ', "-");
            for programme in &own {
                if !seen.insert((file.overlay, *programme, id.clone())) {
                    problems.push(file.source.problem(
                        &[Name("scenario"), At(*index), Name("id")],
                        format!("`{}` is there twice in programme `{programme}`", scenario.id),
                    ));
                }
            }
        }
    }
}
