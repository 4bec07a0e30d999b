//! One life of a client: a process, or what would be one, that goes on with a
//! batch from wherever the last one was when it died.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ctc_ready::catalogue::Catalogue;
use ctc_ready::clock::Clock;
use ctc_ready::engine::batch::{Job, Options};
use ctc_ready::engine::mail::Mail;
use ctc_ready::engine::tempo::Tempo;
use ctc_ready::engine::{Batch, BatchError, Outcome, RunView, Watcher};
use ctc_ready::evidence::{RunState, SoftwareId, StoreWriter};
use ctc_ready::hmrc::transport::Carrier;
use ctc_ready::payload::{Payloads, Sources};
use ctc_ready::project::Environment;
use serde::{Deserialize, Serialize};

use super::world::ClientClock;

pub const TOOL: &str = "ctc-ready 0";

/// What a life is to do, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Life {
    /// Holds the evidence and the time.
    pub dir: PathBuf,
    pub base_url: String,
    /// Programmes and scenarios.
    pub jobs: Vec<(String, String)>,
    /// HMRC's packs.
    pub packs: Vec<PathBuf>,
    /// Whether it dies at every event, or at those alone after which another
    /// life finds something else.
    pub thorough: bool,
}

impl Life {
    pub fn new(dir: &Path, base_url: &str, jobs: &[(&str, &str)]) -> Self {
        let owned = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
        Self {
            dir: dir.to_owned(),
            base_url: base_url.to_owned(),
            jobs: jobs.iter().map(owned).collect(),
            packs: Vec::new(),
            thorough: false,
        }
    }

    pub fn evidence(&self) -> PathBuf {
        self.dir.join("evidence")
    }

    pub fn time(&self) -> PathBuf {
        self.dir.join("time")
    }

    /// As much of the catalogue as it needs: a life must begin fast.
    fn catalogue(&self) -> Catalogue {
        let needed = |path: &str| {
            let folder = path.split('/').next().unwrap_or_default();
            // The programmes of NCTS5 share their scenarios.
            let family = |name: &str| name.split('-').next() == folder.split('-').next();
            let of = |(programme, _): &(String, String)| family(programme);
            folder == "shared" || self.jobs.iter().any(of)
        };
        Catalogue::load(Catalogue::embedded().filter(|(path, _)| needed(path))).unwrap()
    }

    /// Lives until every run is over. The store is given the clock that
    /// `store_clock` makes of the client's.
    pub fn live(
        &self,
        carrier: Arc<dyn Carrier>,
        store_clock: impl FnOnce(Arc<ClientClock>) -> Arc<dyn Clock>,
    ) -> Result<(Outcome, Notes), BatchError> {
        let catalogue = self.catalogue();
        let sources = Sources { packs: self.packs.clone(), ..Sources::default() };
        let payloads = Payloads::new(sources, &catalogue).unwrap();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let clock = Arc::new(ClientClock::go_on(&self.time()));
            let kept = store_clock(Arc::clone(&clock));
            let mut store = StoreWriter::open(&self.evidence(), kept, TOOL)?;
            let runs = store.read()?.runs()?;
            let job = |(programme, scenario): &(String, String)| {
                let mut attempts = runs.iter();
                let run =
                    attempts.rfind(|run| run.programme == *programme && run.scenario == *scenario);
                let open = run.is_none_or(|run| run.state == RunState::Waiting);
                open.then(|| Job {
                    programme: catalogue.programme(programme).unwrap().clone(),
                    scenario: catalogue.scenario(programme, scenario).unwrap().clone(),
                    resume: run.map(|run| run.run),
                })
            };
            let jobs = self.jobs.iter().filter_map(job).collect();
            let mut notes = Notes::default();
            let options = options(&self.base_url, Tempo::REAL);
            let batch = Batch::over(carrier, &mut store, &payloads, clock, &mut notes, options);
            let outcome = batch.run(jobs).await?;
            Ok((outcome, notes))
        })
    }
}

/// How these batches are run.
pub fn options(base_url: &str, tempo: Tempo) -> Options {
    Options {
        environment: Environment::Simulator,
        base_url: base_url.parse().unwrap(),
        token: "test-token-1".to_owned().into(),
        tempo,
        // What a life looks after must not take long: deadlines go on.
        requests_per_second: 100.0,
        software: SoftwareId { name: "S".into(), version: "1".into(), build: None },
        operator: None,
        message_sender: None,
        contact: None,
        tool: TOOL.to_owned(),
        wait: true,
    }
}

/// A watcher that keeps what is worth telling.
#[derive(Debug, Default)]
pub struct Notes(pub Vec<String>);

impl Watcher for Notes {
    fn moved(&mut self, _: &RunView) {}

    fn requested(&mut self, _: u64) {}

    fn mail_to_send(&mut self, _: &RunView, _: &Mail) {}

    fn note(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
}
