//! A run's journal, line by line: every exchange in order, and what lies
//! between. Called by `super::run`.

use chrono::TimeDelta;
use serde::Serialize;

use super::body::{Body, Shelf};
use super::room::{ADDRESS, HEADER, HEADERS, LINE};
use super::text::{count, short};
use super::times::{When, span};
use crate::evidence::{Event, Purpose, Recorded, Response, RunState};
use crate::report::RunStory;
use crate::report::model::{Exchange, Outcome};

/// What a line tells: an exchange, or words.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// Number of the line in its file, from 1.
    number: u64,
    when: When,
    exchange: Option<Told>,
    words: Option<String>,
}

/// An exchange.
#[derive(Debug, Serialize)]
struct Told {
    number: u32,
    what: String,
    method: String,
    /// The address without its host, for a glance.
    path: String,
    url: String,
    /// What came of it, in a few words.
    outcome: String,
    /// `good`, `bad` or `unknown`.
    kind: &'static str,
    elapsed: Option<String>,
    server_date: Option<When>,
    /// Facts about a message sent.
    facts: Vec<(&'static str, String)>,
    request: Side,
    answer: Option<Side>,
}

/// The request, or its answer.
#[derive(Debug, Serialize)]
struct Side {
    /// Headers in their order; none: left out.
    headers: Option<Vec<(String, String)>>,
    /// How many more there are.
    more_headers: usize,
    body: Option<Body>,
}

impl Side {
    fn new(
        headers: &[(String, String)],
        body: Option<&crate::evidence::ObjectRef>,
        room: bool,
        shelf: &mut Shelf<'_>,
    ) -> Self {
        let told = room.then(|| {
            let each = headers.iter().take(HEADERS);
            each.map(|(name, value)| {
                (short(name, HEADER).into_owned(), short(value, HEADER).into_owned())
            })
            .collect()
        });
        Self {
            headers: told,
            more_headers: headers.len().saturating_sub(HEADERS),
            body: body.map(|body| shelf.body(body)),
        }
    }
}

/// The first `lines` lines of a journal. `headers` says for which exchanges
/// there is room for headers.
pub(super) fn lines(
    story: &RunStory,
    lines: usize,
    headers: impl Fn(u32) -> bool,
    shelf: &mut Shelf<'_>,
) -> Vec<Line> {
    let mut told = Vec::new();
    for recorded in story.events.iter().take(lines) {
        let (exchange, words) = match &recorded.event {
            Event::Request(request) => {
                let known = story
                    .exchanges
                    .binary_search_by_key(&request.exchange, |known| known.request.exchange);
                let known = known.ok().and_then(|at| story.exchanges.get(at));
                let told = known.map(|known| exchange(known, headers(request.exchange), shelf));
                (told, None)
            }
            Event::Response(_) | Event::RequestFailed(_) => continue,
            event => (None, Some(short(&words(event), LINE / 2).into_owned())),
        };
        let at = match &exchange {
            Some(_) => sent_at(recorded),
            None => recorded.at,
        };
        told.push(Line { number: recorded.seq + 1, when: When::new(at), exchange, words });
    }
    told
}

fn sent_at(recorded: &Recorded) -> chrono::DateTime<chrono::Utc> {
    match &recorded.event {
        Event::Request(request) => request.sent_at.unwrap_or(recorded.at),
        _ => recorded.at,
    }
}

fn exchange(exchange: &Exchange, headers: bool, shelf: &mut Shelf<'_>) -> Told {
    let request = &exchange.request;
    let url = short(&request.url, ADDRESS).into_owned();
    let path = url.split_once("://").map_or(url.as_str(), |(_, rest)| {
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    });
    let mut told = Told {
        number: request.exchange,
        what: purpose(request.purpose, request.message.map(|message| message.as_str())),
        method: short(&request.method, 40).into_owned(),
        path: short(path, 160).into_owned(),
        outcome: String::new(),
        kind: "unknown",
        elapsed: None,
        server_date: None,
        facts: facts(exchange),
        request: Side::new(&request.headers, request.body.as_ref(), headers, shelf),
        answer: None,
        url,
    };
    match &exchange.outcome {
        Outcome::Answered(response) => answered(&mut told, response, headers, shelf),
        Outcome::Failed(failed) => {
            let arrived = if failed.may_have_arrived {
                "the server may have acted on it all the same"
            } else {
                "it never reached the server"
            };
            let detail = short(&failed.detail, 400);
            told.outcome =
                format!("no answer ({}): {detail}; {arrived}", short(&failed.failure, 40));
            told.kind = "bad";
        }
        Outcome::Unknown => told.outcome = "the journal ends before its answer".into(),
    }
    told
}

fn answered(told: &mut Told, response: &Response, headers: bool, shelf: &mut Shelf<'_>) {
    told.outcome = format!("HTTP {}", response.status);
    told.kind = if response.status < 400 { "good" } else { "bad" };
    let elapsed = i64::try_from(response.elapsed_ns).unwrap_or(i64::MAX);
    told.elapsed = Some(span(TimeDelta::nanoseconds(elapsed)));
    told.server_date = response.server_date.map(When::new);
    told.answer = Some(Side::new(&response.headers, response.body.as_ref(), headers, shelf));
}

fn facts(exchange: &Exchange) -> Vec<(&'static str, String)> {
    let request = &exchange.request;
    let check = request.payload_check.as_ref().map(|check| {
        let version = check.version.as_deref().unwrap_or("without a version");
        let violations = count(check.violations.into(), "violation");
        format!("{violations} of the schemas {version}, digest {}", check.schemas)
    });
    [
        ("Step", request.step.map(|step| step.to_string())),
        ("LRN", request.lrn.clone()),
        ("Message identification", request.message_identification.clone()),
        ("Where the message came from", request.payload_origin.clone()),
        ("How it departs from its data", request.payload_mutation.clone()),
        ("Judged before it left", check),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, short(&value?, 400).into_owned())))
    .collect()
}

fn purpose(purpose: Purpose, message: Option<&str>) -> String {
    match (purpose, message) {
        (Purpose::Submit, Some(message)) => format!("sends {message}"),
        (Purpose::Submit, None) => "sends a message".into(),
        (Purpose::ListMovements, _) => "asks which movements changed".into(),
        (Purpose::ListMessages, _) => "asks for a movement’s messages".into(),
        (Purpose::GetMessage, _) => "fetches a message".into(),
        (Purpose::LookUp, _) => "looks whether a message arrived".into(),
        (Purpose::Mail, _) => "hands an e-mail to the simulator’s officers".into(),
        (Purpose::Balance, _) => "asks for a balance".into(),
        (Purpose::PullNotifications, _) => "looks into the box of notifications".into(),
        (Purpose::AcknowledgeNotifications, _) => "acknowledges notifications".into(),
        (Purpose::Inject, Some(message)) => format!("has {message} injected"),
        (Purpose::Announce, Some(message)) => format!("announces {message}, which is large"),
        (Purpose::Announce, None) => "announces a large message".into(),
        (Purpose::Inject, None) => "has a message injected".into(),
    }
}

fn words(event: &Event) -> String {
    match event {
        Event::RunOpened(opened) => format!("the run opened; session {}", opened.session),
        Event::RunResumed(resumed) => {
            let cut = match resumed.cut_bytes {
                0 => String::new(),
                bytes => format!("; {} of a half-written line were cut off", count(bytes, "byte")),
            };
            format!("{} took the run up again, session {}{cut}", resumed.tool, resumed.session)
        }
        Event::LookedUp(looked) => {
            let found = if looked.found { "the API has" } else { "the API does not have" };
            format!("{found} the message of step {} that was in doubt", looked.step)
        }
        Event::Announced(announced) => {
            format!("the API said where {} of step {} goes", announced.message, announced.step)
        }
        Event::UploadRefused(refused) => {
            format!("the API refused the uploaded {} of step {}", refused.message, refused.step)
        }
        Event::Submitted(submitted) => {
            format!("the API took {} of step {}", submitted.message, submitted.step)
        }
        Event::Received(received) => format!("{} was fetched", received.message),
        Event::OfficerAsked(asked) => format!("the officers were asked, step {}", asked.step),
        Event::OfficerReminded(asked) => format!("the officers were reminded, step {}", asked.step),
        Event::OfficerAnswered(answered) => {
            format!("the user told of the officers’ answer, step {}", answered.step)
        }
        Event::BalanceAnswered(answered) => {
            format!("the balance of step {} was answered", answered.step)
        }
        Event::CommandStarted(started) => {
            format!(
                "`{}` was started for {} of step {}",
                started.program, started.message, started.step
            )
        }
        Event::CommandEnded(ended) => match &ended.failure {
            Some(failure) => format!("the command of step {} failed: {failure}", ended.step),
            None => format!("the command of step {} ended", ended.step),
        },
        Event::MovementNamed(named) => {
            format!("{} {} was named", named.movement.singular(), named.movement_id)
        }
        Event::MessageNoted(noted) => match &noted.contradiction {
            Some(why) => format!("{} is another test case’s: {why}", noted.message),
            None => format!("{}: {}", noted.message, noted.notes.join("; ")),
        },
        Event::Imported(from) => {
            format!("all of it comes from the file {}, SHA-256 {}", from.file, from.digest)
        }
        Event::Assigned(to) => {
            format!("the run was given its scenario: {}, attempt {}", to.scenario, to.attempt)
        }
        Event::RunClosed(closed) => format!("the run closed: {}", state(closed.state)),
        Event::Request(_) | Event::Response(_) | Event::RequestFailed(_) => String::new(),
    }
}

/// Where a run stands, in a word.
pub(super) fn state(state: RunState) -> &'static str {
    match state {
        RunState::Passed => "passed",
        RunState::Failed => "failed",
        RunState::Waiting => "not finished",
        RunState::Abandoned => "given up",
    }
}
