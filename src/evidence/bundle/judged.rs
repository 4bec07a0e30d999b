//! What a `verdict.json` says, read as a stranger's: enough of it to tell
//! whether the evidence beside it says the same.

use serde::Deserialize;

use crate::evidence::event::{RunId, RunState};
use crate::evidence::index::Index;
use crate::project::Environment;

/// The parts of `gate --format json` that evidence can bear out.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Judged {
    schema_version: u32,
    /// No unwaived error.
    pub(super) ready: bool,
    /// Simulated evidence was let count.
    pub(super) rehearsal: bool,
    /// The programme judged.
    pub(super) programme: String,
    /// The instant judged at.
    pub(super) as_of: String,
    /// The day of submission judged for.
    pub(super) submit_on: Option<String>,
    findings: Vec<Finding>,
    /// Where everything stands.
    pub(super) requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, Deserialize)]
struct Finding {
    rule: String,
    severity: String,
    run: Option<RunId>,
    waived: Option<String>,
}

/// One requirement and the run that stands for it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Requirement {
    /// Its id.
    pub(super) requirement: String,
    state: String,
    scenario: Option<String>,
    run: Option<RunId>,
}

/// What the state of a requirement says of its run.
enum Claim {
    Passed,
    Failed,
    Open,
    None,
}

impl Requirement {
    /// Whether it applies to the house.
    pub(super) fn applies(&self) -> bool {
        self.state != "not-applicable"
    }

    /// Whether a run stands for it that may be submitted.
    pub(super) fn stands(&self) -> bool {
        matches!(self.state.as_str(), "fresh" | "expiring")
    }

    fn claim(&self) -> Option<Claim> {
        Some(match self.state.as_str() {
            "fresh" | "expiring" | "stale" => Claim::Passed,
            "failed" => Claim::Failed,
            "running" | "waiting" => Claim::Open,
            "missing" | "not-applicable" => Claim::None,
            _ => return None,
        })
    }
}

impl Judged {
    /// Reads a verdict.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let judged: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match judged.schema_version {
            1 => Ok(judged),
            other => Err(format!("it has schema version {other}, not 1")),
        }
    }

    /// The runs that stand for a requirement, by id.
    pub(super) fn counted(&self) -> Vec<RunId> {
        let standing = self.requirements.iter().filter(|item| item.stands());
        let mut runs: Vec<RunId> = standing.filter_map(|item| item.run).collect();
        runs.sort();
        runs.dedup();
        runs
    }

    /// Everything in which it disagrees with itself or with the index.
    pub(super) fn disagreements(&self, index: &Index) -> Vec<String> {
        let mut found = Vec::new();
        let errors = self.findings.iter().filter(|f| f.severity == "error" && f.waived.is_none());
        if self.ready != (errors.count() == 0) {
            let (says, has) = if self.ready { ("ready", "an") } else { ("not ready", "no") };
            found.push(format!("it says {says}, and has {has} error that is not waived"));
        }
        for Finding { rule, run, .. } in &self.findings {
            if let Some(run) = run.filter(|run| !index.runs.contains_key(run)) {
                found.push(format!("`{rule}` is about run `{run}`, which is not in the store"));
            }
        }
        for item in &self.requirements {
            found.extend(self.disagreement(item, index));
        }
        found
    }

    fn disagreement(&self, item: &Requirement, index: &Index) -> Option<String> {
        let Requirement { requirement: id, state, scenario, run } = item;
        let Some(claim) = item.claim() else {
            return Some(format!("`{id}` has the state `{state}`, which there is not"));
        };
        let run = match (run, &claim) {
            (None, Claim::None) => return None,
            (None, _) => return Some(format!("`{id}` is `{state}` and names no run")),
            (Some(run), Claim::None) => {
                return Some(format!("`{id}` is `{state}` and names run `{run}`"));
            }
            (Some(run), _) => run,
        };
        let Some(known) = index.runs.get(run) else {
            return Some(format!("`{id}` rests on run `{run}`, which is not in the store"));
        };
        let ended = known.closed.map(|closed| closed.state);
        let agrees = match claim {
            Claim::Passed => ended == Some(RunState::Passed),
            Claim::Failed => ended == Some(RunState::Failed),
            Claim::Open => ended.is_none(),
            Claim::None => true,
        };
        let what = if known.removed.is_some() {
            "was removed".to_owned()
        } else if !agrees {
            let word = match ended {
                Some(RunState::Passed) => "passed",
                Some(RunState::Failed) => "failed",
                Some(RunState::Abandoned) => "was abandoned",
                Some(RunState::Waiting) | None => "is open",
            };
            format!("{word} by the index")
        } else if known.programme != self.programme {
            format!("is of programme `{}`, not of `{}`", known.programme, self.programme)
        } else if scenario.as_ref() != Some(&known.scenario) {
            format!("is of scenario `{}`, not of the one it says", known.scenario)
        } else if item.stands() && !self.rehearsal && known.environment == Environment::Simulator {
            "is from the simulator, and no rehearsal".to_owned()
        } else {
            return None;
        };
        Some(format!("`{id}` is `{state}`, and its run `{run}` {what}"))
    }
}
