//! Schemas and the judge they are compared with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use ctc_ready::ncts::xsd::Schemas;

use crate::reference;

pub const VERSIONS: [&str; 3] = ["2.0", "2.1", "3.0"];

/// The schema files of a folder, as [`Schemas::load`] takes them.
pub fn files(folder: &Path) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                folders.push((entry.path(), format!("{name}/")));
            } else if name.ends_with(".xsd") {
                out.push((name, fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    out.sort();
    out
}

/// HMRC's schemas of every version; none when they are not there.
pub fn hmrc() -> Option<&'static BTreeMap<&'static str, Schemas>> {
    static LOADED: OnceLock<Option<BTreeMap<&'static str, Schemas>>> = OnceLock::new();
    let load = || {
        let folder = reference::folder()?.join("xsd");
        let load = |version| {
            let schemas = Schemas::load(files(&folder.join(version)));
            (version, schemas.unwrap_or_else(|error| panic!("{version}: {error}")))
        };
        Some(VERSIONS.into_iter().map(load).collect())
    };
    LOADED.get_or_init(load).as_ref()
}

/// Whether `xmllint` finds each document valid; none when it is not
/// installed. `schema` is one file.
pub fn xmllint(schema: &Path, documents: &[impl AsRef<[u8]>]) -> Option<Vec<bool>> {
    let folder = tempfile::tempdir().unwrap();
    let mut verdicts = Vec::with_capacity(documents.len());
    for (batch, part) in documents.chunks(2_000).enumerate() {
        let names: Vec<String> = (0..part.len()).map(|nth| format!("{batch}-{nth}.xml")).collect();
        for (name, document) in names.iter().zip(part) {
            fs::write(folder.path().join(name), document).unwrap();
        }
        let run = Command::new("xmllint")
            .current_dir(folder.path())
            .args(["--noout", "--nonet", "--schema"])
            .arg(schema)
            .args(&names)
            .output();
        let Ok(run) = run else {
            reference::skipped("xmllint is not installed");
            return None;
        };
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(!said.contains("failed to compile"), "{said:.2000}");
        let valid: std::collections::HashSet<&str> =
            said.lines().filter_map(|line| line.strip_suffix(" validates")).collect();
        verdicts.extend(names.iter().map(|name| valid.contains(name.as_str())));
    }
    Some(verdicts)
}

/// One schema file that includes every message of a version, for `xmllint`.
pub fn all_of(version: &str, folder: &Path) -> PathBuf {
    let xsd = fs::canonicalize(reference::folder().unwrap().join("xsd").join(version)).unwrap();
    let includes: String = files(&xsd)
        .iter()
        .filter(|(name, _)| name.starts_with("cc"))
        .map(|(name, _)| format!("<xs:include schemaLocation=\"{}/{name}\"/>\n", xsd.display()))
        .collect();
    let path = folder.join(format!("all-{version}.xsd"));
    let text = format!(
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
         targetNamespace=\"http://ncts.dgtaxud.ec\">\n{includes}</xs:schema>"
    );
    fs::write(&path, text).unwrap();
    path
}
