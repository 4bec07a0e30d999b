//! Opening hours: when NCTS answers, and when its officers read their mail.
//!
//! Outside them a message is taken with 202 all the same and looked at when
//! NCTS opens; a timer that ends meanwhile takes effect then; an officer's act
//! waits until the office is back. HMRC does not say what its environment does
//! outside its hours: taking messages and answering later is the likelier of
//! two ways (the other is an error of the server), and the one that clients
//! must be ready for anyway.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::options::ApiVersion;
use crate::calendar::hours::Timetable;
use crate::catalogue::{Catalogue, Programme};

/// The hours of each API version's environment and officers. A version that is
/// not named is always open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningHours {
    /// When NCTS answers.
    pub environment: BTreeMap<ApiVersion, Timetable>,
    /// When the officers read their mail.
    pub officers: BTreeMap<ApiVersion, Timetable>,
}

impl OpeningHours {
    /// The hours that HMRC publishes, as the catalogue has them. Where
    /// programmes share a version, the first one's count.
    pub fn published(catalogue: &Catalogue) -> Self {
        let mut hours = Self::default();
        // A programme without officers has no messages: its versions are
        // those of another API.
        for programme in catalogue.programmes().iter().filter(|one| one.officers.is_some()) {
            if let Some(version) = ApiVersion::named(&programme.api.version) {
                hours.add(version, programme);
            }
        }
        hours
    }

    fn add(&mut self, version: ApiVersion, programme: &Programme) {
        let environment = || programme.environment_hours();
        self.environment.entry(version).or_insert_with(environment);
        self.officers.entry(version).or_insert_with(|| programme.officer_hours());
    }

    /// The first instant from `at` on at which NCTS is open for a version, or
    /// its officers are back. None: there is none.
    ///
    /// Officers work in the environment, so both must be open for them.
    pub(super) fn attended(
        &self,
        version: ApiVersion,
        officer: bool,
        at: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let open = |hours: &BTreeMap<ApiVersion, Timetable>, at| match hours.get(&version) {
            Some(timetable) => timetable.next_opening(at),
            None => Some(at),
        };
        let mut at = open(&self.environment, at)?;
        if officer {
            // Two timetables of one calendar agree within days, or never.
            for _ in 0..ROUNDS {
                let back = open(&self.officers, at)?;
                at = open(&self.environment, back)?;
                if at == back {
                    return Some(at);
                }
            }
            return None;
        }
        Some(at)
    }
}

/// Most days on which one opens after the other has closed.
const ROUNDS: usize = 400;
