//! Running scenarios: against the simulator over a real socket, with answers
//! that get lost, tokens that are refused, and servers that are not there.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ctc_ready::catalogue::{Catalogue, RequirementKind};
use ctc_ready::clock::{Clock, SystemClock};
use ctc_ready::engine::batch::{Job, Options};
use ctc_ready::engine::mail::Mail;
use ctc_ready::engine::tempo::Tempo;
use ctc_ready::engine::{Batch, BatchError, Outcome, RunView, Watcher};
use ctc_ready::evidence::{Event, Purpose, RunState, SoftwareId, StoreWriter, verify};
use ctc_ready::payload::{Payloads, Sources};
use ctc_ready::project::Environment;
use ctc_ready::simulator::{self, SimulatorOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Forty-five minutes in four and a half seconds: the machine may be busy.
const SCALE: f64 = 600.0;

#[derive(Default)]
struct Silent {
    mails: Vec<Mail>,
    notes: Vec<String>,
}

impl Watcher for Silent {
    fn moved(&mut self, _: &RunView) {}

    fn mail_to_send(&mut self, _: &RunView, mail: &Mail) {
        self.mails.push(mail.clone());
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

struct World {
    catalogue: Catalogue,
    dir: tempfile::TempDir,
    clock: Arc<dyn Clock>,
    watcher: Silent,
}

impl World {
    fn new() -> Self {
        Self {
            catalogue: Catalogue::built_in().unwrap(),
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(SystemClock::new()),
            watcher: Silent::default(),
        }
    }

    fn evidence(&self) -> PathBuf {
        self.dir.path().join("evidence")
    }

    fn job(&self, programme: &str, scenario: &str) -> Job {
        Job {
            programme: self.catalogue.programme(programme).unwrap().clone(),
            scenario: self.catalogue.scenario(programme, scenario).unwrap().clone(),
            resume: None,
        }
    }

    async fn simulator(&self) -> simulator::Running {
        let options = SimulatorOptions {
            time_scale: SCALE,
            requests_per_second: Some(4_000),
            ..SimulatorOptions::default()
        };
        simulator::start(options, Arc::clone(&self.clock), ([127, 0, 0, 1], 0).into())
            .await
            .unwrap()
    }

    fn options(base_url: &str) -> Options {
        Options {
            environment: Environment::Simulator,
            base_url: base_url.parse().unwrap(),
            token: "test-token-1".to_owned().into(),
            tempo: Tempo::faster_by(SCALE),
            requests_per_second: 3.0,
            software: SoftwareId { name: "S".into(), version: "1".into(), build: None },
            operator: None,
            message_sender: None,
            contact: None,
            tool: "ctc-ready 0".into(),
            wait: true,
        }
    }

    async fn run(
        &mut self,
        jobs: Vec<Job>,
        packs: Vec<PathBuf>,
        options: Options,
    ) -> Result<Outcome, BatchError> {
        let payloads =
            Payloads::new(Sources { packs, ..Sources::default() }, &self.catalogue).unwrap();
        let mut store =
            StoreWriter::open(&self.evidence(), Arc::clone(&self.clock), "ctc-ready 0").unwrap();
        let batch =
            Batch::new(&mut store, &payloads, Arc::clone(&self.clock), &mut self.watcher, options)
                .unwrap();
        batch.run(jobs).await
    }
}

fn assert_all_passed(outcome: &Outcome) {
    for run in &outcome.runs {
        assert_eq!(run.state, RunState::Passed, "{}: {:?}", run.scenario, run.failure);
        assert!(run.mrn.is_some(), "{}", run.scenario);
    }
    assert_eq!(outcome.stalled, []);
}

async fn submissions(base_url: &str) -> Vec<serde_json::Value> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let text =
        reqwest::get(format!("{base_url}/simulator/log")).await.unwrap().text().await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["submissions"].as_array().unwrap_or_else(|| panic!("{text}")).clone()
}

#[tokio::test]
async fn every_mandatory_scenario_passes_with_the_built_in_messages() {
    let mut world = World::new();
    let simulator = world.simulator().await;
    let jobs: Vec<Job> = world
        .catalogue
        .programmes()
        .iter()
        .flat_map(|programme| {
            let mandatory = programme.requirement.iter();
            let mandatory = mandatory.filter(|slot| slot.kind == RequirementKind::Mandatory);
            let ids: BTreeSet<&String> = mandatory
                .flat_map(|slot| [&slot.any_of.any, &slot.any_of.normal, &slot.any_of.simplified])
                .flatten()
                .collect();
            ids.into_iter().map(|id| Job {
                programme: programme.clone(),
                scenario: world.catalogue.scenario(&programme.id, id).unwrap().clone(),
                resume: None,
            })
        })
        .collect();
    assert_eq!(jobs.len(), 12 + 12 + 2);
    let posts: usize =
        jobs.iter().flat_map(|job| &job.scenario.step).filter(|step| step.send.is_some()).count();
    let options = World::options(&simulator.base_url);
    let outcome = world.run(jobs, vec![], options).await.unwrap();
    assert_all_passed(&outcome);
    let report = verify(&world.evidence()).unwrap();
    assert_eq!(report.problems, []);
    // One POST for each message of the scenarios, and not one more.
    let taken = submissions(&simulator.base_url).await;
    assert_eq!(taken.len(), posts);
}

/// HMRC's packs, where the reference folder is there.
#[tokio::test]
async fn the_named_scenarios_pass_with_hmrcs_packs() {
    let Some(reference) = reference::folder() else { return };
    let packs = reference.join("test-packs");
    let named = |name: &str| packs.join(name);
    let mut world = World::new();
    let simulator = world.simulator().await;
    let jobs = [
        ("ncts5-final", "PSGB1"),
        ("ncts5-final", "DNGB1"),
        ("ncts5-final", "ASGB1"),
        ("ncts6", "P6-DSGB-01"),
    ]
    .map(|(programme, scenario)| world.job(programme, scenario))
    .to_vec();
    let files = vec![
        named("NCTS5_Trader_Test_XML_Examples_v8.zip"),
        named("NCTS5_Trader_Test_XML_Examples_v7.zip"),
        named("P6_Example_XML_Payloads_14_04_26.zip"),
    ];
    let options = World::options(&simulator.base_url);
    let outcome = world.run(jobs, files, options).await.unwrap();
    assert_all_passed(&outcome);
    // They were HMRC's messages indeed.
    let store = ctc_ready::evidence::Store::open(&world.evidence()).unwrap();
    for run in &outcome.runs {
        for recorded in store.events(run.run).unwrap() {
            if let Event::Request(request) = recorded.event
                && request.purpose == Purpose::Submit
            {
                let origin = request.payload_origin.unwrap();
                assert!(origin.contains(".zip"), "{}: {origin}", run.scenario);
            }
        }
    }
}

/// A server between us and the simulator that loses answers: the request has
/// its effect, the connection breaks before the answer.
async fn lossy(
    upstream: SocketAddr,
    lose: impl Fn(usize, &str) -> bool + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let lose = Arc::new(lose);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (count, lose) = (Arc::clone(&count), Arc::clone(&lose));
            tokio::spawn(async move {
                let Some(request) = read_request(&mut client).await else { return };
                let number = count.fetch_add(1, Ordering::SeqCst);
                let head = request.lines().next().unwrap().to_owned();
                // One request per connection keeps this simple.
                let request = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                let mut server = TcpStream::connect(upstream).await.unwrap();
                server.write_all(request.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                server.read_to_end(&mut answer).await.unwrap();
                if !lose(number, &head) {
                    client.write_all(&answer).await.unwrap();
                    client.shutdown().await.unwrap();
                }
            });
        }
    });
    format!("http://{address}")
}

async fn read_request(client: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
                })
                .next()
                .unwrap_or(0usize);
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        let count = client.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_nothing_is_sent_twice() {
    let mut world = World::new();
    let simulator = world.simulator().await;
    // The first answer to every POST path is lost, and the first of each list.
    let seen: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let base_url = lossy(simulator.addr, move |_, head| {
        let path = head.split(['?', ' ']).nth(1).unwrap_or_default().to_owned();
        if path.starts_with("/simulator") {
            return false;
        }
        let mut seen = seen.lock().unwrap();
        let times = seen.entry(format!("{} {path}", &head[..4])).or_default();
        *times += 1;
        *times == 1
    })
    .await;
    let jobs = vec![world.job("ncts5-final", "ASGB1")];
    let outcome = world.run(jobs, vec![], World::options(&base_url)).await.unwrap();
    assert_all_passed(&outcome);
    assert_eq!(verify(&world.evidence()).unwrap().problems, []);
    let taken = submissions(&simulator.base_url).await;
    assert_eq!(taken.len(), 3, "IE015, IE007 and IE044 once each: {taken:?}");
    let store = ctc_ready::evidence::Store::open(&world.evidence()).unwrap();
    let found = store
        .events(outcome.runs[0].run)
        .unwrap()
        .iter()
        .filter(|recorded| matches!(&recorded.event, Event::LookedUp(looked) if looked.found))
        .count();
    assert_eq!(found, 3);
}

#[tokio::test]
async fn a_request_that_never_arrived_is_sent_again_with_the_same_lrn() {
    let mut world = World::new();
    let simulator = world.simulator().await;
    // Breaks the first connection before anything is passed on.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let upstream = simulator.addr;
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        read_request(&mut first).await.unwrap();
        drop(first);
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(upstream).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    let jobs = vec![world.job("ncts6", "P6-DSGB-01")];
    let outcome = world.run(jobs, vec![], World::options(&base_url)).await.unwrap();
    assert_all_passed(&outcome);
    let taken = submissions(&simulator.base_url).await;
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(taken[0]["lrn"].as_str(), outcome.runs[0].lrn.as_deref());
}

#[tokio::test]
async fn a_refused_token_stops_the_batch_and_loses_nothing() {
    for (token, expected) in
        [("invalid-token", "INVALID_CREDENTIALS"), ("not-subscribed", "RESOURCE_FORBIDDEN")]
    {
        let mut world = World::new();
        let simulator = world.simulator().await;
        let mut options = World::options(&simulator.base_url);
        options.token = token.to_owned().into();
        let jobs = vec![world.job("ncts6", "P6-DSGB-01")];
        let error = world.run(jobs.clone(), vec![], options).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains(token), "{error}");
        assert_eq!(verify(&world.evidence()).unwrap().problems, []);
        // With a good token the same run goes on.
        let store = ctc_ready::evidence::Store::open(&world.evidence()).unwrap();
        let open = store.runs().unwrap();
        assert_eq!((open.len(), open[0].state), (1, RunState::Waiting));
        let job = Job { resume: Some(open[0].run), ..jobs[0].clone() };
        let options = World::options(&simulator.base_url);
        let outcome = world.run(vec![job], vec![], options).await.unwrap();
        assert_all_passed(&outcome);
        assert_eq!(outcome.runs[0].run, open[0].run);
        assert_eq!(outcome.runs[0].attempt, 1);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_at_once() {
    let mut world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let jobs = vec![world.job("ncts6", "P6-DSGB-01")];
    let outcome = world.run(jobs, vec![], World::options(&base_url)).await.unwrap();
    assert_eq!(outcome.stalled.len(), 1);
    assert!(outcome.stalled[0].1.contains("no connection"), "{:?}", outcome.stalled);
    assert_eq!(outcome.runs[0].state, RunState::Waiting);
}

#[tokio::test]
async fn a_rejection_ends_the_run_with_pointer_code_and_value() {
    let mut world = World::new();
    let options = SimulatorOptions {
        time_scale: SCALE,
        requests_per_second: None,
        // No guarantee is known: IE055 comes instead of the release.
        known_guarantees: std::collections::BTreeSet::new(),
        ..SimulatorOptions::default()
    };
    let simulator = simulator::start(options, Arc::clone(&world.clock), ([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    let jobs = vec![world.job("ncts6", "P6-DSGB-01"), world.job("ncts6", "P6-DSXI-01")];
    let outcome = world.run(jobs, vec![], World::options(&simulator.base_url)).await.unwrap();
    for run in &outcome.runs {
        assert_eq!(run.state, RunState::Failed);
        let failure = run.failure.as_ref().unwrap();
        assert_eq!(failure.reason, "rejected");
        assert!(failure.message.contains("IE055"), "{}", failure.message);
    }
    assert_eq!(verify(&world.evidence()).unwrap().problems, []);
}

/// A proxy in the environment is for the internet: what runs on this machine
/// is reached without it, and no token passes through it.
#[test]
fn a_proxy_in_the_environment_is_not_asked_for_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut command = assert_cmd::Command::cargo_bin("ctc-ready").unwrap();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"] {
        command.env(name, &proxy);
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("CTC_READY_TOKEN");
    // At the default scale HMRC's 45-minute window for an IE170 lasts a second,
    // which a busy machine may miss.
    command.args(["demo", "--time-scale", "600", "--project"]).arg(folder.path().join("demo"));
    command.assert().success();
}

/// HMRC's documented answers, played back to the letter: what the API says of
/// a message reaches the user, and what we ask has the documented shape.
#[tokio::test]
async fn what_the_api_refuses_is_told_in_its_own_words() {
    use wiremock::matchers::{body_string_contains, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    let server = MockServer::start().await;
    let refusal = serde_json::json!({
        "message": "Request failed schema validation",
        "code": "SCHEMA_VALIDATION",
        "validationErrors": [
            {"lineNumber": 7, "columnNumber": 41, "message": "cvc-pattern-valid: Value 'x'"},
        ],
    });
    Mock::given(method("POST"))
        .and(path("/customs/transits/movements/departures"))
        .and(header("accept", "application/vnd.hmrc.3.0+json"))
        .and(header("content-type", "application/xml"))
        .and(header("authorization", "Bearer test-token-1"))
        .and(body_string_contains("PhaseID=\"NCTS6\""))
        .respond_with(ResponseTemplate::new(400).set_body_json(refusal))
        .expect(1)
        .mount(&server)
        .await;
    let mut world = World::new();
    let jobs = vec![world.job("ncts6", "P6-DSGB-01")];
    let outcome = world.run(jobs, vec![], World::options(&server.uri())).await.unwrap();
    let failure = outcome.runs[0].failure.as_ref().unwrap();
    assert_eq!(
        (outcome.runs[0].state, failure.reason.as_str()),
        (RunState::Failed, "refused-by-api")
    );
    for part in ["HTTP 400", "SCHEMA_VALIDATION", "line 7", "cvc-pattern-valid"] {
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    assert_eq!(verify(&world.evidence()).unwrap().problems, []);
    // Nothing but the one POST was asked of the server.
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}
