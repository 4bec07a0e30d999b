//! What is checked of the project itself, without any network.

use std::collections::BTreeSet;

use super::scenarios::Messages;
use super::{Finding, State};
use crate::catalogue::Catalogue;
use crate::cli::context::{Context, Desk, shown, sources, verified};
use crate::cli::failure::Failure;
use crate::evidence::{EvidenceError, Trust};
use crate::files;
use crate::payload::{Payloads, Sources};
use crate::project::Project;
use crate::project::xsd::{XsdFolder, versions};

pub(super) fn known(project: &Project, catalogue: &Catalogue) -> Finding {
    let programmes = catalogue.programmes();
    // One that holds in two programmes is one scenario.
    let scenarios: BTreeSet<&str> = programmes
        .iter()
        .flat_map(|programme| catalogue.scenarios(&programme.id))
        .map(|scenario| scenario.id.as_str())
        .collect();
    let scenarios = scenarios.len();
    let own = match &project.settings.catalogue.path {
        Some(path) => format!(", with your own in `{}`", path.display()),
        None => String::new(),
    };
    Finding::ok(format!("{} programmes, {scenarios} scenarios{own}", programmes.len()))
}

pub(super) fn test_packs(desk: &Desk, _: &Context) -> Result<Finding, Failure> {
    let packs = sources(&desk.project).packs;
    if packs.is_empty() {
        return Ok(Finding::ok("none named: the built-in messages take their place"));
    }
    let count = packs.len();
    Payloads::new(Sources { packs, ..Sources::default() }, &desk.catalogue)?;
    Ok(Finding::ok(format!("{count} can be read")))
}

pub(super) fn own_files(desk: &Desk, context: &Context) -> Result<Finding, Failure> {
    let Some(folder) = &desk.project.settings.payloads.folder else {
        return Ok(Finding::ok("no folder named: HMRC's or the built-in messages are sent"));
    };
    let entries = files::list(folder)?.len();
    let place = shown(folder, &context.cwd);
    Ok(match entries {
        0 => Finding::new(State::Warning, format!("{place} is empty"))
            .hint("own files are `<scenario>/<step>-<message>.xml`, such as `DSGB1/1-IE015.xml`"),
        _ => Finding::ok(format!("{place}: {entries} files and folders")),
    })
}

pub(super) fn schemas(desk: &Desk, _: &Context) -> Result<Finding, Failure> {
    let Some(path) = &desk.project.settings.payloads.xsd else {
        return Ok(Finding::new(State::NotChecked, "no XSDs named: messages go out unchecked")
            .hint("name HMRC's XSD folder under `[payloads] xsd` in ctc-ready.toml"));
    };
    let folder = XsdFolder::open(path, &versions(&desk.catalogue))?;
    let mut wanted: Vec<&str> = Vec::new();
    for programme in desk.programmes(None)? {
        if let Some(version) = programme.api.xsd.as_deref()
            && !wanted.contains(&version)
        {
            folder.load(Some(version))?;
            wanted.push(version);
        }
    }
    let told = format!("version {} can be used", wanted.join(", "));
    Ok(match (folder.versions().as_slice(), wanted.as_slice()) {
        ([], [_, _, ..]) => Finding::new(
            State::Warning,
            format!("one set of files stands for the versions {}", wanted.join(", ")),
        )
        .hint("make a folder for each version, named for it"),
        _ => Finding::ok(told),
    })
}

/// Most messages told that cannot be sent, or are passed over.
const SHOWN: usize = 5;

/// What building and judging every message of the scenarios that apply found.
pub(super) fn messages(all: &Messages) -> Finding {
    let Messages { sound, judged, on_purpose, broken, passed_over, .. } = all;
    if !broken.is_empty() {
        let count = broken.len();
        let mut told = format!("{count} of {} messages cannot be sent", sound + count);
        list(&mut told, broken);
        let state = if all.mandatory_broken { State::Error } else { State::Warning };
        return Finding::new(state, told)
            .hint("`ctc-ready message build SCENARIO --step N` shows a message");
    }
    let checked = match (judged, on_purpose) {
        (0, _) => "; not checked against XSDs".to_owned(),
        (_, 0) => ", and are valid".to_owned(),
        (_, some) => format!(", and are valid but for {some} on purpose"),
    };
    let mut told = format!("all {sound} can be built{checked}");
    if passed_over.is_empty() {
        return Finding::ok(told);
    }
    list(&mut told, passed_over);
    Finding::new(State::Warning, told)
        .hint("another pack's or the built-in message takes its place; one of your own in `[payloads] folder` goes first")
}

/// Adds some of these, each on a line of its own.
fn list(told: &mut String, all: &[String]) {
    all.iter().take(SHOWN).for_each(|one| told.push_str(&format!("\n{one}")));
    if all.len() > SHOWN {
        told.push_str(&format!("\n… and {} more", all.len() - SHOWN));
    }
}

pub(super) fn evidence(desk: &Desk, context: &Context) -> Result<Finding, Failure> {
    let dir = desk.project.evidence_dir();
    match verified(&dir, &Trust::default()) {
        Ok(report) if report.intact => Ok(Finding::ok(format!("intact: {} runs", report.runs))),
        Ok(report) => {
            let place = shown(&dir, &context.cwd);
            let count = report.problems.len();
            let told = format!("{place} was changed or damaged: {count} problems");
            Ok(Finding::new(State::Error, told).hint("`ctc-ready verify` tells more"))
        }
        Err(EvidenceError::NoStore(_)) => Ok(Finding::ok("none yet")),
        Err(error) => Err(error.into()),
    }
}

/// Free bytes below which evidence may soon not be written, and below which a
/// run is better not started. A run takes some 200 kB.
const LITTLE: u64 = 200 << 20;
const TOO_LITTLE: u64 = 20 << 20;

pub(super) fn disk(desk: &Desk, _: &Context) -> Result<Finding, Failure> {
    let Some(free) = files::free_space(&desk.project.root)? else {
        return Ok(Finding::new(State::NotChecked, "this system does not tell the free space"));
    };
    let told = format!("{} MB free", free / 1_000_000);
    Ok(match free {
        ..TOO_LITTLE => Finding::new(State::Error, told).hint("make room: evidence needs it"),
        TOO_LITTLE..LITTLE => Finding::new(State::Warning, told).hint("make room before long"),
        _ => Finding::ok(told),
    })
}
