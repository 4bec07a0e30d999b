//! What every report is made of: the verdict, what verification found, and
//! every attempt with its exchanges in order.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::evidence::{
    Event, EvidenceError, Recorded, Request, RequestFailed, Response, RunRecord, Store,
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

/// One HTTP request and what came of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When it left: our wall clock.
    pub at: DateTime<Utc>,
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
    /// Reads every run that can be read; what cannot is in `integrity`.
    ///
    /// # Errors
    /// When the journal of a run that was read just now cannot be read again.
    pub fn gather(
        store: &Store,
        verdict: Verdict,
        integrity: VerifyReport,
        mark: Option<&'static str>,
    ) -> Result<Self, EvidenceError> {
        let (records, _) = store.readable_runs();
        let runs = records
            .into_iter()
            .map(|record| {
                let events = store.events(record.run)?;
                Ok(RunStory::new(record, events, &verdict))
            })
            .collect::<Result<_, EvidenceError>>()?;
        Ok(Self { verdict, integrity, runs, mark })
    }
}

impl RunStory {
    fn new(record: RunRecord, events: Vec<Recorded>, verdict: &Verdict) -> Self {
        let stands_for = verdict
            .requirements
            .iter()
            .filter(|requirement| requirement.run == Some(record.run))
            .map(|requirement| requirement.requirement.clone())
            .collect();
        let exchanges = exchanges(&events);
        Self { record, stands_for, exchanges, events }
    }
}

fn exchanges(events: &[Recorded]) -> Vec<Exchange> {
    let mut found: BTreeMap<u32, Exchange> = BTreeMap::new();
    for Recorded { at, event, .. } in events {
        match event {
            Event::Request(request) => {
                let at = request.sent_at.unwrap_or(*at);
                let exchange = Exchange { at, request: request.clone(), outcome: Outcome::Unknown };
                found.insert(request.exchange, exchange);
            }
            Event::Response(response) => {
                if let Some(exchange) = found.get_mut(&response.exchange) {
                    exchange.outcome = Outcome::Answered(response.clone());
                }
            }
            Event::RequestFailed(failed) => {
                if let Some(exchange) = found.get_mut(&failed.exchange) {
                    exchange.outcome = Outcome::Failed(failed.clone());
                }
            }
            _ => {}
        }
    }
    found.into_values().collect()
}
