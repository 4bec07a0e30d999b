//! The keys that sign. They lie in a folder of the user's, never in a project:
//!
//! ```text
//! signing-key.pem             the private key: Ed25519, PKCS#8, PEM, mode 0600
//! public/<fingerprint>.pem    its public half, and that of every key before it
//! takeovers/<fingerprint>.json  DSSE envelope: the key before vouches for this one
//! lock                        held while the folder is changed
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes,
};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::dsse::{self, Envelope};
use crate::digest::{Digest, canonical_json};
use crate::evidence::format::IndexEvent;
use crate::evidence::index::IndexedKey;
use crate::files::{self, Access, Exposed, FileError, Lock, LockFile};

/// `payloadType` of the statement by which a key hands over to the next.
pub const TAKEOVER_TYPE: &str = "application/vnd.ctc-ready.key-takeover+json";

const PRIVATE: &str = "signing-key.pem";
const PUBLIC: &str = "public";
const TAKEOVERS: &str = "takeovers";
const LOCK: &str = "lock";

/// Largest key or takeover, in bytes; they have a few hundred.
const MAX_FILE: u64 = 16 << 10;

/// Most keys one after the other.
const MAX_CHAIN: usize = 1000;

/// Keys that cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no key yet.
    #[error("there is no signing key in `{}`", .0.display())]
    Missing(PathBuf),
    /// A key is never overwritten.
    #[error("there is a signing key in `{}` already", .0.display())]
    Exists(PathBuf),
    /// Others than the user could take or change the key.
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
    /// Another process is changing the keys.
    #[error("the keys in `{}` are being changed by another process", .0.display())]
    Busy(PathBuf),
    /// No randomness for a key.
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
}

/// An Ed25519 public key (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key in a PEM file's text (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    /// Why it is none, as in "the file …".
    pub fn from_pem(text: &str) -> Result<Self, String> {
        if text.contains("PRIVATE KEY-----") {
            return Err("holds a private key, where a public one is wanted".into());
        }
        VerifyingKey::from_public_key_pem(text.trim())
            .ok()
            .and_then(Self::sound)
            .ok_or_else(|| "holds no Ed25519 public key (PEM)".into())
    }

    /// The key as the index has it: its 32 bytes in Base64.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = BASE64.decode(text).ok()?.try_into().ok()?;
        VerifyingKey::from_bytes(&bytes).ok().and_then(Self::sound)
    }

    /// A key of small order would let one signature fit many messages.
    fn sound(key: VerifyingKey) -> Option<Self> {
        (!key.is_weak()).then_some(Self(key))
    }

    /// Its 32 bytes in Base64.
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.0.as_bytes())
    }

    /// As a PEM file.
    pub fn to_pem(&self) -> String {
        // The encoding of 32 bytes has a fixed length and cannot fail.
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// SHA-256 of the DER of its SubjectPublicKeyInfo (RFC 8410, section 4):
    /// what `openssl pkey -pubin -outform DER | sha256sum` gives.
    pub fn fingerprint(&self) -> Digest {
        /// SEQUENCE { SEQUENCE { id-Ed25519 }, BIT STRING of 32 bytes.
        const HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
        Digest::of_parts(&[&HEAD, self.0.as_bytes()])
    }

    /// Whether a signature over `message` is by this key. Of the signatures
    /// that RFC 8032 leaves open, none is accepted.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }

    /// Whether `older` signed that this key takes over from it.
    pub fn takes_over(&self, older: &PublicKey, endorsement: &[u8; 64]) -> bool {
        let payload = Takeover::new(self, older).payload();
        older.verifies(&dsse::pae(TAKEOVER_TYPE, payload.as_bytes()), endorsement)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

/// What a key says of the one that takes over from it.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Takeover {
    /// Fingerprint of the new key.
    key: Digest,
    /// The new key, Base64.
    public: String,
    /// Fingerprint of the key that signs this.
    replaces: Digest,
}

impl Takeover {
    fn new(key: &PublicKey, older: &PublicKey) -> Self {
        let public = key.to_base64();
        Self { key: key.fingerprint(), public, replaces: older.fingerprint() }
    }

    /// Canonical JSON.
    fn payload(&self) -> String {
        canonical_json(&serde_json::to_value(self).unwrap_or_default())
    }
}

/// A key, and how the one before it vouches for it.
#[derive(Clone, Debug)]
pub struct ChainedKey {
    /// The key.
    pub public: PublicKey,
    /// Fingerprint and signature of the key before; none for the first.
    pub endorsement: Option<(Digest, [u8; 64])>,
}

impl ChainedKey {
    /// The index line that introduces it.
    pub fn introduction(&self) -> IndexEvent {
        let (replaces, endorsement) = self.endorsement.unzip();
        IndexEvent::KeyAdded {
            key: self.public.fingerprint(),
            public: self.public.to_base64(),
            replaces,
            endorsement: endorsement.map(|signature| BASE64.encode(signature)),
        }
    }
}

/// The public key that an index line introduces.
///
/// # Errors
/// Why it introduces none.
pub fn introduced(key: Digest, said: &IndexedKey) -> Result<PublicKey, &'static str> {
    let public = PublicKey::from_base64(&said.public).ok_or("its `public` is no Ed25519 key")?;
    match public.fingerprint() == key {
        true => Ok(public),
        false => Err("its `key` is not the fingerprint of its `public`"),
    }
}

/// The key that vouches for the one that an index line introduces; none where
/// none is said to.
///
/// # Errors
/// Why the line's word for it is worth nothing.
pub fn endorsed(
    key: Digest,
    said: &IndexedKey,
    known: &BTreeMap<Digest, IndexedKey>,
) -> Result<Option<Digest>, &'static str> {
    let public = introduced(key, said)?;
    let (replaces, endorsement) = match (said.replaces, &said.endorsement) {
        (None, None) => return Ok(None),
        (Some(replaces), Some(endorsement)) => (replaces, endorsement),
        _ => return Err("it has only one of `replaces` and `endorsement`"),
    };
    let older = known.get(&replaces).ok_or("no line before it introduces the key it replaces")?;
    let older = introduced(replaces, older)?;
    let endorsement = BASE64.decode(endorsement).ok().and_then(|bytes| bytes.try_into().ok());
    match endorsement.is_some_and(|endorsement| public.takes_over(&older, &endorsement)) {
        true => Ok(Some(replaces)),
        false => Err("its `endorsement` is not by the key it replaces"),
    }
}

/// The key that signs, with the keys that it took over from.
pub struct KeyRing {
    folder: PathBuf,
    secret: SigningKey,
    /// Oldest first; the last one signs.
    chain: Vec<ChainedKey>,
    public: PublicKey,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("folder", &self.folder)
            .field("key", &self.public)
            .finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Makes a key in a folder that has none, and the folder if need be. Once
    /// this has returned, it survives a crash; before, there is a key or none.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when there is one; when the folder cannot be
    /// written, or others could write to it.
    pub fn generate(folder: &Path) -> Result<Self, KeyError> {
        files::create_dir_all_durable(folder, Access::Private)?;
        let _lock = lock(folder)?;
        if folder.join(PRIVATE).symlink_metadata().is_ok() {
            return Err(KeyError::Exists(folder.to_owned()));
        }
        unexposed(folder, true)?;
        write_new(folder, &new_key()?)?;
        Self::load(folder)
    }

    /// Reads the key in a folder.
    ///
    /// # Errors
    /// [`KeyError::Missing`] when there is none; when others could read or
    /// replace it, or a file there is not what it should be.
    pub fn load(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(PRIVATE);
        let foreign =
            |message: &str| KeyError::Foreign { path: path.clone(), message: message.to_owned() };
        let text = match read_text(&path) {
            Err(KeyError::File(error)) if error.is_not_found() => {
                return Err(KeyError::Missing(folder.to_owned()));
            }
            text => text?,
        };
        unexposed(&path, false)?;
        unexposed(folder, true)?;
        if text.contains("ENCRYPTED PRIVATE KEY") {
            return Err(foreign("is encrypted, and signing asks no password"));
        }
        let secret = SigningKey::from_pkcs8_pem(text.trim())
            .map_err(|_| foreign("holds no Ed25519 private key (PKCS#8, PEM)"))?;
        let public = PublicKey::sound(secret.verifying_key())
            .ok_or_else(|| foreign("holds a key that cannot be used"))?;
        let chain = read_chain(folder, public)?;
        Ok(Self { folder: folder.to_owned(), secret, chain, public })
    }

    /// Makes a new key, which the present one vouches for. The private half of
    /// the present one is then gone from the folder; what it signed stays
    /// valid. After a crash either key is the one that signs.
    ///
    /// # Errors
    /// When another process changed the keys meanwhile, or the folder cannot
    /// be written.
    pub fn rotate(&mut self) -> Result<(), KeyError> {
        let _lock = lock(&self.folder)?;
        if Self::load(&self.folder)?.public != self.public {
            return Err(KeyError::Busy(self.folder.clone()));
        }
        let secret = new_key()?;
        let key = PublicKey(secret.verifying_key());
        let takeover = Takeover::new(&key, &self.public).payload();
        let envelope = dsse::sign(self, TAKEOVER_TYPE, takeover.as_bytes());
        let path = takeover_path(&self.folder, key.fingerprint());
        // The key itself comes last: what was written before it stands for
        // nothing until then.
        write_public(&self.folder, &self.public)?;
        files::create_dir_all_durable(&self.folder.join(TAKEOVERS), Access::Private)?;
        files::write_atomic_private(&path, envelope.as_bytes())?;
        write_new(&self.folder, &secret)?;
        *self = Self::load(&self.folder)?;
        Ok(())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file with the private key.
    pub fn private_file(&self) -> PathBuf {
        self.folder.join(PRIVATE)
    }

    /// The key that signs.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The fingerprint of the key that signs.
    pub fn fingerprint(&self) -> Digest {
        self.public.fingerprint()
    }

    /// Every key, oldest first; the last one signs.
    pub fn chain(&self) -> &[ChainedKey] {
        &self.chain
    }

    /// Signs bytes.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }
}

fn lock(folder: &Path) -> Result<LockFile, KeyError> {
    match LockFile::try_take(&folder.join(LOCK))? {
        Lock::Taken(lock) => Ok(lock),
        Lock::Held(_) => Err(KeyError::Busy(folder.to_owned())),
    }
}

fn new_key() -> Result<SigningKey, KeyError> {
    let mut secret = ed25519_dalek::SecretKey::default();
    getrandom::fill(&mut secret).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(SigningKey::from_bytes(&secret))
}

fn public_path(folder: &Path, key: Digest) -> PathBuf {
    folder.join(PUBLIC).join(format!("{key}.pem"))
}

fn takeover_path(folder: &Path, key: Digest) -> PathBuf {
    folder.join(TAKEOVERS).join(format!("{key}.json"))
}

fn write_public(folder: &Path, key: &PublicKey) -> Result<(), KeyError> {
    files::create_dir_all_durable(&folder.join(PUBLIC), Access::Private)?;
    let path = public_path(folder, key.fingerprint());
    Ok(files::write_atomic_private(&path, key.to_pem().as_bytes())?)
}

fn write_new(folder: &Path, secret: &SigningKey) -> Result<(), KeyError> {
    write_public(folder, &PublicKey(secret.verifying_key()))?;
    // Version 1 of PKCS#8, without the public half: older tools read no other.
    let bytes = KeypairBytes { secret_key: secret.to_bytes(), public_key: None };
    let pem = bytes.to_pkcs8_pem(LineEnding::LF).map_err(|error| KeyError::Foreign {
        path: folder.join(PRIVATE),
        message: format!("cannot be written as PEM: {error}"),
    })?;
    Ok(files::write_atomic_private(&folder.join(PRIVATE), pem.as_bytes())?)
}

fn read_text(path: &Path) -> Result<String, KeyError> {
    let bytes = files::read_bounded(path, MAX_FILE)?;
    String::from_utf8(bytes).map_err(|_| KeyError::Foreign {
        path: path.to_owned(),
        message: "is not text (PEM)".into(),
    })
}

/// The keys up to `last`, oldest first.
fn read_chain(folder: &Path, last: PublicKey) -> Result<Vec<ChainedKey>, KeyError> {
    let mut chain = Vec::new();
    let mut key = last;
    loop {
        let path = takeover_path(folder, key.fingerprint());
        let foreign =
            |message: &str| KeyError::Foreign { path: path.clone(), message: message.to_owned() };
        let bytes = match files::read_bounded(&path, MAX_FILE) {
            Err(error) if error.is_not_found() => {
                chain.push(ChainedKey { public: key, endorsement: None });
                chain.reverse();
                return Ok(chain);
            }
            bytes => bytes?,
        };
        let wrong = "is not the statement by which one key hands over to the next";
        let envelope = Envelope::parse(&bytes).map_err(|_| foreign(wrong))?;
        let older = read_public(folder, envelope.key)?;
        envelope.verify(&older).map_err(|_| foreign("is not signed by the key it names"))?;
        if envelope.payload_type != TAKEOVER_TYPE
            || envelope.payload != Takeover::new(&key, &older).payload().as_bytes()
        {
            return Err(foreign(wrong));
        }
        let endorsement = Some((envelope.key, *envelope.signature()));
        chain.push(ChainedKey { public: key, endorsement });
        if chain.len() >= MAX_CHAIN {
            return Err(foreign("is one of too many"));
        }
        key = older;
    }
}

fn read_public(folder: &Path, key: Digest) -> Result<PublicKey, KeyError> {
    let path = public_path(folder, key);
    let foreign = |message| KeyError::Foreign { path: path.clone(), message };
    let public = PublicKey::from_pem(&read_text(&path)?).map_err(foreign)?;
    match public.fingerprint() == key {
        true => Ok(public),
        false => Err(foreign("holds another key than its name says".into())),
    }
}

/// Refuses a file or folder that others could read or change.
fn unexposed(path: &Path, folder: bool) -> Result<(), KeyError> {
    files::exposed(path, folder)?.map_or(Ok(()), |exposed| Err(KeyError::Exposed(exposed)))
}
