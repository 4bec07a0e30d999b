//! What passed by becomes evidence: one line of a journal after the other, in
//! the order in which the software saw it happen.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;

use super::asked::read;
use super::recognise::Recognition;
use super::record::{Options, RecordError};
use super::route::Route;
use super::run::{Run, UnderWay};
use super::text;
use super::wire::{Errand, Heard, Reply, Ticket, Told};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::engine::exchange::{self, Answered, Intent};
use crate::engine::report::{Doing, RunEntry, Watcher};
use crate::evidence::{
    Driver, Durability, Event, EvidenceError, Imported, Purpose, Redactor, RunId, RunRecord,
    RunState, StoreWriter, Submitted, UNASSIGNED,
};
use crate::hmrc::ctc;
use crate::hmrc::transport::NoAnswer;
use crate::ncts::{MessageType, MovementKind};

/// How often runs are looked at while nothing passes by: deadlines pass.
const TICK: Duration = Duration::from_millis(500);

/// Where a message came from, as evidence says it.
const ORIGIN: &str = "the software under test";

/// The same, of a message that is uploaded elsewhere.
const UPLOADED: &str = "the software under test, by an upload that does not pass through \
                        ctc-ready: the body was not seen";

/// Writes the evidence.
pub(super) struct Ledger<'a> {
    pub(super) store: &'a StoreWriter,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watcher: &'a mut dyn Watcher,
    pub(super) options: &'a Options,
    pub(super) recognition: &'a Recognition,
    pub(super) redactor: Arc<Redactor>,
    pub(super) errands: UnboundedSender<Errand>,
    /// Set while some message's fate is in doubt.
    pub(super) in_doubt: Arc<AtomicBool>,
    /// Messages that wait for another of their movement.
    pub(super) held: Vec<(Heard, Reply)>,
    /// The file that all of it comes from.
    pub(super) imported: Option<Imported>,
    /// Its time: judged is what was known then.
    pub(super) claimed: Option<DateTime<Utc>>,
    /// Runs that are open.
    pub(super) runs: Vec<Run>,
    /// Every run that was open in this session.
    pub(super) seen: Vec<RunId>,
    /// Requests that are evidence.
    pub(super) requests: u64,
    /// Requests of which nothing is kept.
    pub(super) passed_on: u64,
}

impl Ledger<'_> {
    /// Takes up the runs that an earlier recording left open.
    pub(super) fn take_up(&mut self, catalogue: &Catalogue) -> Result<(), RecordError> {
        let (runs, _) = self.store.read()?.readable_runs();
        let ours = |run: &RunRecord| {
            run.driver == Driver::Proxy
                && run.state == RunState::Waiting
                && run.environment == self.options.environment
                && run.base_url == self.options.address()
        };
        for record in runs.into_iter().filter(ours) {
            let programme = catalogue.programme(&record.programme);
            let of = programme.and_then(|programme| {
                let scenario = catalogue.scenario(&programme.id, &record.scenario)?;
                Some((programme.clone(), scenario.clone()))
            });
            if of.is_none() && record.scenario != UNASSIGNED {
                let RunRecord { run, scenario, .. } = record;
                self.watcher.note(&format!(
                    "run {run} stays as it is: its scenario `{scenario}` is not in the catalogue"
                ));
                continue;
            }
            let (writer, events) = self.store.resume_run(record.run)?;
            let Some(Event::RunOpened(opened)) = events.first().map(|first| &first.event) else {
                continue;
            };
            let run = Run::new(opened, of, writer, &events);
            self.add(run, true);
        }
        for index in (0..self.runs.len()).rev() {
            self.judge(index)?;
        }
        self.tell_doubts();
        Ok(())
    }

    pub(super) fn add(&mut self, run: Run, resumed: bool) {
        self.seen.push(run.id);
        self.watcher.moved(&run.view(Doing::Opened { resumed }));
        self.runs.push(run);
    }

    /// Writes what it is told until the proxy has ended.
    pub(super) fn keep(&mut self, told: &Receiver<Told>) -> Result<(), RecordError> {
        loop {
            match told.recv_timeout(TICK) {
                Ok(Told::Ended) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(told) => self.take(told)?,
                Err(RecvTimeoutError::Timeout) => {
                    for index in (0..self.runs.len()).rev() {
                        self.judge(index)?;
                    }
                }
            }
            self.tell_doubts();
        }
    }

    /// Tells the proxy whether lists of movements matter. Before it is known
    /// that an answer was lost, too: the software may be faster with its list.
    fn tell_doubts(&self) {
        let doubt = self.runs.iter().any(Run::is_unsettled);
        self.in_doubt.store(doubt, Ordering::Relaxed);
    }

    /// The runs of this session as they stand.
    pub(super) fn entries(&self) -> Result<Vec<RunEntry>, EvidenceError> {
        let store = self.store.read()?;
        let entry = |run: &RunId| {
            let open = self.runs.iter().find(|own| own.id == *run);
            let waiting = open.and_then(|run| run.waiting_for.clone());
            Ok(RunEntry::new(&store.run(*run)?, waiting))
        };
        self.seen.iter().map(entry).collect()
    }

    fn take(&mut self, told: Told) -> Result<(), RecordError> {
        match told {
            Told::Leaves(heard, reply) => self.let_leave(heard, reply)?,
            Told::Left(ticket, result, _room) => {
                self.left(ticket, &kept(result))?;
                for (heard, reply) in std::mem::take(&mut self.held) {
                    self.let_leave(heard, reply)?;
                }
            }
            Told::Asked { heard, sent_at, result, room: _room } => {
                self.asked(&heard, sent_at, &kept(result))?;
            }
            Told::Mailed(errand, result) => self.mailed(&errand, &result)?,
            Told::PassedOn => self.passed_on += 1,
            Told::Note(text) => self.watcher.note(&self.redactor.text(&text)),
            Told::Ended => {}
        }
        Ok(())
    }

    /// The time: of a file, as far as it has been taken, what that claims.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.claimed.unwrap_or_else(|| self.clock.now())
    }

    /// Takes an exchange of a file.
    pub(super) fn replay(&mut self, mut heard: Heard, result: Answered) -> Result<(), RecordError> {
        self.claimed = self.claimed.max(heard.sent_at);
        match (&heard.route, heard.sent_at) {
            (Route::Open(_) | Route::Add(..), _) => match self.leaves(&mut heard)? {
                Some(ticket) => self.left(ticket, &result),
                None => Ok(()),
            },
            (_, Some(sent_at)) => self.asked(&heard, sent_at, &result),
            (_, None) => Ok(()),
        }
    }

    pub(super) fn count(&mut self) {
        self.requests += 1;
        self.watcher.requested(self.requests);
    }

    pub(super) fn position(&self, run: RunId) -> Option<usize> {
        self.runs.iter().position(|own| own.id == run)
    }

    /// Lets a message leave, unless another of its movement is on its way: what
    /// became of that one would not be known.
    fn let_leave(&mut self, mut heard: Heard, reply: Reply) -> Result<(), RecordError> {
        let busy = match &heard.route {
            Route::Add(kind, movement) => {
                self.runs.iter().any(|run| run.has(*kind, movement) && run.under_way.is_some())
            }
            _ => false,
        };
        if busy {
            self.held.push((heard, reply));
            return Ok(());
        }
        // Without a reply nothing leaves.
        let ticket = self.leaves(&mut heard)?;
        let _ = reply.send((ticket, heard.call.body.unwrap_or_default()));
        Ok(())
    }

    /// Has a message of the software on disk before it leaves.
    fn leaves(&mut self, heard: &mut Heard) -> Result<Option<Ticket>, RecordError> {
        let body = heard.call.body.take().unwrap_or_default();
        let plain = match text::plain(heard.header("content-encoding"), &body) {
            Ok(Cow::Borrowed(_)) => None,
            Ok(Cow::Owned(plain)) => Some((plain, ORIGIN.to_owned())),
            Err(why) => Some((Vec::new(), format!("{ORIGIN}; {why}"))),
        };
        // A large body is not copied on its way.
        let Some((plain, origin)) = plain else {
            heard.call.body = Some(body);
            return self.leaves_plain(heard, ORIGIN.to_owned());
        };
        heard.call.body = Some(plain);
        let ticket = self.leaves_plain(heard, origin);
        heard.call.body = Some(body);
        ticket
    }

    /// The same of a message without compression.
    fn leaves_plain(
        &mut self,
        heard: &Heard,
        mut origin: String,
    ) -> Result<Option<Ticket>, RecordError> {
        if !heard.typed {
            origin = UPLOADED.to_owned();
        }
        let body = heard.call.body.as_deref().unwrap_or_default();
        let reading = match heard.typed {
            true => read(heard.header("content-type"), body).ok(),
            false => None,
        };
        let (index, kind) = match &heard.route {
            Route::Open(kind) => match self.run_that_opens(*kind, heard, reading.as_ref())? {
                Some(index) => (index, *kind),
                None => return Ok(None),
            },
            Route::Add(kind, movement) => {
                match self.runs.iter().position(|run| run.has(*kind, movement)) {
                    Some(index) => (index, *kind),
                    None => {
                        self.passed_on += 1;
                        self.watcher.note(&format!(
                            "a message for the {} {movement} was passed on: it is of no open run",
                            kind.singular()
                        ));
                        return Ok(None);
                    }
                }
            }
            _ => return Ok(None),
        };
        let run = &mut self.runs[index];
        let next = run.of.as_ref().and_then(|(_, scenario)| run.next_send(scenario));
        let message = match (&reading, &heard.route) {
            (Some(reading), _) => Some(reading.message),
            (None, Route::Open(MovementKind::Departure)) => Some(MessageType::Ie015),
            (None, Route::Open(MovementKind::Arrival)) => Some(MessageType::Ie007),
            // What it is nobody can tell; the movement says what it should be.
            (None, _) => next.map(|(_, message)| message),
        };
        let step = message.and_then(|message| run.step_for(message));
        let exchange = run.next_exchange();
        let lrn = reading.as_ref().and_then(|reading| reading.lrn.clone());
        let intent = Intent {
            purpose: Purpose::Submit,
            step,
            message,
            lrn,
            message_identification: reading.as_ref().and_then(|it| it.identification.clone()),
            payload_origin: Some(origin),
            payload_mutation: None,
            payload_check: None,
        };
        let (writer, call) = (&mut run.writer, &heard.call);
        let (redactor, sent_at) = (&self.redactor, heard.sent_at);
        let recorded =
            exchange::record_request(writer, redactor, exchange, &intent, call, sent_at, None)?;
        run.state.apply(&recorded);
        run.under_way = Some(UnderWay { exchange, kind, mrn: reading.and_then(|it| it.mrn) });
        run.waiting_for = None;
        let name = message.map_or("message", |message| message.as_str());
        let ticket = Ticket { run: run.id, exchange };
        let view = run.view(format!("the software sends {name}"));
        let wrong = (step.is_none() && run.of.is_some()).then(|| out_of_order(run, name));
        self.watcher.moved(&view);
        if let Some(wrong) = wrong {
            self.watcher.note(&wrong);
        }
        self.count();
        Ok(Some(ticket))
    }

    /// Notes what came of a message.
    fn left(&mut self, ticket: Ticket, result: &Answered) -> Result<(), RecordError> {
        let Some(index) = self.position(ticket.run) else { return Ok(()) };
        let run = &mut self.runs[index];
        let recorded =
            exchange::record_result(&mut run.writer, &self.redactor, ticket.exchange, result)?;
        run.state.apply(&recorded);
        let under_way = run.under_way.take().filter(|it| it.exchange == ticket.exchange);
        let told = match result {
            Ok(answer) if (200..300).contains(&answer.status) => {
                let kind = under_way.as_ref().map(|it| it.kind);
                kind.map(|kind| ctc::taken(kind, &answer.body))
            }
            Ok(answer) => {
                let problem = self.redactor.text(&ctc::problem(answer));
                let text = format!("{}: {problem}", run.scenario());
                run.last_problem = Some(problem);
                self.watcher.note(&text);
                None
            }
            Err(none) => {
                let detail = self.redactor.text(&none.detail);
                self.watcher.note(&format!("{}: {detail}", run.scenario()));
                None
            }
        };
        match told {
            Some(Ok(taken)) => {
                let mrn = under_way.and_then(|it| it.mrn);
                self.submitted(index, ticket.exchange, taken, None, mrn)?;
            }
            Some(Err(error)) => {
                let text = format!("{}: {error}", self.runs[index].scenario());
                self.watcher.note(&text);
            }
            None => {}
        }
        self.judge(index)
    }

    /// Notes that the API has a message.
    pub(super) fn submitted(
        &mut self,
        index: usize,
        exchange: u32,
        taken: ctc::Taken,
        received: Option<DateTime<Utc>>,
        mrn: Option<String>,
    ) -> Result<(), RecordError> {
        let run = &mut self.runs[index];
        let Some(pending) = run.state.pending.clone() else { return Ok(()) };
        let (Some(step), Some(message), Some(body)) =
            (pending.request.step, pending.request.message, pending.body)
        else {
            return Ok(());
        };
        let movement = message.movement();
        let departs = movement == MovementKind::Departure;
        let event = Event::Submitted(Submitted {
            step,
            message,
            lrn: pending.request.lrn.filter(|_| departs),
            mrn: mrn.or_else(|| run.state.mrn.clone()).filter(|_| !departs),
            movement,
            movement_id: taken.movement_id,
            message_id: taken.message_id,
            exchange,
            received,
            box_id: taken.box_id,
            body,
        });
        run.append(event, Durability::Synced)?;
        let view = run.view(Doing::Sent { step, message });
        self.watcher.moved(&view);
        Ok(())
    }
}

/// An answer as it is kept: without the compression of the transport.
fn kept(result: Answered) -> Answered {
    let mut answer = result?;
    let plain = match text::plain(answer.header("content-encoding"), &answer.body) {
        Ok(Cow::Borrowed(_)) => return Ok(answer),
        Ok(Cow::Owned(plain)) => plain,
        Err(why) => {
            return Err(NoAnswer {
                failure: "body",
                detail: format!("HTTP {}: {why}", answer.status),
                may_have_arrived: true,
            });
        }
    };
    answer.body = plain;
    Ok(answer)
}

/// What is told of a message that is not the next one.
pub(super) fn out_of_order(run: &Run, name: &str) -> String {
    let next = run.of.as_ref().and_then(|(_, scenario)| run.next_send(scenario));
    let expected = match next {
        Some((step, message)) => format!("step {step} sends {message}"),
        None => "the scenario sends nothing more".to_owned(),
    };
    format!("{}: the software sends {name}, where {expected}", run.scenario())
}
