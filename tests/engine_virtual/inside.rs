//! The simulator without sockets, in virtual time: calls go to it directly.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::{DateTime, Duration, Utc};
use ctc_ready::catalogue::{Catalogue, Programme};
use ctc_ready::clock::Clock;
use ctc_ready::engine::BatchError;
use ctc_ready::engine::batch::{Job, Options};
use ctc_ready::engine::{Batch, Outcome};
use ctc_ready::evidence::{Recorded, RunId, Store, StoreWriter};
use ctc_ready::hmrc::oauth::Application;
use ctc_ready::hmrc::transport::{Answer, Call, Carried, Carrier, Method, NoAnswer};
use ctc_ready::payload::{Payloads, Sources};
use ctc_ready::project::Environment;
use ctc_ready::simulator::{Simulator, SimulatorOptions};

use crate::fake::{Bench, Silent, TOKEN, VirtualClock, lost};

/// How long a call is on its way, and its answer: the internet's usual.
const WAY: StdDuration = StdDuration::from_millis(80);

/// What calls were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Messages and questions for balances.
    pub(crate) posts: u32,
    /// Polls of all movements.
    pub(crate) polls: u32,
    /// Lists of a movement's messages.
    pub(crate) lists: u32,
    /// Messages.
    pub(crate) fetches: u32,
    /// Looks into boxes of notifications.
    pub(crate) looks: u32,
    /// Acknowledgements of notifications.
    pub(crate) acknowledgements: u32,
    /// Requests for the application's token.
    pub(crate) tokens: u32,
    /// Mails to officers: no requests to HMRC.
    pub(crate) mails: u32,
}

impl Calls {
    /// Requests to HMRC.
    pub(crate) fn requests(self) -> u32 {
        self.posts + self.polls + self.lists + self.fetches + self.notifying()
    }

    /// Those for notifications.
    pub(crate) fn notifying(self) -> u32 {
        self.looks + self.acknowledgements + self.tokens
    }

    fn count(&mut self, call: &Call) {
        let of = match call.method {
            Method::Post if call.url.contains("/simulator/") => &mut self.mails,
            Method::Post if call.url.ends_with("/oauth/token") => &mut self.tokens,
            Method::Post => &mut self.posts,
            Method::Put => &mut self.acknowledgements,
            Method::Get if call.url.contains("/push-pull-notification/") => &mut self.looks,
            Method::Get if call.url.contains("/messages/") => &mut self.fetches,
            Method::Get if call.url.contains("/messages") => &mut self.lists,
            Method::Get => &mut self.polls,
        };
        *of += 1;
    }
}

/// What becomes of a call on its way.
pub(crate) enum Fate {
    /// It arrives, and its answer does.
    Arrives,
    /// It arrives, and its answer is lost.
    Unanswered,
    /// It does not arrive; this answers it.
    Answered(Result<Answer, NoAnswer>),
}

/// Decides on the fate of calls.
pub(crate) type Hook = Box<dyn FnMut(&Call) -> Fate + Send>;

/// The way to a simulator in this process.
struct Inside {
    simulator: Arc<Simulator>,
    calls: Mutex<Calls>,
    hook: Mutex<Hook>,
}

impl Carrier for Inside {
    fn carry<'a>(&'a self, call: &'a Call, clock: &'a dyn Clock) -> Carried<'a> {
        self.calls.lock().unwrap().count(call);
        let fate = (self.hook.lock().unwrap())(call);
        Box::pin(async move {
            let started = clock.mono_ns();
            tokio::time::sleep(WAY).await;
            if let Fate::Answered(answer) = fate {
                return answer;
            }
            let mut request = Request::builder().method(call.method.as_str()).uri(&call.url);
            for (name, value) in &call.headers {
                request = request.header(name, value);
            }
            let body = Body::from(call.body.clone().unwrap_or_default());
            let response = self.simulator.answer(request.body(body).unwrap()).await;
            tokio::time::sleep(WAY).await;
            if matches!(fate, Fate::Unanswered) {
                return Err(lost());
            }
            let (head, body) = response.into_parts();
            let headers: Vec<(String, String)> = head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect();
            let date = head.headers["date"].to_str().unwrap();
            let server_date = DateTime::parse_from_rfc2822(date).unwrap().with_timezone(&Utc);
            Ok(Answer {
                status: head.status.as_u16(),
                headers,
                body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
                server_date: Some(server_date),
                elapsed_ns: clock.mono_ns() - started,
            })
        })
    }
}

/// What a batch took.
pub(crate) struct Took {
    pub(crate) outcome: Outcome,
    pub(crate) calls: Calls,
    /// From the first run's opening to the last one's end, in simulated time.
    pub(crate) makespan: Duration,
    pub(crate) notes: Vec<String>,
    pub(crate) evidence: tempfile::TempDir,
}

/// Runs all scenarios of a programme that `wanted` names, at real timers and
/// HMRC's limit of requests; with `pull`, news comes from a box of
/// notifications.
pub(crate) async fn run(
    catalogue: &Catalogue,
    programme: &Programme,
    wanted: impl Fn(&str) -> bool,
    pull: bool,
) -> Took {
    let clock = Arc::new(VirtualClock::new());
    let evidence = tempfile::tempdir().unwrap();
    let client = SimulatorOptions::default().applications.remove(0);
    let options = SimulatorOptions {
        own_application: pull.then(|| client.client_id.clone()),
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::new(options, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let carrier = Arc::new(Inside {
        simulator: Arc::new(simulator),
        calls: Mutex::default(),
        hook: Mutex::new(Box::new(|_| Fate::Arrives)),
    });
    let clock: Arc<dyn Clock> = clock;
    let payloads = Payloads::new(Sources::default(), catalogue).unwrap();
    let dir = evidence.path().join("evidence");
    let mut store = StoreWriter::open(&dir, Arc::clone(&clock), "ctc-ready 0").unwrap();
    let options = Options { environment: Environment::Simulator, ..Bench::options(true) };
    let mut watcher = Silent::default();
    let scenarios = catalogue.scenarios(&programme.id).iter();
    let jobs = scenarios
        .filter(|scenario| wanted(&scenario.id))
        .map(|scenario| Job {
            programme: programme.clone(),
            scenario: scenario.clone(),
            resume: None,
        })
        .collect();
    let (carried, began) = (Arc::clone(&carrier), clock.now());
    let batch =
        Batch::over(carried, &mut store, &payloads, Arc::clone(&clock), &mut watcher, options);
    let batch = match pull {
        true => batch.pulling(Application {
            client_id: client.client_id,
            client_secret: client.client_secret.into(),
        }),
        false => batch,
    };
    let outcome = batch.run(jobs).await.unwrap();
    let makespan = clock.now() - began;
    let calls = *carrier.calls.lock().unwrap();
    Took { outcome, calls, makespan, notes: watcher.notes, evidence }
}

/// A store and a simulator that outlives the batches that use it.
pub(crate) struct Bay {
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) catalogue: Catalogue,
    pub(crate) watcher: Silent,
    /// Where runs go, as far as they know.
    pub(crate) environment: Environment,
    /// The house's own messages.
    pub(crate) folder: Option<PathBuf>,
    /// Whether news is pulled from the box.
    pub(crate) pull: bool,
    inside: Arc<Inside>,
}

impl Bay {
    pub(crate) fn new(environment: Environment, options: SimulatorOptions) -> Self {
        let clock = Arc::new(VirtualClock::new());
        let client = SimulatorOptions::default().applications.remove(0).client_id;
        let options = SimulatorOptions { own_application: Some(client), ..options };
        let simulator = Simulator::new(options, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let inside = Inside {
            simulator: Arc::new(simulator),
            calls: Mutex::default(),
            hook: Mutex::new(Box::new(|_| Fate::Arrives)),
        };
        Self {
            clock,
            dir: tempfile::tempdir().unwrap(),
            catalogue: Catalogue::built_in().unwrap(),
            watcher: Silent::default(),
            environment,
            folder: None,
            pull: false,
            inside: Arc::new(inside),
        }
    }

    pub(crate) fn job(&self, programme: &str, scenario: &str) -> Job {
        Job {
            programme: self.catalogue.programme(programme).unwrap().clone(),
            scenario: self.catalogue.scenario(programme, scenario).unwrap().clone(),
            resume: None,
        }
    }

    /// Every scenario of a programme.
    pub(crate) fn jobs(&self, programme: &str) -> Vec<Job> {
        let scenarios = self.catalogue.scenarios(programme).iter();
        scenarios.map(|scenario| self.job(programme, &scenario.id)).collect()
    }

    /// What happens to calls from now on.
    pub(crate) fn hook(&self, hook: impl FnMut(&Call) -> Fate + Send + 'static) {
        self.inside.hook.clear_poison();
        *self.inside.hook.lock().unwrap() = Box::new(hook);
    }

    pub(crate) async fn run(&mut self, jobs: Vec<Job>) -> Result<Outcome, BatchError> {
        let sources = Sources { folder: self.folder.clone(), ..Sources::default() };
        let payloads = Payloads::new(sources, &self.catalogue).unwrap();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let mut store =
            StoreWriter::open(&self.evidence(), Arc::clone(&clock), "ctc-ready 0").unwrap();
        let options = Options {
            environment: self.environment,
            base_url: "http://127.0.0.1:9".parse().unwrap(),
            ..Bench::options(true)
        };
        let inside = self.inside.clone();
        let batch = Batch::over(inside, &mut store, &payloads, clock, &mut self.watcher, options);
        let client = SimulatorOptions::default().applications.remove(0);
        let batch = match self.pull {
            true => batch.pulling(Application {
                client_id: client.client_id,
                client_secret: client.client_secret.into(),
            }),
            false => batch,
        };
        batch.run(jobs).await
    }

    /// Runs a job until it is killed after `life`, then once more to the end.
    pub(crate) async fn run_killed(&mut self, job: Job, life: StdDuration) -> Outcome {
        let first = tokio::time::timeout(life, self.run(vec![job.clone()])).await;
        match first {
            Ok(outcome) => outcome.unwrap(),
            Err(_) => {
                let resume = self.store().indexed().next().map(|(run, _)| run);
                self.run(vec![Job { resume, ..job }]).await.unwrap()
            }
        }
    }

    /// What the API says to the trader at this address.
    pub(crate) async fn get(&self, path: &str) -> serde_json::Value {
        let request = Request::builder()
            .uri(format!("http://127.0.0.1:9{path}"))
            .header("accept", "application/vnd.hmrc.2.1+json")
            .header("authorization", format!("Bearer {TOKEN}"));
        let response = self.inside.simulator.answer(request.body(Body::empty()).unwrap()).await;
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    pub(crate) fn evidence(&self) -> PathBuf {
        self.dir.path().join("evidence")
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.evidence()).unwrap()
    }

    pub(crate) fn events(&self, run: RunId) -> Vec<Recorded> {
        self.store().events(run).unwrap()
    }
}
