//! What the software asked, and what it was told: messages that it fetched.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::ledger::Ledger;
use super::record::RecordError;
use super::route::Route;
use super::run::List;
use super::wire::Heard;
use crate::engine::exchange::{self, Answered, Intent};
use crate::engine::reading::{Fetched, Reading, UnreadableMessage};
use crate::engine::report::Doing;
use crate::evidence::{Durability, Event, EvidenceError, ObjectRef, Purpose};
use crate::hmrc::ctc::{self, ListedMessage};
use crate::hmrc::transport::Answer;
use crate::ncts::{Direction, MessageType, MovementKind};

impl Ledger<'_> {
    /// Notes a question of the software, and what it was told.
    pub(super) fn asked(
        &mut self,
        heard: &Heard,
        sent_at: DateTime<Utc>,
        result: &Answered,
    ) -> Result<(), RecordError> {
        let (kind, movement, purpose) = match &heard.route {
            Route::Movements(kind) => {
                return self.movements_listed(*kind, heard, sent_at, result);
            }
            Route::Messages(kind, movement) => (*kind, movement, Purpose::ListMessages),
            Route::Message { kind, movement, .. } => (*kind, movement, Purpose::GetMessage),
            _ => return Ok(()),
        };
        let Some(index) = self.runs.iter().position(|run| run.has(kind, movement)) else {
            return match (&heard.route, self.suspected(kind, movement)) {
                (Route::Messages(..), Some(index)) => {
                    self.messages_looked_up(index, movement, heard, sent_at, result)
                }
                _ => {
                    self.passed_on += 1;
                    Ok(())
                }
            };
        };
        if purpose == Purpose::ListMessages && self.runs[index].in_doubt() {
            return self.messages_looked_up(index, movement, heard, sent_at, result);
        }
        let (exchange, body) = self.exchanged(index, purpose, heard, sent_at, result)?;
        let answer = match result {
            Ok(answer) if answer.status == 200 => answer,
            _ => return Ok(()),
        };
        match &heard.route {
            Route::Message { kind, movement, message, body: alone } => {
                let of = Fetched {
                    kind: *kind,
                    movement,
                    message_id: message,
                    exchange,
                    received: None,
                };
                self.fetched(index, of, *alone, answer, body)?;
            }
            _ => self.listed(index, kind, sent_at, answer),
        }
        self.judge(index)
    }

    /// Records a question and its answer, once both are known; tells the
    /// exchange's number and the body of the answer as it is kept.
    pub(super) fn exchanged(
        &mut self,
        index: usize,
        purpose: Purpose,
        heard: &Heard,
        sent_at: DateTime<Utc>,
        result: &Answered,
    ) -> Result<(u32, Option<ObjectRef>), EvidenceError> {
        let run = &mut self.runs[index];
        let exchange = run.next_exchange();
        let intent = Intent::asking(purpose);
        let (writer, redactor) = (&mut run.writer, &self.redactor);
        let sent_at = Some(sent_at);
        let request = exchange::record_request(
            writer,
            redactor,
            exchange,
            &intent,
            &heard.call,
            sent_at,
            None,
        )?;
        let result = exchange::record_result(writer, redactor, exchange, result)?;
        run.state.apply(&request);
        run.state.apply(&result);
        let body = match result.event {
            Event::Response(response) => response.body,
            _ => None,
        };
        self.count();
        Ok((exchange, body))
    }

    /// Takes note of what the software was told of a movement's messages.
    fn listed(&mut self, index: usize, kind: MovementKind, at: DateTime<Utc>, answer: &Answer) {
        if let Ok(listed) = ctc::messages(&answer.body) {
            let messages = listed.into_iter().filter(from_ncts);
            let messages = messages.map(|message| (message.id, message.received)).collect();
            self.runs[index].lists.insert(kind, List { at, messages });
        }
    }

    /// Takes a message that the software fetched.
    fn fetched(
        &mut self,
        index: usize,
        mut of: Fetched<'_>,
        alone: bool,
        answer: &Answer,
        stored: Option<ObjectRef>,
    ) -> Result<(), RecordError> {
        let run = &mut self.runs[index];
        let Some(stored) = stored else { return Ok(()) };
        if run.state.known_messages.contains(of.message_id) {
            return Ok(());
        }
        let listed = run.lists.get(&of.kind).and_then(|list| list.messages.get(of.message_id));
        of.received = listed.copied();
        let (reading, body) = match alone {
            true => (read(answer.header("content-type"), &answer.body), stored),
            false => {
                let Ok(whole) = serde_json::from_slice::<Value>(&answer.body) else {
                    return Ok(());
                };
                if let Ok(said) = serde_json::from_value::<ListedMessage>(whole.clone()) {
                    of.received = Some(said.received);
                }
                match whole.get("body") {
                    // It is still to be uploaded.
                    None | Some(Value::Null) => return Ok(()),
                    Some(Value::String(xml)) => {
                        let reading = Reading::of_xml(xml);
                        let media = Some("application/xml");
                        (reading, run.writer.put_object(xml.as_bytes(), media, &self.redactor)?)
                    }
                    Some(json) => (Reading::of_value(json), stored),
                }
            }
        };
        let reading = match reading {
            Ok(reading) if reading.message.direction() == Direction::Sent => return Ok(()),
            Ok(reading) => reading,
            Err(error) => {
                let (id, scenario) = (of.message_id, run.scenario());
                let text = format!("{scenario}: message {id} is passed over: {error}");
                self.watcher.note(&self.redactor.text(&text));
                return Ok(());
            }
        };
        let message = reading.message;
        let step = run.view(Doing::Waiting).step;
        run.append(reading.received(of, body), Durability::Synced)?;
        run.waiting_for = None;
        let view = run.view(Doing::Received { step, message });
        self.watcher.moved(&view);
        Ok(())
    }
}

/// Whether a listed message is one of NCTS, as far as its type tells.
fn from_ncts(listed: &ListedMessage) -> bool {
    let Some(text) = &listed.message else { return false };
    text.parse::<MessageType>().map_or(true, |message| message.direction() == Direction::Received)
}

/// Reads a message by what its `Content-Type` says it is.
pub(super) fn read(media_type: Option<&str>, body: &[u8]) -> Result<Reading, UnreadableMessage> {
    match media_type.is_some_and(|media_type| media_type.to_ascii_lowercase().contains("json")) {
        true => Reading::of_json(body),
        false => Reading::of_xml(&String::from_utf8_lossy(body)),
    }
}
