//! Large messages on their way: where they may be uploaded, and files that
//! wait to be looked at. No HTTP and no clock.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::Ids;
use super::multipart::Part;

/// Most bytes of a file that the uploader takes.
pub(super) const FILE: usize = 20_000_000;

/// Most bytes of files that may wait to be looked at.
const WAITING: usize = 100_000_000;

/// Most uploads that may be asked for and not used; the oldest goes first.
const ASKED: usize = 10_000;

/// What a virus scanner's own test file contains.
const TEST_VIRUS: &[u8] = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE";

/// A file that was uploaded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    /// Why the uploader's own checks refuse it.
    pub(super) refused: Option<String>,
    /// When it is looked at.
    pub(super) due: DateTime<Utc>,
}

/// A place to upload one message to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) movement: String,
    pub(super) message: String,
    /// What must be sent with the file.
    pub(super) fields: BTreeMap<String, String>,
    asked: u64,
    pub(super) file: Option<File>,
}

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The fields are not those given out, or were used before.
    Denied,
    /// There is not exactly one file, at the end.
    NoFile,
    Empty,
    TooLarge,
    /// Too many files wait.
    Busy,
}

/// Every upload by its key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Uploads {
    all: BTreeMap<String, Upload>,
    asked: u64,
}

impl Uploads {
    /// Gives out a place for the file of a message. Returns the form's fields.
    pub(super) fn ask(
        &mut self,
        movement: &str,
        message: &str,
        now: DateTime<Utc>,
        ids: &mut Ids,
    ) -> BTreeMap<String, String> {
        if self.all.len() >= ASKED {
            let oldest = self.all.iter().min_by_key(|(_, one)| one.asked);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.all.remove(&oldest);
            }
        }
        let key = ids.uuid();
        let date = now.format("%Y%m%dT%H%M%SZ").to_string();
        let credential = format!("SIMULATOR/{}/eu-west-2/s3/aws4_request", now.format("%Y%m%d"));
        let fields: BTreeMap<String, String> = [
            ("acl", "private".to_owned()),
            ("key", key.clone()),
            ("policy", ids.hex()),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("x-amz-credential", credential),
            ("x-amz-date", date),
            ("x-amz-meta-original-filename", "${filename}".to_owned()),
            ("x-amz-meta-session-id", ids.uuid()),
            ("x-amz-signature", ids.hex()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        self.asked += 1;
        let upload = Upload {
            movement: movement.to_owned(),
            message: message.to_owned(),
            fields: fields.clone(),
            asked: self.asked,
            file: None,
        };
        self.all.insert(key, upload);
        fields
    }

    /// Takes a form with a file in it, to be looked at when it is `due`.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn take(&mut self, parts: &[Part<'_>], due: DateTime<Utc>) -> Result<(), NotTaken> {
        // Whatever follows the file is ignored, as the real uploader does: so
        // the file must come last.
        let file = parts.iter().position(|part| part.name == "file");
        let before = parts.get(..file.unwrap_or(parts.len())).unwrap_or_default();
        let said = |name: &str| before.iter().find(|part| part.name == name).map(|part| part.body);
        let waiting: usize =
            self.all.values().filter_map(|one| Some(one.file.as_ref()?.bytes.len())).sum();
        let upload = said("key")
            .and_then(|key| std::str::from_utf8(key).ok())
            .and_then(|key| self.all.get_mut(key))
            .filter(|upload| upload.file.is_none())
            .filter(|upload| {
                let all = upload.fields.iter();
                all.into_iter().all(|(name, value)| said(name) == Some(value.as_bytes()))
            })
            .ok_or(NotTaken::Denied)?;
        let file = file.and_then(|at| parts.get(at)).ok_or(NotTaken::NoFile)?;
        match file.body.len() {
            0 => return Err(NotTaken::Empty),
            length if length > FILE => return Err(NotTaken::TooLarge),
            length if length + waiting > WAITING => return Err(NotTaken::Busy),
            _ => {}
        }
        let bytes = file.body.to_vec();
        upload.file = Some(File { refused: refused(file), bytes, due });
        Ok(())
    }

    /// The next file to look at, until `now`. It is forgotten here.
    pub(super) fn next(&mut self, now: DateTime<Utc>) -> Option<(Upload, File)> {
        let due = |one: &Upload| one.file.as_ref().map(|file| file.due);
        let (key, _) = self
            .all
            .iter()
            .filter(|(_, one)| due(one).is_some_and(|due| due <= now))
            .min_by_key(|(_, one)| (due(one), one.asked))?;
        let key = key.clone();
        let mut upload = self.all.remove(&key)?;
        let file = upload.file.take()?;
        Some((upload, file))
    }
}

/// What the uploader's own checks say against a file.
fn refused(file: &Part<'_>) -> Option<String> {
    let typed = file.content_type.as_deref().unwrap_or_default();
    let essence = typed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(essence.as_str(), "application/xml" | "text/xml") {
        return Some("The file type of the upload is not allowed".to_owned());
    }
    let start = file.body.get(..200).unwrap_or(file.body);
    let virus = start.windows(TEST_VIRUS.len()).any(|window| window == TEST_VIRUS);
    virus.then(|| "The file has a virus".to_owned())
}
