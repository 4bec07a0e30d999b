//! The house's own files: `<folder>/<scenario>/<step>-<message>.xml`, or
//! `<folder>/<scenario>_<message>.xml` where one step alone sends the message.
//! Case does not matter.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::{MESSAGE_LIMIT, PayloadError, text};
use super::pack::FileName;
use crate::catalogue::Scenario;
use crate::ncts::MessageType;

/// A file's path and text.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// The house's file for a step, if there is one. The folder is looked through
/// each time, since files may be edited between runs.
pub(super) fn find(
    folder: &Path,
    scenario: &Scenario,
    step: u32,
    message: MessageType,
) -> Result<Option<Found>, PayloadError> {
    let mut files = Vec::new();
    for path in list(folder)? {
        let name = file_name(&path);
        if name.eq_ignore_ascii_case(&scenario.id) && path.is_dir() {
            for path in list(&path)? {
                if let Some((number, named)) = numbered(&file_name(&path))
                    && number == step
                {
                    if named != message {
                        return Err(PayloadError::Misnamed {
                            path,
                            scenario: scenario.id.clone(),
                            step,
                            expected: message,
                            named,
                        });
                    }
                    files.push(path);
                }
            }
        } else if let Some(named) = FileName::parse(&name)
            && named.message == message
            && named.scenario.eq_ignore_ascii_case(&scenario.id)
        {
            let senders = scenario.step.iter().filter(|step| step.send == Some(message)).count();
            if senders > 1 {
                return Err(PayloadError::WhichStep {
                    path,
                    scenario: scenario.id.clone(),
                    step,
                    message,
                });
            }
            files.push(path);
        }
    }
    match files.as_slice() {
        [] => Ok(None),
        [path] => Ok(Some(Found { path: path.clone(), text: read(path)? })),
        _ => Err(PayloadError::Ambiguous { scenario: scenario.id.clone(), step, files }),
    }
}

/// What stands in a folder, sorted.
fn list(folder: &Path) -> Result<Vec<PathBuf>, PayloadError> {
    let unreadable = |source| PayloadError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Step and message of `1-IE015.xml`.
fn numbered(name: &str) -> Option<(u32, MessageType)> {
    let name = name.to_ascii_lowercase();
    let (step, message) = name.strip_suffix(".xml")?.split_once('-')?;
    Some((step.parse().ok()?, message.parse().ok()?))
}

fn read(path: &Path) -> Result<String, PayloadError> {
    let unreadable = |source| PayloadError::Read { path: path.to_owned(), source };
    let origin = format!("file {}", path.display());
    let mut bytes = Vec::new();
    // A pipe or device would block or never end.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is not a file")));
    }
    let file = File::open(path).map_err(unreadable)?;
    file.take(MESSAGE_LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MESSAGE_LIMIT {
        return Err(PayloadError::TooLarge { origin });
    }
    text(&origin, bytes)
}
