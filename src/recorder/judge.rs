//! What comes next in a run, by the same rules as for any other: the software
//! is told by nobody, so all that is left to do here is to ask the officers, to
//! say who is waited for, and to end the run.

use chrono::{DateTime, Duration, Utc};

use super::ledger::{Ledger, out_of_order};
use super::record::RecordError;
use super::run::Run;
use super::wire::{Errand, Ticket};
use crate::engine::decide::{Action, failed};
use crate::engine::exchange::{self, Answered, Intent};
use crate::engine::mail::{self, Mail};
use crate::engine::report::Doing;
use crate::engine::state::Fate;
use crate::engine::{end, explain, hours, is_permanent};
use crate::evidence::{Actor, Durability, Failure, Purpose, RunClosed, RunState, WaitingFor};
use crate::hmrc::ctc;
use crate::ncts::MessageType;
use crate::project::Environment;

/// How long to wait before an e-mail is handed over again.
const AGAIN: Duration = Duration::seconds(2);

/// How long software may take to fetch what it saw on a list.
const SOON: Duration = Duration::seconds(60);

impl Ledger<'_> {
    /// Does what a run needs, as far as that is ours; a run that is over is no
    /// longer among the open ones afterwards.
    pub(super) fn judge(&mut self, index: usize) -> Result<(), RecordError> {
        let now = self.now();
        let Some(run) = self.runs.get(index).filter(|run| run.under_way.is_none()) else {
            return Ok(());
        };
        if let Some(closed) = strayed(run) {
            return self.finish(index, closed);
        }
        let Some((_, scenario)) = &run.of else {
            self.wait(index, unassigned(run));
            return Ok(());
        };
        let (state, tempo) = (&run.state, run.tempo);
        match hours::next(scenario, state, tempo, &run.hours, now, run.looked()) {
            // It is the software that does it, whoever else might.
            Action::Send { step, message, .. }
            | Action::Perform { step, message, .. }
            | Action::LookFor { step, message }
            | Action::NotSent { step, message } => {
                let waiting = sends(run, step, message);
                self.wait(index, waiting);
            }
            Action::LookUp { message, .. } => {
                let what = format!(
                    "whether the {message} arrived is not known: the software is to look for it \
                     among its movements, or to send it again"
                );
                self.wait(index, WaitingFor { actor: Actor::You, what, deadline: None });
            }
            Action::AskOfficer { step } | Action::FollowUp { step } if self.imported.is_some() => {
                let what = format!("officers are to act on step {step}");
                self.wait(index, WaitingFor { actor: Actor::Officer, what, deadline: None });
            }
            Action::AskOfficer { step } => return self.ask(index, step, None, now),
            Action::FollowUp { step } => {
                let asked = state.asked.get(&step).copied().unwrap_or(now);
                return self.ask(index, step, Some(asked), now);
            }
            Action::Inject { message, .. } => {
                let what = format!(
                    "in the sandbox nobody answers by itself: the software is to have the \
                     {message} injected, and to fetch it"
                );
                self.wait(index, WaitingFor { actor: Actor::You, what, deadline: None });
            }
            Action::Stop { why } => {
                self.wait(index, WaitingFor { actor: Actor::You, what: why, deadline: None });
            }
            Action::AskBalance { step, .. } => {
                let what = format!("step {step} asks for a balance, which is not recorded");
                self.wait(index, WaitingFor { actor: Actor::You, what, deadline: None });
            }
            Action::Await { waiting_for, .. } => {
                let waiting = unfetched(run, waiting_for, now);
                self.wait(index, waiting);
            }
            Action::Finish(closed) | Action::GiveUp(closed) => return self.finish(index, closed),
            Action::Over => drop(self.runs.remove(index)),
        }
        Ok(())
    }

    /// The file of an import ends: what is still open did not come to its end
    /// there.
    pub(super) fn file_ends(&mut self) -> Result<(), RecordError> {
        while let Some(run) = self.runs.last() {
            let index = self.runs.len() - 1;
            let missing = run.waiting_for.as_ref().map_or("", |waiting| waiting.what.as_str());
            let message = format!("the file ends before the scenario does: {missing}");
            let step = run.view(Doing::Waiting).step;
            self.finish(index, failed("incomplete", step, message))?;
        }
        Ok(())
    }

    fn wait(&mut self, index: usize, waiting_for: WaitingFor) {
        let run = &mut self.runs[index];
        if run.waiting_for.as_ref() != Some(&waiting_for) {
            run.waiting_for = Some(waiting_for);
            let view = run.view(Doing::Waiting);
            self.watcher.moved(&view);
        }
    }

    /// Drafts the e-mail to the officers: the first, or (with `asked`, when that
    /// was) the one that reminds them. The simulator's get it at once.
    fn ask(
        &mut self,
        index: usize,
        step: u32,
        asked: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<(), RecordError> {
        let run = &mut self.runs[index];
        if run.asking || run.ask_after.is_some_and(|after| now < after) {
            return Ok(());
        }
        let Some((programme, scenario)) = &run.of else { return Ok(()) };
        let software = format!("{} {}", self.options.software.name, self.options.software.version);
        let about = mail::About {
            run: run.id,
            now,
            lrn: run.lrn().unwrap_or_default(),
            mrn: run.state.mrn.as_deref(),
            software: &software,
            contact: self.options.contact.as_deref(),
        };
        let mail = mail::draft(programme, scenario, step, asked, &about)?;
        if self.options.environment != Environment::Simulator {
            self.was_asked(index, &mail, false)?;
            return self.judge(index);
        }
        let call = mail.to_simulator(&self.options.base_url);
        let exchange = run.next_exchange();
        let intent = Intent::asking(Purpose::Mail);
        let writer = &mut run.writer;
        let recorded =
            exchange::record_request(writer, &self.redactor, exchange, &intent, &call, None, None)?;
        run.state.apply(&recorded);
        run.asking = true;
        let errand = Errand { of: Ticket { run: run.id, exchange }, mail, call };
        let view = run.view("asking the officers");
        self.watcher.moved(&view);
        // Nobody is there to hear it only while we end.
        let _ = self.errands.send(errand);
        Ok(())
    }

    /// Notes what came of an e-mail to the simulator's officers.
    pub(super) fn mailed(&mut self, errand: &Errand, result: &Answered) -> Result<(), RecordError> {
        let Errand { of: Ticket { run, exchange }, mail, .. } = errand;
        let Some(index) = self.position(*run) else { return Ok(()) };
        let run = &mut self.runs[index];
        run.asking = false;
        let recorded = exchange::record_result(&mut run.writer, &self.redactor, *exchange, result)?;
        run.state.apply(&recorded);
        let problem = match result {
            Ok(answer) if (200..300).contains(&answer.status) => {
                self.was_asked(index, mail, true)?;
                return self.judge(index);
            }
            Ok(answer) => self.redactor.text(&ctc::problem(answer)),
            Err(none) => self.redactor.text(&none.detail),
        };
        if result.as_ref().is_ok_and(|answer| is_permanent(answer.status)) {
            let message = format!("the officer refused: {problem}");
            return self.finish(index, failed("officer-refused", mail.step, message));
        }
        run.ask_after = Some(self.clock.now() + AGAIN);
        let text = format!("{}: the officers could not be asked: {problem}", run.scenario());
        self.watcher.note(&text);
        Ok(())
    }

    fn was_asked(&mut self, index: usize, mail: &Mail, delivered: bool) -> Result<(), RecordError> {
        let run = &mut self.runs[index];
        let event = mail.asked(&run.writer, &self.redactor, delivered)?;
        run.append(event, Durability::Synced)?;
        let Mail { step, follow_up, .. } = *mail;
        let view = run.view(Doing::Asked { step, follow_up });
        self.watcher.moved(&view);
        if !delivered {
            self.watcher.mail_to_send(&view, mail);
        }
        Ok(())
    }

    /// Ends a run.
    fn finish(&mut self, index: usize, mut closed: RunClosed) -> Result<(), RecordError> {
        let mut run = self.runs.remove(index);
        if let Some(failure) = &mut closed.failure {
            if failure.reason == "refused-by-api"
                && let Some(problem) = &run.last_problem
            {
                failure.message = format!("{}: {problem}", failure.message);
            }
            if failure.answer.is_some() {
                end::complete(&run.state, &self.store.read()?, failure);
            }
        }
        run.waiting_for = None;
        let state = closed.state;
        let why = closed.failure.as_ref().map(|failure| explain::headline(failure).to_owned());
        let mut view = run.view(Doing::Over(why));
        view.state = state;
        self.store.close_run(run.writer, closed)?;
        self.watcher.moved(&view);
        Ok(())
    }
}

/// Why a run is over that sent something else than its scenario does: NCTS has
/// it, or may have it, and goes on from there.
fn strayed(run: &Run) -> Option<RunClosed> {
    let pending = run.state.pending.as_ref()?;
    let taken = !matches!(pending.fate, Fate::NotTaken);
    if run.of.is_none() || pending.request.step.is_some() || !taken {
        return None;
    }
    let name = pending.request.message.map_or("a message", MessageType::as_str);
    let next = run.of.as_ref().and_then(|(_, scenario)| run.next_send(scenario));
    let step = next.map_or_else(|| run.view(Doing::Waiting).steps, |(step, _)| step);
    let message = format!("{}. Start a new attempt", out_of_order(run, name));
    let failure =
        Failure { reason: "out-of-order".to_owned(), step, message, ..Failure::default() };
    Some(RunClosed { state: RunState::Failed, failure: Some(failure) })
}

/// The software is to send a message, by when.
fn sends(run: &Run, step: u32, message: MessageType) -> WaitingFor {
    let minutes = run.of.as_ref().and_then(|(_, scenario)| {
        let index = (step as usize).checked_sub(1)?;
        scenario.step.get(index)?.deadline_minutes_after_ie015
    });
    let deadline =
        minutes.and_then(|minutes| Some(run.state.declared_at()? + run.tempo.minutes(minutes)));
    let what = match &run.last_problem {
        Some(problem) if run.state.refusals > 0 => {
            format!("the software is to send the {message} again, which was not taken: {problem}")
        }
        _ => format!("the software is to send the {message}"),
    };
    WaitingFor { actor: Actor::You, what, deadline }
}

/// Whom a run waits for, where what it waits for is there already and the
/// software has not asked for it.
fn unfetched(run: &Run, waiting: WaitingFor, now: DateTime<Utc>) -> WaitingFor {
    let known = &run.state.known_messages;
    let old = run.lists.iter().filter(|(_, list)| now - list.at >= SOON);
    let missing = old.into_iter().find_map(|(kind, list)| {
        let count = list.messages.keys().filter(|id| !known.contains(*id)).count();
        let movement = run.state.movements.get(kind)?;
        (count > 0).then(|| (count, kind.singular(), movement))
    });
    let Some((count, kind, movement)) = missing else { return waiting };
    let of = if count == 1 { "message" } else { "messages" };
    let what = format!(
        "{}; {count} {of} of the {kind} {movement} came and the software has not fetched them: \
         `ctc-ready collect --{kind} {movement}` fetches what is missing",
        waiting.what
    );
    WaitingFor { what, ..waiting }
}

/// A run of which nobody has said the scenario.
fn unassigned(run: &Run) -> WaitingFor {
    let what = format!(
        "nobody has said which scenario this is: `ctc-ready evidence assign {} --scenario S`",
        run.id
    );
    WaitingFor { actor: Actor::You, what, deadline: None }
}
