//! The simulator as an HTTP service: reading requests, writing answers. What
//! they say is in `apis`.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State as Extracted};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::apis::{self, Call, ReadBody};
use super::callbacks;
use super::options::SimulatorOptions;
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
    /// When an option makes no sense.
    pub fn new(options: SimulatorOptions, clock: Arc<dyn Clock>) -> Result<Self, SimulatorError> {
        if let Some(fault) = options.fault() {
            return Err(SimulatorError::Options(fault));
        }
        let writer = Writer::new(&options.phase_id)?;
        let options = Arc::new(options);
        let state = Mutex::new(State::new(Arc::clone(&options), writer));
        Ok(Self { options, clock, state, pushing: AtomicBool::new(false) })
    }

    /// The service, to be served by whoever wants to on the current runtime.
    pub fn router(self: Arc<Self>) -> Router {
        callbacks::keep_pushing(&self);
        Router::new().fallback(handle).with_state(self)
    }

    pub(super) fn options(&self) -> &SimulatorOptions {
        &self.options
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Whether nobody pushes notifications yet. From now on somebody does.
    pub(super) fn begin_pushing(&self) -> bool {
        !self.pushing.swap(true, Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete in itself; after a panic the rest goes on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, parts: &Parts, body: &ReadBody) -> Response {
        let now = self.clock.now();
        let mut state = self.state();
        state.advance(now);
        let options = &self.options;
        let call = Call { parts, body, options, now, mono_ns: self.clock.mono_ns() };
        let result = apis::route(&mut state, &call);
        drop(state);
        let mut response = result.unwrap_or_else(IntoResponse::into_response);
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(date) = HeaderValue::from_str(&date) {
            response.headers_mut().insert(header::DATE, date);
        }
        if body.abandoned {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

async fn handle(Extracted(simulator): Extracted<Arc<Simulator>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(body) = read_body(body, apis::largest_body(parts.uri.path())).await else {
        // Nobody is there any more to read an answer.
        return StatusCode::BAD_REQUEST.into_response();
    };
    match callbacks::sets(&parts) {
        // Somebody else has to be called first, without holding the state.
        Some(id) => callbacks::set(&simulator, id, &body).await.into_response(),
        None => simulator.respond(&parts, &body),
    }
}
