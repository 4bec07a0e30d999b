//! Making a store, and mending what a crash left in one.
//!
//! Mends only what a crash can leave, given the order of writes in
//! [`super::writer`]: anything else was done by someone, stays as it is, and
//! [`mod@super::verify`] reports it.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::chain::{self, ChainWriter, Head};
use super::error::EvidenceError;
use super::event::{Assigned, Event, RunClosed, RunId, RunOpened, UNASSIGNED};
use super::format::{
    Description, FORMAT, INDEX, IndexEvent, JOURNAL, LOCK, Layout, MAX_SEAL, MAX_TIME_STAMP,
    OBJECTS, RUNS, SALT, SEALS, STORE_JSON, TMP, journal_name, run_of_folder,
};
use super::index::{Index, IndexWriter};
use super::seal::statement::{Extent, digest_of_start};
use super::seal::{check, time_stamp};
use super::store::{check_description, read_description};
use crate::clock::Clock;
use crate::digest::{Digest, canonical_json};
use crate::files::{self, Access};

/// Objects named in one `objects-removed` line; well within a line's length.
const OBJECTS_A_LINE: usize = 1000;

/// Refuses to make a store in a folder that holds something else.
pub(super) fn refuse_foreign_folder(layout: &Layout) -> Result<(), EvidenceError> {
    if layout.description().symlink_metadata().is_ok() || !layout.root().exists() {
        return Ok(());
    }
    let ours = [STORE_JSON, INDEX, RUNS, OBJECTS, SEALS, LOCK, TMP, SALT];
    for entry in files::list(layout.root())? {
        let entry = entry.file_name().to_string_lossy().into_owned();
        if !ours.contains(&entry.as_str()) {
            return Err(EvidenceError::NotAStore { dir: layout.root().to_owned(), entry });
        }
    }
    Ok(())
}

/// Makes the store if there is none, mends it if need be, and opens its index.
/// The caller holds the lock.
pub(super) fn prepare(
    layout: &Layout,
    clock: &Arc<dyn Clock>,
    tool: &str,
    unclean: bool,
) -> Result<(Digest, IndexWriter), EvidenceError> {
    for folder in [layout.tmp(), layout.runs(), layout.objects()] {
        files::create_dir_all_durable(&folder, Access::Private)?;
    }
    files::empty_folder(&layout.tmp())?;
    let (_, digest) = match read_description(layout) {
        Err(EvidenceError::NoStore(_)) => {
            create(layout, clock.as_ref(), tool)?;
            read_description(layout)?
        }
        read => read?,
    };
    let salt = salt(layout)?;
    let (index, mut end) = Index::read(layout)?;
    check_description(layout, digest, &index)?;
    let torn = end.torn;
    if torn > 0 {
        files::truncate(&layout.index(), end.length)?;
        end.torn = 0;
    }
    let chain = ChainWriter::open(&layout.index(), &end)?;
    let mut index = IndexWriter::new(index, chain, Arc::clone(clock));
    // First, since a seal's line stands right after the lines it covers.
    finish_seal(layout, &mut index)?;
    finish_time_stamps(layout, &mut index)?;
    if torn > 0 {
        let file = INDEX.to_owned();
        let event = IndexEvent::Repaired { file, length: end.length, cut_bytes: torn };
        index.record(layout, event)?;
    }
    add_unindexed_runs(layout, &mut index)?;
    let removed = index.index.runs.iter().filter(|(_, indexed)| indexed.removed.is_some());
    for run in removed.map(|(run, _)| *run) {
        remove_journal(layout, run)?;
    }
    let open: Vec<RunId> = index
        .index
        .runs
        .iter()
        .filter_map(|(run, indexed)| indexed.closed.is_none().then_some(*run))
        .collect();
    for run in open {
        match mend_open_run(layout, &mut index, run) {
            // A journal that someone broke must not stop other runs.
            Err(error @ (EvidenceError::Line { .. } | EvidenceError::Contents { .. })) => {
                tracing::warn!(%run, %error, "the journal of an open run is broken");
            }
            Err(EvidenceError::File(error)) if error.is_not_found() => {
                tracing::warn!(%run, %error, "the journal of an open run is missing");
            }
            mended => mended?,
        }
    }
    if unclean {
        remove_orphans(layout, &mut index)?;
    }
    Ok((salt, index))
}

/// Makes a store. `store.json` comes last: a store without it is none, and
/// what an interrupted attempt left is made anew.
fn create(layout: &Layout, clock: &dyn Clock, tool: &str) -> Result<(), EvidenceError> {
    let missing = || EvidenceError::Description {
        path: layout.description(),
        message: "it is missing, and the folder holds evidence".into(),
    };
    for folder in [layout.runs(), layout.objects()] {
        if !files::list(&folder)?.is_empty() {
            return Err(missing());
        }
    }
    match chain::read_chain(&layout.index(), |_| Ok(())) {
        Err(EvidenceError::File(error)) if error.is_not_found() => {}
        Ok(end) if end.head.lines <= 1 => {}
        Ok(_) | Err(EvidenceError::Line { .. } | EvidenceError::Contents { .. }) => {
            return Err(missing());
        }
        Err(error) => return Err(error),
    }
    files::make_private(layout.root())?;

    let description = Description {
        format: FORMAT,
        store: Uuid::new_v4(),
        created: chain::format_at(clock.now()),
        tool: tool.to_owned(),
    };
    let value = serde_json::to_value(&description).unwrap_or_default();
    let text = canonical_json(&value) + "\n";
    let event = IndexEvent::StoreCreated {
        store: description.store,
        store_json: Digest::of(text.as_bytes()),
    };
    let (line, _) = Head::START
        .compose(clock.now(), clock.mono_ns(), &event)
        .map_err(|source| EvidenceError::Line { path: layout.index(), line: 1, source })?;
    let tmp = layout.tmp();
    files::replace_through(&tmp, &layout.index(), line.as_bytes(), Access::Private)?;
    files::replace_through(&tmp, &layout.description(), text.as_bytes(), Access::Private)?;
    Ok(())
}

/// The salt of redaction: 32 random bytes, as 64 hexadecimal digits in a file
/// of their own, so that evidence can be given away without it. Where it is
/// missing or unreadable, a new one is made: then the same secret gets another
/// mark than before, and nothing worse.
fn salt(layout: &Layout) -> Result<Digest, EvidenceError> {
    if let Ok(Some(known)) = read_salt(layout) {
        return Ok(known);
    }
    let path = layout.salt();
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| EvidenceError::Random(error.to_string()))?;
    let salt = Digest::from(random);
    let text = format!("{salt}\n");
    files::replace_through(&layout.tmp(), &path, text.as_bytes(), Access::Private)?;
    Ok(salt)
}

/// The salt, where it is there and one.
pub(super) fn read_salt(layout: &Layout) -> Result<Option<Digest>, EvidenceError> {
    match files::read_bounded(&layout.salt(), 80) {
        Ok(bytes) => {
            Ok(std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_end().parse().ok()))
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Adds the index line of a run whose folder was renamed into place when the
/// crash came. Such a journal has its first line and nothing else; any other
/// folder that the index does not know was put there by someone.
fn add_unindexed_runs(layout: &Layout, index: &mut IndexWriter) -> Result<(), EvidenceError> {
    for entry in files::list(&layout.runs())? {
        let name = entry.file_name();
        let Some(run) = name.to_str().and_then(run_of_folder) else { continue };
        if index.index.runs.contains_key(&run) {
            continue;
        }
        let mut opened: Option<(RunOpened, Digest)> = None;
        let read = chain::read_chain(&layout.journal(run), |line| {
            if let Event::RunOpened(event) = line.event()? {
                opened = Some((event, line.hash));
            }
            Ok(())
        });
        let (Ok(end), Some((opened, first))) = (read, opened) else { continue };
        if end.head.lines != 1 || end.torn > 0 || opened.run != run {
            continue;
        }
        let RunOpened { programme, scenario, environment, attempt, .. } = opened;
        index.record(
            layout,
            IndexEvent::RunOpened { run, programme, scenario, environment, attempt, first },
        )?;
    }
    Ok(())
}

/// Adds the index line of a seal that was renamed into place when the crash
/// came: it is the next one, and everything it says holds. Any other was put
/// there by someone.
fn finish_seal(layout: &Layout, index: &mut IndexWriter) -> Result<(), EvidenceError> {
    let number = index.index.seals.len() as u64 + 1;
    let bytes = match files::read_bounded(&layout.seal(number), MAX_SEAL) {
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => {
            tracing::warn!(%error, "a seal that the index does not name stays as it is");
            return Ok(());
        }
        Ok(bytes) => bytes,
    };
    let (head, length) = index.end();
    let sha256 = Some(digest_of_start(&layout.index(), length)?);
    let extent = Extent { head, bytes: length, sha256 };
    let (statement, key) = match check::check(&bytes, &index.index, &extent, number) {
        Ok(checked) => checked,
        Err(error) => {
            tracing::warn!(number, %error, "a seal that the index does not name stays as it is");
            return Ok(());
        }
    };
    for (run, extent) in statement.journals() {
        let Some(expected) = extent.sha256 else { continue };
        if !digest_of_start(&layout.journal(run), extent.bytes).is_ok_and(|it| it == expected) {
            tracing::warn!(number, %run, "a seal that the index does not name stays as it is");
            return Ok(());
        }
    }
    let sha256 = Digest::of(&bytes);
    index.record(layout, IndexEvent::Sealed { seal: number, sha256, key })
}

/// Adds the index lines of time stamps that were renamed into place when the
/// crash came.
fn finish_time_stamps(layout: &Layout, index: &mut IndexWriter) -> Result<(), EvidenceError> {
    let unstamped: Vec<(u64, Digest)> = index
        .index
        .seals
        .iter()
        .filter(|(_, seal)| seal.time_stamp.is_none())
        .map(|(number, seal)| (*number, seal.sha256))
        .collect();
    for (seal, over) in unstamped {
        let path = layout.time_stamp(seal);
        if path.symlink_metadata().is_err() {
            continue;
        }
        let bytes = files::read_bounded(&path, MAX_TIME_STAMP);
        match bytes.ok().filter(|bytes| time_stamp::check(bytes, over, None, None).is_ok()) {
            Some(bytes) => {
                let sha256 = Digest::of(&bytes);
                index.record(layout, IndexEvent::TimeStamped { seal, sha256 })?;
            }
            None => {
                tracing::warn!(seal, "a time stamp that the index does not name stays as it is")
            }
        }
    }
    Ok(())
}

/// Cuts a half-written last line off an open run's journal, noting it in the
/// index first; adds the index line of a run that was given its scenario, or
/// closed, when the crash came.
pub(super) fn mend_open_run(
    layout: &Layout,
    index: &mut IndexWriter,
    run: RunId,
) -> Result<(), EvidenceError> {
    let path = layout.journal(run);
    let mut closed: Option<RunClosed> = None;
    let mut assigned: Option<Assigned> = None;
    let end = chain::read_chain(&path, |line| {
        if line.kind().as_deref() == Some("assigned")
            && let Event::Assigned(event) = line.event()?
        {
            assigned = Some(event);
        }
        if line.kind().as_deref() == Some("run-closed")
            && let Event::RunClosed(event) = line.event()?
        {
            closed = Some(event);
        }
        Ok(())
    })?;
    let known = index.index.runs.get(&run);
    if let Some(event) = assigned
        && known.is_some_and(|known| known.scenario == UNASSIGNED)
    {
        let Assigned { programme, scenario, attempt, .. } = event;
        index.record(layout, IndexEvent::RunAssigned { run, programme, scenario, attempt })?;
    }
    match closed {
        None if end.torn == 0 => Ok(()),
        None => {
            let event = IndexEvent::Repaired {
                file: journal_name(run),
                length: end.length,
                cut_bytes: end.torn,
            };
            index.record(layout, event)?;
            Ok(files::truncate(&path, end.length)?)
        }
        // Nothing is ever written after the closing line.
        Some(_) if end.torn > 0 => Ok(()),
        Some(RunClosed { state, .. }) => {
            let Head { lines, hash: head } = end.head;
            index.record(layout, IndexEvent::RunClosed { run, state, lines, head })
        }
    }
}

/// Takes the journal of a run away that the index says was removed. A folder
/// that holds anything else was put there by someone, and stays.
pub(super) fn remove_journal(layout: &Layout, run: RunId) -> Result<(), EvidenceError> {
    let folder = layout.run(run);
    let entries = match files::list(&folder) {
        Err(error) if error.is_not_found() => return Ok(()),
        entries => entries?,
    };
    if entries.iter().any(|entry| entry.file_name() != JOURNAL) {
        tracing::warn!(%run, "the folder of a removed run holds something else, and stays");
        return Ok(());
    }
    // Gone at once, and for good: what is in `tmp` goes at the latest when the
    // store is opened next.
    let leaving = layout.tmp().join(run.to_string());
    files::rename(&folder, &leaving)?;
    files::empty_folder(&leaving)?;
    Ok(files::remove_empty_folder(&leaving)?)
}

/// Removes objects that no line refers to: the line was still to come when the
/// crash came, or went with a run that was removed. Notes their names first.
/// Does nothing while any journal cannot be read or is away, since it may refer
/// to them.
pub(super) fn remove_orphans(
    layout: &Layout,
    index: &mut IndexWriter,
) -> Result<(), EvidenceError> {
    let kept = index.index.runs.iter().filter(|(_, indexed)| indexed.removed.is_none());
    let away = kept.map(|(run, _)| run).find(|run| !layout.journal(**run).is_file());
    if let Some(run) = away {
        tracing::warn!(%run, "leftovers stay, since a journal is missing");
        return Ok(());
    }
    let mut known = BTreeSet::new();
    for entry in files::list(&layout.runs())? {
        let name = entry.file_name();
        let read = name.to_str().and_then(run_of_folder).map(|run| {
            chain::read_chain(&layout.journal(run), |line| {
                known.extend(line.objects.iter().map(|(object, _)| *object));
                Ok(())
            })
        });
        if !matches!(read, Some(Ok(_))) {
            tracing::warn!(run = ?name, "leftovers stay, since a journal cannot be read");
            return Ok(());
        }
    }
    let mut orphans = Vec::new();
    let mut folders = Vec::new();
    for folder in files::list(&layout.objects())? {
        if !folder.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        folders.push(folder.path());
        for object in files::list(&folder.path())? {
            let name = [folder.file_name(), object.file_name()].map(|n| n.into_string());
            let [Ok(start), Ok(rest)] = name else { continue };
            if let Ok(digest) = format!("{start}{rest}").parse::<Digest>()
                && layout.object(digest) == object.path()
                && object.file_type().is_ok_and(|kind| kind.is_file())
                && !known.contains(&digest)
            {
                orphans.push(digest);
            }
        }
    }
    for objects in orphans.chunks(OBJECTS_A_LINE) {
        index.record(layout, IndexEvent::ObjectsRemoved { objects: objects.to_vec() })?;
    }
    for object in &orphans {
        files::remove_file(&layout.object(*object))?;
    }
    for folder in folders {
        if files::list(&folder)?.is_empty() {
            files::remove_empty_folder(&folder)?;
        } else if !orphans.is_empty() {
            files::sync_folder(&folder)?;
        }
    }
    Ok(files::sync_folder(&layout.objects())?)
}
