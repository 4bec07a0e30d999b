//! `answered`: the officers replied; evidence of it is kept.

use std::path::Path;
use std::sync::Arc;

use super::args::Answered;
use super::context::{Context, Desk, TOOL, programme, secrets};
use super::evidence;
use super::exit;
use super::failure::Failure;
use super::run;
use super::seal;
use crate::catalogue::Scenario;
use crate::engine::report::{RunEntry, RunReport};
use crate::engine::{self, decide, state::State};
use crate::evidence::{
    Attachment, Durability, Event, EvidenceError, OfficerAnswered, RunRecord, RunState, Store,
    StoreWriter,
};
use crate::files;

/// Largest attachment, in bytes: an e-mail with a screenshot or two.
const MAX_ATTACHMENT: u64 = 16 << 20;

/// Most attachments of one call.
const MAX_ATTACHMENTS: usize = 20;

/// Longest note, in characters.
const MAX_NOTE: usize = 4_000;

/// Longest name of an attachment kept, in characters.
const MAX_NAME: usize = 200;

/// A run that waits for officers.
struct Waiting {
    record: RunRecord,
    /// The step that waits.
    step: u32,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Answered) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let attached = read(&args.attach, &context.cwd)?;
    let note = args.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
    if note.is_some_and(|note| note.chars().count() > MAX_NOTE) {
        return Err(Failure::usage(format!("the note is longer than {MAX_NOTE} characters"))
            .hint("attach it as a file: `--attach FILE`"));
    }
    let dir = desk.project.evidence_dir();
    // A store is not made for the sake of this.
    match Store::open(&dir) {
        Ok(_) => {}
        Err(EvidenceError::NoStore(_)) => return Err(unknown(&args.run)),
        Err(error) => return Err(error.into()),
    }
    let clock = Arc::clone(&context.clock);
    let store = StoreWriter::open(&dir, Arc::clone(&clock), TOOL)?;
    let Waiting { record, step } = find(&desk, &store.read()?, &args.run)?;

    context.token()?;
    let redactor = store.redactor();
    secrets().for_each(|(_, secret)| redactor.learn(&secret));
    let (mut writer, _) = store.resume_run(record.run)?;
    let mut attachments = Vec::new();
    for (name, bytes) in attached {
        let file = writer.put_object(&bytes, Some(media_type(&name)), &redactor)?;
        attachments.push(Attachment { name: redactor.text(&name), file });
    }
    let kept = attachments.len();
    let note = note.map(|note| redactor.text(note));
    let event = Event::OfficerAnswered(OfficerAnswered { step, note, attachments });
    writer.append(event, Durability::Synced)?;
    drop(writer);
    seal::after_batch(context, &store);

    let store = store.read()?;
    let record = store.run(record.run)?;
    let programme = programme(&desk.catalogue, &record.programme)?;
    let scenario = desk.scenario(programme, &record.scenario)?;
    let events = store.events(record.run)?;
    let waiting_for = engine::waiting_for(programme, scenario, &events, clock.now());
    let printer = &mut context.printer;
    printer.line(format!(
        "noted: the officers replied to {} step {step} (attempt {}); files kept: {kept}",
        record.scenario, record.attempt
    ));
    let entry = RunEntry::new(&record, waiting_for);
    let report = RunReport { schema_version: 1, runs: vec![entry], held_back: Vec::new() };
    printer.document(&report);
    run::print_waits(printer, &report);
    printer.line("");
    printer.line("next: `ctc-ready run` goes on by itself once their messages have come");
    Ok(exit::DONE)
}

/// The files, with their names, before anything is written.
fn read(paths: &[std::path::PathBuf], cwd: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    if paths.len() > MAX_ATTACHMENTS {
        return Err(Failure::usage(format!("at most {MAX_ATTACHMENTS} files can be attached"))
            .hint("call `ctc-ready answered` again for the others"));
    }
    let read = |path: &std::path::PathBuf| {
        let bytes = files::read_bounded(&cwd.join(path), MAX_ATTACHMENT).map_err(Failure::from)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        Ok((name.chars().map(plain).take(MAX_NAME).collect(), bytes))
    };
    paths.iter().map(read).collect()
}

/// What a file is, by its name.
fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("eml") => "message/rfc822",
        Some("msg") => "application/vnd.ms-outlook",
        Some("txt" | "md" | "log") => "text/plain",
        Some("htm" | "html") => "text/html",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("pdf") => "application/pdf",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        _ => "application/octet-stream",
    }
}

/// The run that `wanted` names: by its id, the beginning of its id, or its
/// scenario; it must wait for officers.
fn find(desk: &Desk, store: &Store, wanted: &str) -> Result<Waiting, Failure> {
    let by_id = evidence::beginning_with(store, wanted);
    if let [run] = by_id[..] {
        let record = store.run(run)?;
        return match step_of(desk, store, &record)? {
            Ok(step) => Ok(Waiting { record, step }),
            Err(why) => Err(not_waiting(&record, &why)),
        };
    }
    if by_id.len() > 1 {
        return Err(Failure::usage(format!("`{wanted}` begins the ids of {} runs", by_id.len()))
            .hint("give more of the id: `ctc-ready run --format json` tells it"));
    }
    let mut found = Vec::new();
    let mut refused = None;
    for (run, indexed) in store.indexed() {
        if !indexed.scenario.eq_ignore_ascii_case(wanted) {
            continue;
        }
        let record = store.run(run)?;
        match step_of(desk, store, &record)? {
            Ok(step) => found.push(Waiting { record, step }),
            Err(why) => refused = Some(not_waiting(&record, &why)),
        }
    }
    match (found.len(), refused) {
        (0, Some(refused)) => Err(refused),
        (0, None) => Err(unknown(wanted)),
        (1, _) => found.pop().ok_or_else(|| unknown(wanted)),
        (several, _) => {
            let ids: Vec<String> =
                found.iter().map(|waiting| format!("`{}`", waiting.record.run)).collect();
            Err(Failure::usage(format!("{several} runs of `{wanted}` wait for officers"))
                .hint(format!("name one by its id: {}", ids.join(", "))))
        }
    }
}

/// The step for which a run waits for officers, or why it does not.
fn step_of(desk: &Desk, store: &Store, record: &RunRecord) -> Result<Result<u32, String>, Failure> {
    match record.state {
        RunState::Waiting => {}
        RunState::Passed => return Ok(Err("it has passed".to_owned())),
        RunState::Failed => return Ok(Err("it has failed".to_owned())),
        RunState::Abandoned => return Ok(Err("it was given up".to_owned())),
    }
    let Some(scenario) = desk.catalogue.scenario(&record.programme, &record.scenario) else {
        return Ok(Err("its scenario is not in the catalogue".to_owned()));
    };
    let state = State::fold(&store.events(record.run)?);
    let (step, missing) = decide::position(scenario, &state);
    let waits = state.asked.contains_key(&step) && !missing.is_empty();
    Ok(match waits && officers_act(scenario, step) {
        true => Ok(step),
        false => Err("no officer has been asked for the step it is at".to_owned()),
    })
}

fn officers_act(scenario: &Scenario, step: u32) -> bool {
    let index = (step as usize).checked_sub(1);
    index.and_then(|index| scenario.step.get(index)).is_some_and(|step| step.officer.is_some())
}

fn not_waiting(record: &RunRecord, why: &str) -> Failure {
    Failure::usage(format!(
        "run `{}` ({}, attempt {}) does not wait for officers: {why}",
        record.run, record.scenario, record.attempt
    ))
    .hint("`ctc-ready status` tells who must act next")
}

fn unknown(wanted: &str) -> Failure {
    Failure::usage(format!("there is no run `{wanted}`"))
        .hint("name a run by its id, the beginning of its id, or its scenario; `ctc-ready run --format json` tells ids")
}
