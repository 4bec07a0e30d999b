//! Writing a state down as it changes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};

use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::format::{self, Asked, Line};
use super::{SNAPSHOT, StateError, log_name};
use crate::files::{self, Access, AppendFile, LockFile};
use crate::simulator::apis::ReadBody;
use crate::simulator::faults::{self, Plan};
use crate::simulator::http_errors::HttpError;
use crate::simulator::options::SimulatorOptions;
use crate::simulator::outside::Told;
use crate::simulator::server::Simulator;
use crate::simulator::state::State;

/// The log may always grow to this many bytes before the snapshot is renewed.
const LOG_MIN: u64 = 8 << 20;

/// Paths whose `GET` changes nothing but the time, which passes anyway.
const READ_ONLY: &[&str] = &["/customs/", "/misc/", "/test/", "/simulator/"];

/// Keeps a state in its folder.
#[derive(Debug)]
pub(in crate::simulator) struct Keeper {
    folder: PathBuf,
    // Held as long as the state is kept.
    _lock: LockFile,
    options: Arc<SimulatorOptions>,
    log: AppendFile,
    /// Number of the log.
    number: u64,
    /// Bytes of the last snapshot.
    snapshot: u64,
    /// How often something had happened when the log was last written.
    happened: u64,
    /// A request is being carried out. Still set at the next one: it never
    /// came to its end, and what it changed stands in no log.
    busy: bool,
    /// Something could not be written: what is in memory may be more than what
    /// is in the folder, so nothing is answered any more.
    broken: bool,
}

impl Keeper {
    /// Begins with a new snapshot of `state`; `logs` are those in the folder.
    pub(super) fn begin(
        folder: &Path,
        lock: LockFile,
        logs: &[u64],
        options: &Arc<SimulatorOptions>,
        state: &State,
    ) -> Result<Self, StateError> {
        let number = logs.iter().max().map_or(1, |last| last + 1);
        let (log, snapshot) = renew(folder, number, options, state)?;
        for old in logs {
            files::remove_file(&folder.join(log_name(*old)))?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
            options: Arc::clone(options),
            log,
            number,
            snapshot,
            happened: state.happened,
            busy: false,
            broken: false,
        })
    }

    /// Renews the snapshot, and begins an empty log.
    fn renew(&mut self, state: &State) -> Result<(), StateError> {
        let number = self.number + 1;
        let (log, snapshot) = renew(&self.folder, number, &self.options, state)?;
        let old = self.folder.join(log_name(self.number));
        (self.log, self.number, self.snapshot, self.busy) = (log, number, snapshot, false);
        self.happened = state.happened;
        files::remove_file(&old)?;
        Ok(())
    }

    fn append(&mut self, line: &Line) -> Result<(), StateError> {
        Ok(self.log.append(&format::line(line)?)?)
    }

    /// Writes the faults that struck since the last call.
    fn write_faults(&mut self, state: &mut State) -> Result<bool, StateError> {
        let struck = state.faults.unsaved();
        for one in &struck {
            self.append(&Line::Struck(Box::new(one.clone())))?;
        }
        Ok(!struck.is_empty())
    }

    /// Writes what a request did, and makes it last.
    fn keep(
        &mut self,
        state: &mut State,
        request: (&Parts, &ReadBody),
        now: DateTime<Utc>,
        status: u16,
    ) -> Result<(), StateError> {
        // Faults of replies come first: asked again, the request files them.
        let mut wrote = self.write_faults(state)?;
        let met = state.outside.met();
        let parts = request.0;
        let reads = matches!(parts.method, Method::GET | Method::HEAD)
            && READ_ONLY.iter().any(|start| parts.uri.path().starts_with(start));
        if !reads {
            let drawn = state.ncts.ids.drawn();
            // A throttled request may be lost with the power, like its pace.
            wrote |= !met.throttled;
            let asked = Asked::new(request, now, met, status, drawn);
            self.append(&Line::Asked(Box::new(asked)))?;
        } else if state.happened != self.happened {
            // Without it the same would happen, only under the options of the
            // next start: no reason to wait for the disk.
            self.append(&Line::Passed { at: now, met })?;
        }
        self.happened = state.happened;
        if wrote {
            self.log.sync()?;
        }
        if self.log.len() > self.snapshot.max(LOG_MIN) {
            self.renew(state)?;
        }
        Ok(())
    }

    /// Notes a failure to write; what is answered from now on.
    fn fail(&mut self, error: &StateError) -> HttpError {
        tracing::error!(%error, "the simulator stops answering");
        self.broken = true;
        HttpError::internal()
    }
}

/// Writes a snapshot and the empty log that follows it. The snapshot names the
/// log, so that a crash between the two leaves the old pair.
fn renew(
    folder: &Path,
    number: u64,
    options: &SimulatorOptions,
    state: &State,
) -> Result<(AppendFile, u64), StateError> {
    let log = folder.join(log_name(number));
    files::create_new(&log, b"", Access::Private)?;
    let bytes = format::snapshot(state, options, number)?;
    files::write_atomic_private(&folder.join(SNAPSHOT), &bytes)?;
    Ok((AppendFile::open(&log)?, bytes.len() as u64))
}

impl Simulator {
    fn keeper(&self) -> MutexGuard<'_, Option<Keeper>> {
        // A request that panicked is seen by `Keeper::busy`.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out a request, and writes down what it did before it is
    /// answered.
    pub(in crate::simulator) fn keeping(
        &self,
        now: DateTime<Utc>,
        parts: &Parts,
        body: &ReadBody,
        perform: impl FnOnce(&mut State) -> Response,
    ) -> Response {
        let mut state = self.state();
        let mut keeper = self.keeper();
        state.outside.live();
        let Some(keeper) = &mut *keeper else {
            let response = perform(&mut state);
            // Nobody writes it down.
            drop(state.outside.met());
            return response;
        };
        if keeper.broken {
            return HttpError::internal().into_response();
        }
        if keeper.busy {
            // The snapshot has what the unsaved faults did.
            drop(state.faults.unsaved());
            if let Err(error) = keeper.renew(&state) {
                return keeper.fail(&error).into_response();
            }
        }
        keeper.busy = true;
        let response = perform(&mut state);
        match keeper.keep(&mut state, (parts, body), now, response.status().as_u16()) {
            Ok(()) => {
                keeper.busy = false;
                response
            }
            Err(error) => keeper.fail(&error).into_response(),
        }
    }

    /// Takes in what somebody who was called has answered, and writes it down.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub(in crate::simulator) fn learn(&self, told: Told) -> Result<(), HttpError> {
        let now = self.now();
        let mut state = self.state();
        state.outside.live();
        state.advance(now);
        state.learn(&told, now);
        let met = state.outside.met();
        let Some(keeper) = &mut *self.keeper() else { return Ok(()) };
        if keeper.broken {
            return Err(HttpError::internal());
        }
        let line = Line::Told { at: now, met, told };
        let written = keeper
            .write_faults(&mut state)
            .and_then(|_| keeper.append(&line))
            .and_then(|()| Ok(keeper.log.sync()?));
        keeper.happened = state.happened;
        written.map_err(|error| keeper.fail(&error))
    }

    /// What is to go wrong with a request.
    ///
    /// # Errors
    /// The answer, when that cannot be written down.
    pub(in crate::simulator) fn plan(
        &self,
        parts: &Parts,
        body: &ReadBody,
    ) -> Result<Plan, HttpError> {
        let path = parts.uri.path();
        if path.starts_with("/simulator/") {
            return Ok(Plan::default());
        }
        let mut state = self.state();
        let asked = faults::Asked { method: &parts.method, path, body: &body.bytes };
        let plan = state.faults.plan(&asked, self.now());
        state.note_faults();
        if let Some(keeper) = &mut *self.keeper() {
            if keeper.broken {
                return Err(HttpError::internal());
            }
            let written = keeper.write_faults(&mut state).and_then(|any| match any {
                true => Ok(keeper.log.sync()?),
                false => Ok(()),
            });
            written.map_err(|error| keeper.fail(&error))?;
        }
        Ok(plan)
    }

    /// Renews the snapshot, so that the next start, of another version even,
    /// has nothing to ask again.
    ///
    /// # Errors
    /// When it cannot be written; the folder is then as it was.
    pub(in crate::simulator) fn save(&self) -> Result<(), StateError> {
        let state = self.state();
        match &mut *self.keeper() {
            Some(keeper) if !keeper.broken => keeper.renew(&state),
            _ => Ok(()),
        }
    }
}
