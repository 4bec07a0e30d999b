//! What can go wrong with a store. Turned into words and exit codes by the
//! command line alone.

use std::path::PathBuf;

use super::chain::LineError;
use super::event::RunId;
use super::format::seal_place;
use super::record::FoldError;
use super::seal::TimeStampError;
use crate::digest::Digest;
use crate::files::FileError;

/// A store that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// A file that cannot be read or written: disk full, no permission.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no store in this folder.
    #[error("there is no evidence store in `{}`", .0.display())]
    NoStore(PathBuf),
    /// A folder that is no store and not empty is never turned into one.
    #[error("`{}` is not an evidence store, and not empty: `{entry}` is in it", .dir.display())]
    NotAStore {
        /// The folder.
        dir: PathBuf,
        /// Something in it.
        entry: String,
    },
    /// Written by a later version.
    #[error("the store `{}` has format {found}; this version knows formats up to {known}: use a newer ctc-ready", .dir.display())]
    NewerFormat {
        /// The store's folder.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// Another process writes to the store.
    #[error("the store `{}` is being written by {holder}", .dir.display())]
    InUse {
        /// The store's folder.
        dir: PathBuf,
        /// `process 123 (ctc-ready 0.1.0), since 2026-11-21T09:30:00.000Z`.
        holder: String,
    },
    /// `store.json` says something impossible, or was changed.
    #[error("`{}`: {message}", .path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A line of the index or of a journal.
    #[error("`{}` line {line}: {source}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// What is wrong.
        source: LineError,
    },
    /// Whole lines that do not fit together.
    #[error("`{}`: {message}", .path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// No run of this id is in the index.
    #[error("there is no run `{0}` in the store")]
    UnknownRun(RunId),
    /// A run of this id was opened before.
    #[error("there is a run `{0}` in the store already")]
    RunExists(RunId),
    /// The run was closed before.
    #[error("run `{0}` is closed; nothing can be added to it")]
    RunClosed(RunId),
    /// The run was removed.
    #[error("run `{run}` was removed from the store: {reason}")]
    RunRemoved {
        /// The run.
        run: RunId,
        /// Why, in the words of who removed it.
        reason: String,
    },
    /// This process is writing to the run already.
    #[error("run `{0}` is being written already")]
    RunBusy(RunId),
    /// An event in a place where it may not be.
    #[error("run `{run}`: {message}")]
    Misplaced {
        /// The run.
        run: RunId,
        /// What is wrong.
        message: &'static str,
    },
    /// An event that would not read back as it is.
    #[error("run `{run}`: the event cannot be stored: {source}")]
    Unstorable {
        /// The run.
        run: RunId,
        /// Why.
        source: LineError,
    },
    /// The journal's events make no run.
    #[error("run `{run}`: {source}")]
    Fold {
        /// The run.
        run: RunId,
        /// Why.
        source: FoldError,
    },
    /// A stored body that is not what its name says.
    #[error("object `{sha256}` was changed: it has {found}")]
    ObjectChanged {
        /// Its name.
        sha256: Digest,
        /// What was found instead.
        found: String,
    },
    /// A body too large to store.
    #[error("a body of {bytes} bytes is larger than the {max} bytes a store takes")]
    ObjectTooLarge {
        /// Its size.
        bytes: u64,
        /// The largest.
        max: u64,
    },
    /// A time stamp that does not hold.
    #[error("the time stamp is not accepted: {0}")]
    TimeStamp(#[from] TimeStampError),
    /// No seal is what a time stamp is over.
    #[error("the time stamp is over `{0}`, and no seal of the store has that SHA-256")]
    NoSuchSeal(Digest),
    /// A seal has one time stamp at most.
    #[error("`{}` is time-stamped already", seal_place(*.0))]
    StampedAlready(u64),
    /// No randomness for the store's salt.
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
}
