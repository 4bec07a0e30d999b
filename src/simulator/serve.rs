//! Serving a simulator on a socket of this machine.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::apis::ctc::Streamed;
use super::callbacks;
use super::faults::{self, Fault, Plan};
use super::options::SimulatorOptions;
use super::persist::StateError;
use super::server::{self, Simulator};
use super::wire::{Obedient, Wire};
use crate::clock::Clock;
use crate::ncts::build::BuildError;

/// How long connections that are still busy may take to finish.
const GRACE: Duration = Duration::from_secs(5);

/// Why a simulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// An option makes no sense.
    #[error("simulator options: {0}")]
    Options(&'static str),
    /// One of its own templates is broken.
    #[error("simulator replies: {0}")]
    Replies(#[from] BuildError),
    /// It imitates HMRC, so only this machine may talk to it.
    #[error("the simulator serves loopback addresses only, and `{0}` is none")]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on `{addr}`: {source}")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The folder of the state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Serving broke off.
    #[error("the simulator broke off: {0}")]
    Serve(std::io::Error),
}

/// A simulator that is being served. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    /// `http://127.0.0.1:PORT`.
    pub base_url: String,
    /// The address served, with the port that the system chose.
    pub addr: SocketAddr,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
    simulator: Arc<Simulator>,
}

impl Running {
    /// Stops serving, waits, at most a few seconds, for requests under way,
    /// and saves the state where it is kept.
    ///
    /// # Errors
    /// When serving had broken off before, or the state cannot be saved.
    pub async fn stop(mut self) -> Result<(), SimulatorError> {
        self.stop.send_replace(true);
        if let Some(mut task) = self.task.take() {
            match tokio::time::timeout(GRACE, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(failed)) => {
                    return Err(SimulatorError::Serve(std::io::Error::other(failed)));
                }
                Err(_) => task.abort(),
            }
        }
        self.simulator.save()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

async fn listen(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), SimulatorError> {
    if !addr.ip().is_loopback() {
        return Err(SimulatorError::NotLoopback(addr));
    }
    let refuse = |source| SimulatorError::Bind { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(refuse)?;
    let addr = listener.local_addr().map_err(refuse)?;
    Ok((listener, addr))
}

/// Starts a simulator on the current runtime. Port 0 lets the system choose.
///
/// # Errors
/// When an option makes no sense, or the address is not of this machine's
/// loopback interface or cannot be had.
pub async fn start(
    options: SimulatorOptions,
    clock: Arc<dyn Clock>,
    addr: SocketAddr,
) -> Result<Running, SimulatorError> {
    let (listener, addr) = listen(addr).await?;
    let simulator = Arc::new(Simulator::new(options, clock)?);
    callbacks::keep_pushing(&simulator);
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, Arc::clone(&simulator), stopped));
    let base_url = format!("http://{addr}");
    Ok(Running { base_url, addr, stop, task: Some(task), simulator })
}

/// How long to wait when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(50);

async fn accept(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = told(&mut stopped) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (simulator, stopped) = (Arc::clone(&simulator), stopped.clone());
                    connections.spawn(connection(stream, simulator, stopped));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(NO_ROOM).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Resolves when the simulator is to stop, or nobody is left to tell it.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn connection(
    stream: TcpStream,
    simulator: Arc<Simulator>,
    mut stopped: watch::Receiver<bool>,
) {
    // Without it small answers wait for acknowledgements.
    let _ = stream.set_nodelay(true);
    let wire = Wire::default();
    let io = TokioIo::new(Obedient::new(stream, wire.clone()));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (simulator, wire) = (Arc::clone(&simulator), wire.clone());
        async move { answer(&simulator, &wire, request.map(Body::new)).await }
    });
    let mut http = http1::Builder::new();
    // A client that has said everything may still want to hear.
    http.timer(TokioTimer::new()).half_close(true);
    let mut connection = pin!(http.serve_connection(io, service));
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

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault ends the connection")]
struct Cut;

/// Answers a request, with what is to go wrong with it.
async fn answer(
    simulator: &Arc<Simulator>,
    wire: &Wire,
    request: axum::extract::Request,
) -> Result<Response, Cut> {
    wire.clear();
    let Some((parts, body)) = server::hear(request).await else {
        // Nobody is there any more to read an answer.
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    let plan = match simulator.plan(&parts, &body) {
        Ok(plan) => plan,
        Err(refusal) => return Ok(simulator.dated(refusal.into_response())),
    };
    let end = plan.end.as_ref();
    let response = match end {
        Some(fault) if fault.prevents() => None,
        _ => Some(server::answer(simulator, &parts, &body).await),
    };
    if !plan.delay.is_zero() {
        tokio::time::sleep(plan.delay).await;
    }
    let response = match end {
        Some(Fault::Reset { .. }) => {
            wire.reset();
            return Err(Cut);
        }
        Some(Fault::Close { .. }) => return Err(Cut),
        Some(fault) => faults::instead(fault).map(|other| simulator.dated(other)).or(response),
        None => response,
    };
    spoil(simulator, wire, &plan, response.unwrap_or_default()).await
}

/// Does to an answer what a plan says besides.
async fn spoil(
    simulator: &Simulator,
    wire: &Wire,
    plan: &Plan,
    response: Response,
) -> Result<Response, Cut> {
    let truncate = match plan.end {
        Some(Fault::Truncate { keep, chunked }) => Some((keep, chunked)),
        _ => None,
    };
    if truncate.is_none() && plan.also.is_empty() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let streamed = body.size_hint().exact().is_none();
    // The body was in memory all the time.
    let mut bytes = to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
    let mut head = Response::from_parts(parts, ());
    for fault in &plan.also {
        match fault {
            Fault::Drip(pause) => wire.drip(*pause),
            fault => faults::mend(fault, &mut head, &mut bytes, simulator.now()),
        }
    }
    let again = |streamed: bool, head: Response<()>, bytes: Vec<u8>| {
        let body = if streamed { Streamed::body(bytes) } else { Body::from(bytes) };
        head.map(|()| body)
    };
    let Some((keep, chunked)) = truncate else { return Ok(again(streamed, head, bytes)) };
    let Some(most) = bytes.len().checked_sub(1) else {
        // Of nothing, nothing can be missing but the whole answer.
        return Err(Cut);
    };
    wire.cut_after(keep.unwrap_or(bytes.len() / 2).min(most));
    Ok(again(chunked, head, bytes))
}

/// Serves a simulator until `until` resolves. `ready` is told the address
/// served as soon as requests are answered.
///
/// # Errors
/// As [`start`], and when serving breaks off.
pub async fn serve_until(
    options: SimulatorOptions,
    clock: Arc<dyn Clock>,
    addr: SocketAddr,
    ready: impl FnOnce(SocketAddr),
    until: impl Future<Output = ()>,
) -> Result<(), SimulatorError> {
    let running = start(options, clock, addr).await?;
    ready(running.addr);
    until.await;
    running.stop().await
}
