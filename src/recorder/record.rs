//! Recording from begin to end: two threads, one that passes on and one that
//! writes.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use url::Url;

use super::ledger::Ledger;
use super::proxy::{self, Proxy};
use super::recognise::Recognition;
use super::secrets::Secrets;
use super::upstream::Upstream;
use super::wire::{Errand, Told};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::engine::Watcher;
use crate::engine::mail::MailError;
use crate::engine::report::RunEntry;
use crate::engine::tempo::Tempo;
use crate::evidence::{Driver, EvidenceError, SoftwareId, StoreWriter};
use crate::hmrc::transport::{SetUpError, Transport};
use crate::project::Environment;

/// How long what is under way at the end may take.
const LEFT_BEHIND: Duration = Duration::from_millis(500);

/// How the software is recorded.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether it is recorded as it works, or was by others.
    pub driver: Driver,
    /// Where messages go.
    pub environment: Environment,
    /// Address of the environment.
    pub base_url: Url,
    /// How fast its timers run.
    pub tempo: Tempo,
    /// The software under test.
    pub software: SoftwareId,
    /// Who runs it.
    pub operator: Option<String>,
    /// Whom officers may ask.
    pub contact: Option<String>,
    /// `ctc-ready` and its version.
    pub tool: String,
}

impl Options {
    /// The address as runs state it.
    pub(super) fn address(&self) -> &str {
        self.base_url.as_str().trim_end_matches('/')
    }
}

/// What was recorded.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Every run that was open in the meantime, as it stands now.
    pub runs: Vec<RunEntry>,
    /// Requests that are evidence.
    pub requests: u64,
    /// Requests that were passed on and of which nothing is kept.
    pub passed_on: u64,
}

/// What stops a recording. Every run stays as it is, and can go on.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The evidence cannot be written or read.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The officers' e-mail cannot be made.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The client for e-mails to the simulator cannot be set up.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// The way to the environment cannot be set up.
    #[error("{0}")]
    Upstream(String),
    /// Serving cannot begin, or broke off.
    #[error("serving broke off: {0}")]
    Serve(io::Error),
}

/// What is needed to record.
pub struct Recorder<'a> {
    /// Where the evidence goes.
    pub store: &'a StoreWriter,
    /// The scenarios.
    pub catalogue: &'a Catalogue,
    /// Which of them the software is at.
    pub recognition: &'a Recognition,
    /// Time.
    pub clock: &'a Arc<dyn Clock>,
    /// How it is recorded.
    pub options: &'a Options,
}

impl Recorder<'_> {
    /// Passes requests from `listener` on to the environment and records them,
    /// until `stop` resolves.
    ///
    /// # Errors
    /// What stops it; what was recorded before is kept.
    pub fn record(
        &self,
        listener: TcpListener,
        watcher: &mut dyn Watcher,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<Recorded, RecordError> {
        let Self { store, catalogue, recognition, clock, options } = *self;
        let upstream = Upstream::new(&options.base_url)
            .map_err(|error| RecordError::Upstream(error.to_string()))?;
        let redactor = store.redactor();
        let transport = Transport::new(&options.tool.replace(' ', "/"), &options.base_url)?;
        let (tell, told) = mpsc::channel();
        let (errands, to_run) = unbounded_channel();
        let in_doubt = Arc::new(AtomicBool::new(false));
        let mut ledger = Ledger {
            store,
            clock: Arc::clone(clock),
            watcher,
            options,
            recognition,
            redactor: Arc::clone(&redactor),
            errands,
            in_doubt: Arc::clone(&in_doubt),
            held: Vec::new(),
            imported: None,
            claimed: None,
            runs: Vec::new(),
            seen: Vec::new(),
            requests: 0,
            passed_on: 0,
        };
        ledger.take_up(catalogue)?;
        let secrets = Secrets::new(redactor);
        let proxy = Proxy::new(upstream, Arc::clone(clock), secrets, tell.clone(), in_doubt);
        let (stopping, stopped) = watch::channel(false);
        let (kept, served) = std::thread::scope(|scope| {
            let serving = scope.spawn(|| {
                let errands = run_errands(&transport, clock.as_ref(), to_run, tell.clone());
                let stop = async {
                    stop.await;
                    stopping.send_replace(true);
                };
                let served = serve(Arc::new(proxy), listener, stopped, stop, errands);
                let _ = tell.send(Told::Ended);
                served
            });
            let kept = ledger.keep(&told);
            // Nobody writes any more: nothing more may leave.
            drop(told);
            stopping.send_replace(true);
            (kept, serving.join())
        });
        kept?;
        served.unwrap_or_else(|_| Err(io::Error::other("a panic"))).map_err(RecordError::Serve)?;
        let (requests, passed_on) = (ledger.requests, ledger.passed_on);
        Ok(Recorded { runs: ledger.entries()?, requests, passed_on })
    }
}

/// Serves on a runtime of its own until told to stop.
fn serve(
    proxy: Arc<Proxy>,
    listener: TcpListener,
    stopped: watch::Receiver<bool>,
    stop: impl Future<Output = ()>,
    errands: impl Future<Output = ()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let mut serving = pin!(proxy::serve(proxy, listener, stopped));
        let meanwhile = async { tokio::join!(stop, errands) };
        tokio::select! {
            served = &mut serving => served,
            _ = meanwhile => serving.await,
        }
    });
    // What the software left behind is read to its end, if that is near.
    runtime.shutdown_timeout(LEFT_BEHIND);
    served
}

/// Hands e-mails to the simulator's officers.
async fn run_errands(
    transport: &Transport,
    clock: &dyn Clock,
    mut errands: UnboundedReceiver<Errand>,
    tell: mpsc::Sender<Told>,
) {
    while let Some(errand) = errands.recv().await {
        let result = transport.send(&errand.call, clock).await;
        let _ = tell.send(Told::Mailed(Box::new(errand), result));
    }
}
