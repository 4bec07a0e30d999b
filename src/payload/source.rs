//! The order of precedence: the house's own file, HMRC's packs in the order of
//! the settings, the built-in template; and the stamped result.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::built::{self, Failure};
use super::check::{Check, Judge};
use super::error::PayloadError;
use super::fits;
use super::house;
use super::pack::Pack;
use crate::catalogue::{Catalogue, DataSet, Mutation, Procedure, Programme, Scenario, Step};
use crate::ncts::MessageType;
use crate::ncts::build::{
    Changes, Stamp, Templates, fill_placeholders, mutate, nothing_left, stamp,
};
use crate::ncts::read;

/// Where messages come from, before the built-in templates, and what decides
/// about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The house's own files.
    pub folder: Option<PathBuf>,
    /// HMRC's test packs, looked into in this order.
    pub packs: Vec<PathBuf>,
    /// Procedures that the software supports; empty where nobody said.
    pub procedures: Vec<Procedure>,
    /// HMRC's schemas ([`crate::project::XsdFolder`]).
    pub xsd: Option<PathBuf>,
}

/// A message as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The XML.
    pub xml: String,
    /// Where it came from: `file …`, `pack …: …` or `built-in …`.
    pub origin: String,
    /// How the scenario has it depart from its data, in words; none where it
    /// does not.
    pub mutation: Option<String>,
    /// What a person should know about it; nothing here was changed.
    pub notes: Vec<String>,
    /// What HMRC's schemas say of it; none without schemas.
    pub check: Option<Check>,
    /// The message of a pack in whose place it stands, and why; told among the
    /// notes too.
    pub passed_over: Option<String>,
    /// How it contradicts its step: a message of the house's own alone.
    pub contradiction: Option<String>,
}

/// What is to be said of a message that other software has sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How it contradicts its step: it is another test case's.
    pub contradiction: Option<String>,
    /// What a person should know; nothing that speaks against it.
    pub notes: Vec<String>,
}

/// Every source of messages, opened.
#[derive(Debug)]
pub struct Payloads {
    folder: Option<PathBuf>,
    packs: Vec<Pack>,
    procedures: Vec<Procedure>,
    judge: Option<Judge>,
    templates: Templates,
    catalogue: Catalogue,
}

impl Payloads {
    /// Opens and reads the packs. The house's folder is looked into when a
    /// message is asked for, the schemas are read when one is judged.
    ///
    /// # Errors
    /// A pack or a folder that cannot be used.
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
        let judge = sources.xsd.as_deref().map(|folder| Judge::open(folder, catalogue));
        Ok(Self {
            folder: sources.folder,
            packs: packs.collect::<Result<_, _>>()?,
            procedures: sources.procedures,
            judge: judge.transpose()?,
            templates: built::templates()?,
            catalogue: catalogue.clone(),
        })
    }

    /// The message of a step (from 1), from the first source that has it, with
    /// the run's values, changed as the step says, and judged. The message
    /// type is the step's, whatever `values.message` says.
    ///
    /// # Errors
    /// When the step sends nothing, no source has its message, or the message
    /// found cannot be used; a source that has a bad message is never passed
    /// over in silence. A pack's message that contradicts the step is passed
    /// over, with a note.
    pub fn prepare(
        &self,
        programme: &Programme,
        scenario: &Scenario,
        step: u32,
        values: &Stamp,
    ) -> Result<Payload, PayloadError> {
        let (wanted, message) = sending(scenario, step)?;
        let values = Stamp { message, ..values.clone() };
        let (wanted, note) = for_one_procedure(wanted, &self.procedures);
        if let Some(folder) = &self.folder
            && let Some(found) = house::find(folder, scenario, step, message)?
        {
            // As it lies in the house's folder: evidence keeps this, and where
            // that folder is on this machine is nobody's business.
            let above = folder.parent().and_then(|above| found.path.strip_prefix(above).ok());
            let origin = format!("file {}", above.unwrap_or(&found.path).display());
            let filled = filled(&found.text, &origin, &values)?;
            let contradiction = self.contradiction(programme, scenario, step, &filled);
            let mut payload =
                self.finish_foreign(programme, &wanted, &filled, origin, None, &values)?;
            payload.notes.extend(contradiction.clone());
            return Ok(Payload { contradiction, ..payload });
        }
        let mut passed_over = None;
        for pack in &self.packs {
            let Some(found) = pack.find(scenario, &wanted, message) else { continue };
            let filled = filled(found.text, &found.origin, &values)?;
            let Some(why) = self.contradiction(programme, scenario, step, &filled) else {
                let (origin, note) = (found.origin, found.note);
                let mut payload =
                    self.finish_foreign(programme, &wanted, &filled, origin, note, &values)?;
                payload.notes.extend(passed_over.clone());
                return Ok(Payload { passed_over, ..payload });
            };
            passed_over.get_or_insert_with(|| {
                format!(
                    "{} step {step}: the {message} of {} is passed over: {why}",
                    scenario.id, found.origin
                )
            });
        }
        let mut payload = self.render(programme, scenario, step, &wanted, note, &values)?;
        payload.notes.extend(passed_over.clone());
        Ok(Payload { passed_over, ..payload })
    }

    /// The test data of a step's message; none where it has none, or several
    /// that no procedure tells apart.
    pub fn data(
        &self,
        programme: &Programme,
        scenario: &Scenario,
        number: u32,
    ) -> Option<&DataSet> {
        let (step, message) = sending(scenario, number).ok()?;
        let (step, _) = for_one_procedure(step, &self.procedures);
        let [column] = step.data.as_slice() else { return None };
        self.catalogue.data(&programme.id, message, step.sheet.as_deref(), column)
    }

    /// What is to be said of a message of a step that other software has made
    /// and sent. Neither its procedure, its office's side and the like nor what
    /// the step changes may be another; what else is not as in the test data is
    /// noted alone.
    pub fn judge_sent(
        &self,
        programme: &Programme,
        scenario: &Scenario,
        number: u32,
        xml: &str,
    ) -> Sent {
        let Ok((step, _)) = sending(scenario, number) else { return Sent::default() };
        let columns = self.columns(programme, scenario, number);
        let mutation = step.mutation.as_ref();
        let contradiction = self
            .contradiction(programme, scenario, number, xml)
            .or_else(|| fits::unchanged(xml, &columns, mutation?));
        let mut notes = fits::departures(xml, &columns, mutation);
        notes.extend(self.doubts(programme, step, xml));
        Sent { contradiction, notes }
    }

    /// How a foreign message contradicts its step, in words.
    fn contradiction(
        &self,
        programme: &Programme,
        scenario: &Scenario,
        number: u32,
        xml: &str,
    ) -> Option<String> {
        let (step, message) = sending(scenario, number).ok()?;
        let columns = self.columns(programme, scenario, number);
        fits::contradiction(message, xml, &columns, step.mutation.as_ref())
    }

    /// The columns of test data that a step names, with their names.
    fn columns<'a>(
        &'a self,
        programme: &Programme,
        scenario: &'a Scenario,
        number: u32,
    ) -> Vec<(&'a str, &'a DataSet)> {
        let Ok((step, message)) = sending(scenario, number) else { return Vec::new() };
        let columns = step.data.iter().filter_map(|column| {
            let sheet = step.sheet.as_deref();
            Some((column.as_str(), self.catalogue.data(&programme.id, message, sheet, column)?))
        });
        columns.collect()
    }

    /// The same, for sending: a message that departs from the schemas is an
    /// error, unless its step is about that; and so is one of the house's own
    /// that contradicts its step.
    ///
    /// # Errors
    /// As [`Payloads::prepare`], [`PayloadError::Invalid`] and
    /// [`PayloadError::Contradicts`].
    pub fn to_send(
        &self,
        programme: &Programme,
        scenario: &Scenario,
        step: u32,
        values: &Stamp,
    ) -> Result<Payload, PayloadError> {
        let payload = self.prepare(programme, scenario, step, values)?;
        if let Some(why) = payload.contradiction {
            let (origin, scenario) = (payload.origin, scenario.id.clone());
            return Err(PayloadError::Contradicts { origin, scenario, step, why });
        }
        match payload.check {
            Some(Check { version, violations, on_purpose: false, .. })
                if !violations.is_empty() =>
            {
                Err(PayloadError::Invalid { origin: payload.origin, version, violations })
            }
            _ => Ok(payload),
        }
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
        let (wanted, note) = for_one_procedure(wanted, &self.procedures);
        self.render(programme, scenario, step, &wanted, note, &values)
    }

    /// Renders and finishes the built-in message of the step `wanted`.
    fn render(
        &self,
        programme: &Programme,
        scenario: &Scenario,
        step: u32,
        wanted: &Step,
        note: Option<String>,
        values: &Stamp,
    ) -> Result<Payload, PayloadError> {
        let rendered = built::render(&self.templates, &self.catalogue, programme, wanted, values);
        let (xml, origin) = rendered.map_err(|failure| match failure {
            Failure::Lacking(reason) => {
                PayloadError::NotBuiltIn { scenario: scenario.id.clone(), step, reason }
            }
            Failure::Build(origin, source) => PayloadError::Build { origin, source },
        })?;
        let mut payload = self.finish(programme, wanted, &xml, origin, values)?;
        payload.notes.extend(note);
        Ok(payload)
    }

    /// Finishes a message that is not ours.
    fn finish_foreign(
        &self,
        programme: &Programme,
        wanted: &Step,
        filled: &str,
        origin: String,
        note: Option<String>,
        values: &Stamp,
    ) -> Result<Payload, PayloadError> {
        let mut payload = self.finish(programme, wanted, filled, origin, values)?;
        payload.notes.extend(note);
        payload.notes.extend(self.doubts(programme, wanted, &payload.xml));
        Ok(payload)
    }

    /// Stamps a message, changes it as its step says, and judges it.
    fn finish(
        &self,
        programme: &Programme,
        wanted: &Step,
        xml: &str,
        origin: String,
        values: &Stamp,
    ) -> Result<Payload, PayloadError> {
        let made = stamp(xml, values).and_then(|xml| {
            let xml = match &wanted.mutation {
                Some(Mutation { remove, set, at_least, .. }) => {
                    mutate(&xml, &Changes { remove, set, at_least })?
                }
                None => xml,
            };
            nothing_left(&xml).map(|()| xml)
        });
        let xml = match made {
            Ok(xml) => xml,
            Err(source) => return Err(PayloadError::Build { origin, source }),
        };
        let judge = self.judge.as_ref();
        let check = judge.map(|judge| judge.judge(programme, wanted, &origin, &xml)).transpose()?;
        let mutation = wanted.mutation.as_ref().map(|mutation| mutation.what.clone());
        Ok(Payload {
            xml,
            origin,
            mutation,
            notes: Vec::new(),
            check,
            passed_over: None,
            contradiction: None,
        })
    }

    /// What the test environment of this programme may not like about a
    /// message that is not ours.
    fn doubts(&self, programme: &Programme, wanted: &Step, xml: &str) -> Vec<String> {
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
        let mut known = self.catalogue.test_values(&programme.id, "GRN");
        // What the scenario itself puts there is no surprise.
        known.extend(
            wanted.mutation.iter().flat_map(|mutation| mutation.set.values().map(String::as_str)),
        );
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

/// A message that is not ours, with the values of the run in its places.
fn filled(text: &str, origin: &str, values: &Stamp) -> Result<String, PayloadError> {
    fill_placeholders(text, values)
        .map_err(|source| PayloadError::Build { origin: origin.to_owned(), source })
}

/// The step with the one column of test data that this house uses, where it
/// names one for each procedure; and a note that says so. Software with both
/// procedures takes the simplified one: such a scenario counts for either, and
/// the simplified one needs no officers to be released or unloaded.
fn for_one_procedure(step: &Step, procedures: &[Procedure]) -> (Step, Option<String>) {
    let of = |procedure: Procedure| {
        let mut found = step.data.iter().filter(|column| {
            let mut words = column.split(|c: char| !c.is_ascii_alphanumeric());
            words.any(|word| word.eq_ignore_ascii_case(procedure.as_str()))
        });
        (found.next(), found.next())
    };
    let columns = (of(Procedure::Normal), of(Procedure::Simplified));
    let ((Some(normal), None), (Some(simplified), None)) = columns else {
        return (step.clone(), None);
    };
    if step.data.len() != 2 {
        return (step.clone(), None);
    }
    let (column, why) = match procedures {
        [Procedure::Normal] => (normal, "the procedure that the software supports"),
        [Procedure::Simplified] => (simplified, "the procedure that the software supports"),
        _ => (simplified, "which needs no officers"),
    };
    let note = format!("the step has test data for either procedure; used `{column}`, {why}");
    (Step { data: vec![column.clone()], ..step.clone() }, Some(note))
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
