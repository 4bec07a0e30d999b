//! The simulator without sockets, in virtual time: calls go to it directly.

use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::{DateTime, Duration, Utc};
use ctc_ready::catalogue::{Catalogue, Programme};
use ctc_ready::clock::Clock;
use ctc_ready::engine::batch::{Job, Options};
use ctc_ready::engine::{Batch, Outcome};
use ctc_ready::evidence::StoreWriter;
use ctc_ready::hmrc::oauth::Application;
use ctc_ready::hmrc::transport::{Answer, Call, Carried, Carrier, Method};
use ctc_ready::payload::{Payloads, Sources};
use ctc_ready::project::Environment;
use ctc_ready::simulator::{Simulator, SimulatorOptions};

use crate::fake::{Bench, Silent, VirtualClock};

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

/// The way to a simulator in this process.
struct Inside {
    simulator: Arc<Simulator>,
    calls: Mutex<Calls>,
}

impl Carrier for Inside {
    fn carry<'a>(&'a self, call: &'a Call, clock: &'a dyn Clock) -> Carried<'a> {
        self.calls.lock().unwrap().count(call);
        Box::pin(async move {
            let started = clock.mono_ns();
            tokio::time::sleep(WAY).await;
            let mut request = Request::builder().method(call.method.as_str()).uri(&call.url);
            for (name, value) in &call.headers {
                request = request.header(name, value);
            }
            let body = Body::from(call.body.clone().unwrap_or_default());
            let response = self.simulator.answer(request.body(body).unwrap()).await;
            tokio::time::sleep(WAY).await;
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
    let carrier = Arc::new(Inside { simulator: Arc::new(simulator), calls: Mutex::default() });
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
