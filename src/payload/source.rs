//! The order of precedence: the house's own file, HMRC's packs in the order of
//! the settings, the built-in template; and the stamped result.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::built::{self, Failure};
use super::error::PayloadError;
use super::house;
use super::pack::Pack;
use crate::catalogue::{Catalogue, Programme, Scenario, Step};
use crate::ncts::MessageType;
use crate::ncts::build::{Stamp, Templates, fill_placeholders, stamp};
use crate::ncts::read;

/// Where messages come from, before the built-in templates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The house's own files.
    pub folder: Option<PathBuf>,
    /// HMRC's test packs, looked into in this order.
    pub packs: Vec<PathBuf>,
}

/// A message ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The XML.
    pub xml: String,
    /// Where it came from: `file …`, `pack …: …` or `built-in …`.
    pub origin: String,
    /// What a person should know about it; nothing here was changed.
    pub notes: Vec<String>,
}

/// Every source of messages, opened.
#[derive(Debug)]
pub struct Payloads {
    folder: Option<PathBuf>,
    packs: Vec<Pack>,
    templates: Templates,
    catalogue: Catalogue,
}

impl Payloads {
    /// Opens and reads the packs. The house's folder is looked into when a
    /// message is asked for.
    ///
    /// # Errors
    /// A pack or the folder that cannot be used.
    pub fn new(sources: Sources, catalogue: &Catalogue) -> Result<Self, PayloadError> {
        if let Some(folder) = &sources.folder {
            std::fs::read_dir(folder)
                .map_err(|source| PayloadError::Read { path: folder.clone(), source })?;
        }
        let programmes = catalogue.programmes().iter();
        let wanted: BTreeSet<String> = programmes
            .flat_map(|programme| catalogue.scenarios(&programme.id))
            .map(|scenario| scenario.id.to_ascii_lowercase())
            .collect();
        let packs = sources.packs.iter().map(|path| Pack::open(path, &wanted));
        Ok(Self {
            folder: sources.folder,
            packs: packs.collect::<Result<_, _>>()?,
            templates: built::templates()?,
            catalogue: catalogue.clone(),
        })
    }

    /// The message of a step (from 1), from the first source that has it, with
    /// the run's values. The message type is the step's, whatever
    /// `values.message` says.
    ///
    /// # Errors
    /// When the step sends nothing, no source has its message, or the message
    /// found cannot be used; a source that has a bad message is never passed
    /// over in silence.
    pub fn prepare(
        &self,
        programme: &Programme,
        scenario: &Scenario,
        step: u32,
        values: &Stamp,
    ) -> Result<Payload, PayloadError> {
        let (wanted, message) = sending(scenario, step)?;
        let values = Stamp { message, ..values.clone() };
        if let Some(folder) = &self.folder
            && let Some(found) = house::find(folder, scenario, step, message)?
        {
            let origin = format!("file {}", found.path.display());
            return self.finish(programme, &found.text, origin, Vec::new(), &values);
        }
        for pack in &self.packs {
            if let Some(found) = pack.find(scenario, wanted, message) {
                let notes = found.note.into_iter().collect();
                return self.finish(programme, found.text, found.origin, notes, &values);
            }
        }
        self.render(programme, scenario, step, wanted, &values)
    }

    /// The built-in message of a step, whatever the other sources have.
    ///
    /// # Errors
    /// When the step sends nothing or there is no template or data for it.
    pub fn built_in(
        &self,
        programme: &Programme,
        scenario: &Scenario,
        step: u32,
        values: &Stamp,
    ) -> Result<Payload, PayloadError> {
        let (wanted, message) = sending(scenario, step)?;
        let values = Stamp { message, ..values.clone() };
        self.render(programme, scenario, step, wanted, &values)
    }

    /// Renders and stamps the built-in message of the step `wanted`.
    fn render(
        &self,
        programme: &Programme,
        scenario: &Scenario,
        step: u32,
        wanted: &Step,
        values: &Stamp,
    ) -> Result<Payload, PayloadError> {
        let rendered = built::render(&self.templates, &self.catalogue, programme, wanted, values);
        let (xml, origin) = rendered.map_err(|failure| match failure {
            Failure::Lacking(reason) => {
                PayloadError::NotBuiltIn { scenario: scenario.id.clone(), step, reason }
            }
            Failure::Build(origin, source) => PayloadError::Build { origin, source },
        })?;
        match stamp(&xml, values) {
            Ok(xml) => Ok(Payload { xml, origin, notes: Vec::new() }),
            Err(source) => Err(PayloadError::Build { origin, source }),
        }
    }

    /// Fills and stamps a message that is not ours.
    fn finish(
        &self,
        programme: &Programme,
        text: &str,
        origin: String,
        mut notes: Vec<String>,
        values: &Stamp,
    ) -> Result<Payload, PayloadError> {
        let filled = fill_placeholders(text, values).and_then(|text| stamp(&text, values));
        match filled {
            Ok(xml) => {
                notes.extend(self.doubts(programme, &xml));
                Ok(Payload { xml, origin, notes })
            }
            Err(source) => Err(PayloadError::Build { origin, source }),
        }
    }

    /// What the test environment of this programme may not like about a
    /// message that is not ours.
    fn doubts(&self, programme: &Programme, xml: &str) -> Vec<String> {
        let Ok(document) = read::parse(xml) else { return Vec::new() };
        let root = document.root_element();
        let mut doubts = Vec::new();
        if let (Some(phase), Some(expected)) = (root.attribute("PhaseID"), &programme.api.phase_id)
            && phase != expected
        {
            doubts.push(format!(
                "its PhaseID is `{phase}`; messages of `{}` carry `{expected}`",
                programme.id
            ));
        }
        let known = self.catalogue.test_values(&programme.id, "GRN");
        let mut strange = BTreeSet::new();
        for node in root.descendants().filter(|node| node.tag_name().name() == "GRN") {
            let grn = node.text().unwrap_or_default().trim();
            if !known.contains(&grn) && strange.insert(grn.to_owned()) {
                doubts.push(format!(
                    "guarantee `{grn}` is not in the test data of `{}` ({}): the test environment may refuse it",
                    programme.id,
                    known.iter().map(|grn| format!("`{grn}`")).collect::<Vec<_>>().join(", ")
                ));
            }
        }
        doubts
    }
}

/// A step and the message it sends.
fn sending(scenario: &Scenario, step: u32) -> Result<(&Step, MessageType), PayloadError> {
    let index = usize::try_from(step).ok().and_then(|step| step.checked_sub(1));
    let found = index.and_then(|index| scenario.step.get(index)).ok_or_else(|| {
        PayloadError::NoStep { scenario: scenario.id.clone(), step, steps: scenario.step.len() }
    })?;
    let message = found
        .send
        .ok_or_else(|| PayloadError::NothingSent { scenario: scenario.id.clone(), step })?;
    Ok((found, message))
}
