//! HMRC's test packs: zips of example messages, named by scenario and message
//! (`dsgb1_ie015_xml_example.xml`) in folders that change from pack to pack.
//! A message is found by its file's name alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::error::{MESSAGE_LIMIT, PayloadError, text};
use crate::catalogue::{Flow, Scenario, Step};
use crate::ncts::{Direction, MessageType};

/// Most bytes of a pack file.
const PACK_LIMIT: u64 = 64 << 20;

/// Most entries of a pack; HMRC's have some 500.
const ENTRIES_LIMIT: u64 = 20_000;

/// Most bytes of messages kept of one pack.
const TEXT_LIMIT: u64 = 64 << 20;

/// What a file's name says: scenario (lower case), message, and a further word
/// such as `invalid`, where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) scenario: String,
    pub(super) message: MessageType,
    pub(super) qualifier: Option<String>,
}

impl FileName {
    /// Reads `dsgb1_ie015_xml_example.xml`, `asgb2_ie044_invalid_xml_example.xml`,
    /// `DSGB1_IE015.xml`, `axi1_ie0007_….xml`: case does not matter, nor a
    /// message number of four digits.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let stem = name.strip_suffix(".xml")?;
        let (scenario, rest) = stem.split_once("_ie")?;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = rest.split_at_checked(digits)?;
        let number: u16 = number.parse().ok()?;
        let message: MessageType = format!("IE{number:03}").parse().ok()?;
        let separate = rest.is_empty() || rest.starts_with('_');
        if scenario.is_empty() || !separate || message.direction() != Direction::Sent {
            return None;
        }
        let qualifier = rest.trim_end_matches("xml_example").trim_matches('_');
        Some(Self {
            scenario: scenario.to_owned(),
            message,
            qualifier: (!qualifier.is_empty()).then(|| qualifier.to_owned()),
        })
    }

    /// How well the name fits a step that sends its message: a word that says
    /// which of several steps is meant counts more than none.
    fn fit(&self, step: &Step) -> Option<u8> {
        let Some(word) = &self.qualifier else { return Some(0) };
        let fits = match word.as_str() {
            "invalid" => step.mutation.is_some(),
            "valid" => step.mutation.is_none(),
            word => step.data.iter().any(|column| column.to_ascii_lowercase().contains(word)),
        };
        fits.then_some(1)
    }
}

#[derive(Clone, Debug)]
struct Entry {
    path: String,
    name: FileName,
    text: String,
}

/// A pack, read.
#[derive(Clone, Debug)]
pub struct Pack {
    path: PathBuf,
    entries: BTreeMap<(String, MessageType), Vec<Entry>>,
}

/// A message found in a pack.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    pub(super) text: &'a str,
    /// Pack and entry, for messages.
    pub(super) origin: String,
    /// What a person should know about the choice.
    pub(super) note: Option<String>,
}

impl Pack {
    /// Opens a pack and keeps the messages of the scenarios in `wanted`
    /// (lower-case ids).
    ///
    /// # Errors
    /// When the file cannot be read, is no zip, breaks a limit, holds names
    /// that lead out of it, or holds no message at all.
    pub fn open(path: &Path, wanted: &BTreeSet<String>) -> Result<Self, PayloadError> {
        let unreadable = |source| PayloadError::Read { path: path.to_owned(), source };
        let not_zip = |error: zip::result::ZipError| PayloadError::NotZip {
            path: path.to_owned(),
            message: error.to_string(),
        };
        let too_large =
            |limit, what| PayloadError::PackTooLarge { path: path.to_owned(), limit, what };

        // Before it is opened: a pipe would block for ever.
        let meta = std::fs::metadata(path).map_err(unreadable)?;
        if meta.is_dir() {
            return Err(PayloadError::NotZip {
                path: path.to_owned(),
                message: "it is a folder; give HMRC's zip as it was downloaded".into(),
            });
        }
        if !meta.is_file() {
            return Err(unreadable(std::io::Error::other("it is not a file")));
        }
        if meta.len() > PACK_LIMIT {
            return Err(too_large(PACK_LIMIT, "bytes"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(not_zip)?;
        if archive.len() as u64 > ENTRIES_LIMIT {
            return Err(too_large(ENTRIES_LIMIT, "files"));
        }

        let mut messages = 0_usize;
        let mut kept: u64 = 0;
        let mut entries: BTreeMap<(String, MessageType), Vec<Entry>> = BTreeMap::new();
        for index in 0..archive.len() {
            let entry = archive.by_index(index).map_err(not_zip)?;
            let name = entry.name().replace('\\', "/");
            if entry.enclosed_name().is_none() || name.split('/').any(|part| part == "..") {
                return Err(PayloadError::Traversal {
                    path: path.to_owned(),
                    entry: name.chars().take(200).collect(),
                });
            }
            // Apple's archiver adds a shadow of every file.
            if entry.is_dir() || name.split('/').any(|part| part == "__MACOSX") {
                continue;
            }
            let file_name = name.rsplit('/').next().unwrap_or_default();
            if file_name.starts_with('.') {
                continue;
            }
            let Some(parsed) = FileName::parse(file_name) else { continue };
            messages += 1;
            if !wanted.contains(&parsed.scenario) {
                continue;
            }
            let origin = origin(path, &name);
            // The header may lie about the size, so the reader is bounded too.
            let mut bytes = Vec::new();
            let size = entry.size();
            entry
                .take(MESSAGE_LIMIT + 1)
                .read_to_end(&mut bytes)
                .map_err(|source| PayloadError::Read { path: path.to_owned(), source })?;
            if size > MESSAGE_LIMIT || bytes.len() as u64 > MESSAGE_LIMIT {
                return Err(PayloadError::TooLarge { origin });
            }
            kept += bytes.len() as u64;
            if kept > TEXT_LIMIT {
                return Err(too_large(TEXT_LIMIT, "bytes of messages"));
            }
            let text = text(&origin, bytes)?;
            let key = (parsed.scenario.clone(), parsed.message);
            entries.entry(key).or_default().push(Entry { path: name, name: parsed, text });
        }
        if messages == 0 {
            return Err(PayloadError::NoMessages { path: path.to_owned() });
        }
        for list in entries.values_mut() {
            list.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// The message of a step, if the pack has it.
    pub(super) fn find(
        &self,
        scenario: &Scenario,
        step: &Step,
        message: MessageType,
    ) -> Option<Found<'_>> {
        let entries = self.entries.get(&(scenario.id.to_ascii_lowercase(), message))?;
        let best = entries.iter().filter_map(|entry| entry.name.fit(step)).max()?;
        let fitting: Vec<&Entry> =
            entries.iter().filter(|entry| entry.name.fit(step) == Some(best)).collect();
        let of_family =
            fitting.iter().find(|entry| family(&entry.path) == Some(scenario.flow)).copied();
        let entry = of_family.or_else(|| fitting.first().copied())?;
        let differ = fitting.iter().any(|other| other.text != entry.text);
        let note = differ.then(|| {
            let count = fitting.len();
            let why = match of_family {
                Some(_) => format!("the one for {}s", scenario.flow.as_str()),
                None => "the first".to_owned(),
            };
            format!(
                "the pack has {count} files of this name with different content; used {why}, `{}`",
                entry.path
            )
        });
        Some(Found { text: &entry.text, origin: origin(&self.path, &entry.path), note })
    }
}

/// `pack X.zip: folder/dsgb1_ie015_xml_example.xml`.
fn origin(pack: &Path, entry: &str) -> String {
    let name = pack.file_name().unwrap_or(pack.as_os_str()).to_string_lossy();
    format!("pack {name}: {entry}")
}

/// The flow a pack's folders tell, the outermost one that tells any.
fn family(path: &str) -> Option<Flow> {
    path.split('/').find_map(|folder| {
        let folder = folder.to_ascii_lowercase();
        if folder.contains("prelodg") || folder.contains("pre-lodg") {
            Some(Flow::PreLodgedDeparture)
        } else if folder.contains("standard") || folder == "departures" {
            Some(Flow::StandardDeparture)
        } else if folder.contains("arrival") {
            Some(Flow::Arrival)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_scenario_message_and_which_of_several() {
        let parse = |name: &str| {
            FileName::parse(name).map(|n| (n.scenario, n.message.as_str(), n.qualifier))
        };
        let plain = |id: &str, message| Some((id.to_owned(), message, None));
        assert_eq!(parse("dsgb1_ie015_xml_example.xml"), plain("dsgb1", "IE015"));
        assert_eq!(parse("P6-DSGB-01_ie015_xml_example.xml"), plain("p6-dsgb-01", "IE015"));
        assert_eq!(parse("DSGB1_IE015.XML"), plain("dsgb1", "IE015"));
        assert_eq!(parse("angb1_ie0007_xml_example.xml"), plain("angb1", "IE007"));
        assert_eq!(
            parse("asgb2_ie044_invalid_xml_example.xml"),
            Some(("asgb2".into(), "IE044", Some("invalid".into())))
        );
        for other in
            ["IE015.xml", "README.md", "_ie015.xml", "a_ie999.xml", "a_ie028.xml", "a_ie.xml"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn folders_tell_the_flow() {
        let p6 = "Phase6_Example-xmls 2";
        for (path, flow) in [
            (format!("{p6}/Arrivals/gb departure - xi arrivals/Simplified/x"), Flow::Arrival),
            (format!("{p6}/Standard Departures/gb -xi/Simplified/x"), Flow::StandardDeparture),
            (format!("{p6}/Prelodgement /gb -xi/x"), Flow::PreLodgedDeparture),
            (
                "xml_examples/transition-and-final/prelodged-departures/x".into(),
                Flow::PreLodgedDeparture,
            ),
        ] {
            assert_eq!(family(&path), Some(flow), "{path}");
        }
        assert_eq!(family("a/b/x"), None);
    }
}
