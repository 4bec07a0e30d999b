//! Passing on: what the software asks of us is asked of the environment, and
//! the answer goes back, as it is: method, path, query, headers, body. Not
//! passed on is what belongs to one connection alone (RFC 9110, section 7.6.1).
//!
//! Of messages and what becomes of them, the ledger is told. A message leaves
//! only once the ledger has it on disk; for that it is held in memory first, as
//! HMRC's largest are small. Nothing goes to a file here: it would be there with
//! its secrets.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::route::Route;
use super::secrets::Secrets;
use super::tap::{Copied, Tap};
use super::text::MAX_BODY;
use super::upstream::{BodyError, Passing, Upstream, root_cause};
use super::wire::{Heard, Room, Told};
use crate::clock::Clock;
use crate::hmrc::transport::{self, Answer, Call, NoAnswer};

/// Most connections at once.
const MAX_CONNECTIONS: usize = 256;

/// Most requests at once whose bodies are held in memory.
const ROOMS: usize = 8;

/// How long a connection may take to say what it wants.
const HEAD: Duration = Duration::from_secs(30);

/// How long the software may say nothing in the middle of a message.
const SILENCE: Duration = Duration::from_secs(100);

/// How long requests under way may take once we are told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(50);

/// Headers that belong to one connection alone.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    // Answered by us, since we take the body.
    "expect",
];

/// Listens at an address; port 0 lets the system choose.
///
/// # Errors
/// What the system says.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What all connections share.
pub(super) struct Proxy {
    pub(super) upstream: Upstream,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) secrets: Secrets,
    pub(super) ledger: Sender<Told>,
    /// Whether some message's fate is in doubt, so that lists of movements
    /// matter.
    pub(super) in_doubt: Arc<AtomicBool>,
    rooms: Arc<Semaphore>,
}

impl Proxy {
    pub(super) fn new(
        upstream: Upstream,
        clock: Arc<dyn Clock>,
        secrets: Secrets,
        ledger: Sender<Told>,
        in_doubt: Arc<AtomicBool>,
    ) -> Self {
        let rooms = Arc::new(Semaphore::new(ROOMS));
        Self { upstream, clock, secrets, ledger, in_doubt, rooms }
    }

    /// Tells the ledger. Once that is gone, nobody wants to know.
    fn tell(&self, told: Told) {
        let _ = self.ledger.send(told);
    }

    fn note(&self, text: impl Into<String>) {
        self.tell(Told::Note(text.into()));
    }

    /// Room for a body; none while we end.
    async fn room(&self) -> Option<Room> {
        Arc::clone(&self.rooms).acquire_owned().await.ok()
    }
}

/// Serves until told to stop; then lets what is under way end.
pub(super) async fn serve(
    proxy: Arc<Proxy>,
    listener: TcpListener,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = told(&mut stopped) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&proxy), stopped.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(NO_ROOM).await;
                }
            },
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, all).await;
    Ok(())
}

/// Resolves when we are to stop, or nobody is left to tell.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn connection(stream: TcpStream, proxy: Arc<Proxy>, mut stopped: watch::Receiver<bool>) {
    // Without it small answers wait for acknowledgements.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let proxy = Arc::clone(&proxy);
        async move { Ok::<_, Infallible>(proxy.handle(request).await) }
    });
    let mut http = http1::Builder::new();
    http.preserve_header_case(true)
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

impl Proxy {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Passing> {
        // Before anything of it is written anywhere.
        let known = self.secrets.learn(request.headers());
        let target = request.uri().path_and_query().map_or("/", |it| it.as_str());
        if request.method() == Method::CONNECT || target == "*" {
            return ours(
                StatusCode::NOT_IMPLEMENTED,
                "NOT_A_FORWARD_PROXY",
                "ctc-ready stands in place of HMRC's address; use it as the base URL",
            );
        }
        let Some(address) = self.upstream.address(target) else {
            return ours(StatusCode::BAD_REQUEST, "BAD_ADDRESS", "the path cannot be passed on");
        };
        let route = match known {
            true => Route::of(request.method().as_str(), request.uri().path()),
            false => {
                self.note("too many different tokens were seen: no more of this is recorded");
                Route::Other
            }
        };
        let (mut parts, body) = request.into_parts();
        parts.uri = address;
        parts.version = Version::HTTP_11;
        parts.headers = passed_on(&parts.headers, Some(self.upstream.host()));
        match route {
            Route::Open(_) | Route::Add(..) => self.message(route, parts, body).await,
            Route::Messages(..) | Route::Message { .. } => self.question(route, parts, body).await,
            Route::Movements(_) if self.in_doubt.load(Ordering::Relaxed) => {
                self.question(route, parts, body).await
            }
            Route::Movements(_) | Route::Other => {
                self.tell(Told::PassedOn);
                let request = Request::from_parts(parts, streamed(body));
                match self.upstream.send(request).await {
                    Ok(answer) => back(answer, Tap::silent),
                    Err(none) => refuse(&none),
                }
            }
        }
    }

    /// A message of the software: it leaves once it is on disk.
    async fn message(
        self: Arc<Self>,
        route: Route,
        parts: hyper::http::request::Parts,
        mut body: Incoming,
    ) -> Response<Passing> {
        let Some(room) = self.room().await else { return ending() };
        let mut bytes = Vec::new();
        while let Some(frame) = next(&mut body).await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |it| it)),
                Err(cause) => {
                    self.note(format!(
                        "the software went away in the middle of a message ({cause}); nothing of \
                         it was passed on"
                    ));
                    return ours(StatusCode::BAD_REQUEST, "INCOMPLETE", "the body broke off");
                }
            }
            if bytes.len() > MAX_BODY {
                self.note(format!(
                    "a message of more than {MAX_BODY} bytes was passed on, and is not recorded"
                ));
                let body = Begun { begun: Some(bytes.into()), rest: body };
                let request = Request::from_parts(parts, body.boxed_unsync());
                return match self.upstream.send(request).await {
                    Ok(answer) => back(answer, Tap::silent),
                    Err(none) => refuse(&none),
                };
            }
        }
        let heard = heard(route, &parts, Some(bytes));
        let (reply, leaves) = oneshot::channel();
        self.tell(Told::Leaves(heard, reply));
        let Ok((ticket, bytes)) = leaves.await else {
            return ours(
                StatusCode::SERVICE_UNAVAILABLE,
                "NOT_RECORDED",
                "ctc-ready could not record the message, and passed nothing on",
            );
        };
        let whole = Full::new(Bytes::from(bytes)).map_err(|never| match never {});
        let request = Request::from_parts(parts, whole.boxed_unsync());
        let Some(ticket) = ticket else {
            self.tell(Told::PassedOn);
            return match self.upstream.send(request).await {
                Ok(answer) => back(answer, Tap::silent),
                Err(none) => refuse(&none),
            };
        };
        let ledger = self.ledger.clone();
        let tell = move |result| drop(ledger.send(Told::Left(ticket, result, room)));
        self.pass(request, true, tell).await
    }

    /// A question about messages.
    async fn question(
        self: Arc<Self>,
        route: Route,
        parts: hyper::http::request::Parts,
        body: Incoming,
    ) -> Response<Passing> {
        let Some(room) = self.room().await else { return ending() };
        let heard = heard(route, &parts, None);
        let sent_at = self.clock.now();
        let request = Request::from_parts(parts, streamed(body));
        let ledger = self.ledger.clone();
        let tell = move |result| drop(ledger.send(Told::Asked { heard, sent_at, result, room }));
        self.pass(request, false, tell).await
    }

    /// Sends a request, passes the answer on, and tells what it was. What came
    /// of it is told even if the software goes away meanwhile: for that the
    /// call is a task of its own.
    async fn pass(
        self: Arc<Self>,
        request: Request<Passing>,
        to_the_end: bool,
        tell: impl FnOnce(Result<Answer, NoAnswer>) + Send + 'static,
    ) -> Response<Passing> {
        let proxy = Arc::clone(&self);
        let called = tokio::spawn(async move {
            let started = proxy.clock.mono_ns();
            let answer = match proxy.upstream.send(request).await {
                Ok(answer) => answer,
                Err(none) => {
                    let refusal = refuse(&none);
                    tell(Err(none));
                    return refusal;
                }
            };
            let (status, headers) = (answer.status().as_u16(), texts(answer.headers()));
            let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
            let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
            let server_date = date.map(|date| date.to_utc());
            let clock = Arc::clone(&proxy.clock);
            let told = move |copied: Copied| {
                let elapsed_ns = clock.mono_ns().saturating_sub(started);
                tell(copied.map(|body| Answer { status, headers, body, server_date, elapsed_ns }));
            };
            back(answer, |body| Tap::new(body, to_the_end, Box::new(told)))
        });
        called.await.unwrap_or_else(|_| ending())
    }
}

/// The next part of what the software sends, or why none comes.
async fn next(body: &mut Incoming) -> Option<Result<Frame<Bytes>, String>> {
    match tokio::time::timeout(SILENCE, body.frame()).await {
        Ok(frame) => frame.map(|frame| frame.map_err(|error| root_cause(&error))),
        Err(_) => Some(Err(format!("nothing came for {} seconds", SILENCE.as_secs()))),
    }
}

/// What is kept of a request.
fn heard(route: Route, parts: &hyper::http::request::Parts, body: Option<Vec<u8>>) -> Heard {
    let method = match &body {
        Some(_) => transport::Method::Post,
        None => transport::Method::Get,
    };
    let typed = parts.headers.contains_key(header::CONTENT_TYPE);
    let headers = texts(&parts.headers);
    Heard {
        route,
        call: Call { method, url: parts.uri.to_string(), headers, body },
        typed,
        sent_at: None,
    }
}

/// Headers as evidence has them; values that are not text are shown lossily.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The headers to pass on, in their order; `host`: whom they go to.
fn passed_on(headers: &HeaderMap, host: Option<&str>) -> HeaderMap {
    let mut named: Vec<HeaderName> =
        HOP_BY_HOP.iter().map(|name| HeaderName::from_static(name)).collect();
    for value in headers.get_all(header::CONNECTION) {
        let names = value.to_str().unwrap_or_default().split(',');
        named.extend(names.filter_map(|name| name.trim().parse().ok()));
    }
    let host = host.and_then(|host| HeaderValue::from_str(host).ok());
    let mut passed = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        match &host {
            _ if named.contains(name) => {}
            Some(host) if name == header::HOST => {
                passed.insert(header::HOST, host.clone());
            }
            _ => drop(passed.append(name.clone(), value.clone())),
        }
    }
    if let Some(host) = host {
        passed.entry(header::HOST).or_insert(host);
    }
    passed
}

/// An answer on its way back.
fn back(answer: Response<Incoming>, tap: impl FnOnce(Incoming) -> Tap) -> Response<Passing> {
    let (mut parts, body) = answer.into_parts();
    parts.headers = passed_on(&parts.headers, None);
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, tap(body).boxed_unsync())
}

/// A body that streams through.
fn streamed(body: Incoming) -> Passing {
    body.map_err(BodyError::from).boxed_unsync()
}

/// A body of which the beginning was read already.
struct Begun {
    begun: Option<Bytes>,
    rest: Incoming,
}

impl Body for Begun {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.begun.take() {
            Some(begun) => Poll::Ready(Some(Ok(Frame::data(begun)))),
            None => Pin::new(&mut self.rest).poll_frame(cx).map_err(Into::into),
        }
    }
}

/// There is no answer to pass on.
fn refuse(none: &NoAnswer) -> Response<Passing> {
    let status = match none.failure {
        "timeout" => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    let code = match none.failure {
        "timeout" => "NO_ANSWER_IN_TIME",
        "connect" => "NOT_REACHED",
        _ => "NO_ANSWER",
    };
    ours(status, code, &format!("the environment gave no answer: {}", none.detail))
}

fn ending() -> Response<Passing> {
    ours(StatusCode::SERVICE_UNAVAILABLE, "ENDING", "ctc-ready is ending")
}

/// An answer of our own, which says so.
fn ours(status: StatusCode, code: &str, message: &str) -> Response<Passing> {
    let json = serde_json::json!({
        "code": format!("CTC_READY_{code}"),
        "message": message,
        "from": "ctc-ready record",
    });
    let body = Full::new(Bytes::from(json.to_string())).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
