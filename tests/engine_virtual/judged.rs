//! Every NCTS6 scenario against the real simulator, at HMRC's pace, in virtual
//! time: the simulator's clock stands still between calls, and a call takes no
//! time but what it is said to take. What is counted here is therefore what
//! HMRC would be asked, and the same on a busy machine.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use ctc_ready::catalogue::Catalogue;
use ctc_ready::clock::Clock;
use ctc_ready::engine::batch::{Job, Options};
use ctc_ready::engine::{Batch, Outcome};
use ctc_ready::evidence::{Event, Purpose, Store, StoreWriter, verify};
use ctc_ready::hmrc::oauth::Application;
use ctc_ready::hmrc::transport::{Answer, Call, Carried, Carrier};
use ctc_ready::payload::{Payloads, Sources};
use ctc_ready::project::Environment;
use ctc_ready::simulator::{self, SimulatorOptions};

use crate::assert_passed;
use crate::fake::{Bench, Silent, VirtualClock};

/// The engine's clock as the simulator's thread sees it: as of the last call.
struct Told {
    start: DateTime<Utc>,
    ms: AtomicI64,
}

impl Clock for Told {
    fn now(&self) -> DateTime<Utc> {
        self.start + Duration::milliseconds(self.ms.load(Ordering::SeqCst))
    }

    fn mono_ns(&self) -> u64 {
        self.ms.load(Ordering::SeqCst) as u64 * 1_000_000
    }
}

/// Takes calls to a simulator in a thread of its own, while everything else
/// stands still.
struct Judge {
    host: String,
    told: Arc<Told>,
    clock: Arc<VirtualClock>,
    /// Dropped, it ends the simulator.
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Judge {
    fn start(clock: Arc<VirtualClock>, options: SimulatorOptions) -> Self {
        let told = Arc::new(Told { start: clock.now(), ms: AtomicI64::new(0) });
        let (ready, address) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let of_simulator: Arc<dyn Clock> = told.clone();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let any_port = ([127, 0, 0, 1], 0).into();
                let running = simulator::start(options, of_simulator, any_port).await.unwrap();
                ready.send(running.base_url.clone()).unwrap();
                let _ = stopped.await;
            });
        });
        let base_url: String = address.recv().unwrap();
        let host = base_url.strip_prefix("http://").unwrap().to_owned();
        Self { host, told, clock, _stop: stop }
    }

    fn call(&self, call: &Call) -> Answer {
        let now = self.clock.now();
        self.told.ms.store((now - self.told.start).num_milliseconds(), Ordering::SeqCst);
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let path = call.url.split_once(&self.host).unwrap().1;
        // Version 1.0 has neither chunks nor connections that stay.
        let mut head =
            format!("{} {path} HTTP/1.0\r\nhost: {}\r\n", call.method.as_str(), self.host);
        for (name, value) in &call.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = call.body.clone().unwrap_or_default();
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(&[head.as_bytes(), &body[..]].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Answer {
            status,
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: answer[end + 4..].to_vec(),
            server_date: Some(now),
            elapsed_ns: 1,
        }
    }
}

impl Carrier for Judge {
    fn carry<'a>(&'a self, call: &'a Call, _: &'a dyn Clock) -> Carried<'a> {
        Box::pin(async move {
            let answer = self.call(call);
            tokio::time::sleep(StdDuration::from_millis(200)).await;
            Ok(answer)
        })
    }
}

/// What all scenarios of a programme cost.
struct Cost {
    outcome: Outcome,
    /// By purpose; what served several runs is not in it.
    by_purpose: BTreeMap<String, usize>,
    messages: usize,
    took: Duration,
    notes: Vec<String>,
}

impl Cost {
    fn of(&self, purpose: Purpose) -> usize {
        self.by_purpose.get(&format!("{purpose:?}")).copied().unwrap_or_default()
    }

    /// One POST for each message and mail, one fetch for each message.
    fn least(&self) -> usize {
        self.of(Purpose::Submit) + self.of(Purpose::Mail) + self.messages
    }

    fn ratio(&self) -> f64 {
        self.outcome.requests as f64 / self.least() as f64
    }
}

async fn every_scenario(programme: &str, pull: bool) -> Cost {
    let clock = Arc::new(VirtualClock::new());
    let client = SimulatorOptions::default().applications.remove(0);
    let options = SimulatorOptions {
        own_application: Some(client.client_id.clone()),
        ..SimulatorOptions::default()
    };
    let judge = Judge::start(Arc::clone(&clock), options);
    let catalogue = Catalogue::built_in().unwrap();
    let payloads = Payloads::new(Sources::default(), &catalogue).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let evidence = dir.path().join("evidence");
    let of_store: Arc<dyn Clock> = clock.clone();
    let mut store = StoreWriter::open(&evidence, Arc::clone(&of_store), "ctc-ready 0").unwrap();
    let jobs: Vec<Job> = catalogue
        .scenarios(programme)
        .iter()
        .map(|scenario| Job {
            programme: catalogue.programme(programme).unwrap().clone(),
            scenario: scenario.clone(),
            resume: None,
        })
        .collect();
    let options = Options {
        environment: Environment::Simulator,
        base_url: format!("http://{}", judge.host).parse().unwrap(),
        ..Bench::options(true)
    };
    let started = clock.true_now();
    let mut watcher = Silent::default();
    let batch =
        Batch::over(Arc::new(judge), &mut store, &payloads, of_store, &mut watcher, options);
    let batch = match pull {
        true => batch.pulling(Application {
            client_id: client.client_id,
            client_secret: client.client_secret.into(),
        }),
        false => batch,
    };
    let outcome = batch.run(jobs).await.unwrap();
    let took = clock.true_now() - started;
    drop(store);
    assert_eq!(verify(&evidence).unwrap().problems, []);
    let store = Store::open(&evidence).unwrap();
    let (mut by_purpose, mut messages) = (BTreeMap::new(), 0);
    for run in &outcome.runs {
        for line in store.events(run.run).unwrap() {
            match line.event {
                Event::Request(request) if request.sent_at.is_none() => {
                    *by_purpose.entry(format!("{:?}", request.purpose)).or_default() += 1;
                }
                Event::Received(_) => messages += 1,
                _ => {}
            }
        }
    }
    Cost { outcome, by_purpose, messages, took, notes: watcher.notes }
}

#[tokio::test(start_paused = true)]
async fn every_ncts6_scenario_costs_little_more_than_its_messages() {
    let mut costs = Vec::new();
    for pull in [false, true] {
        let cost = every_scenario("ncts6", pull).await;
        assert_passed(&cost.outcome);
        eprintln!(
            "ncts6, {} scenarios, pull {pull}: {} requests, least {} ({:.2}), {:.1} a scenario, \
             in {} minutes; {:?}",
            cost.outcome.runs.len(),
            cost.outcome.requests,
            cost.least(),
            cost.ratio(),
            cost.outcome.requests as f64 / cost.outcome.runs.len() as f64,
            cost.took.num_minutes(),
            cost.by_purpose,
        );
        costs.push(cost);
    }
    let [lists, pulls] = &costs[..] else { panic!() };
    assert!(pulls.outcome.requests < lists.outcome.requests);
    // The promise: within a quarter of the least there can be.
    assert!(pulls.ratio() <= 1.25, "{:.2}: {:?}", pulls.ratio(), pulls.notes);
    assert_eq!(pulls.of(Purpose::ListMessages), 0);
    assert_eq!(pulls.of(Purpose::GetMessage), pulls.messages);
}
