//! The simulator as an HTTP service: reading requests, writing answers. What
//! they say is in `apis`.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::apis::{self, Call, ReadBody};
use super::callbacks;
use super::faults::{Faults, Schedule};
use super::options::SimulatorOptions;
use super::persist::{self, Keeper};
use super::replies::Writer;
use super::serve::SimulatorError;
use super::state::State;
use crate::clock::Clock;

/// Most bytes read of a body that is too large anyway.
const DRAIN: usize = 32 << 20;

/// HMRC's APIs with NCTS and its officers behind them.
///
/// Time comes from the clock it was given: replies that fell due since the
/// last request are filed, each at its own instant, when the next request
/// arrives. There is no background task, until notifications are to be pushed.
pub struct Simulator {
    options: Arc<SimulatorOptions>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Where the state is kept.
    pub(super) keeper: Mutex<Option<Keeper>>,
    pushing: AtomicBool,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Reads a whole body before anything is answered: a client that is still
/// sending would take an early answer for a broken connection.
async fn read_body(mut body: Body, most: usize) -> Option<ReadBody> {
    let mut read = ReadBody { bytes: Vec::new(), too_large: false, abandoned: false };
    let mut total = 0_usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        total = total.saturating_add(data.len());
        if total > most {
            read.too_large = true;
            read.bytes = Vec::new();
        } else {
            read.bytes.extend_from_slice(&data);
        }
        if total > DRAIN {
            read.abandoned = true;
            break;
        }
    }
    Some(read)
}

impl Simulator {
    /// A simulator that nobody serves yet.
    ///
    /// # Errors
    /// When an option makes no sense, or the folder of its state cannot be
    /// used.
    pub fn new(options: SimulatorOptions, clock: Arc<dyn Clock>) -> Result<Self, SimulatorError> {
        if let Some(fault) = options.fault() {
            return Err(SimulatorError::Options(fault));
        }
        let options = Arc::new(options);
        let writer = Writer::new(&options.phase_id)?;
        let (mut state, keeper) = match &options.state {
            None => (State::new(Arc::clone(&options), writer), None),
            Some(folder) => {
                let (state, keeper) = persist::open(folder, &options, &clock)?;
                (state, Some(keeper))
            }
        };
        let schedule =
            |faults: &Faults| Schedule::new(faults.clone(), clock.now(), options.time_scale);
        state.faults.follow(options.faults.as_ref().map(schedule));
        Ok(Self::holding(state, options, clock, keeper))
    }

    /// A simulator that goes on from a state.
    pub(super) fn holding(
        state: State,
        options: Arc<SimulatorOptions>,
        clock: Arc<dyn Clock>,
        keeper: Option<Keeper>,
    ) -> Self {
        let (state, keeper) = (Mutex::new(state), Mutex::new(keeper));
        Self { options, clock, state, keeper, pushing: AtomicBool::new(false) }
    }

    /// Answers one request without a socket, with the clock it was given: for
    /// tests in virtual time. Faults are for sockets and strike nothing here.
    pub async fn answer(self: &Arc<Self>, request: Request) -> Response {
        match hear(request).await {
            Some((parts, body)) => answer(self, &parts, &body).await,
            None => StatusCode::BAD_REQUEST.into_response(),
        }
    }

    /// Whether nobody pushes notifications yet. From now on somebody does.
    pub(super) fn begin_pushing(&self) -> bool {
        !self.pushing.swap(true, Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete in itself; after a panic the rest goes on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, of a simulator that nobody serves any more.
    pub(super) fn into_state(self) -> State {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its clock's time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// An answer with its `Date`.
    pub(super) fn dated(&self, mut response: Response) -> Response {
        if let Some(date) = http_date(self.now()) {
            response.headers_mut().insert(header::DATE, date);
        }
        response
    }

    /// Answers a request, and keeps what it changed.
    pub(super) fn respond(&self, parts: &Parts, body: &ReadBody) -> Response {
        let now = self.now();
        self.keeping(now, parts, body, |state| self.perform(state, parts, body, now))
    }

    /// Answers a request as of `now`.
    pub(super) fn perform(
        &self,
        state: &mut State,
        parts: &Parts,
        body: &ReadBody,
        now: DateTime<Utc>,
    ) -> Response {
        state.advance(now);
        let options = &self.options;
        let call = Call { parts, body, options, now, mono_ns: self.clock.mono_ns() };
        let result = apis::route(state, &call);
        let mut response = result.unwrap_or_else(IntoResponse::into_response);
        if let Some(date) = http_date(now) {
            response.headers_mut().insert(header::DATE, date);
        }
        if body.abandoned {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// An instant as the `Date` header writes it.
pub(super) fn http_date(at: DateTime<Utc>) -> Option<HeaderValue> {
    HeaderValue::from_str(&at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

/// Reads a request to its end. None: whoever sent it is gone.
pub(super) async fn hear(request: Request) -> Option<(Parts, ReadBody)> {
    let (parts, body) = request.into_parts();
    let body = read_body(body, apis::largest_body(parts.uri.path())).await?;
    Some((parts, body))
}

/// Answers a request, somebody else's answer asked for where need be.
pub(super) async fn answer(simulator: &Arc<Simulator>, parts: &Parts, body: &ReadBody) -> Response {
    match callbacks::sets(parts) {
        // Somebody else has to be called first, without holding the state.
        Some(id) => callbacks::set(simulator, id, body).await.into_response(),
        None => simulator.respond(parts, body),
    }
}
