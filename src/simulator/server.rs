//! The simulator as an HTTP service.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::check::check;
use super::faults::{Faults, Schedule};
use super::http_errors::HttpError;
use super::ids;
use super::json as shapes;
use super::movement::Submitted;
use super::officer::Mail;
use super::options::SimulatorOptions;
use super::outside::Outside;
use super::persist::{self, Keeper};
use super::replies::Writer;
use super::requests::{self, Content, Filters, Resource, Wanted};
use super::serve::SimulatorError;
use super::state::{State, Submission, no_movement};
use super::store::StoredMovement;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::ncts::MovementKind;

/// Most bytes of a message body; beyond it the service answers 413. It is also
/// the most that can be had as JSON.
const BODY: usize = 5_000_000;

/// Most bytes read of a body that is too large anyway.
const DRAIN: usize = 32 << 20;

/// Most bytes of a mail.
const MAIL: usize = 64 << 10;

/// HMRC's CTC Traders API with NCTS and its officers behind it.
///
/// Time comes from the clock it was given: replies that fell due since the
/// last request are filed, each at its own instant, when the next request
/// arrives. There is no background task.
pub struct Simulator {
    options: Arc<SimulatorOptions>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Where the state is kept.
    pub(super) keeper: Mutex<Option<Keeper>>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("options", &self.options).finish_non_exhaustive()
    }
}

/// A body as far as it was read.
pub(super) struct ReadBody {
    pub(super) bytes: Vec<u8>,
    pub(super) too_large: bool,
    /// There was more than anyone wants to read.
    pub(super) abandoned: bool,
}

/// Reads a whole body before anything is answered: a client that is still
/// sending would take an early answer for a broken connection.
async fn read_body(mut body: Body) -> Option<ReadBody> {
    let mut read = ReadBody { bytes: Vec::new(), too_large: false, abandoned: false };
    let mut total = 0_usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        total = total.saturating_add(data.len());
        if total > BODY {
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

fn answer(status: StatusCode, body: &impl Serialize) -> Result<Response, HttpError> {
    let body = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        HttpError::internal()
    })?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
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
        Self { options, clock, state: Mutex::new(state), keeper: Mutex::new(keeper) }
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
        let path = parts.uri.path();
        let result = if path.starts_with("/simulator/") {
            self.own(state, parts, body, now)
        } else {
            let mut submission = Submission {
                at: shapes::instant(now),
                method: parts.method.to_string(),
                path: path.to_owned(),
                ..Submission::default()
            };
            let result = self.api(state, parts, body, now, &mut submission);
            if parts.method == Method::POST {
                submission.status = match &result {
                    Ok(response) => response.status().as_u16(),
                    Err(error) => error.status.as_u16(),
                };
                state.note(submission);
            }
            result
        };
        let mut response = result.unwrap_or_else(IntoResponse::into_response);
        if let Some(date) = http_date(now) {
            response.headers_mut().insert(header::DATE, date);
        }
        if body.abandoned {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The CTC Traders API behind its gateway.
    fn api(
        &self,
        state: &mut State,
        parts: &Parts,
        body: &ReadBody,
        now: DateTime<Utc>,
        submission: &mut Submission,
    ) -> Result<Response, HttpError> {
        let resource = Resource::named(parts.uri.path()).ok_or_else(HttpError::no_such_resource)?;
        if !resource.takes(&parts.method) {
            return Err(HttpError::method_not_allowed());
        }
        let token = requests::bearer(&parts.headers)?;
        match token {
            "invalid-token" => return Err(HttpError::invalid_credentials()),
            "not-subscribed" => return Err(HttpError::resource_forbidden()),
            _ => {}
        }
        if let Some(limit) = self.options.requests_per_second
            && !state.outside.allows(Digest::of(token.as_bytes()), limit, self.clock.mono_ns())
        {
            return Err(HttpError::throttled());
        }
        let eori = ids::eori(token);
        resource.check_ids()?;
        if parts.method == Method::POST {
            let content = requests::content(&parts.headers)?;
            let wanted = requests::accept(&parts.headers, &resource, &self.options.versions)?;
            let message = receive(&resource, content, wanted, body, &mut state.outside)?;
            submission.describe(&message);
            return post(state, &resource, wanted, message, &eori, now, submission);
        }
        let wanted = requests::accept(&parts.headers, &resource, &self.options.versions)?;
        get(state, &resource, parts.uri.query(), wanted, &eori)
    }

    /// The simulator's own endpoints. HMRC has nothing like them.
    fn own(
        &self,
        state: &mut State,
        parts: &Parts,
        body: &ReadBody,
        now: DateTime<Utc>,
    ) -> Result<Response, HttpError> {
        let get = parts.method == Method::GET;
        match parts.uri.path() {
            "/simulator/health" if get => {
                let versions: Vec<_> =
                    self.options.versions.iter().map(|version| version.as_str()).collect();
                let health = json!({
                    "status": "up",
                    "service": "ctc-ready simulator",
                    "version": env!("CARGO_PKG_VERSION"),
                    "now": shapes::instant(now),
                    "timeScale": self.options.time_scale,
                    "apiVersions": versions,
                    "movements": state.store.count(),
                });
                answer(StatusCode::OK, &health)
            }
            "/simulator/log" if get => {
                answer(StatusCode::OK, &json!({"submissions": state.log, "faults": state.struck}))
            }
            "/simulator/mailbox" if get => answer(StatusCode::OK, &json!({"mails": state.mails})),
            "/simulator/mailbox" if parts.method == Method::POST => {
                if body.too_large || body.bytes.len() > MAIL {
                    return Err(HttpError::too_large());
                }
                let mail: Mail = serde_json::from_slice(&body.bytes).map_err(|error| {
                    HttpError::bad_request(format!("The mail cannot be read: {error}"))
                })?;
                match state.mail(mail, now) {
                    Ok(number) => answer(StatusCode::ACCEPTED, &json!({"number": number})),
                    Err(why) => answer(
                        StatusCode::UNPROCESSABLE_ENTITY,
                        &json!({"code": "REFUSED", "message": why}),
                    ),
                }
            }
            "/simulator/health" | "/simulator/log" | "/simulator/mailbox" => {
                Err(HttpError::method_not_allowed())
            }
            _ => Err(HttpError::no_such_resource()),
        }
    }
}

/// An instant as the `Date` header writes it.
pub(super) fn http_date(at: DateTime<Utc>) -> Option<HeaderValue> {
    HeaderValue::from_str(&at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

/// Reads a request to its end. None: whoever sent it is gone.
pub(super) async fn hear(request: Request) -> Option<(Parts, ReadBody)> {
    let (parts, body) = request.into_parts();
    Some((parts, read_body(body).await?))
}

/// Reads the message of a POST.
fn receive(
    resource: &Resource,
    content: Content,
    wanted: Wanted,
    body: &ReadBody,
    outside: &mut Outside,
) -> Result<Submitted, HttpError> {
    if content == Content::Upload {
        return Err(HttpError::not_implemented("large messages by upload"));
    }
    if body.too_large {
        return Err(HttpError::too_large());
    }
    if content == Content::Json {
        return Err(HttpError::not_implemented("messages as JSON"));
    }
    match resource {
        Resource::Movements(kind) => check(&body.bytes, *kind, true, wanted.version, outside),
        Resource::Messages(kind, _) => check(&body.bytes, *kind, false, wanted.version, outside),
        _ => Err(HttpError::method_not_allowed()),
    }
}

fn post(
    state: &mut State,
    resource: &Resource,
    wanted: Wanted,
    message: Submitted,
    eori: &str,
    now: DateTime<Utc>,
    submission: &mut Submission,
) -> Result<Response, HttpError> {
    let kind = message.message.movement();
    let accepted = match resource {
        Resource::Messages(_, movement) => {
            submission.movement_id = Some(movement.clone());
            let id = state.add(movement, message, eori, now)?;
            submission.message_id = Some(id.clone());
            shapes::added(kind, movement, &id)
        }
        _ => {
            let (movement, id) = state.open(message, wanted.version, eori, now)?;
            submission.movement_id = Some(movement.clone());
            submission.message_id = Some(id.clone());
            shapes::opened(kind, &movement, &id)
        }
    };
    answer(StatusCode::ACCEPTED, &accepted)
}

fn get(
    state: &State,
    resource: &Resource,
    query: Option<&str>,
    wanted: Wanted,
    eori: &str,
) -> Result<Response, HttpError> {
    let find = |kind: MovementKind, id: &str| {
        state.store.movement(kind, eori, id).ok_or_else(|| no_movement(kind, id))
    };
    match resource {
        Resource::Movements(kind) => {
            let filters = requests::filters(query, true)?;
            let mut all = state.store.list(*kind, eori);
            all.retain(|one| matches(&filters, one));
            let page = filters.page(&all)?.iter().map(|one| shapes::movement(one)).collect();
            answer(StatusCode::OK, &shapes::movements(*kind, query, all.len(), page))
        }
        Resource::Movement(kind, id) => answer(StatusCode::OK, &shapes::movement(find(*kind, id)?)),
        Resource::Messages(kind, id) => {
            let movement = find(*kind, id)?;
            let filters = requests::filters(query, false)?;
            let mut all: Vec<_> = movement.messages.iter().rev().collect();
            all.sort_by_key(|one| std::cmp::Reverse(one.received));
            all.retain(|one| filters.holds(one.received));
            let page = filters
                .page(&all)?
                .iter()
                .map(|one| shapes::message(movement, one, None))
                .collect();
            answer(StatusCode::OK, &shapes::messages(movement, query, all.len(), page))
        }
        Resource::Message(kind, id, message) | Resource::Body(kind, id, message) => {
            let movement = find(*kind, id)?;
            let found =
                movement.messages.iter().find(|one| one.id == *message).ok_or_else(|| {
                    HttpError::not_found(format!(
                        "Message with ID {message} for movement {id} was not found"
                    ))
                })?;
            let whole = matches!(resource, Resource::Message(..));
            if wanted.json && found.body.len() > BODY {
                return Err(HttpError::not_acceptable(if whole {
                    "Large messages cannot be returned as json".to_owned()
                } else {
                    format!("Messages larger than {BODY} bytes cannot be retrieved in JSON")
                }));
            }
            let body = if wanted.json {
                shapes::of_xml(&found.body).ok_or_else(HttpError::internal)?
            } else {
                Value::String(found.body.to_string())
            };
            match (whole, body) {
                (true, body) => {
                    answer(StatusCode::OK, &shapes::message(movement, found, Some(body)))
                }
                (false, Value::String(xml)) => {
                    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/xml")], xml)
                        .into_response())
                }
                (false, body) => answer(StatusCode::OK, &body),
            }
        }
    }
}

fn matches(filters: &Filters, movement: &StoredMovement) -> bool {
    let contains = |wanted: &Option<String>, value: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| {
            value.as_ref().is_some_and(|value| value.to_lowercase().contains(wanted))
        })
    };
    filters.holds(movement.updated)
        && filters.trader.as_ref().is_none_or(|eori| movement.trader.as_ref() == Some(eori))
        && contains(&filters.mrn, &movement.mrn)
        && contains(&filters.lrn, &movement.lrn)
}
