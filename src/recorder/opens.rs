//! To which run the first message of a movement belongs, and new runs.

use super::ledger::Ledger;
use super::recognise::{self, Of};
use super::record::RecordError;
use super::run::Run;
use super::wire::Heard;
use crate::engine::reading::Reading;
use crate::engine::state::Fate;
use crate::evidence::{Durability, Event, Recorded, RunOpened, UNASSIGNED};
use crate::ncts::{MessageType, MovementKind};
use crate::project::Environment;

impl Ledger<'_> {
    /// The run to which the first message of a movement belongs: one that waits
    /// for it, or a new one.
    pub(super) fn run_that_opens(
        &mut self,
        kind: MovementKind,
        heard: &Heard,
        reading: Option<&Reading>,
    ) -> Result<Option<usize>, RecordError> {
        let accept = heard.header("accept");
        let lrn = reading.and_then(|reading| reading.lrn.as_deref());
        let mrn = reading.and_then(|reading| reading.mrn.as_deref());
        let free = |run: &Run| run.under_way.is_none() && !run.state.movements.contains_key(&kind);
        match kind {
            MovementKind::Departure => {
                let of = self.recognition.of(lrn, accept);
                let ids = |of: &Of| (of.0.id.clone(), of.1.id.clone());
                // Sent again, since nothing was taken so far.
                let again = self.runs.iter().position(|run| {
                    let refused = run.state.pending.as_ref().map(|it| it.fate == Fate::NotTaken);
                    let same = lrn.is_some() && run.state.lrn.as_deref() == lrn;
                    let idle = refused == Some(true)
                        && run.of.is_some()
                        && run.of.as_ref().map(ids) == of.map(ids);
                    free(run) && run.state.sent.is_empty() && (same || idle)
                });
                let of = of.cloned();
                match again {
                    Some(index) => Ok(Some(index)),
                    None => self.open(of, accept).map(Some),
                }
            }
            MovementKind::Arrival => {
                let expects = |run: &&Run| free(run) && run.may_send(MessageType::Ie007);
                let of_mrn = |run: &&Run| mrn.is_some() && run.state.mrn.as_deref() == mrn;
                let waiting = self.runs.iter().filter(expects);
                if let Some(id) = waiting.clone().find(of_mrn).map(|run| run.id)
                    && let Some(index) = self.position(id)
                {
                    return Ok(Some(index));
                }
                // The software may not have asked for the message with the MRN;
                // what the user says, and nothing else, tells whose it is then.
                let fixed = self.recognition.fixed();
                if let Some((_, scenario)) = fixed {
                    let mut blind = waiting
                        .filter(|run| run.scenario() == scenario.id && run.state.mrn.is_none())
                        .map(|run| run.id);
                    if let (Some(id), None) = (blind.next(), blind.next())
                        && let Some(index) = self.position(id)
                    {
                        return Ok(Some(index));
                    }
                }
                // A file may have other movements, too.
                if self.imported.is_some() {
                    return Ok(None);
                }
                let begins = |of: &&Of| {
                    of.1.step.first().and_then(|step| step.send) == Some(MessageType::Ie007)
                };
                let of = fixed.filter(begins).cloned();
                self.open(of, accept).map(Some)
            }
        }
    }

    /// Opens a run.
    fn open(&mut self, of: Option<Of>, accept: Option<&str>) -> Result<usize, RecordError> {
        let programme = of.as_ref().map(|(programme, _)| programme);
        let programme = programme.or_else(|| self.recognition.programme(accept));
        let id = programme.map_or(UNASSIGNED, |programme| programme.id.as_str()).to_owned();
        let scenario = of.as_ref().map_or(UNASSIGNED, |(_, it)| it.id.as_str()).to_owned();
        let attempt = match &of {
            Some(_) => self.store.next_attempt(&id, &scenario),
            None => 0,
        };
        let version = accept.and_then(recognise::version).map(str::to_owned);
        let opened = RunOpened {
            run: self.store.new_run_id(),
            programme: id,
            scenario,
            attempt,
            environment: self.options.environment,
            simulated: self.options.environment == Environment::Simulator,
            driver: self.options.driver,
            software: self.options.software.clone(),
            tool: self.options.tool.clone(),
            operator: self.options.operator.clone(),
            base_url: self.options.address().to_owned(),
            api_version: version
                .or_else(|| programme.map(|programme| programme.api.version.clone()))
                .unwrap_or_default(),
            time_scale: self.options.tempo.scale(),
            session: self.store.session(),
        };
        let writer = self.store.open_run(opened.clone())?;
        let at = self.clock.now();
        let event = Event::RunOpened(opened.clone());
        let first = Recorded { seq: 0, at, mono_ns: self.clock.mono_ns(), event };
        let mut run = Run::new(&opened, of, writer, &[first]);
        if let Some(imported) = &self.imported {
            run.append(Event::Imported(imported.clone()), Durability::Buffered)?;
        }
        self.add(run, false);
        Ok(self.runs.len() - 1)
    }
}
