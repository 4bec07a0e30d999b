//! HTTP Archive 1.2: every exchange with its bodies, for browser tools.
//!
//! Source: HAR 1.2 specification (W3C Web Performance Working Group draft,
//! 2012-08-14). Fields of our own begin with `_`, as its section "Custom
//! fields" has it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::ReportError;
use super::bodies::Bodies;
use super::model::{Dossier, Exchange, Outcome, RunStory};
use super::text::instant;
use super::view::{Header, headers, name, state_word};
use crate::digest::Digest;
use crate::evidence::{ObjectRef, RequestFailed, Response, Store};

/// What stands where evidence does not say.
const UNKNOWN: i64 = -1;

#[derive(Debug, Serialize)]
struct Har<'a> {
    log: Log<'a>,
}

#[derive(Debug, Serialize)]
struct Log<'a> {
    version: &'static str,
    creator: Creator,
    pages: Vec<Page<'a>>,
    entries: Vec<Entry<'a>>,
    comment: String,
}

#[derive(Debug, Serialize)]
struct Creator {
    name: &'static str,
    version: &'static str,
}

/// A run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    started_date_time: String,
    id: String,
    title: String,
    page_timings: PageTimings,
    #[serde(flatten)]
    run: About<'a>,
    #[serde(rename = "_state")]
    state: String,
    #[serde(rename = "_lrn", skip_serializing_if = "Option::is_none")]
    lrn: Option<&'a str>,
    #[serde(rename = "_mrn", skip_serializing_if = "Option::is_none")]
    mrn: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PageTimings {
    on_content_load: i64,
    on_load: i64,
}

/// The run that a page or an entry belongs to.
#[derive(Debug, Serialize)]
struct About<'a> {
    #[serde(rename = "_run")]
    run: String,
    #[serde(rename = "_programme")]
    programme: &'a str,
    #[serde(rename = "_scenario")]
    scenario: &'a str,
    #[serde(rename = "_attempt")]
    attempt: u32,
    #[serde(rename = "_environment")]
    environment: &'static str,
}

/// An exchange.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    pageref: String,
    started_date_time: String,
    time: f64,
    request: RequestEntry<'a>,
    response: ResponseEntry<'a>,
    cache: Cache,
    timings: Timings,
    #[serde(flatten)]
    run: About<'a>,
    #[serde(rename = "_exchange")]
    exchange: u32,
    #[serde(rename = "_purpose")]
    purpose: String,
    #[serde(rename = "_step", skip_serializing_if = "Option::is_none")]
    step: Option<u32>,
    #[serde(rename = "_message", skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    #[serde(rename = "_serverDate", skip_serializing_if = "Option::is_none")]
    server_date: Option<String>,
}

#[derive(Debug, Serialize)]
struct Cache {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestEntry<'a> {
    method: &'a str,
    url: &'a str,
    http_version: &'static str,
    cookies: [(); 0],
    headers: Vec<Header>,
    query_string: Vec<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_data: Option<PostData>,
    headers_size: i64,
    body_size: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    mime_type: String,
    params: [(); 0],
    text: String,
    #[serde(flatten)]
    stored: Stored,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseEntry<'a> {
    status: u16,
    status_text: &'static str,
    http_version: &'static str,
    cookies: [(); 0],
    headers: Vec<Header>,
    content: Content,
    #[serde(rename = "redirectURL")]
    redirect_url: &'a str,
    headers_size: i64,
    body_size: i64,
    /// Browsers' own field for a request without an answer.
    #[serde(rename = "_error", skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(rename = "_failure", skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    #[serde(rename = "_mayHaveArrived", skip_serializing_if = "Option::is_none")]
    may_have_arrived: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    size: u64,
    mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(flatten)]
    stored: Stored,
}

/// What evidence knows of a body beside its bytes.
#[derive(Debug, Default, Serialize)]
struct Stored {
    #[serde(rename = "_sha256", skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
    #[serde(rename = "_redacted", skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

/// Milliseconds.
#[derive(Debug, Serialize)]
struct Timings {
    blocked: i64,
    dns: i64,
    connect: i64,
    ssl: i64,
    send: f64,
    wait: f64,
    receive: f64,
    comment: &'static str,
}

/// The archive: a page for each run, an entry for each exchange in the order in
/// which they left, those without an answer too. Bodies as
/// [`super::MAX_BODY`] and [`super::MAX_BODIES`] allow.
///
/// # Errors
/// Never for anything in the evidence.
pub fn export(dossier: &Dossier, store: &Store) -> Result<Vec<u8>, ReportError> {
    let mut order: Vec<(&RunStory, &Exchange)> = dossier
        .runs
        .iter()
        .flat_map(|story| story.exchanges.iter().map(move |exchange| (story, exchange)))
        .collect();
    // What left in the same millisecond keeps the order of runs and numbers.
    order.sort_by_key(|(_, exchange)| exchange.at);
    let mut bodies = Bodies::of(store);
    let log = Log {
        version: "1.2",
        creator: Creator { name: "ctc-ready", version: env!("CARGO_PKG_VERSION") },
        pages: dossier.runs.iter().map(page).collect(),
        entries: order.into_iter().map(|(story, at)| entry(story, at, &mut bodies)).collect(),
        comment: comment(dossier),
    };
    super::pretty(&Har { log })
}

fn comment(dossier: &Dossier) -> String {
    let mark = dossier.mark.map(|mark| format!("{mark}. ")).unwrap_or_default();
    let untold = match dossier.only_indexed.len() {
        0 => String::new(),
        n => {
            format!(" Attempts that are not here, since they were removed or cannot be read: {n}.")
        }
    };
    format!(
        "{mark}Evidence of customs-transit tests. Secrets were replaced by salted digests \
         (`redacted:…`) before anything was stored. Times are those of the machine that ran the \
         tests.{untold}"
    )
}

fn page(story: &RunStory) -> Page<'_> {
    let record = &story.record;
    Page {
        started_date_time: instant(record.opened),
        id: page_id(story),
        title: format!(
            "{} {}, attempt {} on {}: {}",
            record.programme,
            record.scenario,
            record.attempt,
            record.environment.as_str(),
            state_word(record.state)
        ),
        page_timings: PageTimings { on_content_load: UNKNOWN, on_load: UNKNOWN },
        run: about(story),
        state: name(&record.state),
        lrn: record.lrn.as_deref(),
        mrn: record.mrn.as_deref(),
    }
}

fn page_id(story: &RunStory) -> String {
    format!("run_{}", story.record.run)
}

fn about(story: &RunStory) -> About<'_> {
    let record = &story.record;
    About {
        run: record.run.to_string(),
        programme: &record.programme,
        scenario: &record.scenario,
        attempt: record.attempt,
        environment: record.environment.as_str(),
    }
}

fn entry<'a>(story: &'a RunStory, exchange: &'a Exchange, bodies: &mut Bodies<'_>) -> Entry<'a> {
    let request = &exchange.request;
    let (timings, time) = timings(exchange);
    let response = match &exchange.outcome {
        Outcome::Answered(response) => answered(response, bodies),
        Outcome::Failed(failed) => unanswered(Some(failed)),
        Outcome::Unknown => unanswered(None),
    };
    let server_date = match &exchange.outcome {
        Outcome::Answered(response) => response.server_date,
        _ => None,
    };
    Entry {
        pageref: page_id(story),
        started_date_time: instant(exchange.at),
        time,
        request: RequestEntry {
            method: &request.method,
            url: &request.url,
            http_version: "unknown",
            cookies: [],
            headers: headers(&request.headers),
            query_string: query(&request.url),
            post_data: request.body.as_ref().map(|body| post_data(body, bodies)),
            headers_size: UNKNOWN,
            body_size: request.body.as_ref().map_or(0, size_on_the_wire),
        },
        response,
        cache: Cache {},
        timings,
        run: about(story),
        exchange: request.exchange,
        purpose: name(&request.purpose),
        step: request.step,
        message: request.message.map(|message| message.as_str()),
        server_date: server_date.map(instant),
    }
}

/// Send, wait and receive are not optional in HAR, nor may they be negative.
/// Evidence has them as one, which goes to the waiting.
fn timings(exchange: &Exchange) -> (Timings, f64) {
    let (wait, comment) = match &exchange.outcome {
        // Nanoseconds of an exchange fit a float's 53 bits for 100 days.
        Outcome::Answered(response) => (
            response.elapsed_ns as f64 / 1e6,
            "measured as one, from the first byte sent to the last received: all in `wait`",
        ),
        Outcome::Failed(_) => {
            let ended = exchange.ended.unwrap_or(exchange.at);
            let ms = (ended - exchange.at).num_milliseconds().max(0);
            (ms as f64, "no answer: `wait` is the time until that was written down")
        }
        Outcome::Unknown => (0.0, "not known: nothing was written down after the request"),
    };
    let timings = Timings {
        blocked: UNKNOWN,
        dns: UNKNOWN,
        connect: UNKNOWN,
        ssl: UNKNOWN,
        send: 0.0,
        wait,
        receive: 0.0,
        comment,
    };
    (timings, wait)
}

/// The parameters of an address; secrets in it are digests already.
fn query(address: &str) -> Vec<Header> {
    let address = address.split_once('#').map_or(address, |(before, _)| before);
    let Some((_, query)) = address.split_once('?') else { return Vec::new() };
    url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| Header { name: name.into_owned(), value: value.into_owned() })
        .collect()
}

fn post_data(body: &ObjectRef, bodies: &mut Bodies<'_>) -> PostData {
    let mut stored = stored(body);
    let text = match bodies.text(body) {
        Ok(text) => text,
        Err(why) => {
            stored.note(why.in_words());
            String::new()
        }
    };
    PostData { mime_type: mime_type(body), params: [], text, stored }
}

fn answered<'a>(response: &'a Response, bodies: &mut Bodies<'_>) -> ResponseEntry<'a> {
    let location = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
    ResponseEntry {
        status: response.status,
        status_text: "",
        http_version: "unknown",
        cookies: [],
        headers: headers(&response.headers),
        content: response.body.as_ref().map_or_else(Content::none, |body| content(body, bodies)),
        redirect_url: location.map_or("", |(_, value)| value),
        headers_size: UNKNOWN,
        // It may have come compressed.
        body_size: if response.body.is_some() { UNKNOWN } else { 0 },
        error: None,
        failure: None,
        may_have_arrived: None,
    }
}

fn unanswered(failed: Option<&RequestFailed>) -> ResponseEntry<'_> {
    let error = match failed {
        Some(failed) => Cow::Borrowed(failed.detail.as_str()),
        None => Cow::Borrowed("not known: the run was broken off before anything was written down"),
    };
    ResponseEntry {
        status: 0,
        status_text: "",
        http_version: "unknown",
        cookies: [],
        headers: Vec::new(),
        content: Content::none(),
        redirect_url: "",
        headers_size: UNKNOWN,
        body_size: UNKNOWN,
        error: Some(error),
        failure: failed.map(|failed| failed.failure.as_str()),
        may_have_arrived: failed.map(|failed| failed.may_have_arrived),
    }
}

impl Content {
    fn none() -> Self {
        let (text, encoding) = (None, None);
        Self { size: 0, mime_type: String::new(), text, encoding, stored: Stored::default() }
    }
}

fn content(body: &ObjectRef, bodies: &mut Bodies<'_>) -> Content {
    let mut stored = stored(body);
    let (text, encoding) = match bodies.bytes(body).map(String::from_utf8) {
        Ok(Ok(text)) => (Some(text), None),
        Ok(Err(binary)) => (Some(STANDARD.encode(binary.as_bytes())), Some("base64")),
        Err(why) => {
            stored.note(why.in_words());
            (None, None)
        }
    };
    Content { size: body.bytes, mime_type: mime_type(body), text, encoding, stored }
}

fn stored(body: &ObjectRef) -> Stored {
    let mut stored = Stored { sha256: Some(body.sha256), redacted: body.redacted, comment: None };
    if body.redacted {
        stored.note("a secret was replaced by its salted digest before this was stored");
    }
    stored
}

impl Stored {
    fn note(&mut self, text: &str) {
        self.comment = Some(match self.comment.take() {
            Some(before) => format!("{before}; {text}"),
            None => text.to_owned(),
        });
    }
}

fn mime_type(body: &ObjectRef) -> String {
    body.media_type.clone().unwrap_or_default()
}

/// Bytes sent, unless redaction changed them.
fn size_on_the_wire(body: &ObjectRef) -> i64 {
    match body.redacted {
        true => UNKNOWN,
        false => i64::try_from(body.bytes).unwrap_or(UNKNOWN),
    }
}
