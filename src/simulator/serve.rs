//! Serving a simulator on a socket of this machine.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::options::SimulatorOptions;
use super::server::Simulator;
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
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<Result<(), std::io::Error>>>,
}

impl Running {
    /// Stops serving and waits, at most a few seconds, for requests under way.
    ///
    /// # Errors
    /// When serving had broken off before.
    pub async fn stop(mut self) -> Result<(), SimulatorError> {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone when serving broke off, which the task tells.
            let _ = stop.send(());
        }
        let Some(mut task) = self.task.take() else { return Ok(()) };
        match tokio::time::timeout(GRACE, &mut task).await {
            Ok(Ok(result)) => result.map_err(SimulatorError::Serve),
            Ok(Err(failed)) => Err(SimulatorError::Serve(std::io::Error::other(failed))),
            Err(_) => {
                task.abort();
                Ok(())
            }
        }
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
    let router = Arc::new(Simulator::new(options, clock)?).router();
    let (listener, addr) = listen(addr).await?;
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(async move {
                let _ = stopped.await;
            })
            .await
    });
    Ok(Running { base_url: format!("http://{addr}"), addr, stop: Some(stop), task: Some(task) })
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
