//! What a request meets that the state does not decide: the pace of others,
//! the schemas of a folder. It is asked once, and written down with the
//! request, so that a state read back goes the same way without asking again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::http_errors::Violation;
use super::options::{ApiVersion, SimulatorOptions};
use super::throttle::Throttle;
use super::validation;
use crate::digest::Digest;
use crate::ncts::xsd::Schemas;

/// What the request under way met.
#[derive(Debug, Default)]
pub(super) struct Outside {
    /// Schemas to judge messages by; a version that has none is not judged.
    schemas: BTreeMap<ApiVersion, Arc<Schemas>>,
    throttle: Throttle,
    met: Met,
    /// Whether `met` is told rather than found out.
    replaying: bool,
}

/// What one request met, as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Met {
    /// Whether it was above its token's pace.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) throttled: bool,
    /// What validation found, message after message; nothing where there were
    /// no schemas.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    violations: VecDeque<Vec<Violation>>,
}

/// What somebody answered whom the simulator called.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Told {
    /// Where the notifications of a box are pushed from now on.
    Callback { box_id: String, url: Option<String> },
    /// Which of the notifications pushed were taken.
    Pushed(HashMap<String, bool>),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Outside {
    /// Judges by the schemas of these options.
    pub(super) fn new(options: &SimulatorOptions) -> Self {
        Self { schemas: options.schemas.clone(), ..Self::default() }
    }

    /// Begins a request that meets what it meets. What validation found
    /// since the last one, while time passed, is told with it.
    pub(super) fn live(&mut self) {
        (self.met.throttled, self.replaying) = (false, false);
    }

    /// Begins a request that is to meet what it met before.
    pub(super) fn replay(&mut self, met: Met) {
        (self.met, self.replaying) = (met, true);
    }

    /// What the request met.
    pub(super) fn met(&mut self) -> Met {
        std::mem::take(&mut self.met)
    }

    /// Whether a request at `now` (monotonic nanoseconds) is within its token's
    /// pace.
    pub(super) fn allows(&mut self, token: Digest, per_second: u32, now: u64) -> bool {
        if !self.replaying {
            self.met.throttled = !self.throttle.allows(token, per_second, now);
        }
        !self.met.throttled
    }

    /// What the schemas of a version have against a message.
    pub(super) fn violations(&mut self, version: ApiVersion, xml: &str) -> Vec<Violation> {
        if self.replaying {
            return self.met.violations.pop_front().unwrap_or_default();
        }
        let Some(schemas) = self.schemas.get(&version) else { return Vec::new() };
        let found = validation::violations(schemas, xml);
        self.met.violations.push_back(found.clone());
        found
    }
}
