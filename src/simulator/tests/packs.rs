//! HMRC's reference material, where it is there: test packs and XSDs.
//!
//! It is no part of the repository.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, TimeZone, Utc};

use crate::ncts::MessageType;
use crate::ncts::build::{Stamp, fill_placeholders, stamp};
use crate::simulator::options::ApiVersion;

/// The reference folder; without it, or without `xmllint`, says so loudly.
pub(super) fn reference() -> Option<PathBuf> {
    let folder = std::env::var_os("CTC_READY_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"),
        PathBuf::from,
    );
    if !["xsd", "test-packs", "scenarios"].iter().all(|part| folder.join(part).is_dir()) {
        skipped("no reference folder with XSDs, test packs and scenarios");
        return None;
    }
    if Command::new("xmllint").arg("--version").output().is_err() {
        skipped("`xmllint` is not installed");
        return None;
    }
    Some(folder)
}

/// Written past the test harness, which swallows what passing tests print: a
/// skip must be seen.
pub(super) fn skipped(why: &str) {
    aloud(&format!("SKIPPED: {why}"));
}

/// Says something past the test harness.
pub(super) fn aloud(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

pub(super) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap()
}

/// The messages of a pack by type (`ie015`): name within the pack and text.
pub(super) fn pack(path: &Path) -> BTreeMap<&'static str, Vec<(String, String)>> {
    let bytes = std::fs::read(path).unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for nth in 0..zip.len() {
        let mut file = zip.by_index(nth).unwrap();
        let name = file.name().to_owned();
        let lower = name.to_lowercase();
        let kind = ["ie007", "ie013", "ie014", "ie015", "ie044", "ie170"]
            .into_iter()
            .find(|kind| lower.contains(kind) && lower.ends_with(".xml"));
        if let Some(kind) = kind.filter(|_| !lower.contains("__macosx")) {
            let mut text = String::new();
            if file.read_to_string(&mut text).is_ok() {
                all.entry(kind).or_default().push((name, text));
            }
        }
    }
    all
}

/// A message of a pack with the values of a run; none when it wants an MRN
/// that there is not.
pub(super) fn stamped(
    text: &str,
    of: MessageType,
    lrn: &str,
    mrn: Option<String>,
    nth: usize,
) -> Option<String> {
    let values = Stamp {
        message: of,
        lrn: lrn.to_owned(),
        mrn,
        message_identification: format!("ID{nth}"),
        message_sender: None,
        now: now(),
    };
    stamp(&fill_placeholders(text, &values).ok()?, &values).ok()
}

/// Which of these messages `xmllint` finds invalid, with what it says.
pub(super) fn invalid(
    reference: &Path,
    version: ApiVersion,
    messages: &[(MessageType, String)],
) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut by_type: BTreeMap<MessageType, Vec<tempfile::TempPath>> = BTreeMap::new();
    for (of, xml) in messages {
        let mut file = tempfile::Builder::new().suffix(".xml").tempfile_in(folder.path()).unwrap();
        file.write_all(xml.as_bytes()).unwrap();
        by_type.entry(*of).or_default().push(file.into_temp_path());
    }
    let mut out = Vec::new();
    for (of, files) in by_type {
        let schema = reference
            .join("xsd")
            .join(version.as_str())
            .join(format!("{}.xsd", of.root().to_lowercase()));
        let run = Command::new("xmllint")
            .args(["--noout", "--schema"])
            .arg(schema)
            .args(&files)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        out.extend(said.lines().filter(|line| !line.ends_with(" validates")).map(str::to_owned));
    }
    out
}
