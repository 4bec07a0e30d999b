//! An API without sockets and a clock without real time: 45 minutes pass in no
//! time at all, and the same in every run.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use ctc_ready::catalogue::Catalogue;
use ctc_ready::clock::Clock;
use ctc_ready::engine::batch::{Driving, Job, Options};
use ctc_ready::engine::mail::Mail;
use ctc_ready::engine::tempo::Tempo;
use ctc_ready::engine::{Batch, BatchError, Outcome, RunView, Watcher};
use ctc_ready::evidence::{Event, Recorded, RunId, SoftwareId, Store, StoreWriter};
use ctc_ready::hmrc::tokens::Tokens;
use ctc_ready::hmrc::transport::{Answer, Call, Carried, Carrier, Method, NoAnswer};
use ctc_ready::payload::{Payloads, Sources};
use ctc_ready::project::Environment;
use url::Url;

use crate::boxes::{BOX, Notifications, application};

pub(crate) const TOKEN: &str = "canary-7f3a9c51e2";

/// Tokio's paused clock as wall clock, which a test may set.
pub(crate) struct VirtualClock {
    origin: tokio::time::Instant,
    base: Mutex<DateTime<Utc>>,
    true_base: DateTime<Utc>,
    asked: AtomicUsize,
}

impl VirtualClock {
    pub(crate) fn new() -> Self {
        // A Monday: Trader Test is open, and its officers are there.
        Self::at("2026-11-23T09:30:00Z".parse().unwrap())
    }

    fn at(base: DateTime<Utc>) -> Self {
        Self {
            origin: tokio::time::Instant::now(),
            base: Mutex::new(base),
            true_base: base,
            asked: AtomicUsize::new(0),
        }
    }

    /// Sets the wall clock forward or back.
    pub(crate) fn set(&self, by: Duration) {
        *self.base.lock().unwrap() += by;
    }

    /// The time that nobody sets: the server's.
    pub(crate) fn true_now(&self) -> DateTime<Utc> {
        self.true_base + Duration::from_std(self.origin.elapsed()).unwrap()
    }

    /// How often the time was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        *self.base.lock().unwrap() + Duration::from_std(self.origin.elapsed()).unwrap()
    }

    fn mono_ns(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }
}

/// A message of a movement, visible from `at` on.
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) status: &'static str,
    pub(crate) body: String,
}

pub(crate) struct Movement {
    pub(crate) id: String,
    pub(crate) plural: &'static str,
    pub(crate) lrn: Option<String>,
    pub(crate) mrn: Option<String>,
    pub(crate) visible_from: DateTime<Utc>,
    pub(crate) messages: Vec<Message>,
}

impl Movement {
    fn updated(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let visible = self.messages.iter().map(|message| message.at).filter(|at| *at <= now);
        visible.max().unwrap_or(self.visible_from).max(self.visible_from)
    }
}

/// What NCTS answers to a message, and after how long.
pub(crate) type Replies = Vec<(&'static str, Duration)>;

pub(crate) type Hook = Box<dyn FnMut(&Call, &mut World) -> Option<Result<Answer, NoAnswer>> + Send>;

/// Everything behind the API.
pub(crate) struct World {
    pub(crate) movements: Vec<Movement>,
    pub(crate) calls: Vec<(DateTime<Utc>, String)>,
    pub(crate) posts: Vec<String>,
    /// What every further message brings, by its root's digits.
    pub(crate) replies: Box<dyn Fn(&str) -> Replies + Send>,
    /// The server's clock less ours.
    pub(crate) server_ahead: Duration,
    /// The service of notifications, where there is one.
    pub(crate) notifications: Option<Notifications>,
    next_id: u64,
}

impl World {
    pub(crate) fn id(&mut self) -> String {
        self.next_id += 1;
        format!("{:016x}", self.next_id)
    }

    /// Adds a message to a movement.
    pub(crate) fn bring(&mut self, movement: usize, kind: &str, at: DateTime<Utc>) {
        let id = self.id();
        let movement = &mut self.movements[movement];
        let body = xml(kind, movement.lrn.as_deref(), "26GB000246AL65TIJ5");
        let (kind, status) = (kind.to_owned(), "Received");
        movement.messages.push(Message { id, kind, at, status, body });
    }
}

pub(crate) fn xml(kind: &str, lrn: Option<&str>, mrn: &str) -> String {
    let root = kind.replace("IE", "CC") + "C";
    format!(
        "<n:{root} xmlns:n=\"http://ncts.dgtaxud.ec\"><TransitOperation><LRN>{}</LRN>\
         <MRN>{mrn}</MRN></TransitOperation></n:{root}>",
        lrn.unwrap_or_default()
    )
}

/// How long a call takes to arrive, and its answer to come back.
type Latency = dyn Fn(&Call) -> (StdDuration, StdDuration) + Send + Sync;

pub(crate) struct Fake {
    pub(crate) world: Mutex<World>,
    clock: Arc<VirtualClock>,
    /// Before a call has its effect: another answer, or a sabotage.
    hook: Mutex<Hook>,
    /// How long each call takes before it has its effect, and after.
    latency: Box<Latency>,
}

impl Carrier for Fake {
    fn carry<'a>(&'a self, call: &'a Call, _: &'a dyn Clock) -> Carried<'a> {
        Box::pin(async move {
            let (before, after) = (self.latency)(call);
            tokio::time::sleep(before).await;
            let result = self.effect(call);
            tokio::time::sleep(after).await;
            result
        })
    }
}

impl Fake {
    fn effect(&self, call: &Call) -> Result<Answer, NoAnswer> {
        let mut world = self.world.lock().unwrap();
        // The server's clock from here on.
        let at = self.clock.true_now();
        let now = at + world.server_ahead;
        world.calls.push((at, format!("{} {}", call.method.as_str(), call.url)));
        let other = (self.hook.lock().unwrap())(call, &mut world);
        if let Some(other) = other {
            return other;
        }
        Ok(world.answer(call, now))
    }
}

pub(crate) fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.as_bytes().to_vec(),
        server_date: None,
        elapsed_ns: 1,
    }
}

pub(crate) fn lost() -> NoAnswer {
    NoAnswer { failure: "timeout", detail: "no answer".into(), may_have_arrived: true }
}

pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn inner(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

impl World {
    pub(crate) fn answer(&mut self, call: &Call, now: DateTime<Utc>) -> Answer {
        if let Some(mut answer) = self.notified(call, now) {
            answer.server_date = Some(now);
            return answer;
        }
        let url = Url::parse(&call.url).unwrap();
        let parts: Vec<&str> = url.path_segments().unwrap().skip(3).collect();
        let mut answer = match (call.method, parts.as_slice()) {
            (Method::Post, [plural]) => {
                let plural = if *plural == "departures" { "departures" } else { "arrivals" };
                let text = String::from_utf8(call.body.clone().unwrap()).unwrap();
                let movement = Movement {
                    id: self.id(),
                    plural,
                    lrn: inner(&text, "LRN"),
                    mrn: inner(&text, "MRN"),
                    visible_from: now,
                    messages: vec![],
                };
                self.movements.push(movement);
                self.take(self.movements.len() - 1, text, now)
            }
            (Method::Post, [_, id, "messages"]) => {
                let text = String::from_utf8(call.body.clone().unwrap()).unwrap();
                let index = self.movements.iter().position(|m| m.id == *id).unwrap();
                self.take(index, text, now)
            }
            (Method::Get, [plural]) => self.list(plural, &url, now),
            (Method::Get, [_, id, "messages"]) => {
                let movement = self.movements.iter().find(|m| m.id == *id).unwrap();
                let mut messages: Vec<&Message> =
                    movement.messages.iter().filter(|message| message.at <= now).collect();
                messages.sort_by_key(|message| std::cmp::Reverse(message.at));
                let list: Vec<_> = messages
                    .iter()
                    .map(|m| {
                        serde_json::json!({"id": m.id, "received": time(m.at), "type": m.kind,
                            "status": m.status})
                    })
                    .collect();
                let json = serde_json::json!({"totalCount": list.len(), "messages": list});
                self::answer(200, &json.to_string())
            }
            (Method::Get, [_, id, "messages", message, as_what @ ..]) => {
                let movement = self.movements.iter().find(|m| m.id == *id).unwrap();
                let message = movement.messages.iter().find(|m| m.id == *message).unwrap();
                match as_what {
                    ["body"] => self::answer(200, &message.body),
                    _ => {
                        let json = serde_json::json!({"id": message.id, "type": message.kind,
                            "received": time(message.at), "status": message.status,
                            "body": message.body});
                        self::answer(200, &json.to_string())
                    }
                }
            }
            other => panic!("{other:?}"),
        };
        answer.server_date = Some(now);
        answer
    }

    fn take(&mut self, movement: usize, text: String, now: DateTime<Utc>) -> Answer {
        let kind = format!("IE{}", &inner(&text, "messageType").unwrap()[2..5]);
        self.posts.push(kind.clone());
        let message = self.id();
        let own = Message {
            id: message.clone(),
            kind: kind.clone(),
            at: now,
            status: "Success",
            body: text,
        };
        self.movements[movement].messages.push(own);
        let before = self.movements[movement].messages.len();
        for (reply, after) in (self.replies)(&kind) {
            if reply != "IE045" {
                self.bring(movement, reply, now + after);
                continue;
            }
            // It comes to the departure: to all that are released, for all have
            // the same MRN.
            for index in 0..self.movements.len() {
                let released = |m: &Message| m.kind == "IE029" && m.at <= now;
                if self.movements[index].messages.iter().any(released) {
                    self.bring(index, reply, now + after);
                }
            }
        }
        let movement = &self.movements[movement];
        let replies = movement.messages.len() - before;
        let field = format!("{}Id", movement.plural.trim_end_matches('s'));
        let mut json = serde_json::json!({field: movement.id, "messageId": message});
        if self.notifications.as_ref().is_some_and(|it| !it.boxless)
            && movement.messages.len() == 1 + replies
        {
            json["boxId"] = BOX.into();
        }
        answer(202, &json.to_string())
    }

    fn list(&self, plural: &str, url: &Url, now: DateTime<Utc>) -> Answer {
        let query = |name: &str| {
            url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let since = query("updatedSince").map(|text| text.parse::<DateTime<Utc>>().unwrap());
        let lrn = query("localReferenceNumber");
        let mrn = query("movementReferenceNumber");
        let mut found: Vec<&Movement> = self
            .movements
            .iter()
            .filter(|m| m.plural == plural && m.visible_from <= now)
            .filter(|m| since.is_none_or(|since| m.updated(now) >= since))
            .filter(|m| lrn.is_none() || m.lrn == lrn)
            .filter(|m| mrn.is_none() || m.mrn == mrn)
            .collect();
        found.sort_by_key(|movement| std::cmp::Reverse(movement.updated(now)));
        let page: usize = query("page").map_or(1, |page| page.parse().unwrap());
        let count: usize = query("count").unwrap().parse::<usize>().unwrap().min(500);
        let list: Vec<_> = found
            .iter()
            .skip((page - 1) * count)
            .take(count)
            .map(|m| {
                serde_json::json!({"id": m.id, "updated": time(m.updated(now)),
                    "localReferenceNumber": m.lrn, "movementReferenceNumber": m.mrn})
            })
            .collect();
        if list.is_empty() && page > 1 {
            return answer(404, r#"{"code":"NOT_FOUND","message":"no such page"}"#);
        }
        answer(200, &serde_json::json!({"totalCount": found.len(), plural: list}).to_string())
    }
}

#[derive(Default)]
pub(crate) struct Silent {
    pub(crate) mails: Vec<Mail>,
    pub(crate) notes: Vec<String>,
    pub(crate) views: Vec<RunView>,
}

impl Watcher for Silent {
    fn moved(&mut self, view: &RunView) {
        self.views.push(view.clone());
    }

    fn requested(&mut self, _: u64) {}

    fn mail_to_send(&mut self, _: &RunView, mail: &Mail) {
        self.mails.push(mail.clone());
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

/// A store, an API and someone who runs scenarios.
pub(crate) struct Bench {
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) watcher: Silent,
    pub(crate) fake: Arc<Fake>,
    pub(crate) folder: Option<PathBuf>,
    /// Whether news is pulled from the box.
    pub(crate) pull: bool,
    /// Who sends.
    pub(crate) driving: Driving,
    /// Tokens that are renewed, in place of the one in the options.
    pub(crate) tokens: Option<Arc<dyn Tokens>>,
    pub(crate) catalogue: Catalogue,
}

/// The usual course: acknowledged at once, released after 45 minutes.
pub(crate) fn usual(kind: &str) -> Replies {
    let (soon, later) = (Duration::seconds(2), Duration::minutes(45));
    match kind {
        "IE015" => vec![("IE928", soon), ("IE028", soon * 2), ("IE029", later)],
        "IE170" => vec![("IE028", soon), ("IE029", soon * 2)],
        "IE007" => vec![("IE043", soon)],
        "IE044" => vec![("IE025", soon), ("IE045", soon * 2)],
        _ => vec![],
    }
}

/// Only an acknowledgement; the rest is for officers.
pub(crate) fn normal(kind: &str) -> Replies {
    match kind {
        "IE015" => vec![("IE928", Duration::seconds(2))],
        _ => vec![],
    }
}

impl Bench {
    pub(crate) fn new(replies: impl Fn(&str) -> Replies + Send + 'static) -> Self {
        Self::with(replies, |_, _| None, |_| (StdDuration::ZERO, StdDuration::from_millis(200)))
    }

    /// A bench with a hook on every call.
    pub(crate) fn hooked(
        hook: impl FnMut(&Call, &mut World) -> Option<Result<Answer, NoAnswer>> + Send + 'static,
    ) -> Self {
        Self::with(usual, hook, |_| (StdDuration::ZERO, StdDuration::from_millis(200)))
    }

    pub(crate) fn with(
        replies: impl Fn(&str) -> Replies + Send + 'static,
        hook: impl FnMut(&Call, &mut World) -> Option<Result<Answer, NoAnswer>> + Send + 'static,
        latency: impl Fn(&Call) -> (StdDuration, StdDuration) + Send + Sync + 'static,
    ) -> Self {
        let clock = Arc::new(VirtualClock::new());
        let world = World {
            movements: vec![],
            calls: vec![],
            posts: vec![],
            replies: Box::new(replies),
            server_ahead: Duration::zero(),
            notifications: None,
            next_id: 0,
        };
        let fake = Fake {
            world: Mutex::new(world),
            clock: Arc::clone(&clock),
            hook: Mutex::new(Box::new(hook)),
            latency: Box::new(latency),
        };
        Self {
            clock,
            dir: tempfile::tempdir().unwrap(),
            watcher: Silent::default(),
            fake: Arc::new(fake),
            folder: None,
            pull: false,
            driving: Driving::Direct,
            tokens: None,
            catalogue: Catalogue::built_in().unwrap(),
        }
    }

    pub(crate) fn job(&self, scenario: &str) -> Job {
        let programme = if scenario.starts_with("P6") { "ncts6" } else { "ncts5-final" };
        Job {
            programme: self.catalogue.programme(programme).unwrap().clone(),
            scenario: self.catalogue.scenario(programme, scenario).unwrap().clone(),
            resume: None,
        }
    }

    pub(crate) fn options(wait: bool) -> Options {
        Options {
            environment: Environment::TraderTest,
            base_url: "https://test-api.service.hmrc.gov.uk".parse().unwrap(),
            token: TOKEN.to_owned().into(),
            tempo: Tempo::REAL,
            requests_per_second: 3.0,
            software: SoftwareId { name: "S".into(), version: "1".into(), build: None },
            operator: None,
            message_sender: None,
            contact: None,
            tool: "ctc-ready 0".into(),
            wait,
        }
    }

    pub(crate) async fn run(&mut self, jobs: Vec<Job>, wait: bool) -> Result<Outcome, BatchError> {
        let sources = Sources { folder: self.folder.clone(), ..Sources::default() };
        let payloads = Payloads::new(sources, &self.catalogue).unwrap();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let dir = self.dir.path().join("evidence");
        let mut store = StoreWriter::open(&dir, Arc::clone(&clock), "ctc-ready 0").unwrap();
        let carrier = self.fake.clone();
        let options = Self::options(wait);
        let batch = Batch::over(carrier, &mut store, &payloads, clock, &mut self.watcher, options);
        let batch = if self.pull { batch.pulling(application()) } else { batch };
        let batch = batch.driven(self.driving.clone());
        let batch = match &self.tokens {
            Some(tokens) => batch.renewing(Arc::clone(tokens)),
            None => batch,
        };
        batch.run(jobs).await
    }

    /// Takes an open run up again.
    pub(crate) async fn resume(&mut self, scenario: &str, run: RunId, wait: bool) -> Outcome {
        let job = Job { resume: Some(run), ..self.job(scenario) };
        self.run(vec![job], wait).await.unwrap()
    }

    /// What happens to every call from now on.
    pub(crate) fn fake_hook(&self) -> std::sync::MutexGuard<'_, Hook> {
        self.fake.hook.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn clear_hook(&self) {
        self.fake.hook.clear_poison();
        *self.fake_hook() = Box::new(|_, _| None);
    }

    pub(crate) fn evidence(&self) -> PathBuf {
        self.dir.path().join("evidence")
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.evidence()).unwrap()
    }

    /// The only run there is.
    pub(crate) fn only_run(&self) -> RunId {
        self.store().indexed().next().unwrap().0
    }

    pub(crate) fn events(&self, run: RunId) -> Vec<Recorded> {
        self.store().events(run).unwrap()
    }

    pub(crate) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.fake.world.lock().unwrap()
    }

    pub(crate) fn posts(&self) -> Vec<String> {
        self.world().posts.clone()
    }

    /// When a run's journal tells of a message, by our clock.
    pub(crate) fn got(&self, run: RunId, message: &str) -> Option<DateTime<Utc>> {
        self.events(run).into_iter().find_map(|line| match &line.event {
            Event::Received(received) if received.message.as_str() == message => Some(line.at),
            _ => None,
        })
    }
}

/// Answers for the first calls that match, then nothing special.
pub(crate) fn script(
    matches: impl Fn(&Call) -> bool + Send + 'static,
    answers: Vec<Result<Answer, NoAnswer>>,
) -> impl FnMut(&Call, &mut World) -> Option<Result<Answer, NoAnswer>> + Send {
    let mut answers = VecDeque::from(answers);
    move |call, _| if matches(call) { answers.pop_front() } else { None }
}

pub(crate) fn is_post(call: &Call) -> bool {
    call.method == Method::Post
}

pub(crate) fn is_look(call: &Call) -> bool {
    call.url.contains("updatedSince")
}

/// Answers to messages for Northern Ireland come this late, others at once.
pub(crate) fn slow_for_xi(slow: StdDuration) -> impl Fn(&Call) -> (StdDuration, StdDuration) {
    move |call| {
        let body = call.body.as_ref().map(|body| String::from_utf8_lossy(body).contains("NTA.XI"));
        let after = if body == Some(true) { slow } else { StdDuration::from_millis(100) };
        (StdDuration::ZERO, after)
    }
}
