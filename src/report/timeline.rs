//! What happened in a run, in plain words. The many questions for news that
//! bring none are told as one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::view::state_word;
use crate::evidence::{
    BalanceAnswered, CommandEnded, Event, MessageNoted, NamedBy, OfficerAsked, Purpose, Received,
    Recorded, Request, RequestFailed, RunClosed, Submitted,
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moment {
    /// When: our wall clock.
    pub at: DateTime<Utc>,
    /// The exchange in which it happened, or the first of several.
    pub exchange: Option<u32>,
    /// What, in words.
    pub what: String,
}

/// The story of a journal's events, in their order.
pub fn timeline(events: &[Recorded]) -> Vec<Moment> {
    let mut teller = Teller {
        moments: Vec::new(),
        open: BTreeMap::new(),
        told: events.iter().filter_map(|recorded| tells_of(&recorded.event)).collect(),
        fetched: BTreeSet::new(),
        quiet: None,
    };
    events.iter().for_each(|recorded| teller.take(recorded));
    teller.finish()
}

/// The exchange of which an event tells what came of it.
fn tells_of(event: &Event) -> Option<u32> {
    match event {
        Event::Submitted(submitted) => Some(submitted.exchange),
        Event::Received(received) => Some(received.exchange),
        Event::LookedUp(looked) => Some(looked.exchange),
        Event::Announced(announced) => Some(announced.exchange),
        Event::UploadRefused(refused) => Some(refused.exchange),
        Event::BalanceAnswered(answered) => Some(answered.exchange),
        _ => None,
    }
}

struct Teller<'a> {
    moments: Vec<Moment>,
    /// Requests of which nothing is known yet.
    open: BTreeMap<u32, (DateTime<Utc>, &'a Request)>,
    /// Exchanges of which another event tells.
    told: BTreeSet<u32>,
    /// Exchanges that fetched a message.
    fetched: BTreeSet<u32>,
    /// Questions for news that brought none: the first, and how many.
    quiet: Option<(DateTime<Utc>, u32, u32)>,
}

impl<'a> Teller<'a> {
    fn take(&mut self, recorded: &'a Recorded) {
        let at = recorded.at;
        match &recorded.event {
            Event::RunOpened(opened) => {
                let operator = opened.operator.as_deref().map(|name| format!(", for {name}"));
                let what = format!(
                    "attempt {} at {} opened on {} ({}, API {}) by {}{}",
                    opened.attempt,
                    opened.scenario,
                    opened.environment.as_str(),
                    opened.base_url,
                    opened.api_version,
                    opened.tool,
                    operator.unwrap_or_default()
                );
                self.tell(at, None, what);
            }
            Event::RunResumed(resumed) => {
                let cut = match resumed.cut_bytes {
                    0 => String::new(),
                    bytes => format!("; {bytes} bytes of a half-written line were cut off"),
                };
                self.tell(at, None, format!("taken up again by {}{cut}", resumed.tool));
            }
            Event::Request(request) => self.request(at, request),
            Event::Response(response) => {
                if let Some((sent, request)) = self.open.remove(&response.exchange) {
                    self.answered(sent, at, request, response.status);
                }
            }
            Event::RequestFailed(failed) => {
                let request = self.open.remove(&failed.exchange).map(|(_, request)| request);
                self.tell(at, Some(failed.exchange), unanswered(request, failed));
            }
            Event::LookedUp(looked) => {
                let found = if looked.found { "it is there" } else { "it is not there" };
                let what = format!(
                    "looked up whether the message of step {} arrived: {found}",
                    looked.step
                );
                self.tell(at, Some(looked.exchange), what);
            }
            Event::Announced(announced) => {
                let what = format!(
                    "announced the {} of step {}, which is large: {} {}, message {}",
                    announced.message,
                    announced.step,
                    announced.movement.singular(),
                    announced.movement_id,
                    announced.message_id
                );
                self.tell(at, Some(announced.exchange), what);
            }
            Event::UploadRefused(refused) => {
                let what = format!("the API refused the uploaded {}", refused.message);
                self.tell(at, Some(refused.exchange), what);
            }
            Event::Submitted(submitted) => {
                let what = match self.fetched.contains(&submitted.exchange) {
                    true => found(submitted),
                    false => taken(submitted),
                };
                self.tell(at, Some(submitted.exchange), what);
            }
            Event::Received(message) => self.tell(at, Some(message.exchange), came(message)),
            Event::OfficerAsked(mail) => self.tell(at, None, asked(mail, "asked")),
            Event::OfficerReminded(mail) => self.tell(at, None, asked(mail, "reminded")),
            Event::OfficerAnswered(answered) => {
                let note = answered.note.as_deref().map(|note| format!(": {note}"));
                let files = match answered.attachments.len() {
                    0 => String::new(),
                    1 => " (1 file kept)".to_owned(),
                    n => format!(" ({n} files kept)"),
                };
                let what = format!(
                    "the user says that the officers replied to step {}{files}{}",
                    answered.step,
                    note.unwrap_or_default()
                );
                self.tell(at, None, what);
            }
            Event::BalanceAnswered(answered) => {
                self.tell(at, Some(answered.exchange), balance(answered));
            }
            Event::CommandStarted(started) => {
                let what = format!(
                    "`{}` is to have the software send the {} of step {}, LRN {} proposed",
                    started.program, started.message, started.step, started.lrn
                );
                self.tell(at, None, what);
            }
            Event::CommandEnded(ended) => self.tell(at, None, performed(ended)),
            Event::MovementNamed(named) => {
                let by = match named.by {
                    NamedBy::User => "the user names",
                    NamedBy::Command => "the command names",
                    NamedBy::Reference => "the API has, by its reference,",
                };
                let what = format!("{by} {} {}", named.movement.singular(), named.movement_id);
                self.tell(at, None, what);
            }
            Event::MessageNoted(noted) => self.tell(at, Some(noted.exchange), remark(noted)),
            Event::Imported(from) => {
                let what = format!(
                    "all of it comes from the file `{}` (SHA-256 {}): its times and answers are \
                     what that says, and nobody has seen them",
                    from.file, from.digest
                );
                self.tell(at, None, what);
            }
            Event::Assigned(to) => {
                let by = to.by.as_deref().map(|name| format!(", for {name}")).unwrap_or_default();
                let what = format!(
                    "said only now: it is attempt {} at {} ({}), by {}{by}",
                    to.attempt, to.scenario, to.programme, to.tool
                );
                self.tell(at, None, what);
            }
            Event::RunClosed(closed) => self.tell(at, None, ended(closed)),
        }
    }

    fn request(&mut self, at: DateTime<Utc>, request: &'a Request) {
        let at = request.sent_at.unwrap_or(at);
        self.open.insert(request.exchange, (at, request));
        if request.purpose == Purpose::GetMessage {
            self.fetched.insert(request.exchange);
        }
        if matches!(request.purpose, Purpose::Submit | Purpose::Balance) {
            let lrn = request.lrn.as_deref().map(|lrn| format!(", LRN {lrn}"));
            let lrn = lrn.unwrap_or_default();
            let what = format!("sends {}{lrn}", in_words(request));
            self.tell(at, Some(request.exchange), what);
        }
    }

    fn answered(&mut self, sent: DateTime<Utc>, at: DateTime<Utc>, request: &Request, status: u16) {
        let exchange = request.exchange;
        let good = (200..300).contains(&status);
        if self.told.contains(&exchange) {
            return;
        }
        match request.purpose {
            Purpose::ListMovements | Purpose::ListMessages | Purpose::LookUp if good => {
                let (first, from, times) = self.quiet.unwrap_or((sent, exchange, 0));
                self.quiet = Some((first, from, times + 1));
            }
            // `OfficerAsked` follows.
            Purpose::Mail if good => {}
            Purpose::Inject if good => {
                let message = request.message.map_or("message", |message| message.as_str());
                self.tell(at, Some(exchange), format!("had the {message} injected"));
            }
            _ => {
                let what = format!("HTTP {status} in answer to {}", in_words(request));
                self.tell(at, Some(exchange), what);
            }
        }
    }

    fn tell(&mut self, at: DateTime<Utc>, exchange: Option<u32>, what: String) {
        if let Some((first, from, times)) = self.quiet.take() {
            let times = if times == 1 { String::new() } else { format!(" {times} times") };
            let what = format!("asked for news{times}");
            self.moments.push(Moment { at: first, exchange: Some(from), what });
        }
        self.moments.push(Moment { at, exchange, what });
    }

    fn finish(mut self) -> Vec<Moment> {
        for (exchange, (at, request)) in std::mem::take(&mut self.open) {
            let what = format!("what came of {} is not known", in_words(request));
            self.tell(at, Some(exchange), what);
        }
        if let Some((first, from, times)) = self.quiet.take() {
            let what = format!("asked for news {times} times, so far without an end of the run");
            self.moments.push(Moment { at: first, exchange: Some(from), what });
        }
        self.moments
    }
}

fn in_words(request: &Request) -> String {
    let step = request.step.map(|step| format!(" of step {step}")).unwrap_or_default();
    match request.purpose {
        Purpose::Submit => {
            let message = request.message.map_or("message", |message| message.as_str());
            format!("the {message}{step}")
        }
        Purpose::Balance => format!("the question for a balance{step}"),
        Purpose::ListMovements | Purpose::ListMessages | Purpose::PullNotifications => {
            "the question for news".to_owned()
        }
        Purpose::AcknowledgeNotifications => "the acknowledgement of notifications".to_owned(),
        Purpose::GetMessage => "the request for a message".to_owned(),
        Purpose::LookUp => "the question whether a message arrived".to_owned(),
        Purpose::Mail => "the e-mail to the officers".to_owned(),
        Purpose::Announce => {
            let message = request.message.map_or("message", |message| message.as_str());
            format!("the announcement of the {message}{step}")
        }
        Purpose::Inject => {
            let message = request.message.map_or("message", |message| message.as_str());
            format!("the injection of the {message}{step}")
        }
    }
}

fn unanswered(request: Option<&Request>, failed: &RequestFailed) -> String {
    let what = request.map_or_else(|| "a request".to_owned(), in_words);
    let arrived = match failed.may_have_arrived {
        true => "it may have arrived all the same",
        false => "it cannot have arrived",
    };
    format!("no answer to {what} ({}: {}); {arrived}", failed.failure, failed.detail)
}

fn taken(submitted: &Submitted) -> String {
    format!(
        "the API took the {} ({}): {} {}, message {}",
        submitted.message,
        submitted.message.meaning(),
        submitted.movement.singular(),
        submitted.movement_id,
        submitted.message_id
    )
}

/// A message that the software sent.
fn found(submitted: &Submitted) -> String {
    let at = submitted
        .received
        .map(|at| format!("; the API got it on {}", at.format("%Y-%m-%d %H:%M:%S UTC")));
    format!(
        "the software sent the {} ({}): {} {}, message {}{}",
        submitted.message,
        submitted.message.meaning(),
        submitted.movement.singular(),
        submitted.movement_id,
        submitted.message_id,
        at.unwrap_or_default()
    )
}

fn performed(ended: &CommandEnded) -> String {
    let seconds = ended.elapsed_ns as f64 / 1e9;
    let how = match (&ended.failure, &ended.movement_id) {
        (Some(failure), _) => failure.clone(),
        (None, Some(movement)) => format!("it names movement {movement}"),
        (None, None) => "it names no movement".to_owned(),
    };
    format!("the command of step {} ended after {seconds:.1} s: {how}", ended.step)
}

fn remark(noted: &MessageNoted) -> String {
    let mut parts = Vec::new();
    if noted.step.is_none() {
        parts.push("it is none that the scenario has next".to_owned());
    }
    parts.extend(noted.contradiction.clone());
    parts.extend(noted.notes.iter().cloned());
    format!("of the software’s {}: {}", noted.message, parts.join("; "))
}

fn came(message: &Received) -> String {
    let mut what = format!("{} came: {}", message.message, message.message.meaning());
    if let Some(mrn) = &message.mrn {
        what.push_str(&format!(", MRN {mrn}"));
    }
    if let Some(release) = &message.release_indicator {
        what.push_str(&format!(", release indicator {release}"));
    }
    match message.errors.len() {
        0 => {}
        1 => what.push_str(", with 1 error"),
        n => what.push_str(&format!(", with {n} errors")),
    }
    what
}

fn asked(mail: &OfficerAsked, asked: &str) -> String {
    let how = match mail.delivered {
        true => "delivered",
        false => "drafted, for a person to send",
    };
    format!("officers {asked} to act on step {}: e-mail to {} {how}", mail.step, mail.to)
}

fn balance(answered: &BalanceAnswered) -> String {
    let told = match (answered.balance, &answered.code) {
        (Some(balance), _) => {
            format!("balance {balance} {}", answered.currency.as_deref().unwrap_or_default())
        }
        (None, Some(code)) => format!("refused as {code}"),
        (None, None) => "no balance".to_owned(),
    };
    format!("step {}: {} (HTTP {})", answered.step, told.trim_end(), answered.status)
}

fn ended(closed: &RunClosed) -> String {
    let state = state_word(closed.state);
    match closed.failure.as_ref().map(|failure| failure.reason.as_str()) {
        None | Some("") => format!("the end: {state}"),
        Some(reason) => format!("the end: {state} ({reason})"),
    }
}
