//! HMRC's XML schemas, in the folder that the settings or a flag name: the
//! files of one version, or a folder for each version (`2.0`, `2.1`, `3.0`).

use std::path::{Path, PathBuf};

use crate::catalogue::Catalogue;
use crate::digest::Digest;
use crate::files::{self, Bounds, FileError};
use crate::ncts::xsd::{SchemaError, Schemas};

/// HMRC's three versions have some 120 files of 4 MB.
const BOUNDS: Bounds = Bounds { entries: 2_000, depth: 4, bytes: 32 << 20 };

/// What a schema file's name ends with.
const EXTENSION: &str = "xsd";

/// Schemas that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum XsdError {
    /// The folder cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Neither schema files nor a folder for the version.
    #[error(
        "`{}` has no schemas of version {version}: it holds neither .xsd files nor a folder \
         `{version}` with some", .folder.display()
    )]
    NoVersion {
        /// The folder.
        folder: PathBuf,
        /// The version asked for.
        version: String,
    },
    /// The folder is that of another version, by its name.
    #[error("`{}` is named for version {named}, not {version}", .folder.display())]
    OtherVersion {
        /// The folder.
        folder: PathBuf,
        /// The version in its name.
        named: String,
        /// The version asked for.
        version: String,
    },
    /// The files are no schemas that can be used.
    #[error("`{}`: {source}", .folder.display())]
    Schemas {
        /// The folder of the version.
        folder: PathBuf,
        /// What is wrong with them.
        source: SchemaError,
    },
}

/// How a folder of schemas is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Layout {
    /// It holds the files itself.
    Flat,
    /// It holds a folder for each of these versions.
    Versions(Vec<String>),
}

/// A folder of schemas, looked at but not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XsdFolder {
    path: PathBuf,
    layout: Layout,
    known: Vec<String>,
}

/// The schemas of one version, ready to judge messages.
#[derive(Clone, Debug)]
pub struct SchemaSet {
    /// The version asked for; none where the folder does not say which it is.
    pub version: Option<String>,
    /// SHA-256 over the files: for each, in the order of their paths, path,
    /// NUL, length in decimal, NUL, text.
    pub digest: Digest,
    /// The schemas.
    pub schemas: Schemas,
}

impl XsdFolder {
    /// Looks at a folder. `known` are the versions there may be, oldest first.
    ///
    /// # Errors
    /// When it is missing or no folder.
    pub fn open(path: &Path, known: &[&str]) -> Result<Self, XsdError> {
        let entries = files::list(path)?;
        let names: Vec<String> =
            entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        let versions: Vec<String> = known
            .iter()
            .filter(|version| names.iter().any(|name| name == **version))
            .filter(|version| path.join(version).is_dir())
            .map(|version| (*version).to_owned())
            .collect();
        let layout = match versions.is_empty() {
            true => Layout::Flat,
            false => Layout::Versions(versions),
        };
        let known = known.iter().map(|version| (*version).to_owned()).collect();
        Ok(Self { path: path.to_owned(), layout, known })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The versions it says it has; empty where it holds one version's files
    /// under a name that does not tell which.
    pub fn versions(&self) -> Vec<&str> {
        match &self.layout {
            Layout::Versions(versions) => versions.iter().map(String::as_str).collect(),
            Layout::Flat => self.named().into_iter().collect(),
        }
    }

    /// The version in the folder's own name.
    fn named(&self) -> Option<&str> {
        let name = self.path.file_name()?.to_str()?;
        self.known.iter().map(String::as_str).find(|version| *version == name)
    }

    /// Reads and compiles the schemas of a version; none: of the one there is.
    /// Files that lie in the folder itself serve every version, unless its
    /// name is that of another.
    ///
    /// # Errors
    /// When the version is not there, or its files cannot be read or used.
    pub fn load(&self, version: Option<&str>) -> Result<SchemaSet, XsdError> {
        let version = version.or(match self.versions().as_slice() {
            [only] => Some(*only),
            _ => None,
        });
        let shown = version.unwrap_or("any").to_owned();
        let folder = match (&self.layout, version, self.named()) {
            (Layout::Versions(versions), Some(version), _)
                if versions.iter().any(|known| known == version) =>
            {
                self.path.join(version)
            }
            (Layout::Versions(_), _, _) => {
                return Err(XsdError::NoVersion { folder: self.path.clone(), version: shown });
            }
            (Layout::Flat, Some(version), Some(named)) if named != version => {
                return Err(XsdError::OtherVersion {
                    folder: self.path.clone(),
                    named: named.to_owned(),
                    version: shown,
                });
            }
            (Layout::Flat, _, _) => self.path.clone(),
        };
        let texts = files::read_texts(&folder, EXTENSION, BOUNDS)?;
        if texts.is_empty() {
            return Err(XsdError::NoVersion { folder, version: shown });
        }
        let lengths: Vec<String> = texts.iter().map(|(_, text)| text.len().to_string()).collect();
        let parts: Vec<&[u8]> = texts
            .iter()
            .zip(&lengths)
            .flat_map(|((path, text), length)| {
                [path.as_bytes(), b"\0", length.as_bytes(), b"\0", text.as_bytes()]
            })
            .collect();
        let digest = Digest::of_parts(&parts);
        let schemas =
            Schemas::load(texts).map_err(|source| XsdError::Schemas { folder, source })?;
        Ok(SchemaSet { version: version.map(str::to_owned), digest, schemas })
    }
}

/// The schema versions of the catalogue's programmes, in their order.
pub fn versions(catalogue: &Catalogue) -> Vec<&str> {
    let mut versions: Vec<&str> = Vec::new();
    for programme in catalogue.programmes() {
        // A programme without messages has none.
        if let Some(version) = programme.api.xsd.as_deref()
            && !versions.contains(&version)
        {
            versions.push(version);
        }
    }
    versions
}
