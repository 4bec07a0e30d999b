//! The one validator of the catalogue, what types alone cannot say: programmes
//! and their requirements here, scenarios in `check_scenarios`.

use std::collections::BTreeSet;

use super::check_scenarios::{self, side_of};
use super::problem::{Key, Problem};
use super::read::{Draft, DraftProgramme};
use super::{Procedure, Requirement, RequirementKind, Scenario, SubmissionChannel};

use Key::{At, Name};

/// Adds every problem of the draft.
pub(super) fn check(draft: &Draft, problems: &mut Vec<Problem>) {
    let ids: BTreeSet<&str> = draft.programmes.iter().map(|d| d.programme.id.as_str()).collect();
    for programme in &draft.programmes {
        dates(programme, problems);
        addresses(programme, problems);
        needed(draft, programme, problems);
        requirements(draft, programme, problems);
    }
    for file in &draft.scenarios {
        check_scenarios::scenarios(draft, file, &ids, problems);
    }
    check_scenarios::duplicates(draft, problems);
    for (folder, files) in &draft.forms {
        if draft.whole.programmes && !ids.contains(folder.as_str()) {
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

    given_dates(draft, problems);

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

    if let Some(officers) = &programme.officers
        && officers.closes <= officers.opens
    {
        problems.push(draft.problem(
            &[Name("officers"), Name("closes")],
            format!(
                "officers leave at {}, not after they come at {}",
                officers.closes, officers.opens
            ),
        ));
    }
    let timers = programme.timers.iter().flat_map(|timers| {
        [
            ("automatic-release-minutes", timers.automatic_release_minutes),
            ("await-presentation-minutes", timers.await_presentation_minutes),
            ("guarantee-amendment-minutes", timers.guarantee_amendment_minutes),
        ]
    });
    for (name, minutes) in timers {
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

/// Dates that the settings may give: those phases wait for must be asked for,
/// and spans must not end before they begin.
fn given_dates(draft: &DraftProgramme, problems: &mut Vec<Problem>) {
    let programme = &draft.programme;
    for (index, phase) in programme.phase.iter().enumerate() {
        for (name, id) in [("opens-when", &phase.opens_when), ("closes-when", &phase.closes_when)] {
            let Some(id) = id else { continue };
            if !programme.unpublished.iter().any(|date| date.id == *id) {
                problems.push(draft.problem(
                    &[Name("phase"), At(index), Name(name)],
                    format!("`{id}` is none of the dates under `[[unpublished]]`"),
                ));
            }
        }
    }
    let bounds = programme.unpublished.iter().enumerate().filter_map(|(index, date)| {
        let bounds = date.bounds.as_ref()?;
        Some(("unpublished", index, bounds.not_before, bounds.not_after))
    });
    let bases = programme.credentials_basis.iter().enumerate();
    let bases = bases.map(|(index, basis)| ("credentials-basis", index, basis.from, basis.until));
    for (list, index, from, until) in bounds.chain(bases) {
        if let (Some(from), Some(until)) = (from, until)
            && until < from
        {
            problems
                .push(draft.problem(&[Name(list), At(index)], format!("{until} is before {from}")));
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
    let mut sources: Vec<(Vec<Key<'_>>, &str)> = vec![
        (vec![Name("title")], &programme.title),
        (vec![Name("api"), Name("source")], &programme.api.source),
    ];
    if let Some(officers) = &programme.officers {
        if !officers.mailbox.contains('@') {
            problems
                .push(draft.problem(&[Name("officers"), Name("mailbox")], "not an e-mail address"));
        }
        sources.push((vec![Name("officers"), Name("source")], &officers.source));
    }
    if let Some(submission) = &programme.submission {
        let at = [Name("submission"), Name("to")];
        match (submission.channel, &submission.to) {
            (SubmissionChannel::Email, Some(to)) if to.contains('@') => {}
            (SubmissionChannel::Email, _) => {
                problems.push(draft.problem(&at, "`email` needs an address in `to`"));
            }
            (SubmissionChannel::SupportForm, Some(_)) => {
                problems.push(draft.problem(&at, "`support-form` takes no address"));
            }
            (SubmissionChannel::SupportForm, None) => {}
        }
        sources.push((vec![Name("submission"), Name("source")], &submission.source));
    }
    if let Some(pending) = &programme.pending_checklist {
        for (name, text) in [("what", &pending.what), ("source", &pending.source)] {
            sources.push((vec![Name("pending-checklist"), Name(name)], text));
        }
    }
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
    let bases = &programme.credentials_basis;
    list("credentials-basis", bases.iter().map(|fact| fact.source.as_str()).collect());
    list("other-api", programme.other_api.iter().map(|fact| fact.source.as_str()).collect());
    list("errata", programme.errata.iter().map(|fact| fact.source.as_str()).collect());
    for (path, text) in sources {
        if text.trim().is_empty() {
            problems.push(draft.problem(&path, "must not be empty"));
        }
    }
}

/// What a programme must say because of its scenarios, and that it says how its
/// form is submitted, or that there is none.
fn needed(draft: &Draft, programme: &DraftProgramme, problems: &mut Vec<Problem>) {
    let own = &programme.programme;
    let steps: Vec<_> =
        draft.scenarios_of(&own.id).into_iter().flat_map(|scenario| &scenario.step).collect();
    let sends = steps.iter().any(|step| step.send.is_some());
    let asks = steps.iter().any(|step| step.officer.is_some());
    for (needed, given, path, what) in [
        (
            sends,
            own.api.phase_id.is_some(),
            &["api", "phase-id"][..],
            "its scenarios send messages",
        ),
        (sends, own.api.xsd.is_some(), &["api", "xsd"], "its scenarios send messages"),
        (sends, !own.availability.is_empty(), &["availability"], "its scenarios send messages"),
        (sends, own.timers.is_some(), &["timers"], "its scenarios send messages"),
        (asks, own.officers.is_some(), &["officers"], "its scenarios ask them to act"),
    ] {
        if needed && !given {
            let keys: Vec<Key<'_>> = path.iter().map(|key| Name(key)).collect();
            let name = path.join(".");
            problems.push(programme.problem(&keys, format!("`{}` needs `{name}`: {what}", own.id)));
        }
    }
    if own.submission.is_some() == own.pending_checklist.is_some() {
        problems.push(programme.problem(
            &[Name("pending-checklist")],
            format!(
                "`{}` needs either `submission`, how its form is sent, or `pending-checklist`, why there is none",
                own.id
            ),
        ));
    }
}

/// The checklist's slots and the scenarios they name.
fn requirements(draft: &Draft, programme: &DraftProgramme, problems: &mut Vec<Problem>) {
    let id = &programme.programme.id;
    let scenarios = draft.scenarios_of(id);
    let known = |name: &str| scenarios.iter().find(|scenario| scenario.id == name);
    for (index, requirement) in programme.programme.requirement.iter().enumerate() {
        let at = |cell| [Name("requirement"), At(index), Name("any-of"), Name(cell)];
        shape(programme, index, requirement, problems);
        for (cell, names, procedure) in cells(requirement) {
            let mut sides = BTreeSet::new();
            for (position, name) in names.iter().enumerate() {
                let mut path = at(cell).to_vec();
                path.push(At(position));
                match known(name) {
                    Some(scenario) => {
                        if let Some(message) = mismatch(requirement, procedure, scenario) {
                            problems.push(programme.problem(&path, message));
                        }
                    }
                    None if !draft.whole.scenarios => {}
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
    if let Some(flow) = requirement.flow.or(requirement.tests)
        && flow != scenario.flow
    {
        return Some(format!(
            "`{}` tests {}, the requirement is about {}",
            scenario.id,
            scenario.flow.as_str(),
            flow.as_str()
        ));
    }
    let procedure = procedure?;
    let tested = scenario.procedure.filter(|tested| !tested.covers(procedure))?;
    Some(format!(
        "`{}` tests the {} procedure, the requirement is about {}",
        scenario.id,
        tested.as_str(),
        procedure.as_str()
    ))
}
