//! What types alone cannot say about scenarios.

use std::collections::BTreeSet;

use super::data::ColumnKey;
use super::load::{Draft, DraftScenarios};
use super::problem::{Key, Problem};
use super::{Flow, Procedure, Scenario, Side, Step};
use crate::ncts::{Direction, MessageType};

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
        if draft.whole && !programmes.contains(programme.as_str()) {
            problems.push(file.source.problem(&at, format!("there is no programme `{programme}`")));
        }
        if file.programmes.iter().take(index).any(|earlier| earlier == programme) {
            problems.push(file.source.problem(&at, format!("`{programme}` is there twice")));
        }
    }
    for (index, scenario) in &file.scenarios {
        let mut say = |path: &[Key<'_>], message: String| {
            let mut whole = vec![Name("scenario"), At(*index)];
            whole.extend_from_slice(path);
            problems.push(file.source.problem(&whole, message));
        };
        let id = &scenario.id;
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        if id.is_empty() || !id.bytes().all(plain) {
            say(&[Name("id")], format!("`{id}` is not a scenario id such as `DSGB1`"));
        }
        if let Some((flow, procedure)) = told_by(id) {
            if flow != scenario.flow {
                say(&[Name("flow")], format!("the id `{id}` tells {}", flow.as_str()));
            }
            if !scenario.procedure.is_some_and(|tested| tested.covers(procedure)) {
                say(&[Name("procedure")], format!("the id `{id}` tells {}", procedure.as_str()));
            }
        }
        if let Some(side) = side_of(id)
            && side != scenario.side
        {
            say(&[Name("side")], format!("the id `{id}` tells {}", side.as_str()));
        }
        for (key, text) in [("title", &scenario.title), ("source", &scenario.source)] {
            if text.trim().is_empty() {
                say(&[Name(key)], "must not be empty".into());
            }
        }
        if scenario.step.is_empty() {
            say(&[], format!("`{id}` has no steps"));
        }
        steps(draft, file, scenario, &mut say);
    }
}

fn steps(
    draft: &Draft,
    file: &DraftScenarios,
    scenario: &Scenario,
    say: &mut impl FnMut(&[Key<'_>], String),
) {
    let mut sent: Vec<MessageType> = Vec::new();
    for (index, step) in scenario.step.iter().enumerate() {
        let at = |name| [Name("step"), At(index), Name(name)];
        let number = index + 1;
        if step.send.is_none() && step.officer.is_none() {
            say(
                &[Name("step"), At(index)],
                format!("step {number} has no action: `send` or `officer`"),
            );
        }
        if step.officer.as_ref().is_some_and(|words| words.trim().is_empty()) {
            say(&at("officer"), format!("step {number} does not say what officers are asked"));
        }
        if step.deadline_minutes_after_ie015.is_some() && !sent.contains(&MessageType::Ie015) {
            say(
                &at("deadline-minutes-after-ie015"),
                format!(
                    "no IE015 was sent before step {number}, from which its deadline could count"
                ),
            );
        }
        if step.deadline_minutes_after_ie015 == Some(0) {
            say(&at("deadline-minutes-after-ie015"), "a deadline of no minutes".into());
        }
        match step.send {
            Some(message) => {
                if message.direction() != Direction::Sent {
                    say(&at("send"), format!("{message} comes from NCTS: it cannot be sent"));
                } else if sent.is_empty() && !message.opens_movement() {
                    say(
                        &at("send"),
                        format!("{message} belongs to a movement, and none is open yet"),
                    );
                }
                sent.push(message);
                columns(draft, file, step, message, index, say);
            }
            None => {
                for (name, given) in
                    [("data", !step.data.is_empty()), ("mutation", step.mutation.is_some())]
                {
                    if given {
                        say(
                            &at(name),
                            format!("step {number} sends nothing: it needs no `{name}`"),
                        );
                    }
                }
                if sent.is_empty() {
                    say(&at("officer"), "officers cannot act before a movement is open".into());
                }
            }
        }
        for (position, expectation) in step.expect.iter().enumerate() {
            let path = [Name("step"), At(index), Name("expect"), At(position)];
            let message = expectation.message;
            if message.direction() != Direction::Received {
                say(&path, format!("{message} is sent by the trader: it cannot be expected"));
            }
            if expectation.after_minutes == Some(0) {
                say(&path, format!("{message} after no minutes: leave `after_minutes` out"));
            }
        }
    }
    let expected = scenario.step.iter().any(|step| !step.expect.is_empty());
    if !scenario.step.is_empty() && !expected {
        say(&[], format!("`{}` expects nothing: it could not fail", scenario.id));
    }
}

/// The data columns a step names.
fn columns(
    draft: &Draft,
    file: &DraftScenarios,
    step: &Step,
    message: MessageType,
    index: usize,
    say: &mut impl FnMut(&[Key<'_>], String),
) {
    if step.data.is_empty() {
        say(
            &[Name("step"), At(index), Name("send")],
            format!("{message} needs `data`: the name of a column of test data"),
        );
    }
    for (position, column) in step.data.iter().enumerate() {
        for programme in file.programmes.iter().filter(|_| draft.whole) {
            let Some(columns) = draft.columns.get(programme) else { continue };
            if !columns.contains_key(&ColumnKey::new(message, step.sheet.as_deref(), column)) {
                let sheet = step.sheet.as_ref().map(|sheet| format!(" on sheet `{sheet}`"));
                say(
                    &[Name("step"), At(index), Name("data"), At(position)],
                    format!(
                        "programme `{programme}` has no test data `{column}` for {message}{}",
                        sheet.unwrap_or_default()
                    ),
                );
            }
        }
    }
}

/// Scenarios that are there twice in one programme, in whatever files.
pub(super) fn duplicates(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for file in &draft.scenarios {
        let own: BTreeSet<&String> = file.programmes.iter().collect();
        for (index, scenario) in &file.scenarios {
            let id = scenario.id.to_ascii_uppercase();
            for programme in &own {
                if !seen.insert((*programme, id.clone())) {
                    problems.push(file.source.problem(
                        &[Name("scenario"), At(*index), Name("id")],
                        format!("`{}` is there twice in programme `{programme}`", scenario.id),
                    ));
                }
            }
        }
    }
}
