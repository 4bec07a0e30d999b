//! Tokens that are kept from one call of the program to the next, in a folder
//! of the user's that is no project:
//!
//! ```text
//! <profile>/<address>.json   whose tokens, until when; and the tokens (mode 0600)
//! <profile>/<address>.lock   held while they are renewed or replaced
//! ```
//!
//! With the feature `keyring`, and where the system has a keyring, the tokens
//! themselves are there, and the file has the rest.
//!
//! A profile is a trader: whoever signed in. An address is that of the API, since
//! tokens of one are worth nothing at another.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{DateTime, Months, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use super::super::oauth::{Granted, is_token};
use super::{Bearer, ring};
use crate::files::{self, Access, Exposed, FileError, Lock, LockFile};

/// Version of the file.
const FORMAT: u32 = 1;

/// Largest file, in bytes; two tokens of 8 KiB and a few hundred bytes more.
const MAX_FILE: u64 = 64 << 10;

/// Longest name of a profile.
const MAX_PROFILE: usize = 40;

/// Longest name of a file that stands for an address.
const MAX_SLUG: usize = 120;

/// How long a trader's consent lasts, however often tokens are renewed
/// (Developer Hub, user-restricted endpoints).
const GRANT: Months = Months::new(18);

/// What is kept cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Others than the user could take the tokens.
    #[error(transparent)]
    Exposed(Exposed),
    /// A file that holds something else than what belongs there.
    #[error("`{}` {message}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong, as in "`file` …".
        message: String,
    },
    /// The system's keyring does not do what it should.
    #[error("the system's keyring cannot be used: {0}")]
    Ring(String),
}

/// The name of a profile: 1 to 40 of `a-z`, `0-9`, `-`, `_` and `.`, a letter or
/// a digit first. It is the name of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Profile(String);

impl Profile {
    /// The profile of who names none.
    pub const DEFAULT: &str = "default";

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let fits = (1..=MAX_PROFILE).contains(&text.len())
            && text.bytes().all(|c| plain(c) || b"-_.".contains(&c))
            && text.bytes().next().is_some_and(plain);
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "a profile's name has 1 to {MAX_PROFILE} of a-z, 0-9, `-`, `_` and `.`, a letter \
                 or a digit first"
            )),
        }
    }
}

/// A text that is written to disk and never shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
struct SecretText(SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

/// The tokens themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    access_token: SecretText,
    refresh_token: Option<SecretText>,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    profile: String,
    address: String,
    client_id: String,
    scopes: Vec<String>,
    replace_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    grant_ends_at: DateTime<Utc>,
    /// None: they are in the keyring.
    secrets: Option<Secrets>,
}

/// A trader's tokens, and what is known of them.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The application's client id.
    pub client_id: String,
    /// What may be done with them.
    pub scopes: Vec<String>,
    /// When to replace the access token, by our clock.
    pub replace_at: DateTime<Utc>,
    /// When it ends.
    pub ends_at: DateTime<Utc>,
    /// When the trader's consent ends.
    pub grant_ends_at: DateTime<Utc>,
    /// What goes with a call.
    pub access: SecretString,
    /// What brings the next ones; single use.
    pub refresh: Option<SecretString>,
    /// Whether the tokens were read from the system's keyring.
    pub in_ring: bool,
}

impl Kept {
    /// What a sign-in brought that ended at `server_now`, by the service's clock
    /// where it told it. `asked` are the scopes asked for.
    pub fn signed_in(
        granted: Granted,
        client_id: &str,
        asked: &[&str],
        server_now: DateTime<Utc>,
    ) -> Self {
        let scopes = granted.scopes;
        Self {
            client_id: client_id.to_owned(),
            scopes: scopes.unwrap_or_else(|| asked.iter().map(|&scope| scope.into()).collect()),
            replace_at: granted.access.replace_at,
            ends_at: granted.access.ends_at,
            grant_ends_at: server_now.checked_add_months(GRANT).unwrap_or(server_now),
            access: granted.access.secret,
            refresh: granted.refresh,
            in_ring: false,
        }
    }

    /// The same consent with new tokens. Where no refresh token comes with them
    /// the old one stays (RFC 6749, section 6).
    #[must_use]
    pub fn renewed(self, granted: Granted) -> Self {
        Self {
            scopes: granted.scopes.unwrap_or(self.scopes),
            replace_at: granted.access.replace_at,
            ends_at: granted.access.ends_at,
            access: granted.access.secret,
            refresh: granted.refresh.or(self.refresh),
            ..self
        }
    }

    /// The access token.
    pub fn bearer(&self) -> Bearer {
        Bearer {
            secret: self.access.clone(),
            replace_at: Some(self.replace_at),
            ends_at: Some(self.ends_at),
        }
    }

    /// Whether the access token is to be replaced: it ends soon. That our clock
    /// may have been wrong when it came shows when it is refused.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        now >= self.replace_at
    }
}

/// The folder of all profiles.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
    /// Whether tokens go to the system's keyring.
    ring: bool,
}

impl Shelf {
    /// The profiles in a folder. With `ring`, tokens go to the system's keyring
    /// where there is one, and this program can use it.
    pub fn new(folder: &Path, ring: bool) -> Self {
        Self { folder: folder.to_owned(), ring: ring && ring::is_there() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the tokens of a profile for the API at `base` are.
    pub fn place(&self, profile: &Profile, base: &Url) -> Place {
        let address = base.as_str().trim_end_matches('/').to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let slug: String = address.replace("://", "-");
        let slug = slug.chars().map(|c| if plain(c) { c } else { '_' }).take(MAX_SLUG).collect();
        let folder = self.folder.join(profile.as_str());
        Place { shelf: self.clone(), profile: profile.clone(), address, folder, slug }
    }

    /// Every secret in the files of all profiles and addresses, with what it is:
    /// tokens, and passwords of test users. What cannot be read is left out.
    pub fn secrets(&self) -> Vec<(String, SecretString)> {
        #[derive(Deserialize)]
        struct Any {
            secrets: Option<Secrets>,
            password: Option<SecretText>,
        }
        let listed = |folder: &Path| files::list(folder).unwrap_or_default();
        let mut found = Vec::new();
        for folder in listed(&self.folder) {
            let whose = folder.file_name().to_string_lossy().into_owned();
            let mut add = |what: &str, SecretText(secret)| {
                found.push((format!("the {what} of profile `{whose}`"), secret));
            };
            for file in listed(&folder.path()) {
                let Ok(bytes) = files::read_bounded(&file.path(), MAX_FILE) else { continue };
                let Ok(any) = serde_json::from_slice::<Any>(&bytes) else { continue };
                if let Some(Secrets { access_token, refresh_token }) = any.secrets {
                    add("access token", access_token);
                    refresh_token.into_iter().for_each(|it| add("refresh token", it));
                }
                any.password.into_iter().for_each(|it| add("test user's password", it));
            }
        }
        found
    }

    /// The profiles that are signed in at `base`, by name.
    ///
    /// # Errors
    /// When the folder is there and cannot be listed.
    pub fn profiles(&self, base: &Url) -> Result<Vec<Profile>, KeptError> {
        let entries = match files::list(&self.folder) {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Ok(names.filter(|profile| self.place(profile, base).file().is_file()).collect())
    }
}

/// Where one profile's tokens for one address are.
#[derive(Clone, Debug)]
pub struct Place {
    shelf: Shelf,
    profile: Profile,
    address: String,
    folder: PathBuf,
    slug: String,
}

/// The right to change what is at a [`Place`].
#[derive(Debug)]
pub struct Holding {
    lock: LockFile,
}

impl Holding {
    /// When a renewal began that never ended, as it was noted then.
    pub fn cut_off(&self) -> Option<String> {
        let note = String::from_utf8_lossy(self.lock.before());
        let note = note.trim();
        (!note.is_empty()).then(|| note.chars().filter(|c| !c.is_control()).take(40).collect())
    }

    /// Notes that a renewal begins; what there is to lose is on disk from now on.
    ///
    /// # Errors
    /// When that cannot be written: the tokens could then not be kept either.
    pub fn begin(&mut self, now: DateTime<Utc>) -> Result<(), KeptError> {
        let now = now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Ok(self.lock.write(now.as_bytes())?)
    }

    /// Notes that it has ended.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn end(&mut self) -> Result<(), KeptError> {
        Ok(self.lock.write(b"")?)
    }
}

impl Place {
    /// Whose.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The file.
    pub fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.slug))
    }

    /// A file beside it with something else of the same profile and address.
    pub fn beside(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}.json", self.slug))
    }

    /// What is kept; none: nobody signed in.
    ///
    /// # Errors
    /// When others than the user could read it, or it is not what it should be.
    pub fn load(&self) -> Result<Option<Kept>, KeptError> {
        let path = self.file();
        let Some(bytes) = read_private(&path)? else { return Ok(None) };
        let foreign =
            |message: &str| KeptError::Foreign { path: path.clone(), message: message.to_owned() };
        // The parser's words would quote the tokens.
        let record: Record = serde_json::from_slice(&bytes)
            .map_err(|_| foreign("is not what `auth login` writes"))?;
        if record.format != FORMAT {
            return Err(foreign("is of another version of ctc-ready"));
        }
        if record.address != self.address || record.profile != self.profile.as_str() {
            return Err(foreign("holds the tokens of another profile or address"));
        }
        let in_ring = record.secrets.is_none();
        let secrets = match record.secrets {
            Some(secrets) => secrets,
            None => match ring::read(&self.account())? {
                None => {
                    return Err(foreign(
                        "says that the tokens are in the keyring, and they are not",
                    ));
                }
                Some(text) => serde_json::from_str(text.expose_secret())
                    .map_err(|_| KeptError::Ring("what it keeps is not ours".into()))?,
            },
        };
        let Secrets { access_token: SecretText(access), refresh_token } = secrets;
        let refresh = refresh_token.map(|SecretText(refresh)| refresh);
        if !std::iter::once(&access).chain(&refresh).all(is_token) {
            return Err(foreign("holds something that is no token"));
        }
        Ok(Some(Kept {
            client_id: record.client_id,
            scopes: record.scopes,
            replace_at: record.replace_at,
            ends_at: record.ends_at,
            grant_ends_at: record.grant_ends_at,
            access,
            refresh,
            in_ring,
        }))
    }

    /// Takes the right to change what is kept; none while another process has
    /// it. Never waits.
    ///
    /// # Errors
    /// When the folder cannot be made or written to, or others could.
    pub fn hold(&self) -> Result<Option<Holding>, KeptError> {
        files::create_dir_all_durable(&self.folder, Access::Private)?;
        refuse_exposed(&self.folder, true)?;
        Ok(match LockFile::try_take(&self.folder.join(format!("{}.lock", self.slug)))? {
            Lock::Taken(lock) => Some(Holding { lock }),
            Lock::Held(_) => None,
        })
    }

    /// Keeps these tokens in place of what was kept. Once this has returned they
    /// survive a crash; before, the old or the new ones are there, whole. (In
    /// a keyring: as far as that keeps what it is given.)
    ///
    /// # Errors
    /// When the disk or the keyring refuses.
    pub fn save(&self, kept: &Kept, _: &Holding) -> Result<(), KeptError> {
        let secrets = Secrets {
            access_token: SecretText(kept.access.clone()),
            refresh_token: kept.refresh.clone().map(SecretText),
        };
        let mut record = Record {
            format: FORMAT,
            profile: self.profile.as_str().to_owned(),
            address: self.address.clone(),
            client_id: kept.client_id.clone(),
            scopes: kept.scopes.clone(),
            replace_at: kept.replace_at,
            ends_at: kept.ends_at,
            grant_ends_at: kept.grant_ends_at,
            secrets: None,
        };
        // The tokens first: with the older file beside them they are renewed
        // early at worst.
        match self.shelf.ring {
            true => ring::write(&self.account(), &json(&secrets)?)?,
            false => record.secrets = Some(secrets),
        }
        write_private(&self.file(), &json(&record)?)
    }

    /// Forgets the tokens; tells whether there were any.
    ///
    /// # Errors
    /// When the disk or the keyring refuses.
    pub fn forget(&self, _: &Holding) -> Result<bool, KeptError> {
        if self.shelf.ring {
            ring::remove(&self.account())?;
        }
        remove(&self.file())
    }

    /// By what name the keyring knows them.
    fn account(&self) -> String {
        format!("{} at {}", self.profile, self.address)
    }
}

/// Reads a file that is the user's alone; none where there is none.
pub(in crate::hmrc) fn read_private(path: &Path) -> Result<Option<Vec<u8>>, KeptError> {
    let bytes = match files::read_bounded(path, MAX_FILE) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    refuse_exposed(path, false)?;
    if let Some(folder) = path.parent() {
        refuse_exposed(folder, true)?;
    }
    Ok(Some(bytes))
}

/// Writes a file that is the user's alone, and is there after a crash.
pub(in crate::hmrc) fn write_private(path: &Path, text: &SecretString) -> Result<(), KeptError> {
    Ok(files::write_atomic_private(path, text.expose_secret().as_bytes())?)
}

fn remove(path: &Path) -> Result<bool, KeptError> {
    match files::remove_file(path) {
        Err(error) if error.is_not_found() => Ok(false),
        removed => Ok(removed.map(|()| true)?),
    }
}

/// A value as JSON that nothing shows.
pub(in crate::hmrc) fn json<T: Serialize>(value: &T) -> Result<SecretString, KeptError> {
    serde_json::to_string(value).map(SecretString::from).map_err(|error| KeptError::Foreign {
        path: PathBuf::new(),
        message: format!("cannot be written: {error}"),
    })
}

/// Refuses a file or folder that others could read or change.
fn refuse_exposed(path: &Path, folder: bool) -> Result<(), KeptError> {
    files::exposed(path, folder)?.map_or(Ok(()), |exposed| Err(KeptError::Exposed(exposed)))
}
