//! `keys`: the key that signs.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::KeysCommand;
use super::context::{Context, KEYS_VARIABLE};
use super::exit;
use super::failure::{Failure, Kind};
use super::printer::{BOLD, DIM, GOOD, Printer, paint};
use crate::digest::Digest;
use crate::evidence::seal::{KeyError, KeyRing, PublicKey};
use crate::project::locate::FILE_NAME;

/// `keys … --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Keys {
    /// Always 1.
    schema_version: u32,
    /// The folder of the keys.
    folder: String,
    /// The file with the private key; it is never shown.
    private_key_file: String,
    /// The key that signs.
    #[serde(flatten)]
    key: Key,
    /// The keys it took over from, oldest first.
    former: Vec<Key>,
}

/// A public key.
#[derive(Debug, Serialize, JsonSchema)]
struct Key {
    /// SHA-256 of the DER of its SubjectPublicKeyInfo.
    fingerprint: Digest,
    /// As a PEM file.
    public_key: String,
}

impl Key {
    fn new(key: &PublicKey) -> Self {
        Self { fingerprint: key.fingerprint(), public_key: key.to_pem() }
    }
}

/// Runs the command.
pub(super) fn run(context: &mut Context, command: &KeysCommand) -> Result<u8, Failure> {
    let folder = context.keys_folder()?;
    let (keys, done) = match command {
        KeysCommand::Init => {
            refuse_project(&folder, "the key", KEYS_VARIABLE)?;
            (KeyRing::generate(&folder)?, "made a signing key")
        }
        KeysCommand::Show => (KeyRing::load(&folder)?, "your signing key"),
        KeysCommand::Rotate => {
            let mut keys = KeyRing::load(&folder)?;
            keys.rotate()?;
            (keys, "replaced the signing key; the one before vouches for it")
        }
    };
    let chain = keys.chain();
    let former = chain.split_last().map_or(&[][..], |(_, former)| former);
    let shown = Keys {
        schema_version: 1,
        folder: folder.display().to_string(),
        private_key_file: keys.private_file().display().to_string(),
        key: Key::new(keys.public()),
        former: former.iter().map(|former| Key::new(&former.public)).collect(),
    };
    context.printer.document(&shown);
    print(&mut context.printer, done, &shown, command);
    Ok(exit::DONE)
}

/// A secret in a project would be handed over with it sooner or later.
///
/// # Errors
/// When `folder` lies in one; `what` is the secret, `variable` names the folder.
pub(super) fn refuse_project(folder: &Path, what: &str, variable: &str) -> Result<(), Failure> {
    match folder.ancestors().find(|above| above.join(FILE_NAME).is_file()) {
        None => Ok(()),
        Some(project) => Err(Failure::input(format!(
            "`{}` lies in the project `{}`: whoever gets the project would get {what}",
            folder.display(),
            project.display()
        ))
        .hint(format!("name a folder elsewhere in {variable}, or unset it"))),
    }
}

fn print(printer: &mut Printer, done: &str, keys: &Keys, command: &KeysCommand) {
    printer.line(paint(GOOD, done));
    printer.line(format!("  fingerprint  {}", paint(BOLD, keys.key.fingerprint)));
    printer.line(format!("  private key  {}", keys.private_key_file));
    for former in &keys.former {
        printer.line(format!("  before it    {}", paint(DIM, former.fingerprint)));
    }
    printer.line("");
    for line in keys.key.public_key.lines() {
        printer.line(line);
    }
    printer.line("");
    match command {
        KeysCommand::Init => {
            printer.prose(
                0,
                "Keep a copy of the private key in a safe place and give it to nobody. \
                 `ctc-ready run` seals with it from now on.",
            );
            printer.prose(
                0,
                "Tell the fingerprint to those who check your evidence, by another way than the \
                 evidence takes: without that, a seal shows little.",
            );
        }
        KeysCommand::Show => {}
        KeysCommand::Rotate => printer.prose(
            0,
            "The old private key is gone from that folder; destroy its copies. What it sealed \
             stays valid, and whoever trusts the old fingerprint can trust the new one. The next \
             seal says so.",
        ),
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let text = error.to_string();
        match error {
            KeyError::Missing(_) => Self::input(text)
                .hint("`ctc-ready keys init` makes one")
                .hint("CTC_READY_KEYS names another folder, should yours lie elsewhere"),
            KeyError::Exists(_) => Self::input(text)
                .hint("`ctc-ready keys show` shows it, `ctc-ready keys rotate` replaces it"),
            KeyError::Exposed(it) => {
                Self::input(text).hint(format!("`chmod {:o} {}`", it.wanted, it.path.display()))
            }
            KeyError::Busy(_) | KeyError::Random(_) => Self::new(Kind::Environment, text),
            KeyError::File(_) | KeyError::Foreign { .. } => Self::input(text),
        }
    }
}
