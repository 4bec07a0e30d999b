//! A state that outlives its process: a folder with a snapshot and a log of
//! what came since.
//!
//! ```text
//! lock             who has the folder
//! snapshot.jsonl   a whole state, replaced as a whole
//! log-7.jsonl      what was asked since: one line each, in the order of effects
//! ```
//!
//! What the simulator knows follows from what it was asked and when, and from
//! nothing else: ids are drawn from a seed, and time passes event by event. So
//! a line holds a request, and reading the folder asks all of them again. What
//! is not of the state stands in lines too: what a request met (`Met`), faults
//! that struck, how far time had passed under these options, and what others
//! answered who were called (`Told`).
//! A line is written and synced before its request is answered: what was
//! answered survives the process and a loss of power. A line that was not
//! finished belongs to a request that was not answered, and is dropped.
//!
//! The snapshot is renewed at start, at the end, and when the log outgrows it.
//! It holds the options too, because the lines after it were asked under them.
//!
//! - `format`: the lines of both files, and reading them;
//! - `keeper`: writing them.
//!
//! Only `server` and `serve` may call it.

mod format;
mod keeper;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::options::SimulatorOptions;
use super::replies::Writer;
use super::server::Simulator;
use super::state::State;
use crate::clock::Clock;
use crate::files::{self, Access, FileError, Lock, LockFile};
use crate::ncts::build::BuildError;

use format::{Line, Snapshot};
pub(super) use keeper::Keeper;

/// Why the folder of a state cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process has it.
    #[error("the state in `{}` is in use{}", .folder.display(), by(.who))]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// What the other process says of itself.
        who: String,
    },
    /// The folder holds something else.
    #[error("`{}` holds files but no state of a simulator; name an empty or a new folder", .0.display())]
    Foreign(PathBuf),
    /// A file is not what was written.
    #[error("`{}`{} is damaged: {why}; put back a copy, or name another folder", .path.display(), at(.line))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Line, from 1, where one is known.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
    /// Written by a later version of this program.
    #[error("`{}` is of format {found}, and this version reads format {}", .path.display(), format::FORMAT)]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it names.
        found: u64,
    },
    /// The state went another way when it was asked again.
    #[error("`{}`, line {line}: asked again, it goes another way ({why}); ctc-ready {tool} wrote it: start and stop that version once, then this one", .path.display())]
    Astray {
        /// The log.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What differs.
        why: String,
        /// Version that wrote it.
        tool: String,
    },
    /// The state cannot be written down.
    #[error("the state cannot be written: {0}")]
    Write(#[from] serde_json::Error),
    /// One of the simulator's own templates is broken.
    #[error("simulator replies: {0}")]
    Replies(#[from] BuildError),
}

fn by(who: &str) -> String {
    if who.is_empty() { String::new() } else { format!(" by {who}") }
}

fn at(line: &Option<usize>) -> String {
    line.map(|line| format!(", line {line},")).unwrap_or_default()
}

const LOCK: &str = "lock";
const SNAPSHOT: &str = "snapshot.jsonl";

/// The log's name after the `number`th snapshot.
fn log_name(number: u64) -> String {
    format!("log-{number}.jsonl")
}

/// The number in a log's name.
fn log_number(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.strip_suffix(".jsonl")?.parse().ok()
}

/// Takes the lock of a folder, and makes the folder if need be.
fn lock(folder: &Path) -> Result<LockFile, StateError> {
    files::create_dir_all_durable(folder, Access::Private)?;
    let path = folder.join(LOCK);
    match LockFile::try_take(&path)? {
        Lock::Taken(mut lock) => {
            lock.write(format!("process {}\n", std::process::id()).as_bytes())?;
            Ok(lock)
        }
        Lock::Held(who) => {
            let who = String::from_utf8_lossy(&who).trim().chars().take(80).collect();
            Err(StateError::InUse { folder: folder.to_owned(), who })
        }
    }
}

/// Opens the state in `folder`, or begins one, and goes on from it under
/// `options`.
///
/// # Errors
/// When the folder is in use, holds something else, or is damaged.
pub(super) fn open(
    folder: &Path,
    options: &Arc<SimulatorOptions>,
    clock: &Arc<dyn Clock>,
) -> Result<(State, Keeper), StateError> {
    // A folder of something else gets no lock file.
    let known = |name: &str| {
        matches!(name, LOCK | SNAPSHOT) || name.starts_with(".tmp-") || log_number(name).is_some()
    };
    if folder.exists() {
        let entries = files::list(folder)?;
        if entries.iter().any(|entry| !entry.file_name().to_str().is_some_and(known)) {
            return Err(StateError::Foreign(folder.to_owned()));
        }
    }
    let lock = lock(folder)?;
    let mut logs = Vec::new();
    for entry in files::list(folder)? {
        logs.extend(entry.file_name().to_str().and_then(log_number));
    }
    let path = folder.join(SNAPSHOT);
    let state = if path.exists() {
        let snapshot = format::read_snapshot(&path)?;
        goes_on(snapshot, folder, options, clock)?
    } else {
        // A first start that was broken off leaves an empty log.
        for number in &logs {
            let path = folder.join(log_name(*number));
            if !files::read_bounded(&path, 0).is_ok_and(|bytes| bytes.is_empty()) {
                let why = format!("`{SNAPSHOT}` is missing");
                return Err(StateError::Damaged { path, line: None, why });
            }
        }
        State::new(Arc::clone(options), Writer::new(&options.phase_id)?)
    };
    let keeper = Keeper::begin(folder, lock, &logs, options, &state)?;
    Ok((state, keeper))
}

/// The state of a snapshot and its log.
fn goes_on(
    snapshot: Snapshot,
    folder: &Path,
    options: &Arc<SimulatorOptions>,
    clock: &Arc<dyn Clock>,
) -> Result<State, StateError> {
    let Snapshot { header, options: before, mut state } = snapshot;
    let before = Arc::new(before);
    state.equip(Arc::clone(&before), Writer::new(&before.phase_id)?);
    let simulator = Simulator::holding(*state, before, Arc::clone(clock), None);
    let path = folder.join(log_name(header.log));
    let mut lines = format::read_log(&path)?;
    while let Some((line, read)) = lines.next_line()? {
        let astray = |why: String| StateError::Astray {
            path: path.clone(),
            line,
            why,
            tool: header.tool.clone(),
        };
        let mut state = simulator.state();
        match read {
            Line::Struck(struck) => {
                state.faults.recall(&struck);
                state.strike(*struck);
            }
            Line::Passed { at, met } => {
                state.outside.replay(met);
                state.advance(at);
            }
            Line::Told { at, met, told } => {
                state.outside.replay(met);
                state.advance(at);
                state.learn(&told, at);
            }
            Line::Asked(asked) => {
                let damaged = |why: &str| StateError::Damaged {
                    path: path.clone(),
                    line: Some(line),
                    why: why.to_owned(),
                };
                let (parts, body) = asked.request().ok_or_else(|| damaged("it is no request"))?;
                state.outside.replay(asked.met);
                let response = simulator.perform(&mut state, &parts, &body, asked.at);
                let (status, drawn) = (response.status().as_u16(), state.ncts.ids.drawn());
                if (status, drawn) != (asked.status, asked.drawn) {
                    return Err(astray(format!(
                        "status {status} for {}, {drawn} names drawn for {}",
                        asked.status, asked.drawn
                    )));
                }
            }
        }
    }
    let mut state = simulator.into_state();
    state.outside.live();
    state.equip(Arc::clone(options), Writer::new(&options.phase_id)?);
    Ok(state)
}
