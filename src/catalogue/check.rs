//! The one validator of the catalogue: what types alone cannot say.

use std::collections::{BTreeMap, BTreeSet};

use super::data;
use super::load::{Draft, DraftProgramme, DraftScenarios};
use super::problem::{Key, Problem};
use super::{
    Flow, FormFile, Procedure, Requirement, RequirementKind, Scenario, Side, Step,
    SubmissionChannel,
};
use crate::ncts::{Direction, MessageType};

use Key::{At, Name};

/// Adds every problem of the draft.
pub(super) fn check(
    draft: &Draft,
    forms: &BTreeMap<String, Vec<FormFile>>,
    problems: &mut Vec<Problem>,
) {
    let ids: BTreeSet<&str> = draft.programmes.iter().map(|d| d.programme.id.as_str()).collect();
    for programme in &draft.programmes {
        dates(programme, problems);
        addresses(programme, problems);
        requirements(draft, programme, problems);
    }
    for file in &draft.scenarios {
        scenarios(draft, file, &ids, problems);
    }
    duplicates(draft, problems);
    for (folder, files) in forms {
        if draft.whole && !ids.contains(folder.as_str()) {
            problems.extend(files.iter().map(|file| Problem {
                file: file.path.clone(),
                place: None,
                message: format!("there is no programme `{folder}`"),
            }));
        }
    }
}

/// Dates and times of day that make no sense.
fn dates(draft: &DraftProgramme, problems: &mut Vec<Problem>) {
    let programme = &draft.programme;
    if programme.phase.is_empty() {
        problems.push(draft.problem(&[Name("phase")], "a programme needs at least one phase"));
    }
    for (index, phase) in programme.phase.iter().enumerate() {
        let at = [Name("phase"), At(index), Name("closes")];
        if let (Some(opens), Some(closes)) = (phase.opens, phase.closes)
            && closes < opens
        {
            problems.push(
                draft.problem(
                    &at,
                    format!("the phase closes on {closes}, before it opens on {opens}"),
                ),
            );
        }
        let earlier = index.checked_sub(1).and_then(|earlier| programme.phase.get(earlier));
        if let Some(earlier) = earlier {
            match (earlier.closes, phase.opens) {
                (Some(closes), Some(opens)) if closes < opens => {}
                _ => problems.push(draft.problem(
                    &[Name("phase"), At(index), Name("opens")],
                    "a later phase must open after the earlier one closes",
                )),
            }
        }
    }

    for (index, hours) in programme.availability.iter().enumerate() {
        let at = |name| [Name("availability"), At(index), Name(name)];
        match (hours.always, hours.opens, hours.closes) {
            (true, None, None) => {}
            (false, Some(opens), Some(closes)) if opens < closes => {}
            (false, Some(opens), Some(closes)) => problems.push(draft.problem(
                &at("closes"),
                format!("it closes at {closes}, not after it opens at {opens}"),
            )),
            _ => problems.push(draft.problem(
                &at("always"),
                "a timetable is either `always = true`, or has both `opens` and `closes`",
            )),
        }
        if let (Some(from), Some(until)) = (hours.from, hours.until)
            && until < from
        {
            problems.push(draft.problem(&at("until"), format!("{until} is before {from}")));
        }
        let earlier = index.checked_sub(1).and_then(|earlier| programme.availability.get(earlier));
        if let Some(earlier) = earlier {
            match (earlier.until, hours.from) {
                (Some(until), Some(from)) if until < from => {}
                _ => {
                    problems.push(draft.problem(
                        &at("from"),
                        "a timetable must begin after the one before it ends",
                    ))
                }
            }
        }
    }

    let officers = &programme.officers;
    if officers.closes <= officers.opens {
        problems.push(draft.problem(
            &[Name("officers"), Name("closes")],
            format!(
                "officers leave at {}, not after they come at {}",
                officers.closes, officers.opens
            ),
        ));
    }
    let timers = &programme.timers;
    for (name, minutes) in [
        ("automatic-release-minutes", timers.automatic_release_minutes),
        ("await-presentation-minutes", timers.await_presentation_minutes),
        ("guarantee-amendment-minutes", timers.guarantee_amendment_minutes),
    ] {
        if minutes == 0 {
            problems.push(draft.problem(&[Name("timers"), Name(name)], "a timer of no minutes"));
        }
    }
    for (list, names) in [
        ("date", programme.date.iter().map(|date| date.id.as_str()).collect::<Vec<_>>()),
        ("unpublished", programme.unpublished.iter().map(|date| date.id.as_str()).collect()),
        ("requirement", programme.requirement.iter().map(|slot| slot.id.as_str()).collect()),
    ] {
        for (index, name) in names.iter().enumerate() {
            let at = [Name(list), At(index), Name("id")];
            if !kebab(name) {
                problems.push(draft.problem(&at, format!("`{name}` is not kebab-case")));
            }
            if names.iter().take(index).any(|earlier| earlier == name) {
                problems.push(draft.problem(&at, format!("`{name}` is there twice")));
            }
        }
    }
}

/// `a-name-2`.
fn kebab(name: &str) -> bool {
    name.split('-').all(|word| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

/// Addresses, sources and other words.
fn addresses(draft: &DraftProgramme, problems: &mut Vec<Problem>) {
    let programme = &draft.programme;
    if !programme.officers.mailbox.contains('@') {
        problems.push(draft.problem(&[Name("officers"), Name("mailbox")], "not an e-mail address"));
    }
    let submission = &programme.submission;
    match (submission.channel, &submission.to) {
        (SubmissionChannel::Email, Some(to)) if to.contains('@') => {}
        (SubmissionChannel::Email, _) => problems.push(
            draft.problem(&[Name("submission"), Name("to")], "`email` needs an address in `to`"),
        ),
        (SubmissionChannel::SupportForm, Some(_)) => problems.push(
            draft.problem(&[Name("submission"), Name("to")], "`support-form` takes no address"),
        ),
        (SubmissionChannel::SupportForm, None) => {}
    }
    let mut sources: Vec<(Vec<Key<'_>>, &str)> = vec![
        (vec![Name("title")], &programme.title),
        (vec![Name("api"), Name("source")], &programme.api.source),
        (vec![Name("officers"), Name("source")], &programme.officers.source),
        (vec![Name("submission"), Name("source")], &submission.source),
    ];
    let mut list = |name, texts: Vec<&'_ str>| {
        for (index, text) in texts.iter().enumerate() {
            if text.trim().is_empty() {
                problems.push(draft.problem(
                    &[Name(name), At(index), Name("source")],
                    "a fact without its source",
                ));
            }
        }
    };
    list("phase", programme.phase.iter().map(|fact| fact.source.as_str()).collect());
    list("availability", programme.availability.iter().map(|fact| fact.source.as_str()).collect());
    list("requirement", programme.requirement.iter().map(|fact| fact.source.as_str()).collect());
    list("date", programme.date.iter().map(|fact| fact.source.as_str()).collect());
    list("unpublished", programme.unpublished.iter().map(|fact| fact.source.as_str()).collect());
    list("errata", programme.errata.iter().map(|fact| fact.source.as_str()).collect());
    for (path, text) in sources.drain(..) {
        if text.trim().is_empty() {
            problems.push(draft.problem(&path, "must not be empty"));
        }
    }
}

/// The checklist's slots and the scenarios they name.
fn requirements(draft: &Draft, programme: &DraftProgramme, problems: &mut Vec<Problem>) {
    let id = &programme.programme.id;
    let known = |name: &str| {
        draft
            .scenarios
            .iter()
            .filter(|file| file.programmes.contains(id))
            .flat_map(|file| &file.scenarios)
            .find(|scenario| scenario.id == name)
    };
    let pending = &programme.programme.pending;
    let mut named = BTreeSet::new();
    for (index, requirement) in programme.programme.requirement.iter().enumerate() {
        let mandatory = requirement.kind == RequirementKind::Mandatory;
        let at = |cell| [Name("requirement"), At(index), Name("any-of"), Name(cell)];
        shape(programme, index, requirement, problems);
        for (cell, names, procedure) in cells(requirement) {
            let mut sides = BTreeSet::new();
            for (position, name) in names.iter().enumerate() {
                named.insert(name.as_str());
                let mut path = at(cell).to_vec();
                path.push(At(position));
                let waits = pending.contains(name);
                match known(name) {
                    Some(scenario) => {
                        if let Some(message) = mismatch(requirement, procedure, scenario) {
                            problems.push(programme.problem(&path, message));
                        }
                    }
                    None if waits && !mandatory => {}
                    None if !draft.whole => {}
                    None if waits => problems.push(programme.problem(
                        &path,
                        format!(
                            "`{name}` is pending, which a mandatory requirement cannot wait for"
                        ),
                    )),
                    None => problems.push(programme.problem(
                        &path,
                        format!("there is no scenario `{name}` in programme `{id}`"),
                    )),
                }
                if let Some(side) = side_of(name)
                    && !sides.insert(side)
                {
                    problems.push(programme.problem(
                        &path,
                        format!(
                            "two scenarios of side {} in one cell: which one is meant?",
                            side.as_str()
                        ),
                    ));
                }
            }
        }
    }
    for (index, name) in pending.iter().enumerate() {
        let at = [Name("pending"), At(index)];
        if known(name).is_some() {
            problems.push(
                programme
                    .problem(&at, format!("`{name}` is in the catalogue: it is no longer pending")),
            );
        } else if !named.contains(name.as_str()) {
            problems.push(programme.problem(&at, format!("no requirement names `{name}`")));
        }
    }
}

/// A requirement's filled cells: the file's key, its scenarios, and the
/// procedure they must test where the cell decides it.
fn cells(requirement: &Requirement) -> Vec<(&'static str, &[String], Option<Procedure>)> {
    let cells = &requirement.any_of;
    vec![
        ("any", cells.any.as_slice(), requirement.procedure),
        ("normal", &cells.normal, Some(Procedure::Normal)),
        ("simplified", &cells.simplified, Some(Procedure::Simplified)),
        ("both-a", &cells.both_a, None),
        ("both-b", &cells.both_b, None),
    ]
}

/// Which cells a requirement must and must not have.
fn shape(
    programme: &DraftProgramme,
    index: usize,
    requirement: &Requirement,
    problems: &mut Vec<Problem>,
) {
    let at = [Name("requirement"), At(index), Name("any-of")];
    let filled: Vec<&str> =
        cells(requirement).iter().filter(|(_, names, _)| !names.is_empty()).map(|c| c.0).collect();
    let message = match (filled.as_slice(), requirement.kind) {
        (["any"], _) => None,
        ([], _) => Some("a requirement needs scenarios"),
        (_, RequirementKind::Recommended) => {
            Some("a recommended requirement has the cell `any` alone")
        }
        (["normal", "simplified", "both-a", "both-b"], _) => None,
        _ => Some("give `any` alone, or `normal`, `simplified`, `both-a` and `both-b`"),
    };
    problems.extend(message.map(|message| programme.problem(&at, message)));
    if requirement.kind == RequirementKind::Mandatory && requirement.procedure.is_some() {
        problems.push(programme.problem(
            &[Name("requirement"), At(index), Name("procedure")],
            "the procedure of a mandatory requirement is decided by its cells",
        ));
    }
}

/// How a scenario contradicts the requirement that names it.
fn mismatch(
    requirement: &Requirement,
    procedure: Option<Procedure>,
    scenario: &Scenario,
) -> Option<String> {
    if let Some(flow) = requirement.flow
        && flow != scenario.flow
    {
        return Some(format!(
            "`{}` tests {}, the requirement is about {}",
            scenario.id,
            scenario.flow.as_str(),
            flow.as_str()
        ));
    }
    let procedure = procedure.filter(|procedure| *procedure != scenario.procedure)?;
    Some(format!(
        "`{}` tests the {} procedure, the requirement is about {}",
        scenario.id,
        scenario.procedure.as_str(),
        procedure.as_str()
    ))
}

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

fn scenarios(
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
    for (index, scenario) in file.scenarios.iter().enumerate() {
        let mut say = |path: &[Key<'_>], message: String| {
            let mut whole = vec![Name("scenario"), At(index)];
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
            if procedure != scenario.procedure {
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
            if !columns.contains_key(&(message, data::column_key(column))) {
                say(
                    &[Name("step"), At(index), Name("data"), At(position)],
                    format!("programme `{programme}` has no test data `{column}` for {message}"),
                );
            }
        }
    }
}

/// Scenarios that are there twice in one programme, in whatever files.
fn duplicates(draft: &Draft, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for file in &draft.scenarios {
        let own: BTreeSet<&String> = file.programmes.iter().collect();
        for (index, scenario) in file.scenarios.iter().enumerate() {
            let id = scenario.id.to_ascii_uppercase();
            for programme in &own {
                if !seen.insert((*programme, id.clone())) {
                    problems.push(file.source.problem(
                        &[Name("scenario"), At(index), Name("id")],
                        format!("`{}` is there twice in programme `{programme}`", scenario.id),
                    ));
                }
            }
        }
    }
}
