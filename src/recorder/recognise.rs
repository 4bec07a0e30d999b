//! Which scenario the software is at.
//!
//! Who says so, first come first: the user for the whole recording; the
//! settings, for LRNs (`[record.lrn]`); the LRN itself, where it begins with the
//! id of a scenario, whatever the case and without regard to dashes. Where
//! several programmes have the scenario, the API's version tells which is
//! meant. Otherwise nobody has said so yet.

use std::collections::BTreeMap;

use crate::catalogue::{Catalogue, Programme, Scenario};
use crate::evidence::UNASSIGNED;

/// A scenario with its programme.
pub type Of = (Programme, Scenario);

/// A scenario that is named and not known, or cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecogniseError {
    /// In the settings.
    #[error("`[record.lrn]` gives `{pattern}` the scenario `{scenario}`, which no programme has")]
    UnknownScenario {
        /// The LRN, or its beginning.
        pattern: String,
        /// The scenario.
        scenario: String,
    },
    /// It asks for balances.
    #[error(
        "`{0}` asks for balances of guarantees, which are not recorded; `ctc-ready run` asks itself"
    )]
    NoMovement(String),
}

/// Knows which scenario is meant.
#[derive(Clone, Debug)]
pub struct Recognition {
    fixed: Option<Of>,
    /// Whole LRNs, then beginnings of some (`ABC*`), the longest first.
    said: Vec<(String, Vec<Of>)>,
    /// Scenarios by their ids as LRNs have them.
    by_id: BTreeMap<String, Vec<Of>>,
    /// Programmes by version of the API.
    versions: BTreeMap<String, Vec<Programme>>,
}

impl Recognition {
    /// `fixed`: what the user says; `own`: the project's programmes, which come
    /// first where several have a scenario; `lrn`: the settings' map.
    ///
    /// # Errors
    /// A scenario that is not known, or without a movement.
    pub fn new(
        catalogue: &Catalogue,
        own: &[String],
        fixed: Option<Of>,
        lrn: &BTreeMap<String, String>,
    ) -> Result<Self, RecogniseError> {
        if let Some((_, scenario)) = &fixed
            && !declares(scenario)
        {
            return Err(RecogniseError::NoMovement(scenario.id.clone()));
        }
        let mut programmes: Vec<&Programme> =
            catalogue.programmes().iter().filter(|programme| programme.declares()).collect();
        // Stable: the others keep their order behind the project's own.
        programmes.sort_by_key(|programme| {
            own.iter().position(|id| *id == programme.id).unwrap_or(usize::MAX)
        });
        let mut by_id: BTreeMap<String, Vec<Of>> = BTreeMap::new();
        let mut versions: BTreeMap<String, Vec<Programme>> = BTreeMap::new();
        for programme in programmes {
            let version = programme.api.version.clone();
            versions.entry(version).or_default().push(programme.clone());
            for scenario in catalogue.scenarios(&programme.id).iter().filter(|it| declares(it)) {
                let of = (programme.clone(), scenario.clone());
                by_id.entry(plain(&scenario.id)).or_default().push(of);
            }
        }
        let mut said = Vec::new();
        for (pattern, id) in lrn {
            let known = by_id.get(&plain(id)).cloned().ok_or_else(|| {
                let (pattern, scenario) = (pattern.clone(), id.clone());
                RecogniseError::UnknownScenario { pattern, scenario }
            })?;
            said.push((pattern.clone(), known));
        }
        said.sort_by_key(|(pattern, _)| (pattern.ends_with('*'), std::cmp::Reverse(pattern.len())));
        Ok(Self { fixed, said, by_id, versions })
    }

    /// What the user said for all.
    pub fn fixed(&self) -> Option<&Of> {
        self.fixed.as_ref()
    }

    /// The scenario at which a declaration begins an attempt; `accept`: the
    /// header, which names the API's version.
    pub fn of(&self, lrn: Option<&str>, accept: Option<&str>) -> Option<&Of> {
        if self.fixed.is_some() {
            return self.fixed.as_ref();
        }
        let lrn = lrn?;
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => lrn.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start)),
            None => pattern.eq_ignore_ascii_case(lrn),
        };
        let said = self.said.iter().find(|(pattern, _)| matches(pattern)).map(|(_, of)| of);
        let several = said.or_else(|| self.by_lrn(lrn))?;
        let version = accept.and_then(version);
        let fits = |of: &&Of| version.is_some_and(|version| of.0.api.version == version);
        several.iter().find(fits).or(several.first())
    }

    /// The scenario whose id an LRN begins with. Of several (`DSGB1` and
    /// `DSGB12`) the one behind which the LRN goes on as ours do, or with a
    /// dash or the like; else the longest.
    fn by_lrn(&self, lrn: &str) -> Option<&Vec<Of>> {
        let bare = plain(lrn);
        let begins = self.by_id.iter().filter(|(id, _)| bare.starts_with(id.as_str()));
        let (_, of) = begins.max_by_key(|(id, _)| {
            let rest = bare.get(id.len()..).unwrap_or_default();
            let day = rest.get(..DAY).is_some_and(|day| day.bytes().all(|c| c.is_ascii_digit()));
            let as_ours = rest.len() == DAY + RANDOM && day;
            (as_ours, ends(lrn, id.len()), id.len())
        })?;
        Some(of)
    }

    /// Whether an LRN names the scenario that the user says.
    pub(super) fn named_by(&self, lrn: Option<&str>) -> bool {
        let named = lrn.and_then(|lrn| self.by_lrn(lrn));
        let ids = named.into_iter().flatten().map(|(_, scenario)| &scenario.id);
        self.fixed.as_ref().is_some_and(|(_, own)| ids.into_iter().any(|id| *id == own.id))
    }

    /// The programme of a run of which nobody has said the scenario: the only
    /// one that its version of the API leaves, or the project's first.
    pub fn programme(&self, accept: Option<&str>) -> Option<&Programme> {
        self.versions.get(version(accept?)?)?.first()
    }
}

/// Digits of the day in our own LRNs, and the random characters behind it.
const DAY: usize = 6;
const RANDOM: usize = 8;

/// Whether it begins with a declaration.
fn declares(scenario: &Scenario) -> bool {
    scenario.id != UNASSIGNED && scenario.step.first().is_some_and(|step| step.send.is_some())
}

/// Letters and digits alone, in capitals.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// How well an LRN ends an id of so many letters and digits: a dash or the like
/// follows (2), nothing does (1), or the LRN just goes on (0).
fn ends(lrn: &str, count: usize) -> u8 {
    let mut left = count;
    for c in lrn.chars() {
        match (left, c.is_ascii_alphanumeric()) {
            (0, alphanumeric) => return if alphanumeric { 0 } else { 2 },
            (_, true) => left -= 1,
            (_, false) => {}
        }
    }
    u8::from(left == 0)
}

/// The version in `application/vnd.hmrc.2.1+json`.
pub(super) fn version(accept: &str) -> Option<&str> {
    let (version, _) = accept.trim().strip_prefix("application/vnd.hmrc.")?.split_once('+')?;
    Some(version).filter(|version| version.len() <= 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognition(lrn: &[(&str, &str)]) -> Recognition {
        let catalogue = Catalogue::built_in().unwrap();
        let lrn = lrn.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Recognition::new(&catalogue, &["ncts5-final".to_owned()], None, &lrn).unwrap()
    }

    #[test]
    fn an_lrn_tells_its_scenario() {
        let known = recognition(&[("ABC123*", "DSGB1"), ("abc1234", "p6-dsgb-01")]);
        let of = |lrn: &str| known.of(Some(lrn), None).map(|(_, scenario)| scenario.id.as_str());
        for (lrn, expected) in [
            ("DSGB1261121ABCD1234", Some("DSGB1")),
            ("DSGB12261121ABCD1234", Some("DSGB12")),
            ("P6DSGB01261121ABCD1234", Some("P6-DSGB-01")),
            ("p6-dsgb-01-7", Some("P6-DSGB-01")),
            ("dsgb1-2", Some("DSGB1")),
            ("DSGB12", Some("DSGB12")),
            ("DSGB12-1", Some("DSGB12")),
            ("DNGB1X", Some("DNGB1")),
            ("abc12399", Some("DSGB1")),
            ("ABC1234", Some("P6-DSGB-01")),
            ("ABC12", None),
            ("X-DSGB1", None),
            ("", None),
            ("DSGB", None),
            ("ÄÖ", None),
        ] {
            assert_eq!(of(lrn), expected, "{lrn}");
        }
        assert!(known.of(None, None).is_none());
    }

    #[test]
    fn the_version_of_the_api_tells_the_programme() {
        let known = recognition(&[]);
        let programme = |lrn, accept: &str| known.of(Some(lrn), Some(accept)).unwrap().0.id.clone();
        assert_eq!(programme("DSGB1X", "application/vnd.hmrc.2.1+json"), "ncts5-final");
        assert_eq!(programme("P6DSGB01", "application/vnd.hmrc.2.1+json"), "ncts6");
        assert_eq!(programme("DSGB1X", "application/vnd.hmrc.2.0+json"), "ncts5-transition");
        let alone = |accept| known.programme(Some(accept)).map(|programme| programme.id.as_str());
        assert_eq!(alone("application/vnd.hmrc.3.0+json"), Some("ncts6"));
        assert_eq!(alone("application/json"), None);
    }

    #[test]
    fn what_is_not_known_is_refused_at_once() {
        let catalogue = Catalogue::built_in().unwrap();
        let lrn = BTreeMap::from([("X*".to_owned(), "DSGB99".to_owned())]);
        let error = Recognition::new(&catalogue, &[], None, &lrn).unwrap_err();
        assert!(error.to_string().contains("DSGB99"), "{error}");
    }
}
