//! What commands start from that need no project: the catalogue, and the
//! project where there is one.

use std::path::{Path, PathBuf};

use super::context::{Context, Desk, programme, sources};
use super::failure::Failure;
use crate::catalogue::{Catalogue, Programme};
use crate::payload::Sources;
use crate::project::{Project, ProjectError};

/// The catalogue, with a project where there is one: for what needs none.
pub(super) struct Bench {
    /// The project.
    pub(super) project: Option<Project>,
    /// The catalogue, with the project's own additions.
    pub(super) catalogue: Catalogue,
}

impl Bench {
    /// Opens the catalogue, and the project if there is one.
    ///
    /// # Errors
    /// When either is wrong, or a project was named that is not there.
    pub(super) fn open(context: &Context) -> Result<Self, Failure> {
        let catalogue = Catalogue::built_in()?;
        let known: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
        let root = context.global.project.as_deref();
        match Project::locate(root, &context.cwd, &known) {
            Err(ProjectError::NotFound(_)) => Ok(Self { project: None, catalogue }),
            _ => {
                let Desk { project, catalogue } = Desk::open(context)?;
                Ok(Self { project: Some(project), catalogue })
            }
        }
    }

    /// The programmes in the order in which they are thought of: the one asked
    /// for alone; or the project's own, then the others, newest rules first.
    ///
    /// # Errors
    /// When there is no such programme.
    pub(super) fn programmes(&self, only: Option<&str>) -> Result<Vec<&Programme>, Failure> {
        if let Some(id) = only {
            return Ok(vec![programme(&self.catalogue, id)?]);
        }
        let own = self.project.iter().flat_map(|project| &project.settings.programmes);
        let mut programmes = Vec::new();
        for id in own {
            programmes.push(programme(&self.catalogue, id)?);
        }
        let all = self.catalogue.programmes().iter().rev();
        let others: Vec<_> =
            all.filter(|other| !programmes.iter().any(|own| own.id == other.id)).collect();
        programmes.extend(others);
        Ok(programmes)
    }

    /// Where this house's messages come from.
    pub(super) fn sources(&self) -> Sources {
        self.project.as_ref().map(sources).unwrap_or_default()
    }

    /// The folder of schemas: the one given, or the project's.
    pub(super) fn xsd(&self, given: Option<&Path>, cwd: &Path) -> Option<PathBuf> {
        let own =
            || self.project.as_ref().and_then(|project| project.settings.payloads.xsd.clone());
        given.map(|folder| cwd.join(folder)).or_else(own)
    }
}
