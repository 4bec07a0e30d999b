//! What HMRC's support asks for when a test goes wrong: one attempt as a short
//! text, with its messages and answers as files. The wording is in
//! `templates/query/`.

use serde_json::{Value, json};

use super::bodies::Bodies;
use super::model::{Exchange, Outcome, RunStory};
use super::text::{plain, short};
use crate::catalogue::{Scenario, Step};
use crate::evidence::{ObjectRef, Purpose, RunRecord, RunState, Store};
use crate::ncts::Direction;
use crate::ncts::build::{BuildError, Templates};

/// The name of the text.
pub const PAPER: &str = "query.txt";

const TEMPLATE: &str = include_str!("../../templates/query/query.txt");

/// Longest text of a server or a user repeated in one line, in characters.
const MAX_LINE: usize = 500;

/// Most endpoints named.
const MAX_ENDPOINTS: usize = 50;

/// What the settings add.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker<'a> {
    /// The client ID of the sandbox application.
    pub client_id: Option<&'a str>,
    /// Where answers go.
    pub contact: Option<&'a str>,
}

/// A file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryFile {
    /// Its name, without a folder.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The text, and after it the files that it names. `scenario` is the
/// catalogue's, where it still has it.
///
/// # Errors
/// When the template is wrong: a bug.
pub fn query(
    story: &RunStory,
    scenario: Option<&Scenario>,
    asker: Asker<'_>,
    store: &Store,
) -> Result<Vec<QueryFile>, BuildError> {
    let record = &story.record;
    let mut bodies = Bodies::of(store);
    let (mut files, mut about, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for (name, what, object) in story.exchanges.iter().flat_map(|it| attached(record, it)) {
        match bodies.bytes(object) {
            Ok(bytes) => {
                about.push(json!({ "name": name, "what": what }));
                files.push(QueryFile { name, bytes });
            }
            Err(why) => left_out.push(format!("{name} ({what}), {}", why.in_words())),
        }
    }
    let software = &record.software;
    let context = json!({
        "simulated": record.simulated,
        "environment": record.environment.as_str(),
        "scenario": record.scenario,
        "title": scenario.map(|scenario| &scenario.title),
        "programme": record.programme,
        "api_version": line(&record.api_version),
        "base_url": line(&record.base_url),
        "client_id": asker.client_id.map(line),
        "software": line(&format!("{} {}", software.name, software.version)),
        "lrn": record.lrn.as_deref().map(line),
        "mrn": record.mrn.as_deref().map(line),
        "submitted": record.first_submission().map(utc),
        "attempt": record.attempt,
        "state": state(record.state),
        "contact": asker.contact.map(line),
        "failure": record.failure.as_ref().map(|failure| json!({
            "step": failure.step,
            "reason": failure.reason,
            "message": line(&failure.message),
            "errors": failure.errors.iter().map(|error| {
                let error = &error.error;
                line(&format!("{} {} at {}", error.code, error.reason, error.pointer))
            }).collect::<Vec<_>>(),
        })),
        "steps": scenario.map(steps).unwrap_or_default(),
        "messages": messages(record),
        "endpoints": endpoints(&story.exchanges),
        "files": about,
        "left_out": left_out,
    });
    let templates = Templates::new([(PAPER.to_owned(), TEMPLATE.to_owned())])?;
    let text = templates.render(PAPER, context)?;
    files.insert(0, QueryFile { name: PAPER.to_owned(), bytes: text.into_bytes() });
    Ok(files)
}

/// The bodies of an exchange that belong to a query: name, what it is, object.
fn attached<'a>(
    record: &RunRecord,
    exchange: &'a Exchange,
) -> Vec<(String, String, &'a ObjectRef)> {
    let request = &exchange.request;
    let number = request.exchange;
    let fetched = record.messages.iter().find(|message| message.exchange == number);
    let of = request.message.or_else(|| fetched.map(|message| message.message));
    let of = of.map_or("balance", |message| message.as_str());
    let asks = matches!(request.purpose, Purpose::Submit | Purpose::Balance);
    let mut found = Vec::new();
    if let Some(body) = request.body.as_ref().filter(|_| asks) {
        let name = format!("{number:03}-{of}-sent.{}", extension(body));
        found.push((name, format!("sent {}", utc(exchange.at)), body));
    }
    let Outcome::Answered(response) = &exchange.outcome else { return found };
    let Some(body) = &response.body else { return found };
    let (kind, is) = match (asks, request.purpose) {
        (true, _) => (format!("{of}-answer"), "the answer to it"),
        (false, Purpose::GetMessage) => match fetched.map(|message| message.direction) {
            Some(Direction::Sent) => (format!("{of}-sent"), "what the software sent, as fetched"),
            _ => (format!("{of}-received"), "the message as fetched"),
        },
        // What else was asked is of interest where it was refused.
        _ if response.status >= 400 => ("refusal".to_owned(), "the answer"),
        _ => return found,
    };
    let name = format!("{number:03}-{kind}.{}", extension(body));
    found.push((name, format!("{is}, HTTP {}", response.status), body));
    found
}

fn extension(body: &ObjectRef) -> &'static str {
    match body.media_type.as_deref().unwrap_or_default() {
        kind if kind.contains("json") => "json",
        kind if kind.contains("xml") => "xml",
        _ => "txt",
    }
}

fn steps(scenario: &Scenario) -> Vec<Value> {
    let does = |step: &Step| match (&step.send, &step.officer, &step.request) {
        (Some(message), _, _) => format!("we send {message}"),
        (None, Some(action), _) => format!("officers: {action}"),
        (None, None, Some(_)) => "we ask for a balance".to_owned(),
        (None, None, None) => "nobody acts".to_owned(),
    };
    (1..)
        .zip(&scenario.step)
        .map(|(number, step): (u32, &Step)| {
            let mut expect: Vec<&str> =
                step.expect.iter().map(|expected| expected.message.as_str()).collect();
            if step.answer.is_some() {
                expect.push("an answer");
            }
            json!({ "step": number, "does": does(step), "expect": expect.join(", ") })
        })
        .collect()
}

fn messages(record: &RunRecord) -> Vec<Value> {
    let told = record.messages.iter().map(|message| {
        json!({
            "at": utc(message.at),
            "direction": match message.direction {
                Direction::Sent => "sent",
                Direction::Received => "fetched",
            },
            "message": message.message.as_str(),
            "status": message.status,
            "movement_id": line(&message.movement_id),
            "message_id": line(&message.message_id),
        })
    });
    told.collect()
}

/// Method and address without its query, and how often, in the order of the
/// first call.
fn endpoints(exchanges: &[Exchange]) -> Vec<Value> {
    let mut found: Vec<(String, u32)> = Vec::new();
    for Exchange { request, .. } in
        exchanges.iter().filter(|it| it.request.purpose != Purpose::Mail)
    {
        let (address, _) = request.url.split_once('?').unwrap_or((&request.url, ""));
        let called = line(&format!("{} {address}", request.method));
        let room = found.len() < MAX_ENDPOINTS;
        match found.iter_mut().find(|(known, _)| *known == called) {
            Some((_, times)) => *times += 1,
            None if room => found.push((called, 1)),
            None => {}
        }
    }
    found.into_iter().map(|(called, times)| json!({ "called": called, "times": times })).collect()
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::Passed => "passed",
        RunState::Failed => "failed",
        RunState::Waiting => "still waiting",
        RunState::Abandoned => "given up",
    }
}

/// `2026-11-21 09:30:05 UTC`.
fn utc(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What others wrote, as one harmless line.
fn line(text: &str) -> String {
    let one = text.split_whitespace().collect::<Vec<_>>().join(" ");
    plain(&short(&one, MAX_LINE)).into_owned()
}
