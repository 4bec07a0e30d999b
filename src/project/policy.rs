//! `[gate]`: what the release gate lets count, and how strictly it judges.
//! Everything is optional; what is left out is as HMRC's documents have it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::{Environment, FreshnessPolicy};
use crate::calendar::freshness;
use crate::digest::Digest;

/// Who acts as the trader's software in a run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// ctc-ready sends.
    Direct,
    /// ctc-ready calls the software.
    Command,
    /// The software sends through ctc-ready.
    Proxy,
    /// ctc-ready fetches a movement that the software made.
    Collect,
    /// A HAR file.
    Import,
}

impl Driver {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Direct, Self::Command, Self::Proxy, Self::Collect, Self::Import];

    /// `direct`, as in files and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Command => "command",
            Self::Proxy => "proxy",
            Self::Collect => "collect",
            Self::Import => "import",
        }
    }
}

/// What the gate makes of a counted run that no seal covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealPolicy {
    /// An error.
    Required,
    /// A warning.
    #[default]
    Wanted,
    /// Nothing.
    Ignored,
}

/// How a run's build is compared with the one under test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildPolicy {
    /// Both must name a build, and the same.
    Required,
    /// They must agree where both name one.
    #[default]
    Compare,
    /// Not at all; name and version are, all the same.
    Ignored,
}

/// What the gate makes of a recommended requirement that applies and is not
/// proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecommendedPolicy {
    /// Nothing while it was not tried; a warning where it was and does not
    /// stand.
    #[default]
    Optional,
    /// A warning.
    Wanted,
    /// An error.
    Required,
}

/// The gate's policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GateSettings {
    /// How strictly freshness is judged.
    pub freshness: FreshnessPolicy,
    /// Hours before evidence lapses from which the gate warns; 0: never.
    pub warn_before_hours: u32,
    /// Hours before evidence lapses from which the gate fails; not more than
    /// `warn_before_hours`; 0: never.
    pub fail_before_hours: u32,
    /// Largest accepted difference between our clock and the server's, in
    /// seconds.
    pub max_clock_skew_seconds: u32,
    /// Environments whose runs count; the simulator's never do.
    pub environments: Vec<Environment>,
    /// Who may have acted as the software in a run that counts.
    pub drivers: Vec<Driver>,
    /// Whether seals are asked for.
    pub seals: SealPolicy,
    /// Fingerprints of the keys whose seals count; none: any key's.
    pub seal_keys: Vec<Digest>,
    /// Whether evidence must be of the build under test.
    pub same_build: BuildPolicy,
    /// Whether recommended requirements must be proven.
    pub recommended: RecommendedPolicy,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            freshness: FreshnessPolicy::Strict,
            warn_before_hours: 72,
            fail_before_hours: 0,
            max_clock_skew_seconds: 60,
            environments: vec![Environment::TraderTest],
            drivers: Driver::ALL.to_vec(),
            seals: SealPolicy::Wanted,
            seal_keys: Vec::new(),
            same_build: BuildPolicy::Compare,
            recommended: RecommendedPolicy::Optional,
        }
    }
}

impl GateSettings {
    /// What is wrong with it: the field and a message.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let (warn, fail) = (self.warn_before_hours, self.fail_before_hours);
        if fail > warn {
            found.push((
                "gate.fail-before-hours",
                format!(
                    "is {fail}, more than `gate.warn-before-hours` ({warn}); the warning must come first"
                ),
            ));
        }
        let life = freshness::DAYS * 24;
        for (field, hours) in [("gate.warn-before-hours", warn), ("gate.fail-before-hours", fail)] {
            if hours >= life {
                found.push((
                    field,
                    format!("must be less than {life}: evidence lives no longer than {life} hours"),
                ));
            }
        }
        let environments: Vec<&str> = self.environments.iter().map(|it| it.as_str()).collect();
        if environments.is_empty() {
            found.push((
                "gate.environments",
                "names none, so that nothing could count; name `trader-test`, or take the line out"
                    .to_owned(),
            ));
        }
        if self.environments.contains(&Environment::Simulator) {
            found.push((
                "gate.environments",
                "names `simulator`, whose evidence never counts; take it out (`gate --rehearsal` judges rehearsals)"
                    .to_owned(),
            ));
        }
        let drivers: Vec<&str> = self.drivers.iter().map(|it| it.as_str()).collect();
        if drivers.is_empty() {
            found.push((
                "gate.drivers",
                "names none, so that nothing could count; name those you accept, or take the line out"
                    .to_owned(),
            ));
        }
        let keys: Vec<String> = self.seal_keys.iter().map(Digest::to_string).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        for (field, names) in [
            ("gate.environments", environments),
            ("gate.drivers", drivers),
            ("gate.seal-keys", keys.clone()),
        ] {
            if let Some(twice) = names
                .iter()
                .enumerate()
                .find(|(n, name)| names.iter().take(*n).any(|it| it == *name))
            {
                found.push((field, format!("names `{}` twice; name it once", twice.1)));
            }
        }
        if self.seals == SealPolicy::Ignored && !keys.is_empty() {
            found.push((
                "gate.seal-keys",
                "names keys, and `gate.seals` ignores seals; keep one of the two".to_owned(),
            ));
        }
        found
    }
}
