//! Judging a message against HMRC's schemas before it is sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::PayloadError;
use crate::catalogue::{Catalogue, Programme, Step};
use crate::digest::Digest;
use crate::ncts::xsd::Violation;
use crate::project::xsd::{SchemaSet, XsdFolder, versions};

/// What the schemas say of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Their version; none where the folder does not say.
    pub version: Option<String>,
    /// SHA-256 of the schema files ([`SchemaSet::digest`]).
    pub schemas: Digest,
    /// Where the message departs from them; none when it is valid.
    pub violations: Vec<Violation>,
    /// Whether the step is about a message that NCTS refuses, or departs from
    /// its test data: it is then sent however it is judged.
    pub on_purpose: bool,
}

impl Check {
    /// `version 2.1`, or `whatever version they are`.
    pub fn shown_version(&self) -> String {
        shown_version(self.version.as_deref())
    }
}

/// A schema version for people.
pub(super) fn shown_version(version: Option<&str>) -> String {
    version.map_or_else(|| "unnamed version".to_owned(), |version| format!("version {version}"))
}

/// The schemas in force, each version read when it is first needed.
#[derive(Debug)]
pub(super) struct Judge {
    folder: XsdFolder,
    sets: Mutex<BTreeMap<String, Arc<SchemaSet>>>,
}

impl Judge {
    /// Looks at the folder of schemas.
    pub(super) fn open(folder: &Path, catalogue: &Catalogue) -> Result<Self, PayloadError> {
        let folder = XsdFolder::open(folder, &versions(catalogue))?;
        Ok(Self { folder, sets: Mutex::default() })
    }

    /// Judges a message of a programme's step.
    pub(super) fn judge(
        &self,
        programme: &Programme,
        step: &Step,
        origin: &str,
        xml: &str,
    ) -> Result<Check, PayloadError> {
        // The catalogue's checks let no message pass without a version.
        let set = self.set(programme.api.xsd.as_deref().unwrap_or_default())?;
        let violations = set
            .schemas
            .validate(xml)
            .map_err(|source| PayloadError::Unjudged { origin: origin.to_owned(), source })?;
        let refused = step.expect.iter().any(|expected| !expected.violations.is_empty());
        Ok(Check {
            version: set.version.clone(),
            schemas: set.digest,
            violations,
            on_purpose: step.mutation.is_some() || refused,
        })
    }

    fn set(&self, version: &str) -> Result<Arc<SchemaSet>, PayloadError> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.get(version) {
            return Ok(Arc::clone(set));
        }
        let set = Arc::new(self.folder.load(Some(version))?);
        sets.insert(version.to_owned(), Arc::clone(&set));
        Ok(set)
    }
}
