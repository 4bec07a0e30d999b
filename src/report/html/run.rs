//! One attempt: its facts, why it failed, its steps, messages, mails and
//! journal. Called by `report::html`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::body::{Body, Shelf};
use super::journal::{Line, lines, state};
use super::room::{ERRORS, Room};
use super::steps::{StepRow, answered, rows};
use super::text::{count, short};
use super::times::{When, skew, span};
use crate::catalogue::{Catalogue, Scenario};
use crate::engine::explain::headline;
use crate::evidence::format::journal_name;
use crate::evidence::{
    BalanceRecord, Driver, Event, ExplainedError, Failure, MessageRecord, OfficerAsked, RunRecord,
    RunState,
};
use crate::ncts::Direction;
use crate::report::RunStory;

/// Bytes of HTML that a text of a journal may take where it stands alone.
const TEXT: usize = 700;

/// One attempt as `run.html` wants it.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    id: String,
    name: String,
    title: Option<String>,
    state: &'static str,
    simulated: bool,
    stands_for: Vec<String>,
    /// Why it does not count, where it does not.
    why_not: Option<String>,
    /// Numbers of findings about it, with their rules.
    findings: Vec<(usize, &'static str)>,
    facts: Vec<Fact>,
    failure: Option<Why>,
    steps: Vec<StepRow>,
    messages: Vec<Message>,
    mails: Vec<Mail>,
    balances: Vec<Balance>,
    lines: Vec<Line>,
    exchanges: String,
    /// Lines of the journal for which there was no room.
    lines_left_out: Option<String>,
    journal: String,
}

/// Something to know: a text, or a time.
#[derive(Debug, Serialize)]
pub(super) struct Fact {
    name: &'static str,
    text: Option<String>,
    when: Option<When>,
}

impl Fact {
    pub(super) fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: Some(short(&text.into(), TEXT).into_owned()), when: None }
    }

    pub(super) fn when(name: &'static str, at: DateTime<Utc>) -> Self {
        Self { name, text: None, when: Some(When::new(at)) }
    }
}

/// Why a run failed.
#[derive(Debug, Serialize)]
struct Why {
    reason: String,
    step: u32,
    headline: String,
    errors: Vec<Explained>,
    more: usize,
}

/// An error that NCTS named: label and text.
#[derive(Debug, Serialize)]
struct Explained {
    rows: Vec<(&'static str, String)>,
}

#[derive(Debug, Serialize)]
struct Message {
    number: usize,
    kind: &'static str,
    sent: bool,
    meaning: &'static str,
    step: Option<u32>,
    at: When,
    /// Whether that is by our clock.
    ours: bool,
    server: Option<When>,
    api: Option<When>,
    status: u16,
    exchange: u32,
    /// Whether that exchange is told below.
    linked: bool,
    ids: Vec<(&'static str, String)>,
    body: Body,
}

/// A mail to the officers, or what the user told of theirs.
#[derive(Debug, Serialize)]
struct Mail {
    what: &'static str,
    step: u32,
    when: When,
    to: Option<String>,
    subject: Option<String>,
    /// How it went out.
    sent_by: Option<&'static str>,
    text: Option<Body>,
    eml: Option<Body>,
    note: Option<String>,
    attachments: Vec<(String, Body)>,
}

#[derive(Debug, Serialize)]
struct Balance {
    step: u32,
    at: When,
    server: Option<When>,
    answer: String,
    exchange: u32,
    linked: bool,
}

/// `DNGB1, attempt 2`.
pub(super) fn name(scenario: &str, attempt: u32) -> String {
    format!("{}, attempt {attempt}", short(scenario, 60))
}

/// What a run's section is made of, beside the run.
pub(super) struct Around<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) room: &'a Room,
    /// Titles of the requirements for which it counts.
    pub(super) stands_for: Vec<String>,
    pub(super) why_not: Option<String>,
    pub(super) findings: Vec<(usize, &'static str)>,
    pub(super) fresh_until: Option<DateTime<Utc>>,
}

impl Run {
    pub(super) fn new(story: &RunStory, around: Around<'_>, shelf: &mut Shelf<'_>) -> Self {
        let record = &story.record;
        let scenario = around.catalogue.scenario(&record.programme, &record.scenario);
        let told = around.room.lines.get(&record.run).copied().unwrap_or(0);
        let requests = story.events.iter().take(told).filter_map(|line| match &line.event {
            Event::Request(request) => Some(request.exchange),
            _ => None,
        });
        let requests: BTreeSet<u32> = requests.collect();
        let is_told = |exchange| requests.contains(&exchange);
        // In the order of the page: a body is shown where it is met first.
        let messages = record
            .messages
            .iter()
            .enumerate()
            .map(|(at, one)| message(at + 1, one, is_told(one.exchange), shelf))
            .collect();
        let mails =
            story.events.iter().filter_map(|line| mail(line.at, &line.event, shelf)).collect();
        let headers = |exchange| around.room.headers.contains(&(record.run, exchange));
        let lines = lines(story, told, headers, shelf);
        Self {
            id: record.run.to_string(),
            name: name(&record.scenario, record.attempt),
            title: scenario.map(|scenario| scenario.title.clone()),
            state: state(record.state),
            simulated: record.simulated,
            facts: facts(record, scenario, around.fresh_until, story.events.len()),
            stands_for: around.stands_for,
            why_not: around.why_not,
            findings: around.findings,
            failure: record.failure.as_ref().map(why),
            steps: scenario.map(|scenario| rows(scenario, record)).unwrap_or_default(),
            messages,
            mails,
            balances: record
                .balances
                .iter()
                .map(|one| balance(one, is_told(one.exchange)))
                .collect(),
            lines,
            exchanges: count(story.exchanges.len() as u64, "exchange"),
            lines_left_out: (told < story.events.len())
                .then(|| count((story.events.len() - told) as u64, "line")),
            journal: journal_name(record.run),
        }
    }
}

fn facts(
    record: &RunRecord,
    scenario: Option<&Scenario>,
    fresh_until: Option<DateTime<Utc>>,
    lines: usize,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut text = |name, value: Option<String>| {
        facts.extend(value.map(|value| Fact::text(name, value)));
    };
    text("LRN", record.lrn.clone());
    text("MRN", record.mrn.clone());
    let first = record.first_submission();
    facts.extend(first.map(|at| Fact::when("First submission", at)));
    facts.extend(fresh_until.map(|at| Fact::when("Fresh until", at)));
    facts.push(Fact::when("Opened", record.opened));
    match record.closed {
        Some(closed) => {
            facts.push(Fact::when("Closed", closed));
            facts.push(Fact::text("Took", span(closed - record.opened)));
        }
        None => facts.push(Fact::when("Last event", record.last_event)),
    }
    let mut text = |name, value: Option<String>| {
        facts.extend(value.map(|value| Fact::text(name, value)));
    };
    let simulated = if record.simulated { " (simulated)" } else { "" };
    text("Environment", Some(format!("{}{simulated}", record.environment.as_str())));
    text("Address of the API", Some(record.base_url.clone()));
    text("API version", Some(record.api_version.clone()));
    text("Programme", Some(record.programme.clone()));
    let software = &record.software;
    text("Software", Some(format!("{} {}", software.name, software.version)));
    text("Build", Some(software.build.clone().unwrap_or_else(|| "not stated".into())));
    text("Sent by", Some(driver(record)));
    text("Run by", record.operator.clone());
    text("Recorded by", Some(record.tool.clone()));
    text("Clocks", Some(skew(record.max_skew_ms)));
    let requests = count(record.requests.into(), "request");
    text("Requests", Some(format!("{requests}, {} in the journal", count(lines as u64, "line"))));
    text("Run", Some(record.run.to_string()));
    text("Corrected against HMRC’s text", scenario.and_then(|scenario| scenario.errata.clone()));
    facts
}

fn driver(record: &RunRecord) -> String {
    match record.driver {
        Driver::Direct => "ctc-ready, in the software’s place (direct)",
        Driver::Command => "the software, called by ctc-ready (command)",
        Driver::Proxy => "the software, through ctc-ready (proxy)",
        Driver::Collect => "the software; ctc-ready fetched the movement (collect)",
        Driver::Import => "the software; from a recording (import)",
    }
    .into()
}

fn why(failure: &Failure) -> Why {
    Why {
        reason: short(&failure.reason, 100).into_owned(),
        step: failure.step,
        headline: short(headline(failure), 4 * TEXT).into_owned(),
        errors: failure.errors.iter().take(ERRORS).map(|one| explained(one, failure)).collect(),
        more: failure.errors.len().saturating_sub(ERRORS),
    }
}

fn explained(told: &ExplainedError, failure: &Failure) -> Explained {
    let error = &told.error;
    let with = |name: &str, meaning: &Option<String>| match meaning {
        Some(meaning) => format!("{name}: {meaning}"),
        None => name.to_owned(),
    };
    let rule = !error.reason.is_empty() && error.reason != "N/A";
    let place = told.line.zip(told.excerpt.as_ref()).map(|(line, excerpt)| {
        let of = failure.refused.map(|message| format!(" of the {message}")).unwrap_or_default();
        format!("{line}{of}: {excerpt}")
    });
    let rows = [
        ("Code", Some(with(&error.code, &told.meaning))),
        ("Rule", rule.then(|| with(&error.reason, &told.rule_meaning))),
        ("At", Some(error.pointer.clone())),
        ("Value read", error.value.clone()),
        ("Line", place),
        ("Hint", told.hint.clone()),
    ];
    let rows = rows.into_iter().filter_map(|(label, text)| Some((label, text?)));
    Explained { rows: rows.map(|(label, text)| (label, short(&text, TEXT).into_owned())).collect() }
}

fn message(number: usize, message: &MessageRecord, linked: bool, shelf: &mut Shelf<'_>) -> Message {
    let ids = [
        ("LRN", message.lrn.clone()),
        ("MRN", message.mrn.clone()),
        (message.movement.id_field(), Some(message.movement_id.clone())),
        ("messageId", Some(message.message_id.clone())),
    ];
    Message {
        number,
        kind: message.message.as_str(),
        sent: message.direction == Direction::Sent,
        meaning: message.message.meaning(),
        step: message.step,
        at: When::new(message.at),
        ours: message.received != Some(message.at),
        server: message.server_time.map(When::new),
        api: message.received.map(When::new),
        status: message.status,
        exchange: message.exchange,
        linked,
        ids: ids
            .into_iter()
            .filter_map(|(name, value)| Some((name, short(&value?, 200).into_owned())))
            .collect(),
        body: shelf.body(&message.body),
    }
}

fn mail(at: DateTime<Utc>, event: &Event, shelf: &mut Shelf<'_>) -> Option<Mail> {
    let ask = |what, asked: &OfficerAsked, shelf: &mut Shelf<'_>| Mail {
        what,
        step: asked.step,
        when: When::new(at),
        to: Some(short(&asked.to, TEXT).into_owned()),
        subject: Some(short(&asked.subject, TEXT).into_owned()),
        sent_by: Some(if asked.delivered {
            "delivered by ctc-ready to the simulator’s officers"
        } else {
            "drafted by ctc-ready for a person to send"
        }),
        text: Some(shelf.attachment(&asked.body)),
        eml: asked.eml.as_ref().map(|eml| shelf.attachment(eml)),
        note: None,
        attachments: Vec::new(),
    };
    match event {
        Event::OfficerAsked(asked) => Some(ask("The officers were asked", asked, shelf)),
        Event::OfficerReminded(asked) => Some(ask("The officers were reminded", asked, shelf)),
        Event::OfficerAnswered(answered) => Some(Mail {
            what: "The officers answered, as the user told",
            step: answered.step,
            when: When::new(at),
            to: None,
            subject: None,
            sent_by: None,
            text: None,
            eml: None,
            note: answered.note.as_ref().map(|note| short(note, 4 * TEXT).into_owned()),
            attachments: answered
                .attachments
                .iter()
                .map(|one| (short(&one.name, TEXT).into_owned(), shelf.attachment(&one.file)))
                .collect(),
        }),
        _ => None,
    }
}

fn balance(balance: &BalanceRecord, linked: bool) -> Balance {
    Balance {
        step: balance.step,
        at: When::new(balance.at),
        server: balance.server_time.map(When::new),
        answer: short(&answered(balance), TEXT).into_owned(),
        exchange: balance.exchange,
        linked,
    }
}

/// Why a run that does not count does not, in a sentence.
pub(super) fn why_not(story: &RunStory, rehearsal: bool, stale: bool) -> String {
    let record = &story.record;
    match record.state {
        RunState::Failed => {
            let failure = record.failure.as_ref();
            let step = failure.map_or(0, |failure| failure.step);
            let what = failure.map_or("no reason is recorded", headline);
            format!("failed at step {step}: {}", short(what, 2 * TEXT))
        }
        RunState::Abandoned => match &record.failure {
            Some(failure) => format!("given up: {}", short(headline(failure), 2 * TEXT)),
            None => "given up".into(),
        },
        RunState::Waiting => {
            format!("not finished: {} so far", count(record.messages.len() as u64, "message"))
        }
        RunState::Passed if record.simulated && !rehearsal => {
            "passed, in the built-in simulator, which never counts".into()
        }
        RunState::Passed if stale => "passed, and too old by now".into(),
        RunState::Passed => "passed; another run stands, or nothing asks for it".into(),
    }
}
