//! What every report is made of: the verdict, what verification found, and
//! every attempt with its exchanges in order.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::text::unplaced;
use crate::evidence::index::IndexedRun;
use crate::evidence::{
    Event, EvidenceError, Recorded, Request, RequestFailed, Response, RunId, RunRecord, Store,
    VerifyReport,
};
use crate::verdict::Verdict;

/// Everything a report may tell. Bodies stay in the store until a format asks
/// for them ([`Store::object`]).
#[derive(Clone, Debug)]
pub struct Dossier {
    /// What the gate says.
    pub verdict: Verdict,
    /// What verifying the store found.
    pub integrity: VerifyReport,
    /// Every attempt, oldest first; the failed and abandoned ones too.
    pub runs: Vec<RunStory>,
    /// The attempts of which only the index tells, oldest first.
    pub only_indexed: Vec<OnlyIndexed>,
    /// Marks the whole as no submission (`DRAFT`, `REHEARSAL…`).
    pub mark: Option<&'static str>,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct RunStory {
    /// What it amounts to.
    pub record: RunRecord,
    /// The requirements that it stands for in the verdict.
    pub stands_for: Vec<String>,
    /// Its exchanges, in the order of their numbers.
    pub exchanges: Vec<Exchange>,
    /// Every line of its journal.
    pub events: Vec<Recorded>,
}

/// An attempt whose journal cannot be told, and what the index says of it.
#[derive(Clone, Debug)]
pub struct OnlyIndexed {
    /// The run.
    pub run: RunId,
    /// What the index says.
    pub indexed: IndexedRun,
    /// What is wrong with its journal; none: the run was removed, for the
    /// reason that the index gives.
    pub problem: Option<String>,
}

/// One HTTP request and what came of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When it left: our wall clock.
    pub at: DateTime<Utc>,
    /// When what came of it was written down: our wall clock.
    pub ended: Option<DateTime<Utc>>,
    /// The request.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An answer.
    Answered(Response),
    /// None.
    Failed(RequestFailed),
    /// The journal ends before anything is known.
    Unknown,
}

impl Dossier {
    /// Reads every run. Of one that was removed, or cannot be read, it keeps
    /// what the index says.
    pub fn gather(
        store: &Store,
        verdict: Verdict,
        integrity: VerifyReport,
        mark: Option<&'static str>,
    ) -> Self {
        let (mut runs, only_indexed) = attempts(store, |_, _| true);
        runs.iter_mut().for_each(|story| story.stand_in(&verdict));
        Self { verdict, integrity, runs, only_indexed, mark }
    }

    /// A verdict where there is no evidence yet.
    pub fn without_evidence(verdict: Verdict, mark: Option<&'static str>) -> Self {
        let integrity = VerifyReport::on_nothing();
        Self { verdict, integrity, runs: Vec::new(), only_indexed: Vec::new(), mark }
    }

    /// Keeps the attempts that are wanted, by programme and scenario. The
    /// verdict stays whole.
    pub fn keep(&mut self, wanted: impl Fn(&str, &str) -> bool) {
        self.runs.retain(|run| wanted(&run.record.programme, &run.record.scenario));
        self.only_indexed.retain(|run| wanted(&run.indexed.programme, &run.indexed.scenario));
    }
}

/// Every attempt that is wanted, by programme and scenario, oldest first: those
/// that can be read, and those of which only the index tells.
pub fn attempts(
    store: &Store,
    wanted: impl Fn(&str, &str) -> bool,
) -> (Vec<RunStory>, Vec<OnlyIndexed>) {
    let (mut stories, mut only_indexed) = (Vec::new(), Vec::new());
    for (run, indexed) in store.indexed() {
        if !wanted(&indexed.programme, &indexed.scenario) {
            continue;
        }
        let problem = match indexed.removed {
            Some(_) => None,
            None => match RunStory::read(store, run) {
                Ok(story) => {
                    stories.push(story);
                    continue;
                }
                Err(error) => Some(unplaced(&error.to_string(), store, "")),
            },
        };
        only_indexed.push(OnlyIndexed { run, indexed: indexed.clone(), problem });
    }
    (stories, only_indexed)
}

impl RunStory {
    /// Reads one run; which requirements it stands for only a verdict says.
    ///
    /// # Errors
    /// When it is unknown, or its journal cannot be read or makes no run.
    pub fn read(store: &Store, run: RunId) -> Result<Self, EvidenceError> {
        let events = store.events(run)?;
        let record =
            RunRecord::fold(&events).map_err(|source| EvidenceError::Fold { run, source })?;
        let exchanges = exchanges(&events);
        Ok(Self { record, stands_for: Vec::new(), exchanges, events })
    }

    fn stand_in(&mut self, verdict: &Verdict) {
        self.stands_for = verdict
            .requirements
            .iter()
            .filter(|requirement| requirement.run == Some(self.record.run))
            .map(|requirement| requirement.requirement.clone())
            .collect();
    }
}

fn exchanges(events: &[Recorded]) -> Vec<Exchange> {
    let mut found: BTreeMap<u32, Exchange> = BTreeMap::new();
    for Recorded { at, event, .. } in events {
        match event {
            Event::Request(request) => {
                let at = request.sent_at.unwrap_or(*at);
                let outcome = Outcome::Unknown;
                let exchange = Exchange { at, ended: None, request: request.clone(), outcome };
                found.insert(request.exchange, exchange);
            }
            Event::Response(response) => {
                if let Some(exchange) = found.get_mut(&response.exchange) {
                    exchange.ended = Some(*at);
                    exchange.outcome = Outcome::Answered(response.clone());
                }
            }
            Event::RequestFailed(failed) => {
                if let Some(exchange) = found.get_mut(&failed.exchange) {
                    exchange.ended = Some(*at);
                    exchange.outcome = Outcome::Failed(failed.clone());
                }
            }
            _ => {}
        }
    }
    found.into_values().collect()
}
